//! Which directories of the host a container sees, by the file systems in its mount table.

use std::fs;

use crate::{
    claims::Outcome,
    hostfs::{Shown, canonical, inside, is_inside, overlaid, place, shown},
    procfs::MountLine,
    stack::{Member, Stack},
};

/// Directories that belong to the host alone: neither they nor anything in them (CIS Docker 5.5 and what it leaves out).
const CLOSED: &[&str] = &[
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/run",
    "/var/spool/cron",
];
/// Directories that hold everybody's data: a part of them may be lent, the whole may not.
const WHOLE: &[&str] = &[
    "/",
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/srv",
    "/tmp",
    "/var",
    "/var/backups",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/spool",
    "/var/tmp",
];
/// What everybody may read, and many images want: lent read-only it gives nothing away.
const HARMLESS: &[&str] = &[
    "/etc/ca-certificates",
    "/etc/letsencrypt",
    "/etc/localtime",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/ssl/certs",
    "/etc/timezone",
    "/usr/lib/locale",
    "/usr/local/share/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/share/zoneinfo",
];
/// Secrets of the host itself: no declaration makes them the project's.
const OWN_SECRETS: &[&str] =
    &["/etc/gshadow", "/etc/shadow", "/etc/ssh", "/etc/sudoers", "/etc/sudoers.d", "/root/.ssh"];

/// The host as mounts are compared with it.
pub(super) struct Host {
    pub(super) mounts: Vec<MountLine>,
    closed: Vec<String>,
    whole: Vec<String>,
    homes: Vec<String>,
    harmless: Vec<String>,
    /// The engine's data directory.
    data: String,
    /// The project's directory.
    project: String,
    /// Files that the project declares as secrets or configs.
    files: Vec<String>,
    /// Where `up` keeps its own copies of them, wherever its home is.
    copies: String,
}

impl Host {
    pub(super) fn of(stack: &Stack<'_>) -> Self {
        let all = |paths: &[&str]| {
            let mut found: Vec<String> =
                paths.iter().flat_map(|path| [(*path).to_owned(), canonical(path)]).collect();
            found.sort();
            found.dedup();
            found
        };
        let project = stack.project;
        let secrets = project.secrets.values().filter_map(|secret| secret.file.as_ref());
        let configs = project.configs.values().filter_map(|config| config.file.as_ref());
        let files = secrets
            .chain(configs)
            .map(|file| canonical(&project.working_dir.join(file).display().to_string()));
        Self {
            mounts: stack.procfs.mounts(std::process::id()).unwrap_or_default(),
            closed: all(CLOSED),
            whole: all(WHOLE),
            homes: homes(&fs::read_to_string("/etc/passwd").unwrap_or_default()),
            harmless: all(HARMLESS),
            data: canonical(if stack.facts.root_dir.is_empty() {
                "/var/lib/docker"
            } else {
                &stack.facts.root_dir
            }),
            project: canonical(&project.working_dir.display().to_string()),
            files: files.collect(),
            copies: format!("/state/{}/files/", project.name),
        }
    }

    /// The host's own mounts; those that the engine made in its data directory are no places of the host.
    fn own_mounts(&self) -> impl Iterator<Item = &MountLine> {
        self.mounts.iter().filter(|line| line.target == self.data || !is_inside(&line.target, &self.data))
    }

    /// The paths of the host that a mount shows.
    pub(super) fn seen(&self, mount: &MountLine) -> Vec<Shown> {
        let seen = shown(self.own_mounts(), mount);
        if seen.is_empty() { shown(&self.mounts, mount) } else { seen }
    }

    fn place(&self, path: &str) -> Option<(String, String)> {
        place(self.own_mounts(), path)
    }

    /// What is wrong with a container that sees this path of the host; `None` if nothing is.
    pub(super) fn judge(&self, seen: &Shown, read_only: bool) -> Option<String> {
        let path = &seen.path;
        if self.data == *path || is_inside(path, &self.data) {
            return Some(format!("mounts the engine's own {path}"));
        }
        if is_inside(&self.data, path) && path != "/" {
            return Some(format!("mounts the host's {path}, in which the engine keeps its data"));
        }
        if OWN_SECRETS.iter().any(|secret| is_inside(path, secret)) {
            return Some(format!("mounts the host's {path}"));
        }
        if self.whole.contains(path) || self.homes.contains(path) {
            return Some(format!("mounts the host's {path}{}", if seen.more { ", and more" } else { "" }));
        }
        if self.files.contains(path)
            || path.contains(&self.copies)
            || (read_only && self.harmless.iter().any(|top| is_inside(path, top)))
        {
            return None;
        }
        // A project that lives in /root or below /etc may lend what is its own; one that lives there directly may not.
        let own = self.project.matches('/').count() > 1
            && is_inside(path, &self.project)
            && !["/dev", "/proc", "/sys"].iter().any(|top| is_inside(path, top));
        if own {
            return None;
        }
        if self.closed.iter().any(|top| is_inside(path, top) || is_inside(top, path)) {
            return Some(format!("mounts the host's {path}"));
        }
        let hidden =
            self.homes.iter().any(|home| inside(path, home).is_some_and(|rest| rest.starts_with('.')));
        hidden.then(|| format!("mounts the host's {path}"))
    }
}

