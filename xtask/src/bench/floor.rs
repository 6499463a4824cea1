//! The floor: the RUN commands of a workload alone, in a chroot, with the same cache mount. No builder can be faster
//! without changing what RUN does.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Instant,
};

use anyhow::{Context, Result, anyhow, bail};

use super::{measure, ours::Ours, workload::Workload};
use crate::shell;

/// Roots of one workload.
pub(crate) struct Rooms {
    folder: PathBuf,
    image: PathBuf,
    cache: PathBuf,
}

impl Rooms {
    /// Unpacks the image that the RUN steps start from.
    pub(crate) fn new(folder: &Path, ours: &Ours, workload: &Workload) -> Result<Self> {
        let floor = workload.floor.as_ref().context("the workload has RUN steps")?;
        let rooms =
            Self { folder: folder.to_owned(), image: folder.join("image"), cache: folder.join("cache") };
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        let context = folder.join("context");
        fs::create_dir_all(&context)?;
        fs::create_dir_all(&rooms.cache)?;
        fs::write(context.join("Dockerfile"), format!("FROM {}\n", floor.image))?;
        let output = format!("type=local,dest={}", rooms.image.display());
        shell::quiet(ours.build(&context, "plimsoll-bench/floor:1").args(["--output", &output]))?;
        Ok(rooms)
    }

    /// Seconds of all phases, and of those that a changed line repeats.
    pub(crate) fn run(&self, workload: &Workload) -> Result<(f64, f64)> {
        let floor = workload.floor.as_ref().context("the workload has RUN steps")?;
        let room = self.folder.join("room");
        self.copy(&self.image, &room)?;
        let app = room.join(floor.at.trim_start_matches('/'));
        fs::create_dir_all(app.parent().context("a folder")?)?;
        self.copy(&workload.context, &app)?;
        let (mut all, mut last) = (0.0, 0.0);
        for (number, phase) in floor.phases.iter().enumerate() {
            // what runs at the same time has a root of its own, as in the builders
            let mut rooms = vec![room.clone()];
            for other in 1..phase.len() {
                let copy = self.folder.join(format!("room{other}"));
                self.copy(&room, &copy)?;
                rooms.push(copy);
            }
            let begin = Instant::now();
            let results: Vec<Result<()>> = thread::scope(|scope| {
                let jobs: Vec<_> = phase
                    .iter()
                    .zip(&rooms)
                    .map(|(command, room)| scope.spawn(|| self.step(room, floor.at, floor.cache, command)))
                    .collect();
                let failed = || Err(anyhow!("a step of the floor ended early"));
                jobs.into_iter().map(|job| job.join().unwrap_or_else(|_| failed())).collect()
            });
            results.into_iter().collect::<Result<Vec<()>>>()?;
            let took = begin.elapsed().as_secs_f64();
            all += took;
            if number + 1 == floor.phases.len() {
                last = took;
            }
        }
        // of a phase of several commands a changed source repeats only the first
        if let Some([first, _, ..]) = floor.phases.last() {
            let again = self.folder.join("again");
            self.copy(&self.folder.join("room"), &again)?;
            let begin = Instant::now();
            self.step(&again, floor.at, floor.cache, first)?;
            last = begin.elapsed().as_secs_f64();
        }
        Ok((all, last))
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        if !to.starts_with(&self.folder) {
            bail!("{} is not in {}", to.display(), self.folder.display());
        }
        if to.exists() {
            fs::remove_dir_all(to)?;
        }
        shell::quiet(Command::new("cp").arg("-a").arg(from).arg(to))
    }

    fn step(&self, root: &Path, at: &str, cache: &str, command: &str) -> Result<()> {
        let script = format!(
            "set -e; cd '{root}'; mkdir -p proc dev .{cache}; mount -t proc proc proc; mount --rbind /dev dev; \
             mount --bind '{kept}' .{cache}; cp /etc/resolv.conf etc/resolv.conf; \
             exec chroot . /bin/sh -c 'cd {at} && {command}'",
            root = root.display(),
            kept = self.cache.display(),
        );
        let mut step = Command::new("unshare");
        step.args(["--mount", "--pid", "--fork", "sh", "-c", &script]).env_clear().envs([
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOME", "/root"),
            ("NODE_EXTRA_CA_CERTS", "/etc/ca.pem"),
            ("PIP_CERT", "/etc/ca.pem"),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ]);
        measure::run(&mut step, &measure::Alone).map(drop)
    }
}
