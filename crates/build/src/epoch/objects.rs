//! A commit out of a repository's objects: loose, packed, packed as a difference, or borrowed from another repository.
//!
//! Formats: gitformat-loose(5), gitformat-pack(5). Every count and length comes from a file that anybody may have made, so
//! each is checked against the file's size or a bound, and nothing is read that was not asked for.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use flate2::read::ZlibDecoder;
use plimsoll_disk::{Links, open_regular, read_text};

/// A commit's headers are a few hundred bytes; its message may be long, but not this long.
const OBJECT: u64 = 4 << 20;
/// Packs of one repository, and repositories that lend their objects.
const PACKS: usize = 4096;
const LENDERS: usize = 16;
/// git itself makes chains of 50 differences, and 250 at most.
const CHAIN: usize = 256;

const COMMIT: u8 = 1;
const OFFSET_DELTA: u8 = 6;
const REFERENCE_DELTA: u8 = 7;

/// The content of the commit with this hexadecimal id, without its header.
pub(super) fn commit(objects: &Path, id: &str) -> Option<Vec<u8>> {
    let name = bytes(id)?;
    let places = with_lenders(objects);
    places.iter().find_map(|place| loose(place, id).or_else(|| packed(place, &name)))
}

fn bytes(id: &str) -> Option<Vec<u8>> {
    (0..id.len()).step_by(2).map(|at| u8::from_str_radix(id.get(at..at + 2)?, 16).ok()).collect()
}

/// The folder, and those that `info/alternates` name, theirs included.
fn with_lenders(objects: &Path) -> Vec<PathBuf> {
    let mut places = vec![objects.to_owned()];
    let mut at = 0;
    while let Some(place) = places.get(at).cloned() {
        let text = read_text(&place.join("info/alternates"), 64 << 10, Links::Refuse).unwrap_or_default();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let lender = place.join(line);
            if places.len() < LENDERS && !places.contains(&lender) {
                places.push(lender);
            }
        }
        at += 1;
    }
    places
}

fn inflate(from: impl Read, limit: u64) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    ZlibDecoder::new(from).take(limit + 1).read_to_end(&mut content).ok()?;
    (content.len() as u64 <= limit).then_some(content)
}

fn loose(objects: &Path, id: &str) -> Option<Vec<u8>> {
    let file = open_regular(&objects.join(&id[..2]).join(&id[2..]), Links::Refuse).ok()?;
    let content = inflate(file, OBJECT)?;
    let end = content.iter().take(32).position(|byte| *byte == 0)?;
    content.starts_with(b"commit ").then(|| content[end + 1..].to_vec())
}

/// Looks the object up in every pack; only commits are wanted, which are differences to commits alone.
fn packed(objects: &Path, name: &[u8]) -> Option<Vec<u8>> {
    let entries = fs::read_dir(objects.join("pack")).ok()?;
    entries.take(PACKS).flatten().map(|entry| entry.path()).find_map(|index| {
        if index.extension()? != "idx" {
            return None;
        }
        let pack = open_regular(&index.with_extension("pack"), Links::Refuse).ok()?;
        let index = open_regular(&index, Links::Refuse).ok()?;
        read(&index, &pack, find(&index, name)?, name.len())
    })
}

fn at<const N: usize>(file: &File, offset: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

/// Where in the pack an object is, by the pack's index (version 2).
fn find(index: &File, name: &[u8]) -> Option<u64> {
    const NAMES: u64 = 8 + 256 * 4;
    if at::<8>(index, 0)? != *b"\xfftOc\0\0\0\x02" {
        return None;
    }
    let fan = |byte: u64| Some(u64::from(u32::from_be_bytes(at(index, 8 + byte * 4)?)));
    let first = u64::from(*name.first()?);
    let (mut low, mut high) = (if first == 0 { 0 } else { fan(first - 1)? }, fan(first)?);
    let count = fan(255)?;
    let length = name.len() as u64;
    let mut found = vec![0; name.len()];
    while low < high {
        let middle = low + (high - low) / 2;
        index.read_exact_at(&mut found, NAMES + middle * length).ok()?;
        match found.as_slice().cmp(name) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal => {
                let offsets = NAMES + count * (length + 4);
                let offset = u32::from_be_bytes(at(index, offsets + middle * 4)?);
                if offset & 0x8000_0000 == 0 {
                    return Some(u64::from(offset));
                }
                let large = offsets + count * 4 + u64::from(offset & 0x7fff_ffff) * 8;
                return Some(u64::from_be_bytes(at(index, large)?));
            }
        }
    }
    None
}

/// Reads a pack from an offset on.
struct From<'a>(&'a File, u64);

impl Read for From<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.0.read_at(buffer, self.1)?;
        self.1 += length as u64;
        Ok(length)
    }
}

impl From<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = at::<1>(self.0, self.1)?[0];
        self.1 += 1;
        Some(byte)
    }
}

