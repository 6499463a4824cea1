use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use plimsoll_engine::LogOptions;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::{Group, Status},
    refusal,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "no-write-errors",
    title: "no log line tells of a refused write or a missing permission",
    group: Group::Records,
    requirements: &["R-042", "R-172"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// So many lines are read, the newest. A service that keeps to 250 MB of log has less than that many of usual length.
const MAX_LINES: u64 = 2_000_000;
const SHOWN: usize = 5;

/// A log without a new line for so long has arrived.
const QUIET: jiff::SignedDuration = jiff::SignedDuration::from_millis(300);

/// A log that never rests is read as it is after this time.
const SETTLE: Duration = Duration::from_secs(5);

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    futures_util::future::join_all(stack.members.iter().map(|member| settle(stack, member))).await;
    let mut outcomes = Vec::new();
    for member in &stack.members {
        outcomes.push(of_member(stack, member).await?);
    }
    Ok(outcomes)
}

/// Waits until nothing more arrives, for at most [`SETTLE`]. What a program wrote lies in pipes and in the engine's
/// buffer (1 MB) until the engine has written it: after many lines at once, the newest are seconds late.
async fn settle(stack: &Stack<'_>, member: &Member) {
    let begun = Instant::now();
    while begun.elapsed() < SETTLE {
        let Ok(newest) = stack.engine.last_lines(member.id(), 1).await else { return };
        let newest = newest.last().and_then(|line| line.time.parse::<jiff::Timestamp>().ok());
        let quiet = newest.is_none_or(|at| jiff::Timestamp::now().duration_since(at) > QUIET);
        if quiet {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn of_member(stack: &Stack<'_>, member: &Member) -> Result<Outcome, MeasureError> {
    let outcome = Outcome::new(
        &member.subject,
        "no line since its start in which a program reports EROFS or EACCES (\"Read-only file system\", \
         \"Permission denied\") of a file or a system call",
    );
    let read = match read(stack, member).await {
        Ok(read) => read,
        // Drivers that send logs elsewhere cannot be read.
        Err(error) if member.detail.pid == 0 && error.is_not_found() => {
            return Ok(Outcome::not_checked(&member.subject, outcome.expected, error.to_string()));
        }
        Err(error) => {
            let why = format!("its log cannot be read: {error}");
            return Ok(Outcome::not_checked(&member.subject, outcome.expected, why));
        }
    };
    let source = format!("docker logs --since {} {}", member.detail.started, member.name);
    let mut observed = format!("{} of {} lines", read.refusals, read.lines);
    let cut = read.lines >= MAX_LINES;
    if cut {
        observed = format!("{} of the last {} lines; older ones were not read", read.refusals, read.lines);
    }
    if read.quoted > 0 {
        observed +=
            &format!("; {} more have the words in what somebody sent, or of another permission", read.quoted);
    }
    let evidence: Vec<_> = match &read.shown {
        shown if shown.is_empty() => vec![(source, format!("{} lines, none reports one", read.lines))],
        shown => shown.iter().map(|line| (source.clone(), line.clone())).collect(),
    };
    let mut outcome = outcome.judge(read.refusals == 0, observed).all_evidence(evidence);
    if cut && read.refusals == 0 {
        // What was not read is not proved.
        outcome.status = Status::NotChecked;
    }
    Ok(outcome)
}

/// What a log holds since the start of its container.
#[derive(Default)]
struct Read {
    lines: u64,
    refusals: u64,
    /// Lines with the words that are no refusals.
    quoted: u64,
    /// The newest refusals.
    shown: VecDeque<String>,
}

/// Reads the newest lines since the container was started. The start is the one that was seen at the beginning of the
/// measurement: what the restarts of `graceful-stop` brought belongs to it.
async fn read(stack: &Stack<'_>, member: &Member) -> Result<Read, plimsoll_engine::EngineError> {
    let begin = begin(&member.detail.started, &member.detail.finished);
    let options = LogOptions {
        since: begin.map_or(0, jiff::Timestamp::as_second),
        // From the end: the oldest lines are the ones to leave out.
        tail: Some(MAX_LINES),
        ..LogOptions::default()
    };
    let mut read = Read::default();
    let mut log = stack.engine.logs(member.id(), &options);
    while let Some(line) = log.next().await {
        let line = line?;
        // `since` knows whole seconds: the end of an earlier life may be in the first one.
        if begin.zip(line.time.parse::<jiff::Timestamp>().ok()).is_some_and(|(begin, at)| at <= begin) {
            continue;
        }
        read.lines += 1;
        if refusal::is_refusal(&line.text) {
            read.refusals += 1;
            read.shown.push_back(line.text.chars().take(300).collect());
            if read.shown.len() > SHOWN {
                read.shown.pop_front();
            }
        } else if refusal::mentions(&line.text) {
            read.quoted += 1;
        }
    }
    Ok(read)
}

/// When this life of a container began to write, if it had an earlier one. The engine notes the start only after the
/// program runs: its first lines have an earlier time. The end of the earlier life is the better border.
fn begin(started: &str, finished: &str) -> Option<jiff::Timestamp> {
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok().filter(|at| at.as_second() > 0);
    let started = time(started)?;
    match time(finished) {
        // it has not ended yet
        None => None,
        Some(finished) if finished < started => Some(finished),
        // its own end: the earlier life's is not known any more
        Some(_) => Some(started - jiff::SignedDuration::from_secs(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_begins_after_the_end_of_the_one_before() {
        let (zero, first, second) =
            ("0001-01-01T00:00:00Z", "2026-11-30T06:00:05.5Z", "2026-11-30T06:00:07.5Z");
        assert_eq!(begin(first, zero), None);
        assert_eq!(begin(second, first), first.parse().ok());
        assert_eq!(begin(first, second), "2026-11-30T06:00:04.5Z".parse().ok());
        assert_eq!(begin(zero, zero), None);
    }
}
