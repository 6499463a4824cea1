//! Which values a secret's file holds.

use serde_json::Value as Json;

use super::{
    forms::is_mixed,
    names::{is_secret_name, password_of_url, unquoted},
};

/// A shorter value is found by accident.
pub(super) const LEAST: usize = 8;
/// The length from which a random word inside a secret file counts as a secret of its own.
const WORD: usize = 16;

/// One value that must be nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Value {
    pub(super) text: String,
    /// A part of it shows it too: it is one random word.
    pub(super) atom: bool,
}

/// PEM blocks that everybody may see: a server shows its certificate to each visitor, and images hold those of others.
const PUBLIC: &[&str] =
    &["CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CRL", "PUBLIC KEY", "DH PARAMETERS", "EC PARAMETERS"];

/// The values of one secret file: all of it; what stands behind a key that names a secret; passwords of URLs and of
/// `.pgpass`; the lines of a key; every random word.
pub(super) fn values(content: &str) -> Vec<Value> {
    let content = without_public_blocks(content);
    let whole = content.trim().trim_start_matches('\u{feff}');
    // All keys of a kind begin alike: a part of this line shows none.
    let begins: Vec<&str> = whole
        .lines()
        .zip(whole.lines().skip(1))
        .filter(|(line, _)| line.starts_with("-----BEGIN "))
        .map(|(_, next)| next.trim())
        .collect();
    let mut found: Vec<String> = vec![whole.to_owned()];
    let in_json = serde_json::from_str::<Json>(whole).ok().filter(|json| json.is_object() || json.is_array());
    match &in_json {
        Some(json) => leaves(json, "", &mut found),
        None => {
            for line in whole.lines().map(str::trim).filter(|line| !line.is_empty()) {
                of_line(line, &mut found);
            }
        }
    }
    let mut values: Vec<Value> = found
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(|text| Value { atom: is_atom(&text) && !begins.contains(&text.as_str()), text })
        .collect();
    values.sort();
    values.dedup();
    values
}

/// A block without an end stays: what is behind its beginning may be anything.
fn without_public_blocks(content: &str) -> String {
    let mut kept = content.to_owned();
    for label in PUBLIC {
        let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
        let mut left = String::new();
        let mut rest = kept.as_str();
        while let Some((before, behind)) = rest.split_once(begin.as_str()) {
            let Some((_, after)) = behind.split_once(end.as_str()) else { break };
            left.push_str(before);
            rest = after;
        }
        left.push_str(rest);
        kept = left;
    }
    kept
}

fn of_line(line: &str, found: &mut Vec<String>) {
    let line = line.strip_prefix("export ").unwrap_or(line);
    // A comment explains; what it holds is looked at for random words only.
    if !line.starts_with('#')
        && let Some(at) = line.find(|c: char| c.is_whitespace() || matches!(c, '=' | ':'))
    {
        let (key, rest) = line.split_at(at);
        let value = unquoted(rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '=' | ':')));
        if is_secret_name(key.trim_matches(['"', '\''])) && !value.starts_with("//") {
            found.push(value.to_owned());
        }
        // `user:password`, also of htpasswd.
        if rest.starts_with(':') && !rest[1..].contains([':', ' ', '/']) && !key.contains('.') {
            found.extend(Some(&rest[1..]).filter(|value| value.len() >= LEAST).map(ToString::to_string));
        }
    }
    // hostname:port:database:username:password
    if line.matches(':').count() == 4 && !line.contains("://") && !line.contains(' ') {
        found.extend(line.rsplit(':').next().map(str::to_owned));
    }
    for word in line.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';')) {
        if let Some(password) = password_of_url(word) {
            found.push(password.to_owned());
            found.extend(percent_decoded(password));
        }
        for part in [word, word.split_once('=').map_or("", |(_, value)| value)] {
            if is_random(part) {
                found.push(part.to_owned());
            }
        }
    }
}

/// Strings behind keys that name a secret, and random ones.
fn leaves(json: &Json, key: &str, found: &mut Vec<String>) {
    match json {
        Json::String(text) => {
            if is_secret_name(key) || is_random(text) {
                found.push(text.clone());
            }
            text.lines().for_each(|line| of_line(line, found));
        }
        Json::Number(number) if is_secret_name(key) => found.push(number.to_string()),
        Json::Array(items) => items.iter().for_each(|item| leaves(item, key, found)),
        Json::Object(fields) => fields.iter().for_each(|(key, value)| leaves(value, key, found)),
        Json::Number(_) | Json::Bool(_) | Json::Null => {}
    }
}

