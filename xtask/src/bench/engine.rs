//! A Docker Engine of our own: its cache can be emptied and its processor time counted without touching another one.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::measure::{self, Helpers};
use crate::shell;

/// With `--bridge=none` dockerd deletes the bridge of another engine, so each gets its own.
const BRIDGE: &str = "plimsollbench";

/// Which engine.
#[derive(Clone, Debug)]
pub(crate) enum Release {
    /// The one that is installed.
    Installed,
    /// Debian 13's, unpacked in a folder.
    Unpacked(PathBuf),
}

pub(crate) struct Engine {
    daemon: Child,
    release: Release,
    socket: PathBuf,
    bridge: String,
}

impl Engine {
    /// Starts the installed dockerd with everything in `folder`.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        Self::start_release(folder, Release::Installed, 0, false)
    }

    /// Starts an engine with everything in `folder`; engines that run at once have different numbers. Images are kept
    /// by containerd, if asked for.
    pub(crate) fn start_release(
        folder: &Path,
        release: Release,
        number: u8,
        containerd_store: bool,
    ) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let bridge = format!("{BRIDGE}{number}");
        if !shell::succeeds(Command::new("ip").args(["link", "show", &bridge])) {
            let address = format!("172.31.{}.1/24", 253 - number);
            shell::run(Command::new("ip").args(["link", "add", &bridge, "type", "bridge"]))?;
            shell::run(Command::new("ip").args(["addr", "add", &address, "dev", &bridge]))?;
        }
        let config = folder.join("daemon.json");
        let features =
            if containerd_store { r#"{"features":{"containerd-snapshotter":true}}"# } else { "{}" };
        fs::write(&config, features)?;
        let socket = folder.join("docker.sock");
        let _ = fs::remove_file(folder.join("docker.pid"));
        let log = File::create(folder.join("dockerd.log"))?;
        let mut daemon = match &release {
            Release::Installed => Command::new("dockerd"),
            Release::Unpacked(root) => {
                let mut daemon = Command::new(root.join("bin/dockerd"));
                // its containerd and shims are found beside it
                let path = std::env::var("PATH").unwrap_or_default();
                daemon.env("PATH", format!("{}:{path}", root.join("bin").display()));
                daemon
            }
        };
        let daemon = daemon
            .arg(format!("--config-file={}", config.display()))
            .arg(format!("--host=unix://{}", socket.display()))
            .arg(format!("--data-root={}", folder.join("data").display()))
            .arg(format!("--exec-root={}", folder.join("exec").display()))
            .arg(format!("--pidfile={}", folder.join("docker.pid").display()))
            .arg(format!("--bridge={bridge}"))
            .args(["--iptables=false", "--ip-masq=false"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start dockerd")?;
        let engine = Self { daemon, release, socket, bridge };
        let begin = Instant::now();
        while !shell::succeeds(engine.docker().arg("version")) {
            if begin.elapsed() > Duration::from_mins(1) {
                bail!("dockerd does not answer; its log is {}", folder.join("dockerd.log").display());
            }
            thread::sleep(Duration::from_millis(200));
        }
        Ok(engine)
    }

    /// The client, with BuildKit.
    pub(crate) fn docker(&self) -> Command {
        let mut docker = match &self.release {
            Release::Installed => Command::new("/usr/bin/docker"),
            Release::Unpacked(root) => {
                let mut docker = Command::new(root.join("bin/docker"));
                docker.env("DOCKER_CONFIG", root.join("config"));
                docker
            }
        };
        docker.env("DOCKER_HOST", self.host()).env("DOCKER_BUILDKIT", "1").env_remove("DOCKER_CONTEXT");
        docker
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// `docker build` of a context in the current folder.
    pub(crate) fn build(&self, context: &Path, tag: &str) -> Command {
        let mut docker = self.docker();
        // `.` in the context's folder, as people call it
        docker.args(["build", "--network=host", "--tag", tag, "."]).current_dir(context);
        docker
    }

    /// Forgets all steps and copied contexts; cache mounts keep their content.
    pub(crate) fn forget(&self) -> Result<()> {
        for kind in ["regular", "source.local"] {
            let filter = format!("type={kind}");
            let mut prune = self.docker();
            prune.args(["builder", "prune", "--force", "--all", "--filter", &filter]);
            measure::run(&mut prune, self)?;
        }
        Ok(())
    }

    /// Starts to watch the peak memory of the daemon and its containerd.
    pub(crate) fn reset_peak(&self) {
        for process in self.processes() {
            // 5 resets the high-water mark
            let _ = fs::write(format!("/proc/{process}/clear_refs"), "5");
        }
    }

    /// The peak since then in MB.
    pub(crate) fn peak(&self) -> f64 {
        self.processes().into_iter().map(measure::high_water).sum::<u64>() as f64 / 1000.0
    }

    /// The daemon and everything below it.
    fn processes(&self) -> Vec<u32> {
        let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let process = entry.file_name().to_str()?.parse().ok()?;
                let fields = stat(process)?;
                Some((process, fields.get(1)?.parse().ok()?))
            })
            .collect();
        let mut found = vec![self.daemon.id()];
        let mut next = 0;
        while let Some(&parent) = found.get(next) {
            found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(process, _)| *process));
            next += 1;
        }
        found
    }
}

impl Helpers for Engine {
    /// Processor seconds of the daemon, of what runs below it, and of all that ran and ended there.
    fn cpu(&self) -> f64 {
        let ticks = self.processes().into_iter().filter_map(stat).flat_map(|fields| {
            // utime, stime, cutime, cstime, counted from the state
            fields
                .get(11..15)
                .unwrap_or_default()
                .iter()
                .filter_map(|field| field.parse::<u64>().ok())
                .collect::<Vec<_>>()
        });
        ticks.sum::<u64>() as f64 / 100.0
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SIGTERM, so that it stops its containerd too
        let _ = Command::new("kill").arg(self.daemon.id().to_string()).status();
        let _ = self.daemon.wait();
        let _ = Command::new("ip").args(["link", "delete", &self.bridge]).status();
    }
}

/// The fields of `/proc/PID/stat` behind the name, beginning with the state.
fn stat(process: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}
