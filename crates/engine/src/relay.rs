//! Engines behind TLS or SSH: a private socket of this process, each of whose connections is carried to the engine.
//!
//! The HTTP client then speaks to a local socket as ever, upgraded connections (exec, attach) included. TLS trusts the
//! given authority alone, or the system's when none is given. SSH is the `ssh` command with `docker system dial-stdio`
//! on the far side, as the docker command does it: the user's own keys, agent, known hosts and configuration count.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixListener, UnixStream},
    process::Command,
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use crate::address::TlsFiles;

/// How long a TCP connection may take.
const CONNECT: Duration = Duration::from_secs(20);
/// At most so much of what `ssh` says is kept.
const SAID: usize = 4096;
/// How long the end of `ssh` is waited for when everything has been carried.
const LINGER: Duration = Duration::from_millis(400);

/// Carries connections while it lives.
pub(crate) struct Relay {
    directory: PathBuf,
    accepting: JoinHandle<()>,
    trouble: Arc<Mutex<Option<String>>>,
}

/// How a connection gets to the engine.
pub(crate) enum Way {
    /// TLS over TCP.
    Tls { address: String, name: ServerName<'static>, connector: TlsConnector },
    /// The ssh command.
    Ssh { target: Vec<String> },
}

impl Relay {
    /// Opens the private socket. Must be called within a runtime.
    pub(crate) fn open(way: Way) -> io::Result<Self> {
        let directory = private_directory()?;
        let listener = UnixListener::bind(directory.join("engine.sock"))?;
        let trouble = Arc::new(Mutex::new(None));
        let (way, told, control) = (Arc::new(way), Arc::clone(&trouble), directory.join("ssh-%C"));
        let accepting = tokio::spawn(async move {
            while let Ok((local, _)) = listener.accept().await {
                let (way, told, control) = (Arc::clone(&way), Arc::clone(&told), control.clone());
                tokio::spawn(async move {
                    if let Err(error) = carry(local, &way, &control).await {
                        *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                    }
                });
            }
        });
        Ok(Self { directory, accepting, trouble })
    }

    /// The address of the private socket.
    pub(crate) fn socket(&self) -> String {
        format!("unix://{}", self.directory.join("engine.sock").display())
    }

