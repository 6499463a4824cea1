//! Diagnostics on the terminal.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use plimsoll_source::{Diagnostic, Severity};

use crate::error::CommandError;

/// Prints why a verb could not run.
pub(crate) fn error(error: &CommandError) {
    for diagnostic in &error.diagnostics {
        errln!("{}", text(diagnostic));
    }
}

/// One diagnostic as text, in colour; `anstream` removes the colour where it is not wanted.
pub(crate) fn text(diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut title = level.primary_title(diagnostic.title.as_str());
    if let Some(code) = diagnostic.code {
        title = title.id(code);
    }
    let mut group = Group::with_title(title);
    let mut first = true;
    for label in &diagnostic.labels {
        let kind = if std::mem::take(&mut first) { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(label.span.range()).label(label.message.as_str());
        group = group
            .element(Snippet::source(label.source.text()).path(label.source.name()).annotation(annotation));
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.with_name("hint").message(hint.as_str()));
    }
    Renderer::styled().render(&[group])
}
