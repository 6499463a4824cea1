//! `RUN --device`.
use super::Wrong;
use crate::{Device, Word, csv, mount::parse_bool, suggest, syntax::Flag};

pub(super) fn parse(flag: &Flag) -> Result<Device, Wrong> {
    let word = flag.value().unwrap_or_else(|| flag.word.clone());
    let fields = csv::fields(&word.text)
        .map_err(|reason| (format!("failed to parse csv devices: {reason}"), word.clone()))?;
    let mut device = Device { name: String::new(), required: false, word: word.clone() };
    for (field, range) in fields {
        let at = Word::new(field.as_str(), flag.value_span(range));
        let (key, value) = match field.split_once('=') {
            None => (field.to_ascii_lowercase(), None),
            Some((key, value)) => (key.to_ascii_lowercase(), Some(value)),
        };
        match (key.as_str(), value) {
            ("required", None) => device.required = true,
            ("required", Some(value)) => match parse_bool(value) {
                Some(required) => device.required = required,
                None => return Err((format!("invalid value for {key}: {value}"), at)),
            },
            ("name", Some(_)) if !device.name.is_empty() => {
                return Err((format!("device name already set to {}", device.name), at));
            }
            ("name", Some(value)) => value.clone_into(&mut device.name),
            _ if device.name.is_empty() => device.name.clone_from(&field),
            (_, None) => return Err((format!("invalid field '{field}' must be a key=value pair"), at)),
            (_, Some(_)) => {
                let title = format!("unexpected key '{key}' in '{field}'");
                return Err((suggest::with_suggestion(title, &key, ["name", "required"], false), at));
            }
        }
    }
    Ok(device)
}
