//! The modules of a program: what each binds, imports, exports and declares, so that a value can be followed from
//! where it is used to where it comes from.

use std::{collections::HashMap, rc::Rc};

use super::{Kind, Script};

/// Bindings and functions of one file that are kept; a text that was made to be slow must not be.
const MAX_BINDINGS: usize = 5000;

/// Where a name gets its value.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// `const name = …`: the token at which the expression begins.
    Expression(usize),
    /// `const { key: name = … } = …`: the expression, the keys that lead to the value, the default's token.
    Member { from: usize, keys: Vec<String>, default: Option<usize> },
    /// `import { exported as name } from "specifier"`; `default` and `*` as the language has them.
    Import { specifier: String, exported: String },
}

/// A name with its origin.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) at: usize,
    pub(crate) origin: Origin,
}

/// A function, a method `constructor` under its class's name, or an arrow function that has a name.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Tokens at which the parameters begin.
    pub(crate) parameters: Vec<usize>,
    /// First and last token of the body; an arrow function's expression has no braces.
    pub(crate) body: (usize, usize),
}

/// One file.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) script: Rc<Script>,
    bindings: HashMap<String, Vec<Binding>>,
    pub(crate) functions: Vec<Function>,
    by_name: HashMap<String, usize>,
    /// `export * from "…"`.
    pub(crate) passes_on: Vec<String>,
}

impl Module {
    pub(crate) fn new(script: Rc<Script>) -> Self {
        let mut reader =
            Reader { script: &script, bindings: HashMap::new(), count: 0, passes_on: Vec::new() };
        reader.read();
        let (bindings, passes_on) = (reader.bindings, reader.passes_on);
        let functions = functions(&script);
        let mut by_name = HashMap::new();
        for (at, function) in functions.iter().enumerate() {
            by_name.entry(function.name.clone()).or_insert(at);
        }
        Self { script, bindings, functions, by_name, passes_on }
    }

    /// The binding of a name that is nearest before a place, else the first one.
    pub(crate) fn binding(&self, name: &str, at: usize) -> Option<&Binding> {
        let all = self.bindings.get(name)?;
        all.iter().rev().find(|binding| binding.at < at).or_else(|| all.first())
    }

    pub(crate) fn function(&self, name: &str) -> Option<&Function> {
        self.by_name.get(name).and_then(|at| self.functions.get(*at))
    }

    /// The innermost function with a name around a place that has a parameter called `name`, and which one that is.
    pub(crate) fn parameter(&self, name: &str, at: usize) -> Option<(&Function, usize)> {
        let around =
            self.functions.iter().filter(|function| (function.body.0..=function.body.1).contains(&at));
        around
            .filter_map(|function| {
                let is = |parameter: &usize| self.script.is(*parameter, name);
                Some((function, function.parameters.iter().position(is)?))
            })
            .min_by_key(|(function, _)| function.body.1 - function.body.0)
    }
}

struct Reader<'a> {
    script: &'a Script,
    bindings: HashMap<String, Vec<Binding>>,
    count: usize,
    passes_on: Vec<String>,
}

