//! `scratch` and `context` mean something already.
use super::{Location, Rule, Sink};
use crate::{Dockerfile, quote::quote};

pub(super) const RULE: Rule = Rule::new(
    "ReservedStageName",
    "Reserved words should not be used as stage names",
    "https://docs.docker.com/go/dockerfile/rule/reserved-stage-name/",
);

pub(super) fn check(dockerfile: &Dockerfile, sink: &mut Sink) {
    for stage in &dockerfile.stages {
        if let Some(name) = &stage.name
            && matches!(name.text.as_str(), "scratch" | "context")
        {
            let detail =
                format!("Stage name should not use the same name as reserved stage {}", quote(&name.text));
            sink.report(&RULE, Location::from(stage).at(name.span), detail);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn both_words_are_reserved() {
        assert_eq!(
            findings("FROM scratch AS context\n"),
            ["1 ReservedStageName: Stage name should not use the same name as reserved stage \"context\""]
        );
    }
}
