//! What a call comes to: a variable that is named, what a function returns, and what its callers give.

use std::rc::Rc;

use super::{
    super::{
        Script,
        modules::{Function, Origin, literal},
    },
    Program, Value,
    reads::{default_call, environment_object, environment_read, is_variable},
};
use crate::model::Evidence;

/// Tokens of a function's body that are looked through.
const MAX_BODY: usize = 3000;

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

/// Functions of the language and its usual libraries whose second argument says how, and not what else: a radix, an
/// encoding, a bound, the rest of a path. Of a project's own functions it is the default.
const SECOND_IS_NO_DEFAULT: [&str; 27] = [
    "parseInt",
    "toString",
    "toFixed",
    "toInteger",
    "max",
    "min",
    "pow",
    "from",
    "join",
    "resolve",
    "relative",
    "concat",
    "split",
    "replace",
    "replaceAll",
    "padStart",
    "padEnd",
    "slice",
    "substring",
    "stringify",
    "readFile",
    "readFileSync",
    "createHmac",
    "createHash",
    "sign",
    "verify",
    "URL",
];

impl Program {
    pub(super) fn call(
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
        let asked = first.and_then(|first| script.string(first));
        if let Some(name) = asked.filter(|_| matches!(callee, "get" | "getOrThrow")) {
            // `config.get("server.port")` of convict and of NestJS.
            let keys: Vec<String> = name.split('.').map(str::to_owned).chain(path.iter().cloned()).collect();
            if let Some(value) = self.configured(&keys, depth + 1) {
                return Some(value);
            }
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
        let own = || keys.is_empty() && self.function(module, callee).is_some();
        let fallback = all.is_empty()
            && (!SECOND_IS_NO_DEFAULT.contains(&callee) || own())
            && !self.joins_second(module, callee);
        let default = arguments.get(1).filter(|_| fallback).and_then(|&at| {
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
    pub(super) fn named(
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

    /// A function of the program that looks for its second parameter in the first, or puts it in front: `startsWith(x)`.
    fn joins_second(&self, module: usize, callee: &str) -> bool {
        let Some((script, function)) = self.function(module, callee) else { return false };
        let Some(name) = function.parameters.get(1).map(|&place| script.text(place)) else { return false };
        (function.body.0..function.body.1.min(function.body.0 + MAX_BODY)).any(|at| {
            matches!(script.text(at), "startsWith" | "endsWith" | "concat")
                && script.is(at + 1, "(")
                && script.is(at + 2, name)
        })
    }

    /// A function that reads the variable whose name it is given.
    pub(super) fn reads_by_name(&self, module: usize, callee: &str) -> bool {
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

    pub(super) fn function_in(&self, module: usize, name: &str, depth: usize) -> Option<(usize, Function)> {
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
    pub(super) fn returned(
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
    pub(super) fn argument(
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
