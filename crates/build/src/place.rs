//! Writes a layer's directory straight, without a mount, as COPY, ADD and WORKDIR need it.
//!
//! The rules are BuildKit's (its `fsutil/copy`): links on the way to the destination are followed inside the root,
//! missing directories are made with mode 0755, a directory's content goes into the destination, a directory that is
//! there already keeps its attributes, and a directory is never replaced by something else nor the other way round.

mod error;
mod links;

use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, mknodat, utimensat};

use self::links::resolve_below;
pub(crate) use self::{
    error::{PlaceError, what},
    links::resolve,
};
use crate::{
    chmod::Chmod,
    key::Key,
    select::{Item, Picked, capability, is_other_now, open_plain},
    tree::{Kind, Node, Tree, is_opaque, stamp},
};

/// What is read at once.
const BUFFER: usize = 256 << 10;
/// Files that one thread writes: those of one folder follow each other, and only one thread at a time can make a file
/// in a folder.
const TOGETHER: usize = 32;
/// Files from here on are shared with their copy where the file system can.
const WORTH_SHARING: u64 = 1 << 20;

/// A layer being written on top of others.
pub(crate) struct Place<'a> {
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

impl<'a> Place<'a> {
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
    pub(crate) fn resolve(&self, path: &str) -> Result<PathBuf, PlaceError> {
        resolve(&self.merged, Path::new(path))
    }

    /// What `path` means where the resolved directory `root` is the root of all paths, as for an archive that is
    /// unpacked into it.
    pub(crate) fn resolve_below(&self, root: &Path, path: &Path) -> Result<PathBuf, PlaceError> {
        resolve_below(&self.merged, root, path)
    }

    /// What is at a resolved path.
    fn look(&self, path: &Path) -> Result<Option<Node>, PlaceError> {
        self.merged.lookup(path, false).map_err(|error| PlaceError::Io(path.to_owned(), error))
    }

    /// Makes a resolved directory with its parents; those that exist below get the same attributes here.
    pub(crate) fn make_directories(&self, path: &Path) -> Result<(), PlaceError> {
        self.make_directories_with(0o755, path)
    }

    /// The error for something that is no directory where one is needed, with what it is.
    fn in_the_way(&self, path: PathBuf) -> PlaceError {
        let own = fs::symlink_metadata(self.draft.join(&path)).is_ok().then(|| self.draft.join(&path));
        let host = own.or_else(|| self.look(&path).ok().flatten().map(|node| node.host));
        PlaceError::NotADirectory {
            is: host.map_or_else(|| "something else".to_owned(), |host| what(&host)),
            path,
        }
    }

    /// The directories that a copy makes on the way to its destination. As in BuildKit, an octal `--chmod` is for them
    /// too, without the special bits; a symbolic one is not.
    fn make_destination(&self, path: &Path) -> Result<(), PlaceError> {
        let mode = match self.chmod {
            Some(Chmod::Octal(mode)) => mode & 0o777,
            Some(Chmod::Symbolic(_)) | None => 0o755,
        };
        self.make_directories_with(mode, path)
    }

