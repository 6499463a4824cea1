use std::{collections::HashMap, sync::Arc};

use granit_parser::{Event, Parser, ScalarStyle, ScanError, StructureStyle};

use super::{Document, Entry, Kind, Node, Scalar, Style, Tag};
use crate::{Diagnostic, Source, Span};

/// Bounds on what a text may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Size of the text in bytes.
    pub bytes: usize,
    /// Nesting of collections, aliases followed.
    pub depth: usize,
    /// Nodes of the expanded tree of one document.
    pub nodes: usize,
}

impl Default for Limits {
    /// 2 MiB, 100 levels, 250,000 nodes: an order of magnitude above the largest configuration files that people write.
    fn default() -> Self {
        Self { bytes: 2 << 20, depth: 100, nodes: 250_000 }
    }
}

/// Reads all documents of a stream. Stops at the first syntax error, as the reference readers do.
pub fn parse(source: &Source, limits: &Limits) -> Result<Vec<Document>, Diagnostic> {
    let text = source.text();
    if text.len() > limits.bytes {
        return Err(Diagnostic::error(format!(
            "{} is too large: {} bytes, at most {} are read",
            source.name(),
            text.len(),
            limits.bytes
        ))
        .hint("split the file, or check that it is the file that was meant"));
    }
    let options = granit_parser::options! {
        emit_comments: false,
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
        // Our own check comes first and says more.
        block_nesting_limit: limits.depth + 1,
        flow_nesting_limit: limits.depth + 1,
        simple_key_max_lookahead: 4096,
    };
    let mut builder =
        Builder { source, limits, stack: Vec::new(), anchors: HashMap::new(), documents: Vec::new() };
    // A byte order mark is not content, but spans stay those of the whole text.
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| syntax_error(source, &error))?;
        builder.event(event, &span)?;
    }
    Ok(builder.documents)
}

/// A collection or document whose end has not been seen.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Arc<Node>>,
}

struct Anchor {
    name: String,
    /// `None` while the node is still open: an alias to it would contain itself.
    node: Option<Arc<Node>>,
}

