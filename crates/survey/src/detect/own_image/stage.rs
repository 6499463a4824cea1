//! What the stage of a Dockerfile that is built says of its image: its own instructions and those of the stages that it
//! rests on.

use std::collections::BTreeMap;

use plimsoll_dockerfile::{
    Base, BuildInputs, CommandLine, Dockerfile, GlobalArgs, Healthcheck, Instruction, Platform, Statement,
    parse,
};
use plimsoll_source::{Diagnostic, Source, Span};

use crate::{
    detect::compose_file::first_port,
    model::{Evidence, Fact},
};

/// Ports, folders and variables of one image that are kept.
const MAX_COUNT: usize = 100;
/// Variables of a stage, and the bytes that they may have together.
const MAX_VARIABLES: usize = 1000;
const MAX_BYTES: usize = 1 << 20;
/// The shell of CMD, ENTRYPOINT and HEALTHCHECK where the Dockerfile names none.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// What is known of the image.
#[derive(Debug)]
pub(super) struct Stage {
    /// What the last of its stages is made from: an image, or `scratch`.
    pub(super) base: Fact<String>,
    pub(super) entrypoint: Option<Fact<Vec<String>>>,
    pub(super) command: Option<Fact<Vec<String>>>,
    pub(super) user: Option<Fact<String>>,
    pub(super) healthcheck: Option<Fact<String>>,
    /// TCP ports, in the order in which they are written.
    pub(super) ports: Vec<Fact<u16>>,
    pub(super) volumes: Vec<Fact<String>>,
    /// ENV, the last value of each.
    pub(super) variables: BTreeMap<String, Fact<String>>,
}

impl Stage {
    /// Whether the image has a command or an entrypoint.
    pub(super) fn starts_something(&self) -> bool {
        self.command.is_some() || self.entrypoint.is_some()
    }
}

/// Reads the stage that a build with these arguments makes. The error is the Dockerfile's own.
pub(super) fn read(
    source: &Source,
    target: Option<&str>,
    arguments: BTreeMap<String, String>,
) -> Result<Stage, Diagnostic> {
    let first = |mut problems: Vec<Diagnostic>| {
        if problems.is_empty() { Diagnostic::error("cannot be read") } else { problems.remove(0) }
    };
    let dockerfile = parse(source).map_err(first)?;
    // A fixed one: what is found must not depend on the machine.
    let platform = Platform::parse("linux/amd64").unwrap_or_else(|_| Platform::host());
    let inputs = BuildInputs {
        build_args: arguments,
        build_platform: platform.clone(),
        target_platform: platform,
        target: target.map(str::to_owned),
    };
    let globals = dockerfile.global_args(&inputs)?;
    let graph = dockerfile.graph(&globals).map_err(first)?;
    // Its error has no place in the text.
    let mut at = dockerfile.target_index(target)?;
    let mut chain = vec![at];
    let base = loop {
        match graph.nodes.get(at).map(|node| &node.base) {
            Some(Base::Stage(below)) if chain.len() <= dockerfile.stages.len() => {
                at = *below;
                chain.push(at);
            }
            Some(Base::Image(image)) => break image.clone(),
            _ => break "scratch".to_owned(),
        }
    };
    let place = dockerfile.stages.get(at).map_or_else(Span::default, |stage| stage.from.span);
    let base = Fact::new(base, Evidence::new(source, place, "what the final stage is made from"));
    let mut reader =
        Reader { dockerfile: &dockerfile, inputs: &inputs, globals: &globals, stage: empty(base) };
    for index in chain.into_iter().rev() {
        reader.stage(index)?;
    }
    let mut stage = reader.stage;
    stage.ports.sort_by_key(|port| port.evidence.first().map(|place| place.start));
    Ok(stage)
}

fn empty(base: Fact<String>) -> Stage {
    Stage {
        base,
        entrypoint: None,
        command: None,
        user: None,
        healthcheck: None,
        ports: Vec::new(),
        volumes: Vec::new(),
        variables: BTreeMap::new(),
    }
}

struct Reader<'a> {
    dockerfile: &'a Dockerfile,
    inputs: &'a BuildInputs,
    globals: &'a GlobalArgs,
    stage: Stage,
}

