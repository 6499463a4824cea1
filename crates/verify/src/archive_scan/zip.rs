//! Zip archives (jar, whl, docx, ...) as a stream, member by member (PKWARE's APPNOTE, 4.3). The directory at the end is
//! not needed: a member without a header before its content cannot be unpacked by anybody who reads it from the front.

use std::io::{self, BufReader, Read};

use flate2::bufread::DeflateDecoder;

use super::{Scanner, formats::Packing, members::ArchiveMember};

/// One reading of an archive.
const BUFFER: usize = 64 << 10;
/// Signatures: the header of a member, of the directory, of its end (with 64 bits too), of records around it.
const MEMBER: [u8; 4] = *b"PK\x03\x04";
const ENDS: [[u8; 4]; 4] = [*b"PK\x01\x02", *b"PK\x05\x06", *b"PK\x06\x06", *b"PK\x06\x08"];
/// Bits of a member: its content is encrypted; its sizes stand behind it.
const ENCRYPTED: u16 = 1;
const SIZES_BEHIND: u16 = 8;

/// What the header of a member says.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    flags: u16,
    method: u16,
    packed: u64,
    name: String,
}

impl Header {
    /// The bytes that the content takes, where they are said before it.
    fn size(&self) -> Option<u64> {
        (self.flags & SIZES_BEHIND == 0 || self.packed > 0).then_some(self.packed)
    }
}

impl Scanner<'_> {
    /// Searches the members of a zip archive.
    pub(super) fn zip(&mut self, archive: &mut dyn Read, place: &ArchiveMember<'_>) -> io::Result<()> {
        let mut archive = BufReader::with_capacity(BUFFER, archive);
        while next_member(&mut archive)? {
            let header = header(&mut archive)?;
            match header.size() {
                Some(size) => {
                    let mut content = archive.by_ref().take(size);
                    self.zip_member(&header, &mut content, place)?;
                    // What its reader left of it.
                    io::copy(&mut content, &mut io::sink())?;
                }
                None if header.flags & ENCRYPTED == 0 && header.method == 8 => {
                    // Deflate says itself where it ends.
                    let path = place.inside(&header.name);
                    self.member(&mut DeflateDecoder::new(&mut archive), place, &path)?;
                }
                // What is stored as it is has been searched as it is.
                None if header.flags & ENCRYPTED == 0 && header.method == 0 => {}
                None => self.not_read(place, &unreadable(&header)),
            }
        }
        Ok(())
    }

    fn zip_member(
        &mut self,
        header: &Header,
        content: &mut io::Take<&mut BufReader<&mut dyn Read>>,
        place: &ArchiveMember<'_>,
    ) -> io::Result<()> {
        let path = place.inside(&header.name);
        if header.flags & ENCRYPTED != 0 {
            self.not_read(place, &unreadable(header));
            return Ok(());
        }
        if content.limit() == 0 {
            return Ok(());
        }
        match header.method {
            0 => self.member(content, place, &path),
            8 => self.member(&mut DeflateDecoder::new(content), place, &path),
            12 => self.unpack(Packing::Bzip2, content, place, &path),
            93 => self.unpack(Packing::Zstd, content, place, &path),
            95 => self.unpack(Packing::Xz, content, place, &path),
            _ => {
                self.not_read(place, &unreadable(header));
                Ok(())
            }
        }
    }
}

fn unreadable(header: &Header) -> String {
    if header.flags & ENCRYPTED != 0 {
        return format!("its member {} is encrypted", header.name);
    }
    format!("its member {} is compressed with method {}, which is not read", header.name, header.method)
}

/// Goes to the next signature: behind a member stand its sizes where they are not before it. False at the directory.
fn next_member(archive: &mut impl io::BufRead) -> io::Result<bool> {
    let mut last = [0; 4];
    loop {
        let mut byte = [0];
        archive.read_exact(&mut byte).map_err(|_| broken("it ends before its directory"))?;
        last = [last[1], last[2], last[3], byte[0]];
        if last == MEMBER {
            return Ok(true);
        }
        if ENDS.contains(&last) {
            return Ok(false);
        }
        // Far from a `P` nothing has to be looked at byte by byte.
        if !last.contains(&b'P') {
            let buffer = archive.fill_buf()?;
            let skip = buffer.iter().position(|byte| *byte == b'P').unwrap_or(buffer.len());
            archive.consume(skip);
        }
    }
}

