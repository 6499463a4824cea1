//! From a Dockerfile to the graph: stages in order, everything expanded, the configuration and history written.
//!
//! Pure but for the lookup of images, whose configuration decides about variables, shell and triggers.

mod run;
mod state;
mod transfer;

use std::collections::{BTreeMap, HashMap};

use plimsoll_dockerfile::{
    ArgDefinition, Base, BuildInputs, CommandLine, Dockerfile, GlobalArgs, Instruction, NON_ENV_ARGS,
    Platform, Stage, StageGraph, StageSource, Statement, Word, parse_port, parse_trigger, path::clean,
};
use plimsoll_image::{Empty, History, ImageConfig, LayerId};
use plimsoll_source::{Diagnostic, Source, Span};

use self::state::State;
use crate::{
    config::{DEFAULT_PATH, WINDOWS_PATH, exec_words, healthcheck, healthcheck_text, is_signal},
    graph::{CopyOp, Graph, HistoryItem, ImageOrigin, Node, Op, Place, TreeRef, WorkdirOp},
    request::{ResolveError, ResolvedImage},
};

/// Triggers that bring triggers end somewhere.
const MAX_INSTRUCTIONS: usize = 100_000;

/// What a name that is no stage means.
#[derive(Clone)]
pub(crate) enum Found {
    Image(Box<ResolvedImage>),
    /// A directory of the host, by the name that `--build-context` gave it.
    Directory(String),
    /// No files: `docker-image://scratch`.
    Empty,
}

/// Looks up names that are no stages.
pub(crate) trait Names {
    fn find(&mut self, name: &str, platform: &Platform) -> Result<Found, ResolveError>;

    /// The named context, by the name that `--build-context` gave it, that `name` means before any stage or image.
    fn context(&self, name: &str) -> Option<String>;
}

/// The files that a name leads to, and the configuration of an image.
#[derive(Clone)]
enum Files {
    Image(Option<usize>, Box<ImageConfig>),
    Directory(String),
}

/// Permissions and defaults of the whole build.
pub(crate) struct Options<'a> {
    pub(crate) inputs: &'a BuildInputs,
    /// What `SOURCE_DATE_EPOCH` is where only the global scope has it.
    pub(crate) epoch: Option<String>,
    pub(crate) labels: &'a [(String, String)],
    pub(crate) network: crate::request::Net,
    pub(crate) allow_host_network: bool,
    pub(crate) allow_insecure: bool,
    /// The platform that the result is for, where it was asked for.
    pub(crate) result: Option<&'a Platform>,
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
    let stages = file.graph_with(&globals, &|name| names.context(name).is_some())?;
    let target = file
        .target_index(options.inputs.target.as_deref())
        .map_err(|problem| vec![problem.hint("--call=targets lists the stages")])?;
    let mut lowerer = Lowerer {
        file,
        options,
        globals,
        stages,
        names,
        nodes: Vec::new(),
        done: HashMap::new(),
        found: HashMap::new(),
        images: HashMap::new(),
    };
    let needed = lowerer.needed(target)?;
    let mut notes = notes(file, &lowerer.stages, &needed);
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
    if let Some(platform) = options.result {
        call_by(platform, &mut state.config);
    }
    notes.dedup();
    let nodes = lowerer.nodes;
    Ok(Graph { nodes, result: state.node, config: state.config, history: state.history, notes })
}

/// What is worth saying about a file that is right.
fn notes(file: &Dockerfile, stages: &StageGraph, needed: &[usize]) -> Vec<String> {
    let place = |span: Span| format!("{}:{}", file.source.name(), file.source.line_col(span.start).line);
    let mut notes = Vec::new();
    for &index in needed {
        if let Base::Context(name) = &stages.nodes[index].base {
            let at = place(file.stages[index].span);
            notes.push(format!("{at}: the named context `{name}` takes the place of this stage"));
        }
    }
    if let Some(span) = file.windows_heredoc {
        let at = place(span);
        notes.push(format!(
            "{at}: the file has Windows line ends; the lines of its heredocs are read without them"
        ));
    }
    notes
}

/// The result is for the platform that was asked for, whatever the last stage was built as; the rules are those of
/// BuildKit's frontend (`finalizeResultImage`).
fn call_by(platform: &Platform, config: &mut ImageConfig) {
    let same = config.os == platform.os && config.architecture == platform.architecture;
    config.os.clone_from(&platform.os);
    config.architecture.clone_from(&platform.architecture);
    if !platform.variant.is_empty() || !same {
        config.variant = Some(platform.variant.clone()).filter(|variant| !variant.is_empty());
    }
}

