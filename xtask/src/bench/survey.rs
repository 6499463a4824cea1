//! `cargo xtask bench survey`: `survey` and `init` on a repository of 5,000 files, beside what they may take.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::{
    measure::{Cost, median, run_with_peak},
    ours::{self, Ours},
    repository,
};
use crate::shell;

#[derive(Args)]
pub(crate) struct Options {
    /// How often each verb is measured
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Measure this binary instead of the release build
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// A verb, its arguments, and the seconds that it may take.
const CASES: [(&str, &[&str], f64); 2] =
    [("survey", &["survey"], 0.3), ("init", &["init", "--apply", "--no-input"], 0.5)];
/// Resident memory that each may take, in MB.
const MEMORY: f64 = 100.0;

/// What was measured, by the place in `CASES`.
type Costs = BTreeMap<usize, Vec<Cost>>;

pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = shell::target().join("bench/survey");
    fs::create_dir_all(&folder)?;
    let ours = Ours::new(options.binary.clone(), folder.join("home"), ours::host())?;
    let (source, copy) = (folder.join("source"), folder.join("copy"));
    eprintln!("[bench] writing {} files to {}", repository::FILES, source.display());
    fresh(&source)?;
    fresh(&copy)?;
    // a refusal would be fast
    let (_, init, _) = CASES[1];
    shell::quiet(ours.plimsoll(init).current_dir(&copy))?;
    has_all_services(&copy)?;
    let mut costs = Costs::new();
    for _ in 0..options.runs {
        for (case, (name, arguments, _)) in CASES.iter().enumerate() {
            let place = if *name == "init" { &copy } else { &source };
            if *name == "init" {
                fresh(place)?;
            }
            let cost = run_with_peak(ours.plimsoll(arguments).current_dir(place))?;
            let peak = cost.peak.unwrap_or_default();
            eprintln!("[bench] {name}: {:.3} s, cpu {:.2} s, {peak:.1} MB", cost.wall, cost.cpu);
            costs.entry(case).or_default().push(cost);
        }
    }
    let (text, missed) = report(&costs);
    print!("{text}");
    fs::write(folder.join("survey.json"), serde_json::to_vec_pretty(&as_json(&costs))?)?;
    if !missed.is_empty() && options.runs >= 5 {
        bail!("targets missed: {}", missed.join(", "));
    }
    Ok(())
}

/// The repository as it was before anybody wrote into it.
fn fresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    repository::write(folder)
}

fn has_all_services(folder: &Path) -> Result<()> {
    let file = folder.join("compose.production.yml");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    for service in repository::SERVICES {
        let key = format!("  {service}:");
        ensure!(text.lines().any(|line| line == key), "{} has no service {service}", file.display());
    }
    Ok(())
}

/// The table, and the bars that were missed.
fn report(costs: &Costs) -> (String, Vec<String>) {
    let mut text = format!(
        "| {} files | runs | median s | at most s | peak MB | at most MB |\n|---|---|---|---|---|---|\n",
        repository::FILES
    );
    let mut missed = Vec::new();
    for (case, (name, _, most)) in CASES.iter().enumerate() {
        let costs = costs.get(&case).map_or(&[][..], Vec::as_slice);
        let wall = median(costs.iter().map(|cost| cost.wall));
        let peak = costs.iter().filter_map(|cost| cost.peak).fold(0.0, f64::max);
        if wall > *most {
            missed.push(format!("{name}: {wall:.3} s"));
        }
        if peak > MEMORY {
            missed.push(format!("{name}: {peak:.1} MB"));
        }
        // writing to a string cannot fail
        let _ = writeln!(text, "| {name} | {} | {wall:.3} | {most} | {peak:.1} | {MEMORY} |", costs.len());
    }
    (text, missed)
}

fn as_json(costs: &Costs) -> Value {
    let cases = CASES.iter().enumerate().map(|(case, (name, _, most))| {
        let costs = costs.get(&case).map_or(&[][..], Vec::as_slice);
        json!({
            "case": name,
            "at_most": most,
            "at_most_mb": MEMORY,
            "wall": costs.iter().map(|cost| cost.wall).collect::<Vec<_>>(),
            "cpu": costs.iter().map(|cost| cost.cpu).collect::<Vec<_>>(),
            "peak_mb": costs.iter().filter_map(|cost| cost.peak).collect::<Vec<_>>(),
        })
    });
    cases.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_much_is_named() {
        let cost = |wall, peak| Cost { wall, cpu: wall, peak: Some(peak) };
        let mut costs = Costs::new();
        costs.insert(0, vec![cost(0.1, 40.0), cost(0.9, 50.0), cost(0.2, 45.0)]);
        costs.insert(1, vec![cost(0.4, 60.0)]);
        let (text, missed) = report(&costs);
        assert!(missed.is_empty(), "{missed:?}");
        assert!(text.contains("| survey | 3 | 0.200 | 0.3 | 50.0 | 100 |\n"), "{text}");
        costs.insert(1, vec![cost(0.6, 120.0)]);
        assert_eq!(report(&costs).1, ["init: 0.600 s", "init: 120.0 MB"]);
    }
}
