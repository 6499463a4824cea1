//! `RUN --mount=type=ssh`: an agent of the host, seen in the step through a socket of our own, so that the step's
//! user may open it whoever owns the agent.

use std::{
    fs::{self, File},
    io,
    net::Shutdown,
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
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::request::{SshAgent, SshKeys};

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
    pub(crate) fn open(agent: &SshAgent, dir: &Path, (uid, gid): (u32, u32), mode: u32) -> io::Result<Self> {
        let (own, target) = match &agent.keys {
            SshKeys::Agent(socket) => (None, socket.clone()),
            SshKeys::Files(files) => {
                let own = OwnAgent::start(files, dir)?;
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
        let listener = thread::spawn(move || serve(&listener, &target, &stopped));
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

fn serve(listener: &UnixListener, target: &Path, stop: &AtomicBool) {
    for client in listener.incoming() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let (Ok(client), Ok(agent)) = (client, connect(target)) else { continue };
        let (Ok(from_client), Ok(to_agent)) = (client.try_clone(), agent.try_clone()) else { continue };
        // Both threads end with their connection, and that with the step.
        thread::spawn(move || pump(from_client, to_agent));
        thread::spawn(move || pump(agent, client));
    }
}

fn pump(mut from: UnixStream, mut to: UnixStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
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
    fn start(files: &[PathBuf], dir: &Path) -> io::Result<Self> {
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
            let output = Command::new("ssh-add")
                .arg("-q")
                .arg("--")
                .arg(file)
                .env("SSH_AUTH_SOCK", &short)
                // No question for a passphrase.
                .env("SSH_ASKPASS_REQUIRE", "force")
                .env("SSH_ASKPASS", "/bin/false")
                .stdin(Stdio::null())
                .output()?;
            if !output.status.success() {
                let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(io::Error::other(format!("cannot use the key {}: {told}", file.display())));
            }
        }
        Ok(agent)
    }
}

impl Drop for OwnAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