impl Reader<'_> {
    fn bind(&mut self, name: String, at: usize, origin: Origin) {
        self.count += 1;
        if self.count <= MAX_BINDINGS {
            self.bindings.entry(name).or_default().push(Binding { at, origin });
        }
    }

    fn read(&mut self) {
        let script = self.script;
        for at in 0..script.tokens.len() {
            match script.text(at) {
                "const" | "let" | "var" => self.declaration(at + 1),
                "import" => self.import(at),
                "export" => self.export(at),
                // `module.exports = …`, `exports.name = …`
                "exports" if script.is(at + 1, "=") => {
                    self.bind("default".to_owned(), at, Origin::Expression(at + 2));
                }
                "exports" if script.is(at + 1, ".") && script.is(at + 3, "=") => {
                    self.bind(script.text(at + 2).to_owned(), at, Origin::Expression(at + 4));
                }
                _ => {}
            }
        }
        self.undeclared();
    }

    /// `port = 80;` of a name that nothing declares.
    fn undeclared(&mut self) {
        let script = self.script;
        for at in 1..script.tokens.len() {
            let assigned = script.is_word(at)
                && script.is(at + 1, "=")
                && !script.is(at + 2, "=")
                && script.is(at - 1, ";")
                && !self.bindings.contains_key(script.text(at));
            if assigned {
                self.bind(script.text(at).to_owned(), at, Origin::Expression(at + 2));
            }
        }
    }

    fn declaration(&mut self, at: usize) {
        let script = self.script;
        if script.is(at, "{") {
            let Some(close) = script.close(at) else { return };
            let from = self.behind_type(close + 1);
            if script.is(from, "=") {
                self.pattern(at, from + 1, &[], 0);
            }
        } else if script.is_word(at) {
            let from = self.behind_type(at + 1);
            if script.is(from, "=") {
                self.bind(script.text(at).to_owned(), at, Origin::Expression(from + 1));
            }
            // `const a = 1, b = 2`
            let mut next = self.next_declarator(from);
            while let Some(at) = next.filter(|_| self.count < MAX_BINDINGS) {
                self.bind(script.text(at).to_owned(), at, Origin::Expression(at + 2));
                next = self.next_declarator(at + 1);
            }
        }
    }

    /// The name behind the comma that ends a declarator.
    fn next_declarator(&self, from: usize) -> Option<usize> {
        let script = self.script;
        let mut at = from;
        while at < script.tokens.len().min(from + 60) {
            match script.text(at) {
                "," => {
                    let declares =
                        script.is_word(at + 1) && script.is(at + 2, "=") && !script.is(at + 3, "=");
                    return declares.then_some(at + 1);
                }
                ";" | ")" | "]" | "}" | "const" | "let" | "var" | "function" | "return" | "if" | "export"
                | "=>" => return None,
                _ => at = script.close(at).unwrap_or(at) + 1,
            }
        }
        None
    }

    /// Behind `: Type`, as far as a declaration goes.
    fn behind_type(&self, at: usize) -> usize {
        if !self.script.is(at, ":") {
            return at;
        }
        let mut index = at + 1;
        while index < self.script.tokens.len().min(at + 60) {
            match self.script.text(index) {
                "=" => return index,
                ";" | "const" | "let" => return at,
                _ => index = self.script.close(index).unwrap_or(index) + 1,
            }
        }
        at
    }

    fn pattern(&mut self, open: usize, from: usize, above: &[String], depth: usize) {
        let script = self.script;
        if depth > 4 {
            return;
        }
        for start in script.arguments(open) {
            if !script.is_word(start) {
                continue;
            }
            let mut keys = above.to_vec();
            keys.push(script.text(start).to_owned());
            let name = if script.is(start + 1, ":") { start + 2 } else { start };
            if script.is(name, "{") {
                self.pattern(name, from, &keys, depth + 1);
            } else {
                let default = script.is(name + 1, "=").then_some(name + 2);
                self.bind(script.text(name).to_owned(), name, Origin::Member { from, keys, default });
            }
        }
    }

    fn import(&mut self, at: usize) {
        let script = self.script;
        // A call `import(…)` and `import.meta` bind nothing.
        if script.is(at + 1, "(") || script.is(at + 1, ".") {
            return;
        }
        let Some(from) = (at..script.tokens.len().min(at + 200)).find(|&index| script.is(index, "from"))
        else {
            return;
        };
        let Some(specifier) = script.string(from + 1) else { return };
        let mut index = at + 1;
        while index < from {
            if script.is(index, "*") && script.is(index + 1, "as") {
                self.imported(script.text(index + 2), index, &specifier, "*");
                index += 3;
            } else if script.is(index, "{") {
                self.names(index, &specifier);
                index = script.close(index).unwrap_or(index) + 1;
            } else {
                if script.is_word(index) && !script.is(index, "type") {
                    self.imported(script.text(index), index, &specifier, "default");
                }
                index += 1;
            }
        }
    }

    fn imported(&mut self, name: &str, at: usize, specifier: &str, exported: &str) {
        let origin = Origin::Import { specifier: specifier.to_owned(), exported: exported.to_owned() };
        self.bind(name.to_owned(), at, origin);
    }

    fn names(&mut self, open: usize, specifier: &str) {
        let script = self.script;
        for start in script.arguments(open) {
            let start = if script.is(start, "type") && script.is_word(start + 1) { start + 1 } else { start };
            let name = if script.is(start + 1, "as") { start + 2 } else { start };
            let exported = script.text(start).to_owned();
            self.imported(script.text(name), name, specifier, &exported);
        }
    }

    fn export(&mut self, at: usize) {
        let script = self.script;
        if script.is(at + 1, "default") {
            self.bind("default".to_owned(), at, Origin::Expression(at + 2));
        } else if script.is(at + 1, "*") && script.is(at + 2, "from") {
            self.passes_on.extend(script.string(at + 3).filter(|_| self.passes_on.len() < 100));
        } else if script.is(at + 1, "{") {
            let Some(close) = script.close(at + 1) else { return };
            if script.is(close + 1, "from")
                && let Some(specifier) = script.string(close + 2)
            {
                self.names(at + 1, &specifier);
            }
        }
    }
}

