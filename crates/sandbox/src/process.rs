//! What to run, as plain data.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use rustix::event::{EventfdFlags, eventfd};
use serde::{Deserialize, Serialize};

/// One process to run in a root file system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Process {
    /// The layers that make up its root file system.
    pub root: Root,
    /// What to mount into it, in this order.
    pub mounts: Vec<Mount>,
    /// The command; the first word is looked up in the `PATH` of `env` when it holds no slash.
    pub argv: Vec<String>,
    /// The whole environment; only `HOME` is added when it is missing.
    pub env: Vec<(String, String)>,
    /// Working directory, absolute; made when it is missing.
    pub cwd: PathBuf,
    /// The user and groups that the command runs as.
    pub user: User,
    /// The network that the command sees.
    pub network: Network,
    /// Proxy settings that the person who builds has given: variables of the command. A proxy on a loopback address of the
    /// host stays reachable in a network of the step's own, at another address.
    pub proxies: Vec<(String, String)>,
    /// The host name that the command sees.
    pub hostname: String,
    /// Further lines of `/etc/hosts`.
    pub hosts: Vec<ExtraHost>,
    /// How much it may do.
    pub security: Security,
    /// The most memory and processes that it may use.
    pub limits: CgroupLimits,
    /// The longest time it may take.
    #[serde(skip)]
    pub timeout: Option<Duration>,
    /// Stops the step from another thread.
    #[serde(skip)]
    pub cancel: Option<Cancel>,
}

impl Process {
    /// `argv` as root in `root`, in `/`, with a network of its own and an empty environment.
    pub fn new(root: Root, argv: Vec<String>) -> Self {
        Self {
            root,
            mounts: Vec::new(),
            argv,
            env: Vec::new(),
            cwd: PathBuf::from("/"),
            user: User::ROOT,
            network: Network::Own,
            proxies: Vec::new(),
            hostname: "buildkitsandbox".to_owned(),
            hosts: Vec::new(),
            security: Security::Sandbox,
            limits: CgroupLimits::default(),
            timeout: None,
            cancel: None,
        }
    }
}

/// A root file system as an overlay. All paths are absolute and on the host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Root {
    /// The layers below, top first; never written to. May be empty: then the upper directory is the root.
    pub lowers: Vec<PathBuf>,
    /// Receives every change, as an overlay upper directory.
    pub upper: PathBuf,
    /// Overlay's scratch directory on the same file system; the root is mounted on it in the step's own namespace.
    pub work: PathBuf,
}

/// Something mounted into the root before the command starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mount {
    /// Where, absolute, inside the root. Made when it is missing, and removed again after the step.
    pub target: PathBuf,
    /// What is seen at the target.
    pub kind: MountKind,
}

/// What is seen at a mount's target, and what happens to writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum MountKind {
    /// A file or a directory of the host.
    Bind {
        /// Absolute path on the host.
        source: PathBuf,
        /// The command may read it only.
        read_only: bool,
    },
    /// A part of a stack of layers.
    Layers {
        /// Layer directories, top first; at least one.
        lowers: Vec<PathBuf>,
        /// The part, resolved inside the stack; `/` for all of it.
        subpath: PathBuf,
        /// Empty upper and work directories that take the writes; `None` mounts read-only.
        scratch: Option<(PathBuf, PathBuf)>,
    },
    /// An empty file system in memory.
    Tmpfs {
        /// In bytes; the kernel's default is half the memory.
        size: Option<u64>,
        /// Permission bits of its root.
        mode: u32,
    },
    /// A file in memory with this content: a secret, or a generated file. Read-only.
    File {
        /// The bytes of the file, which exists in memory alone.
        content: Vec<u8>,
        /// The permission bits of the file inside.
        mode: u32,
        /// The number of the user who owns it inside.
        uid: u32,
        /// The number of the group that owns it inside.
        gid: u32,
    },
}

/// Whom the command runs as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum User {
    /// A user and groups by number, which need no entry in `/etc/passwd`.
    Ids {
        /// The number of the user.
        uid: u32,
        /// The number of the primary group.
        gid: u32,
        /// The numbers of all further groups.
        groups: Vec<u32>,
    },
    /// `user[:group]`, names or numbers, looked up in the root's `/etc/passwd` and `/etc/group` as Docker does.
    Spec(String),
}

impl User {
    /// uid 0, gid 0.
    pub const ROOT: Self = Self::Ids { uid: 0, gid: 0, groups: Vec::new() };
}

/// Which network the command sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Its own, with a way out: what the host can reach, but the host itself, its link and its containers. Names resolve as
    /// on the host. Without namespaces it is that of the container around the step.
    Own,
    /// The host's, with everything that listens on it.
    Host,
    /// Only its own loopback interface.
    None,
}

/// How much the command may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Security {
    /// Docker's default capabilities, system calls and masked paths.
    Sandbox,
    /// Everything that the caller may: `RUN --security=insecure`.
    Insecure,
}

/// A line of `/etc/hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraHost {
    /// The name that leads to the address.
    pub name: String,
    /// The address, as text; [`ExtraHost::GATEWAY`] for this machine.
    pub address: String,
}

impl ExtraHost {
    /// The address of this machine, whatever it is for the step. In a network of its own the step then reaches what listens
    /// on the address that others use for this machine.
    pub const GATEWAY: &'static str = "host-gateway";
}

/// What the command may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupLimits {
    /// Size of `/dev/shm` in bytes; 64 MiB when absent.
    pub shm_size: Option<u64>,
    /// Resource limits, as `setrlimit` takes them.
    pub ulimits: Vec<Ulimit>,
    /// How much memory it may have, in bytes, where control groups can be had; nearly all of the machine's when absent.
    pub memory: Option<u64>,
    /// How many tasks it may have, where control groups can be had; 16384 when absent.
    pub tasks: Option<u64>,
}

/// One resource limit of a process, as `setrlimit` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// As in `ulimit`'s long names: `nofile`, `nproc`, `core`, …
    pub name: String,
    /// The limit that holds, which the command may raise to `hard`.
    pub soft: u64,
    /// The limit up to which `soft` may be raised.
    pub hard: u64,
}

/// Stops every step that holds a clone of it, at once and for good.
#[derive(Clone, Debug)]
pub struct Cancel {
    fd: Arc<OwnedFd>,
}

impl Cancel {
    /// Not cancelled yet.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { fd: Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?) })
    }

    /// Stops the steps. Calling it again changes nothing.
    pub fn cancel(&self) {
        // An eventfd refuses a write only when its counter is full, and then it is readable already.
        let _ = rustix::io::write(&*self.fd, &1u64.to_ne_bytes());
    }

    /// Whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&*self.fd, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Which stream bytes came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl Exit {
    /// Whether the code is 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }

    /// The code as a shell gives it: 128 + signal for a signal.
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}
