//! A stage while it is lowered: its variables, its configuration and its history so far.

use plimsoll_dockerfile::{Platform, path::clean};
use plimsoll_image::ImageConfig;

use crate::graph::HistoryItem;

/// What a stage is after some of its instructions.
#[derive(Clone)]
pub(super) struct State {
    /// What its files are for.
    pub(super) platform: Platform,
    pub(super) node: Option<usize>,
    pub(super) config: ImageConfig,
    pub(super) history: Vec<HistoryItem>,
    /// Variables of RUN and of expansion: ENV and ARG together.
    pub(super) env: Vec<(String, String)>,
    /// The ARGs so far, for the history of RUN.
    pub(super) args: Vec<(String, Option<String>)>,
    /// CMD was given in this stage, so that ENTRYPOINT does not reset it.
    pub(super) own_command: bool,
}

impl State {
    pub(super) fn new(platform: Platform) -> Self {
        Self {
            platform,
            node: None,
            config: ImageConfig::default(),
            history: Vec::new(),
            env: Vec::new(),
            args: Vec::new(),
            own_command: false,
        }
    }

    /// What `FROM scratch` starts with.
    pub(super) fn empty(platform: Platform) -> Self {
        let mut state = Self::new(platform);
        "/".clone_into(&mut state.config.config.working_dir);
        let config = &mut state.config;
        config.os.clone_from(&state.platform.os);
        config.architecture.clone_from(&state.platform.architecture);
        config.variant = Some(state.platform.variant.clone()).filter(|variant| !variant.is_empty());
        state
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.env.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        match self.env.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.env.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Variables have the values that the image's configuration gives them.
    pub(super) fn set_image_env(&mut self) {
        for pair in std::mem::take(&mut self.config.config.env) {
            let (name, value) = pair.split_once('=').unwrap_or((&pair, ""));
            self.set(name, value);
            self.config.config.env.push(pair);
        }
    }

    pub(super) fn note(&mut self, created_by: String, node: Option<usize>) {
        self.history.push(HistoryItem::Instruction { created_by, node });
    }

    pub(super) fn shell(&self) -> Vec<String> {
        let shell = &self.config.config.shell;
        if shell.is_empty() { vec!["/bin/sh".to_owned(), "-c".to_owned()] } else { shell.clone() }
    }

    pub(super) fn workdir(&self) -> &str {
        let dir = self.config.config.working_dir.as_str();
        if dir.is_empty() { "/" } else { dir }
    }

    /// `path` as seen from the working directory; a slash at its end stays, and an empty path is that directory.
    pub(super) fn absolute(&self, path: &str) -> String {
        let joined =
            if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", self.workdir()) };
        let mut cleaned = clean(&joined);
        let directory = matches!(path, "" | ".") || path.ends_with('/') || path.ends_with("/.");
        if directory && !cleaned.ends_with('/') {
            cleaned.push('/');
        }
        cleaned
    }
}
