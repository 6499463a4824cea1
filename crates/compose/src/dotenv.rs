//! Files of environment variables: Compose's own format and the raw one.

use indexmap::IndexMap;
use plimsoll_source::Span;
use thiserror::Error;

use crate::interpolate::substitute;

/// Variables in the order of the file.
pub type Variables = IndexMap<String, String>;

/// What the variables of all files may take, in bytes.
const MAX_TOTAL: usize = 16 << 20;

/// Why a file of variables could not be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {problem}")]
pub struct DotenvError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
    /// Where, in the text as it was given.
    pub span: Span,
}

/// A piece of a file of variables, with its place in the text as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned {
    /// What the piece means: without quotes, escapes replaced, variables substituted.
    pub text: String,
    /// The piece as it is written; quotes are part of it.
    pub span: Span,
}

/// One statement of a file of variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The name of the variable, without `export`.
    pub key: Spanned,
    /// Its value; none for a bare `KEY`, which has it from outside.
    pub value: Option<Spanned>,
}

/// Reads `KEY=value` lines into `out`, later ones winning.
///
/// Quotes, escapes in double quotes, `export`, `KEY: value`, comments behind ` #`, values over several lines in quotes,
/// and substitution: `lookup` wins over what the file itself says. A bare `KEY` is what `lookup` gives, if anything.
pub fn parse<'v>(
    text: &str,
    out: &mut Variables,
    lookup: &dyn Fn(&str) -> Option<&'v str>,
) -> Result<(), DotenvError> {
    each(text, out, lookup, &mut |_, _| {})
}

/// Reads as [`parse`] does, and gives every statement of `text` in order, with its places.
///
/// Line ends keep their length: a span counts `\r\n` as two bytes, while a value over several lines has `\n` in it.
pub fn statements<'v>(
    text: &str,
    out: &mut Variables,
    lookup: &dyn Fn(&str) -> Option<&'v str>,
) -> Result<Vec<Statement>, DotenvError> {
    let mut found = Vec::new();
    let piece = |(text, span): Piece<'_>| Spanned { text: text.to_owned(), span };
    each(text, out, lookup, &mut |key, value| {
        found.push(Statement { key: piece(key), value: value.map(piece) });
    })?;
    Ok(found)
}

/// What a piece means, and where it is written.
type Piece<'t> = (&'t str, Span);

/// Hands every key and value to `seen`, on the way into `out`.
fn each<'v>(
    text: &str,
    out: &mut Variables,
    lookup: &dyn Fn(&str) -> Option<&'v str>,
    seen: &mut dyn FnMut(Piece<'_>, Option<Piece<'_>>),
) -> Result<(), DotenvError> {
    let (text, places) = Places::of(text);
    let mut reader = Reader { text: &text, rest: &text, places: &places };
    let mut bytes: usize = out.iter().map(|(key, value)| key.len() + value.len()).sum();
    while let Some(()) = reader.skip_to_statement() {
        let Key { name: key, span: key_span, inherited } = reader.key()?;
        if inherited {
            seen((&key, key_span), None);
            if let Some(value) = lookup(&key) {
                out.insert(key, value.to_owned());
            }
            continue;
        }
        let before = reader.rest;
        let (value, span) = reader.value(out, lookup)?;
        bytes += key.len() + value.len();
        if bytes > MAX_TOTAL {
            reader.rest = before;
            let problem = format!("`{key}` makes the variables longer than {MAX_TOTAL} bytes in all");
            return Err(reader.error(span, problem));
        }
        seen((&key, key_span), Some((&value, span)));
        out.insert(key, value);
    }
    Ok(())
}

/// Reads lines of `KEY=value` as they are: no quotes, no escapes, no substitution.
pub fn parse_raw<'v>(
    text: &str,
    out: &mut Variables,
    lookup: &dyn Fn(&str) -> Option<&'v str>,
) -> Result<(), DotenvError> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut end = text.len() - body.len();
    for (at, whole) in body.split_inclusive('\n').enumerate() {
        end += whole.len();
        let line = whole.strip_suffix('\n').map_or(whole, |line| line.strip_suffix('\r').unwrap_or(line));
        let start = end - whole.len() + line.len() - line.trim_start().len();
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').map_or((line, None), |(key, value)| (key, Some(value)));
        if key.is_empty() || key.contains(char::is_whitespace) {
            let problem = format!("`{key}` is not a variable's name");
            return Err(DotenvError { line: at + 1, problem, span: Span::new(start, start + key.len()) });
        }
        if let Some(value) = value.or_else(|| lookup(key)) {
            out.insert(key.to_owned(), value.to_owned());
        }
    }
    Ok(())
}

/// Where places of the text that is read are in the text that was given.
struct Places {
    /// The length of the byte order mark that was left out.
    mark: usize,
    /// The line feeds, by their place in the text that is read, whose carriage return was left out.
    shortened: Vec<usize>,
}

impl Places {
    /// The text to read, with plain line ends and no byte order mark.
    fn of(given: &str) -> (String, Self) {
        let body = given.strip_prefix('\u{feff}').unwrap_or(given);
        let shortened = body.match_indices("\r\n").enumerate().map(|(before, (at, _))| at - before).collect();
        (body.replace("\r\n", "\n"), Self { mark: given.len() - body.len(), shortened })
    }

    fn given(&self, at: usize) -> usize {
        self.mark + at + self.shortened.partition_point(|&line_feed| line_feed < at)
    }
}

