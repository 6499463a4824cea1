//! What holds for every verb: colours, the form of progress, how much is done at once. From options before the verb,
//! else from the variables that docker compose has for them.

use std::{io::IsTerminal as _, sync::OnceLock, time::Duration};

use plimsoll_ops::{Failure, is_in_place};
use plimsoll_source::printable;
use plimsoll_stack::{Op, Progress, Step, labels};
use serde_json::json;

/// How progress is shown on standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ProgressForm {
    /// Live on a terminal, lines elsewhere.
    #[default]
    Auto,
    /// Live, also where no terminal is.
    Tty,
    /// A line for each thing that is done.
    Plain,
    /// A JSON object for each thing that is done.
    Json,
    /// Nothing; errors and findings stay.
    Quiet,
}

impl ProgressForm {
    /// One of docker compose's words.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "auto" => Self::Auto,
            "tty" => Self::Tty,
            "plain" => Self::Plain,
            "json" => Self::Json,
            "quiet" => Self::Quiet,
            _ => return None,
        })
    }
}

/// As they were given, not checked yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// `--ansi`
    pub(crate) ansi: Option<String>,
    /// `--progress`
    pub(crate) progress: Option<String>,
    /// `--parallel`
    pub(crate) parallel: Option<String>,
}

/// As they count.
#[derive(Debug, Clone, Copy, Default)]
struct Globals {
    progress: ProgressForm,
    /// `--ansi never`: lines only, no matter where they go.
    plain: bool,
    /// At most so many pulls, builds or pushes at once; absent is no limit.
    parallel: Option<usize>,
}

static GLOBALS: OnceLock<Globals> = OnceLock::new();

fn globals() -> Globals {
    GLOBALS.get().copied().unwrap_or_default()
}

/// Puts in force what was given, or what `variable` says where nothing was.
pub(crate) fn begin(given: &Given, variable: &dyn Fn(&str) -> Option<String>) -> Result<(), Failure> {
    let pick = |given: &Option<String>, option: &'static str, name: &'static str| {
        let from_env = || variable(name).filter(|text| !text.is_empty()).map(|text| (text, name));
        given.clone().map(|text| (text, option)).or_else(from_env)
    };
    let mut found = Globals::default();
    if let Some((text, place)) = pick(&given.ansi, "--ansi", "COMPOSE_ANSI") {
        let choice = match text.as_str() {
            "auto" => anstream::ColorChoice::Auto,
            "always" => anstream::ColorChoice::Always,
            "never" => anstream::ColorChoice::Never,
            _ => return Err(wrong(place, &text, "auto, always or never")),
        };
        found.plain = text == "never";
        choice.write_global();
    }
    if let Some((text, place)) = pick(&given.progress, "--progress", "COMPOSE_PROGRESS") {
        found.progress = ProgressForm::parse(&text)
            .ok_or_else(|| wrong(place, &text, "auto, tty, plain, json or quiet"))?;
    }
    if let Some((text, place)) = pick(&given.parallel, "--parallel", "COMPOSE_PARALLEL_LIMIT") {
        let number: i64 =
            text.trim().parse().map_err(|_| wrong(place, &text, "a number, -1 for no limit"))?;
        found.parallel = usize::try_from(number).ok().filter(|number| *number > 0);
    }
    let _ = GLOBALS.set(found);
    Ok(())
}

fn wrong(place: &str, text: &str, values: &str) -> Failure {
    Failure::new(format!("{place} cannot be `{text}`"), format!("it can be {values}"))
}

/// The form of progress that was asked for.
pub(crate) fn progress() -> ProgressForm {
    globals().progress
}

/// Whether progress says nothing.
pub(crate) fn is_quiet() -> bool {
    progress() == ProgressForm::Quiet
}

/// Whether progress may move on the screen.
pub(crate) fn is_live() -> bool {
    match progress() {
        ProgressForm::Tty => true,
        ProgressForm::Auto => {
            std::io::stderr().is_terminal() && !globals().plain && std::env::var_os("CI").is_none()
        }
        _ => false,
    }
}

