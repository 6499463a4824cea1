//! The secret values of the project, and where they are found. The values never leave this module.

mod forms;
pub(crate) mod names;
mod values;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
};

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};

use values::{LEAST, Value, values};

/// The longest file that is taken for a secret.
const FILE_LIMIT: u64 = 1 << 20;
/// Up to so many bytes of patterns the search gets a table for each state: several times as fast, and of some megabytes.
const TABLE_LIMIT: usize = 64 << 10;
/// A text that was cut may end in the middle of a value: so much of its beginning is taken for one.
const CUT: usize = 6;

/// What is searched for, by name of the secret.
#[derive(Default)]
pub(crate) struct Secrets {
    patterns: Vec<Pattern>,
    /// Every hit, also inside another: where something is.
    search: Option<AhoCorasick>,
    /// The longest hit: what to take away.
    longest_first: Option<AhoCorasick>,
    longest: usize,
    values: usize,
    unsearchable: Vec<Unsearchable>,
}

/// A text that is searched for.
struct Pattern {
    name: String,
    /// Its form, where it is not the value itself.
    kind: &'static str,
    bytes: Vec<u8>,
}

/// A value that cannot be told from other text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unsearchable {
    pub(crate) name: String,
    pub(crate) why: String,
    value: String,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("values", &self.values).finish_non_exhaustive()
    }
}

/// What is known before a search can be made.
#[derive(Default)]
pub(crate) struct Collected {
    all: Vec<(String, Value)>,
    short: Vec<(String, String)>,
}

impl Collected {
    /// The values of secret files.
    pub(crate) fn files(&mut self, files: &[(String, PathBuf)]) -> Result<(), String> {
        for (name, path) in files {
            let named = |problem: String| {
                format!("the secret {name} cannot be read from {}: {problem}", path.display())
            };
            let content = plimsoll_disk::read_regular(path, FILE_LIMIT, plimsoll_disk::Links::Follow)
                .map_err(|error| named(error.to_string()))?;
            self.content(name, &String::from_utf8_lossy(&content));
        }
        Ok(())
    }

    /// The values of a text that holds a secret and perhaps more.
    pub(crate) fn content(&mut self, name: &str, content: &str) {
        let (long, short): (Vec<_>, Vec<_>) =
            values(content).into_iter().partition(|value| value.text.len() >= LEAST);
        // A short word beside longer values is what is around them.
        if long.is_empty() {
            self.short.extend(short.into_iter().map(|value| (name.to_owned(), value.text)));
        } else {
            let whole = content.trim();
            let others = short.into_iter().filter(|value| value.text != whole);
            self.short.extend(others.map(|value| (name.to_owned(), value.text)));
        }
        self.all.extend(long.into_iter().map(|value| (name.to_owned(), value)));
    }

    /// A value that nobody declared, found behind a name that says what it is.
    pub(crate) fn value(&mut self, name: &str, value: &str) {
        let known = self.all.iter().any(|(_, known)| known.text == value);
        // A plain short word, `postgres`, is everywhere; that it is a secret is a finding where it stands.
        let plain = value.len() < 12 && value.bytes().all(|byte| byte.is_ascii_lowercase());
        if value.len() >= LEAST && !known && !plain {
            let atom = forms::is_mixed(value.as_bytes());
            self.all.push((name.to_owned(), Value { text: value.to_owned(), atom }));
        }
    }

