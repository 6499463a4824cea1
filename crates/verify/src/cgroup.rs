//! Limits and counters in the cgroup of a process, for cgroup v1, v2 and the two together (hybrid).
//!
//! The files are found from `/proc/<pid>/cgroup` and the host's cgroup mounts, so that what is read is what the kernel
//! enforces on that process, whatever the engine says that it asked for.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use crate::procfs::{MountLine, ProcFs};

/// A value with the file that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading<T> {
    pub(crate) file: PathBuf,
    pub(crate) text: String,
    pub(crate) value: T,
}

/// Where the files of one controller are for one process.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ControllerFiles {
    V1(PathBuf),
    V2(PathBuf),
}

/// The cgroups of one process.
#[derive(Clone, Debug)]
pub(crate) struct Cgroups {
    controllers: BTreeMap<String, PathBuf>,
    unified: Option<PathBuf>,
}

/// More than any limit that means something: v1 writes "unlimited" as the largest number of pages.
const UNLIMITED_V1: u64 = 1 << 60;

impl Cgroups {
    /// Of the process `pid`.
    pub(crate) fn of(procfs: &ProcFs, pid: u32) -> io::Result<Self> {
        let mounts = procfs.mounts(std::process::id())?;
        let text = fs::read_to_string(procfs.path(pid, "cgroup"))?;
        Ok(Self::resolve(&text, &mounts))
    }

