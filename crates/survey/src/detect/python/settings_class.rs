//! Settings of pydantic: a class whose fields are variables.

use std::collections::BTreeMap;

use super::{
    environment::{Read, Shape, is_for_development, whole_literal},
    project::Project,
};
use crate::{model::Evidence, python::Module};

const MAX_CLASSES: usize = 500;
const MAX_PARENTS: usize = 100;

/// A class of the project.
struct Class<'a> {
    module: &'a Module,
    name: String,
    bases: Vec<String>,
    /// Tokens of its body.
    body: (usize, usize),
    indent: usize,
}

/// Every field of every class of settings.
pub(super) fn reads(project: &Project) -> Vec<Read> {
    if project.needs(&["pydantic-settings", "pydantic", "fastapi", "sqlmodel"]).is_none() {
        return Vec::new();
    }
    let classes: Vec<Class<'_>> = project
        .modules
        .iter()
        .filter(|module| !is_for_development(module.source.name()))
        .flat_map(|module| classes(module))
        .take(MAX_CLASSES)
        .collect();
    let models: Vec<&str> = derived(&classes, &["BaseModel", "BaseSettings"]);
    let settings = derived(&classes, &["BaseSettings"]);
    let mut reads = Vec::new();
    for class in classes.iter().filter(|class| settings.contains(&class.name.as_str())) {
        let prefix = prefix(class).unwrap_or_default();
        reads.extend(fields(class, &models, &prefix));
        // What it has from classes that are no settings by themselves stands under its prefix.
        for parent in parents(&classes, class) {
            reads.extend(fields(parent, &models, &prefix));
        }
    }
    reads
}

fn classes(module: &Module) -> Vec<Class<'_>> {
    let lines: Vec<usize> = module.lines().collect();
    let mut classes = Vec::new();
    for (number, &at) in lines.iter().enumerate() {
        if !module.is(at, "class") || !module.is_word(at + 1) || classes.len() == MAX_CLASSES {
            continue;
        }
        let indent = module.tokens[at].indent;
        let begin = lines.get(number + 1).copied().unwrap_or(module.tokens.len());
        let end =
            lines[number + 1..].iter().copied().take(2000).find(|&at| module.tokens[at].indent <= indent);
        let arguments = module.arguments(at + 2);
        let bases = arguments.iter().filter(|argument| argument.name.is_none()).filter_map(|argument| {
            let (name, _) = module.dotted(argument.at)?;
            Some(name.rsplit('.').next()?.to_owned())
        });
        classes.push(Class {
            module,
            name: module.text(at + 1).to_owned(),
            bases: bases.collect(),
            body: (begin, end.unwrap_or(module.tokens.len())),
            indent,
        });
    }
    classes
}

/// The classes that a class of settings is made of and that are no settings themselves: mixins.
fn parents<'a, 'm>(classes: &'a [Class<'m>], class: &'a Class<'m>) -> Vec<&'a Class<'m>> {
    let settings = derived(classes, &["BaseSettings"]);
    let mut found: Vec<&Class<'_>> = Vec::new();
    let mut open = vec![class];
    while let Some(next) = open.pop().filter(|_| found.len() < MAX_PARENTS) {
        for base in &next.bases {
            let parent = classes.iter().find(|other| other.name == *base);
            let Some(parent) = parent.filter(|parent| !settings.contains(&parent.name.as_str())) else {
                continue;
            };
            if found.iter().all(|known| known.name != parent.name) {
                found.push(parent);
                open.push(parent);
            }
        }
    }
    found
}

/// Names of the classes that derive from one of these, through one another.
fn derived<'a>(classes: &'a [Class<'_>], roots: &[&str]) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for _ in 0..6 {
        let before = found.len();
        for class in classes {
            let derives = class
                .bases
                .iter()
                .any(|base| roots.contains(&base.as_str()) || found.contains(&base.as_str()));
            if derives && !found.contains(&class.name.as_str()) {
                found.push(&class.name);
            }
        }
        if found.len() == before {
            break;
        }
    }
    found
}

