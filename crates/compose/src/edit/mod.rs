//! Changes to a Compose file in place: one value is set or removed, every other byte stays.
//!
//! Comments, order, quotes, anchors and indentation are the user's. Each change is checked before it is given out: the
//! new text is read again and must mean what the old one meant, but for the value that was to change. What cannot be
//! written without touching more (a value behind an alias, flow style over several lines) is refused with its line.

mod change;
mod path;
mod plain;
mod render;

use plimsoll_source::{
    Diagnostic, Edit, Source, apply,
    yaml::{self, Document, Limits},
};

pub use path::{Segment, steps, text as path_text};
use plain::Plain;

/// What happens to the value at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is set to this YAML: `nginx:1.27`, `[a, b]`, `{test: [CMD, true]}`. Missing mappings on the way are made.
    Set(String),
    /// It is removed with its key.
    Remove,
}

/// The edits of `source` that make one change at `path`, for [`plimsoll_source::apply`].
///
/// A text in quotes stays one in the same quotes. Fails where the path does not exist (when removing), where it runs
/// through an alias, and where the text cannot be changed without changing other values or lines too.
pub fn edit(source: &Source, path: &[Segment], change: &Change) -> Result<Vec<Edit>, Diagnostic> {
    let document = single_document(source)?;
    let value = match change {
        Change::Set(text) => Some(plain::parse(text)?),
        Change::Remove => None,
    };
    let before = match &document {
        Some(document) => plain::of(document)?,
        None => Plain::Null,
    };
    let root = document.as_ref().map(|document| document.root.as_ref());
    let given = if let Change::Set(text) = change { text.trim() } else { "" };
    let edited = change::Editor { source, given }.run(root, path, value.as_ref())?;
    let mut expected = before;
    plain::apply(&mut expected, path, edited.value.clone());
    verify(source, &apply(source, &edited.edits)?, &expected, path)?;
    Ok(edited.edits)
}

/// Whether `source` itself has a value at `path`.
pub fn has(source: &Source, path: &[Segment]) -> bool {
    let document = single_document(source).ok().flatten();
    let tree = document.and_then(|document| plain::of(&document).ok());
    tree.is_some_and(|tree| plain::at(&tree, path).is_some())
}

fn single_document(source: &Source) -> Result<Option<Document>, Diagnostic> {
    let mut documents = yaml::parse(source, &Limits::default())?;
    if documents.len() > 1 {
        let second = documents[1].root.span;
        return Err(Diagnostic::error(format!("{} holds several documents", source.name()))
            .label(source, second, "the second one")
            .hint("put them into files of their own, or edit by hand"));
    }
    Ok(documents.pop())
}

/// Reads the new text and holds it against what it must mean.
fn verify(source: &Source, text: &str, expected: &Plain, path: &[Segment]) -> Result<(), Diagnostic> {
    let place = path_text(path);
    let new = Source::new(source.name(), text);
    let read = single_document(&new).and_then(|document| match document {
        Some(document) => plain::of(&document),
        None => Ok(Plain::Null),
    });
    let problem = match read {
        Ok(read) if read == *expected => return Ok(()),
        Ok(read) => {
            let other = plain::first_difference(&read, expected);
            format!("it would change `{other}` too")
        }
        Err(error) => format!("the new text could not be read: {}", error.title),
    };
    let mut error = Diagnostic::error(format!("`{place}` cannot be changed alone: {problem}"));
    if let Ok(Some(document)) = single_document(source)
        && let Some(span) = change::nearest(&document.root, path)
    {
        error = error.label(source, span, "");
    }
    Err(error.hint("an anchor (`&name`) gives this value to other places as well; edit the file by hand"))
}
