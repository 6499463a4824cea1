//! Cache mounts as archives, for machines that forget: CI jobs write them at their end and read them at their start.
//!
//! An archive is a tar of `<name of the id>/mount.json` and `<name of the id>/0/`: one for all mounts, or in a directory
//! one for each. Reading trusts nothing: names are made anew from the identity, and what is unpacked becomes visible by
//! one rename.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    thread,
};

use plimsoll_image::{ImportLimits, StoreError, TreeWriter, unpack_trees};

use super::{NOTE, Note};

/// The copy that travels; further ones only exist while several steps run at once.
const COPY: &str = "0";
/// The ending of archives in a directory.
const ENDING: &str = ".tar.zst";
/// As `zstd -3`: an archive is read about as often as it is written.
const LEVEL: i32 = 3;
/// No note is longer.
const MAX_NOTE: u64 = 64 << 10;

/// The cache mounts of one builder.
#[derive(Debug, Clone)]
pub struct CacheMounts {
    root: PathBuf,
}

/// One cache mount that was written or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The `id=` of the mounts that share it.
    pub id: String,
    /// It was there already and stayed as it was.
    pub kept: bool,
}

/// Why cache mounts could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CacheMountError {
    /// The operating system refused to read or write a file.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was to be done.
        what: &'static str,
        /// The file or directory that it was to be done to.
        path: PathBuf,
        /// What the operating system answered to the call.
        #[source]
        source: io::Error,
    },
    /// A file of a mount, or of an archive.
    #[error("{}: {source}", path.display())]
    Archive {
        /// The archive that was read or written.
        path: PathBuf,
        /// What is wrong with the archive, for a message.
        #[source]
        source: StoreError,
    },
    /// An archive that holds something else.
    #[error("{} holds no cache mounts: {reason}", path.display())]
    Foreign {
        /// The archive that was read or written.
        path: PathBuf,
        /// What is wrong with the archive, for a message.
        reason: String,
    },
}

impl plimsoll_source::Explain for CacheMountError {}

impl CacheMountError {
    fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }

    /// Whether there is nothing to be read.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { what: "open", source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// A place for archives is a file where its name says so, else a directory.
fn is_file(place: &Path) -> bool {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    [".tar", ENDING, ".tzst"].iter().any(|ending| name.ends_with(ending))
}

impl CacheMounts {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Every mount that says what it is, sorted by its folder.
    fn all(&self) -> Vec<(String, Note)> {
        let folders = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let mut found: Vec<(String, Note)> = folders
            .filter_map(|folder| {
                let note = read_note(&folder.path().join(NOTE)).ok()?;
                Some((folder.file_name().into_string().ok()?, note))
            })
            .filter(|(folder, note)| note.folder() == *folder && self.root.join(folder).join(COPY).is_dir())
            .collect();
        found.sort_by(|left, right| left.0.cmp(&right.0));
        found
    }

    /// Writes the mounts with these ids, or all of them, to a file (`.tar`, `.tar.zst`) or into a directory, one archive
    /// for each. What was there is replaced at once by what is complete.
    ///
    /// # Errors
    /// When a mount changes meanwhile, or the archive cannot be written.
    pub fn write(&self, to: &Path, ids: Option<&BTreeSet<String>>) -> Result<Vec<Taken>, CacheMountError> {
        let mounts: Vec<(String, Note)> =
            self.all().into_iter().filter(|(_, note)| ids.is_none_or(|ids| ids.contains(&note.id))).collect();
        if is_file(to) {
            let folders: Vec<&str> = mounts.iter().map(|(folder, _)| folder.as_str()).collect();
            self.write_archive(to, &folders)?;
        } else {
            fs::create_dir_all(to).map_err(|error| CacheMountError::io("make", to, error))?;
            for (folder, _) in &mounts {
                self.write_archive(&to.join(format!("{folder}{ENDING}")), &[folder])?;
            }
        }
        Ok(mounts.into_iter().map(|(_, note)| Taken { id: note.id, kept: false }).collect())
    }

