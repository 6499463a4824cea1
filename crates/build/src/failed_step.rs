//! A RUN that failed, kept as it was left, so that a person can look at it from inside.

use std::{
    fmt, io,
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
};

use plimsoll_image::{LayerDraft, Store};
use plimsoll_sandbox::{
    Cancel, Exit, MountKind, Process, Root, SandboxError, Screen, Stream, run_in_terminal, run_with_input,
};

use crate::{
    error::BuildError,
    layer_writer::copy_root_attributes,
    step_resources::StepResources,
    tree::{Kind, Tree},
};

/// Shells that are looked for, in this order; the step's own is asked first.
const SHELLS: [&str; 7] =
    ["/bin/sh", "/bin/bash", "/bin/ash", "/usr/bin/sh", "/usr/bin/bash", "/busybox/sh", "/bin/busybox"];

/// Hears of the step at which a build fails, before the build ends.
pub trait OnFailure: fmt::Debug + Send + Sync {
    /// Called once, when no other step runs any more. The build fails with `error` whatever happens here.
    fn failed(&self, error: &BuildError, step: &mut FailedStep);
}

/// A step that failed: its files as its command left them, its mounts, variables, secrets, user and network.
///
/// What is done in it is gone with it: nothing reaches a layer, a key or the cache. Only cache mounts keep what is
/// written to them, as they do in every step. Mounts of type tmpfs are empty again.
pub struct FailedStep {
    step: Process,
    /// The command's own program, when that is a shell.
    shell: Option<String>,
    /// What the failed command wrote; below everything that follows.
    left: LayerDraft,
    resources: StepResources,
    store: Store,
}

impl fmt::Debug for FailedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailedStep").field("argv", &self.step.argv).finish_non_exhaustive()
    }
}

/// With what a shell is joined.
pub enum Attach<'a> {
    /// A person's terminal: the shell gets a terminal of its own, joined with it.
    Terminal(Screen<'a>),
    /// A file of commands, or a pipe, and who receives what the shell says.
    Input(BorrowedFd<'a>, &'a mut dyn FnMut(Stream, &[u8])),
}

/// Why a failed step could not be entered.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// There is nothing that could read commands.
    #[error("the image has no shell: none of {} is there", SHELLS.join(", "))]
    NoShell,
    /// The files that the step left cannot be used.
    #[error("cannot prepare {}: {source}", path.display())]
    Io {
        /// The file or directory that could not be used.
        path: PathBuf,
        /// What the operating system answered to the call.
        #[source]
        source: io::Error,
    },
    /// No room for what the shell writes.
    #[error(transparent)]
    Store(#[from] plimsoll_image::StoreError),
    /// The shell could not be started, or was stopped.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

impl FailedStep {
    pub(crate) fn new(step: Process, left: LayerDraft, resources: StepResources, store: &Store) -> Self {
        let shell = step.argv.first().filter(|program| is_shell(program)).cloned();
        Self { step, shell, left, resources, store: store.clone() }
    }

    /// The build's own cancel has stopped the other steps; what a person started is stopped by this one.
    pub(crate) fn stop_with(&mut self, cancel: Option<Cancel>) {
        self.step.cancel = cancel;
    }

    /// Runs a shell in the step and waits for its end. Without `shell`, it is the one of the step's own command, else
    /// the first one that the image has.
    ///
    /// # Errors
    /// When the image has none, or it cannot be started, or the build is stopped meanwhile.
    pub fn enter(&mut self, shell: Option<&str>, attach: Attach<'_>) -> Result<Exit, EnterError> {
        let argv = match shell {
            Some(shell) => vec![shell.to_owned()],
            None => self.find_shell().ok_or(EnterError::NoShell)?,
        };
        let mut step = self.step.clone();
        step.argv = argv;
        self.on_top(&mut step)?;
        Ok(match attach {
            Attach::Terminal(screen) => {
                if let (false, Ok(kind)) =
                    (step.env.iter().any(|(name, _)| name == "TERM"), std::env::var("TERM"))
                {
                    step.env.push(("TERM".to_owned(), kind));
                }
                run_in_terminal(&step, screen)?
            }
            Attach::Input(input, output) => run_with_input(&step, input, output)?,
        })
    }

    fn lowers(&self) -> Vec<PathBuf> {
        std::iter::once(&self.left.fs).chain(&self.step.root.lowers).cloned().collect()
    }

    /// Everything that the step could write to becomes the lower part of something new: an overlay that was mounted
    /// once does not take its upper directory a second time.
    fn on_top(&mut self, step: &mut Process) -> Result<(), EnterError> {
        let draft = self.store.begin_layer()?;
        copy_root_attributes(&draft.fs, &self.left.fs)
            .map_err(|source| EnterError::Io { path: draft.fs.clone(), source })?;
        step.root = Root { lowers: self.lowers(), upper: draft.fs.clone(), work: draft.work.clone() };
        self.resources.drafts.push(draft);
        for mount in &mut step.mounts {
            if let MountKind::Layers { lowers, scratch: Some((upper, work)), .. } = &mut mount.kind {
                let draft = self.store.begin_layer()?;
                copy_root_attributes(&draft.fs, upper)
                    .map_err(|source| EnterError::Io { path: draft.fs.clone(), source })?;
                lowers.insert(0, std::mem::replace(upper, draft.fs.clone()));
                work.clone_from(&draft.work);
                self.resources.drafts.push(draft);
            }
        }
        Ok(())
    }

    fn find_shell(&self) -> Option<Vec<String>> {
        let tree = Tree::layers(self.lowers());
        let is_there = |path: &str| {
            let node = tree.lookup(Path::new(path), true).ok().flatten();
            node.is_some_and(|node| node.kind == Kind::File && node.mode & 0o111 != 0)
        };
        if let Some(shell) = &self.shell
            && (!shell.starts_with('/') || is_there(shell))
        {
            return Some(vec![shell.clone()]);
        }
        let found = SHELLS.iter().find(|path| is_there(path))?;
        let applet = found.ends_with("/busybox").then(|| "sh".to_owned());
        Some(std::iter::once((*found).to_owned()).chain(applet).collect())
    }
}

fn is_shell(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or_default();
    matches!(name, "sh" | "bash" | "ash" | "dash" | "zsh" | "ksh" | "mksh")
}
