//! A control group for each step: which devices it may open, how many processes and how much memory it may have, and
//! how all that it started is found when it has to end.
//!
//! The second wall against devices (the first is `nodev` on every mount): version 1 has rules in `devices.deny` and
//! `devices.allow`, version 2 a BPF program ([`bpf`]). Where no group can be made (ordinary users, containers that
//! show the hierarchy read-only) a step runs without one.

mod bpf;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};

use crate::{
    mounts::DEVICES,
    process::{CgroupLimits, Security},
};

/// The group around the groups of all steps.
const FAMILY: &str = "plimsoll";
/// A build has no use for more tasks; a fork bomb ends here.
const TASKS: u64 = 16_384;
/// Groups that a killed process left are taken away after this time, in seconds.
const STALE: u64 = 3600;

/// Device numbers beside [`DEVICES`] that are allowed: `/dev/ptmx` and all of `/dev/pts`.
const TERMINALS: [(u64, Option<u64>); 2] = [(5, Some(2)), (136, None)];

/// Character devices that a step may open: major number, and minor number where not all are meant.
fn allowed() -> impl Iterator<Item = (u64, Option<u64>)> {
    DEVICES.into_iter().map(|(_, major, minor)| (major, Some(minor))).chain(TERMINALS)
}

/// The groups of one step, one in each hierarchy that has a use for it.
///
/// They are held open: the step's own root takes the place of the host's for the helper too, and then no path leads here.
#[derive(Debug, Default)]
pub(crate) struct Cgroup {
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    family: OwnedFd,
    name: String,
    folder: OwnedFd,
}

impl Cgroup {
    /// Makes what can be made here, with the rules and bounds of a step.
    pub(crate) fn make(limits: &CgroupLimits, security: Security) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let (mounts, own) = (read("/proc/self/mountinfo"), read("/proc/self/cgroup"));
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("{}-{}", process::id(), since.as_nanos());
        let mut groups = Vec::new();
        for hierarchy in hierarchies(&mounts, &own) {
            let Some(path) = hierarchy.make(&name) else { continue };
            hierarchy.limit(&path, limits, security);
            groups.extend(Group::open(&path, &name));
        }
        Self { groups }
    }

    /// Moves this process, and so all that it starts, into the groups.
    pub(crate) fn enter(&self) {
        for group in &self.groups {
            // A hierarchy that belongs to somebody else refuses; the other walls stand.
            let _ = group.write("cgroup.procs", "0");
        }
    }

    /// Ends every process in the groups.
    pub(crate) fn kill(&self) {
        for group in &self.groups {
            if group.write("cgroup.kill", "1").is_ok() {
                continue;
            }
            // A process may start another one between two looks, so it is looked at again.
            for _ in 0..100 {
                let members = group.members();
                // 0 stands for a process outside of our own pid namespace, which cannot be ours.
                for member in members.iter().filter(|member| **member > 0) {
                    let _ = kill(Pid::from_raw(*member), Signal::SIGKILL);
                }
                if members.is_empty() {
                    break;
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Takes the groups away, once their processes are gone.
    pub(crate) fn remove(&self) {
        for group in &self.groups {
            for _ in 0..200 {
                match unlinkat(&group.family, group.name.as_str(), AtFlags::REMOVEDIR) {
                    // The last process is dead and not yet gone.
                    Err(rustix::io::Errno::BUSY) => thread::sleep(Duration::from_millis(1)),
                    _ => break,
                }
            }
        }
    }
}

impl Group {
    fn open(path: &Path, name: &str) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty()).ok()?;
        let family = rustix::fs::open(path.parent()?, flags, Mode::empty()).ok()?;
        Some(Self { family, name: name.to_owned(), folder })
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        let file = openat(&self.folder, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        File::from(file).write_all(text.as_bytes())
    }

    fn members(&self) -> Vec<i32> {
        let mut text = String::new();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        if let Ok(file) = openat(&self.folder, "cgroup.procs", flags, Mode::empty()) {
            let _ = File::from(file).read_to_string(&mut text);
        }
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }
}

/// One mounted hierarchy, seen from this process.
#[derive(Debug, PartialEq, Eq)]
struct Hierarchy {
    /// Where it is mounted.
    mount: PathBuf,
    /// The group that this process is in, as a path below the mount.
    own: PathBuf,
    /// Its controllers; `None` for version 2, which names them itself.
    controllers: Option<BTreeSet<String>>,
}

/// The hierarchies of `/proc/self/mountinfo` in which a step gets a group: those of version 1 for devices, processes
/// and memory, and version 2.
fn hierarchies(mounts: &str, own: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in mounts.lines() {
        let Some((place, kind)) = line.split_once(" - ") else { continue };
        let place: Vec<&str> = place.split(' ').collect();
        let kind: Vec<&str> = kind.split(' ').collect();
        let (&[_, _, _, root, mount, ..], &[system, _, options, ..]) = (&place[..], &kind[..]) else {
            continue;
        };
        let controllers: Option<BTreeSet<String>> = match system {
            "cgroup2" => None,
            "cgroup" => Some(
                options
                    .split(',')
                    .filter(|option| matches!(*option, "devices" | "pids" | "memory"))
                    .map(str::to_owned)
                    .collect(),
            ),
            _ => continue,
        };
        if controllers.as_ref().is_some_and(BTreeSet::is_empty) {
            continue;
        }
        let path = own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (id, names, path) = (fields.next()?, fields.next()?, fields.next()?);
            let is_it = match &controllers {
                None => id == "0" && names.is_empty(),
                Some(wanted) => names.split(',').any(|name| wanted.contains(name)),
            };
            is_it.then_some(path)
        });
        // The mount may show a part of the hierarchy only, as in a container without a namespace for groups.
        let below = path.and_then(|path| Path::new(path).strip_prefix(root).ok()).unwrap_or(Path::new(""));
        let inside = !below.components().any(|part| matches!(part, std::path::Component::ParentDir));
        let hierarchy = Hierarchy {
            mount: PathBuf::from(unescape(mount)),
            own: if inside { below.to_owned() } else { PathBuf::new() },
            controllers,
        };
        if !found.contains(&hierarchy) {
            found.push(hierarchy);
        }
    }
    found
}

