//! Why a step failed, with everything a person would look up next: exit code and its meaning, lack of memory, the last
//! probe, the last log lines.

mod diagnosis;

use std::{fmt::Write as _, time::Duration};

use plimsoll_engine::{Engine, EngineError};
use serde::{Deserialize, Serialize};

use crate::{Op, StackError, Step, hub::Hub};

/// How long after a container's end the engine may still tell why.
const OOM_DELAY: Duration = Duration::from_millis(500);
/// Log lines that are shown.
const LINES: u64 = 40;

/// A step that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The service.
    pub service: Option<String>,
    /// The container.
    pub container: Option<String>,
    /// What was tried.
    pub step: String,
    /// What happened.
    pub reason: String,
    /// Exit code, if the container has ended.
    pub exit: Option<ExitMeaning>,
    /// Something in the container was killed for lack of memory.
    pub out_of_memory: bool,
    /// Exit code and output of the last probe.
    pub probe: Option<(i64, String)>,
    /// The last log lines.
    pub logs: Vec<String>,
    /// What to do, where the evidence points to one thing.
    pub hint: Option<String>,
}

/// An exit code and what it usually means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitMeaning {
    /// The code.
    pub code: i64,
    /// In words.
    pub meaning: String,
}

impl ExitMeaning {
    /// Explains an exit code.
    pub fn of(code: i64) -> Self {
        let meaning = match code {
            0 => "success".to_owned(),
            1 => "the program reports an error".to_owned(),
            2 => "the program was called wrongly, or reports an error".to_owned(),
            125 => "the engine could not run it".to_owned(),
            126 => "the command is not executable".to_owned(),
            127 => "the command does not exist in the image".to_owned(),
            137 => "killed (SIGKILL): lack of memory, or it did not end within the grace period".to_owned(),
            139 => "crashed (SIGSEGV)".to_owned(),
            143 => "ended by SIGTERM".to_owned(),
            129..=192 => format!("ended by signal {}", code - 128),
            _ => "the program's own code".to_owned(),
        };
        Self { code, meaning }
    }
}

/// What a step found out itself before it failed.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) reason: String,
    pub(crate) probe: Option<(i64, String)>,
    pub(crate) out_of_memory: bool,
    pub(crate) hint: Option<String>,
}

impl From<StackError> for Evidence {
    fn from(error: StackError) -> Self {
        Self { hint: error.hint(), reason: error.to_string(), ..Self::default() }
    }
}

impl From<EngineError> for Evidence {
    fn from(error: EngineError) -> Self {
        Self { hint: error.hint(), reason: error.to_string(), ..Self::default() }
    }
}

impl Failure {
    /// Collects what the engine knows about the container of a failed step.
    pub(crate) async fn collect(engine: &Engine, hub: &Hub, step: &Step, evidence: Evidence) -> Self {
        let mut failure = Self {
            service: step.service.clone(),
            container: step.op.container().map(str::to_owned),
            step: step.op.describe(),
            reason: evidence.reason,
            out_of_memory: evidence.out_of_memory,
            probe: evidence.probe,
            hint: evidence.hint,
            ..Self::default()
        };
        let running = step.op.is_wait()
            || matches!(step.op, Op::StartContainer { .. } | Op::RunHook { .. } | Op::RunInit { .. });
        if let (Some(container), true) = (&failure.container, running) {
            if let Ok(detail) = engine.inspect_container(container).await {
                // one that could not even be started has no end, but an exit code
                let ended =
                    detail.pid == 0 && (detail.exit_code != 0 || !detail.finished.starts_with("0001"));
                failure.exit = ended.then(|| ExitMeaning::of(detail.exit_code));
                failure.out_of_memory |= detail.oom_killed;
                // the event of a kill for lack of memory may come after that of the end
                if failure.exit.as_ref().is_some_and(|exit| exit.code == 137) && !failure.out_of_memory {
                    failure.out_of_memory = hub.out_of_memory_within(&detail.id, OOM_DELAY).await;
                }
                if failure.probe.is_none() {
                    failure.probe = detail
                        .probes
                        .last()
                        .map(|probe| (probe.exit_code, probe.output.trim_end().to_owned()));
                }
            }
            if let Ok(lines) = engine.last_lines(container, LINES).await {
                let keep = lines.len().saturating_sub(LINES as usize);
                failure.logs = lines.into_iter().skip(keep).map(|line| line.text).collect();
            }
        }
        if failure.hint.is_none() {
            failure.hint = failure.diagnosis();
        }
        failure
    }

    /// For people, several lines.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let subject = self.service.as_deref().map_or(String::new(), |service| format!("{service}: "));
        let _ = writeln!(text, "{subject}{}", self.reason);
        if let Some(exit) = &self.exit {
            let _ = writeln!(text, "  exit code: {} ({})", exit.code, exit.meaning);
        }
        if self.exit.is_some() || self.out_of_memory {
            let _ = writeln!(text, "  out of memory: {}", if self.out_of_memory { "yes" } else { "no" });
        }
        if let Some((code, output)) = &self.probe {
            let output = if output.is_empty() { "no output" } else { output };
            let _ = writeln!(text, "  last probe: exit code {code}: {}", output.replace('\n', "\n    "));
        }
        if !self.logs.is_empty() {
            let _ = writeln!(text, "  last log lines:");
            for line in &self.logs {
                let _ = writeln!(text, "    {line}");
            }
        } else if self.container.is_some() && (self.exit.is_some() || self.probe.is_some()) {
            let _ = writeln!(text, "  it has not written a log line");
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "  hint: {hint}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_a_story() {
        let failure = Failure {
            service: Some("web".into()),
            container: Some("shop-web-1".into()),
            step: "wait until shop-web-1 is healthy".into(),
            reason: "ended while starting".into(),
            exit: Some(ExitMeaning::of(137)),
            out_of_memory: true,
            probe: Some((1, "connection refused".into())),
            logs: vec!["listening".into(), "Killed".into()],
            hint: None,
        };
        let failure = Failure { hint: failure.diagnosis(), ..failure };
        insta::assert_snapshot!(failure.render(), @r"
        web: ended while starting
          exit code: 137 (killed (SIGKILL): lack of memory, or it did not end within the grace period)
          out of memory: yes
          last probe: exit code 1: connection refused
          last log lines:
            listening
            Killed
          hint: raise the memory limit, or give the program less to do
        ");
    }

    #[test]
    fn signals_are_named_by_number() {
        assert_eq!(ExitMeaning::of(134).meaning, "ended by signal 6");
        assert_eq!(ExitMeaning::of(42).meaning, "the program's own code");
    }
}
