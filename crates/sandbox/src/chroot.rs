//! Steps without namespaces: in a container that grants none, a step runs by `chroot` on a copy of its files.
//!
//! What it writes is found by comparing the copy before and after, and moved into the upper directory as overlay would
//! have left it. Nodes of devices are left out of the copy, and the step may make none. There is no `/proc`, no `/sys`, no network of its own and no confinement beside that of the container
//! around it; mounts are copies, put in before and taken out after. The step's log says so.

use std::{
    collections::BTreeMap,
    fs, io,
    os::{
        fd::AsRawFd as _,
        unix::{
            fs::{MetadataExt as _, PermissionsExt as _, lchown, symlink},
            net::UnixStream,
        },
    },
    path::{Component, Path, PathBuf},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        stat::{Mode as NodeMode, SFlag, makedev, mknod},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{ForkResult, Pid, fork},
};
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, Timespec, Timestamps, XattrFlags, openat2, utimensat,
};

use crate::{
    cgroup::Cgroup,
    failure::{Context as _, Failure},
    init::{self, Stdin},
    mounts::{DEVICES, hosts_file},
    privileges::Around,
    process::{MountKind, Network, Process},
    wait::wait,
    wire::{self, Report},
};

/// Runs the step; `reason` is why there are no namespaces.
pub(crate) fn contain(
    step: &Process,
    stdin: Stdin,
    socket: &UnixStream,
    group: &Cgroup,
    reason: &str,
) -> Result<WaitStatus, Failure> {
    if step.network == Network::None {
        return Err(Failure {
            what: "cannot take the network away from a step".to_owned(),
            cause: format!("no namespaces can be made here ({reason})"),
        });
    }
    eprintln!(
        "note: no namespaces can be made here ({reason}): this step runs by chroot on a copy of its files, without /proc and \
         without a network of its own"
    );
    let root = step.root.work.join("root");
    let what = || format!("cannot copy the step's files to {}", root.display());
    fs::create_dir(&root).context(what)?;
    for lower in step.root.lowers.iter().rev() {
        lay_over(lower, &root).context(what)?;
    }
    copy_attributes(&step.root.upper, &root).context(what)?;
    let mut before = survey(&root).context(what)?;
    let mut guests = Guests { root: root.clone(), taken: Vec::new() };
    let prepared = guests.bring(step);
    let status = prepared.and_then(|()| run(step, stdin, socket, group, &root));
    // Whatever happened, a cache goes back to where it belongs.
    let restored = guests.leave()?;
    let status = status?;
    for path in restored {
        // Moving it away and back is no change.
        let meta = fs::symlink_metadata(root.join(&path)).context(what)?;
        before.insert(path, Seen::of(&meta));
    }
    collect(&root, &step.root.upper, &before)
        .context(|| format!("cannot collect what the step wrote in {}", root.display()))?;
    Ok(status)
}

fn run(
    step: &Process,
    stdin: Stdin,
    socket: &UnixStream,
    group: &Cgroup,
    root: &Path,
) -> Result<WaitStatus, Failure> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .context(|| "cannot collect the step's processes".to_owned())?;
    wire::send(socket, &Report::Mounted(Vec::new())).context(|| "cannot report to the caller".to_owned())?;
    // SAFETY: this process has one thread, so the child may allocate and take locks.
    match unsafe { fork() }.context(|| "cannot fork".to_owned())? {
        ForkResult::Child => {
            group.enter();
            init::become_command_in(step, &stdin, socket, root)
        }
        ForkResult::Parent { child } => {
            drop(stdin);
            let status = wait(child, socket);
            group.kill();
            end_orphans();
            status
        }
    }
}

/// There is no namespace whose end would end them: what the command left running is ours now.
fn end_orphans() {
    for _ in 0..1000 {
        let children = fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
        for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
        }
        if waitpid(None::<Pid>, None::<WaitPidFlag>).is_err() {
            return;
        }
    }
}

/// Copies a layer over what is there.
fn lay_over(layer: &Path, target: &Path) -> io::Result<()> {
    let mut links = BTreeMap::new();
    copy_children(layer, target, &mut links)?;
    copy_attributes(layer, target)
}

type Links = BTreeMap<(u64, u64), PathBuf>;

fn copy_children(from: &Path, to: &Path, links: &mut Links) -> io::Result<()> {
    for child in fs::read_dir(from)? {
        let child = child?;
        copy_one(&child.path(), &to.join(child.file_name()), links)?;
    }
    Ok(())
}

