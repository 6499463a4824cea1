//! JSON with positions; with comments and final commas where a file may have them (tsconfig.json).
//!
//! `serde_json` knows no positions of what it read, and every fact needs the line that it stands on.

use crate::{Diagnostic, Source, Span};

const MAX_DEPTH: usize = 64;

/// A value with its place.
#[derive(Debug)]
pub struct Value {
    /// From its first to behind its last character.
    pub span: Span,
    /// The value itself.
    pub kind: Kind,
}

/// What a [`Value`] holds.
#[derive(Debug)]
pub enum Kind {
    /// `null`, a Boolean or a number, as written.
    Literal,
    /// Its text, without escapes.
    String(String),
    /// Its items, in order.
    Array(Vec<Value>),
    /// Its members as written: a key may stand there twice.
    Object(Vec<Member>),
}

/// One `"key": value`.
#[derive(Debug)]
pub struct Member {
    /// The key, without escapes.
    pub key: String,
    /// The key with its quotes.
    pub key_span: Span,
    /// What it stands for.
    pub value: Value,
}

impl Member {
    /// From the key to the end of the value.
    pub fn span(&self) -> Span {
        self.key_span.to(self.value.span)
    }
}

impl Value {
    /// The members of an object; nothing for other values.
    pub fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Object(members) => members,
            _ => &[],
        }
    }

    /// The items of an array; nothing for other values.
    pub fn items(&self) -> &[Value] {
        match &self.kind {
            Kind::Array(items) => items,
            _ => &[],
        }
    }

    /// The member of an object; of repeated keys the last one counts, as in JavaScript.
    pub fn get(&self, key: &str) -> Option<&Member> {
        self.members().iter().rev().find(|member| member.key == key)
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        matches!(self.kind, Kind::Object(_))
    }

    /// The text of a string.
    pub fn str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads one value. Comments and a comma behind the last item are accepted, as TypeScript does.
pub fn parse(source: &Source) -> Result<Value, Diagnostic> {
    read(source, false)
}

/// Reads one value as `JSON.parse` does: a comment and a comma behind the last item are errors.
pub fn parse_strict(source: &Source) -> Result<Value, Diagnostic> {
    read(source, true)
}

fn read(source: &Source, strict: bool) -> Result<Value, Diagnostic> {
    let mut reader = Reader { source, text: source.text(), at: 0, strict };
    if reader.text.starts_with('\u{feff}') {
        reader.at = '\u{feff}'.len_utf8();
    }
    let value = reader.value(0)?;
    reader.blank()?;
    if reader.at < reader.text.len() {
        return Err(reader.wrong("the value ends here"));
    }
    Ok(value)
}

