//! The helper: the binary executed again, with one thread. Makes the namespaces, starts pid 1, waits for it.

use std::{
    env,
    ffi::OsStr,
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process,
    sync::atomic::Ordering,
};

use caps::{CapSet, Capability};
use nix::{
    sched::{CloneFlags, unshare},
    sys::wait::WaitStatus,
    unistd::{ForkResult, fork},
};

use crate::{
    cgroup::Cgroup,
    chroot,
    failure::{Context as _, Failure},
    init::{self, Stdin},
    network::{self, Way},
    process::{Network, Process},
    wait::wait,
    wire::{self, ARG0, INITIALISED, Input, Report},
};

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
    let Ok(Some(step)) = wire::receive::<Process>(&socket) else { return 2 };
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

/// The socket arrives as standard input; it moves away so that the command gets `/dev/null` there.
fn take_socket() -> io::Result<UnixStream> {
    let copy = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
    Ok(UnixStream::from(copy))
}

fn contain(step: &Process, stdin: Stdin, network: Net, socket: &UnixStream) -> Result<WaitStatus, Failure> {
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
    step: &Process,
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