/// `model_config = SettingsConfigDict(env_prefix="APP_")`, or `env_prefix = "APP_"` in the inner class `Config`.
fn prefix(class: &Class<'_>) -> Option<String> {
    let at = (class.body.0..class.body.1)
        .find(|&at| class.module.is(at, "env_prefix") && class.module.is(at + 1, "="));
    if let Some(at) = at {
        return class.module.string(at + 2);
    }
    // As a dictionary.
    let at = (class.body.0..class.body.1).find(|&at| {
        class.module.string(at).as_deref() == Some("env_prefix") && class.module.is(at + 1, ":")
    })?;
    class.module.string(at + 2)
}

fn fields(class: &Class<'_>, models: &[&str], prefix: &str) -> Vec<Read> {
    let module = class.module;
    let starts: Vec<usize> = (class.body.0..class.body.1).filter(|&at| module.tokens[at].first).collect();
    let Some(indent) =
        starts.first().map(|&at| module.tokens[at].indent).filter(|indent| *indent > class.indent)
    else {
        return Vec::new();
    };
    let mut found: BTreeMap<String, Read> = BTreeMap::new();
    for (number, &at) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(class.body.1);
        if module.tokens[at].indent != indent || !module.is_word(at) || !module.is(at + 1, ":") {
            continue;
        }
        let annotated: Vec<&str> =
            (at + 2..end).take_while(|&at| !module.is(at, "=")).map(|at| module.text(at)).collect();
        let nested = annotated.iter().any(|word| models.contains(word) || *word == "ClassVar");
        let private = module.text(at).starts_with('_') || module.is(at, "model_config");
        if nested || private {
            continue;
        }
        if let Some(read) = field(module, at, end, &annotated, prefix) {
            // Two fields whose names differ in their case are one variable: the one without a default demands it.
            let required = read.required;
            let known = found.entry(read.name.clone()).or_insert(read);
            known.required |= required;
        }
    }
    found.into_values().collect()
}

fn field(module: &Module, at: usize, end: usize, annotation: &[&str], prefix: &str) -> Option<Read> {
    let value = (at + 2..end).find(|&at| module.is(at, "=")).map(|at| at + 1).filter(|&value| value < end);
    let mut name = format!("{prefix}{}", module.text(at)).to_uppercase();
    let mut default = None;
    let mut required = value.is_none();
    if let Some(value) = value {
        let call = module
            .dotted(value)
            .filter(|(called, next)| called.rsplit('.').next() == Some("Field") && module.is(*next, "("));
        if let Some((_, open)) = call {
            let argument = |name: &str| module.keyword(open, name);
            if let Some(alias) =
                ["validation_alias", "alias", "env"].iter().find_map(|name| module.string(argument(name)?.at))
            {
                name = alias.to_uppercase();
            }
            let given = argument("default")
                .or_else(|| module.arguments(open).first().copied().filter(|first| first.name.is_none()));
            required =
                given.is_none_or(|given| module.is(given.at, "...")) && argument("default_factory").is_none();
            default = given.and_then(|given| whole_literal(module, given.at, given.end));
        } else {
            default = whole_literal(module, value, end);
        }
    }
    let shape = if annotation.contains(&"int") || annotation.contains(&"float") {
        Shape::Number
    } else if annotation.contains(&"bool") {
        Shape::Flag
    } else if annotation
        .iter()
        .any(|word| matches!(*word, "list" | "dict" | "List" | "Dict" | "set" | "tuple"))
    {
        Shape::Json
    } else {
        Shape::Text
    };
    let evidence = Evidence::new(
        &module.source,
        module.span(at, value.unwrap_or(at + 2).min(end - 1)),
        "a field of the settings",
    );
    Some(Read { name, default, required, file_variant: false, shape, separator: None, evidence })
}