    /// Makes the search. `ordinary` are the names of services, images, users and the like: a value that is one of them
    /// would be found wherever it is named.
    pub(crate) fn finish(self, ordinary: &BTreeSet<String>) -> Result<Secrets, String> {
        let mut patterns: Vec<Pattern> = Vec::new();
        let mut known: BTreeSet<Vec<u8>> = BTreeSet::new();
        let mut unsearchable: Vec<Unsearchable> = Vec::new();
        let mut count = 0;
        for (name, value) in &self.all {
            if ordinary.iter().any(|word| word.contains(value.text.as_str())) {
                let why =
                    "its value is also the name of something in the project, and easy to guess".to_owned();
                unsearchable.push(Unsearchable { name: name.clone(), why, value: value.text.clone() });
                continue;
            }
            count += 1;
            let pieces = if value.atom { forms::pieces(&value.text) } else { Vec::new() };
            for form in forms::forms(&value.text).into_iter().chain(pieces) {
                if known.insert(form.bytes.clone()) {
                    patterns.push(Pattern { name: name.clone(), kind: form.kind, bytes: form.bytes });
                }
            }
        }
        for (name, value) in self.short {
            let why =
                format!("a value of {} characters cannot be told from other text", value.chars().count());
            unsearchable.push(Unsearchable { name, why, value });
        }
        unsearchable.dedup();
        let total: usize = patterns.iter().map(|pattern| pattern.bytes.len()).sum();
        // By itself the crate makes a table of few patterns however long they are.
        let kind = if total <= TABLE_LIMIT { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let build = |matches: MatchKind| {
            let mut builder: AhoCorasickBuilder = AhoCorasick::builder();
            let built = builder
                .match_kind(matches)
                .kind(Some(kind))
                .build(patterns.iter().map(|pattern| &pattern.bytes));
            built.map_err(|error| format!("the secrets cannot be searched for: {error}"))
        };
        let (search, longest_first) = if patterns.is_empty() {
            (None, None)
        } else {
            (Some(build(MatchKind::Standard)?), Some(build(MatchKind::LeftmostLongest)?))
        };
        let longest = patterns.iter().map(|pattern| pattern.bytes.len()).max().unwrap_or(0);
        Ok(Secrets { patterns, search, longest_first, longest, values: count, unsearchable })
    }
}

impl Secrets {
    /// Reads the files.
    #[cfg(test)]
    pub(crate) fn read(files: &[(String, PathBuf)]) -> Result<Self, String> {
        let mut collected = Collected::default();
        collected.files(files)?;
        collected.finish(&BTreeSet::new())
    }

    /// How many values are searched for, each in many forms.
    pub(crate) fn len(&self) -> usize {
        self.values
    }

    /// Bytes of the longest form: so much of one piece has to be kept before the next.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// What cannot be searched for, and why.
    pub(crate) fn unsearchable(&self) -> &[Unsearchable] {
        &self.unsearchable
    }

    /// The names of the secrets whose value is in `content`, each once, with the form where it is not the value itself.
    pub(crate) fn names_in(&self, content: &[u8]) -> Vec<String> {
        let mut found: BTreeMap<&str, &'static str> = BTreeMap::new();
        for hit in self.search.iter().flat_map(|search| search.find_overlapping_iter(content)) {
            let pattern = &self.patterns[hit.pattern().as_usize()];
            let kind = found.entry(&pattern.name).or_insert(pattern.kind);
            // The plainest form says most.
            if pattern.kind.is_empty() || kind.starts_with("a part") {
                *kind = pattern.kind;
            }
        }
        let named = found.into_iter().map(|(name, kind)| match kind {
            "" => name.to_owned(),
            kind => format!("{name} ({kind})"),
        });
        named.collect()
    }

    /// The names of short secrets that are exactly this value. A value of six or more characters of more than one kind
    /// is no accident where it is the whole value of a variable.
    pub(crate) fn short_names_of(&self, value: &str) -> Vec<&str> {
        let telling = |text: &str| {
            text.len() >= 6
                && text.bytes().any(|byte| byte.is_ascii_alphabetic())
                && text.bytes().any(|byte| !byte.is_ascii_alphabetic())
        };
        let same = self.unsearchable.iter().filter(|short| short.value == value && telling(value));
        same.map(|short| short.name.as_str()).collect()
    }

    /// The text with every value replaced by its secret's name, and passwords of URLs taken out.
    pub(crate) fn redact(&self, text: &str) -> String {
        let mut clean = self.without_values(text);
        clean = without_url_passwords(&clean);
        self.without_cut_value(&mut clean);
        clean
    }

    fn without_values(&self, text: &str) -> String {
        let Some(search) = &self.longest_first else { return text.to_owned() };
        let bytes = text.as_bytes();
        let mut clean = Vec::with_capacity(bytes.len());
        let mut done = 0;
        for hit in search.find_iter(bytes) {
            clean.extend_from_slice(&bytes[done..hit.start()]);
            clean.extend_from_slice(
                format!("<secret {}>", self.patterns[hit.pattern().as_usize()].name).as_bytes(),
            );
            done = hit.end();
        }
        clean.extend_from_slice(&bytes[done..]);
        String::from_utf8_lossy(&clean).into_owned()
    }

    /// A quotation is cut somewhere: also in the middle of a value.
    fn without_cut_value(&self, text: &mut String) {
        for pattern in self.patterns.iter().filter(|pattern| matches!(pattern.kind, "" | "as in JSON")) {
            let most = pattern.bytes.len().min(text.len());
            let cut = (CUT..most).rev().find(|length| text.as_bytes().ends_with(&pattern.bytes[..*length]));
            if let Some(length) = cut
                && is_telling(&pattern.bytes[..length])
                && text.is_char_boundary(text.len() - length)
            {
                text.truncate(text.len() - length);
                text.push_str(&format!("<secret {}>", pattern.name));
                return;
            }
        }
    }
}

/// The beginning of a random text, and not that of a URL or of a word.
fn is_telling(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_digit) && !text.contains(&b':') && !text.contains(&b' ')
}

