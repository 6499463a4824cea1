//! Word expansion: quotes, escapes and `$variables`, as BuildKit's shell lexer does it (a part of POSIX's rules).
//!
//! In: one word, a lookup for variables, the escape character. Out: the word with its variables replaced and quotes
//! removed, the same split at unquoted spaces, and which variables were found. Bounds: nesting [`MAX_DEPTH`],
//! length of a result [`MAX_LENGTH`], so that `A=$A$A` repeated cannot eat the memory.
mod pattern;

use std::{collections::BTreeSet, ops::Range};

use pattern::Pattern;

/// How deep `${a:-${b:-...}}` may nest.
pub const MAX_DEPTH: usize = 64;
/// How many bytes the result of one expansion may have.
pub const MAX_LENGTH: usize = 1 << 20;

/// Looks a variable up: `None` means unset, which differs from empty for `${v-w}`, `${v+w}` and `${v?w}`.
pub type Env<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What a word expanded to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The word, variables replaced, quotes and escapes removed.
    pub text: String,
    /// The same split at spaces that are not quoted (spaces from variables count), as EXPOSE uses it.
    pub words: Vec<String>,
    /// The variables that were used and set.
    pub matched: BTreeSet<String>,
    /// The variables that were used and not set, even if a default covered for them.
    pub unmatched: BTreeSet<String>,
}

/// A word that cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to process {word:?}: {reason}")]
pub struct ExpandError {
    /// The word as it was written.
    pub word: String,
    /// What is wrong with it.
    pub reason: ExpandReason,
    /// The variables that were not set, found until then.
    pub unmatched: BTreeSet<String>,
}

impl plimsoll_source::Explain for ExpandError {}

/// Why a word cannot be expanded; BuildKit's wording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandReason {
    /// A quote without its partner; the field is its name.
    #[error("unexpected end of statement while looking for matching {0}")]
    Unterminated(&'static str),
    /// `${` without `}`.
    #[error("syntax error: missing '}}'")]
    MissingBrace,
    /// `${v/p` without the second `/`.
    #[error("syntax error: missing '/' in ${{}}")]
    MissingSlash,
    /// `${}`, `${:x}`, `${{`.
    #[error("syntax error: bad substitution")]
    BadSubstitution,
    /// `${v=w}` and others that are not supported.
    #[error("unsupported modifier ({0}) in substitution")]
    UnsupportedModifier(String),
    /// `${v?message}` with `v` unset, or `${v:?message}` with it unset or empty.
    #[error("{name}: {message}")]
    Required {
        /// The name of the variable.
        name: String,
        /// The message after `?`, or the default one.
        message: String,
    },
    /// A pattern with an escape that means nothing.
    #[error("invalid pattern ({pattern}) in substitution: invalid escape '\\{escaped}'")]
    InvalidPattern {
        /// The pattern as it was written.
        pattern: String,
        /// The character behind the backslash.
        escaped: String,
    },
    /// One of the bounds of this module.
    #[error("expansion is too {0}")]
    TooBig(&'static str),
}

/// Expands `word` as the instructions of a Dockerfile do. `escape` is [`crate::Directives::escape`].
pub fn expand(word: &str, env: &Env<'_>, escape: char) -> Result<Expanded, ExpandError> {
    Lexer { escape, ..Lexer::default() }.expand(word, env)
}

/// Expands the body of a heredoc whose delimiter is unquoted (`COPY <<EOF`): only variables and `\`; quotes stay.
pub fn expand_heredoc(content: &str, env: &Env<'_>) -> Result<Expanded, ExpandError> {
    Lexer { quotes_are_plain: true, ..Lexer::default() }.expand(content, env)
}

/// Expands only variables that are set and keeps quotes, to show a command line in progress output.
pub fn expand_for_display(text: &str, env: &Env<'_>, escape: char) -> String {
    let lexer = Lexer { escape, keep_quotes: true, keep_unset: true, ..Lexer::default() };
    lexer.expand(text, env).map_or_else(|_| text.to_owned(), |expanded| expanded.text)
}

/// The switches of an expansion.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lexer {
    pub(crate) escape: char,
    /// Quotes group, but stay in the result.
    pub(crate) keep_quotes: bool,
    /// Escapes work, but stay in the result.
    pub(crate) keep_escapes: bool,
    /// Quotes have no meaning.
    pub(crate) quotes_are_plain: bool,
    /// References to unset variables stay as they are.
    pub(crate) keep_unset: bool,
    /// Blanks behind `<<` and `<<-` do not end a word.
    pub(crate) marks_heredocs: bool,
}

