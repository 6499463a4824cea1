use std::time::Duration;

use jiff::Timestamp;
use plimsoll_engine::Event;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::{Evidence, Group},
    probe, quantity,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "start-time",
    title: "all services are healthy in time after the start",
    group: Group::Lifecycle,
    requirements: &["R-086"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// The engine remembers this many probes of a container.
const REMEMBERED: usize = 5;

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let Some(budget) = stack.options.budgets.start else {
        let why = "plimsoll.toml has no budgets.start";
        return Ok(vec![Outcome::not_applicable("stack", "all healthy within a budget", why)]);
    };
    let outcome = Outcome::new(
        "stack",
        format!("all healthy at most {} after the first container's start", quantity::seconds(budget)),
    );
    let Some(begin) = stack.members.iter().filter_map(|member| parse(&member.detail.started)).min() else {
        return Ok(vec![Outcome::not_checked("stack", outcome.expected, "no container was started")]);
    };
    let events = stack.events().await?;
    let mut last = begin;
    let mut evidence =
        vec![Evidence { source: "engine: first State.StartedAt".to_owned(), value: begin.to_string() }];
    for (member, _) in stack.lasting() {
        let Some((at, how)) = healthy_at(stack, member, &events).await? else {
            let why = format!("{} has no health check that passes", member.service);
            return Ok(vec![outcome.judge(false, why)]);
        };
        last = last.max(at);
        evidence.push(Evidence { source: how, value: format!("{}: healthy at {at}", member.service) });
    }
    let took = Duration::try_from(last.duration_since(begin)).unwrap_or_default();
    // Each time is the earliest that is known for sure: the truth is that or earlier.
    let observed = format!("at most {}", quantity::seconds(took));
    let mut outcome = if took <= budget {
        outcome.judge(true, observed)
    } else {
        let why = format!(
            "only {observed} is known: the engine remembers {REMEMBERED} probes; verify right after `up` to measure it"
        );
        Outcome::not_checked("stack", outcome.expected, why)
    };
    outcome.evidence = evidence;
    Ok(vec![outcome])
}

/// The earliest moment at which a service is known to have been healthy, and how that is known.
async fn healthy_at(
    stack: &Stack<'_>,
    member: &Member,
    events: &[Event],
) -> Result<Option<(Timestamp, String)>, MeasureError> {
    let started = parse(&member.detail.started);
    let in_log = member.detail.probes.iter().find(|probe| probe.exit_code == 0);
    let in_log = in_log.and_then(|probe| parse(&probe.ended));
    let told = events
        .iter()
        .filter(|event| event.id == member.id() && event.action.ends_with(": healthy"))
        .filter_map(|event| Timestamp::from_nanosecond(event.time.into()).ok())
        .find(|at| started.is_none_or(|started| *at >= started));
    let log = in_log.map(|at| (at, format!("engine: container {} State.Health.Log", member.name)));
    let event = told.map(|at| (at, format!("engine: health_status event of {}", member.name)));
    if let Some(earliest) = log.into_iter().chain(event).min() {
        return Ok(Some(earliest));
    }
    // No probe of the engine's own yet.
    let probed = probe::run(stack.engine, member, Duration::from_secs(30)).await?;
    let now = Timestamp::now();
    Ok(probed
        .filter(probe::Probed::passed)
        .map(|_| (now, format!("exec in {}: health command", member.name))))
}

fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|at: &Timestamp| at.as_second() > 0)
}
