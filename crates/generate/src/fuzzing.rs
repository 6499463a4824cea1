//! What the fuzz targets write with: the escapes of each format (fuzz/fuzz_targets/generate_text.rs).

use crate::escape;

/// A scalar of YAML.
pub fn yaml(text: &str) -> String {
    escape::yaml(text)
}

/// A scalar of a compose file.
pub fn compose(text: &str) -> String {
    escape::compose(text)
}

/// A default of a variable of a compose file.
pub fn compose_default(name: &str, default: &str) -> Option<String> {
    escape::compose_default(name, default)
}

/// A string of JSON, TOML and JavaScript.
pub fn json(text: &str) -> String {
    escape::json(text)
}

/// A list of a compose file.
pub fn compose_list(texts: &[String]) -> String {
    escape::compose_list(texts)
}

/// A value of a Dockerfile.
pub fn docker(text: &str) -> String {
    escape::docker(text)
}

/// A word of a shell.
pub fn shell(text: &str) -> String {
    escape::shell(text)
}

/// A parameter of nginx.
pub fn nginx(text: &str) -> String {
    escape::nginx(text)
}

/// A line of a comment.
pub fn comment(text: &str) -> String {
    escape::comment(text)
}
