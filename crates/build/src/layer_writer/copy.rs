//! Copies files into a layer: first decides what happens to each, then writes them on all processors.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rustix::fs::{AtFlags, CWD, FileType, Mode, XattrFlags, mknodat, utimensat};

use super::{
    LayerWriter,
    attributes::{attributes, times},
    error::LayerError,
};
use crate::{
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

impl LayerWriter<'_> {
    /// Copies the files of one source to `dest`, as a person wrote it.
    pub(crate) fn copy(&mut self, tree: &Tree, picked: &Picked, dest: &str) -> Result<(), LayerError> {
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
                .map_err(|errno| LayerError::Io(host, errno.into()))?;
            self.timed.insert(root);
        }
        Ok(())
    }

    /// The directories of the layers below that make up a resolved path.
    fn parts_below(&self, path: &Path) -> Result<Vec<PathBuf>, LayerError> {
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
    ) -> Result<(), LayerError> {
        let node = &item.node;
        let host = self.draft.join(&target);
        let error = |error| LayerError::Io(host.clone(), error);
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
            return Err(LayerError::IsADirectory(target));
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
    fn write(&mut self, tree: &Tree, batch: Batch<'_>) -> Result<(), LayerError> {
        let context = tree.is_context();
        let threads = thread::available_parallelism().map_or(1, usize::from).min(4);
        let next = AtomicUsize::new(0);
        let taken = Mutex::default();
        let work = || -> Result<Vec<(usize, Key)>, LayerError> {
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
                let parts: Result<Vec<_>, LayerError> = workers
                    .into_iter()
                    .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                    .collect();
                parts.map(|parts| parts.concat())
            })?
        };
        self.known.extend(known.into_iter().map(|(index, key)| (batch.files[index].target.clone(), key)));
        for (first, host) in &batch.links {
            fs::hard_link(first, host).map_err(|error| LayerError::Io(host.clone(), error))?;
        }
        for (node, host) in batch.directories.iter().rev() {
            let (uid, gid) = self.owner_of(node, context);
            let mode = self.chmod.map_or(node.mode, |chmod| chmod.apply(node.mode, true));
            attributes(host, uid, gid, Some(mode), node)
                .map_err(|error| LayerError::Io(host.clone(), error))?;
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
    ) -> Result<Option<Key>, LayerError> {
        let Job { node, host, .. } = job;
        let error = |error| LayerError::Io(host.clone(), error);
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
                let target = fs::read_link(&node.host).map_err(|_| LayerError::Changed(node.host.clone()))?;
                symlink(target, host).map_err(error)?;
                // Its digest is that of the link that was there then.
                if !fs::symlink_metadata(&node.host).is_ok_and(|meta| same_bytes(&meta, node)) {
                    return Err(LayerError::Changed(node.host.clone()));
                }
                return attributes(host, owner.0, owner.1, None, node).map(|()| None).map_err(error);
            }
            Kind::Character if node.device == 0 => return Err(LayerError::Whiteout(job.target.clone())),
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
) -> Result<Option<Key>, LayerError> {
    let Job { node, host, .. } = job;
    let error = |error| LayerError::Io(host.clone(), error);
    let mut from = open_plain(&node.host).map_err(|error| {
        if is_other_now(&error) {
            LayerError::Changed(node.host.clone())
        } else {
            LayerError::Io(node.host.clone(), error)
        }
    })?;
    if !from.metadata().is_ok_and(|meta| meta.is_file()) {
        return Err(LayerError::Changed(node.host.clone()));
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
                Err(failure) => return Err(LayerError::Io(node.host.clone(), failure)),
            }
        }
        bytes = Some(Key::from_bytes(*hash.finalize().as_bytes()));
    }
    let capability = capability(&from);
    let other_bytes = capability.is_none() && bytes.is_some() && job.digest.is_some() && bytes != job.digest;
    if other_bytes || !from.metadata().is_ok_and(|meta| same_bytes(&meta, node)) {
        return Err(LayerError::Changed(node.host.clone()));
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
