//! Searches an image's archive (`docker save` or OCI layout) for secrets: the configuration with its history, and every
//! file of every layer, also of those that a later layer deletes. Nothing is unpacked to disk.

use std::io::{self, Cursor, Read};

use tokio::sync::mpsc;

use crate::secrets::Secrets;

/// One reading.
const CHUNK: usize = 256 << 10;
/// Where a tar header has its magic, and how much of a file tells what it is.
const MAGIC_AT: usize = 257;
const HEAD: usize = 512;
/// What a compressed layer may unpack to.
const LAYER_LIMIT: u64 = 64 << 30;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// `secret in file of layer`.
    pub(crate) hits: Vec<String>,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// Reads and searches a whole archive.
pub(crate) fn scan(archive: impl Read, secrets: &Secrets) -> io::Result<Scan> {
    let mut scan = Scan::default();
    for entry in tar::Archive::new(archive).entries()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() {
            let name = entry.path()?.display().to_string();
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
    let names = search(whole, secrets, scan)?;
    scan.hits.extend(names.into_iter().map(|secret| format!("{secret} in {name}")));
    Ok(())
}

fn layer(content: impl Read, layer: &str, secrets: &Secrets, scan: &mut Scan) -> io::Result<()> {
    for entry in tar::Archive::new(content).entries()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() {
            let path = entry.path()?.display().to_string();
            let names = search(entry, secrets, scan)?;
            scan.hits.extend(names.into_iter().map(|secret| format!("{secret} in /{path} of layer {layer}")));
        }
    }
    Ok(())
}

/// The names of the secrets in a stream; the end of each piece is looked at again with the next.
fn search(mut content: impl Read, secrets: &Secrets, scan: &mut Scan) -> io::Result<Vec<String>> {
    let keep = secrets.longest().saturating_sub(1);
    let mut buffer = vec![0; CHUNK + keep];
    let mut filled = 0;
    let mut found: Vec<String> = Vec::new();
    scan.files += 1;
    loop {
        let length = content.read(&mut buffer[filled..])?;
        if length == 0 {
            return Ok(found);
        }
        scan.bytes += length as u64;
        filled += length;
        for name in secrets.names_in(&buffer[..filled]) {
            if !found.iter().any(|known| known == name) {
                found.push(name.to_owned());
            }
        }
        let kept = keep.min(filled);
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
