//! What `verify` reads: its files, answers of a front and its pages, log lines, files of the kernel, a name server's
//! packets, secret files and image archives, and the certificate that is made of them.
//!
//! The first byte selects; sections are separated by zero bytes.
#![no_main]
use libfuzzer_sys::{
    arbitrary::{Arbitrary as _, Unstructured},
    fuzz_target,
};
use plimsoll_fuzz::{
    archive::{Piece, archive},
    text::{Quick, check_places, expand, pairs, sections},
};
use plimsoll_source::Source;
use plimsoll_verify::{Certificate, fuzzing, promises::PromiseFile, report, smoke::SmokeFile};

fuzz_target!(|data: &[u8]| {
    let _quick = Quick::new();
    let Some((kind, data)) = data.split_first() else { return };
    match kind {
        b'A' => return image(data),
        b'D' => return fuzzing::packet(data),
        _ => {}
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let text = &*expand(text);
    let mut next = sections(text);
    match kind {
        b's' => smoke(next(), next(), next(), next()),
        b'p' => match PromiseFile::parse(&Source::new("promises.toml", text)) {
            Ok(file) => file.promises.iter().for_each(|promise| {
                let _ = (promise.how(), promise.named_services().count());
            }),
            Err(errors) => {
                assert!(!errors.is_empty());
                errors.iter().for_each(check_places);
            }
        },
        b'r' => redaction(next(), next(), next()),
        b'n' => fuzzing::names(text),
        b'h' => fuzzing::page(text),
        b'l' => text.lines().for_each(fuzzing::log_line),
        b'k' => fuzzing::kernel(text),
        b'c' => certificate(text),
        _ => {}
    }
});

fn smoke(file: &str, status: &str, headers: &str, body: &str) {
    match SmokeFile::parse(&Source::new("smoke.toml", file)) {
        Ok(file) => {
            let headers: Vec<_> = pairs(headers);
            for check in file.checks.iter().take(8) {
                let _ = (check.disturbed(), fuzzing::smoke(check, status.parse().unwrap_or(200), &headers, body));
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            errors.iter().for_each(check_places);
        }
    }
}

/// Nothing of a secret is found in a text that was cleaned of it.
fn redaction(first: &str, second: &str, text: &str) {
    let Ok(secrets) = fuzzing::Secrets::new(&[("s1", first), ("s2", second)], &["s1", "s2", "secret", "password"]) else {
        return;
    };
    for text in [text, first, second] {
        let clean = secrets.redact(text);
        assert_eq!(secrets.names_in(clean.as_bytes()), Vec::<String>::new(), "{clean:?} of {text:?}");
        assert_eq!(secrets.redact(&clean), clean, "cleaned twice");
    }
    let around = format!("{text}{first}{text}");
    assert!(secrets.names_in(secrets.redact(&around).as_bytes()).is_empty(), "{around:?}");
}

fn image(data: &[u8]) {
    let mut unstructured = Unstructured::new(data);
    let Ok((document, pieces, whole)) = <(&str, Vec<Piece>, bool)>::arbitrary(&mut unstructured) else { return };
    let secrets = fuzzing::Secrets::new(&[("s", "kX9vQ2mT7rB4nL8w")], &[]).expect("a search");
    let layer = archive(&pieces, whole);
    let mut outer = tar::Builder::new(Vec::new());
    for (name, bytes) in [("config.json", document.as_bytes()), ("layer.tar", layer.as_slice())] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        outer.append_data(&mut header, name, bytes).expect("a tar in memory");
    }
    for bytes in [outer.into_inner().expect("a tar in memory"), layer, data.to_vec()] {
        if let Ok((hits, _, read)) = secrets.scan(&bytes) {
            assert!(hits.len() <= 50 && read <= 64 * bytes.len() as u64 + 4096);
        }
    }
}

fn certificate(text: &str) {
    let Ok(certificate) = serde_json::from_str::<Certificate>(text) else { return };
    let page = report::html(&certificate).expect("the template fits every certificate");
    assert!(!page.contains("<script"), "{page}");
    let shown = report::terminal(&certificate);
    // Ours are colours alone, which end with `m` at once.
    for part in shown.split('\x1b').skip(1) {
        let end = part.find(|c: char| !matches!(c, '[' | '0'..='9' | ';'));
        assert!(end.is_some_and(|end| part[end..].starts_with('m')), "{part:?}");
    }
    let plain: String = shown.chars().filter(|c| !matches!(c, '\x1b' | '\n' | '\t')).collect();
    assert!(!plain.chars().any(char::is_control), "{plain:?}");
    let json = certificate.to_json().expect("JSON");
    let again: Certificate = serde_json::from_str(&json).expect("ours");
    assert_eq!(again.to_json().expect("JSON"), json);
}
