//! Several builds on one screen: a line for each step that ran, under the image's name; on a terminal also what runs now.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use plimsoll_build::{Event, Outcome, Progress};
use plimsoll_image::Reference;
use plimsoll_ops::{Reporter, is_in_place};
use plimsoll_source::{printable_line, printable_output};

use crate::{
    globals::{self, ProgressForm},
    render::one_line,
};

/// The screen that all builds write to.
pub(crate) struct Shown {
    screen: Option<MultiProgress>,
    /// Nothing is shown.
    quiet: bool,
    /// Each step is a line of standard output when it begins, those from the cache too.
    listing: bool,
}

impl Shown {
    /// In this form, whatever holds for the other verbs.
    pub(crate) fn of(form: ProgressForm) -> Self {
        match form {
            ProgressForm::Tty => Self { screen: Some(MultiProgress::new()), quiet: false, listing: false },
            ProgressForm::Plain | ProgressForm::Json => Self { screen: None, quiet: false, listing: false },
            ProgressForm::Quiet => Self::quiet(),
            ProgressForm::Auto => Self::new(),
        }
    }

    /// Shows nothing.
    pub(crate) fn quiet() -> Self {
        Self { screen: None, quiet: true, listing: false }
    }

    /// Live on a terminal, lines elsewhere.
    pub(crate) fn new() -> Self {
        let screen = globals::is_live().then(MultiProgress::new);
        Self { screen, quiet: globals::is_quiet(), listing: false }
    }

    /// The same for a verb whose standard output has nothing else: in place of docker compose the steps are there.
    pub(crate) fn listing(self) -> Self {
        let listing = is_in_place() && !self.quiet && self.screen.is_none();
        Self { listing, ..self }
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

    /// Where the build of one image reports to.
    pub(crate) fn image(&self, name: &Reference) -> ImageProgress<'_> {
        ImageProgress { shown: self, name: name.familiar_name(), steps: Mutex::default() }
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
    fn report(&self, event: plimsoll_ops::Event<'_>) {
        match event {
            plimsoll_ops::Event::Line(line) => self.tell(line),
            other => crate::reporter::Lines.report(other),
        }
    }
}

/// The progress of one image's build.
pub(crate) struct ImageProgress<'a> {
    shown: &'a Shown,
    name: String,
    steps: Mutex<HashMap<usize, Step>>,
}

struct Step {
    title: String,
    bar: Option<ProgressBar>,
}

impl Progress for ImageProgress<'_> {
    fn event(&self, event: &Event<'_>) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Note(note) => self.shown.tell(&format!("note: {}: {note}", self.name)),
            Event::Started { step, title, .. } => {
                if self.shown.listing {
                    // for scripts: as it stands in the file
                    outln!("{} {}", self.name, printable_line(title));
                }
                steps.insert(*step, Step { title: one_line(title), bar: None });
            }
            Event::Output { step, bytes, .. } => {
                let Some(step) = steps.get_mut(step) else { return };
                // made late, so that what comes from the cache never flickers over the screen
                if step.bar.is_none() {
                    step.bar = self.shown.bar(&self.name, &step.title);
                }
                let text = String::from_utf8_lossy(bytes);
                if let (Some(bar), Some(line)) =
                    (&step.bar, text.lines().rfind(|line| !line.trim().is_empty()))
                {
                    bar.set_message(printable_line(line.trim()).into_owned());
                }
            }
            Event::Fetched { .. } => {}
            Event::Waiting { what, .. } => self.shown.tell(&format!("{}: {what}", self.name)),
            Event::Finished { step, outcome, elapsed } => {
                let Some(Step { title, bar }) = steps.remove(step) else { return };
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                }
                let time = match outcome {
                    Outcome::Cached => return,
                    Outcome::Done(_) => format!("{:6.2}s", elapsed.as_secs_f64()),
                    Outcome::Failed => " failed".to_owned(),
                    Outcome::Stopped => "stopped".to_owned(),
                };
                self.shown.tell(&format!("{time}  {} {title}", self.name));
            }
        }
    }
}
