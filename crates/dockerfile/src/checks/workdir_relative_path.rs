//! A relative WORKDIR depends on the base image's, which may change.
use super::{Location, Rule, Sink};
use crate::{Word, quote::quote};

pub(super) const RULE: Rule = Rule::new(
    "WorkdirRelativePath",
    "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base \
     image changes",
    "https://docs.docker.com/go/dockerfile/rule/workdir-relative-path/",
);

/// `is_set` tells whether this Dockerfile set a WORKDIR before; mending the first mends all.
pub(super) fn check(path: &Word, is_set: bool, windows: bool, place: Location<'_>, sink: &mut Sink) {
    let drive = |path: &str| path.as_bytes().get(1) == Some(&b':');
    let absolute =
        path.text.starts_with('/') || (windows && (path.text.starts_with('\\') || drive(&path.text)));
    if !is_set && !absolute {
        let detail = format!(
            "Relative workdir {} can have unexpected results if the base image changes",
            quote(&path.text)
        );
        sink.report(&RULE, place.at(path.span), detail);
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn only_the_first_relative_path_is_found() {
        assert_eq!(
            findings(
                "FROM scratch\nWORKDIR app\nWORKDIR src\nFROM scratch AS a\nWORKDIR /a\nFROM a\nWORKDIR b\n"
            ),
            [
                "2 WorkdirRelativePath: Relative workdir \"app\" can have unexpected results if the base image changes"
            ]
        );
    }
}
