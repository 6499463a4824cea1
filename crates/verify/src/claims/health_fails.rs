use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures_util::future::{join_all, try_join_all};
use plimsoll_compose::Service;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    probe, quantity,
    stack::{Member, Stack},
    stores::{self, Need},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "health-fails",
    title: "the health check fails while the service itself or a store that it needs is stopped, and passes again after",
    group: Group::Lifecycle,
    requirements: &["R-080", "R-083", "R-084", "R-085"],
    disturbs: true,
    measure: |stack| Box::pin(measure(stack)),
};

const RECOVERY: Duration = Duration::from_mins(1);
/// A check that has not failed after this time does not see that its service is stopped.
const PATIENCE: Duration = Duration::from_secs(50);

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let mut outcomes = Vec::new();
    for (member, _) in stack.lasting() {
        outcomes.push(itself(stack, member).await?);
    }
    let mut stores: BTreeMap<&str, (String, Vec<&Member>)> = BTreeMap::new();
    for (member, _) in stack.lasting() {
        if let Some(why) = stores::is_store(stack, member) {
            stores.entry(&member.service).or_insert_with(|| (why, Vec::new())).1.push(member);
        }
    }
    for (store, (why, containers)) in &stores {
        outcomes.extend(of_store(stack, store, why, containers).await?);
    }
    outcomes.extend(of_others(stack));
    if stores.is_empty() {
        let expected = "the health check of a service fails while a store that it needs is paused";
        let why = "no container is a store: by image, process, port or data volume";
        outcomes.push(Outcome::not_applicable("stack", expected, why));
    }
    Ok(outcomes)
}

/// A check that passes while every process of its own service is stopped looks at something else, or at nothing.
async fn itself(stack: &Stack<'_>, member: &Member) -> Result<Outcome, MeasureError> {
    let outcome = Outcome::new(
        format!("{} itself", member.subject),
        "passes, fails while its own processes are stopped, passes again",
    );
    if let Err(why) = stack.visible_pid(member) {
        return Ok(Outcome { observed: why, ..outcome });
    }
    let Some(before) = probe::run(stack.engine, member, probe::limit(member)).await? else {
        return Ok(outcome.judge(false, "it has no health check"));
    };
    let stopped = stack.disturbances.halt(member.id());
    let during = until_noticed(stack, member).await;
    // Before anything else, whatever the probe said.
    stack.disturbances.resume(member.id())?;
    let (count, during) = (stopped?, during?);
    let during = during.ok_or_else(|| MeasureError::Other("the health check is gone".to_owned()))?;
    let after = Recovery::of(probe::until_healthy(stack.engine, member, RECOVERY).await);
    let holds = before.passed() && !during.passed() && after.recovered;
    let observed = format!(
        "{} before, {} while {count} processes were stopped, {}",
        word(before.passed()),
        word(during.passed()),
        after.words
    );
    let exec = format!("exec in {}: {}", member.name, probe::command(member).unwrap_or_default().join(" "));
    Ok(outcome
        .judge(holds, observed)
        .evidence(exec.clone(), before.line())
        .evidence(format!("SIGSTOP to its {count} processes; {exec}"), during.line())
        .evidence(format!("SIGCONT; {exec}"), after.words))
}

