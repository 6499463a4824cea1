use std::{fs, path::Path};

use serde_json::Value;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    quantity,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "log-rotation",
    title: "container logs are kept, rotated and bounded",
    group: Group::Records,
    requirements: &["R-090", "R-091"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

/// The most that the logs of one container may take: 10 files of 100 MB.
const MOST: u64 = 1_000_000_000;
/// The least that has to be left of them after a rotation: less are no records.
const LEAST: u64 = 100_000;

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = stack.members.iter().map(of_member).collect();
    outcomes.push(together(stack));
    outcomes
}

/// What a log driver keeps.
#[derive(Clone, Debug, PartialEq)]
enum Kept {
    /// Files of so many bytes.
    Rotated { files: u64, size: u64 },
    /// All, without an end.
    All(String),
    /// Nothing.
    Nothing,
    /// Not on this host's account.
    Elsewhere(String),
}

impl Kept {
    fn of(config: &Value) -> Self {
        let driver = config["Type"].as_str().unwrap_or("");
        let option =
            |name: &str| config["Config"][name].as_str().map(str::trim).filter(|value| !value.is_empty());
        // The defaults of the drivers: `local` 5 files of 20 MB, `json-file` one without an end.
        let (default_files, default_size) = match driver {
            "local" => (5, Some(20_000_000)),
            "json-file" => (1, None),
            "none" => return Self::Nothing,
            other => return Self::Elsewhere(other.to_owned()),
        };
        let files = match option("max-file") {
            None => default_files,
            Some(text) => match text.parse() {
                Ok(files) => files,
                Err(_) => return Self::All(format!("max-file {text}, which is no number")),
            },
        };
        let size = match option("max-size") {
            None => default_size,
            Some(text) => size(text),
        };
        match size {
            Some(size) => Self::Rotated { files, size },
            None => Self::All(format!("max-size {}", option("max-size").unwrap_or("unset"))),
        }
    }

    fn bytes(&self) -> Option<u64> {
        match self {
            Self::Rotated { files, size } => Some(files.saturating_mul(*size)),
            Self::Nothing | Self::Elsewhere(_) => Some(0),
            Self::All(_) => None,
        }
    }

    /// What is wrong with it.
    fn problem(&self) -> Option<String> {
        match self {
            Self::All(why) => Some(format!("nothing ends it ({why})")),
            Self::Nothing => Some("no record is kept at all".to_owned()),
            Self::Rotated { files, size } if files.saturating_mul(*size) > MOST => {
                let bytes = quantity::bytes(files.saturating_mul(*size));
                Some(format!("{bytes} is more than {}: that bounds nothing", quantity::bytes(MOST)))
            }
            Self::Rotated { files: 0 | 1, .. } => {
                Some("with one file each rotation drops every record".to_owned())
            }
            Self::Rotated { files, size } if (files - 1).saturating_mul(*size) < LEAST => {
                let bytes = quantity::bytes((files - 1).saturating_mul(*size));
                Some(format!("after a rotation {bytes} are left: no records"))
            }
            Self::Rotated { .. } | Self::Elsewhere(_) => None,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Rotated { files, size } => format!(
                "{files} files of {}, together {}",
                quantity::bytes(*size),
                quantity::bytes(files.saturating_mul(*size))
            ),
            Self::All(why) => why.clone(),
            Self::Nothing => "nothing".to_owned(),
            Self::Elsewhere(driver) => driver.clone(),
        }
    }
}

fn of_member(member: &Member) -> Outcome {
    let outcome = Outcome::new(
        &member.subject,
        format!(
            "two files or more, together at most {}, with at least {} left after a rotation",
            quantity::bytes(MOST),
            quantity::bytes(LEAST)
        ),
    );
    let config = &member.raw["HostConfig"]["LogConfig"];
    let kept = Kept::of(config);
    if let Kept::Elsewhere(driver) = &kept {
        let why = format!("the log goes to {driver}, which the engine does not bound");
        return Outcome::not_checked(&member.subject, outcome.expected, why);
    }
    let driver = config["Type"].as_str().unwrap_or("");
    let observed = match kept.problem() {
        Some(problem) => format!("{driver}, {}: {problem}", kept.words()),
        None => format!("{driver}, {}", kept.words()),
    };
    let outcome = outcome
        .judge(kept.problem().is_none(), observed)
        .evidence(format!("engine: container {} HostConfig.LogConfig", member.name), config.to_string());
    match used(member.text("/LogPath")) {
        Some(bytes) => {
            outcome.evidence(format!("{}*", member.text("/LogPath")), format!("{bytes} bytes now"))
        }
        None => outcome,
    }
}

