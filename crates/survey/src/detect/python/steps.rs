//! What a team does around its program, and nothing does here: lines of its start scripts, steps of its image, programs
//! that its README tells people to run.

use super::{
    command, processes,
    project::{Project, below},
};
use crate::{
    context::{Context, has_extension, join},
    detect::platform::{Launch, Platform},
    model::{Ecosystem, Evidence, Gap, Service, Survey, is_below},
    python::Module,
    rules,
};

const MAX_GAPS: usize = 10;

/// Says what is not in the plan of a service.
pub(super) fn said(
    context: &Context<'_>,
    platform: &Platform,
    project: &Project,
    service: &Service,
    survey: &mut Survey,
) {
    let node = survey.services.iter().any(|other| other.ecosystem == Ecosystem::Node);
    let mut said: Vec<String> = Vec::new();
    let near = |launch: &&Launch| launch.folder == service.path || launch.folder == project.folder;
    for step in platform.steps.iter().filter(near) {
        let Some(line) = step.line.as_ref().filter(|_| said.len() < MAX_GAPS) else { continue };
        for words in line.before.iter().chain([&line.words]) {
            let at_start = step.process == "start";
            let counts = if at_start {
                at_start_of(words, service)
            } else {
                makes_files(context, project, words, node)
            };
            let text = words.join(" ");
            let known = said.contains(&text)
                || survey.gaps.iter().any(|gap| gap.message.contains(&format!("`{text}`")));
            if !counts || known {
                continue;
            }
            let (message, hint) = if at_start {
                let file = step.evidence.file.rsplit('/').next().unwrap_or_default();
                (
                    format!("`{text}` runs in {file} when the program starts, and nothing does it here"),
                    "run it once by hand with the stack's settings, or write it as a line `release:` of a Procfile",
                )
            } else {
                (
                    format!("`{text}` runs when the team's own image is built, and nothing does it here"),
                    "do it before the image is built, or write it into the generated Dockerfile: edits stay",
                )
            };
            let evidence = vec![step.evidence.clone()];
            survey.gaps.push(Gap {
                rule: rules::STEP_NOT_RUN,
                subject: service.name.clone(),
                message,
                hint: hint.to_owned(),
                evidence,
            });
            said.push(text);
        }
    }
    survey.gaps.extend(documented(context, project, service));
}

/// The command without its interpreter: what `python manage.py` or `python -m` is given, with its file or module.
fn task(words: &[String]) -> Option<(&str, &str)> {
    let name = |at: usize| words.get(at).map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    let program = name(0);
    let at = usize::from(program.starts_with("python")) + usize::from(name(1) == "-m");
    let first = name(at);
    let known = ["manage.py", "flask", "django-admin", "alembic", "aerich"];
    if !program.starts_with("python") && !known.contains(&first) {
        return None;
    }
    // The first word that is no option.
    let second = words.get(at + 1..)?.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
    Some((first, second))
}

/// Whether a line of a start script does something that the plan does not.
fn at_start_of(words: &[String], service: &Service) -> bool {
    let Some((program, what)) = task(words) else { return false };
    let waits = |text: &str| text.contains("wait") || text.contains("check") || text.contains("pre_start");
    let planned = [
        "migrate",
        "upgrade",
        "collectstatic",
        "compress",
        "runserver",
        "run",
        "shell",
        "db",
        "makemigrations",
        "pip",
    ];
    let in_plan = service.commands().any(|command| command.value == words);
    let server = command::server(words).is_some() || processes::is_known(words);
    // The program itself, for a developer or for a container.
    let itself = service.start.as_ref().is_some_and(|start| start.value == words.join(" "))
        || matches!(program, "app.py" | "main.py" | "run.py" | "wsgi.py" | "-" | "-c");
    !server
        && !in_plan
        && !itself
        && !waits(program)
        && !waits(what)
        && !planned.contains(&what)
        && !planned.contains(&program)
}

/// Whether a step of the team's image makes files that the program needs.
fn makes_files(context: &Context<'_>, project: &Project, words: &[String], node: bool) -> bool {
    let name = |at: usize| words.get(at).map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    let has = |word: &str| words.iter().any(|known| known == word);
    match name(0) {
        "pybabel" | "sass" | "pysassc" | "lessc" | "msgfmt" => true,
        "npm" | "yarn" | "pnpm" => {
            !node && (has("run") || name(0) == "yarn" && words.len() > 1) && !has("install")
        }
        "make" => {
            words.len() > 1 && !["install", "deps", "requirements", "venv"].iter().any(|word| has(word))
        }
        // Settings that the image alone has.
        "cp" => {
            let (from, to) = (words.get(words.len().saturating_sub(2)), words.last());
            let there = from.is_some_and(|from| {
                let from = from.trim_start_matches("./");
                has_extension(from, "py") && context.repository.contains(&join(&project.folder, from))
            });
            there && to.is_some_and(|to| has_extension(to, "py"))
        }
        _ => {
            let planned = [
                "collectstatic",
                "migrate",
                "compress",
                "pip",
                "venv",
                "ensurepip",
                "compileall",
                "--version",
            ];
            task(words).is_some_and(|(program, what)| {
                let tools = ["manage.py", "django-admin", "flask"].contains(&program);
                tools && !what.is_empty() && !planned.contains(&what)
            })
        }
    }
}

/// Programs in the project's own folder that run for ever and that its README or its compose file starts.
fn documented(context: &Context<'_>, project: &Project, service: &Service) -> Vec<Gap> {
    let read = |file: &str| context.repository.source(&join(&project.folder, file));
    let Some(readme) = ["README.md", "README.rst", "README.txt", "README"].iter().find_map(|file| read(file))
    else {
        return Vec::new();
    };
    let programs = project.modules.iter().filter_map(|module| {
        let name = below(module.source.name(), &project.folder).filter(|name| !name.contains('/'))?;
        (module.source.name() != "manage.py" && runs_for_ever(module)).then_some((module, name))
    });
    let gaps = programs.filter_map(|(module, name)| {
        let in_plan = service.commands().any(|command| {
            let stem = name.strip_suffix(".py").unwrap_or(name);
            command.value.iter().any(|word| word == name || word.split(':').next() == Some(stem))
        });
        let said = [format!("python {name}"), format!("python3 {name}")];
        let number = (1..=readme.text().lines().count().min(5000)).find(|number| {
            let line = readme.slice(readme.line_span(*number));
            said.iter().any(|command| line.contains(command.as_str()))
        });
        let number = number.filter(|_| !in_plan && is_below(module.source.name(), &service.path))?;
        let evidence = Evidence::new(&readme, readme.line_span(number), "the documents start it");
        Some(Gap {
            rule: rules::PROCESS_NOT_RUN,
            subject: service.name.clone(),
            message: format!("`python {name}` runs beside it by its documents, and nothing starts it here"),
            hint: format!(
                "write a line as `{}: python {name}` in a Procfile",
                name.trim_end_matches(".py").replace('_', "-")
            ),
            evidence: vec![evidence],
        })
    });
    gaps.take(MAX_GAPS).collect()
}

/// A program that is started by its name and has a loop without an end, or waits for others.
fn runs_for_ever(module: &Module) -> bool {
    let started = module.lines().any(|at| module.is(at, "if") && module.is(at + 1, "__name__"));
    let ever = |at: usize| {
        (module.is(at, "while") && (module.is(at + 1, "True") || module.is(at + 1, "1")))
            || matches!(
                module.text(at),
                "serve_forever" | "run_forever" | "Controller" | "BlockingScheduler" | "start_consuming"
            )
    };
    started && (0..module.tokens.len()).any(ever)
}