struct Key {
    name: String,
    span: Span,
    /// Whether there is no value behind it.
    inherited: bool,
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    places: &'a Places,
}

impl Reader<'_> {
    fn error(&self, span: Span, problem: impl Into<String>) -> DotenvError {
        let before = &self.text[..self.text.len() - self.rest.len()];
        DotenvError { line: before.matches('\n').count() + 1, problem: problem.into(), span }
    }

    /// The place of the bytes from `start` to `end` of what is left.
    fn span(&self, start: usize, end: usize) -> Span {
        let at = self.text.len() - self.rest.len();
        Span::new(self.places.given(at + start), self.places.given(at + end))
    }

    fn skip_to_statement(&mut self) -> Option<()> {
        loop {
            self.rest = self.rest.trim_start();
            if !self.rest.starts_with('#') {
                return (!self.rest.is_empty()).then_some(());
            }
            self.rest = self.rest.split_once('\n')?.1;
        }
    }

    /// Leaves the reader at the value.
    fn key(&mut self) -> Result<Key, DotenvError> {
        if let Some(behind) = self.rest.strip_prefix("export").filter(|behind| behind.starts_with(is_blank)) {
            self.rest = behind.trim_start_matches(is_blank);
        }
        let mut end = self.rest.len();
        let mut inherited = true;
        for (at, next) in self.rest.char_indices() {
            match next {
                '=' | ':' | '\n' => {
                    end = at;
                    inherited = next == '\n';
                    break;
                }
                '_' | '.' | '-' | '[' | ']' => {}
                _ if is_blank(next) || next.is_alphanumeric() => {}
                _ => {
                    let line = self.rest.lines().next().unwrap_or_default();
                    let problem = format!("unexpected character `{next}` in variable name `{line}`");
                    return Err(self.error(self.span(at, at + next.len_utf8()), problem));
                }
            }
        }
        let key = self.rest[..end].trim_end();
        let span = self.span(0, key.len());
        if key.contains(' ') {
            return Err(self.error(span, "a variable's name cannot contain a space"));
        }
        let name = key.to_owned();
        let behind = self.rest.get(end + 1..).unwrap_or_default();
        self.rest = behind.trim_start_matches(is_blank);
        Ok(Key { name, span, inherited })
    }

    /// The value and its place.
    fn value<'v>(
        &mut self,
        known: &Variables,
        lookup: &dyn Fn(&str) -> Option<&'v str>,
    ) -> Result<(String, Span), DotenvError> {
        let Some(quote @ ('"' | '\'')) = self.rest.chars().next() else {
            let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
            let value = line.split_once(" #").map_or(line, |(value, _)| value).trim_end();
            let span = self.span(0, value.len());
            let value = self.expand(value, span, known, lookup)?;
            self.rest = rest;
            return Ok((value, span));
        };
        let mut raw = String::new();
        let mut escaped = false;
        for (at, next) in self.rest.char_indices().skip(1) {
            if next == quote && !escaped {
                let span = self.span(0, at + 1);
                let value = if quote == '"' {
                    self.expand(&unescape(&raw), span, known, lookup)?
                } else {
                    std::mem::take(&mut raw)
                };
                self.rest = &self.rest[at + 1..];
                return Ok((value, span));
            }
            if next == '\\' && !escaped {
                escaped = true;
                continue;
            }
            if escaped && next != quote {
                raw.push('\\');
            }
            escaped = false;
            raw.push(next);
        }
        let line = self.rest.lines().next().unwrap_or_default();
        Err(self.error(self.span(0, line.len()), format!("unterminated quoted value {line}")))
    }

    /// `lookup` wins over what the file itself says.
    fn expand<'k, 'v: 'k>(
        &self,
        value: &str,
        span: Span,
        known: &'k Variables,
        lookup: &dyn Fn(&str) -> Option<&'v str>,
    ) -> Result<String, DotenvError> {
        if !value.contains('$') {
            return Ok(value.to_owned());
        }
        let both = |name: &str| -> Option<&'k str> {
            let outer: Option<&'k str> = lookup(name);
            outer.or_else(|| known.get(name).map(String::as_str))
        };
        substitute(value, &both, &mut |_| {}).map_err(|error| self.error(span, error.to_string()))
    }
}

fn is_blank(next: char) -> bool {
    next.is_whitespace() && next != '\n'
}

/// The escapes of double quotes; `\$` becomes `$$`, which substitution turns into `$`.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let mut length = 1;
        match behind.as_bytes().first() {
            Some(b'a') => out.push('\x07'),
            Some(b'b') => out.push('\x08'),
            Some(b'f') => out.push('\x0c'),
            Some(b'n') => out.push('\n'),
            Some(b'r') => out.push('\r'),
            Some(b't') => out.push('\t'),
            Some(b'v') => out.push('\x0b'),
            Some(b'"') => out.push('"'),
            Some(b'\\') => out.push('\\'),
            Some(b'$') => out.push_str("$$"),
            Some(b'0') => {
                let digits = behind[1..].bytes().take(3).take_while(u8::is_ascii_digit).count();
                length += digits;
                let octal = &behind[1..=digits];
                match u8::from_str_radix(octal, 8) {
                    Ok(byte) if digits == 3 => out.push(char::from(byte)),
                    _ => {
                        out.push('\\');
                        out.push_str(octal);
                    }
                }
            }
            _ => {
                out.push('\\');
                length = 0;
            }
        }
        rest = &behind[length..];
    }
    out.push_str(rest);
    out
}
