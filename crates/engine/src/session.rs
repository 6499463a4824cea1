//! A person at a process in a container: standard input and output of an exec or of a container, with or without a
//! terminal.

use std::pin::Pin;

use bollard::{
    container::LogOutput,
    exec::{StartExecOptions, StartExecResults},
    models::ExecConfig,
    query_parameters::{AttachContainerOptions, ResizeContainerTTYOptions, ResizeExecOptions},
};
use futures_util::{Stream as Items, StreamExt as _};
use tokio::io::AsyncWrite;

use crate::{
    Engine, EngineError, ExecSpec, Stream,
    connect::{CALL_SECONDS, TRANSFER_SECONDS},
};

/// What a process writes, in the order of its coming.
pub type Pieces = Pin<Box<dyn Items<Item = Result<(Stream, Vec<u8>), EngineError>> + Send>>;

/// Both directions.
pub struct Session {
    /// What is written goes to standard input; shutting it down ends the input.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// What comes, as it comes. With a terminal all of it is standard output.
    pub output: Pieces,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts a command in a running container; gives its id and both directions.
    pub async fn exec_session(
        &self,
        container: &str,
        spec: &ExecSpec,
        tty: bool,
        stdin: bool,
    ) -> Result<(String, Session), EngineError> {
        let id = self.create_exec(container, spec, tty, Some(stdin)).await?;
        let options = StartExecOptions { detach: false, tty, output_capacity: None };
        let docker = self.patient(TRANSFER_SECONDS);
        match docker.start_exec(&id, Some(options)).await.map_err(wire)? {
            StartExecResults::Attached { output, input } => {
                Ok((id, Session { input, output: pieces(output) }))
            }
            StartExecResults::Detached => {
                Err(EngineError::Unreadable { message: "an exec that was to be attached is not".into() })
            }
        }
    }

    /// Starts a command in a running container and leaves it alone.
    pub async fn exec_detached(&self, container: &str, spec: &ExecSpec) -> Result<(), EngineError> {
        let id = self.create_exec(container, spec, false, None).await?;
        let options = StartExecOptions { detach: true, tty: false, output_capacity: None };
        self.docker.start_exec(&id, Some(options)).await.map_err(wire)?;
        Ok(())
    }

    /// `attached` tells whether input is wanted; `None` is neither input nor output.
    async fn create_exec(
        &self,
        container: &str,
        spec: &ExecSpec,
        tty: bool,
        attached: Option<bool>,
    ) -> Result<String, EngineError> {
        let config = ExecConfig {
            attach_stdin: attached,
            attach_stdout: Some(attached.is_some()),
            attach_stderr: Some(attached.is_some()),
            tty: Some(tty),
            cmd: Some(spec.command.clone()),
            user: spec.user.clone(),
            working_dir: spec.working_dir.clone(),
            env: (!spec.env.is_empty()).then(|| spec.env.clone()),
            privileged: Some(spec.privileged),
            ..ExecConfig::default()
        };
        Ok(self.docker.create_exec(container, config).await.map_err(wire)?.id)
    }

    /// The exit code of an exec that has ended; `None` while it runs.
    pub async fn exec_exit_code(&self, exec: &str) -> Result<Option<i64>, EngineError> {
        let found = self.docker.inspect_exec(exec).await.map_err(wire)?;
        Ok(if found.running == Some(true) { None } else { found.exit_code })
    }

    /// Tells an exec's terminal its size.
    pub async fn resize_exec(&self, exec: &str, rows: u16, columns: u16) -> Result<(), EngineError> {
        let size = ResizeExecOptions { h: rows.into(), w: columns.into() };
        self.docker.resize_exec(exec, size).await.map_err(wire)
    }

    /// Both directions of a container's own process. Attach before the start, so that nothing is missed.
    pub async fn attach_container(&self, container: &str, stdin: bool) -> Result<Session, EngineError> {
        self.attach_container_until(container, stdin, None).await
    }

    /// The same; these keys (`ctrl-p,ctrl-q`) end the session and leave the container.
    pub async fn attach_container_until(
        &self,
        container: &str,
        stdin: bool,
        detach_keys: Option<&str>,
    ) -> Result<Session, EngineError> {
        let options = AttachContainerOptions {
            detach_keys: detach_keys.map(str::to_owned),
            logs: false,
            stream: true,
            stdin,
            stdout: true,
            stderr: true,
        };
        let docker = self.patient(TRANSFER_SECONDS);
        let attached = docker.attach_container(container, Some(options)).await.map_err(wire)?;
        Ok(Session { input: attached.input, output: pieces(attached.output) })
    }

    /// Tells a container's terminal its size.
    pub async fn resize_container(
        &self,
        container: &str,
        rows: u16,
        columns: u16,
    ) -> Result<(), EngineError> {
        let size = ResizeContainerTTYOptions { h: rows.into(), w: columns.into() };
        self.docker.resize_container_tty(container, size).await.map_err(wire)
    }
}

fn pieces(output: impl Items<Item = Result<LogOutput, bollard::errors::Error>> + Send + 'static) -> Pieces {
    Box::pin(output.map(|piece| {
        let piece = piece.map_err(|error| EngineError::from_wire(error, TRANSFER_SECONDS))?;
        let stream = if matches!(piece, LogOutput::StdErr { .. }) { Stream::Stderr } else { Stream::Stdout };
        Ok((stream, piece.into_bytes().to_vec()))
    }))
}

fn wire(error: bollard::errors::Error) -> EngineError {
    EngineError::from_wire(error, CALL_SECONDS)
}