    fn resolve(cgroup: &str, mounts: &[MountLine]) -> Self {
        let mut found = Self { controllers: BTreeMap::new(), unified: None };
        for line in cgroup.lines() {
            let mut fields = line.splitn(3, ':');
            let (Some(_id), Some(names), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            if names.is_empty() {
                let mount = mounts.iter().find(|mount| mount.kind == "cgroup2");
                found.unified = mount.map(|mount| below(mount, path));
                continue;
            }
            for name in names.split(',') {
                let has = |mount: &&MountLine| {
                    mount.kind == "cgroup" && super_options(mount).any(|option| option == name)
                };
                if let Some(mount) = mounts.iter().find(has) {
                    found.controllers.insert(name.to_owned(), below(mount, path));
                }
            }
        }
        found
    }

    /// A controller is either on v1 or on v2, also on a hybrid host.
    fn place(&self, controller: &str) -> io::Result<ControllerFiles> {
        if let Some(path) = self.controllers.get(controller) {
            return Ok(ControllerFiles::V1(path.clone()));
        }
        let unified = self.unified.clone().map(ControllerFiles::V2);
        unified.ok_or_else(|| io::Error::other(format!("the process has no {controller} cgroup")))
    }

    /// The memory limit in bytes, `None` without one.
    pub(crate) fn memory_limit(&self) -> io::Result<Reading<Option<u64>>> {
        match self.place("memory")? {
            ControllerFiles::V1(path) => read(path.join("memory.limit_in_bytes"), v1_limit),
            ControllerFiles::V2(path) => read(path.join("memory.max"), v2_limit),
        }
    }

    /// The limit of memory and swap together in bytes, `None` without one. v2 counts swap alone.
    pub(crate) fn memory_and_swap_limit(&self) -> io::Result<Reading<Option<u64>>> {
        match self.place("memory")? {
            ControllerFiles::V1(path) => read(path.join("memory.memsw.limit_in_bytes"), v1_limit),
            ControllerFiles::V2(path) => {
                let memory = self.memory_limit()?.value;
                let swap = read(path.join("memory.swap.max"), v2_limit)?;
                let both = memory.zip(swap.value).map(|(memory, swap)| memory + swap);
                Ok(Reading { file: swap.file, text: swap.text, value: both })
            }
        }
    }

    /// The CPU limit in CPUs, `None` without one.
    pub(crate) fn cpu_limit(&self) -> io::Result<Reading<Option<f64>>> {
        match self.place("cpu")? {
            ControllerFiles::V1(path) => {
                let quota = read(path.join("cpu.cfs_quota_us"), |text| text.parse::<i64>().ok())?;
                let period = read(path.join("cpu.cfs_period_us"), |text| text.parse::<u64>().ok())?;
                let value = u64::try_from(quota.value).ok().map(|quota| quota as f64 / period.value as f64);
                let text = format!("{} / cpu.cfs_period_us {}", quota.text, period.text);
                Ok(Reading { file: quota.file, text, value })
            }
            ControllerFiles::V2(path) => read(path.join("cpu.max"), |text| {
                let (quota, period) = text.split_once(' ')?;
                let period: f64 = period.parse().ok()?;
                Some(if quota == "max" { None } else { Some(quota.parse::<f64>().ok()? / period) })
            }),
        }
    }

    /// The limit of processes and threads, `None` without one.
    pub(crate) fn pids_limit(&self) -> io::Result<Reading<Option<u64>>> {
        let (ControllerFiles::V1(path) | ControllerFiles::V2(path)) = self.place("pids")?;
        read(path.join("pids.max"), v2_limit)
    }

    /// The rules of the devices cgroup, one a line; `None` on v2, where a program decides.
    pub(crate) fn devices(&self) -> io::Result<Option<Reading<()>>> {
        match self.controllers.get("devices") {
            Some(path) => read(path.join("devices.list"), |_| Some(())).map(Some),
            None if self.unified.is_some() => Ok(None),
            None => Err(io::Error::other("the process has no devices cgroup")),
        }
    }

    /// Memory in use in bytes, without the file cache that the kernel would give back first (`inactive_file`): what
    /// `docker stats` shows.
    pub(crate) fn memory_used(&self) -> io::Result<Reading<u64>> {
        let number = |text: &str| text.parse::<u64>().ok();
        let (usage, stat, key) = match self.place("memory")? {
            ControllerFiles::V1(path) => {
                (path.join("memory.usage_in_bytes"), path.join("memory.stat"), "total_inactive_file")
            }
            ControllerFiles::V2(path) => {
                (path.join("memory.current"), path.join("memory.stat"), "inactive_file")
            }
        };
        let usage = read(usage, number)?;
        let inactive = read(stat, |text| table(text).get(key).copied())?;
        let text = format!("{} - {key} {}", usage.text, inactive.value);
        Ok(Reading { file: usage.file, text, value: usage.value.saturating_sub(inactive.value) })
    }

    /// Whether its processes are frozen, by whomever.
    pub(crate) fn frozen(&self) -> io::Result<bool> {
        let word = |text: &str| Some(text.to_owned());
        Ok(match self.place("freezer")? {
            ControllerFiles::V1(path) => read(path.join("freezer.state"), word)?.value == "FROZEN",
            ControllerFiles::V2(path) => read(path.join("cgroup.freeze"), word)?.value == "1",
        })
    }

    /// How many processes the kernel killed for lack of memory.
    pub(crate) fn oom_kills(&self) -> io::Result<Reading<u64>> {
        let file = match self.place("memory")? {
            ControllerFiles::V1(path) => path.join("memory.oom_control"),
            ControllerFiles::V2(path) => path.join("memory.events"),
        };
        let mut reading = read(file, |text| table(text).get("oom_kill").copied())?;
        reading.text = format!("oom_kill {}", reading.value);
        Ok(reading)
    }
}

/// The directory of cgroup `path` under a mount that may show only a part of the hierarchy.
fn below(mount: &MountLine, path: &str) -> PathBuf {
    let inside = path.strip_prefix(mount.root.trim_end_matches('/')).unwrap_or(path);
    Path::new(&mount.target).join(inside.trim_start_matches('/'))
}

/// The controllers of a v1 hierarchy are in the options after the ` - `.
fn super_options(mount: &MountLine) -> impl Iterator<Item = &str> {
    let options = mount.text.split_once(" - ").and_then(|(_, after)| after.split(' ').nth(2)).unwrap_or("");
    options.split(',')
}

fn read<T>(file: PathBuf, parse: impl Fn(&str) -> Option<T>) -> io::Result<Reading<T>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    let content = fs::read_to_string(&file).map_err(named)?;
    let text = content.trim();
    let value =
        parse(text).ok_or_else(|| named(io::Error::other(format!("`{text}` is not what was expected"))))?;
    Ok(Reading { text: text.to_owned(), value, file })
}

#[expect(clippy::option_option, reason = "outer: readable; inner: limited")]
fn v1_limit(text: &str) -> Option<Option<u64>> {
    text.parse().ok().map(|bytes: u64| (bytes < UNLIMITED_V1).then_some(bytes))
}

#[expect(clippy::option_option, reason = "outer: readable; inner: limited")]
fn v2_limit(text: &str) -> Option<Option<u64>> {
    if text == "max" { Some(None) } else { text.parse().ok().map(Some) }
}