/// Whether standard output gets colours that are made by hand.
pub(crate) fn colours_on_stdout() -> bool {
    match anstream::ColorChoice::global() {
        anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => true,
        anstream::ColorChoice::Never => false,
        anstream::ColorChoice::Auto => {
            std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
        }
    }
}

/// How many things of a kind (pulls, builds, pushes) are done at once, of `all`.
pub(crate) fn at_once(all: usize) -> usize {
    globals().parallel.unwrap_or(all).clamp(1, all.max(1))
}

/// A line about progress, in the form that was asked for. `id` names what it is about.
pub(crate) fn tell(id: &str, text: &str) {
    match progress() {
        ProgressForm::Quiet => {}
        ProgressForm::Json => {
            crate::say::verbatim(format_args!("{}\n", json!({ "id": id, "text": text })));
        }
        _ => errln!("{text}"),
    }
}

/// A step of a plan that is done or has failed, as a line.
pub(crate) fn tell_step(progress: &Progress<'_>) {
    match progress {
        Progress::Done(step, took) => tell_done(step, *took),
        Progress::Told(step, text) => {
            tell(&step.op.describe(), &format!("   note  {}: {}", step.op.describe(), printable(text)));
        }
        Progress::Failed(step, failure) => {
            let what = step.op.describe();
            match self::progress() {
                ProgressForm::Json => errln!(
                    "{}",
                    json!({ "error": true, "id": what, "text": failure.reason, "status": "Error" })
                ),
                _ => errln!("FAILED  {what}: {}", printable(&failure.reason)),
            }
        }
        Progress::Started(_) | Progress::News(..) | Progress::Said(..) => {}
    }
}

fn tell_done(step: &Step, took: Duration) {
    let what = step.op.describe();
    match progress() {
        ProgressForm::Quiet => {}
        ProgressForm::Json => errln!(
            "{}",
            json!({ "id": what, "status": "Done", "service": step.service, "seconds": took.as_secs_f64() })
        ),
        _ if is_in_place() => {
            if let Some(line) = in_their_words(&step.op) {
                errln!(" {line}");
            }
        }
        _ => errln!("{:7.2}s  {what}", took.as_secs_f64()),
    }
}

/// A step as docker compose tells it, for scripts that look for its words. Steps that it does not have are not told.
fn in_their_words(op: &Op) -> Option<String> {
    let container = |name: &str, word: &str| Some(format!("Container {name} {word}"));
    match op {
        Op::CreateNetwork { spec } => Some(format!("Network {} Created", spec.name)),
        Op::RemoveNetwork { name, .. } => Some(format!("Network {name} Removed")),
        Op::CreateVolume { spec } => Some(format!("Volume {} Created", spec.name)),
        Op::RemoveVolume { name } => Some(format!("Volume {name} Removed")),
        Op::RemoveImage { image } => Some(format!("Image {image} Removed")),
        // a successor has its name when it has taken the place
        Op::CreateContainer { spec } if spec.labels.contains_key(labels::REPLACE) => None,
        Op::RenameContainer { name, .. } => container(name, "Recreated"),
        Op::CreateContainer { spec } => container(&spec.name, "Created"),
        Op::StartContainer { container: name } => container(name, "Started"),
        Op::StopContainer { container: name, .. } => container(name, "Stopped"),
        Op::RemoveContainer { container: name, .. } => container(name, "Removed"),
        Op::WaitHealthy { container: name, .. } => container(name, "Healthy"),
        Op::WaitCompleted { container: name } => container(name, "Exited"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_not_known_are_refused_by_name() {
        let none = |_: &str| None;
        let given = Given { ansi: Some("sometimes".into()), ..Given::default() };
        let error = begin(&given, &none).unwrap_err();
        assert_eq!(error.diagnostics[0].title, "--ansi cannot be `sometimes`");
        let error = begin(&Given::default(), &|name| (name == "COMPOSE_PROGRESS").then(|| "loud".into()))
            .unwrap_err();
        assert_eq!(error.diagnostics[0].title, "COMPOSE_PROGRESS cannot be `loud`");
        let given = Given { parallel: Some("many".into()), ..Given::default() };
        assert!(begin(&given, &none).is_err());
    }
}
