//! Which containers have passed their health check by our own probe, while the engine still waits for its first one.
//! Without this an `up` right after an `up` would probe them again.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use plimsoll_engine::ContainerDetail;

use crate::files::{private_directory, write_whole};

/// Container id to the start of the run that was proved: another run has to prove itself again.
type Known = BTreeMap<String, String>;

/// What is known of one project.
pub(crate) struct Proved {
    path: PathBuf,
    known: Mutex<(Known, bool)>,
}

impl Proved {
    /// Reads what earlier runs found; what cannot be read is not known.
    pub(crate) fn load(state: &Path) -> Self {
        let path = state.join("ready.json");
        let known =
            fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { path, known: Mutex::new((known, false)) }
    }

    pub(crate) fn has(&self, container: &ContainerDetail) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.0.get(&container.id) == Some(&container.started)
    }

    pub(crate) fn note(&self, container: &ContainerDetail) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.0.insert(container.id.clone(), container.started.clone());
        known.1 = true;
    }

    /// Writes it down. A failure costs the next run some probes and nothing else.
    pub(crate) fn save(&self) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let ((map, true), Some(state)) = (&*known, self.path.parent())
            && let Ok(text) = serde_json::to_vec(map)
            && private_directory(state).is_ok()
        {
            let _ = write_whole(&self.path, &text, 0o600, None);
        }
    }
}
