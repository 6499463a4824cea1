//! From a Dockerfile to the graph: stages in order, everything expanded, the configuration and history written.
//!
//! Pure but for the lookup of images, whose configuration decides about variables, shell and triggers.

mod run;
mod transfer;

use std::collections::{BTreeMap, HashMap};

use plimsoll_dockerfile::{
    ArgDefinition, Base, BuildInputs, CommandLine, Dockerfile, GlobalArgs, Instruction, Platform, Stage,
    StageGraph, StageSource, Statement, Word, parse_port, parse_trigger, path::clean,
};
use plimsoll_image::{Empty, History, ImageConfig, LayerId};
use plimsoll_source::{Diagnostic, Source, Span};

use crate::{
    config::{DEFAULT_PATH, WINDOWS_PATH, exec_words, healthcheck, healthcheck_text, is_signal},
    graph::{Graph, HistoryItem, ImageOrigin, Node, Op, Place, TreeRef, WorkdirOp},
    request::{ResolveError, ResolvedImage},
};

/// Triggers that bring triggers end somewhere.
const MAX_INSTRUCTIONS: usize = 100_000;

/// What a name that is no stage means.
pub(crate) enum Found {
    Image(Box<ResolvedImage>),
    /// A directory of the host, given by `--build-context`.
    Directory,
}

/// Looks up names that are no stages.
pub(crate) trait Names {
    fn find(&mut self, name: &str, platform: &Platform) -> Result<Found, ResolveError>;
}

/// Permissions and defaults of the whole build.
pub(crate) struct Options<'a> {
    pub(crate) inputs: &'a BuildInputs,
    /// What `SOURCE_DATE_EPOCH` is where only the global scope has it.
    pub(crate) epoch: Option<String>,
    pub(crate) labels: &'a [(String, String)],
    pub(crate) offline: bool,
    pub(crate) allow_insecure: bool,
}

/// Makes the graph of the target stage.
pub(crate) fn lower(
    file: &Dockerfile,
    options: &Options<'_>,
    names: &mut dyn Names,
) -> Result<Graph, Vec<Diagnostic>> {
    let mut globals = file.global_args(options.inputs).map_err(|problem| vec![problem])?;
    if let Some(epoch) = &options.epoch {
        globals.set(crate::epoch::NAME, epoch);
    }
    let stages = file.graph(&globals)?;
    let target = file
        .target_index(options.inputs.target.as_deref())
        .map_err(|problem| vec![problem.hint("--call=targets lists the stages")])?;
    let needed = file.needed_stages(&stages, target).map_err(|problem| vec![problem])?;
    let mut lowerer = Lowerer {
        file,
        options,
        globals,
        stages,
        names,
        nodes: Vec::new(),
        done: HashMap::new(),
        images: HashMap::new(),
    };
    for index in needed {
        let state = lowerer.stage(index).map_err(|problem| vec![problem])?;
        lowerer.done.insert(index, state);
    }
    let Some(mut state) = lowerer.done.remove(&target) else {
        return Err(vec![Diagnostic::error("the target stage is missing")]);
    };
    for (name, value) in options.labels {
        state.config.config.labels.insert(name.clone(), value.clone());
    }
    Ok(Graph { nodes: lowerer.nodes, result: state.node, config: state.config, history: state.history })
}

struct Lowerer<'a> {
    file: &'a Dockerfile,
    options: &'a Options<'a>,
    globals: GlobalArgs,
    stages: StageGraph,
    names: &'a mut dyn Names,
    nodes: Vec<Node>,
    done: HashMap<usize, State>,
    images: HashMap<(String, Platform), (Option<usize>, ImageConfig)>,
}

/// What a stage is after some of its instructions.
#[derive(Clone)]
struct State {
    /// What its files are for.
    platform: Platform,
    node: Option<usize>,
    config: ImageConfig,
    history: Vec<HistoryItem>,
    /// Variables of RUN and of expansion: ENV and ARG together.
    env: Vec<(String, String)>,
    /// The ARGs so far, for the history of RUN.
    args: Vec<(String, Option<String>)>,
    /// CMD was given in this stage, so that ENTRYPOINT does not reset it.
    own_command: bool,
}

