//! Diagnostics on the terminal.

use std::sync::OnceLock;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use plimsoll_ops::Failure;
use plimsoll_source::{Diagnostic, Severity, printable, printable_line};

/// Takes what would be text on standard error; the second value says that it is why the verb could not run.
type Instead = fn(&str, bool);

static INSTEAD: OnceLock<Instead> = OnceLock::new();

/// From here on nothing is text on standard error: for formats that programs read line by line.
pub(crate) fn instead_of_text(write: Instead) {
    let _ = INSTEAD.set(write);
}

/// Prints why a verb could not run.
pub(crate) fn error(error: &Failure) {
    for diagnostic in &error.diagnostics {
        say(&text(diagnostic), true);
    }
}

/// Prints a line that a person should know.
pub(crate) fn note(line: &str) {
    say(line, false);
}

fn say(text: &str, is_error: bool) {
    match INSTEAD.get() {
        Some(write) => write(&anstream::adapter::strip_str(text).to_string(), is_error),
        None => errln!("{text}"),
    }
}

/// No line about a step is longer, in characters.
const TITLE: usize = 100;

/// A step's title in one line that is cut where it is long: a RUN may be a whole script. Nothing in it drives the terminal.
pub(crate) fn one_line(title: &str) -> String {
    // more than is shown is not looked at
    let words: Vec<&str> = title.split_whitespace().take(TITLE + 1).collect();
    ellipsis(&printable_line(&words.join(" ")), TITLE)
}

/// The text cut to so many characters, the last of which says that it was cut.
pub(crate) fn ellipsis(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(length.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// One diagnostic as text, in colour; `anstream` removes the colour where it is not wanted.
pub(crate) fn text(diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    // Names of files, and messages of engines, registries and programs.
    let title_text = printable(&diagnostic.title);
    let notes: Vec<_> = diagnostic.notes.iter().map(|note| printable(note)).collect();
    let hint = diagnostic.hint.as_deref().map(printable);
    let labels: Vec<_> = diagnostic
        .labels
        .iter()
        .map(|label| (label, printable_line(label.source.name()), printable(&label.message)))
        .collect();
    let mut title = level.primary_title(&*title_text);
    if let Some(code) = diagnostic.code {
        title = title.id(code);
    }
    let mut group = Group::with_title(title);
    let mut first = true;
    for (label, name, message) in &labels {
        let kind = if std::mem::take(&mut first) { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(label.span.range()).label(&**message);
        group = group.element(Snippet::source(label.source.text()).path(&**name).annotation(annotation));
    }
    for note in &notes {
        group = group.element(Level::NOTE.message(&**note));
    }
    if let Some(hint) = &hint {
        group = group.element(Level::HELP.with_name("hint").message(&**hint));
    }
    Renderer::styled().render(&[group])
}

#[cfg(test)]
mod tests {
    use plimsoll_source::{Source, Span};

    use super::*;

    #[test]
    fn a_title_is_one_line_of_a_bounded_length() {
        assert_eq!(one_line("[build 2/3] RUN a \n    && b\t\x1b[2J"), "[build 2/3] RUN a && b \\x1b[2J");
        let whole = format!("RUN {}", "x".repeat(TITLE - 4));
        assert_eq!(one_line(&whole), whole);
        let cut = one_line(&format!("{whole}y"));
        assert_eq!((cut.chars().count(), cut.ends_with("xx…")), (TITLE, true));
        assert_eq!(one_line(&"é ".repeat(100_000)).chars().count(), TITLE);
        assert_eq!((ellipsis("", 0).as_str(), ellipsis("ab", 1).as_str()), ("", "…"));
    }

    #[test]
    fn nothing_in_a_message_drives_the_terminal() {
        let source = Source::new("a\x1b[2Jb\nc", "x: \x1b]0;PWNED\x07\n");
        let diagnostic = Diagnostic::error("no \x1b[2J \u{202e}")
            .label(&source, Span::new(0, 1), "here\x1b[1A")
            .note("caused by: \x1b]52;c;eA==\x07")
            .hint("\x1b[5m");
        let text = text(&diagnostic);
        for sequence in ["\x1b[2J", "\x1b]", "\x1b[1A", "\x1b[5m", "\u{202e}", "\x07"] {
            assert!(!text.contains(sequence), "{sequence:?} in {text:?}");
        }
        assert!(text.contains("\\x1b[2J \\u{202e}"), "{text}");
    }
}