impl Default for Lexer {
    fn default() -> Self {
        Self {
            escape: '\\',
            keep_quotes: false,
            keep_escapes: false,
            quotes_are_plain: false,
            keep_unset: false,
            marks_heredocs: false,
        }
    }
}

impl Lexer {
    pub(crate) fn expand(self, word: &str, env: &Env<'_>) -> Result<Expanded, ExpandError> {
        let mut run = self.start(word, env);
        match run.until(None, self.keep_escapes) {
            Ok((text, words)) => {
                let words = words.finish(word.len()).into_iter().map(|(word, _)| word).collect();
                Ok(Expanded { text, words, matched: run.matched, unmatched: run.unmatched })
            }
            Err(reason) => Err(ExpandError { word: word.to_owned(), reason, unmatched: run.unmatched }),
        }
    }

    /// Where the words of `text` stand in it, without a single variable set; none if it is no sequence of words.
    pub(crate) fn split(self, text: &str) -> Vec<Range<usize>> {
        let words = self.start(text, &|_| None).until(None, self.keep_escapes);
        words.map_or_else(
            |_| Vec::new(),
            |(_, words)| words.finish(text.len()).into_iter().map(|(_, range)| range).collect(),
        )
    }

    fn start<'a, 'e>(self, text: &'a str, env: &'a Env<'e>) -> Run<'a, 'e> {
        Run {
            lexer: self,
            text,
            at: 0,
            env,
            keep_escapes: self.keep_escapes,
            depth: 0,
            matched: BTreeSet::new(),
            unmatched: BTreeSet::new(),
        }
    }
}

/// Collects words separated by unquoted spaces, and where in the input they stand.
#[derive(Default)]
struct Words {
    done: Vec<(String, Range<usize>)>,
    word: String,
    start: usize,
    inside: bool,
}

impl Words {
    /// Adds `ch`, which comes from byte `at` of the input.
    fn push(&mut self, ch: char, at: usize) {
        if !ch.is_whitespace() {
            self.push_quoted(ch, at);
        } else if self.inside && !self.word.is_empty() {
            self.done.push((std::mem::take(&mut self.word), self.start..at));
            self.inside = false;
        }
    }

    fn push_quoted(&mut self, ch: char, at: usize) {
        self.enter(at);
        self.word.push(ch);
    }

    fn enter(&mut self, at: usize) {
        if self.word.is_empty() {
            self.start = at;
        }
        self.inside = true;
    }

    fn finish(mut self, end: usize) -> Vec<(String, Range<usize>)> {
        if !self.word.is_empty() {
            self.done.push((self.word, self.start..end));
        }
        self.done
    }
}

/// One expansion under way.
struct Run<'a, 'e> {
    lexer: Lexer,
    text: &'a str,
    /// The byte of `text` that comes next.
    at: usize,
    env: &'a Env<'e>,
    keep_escapes: bool,
    depth: usize,
    matched: BTreeSet<String>,
    unmatched: BTreeSet<String>,
}

