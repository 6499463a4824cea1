//! A Dockerfile of the team: the command of its last stage, its ports and the version of its base.

use plimsoll_dockerfile::{
    CommandLine, Instruction, Run, RunForm, Stage, Statement, parse_lenient, parse_port,
};
use plimsoll_source::Source;

use super::{Expected, Launch, Platform, add, words};
use crate::model::{Evidence, Fact};

pub(super) fn read(source: &Source, folder: &str, platform: &mut Platform) {
    let dockerfile = parse_lenient(source).dockerfile;
    for stage in &dockerfile.stages {
        if let Some(version) = python(&stage.from.text) {
            let evidence = Evidence::new(source, stage.from.span, "the Python of the team's own image");
            platform.python.push((folder.to_owned(), Fact::new(version, evidence)));
        }
    }
    for statement in dockerfile.stages.iter().flat_map(|stage| &stage.instructions) {
        if let Instruction::Run(run) = &statement.value {
            steps(source, folder, run, statement, platform);
        }
    }
    let Some(last) = dockerfile.stages.last() else { return };
    if let Some((text, statement)) = command(last) {
        let evidence = Evidence::new(source, statement.span, "the team's own image starts it so");
        add(platform, "web", folder, &text, evidence, true);
    }
    let mut exposed = last.instructions.iter().filter_map(|statement| match &statement.value {
        Instruction::Expose(ports) => ports.first().map(|port| (port, statement)),
        _ => None,
    });
    if let Some((port, statement)) = exposed.next_back()
        && parse_port(&port.text).is_ok()
        && let Some(number) = port.text.split(['/', '-']).next().and_then(|text| text.parse().ok())
    {
        let evidence = Evidence::new(source, statement.span, "the port that the team's own image names");
        platform.ports.push(Expected { folder: folder.to_owned(), port: Fact::new(number, evidence) });
    }
}

/// Commands of the team's image, as far as they are looked at.
const MAX_STEPS: usize = 200;

/// The commands of a RUN, one after another.
fn steps(source: &Source, folder: &str, run: &Run, statement: &Statement, platform: &mut Platform) {
    let RunForm::Shell(word) = &run.form else { return };
    let commands = word.text.split("&&").flat_map(|text| text.split(';')).map(str::trim);
    for text in commands.filter(|text| !text.is_empty()) {
        if platform.steps.len() == MAX_STEPS {
            return;
        }
        platform.steps.push(Launch {
            process: "image".to_owned(),
            folder: super::around(folder),
            line: words::line(text),
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            evidence: Evidence::new(source, statement.span, "the team's own image is built so"),
            weak: true,
        });
    }
}

/// ENTRYPOINT and CMD of a stage as one command line.
fn command(stage: &Stage) -> Option<(String, &Statement)> {
    let mut entrypoint = None;
    let mut cmd = None;
    for statement in &stage.instructions {
        match &statement.value {
            Instruction::Entrypoint(line) => entrypoint = Some((text(line), statement)),
            Instruction::Cmd(line) => cmd = Some((text(line), statement)),
            _ => {}
        }
    }
    match (entrypoint, cmd) {
        // A script in front of the command sets up what we set up ourselves.
        (Some((entry, _)), Some(cmd)) if entry.contains("entrypoint") || entry.contains("tini") => Some(cmd),
        (Some((entry, statement)), Some((arguments, _))) => Some((format!("{entry} {arguments}"), statement)),
        (entrypoint, cmd) => entrypoint.or(cmd),
    }
}

fn text(line: &CommandLine) -> String {
    match line {
        CommandLine::Shell(word) => word.text.clone(),
        CommandLine::Exec(words) => {
            let words: Vec<String> = words.iter().map(|word| quoted(&word.text)).collect();
            words.join(" ")
        }
    }
}

/// A word of the exec form, in which nothing is expanded.
fn quoted(word: &str) -> String {
    let plain =
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,@+%[]".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// `python:3.12-slim` gives `3.12`.
fn python(image: &str) -> Option<String> {
    let (name, tag) = image.split('@').next()?.rsplit_once(':')?;
    let version = tag.split('-').next()?;
    (name.rsplit('/').next() == Some("python") && version.starts_with('3')).then(|| version.to_owned())
}
