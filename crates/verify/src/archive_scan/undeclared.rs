//! Secrets that nobody declared: files that hold one by their kind, and what a configuration gives away.

use serde_json::Value;

use super::Scan;
use crate::secrets::names;

/// Folders that package managers fill: the keys in there are examples and tests of others.
const PACKAGES: &[&str] = &[
    "usr/lib/",
    "usr/share/",
    "usr/local/lib/",
    "usr/local/go/",
    "usr/include/",
    "lib/",
    "go/pkg/",
    "node_modules/",
    "site-packages/",
    "dist-packages/",
    "vendor/",
    "gems/",
    ".cargo/registry/",
    "testdata/",
    "test/",
    "tests/",
];

/// What an image's configuration gives away that nobody declared: variables, build arguments, labels, URLs.
pub(super) fn given_away(document: &Value, name: &str, scan: &mut Scan) {
    for part in ["config", "container_config"] {
        let config = &document[part];
        for variable in config["Env"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let Some((key, value)) = variable.split_once('=') else { continue };
            if names::gives_away(key, value) {
                scan.hit(format!("a value of {key} in Env of {name}"));
            } else if names::url_passwords(value).next().is_some() {
                scan.hit(format!("a URL with a password in {key} in Env of {name}"));
            }
        }
        for (key, value) in config["Labels"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            if names::gives_away(key.rsplit('.').next().unwrap_or(key), value)
                || names::url_passwords(value).next().is_some()
            {
                scan.hit(format!("a value of the label {key} in {name}"));
            }
        }
    }
    for step in document["history"].as_array().into_iter().flatten() {
        let text = step["created_by"].as_str().unwrap_or_default();
        for (key, _) in names::in_assignments(text) {
            scan.hit(format!("a value of {key} in the history of {name}"));
        }
        if names::url_passwords(text).next().is_some() {
            scan.hit(format!("a URL with a password in the history of {name}"));
        }
    }
}

/// A secret that nobody declared, by the kind of file.
pub(super) fn file_gives_away(path: &str, content: &[u8]) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let inside = |folder: &&str| path.starts_with(*folder) || path.contains(&format!("/{folder}"));
    // A package's example. The key that Debian makes for a computer without a name protects nothing.
    if PACKAGES.iter().any(inside) || name == "ssl-cert-snakeoil.key" {
        return None;
    }
    if names::has_private_key(content) {
        return Some("a private key");
    }
    let text = || String::from_utf8_lossy(content);
    let literal = |value: &str| !value.trim().is_empty() && !value.trim().starts_with(['$', '"']);
    let behind = |mark: &str| {
        text().lines().any(|line| line.split_once(mark).is_some_and(|(_, value)| literal(value)))
    };
    match name {
        ".npmrc" if behind("_authToken=") || behind("_auth=") || behind("_password=") => {
            Some("a registry's token")
        }
        ".netrc" | "_netrc" if behind("password ") => Some("a password"),
        ".git-credentials" if names::url_passwords(&text()).next().is_some() => Some("a password"),
        ".pypirc" if behind("password:") || behind("password =") => Some("a password"),
        "config.json" if path.ends_with(".docker/config.json") && text().contains("\"auth\"") => {
            Some("a registry's password")
        }
        "credentials" if path.ends_with(".aws/credentials") => Some("keys of a cloud account"),
        _ if is_env_file(name) => {
            let given = text().lines().any(|line| {
                let line = line.trim().trim_start_matches("export ");
                !line.starts_with('#')
                    && line.split_once('=').is_some_and(|(key, value)| names::gives_away(key.trim(), value))
            });
            given.then_some("a secret by its variable's name")
        }
        _ => None,
    }
}

/// `.env`, `.env.production`; neither `.env.example` nor another pattern to copy.
fn is_env_file(name: &str) -> bool {
    let pattern = ["example", "sample", "template", "dist", "test"];
    (name == ".env" || name.starts_with(".env.")) && !pattern.iter().any(|end| name.ends_with(end))
}
