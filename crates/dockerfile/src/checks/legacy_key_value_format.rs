//! `ENV key value` takes the rest of the line as the value, which surprises; `ENV key=value` does not.
use super::{Location, Rule, Sink};
use crate::KeyValue;

pub(super) const RULE: Rule = Rule::new(
    "LegacyKeyValueFormat",
    "Legacy key/value format with whitespace separator should not be used",
    "https://docs.docker.com/go/dockerfile/rule/legacy-key-value-format/",
);

pub(super) fn check(pair: &KeyValue, keyword: &str, place: Location<'_>, sink: &mut Sink) {
    if pair.legacy {
        let detail = format!(
            "\"{keyword} key=value\" should be used instead of legacy \"{keyword} key value\" format"
        );
        sink.report(&RULE, place, detail);
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn the_keyword_is_shown_as_written() {
        assert_eq!(
            findings("from scratch\nenv a b\nlabel a=b\n"),
            [
                "2 LegacyKeyValueFormat: \"env key=value\" should be used instead of legacy \"env key value\" format"
            ]
        );
    }
}
