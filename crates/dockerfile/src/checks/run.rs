//! The order of the checks: BuildKit's, so that the same findings come before the same error.
use std::collections::{BTreeMap, BTreeSet};

use plimsoll_source::{Diagnostic, Source, Span};

use super::{
    BuildError, CheckConfig, CheckOptions, Location, Report, Sink, consistent_instruction_casing,
    copy_ignored_file, duplicate_stage_name, expose_invalid_format, expose_proto_casing, from_as_casing,
    from_platform_flag_const_disallowed, invalid_base_image_platform, invalid_default_arg_in_from,
    invalid_definition_description, json_args_recommended, legacy_key_value_format, maintainer_deprecated,
    multiple_instructions_disallowed, no_empty_continuation, redundant_target_platform, reserved_stage_name,
    secrets_used_in_arg_or_env, stage_name_casing, undefined_arg_in_from, undefined_var,
    workdir_relative_path,
};
use crate::{
    Base, Dockerfile, Expanded, GlobalArgs, Instruction, MAX_ENV, MountSpec, NON_ENV_ARGS, Parsed, Stage,
    StageGraph, Word, expand, parse_lenient,
    syntax::{Fault, Phase},
};

/// Checks the Dockerfile `source`.
pub fn check(source: &Source, options: &CheckOptions<'_>) -> Report {
    let parsed = parse_lenient(source);
    let mut sink = Sink { config: CheckConfig::default(), findings: Vec::new() };
    let error = match run(&parsed, options, &mut sink) {
        Ok(()) => violation(&sink),
        Err(error) => Some(*error),
    };
    Report { findings: sink.findings, error }
}

/// Boxed, because it is large and rare.
type Stopped = Box<BuildError>;

fn stopped(diagnostic: Diagnostic) -> Stopped {
    Box::new(BuildError { message: diagnostic.title.clone(), diagnostic })
}

/// The error that `error=true` makes of findings.
fn violation(sink: &Sink) -> Option<BuildError> {
    if !sink.config.error || sink.findings.is_empty() {
        return None;
    }
    let mut names: Vec<&str> = Vec::new();
    for finding in &sink.findings {
        if !names.contains(&finding.rule.name) {
            names.push(finding.rule.name);
        }
    }
    let message = format!("lint violation found for rules: {}", names.join(", "));
    Some(BuildError { diagnostic: Diagnostic::error(&message), message })
}

fn run(parsed: &Parsed, options: &CheckOptions<'_>, sink: &mut Sink) -> Result<(), Stopped> {
    let dockerfile = &parsed.dockerfile;
    sink.config = config(dockerfile, options)?;
    if let Some(fault) = parsed.faults.iter().find(|fault| fault.phase == Phase::Syntax) {
        return Err(stopped(fault.diagnostic.clone()));
    }
    no_empty_continuation::check(&parsed.syntax.empty_continuations, sink);
    nodes(parsed, sink)?;

    reserved_stage_name::check(dockerfile, sink);
    duplicate_stage_name::check(dockerfile, sink);
    consistent_instruction_casing::check(dockerfile, sink);
    invalid_default_arg_in_from::check(dockerfile, &options.inputs, sink);

    let globals = dockerfile.global_args(&options.inputs).map_err(stopped)?;
    for (index, stage) in dockerfile.stages.iter().enumerate() {
        from(dockerfile, index, stage, &globals, sink)?;
    }
    let target = dockerfile.target_index(options.inputs.target.as_deref()).map_err(stopped)?;
    let graph = dockerfile.graph_with(&globals, options.replaced).map_err(first)?;
    let needed = if options.all_stages && options.inputs.target.is_none() {
        (0..dockerfile.stages.len()).collect()
    } else {
        dockerfile.needed_stages(&graph, target).map_err(stopped)?
    };
    let states = BTreeMap::new();
    let mut runner = Runner {
        dockerfile,
        options,
        graph: &graph,
        globals: &globals,
        states,
        env_bytes: 0,
        steps: 0,
        sink,
    };
    needed.into_iter().try_for_each(|index| runner.stage(index))
}

fn first(problems: Vec<Diagnostic>) -> Stopped {
    stopped(problems.into_iter().next().unwrap_or_else(|| Diagnostic::error("the stages cannot be resolved")))
}

