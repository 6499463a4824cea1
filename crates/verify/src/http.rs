//! One HTTP/1.1 request over a connection of one's own: to the published port, or from inside a container's network.

use std::{io, net::SocketAddr, time::Duration};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::HeaderMap,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::{netns, procfs::ProcFs};

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
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
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
    _sender: http1::SendRequest<Full<Bytes>>,
}

impl Ask {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), headers: Vec::new(), body: None }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
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
        }
    }

    async fn open(&self) -> Result<TcpStream, HttpError> {
        let opened = match self {
            Self::Published(address) => match timeout(LIMIT, TcpStream::connect(address)).await {
                Ok(opened) => opened,
                Err(_) => return Err(HttpError::Late),
            },
            Self::Inside { procfs, pid, port, .. } => {
                let address = SocketAddr::from(([127, 0, 0, 1], *port));
                netns::connect(procfs, *pid, address).and_then(|stream| {
                    stream.set_nonblocking(true)?;
                    TcpStream::from_std(stream)
                })
            }
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
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(protocol)?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(ask.method.clone()).uri(&ask.path);
        request = request.header("host", self.host()).header("user-agent", "plimsoll-verify");
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        let body = Full::new(Bytes::from(ask.body.clone().unwrap_or_default()));
        let request = request.body(body).map_err(|error| HttpError::Protocol(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(protocol)?;
        let (head, body) = response.into_parts();
        Ok(Begun { status: head.status.as_u16(), headers: head.headers, body, _sender: sender })
    }

    fn host(&self) -> String {
        match self {
            Self::Published(address) => address.to_string(),
            Self::Inside { port, .. } => format!("127.0.0.1:{port}"),
        }
    }
}

fn protocol(error: hyper::Error) -> HttpError {
    HttpError::Protocol(error.to_string())
}
