//! Variables that a program reads: `os.environ`, `os.getenv`, django-environ, environs, python-decouple, Starlette's
//! `Config`, dj-database-url, functions of its own that read the variable whose name they are given, and the fields of
//! pydantic's settings (`settings_class`).

use std::collections::BTreeMap;

use super::{
    branches, demands,
    project::Project,
    readers::{Reader, readers},
    settings_class,
};
use crate::{
    detect::secret,
    model::{self, Evidence, Variable},
    python::{Kind, Module},
};

/// What a value must look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    #[default]
    Text,
    Number,
    Flag,
    /// Any text but the empty one is true: `bool(os.environ.get("DEBUG"))`.
    Truth,
    Json,
    DatabaseUrl,
    OtherUrl,
}

/// One read of a variable.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) name: String,
    pub(super) default: Option<String>,
    pub(super) required: bool,
    pub(super) file_variant: bool,
    pub(super) shape: Shape,
    /// What the program splits it at.
    pub(super) separator: Option<&'static str>,
    pub(super) evidence: Evidence,
}

/// Variables that say where something is found or how tools behave, and are no settings of an application.
const IGNORED: [&str; 12] = [
    "DJANGO_SETTINGS_MODULE",
    "PATH",
    "HOME",
    "PWD",
    "HOSTNAME",
    "PYTHONPATH",
    "USER",
    "VIRTUAL_ENV",
    "TERM",
    "SHELL",
    "DYNO",
    "WERKZEUG_RUN_MAIN",
];

const MAX_READS: usize = 2000;

/// Every read in a project.
pub(super) fn reads(project: &Project) -> Vec<Read> {
    let readers = readers(project);
    let mut reads = settings_class::reads(project);
    let modules = || project.modules.iter().filter(|module| !is_for_development(module.source.name()));
    let mut known: Vec<Objects> = modules().map(|module| objects(module)).collect();
    // An object that another module made has the defaults that it was made with.
    let made: Defaults = known.iter().flat_map(|of| &of.env).flat_map(|(_, of)| of.clone()).collect();
    for (_, defaults) in known.iter_mut().flat_map(|of| &mut of.env).filter(|(_, of)| of.is_empty()) {
        defaults.clone_from(&made);
    }
    for (module, objects) in modules().zip(&known) {
        for at in 0..module.tokens.len() {
            if reads.len() >= MAX_READS {
                break;
            }
            let found = read_at(module, at, objects, &readers).map(|mut read| {
                read.required = read.required && !branches::may_be_left(module, at);
                read
            });
            reads.extend(found);
        }
    }
    reads.retain(|read| is_variable(&read.name) && !IGNORED.contains(&read.name.as_str()));
    demands::mark(project, &mut reads);
    reads
}

/// Settings modules that only a developer's machine uses.
pub(super) fn is_for_development(path: &str) -> bool {
    let stem = path.rsplit('/').next().and_then(|name| name.strip_suffix(".py")).unwrap_or_default();
    let inside = path.contains("settings/") || path.contains("config/") || path.contains("settings_");
    let stem = stem.strip_prefix("settings_").unwrap_or(stem);
    inside
        && matches!(
            stem,
            "local" | "dev" | "develop" | "development" | "test" | "testing" | "tests" | "ci" | "docker_dev"
        )
}

/// The reads of each variable put together.
pub(super) fn variables(reads: &[Read]) -> Vec<Variable> {
    let mut found: BTreeMap<&str, Variable> = BTreeMap::new();
    for read in reads {
        let variable = found.entry(&read.name).or_insert_with(|| Variable::named(&read.name, Vec::new()));
        // What a tool beside the program takes is no value of the program's.
        let beside = is_tool(&read.evidence.file)
            && reads.iter().any(|other| other.name == read.name && !is_tool(&other.evidence.file));
        variable.default = variable.default.take().or_else(|| read.default.clone().filter(|_| !beside));
        variable.file_variant |= read.file_variant;
        variable.required |= read.required;
        variable.separator = variable.separator.take().or_else(|| read.separator.map(str::to_owned));
        variable.evidence.push(read.evidence.clone());
    }
    // `NAME_FILE` that is read by itself is the file variant of `NAME`.
    let files: Vec<String> = found
        .keys()
        .filter(|name| name.strip_suffix("_FILE").is_some_and(|name| found.contains_key(name)))
        .map(|name| (*name).to_owned())
        .collect();
    for file in files {
        found.remove(file.as_str());
        if let Some(variable) = file.strip_suffix("_FILE").and_then(|name| found.get_mut(name)) {
            variable.file_variant = true;
            variable.required = false;
        }
    }
    for variable in found.values_mut() {
        variable.secret = secret::is_own(&variable.name, variable.default.as_deref(), || false);
    }
    found.into_values().collect()
}

