//! A stage's steps: what it starts from, then the triggers of its image and its own instructions.

use plimsoll_dockerfile::{Base, Instruction, Platform, Stage, Statement};
use plimsoll_source::{Diagnostic, Source};

use super::{Files, Instructed, Lowerer, state::State};
use crate::{
    config::{DEFAULT_PATH, WINDOWS_PATH},
    graph::{CopyOp, HistoryItem, Location, Node, Op, StageStep, Title, TreeRef},
};

/// Triggers that bring triggers end somewhere.
const MAX_INSTRUCTIONS: usize = 100_000;

impl Lowerer<'_> {
    pub(super) fn stage(&mut self, index: usize) -> Result<State, Diagnostic> {
        let stage = &self.file.stages[index];
        let platform = self.platform(index);
        // as BuildKit counts: an image is a step, `scratch` and another stage are none
        let first = usize::from(matches!(self.stages.nodes[index].base, Base::Image(_)));
        let mut state = match self.stages.nodes[index].base.clone() {
            Base::Scratch => State::empty(platform),
            Base::Stage(base) => {
                let mut state = match self.done.get(&base) {
                    Some(state) => state.clone(),
                    None => return Err(self.not_built(base, &self.file.source, stage.from.span)),
                };
                state.own_command = false;
                // As in BuildKit, a stage starts with what the image below it would: its ENV, over the ARGs of the
                // stage that it continues.
                state.set_image_env();
                state
            }
            Base::Image(name) => {
                let steps = stage.instructions.iter().filter(|statement| has_step(&statement.value)).count();
                self.image_stage(index, stage, &name, platform, 1 + steps)?
            }
            Base::Context(name) => return self.image_stage(index, stage, &name, platform, 1),
        };
        if state.config.config.env("PATH").is_none() {
            let path = if state.platform.os == "windows" { WINDOWS_PATH } else { DEFAULT_PATH };
            state.config.config.env.push(format!("PATH={path}"));
            state.set("PATH", path);
        }
        let on_build = std::mem::take(&mut state.config.config.on_build);
        let triggers = self.triggers(index, &on_build)?;
        let own = stage.instructions.iter().map(|statement| (&self.file.source, statement));
        let statements: Vec<(&Source, &Statement)> =
            triggers.iter().map(|(source, statement)| (source, statement)).chain(own).collect();
        if self.nodes.len() + statements.len() > MAX_INSTRUCTIONS {
            return Err(Diagnostic::error("too many instructions").label(&self.file.source, stage.span, ""));
        }
        let total = first + statements.iter().filter(|(_, statement)| has_step(&statement.value)).count();
        let mut number = first;
        for (source, statement) in statements {
            if has_step(&statement.value) {
                number += 1;
            }
            let title = self.title(index, number, total, &self.shown(&state, &statement.text));
            let at = Instructed { source, span: statement.span, escape: self.file.escape(), title };
            self.instruction(&mut state, statement, &at)?;
        }
        Ok(state)
    }

    fn shown(&self, state: &State, text: &str) -> String {
        plimsoll_dockerfile::expand_for_display(text, &|name| state.get(name), self.file.escape())
    }

    /// What a step of a stage is called.
    fn title(&self, stage: usize, index: usize, total: usize, text: &str) -> Title {
        let name = match self.stages.nodes.len() {
            1 if self.file.stages[stage].name.is_none() => None,
            _ => Some(self.stages.nodes[stage].name.clone()),
        };
        let step = StageStep { stage: name, index, total };
        Title {
            platform: None,
            step: Some(step),
            text: text.split('\n').next().unwrap_or_default().to_owned(),
        }
    }

    /// A stage that starts from an image or a named context; `total` is how many steps its titles count.
    fn image_stage(
        &mut self,
        index: usize,
        stage: &Stage,
        name: &str,
        platform: Platform,
        total: usize,
    ) -> Result<State, Diagnostic> {
        let title = self.title(index, 1, total, &format!("FROM {name}"));
        let location = Location { source: self.file.source.clone(), span: stage.from.span };
        let (node, config) = match self.files(name, &platform, &title, &location)? {
            Files::Image(node, config) => (node, *config),
            Files::Directory(context) => {
                return Ok(self.directory_stage(name, context, platform, title, location));
            }
        };
        let mut state = State { node, config, ..State::new(platform) };
        state.history = state.config.history.drain(..).map(HistoryItem::Inherited).collect();
        state.set_image_env();
        Ok(state)
    }

    /// A stage that starts from the files of a directory, which has neither variables nor user.
    fn directory_stage(
        &mut self,
        name: &str,
        context: String,
        platform: Platform,
        title: Title,
        location: Location,
    ) -> State {
        let mut state = State::empty(platform);
        let op = CopyOp {
            from: TreeRef::Context(context),
            paths: vec!["/".to_owned()],
            files: Vec::new(),
            downloads: Vec::new(),
            dest: "/".to_owned(),
            chown: None,
            chmod: None,
            link: false,
            parents: false,
            excludes: Vec::new(),
            unpack: false,
        };
        self.nodes.push(Node { op: Op::Copy(op), parent: None, title, location: Some(location) });
        state.node = Some(self.nodes.len() - 1);
        state.note(format!("FROM {name} # buildkit"), state.node);
        state
    }
}

fn has_step(instruction: &Instruction) -> bool {
    matches!(
        instruction,
        Instruction::Run(_) | Instruction::Copy(_) | Instruction::Add(_) | Instruction::Workdir(_)
    )
}
