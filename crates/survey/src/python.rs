//! The tokens of Python, as far as the detectors need them: strings of all kinds and comments told apart from code,
//! brackets matched, and for every token the logical line that it stands in. No syntax tree: a file that we read wrongly
//! costs a fact, never an error.

use std::collections::HashMap;

use plimsoll_source::{Source, Span};

use crate::tokens::{partners, token_access};

/// A module with its tokens.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) source: Source,
    pub(crate) tokens: Vec<Token>,
    /// What the names in it stand for.
    pub(crate) imports: HashMap<String, Import>,
    /// For an opening bracket the index of its closing one.
    partner: Vec<Option<usize>>,
}

/// One token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
    /// It is the first one of its logical line.
    pub(crate) first: bool,
    /// Column at which its logical line begins, in characters; a tab counts as eight.
    pub(crate) indent: usize,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or a keyword.
    Word,
    Number,
    /// A string without replacement fields.
    String,
    /// `f"…"`; the tokens of its replacement fields stand behind it.
    Format,
    Punctuation,
}

/// `import a.b as c` and `from a import b as c`: what the local name `c` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    /// Dots in front of the module: 0 is absolute.
    pub(crate) level: usize,
    /// The module, without these dots.
    pub(crate) module: String,
    /// The name in it; nothing where the module itself is meant.
    pub(crate) name: Option<String>,
}

/// One argument of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Argument<'a> {
    /// The keyword before it.
    pub(crate) name: Option<&'a str>,
    /// Its first token, behind the keyword.
    pub(crate) at: usize,
    /// Behind its last token.
    pub(crate) end: usize,
}

/// Replacement fields nest inside format strings no deeper than this.
const MAX_DEPTH: usize = 6;

token_access!(Module);

impl Module {
    pub(crate) fn new(source: Source) -> Self {
        let mut lexer =
            Lexer { text: source.text(), tokens: Vec::new(), brackets: 0, fresh: true, indent: 0 };
        lexer.run(0, source.text().len(), 0);
        let tokens = lexer.tokens;
        let punctuation = tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Punctuation);
        let bytes = source.text().as_bytes();
        let partner = partners(tokens.len(), punctuation.map(|(at, token)| (at, bytes[token.span.start])));
        let mut module = Self { source, tokens, imports: HashMap::new(), partner };
        module.imports = imports(&module);
        module
    }

    /// The value of a string; neighbours in the same expression are joined, as Python does.
    pub(crate) fn string(&self, at: usize) -> Option<String> {
        let mut value = String::new();
        let mut next = at;
        while self.kind(next) == Some(Kind::String) && (next == at || !self.tokens[next].first) {
            value.push_str(&self.piece(next)?);
            next += 1;
        }
        (next > at && self.kind(next) != Some(Kind::Format)).then_some(value)
    }

    fn piece(&self, at: usize) -> Option<String> {
        let (raw, inner) = inner(self.text(at))?;
        Some(if raw { inner.to_owned() } else { unescape(inner) })
    }

    /// The text between the quotes of a format string, as written.
    pub(crate) fn format(&self, at: usize) -> Option<&str> {
        (self.kind(at) == Some(Kind::Format)).then(|| inner(self.text(at)).map(|(_, inner)| inner))?
    }

    /// A string, a number, `True` or `False` that is a whole value.
    pub(crate) fn literal(&self, at: usize) -> Option<String> {
        match self.kind(at)? {
            Kind::String => self.string(at),
            Kind::Number => Some(self.text(at).replace('_', "")),
            Kind::Word if matches!(self.text(at), "True" | "False") => Some(self.text(at).to_owned()),
            _ => None,
        }
    }

    /// The dotted name that begins at `at`, and the token behind it; nothing inside of a longer one.
    pub(crate) fn dotted(&self, at: usize) -> Option<(String, usize)> {
        if !self.is_word(at) || (at > 0 && self.is(at - 1, ".")) {
            return None;
        }
        let mut name = self.text(at).to_owned();
        let mut next = at + 1;
        while self.is(next, ".") && self.is_word(next + 1) && next < at + 20 {
            name.push('.');
            name.push_str(self.text(next + 1));
            next += 2;
        }
        Some((name, next))
    }

    /// The dotted name at `at` with its first part replaced by what was imported under it, and the token behind it.
    pub(crate) fn resolved(&self, at: usize) -> Option<(String, usize)> {
        let (name, next) = self.dotted(at)?;
        Some((self.full_name(&name), next))
    }

    /// A dotted name with its first part replaced by what was imported under it. Relative modules keep their dots.
    pub(crate) fn full_name(&self, name: &str) -> String {
        let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
        let Some(import) = self.imports.get(first) else { return name.to_owned() };
        let mut full = ".".repeat(import.level);
        full.push_str(&import.module);
        for part in import.name.as_deref().into_iter().chain(rest) {
            if !full.is_empty() && !full.ends_with('.') {
                full.push('.');
            }
            full.push_str(part);
        }
        full
    }

    /// The arguments inside the brackets that open at `open`.
    pub(crate) fn arguments(&self, open: usize) -> Vec<Argument<'_>> {
        let Some(close) = self.close(open) else { return Vec::new() };
        let mut arguments = Vec::new();
        let mut start = open + 1;
        let mut at = open + 1;
        while at <= close {
            if at == close || self.is(at, ",") {
                if start < at {
                    let keyword = self.is_word(start) && self.is(start + 1, "=");
                    let name = keyword.then(|| self.text(start));
                    let value = if keyword { start + 2 } else { start };
                    arguments.push(Argument { name, at: value, end: at });
                }
                start = at + 1;
            }
            at = self.close(at).filter(|&end| end < close).unwrap_or(at) + 1;
        }
        arguments
    }

    /// The argument with this keyword.
    pub(crate) fn keyword(&self, open: usize, name: &str) -> Option<Argument<'_>> {
        self.arguments(open).into_iter().find(|argument| argument.name == Some(name))
    }

    /// The brace that opens the dictionary around a token, at most so many tokens before it.
    pub(crate) fn dictionary_around(&self, at: usize, most: usize) -> Option<usize> {
        let holds = |open: &usize| self.is(*open, "{") && self.close(*open).is_some_and(|close| close > at);
        (at.saturating_sub(most)..at).rev().find(holds)
    }

    /// Behind the last token of the logical line that `at` stands in.
    pub(crate) fn line_end(&self, at: usize) -> usize {
        (at + 1..self.tokens.len()).find(|&at| self.tokens[at].first).unwrap_or(self.tokens.len())
    }

    /// First tokens of logical lines, with their index.
    pub(crate) fn lines(&self) -> impl Iterator<Item = usize> {
        (0..self.tokens.len()).filter(|&at| self.tokens[at].first)
    }

    /// `name = value` and `name: type = value` on the top level: the name's token and the value's first one.
    pub(crate) fn assignments(&self) -> impl Iterator<Item = (usize, usize)> {
        self.lines().filter(|&at| self.tokens[at].indent == 0).filter_map(|at| Some((at, self.assigned(at)?)))
    }

    /// The first token of the value that the line at `at` gives a name.
    pub(crate) fn assigned(&self, at: usize) -> Option<usize> {
        if !self.is_word(at) {
            return None;
        }
        if self.is(at + 1, "=") {
            return Some(at + 2);
        }
        let end = self.line_end(at).min(at + 60);
        self.is(at + 1, ":").then(|| (at + 2..end).find(|&at| self.is(at, "=")))?.map(|at| at + 1)
    }
}

