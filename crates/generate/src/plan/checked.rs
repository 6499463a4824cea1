//! Texts from a repository that go into generated files. Each must have the shape of what it is: a package called
//! `a" && rm -rf "b` is refused here, so that no template needs to escape.

use plimsoll_survey::Gap;

/// Names of services, projects, databases and users.
pub(super) fn name(subject: &str, text: &str, problems: &mut Vec<Gap>) -> Option<String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    check(subject, "name", text, begins && text.len() <= 60 && text.chars().all(inner), problems)
}

/// npm package names.
pub(super) fn package(subject: &str, text: &str, problems: &mut Vec<Gap>) -> Option<String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@');
    check(subject, "package name", text, !text.is_empty() && text.chars().all(inner), problems)
}

/// Relative paths without blanks and without a way out.
pub(super) fn path(subject: &str, text: &str, problems: &mut Vec<Gap>) -> Option<String> {
    let part = |part: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '+');
        !part.is_empty() && part != ".." && !part.starts_with('-') && part.chars().all(inner)
    };
    check(subject, "path", text, text.split('/').all(part), problems)
}

/// Absolute URL paths of routes.
pub(super) fn url_path(subject: &str, text: &str, problems: &mut Vec<Gap>) -> Option<String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    check(subject, "URL path", text, text.starts_with('/') && text.chars().all(inner), problems)
}

/// Names of scripts in package.json.
pub(super) fn script(subject: &str, text: &str, problems: &mut Vec<Gap>) -> Option<String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let shape = !text.is_empty() && !text.starts_with('-') && text.chars().all(inner);
    check(subject, "script name", text, shape, problems)
}

/// Versions and tags of images.
pub(super) fn version(subject: &str, text: &str, problems: &mut Vec<Gap>) -> Option<String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let shape = text.starts_with(|c: char| c.is_ascii_digit()) && text.len() <= 60 && text.chars().all(inner);
    check(subject, "version", text, shape, problems)
}

/// Names of variables.
pub(super) fn variable(subject: &str, text: &str, problems: &mut Vec<Gap>) -> Option<String> {
    let inner = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let shape = text.starts_with(|c: char| c.is_ascii_uppercase()) && text.chars().all(inner);
    check(subject, "variable", text, shape, problems)
}

/// Values that stand unquoted in YAML, in a Dockerfile's ENV and inside `"…"` of JavaScript alike.
pub(super) fn value(subject: &str, text: &str, problems: &mut Vec<Gap>) -> Option<String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':');
    let shape = !text.is_empty() && !text.ends_with(':') && !text.starts_with('-') && text.chars().all(inner);
    check(subject, "default", text, shape, problems)
}

/// A property of a global: `window.__CONFIG__`.
pub(super) fn global(subject: &str, text: &str, problems: &mut Vec<Gap>) -> Option<String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.');
    check(subject, "JavaScript name", text, !text.is_empty() && text.chars().all(inner), problems)
}

fn check(subject: &str, what: &str, text: &str, good: bool, problems: &mut Vec<Gap>) -> Option<String> {
    if good {
        return Some(text.to_owned());
    }
    problems.push(super::problem(
        subject,
        format!("{text:?} cannot be used as a {what} in the generated files"),
        format!("choose a {what} of plain letters, digits and hyphens"),
    ));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_break_out_of_a_file_is_refused() {
        let mut problems = Vec::new();
        assert!(name("s", "backend", &mut problems).is_some());
        assert!(package("s", "@pivotal/backend", &mut problems).is_some());
        assert!(path("s", "apps/backend", &mut problems).is_some());
        assert!(value("s", "/api/v1", &mut problems).is_some());
        assert!(problems.is_empty());
        for (shape, text) in [
            (name as fn(&str, &str, &mut Vec<Gap>) -> Option<String>, "a\nservices:"),
            (package, "a\" && rm -rf \"b"),
            (path, "../../etc"),
            (path, "a b"),
            (path, "--chown=0/x"),
            (script, "a; b"),
            (value, "\"; alert(1)"),
            (url_path, "/a;}"),
            (version, "1 && x"),
            (variable, "A=B"),
            (global, "window;x"),
        ] {
            assert!(shape("s", text, &mut problems).is_none(), "{text}");
        }
        assert_eq!(problems.len(), 11);
    }
}