/// Copies one name, a directory with what is in it; a whiteout takes away.
fn copy_one(from: &Path, to: &Path, links: &mut Links) -> io::Result<()> {
    let meta = fs::symlink_metadata(from)?;
    let there = match fs::symlink_metadata(to) {
        Ok(there) => Some(there),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let is_device = |meta: &fs::Metadata| meta.mode() & 0o170_000 == 0o020_000;
    if is_device(&meta) && meta.rdev() == 0 {
        return there.map_or(Ok(()), |there| remove(to, &there));
    }
    let merges = meta.is_dir() && there.as_ref().is_some_and(fs::Metadata::is_dir);
    if let Some(there) = &there
        && (!merges || crate::stubs::is_opaque(from))
    {
        remove(to, there)?;
    }
    if meta.is_dir() {
        if fs::symlink_metadata(to).is_err() {
            fs::create_dir(to)?;
        }
        copy_children(from, to, links)?;
    } else if let Some(first) = links.get(&(meta.dev(), meta.ino())).filter(|_| meta.nlink() > 1) {
        return fs::hard_link(first, to);
    } else if meta.is_file() {
        fs::copy(from, to)?;
    } else if meta.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
    } else if is_node(&meta) {
        // There is no mount here that could say `nodev`: a step never sees a node that an image or a context brings.
        return Ok(());
    } else {
        let kind = SFlag::from_bits_truncate(meta.mode() & 0o170_000);
        mknod(to, kind, NodeMode::from_bits_truncate(meta.mode() & 0o7777), meta.rdev())?;
    }
    if meta.nlink() > 1 && !meta.is_dir() {
        links.insert((meta.dev(), meta.ino()), to.to_owned());
    }
    copy_attributes(from, to)
}

/// Whether it is the node of a device, of either kind.
fn is_node(meta: &fs::Metadata) -> bool {
    matches!(meta.mode() & 0o170_000, 0o020_000 | 0o060_000)
}

/// Refuses a directory of the host in which a step of another kind left a node.
fn without_nodes(directory: &Path) -> io::Result<()> {
    let mut todo = vec![directory.to_owned()];
    while let Some(path) = todo.pop() {
        let meta = fs::symlink_metadata(&path)?;
        if is_node(&meta) {
            let text =
                format!("{} is the node of a device, and nothing here could keep it shut", path.display());
            return Err(io::Error::other(text));
        }
        if meta.is_dir() {
            for child in fs::read_dir(&path)? {
                todo.push(child?.path());
            }
        }
    }
    Ok(())
}

