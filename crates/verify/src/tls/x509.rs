//! What a certificate says of itself (RFC 5280, section 4.1): how long it is valid, for which names, how it is signed.

use std::{net::IpAddr, time::Duration};

use der::{
    AnyRef, Decode as _, Reader as _, SliceReader, Tag, Tagged as _,
    asn1::{GeneralizedTime, UtcTime},
};

/// subjectAltName: 2.5.29.17.
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
/// Signatures whose digest is broken: MD2, MD4, MD5 and SHA-1 with RSA, SHA-1 with ECDSA and DSA.
const BROKEN: &[(&[u8], &str)] = &[
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x02], "MD2"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x03], "MD4"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04], "MD5"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05], "SHA-1"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01], "SHA-1"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x03], "SHA-1"),
];

/// What is judged of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Since 1970.
    pub(crate) not_before: Duration,
    pub(crate) not_after: Duration,
    /// DNS names and addresses in subjectAltName, in their order.
    pub(crate) names: Vec<String>,
    /// Issuer and subject are the same.
    pub(crate) self_issued: bool,
    /// The broken digest that it is signed with.
    pub(crate) broken_digest: Option<&'static str>,
}

impl Certificate {
    /// Reads a certificate in DER.
    pub(crate) fn read(bytes: &[u8]) -> der::Result<Self> {
        let [body, algorithm, ..] = parts(AnyRef::from_der(bytes)?)?[..] else { return Err(missing()) };
        let mut fields = parts(body)?;
        // The version is left out in version 1.
        if fields.first().is_some_and(|field| is_context(*field, 0)) {
            fields.remove(0);
        }
        let [_serial, _algorithm, issuer, validity, subject, ..] = fields[..] else { return Err(missing()) };
        let [not_before, not_after] = parts(validity)?[..] else { return Err(missing()) };
        let mut names = Vec::new();
        for field in fields.iter().filter(|field| is_context(**field, 3)) {
            for list in parts(*field)? {
                for extension in parts(list)? {
                    names.extend(alternative_names(extension)?);
                }
            }
        }
        let signed = parts(algorithm)?.first().map(|id| id.value()).unwrap_or_default();
        Ok(Self {
            not_before: time(not_before)?,
            not_after: time(not_after)?,
            names,
            self_issued: issuer.value() == subject.value(),
            broken_digest: BROKEN.iter().find(|(id, _)| *id == signed).map(|(_, name)| *name),
        })
    }
}

fn missing() -> der::Error {
    der::ErrorKind::Failed.into()
}

/// The values that a value is made of.
fn parts(whole: AnyRef<'_>) -> der::Result<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(whole.value())?;
    let mut parts = Vec::new();
    while !reader.is_finished() {
        parts.push(AnyRef::decode(&mut reader)?);
    }
    Ok(parts)
}

fn is_context(value: AnyRef<'_>, number: u8) -> bool {
    matches!(value.tag(), Tag::ContextSpecific { number: own, .. } if own.value() == number)
}

fn time(value: AnyRef<'_>) -> der::Result<Duration> {
    match value.tag() {
        Tag::UtcTime => value.decode_as::<UtcTime>().map(|time| time.to_unix_duration()),
        _ => value.decode_as::<GeneralizedTime>().map(|time| time.to_unix_duration()),
    }
}

/// The names in an extension; none in another one.
fn alternative_names(extension: AnyRef<'_>) -> der::Result<Vec<String>> {
    let fields = parts(extension)?;
    let (Some(id), Some(value)) = (fields.first(), fields.last()) else { return Ok(Vec::new()) };
    if id.value() != ALTERNATIVE_NAMES || value.tag() != Tag::OctetString {
        return Ok(Vec::new());
    }
    let names = parts(AnyRef::from_der(value.value())?)?;
    Ok(names.into_iter().filter_map(name).collect())
}