/// Home directories of people; not the nameless places that accounts of programs have.
fn homes(passwd: &str) -> Vec<String> {
    let home = passwd.lines().filter_map(|line| line.split(':').nth(5));
    let mut homes: Vec<String> = home.filter(|home| is_inside(home, "/home")).map(canonical).collect();
    homes.extend(
        fs::read_dir("/home").into_iter().flatten().flatten().map(|entry| entry.path().display().to_string()),
    );
    homes.sort();
    homes.dedup();
    homes
}

/// Judges every mount of a container that runs.
pub(super) fn judge(
    host: &Host,
    member: &Member,
    mounts: &[MountLine],
    shares: impl Fn(&str) -> bool,
    wrong: &mut Vec<String>,
    outcome: Outcome,
) -> Outcome {
    let mut readings = Vec::new();
    for mount in mounts.iter().filter(|mount| mount.target != "/" && !is_the_runtimes(member, mount, &shares))
    {
        let mut seen = host.seen(mount);
        seen.extend(overlaid(mount).into_iter().map(|path| Shown { path, more: false }));
        if seen.is_empty()
            || is_own_volume(host, member, mount, &seen)
            || is_engines_file(host, member, &seen)
            || is_init(mount, &seen)
        {
            continue;
        }
        // CIS Docker 5.19.
        if mount.is_shared() {
            wrong.push(format!("exchanges mounts with the host at {}", mount.target));
        }
        let read_only = mount.is_read_only();
        let problems: Vec<String> = seen.iter().filter_map(|seen| host.judge(seen, read_only)).collect();
        // One file system may be mounted in several places of the host: each of them is what the container sees.
        wrong.extend(problems.first().map(|problem| format!("{problem} at {}", mount.target)));
        let paths: Vec<&str> = seen.iter().map(|seen| seen.path.as_str()).collect();
        readings.push((
            format!("mountinfo of {}: {}", member.name, mount.target),
            format!("the host's {}", paths.join(", ")),
        ));
    }
    outcome.all_evidence(readings)
}

/// Kernel file systems that the runtime itself mounts. Where the container shares the namespace that such a file system
/// belongs to, it is the host's by that; the namespace is what is wrong then.
fn is_the_runtimes(member: &Member, mount: &MountLine, shares: impl Fn(&str) -> bool) -> bool {
    let at = mount.target.as_str();
    match mount.kind.as_str() {
        // The container's own part of the hierarchy, which cannot be written to.
        "cgroup" | "cgroup2" => {
            is_inside(at, "/sys/fs/cgroup")
                && mount.is_read_only()
                && (mount.root.contains(member.id()) || shares("cgroup"))
        }
        "proc" => is_inside(at, "/proc") && shares("pid"),
        "sysfs" => is_inside(at, "/sys") && shares("net"),
        "mqueue" => at == "/dev/mqueue" && shares("ipc"),
        // Of the host, or of the container whose ipc namespace it is in.
        "tmpfs" => at == "/dev/shm",
        _ => false,
    }
}

/// A volume of the engine, as its own description has it, and really there: one with `o=bind` is where its device is.
fn is_own_volume(host: &Host, member: &Member, mount: &MountLine, seen: &[Shown]) -> bool {
    let volumes =
        member.raw["Mounts"].as_array().into_iter().flatten().filter(|volume| volume["Type"] == "volume");
    let at_target = |volume: &&serde_json::Value| {
        volume["Destination"].as_str().is_some_and(|at| at.trim_end_matches('/') == mount.target)
    };
    let source = volumes.filter(at_target).find_map(|volume| volume["Source"].as_str());
    let Some(source) = source.map(canonical).filter(|source| is_inside(source, &host.data)) else {
        return false;
    };
    let by_place = host
        .place(&source)
        .is_some_and(|(device, root)| device == mount.device && is_inside(&mount.root, &root));
    // A file system of its own, which is mounted for this volume and nowhere else.
    by_place || seen.iter().all(|seen| seen.path == source)
}

