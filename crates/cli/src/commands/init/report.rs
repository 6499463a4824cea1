//! What `init` says: what was found, what changes and why, what a person must decide.

use std::{collections::BTreeMap, fmt::Write as _};

use plimsoll_generate::{Change, Conflict, Outcome};
use plimsoll_ops::Failure;
use plimsoll_source::Finding;
use plimsoll_survey::{Evidence, Gap, Question, Role, Service, Survey};
use serde::Serialize;

use super::Preview;

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const CYAN: &str = "\x1b[36m";
const RESET: &str = "\x1b[0m";

#[derive(Serialize)]
struct Json<'a> {
    applied: bool,
    changes: &'a [Change],
    /// Paths of secrets that are missing, or were made when `applied`; never their content.
    secrets: Vec<&'a str>,
    /// Services that the stack does not have, with the reason.
    left_out: &'a [Gap],
    /// What a person should know about the stack.
    notes: &'a [Gap],
    /// What was left out and noted, in the form that all findings have.
    findings: &'a [Finding],
    /// What the files leave open, with the answer that was taken.
    questions: &'a [Question],
    /// What was answered.
    answers: &'a BTreeMap<String, String>,
    /// Variables that must be set before the stack can start.
    demanded: &'a [Demanded],
}

/// A variable that the Compose file demands.
#[derive(Serialize)]
pub(super) struct Demanded {
    pub(super) name: String,
    /// What the file says of it: `set HOSTS, separated by blanks`.
    pub(super) message: String,
}

pub(super) fn json(preview: &Preview, applied: bool) -> Result<String, Failure> {
    let secrets = preview.secrets.iter().map(|(path, _)| path.as_str()).collect();
    let json = Json {
        applied,
        changes: &preview.comparison.changes,
        secrets,
        left_out: &preview.left_out,
        notes: &preview.notes,
        findings: &preview.findings,
        questions: &preview.survey.questions,
        answers: &preview.answers,
        demanded: &preview.demanded,
    };
    serde_json::to_string_pretty(&json).map_err(Failure::from)
}

pub(super) fn text(preview: &Preview, applied: bool) -> String {
    let mut out = String::new();
    found(&mut out, preview);
    let changes = &preview.comparison.changes;
    for change in changes.iter().filter(|change| change.write.is_some()) {
        // A new file that is on disk now can be read there.
        if applied && matches!(change.outcome, Outcome::Created) {
            continue;
        }
        out.push('\n');
        diff(&mut out, &change.diff);
    }
    for change in changes {
        if let Outcome::Conflict(conflict) = &change.outcome {
            self::conflict(&mut out, change, conflict);
        }
    }
    left_alone(&mut out, changes);
    summary(&mut out, preview, applied);
    out
}

fn found(out: &mut String, preview: &Preview) {
    let survey = &preview.survey;
    let workspaces = match survey.workspaces.len() {
        0 => String::new(),
        1 => " (1 workspace)".to_owned(),
        many => format!(" ({many} workspaces)"),
    };
    let _ = writeln!(out, "{BOLD}Found{RESET}{workspaces}");
    let rows = rows(survey);
    let width = |column: fn(&(String, String, String)) -> &String, most: usize| {
        rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0).clamp(10, most)
    };
    let (names, texts) = (width(|row| &row.0, 30), width(|row| &row.1, 60));
    for (name, text, place) in &rows {
        let _ = writeln!(out, "  {name:names$} {text:texts$} {place}");
    }
    for gap in &survey.gaps {
        let _ = writeln!(out, "  missing    {}: {} ({})", gap.subject, gap.message, gap.hint);
    }
    for question in &survey.questions {
        let default = question.default.as_deref().unwrap_or("nothing: it has to be answered");
        let place = question.evidence.first().map(|place| format!(" ({}:{})", place.file, place.line));
        let place = place.unwrap_or_default();
        let _ = writeln!(out, "  question   {}{place}", question.text);
        let _ = writeln!(out, "             taken: {default}; otherwise --answer {}=VALUE", question.id);
    }
    for (id, value) in &preview.answers {
        let _ = writeln!(out, "  answered   {id} = {value}");
    }
    for (title, gaps) in [("left out  ", &preview.left_out), ("note      ", &preview.notes)] {
        for gap in gaps {
            let place = gap.evidence.first().map(|place| format!(" ({}:{})", place.file, place.line));
            let _ = writeln!(out, "  {title} {}: {}{}", gap.subject, gap.message, place.unwrap_or_default());
            let _ = writeln!(out, "             {}", gap.hint);
        }
    }
    let _ = writeln!(out, "  Every fact with its place: plimsoll survey");
}

