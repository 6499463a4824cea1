//! Wildcards: Go's `filepath.Match`, which COPY uses for its sources and .dockerignore for its syntax.
//!
//! `*` and `?` match anything but `/`, `[a-z]` and `[^a-z]` one character, `\` takes the next one as it is.
//! Matching takes time proportional to pattern times path, never more.

/// A pattern with a syntax error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub struct BadPattern;

/// Whether `path` has characters that mean something to [`matches()`].
pub fn has_wildcard(path: &str) -> bool {
    path.contains(['*', '?', '[', '\\'])
}

/// Whether the whole of `path` matches `pattern`.
pub fn matches(pattern: &str, path: &str) -> Result<bool, BadPattern> {
    Ok(Glob::shell(pattern)?.matches(path))
}

/// One step of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// This character.
    Char(char),
    /// One character in, or not in, these ranges; it may be a slash.
    Class { negated: bool, ranges: Vec<(char, char)> },
    /// One character but a slash.
    One,
    /// Any number of characters but slashes.
    Star,
    /// Any number of directories, or none; a [`Token::DirsLoop`] follows.
    Dirs,
    /// The inside of [`Token::Dirs`].
    DirsLoop,
    /// Everything.
    Rest,
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    pub(crate) tokens: Vec<Token>,
}

impl Glob {
    /// Compiles a pattern without `**`.
    pub(crate) fn shell(pattern: &str) -> Result<Self, BadPattern> {
        let mut chars = pattern.chars();
        let mut tokens = Vec::new();
        while let Some(ch) = chars.next() {
            match ch {
                '*' if tokens.last() == Some(&Token::Star) => {}
                '*' => tokens.push(Token::Star),
                '?' => tokens.push(Token::One),
                '[' => tokens.push(class(&mut chars)?),
                '\\' => tokens.push(Token::Char(chars.next().ok_or(BadPattern)?)),
                _ => tokens.push(Token::Char(ch)),
            }
        }
        Ok(Self { tokens })
    }

    /// Whether the whole of `path` matches.
    pub(crate) fn matches(&self, path: &str) -> bool {
        // Most patterns differ from most paths in the first character.
        if let Some(Token::Char(first)) = self.tokens.first()
            && !path.starts_with(*first)
        {
            return false;
        }
        let mut states = vec![false; self.tokens.len() + 1];
        let mut next = states.clone();
        states[0] = true;
        self.skip_empty(&mut states);
        for ch in path.chars() {
            next.fill(false);
            let mut alive = false;
            for (state, token) in self.tokens.iter().enumerate() {
                if !states[state] {
                    continue;
                }
                let (stay, step) = match token {
                    Token::Char(expected) => (false, *expected == ch),
                    Token::Class { negated, ranges } => {
                        (false, ranges.iter().any(|(low, high)| (*low..=*high).contains(&ch)) != *negated)
                    }
                    Token::One => (false, ch != '/'),
                    Token::Star => (ch != '/', false),
                    Token::Dirs => (false, false),
                    Token::DirsLoop => (ch != '\n', ch == '/'),
                    Token::Rest => (ch != '\n', false),
                };
                next[state] |= stay;
                next[state + 1] |= step;
                alive |= stay || step;
            }
            if !alive {
                return false;
            }
            self.skip_empty(&mut next);
            std::mem::swap(&mut states, &mut next);
        }
        states[self.tokens.len()]
    }

    /// Follows the steps that need no character.
    fn skip_empty(&self, states: &mut [bool]) {
        for (state, token) in self.tokens.iter().enumerate() {
            if states[state] {
                match token {
                    Token::Star | Token::Rest => states[state + 1] = true,
                    Token::Dirs => {
                        states[state + 1] = true;
                        states[state + 2] = true;
                    }
                    _ => {}
                }
            }
        }
    }
}

/// A class behind its `[`.
pub(crate) fn class(chars: &mut std::str::Chars<'_>) -> Result<Token, BadPattern> {
    let mut negated = false;
    if chars.as_str().starts_with('^') {
        chars.next();
        negated = true;
    }
    let mut ranges = Vec::new();
    loop {
        if chars.as_str().starts_with(']') && !ranges.is_empty() {
            chars.next();
            return Ok(Token::Class { negated, ranges });
        }
        let low = class_char(chars)?;
        let mut high = low;
        if chars.as_str().starts_with('-') {
            chars.next();
            high = class_char(chars)?;
        }
        ranges.push((low, high));
    }
}

fn class_char(chars: &mut std::str::Chars<'_>) -> Result<char, BadPattern> {
    let ch = match chars.next() {
        None | Some('-' | ']') => return Err(BadPattern),
        Some('\\') => chars.next().ok_or(BadPattern)?,
        Some(ch) => ch,
    };
    // A class is never closed by the end of the pattern.
    if chars.as_str().is_empty() { Err(BadPattern) } else { Ok(ch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stop_at_slashes() {
        assert_eq!(matches("*.json", "package.json"), Ok(true));
        assert_eq!(matches("*.json", "a/package.json"), Ok(false));
        assert_eq!(matches("pack*/?[a-c^]\\*", "packages/xb*"), Ok(true));
        assert_eq!(matches("", ""), Ok(true));
        assert_eq!(matches("a[", "a"), Err(BadPattern));
        assert_eq!(matches("a\\", "a"), Err(BadPattern));
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "a*".repeat(500);
        assert_eq!(matches(&pattern, &("a".repeat(499) + "b")), Ok(false));
    }
}
