//! Which bytes a change replaces.

use std::ops::Range;

use plimsoll_source::{
    Diagnostic, Edit, Source, Span,
    yaml::{Entry, Kind, Node, Scalar, Style},
};

use super::{
    path::{Segment, text as path_text},
    plain::{self, Entries, Plain},
    render,
};

/// What changes in the text, and the value that the new one has at the path.
pub(super) struct Edited {
    pub(super) edits: Vec<Edit>,
    pub(super) value: Option<Plain>,
}

/// Makes one change to one text.
pub(super) struct Editor<'a> {
    pub(super) source: &'a Source,
    /// The value as the user gave it.
    pub(super) given: &'a str,
}

/// Where an existing value stands.
struct Slot<'n> {
    node: &'n Node,
    /// Behind the colon or dash in front of it.
    after: usize,
    /// Columns that values below its key are indented by at least.
    indent: usize,
    /// Within brackets.
    flow: bool,
}

type Splice = (Range<usize>, String);

/// The place of the deepest value on the way to `path`.
pub(super) fn nearest(root: &Node, path: &[Segment]) -> Option<Span> {
    let mut at = root;
    let mut span = None;
    for step in path {
        let next = match (&at.kind, step) {
            (Kind::Mapping { entries, .. }, Segment::Key(key)) => {
                let entry = entries.iter().find(|entry| is_key(entry, key))?;
                span = Some(entry.key.span);
                &entry.value
            }
            (Kind::Sequence { items, .. }, Segment::Item(item)) => items.get(*item)?,
            _ => break,
        };
        at = next;
    }
    span
}

fn is_key(entry: &Entry, key: &str) -> bool {
    matches!(&entry.key.kind, Kind::Scalar(scalar) if scalar.text == key)
}

