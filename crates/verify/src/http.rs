//! One HTTP/1.1 request over a connection of one's own: to the published port, or from inside a container's network,
//! with TLS or without.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Version,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    client::conn::http1,
    header::HeaderMap,
};
use hyper_util::rt::TokioIo;
use rustls::{
    SupportedProtocolVersion,
    pki_types::{IpAddr, ServerName},
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use crate::{
    netns,
    procfs::ProcFs,
    tls::{self, Session},
};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a stream is read.
const STREAM_LIMIT: Duration = Duration::from_secs(5);
/// How much of an answer is kept.
const BODY_LIMIT: usize = 8 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("cannot connect to {0}: {1}")]
    Connect(String, #[source] io::Error),
    #[error("no HTTP answer: {0}")]
    Protocol(String),
    #[error("no TLS: {0}")]
    Tls(#[source] io::Error),
    #[error("no answer within {} s", LIMIT.as_secs())]
    Late,
    #[error("the answer is larger than {} MiB", BODY_LIMIT >> 20)]
    TooLarge,
}

/// Where requests go.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    /// A published port.
    Published(SocketAddr),
    /// A port on the loopback address of a container, from inside it.
    Inside { procfs: ProcFs, pid: u32, port: u16, service: String },
    /// The same with TLS, whatever certificate is shown: that is judged by a claim.
    Tls {
        under: Box<Self>,
        /// The name that visitors use, where it is known; else the address is asked for.
        name: Option<String>,
    },
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) form: Form,
}

/// How a request differs from those of browsers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    #[default]
    Usual,
    /// HTTP/1.0 without `Host`. In HTTP/1.1 it has to be refused without (RFC 9112, 3.2).
    Hostless,
    /// So many bytes of a body are announced, and none is sent: whoever would take them keeps nothing.
    Announced(u64),
}

/// What is sent behind the head.
enum Sent {
    Whole(Full<Bytes>),
    /// So many bytes that never come.
    Withheld(u64),
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(context),
            Self::Withheld(_) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Withheld(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Withheld(bytes) => SizeHint::with_exact(*bytes),
        }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// An answer whose body is still to come.
struct Begun {
    status: u16,
    headers: HeaderMap,
    body: Incoming,
    /// The connection may end as soon as nothing can send on it.
    _sender: http1::SendRequest<Sent>,
}

impl Ask {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: None, form: Form::Usual }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    fn sent(&self) -> Sent {
        match self.form {
            Form::Announced(bytes) => Sent::Withheld(bytes),
            Form::Usual | Form::Hostless => {
                Sent::Whole(Full::new(Bytes::from(self.body.clone().unwrap_or_default())))
            }
        }
    }
}

