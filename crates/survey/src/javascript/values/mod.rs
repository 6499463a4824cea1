//! Follows a value from where it is used to the variable or literal that it comes from: along `const`, destructuring,
//! imports, object literals, functions that return settings, parameters and schemas. Every step is bounded; a value
//! that cannot be followed is unknown, never guessed.

mod calls;
mod choices;
mod factories;
mod imports;
mod reads;

use std::{cell::Cell, collections::HashMap, rc::Rc};

pub(crate) use imports::{relative, stem};
pub(crate) use reads::{environment_object, environment_read, is_variable};

use self::{
    choices::combine,
    factories::Factories,
    reads::{convict, default_call},
};
use super::{
    Script,
    modules::{Module, Origin, literal},
};
use crate::{
    detect::node::schemas::{self, SchemaVariable},
    model::Evidence,
};

/// Steps along one value.
const MAX_DEPTH: usize = 14;
/// Steps for all values of one program.
const MAX_STEPS: usize = 200_000;

/// What an expression comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Value {
    /// The variable of the environment that it is read from.
    pub(crate) variable: Option<String>,
    /// The literal, or the one that is taken without the variable.
    pub(crate) literal: Option<String>,
    /// Places: of the variable first.
    pub(crate) evidence: Vec<Evidence>,
}

/// The modules that a service runs.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) modules: Vec<Module>,
    pub(crate) schemas: HashMap<String, SchemaVariable>,
    stems: HashMap<String, usize>,
    packages: Vec<(String, String)>,
    /// Keys of objects that read another variable: `{ API_URL: process.env.PUBLIC_API_URL }`.
    renamed: HashMap<String, String>,
    factories: Factories,
    steps: Cell<usize>,
}

impl Program {
    /// The program of these files; `packages` are names and folders of workspaces that it imports.
    pub(crate) fn new(scripts: Vec<Rc<Script>>, packages: Vec<(String, String)>) -> Self {
        let modules: Vec<Module> = scripts.into_iter().map(Module::new).collect();
        let mut stems = HashMap::new();
        for (at, module) in modules.iter().enumerate() {
            stems.entry(stem(module.script.source.name()).to_owned()).or_insert(at);
        }
        let mut schemas = schemas::variables(&modules);
        let renamed = schemas::rename(&modules, &mut schemas);
        let factories = Factories::of(&modules);
        Self { modules, schemas, stems, packages, renamed, factories, steps: Cell::new(0) }
    }

    /// The variable that a key of a parsed object stands for: `env.API_URL` where `env` is what a schema made of
    /// `{ API_URL: process.env.PUBLIC_API_URL }`.
    pub(crate) fn renamed(&self, script: &Script, at: usize, key: &str) -> Option<&str> {
        let of_object = matches!(script.text(at), "env" | "environment");
        self.renamed.get(key).filter(|_| of_object).map(String::as_str)
    }

    pub(crate) fn scripts(&self) -> impl Iterator<Item = &Rc<Script>> {
        self.modules.iter().map(|module| &module.script)
    }

    /// What the expression at a token comes to.
    pub(crate) fn value(&self, module: usize, at: usize) -> Option<Value> {
        self.eval(module, at, &[], 0)
    }

    /// What a member of the object at a token comes to: `{ port: … }` and `["port"]`.
    pub(crate) fn member(&self, module: usize, at: usize, key: &str) -> Option<Value> {
        self.eval(module, at, &[key.to_owned()], 0)
    }