    fn write_archive(&self, to: &Path, folders: &[&str]) -> Result<(), CacheMountError> {
        let failed = |error| CacheMountError::io("write", to, error);
        let archive = |source| CacheMountError::Archive { path: to.to_owned(), source };
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let unfinished = to.with_file_name(format!(".{name}.{}", std::process::id()));
        let written = (|| {
            let file = File::create(&unfinished).map_err(failed)?;
            let packs = !name.ends_with(".tar");
            let mut out: Box<dyn PackedWrite> = if packs {
                let mut encoder = zstd::Encoder::new(file, LEVEL).map_err(failed)?;
                let threads = thread::available_parallelism().map_or(1, usize::from);
                encoder.multithread(u32::try_from(threads).unwrap_or(1)).map_err(failed)?;
                encoder.include_checksum(true).map_err(failed)?;
                Box::new(encoder)
            } else {
                Box::new(io::BufWriter::new(file))
            };
            let mut tar = TreeWriter::new(&self.root, &mut out);
            for folder in folders {
                tar.add(&format!("{folder}/{NOTE}")).map_err(archive)?;
                tar.add(&format!("{folder}/{COPY}")).map_err(archive)?;
            }
            tar.finish().map_err(archive)?;
            out.end().map_err(failed)?;
            fs::rename(&unfinished, to).map_err(failed)
        })();
        written.inspect_err(|_| {
            let _ = fs::remove_file(&unfinished);
        })
    }

    /// Reads mounts with these ids, or all that are there, from what [`CacheMounts::write`] wrote. A mount that is here
    /// already and holds something stays as it is, unless `replace`.
    ///
    /// # Errors
    /// When there is nothing ([`CacheMountError::is_missing`]), or an archive is damaged, hostile or something else; the
    /// mounts are then as they were.
    pub fn read(
        &self,
        from: &Path,
        ids: Option<&BTreeSet<String>>,
        replace: bool,
    ) -> Result<Vec<Taken>, CacheMountError> {
        let failed = |error| CacheMountError::io("open", from, error);
        if !fs::metadata(from).map_err(failed)?.is_dir() {
            return self.read_archive(from, ids, replace);
        }
        let mut archives: Vec<PathBuf> = fs::read_dir(from)
            .map_err(failed)?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().ends_with(ENDING) && !is_hidden(path))
            .collect();
        archives.sort();
        let mut taken = Vec::new();
        for archive in archives {
            taken.extend(self.read_archive(&archive, ids, replace)?);
        }
        Ok(taken)
    }

    fn read_archive(
        &self,
        from: &Path,
        ids: Option<&BTreeSet<String>>,
        replace: bool,
    ) -> Result<Vec<Taken>, CacheMountError> {
        let file = File::open(from).map_err(|error| CacheMountError::io("open", from, error))?;
        let here = |error| CacheMountError::io("write", &self.root, error);
        fs::create_dir_all(&self.root).map_err(here)?;
        let scratch = Scratch::make(&self.root).map_err(here)?;
        unpack_trees(file, &scratch.0, &ImportLimits::default())
            .map_err(|source| CacheMountError::Archive { path: from.to_owned(), source })?;
        let foreign = |reason: String| CacheMountError::Foreign { path: from.to_owned(), reason };
        let mut found = Vec::new();
        for folder in fs::read_dir(&scratch.0).map_err(here)? {
            let folder = folder.map_err(here)?.path();
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_directory = |path: &Path| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
            if !is_directory(&folder) || !is_directory(&folder.join(COPY)) {
                return Err(foreign(format!("{name}/{COPY} is no directory")));
            }
            let note = read_note(&folder.join(NOTE))
                .map_err(|reason| foreign(format!("{name}/{NOTE}: {reason}")))?;
            if note.folder() != name {
                return Err(foreign(format!("{name} is not the folder of the id {:?}", note.id)));
            }
            found.push((folder, note));
        }
        found.sort_by(|left, right| left.0.cmp(&right.0));
        let mut taken = Vec::new();
        for (folder, note) in found {
            if ids.is_none_or(|ids| ids.contains(&note.id)) {
                let kept = !self.take_in(&folder, &note, &scratch, replace).map_err(here)?;
                taken.push(Taken { id: note.id, kept });
            }
        }
        Ok(taken)
    }

    /// Gives an unpacked mount its place; false when there is one already.
    fn take_in(&self, folder: &Path, note: &Note, scratch: &Scratch, replace: bool) -> io::Result<bool> {
        let home = self.root.join(note.folder());
        fs::create_dir_all(&home)?;
        // whoever has the mount to itself keeps it until its end
        let Some(_lock) = super::lock(&home, 0)? else { return Ok(false) };
        let place = home.join(COPY);
        let holds_something = fs::read_dir(&place).is_ok_and(|mut entries| entries.next().is_some());
        if holds_something && !replace {
            return Ok(false);
        }
        if place.exists() {
            fs::rename(&place, scratch.0.join(format!("old-{}", note.folder())))?;
        }
        if !home.join(NOTE).exists() {
            fs::rename(folder.join(NOTE), home.join(NOTE))?;
        }
        fs::rename(folder.join(COPY), place)?;
        Ok(true)
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn read_note(path: &Path) -> Result<Note, String> {
    let meta = fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    if !meta.is_file() || meta.len() > MAX_NOTE {
        return Err("it is no small file".to_owned());
    }
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_NOTE).read_to_end(&mut text))
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

