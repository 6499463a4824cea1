//! Pauses and stops that are always taken back: after the claim, after an error and after Ctrl-C.

use std::sync::{Mutex, PoisonError};

use plimsoll_engine::{Engine, EngineError};

/// What has to be done so that the stack is as before.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Undo {
    Unpause(String),
    Start(String),
}

/// Everything that is disturbed at the moment.
#[derive(Debug)]
pub(crate) struct Disturbances {
    engine: Engine,
    open: Mutex<Vec<Undo>>,
}

impl Disturbances {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, open: Mutex::new(Vec::new()) }
    }

    /// Freezes a container.
    pub(crate) async fn pause(&self, container: &str) -> Result<(), EngineError> {
        // Noted first: a pause whose answer was lost has to be taken back as well.
        self.note(Undo::Unpause(container.to_owned()));
        self.engine.pause_container(container).await
    }

    /// Lets it go on.
    pub(crate) async fn unpause(&self, container: &str) -> Result<(), EngineError> {
        let done = self.engine.unpause_container(container).await;
        self.forget(&Undo::Unpause(container.to_owned()), done)
    }

    /// Stops a container with its own grace period.
    pub(crate) async fn stop(&self, container: &str) -> Result<(), EngineError> {
        self.note(Undo::Start(container.to_owned()));
        self.engine.stop_container(container, None).await
    }

    /// Starts it again.
    pub(crate) async fn start(&self, container: &str) -> Result<(), EngineError> {
        let done = self.engine.start_container(container).await;
        self.forget(&Undo::Start(container.to_owned()), done)
    }

    /// Takes back all that is open; says what could not be.
    pub(crate) async fn undo_all(&self) -> Vec<EngineError> {
        let open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        let mut failures = Vec::new();
        for undo in open.into_iter().rev() {
            let done = match &undo {
                Undo::Unpause(container) => self.engine.unpause_container(container).await,
                Undo::Start(container) => self.engine.start_container(container).await,
            };
            // A container that was not paused after all is in the wanted state.
            if let Err(error) = done
                && !matches!(error, EngineError::Conflict { .. } | EngineError::NotFound { .. })
            {
                failures.push(error);
            }
        }
        failures
    }

    fn note(&self, undo: Undo) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push(undo);
    }

    fn forget(&self, undo: &Undo, done: Result<(), EngineError>) -> Result<(), EngineError> {
        if done.is_ok() {
            self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|open| open != undo);
        }
        done
    }
}
