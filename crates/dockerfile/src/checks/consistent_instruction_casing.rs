//! All keywords should be in upper case, or all in lower case, so that they stand out from their arguments.
use super::{Location, Rule, Sink};
use crate::{Dockerfile, Word};

pub(super) const RULE: Rule = Rule::new(
    "ConsistentInstructionCasing",
    "All commands within the Dockerfile should use the same casing (either upper or lower)",
    "https://docs.docker.com/go/dockerfile/rule/consistent-instruction-casing/",
);

/// ARGs before the first FROM do not count, as in BuildKit.
pub(super) fn check(dockerfile: &Dockerfile, sink: &mut Sink) {
    let keywords: Vec<(&Word, Location<'_>)> = dockerfile
        .stages
        .iter()
        .flat_map(|stage| {
            let statements =
                stage.instructions.iter().map(|statement| (&statement.keyword, statement.into()));
            std::iter::once((&stage.keyword, stage.into())).chain(statements)
        })
        .collect();
    let lower = keywords.iter().filter(|(word, _)| is_lower(&word.text)).count();
    let upper = keywords.iter().filter(|(word, _)| is_upper(&word.text)).count();
    for (keyword, place) in keywords {
        let text = &keyword.text;
        let (fits, casing) =
            if lower > upper { (is_lower(text), "lowercase") } else { (is_upper(text), "uppercase") };
        if !fits {
            let detail = format!("Command '{text}' should match the case of the command majority ({casing})");
            sink.report(&RULE, place.at(keyword.span), detail);
        }
    }
}

pub(super) fn is_lower(text: &str) -> bool {
    text.to_lowercase() == text
}

pub(super) fn is_upper(text: &str) -> bool {
    text.to_uppercase() == text
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn the_majority_decides_and_a_draw_is_upper_case() {
        assert_eq!(
            findings("FROM scratch\nworkdir /\n"),
            [
                "2 ConsistentInstructionCasing: Command 'workdir' should match the case of the command majority (uppercase)"
            ]
        );
        assert_eq!(findings("from scratch\nuser a\nWORKDIR /\nUser b\n").len(), 2);
        assert!(findings("arg A\nFROM scratch\nWORKDIR /\n").is_empty());
    }
}
