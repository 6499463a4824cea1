//! Ordinary users: a user namespace in which this process is root.
//!
//! Inside, id 0 is the caller, and the ids from 1 on are those that `/etc/subuid` and `/etc/subgid` grant (mapped by the
//! set-user-id programs `newuidmap` and `newgidmap`). Owners of files are then kept faithfully, because every
//! part of the program sees the same ids. Without a grant only id 0 exists.

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{self, Command},
    sync::OnceLock,
};

use nix::{
    sched::{CloneFlags, unshare},
    sys::wait::{WaitStatus, waitpid},
    unistd::{ForkResult, Gid, Pid, Uid, fork, getgid, getuid},
};

/// As whom this process goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// It was root before; nothing changed.
    Root,
    /// Root in a user namespace with this many user ids.
    Range {
        /// Number of ids, from 0.
        ids: u64,
    },
    /// Root in a user namespace with id 0 alone.
    Single {
        /// Why there are no more.
        reason: String,
    },
    /// User namespaces cannot be had; nothing changed.
    Refused {
        /// Why there is no user namespace, for a message.
        reason: String,
    },
}

static MAPPING: OnceLock<Mapping> = OnceLock::new();

/// Makes an ordinary user root in a user namespace of its own; root stays what it is.
///
/// Must be called while the process has one thread. A second call changes nothing.
pub fn become_root() -> &'static Mapping {
    MAPPING.get_or_init(enter)
}

/// Whether [`become_root`] made this process root, so that its places are still those of an ordinary user.
pub fn is_rootless() -> bool {
    matches!(MAPPING.get(), Some(Mapping::Range { .. } | Mapping::Single { .. }))
}

/// Whether the root of this process is not the machine's root: devices and `trusted.*` attributes are out of reach.
pub(crate) fn in_user_namespace() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        !map.split_whitespace().eq(["0", "0", "4294967295"])
    })
}

/// Whether `setgroups` is denied here for good, as it is where one id alone is mapped.
pub(crate) fn groups_are_fixed() -> bool {
    fs::read_to_string("/proc/self/setgroups").is_ok_and(|text| text.trim() == "deny")
}

fn enter() -> Mapping {
    if Uid::effective().is_root() {
        return Mapping::Root;
    }
    let (uid, gid) = (getuid(), getgid());
    match Grants::find(uid) {
        Ok(grants) => match enter_with(&grants, uid, gid) {
            Ok(()) => Mapping::Range { ids: grants.users.iter().map(|range| range.count).sum::<u64>() + 1 },
            Err(Problem::Namespace(reason)) => Mapping::Refused { reason },
            Err(Problem::Ids(reason)) => map_one(uid, gid, reason),
        },
        Err(reason) => match unshare(CloneFlags::CLONE_NEWUSER) {
            Ok(()) => map_one(uid, gid, reason),
            Err(error) => Mapping::Refused { reason: forbidden(error) },
        },
    }
}

enum Problem {
    /// The namespace could not be made.
    Namespace(String),
    /// It was made, and the ids could not be mapped.
    Ids(String),
}

fn forbidden(error: nix::Error) -> String {
    format!("this system gives no user namespace ({})", io::Error::from(error))
}

/// Ids granted to a user, and the programs that map them.
struct Grants {
    users: Vec<Range>,
    groups: Vec<Range>,
    newuidmap: PathBuf,
    newgidmap: PathBuf,
}

/// Consecutive ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    first: u64,
    count: u64,
}

impl Grants {
    fn find(uid: Uid) -> Result<Self, String> {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = user_name(&passwd, uid.as_raw());
        let ranges = |file: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let found = ranges(&text, name, uid.as_raw());
            if found.is_empty() {
                Err(format!("{file} grants no ids to {}", name.unwrap_or("this user")))
            } else {
                Ok(found)
            }
        };
        Ok(Self {
            users: ranges("/etc/subuid")?,
            groups: ranges("/etc/subgid")?,
            newuidmap: program("newuidmap")?,
            newgidmap: program("newgidmap")?,
        })
    }
}

fn user_name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// The lines `user:first:count` of a user, given by name or number.
fn ranges(text: &str, name: Option<&str>, uid: u32) -> Vec<Range> {
    let number = uid.to_string();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let user = fields.next()?;
            let range = Range { first: fields.next()?.parse().ok()?, count: fields.next()?.parse().ok()? };
            ((Some(user) == name || user == number) && range.count > 0).then_some(range)
        })
        .collect()
}

