//! Checks a merged tree against the Compose specification and says what is wrong with file, line and cause.

mod spec;

use std::collections::HashMap;

use plimsoll_source::Diagnostic;

use crate::{
    path::Path,
    value::{Kind, Map, Value},
};

/// After so many faults no one reads on.
const MAX_FAULTS: usize = 100;

/// The form that a value may have.
pub(crate) enum Shape {
    Any,
    /// One of several scalar types.
    Scalar(&'static [Type]),
    /// A string out of a closed set.
    Word(&'static [&'static str]),
    /// A string that a predicate accepts, with the words for what it wants.
    Text(fn(&str) -> bool, &'static str),
    /// A whole number in a range, or a string.
    IntBetween(i64, i64),
    List(&'static Shape),
    /// A list without repeated items.
    Set(&'static Shape),
    /// A mapping whose keys users choose.
    Names(&'static Shape),
    /// As [`Shape::Names`], but what stands under another key than the engine's is not looked at.
    AnyNames(&'static Shape),
    /// A mapping from any text.
    Keys(&'static Shape),
    Object(&'static Object),
    Either(&'static [Shape]),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Null,
    Bool,
    Int,
    Number,
    String,
}

/// A mapping with known keys. Further keys must start with `x-`, and not even those are allowed when `closed`.
pub(crate) struct Object {
    pub(crate) fields: &'static [(&'static str, Shape)],
    pub(crate) required: &'static [&'static str],
    pub(crate) closed: bool,
    /// Whether unknown keys are let through, which the specification does in few places.
    pub(crate) lax: bool,
}

/// Checks the whole tree. Returns every fault that was found.
///
/// With `lenient`, a text that holds a variable may stand for anything.
pub(crate) fn validate(tree: &Value, lenient: bool) -> Vec<Diagnostic> {
    let mut faults = Faults { list: Vec::new(), lenient };
    check(tree, &spec::ROOT, &Path::ROOT, &mut faults);
    faults.list
}

struct Faults {
    list: Vec<Diagnostic>,
    lenient: bool,
}

impl Faults {
    fn push(&mut self, fault: Diagnostic) {
        self.list.push(fault);
    }
}

fn check(value: &Value, shape: &Shape, path: &Path<'_>, faults: &mut Faults) {
    if faults.list.len() >= MAX_FAULTS {
        return;
    }
    if faults.lenient && value.as_str().is_some_and(|text| text.contains('$')) {
        return;
    }
    match (shape, &value.kind) {
        (Shape::Any, _) => {}
        (Shape::Scalar(types), _) if types.iter().any(|wanted| fits(*wanted, value)) => {}
        (Shape::Word(words), Kind::String(text)) => {
            if !words.contains(&text.as_str()) {
                let error = value
                    .origin
                    .error(format!("`{path}` cannot be `{text}`"))
                    .note(format!("it is one of {}", list(words)));
                faults.push(match similar(text, words.iter().copied()) {
                    Some(word) => error.hint(format!("did you mean `{word}`?")),
                    None => error,
                });
            }
        }
        (Shape::Text(accepts, wanted), Kind::String(text)) => {
            if !accepts(text) {
                faults.push(value.origin.error(format!("`{path}` must be {wanted}, but is `{text}`")));
            }
        }
        (Shape::IntBetween(..), Kind::String(_)) => {}
        (Shape::IntBetween(low, high), Kind::Int(_) | Kind::Float(_)) => {
            let number = &match value.kind {
                Kind::Int(number) => number,
                Kind::Float(number) if number.fract() == 0.0 => number as i64,
                _ => return faults.push(mismatch(value, shape, path)),
            };
            if number < low || number > high {
                let wanted = if *high == i64::MAX {
                    format!("at least {low}")
                } else {
                    format!("from {low} to {high}")
                };
                faults.push(value.origin.error(format!("`{path}` must be {wanted}, but is {number}")));
            }
        }
        (Shape::List(items), Kind::List(values)) => {
            for (at, value) in values.iter().enumerate() {
                check(value, items, &path.item(at), faults);
            }
        }
        (Shape::Set(items), Kind::List(values)) => {
            let mut seen: HashMap<String, &Value> = HashMap::with_capacity(values.len());
            for (at, value) in values.iter().enumerate() {
                check(value, items, &path.item(at), faults);
                if let Some(first) = seen.insert(value.to_json().to_string(), value) {
                    let error = value.origin.error(format!("`{path}` holds the same item twice"));
                    faults.push(first.origin.label(error, "first given here"));
                }
            }
        }
        (Shape::Names(values), Kind::Map(map)) => names(map, values, path, faults),
        (Shape::AnyNames(values), Kind::Map(map)) => {
            for (key, value) in map.iter().filter(|(key, _)| is_name(key)) {
                check(value, values, &path.key(key), faults);
            }
        }
        (Shape::Keys(values), Kind::Map(map)) => {
            for (key, value) in map {
                check(value, values, &path.key(key), faults);
            }
        }
        (Shape::Object(object), Kind::Map(map)) => fields(value, map, object, path, faults),
        (Shape::Either(shapes), _) => either(value, shapes, path, faults),
        _ => faults.push(mismatch(value, shape, path)),
    }
}

fn names(map: &Map, values: &Shape, path: &Path<'_>, faults: &mut Faults) {
    for (key, value) in map {
        if !is_name(key) {
            faults.push(
                at_key(value, format!("`{key}` is not a valid name in `{path}`"))
                    .hint("use letters, digits, `.`, `_` and `-`"),
            );
            continue;
        }
        check(value, values, &path.key(key), faults);
    }
}

fn is_name(key: &str) -> bool {
    !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn fields(value: &Value, map: &Map, object: &Object, path: &Path<'_>, faults: &mut Faults) {
    for (key, value) in map {
        if faults.list.len() >= MAX_FAULTS {
            return;
        }
        if let Some((_, shape)) = object.fields.iter().find(|(name, _)| name == key) {
            check(value, shape, &path.key(key), faults);
        } else if !object.lax && (object.closed || !key.starts_with("x-")) {
            faults.push(unknown(key, value, object, path));
        }
    }
    for required in object.required {
        if !map.contains_key(*required) {
            faults.push(
                value.origin.error(format!("`{path}` lacks `{required}`")).hint(format!("add `{required}:`")),
            );
        }
    }
}

fn unknown(key: &str, value: &Value, object: &Object, path: &Path<'_>) -> Diagnostic {
    let place = path.to_string();
    let title = if place.is_empty() {
        format!("unknown top-level attribute `{key}`")
    } else {
        format!("unknown attribute `{key}` in `{place}`")
    };
    let error = at_key(value, title);
    match similar(key, object.fields.iter().map(|(name, _)| *name)) {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None if object.closed => error,
        None => error.hint("attributes of your own start with `x-`"),
    }
}

/// An error at the key of a value rather than at the value.
fn at_key(value: &Value, title: String) -> Diagnostic {
    match value.origin.place() {
        Some(place) => {
            let mut place = place.clone();
            if let Some(key) = place.key {
                place.span = key;
            }
            crate::value::Origin::at(&place.source, place.span, None).error(title)
        }
        None => Diagnostic::error(title),
    }
}

/// Reports the faults of the one alternative whose kind fits, so that a wrong key in a mapping is named as such.
fn either(value: &Value, shapes: &'static [Shape], path: &Path<'_>, faults: &mut Faults) {
    let mut nearest: Option<Vec<Diagnostic>> = None;
    for shape in shapes {
        let mut own = Faults { list: Vec::new(), lenient: faults.lenient };
        check(value, shape, path, &mut own);
        let own = own.list;
        if own.is_empty() {
            return;
        }
        if takes(shape, value) && nearest.is_none() {
            nearest = Some(own);
        }
    }
    match nearest {
        Some(own) => faults.list.extend(own),
        None => {
            let wanted: Vec<&str> = shapes.iter().map(name).collect();
            faults.push(value.origin.error(format!(
                "`{path}` must be {}, but is {}",
                wanted.join(" or "),
                value.type_name()
            )));
        }
    }
}

fn takes(shape: &Shape, value: &Value) -> bool {
    match shape {
        Shape::Any => true,
        Shape::Scalar(types) => types.iter().any(|wanted| fits(*wanted, value)),
        Shape::Word(_) | Shape::Text(..) => value.as_str().is_some(),
        Shape::IntBetween(..) => matches!(value.kind, Kind::Int(_) | Kind::String(_)),
        Shape::List(_) | Shape::Set(_) => value.as_list().is_some(),
        Shape::Names(_) | Shape::AnyNames(_) | Shape::Keys(_) | Shape::Object(_) => value.as_map().is_some(),
        Shape::Either(shapes) => shapes.iter().any(|shape| takes(shape, value)),
    }
}

fn fits(wanted: Type, value: &Value) -> bool {
    match (wanted, &value.kind) {
        (Type::Null, Kind::Null)
        | (Type::Bool, Kind::Bool(_))
        | (Type::Int, Kind::Int(_))
        | (Type::Number, Kind::Int(_) | Kind::Float(_))
        | (Type::String, Kind::String(_)) => true,
        (Type::Int, Kind::Float(number)) => number.fract() == 0.0,
        _ => false,
    }
}

fn mismatch(value: &Value, shape: &Shape, path: &Path<'_>) -> Diagnostic {
    let place = path.to_string();
    let place = if place.is_empty() { "a Compose file".to_owned() } else { format!("`{place}`") };
    let wanted = if let Shape::Text(_, wanted) = shape { wanted } else { name(shape) };
    let error = value.origin.error(format!("{place} must be {wanted}, but is {}", value.type_name()));
    match (&value.kind, shape) {
        (Kind::Int(_) | Kind::Float(_) | Kind::Bool(_), Shape::Scalar(types))
            if types.contains(&Type::String) =>
        {
            error.hint("put the value in quotes")
        }
        _ => error,
    }
}

fn name(shape: &Shape) -> &'static str {
    match shape {
        Shape::Any => "anything",
        Shape::Scalar([Type::String]) | Shape::Word(_) | Shape::Text(..) => "a string",
        Shape::Scalar([Type::Null]) => "empty",
        Shape::Scalar([Type::Int]) | Shape::IntBetween(..) => "a whole number",
        Shape::Scalar([Type::Int, ..]) => "a whole number or a string",
        Shape::Scalar([Type::Number, ..]) => "a number or a string",
        Shape::Scalar([Type::Bool]) => "a boolean",
        Shape::Scalar([Type::Bool, Type::String]) => "a boolean or a string",
        Shape::Scalar(_) => "a single value",
        Shape::List(_) | Shape::Set(_) => "a list",
        Shape::Names(_) | Shape::AnyNames(_) | Shape::Keys(_) | Shape::Object(_) => "a mapping",
        Shape::Either(shapes) => shapes.first().map_or("anything", name),
    }
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The nearest known word, if a person could have meant it.
pub(crate) fn similar<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    known
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().min(word.len()).div_ceil(4).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits between two short words; neighbours swapped count once.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows: Vec<Vec<usize>> = (0..=a.len()).map(|i| (i..=i + b.len()).collect()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}