impl Run<'_, '_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let ch = self.peek()?;
        self.at += ch.len_utf8();
        Some(ch)
    }

    fn next_if(&mut self, is: impl Fn(char) -> bool) -> Option<char> {
        if self.peek().is_some_and(is) { self.next() } else { None }
    }

    /// Reads up to the character `stop`, which is consumed, or to the end.
    fn until(&mut self, stop: Option<char>, keep_escapes: bool) -> Result<(String, Words), ExpandReason> {
        if self.depth >= MAX_DEPTH {
            return Err(ExpandReason::TooBig("deeply nested"));
        }
        self.depth += 1;
        let outer = std::mem::replace(&mut self.keep_escapes, keep_escapes);
        let result = self.scan(stop);
        self.keep_escapes = outer;
        self.depth -= 1;
        result
    }

    fn scan(&mut self, stop: Option<char>) -> Result<(String, Words), ExpandReason> {
        let mut text = String::new();
        let mut words = Words::default();
        while let Some(ch) = self.peek() {
            let start = self.at;
            if Some(ch) == stop {
                self.next();
                return Ok((text, words));
            }
            match ch {
                '$' => {
                    let value = self.dollar()?;
                    value.chars().for_each(|ch| words.push(ch, start));
                    text.push_str(&value);
                }
                '\'' | '"' if !self.lexer.quotes_are_plain => {
                    let value = if ch == '"' { self.double_quote()? } else { self.single_quote()? };
                    words.enter(start);
                    words.word.push_str(&value);
                    text.push_str(&value);
                }
                '<' if self.lexer.marks_heredocs && self.text[start..].starts_with("<<") => {
                    let mark = self.heredoc_mark();
                    mark.chars().for_each(|ch| words.push_quoted(ch, start));
                    text.push_str(mark);
                }
                _ => {
                    self.next();
                    if ch == self.lexer.escape {
                        if self.keep_escapes {
                            words.push_quoted(ch, start);
                            text.push(ch);
                        }
                        let Some(escaped) = self.next() else { break };
                        words.push_quoted(escaped, start);
                        text.push(escaped);
                    } else {
                        words.push(ch, start);
                        text.push(ch);
                    }
                }
            }
            if text.len() > MAX_LENGTH {
                return Err(ExpandReason::TooBig("long"));
            }
        }
        match stop {
            None => Ok((text, words)),
            Some('}') => Err(ExpandReason::MissingBrace),
            Some(_) => Err(ExpandReason::MissingSlash),
        }
    }

    /// `<<` or `<<-` with the blanks behind it, which belong to the word of its delimiter.
    fn heredoc_mark(&mut self) -> &str {
        let rest = &self.text[self.at..];
        let width = |rest: &str| rest.len() - rest.trim_start().len();
        let dash = usize::from(rest[2..].starts_with('-') && width(&rest[3..]) > 0);
        let mark = &rest[..2 + dash + width(&rest[2 + dash..])];
        self.at += mark.len();
        mark
    }

    fn single_quote(&mut self) -> Result<String, ExpandReason> {
        let mut text = String::new();
        text.extend(self.next().filter(|_| self.lexer.keep_quotes));
        loop {
            let ch = self.next().ok_or(ExpandReason::Unterminated("single-quote"))?;
            if ch != '\'' {
                text.push(ch);
                continue;
            }
            if self.lexer.keep_quotes {
                text.push(ch);
            }
            return Ok(text);
        }
    }

    fn double_quote(&mut self) -> Result<String, ExpandReason> {
        let mut text = String::new();
        text.extend(self.next().filter(|_| self.lexer.keep_quotes));
        while let Some(ch) = self.peek() {
            if ch == '$' {
                text.push_str(&self.dollar()?);
                if text.len() > MAX_LENGTH {
                    return Err(ExpandReason::TooBig("long"));
                }
                continue;
            }
            self.next();
            if ch == '"' {
                if self.lexer.keep_quotes {
                    text.push(ch);
                }
                return Ok(text);
            }
            if ch != self.lexer.escape {
                text.push(ch);
                continue;
            }
            if self.keep_escapes {
                text.push(ch);
            }
            match self.peek() {
                None => {}
                // Only these can be escaped inside double quotes; any other backslash is itself.
                Some(next) if next == '"' || next == '$' || next == self.lexer.escape => {
                    self.next();
                    text.push(next);
                }
                Some(_) => text.push(ch),
            }
        }
        Err(ExpandReason::Unterminated("double-quote"))
    }

    /// `$name` or `${...}`.
    fn dollar(&mut self) -> Result<String, ExpandReason> {
        self.next();
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(match self.lookup(&name) {
                None if self.lexer.keep_unset => format!("${name}"),
                value => value.unwrap_or_default(),
            });
        }
        self.next();
        match self.peek() {
            None => return Err(ExpandReason::MissingBrace),
            Some('{' | '}' | ':') => return Err(ExpandReason::BadSubstitution),
            Some(_) => {}
        }
        let name = self.name();
        match self.next() {
            Some('}') => Ok(match self.lookup(&name) {
                None if self.lexer.keep_unset => format!("${{{name}}}"),
                value => value.unwrap_or_default(),
            }),
            Some(':') => match self.next() {
                Some(modifier @ ('+' | '-' | '?')) => self.conditional(&name, modifier, true),
                modifier => Err(unsupported(":", modifier)),
            },
            Some(modifier @ ('+' | '-' | '?')) => self.conditional(&name, modifier, false),
            Some(modifier @ ('#' | '%')) => self.trim(&name, modifier),
            Some('/') => self.replace(&name),
            modifier => Err(unsupported("", modifier)),
        }
    }

    /// `${v-w}`, `${v+w}`, `${v?w}` and, with `empty_is_unset`, the forms with a colon.
    fn conditional(
        &mut self,
        name: &str,
        modifier: char,
        empty_is_unset: bool,
    ) -> Result<String, ExpandReason> {
        let (word, _) = self.until(Some('}'), false)?;
        let value = self.lookup(name);
        if value.is_none() && self.lexer.keep_unset {
            let colon = if empty_is_unset { ":" } else { "" };
            return Ok(format!("${{{name}{colon}{modifier}{word}}}"));
        }
        let was_set = value.is_some();
        let value = value.filter(|value| !empty_is_unset || !value.is_empty());
        match (modifier, value) {
            ('-', value) => Ok(value.unwrap_or(word)),
            ('+', value) => Ok(value.map(|_| word).unwrap_or_default()),
            (_, Some(value)) => Ok(value),
            (_, None) => {
                let default =
                    if was_set { "is not allowed to be empty" } else { "is not allowed to be unset" };
                let message = if word.is_empty() { default.to_owned() } else { word };
                Err(ExpandReason::Required { name: name.to_owned(), message })
            }
        }
    }

    /// `${v#p}`, `${v##p}`, `${v%p}`, `${v%%p}`.
    fn trim(&mut self, name: &str, modifier: char) -> Result<String, ExpandReason> {
        let (word, _) = self.until(Some('}'), true)?;
        let Some(value) = self.lookup(name) else {
            return Ok(if self.lexer.keep_unset {
                format!("${{{name}{modifier}{word}}}")
            } else {
                String::new()
            });
        };
        let longest = word.starts_with(modifier);
        let pattern = Pattern::parse(if longest { &word[modifier.len_utf8()..] } else { &word })?;
        if modifier == '#' {
            pattern.trim_prefix(&value, longest)
        } else {
            pattern.trim_suffix(&value, longest)
        }
    }

    /// `${v/p/r}` and `${v//p/r}`.
    fn replace(&mut self, name: &str) -> Result<String, ExpandReason> {
        let all = self.next_if(|ch| ch == '/').is_some();
        let (pattern, _) = self.until(Some('/'), true)?;
        let (replacement, _) = self.until(Some('}'), true)?;
        match self.lookup(name) {
            None if self.lexer.keep_unset => {
                let slashes = if all { "//" } else { "/" };
                Ok(format!("${{{name}{slashes}{pattern}/{replacement}}}"))
            }
            value => Pattern::parse(&pattern)?.replace(&value.unwrap_or_default(), &replacement, all),
        }
    }

    /// A variable's name, a number, or one special character.
    fn name(&mut self) -> String {
        let in_name =
            |ch: char| ch.is_ascii_alphanumeric() || ch == '_' || (!ch.is_ascii() && ch.is_alphabetic());
        let in_word: &dyn Fn(char) -> bool = match self.peek() {
            Some('0'..='9') => &|ch| ch.is_ascii_digit(),
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => {
                return self.next().map(String::from).unwrap_or_default();
            }
            _ => &in_name,
        };
        let start = self.at;
        while self.next_if(in_word).is_some() {}
        self.text[start..self.at].to_owned()
    }

    fn lookup(&mut self, name: &str) -> Option<String> {
        let value = (self.env)(name);
        let seen = if value.is_some() { &mut self.matched } else { &mut self.unmatched };
        seen.insert(name.to_owned());
        value
    }
}

