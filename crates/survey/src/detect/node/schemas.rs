//! Variables that a schema names: zod, envalid, joi, valibot, `@t3-oss/env-core`, `@fastify/env`. The schema says of
//! each its default and whether the program refuses to run without it.

use std::collections::HashMap;

use crate::{
    javascript::{
        Script,
        modules::{Module, literal},
        values::{Value, is_variable},
    },
    model::Evidence,
};

/// A variable of a schema.
#[derive(Clone, Debug)]
pub(crate) struct SchemaVariable {
    pub(crate) default: Option<String>,
    pub(crate) required: bool,
    pub(crate) evidence: Evidence,
}

impl SchemaVariable {
    pub(crate) fn value(&self, name: &str) -> Value {
        Value {
            variable: Some(name.to_owned()),
            literal: self.default.clone(),
            evidence: vec![self.evidence.clone()],
        }
    }
}

/// What schemas begin with, and whether their variables are required unless something says otherwise.
const BUILDERS: [(&str, bool); 16] = [
    ("z", true),
    ("v", true),
    ("s", true),
    ("str", true),
    ("num", true),
    ("bool", true),
    ("port", true),
    ("url", true),
    ("host", true),
    ("email", true),
    ("json", true),
    ("makeValidator", true),
    ("Joi", false),
    ("joi", false),
    ("Type", false),
    ("yup", false),
];

/// All variables of all schemas. A file counts only where it, or the program, names the environment.
pub(crate) fn variables(modules: &[Module]) -> HashMap<String, SchemaVariable> {
    let mut found = HashMap::new();
    for module in modules {
        let script = &module.script;
        for at in 1..script.tokens.len() {
            let name = script.string(at).unwrap_or_else(|| script.text(at).to_owned());
            if !is_variable(&name) || !script.is(at + 1, ":") || !matches!(script.text(at - 1), "{" | ",") {
                continue;
            }
            if let Some(variable) = variable(script, at) {
                found.entry(name).or_insert(variable);
            }
        }
    }
    found
}

fn variable(script: &Script, key: usize) -> Option<SchemaVariable> {
    let at = key + 2;
    let evidence =
        |last: usize| Evidence::new(&script.source, script.span(key, last), "a schema names the variable");
    // JSON schema: `PORT: { type: "number", default: 3000 }`.
    if script.is(at, "{") {
        let member = |name: &str| {
            script.arguments(at).into_iter().find(|&at| script.is(at, name) && script.is(at + 1, ":"))
        };
        member("type")?;
        let default = member("default").and_then(|at| literal(script, at + 2));
        return Some(SchemaVariable { default, required: false, evidence: evidence(at) });
    }
    let (_, strict) = BUILDERS.iter().find(|(name, _)| script.is(at, name))?;
    // `{ PORT: port }` only gives another name.
    if !script.is(at + 1, "(") && !script.is(at + 1, ".") {
        return None;
    }
    let mut found = SchemaVariable { default: None, required: *strict, evidence: evidence(at) };
    let mut index = at + 1;
    for _ in 0..40 {
        if script.is(index, "(") {
            options(script, index, &mut found);
            index = script.close(index)? + 1;
        } else if script.is(index, ".") && script.is_word(index + 1) {
            let open = script.skip_type_arguments(index + 2);
            modifier(script, index + 1, open, &mut found);
            index = open;
        } else {
            break;
        }
    }
    found.required &= found.default.is_none();
    Some(found)
}

/// `.default(3000)`, `.optional()`, `.required()`.
fn modifier(script: &Script, at: usize, open: usize, found: &mut SchemaVariable) {
    match script.text(at) {
        "default" | "catch" | "prefault" => {
            found.required = false;
            found.default = found.default.take().or_else(|| literal(script, open + 1));
        }
        "optional" | "nullish" | "nullable" | "Optional" => found.required = false,
        "required" => found.required = true,
        _ => {}
    }
}

/// `str({ default: "info" })` of envalid.
fn options(script: &Script, open: usize, found: &mut SchemaVariable) {
    for argument in script.arguments(open).into_iter().filter(|&at| script.is(at, "{")) {
        for at in script.arguments(argument) {
            if script.is(at, "default") && script.is(at + 1, ":") {
                found.required = false;
                found.default = found.default.take().or_else(|| literal(script, at + 2));
            }
        }
    }
}
