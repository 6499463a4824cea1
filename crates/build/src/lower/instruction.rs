//! Instructions that change the configuration, the variables or the working directory.

use plimsoll_dockerfile::{
    ArgDefinition, CommandLine, Instruction, KeyValue, NON_ENV_ARGS, PortError, Statement, Word, parse_port,
    path::clean,
};
use plimsoll_image::Empty;
use plimsoll_source::Diagnostic;

use super::{Instructed, Lowerer, state::State};
use crate::{
    config::{exec_words, healthcheck, healthcheck_text, is_signal},
    graph::{Op, WorkdirOp},
};

impl Lowerer<'_> {
    /// Adds what an instruction does: a step, a change of the configuration, or both.
    pub(super) fn instruction(
        &mut self,
        state: &mut State,
        statement: &Statement,
        at: &Instructed<'_>,
    ) -> Result<(), Diagnostic> {
        let evaluated = statement
            .value
            .expand(&|name| state.get(name), at.escape)
            .map_err(|error| error.diagnostic(at.source))?;
        match evaluated.instruction {
            Instruction::Arg(arg) => self.arguments(state, &arg.definitions, at),
            Instruction::Workdir(word) => self.workdir(state, &word, at),
            Instruction::Copy(copy) => self.copy(state, &copy, at),
            Instruction::Add(add) => self.add(state, &add, at),
            Instruction::Run(run) => self.run(state, &run, at),
            Instruction::Env(pairs) => environment(state, &pairs, at),
            Instruction::Expose(words) => expose(state, words, at),
            Instruction::Stopsignal(word) => stop_signal(state, &word, at),
            Instruction::Volume(words) => volumes(state, words, at),
            other => {
                configure(state, other);
                Ok(())
            }
        }
    }

    fn arguments(
        &self,
        state: &mut State,
        definitions: &[ArgDefinition],
        at: &Instructed<'_>,
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

    fn workdir(&mut self, state: &mut State, word: &Word, at: &Instructed<'_>) -> Result<(), Diagnostic> {
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
}

fn environment(state: &mut State, pairs: &[KeyValue], at: &Instructed<'_>) -> Result<(), Diagnostic> {
    let mut text = "ENV".to_owned();
    for pair in pairs {
        let (key, value) = (&pair.key.text, &pair.value.text);
        if key.is_empty() {
            return Err(at.problem("ENV names can not be blank"));
        }
        text.push_str(&format!(" {key}={value}"));
        state.config.config.set_env(key, value);
        state.set(key, value);
    }
    state.note(text, None);
    Ok(())
}

fn expose(state: &mut State, words: Vec<Word>, at: &Instructed<'_>) -> Result<(), Diagnostic> {
    let mut ports = Vec::new();
    for word in words {
        let problem = |error: PortError| Diagnostic::error(error.to_string()).label(at.source, word.span, "");
        ports.extend(parse_port(&word.text).map_err(problem)?);
    }
    ports.sort();
    ports.dedup();
    for port in &ports {
        state.config.config.exposed_ports.insert(port.clone(), Empty {});
    }
    state.note(format!("EXPOSE [{}]", ports.join(" ")), None);
    Ok(())
}

fn stop_signal(state: &mut State, word: &Word, at: &Instructed<'_>) -> Result<(), Diagnostic> {
    if !is_signal(&word.text) {
        let title = format!("invalid signal: {}", word.text);
        return Err(Diagnostic::error(title).label(at.source, word.span, ""));
    }
    state.config.config.stop_signal = Some(word.text.clone());
    state.note(format!("STOPSIGNAL {}", word.text), None);
    Ok(())
}

fn volumes(state: &mut State, words: Vec<Word>, at: &Instructed<'_>) -> Result<(), Diagnostic> {
    let paths: Vec<String> = words.into_iter().map(|word| word.text).collect();
    if paths.iter().any(|path| path.trim().is_empty()) {
        return Err(at.problem("VOLUME specified can not be an empty string"));
    }
    state.note(format!("VOLUME [{}]", paths.join(" ")), None);
    state.config.config.volumes.extend(paths.into_iter().map(|path| (path, Empty {})));
    Ok(())
}

/// Instructions that only change the configuration, and that cannot be wrong any more.
fn configure(state: &mut State, instruction: Instruction) {
    let config = &mut state.config.config;
    match instruction {
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
        Instruction::Healthcheck(check) => {
            let check = healthcheck(&check);
            state.note(format!("HEALTHCHECK {}", healthcheck_text(&check)), None);
            state.config.config.healthcheck = Some(check);
        }
        Instruction::Onbuild(onbuild) => config.on_build.push(onbuild.expression),
        Instruction::Shell(words) => {
            config.shell = words.into_iter().map(|word| word.text).collect();
            let text = config.shell.join(" ");
            state.note(format!("SHELL [{text}]"), None);
        }
        Instruction::User(word) => {
            config.user.clone_from(&word.text);
            state.note(format!("USER {}", word.text), None);
        }
        Instruction::Arg(_)
        | Instruction::Env(_)
        | Instruction::Expose(_)
        | Instruction::Stopsignal(_)
        | Instruction::Volume(_)
        | Instruction::Workdir(_)
        | Instruction::Copy(_)
        | Instruction::Add(_)
        | Instruction::Run(_) => {}
    }
}

fn words(command: &CommandLine, shell: &[String]) -> Vec<String> {
    match command {
        CommandLine::Exec(words) => words.iter().map(|word| word.text.clone()).collect(),
        CommandLine::Shell(word) => shell.iter().cloned().chain([word.text.clone()]).collect(),
    }
}
