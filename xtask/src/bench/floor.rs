//! The floor: the RUN commands of a workload alone, in a chroot, with the same cache mount. No builder can be faster
//! without changing what RUN does. The roots are overlays with the mount options of the builders: on a plain copy of
//! the image the same commands take longer, for every fsync of theirs reaches the disk there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Instant,
};

use anyhow::{Context, Result, anyhow};

use super::{measure, ours::Ours, workload::Floor, workload::Workload};
use crate::shell;

/// What one workload's floor runs in.
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
        let layers = self.folder.join("layers");
        if layers.exists() {
            fs::remove_dir_all(&layers)?;
        }
        let files = layers.join("context");
        let app = files.join(floor.at.trim_start_matches('/'));
        fs::create_dir_all(app.parent().context("a folder")?)?;
        shell::quiet(Command::new("cp").arg("-a").arg(&workload.context).arg(&app))?;
        // what was just written must not be written back while the commands are measured
        nix::unistd::sync();
        let mut lower = vec![files, self.image.clone()];
        let (mut all, mut last) = (0.0, 0.0);
        for (number, phase) in floor.phases.iter().enumerate() {
            // what runs at the same time has a root of its own, as in the builders
            let uppers: Vec<PathBuf> =
                (0..phase.len()).map(|command| layers.join(format!("{number}-{command}"))).collect();
            let begin = Instant::now();
            let results: Vec<Result<()>> = thread::scope(|scope| {
                let run = |(command, upper): (&&str, &PathBuf)| self.step(floor, &lower, upper, command);
                let jobs: Vec<_> =
                    phase.iter().zip(&uppers).map(|job| scope.spawn(move || run(job))).collect();
                let failed = || Err(anyhow!("a step of the floor ended early"));
                jobs.into_iter().map(|job| job.join().unwrap_or_else(|_| failed())).collect()
            });
            results.into_iter().collect::<Result<Vec<()>>>()?;
            last = begin.elapsed().as_secs_f64();
            all += last;
            // of a phase of several commands a changed source repeats only the first
            if let (true, [first, _, ..]) = (number + 1 == floor.phases.len(), *phase) {
                let begin = Instant::now();
                self.step(floor, &lower, &layers.join("again"), first)?;
                last = begin.elapsed().as_secs_f64();
            }
            lower.splice(0..0, uppers.into_iter().take(1));
        }
        Ok((all, last))
    }

    /// One command on the folders `lower`, the first of which is on top; what it writes goes to `upper`.
    fn step(&self, floor: &Floor, lower: &[PathBuf], upper: &Path, command: &str) -> Result<()> {
        let (work, root) = (upper.with_extension("work"), upper.with_extension("root"));
        for folder in [upper, &work, &root] {
            fs::create_dir_all(folder)?;
        }
        let lower: Vec<String> = lower.iter().map(|folder| folder.display().to_string()).collect();
        let script = format!(
            "set -e; mount -t overlay overlay -o \
             lowerdir='{lower}',upperdir='{upper}',workdir='{work}',volatile,redirect_dir=off,metacopy=off,index=off '{root}'; \
             cd '{root}'; mkdir -p proc dev .{cache}; mount -t proc proc proc; mount --rbind /dev dev; \
             mount --bind '{kept}' .{cache}; cp /etc/resolv.conf etc/resolv.conf; \
             exec chroot . /bin/sh -c 'cd {at} && {command}'",
            lower = lower.join(":"),
            upper = upper.display(),
            work = work.display(),
            root = root.display(),
            cache = floor.cache,
            kept = self.cache.display(),
            at = floor.at,
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
