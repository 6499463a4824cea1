//! What is said of a step that failed: its place in the Dockerfile, the cause, the next thing to do.

use std::sync::PoisonError;

use plimsoll_sandbox::SandboxError;
use plimsoll_source::{Diagnostic, FREE_SPACE, is_disk_full};

use super::{Solver, line_ends};
use crate::{
    copying::CopyError,
    error::{BuildError, told},
    graph::{Op, RunMount, TreeRef},
    layer_writer::LayerError,
    request::NamedContext,
    run::{self, RunError},
    select::SelectError,
};

impl Solver<'_> {
    pub(super) fn problem(&self, node: usize, title: String, hint: Option<&str>) -> Diagnostic {
        let problem = Diagnostic::error(title);
        let problem = match &self.graph.nodes[node].location {
            Some(location) => problem.label(&location.source, location.span, ""),
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
                self.about_context(&op.from)
            }
            CopyError::Layer(LayerError::NotADirectory { path, is }) if is.starts_with("a link") => {
                let at = path.display();
                Some(format!(
                    "a directory does not take the place of a link: copy what is in it into what the link leads to, \
                     COPY SOURCE/{at}/ /{at}/"
                ))
            }
            error if is_disk_full(error) => Some(FREE_SPACE.to_owned()),
            _ => None,
        };
        self.problem(node, told(error), hint.as_deref()).into()
    }

    /// Where paths of a context begin, and what may exclude them. Other sources need no words.
    fn about_context(&self, from: &TreeRef) -> Option<String> {
        let TreeRef::Context(name) = from else { return None };
        if name.is_empty() {
            let context = self.request.context.display();
            return Some(match &self.request.ignore {
                Some(ignore) => {
                    format!("paths are relative to the context {context}; {} may exclude it", ignore.name())
                }
                None => format!("paths are relative to the context {context}"),
            });
        }
        let excludes = self.contexts.get(name).is_some_and(|tree| !tree.ignores_nothing());
        let folder = self.request.contexts.iter().find_map(|(context, what)| match what {
            NamedContext::Directory(path) if context == name => Some(path),
            // one that was fetched lies where nobody looks for it
            _ => None,
        });
        let mut hint = format!("paths are relative to the context {name}");
        if let Some(folder) = folder {
            hint.push_str(&format!(", {}", folder.display()));
        }
        if excludes {
            hint.push_str("; its .dockerignore may exclude it");
        }
        Some(hint)
    }

    /// As [`Self::about_context`], for the mount of a RUN that names this path.
    fn about_mounted(&self, node: usize, path: &str) -> Option<String> {
        let Op::Run(op) = &self.graph.nodes[node].op else { return None };
        op.mounts.iter().find_map(|mount| match mount {
            RunMount::Bind { from, source, .. } | RunMount::Cache { seed: Some((from, source)), .. }
                if source == path =>
            {
                self.about_context(from)
            }
            _ => None,
        })
    }

    pub(super) fn run_failed(&self, node: usize, error: RunError) -> BuildError {
        match error {
            RunError::Sandbox(SandboxError::Cancelled) => BuildError::Sandbox(SandboxError::Cancelled),
            RunError::Failed { ref excerpt, ref log, .. } => {
                let mut problem = self.problem(node, error.to_string(), None);
                if !excerpt.is_empty() {
                    problem = problem.note(format!("its last output:\n{}", excerpt.join("\n")));
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
                if let (Some(_), RunError::Failed { step, .. }) = (&self.request.on_failure, error) {
                    self.failed_steps.lock().unwrap_or_else(PoisonError::into_inner).insert(node, step);
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
            RunError::MountOnOther { what, .. } => {
                let hint = match what {
                    "a file" => "name the file itself: target=DIRECTORY/NAME",
                    _ => "mount it on a directory, or on a path that is not there yet",
                };
                self.problem(node, error.to_string(), Some(hint)).into()
            }
            RunError::Select(SelectError::NotFound(ref path)) => {
                let hint = self.about_mounted(node, path);
                self.problem(node, error.to_string(), hint.as_deref()).into()
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
