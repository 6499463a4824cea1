//! The first layer: text to nodes. A node is one instruction with its flags, arguments and heredocs, all with
//! places, but not yet typed: unknown instructions and flags are still there.
//!
//! In: a [`Source`]. Out: [`Syntax`], and a [`Fault`] for every line that is wrong; the rest is still parsed. An
//! unterminated heredoc ends the file.
mod directive;
mod flag;
mod heredoc;
mod json;
pub(crate) mod line;
mod words;

use plimsoll_source::{Diagnostic, Source, Span};

pub use directive::detect_syntax;
pub(crate) use directive::in_comment;
pub use flag::Flag;
pub(crate) use heredoc::parse_marker;

use self::{
    directive::DirectiveReader,
    json::Json,
    line::{LogicalLine, Part},
};
use crate::{ArgDefinition, Directives, Heredoc, KeyValue, Lines, Word};

/// A text longer than this many bytes is refused.
pub const MAX_TEXT: usize = 2 << 20;
/// A text with more instructions than this is refused.
pub const MAX_INSTRUCTIONS: usize = 10_000;
/// How many ONBUILD may nest before the parser stops looking inside.
const MAX_NESTING: usize = 8;

/// The nodes of a Dockerfile.
#[derive(Clone, Debug, Default)]
pub struct Syntax {
    /// The parser directives.
    pub directives: Directives,
    /// The instructions in order.
    pub nodes: Vec<Node>,
    /// For each instruction with a blank line inside a continuation: its last line and the span of the blank line.
    pub empty_continuations: Vec<(usize, Span)>,
    /// The first heredoc of a file with Windows line ends: its lines were read without their `\r`.
    pub windows_heredoc: Option<Span>,
}

/// One instruction, untyped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The keyword as it was written.
    pub keyword: Word,
    /// The flags between the keyword and the arguments.
    pub flags: Vec<Flag>,
    /// The arguments. ENV and LABEL have [`Self::pairs`] instead, ONBUILD has [`Self::trigger`].
    pub args: Vec<Word>,
    /// Whether the arguments were a JSON array, and are its decoded strings.
    pub json: bool,
    /// The arguments of ENV and LABEL.
    pub pairs: Vec<KeyValue>,
    /// The arguments of ARG, split at `=`.
    pub definitions: Vec<ArgDefinition>,
    /// The argument of ONBUILD.
    pub trigger: Option<Box<Self>>,
    /// The heredocs of ADD, COPY and RUN; for ONBUILD those of the trigger.
    pub heredocs: Vec<Heredoc>,
    /// The logical line, trimmed.
    pub text: String,
    /// Where the arguments stand, flags not included; behind the keyword when there are none.
    pub args_span: Span,
    /// The whole instruction, heredocs included.
    pub span: Span,
    /// First and last line.
    pub lines: Lines,
    /// The comments directly above.
    pub comments: Vec<Word>,
}

impl Node {
    /// The keyword in upper case.
    pub fn name(&self) -> String {
        self.keyword.text.to_ascii_uppercase()
    }
}

/// How far the text was understood when something was found to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The text of an instruction could not be split into arguments. BuildKit stops before anything else.
    Syntax,
    /// The arguments do not make an instruction. BuildKit says `dockerfile parse error on line N` and stops there.
    Instruction,
}

/// Something that is wrong in a Dockerfile.
#[derive(Clone, Debug)]
pub struct Fault {
    /// How far the text was understood.
    pub phase: Phase,
    /// The lines of the instruction.
    pub lines: Lines,
    /// The message, with BuildKit's wording as its title.
    pub diagnostic: Diagnostic,
}

/// Splits the text of `source` into nodes.
pub fn parse(source: &Source) -> (Syntax, Vec<Fault>) {
    let text = source.text();
    let refuse = |title: String| {
        let diagnostic = Diagnostic::error(title).label(source, Span::new(0, 0), "");
        vec![Fault { phase: Phase::Syntax, lines: Lines { first: 1, last: 1 }, diagnostic }]
    };
    if text.is_empty() {
        return (Syntax::default(), refuse("the Dockerfile cannot be empty".to_owned()));
    }
    if text.len() > MAX_TEXT {
        let title = format!("the Dockerfile has {} bytes, more than {MAX_TEXT} are not read", text.len());
        return (Syntax::default(), refuse(title));
    }
    let mut parser = Parser::new(source);
    parser.run();
    if parser.syntax.nodes.is_empty() && parser.faults.is_empty() {
        parser.faults = refuse("file with no instructions".to_owned());
    }
    (parser.syntax, parser.faults)
}

/// A raw line without its line break.
#[derive(Clone, Copy)]
struct RawLine<'a> {
    text: &'a str,
    /// With its line break.
    full: &'a str,
    start: usize,
    number: usize,
}

impl RawLine<'_> {
    fn is_comment(self) -> bool {
        self.text.trim_start().starts_with('#')
    }

    fn end(self) -> usize {
        self.start + self.text.len()
    }
}

