use std::time::Duration;

use jiff::Timestamp;
use plimsoll_engine::Event;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
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
        format!(
            "every service healthy at most {} after the `up` that started it began",
            quantity::seconds(budget)
        ),
    );
    let events = stack.events().await?;
    let mut slowest: Option<(Duration, &Member, Known)> = None;
    let mut wrong = Vec::new();
    let mut evidence = Vec::new();
    for (member, _) in stack.lasting() {
        let Some(known) = known(stack, member, &events).await? else {
            wrong.push(format!("{} has no health check that passes", member.service));
            continue;
        };
        let took = Duration::try_from(known.healthy.duration_since(known.begin)).unwrap_or_default();
        evidence.push((
            known.source.clone(),
            format!("{}: begun {}, healthy {}", member.name, known.begin, known.healthy),
        ));
        if took > budget && !known.exact {
            // An unknown time must not pass for one that was kept.
            wrong.push(format!(
                "{}: only at most {} is known, `up` did not start it and the engine has forgotten",
                member.name,
                quantity::seconds(took)
            ));
        } else if took > budget {
            wrong.push(format!("{} after {}", member.name, quantity::seconds(took)));
        }
        if slowest.as_ref().is_none_or(|(most, ..)| took > *most) {
            slowest = Some((took, member, known));
        }
    }
    let observed = match &slowest {
        _ if !wrong.is_empty() => wrong.join("; "),
        Some((took, member, known)) => {
            let most = if known.exact { "" } else { "at most " };
            format!("{most}{}, the last one is {}", quantity::seconds(*took), member.name)
        }
        None => "no service runs".to_owned(),
    };
    Ok(vec![outcome.judge(wrong.is_empty() && slowest.is_some(), observed).all_evidence(evidence)])
}

/// What is known of a start.
struct Known {
    begin: Timestamp,
    healthy: Timestamp,
    /// False if it may have been earlier.
    exact: bool,
    source: String,
}

async fn known(stack: &Stack<'_>, member: &Member, events: &[Event]) -> Result<Option<Known>, MeasureError> {
    if let Some((begin, healthy)) = stack.options.starts.get(member.id())
        && let (Some(begin), Some(healthy)) = (parse(begin), parse(healthy))
    {
        return Ok(Some(Known {
            begin,
            healthy,
            exact: true,
            source: "what `plimsoll up` measured".to_owned(),
        }));
    }
    let Some(begin) = parse(&member.detail.started) else { return Ok(None) };
    let probes = &member.detail.probes;
    let passed = probes.iter().position(|probe| probe.exit_code == 0);
    let log =
        passed.and_then(|at| Some((parse(&probes.get(at)?.ended)?, at > 0 || probes.len() < REMEMBERED)));
    let event = events
        .iter()
        .filter(|event| event.id == member.id() && event.action.ends_with(": healthy"))
        .filter_map(|event| Timestamp::from_nanosecond(event.time.into()).ok())
        .find(|at| *at >= begin);
    if let Some(healthy) = event {
        // The engine tells of it once after a start.
        let source = format!("engine: health_status event of {}", member.name);
        return Ok(Some(Known { begin, healthy, exact: true, source }));
    }
    if let Some((healthy, exact)) = log {
        let source = format!("engine: container {} State.Health.Log", member.name);
        return Ok(Some(Known { begin, healthy, exact, source }));
    }
    // No probe of the engine's own yet.
    let probed = probe::run(stack.engine, member, probe::limit(member)).await?;
    let source = format!("exec in {}: health command", member.name);
    Ok(probed.filter(probe::Probed::passed).map(|_| Known {
        begin,
        healthy: Timestamp::now(),
        exact: false,
        source,
    }))
}

fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|at: &Timestamp| at.as_second() > 0)
}
