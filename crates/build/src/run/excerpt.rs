//! What is shown of a failed step's output: its last lines, and before them the first ones that tell of an error. npm
//! says the cause first and forty lines of usage after it.

use std::collections::VecDeque;

/// How many of the last lines are shown.
const LAST: usize = 40;
/// How many lines that tell of an error are shown before them.
const FIRST: usize = 6;
/// A line is shown as far as this, in bytes.
const LINE: usize = 2 << 10;
/// How much of the end is kept, in bytes.
const END: usize = 16 << 10;

/// Takes the output as it comes, and keeps little of it.
#[derive(Default)]
pub(super) struct Excerpt {
    end: VecDeque<u8>,
    /// The line that has no end yet, as far as it is kept.
    line: Vec<u8>,
    errors: Vec<String>,
}

impl Excerpt {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.end.extend(&bytes[bytes.len().saturating_sub(END)..]);
        let over = self.end.len().saturating_sub(END);
        self.end.drain(..over);
        if self.errors.len() == FIRST {
            return;
        }
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE.saturating_sub(self.line.len());
            self.line.extend(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                self.take_line();
            }
        }
    }

    fn take_line(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim_end().to_owned();
        if self.errors.len() < FIRST && tells_of_error(&line) {
            self.errors.push(line);
        }
    }

    pub(super) fn lines(mut self) -> Vec<String> {
        self.take_line();
        let end: Vec<u8> = self.end.into();
        let text = String::from_utf8_lossy(&end);
        let all: Vec<&str> = text.lines().collect();
        let last = all[all.len().saturating_sub(LAST)..].iter().map(|line| (*line).to_owned());
        let last: Vec<String> = last.collect();
        let mut lines = self.errors;
        lines.retain(|line| !last.iter().any(|shown| shown.trim_end() == line));
        if !lines.is_empty() {
            lines.push("...".to_owned());
        }
        lines.extend(last);
        lines
    }
}

/// Whether a line says what went wrong: `error` or `fatal` as a word, and something besides.
fn tells_of_error(line: &str) -> bool {
    let mut words = line.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let is_error = |word: &str| {
        ["error", "err", "fatal", "failed"].iter().any(|known| word.eq_ignore_ascii_case(known))
            || word.ends_with("Error")
            || word.ends_with("Exception")
    };
    let (mut found, mut others) = (false, 0);
    for word in words.by_ref() {
        if is_error(word) {
            found = true;
        } else if !word.eq_ignore_ascii_case("npm") {
            others += 1;
        }
    }
    found && others > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(output: &str) -> Vec<String> {
        let mut excerpt = Excerpt::default();
        // As it comes: in pieces that know nothing of lines.
        for piece in output.as_bytes().chunks(7) {
            excerpt.push(piece);
        }
        excerpt.lines()
    }

    #[test]
    fn the_cause_at_the_beginning_is_shown_before_the_end() {
        let usage = "npm error   --some-option\n".replace("error", "notice").repeat(60);
        let output = format!(
            "added 1 package\nnpm error code EUSAGE\nnpm error\nnpm error Missing: shop@1.0.0 from lock file\n{usage}"
        );
        let lines = of(&output);
        assert_eq!(
            lines[..3],
            ["npm error code EUSAGE", "npm error Missing: shop@1.0.0 from lock file", "..."]
        );
        assert_eq!(lines.len(), 3 + LAST);
    }

    #[test]
    fn what_the_end_shows_is_not_shown_twice() {
        assert_eq!(of("one\nTypeError: no such thing\ntwo"), ["one", "TypeError: no such thing", "two"]);
        assert_eq!(of(""), Vec::<String>::new());
    }

    #[test]
    fn it_keeps_little_of_much() {
        let mut excerpt = Excerpt::default();
        for _ in 0..1000 {
            excerpt.push(&[b'x'; 4096]);
        }
        assert!(excerpt.end.len() <= END && excerpt.line.len() <= LINE);
        let lines = of(&"error: the same again\n".repeat(1000));
        assert_eq!(lines.len(), LAST);
    }
}
