//! Writes a layer's directory straight, without a mount, as COPY, ADD and WORKDIR need it.
//!
//! The rules are BuildKit's (its `fsutil/copy`): links on the way to the destination are followed inside the root,
//! missing directories are made with mode 0755, a directory's content goes into the destination, a directory that is
//! there already keeps its attributes, and a directory is never replaced by something else nor the other way round.

mod attributes;
mod copy;
mod error;
mod links;

use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

pub(crate) use self::{
    attributes::copy_root_attributes,
    error::{LayerError, what},
    links::resolve,
};
use self::{
    attributes::{own, times},
    links::resolve_below,
};
use crate::{
    chmod::Chmod,
    key::Key,
    tree::{Node, Tree},
};

/// A layer being written on top of others.
pub(crate) struct LayerWriter<'a> {
    /// The layer's directory.
    draft: &'a Path,
    /// The layer over those below.
    merged: Tree,
    /// The owner of everything that is made; the source's owner (root for a context) without it.
    pub(crate) owner: Option<(u32, u32)>,
    pub(crate) chmod: Option<&'a Chmod>,
    /// Files of layers that are linked into this layer already.
    linked: HashSet<(u64, u64)>,
    /// Files may be linked from other layers instead of copied.
    may_link: bool,
    /// The layer that this step made the last time: files that are the same there are linked.
    pub(crate) previous: Option<&'a Path>,
    /// The time that the layer's time stamps are clamped to.
    pub(crate) epoch: Option<i64>,
    /// Digests of the bytes of the files written, by their path in the layer.
    known: HashMap<PathBuf, Key>,
    /// What is below.
    below: Tree,
    /// Directories, by their path in the layer, that got a time of their own.
    timed: HashSet<PathBuf>,
}

impl<'a> LayerWriter<'a> {
    /// Starts on an empty `draft` over `below` (top first).
    pub(crate) fn new(draft: &'a Path, below: &[PathBuf]) -> Self {
        let layers = std::iter::once(draft.to_owned()).chain(below.iter().cloned()).collect();
        Self {
            draft,
            merged: Tree::layers(layers),
            owner: None,
            chmod: None,
            linked: HashSet::new(),
            may_link: true,
            previous: None,
            epoch: None,
            known: HashMap::new(),
            below: Tree::layers(below.to_vec()),
            timed: HashSet::new(),
        }
    }

    /// For a directory that will be written to: nothing in it is shared with a layer.
    pub(crate) fn copying_only(directory: &'a Path) -> Self {
        Self { may_link: false, ..Self::new(directory, &[]) }
    }

    /// What an absolute path means inside the root; names that do not exist are kept as they are.
    pub(crate) fn resolve(&self, path: &str) -> Result<PathBuf, LayerError> {
        resolve(&self.merged, Path::new(path))
    }

    /// What `path` means where the resolved directory `root` is the root of all paths, as for an archive that is
    /// unpacked into it.
    pub(crate) fn resolve_below(&self, root: &Path, path: &Path) -> Result<PathBuf, LayerError> {
        resolve_below(&self.merged, root, path)
    }

    /// What is at a resolved path.
    fn look(&self, path: &Path) -> Result<Option<Node>, LayerError> {
        self.merged.lookup(path, false).map_err(|error| LayerError::Io(path.to_owned(), error))
    }

    /// Makes a resolved directory with its parents; those that exist below get the same attributes here.
    pub(crate) fn make_directories(&self, path: &Path) -> Result<(), LayerError> {
        self.make_directories_with(0o755, path)
    }

    /// The error for something that is no directory where one is needed, with what it is.
    fn in_the_way(&self, path: PathBuf) -> LayerError {
        let own = fs::symlink_metadata(self.draft.join(&path)).is_ok().then(|| self.draft.join(&path));
        let host = own.or_else(|| self.look(&path).ok().flatten().map(|node| node.host));
        LayerError::NotADirectory {
            is: host.map_or_else(|| "something else".to_owned(), |host| what(&host)),
            path,
        }
    }

    /// The directories that a copy makes on the way to its destination. As in BuildKit, an octal `--chmod` is for them
    /// too, without the special bits; a symbolic one is not.
    fn make_destination(&self, path: &Path) -> Result<(), LayerError> {
        let mode = match self.chmod {
            Some(Chmod::Octal(mode)) => mode & 0o777,
            Some(Chmod::Symbolic(_)) | None => 0o755,
        };
        self.make_directories_with(mode, path)
    }

