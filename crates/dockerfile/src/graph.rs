//! Which stage needs which: bases, `COPY --from` and `RUN --mount=from=`.
use std::collections::HashMap;

use plimsoll_source::{Diagnostic, Span};

use crate::{Dockerfile, GlobalArgs, Instruction, Platform, expand, quote::quote, suggest};

/// How many dependencies all stages may have together; each stage repeats those of its base's ONBUILD triggers.
const MAX_DEPENDENCIES: usize = 200_000;

/// The stages of a Dockerfile with their names resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageGraph {
    /// One for each stage, in order.
    pub nodes: Vec<StageNode>,
}

/// One stage, with what it is built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageNode {
    /// What it starts from.
    pub base: Base,
    /// `--platform` of its FROM.
    pub platform: Option<Platform>,
    /// The stages and images that its instructions (and the ONBUILD triggers of its base stage) read from.
    pub dependencies: Vec<Dependency>,
    /// Its name, or `stage-N`.
    pub name: String,
}

/// What a stage starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// Nothing: `FROM scratch`.
    Scratch,
    /// An earlier stage.
    Stage(usize),
    /// An image (or a named context of the build), expanded, as it was written.
    Image(String),
    /// The named context of the build that takes the place of the whole stage, by the stage's name. The stage's own
    /// base and instructions mean nothing then.
    Context(String),
}

/// A stage on the path of the search for circles: its index, what is still to be followed from it, and the
/// instruction that is being followed (a default span for its base).
type Visit = (usize, Vec<(usize, Option<Span>)>, Span);

/// Where an instruction reads from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageSource {
    /// A stage of the same file, by its index.
    Stage(usize),
    /// An image or a named context.
    External(String),
}

/// One use of a stage or image by an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The index of the instruction in its stage; `None` for a trigger of the base stage.
    pub instruction: Option<usize>,
    /// The stage or image whose files are read.
    pub source: StageSource,
    /// The name and, as it was written, the target of a mount; `None` for a copy.
    pub mount: Option<(String, String)>,
    /// The instruction that reads from it.
    pub span: Span,
}

impl Dockerfile {
    /// The index of the stage called `name` (case does not matter); of several, the last one.
    pub fn stage_index(&self, name: &str) -> Option<usize> {
        let name = name.to_lowercase();
        self.stages.iter().rposition(|stage| stage.name.as_ref().is_some_and(|word| word.text == name))
    }

    /// The stage to build: the one called `target`, or the last one.
    pub fn target_index(&self, target: Option<&str>) -> Result<usize, Diagnostic> {
        let Some(target) = target.filter(|target| !target.is_empty()) else {
            return Ok(self.stages.len().saturating_sub(1));
        };
        self.stage_index(target).ok_or_else(|| {
            let names = self.stages.iter().filter_map(|stage| Some(stage.name.as_ref()?.text.as_str()));
            let title = format!("target stage {} could not be found", quote(target));
            Diagnostic::error(suggest::with_suggestion(title, target, names, false))
        })
    }

    /// What `COPY --from=` names: a stage by number or name, else an image or named context.
    pub fn copy_source(&self, from: &str) -> Result<StageSource, String> {
        self.copy_source_with(from, |name| self.stage_index(name))
    }

