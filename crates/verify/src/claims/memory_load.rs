use std::{
    collections::BTreeMap,
    sync::PoisonError,
    time::{Duration, Instant},
};

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::{Group, Workload},
    front::{self, Asked, Front, Role, Source},
    memory, quantity,
    smoke::{Check, Expect, Runner, SmokeFile, Verdict},
    spread,
    stack::Stack,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "memory-load",
    title: "all containers together keep to the memory budget under the smoke load",
    group: Group::Resources,
    requirements: &["R-054", "R-055"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// Rounds through the smoke checks that run at the same time.
const WORKERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(100);
/// Between two looks at connections: ended ones are remembered for a minute.
const LOOK: Duration = Duration::from_millis(500);

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let budget = stack.options.budgets.memory;
    let expected = match budget {
        Some(budget) => format!("at most {} in all", quantity::bytes(budget)),
        None => "the sum is within a budget".to_owned(),
    };
    let all = front::fronts(stack).await;
    let fronts = all.for_smoke(stack.options.smoke_front.as_deref());
    if fronts.is_empty() {
        let why = "nothing that is published speaks HTTP: there is nothing to put load on";
        return Ok(vec![match budget {
            Some(budget) => without_load(stack, budget, expected, why).await,
            None => {
                let why = format!("{why}; memory-idle measures the rest");
                Outcome::not_applicable("stack", expected, why)
            }
        }]);
    }
    if let Err(why) = memory::sample(stack) {
        return Ok(vec![match budget {
            // Whoever set a budget must not take it for kept.
            Some(_) => Outcome::new("stack", expected).judge(false, format!("not known: {why}")),
            None => Outcome::not_checked("stack", expected, why),
        }]);
    }
    let pages;
    let file = match &stack.options.smoke {
        Some(file) if file.checks.iter().any(Check::is_load) => file,
        // Without checks that can be sent again and again its front is asked for its own pages.
        _ => {
            pages = checks_of_pages(fronts[0]);
            &pages
        }
    };
    if file.checks.is_empty() {
        let why =
            "no smoke check can be sent again and again, and the front answers nothing without an error";
        return Ok(vec![match budget {
            Some(budget) => without_load(stack, budget, expected, why).await,
            None => Outcome::not_checked("stack", expected, why),
        }]);
    }
    let (load, watched) = put_load(stack, file, &fronts).await;
    let workload = &load.workload;
    let shape =
        format!("{} requests, {} at a time, for {:.1} s", workload.requests, WORKERS, workload.seconds);
    *stack.workload.lock().unwrap_or_else(PoisonError::into_inner) = workload.clone();
    let memory = match budget {
        None => Outcome::not_applicable("stack", expected, "plimsoll.toml has no budgets.memory"),
        Some(budget) => watched.against(budget, expected, &format!("under {shape}")),
    };
    let answers = Outcome::new("smoke load", "every request is answered as its smoke check says");
    let failed = load.failures.len();
    let observed = format!("{failed} unexpected answers to {shape}");
    let lines = load.failures.into_iter().take(5).map(|(check, what)| (format!("smoke check {check}"), what));
    Ok(vec![memory, answers.judge(failed == 0 && workload.requests > 0, observed).all_evidence(lines)])
}

/// Where nothing can be asked, the budget is held against what is used without being asked: more there is not to know.
async fn without_load(stack: &Stack<'_>, budget: u64, expected: String, why: &str) -> Outcome {
    let limit = stack.options.load;
    let how = format!("in {} without load: {why}", quantity::seconds(limit));
    watch(stack, Instant::now(), limit).await.against(budget, expected, &how)
}

/// The highest of many readings, and why one failed.
#[derive(Debug, Default)]
struct Watched {
    highest: memory::Sample,
    unread: Option<String>,
}

impl Watched {
    fn against(&self, budget: u64, expected: String, how: &str) -> Outcome {
        let mut observed = format!("at most {} {how}", quantity::bytes(self.highest.total()));
        // What was not read may have been more.
        match &self.unread {
            Some(why) if self.highest.total() == 0 => observed = format!("not known: {why}"),
            Some(why) => observed += &format!("; a reading failed: {why}"),
            None => {}
        }
        Outcome::new("stack", expected)
            .judge(self.highest.total() <= budget && self.unread.is_none(), observed)
            .all_evidence(self.highest.evidence())
    }
}