fn functions(script: &Script) -> Vec<Function> {
    let mut functions = Vec::new();
    let mut class: Option<(String, usize)> = None;
    for at in 0..script.tokens.len() {
        if functions.len() == MAX_BINDINGS {
            break;
        }
        if script.is(at, "class") && script.is_word(at + 1) {
            let open = (at..script.tokens.len().min(at + 40)).find(|&index| script.is(index, "{"));
            class = open.and_then(|open| Some((script.text(at + 1).to_owned(), script.close(open)?)));
        }
        let (name, open) = if script.is(at, "function") && script.is_word(at + 1) {
            (script.text(at + 1).to_owned(), script.skip_type_arguments(at + 2))
        } else if script.is(at, "constructor") && script.is(at + 1, "(") {
            let Some((name, _)) = class.clone().filter(|(_, end)| at < *end) else { continue };
            (name, at + 1)
        } else if script.is(at, "=") && at > 0 && script.is_word(at - 1) {
            let open = if script.is(at + 1, "async") { at + 2 } else { at + 1 };
            (script.text(at - 1).to_owned(), script.skip_type_arguments(open))
        } else {
            continue;
        };
        let Some(close) = script.close(open).filter(|_| script.is(open, "(")) else { continue };
        let arrow = script.is(at, "=");
        if let Some(body) = body(script, close, arrow) {
            functions.push(Function { name, parameters: parameters(script, open), body });
        }
    }
    functions
}

/// Where each parameter's name stands: behind `private readonly` and the like.
fn parameters(script: &Script, open: usize) -> Vec<usize> {
    let words = ["private", "public", "protected", "readonly", "override"];
    let skip = |mut at: usize| {
        while words.contains(&script.text(at)) {
            at += 1;
        }
        at
    };
    script.arguments(open).into_iter().map(skip).collect()
}

fn body(script: &Script, close: usize, arrow: bool) -> Option<(usize, usize)> {
    let end = script.tokens.len().min(close + 60);
    // A return type with braces is taken for the body; its members read nothing.
    let begin = (close + 1..end)
        .find(|&at| script.is(at, "=>") || script.is(at, ";") || (!arrow && script.is(at, "{")))?;
    if script.is(begin, "{") {
        return Some((begin, script.close(begin)?));
    }
    if !script.is(begin, "=>") || (!arrow && !script.is(close + 1, "=>")) {
        return None;
    }
    if script.is(begin + 1, "{") {
        return Some((begin + 1, script.close(begin + 1)?));
    }
    let mut at = begin + 1;
    while at < script.tokens.len().min(begin + 400) {
        if matches!(script.text(at), ";" | "const" | "export" | "function" | "import") {
            break;
        }
        at = script.close(at).unwrap_or(at) + 1;
    }
    (at > begin + 1).then(|| (begin + 1, at.min(script.tokens.len()) - 1))
}

/// The text of a literal: a text or a number.
pub(crate) fn literal(script: &Script, at: usize) -> Option<String> {
    match script.kind(at)? {
        Kind::Number => Some(script.text(at).replace('_', "")),
        Kind::String | Kind::Template => script.string(at),
        _ => None,
    }
}
