//! BuildKit's own test data for the build checks.
use std::path::PathBuf;

use plimsoll_dockerfile::{
    BuildInputs, Platform,
    checks::{self, BaseImage, CheckOptions, Report},
    dockerignore::Matcher,
};
use plimsoll_source::Source;
use serde_json::Value;

/// The folder with the cases, or `None` with a visible reason.
fn folder() -> Option<PathBuf> {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/dockerfile");
    let folder = std::env::var_os("PLIMSOLL_CONFORMANCE").map_or(default, PathBuf::from).join("lint-cases");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no conformance data at {}; set PLIMSOLL_CONFORMANCE", folder.display());
    None
}

fn check(case: &Value, all_stages: bool) -> Report {
    let args = case["attrs"].as_object().into_iter().flatten();
    let mut inputs = BuildInputs::default();
    inputs.build_args.extend(args.filter_map(|(name, value)| {
        Some((name.strip_prefix("build-arg:")?.to_owned(), value.as_str()?.to_owned()))
    }));
    let config = inputs.build_args.get("BUILDKIT_DOCKERFILE_CHECK").cloned();
    let ignore =
        case["files"][".dockerignore"].as_str().map(|text| Matcher::parse(text).expect("a .dockerignore"));
    // The images of these cases have a PATH and nothing else that matters.
    let images = |_: &str| Some(BaseImage { platform: Some(Platform::host()), ..BaseImage::default() });
    let options = CheckOptions {
        inputs,
        all_stages,
        config: config.as_deref(),
        dockerignore: ignore.as_ref(),
        images: &images,
        replaced: &|_| false,
    };
    let text = case["files"]["Dockerfile"].as_str().expect("a Dockerfile");
    checks::check(&Source::new("Dockerfile", text), &options)
}

/// Rule, line, detail, description, address: sorted, because BuildKit's order is that of a hash map in places.
fn sorted(mut findings: Vec<[String; 5]>) -> Vec<[String; 5]> {
    findings.sort();
    findings
}

fn found(report: &Report) -> Vec<[String; 5]> {
    let row = |finding: &checks::Finding| {
        let rule = finding.rule;
        [rule.name, &finding.line.to_string(), &finding.detail, rule.description, rule.url].map(str::to_owned)
    };
    sorted(report.findings.iter().map(row).collect())
}

fn expected(warnings: &Value) -> Vec<[String; 5]> {
    let row = |warning: &Value| {
        ["RuleName", "Line", "Detail", "Description", "URL"].map(|key| match &warning[key] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    };
    sorted(warnings.as_array().into_iter().flatten().map(row).collect())
}

#[test]
fn every_case_gives_the_expected_findings_and_error() {
    let Some(folder) = folder() else { return };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    let mut failures = Vec::new();
    for path in &paths {
        let text = std::fs::read_to_string(path).expect("the case can be read");
        let case: Value = serde_json::from_str(&text).expect("the case is JSON");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let build = check(&case, false);
        if found(&build) != expected(&case["warnings"]) {
            failures.push(format!(
                "{name}: found {:#?}\nexpected {:#?}",
                found(&build),
                expected(&case["warnings"])
            ));
        }
        let all =
            if case["unmarshalWarnings"].is_null() { &case["warnings"] } else { &case["unmarshalWarnings"] };
        let lint = check(&case, true);
        if found(&lint) != expected(all) {
            failures.push(format!(
                "{name}, all stages: found {:#?}\nexpected {:#?}",
                found(&lint),
                expected(all)
            ));
        }
        let error = build.error.map(|error| error.message).unwrap_or_default();
        if error != case["buildErr"].as_str().unwrap_or_default() {
            failures.push(format!("{name}: error {error:?}, expected {}", case["buildErr"]));
        }
    }
    let wrong = paths.iter().filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        failures.iter().any(|failure| failure.starts_with(name.as_ref()))
    });
    eprintln!("lint-cases: {} of {} rows", paths.len() - wrong.count(), paths.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
