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
