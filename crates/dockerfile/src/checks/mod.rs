//! BuildKit's build checks: what `docker build --check` reports, with the same names, texts and lines.
//!
//! In: a Dockerfile's text and what the build would be given ([`CheckOptions`]). Out: findings in BuildKit's order,
//! and the error that would stop the build. A rule is one file; [`RULES`] lists them all.
mod config;
mod image_name;
mod run;

mod consistent_instruction_casing;
mod copy_ignored_file;
mod duplicate_stage_name;
mod expose_invalid_format;
mod expose_proto_casing;
mod from_as_casing;
mod from_platform_flag_const_disallowed;
mod invalid_base_image_platform;
mod invalid_default_arg_in_from;
mod invalid_definition_description;
mod json_args_recommended;
mod legacy_key_value_format;
mod maintainer_deprecated;
mod multiple_instructions_disallowed;
mod no_empty_continuation;
mod redundant_target_platform;
mod reserved_stage_name;
mod secrets_used_in_arg_or_env;
mod stage_name_casing;
mod undefined_arg_in_from;
mod undefined_var;
mod workdir_relative_path;

use plimsoll_source::{Diagnostic, RuleInfo, Severity, Source, Span};

pub use config::{CheckConfig, ConfigError, Selection};
pub use run::check;
pub use secrets_used_in_arg_or_env::names_a_secret;

use crate::{BuildInputs, Lines, Platform, Stage, Statement, Word, dockerignore::Matcher, syntax::Node};

/// All rules, by name.
pub const RULES: [&Rule; 22] = [
    &consistent_instruction_casing::RULE,
    &copy_ignored_file::RULE,
    &duplicate_stage_name::RULE,
    &expose_invalid_format::RULE,
    &expose_proto_casing::RULE,
    &from_as_casing::RULE,
    &from_platform_flag_const_disallowed::RULE,
    &invalid_base_image_platform::RULE,
    &invalid_default_arg_in_from::RULE,
    &invalid_definition_description::RULE,
    &json_args_recommended::RULE,
    &legacy_key_value_format::RULE,
    &maintainer_deprecated::RULE,
    &multiple_instructions_disallowed::RULE,
    &no_empty_continuation::RULE,
    &redundant_target_platform::RULE,
    &reserved_stage_name::RULE,
    &secrets_used_in_arg_or_env::RULE,
    &stage_name_casing::RULE,
    &undefined_arg_in_from::RULE,
    &undefined_var::RULE,
    &workdir_relative_path::RULE,
];

/// What a rule is called and about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// BuildKit's name, as in `# check=skip=NAME`.
    pub name: &'static str,
    /// What the rule asks for, one sentence.
    pub description: &'static str,
    /// The page of Docker's documentation; empty when there is none.
    pub url: &'static str,
    /// Runs only when `experimental=` asks for it.
    pub experimental: bool,
}

impl Rule {
    /// A rule that always runs.
    const fn new(name: &'static str, description: &'static str, url: &'static str) -> Self {
        Self { name, description, url, experimental: false }
    }

    /// What findings say of it.
    pub const fn info(&self) -> RuleInfo {
        RuleInfo { id: self.name, summary: self.description, url: self.url }
    }
}

/// One place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule that is broken.
    pub rule: &'static Rule,
    /// What is wrong at this place, in BuildKit's words.
    pub detail: String,
    /// The line that BuildKit names, from 1.
    pub line: usize,
    /// The instruction, or the part of it that is meant.
    pub span: Span,
}

impl Finding {
    /// The finding in the language that all findings share.
    pub fn finding(&self, source: &Source) -> plimsoll_source::Finding {
        plimsoll_source::Finding::new(self.rule.info(), Severity::Warning, &self.detail)
            .place(source, self.span, "")
    }

    /// The finding as a message.
    pub fn diagnostic(&self, source: &Source) -> Diagnostic {
        Diagnostic::from(&self.finding(source))
    }
}

/// What is known of a base image without being part of the Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseImage {
    /// The variables of the image's configuration.
    pub env: Vec<(String, String)>,
    /// Its SHELL, if the image has one of its own.
    pub shell: Vec<String>,
    /// The platform that the image is for.
    pub platform: Option<Platform>,
}

/// Looks a base image up by the name in FROM; `None` when nothing is known of it.
pub type Images<'a> = dyn Fn(&str) -> Option<BaseImage> + 'a;