/// Passwords of URLs, declared or not.
fn without_url_passwords(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut done = 0;
    for password in names::url_passwords(text) {
        // Both are slices of the same text.
        let start = password.as_ptr() as usize - text.as_ptr() as usize;
        if start < done || password.starts_with("<secret") {
            continue;
        }
        clean.push_str(&text[done..start]);
        clean.push_str("<password>");
        done = start + password.len();
    }
    clean.push_str(&text[done..]);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(values: &[(&str, &str)]) -> Secrets {
        let mut collected = Collected::default();
        for (name, value) in values {
            collected.content(name, value);
        }
        collected.finish(&BTreeSet::new()).unwrap()
    }

    #[test]
    fn values_are_found_in_their_encodings() {
        let secrets = secrets(&[("key", "a/b+c\"d=12")]);
        assert_eq!(secrets.names_in(b"URL=x://a%2Fb%2Bc%22d%3D12@h"), ["key (percent-encoded)"]);
        assert_eq!(secrets.names_in(br#"{"env":"a/b+c\"d=12"}"#), ["key (as in JSON)"]);
        assert!(secrets.names_in(b"a/b+c").is_empty());
    }

    /// With a table for each of its states it takes gigabytes and minutes.
    #[test]
    fn a_long_secret_is_searched_for() {
        let long: String =
            (0..6000).map(|number| (number * 7919 % 10_007).to_string()).collect::<Vec<_>>().join("/");
        let secrets = secrets(&[("key", &long)]);
        assert_eq!(secrets.names_in(format!("a {long} b").as_bytes()), ["key"]);
    }

    #[test]
    fn a_missing_file_is_said() {
        let error = Secrets::read(&[("key".into(), "/nonexistent".into())]).unwrap_err();
        assert!(error.contains("/nonexistent"));
    }

    #[test]
    fn values_are_not_shown() {
        assert!(!format!("{:?}", secrets(&[("key", "hidden-value")])).contains("hidden"));
    }

    #[test]
    fn passwords_too_plain_to_be_searched() {
        let secrets =
            secrets(&[("phrase_conf", "requirepass correct-horse-battery-staple\n"), ("pin", "s3cr3t!")]);
        assert_eq!(secrets.names_in(b"PASS_PHRASE=correct-horse-battery-staple"), ["phrase_conf"]);
        assert_eq!(secrets.short_names_of("s3cr3t!"), ["pin"]);
        assert_eq!(secrets.unsearchable().len(), 1);
        assert!(secrets.unsearchable()[0].why.contains("7 characters"));
    }

    #[test]
    fn a_name_of_the_project_is_no_value() {
        let mut collected = Collected::default();
        collected.content("password", "postgres");
        let secrets = collected.finish(&BTreeSet::from(["postgres".to_owned()])).unwrap();
        assert!(secrets.names_in(b"postgres:17").is_empty());
        assert_eq!(secrets.unsearchable()[0].name, "password");
    }

    #[test]
    fn secret_in_the_certificate() {
        let value = "kX9vQ2mT7rB4nL8wZ3pD6sF1";
        let secrets = secrets(&[("redis_conf", &format!("requirepass {value}\n"))]);
        assert_eq!(
            secrets.redact(&format!("redis-cli -a {value} ping, {value}")),
            "redis-cli -a <secret redis_conf> ping, <secret redis_conf>"
        );
        assert_eq!(secrets.redact("x kX9vQ2mT"), "x <secret redis_conf>", "cut in the middle");
        assert_eq!(secrets.redact("GET postgres://u:other@h/x"), "GET postgres://u:<password>@h/x");
        let encoded = "cmVkaXM6a1g5dlEybVQ3ckI0bkw4d1ozcEQ2c0Yx";
        assert!(!secrets.redact(encoded).contains("a1g5dlEybVQ3ckI0bkw4d1ozcEQ2"));
        assert!(secrets.names_in(secrets.redact(encoded).as_bytes()).is_empty());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
        /// Whatever the value and the text around it, nothing of it is found in what was cleaned.
        #[test]
        fn what_is_redacted_is_clean(value in "[a-zA-Z0-9/+&<>\"' é]{8,40}", before in "\\PC{0,20}", behind in "\\PC{0,20}") {
            let secrets = secrets(&[("key", &value)]);
            let clean = secrets.redact(&format!("{before}{value}{behind}"));
            proptest::prop_assert!(secrets.names_in(clean.as_bytes()).is_empty(), "{clean}");
        }
    }
}
