//! What caller and helper agree on, and the messages between them: a length (4 bytes, little endian), then JSON.

use std::{
    io::{self, IoSlice, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
    sync::atomic::AtomicBool,
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The name by which the helper knows itself.
pub(crate) const ARG0: &str = "plimsoll-sandbox-helper";

/// Whether [`crate::init_if_requested`] ran: without it the helper would run the program's own `main` again.
pub(crate) static INITIALISED: AtomicBool = AtomicBool::new(false);

/// No message is larger; secrets are the only large part of one.
const LIMIT: usize = 64 << 20;

/// What the command reads; sent after the step and its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Input {
    /// Nothing: `/dev/null`.
    Nothing,
    /// The file whose descriptor follows.
    File,
    /// A terminal of the step's own, which is also where it writes.
    Terminal,
}

/// What the helper and pid 1 tell the caller.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// Everything is mounted; these mount points had to be made.
    Mounted(Vec<Stub>),
    /// The other end of the step's terminal follows.
    Terminal,
    /// The step could not be set up.
    Setup { what: String, cause: String },
    /// The command could not be executed.
    Exec { command: String, cause: String },
    /// The command returned.
    Exited(i32),
    /// A signal ended the command.
    Signalled(i32),
}

/// A mount point that did not exist in the root.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stub {
    /// Canonical path inside the root, without the leading slash.
    pub(crate) path: PathBuf,
    /// A directory, else an empty file.
    pub(crate) directory: bool,
    /// Modification time of the directory it was made in, before: seconds and nanoseconds.
    pub(crate) parent_mtime: (i64, u32),
}

pub(crate) fn send(mut to: impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = u32::try_from(frame.len() - 4).map_err(io::Error::other)?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    to.write_all(&frame)
}

/// The next message; `None` when the other side closed.
pub(crate) fn receive<T: DeserializeOwned>(mut from: impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > LIMIT {
        return Err(io::Error::other("message over the size limit"));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Some(serde_json::from_slice(&body)?))
}

/// Gives the other side a file; it goes with a byte of its own, so that no reading of messages takes it.
pub(crate) fn send_file(to: &UnixStream, file: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = [file];
    if !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    sendmsg(to, &[IoSlice::new(&[0])], &mut control, SendFlags::empty())?;
    Ok(())
}

/// The file that the other side gives next.
pub(crate) fn receive_file(from: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(from, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    files.next().and_then(|mut files| files.next()).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
