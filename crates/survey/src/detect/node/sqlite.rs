//! SQLite: its file has to lie in a folder of its own, on a volume. Where a variable names the file the stack names it.

use std::rc::Rc;

use super::traffic::{folder_of, path_text};
use crate::{
    context::{Context, has_extension, is_javascript, join},
    javascript::{Script, values::Program},
    model::{Address, Evidence, Fact, Gap, Part, Service, Setting, StoreKind, Writes},
    rules,
};

/// Keys under which the file stands among a client's settings.
const KEYS: [&str; 3] = ["storage", "filename", "database"];

/// The volume's folder for a file that a variable names.
const FOLDER: &str = "/data";

/// Files with examples of variables, as teams commit them.
const EXAMPLES: [&str; 4] = [".env.example", ".env.sample", ".env.template", ".env.dist"];

/// Gives the files of SQLite a volume; what cannot have one is a gap.
pub(super) fn detect(context: &Context<'_>, program: &Program, service: &mut Service) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let uses: Vec<_> = service.stores.iter().filter(|used| used.kind == StoreKind::Sqlite).cloned().collect();
    for used in uses {
        match &used.address {
            Some(Address::Url { variable, scheme, .. }) => {
                gaps.extend(by_variable(context, service, variable, scheme.as_deref()));
            }
            Some(Address::Parts { variables, .. }) => {
                let file = variables.iter().find(|(part, _)| *part == Part::Database);
                gaps.extend(file.and_then(|(_, variable)| by_variable(context, service, variable, None)));
            }
            Some(Address::Fixed { .. }) | None => {
                let found = used.evidence.iter().filter(|place| place.reason == "opens it");
                let files: Vec<_> = found.filter_map(|place| written(program, place)).collect();
                for file in files {
                    gaps.extend(keep(context, service, &file));
                }
            }
        }
    }
    gaps
}

/// A variable names the file: its default's folder is kept, else the stack names a file on a volume.
fn by_variable(
    context: &Context<'_>,
    service: &mut Service,
    variable: &Fact<String>,
    scheme: Option<&str>,
) -> Option<Gap> {
    let read = service.environment.iter().find(|known| known.name == variable.value);
    let default = read.and_then(|known| known.default.clone());
    let known = default.clone().or_else(|| example(context, service, &variable.value));
    // A database at somebody else's place.
    let hosted =
        |text: &str| ["libsql:", "https:", "http:", "wss:"].iter().any(|scheme| text.starts_with(scheme));
    if known.as_deref().is_some_and(hosted) || variable.value.contains("TURSO") {
        return None;
    }
    // A folder of the system's is no volume: the variable names another one.
    let own = |text: &&str| text.contains('/') && !is_of_the_system(text);
    if let Some(text) = default.as_deref().map(path).filter(own) {
        return keep(context, service, &Fact { value: text.to_owned(), evidence: variable.evidence.clone() });
    }
    let name = known.as_deref().map(path).and_then(|text| text.rsplit('/').next());
    let plain = |name: &&str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let file = format!("{FOLDER}/{}", name.filter(plain).unwrap_or("app.db"));
    let value = scheme.map_or_else(|| file.clone(), |scheme| format!("{scheme}:{file}"));
    let reason = "SQLite's file lies on a volume.".to_owned();
    service.settings.retain(|known| known.name != variable.value);
    service.migrations_read.push(variable.value.clone());
    service.settings.push(Setting { name: variable.value.clone(), value, reason, at_build: false });
    add(service, Fact { value: FOLDER.to_owned(), evidence: variable.evidence.clone() });
    None
}

/// Whether a file lies directly in a folder that the system has: what is put over one hides what is there.
fn is_of_the_system(text: &str) -> bool {
    let folder = text.rsplit_once('/').map_or("", |(folder, _)| folder);
    let top =
        ["", "/tmp", "/var", "/var/tmp", "/etc", "/usr", "/root", "/home", "/opt", "/app", "/srv", "/run"];
    text.starts_with('/') && top.contains(&folder)
}

