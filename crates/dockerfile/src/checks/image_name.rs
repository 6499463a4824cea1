//! Whether a text can be the name of an image: Docker's reference grammar.

/// Whether `text` is a valid image reference, such as `node:20`, `registry.example/a/b@sha256:...` or `localhost:5000/x`.
pub(super) fn is_valid(text: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase());
    if text.len() == 64 && hex(text) {
        return false;
    }
    let (domain, rest) = match text.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':']) || first == "localhost" || first.to_lowercase() != first =>
        {
            (Some(first), rest)
        }
        _ => (None, text),
    };
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (rest, None),
    };
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (rest, None),
    };
    domain.is_none_or(is_domain)
        && domain.map_or(0, str::len) + path.len() <= 254
        && path.split('/').all(is_component)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
}

/// Lower-case letters and digits, joined by `.`, `_`, `__` or dashes.
fn is_component(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut rest = text.as_bytes();
    loop {
        let len = rest.iter().take_while(|byte| word(**byte)).count();
        if len == 0 {
            return false;
        }
        rest = &rest[len..];
        let dashes = rest.iter().take_while(|byte| **byte == b'-').count();
        rest = match rest {
            [] => return true,
            [b'_', b'_', rest @ ..] | [b'.' | b'_', rest @ ..] => rest,
            _ if dashes > 0 => &rest[dashes..],
            _ => return false,
        };
    }
}

fn is_tag(text: &str) -> bool {
    let word = |ch: char| ch.is_ascii_alphanumeric() || ch == '_';
    text.len() <= 128 && text.starts_with(word) && text.chars().all(|ch| word(ch) || ch == '.' || ch == '-')
}

fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    let part = |part: &str| {
        part.starts_with(|ch: char| ch.is_ascii_alphabetic())
            && part.chars().all(|ch| ch.is_ascii_alphanumeric())
    };
    algorithm.split(['-', '_', '+', '.']).all(part)
        && hex.len() >= 32
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_domain(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|ch| ch.is_ascii_alphanumeric() || ch == '-')
    };
    let host_is_valid = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => !address.is_empty() && address.chars().all(|ch| ch.is_ascii_hexdigit() || ch == ':'),
        None => host.split('.').all(label),
    };
    host_is_valid
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn names_follow_the_grammar() {
        let digest = format!("a@sha256:{}", "0".repeat(64));
        for text in [
            "node",
            "node:20-slim",
            "a/b__c/d.e-f--g",
            "localhost:5000/x:V1",
            "Host.example/a",
            "[::1]:80/x",
            &digest,
        ] {
            assert!(is_valid(text), "{text}");
        }
        let id = "a".repeat(64);
        for text in
            ["", "node:", "Node", ":20", "a//b", "a/", "-a", "a:b:c", "a@sha256:12", "x.y:p/z", "a b", &id]
        {
            assert!(!is_valid(text), "{text}");
        }
    }
}
