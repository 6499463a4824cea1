use std::io;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    inside::Inside,
    procfs::MountLine,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "read-only-root",
    title: "the root file system is read-only and refuses a write",
    group: Group::Privileges,
    requirements: &["R-041", "R-042", "R-044"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    stack
        .judge_members(|member| if member.pid().is_some() { of_member(stack, member) } else { given(member) })
}

fn of_member(stack: &Stack<'_>, member: &Member) -> Outcome {
    let outcome =
        Outcome::new(&member.subject, "`/` is mounted ro, and root's write to it is refused (EROFS)");
    let pid = match stack.visible_pid(member) {
        Ok(pid) => pid,
        Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
    };
    let mounts = match stack.procfs.mounts(pid) {
        Ok(mounts) => mounts,
        Err(error) => return Outcome::not_checked(&member.subject, outcome.expected, error.to_string()),
    };
    let root = mounts.iter().find(|mount| mount.target == "/");
    let mounted = root.is_some_and(MountLine::is_read_only);
    let refused = match Inside::of(&stack.procfs, pid) {
        Ok(inside) => write_is_refused(&inside),
        Err(error) => Err(error.to_string()),
    };
    let observed = format!(
        "mounted {}; the write {}; writable: {}",
        if mounted { "ro" } else { "rw" },
        if refused.is_ok() { "was refused" } else { "succeeded" },
        writable(&mounts),
    );
    let wrote = refused.unwrap_or_else(|problem| problem);
    outcome
        .judge(mounted && wrote.starts_with("EROFS"), observed)
        .evidence(format!("/proc/{pid}/mountinfo"), root.map_or("no root mount", |mount| &mount.text))
        .evidence(format!("create /proc/{pid}/root/.plimsoll-verify as root"), wrote)
}

/// One that does not run has no mounts any more.
fn given(member: &Member) -> Outcome {
    let given = member.given();
    let set = given.read_only_root();
    let (source, value) = given.reading(&["ReadonlyRootfs"]);
    Outcome::new(&member.subject, "`/` is mounted ro")
        .judge(set, if set { "was given a read-only root" } else { "was given a writable root" })
        .evidence(source, value)
}

/// Tries to make a file as root: what root may not do on a read-only mount, nobody may.
fn write_is_refused(inside: &Inside) -> Result<String, String> {
    let probe = format!(".plimsoll-verify-{}", std::process::id());
    match inside.make(&probe) {
        Ok(()) => {
            let removed =
                inside.remove(&probe).map_or_else(|error| error.to_string(), |()| "removed again".to_owned());
            Err(format!("the file was made, and {removed}"))
        }
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Ok(format!("EROFS: {error}")),
        Err(error) => Err(error.to_string()),
    }
}

/// The places where data can still be written; the kernel's own file systems are no such places.
fn writable(mounts: &[MountLine]) -> String {
    let pseudo = ["proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue"];
    let places: Vec<String> = mounts
        .iter()
        .filter(|mount| !mount.is_read_only() && !pseudo.contains(&mount.kind.as_str()))
        // Masked files and device nodes of the runtime.
        .filter(|mount| !["/proc", "/sys", "/dev"].iter().any(|top| mount.target.starts_with(top)))
        .map(|mount| format!("{} ({})", mount.target, mount.kind))
        .collect();
    if places.is_empty() { "nothing".to_owned() } else { places.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_succeeds_is_seen_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let inside = Inside::at(dir.path()).unwrap();
        assert!(write_is_refused(&inside).unwrap_err().contains("made"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
