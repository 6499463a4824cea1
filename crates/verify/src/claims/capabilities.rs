use super::{ClaimSpec, MeasureError, Outcome};
use crate::{certificate::Group, given::Given, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "capabilities",
    title: "no process holds a capability that is not declared",
    group: Group::Privileges,
    requirements: &["R-043", "R-044", "R-045"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

/// The names of the bits (capabilities(7), Linux 6).
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let allowed = |service: &str| {
        let added =
            stack.project.services.get(service).map(|service| service.cap_add.as_slice()).unwrap_or_default();
        added.iter().fold(0, |mask, name| mask | bit(name))
    };
    stack.judge_processes(
        |member| match allowed(&member.service) {
            0 => "no capability: effective, permitted and bounding sets are empty".to_owned(),
            mask => format!("at most {} in the effective, permitted and bounding sets", names(mask)),
        },
        |member, processes, outcome| {
            let allowed = allowed(&member.service);
            let held = processes.iter().fold(0, |held, (_, status)| {
                held | status.cap_effective | status.cap_permitted | status.cap_bounding
            });
            let evidence = processes.iter().map(|(pid, status)| {
                let (eff, prm, bnd) = (status.cap_effective, status.cap_permitted, status.cap_bounding);
                (
                    format!("/proc/{pid}/status"),
                    format!("CapEff {eff:016x}, CapPrm {prm:016x}, CapBnd {bnd:016x}"),
                )
            });
            outcome.judge(held & !allowed == 0, names(held)).all_evidence(evidence)
        },
        |member, outcome| {
            let given = member.given();
            let held = given_mask(given);
            let observed = format!("was given {}", names(held));
            let (source, value) = given.reading(&["Privileged", "CapAdd", "CapDrop"]);
            outcome.judge(held & !allowed(&member.service) == 0, observed).evidence(source, value)
        },
    )
}

/// What the engine gives a container that asks for nothing.
const DEFAULT: u64 = 0xa804_25fb;

/// The bounding set that a container was given: the default, less what is dropped, and what is added.
fn given_mask(given: Given<'_>) -> u64 {
    if given.privileged() {
        return u64::MAX >> (64 - NAMES.len());
    }
    let all = |name: &str| {
        if name.eq_ignore_ascii_case("all") { u64::MAX >> (64 - NAMES.len()) } else { bit(name) }
    };
    let dropped = given.cap_drop().fold(0, |mask, name| mask | all(name));
    given.cap_add().fold(DEFAULT & !dropped, |mask, name| mask | all(name))
}

fn bit(name: &str) -> u64 {
    let name = name.to_ascii_uppercase();
    let name = name.strip_prefix("CAP_").unwrap_or(&name);
    if name == "ALL" {
        return u64::MAX;
    }
    NAMES.iter().position(|known| *known == name).map_or(0, |at| 1 << at)
}

fn names(mask: u64) -> String {
    if mask == 0 {
        return "none".to_owned();
    }
    let known =
        NAMES.iter().enumerate().filter(|(at, _)| mask & (1 << at) != 0).map(|(_, name)| (*name).to_owned());
    let unknown = (mask >> NAMES.len() != 0).then(|| format!("{:#x}", mask >> NAMES.len() << NAMES.len()));
    known.chain(unknown).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_default_set_by_name() {
        assert_eq!(
            names(0xa804_25fb),
            "CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW, \
             SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP"
        );
        assert_eq!(names(0), "none");
    }

    #[test]
    fn what_was_given() {
        let raw = serde_json::json!({ "HostConfig": { "Privileged": false, "CapAdd": ["CAP_CHOWN"], "CapDrop": ["ALL"] } });
        assert_eq!(names(given_mask(Given::new(&raw))), "CHOWN");
        let raw =
            serde_json::json!({ "HostConfig": { "Privileged": false, "CapAdd": null, "CapDrop": null } });
        assert_eq!(given_mask(Given::new(&raw)), DEFAULT);
        let raw = serde_json::json!({ "HostConfig": { "Privileged": true, "CapDrop": ["ALL"] } });
        assert_eq!(given_mask(Given::new(&raw)).count_ones() as usize, NAMES.len());
    }

    #[test]
    fn declared_names_with_and_without_prefix() {
        assert_eq!(bit("NET_BIND_SERVICE"), 1 << 10);
        assert_eq!(bit("cap_chown"), 1);
        assert_eq!(bit("NOTHING"), 0);
    }
}
