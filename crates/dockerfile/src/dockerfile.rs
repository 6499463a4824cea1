use plimsoll_source::{Diagnostic, Source, Span};

use crate::{Arg, Instruction, Word};

/// A whole Dockerfile, typed. Nothing in it is expanded.
#[derive(Clone, Debug)]
pub struct Dockerfile {
    /// The text that all spans point into.
    pub source: Source,
    /// The parser directives at its top.
    pub directives: Directives,
    /// The ARG instructions before the first FROM, in order; see [`Dockerfile::global_args`].
    pub meta_args: Vec<Statement<Arg>>,
    /// The stages, in order; at least one.
    pub stages: Vec<Stage>,
    /// The first heredoc whose lines were read without the `\r` of their Windows line ends.
    pub windows_heredoc: Option<Span>,
    /// What the parser found worth a warning (build checks are separate: [`crate::checks`]).
    pub warnings: Vec<Diagnostic>,
}

/// The parser directives: `# name=value` lines before anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives {
    /// `# syntax=`: the image of the frontend. Plimsoll is its own frontend, so this is only shown.
    pub syntax: Option<Word>,
    /// `# escape=`: the character that escapes and continues lines, `\` or `` ` ``.
    pub escape: char,
    /// Where `# escape=` stands.
    pub escape_word: Option<Word>,
    /// `# check=`: options of the build checks, see [`crate::checks::CheckConfig`].
    pub check: Option<Word>,
}

impl Default for Directives {
    fn default() -> Self {
        Self { syntax: None, escape: '\\', escape_word: None, check: None }
    }
}

/// One instruction with everything around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement<T = Instruction> {
    /// What the instruction says, typed.
    pub value: T,
    /// From its keyword to the end of its last line (heredoc terminators included, the line break not).
    pub span: Span,
    /// First and last line, from 1.
    pub lines: Lines,
    /// The keyword as it was written, `RUN` or `run`.
    pub keyword: Word,
    /// The logical line, trimmed, continuations removed, without heredoc bodies. This is what BuildKit prints and records.
    pub text: String,
    /// The comments directly above it, without `#`, for descriptions and `# check=`.
    pub comments: Vec<Word>,
}

/// An inclusive range of lines, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// The first line, counted from 1.
    pub first: usize,
    /// The last line, counted from 1; that of a heredoc's end.
    pub last: usize,
}

/// `FROM [--platform=P] BASE [AS NAME]` and the instructions up to the next FROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The name after AS, **lower-cased** as BuildKit does; its span shows the original.
    pub name: Option<Word>,
    /// The `AS` keyword as it was written.
    pub as_keyword: Option<Word>,
    /// The base: an image, `scratch` or an earlier stage. Expanded with the **global** arguments only
    /// ([`Dockerfile::global_args`]), which [`Dockerfile::graph`] does.
    pub from: Word,
    /// `--platform`, expanded like `from`.
    pub platform: Option<Word>,
    /// The instructions, in order.
    pub instructions: Vec<Statement>,
    /// Span of the FROM instruction itself.
    pub span: Span,
    /// Lines of the FROM instruction itself.
    pub lines: Lines,
    /// `FROM` as it was written.
    pub keyword: Word,
    /// The FROM line, continuations removed.
    pub text: String,
    /// The comments directly above FROM, without `#`.
    pub comments: Vec<Word>,
}

impl Stage {
    /// The text of a comment `# NAME description` above FROM, as `--call=targets` shows it.
    pub fn description(&self) -> Option<&str> {
        description(&self.comments, &self.name.as_ref()?.text)
    }
}

/// The rest of the first comment that starts with `name` and a space.
pub(crate) fn description<'a>(comments: &'a [Word], name: &str) -> Option<&'a str> {
    comments.iter().find_map(|comment| comment.text.strip_prefix(name)?.strip_prefix(' '))
}

impl Statement<Arg> {
    /// The text of a comment `# NAME description` above ARG for the argument `name`.
    pub fn description(&self, name: &str) -> Option<&str> {
        description(&self.comments, name)
    }
}
