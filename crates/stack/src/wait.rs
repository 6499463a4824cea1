//! The gates: healthy, completed, stays up. They are woken by events and never poll the engine's state; only the
//! health command is run, every 250 ms, because an engine runs it for the first time after a whole interval.

use std::{future::Future, time::Duration};

use plimsoll_engine::{ContainerDetail, Engine, EngineError, ExecSpec, Health, HealthSpec, RunState};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    failure::{self, Evidence},
    hub::{Death, Hub},
    proved::Proved,
};

/// Between two of our own probes.
const PROBE_INTERVAL: Duration = Duration::from_millis(250);
/// Time limit of a probe that sets none: the engine's default.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// A container without a health check must survive this long.
const SETTLE: Duration = Duration::from_millis(500);
/// A container that was started again must live this long before a passing check counts.
const RECOVERED: Duration = Duration::from_secs(3);
/// So many ends of a container that is started again each time are a crash loop.
const CRASH_LOOP: usize = 3;
/// The shortest and the longest time that a health check is waited for when no limit is given.
const BUDGET: (Duration, Duration) = (Duration::from_mins(1), Duration::from_mins(15));

/// After so long without success a person is told what is waited for, and again after three times as long.
const FIRST_WORD: Duration = Duration::from_secs(10);

/// What a wait says while it goes on.
pub(crate) enum Said {
    /// One probe.
    Goes(String),
    /// It takes long, and why.
    Waits(String),
}

/// How a wait ended without success.
pub(crate) enum Unready {
    /// It failed.
    Failed(Evidence),
    /// Nobody is interested any more: another step failed, or a person interrupted.
    Abandoned,
}

impl From<EngineError> for Unready {
    fn from(error: EngineError) -> Self {
        Self::Failed(error.into())
    }
}

/// What all waits share.
#[derive(Clone)]
pub(crate) struct Watcher<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) hub: &'a Hub,
    pub(crate) proved: &'a Proved,
    pub(crate) abandon: watch::Receiver<bool>,
    pub(crate) timeout: Option<Duration>,
}

fn failed(reason: impl Into<String>) -> Unready {
    Unready::Failed(Evidence { reason: reason.into(), ..Evidence::default() })
}