/// A script for people beside the program.
fn is_tool(file: &str) -> bool {
    let folders = file.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders.split('/').any(|folder| {
        matches!(folder, "utils" | "scripts" | "tools" | "contrib" | "devtools" | "hack" | "bin" | "ci")
    })
}

fn is_variable(name: &str) -> bool {
    let shape = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.len() > 1 && name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(shape)
}

/// What variables are without a value, by their names; nothing where that is no literal.
type Defaults = BTreeMap<String, Option<String>>;

/// Names of a module that are called to read a variable, with their kind.
struct Objects {
    /// `env = environ.Env(DEBUG=(bool, False))` and the defaults in it.
    env: Vec<(String, Defaults)>,
    /// It reads `NAME_FILE` too.
    file_aware: bool,
    /// `config` of python-decouple or Starlette.
    config: Vec<String>,
    /// Other names of `os.environ`.
    environ: Vec<String>,
}

/// Names that are given `os.environ`: `env = os.environ`, and parameters, `def from_env(env=os.environ)`.
fn other_names(module: &Module) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for at in 2..module.tokens.len() {
        let Some((name, next)) = module.is(at - 1, "=").then(|| module.resolved(at)).flatten() else {
            continue;
        };
        if name != "os.environ" || [".", "[", "("].iter().any(|sign| module.is(next, sign)) {
            continue;
        }
        // Over a type: `env: Mapping[str, str] = os.environ`.
        let colon = (at.saturating_sub(12)..at - 1).rev().find(|&before| module.is(before, ":"));
        let name = match colon {
            Some(colon) if !module.is_word(at - 2) || module.is(at - 3, ":") => colon.checked_sub(1),
            _ => Some(at - 2),
        };
        if let Some(name) = name.filter(|&name| module.is_word(name)) {
            names.push(module.text(name).to_owned());
        }
    }
    names
}

fn objects(module: &Module) -> Objects {
    let mut objects =
        Objects { env: Vec::new(), file_aware: false, config: Vec::new(), environ: other_names(module) };
    for (name, import) in &module.imports {
        let from = (import.module.as_str(), import.name.as_deref());
        match from {
            ("decouple", Some("config" | "AutoConfig")) => objects.config.push(name.clone()),
            // `from .base import env` and the like: an object of another module of the settings.
            (_, Some("env"))
                if import.level > 0
                    || import.module.contains("settings")
                    || import.module.contains("config") =>
            {
                objects.env.push((name.clone(), BTreeMap::new()));
            }
            (_, Some("*")) if import.level > 0 => objects.env.push(("env".to_owned(), BTreeMap::new())),
            _ => {}
        }
    }
    for (name, value) in module.assignments() {
        let Some((made, open)) = module.resolved(value).filter(|(_, next)| module.is(*next, "(")) else {
            continue;
        };
        let name = module.text(name).to_owned();
        match made.as_str() {
            "environ.Env" | "environs.Env" | "environ.FileAwareEnv" | "environ.environ.Env" => {
                objects.file_aware |= made.ends_with("FileAwareEnv");
                let defaults = module.arguments(open).into_iter().filter_map(|argument| {
                    let tuple = module.arguments(argument.at);
                    let default = tuple.get(1)?;
                    Some((argument.name?.to_owned(), whole_literal(module, default.at, default.end)))
                });
                objects.env.push((name, defaults.collect()));
            }
            "starlette.config.Config" | "decouple.Config" | "decouple.AutoConfig" => {
                objects.config.push(name);
            }
            _ => {}
        }
    }
    objects
}

