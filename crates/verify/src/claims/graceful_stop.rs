use std::time::{Duration, Instant};

use serde_json::Value;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    front, probe, quantity,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "graceful-stop",
    title: "a service that is asked to stop ends by itself in time, and comes back healthy",
    group: Group::Lifecycle,
    requirements: &["R-018", "R-088", "R-120"],
    disturbs: true,
    measure: |stack| Box::pin(measure(stack)),
};

/// The engine's grace period where none is set.
const DEFAULT_GRACE: u64 = 10;
/// The longest grace period in seconds that is still one: what cannot end in ten minutes holds up every deployment.
const LONGEST: u64 = 600;
/// Ended by itself, or by the signal's default action without a handler (128 + SIGTERM).
const GRACEFUL: [i64; 2] = [0, 143];

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let mut outcomes = Vec::new();
    for (member, _) in stack.lasting() {
        outcomes.push(of_member(stack, member).await?);
    }
    Ok(outcomes)
}

async fn of_member(stack: &Stack<'_>, member: &Member) -> Result<Outcome, MeasureError> {
    let grace = member.raw.pointer("/Config/StopTimeout").and_then(Value::as_u64).unwrap_or(DEFAULT_GRACE);
    let outcome = Outcome::new(
        &member.subject,
        format!("ends within {grace} s with exit code 0 or 143; healthy after a start"),
    );
    if grace > LONGEST {
        let why = format!("its grace period is {grace} s: a stop that may take so long is none");
        return Ok(outcome.judge(false, why));
    }
    let begin = Instant::now();
    stack.disturbances.stop(member.id()).await?;
    let took = begin.elapsed();
    let stopped = stack.engine.inspect_container(member.id()).await?;
    front::ask_while_stopped(stack, member).await;
    let (back, came_back) = probe::start_again(stack, member).await?;
    let in_time = took < Duration::from_secs(grace) && GRACEFUL.contains(&stopped.exit_code);
    let observed =
        format!("ended after {} with exit code {}; {came_back}", quantity::seconds(took), stopped.exit_code);
    let signal =
        Some(member.text("/Config/StopSignal")).filter(|signal| !signal.is_empty()).unwrap_or("SIGTERM");
    Ok(outcome
        .judge(in_time && back, observed)
        .evidence(
            format!("docker stop {} ({signal}, grace {grace} s)", member.name),
            format!(
                "{:.2} s, exit code {}, OOMKilled {}",
                took.as_secs_f64(),
                stopped.exit_code,
                stopped.oom_killed
            ),
        )
        .evidence(format!("docker start {}; its health command", member.name), came_back))
}