/// Reads the object at an offset. What it is a difference to is in the same pack, as git keeps packs on disk: looked for
/// in all of them, packs that name one another would be read without end.
fn read(index: &File, pack: &File, offset: u64, length: usize) -> Option<Vec<u8>> {
    // Differences first, the last one outermost; then what they are differences to.
    let mut deltas = Vec::new();
    let mut offset = offset;
    let mut total = 0;
    let mut content = loop {
        if deltas.len() > CHAIN {
            return None;
        }
        let mut from = From(pack, offset);
        let mut byte = from.byte()?;
        let kind = byte >> 4 & 7;
        while byte & 0x80 != 0 {
            // The size, which inflating tells as well.
            byte = from.byte()?;
        }
        match kind {
            COMMIT => break inflate(from, OBJECT)?,
            OFFSET_DELTA => {
                let mut byte = from.byte()?;
                let mut back = u64::from(byte & 0x7f);
                while byte & 0x80 != 0 {
                    byte = from.byte()?;
                    back = back.checked_add(1)?.checked_mul(128)?.checked_add(u64::from(byte & 0x7f))?;
                }
                let delta = inflate(from, OBJECT)?;
                total += delta.len() as u64;
                deltas.push(delta);
                offset = offset.checked_sub(back).filter(|base| *base < offset)?;
            }
            REFERENCE_DELTA => {
                let mut name = vec![0; length];
                from.read_exact(&mut name).ok()?;
                let delta = inflate(from, OBJECT)?;
                total += delta.len() as u64;
                deltas.push(delta);
                offset = find(index, &name)?;
            }
            _ => return None,
        }
        if total > 4 * OBJECT {
            return None;
        }
    };
    while let Some(delta) = deltas.pop() {
        content = apply(&content, &delta)?;
    }
    Some(content)
}

/// What a difference makes of its base.
pub(crate) fn apply(base: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
    let mut rest = delta;
    if size(&mut rest)? != base.len() as u64 {
        return None;
    }
    let wanted = size(&mut rest).filter(|wanted| *wanted <= OBJECT)?;
    let mut made = Vec::new();
    while let Some((&command, after)) = rest.split_first() {
        rest = after;
        if command & 0x80 != 0 {
            let mut number = |bits: std::ops::Range<u8>| {
                let mut value = 0usize;
                for (at, bit) in bits.enumerate() {
                    if command & 1 << bit != 0 {
                        let (&byte, after) = rest.split_first()?;
                        rest = after;
                        value |= usize::from(byte) << (8 * at);
                    }
                }
                Some(value)
            };
            let (start, length) = (number(0..4)?, number(4..7)?);
            let length = if length == 0 { 0x10000 } else { length };
            made.extend(base.get(start..start.checked_add(length)?)?);
        } else if command != 0 {
            let (new, after) = rest.split_at_checked(usize::from(command))?;
            made.extend(new);
            rest = after;
        } else {
            return None;
        }
        if made.len() as u64 > wanted {
            return None;
        }
    }
    (made.len() as u64 == wanted).then_some(made)
}

fn size(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_difference_copies_and_adds() {
        // sizes 5 and 6; copy 3 from 1; add "xyz"
        assert_eq!(apply(b"abcde", &[5, 6, 0x91, 1, 3, 3, b'x', b'y', b'z']).unwrap(), b"bcdxyz");
        assert_eq!(apply(b"abcde", &[4, 6, 0x91, 1, 3, 3, b'x', b'y', b'z']), None);
        assert_eq!(apply(b"abcde", &[5, 6, 0x91, 9, 3]), None);
        assert_eq!(apply(b"abcde", &[5, 6, 0]), None);
        assert_eq!(apply(b"abcde", &[5, 6, 9, 1]), None);
    }

    /// Each of several packs has the object as a difference to itself: every pack is read to the end of one chain.
    #[test]
    fn packs_that_name_one_another_end() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("pack");
        fs::create_dir(&folder).unwrap();
        let name = [0; 20];
        let mut pack = vec![7 << 4];
        pack.extend(name);
        let mut delta = flate2::write::ZlibEncoder::new(pack, flate2::Compression::fast());
        std::io::Write::write_all(&mut delta, &[0, 0]).unwrap();
        let pack = delta.finish().unwrap();
        let mut index = b"\xfftOc\0\0\0\x02".to_vec();
        index.extend([0, 0, 0, 1].repeat(256));
        index.extend(name);
        index.extend([0; 8]);
        for number in 0..4 {
            fs::write(folder.join(format!("{number}.idx")), &index).unwrap();
            fs::write(folder.join(format!("{number}.pack")), &pack).unwrap();
        }
        assert_eq!(commit(dir.path(), &"0".repeat(40)), None);
    }

    proptest! {
        #[test]
        fn any_difference_ends(base in prop::collection::vec(any::<u8>(), 0..40), delta in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = apply(&base, &delta);
        }

        #[test]
        fn any_pack_and_index_end(index in prop::collection::vec(any::<u8>(), 0..1300), pack in prop::collection::vec(any::<u8>(), 0..80), good in any::<bool>()) {
            let dir = tempfile::tempdir().unwrap();
            let folder = dir.path().join("pack");
            fs::create_dir(&folder).unwrap();
            let mut index = index;
            if good {
                index.splice(0..index.len().min(8), *b"\xfftOc\0\0\0\x02");
            }
            fs::write(folder.join("a.idx"), &index).unwrap();
            fs::write(folder.join("a.pack"), &pack).unwrap();
            let _ = commit(dir.path(), &"0".repeat(40));
            let (index, file) =
                (File::open(folder.join("a.idx")).unwrap(), File::open(folder.join("a.pack")).unwrap());
            for offset in 0..pack.len() as u64 {
                let _ = read(&index, &file, offset, 20);
            }
        }
    }
}