fn read_at(module: &Module, at: usize, objects: &Objects, readers: &[Reader]) -> Option<Read> {
    let (mut name, next) = module.resolved(at)?;
    let other = |other: &String| {
        let rest = name.strip_prefix(other.as_str())?;
        (rest.is_empty() || rest.starts_with('.')).then(|| format!("os.environ{rest}"))
    };
    if let Some(usual) = objects.environ.iter().find_map(other) {
        name = usual;
    }
    match name.as_str() {
        "os.environ" if module.is(next, "[") => subscript(module, at, next),
        "os.environ.get" | "os.getenv" | "os.environ.pop" if module.is(next, "(") => {
            optional(module, at, next, &name)
        }
        // `partial(os.getenv, "NAME", "default")`
        "os.environ.get" | "os.getenv" if module.is(next, ",") && at > 1 && module.is(at - 2, "partial") => {
            let arguments = module.arguments(at - 1);
            let name = arguments.get(1)?;
            let default = arguments.get(2);
            let default = default.and_then(|default| whole_literal(module, default.at, default.end));
            let text = whole_text(module, name.at, name.end)?;
            Some(read(module, (at, name.at), text, default, Shape::Text))
        }
        "dj_database_url.config" if module.is(next, "(") => {
            let named = module.keyword(next, "env").and_then(|argument| module.string(argument.at));
            let default = module.keyword(next, "default");
            let default = default.and_then(|argument| whole_literal(module, argument.at, argument.end));
            Some(read(
                module,
                (at, next),
                named.unwrap_or_else(|| "DATABASE_URL".to_owned()),
                default,
                Shape::DatabaseUrl,
            ))
        }
        _ if module.is(next, "(") => called(module, at, next, &name, objects, readers),
        _ => None,
    }
}

fn read(
    module: &Module,
    (from, to): (usize, usize),
    name: String,
    default: Option<String>,
    shape: Shape,
) -> Read {
    let evidence = Evidence::new(&module.source, module.span(from, to), "reads the variable");
    Read { name, default, required: false, file_variant: false, shape, separator: None, evidence }
}

/// `os.environ["NAME"]`: nothing goes on without it, unless something asked before.
fn subscript(module: &Module, at: usize, open: usize) -> Option<Read> {
    let close = module.close(open)?;
    let name = whole_text(module, open + 1, close)?;
    // An assignment sets it.
    if module.is(close + 1, "=") {
        return None;
    }
    let mut read = read(module, (at, close), name, None, shape_around(module, at));
    read.separator = separator(module, close);
    read.required = !is_guarded(module, at, &read.name);
    Some(read)
}

/// `os.environ.get("NAME", default)`.
fn optional(module: &Module, at: usize, open: usize, function: &str) -> Option<Read> {
    let arguments = module.arguments(open);
    let first = arguments.first()?;
    let name = whole_text(module, first.at, first.end)?;
    let second =
        arguments.iter().find(|argument| argument.name == Some("default")).or_else(|| arguments.get(1));
    let close = module.close(open)?;
    let default = second
        .and_then(|second| whole_literal(module, second.at, second.end))
        .or_else(|| behind_or(module, close));
    let mut read = read(module, (at, first.at), name, default, shape_around(module, at));
    read.separator = separator(module, close);
    // `bool(os.environ.get("DEBUG", 0))`: as a text, 0 would be true.
    if read.shape == Shape::Truth && second.is_some_and(|second| module.kind(second.at) != Some(Kind::String))
    {
        read.default =
            read.default.take().filter(|literal| !matches!(literal.as_str(), "0" | "False" | "false"));
    }
    read.required = if function == "os.environ.pop" {
        second.is_none()
    } else {
        let fails = ends_without(module, at, close)
            || (used_at_once(module, at, close) && !is_asked_for(module, at, close, &read.name));
        read.default.is_none() && second.is_none() && fails
    };
    Some(read)
}

/// `os.environ.get("NAME").split()`, `int(os.getenv("NAME"))`: the text is used as one, and there is none without the
/// variable.
fn used_at_once(module: &Module, at: usize, close: usize) -> bool {
    let behind = [".", "[", "+", "%"].iter().any(|sign| module.is(close + 1, sign))
        && module.tokens.get(close + 1).is_some_and(|token| !token.first);
    let joined =
        at > 1 && module.is(at - 1, "+") && matches!(module.kind(at - 2), Some(Kind::String | Kind::Format));
    // `x in …` and `for x in …`.
    let looked_in = at > 0 && module.is(at - 1, "in");
    let first = at > 1 && module.is(at - 1, "(");
    let given = first
        && (matches!(module.text(at - 2), "int" | "float" | "Decimal" | "loads" | "Path" | "len" | "list")
            || matches!(module.text(at - 2), "import_string" | "import_module")
            || (module.is(at - 2, "join") && at > 3 && module.is(at - 4, "path")));
    behind || joined || looked_in || given
}

