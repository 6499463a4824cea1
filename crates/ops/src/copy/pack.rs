//! Files of this machine as a tar for a container.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use tokio::sync::mpsc::Sender;

use crate::Failure;

/// Bytes of one piece of the stream.
const PIECE: usize = 256 << 10;

/// What is copied.
#[derive(Debug, Clone)]
pub struct Source {
    path: PathBuf,
    is_dir: bool,
    /// What is in the directory, not the directory: `dir/.`
    contents: bool,
    /// A link at the path itself is followed.
    follow: bool,
    /// The name that it has here.
    name: String,
}

impl Source {
    /// A file or directory that exists.
    pub fn find(text: &str, follow: bool) -> Result<Self, Failure> {
        let path = PathBuf::from(text);
        let missing = |error: io::Error| {
            Failure::new(format!("cannot read {text}: {error}"), "check the path; it is one of this machine")
        };
        // with a slash at its end a link is what it leads to
        let follow = follow || text.ends_with('/') || text.ends_with("/.");
        let found = if follow { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
        let is_dir = found.map_err(missing)?.is_dir();
        if text.ends_with('/') && !is_dir {
            return Err(Failure::new(format!("{text} is no directory"), "leave the slash out"));
        }
        let named = match path.file_name() {
            Some(name) => PathBuf::from(name),
            // `.` and `..`
            None => {
                fs::canonicalize(&path).map_err(missing)?.file_name().map(PathBuf::from).unwrap_or_default()
            }
        };
        Ok(Self {
            path,
            is_dir,
            contents: is_dir && (text.ends_with("/.") || text == "."),
            follow,
            name: named.to_string_lossy().into_owned(),
        })
    }
}

/// The directory of the container that the tar is unpacked in, and the name of its first entry. `is_dir` tells what is
/// at `path` now.
pub fn place(source: &Source, path: &str, is_dir: Option<bool>) -> Result<(String, String), Failure> {
    let refused = |why: String| Failure::new(why, "name another path in the container");
    let split = || {
        let trimmed = path.trim_end_matches('/');
        let (parent, name) = trimmed.rsplit_once('/').unwrap_or(("", trimmed));
        (if parent.is_empty() { "/".to_owned() } else { parent.to_owned() }, name.to_owned())
    };
    match is_dir {
        Some(true) if source.contents => Ok((path.to_owned(), ".".to_owned())),
        Some(true) => Ok((path.to_owned(), source.name.clone())),
        Some(false) if source.is_dir => {
            Err(refused(format!("{path} is a file: a directory cannot be put there")))
        }
        None if path.ends_with('/') && !source.is_dir => {
            Err(refused(format!("there is no directory {path} in the container")))
        }
        Some(false) | None => Ok(split()),
    }
}

/// Writes the tar; its first entry is called `name`.
pub fn all(source: &Source, name: &str, pieces: Sender<io::Result<Vec<u8>>>) -> io::Result<()> {
    let mut pipe = Pipe { pieces, buffer: Vec::with_capacity(PIECE) };
    let written = write(source, name, &mut pipe).and_then(|()| pipe.flush());
    if let Err(error) = &written {
        // makes the request break off instead of ending as if the tar were complete
        let _ = pipe.pieces.blocking_send(Err(io::Error::new(error.kind(), error.to_string())));
    }
    written
}

fn write(source: &Source, name: &str, pipe: &mut Pipe) -> io::Result<()> {
    let mut tar = tar::Builder::new(pipe);
    tar.follow_symlinks(false);
    if source.is_dir {
        tar.append_dir_all(name, &source.path)?;
    } else if source.follow {
        tar.follow_symlinks(true);
        tar.append_path_with_name(&source.path, name)?;
    } else {
        tar.append_path_with_name(&source.path, Path::new(name))?;
    }
    tar.finish()
}

/// Collects pieces of [`PIECE`] bytes.
struct Pipe {
    pieces: Sender<io::Result<Vec<u8>>>,
    buffer: Vec<u8>,
}

impl Write for &mut Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            Pipe::flush(self)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Pipe::flush(self)
    }
}

impl Pipe {
    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        self.pieces.blocking_send(Ok(piece)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_follows_from_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), "x").unwrap();
        let file = Source::find(dir.path().join("f").to_str().unwrap(), false).unwrap();
        let folder = Source::find(dir.path().to_str().unwrap(), false).unwrap();
        let inside = Source::find(dir.path().join(".").to_str().unwrap(), false);
        let at = |source: &Source, path: &str, is_dir| place(source, path, is_dir).ok();
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(at(&file, "/tmp", Some(true)), pair("/tmp", "f"));
        assert_eq!(at(&file, "/tmp/g", None), pair("/tmp", "g"));
        assert_eq!(at(&file, "/g", Some(false)), pair("/", "g"));
        assert_eq!(at(&file, "/tmp/g/", None), None);
        assert_eq!(at(&folder, "/tmp/g", Some(false)), None);
        assert_eq!(at(&folder, "/tmp/g", None), pair("/tmp", "g"));
        assert_eq!(at(&inside.unwrap(), "/tmp", Some(true)), pair("/tmp", "."));
    }
}
