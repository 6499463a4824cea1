//! `plimsoll image size`: where an image's bytes are, and which of them nobody sees.

use std::{fmt::Write as _, process::ExitCode};

use plimsoll_image::{ImageRecord, Merged, Store, Wasted};
use serde_json::json;

use super::store;
use crate::{builds::megabytes, error::CommandError, policy::Size};

/// Files shown of those that nobody sees.
const SHOWN: usize = 10;

/// Say where an image's bytes are, and hold it to a budget
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

pub(super) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let store = store::open()?;
    let image = store::find(&store, &args.image)?;
    let rows = rows(&store, &image)?;
    let merged = Merged::read(&store, &image.layers).map_err(|error| store::store_error(&error))?;
    let (wasted, visible) = (merged.wasted(), merged.bytes());
    let over = args.budget.is_some_and(|budget| image.bytes > budget.0);
    if args.json {
        store::print_json(&json!({
            "id": image.id,
            "bytes": image.bytes,
            "visible": visible,
            "budget": args.budget.map(|budget| budget.0),
            "fits": !over,
            "layers": rows.iter().map(|row| json!({"bytes": row.bytes, "created_by": row.created_by})).collect::<Vec<_>>(),
            "wasted": wasted,
        }))?;
    } else {
        store::print(&table(&image, &rows, visible, &wasted, args.budget))?;
    }
    Ok(if over { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The layers, lowest first. History and layers are in the same order; entries without a layer are passed over.
fn rows(store: &Store, image: &ImageRecord) -> Result<Vec<Row>, CommandError> {
    let mut history = image.config.history.iter().filter(|entry| !entry.empty_layer);
    let mut rows = Vec::new();
    for id in &image.layers {
        let layer = store.require_layer(id).map_err(|error| store::store_error(&error))?;
        let created_by = history.next().and_then(|entry| entry.created_by.clone()).unwrap_or_default();
        rows.push(Row { bytes: layer.bytes, created_by });
    }
    Ok(rows)
}

fn table(image: &ImageRecord, rows: &[Row], visible: u64, wasted: &[Wasted], budget: Option<Size>) -> String {
    let mut text = String::new();
    for row in rows {
        let line = row.created_by.split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = line.chars().take(90).collect();
        let _ = writeln!(text, "{:>10}  {short}", megabytes(row.bytes));
    }
    let _ = writeln!(text, "{:>10}  in all", megabytes(image.bytes));
    let hidden: u64 = wasted.iter().map(|file| file.bytes).sum();
    if hidden > 0 {
        let _ = writeln!(
            text,
            "{:>10}  of that nobody sees: {} removed or replaced by later layers ({} are left)",
            megabytes(hidden),
            if wasted.len() == 1 { "1 file".to_owned() } else { format!("{} files", wasted.len()) },
            megabytes(visible),
        );
        for file in wasted.iter().take(SHOWN) {
            let how = if file.removed { "removed" } else { "replaced" };
            let _ = writeln!(
                text,
                "{:>10}    /{}, {how} by layer {}",
                megabytes(file.bytes),
                file.path,
                file.hidden_by + 1
            );
        }
    }
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
