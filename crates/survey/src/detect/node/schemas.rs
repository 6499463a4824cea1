//! Variables that a schema names: zod, envalid, joi, valibot, `@t3-oss/env-core`, `@fastify/env`. The schema says of
//! each its default and whether the program refuses to run without it.

use std::collections::HashMap;

use crate::{
    javascript::{
        Script,
        modules::{Module, literal},
        values::{Value, environment_read, is_variable},
    },
    model::Evidence,
};

/// Tokens of a schema's own function that are looked at.
const MAX_REFINE: usize = 600;

/// A variable of a schema.
#[derive(Clone, Debug)]
pub(crate) struct SchemaVariable {
    pub(crate) default: Option<String>,
    pub(crate) required: bool,
    /// The schema says that the program runs without it: what refuses it then is one function of the program.
    pub(crate) optional: bool,
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
            if !may_name_variable(script.text(at)) {
                continue;
            }
            let name = script.string(at).unwrap_or_else(|| script.text(at).to_owned());
            if let Some(field) = validated(script, at).filter(|_| is_variable(&name)) {
                found.entry(name).or_insert(field);
                continue;
            }
            if !is_variable(&name) || !script.is(at + 1, ":") || !matches!(script.text(at - 1), "{" | ",") {
                continue;
            }
            if let Some(variable) = variable(script, at) {
                found.entry(name).or_insert(variable);
            }
        }
    }
    for module in modules {
        for name in refused_in_production(&module.script) {
            if let Some(variable) = found.get_mut(&name) {
                variable.required = variable.default.is_none();
                variable.optional &= !variable.required;
            }
        }
    }
    found
}

/// Whether a token can be the name of a variable, plain or in quotes: asked of each token before a text is made of it.
fn may_name_variable(token: &str) -> bool {
    match token.as_bytes() {
        [b'"' | b'\'' | b'`', first, ..] => first.is_ascii_uppercase() || *first == b'\\',
        [first, ..] => first.is_ascii_uppercase(),
        [] => false,
    }
}

/// Schemas of objects whose keys read variables of other names: `{ API_URL: process.env.PUBLIC_API_URL }` beside a schema
/// with `API_URL`. What the schema says of the key is said of the variable; by key, the variables.
pub(crate) fn rename(
    modules: &[Module],
    schemas: &mut HashMap<String, SchemaVariable>,
) -> HashMap<String, String> {
    let mut renamed = HashMap::new();
    for script in modules.iter().map(|module| &module.script) {
        for at in 1..script.tokens.len() {
            if !script.is(at + 1, ":") || !matches!(script.text(at - 1), "{" | ",") {
                continue;
            }
            let key = script.string(at).unwrap_or_else(|| script.text(at).to_owned());
            let Some(schema) = schemas.get(&key) else { continue };
            // The schema and what it parses stand in one file.
            if schema.evidence.file != script.source.name() {
                continue;
            }
            let plain = matches!(script.text(at + 2), "process" | "import" | "Bun" | "Deno");
            if let Some((name, _)) =
                environment_read(script, at + 2).filter(|(name, _)| plain && *name != key)
            {
                renamed.insert(key, name);
            }
        }
    }
    for (key, name) in &renamed {
        if let Some(schema) = schemas.remove(key) {
            schemas.entry(name.clone()).or_insert(schema);
        }
    }
    renamed
}

