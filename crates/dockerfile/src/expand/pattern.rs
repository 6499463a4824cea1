//! The patterns of `${v#p}` and `${v/p/r}`: `*` and `?`, no brackets; neither matches a line break.
use super::{ExpandReason, MAX_LENGTH};

/// Pattern length times value length may not exceed this: matching takes that many steps.
const MAX_WORK: usize = 1 << 27;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    Any,
    Star,
}

/// A compiled pattern.
pub(super) struct Pattern {
    tokens: Vec<Token>,
}

impl Pattern {
    /// Compiles `text`, in which escapes are still present.
    pub(super) fn parse(text: &str) -> Result<Self, ExpandReason> {
        let mut tokens = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(ch) = chars.next() {
            tokens.push(match ch {
                '*' => Token::Star,
                '?' => Token::Any,
                '\\' => match chars.next() {
                    // `}` and `/` must be escaped inside `${}`; the escape is no part of the pattern.
                    Some(next @ ('}' | '/' | '*' | '?' | '\\')) => Token::Char(next),
                    next => {
                        let escaped = next.map(String::from).unwrap_or_default();
                        return Err(ExpandReason::InvalidPattern { pattern: text.to_owned(), escaped });
                    }
                },
                _ => Token::Char(ch),
            });
        }
        Ok(Self { tokens })
    }

    /// `value` without its shortest or longest start that matches.
    pub(super) fn trim_prefix(&self, value: &str, longest: bool) -> Result<String, ExpandReason> {
        let chars: Vec<char> = value.chars().collect();
        self.check_work(chars.len())?;
        let end = match_end(&self.tokens, &chars, longest).unwrap_or(0);
        Ok(chars[end..].iter().collect())
    }

    /// `value` without its shortest or longest end that matches.
    pub(super) fn trim_suffix(&self, value: &str, longest: bool) -> Result<String, ExpandReason> {
        let chars: Vec<char> = value.chars().rev().collect();
        self.check_work(chars.len())?;
        let tokens: Vec<Token> = self.tokens.iter().rev().copied().collect();
        let end = match_end(&tokens, &chars, longest).unwrap_or(0);
        Ok(chars[end..].iter().rev().collect())
    }

    /// `value` with the first match, or all, replaced; a match is as long as it can be.
    pub(super) fn replace(&self, value: &str, replacement: &str, all: bool) -> Result<String, ExpandReason> {
        let chars: Vec<char> = value.chars().collect();
        self.check_work(chars.len() + 1)?;
        let starts = self.match_starts(&chars);
        let mut text = String::new();
        let mut at = 0;
        let mut copied = 0;
        let mut last_end = None;
        while at <= chars.len() {
            let end = if starts[at] {
                match_end(&self.tokens, &chars[at..], true).map(|len| at + len)
            } else {
                None
            };
            match end {
                // An empty match right behind the previous match does not count.
                Some(end) if end > at || last_end != Some(at) => {
                    text.extend(&chars[copied..at]);
                    text.push_str(replacement);
                    if text.len() > MAX_LENGTH {
                        return Err(ExpandReason::TooBig("long"));
                    }
                    copied = end;
                    last_end = Some(end);
                    at = end.max(at + 1);
                    if !all {
                        break;
                    }
                }
                _ => at += 1,
            }
        }
        text.extend(&chars[copied.min(chars.len())..]);
        Ok(text)
    }

    fn check_work(&self, value: usize) -> Result<(), ExpandReason> {
        if self.tokens.len().saturating_mul(value) > MAX_WORK {
            return Err(ExpandReason::TooBig("long"));
        }
        Ok(())
    }

    /// For every position of `chars`, its end included, whether a match starts there.
    fn match_starts(&self, chars: &[char]) -> Vec<bool> {
        let mut after = vec![true; chars.len() + 1];
        for token in self.tokens.iter().rev() {
            let mut before = vec![false; chars.len() + 1];
            for at in (0..=chars.len()).rev() {
                let ch = chars.get(at).copied();
                before[at] = match token {
                    Token::Char(expected) => ch == Some(*expected) && after[at + 1],
                    Token::Any => ch.is_some_and(|ch| ch != '\n') && after[at + 1],
                    Token::Star => after[at] || (ch.is_some_and(|ch| ch != '\n') && before[at + 1]),
                };
            }
            after = before;
        }
        after
    }
}

/// The length of the longest or shortest match at the start of `chars`.
///
/// The states are positions in `tokens`; with stars only, greedy backtracking ends where the longest match ends.
fn match_end(tokens: &[Token], chars: &[char], longest: bool) -> Option<usize> {
    let mut states = vec![false; tokens.len() + 1];
    states[0] = true;
    skip_stars(tokens, &mut states);
    let mut found = None;
    for at in 0..=chars.len() {
        if states[tokens.len()] {
            found = Some(at);
            if !longest {
                break;
            }
        }
        let Some(&ch) = chars.get(at) else { break };
        let mut next = vec![false; tokens.len() + 1];
        let mut alive = false;
        for (state, token) in tokens.iter().enumerate().filter(|(state, _)| states[*state]) {
            let target = match token {
                Token::Char(expected) => (ch == *expected).then_some(state + 1),
                Token::Any => (ch != '\n').then_some(state + 1),
                Token::Star => (ch != '\n').then_some(state),
            };
            if let Some(target) = target {
                next[target] = true;
                alive = true;
            }
        }
        if !alive {
            break;
        }
        skip_stars(tokens, &mut next);
        states = next;
    }
    found
}

/// A star may match nothing.
fn skip_stars(tokens: &[Token], states: &mut [bool]) {
    for (state, token) in tokens.iter().enumerate() {
        if states[state] && *token == Token::Star {
            states[state + 1] = true;
        }
    }
}
