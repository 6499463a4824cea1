//! The proof that the build cases can fail: a step that fails, and an expectation that is wrong on purpose.

use std::{fs, os::unix, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::build::{Counts, Runner};
use crate::shell;

/// Prints what each canary did; true when both were noticed.
pub(crate) fn run(runner: &Runner, work: &Path) -> Result<bool> {
    let failing = failing_step(runner, work)?;
    println!("canary  RUN exit 7: {}", if failing { "fails with its exit code" } else { "WAS NOT NOTICED" });
    let wrong = wrong_expectation(runner, work)?;
    println!("canary  altered golden image: {}", if wrong { "reported" } else { "WAS NOT NOTICED" });
    Ok(failing && wrong)
}

fn failing_step(runner: &Runner, work: &Path) -> Result<bool> {
    let context = work.join("canary-context");
    fs::create_dir_all(&context)?;
    fs::write(context.join("Dockerfile"), "FROM canary\nRUN exit 7\n")?;
    let base = runner.cases.join("base/busybox");
    let index: Value = serde_json::from_slice(&fs::read(base.join("index.json"))?)?;
    let digest = index["manifests"][0]["digest"].as_str().context("the base has no digest")?;
    let named = format!("canary=oci-layout://{}@{digest}", base.display());
    let output = runner.build().args(["--no-cache", "--build-context", &named]).arg(&context).output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    Ok(!output.status.success() && text.contains("exit code: 7") && text.contains("Dockerfile"))
}

/// Takes a case that passed, once as it is and once with another expectation.
fn wrong_expectation(runner: &Runner, work: &Path) -> Result<bool> {
    let results: Value = serde_json::from_slice(&fs::read(runner.cases.join("cases-result.json"))?)?;
    let passed = |result: &&Value| result["why"].as_array().is_some_and(Vec::is_empty);
    let Some((folder, golden)) = results.as_array().into_iter().flatten().filter(passed).find_map(|result| {
        let folder = runner.cases.join(result["slug"].as_str()?);
        Some((folder.clone(), fs::read_to_string(folder.join("golden.json")).ok()?))
    }) else {
        bail!("no case passed, so none can be altered");
    };
    let cases = work.join("canary-cases");
    if cases.exists() {
        fs::remove_dir_all(&cases)?;
    }
    fs::create_dir_all(&cases)?;
    unix::fs::symlink(runner.cases.join("base"), cases.join("base"))?;
    // owners, set-user-id bits and extended attributes are part of a case
    shell::run(Command::new("cp").arg("-a").arg(&folder).arg(&cases))?;
    let control = runner.run(&cases)?;
    let altered = alter(&golden)?;
    let name = folder.file_name().context("a case has a name")?;
    fs::write(cases.join(name).join("golden.json"), altered)?;
    println!("the next FAIL is meant:");
    let found = runner.run(&cases)?;
    Ok(control == Counts { passed: 1, failed: 0, skipped: 0 }
        && found == Counts { passed: 0, failed: 1, skipped: 0 })
}

/// The same expectation, but for the content of one file.
fn alter(golden: &str) -> Result<String> {
    let mut golden: Value = serde_json::from_str(golden)?;
    let files = golden["fs"].as_object_mut().context("the expectation has no files")?;
    let digest = files.values_mut().find_map(|file| file.get_mut("digest"));
    let digest = digest.context("the expectation has no file with content")?;
    *digest = Value::String("0".repeat(64));
    Ok(golden.to_string())
}
