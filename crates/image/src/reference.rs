//! Image references as Docker reads and shows them (grammar of `distribution/reference`).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Digest, DigestError};

const DEFAULT_DOMAIN: &str = "docker.io";
const OFFICIAL_PREFIX: &str = "library/";
/// Limit of `domain/path` in Docker's grammar.
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;

/// A normalised image name: `nginx` is `docker.io/library/nginx:latest`.
///
/// `Display` gives the familiar short form (`nginx:latest`), [`Reference::canonical`] the full one. Two spellings
/// of one image are equal.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text that is not an image reference.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReferenceError {
    /// The name is empty.
    #[error("an image reference is empty")]
    Empty,
    /// The name or one of its parts does not fit the grammar.
    #[error("invalid image reference `{text}`: {reason}")]
    Invalid {
        /// The whole reference, cut to 300 characters.
        text: String,
        /// The part that is wrong, and why.
        reason: &'static str,
    },
    /// The part after `@` is not a digest.
    #[error("invalid image reference `{text}`")]
    Digest {
        /// The whole reference, cut to 300 characters.
        text: String,
        /// What is wrong with the digest.
        #[source]
        source: DigestError,
    },
}

impl plimsoll_source::Explain for ReferenceError {}

impl Reference {
    /// Reads a reference and adds what Docker adds: the domain `docker.io`, the folder `library/`, and the tag
    /// `latest` when neither tag nor digest is given.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let invalid = |reason| ReferenceError::Invalid { text: text.chars().take(300).collect(), reason };
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                let digest = Digest::parse(digest).map_err(|source| ReferenceError::Digest {
                    text: text.chars().take(300).collect(),
                    source,
                })?;
                (rest, Some(digest))
            }
            None => (text, None),
        };
        // a colon before the last slash belongs to the domain's port
        let after_slash = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[after_slash..].find(':') {
            Some(colon) => (&rest[..after_slash + colon], Some(&rest[after_slash + colon + 1..])),
            None => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(invalid(
                "a tag has up to 128 letters, digits, `_`, `.` and `-`, not first `.` or `-`",
            ));
        }
        let (domain, path) = split_domain(name);
        if name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(invalid("64 hexadecimal digits are an image id, not a name"));
        }
        if !is_domain(&domain) {
            return Err(invalid("the registry's host name is not valid"));
        }
        if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(invalid("the repository name must be lower case"));
        }
        if path.is_empty() || !path.split('/').all(is_path_component) {
            return Err(invalid(
                "a repository name has lower-case letters and digits, separated by `.`, `_`, `__` or `-`",
            ));
        }
        if domain.len() + 1 + path.len() > MAX_NAME {
            return Err(invalid("the name is longer than 255 characters"));
        }
        let tag = match (tag, &digest) {
            (Some(tag), _) => Some(tag.to_owned()),
            (None, Some(_)) => None,
            (None, None) => Some("latest".to_owned()),
        };
        Ok(Self { domain, path, tag, digest })
    }

    /// The registry's host and port: `docker.io`, `127.0.0.1:5000`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository inside the registry: `library/nginx`.
    pub fn repository(&self) -> &str {
        &self.path
    }

    /// The tag, absent only when a digest is given without one.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest after `@`.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same name pinned to (or, with `None`, freed from) a digest.
    pub fn with_digest(&self, digest: Option<Digest>) -> Self {
        let tag = match (&self.tag, digest) {
            (None, None) => Some("latest".to_owned()),
            (tag, _) => tag.clone(),
        };
        Self { tag, digest, ..self.clone() }
    }

    /// The same repository with this digest and without a tag.
    #[must_use]
    pub fn by_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// The full form, with domain and folder: `docker.io/library/nginx:1`.
    pub fn canonical(&self) -> String {
        format!("{}/{}{}", self.domain, self.path, self.suffix())
    }

    /// The form that people write: `nginx:1`.
    pub fn familiar(&self) -> String {
        format!("{}{}", self.familiar_name(), self.suffix())
    }

    /// The familiar form without tag and digest: `nginx`.
    pub fn familiar_name(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return format!("{}/{}", self.domain, self.path);
        }
        match self.path.strip_prefix(OFFICIAL_PREFIX) {
            Some(official) if !official.contains('/') => official.to_owned(),
            _ => self.path.clone(),
        }
    }

    fn suffix(&self) -> String {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = self.digest.map(|digest| format!("@{digest}")).unwrap_or_default();
        tag + &digest
    }
}