struct Builder<'a> {
    source: &'a Source,
    limits: &'a Limits,
    stack: Vec<Open>,
    anchors: HashMap<usize, Anchor>,
    documents: Vec<Document>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, at: &granit_parser::Span) -> Result<(), Diagnostic> {
        let span = byte_span(at);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = Kind::Scalar(Scalar { text: text.into_owned(), style: scalar_style(style) });
                let node = Node { span, tag: tag.map(|tag| read_tag(&tag, at)), anchor: None, kind };
                let node = Arc::new(node);
                if anchor != 0 {
                    self.anchors.insert(anchor, Anchor { name: String::new(), node: Some(node.clone()) });
                }
                self.add(node);
            }
            Event::SequenceStart(style, anchor, tag) => {
                let kind = Kind::Sequence { items: Vec::new(), flow: style == StructureStyle::Flow };
                self.open(kind, span, anchor, tag.map(|tag| read_tag(&tag, at)))?;
            }
            Event::MappingStart(style, anchor, tag) => {
                let kind = Kind::Mapping { entries: Vec::new(), flow: style == StructureStyle::Flow };
                self.open(kind, span, anchor, tag.map(|tag| read_tag(&tag, at)))?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(id) => {
                let target = self.anchors.get(&id).and_then(|anchor| anchor.node.clone());
                let name = self.source.slice(span).trim_start_matches('*').to_owned();
                let Some(target) = target else {
                    return Err(Diagnostic::error(format!(
                        "alias `*{name}` stands inside the node that it names"
                    ))
                    .label(self.source, span, "this would contain itself"));
                };
                self.add(Arc::new(Node {
                    span,
                    tag: None,
                    anchor: None,
                    kind: Kind::Alias { name, target },
                }));
            }
            Event::UnresolvedAlias(name) => {
                return Err(Diagnostic::error(format!("alias `*{name}` names no anchor in front of it"))
                    .label(self.source, span, "no such anchor")
                    .hint(format!("mark the value that is meant with `&{name}`, above this line")));
            }
            Event::Anchor(id, name) => {
                if let Some(anchor) = self.anchors.get_mut(&id) {
                    anchor.name = name.into_owned();
                }
            }
            Event::DocumentEnd => self.anchors.clear(),
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, kind: Kind, span: Span, anchor: usize, tag: Option<Tag>) -> Result<(), Diagnostic> {
        if self.stack.len() >= self.limits.depth {
            return Err(too_deep(self.source, span, self.limits));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, Anchor { name: String::new(), node: None });
        }
        self.stack.push(Open { node: Node { span, tag, anchor: None, kind }, anchor, key: None });
        Ok(())
    }

    fn close(&mut self, end: Span) {
        let Some(mut open) = self.stack.pop() else { return };
        let (last, flow) = match &open.node.kind {
            Kind::Sequence { items, flow } => (items.last().map(|item| item.span), *flow),
            Kind::Mapping { entries, flow } => {
                (entries.last().map(|entry| entry.key.span.to(entry.value.span)), *flow)
            }
            Kind::Scalar(_) | Kind::Alias { .. } => (None, false),
        };
        // The end event of a block collection stands at the next token, behind comments and blank lines.
        let end = if flow { end } else { last.unwrap_or(open.node.span) };
        open.node.span = open.node.span.to(end);
        if let Some(anchor) = self.anchors.get(&open.anchor) {
            open.node.anchor = Some(anchor.name.clone());
        }
        let node = Arc::new(open.node);
        if let Some(anchor) = self.anchors.get_mut(&open.anchor) {
            anchor.node = Some(node.clone());
        }
        self.add(node);
    }

    fn add(&mut self, node: Arc<Node>) {
        let Some(open) = self.stack.last_mut() else {
            self.documents.push(Document { source: self.source.clone(), root: node });
            return;
        };
        match &mut open.node.kind {
            Kind::Sequence { items, .. } => items.push(node),
            Kind::Mapping { entries, .. } => match open.key.take() {
                None => open.key = Some(node),
                Some(key) => entries.push(Entry { key, value: node }),
            },
            Kind::Scalar(_) | Kind::Alias { .. } => {}
        }
    }
}

pub(super) fn too_deep(source: &Source, span: Span, limits: &Limits) -> Diagnostic {
    Diagnostic::error(format!("nested too deeply: more than {} levels", limits.depth))
        .label(source, span, "this level is one too many")
        .hint("no configuration needs such nesting; check what wrote this file")
}

fn syntax_error(source: &Source, error: &ScanError) -> Diagnostic {
    let at = error.marker().byte_offset().unwrap_or(0).min(source.text().len());
    let at = (0..=at).rev().find(|&at| source.text().is_char_boundary(at)).unwrap_or(0);
    let end = source.text()[at..]
        .chars()
        .next()
        .filter(|next| *next != '\n')
        .map_or(at, |next| at + next.len_utf8());
    let diagnostic =
        Diagnostic::error(format!("not valid YAML: {}", error.info())).label(source, Span::new(at, end), "");
    let before = &source.text()[..at];
    let line = &before[before.rfind('\n').map_or(0, |newline| newline + 1)..];
    if before.ends_with('$') {
        diagnostic.hint("put the value in quotes: inside `{…}` a brace ends it")
    } else if line.contains('\t') {
        diagnostic.hint("indent with spaces, not tabs")
    } else {
        diagnostic
    }
}

fn byte_span(span: &granit_parser::Span) -> Span {
    span.byte_range().map_or_else(Span::default, |range| Span::new(range.start, range.end.max(range.start)))
}

fn scalar_style(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    }
}

fn read_tag(tag: &granit_parser::Tag, at: &granit_parser::Span) -> Tag {
    let span = at.tag_span().map_or_else(|| byte_span(at), |span| byte_span(&span));
    Tag { name: format!("{}{}", tag.handle(), tag.suffix()), span }
}
