//! Follows a value from where it is used to the variable or literal that it comes from: along `const`, destructuring,
//! imports, object literals, functions that return settings, parameters and schemas. Every step is bounded; a value
//! that cannot be followed is unknown, never guessed.

use std::{cell::Cell, collections::HashMap, rc::Rc};

use super::{
    Script,
    modules::{Function, Module, Origin, literal},
};
use crate::{
    detect::node::schemas::{self, SchemaVariable},
    model::Evidence,
};

/// Steps along one value.
const MAX_DEPTH: usize = 14;
/// Steps for all values of one program.
const MAX_STEPS: usize = 200_000;
/// Tokens of a function's body that are looked through.
const MAX_BODY: usize = 3000;

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
        let schemas = schemas::variables(&modules);
        Self { modules, schemas, stems, packages, steps: Cell::new(0) }
    }

    pub(crate) fn scripts(&self) -> impl Iterator<Item = &Rc<Script>> {
        self.modules.iter().map(|module| &module.script)
    }

    /// The module that a specifier names, as seen from another one.
    pub(crate) fn module_of(&self, from: usize, specifier: &str) -> Option<usize> {
        let find = |path: &str| {
            let bare = path.strip_suffix(".js").or_else(|| path.strip_suffix(".ts")).unwrap_or(path);
            let index = format!("{path}/index");
            [path, bare, stem(path), index.as_str()].iter().find_map(|path| self.stems.get(*path)).copied()
        };
        let file = self.modules.get(from)?.script.source.name();
        if specifier.starts_with('.') {
            return find(&relative(file, specifier));
        }
        for (name, folder) in &self.packages {
            let Some(rest) = specifier.strip_prefix(name.as_str()) else { continue };
            let base = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            if rest.is_empty() {
                return ["src/index", "index", "src/main", "lib/index"]
                    .iter()
                    .find_map(|entry| find(&format!("{base}{entry}")));
            }
            if let Some(inner) = rest.strip_prefix('/') {
                return find(&format!("{base}src/{inner}")).or_else(|| find(&format!("{base}{inner}")));
            }
        }
        // `@/config`, `~/config`, `src/config`: aliases of the package's own folders.
        let inner =
            specifier.strip_prefix("@/").or_else(|| specifier.strip_prefix("~/")).unwrap_or(specifier);
        let mut folder = file;
        while let Some((above, _)) = folder.rsplit_once('/') {
            let found = find(&format!("{above}/{inner}")).or_else(|| find(&format!("{above}/src/{inner}")));
            if found.is_some() && (inner.len() < specifier.len() || specifier.starts_with("src/")) {
                return found;
            }
            folder = above;
        }
        (inner.len() < specifier.len() || specifier.starts_with("src/")).then(|| find(inner)).flatten()
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

    fn call(
        &self,
        module: usize,
        script: &Script,
        (at, open): (usize, usize),
        keys: &[String],
        path: &[String],
        depth: usize,
    ) -> Option<Value> {
        let arguments = script.arguments(open);
        let first = arguments.first().copied();
        let callee = keys.last().map_or_else(|| script.text(at), String::as_str);
        let behind = keys_behind(script, open);
        let mut all = behind.clone();
        all.extend(path.iter().cloned());
        // `data` and `value` of a schema's result.
        if matches!(callee, "safeParse" | "validate" | "validateSync") && !all.is_empty() {
            let skip = usize::from(matches!(all[0].as_str(), "data" | "value"));
            all.drain(..skip);
        }
        if let Some(name) = all.first().filter(|name| is_variable(name))
            && let Some(variable) = self.schemas.get(name.as_str())
        {
            return Some(variable.value(name));
        }
        if path.is_empty()
            && let Some(value) = self.named(module, script, open, callee, depth)
        {
            return Some(value);
        }
        if let Some(name) = first.and_then(|first| script.string(first)).filter(|_| callee == "get") {
            // `config.get("server.port")` of convict.
            let keys: Vec<String> = name.split('.').map(str::to_owned).chain(path.iter().cloned()).collect();
            return self.bound(module, script.text(at), at, &keys, depth + 1);
        }
        if callee == "require" && keys.is_empty() {
            let target = self.module_of(module, &script.string(first?)?)?;
            if let Some((name, rest)) = all.split_first() {
                return self.exported(target, name, rest, depth + 1);
            }
            let end = self.modules.get(target)?.script.tokens.len();
            return self.bound(target, "default", end, &all, depth + 1);
        }
        let returned = self.returned(module, at, keys, &all, depth + 1);
        let passed = first.and_then(|first| self.eval(module, first, &all, depth + 1));
        // `integer(process.env.PORT, 4000)`
        let default = arguments.get(1).filter(|_| all.is_empty()).and_then(|&at| {
            passed.as_ref()?.variable.as_ref()?;
            literal(script, at)
        });
        match (passed, returned) {
            (Some(mut passed), _) if passed.variable.is_some() => {
                passed.literal = passed.literal.or(default);
                Some(passed)
            }
            (_, Some(returned)) => Some(returned),
            // `Number("3000")`, `Object.freeze({ … })`.
            (passed, None) if !all.is_empty() || CONVERSIONS.contains(&callee) => passed,
            _ => None,
        }
    }

    /// A call with the name of a variable: `get("PORT", 3000)`, `secret(env, "DATABASE_URL")`.
    fn named(
        &self,
        module: usize,
        script: &Script,
        open: usize,
        callee: &str,
        depth: usize,
    ) -> Option<Value> {
        let arguments = script.arguments(open);
        let (position, at, name) = arguments.iter().take(3).enumerate().find_map(|(position, &at)| {
            let name = script.string(at).filter(|name| is_variable(name))?;
            Some((position, at, name))
        })?;
        let handed = arguments.iter().any(|&at| environment_object(script, at).is_some());
        if !handed && !self.reads_by_name(module, callee) {
            return None;
        }
        let default = arguments.get(position + 1).and_then(|&at| self.eval(module, at, &[], depth + 1));
        let default = default.and_then(|value| value.literal).or_else(|| default_call(script, open));
        let evidence = Evidence::new(&script.source, script.span(at, at), "reads the variable");
        Some(Value { variable: Some(name), literal: default, evidence: vec![evidence] })
    }

    /// A function that reads the variable whose name it is given.
    fn reads_by_name(&self, module: usize, callee: &str) -> bool {
        let lower = callee.to_lowercase();
        matches!(callee, "get" | "getOrThrow" | "str" | "num" | "bool" | "port" | "url")
            || lower.contains("env")
            || lower.contains("secret")
            || self.function(module, callee).is_some_and(|(script, function)| {
                (function.body.0..function.body.1.min(function.body.0 + MAX_BODY))
                    .any(|at| environment_object(&script, at).is_some_and(|behind| script.is(behind, "[")))
            })
    }

    /// A function by its name, in its own module or where it is imported from.
    pub(crate) fn function(&self, module: usize, name: &str) -> Option<(Rc<Script>, Function)> {
        self.function_in(module, name, 0)
            .map(|(module, function)| (Rc::clone(&self.modules[module].script), function))
    }

    fn function_in(&self, module: usize, name: &str, depth: usize) -> Option<(usize, Function)> {
        if self.spent(depth) {
            return None;
        }
        let own = self.modules.get(module)?;
        if let Some(function) = own.function(name) {
            return Some((module, function.clone()));
        }
        match own.binding(name, own.script.tokens.len())?.origin.clone() {
            Origin::Import { specifier, exported } => {
                let target = self.module_of(module, &specifier)?;
                self.function_in(target, &exported, depth + 1)
            }
            _ => None,
        }
    }

    /// What a function of the program returns.
    fn returned(
        &self,
        module: usize,
        at: usize,
        keys: &[String],
        path: &[String],
        depth: usize,
    ) -> Option<Value> {
        if self.spent(depth) || !keys.is_empty() {
            return None;
        }
        let name = self.modules.get(module)?.script.text(at).to_owned();
        let (target, function) = self.function_in(module, &name, depth + 1)?;
        let script = Rc::clone(&self.modules[target].script);
        let (from, to) = (function.body.0, function.body.1.min(function.body.0 + MAX_BODY));
        if !script.is(from, "{") || script.text(from.saturating_sub(1)) == "=>" && script.is(from, "(") {
            return self.eval(target, from, path, depth + 1);
        }
        let returned = (from..to).filter(|&at| script.is(at, "return")).take(8).find_map(|at| {
            self.eval(target, at + 1, path, depth + 1).filter(|value| value.variable.is_some())
        });
        returned.or_else(|| {
            let mut read: Vec<Value> = Vec::new();
            for at in from..to {
                let Some((name, last)) = environment_read(&script, at) else { continue };
                if !name.ends_with("_FILE")
                    && !read.iter().any(|value| value.variable.as_ref() == Some(&name))
                {
                    let evidence = Evidence::new(&script.source, script.span(at, last), "reads the variable");
                    read.push(Value { variable: Some(name), literal: None, evidence: vec![evidence] });
                }
            }
            (path.is_empty() && read.len() == 1).then(|| read.remove(0))
        })
    }

    /// What the callers give for a parameter.
    fn argument(
        &self,
        home: usize,
        function: &Function,
        position: usize,
        keys: &[String],
        depth: usize,
    ) -> Option<Value> {
        if self.spent(depth) {
            return None;
        }
        for (module, other) in self.modules.iter().enumerate() {
            let script = &other.script;
            let known = module == home || other.binding(&function.name, usize::MAX).is_some();
            if !known {
                continue;
            }
            // A search through a file costs what many steps cost.
            self.steps.set(self.steps.get() + script.tokens.len() / 50);
            for at in 0..script.tokens.len() {
                let called = script.is(at, &function.name)
                    && script.is(at + 1, "(")
                    && !(at > 0 && script.is(at - 1, "function"));
                if !called {
                    continue;
                }
                let argument = script.arguments(at + 1).get(position).copied();
                let value = argument.and_then(|argument| self.eval(module, argument, keys, depth + 1));
                if value.is_some() {
                    return value;
                }
            }
        }
        None
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

    /// `?? default`, `|| default`, `? a : b` behind a value.
    fn trailing(
        &self,
        module: usize,
        script: &Script,
        (value, end): (Option<Value>, usize),
        path: &[String],
        depth: usize,
    ) -> Option<Value> {
        match script.text(end) {
            "??" | "||" => combine(value, self.eval(module, end + 1, path, depth + 1)),
            "?" if !script.is(end + 1, ".") => {
                let (yes, no) = self.branches(module, script, end, path, depth)?;
                chosen(value, yes, no)
            }
            // `process.env.NODE_ENV === "production" ? a : b`
            "=" | "!" => self.compared(module, script, value, end, path, depth),
            "+" | "-" | "*" | "/" | "%" => None,
            _ => value,
        }
    }

    fn branches(
        &self,
        module: usize,
        script: &Script,
        question: usize,
        path: &[String],
        depth: usize,
    ) -> Option<(Option<Value>, Option<Value>)> {
        let mut at = question + 1;
        let end = script.tokens.len().min(question + 200);
        while at < end && !script.is(at, ":") {
            if matches!(script.text(at), ";" | ")" | "}" | "]") {
                return None;
            }
            at = script.close(at).unwrap_or(at) + 1;
        }
        script.is(at, ":").then_some(())?;
        Some((self.eval(module, question + 1, path, depth + 1), self.eval(module, at + 1, path, depth + 1)))
    }

    fn compared(
        &self,
        module: usize,
        script: &Script,
        value: Option<Value>,
        end: usize,
        path: &[String],
        depth: usize,
    ) -> Option<Value> {
        let mut at = end;
        while script.is(at, "=") || script.is(at, "!") {
            at += 1;
        }
        if at == end + 1 {
            return None;
        }
        let equal = script.is(end, "=");
        let mode = value?.variable? == "NODE_ENV";
        let production = script.string(at).as_deref() == Some("production");
        if !mode || !script.is(at + 1, "?") {
            return None;
        }
        let (yes, no) = self.branches(module, script, at + 1, path, depth)?;
        if equal == production { yes } else { no }
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

/// `{ format: "port", default: 3000, env: "PORT" }`.
fn convict(script: &Script, open: usize) -> Option<Value> {
    if !script.is(open, "{") {
        return None;
    }
    let member = |key: &str| {
        script.arguments(open).into_iter().find(|&at| script.is(at, key) && script.is(at + 1, ":"))
    };
    let env = member("env")?;
    let variable = script.string(env + 2).filter(|name| is_variable(name))?;
    let default = member("default").and_then(|at| literal(script, at + 2));
    let evidence = Evidence::new(&script.source, script.span(env, env + 2), "reads the variable");
    Some(Value { variable: Some(variable), literal: default, evidence: vec![evidence] })
}

/// The keys behind a call: `parse(x).port`.
fn keys_behind(script: &Script, open: usize) -> Vec<String> {
    let mut keys = Vec::new();
    let Some(close) = script.close(open) else { return keys };
    let mut at = close + 1;
    while (script.is(at, ".") || script.is(at, "?.")) && script.is_word(at + 1) && !script.is(at + 2, "(") {
        keys.push(script.text(at + 1).to_owned());
        at += 2;
    }
    keys
}

fn chosen(condition: Option<Value>, yes: Option<Value>, no: Option<Value>) -> Option<Value> {
    let variable = |value: &Option<Value>| value.as_ref().and_then(|value| value.variable.clone());
    match (variable(&yes), variable(&no)) {
        // A file's content, or the variable itself.
        (_, Some(other)) if variable(&condition).is_some_and(|name| name == format!("{other}_FILE")) => no,
        (Some(first), None) if Some(&first) == variable(&condition).as_ref() => combine(yes, no),
        (Some(first), Some(second)) if first == second => combine(yes, no),
        (Some(_), Some(second)) if second.ends_with("_FILE") => yes,
        (None | Some(_), None) => combine(yes, no),
        (None | Some(_), Some(_)) => no,
    }
}

/// Calls that keep the value.
const CONVERSIONS: [&str; 12] = [
    "Number",
    "parseInt",
    "parseFloat",
    "String",
    "Boolean",
    "BigInt",
    "URL",
    "trim",
    "toString",
    "toInt",
    "int",
    "normalizePort",
];

/// A value, or the other one where it is missing.
fn combine(value: Option<Value>, other: Option<Value>) -> Option<Value> {
    let Some(mut value) = value else { return other };
    let Some(other) = other else { return Some(value) };
    if value.variable.is_none() && value.literal.is_some() {
        return Some(value);
    }
    value.literal = value.literal.or(other.literal);
    Some(value)
}

/// `.default("3000")` behind a call of env-var.
fn default_call(script: &Script, open: usize) -> Option<String> {
    let mut at = script.close(open)? + 1;
    for _ in 0..8 {
        if !script.is(at, ".") || !script.is(at + 2, "(") {
            return None;
        }
        if script.is(at + 1, "default") {
            return literal(script, at + 3);
        }
        at = script.close(at + 2)? + 1;
    }
    None
}

/// A read of one variable that begins at a token: its name and its last token.
pub(crate) fn environment_read(script: &Script, at: usize) -> Option<(String, usize)> {
    let behind = environment_object(script, at)?;
    let (name, last) = if (script.is(behind, ".") || script.is(behind, "?.")) && script.is_word(behind + 1) {
        if script.is(behind + 1, "get") && script.is(behind + 2, "(") {
            (script.string(behind + 3)?, behind + 4)
        } else {
            (script.text(behind + 1).to_owned(), behind + 1)
        }
    } else if script.is(behind, "[") {
        (script.string(behind + 1)?, behind + 2)
    } else {
        return None;
    };
    is_variable(&name).then_some((name, last))
}

/// The token behind `process.env`, `import.meta.env`, `Bun.env`, `Deno.env`, or behind an object called `env`.
pub(crate) fn environment_object(script: &Script, at: usize) -> Option<usize> {
    if matches!(script.text(at), "process" | "Bun" | "Deno")
        && script.is(at + 1, ".")
        && script.is(at + 2, "env")
    {
        return Some(at + 3);
    }
    if script.is(at, "import") && script.is(at + 2, "meta") && script.is(at + 4, "env") {
        return Some(at + 5);
    }
    let member = at > 0 && (script.is(at - 1, ".") || script.is(at - 1, "?."));
    let declared =
        script.is(at + 1, ":") || (at > 0 && matches!(script.text(at - 1), "const" | "let" | "var"));
    (!member && !declared && (script.is(at, "env") || script.is(at, "environment"))).then_some(at + 1)
}

/// Whether a text is a variable's name.
pub(crate) fn is_variable(name: &str) -> bool {
    let shape = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.len() > 1 && name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(shape)
}

/// A path without its extension: `./a.js` is written where `a.ts` is meant.
pub(crate) fn stem(path: &str) -> &str {
    match path.rsplit_once('.') {
        Some((stem, extension)) if !extension.contains('/') && extension.len() <= 4 => stem,
        _ => path,
    }
}

/// A specifier as a path below the repository's root.
fn relative(file: &str, specifier: &str) -> String {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in specifier.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
