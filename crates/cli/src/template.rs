//! `--format` as docker has it: `json`, `table`, `table TEMPLATE`, `TEMPLATE`, with the part of Go's templates that
//! people write there: fields, `json`, `if`, `range`, `eq`, pipes and a few functions of texts.
//!
//! A template is at most [`LONGEST`] bytes; what is not known in it is refused, so that nothing is printed by half.

use plimsoll_ops::Failure;
use serde_json::{Map, Value};

/// Bytes of a template.
const LONGEST: usize = 16 << 10;

/// How rows are printed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Format {
    /// The verb's own table.
    Table,
    /// JSON, in the form that docker compose has for the verb.
    Json,
    /// One rendering a row.
    Rows(Template),
    /// Aligned columns under a line of headings.
    Columns(Template),
}

impl Format {
    /// Reads a value of `--format`. Without templates only the two words are known.
    pub(crate) fn parse(text: &str, templates: bool) -> Result<Self, Failure> {
        match text {
            "" | "table" => return Ok(Self::Table),
            "json" => return Ok(Self::Json),
            _ => {}
        }
        if !templates {
            return Err(Failure::new(format!("--format cannot be `{text}`"), "it can be table or json"));
        }
        let wrong = |why: String| {
            Failure::new(
                format!("--format {text}: {why}"),
                "it can be table, json, or a template like `table {{.Name}}\\t{{.Status}}`",
            )
        };
        let escaped = |text: &str| text.replace("\\t", "\t").replace("\\n", "\n");
        let (text, columns) = match text.strip_prefix("table ") {
            Some(text) => (escaped(text.trim_start()), true),
            None => (escaped(text), false),
        };
        if !text.contains("{{") {
            return Err(wrong("it is neither table nor json, and has no `{{`".to_owned()));
        }
        let template = Template::parse(&text).map_err(wrong)?;
        Ok(if columns { Self::Columns(template) } else { Self::Rows(template) })
    }
}

/// Renders rows; `headings` has a text for each field. `None` for the forms that are the verb's own.
pub(crate) fn render(
    format: &Format,
    headings: &[(&str, &str)],
    rows: &[Map<String, Value>],
) -> Result<Option<String>, Failure> {
    let failed = |why: String| Failure::new(format!("--format: {why}"), "name the fields that there are");
    match format {
        Format::Table | Format::Json => Ok(None),
        Format::Rows(template) => {
            let mut text = String::new();
            for row in rows {
                text.push_str(&template.render(&Value::Object(row.clone())).map_err(failed)?);
                text.push('\n');
            }
            Ok(Some(text))
        }
        Format::Columns(template) => {
            let head: Map<String, Value> =
                headings.iter().map(|(field, text)| ((*field).to_owned(), Value::from(*text))).collect();
            let mut lines = vec![template.render(&Value::Object(head)).map_err(failed)?];
            for row in rows {
                lines.push(template.render(&Value::Object(row.clone())).map_err(failed)?);
            }
            Ok(Some(aligned(&lines)))
        }
    }
}

/// Lines whose cells are separated by tabs, in columns.
pub(crate) fn aligned(lines: &[String]) -> String {
    let cells: Vec<Vec<&str>> = lines.iter().map(|line| line.split('\t').collect()).collect();
    let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &cells {
        let padded: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(padded.join("   ").trim_end());
        text.push('\n');
    }
    text
}

/// A template that was understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template(Vec<Node>);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Text(String),
    Put(Vec<Call>),
    If(Vec<Call>, Vec<Node>, Vec<Node>),
    Range(Vec<Call>, Vec<Node>),
}

/// One stage of a pipe: a function or a value, with arguments.
type Call = Vec<Word>;

#[derive(Debug, Clone, PartialEq)]
enum Word {
    /// `.A.B`; empty is the dot itself.
    Field(Vec<String>),
    Literal(Value),
    Name(String),
    /// In parentheses.
    Nested(Vec<Call>),
}

impl Template {
    fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} bytes"));
        }
        let pieces = pieces(text)?;
        let mut at = 0;
        let nodes = nodes(&pieces, &mut at, 0)?;
        if at < pieces.len() {
            return Err("an `end` or `else` stands alone".to_owned());
        }
        Ok(Self(nodes))
    }

    /// Every field that the template names first: `Size` in `{{.Size}}`.
    pub(crate) fn names(&self, field: &str) -> bool {
        format!("{:?}", self.0).contains(&format!("Field([\"{field}\""))
    }

    fn render(&self, row: &Value) -> Result<String, String> {
        let mut out = String::new();
        put(&self.0, row, &mut out)?;
        Ok(out)
    }
}

