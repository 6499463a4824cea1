//! What a container shares with the host: judged by what it reaches, not by what something is called.

mod devices;
mod mounts;
mod sharing;
mod sockets;

#[cfg(fuzzing)]
pub(super) use sockets::fuzz;

use plimsoll_engine::EngineError;

use self::{mounts::Host, sharing::Others, sockets::Engines};
use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::{Group, Status},
    hostfs::Shown,
    inside::Inside,
    procfs::MountLine,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "host-isolation",
    title: "the container shares no namespace, device, engine socket or system directory with the host",
    group: Group::Privileges,
    requirements: &["R-044"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

const EXPECTED: &str = "namespaces of its own; not privileged; no engine within reach; no system directory and no \
                        device of the host; the kernel's own files covered";

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let volumes = bound_volumes(stack).await?;
    Ok(tokio::task::block_in_place(|| {
        let (host, engines, others) = (Host::of(stack), Engines::of(stack), Others::of(stack));
        stack.judge_members(|member| match member.pid() {
            Some(_) => running(stack, (&host, &engines, &others), member),
            None => given(member, &host, &engines, &volumes),
        })
    }))
}

fn running(
    stack: &Stack<'_>,
    (host, engines, others): (&Host, &Engines, &Others),
    member: &Member,
) -> Outcome {
    let outcome = Outcome::new(&member.subject, EXPECTED);
    let read = stack.visible_pid(member).and_then(|pid| {
        let mounts = stack.procfs.mounts(pid).map_err(|error| error.to_string())?;
        let inside = Inside::of(&stack.procfs, pid).map_err(|error| error.to_string())?;
        Ok((pid, mounts, inside))
    });
    let (pid, lines, inside) = match read {
        Ok(read) => read,
        Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
    };
    let (mut wrong, mut cut) = (Vec::new(), Vec::new());
    let mut outcome = sharing::judge(stack, others, member, pid, &mut wrong, outcome);
    if member.given().privileged() {
        wrong.push("is privileged".to_owned());
    }
    let shares = |kind: &str| others.shares_with_host(&stack.procfs, pid, kind);
    outcome = mounts::judge(host, member, &lines, shares, &mut wrong, outcome);
    let found = (&mut wrong, &mut cut);
    outcome = sockets::judge(stack, (host, engines), (member, pid), &inside, &lines, found, outcome);
    let found = (&mut wrong, &mut cut);
    let (outcome, measured) = devices::judge(stack, member, pid, &inside, &lines, found, outcome);
    wrong.extend(uncovered(&lines));
    if wrong.is_empty() && !cut.is_empty() {
        // What was not looked at is not proved.
        return Outcome { status: Status::NotChecked, observed: cut.join("; "), ..outcome };
    }
    let observed = match (wrong.is_empty(), measured) {
        (true, true) => "separate".to_owned(),
        (true, false) => format!("separate; device rules {}", devices::NOT_MEASURED),
        (false, _) => wrong.join("; "),
    };
    outcome.judge(wrong.is_empty(), observed)
}

/// The files of /proc that every runtime covers, unless it is told not to (`systempaths=unconfined`).
fn uncovered(mounts: &[MountLine]) -> Option<String> {
    let covers = |target: &str| mounts.iter().any(|mount| mount.target == target);
    let kept = mounts.iter().any(|mount| mount.target == "/proc/sys" && mount.is_read_only());
    // A kernel may be built without it.
    let bare = std::path::Path::new("/proc/kcore").exists() && !covers("/proc/kcore");
    (bare || !kept).then(|| "the kernel's memory and settings in /proc are not covered".to_owned())
}

/// One that does not run has no namespaces and mounts any more: what the engine gave it is left.
fn given(member: &Member, host: &Host, engines: &Engines, volumes: &[(String, String)]) -> Outcome {
    let given = member.given();
    let namespaces = given.host_namespaces();
    let mut wrong: Vec<String> =
        namespaces.iter().map(|kind| format!("shared the host's {kind} namespace")).collect();
    if given.privileged() {
        wrong.push("was privileged".to_owned());
    }
    for (path, read_only) in mounts::given(member, volumes) {
        if let Some(socket) = engines.at(&path) {
            wrong.push(format!("saw the engine's socket {socket}"));
        }
        wrong.extend(host.judge(&Shown { path, more: false }, read_only));
    }
    wrong.extend(devices::given(member).map(|device| format!("was given the host's device {device}")));
    wrong.extend(devices::requests(member));
    let observed = if wrong.is_empty() { "was separate".to_owned() } else { wrong.join("; ") };
    let keys =
        ["PidMode", "NetworkMode", "IpcMode", "UTSMode", "UsernsMode", "Privileged", "Binds", "Devices"];
    let (source, value) = given.reading(&keys);
    Outcome::new(&member.subject, EXPECTED).judge(wrong.is_empty(), observed).evidence(source, value)
}

/// Volumes of containers that do not run and are paths of the host or disks: name and device.
async fn bound_volumes(stack: &Stack<'_>) -> Result<Vec<(String, String)>, EngineError> {
    let mut names: Vec<String> =
        stack.members.iter().filter(|member| member.pid().is_none()).flat_map(Member::volumes).collect();
    names.sort();
    names.dedup();
    let mut bound = Vec::new();
    for name in names {
        match stack.engine.inspect_volume(&name).await {
            Ok(volume) => {
                let device = volume.spec.options.get("device").filter(|device| device.starts_with('/'));
                bound.extend(device.map(|device| (name.clone(), device.clone())));
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bound)
}
