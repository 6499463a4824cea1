//! `RUN --mount=type=ssh`: an agent of the host, seen in the step through a socket of our own, so that the step's
//! user may open it whoever owns the agent, and so that it is lent for signing alone.

mod keys;

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::{
        fd::AsRawFd,
        unix::{
            fs::PermissionsExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

pub use self::keys::{KeyFiles, SshAgent, SshKeys};

/// An agent that a step may use, until it is dropped.
pub(crate) struct Forward {
    /// The socket to be mounted.
    pub(crate) socket: PathBuf,
    stop: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
    _own: Option<OwnAgent>,
}

impl Forward {
    /// Opens a socket in `dir` with this owner and mode, and connects whoever comes with the agent.
    pub(crate) fn open(
        agent: &SshAgent,
        contents: &KeyFiles,
        dir: &Path,
        (uid, gid): (u32, u32),
        mode: u32,
    ) -> io::Result<Self> {
        let (own, target) = match &agent.keys {
            SshKeys::Agent(socket) => (None, socket.clone()),
            SshKeys::NoAgent => {
                return Err(io::Error::new(io::ErrorKind::NotFound, "SSH_AUTH_SOCK is not set"));
            }
            SshKeys::Files(files) => {
                let own = OwnAgent::start(files, contents, dir)?;
                let socket = own.socket.clone();
                (Some(own), socket)
            }
        };
        UnixStream::connect(&target)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", target.display())))?;
        let listener = bind(dir, "ssh")?;
        let socket = dir.join("ssh");
        if (uid, gid) != (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()) {
            std::os::unix::fs::chown(&socket, Some(uid), Some(gid))?;
        }
        fs::set_permissions(&socket, fs::Permissions::from_mode(mode))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let keep_comments = own.is_none();
        let listener = thread::spawn(move || serve(&listener, &target, &stopped, keep_comments));
        Ok(Self { socket, stop, listener: Some(listener), _own: own })
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        if connect(&self.socket).is_ok()
            && let Some(listener) = self.listener.take()
        {
            let _ = listener.join();
        }
    }
}

fn serve(listener: &UnixListener, target: &Path, stop: &AtomicBool, keep_comments: bool) {
    let clients = Arc::new(AtomicUsize::new(0));
    for client in listener.incoming() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let Ok(client) = client else { continue };
        if clients.fetch_add(1, Ordering::Relaxed) >= CLIENTS {
            clients.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (target, clients) = (target.to_owned(), clients.clone());
        // The thread ends with its connection, and that with the step.
        thread::spawn(move || {
            let _ = answer(client, || connect(&target), keep_comments);
            clients.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Connections of one step at a time; more are closed.
const CLIENTS: usize = 32;
/// OpenSSH's agent takes no message that is longer.
const MESSAGE: u32 = 256 << 10;

/// `SSH_AGENTC_REQUEST_IDENTITIES` and `SSH_AGENTC_SIGN_REQUEST`: an agent is lent to list its keys and to sign.
/// Whatever else there is, and will be (adding and removing keys, locking, extensions), is not (RFC 9987).
const ALLOWED: [u8; 2] = [11, 13];
/// `SSH_AGENT_FAILURE`
const FAILURE: [u8; 5] = [0, 0, 0, 1, 5];

/// Passes on what is allowed, message for message, and refuses the rest, until the step hangs up.
fn answer<A: io::Read + io::Write>(
    mut client: impl io::Read + io::Write,
    connect: impl Fn() -> io::Result<A>,
    keep_comments: bool,
) -> io::Result<()> {
    let mut agent = None;
    loop {
        let Some(request) = message(&mut client)? else { return Ok(()) };
        let reply = if request.get(4).is_some_and(|kind| ALLOWED.contains(kind)) {
            let agent = match &mut agent {
                Some(agent) => agent,
                empty => empty.insert(connect()?),
            };
            agent.write_all(&request)?;
            let reply = message(agent)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if keep_comments { reply } else { without_comments(&reply).unwrap_or(reply) }
        } else {
            FAILURE.to_vec()
        };
        client.write_all(&reply)?;
    }
}

/// `SSH_AGENT_IDENTITIES_ANSWER`
const IDENTITIES: u8 = 12;

/// A list of keys without their comments: who has written a key file where is no affair of a step, and its result must
/// not depend on that. `None` for every other message.
fn without_comments(reply: &[u8]) -> Option<Vec<u8>> {
    let mut rest = reply.get(4..)?.strip_prefix(&[IDENTITIES])?;
    let mut take = |length: usize| {
        let (taken, left) = rest.split_at_checked(length)?;
        rest = left;
        Some(taken)
    };
    let number = |bytes: &[u8]| bytes.try_into().ok().map(u32::from_be_bytes);
    let count = take(4)?;
    let mut body = [&[IDENTITIES], count].concat();
    for _ in 0..number(count)? {
        let length = take(4)?;
        body.extend(length);
        body.extend(take(usize::try_from(number(length)?).ok()?)?);
        let comment = number(take(4)?)?;
        take(usize::try_from(comment).ok()?)?;
        body.extend([0; 4]);
    }
    Some([&u32::try_from(body.len()).ok()?.to_be_bytes()[..], &body].concat())
}

/// One whole message with its length; `None` at the end. One that is too long ends the connection.
fn message(from: &mut impl io::Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let size = u32::from_be_bytes(length);
    if size > MESSAGE {
        return Err(io::Error::other("a message is too long"));
    }
    let mut message = length.to_vec();
    // No memory before there are bytes for it.
    from.take(u64::from(size)).read_to_end(&mut message)?;
    if message.len() != 4 + size as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(message))
}

/// A socket's path may have 107 bytes; through the descriptor of its directory it is always short.
fn through<T>(dir: &Path, name: &str, then: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let dir = File::open(dir)?;
    then(&PathBuf::from(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd())))
}

fn bind(dir: &Path, name: &str) -> io::Result<UnixListener> {
    through(dir, name, |path| UnixListener::bind(path))
}

fn connect(socket: &Path) -> io::Result<UnixStream> {
    match (socket.parent(), socket.file_name().and_then(|name| name.to_str())) {
        (Some(dir), Some(name)) => through(dir, name, |path| UnixStream::connect(path)),
        _ => UnixStream::connect(socket),
    }
}

/// An agent of our own for keys that were given as files.
struct OwnAgent {
    child: Child,
    socket: PathBuf,
}

impl OwnAgent {
    fn start(files: &[PathBuf], contents: &KeyFiles, dir: &Path) -> io::Result<Self> {
        let socket = dir.join("agent");
        let folder = File::open(dir)?;
        // The descriptor is open here as long as the programs need it.
        let short = format!("/proc/{}/fd/{}/agent", std::process::id(), folder.as_raw_fd());
        let child = Command::new("ssh-agent")
            .args(["-D", "-a", &short])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("cannot run ssh-agent: {error}")))?;
        let agent = Self { child, socket };
        let until = Instant::now() + Duration::from_secs(10);
        while connect(&agent.socket).is_err() {
            if Instant::now() > until {
                return Err(io::Error::other("ssh-agent does not answer"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        for file in files {
            contents.read(file).and_then(|key| add(&key, &short)).map_err(|error| {
                io::Error::other(format!("cannot use the key {}: {error}", file.display()))
            })?;
        }
        Ok(agent)
    }
}

/// Gives a key to the agent behind this socket.
fn add(key: &[u8], socket: &str) -> io::Result<()> {
    let mut adding = Command::new("ssh-add")
        // From here, and not by its name: who else may read the file is its owner's affair.
        .args(["-q", "-"])
        .env("SSH_AUTH_SOCK", socket)
        // No question for a passphrase.
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("SSH_ASKPASS", "/bin/false")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = adding.stdin.take() {
        // One that has ended already says itself why.
        let _ = stdin.write_all(key);
    }
    let output = adding.wait_with_output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(())
}

impl Drop for OwnAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// For the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn fuzz(sent: &[u8], reply: &[u8]) -> (Vec<u8>, Vec<u8>, io::Result<()>) {
    use std::{cell::RefCell, io::Write};

    /// One end of a connection: what can be read, and what was written.
    struct End<'a>(io::Cursor<Vec<u8>>, &'a RefCell<Vec<u8>>);

    impl io::Read for End<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let some = buffer.len().min(3);
            self.0.read(&mut buffer[..some])
        }
    }

    impl Write for End<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.borrow_mut().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let (heard, got) = (RefCell::default(), RefCell::default());
    let client = End(io::Cursor::new(sent.to_vec()), &heard);
    let done = answer(client, || Ok(End(io::Cursor::new(reply.to_vec()), &got)), true);
    (heard.into_inner(), got.into_inner(), done)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    /// A connection that reads from one buffer and writes to another one.
    struct Both(Cursor<Vec<u8>>, Vec<u8>);

    impl io::Read for Both {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            // In pieces.
            let some = buffer.len().min(3);
            self.0.read(&mut buffer[..some])
        }
    }

    impl io::Write for Both {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut frame = u32::try_from(body.len() + 1).unwrap().to_be_bytes().to_vec();
        frame.push(kind);
        frame.extend(body);
        frame
    }

    /// What a client hears that sends these bytes, and what the agent got.
    fn exchange(sent: Vec<u8>) -> (Vec<u8>, Vec<u8>, bool) {
        let (theirs, ours) = UnixStream::pair().unwrap();
        let agent = thread::spawn(move || {
            let (mut ours, mut got) = (ours, Vec::new());
            while let Ok(Some(request)) = message(&mut ours) {
                got.extend(&request);
                io::Write::write_all(&mut ours, &frame(12, b"keys")).unwrap();
            }
            got
        });
        let mut client = Both(Cursor::new(sent), Vec::new());
        let lent = std::cell::Cell::new(Some(theirs));
        let connect = || lent.take().ok_or_else(|| io::Error::other("asked twice"));
        let done = answer(&mut client, connect, true);
        drop(lent);
        (client.1, agent.join().unwrap(), done.is_ok())
    }

    #[test]
    fn comments_of_key_files_stay_here() {
        let list = |comments: [&str; 2]| {
            let text = |text: &str| {
                let length = u32::try_from(text.len()).unwrap().to_be_bytes();
                [&length[..], text.as_bytes()].concat()
            };
            let keys: Vec<u8> =
                comments.iter().flat_map(|comment| [text("a key"), text(comment)].concat()).collect();
            frame(IDENTITIES, &[&2_u32.to_be_bytes()[..], &keys].concat())
        };
        assert_eq!(without_comments(&list(["me@home", ""])), Some(list(["", ""])));
        let whole = list(["me@home", "x"]);
        for cut in 0..whole.len() {
            assert_eq!(without_comments(&whole[..cut]), None, "{cut}");
        }
        assert_eq!(without_comments(&frame(14, b"a signature")), None);
    }

    #[test]
    fn ssh_agent_can_be_emptied() {
        let list = frame(11, b"");
        let sign = frame(13, b"blob");
        let (heard, got, fine) = exchange([list.clone(), sign.clone()].concat());
        assert!(fine);
        assert_eq!(heard, [frame(12, b"keys"), frame(12, b"keys")].concat());
        assert_eq!(got, [list, sign].concat());
        // Every other message, with a body and without.
        for kind in (0..=255).filter(|kind| ![11, 13].contains(kind)) {
            let (heard, got, fine) = exchange([frame(kind, b""), frame(kind, b"xyz")].concat());
            assert!(fine && got.is_empty(), "{kind}");
            assert_eq!(heard, [FAILURE, FAILURE].concat(), "{kind}");
        }
        // An empty message, one that is cut short, and one of four gigabytes.
        assert_eq!(exchange(vec![0; 4]), (FAILURE.to_vec(), Vec::new(), true));
        assert_eq!(exchange(vec![0, 0, 0, 9, 11]), (Vec::new(), Vec::new(), false));
        assert_eq!(exchange(vec![255, 255, 255, 255, 11]), (Vec::new(), Vec::new(), false));
    }

    proptest! {
        #[test]
        fn nothing_else_reaches_the_agent(sent in prop::collection::vec(any::<u8>(), 0..200)) {
            let (_, got, _) = exchange(sent);
            let mut rest = &got[..];
            while let Some(request) = message(&mut rest).unwrap() {
                prop_assert!(ALLOWED.contains(&request[4]));
            }
        }
    }
}
