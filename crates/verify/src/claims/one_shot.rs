use plimsoll_engine::RunState;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{certificate::Group, declared, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "one-shot",
    title: "one-shot services ended successfully, once, before what needs them",
    group: Group::Lifecycle,
    requirements: &["R-085", "R-088", "R-130"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let services = stack.project.services.keys().filter(|name| declared::runs_once(stack.project, name));
    let judged = services.map(|name| {
        let outcome = Outcome::new(name, "exit code 0, never restarted, ended before its dependents started");
        let Some(member) = stack.members.iter().find(|member| member.service == *name) else {
            return outcome.judge(false, "there is no container of it");
        };
        let detail = &member.detail;
        let late: Vec<&str> = stack
            .members
            .iter()
            .filter(|other| {
                stack.declared(other).is_some_and(|service| service.depends_on.contains_key(name))
            })
            // RFC 3339 in UTC with the engine's nanoseconds sorts as text up to the fraction's dropped zeros.
            .filter(|other| timestamp(&other.detail.started) < timestamp(&detail.finished))
            .map(|other| other.service.as_str())
            .collect();
        let ended = detail.state == RunState::Exited && detail.exit_code == 0 && detail.restarts == 0;
        let mut observed =
            format!("{} with code {}, {} restarts", detail.state.as_str(), detail.exit_code, detail.restarts);
        if !late.is_empty() {
            observed += &format!("; {} started before it ended", late.join(", "));
        }
        outcome.judge(ended && late.is_empty(), observed).evidence(
            format!("engine: container {} State", member.name),
            format!("started {}, finished {}", detail.started, detail.finished),
        )
    });
    judged.collect()
}

fn timestamp(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok()
}