/// Name, what it is and where it stands, of everything that will run.
fn rows(survey: &Survey) -> Vec<(String, String, String)> {
    let place = |evidence: Option<&Evidence>| {
        evidence.map(|place| format!("{}:{}", place.file, place.line)).unwrap_or_default()
    };
    let mut rows = Vec::new();
    for service in &survey.services {
        let tool = service.frameworks.first().map(|tool| &tool.evidence);
        let own = service.own_image.as_ref().map(|image| &image.dockerfile.evidence);
        let first = tool.or(own).and_then(|evidence| evidence.first());
        rows.push((service.name.clone(), describe(service), place(first)));
        for process in &service.processes {
            let kind = match process.role {
                Role::Scheduler => "scheduler",
                Role::OneShot => "one-shot",
                Role::Worker | Role::Server | Role::Site => "worker",
            };
            let text = format!("{kind}: {}", process.command.value.join(" "));
            rows.push((process.name.clone(), text, place(process.command.evidence.first())));
        }
        if let Some(command) = service.migration.as_ref().and_then(|migration| migration.command.as_ref()) {
            let text = format!("migrations: {}", command.value.join(" "));
            rows.push((service.name.clone(), text, place(command.evidence.first())));
        }
    }
    for store in &survey.stores {
        let version = store.version.as_ref().map_or("", |version| &version.value);
        let text = format!("{} {version}", store.kind.label());
        let first = store.version.iter().flat_map(|version| &version.evidence).chain(&store.evidence).next();
        rows.push((store.name.clone(), text.trim_end().to_owned(), place(first)));
    }
    rows
}

fn describe(service: &Service) -> String {
    let kind = plimsoll_survey::kind(service);
    let own = service.own_image.iter().map(|image| image.dockerfile.value.clone());
    let tools = service.frameworks.iter().map(|tool| format!("{} {}", tool.name, tool.version));
    let tools: Vec<String> = tools.chain(own).collect();
    let port = service.port.as_ref().map(|port| format!(", port {}", port.value)).unwrap_or_default();
    format!("{kind}: {}{port}", tools.join(", "))
}

fn diff(out: &mut String, diff: &str) {
    for line in diff.lines() {
        let colour = match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => BOLD,
            [b'+', ..] => GREEN,
            [b'-', ..] => RED,
            [b'@', ..] => CYAN,
            _ => "",
        };
        let reset = if colour.is_empty() { "" } else { RESET };
        let _ = writeln!(out, "{colour}{line}{reset}");
    }
}

