//! The tokens of JavaScript and TypeScript, as far as the detectors need them: strings and comments told apart from
//! code, brackets matched. No syntax tree: a file that we read wrongly costs a fact, never an error.

pub(crate) mod component;
pub(crate) mod modules;
pub(crate) mod values;

use std::cell::OnceCell;

use plimsoll_source::{Source, Span};

use crate::tokens::{partners, token_access};

/// A script with its tokens.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) source: Source,
    pub(crate) tokens: Vec<Token>,
    /// For an opening bracket the index of its closing one.
    partner: Vec<Option<usize>>,
    /// Token and text of everything that it imports: asked for once for each package that is known.
    imported: OnceCell<Vec<(usize, String)>>,
}

/// One token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or a keyword.
    Word,
    Number,
    /// `'…'` or `"…"`.
    String,
    /// `` `…` ``
    Template,
    Regex,
    Punctuation,
}

/// Templates nest inside templates no deeper than this.
const MAX_DEPTH: usize = 16;

token_access!(Script);

impl Script {
    pub(crate) fn new(source: Source) -> Self {
        let tokens = tokens(source.text());
        let punctuation = tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Punctuation);
        let bytes = source.text().as_bytes();
        let partner = partners(tokens.len(), punctuation.map(|(at, token)| (at, bytes[token.span.start])));
        Self { source, tokens, partner, imported: OnceCell::new() }
    }

    /// The token of the text, and the text, of each `import … from "x"`, `import("x")` and `require("x")`.
    pub(crate) fn imported(&self) -> &[(usize, String)] {
        self.imported.get_or_init(|| {
            let named = (1..self.tokens.len()).filter(|&at| {
                self.is(at - 1, "from")
                    || self.is(at - 1, "import")
                    || self.is(at - 1, "(") && at > 1 && matches!(self.text(at - 2), "require" | "import")
            });
            named.filter_map(|at| Some((at, self.string(at)?))).collect()
        })
    }

    /// The value of a string, or of a template without substitutions.
    pub(crate) fn string(&self, at: usize) -> Option<String> {
        let text = self.text(at);
        match self.kind(at)? {
            Kind::String => Some(unescape(&text[1..text.len() - 1])),
            Kind::Template if !text.contains("${") => Some(unescape(&text[1..text.len() - 1])),
            _ => None,
        }
    }

    /// Behind the type arguments that begin at `at`, if any do.
    pub(crate) fn skip_type_arguments(&self, at: usize) -> usize {
        if !self.is(at, "<") {
            return at;
        }
        let mut depth = 0_usize;
        for index in at..self.tokens.len().min(at + 200) {
            match self.text(index) {
                "<" => depth += 1,
                ">" if depth == 1 => return index + 1,
                ">" => depth -= 1,
                ";" => break,
                _ => {}
            }
        }
        at
    }

    /// First tokens of the comma-separated arguments inside the brackets that open at `open`.
    pub(crate) fn arguments(&self, open: usize) -> Vec<usize> {
        let Some(close) = self.close(open) else { return Vec::new() };
        let mut starts = Vec::new();
        let mut at = open + 1;
        let mut fresh = true;
        while at < close {
            if std::mem::take(&mut fresh) {
                starts.push(at);
            }
            fresh = self.is(at, ",");
            at = self.close(at).unwrap_or(at) + 1;
        }
        starts
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let rest = &text[at..];
        let (kind, end) = match bytes[at] {
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'/' if rest.starts_with("//") => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            b'/' if rest.starts_with("/*") => {
                at += rest.find("*/").map_or(rest.len(), |length| length + 2);
                continue;
            }
            b'#' if start == 0 && rest.starts_with("#!") => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            quote @ (b'"' | b'\'') => match string_end(bytes, at, quote) {
                Some(end) => (Kind::String, end),
                None => (Kind::Punctuation, at + 1),
            },
            b'`' => match template_end(bytes, at, 0) {
                Some(end) if is_one_value(&bytes[at + 1..end - 1]) => {
                    // `${value}` is the value.
                    let inner = Span::new(at + 3, end - 2);
                    tokens.extend(self::tokens(&text[inner.range()]).into_iter().map(|token| Token {
                        span: Span::new(token.span.start + inner.start, token.span.end + inner.start),
                        ..token
                    }));
                    at = end;
                    continue;
                }
                Some(end) => (Kind::Template, end),
                None => (Kind::Punctuation, at + 1),
            },
            b'/' if regex_may_start(text, tokens.last()) => match regex_end(bytes, at) {
                Some(end) => (Kind::Regex, end),
                None => (Kind::Punctuation, at + 1),
            },
            byte if byte.is_ascii_digit() => {
                (Kind::Number, run(rest, at, |c| c.is_alphanumeric() || c == '_' || c == '.'))
            }
            _ if rest.starts_with(is_word) => (Kind::Word, run(rest, at, is_word)),
            _ => {
                let length = ["...", "=>", "??", "||", "&&", "?."]
                    .iter()
                    .find(|punctuation| rest.starts_with(**punctuation))
                    .map_or_else(
                        || rest.chars().next().map_or(1, char::len_utf8),
                        |punctuation| punctuation.len(),
                    );
                (Kind::Punctuation, at + length)
            }
        };
        tokens.push(Token { kind, span: Span::new(start, end) });
        at = end;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn run(rest: &str, at: usize, accept: impl Fn(char) -> bool) -> usize {
    at + rest.find(|c| !accept(c)).unwrap_or(rest.len())
}

/// Behind the closing quote; a string does not span lines.
fn string_end(bytes: &[u8], start: usize, quote: u8) -> Option<usize> {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\n' => return None,
            byte if byte == quote => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}

fn template_end(bytes: &[u8], start: usize, depth: usize) -> Option<usize> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut at = start + 1;
    let mut braces = 0_usize;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'`' if braces == 0 => return Some(at + 1),
            b'`' => at = template_end(bytes, at, depth + 1)? - 1,
            b'$' if braces == 0 && bytes.get(at + 1) == Some(&b'{') => {
                braces = 1;
                at += 1;
            }
            b'{' if braces > 0 => braces += 1,
            b'}' if braces > 0 => braces -= 1,
            _ => {}
        }
        at += 1;
    }
    None
}

