use std::{
    collections::BTreeMap,
    sync::PoisonError,
    time::{Duration, Instant},
};

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::{Group, Workload},
    front::{self, Front, Source},
    memory, quantity,
    smoke::{Check, Expect, Runner, SmokeFile, Verdict},
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

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let expected = match stack.options.budgets.memory {
        Some(budget) => format!("at most {} in all", quantity::bytes(budget)),
        None => "the sum is within a budget".to_owned(),
    };
    let all = front::fronts(stack).await;
    let fronts = all.for_smoke(stack.options.smoke_front.as_deref());
    if fronts.is_empty() {
        let why = "nothing that is published speaks HTTP: there is nothing to put load on; memory-idle measures the rest";
        return Ok(vec![Outcome::not_applicable("stack", expected, why)]);
    }
    if let Err(why) = memory::sample(stack) {
        return Ok(vec![Outcome::not_checked("stack", expected, why)]);
    }
    let pages;
    let file = match &stack.options.smoke {
        Some(file) if !file.checks.is_empty() => file,
        // Without checks of the application its front is asked for its own pages.
        _ => {
            pages = checks_of_pages(fronts[0]);
            &pages
        }
    };
    if file.checks.is_empty() {
        let why = "the project has no smoke checks, and its front answers nothing without an error";
        return Ok(vec![Outcome::not_checked("stack", expected, why)]);
    }
    let (load, highest, unread) = put_load(stack, file, &fronts).await;
    let workload = &load.workload;
    let shape =
        format!("{} requests, {} at a time, for {:.1} s", workload.requests, WORKERS, workload.seconds);
    *stack.workload.lock().unwrap_or_else(PoisonError::into_inner) = workload.clone();
    let memory = match stack.options.budgets.memory {
        None => Outcome::not_applicable("stack", expected, "plimsoll.toml has no budgets.memory"),
        Some(budget) => {
            let mut observed = format!("at most {} under {shape}", quantity::bytes(highest.total()));
            // What was not read may have been more.
            if let Some(why) = &unread {
                observed += &format!("; a reading failed: {why}");
            }
            Outcome::new("stack", expected)
                .judge(highest.total() <= budget && unread.is_none(), observed)
                .all_evidence(highest.evidence())
        }
    };
    let answers = Outcome::new("smoke load", "every request is answered as its smoke check says");
    let failed = load.failures.len();
    let observed = format!("{failed} unexpected answers to {shape}");
    let lines = load.failures.into_iter().take(5).map(|(check, what)| (format!("smoke check {check}"), what));
    Ok(vec![memory, answers.judge(failed == 0 && workload.requests > 0, observed).all_evidence(lines)])
}

/// The pages of a front that are there, as checks.
fn checks_of_pages(front: &Front) -> SmokeFile {
    let there = front.pages.iter().filter(|page| page.method == "GET" && page.answer.status == 200);
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

async fn put_load(
    stack: &Stack<'_>,
    file: &SmokeFile,
    fronts: &[&Front],
) -> (Load, memory::Sample, Option<String>) {
    // A stream holds its connection for seconds, and what is asked inside a container is no load on the front.
    let checks: Vec<&Check> = file.checks.iter().filter(|check| check.is_load()).collect();
    // A value that only those would capture is missing to others.
    let all = checks.len() == file.checks.iter().filter(|check| check.at.is_none()).count();
    let (begin, limit) = (Instant::now(), stack.options.load);
    let work = async {
        let rounds = (0..WORKERS.max(fronts.len()))
            .map(|worker| rounds(stack, (&checks, all), fronts[worker % fronts.len()], begin, limit));
        futures_util::future::join_all(rounds).await
    };
    let watch = async {
        let (mut highest, mut unread) = (memory::Sample::default(), None);
        while begin.elapsed() < limit {
            match memory::sample(stack) {
                Ok(sample) if sample.total() > highest.total() => highest = sample,
                Ok(_) => {}
                Err(why) => unread = Some(why),
            }
            tokio::time::sleep(PAUSE).await;
        }
        (highest, unread)
    };
    let (done, (highest, unread)) = tokio::join!(work, watch);
    let requests = done.iter().map(|(requests, _)| requests).sum();
    let failures = done.into_iter().flat_map(|(_, failures)| failures).collect();
    let seconds = begin.elapsed().as_secs_f64();
    let workload = Workload { requests, routes: checks.len(), concurrency: WORKERS, seconds };
    (Load { workload, failures }, highest, unread)
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
                let (method, path) = check.request.split_once(' ').unwrap_or(("GET", &check.request));
                stack.seen.note(&front.subject, Source::Smoke, method, path, answer);
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