    fn make_directories_with(&self, mode: u32, path: &Path) -> Result<(), LayerError> {
        let mut at = PathBuf::new();
        for name in path.components() {
            at.push(name);
            let here = self.draft.join(&at);
            let error = |error| LayerError::Io(here.clone(), error);
            match fs::symlink_metadata(&here) {
                Ok(meta) if meta.is_dir() => continue,
                Ok(_) => return Err(self.in_the_way(at)),
                Err(failure) if failure.kind() == io::ErrorKind::NotFound => {}
                Err(failure) => return Err(error(failure)),
            }
            match self.look(&at)? {
                Some(node) if node.is_directory() => {
                    fs::create_dir(&here).map_err(error)?;
                    own(&here, node.uid, node.gid).map_err(error)?;
                    fs::set_permissions(&here, fs::Permissions::from_mode(node.mode)).map_err(error)?;
                }
                Some(_) => return Err(self.in_the_way(at)),
                None => {
                    fs::create_dir(&here).map_err(error)?;
                    let (uid, gid) = self.owner.unwrap_or((0, 0));
                    own(&here, uid, gid).map_err(error)?;
                    fs::set_permissions(&here, fs::Permissions::from_mode(mode)).map_err(error)?;
                }
            }
        }
        Ok(())
    }

    /// Where a file called `name`, or a directory's content, goes when `dest` is the destination.
    pub(crate) fn destination(
        &self,
        dest: &str,
        name: &OsString,
        directory: bool,
    ) -> Result<PathBuf, LayerError> {
        let (parent, last) = dest.rsplit_once('/').unwrap_or(("", dest));
        let ensured = if last.is_empty() || last == "." { dest } else { parent };
        self.make_destination(&self.resolve(ensured)?)?;
        let mut at = self.resolve(dest)?;
        let there = self.look(&at)?;
        if directory {
            if there.is_none() {
                self.make_destination(&at)?;
            }
        } else if at.as_os_str().is_empty() || there.is_some_and(|node| node.is_directory()) {
            at.push(name);
        }
        let parent = if directory { Some(at.as_path()) } else { at.parent() };
        if let Some(parent) = parent {
            self.make_destination(parent)?;
        }
        Ok(at)
    }

    /// The digests of the files' bytes that are known from writing them, by path in the layer. Those of files with
    /// capabilities mean nothing.
    pub(crate) fn into_known(self) -> HashMap<PathBuf, Key> {
        self.known
    }

    /// Makes a directory of an archive, which unlike COPY replaces what is there and is no directory.
    pub(crate) fn replace_with_directory(&mut self, path: &Path) -> Result<PathBuf, LayerError> {
        let host = self.draft.join(path);
        let error = |error| LayerError::Io(host.clone(), error);
        if self.look(path)?.is_some_and(|node| !node.is_directory()) {
            if fs::symlink_metadata(&host).is_ok() {
                fs::remove_file(&host).map_err(error)?;
            }
            fs::create_dir(&host).map_err(error)?;
        }
        self.make_directories(path)?;
        self.timed.insert(path.to_owned());
        Ok(host)
    }

    /// Writes a new file with this content, as a heredoc or a download is.
    pub(crate) fn write_content(
        &mut self,
        path: &Path,
        content: &[u8],
        mode: u32,
        mtime: Option<i64>,
    ) -> Result<(), LayerError> {
        let host = self.draft.join(path);
        let error = |error| LayerError::Io(host.clone(), error);
        if self.look(path)?.is_some_and(|node| node.is_directory()) {
            return Err(LayerError::IsADirectory(path.to_owned()));
        }
        match fs::remove_file(&host) {
            Ok(()) => {}
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => {}
            Err(failure) => return Err(error(failure)),
        }
        self.known.remove(path);
        fs::write(&host, content).map_err(error)?;
        let (uid, gid) = self.owner.unwrap_or((0, 0));
        own(&host, uid, gid).map_err(error)?;
        let mode = self.chmod.map_or(mode, |chmod| chmod.apply(mode, false));
        fs::set_permissions(&host, fs::Permissions::from_mode(mode)).map_err(error)?;
        if let Some(seconds) = mtime {
            let at = Timespec { tv_sec: seconds, tv_nsec: 0 };
            let times = Timestamps { last_access: at, last_modification: at };
            utimensat(CWD, &host, &times, AtFlags::empty()).map_err(|errno| error(errno.into()))?;
        }
        Ok(())
    }

    /// Gives the directories that are in the layer only because something deeper is the times that they have below,
    /// as a copy-up of overlayfs does.
    pub(crate) fn keep_times(&self) -> Result<(), LayerError> {
        let mut open = vec![PathBuf::new()];
        while let Some(path) = open.pop() {
            let host = self.draft.join(&path);
            let error = |error| LayerError::Io(host.clone(), error);
            let Some(below) = self.below.lookup(&path, false).map_err(error)? else { continue };
            if !below.is_directory() {
                continue;
            }
            let mut changed = false;
            for entry in fs::read_dir(&host).map_err(error)? {
                let entry = entry.map_err(error)?;
                let name = path.join(entry.file_name());
                let repeated = entry.file_type().map_err(error)?.is_dir()
                    && self
                        .below
                        .lookup(&name, false)
                        .map_err(error)?
                        .is_some_and(|node| node.is_directory());
                changed |= !repeated;
                if repeated {
                    open.push(name);
                }
            }
            if !changed && !self.timed.contains(&path) {
                utimensat(CWD, &host, &times(&below), AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(|errno| error(errno.into()))?;
            }
        }
        Ok(())
    }

    /// The layer's directory on the host.
    pub(crate) fn draft(&self) -> &Path {
        self.draft
    }
}