/// The text in front of a continuation character, if there is one; else the whole.
fn split_continuation(text: &str, escape: char) -> (&str, bool) {
    let trimmed = text.trim_end_matches([' ', '\t']);
    match trimmed.strip_suffix(escape) {
        // Two of them are an escaped one and continue nothing.
        Some(before) if !before.ends_with(escape) => (before, true),
        _ => (text, false),
    }
}

struct Parser<'a> {
    source: &'a Source,
    /// What is still to be read.
    rest: &'a str,
    at: usize,
    number: usize,
    directives: DirectiveReader,
    comments: Vec<Word>,
    syntax: Syntax,
    faults: Vec<Fault>,
}

impl<'a> Parser<'a> {
    fn new(source: &'a Source) -> Self {
        let text = source.text();
        let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            source,
            rest,
            at: text.len() - rest.len(),
            number: 0,
            directives: DirectiveReader::default(),
            comments: Vec::new(),
            syntax: Syntax::default(),
            faults: Vec::new(),
        }
    }

    fn next_line(&mut self) -> Option<RawLine<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let len = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
        let (full, rest) = self.rest.split_at(len);
        let start = self.at;
        self.rest = rest;
        self.at += len;
        self.number += 1;
        Some(RawLine { text: full.trim_end_matches(['\r', '\n']), full, start, number: self.number })
    }

    fn fault(&mut self, lines: Lines, title: impl Into<String>, span: Span) {
        let diagnostic = Diagnostic::error(title).label(self.source, span, "");
        self.faults.push(Fault { phase: Phase::Syntax, lines, diagnostic });
    }

    fn run(&mut self) {
        while let Some(raw) = self.next_line() {
            let indent = raw.text.len() - raw.text.trim_start().len();
            let text = &raw.text[indent..];
            let start = raw.start + indent;
            match self.directives.line(text, start, &mut self.syntax.directives) {
                Ok(true) => continue,
                Ok(false) => {}
                Err((title, word)) => {
                    self.fault(Lines { first: raw.number, last: raw.number }, title, word.span);
                    continue;
                }
            }
            if let Some(comment) = text.strip_prefix('#') {
                self.comment(comment, start + 1);
            } else if text.is_empty() {
                self.comments.clear();
            } else {
                if self.syntax.nodes.len() >= MAX_INSTRUCTIONS {
                    let lines = Lines { first: raw.number, last: raw.number };
                    let title = format!("more than {MAX_INSTRUCTIONS} instructions are not read");
                    return self.fault(lines, title, Span::new(start, raw.end()));
                }
                self.instruction(raw, text, start);
            }
        }
    }

    fn comment(&mut self, comment: &str, start: usize) {
        let indent = comment.len() - comment.trim_start().len();
        let comment = comment.trim();
        if comment.is_empty() {
            self.comments.clear();
        } else {
            let start = start + indent;
            self.comments.push(Word::new(comment, Span::new(start, start + comment.len())));
        }
    }

    /// Reads the instruction that starts with `text` on the line `raw`.
    fn instruction(&mut self, raw: RawLine<'a>, text: &'a str, start: usize) {
        let comments = std::mem::take(&mut self.comments);
        let escape = self.syntax.directives.escape;
        let mut line = LogicalLine::default();
        let (first, mut continues) = split_continuation(text, escape);
        line.push(first, start);
        let mut last = raw;
        let mut empty = None;
        while continues {
            let Some(next) = self.next_line() else { break };
            last = next;
            if next.is_comment() {
                continue;
            }
            if next.text.trim_start().is_empty() {
                empty.get_or_insert(Span::new(next.start, next.end()));
                continue;
            }
            let (part, more) = split_continuation(next.text, escape);
            line.push(part, next.start);
            continues = more;
        }
        let mut lines = Lines { first: raw.number, last: last.number };
        self.syntax.empty_continuations.extend(empty.map(|span| (lines.last, span)));

        let span = Span::new(start, last.end());
        let mut node = match node(line.all(), escape, span, 0) {
            Ok(node) => node,
            Err((title, word)) => return self.fault(lines, title, word.span),
        };
        node.comments = comments;
        node.span = span;
        if takes_heredocs(&node) && line.text().contains("<<") {
            match self.heredocs(&line, last) {
                Ok((heredocs, last)) => {
                    node.span.end = last.end();
                    lines.last = last.number;
                    if let Some(trigger) = &mut node.trigger {
                        trigger.heredocs.clone_from(&heredocs);
                    }
                    node.heredocs = heredocs;
                }
                Err(word) => {
                    let lines = Lines { first: lines.first, last: self.number };
                    self.fault(lines, "unterminated heredoc", word.span);
                    if let Some(fault) = self.faults.last_mut() {
                        let name = parse_marker(&word).map(|marker| marker.name).unwrap_or_default();
                        fault.diagnostic.hint = Some(format!("end it with a line that is only `{name}`"));
                    }
                    return;
                }
            }
        }
        node.lines = lines;
        self.syntax.nodes.push(node);
    }

    /// Reads the bodies of the heredocs that `line` names; the error is the one that has no end.
    fn heredocs(
        &mut self,
        line: &LogicalLine,
        mut last: RawLine<'a>,
    ) -> Result<(Vec<Heredoc>, RawLine<'a>), Word> {
        let mut heredocs = heredoc::markers(line.all());
        let opens_as_windows = last.full.ends_with("\r\n");
        for heredoc in &mut heredocs {
            let start = self.at;
            loop {
                let next = self.next_line().ok_or_else(|| heredoc.word.clone())?;
                last = next;
                let text = if heredoc.chomp { next.text.trim_start_matches('\t') } else { next.text };
                if text == heredoc.name {
                    heredoc.content_span = Span::new(start, next.start);
                    break;
                }
                heredoc.content.push_str(next.full);
            }
            // Unlike BuildKit, which hands the `\r` to the program: the whole file has them, from a checkout on Windows.
            let ends_as_windows = last.full.ends_with("\r\n") || !last.full.ends_with('\n');
            if opens_as_windows && ends_as_windows && heredoc.content.contains("\r\n") {
                heredoc.content = heredoc.content.replace("\r\n", "\n");
                self.syntax.windows_heredoc.get_or_insert(heredoc.word.span);
            }
        }
        Ok((heredocs, last))
    }
}

