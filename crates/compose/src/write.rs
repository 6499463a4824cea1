//! Plain data as YAML text, in the style of the reference: block form, two spaces, quotes only where they are needed.

use std::cmp::Ordering;

use plimsoll_source::yaml::{Scalar, Style, Value as Meaning};
use serde_json::Value;

/// A tree as YAML with the keys of all its mappings in order.
pub fn to_yaml(tree: &crate::value::Value) -> String {
    yaml(&crate::model::field::in_yaml_form(|| crate::model::field::sorted(&tree.to_json())))
}

/// Data without types of our own as YAML, in its order.
pub fn plain_yaml(data: &Value) -> String {
    yaml(data)
}

/// Every dollar sign of a value twice, so that a loader reads it as one. Keys are never substituted: theirs stay as they are.
pub fn double_dollars(data: &mut Value) {
    match data {
        Value::String(text) => *text = text.replace('$', "$$"),
        Value::Array(items) => items.iter_mut().for_each(double_dollars),
        Value::Object(map) => map.values_mut().for_each(double_dollars),
        _ => {}
    }
}

/// The text of a document.
pub(crate) fn yaml(data: &Value) -> String {
    let mut out = String::new();
    match data {
        Value::Object(map) if !map.is_empty() => mapping(map, 0, &mut out),
        Value::Array(items) if !items.is_empty() => sequence(items, 0, &mut out),
        other => {
            out.push_str(&inline(other, 0));
            out.push('\n');
        }
    }
    out
}

fn mapping(map: &serde_json::Map<String, Value>, indent: usize, out: &mut String) {
    for (at, (key, value)) in map.iter().enumerate() {
        if at > 0 {
            pad(indent, out);
        }
        out.push_str(&text(key, None));
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                pad(indent + 2, out);
                mapping(inner, indent + 2, out);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                pad(indent + 2, out);
                sequence(items, indent + 2, out);
            }
            other => {
                out.push(' ');
                out.push_str(&inline(other, indent + 2));
                out.push('\n');
            }
        }
    }
}

fn sequence(items: &[Value], indent: usize, out: &mut String) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            pad(indent, out);
        }
        out.push_str("- ");
        match item {
            Value::Object(inner) if !inner.is_empty() => mapping(inner, indent + 2, out),
            Value::Array(inner) if !inner.is_empty() => sequence(inner, indent + 2, out),
            other => {
                out.push_str(&inline(other, indent + 2));
                out.push('\n');
            }
        }
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn inline(value: &Value, indent: usize) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(value) if number.is_f64() => crate::value::float_text(value),
            _ => number.to_string(),
        },
        Value::String(string) => text(string, Some(indent)),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
    }
}