    fn copy_source_with(
        &self,
        from: &str,
        find: impl Fn(&str) -> Option<usize>,
    ) -> Result<StageSource, String> {
        let digits = from.strip_prefix(['-', '+']).unwrap_or(from);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let unexpanded =
                expand(from, &|_| None, self.escape()).is_ok_and(|expanded| expanded.text == from);
            if !unexpanded {
                return Err(
                    "variable expansion is not supported for --from, define a new stage with FROM using \
                            ARG from global scope as a workaround"
                        .to_owned(),
                );
            }
            return Ok(source_with(from, find));
        }
        match from.parse::<usize>() {
            Ok(index) if index < self.stages.len() => Ok(StageSource::Stage(index)),
            _ => Err(format!("invalid stage index {from}")),
        }
    }

    /// What `RUN --mount=from=` names: a stage by name, else an image or named context. Numbers are no stages here.
    pub fn mount_source(&self, from: &str) -> StageSource {
        source_with(from, |name| self.stage_index(name))
    }

    /// Resolves bases, platforms and dependencies of all stages. The error has every problem found.
    pub fn graph(&self, globals: &GlobalArgs) -> Result<StageGraph, Vec<Diagnostic>> {
        self.graph_with(globals, &|_| false)
    }

    /// As [`Dockerfile::graph`] for a build with named contexts: `replaced` says whether one of them takes the place of
    /// the stage with this name.
    pub fn graph_with(
        &self,
        globals: &GlobalArgs,
        replaced: &dyn Fn(&str) -> bool,
    ) -> Result<StageGraph, Vec<Diagnostic>> {
        let mut builder = Builder::new(self);
        builder.by_name.extend(self.named_stages());
        let mut earlier = HashMap::new();
        let mut nodes = Vec::new();
        for (index, stage) in self.stages.iter().enumerate() {
            let context = stage.name.as_ref().filter(|name| replaced(&name.text));
            let base = match (context, self.base_name(index, globals)) {
                (Some(name), _) => Base::Context(name.text.clone()),
                (None, Ok(name)) => base(name, &earlier),
                (None, Err(problem)) => {
                    builder.problems.push(problem);
                    Base::Scratch
                }
            };
            let platform = self.stage_platform(index, globals).unwrap_or_else(|problem| {
                builder.problems.push(problem);
                None
            });
            let dependencies = builder.stage(index, &base, &nodes);
            let name = stage.name.as_ref().map_or_else(|| format!("stage-{index}"), |name| name.text.clone());
            nodes.push(StageNode { base, platform, dependencies, name });
            earlier.extend(stage.name.as_ref().map(|name| (name.text.as_str(), index)));
        }
        let mut problems = builder.problems;
        let graph = StageGraph { nodes };
        problems.extend(self.find_cycle(&graph));
        if problems.is_empty() { Ok(graph) } else { Err(problems) }
    }

    /// Adds what the ONBUILD triggers of an image read from to the dependencies of stage `index`, which is based on that
    /// image. Says whether the stage reads from further stages now; these are needed too.
    pub fn add_triggers<'t>(
        &self,
        graph: &mut StageGraph,
        index: usize,
        triggers: impl IntoIterator<Item = &'t Instruction>,
    ) -> Result<bool, Vec<Diagnostic>> {
        let from = self.stages[index].from.span;
        let mut builder = Builder { place: Some(from), ..Builder::new(self) };
        builder.by_name.extend(self.named_stages());
        builder.dependencies = graph.nodes.iter().map(|node| node.dependencies.len()).sum();
        let mut found = Vec::new();
        for trigger in triggers {
            builder.instruction(trigger, None, from, &mut found);
        }
        let further = found.iter().any(|dependency| matches!(dependency.source, StageSource::Stage(_)));
        graph.nodes[index].dependencies.splice(0..0, found);
        let mut problems = builder.problems;
        if further {
            problems.extend(self.find_cycle(graph));
        }
        if problems.is_empty() { Ok(further) } else { Err(problems) }
    }

    fn find_cycle(&self, graph: &StageGraph) -> Option<Diagnostic> {
        graph.cycle().map(|path| self.cycle_message(graph, &path))
    }

    fn named_stages(&self) -> impl Iterator<Item = (&str, usize)> {
        self.stages
            .iter()
            .enumerate()
            .filter_map(|(index, stage)| Some((stage.name.as_ref()?.text.as_str(), index)))
    }

    /// The expanded base of stage `index`.
    pub(crate) fn base_name(&self, index: usize, globals: &GlobalArgs) -> Result<String, Diagnostic> {
        let from = &self.stages[index].from;
        let problem = |title: String| Diagnostic::error(title).label(&self.source, from.span, "");
        let expanded = expand(&from.text, &|name| globals.get(name).map(str::to_owned), self.escape());
        let name = expanded.map_err(|error| problem(error.to_string()))?.text;
        if name.is_empty() {
            let hint = "give the variable a default value in an ARG before the first FROM";
            return Err(problem(format!("base name ({}) should not be blank", from.text)).hint(hint));
        }
        Ok(name)
    }

    /// The platform that the FROM of stage `index` asks for.
    pub(crate) fn stage_platform(
        &self,
        index: usize,
        globals: &GlobalArgs,
    ) -> Result<Option<Platform>, Diagnostic> {
        let Some(word) = &self.stages[index].platform else { return Ok(None) };
        let problem = |title: String| Diagnostic::error(title).label(&self.source, word.span, "");
        let expanded = expand(&word.text, &|name| globals.get(name).map(str::to_owned), self.escape())
            .map_err(|error| {
                problem(format!("failed to process arguments for platform {}: {error}", word.text))
            })?;
        // The first variable that looks like a slip of the pen.
        let suggested = |title: String| {
            let names = globals.names();
            expanded
                .unmatched
                .iter()
                .find_map(|name| suggest::nearest(name, names.iter().copied(), false))
                .map_or_else(|| title.clone(), |name| format!("{title} (did you mean {name}?)"))
        };
        if expanded.text.is_empty() {
            return Err(problem(suggested(format!("empty platform value from expression {}", word.text))));
        }
        match Platform::parse(&expanded.text) {
            Ok(platform) => Ok(Some(platform)),
            Err(error) => Err(problem(suggested(format!("failed to parse platform {}: {error}", word.text)))),
        }
    }

    fn cycle_message(&self, graph: &StageGraph, path: &[(usize, Span)]) -> Diagnostic {
        let name = path.first().map_or("", |(stage, _)| &graph.nodes[*stage].name);
        path.iter().fold(
            Diagnostic::error(format!("circular dependency detected on stage: {name}")),
            |message, (stage, span)| {
                message.label(&self.source, *span, format!("`{}` reads from here", graph.nodes[*stage].name))
            },
        )
    }

    /// The stages that `target` needs, itself included, in an order in which they can be built.
    pub fn needed_stages(&self, graph: &StageGraph, target: usize) -> Result<Vec<usize>, Diagnostic> {
        let needed = graph.needed(target);
        for &index in &needed {
            for dependency in &graph.nodes[index].dependencies {
                if let StageSource::Stage(source) = dependency.source
                    && source > index
                {
                    let title = match &dependency.mount {
                        Some((from, target)) => format!(
                            "cannot mount from stage {} to {}, stage needs to be defined before current command",
                            quote(from),
                            quote(target)
                        ),
                        None => format!(
                            "cannot copy from stage {}, it needs to be defined before current stage {}",
                            quote(&graph.nodes[source].name),
                            quote(&graph.nodes[index].name)
                        ),
                    };
                    return Err(Diagnostic::error(title).label(&self.source, dependency.span, ""));
                }
            }
        }
        Ok(needed)
    }
}

