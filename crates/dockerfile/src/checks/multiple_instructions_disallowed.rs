//! Of several CMD, ENTRYPOINT or HEALTHCHECK in a stage only the last counts; the others mislead.
use super::{Location, Rule, Sink};

pub(super) const RULE: Rule = Rule::new(
    "MultipleInstructionsDisallowed",
    "Multiple instructions of the same type should not be used in the same stage",
    "https://docs.docker.com/go/dockerfile/rule/multiple-instructions-disallowed/",
);

/// `previous` is where the stage last had this instruction: the one that is lost.
pub(super) fn check<'a>(
    keyword: &str,
    previous: &mut Option<Location<'a>>,
    place: Location<'a>,
    sink: &mut Sink,
) {
    if let Some(lost) = previous.replace(place) {
        let detail = format!(
            "Multiple {keyword} instructions should not be used in the same stage because only the last one will be used"
        );
        sink.report(&RULE, lost, detail);
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn all_but_the_last_are_found_in_each_stage() {
        let text = "FROM scratch AS a\nCMD [\"a\"]\nCMD [\"b\"]\nCMD [\"c\"]\nFROM a\nCMD [\"d\"]\n";
        let lines: Vec<_> = findings(text).iter().map(|found| found[..1].to_owned()).collect();
        assert_eq!(lines, ["2", "3"]);
    }
}