fn config(dockerfile: &Dockerfile, options: &CheckOptions<'_>) -> Result<CheckConfig, Stopped> {
    let word = dockerfile.directives.check.as_ref();
    // Behind the first space nothing counts, as in BuildKit.
    let own = word.map(|word| word.text.split(' ').next().unwrap_or_default());
    let text = options.config.or(own).unwrap_or_default();
    CheckConfig::parse(text).map_err(|error| {
        let span = word.map_or(Span::new(0, 0), |word| word.span);
        stopped(Diagnostic::error(error.to_string()).label(&dockerfile.source, span, ""))
    })
}

/// The rules about single instructions, up to the first that is wrong.
fn nodes(parsed: &Parsed, sink: &mut Sink) -> Result<(), Stopped> {
    let fault = parsed.faults.first();
    for node in &parsed.syntax.nodes {
        let wrong = fault.filter(|fault| fault.lines.first == node.lines.first);
        if node.name() == "FROM" {
            stage_name_casing::check(node, sink);
            from_as_casing::check(node, sink);
        }
        maintainer_deprecated::check(node, sink);
        if let Some(fault) = wrong {
            return Err(parse_error(fault));
        }
        invalid_definition_description::check(node, sink);
    }
    fault.map_or(Ok(()), |fault| Err(stopped(fault.diagnostic.clone())))
}

fn parse_error(fault: &Fault) -> Stopped {
    let title = &fault.diagnostic.title;
    // BuildKit finds an instruction before FROM while it sorts instructions into stages, where it adds no line.
    let message = if title == crate::parse::NO_STAGE {
        title.clone()
    } else {
        format!("dockerfile parse error on line {}: {title}", fault.lines.first)
    };
    Box::new(BuildError { message, diagnostic: fault.diagnostic.clone() })
}

/// The rules about FROM, which need the global arguments.
fn from(
    dockerfile: &Dockerfile,
    index: usize,
    stage: &Stage,
    globals: &GlobalArgs,
    sink: &mut Sink,
) -> Result<(), Stopped> {
    let env = |name: &str| globals.get(name).map(str::to_owned);
    let place = Location::from(stage);
    let unmatched = match expand(&stage.from.text, &env, dockerfile.escape()) {
        Ok(expanded) => expanded.unmatched,
        Err(error) => error.unmatched,
    };
    undefined_arg_in_from::check(&unmatched, globals, place.at(stage.from.span), sink);
    dockerfile.base_name(index, globals).map_err(stopped)?;

    let Some(platform) = &stage.platform else { return Ok(()) };
    let place = place.at(platform.span);
    let expanded = expand(&platform.text, &env, dockerfile.escape())
        .unwrap_or_else(|error| Expanded { unmatched: error.unmatched, ..Expanded::default() });
    undefined_arg_in_from::check(&expanded.unmatched, globals, place, sink);
    redundant_target_platform::check(platform, &expanded, globals, place, sink);
    from_platform_flag_const_disallowed::check(stage, &expanded, place, sink);
    dockerfile.stage_platform(index, globals).map_err(stopped).map(drop)
}

/// What a stage has come to.
#[derive(Clone, Default)]
struct State {
    env: BTreeMap<String, String>,
    /// Names of ARGs, the base stage's too.
    build_args: BTreeSet<String>,
    own_shell: bool,
    workdir_set: bool,
    windows: bool,
    /// Nothing is known of the image below, so that any variable may be set.
    unknown_base: bool,
}

/// Where a stage last had an instruction of which only the last counts.
#[derive(Default)]
struct Used<'a> {
    cmd: Option<Location<'a>>,
    entrypoint: Option<Location<'a>>,
    healthcheck: Option<Location<'a>>,
}

struct Runner<'a, 's> {
    dockerfile: &'a Dockerfile,
    options: &'a CheckOptions<'a>,
    graph: &'a StageGraph,
    globals: &'a GlobalArgs,
    states: BTreeMap<usize, State>,
    /// What all states together hold: bytes of variables.
    env_bytes: usize,
    /// Instructions and triggers evaluated.
    steps: usize,
    sink: &'s mut Sink,
}

