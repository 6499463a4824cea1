//! What the fuzz targets read with (fuzz/fuzz_targets/verify_readers.rs): texts of the kernel, of programs, of pages and
//! of whoever writes into logs.

use std::{collections::BTreeMap, io};

use crate::{
    archive_scan, cgroup, claims,
    front::html,
    http::Answer,
    netns, procfs, refusal, routes, secrets,
    smoke::{Check, Runner},
};

/// What is searched for.
#[derive(Debug)]
pub struct Secrets(secrets::Secrets);

impl Secrets {
    /// The values of secret files, by name; `ordinary` words are no secrets.
    pub fn new(files: &[(&str, &str)], ordinary: &[&str]) -> Result<Self, String> {
        let mut collected = secrets::Collected::default();
        for (name, content) in files {
            collected.content(name, content);
        }
        collected.finish(&ordinary.iter().map(|word| (*word).to_owned()).collect()).map(Self)
    }

    /// How many values can be searched for.
    pub fn searchable(&self) -> usize {
        self.0.len()
    }

    /// The names of the secrets in a text.
    pub fn names_in(&self, text: &[u8]) -> Vec<String> {
        self.0.names_in(text)
    }

    /// The text without values.
    pub fn redact(&self, text: &str) -> String {
        self.0.redact(text)
    }

    /// What an image's archive gives away: what was found, files, bytes.
    pub fn scan(&self, archive: &[u8]) -> io::Result<(Vec<String>, u64, u64)> {
        archive_scan::scan(archive, &self.0).map(|scan| (scan.hits, scan.files, scan.bytes))
    }
}

/// What names say that something is a secret.
pub fn names(text: &str) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let _ = (secrets::names::is_secret_name(name), secrets::names::gives_away(name, value));
    let inside = |part: &str| {
        let (part, text) = (part.as_bytes().as_ptr_range(), text.as_bytes().as_ptr_range());
        assert!(text.start <= part.start && part.end <= text.end);
    };
    secrets::names::url_passwords(text).for_each(inside);
    let _ = secrets::names::has_private_key(text.as_bytes());
    secrets::names::in_assignments(text).into_iter().for_each(|(_, value)| inside(value));
    secrets::names::in_arguments(text.split(' ')).into_iter().for_each(|(_, value)| inside(value));
}

/// A page.
pub fn page(text: &str) {
    let _ = (html::title(text), html::is_application(text));
    for file in html::local_files(text, "/app/") {
        assert!(file.starts_with('/') && !file.starts_with("//"), "{file} is of another origin");
        let _ = (html::is_hashed(&file), html::is_media(&file), html::is_versioned(&file));
    }
    assert!(html::same_page(text.as_bytes(), text.as_bytes()));
}

/// A line of a log.
pub fn log_line(line: &str) {
    let refused = refusal::is_refusal(line);
    assert!(!refused || refusal::mentions(line) || line.contains("\\u"), "{line}");
}

/// A name server's answer and the files about networks and processes.
pub fn packet(packet: &[u8]) {
    netns::fuzz(packet);
    // What a server shows as its certificate.
    let _ = crate::tls::x509::Certificate::read(packet);
}

/// A file of the kernel.
pub fn kernel(text: &str) {
    procfs::fuzz(text);
    routes::fuzz(text);
    cgroup::fuzz(text);
    claims::fuzz(text);
    let _ = netns::name_servers(text).count();
}

/// An answer to a smoke check.
pub fn smoke(check: &Check, status: u16, headers: &[(String, String)], body: &str) -> Vec<String> {
    let mut map = hyper::HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) =
            (name.parse::<hyper::header::HeaderName>(), hyper::header::HeaderValue::from_str(value))
        {
            map.append(name, value);
        }
    }
    let answer = Answer { status, headers: map, body: body.into() };
    claims::fuzz_answer(&answer);
    Runner::fuzz(check, &answer, BTreeMap::from([("known".to_owned(), body.to_owned())]))
}
