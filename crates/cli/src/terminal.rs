//! A person's terminal, lent to a process in a container, and given back on every way out.

use std::{
    io::{self, IsTerminal as _, Read as _},
    os::fd::AsFd as _,
    thread,
};

use futures_util::StreamExt as _;
use plimsoll_engine::{EngineError, Session, Stream};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::{io::AsyncWriteExt as _, sync::mpsc};

/// True if a person sits at both ends.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Every key goes to the container while this lives.
pub(crate) struct Raw(Termios);

impl Raw {
    /// `None` if standard input is no terminal.
    pub(crate) fn enter() -> Option<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(stdin.as_fd()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin.as_fd(), OptionalActions::Flush, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Drain, &self.0);
    }
}

/// Rows and columns of the terminal.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(io::stdout().as_fd()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// Carries both directions until the output ends. `resized` is told every new size of the terminal.
pub(crate) async fn converse<F>(
    session: Session,
    stdin: bool,
    mut resized: impl FnMut(u16, u16) -> F,
) -> Result<(), EngineError>
where
    F: Future<Output = ()>,
{
    let Session { mut input, mut output } = session;
    let mut typed = stdin.then(keys);
    let mut sizes = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::window_change()).ok();
    loop {
        tokio::select! {
            piece = output.next() => match piece {
                Some(piece) => {
                    let (stream, bytes) = piece?;
                    if show(stream, &bytes).is_err() {
                        // nobody reads any more
                        return Ok(());
                    }
                }
                None => return Ok(()),
            },
            bytes = next(&mut typed) => {
                let done = match bytes {
                    Some(bytes) => input.write_all(&bytes).await.is_err() || input.flush().await.is_err(),
                    None => true,
                };
                if done {
                    let _ = input.shutdown().await;
                    typed = None;
                }
            }
            () = changed(&mut sizes) => {
                if let Some((rows, columns)) = size() {
                    resized(rows, columns).await;
                }
            }
        }
    }
}

fn show(stream: Stream, bytes: &[u8]) -> io::Result<()> {
    let put = |out: &mut dyn io::Write| {
        out.write_all(bytes)?;
        out.flush()
    };
    match stream {
        Stream::Stdout => put(&mut io::stdout().lock()),
        Stream::Stderr => put(&mut io::stderr().lock()),
    }
}

/// Standard input, read by a thread of its own: a read cannot be taken back, and must not hold up the end.
fn keys() -> mpsc::Receiver<Vec<u8>> {
    let (tell, heard) = mpsc::channel(16);
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        loop {
            match io::stdin().read(&mut buffer) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
                Ok(count) => {
                    if tell.blocking_send(buffer[..count].to_vec()).is_err() {
                        break;
                    }
                }
            }
        }
    });
    heard
}

async fn next(typed: &mut Option<mpsc::Receiver<Vec<u8>>>) -> Option<Vec<u8>> {
    match typed {
        Some(typed) => typed.recv().await,
        None => std::future::pending().await,
    }
}

async fn changed(sizes: &mut Option<tokio::signal::unix::Signal>) {
    let heard = match sizes {
        Some(sizes) => sizes.recv().await.is_some(),
        None => false,
    };
    if !heard {
        std::future::pending::<()>().await;
    }
}
