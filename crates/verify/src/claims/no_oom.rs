use super::{ClaimSpec, MeasureError, Outcome};
use crate::{certificate::Group, cgroup::Cgroups, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "no-oom",
    title: "the kernel killed no process for lack of memory",
    group: Group::Records,
    requirements: &["R-055"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let events = stack.events().await?;
    let judged = stack.lasting().map(|(member, _)| {
        // The kernel counts from the container's start on. The engine remembers some 256 events of all containers: that
        // it tells of none proves nothing of what was before.
        let outcome = Outcome::new(
            &member.subject,
            "oom_kill 0 in its cgroup since its start, and no oom event that the engine remembers",
        );
        let read = stack.visible_pid(member).and_then(|pid| {
            Cgroups::of(&stack.procfs, pid)
                .and_then(|cgroups| cgroups.oom_kills())
                .map_err(|error| error.to_string())
        });
        let kills = match read {
            Ok(kills) => kills,
            Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
        };
        // `OOMKilled` is about the first process only: false proves nothing, true proves the opposite.
        let first = member.detail.oom_killed;
        let seen = events.iter().filter(|event| event.action == "oom" && event.id == member.id()).count();
        outcome
            .judge(kills.value == 0 && seen == 0 && !first, format!("{} kills, {seen} events", kills.value))
            .evidence(kills.file.display().to_string(), kills.text)
            .evidence(format!("engine: oom events of {}", member.name), seen.to_string())
            .evidence(format!("engine: container {} State.OOMKilled", member.name), first.to_string())
    });
    Ok(judged.collect())
}
