//! A file that .dockerignore excludes is not in the context, so that copying it fails.
use super::{Location, Rule, Sink};
use crate::{
    Transfer,
    dockerignore::{Matcher, Verdict},
    path::clean,
    quote::quote,
};

pub(super) const RULE: Rule = Rule::new(
    "CopyIgnoredFile",
    "Attempting to Copy file that is excluded by .dockerignore",
    "https://docs.docker.com/go/dockerfile/rule/copy-ignored-file/",
);

/// `verb` is `Copy` or `Add`. With exceptions in .dockerignore nothing is said: an excluded directory may then hold
/// a file that is not excluded.
pub(super) fn check(
    transfer: &Transfer,
    verb: &str,
    ignore: Option<&Matcher>,
    place: Location<'_>,
    sink: &mut Sink,
) {
    let Some(ignore) = ignore.filter(|ignore| !ignore.has_exceptions()) else { return };
    for source in transfer.sources.iter().filter(|source| !is_remote(&source.text)) {
        let path = clean(&source.text);
        let is_root = path == "." || path == "/";
        let ignores_root =
            || ignore.patterns().any(|pattern| matches!(pattern.as_str(), "*" | "**" | "**/*"));
        if (!is_root || ignores_root()) && ignore.verdict(&path, &Verdict::default()).excluded {
            let detail =
                format!("Attempting to {verb} file {} that is excluded by .dockerignore", quote(&path));
            sink.report(&RULE, place.at(source.span), detail);
        }
    }
}

fn is_remote(source: &str) -> bool {
    source.contains("://") || source.starts_with("git@")
}

#[cfg(test)]
mod tests {
    use plimsoll_source::Source;

    use crate::{checks, dockerignore::Matcher};

    fn findings(ignore: &str, copy: &str) -> Vec<String> {
        let ignore = Matcher::parse(ignore).unwrap();
        let options = checks::CheckOptions { dockerignore: Some(&ignore), ..checks::CheckOptions::default() };
        let source = Source::new("Dockerfile", format!("FROM scratch\n{copy}\n"));
        checks::check(&source, &options).findings.into_iter().map(|found| found.detail).collect()
    }

    #[test]
    fn excluded_sources_are_named() {
        assert_eq!(
            findings("dist\n", "ADD ./dist/a.js src /"),
            ["Attempting to Add file \"dist/a.js\" that is excluded by .dockerignore"]
        );
        assert!(findings("dist\n", "COPY . /").is_empty());
        assert!(findings("*\n", "ADD https://example.com/a /").is_empty());
        assert!(findings("*\n!src\n", "COPY dist /").is_empty());
        assert_eq!(findings("**\n", "COPY . /").len(), 1);
    }
}
