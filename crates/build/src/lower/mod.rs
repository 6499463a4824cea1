//! From a Dockerfile to the graph: stages in order, everything expanded, the configuration and history written.
//!
//! Pure but for the lookup of images, whose configuration decides about variables, shell and triggers.

mod history;
mod instruction;
mod needed;
mod run;
mod stage;
mod state;
mod transfer;

use std::collections::{BTreeMap, HashMap};

use plimsoll_dockerfile::{
    Base, BuildInputs, Dockerfile, GlobalArgs, Platform, StageGraph, StageSource, Statement, parse_trigger,
};
use plimsoll_image::{ImageConfig, LayerId};
use plimsoll_source::{Diagnostic, Source, Span};

pub(crate) use self::history::history;
use self::state::State;
use crate::{
    graph::{Graph, ImageOrigin, Location, Node, Op, Title, TreeRef},
    resolve::{ResolveError, ResolvedImage},
};

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
    pub(crate) network: crate::settings::Net,
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

/// An instruction being lowered: its location, and what its step is called.
struct Instructed<'s> {
    source: &'s Source,
    span: Span,
    escape: char,
    title: Title,
}

impl Instructed<'_> {
    fn problem(&self, title: impl Into<String>) -> Diagnostic {
        Diagnostic::error(title).label(self.source, self.span, "")
    }

    fn location(&self) -> Location {
        Location { source: self.source.clone(), span: self.span }
    }
}

impl Lowerer<'_> {
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

    fn find(&mut self, name: &str, platform: &Platform, location: &Location) -> Result<Found, Diagnostic> {
        let wanted = (name.to_owned(), platform.clone());
        if let Some(found) = self.found.get(&wanted) {
            return Ok(found.clone());
        }
        let found = self.names.find(name, platform).map_err(|error| {
            let problem = Diagnostic::error(error.message).label(&location.source, location.span, "");
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
        title: &Title,
        location: &Location,
    ) -> Result<Files, Diagnostic> {
        let wanted = (name.to_owned(), platform.clone());
        if let Some(known) = self.images.get(&wanted) {
            return Ok(known.clone());
        }
        let found = match self.find(name, platform, location)? {
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
            self.nodes.push(Node {
                op,
                parent: None,
                title: title.clone(),
                location: Some(location.clone()),
            });
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

    fn push(&mut self, op: Op, parent: Option<usize>, at: &Instructed<'_>) -> usize {
        self.nodes.push(Node { op, parent, title: at.title.clone(), location: Some(at.location()) });
        self.nodes.len() - 1
    }

    /// The files that `--from` names.
    fn tree(
        &mut self,
        source: StageSource,
        platform: &Platform,
        at: &Instructed<'_>,
    ) -> Result<TreeRef, Diagnostic> {
        match source {
            StageSource::Stage(index) => match self.done.get(&index) {
                Some(state) => Ok(state.node.map_or(TreeRef::Empty, TreeRef::Node)),
                None => Err(self.not_built(index, at.source, at.span)),
            },
            StageSource::External(name) if name == "scratch" => Ok(TreeRef::Empty),
            StageSource::External(name) => {
                let title = Title { platform: None, step: None, text: format!("files of {name}") };
                Ok(match self.files(&name, platform, &title, &at.location())? {
                    Files::Image(node, _) => node.map_or(TreeRef::Empty, TreeRef::Node),
                    Files::Directory(context) => TreeRef::Context(context),
                })
            }
        }
    }
}

/// The build arguments as the dockerfile crate wants them; of two with one name the later wins.
pub(crate) fn build_inputs(args: &[(String, String)], target: Option<&str>) -> BuildInputs {
    let build_args: BTreeMap<String, String> = args.iter().cloned().collect();
    BuildInputs { build_args, target: target.map(str::to_owned), ..BuildInputs::default() }
}
