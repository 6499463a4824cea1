//! The process of a gate: makes the namespace, gives up its privileges, carries packets until the caller is gone.

use std::{
    fs, io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use caps::CapSet;
use nix::{
    sys::wait::waitpid,
    unistd::{ForkResult, Gid, Uid, fork, setgroups, setresgid, setresuid},
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{
    Greeting, Order,
    flows::{Flows, Waiting},
    names, policy, setup,
};
use crate::wire;

/// Who a gate is once it needs no more privileges.
const NOBODY: u32 = 65_534;

/// Serves until the caller closes its end of `socket`.
pub(crate) fn serve(socket: &UnixStream) -> i32 {
    // Ctrl-C is for the caller, whose end is noticed.
    let _ = nix::unistd::setsid();
    match prepare() {
        Ok((device, namespace)) => {
            let greeted = wire::send(socket, &Greeting::Ready)
                .and_then(|()| wire::send_file(socket, namespace.as_fd()));
            drop(namespace);
            give_up_privileges();
            i32::from(greeted.and_then(|()| carry(socket, Flows::new(device))).is_err())
        }
        Err(reason) => {
            let _ = wire::send(socket, &Greeting::Refused(reason));
            2
        }
    }
}

/// The namespace is made by a child, which leaves it: this process stays in the host's network.
fn prepare() -> Result<(OwnedFd, OwnedFd), String> {
    let version_six = policy::has_version_six();
    let failed = |error: io::Error| format!("cannot make a network namespace: {error}");
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    // SAFETY: this process has one thread, so the child may allocate and take locks.
    match unsafe { fork() }.map_err(|error| failed(error.into()))? {
        ForkResult::Child => {
            let sent = match setup::make(version_six) {
                Ok(made) => wire::send(&theirs, &Greeting::Ready)
                    .and_then(|()| wire::send_file(&theirs, made.device.as_fd()))
                    .and_then(|()| wire::send_file(&theirs, made.namespace.as_fd())),
                Err(reason) => wire::send(&theirs, &Greeting::Refused(reason)),
            };
            std::process::exit(i32::from(sent.is_err()));
        }
        ForkResult::Parent { child } => {
            drop(theirs);
            let greeting = wire::receive(&ours).map_err(failed)?;
            let made = match greeting {
                Some(Greeting::Ready) => {
                    let device = wire::receive_file(&ours).map_err(failed)?;
                    Ok((device, wire::receive_file(&ours).map_err(failed)?))
                }
                Some(Greeting::Refused(reason)) => Err(reason),
                None => Err("cannot make a network namespace: nobody said why".to_owned()),
            };
            let _ = waitpid(child, None);
            made
        }
    }
}

/// What reads the packets of strangers has nothing to lose. Where a step is not permitted, there was none to give up.
fn give_up_privileges() {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    if Uid::effective().is_root() {
        let _ = setgroups(&[]);
        let _ = setresgid(group, group, group);
        let _ = setresuid(user, user, user);
    }
    for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
        let _ = caps::clear(None, set);
    }
    let _ = rustix::thread::set_no_new_privs(true);
}

/// The descriptors of the streams are closed at the end of the caller; until then they are waited for.
fn carry(socket: &UnixStream, mut flows: Flows) -> io::Result<()> {
    let mut pause: Option<Duration> = None;
    loop {
        let (orders, packets, ready) = wait(socket, &flows, pause)?;
        if orders {
            match wire::receive(socket)? {
                Some(Order::Begin(pass)) => {
                    let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
                    flows.begin(pass, names::servers(&text));
                }
                Some(Order::End) => flows.end(),
                None => return Ok(()),
            }
        }
        if !orders {
            // Before new packets: one may begin a connection where another one was.
            for (who, what) in ready {
                flows.serve(who, what);
            }
        }
        if packets {
            flows.read()?;
        }
        pause = flows.go_on();
    }
}

type Ready = (bool, bool, Vec<(Waiting, PollFlags)>);

fn wait(socket: &UnixStream, flows: &Flows, pause: Option<Duration>) -> io::Result<Ready> {
    let mut fds = vec![PollFd::new(socket, PollFlags::IN), PollFd::new(flows.tun.fd(), PollFlags::IN)];
    let (others, who): (Vec<PollFd<'_>>, Vec<Waiting>) =
        flows.waiting().map(|(fd, flags, who)| (PollFd::from_borrowed_fd(fd, flags), who)).unzip();
    fds.extend(others);
    let pause = pause.map(|pause| Timespec {
        tv_sec: i64::try_from(pause.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: pause.subsec_nanos().into(),
    });
    match poll(&mut fds, pause.as_ref()) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok((false, false, Vec::new())),
        Err(error) => return Err(error.into()),
    }
    let ready = fds[2..]
        .iter()
        .zip(who)
        .filter(|(fd, _)| !fd.revents().is_empty())
        .map(|(fd, who)| (who, fd.revents()))
        .collect();
    Ok((!fds[0].revents().is_empty(), !fds[1].revents().is_empty(), ready))
}
