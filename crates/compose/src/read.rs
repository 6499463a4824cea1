//! From YAML to values: scalars by the core schema, keys that are strings, the marks of `!reset` and `!override`.

use plimsoll_source::{
    Diagnostic, Source,
    yaml::{self, Expanded, ExpandedKind, Limits},
};

use crate::{
    path::Path,
    value::{Kind, Map, Mark, Origin, Value},
};

/// The documents of a file; empty ones are left out.
pub(crate) fn documents(source: &Source) -> Result<Vec<Value>, Diagnostic> {
    let limits = Limits::default();
    let mut values = Vec::new();
    for document in yaml::parse(source, &limits)? {
        let value = value(&document.expand(&limits)?, source, None, &Path::ROOT)?;
        if !value.is_null() {
            values.push(value);
        }
    }
    Ok(values)
}

fn value(
    node: &Expanded,
    source: &Source,
    key: Option<plimsoll_source::Span>,
    path: &Path<'_>,
) -> Result<Value, Diagnostic> {
    let kind = match &node.kind {
        ExpandedKind::Scalar(scalar) => match scalar.resolve(node.tag.as_ref()) {
            yaml::Value::Null => Kind::Null,
            yaml::Value::Bool(value) => Kind::Bool(value),
            yaml::Value::Int(value) => Kind::Int(value),
            yaml::Value::Float(value) => Kind::Float(value),
            yaml::Value::String(text) => Kind::String(text),
        },
        ExpandedKind::Sequence(items) => Kind::List(
            items
                .iter()
                .enumerate()
                .map(|(at, item)| value(item, source, None, &path.item(at)))
                .collect::<Result<_, _>>()?,
        ),
        ExpandedKind::Mapping(entries) => {
            let mut map = Map::with_capacity(entries.len());
            for (key, span, node) in entries {
                if !matches!(key.resolve(None), yaml::Value::String(_)) {
                    return Err(Origin::at(source, *span, None)
                        .error(format!("non-string key in `{path}`: `{}`", key.text))
                        .hint("put the key in quotes"));
                }
                map.insert(key.text.clone(), value(node, source, Some(*span), &path.key(&key.text))?);
            }
            Kind::Map(map)
        }
    };
    let mark = match node.tag.as_ref().map(|tag| tag.name.as_str()) {
        Some("!reset") => Mark::Reset,
        Some("!override") => Mark::Override,
        _ => Mark::Merge,
    };
    Ok(Value { kind, origin: Origin::at(source, node.span, key), mark })
}
