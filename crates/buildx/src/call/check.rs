//! `--call=check`, and the same findings at the end of a build.

use std::fmt::Write as _;

use plimsoll_build::{BuildRequest, NamedContext};
use plimsoll_dockerfile::{
    Lines, Matcher, Platform,
    checks::{self, BaseImage, CheckOptions, Finding, Report},
    syntax,
};
use plimsoll_image::{ImageConfig, Reference, Store};
use plimsoll_source::{Failure, Source};
use serde::Serialize;

use super::{Answer, Asked, Location, base64, file_name, inputs, json};

/// How BuildKit's error begins when findings are to stop the build.
const VIOLATION: &str = "lint violation found for rules: ";

#[derive(Serialize)]
struct Results {
    warnings: Vec<Warning>,
    sources: [Text; 1],
    #[serde(rename = "buildError", skip_serializing_if = "Option::is_none")]
    error: Option<Error>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Warning {
    rule_name: &'static str,
    description: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    url: &'static str,
    detail: String,
    location: Location,
}

#[derive(Serialize)]
struct Text {
    filename: String,
    language: &'static str,
    data: String,
}

#[derive(Serialize)]
struct Error {
    message: String,
}

/// A finding as BuildKit's status has it.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// The rule's name.
    pub rule: &'a str,
    /// What the rule is for.
    pub description: &'a str,
    /// What is wrong here.
    pub detail: &'a str,
    /// A page about the rule; may be empty.
    pub url: &'a str,
    /// The first and the last line of the instruction.
    pub lines: (usize, usize),
}

/// The findings of one Dockerfile.
pub struct Checks {
    source: Source,
    report: Report,
}

impl Checks {
    /// Checks what the build is about to do. `image` knows the configurations of base images.
    pub fn of_build(request: &BuildRequest, image: &dyn Fn(&Reference) -> Option<ImageConfig>) -> Self {
        Self::new(request, false, image)
    }

    fn new(
        request: &BuildRequest,
        all_stages: bool,
        image: &dyn Fn(&Reference) -> Option<ImageConfig>,
    ) -> Self {
        let inputs = inputs(request);
        let config = inputs.build_args.get("BUILDKIT_DOCKERFILE_CHECK").cloned();
        // patterns that are wrong are the build's to refuse
        let ignore = request.ignore.as_ref().and_then(|text| Matcher::parse(text.text()).ok());
        let images = |name: &str| base_image(request, image, name);
        let options = CheckOptions {
            inputs,
            all_stages,
            config: config.as_deref(),
            dockerignore: ignore.as_ref(),
            images: &images,
            replaced: &|name| request.context_for(name).is_some(),
        };
        let source = request.dockerfile.clone();
        let mut report = checks::check(&source, &options);
        report.findings.sort_by_key(|finding| finding.line);
        Self { source, report }
    }

    /// The error of `# check=error=true`: these findings stop the build.
    pub fn violation(&self) -> Option<Failure> {
        let error = self.report.error.as_ref().filter(|error| error.message.starts_with(VIOLATION))?;
        Some(Failure::from(error.diagnostic.clone()))
    }

    /// The findings with their lines, as `docker buildx build` ends; nothing where there are none.
    pub fn warnings(&self) -> String {
        let findings = &self.report.findings;
        let mut text = match findings.len() {
            0 => return String::new(),
            1 => "\n 1 warning found (use --check to expand):\n".to_owned(),
            count => format!("\n {count} warnings found (use --check to expand):\n"),
        };
        for finding in findings {
            // writing to a string cannot fail
            let _ = writeln!(text, " - {}: {} (line {})", finding.rule.name, finding.detail, finding.line);
        }
        text
    }

    /// The Dockerfile.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The findings as entries of BuildKit's status.
    pub fn listed(&self) -> Vec<Listed<'_>> {
        let nodes = syntax::parse(&self.source).0.nodes;
        let entry = |finding: &'_ Finding| {
            let lines = lines(finding, &nodes);
            (lines.first, lines.last)
        };
        let findings = self.report.findings.iter();
        findings
            .map(|finding| Listed {
                rule: finding.rule.name,
                description: finding.rule.description,
                detail: &finding.detail,
                url: finding.rule.url,
                lines: entry(finding),
            })
            .collect()
    }

    /// The findings with what they are about.
    pub fn text(&self) -> String {
        let nodes = syntax::parse(&self.source).0.nodes;
        let mut text = match self.report.findings.len() {
            0 => return String::new(),
            1 => "Check complete, 1 warning has been found!\n".to_owned(),
            count => format!("Check complete, {count} warnings have been found!\n"),
        };
        for finding in &self.report.findings {
            let rule = finding.rule;
            let url = if rule.url.is_empty() { String::new() } else { format!(" - {}", rule.url) };
            let excerpt = excerpt(&self.source, lines(finding, &nodes));
            // writing to a string cannot fail
            let _ = write!(text, "\nWARNING: {}{url}\n{}\n{excerpt}", rule.name, finding.detail);
        }
        text
    }

    fn json(&self) -> Result<String, Failure> {
        let nodes = syntax::parse(&self.source).0.nodes;
        let warning = |finding: &Finding| Warning {
            rule_name: finding.rule.name,
            description: finding.rule.description,
            url: finding.rule.url,
            detail: finding.detail.clone(),
            location: Location::new(lines(finding, &nodes)),
        };
        json(&Results {
            warnings: self.report.findings.iter().map(warning).collect(),
            sources: [Text {
                filename: file_name(&self.source),
                language: "Dockerfile",
                data: base64(self.source.text().as_bytes()),
            }],
            error: self.report.error.as_ref().map(|error| Error { message: error.message.clone() }),
        })
    }
}