/// `\040` and its like, as the kernel writes blanks in paths.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

impl Hierarchy {
    /// A new group with this name; `None` where none can be made.
    fn make(&self, name: &str) -> Option<PathBuf> {
        let family = self.family();
        match fs::create_dir(&family) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => sweep(&family),
            Err(_) => return None,
        }
        if self.controllers.is_none() {
            enable(&family);
        }
        let group = family.join(name);
        fs::create_dir(&group).ok().map(|()| group)
    }

    /// The group around those of all steps: in the group that we are in, so that its bounds hold for steps too. In
    /// version 2 a group with processes gives its controllers to no group inside; then it stands at the top.
    fn family(&self) -> PathBuf {
        let own = self.mount.join(&self.own);
        if self.controllers.is_some() || enable(&own) {
            return own.join(FAMILY);
        }
        let top = if enable(&self.mount) { &self.mount } else { &own };
        top.join(FAMILY)
    }

    /// Which devices, how many processes, how much memory. Each is set where there is a controller for it.
    fn limit(&self, group: &Path, limits: &CgroupLimits, security: Security) {
        let set = |file: &str, value: &str| fs::write(group.join(file), value);
        let has = |name: &str| self.controllers.as_ref().is_none_or(|these| these.contains(name));
        if security == Security::Sandbox && has("devices") {
            if self.controllers.is_some() {
                let _ = set("devices.deny", "a");
                // Nodes may be made, since images may hold them; opening one is what is refused.
                for rule in ["c *:* m", "b *:* m"] {
                    let _ = set("devices.allow", rule);
                }
                for (major, minor) in allowed() {
                    let minor = minor.map_or_else(|| "*".to_owned(), |minor| minor.to_string());
                    let _ = set("devices.allow", &format!("c {major}:{minor} rwm"));
                }
            } else {
                let _ = bpf::confine(group, allowed());
            }
        }
        if has("pids") {
            let _ = set("pids.max", &limits.tasks.unwrap_or(TASKS).to_string());
        }
        if has("memory")
            && let Some(bytes) = limits.memory.or_else(most_of_the_memory)
        {
            let (file, bytes) = match self.controllers {
                Some(_) => ("memory.limit_in_bytes", bytes),
                None => ("memory.max", bytes.min(self.bound("memory.max"))),
            };
            let _ = set(file, &bytes.to_string());
        }
    }

    /// The lowest bound of the groups around this process.
    fn bound(&self, file: &str) -> u64 {
        let own = self.mount.join(&self.own);
        own.ancestors()
            .take_while(|group| group.starts_with(&self.mount))
            .filter_map(|group| fs::read_to_string(group.join(file)).ok()?.trim().parse().ok())
            .min()
            .unwrap_or(u64::MAX)
    }
}

