use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    declared,
    member::{Kind, Member},
    stack::Stack,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "process-user",
    title: "no process runs as root",
    group: Group::Privileges,
    requirements: &["R-040", "R-044", "R-045"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    // A one-off run may be somebody else, but not root.
    let wanted = |member: &Member| {
        if member.kind == Kind::Service { stack.declared(member).and_then(declared::uid) } else { None }
    };
    let mut outcomes = stack.judge_processes(
        |member| match wanted(member) {
            Some(uid) => format!("every process has uid {uid}"),
            None => "no process has uid 0".to_owned(),
        },
        |member, processes, outcome| {
            let wanted = wanted(member);
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
        |member, outcome| {
            let user = member.given().user();
            let source = format!("engine: container {} Config.User", member.name);
            let Some(uid) = member.given_uid else {
                let why = format!("it does not run, and its /etc/passwd does not say who {user} is");
                return Outcome { observed: why, ..outcome }.evidence(source, user);
            };
            let fits = uid != 0 && wanted(member).is_none_or(|wanted| wanted == uid);
            outcome.judge(fits, format!("was started as uid {uid}")).evidence(source, format!("{user:?}"))
        },
    );
    outcomes.extend(hooks(stack));
    outcomes
}

/// Containers of `pre_start` hooks are removed when they have ended: what the file says of them is all that is left.
fn hooks(stack: &Stack<'_>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (name, service) in &stack.project.services {
        for (at, hook) in service.pre_start.iter().enumerate() {
            let outcome = Outcome::new(format!("{name} pre_start {}", at + 1), "no process had uid 0");
            let user = hook.user.as_deref().unwrap_or_default().split(':').next().unwrap_or_default();
            let reading = format!("user {user:?}, privileged {}", hook.privileged);
            let outcome = if hook.privileged || matches!(user, "0" | "root") {
                outcome.judge(false, "the file runs it with root's rights")
            } else {
                let why = "it has ended, and the engine keeps nothing of it";
                Outcome { observed: why.to_owned(), ..outcome }
            };
            outcomes.push(outcome.evidence(format!("the file's services.{name}.pre_start"), reading));
        }
    }
    outcomes
}