/// dNSName and iPAddress; browsers look at no other kind.
fn name(value: AnyRef<'_>) -> Option<String> {
    if is_context(value, 2) {
        return Some(String::from_utf8_lossy(value.value()).into_owned());
    }
    if !is_context(value, 7) {
        return None;
    }
    let bytes = value.value();
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    v4.or(v6).ok().map(|address| address.to_string())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use proptest::prelude::*;

    use super::*;

    fn der(text: &str) -> Vec<u8> {
        let text: String = text.split_whitespace().collect();
        base64::engine::general_purpose::STANDARD.decode(text).unwrap()
    }

    /// `openssl req -x509 -newkey ec -days 36500 -addext subjectAltName=…`.
    const SELF_SIGNED: &str = "
        MIIBvzCCAWWgAwIBAgIUQSJ+P2TSfp1lLIsl2PShaJzfZz4wCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEzMDIyMzgzM1oYDzIxMjYxMTA2
        MjIzODMzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAAT89sKPu+lVbonSpkpcXXiCvK4aHtOvi1Bvo4AVM/x0GPcldlNEt9FL
        HKQcU4SaDdGLqzbThKKrZEcsSTGFFq36o4GSMIGPMB0GA1UdDgQWBBTRpkgzUzB3
        dkPfjiVSCqB2faXk9DAfBgNVHSMEGDAWgBTRpkgzUzB3dkPfjiVSCqB2faXk9DAP
        BgNVHRMBAf8EBTADAQH/MDwGA1UdEQQ1MDOCCWxvY2FsaG9zdIcEfwAAAYcQAAAA
        AAAAAAAAAAAAAAAAAYIOKi5zaG9wLmV4YW1wbGUwCgYIKoZIzj0EAwIDSAAwRQIg
        Az8nZAoOlV7neCD0CaWzF9CQSvPLb3RK8BUtVmRJIp0CIQDeqWjnkOeQ1dpPwZbj
        KA34CwywVxl9HNuNrq+dflY99Q==
    ";
    const NOT_BEFORE: u64 = 1_796_078_313;
    const NOT_AFTER: u64 = 4_949_678_313;
    /// `openssl x509 -req -sha1`, a certificate of version 1.
    const NAMELESS: &str = "
        MIIBEzCBvAIUdtdb5iSAMOstIHIssQ8oLsTpOZgwCQYHKoZIzj0EATAOMQwwCgYD
        VQQDDANvbGQwHhcNMjYxMTMwMjIzODMzWhcNMjcxMTMwMjIzODMzWjAOMQwwCgYD
        VQQDDANvbGQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASxaI3/30SWtdSgxIMj
        fRjTsPPLwvElLHmwDrc510C1VerVT+glUQyPnN7bnqx8NxW0WQoV2jrht41rQh3L
        sTMyMAkGByqGSM49BAEDRwAwRAIgK1c4R3/q0u4kGjaqUpxtxmySeiI+aEa2KR7y
        q66Mn3MCIACylq1atUqUd5LNzASTqIchD/Y2YxQsubPxcoT9PYaB
    ";

    #[test]
    fn times_names_and_issuer() {
        let read = Certificate::read(&der(SELF_SIGNED)).unwrap();
        assert_eq!(read.names, ["localhost", "127.0.0.1", "::1", "*.shop.example"]);
        assert_eq!((read.not_before.as_secs(), read.not_after.as_secs()), (NOT_BEFORE, NOT_AFTER));
        assert!(read.self_issued && read.broken_digest.is_none());
    }

    #[test]
    fn without_names_and_with_a_broken_digest() {
        let read = Certificate::read(&der(NAMELESS)).unwrap();
        assert!(read.names.is_empty());
        assert_eq!(read.broken_digest, Some("SHA-1"));
    }

    #[test]
    fn what_is_cut_or_changed_is_no_certificate() {
        let whole = der(SELF_SIGNED);
        for length in [0, 1, 2, 40, whole.len() / 2, whole.len() - 1] {
            assert!(Certificate::read(&whole[..length]).is_err(), "{length}");
        }
        assert!(Certificate::read(&[&whole[..], b"x"].concat()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Certificate::read(&bytes);
        }

        #[test]
        fn any_byte_may_differ(at in 0_usize..2000, byte in any::<u8>()) {
            let mut bytes = der(SELF_SIGNED);
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = Certificate::read(&bytes);
        }
    }
}
