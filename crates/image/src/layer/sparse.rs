//! Files with holes, as GNU tar writes them: in headers of its own, or in pax records (versions 0.1 and 1.0).

use std::io::Read;

use tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

use super::archive::number;

/// No file has more parts between its holes.
const MAX_PARTS: usize = 100_000;

/// Where the bytes of a body belong in its file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sparse {
    /// Size of the file with its holes in bytes.
    pub size: u64,
    /// Offset and length of each part; their bytes follow one another in the body.
    pub parts: Vec<(u64, u64)>,
}

impl Sparse {
    /// Reads GNU's header of type `S`, and the blocks that continue it.
    pub(super) fn of_header<E: ToString>(
        header: &Header,
        block: &mut dyn FnMut(&mut [u8; 512]) -> Result<bool, E>,
    ) -> Result<Self, String> {
        let gnu = header.as_gnu().ok_or("a sparse file without GNU's header")?;
        let mut sparse =
            Self { size: gnu.real_size().map_err(|error| error.to_string())?, parts: Vec::new() };
        sparse.add(&gnu.sparse)?;
        let mut more = gnu.is_extended();
        while more {
            let mut next = GnuExtSparseHeader::new();
            if !block(next.as_mut_bytes()).map_err(|error| error.to_string())? {
                return Err("the archive ends inside a sparse file's header".to_owned());
            }
            sparse.add(next.sparse())?;
            more = next.is_extended();
        }
        Ok(sparse)
    }

    fn add(&mut self, parts: &[GnuSparseHeader]) -> Result<(), String> {
        for part in parts.iter().filter(|part| !part.is_empty()) {
            let (offset, length) = (part.offset(), part.length());
            let (Ok(offset), Ok(length)) = (offset, length) else { return Err(broken()) };
            self.part(offset, length)?;
        }
        Ok(())
    }

    fn part(&mut self, offset: u64, length: u64) -> Result<(), String> {
        if self.parts.len() >= MAX_PARTS {
            return Err(format!("a sparse file of more than {MAX_PARTS} parts"));
        }
        self.parts.push((offset, length));
        Ok(())
    }

    /// The parts follow one another inside of the file, and the body of `bytes` bytes fills them.
    pub(super) fn check(&self, bytes: u64) -> Result<(), String> {
        let mut end = 0;
        let mut sum = 0_u64;
        for (offset, length) in &self.parts {
            let next = offset.checked_add(*length).filter(|next| *offset >= end && *next <= self.size);
            end = next.ok_or_else(broken)?;
            sum += length;
        }
        if sum == bytes { Ok(()) } else { Err(broken()) }
    }
}

/// What pax records say about the next member's holes.
#[derive(Debug, Clone, Default)]
pub(super) struct PaxSparse {
    said: bool,
    version: (u32, u32),
    name: Option<Vec<u8>>,
    size: Option<u64>,
    map: Option<Vec<u8>>,
}

impl PaxSparse {
    pub(super) fn is_some(&self) -> bool {
        self.said
    }

    /// Notes the record `GNU.sparse.<key>`.
    pub(super) fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        self.said = true;
        match key {
            b"major" => self.version.0 = number(value).ok_or_else(broken)?,
            b"minor" => self.version.1 = number(value).ok_or_else(broken)?,
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.size = Some(number(value).ok_or_else(broken)?),
            b"map" => self.map = Some(value.to_vec()),
            b"offset" | b"numbytes" => {
                return Err("a sparse file in pax format 0.0, which is not supported".to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    /// The file's name, if it has one of its own, and its parts; version 1.0 has them at the begin of the body.
    pub(super) fn finish(self, body: &mut impl Read) -> Result<(Option<Vec<u8>>, Sparse), String> {
        let mut sparse = Sparse { size: self.size.ok_or_else(broken)?, parts: Vec::new() };
        let mut numbers = match (self.version, &self.map) {
            ((1, 0), _) => from_body(body)?,
            (_, Some(map)) => {
                let numbers: Option<Vec<u64>> = map.split(|byte| *byte == b',').map(number).collect();
                numbers.ok_or_else(broken)?
            }
            _ => return Err(broken()),
        }
        .into_iter();
        while let Some(offset) = numbers.next() {
            sparse.part(offset, numbers.next().ok_or_else(broken)?)?;
        }
        // GNU tar ends with an empty part at the file's end
        sparse.parts.retain(|(_, length)| *length > 0);
        Ok((self.name, sparse))
    }
}

/// The map of version 1.0: the number of parts, then each one's offset and length, a line each, filled up to a block.
fn from_body(body: &mut impl Read) -> Result<Vec<u64>, String> {
    let mut numbers = Vec::new();
    let mut wanted = None;
    let mut line = Vec::new();
    let mut block = [0_u8; 512];
    loop {
        body.read_exact(&mut block).map_err(|error| error.to_string())?;
        for byte in block {
            if byte != b'\n' {
                line.push(byte);
                if line.len() > 20 {
                    return Err(broken());
                }
                continue;
            }
            let value: u64 = number(&line).ok_or_else(broken)?;
            line.clear();
            match wanted {
                None => {
                    let count = usize::try_from(value).ok().filter(|count| *count <= MAX_PARTS);
                    wanted = Some(2 * count.ok_or_else(broken)?);
                }
                Some(_) => numbers.push(value),
            }
            if wanted == Some(numbers.len()) {
                return Ok(numbers);
            }
        }
    }
}

fn broken() -> String {
    "a broken map of a sparse file".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_one_another_and_fill_the_body() {
        let sparse = |size, parts: &[(u64, u64)]| Sparse { size, parts: parts.to_vec() };
        assert_eq!(sparse(100, &[(0, 10), (50, 50)]).check(60), Ok(()));
        assert_eq!(sparse(100, &[]).check(0), Ok(()));
        for (wrong, bytes) in [
            (sparse(100, &[(0, 10), (5, 5)]), 15),
            (sparse(100, &[(90, 11)]), 11),
            (sparse(100, &[(0, 10)]), 11),
            (sparse(100, &[(u64::MAX, 2)]), 2),
        ] {
            assert!(wrong.check(bytes).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_map_is_bounded() {
        assert_eq!(from_body(&mut [b"1\n5\n6\n".as_slice(), &[0; 600]].concat().as_slice()), Ok(vec![5, 6]));
        assert!(from_body(&mut [b"99999999999\n".as_slice(), &[0; 600]].concat().as_slice()).is_err());
        assert!(from_body(&mut [b'1'; 600].as_slice()).is_err());
        assert!(from_body(&mut b"2\n0\n".as_slice()).is_err());
    }
}
