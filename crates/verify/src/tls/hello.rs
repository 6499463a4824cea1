//! A greeting in versions of TLS that no library offers any more (RFC 5246, 7.4.1.2), and what a server answers to it.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use crate::http::{Endpoint, HttpError};

/// How long the answer may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Cipher suites of TLS 1.0 to 1.2 that servers have: with ECDHE, DHE and RSA; AES with CBC and GCM, ChaCha20, 3DES. The
/// last one says that renegotiation is safe.
const SUITES: &[u16] = &[
    0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc009, 0xc013, 0xc00a, 0xc014, 0x0033, 0x0039, 0x009c,
    0x009d, 0x002f, 0x0035, 0x0016, 0x000a, 0x00ff,
];
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;

/// A version as it is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Tls10 = 0x0301,
    Tls11 = 0x0302,
    Tls12 = 0x0303,
}

impl Version {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Tls12 => "TLS 1.2",
        }
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The server goes on in this version.
    Goes(u16),
    /// It ends the handshake, by an alert or without a word.
    Ends(String),
    /// It says nothing that can be understood, or nothing in time.
    Unclear(String),
}

impl Reply {
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Goes(0x0301) => "goes on with TLS 1.0".to_owned(),
            Self::Goes(0x0302) => "goes on with TLS 1.1".to_owned(),
            Self::Goes(0x0303) => "goes on with TLS 1.2".to_owned(),
            Self::Goes(version) => format!("goes on with version {version:#06x}"),
            Self::Ends(how) => format!("refused: {how}"),
            Self::Unclear(why) => format!("not understood: {why}"),
        }
    }
}

/// Greets a server in a version, with the name that it is asked by.
pub(crate) async fn greet(
    endpoint: &Endpoint,
    version: Version,
    name: Option<&str>,
) -> Result<Reply, HttpError> {
    let mut stream = endpoint.open().await?;
    let hello = client_hello(version, name);
    let exchange = async {
        if let Err(error) = stream.write_all(&hello).await {
            return Reply::Ends(error.to_string());
        }
        // The head of a record, the head of its first message, and the version that the server has chosen.
        let mut head = [0; 11];
        match stream.read_exact(&mut head[..7]).await {
            Ok(_) => {}
            Err(error) => return Reply::Ends(format!("the connection is closed ({})", error.kind())),
        }
        if head[0] == HANDSHAKE && stream.read_exact(&mut head[7..]).await.is_err() {
            return Reply::Unclear("the answer is cut".to_owned());
        }
        reply(&head)
    };
    Ok(timeout(LIMIT, exchange)
        .await
        .unwrap_or_else(|_| Reply::Unclear(format!("no answer within {} s", LIMIT.as_secs()))))
}

/// The first bytes of an answer; of an alert the first seven count.
fn reply(head: &[u8; 11]) -> Reply {
    match (head[0], head[5]) {
        (ALERT, _) => Reply::Ends(format!("alert {}", head[6])),
        (HANDSHAKE, SERVER_HELLO) => Reply::Goes(u16::from_be_bytes([head[9], head[10]])),
        (kind, _) => Reply::Unclear(format!("the answer begins with byte {kind:#04x}")),
    }
}

/// The record with the greeting.
fn client_hello(version: Version, name: Option<&str>) -> Vec<u8> {
    let mut body = (version as u16).to_be_bytes().to_vec();
    // Only its length counts: no key is made of it, because the handshake ends here.
    body.extend([0x70; 32]);
    // No session to go on with.
    body.push(0);
    let suites: Vec<u8> = SUITES.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    with_length(&mut body, &suites);
    // No compression.
    body.extend([1, 0]);
    let mut extensions = Vec::new();
    if let Some(name) = name {
        let mut entry = vec![0];
        with_length(&mut entry, name.as_bytes());
        let mut list = Vec::new();
        with_length(&mut list, &entry);
        extension(&mut extensions, 0, &list);
    }
    // Curves: x25519, P-256, P-384, P-521; points as they are.
    extension(&mut extensions, 10, &[0, 8, 0, 0x1d, 0, 0x17, 0, 0x18, 0, 0x19]);
    extension(&mut extensions, 11, &[1, 0]);
    if version == Version::Tls12 {
        // ECDSA, RSA-PSS and RSA with SHA-256 to SHA-512.
        let schemes = [4, 3, 5, 3, 6, 3, 8, 4, 8, 5, 8, 6, 4, 1, 5, 1, 6, 1];
        let mut list = Vec::new();
        with_length(&mut list, &schemes);
        extension(&mut extensions, 13, &list);
    }
    with_length(&mut body, &extensions);

    let mut message = vec![1, 0];
    with_length(&mut message, &body);
    // The first record of a connection has version 1.0, whatever is offered in it.
    let mut record = vec![HANDSHAKE, 3, 1];
    with_length(&mut record, &message);
    record
}

fn extension(to: &mut Vec<u8>, kind: u16, content: &[u8]) {
    to.extend(kind.to_be_bytes());
    with_length(to, content);
}

/// Adds a text with its length before it, in two bytes. All of them are short: a host name has at most 253 bytes.
fn with_length(to: &mut Vec<u8>, content: &[u8]) {
    to.extend(u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes());
    to.extend(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_that_of_what_follows() {
        for (version, name) in
            [(Version::Tls10, None), (Version::Tls11, Some("shop.example")), (Version::Tls12, Some("a"))]
        {
            let hello = client_hello(version, name);
            let at = |place: usize| usize::from(u16::from_be_bytes([hello[place], hello[place + 1]]));
            assert_eq!((hello[0], at(1), at(3)), (22, 0x0301, hello.len() - 5));
            assert_eq!((hello[5], hello[6], at(7)), (1, 0, hello.len() - 9));
            assert_eq!(at(9), version as usize);
            let suites = at(44);
            assert_eq!(suites, SUITES.len() * 2);
            assert_eq!(at(48 + suites), hello.len() - 50 - suites);
            let text = String::from_utf8_lossy(&hello).into_owned();
            assert_eq!(text.contains("shop.example"), name == Some("shop.example"));
        }
    }

    #[test]
    fn answers_are_told_apart() {
        let head = |bytes: &[u8]| {
            let mut head = [0; 11];
            head[..bytes.len()].copy_from_slice(bytes);
            reply(&head)
        };
        assert_eq!(head(&[22, 3, 1, 0, 80, 2, 0, 0, 76, 3, 1]), Reply::Goes(0x0301));
        assert_eq!(head(&[21, 3, 1, 0, 2, 2, 70]), Reply::Ends("alert 70".to_owned()));
        assert!(matches!(head(b"HTTP/1.1 40"), Reply::Unclear(_)));
    }
}
