//! The helper: the binary executed again, with one thread. Makes the namespaces, starts pid 1, waits for it.

use std::{
    env,
    ffi::OsStr,
    io,
    os::{
        fd::{FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use caps::{CapSet, Capability};
use nix::{
    sched::{CloneFlags, unshare},
    sys::{
        signal::{Signal, kill},
        wait::{WaitStatus, waitpid},
    },
    unistd::{ForkResult, Pid, fork},
};
use rustix::event::{PollFd, PollFlags, poll};

use crate::{
    cgroup::Cgroup,
    chroot, init,
    network::{self, Way},
    step::{Network, Step},
    wire::{self, Input, Report},
};

/// The name by which the helper knows itself.
pub(crate) const ARG0: &str = "plimsoll-sandbox-helper";

/// Whether [`init_if_requested`] ran: without it the helper would run the program's own `main` again.
pub(crate) static INITIALISED: AtomicBool = AtomicBool::new(false);

/// Becomes the sandbox helper when this process was started as one, and then never returns.
///
/// Must be the first thing that `main` does, before any thread is started.
pub fn init_if_requested() {
    INITIALISED.store(true, Ordering::Relaxed);
    let name = env::args_os().next();
    if name.as_deref() == Some(OsStr::new(ARG0)) {
        process::exit(help());
    }
    if name.as_deref() == Some(OsStr::new(network::ARG0)) {
        process::exit(take_socket().map_or(2, |socket| network::serve(&socket)));
    }
}

/// The helper's work; its exit code is for nobody but a person with strace.
fn help() -> i32 {
    let Ok(socket) = take_socket() else { return 2 };
    let Ok(Some(step)) = wire::receive::<Step>(&socket) else { return 2 };
    let network = match step.network {
        Network::Own => match wire::receive::<Way>(&socket) {
            Ok(Some(Way::Given)) => match wire::receive_file(&socket) {
                Ok(namespace) => Net::Join(namespace),
                Err(_) => return 2,
            },
            Ok(Some(Way::Refused(reason))) => Net::Refused(reason),
            _ => return 2,
        },
        Network::Host => Net::Keep,
        Network::None => Net::Empty,
    };
    let Ok(Some(input)) = wire::receive::<Input>(&socket) else { return 2 };
    let stdin = match input {
        Input::Nothing => Stdin::Nothing,
        Input::Terminal => Stdin::Terminal,
        Input::File => match wire::receive_file(&socket) {
            Ok(file) => Stdin::File(file),
            Err(_) => return 2,
        },
    };
    match contain(&step, stdin, network, &socket) {
        Ok(status) => {
            let report = match status {
                WaitStatus::Exited(_, code) => Report::Exited(code),
                WaitStatus::Signaled(_, signal, _) => Report::Signalled(signal as i32),
                _ => return 2,
            };
            i32::from(wire::send(&socket, &report).is_err())
        }
        Err(failure) => {
            let _ = wire::send(&socket, &failure.report());
            2
        }
    }
}

/// The network of the step.
pub(crate) enum Net {
    /// This process's own.
    Keep,
    /// A new one without a way out.
    Empty,
    /// The one of a gate.
    Join(OwnedFd),
    /// None can be had, for this reason.
    Refused(String),
}

/// What becomes the command's standard input.
pub(crate) enum Stdin {
    Nothing,
    File(OwnedFd),
    /// A terminal that is made inside.
    Terminal,
}

/// Something that did not work, and its object.
pub(crate) struct Failure {
    pub(crate) what: String,
    pub(crate) cause: String,
}

impl Failure {
    pub(crate) fn report(self) -> Report {
        Report::Setup { what: self.what, cause: self.cause }
    }
}

/// Gives an operating system error its object.
pub(crate) trait Context<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure { what: what(), cause: error.into().to_string() })
    }
}

/// The socket arrives as standard input; it moves away so that the command gets `/dev/null` there.
fn take_socket() -> io::Result<UnixStream> {
    let copy = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
    Ok(UnixStream::from(copy))
}

fn contain(step: &Step, stdin: Stdin, network: Net, socket: &UnixStream) -> Result<WaitStatus, Failure> {
    // Away from the terminal: Ctrl-C is for the caller, whose end we notice.
    nix::unistd::setsid().context(|| "cannot start a session".to_owned())?;
    let mut namespaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWPID;
    if step.network == Network::None {
        namespaces |= CloneFlags::CLONE_NEWNET;
    }
    let group = Cgroup::make(&step.limits, step.security);
    let status = contain_in(step, stdin, (network, socket), namespaces, &group);
    group.kill();
    group.remove();
    status
}

fn contain_in(
    step: &Step,
    stdin: Stdin,
    (network, socket): (Net, &UnixStream),
    namespaces: CloneFlags,
    group: &Cgroup,
) -> Result<WaitStatus, Failure> {
    match unshare(namespaces) {
        Ok(()) => {}
        Err(error) if caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_CHROOT).unwrap_or(false) => {
            return chroot::contain(step, stdin, socket, group, &io::Error::from(error).to_string());
        }
        Err(error) => {
            return Err(error)
                .context(|| "cannot make namespaces (this needs root, or a user namespace)".to_owned());
        }
    }
    if let Net::Refused(reason) = network {
        return Err(Failure {
            what: "cannot give the step a network of its own".to_owned(),
            cause: format!(
                "{reason}; take it away with --network=none, or lend the host's with --network=host and --allow \
                 network.host"
            ),
        });
    }
    // SAFETY: this process has one thread, so the child may allocate and take locks.
    match unsafe { fork() }.context(|| "cannot fork".to_owned())? {
        ForkResult::Child => {
            group.enter();
            let network = if let Net::Join(namespace) = network { Some(namespace) } else { None };
            init::become_command(step, &stdin, network, socket)
        }
        ForkResult::Parent { child } => {
            // Whoever writes to the command must notice its end.
            drop(stdin);
            wait(child, socket)
        }
    }
}

/// Waits for pid 1; kills it when the caller closes the socket or dies.
pub(crate) fn wait(child: Pid, socket: &UnixStream) -> Result<WaitStatus, Failure> {
    let handle = pidfd(child).context(|| "cannot watch the step".to_owned())?;
    // The command's output pipes must end with the command.
    for fd in [0, 1, 2] {
        // SAFETY: nothing in the helper uses the standard streams from here on; each is closed once.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }
    let mut fds = [PollFd::new(&handle, PollFlags::IN), PollFd::new(socket, PollFlags::IN)];
    loop {
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error).context(|| "cannot wait for the step".to_owned()),
        }
        if fds[0].revents().is_empty() && !fds[1].revents().is_empty() {
            // The caller sends nothing after the step: the socket is readable only at its end.
            let _ = kill(child, Signal::SIGKILL);
        }
        return waitpid(child, None).context(|| "cannot wait for the step".to_owned());
    }
}

fn pidfd(child: Pid) -> io::Result<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(child.as_raw())
        .ok_or_else(|| io::Error::other(format!("no process {child}")))?;
    Ok(rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?)
}
