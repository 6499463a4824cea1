//! What a file is, by its first bytes.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

use super::is_tar;

/// Memory that taking a compression off may cost, in bytes: `xz -9` needs less.
const MEMORY: u64 = 192 << 20;
/// The same for Zstandard, as a power of two.
const WINDOW: u32 = 27;
/// One reading of what is compressed.
const BUFFER: usize = 64 << 10;

/// A file that holds others, or itself in fewer bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Tar,
    Zip,
    Packed(Packing),
    /// It is known, and nothing here reads it.
    Foreign(&'static str),
}

/// How one stream of bytes is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

/// Formats without a reader here.
const FOREIGN: &[(&[u8], &str)] = &[
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x04\x22\x4d\x18", "an LZ4 file"),
    (b"LZIP\x01", "an lzip file"),
    (b"hsqs", "a SquashFS file system"),
    (b"!<arch>\ndebian-binary", "a Debian package"),
    (b"\xed\xab\xee\xdb", "an RPM package"),
];

impl Format {
    /// By the first bytes of a file; where a format has no mark of its own by the file's name too.
    pub(super) fn of(head: &[u8], path: &str) -> Option<Self> {
        if let Some(packing) = Packing::of(head) {
            return Some(Self::Packed(packing));
        }
        let is_zip = |bytes: &[u8]| bytes.starts_with(b"PK\x03\x04");
        // `#!/usr/bin/env python3` and the archive: a zipapp.
        let behind_line = || {
            let line = head.starts_with(b"#!").then(|| head.iter().position(|byte| *byte == b'\n')).flatten();
            line.is_some_and(|end| is_zip(&head[end + 1..]))
        };
        if is_zip(head) || head.starts_with(b"PK\x07\x08PK\x03\x04") || behind_line() {
            return Some(Self::Zip);
        }
        // Zeros alone are an empty tar, and much else.
        if is_tar(head) && head.first() != Some(&0) {
            return Some(Self::Tar);
        }
        if let Some((_, what)) = FOREIGN.iter().find(|(mark, _)| head.starts_with(mark)) {
            return Some(Self::Foreign(what));
        }
        // Text is a page in Breton, or whatever else has such a name.
        let is_text = || std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true);
        match path.rsplit_once('.') {
            Some((_, "br")) if !is_text() => Some(Self::Foreign("a Brotli file")),
            Some((_, "lzma")) if head.starts_with(&[0x5d, 0, 0]) => Some(Self::Foreign("an LZMA file")),
            Some((_, "Z")) if head.starts_with(&[0x1f, 0x9d]) => Some(Self::Foreign("a file of compress")),
            _ => None,
        }
    }
}

impl Packing {
    /// By the first bytes.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => Some(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// What it unpacks to.
    pub(super) fn decoder<'r>(self, packed: &'r mut dyn Read) -> io::Result<Box<dyn Read + 'r>> {
        let packed = BufReader::with_capacity(BUFFER, packed);
        Ok(match self {
            Self::Gzip => Box::new(GzipMembers { decoder: Some(GzDecoder::new(packed)) }),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
            Self::Xz => {
                let stream =
                    liblzma::stream::Stream::new_stream_decoder(MEMORY, liblzma::stream::CONCATENATED)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(packed, stream))
            }
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
                decoder.window_log_max(WINDOW)?;
                Box::new(decoder)
            }
        })
    }
}

/// All members of a gzip file. What stands behind the last one, zeros mostly, is nothing compressed: `gzip -d` leaves it
/// alone, and it has been searched as it is.
struct GzipMembers<R> {
    decoder: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(mut decoder) = self.decoder.take() {
            let length = decoder.read(into)?;
            if length > 0 || into.is_empty() {
                self.decoder = Some(decoder);
                return Ok(length);
            }
            let mut packed = decoder.into_inner();
            if packed.fill_buf()?.first() == Some(&0x1f) {
                self.decoder = Some(GzDecoder::new(packed));
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_by_content() {
        let of = |head: &[u8], path: &str| Format::of(head, path);
        assert_eq!(of(b"\x1f\x8b\x08\x00", "a"), Some(Format::Packed(Packing::Gzip)));
        assert_eq!(of(b"BZh91AY&SY", "a"), Some(Format::Packed(Packing::Bzip2)));
        assert_eq!(of(b"\xfd7zXZ\0", "a"), Some(Format::Packed(Packing::Xz)));
        assert_eq!(of(b"PK\x03\x04", "a.jar"), Some(Format::Zip));
        assert_eq!(of(b"#!/usr/bin/env python3\nPK\x03\x04", "app.pyz"), Some(Format::Zip));
        assert_eq!(of(b"7z\xbc\xaf\x27\x1c", "a"), Some(Format::Foreign("a 7z archive")));
        assert_eq!(of(b"\x8b\xff\x80 x", "app.js.br"), Some(Format::Foreign("a Brotli file")));
        for (head, path) in [
            ("Penaos 'mañ kont?".as_bytes(), "README.br"),
            (b"BZh9 is a name", "a"),
            (b"#!/bin/sh\necho PK", "a"),
            (b"!<arch>\n/               0", "libx.a"),
            (&[0; 512], "zeros"),
        ] {
            assert_eq!(of(head, path), None, "{path}");
        }
    }
}
