use std::time::{Duration, Instant};

use plimsoll_engine::{EngineError, LogLine};

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::{Group, Status},
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

/// How much of the log is looked through for the request that was just made, and how much where more has come since.
const LINES: u64 = 200;
const MOST_LINES: u64 = 100_000;
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
    let logged = logged(stack, front, health).await?;
    if logged == Logged::Yes {
        wrong.push("the request is in the access log".to_owned());
    }
    let observed = if wrong.is_empty() { "as expected".to_owned() } else { wrong.join("; ") };
    let kind = health.answer.header("content-type").unwrap_or_default();
    let value = format!(
        "{} {kind} {:?}",
        health.answer.status,
        health.answer.text().chars().take(80).collect::<String>()
    );
    let outcome = Outcome::new(front.about(health), expected)
        .judge(wrong.is_empty(), observed)
        .evidence(front.source(health), value)
        .evidence(format!("log lines of {} since the request", front.member), logged.words());
    Ok(match logged {
        // What was not read is not proved.
        Logged::Unknown(why) if wrong.is_empty() => {
            Outcome { status: Status::NotChecked, observed: why, ..outcome }
        }
        _ => outcome,
    })
}

/// Whether the log has the request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Logged {
    Yes,
    No,
    /// Why that is not known.
    Unknown(String),
}

impl Logged {
    fn words(&self) -> &str {
        match self {
            Self::Yes => "found",
            Self::No => "not found",
            Self::Unknown(why) => why,
        }
    }
}

async fn answers_as_prefix(front: &Front, health: &Page) -> Result<bool, MeasureError> {
    let path = format!("{}XYZ", health.path);
    let other = front.endpoint.send(&Ask::get(&path)).await;
    let other = other.map_err(|error| MeasureError::Other(format!("GET {path}: {error}")))?;
    Ok(other.status == 200 && other.body == health.answer.body)
}

/// Makes two requests that can be told from all others, and looks for them in the front's log: once the second, an
/// ordinary one, is there, the first would be there too. A front that logs no requests at all is waited for in vain.
async fn logged(stack: &Stack<'_>, front: &Front, health: &Page) -> Result<Logged, MeasureError> {
    let unreadable =
        |error: EngineError| Logged::Unknown(format!("the log of {} cannot be read: {error}", front.member));
    let before = match stack.engine.last_lines(&front.container, 1).await {
        Ok(lines) => lines.into_iter().next_back().map(|line| line.time),
        Err(error) => return Ok(unreadable(error)),
    };
    let mark = format!("plimsoll-{}-{}", std::process::id(), jiff::Timestamp::now().as_nanosecond());
    for path in [format!("{}?{mark}-health", health.path), format!("/?{mark}-page")] {
        let asked = front.endpoint.send(&Ask::get(&path)).await;
        asked.map_err(|error| MeasureError::Other(format!("GET {path}: {error}")))?;
    }
    let begin = Instant::now();
    let mut bound = LINES;
    loop {
        let lines = match stack.engine.last_lines(&front.container, bound).await {
            Ok(lines) => lines,
            Err(error) => return Ok(unreadable(error)),
        };
        match look(&lines, before.as_deref(), &mark, bound) {
            Found::Health => return Ok(Logged::Yes),
            Found::Page => return Ok(Logged::No),
            Found::Cut if bound < MOST_LINES => {
                bound = MOST_LINES;
                continue;
            }
            Found::Cut => {
                let why =
                    "more lines came since the request than were kept and read, and it is in none of these";
                return Ok(Logged::Unknown(format!("{why} ({} lines)", lines.len())));
            }
            Found::Nothing if begin.elapsed() > LOG_DELAY => return Ok(Logged::No),
            Found::Nothing => {}
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What the newest lines of a log say of the two requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Health,
    /// The second one alone, and every line since.
    Page,
    /// Neither, and every line since.
    Nothing,
    /// Not the first one, and not every line since.
    Cut,
}

/// `before` is the time of the newest line before the requests; from `bound` lines on older ones were not read.
fn look(lines: &[LogLine], before: Option<&str>, mark: &str, bound: u64) -> Found {
    let has = |which: &str| {
        let mark = format!("{mark}-{which}");
        lines.iter().any(|line| line.text.contains(&mark))
    };
    let whole = match before {
        // Reached back to it. A log that was rotated meanwhile has fewer lines, and does not have this one.
        Some(before) => lines.iter().any(|line| line.time.as_str() <= before),
        None => (lines.len() as u64) < bound,
    };
    match (has("health"), whole, has("page")) {
        (true, ..) => Found::Health,
        (false, false, _) => Found::Cut,
        (false, true, true) => Found::Page,
        (false, true, false) => Found::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_engine::Stream;

    use super::*;

    fn lines(texts: &[(&str, &str)]) -> Vec<LogLine> {
        let line = |(time, text): &(&str, &str)| LogLine {
            time: (*time).to_owned(),
            stream: Stream::Stdout,
            text: (*text).to_owned(),
        };
        texts.iter().map(line).collect()
    }

    #[test]
    fn a_reading_that_was_cut_is_no_proof() {
        let (old, other) = (("1", "started"), ("2", "GET /"));
        let (health, page) = (("3", "GET /health?m-health"), ("4", "GET /?m-page"));
        let found = |texts: &[(&str, &str)], before| look(&lines(texts), before, "m", 3);
        assert_eq!(found(&[old, health, page], Some("1")), Found::Health);
        assert_eq!(found(&[health, page, other], Some("1")), Found::Health);
        assert_eq!(found(&[old, other, page], Some("1")), Found::Page);
        assert_eq!(found(&[old, other], Some("1")), Found::Nothing);
        // The line from before is not among them: the first request may have been older than these.
        assert_eq!(found(&[other, other, page], Some("1")), Found::Cut);
        assert_eq!(found(&[other], Some("1")), Found::Cut);
        // Nothing was there before.
        assert_eq!(found(&[other, page], None), Found::Page);
        assert_eq!(found(&[], None), Found::Nothing);
        assert_eq!(found(&[other, other, other], None), Found::Cut);
    }
}
