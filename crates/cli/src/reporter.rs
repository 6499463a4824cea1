//! What the process tells that no display of its own shows: lines on standard error, in the form that was asked for.

use plimsoll_image::registry::Progress;
use plimsoll_ops::{Event, Pull, Reporter, sizes::megabytes};
use plimsoll_source::printable_output;

use crate::{globals, render};

/// The line about a layer that begins to travel.
pub(crate) fn moving(image: &str, progress: &Progress) -> Option<String> {
    match progress {
        Progress::Started { bytes, .. } => {
            Some(format!("{image}: fetching a layer of {}", megabytes(*bytes)))
        }
        _ => None,
    }
}

/// Lines, each when it comes.
pub(crate) struct Lines;

impl Reporter for Lines {
    fn report(&self, event: Event<'_>) {
        match event {
            Event::Note(text) => render::note(text),
            Event::Warning(diagnostic) => errln!("{}", render::text(diagnostic)),
            Event::Waiting(text) => {
                if !globals::is_quiet() {
                    render::note(text);
                }
            }
            Event::Line(text) => errln!("{}", printable_output(text)),
            Event::Told { about, text } => globals::tell(about, text),
            Event::Plan(plan) => out!("{}", plan.render()),
            Event::Step(progress) => globals::tell_step(progress),
            Event::Pull { image, event: Pull::Moved(moved), .. } => {
                if let Some(line) = moving(image, moved) {
                    errln!("{}", printable_output(&line));
                }
            }
            // these have displays of their own
            Event::Build { .. } | Event::Pull { .. } | Event::Claim(_) => {}
            Event::Broken(failure) => err!("\n{}", printable_output(&failure.render())),
        }
    }
}