impl Reader<'_> {
    fn stage(&mut self, index: usize) -> Result<(), Diagnostic> {
        let dockerfile = self.dockerfile;
        let Some(stage) = dockerfile.stages.get(index) else { return Ok(()) };
        let mut arguments: BTreeMap<String, String> = BTreeMap::new();
        let mut shell: Vec<String> = SHELL.map(str::to_owned).to_vec();
        let mut own_command = false;
        for statement in &stage.instructions {
            if let Instruction::Arg(arg) = &statement.value {
                for definition in &arg.definitions {
                    let value = {
                        let env = |name: &str| self.lookup(&arguments, name);
                        let args = &self.inputs.build_args;
                        definition.value_in_stage(args, self.globals, &env, dockerfile.escape())
                    };
                    let value = value.map_err(|error| self.problem(&error.to_string(), statement.span))?;
                    arguments.extend(value.map(|value| (definition.name.text.clone(), value)));
                }
            } else {
                let expanded = {
                    let env = |name: &str| self.lookup(&arguments, name);
                    statement.value.expand(&env, dockerfile.escape())
                };
                let expanded = expanded.map_err(|error| error.diagnostic(&dockerfile.source))?;
                self.instruction(&expanded.instruction, statement, &mut shell, &mut own_command);
            }
            let given: usize = arguments.iter().map(|(name, value)| name.len() + value.len()).sum();
            let set = self.stage.variables.iter().map(|(name, fact)| name.len() + fact.value.len());
            if arguments.len() + self.stage.variables.len() > MAX_VARIABLES
                || given + set.sum::<usize>() > MAX_BYTES
            {
                let title =
                    format!("it sets more than {MAX_VARIABLES} variables or {MAX_BYTES} bytes of them");
                return Err(self.problem(&title, statement.span));
            }
        }
        Ok(())
    }

    /// What a variable is when an instruction is read: ENV wins over ARG.
    fn lookup(&self, arguments: &BTreeMap<String, String>, name: &str) -> Option<String> {
        let set = self.stage.variables.get(name).map(|fact| fact.value.clone());
        set.or_else(|| arguments.get(name).cloned())
    }

    fn problem(&self, title: &str, span: Span) -> Diagnostic {
        Diagnostic::error(title).label(&self.dockerfile.source, span, "")
    }

    fn evidence(&self, statement: &Statement, reason: &str) -> Evidence {
        Evidence::new(&self.dockerfile.source, statement.span, reason)
    }

    fn instruction(
        &mut self,
        instruction: &Instruction,
        statement: &Statement,
        shell: &mut Vec<String>,
        own_command: &mut bool,
    ) {
        match instruction {
            Instruction::Shell(words) => *shell = words.iter().map(|word| word.text.clone()).collect(),
            Instruction::Cmd(line) => {
                let evidence = self.evidence(statement, "what its image runs");
                self.stage.command = Some(Fact::new(words(line, shell), evidence));
                *own_command = true;
            }
            Instruction::Entrypoint(line) => {
                let evidence = self.evidence(statement, "what its image runs");
                self.stage.entrypoint = Some(Fact::new(words(line, shell), evidence));
                // The builder's own rule: arguments for another entrypoint mean nothing to this one.
                if !*own_command {
                    self.stage.command = None;
                }
            }
            Instruction::User(user) => {
                let evidence = self.evidence(statement, "the user that its image runs as");
                self.stage.user = Some(Fact::new(user.text.clone(), evidence));
            }
            Instruction::Healthcheck(Healthcheck::None) => self.stage.healthcheck = None,
            Instruction::Healthcheck(Healthcheck::Check { command, .. }) => {
                let evidence = self.evidence(statement, "the health check of its image");
                self.stage.healthcheck = Some(Fact::new(words(command, &[]).join(" "), evidence));
            }
            Instruction::Expose(ports) => {
                for word in ports.iter().take(MAX_COUNT) {
                    let Some(number) = first_port(&word.text) else { continue };
                    let known = self.stage.ports.iter().any(|port| port.value == number);
                    if !known && self.stage.ports.len() < MAX_COUNT {
                        let evidence = Evidence::new(
                            &self.dockerfile.source,
                            word.span,
                            "the port that its image names",
                        );
                        self.stage.ports.push(Fact::new(number, evidence));
                    }
                }
            }
            Instruction::Volume(paths) => {
                for path in paths.iter().take(MAX_COUNT) {
                    let known = self.stage.volumes.iter().any(|volume| volume.value == path.text);
                    if !known && self.stage.volumes.len() < MAX_COUNT {
                        let evidence = self.evidence(statement, "a volume of its image");
                        self.stage.volumes.push(Fact::new(path.text.clone(), evidence));
                    }
                }
            }
            Instruction::Env(pairs) => {
                for pair in pairs {
                    let evidence = Evidence::new(
                        &self.dockerfile.source,
                        pair.key.span.to(pair.value.span),
                        "its image sets it",
                    );
                    let value = Fact::new(pair.value.text.clone(), evidence);
                    self.stage.variables.insert(pair.key.text.clone(), value);
                }
            }
            _ => {}
        }
    }
}

