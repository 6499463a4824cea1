//! Keys: blake3 over canonical, ordered, length-prefixed bytes, with the parts kept so that a miss can be explained.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A digest of what a step does and of everything it can read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key([u8; 32]);

impl Key {
    /// The key that is the BLAKE3 digest of `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest as it is hashed into other keys.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 64 || !bytes.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let mut key = [0; 32];
        for (byte, pair) in key.iter_mut().zip(bytes.chunks_exact(2)) {
            let digits = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(Self(key))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a key"))
    }
}

/// One named part of a key: `instruction`, `argument VERSION`, `file src/main.ts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What it is, as a person calls it. Secret values never are a part.
    pub name: String,
    /// The digest of its value.
    pub value: Key,
}

/// Builds a [`Key`] from named parts. The order of the calls matters, as the order of the parts does.
pub(crate) struct KeyBuilder {
    hash: blake3::Hasher,
    parts: Vec<Part>,
}

impl KeyBuilder {
    /// `kind` separates the keys of different operations, and of different versions of their meaning.
    pub(crate) fn new(kind: &str) -> Self {
        let mut hash = blake3::Hasher::new_derive_key("plimsoll build step v1");
        field(&mut hash, kind.as_bytes());
        Self { hash, parts: Vec::new() }
    }

    pub(crate) fn part(&mut self, name: impl Into<String>, value: impl AsRef<[u8]>) {
        let part = Part { name: name.into(), value: Key::of(value.as_ref()) };
        field(&mut self.hash, part.name.as_bytes());
        self.hash.update(part.value.as_bytes());
        self.parts.push(part);
    }

    /// A part that is a list of texts.
    pub(crate) fn list<'a>(&mut self, name: impl Into<String>, values: impl IntoIterator<Item = &'a str>) {
        let mut bytes = Vec::new();
        for value in values {
            bytes.extend((value.len() as u64).to_le_bytes());
            bytes.extend(value.as_bytes());
        }
        self.part(name, bytes);
    }

    /// A digest of the parts until now.
    pub(crate) fn so_far(&self) -> Key {
        Key(*self.hash.finalize().as_bytes())
    }

    pub(crate) fn finish(self) -> (Key, Vec<Part>) {
        (Key(*self.hash.finalize().as_bytes()), self.parts)
    }
}

pub(crate) fn field(hash: &mut blake3::Hasher, bytes: &[u8]) {
    hash.update(&(bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[(&str, &str)]) -> Key {
        let mut key = KeyBuilder::new("test");
        for (name, value) in parts {
            key.part(*name, value);
        }
        key.finish().0
    }

    #[test]
    fn borders_between_parts_count() {
        assert_ne!(key(&[("a", "bc")]), key(&[("ab", "c")]));
        assert_ne!(key(&[("a", "b"), ("c", "d")]), key(&[("c", "d"), ("a", "b")]));
        assert_eq!(key(&[("a", "b")]), key(&[("a", "b")]));
        let mut one = KeyBuilder::new("test");
        one.list("l", ["ab", "c"]);
        let mut other = KeyBuilder::new("test");
        other.list("l", ["a", "bc"]);
        assert_ne!(one.finish().0, other.finish().0);
    }

    #[test]
    fn a_key_is_read_back_from_its_text() {
        let key = Key::of(b"x");
        assert_eq!(Key::parse(&key.to_string()), Some(key));
        assert_eq!(Key::parse("xyz"), None);
        assert_eq!(Key::parse(&"+1".repeat(32)), None);
    }
}
