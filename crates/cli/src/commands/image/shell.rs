//! `--on-failure=shell`: a shell in the step that failed.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Write as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::FileTypeExt as _,
    },
};

use plimsoll_build::{Attach, BuildError, EnterError, FailedStep, OnFailure, Stream};
use plimsoll_buildx::flags::Args;
use plimsoll_ops::Failure;
use plimsoll_sandbox::Screen;
use plimsoll_source::Diagnostic;

use crate::render;

/// Enters the step at which a build failed.
#[derive(Debug)]
pub(super) struct OnFailureShell {
    /// Which shell; the step's own, or one that the image has, without it.
    program: Option<String>,
    /// What the person sees; `None` when commands come from a pipe or a file.
    screen: Option<OwnedFd>,
}

impl OnFailureShell {
    /// Reads `shell` or `shell=PROGRAM`, and refuses what could not work once a step has failed.
    pub(super) fn parse(spec: &str, args: &Args) -> Result<Self, Failure> {
        let program = match spec.split_once('=') {
            None if spec == "shell" => None,
            Some(("shell", program)) if !program.is_empty() => Some(program.to_owned()),
            _ => {
                return Err(Failure::new(
                    format!("`--on-failure={spec}` is not known"),
                    "write --on-failure=shell or --on-failure=shell=/bin/bash",
                ));
            }
        };
        if args.context == "-" || args.file.as_deref() == Some("-") {
            return Err(Failure::new(
                "--on-failure=shell needs standard input, and the build reads it too",
                "give the context and the Dockerfile as files",
            ));
        }
        let stdin = io::stdin();
        if stdin.is_terminal() {
            let screen = screen().ok_or_else(|| {
                Failure::new(
                    "--on-failure=shell has a keyboard and no screen: neither standard error nor standard output is a terminal",
                    "let one of them be the terminal, or send commands by a pipe",
                )
            })?;
            return Ok(Self { program, screen: Some(screen) });
        }
        let kind =
            File::from(stdin.as_fd().try_clone_to_owned().map_err(|error| no_input(&error.to_string()))?)
                .metadata()
                .map_err(|error| no_input(&error.to_string()))?
                .file_type();
        if kind.is_char_device() {
            return Err(no_input("it is no terminal, pipe or file"));
        }
        Ok(Self { program, screen: None })
    }

    fn enter(&self, step: &mut FailedStep) -> Result<(), EnterError> {
        let stdin = io::stdin();
        let program = self.program.as_deref();
        if let Some(screen) = &self.screen {
            let screen = Screen { input: stdin.as_fd(), output: screen.as_fd() };
            step.enter(program, Attach::Terminal(screen))?;
        } else {
            step.enter(program, Attach::Input(stdin.as_fd(), &mut show))?;
        }
        Ok(())
    }
}

impl OnFailure for OnFailureShell {
    fn failed(&self, error: &BuildError, step: &mut FailedStep) {
        render::error(&Failure::from(error.diagnostics()));
        if self.screen.is_some() {
            eprintln!(
                "\nthis is the failed step, as it was left; nothing done here is kept. `exit` ends the build"
            );
        }
        if let Err(error) = self.enter(step) {
            let hint = match error {
                EnterError::NoShell => {
                    "name a program that reads commands: --on-failure=shell=PROGRAM; or build a stage that has a shell with --target"
                }
                _ => "the step's output is in the log that is named above",
            };
            let problem = Diagnostic::error(format!("cannot enter the failed step: {error}")).hint(hint);
            render::error(&problem.into());
        }
    }
}

fn no_input(why: &str) -> Failure {
    Failure::new(
        format!("--on-failure=shell cannot read commands from standard input: {why}"),
        "run the build on a terminal, or send commands by a pipe: echo 'ls -l' | plimsoll image build --on-failure=shell .",
    )
}

/// Where a person looks: standard output may go elsewhere, because it holds the image's id.
fn screen() -> Option<OwnedFd> {
    let (err, out) = (io::stderr(), io::stdout());
    if err.is_terminal() {
        return err.as_fd().try_clone_to_owned().ok();
    }
    out.is_terminal().then(|| out.as_fd().try_clone_to_owned().ok())?
}

/// Nobody who reads is no reason to stop the shell.
fn show(stream: Stream, bytes: &[u8]) {
    let _ = match stream {
        Stream::Out => io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()),
        Stream::Err => io::stderr().write_all(bytes),
    };
}
