//! Writing a file as a whole: what is at its path is the old content or the new one, never half of it.
//!
//! The new content goes to a draft of a random name in the same folder, which takes the path when it is complete. A
//! draft that is not completed is removed, whatever the reason, unless the process is killed.

use std::{
    cell::Cell,
    fs::{File, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

/// For everybody to read, less what the process's umask takes.
pub const USUAL: u32 = 0o666;
/// For its owner alone.
pub const PRIVATE: u32 = 0o600;

/// The new content of a file, until it takes the file's place.
#[derive(Debug)]
pub struct Draft {
    file: NamedTempFile,
    target: PathBuf,
}

impl Draft {
    /// Begins a draft of `target`, in its folder, with this mode less the umask. The name is new: nothing that somebody
    /// has put into the folder is opened. Where `target` is a symbolic link, the link is what is replaced.
    ///
    /// # Errors
    /// When no file can be made in the folder.
    pub fn of(target: &Path, mode: u32) -> io::Result<Self> {
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let name = target.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_string_lossy();
        // a name may have 255 bytes, and the draft's has more
        let start: String = name.chars().take(40).collect();
        // `tempfile` adds the draft's random name to an error, and takes its number away: the kernel's own is told
        let code = Cell::new(None);
        let open = |path: &Path| {
            let opened = File::options().read(true).write(true).create_new(true).mode(mode).open(path);
            opened.inspect_err(|error| code.set(error.raw_os_error()))
        };
        let file = Builder::new()
            .prefix(&format!(".{start}."))
            .suffix(".draft")
            .make_in(folder.unwrap_or(Path::new(".")), open)
            .map_err(|error| code.get().map_or(error, io::Error::from_raw_os_error))?;
        Ok(Self { file, target: target.to_owned() })
    }

    /// The open file, for what [`Write`] does not do: its owner, its size.
    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Gives it exactly this mode, whatever the umask.
    ///
    /// # Errors
    /// When it belongs to another user meanwhile.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.file().set_permissions(Permissions::from_mode(mode))
    }

    /// Puts it in its place. A machine that loses its power at once may have the old file, the new one, or an empty
    /// one: for what can be made again.
    ///
    /// # Errors
    /// When the place cannot be taken; nothing has changed then.
    pub fn commit(self) -> io::Result<()> {
        self.file.persist(&self.target).map(drop).map_err(|error| error.error)
    }

    /// The same, when its content is on the disk: for what a person or another machine has given.
    ///
    /// # Errors
    /// As [`Draft::commit`], and when the disk cannot take it.
    pub fn commit_to_disk(self) -> io::Result<()> {
        self.file().sync_all()?;
        self.commit()
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

/// Replaces a file by these bytes, as [`Draft::commit`] does.
///
/// # Errors
/// As [`Draft::of`], and when the bytes cannot be written.
pub fn replace(target: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut draft = Draft::of(target, mode)?;
    draft.write_all(bytes)?;
    draft.commit()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _, os::unix::fs::symlink, thread};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn readers_see_the_old_content_or_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note");
        replace(&path, &[b'a'; 15_000], PRIVATE).unwrap();
        thread::scope(|scope| {
            for byte in [b'b', b'c'] {
                let path = &path;
                scope.spawn(move || (0..100).for_each(|_| replace(path, &[byte; 15_000], PRIVATE).unwrap()));
            }
            for _ in 0..200 {
                let seen = fs::read(&path).unwrap();
                assert!(seen.len() == 15_000 && seen.iter().all(|byte| *byte == seen[0]));
            }
        });
        assert_eq!(names(folder.path()), ["note"]);
    }

    #[test]
    fn a_draft_that_is_not_completed_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "old").unwrap();
        let mut draft = Draft::of(&path, PRIVATE).unwrap();
        draft.write_all(b"half").unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        drop(draft);
        assert_eq!(
            (names(folder.path()), fs::read_to_string(&path).unwrap()),
            (vec!["secret".into()], "old".into())
        );
        // its place cannot be taken
        fs::create_dir_all(folder.path().join("taken/full")).unwrap();
        assert!(replace(&folder.path().join("taken"), b"x", PRIVATE).is_err());
        assert!(replace(&folder.path().join("none/x"), b"x", PRIVATE).is_err());
        assert!(Draft::of(Path::new("/"), PRIVATE).is_err());
        assert_eq!(names(folder.path()), ["secret", "taken"]);
    }

    #[test]
    fn a_planted_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (elsewhere, path) = (folder.path().join("elsewhere"), folder.path().join("note"));
        fs::write(&elsewhere, "theirs").unwrap();
        symlink(&elsewhere, &path).unwrap();
        // the names that writers have used before
        for old in ["note.draft", "note.new", ".note.draft"] {
            symlink(&elsewhere, folder.path().join(old)).unwrap();
        }
        replace(&path, b"ours", PRIVATE).unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "theirs");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::read_to_string(&path).unwrap(), "ours");
    }

    #[test]
    fn the_mode_is_there_before_the_first_byte() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        let path = folder.path().join("secret");
        let draft = Draft::of(&path, PRIVATE).unwrap();
        assert_eq!(mode(draft.file.path()), 0o600);
        draft.set_mode(0o440).unwrap();
        draft.commit_to_disk().unwrap();
        assert_eq!(mode(&path), 0o440);
        replace(&path, b"", USUAL).unwrap();
        let usual = folder.path().join("usual");
        fs::write(&usual, "").unwrap();
        assert_eq!(mode(&path), mode(&usual));
    }

    #[test]
    fn an_error_keeps_its_number_and_does_not_name_the_draft() {
        let folder = tempfile::tempdir().unwrap();
        let error = replace(&folder.path().join("none/file"), b"", PRIVATE).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::NOENT.raw_os_error()));
        assert!(!error.to_string().contains("draft"), "{error}");
    }

    #[test]
    fn a_name_may_be_as_long_as_names_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("é".repeat(127));
        replace(&path, b"x", PRIVATE).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"x");
    }
}
