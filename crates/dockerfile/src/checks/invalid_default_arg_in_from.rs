//! A Dockerfile should build without `--build-arg`: the defaults of its global ARGs should make a valid base name.
use super::{Location, Rule, Sink, image_name};
use crate::{BuildInputs, Dockerfile, expand};

pub(super) const RULE: Rule = Rule::new(
    "InvalidDefaultArgInFrom",
    "Default value for global ARG results in an empty or invalid base image name",
    "https://docs.docker.com/go/dockerfile/rule/invalid-default-arg-in-from/",
);

/// An ARG that cannot be expanded ends this check: the build fails there anyway.
pub(super) fn check(dockerfile: &Dockerfile, inputs: &BuildInputs, sink: &mut Sink) {
    // Build arguments for the automatic platform arguments count, those for ARGs do not.
    let declared = |name: &String| {
        let mut names = dockerfile.meta_args.iter().flat_map(|statement| &statement.value.definitions);
        names.any(|definition| definition.name.text == *name)
    };
    let mut inputs = inputs.clone();
    inputs.build_args.retain(|name, _| !declared(name));
    let Ok(globals) = dockerfile.global_args(&inputs) else { return };
    for stage in &dockerfile.stages {
        let env = |name: &str| globals.get(name).map(str::to_owned);
        let Ok(name) = expand(&stage.from.text, &env, dockerfile.escape()) else { return };
        if !image_name::is_valid(&name.text) {
            let detail = format!(
                "Default value for ARG {} results in empty or invalid base image name",
                stage.from.text
            );
            sink.report(&RULE, Location::from(stage).at(stage.from.span), detail);
        }
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_source::Source;

    use crate::{BuildInputs, checks};

    #[test]
    fn the_defaults_alone_must_do() {
        let build_args = [("TAG".to_owned(), "20".to_owned())].into();
        let options = checks::CheckOptions {
            inputs: BuildInputs { build_args, ..BuildInputs::default() },
            ..checks::CheckOptions::default()
        };
        let found = |text| checks::check(&Source::new("Dockerfile", text), &options).findings;
        assert_eq!(
            found("ARG TAG\nFROM node:$TAG\n")[0].detail,
            "Default value for ARG node:$TAG results in empty or invalid base image name"
        );
        assert!(found("ARG TAG=22\nFROM node:$TAG\n").is_empty());
        assert!(found("ARG TAG\nFROM node:${TAG:-22}\n").is_empty());
    }
}