struct Reader<'a> {
    source: &'a Source,
    text: &'a str,
    at: usize,
    strict: bool,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, Diagnostic> {
        self.blank()?;
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Kind::String(self.string()?),
            _ => {
                let rest = &self.text.as_bytes()[self.at..];
                let literal = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
                let length = rest.iter().take_while(|byte| literal(byte)).count();
                if length == 0 {
                    return Err(self.wrong("a value is expected here"));
                }
                self.at += length;
                Kind::Literal
            }
        };
        Ok(Value { span: Span::new(start, self.at), kind })
    }

    fn object(&mut self, depth: usize) -> Result<Kind, Diagnostic> {
        self.enter(depth)?;
        let mut members = Vec::new();
        while !self.closes(b'}')? {
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a key in double quotes is expected here"));
            }
            let start = self.at;
            let key = self.string()?;
            let key_span = Span::new(start, self.at);
            self.blank()?;
            if self.peek() != Some(b':') {
                return Err(self.wrong("a colon is expected here"));
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            members.push(Member { key, key_span, value });
            self.separator(b'}')?;
        }
        Ok(Kind::Object(members))
    }

    fn array(&mut self, depth: usize) -> Result<Kind, Diagnostic> {
        self.enter(depth)?;
        let mut items = Vec::new();
        while !self.closes(b']')? {
            items.push(self.value(depth + 1)?);
            self.separator(b']')?;
        }
        Ok(Kind::Array(items))
    }

    fn enter(&mut self, depth: usize) -> Result<(), Diagnostic> {
        if depth >= MAX_DEPTH {
            return Err(self.wrong("nested too deeply"));
        }
        self.at += 1;
        Ok(())
    }

    fn closes(&mut self, close: u8) -> Result<bool, Diagnostic> {
        self.blank()?;
        let closed = self.peek() == Some(close);
        self.at += usize::from(closed);
        Ok(closed)
    }

    /// A comma, or the closing bracket, which stays.
    fn separator(&mut self, close: u8) -> Result<(), Diagnostic> {
        self.blank()?;
        match self.peek() {
            Some(b',') => {
                let comma = self.at;
                self.at += 1;
                self.blank()?;
                if self.strict && self.peek() == Some(close) {
                    self.at = comma;
                    return Err(self.wrong("a comma before the closing bracket"));
                }
            }
            Some(byte) if byte == close => {}
            _ => return Err(self.wrong("a comma or the closing bracket is expected here")),
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, Diagnostic> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(c) = self.text[self.at..].chars().next().filter(|c| *c != '\n') else {
                return Err(self.wrong("the string does not end"));
            };
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(text),
                '\\' => text.push(self.escape()?),
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Diagnostic> {
        let escaped = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.wrong("unknown escape")),
        };
        self.at += 1;
        Ok(escaped)
    }

    fn unicode(&mut self) -> Result<char, Diagnostic> {
        let high = self.hex()?;
        let code = if (0xd800..0xdc00).contains(&high) && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            let low = self.hex()?;
            0x10000 + ((high - 0xd800) << 10) + low.wrapping_sub(0xdc00) % 0x400
        } else {
            high
        };
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32, Diagnostic> {
        let digits = self.text.get(self.at..self.at + 4);
        // A sign is no digit, though it makes a number.
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            return Err(self.wrong("four hexadecimal digits are expected here"));
        };
        self.at += 4;
        Ok(code)
    }

    /// Skips white space and comments.
    fn blank(&mut self) -> Result<(), Diagnostic> {
        loop {
            let rest = &self.text[self.at..];
            if self.strict && rest.starts_with('/') {
                return Err(self.wrong("a comment, which only tsconfig.json may hold"));
            }
            if let Some(comment) = rest.strip_prefix("//") {
                self.at += 2 + comment.find('\n').unwrap_or(comment.len());
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let Some(length) = comment.find("*/") else {
                    return Err(self.wrong("the comment does not end"));
                };
                self.at += 2 + length + 2;
            } else if self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
                self.at += 1;
            } else {
                return Ok(());
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong(&self, what: &str) -> Diagnostic {
        let end = self.text[self.at..].chars().next().map_or(self.at, |c| self.at + c.len_utf8());
        Diagnostic::error("not valid JSON").label(self.source, Span::new(self.at, end), what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, Diagnostic> {
        parse(&Source::new("t.json", text))
    }

    #[test]
    fn every_value_knows_where_it_stands() {
        let text =
            "{\n  \"scripts\": {\n    \"start\": \"node \\\"a\\\"\"\n  },\n  \"n\": [1, true, null]\n}\n";
        let source = Source::new("package.json", text);
        let value = parse(&source).unwrap();
        let start = value.get("scripts").unwrap().value.get("start").unwrap();
        assert_eq!(start.value.str(), Some("node \"a\""));
        assert_eq!(source.line_col(start.key_span.start).line, 3);
        assert_eq!(source.slice(start.value.span), "\"node \\\"a\\\"\"");
        assert_eq!(value.get("n").unwrap().value.items().len(), 3);
    }

    #[test]
    fn comments_and_final_commas_are_read_as_typescript_does() {
        let value = read("// c\n{ \"a\": [1, /* x */ 2,], }\n").unwrap();
        assert_eq!(value.get("a").unwrap().value.items().len(), 2);
    }

    #[test]
    fn package_json_may_hold_neither_comments_nor_final_commas() {
        for (text, at) in [("{ \"a\": 1, }", 8), ("[1, 2,\n]", 5), ("{} // x", 3), ("{ /* c */ }", 2)] {
            let error = parse_strict(&Source::new("package.json", text)).map(|_| ()).unwrap_err();
            assert_eq!(error.labels[0].span.start, at, "{text}");
        }
        assert!(parse_strict(&Source::new("package.json", "{ \"a\": \"//\", \"b\": [1, 2] }")).is_ok());
    }

    #[test]
    fn what_is_wrong_has_a_place_and_never_panics() {
        for text in [
            "",
            "{",
            "{\"a\"",
            "{\"a\":}",
            "[1 2]",
            "{} x",
            "\"\\u12",
            "\"\\u+123\"",
            "\"\\ud800\\u0041",
            "/*",
            "{a:1}",
            "\"\\é\"",
            "\"\\",
            "\"a\nb\"",
        ] {
            let error = read(text).map(|_| ()).unwrap_err();
            assert_eq!(error.labels.len(), 1, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(read(&deep).unwrap_err().labels[0].message, "nested too deeply");
        assert_eq!(read("\"\\ud83d\\ude00é\"").unwrap().str(), Some("😀é"));
    }
}
