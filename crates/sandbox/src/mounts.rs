//! What a step sees beside its root: `/proc`, `/dev`, `/sys`, the name files, and the mounts it asked for.

use std::{
    fs, io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::{PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
};

use nix::{
    libc,
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::stat::{Mode as NodeMode, SFlag, makedev, mknod},
};
use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat2},
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create, fsmount,
        fsopen, move_mount, open_tree,
    },
};

use crate::{
    failure::{Context as _, Failure},
    network::{HOST_GATEWAY, resolv_conf},
    overlay,
    privileges::Around,
    process::{ExtraHost, MountKind, Network, Process, Security},
    rootless, stubs,
    wire::Stub,
};

/// A mount that is attached once the root is in place; its source lies outside of the root.
pub(crate) struct Prepared {
    target: PathBuf,
    source: Source,
}

enum Source {
    Tree { tree: OwnedFd, directory: bool },
    Tmpfs { options: String },
    File(FileContent),
}

struct FileContent {
    content: Vec<u8>,
    mode: u32,
    uid: u32,
    gid: u32,
}

/// Opens every source while the host's files are still in sight, and mounts the root. Ends inside the root.
pub(crate) fn enter(step: &Process) -> Result<(Vec<Prepared>, Host), Failure> {
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .context(|| "cannot make the mounts private".to_owned())?;
    let mut prepared = vec![name_resolution(step.network), host_names(step)];
    let devices = device_wall(step.security);
    for mount in &step.mounts {
        let source = prepare(&mount.kind, &step.root.work, devices).map_err(|failure| Failure {
            what: format!("{} for {}", failure.what, mount.target.display()),
            ..failure
        })?;
        prepared.push(Prepared { target: mount.target.clone(), source });
    }
    let host = Host::open()?;
    let root = &step.root;
    overlay::mount_layers(&root.lowers, Some((&root.upper, &root.work)), &root.work)?;
    let what = || format!("cannot make {} the root", root.work.display());
    nix::unistd::chdir(&root.work).context(what)?;
    restrict(rustix::fs::open(".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).context(what)?, devices)
        .context(what)?;
    // With the same directory twice, the old root ends up on top of the new one, to be taken away.
    nix::unistd::pivot_root(".", ".").context(what)?;
    umount2(".", MntFlags::MNT_DETACH).context(what)?;
    nix::unistd::chdir("/").context(what)?;
    Ok((prepared, host))
}

fn name_resolution(network: Network) -> Prepared {
    // A host without the file resolves by other means; the step then sees an empty one.
    let mut content = fs::read("/etc/resolv.conf").unwrap_or_default();
    if network == Network::Own {
        content = resolv_conf(&String::from_utf8_lossy(&content)).into_bytes();
    }
    file("/etc/resolv.conf", content)
}

fn host_names(step: &Process) -> Prepared {
    file("/etc/hosts", hosts_file(step, Around::Namespaces).into_bytes())
}

/// The text of `/etc/hosts`.
pub(crate) fn hosts_file(step: &Process, around: Around) -> String {
    let hostname = &step.hostname;
    let shared = around == Around::Chroot || step.network == Network::Host;
    let gateway = if shared { "127.0.0.1".to_owned() } else { HOST_GATEWAY.to_string() };
    let mut text = format!("127.0.0.1\tlocalhost {hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    for host in &step.hosts {
        let address = if host.address == ExtraHost::GATEWAY { &gateway } else { &host.address };
        text.push_str(&format!("{address}\t{}\n", host.name));
    }
    text
}

fn file(target: &str, content: Vec<u8>) -> Prepared {
    let content = FileContent { content, mode: 0o644, uid: 0, gid: 0 };
    Prepared { target: PathBuf::from(target), source: Source::File(content) }
}

/// `place` is a directory that may be mounted over for a moment.
fn prepare(kind: &MountKind, place: &Path, devices: u64) -> Result<Source, Failure> {
    match kind {
        MountKind::Bind { source, read_only } => {
            let what = || format!("cannot bind {}", source.display());
            let directory = fs::metadata(source).context(what)?.is_dir();
            let flags = OpenTreeFlags::OPEN_TREE_CLONE
                | OpenTreeFlags::OPEN_TREE_CLOEXEC
                | OpenTreeFlags::AT_RECURSIVE;
            let tree = open_tree(CWD, source, flags).context(what)?;
            restrict(&tree, devices | if *read_only { READ_ONLY_MOUNT } else { 0 }).context(what)?;
            Ok(Source::Tree { tree, directory })
        }
        MountKind::Layers { lowers, subpath, scratch } => {
            let what = || format!("cannot mount {} of {} layers", subpath.display(), lowers.len());
            let writable = scratch.as_ref().map(|(upper, work)| (upper.as_path(), work.as_path()));
            overlay::mount_layers(lowers, writable, place)?;
            let part = subtree(place, subpath).context(what);
            umount2(place, MntFlags::MNT_DETACH).context(what)?;
            let (tree, directory) = part?;
            restrict(&tree, devices | if scratch.is_none() { READ_ONLY_MOUNT } else { 0 }).context(what)?;
            Ok(Source::Tree { tree, directory })
        }
        MountKind::Tmpfs { size, mode } => {
            let size = size.map(|size| format!(",size={size}")).unwrap_or_default();
            Ok(Source::Tmpfs { options: format!("mode={mode:o}{size}") })
        }
        MountKind::File { content, mode, uid, gid } => {
            Ok(Source::File(FileContent { content: content.clone(), mode: *mode, uid: *uid, gid: *gid }))
        }
    }
}

/// A detached copy of what `subpath` means inside `root`, links included.
fn subtree(root: &Path, subpath: &Path) -> io::Result<(OwnedFd, bool)> {
    let root = rustix::fs::open(root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let part = openat2(&root, subpath, flags, Mode::empty(), ResolveFlags::IN_ROOT)?;
    let directory = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&part)?.st_mode).is_dir();
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    Ok((open_tree(&part, "", flags)?, directory))
}

#[repr(C)]
#[derive(Default)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// `MOUNT_ATTR_RDONLY`
const READ_ONLY_MOUNT: u64 = 1;
/// `MOUNT_ATTR_NODEV`
const NO_DEVICES: u64 = 4;

/// The first wall against devices: on no mount that a step sees does a node open one, but on those of [`DEVICES`].
fn device_wall(security: Security) -> u64 {
    if security == Security::Sandbox { NO_DEVICES } else { 0 }
}

fn make_read_only(tree: impl AsFd) -> io::Result<()> {
    restrict(tree, READ_ONLY_MOUNT)
}

/// Sets mount attributes of a mount and of all inside it.
fn restrict(tree: impl AsFd, attributes: u64) -> io::Result<()> {
    const AT_RECURSIVE: libc::c_int = 0x8000;
    if attributes == 0 {
        return Ok(());
    }
    let attr = MountAttr { attr_set: attributes, ..MountAttr::default() };
    // SAFETY: the path is an empty C string, and the kernel reads exactly the size given of `attr`.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | AT_RECURSIVE,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Mounts everything, in order; returns the mount points that had to be made.
pub(crate) fn furnish(step: &Process, (prepared, host): (Vec<Prepared>, Host)) -> Result<Vec<Stub>, Failure> {
    let mut made = Vec::new();
    let prepared = write_files(prepared, &mut made)?;
    kernel_file_systems(step, host, &mut made)?;
    for (target, mount) in prepared {
        attach(&target, mount, step.security, &mut made)?;
    }
    if step.security == Security::Sandbox {
        hide()?;
    }
    Ok(made)
}

enum Attachable {
    Tree { tree: OwnedFd, directory: bool },
    Tmpfs { options: String },
}

/// Puts the generated files into one file system in memory, which stays reachable by their mounts alone.
fn write_files(prepared: Vec<Prepared>, made: &mut Vec<Stub>) -> Result<Vec<(PathBuf, Attachable)>, Failure> {
    let what = || "cannot mount a tmpfs for generated files".to_owned();
    let place = Path::new("/dev");
    stubs::make(place, true, made).context(what)?;
    // Programs may be executed: a heredoc that names its interpreter is one.
    mount_new("tmpfs", place, MsFlags::MS_NOSUID | MsFlags::MS_NODEV, "mode=0700")?;
    let mut attachable = Vec::with_capacity(prepared.len());
    for (at, Prepared { target, source }) in prepared.into_iter().enumerate() {
        let source = match source {
            Source::Tree { tree, directory } => Attachable::Tree { tree, directory },
            Source::Tmpfs { options } => Attachable::Tmpfs { options },
            Source::File(file) => {
                let tree = written(&place.join(at.to_string()), &file)
                    .context(|| format!("cannot write the file for {}", target.display()))?;
                Attachable::Tree { tree, directory: false }
            }
        };
        attachable.push((target, source));
    }
    umount2(place, MntFlags::MNT_DETACH).context(what)?;
    Ok(attachable)
}

fn written(path: &Path, file: &FileContent) -> io::Result<OwnedFd> {
    fs::write(path, &file.content)?;
    fs::set_permissions(path, fs::Permissions::from_mode(file.mode))?;
    std::os::unix::fs::chown(path, Some(file.uid), Some(file.gid))?;
    let tree = open_tree(CWD, path, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    restrict(&tree, READ_ONLY_MOUNT | NO_DEVICES)?;
    Ok(tree)
}

fn attach(
    target: &Path,
    source: Attachable,
    security: Security,
    made: &mut Vec<Stub>,
) -> Result<(), Failure> {
    let what = || format!("cannot mount on {}", target.display());
    match source {
        Attachable::Tree { tree, directory } => {
            stubs::make(target, directory, made).context(what)?;
            let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_SYMLINKS;
            move_mount(&tree, "", CWD, target, flags).context(what)
        }
        Attachable::Tmpfs { options } => {
            stubs::make(target, true, made).context(what)?;
            let nodes = if device_wall(security) == 0 { MsFlags::empty() } else { MsFlags::MS_NODEV };
            mount_new("tmpfs", target, MsFlags::MS_NOSUID | nodes, &options)
        }
    }
}

fn mount_new(kind: &str, target: &Path, flags: MsFlags, options: &str) -> Result<(), Failure> {
    mount(Some(kind), target, Some(kind), flags, Some(options))
        .context(|| format!("cannot mount {kind} on {}", target.display()))
}

/// Devices that every step has: name, major and minor number.
pub(crate) const DEVICES: [(&str, u64, u64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const DEVICE_LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
    ("core", "/proc/kcore"),
];

fn kernel_file_systems(step: &Process, host: Host, made: &mut Vec<Stub>) -> Result<(), Failure> {
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
    for target in ["/proc", "/sys"] {
        stubs::make(Path::new(target), true, made).context(|| format!("cannot make {target}"))?;
    }
    or_new(host.processes, "/proc", || mount_new("proc", Path::new("/proc"), plain, ""))?;
    let confined = step.security == Security::Sandbox;
    let read_only = if confined { MsFlags::MS_RDONLY } else { MsFlags::empty() };
    if let (true, Some(tree)) = (confined, &host.system) {
        make_read_only(tree).context(|| "cannot make /sys read-only".to_owned())?;
    }
    or_new(host.system, "/sys", || mount_new("sysfs", Path::new("/sys"), plain | read_only, ""))?;
    let dev = Path::new("/dev");
    let what = || "cannot fill /dev".to_owned();
    let devices = if host.devices.is_empty() { make_devices(dev)? } else { host.devices };
    let nodes = if confined { MsFlags::MS_NODEV } else { MsFlags::empty() };
    mount_new("tmpfs", dev, MsFlags::MS_NOSUID | MsFlags::MS_STRICTATIME | nodes, "mode=755,size=65536k")?;
    for (name, tree) in devices {
        let path = dev.join(name);
        fs::write(&path, "").context(what)?;
        move_mount(&tree, "", CWD, &path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).context(what)?;
    }
    for (name, to) in DEVICE_LINKS {
        symlink(to, dev.join(name)).context(what)?;
    }
    for name in ["pts", "shm", "mqueue"] {
        fs::create_dir(dev.join(name)).context(what)?;
    }
    let terminals = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let options = "newinstance,ptmxmode=0666,mode=0620";
    // Where one group alone is mapped there is no group of terminals.
    mount_new("devpts", &dev.join("pts"), terminals, &format!("{options},gid=5"))
        .or_else(|_| mount_new("devpts", &dev.join("pts"), terminals, options))?;
    let shm = step.limits.shm_size.unwrap_or(64 << 20);
    mount_new("tmpfs", &dev.join("shm"), plain, &format!("mode=1777,size={shm}"))?;
    mount_new("mqueue", &dev.join("mqueue"), plain, "")
}

/// Makes the devices in a file system in memory of their own, the only one of a step where a node opens a device; it
/// stays reachable by their mounts alone.
fn make_devices(place: &Path) -> Result<Vec<(&'static str, OwnedFd)>, Failure> {
    let what = || "cannot make the devices of /dev".to_owned();
    mount_new("tmpfs", place, MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, "mode=0755,size=64k")?;
    let mut devices = Vec::with_capacity(DEVICES.len());
    for (name, major, minor) in DEVICES {
        let path = place.join(name);
        mknod(&path, SFlag::S_IFCHR, NodeMode::from_bits_truncate(0o666), makedev(major, minor))
            .context(what)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).context(what)?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        devices.push((name, open_tree(CWD, &path, flags).context(what)?));
    }
    umount2(place, MntFlags::MNT_DETACH).context(what)?;
    Ok(devices)
}

/// What the root of a user namespace takes along, because it may not make it inside of its root.
#[derive(Default)]
pub(crate) struct Host {
    devices: Vec<(&'static str, OwnedFd)>,
    processes: Option<OwnedFd>,
    system: Option<OwnedFd>,
}

impl Host {
    fn open() -> Result<Self, Failure> {
        if !rootless::in_user_namespace() {
            return Ok(Self::default());
        }
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let mut devices = Vec::new();
        for (name, ..) in DEVICES {
            let path = Path::new("/dev").join(name);
            devices.push((
                name,
                open_tree(CWD, &path, flags).context(|| format!("cannot take {}", path.display()))?,
            ));
        }
        let tree = |path: &str| open_tree(CWD, path, flags | OpenTreeFlags::AT_RECURSIVE).ok();
        let processes = detached("proc").ok();
        let system = detached("sysfs").ok();
        Ok(Self {
            devices,
            processes: processes.or_else(|| tree("/proc")),
            system: system.or_else(|| tree("/sys")),
        })
    }
}

/// A file system that shows this process's own namespaces. It is made while the host's is in sight: later the kernel
/// refuses it in a user namespace, because it might show what the host hides, and the step would see the host's.
fn detached(kind: &str) -> rustix::io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(context.as_fd())?;
    let plain = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, plain)
}

/// Mounts what was taken along, else a new one. A container hides parts of its own `/proc`, and the host's network has
/// the host's `/sys`: a new one is refused then, and the host's is shown.
fn or_new(
    taken: Option<OwnedFd>,
    target: &str,
    new: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    match taken {
        Some(tree) => move_mount(&tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .context(|| format!("cannot mount {target}")),
        None => new(),
    }
}

/// As Docker: these say too much about the host.
const MASKED: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// As Docker: these change the host.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

fn hide() -> Result<(), Failure> {
    for path in READ_ONLY {
        let what = || format!("cannot make {path} read-only");
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = match open_tree(CWD, path, flags) {
            Ok(tree) => tree,
            Err(rustix::io::Errno::NOENT) => continue,
            Err(error) => return Err(error).context(what),
        };
        make_read_only(&tree).context(what)?;
        move_mount(&tree, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).context(what)?;
    }
    for path in MASKED {
        let Ok(meta) = fs::metadata(path) else { continue };
        if meta.is_dir() {
            let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            mount_new("tmpfs", Path::new(path), flags, "nr_inodes=1")?;
        } else {
            mount(Some("/dev/null"), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
                .context(|| format!("cannot mask {path}"))?;
        }
    }
    Ok(())
}