fn conflict(out: &mut String, change: &Change, conflict: &Conflict) {
    let path = &change.path;
    match conflict {
        Conflict::Foreign => {
            let _ = writeln!(out, "\n{BOLD}{path}{RESET} is there already and was not written by Plimsoll.");
            diff(out, &change.diff);
        }
        Conflict::Overlap { hunks } => {
            for hunk in hunks {
                let _ = writeln!(
                    out,
                    "\n{BOLD}{path}:{}{RESET} was changed by you and by the new text.",
                    hunk.line
                );
                for (title, text, colour) in [("yours", &hunk.ours, ""), ("new", &hunk.theirs, GREEN)] {
                    let _ = writeln!(out, "  {title}:");
                    if text.is_empty() {
                        let _ = writeln!(out, "    (nothing)");
                    }
                    for line in text.lines() {
                        let _ = writeln!(out, "    {colour}{line}{RESET}");
                    }
                }
            }
        }
    }
    let _ = writeln!(out, "It stays as it is. Bring the changes together by hand, or decide for one side:");
    match conflict {
        Conflict::Overlap { hunks } if hunks.len() > 1 => {
            for hunk in hunks {
                let place = format!("{path}:{}", hunk.line);
                let _ = writeln!(out, "  plimsoll init --apply --keep {place}   keeps yours there");
                let _ = writeln!(out, "  plimsoll init --apply --take {place}   takes the new text there");
            }
            let _ =
                writeln!(out, "  plimsoll init --apply --keep {path}   keeps yours at each of these places");
        }
        Conflict::Overlap { hunks } => {
            let line = hunks.first().map_or(1, |hunk| hunk.line);
            let _ = writeln!(out, "  plimsoll init --apply --keep {path}:{line}   keeps yours there");
            let _ = writeln!(out, "  plimsoll init --apply --take {path}:{line}   takes the new text there");
        }
        Conflict::Foreign => {
            let _ = writeln!(out, "  plimsoll init --apply --keep {path}   keeps yours");
        }
    }
    let _ = writeln!(
        out,
        "  plimsoll init --apply --take {path}   takes the new file, all your edits in it are lost"
    );
}

fn left_alone(out: &mut String, changes: &[Change]) {
    for change in changes {
        let why = match change.outcome {
            Outcome::Edited => "edited by you, nothing new for it",
            Outcome::Deleted => "deleted by you; --take brings it back",
            Outcome::Obsolete => "not needed any more; delete it if you do not use it",
            _ => continue,
        };
        let _ = writeln!(out, "\n{}: {why}", change.path);
    }
}

fn summary(out: &mut String, preview: &Preview, applied: bool) {
    let writes: Vec<(&str, &str)> = preview
        .comparison
        .changes
        .iter()
        .filter_map(|change| Some((change.path.as_str(), verb(change)?)))
        .collect();
    if writes.is_empty() && preview.secrets.is_empty() {
        let conflicts = preview.comparison.conflicts();
        let text = if conflicts { "\nNothing was written for the files above." } else { "\nno changes" };
        let _ = writeln!(out, "{text}");
        return;
    }
    let title = match (applied, preview.comparison.overlaps()) {
        (true, _) => "Written",
        (false, true) => "Not written before the places above are decided: these files fit together",
        (false, false) => "Would be written",
    };
    let _ = writeln!(out, "\n{BOLD}{title}{RESET}");
    for (path, verb) in &writes {
        let _ = writeln!(out, "  {path:48} {verb}");
    }
    for (path, what) in &preview.secrets {
        let _ = writeln!(out, "  {path:48} secret, not shown: {what}");
    }
    to_do(out, preview);
    let next = match (applied, preview.comparison.conflicts()) {
        (_, true) => "next: decide about what is shown above",
        (true, false) => "next: plimsoll up",
        (false, false) => "to write them: plimsoll init --apply",
    };
    let _ = writeln!(out, "\n{next}");
}

/// What a person has to look at, once more at the end: what was found stands far above.
fn to_do(out: &mut String, preview: &Preview) {
    let counts = [
        (preview.survey.gaps.len(), "missing"),
        (preview.survey.questions.len(), "question"),
        (preview.left_out.len(), "left out"),
        (preview.notes.len(), "note"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if !counts.is_empty() {
        let _ = writeln!(out, "\nTo read under \"Found\": {}", counts.join(", "));
    }
    if !preview.demanded.is_empty() {
        let _ = writeln!(out, "\nSet before the stack starts, in .env or in the environment:");
        for Demanded { name, message } in &preview.demanded {
            let what = message.strip_prefix(&format!("set {name}")).unwrap_or(message);
            let _ = writeln!(out, "  {name}{what}");
        }
    }
}

fn verb(change: &Change) -> Option<&'static str> {
    Some(match change.outcome {
        Outcome::Created => "new",
        Outcome::Updated => "updated",
        Outcome::Merged => "updated, your edits kept",
        Outcome::Extended => "lines added",
        _ => return None,
    })
}