fn unsupported(before: &str, modifier: Option<char>) -> ExpandReason {
    match modifier {
        None => ExpandReason::MissingBrace,
        Some(modifier) => ExpandReason::UnsupportedModifier(format!("{before}{modifier}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "A" => Some("a".to_owned()),
            "EMPTY" => Some(String::new()),
            "DOTS" => Some("a.b.c".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn unset_and_empty_differ_without_a_colon() {
        let text = |word| expand(word, &env, '\\').unwrap().text;
        assert_eq!(text("${EMPTY-x}${EMPTY:-x}${NONE-y}"), "xy");
        assert_eq!(text("${EMPTY+x}${EMPTY:+x}${NONE+y}${A:+z}"), "xz");
    }

    #[test]
    fn shortest_and_longest_patterns() {
        let text = |word| expand(word, &env, '\\').unwrap().text;
        assert_eq!(text("${DOTS#*.} ${DOTS##*.} ${DOTS%.*} ${DOTS%%.*}"), "b.c c a.b a");
        assert_eq!(text("${DOTS/./-} ${DOTS//./-} ${DOTS//?/x}"), "a-b.c a-b-c xxxxx");
    }

    #[test]
    fn the_backtick_escapes_when_it_is_told_to() {
        assert_eq!(expand("`$A \\$A", &env, '`').unwrap().text, "$A \\a");
    }

    #[test]
    fn errors_name_the_word_and_the_cause() {
        let message = |word| expand(word, &env, '\\').unwrap_err().to_string();
        insta::assert_snapshot!(message("${NONE:?give it}"), @r#"failed to process "${NONE:?give it}": NONE: give it"#);
        insta::assert_snapshot!(message("a ${A"), @r#"failed to process "a ${A": syntax error: missing '}'"#);
        insta::assert_snapshot!(message("${A=b}"), @r#"failed to process "${A=b}": unsupported modifier (=) in substitution"#);
        insta::assert_snapshot!(message("'a"), @r#"failed to process "'a": unexpected end of statement while looking for matching single-quote"#);
    }

    #[test]
    fn nesting_and_length_are_bounded() {
        let deep = "${X:-".repeat(100_000);
        assert_eq!(expand(&deep, &env, '\\').unwrap_err().reason, ExpandReason::TooBig("deeply nested"));
        let big = |_: &str| Some("x".repeat(MAX_LENGTH / 2));
        assert_eq!(expand("$B$B$B", &big, '\\').unwrap_err().reason, ExpandReason::TooBig("long"));
    }

    #[test]
    fn heredocs_keep_quotes_and_display_keeps_what_is_unset() {
        assert_eq!(expand_heredoc("'$A' \"$A\" \\$A", &env).unwrap().text, "'a' \"a\" $A");
        assert_eq!(
            expand_for_display("RUN echo \"$A\" $NONE ${NONE:-x}", &env, '\\'),
            "RUN echo \"a\" $NONE ${NONE:-x}"
        );
    }
}
