//! Variables that a service reads: directly, by destructuring, through functions that read the variable whose name they
//! are given, and through schemas; which of them it needs, and which are secrets.

use std::{collections::BTreeMap, rc::Rc};

use plimsoll_source::Source;

use super::{evidence, system};
use crate::{
    javascript::{
        Kind, Script,
        modules::{Module, literal},
        values::{Program, environment_object, environment_read, is_variable},
    },
    model::{self, Evidence, Variable},
};

/// Functions that are looked at, and tokens of each: a text that was made to be slow must not be.
const MAX_BODY: usize = 5000;
const MAX_READERS: usize = 100;
/// Substitutions of one template that are looked at.
const MAX_SUBSTITUTIONS: usize = 50;
/// Places of one variable that are kept.
const MAX_PLACES: usize = 50;

/// A function that reads the variable whose name is its parameter number `parameter`.
struct Reader {
    name: String,
    parameter: usize,
    file_variant: bool,
    /// It throws or ends the program where the variable is missing.
    refuses: bool,
}

struct Read {
    name: String,
    default: Option<String>,
    file_variant: bool,
    required: bool,
    /// The last token of the expression.
    last: usize,
}

/// All variables of a program.
pub(super) fn variables(program: &Program) -> Vec<Variable> {
    let readers = readers(&program.modules);
    let mut found: BTreeMap<String, Variable> = BTreeMap::new();
    for (at, module) in program.modules.iter().enumerate() {
        in_module(program, at, module, &readers, &mut found);
    }
    for (name, schema) in &program.schemas {
        let variable = found.entry(name.clone()).or_insert_with(|| Variable::named(name, Vec::new()));
        variable.default = variable.default.take().or_else(|| schema.default.clone());
        variable.required = schema.required || variable.required && !schema.optional;
        if variable.evidence.len() < MAX_PLACES {
            variable.evidence.insert(0, schema.evidence.clone());
        }
    }
    merge_files(&mut found);
    found.retain(|name, variable| !system::is_foreign(name, variable.required));
    let mut variables: Vec<Variable> = found.into_values().collect();
    for variable in &mut variables {
        variable.required &= variable.default.is_none();
        variable.secret = evidence::is_secret(program, variable);
    }
    variables
}

fn in_module(
    program: &Program,
    index: usize,
    module: &Module,
    readers: &[Reader],
    found: &mut BTreeMap<String, Variable>,
) {
    let script = &module.script;
    for at in 0..script.tokens.len() {
        let read = reads_at(program, index, script, at, readers);
        let reads: Vec<(usize, Read)> = match read {
            Some(read) => vec![(at, read)],
            None => evidence::listed(program, index, script, at)
                .into_iter()
                .map(|(name, place)| {
                    (place, Read { name, default: None, file_variant: false, required: true, last: place })
                })
                .chain(destructured(script, at))
                .chain(in_template(script, at))
                .collect(),
        };
        for (from, read) in reads {
            let place = Evidence::new(&script.source, script.span(from, read.last), "reads the variable");
            let variable =
                found.entry(read.name.clone()).or_insert_with(|| Variable::named(&read.name, Vec::new()));
            variable.default = variable.default.take().or(read.default);
            variable.file_variant |= read.file_variant;
            variable.required |= read.required;
            variable.separator = variable.separator.take().or_else(|| separator(script, read.last));
            if variable.evidence.len() < MAX_PLACES {
                variable.evidence.push(place);
            }
        }
    }
}

/// `process.env.ORIGINS.split(",")`, `process.env.ORIGINS?.split(",")`.
fn separator(script: &Script, last: usize) -> Option<String> {
    let dot = script.is(last + 1, ".") || script.is(last + 1, "?.");
    if !dot || !script.is(last + 2, "split") || !script.is(last + 3, "(") {
        return None;
    }
    model::separator(&script.string(last + 4)?).map(str::to_owned)
}

