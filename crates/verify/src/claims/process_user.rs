use super::{ClaimSpec, MeasureError, Outcome};
use crate::{certificate::Group, declared, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "process-user",
    title: "no process runs as root",
    group: Group::Privileges,
    requirements: &["R-040", "R-044", "R-045"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let wanted = |service: &str| stack.project.services.get(service).and_then(declared::uid);
    stack.judge_processes(
        |member| match wanted(&member.service) {
            Some(uid) => format!("every process has uid {uid}"),
            None => "no process has uid 0".to_owned(),
        },
        |member, processes, outcome| {
            let wanted = wanted(&member.service);
            let fits = |uid: &u32| *uid != 0 && wanted.is_none_or(|wanted| wanted == *uid);
            let holds =
                processes.iter().all(|(_, status)| !status.uids.is_empty() && status.uids.iter().all(fits));
            let mut uids: Vec<u32> = processes.iter().flat_map(|(_, status)| status.uids.clone()).collect();
            uids.sort_unstable();
            uids.dedup();
            let uids: Vec<String> = uids.iter().map(u32::to_string).collect();
            let count = processes.len();
            let observed =
                format!("uid {} in {count} process{}", uids.join(", "), if count == 1 { "" } else { "es" });
            outcome.judge(holds, observed).all_evidence(processes.iter().map(|(pid, status)| {
                let ids: Vec<String> = status.uids.iter().map(u32::to_string).collect();
                (format!("/proc/{pid}/status"), format!("Name {}, Uid {}", status.name, ids.join(" ")))
            }))
        },
    )
}