/// What the checks are to know of the build.
pub struct CheckOptions<'a> {
    /// Build arguments, platforms and target.
    pub inputs: BuildInputs,
    /// Checks all stages, not only those that the target needs.
    pub all_stages: bool,
    /// Options that replace the file's `# check=` (BuildKit: the build argument `BUILDKIT_DOCKERFILE_CHECK`).
    pub config: Option<&'a str>,
    /// The .dockerignore of the context.
    pub dockerignore: Option<&'a Matcher>,
    /// Base images. Where one is not known, its variables are not known either, and UndefinedVar says nothing about
    /// the stages on it.
    pub images: &'a Images<'a>,
    /// Whether a named context takes the place of the stage of this name; [`Self::images`] knows it by that name then.
    pub replaced: &'a dyn Fn(&str) -> bool,
}

impl Default for CheckOptions<'_> {
    fn default() -> Self {
        Self {
            inputs: BuildInputs::default(),
            all_stages: true,
            config: None,
            dockerignore: None,
            images: &|_| None,
            replaced: &|_| false,
        }
    }
}

/// The findings of all rules, and the error that would stop a build.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Broken rules, in BuildKit's order.
    pub findings: Vec<Finding>,
    /// What stops the build.
    pub error: Option<BuildError>,
}

/// An error that stops the build before it starts.
#[derive(Clone, Debug)]
pub struct BuildError {
    /// BuildKit's text.
    pub message: String,
    /// The same with its place.
    pub diagnostic: Diagnostic,
}

/// Where a finding is reported.
#[derive(Clone, Copy, Debug)]
struct Location<'a> {
    span: Span,
    line: usize,
    /// The comments above, which may switch rules off.
    comments: &'a [Word],
}

impl<'a> Location<'a> {
    fn new(span: Span, lines: Lines, comments: &'a [Word]) -> Self {
        Self { span, line: lines.first, comments }
    }

    /// The same with a narrower mark.
    fn at(self, span: Span) -> Self {
        Self { span, ..self }
    }
}

impl<'a> From<&'a Node> for Location<'a> {
    fn from(node: &'a Node) -> Self {
        Self::new(node.span, node.lines, &node.comments)
    }
}

impl<'a> From<&'a Stage> for Location<'a> {
    fn from(stage: &'a Stage) -> Self {
        Self::new(stage.span, stage.lines, &stage.comments)
    }
}

impl<'a, T> From<&'a Statement<T>> for Location<'a> {
    fn from(statement: &'a Statement<T>) -> Self {
        Self::new(statement.span, statement.lines, &statement.comments)
    }
}

/// Collects findings of rules that are switched on.
struct Sink {
    config: CheckConfig,
    findings: Vec<Finding>,
}

/// More findings than this are dropped.
const MAX_FINDINGS: usize = 10_000;

impl Sink {
    fn is_full(&self) -> bool {
        self.findings.len() >= MAX_FINDINGS
    }

    fn report(&mut self, rule: &'static Rule, place: Location<'_>, detail: impl Into<String>) {
        if self.is_full() {
            return;
        }
        let enabled = match CheckConfig::from_comments(place.comments) {
            Some(own) => self.config.merged(own).runs(rule),
            None => self.config.runs(rule),
        };
        if enabled {
            self.findings.push(Finding { rule, detail: detail.into(), line: place.line, span: place.span });
        }
    }
}

/// The findings in `text` as `LINE RULE: DETAIL`; what is known of images is that they have nothing but a PATH.
#[cfg(test)]
fn findings(text: &str) -> Vec<String> {
    let images = |_: &str| Some(BaseImage::default());
    let options = CheckOptions { images: &images, ..CheckOptions::default() };
    let report = check(&Source::new("Dockerfile", text), &options);
    assert!(report.error.is_none(), "{:?}", report.error);
    report
        .findings
        .iter()
        .map(|found| format!("{} {}: {}", found.line, found.rule.name, found.detail))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unique() {
        assert!(RULES.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn findings_become_messages() {
        let source = Source::new("Dockerfile", "FROM scratch\nMAINTAINER me\n");
        let report = check(&source, &CheckOptions::default());
        let message = report.findings[0].diagnostic(&source);
        assert_eq!(message.code, Some("MaintainerDeprecated"));
        assert_eq!(source.slice(message.labels[0].span), "MAINTAINER me");
    }
}