/// Variables that a schema's own function refuses to be without in production:
/// `.superRefine((env, context) => { if (env.NODE_ENV === "production" && !env.TOKEN) context.addIssue(…) })`.
fn refused_in_production(script: &Script) -> Vec<String> {
    let mut names = Vec::new();
    for at in
        (0..script.tokens.len()).filter(|&at| matches!(script.text(at), "superRefine" | "refine" | "check"))
    {
        let Some(close) = script.close(at + 1).filter(|_| script.is(at + 1, "(")) else { continue };
        let end = close.min(at + MAX_REFINE);
        let production = (at..end).any(|at| script.string(at).as_deref() == Some("production"));
        let equal =
            (at..end).any(|at| script.is(at, "=") && script.is(at + 1, "=") && !script.is(at - 1, "!"));
        if !production || !equal {
            continue;
        }
        for at in
            (at..end).filter(|&at| script.is(at, "!") && script.is_word(at + 1) && script.is(at + 2, "."))
        {
            // `env.PROVIDER === "aws" && !env.KEY`: only with that provider.
            let condition = (at.saturating_sub(40)..at)
                .rev()
                .take_while(|&before| !matches!(script.text(before), ";" | "{" | "}"))
                .take_while(|&before| !script.is(before, "if"));
            let mut texts = condition.filter_map(|before| script.string(before));
            if texts.all(|text| text == "production") {
                names.push(script.text(at + 3).to_owned());
            }
        }
    }
    names
}

/// A field of a class with decorators of class-validator: `@IsString() JWT_SECRET: string;`.
fn validated(script: &Script, name: usize) -> Option<SchemaVariable> {
    let typed =
        script.is(name + 1, ":") || matches!(script.text(name + 1), "!" | "?") && script.is(name + 2, ":");
    // `@IsOptional() public KEY = environment.KEY;`
    let given = script.is(name + 1, "=") && !matches!(script.text(name + 2), "=" | ">");
    let public = script.is(name - 1, "public") || script.is(name - 1, "readonly");
    let is_field = script.is(name - 1, ")") || (given && public);
    if !(typed || given) || !script.is_word(name) || !is_field {
        return None;
    }
    // Braces of a decorator's own settings do not end the field.
    let around = |at: usize| script.is(at, "{") && script.close(at).is_none_or(|close| close > name);
    let before = (name.saturating_sub(60)..name).rev().take_while(|&at| !script.is(at, ";") && !around(at));
    let decorators: Vec<&str> =
        before.filter(|&at| script.is(at, "@")).map(|at| script.text(at + 1)).collect();
    let checks =
        |name: &&&str| name.starts_with("Is") || matches!(**name, "Min" | "Max" | "Matches" | "Length");
    decorators.iter().find(checks)?;
    let optional = ["IsOptional", "ValidateIf", "Allow"].iter().any(|name| decorators.contains(name));
    let evidence = Evidence::new(&script.source, script.span(name, name + 1), "a schema names the variable");
    let optional = optional || script.is(name + 1, "?");
    // A value that the program gives itself passes most checks.
    let filled = !script.is(name + 1, "=") || decorators.contains(&"IsNotEmpty");
    Some(SchemaVariable { default: None, required: !optional && filled, optional, evidence })
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
        return Some(SchemaVariable {
            optional: default.is_some(),
            default,
            required: false,
            evidence: evidence(at),
        });
    }
    let (_, strict) = BUILDERS.iter().find(|(name, _)| script.is(at, name))?;
    // `{ PORT: port }` only gives another name.
    if !script.is(at + 1, "(") && !script.is(at + 1, ".") {
        return None;
    }
    let mut found =
        SchemaVariable { default: None, required: *strict, optional: false, evidence: evidence(at) };
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
    found.optional &= !found.required;
    Some(found)
}

/// `.default(3000)`, `.optional()`, `.required()`.
fn modifier(script: &Script, at: usize, open: usize, found: &mut SchemaVariable) {
    match script.text(at) {
        "default" | "catch" | "prefault" => {
            (found.required, found.optional) = (false, true);
            found.default = found.default.take().or_else(|| literal(script, open + 1));
        }
        "optional" | "nullish" | "nullable" | "Optional" => (found.required, found.optional) = (false, true),
        "required" => found.required = true,
        _ => {}
    }
}

/// `str({ default: "info" })` of envalid.
fn options(script: &Script, open: usize, found: &mut SchemaVariable) {
    for argument in script.arguments(open).into_iter().filter(|&at| script.is(at, "{")) {
        for at in script.arguments(argument) {
            if script.is(at, "default") && script.is(at + 1, ":") {
                (found.required, found.optional) = (false, true);
                found.default = found.default.take().or_else(|| literal(script, at + 2));
            }
        }
    }
}
