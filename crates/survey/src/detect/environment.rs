//! Variables that a service reads: `process.env.NAME`, an object that is called `env`, and functions that read the
//! variable whose name they are given (`secret(env, "DATABASE_URL")`), with `NAME_FILE` where they read that too.

use std::{collections::BTreeMap, rc::Rc};

use crate::{
    context::Context,
    javascript::{Kind, Script},
    model::{Evidence, Role, Survey, Variable},
};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    for service in survey.services.iter_mut().filter(|service| service.role == Role::Server) {
        let program = context.program(&service.path);
        service.environment = variables(&program);
    }
}

fn variables(program: &[Rc<Script>]) -> Vec<Variable> {
    let readers = readers(program);
    let mut found: BTreeMap<String, Variable> = BTreeMap::new();
    for script in program {
        for at in 0..script.tokens.len() {
            if let Some(read) = reads_at(script, at, &readers) {
                let evidence =
                    Evidence::new(&script.source, script.span(at, read.last), "reads the variable");
                let variable = found.entry(read.name.clone()).or_insert_with(|| Variable {
                    name: read.name,
                    default: None,
                    file_variant: false,
                    required: false,
                    secret: false,
                    evidence: Vec::new(),
                });
                variable.default = variable.default.take().or(read.default);
                variable.file_variant |= read.file_variant;
                variable.evidence.push(evidence);
            }
        }
    }
    // `NAME_FILE` that is read by itself is the file variant of `NAME`.
    let files: Vec<String> = found
        .keys()
        .filter(|name| name.strip_suffix("_FILE").is_some_and(|name| found.contains_key(name)))
        .cloned()
        .collect();
    for file in files {
        found.remove(&file);
        if let Some(variable) = file.strip_suffix("_FILE").and_then(|name| found.get_mut(name)) {
            variable.file_variant = true;
        }
    }
    found.into_values().collect()
}

/// A function that reads the variable whose name is its parameter number `parameter`.
struct Reader {
    name: String,
    parameter: usize,
    file_variant: bool,
}

/// Functions that are looked at, and tokens of each: a text that was made to be slow must not be.
const MAX_FUNCTIONS: usize = 2000;
const MAX_BODY: usize = 5000;
const MAX_READERS: usize = 100;

struct Read {
    name: String,
    default: Option<String>,
    file_variant: bool,
    /// The last token of the expression.
    last: usize,
}

fn reads_at(script: &Script, at: usize, readers: &[Reader]) -> Option<Read> {
    if let Some(after) = environment_object(script, at) {
        let (name, last) = if script.is(after, ".") && script.is_word(after + 1) {
            (script.text(after + 1).to_owned(), after + 1)
        } else if script.is(after, "[") {
            (script.string(after + 1)?, after + 2)
        } else {
            return None;
        };
        let default = default_behind(script, last + 1);
        return is_variable(&name).then_some(Read { name, default, file_variant: false, last });
    }
    // `function name(` declares; only calls read.
    if !script.is_word(at) || !script.is(at + 1, "(") || (at > 0 && script.is(at - 1, "function")) {
        return None;
    }
    let reader = readers.iter().find(|reader| script.is(at, &reader.name))?;
    let arguments = script.arguments(at + 1);
    let argument = *arguments.get(reader.parameter)?;
    let name = script.string(argument).filter(|name| is_variable(name))?;
    let default = arguments.get(reader.parameter + 1).and_then(|&at| literal(script, at));
    Some(Read { name, default, file_variant: reader.file_variant, last: argument })
}

/// The token behind `process.env` or behind an object called `env`.
fn environment_object(script: &Script, at: usize) -> Option<usize> {
    if script.is(at, "process") && script.is(at + 1, ".") && script.is(at + 2, "env") {
        return Some(at + 3);
    }
    let member = at > 0 && script.is(at - 1, ".");
    (!member && (script.is(at, "env") || script.is(at, "environment"))).then_some(at + 1)
}

