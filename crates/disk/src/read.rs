//! Reading files that somebody else has named or brought: regular files only, and never more than a bound.
//!
//! A path in a repository may lead to a pipe that nobody writes to, or to a device without an end; `fs::read` waits for
//! the one and takes all memory for the other.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::fs::OFlags;

/// Whether the last name of a path may be a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// It is followed, to a regular file all the same.
    Follow,
    /// It is refused: for names that a program, not a person, has chosen.
    Refuse,
}

/// Opens a regular file, and nothing else, without waiting for anybody.
///
/// # Errors
/// When there is none, or it is something else.
pub fn open_regular(path: &Path, links: Links) -> io::Result<File> {
    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    if links == Links::Refuse {
        flags |= OFlags::NOFOLLOW;
    }
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(file)
}

/// The content of a regular file of at most `limit` bytes.
///
/// # Errors
/// When it cannot be read, is something else, or is larger.
pub fn read_regular(path: &Path, limit: u64, links: Links) -> io::Result<Vec<u8>> {
    up_to(open_regular(path, links)?, limit)
}

/// As [`read_regular`], as text: what is not UTF-8 is an error.
///
/// # Errors
/// As [`read_regular`].
pub fn read_text(path: &Path, limit: u64, links: Links) -> io::Result<String> {
    String::from_utf8(read_regular(path, limit, links)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// The content of a file that a person has named on the command line: as [`read_regular`], and a pipe of the caller's
/// too (`<(…)`, `/dev/stdin`), to its end.
///
/// # Errors
/// As [`read_regular`].
pub fn read_named(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let inherited = ["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|folder| path.starts_with(folder));
    if inherited || path == Path::new("/dev/null") {
        return up_to(File::open(path)?, limit);
    }
    read_regular(path, limit, Links::Follow)
}

fn up_to(file: File, limit: u64) -> io::Result<Vec<u8>> {
    // A pipe has no length; a file may grow while it is read.
    let length = file.metadata().map_or(0, |meta| meta.len()).min(limit);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it is larger than {}", size(limit))));
    }
    Ok(bytes)
}

fn size(bytes: u64) -> String {
    match bytes {
        _ if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn special_files_read_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "content").unwrap();
        symlink("file", path("link")).unwrap();
        symlink("/dev/zero", path("zero")).unwrap();
        symlink("/dev/tty", path("tty")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        assert_eq!(read_regular(&path("file"), 7, Links::Refuse).unwrap(), b"content");
        assert_eq!(read_text(&path("link"), 7, Links::Follow).unwrap(), "content");
        assert_eq!(read_named(&path("link"), 7).unwrap(), b"content");
        let error = |done: io::Result<Vec<u8>>| done.unwrap_err().to_string();
        assert_eq!(error(read_regular(&path("file"), 6, Links::Follow)), "it is larger than 6 bytes");
        for name in ["zero", "pipe", ""] {
            assert_eq!(
                error(read_regular(&path(name), 10, Links::Follow)),
                "it is not a regular file",
                "{name}"
            );
            assert_eq!(error(read_named(&path(name), 10)), "it is not a regular file", "{name}");
        }
        assert!(read_regular(&path("tty"), 10, Links::Follow).is_err());
        assert!(read_regular(&path("link"), 10, Links::Refuse).is_err());
    }
}