/// The findings, as `docker buildx build --check` prints them.
pub(super) fn call(asked: &Asked<'_>, store: &Store) -> Result<Answer, Failure> {
    let stored = |name: &Reference| store.image(name).ok().flatten().map(|record| record.config);
    let checks = Checks::new(asked.request, true, &stored);
    let error = checks.report.error.as_ref();
    let well = checks.report.findings.is_empty() && error.is_none();
    let text = match (asked.json, well) {
        (true, _) => checks.json()?,
        (false, true) => "Check complete, no warnings found.\n".to_owned(),
        (false, false) => checks.text(),
    };
    Ok(Answer {
        notes: Vec::new(),
        text,
        json: asked.json,
        problem: error.map(|error| error.diagnostic.clone()),
        is_fault: error.is_some_and(|error| !error.message.starts_with(VIOLATION)),
        well,
    })
}

fn base_image(
    request: &BuildRequest,
    image: &dyn Fn(&Reference) -> Option<ImageConfig>,
    name: &str,
) -> Option<BaseImage> {
    let context = request.context_for(name);
    let named = request.contexts.iter().find(|(given, _)| Some(given.as_str()) == context);
    let config = match named {
        Some((_, NamedContext::Image(image))) => image.image.config.clone(),
        Some((_, NamedContext::Reference(reference))) => image(reference)?,
        Some((_, NamedContext::Directory(_) | NamedContext::Lazy(_))) => ImageConfig::default(),
        None => image(&Reference::parse(name).ok()?)?,
    };
    let pairs = config.config.env.iter().filter_map(|pair| pair.split_once('='));
    Some(BaseImage {
        env: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        shell: config.config.shell.clone(),
        platform: Platform::parse(&format!("{}/{}", config.os, config.architecture)).ok(),
    })
}

/// All lines of the instruction that a finding is about.
fn lines(finding: &Finding, nodes: &[syntax::Node]) -> Lines {
    let node = nodes.iter().find(|node| node.lines.first == finding.line);
    node.map_or(Lines { first: finding.line, last: finding.line }, |node| node.lines)
}

/// The instruction with the lines around it, as BuildKit shows it.
fn excerpt(source: &Source, marked: Lines) -> String {
    let lines: Vec<&str> = source.text().split('\n').collect();
    if marked.first == 0 || marked.first > lines.len() {
        return String::new();
    }
    let (mut start, mut end) = (marked.first, marked.last.min(lines.len()));
    // BuildKit gives four lines of surroundings to a single line, else two, and counts a round as a line too
    let padding = if start == end { 4 } else { 2 };
    let mut added = 0;
    while added < padding {
        if start > 1 {
            start -= 1;
            added += 1;
        }
        if end < lines.len() {
            end += 1;
            added += 1;
        }
        added += 1;
    }
    let rule = "--------------------\n";
    let mut text = format!("{}:{}\n{rule}", file_name(source), marked.first);
    for (number, line) in (start..=end).zip(&lines[start - 1..]) {
        let mark = if (marked.first..=marked.last).contains(&number) { ">>>" } else { "   " };
        // writing to a string cannot fail
        let _ = writeln!(text, " {number:>3} | {mark} {}", line.trim_end_matches('\r'));
    }
    text + rule
}

#[cfg(test)]
mod tests {
    use super::{super::tests::request, *};

    fn checks(text: &str, all: bool) -> Checks {
        Checks::new(&request(text, None), all, &|_| None)
    }

    #[test]
    fn findings_with_an_excerpt() {
        let text = checks("FROM scratch\n\nMAINTAINER me\nCMD echo \\\n  hello\n", true).text();
        insta::assert_snapshot!(text, @r"
        Check complete, 2 warnings have been found!

        WARNING: MaintainerDeprecated - https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/
        Maintainer instruction is deprecated in favor of using label
        Dockerfile:3
        --------------------
           1 |     FROM scratch
           2 |     
           3 | >>> MAINTAINER me
           4 |     CMD echo \
           5 |       hello
        --------------------

        WARNING: JSONArgsRecommended - https://docs.docker.com/go/dockerfile/rule/json-args-recommended/
        JSON arguments recommended for CMD to prevent unintended behavior related to OS signals
        Dockerfile:4
        --------------------
           3 |     MAINTAINER me
           4 | >>> CMD echo \
           5 | >>>   hello
           6 |     
        --------------------
        ");
    }

    #[test]
    fn error_true_is_a_violation_and_nothing_else_is() {
        let file = "# check=error=true\nFROM scratch\nMAINTAINER me\n";
        assert!(checks(file, false).violation().is_some());
        assert!(checks(&file.replace("=true", "=false"), false).violation().is_none());
        assert!(checks("FROM scratch\nCOPYY a b\n", false).violation().is_none());
    }

    #[test]
    fn json_as_buildx_prints_it() {
        let value: serde_json::Value =
            serde_json::from_str(&checks("FROM scratch\nMAINTAINER me\n", true).json().unwrap()).unwrap();
        assert_eq!(value["warnings"][0]["ruleName"], "MaintainerDeprecated");
        assert_eq!(value["warnings"][0]["location"]["ranges"][0]["start"]["line"], 2);
        assert_eq!(value["sources"][0]["filename"], "Dockerfile");
    }
}