/// The quotes and prefix taken off: whether it is raw, and what is inside.
fn inner(text: &str) -> Option<(bool, &str)> {
    let start = text.find(['"', '\''])?;
    let raw = text[..start].contains(['r', 'R']);
    let body = &text[start..];
    let length =
        if body.len() >= 6 && (body.starts_with("\"\"\"") || body.starts_with("'''")) { 3 } else { 1 };
    Some((raw, body.get(length..body.len().checked_sub(length)?)?))
}

fn imports(module: &Module) -> HashMap<String, Import> {
    let mut found = HashMap::new();
    for at in module.lines() {
        let end = module.line_end(at).min(at + 2000);
        if module.is(at, "import") {
            plain_import(module, at + 1, end, &mut found);
        } else if module.is(at, "from") {
            from_import(module, at + 1, end, &mut found);
        }
    }
    found
}

fn plain_import(module: &Module, mut at: usize, end: usize, found: &mut HashMap<String, Import>) {
    while let Some((name, next)) = module.dotted(at).filter(|_| at < end) {
        at = next;
        if module.is(at, "as") && module.is_word(at + 1) {
            let local = module.text(at + 1).to_owned();
            found.insert(local, Import { level: 0, module: name, name: None });
            at += 2;
        } else {
            // `import a.b` binds `a`.
            let first = name.split('.').next().unwrap_or(&name).to_owned();
            found.insert(first.clone(), Import { level: 0, module: first, name: None });
        }
        if !module.is(at, ",") {
            return;
        }
        at += 1;
    }
}

