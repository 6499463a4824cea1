//! What a container has written since its start.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use plimsoll_engine::{EngineError, LogOptions};

use crate::stack::{Member, Stack};

/// So many lines are read, the newest. A service that keeps to 250 MB of log has less than that many of usual length.
pub(crate) const MAX_LINES: u64 = 2_000_000;

/// A log without a new line for so long has arrived.
const QUIET: jiff::SignedDuration = jiff::SignedDuration::from_millis(300);

/// A log that never rests is read as it is after this time.
const SETTLE: Duration = Duration::from_secs(5);

/// Waits until nothing more arrives, for at most [`SETTLE`]. What a program wrote lies in pipes and in the engine's
/// buffer (1 MB) until the engine has written it: after many lines at once, the newest are seconds late.
pub(crate) async fn settle(stack: &Stack<'_>, member: &Member) {
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

/// Hands over the newest lines since the container was started, and tells how many there were; [`MAX_LINES`] means that
/// older ones were not read. The start is the one that was seen at the beginning of the measurement: what the restarts
/// of `graceful-stop` brought belongs to it.
pub(crate) async fn read(
    stack: &Stack<'_>,
    member: &Member,
    mut each: impl FnMut(&str),
) -> Result<u64, EngineError> {
    let begin = begin(&member.detail.started, &member.detail.finished);
    let options = LogOptions {
        since: begin.map_or(0, jiff::Timestamp::as_second),
        // From the end: the oldest lines are the ones to leave out.
        tail: Some(MAX_LINES),
        ..LogOptions::default()
    };
    let mut lines = 0;
    let mut log = stack.engine.logs(member.id(), &options);
    while let Some(line) = log.next().await {
        let line = line?;
        // `since` knows whole seconds: the end of an earlier life may be in the first one.
        if begin.zip(line.time.parse::<jiff::Timestamp>().ok()).is_some_and(|(begin, at)| at <= begin) {
            continue;
        }
        lines += 1;
        each(&line.text);
    }
    Ok(lines)
}

/// The command that shows the same lines to a person.
pub(crate) fn command(member: &Member) -> String {
    format!("docker logs --since {} {}", member.detail.started, member.name)
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