/// What `name` in FROM means. Unlike everywhere else, case matters: the names of stages are lower case, and the base
/// is taken as it is written.
fn base(name: String, earlier: &HashMap<&str, usize>) -> Base {
    match earlier.get(name.as_str()) {
        Some(stage) => Base::Stage(*stage),
        None if name == "scratch" => Base::Scratch,
        None => Base::Image(name),
    }
}

fn source_with(from: &str, find: impl Fn(&str) -> Option<usize>) -> StageSource {
    find(from).map_or_else(|| StageSource::External(from.to_owned()), StageSource::Stage)
}

/// Collects dependencies.
struct Builder<'d> {
    dockerfile: &'d Dockerfile,
    /// The last stage of each name.
    by_name: HashMap<&'d str, usize>,
    problems: Vec<Diagnostic>,
    /// How many there are so far.
    dependencies: usize,
    /// Where problems are shown; at the word itself without it, which only works for words of the Dockerfile.
    place: Option<Span>,
}

impl<'d> Builder<'d> {
    fn new(dockerfile: &'d Dockerfile) -> Self {
        Self { dockerfile, by_name: HashMap::new(), problems: Vec::new(), dependencies: 0, place: None }
    }

    /// The dependencies of stage `index`, those of its base's triggers first. `earlier` are the stages before it.
    fn stage(&mut self, index: usize, base: &Base, earlier: &[StageNode]) -> Vec<Dependency> {
        let mut found = Vec::new();
        let dockerfile = self.dockerfile;
        if matches!(base, Base::Context(_)) {
            return found;
        }
        if let Base::Stage(base) = base
            && !matches!(earlier[*base].base, Base::Context(_))
            && self.dependencies <= MAX_DEPENDENCIES
        {
            for statement in &dockerfile.stages[*base].instructions {
                if let Instruction::Onbuild(onbuild) = &statement.value
                    && let Some(trigger) = &onbuild.trigger
                {
                    self.instruction(trigger, None, statement.span, &mut found);
                }
            }
        }
        for (number, statement) in dockerfile.stages[index].instructions.iter().enumerate() {
            self.instruction(&statement.value, Some(number), statement.span, &mut found);
        }
        found
    }

