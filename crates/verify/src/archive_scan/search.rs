//! The search of a stream: everything that is read from it is searched on its way.

use std::io::{self, Read};

use crate::secrets::Secrets;

/// One reading.
pub(super) const CHUNK: usize = 256 << 10;
/// The record that ends a zip archive without a comment, which is how nearly all of them end.
const ZIP_END: usize = 22;

/// What was found in a stream.
pub(super) struct Searched {
    pub(super) names: Vec<String>,
    pub(super) bytes: u64,
    /// The content, if one reading holds all of it.
    pub(super) whole: Option<Vec<u8>>,
    /// It ends as a zip archive does.
    pub(super) ends_as_zip: bool,
}

/// A stream that is searched while somebody reads it, and to its end by [`Watched::finish`].
pub(super) struct Watched<'s, R> {
    inner: R,
    secrets: &'s Secrets,
    buffer: Vec<u8>,
    /// Bytes in the buffer, and how many of them were searched before.
    filled: usize,
    kept: usize,
    /// The beginning is no longer in the buffer.
    moved: bool,
    bytes: u64,
    names: Vec<String>,
    /// Reading failed. A reader in between may have hidden it, and the next reading may look like an end.
    broken: Option<io::Error>,
}

impl<'s, R: Read> Watched<'s, R> {
    pub(super) fn new(inner: R, secrets: &'s Secrets) -> Self {
        // The end of each piece is looked at again with the next.
        let keep = secrets.longest().saturating_sub(1).max(ZIP_END);
        Self {
            inner,
            secrets,
            buffer: vec![0; CHUNK + keep],
            filled: 0,
            kept: 0,
            moved: false,
            bytes: 0,
            names: Vec::new(),
            broken: None,
        }
    }

    /// Reads the rest, and says what was in all of it.
    pub(super) fn finish(mut self) -> io::Result<Searched> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        loop {
            // Short reads are filled up: each search costs something, whatever its length.
            let length = retried(&mut self.inner, &mut self.buffer[self.filled..])?;
            if length == 0 {
                break;
            }
            self.took(length);
        }
        if self.filled > self.kept {
            self.search();
        }
        let ends_as_zip =
            self.filled >= ZIP_END && self.buffer[self.filled - ZIP_END..].starts_with(b"PK\x05\x06");
        let whole = (!self.moved).then(|| {
            self.buffer.truncate(self.filled);
            self.buffer
        });
        Ok(Searched { names: self.names, bytes: self.bytes, whole, ends_as_zip })
    }

    /// So many more bytes are in the buffer.
    fn took(&mut self, length: usize) {
        self.filled += length;
        self.bytes += length as u64;
        if self.filled == self.buffer.len() {
            self.search();
            let keep = self.buffer.len() - CHUNK;
            self.buffer.copy_within(self.filled - keep..self.filled, 0);
            (self.filled, self.kept, self.moved) = (keep, keep, true);
        }
    }

    fn search(&mut self) {
        for name in self.secrets.names_in(&self.buffer[..self.filled]) {
            if !self.names.contains(&name) {
                self.names.push(name);
            }
        }
    }
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let free = self.buffer.len() - self.filled;
        let most = into.len().min(free);
        match retried(&mut self.inner, &mut into[..most]) {
            Ok(length) => {
                self.buffer[self.filled..self.filled + length].copy_from_slice(&into[..length]);
                self.took(length);
                Ok(length)
            }
            Err(error) => {
                // An error cannot be copied: who reads and who finishes get one each.
                self.broken = Some(io::Error::new(error.kind(), error.to_string()));
                Err(error)
            }
        }
    }
}

fn retried(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