struct Lowerer<'a> {
    file: &'a Dockerfile,
    options: &'a Options<'a>,
    globals: GlobalArgs,
    stages: StageGraph,
    names: &'a mut dyn Names,
    nodes: Vec<Node>,
    done: HashMap<usize, State>,
    /// What names led to, each looked up once.
    found: HashMap<(String, Platform), Found>,
    images: HashMap<(String, Platform), Files>,
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
    /// The stages that `target` needs, in order. ONBUILD triggers of images may need more, so these are looked up first.
    fn needed(&mut self, target: usize) -> Result<Vec<usize>, Vec<Diagnostic>> {
        let mut looked = vec![false; self.stages.nodes.len()];
        loop {
            let needed = self.file.needed_stages(&self.stages, target).map_err(|problem| vec![problem])?;
            let mut further = false;
            for &index in &needed {
                if !std::mem::replace(&mut looked[index], true) {
                    further |= self.look_at_triggers(index)?;
                }
            }
            if !further {
                return Ok(needed);
            }
        }
    }

    /// Notes what the triggers of the image below stage `index` read from. Says whether these are further stages.
    fn look_at_triggers(&mut self, index: usize) -> Result<bool, Vec<Diagnostic>> {
        let (name, asked) = match &self.stages.nodes[index].base {
            Base::Image(name) => (name.clone(), index),
            Base::Stage(base) => match &self.stages.nodes[*base].base {
                Base::Context(name) => (name.clone(), *base),
                _ => return Ok(false),
            },
            Base::Scratch | Base::Context(_) => return Ok(false),
        };
        let place = Place { source: self.file.source.clone(), span: self.file.stages[index].from.span };
        let platform = self.platform(asked);
        let Found::Image(found) = self.find(&name, &platform, &place).map_err(|problem| vec![problem])?
        else {
            return Ok(false);
        };
        let triggers = self.triggers(index, &found.image.config.config.on_build);
        let triggers = triggers.map_err(|problem| vec![problem])?;
        let instructions = triggers.iter().map(|(_, statement)| &statement.value);
        self.file.add_triggers(&mut self.stages, index, instructions)
    }

    fn triggers(&self, stage: usize, texts: &[String]) -> Result<Vec<(Source, Statement)>, Diagnostic> {
        let from = &self.file.stages[stage].from.text;
        let parsed = texts.iter().map(|text| {
            let source = Source::new(format!("ONBUILD of {from}"), text.as_str());
            let statement = parse_trigger(&source).map_err(|mut problems| problems.swap_remove(0))?;
            Ok((source, statement))
        });
        parsed.collect()
    }

    /// What stage `index` is built as.
    fn platform(&self, index: usize) -> Platform {
        let own = self.stages.nodes[index].platform.as_ref();
        own.unwrap_or(&self.options.inputs.target_platform).normalised()
    }

    fn stage(&mut self, index: usize) -> Result<State, Diagnostic> {
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
        let place = Place { source: self.file.source.clone(), span: stage.from.span };
        let (node, config) = match self.files(name, &platform, &title, &place)? {
            Files::Image(node, config) => (node, *config),
            Files::Directory(context) => {
                return Ok(self.directory_stage(name, context, platform, title, place));
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
        title: String,
        place: Place,
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
        self.nodes.push(Node { op: Op::Copy(op), parent: None, title, place: Some(place) });
        state.node = Some(self.nodes.len() - 1);
        state.note(format!("FROM {name} # buildkit"), state.node);
        state
    }

    fn find(&mut self, name: &str, platform: &Platform, place: &Place) -> Result<Found, Diagnostic> {
        let wanted = (name.to_owned(), platform.clone());
        if let Some(found) = self.found.get(&wanted) {
            return Ok(found.clone());
        }
        let found = self.names.find(name, platform).map_err(|error| {
            let problem = Diagnostic::error(error.message).label(&place.source, place.span, "");
            match error.hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            }
        })?;
        self.found.insert(wanted, found.clone());
        Ok(found)
    }

    /// The files of a name that is no stage; those of an image have a node.
    fn files(
        &mut self,
        name: &str,
        platform: &Platform,
        title: &str,
        place: &Place,
    ) -> Result<Files, Diagnostic> {
        let wanted = (name.to_owned(), platform.clone());
        if let Some(known) = self.images.get(&wanted) {
            return Ok(known.clone());
        }
        let found = match self.find(name, platform, place)? {
            Found::Image(found) => found,
            Found::Directory(context) => return Ok(Files::Directory(context)),
            Found::Empty => return Ok(Files::Image(None, Box::new(State::empty(platform.clone()).config))),
        };
        let origin = ImageOrigin { shown: found.shown, digest: found.digest, platform: platform.clone() };
        let layers: Vec<LayerId> = found.image.layers;
        let node = if layers.is_empty() {
            None
        } else {
            let op = Op::Image { name: name.to_owned(), layers, origin };
            self.nodes.push(Node { op, parent: None, title: title.to_owned(), place: Some(place.clone()) });
            Some(self.nodes.len() - 1)
        };
        let mut config = found.image.config;
        config.rootfs = plimsoll_image::RootFs::default();
        config.created = None;
        let files = Files::Image(node, Box::new(config));
        self.images.insert(wanted, files.clone());
        Ok(files)
    }

    /// A stage that is read from was left out: never its empty files instead.
    fn not_built(&self, stage: usize, source: &Source, span: Span) -> Diagnostic {
        let name = &self.stages.nodes[stage].name;
        Diagnostic::error(format!("the stage `{name}` was not built before something reads from it"))
            .label(source, span, "")
            .hint("this is a fault of plimsoll: please report it with the Dockerfile")
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
                // The line that comes later wins, as between any two definitions. The image's own `Env` stays as it is.
                if !NON_ENV_ARGS.contains(&name.as_str()) {
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
            StageSource::Stage(index) => match self.done.get(&index) {
                Some(state) => Ok(state.node.map_or(TreeRef::Empty, TreeRef::Node)),
                None => Err(self.not_built(index, at.source, at.span)),
            },
            StageSource::External(name) if name == "scratch" => Ok(TreeRef::Empty),
            StageSource::External(name) => {
                let title = format!("[internal] files of {name}");
                Ok(match self.files(&name, platform, &title, &at.place())? {
                    Files::Image(node, _) => node.map_or(TreeRef::Empty, TreeRef::Node),
                    Files::Directory(context) => TreeRef::Context(context),
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
