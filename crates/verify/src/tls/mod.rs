//! TLS as a client that wants to know what a server shows: every certificate is accepted here, so that it can be judged.

pub(crate) mod hello;
pub(crate) mod x509;

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme, SupportedProtocolVersion,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// What a handshake told.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) version: Option<ProtocolVersion>,
    /// The server's certificate, and those that it sent with it.
    pub(crate) chain: Vec<CertificateDer<'static>>,
}

impl Session {
    pub(crate) fn of(stream: &TlsStream<TcpStream>) -> Self {
        let (_, connection) = stream.get_ref();
        Self {
            version: connection.protocol_version(),
            chain: connection.peer_certificates().unwrap_or_default().to_vec(),
        }
    }
}

/// Makes a handshake with one of these versions.
pub(crate) async fn connect(
    stream: TcpStream,
    name: ServerName<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> io::Result<TlsStream<TcpStream>> {
    let config = config(versions).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn config(versions: &[&'static SupportedProtocolVersion]) -> Result<ClientConfig, Error> {
    let provider = ring::default_provider();
    let verifier = AnyCertificate(provider.signature_verification_algorithms);
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    // Each handshake is one of a new visitor.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// True for what can be asked for in a handshake: a DNS name or an address.
pub fn is_host_name(text: &str) -> bool {
    ServerName::try_from(text).is_ok()
}

/// What signatures can be verified with.
pub(crate) fn algorithms() -> WebPkiSupportedAlgorithms {
    ring::default_provider().signature_verification_algorithms
}

/// Accepts whatever certificate is shown, if the server has its key.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{SocketAddr, TcpListener},
        path::Path,
        process::{Child, Command, Stdio},
        time::Duration,
    };

    use rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, pem::PemObject as _},
        version::{TLS12, TLS13},
    };
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::TlsAcceptor;

    use super::{
        hello::{Reply, Version, greet},
        *,
    };
    use crate::http::{Ask, Endpoint};

    /// A certificate for localhost and its key, `cert.pem` and `key.pem`.
    fn certificate(folder: &Path) {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// A server with TLS that answers each request with the same text.
    async fn server(folder: &Path, versions: &[&'static SupportedProtocolVersion]) -> SocketAddr {
        let chain = vec![CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut request = [0; 1024];
                    let read = stream.read(&mut request).await.unwrap_or(0);
                    let head = String::from_utf8_lossy(&request[..read]).into_owned();
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len());
                    // Whoever asked may be gone.
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn what_a_server_shows_and_answers() {
        let folder = tempfile::tempdir().unwrap();
        certificate(folder.path());
        let address = server(folder.path(), &[&TLS12, &TLS13]).await;
        let plain = Endpoint::Published(address);
        assert!(plain.send(&Ask::get("/x")).await.is_err());
        let secure = plain.with_tls(Some("shop.example"));
        let session = secure.shake_hands(&[&TLS12, &TLS13]).await.unwrap();
        assert_eq!(session.version, Some(ProtocolVersion::TLSv1_3));
        assert_eq!(session.chain, [CertificateDer::from_pem_file(folder.path().join("cert.pem")).unwrap()]);
        assert_eq!(secure.shake_hands(&[&TLS12]).await.unwrap().version, Some(ProtocolVersion::TLSv1_2));
        let said = secure.send(&Ask::get("/x")).await.unwrap().text();
        assert!(said.contains(&format!("host: shop.example:{}\r\n", address.port())), "{said}");
        for (version, refused) in [(Version::Tls10, true), (Version::Tls11, true), (Version::Tls12, false)] {
            let reply = greet(&secure, version, Some("shop.example")).await.unwrap();
            let expected =
                if refused { matches!(reply, Reply::Ends(_)) } else { reply == Reply::Goes(0x0303) };
            assert!(expected, "{version:?}: {reply:?}");
        }
    }

    #[tokio::test]
    async fn no_tls_where_there_is_none() {
        let address = crate::http::tests::server(|_| {
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
        });
        let endpoint = Endpoint::Published(address.await).with_tls(None);
        // It waits for the end of a head that never comes, or answers in the clear.
        let versions = [&TLS12, &TLS13];
        let shaken = tokio::time::timeout(Duration::from_millis(500), endpoint.shake_hands(&versions));
        assert!(!matches!(shaken.await, Ok(Ok(_))));
    }

    /// `openssl s_server`, ended with the test.
    struct OldServer(Child);

    impl Drop for OldServer {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[tokio::test]
    async fn a_server_of_old_versions_goes_on_with_them() {
        let folder = tempfile::tempdir().unwrap();
        certificate(folder.path());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("openssl")
            .args(["s_server", "-www", "-accept", &format!("127.0.0.1:{port}"), "-cert", "cert.pem"])
            .args(["-key", "key.pem", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let _server = OldServer(child);
        let endpoint = Endpoint::Published(SocketAddr::from(([127, 0, 0, 1], port))).with_tls(None);
        let mut reply = greet(&endpoint, Version::Tls11, None).await;
        for _ in 0..400 {
            if reply.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            reply = greet(&endpoint, Version::Tls11, None).await;
        }
        assert_eq!(reply.unwrap(), Reply::Goes(0x0302));
        assert!(endpoint.shake_hands(&[&TLS12, &TLS13]).await.is_err());
    }
}