fn remove(path: &Path, meta: &fs::Metadata) -> io::Result<()> {
    if meta.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// Owner, then what changing it clears, then the time.
fn copy_attributes(from: &Path, to: &Path) -> io::Result<()> {
    let meta = fs::symlink_metadata(from)?;
    lchown(to, Some(meta.uid()), Some(meta.gid()))?;
    if !meta.is_symlink() {
        fs::set_permissions(to, fs::Permissions::from_mode(meta.mode() & 0o7777))?;
    }
    if meta.is_file() {
        let mut value = [0; 64];
        if let Ok(length) = rustix::fs::lgetxattr(from, "security.capability", &mut value) {
            rustix::fs::lsetxattr(to, "security.capability", &value[..length], XattrFlags::empty())?;
        }
    }
    set_time(to, meta.mtime(), meta.mtime_nsec())
}

fn set_time(path: &Path, seconds: i64, nanoseconds: i64) -> io::Result<()> {
    let at = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: at, last_modification: at };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// What a name was before the step. A directory's ctime is left out: mount points come and go in it.
#[derive(PartialEq, Eq)]
struct Seen {
    inode: u64,
    mode: u32,
    owner: (u32, u32),
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl Seen {
    fn of(meta: &fs::Metadata) -> Self {
        let directory = meta.is_dir();
        Self {
            inode: meta.ino(),
            mode: meta.mode(),
            owner: (meta.uid(), meta.gid()),
            size: if directory { 0 } else { meta.len() },
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: if directory { (0, 0) } else { (meta.ctime(), meta.ctime_nsec()) },
        }
    }
}

/// Every name below `root`.
fn survey(root: &Path) -> io::Result<BTreeMap<PathBuf, Seen>> {
    let mut seen = BTreeMap::new();
    let mut todo = vec![PathBuf::new()];
    while let Some(directory) = todo.pop() {
        for child in fs::read_dir(root.join(&directory))? {
            let child = child?;
            let path = directory.join(child.file_name());
            let meta = fs::symlink_metadata(child.path())?;
            if meta.is_dir() {
                todo.push(path.clone());
            }
            seen.insert(path, Seen::of(&meta));
        }
    }
    Ok(seen)
}

/// Moves what is new or different into `upper`, and notes there what is gone.
fn collect(root: &Path, upper: &Path, before: &BTreeMap<PathBuf, Seen>) -> io::Result<()> {
    let after = survey(root)?;
    let mut directories = Vec::new();
    // In order of paths: parents first.
    for (path, seen) in &after {
        if before.get(path) == Some(seen) {
            continue;
        }
        let (from, to) = (root.join(path), upper.join(path));
        make_parents(root, upper, path, &mut directories)?;
        if fs::symlink_metadata(&from)?.is_dir() {
            if !to.exists() {
                fs::create_dir(&to)?;
                directories.push(path.clone());
            }
        } else {
            fs::rename(&from, &to)?;
        }
    }
    for path in before.keys().filter(|path| !after.contains_key(*path)) {
        let parent = path.parent().unwrap_or(Path::new(""));
        // What is below something that is gone, or is no directory any more, needs no note.
        let is_directory = |meta: fs::Metadata| meta.is_dir();
        if !parent.as_os_str().is_empty() && !after.contains_key(parent)
            || !fs::symlink_metadata(root.join(parent)).is_ok_and(is_directory)
        {
            continue;
        }
        make_parents(root, upper, path, &mut directories)?;
        mknod(&upper.join(path), SFlag::S_IFCHR, NodeMode::empty(), makedev(0, 0))?;
    }
    // Last, and the deepest first: every new name changes a directory's time.
    for path in directories.iter().rev() {
        copy_attributes(&root.join(path), &upper.join(path))?;
        if let Some(seen) = after.get(path) {
            // Moving files out changed the time in the root.
            set_time(&upper.join(path), seen.mtime.0, seen.mtime.1)?;
        }
    }
    let meta = fs::symlink_metadata(root)?;
    set_time(upper, meta.mtime(), meta.mtime_nsec())
}

/// Where `path` leads when `root` is the root: links stay inside. Its last name may be missing.
fn inside(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let directory = rustix::fs::open(root, flags, Mode::empty())?;
    let open = |path: &Path| -> io::Result<PathBuf> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let opened = openat2(&directory, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)?;
        fs::read_link(format!("/proc/self/fd/{}", opened.as_raw_fd()))
    };
    match (open(path), path.parent(), path.file_name()) {
        (Err(error), Some(parent), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
            Ok(open(parent)?.join(name))
        }
        (done, ..) => done,
    }
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// Makes the directories above `path` as copies of those in `root`.
fn make_parents(root: &Path, upper: &Path, path: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut at = PathBuf::new();
    let parents = path.parent().unwrap_or(Path::new(""));
    for part in parents.components() {
        at.push(part);
        let target = upper.join(&at);
        if fs::symlink_metadata(&target).is_err() {
            fs::create_dir(&target)?;
            copy_attributes(&root.join(&at), &target)?;
            made.push(at.clone());
        }
    }
    Ok(())
}

/// What is in the root for the time of the step only.
struct Guests {
    root: PathBuf,
    taken: Vec<Guest>,
}

struct Guest {
    /// Where it is.
    place: PathBuf,
    /// What was there before, and where that waits.
    aside: Option<PathBuf>,
    /// Where it goes back to; without it, it is removed.
    home: Option<PathBuf>,
    /// A directory that only leads to another guest.
    way: bool,
    /// The directory around it, and its time before.
    parent: (PathBuf, i64, i64),
}

impl Guests {
    /// Puts everything that a step sees beside its root into it.
    fn bring(&mut self, step: &Process) -> Result<(), Failure> {
        let names = fs::read("/etc/resolv.conf").unwrap_or_default();
        self.file(Path::new("/etc/resolv.conf"), &names, 0o644, (0, 0))?;
        let hosts = hosts_file(step, Around::Chroot);
        self.file(Path::new("/etc/hosts"), hosts.as_bytes(), 0o644, (0, 0))?;
        self.devices()?;
        for mount in &step.mounts {
            let target = &mount.target;
            let what = || format!("cannot put something on {}", target.display());
            match &mount.kind {
                MountKind::Bind { source, read_only: false } => {
                    without_nodes(source).context(what)?;
                    let place = self.free(target, Some(source.clone()))?;
                    fs::rename(source, place).context(what)?;
                }
                MountKind::Bind { source, read_only: true } => {
                    let place = self.free(target, None)?;
                    copy_one(source, &place, &mut Links::new()).context(what)?;
                }
                MountKind::Layers { lowers, subpath, .. } => {
                    let place = self.free(target, None)?;
                    let whole = self.root.with_file_name(format!("mount-{}", self.taken.len()));
                    fs::create_dir(&whole).context(what)?;
                    for lower in lowers.iter().rev() {
                        lay_over(lower, &whole).context(what)?;
                    }
                    fs::rename(inside(&whole, subpath).context(what)?, place).context(what)?;
                }
                MountKind::Tmpfs { mode, .. } => {
                    let place = self.free(target, None)?;
                    fs::create_dir(&place).context(what)?;
                    fs::set_permissions(&place, fs::Permissions::from_mode(*mode)).context(what)?;
                }
                MountKind::File { content, mode, uid, gid } => {
                    self.file(target, content, *mode, (*uid, *gid))?;
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, target: &Path, content: &[u8], mode: u32, owner: (u32, u32)) -> Result<(), Failure> {
        let place = self.free(target, None)?;
        fs::write(&place, content)
            .and_then(|()| lchown(&place, Some(owner.0), Some(owner.1)))
            .and_then(|()| fs::set_permissions(&place, fs::Permissions::from_mode(mode)))
            .context(|| format!("cannot write {}", target.display()))
    }

    /// The devices that nearly every program wants. Where none can be made, an empty file takes what is written.
    fn devices(&mut self) -> Result<(), Failure> {
        for (name, major, minor) in DEVICES {
            let target = Path::new("/dev").join(name);
            let place = self.free(&target, None)?;
            let mode = NodeMode::from_bits_truncate(0o666);
            mknod(&place, SFlag::S_IFCHR, mode, makedev(major, minor))
                .map_err(io::Error::from)
                .or_else(|_| fs::write(&place, ""))
                .and_then(|()| fs::set_permissions(&place, fs::Permissions::from_mode(0o666)))
                .context(|| format!("cannot make {}", target.display()))?;
        }
        Ok(())
    }

    /// Makes room at `target`, whose parents may be links inside the root.
    fn free(&mut self, target: &Path, home: Option<PathBuf>) -> Result<PathBuf, Failure> {
        let what = || format!("cannot make room at {}", target.display());
        let name =
            target.file_name().ok_or_else(|| Failure { what: what(), cause: "it has no name".to_owned() })?;
        let mut parent = self.root.clone();
        for part in target.parent().unwrap_or(Path::new("/")).components() {
            let Component::Normal(part) = part else { continue };
            let next = inside(&self.root, &relative(&self.root, &parent).join(part)).context(what)?;
            if fs::symlink_metadata(&next).is_err() {
                self.note(&next, None, true).context(what)?;
                fs::create_dir(&next).context(what)?;
            }
            parent = next;
        }
        let place = inside(&self.root, &relative(&self.root, &parent).join(name)).context(what)?;
        self.note(&place, home, false).context(what)?;
        if fs::symlink_metadata(&place).is_ok() {
            // Beside the root and not in it, so that no comparison sees it.
            let aside = self.root.with_file_name(format!("aside-{}", self.taken.len()));
            fs::rename(&place, &aside).context(what)?;
            if let Some(guest) = self.taken.last_mut() {
                guest.aside = Some(aside);
            }
        }
        Ok(place)
    }

    fn note(&mut self, place: &Path, home: Option<PathBuf>, way: bool) -> io::Result<()> {
        let parent = place.parent().unwrap_or(&self.root).to_owned();
        let meta = fs::symlink_metadata(&parent)?;
        let parent = (parent, meta.mtime(), meta.mtime_nsec());
        self.taken.push(Guest { place: place.to_owned(), aside: None, home, way, parent });
        Ok(())
    }

    /// Takes everything out again, the last first; names what is there as before. A directory into which the step wrote beside its mount stays.
    fn leave(self) -> Result<Vec<PathBuf>, Failure> {
        let mut restored = Vec::new();
        for guest in self.taken.iter().rev() {
            let what = || format!("cannot take {} away", guest.place.display());
            let there = fs::symlink_metadata(&guest.place);
            match (&guest.home, there) {
                (Some(home), Ok(_)) => fs::rename(&guest.place, home).context(what)?,
                (None, Ok(meta)) => {
                    if guest.way {
                        // Not empty: the step used it.
                        if fs::remove_dir(&guest.place).is_err() {
                            continue;
                        }
                    } else {
                        remove(&guest.place, &meta).context(what)?;
                    }
                }
                (_, Err(_)) => {}
            }
            if let Some(aside) = &guest.aside {
                fs::rename(aside, &guest.place).context(what)?;
                restored.push(relative(&self.root, &guest.place));
            }
            let (parent, seconds, nanoseconds) = &guest.parent;
            let _ = set_time(parent, *seconds, *nanoseconds);
        }
        Ok(restored)
    }
}