fn is_variable(name: &str) -> bool {
    let shape = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.len() > 1 && name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(shape)
}

/// `?? "value"` and `|| 1`, also behind the brackets that the read stands in.
fn default_behind(script: &Script, mut at: usize) -> Option<String> {
    while script.is(at, ")") {
        at += 1;
    }
    (script.is(at, "??") || script.is(at, "||")).then(|| literal(script, at + 1)).flatten()
}

fn literal(script: &Script, at: usize) -> Option<String> {
    match script.kind(at)? {
        Kind::Number => Some(script.text(at).replace('_', "")),
        Kind::String | Kind::Template => script.string(at),
        _ => None,
    }
}

/// All functions that read a variable whose name they are given, directly or through one another.
fn readers(program: &[Rc<Script>]) -> Vec<Reader> {
    let functions: Vec<(Rc<Script>, Function)> = program
        .iter()
        .flat_map(|script| functions(script).into_iter().map(|function| (Rc::clone(script), function)))
        .take(MAX_FUNCTIONS)
        .collect();
    let mut readers: Vec<Reader> = Vec::new();
    // Each round finds the functions that are one call further away.
    for _ in 0..4 {
        let known = readers.len();
        for (script, function) in &functions {
            if readers.len() == MAX_READERS || readers.iter().any(|reader| reader.name == function.name) {
                continue;
            }
            readers.extend(reader(script, function, &readers));
        }
        if readers.len() == known {
            break;
        }
    }
    readers
}

struct Function {
    name: String,
    parameters: Vec<String>,
    body: (usize, usize),
}

fn reader(script: &Script, function: &Function, readers: &[Reader]) -> Option<Reader> {
    for (parameter, name) in function.parameters.iter().take(8).enumerate() {
        let mut reads = false;
        let mut file_variant = false;
        for at in function.body.0..function.body.1.min(function.body.0 + MAX_BODY) {
            if let Some(after) = environment_object(script, at).filter(|&after| script.is(after, "[")) {
                reads |= script.is(after + 1, name) && script.is(after + 2, "]");
                file_variant |= script.text(after + 1).replace(' ', "") == format!("`${{{name}}}_FILE`");
            }
            let called = readers.iter().find(|reader| script.is(at, &reader.name) && script.is(at + 1, "("));
            if let Some(called) = called {
                let passed =
                    script.arguments(at + 1).get(called.parameter).is_some_and(|&at| script.is(at, name));
                reads |= passed;
                file_variant |= passed && called.file_variant;
            }
        }
        if reads {
            return Some(Reader { name: function.name.clone(), parameter, file_variant });
        }
    }
    None
}

/// `function name(a, b) { … }` and `const name = (a, b) => { … }`.
fn functions(script: &Script) -> Vec<Function> {
    let mut functions = Vec::new();
    for at in 0..script.tokens.len() {
        let (name, open) = if script.is(at, "function") && script.is_word(at + 1) {
            (at + 1, script.skip_type_arguments(at + 2))
        } else if script.is(at, "const") && script.is_word(at + 1) && script.is(at + 2, "=") {
            let open = if script.is(at + 3, "async") { at + 4 } else { at + 3 };
            (at + 1, open)
        } else {
            continue;
        };
        let Some(close) = script.close(open).filter(|_| script.is(open, "(")) else { continue };
        // A return type with braces is taken for the body; its members read nothing.
        let body =
            (close..script.tokens.len().min(close + 40)).find(|&at| script.is(at, "{") || script.is(at, ";"));
        let Some(begin) = body.filter(|&at| script.is(at, "{")) else { continue };
        let Some(end) = script.close(begin) else { continue };
        let parameters = script.arguments(open).into_iter().map(|at| script.text(at).to_owned()).collect();
        functions.push(Function { name: script.text(name).to_owned(), parameters, body: (begin, end) });
    }
    functions
}
