//! The secret values of the project, and where they are found. The values never leave this module.

use std::{fmt, fs, path::PathBuf};

use aho_corasick::{AhoCorasick, MatchKind};

/// A shorter value is found by accident.
const LEAST: usize = 8;
/// The length from which a word inside a secret file counts as a secret of its own.
const WORD: usize = 20;
/// The longest file that is taken for a secret.
const FILE_LIMIT: u64 = 1 << 20;

/// What is searched for, by name of the secret.
pub(crate) struct Secrets {
    names: Vec<String>,
    search: Option<AhoCorasick>,
    longest: usize,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("values", &self.names.len()).finish_non_exhaustive()
    }
}

impl Secrets {
    /// Reads the files.
    pub(crate) fn read(files: &[(String, PathBuf)]) -> Result<Self, String> {
        let mut all = Vec::new();
        for (name, path) in files {
            let named = |problem: String| {
                format!("the secret {name} cannot be read from {}: {problem}", path.display())
            };
            let length = fs::metadata(path).map_err(|error| named(error.to_string()))?.len();
            if length > FILE_LIMIT {
                return Err(named(format!("it has {length} bytes")));
            }
            let content = fs::read(path).map_err(|error| named(error.to_string()))?;
            all.extend(
                values(&String::from_utf8_lossy(&content)).into_iter().map(|value| (name.clone(), value)),
            );
        }
        Self::new(all)
    }

    fn new(all: Vec<(String, String)>) -> Result<Self, String> {
        let mut names = Vec::new();
        let mut forms: Vec<String> = Vec::new();
        for (name, value) in all {
            for form in [percent_encoded(&value), json_escaped(&value), value] {
                if !forms.contains(&form) {
                    names.push(name.clone());
                    forms.push(form);
                }
            }
        }
        let longest = forms.iter().map(String::len).max().unwrap_or(0);
        let search = (!forms.is_empty())
            .then(|| AhoCorasick::builder().match_kind(MatchKind::Standard).build(&forms))
            .transpose()
            .map_err(|error| format!("the secrets cannot be searched for: {error}"))?;
        Ok(Self { names, search, longest })
    }

    /// True without any secret.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// How many texts are searched for: values, parts of them and their encodings.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Bytes of the longest value: so much of one piece has to be kept before the next.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// The names of the secrets whose value is in `content`, each once.
    pub(crate) fn names_in(&self, content: &[u8]) -> Vec<&str> {
        let mut found = Vec::new();
        for hit in self.search.iter().flat_map(|search| search.find_overlapping_iter(content)) {
            let name = self.names[hit.pattern().as_usize()].as_str();
            if !found.contains(&name) {
                found.push(name);
            }
        }
        found
    }
}

/// The values that one secret file holds: all of it, the password of a URL, and every long random word.
fn values(content: &str) -> Vec<String> {
    let whole = content.trim();
    let mut found = vec![whole.to_owned()];
    for word in whole.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '=' | ',' | ';')) {
        if let Some(password) = password(word) {
            found.push(password.to_owned());
        }
        if word.len() >= WORD && is_random(word) {
            found.push(word.to_owned());
        }
    }
    found.retain(|value| value.len() >= LEAST);
    found.sort();
    found.dedup();
    found
}

/// Of `scheme://user:password@host`.
fn password(word: &str) -> Option<&str> {
    let (_, rest) = word.split_once("://")?;
    let (user, _) = rest.rsplit_once('@')?;
    Some(user.split_once(':')?.1)
}

/// Letters and digits mixed: no word of a language, no path.
fn is_random(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    digits >= 2 && letters >= 2 && !word.contains('/')
}

fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_secret_file() {
        let url = "postgresql://pivotal:s3cretPassw0rdWithLength@postgres:5432/pivotal\n";
        assert!(values(url).contains(&"s3cretPassw0rdWithLength".to_owned()));
        let conf = "requirepass 9f8e7d6c5b4a39281706f5e4d3c2b1a0\nappendonly yes\n";
        let found = values(conf);
        assert!(found.contains(&"9f8e7d6c5b4a39281706f5e4d3c2b1a0".to_owned()));
        assert!(!found.contains(&"appendonly".to_owned()), "{found:?}");
        assert!(values("short").is_empty());
    }

    #[test]
    fn values_are_found_in_their_encodings() {
        let secrets = Secrets::new(vec![("key".into(), "a/b+c\"d=12".into())]).unwrap();
        assert_eq!(secrets.names_in(b"URL=x://a%2Fb%2Bc%22d%3D12@h"), ["key"]);
        assert_eq!(secrets.names_in(br#"{"env":"a/b+c\"d=12"}"#), ["key"]);
        assert!(secrets.names_in(b"a/b+c").is_empty());
    }

    #[test]
    fn a_missing_file_is_said() {
        let error = Secrets::read(&[("key".into(), "/nonexistent".into())]).unwrap_err();
        assert!(error.contains("/nonexistent"));
    }

    #[test]
    fn values_are_not_shown() {
        let secrets = Secrets::new(vec![("key".into(), "hidden-value".into())]).unwrap();
        assert!(!format!("{secrets:?}").contains("hidden"));
    }
}