enum Piece<'t> {
    Text(&'t str),
    Action(&'t str),
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut trim = false;
    while let Some(begin) = rest.find("{{") {
        let mut before = &rest[..begin];
        let inner = &rest[begin + 2..];
        let end = inner.find("}}").ok_or("a `{{` is not closed")?;
        let mut action = &inner[..end];
        if trim {
            before = before.trim_start();
        }
        if let Some(trimmed) = action.strip_prefix("- ") {
            (before, action) = (before.trim_end(), trimmed);
        }
        trim = action.ends_with(" -");
        pieces.push(Piece::Text(before));
        pieces.push(Piece::Action(action.strip_suffix(" -").unwrap_or(action).trim()));
        rest = &inner[end + 2..];
    }
    pieces.push(Piece::Text(if trim { rest.trim_start() } else { rest }));
    Ok(pieces)
}

/// Deeper than this nobody nests.
const DEEPEST: usize = 32;

fn nodes(pieces: &[Piece<'_>], at: &mut usize, depth: usize) -> Result<Vec<Node>, String> {
    if depth > DEEPEST {
        return Err("it is nested too deeply".to_owned());
    }
    let mut nodes = Vec::new();
    while let Some(piece) = pieces.get(*at) {
        match piece {
            Piece::Text(text) => {
                nodes.push(Node::Text((*text).to_owned()));
                *at += 1;
            }
            Piece::Action("end" | "else") => break,
            Piece::Action(action) => {
                *at += 1;
                if let Some(condition) = action.strip_prefix("if ") {
                    let condition = pipe(condition)?;
                    let then = self::nodes(pieces, at, depth + 1)?;
                    let other = match pieces.get(*at) {
                        Some(Piece::Action("else")) => {
                            *at += 1;
                            self::nodes(pieces, at, depth + 1)?
                        }
                        _ => Vec::new(),
                    };
                    ended(pieces, at, "if")?;
                    nodes.push(Node::If(condition, then, other));
                } else if let Some(list) = action.strip_prefix("range ") {
                    let list = pipe(list)?;
                    let body = self::nodes(pieces, at, depth + 1)?;
                    ended(pieces, at, "range")?;
                    nodes.push(Node::Range(list, body));
                } else if !action.starts_with("/*") {
                    nodes.push(Node::Put(pipe(action)?));
                }
            }
        }
    }
    Ok(nodes)
}

fn ended(pieces: &[Piece<'_>], at: &mut usize, what: &str) -> Result<(), String> {
    if matches!(pieces.get(*at), Some(Piece::Action("end"))) {
        *at += 1;
        return Ok(());
    }
    Err(format!("`{what}` has no `end`"))
}

fn pipe(text: &str) -> Result<Vec<Call>, String> {
    let mut rest = text;
    let calls = calls(&mut rest, 0)?;
    if rest.trim().is_empty() { Ok(calls) } else { Err(format!("`{text}` has a `)` too many")) }
}

fn calls(rest: &mut &str, depth: usize) -> Result<Vec<Call>, String> {
    if depth > DEEPEST {
        return Err("it is nested too deeply".to_owned());
    }
    let mut calls = vec![Vec::new()];
    loop {
        *rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { break };
        let word = match first {
            ')' => break,
            '|' => {
                *rest = &rest[1..];
                calls.push(Vec::new());
                continue;
            }
            '(' => {
                *rest = &rest[1..];
                let nested = self::calls(rest, depth + 1)?;
                *rest = rest.strip_prefix(')').ok_or("a `(` is not closed")?;
                Word::Nested(nested)
            }
            '"' | '`' => {
                let end = closing(rest, first).ok_or("a text is not closed")?;
                let text = &rest[1..end];
                let text = if first == '`' {
                    text.to_owned()
                } else {
                    let quoted = format!("\"{text}\"");
                    serde_json::from_str(&quoted).map_err(|_| format!("{quoted} is no text"))?
                };
                *rest = &rest[end + 1..];
                Word::Literal(Value::from(text))
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "|()".contains(c)).unwrap_or(rest.len());
                let word = &rest[..end];
                *rest = &rest[end..];
                bare(word)?
            }
        };
        if let Some(call) = calls.last_mut() {
            call.push(word);
        }
    }
    if calls.iter().any(Vec::is_empty) {
        return Err("a `{{}}` or a part of a pipe is empty".to_owned());
    }
    Ok(calls)
}

fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            letter if letter == quote => return Some(at),
            _ => {}
        }
    }
    None
}