    /// Why the last connection failed; waits a moment for the news.
    pub(crate) async fn trouble(&self) -> Option<String> {
        for _ in 0..20 {
            let told = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if told.is_some() {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        None
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A directory that only this user may enter; those of processes that were killed are swept away.
fn private_directory() -> io::Result<PathBuf> {
    const PREFIX: &str = "plimsoll-engine-";
    let base = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|path| path.is_dir())
        .unwrap_or_else(std::env::temp_dir);
    for entry in fs::read_dir(&base)?.flatten() {
        let name = entry.file_name();
        let dead = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next())
            .is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists());
        if dead {
            // another user's is left alone by the operating system
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    for attempt in 0..64_u32 {
        let path = base.join(format!("{PREFIX}{}-{attempt}", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done.map(|()| path),
        }
    }
    Err(io::Error::other(format!("no free name for a socket in {}", base.display())))
}

async fn carry(mut local: UnixStream, way: &Way, control: &Path) -> io::Result<()> {
    match way {
        Way::Tls { address, name, connector } => {
            let connect = tokio::time::timeout(CONNECT, TcpStream::connect(address.as_str()));
            let tcp = connect.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            tcp.set_nodelay(true)?;
            let mut far = connector.connect(name.clone(), tcp).await?;
            match tokio::io::copy_bidirectional(&mut local, &mut far).await {
                // the far side refuses our certificate only after the handshake
                Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error),
                // an engine may end without TLS's own goodbye: the connection is over all the same
                _ => Ok(()),
            }
        }
        Way::Ssh { target } => {
            let mut ssh = Command::new("ssh")
                .args(["-o", "ConnectTimeout=20", "-o", "BatchMode=yes", "-o", "ControlMaster=auto"])
                .arg("-o")
                .arg(format!("ControlPath={}", control.display()))
                .args(["-o", "ControlPersist=10"])
                .args(target)
                .args(["docker", "system", "dial-stdio"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .map_err(|error| io::Error::other(format!("cannot start ssh: {error}")))?;
            through(&mut local, &mut ssh).await
        }
    }
}

/// Both directions until both have ended, or ssh has; what it says counts when it fails.
async fn through(local: &mut UnixStream, ssh: &mut tokio::process::Child) -> io::Result<()> {
    let (Some(mut input), Some(mut output), Some(errors)) =
        (ssh.stdin.take(), ssh.stdout.take(), ssh.stderr.take())
    else {
        return Err(io::Error::other("ssh was started without pipes"));
    };
    let mut listener = tokio::spawn(first_words(errors));
    let (mut reader, mut writer) = local.split();
    let there = async {
        let _ = tokio::io::copy(&mut reader, &mut input).await;
        drop(input);
    };
    let back = async {
        let _ = tokio::io::copy(&mut output, &mut writer).await;
        let _ = writer.shutdown().await;
    };
    tokio::select! {
        _ = async { tokio::join!(there, back) } => {}
        _ = ssh.wait() => {}
    }
    let status = tokio::time::timeout(LINGER, ssh.wait()).await;
    // with a shared connection its master keeps standard error open: it is not waited for to its end
    let said =
        tokio::time::timeout(LINGER, &mut listener).await.ok().and_then(Result::ok).unwrap_or_default();
    listener.abort();
    match status {
        Ok(Ok(status)) if !status.success() => {
            let said = String::from_utf8_lossy(&said).trim().replace(['\r', '\n'], "; ");
            Err(io::Error::other(if said.is_empty() { format!("ssh ended with {status}") } else { said }))
        }
        _ => Ok(()),
    }
}

/// The beginning of what is said until the end, or until nothing more comes after something was said.
async fn first_words(mut errors: tokio::process::ChildStderr) -> Vec<u8> {
    let mut said = Vec::new();
    let mut piece = [0; 512];
    loop {
        let read = errors.read(&mut piece);
        let count = if said.is_empty() {
            read.await
        } else {
            tokio::time::timeout(LINGER, read).await.unwrap_or(Ok(0))
        };
        match count {
            Ok(count) if count > 0 && said.len() < SAID => said.extend_from_slice(&piece[..count]),
            _ => return said,
        }
    }
}

/// What `ssh://user@host:port` means as arguments of ssh.
pub(crate) fn ssh(address: &str) -> Option<Way> {
    let rest = address.strip_prefix("ssh://")?.trim_end_matches('/');
    let (user, host) = match rest.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, rest),
    };
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (host, Some(port))
        }
        _ => (host, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    // a path of another socket has no meaning for dial-stdio, and a leading dash would be an option
    let plain = |text: &str| !text.is_empty() && !text.starts_with('-') && !text.contains(['/', ' ']);
    if !plain(host) || !user.is_none_or(plain) {
        return None;
    }
    let mut target = Vec::new();
    if let Some(port) = port {
        target.extend(["-p".to_owned(), port.to_owned()]);
    }
    if let Some(user) = user {
        target.extend(["-l".to_owned(), user.to_owned()]);
    }
    target.extend(["--".to_owned(), host.to_owned()]);
    Some(Way::Ssh { target })
}

/// TLS to `tcp://host:port` or `https://host:port`.
pub(crate) fn tls(address: &str, files: &TlsFiles) -> Result<Way, String> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest).trim_end_matches('/');
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => (host, port),
        _ => (rest, "2376"),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("`{host}` is no host name"))?;
    let mut roots = RootCertStore::empty();
    if let Some(ca) = &files.ca {
        for certificate in certificates(ca)? {
            roots.add(certificate).map_err(|error| format!("{}: {error}", ca.display()))?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let config = match (&files.cert, &files.key) {
        (Some(cert), Some(key)) => {
            let own =
                PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{}: {error}", key.display()))?;
            builder
                .with_client_auth_cert(certificates(cert)?, own)
                .map_err(|error| format!("{}: {error}", cert.display()))?
        }
        _ => builder.with_no_client_auth(),
    };
    let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    Ok(Way::Tls { address, name, connector: TlsConnector::from(Arc::new(config)) })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(|error| wrong(&error))?
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(&error))?;
    if found.is_empty() { Err(wrong(&"has no certificate")) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(address: &str) -> Option<Vec<String>> {
        match ssh(address)? {
            Way::Ssh { target } => Some(target),
            Way::Tls { .. } => None,
        }
    }

    #[test]
    fn an_ssh_address_is_no_way_to_give_options() {
        assert_eq!(target("ssh://me@far:2222").unwrap(), ["-p", "2222", "-l", "me", "--", "far"]);
        assert_eq!(target("ssh://far").unwrap(), ["--", "far"]);
        assert_eq!(target("ssh://[::1]:22/").unwrap(), ["-p", "22", "--", "::1"]);
        for refused in
            ["ssh://-oProxyCommand=x", "ssh://-l@far", "ssh://", "ssh://far/run/docker.sock", "tcp://x"]
        {
            assert_eq!(target(refused), None, "{refused}");
        }
    }

    #[test]
    fn an_authority_that_is_none_is_said_with_its_path() {
        let path = std::env::temp_dir().join(format!("plimsoll-test-ca-{}.pem", std::process::id()));
        fs::write(&path, "no certificate").unwrap();
        let files = TlsFiles { ca: Some(path.clone()), ..TlsFiles::default() };
        let error = tls("tcp://127.0.0.1:1", &files).err().unwrap();
        assert!(error.contains(&path.display().to_string()), "{error}");
        fs::remove_file(path).unwrap();
    }
}