impl Watcher<'_> {
    /// Until the health check passes, by the engine's probe or by ours.
    pub(crate) async fn healthy(
        &self,
        container: &str,
        health: &HealthSpec,
        unhealthy: bool,
        tell: impl FnMut(Said),
    ) -> Result<(), Unready> {
        let detail = self.engine.inspect_container(container).await?;
        self.passes(&detail, health, unhealthy, tell).await?;
        self.hub.is_ready(&detail.id);
        Ok(())
    }

    async fn passes(
        &self,
        detail: &ContainerDetail,
        health: &HealthSpec,
        unhealthy: bool,
        mut tell: impl FnMut(Said),
    ) -> Result<(), Unready> {
        if detail.health == Health::Healthy || (!unhealthy && self.proved.has(detail)) {
            return Ok(());
        }
        let mut changes = self.hub.changes();
        let mut abandon = self.abandon.clone();
        let limit = self.timeout.unwrap_or_else(|| budget(health));
        let began = Instant::now();
        let deadline = began + limit;
        let mut patience = FIRST_WORD;
        let command = probe_command(health, detail);
        let mut last = None;
        let mut life = (String::new(), began);
        let mut attempts = 0_u32;
        let mut next = Instant::now();
        loop {
            self.still_alive(&detail.id, last.as_ref()).await?;
            match self.hub.history(&detail.id).health {
                Some(Health::Healthy) => return Ok(()),
                Some(Health::Unhealthy) => {
                    let reason = "its health check fails: the engine calls it unhealthy";
                    return Err(Unready::Failed(Evidence {
                        reason: reason.into(),
                        probe: last,
                        ..Evidence::default()
                    }));
                }
                _ => {}
            }
            if unhealthy && attempts > 0 {
                let reason = "it was unhealthy before, and still is";
                return Err(Unready::Failed(Evidence {
                    reason: reason.into(),
                    probe: last,
                    ..Evidence::default()
                }));
            }
            tokio::select! {
                () = sleep_until(deadline) => {
                    let reason = format!("its health check did not pass within {} s", limit.as_secs());
                    return Err(Unready::Failed(Evidence { reason, probe: last, ..Evidence::default() }));
                }
                () = abandoned(&mut abandon) => return Err(Unready::Abandoned),
                () = sleep_until(began + patience), if command.is_none() => {
                    let text = format!(
                        "after {} s the engine does not call it healthy; it is waited for until {} s, Ctrl-C stops",
                        patience.as_secs(),
                        limit.as_secs()
                    );
                    tell(Said::Waits(text));
                    patience *= 3;
                }
                _ = changes.changed() => {}
                result = probe_at(next, self.engine, &detail.id, command.as_ref(), health) => {
                    attempts += 1;
                    match result {
                        Ok(output) if output.0 == 0 => {
                            if self.has_settled(&detail.id, &mut life).await? {
                                self.proved.note(detail);
                                return Ok(());
                            }
                            tell(Said::Goes(format!("probe {attempts}: it passes, in a program that has ended before")));
                        }
                        Ok(output) => {
                            let said = telling_line(&output.1);
                            tell(Said::Goes(format!("probe {attempts}: exit code {}: {said}", output.0)));
                            if began.elapsed() >= patience {
                                let mut text = still_waiting(output.0, said, patience, limit);
                                if let Some(cause) = self.error_in_log(&detail.id).await {
                                    text += &format!(". In its log: {cause}");
                                }
                                tell(Said::Waits(text));
                                patience *= 3;
                            }
                            last = Some(output);
                        }
                        Err(error) => {
                            tell(Said::Goes(format!("probe {attempts}: {error}")));
                            // an end that no event told of, because it came before the first one could be heard
                            self.not_ended(&detail.id, last.as_ref()).await?;
                        }
                    }
                    next = Instant::now() + PROBE_INTERVAL;
                }
            }
        }
    }

    /// What the program itself says, while its check only says that nobody answers.
    async fn error_in_log(&self, id: &str) -> Option<String> {
        let lines = self.engine.last_lines(id, failure::READ).await.ok()?;
        let lines: Vec<String> = lines.into_iter().map(|line| line.text).collect();
        failure::cause(&lines)
    }

    /// Whether a container whose check passes is ready. One that was started again has to live longer than a program that
    /// fails at its start: its check may pass in each life before that. `life` is the start that was seen last, and when.
    async fn has_settled(&self, id: &str, life: &mut (String, Instant)) -> Result<bool, EngineError> {
        let detail = self.engine.inspect_container(id).await?;
        if detail.started != life.0 {
            *life = (detail.started, Instant::now());
        }
        Ok(detail.restarts == 0 || life.1.elapsed() > RECOVERED)
    }

    /// Fails if the container has ended for good, or ends again and again.
    async fn still_alive(&self, id: &str, probe: Option<&(i64, String)>) -> Result<(), Unready> {
        let history = self.hub.history(id);
        let Some(Death { code, .. }) = history.deaths.last() else { return Ok(()) };
        let detail = self.engine.inspect_container(id).await?;
        let ended = matches!(detail.state, RunState::Exited | RunState::Dead);
        if !ended && history.deaths.len() < CRASH_LOOP {
            return Ok(());
        }
        let reason = if ended {
            format!("it ended with exit code {code} before it was ready")
        } else {
            format!("it ends again and again ({} times, exit code {code})", history.deaths.len())
        };
        Err(Unready::Failed(Evidence {
            reason,
            probe: probe.cloned(),
            out_of_memory: history.out_of_memory,
            hint: None,
            exit: Some(*code),
        }))
    }

    /// Fails if the container has ended for good.
    async fn not_ended(&self, id: &str, probe: Option<&(i64, String)>) -> Result<(), Unready> {
        let detail = self.engine.inspect_container(id).await?;
        if !matches!(detail.state, RunState::Exited | RunState::Dead) {
            return Ok(());
        }
        Err(Unready::Failed(Evidence {
            reason: format!("it ended with exit code {} before it was ready", detail.exit_code),
            probe: probe.cloned(),
            out_of_memory: detail.oom_killed,
            hint: None,
            exit: Some(detail.exit_code),
        }))
    }

    /// Until the container has ended, with exit code 0.
    pub(crate) async fn completed(&self, container: &str, mut tell: impl FnMut(Said)) -> Result<(), Unready> {
        let mut abandon = self.abandon.clone();
        let began = Instant::now();
        let mut patience = FIRST_WORD;
        let mut ended = std::pin::pin!(self.engine.wait_container(container));
        let mut over = std::pin::pin!(limit(self.timeout));
        let code = loop {
            tokio::select! {
                code = &mut ended => break code?,
                () = abandoned(&mut abandon) => return Err(Unready::Abandoned),
                () = &mut over => {
                    let seconds = self.timeout.unwrap_or_default().as_secs();
                    return Err(failed(format!("it has not completed within {seconds} s")));
                }
                () = sleep_until(began + patience) => {
                    let lines = self.engine.last_lines(container, 1).await.unwrap_or_default();
                    let last = lines.last().map(|line| line.text.as_str());
                    tell(Said::Waits(still_running(patience, self.timeout, last)));
                    patience *= 3;
                }
            }
        };
        if code == 0 {
            return Ok(());
        }
        let detail = self.engine.inspect_container(container).await?;
        let out_of_memory = detail.oom_killed || self.hub.history(&detail.id).out_of_memory;
        let reason = format!("it failed with exit code {code}, and others wait for its success");
        Err(Unready::Failed(Evidence { reason, out_of_memory, ..Evidence::default() }))
    }

    /// A container without a health check survives its first moment. An end with exit code 0 is fine.
    pub(crate) async fn running(&self, container: &str) -> Result<(), Unready> {
        let detail = self.engine.inspect_container(container).await?;
        let mut changes = self.hub.changes();
        let mut abandon = self.abandon.clone();
        let settled = Instant::now() + SETTLE;
        loop {
            let history = self.hub.history(&detail.id);
            if let Some(Death { code, .. }) =
                history.deaths.iter().rfind(|death| of_this_run(**death, &detail.started, detail.restarts))
            {
                if *code == 0 {
                    return Ok(());
                }
                let reason = format!("it ended with exit code {code} right after its start");
                let out_of_memory = history.out_of_memory;
                let exit = Some(*code);
                return Err(Unready::Failed(Evidence { reason, out_of_memory, exit, ..Evidence::default() }));
            }
            tokio::select! {
                () = sleep_until(settled) => break,
                () = abandoned(&mut abandon) => return Err(Unready::Abandoned),
                _ = changes.changed() => {}
            }
        }
        // the event may be late on a busy engine
        let now = self.engine.inspect_container(container).await?;
        if now.exit_code != 0 && !matches!(now.state, RunState::Running | RunState::Paused) {
            let reason = format!("it ended with exit code {} right after its start", now.exit_code);
            // the engine may have started it again before anybody asks how it ended
            let exit = Some(now.exit_code);
            return Err(Unready::Failed(Evidence { reason, exit, ..Evidence::default() }));
        }
        Ok(())
    }
}