    /// What a member of a member comes to.
    pub(crate) fn path(&self, module: usize, at: usize, keys: &[&str]) -> Option<Value> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        self.eval(module, at, &keys, 0)
    }

    fn spent(&self, depth: usize) -> bool {
        self.steps.set(self.steps.get() + 1);
        depth > MAX_DEPTH || self.steps.get() > MAX_STEPS
    }

    fn eval(&self, module: usize, at: usize, path: &[String], depth: usize) -> Option<Value> {
        if self.spent(depth) {
            return None;
        }
        let script = Rc::clone(&self.modules.get(module)?.script);
        let mut at = at;
        while matches!(script.text(at), "await" | "new" | "+") {
            at += 1;
        }
        let (value, end) = self.primary(module, &script, at, path, depth);
        self.trailing(module, &script, (value, end), path, depth)
    }

    /// The value of what begins at a token, and the token behind it.
    fn primary(
        &self,
        module: usize,
        script: &Script,
        at: usize,
        path: &[String],
        depth: usize,
    ) -> (Option<Value>, usize) {
        if let Some(text) = literal(script, at) {
            let evidence = Evidence::new(&script.source, script.span(at, at), "the value");
            let value = Value { variable: None, literal: Some(text), evidence: vec![evidence] };
            return (path.is_empty().then_some(value), behind_chain(script, at + 1));
        }
        match script.text(at) {
            "(" => {
                let Some(close) = script.close(at) else { return (None, at + 1) };
                let end = behind_chain(script, close + 1);
                if script.is(close + 1, "=>") {
                    return (None, end);
                }
                (self.eval(module, at + 1, path, depth + 1), end)
            }
            "{" => {
                let end = script.close(at).map_or(at + 1, |close| close + 1);
                (self.property(module, script, at, path, depth), end)
            }
            _ if script.is_word(at) => self.chain(module, script, at, path, depth),
            _ => (None, at + 1),
        }
    }

    /// `a.b.c(d).e`.
    fn chain(
        &self,
        module: usize,
        script: &Script,
        at: usize,
        path: &[String],
        depth: usize,
    ) -> (Option<Value>, usize) {
        let end = behind_chain(script, at + 1);
        if let Some((name, last)) = environment_read(script, at) {
            let name = self.renamed(script, at, &name).map_or(name.clone(), str::to_owned);
            let evidence = Evidence::new(&script.source, script.span(at, last), "reads the variable");
            // An object that is called `env` may be what a schema made of the environment.
            let default = self.schemas.get(&name).and_then(|schema| schema.default.clone());
            // `env.get("PORT").default("3000")`
            let default = default.or_else(|| default_call(script, last.checked_sub(2)?));
            let value = Value { variable: Some(name), literal: default, evidence: vec![evidence] };
            return (Some(value), end);
        }
        if let Some(behind) = environment_object(script, at) {
            let name = path.first().filter(|name| is_variable(name));
            let value = name.map(|name| Value {
                variable: Some(name.clone()),
                literal: None,
                evidence: vec![Evidence::new(
                    &script.source,
                    script.span(at, behind - 1),
                    "reads the variable",
                )],
            });
            return (value, end);
        }
        let mut keys = vec![];
        let mut index = at + 1;
        loop {
            index = script.skip_type_arguments(index);
            if (script.is(index, ".") || script.is(index, "?.")) && script.is_word(index + 1) {
                keys.push(script.text(index + 1).to_owned());
                index += 2;
            } else if script.is(index, "[") && script.string(index + 1).is_some() && script.is(index + 2, "]")
            {
                keys.extend(script.string(index + 1));
                index += 3;
            } else if script.is(index, "!") && !script.is(index + 1, "=") {
                index += 1;
            } else {
                break;
            }
        }
        if script.is(index, "(") {
            let value = self.call(module, script, (at, index), &keys, path, depth);
            return (value, end.max(behind_chain(script, index)));
        }
        keys.extend(path.iter().cloned());
        (self.name(module, script, at, &keys, depth), end.max(index))
    }

    /// A name with the keys that are read from it.
    fn name(
        &self,
        module: usize,
        script: &Script,
        at: usize,
        keys: &[String],
        depth: usize,
    ) -> Option<Value> {
        if self.spent(depth) {
            return None;
        }
        let name = script.text(at);
        if name == "this" {
            let (field, rest) = keys.split_first()?;
            let assigned = (0..script.tokens.len()).find(|&index| {
                script.is(index, "this")
                    && script.is(index + 1, ".")
                    && script.is(index + 2, field)
                    && script.is(index + 3, "=")
                    && index + 4 != at
            })?;
            return self.eval(module, assigned + 4, rest, depth + 1);
        }
        if let Some((function, position)) = self.modules[module].parameter(name, at) {
            // An object that is called `env` was seen before; other parameters come from the callers.
            let function = function.clone();
            return self.argument(module, &function, position, keys, depth + 1);
        }
        self.bound(module, name, at, keys, depth)
    }

    fn bound(&self, module: usize, name: &str, at: usize, keys: &[String], depth: usize) -> Option<Value> {
        if self.spent(depth) {
            return None;
        }
        let binding = self.modules.get(module)?.binding(name, at)?.clone();
        match binding.origin {
            Origin::Expression(from) if from == at => None,
            Origin::Expression(from) => self.eval(module, from, keys, depth + 1),
            Origin::Member { from, keys: inner, default } => {
                let mut all = inner;
                all.extend(keys.iter().cloned());
                let value = self.eval(module, from, &all, depth + 1);
                let default = default.and_then(|at| self.eval(module, at, keys, depth + 1));
                combine(value, default)
            }
            Origin::Import { specifier, exported } => {
                let target = self.module_of(module, &specifier)?;
                if exported == "*" {
                    let (first, rest) = keys.split_first()?;
                    return self.exported(target, first, rest, depth + 1);
                }
                self.exported(target, &exported, keys, depth + 1)
            }
        }
    }

    fn exported(&self, module: usize, name: &str, keys: &[String], depth: usize) -> Option<Value> {
        if self.spent(depth) {
            return None;
        }
        let end = self.modules.get(module)?.script.tokens.len();
        self.bound(module, name, end, keys, depth + 1).or_else(|| {
            // CommonJS: `module.exports = { name }`, also through `import name from`.
            let mut all = vec![name.to_owned()];
            all.extend(keys.iter().cloned());
            let common = self.bound(module, "default", end, &all, depth + 1);
            common.or_else(|| {
                let passed = self.modules[module].passes_on.clone();
                passed.iter().find_map(|specifier| {
                    let target = self.module_of(module, specifier)?;
                    self.exported(target, name, keys, depth + 1)
                })
            })
        })
    }

    /// A member of an object literal.
    fn property(
        &self,
        module: usize,
        script: &Script,
        open: usize,
        path: &[String],
        depth: usize,
    ) -> Option<Value> {
        let (key, rest) = path.split_first()?;
        for at in script.arguments(open) {
            let named = script.is(at, key) || script.string(at).as_deref() == Some(key);
            if !named {
                continue;
            }
            if script.is(at + 1, ":") {
                if let Some(value) = convict(script, at + 2) {
                    return Some(value);
                }
                return self.eval(module, at + 2, rest, depth + 1);
            }
            if script.is(at + 1, ",") || script.is(at + 1, "}") {
                return self.name(module, script, at, rest, depth + 1);
            }
        }
        // `...other`
        script
            .arguments(open)
            .into_iter()
            .filter(|&at| script.is(at, "..."))
            .find_map(|at| self.eval(module, at + 1, path, depth + 1))
    }

    /// The one member of this name in the whole program that reads a variable: settings that are handed around.
    pub(crate) fn setting(&self, key: &str) -> Option<Value> {
        let mut found: Option<Value> = None;
        for (module, other) in self.modules.iter().enumerate() {
            let script = &other.script;
            for at in 1..script.tokens.len() {
                if !script.is(at, key) || !script.is(at + 1, ":") || !matches!(script.text(at - 1), "{" | ",")
                {
                    continue;
                }
                let value = self.eval(module, at + 2, &[], 4).filter(|value| value.variable.is_some());
                match (&found, value) {
                    (Some(known), Some(value)) if known.variable != value.variable => return None,
                    (None, Some(value)) => found = Some(value),
                    _ => {}
                }
            }
        }
        found
    }
}

/// Behind `.a.b(c)[d]!`.
fn behind_chain(script: &Script, mut at: usize) -> usize {
    loop {
        at = match script.text(at) {
            "." | "?." if script.is_word(at + 1) => at + 2,
            "(" | "[" => match script.close(at) {
                Some(close) => close + 1,
                None => return at,
            },
            "!" if !script.is(at + 1, "=") => at + 1,
            "as" => behind_type(script, at + 1),
            _ => return at,
        };
    }
}

fn behind_type(script: &Script, at: usize) -> usize {
    let mut end = at + 1;
    while script.is(end, ".") {
        end += 2;
    }
    script.skip_type_arguments(end)
}
