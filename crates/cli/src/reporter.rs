//! What the process tells that no display of its own shows: lines on standard error, in the form that was asked for.

use plimsoll_ops::{Event, Reporter};
use plimsoll_source::printable_output;

use crate::{globals, render};

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
            Event::Broken(failure) => err!("\n{}", printable_output(&failure.render())),
        }
    }
}