fn is_null(node: &Node) -> bool {
    matches!(&node.kind, Kind::Scalar(Scalar { text, style: Style::Plain })
        if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
}

impl Editor<'_> {
    /// Sets the value at `path`, or removes it.
    pub(super) fn run(
        &self,
        root: Option<&Node>,
        path: &[Segment],
        value: Option<&Plain>,
    ) -> Result<Edited, Diagnostic> {
        let Some(root) = root.filter(|root| !is_null(root)) else {
            return self.whole(path, value);
        };
        let mut slot = Slot { node: root, after: root.span.start, indent: 0, flow: false };
        for (at, step) in path.iter().enumerate() {
            let (done, rest) = (&path[..at], &path[at + 1..]);
            if let Kind::Alias { name, target } = &slot.node.kind {
                return Err(self.behind_alias(done, slot.node, name, target));
            }
            match self.child(&slot, step)? {
                Some(child) if rest.is_empty() && value.is_none() => {
                    return self.remove(root, &slot, child, step, done);
                }
                Some(child) => slot = child,
                None => match value {
                    None => return Err(self.missing(&slot, path, step)),
                    Some(value) => return self.insert(&slot, step, rest, value),
                },
            }
        }
        match value {
            Some(value) => Ok(self.replace(&slot, value)),
            None => Err(Diagnostic::error("a whole file cannot be removed").hint("name a value in it")),
        }
    }

    /// A file without content gets some.
    fn whole(&self, path: &[Segment], value: Option<&Plain>) -> Result<Edited, Diagnostic> {
        let Some(value) = value else {
            let place = path_text(path);
            return Err(Diagnostic::error(format!("{} is empty and has no `{place}`", self.source.name())));
        };
        let mut all = Plain::Null;
        plain::apply(&mut all, path, Some(value.clone()));
        let newline = self.newline();
        let block = render::behind_key(&all, 0, 2, newline);
        let old = self.source.text();
        let gap = if old.is_empty() || old.ends_with('\n') { "" } else { newline };
        let added = format!("{gap}{}{newline}", block.trim_start());
        Ok(Edited { edits: self.edits(vec![(old.len()..old.len(), added)]), value: Some(value.clone()) })
    }

    /// The value below `slot`, if there is one.
    fn child<'n>(&self, slot: &Slot<'n>, step: &Segment) -> Result<Option<Slot<'n>>, Diagnostic> {
        match (&slot.node.kind, step) {
            (Kind::Mapping { entries, flow }, Segment::Key(key)) => {
                let Some(entry) = entries.iter().find(|entry| is_key(entry, key)) else { return Ok(None) };
                let after = self.behind_colon(entry);
                let indent = self.column(slot.node.span.start) + self.step();
                Ok(Some(Slot { node: &entry.value, after, indent, flow: slot.flow || *flow }))
            }
            (Kind::Sequence { items, flow }, Segment::Item(at)) => {
                let Some(item) = items.get(*at) else { return Ok(None) };
                let indent = self.column(item.span.start);
                Ok(Some(Slot { node: item, after: item.span.start, indent, flow: slot.flow || *flow }))
            }
            (Kind::Sequence { .. }, Segment::Append) => Ok(None),
            _ if is_null(slot.node) => Ok(None),
            (kind, step) => {
                let wanted = if let Segment::Key(_) = step { "a mapping" } else { "a list" };
                let found = match kind {
                    Kind::Mapping { .. } => "a mapping",
                    Kind::Sequence { .. } => "a list",
                    _ => "a single value",
                };
                Err(Diagnostic::error(format!(
                    "`{}` needs {wanted} here, but this is {found}",
                    path_text(std::slice::from_ref(step))
                ))
                .label(self.source, slot.node.span, ""))
            }
        }
    }

    fn behind_alias(&self, done: &[Segment], node: &Node, name: &str, target: &Node) -> Diagnostic {
        Diagnostic::error(format!("`{}` is an alias: its values stand at `&{name}`", path_text(done)))
            .label(self.source, node.span, "the alias")
            .label(self.source, Span::new(target.span.start, target.span.start), "the values")
            .hint("change them there, for all that use them, or write them out here first")
    }

    fn missing(&self, slot: &Slot<'_>, path: &[Segment], step: &Segment) -> Diagnostic {
        let place = path_text(path);
        if let (Kind::Mapping { entries, .. }, Segment::Key(_)) = (&slot.node.kind, step)
            && let Some(merge) = entries.iter().find(|entry| is_key(entry, "<<"))
        {
            return Diagnostic::error(format!("`{place}` is not written here; a merge key may bring it"))
                .label(self.source, merge.key.span.to(merge.value.span), "the merge key")
                .hint("set it to another value here, or change what is merged");
        }
        let error = Diagnostic::error(format!("{} has no `{place}`", self.source.name()));
        if slot.node.span.start == slot.node.span.end {
            return error;
        }
        error.label(self.source, Span::new(slot.node.span.start, slot.node.span.start), "looked for it here")
    }

    /// Gives an existing key or item another value.
    fn replace(&self, slot: &Slot<'_>, value: &Plain) -> Edited {
        let mut value = value.clone();
        let span = slot.node.span;
        let mut style = None;
        if let Kind::Scalar(old) = &slot.node.kind {
            if let Some(text) = plain::keeps_quotes(old, &value, self.given) {
                value = text;
            }
            style =
                Some(old.style).filter(|style| matches!(style, Style::SingleQuoted | Style::DoubleQuoted));
        }
        let inline = match &value {
            Plain::List(items) => items.is_empty(),
            Plain::Map(Entries(entries)) => entries.is_empty(),
            _ => true,
        };
        let one_line = match &value {
            Plain::Null => "null".to_owned(),
            value => render::flow(value, style, slot.flow),
        };
        let block = match &slot.node.kind {
            Kind::Scalar(scalar) => matches!(scalar.style, Style::Literal | Style::Folded),
            Kind::Sequence { flow, .. } | Kind::Mapping { flow, .. } => !flow,
            Kind::Alias { .. } => false,
        };
        let in_brackets =
            matches!(&slot.node.kind, Kind::Sequence { flow: true, .. } | Kind::Mapping { flow: true, .. });
        let is_item = slot.after == span.start && span.start < span.end;
        let lines = || render::behind_key(&value, slot.indent, self.step(), self.newline());
        let splices = if slot.flow || in_brackets || (!block && inline && span.start < span.end) {
            vec![(span.range(), one_line)]
        } else if is_item {
            let text = if inline { one_line } else { lines().trim_start().to_owned() };
            vec![(span.start..self.node_end(slot.node), text)]
        } else {
            let line_end = self.line_end(slot.after);
            let mut splices = Vec::new();
            if inline {
                splices.push((slot.after..slot.after, format!(" {one_line}")));
            }
            splices.extend(self.without_old(slot, block, line_end));
            if !inline {
                splices.push((line_end..line_end, lines()));
            }
            splices
        };
        Edited { edits: self.edits(splices), value: Some(value) }
    }

    /// What goes when a value that stands behind its key makes room; comments on the key's line stay.
    fn without_old(&self, slot: &Slot<'_>, block: bool, line_end: usize) -> Vec<Splice> {
        let span = slot.node.span;
        if span.start == span.end {
            return Vec::new();
        }
        if !block {
            return vec![(slot.after..span.end, String::new())];
        }
        let mut gone = Vec::new();
        if let Kind::Scalar(_) = &slot.node.kind {
            let line = &self.source.text()[slot.after..line_end];
            if let Some(sign) = line.find(['|', '>']) {
                let length = line[sign..].find(char::is_whitespace).unwrap_or(line.len() - sign);
                gone.push((slot.after..slot.after + sign + length, String::new()));
            }
        }
        gone.push((line_end..self.node_end(slot.node).max(line_end), String::new()));
        gone
    }

    /// Adds what is not there yet below `slot`.
    fn insert(
        &self,
        slot: &Slot<'_>,
        step: &Segment,
        rest: &[Segment],
        value: &Plain,
    ) -> Result<Edited, Diagnostic> {
        let mut inner = Plain::Null;
        plain::apply(&mut inner, rest, Some(value.clone()));
        let node = slot.node;
        let newline = self.newline();
        let splice = match (&node.kind, step) {
            (Kind::Mapping { flow: true, entries }, Segment::Key(key)) => {
                let entry = format!("{}: {}", render::key(key, true), render::flow(&inner, None, true));
                self.add_to_brackets(
                    node,
                    entries.last().map(|entry| entry.key.span.to(entry.value.span)),
                    entry,
                )?
            }
            (Kind::Sequence { flow: true, items }, _) => self.add_to_brackets(
                node,
                items.last().map(|item| item.span),
                render::flow(&inner, None, true),
            )?,
            (Kind::Mapping { entries, .. }, Segment::Key(key)) => {
                let indent = self.column(node.span.start);
                let end = entries.last().map_or(node.span.end, |entry| self.entry_end(entry));
                let end = self.line_end(end);
                let behind = render::behind_key(&inner, indent + self.step(), self.step(), newline);
                let pad = " ".repeat(indent);
                (end..end, format!("{newline}{pad}{}:{behind}", render::key(key, false)))
            }
            (Kind::Sequence { items, .. }, Segment::Item(_) | Segment::Append) => {
                let indent = self.column(self.dash(node, items));
                let last =
                    items.last().map_or(node.span.end, |item| self.node_end(item).max(item.span.start));
                let end = self.line_end(last);
                let item = render::list_item(&inner, indent, self.step(), newline);
                (end..end, format!("{newline}{}{item}", " ".repeat(indent)))
            }
            // Nothing yet, where a mapping or a list belongs.
            _ => {
                let mut whole = Plain::Null;
                let path: Vec<Segment> = std::iter::once(step.clone()).chain(rest.iter().cloned()).collect();
                plain::apply(&mut whole, &path, Some(value.clone()));
                return Ok(Edited { value: Some(value.clone()), ..self.replace(slot, &whole) });
            }
        };
        Ok(Edited { edits: self.edits(vec![splice]), value: Some(value.clone()) })
    }

    fn add_to_brackets(&self, node: &Node, last: Option<Span>, entry: String) -> Result<Splice, Diagnostic> {
        self.one_line(node)?;
        let close = node.span.end - 1;
        let Some(last) = last else {
            return Ok((node.span.start + 1..close, entry));
        };
        let comma = self.source.text()[last.end..close].contains(',');
        let at = if comma { close } else { last.end };
        Ok((at..at, if comma { format!(" {entry}") } else { format!(", {entry}") }))
    }

    fn one_line(&self, node: &Node) -> Result<(), Diagnostic> {
        if !self.source.slice(node.span).contains('\n') {
            return Ok(());
        }
        let opening = Span::new(node.span.start, node.span.start + 1);
        Err(Diagnostic::error("brackets over several lines are not changed in place")
            .label(self.source, opening, "they open here")
            .hint("set the whole value, or edit it by hand"))
    }

    /// Removes the child of `slot` that `step` names.
    fn remove(
        &self,
        root: &Node,
        slot: &Slot<'_>,
        child: Slot<'_>,
        step: &Segment,
        done: &[Segment],
    ) -> Result<Edited, Diagnostic> {
        let parts: Vec<Span> = match &slot.node.kind {
            Kind::Mapping { entries, .. } => {
                entries.iter().map(|entry| Span::new(entry.key.span.start, self.entry_end(entry))).collect()
            }
            Kind::Sequence { items, .. } => items
                .iter()
                .map(|item| Span::new(item.span.start, self.node_end(item).max(item.span.start)))
                .collect(),
            Kind::Scalar(_) | Kind::Alias { .. } => Vec::new(),
        };
        let at = match (step, &slot.node.kind) {
            (Segment::Item(at), _) => *at,
            (Segment::Key(key), Kind::Mapping { entries, .. }) => {
                entries.iter().position(|entry| is_key(entry, key)).unwrap_or_default()
            }
            _ => 0,
        };
        if parts.len() == 1 {
            if std::ptr::eq(slot.node, root) {
                return Err(Diagnostic::error("this is the file's only value")
                    .label(self.source, parts[0], "")
                    .hint("remove the file"));
            }
            let nothing = if let Segment::Key(_) = step {
                Plain::Map(Entries::default())
            } else {
                Plain::List(Vec::new())
            };
            return Ok(Edited { value: None, ..self.replace(slot, &nothing) });
        }
        let gone = if child.flow {
            self.one_line(slot.node)?;
            match at.checked_sub(1) {
                Some(before) => parts[before].end..parts[at].end,
                None => parts[0].start..parts[1].start,
            }
        } else {
            self.lines_of(&parts, at, matches!(step, Segment::Item(_)), done)?
        };
        Ok(Edited { edits: self.edits(vec![(gone, String::new())]), value: None })
    }

    /// The lines of one entry or item of a block collection.
    fn lines_of(
        &self,
        parts: &[Span],
        at: usize,
        item: bool,
        done: &[Segment],
    ) -> Result<Range<usize>, Diagnostic> {
        let text = self.source.text();
        let part = parts[at];
        let line = self.line_start(part.start);
        let front = text[line..part.start].trim_start();
        let whole_line = if item { front.trim_end() == "-" } else { front.is_empty() };
        if !whole_line {
            // The first entry of a mapping that starts behind its dash: the next one moves up.
            let next = parts.get(at + 1).filter(|next| !item && text[part.end..next.start].trim().is_empty());
            return match next {
                Some(next) => Ok(part.start..next.start),
                None => Err(Diagnostic::error(format!(
                    "the line of this value in `{}` holds something else too",
                    path_text(done)
                ))
                .label(self.source, part, "")
                .hint("edit it by hand")),
            };
        }
        let end = self.line_end(part.end);
        let behind = text[end..].find('\n').map_or(text.len(), |newline| end + newline + 1);
        // At the end of a file without a last line break the one in front goes.
        let start = if behind == text.len() && !text.ends_with('\n') {
            text[..line].trim_end_matches(['\n', '\r']).len()
        } else {
            line
        };
        Ok(start..behind)
    }

    fn edits(&self, splices: Vec<Splice>) -> Vec<Edit> {
        splices
            .into_iter()
            .map(|(range, text)| Edit::new(self.source, Span::new(range.start, range.end), text))
            .collect()
    }

    fn newline(&self) -> &'static str {
        if self.source.text().contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// How far the file indents: what its first indented line has.
    fn step(&self) -> usize {
        let indents = self.source.text().lines().filter(|line| !line.trim_start().starts_with(['#', '-']));
        let first =
            indents.map(|line| line.len() - line.trim_start_matches(' ').len()).find(|blanks| *blanks > 0);
        first.unwrap_or(2).clamp(1, 8)
    }

    fn column(&self, at: usize) -> usize {
        at - self.line_start(at)
    }

    fn line_start(&self, at: usize) -> usize {
        self.source.text()[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// The end of the line of `at`, in front of its line break.
    fn line_end(&self, at: usize) -> usize {
        let rest = &self.source.text()[at..];
        let line = rest.find('\n').map_or(rest, |newline| &rest[..newline]);
        at + line.trim_end_matches('\r').len()
    }

    /// Behind the colon of an entry.
    fn behind_colon(&self, entry: &Entry) -> usize {
        let behind = entry.key.span.end;
        let text = &self.source.text()[behind..];
        behind + text.find(':').map_or(0, |colon| colon + 1)
    }

    fn entry_end(&self, entry: &Entry) -> usize {
        self.node_end(&entry.value).max(self.behind_colon(entry))
    }

    /// The end of a value without line breaks, blanks and comments behind it; 0 for one that is not written.
    fn node_end(&self, node: &Node) -> usize {
        match &node.kind {
            Kind::Mapping { entries, flow: false } => entries.last().map_or(0, |last| self.entry_end(last)),
            Kind::Sequence { items, flow: false } => items.last().map_or(0, |last| self.node_end(last)),
            Kind::Scalar(Scalar { text, style: Style::Plain }) if text.is_empty() => 0,
            _ => node.span.start + self.source.slice(node.span).trim_end().len(),
        }
    }

    /// The first dash of a block list. One that is not indented does not say so itself.
    fn dash(&self, list: &Node, items: &[std::sync::Arc<Node>]) -> usize {
        let Some(first) = items.first().filter(|first| !is_null(first)) else { return list.span.start };
        let line = self.line_start(first.span.start);
        let front = &self.source.text()[line..first.span.start];
        front.rfind('-').map_or(list.span.start, |dash| line + dash)
    }
}
