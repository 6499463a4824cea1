use std::time::Duration;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    declared, probe, quantity,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "health-fails",
    title: "the health check fails while a store is paused, and passes again after",
    group: Group::Lifecycle,
    requirements: &["R-083", "R-084", "R-085"],
    disturbs: true,
    measure: |stack| Box::pin(measure(stack)),
};

/// A health command that takes longer than this has failed: engines give up after 30 s by default.
const PROBE: Duration = Duration::from_secs(30);
const RECOVERY: Duration = Duration::from_mins(1);

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let mut outcomes = Vec::new();
    for (member, service) in stack.lasting() {
        for store in declared::stores(stack.project, service) {
            for paused in stack.of_service(store) {
                outcomes.push(of_pair(stack, member, paused).await?);
            }
        }
    }
    if outcomes.is_empty() {
        let expected = "the health check of a service fails while a store that it needs is paused";
        outcomes.push(Outcome::not_applicable("stack", expected, "no service waits for a healthy store"));
    }
    Ok(outcomes)
}

async fn of_pair(stack: &Stack<'_>, member: &Member, store: &Member) -> Result<Outcome, MeasureError> {
    let subject = format!("{} without {}", member.service, store.service);
    let outcome = Outcome::new(subject, "passes, fails while it is paused, passes again");
    let Some(before) = probe::run(stack.engine, member, PROBE).await? else {
        return Ok(outcome.judge(false, format!("{} has no health check", member.service)));
    };
    stack.disturbances.pause(store.id()).await?;
    let during = probe::run(stack.engine, member, PROBE).await;
    // Before anything else, whatever the probe said.
    stack.disturbances.unpause(store.id()).await?;
    let during = during?.ok_or_else(|| MeasureError::Other("the health check is gone".to_owned()))?;
    let recovery = probe::until_healthy(stack.engine, member, RECOVERY).await;
    let after = match &recovery {
        Ok(time) => format!("again after {}", quantity::seconds(*time)),
        Err(said) => format!("not again in {} s: {said}", RECOVERY.as_secs()),
    };
    let holds = before.passed() && !during.passed() && recovery.is_ok();
    let observed = format!(
        "{} before, {} while {} was paused, {after}",
        word(before.passed()),
        word(during.passed()),
        store.service
    );
    let exec = format!("exec in {}: {}", member.name, probe::command(member).unwrap_or_default().join(" "));
    Ok(outcome
        .judge(holds, observed)
        .evidence(exec.clone(), before.line())
        .evidence(format!("docker pause {}; {exec}", store.name), during.line())
        .evidence(format!("docker unpause {}; {exec}", store.name), after))
}

fn word(passed: bool) -> &'static str {
    if passed { "passes" } else { "fails" }
}
