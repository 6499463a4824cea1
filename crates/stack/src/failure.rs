//! Why a step failed, with everything a person would look up next: exit code and its meaning, lack of memory, the last
//! probe, the last log lines.

mod diagnosis;

pub(crate) use diagnosis::cause;

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use plimsoll_engine::{ContainerDetail, Engine, EngineError, RunState};
use plimsoll_source::Explain as _;
use serde::{Deserialize, Serialize};

use crate::{Op, StackError, Step, hub::Hub, labels, observed::final_name};

/// How long after a container's end the engine may still tell why.
const OOM_DELAY: Duration = Duration::from_millis(500);
/// Log lines that are shown.
const LINES: usize = 40;
/// Log lines that are looked through for the cause: a traceback is long, and a supervisor's words come after it.
pub(crate) const READ: u64 = 400;

/// A step that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The service.
    pub service: Option<String>,
    /// The container.
    pub container: Option<String>,
    /// Its service has several: the service's name does not tell which one is meant.
    #[serde(skip)]
    pub several: bool,
    /// What was tried.
    pub step: String,
    /// What happened.
    pub reason: String,
    /// Exit code, if the container has ended.
    pub exit: Option<ExitMeaning>,
    /// No program ran: what the engine has as exit code is no program's.
    #[serde(default)]
    pub not_started: bool,
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
    /// How it ended, for one that the engine may have started again meanwhile.
    pub(crate) exit: Option<i64>,
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
    pub(crate) async fn collect(
        engine: &Engine,
        hub: &Hub,
        project: &str,
        step: &Step,
        evidence: Evidence,
    ) -> Self {
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
        failure.several = failure.has_others(engine, project, &step.op).await;
        let running = step.op.is_wait()
            || matches!(step.op, Op::StartContainer { .. } | Op::RunHook { .. } | Op::RunInit { .. });
        if let (Some(container), true) = (&failure.container, running) {
            if let Ok(detail) = engine.inspect_container(container).await {
                // one that could not even be started has no end, but an exit code
                let ended =
                    detail.pid == 0 && (detail.exit_code != 0 || !detail.finished.starts_with("0001"));
                failure.not_started = did_not_start(&detail);
                failure.exit = ended.then(|| ExitMeaning::of(detail.exit_code)).filter(|exit| {
                    // these are the engine's words for a command that cannot be run
                    !failure.not_started || matches!(exit.code, 126 | 127)
                });
                if failure.exit.is_none() && !failure.not_started {
                    failure.exit = evidence.exit.map(ExitMeaning::of);
                }
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
            if let Ok(lines) = engine.last_lines(container, READ).await {
                failure.logs = lines.into_iter().map(|line| line.text).collect();
            }
        }
        if let Some(exit) = failure.exit.as_mut().filter(|exit| exit.code == 137) {
            let why = if failure.out_of_memory {
                "killed (SIGKILL) for lack of memory"
            } else {
                "killed (SIGKILL): it did not end within the grace period, or somebody killed it"
            };
            why.clone_into(&mut exit.meaning);
        }
        if failure.hint.is_none() {
            failure.hint = failure.diagnosis();
        }
        failure.logs.drain(..failure.logs.len().saturating_sub(LINES));
        if failure.not_started {
            failure.reason = cause_of_start(&failure.reason);
        }
        failure
    }

    /// Whether the service has another container. One that takes a container's place is no other.
    async fn has_others(&self, engine: &Engine, project: &str, op: &Op) -> bool {
        let (Some(service), Some(container)) = (&self.service, &self.container) else { return false };
        // a container of a moment that works for the service
        if matches!(op, Op::RunInit { .. }) {
            return false;
        }
        let filter = [format!("{}={project}", labels::PROJECT), format!("{}={service}", labels::SERVICE)];
        // what cannot be asked is no reason to say less about the failure
        let found = engine.containers_labelled(&filter).await.unwrap_or_default();
        let of_run = |label: Option<&str>| label.is_some_and(|label| label.eq_ignore_ascii_case("true"));
        let members = found
            .iter()
            .filter(|found| !of_run(found.label(labels::ONEOFF)) && found.label(labels::HELPER).is_none());
        let mut names: BTreeSet<&str> = members.map(|found| final_name(&found.name)).collect();
        names.insert(final_name(container));
        names.len() > 1
    }

    /// Whom the failure is about: the service, or the container where the service has several.
    fn subject(&self) -> Option<&str> {
        let container = self.container.as_deref().filter(|_| self.several).map(final_name);
        container.or(self.service.as_deref())
    }

    /// For people, several lines.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let subject = self.subject().map_or(String::new(), |subject| format!("{subject}: "));
        let _ = writeln!(text, "{subject}{}", self.reason);
        if self.not_started {
            let _ = writeln!(text, "  it did not start: no program of it has run");
        }
        if let Some(exit) = &self.exit {
            let _ = writeln!(text, "  exit code: {} ({})", exit.code, exit.meaning);
        }
        if (self.exit.is_some() && !self.not_started) || self.out_of_memory {
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
        } else if !self.not_started
            && self.container.is_some()
            && (self.exit.is_some() || self.probe.is_some())
        {
            let _ = writeln!(text, "  it has not written a log line");
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "  hint: {hint}");
        }
        text
    }
}

