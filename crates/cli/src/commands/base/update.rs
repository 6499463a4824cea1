//! `plimsoll base update`: the bases that are there, of the newest packages, and what that changed.

use std::process::ExitCode;

use indicatif::MultiProgress;
use plimsoll_base::{Made, Suite};
use plimsoll_ops::Failure;
use serde_json::{Value, json};

use super::{Shown, SourceArgs, bases, print_json};

pub(super) fn run(names: &[String], source: &SourceArgs, json: bool) -> Result<ExitCode, Failure> {
    let suites = source.suite.map_or_else(|| Suite::ALL.to_vec(), |suite| vec![suite]);
    let mut rows = Vec::new();
    let mut found = Vec::new();
    for suite in suites {
        let bases = bases(source.mirror.as_deref(), suite)?;
        let listed = bases.list()?;
        for old in listed.into_iter().filter_map(|row| row.made) {
            let name = old.record.name.clone();
            if !names.is_empty() && !names.contains(&name) {
                continue;
            }
            found.push(name.clone());
            let shown = Shown::new(&name, &MultiProgress::new());
            let new = bases.refresh(&name, &|progress| shown.show(&progress));
            shown.bar.finish_and_clear();
            let new = new?;
            if json {
                rows.push(row(&old, &new));
            } else {
                print(&old, &new, suite);
            }
        }
    }
    if let Some(missing) = names.iter().find(|name| !found.contains(name)) {
        return Err(Failure::new(
            format!("base `{missing}` has not been made"),
            format!("make it with `plimsoll base make {missing}`; `plimsoll base ls` lists what is there"),
        ));
    }
    if json {
        return print_json(&Value::Array(rows));
    }
    if found.is_empty() {
        eprintln!("no base has been made; `plimsoll base make` makes them");
    }
    Ok(ExitCode::SUCCESS)
}

fn row(old: &Made, new: &Made) -> Value {
    let changes: Vec<Value> = new
        .record
        .changes_since(&old.record)
        .iter()
        .map(|change| json!({ "package": change.package, "before": change.before, "after": change.after }))
        .collect();
    json!({
        "name": new.record.name,
        "suite": new.record.suite,
        "before": old.image.id,
        "after": new.image.id,
        "changes": changes,
    })
}

fn print(old: &Made, new: &Made, suite: Suite) {
    let changes = new.record.changes_since(&old.record);
    let count = |fits: &dyn Fn(bool, bool) -> bool| {
        changes.iter().filter(|change| fits(change.before.is_some(), change.after.is_some())).count()
    };
    let mut text = format!("{} ({suite}): ", new.record.name);
    if changes.is_empty() && old.image.id == new.image.id {
        text.push_str("nothing changed\n");
    } else {
        text.push_str(&format!(
            "{} -> {}, {} packages upgraded, {} added, {} removed\n",
            old.image.id.short(),
            new.image.id.short(),
            count(&|before, after| before && after),
            count(&|before, _| !before),
            count(&|_, after| !after),
        ));
    }
    for change in &changes {
        text.push_str(&format!("  {change}\n"));
    }
    print!("{text}");
}