/// Whether an end belongs to the run that began at `started`, or to one before it that the engine itself began again.
/// The end of a run that a stop or a restart asked for may be told of late.
pub(crate) fn of_this_run(death: Death, started: &str, restarts: i64) -> bool {
    let began = started.parse::<jiff::Timestamp>().ok();
    restarts > 0 || began.is_none_or(|began| i128::from(death.at) >= began.as_nanosecond())
}

fn still_waiting(code: i64, said: &str, since: Duration, limit: Duration) -> String {
    let said = if said.is_empty() { "nothing" } else { said };
    format!(
        "after {} s its health check still says: exit code {code}: {said}; it is waited for until {} s, Ctrl-C stops",
        since.as_secs(),
        limit.as_secs()
    )
}

/// Of a container whose end is waited for, with the last line of its log.
fn still_running(since: Duration, limit: Option<Duration>, last: Option<&str>) -> String {
    let until = limit.map_or(String::new(), |limit| format!(" until {} s", limit.as_secs()));
    let last = last.filter(|line| !line.trim().is_empty());
    let said = last.map_or_else(
        || "it has not written a log line".to_owned(),
        |line| format!("the last line of its log: {line}"),
    );
    format!("after {} s it still runs; its end is waited for{until}, Ctrl-C stops; {said}", since.as_secs())
}

/// Ends when nobody is interested any more. Its guard of the channel is gone before anything else is awaited.
async fn abandoned(abandon: &mut watch::Receiver<bool>) {
    let _ = abandon.wait_for(|abandon| *abandon).await;
}

