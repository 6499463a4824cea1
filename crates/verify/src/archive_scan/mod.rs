//! Searches an image's archive (`docker save` or OCI layout) for secrets: the documents with the configuration and its
//! history, every file of every layer, also of those that a later layer deletes, and what is no file's content: names,
//! targets of links, owners, extended attributes. Nothing is unpacked to disk.

mod budget;
mod encoded;
mod formats;
mod members;
mod search;
mod undeclared;
mod zip;

use std::{
    collections::BTreeSet,
    io::{self, Cursor, Read},
    rc::Rc,
};

use serde_json::Value;
use tokio::sync::mpsc;

use crate::secrets::Secrets;
use budget::Budget;
use search::Watched;
use undeclared::given_away;

pub(crate) use encoded::in_text;

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
/// Files that were not searched whole and are listed.
const EXAMPLES: usize = 10;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// `secret in file of layer`.
    pub(crate) hits: Vec<String>,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// What was unpacked from compressed files and archives among these files.
    pub(crate) members: u64,
    /// Files that hold something compressed which was not searched, or not all of it.
    pub(crate) unread: u64,
    /// The first of them, each with the reason.
    pub(crate) unread_examples: Vec<String>,
}

impl Scan {
    fn hit(&mut self, hit: String) {
        if self.hits.len() < HITS && !self.hits.contains(&hit) {
            self.hits.push(hit);
        }
    }

    fn hits(&mut self, secrets: impl IntoIterator<Item = String>, place: &str) {
        for secret in secrets {
            self.hit(format!("{secret} in {place}"));
        }
    }

    fn unread(&mut self, place: &str, why: &str) {
        self.unread += 1;
        if self.unread_examples.len() < EXAMPLES {
            self.unread_examples.push(format!("{place}: {why}"));
        }
    }
}

/// The search of one image.
struct Scanner<'s> {
    secrets: &'s Secrets,
    found: Scan,
    budget: Rc<Budget>,
    /// What was found in the present file and in what it holds.
    in_file: BTreeSet<String>,
    /// Why not all of the present file was searched.
    unread: Option<String>,
}

/// Reads and searches a whole archive.
pub(crate) fn scan(archive: impl Read, secrets: &Secrets) -> io::Result<Scan> {
    scan_within(archive, secrets, Budget::default())
}

fn scan_within(archive: impl Read, secrets: &Secrets, budget: Budget) -> io::Result<Scan> {
    let mut scanner = Scanner::new(secrets, budget);
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let headers = headers(&mut entry);
        scanner.found.hits(secrets.names_in(&headers), "the name of a part of the archive");
        if entry.size() > 0 {
            scanner.blob(entry, &name)?;
        }
    }
    Ok(scanner.found)
}

impl<'s> Scanner<'s> {
    fn new(secrets: &'s Secrets, budget: Budget) -> Self {
        Self {
            secrets,
            found: Scan::default(),
            budget: Rc::new(budget),
            in_file: BTreeSet::new(),
            unread: None,
        }
    }

    /// A layer in any compression, or a document.
    fn blob(&mut self, mut content: impl Read, name: &str) -> io::Result<()> {
        let head = head(&mut content)?;
        let whole = Cursor::new(head.clone()).chain(content);
        if head.starts_with(&[0x1f, 0x8b]) {
            return self.layer(flate2::read::MultiGzDecoder::new(whole).take(LAYER_LIMIT), name);
        }
        if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return self.layer(zstd::Decoder::new(whole)?.take(LAYER_LIMIT), name);
        }
        if is_tar(&head) {
            return self.layer(whole, name);
        }
        if head.first().is_some_and(|byte| matches!(byte, b'{' | b'[')) {
            let mut text = Vec::new();
            if whole.take(DOCUMENT_LIMIT + 1).read_to_end(&mut text)? as u64 > DOCUMENT_LIMIT {
                return Err(io::Error::other(format!("the document {name} is too large to be searched")));
            }
            self.found.files += 1;
            self.found.bytes += text.len() as u64;
            self.found.hits(self.secrets.names_in(&text), name);
            if let Ok(document) = serde_json::from_slice::<Value>(&text) {
                self.strings(&document, name, DEPTH);
                given_away(&document, name, &mut self.found);
            }
            return Ok(());
        }
        let searched = Watched::new(whole, self.secrets).finish()?;
        self.found.files += 1;
        self.found.bytes += searched.bytes;
        self.found.hits(searched.names, name);
        Ok(())
    }

    /// Every string of a document as it is after parsing, whatever its writer escaped; documents in strings too, and
    /// what is compressed and written in base64.
    fn strings(&mut self, document: &Value, name: &str, depth: u8) {
        match document {
            Value::String(text) => {
                self.found.hits(self.secrets.names_in(text.as_bytes()), name);
                let encoded = in_text(text, self.secrets);
                self.found.hits(encoded.names, name);
                if let Some(why) = encoded.unread {
                    self.found.unread(name, &why);
                }
                if depth > 0
                    && text.starts_with(['{', '['])
                    && let Ok(inner) = serde_json::from_str::<Value>(text)
                {
                    self.strings(&inner, name, depth - 1);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.strings(item, name, depth)),
            Value::Object(fields) => {
                for (key, value) in fields {
                    self.found.hits(self.secrets.names_in(key.as_bytes()), name);
                    self.strings(value, name, depth);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn layer(&mut self, content: impl Read, layer: &str) -> io::Result<()> {
        for entry in tar::Archive::new(content).entries()? {
            let mut entry = entry?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let headers = headers(&mut entry);
            let found = self.secrets.names_in(&headers);
            if !found.is_empty() {
                // The place is named by its folder: the name itself may be the secret.
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let shown = if self.secrets.names_in(folder.as_bytes()).is_empty() { folder } else { "..." };
                self.found.hits(found, &format!("a name, link or attribute in /{shown} of layer {layer}"));
            }
            let size = entry.size();
            if size > 0 {
                self.file(&mut entry, size, &path, layer)?;
            }
        }
        Ok(())
    }
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
mod tests;
