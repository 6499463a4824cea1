//! A Docker Engine for the demo and the tests: the one that answers, or Debian's, started by us.

use std::{
    fs::File,
    io::{IsTerminal, Read, Write},
    os::unix::{fs::PermissionsExt as _, net::UnixStream, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::shell;

const SOCKET: &str = "/var/run/docker.sock";

/// Sees to it that an engine answers. Says first what it is about to install and start, and asks unless `yes`.
pub(crate) fn ensure(yes: bool) -> Result<()> {
    if std::env::var_os("DOCKER_HOST").is_some() || answers() {
        return Ok(());
    }
    eprintln!("No Docker Engine answers on {SOCKET}. This will");
    let install = !Path::new("/usr/sbin/dockerd").exists();
    if install {
        eprintln!("  - install Debian's packages docker.io and iptables with apt-get");
    }
    let data = shell::target().join("engine");
    eprintln!("  - start dockerd with its data in {}", data.display());
    if !yes && !agreed()? {
        bail!("no engine; start one, or run again with --yes");
    }
    if install {
        shell::run(Command::new("apt-get").args(["update", "-qq"]))?;
        let packages = ["install", "-y", "-qq", "--no-install-recommends", "docker.io", "iptables"];
        shell::run(Command::new("apt-get").args(packages).env("DEBIAN_FRONTEND", "noninteractive"))?;
        if wait(Duration::from_secs(5)) {
            return Ok(());
        }
    }
    start(&data)
}

/// Lets ordinary users open `/dev/net/tun`, as udev does on every machine that has it (50-udev-default.rules): tests build
/// as one of them. Only root can, and only root runs these tests.
pub(crate) fn lend_tun() -> Result<()> {
    let device = Path::new("/dev/net/tun");
    let Ok(meta) = std::fs::metadata(device) else { return Ok(()) };
    let mut permissions = meta.permissions();
    if permissions.mode() & 0o666 == 0o666 || !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    eprintln!("{} is root's alone: its mode becomes 0666, as with udev", device.display());
    permissions.set_mode(0o666);
    std::fs::set_permissions(device, permissions)
        .with_context(|| format!("cannot change {}", device.display()))
}

fn start(data: &Path) -> Result<()> {
    std::fs::create_dir_all(data)?;
    let log = data.join("dockerd.log");
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let daemon = Command::new("dockerd")
        .arg("--data-root")
        .arg(data)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        // its own process group, so that it outlives this command and an interrupt
        .process_group(0)
        .spawn()
        .context("cannot start dockerd")?;
    if !wait(Duration::from_mins(1)) {
        bail!("dockerd does not answer after 60 s; its log is {}", log.display());
    }
    eprintln!("  dockerd runs as process {}; end it with: kill {}", daemon.id(), daemon.id());
    Ok(())
}

fn wait(limit: Duration) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < limit {
        if answers() {
            return true;
        }
        thread::sleep(Duration::from_millis(200));
    }
    false
}

fn answers() -> bool {
    ping().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200"))
}

fn ping() -> std::io::Result<String> {
    let mut socket = UnixStream::connect(SOCKET)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    socket.write_all(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")?;
    let mut answer = String::new();
    socket.take(4096).read_to_string(&mut answer)?;
    Ok(answer)
}

fn agreed() -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("Go on? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