impl State {
    fn new(platform: Platform) -> Self {
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

    fn get(&self, name: &str) -> Option<String> {
        self.env.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    fn set(&mut self, name: &str, value: &str) {
        match self.env.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.env.push((name.to_owned(), value.to_owned())),
        }
    }

    fn note(&mut self, created_by: String, node: Option<usize>) {
        self.history.push(HistoryItem::Instruction { created_by, node });
    }

    fn shell(&self) -> Vec<String> {
        let shell = &self.config.config.shell;
        if shell.is_empty() { vec!["/bin/sh".to_owned(), "-c".to_owned()] } else { shell.clone() }
    }

    fn workdir(&self) -> &str {
        let dir = self.config.config.working_dir.as_str();
        if dir.is_empty() { "/" } else { dir }
    }

    /// `path` as seen from the working directory; a slash at its end stays, and an empty path is that directory.
    fn absolute(&self, path: &str) -> String {
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

/// Where an instruction stands and how its step is called.
struct At<'s> {
    source: &'s Source,
    span: Span,
    escape: char,
    title: String,
}

impl At<'_> {
    fn problem(&self, title: impl Into<String>) -> Diagnostic {
        Diagnostic::error(title).label(self.source, self.span, "")
    }

    fn place(&self) -> Place {
        Place { source: self.source.clone(), span: self.span }
    }
}

impl Lowerer<'_> {
    fn stage(&mut self, index: usize) -> Result<State, Diagnostic> {
        let stage = &self.file.stages[index];
        let node = &self.stages.nodes[index];
        let platform = node.platform.as_ref().unwrap_or(&self.options.inputs.target_platform).normalised();
        // as BuildKit counts: an image is a step, `scratch` and another stage are none
        let first = usize::from(matches!(node.base, Base::Image(_)));
        let mut state = match node.base.clone() {
            Base::Scratch => {
                let mut state = State::new(platform);
                "/".clone_into(&mut state.config.config.working_dir);
                let config = &mut state.config;
                config.os.clone_from(&state.platform.os);
                config.architecture.clone_from(&state.platform.architecture);
                config.variant = Some(state.platform.variant.clone()).filter(|variant| !variant.is_empty());
                state
            }
            Base::Stage(base) => {
                let mut state = self.done.get(&base).cloned().unwrap_or_else(|| State::new(platform));
                state.own_command = false;
                state
            }
            Base::Image(name) => self.image_stage(index, stage, &name, platform)?,
        };
        if state.config.config.env("PATH").is_none() {
            let path = if state.platform.os == "windows" { WINDOWS_PATH } else { DEFAULT_PATH };
            state.config.config.env.push(format!("PATH={path}"));
            state.set("PATH", path);
        }
        let triggers_from_image = std::mem::take(&mut state.config.config.on_build);
        let mut triggers = Vec::new();
        for text in &triggers_from_image {
            let source = Source::new(format!("ONBUILD of {}", stage.from.text), text.as_str());
            let statement = parse_trigger(&source).map_err(|mut problems| problems.swap_remove(0))?;
            triggers.push((source, statement));
        }
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
            let at = At { source, span: statement.span, escape: self.file.escape(), title };
            self.instruction(&mut state, statement, &at)?;
        }
        Ok(state)
    }

    fn shown(&self, state: &State, text: &str) -> String {
        plimsoll_dockerfile::expand_for_display(text, &|name| state.get(name), self.file.escape())
    }

    fn title(&self, stage: usize, number: usize, total: usize, text: &str) -> String {
        let name = match self.stages.nodes.len() {
            1 if self.file.stages[stage].name.is_none() => String::new(),
            _ => format!("{} ", self.stages.nodes[stage].name),
        };
        let width = total.to_string().len();
        let line = text.split('\n').next().unwrap_or_default();
        format!("[{name}{number:>width$}/{total}] {line}")
    }

    fn image_stage(
        &mut self,
        index: usize,
        stage: &Stage,
        name: &str,
        platform: Platform,
    ) -> Result<State, Diagnostic> {
        let total = 1 + stage.instructions.iter().filter(|statement| has_step(&statement.value)).count();
        let title = self.title(index, 1, total, &format!("FROM {name}"));
        let place = Place { source: self.file.source.clone(), span: stage.from.span };
        let Some((node, config)) = self.image(name, &platform, title, &place)? else {
            return Err(Diagnostic::error(format!("the context `{name}` is a directory, not an image"))
                .label(&place.source, place.span, "")
                .hint("FROM needs an image; copy from the context with COPY --from"));
        };
        let mut state = State { node, config, ..State::new(platform) };
        state.history = state.config.history.drain(..).map(HistoryItem::Inherited).collect();
        for pair in &state.config.config.env {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            state.env.push((name.to_owned(), value.to_owned()));
        }
        Ok(state)
    }

    /// The node and configuration of an image; `None` when the name means a directory.
    fn image(
        &mut self,
        name: &str,
        platform: &Platform,
        title: String,
        place: &Place,
    ) -> Result<Option<(Option<usize>, ImageConfig)>, Diagnostic> {
        let wanted = (name.to_owned(), platform.clone());
        if let Some(known) = self.images.get(&wanted) {
            return Ok(Some(known.clone()));
        }
        let found = self.names.find(name, platform).map_err(|error| {
            let problem = Diagnostic::error(error.message).label(&place.source, place.span, "");
            match error.hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            }
        })?;
        let Found::Image(found) = found else { return Ok(None) };
        let origin = ImageOrigin { shown: found.shown, digest: found.digest, platform: platform.clone() };
        let layers: Vec<LayerId> = found.image.layers;
        let node = if layers.is_empty() {
            None
        } else {
            let op = Op::Image { name: name.to_owned(), layers, origin };
            self.nodes.push(Node { op, parent: None, title, place: Some(place.clone()) });
            Some(self.nodes.len() - 1)
        };
        let mut config = found.image.config;
        config.rootfs = plimsoll_image::RootFs::default();
        config.created = None;
        self.images.insert(wanted, (node, config.clone()));
        Ok(Some((node, config)))
    }

    fn push(&mut self, op: Op, parent: Option<usize>, at: &At<'_>) -> usize {
        self.nodes.push(Node { op, parent, title: at.title.clone(), place: Some(at.place()) });
        self.nodes.len() - 1
    }

    fn instruction(
        &mut self,
        state: &mut State,
        statement: &Statement,
        at: &At<'_>,
    ) -> Result<(), Diagnostic> {
        let evaluated = statement
            .value
            .expand(&|name| state.get(name), at.escape)
            .map_err(|error| error.diagnostic(at.source))?;
        let config = &mut state.config.config;
        match evaluated.instruction {
            Instruction::Arg(arg) => return self.arguments(state, &arg.definitions, at),
            Instruction::Env(pairs) => {
                let mut text = "ENV".to_owned();
                for pair in &pairs {
                    let (key, value) = (&pair.key.text, &pair.value.text);
                    if key.is_empty() {
                        return Err(at.problem("ENV names can not be blank"));
                    }
                    text.push_str(&format!(" {key}={value}"));
                    state.config.config.set_env(key, value);
                    state.set(key, value);
                }
                state.note(text, None);
            }
            Instruction::Label(pairs) => {
                let mut text = "LABEL".to_owned();
                for pair in pairs {
                    text.push_str(&format!(" {}={}", pair.key.text, pair.value.text));
                    config.labels.insert(pair.key.text, pair.value.text);
                }
                state.note(text, None);
            }
            Instruction::Maintainer(word) => {
                state.config.author = Some(word.text.clone());
                state.note(format!("MAINTAINER {}", word.text), None);
            }
            Instruction::Cmd(command) => {
                let words = words(&command, &state.shell());
                state.note(format!("CMD {}", exec_words(&words)), None);
                state.config.config.cmd = Some(words);
                // whatever the form: engines on Windows ask for it, and BuildKit's images all have it
                state.config.config.args_escaped = Some(true);
                state.own_command = true;
            }
            Instruction::Entrypoint(command) => {
                let words = words(&command, &state.shell());
                state.note(format!("ENTRYPOINT {}", exec_words(&words)), None);
                state.config.config.entrypoint = Some(words);
                if !state.own_command {
                    state.config.config.cmd = None;
                }
            }
            Instruction::Expose(words) => {
                let mut ports = Vec::new();
                for word in words {
                    let problem = |error: plimsoll_dockerfile::PortError| {
                        Diagnostic::error(error.to_string()).label(at.source, word.span, "")
                    };
                    ports.extend(parse_port(&word.text).map_err(problem)?);
                }
                ports.sort();
                ports.dedup();
                for port in &ports {
                    config.exposed_ports.insert(port.clone(), Empty {});
                }
                state.note(format!("EXPOSE [{}]", ports.join(" ")), None);
            }
            Instruction::Healthcheck(check) => {
                let check = healthcheck(&check);
                state.note(format!("HEALTHCHECK {}", healthcheck_text(&check)), None);
                state.config.config.healthcheck = Some(check);
            }
            Instruction::Onbuild(onbuild) => {
                state.config.config.on_build.push(onbuild.expression);
            }
            Instruction::Shell(words) => {
                config.shell = words.into_iter().map(|word| word.text).collect();
                let text = config.shell.join(" ");
                state.note(format!("SHELL [{text}]"), None);
            }
            Instruction::Stopsignal(word) => {
                if !is_signal(&word.text) {
                    let title = format!("invalid signal: {}", word.text);
                    return Err(Diagnostic::error(title).label(at.source, word.span, ""));
                }
                config.stop_signal = Some(word.text.clone());
                state.note(format!("STOPSIGNAL {}", word.text), None);
            }
            Instruction::User(word) => {
                config.user.clone_from(&word.text);
                state.note(format!("USER {}", word.text), None);
            }
            Instruction::Volume(words) => {
                let paths: Vec<String> = words.into_iter().map(|word| word.text).collect();
                if paths.iter().any(|path| path.trim().is_empty()) {
                    return Err(at.problem("VOLUME specified can not be an empty string"));
                }
                state.note(format!("VOLUME [{}]", paths.join(" ")), None);
                state.config.config.volumes.extend(paths.into_iter().map(|path| (path, Empty {})));
            }
            Instruction::Workdir(word) => self.workdir(state, &word, at)?,
            Instruction::Copy(copy) => self.copy(state, &copy, at)?,
            Instruction::Add(add) => self.add(state, &add, at)?,
            Instruction::Run(run) => self.run(state, &run, at)?,
        }
        Ok(())
    }

    fn arguments(
        &self,
        state: &mut State,
        definitions: &[ArgDefinition],
        at: &At<'_>,
    ) -> Result<(), Diagnostic> {
        let mut text = "ARG".to_owned();
        for definition in definitions {
            let name = &definition.name.text;
            let value = definition
                .value_in_stage(
                    &self.options.inputs.build_args,
                    &self.globals,
                    &|name| state.get(name),
                    at.escape,
                )
                .map_err(|error| {
                    Diagnostic::error(error.to_string()).label(at.source, definition.name.span, "")
                })?;
            text.push_str(&format!(" {name}"));
            if let Some(value) = &value {
                text.push_str(&format!("={value}"));
                // ENV wins over ARG, whichever comes first.
                if state.config.config.env(name).is_none() {
                    state.set(name, value);
                }
            }
            // as in BuildKit's history, an argument stays where it was first
            match state.args.iter_mut().find(|(known, _)| known == name) {
                Some((_, old)) => *old = value,
                None => state.args.push((name.clone(), value)),
            }
        }
        state.note(text, None);
        Ok(())
    }

    fn workdir(&mut self, state: &mut State, word: &Word, at: &At<'_>) -> Result<(), Diagnostic> {
        // As in BuildKit: an absolute path stays as it was written, a relative one is joined and made clean, and an
        // empty one, which a variable that is not set makes, changes nothing.
        let written = match word.text.as_str() {
            "" => state.workdir().to_owned(),
            absolute if absolute.starts_with('/') => absolute.to_owned(),
            relative => clean(&format!("{}/{relative}", state.workdir())),
        };
        let path = clean(&written);
        state.config.config.working_dir.clone_from(&written);
        let node = if path == "/" {
            None
        } else {
            let op = WorkdirOp { path, user: state.config.config.user.clone() };
            let node = self.push(Op::Workdir(op), state.node, at);
            state.node = Some(node);
            Some(node)
        };
        state.note(format!("WORKDIR {written}"), node);
        Ok(())
    }

    /// The files that `--from` names.
    fn tree(&mut self, source: StageSource, platform: &Platform, at: &At<'_>) -> Result<TreeRef, Diagnostic> {
        match source {
            StageSource::Stage(index) => {
                let node = self.done.get(&index).and_then(|state| state.node);
                Ok(node.map_or(TreeRef::Empty, TreeRef::Node))
            }
            StageSource::External(name) if name == "scratch" => Ok(TreeRef::Empty),
            StageSource::External(name) => {
                let title = format!("[internal] files of {name}");
                Ok(match self.image(&name, platform, title, &at.place())? {
                    Some((node, _)) => node.map_or(TreeRef::Empty, TreeRef::Node),
                    None => TreeRef::Context(name),
                })
            }
        }
    }
}

