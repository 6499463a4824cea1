//! What a person may want to know while work goes on: one trait, one kind of event for each thing that is told.

use std::sync::OnceLock;

use plimsoll_image::{Reference, registry::Progress as Transfer};
use plimsoll_source::Diagnostic;
use plimsoll_stack::{Plan, Progress};

/// Hears what happens. The binary shows it: live on a terminal, as lines, as JSON, or not at all.
pub trait Reporter: Sync {
    /// Takes one event; it must not fail and should not block.
    fn report(&self, event: Event<'_>);

    /// A line about images and builds.
    fn line(&self, text: &str) {
        self.report(Event::Line(text));
    }

    /// A line about the progress of a stack.
    fn tell(&self, about: &str, text: &str) {
        self.report(Event::Told { about, text });
    }
}

/// One thing that happened.
pub enum Event<'a> {
    /// A person should know it, whatever form of progress was asked for.
    Note(&'a str),
    /// Something is odd in a file; the work goes on.
    Warning(&'a Diagnostic),
    /// Somebody else has what is needed next.
    Waiting(&'a str),
    /// A line about images and builds that belongs to no step.
    Line(&'a str),
    /// A line about the progress of a stack.
    Told {
        /// What it is about: a container, an image, the project.
        about: &'a str,
        /// The line.
        text: &'a str,
    },
    /// What would be done; nothing of it is.
    Plan(&'a Plan),
    /// A step of a plan.
    Step(&'a Progress<'a>),
    /// A step of a plan failed, with everything that was found about it.
    Broken(&'a plimsoll_stack::Failure),
    /// What happens in the build of an image of the project.
    Build {
        /// The image.
        image: &'a Reference,
        /// What happens.
        event: &'a plimsoll_build::Event<'a>,
    },
    /// An image is pulled into the store.
    Pull {
        /// Its name, as people write it.
        image: &'a str,
        /// The platform.
        platform: &'a str,
        /// What happens.
        event: Pull<'a>,
    },
    /// The claim of this title is measured next.
    Claim(&'a str),
}

/// What happens while an image is pulled.
pub enum Pull<'a> {
    /// It begins.
    Begun,
    /// Something of it moves.
    Moved(&'a Transfer),
    /// It has ended; the text is why it failed.
    Ended(Option<&'a str>),
}

static INSTALLED: OnceLock<&'static dyn Reporter> = OnceLock::new();

/// From here on this is the process's reporter, for all work that is given no other one. Only the first call counts.
pub fn install(reporter: &'static dyn Reporter) {
    let _ = INSTALLED.set(reporter);
}

/// The process's reporter; before [`install`] one that hears nothing.
pub fn reporter() -> &'static dyn Reporter {
    match INSTALLED.get() {
        Some(reporter) => *reporter,
        None => &Deaf,
    }
}

/// Hears nothing.
pub struct Deaf;

impl Reporter for Deaf {
    fn report(&self, _: Event<'_>) {}
}

/// A note for a person, written like `format!`.
macro_rules! note {
    ($($text:tt)*) => { $crate::reporter().report($crate::Event::Note(&format!($($text)*))) };
}
