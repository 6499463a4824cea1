//! What is said of a step that failed: its place in the Dockerfile, the cause, the next thing to do.

use std::sync::PoisonError;

use plimsoll_sandbox::SandboxError;
use plimsoll_source::Diagnostic;

use super::{Solver, line_ends};
use crate::{
    copying::CopyError,
    error::{BuildError, FREE_SPACE, is_disk_full, told},
    graph::{Op, TreeRef},
    run::{self, RunError},
    select::SelectError,
};

impl Solver<'_> {
    pub(super) fn problem(&self, node: usize, title: String, hint: Option<&str>) -> Diagnostic {
        let problem = Diagnostic::error(title);
        let problem = match &self.graph.nodes[node].place {
            Some(place) => problem.label(&place.source, place.span, ""),
            None => problem,
        };
        match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }

    pub(super) fn copy_failed(&self, node: usize, error: &CopyError) -> BuildError {
        let hint = match error {
            CopyError::Select(SelectError::NotFound(_)) => {
                let Op::Copy(op) = &self.graph.nodes[node].op else {
                    return self.problem(node, error.to_string(), None).into();
                };
                match &op.from {
                    TreeRef::Context(name) if name.is_empty() => match &self.request.ignore {
                        Some(ignore) => Some(format!(
                            "paths are relative to the context {}; {} may exclude it",
                            self.request.context.display(),
                            ignore.name()
                        )),
                        None => Some(format!(
                            "paths are relative to the context {}",
                            self.request.context.display()
                        )),
                    },
                    _ => None,
                }
            }
            error if is_disk_full(error) => Some(FREE_SPACE.to_owned()),
            _ => None,
        };
        self.problem(node, told(error), hint.as_deref()).into()
    }

    pub(super) fn run_failed(&self, node: usize, error: RunError) -> BuildError {
        match error {
            RunError::Sandbox(SandboxError::Cancelled) => BuildError::Sandbox(SandboxError::Cancelled),
            RunError::Failed { ref tail, ref log, .. } => {
                let mut problem = self.problem(node, error.to_string(), None);
                if !tail.is_empty() {
                    problem = problem.note(format!("its last output:\n{}", tail.join("\n")));
                }
                let step = &self.graph.nodes[node];
                if let Op::Run(op) = &step.op
                    && let Some(cause) = line_ends::of_windows(op, &self.snapshot(step.parent).tree())
                {
                    problem = problem.note(cause);
                }
                let problem = if run::is_full(self.store.root()) {
                    problem
                        .note(format!("the disk of {} is full", self.store.root().display()))
                        .hint(FREE_SPACE)
                } else {
                    problem.hint(format!("the whole output is in {}", log.display()))
                };
                if let (Some(_), RunError::Failed { wreck, .. }) = (&self.request.on_failure, error) {
                    self.wrecks.lock().unwrap_or_else(PoisonError::into_inner).insert(node, wreck);
                }
                problem.into()
            }
            RunError::Foreign(ref platform) => {
                let hint = format!(
                    "cross-compile in a stage FROM --platform=$BUILDPLATFORM and COPY the result, or install an emulator for {} that is registered in /proc/sys/fs/binfmt_misc (Debian: qemu-user-static, or qemu-user-binfmt)",
                    platform.architecture
                );
                self.problem(node, error.to_string(), Some(&hint)).into()
            }
            RunError::DiskFull(_) => self.problem(node, error.to_string(), Some(FREE_SPACE)).into(),
            RunError::SshMissing(ref id) => {
                let hint = format!("give it with --ssh {id}, and SSH_AUTH_SOCK or --ssh {id}=KEY");
                self.problem(node, error.to_string(), Some(&hint)).into()
            }
            RunError::SecretMissing(ref id) => {
                let hint = format!("give it with --secret id={id},src=FILE or --secret id={id},env=VARIABLE");
                self.problem(node, error.to_string(), Some(&hint)).into()
            }
            other => self.problem(node, told(&other), is_disk_full(&other).then_some(FREE_SPACE)).into(),
        }
    }
}
