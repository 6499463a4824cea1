//! `plimsoll image diff`: what is in one image and not in the other.

use std::{fmt::Write as _, process::ExitCode};

use plimsoll_image::report::{self, Change, Changed, ImageDiff, PackageChange};
use plimsoll_ops::{Failure, sizes::megabytes};
use serde_json::{Value, json};

use super::store;

/// Files shown without --all.
const SHOWN: usize = 40;

/// Say in which files, packages and settings two images differ
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Name or id of the first image
    before: String,
    /// Name or id of the second image
    after: String,
    /// Show every file, not only those with the most bytes
    #[arg(long)]
    all: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let store = store::open()?;
    let (before, after) = (store::find(&store, &args.before)?, store::find(&store, &args.after)?);
    let diff = report::diff(&store, &before, &after)?;
    if args.json {
        store::print_json(&json!({
            "before": {"id": before.id, "bytes": diff.bytes.0},
            "after": {"id": after.id, "bytes": diff.bytes.1},
            "files": diff.files,
            "packages": diff.packages,
            "config": diff.config,
        }))?;
    } else {
        store::print(&text(&diff, if args.all { usize::MAX } else { SHOWN }))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(diff: &ImageDiff, shown: usize) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let (before, after) = diff.bytes;
    let _ = writeln!(text, "{} -> {} ({})", megabytes(before), megabytes(after), delta(before, after));
    if !diff.config.is_empty() {
        let _ = writeln!(text, "\nconfiguration");
        for change in &diff.config {
            let _ = writeln!(text, "  {}: {} -> {}", change.key, value(&change.before), value(&change.after));
        }
    }
    if !diff.packages.is_empty() {
        let _ = writeln!(text, "\npackages");
        for package in &diff.packages {
            let _ = writeln!(text, "{}", package_line(package));
        }
    }
    if !diff.files.is_empty() {
        files(&mut text, &diff.files, shown);
    }
    text
}

fn files(text: &mut String, files: &[Changed], shown: usize) {
    let count = |change| files.iter().filter(|file| file.change == change).count();
    let _ = writeln!(
        text,
        "\nfiles: {} added, {} removed, {} changed",
        count(Change::Added),
        count(Change::Removed),
        count(Change::Changed)
    );
    let mut largest: Vec<&Changed> = files.iter().collect();
    if files.len() > shown {
        largest.sort_by_key(|file| std::cmp::Reverse(file.before.abs_diff(file.after)));
        largest.truncate(shown);
    }
    for file in largest {
        let what = if file.what.is_empty() { String::new() } else { format!(" ({})", file.what.join(", ")) };
        let _ = writeln!(
            text,
            "  {} {:>10}  {}{what}",
            sign(file.change),
            delta(file.before, file.after),
            file.path
        );
    }
    if files.len() > shown {
        let _ = writeln!(text, "  and {} more (--all)", files.len() - shown);
    }
}

fn package_line(package: &PackageChange) -> String {
    let kind = package.kind.name();
    let versions = match package.change {
        Change::Added => package.after.join(", "),
        Change::Removed => package.before.join(", "),
        Change::Changed => format!("{} -> {}", package.before.join(", "), package.after.join(", ")),
    };
    let sign_of_bytes = if package.bytes < 0 { "-" } else { "+" };
    let bytes = format!("{sign_of_bytes}{}", megabytes(package.bytes.unsigned_abs()));
    format!("  {} {bytes:>10}  {kind} {} {versions}", sign(package.change), package.name)
}

fn sign(change: Change) -> char {
    match change {
        Change::Added => '+',
        Change::Removed => '-',
        Change::Changed => '~',
    }
}

fn delta(before: u64, after: u64) -> String {
    let sign = if after < before { '-' } else { '+' };
    format!("{sign}{}", megabytes(before.abs_diff(after)))
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}