impl<'a> Runner<'a, '_> {
    fn stage(&mut self, index: usize) -> Result<(), Stopped> {
        let stage = &self.dockerfile.stages[index];
        let mut state = self.base_state(index);
        self.env_bytes += state.env.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        let mut used = Used::default();
        if matches!(self.graph.nodes[index].base, Base::Context(_)) {
            // its instructions are not read
            self.states.insert(index, state);
            return Ok(());
        }
        if let Base::Stage(base) = self.graph.nodes[index].base {
            for statement in &self.dockerfile.stages[base].instructions {
                if let Instruction::Onbuild(onbuild) = &statement.value
                    && let Some(trigger) = &onbuild.trigger
                {
                    self.instruction(trigger, trigger.keyword(), stage.into(), &mut state, &mut used)?;
                }
            }
        }
        for statement in &stage.instructions {
            let keyword = &statement.keyword.text;
            self.instruction(&statement.value, keyword, statement.into(), &mut state, &mut used)?;
        }
        self.states.insert(index, state);
        Ok(())
    }

    /// The state that the FROM of stage `index` starts with.
    fn base_state(&mut self, index: usize) -> State {
        let node = &self.graph.nodes[index];
        let platform = node.platform.as_ref().unwrap_or(&self.options.inputs.target_platform);
        let mut state = State { windows: platform.os == "windows", ..State::default() };
        match &node.base {
            Base::Stage(base) => return self.states.get(base).cloned().unwrap_or_default(),
            Base::Scratch => {}
            Base::Image(name) | Base::Context(name) => match (self.options.images)(name) {
                Some(image) => {
                    state.env.extend(image.env);
                    state.own_shell = !image.shell.is_empty();
                    if let Some(actual) = &image.platform {
                        let stage = &self.dockerfile.stages[index];
                        let place = Location::from(stage).at(stage.from.span);
                        invalid_base_image_platform::check(name, platform, actual, place, self.sink);
                    }
                }
                None => state.unknown_base = true,
            },
        }
        if !state.windows {
            state.env.entry("PATH".to_owned()).or_insert_with(|| DEFAULT_PATH.to_owned());
        }
        state
    }

    fn instruction(
        &mut self,
        instruction: &Instruction,
        keyword: &str,
        place: Location<'a>,
        state: &mut State,
        used: &mut Used<'a>,
    ) -> Result<(), Stopped> {
        let escape = self.dockerfile.escape();
        let source = &self.dockerfile.source;
        self.steps += 1;
        if self.steps > MAX_STEPS || self.env_bytes > MAX_ENV {
            let title = "the stages with their ONBUILD triggers and variables are too large to be checked";
            return Err(stopped(Diagnostic::error(title).label(source, place.span, "")));
        }
        let env = |name: &str| state.env.get(name).cloned();
        let evaluated =
            instruction.expand(&env, escape).map_err(|error| stopped(error.diagnostic(source)))?;
        // EXPOSE is split while it is expanded; BuildKit looks for no undefined variables there.
        if !matches!(instruction, Instruction::Expose(_)) {
            for (name, span) in &evaluated.unset {
                self.undefined(name, place.at(*span), state);
            }
        }
        let sink = &mut *self.sink;
        match &evaluated.instruction {
            Instruction::Add(add) => {
                copy_ignored_file::check(&add.transfer, "Add", self.options.dockerignore, place, sink);
            }
            Instruction::Copy(copy) if copy.from.is_none() => {
                copy_ignored_file::check(&copy.transfer, "Copy", self.options.dockerignore, place, sink);
            }
            Instruction::Arg(arg) => {
                for definition in &arg.definitions {
                    self.arg(definition, place, state)?;
                }
            }
            Instruction::Cmd(command) => {
                multiple_instructions_disallowed::check(keyword, &mut used.cmd, place, sink);
                json_args_recommended::check(command, keyword, state.own_shell, place, sink);
            }
            Instruction::Entrypoint(command) => {
                multiple_instructions_disallowed::check(keyword, &mut used.entrypoint, place, sink);
                json_args_recommended::check(command, keyword, state.own_shell, place, sink);
            }
            Instruction::Healthcheck(_) => {
                multiple_instructions_disallowed::check(keyword, &mut used.healthcheck, place, sink);
            }
            Instruction::Env(pairs) => {
                for pair in pairs {
                    legacy_key_value_format::check(pair, keyword, place, sink);
                    secrets_used_in_arg_or_env::check("ENV", &pair.key, place, sink);
                    self.env_bytes += pair.key.text.len() + pair.value.text.len();
                    state.env.insert(pair.key.text.clone(), pair.value.text.clone());
                }
            }
            Instruction::Label(pairs) => {
                for pair in pairs {
                    legacy_key_value_format::check(pair, keyword, place, sink);
                }
            }
            Instruction::Expose(ports) => self.ports(ports, place)?,
            Instruction::Run(run) => self.mounts(&run.mounts, place, state)?,
            Instruction::Shell(_) => state.own_shell = true,
            Instruction::Workdir(path) => {
                workdir_relative_path::check(path, state.workdir_set, state.windows, place, sink);
                state.workdir_set = true;
            }
            Instruction::Copy(_)
            | Instruction::Maintainer(_)
            | Instruction::Onbuild(_)
            | Instruction::Stopsignal(_)
            | Instruction::User(_)
            | Instruction::Volume(_) => {}
        }
        Ok(())
    }

    fn ports(&mut self, ports: &[Word], place: Location<'a>) -> Result<(), Stopped> {
        let source = &self.dockerfile.source;
        for port in ports {
            expose_invalid_format::check(port, place, self.sink);
            expose_proto_casing::check(port, place, self.sink);
            crate::port::ports(&port.text).map_err(|error| {
                stopped(Diagnostic::error(error.to_string()).label(source, port.span, ""))
            })?;
        }
        Ok(())
    }

    fn mounts(&mut self, mounts: &[MountSpec], place: Location<'a>, state: &State) -> Result<(), Stopped> {
        let env = |name: &str| state.env.get(name).cloned();
        for spec in mounts {
            let mount = spec.resolve(&env, self.dockerfile.escape()).map_err(|error| {
                let problem = Diagnostic::error(&error.title);
                stopped(problem.label(&self.dockerfile.source, error.span, ""))
            })?;
            for name in &mount.unmatched {
                self.undefined(name, place.at(spec.span), state);
            }
        }
        Ok(())
    }

    fn arg(
        &mut self,
        definition: &crate::ArgDefinition,
        place: Location<'a>,
        state: &mut State,
    ) -> Result<(), Stopped> {
        let name = &definition.name;
        secrets_used_in_arg_or_env::check("ARG", name, place, self.sink);
        let build_args = &self.options.inputs.build_args;
        let env = |name: &str| state.env.get(name).cloned();
        if let Some(default) = &definition.value
            && !build_args.contains_key(&name.text)
        {
            let unmatched = match expand(&default.text, &env, self.dockerfile.escape()) {
                Ok(expanded) => expanded.unmatched,
                Err(error) => error.unmatched,
            };
            for name in unmatched {
                self.undefined(&name, place.at(default.span), state);
            }
        }
        let value = definition
            .value_in_stage(build_args, self.globals, &env, self.dockerfile.escape())
            .map_err(|error| stopped(self.error_at(definition.value.as_ref().unwrap_or(name), &error)))?;
        if let Some(value) = value
            && !NON_ENV_ARGS.contains(&name.text.as_str())
        {
            self.env_bytes += name.text.len() + value.len();
            state.env.insert(name.text.clone(), value);
        }
        state.build_args.insert(name.text.clone());
        Ok(())
    }

    fn error_at(&self, word: &Word, error: &crate::ExpandError) -> Diagnostic {
        Diagnostic::error(error.to_string()).label(&self.dockerfile.source, word.span, "")
    }

    fn undefined(&mut self, name: &str, place: Location<'_>, state: &State) {
        if !state.unknown_base {
            let names = state.env.keys().map(String::as_str);
            undefined_var::check(name, &state.build_args, names, place, self.sink);
        }
    }
}