fn from_import(module: &Module, mut at: usize, end: usize, found: &mut HashMap<String, Import>) {
    let mut level = 0;
    while matches!(module.text(at), "." | "...") && at < end {
        level += module.text(at).len();
        at += 1;
    }
    let mut path = String::new();
    while at < end && !module.is(at, "import") {
        path.push_str(module.text(at));
        at += 1;
    }
    at += 1;
    // All of a module's names: under a key that no name can be.
    if module.is(at, "*") {
        let key = format!("*{}{path}", ".".repeat(level));
        found.insert(key, Import { level, module: path, name: Some("*".to_owned()) });
        return;
    }
    while at < end {
        if module.is_word(at) {
            let name = module.text(at).to_owned();
            let renamed = module.is(at + 1, "as") && module.is_word(at + 2);
            let local = if renamed { module.text(at + 2).to_owned() } else { name.clone() };
            found.insert(local, Import { level, module: path.clone(), name: Some(name) });
            at += if renamed { 2 } else { 0 };
        }
        at += 1;
    }
}

struct Lexer<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    /// Open brackets: a line break inside of them ends no logical line.
    brackets: usize,
    /// The next token begins a logical line.
    fresh: bool,
    indent: usize,
}

const OPERATORS: [&str; 15] =
    ["...", "**", "//", "==", "!=", "<=", ">=", ":=", "->", "+=", "-=", "*=", "/=", "|=", "&="];