/// Gives the groups inside `group` the controllers for processes and memory, where there are any.
fn enable(group: &Path) -> bool {
    let there = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    let on = fs::read_to_string(group.join("cgroup.subtree_control")).unwrap_or_default();
    let wanted: Vec<&str> = ["pids", "memory"]
        .into_iter()
        .filter(|name| there.split_whitespace().any(|it| it == *name))
        .collect();
    if wanted.is_empty() {
        return false;
    }
    let missing: Vec<String> = wanted
        .iter()
        .filter(|name| !on.split_whitespace().any(|it| it == **name))
        .map(|name| format!("+{name}"))
        .collect();
    missing.is_empty() || fs::write(group.join("cgroup.subtree_control"), missing.join(" ")).is_ok()
}

/// What the machine has without a sixteenth: a step that wants all of it is ended, and nothing else is.
fn most_of_the_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let bytes = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10;
    Some((bytes - bytes / 16) & !0xfff)
}

/// Takes away the empty groups of processes that were killed before they could.
fn sweep(family: &Path) {
    for entry in fs::read_dir(family).into_iter().flatten().flatten() {
        // the hierarchy's own files, a dozen, lie beside the groups: no step waits for a look at each
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let old = entry
            .metadata()
            .and_then(|meta| meta.modified())
            .is_ok_and(|at| at.elapsed().is_ok_and(|age| age.as_secs() > STALE));
        if old {
            // A group with processes stays: the kernel refuses.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(hierarchy: &Hierarchy) -> Vec<&str> {
        hierarchy.controllers.iter().flatten().map(String::as_str).collect()
    }

    #[test]
    fn hierarchies_are_found_by_their_controllers() {
        let mounts = "\
            25 30 0:22 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
            26 30 0:23 / /sys/fs/cgroup/cpu,pids rw,relatime shared:9 - cgroup cgroup rw,cpu,pids\n\
            27 30 0:24 /docker/a /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            28 30 0:25 /docker/a /sys/fs/cgroup/dev\\040ices rw - cgroup cgroup rw,devices\n\
            29 30 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
            31 30 0:27 / /proc rw - proc proc rw\nnonsense\n";
        let own = "4:devices:/../other\n3:memory:/docker/a/b\n2:cpu,pids:/user\n1:cpu:/\n0::/init.scope\n";
        let found = hierarchies(mounts, own);
        let shown: Vec<(&Path, &Path, Vec<&str>)> =
            found.iter().map(|one| (one.mount.as_path(), one.own.as_path(), names(one))).collect();
        assert_eq!(
            shown,
            [
                (Path::new("/sys/fs/cgroup/cpu,pids"), Path::new("user"), vec!["pids"]),
                (Path::new("/sys/fs/cgroup/memory"), Path::new("b"), vec!["memory"]),
                (Path::new("/sys/fs/cgroup/dev ices"), Path::new(""), vec!["devices"]),
                (Path::new("/sys/fs/cgroup/unified"), Path::new("init.scope"), vec![]),
            ]
        );
    }
}
