//! The helper waits for pid 1.

use std::{
    io,
    os::{
        fd::{FromRawFd as _, OwnedFd},
        unix::net::UnixStream,
    },
};

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};
use rustix::event::{PollFd, PollFlags, poll};

use crate::failure::{Context as _, Failure};

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
