//! Relative paths and where they start from.

use std::path::Path as FilePath;

use plimsoll_source::Diagnostic;

use crate::{
    path::Path,
    value::{Kind, Value},
};

#[derive(Clone, Copy)]
enum Rule {
    /// A path of the host; an empty one is left out.
    Path,
    /// A path of the host; an empty one is the directory itself.
    File,
    /// A build context: may be an address or a service.
    Context,
    /// `id=path`.
    Ssh,
    /// A mount whose source may be a path.
    Mount,
    /// A volume that may be a bind mount in disguise.
    Volume,
}

const RULES: &[(&str, Rule)] = &[
    ("services.*.build.context", Rule::Context),
    ("services.*.build.additional_contexts.*", Rule::Context),
    ("services.*.build.ssh.*", Rule::Ssh),
    ("services.*.env_file.*.path", Rule::Path),
    ("services.*.label_file.*", Rule::Path),
    ("services.*.extends.file", Rule::Path),
    ("services.*.develop.watch.*.path", Rule::Path),
    ("services.*.volumes.*", Rule::Mount),
    ("configs.*.file", Rule::File),
    ("secrets.*.file", Rule::File),
    ("volumes.*", Rule::Volume),
];

/// Joins every relative path of `tree` to `base`; `~` is `home`.
pub(crate) fn resolve(tree: &mut Value, base: &FilePath, home: Option<&str>) -> Result<(), Diagnostic> {
    walk(tree, &Path::ROOT, base, home)
}

fn walk(value: &mut Value, path: &Path<'_>, base: &FilePath, home: Option<&str>) -> Result<(), Diagnostic> {
    if path.is_extension() {
        return Ok(());
    }
    if let Some(rule) = path.find(RULES) {
        return apply(*rule, value, path, base, home);
    }
    match &mut value.kind {
        Kind::Map(map) => map.iter_mut().try_for_each(|(key, value)| walk(value, &path.key(key), base, home)),
        Kind::List(items) => {
            items.iter_mut().enumerate().try_for_each(|(at, value)| walk(value, &path.item(at), base, home))
        }
        _ => Ok(()),
    }
}

fn apply(
    rule: Rule,
    value: &mut Value,
    path: &Path<'_>,
    base: &FilePath,
    home: Option<&str>,
) -> Result<(), Diagnostic> {
    match rule {
        Rule::Path => text(value, |text| Some(absolute(text, base, home))),
        Rule::File => {
            if let Kind::String(text) = &mut value.kind {
                *text = absolute(text, base, home);
            }
        }
        Rule::Context => {
            text(value, |text| {
                (!is_remote(text) && !text.starts_with("service:")).then(|| absolute(text, base, home))
            });
        }
        Rule::Ssh => text(value, |text| {
            let (id, path) = text.split_once('=')?;
            Some(format!("{id}={}", absolute(path, base, home)))
        }),
        Rule::Mount => {
            if value.get("type").and_then(Value::as_str) == Some("bind") {
                let origin = value.origin.clone();
                match value.get_mut("source") {
                    Some(Value { kind: Kind::String(source), .. }) => *source = absolute(source, base, home),
                    Some(source) if !source.is_null() => {}
                    _ => {
                        let error = origin.error(format!("`{path}` is a bind mount without a `source`"));
                        return Err(error.hint("add the path of the host as `source:`"));
                    }
                }
            }
        }
        Rule::Volume => {
            let local = value.get("driver").and_then(Value::as_str).is_some_and(|driver| driver == "local");
            let Some(options) = value.get_mut("driver_opts") else { return Ok(()) };
            let bind = options.get("o").and_then(Value::as_str) == Some("bind");
            if let Some(device) = options.get_mut("device").filter(|_| local && bind) {
                text(device, |text| Some(absolute(text, base, home)));
            }
        }
    }
    Ok(())
}

fn text(value: &mut Value, change: impl FnOnce(&str) -> Option<String>) {
    if let Kind::String(text) = &mut value.kind
        && !text.is_empty()
        && let Some(changed) = change(text)
    {
        *text = changed;
    }
}

pub(crate) fn is_remote(context: &str) -> bool {
    const FRONTS: [&str; 6] = ["https://", "http://", "git://", "ssh://", "github.com/", "git@"];
    context.contains("://") || FRONTS.iter().any(|front| context.starts_with(front))
}

/// A path of the host as seen from `base`. Windows paths stay.
fn absolute(path: &str, base: &FilePath, home: Option<&str>) -> String {
    let path = match (path.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            clean(&format!("{home}/{rest}"))
        }
        _ => path.to_owned(),
    };
    let bytes = path.as_bytes();
    let drive = matches!(bytes, [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic());
    let windows = drive || path.starts_with(r"\\");
    if path.starts_with('/') || windows {
        return path;
    }
    join(&base.to_string_lossy(), &path)
}

/// `base/path` without `.` and `..` where they can be resolved.
pub(crate) fn join(base: &str, path: &str) -> String {
    if base.is_empty() { clean(path) } else { clean(&format!("{base}/{path}")) }
}

/// `path` where it is absolute, else as seen from `base`.
pub(crate) fn join_absolute(base: &str, path: &str) -> String {
    if path.starts_with('/') { clean(path) } else { join(base, path) }
}

/// The shortest form of a path; the empty path is `.`.
pub(crate) fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// `path` as seen from the directory `base`; `path` itself where one of them is relative and the other is not.
pub(crate) fn relative(base: &str, path: &str) -> String {
    let (base, path) = (clean(base), clean(path));
    if base.starts_with('/') != path.starts_with('/') {
        return path;
    }
    let from: Vec<&str> = base.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let to: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut parts = vec![".."; from.len() - shared];
    parts.extend(&to[shared..]);
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_text() {
        assert_eq!(clean("./a/../b//c/."), "b/c");
        assert_eq!(clean("/../a"), "/a");
        assert_eq!(clean("../../a"), "../../a");
        assert_eq!(clean(""), ".");
        assert_eq!(join("/w", "../x"), "/x");
        assert_eq!(relative("/a/b", "/a/c/d"), "../c/d");
        assert_eq!(relative("/a", "/a"), ".");
    }
}