fn has_step(instruction: &Instruction) -> bool {
    matches!(
        instruction,
        Instruction::Run(_) | Instruction::Copy(_) | Instruction::Add(_) | Instruction::Workdir(_)
    )
}

fn words(command: &CommandLine, shell: &[String]) -> Vec<String> {
    match command {
        CommandLine::Exec(words) => words.iter().map(|word| word.text.clone()).collect(),
        CommandLine::Shell(word) => shell.iter().cloned().chain([word.text.clone()]).collect(),
    }
}

/// The build arguments as the dockerfile crate wants them; of two with one name the later wins.
pub(crate) fn build_inputs(args: &[(String, String)], target: Option<&str>) -> BuildInputs {
    let build_args: BTreeMap<String, String> = args.iter().cloned().collect();
    BuildInputs { build_args, target: target.map(str::to_owned), ..BuildInputs::default() }
}

/// The history with its times: each instruction's own, or the build's.
pub(crate) fn history(
    items: &[HistoryItem],
    created: &dyn Fn(usize) -> (String, bool),
    fallback: &str,
) -> Vec<History> {
    let mut last = fallback.to_owned();
    items
        .iter()
        .map(|item| match item {
            HistoryItem::Inherited(history) => history.clone(),
            HistoryItem::Instruction { created_by, node } => {
                let mut empty_layer = true;
                if let Some(node) = node {
                    (last, empty_layer) = created(*node);
                }
                History {
                    created: Some(last.clone()),
                    created_by: Some(created_by.clone()),
                    comment: Some("buildkit.dockerfile.v0".to_owned()),
                    empty_layer,
                    ..History::default()
                }
            }
        })
        .collect()
}