fn takes_heredocs(node: &Node) -> bool {
    let node = match &node.trigger {
        Some(trigger) if node.name() == "ONBUILD" => trigger,
        _ => node,
    };
    !node.json && matches!(node.name().as_str(), "ADD" | "COPY" | "RUN")
}

/// Splits one logical line. `whole` is the span of an instruction without a single character.
fn node(part: Part<'_>, escape: char, whole: Span, nesting: usize) -> Result<Node, (String, Word)> {
    let line = part.trim();
    let (keyword, rest) = line.split_at_blanks();
    let mut node =
        Node { keyword: keyword.word(), text: line.text().to_owned(), span: whole, ..Node::default() };
    let rest = rest.unwrap_or_else(|| line.sub(line.text().len(), line.text().len()));
    let (flags, rest) = flag::split(rest);
    let rest = rest.trim();
    node.flags = flags;
    node.args_span = rest.span();
    let name = node.name();
    match name.as_str() {
        "ADD" | "COPY" => node.list_or_json(rest, |rest| heredoc::join_marks(rest.split_blanks()))?,
        "VOLUME" => node.list_or_json(rest, |rest| rest.split_blanks())?,
        "CMD" | "ENTRYPOINT" | "RUN" | "SHELL" => node.list_or_json(rest, |rest| vec![rest])?,
        "HEALTHCHECK" => {
            let (kind, command) = rest.split_at_blanks();
            if !kind.is_empty() {
                let command = command.unwrap_or_else(|| rest.sub(rest.text().len(), rest.text().len()));
                node.list_or_json(command, |command| vec![command])?;
                node.args.insert(0, kind.word());
            }
        }
        "ENV" | "LABEL" => node.pairs = words::key_values(rest, &name, escape)?,
        "ARG" => {
            let words = words::split(rest, escape);
            node.definitions = words.iter().map(|word| definition(*word)).collect();
            node.args = words.into_iter().map(Part::word).collect();
        }
        "EXPOSE" | "FROM" => node.args = rest.split_blanks().into_iter().map(Part::word).collect(),
        "ONBUILD" if !rest.is_empty() && nesting < MAX_NESTING => {
            node.trigger = Some(Box::new(self::node(rest, escape, rest.span(), nesting + 1)?));
        }
        "MAINTAINER" | "STOPSIGNAL" | "USER" | "WORKDIR" if !rest.is_empty() => node.args = vec![rest.word()],
        _ => {}
    }
    Ok(node)
}

/// `NAME` or `NAME=DEFAULT`.
fn definition(part: Part<'_>) -> ArgDefinition {
    match part.text().find('=') {
        None => ArgDefinition { name: part.word(), value: None },
        Some(at) => {
            let value = part.sub(at + 1, part.text().len()).word();
            ArgDefinition { name: part.sub(0, at).word(), value: Some(value) }
        }
    }
}

impl Node {
    fn list_or_json<'p>(
        &mut self,
        rest: Part<'p>,
        list: impl Fn(Part<'p>) -> Vec<Part<'p>>,
    ) -> Result<(), (String, Word)> {
        match json::parse(rest) {
            Json::Strings(words) => {
                self.args = words;
                self.json = true;
            }
            Json::OtherArray => {
                let title = "when using JSON array syntax, arrays must be comprised of strings only";
                return Err((title.to_owned(), rest.word()));
            }
            Json::Not if rest.is_empty() => {}
            Json::Not => self.args = list(rest).into_iter().map(Part::word).collect(),
        }
        Ok(())
    }
}