async fn limit(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

/// How long a check may need until the engine itself would give up, with some grace.
fn budget(health: &HealthSpec) -> Duration {
    let span = |nanoseconds: Option<i64>, default: u64| {
        nanoseconds
            .and_then(|n| u64::try_from(n).ok())
            .filter(|n| *n > 0)
            .map_or(Duration::from_secs(default), Duration::from_nanos)
    };
    let retries =
        health.retries.and_then(|retries| u32::try_from(retries).ok()).filter(|n| *n > 0).unwrap_or(3);
    let round =
        span(health.interval, 30).saturating_add(span(health.timeout, 30).min(Duration::from_mins(1)));
    let all = span(health.start_period, 0).saturating_add(round.saturating_mul(retries.saturating_add(1)));
    all.clamp(BUDGET.0, BUDGET.1)
}

/// The line of a probe's output that says most: the first, but the last of a traceback.
fn telling_line(text: &str) -> &str {
    let first = text.lines().next().unwrap_or("no output");
    if first.starts_with("Traceback (most recent call last)") {
        return text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(first);
    }
    first
}

/// The health test as a command.
fn probe_command(health: &HealthSpec, detail: &ContainerDetail) -> Option<Vec<String>> {
    match health.test.split_first() {
        Some((kind, arguments)) if kind == "CMD" && !arguments.is_empty() => Some(arguments.to_vec()),
        Some((kind, [line])) if kind == "CMD-SHELL" => {
            let mut command = detail.shell.clone();
            if command.is_empty() {
                command = vec!["/bin/sh".into(), "-c".into()];
            }
            command.push(line.clone());
            Some(command)
        }
        _ => None,
    }
}

/// One probe, at its time. Without a command only the engine's own verdict counts: then this never ends.
fn probe_at<'a>(
    at: Instant,
    engine: &'a Engine,
    container: &'a str,
    command: Option<&'a Vec<String>>,
    health: &HealthSpec,
) -> impl Future<Output = Result<(i64, String), EngineError>> + use<'a> {
    let timeout = health
        .timeout
        .and_then(|nanoseconds| u64::try_from(nanoseconds).ok())
        .filter(|nanoseconds| *nanoseconds > 0)
        .map_or(PROBE_TIMEOUT, Duration::from_nanos);
    async move {
        let Some(command) = command else { return std::future::pending().await };
        sleep_until(at).await;
        let spec = ExecSpec { command: command.clone(), ..ExecSpec::default() };
        let output = engine.exec(container, &spec, timeout).await?;
        Ok((output.exit_code, output.text().trim_end().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_traceback_says_most() {
        let text =
            "Traceback (most recent call last):\n  File \"x\", line 1\nConnectionRefusedError: [Errno 111]\n";
        assert_eq!(telling_line(text), "ConnectionRefusedError: [Errno 111]");
        assert_eq!(telling_line("503\nmore"), "503");
        assert_eq!(telling_line(""), "no output");
    }

    #[test]
    fn two_minutes_of_silence() {
        let text = still_waiting(1, "503 {\"ok\":false}", FIRST_WORD, Duration::from_mins(2));
        assert_eq!(
            text,
            "after 10 s its health check still says: exit code 1: 503 {\"ok\":false}; it is waited for until 120 s, Ctrl-C stops"
        );
    }

    #[test]
    fn a_job_that_takes_long_is_told_of() {
        assert_eq!(
            still_running(FIRST_WORD, None, Some("3 of 7 migrations")),
            "after 10 s it still runs; its end is waited for, Ctrl-C stops; the last line of its log: 3 of 7 migrations"
        );
        assert_eq!(
            still_running(FIRST_WORD * 3, Some(Duration::from_mins(1)), None),
            "after 30 s it still runs; its end is waited for until 60 s, Ctrl-C stops; it has not written a log line"
        );
    }

    #[test]
    fn the_end_before_a_restart_is_not_the_new_runs() {
        let at = |text: &str| {
            let at: jiff::Timestamp = text.parse().unwrap();
            Death { at: i64::try_from(at.as_nanosecond()).unwrap(), code: 143 }
        };
        let started = "2026-01-02T03:04:05.5Z";
        assert!(!of_this_run(at("2026-01-02T03:04:05.4Z"), started, 0));
        assert!(of_this_run(at("2026-01-02T03:04:05.6Z"), started, 0));
        // the engine's own new start moves the time
        assert!(of_this_run(at("2026-01-02T03:04:05.4Z"), started, 1));
    }

    #[test]
    fn the_budget_follows_the_check_within_bounds() {
        let seconds = |n: i64| Some(n * 1_000_000_000);
        let quick = HealthSpec {
            interval: seconds(1),
            timeout: seconds(1),
            retries: Some(2),
            ..HealthSpec::default()
        };
        assert_eq!(budget(&quick), BUDGET.0);
        assert_eq!(budget(&HealthSpec::default()), Duration::from_mins(4));
        let slow = HealthSpec { start_period: seconds(100_000), ..HealthSpec::default() };
        assert_eq!(budget(&slow), BUDGET.1);
    }
}