/// The engine says why it could not start one, and writes an exit code that no program gave. After a start that worked
/// the sentence is empty.
fn did_not_start(detail: &ContainerDetail) -> bool {
    detail.pid == 0
        && !matches!(detail.state, RunState::Restarting | RunState::Paused)
        && (!detail.error.is_empty() || (detail.exit_code != 0 && detail.started.starts_with("0001")))
}

/// An engine's sentence about a failed start, without the names of its parts that took part.
fn cause_of_start(message: &str) -> String {
    const PARTS: [&str; 12] = [
        "failed to create task for container: ",
        "failed to create shim task: ",
        "failed to create shim: ",
        "failed to start shim: ",
        "OCI runtime create failed: ",
        "runc create failed: ",
        "runc did not terminate successfully: ",
        "unable to start container process: ",
        "container_linux.go:",
        "failed to set up container networking: ",
        "cannot start a stopped process: ",
        "error during container init: ",
    ];
    let mut text = match message.strip_prefix("the engine answered ").and_then(|rest| rest.split_once(": ")) {
        Some((_, rest)) => rest.to_owned(),
        None => message.to_owned(),
    };
    for part in PARTS {
        while let Some(at) = text.find(part) {
            // `container_linux.go:380: ` ends with its line
            let mut end = at + part.len();
            if part.ends_with(".go:") {
                end = text[end..].find(' ').map_or(end, |space| end + space + 1);
            }
            text.replace_range(at..end, "");
        }
    }
    if let Some(rest) = text.strip_prefix("driver failed programming external connectivity on endpoint ")
        && let Some((_, cause)) = rest.split_once(": ")
    {
        text = cause.to_owned();
    }
    if let Some(rest) = text.strip_prefix("error gathering device information while adding custom device ")
        && let Some((device, cause)) = rest.split_once(": ")
    {
        text = format!("device {}: {cause}", device.trim_matches('"'));
    }
    let text = text.trim_end_matches(": unknown");
    if text.is_empty() { message.to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_a_story() {
        let failure = Failure {
            service: Some("web".into()),
            container: Some("shop-web-1".into()),
            several: false,
            step: "wait until shop-web-1 is healthy".into(),
            reason: "ended while starting".into(),
            exit: Some(ExitMeaning::of(137)),
            not_started: false,
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
    fn an_exit_code_of_no_program() {
        for (said, cause) in [
            (
                "the engine answered 500: error gathering device information while adding custom device \"/dev/no-such-device\": no such file or directory",
                "device /dev/no-such-device: no such file or directory",
            ),
            (
                "the engine answered 400: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"nope\": executable file not found in $PATH: unknown",
                "exec: \"nope\": executable file not found in $PATH",
            ),
            (
                "the engine answered 400: OCI runtime create failed: container_linux.go:380: starting container process caused: exec: \"/x\": permission denied: unknown",
                "starting container process caused: exec: \"/x\": permission denied",
            ),
            (
                "the engine answered 500: driver failed programming external connectivity on endpoint shop-web-1 (0a1b2c): Bind for 0.0.0.0:80 failed: port is already allocated",
                "Bind for 0.0.0.0:80 failed: port is already allocated",
            ),
            ("something of its own", "something of its own"),
        ] {
            assert_eq!(cause_of_start(said), cause);
        }
        let failure = Failure {
            service: Some("web".into()),
            container: Some("shop-web-1".into()),
            reason: "device /dev/x: no such file or directory".into(),
            not_started: true,
            ..Failure::default()
        };
        assert_eq!(
            failure.render(),
            "web: device /dev/x: no such file or directory\n  it did not start: no program of it has run\n"
        );
    }

    #[test]
    fn one_of_several_containers_is_named() {
        let failure = Failure {
            service: Some("web".into()),
            container: Some("0123456789ab_shop-web-2".into()),
            several: true,
            reason: "ended while starting".into(),
            ..Failure::default()
        };
        assert_eq!(failure.render(), "shop-web-2: ended while starting\n");
        let alone = Failure { several: false, ..failure };
        assert_eq!(alone.render(), "web: ended while starting\n");
    }

    #[test]
    fn signals_are_named_by_number() {
        assert_eq!(ExitMeaning::of(134).meaning, "ended by signal 6");
        assert_eq!(ExitMeaning::of(42).meaning, "the program's own code");
    }
}
