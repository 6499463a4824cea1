//! A blank line inside an instruction will end it some day.
use super::{Location, Rule, Sink};
use plimsoll_source::Span;

pub(super) const RULE: Rule = Rule::new(
    "NoEmptyContinuation",
    "Empty continuation lines will become errors in a future release",
    "https://docs.docker.com/go/dockerfile/rule/no-empty-continuation/",
);

/// BuildKit names the last line of the instruction; the mark is on the first blank line.
pub(super) fn check(empty_continuations: &[(usize, Span)], sink: &mut Sink) {
    for (line, span) in empty_continuations {
        sink.report(&RULE, Location { span: *span, line: *line, comments: &[] }, "Empty continuation line");
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn blank_lines_are_found_and_comments_are_not() {
        assert_eq!(
            findings("FROM scratch\nUSER \\\n\n# fine\n  a\n"),
            ["5 NoEmptyContinuation: Empty continuation line"]
        );
        assert!(findings("FROM scratch\nUSER \\\n# fine\n  a\n").is_empty());
    }
}
