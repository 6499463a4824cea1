//! A step on a person's terminal: a terminal of the step's own, and the two joined for as long as it runs.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
        unix::{fs::OpenOptionsExt as _, net::UnixStream},
    },
    process::Stdio,
};

use nix::{
    libc,
    sys::termios::{self, SetArg, Termios},
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{
    error::SandboxError,
    host::{Ending, Started, finish, start},
    process::{Cancel, Exit, Process},
    wire::{self, Input, Report, Stub},
};

/// How often the size of the window is looked at.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// A person's terminal. Both ends must be terminals; they may be the same one.
#[derive(Clone, Copy, Debug)]
pub struct Screen<'a> {
    /// Where keys come from. It is in raw mode while the step runs, so that every key reaches the step.
    pub input: BorrowedFd<'a>,
    /// What is seen; its size becomes that of the step's terminal.
    pub output: BorrowedFd<'a>,
}

/// As [`crate::run`], on a terminal of the step's own that is joined with `screen`.
///
/// # Errors
/// As [`crate::run`], and when `screen` is no terminal.
pub fn run_in_terminal(step: &Process, screen: Screen<'_>) -> Result<Exit, SandboxError> {
    let raw = Raw::enter(screen.input).map_err(SandboxError::Output)?;
    // What is said before the terminal is there is for the person too.
    let Started { socket, helper, lease } = start(step, Input::Terminal, Stdio::null(), Stdio::inherit())?;
    let joined = join(step, &socket, screen);
    drop(raw);
    finish(step, &socket, (helper, lease), joined)
}

/// Carries both directions until the step has ended and everything that it wrote was shown.
fn join(
    step: &Process,
    socket: &UnixStream,
    screen: Screen<'_>,
) -> Result<(Ending, Vec<Stub>), SandboxError> {
    let copy = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().map(File::from).map_err(SandboxError::Output);
    let mut session = Session {
        socket,
        output: copy(screen.output)?,
        input: copy(screen.input)?,
        master: None,
        socket_open: true,
        input_open: true,
        typed: Vec::new(),
        buffer: vec![0; 16 << 10],
        report: None,
        made: Vec::new(),
        cancelled: false,
    };
    let mut size = None;
    while session.socket_open || session.master.is_some() {
        for (source, events) in session.wait(step.cancel.as_ref())? {
            session.handle(source, events)?;
        }
        if let Some(master) = &session.master {
            let now = window(screen.output);
            if now != size {
                size = now;
                resize(master, size);
            }
        }
    }
    let ending = if session.cancelled {
        Ending::Cancelled
    } else {
        session.report.map_or(Ending::Lost, Ending::Report)
    };
    Ok((ending, session.made))
}

/// A person's terminal and a step's, joined.
struct Session<'a> {
    socket: &'a UnixStream,
    output: File,
    input: File,
    /// Our end of the step's terminal, once it has come.
    master: Option<File>,
    socket_open: bool,
    input_open: bool,
    /// Keys that the step has not taken yet.
    typed: Vec<u8>,
    buffer: Vec<u8>,
    report: Option<Report>,
    made: Vec<Stub>,
    cancelled: bool,
}