/// The header behind its signature.
fn header(archive: &mut impl Read) -> io::Result<Header> {
    let mut fixed = [0; 26];
    archive.read_exact(&mut fixed)?;
    let short = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
    let long = |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let mut name = vec![0; usize::from(short(22))];
    archive.read_exact(&mut name)?;
    let mut extra = vec![0; usize::from(short(24))];
    archive.read_exact(&mut extra)?;
    let (packed, unpacked) = (long(14), long(18));
    let packed = if packed == u32::MAX {
        size_of_64_bits(&extra, unpacked == u32::MAX)
            .ok_or_else(|| broken("the size of a member of 4 GiB is missing"))?
    } else {
        u64::from(packed)
    };
    let name = String::from_utf8_lossy(&name).into_owned();
    Ok(Header { flags: short(2), method: short(4), packed, name })
}

/// The packed size in the extra field 1; before it stands the unpacked one, where that has no place in the header.
fn size_of_64_bits(mut extra: &[u8], behind_unpacked: bool) -> Option<u64> {
    loop {
        let (head, rest) = extra.split_at_checked(4)?;
        let (id, length) = (u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]]));
        let (field, rest) = rest.split_at_checked(usize::from(length))?;
        if id == 1 {
            let start = if behind_unpacked { 8 } else { 0 };
            let size = field.get(start..start + 8)?.try_into().ok()?;
            return Some(u64::from_le_bytes(size));
        }
        extra = rest;
    }
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the zip archive is broken: {why}"))
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use super::*;

    /// A member as writers make it: with its sizes before it, or behind it as those do that write to a pipe.
    pub(in super::super) fn member(
        name: &str,
        (flags, method): (u16, u16),
        packed: &[u8],
        unpacked: usize,
    ) -> Vec<u8> {
        let behind = flags & SIZES_BEHIND != 0;
        let sizes = if behind { [0, 0] } else { [packed.len() as u32, unpacked as u32] };
        let mut zip = MEMBER.to_vec();
        for short in [20, flags, method, 0, 0] {
            zip.extend_from_slice(&short.to_le_bytes());
        }
        for long in [0, sizes[0], sizes[1]] {
            zip.extend_from_slice(&long.to_le_bytes());
        }
        zip.extend_from_slice(&(name.len() as u16).to_le_bytes());
        zip.extend_from_slice(&0_u16.to_le_bytes());
        zip.extend_from_slice(name.as_bytes());
        zip.extend_from_slice(packed);
        if behind {
            zip.extend_from_slice(b"PK\x07\x08");
            for long in [0, packed.len() as u32, unpacked as u32] {
                zip.extend_from_slice(&long.to_le_bytes());
            }
        }
        zip
    }

    pub(in super::super) fn deflated(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// These members, and an empty directory.
    pub(in super::super) fn zip(members: &[Vec<u8>]) -> Vec<u8> {
        let mut zip = members.concat();
        zip.extend_from_slice(b"PK\x05\x06");
        zip.extend_from_slice(&[0; 18]);
        zip
    }

    #[test]
    fn headers_are_read_in_order() {
        let bytes =
            zip(&[member("a", (0, 0), b"plain", 5), member("b/c", (SIZES_BEHIND, 8), &deflated(b"more"), 4)]);
        let mut archive = BufReader::with_capacity(7, bytes.as_slice());
        assert!(next_member(&mut archive).unwrap());
        let first = header(&mut archive).unwrap();
        assert_eq!((first.name.as_str(), first.size()), ("a", Some(5)));
        assert!(next_member(&mut archive).unwrap(), "past the content");
        let second = header(&mut archive).unwrap();
        assert_eq!((second.name.as_str(), second.method, second.size()), ("b/c", 8, None));
        assert!(!next_member(&mut archive).unwrap());
        assert!(next_member(&mut &b"PK"[..]).is_err());
    }

    #[test]
    fn sizes_of_64_bits() {
        let mut extra = vec![0x55, 0x54, 1, 0, 9, 1, 0, 16, 0];
        extra.extend_from_slice(&7_u64.to_le_bytes());
        extra.extend_from_slice(&5_u64.to_le_bytes());
        assert_eq!(size_of_64_bits(&extra, true), Some(5));
        assert_eq!(size_of_64_bits(&extra, false), Some(7));
        assert_eq!(size_of_64_bits(&extra[..7], false), None);
    }
}
