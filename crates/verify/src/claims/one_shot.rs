use jiff::Timestamp;
use plimsoll_engine::{Event, RunState};

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    declared,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "one-shot",
    title: "one-shot services ended successfully, once, before what needs them",
    group: Group::Lifecycle,
    requirements: &["R-085", "R-088", "R-130"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let jobs: Vec<&String> = stack.project.services.keys().filter(|name| stack.is_job(name)).collect();
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let events = stack.events().await?;
    Ok(jobs.into_iter().map(|name| of_job(stack, name, &events)).collect())
}

fn of_job(stack: &Stack<'_>, name: &str, events: &[Event]) -> Outcome {
    let outcome = Outcome::new(name, "exit code 0, never restarted, ended before its dependents started");
    let wanted = stack.project.services.get(name).map_or(1, declared::replicas);
    let containers: Vec<&Member> = stack.of_the_file().filter(|member| member.service == name).collect();
    if containers.is_empty() {
        return match wanted {
            0 => outcome.judge(true, "none is wanted, and there is none"),
            _ => outcome.judge(false, "there is no container of it"),
        };
    }
    let mut wrong = Vec::new();
    let mut unknown = Vec::new();
    let mut observed = Vec::new();
    let mut evidence = Vec::new();
    for member in containers {
        let detail = &member.detail;
        let said =
            format!("{} with code {}, {} restarts", detail.state.as_str(), detail.exit_code, detail.restarts);
        if detail.state == RunState::Exited && detail.exit_code == 0 && detail.restarts == 0 {
            observed.push(said);
        } else {
            wrong.push(said);
        }
        evidence.push((
            format!("engine: container {} State", member.name),
            format!("started {}, finished {}", detail.started, detail.finished),
        ));
        for (dependent, start) in starts(stack, name, events) {
            match order(stack, name, member, start, events) {
                Order::After => {}
                Order::During => wrong.push(format!("{dependent} started before it ended")),
                Order::Before => unknown.push(dependent),
            }
        }
    }
    unknown.dedup();
    wrong.dedup();
    if !wrong.is_empty() {
        return outcome.judge(false, wrong.join("; ")).all_evidence(evidence);
    }
    if !unknown.is_empty() {
        let why = format!(
            "{}; it ran again after {} started, and nothing is left of the run before: neither `up` nor the engine remembers one",
            observed.join("; "),
            unknown.join(", ")
        );
        return Outcome { observed: why, ..outcome }.all_evidence(evidence);
    }
    outcome.judge(true, observed.join("; ")).all_evidence(evidence)
}

/// The known starts of what waits for the job: the current ones, and those that the engine remembers.
fn starts(stack: &Stack<'_>, job: &str, events: &[Event]) -> Vec<(String, Timestamp)> {
    let waiting = stack
        .of_the_file()
        .filter(|other| stack.declared(other).is_some_and(|service| service.depends_on.contains_key(job)));
    let mut starts = Vec::new();
    for other in waiting {
        let remembered = events.iter().filter(|event| event.id == other.id() && event.action == "start");
        let remembered = remembered.filter_map(|event| Timestamp::from_nanosecond(event.time.into()).ok());
        let now = timestamp(&other.detail.started);
        starts.extend(now.into_iter().chain(remembered).map(|at| (other.service.clone(), at)));
    }
    starts
}

enum Order {
    /// A run had succeeded before.
    After,
    /// The run that had to end first was under way.
    During,
    /// Before the run that is known; whether there was one before that is not.
    Before,
}

/// Where a start stands among the runs of a job. Times of now say nothing of an order of then: a job that ran again
/// later has not violated anything if an earlier run had succeeded.
fn order(stack: &Stack<'_>, job: &str, member: &Member, start: Timestamp, events: &[Event]) -> Order {
    let succeeded = |at: Option<Timestamp>| at.is_some_and(|at| at <= start);
    let kept = stack.options.completed.get(job).into_iter().flatten();
    if kept.map(|at| timestamp(at)).any(succeeded) {
        return Order::After;
    }
    let remembered = events.iter().filter(|event| {
        event.action == "die"
            && event.exit_code() == Some(0)
            && event.attributes.get("com.docker.compose.service").is_some_and(|service| service == job)
    });
    if remembered.map(|event| Timestamp::from_nanosecond(event.time.into()).ok()).any(succeeded) {
        return Order::After;
    }
    let detail = &member.detail;
    if detail.exit_code == 0 && succeeded(timestamp(&detail.finished)) {
        return Order::After;
    }
    // The container of the run was there, or running, when the other one started, and had not succeeded.
    let begun = timestamp(&detail.started).is_some_and(|at| at <= start);
    let made = timestamp(member.text("/Created")).is_some_and(|at| at <= start);
    let first_run = !events.iter().any(|event| {
        let at = Timestamp::from_nanosecond(event.time.into()).ok();
        event.id == member.id() && event.action == "start" && at.is_some_and(|at| at <= start)
    });
    if begun || (made && first_run && remembers(events, member)) { Order::During } else { Order::Before }
}

/// Whether the engine still remembers how a container was made: then it remembers all of its runs.
fn remembers(events: &[Event], member: &Member) -> bool {
    events.iter().any(|event| event.id == member.id() && event.action == "create")
}

fn timestamp(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|at: &Timestamp| at.as_second() > 0)
}
