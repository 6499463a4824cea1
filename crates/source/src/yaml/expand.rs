use std::{collections::HashMap, sync::Arc};

use super::{Document, Entry, Kind, Limits, Node, Scalar, Style, Tag, parse::too_deep};
use crate::{Diagnostic, Source, Span};

/// A node without aliases and merge keys; every part keeps the span where it was written.
#[derive(Clone, Debug)]
pub struct Expanded {
    /// Where the value was written; for an aliased value, at its anchor.
    pub span: Span,
    /// The explicit tag.
    pub tag: Option<Tag>,
    /// What it holds.
    pub kind: ExpandedKind,
}

/// What an [`Expanded`] node holds.
#[derive(Clone, Debug)]
pub enum ExpandedKind {
    /// A scalar as written.
    Scalar(Scalar),
    /// The items in order.
    Sequence(Vec<Expanded>),
    /// Key, place of the key, value. Keys are scalars and unique; entries of merge keys stand behind the mapping's own.
    Mapping(Vec<(Scalar, Span, Expanded)>),
}

impl Document {
    /// Replaces aliases by what they name and merge keys (`<<`) by the entries that they bring.
    ///
    /// Fails on duplicate keys, on keys that are collections, on a merge of something that is not a mapping, and when
    /// the result exceeds `limits` (a chain of aliases can grow exponentially).
    pub fn expand(&self, limits: &Limits) -> Result<Expanded, Diagnostic> {
        Expander { source: &self.source, limits, nodes: 0 }.node(&self.root, 0)
    }
}

struct Expander<'a> {
    source: &'a Source,
    limits: &'a Limits,
    nodes: usize,
}

impl Expander<'_> {
    fn node(&mut self, node: &Node, depth: usize) -> Result<Expanded, Diagnostic> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(Diagnostic::error(format!(
                "{} grows too large: more than {} values once its aliases are replaced",
                self.source.name(),
                self.limits.nodes
            ))
            .label(self.source, node.span, "the limit was reached here")
            .hint("aliases of aliases multiply; write the values out or use fewer"));
        }
        if depth > self.limits.depth {
            return Err(too_deep(self.source, node.span, self.limits));
        }
        let kind = match &node.kind {
            Kind::Alias { target, .. } => return self.node(target, depth),
            Kind::Scalar(scalar) => ExpandedKind::Scalar(scalar.clone()),
            Kind::Sequence { items, .. } => ExpandedKind::Sequence(
                items.iter().map(|item| self.node(item, depth + 1)).collect::<Result<_, _>>()?,
            ),
            Kind::Mapping { entries, .. } => ExpandedKind::Mapping(self.mapping(entries, depth)?),
        };
        Ok(Expanded { span: node.span, tag: node.tag.clone(), kind })
    }

    fn mapping(
        &mut self,
        entries: &[Entry],
        depth: usize,
    ) -> Result<Vec<(Scalar, Span, Expanded)>, Diagnostic> {
        let mut own: Vec<(Scalar, Span, Expanded)> = Vec::with_capacity(entries.len());
        let mut seen: HashMap<String, Span> = HashMap::with_capacity(entries.len());
        let mut merges: Vec<&Arc<Node>> = Vec::new();
        for entry in entries {
            let key = self.key(&entry.key)?;
            let is_merge = key.text == "<<" && key.style == Style::Plain;
            if let Some(first) = seen.insert(key.text.clone(), entry.key.span) {
                return Err(self.duplicate(&key.text, first, entry.key.span));
            }
            if is_merge {
                merges.push(&entry.value);
            } else {
                own.push((key, entry.key.span, self.node(&entry.value, depth + 1)?));
            }
        }
        for value in merges {
            for (key, span, value) in self.merged(value, depth)? {
                if !seen.contains_key(&key.text) {
                    seen.insert(key.text.clone(), span);
                    own.push((key, span, value));
                }
            }
        }
        Ok(own)
    }

    /// The entries that a merge key brings; of several mappings the first one wins.
    fn merged(&mut self, value: &Node, depth: usize) -> Result<Vec<(Scalar, Span, Expanded)>, Diagnostic> {
        if depth > self.limits.depth {
            return Err(too_deep(self.source, value.span, self.limits));
        }
        match &value.kind {
            Kind::Alias { target, .. } => self.merged(target, depth + 1),
            Kind::Mapping { entries, .. } => self.mapping(entries, depth),
            Kind::Sequence { items, .. } => {
                let mut all = Vec::new();
                for item in items {
                    if matches!(resolved(item).kind, Kind::Sequence { .. }) {
                        return Err(self.bad_merge(item.span));
                    }
                    let mut part = self.merged(item, depth + 1)?;
                    all.append(&mut part);
                }
                Ok(all)
            }
            Kind::Scalar(_) => Err(self.bad_merge(value.span)),
        }
    }

    fn bad_merge(&self, span: Span) -> Diagnostic {
        Diagnostic::error("a merge key (`<<`) needs a mapping or a list of mappings")
            .label(self.source, span, "this is not a mapping")
            .hint("name an anchored mapping: `<<: *defaults`")
    }

    fn key(&self, key: &Node) -> Result<Scalar, Diagnostic> {
        match &resolved(key).kind {
            Kind::Scalar(scalar) => Ok(scalar.clone()),
            _ => Err(Diagnostic::error("a key must be a single word or string").label(
                self.source,
                key.span,
                "this is a collection",
            )),
        }
    }

    fn duplicate(&self, key: &str, first: Span, second: Span) -> Diagnostic {
        let line = self.source.line_col(first.start).line;
        Diagnostic::error(format!("key `{key}` is given twice, first on line {line}"))
            .label(self.source, second, "given again here")
            .label(self.source, first, "first given here")
            .hint("keep one of them; only one value could be used")
    }
}

