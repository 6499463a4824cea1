//! A command in a running container.

use std::time::Duration;

use bollard::{
    container::LogOutput,
    exec::{StartExecOptions, StartExecResults},
    models::ExecConfig,
};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};

use crate::{Engine, EngineError, connect::CALL_SECONDS};

/// At most so much output of each stream is kept.
const OUTPUT_LIMIT: usize = 1024 * 1024;

/// What to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecSpec {
    /// Command and arguments. No shell unless it is one.
    pub command: Vec<String>,
    /// User; the container's if absent.
    pub user: Option<String>,
    /// Working directory; the container's if absent.
    pub working_dir: Option<String>,
    /// Additional variables, `KEY=value`.
    pub env: Vec<String>,
    /// With all privileges.
    pub privileged: bool,
}

/// How it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecOutput {
    /// Exit code; 126 and 127 also when the engine could not start the command.
    pub exit_code: i64,
    /// Standard output, at most 1 MiB.
    pub stdout: Vec<u8>,
    /// Standard error, at most 1 MiB.
    pub stderr: Vec<u8>,
}

impl ExecOutput {
    /// Both streams as text, standard output first.
    pub fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&self.stderr));
        text
    }
}

impl Engine {
    /// Runs a command in a container until it ends. After `limit` the caller gets [`EngineError::Timeout`]; the
    /// process goes on, because an engine cannot end it.
    pub async fn exec(
        &self,
        container: &str,
        spec: &ExecSpec,
        limit: Duration,
    ) -> Result<ExecOutput, EngineError> {
        match tokio::time::timeout(limit, self.exec_unbounded(container, spec)).await {
            Ok(done) => done,
            Err(_) => Err(EngineError::Timeout { seconds: limit.as_secs() }),
        }
    }

    async fn exec_unbounded(&self, container: &str, spec: &ExecSpec) -> Result<ExecOutput, EngineError> {
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(spec.command.clone()),
            user: spec.user.clone(),
            working_dir: spec.working_dir.clone(),
            env: (!spec.env.is_empty()).then(|| spec.env.clone()),
            privileged: Some(spec.privileged),
            ..ExecConfig::default()
        };
        let id = self.docker.create_exec(container, config).await.map_err(wire)?.id;
        let mut done = ExecOutput::default();
        let started = self.docker.start_exec(&id, None::<StartExecOptions>).await.map_err(wire)?;
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(piece) = output.next().await {
                let (stream, bytes) = match piece.map_err(wire)? {
                    LogOutput::StdErr { message } => (&mut done.stderr, message),
                    LogOutput::StdOut { message }
                    | LogOutput::Console { message }
                    | LogOutput::StdIn { message } => (&mut done.stdout, message),
                };
                let room = OUTPUT_LIMIT.saturating_sub(stream.len());
                stream.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
        done.exit_code = self.docker.inspect_exec(&id).await.map_err(wire)?.exit_code.unwrap_or(0);
        Ok(done)
    }
}

fn wire(error: bollard::errors::Error) -> EngineError {
    EngineError::from_wire(error, CALL_SECONDS)
}
