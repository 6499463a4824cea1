//! A base image for another platform runs slowly under emulation, or not at all.
use super::{Location, Rule, Sink};
use crate::{Platform, quote::quote};

pub(super) const RULE: Rule =
    Rule::new("InvalidBaseImagePlatform", "Base image platform does not match expected target platform", "");

pub(super) fn check(
    image: &str,
    expected: &Platform,
    actual: &Platform,
    place: Location<'_>,
    sink: &mut Sink,
) {
    let (expected, actual) = (expected.normalised(), actual.normalised());
    if expected.os != actual.os || expected.architecture != actual.architecture {
        let (expected, actual) = (quote(&expected.to_string()), quote(&actual.to_string()));
        let detail = format!(
            "Base image {image} was pulled with platform {actual}, expected {expected} for current build"
        );
        sink.report(&RULE, place, detail);
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_source::Source;

    use crate::{BuildInputs, Platform, checks};

    #[test]
    fn only_system_and_architecture_count() {
        let image = |platform: &str| checks::BaseImage {
            platform: Some(Platform::parse(platform).unwrap()),
            ..checks::BaseImage::default()
        };
        let images = |name: &str| Some(image(if name == "old" { "linux/386" } else { "linux/arm64" }));
        let inputs = BuildInputs {
            target_platform: Platform::parse("linux/arm64/v9").unwrap(),
            ..BuildInputs::default()
        };
        let options = checks::CheckOptions { inputs, images: &images, ..checks::CheckOptions::default() };
        let report = checks::check(&Source::new("Dockerfile", "FROM old\nFROM new\n"), &options);
        let details: Vec<_> = report.findings.into_iter().map(|found| found.detail).collect();
        assert_eq!(
            details,
            [
                "Base image old was pulled with platform \"linux/386\", expected \"linux/arm64/v9\" for current build"
            ]
        );
    }
}
