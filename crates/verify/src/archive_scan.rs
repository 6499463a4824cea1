//! Searches an image's archive (`docker save` or OCI layout) for secrets: the documents with the configuration and its
//! history, every file of every layer, also of those that a later layer deletes, and what is no file's content: names,
//! targets of links, owners, extended attributes. Nothing is unpacked to disk.

use std::io::{self, Cursor, Read};

use serde_json::Value;
use tokio::sync::mpsc;

use crate::secrets::{Secrets, names};

/// One reading.
const CHUNK: usize = 256 << 10;
/// Where a tar header has its magic, and how much of a file tells what it is.
const MAGIC_AT: usize = 257;
const HEAD: usize = 512;
/// What a compressed layer may unpack to.
const LAYER_LIMIT: u64 = 64 << 30;
/// The largest document that is parsed.
const DOCUMENT_LIMIT: u64 = 32 << 20;
/// How deep documents in strings of documents are followed.
const DEPTH: u8 = 3;
/// Findings of one image that are listed.
const HITS: usize = 50;
/// Folders that package managers fill: the keys in there are examples and tests of others.
const PACKAGES: &[&str] = &[
    "usr/lib/",
    "usr/share/",
    "usr/local/lib/",
    "usr/local/go/",
    "usr/include/",
    "lib/",
    "go/pkg/",
    "node_modules/",
    "site-packages/",
    "dist-packages/",
    "vendor/",
    "gems/",
    ".cargo/registry/",
    "testdata/",
    "test/",
    "tests/",
];

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// `secret in file of layer`.
    pub(crate) hits: Vec<String>,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl Scan {
    fn hit(&mut self, hit: String) {
        if self.hits.len() < HITS && !self.hits.contains(&hit) {
            self.hits.push(hit);
        }
    }

    fn hits(&mut self, secrets: Vec<String>, place: &str) {
        for secret in secrets {
            self.hit(format!("{secret} in {place}"));
        }
    }
}

/// Reads and searches a whole archive.
pub(crate) fn scan(archive: impl Read, secrets: &Secrets) -> io::Result<Scan> {
    let mut scan = Scan::default();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let headers = headers(&mut entry);
        scan.hits(secrets.names_in(&headers), "the name of a part of the archive");
        if entry.size() > 0 {
            blob(entry, &name, secrets, &mut scan)?;
        }
    }
    Ok(scan)
}

/// A layer in any compression, or a document.
fn blob(mut content: impl Read, name: &str, secrets: &Secrets, scan: &mut Scan) -> io::Result<()> {
    let head = head(&mut content)?;
    let whole = Cursor::new(head.clone()).chain(content);
    if head.starts_with(&[0x1f, 0x8b]) {
        return layer(flate2::read::MultiGzDecoder::new(whole).take(LAYER_LIMIT), name, secrets, scan);
    }
    if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return layer(zstd::Decoder::new(whole)?.take(LAYER_LIMIT), name, secrets, scan);
    }
    if is_tar(&head) {
        return layer(whole, name, secrets, scan);
    }
    if head.first().is_some_and(|byte| matches!(byte, b'{' | b'[')) {
        let mut text = Vec::new();
        if whole.take(DOCUMENT_LIMIT + 1).read_to_end(&mut text)? as u64 > DOCUMENT_LIMIT {
            return Err(io::Error::other(format!("the document {name} is too large to be searched")));
        }
        scan.files += 1;
        scan.bytes += text.len() as u64;
        scan.hits(secrets.names_in(&text), name);
        if let Ok(document) = serde_json::from_slice::<Value>(&text) {
            strings(&document, name, DEPTH, secrets, scan);
            given_away(&document, name, scan);
        }
        return Ok(());
    }
    let found = search(whole, secrets, scan)?.names;
    scan.hits(found, name);
    Ok(())
}

