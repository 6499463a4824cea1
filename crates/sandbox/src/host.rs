//! The caller's side: starts the helper, forwards output, keeps the time, tidies up.

use std::{
    io::Read,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Child, Command, Stdio},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{
    error::SandboxError,
    network::{Lease, Pass, Way},
    process::{Exit, Network, Process, Stream},
    stubs,
    wire::{self, ARG0, INITIALISED, Input, Report, Stub},
};

/// Runs `step` and waits for it; `output` receives its bytes as they come.
///
/// When this returns, no process of the step lives, nothing is mounted, and the upper directory of the root holds
/// only what the command wrote: mount points that had to be made are gone again.
///
/// # Errors
/// When the step could not be set up or was stopped; a command that fails is not an error but an [`Exit`].
pub fn run(step: &Process, output: &mut dyn FnMut(Stream, &[u8])) -> Result<Exit, SandboxError> {
    let Started { socket, mut helper, lease } = start(step, Input::Nothing, Stdio::piped(), Stdio::piped())?;
    let watched = watch(step, &socket, &mut helper, output);
    finish(step, &socket, (helper, lease), watched)
}

/// As [`run`], with a standard input: the command reads from `input` itself.
///
/// # Errors
/// As [`run`].
pub fn run_with_input(
    step: &Process,
    input: BorrowedFd<'_>,
    output: &mut dyn FnMut(Stream, &[u8]),
) -> Result<Exit, SandboxError> {
    let Started { socket, mut helper, lease } = start(step, Input::File, Stdio::piped(), Stdio::piped())?;
    let _ = wire::send_file(&socket, input);
    let watched = watch(step, &socket, &mut helper, output);
    finish(step, &socket, (helper, lease), watched)
}

/// A helper at work.
pub(crate) struct Started {
    pub(crate) socket: UnixStream,
    pub(crate) helper: Child,
    /// The network that the step has.
    pub(crate) lease: Option<Lease>,
}

/// Starts the helper and tells it the step.
pub(crate) fn start(step: &Process, input: Input, out: Stdio, err: Stdio) -> Result<Started, SandboxError> {
    if !INITIALISED.load(Ordering::Relaxed) {
        return Err(SandboxError::NotInitialised);
    }
    let (ours, theirs) = UnixStream::pair().map_err(SandboxError::Start)?;
    let message = serde_json::to_value(step).map_err(SandboxError::Describe)?;
    let helper = Command::new("/proc/self/exe")
        .arg0(ARG0)
        .env_clear()
        .stdin(OwnedFd::from(theirs))
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(SandboxError::Start)?;
    // A helper that dies while it is told its work says so later by its silence.
    let _ = wire::send(&ours, &message);
    let mut lease = None;
    if step.network == Network::Own {
        // The helper has started meanwhile.
        match Lease::take(Pass::of(step)) {
            Ok(taken) => {
                let _ = wire::send(&ours, &Way::Given).and_then(|()| taken.hand_over(&ours));
                lease = Some(taken);
            }
            Err(reason) => {
                let _ = wire::send(&ours, &Way::Refused(reason));
            }
        }
    }
    let _ = wire::send(&ours, &input);
    Ok(Started { socket: ours, helper, lease })
}

/// Waits until nothing of the step is left.
pub(crate) fn finish(
    step: &Process,
    socket: &UnixStream,
    (mut helper, lease): (Child, Option<Lease>),
    watched: Result<(Ending, Vec<Stub>), SandboxError>,
) -> Result<Exit, SandboxError> {
    // The helper ends by itself once the socket is closed for writing; until then nothing of the step is gone.
    let _ = socket.shutdown(std::net::Shutdown::Write);
    let _ = helper.wait();
    // Nothing of the step is left that could use it.
    drop(lease);
    let (ending, made) = watched?;
    stubs::remove(&step.root, &made);
    match ending {
        Ending::Report(Report::Exited(code)) => Ok(Exit::Code(code)),
        Ending::Report(Report::Signalled(signal)) => Ok(Exit::Signal(signal)),
        Ending::Report(Report::Exec { command, cause }) => Err(SandboxError::Exec { command, cause }),
        Ending::Report(Report::Setup { what, cause }) => Err(SandboxError::Setup { what, cause }),
        Ending::Report(Report::Mounted(_) | Report::Terminal) | Ending::Lost => Err(SandboxError::HelperLost),
        Ending::TimedOut(limit) => Err(SandboxError::TimedOut(limit)),
        Ending::Cancelled => Err(SandboxError::Cancelled),
    }
}