/// Whether the program makes sure that the variable is there before it uses its text: above, around or behind the read.
fn is_asked_for(module: &Module, at: usize, close: usize, name: &str) -> bool {
    let mentions = |from: usize, to: usize| {
        (from..to.min(module.tokens.len()))
            .any(|at| module.kind(at) == Some(Kind::String) && module.string(at).as_deref() == Some(name))
    };
    let end = module.line_end(close).min(close + 200);
    // `int(os.environ.get("NAME")) if os.environ.get("NAME") else 1`.
    let behind = (close..end).find(|&at| module.is(at, "if")).is_some_and(|at| mentions(at, end));
    behind || is_guarded(module, at, name)
}

/// `os.environ.get("HOSTS").split(",")`.
fn separator(module: &Module, close: usize) -> Option<&'static str> {
    if !module.is(close + 1, ".") || !module.is(close + 2, "split") || !module.is(close + 3, "(") {
        return None;
    }
    // Without an argument at blanks of any kind.
    let at = if module.is(close + 4, ")") { " ".to_owned() } else { module.string(close + 4)? };
    model::separator(&at)
}

/// A text that is all of a value: a name that is put together is none that is known.
fn whole_text(module: &Module, at: usize, end: usize) -> Option<String> {
    whole_literal(module, at, end).filter(|_| module.kind(at) == Some(Kind::String))
}

/// A literal that is all of a value: of an expression (`"sqlite:///" + path`) the first text alone would be another value.
pub(super) fn whole_literal(module: &Module, at: usize, end: usize) -> Option<String> {
    let single = end == at + 1
        || (module.kind(at) == Some(Kind::String)
            && (at..end).all(|at| module.kind(at) == Some(Kind::String)));
    if single { module.literal(at) } else { None }
}

/// `os.environ.get("NAME") or "value"`.
fn behind_or(module: &Module, close: usize) -> Option<String> {
    let value = close + 2;
    let mut end = value + 1;
    while module.kind(value) == Some(Kind::String) && is_continued(module, end, Kind::String) {
        end += 1;
    }
    // What goes on behind the literal, `+ path` or `.format(…)`, makes it a part of the value.
    let goes_on = is_continued(module, end, Kind::Format)
        || (is_continued(module, end, Kind::Punctuation)
            && !matches!(module.text(end), ")" | "]" | "}" | "," | ":" | ";"));
    (module.is(close + 1, "or") && !goes_on).then(|| whole_literal(module, value, end)).flatten()
}

/// Whether a token of this kind stands at `at` in the same logical line as the one before it.
fn is_continued(module: &Module, at: usize, kind: Kind) -> bool {
    module.kind(at) == Some(kind) && !module.tokens[at].first
}

/// `int(os.environ["NAME"])`.
fn shape_around(module: &Module, at: usize) -> Shape {
    if at < 2 || !module.is(at - 1, "(") {
        return Shape::Text;
    }
    match module.text(at - 2) {
        "int" | "float" => Shape::Number,
        "loads" => Shape::Json,
        "bool" => Shape::Truth,
        _ => Shape::Text,
    }
}

/// Whether something in front of the read makes sure that the variable is there, or goes on without it.
fn is_guarded(module: &Module, at: usize, name: &str) -> bool {
    let asked = (0..at).rev().take(3000).any(|before| {
        module.kind(before) == Some(Kind::String)
            && module.string(before).as_deref() == Some(name)
            && (module.is(before + 1, "in")
                || (before > 2 && module.is(before - 2, "get"))
                || (before > 2 && module.is(before - 2, "getenv")))
    });
    asked || enclosing(module, at).is_some_and(|header| module.is(header, "try"))
}

/// The header of the block that `at` stands in.
pub(super) fn enclosing(module: &Module, at: usize) -> Option<usize> {
    let indent = module.tokens.get(at)?.indent;
    (0..at)
        .rev()
        .take(4000)
        .find(|&before| module.tokens[before].first && module.tokens[before].indent < indent)
}

/// `x = os.environ.get("X")` with `if not x: raise …` below it.
fn ends_without(module: &Module, at: usize, close: usize) -> bool {
    if at < 2 || !module.is(at - 1, "=") {
        return false;
    }
    let name = module.text(at - 2);
    (close..module.tokens.len().min(close + 300)).any(|at| {
        let asks = module.is(at, "if")
            && ((module.is(at + 1, "not") && module.is(at + 2, name) && module.is(at + 3, ":"))
                || (module.is(at + 1, name)
                    && module.is(at + 2, "is")
                    && module.is(at + 3, "None")
                    && module.is(at + 4, ":")));
        let body = if module.is(at + 1, "not") { at + 4 } else { at + 5 };
        asks && (module.is(body, "raise")
            || (module.is(body, "sys") && module.is(body + 2, "exit"))
            || module.is(body, "exit"))
    })
}