impl Lexer<'_> {
    fn run(&mut self, from: usize, to: usize, depth: usize) {
        let bytes = self.text.as_bytes();
        let mut at = from;
        while at < to {
            let rest = &self.text[at..to];
            match bytes[at] {
                b'\n' => {
                    self.fresh |= self.brackets == 0 && depth == 0;
                    at += 1;
                }
                byte if byte.is_ascii_whitespace() => at += 1,
                b'\\' => at += 1 + usize::from(bytes.get(at + 1) == Some(&b'\n')),
                b'#' => at += rest.find('\n').unwrap_or(rest.len()),
                _ => at = self.token(at, to, depth),
            }
        }
    }

    fn token(&mut self, at: usize, to: usize, depth: usize) -> usize {
        let rest = &self.text[at..to];
        if let Some((kind, end)) = string(rest) {
            self.push(kind, at, at + end, depth);
            if kind == Kind::Format && depth < MAX_DEPTH {
                for (from, until) in fields(&rest[..end]) {
                    self.run(at + from, at + until, depth + 1);
                }
            }
            return at + end;
        }
        let first = rest.chars().next().unwrap_or(' ');
        let (kind, length) = if first.is_ascii_digit() {
            (Kind::Number, rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')))
        } else if is_word(first) {
            (Kind::Word, rest.find(|c| !is_word(c)))
        } else {
            let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator));
            (Kind::Punctuation, Some(operator.map_or(first.len_utf8(), |operator| operator.len())))
        };
        let end = at + length.unwrap_or(rest.len());
        self.push(kind, at, end, depth);
        if kind == Kind::Punctuation && depth == 0 {
            match first {
                '(' | '[' | '{' => self.brackets += 1,
                ')' | ']' | '}' => self.brackets = self.brackets.saturating_sub(1),
                _ => {}
            }
        }
        end
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize, depth: usize) {
        let first = std::mem::take(&mut self.fresh) && depth == 0;
        if first {
            let line = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
            self.indent = self.text[line..start].chars().map(|c| if c == '\t' { 8 } else { 1 }).sum();
        }
        self.tokens.push(Token { kind, span: Span::new(start, end), first, indent: self.indent });
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The string that a text begins with, with any prefix: its kind and length. An unended one is no string.
fn string(text: &str) -> Option<(Kind, usize)> {
    let bytes = text.as_bytes();
    let prefix = bytes.iter().take(3).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let quote = *bytes.get(prefix).filter(|byte| matches!(byte, b'"' | b'\''))?;
    let letters = text[..prefix].to_ascii_lowercase();
    if !matches!(letters.as_str(), "" | "r" | "b" | "u" | "f" | "t" | "rb" | "br" | "fr" | "rf" | "tr" | "rt")
    {
        return None;
    }
    let kind = if letters.contains(['f', 't']) { Kind::Format } else { Kind::String };
    let triple = bytes.get(prefix + 1) == Some(&quote) && bytes.get(prefix + 2) == Some(&quote);
    let length = if triple { 3 } else { 1 };
    let mut at = prefix + length;
    let mut braces = 0_usize;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\n' if !triple && braces == 0 => return None,
            b'{' if kind == Kind::Format && bytes.get(at + 1) == Some(&b'{') && braces == 0 => at += 1,
            b'{' if kind == Kind::Format => braces += 1,
            b'}' if kind == Kind::Format => braces = braces.saturating_sub(1),
            // Since Python 3.12 a field may hold the string's own quotes.
            byte if byte == quote && braces > 0 && !triple && nested(&bytes[at..]).is_some() => {
                at += nested(&bytes[at..]).unwrap_or(0);
            }
            byte if byte == quote && (!triple || bytes[at..].starts_with(&[quote; 3])) => {
                return Some((kind, at + length));
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// A string in a replacement field: bytes up to its closing quote, where the field closes behind it in the same line.
fn nested(bytes: &[u8]) -> Option<usize> {
    let line = bytes.iter().take(400).position(|byte| *byte == b'\n').unwrap_or(bytes.len().min(400));
    let close = bytes[1..line.max(1)].iter().position(|byte| *byte == bytes[0])? + 1;
    bytes[close..line].contains(&b'}').then_some(close)
}

/// The replacement fields of a format string, as ranges in it.
fn fields(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut fields = Vec::new();
    let (mut at, mut open, mut depth) = (0, 0, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'{' if depth == 0 && bytes.get(at + 1) == Some(&b'{') => at += 1,
            b'{' => {
                if depth == 0 {
                    open = at + 1;
                }
                depth += 1;
            }
            b'}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    fields.push((open, at));
                }
            }
            _ => {}
        }
        at += 1;
    }
    fields
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('\n')) => {}
            ('\\', Some(escaped @ ('\\' | '\'' | '"'))) => out.push(escaped),
            // An unknown escape stays as it is: `"\d"`.
            ('\\', Some(escaped)) => out.extend(['\\', escaped]),
            (c, _) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(text: &str) -> Module {
        Module::new(Source::new("t.py", text))
    }

    fn words(text: &str) -> Vec<String> {
        let module = module(text);
        (0..module.tokens.len()).map(|at| module.text(at).to_owned()).collect()
    }

    #[test]
    fn strings_comments_and_format_strings_are_told_apart() {
        assert_eq!(words("a = 'x' # 'y'\n\"\"\"b\n'c\"\"\"\nd"), ["a", "=", "'x'", "\"\"\"b\n'c\"\"\"", "d"]);
        assert_eq!(words("f'{a(\"b\")}:{{c}}'"), ["f'{a(\"b\")}:{{c}}'", "a", "(", "\"b\"", ")"]);
        assert_eq!(words("f\"{e[\"X\"]}\" + y"), ["f\"{e[\"X\"]}\"", "e", "[", "\"X\"", "]", "+", "y"]);
        let joined = module("x = ('a'\n  \"b\")");
        assert_eq!(joined.string(3).as_deref(), Some("ab"));
        assert_eq!(module("r'\\d+'").string(0).as_deref(), Some("\\d+"));
    }

    #[test]
    fn logical_lines_know_their_indentation() {
        let module = module("class A(\n  B):\n    x: int = 1\n    def f(self):\n        pass\ny = 2\n");
        let lines: Vec<(&str, usize)> =
            module.lines().map(|at| (module.text(at), module.tokens[at].indent)).collect();
        assert_eq!(lines, [("class", 0), ("x", 4), ("def", 4), ("pass", 8), ("y", 0)]);
        let (name, value) = module.assignments().next().unwrap();
        assert_eq!((module.text(name), module.text(value)), ("y", "2"));
    }

    #[test]
    fn imports_say_what_a_name_stands_for() {
        let module =
            module("import os.path, numpy as np\nfrom .a import (b as c,\n  d)\nfrom flask import Flask\n");
        assert_eq!(module.full_name("np.x"), "numpy.x");
        assert_eq!(module.full_name("c"), ".a.b");
        assert_eq!(module.full_name("d.e"), ".a.d.e");
        assert_eq!(module.full_name("Flask"), "flask.Flask");
        assert_eq!(module.full_name("os.environ"), "os.environ");
    }

    #[test]
    fn arguments_have_keywords_and_ends() {
        let module = module("f(a, b=[1, 2], *c, d=g(x, y))");
        let arguments = module.arguments(1);
        let names: Vec<Option<&str>> = arguments.iter().map(|argument| argument.name).collect();
        assert_eq!(names, [None, Some("b"), None, Some("d")]);
        assert_eq!(module.text(module.keyword(1, "d").unwrap().at), "g");
    }

    #[test]
    fn nothing_panics_on_broken_text() {
        for text in [
            "'",
            "f'{",
            "f'{'",
            "\"\"\"",
            "a.b(",
            "\u{feff}é('\\",
            "}{)",
            &"f'{".repeat(500),
            "r'",
            "f'}'",
            "\\",
        ] {
            let module = module(text);
            for at in 0..=module.tokens.len() {
                let _ = (module.string(at), module.arguments(at), module.dotted(at));
            }
        }
    }
}