/// Every string of a document as it is after parsing, whatever its writer escaped; documents in strings too.
fn strings(document: &Value, name: &str, depth: u8, secrets: &Secrets, scan: &mut Scan) {
    match document {
        Value::String(text) => {
            let found = secrets.names_in(text.as_bytes());
            scan.hits(found, name);
            if depth > 0
                && text.starts_with(['{', '['])
                && let Ok(inner) = serde_json::from_str::<Value>(text)
            {
                strings(&inner, name, depth - 1, secrets, scan);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, name, depth, secrets, scan)),
        Value::Object(fields) => {
            for (key, value) in fields {
                let found = secrets.names_in(key.as_bytes());
                scan.hits(found, name);
                strings(value, name, depth, secrets, scan);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What an image's configuration gives away that nobody declared: variables, build arguments, labels, URLs.
fn given_away(document: &Value, name: &str, scan: &mut Scan) {
    for part in ["config", "container_config"] {
        let config = &document[part];
        for variable in config["Env"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let Some((key, value)) = variable.split_once('=') else { continue };
            if names::gives_away(key, value) {
                scan.hit(format!("a value of {key} in Env of {name}"));
            } else if names::url_passwords(value).next().is_some() {
                scan.hit(format!("a URL with a password in {key} in Env of {name}"));
            }
        }
        for (key, value) in config["Labels"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            if names::gives_away(key.rsplit('.').next().unwrap_or(key), value)
                || names::url_passwords(value).next().is_some()
            {
                scan.hit(format!("a value of the label {key} in {name}"));
            }
        }
    }
    for step in document["history"].as_array().into_iter().flatten() {
        let text = step["created_by"].as_str().unwrap_or_default();
        for (key, _) in names::in_assignments(text) {
            scan.hit(format!("a value of {key} in the history of {name}"));
        }
        if names::url_passwords(text).next().is_some() {
            scan.hit(format!("a URL with a password in the history of {name}"));
        }
    }
}

fn layer(content: impl Read, layer: &str, secrets: &Secrets, scan: &mut Scan) -> io::Result<()> {
    for entry in tar::Archive::new(content).entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let headers = headers(&mut entry);
        let found = secrets.names_in(&headers);
        if !found.is_empty() {
            // The place is named by its folder: the name itself may be the secret.
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let shown = if secrets.names_in(folder.as_bytes()).is_empty() { folder } else { "..." };
            scan.hits(found, &format!("a name, link or attribute in /{shown} of layer {layer}"));
        }
        if entry.size() > 0 {
            let searched = search(entry, secrets, scan)?;
            let place = format!("/{path} of layer {layer}");
            let declared = !searched.names.is_empty();
            scan.hits(searched.names, &place);
            if !declared
                && let Some(what) = searched.whole.and_then(|content| file_gives_away(&path, &content))
            {
                scan.hit(format!("{what} in {place}"));
            }
        }
    }
    Ok(())
}

/// What a header says beside the size and times: name, target of a link, owners, extended attributes, comments.
fn headers<R: Read>(entry: &mut tar::Entry<'_, R>) -> Vec<u8> {
    let mut all = entry.path_bytes().into_owned();
    all.push(0);
    all.extend_from_slice(&entry.link_name_bytes().unwrap_or_default());
    for owner in [entry.header().username_bytes(), entry.header().groupname_bytes()] {
        all.push(0);
        all.extend_from_slice(owner.unwrap_or_default());
    }
    for record in entry.pax_extensions().ok().flatten().into_iter().flatten().flatten() {
        all.push(0);
        all.extend_from_slice(record.key_bytes());
        all.push(0);
        all.extend_from_slice(record.value_bytes());
    }
    all
}

/// A secret that nobody declared, by the kind of file.
fn file_gives_away(path: &str, content: &[u8]) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let inside = |folder: &&str| path.starts_with(*folder) || path.contains(&format!("/{folder}"));
    // A package's example. The key that Debian makes for a computer without a name protects nothing.
    if PACKAGES.iter().any(inside) || name == "ssl-cert-snakeoil.key" {
        return None;
    }
    if names::has_private_key(content) {
        return Some("a private key");
    }
    let text = || String::from_utf8_lossy(content);
    let literal = |value: &str| !value.trim().is_empty() && !value.trim().starts_with(['$', '"']);
    let behind = |mark: &str| {
        text().lines().any(|line| line.split_once(mark).is_some_and(|(_, value)| literal(value)))
    };
    match name {
        ".npmrc" if behind("_authToken=") || behind("_auth=") || behind("_password=") => {
            Some("a registry's token")
        }
        ".netrc" | "_netrc" if behind("password ") => Some("a password"),
        ".git-credentials" if names::url_passwords(&text()).next().is_some() => Some("a password"),
        ".pypirc" if behind("password:") || behind("password =") => Some("a password"),
        "config.json" if path.ends_with(".docker/config.json") && text().contains("\"auth\"") => {
            Some("a registry's password")
        }
        "credentials" if path.ends_with(".aws/credentials") => Some("keys of a cloud account"),
        _ if is_env_file(name) => {
            let given = text().lines().any(|line| {
                let line = line.trim().trim_start_matches("export ");
                !line.starts_with('#')
                    && line.split_once('=').is_some_and(|(key, value)| names::gives_away(key.trim(), value))
            });
            given.then_some("a secret by its variable's name")
        }
        _ => None,
    }
}

/// `.env`, `.env.production`; neither `.env.example` nor another pattern to copy.
fn is_env_file(name: &str) -> bool {
    let pattern = ["example", "sample", "template", "dist", "test"];
    (name == ".env" || name.starts_with(".env.")) && !pattern.iter().any(|end| name.ends_with(end))
}

/// What was found in a stream.
struct Searched {
    names: Vec<String>,
    /// The content, if one reading holds all of it.
    whole: Option<Vec<u8>>,
}

/// The names of the secrets in a stream; the end of each piece is looked at again with the next.
fn search(mut content: impl Read, secrets: &Secrets, scan: &mut Scan) -> io::Result<Searched> {
    let keep = secrets.longest().saturating_sub(1);
    let mut buffer = vec![0; CHUNK + keep];
    let (mut filled, mut kept, mut readings) = (0, 0, 0_u64);
    let mut names: Vec<String> = Vec::new();
    scan.files += 1;
    loop {
        // Short reads are filled up: each search costs something, whatever its length.
        let mut end = false;
        while filled < buffer.len() {
            let length = content.read(&mut buffer[filled..])?;
            if length == 0 {
                end = true;
                break;
            }
            filled += length;
            scan.bytes += length as u64;
        }
        if filled > kept {
            readings += 1;
            for name in secrets.names_in(&buffer[..filled]) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        if end {
            let whole = (readings <= 1).then(|| {
                buffer.truncate(filled);
                buffer
            });
            return Ok(Searched { names, whole });
        }
        kept = keep.min(filled);
        buffer.copy_within(filled - kept..filled, 0);
        filled = kept;
    }
}

fn head(content: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    content.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// A layer without any file is nothing but zeros.
fn is_tar(head: &[u8]) -> bool {
    head.get(MAGIC_AT..MAGIC_AT + 5) == Some(b"ustar")
        || (head.len() == HEAD && head.iter().all(|byte| *byte == 0))
}

/// A stream of pieces as a reader, for a thread that may wait.
#[derive(Debug)]
pub(crate) struct ChunkReader {
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    current: Cursor<Vec<u8>>,
}

impl ChunkReader {
    pub(crate) fn new(chunks: mpsc::Receiver<io::Result<Vec<u8>>>) -> Self {
        Self { chunks, current: Cursor::default() }
    }
}

impl Read for ChunkReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.current.read(into)?;
            if length > 0 || into.is_empty() {
                return Ok(length);
            }
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = Cursor::new(chunk?),
                None => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn secrets() -> (tempfile::TempDir, Secrets) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        std::fs::write(&file, "0123456789abcdefSECRET\n").unwrap();
        let secrets = Secrets::read(&[("key".into(), file)]).unwrap();
        (dir, secrets)
    }

    #[test]
    fn a_secret_in_a_layer_is_named_with_its_file() {
        let (_dir, secrets) = secrets();
        let layer = tar_of(&[("app/ok", b"nothing"), ("app/.env", b"KEY=0123456789abcdefSECRET")]);
        let image = tar_of(&[("config.json", b"{}"), ("abc/layer.tar", &layer)]);
        let found = scan(image.as_slice(), &secrets).unwrap();
        assert_eq!(found.hits, ["key in /app/.env of layer abc/layer.tar"]);
        assert_eq!(found.files, 3);
    }

    #[test]
    fn secrets_in_names_and_links() {
        let (_dir, secrets) = secrets();
        let value = "0123456789abcdefSECRET";
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |path: &str, kind: tar::EntryType, target: Option<&str>, pax: Option<(&str, &[u8])>| {
            if let Some(record) = pax {
                builder.append_pax_extensions([record]).unwrap();
            }
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(kind);
            header.set_size(0);
            header.set_mode(0o644);
            match target {
                Some(target) => builder.append_link(&mut header, path, target).unwrap(),
                None => builder.append_data(&mut header, path, io::empty()).unwrap(),
            }
        };
        add(&format!("a/{value}/x"), tar::EntryType::Regular, None, None);
        add(&format!("b/tok-{value}"), tar::EntryType::Directory, None, None);
        add("c/link", tar::EntryType::Symlink, Some(&format!("redis://u:{value}@h/")), None);
        add("d/hard", tar::EntryType::Link, Some(&format!("x/{value}")), None);
        add("e/.wh.gone", tar::EntryType::Regular, None, Some(("SCHILY.xattr.user.t", value.as_bytes())));
        add("f/right", tar::EntryType::Regular, None, None);
        let layer = builder.into_inner().unwrap();
        let found = scan(tar_of(&[("l", &layer)]).as_slice(), &secrets).unwrap();
        for folder in ["...", "b", "c", "d", "e"] {
            let hit = format!("key in a name, link or attribute in /{folder} of layer l");
            assert!(found.hits.contains(&hit), "{hit}: {:?}", found.hits);
        }
        assert_eq!(found.hits.len(), 5);
    }

    #[test]
    fn json_of_the_engine() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("amp"), "aB3&dE6<gH9>kL2&mN5pQ8").unwrap();
        let secrets = Secrets::read(&[("amp".into(), dir.path().join("amp"))]).unwrap();
        let go = r#"{"history":[{"created_by":"|1 T=aB3\u0026dE6\u003cgH9\u003ekL2\u0026mN5pQ8 /bin/sh"}]}"#;
        // The same text with escapes that no writer of today has.
        let odd = r#"{"config":{"Labels":{"x":"\u0061B3\u0026dE6\u003cgH9>kL2\u0026mN5pQ8"}}}"#;
        let image = tar_of(&[("go.json", go.as_bytes()), ("odd.json", odd.as_bytes())]);
        let hits = scan(image.as_slice(), &secrets).unwrap().hits;
        assert!(hits.iter().any(|hit| hit.starts_with("amp") && hit.ends_with("go.json")), "{hits:?}");
        assert!(hits.iter().any(|hit| hit == "amp in odd.json"), "{hits:?}");
    }

    #[test]
    fn what_nobody_declared_is_found_by_its_name() {
        let (_dir, secrets) = secrets();
        let key = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            "MIIEvQIBADANBgkq".repeat(9)
        );
        let layer = tar_of(&[
            ("app/id_rsa", key.as_bytes()),
            ("app/node_modules/x/test.pem", key.as_bytes()),
            ("app/.env", b"PORT=1\nDB_PASSWORD=hunter2\n"),
            ("app/.env.example", b"DB_PASSWORD=change-me\n"),
            ("root/.npmrc", b"//registry/:_authToken=npm_abc\n"),
            ("home/.npmrc", b"//registry/:_authToken=${NPM_TOKEN}\n"),
        ]);
        let config = br#"{"config":{"Env":["PATH=/bin","GPG_KEY=E3FF2839C048B25C084D","API_TOKEN=x1"],"Labels":{}},
            "history":[{"created_by":"|1 NPM_TOKEN=abc /bin/sh -c npm ci"},{"created_by":"RUN X_SECRET=$(cat /run/secrets/x) make"}]}"#;
        let image = tar_of(&[("c.json", config), ("l", &layer)]);
        let mut hits = scan(image.as_slice(), &secrets).unwrap().hits;
        hits.sort();
        assert_eq!(
            hits,
            [
                "a private key in /app/id_rsa of layer l",
                "a registry's token in /root/.npmrc of layer l",
                "a secret by its variable's name in /app/.env of layer l",
                "a value of API_TOKEN in Env of c.json",
                "a value of NPM_TOKEN in the history of c.json",
            ]
        );
    }

    #[test]
    fn compressed_layers_and_the_configuration_are_searched() {
        let (_dir, secrets) = secrets();
        let layer = tar_of(&[("a", b"0123456789abcdefSECRET")]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&layer).unwrap();
        let zstd = zstd::encode_all(layer.as_slice(), 1).unwrap();
        let image = tar_of(&[
            ("blobs/1", &gzip.finish().unwrap()),
            ("blobs/2", &zstd),
            ("blobs/3", b"{\"history\":[\"ENV KEY=0123456789abcdefSECRET\"]}"),
        ]);
        let found = scan(image.as_slice(), &secrets).unwrap();
        assert_eq!(
            found.hits,
            ["key in /a of layer blobs/1", "key in /a of layer blobs/2", "key in blobs/3"]
        );
    }

    #[test]
    fn a_secret_across_two_readings_is_found() {
        let (_dir, secrets) = secrets();
        for shift in 0..24 {
            let mut content = vec![b'x'; CHUNK - shift];
            content.extend_from_slice(b"0123456789abcdefSECRET");
            let image = tar_of(&[("l", &tar_of(&[("f", &content)]))]);
            assert_eq!(scan(image.as_slice(), &secrets).unwrap().hits.len(), 1, "shift {shift}");
        }
    }

    #[test]
    fn a_broken_archive_is_no_clean_one() {
        let (_dir, secrets) = secrets();
        let image = tar_of(&[("abc/layer.tar", &[1; 4000])]);
        assert!(scan(&image[..1000], &secrets).is_err());
    }
}