fn split_domain(name: &str) -> (String, String) {
    let (domain, path) = match name.split_once('/') {
        // the first part is a host only if it cannot be a folder (distribution/reference, splitDockerDomain)
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (first, path),
        _ => (DEFAULT_DOMAIN, name),
    };
    let domain = if domain == "index.docker.io" { DEFAULT_DOMAIN } else { domain };
    if domain == DEFAULT_DOMAIN && !path.contains('/') {
        return (domain.to_owned(), format!("{OFFICIAL_PREFIX}{path}"));
    }
    (domain.to_owned(), path.to_owned())
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut bytes = tag.bytes();
    tag.len() <= MAX_TAG
        && bytes.next().is_some_and(word)
        && bytes.all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => {
                let address_fits = !address.is_empty()
                    && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
                return address_fits && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
            }
            None => return false,
        },
        None => domain.split_once(':').map_or((domain, None), |(host, port)| (host, Some(port))),
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.split('.').all(label) && port.is_none_or(is_port)
}

fn is_port(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(component: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let edges = [bytes.first(), bytes.last()];
    if !edges.iter().all(|edge| edge.is_some_and(|byte| alphanumeric(*byte))) {
        return false;
    }
    bytes.split(|byte| alphanumeric(*byte)).all(|separator| {
        matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|byte| *byte == b'-')
    })
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.familiar())
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        Self::parse(text)
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.canonical())
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised_as_docker_does() {
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for (text, canonical, familiar) in [
            ("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            ("nginx:1", "docker.io/library/nginx:1", "nginx:1"),
            ("docker.io/nginx:1", "docker.io/library/nginx:1", "nginx:1"),
            ("index.docker.io/library/nginx:1", "docker.io/library/nginx:1", "nginx:1"),
            (
                "nginxinc/nginx-unprivileged:1.27",
                "docker.io/nginxinc/nginx-unprivileged:1.27",
                "nginxinc/nginx-unprivileged:1.27",
            ),
            (
                "gcr.io/distroless/nodejs20-debian12:nonroot",
                "gcr.io/distroless/nodejs20-debian12:nonroot",
                "gcr.io/distroless/nodejs20-debian12:nonroot",
            ),
            ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
            ("localhost:5000/x:t", "localhost:5000/x:t", "localhost:5000/x:t"),
            ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b:latest", "127.0.0.1:5000/a/b:latest"),
            ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
            ("a/b__c-d--e.f", "docker.io/a/b__c-d--e.f:latest", "a/b__c-d--e.f:latest"),
            ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
            (
                &format!("nginx@{digest}"),
                &format!("docker.io/library/nginx@{digest}"),
                &format!("nginx@{digest}"),
            ),
            (
                &format!("nginx:1@{digest}"),
                &format!("docker.io/library/nginx:1@{digest}"),
                &format!("nginx:1@{digest}"),
            ),
        ] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(reference.canonical(), canonical, "{text}");
            assert_eq!(reference.familiar(), familiar, "{text}");
            assert_eq!(Reference::parse(canonical).unwrap(), reference);
            assert_eq!(Reference::parse(familiar).unwrap(), reference);
        }
    }

    #[test]
    fn what_docker_refuses_is_refused() {
        let long = "a/".repeat(130) + "a";
        for bad in [
            "",
            ":",
            "a:",
            "A/b:t",
            "Nginx",
            "a//b",
            "/a",
            "a/",
            "-a",
            "a-",
            "a___b",
            "a..b",
            "a:-t",
            "a b",
            "a@sha256:00",
            "a:b:c",
            "a@",
            "x.y:port/a",
            "..",
            "../a",
            "a.b./c",
            &"0".repeat(64),
            &long,
            &format!("a:{}", "t".repeat(129)),
        ] {
            assert!(Reference::parse(bad).is_err(), "{bad} was accepted");
        }
    }
}
