//! What Flask's configuration says: which of two modules counts, variables that set it from outside, and what must not
//! reach production.

use std::rc::Rc;

use super::{
    apps::App,
    environment::{Read, Shape, enclosing},
    project::Project,
    sqlite,
};
use crate::{
    model::{Evidence, Fact, Gap, Probe, Process, Role, Service, Setting, StoreKind},
    python::{Kind, Module},
    rules,
};

const MAX_CALLS: usize = 50;

/// Reads that count in production, with those that the configuration makes by its own rule.
pub(super) fn reads(
    project: &Project,
    mut reads: Vec<Read>,
    service: &mut Service,
    gaps: &mut Vec<Gap>,
) -> Vec<Read> {
    if project.needs(&["flask", "apiflask", "quart"]).is_none() {
        return reads;
    }
    if let Some(choice) = choice(project) {
        reads.retain(|read| read.evidence.file != choice.other);
        choose(&choice, &mut reads, service, gaps);
    }
    let from_outside: Vec<Read> =
        prefixed(project).into_iter().filter(|new| reads.iter().all(|read| read.name != new.name)).collect();
    reads.extend(from_outside);
    reads
}

/// Two modules of configuration between which a variable decides.
struct Choice {
    variable: String,
    /// What makes it production's; nothing where production is without it.
    value: Option<String>,
    /// File of the one that is not production's.
    other: String,
    chosen: String,
    evidence: Evidence,
}

/// `if "HOSTED" in os.environ: app.config.from_object("shop.production") else: … "shop.development"`.
fn choice(project: &Project) -> Option<Choice> {
    project.modules.iter().find_map(|module| {
        let calls: Vec<(usize, &Rc<Module>)> = (0..module.tokens.len())
            .filter(|&at| module.is(at, "from_object") && module.is(at + 1, "("))
            .filter_map(|at| Some((at, project.find(module, &module.string(at + 2)?)?)))
            .take(MAX_CALLS)
            .collect();
        calls.iter().find_map(|(first, one)| {
            let header = enclosing(module, *first).filter(|&header| module.is(header, "if"))?;
            let (_, two) = calls.iter().find(|(second, _)| {
                let other = enclosing(module, *second);
                other.is_some_and(|other| {
                    module.is(other, "else")
                        && other > header
                        && module.tokens[other].indent == module.tokens[header].indent
                })
            })?;
            let (variable, value, positive) = condition(module, header)?;
            let (chosen, other, wanted) = match (is_for_production(one), is_for_production(two)) {
                (true, false) => (one, two, positive),
                (false, true) => (two, one, !positive),
                _ => return None,
            };
            let end = module.line_end(header);
            Some(Choice {
                variable,
                value: wanted.then_some(value),
                other: other.source.name().to_owned(),
                chosen: chosen.source.name().to_owned(),
                evidence: Evidence::new(
                    &module.source,
                    module.span(header, end - 1),
                    "decides between two configurations",
                ),
            })
        })
    })
}

fn is_for_production(module: &Rc<Module>) -> bool {
    let stem = module.source.name().rsplit('/').next().unwrap_or_default();
    ["production", "prod"]
        .iter()
        .any(|word| stem.strip_suffix(".py").unwrap_or(stem).split('_').any(|part| part == *word))
}

/// `if "X" not in os.environ:`, `if os.environ.get("X"):`, `if os.getenv("X") == "production":`: the variable, the value
/// that it is asked for, and whether the block is for where it is so.
fn condition(module: &Module, header: usize) -> Option<(String, String, bool)> {
    let end = module.line_end(header).min(header + 20);
    let tokens = || header + 1..end;
    if !tokens().any(|at| matches!(module.text(at), "environ" | "getenv"))
        || tokens().any(|at| matches!(module.text(at), "or" | "and"))
    {
        return None;
    }
    let mut strings =
        tokens().filter(|&at| module.kind(at) == Some(Kind::String)).filter_map(|at| module.string(at));
    let variable = strings.next()?;
    let compared =
        tokens().find(|&at| matches!(module.text(at), "==" | "!=")).and_then(|at| module.string(at + 1));
    let negated = tokens().any(|at| matches!(module.text(at), "not" | "!="));
    Some((variable, compared.unwrap_or_else(|| "1".to_owned()), !negated))
}

