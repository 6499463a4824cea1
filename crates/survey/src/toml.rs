//! TOML with positions: every fact needs the line that it stands on.

use plimsoll_source::{Diagnostic, Source, Span};
use toml::de::{DeTable, DeValue};

/// A value with its place.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

/// What a [`Value`] holds.
#[derive(Debug)]
pub(crate) enum Kind {
    String(String),
    /// A number, a Boolean or a date, as written.
    Literal(String),
    Array(Vec<Value>),
    Table(Vec<Member>),
}

/// One `key = value`, in the order of the file.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Value,
}

impl Value {
    /// The value below nested keys.
    pub(crate) fn at(&self, keys: &[&str]) -> Option<&Value> {
        keys.iter().try_fold(self, |value, key| {
            value.members().iter().find(|member| member.key == *key).map(|member| &member.value)
        })
    }

    /// The members of a table; nothing for other values.
    pub(crate) fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Table(members) => members,
            _ => &[],
        }
    }

    /// The items of an array; nothing for other values.
    pub(crate) fn items(&self) -> &[Value] {
        match &self.kind {
            Kind::Array(items) => items,
            _ => &[],
        }
    }

    /// The text of a string.
    pub(crate) fn str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a string or of another scalar.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) | Kind::Literal(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads a document.
pub(crate) fn parse(source: &Source) -> Result<Value, Diagnostic> {
    let text = source.text();
    let table = DeTable::parse(text).map_err(|error| {
        let span = error.span().map_or_else(Span::default, |range| Span::new(range.start, range.end));
        Diagnostic::error("not valid TOML").label(source, span, error.message().to_owned())
    })?;
    let span = table.span();
    Ok(Value { span: Span::new(span.start, span.end), kind: Kind::Table(members(table.get_ref(), text)) })
}

fn members(table: &DeTable<'_>, text: &str) -> Vec<Member> {
    let mut members: Vec<Member> = table
        .iter()
        .map(|(key, value)| {
            let span = key.span();
            Member {
                key: key.get_ref().to_string(),
                key_span: Span::new(span.start, span.end),
                value: convert(value, text),
            }
        })
        .collect();
    members.sort_by_key(|member| member.key_span.start);
    members
}

fn convert(value: &toml::Spanned<DeValue<'_>>, text: &str) -> Value {
    let range = value.span();
    let kind = match value.get_ref() {
        DeValue::String(text) => Kind::String(text.to_string()),
        DeValue::Array(items) => Kind::Array(items.iter().map(|item| convert(item, text)).collect()),
        DeValue::Table(table) => Kind::Table(members(table, text)),
        _ => Kind::Literal(text.get(range.clone()).unwrap_or_default().to_owned()),
    };
    Value { span: Span::new(range.start, range.end), kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_where_they_stand() {
        let source = Source::new(
            "pyproject.toml",
            "[project]\nname = \"x\"\ndependencies = [\n  \"flask>=3\",\n]\nn = 1\n",
        );
        let root = parse(&source).unwrap();
        let item = &root.at(&["project", "dependencies"]).unwrap().items()[0];
        assert_eq!((item.str(), source.line_col(item.span.start).line), (Some("flask>=3"), 4));
        assert_eq!(root.at(&["project", "n"]).unwrap().scalar(), Some("1"));
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let source = Source::new("pyproject.toml", "[project]\nname = = 1\n");
        let error = parse(&source).map(|_| ()).unwrap_err();
        assert_eq!(source.line_col(error.labels[0].span.start).line, 2);
        assert!(parse(&Source::new("t", "a = ".to_owned() + &"[".repeat(100_000))).is_err());
    }
}
