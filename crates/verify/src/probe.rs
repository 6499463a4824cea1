//! A service's own health command, run now.

use std::time::{Duration, Instant};

use plimsoll_engine::{Engine, EngineError, ExecSpec};

use crate::{
    claims::MeasureError,
    quantity,
    stack::{Member, Stack},
};

/// How long a container that a claim has ended may take to be healthy again.
const RECOVERY: Duration = Duration::from_mins(1);

/// What the health command said.
#[derive(Clone, Debug)]
pub(crate) struct Probed {
    /// `None` if it did not end in time.
    pub(crate) exit_code: Option<i64>,
    pub(crate) output: String,
}

impl Probed {
    pub(crate) fn passed(&self) -> bool {
        self.exit_code == Some(0)
    }

    /// One line for the certificate.
    pub(crate) fn line(&self) -> String {
        let output: String =
            self.output.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
        match self.exit_code {
            Some(code) => format!("exit code {code} {output}").trim().to_owned(),
            None => "no answer in time".to_owned(),
        }
    }
}

/// The command of the health check in force, as the engine runs it.
pub(crate) fn command(member: &Member) -> Option<Vec<String>> {
    let test = &member.detail.health_test;
    match test.split_first()? {
        (kind, rest) if kind == "CMD" && !rest.is_empty() => Some(rest.to_vec()),
        (kind, rest) if kind == "CMD-SHELL" => {
            let shell = &member.detail.shell;
            let mut command =
                if shell.is_empty() { vec!["/bin/sh".to_owned(), "-c".to_owned()] } else { shell.clone() };
            command.extend(rest.first().cloned());
            Some(command)
        }
        _ => None,
    }
}

/// The settings of a health check as the engine has them; what is not set is the engine's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) start_period: Duration,
}

impl Settings {
    /// How long a service may be dead before the engine calls it unhealthy.
    pub(crate) fn notices_after(&self) -> Duration {
        (self.interval + self.timeout).saturating_mul(self.retries)
    }
}

/// Of the check in force.
pub(crate) fn settings(member: &Member) -> Settings {
    let check = member.raw.pointer("/Config/Healthcheck");
    let number = |key: &str| check.and_then(|check| check[key].as_u64()).filter(|value| *value > 0);
    let time =
        |key: &str, default: u64| number(key).map_or(Duration::from_secs(default), Duration::from_nanos);
    Settings {
        interval: time("Interval", 30),
        timeout: time("Timeout", 30),
        retries: number("Retries").and_then(|retries| u32::try_from(retries).ok()).unwrap_or(3),
        start_period: time("StartPeriod", 0),
    }
}

/// How long the health command may take: its own time limit, which is a part of the check.
pub(crate) fn limit(member: &Member) -> Duration {
    settings(member).timeout
}

/// Runs the health command; an engine error is the caller's, a command that hangs is an answer.
pub(crate) async fn run(
    engine: &Engine,
    member: &Member,
    limit: Duration,
) -> Result<Option<Probed>, EngineError> {
    let Some(command) = command(member) else { return Ok(None) };
    match engine.exec(member.id(), &ExecSpec { command, ..ExecSpec::default() }, limit).await {
        Ok(done) => Ok(Some(Probed { exit_code: Some(done.exit_code), output: done.text() })),
        Err(EngineError::Timeout { .. }) => Ok(Some(Probed { exit_code: None, output: String::new() })),
        Err(error) => Err(error),
    }
}

/// Runs the health command again and again until it passes: the time that took, or what it said last if it did not
/// pass in `limit`.
pub(crate) async fn until_healthy(
    engine: &Engine,
    member: &Member,
    limit: Duration,
) -> Result<Duration, String> {
    let begin = Instant::now();
    loop {
        let said = match run(engine, member, self::limit(member)).await {
            Ok(None) => return Ok(begin.elapsed()),
            Ok(Some(probed)) if probed.passed() => return Ok(begin.elapsed()),
            Ok(Some(probed)) => probed.line(),
            // A container that has just been started refuses commands for a moment.
            Err(error) => error.to_string(),
        };
        if begin.elapsed() >= limit {
            return Err(said);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Starts a container again that a claim has ended, and waits for its health: whether it came back, in words.
pub(crate) async fn start_again(stack: &Stack<'_>, member: &Member) -> Result<(bool, String), MeasureError> {
    stack.disturbances.start(member.id()).await?;
    stack.look_again(member).await?;
    Ok(match until_healthy(stack.engine, member, RECOVERY).await {
        Ok(time) => (true, format!("healthy {} after its start", quantity::seconds(time))),
        Err(said) => (false, format!("not healthy {} s after its start: {said}", RECOVERY.as_secs())),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::member::tests::member;

    #[test]
    fn settings_and_their_defaults() {
        let unset = settings(&member(json!({ "Config": { "Healthcheck": { "Test": ["CMD", "x"] } } })));
        assert_eq!((unset.interval.as_secs(), unset.timeout.as_secs(), unset.retries), (30, 30, 3));
        let set = settings(&member(json!({ "Config": { "Healthcheck": {
            "Interval": 86_400_000_000_000_u64, "Timeout": 1_000_000_000, "Retries": 2, "StartPeriod": 5_000_000_000_u64
        } } })));
        assert_eq!(set.notices_after().as_secs(), 2 * 86_401);
        assert_eq!(set.start_period.as_secs(), 5);
    }
}
