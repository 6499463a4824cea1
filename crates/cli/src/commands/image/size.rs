//! `plimsoll image size`: where an image's bytes are, which of them are wasted, and what to do about it.

use std::{fmt::Write as _, process::ExitCode};

use plimsoll_image::{
    ImageRecord, Merged, Store,
    report::{self, Finding, Package},
};
use plimsoll_ops::{Failure, policy::Size, sizes::megabytes};
use serde_json::json;

use super::store;

/// Packages shown without --json.
const SHOWN: usize = 10;
/// Layers named for each cause.
const LAYERS: usize = 3;

/// Say where an image's bytes are, which are wasted and how to save them; hold it to a budget
///
/// Exits with 1 when the image is larger than the budget.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Name or id
    image: String,
    /// Largest size (unpacked), like 150MB
    #[arg(long, value_name = "SIZE", value_parser = |text: &str| Size::try_from(text.to_owned()))]
    budget: Option<Size>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// A layer and what made it.
struct Row {
    bytes: u64,
    created_by: String,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let store = store::open()?;
    let image = store::find(&store, &args.image)?;
    let rows = rows(&store, &image)?;
    let merged = Merged::read(&store, &image.layers)?;
    let found =
        Found { visible: merged.bytes(), waste: report::waste(&merged), packages: report::packages(&merged) };
    let over = args.budget.is_some_and(|budget| image.bytes > budget.0);
    if args.json {
        let waste = found.waste.iter().map(|finding| waste_json(finding, &rows)).collect::<Vec<_>>();
        store::print_json(&json!({
            "id": image.id,
            "bytes": image.bytes,
            "visible": found.visible,
            "budget": args.budget.map(|budget| budget.0),
            "fits": !over,
            "layers": rows.iter().map(|row| json!({"bytes": row.bytes, "created_by": row.created_by})).collect::<Vec<_>>(),
            "wasted": merged.wasted(),
            "waste": waste,
            "packages": found.packages,
        }))?;
    } else {
        store::print(&table(&image, &rows, &found, args.budget))?;
    }
    Ok(if over { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// What the image holds.
struct Found {
    visible: u64,
    waste: Vec<Finding>,
    packages: Vec<Package>,
}

/// A finding, its layers with the instructions that made them.
fn waste_json(finding: &Finding, rows: &[Row]) -> serde_json::Value {
    let layers: Vec<_> = finding
        .layers
        .iter()
        .map(|share| {
            let created_by = rows.get(share.layer).map(|row| row.created_by.as_str());
            json!({"layer": share.layer, "bytes": share.bytes, "created_by": created_by})
        })
        .collect();
    json!({
        "cause": finding.cause,
        "bytes": finding.bytes,
        "files": finding.files,
        "layers": layers,
        "examples": finding.examples,
        "fix": finding.fix,
    })
}

/// The layers, lowest first. History and layers are in the same order; entries without a layer are passed over.
fn rows(store: &Store, image: &ImageRecord) -> Result<Vec<Row>, Failure> {
    let mut history = image.config.history.iter().filter(|entry| !entry.empty_layer);
    let mut rows = Vec::new();
    for id in &image.layers {
        let layer = store.require_layer(id)?;
        let created_by = history.next().and_then(|entry| entry.created_by.clone()).unwrap_or_default();
        rows.push(Row { bytes: layer.bytes, created_by });
    }
    Ok(rows)
}

fn table(image: &ImageRecord, rows: &[Row], found: &Found, budget: Option<Size>) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    for (index, row) in rows.iter().enumerate() {
        let _ = writeln!(text, "{:>10}  {:>2}  {}", megabytes(row.bytes), index + 1, short(&row.created_by));
    }
    let _ = writeln!(
        text,
        "{:>10}  in all, of which a container sees {}",
        megabytes(image.bytes),
        megabytes(found.visible)
    );
    packages(&mut text, &found.packages);
    waste(&mut text, &found.waste, rows);
    if let Some(Size(most)) = budget {
        let verdict = if image.bytes > most {
            format!("over by {}", megabytes(image.bytes - most))
        } else {
            "fits".to_owned()
        };
        let _ = writeln!(text, "{:>10}  budget: {verdict}", megabytes(most));
    }
    text
}

/// An instruction in one line.
fn short(created_by: &str) -> String {
    created_by.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(90).collect()
}

fn packages(text: &mut String, packages: &[Package]) {
    if packages.is_empty() {
        return;
    }
    let sum: u64 = packages.iter().map(|package| package.bytes).sum();
    let _ = writeln!(text, "\npackages: {}, {}", packages.len(), megabytes(sum));
    for package in packages.iter().take(SHOWN) {
        let kind = package.kind.name();
        let _ =
            writeln!(text, "{:>10}  {kind} {} {}", megabytes(package.bytes), package.name, package.version);
    }
}

fn waste(text: &mut String, findings: &[Finding], rows: &[Row]) {
    if findings.is_empty() {
        return;
    }
    let sum: u64 = findings.iter().map(|finding| finding.bytes).sum();
    let _ = writeln!(text, "\nwasted: {}", megabytes(sum));
    for finding in findings {
        let files = if finding.files == 1 { "1 file".to_owned() } else { format!("{} files", finding.files) };
        let _ = writeln!(text, "{:>10}  {}, {files}", megabytes(finding.bytes), finding.cause.title());
        for share in finding.layers.iter().take(LAYERS) {
            let created_by = rows.get(share.layer).map(|row| short(&row.created_by)).unwrap_or_default();
            let _ = writeln!(
                text,
                "{:>10}    in layer {}: {created_by}",
                megabytes(share.bytes),
                share.layer + 1
            );
        }
        let _ = writeln!(text, "              like {}", finding.examples.join(", "));
        let _ = writeln!(text, "              fix: {}", finding.fix);
    }
}