/// Asks again until the check fails, at most as long as the engine would need to notice: a check of a heartbeat's age is
/// right to fail a little later.
async fn until_noticed(
    stack: &Stack<'_>,
    member: &Member,
) -> Result<Option<probe::Probed>, plimsoll_engine::EngineError> {
    let begun = Instant::now();
    let patience = probe::settings(member).notices_after().min(PATIENCE);
    loop {
        let probed = probe::run(stack.engine, member, probe::limit(member)).await;
        let passed = matches!(&probed, Ok(Some(probed)) if probed.passed());
        if !passed || begun.elapsed() >= patience {
            return probed;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Everybody who needs a store is asked while it is paused, all of its containers at once.
async fn of_store(
    stack: &Stack<'_>,
    store: &str,
    why: &str,
    containers: &[&Member],
) -> Result<Vec<Outcome>, MeasureError> {
    let needing: Vec<(&Member, Need)> = stack
        .lasting()
        .filter(|(member, _)| member.service != store)
        .filter_map(|(member, service)| Some((member, needs(stack, member, service, store, containers)?)))
        .collect();
    if needing.is_empty() {
        let expected = "the health check of who needs it fails while it is paused";
        let why = format!("{why}, and no service is seen to need it");
        return Ok(vec![Outcome::not_checked(format!("anybody without {store}"), expected, why)]);
    }
    let ask = |member| probe::run(stack.engine, member, probe::limit(member));
    let before = try_join_all(needing.iter().map(|(member, _)| ask(member))).await?;
    let mut paused = Ok(());
    for container in containers {
        paused = stack.disturbances.pause(container.id()).await;
        if paused.is_err() {
            break;
        }
    }
    let during = join_all(needing.iter().map(|(member, _)| ask(member))).await;
    // Before anything else, whatever the probes said.
    for container in containers {
        let back = stack.disturbances.unpause(container.id()).await;
        if paused.is_ok() {
            back?;
        }
    }
    paused?;
    let recovered =
        join_all(needing.iter().map(|(member, _)| probe::until_healthy(stack.engine, member, RECOVERY)))
            .await;
    let mut outcomes = Vec::new();
    for (((member, need), before), (during, recovered)) in
        needing.into_iter().zip(before).zip(during.into_iter().zip(recovered))
    {
        let outcome = Outcome::new(
            format!("{} without {store}", member.subject),
            "passes, fails while it is paused, passes again",
        )
        .evidence(format!("{store} is a store"), why)
        .evidence(format!("{} needs it", member.name), need.words());
        let (Some(before), Some(during)) = (before, during?) else {
            outcomes.push(outcome.judge(false, format!("{} has no health check", member.service)));
            continue;
        };
        let after = Recovery::of(recovered);
        let observed = format!(
            "{} before, {} while {store} was paused, {}",
            word(before.passed()),
            word(during.passed()),
            after.words
        );
        let exec =
            format!("exec in {}: {}", member.name, probe::command(member).unwrap_or_default().join(" "));
        let outcome = outcome
            .evidence(exec.clone(), before.line())
            .evidence(format!("docker pause {store}; {exec}"), during.line())
            .evidence(format!("docker unpause {store}; {exec}"), after.words.clone());
        outcomes.push(if need == Need::Named && before.passed() && during.passed() && after.recovered {
            // A name in a variable is no use yet.
            let why = format!("{observed}; it names {store}, and is not seen to use it");
            Outcome { observed: why, ..outcome }
        } else {
            outcome.judge(before.passed() && !during.passed() && after.recovered, observed)
        });
    }
    Ok(outcomes)
}

/// Directly, or through a store that passes its work on (a connection pool): who needs that needs what is behind it.
fn needs(
    stack: &Stack<'_>,
    member: &Member,
    service: &Service,
    store: &str,
    containers: &[&Member],
) -> Option<Need> {
    let direct = stores::need(stack, member, service, store, containers);
    if direct.is_some() {
        return direct;
    }
    stack
        .lasting()
        .filter(|(between, _)| between.service != store && between.service != member.service)
        .filter(|(between, _)| stores::is_store(stack, between).is_some())
        .filter(|(between, other)| stores::need(stack, between, other, store, containers).is_some())
        .find_map(|(between, _)| stores::need(stack, member, service, &between.service, &[between]))
}

/// Stores of others that a service is connected to: they are not ours to pause, and not to be passed over in silence.
fn of_others(stack: &Stack<'_>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for stranger in
        stack.strangers.iter().filter(|stranger| stores::is_store(stack, &stranger.member).is_some())
    {
        for (member, service) in stack.lasting() {
            let need = stores::need(stack, member, service, &stranger.member.name, &[&stranger.member]);
            if let Some(need) = need {
                outcomes.push(Outcome::not_checked(
                    format!("{} without {}", member.subject, stranger.member.name),
                    "fails while it is paused",
                    format!("it {} and belongs to somebody else: it is not paused", need.words()),
                ));
            }
        }
    }
    outcomes
}

/// What came after.
struct Recovery {
    recovered: bool,
    words: String,
}

impl Recovery {
    fn of(result: Result<Duration, String>) -> Self {
        let words = match &result {
            Ok(time) => format!("again after {}", quantity::seconds(*time)),
            Err(said) => format!("not again in {} s: {said}", RECOVERY.as_secs()),
        };
        Self { recovered: result.is_ok(), words }
    }
}

fn word(passed: bool) -> &'static str {
    if passed { "passes" } else { "fails" }
}