/// `key value` lines.
fn table(text: &str) -> BTreeMap<&str, u64> {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(key, value)| Some((key, value.parse().ok()?)))
        .collect()
}

/// For the fuzz targets: every reader of this file.
#[cfg(fuzzing)]
pub(crate) fn fuzz(text: &str) {
    let _ = (v1_limit(text), v2_limit(text), table(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(target: &Path, kind: &str, options: &str) -> MountLine {
        let text = format!("1 1 0:1 / {} rw - {kind} {kind} rw,{options}", target.display());
        MountLine {
            device: "0:1".into(),
            root: "/".into(),
            target: target.display().to_string(),
            options: "rw".into(),
            kind: kind.into(),
            text,
        }
    }

    fn write(dir: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn version_1() {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            &[
                ("memory/docker/x/memory.limit_in_bytes", "536870912\n"),
                ("memory/docker/x/memory.usage_in_bytes", "5000\n"),
                ("memory/docker/x/memory.stat", "cache 4000\ntotal_inactive_file 3000\n"),
                ("memory/docker/x/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
                ("cpu/docker/x/cpu.cfs_quota_us", "150000\n"),
                ("cpu/docker/x/cpu.cfs_period_us", "100000\n"),
                ("pids/docker/x/pids.max", "max\n"),
            ],
        );
        let mounts = ["memory", "cpu", "pids"]
            .map(|name| mount(&dir.path().join(name), "cgroup", &format!("{name},other")));
        let cgroups = Cgroups::resolve(
            "9:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n2:pids:/docker/x\n0::/docker/x\n",
            &mounts,
        );
        assert_eq!(cgroups.memory_limit().unwrap().value, Some(512 << 20));
        assert_eq!(cgroups.memory_used().unwrap().value, 2000);
        assert_eq!(cgroups.oom_kills().unwrap().value, 2);
        assert_eq!(cgroups.cpu_limit().unwrap().value, Some(1.5));
        assert_eq!(cgroups.pids_limit().unwrap().value, None);
    }

    #[test]
    fn version_1_without_limits() {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            &[
                ("memory.limit_in_bytes", "9223372036854771712\n"),
                ("cpu.cfs_quota_us", "-1\n"),
                ("cpu.cfs_period_us", "100000\n"),
            ],
        );
        let mounts = [mount(dir.path(), "cgroup", "memory,cpu")];
        let cgroups = Cgroups::resolve("1:memory,cpu:/\n", &mounts);
        assert_eq!(cgroups.memory_limit().unwrap().value, None);
        assert_eq!(cgroups.cpu_limit().unwrap().value, None);
    }

    #[test]
    fn version_2() {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            &[
                ("a/memory.max", "max\n"),
                ("a/memory.current", "900\n"),
                ("a/memory.stat", "anon 1\ninactive_file 100\n"),
                ("a/memory.events", "low 0\noom 1\noom_kill 0\n"),
                ("a/cpu.max", "50000 100000\n"),
                ("a/pids.max", "256\n"),
            ],
        );
        let cgroups = Cgroups::resolve("0::/a\n", &[mount(dir.path(), "cgroup2", "nsdelegate")]);
        assert_eq!(cgroups.memory_limit().unwrap().value, None);
        assert_eq!(cgroups.memory_used().unwrap().value, 800);
        assert_eq!(cgroups.oom_kills().unwrap().value, 0);
        assert_eq!(cgroups.cpu_limit().unwrap().value, Some(0.5));
        assert_eq!(cgroups.pids_limit().unwrap().value, Some(256));
    }

    #[test]
    fn hybrid_takes_each_controller_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[("one/memory.limit_in_bytes", "1024\n"), ("two/pids.max", "64\n")]);
        let mounts = [
            mount(&dir.path().join("one"), "cgroup", "memory"),
            mount(&dir.path().join("two"), "cgroup2", ""),
        ];
        let cgroups = Cgroups::resolve("3:memory:/\n0::/\n", &mounts);
        assert_eq!(cgroups.memory_limit().unwrap().value, Some(1024));
        assert_eq!(cgroups.pids_limit().unwrap().value, Some(64));
    }

    #[test]
    fn a_missing_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let cgroups = Cgroups::resolve("0::/\n", &[mount(dir.path(), "cgroup2", "")]);
        assert!(cgroups.memory_limit().unwrap_err().to_string().contains("memory.max"));
    }
}
