use std::time::Duration;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{certificate::Group, probe, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "health",
    title: "every service has a health check, and it passes",
    group: Group::Lifecycle,
    requirements: &["R-080", "R-084", "R-085", "R-139"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let mut outcomes = Vec::new();
    for (member, _) in stack.lasting() {
        let outcome = Outcome::new(&member.subject, "its health command exits with 0 when it is run now");
        let Some(probed) = probe::run(stack.engine, member, Duration::from_secs(30)).await? else {
            outcomes.push(outcome.judge(false, "it has no health check"));
            continue;
        };
        let command = probe::command(member).unwrap_or_default().join(" ");
        let engine =
            format!("{}, {} failures in a row", member.detail.health.as_str(), member.detail.failing_streak);
        outcomes.push(
            outcome
                .judge(probed.passed(), probed.line())
                .evidence(format!("exec in {}: {command}", member.name), probed.line())
                .evidence(format!("engine: container {} State.Health", member.name), engine),
        );
    }
    Ok(outcomes)
}