/// `const { PORT = "3000", HOST: host } = process.env`.
fn destructured(script: &Script, at: usize) -> Vec<(usize, Read)> {
    if !script.is(at, "{") || at == 0 || !matches!(script.text(at - 1), "const" | "let" | "var") {
        return Vec::new();
    }
    let Some(close) = script.close(at) else { return Vec::new() };
    if !script.is(close + 1, "=")
        || environment_object(script, close + 2).is_none_or(|end| script.is(end, "."))
    {
        return Vec::new();
    }
    script
        .arguments(at)
        .into_iter()
        .filter(|&key| is_variable(script.text(key)))
        .map(|key| {
            let name = if script.is(key + 1, ":") { key + 2 } else { key };
            let default = script.is(name + 1, "=").then(|| literal(script, name + 2)).flatten();
            let required = default.is_none() && evidence::refused_later(script, name, close);
            let name = script.text(key).to_owned();
            (key, Read { name, default, file_variant: false, required, last: key })
        })
        .collect()
}

/// `postgres://${process.env.DB_HOST ?? "db"}:5432`: the reads among a template's substitutions.
fn in_template(script: &Script, at: usize) -> Vec<(usize, Read)> {
    if script.kind(at) != Some(Kind::Template) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for part in script.text(at).split("${").skip(1).take(MAX_SUBSTITUTIONS) {
        let inner = part.split('}').next().unwrap_or(part);
        if !inner.contains("env") {
            continue;
        }
        let inner = Script::new(Source::new(script.source.name(), inner));
        for token in 0..inner.tokens.len() {
            let Some((name, last)) = environment_read(&inner, token) else { continue };
            let otherwise = inner.is(last + 1, "??") || inner.is(last + 1, "||");
            let default = if otherwise { literal(&inner, last + 2) } else { None };
            found.push((at, Read { name, default, file_variant: false, required: false, last: at }));
        }
    }
    found
}

fn reads_at(
    program: &Program,
    module: usize,
    script: &Script,
    at: usize,
    readers: &[Reader],
) -> Option<Read> {
    if let Some((name, last)) = environment_read(script, at) {
        // A variable that is set is not read.
        if script.is(last + 1, "=") && !script.is(last + 2, "=") {
            return None;
        }
        if system::is_constant(script, at, &name) || program.renamed(script, at, &name).is_some() {
            return None;
        }
        let value = program.value(module, at);
        let default = value
            .filter(|value| value.variable.as_deref() == Some(name.as_str()))
            .and_then(|value| value.literal)
            .or_else(|| default_behind(program, module, script, last + 1));
        let default = default.filter(|text| !in_chain(script, at, last) || is_of_chain(text));
        let default = default.filter(|_| !hides_port(script, at, last) && !is_joined(script, at, last));
        let required = default.is_none() && evidence::refuses(script, at, last);
        return Some(Read { name, default, file_variant: false, required, last });
    }
    // `function name(` declares; only calls read.
    let open = script.skip_type_arguments(at + 1);
    if !script.is_word(at) || !script.is(open, "(") || (at > 0 && script.is(at - 1, "function")) {
        return None;
    }
    let arguments = script.arguments(open);
    let method = at > 0 && script.is(at - 1, ".");
    if method && matches!(script.text(at), "get" | "getOrThrow") {
        // `configService.get("PORT", 3000)` of NestJS.
        let name = arguments.first().and_then(|&at| script.string(at)).filter(|name| is_variable(name))?;
        let object = script.text(at.checked_sub(2)?).to_lowercase();
        if !["config", "env", "setting"].iter().any(|part| object.contains(part)) {
            return None;
        }
        let default =
            arguments.get(1).and_then(|&at| program.value(module, at)).and_then(|value| value.literal);
        let required = script.is(at, "getOrThrow") && default.is_none();
        return Some(Read { name, default, file_variant: false, required, last: arguments[0] });
    }
    let reader = readers.iter().find(|reader| script.is(at, &reader.name))?;
    let argument = *arguments.get(reader.parameter)?;
    let name = script.string(argument).filter(|name| is_variable(name))?;
    let default = arguments.get(reader.parameter + 1).and_then(|&at| literal(script, at));
    let required = reader.refuses && arguments.len() <= reader.parameter + 1;
    Some(Read { name, default, file_variant: reader.file_variant, required, last: argument })
}

