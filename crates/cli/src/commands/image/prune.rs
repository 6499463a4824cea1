//! `plimsoll image prune`: frees the room of what nothing needs.

use std::{process::ExitCode, time::SystemTime};

use plimsoll_build::Builder;
use plimsoll_ops::{
    Failure,
    home::home,
    policy::Size,
    sizes::megabytes,
    storage::{Row, Wish, evict},
};
use serde_json::json;

use super::store;

/// Remove images without a name and layers that neither an image nor the build cache needs
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also remove the layers of the build cache that no image needs, fetched sources and packages: the next build runs
    /// those steps again
    #[arg(long)]
    cache: bool,
    /// Also remove the cache mounts of RUN --mount=type=cache
    #[arg(long)]
    cache_mounts: bool,
    /// Also remove every image
    #[arg(short, long)]
    all: bool,
    /// Remove as much as it takes to bring everything to this size, the least recently used first; never what a named
    /// image needs
    #[arg(long, value_name = "SIZE", value_parser = size)]
    keep_storage: Option<Size>,
    /// `until=24h`: only what was not used since then; also a time like 2026-11-20T10:00:00Z
    #[arg(long = "filter", value_name = "until=TIME")]
    filters: Vec<String>,
    /// Remove nothing; say what would go
    #[arg(long)]
    dry_run: bool,
    /// Nobody is asked; accepted for the habit
    #[arg(short, long, hide = true)]
    force: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

fn size(text: &str) -> Result<Size, String> {
    Size::try_from(text.to_owned())
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let (home, store) = (home()?, store::open()?);
    let builder = Builder::new(&store, home.join("build"))?;
    let wish = Wish {
        images: args.all,
        cache: args.cache,
        cache_mounts: args.cache_mounts,
        keep: args.keep_storage.map(|Size(bytes)| bytes),
        before: before(&args.filters)?,
        dry_run: args.dry_run,
        cached: builder.cached_layers(),
        ..Wish::default()
    };
    let freed = evict(&home, &store, &wish)?;
    let count = |row: Row| freed.rows.get(&row).map_or(0, |(count, _)| *count);
    if args.json {
        let others: serde_json::Map<String, serde_json::Value> = freed
            .rows
            .iter()
            .map(|(row, (count, bytes))| (row.name().to_owned(), json!({ "count": count, "bytes": bytes })))
            .collect();
        store::print_json(&json!({
            "images": freed.images,
            "layers": freed.layers,
            "blobs": freed.blobs,
            "leftovers": count(Row::Unfinished),
            "rows": others,
            "bytes": freed.bytes,
            "total": freed.total,
            "dry_run": args.dry_run,
        }))?;
    } else {
        let verb = if args.dry_run { "would free" } else { "freed" };
        let mut text = format!(
            "{verb} {}: images {}, layers {}, blobs {}, leftovers {}",
            megabytes(freed.bytes),
            freed.images.len(),
            freed.layers.len(),
            freed.blobs.len(),
            count(Row::Unfinished)
        );
        for row in [Row::CacheMounts, Row::Sources, Row::Packages, Row::Logs] {
            if count(row) > 0 {
                text.push_str(&format!(", {} {}", row.name(), count(row)));
            }
        }
        store::print(&format!("{text}\n"))?;
    }
    if let Some(Size(keep)) = args.keep_storage.filter(|Size(keep)| freed.total > *keep) {
        errln!(
            "note: {} are left, more than {}: the rest is needed by images",
            megabytes(freed.total),
            megabytes(keep)
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The earliest of all times that are given.
fn before(filters: &[String]) -> Result<Option<SystemTime>, Failure> {
    let mut earliest = None;
    for filter in filters {
        let wrong = || {
            Failure::new(
                format!("cannot filter by `{filter}`"),
                "write --filter until=24h, until=7d or until=2026-11-20T10:00:00Z",
            )
        };
        let text = filter.strip_prefix("until=").ok_or_else(wrong)?;
        let time = moment(text, SystemTime::now()).ok_or_else(wrong)?;
        earliest = Some(earliest.map_or(time, |other: SystemTime| other.min(time)));
    }
    Ok(earliest)
}

/// A time, or how long ago: `90s`, `1h30m`, `7d`, `2w`.
fn moment(text: &str, now: SystemTime) -> Option<SystemTime> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.into());
    }
    let (mut seconds, mut digits) = (0_u64, String::new());
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let factor = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        seconds = seconds.checked_add(digits.parse::<u64>().ok()?.checked_mul(factor)?)?;
        digits.clear();
    }
    if text.is_empty() || !digits.is_empty() {
        return None;
    }
    now.checked_sub(std::time::Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn moments_are_times_and_ages() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000_000);
        let ago = |text| moment(text, now).map(|time| now.duration_since(time).unwrap().as_secs());
        assert_eq!([ago("90s"), ago("1h30m"), ago("7d")], [Some(90), Some(5400), Some(604_800)]);
        assert_eq!([ago(""), ago("5"), ago("h"), ago("5x"), ago("99999999999999999w")], [None; 5]);
        let time = moment("1970-01-02T00:00:00Z", now).unwrap();
        assert_eq!(time, SystemTime::UNIX_EPOCH + Duration::from_hours(24));
    }
}