/// The bounds of all containers together, against the space of the file system that the logs are on.
fn together(stack: &Stack<'_>) -> Outcome {
    let outcome = Outcome::new("stack", "all logs together fit into what their file system has left");
    let mut most: u64 = 0;
    for member in &stack.members {
        let Some(bytes) = Kept::of(&member.raw["HostConfig"]["LogConfig"]).bytes() else {
            return outcome.judge(false, format!("nothing ends the log of {}", member.name));
        };
        most = most.saturating_add(bytes);
    }
    let now: u64 = stack.members.iter().filter_map(|member| used(member.text("/LogPath"))).sum();
    let directory = Path::new(&stack.facts.root_dir);
    let free = stack.engine.is_local().then(|| rustix::fs::statvfs(directory)).and_then(Result::ok);
    let Some(free) = free.map(|found| found.f_bavail.saturating_mul(found.f_frsize)) else {
        let why = format!(
            "at most {}; the engine's data directory cannot be seen from here",
            quantity::bytes(most)
        );
        return Outcome::not_checked("stack", outcome.expected, why);
    };
    let observed = format!(
        "at most {}, {} now; {} free",
        quantity::bytes(most),
        quantity::bytes(now),
        quantity::bytes(free)
    );
    outcome
        .judge(most.saturating_sub(now) <= free, observed)
        .evidence(format!("statvfs {}", directory.display()), format!("{free} bytes available"))
}

/// The bytes of a log file and of those that it was rotated to.
fn used(path: &str) -> Option<u64> {
    let path = Path::new(path);
    let name = path.file_name()?.to_str()?;
    let entries = fs::read_dir(path.parent()?).ok()?.flatten();
    let own = entries.filter(|entry| entry.file_name().to_str().is_some_and(|other| other.starts_with(name)));
    Some(own.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum())
}

/// A size as the drivers read it: decimal units, a fraction is allowed; `None` is no bound.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float too large becomes the largest number"
)]
fn size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let factor = match unit.trim().trim_end_matches("ib").trim_end_matches('b') {
        "" => 1.0,
        "k" => 1e3,
        "m" => 1e6,
        "g" => 1e9,
        "t" => 1e12,
        "p" => 1e15,
        _ => return None,
    };
    let bytes = number * factor;
    (bytes >= 1.0).then_some(bytes as u64)
}

/// For the fuzz targets: every reader of this file.
#[cfg(fuzzing)]
pub(super) fn fuzz(text: &str) {
    let _ = size(text);
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        let _ = Kept::of(&value).problem();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(driver: &str, options: Value) -> Kept {
        Kept::of(&json!({ "Type": driver, "Config": options }))
    }

    #[test]
    fn bounds_that_bound_nothing() {
        for (driver, options) in [
            ("json-file", json!({})),
            ("json-file", json!({ "max-file": "5" })),
            ("json-file", json!({ "max-size": "-1", "max-file": "5" })),
            ("json-file", json!({ "max-size": "1000g", "max-file": "5" })),
            ("json-file", json!({ "max-size": "10m", "max-file": "100000" })),
            ("json-file", json!({ "max-size": "10m", "max-file": "1" })),
            ("json-file", json!({ "max-size": "10m" })),
            ("json-file", json!({ "max-size": "1k", "max-file": "2" })),
            ("local", json!({ "max-size": "500g", "max-file": "1000" })),
            ("local", json!({ "max-size": "99999p" })),
            ("none", json!({})),
        ] {
            assert!(kept(driver, options.clone()).problem().is_some(), "{driver} {options}");
        }
    }

    #[test]
    fn bounds_in_other_words() {
        for (driver, options) in [
            ("json-file", json!({ "max-size": "50m", "max-file": "5" })),
            ("json-file", json!({ "max-size": "100MB", "max-file": "10", "compress": "true" })),
            ("json-file", json!({ "max-size": "10485760", "max-file": "3" })),
            ("json-file", json!({ "max-size": "0.1g", "max-file": "3" })),
            ("local", json!({})),
            ("local", json!(null)),
            ("local", json!({ "max-size": "1m", "max-file": "2" })),
        ] {
            assert_eq!(kept(driver, options.clone()).problem(), None, "{driver} {options}");
        }
        assert_eq!(kept("syslog", json!({})), Kept::Elsewhere("syslog".into()));
    }

    #[test]
    fn sizes_of_the_drivers() {
        assert_eq!(size("10m"), Some(10_000_000));
        assert_eq!(size("1.5 GiB"), Some(1_500_000_000));
        assert_eq!(size("7"), Some(7));
        assert_eq!((size("-1"), size(""), size("10x"), size("0")), (None, None, None, None));
    }
}