/// How a step came to its end.
pub(crate) enum Ending {
    Report(Report),
    Lost,
    TimedOut(Duration),
    Cancelled,
}

/// Forwards output until every writer is gone and the end is known.
fn watch(
    step: &Process,
    socket: &UnixStream,
    helper: &mut Child,
    output: &mut dyn FnMut(Stream, &[u8]),
) -> Result<(Ending, Vec<Stub>), SandboxError> {
    let deadline = step.timeout.map(|limit| (limit, Instant::now() + limit));
    let (mut out, mut err) = (helper.stdout.take(), helper.stderr.take());
    let (mut report, mut made, mut stopped) = (None, Vec::new(), None);
    let mut socket_open = true;
    let mut buffer = vec![0; 64 << 10];
    while socket_open || out.is_some() || err.is_some() {
        let mut fds = Vec::with_capacity(4);
        let mut sources = Vec::with_capacity(4);
        if socket_open {
            fds.push(PollFd::new(socket, PollFlags::IN));
            sources.push(Ready::Report);
        }
        if let Some(out) = &out {
            fds.push(PollFd::new(out, PollFlags::IN));
            sources.push(Ready::Out);
        }
        if let Some(err) = &err {
            fds.push(PollFd::new(err, PollFlags::IN));
            sources.push(Ready::Err);
        }
        let cancel = step.cancel.as_ref().filter(|_| stopped.is_none()).map(|cancel| cancel.fd());
        if let Some(cancel) = &cancel {
            fds.push(PollFd::new(cancel, PollFlags::IN));
            sources.push(Ready::Cancel);
        }
        let left = deadline
            .filter(|_| stopped.is_none())
            .map(|(_, at)| at.saturating_duration_since(Instant::now()));
        let timeout = left.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(SandboxError::Output(error.into())),
        }
        let ready: Vec<Ready> = fds
            .iter()
            .zip(&sources)
            .filter(|(fd, _)| !fd.revents().is_empty())
            .map(|(_, source)| *source)
            .collect();
        drop(fds);
        for source in &ready {
            match source {
                Ready::Out => forward(&mut out, Stream::Out, &mut buffer, output),
                Ready::Err => forward(&mut err, Stream::Err, &mut buffer, output),
                Ready::Cancel => {
                    stopped = Some(Ending::Cancelled);
                    let _ = socket.shutdown(std::net::Shutdown::Write);
                }
                Ready::Report => match wire::receive(socket) {
                    Ok(Some(Report::Mounted(stubs))) => made = stubs,
                    Ok(Some(message)) => report = report.or(Some(message)),
                    Ok(None) | Err(_) => socket_open = false,
                },
            }
        }
        if let Some((limit, at)) = deadline
            && stopped.is_none()
            && Instant::now() >= at
        {
            stopped = Some(Ending::TimedOut(limit));
            let _ = socket.shutdown(std::net::Shutdown::Write);
        }
    }
    let ending = stopped.or(report.map(Ending::Report)).unwrap_or(Ending::Lost);
    Ok((ending, made))
}

#[derive(Clone, Copy)]
enum Ready {
    Report,
    Out,
    Err,
    Cancel,
}

fn forward(
    pipe: &mut Option<impl Read>,
    stream: Stream,
    buffer: &mut [u8],
    output: &mut dyn FnMut(Stream, &[u8]),
) {
    let Some(source) = pipe else { return };
    match source.read(buffer) {
        Ok(0) => *pipe = None,
        Ok(read) => output(stream, &buffer[..read]),
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
        Err(_) => *pipe = None,
    }
}
