use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use jiff::Timestamp;
use plimsoll_engine::{ContainerDetail, Health};

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    probe::{self, Settings},
    quantity,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "health",
    title: "every service has a health check, it passes, and the engine says so too",
    group: Group::Lifecycle,
    requirements: &["R-080", "R-084", "R-085", "R-139"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// The command is run so often: one that passes every other time is caught.
const RUNS: usize = 3;
/// A dead service that is noticed later than this is not noticed: an alarm, a balancer and a person are faster.
const NOTICED: Duration = Duration::from_mins(30);
/// A service that may fail its check so long after its start has no check.
const START: Duration = Duration::from_hours(1);
/// The engine's next probe is waited for at most so long.
const PATIENCE: Duration = Duration::from_mins(1);
/// An engine that is busy begins its probes later than it should.
const SLACK: Duration = Duration::from_secs(15);

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    try_join_all(stack.lasting().map(|(member, _)| of_member(stack, member))).await
}

async fn of_member(stack: &Stack<'_>, member: &Member) -> Result<Outcome, MeasureError> {
    let settings = probe::settings(member);
    let outcome = Outcome::new(
        &member.subject,
        format!(
            "its health command exits with 0 within its {}, {RUNS} times in a row; the engine calls it healthy",
            quantity::seconds(settings.timeout)
        ),
    );
    let Some(command) = probe::command(member) else {
        return Ok(outcome.judge(false, "it has no health check"));
    };
    let exec = format!("exec in {}: {}", member.name, command.join(" "));
    let mut evidence = Vec::new();
    let mut wrong = Vec::new();
    let mut last = String::new();
    for _ in 0..RUNS {
        let Some(probed) = probe::run(stack.engine, member, settings.timeout).await? else { break };
        last = probed.line();
        if !probed.passed() {
            let line = format!("{last} (after {} of {RUNS} runs that passed)", evidence.len());
            evidence.push((exec.clone(), line.clone()));
            wrong.push(line);
            break;
        }
        evidence.push((exec.clone(), last.clone()));
    }
    // What the engine said when the measurement began is old by now.
    let mut now = stack.engine.inspect_container(member.id()).await?;
    if wrong.is_empty() {
        now = after_next_probe(stack, now, &settings).await?;
    }
    evidence.push((
        format!("engine: container {} State.Health", member.name),
        format!("{}, {} failures in a row", now.health.as_str(), now.failing_streak),
    ));
    wrong.extend(engines_word(&now, &settings));
    wrong.extend(blunt(&settings));
    evidence.push((
        format!("engine: container {} Config.Healthcheck", member.name),
        format!(
            "timeout {}, interval {}, retries {}, start_period {}",
            quantity::seconds(settings.timeout),
            quantity::seconds(settings.interval),
            settings.retries,
            quantity::seconds(settings.start_period)
        ),
    ));
    let observed = if wrong.is_empty() { last } else { wrong.join("; ") };
    Ok(outcome.judge(wrong.is_empty(), observed).all_evidence(evidence))
}

/// What the engine says after its next probe, where its last one failed and ours pass now: what was wrong may have been
/// mended since.
async fn after_next_probe(
    stack: &Stack<'_>,
    mut now: ContainerDetail,
    settings: &Settings,
) -> Result<ContainerDetail, MeasureError> {
    let failed = now.failing_streak;
    let due = (settings.interval + settings.timeout + SLACK).min(PATIENCE);
    let begun = Instant::now();
    while failed > 0
        && now.failing_streak == failed
        && now.health != Health::Unhealthy
        && begun.elapsed() < due
    {
        tokio::time::sleep(Duration::from_secs(1)).await;
        now = stack.engine.inspect_container(&now.id).await?;
    }
    Ok(now)
}

/// Whoever waits for `service_healthy`, a balancer or an alarm acts on the engine's word.
fn engines_word(now: &ContainerDetail, settings: &Settings) -> Option<String> {
    match now.health {
        Health::Unhealthy => {
            Some(format!("the engine calls it unhealthy, {} failures in a row", now.failing_streak))
        }
        _ if now.failing_streak > 0 => {
            Some(format!("{} of the engine's probes failed in a row", now.failing_streak))
        }
        Health::Healthy => None,
        Health::None => Some("the engine runs no health check".to_owned()),
        // The engine has not probed yet. It has to have by now if that is more than an interval ago.
        Health::Starting => {
            let started: Timestamp = now.started.parse().ok()?;
            let up = Duration::try_from(Timestamp::now().duration_since(started)).unwrap_or_default();
            let due = settings.interval + settings.timeout + SLACK;
            (up > due.max(settings.start_period)).then(|| {
                format!("runs for {} and the engine has not called it healthy yet", quantity::seconds(up))
            })
        }
    }
}

/// A check that notices nothing while anybody cares.
fn blunt(settings: &Settings) -> Vec<String> {
    let mut wrong = Vec::new();
    let after = settings.notices_after();
    if after > NOTICED {
        wrong.push(format!(
            "the engine would call it unhealthy {} after its death ({} probes, {} apart)",
            quantity::seconds(after),
            settings.retries,
            quantity::seconds(settings.interval)
        ));
    }
    if settings.start_period > START {
        wrong.push(format!("no failure counts in the first {}", quantity::seconds(settings.start_period)));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(interval: u64, retries: u32, start_period: u64) -> Settings {
        Settings {
            interval: Duration::from_secs(interval),
            timeout: Duration::from_secs(3),
            retries,
            start_period: Duration::from_secs(start_period),
        }
    }

    #[test]
    fn checks_that_can_practically_not_fail() {
        assert_eq!(blunt(&settings(30, 3, 60)), Vec::<String>::new());
        assert_eq!(blunt(&settings(86_400, 3, 0)).len(), 1);
        assert_eq!(blunt(&settings(5, 100_000, 0)).len(), 1);
        assert_eq!(blunt(&settings(5, 3, 36_000)).len(), 1);
    }

    #[test]
    fn the_engines_word_counts() {
        let mut now = crate::member::tests::member(serde_json::json!({})).detail;
        now.health = Health::Healthy;
        assert_eq!(engines_word(&now, &settings(5, 3, 0)), None);
        now.failing_streak = 1;
        assert!(engines_word(&now, &settings(5, 3, 0)).is_some());
        now.failing_streak = 0;
        now.health = Health::Starting;
        now.started = Timestamp::now().to_string();
        assert_eq!(engines_word(&now, &settings(30, 3, 0)), None);
        now.started = (Timestamp::now() - Duration::from_mins(5)).to_string();
        assert!(engines_word(&now, &settings(30, 3, 0)).is_some());
        now.health = Health::Unhealthy;
        assert!(engines_word(&now, &settings(30, 3, 0)).is_some());
    }
}