/// `process.env.A || process.env.B || "x"`: set to `x`, the first would hide the second, and another place may read either
/// without it.
fn in_chain(script: &Script, at: usize, last: usize) -> bool {
    let or = |at: usize| script.is(at, "||") || script.is(at, "??");
    let behind = or(last + 1) && environment_read(script, last + 2).is_some();
    let before = at > 1
        && or(at - 1)
        && (at.saturating_sub(8)..at - 1)
            .any(|from| environment_read(script, from).is_some_and(|(_, end)| end + 2 == at));
    behind || before
}

/// `process.env.A || process.env.PORT || 3000`: with the default as its value, the first would hide the port that the stack
/// sets.
fn hides_port(script: &Script, at: usize, mut last: usize) -> bool {
    let first = environment_read(script, at).map(|(name, _)| name);
    for _ in 0..8 {
        if !script.is(last + 1, "||") && !script.is(last + 1, "??") {
            return false;
        }
        let Some((name, end)) = environment_read(script, last + 2) else { return false };
        if name == "PORT" && first.as_ref() != Some(&name) {
            return true;
        }
        last = end;
    }
    false
}

/// `process.env.A + process.env.B || "x"`: a part of a text has no default of its own.
fn is_joined(script: &Script, at: usize, last: usize) -> bool {
    script.is(last + 1, "+")
        || at > 1 && script.is(at - 1, "+") && !matches!(script.text(at - 2), "=" | "(" | "," | ":")
}

/// A port and an address say what the variable is for, whichever of a chain it is.
fn is_of_chain(default: &str) -> bool {
    default.parse::<u16>().is_ok() || default.contains("://")
}

/// `?? "value"` and `|| 1`, also behind the brackets that the read stands in.
fn default_behind(program: &Program, module: usize, script: &Script, mut at: usize) -> Option<String> {
    while script.is(at, ")") {
        at += 1;
    }
    if !script.is(at, "??") && !script.is(at, "||") {
        return None;
    }
    let value = program.value(module, at + 1)?;
    value.literal.filter(|_| value.variable.is_none())
}

/// `NAME_FILE` that is read by itself is the file variant of `NAME`.
fn merge_files(found: &mut BTreeMap<String, Variable>) {
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
}

/// All functions that read a variable whose name they are given, directly or through one another.
fn readers(modules: &[Module]) -> Vec<Reader> {
    let mut readers: Vec<Reader> = Vec::new();
    // Each round finds the functions that are one call further away.
    for _ in 0..4 {
        let known = readers.len();
        for module in modules {
            for function in &module.functions {
                if readers.len() == MAX_READERS || readers.iter().any(|reader| reader.name == function.name) {
                    continue;
                }
                readers.extend(reader(&module.script, function, &readers));
            }
        }
        if readers.len() == known {
            break;
        }
    }
    readers
}

fn reader(
    script: &Rc<Script>,
    function: &crate::javascript::modules::Function,
    readers: &[Reader],
) -> Option<Reader> {
    let end = function.body.1.min(function.body.0 + MAX_BODY);
    for (parameter, &place) in function.parameters.iter().take(8).enumerate() {
        let name = script.text(place);
        let (mut reads, mut file_variant, mut refuses) = (false, false, false);
        for at in function.body.0..end {
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
                refuses |= passed && called.refuses;
            }
            refuses |= evidence::ends(script, at);
        }
        if reads {
            return Some(Reader { name: function.name.clone(), parameter, file_variant, refuses });
        }
    }
    None
}
