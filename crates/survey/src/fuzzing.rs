//! What the fuzz targets read with: the reader of JSON, whose values must be those of any other reader, and the readers of
//! TOML and of nginx's files, which read what is generated (fuzz/fuzz_targets/source_text.rs, generate_text.rs).

use plimsoll_source::{Diagnostic, Source, Span, json};

pub use crate::detect::nginx_words;

/// A value as the reader of JSON has it.
#[derive(Debug)]
pub enum Json {
    /// `null`, a Boolean or a number, as written.
    Literal(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object: keys and values in the order of the text.
    Object(Vec<(String, Json)>),
}

/// Reads a value; `strict` as `JSON.parse` does, else with comments and final commas. Calls `span` with each place.
pub fn json(source: &Source, strict: bool, span: &mut dyn FnMut(Span)) -> Result<Json, Diagnostic> {
    let value = if strict { json::parse_strict(source)? } else { json::parse(source)? };
    Ok(plain(source, &value, span))
}

fn plain(source: &Source, value: &json::Value, span: &mut dyn FnMut(Span)) -> Json {
    span(value.span);
    match &value.kind {
        json::Kind::Literal => Json::Literal(source.slice(value.span).to_owned()),
        json::Kind::String(text) => Json::Text(text.clone()),
        json::Kind::Array(items) => Json::List(items.iter().map(|item| plain(source, item, span)).collect()),
        json::Kind::Object(members) => {
            let member = |member: &json::Member| {
                span(member.key_span);
                (member.key.clone(), plain(source, &member.value, span))
            };
            Json::Object(members.iter().map(member).collect())
        }
    }
}