/// Reads again and again until the time is over, at least once.
async fn watch(stack: &Stack<'_>, begin: Instant, limit: Duration) -> Watched {
    let mut watched = Watched::default();
    loop {
        match memory::sample(stack) {
            Ok(sample) if sample.total() >= watched.highest.total() => watched.highest = sample,
            Ok(_) => {}
            Err(why) => watched.unread = Some(why),
        }
        if begin.elapsed() >= limit {
            return watched;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Looks at the connections of services with several containers until the time is over.
async fn watch_connections(mut connections: spread::Watch, begin: Instant, limit: Duration) -> spread::Watch {
    while connections.is_needed() && begin.elapsed() < limit {
        tokio::time::sleep(LOOK.min(limit.saturating_sub(begin.elapsed()))).await;
        connections.sample();
    }
    connections
}

/// The pages of a front that are there, as checks; not those that were asked for in another form.
fn checks_of_pages(front: &Front) -> SmokeFile {
    let there = front
        .pages
        .iter()
        .filter(|page| page.method == "GET" && page.answer.status == 200 && page.role != Role::Refused);
    let checks = there.map(|page| Check {
        name: page.path.clone(),
        request: format!("GET {}", page.path),
        json: None,
        headers: BTreeMap::new(),
        at: None,
        kill: None,
        restart: None,
        within: None,
        stream: false,
        during: None,
        expect: Expect { status: Some(200), ..Expect::default() },
        capture: BTreeMap::new(),
    });
    SmokeFile { checks: checks.take(20).collect() }
}

/// What the load came to.
struct Load {
    workload: Workload,
    failures: Vec<(String, String)>,
}

async fn put_load(stack: &Stack<'_>, file: &SmokeFile, fronts: &[&Front]) -> (Load, Watched) {
    // A stream holds its connection for seconds, and what is asked inside a container is no load on the front.
    let checks: Vec<&Check> = file.checks.iter().filter(|check| check.is_load()).collect();
    // A value that only those would capture is missing to others.
    let all = checks.len() == file.checks.iter().filter(|check| check.at.is_none()).count();
    let connections = spread::Watch::begin(stack);
    let (begin, limit) = (Instant::now(), stack.options.load);
    let work = async {
        let rounds = (0..WORKERS.max(fronts.len()))
            .map(|worker| rounds(stack, (&checks, all), fronts[worker % fronts.len()], begin, limit));
        futures_util::future::join_all(rounds).await
    };
    let connected = watch_connections(connections, begin, limit);
    let (done, watched, connections) = tokio::join!(work, watch(stack, begin, limit), connected);
    *stack.spread.lock().unwrap_or_else(PoisonError::into_inner) = Some(connections.end());
    let requests = done.iter().map(|(requests, _)| requests).sum();
    let failures = done.into_iter().flat_map(|(_, failures)| failures).collect();
    let seconds = begin.elapsed().as_secs_f64();
    let workload = Workload { requests, routes: checks.len(), concurrency: WORKERS, seconds };
    (Load { workload, failures }, watched)
}

/// Goes through the checks again and again until the time is over.
async fn rounds(
    stack: &Stack<'_>,
    (checks, all): (&[&Check], bool),
    front: &Front,
    begin: Instant,
    limit: Duration,
) -> (u64, Vec<(String, String)>) {
    let (mut requests, mut failures) = (0, Vec::new());
    while begin.elapsed() < limit {
        let mut runner = Runner::default();
        for check in checks {
            let judged = runner.check(check, &front.endpoint, &front.endpoint).await;
            if let Some(answer) = &judged.answer {
                stack.seen.note(&front.subject, Source::Smoke, Asked::of(check), answer);
            }
            let passed = match judged.verdict {
                Verdict::Passed(_) => true,
                Verdict::Missing(_) => !all,
                Verdict::Failed(_) => false,
            };
            if !passed {
                failures.push((check.name.clone(), judged.verdict.observed().to_owned()));
            }
        }
        requests += runner.requests;
    }
    (requests, failures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        certificate::Status,
        front::tests::{application, page},
    };

    #[test]
    fn a_reading_that_failed_is_no_proof() {
        let of = |unread: Option<&str>| {
            let watched = Watched { unread: unread.map(str::to_owned), ..Watched::default() };
            watched.against(1000, "at most 1.0 kB in all".to_owned(), "under load")
        };
        assert_eq!(of(None).status, Status::Proved);
        let failed = of(Some("no such file"));
        assert_eq!(failed.status, Status::Failed);
        assert_eq!(failed.observed, "not known: no such file");
    }

    #[test]
    fn what_is_asked_again_is_there_in_its_usual_form() {
        let front = application(vec![
            page(Role::FrontPage, "GET", "/", 200),
            page(Role::Refused, "GET", "/ without Host", 200),
            page(Role::Refused, "HEAD", "/", 200),
            page(Role::MissingFile, "GET", "/missing.js", 404),
        ]);
        let asked: Vec<String> =
            checks_of_pages(&front).checks.into_iter().map(|check| check.request).collect();
        assert_eq!(asked, ["GET /"]);
    }
}