    fn instruction(
        &mut self,
        value: &Instruction,
        instruction: Option<usize>,
        span: Span,
        found: &mut Vec<Dependency>,
    ) {
        if self.dependencies > MAX_DEPENDENCIES {
            return;
        }
        let source = &self.dockerfile.source;
        let find = |name: &str| self.by_name.get(name.to_lowercase().as_str()).copied();
        let before = found.len();
        match value {
            Instruction::Copy(copy) => {
                let Some(from) = &copy.from else { return };
                match self.dockerfile.copy_source_with(&from.text, find) {
                    Ok(source) => found.push(Dependency { instruction, source, mount: None, span }),
                    Err(title) => {
                        let place = self.place.unwrap_or(from.span);
                        self.problems.push(Diagnostic::error(title).label(source, place, ""));
                    }
                }
            }
            Instruction::Run(run) => {
                let mounts = run.mounts.iter().filter_map(|mount| Some((mount.from()?, mount.target())));
                found.extend(mounts.map(|(name, target)| Dependency {
                    instruction,
                    source: source_with(name, find),
                    mount: Some((name.to_owned(), target.unwrap_or_default().to_owned())),
                    span,
                }));
            }
            _ => {}
        }
        self.dependencies += found.len() - before;
        if self.dependencies > MAX_DEPENDENCIES {
            let title = format!("the stages read from one another more than {MAX_DEPENDENCIES} times");
            self.problems.push(Diagnostic::error(title).label(source, span, ""));
        }
    }
}

impl StageGraph {
    /// The stages that `target` needs, itself included, in ascending order.
    pub fn needed(&self, target: usize) -> Vec<usize> {
        let mut seen = vec![false; self.nodes.len()];
        let mut todo = vec![target];
        while let Some(index) = todo.pop() {
            if let Some(seen) = seen.get_mut(index)
                && !std::mem::replace(seen, true)
            {
                todo.extend(self.sources(index).map(|(source, _)| source));
            }
        }
        (0..seen.len()).filter(|index| seen[*index]).collect()
    }

    /// The stages that stage `index` reads from, with the instruction; its base comes first and has none.
    fn sources(&self, index: usize) -> impl Iterator<Item = (usize, Option<Span>)> {
        let node = &self.nodes[index];
        let base = match node.base {
            Base::Stage(base) => Some((base, None)),
            _ => None,
        };
        base.into_iter().chain(node.dependencies.iter().filter_map(|dependency| match dependency.source {
            StageSource::Stage(source) => Some((source, Some(dependency.span))),
            StageSource::External(_) => None,
        }))
    }

