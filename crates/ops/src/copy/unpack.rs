//! A tar from a container on this machine. The container is not trusted: nothing is written outside of the place.

use std::{
    fs,
    io::{self, Read},
    path::{Component, Path, PathBuf},
    sync::mpsc::Receiver,
};

use crate::Failure;

/// Where the first entry of the tar goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpackTarget {
    /// The file or directory that the first entry becomes.
    root: PathBuf,
}

/// Where something called `name` in the container goes. `contents` puts what is in a directory there, not itself.
pub fn place(
    destination: &Path,
    name: Option<&Path>,
    is_dir: bool,
    contents: bool,
) -> Result<UnpackTarget, Failure> {
    let shown = destination.display();
    let refused = |why: String| Failure::new(why, "name another path on this machine");
    match fs::metadata(destination) {
        Ok(found) if found.is_dir() => Ok(UnpackTarget {
            root: match name {
                Some(name) if !contents => destination.join(name),
                _ => destination.to_owned(),
            },
        }),
        Ok(_) if is_dir => Err(refused(format!("{shown} is a file: a directory cannot be put there"))),
        Err(_) if !is_dir && destination.to_string_lossy().ends_with('/') => {
            Err(refused(format!("there is no directory {shown}")))
        }
        Err(_)
            if !destination
                .parent()
                .is_none_or(|parent| parent.as_os_str().is_empty() || parent.is_dir()) =>
        {
            Err(refused(format!("there is no directory for {shown}")))
        }
        _ => Ok(UnpackTarget { root: destination.to_owned() }),
    }
}

/// Unpacks all entries. Owners are kept only when asked for, and where that is allowed.
pub fn all(tar: impl Read, place: &UnpackTarget, contents: bool, keep_owners: bool) -> Result<(), Failure> {
    let mut archive = tar::Archive::new(tar);
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(keep_owners);
    archive.set_overwrite(true);
    unpack(&mut archive, place, contents).map_err(|error| {
        Failure::new(
            format!("cannot write {}: {error}", place.root.display()),
            "check the path, its permissions and the space on the disk",
        )
    })
}

fn unpack(archive: &mut tar::Archive<impl Read>, place: &UnpackTarget, contents: bool) -> io::Result<()> {
    let root = &place.root;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let inside = inner(&entry.path()?, contents)?;
        let target = root.join(&inside);
        if inside.as_os_str().is_empty() {
            // joining nothing would add a slash
            entry.unpack(root)?;
            continue;
        }
        check(root, &target)?;
        if entry.header().entry_type().is_hard_link() {
            let link = entry.link_name()?.ok_or_else(|| io::Error::other("a link without a target"))?;
            let source = root.join(inner(&link, contents)?);
            check(root, &source)?;
            let _ = fs::remove_file(&target);
            fs::hard_link(source, target)?;
        } else {
            entry.unpack(target)?;
        }
    }
    Ok(())
}

/// The part of an entry's path that is below the first entry.
fn inner(path: &Path, contents: bool) -> io::Result<PathBuf> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_owned()),
            Component::CurDir => {}
            _ => return Err(io::Error::other(format!("the path {} leads outside", path.display()))),
        }
    }
    let skip = usize::from(!contents).min(parts.len());
    Ok(parts.into_iter().skip(skip).collect())
}

/// The target's directory must be below the root, links considered.
fn check(root: &Path, target: &Path) -> io::Result<()> {
    let outside = || io::Error::other(format!("{} leads outside", target.display()));
    // an engine sends each directory before what is in it
    let parent = target.parent().filter(|parent| parent.exists()).ok_or_else(outside)?;
    // a link that the container sent in place of the root is not followed
    if fs::symlink_metadata(root)?.is_symlink() {
        return Err(outside());
    }
    if fs::canonicalize(parent)?.starts_with(fs::canonicalize(root)?) { Ok(()) } else { Err(outside()) }
}

/// The pieces of a stream as something to read from.
pub struct Pieces {
    receiver: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    at: usize,
}

impl Pieces {
    /// Reads what comes through the channel.
    pub fn new(receiver: Receiver<io::Result<Vec<u8>>>) -> Self {
        Self { receiver, piece: Vec::new(), at: 0 }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            match self.receiver.recv() {
                Ok(piece) => (self.piece, self.at) = (piece?, 0),
                Err(_) => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len() - self.at);
        buffer[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind, text) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(if kind.is_dir() { 0o755 } else { 0o640 });
            if kind.is_symlink() {
                header.set_size(0);
                builder.append_link(&mut header, path, text).unwrap();
            } else {
                header.set_size(text.len() as u64);
                builder.append_data(&mut header, path, text.as_bytes()).unwrap();
            }
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn a_directory_gets_the_name_that_was_asked_for() {
        use tar::EntryType::{Directory, Regular};
        let dir = tempfile::tempdir().unwrap();
        let bytes = tar(&[("d/", Directory, ""), ("d/f", Regular, "text")]);
        let to = place(&dir.path().join("new"), Some(Path::new("d")), true, false).unwrap();
        all(bytes.as_slice(), &to, false, false).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("new/f")).unwrap(), "text");
        let to = place(dir.path(), Some(Path::new("d")), true, false).unwrap();
        all(bytes.as_slice(), &to, false, false).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("d/f")).unwrap(), "text");
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(place(&dir.path().join("file"), None, true, false).is_err());
        assert!(place(&dir.path().join("no/such/place"), None, true, false).is_err());
    }

    #[test]
    fn a_container_writes_nowhere_else() {
        use tar::EntryType::{Directory, Regular, Symlink};
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = dir.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let away = elsewhere.to_str().unwrap();
        for (number, entries) in [
            vec![("d/", Directory, ""), ("d/l", Symlink, away), ("d/l/f", Regular, "x")],
            vec![("d", Symlink, away), ("d/f", Regular, "x")],
        ]
        .into_iter()
        .enumerate()
        {
            let to =
                place(&dir.path().join(format!("to{number}")), Some(Path::new("d")), true, false).unwrap();
            assert!(all(tar(&entries).as_slice(), &to, false, false).is_err(), "{number}");
        }
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        assert!(inner(Path::new("d/../../x"), false).is_err() && inner(Path::new("/x"), false).is_err());
    }
}
