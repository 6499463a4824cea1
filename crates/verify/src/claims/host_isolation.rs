use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    procfs::MountLine,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "host-isolation",
    title: "the container shares no namespace, engine socket or system directory with the host",
    group: Group::Privileges,
    requirements: &["R-044"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

/// The namespaces that a container always has of its own.
const NAMESPACES: [&str; 5] = ["pid", "net", "mnt", "ipc", "uts"];
/// Directories of the host that must not be mounted (CIS Docker 5.5).
const SENSITIVE: [&str; 8] = ["/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr"];

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    stack
        .judge_members(|member| if member.pid().is_some() { of_member(stack, member) } else { given(member) })
}

fn of_member(stack: &Stack<'_>, member: &Member) -> Outcome {
    let outcome = Outcome::new(
        &member.subject,
        "own pid, net, mnt, ipc and uts namespaces; not privileged; no engine socket; no system directory of the host",
    );
    let pid = match stack.visible_pid(member) {
        Ok(pid) => pid,
        Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
    };
    let mut wrong = Vec::new();
    let mut evidence = Vec::new();
    for kind in NAMESPACES {
        let (theirs, ours) =
            (stack.procfs.namespace(pid, kind), stack.procfs.namespace(std::process::id(), kind));
        let (Ok(theirs), Ok(ours)) = (theirs, ours) else {
            wrong.push(format!("the {kind} namespace cannot be read"));
            continue;
        };
        if theirs == ours {
            wrong.push(format!("shares the host's {kind} namespace"));
        }
        evidence.push((format!("/proc/{pid}/ns/{kind}"), format!("{theirs}, the host's is {ours}")));
    }
    if member.raw.pointer("/HostConfig/Privileged").and_then(serde_json::Value::as_bool) != Some(false) {
        wrong.push("is privileged".to_owned());
    }
    for source in binds(member) {
        if SENSITIVE.contains(&source.trim_end_matches('/')) || source == "/" {
            wrong.push(format!("mounts the host's {source}"));
        }
    }
    let mounts = stack.procfs.mounts(pid).unwrap_or_default();
    if let Some(socket) = mounts.iter().find(|mount| is_engine_socket(mount)) {
        wrong.push(format!("sees the engine's socket at {}", socket.target));
    }
    let observed = if wrong.is_empty() { "separate".to_owned() } else { wrong.join("; ") };
    outcome.judge(wrong.is_empty(), observed).all_evidence(evidence)
}

/// One that does not run has no namespaces any more: what the engine gave it is left.
fn given(member: &Member) -> Outcome {
    let given = member.given();
    let mut wrong: Vec<String> =
        given.host_namespaces().iter().map(|kind| format!("shared the host's {kind} namespace")).collect();
    if given.privileged() {
        wrong.push("was privileged".to_owned());
    }
    for source in binds(member) {
        if SENSITIVE.contains(&source.trim_end_matches('/')) || source == "/" {
            wrong.push(format!("had the host's {source} mounted"));
        }
        if ["docker.sock", "containerd.sock", "podman.sock"].iter().any(|name| source.ends_with(name)) {
            wrong.push(format!("had the engine's socket {source} mounted"));
        }
    }
    let observed = if wrong.is_empty() { "was separate".to_owned() } else { wrong.join("; ") };
    let (source, value) =
        given.reading(&["PidMode", "NetworkMode", "IpcMode", "UTSMode", "Privileged", "Binds"]);
    Outcome::new(
        &member.subject,
        "no namespace, engine socket or system directory of the host; not privileged",
    )
    .judge(wrong.is_empty(), observed)
    .evidence(source, value)
}

fn binds(member: &Member) -> Vec<&str> {
    let mounts = member.raw.pointer("/Mounts").and_then(serde_json::Value::as_array);
    let bind = mounts.into_iter().flatten().filter(|mount| mount["Type"] == "bind");
    bind.filter_map(|mount| mount["Source"].as_str()).collect()
}

fn is_engine_socket(mount: &MountLine) -> bool {
    ["docker.sock", "containerd.sock", "podman.sock"]
        .iter()
        .any(|name| mount.root.ends_with(name) || mount.target.ends_with(name))
}
