//! Namespaces that a container has in common with the host or with processes of others.

use std::collections::BTreeMap;

use crate::{
    claims::Outcome,
    procfs::ProcFs,
    stack::{Member, Stack},
};

/// The namespaces that a container always has of its own.
const ALWAYS: [&str; 5] = ["pid", "net", "mnt", "ipc", "uts"];
/// So many foreign processes are named.
const SHOWN: usize = 3;

/// Who is in which namespace, but the project's own containers.
pub(super) struct Others {
    by_namespace: BTreeMap<String, Vec<String>>,
    /// The namespaces of this process and of the host's first one, by kind.
    host: BTreeMap<&'static str, Vec<String>>,
    kinds: Vec<&'static str>,
}

impl Others {
    pub(super) fn of(stack: &Stack<'_>) -> Self {
        let mut kinds = ALWAYS.to_vec();
        // With v1 every container shares the host's cgroup namespace, unless it is asked for another.
        if stack.facts.cgroup_version == 2 {
            kinds.push("cgroup");
        }
        // An engine that does not map users gives every container the host's.
        if stack.facts.security.iter().any(|option| option == "userns" || option == "rootless") {
            kinds.push("user");
        }
        let host = |kind: &&'static str| {
            let own =
                [std::process::id(), 1].into_iter().filter_map(|pid| stack.procfs.namespace(pid, kind).ok());
            (*kind, own.collect())
        };
        let host = kinds.iter().map(host).collect();
        let mut by_namespace: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pid in stack.procfs.pids() {
            if stack.members.iter().any(|member| stack.procfs.is_in(pid, member.id())) {
                continue;
            }
            for kind in ALWAYS {
                if let Ok(namespace) = stack.procfs.namespace(pid, kind) {
                    by_namespace.entry(namespace).or_default().push(named(&stack.procfs, pid));
                }
            }
        }
        Self { by_namespace, host, kinds }
    }

    /// True if a namespace of `pid` is the host's.
    pub(super) fn shares_with_host(&self, procfs: &ProcFs, pid: u32, kind: &str) -> bool {
        let own = self.host.get(kind).map_or(&[] as &[String], Vec::as_slice);
        procfs.namespace(pid, kind).is_ok_and(|namespace| own.contains(&namespace))
    }
}

fn named(procfs: &ProcFs, pid: u32) -> String {
    let name = procfs.read(pid, "comm").unwrap_or_default();
    format!("{} ({pid})", String::from_utf8_lossy(&name).trim())
}

/// Adds what is wrong with the namespaces of a container that runs.
pub(super) fn judge(
    stack: &Stack<'_>,
    others: &Others,
    member: &Member,
    pid: u32,
    wrong: &mut Vec<String>,
    mut outcome: Outcome,
) -> Outcome {
    for kind in &others.kinds {
        let Ok(theirs) = stack.procfs.namespace(pid, kind) else {
            wrong.push(format!("the {kind} namespace cannot be read"));
            continue;
        };
        let host = others.host.get(kind).map_or(&[] as &[String], Vec::as_slice);
        let of_host = host.contains(&theirs);
        if of_host {
            wrong.push(format!("shares the host's {kind} namespace{}", consequence(kind)));
        }
        outcome = outcome.evidence(
            format!("/proc/{pid}/ns/{kind}"),
            format!("{theirs}, the host's is {}", host.join(" and ")),
        );
        let foreign = others.by_namespace.get(&theirs).filter(|_| !of_host);
        if let Some(foreign) = foreign {
            let names: Vec<&str> = foreign.iter().take(SHOWN).map(String::as_str).collect();
            wrong.push(format!("{} of others in its {kind} namespace", names.join(", ")));
        }
    }
    if member.text("/HostConfig/PidMode") == "host"
        && !wrong.iter().any(|said| said.contains("pid namespace"))
    {
        wrong.push("was given the host's pid namespace".to_owned());
    }
    outcome
}

fn consequence(kind: &str) -> &'static str {
    match kind {
        "net" => {
            ": every service on the host's loopback is open to it, and what it listens on is open on the host"
        }
        "pid" => ": it sees the host's processes",
        "ipc" => ": it sees the host's shared memory",
        _ => "",
    }
}
