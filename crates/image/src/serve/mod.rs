//! A registry of our own on this machine's loopback address: distribution-spec 1.1, pull and push, for tests and for
//! engines that take images from a registry only.
//!
//! It asks nobody for a password, so it listens on 127.0.0.1 alone, refuses pages of browsers, and is changed by its
//! own user and root alone. Everything it keeps is in one folder:
//!
//! ```text
//! blobs/sha256/<hex>                       bytes, whoever sent them
//! uploads/<id>                             what has arrived of an upload
//! repositories/<name>/_blobs/<hex>         the repository holds the blob
//! repositories/<name>/_manifests/<hex>     the manifest's media type
//! repositories/<name>/_tags/<tag>          its digest
//! ```

mod answer;
mod callers;
mod http;
mod registry_dir;

use std::{
    io::{self, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::StoreError;
use registry_dir::RegistryDir;

/// Connections at the same time; further ones wait for the system's queue.
const MAX_CONNECTIONS: usize = 64;
/// Longer nobody waits for a byte.
const PATIENCE: Duration = Duration::from_mins(1);
/// The first byte of a TLS hello.
const TLS_HANDSHAKE: u8 = 0x16;

/// A registry that runs until the value goes.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a registry that keeps its images in `root`, on a port of 127.0.0.1; port 0 takes a free one.
    ///
    /// # Errors
    /// When the folder cannot be made or the port is taken.
    pub fn start(root: &Path, port: u16) -> Result<Self, StoreError> {
        let registry = Arc::new(RegistryDir::open(root)?);
        let failed = |source| StoreError::Stream { action: "listen on 127.0.0.1", source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let accepting = thread::spawn(move || accept(&listener, &registry, &stopping));
        Ok(Self { address, stop, accepting: Some(accepting) })
    }

    /// The loopback address and port that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        if let Some(accepting) = self.accepting.take() {
            // it ends with the process
            let _ = accepting.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // accepting ends with the next connection
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, registry: &Arc<RegistryDir>, stop: &AtomicBool) {
    let open = Arc::new(AtomicUsize::new(0));
    for client in listener.incoming() {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let Ok(client) = client else { continue };
        while open.load(Ordering::Acquire) >= MAX_CONNECTIONS {
            thread::sleep(Duration::from_millis(5));
        }
        open.fetch_add(1, Ordering::AcqRel);
        let (registry, open) = (registry.clone(), open.clone());
        thread::spawn(move || {
            // a connection that breaks is the client's to take up again
            let _ = serve(client, &registry);
            open.fetch_sub(1, Ordering::AcqRel);
        });
    }
}

/// Answers the requests of one connection, one after the other.
fn serve(client: TcpStream, registry: &RegistryDir) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    client.set_nodelay(true)?;
    let peers = (client.peer_addr()?, client.local_addr()?);
    let mut first = [0];
    if client.peek(&mut first)? == 1 && first[0] == TLS_HANDSHAKE {
        // what Go's server says, by which engines know that the registry speaks plain HTTP
        return refuse_tls(client);
    }
    let mut reader = BufReader::with_capacity(64 << 10, client.try_clone()?);
    let mut writer = client;
    while let Some(request) = http::Request::read(&mut reader)? {
        let keep = request.keep_alive;
        let mut body = http::Body::new(&request, &mut reader, &mut writer);
        let answer = match refusal(&request, &peers) {
            Some(why) => answer::problem(403, "DENIED", why),
            None => answer::answer(&request, &mut body, registry),
        };
        // what was not read of a body would be taken for the next request
        let drained = body.drain();
        answer.write(&request, keep && drained, &mut writer)?;
        if !(keep && drained) {
            break;
        }
    }
    Ok(())
}

/// Why nothing is answered. `peers` are the two ends of the connection, the client's first.
fn refusal(request: &http::Request, peers: &(SocketAddr, SocketAddr)) -> Option<&'static str> {
    if let Some(why) = callers::refusal(request) {
        return Some(why);
    }
    let may_write = !callers::writes(request) || callers::is_own(peers.0, peers.1);
    (!may_write).then_some("only the user who runs the registry, and root, change it")
}

/// For the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn fuzz(root: &Path, mut requests: &[u8]) -> io::Result<Vec<u8>> {
    let registry = RegistryDir::open(root).map_err(io::Error::other)?;
    let mut answers = Vec::new();
    while let Some(request) = http::Request::read(&mut requests)? {
        let _ = (callers::refusal(&request), callers::writes(&request));
        let mut told = Vec::new();
        let mut body = http::Body::new(&request, &mut requests, &mut told);
        let answer = answer::answer(&request, &mut body, &registry);
        let keep = body.drain();
        answers.extend(told);
        answer.write(&request, keep, &mut answers)?;
        if !keep {
            break;
        }
    }
    Ok(answers)
}

fn refuse_tls(mut client: TcpStream) -> io::Result<()> {
    client.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n")?;
    client.shutdown(std::net::Shutdown::Write)?;
    // a reset would take the answer away before it is read
    let mut rest = [0; 4096];
    while client.read(&mut rest)? > 0 {}
    Ok(())
}
