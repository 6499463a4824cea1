//! Commands at points of a container's life: `pre_start`, `post_start`, `pre_stop`.
//!
//! Which of them have run is known from the state directory: a label cannot be changed, and a run that was killed
//! between a start and its hooks must be followed by one that runs them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use plimsoll_compose::Hook;
use plimsoll_engine::ExecSpec;
use serde::{Deserialize, Serialize};

use crate::files::{private_directory, write_whole};

/// The hooks of a container that exists, as its label has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hooks {
    /// In the container, right after each start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_start: Vec<ExecSpec>,
    /// In the container, before it is asked to end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pre_stop: Vec<ExecSpec>,
}

impl Hooks {
    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.post_start.is_empty() && self.pre_stop.is_empty()
    }

    pub(crate) fn new(post_start: &[Hook], pre_stop: &[Hook]) -> Self {
        Self {
            post_start: post_start.iter().map(command).collect(),
            pre_stop: pre_stop.iter().map(command).collect(),
        }
    }

    pub(crate) fn label(&self) -> String {
        // plain data: it always serialises
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What cannot be read was not written by us: no hooks.
    pub(crate) fn from_label(label: Option<&str>) -> Self {
        label.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

fn command(hook: &Hook) -> ExecSpec {
    ExecSpec {
        command: hook.command.clone().unwrap_or_default(),
        user: hook.user.clone(),
        working_dir: hook.working_dir.clone(),
        env: hook
            .environment
            .0
            .iter()
            .filter_map(|(key, value)| Some(format!("{key}={}", value.as_ref()?)))
            .collect(),
        privileged: hook.privileged,
    }
}

/// A container that runs to its end before a service's container is started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitHook {
    /// The command; the image's if absent.
    pub command: Option<Vec<String>>,
    /// Image, by engine id.
    pub image: String,
    /// User.
    pub user: Option<String>,
    /// Directory.
    pub working_dir: Option<String>,
    /// Variables.
    pub env: std::collections::BTreeMap<String, Option<String>>,
    /// With all privileges.
    pub privileged: bool,
    /// Before each new container, not only before the first.
    pub per_replica: bool,
}

impl InitHook {
    pub(crate) fn new(hook: &Hook, image: String) -> Self {
        Self {
            command: hook.command.clone(),
            image,
            user: hook.user.clone(),
            working_dir: hook.working_dir.clone(),
            env: hook.environment.0.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            privileged: hook.privileged,
            per_replica: hook.per_replica,
        }
    }
}

/// Ids of the containers whose `post_start` hooks have run since their last start.
pub fn hooked(state: &Path) -> BTreeSet<String> {
    fs::read(path(state)).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

fn path(state: &Path) -> PathBuf {
    state.join("hooked.json")
}

/// What a run finds out about it.
pub(crate) struct Hooked {
    state: PathBuf,
    known: Mutex<BTreeSet<String>>,
}

impl Hooked {
    pub(crate) fn load(state: &Path) -> Self {
        Self { state: state.to_owned(), known: Mutex::new(hooked(state)) }
    }

    /// True if nothing has run that could count.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Before a start: the hooks of the last one do not count. After the last hook: they have run.
    pub(crate) fn set(&self, container: &str, done: bool) -> Result<(), crate::StackError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = if done { known.insert(container.to_owned()) } else { known.remove(container) };
        if !changed {
            return Ok(());
        }
        let text = serde_json::to_vec(&*known).unwrap_or_default();
        private_directory(&self.state)?;
        write_whole(&path(&self.state), &text, 0o600, None)
    }
}