impl Session<'_> {
    /// Waits until there is something to carry, a moment at most.
    fn wait(&self, cancel: Option<&Cancel>) -> Result<Vec<(Ready, PollFlags)>, SandboxError> {
        let mut fds = Vec::with_capacity(4);
        let mut sources = Vec::with_capacity(4);
        if self.socket_open {
            fds.push(PollFd::new(self.socket, PollFlags::IN));
            sources.push(Ready::Report);
        }
        if let Some(master) = &self.master {
            let keys = if self.typed.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            fds.push(PollFd::new(master, PollFlags::IN | keys));
            sources.push(Ready::Step);
        }
        if self.socket_open && self.input_open && self.master.is_some() && self.typed.is_empty() {
            fds.push(PollFd::new(&self.input, PollFlags::IN));
            sources.push(Ready::Keys);
        }
        let cancel = cancel.filter(|_| !self.cancelled).map(|cancel| cancel.fd());
        if let Some(cancel) = &cancel {
            fds.push(PollFd::new(cancel, PollFlags::IN));
            sources.push(Ready::Cancel);
        }
        match poll(&mut fds, Some(&LOOK)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(SandboxError::Output(error.into())),
        }
        let ready = fds.iter().zip(&sources).map(|(fd, source)| (*source, fd.revents()));
        Ok(ready.filter(|(_, events)| !events.is_empty()).collect())
    }

    fn handle(&mut self, source: Ready, events: PollFlags) -> Result<(), SandboxError> {
        match source {
            Ready::Report => match wire::receive(self.socket) {
                Ok(Some(Report::Mounted(stubs))) => self.made = stubs,
                Ok(Some(Report::Terminal)) => {
                    self.master = Some(non_blocking(self.socket).map_err(SandboxError::Output)?);
                }
                Ok(Some(message)) => {
                    self.report.get_or_insert(message);
                }
                Ok(None) | Err(_) => self.socket_open = false,
            },
            Ready::Step => {
                if events.contains(PollFlags::OUT)
                    && let Some(master) = &mut self.master
                    && let Ok(taken) = master.write(&self.typed)
                {
                    self.typed.drain(..taken);
                }
                if events.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                    show(&mut self.master, &mut self.output, &mut self.buffer)
                        .map_err(SandboxError::Output)?;
                }
            }
            Ready::Keys => match self.input.read(&mut self.buffer) {
                Ok(0) => self.input_open = false,
                Ok(read) => self.typed.extend_from_slice(&self.buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.input_open = false,
            },
            Ready::Cancel => {
                self.cancelled = true;
                let _ = self.socket.shutdown(std::net::Shutdown::Write);
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Ready {
    Report,
    Step,
    Keys,
    Cancel,
}

/// Shows what the step wrote; the last process that has its terminal open ends it.
fn show(master: &mut Option<File>, output: &mut File, buffer: &mut [u8]) -> io::Result<()> {
    let Some(from) = master else { return Ok(()) };
    match from.read(buffer) {
        Ok(read) if read > 0 => {
            output.write_all(&buffer[..read])?;
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
        Ok(_) | Err(_) => *master = None,
    }
    Ok(())
}

fn non_blocking(socket: &UnixStream) -> io::Result<File> {
    let master = wire::receive_file(socket)?;
    rustix::fs::fcntl_setfl(&master, rustix::fs::OFlags::NONBLOCK)?;
    Ok(master.into())
}

fn window(terminal: BorrowedFd<'_>) -> Option<libc::winsize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one `winsize`, which outlives the call.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (result == 0).then_some(size)
}

fn resize(master: &File, size: Option<libc::winsize>) {
    let Some(size) = size else { return };
    // SAFETY: TIOCSWINSZ reads one `winsize`, which outlives the call. A size that is refused changes nothing.
    let _ = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
}

/// Every key goes to the step while this lives.
struct Raw<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Raw<'a> {
    fn enter(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        let before = termios::tcgetattr(terminal)?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(terminal, SetArg::TCSADRAIN, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(self.terminal, SetArg::TCSADRAIN, &self.before);
    }
}

/// A new terminal, made by process 1 in its own file system of terminals, so that `tty` can name it.
pub(crate) struct Terminal {
    master: OwnedFd,
    slave: OwnedFd,
}

impl Terminal {
    pub(crate) fn make() -> io::Result<Self> {
        let master = File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open("/dev/ptmx")?;
        let unlocked: libc::c_int = 0;
        // SAFETY: TIOCSPTLCK reads one int, which outlives the call.
        if unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        // SAFETY: TIOCGPTPEER takes its flags by value and gives a new descriptor.
        let slave = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) };
        if slave < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made, and nobody else has it.
        let slave = unsafe { OwnedFd::from_raw_fd(slave) };
        Ok(Self { master: master.into(), slave })
    }

    /// Makes it the controlling terminal and the three standard streams of this process, the leader of a session, and
    /// gives its other end to the caller.
    pub(crate) fn control(&self, uid: u32, socket: &UnixStream) -> io::Result<()> {
        // Programs open it by its name too. Where other users do not exist, it stays as it is.
        let _ = std::os::unix::fs::fchown(&self.slave, Some(uid), None);
        // SAFETY: TIOCSCTTY takes a number; 0 takes no terminal away from anybody.
        if unsafe { libc::ioctl(self.slave.as_raw_fd(), libc::TIOCSCTTY, 0) } != 0 {
            return Err(io::Error::last_os_error());
        }
        wire::send(socket, &Report::Terminal)?;
        wire::send_file(socket, self.master.as_fd())?;
        nix::unistd::dup2_stdin(&self.slave)?;
        nix::unistd::dup2_stdout(&self.slave)?;
        nix::unistd::dup2_stderr(&self.slave)?;
        Ok(())
    }
}