/// Letters and digits mixed over some length: no word of a language, no path, no address.
fn is_random(word: &str) -> bool {
    let path = word.starts_with(['/', '.']) || word.contains("://") || word.contains('@');
    let slashes =
        word.contains('/') && (word.contains('.') || !word.bytes().any(|byte| byte.is_ascii_uppercase()));
    word.len() >= WORD && is_mixed(word.as_bytes()) && !path && !slashes
}

/// One word without a structure that could stand elsewhere by right, as the host in a URL could.
fn is_atom(text: &str) -> bool {
    is_mixed(text.as_bytes())
        && !text.contains(|c: char| c.is_whitespace() || matches!(c, ':' | '@' | '"' | '.'))
}

fn percent_decoded(text: &str) -> Option<String> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8().ok()?;
    (decoded != text).then(|| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(content: &str) -> Vec<String> {
        values(content).into_iter().map(|value| value.text).collect()
    }

    #[test]
    fn the_parts_of_a_secret_file() {
        for (content, value) in [
            (
                "postgresql://pivotal:s3cretPassw0rdWithLength@postgres:5432/pivotal\n",
                "s3cretPassw0rdWithLength",
            ),
            ("postgresql://pivotal:a%2Fb%40c@postgres/pivotal\n", "a/b@c"),
            ("postgresql://pivotal:a%+1b%40c@postgres/pivotal\n", "a%+1b@c"),
            (
                "requirepass 9f8e7d6c5b4a39281706f5e4d3c2b1a0\nappendonly yes\n",
                "9f8e7d6c5b4a39281706f5e4d3c2b1a0",
            ),
            ("requirepass correct-horse-battery-staple\n", "correct-horse-battery-staple"),
            ("appendonly yes\nrequirepass \"aX/9+b==\"\n", "aX/9+b=="),
            ("password=s3cr3t!\n", "s3cr3t!"),
            ("DB_PASSWORD: 'two words here'\n", "two words here"),
            ("export API_KEY=abcdefgh;\n", "abcdefgh"),
            ("{\"db\": {\"password\": \"plainwords\"}}", "plainwords"),
            ("db.example:5432:app:admin:plainwords", "plainwords"),
            ("admin:$apr1$abc$defghijk", "$apr1$abc$defghijk"),
            ("key zz\nq1W/2e3R+4t5Y6u7I8o9=\n", "q1W/2e3R+4t5Y6u7I8o9="),
        ] {
            assert!(texts(content).contains(&value.to_owned()), "{content}: {:?}", texts(content));
        }
    }

    #[test]
    fn a_certificate_is_no_secret_and_its_key_is() {
        let line = "MIIDFTCCAf2gAwIBAgIUYA0GCSqGSIb3DQEBCwUAMBQxEjAQBgNVBAMMCWxvY2Fs";
        let certificate = format!("-----BEGIN CERTIFICATE-----\n{line}\n-----END CERTIFICATE-----\n");
        assert!(values(&certificate).is_empty());
        assert!(values(&certificate.replace('\n', "\r\n")).is_empty());
        let (first, second) = (
            "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj",
            "q1W2e3R4t5Y6u7I8o9q1W2e3R4t5Y6u7I8o9q1W2e3R4t5Y6u7I8o9q1W2e3R4t5",
        );
        let key = format!("-----BEGIN PRIVATE KEY-----\n{first}\n{second}\n-----END PRIVATE KEY-----\n");
        let found = values(&format!("{certificate}{key}{certificate}"));
        let of = |text: &str| found.iter().find(|value| value.text == text).map(|value| value.atom);
        // How a key begins stands in every certificate of its kind.
        assert_eq!((of(line), of(first), of(second)), (None, Some(false), Some(true)));
        // Without an end nothing is left out.
        let cut = certificate.replace("-----END CERTIFICATE-----", "");
        assert!(values(&cut).iter().any(|value| value.text == line));
    }

    #[test]
    fn what_is_no_value() {
        let found = texts("requirepass abcdefgh\nappendonly yes\ndir /var/lib/redis7/data12345\nport 6379\n");
        for word in ["appendonly", "yes", "6379", "/var/lib/redis7/data12345"] {
            assert!(!found.contains(&word.to_owned()), "{found:?}");
        }
    }
}
