//! Files of environment variables: Compose's own format and the raw one.

use indexmap::IndexMap;
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
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.replace("\r\n", "\n");
    let mut reader = Reader { text: &text, rest: &text };
    let mut bytes: usize = out.iter().map(|(key, value)| key.len() + value.len()).sum();
    while let Some(()) = reader.skip_to_statement() {
        let (key, inherited) = reader.key()?;
        if inherited {
            if let Some(value) = lookup(&key) {
                out.insert(key, value.to_owned());
            }
            continue;
        }
        let before = reader.rest;
        let value = reader.value(out, lookup)?;
        bytes += key.len() + value.len();
        if bytes > MAX_TOTAL {
            reader.rest = before;
            return Err(
                reader.error(format!("`{key}` makes the variables longer than {MAX_TOTAL} bytes in all"))
            );
        }
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
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').map_or((line, None), |(key, value)| (key, Some(value)));
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(DotenvError { line: at + 1, problem: format!("`{key}` is not a variable's name") });
        }
        if let Some(value) = value.or_else(|| lookup(key)) {
            out.insert(key.to_owned(), value.to_owned());
        }
    }
    Ok(())
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Reader<'_> {
    fn error(&self, problem: impl Into<String>) -> DotenvError {
        let before = &self.text[..self.text.len() - self.rest.len()];
        DotenvError { line: before.matches('\n').count() + 1, problem: problem.into() }
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

    /// The key, and whether its value is inherited. Leaves the reader at the value.
    fn key(&mut self) -> Result<(String, bool), DotenvError> {
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
                    return Err(
                        self.error(format!("unexpected character `{next}` in variable name `{line}`"))
                    );
                }
            }
        }
        let key = self.rest[..end].trim_end();
        if key.contains(' ') {
            return Err(self.error("a variable's name cannot contain a space"));
        }
        let key = key.to_owned();
        let behind = self.rest.get(end + 1..).unwrap_or_default();
        self.rest = behind.trim_start_matches(is_blank);
        Ok((key, inherited))
    }

    fn value<'v>(
        &mut self,
        known: &Variables,
        lookup: &dyn Fn(&str) -> Option<&'v str>,
    ) -> Result<String, DotenvError> {
        let Some(quote @ ('"' | '\'')) = self.rest.chars().next() else {
            let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
            let value = line.split_once(" #").map_or(line, |(value, _)| value).trim_end();
            let value = self.expand(value, known, lookup)?;
            self.rest = rest;
            return Ok(value);
        };
        let mut raw = String::new();
        let mut escaped = false;
        for (at, next) in self.rest.char_indices().skip(1) {
            if next == quote && !escaped {
                let value = if quote == '"' {
                    self.expand(&unescape(&raw), known, lookup)?
                } else {
                    std::mem::take(&mut raw)
                };
                self.rest = &self.rest[at + 1..];
                return Ok(value);
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
        Err(self.error(format!("unterminated quoted value {line}")))
    }

    /// `lookup` wins over what the file itself says.
    fn expand<'k, 'v: 'k>(
        &self,
        value: &str,
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
        substitute(value, &both, &mut |_| {}).map_err(|error| self.error(error.to_string()))
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
