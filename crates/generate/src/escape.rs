//! Texts of a repository in the syntax of the file that they go into. Every text can be written in every format: what
//! is not plain is quoted in the format's own way.

/// A YAML scalar (1.2, as Compose reads it): plain where it means the same plain, else in double quotes.
pub(crate) fn yaml(text: &str) -> String {
    if is_plain_yaml(text) { text.to_owned() } else { json(text) }
}

/// A scalar of a compose file: as [`yaml`], and `$` means itself.
pub(crate) fn compose(text: &str) -> String {
    yaml(&text.replace('$', "$$"))
}

/// `${NAME:-default}` as a scalar of a compose file. `None` where the default cannot stand inside the braces.
pub(crate) fn compose_default(name: &str, default: &str) -> Option<String> {
    if default.contains(['{', '}', '$']) || default.chars().any(char::is_control) {
        return None;
    }
    Some(yaml(&format!("${{{name}:-{default}}}")))
}

/// A string of JSON, which is one of YAML, TOML and an exec form too. Control characters and what a parser of YAML
/// takes for a line break are written as `\u`.
pub(crate) fn json(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A list of strings in the flow form that JSON and YAML share.
pub(crate) fn json_list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| json(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A list of strings of a compose file, in which `$` means itself.
pub(crate) fn compose_list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| json(&text.replace('$', "$$"))).collect();
    format!("[{}]", texts.join(", "))
}

/// The value of `ENV NAME=value` or `ARG NAME=value` of a Dockerfile: plain where it means the same plain, else in
/// double quotes, in which a backslash, a quote and `$` have a backslash before them.
pub(crate) fn docker(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@,+=%~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' | '$' => {
                out.push('\\');
                out.push(c);
            }
            // An instruction ends with its line; no value of a setting needs one.
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A word of a shell's command line: plain where it means the same plain, else in single quotes.
pub(crate) fn shell(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@,+=%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''").replace(['\n', '\r'], " "))
}

/// A parameter of nginx, in double quotes where it needs them. Variables stay variables: callers pass texts that hold
/// no `$` of a repository.
pub(crate) fn nginx(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@,+=%~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " "))
}

/// A text inside a comment of a generated file: one line.
pub(crate) fn comment(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .collect()
}

/// Whether a plain scalar in a block mapping means this text, in YAML 1.1 and 1.2.
fn is_plain_yaml(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_./:@+=%~$,{}?\\".contains(c) && c != '\\';
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '$' || c == '-');
    let word = text.to_ascii_lowercase();
    let reserved = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(&word.as_str());
    let address = text.bytes().filter(|byte| *byte == b'.').count() == 3
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let flow = text.contains(['{', '}', ',']) && !is_reference(text);
    let dash = text == "-" || text.starts_with("---") || (text.starts_with('-') && !text.starts_with("--"));
    !text.is_empty()
        && (begins || address)
        && !dash
        && text.chars().all(inner)
        && !reserved
        && !text.ends_with(':')
        && !text.contains(": ")
        && !flow
}

/// `${NAME:-plain}` and `${NAME}` alone.
fn is_reference(text: &str) -> bool {
    let Some(inner) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else { return false };
    !inner.contains(['{', '}', ',', '$'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_texts_stay_as_they_are() {
        for text in ["production", "0.0.0.0", "/run/secrets/x", "${LOG_LEVEL:-info}", "http://a.example/x"] {
            assert_eq!(yaml(text), text);
        }
        assert_eq!(yaml("3000"), "\"3000\"");
        assert_eq!(yaml("no"), "\"no\"");
        assert_eq!(yaml("a: b"), "\"a: b\"");
        assert_eq!(
            compose_default("CORS_ORIGINS", "http://a.example,http://b.example").unwrap(),
            "\"${CORS_ORIGINS:-http://a.example,http://b.example}\""
        );
        assert_eq!(compose_default("A", "x}y"), None);
        assert_eq!(compose("a$b"), "a$$b");
    }

    #[test]
    fn what_could_break_out_is_quoted() {
        assert_eq!(json("a\"\nFROM evil"), "\"a\\\"\\nFROM evil\"");
        assert_eq!(docker("a\"\nRUN evil $(x) \\"), "\"a\\\" RUN evil \\$(x) \\\\\"");
        assert_eq!(shell("a'; reboot; '"), "'a'\\''; reboot; '\\'''");
        assert_eq!(nginx("a\"; return 200"), "\"a\\\"; return 200\"");
        assert_eq!(comment("a\nb"), "a b");
    }
}
