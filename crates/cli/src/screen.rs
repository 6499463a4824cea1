//! Several builds on one screen: a line for each step that ran, under the image's name; on a terminal also what runs now.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use plimsoll_build::{Event as Happens, Outcome};
use plimsoll_ops::{Event, Pull, Reporter, is_in_place};
use plimsoll_source::{printable_line, printable_output};

use crate::{
    globals::{self, ProgressForm},
    render::one_line,
    reporter,
};

/// The screen that all builds write to.
pub(crate) struct Shown {
    screen: Option<MultiProgress>,
    /// Nothing is shown.
    quiet: bool,
    /// Each step is a line of standard output when it begins, those from the cache too.
    listing: bool,
    /// The running steps of each image, by its name.
    steps: Mutex<HashMap<String, HashMap<usize, StepLine>>>,
}

impl Shown {
    /// In this form, whatever holds for the other verbs.
    pub(crate) fn of(form: ProgressForm) -> Self {
        match form {
            ProgressForm::Tty => Self {
                screen: Some(MultiProgress::new()),
                quiet: false,
                listing: false,
                steps: Mutex::default(),
            },
            ProgressForm::Plain | ProgressForm::Json => {
                Self { screen: None, quiet: false, listing: false, steps: Mutex::default() }
            }
            ProgressForm::Quiet => Self::quiet(),
            ProgressForm::Auto => Self::new(),
        }
    }

    /// Shows nothing.
    pub(crate) fn quiet() -> Self {
        Self { screen: None, quiet: true, listing: false, steps: Mutex::default() }
    }

    /// Live on a terminal, lines elsewhere.
    pub(crate) fn new() -> Self {
        let screen = globals::is_live().then(MultiProgress::new);
        Self { screen, quiet: globals::is_quiet(), listing: false, steps: Mutex::default() }
    }

    /// The same for a verb whose standard output has nothing else: in place of docker compose the steps are there.
    pub(crate) fn listing(self) -> Self {
        let listing = is_in_place() && !self.quiet && self.screen.is_none();
        Self { listing, ..self }
    }

    /// For a verb that builds on its way; `listing` says that its standard output is free for the steps.
    pub(crate) fn of_verb(quiet: bool, listing: bool) -> Self {
        match (quiet, listing) {
            (true, _) => Self::quiet(),
            (false, true) => Self::new().listing(),
            (false, false) => Self::new(),
        }
    }

    /// A line that belongs to no step.
    pub(crate) fn tell(&self, line: &str) {
        if self.quiet {
            return;
        }
        match &self.screen {
            Some(screen) => {
                let _ = screen.println(printable_output(line));
            }
            None => errln!("{}", printable_output(line)),
        }
    }

    fn bar(&self, name: &str, title: &str) -> Option<ProgressBar> {
        let bar = self.screen.as_ref()?.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {prefix}  {wide_msg:.dim}") {
            bar.set_style(style);
        }
        bar.set_prefix(format!("{name} {title}"));
        bar.enable_steady_tick(Duration::from_millis(100));
        Some(bar)
    }
}

impl Reporter for Shown {
    fn report(&self, event: Event<'_>) {
        match event {
            Event::Line(line) => self.tell(line),
            Event::Build { image, event } => self.step(&image.familiar_name(), event),
            Event::Pull { image, event: Pull::Moved(moved), .. } => {
                if let Some(line) = reporter::moving(image, moved) {
                    self.tell(&line);
                }
            }
            other => reporter::Lines.report(other),
        }
    }
}

struct StepLine {
    title: String,
    bar: Option<ProgressBar>,
}

impl Shown {
    fn step(&self, name: &str, event: &Happens<'_>) {
        let mut all = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let steps = all.entry(name.to_owned()).or_default();
        match event {
            Happens::Note(note) => self.tell(&format!("note: {name}: {note}")),
            Happens::Started { step, title, .. } => {
                if self.listing {
                    // for scripts: as it stands in the file
                    outln!("{} {}", name, printable_line(&title.to_string()));
                }
                steps.insert(*step, StepLine { title: one_line(&title.to_string()), bar: None });
            }
            Happens::Output { step, bytes, .. } => {
                let Some(step) = steps.get_mut(step) else { return };
                // made late, so that what comes from the cache never flickers over the screen
                if step.bar.is_none() {
                    step.bar = self.bar(name, &step.title);
                }
                let text = String::from_utf8_lossy(bytes);
                if let (Some(bar), Some(line)) =
                    (&step.bar, text.lines().rfind(|line| !line.trim().is_empty()))
                {
                    bar.set_message(printable_line(line.trim()).into_owned());
                }
            }
            Happens::Fetched { .. } => {}
            Happens::Waiting { what, .. } => self.tell(&format!("{name}: {what}")),
            Happens::Finished { step, outcome, elapsed } => {
                let Some(StepLine { title, bar }) = steps.remove(step) else { return };
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                }
                let time = match outcome {
                    Outcome::Cached => return,
                    Outcome::Done(_) => format!("{:6.2}s", elapsed.as_secs_f64()),
                    Outcome::Failed => " failed".to_owned(),
                    Outcome::Stopped => "stopped".to_owned(),
                };
                self.tell(&format!("{time}  {name} {title}"));
            }
        }
    }
}
