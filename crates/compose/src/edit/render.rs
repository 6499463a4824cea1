//! Values as YAML text, to stand in a file that a person wrote.

use plimsoll_source::yaml::{Style, Value};

use super::plain::Plain;
use crate::write;

/// One line: scalars plain where they can be, collections in brackets.
pub(super) fn flow(value: &Plain, style: Option<Style>, inside: bool) -> String {
    match value {
        Plain::Null if inside => "null".to_owned(),
        Plain::Null => String::new(),
        Plain::Other(value, tag) => tagged(tag.as_ref(), other(value)),
        Plain::Text(text, tag) => tagged(tag.as_ref(), string(text, style, inside)),
        Plain::List(items) => {
            let items: Vec<String> = items.iter().map(|item| flow(item, None, true)).collect();
            format!("[{}]", items.join(", "))
        }
        Plain::Map(entries) => {
            let entries: Vec<String> = entries
                .0
                .iter()
                .map(|(key, value)| format!("{}: {}", string(key, None, true), flow(value, None, true)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// What stands behind `key:` or `-`: a blank and one line, or lines of their own, each with `indent` blanks at least.
/// The text ends without a line break.
pub(super) fn behind_key(value: &Plain, indent: usize, step: usize, newline: &str) -> String {
    let pad = " ".repeat(indent);
    let mut out = String::new();
    match value {
        Plain::Map(entries) if !entries.0.is_empty() => {
            for (key, value) in &entries.0 {
                let key = string(key, None, false);
                let behind = behind_key(value, indent + step, step, newline);
                out.extend([newline, &pad, &key, ":", &behind]);
            }
        }
        Plain::List(items) if !items.is_empty() => {
            for item in items {
                out.extend([newline, &pad, &list_item(item, indent, step, newline)]);
            }
        }
        Plain::Null => {}
        other => out.extend([" ", &flow(other, None, false)]),
    }
    out
}

/// `- value`; a mapping starts on the line of its dash.
pub(super) fn list_item(value: &Plain, indent: usize, step: usize, newline: &str) -> String {
    let behind = behind_key(value, indent + 2, step, newline);
    let front = format!("{newline}{}", " ".repeat(indent + 2));
    match behind.strip_prefix(&front) {
        Some(rest) => format!("- {rest}"),
        None => format!("-{behind}"),
    }
}

/// A key as it stands in front of its colon.
pub(super) fn key(key: &str, inside: bool) -> String {
    string(key, None, inside)
}

fn tagged(tag: Option<&String>, text: String) -> String {
    match tag {
        Some(tag) => match tag.strip_prefix("tag:yaml.org,2002:") {
            Some(core) => format!("!!{core} {text}"),
            None => format!("{tag} {text}"),
        },
        None => text,
    }
}

fn other(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => {
            let text = crate::value::float_text(*value);
            if text.contains(['.', 'e', 'n', 'i']) { text } else { format!("{text}.0") }
        }
        Value::String(text) => text.clone(),
    }
}

fn string(text: &str, style: Option<Style>, inside: bool) -> String {
    let printable = text.chars().all(|next| !next.is_control() && next != '\u{feff}');
    match style {
        Some(Style::SingleQuoted) if printable => format!("'{}'", text.replace('\'', "''")),
        Some(Style::DoubleQuoted) => write::double_quoted(text),
        _ if inside && printable && text.contains([',', '[', ']', '{', '}']) => write::double_quoted(text),
        _ => write::text(text, None),
    }
}
