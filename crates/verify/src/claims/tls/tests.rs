//! Certificates that `openssl` makes, and what is said of them.

use std::{net::SocketAddr, path::Path, process::Command};

use hyper::{HeaderMap, header::HeaderValue};

use super::*;
use crate::{certificate::Status, front::tests::application, http::Endpoint};

fn openssl(folder: &Path, arguments: &str) {
    let done = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A root, one below it, and a certificate of that for shop.example: `root.pem`, `middle.pem`, `shop.pem`.
fn chain(folder: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(folder, &format!("req -x509 {key} -days 90 -subj /CN=root -keyout root.key -out root.pem"));
    openssl(folder, &format!("req {key} -subj /CN=middle -keyout middle.key -out middle.csr"));
    openssl(folder, &format!("req {key} -subj /CN=shop -keyout shop.key -out shop.csr"));
    std::fs::write(folder.join("middle.ext"), "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n")
        .unwrap();
    std::fs::write(folder.join("shop.ext"), "subjectAltName=DNS:shop.example,DNS:*.shop.example\n").unwrap();
    let sign = "x509 -req -CAcreateserial -days 90";
    openssl(
        folder,
        &format!("{sign} -in middle.csr -CA root.pem -CAkey root.key -extfile middle.ext -out middle.pem"),
    );
    openssl(
        folder,
        &format!("{sign} -in shop.csr -CA middle.pem -CAkey middle.key -extfile shop.ext -out shop.pem"),
    );
}

fn read(file: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file).unwrap()
}

fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

#[test]
fn a_chain_leads_to_a_root_only_if_all_of_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    chain(folder.path());
    let file = |name: &str| folder.path().join(name);
    let text = std::fs::read(file("root.pem")).unwrap();
    let roots = Some(("root.pem", text.as_slice()));
    let (shop, middle) = (read(&file("shop.pem")), read(&file("middle.pem")));
    let leaf = Certificate::read(&shop).unwrap();
    assert_eq!(leaf.names, ["shop.example", "*.shop.example"]);
    let whole = trust(&leaf, &[shop.clone(), middle], roots, now());
    assert_eq!(whole.status, Status::Proved, "{}", whole.observed);
    let cut = trust(&leaf, std::slice::from_ref(&shop), roots, now());
    assert_eq!(cut.status, Status::Failed);
    assert!(cut.observed.contains("chain has to be behind it"), "{}", cut.observed);
    // The public roots know nothing of it.
    let public = trust(&leaf, &[shop], None, now());
    assert_ne!(public.status, Status::Proved, "{}", public.observed);
    let empty = trust(&leaf, &[], roots, now());
    assert_eq!(empty.status, Status::Failed);
}

#[test]
fn a_certificate_of_its_own_is_trusted_by_whoever_says_so() {
    let folder = tempfile::tempdir().unwrap();
    openssl(
        folder.path(),
        "req -x509 -newkey rsa:2048 -nodes -days 90 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
         -keyout key -out own.pem",
    );
    let file = folder.path().join("own.pem");
    let own = read(&file);
    let certificate = Certificate::read(&own).unwrap();
    let text = std::fs::read(&file).unwrap();
    let named = trust(&certificate, std::slice::from_ref(&own), Some(("own.pem", &text)), now());
    assert_eq!(named.status, Status::Proved, "{}", named.observed);
    let public = trust(&certificate, std::slice::from_ref(&own), None, now());
    assert_ne!(public.status, Status::Proved, "{}", public.observed);
    let broken = trust(&certificate, &[own], Some(("own.pem", b"-----BEGIN CERTIFICATE-----\n")), now());
    assert_ne!(broken.status, Status::Proved, "{}", broken.observed);
}

#[test]
fn fourteen_days_are_left() {
    let day = Duration::from_secs(DAY);
    let certificate = |from: u32, to: u32| Certificate {
        not_before: day * from,
        not_after: day * to,
        names: Vec::new(),
        self_issued: false,
        broken_digest: None,
    };
    let at = |from, to| validity(&certificate(from, to), day * 100);
    assert!(at(90, 114).0 && at(100, 500).0);
    for (from, to, said) in [
        (90, 113, "valid for 13 more days"),
        (101, 500, "not valid before 1970-04-12"),
        (10, 100, "was valid until 1970-04-11"),
        (10, 99, "was valid until"),
    ] {
        let (holds, observed) = at(from, to);
        assert!(!holds && observed.contains(said), "{observed}");
    }
    let weak = Certificate { broken_digest: Some("SHA-1"), ..certificate(90, 500) };
    assert!(!validity(&weak, day * 100).0);
}

#[test]
fn names_are_those_that_visitors_use() {
    let folder = tempfile::tempdir().unwrap();
    chain(folder.path());
    let leaf = read(&folder.path().join("shop.pem"));
    let certificate = Certificate::read(&leaf).unwrap();
    let session = Session { version: None, chain: vec![leaf] };
    let judged = |name: Option<&str>| names(&certificate, &session, name).status;
    for (name, status) in [
        (Some("shop.example"), Status::Proved),
        (Some("www.shop.example"), Status::Proved),
        (Some("a.b.shop.example"), Status::Failed),
        (Some("example.org"), Status::Failed),
        (Some("no host"), Status::Failed),
        (None, Status::Proved),
    ] {
        assert_eq!(judged(name), status, "{name:?}");
    }
    let nameless = Certificate { names: Vec::new(), ..certificate.clone() };
    assert_eq!(names(&nameless, &session, None).status, Status::Failed);
}

fn answer(status: u16, headers: &[(&'static str, &str)]) -> Answer {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    Answer { status, headers: map, body: Vec::new() }
}

#[test]
fn cookies_with_and_without_the_attribute() {
    let answer = answer(
        200,
        &[
            ("set-cookie", "session=1; HttpOnly; secure; Path=/"),
            ("set-cookie", "language=en; Path=/secure"),
            ("set-cookie", "secure=1"),
        ],
    );
    let expected = [("session", true), ("language", false), ("secure", false)];
    assert_eq!(set_cookies(&answer), expected.map(|(name, secure)| (name.to_owned(), secure)));
}

#[test]
fn a_redirect_leads_to_the_same_place_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    chain(folder.path());
    let session = Session { version: None, chain: vec![read(&folder.path().join("shop.pem"))] };
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let (mut front, mut plain) = (application(Vec::new()), application(Vec::new()));
    front.endpoint = Endpoint::Published(at(8443)).with_tls(None);
    plain.endpoint = Endpoint::Published(at(8080));
    let leads = |status, target: &str| {
        leads_to(&answer(status, &[("location", target)]), &session, &front, &plain, "/a?b=c")
    };
    for target in [
        "https://localhost/a?b=c",
        "https://localhost:443/a?b=c",
        "https://localhost:8443/a?b=c",
        "https://www.shop.example/a?b=c",
    ] {
        assert!(leads(308, target) && leads(301, target), "{target}");
        assert!(!leads(200, target), "{target}");
    }
    for target in [
        "http://localhost:8443/a?b=c",
        "https://localhost:8080/a?b=c",
        "https://localhost:8443/",
        "https://127.0.0.1:8443/a?b=c",
        "https://localhost.example/a?b=c",
        "https://www.shop.example:8080/a?b=c",
        "/a?b=c",
    ] {
        assert!(!leads(308, target), "{target}");
    }
}
