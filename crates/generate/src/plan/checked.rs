//! Texts from a repository that go where no escaping helps: a path of a COPY, a package's version in a command. Each
//! must have the shape of what it is.

use plimsoll_survey::Gap;

use crate::rules;

/// Names of databases and users.
pub(super) fn is_identifier(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.len() <= 60 && text.chars().all(inner)
}

/// Relative paths without blanks and without a way out.
pub(super) fn is_path(text: &str) -> bool {
    let part = |part: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || "-_.@+()[]".contains(c);
        !part.is_empty() && part != ".." && !part.starts_with('-') && part.chars().all(inner)
    };
    text.split('/').all(part)
}

/// A relative path, or the reason why it is none.
pub(super) fn path(subject: &str, text: &str, problems: &mut Vec<Gap>) -> Option<String> {
    check(subject, "path", text, is_path(text), problems)
}

/// Absolute URL paths of routes.
pub(super) fn is_url_path(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '~');
    text.starts_with('/') && text.len() <= 200 && text.chars().all(inner)
}

/// Versions and tags of images.
pub(super) fn is_version(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    text.starts_with(|c: char| c.is_ascii_digit()) && text.len() <= 60 && text.chars().all(inner)
}

/// A version, or the reason why it is none.
pub(super) fn version(subject: &str, text: &str, problems: &mut Vec<Gap>) -> Option<String> {
    check(subject, "version", text, is_version(text), problems)
}

/// References of images: `registry.example:5000/team/name:tag`.
pub(super) fn is_image(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '@');
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.len() <= 255 && text.chars().all(inner)
}

/// Names of Debian packages, with a version or without.
pub(super) fn is_debian_package(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '+');
    text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) && text.chars().all(inner)
}

/// A property of a global: `window.__CONFIG__`.
pub(super) fn is_global(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.');
    !text.is_empty() && text.chars().all(inner)
}

fn check(subject: &str, what: &str, text: &str, good: bool, problems: &mut Vec<Gap>) -> Option<String> {
    if good {
        return Some(text.to_owned());
    }
    problems.push(super::problem(
        rules::UNUSABLE_NAME,
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
    fn what_could_break_out_is_no_path() {
        let mut problems = Vec::new();
        assert!(path("s", "apps/backend", &mut problems).is_some());
        assert!(path("s", "app/(shop)/[id]", &mut problems).is_some() && problems.is_empty());
        for text in ["../x", "a b", "a\nRUN x", "/etc", "a//b", "-rf", "a;b", "$(x)"] {
            assert!(path("s", text, &mut problems).is_none(), "{text}");
        }
        assert_eq!(problems.len(), 8);
        assert!(
            !is_version("1 && evil") && !is_image("a b") && !is_url_path("/a;") && !is_identifier("a\"b")
        );
    }
}