fn bare(word: &str) -> Result<Word, String> {
    if let Some(path) = word.strip_prefix('.') {
        let parts: Vec<String> = path.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        return Ok(Word::Field(parts));
    }
    if let Ok(number) = word.parse::<i64>() {
        return Ok(Word::Literal(Value::from(number)));
    }
    match word {
        "true" => return Ok(Word::Literal(Value::from(true))),
        "false" => return Ok(Word::Literal(Value::from(false))),
        _ => {}
    }
    const KNOWN: [&str; 17] = [
        "json", "lower", "upper", "title", "len", "truncate", "pad", "join", "split", "println", "print",
        "eq", "ne", "not", "and", "or", "index",
    ];
    if KNOWN.contains(&word) {
        Ok(Word::Name(word.to_owned()))
    } else {
        Err(format!("there is no function `{word}`"))
    }
}

fn put(nodes: &[Node], dot: &Value, out: &mut String) -> Result<(), String> {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Put(pipe) => out.push_str(&shown(&run(pipe, dot)?)),
            Node::If(condition, then, other) => {
                put(if is_true(&run(condition, dot)?) { then } else { other }, dot, out)?;
            }
            Node::Range(list, body) => match run(list, dot)? {
                Value::Array(items) => items.iter().try_for_each(|item| put(body, item, out))?,
                Value::Object(map) => map.values().try_for_each(|item| put(body, item, out))?,
                Value::Null => {}
                _ => return Err("`range` needs a list".to_owned()),
            },
        }
    }
    Ok(())
}

fn run(pipe: &[Call], dot: &Value) -> Result<Value, String> {
    let mut piped: Option<Value> = None;
    for call in pipe {
        let mut arguments = Vec::new();
        for word in &call[1..] {
            arguments.push(value(word, dot)?);
        }
        arguments.extend(piped.take());
        piped = Some(match &call[0] {
            Word::Name(name) => apply(name, &arguments)?,
            Word::Field(path) if path.len() == 1 && path[0] == "Label" => label(dot, &arguments)?,
            word if arguments.is_empty() => value(word, dot)?,
            _ => return Err("a field takes no arguments".to_owned()),
        });
    }
    Ok(piped.unwrap_or(Value::Null))
}

fn value(word: &Word, dot: &Value) -> Result<Value, String> {
    match word {
        Word::Literal(value) => Ok(value.clone()),
        Word::Nested(pipe) => run(pipe, dot),
        Word::Name(name) => apply(name, &[]),
        Word::Field(path) => {
            let mut found = dot;
            for part in path {
                found = found.get(part).ok_or_else(|| format!("there is no field `{part}`"))?;
            }
            Ok(found.clone())
        }
    }
}

/// `.Label "name"`: of the text that `Labels` is.
fn label(dot: &Value, arguments: &[Value]) -> Result<Value, String> {
    let [Value::String(name)] = arguments else { return Err("`.Label` needs a name".to_owned()) };
    let labels = dot.get("Labels").and_then(Value::as_str).unwrap_or_default();
    let found = labels.split(',').find_map(|pair| pair.strip_prefix(name.as_str())?.strip_prefix('='));
    Ok(Value::from(found.unwrap_or_default()))
}