fn choose(choice: &Choice, reads: &mut [Read], service: &mut Service, gaps: &mut Vec<Gap>) {
    let chosen = choice.chosen.clone();
    let reason = format!("with it the program takes {chosen}");
    // The condition itself looks at it, and does nothing with its value.
    let elsewhere = |read: &Read| {
        (&read.evidence.file, read.evidence.line) != (&choice.evidence.file, choice.evidence.line)
    };
    let read = reads.iter().any(|read| read.name == choice.variable && elsewhere(read));
    match &choice.value {
        // Its value means something: nobody but the team knows it.
        Some(_) if read => {
            for read in reads.iter_mut().filter(|read| read.name == choice.variable && read.default.is_none())
            {
                read.required = true;
            }
        }
        Some(value) => service.settings.push(Setting {
            name: choice.variable.clone(),
            value: value.clone(),
            reason: format!("The program takes {chosen} where this is set."),
            at_build: false,
        }),
        None => {}
    }
    gaps.push(Gap {
        rule: rules::DEVELOPMENT_VALUES,
        subject: service.name.clone(),
        message: format!(
            "{} decides between two configurations: {chosen} is taken, {} is not",
            choice.variable, choice.other
        ),
        hint: if choice.value.is_some() && read {
            format!("set {} for `plimsoll up`: its value is read too", choice.variable)
        } else {
            "nothing has to be done where that one is production's".to_owned()
        },
        evidence: vec![Evidence { reason, ..choice.evidence.clone() }],
    });
}

/// `app.config.from_prefixed_env()`: every text of the configuration before it can be set from outside.
fn prefixed(project: &Project) -> Vec<Read> {
    let found = project.modules.iter().find_map(|module| {
        let at = (0..module.tokens.len())
            .find(|&at| module.is(at, "from_prefixed_env") && module.is(at + 1, "("))?;
        let first = module.arguments(at + 1).first().copied();
        Some((
            module,
            at,
            first.and_then(|first| module.string(first.at)).unwrap_or_else(|| "FLASK".to_owned()),
        ))
    });
    let Some((module, call, prefix)) = found else { return Vec::new() };
    let texts = (0..call).filter_map(|at| {
        let (name, value) = configured(module, at)?;
        let text = module.string(value)?;
        let evidence = Evidence::new(
            &module.source,
            module.span(at, value),
            "from_prefixed_env sets it from this variable",
        );
        Some(Read {
            name: format!("{prefix}_{name}"),
            default: Some(text),
            required: false,
            file_variant: false,
            shape: Shape::Text,
            separator: None,
            evidence,
        })
    });
    texts.take(MAX_CALLS).collect()
}

/// A setting of the configuration with a value at a token: `KEY="…"` among arguments, `config["KEY"] = "…"`.
fn configured(module: &Module, at: usize) -> Option<(String, usize)> {
    let upper = |name: &str| {
        name.len() > 1 && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    if module.is_word(at) && upper(module.text(at)) && module.is(at + 1, "=") && !module.tokens[at].first {
        return Some((module.text(at).to_owned(), at + 2));
    }
    let name = module.string(at).filter(|name| upper(name))?;
    let item = at > 1 && module.is(at - 1, "[") && module.is(at - 2, "config");
    (item && module.is(at + 1, "]") && module.is(at + 2, "=")).then_some((name, at + 3))
}

/// A command that makes the tables in a file of SQLite runs before the server where the file is not there yet: without
/// tables no page answers.
pub(super) fn tables(of: &sqlite::Of<'_>, app: &App, service: &mut Service, gaps: &mut Vec<Gap>) {
    let of_file =
        !service.stores.is_empty() && service.stores.iter().all(|used| used.kind == StoreKind::Sqlite);
    if !matches!(app.package, "flask" | "apiflask" | "quart") || service.migration.is_some() || !of_file {
        return;
    }
    let modules = of.project.modules.iter();
    let mut modules = modules.filter(|module| !super::environment::is_for_development(module.source.name()));
    let Some((command, evidence)) = modules.find_map(makes_tables) else { return };
    let Some(file) = sqlite::place(of, service).filter(|file| is_plain(file) && is_plain(&app.module)) else {
        return;
    };
    if service.processes.iter().any(|process| process.command.value.contains(&command)) {
        return;
    }
    let script = format!(
        "import os, subprocess, sys; there = os.path.exists('{file}') and os.path.getsize('{file}'); \
         sys.exit(0 if there else subprocess.call(['flask', '--app', '{}', '{command}']))",
        app.module
    );
    gaps.push(Gap { rule: rules::TABLES_AT_START,
        subject: service.name.clone(),
        message: format!(
            "`flask --app {} {command}` makes its tables: it runs before the server where {file} is not there yet, and never again",
            app.module
        ),
        hint: "nothing has to be done; tables of a later version are made by a tool for migrations".to_owned(),
        evidence: vec![evidence.clone()],
    });
    service.processes.push(Process {
        name: command,
        role: Role::OneShot,
        command: Fact::new(vec!["python".to_owned(), "-c".to_owned(), script], evidence),
        probe: Probe::Process,
        grace: None,
    });
}

/// A text that needs no escape in Python.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_'))
}