/// Calls of objects and functions that read.
fn called(
    module: &Module,
    at: usize,
    open: usize,
    name: &str,
    objects: &Objects,
    readers: &[Reader],
) -> Option<Read> {
    let (object, method) = name.split_once('.').map_or((name, ""), |(object, method)| (object, method));
    let local = module.text(at);
    if let Some((_, defaults)) = objects.env.iter().find(|(env, _)| env == local) {
        return environ_call(
            module,
            at,
            open,
            method_of(module, at, open, method),
            defaults,
            objects.file_aware,
        );
    }
    let arguments = module.arguments(open);
    let first = arguments.first()?;
    if objects.config.iter().any(|config| config == object || config == local)
        && !matches!(method_of(module, at, open, method), "read" | "update")
    {
        let name = whole_text(module, first.at, first.end)?;
        let default = module.keyword(open, "default");
        let cast = module.keyword(open, "cast").map_or("", |argument| module.text(argument.at));
        let literal = default.and_then(|argument| whole_literal(module, argument.at, argument.end));
        let mut read = read(module, (at, first.at), name, literal, cast_shape(cast));
        read.required = default.is_none();
        return Some(read);
    }
    let reader = readers.iter().find(|reader| {
        module.is(at, &reader.name) || name.rsplit('.').next() == Some(reader.name.as_str())
    })?;
    // `def name(` declares.
    if at > 0 && module.is(at - 1, "def") {
        return None;
    }
    let argument = arguments.get(reader.parameter)?;
    let name = whole_text(module, argument.at, argument.end)?;
    let named = arguments.iter().find(|argument| argument.name == Some("default"));
    let default = named.or_else(|| arguments.get(reader.parameter + 1));
    let literal = default.and_then(|argument| whole_literal(module, argument.at, argument.end));
    let mut read = read(module, (at, argument.at), name, literal, Shape::Text);
    read.file_variant = reader.file_variant;
    read.required = reader.required && default.is_none();
    Some(read)
}

/// The method as it is written: what `env` was imported from does not count.
fn method_of<'a>(module: &'a Module, at: usize, open: usize, method: &'a str) -> &'a str {
    if open > at + 2 {
        module.text(open - 1)
    } else if module.is(at + 1, "(") {
        ""
    } else {
        method
    }
}

/// `env("NAME", default=…)`, `env.bool("NAME", False)`, `env.db()`.
fn environ_call(
    module: &Module,
    at: usize,
    open: usize,
    method: &str,
    defaults: &Defaults,
    file_aware: bool,
) -> Option<Read> {
    if matches!(method, "read_env" | "prefixed" | "seal" | "parse_db_url" | "read_envfile") {
        return None;
    }
    let (shape, own) = match method {
        "db" | "db_url" | "dj_db_url" => (Shape::DatabaseUrl, Some("DATABASE_URL")),
        "cache" | "cache_url" => (Shape::OtherUrl, Some("CACHE_URL")),
        "email" | "email_url" => (Shape::OtherUrl, Some("EMAIL_URL")),
        "int" | "float" | "decimal" => (Shape::Number, None),
        "bool" => (Shape::Flag, None),
        "json" | "dict" => (Shape::Json, None),
        _ => (Shape::Text, None),
    };
    let arguments = module.arguments(open);
    let positional = arguments.first().filter(|argument| argument.name.is_none());
    let name = positional
        .and_then(|argument| whole_text(module, argument.at, argument.end))
        .or_else(|| own.map(str::to_owned))?;
    let second = arguments
        .iter()
        .find(|argument| argument.name == Some("default"))
        .or_else(|| arguments.get(1).filter(|argument| argument.name.is_none()));
    let literal = second.and_then(|argument| whole_literal(module, argument.at, argument.end));
    let close = module.close(open)?;
    let known = defaults.get(&name).cloned();
    let mut read = read(module, (at, close), name, literal.or_else(|| known.clone().flatten()), shape);
    read.separator = matches!(method, "list" | "tuple").then_some("commas");
    read.required = second.is_none() && known.is_none();
    read.file_variant = file_aware;
    Some(read)
}

fn cast_shape(cast: &str) -> Shape {
    match cast {
        "int" | "float" => Shape::Number,
        "bool" => Shape::Flag,
        "db_url" | "dburl" => Shape::DatabaseUrl,
        _ => Shape::Text,
    }
}