/// The path of `file:./a.db?mode=rw`, `sqlite:a.db` and `a.db`.
fn path(text: &str) -> &str {
    let text = ["file:", "sqlite:"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    let text = text.strip_prefix("//").unwrap_or(text);
    text.split('?').next().unwrap_or(text).trim_start_matches("./")
}

/// The value of a variable in a committed example.
fn example(context: &Context<'_>, service: &Service, name: &str) -> Option<String> {
    EXAMPLES.iter().find_map(|file| {
        let source = context.repository.source(&join(&service.path, file))?;
        source.text().lines().find_map(|line| {
            let (key, value) = line.trim().trim_start_matches("export ").split_once('=')?;
            let value = value.trim().trim_matches(['"', '\'']);
            (key.trim() == name && !value.is_empty()).then(|| value.to_owned())
        })
    })
}

/// The file that stands in a call which opens it.
fn written(program: &Program, place: &Evidence) -> Option<Fact<String>> {
    let module = program.modules.iter().position(|module| module.script.source.name() == place.file)?;
    let script: &Rc<Script> = &program.modules[module].script;
    let at = script.tokens.partition_point(|token| token.span.start < place.start);
    let open = script.skip_type_arguments(at + 1);
    let close = script.close(open)?;
    let fact = |text: String, at: usize| {
        Fact::new(text, Evidence::new(&script.source, script.span(at, at), "the file of its database"))
    };
    let key = (open..close).find(|&at| KEYS.contains(&script.text(at)) && script.is(at + 1, ":"));
    if let Some(text) = key.and_then(|at| path_text(program, module, script, at + 2)) {
        return key.map(|at| fact(text, at));
    }
    // Settings that stand elsewhere, or the path itself.
    script.arguments(open).into_iter().find_map(|argument| {
        let member = KEYS.iter().find_map(|key| {
            program
                .member(module, argument, key)
                .or_else(|| program.path(module, argument, &["connection", key]))
        });
        if let Some(value) = member {
            return Some(Fact { value: value.literal?, evidence: value.evidence });
        }
        let named = !script.is(argument, "{");
        named.then(|| path_text(program, module, script, argument)).flatten().map(|text| fact(text, argument))
    })
}

/// Keeps the folder of a file; one that lies beside the program, or in a folder with its sources, has none.
fn keep(context: &Context<'_>, service: &mut Service, file: &Fact<String>) -> Option<Gap> {
    let text = path(&file.value);
    if matches!(text, "" | ":memory:" | "memory:" | ":memory") {
        return None;
    }
    if is_of_the_system(text) {
        return Some(Gap {
            rule: rules::DATA_NOT_KEPT,
            subject: service.name.clone(),
            message: format!(
                "the file of its database, {text}, lies in a folder of the system: nothing keeps it"
            ),
            hint: "put it into a folder of its own, such as data/, or read its path from a variable"
                .to_owned(),
            evidence: file.evidence.clone(),
        });
    }
    let sources = |folder: &str| {
        let folder = join(&service.path, folder);
        context.repository.under(&folder).any(|path| is_javascript(path) || has_extension(path, "ts"))
    };
    let folder = folder_of(text, true).map(|(folder, _)| folder);
    let Some(folder) = folder.filter(|folder| folder.starts_with('/') || !sources(folder)) else {
        return Some(Gap {
            rule: rules::DATA_NOT_KEPT,
            subject: service.name.clone(),
            message: format!(
                "the file of its database, {text}, lies beside the program, where a container can write nothing: it will \
                 fail when it opens it"
            ),
            hint: "put it into a folder of its own, such as data/, or read its path from a variable"
                .to_owned(),
            evidence: file.evidence.clone(),
        });
    };
    add(service, Fact { value: folder, evidence: file.evidence.clone() });
    None
}

fn add(service: &mut Service, path: Fact<String>) {
    if service.writes.iter().all(|known| known.path.value != path.value) {
        service.writes.push(Writes { path, keep: true });
    }
}