    /// A circle of stages that copy from one another, with the instructions that close it.
    fn cycle(&self) -> Option<Vec<(usize, Span)>> {
        // 0: not seen, 1: on the path, 2: done. An explicit stack, because a file may have thousands of stages.
        let mut state = vec![0_u8; self.nodes.len()];
        for start in 0..self.nodes.len() {
            if state[start] != 0 {
                continue;
            }
            let mut path: Vec<Visit> = Vec::new();
            state[start] = 1;
            path.push((start, self.sources(start).collect(), Span::default()));
            while let Some((index, todo, via)) = path.last_mut() {
                let Some((source, span)) = todo.pop() else {
                    state[*index] = 2;
                    path.pop();
                    continue;
                };
                *via = span.unwrap_or_default();
                match state[source] {
                    1 => {
                        let first = path.iter().position(|(index, ..)| *index == source).unwrap_or(0);
                        let edges = path[first..].iter().map(|(index, _, via)| (*index, *via));
                        return Some(edges.filter(|(_, via)| *via != Span::default()).collect());
                    }
                    0 => {
                        state[source] = 1;
                        path.push((source, self.sources(source).collect(), Span::default()));
                    }
                    _ => {}
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_source::Source;

    use super::*;
    use crate::{BuildInputs, parse};

    fn graph(text: &str) -> Result<(Dockerfile, StageGraph), Vec<String>> {
        let dockerfile = parse(&Source::new("Dockerfile", text)).unwrap();
        let globals = dockerfile.global_args(&BuildInputs::default()).unwrap();
        let titles =
            |problems: Vec<Diagnostic>| problems.into_iter().map(|problem| problem.title).collect::<Vec<_>>();
        let graph = dockerfile.graph(&globals).map_err(titles)?;
        Ok((dockerfile, graph))
    }

    #[test]
    fn only_what_the_target_needs_in_order() {
        let text = "ARG BASE=deps\nFROM node AS Deps\nFROM node AS unused\nFROM $BASE AS check\n\
            FROM deps AS build\nCOPY --from=CHECK /ok /ok\nRUN --mount=type=bind,from=tools true\n\
            FROM scratch\nCOPY --from=3 / /\n";
        let (dockerfile, graph) = graph(text).unwrap();
        assert_eq!(dockerfile.needed_stages(&graph, 4).unwrap(), [0, 2, 3, 4]);
        assert_eq!(
            dockerfile.needed_stages(&graph, dockerfile.target_index(Some("CHECK")).unwrap()).unwrap(),
            [0, 2]
        );
        assert_eq!(graph.nodes[0].base, Base::Image("node".to_owned()));
        assert_eq!(graph.nodes[3].dependencies[1].source, StageSource::External("tools".to_owned()));
        let missing = dockerfile.target_index(Some("chek")).unwrap_err().title;
        assert_eq!(missing, "target stage \"chek\" could not be found (did you mean check?)");
    }

    #[test]
    fn a_named_context_takes_the_place_of_a_stage() {
        let text = "FROM far/away AS src\nCOPY --from=other /x /x\nONBUILD COPY --from=other /x /x\n\
            FROM far/other AS other\nFROM src AS child\nFROM scratch\nCOPY --from=0 / /\nCOPY --from=child / /\n";
        let dockerfile = parse(&Source::new("Dockerfile", text)).unwrap();
        let globals = dockerfile.global_args(&BuildInputs::default()).unwrap();
        let graph = dockerfile.graph_with(&globals, &|name| name == "src").unwrap();
        assert_eq!(graph.nodes[0].base, Base::Context("src".to_owned()));
        assert_eq!(graph.nodes[2].base, Base::Stage(0));
        assert_eq!(
            dockerfile.needed_stages(&graph, 3).unwrap(),
            [0, 2, 3],
            "neither its base nor its triggers"
        );
    }

    #[test]
    fn triggers_of_an_image_are_dependencies_once_they_are_known() {
        let (dockerfile, mut graph) = graph("FROM x AS one\nFROM y AS two\nFROM z AS three\n").unwrap();
        let trigger = |text: &str| crate::parse_trigger(&Source::new("trigger", text)).unwrap().value;
        let add = |graph: &mut StageGraph, index: usize, text: &str| {
            let titles = |problems: Vec<Diagnostic>| problems[0].title.clone();
            dockerfile.add_triggers(graph, index, [&trigger(text)]).map_err(titles)
        };
        assert_eq!(add(&mut graph, 2, "RUN true"), Ok(false));
        assert_eq!(add(&mut graph, 2, "COPY --from=elsewhere /x /x"), Ok(false));
        assert_eq!(dockerfile.needed_stages(&graph, 2).unwrap(), [2]);
        assert_eq!(add(&mut graph, 2, "RUN --mount=from=TWO,target=/x true"), Ok(true));
        assert_eq!(add(&mut graph, 1, "COPY --from=0 /x /x"), Ok(true));
        assert_eq!(dockerfile.needed_stages(&graph, 2).unwrap(), [0, 1, 2]);
        assert_eq!(add(&mut graph, 2, "COPY --from=9 /x /x"), Err("invalid stage index 9".to_owned()));
        let circle = add(&mut graph, 0, "COPY --from=three /x /x").unwrap_err();
        assert!(circle.starts_with("circular dependency detected on stage: "), "{circle}");
    }

    #[test]
    fn triggers_of_a_base_stage_are_dependencies() {
        let text = "FROM a AS tools\nFROM b AS base\nONBUILD COPY --from=tools /x /x\nFROM base\n";
        let (_, graph) = graph(text).unwrap();
        assert_eq!(graph.needed(2), [0, 1, 2]);
        assert_eq!(graph.needed(1), [1]);
    }

    #[test]
    fn circles_later_stages_and_wrong_numbers_are_errors() {
        assert_eq!(
            graph("FROM a AS x\nCOPY --from=y / /\nFROM b AS y\nCOPY --from=x / /\n").unwrap_err(),
            ["circular dependency detected on stage: x"]
        );
        assert_eq!(graph("FROM a AS x\nCOPY --from=x / /\n").unwrap_err().len(), 1);
        assert_eq!(
            graph("FROM a\nCOPY --from=7 / /\nCOPY --from=$X / /\nFROM $EMPTY\n").unwrap_err(),
            [
                "invalid stage index 7",
                "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
                "base name ($EMPTY) should not be blank"
            ]
        );
        let (dockerfile, graph) = graph("FROM a AS x\nCOPY --from=y / /\nFROM b AS y\n").unwrap();
        assert_eq!(
            dockerfile.needed_stages(&graph, 0).unwrap_err().title,
            "cannot copy from stage \"y\", it needs to be defined before current stage \"x\""
        );
    }
}