/// A directory on the file system of the mounts, gone with this.
struct Scratch(PathBuf);

impl Scratch {
    fn make(root: &Path) -> io::Result<Self> {
        for number in 0.. {
            let path = root.join(format!(".import-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What has to be told its end.
trait PackedWrite: io::Write {
    fn end(self: Box<Self>) -> io::Result<()>;
}

impl PackedWrite for zstd::Encoder<'_, File> {
    fn end(self: Box<Self>) -> io::Result<()> {
        self.finish().map(drop)
    }
}

impl PackedWrite for io::BufWriter<File> {
    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use plimsoll_dockerfile::Sharing;
    use plimsoll_sandbox::Cancel;

    use super::{super::CacheId, super::CacheMount, *};

    fn fill(root: &Path, id: &str) -> PathBuf {
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let id = CacheId { id, mode: 0o755, uid, gid };
        CacheMount::take(root, &id, Sharing::Shared, &Cancel::new().unwrap(), &|_| ()).unwrap().path.clone()
    }

    fn ids(taken: &[Taken]) -> Vec<(&str, bool)> {
        taken.iter().map(|one| (one.id.as_str(), one.kept)).collect()
    }

    #[test]
    fn mounts_travel_as_one_file_and_as_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let mounts = CacheMounts::new(dir.path().join("here"));
        let npm = fill(&mounts.root, "/root/.npm");
        fs::create_dir(npm.join("deep")).unwrap();
        fs::write(npm.join("deep/.wh.odd"), "a name like any other").unwrap();
        fs::hard_link(npm.join("deep/.wh.odd"), npm.join("second")).unwrap();
        symlink("/etc/passwd", npm.join("link")).unwrap();
        fs::write(fill(&mounts.root, "pip").join("wheel"), vec![7; 100_000]).unwrap();
        for place in ["all.tar.zst", "all.tar", "folder/of/archives"] {
            let place = dir.path().join(place);
            let only = BTreeSet::from(["pip".to_owned()]);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            assert_eq!(mounts.write(&place, Some(&only)).unwrap().len(), 1);
            assert_eq!(ids(&mounts.write(&place, None).unwrap()), [("pip", false), ("/root/.npm", false)]);

            let other = CacheMounts::new(tempfile::tempdir_in(dir.path()).unwrap().keep());
            assert_eq!(ids(&other.read(&place, Some(&only), false).unwrap()), [("pip", false)]);
            assert_eq!(other.all().len(), 1, "the others stay where they are");
            assert_eq!(
                ids(&other.read(&place, None, false).unwrap()),
                [("pip", true), ("/root/.npm", false)]
            );
            let npm = fill(&other.root, "/root/.npm");
            assert_eq!(fs::read_to_string(npm.join("deep/.wh.odd")).unwrap(), "a name like any other");
            assert_eq!(fs::metadata(npm.join("second")).unwrap().nlink(), 2);
            assert_eq!(fs::read_link(npm.join("link")).unwrap(), Path::new("/etc/passwd"));

            fs::write(npm.join("second"), "newer").unwrap();
            other.read(&place, None, false).unwrap();
            assert_eq!(fs::read_to_string(npm.join("second")).unwrap(), "newer", "what is here is kept");
            other.read(&place, None, true).unwrap();
            assert_eq!(fs::read_to_string(npm.join("second")).unwrap(), "a name like any other");
            let left: Vec<_> =
                fs::read_dir(&other.root).unwrap().flatten().map(|it| it.file_name()).collect();
            assert_eq!(left.len(), 2, "{left:?}");
        }
    }

    #[test]
    fn archives_of_others_change_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mounts = CacheMounts::new(dir.path().join("mounts"));
        let archive = dir.path().join("x.tar");
        assert!(mounts.read(&archive, None, false).unwrap_err().is_missing());
        let note =
            |id: &str| serde_json::to_vec(&Note { id: id.to_owned(), mode: 0o755, uid: 0, gid: 0 }).unwrap();
        let right = Note { id: "a".to_owned(), mode: 0o755, uid: 0, gid: 0 }.folder();
        let make = |fill: &dyn Fn(&mut tar::Builder<File>)| {
            let mut tar = tar::Builder::new(File::create(&archive).unwrap());
            fill(&mut tar);
            tar.finish().unwrap();
            mounts.read(&archive, None, false).unwrap_err().to_string()
        };
        let file = |tar: &mut tar::Builder<File>, name: &str, content: &[u8]| {
            let mut header = tar::Header::new_ustar();
            header.set_mode(0o644);
            header.set_size(content.len() as u64);
            header.set_cksum();
            // the crate itself would refuse some names
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            tar.append(&header, content).unwrap();
        };
        let link = |tar: &mut tar::Builder<File>, name: &str, to: &str| {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, name, to).unwrap();
        };
        for (what, reason) in [
            ("text", "holds no cache mounts"),
            ("link", "0 is no directory"),
            ("name", "is not the folder of the id \"b\""),
            ("dots", "`..` in its path"),
            ("through a link", "one of its parents"),
        ] {
            let error = make(&|tar| match what {
                "text" => file(tar, "readme", b"hello"),
                "link" => {
                    file(tar, &format!("{right}/mount.json"), &note("a"));
                    link(tar, &format!("{right}/0"), "/etc");
                }
                "name" => {
                    file(tar, &format!("{right}/mount.json"), &note("b"));
                    file(tar, &format!("{right}/0/x"), b"x");
                }
                "dots" => file(tar, &format!("{right}/../../x"), b"x"),
                _ => {
                    link(tar, &format!("{right}/0"), &dir.path().display().to_string());
                    file(tar, &format!("{right}/0/escaped"), b"x");
                }
            });
            assert!(error.contains(reason), "{what}: {error}");
        }
        assert!(!dir.path().join("escaped").exists());
        fs::write(&archive, b"no tar at all, not even a block").unwrap();
        mounts.read(&archive, None, false).unwrap_err();
        assert_eq!(fs::read_dir(&mounts.root).unwrap().count(), 0);
    }
}
