//! Ctrl-C, SIGTERM, SIGHUP: a build ends in order, so that it leaves nothing behind; everything else ends at once.
//!
//! Output that nobody takes any more (a pipe whose reader is gone, a full disk, a terminal that was closed) is such a
//! wish to end, too.
//!
//! The exit code of a signal is 130. That of a lost reader is 141, as a shell reports programs that `SIGPIPE` ended; but 0
//! where nothing but the answer on standard output was left to do, and its reader has seen enough. Output that was lost
//! for another cause is an error as any other: 2. A build that does not end within [`GRACE`], or is asked a second time, is left where it is:
//! the store is valid at any moment.

use std::{
    io::{self, Write as _},
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use plimsoll_sandbox::Cancel;
use plimsoll_source::Diagnostic;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Failure;

/// The exit code of what was interrupted.
pub const EXIT: u8 = 130;

/// The exit code where the reader of our output is gone: 128 + `SIGPIPE`.
const LOST_READER: u8 = 141;

/// How long steps and their files may take to go.
const GRACE: Duration = Duration::from_secs(10);

/// Somebody else listens.
const ELSEWHERE: u8 = 0;
/// The process ends.
const AT_ONCE: u8 = 1;
/// The build is stopped.
const IN_ORDER: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(AT_ONCE);
/// Pieces of work within a build that cannot be stopped in order.
static UNSTOPPABLE: AtomicUsize = AtomicUsize::new(0);
/// A build was asked to end, and nobody but the user asked.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// The exit code, once output could not be written.
static LOST: OnceLock<u8> = OnceLock::new();
static CANCEL: OnceLock<Option<Cancel>> = OnceLock::new();

/// Stops what holds the result when the process is asked to end. `None` where the system gives no way to notice; then
/// the signal just ends the process.
pub fn cancel_on_interrupt() -> Option<Cancel> {
    STATE.store(IN_ORDER, Ordering::SeqCst);
    CANCEL.get_or_init(listen).clone()
}

/// From here on the process ends at the first signal: nothing is left that would have to be stopped in order.
pub fn end_at_once() {
    STATE.store(AT_ONCE, Ordering::SeqCst);
}

/// From here on somebody else decides what a signal means.
pub fn leave() {
    STATE.store(ELSEWHERE, Ordering::SeqCst);
}

/// While it lives, a signal ends the process at once also within a build: a download listens to nobody.
pub struct AtOnce;

impl AtOnce {
    /// Until it is dropped.
    pub fn begin() -> Self {
        UNSTOPPABLE.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for AtOnce {
    fn drop(&mut self) {
        UNSTOPPABLE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a verb returns that was interrupted.
pub fn error() -> Failure {
    Diagnostic::error("interrupted").into()
}

/// Whether a build was asked to end.
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// The exit code of a verb that could not run.
pub fn code() -> u8 {
    code_or(2)
}

/// The exit code of a verb that returned an error with this code of its own.
pub fn code_or(own: u8) -> u8 {
    match LOST.get() {
        Some(code) => *code,
        None if is_interrupted() => EXIT,
        None => own,
    }
}

/// One of the streams that messages go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A stream takes nothing any more. Ends the process as the signal SIGTERM would; within a build or the work of a stack it
/// returns, and what holds the work stops it in order.
pub fn output_lost(stream: Stream, error: &io::Error) {
    let in_order = match STATE.load(Ordering::SeqCst) {
        ELSEWHERE => true,
        IN_ORDER => UNSTOPPABLE.load(Ordering::SeqCst) == 0,
        _ => false,
    };
    let broken = error.kind() == io::ErrorKind::BrokenPipe;
    let code = match (broken, stream) {
        (true, Stream::Out) if !in_order => 0,
        (true, _) => LOST_READER,
        (false, _) => 2,
    };
    if LOST.set(code).is_err() {
        // it is known, and the end is on its way
        return;
    }
    if !broken && stream == Stream::Out {
        // the other stream may still have a reader
        let _ = writeln!(io::stderr().lock(), "error: cannot write to standard output: {error}");
    }
    let ask = || rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
    if !in_order || ask().is_err() {
        std::process::exit(code.into());
    }
}

fn listen() -> Option<Cancel> {
    let cancel = Cancel::new().ok()?;
    let ours = cancel.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let mut signals = runtime.block_on(async { Signals::new() }).ok()?;
    thread::Builder::new()
        .name("interrupt".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                loop {
                    signals.next().await;
                    match STATE.load(Ordering::SeqCst) {
                        ELSEWHERE => continue,
                        IN_ORDER if UNSTOPPABLE.load(Ordering::SeqCst) == 0 => {
                            INTERRUPTED.store(true, Ordering::SeqCst);
                            ours.cancel();
                            let _ = tokio::time::timeout(GRACE, signals.next()).await;
                        }
                        _ => {}
                    }
                    std::process::exit(LOST.get().copied().unwrap_or(EXIT).into());
                }
            });
        })
        .ok()?;
    Some(cancel)
}

struct Signals([Signal; 3]);

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