/// The words that are executed.
fn words(line: &CommandLine, shell: &[String]) -> Vec<String> {
    match line {
        CommandLine::Exec(words) => words.iter().map(|word| word.text.clone()).collect(),
        CommandLine::Shell(word) => shell.iter().cloned().chain([word.text.clone()]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(text: &str, target: Option<&str>) -> Stage {
        read(&Source::new("Dockerfile", text), target, BTreeMap::new())
            .unwrap_or_else(|error| panic!("{error:?}"))
    }

    #[test]
    fn facts_come_from_the_stage_that_is_built_and_those_below_it() {
        let text = "ARG BASE=alpine:3.20\nFROM golang:1.23 AS build\nEXPOSE 1\nUSER build\nFROM ${BASE} AS base\n\
                    ARG P=8080\nENV PORT=$P\nEXPOSE $PORT 9090/udp\nCMD [\"a\"]\nFROM base AS app\nUSER ${NAME:-app}\n\
                    VOLUME [\"/data\", \"/logs\"]\nENTRYPOINT [\"/server\"]\nHEALTHCHECK CMD /server check\n";
        let app = stage(text, None);
        assert_eq!(app.base.value, "alpine:3.20");
        assert_eq!(app.base.evidence[0].line, 5);
        assert_eq!(app.ports.iter().map(|port| port.value).collect::<Vec<_>>(), [8080]);
        assert_eq!(app.user.as_ref().map(|user| user.value.as_str()), Some("app"));
        assert_eq!(
            app.entrypoint.as_ref().map(|words| words.value.clone()),
            Some(vec!["/server".to_owned()])
        );
        // CMD of the stage below is that of another entrypoint.
        assert!(app.command.is_none());
        assert_eq!(app.volumes.len(), 2);
        assert_eq!(app.healthcheck.as_ref().map(|check| check.value.as_str()), Some("/server check"));
        let build = stage(text, Some("build"));
        assert_eq!((build.ports[0].value, build.base.value.as_str()), (1, "golang:1.23"));
    }

    #[test]
    fn the_shell_form_has_the_shell_in_front() {
        let of = |text: &str| stage(text, None).command.map(|words| words.value);
        assert_eq!(of("FROM a\nCMD run $X").unwrap_or_default(), ["/bin/sh", "-c", "run $X"]);
        assert_eq!(
            of("FROM a\nSHELL [\"bash\", \"-c\"]\nCMD run").unwrap_or_default(),
            ["bash", "-c", "run"]
        );
        assert_eq!(of("FROM a\nCMD a b\nENTRYPOINT [\"x\"]").unwrap_or_default(), ["/bin/sh", "-c", "a b"]);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_endless_growth_ends() {
        let read = |text: &str, target| read(&Source::new("Dockerfile", text), target, BTreeMap::new());
        assert!(read("RUN x", None).is_err() && read("", None).is_err());
        assert!(read("FROM a AS b\n", Some("c")).is_err());
        let growing = format!("FROM a\nENV A=xxxxxxxxxxxxxxxx\n{}", "ENV A=$A$A\n".repeat(40));
        assert!(read(&growing, None).is_err());
        let ranges = format!("FROM a\n{}", "EXPOSE 8000-65535 53/udp\n".repeat(2000));
        assert!(
            read(&ranges, None).is_ok_and(|stage| stage.ports.len() == 1 && stage.ports[0].value == 8000)
        );
        assert!(read("FROM scratch\nEXPOSE nonsense\n", None).is_ok_and(|stage| stage.ports.is_empty()));
    }
}