/// resolv.conf, hosts and hostname, which the engine writes for this container.
fn is_engines_file(host: &Host, member: &Member, seen: &[Shown]) -> bool {
    let own = |seen: &Shown| {
        let rest = inside(&seen.path, &host.data);
        rest.is_some_and(|rest| rest.contains(member.id()) && !rest.contains("_data"))
    };
    seen.iter().any(own)
}

/// The small init that the engine mounts into a container for `init: true`: the program itself, and nothing else.
fn is_init(mount: &MountLine, seen: &[Shown]) -> bool {
    let names = ["docker-init", "tini", "tini-static", "catatonit", "podman-init", "dumb-init"];
    let is_one =
        |seen: &Shown| !seen.more && seen.path.rsplit('/').next().is_some_and(|name| names.contains(&name));
    // Where /sbin is a link the kernel shows the place that it leads to.
    let target = mount.target.strip_prefix("/usr").unwrap_or(&mount.target);
    matches!(target, "/sbin/docker-init" | "/bin/docker-init" | "/dev/init" | "/run/podman-init")
        && mount.is_read_only()
        && seen.iter().any(is_one)
}

/// The paths of the host that a container which does not run was given: binds, and volumes that are binds.
pub(super) fn given<'m>(
    member: &'m Member,
    volumes: &'m [(String, String)],
) -> impl Iterator<Item = (String, bool)> + 'm {
    let mounts = member.raw["Mounts"].as_array();
    mounts.into_iter().flatten().filter_map(move |mount| {
        let read_only = mount["RW"].as_bool() == Some(false);
        match mount["Type"].as_str()? {
            "bind" => Some((canonical(mount["Source"].as_str()?), read_only)),
            "volume" => {
                let name = mount["Name"].as_str()?;
                let (_, device) = volumes.iter().find(|(volume, _)| volume == name)?;
                Some((canonical(device), read_only))
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Host {
        let own = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        Host {
            mounts: Vec::new(),
            closed: own(CLOSED),
            whole: own(WHOLE),
            homes: own(&["/home/ann"]),
            harmless: own(HARMLESS),
            data: "/var/lib/docker".into(),
            project: "/root/shop".into(),
            files: own(&["/etc/shop/key.pem", "/etc/shadow"]),
            copies: "/state/shop/files/".into(),
        }
    }

    #[track_caller]
    fn wrong(path: &str, read_only: bool) -> bool {
        host().judge(&Shown { path: path.into(), more: false }, read_only).is_some()
    }

    #[test]
    fn system_directories_are_found_from_above_and_from_inside() {
        for path in [
            "/",
            "/run",
            "/var",
            "/var/lib",
            "/var/lib/docker",
            "/var/lib/docker/volumes/other/_data",
            "/root",
            "/root/.ssh",
            "/home",
            "/home/ann",
            "/home/ann/.ssh/id",
            "/etc",
            "/etc/ssh",
            "/etc/shadow",
            "/proc/1",
            "/sys/fs/cgroup",
            "/lib64",
            "/bin",
            "/sbin",
            "/opt",
            "/usr/local/bin",
            "/dev/vda",
            "/boot",
            "/tmp",
            "/run/containerd",
            "/var/log",
            "/var/spool/cron/root",
        ] {
            assert!(wrong(path, true), "{path}");
        }
    }

    #[test]
    fn what_may_be_lent_is_not_blamed() {
        for path in [
            "/root/shop/nginx.conf",
            "/srv/shop/data",
            "/home/ann/shop/uploads",
            "/opt/shop",
            "/var/log/shop",
            "/var/lib/shop",
            "/etc/localtime",
            "/usr/share/zoneinfo/Europe/Zurich",
            "/etc/ssl/certs",
            "/mnt/disk/data",
            "/etc/shop/key.pem",
            "/root/.local/share/plimsoll/state/shop/files/key",
            "/tmp/shop-test",
        ] {
            assert!(!wrong(path, true), "{path}");
        }
        assert!(wrong("/etc/localtime", false), "writable");
    }

    #[test]
    fn a_project_in_a_system_directory_lends_its_own_alone() {
        let mut host = host();
        host.project = "/etc".into();
        assert!(host.judge(&Shown { path: "/etc/hosts".into(), more: false }, true).is_some());
        host.project = "/etc/compose/shop".into();
        assert!(
            host.judge(&Shown { path: "/etc/compose/shop/nginx.conf".into(), more: false }, true).is_none()
        );
        assert!(host.judge(&Shown { path: "/etc/compose".into(), more: false }, true).is_some());
    }
}