    fn make_directories_with(&self, mode: u32, path: &Path) -> Result<(), PlaceError> {
        let mut at = PathBuf::new();
        for name in path.components() {
            at.push(name);
            let here = self.draft.join(&at);
            let error = |error| PlaceError::Io(here.clone(), error);
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
    ) -> Result<PathBuf, PlaceError> {
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

    /// Copies one source.
    pub(crate) fn copy(&mut self, tree: &Tree, picked: &Picked, dest: &str) -> Result<(), PlaceError> {
        let Some(first) = picked.items.first() else { return Ok(()) };
        let directory = first.path.as_os_str().is_empty() && first.node.is_directory();
        let root = self.destination(dest, &picked.name, directory || !first.path.as_os_str().is_empty())?;
        let mut batch = Batch::default();
        let mut below: HashMap<PathBuf, Vec<PathBuf>> = HashMap::new();
        below.insert(PathBuf::new(), self.parts_below(&root)?);
        for item in &picked.items {
            if item.path.as_os_str().is_empty() && directory {
                continue;
            }
            let target = if item.path.as_os_str().is_empty() { root.clone() } else { root.join(&item.path) };
            let single = item.path.as_os_str().is_empty();
            let there = if single {
                self.look(&target)?
                    .filter(|node| !node.host.starts_with(self.draft))
                    .map(|node| node.is_directory())
            } else {
                let parent = item.path.parent().unwrap_or(Path::new(""));
                let parts = below.get(parent).map_or(&[][..], Vec::as_slice);
                let name = item.path.file_name().unwrap_or_default();
                let found = beneath(parts, Path::new(name));
                match &found {
                    Beneath::Directory(parts) => {
                        if item.node.is_directory() {
                            below.insert(item.path.clone(), parts.clone());
                        }
                        Some(true)
                    }
                    Beneath::Other => Some(false),
                    Beneath::Nothing => None,
                }
            };
            self.plan(tree, item, target, there, &mut batch)?;
        }
        self.write(tree, batch)?;
        // As in BuildKit, the directory that takes a directory's content takes its time too. The context's own
        // directory has none.
        if directory && !first.node.path.as_os_str().is_empty() {
            let host = self.draft.join(&root);
            utimensat(CWD, &host, &times(&first.node), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|errno| PlaceError::Io(host, errno.into()))?;
            self.timed.insert(root);
        }
        Ok(())
    }

    /// Gives the directories that are in the layer only because something deeper is the times that they have below,
    /// as a copy-up of overlayfs does.
    pub(crate) fn keep_times(&self) -> Result<(), PlaceError> {
        let mut open = vec![PathBuf::new()];
        while let Some(path) = open.pop() {
            let host = self.draft.join(&path);
            let error = |error| PlaceError::Io(host.clone(), error);
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

    /// The directories of the layers below that make up a resolved path.
    fn parts_below(&self, path: &Path) -> Result<Vec<PathBuf>, PlaceError> {
        let node = self.look(path)?;
        let parts = node.map(|node| node.parts).unwrap_or_default();
        Ok(parts.into_iter().filter(|part| !part.starts_with(self.draft)).collect())
    }

    /// Decides what happens to one file; directories are made at once.
    fn plan<'n>(
        &mut self,
        tree: &Tree,
        item: &'n Item,
        target: PathBuf,
        below: Option<bool>,
        batch: &mut Batch<'n>,
    ) -> Result<(), PlaceError> {
        let node = &item.node;
        let host = self.draft.join(&target);
        let error = |error| PlaceError::Io(host.clone(), error);
        let here = match fs::symlink_metadata(&host) {
            Ok(meta) => Some(meta.is_dir()),
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => None,
            Err(failure) => return Err(error(failure)),
        };
        let there = here.or(below);
        if node.is_directory() {
            if there == Some(false) {
                return Err(self.in_the_way(target));
            }
            if here.is_none() {
                fs::create_dir(&host).map_err(error)?;
            }
            batch.directories.push((node, host));
            self.timed.insert(target);
            return Ok(());
        }
        if there == Some(true) {
            return Err(PlaceError::IsADirectory(target));
        }
        if here.is_some() {
            fs::remove_file(&host).map_err(error)?;
            self.known.remove(&target);
        }
        let inode = (node.stamp.device, node.stamp.inode);
        if node.kind == Kind::File && node.links > 1 && tree.is_context() {
            if let Some(first) = batch.names.get(&inode) {
                batch.links.push((first.clone(), host));
                return Ok(());
            }
            batch.names.insert(inode, host.clone());
        }
        let linkable =
            self.may_link && !tree.is_context() && node.kind == Kind::File && self.keeps_attributes(node);
        let link = linkable && !self.linked.contains(&inode);
        if link {
            batch.linked.push(inode);
        }
        let kept = self.previous.filter(|_| item.kept && self.may_link && node.kind == Kind::File);
        let kept = kept.map(|previous| previous.join(&target));
        batch.files.push(Job { node, digest: item.digest, host, target, link, kept });
        Ok(())
    }

    /// Whether a copy of `node` has the same attributes, so that it may be the same file.
    fn keeps_attributes(&self, node: &Node) -> bool {
        self.owner.is_none_or(|owner| owner == (node.uid, node.gid))
            && self.chmod.is_none_or(|chmod| chmod.apply(node.mode, false) == node.mode)
    }

    /// Writes the files, on all processors, then gives the directories their attributes.
    fn write(&mut self, tree: &Tree, batch: Batch<'_>) -> Result<(), PlaceError> {
        let context = tree.is_context();
        let threads = thread::available_parallelism().map_or(1, usize::from).min(4);
        let next = AtomicUsize::new(0);
        let taken = Mutex::default();
        let work = || -> Result<Vec<(usize, Key)>, PlaceError> {
            let mut buffer = vec![0; BUFFER];
            let mut known = Vec::new();
            loop {
                let start = next.fetch_add(TOGETHER, Ordering::Relaxed);
                let Some(jobs) = batch.files.get(start..) else { return Ok(known) };
                if jobs.is_empty() {
                    return Ok(known);
                }
                for (index, job) in jobs.iter().take(TOGETHER).enumerate() {
                    let digest = self.write_one(job, context, &taken, &mut buffer)?;
                    known.extend(digest.map(|digest| (start + index, digest)));
                }
            }
        };
        let known = if batch.files.len() < 64 || threads < 2 {
            work()?
        } else {
            thread::scope(|scope| {
                let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
                let parts: Result<Vec<_>, PlaceError> = workers
                    .into_iter()
                    .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                    .collect();
                parts.map(|parts| parts.concat())
            })?
        };
        self.known.extend(known.into_iter().map(|(index, key)| (batch.files[index].target.clone(), key)));
        for (first, host) in &batch.links {
            fs::hard_link(first, host).map_err(|error| PlaceError::Io(host.clone(), error))?;
        }
        for (node, host) in batch.directories.iter().rev() {
            let (uid, gid) = self.owner_of(node, context);
            let mode = self.chmod.map_or(node.mode, |chmod| chmod.apply(node.mode, true));
            attributes(host, uid, gid, Some(mode), node)
                .map_err(|error| PlaceError::Io(host.clone(), error))?;
        }
        self.linked.extend(batch.linked);
        Ok(())
    }

    fn owner_of(&self, node: &Node, context: bool) -> (u32, u32) {
        self.owner.unwrap_or(if context { (0, 0) } else { (node.uid, node.gid) })
    }

    /// Writes one file; gives the digest of its bytes when writing it told.
    fn write_one(
        &self,
        job: &Job<'_>,
        context: bool,
        taken: &Mutex<HashSet<(u64, u64)>>,
        buffer: &mut [u8],
    ) -> Result<Option<Key>, PlaceError> {
        let Job { node, host, .. } = job;
        let error = |error| PlaceError::Io(host.clone(), error);
        // A file system may not link (another device) or have too many links to one file.
        if job.link && fs::hard_link(&node.host, host).is_ok() {
            return Ok(job.digest);
        }
        let owner = self.owner_of(node, context);
        let mode = self.chmod.map_or(node.mode, |chmod| chmod.apply(node.mode, false));
        if let Some(kept) = &job.kept
            && self.keep(kept, host, node, owner, mode, taken)
        {
            return Ok(job.digest);
        }
        match node.kind {
            Kind::File => return write_file(job, owner, mode, buffer),
            Kind::Symlink => {
                let target = fs::read_link(&node.host).map_err(|_| PlaceError::Changed(node.host.clone()))?;
                symlink(target, host).map_err(error)?;
                // Its digest is that of the link that was there then.
                if !fs::symlink_metadata(&node.host).is_ok_and(|meta| same_bytes(&meta, node)) {
                    return Err(PlaceError::Changed(node.host.clone()));
                }
                return attributes(host, owner.0, owner.1, None, node).map(|()| None).map_err(error);
            }
            Kind::Character if node.device == 0 => return Err(PlaceError::Whiteout(job.target.clone())),
            Kind::Fifo => mknodat(CWD, host, FileType::Fifo, Mode::from_raw_mode(mode), 0),
            Kind::Character => {
                mknodat(CWD, host, FileType::CharacterDevice, Mode::from_raw_mode(mode), node.device)
            }
            Kind::Block => mknodat(CWD, host, FileType::BlockDevice, Mode::from_raw_mode(mode), node.device),
            // As in BuildKit, a socket of the context arrives as an empty file. No layer has any.
            Kind::Socket if context => {
                File::create_new(host).map_err(error)?;
                Ok(())
            }
            Kind::Socket | Kind::Directory => return Ok(None),
        }
        .map_err(|errno| error(errno.into()))?;
        attributes(host, owner.0, owner.1, Some(mode), node).map(|()| None).map_err(error)
    }

    /// Links a file of the step's last layer, if all that the content's digest does not cover is equal too; of the time
    /// that is what the layer's tar has. No file of it is `taken` twice: two names of one file are another layer than
    /// two files.
    fn keep(
        &self,
        kept: &Path,
        host: &Path,
        node: &Node,
        owner: (u32, u32),
        mode: u32,
        taken: &Mutex<HashSet<(u64, u64)>>,
    ) -> bool {
        let Ok(meta) = fs::symlink_metadata(kept) else { return false };
        let there = stamp(&meta);
        let late = |time: i64| self.epoch.is_some_and(|epoch| time >= epoch);
        meta.is_file()
            && there.size == node.stamp.size
            && (there.mtime == node.stamp.mtime || (late(there.mtime.0) && late(node.stamp.mtime.0)))
            && meta.mode() & 0o7777 == mode
            && plimsoll_image::owner_of(kept, &meta) == owner
            && taken.lock().unwrap_or_else(PoisonError::into_inner).insert((there.device, there.inode))
            && fs::hard_link(kept, host).is_ok()
    }

    /// The digests of the files' bytes that are known from writing them, by path in the layer. Those of files with
    /// capabilities mean nothing.
    pub(crate) fn into_known(self) -> HashMap<PathBuf, Key> {
        self.known
    }

    /// Makes a directory of an archive, which unlike COPY replaces what is there and is no directory.
    pub(crate) fn replace_with_directory(&mut self, path: &Path) -> Result<PathBuf, PlaceError> {
        let host = self.draft.join(path);
        let error = |error| PlaceError::Io(host.clone(), error);
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
    ) -> Result<(), PlaceError> {
        let host = self.draft.join(path);
        let error = |error| PlaceError::Io(host.clone(), error);
        if self.look(path)?.is_some_and(|node| node.is_directory()) {
            return Err(PlaceError::IsADirectory(path.to_owned()));
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

    /// The layer's directory on the host.
    pub(crate) fn draft(&self) -> &Path {
        self.draft
    }
}

#[derive(Default)]
struct Batch<'n> {
    directories: Vec<(&'n Node, PathBuf)>,
    files: Vec<Job<'n>>,
    /// Further names of files in `files`.
    links: Vec<(PathBuf, PathBuf)>,
    names: HashMap<(u64, u64), PathBuf>,
    linked: Vec<(u64, u64)>,
}

struct Job<'n> {
    node: &'n Node,
    digest: Option<Key>,
    host: PathBuf,
    /// In the layer.
    target: PathBuf,
    link: bool,
    /// The same file in the step's last layer.
    kept: Option<PathBuf>,
}

/// Copies a regular file and its attributes. Its bytes are digested on the way, so that they are those that the step's
/// key was made of.
fn write_file(
    job: &Job<'_>,
    owner: (u32, u32),
    mode: u32,
    buffer: &mut [u8],
) -> Result<Option<Key>, PlaceError> {
    let Job { node, host, .. } = job;
    let error = |error| PlaceError::Io(host.clone(), error);
    let mut from = open_plain(&node.host).map_err(|error| {
        if is_other_now(&error) {
            PlaceError::Changed(node.host.clone())
        } else {
            PlaceError::Io(node.host.clone(), error)
        }
    })?;
    if !from.metadata().is_ok_and(|meta| meta.is_file()) {
        return Err(PlaceError::Changed(node.host.clone()));
    }
    let mut to = File::options().write(true).create_new(true).mode(0o600).open(host).map_err(error)?;
    // Btrfs and XFS share the bytes of large files.
    // Shared bytes are not looked at, so nothing may have been written since their digest was made.
    let as_digested = || from.metadata().is_ok_and(|meta| stamp(&meta) == node.stamp);
    let shared = node.stamp.size >= WORTH_SHARING
        && as_digested()
        && rustix::fs::ioctl_ficlone(&to, &from).is_ok()
        && (as_digested() || to.set_len(0).is_err());
    let mut bytes = None;
    if !shared {
        let mut hash = blake3::Hasher::new();
        loop {
            match from.read(buffer) {
                Ok(0) => break,
                Ok(read) => {
                    hash.update(&buffer[..read]);
                    to.write_all(&buffer[..read]).map_err(error)?;
                }
                Err(failure) if failure.kind() == io::ErrorKind::Interrupted => {}
                Err(failure) => return Err(PlaceError::Io(node.host.clone(), failure)),
            }
        }
        bytes = Some(Key::from_bytes(*hash.finalize().as_bytes()));
    }
    let capability = capability(&from);
    let other_bytes = capability.is_none() && bytes.is_some() && job.digest.is_some() && bytes != job.digest;
    if other_bytes || !from.metadata().is_ok_and(|meta| same_bytes(&meta, node)) {
        return Err(PlaceError::Changed(node.host.clone()));
    }
    if owner != (0, 0) {
        plimsoll_image::set_owner(host, owner.0, owner.1).map_err(error)?;
    }
    rustix::fs::fchmod(&to, Mode::from_raw_mode(mode)).map_err(|errno| error(errno.into()))?;
    // After chown, which clears it.
    if let Some(capability) = capability {
        rustix::fs::fsetxattr(&to, "security.capability", &capability, XattrFlags::empty())
            .map_err(|errno| error(errno.into()))?;
    }
    rustix::fs::futimens(&to, &times(node)).map_err(|errno| error(errno.into()))?;
    Ok(bytes)
}

enum Beneath {
    Nothing,
    Directory(Vec<PathBuf>),
    Other,
}

/// What lies at `name` in a directory that consists of `parts`.
fn beneath(parts: &[PathBuf], name: &Path) -> Beneath {
    let mut found = Vec::new();
    for part in parts {
        let path = part.join(name);
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if meta.is_dir() {
            let opaque = is_opaque(&path);
            found.push(path);
            if opaque {
                break;
            }
        } else {
            let whiteout = meta.mode() & 0o170_000 == 0o020_000 && meta.rdev() == 0;
            if found.is_empty() && !whiteout {
                return Beneath::Other;
            }
            break;
        }
    }
    if found.is_empty() { Beneath::Nothing } else { Beneath::Directory(found) }
}

/// A hard link made by a concurrent build changes the ctime, but not the bytes.
fn same_bytes(meta: &fs::Metadata, node: &Node) -> bool {
    let now = stamp(meta);
    now.size == node.stamp.size && now.mtime == node.stamp.mtime && now.inode == node.stamp.inode
}

fn times(node: &Node) -> Timestamps {
    let at = Timespec { tv_sec: node.stamp.mtime.0, tv_nsec: node.stamp.mtime.1.into() };
    Timestamps { last_access: at, last_modification: at }
}

fn own(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    if (uid, gid) == (0, 0) {
        return Ok(());
    }
    plimsoll_image::set_owner(path, uid, gid)
}

/// Owner, then mode (chown clears set-user-id), then time.
fn attributes(path: &Path, uid: u32, gid: u32, mode: Option<u32>, node: &Node) -> io::Result<()> {
    own(path, uid, gid)?;
    if let Some(mode) = mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    utimensat(CWD, path, &times(node), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}
