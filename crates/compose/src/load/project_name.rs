use plimsoll_source::{Diagnostic, Source};

use crate::{interpolate::substitute, options::LoadOptions, value::Value};

/// The name that the user gave, else the last one of the files, else the default.
pub(super) fn of(options: &LoadOptions, files: &[(Source, Vec<Value>)]) -> Result<String, Diagnostic> {
    if let Some(name) = &options.project_name {
        if name.is_empty() || normalise(name) != *name {
            return Err(Diagnostic::error(format!("`{name}` is not a valid project name"))
                .hint("use lower-case letters, digits, `-` and `_`, and start with a letter or digit"));
        }
        return Ok(name.clone());
    }
    let given = files
        .iter()
        .flat_map(|(_, documents)| documents)
        .filter_map(|document| document.get("name"))
        .rfind(|name| name.as_str().is_some_and(|name| !name.is_empty()));
    let mut name = match given {
        None => String::new(),
        Some(value) => {
            let text = value.as_str().unwrap_or_default();
            if options.interpolate {
                substitute(text, &|name| options.env.get(name).map(String::as_str), &mut |_| {})
                    .map_err(|error| value.origin.error(format!("in `name`: {error}")))?
            } else {
                text.to_owned()
            }
        }
    };
    if options.normalize {
        name = normalise(&name);
    }
    if name.is_empty() {
        name = options.default_name.as_deref().map(normalise).unwrap_or_default();
    }
    Ok(name)
}

/// Lower case, without what a project's name can't hold.
pub(super) fn normalise(name: &str) -> String {
    let name = name.to_lowercase();
    let kept: String =
        name.chars().filter(|next| next.is_ascii_alphanumeric() || matches!(next, '-' | '_')).collect();
    kept.trim_start_matches(['-', '_']).to_owned()
}