fn program(name: &str) -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/bin", "/usr/local/bin", "/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| format!("the program `{name}` is missing (package `uidmap`)"))
}

/// The mapping programs must run outside of the new namespace, so a child that stays outside calls them.
fn enter_with(grants: &Grants, uid: Uid, gid: Gid) -> Result<(), Problem> {
    let system = |error: nix::Error| Problem::Namespace(io::Error::from(error).to_string());
    let (wait, go) = io::pipe().map_err(|error| Problem::Namespace(error.to_string()))?;
    let (mut heard, told) = io::pipe().map_err(|error| Problem::Namespace(error.to_string()))?;
    let target = Pid::this();
    // SAFETY: this process has one thread, so the child may allocate and take locks.
    match unsafe { fork() }.map_err(system)? {
        ForkResult::Child => {
            drop((go, heard));
            process::exit(map_from_outside(grants, target, (uid, gid), wait, told));
        }
        ForkResult::Parent { child } => {
            drop((wait, told));
            let mut go = go;
            let entered = unshare(CloneFlags::CLONE_NEWUSER);
            if entered.is_ok() {
                let _ = go.write_all(b"g");
            }
            drop(go);
            let mut reason = String::new();
            let _ = heard.read_to_string(&mut reason);
            let status = waitpid(child, None).map_err(system)?;
            entered.map_err(|error| Problem::Namespace(forbidden(error)))?;
            match status {
                WaitStatus::Exited(_, 0) => Ok(()),
                _ => Err(Problem::Ids(reason.trim().to_owned())),
            }
        }
    }
}

/// The child's work; says on `told` what did not work.
fn map_from_outside(
    grants: &Grants,
    target: Pid,
    (uid, gid): (Uid, Gid),
    mut wait: io::PipeReader,
    mut told: io::PipeWriter,
) -> i32 {
    // At its end without a byte there is no namespace to map.
    if !matches!(wait.read(&mut [0]), Ok(1)) {
        return 1;
    }
    for (program, own, ranges) in
        [(&grants.newgidmap, gid.as_raw(), &grants.groups), (&grants.newuidmap, uid.as_raw(), &grants.users)]
    {
        let output = Command::new(program).args(arguments(target.as_raw(), own, ranges)).output();
        let reason = match output {
            Ok(output) if output.status.success() => continue,
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => format!("cannot run {}: {error}", program.display()),
        };
        let _ = told.write_all(reason.as_bytes());
        return 1;
    }
    0
}

/// `PID 0 OWN 1, 1 FIRST COUNT, …`
fn arguments(target: i32, own: u32, ranges: &[Range]) -> Vec<String> {
    let mut arguments = vec![target.to_string(), "0".to_owned(), own.to_string(), "1".to_owned()];
    let mut inside = 1;
    for range in ranges {
        arguments.extend([inside, range.first, range.count].map(|number| number.to_string()));
        inside += range.count;
    }
    arguments
}

/// Maps the caller's own ids, which needs nobody's permission.
fn map_one(uid: Uid, gid: Gid, reason: String) -> Mapping {
    let write = |file: &str, text: String| fs::write(Path::new("/proc/self").join(file), text);
    let mapped = write("setgroups", "deny".to_owned())
        // Already there when only the users' half failed.
        .and_then(|()| write("gid_map", format!("0 {gid} 1")))
        .or_else(|error| if is_mapped("gid_map") { Ok(()) } else { Err(error) })
        .and_then(|()| write("uid_map", format!("0 {uid} 1")));
    match mapped {
        Ok(()) => Mapping::Single { reason },
        Err(error) => Mapping::Refused { reason: format!("{reason}, and ids cannot be mapped: {error}") },
    }
}

fn is_mapped(file: &str) -> bool {
    fs::read_to_string(Path::new("/proc/self").join(file)).is_ok_and(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1001::/home/node:/bin/sh\n";

    #[test]
    fn a_user_is_granted_ids_by_name_and_by_number() {
        let text = "other:1:5\nnode:100000:65536\n1000:300000:10\nnode:9:0\nnode:x:3\n";
        assert_eq!(user_name(PASSWD, 1000), Some("node"));
        assert_eq!(user_name(PASSWD, 7), None);
        let found = ranges(text, Some("node"), 1000);
        assert_eq!(found, [Range { first: 100_000, count: 65536 }, Range { first: 300_000, count: 10 }]);
        assert_eq!(ranges(text, None, 7), []);
        assert_eq!(arguments(42, 1000, &found).join(" "), "42 0 1000 1 1 100000 65536 65537 300000 10");
    }
}
