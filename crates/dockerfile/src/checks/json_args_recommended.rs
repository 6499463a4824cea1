//! A command in shell form runs under a shell that does not pass signals on, so that stopping the container takes
//! ten seconds and kills it. A SHELL of one's own says that the shell is meant.
use super::{Location, Rule, Sink};
use crate::CommandLine;

pub(super) const RULE: Rule = Rule::new(
    "JSONArgsRecommended",
    "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
    "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/",
);

pub(super) fn check(
    command: &CommandLine,
    keyword: &str,
    own_shell: bool,
    place: Location<'_>,
    sink: &mut Sink,
) {
    if !own_shell && matches!(command, CommandLine::Shell(_)) {
        let detail = format!(
            "JSON arguments recommended for {keyword} to prevent unintended behavior related to OS signals"
        );
        sink.report(&RULE, place, detail);
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn shell_forms_are_found_unless_the_shell_is_chosen() {
        assert_eq!(findings("FROM scratch\nCMD node a.js\nENTRYPOINT tini --\n").len(), 2);
        assert!(findings("FROM scratch\nSHELL [\"/bin/bash\", \"-c\"]\nCMD node a.js\n").is_empty());
        assert!(findings("FROM scratch\nCMD [\"node\"]\nHEALTHCHECK CMD true\n").is_empty());
    }
}