fn apply(name: &str, arguments: &[Value]) -> Result<Value, String> {
    let wrong = || Err(format!("`{name}` does not take {} arguments", arguments.len()));
    let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
    Ok(match (name, arguments) {
        ("json", [value]) => Value::from(value.to_string()),
        ("lower", [value]) => Value::from(shown(value).to_lowercase()),
        ("upper", [value]) => Value::from(shown(value).to_uppercase()),
        ("title", [value]) => {
            let text = shown(value);
            let mut letters = text.chars();
            let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
            Value::from(first + letters.as_str())
        }
        ("len", [Value::Array(items)]) => Value::from(items.len()),
        ("len", [value]) => Value::from(shown(value).len()),
        ("truncate", [value, length]) => {
            let length = number(length).ok_or("`truncate` needs a length")?;
            Value::from(shown(value).chars().take(length).collect::<String>())
        }
        ("pad", [value, before, after]) => match (shown(value), number(before), number(after)) {
            (text, ..) if text.is_empty() => Value::from(text),
            (text, Some(before), Some(after)) if before.max(after) <= LONGEST => {
                Value::from(format!("{}{text}{}", " ".repeat(before), " ".repeat(after)))
            }
            _ => return Err("`pad` needs two lengths".to_owned()),
        },
        ("join", [Value::Array(items), separator]) => {
            Value::from(items.iter().map(shown).collect::<Vec<_>>().join(&shown(separator)))
        }
        ("split", [value, separator]) => {
            Value::from(shown(value).split(&shown(separator)).map(str::to_owned).collect::<Vec<_>>())
        }
        ("println", values) => Value::from(values.iter().map(shown).collect::<Vec<_>>().join(" ") + "\n"),
        ("print", values) => Value::from(values.iter().map(shown).collect::<String>()),
        ("eq", [first, others @ ..]) if !others.is_empty() => Value::from(others.contains(first)),
        ("ne", [first, second]) => Value::from(first != second),
        ("not", [value]) => Value::from(!is_true(value)),
        ("and", [first, others @ ..]) => {
            let all = std::iter::once(first).chain(others);
            all.clone().find(|value| !is_true(value)).or(all.last()).cloned().unwrap_or(Value::Null)
        }
        ("or", [first, others @ ..]) => {
            let all = std::iter::once(first).chain(others);
            all.clone().find(|value| is_true(value)).or(all.last()).cloned().unwrap_or(Value::Null)
        }
        ("index", [list, key]) => {
            let found = match key {
                Value::String(key) => list.get(key),
                key => number(key).and_then(|at| list.get(at)),
            };
            found.cloned().ok_or_else(|| format!("there is no item {key}"))?
        }
        _ => return wrong(),
    })
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(on) => *on,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(template: &str) -> Result<String, String> {
        let row = json!({
            "Name": "shop-web-1", "State": "running", "ExitCode": 0, "Labels": "a=1,b.c=x",
            "Publishers": [{ "PublishedPort": 80 }, { "PublishedPort": 443 }],
        });
        Template::parse(template)?.render(&row)
    }

    #[test]
    fn what_people_write_is_rendered() {
        for (template, text) in [
            ("{{.Name}}: {{.State}}", "shop-web-1: running"),
            ("{{ .Label \"b.c\" }}", "x"),
            ("{{json .ExitCode}} {{.Name | upper}}", "0 SHOP-WEB-1"),
            ("{{if eq .State \"running\"}}up{{else}}down{{end}}", "up"),
            ("{{range .Publishers}}{{.PublishedPort}} {{end}}", "80 443 "),
            ("{{if not (eq .ExitCode 0)}}bad{{end}}-", "-"),
            ("state: {{- pad .State 1 0}}", "state: running"),
            ("{{truncate .Name 4}}", "shop"),
        ] {
            assert_eq!(one(template).as_deref(), Ok(text), "{template}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for template in ["{{.Nmae}}", "{{.Name", "{{frob .Name}}", "{{if .Name}}x", "{{end}}", "{{}}"] {
            assert!(one(template).is_err(), "{template}");
        }
        assert!(Format::parse("yaml", true).is_err() && Format::parse("{{.Name}}", false).is_err());
    }

    #[test]
    fn nothing_that_is_given_breaks_it() {
        // every prefix and every removal of one character of a template that has all of it
        let whole =
            "{{- if and .Name (ne .State `x`) -}}{{range $x}}{{json .}}{{else}}\"é\"{{end}} | {{end}}";
        for at in 0..=whole.len() {
            if !whole.is_char_boundary(at) {
                continue;
            }
            let _ = one(&whole[..at]);
            let mut less = whole.to_owned();
            if at < whole.len() {
                less.remove(at);
            }
            let _ = one(&less);
        }
        let _ = one(&"{{if .Name}}".repeat(1000));
        let _ = one(&format!("{{{{{}", "(".repeat(10_000)));
    }

    #[test]
    fn a_table_has_headings() {
        let rows = [json!({ "Name": "a" }), json!({ "Name": "longer" })];
        let rows: Vec<_> = rows.iter().filter_map(|row| row.as_object().cloned()).collect();
        let format = Format::parse("table {{.Name}}\\t{{.Name}}", true).unwrap();
        let text = render(&format, &[("Name", "NAME")], &rows).unwrap().unwrap();
        assert_eq!(text, "NAME     NAME\na        a\nlonger   longer\n");
    }
}