/// Whether a template has one substitution and nothing around it.
fn is_one_value(inside: &[u8]) -> bool {
    let Some(inner) = inside.strip_prefix(b"${").and_then(|rest| rest.strip_suffix(b"}")) else {
        return false;
    };
    let mut braces = 0_usize;
    let plain = inner.iter().all(|byte| match byte {
        b'{' => {
            braces += 1;
            true
        }
        b'}' => {
            braces = braces.wrapping_sub(1);
            braces != usize::MAX
        }
        _ => true,
    });
    plain && !inner.iter().all(u8::is_ascii_whitespace)
}

/// A slash is a division behind a value and begins a regular expression elsewhere.
fn regex_may_start(text: &str, last: Option<&Token>) -> bool {
    let Some(last) = last else { return true };
    let before = &text[last.span.range()];
    match last.kind {
        Kind::Word => {
            matches!(before, "return" | "typeof" | "case" | "in" | "of" | "do" | "else" | "await" | "yield")
        }
        Kind::Punctuation => !matches!(before, ")" | "]" | "}" | "<"),
        _ => false,
    }
}

fn regex_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut class = false;
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\n' => return None,
            b'[' => class = true,
            b']' => class = false,
            b'/' if !class => {
                return Some(
                    at + 1 + bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count(),
                );
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some(escaped)) => out.push(escaped),
            (c, _) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let script = Script::new(Source::new("t.ts", text));
        (0..script.tokens.len()).map(|at| script.text(at).to_owned()).collect()
    }

    #[test]
    fn strings_comments_templates_and_regular_expressions_are_told_apart() {
        assert_eq!(words("a // 'x\n/* \" */ 'b\\'c' + d"), ["a", "'b\\'c'", "+", "d"]);
        assert_eq!(
            words("x = `a ${b ? `c` : {d: '}'}} e` ?? 1"),
            ["x", "=", "`a ${b ? `c` : {d: '}'}} e`", "??", "1"]
        );
        assert_eq!(
            words("f(`${a.b ?? 'c'}`, `${d}${e}`)"),
            ["f", "(", "a", ".", "b", "??", "'c'", ",", "`${d}${e}`", ")"]
        );
        assert_eq!(
            words("s.replace(/\\/+$/, \"\")"),
            ["s", ".", "replace", "(", "/\\/+$/", ",", "\"\"", ")"]
        );
        assert_eq!(words("a / b / c"), ["a", "/", "b", "/", "c"]);
        assert_eq!(words("<p>it's</p>\n'y'")[4..], ["'", "s", "<", "/", "p", ">", "'y'"]);
    }

    #[test]
    fn arguments_and_types_are_skipped_as_wholes() {
        let script = Script::new(Source::new("t.ts", "app.get<{ a: b<c> }>('/x', { y: [1, 2] }, f)"));
        let open = script.skip_type_arguments(3);
        assert!(script.is(open, "("));
        let arguments = script.arguments(open);
        assert_eq!(arguments.len(), 3);
        assert_eq!(script.string(arguments[0]).as_deref(), Some("/x"));
        assert_eq!(script.text(arguments[2]), "f");
    }

    #[test]
    fn nothing_panics_on_broken_text() {
        for text in ["`", "`${", "'", "/", "a.get(", "\u{feff}é('\\", "}{)", &"`${".repeat(500)] {
            let script = Script::new(Source::new("t.ts", text));
            for at in 0..=script.tokens.len() {
                let _ = (script.string(at), script.arguments(at), script.skip_type_arguments(at));
            }
        }
    }
}