impl Answer {
    /// Every value of a header, joined as one list.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Endpoint {
    /// The address as a person would write it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Published(address) => address.to_string(),
            Self::Inside { service, port, .. } => format!("{service}:{port} (inside)"),
            Self::Tls { under, .. } => format!("{} with TLS", under.name()),
        }
    }

    /// The same place with TLS.
    pub(crate) fn with_tls(self, name: Option<&str>) -> Self {
        Self::Tls { under: Box::new(self), name: name.map(str::to_owned) }
    }

    pub(crate) fn has_tls(&self) -> bool {
        matches!(self, Self::Tls { .. })
    }

    /// The beginning of its addresses, as browsers have them.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.has_tls() { "https" } else { "http" };
        format!("{scheme}://{}", self.host())
    }

    /// Where it connects to; of a container's inside in that container's network.
    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::Published(address) => *address,
            Self::Inside { port, .. } => SocketAddr::from(([127, 0, 0, 1], *port)),
            Self::Tls { under, .. } => under.address(),
        }
    }

    /// A process whose network it connects in, if not this machine's.
    fn inside(&self) -> Option<(&ProcFs, u32)> {
        match self {
            Self::Published(_) => None,
            Self::Inside { procfs, pid, .. } => Some((procfs, *pid)),
            Self::Tls { under, .. } => under.inside(),
        }
    }

    /// The name or address that a certificate has to be for.
    pub(crate) fn server_name(&self) -> Result<ServerName<'static>, HttpError> {
        match self {
            Self::Tls { name: Some(name), .. } => ServerName::try_from(name.clone()).map_err(|_| {
                HttpError::Tls(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("`{name}` is no host name"),
                ))
            }),
            _ => Ok(ServerName::IpAddress(IpAddr::from(self.address().ip()))),
        }
    }

    /// Makes a handshake with one of these versions of TLS and sends nothing.
    pub(crate) async fn shake_hands(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Session, HttpError> {
        let exchange = async {
            let stream = self.open().await?;
            let stream = tls::connect(stream, self.server_name()?, versions).await.map_err(HttpError::Tls)?;
            Ok(Session::of(&stream))
        };
        timeout(LIMIT, exchange).await.unwrap_or(Err(HttpError::Late))
    }

    /// A connection, before any TLS.
    pub(crate) async fn open(&self) -> Result<TcpStream, HttpError> {
        let opened = match self.inside() {
            Some((procfs, pid)) => netns::connect(procfs, pid, self.address()).and_then(|stream| {
                stream.set_nonblocking(true)?;
                TcpStream::from_std(stream)
            }),
            None => match timeout(LIMIT, TcpStream::connect(self.address())).await {
                Ok(opened) => opened,
                Err(_) => return Err(HttpError::Late),
            },
        };
        opened.map_err(|error| HttpError::Connect(self.name(), error))
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, ask: &Ask) -> Result<Answer, HttpError> {
        let exchange = async {
            let Begun { status, headers, mut body, _sender } = self.begin(ask).await?;
            let mut bytes = Vec::new();
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame.map_err(protocol)?.into_data() else { continue };
                bytes.extend_from_slice(&data);
                if bytes.len() > BODY_LIMIT {
                    return Err(HttpError::TooLarge);
                }
            }
            Ok(Answer { status, headers, body: bytes })
        };
        timeout(LIMIT, exchange).await.unwrap_or(Err(HttpError::Late))
    }

    /// Sends a request and reads the status alone: the body may never end.
    pub(crate) async fn begun(&self, ask: &Ask) -> Result<u16, HttpError> {
        let begun = timeout(LIMIT, self.begin(ask)).await.unwrap_or(Err(HttpError::Late))?;
        Ok(begun.status)
    }

    /// Reads an answer that does not end by itself until `enough` says so, at most five seconds. `opened` runs as soon
    /// as the answer has begun.
    pub(crate) async fn watch(
        &self,
        ask: &Ask,
        opened: impl Future<Output = ()>,
        enough: impl Fn(&str) -> bool,
    ) -> Result<Answer, HttpError> {
        let begun = timeout(LIMIT, self.begin(ask)).await.unwrap_or(Err(HttpError::Late))?;
        let Begun { status, headers, mut body, _sender } = begun;
        let mut bytes = Vec::new();
        let read = async {
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame.map_err(protocol)?.into_data() else { continue };
                bytes.extend_from_slice(&data);
                if bytes.len() > BODY_LIMIT {
                    return Err(HttpError::TooLarge);
                }
                if enough(&String::from_utf8_lossy(&bytes)) {
                    break;
                }
            }
            Ok(())
        };
        let (read, ()) = tokio::join!(timeout(STREAM_LIMIT, read), opened);
        // A stream that says too little is judged by what it said.
        read.unwrap_or(Ok(()))?;
        Ok(Answer { status, headers, body: bytes })
    }

    async fn begin(&self, ask: &Ask) -> Result<Begun, HttpError> {
        let stream = self.open().await?;
        let mut sender = if self.has_tls() {
            let stream = tls::connect(stream, self.server_name()?, &[&TLS12, &TLS13]).await;
            speak(stream.map_err(HttpError::Tls)?).await?
        } else {
            speak(stream).await?
        };
        let mut request = Request::builder().method(ask.method.clone()).uri(&ask.path);
        request = match ask.form {
            Form::Hostless => request.version(Version::HTTP_10),
            Form::Usual | Form::Announced(_) => request.header("host", self.host()),
        };
        request = request.header("user-agent", "plimsoll-verify");
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        let request = request.body(ask.sent()).map_err(|error| HttpError::Protocol(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(protocol)?;
        let (head, body) = response.into_parts();
        Ok(Begun { status: head.status.as_u16(), headers: head.headers, body, _sender: sender })
    }

    /// Name or address, with the port where it is not the usual one of HTTPS.
    pub(crate) fn host(&self) -> String {
        match self {
            // What a person types, and what lists of allowed hosts name first.
            Self::Published(address) if address.ip().is_loopback() => format!("localhost:{}", address.port()),
            Self::Published(address) => address.to_string(),
            Self::Inside { port, .. } => format!("localhost:{port}"),
            Self::Tls { under, name: None } => under.host(),
            Self::Tls { name: Some(name), .. } => match self.address().port() {
                443 => name.clone(),
                port => format!("{name}:{port}"),
            },
        }
    }
}

/// Begins HTTP on a connection.
async fn speak<S>(stream: S) -> Result<http1::SendRequest<Sent>, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(protocol)?;
    tokio::spawn(connection);
    Ok(sender)
}

fn protocol(error: hyper::Error) -> HttpError {
    HttpError::Protocol(error.to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// A server on this machine that answers each head of a request with a whole answer, and reads no body.
    pub(crate) async fn server(answer: fn(&str) -> String) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = answer(&head(&mut stream).await);
                // Whoever asked may be gone.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        address
    }

    async fn head(stream: &mut TcpStream) -> String {
        let (mut bytes, mut piece) = (Vec::<u8>::new(), [0_u8; 1024]);
        while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
            match stream.read(&mut piece).await {
                Ok(read) if read > 0 => bytes.extend_from_slice(&piece[..read]),
                _ => break,
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn echo(head: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{head}", head.len())
    }

    #[tokio::test]
    async fn with_and_without_a_host() {
        let address = server(echo).await;
        let endpoint = Endpoint::Published(address);
        let usual = endpoint.send(&Ask::get("/x")).await.unwrap().text();
        assert!(usual.starts_with("GET /x HTTP/1.1\r\n"), "{usual}");
        assert!(usual.contains(&format!("host: localhost:{}\r\n", address.port())), "{usual}");
        let without = endpoint.send(&Ask::get("/x").form(Form::Hostless)).await.unwrap().text();
        assert!(without.starts_with("GET /x HTTP/1.0\r\n"), "{without}");
        assert!(!without.contains("host:"), "{without}");
    }

    #[tokio::test]
    async fn a_body_that_is_announced_alone() {
        let endpoint = Endpoint::Published(server(echo).await);
        let ask = Ask::new(Method::POST, "/x").form(Form::Announced(2 << 20));
        let said = endpoint.send(&ask).await.unwrap().text();
        assert!(said.contains("content-length: 2097152\r\n"), "{said}");
    }
}
