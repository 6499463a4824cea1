use plimsoll_source::Span;

use crate::Word;

/// A heredoc with its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The delimiter without quotes.
    pub name: String,
    /// The file descriptor before `<<`, 0 when none is given.
    pub descriptor: u32,
    /// Whether the delimiter was unquoted, so that variables in the body are expanded.
    pub expand: bool,
    /// `<<-`: leading tabs are to be removed.
    pub chomp: bool,
    /// The lines between, each with its line break. Leading tabs are still there, unless the field that holds the
    /// heredoc says otherwise; see [`Heredoc::chomped`]. Where the line that opens the heredoc and the one that ends it
    /// have Windows line ends, those of the lines between are plain ones here.
    pub content: String,
    /// Where `content` stands.
    pub content_span: Span,
    /// The `<<NAME` word.
    pub word: Word,
}

impl Heredoc {
    /// The content with leading tabs removed if it is a `<<-`.
    pub fn chomped(&self) -> String {
        if !self.chomp {
            return self.content.clone();
        }
        self.content.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
    }
}
