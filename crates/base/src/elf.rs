//! Takes from a program what no process ever loads: symbols, line numbers and the table of sections.
//!
//! The kernel and the loader read a program's segments and nothing else, so everything behind the last of them can go. Node.js is 18 MB
//! smaller then; Debian's own programs come without it too.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Length of the header of a 64-bit ELF file.
const HEADER: usize = 64;
/// Length of one entry in its table of segments.
const SEGMENT: u64 = 56;
/// Segments of one program; linkers write about a dozen.
const MAX_SEGMENTS: u64 = 512;

/// Shortens the file to its last segment. A file that is no 64-bit little-endian ELF file stays as it is. The bytes that went.
pub(crate) fn strip(file: &mut File) -> io::Result<u64> {
    let mut header = [0; HEADER];
    let size = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    if size < HEADER as u64 {
        return Ok(0);
    }
    file.read_exact(&mut header)?;
    // magic, 64 bit, little-endian
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(0);
    }
    let table = number(&header, 0x20, 8);
    let count = number(&header, 0x38, 2);
    if number(&header, 0x36, 2) != SEGMENT || count == 0 || count > MAX_SEGMENTS {
        return Ok(0);
    }
    let Some(end) = end_of_segments(file, table, count)? else { return Ok(0) };
    if end >= size || end < HEADER as u64 {
        return Ok(0);
    }
    // The table of sections is gone: its place, its number of entries, and the entry with the names.
    header[0x28..0x30].fill(0);
    header[0x3c..0x40].fill(0);
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&header)?;
    file.set_len(end)?;
    Ok(size - end)
}

/// Where the last segment, or the table of them, ends; `None` when the table is not in the file or a number is out of range.
fn end_of_segments(file: &mut File, table: u64, count: u64) -> io::Result<Option<u64>> {
    let Some(mut end) = table.checked_add(count * SEGMENT) else { return Ok(None) };
    if end > file.metadata()?.len() {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(table))?;
    let mut segment = [0; SEGMENT as usize];
    for _ in 0..count {
        file.read_exact(&mut segment)?;
        match number(&segment, 0x08, 8).checked_add(number(&segment, 0x20, 8)) {
            Some(this) => end = end.max(this),
            None => return Ok(None),
        }
    }
    Ok(Some(end))
}

/// A little-endian number of `length` bytes; the caller's places are constants inside the buffer.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn a_program_runs_without_what_is_not_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        std::fs::copy("/proc/self/exe", &path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut file = File::options().read(true).write(true).open(&path).unwrap();
        let before = file.metadata().unwrap().len();
        let gone = strip(&mut file).unwrap();
        assert_eq!(file.metadata().unwrap().len(), before - gone);
        assert!(gone > before / 4, "a test program has symbols and line numbers: {gone} of {before}");
        assert_eq!(strip(&mut file).unwrap(), 0, "a second time there is nothing to take");
        drop(file);
        let output = Command::new(&path).arg("--list").output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("a_program_runs_without"));
    }

    #[test]
    fn other_files_stay_as_they_are() {
        for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF\x02\x01", &[0; 200]] {
            let mut file = file_of(bytes);
            assert_eq!(strip(&mut file).unwrap(), 0);
            assert_eq!(file.metadata().unwrap().len(), bytes.len() as u64);
        }
    }

    proptest! {
        #[test]
        fn any_header_is_taken_or_left(rest in proptest::collection::vec(any::<u8>(), 58..400), sane in any::<bool>()) {
            let mut bytes = b"\x7fELF\x02\x01".to_vec();
            bytes.extend(rest);
            if sane {
                bytes[0x20..0x28].copy_from_slice(&64_u64.to_le_bytes());
                bytes[0x36..0x3a].copy_from_slice(&[56, 0, 1, 0]);
            }
            let mut file = file_of(&bytes);
            let gone = strip(&mut file).unwrap();
            prop_assert_eq!(file.metadata().unwrap().len() + gone, bytes.len() as u64);
        }
    }
}