/// How many instructions are evaluated, triggers counted each time they fire.
const MAX_STEPS: usize = 200_000;

/// What PATH is when the base image sets none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_limits_what_is_checked() {
        let source =
            Source::new("Dockerfile", "FROM scratch AS a\nWORKDIR a\nFROM scratch AS b\nWORKDIR b\n");
        let mut options = CheckOptions { all_stages: false, ..CheckOptions::default() };
        assert_eq!(check(&source, &options).findings[0].line, 4);
        options.inputs.target = Some("A".to_owned());
        let report = check(&source, &options);
        assert_eq!((report.findings.len(), report.findings[0].line), (1, 2));
    }

    #[test]
    fn errors_come_with_the_findings_before_them() {
        let report = |text| check(&Source::new("Dockerfile", text), &CheckOptions::default());
        let found = report("FROM scratch AS A\nWORKDIR a\nRUN --mount=type=x true\n");
        assert_eq!(found.findings.len(), 2);
        assert_eq!(found.error.unwrap().message, "unsupported mount type \"x\"");
        assert_eq!(report("RUN true\n").error.unwrap().message, "no build stage in current context");
        assert_eq!(report("FROM a\nEXPOSE x\n").error.unwrap().message, "invalid containerPort: x");
        assert_eq!(
            report("# check=skip\nFROM a\n").error.unwrap().message,
            "failed to parse check options: invalid check option \"skip\""
        );
    }
}