/// A string: plain if it reads back as itself, in single quotes if only its form is in the way, else in double quotes;
/// several lines as a literal block where there is an indent to put it at.
pub(crate) fn text(text: &str, block: Option<usize>) -> String {
    let printable = |next: char| !next.is_control() && next != '\u{feff}';
    if let Some(indent) = block
        && text.contains('\n')
        && text.chars().all(|next| next == '\n' || next == '\t' || printable(next))
        && !text.split('\n').any(|line| line.ends_with(' '))
    {
        return literal(text, indent);
    }
    if !text.chars().all(printable) {
        return double_quoted(text);
    }
    if !is_string(text) {
        return double_quoted(text);
    }
    if plain_allowed(text) { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

fn literal(text: &str, indent: usize) -> String {
    let mut out = String::from("|");
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    let body = text.trim_end_matches('\n');
    match text.len() - body.len() {
        0 => out.push('-'),
        1 if !body.is_empty() => {}
        _ => out.push('+'),
    }
    let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
    for line in lines {
        out.push('\n');
        if !line.is_empty() {
            pad(indent, &mut out);
            out.push_str(line);
        }
    }
    out
}

/// Whether a plain scalar with this text is read as a string by this and by older readers of YAML.
fn is_string(text: &str) -> bool {
    let scalar = Scalar { text: text.to_owned(), style: Style::Plain };
    if !matches!(scalar.resolve(None), Meaning::String(_)) {
        return false;
    }
    let old_boolean = matches!(
        text,
        "y" | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "off"
            | "Off"
            | "OFF"
    );
    !old_boolean && !is_base_60(text) && !is_timestamp(text) && text != "<<" && text != "="
}

/// `22:22` is 1342 to YAML 1.1.
fn is_base_60(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let Some((first, rest)) = text.split_once(':') else { return false };
    let first_ok = first.starts_with(|next: char| next.is_ascii_digit())
        && first.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    first_ok
        && rest.split(':').all(|part| {
            let part = part.split_once('.').map_or(part, |(part, _)| part);
            matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'])
        })
}

fn is_timestamp(text: &str) -> bool {
    let date = text.get(..10).unwrap_or(text);
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let digits = |part: &str, lengths: &[usize]| {
        lengths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let day = day.split(['T', 't', ' ']).next().unwrap_or_default();
    digits(year, &[4]) && digits(month, &[1, 2]) && digits(day, &[1, 2])
}

fn plain_allowed(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(first) = bytes.first() else { return false };
    let blank_after = |at: usize| bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace);
    if text.starts_with("---") || text.starts_with("...") || text.starts_with(' ') || text.ends_with(' ') {
        return false;
    }
    if b"#,[]{}&*!|>'\"%@`".contains(first) || (b"?:-".contains(first) && blank_after(0)) {
        return false;
    }
    bytes.iter().enumerate().skip(1).all(|(at, byte)| match byte {
        b':' => !blank_after(at),
        b'#' => !bytes[at - 1].is_ascii_whitespace(),
        _ => true,
    })
}

pub(crate) fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for next in text.chars() {
        match next {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            '\x1b' => out.push_str("\\e"),
            '\u{85}' => out.push_str("\\N"),
            '\u{feff}' => out.push_str("\\uFEFF"),
            next if next.is_control() => out.push_str(&format!("\\x{:02X}", u32::from(next))),
            next => out.push(next),
        }
    }
    out.push('"');
    out
}

/// Letters behind other characters, numbers by their value: `A2` before `A10`.
pub(crate) fn natural_order(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let shared = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (Some(&x), Some(&y)) = (a.get(shared), b.get(shared)) else { return a.len().cmp(&b.len()) };
    let in_number = shared > 0 && a[shared - 1].is_numeric();
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => x.cmp(&y),
        (true, false) if in_number => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, true) if in_number => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            // A zero behind other digits is a digit of the same number, not a leading one.
            let inside =
                a[..shared].iter().rev().take_while(|next| next.is_numeric()).any(|next| *next != '0');
            let lead = u128::from(inside && (x == '0' || y == '0'));
            let number = |text: &[char]| {
                let digits: Vec<u32> =
                    text[shared..].iter().map_while(|next| next.to_digit(10)).take(30).collect();
                (digits.iter().fold(lead, |sum, digit| sum * 10 + u128::from(*digit)), digits.len())
            };
            number(&a).cmp(&number(&b)).then(x.cmp(&y))
        }
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_source::{
        Source,
        yaml::{ExpandedKind, Limits, parse},
    };
    use serde_json::json;

    use super::*;

    #[test]
    fn quotes_only_what_would_change() {
        let data = json!({"a": "yes", "b": "22:22", "c": "- x", "d": "a: b", "e": "it's", "f": "a\tb", "g": "x\ny\n",
            "h": "", "i": "2024-01-01", "j": "x\ny", "k": "é", "l": {}, "m": [], "n": [["1", 2], {"o": null}]});
        insta::assert_snapshot!(yaml(&data));
    }

    #[test]
    fn every_string_reads_back() {
        for text in [
            "",
            " a",
            "a ",
            "a\n\nb\n\n",
            "\n",
            "\n\n a",
            " a\nb",
            "a\\b\"c",
            "\u{85}x",
            "\u{7}",
            "#a",
            "a #b",
            "a:",
            "-",
            "? x",
            "<<",
            "null",
            "0x1F",
            "'",
            "a\r\nb",
            "\ttab",
            "x\n  y \nz",
        ] {
            let written = yaml(&json!({ "key": [text] }));
            let source = Source::new("a", written.clone());
            let document = parse(&source, &Limits::default())
                .unwrap_or_else(|error| panic!("{written}: {}", error.title))
                .remove(0);
            let tree = document.expand(&Limits::default()).expect("expands");
            let ExpandedKind::Mapping(entries) = &tree.kind else { panic!("not a mapping") };
            let ExpandedKind::Sequence(items) = &entries[0].2.kind else { panic!("not a list") };
            let ExpandedKind::Scalar(scalar) = &items[0].kind else { panic!("not a scalar") };
            assert_eq!(scalar.resolve(None), Meaning::String(text.to_owned()), "{written}");
        }
    }

    #[test]
    fn numbers_in_keys_count() {
        let mut keys = ["FOO10", "FOO2", "FOO1", "FOO", "foo", "F_1", "F1"];
        keys.sort_by(|a, b| natural_order(a, b));
        assert_eq!(keys, ["F_1", "F1", "FOO", "FOO1", "FOO2", "FOO10", "foo"]);
    }
}