/// What must not reach production, and tables that nothing makes.
pub(super) fn faults(project: &Project, app: &App, service: &Service, gaps: &mut Vec<Gap>) {
    if !matches!(app.package, "flask" | "apiflask" | "quart") {
        return;
    }
    let mut add = |rule, message: String, hint: String, evidence: Evidence| {
        gaps.push(Gap { rule, subject: service.name.clone(), message, hint, evidence: vec![evidence] });
    };
    let modules = || {
        project.modules.iter().filter(|module| !super::environment::is_for_development(module.source.name()))
    };
    let reads_key = service.environment.iter().any(|variable| variable.name.ends_with("SECRET_KEY"));
    if !reads_key && let Some(evidence) = modules().find_map(key_in_source) {
        add(
            rules::SECRET_IN_SOURCE,
            "the signing key stands in the source".to_owned(),
            "read SECRET_KEY from the environment".to_owned(),
            evidence,
        );
    }
    if let Some(evidence) = modules().find_map(debug) {
        add(
            rules::DEBUG_ON,
            "debug is on whatever the environment says: errors show the source".to_owned(),
            "read it from the environment, off by default".to_owned(),
            evidence,
        );
    }
    if service.migration.is_none()
        && !service.stores.is_empty()
        && let Some((command, evidence)) = modules().find_map(makes_tables)
        && !service
            .processes
            .iter()
            .any(|process| process.command.value.iter().any(|word| word.contains(&command)))
    {
        let run = format!("flask --app {} {command}", app.module);
        add(
            rules::MIGRATIONS_NOT_APPLIED,
            format!("`{run}` makes its tables, and nothing runs it: it may empty them, too"),
            format!(
                "run it once: docker compose -f compose.production.yml run --rm {} {run}; or write it as `release:` in a Procfile where every release may run it",
                service.name
            ),
            evidence,
        );
    }
}

/// `app.secret_key = "…"`, `SECRET_KEY = "…"`, `config["SECRET_KEY"] = "…"`.
fn key_in_source(module: &Rc<Module>) -> Option<Evidence> {
    (0..module.tokens.len()).find_map(|at| {
        let value = match module.text(at) {
            "SECRET_KEY" | "secret_key" if module.is(at + 1, "=") => at + 2,
            _ => configured(module, at).filter(|(name, _)| name == "SECRET_KEY")?.1,
        };
        let whole = matches!(module.text(value + 1), "," | ")" | "")
            || module.tokens.get(value + 1).is_some_and(|token| token.first);
        let text = module.string(value).filter(|text| whole && !text.is_empty());
        text.map(|_| Evidence::new(&module.source, module.span(at, value), "the signing key"))
    })
}

/// `app.debug = True`, `config["DEBUG"] = True`, and a factory that is told so where the module is imported.
fn debug(module: &Rc<Module>) -> Option<Evidence> {
    (0..module.tokens.len()).find_map(|at| {
        let value = match module.text(at) {
            "debug" if at > 0 && module.is(at - 1, ".") && module.is(at + 1, "=") => at + 2,
            "debug"
                if module.is(at + 1, "=") && module.tokens[at].indent == 0 && !module.tokens[at].first =>
            {
                let line = (0..at).rev().find(|&at| module.tokens[at].first)?;
                // `app.run(debug=True)` runs on no server.
                module.assigned(line)?;
                at + 2
            }
            _ => configured(module, at).filter(|(name, _)| name == "DEBUG")?.1,
        };
        module.is(value, "True").then(|| Evidence::new(&module.source, module.span(at, value), "debug is on"))
    })
}

/// `@click.command("init-db")`: a command of the project's own by one of the usual names.
fn makes_tables(module: &Rc<Module>) -> Option<(String, Evidence)> {
    const USUAL: [&str; 8] = [
        "init-db",
        "init_db",
        "initdb",
        "create-db",
        "create_db",
        "create-tables",
        "create_tables",
        "db-init",
    ];
    (0..module.tokens.len()).find_map(|at| {
        let command = module.is(at, "command") && at > 0 && module.is(at - 1, ".") && module.is(at + 1, "(");
        let name = module.string(at + 2).filter(|name| command && USUAL.contains(&name.as_str()))?;
        Some((name, Evidence::new(&module.source, module.span(at, at + 2), "makes the tables")))
    })
}
