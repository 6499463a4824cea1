//! `plimsoll image df`: what everything takes on disk.

use std::{
    collections::{BTreeMap, HashSet},
    process::ExitCode,
};

use plimsoll_image::{Digest, Part};
use plimsoll_ops::{
    Failure,
    home::home,
    sizes::megabytes,
    storage::{Row, survey},
};
use serde_json::json;

use super::store;

/// Show what layers, caches, packages and logs take on disk, and how much of it could go
///
/// The total is what `du -s` counts for the folder: allocated blocks, each file once. Reclaimable is what no named image
/// needs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Default)]
struct Sum {
    count: usize,
    bytes: u64,
    reclaimable: u64,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let (home, store) = (home()?, store::open()?);
    let images = store.image_uses()?;
    let nameless: HashSet<Digest> =
        images.iter().filter(|image| !image.named).map(|image| image.id).collect();
    let survey = survey(&home, &store, &nameless)?;
    let mut rows: BTreeMap<Row, Sum> = BTreeMap::new();
    for unit in &survey.units {
        let sum = rows.entry(unit.row).or_default();
        sum.count += usize::from(!matches!(unit.part, Some(Part::Image(_))));
        sum.bytes += unit.bytes;
        sum.reclaimable += if unit.needed { 0 } else { unit.bytes };
    }
    for (row, bytes) in &survey.rest {
        rows.entry(*row).or_default().bytes += bytes;
    }
    rows.entry(Row::Records).or_default().count = images.len();
    let reclaimable: u64 = rows.values().map(|sum| sum.reclaimable).sum();
    if args.json {
        let list: Vec<_> = rows
            .iter()
            .map(|(row, sum)| {
                json!({ "what": row.name(), "count": sum.count, "bytes": sum.bytes, "reclaimable": sum.reclaimable })
            })
            .collect();
        store::print_json(&json!({
            "home": home,
            "rows": list,
            "bytes": survey.total,
            "reclaimable": reclaimable,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!("{:<20}  {:>7}  {:>12}  {:>12}\n", "", "count", "size", "reclaimable");
    for (row, sum) in &rows {
        let count = if sum.count == 0 { String::new() } else { sum.count.to_string() };
        text.push_str(&line(row.name(), &count, sum.bytes, sum.reclaimable));
    }
    text.push_str(&line("total", "", survey.total, reclaimable));
    store::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn line(name: &str, count: &str, bytes: u64, reclaimable: u64) -> String {
    format!("{name:<20}  {count:>7}  {:>12}  {:>12}\n", megabytes(bytes), megabytes(reclaimable))
}
