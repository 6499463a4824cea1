//! A constant platform in FROM makes the image what it says and not what `--platform` asks for. It is meant when
//! the stage's name tells the platform.
use super::{Location, Rule, Sink};
use crate::{Expanded, Platform, Stage, quote::quote};

pub(super) const RULE: Rule = Rule::new(
    "FromPlatformFlagConstDisallowed",
    "FROM --platform flag should not use a constant value",
    "https://docs.docker.com/go/dockerfile/rule/from-platform-flag-const-disallowed/",
);

pub(super) fn check(stage: &Stage, expanded: &Expanded, place: Location<'_>, sink: &mut Sink) {
    if !expanded.matched.is_empty() || !expanded.unmatched.is_empty() {
        return;
    }
    let Ok(platform) = Platform::parse(&expanded.text) else { return };
    let name = stage.name.as_ref().map_or("", |name| &name.text);
    if !name.contains(&platform.os) && !name.contains(&platform.architecture) {
        let detail = format!("FROM --platform flag should not use constant value {}", quote(&expanded.text));
        sink.report(&RULE, place, detail);
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn constants_are_fine_when_the_name_says_so() {
        assert_eq!(
            findings("FROM --platform=linux/arm64 scratch AS app\n"),
            [
                "1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value \"linux/arm64\""
            ]
        );
        assert!(findings("FROM --platform=linux/arm64 scratch AS app-arm64\n").is_empty());
        assert!(findings("FROM --platform=$BUILDPLATFORM scratch\n").is_empty());
    }
}
