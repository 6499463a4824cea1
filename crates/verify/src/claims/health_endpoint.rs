use std::time::{Duration, Instant};

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    front::{self, Front, Page, Role},
    http::Ask,
    stack::Stack,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "health-endpoint",
    title: "the front's health path is exact, typed once and not in the access log",
    group: Group::Http,
    requirements: &["R-075", "R-084"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// How much of the log is looked through for the request that was just made.
const LINES: u64 = 200;
/// How long an engine may take to read a line of output.
const LOG_DELAY: Duration = Duration::from_secs(3);

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let expected =
        "200; one Content-Type; the path with XYZ behind it is something else; the request is not logged";
    let fronts = front::fronts(stack).await;
    let mut outcomes = Vec::new();
    for front in fronts.all.iter().filter(|front| fronts.is_for_visitors(front)) {
        match front.page(Role::Health) {
            Some(health) => outcomes.push(of_front(stack, front, health, expected).await?),
            None => outcomes.push(Outcome::not_applicable(
                format!("{} health", front.subject),
                expected,
                "neither its health check nor a smoke check asks this port for a path of its own",
            )),
        }
    }
    if outcomes.is_empty() {
        let why = fronts.with_pages().err().unwrap_or_default();
        outcomes.push(Outcome::not_applicable("front", expected, why));
    }
    Ok(outcomes)
}

async fn of_front(
    stack: &Stack<'_>,
    front: &Front,
    health: &Page,
    expected: &str,
) -> Result<Outcome, MeasureError> {
    let mut wrong = Vec::new();
    if health.answer.status != 200 {
        wrong.push(format!("status {}", health.answer.status));
    }
    let types = health.answer.headers.get_all("content-type").iter().count();
    if types != 1 {
        wrong.push(format!("{types} Content-Type headers"));
    }
    if answers_as_prefix(front, health).await? {
        wrong.push(format!("{}XYZ answers the same", health.path));
    }
    let logged = is_logged(stack, front, health).await?;
    if logged {
        wrong.push("the request is in the access log".to_owned());
    }
    let observed = if wrong.is_empty() { "as expected".to_owned() } else { wrong.join("; ") };
    let kind = health.answer.header("content-type").unwrap_or_default();
    let value = format!(
        "{} {kind} {:?}",
        health.answer.status,
        health.answer.text().chars().take(80).collect::<String>()
    );
    Ok(Outcome::new(front.about(health), expected)
        .judge(wrong.is_empty(), observed)
        .evidence(front.source(health), value)
        .evidence(
            format!("last {LINES} log lines of {}", front.member),
            if logged { "found" } else { "not found" },
        ))
}

async fn answers_as_prefix(front: &Front, health: &Page) -> Result<bool, MeasureError> {
    let path = format!("{}XYZ", health.path);
    let other = front.endpoint.send(&Ask::get(&path)).await;
    let other = other.map_err(|error| MeasureError::Other(format!("GET {path}: {error}")))?;
    Ok(other.status == 200 && other.body == health.answer.body)
}

/// Makes two requests that can be told from all others, and looks for them in the front's log: once the second, an
/// ordinary one, is there, the first would be there too. A front that logs no requests at all is waited for in vain.
async fn is_logged(stack: &Stack<'_>, front: &Front, health: &Page) -> Result<bool, MeasureError> {
    let mark = format!("plimsoll-{}-{}", std::process::id(), jiff::Timestamp::now().as_nanosecond());
    for path in [format!("{}?{mark}-health", health.path), format!("/?{mark}-page")] {
        let asked = front.endpoint.send(&Ask::get(&path)).await;
        asked.map_err(|error| MeasureError::Other(format!("GET {path}: {error}")))?;
    }
    let begin = Instant::now();
    loop {
        let lines = stack.engine.last_lines(&front.container, LINES).await?;
        let has = |mark: String| lines.iter().any(|line| line.text.contains(&mark));
        if has(format!("{mark}-health")) {
            return Ok(true);
        }
        if has(format!("{mark}-page")) || begin.elapsed() > LOG_DELAY {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
