//! What `smoke.toml` and `promises.toml` have in common: they are read whole, and each mistake is shown where it is.

use plimsoll_source::{Diagnostic, Source, Span};
use serde::de::DeserializeOwned;

/// Reads a file that `page` documents; `what` are its contents, in words.
pub(crate) fn read<T: DeserializeOwned>(
    source: &Source,
    what: &str,
    page: &str,
) -> Result<T, Vec<Diagnostic>> {
    toml::from_str(source.text()).map_err(|error| {
        let span = error.span().map_or_else(Span::default, |range| Span::new(range.start, range.end));
        vec![
            Diagnostic::error(format!("{what} cannot be read"))
                .label(source, span, error.message().trim())
                .hint(format!("{page} shows every key")),
        ]
    })
}

/// A mistake at the first place that has this text.
pub(crate) fn mistake(
    source: &Source,
    title: &str,
    (text, problem): &(String, String),
    page: &str,
) -> Diagnostic {
    // Written with escapes, it is not found as it is read.
    let span = source.text().find(text.as_str()).map(|at| Span::new(at, at + text.len()));
    Diagnostic::error(title)
        .label(source, span.unwrap_or_default(), problem.as_str())
        .hint(format!("{page} shows every key"))
}