fn resolved(mut node: &Node) -> &Node {
    while let Kind::Alias { target, .. } = &node.kind {
        node = target;
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<Expanded, Diagnostic> {
        let limits = Limits::default();
        let source = Source::new("a.yml", text);
        super::super::parse(&source, &limits)?.remove(0).expand(&limits)
    }

    fn text(node: &Expanded) -> String {
        match &node.kind {
            ExpandedKind::Scalar(scalar) => scalar.text.clone(),
            ExpandedKind::Sequence(items) => {
                format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(","))
            }
            ExpandedKind::Mapping(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(key, _, value)| format!("{}:{}", key.text, text(value))).collect();
                format!("{{{}}}", entries.join(","))
            }
        }
    }

    #[test]
    fn merge_keys_do_not_override_and_the_first_mapping_wins() {
        let tree =
            expand("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: 0\n").expect("expands");
        assert_eq!(text(&tree), "{a:{x:1,y:1},b:{y:2,z:2},c:{x:0,y:1,z:2}}");
    }

    #[test]
    fn spans_are_those_of_the_anchor_and_count_bytes() {
        let source = Source::new("a.yml", "ç: &x [é, b]\nd: *x\n");
        let document = super::super::parse(&source, &Limits::default()).expect("parses").remove(0);
        let tree = document.expand(&Limits::default()).expect("expands");
        let ExpandedKind::Mapping(entries) = &tree.kind else { panic!("not a mapping") };
        let ExpandedKind::Sequence(items) = &entries[1].2.kind else { panic!("not a sequence") };
        assert_eq!(source.slice(items[0].span), "é");
        assert_eq!(source.slice(entries[1].2.span), "[é, b]");
        assert_eq!(source.slice(entries[1].1), "d");
    }

    #[test]
    fn duplicates_name_both_places() {
        let error = expand("a: 1\nb: 2\na: 3\n").expect_err("duplicate");
        assert_eq!(error.title, "key `a` is given twice, first on line 1");
        assert_eq!(error.labels.len(), 2);
    }

    #[test]
    fn alias_bombs_self_references_and_depth_are_refused() {
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for level in 1..12 {
            let item = format!("*a{},", level - 1).repeat(9);
            bomb.push_str(&format!("a{level}: &a{level} [{item}]\n"));
        }
        assert!(expand(&bomb).expect_err("bomb").title.contains("grows too large"));
        assert!(expand("a: &a [*a]\n").expect_err("cycle").title.contains("inside the node"));
        assert!(expand(&"[".repeat(1000)).is_err());
        assert!(expand(&format!("a: {}", "- ".repeat(1000))).is_err());
        assert!(expand("<<: scalar\n").expect_err("merge").title.contains("merge key"));
    }
}
