//! Settings that a function makes: `registerAs("database", () => ({ … }))`, what `ConfigModule` loads, `useFactory` and
//! `useClass` of NestJS' modules.

use super::{
    super::{
        Script,
        modules::{Module, Origin},
    },
    Program, Value,
};

/// Namespaces and loaded functions of one program that are kept.
const MAX_FACTORIES: usize = 50;

/// Methods that make a module's settings, of the class that `useClass` names.
const METHODS: [&str; 4] =
    ["createTypeOrmOptions", "createSequelizeOptions", "createMongooseOptions", "createMikroOrmOptions"];

/// Where settings are made: module and token of a function.
#[derive(Debug, Default)]
pub(super) struct Factories {
    /// By the name that `registerAs` gives.
    named: Vec<(String, usize, usize)>,
    /// `load: [configuration]`.
    loaded: Vec<(usize, usize)>,
}

impl Factories {
    pub(super) fn of(modules: &[Module]) -> Self {
        let mut found = Self::default();
        for (index, module) in modules.iter().enumerate() {
            let script = &module.script;
            for at in 0..script.tokens.len() {
                if script.is(at, "registerAs") && script.is(at + 1, "(") && found.named.len() < MAX_FACTORIES
                {
                    let [name, function, ..] = script.arguments(at + 1)[..] else { continue };
                    found.named.extend(script.string(name).map(|name| (name, index, function)));
                } else if script.is(at, "load") && script.is(at + 1, ":") && script.is(at + 2, "[") {
                    let room = MAX_FACTORIES.saturating_sub(found.loaded.len());
                    found
                        .loaded
                        .extend(script.arguments(at + 2).into_iter().take(room).map(|at| (index, at)));
                }
            }
        }
        found
    }
}

impl Program {
    /// What `config.get("database.host")` gives: a member of what a registered or loaded function returns.
    pub(super) fn configured(&self, keys: &[String], depth: usize) -> Option<Value> {
        if self.spent(depth) {
            return None;
        }
        let (first, rest) = keys.split_first()?;
        if let Some((_, module, at)) = self.factories.named.iter().find(|(name, ..)| name == first) {
            let (module, result) = self.made(*module, *at)?;
            return self.eval(module, result, rest, depth + 1);
        }
        self.factories.loaded.iter().find_map(|(module, at)| {
            let (module, result) = self.made(*module, *at)?;
            self.eval(module, result, keys, depth + 1)
        })
    }

    /// Module and token of the settings that a function makes: the one at a token, or the one that its name stands for.
    fn made(&self, module: usize, at: usize) -> Option<(usize, usize)> {
        let script = &self.modules.get(module)?.script;
        if let Some(result) = result(script, at) {
            return Some((module, result));
        }
        let name = script.text(at);
        if let Some((target, function)) = self.function_in(module, name, 0) {
            return Some((target, returned(&self.modules[target].script, function.body)?));
        }
        let (mut module, mut binding) = (module, self.modules[module].binding(name, at)?);
        if let Origin::Import { specifier, exported } = &binding.origin {
            module = self.module_of(module, specifier)?;
            binding = self.modules[module].binding(exported, usize::MAX)?;
        }
        let Origin::Expression(from) = binding.origin else { return None };
        Some((module, result(&self.modules[module].script, from)?))
    }

    /// Module and token of the settings behind `useFactory` or `useClass` of the object at a token.
    pub(crate) fn asynchronous(&self, module: usize, open: usize) -> Option<(usize, usize)> {
        let script = &self.modules.get(module)?.script;
        let member = |key: &str| {
            let at = script.arguments(open).into_iter().find(|&at| script.is(at, key))?;
            script.is(at + 1, ":").then_some(at + 2)
        };
        if let Some(at) = member("useFactory") {
            return self.made(module, at);
        }
        member("useClass").or_else(|| member("useExisting"))?;
        self.modules.iter().enumerate().find_map(|(index, other)| {
            let script = &other.script;
            let at = (0..script.tokens.len())
                .find(|&at| METHODS.contains(&script.text(at)) && script.is(at + 1, "("))?;
            let close = script.close(at + 1)?;
            let body = (close..script.tokens.len().min(close + 40)).find(|&at| script.is(at, "{"))?;
            Some((index, returned(script, (body, script.close(body)?))?))
        })
    }
}

/// The token of what the function at a token returns: `async (config) => ({ … })`, `function () { return … }`.
fn result(script: &Script, at: usize) -> Option<usize> {
    let at = if script.is(at, "async") { at + 1 } else { at };
    let declared = script.is(at, "function");
    let open = if declared { (at + 1..at + 4).find(|&at| script.is(at, "("))? } else { at };
    let close = if script.is(open, "(") { script.close(open)? } else { open };
    if !declared && close == open && !script.is(open + 1, "=>") {
        return None;
    }
    let end = script.tokens.len().min(close + 40);
    let begin = (close + 1..end)
        .take_while(|&at| !matches!(script.text(at), ";" | ","))
        .find(|&at| script.is(at, "=>") || declared && script.is(at, "{"))?;
    let body = if script.is(begin, "=>") { begin + 1 } else { begin };
    if script.is(body, "{") { returned(script, (body, script.close(body)?)) } else { Some(body) }
}

/// What the first `return` of a body gives; of an expression the expression itself.
fn returned(script: &Script, (from, to): (usize, usize)) -> Option<usize> {
    if !script.is(from, "{") {
        return Some(from);
    }
    (from..to).find(|&at| script.is(at, "return")).map(|at| at + 1)
}
