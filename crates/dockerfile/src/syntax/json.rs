//! JSON arrays of strings: the exec form.
use super::line::Part;
use crate::Word;

/// How deep arrays and objects may nest before the text counts as no JSON.
const MAX_DEPTH: usize = 512;

/// What the arguments of an instruction are, seen as JSON.
pub(super) enum Json {
    /// An array of strings, decoded.
    Strings(Vec<Word>),
    /// A valid array with something else in it.
    OtherArray,
    /// No JSON array: the shell form.
    Not,
}

/// Reads `part` as a JSON array.
pub(super) fn parse(part: Part<'_>) -> Json {
    let mut reader = Reader { part, text: part.text(), at: 0, strings: Vec::new(), other: false };
    reader.skip_space();
    if reader.peek() != Some(b'[') || reader.value(0).is_none() {
        return Json::Not;
    }
    reader.skip_space();
    match (reader.at == reader.text.len(), reader.other) {
        (false, _) => Json::Not,
        (true, true) => Json::OtherArray,
        (true, false) => Json::Strings(reader.strings),
    }
}

struct Reader<'a> {
    part: Part<'a>,
    text: &'a str,
    at: usize,
    strings: Vec<Word>,
    /// An element that is no string was seen.
    other: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next_if(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Any value; `None` is a syntax error. The outermost array has depth 0.
    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let start = self.at;
        if depth == 1 && self.peek() != Some(b'"') {
            self.other = true;
        }
        match self.peek()? {
            b'"' => {
                let text = self.string()?;
                if depth == 1 {
                    self.strings.push(Word::new(text, self.part.sub(start, self.at).span()));
                }
                Some(())
            }
            b'[' => self.sequence(b']', |reader| reader.value(depth + 1)),
            b'{' => self.sequence(b'}', |reader| {
                reader.string()?;
                reader.skip_space();
                reader.next_if(b':')?;
                reader.skip_space();
                reader.value(depth + 1)
            }),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.number(),
        }
    }

    fn sequence(&mut self, close: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.at += 1;
        self.skip_space();
        if self.next_if(close).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            self.skip_space();
            if self.next_if(close).is_some() {
                return Some(());
            }
            self.next_if(b',')?;
            self.skip_space();
        }
    }

    fn literal(&mut self, literal: &str) -> Option<()> {
        self.text[self.at..].starts_with(literal).then(|| self.at += literal.len())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.next_if(b'-');
        if self.next_if(b'0').is_none() {
            self.digits()?;
        }
        if self.next_if(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn string(&mut self) -> Option<String> {
        self.next_if(b'"')?;
        let mut text = String::new();
        loop {
            let ch = self.text.get(self.at..)?.chars().next()?;
            self.at += ch.len_utf8();
            match ch {
                '"' => return Some(text),
                '\\' => text.push(self.escape()?),
                '\0'..='\u{1f}' => return None,
                _ => text.push(ch),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let byte = self.peek()?;
        self.at += 1;
        Some(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                let behind = self.at;
                if (0xd800..0xdc00).contains(&first) && self.literal("\\u").is_some() {
                    let second = self.hex()?;
                    if (0xdc00..0xe000).contains(&second) {
                        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                        return Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    self.at = behind;
                }
                char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::line::LogicalLine, *};

    fn read(text: &str) -> String {
        let mut line = LogicalLine::default();
        line.push(text, 0);
        match parse(line.all()) {
            Json::Strings(words) => words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join("|"),
            Json::OtherArray => "other".to_owned(),
            Json::Not => "not".to_owned(),
        }
    }

    #[test]
    fn strings_other_arrays_and_text() {
        assert_eq!(read(r#" ["a", "\u0041\ud83d\ude00\ud800"] "#), "a|A😀\u{fffd}");
        assert_eq!(read("[]"), "");
        assert_eq!(read(r#"[["a"]]"#), "other");
        assert_eq!(read(r#"["a", 1.5e3, {"b": null}]"#), "other");
        for text in [r#"["a""#, "['a']", r#"["a"] b"#, r#"["a",]"#, "[01]", r#""a""#, "[\"\t\"]", "[\"\\x\"]"]
        {
            assert_eq!(read(text), "not", "{text}");
        }
        assert_eq!(read(&"[".repeat(100_000)), "not");
    }
}
