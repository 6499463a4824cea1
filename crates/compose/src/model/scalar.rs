//! Sizes, durations, modes and the other values that have a text form of their own.

use std::fmt;

use indexmap::IndexMap;
use plimsoll_source::Diagnostic;
use serde::{Serialize, Serializer};

use super::field::{Field, Sorted, for_yaml, mismatch, pointer};
use crate::{
    cast,
    value::{Kind, Value},
};

/// A size in bytes. Written as a string of digits, as the reference does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub i64);

impl Field for Bytes {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        match &value.kind {
            Kind::Int(bytes) => Ok(Self(*bytes)),
            Kind::Float(bytes) => Ok(Self(*bytes as i64)),
            Kind::Null => Ok(Self(0)),
            Kind::String(text) => cast::bytes(text).map(Self).ok_or_else(|| {
                value
                    .origin
                    .error(format!("`{text}` is not a size"))
                    .hint("write a number with an optional unit: `512m`, `1.5gb`, `65536`")
            }),
            _ => Err(mismatch(value, "a size")),
        }
    }

    fn absent(&self) -> bool {
        self.0 == 0
    }
}

impl Field for Option<Bytes> {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        Bytes::read(value).map(|bytes| Some(bytes).filter(|bytes| bytes.0 != 0))
    }

    fn absent(&self) -> bool {
        self.is_none_or(|bytes| bytes.0 == 0)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A time span in nanoseconds. Written as Go writes one: `1m30s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub i64);

impl Duration {
    /// The time span for the standard library; negative spans are zero.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

impl Field for Duration {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        match &value.kind {
            Kind::Int(nanoseconds) => Ok(Self(*nanoseconds)),
            Kind::Null => Ok(Self(0)),
            Kind::String(text) => cast::duration(text).map(Self).ok_or_else(|| {
                value
                    .origin
                    .error(format!("`{text}` is not a duration"))
                    .hint("write numbers with units: `10s`, `1m30s`, `500ms`")
            }),
            _ => Err(mismatch(value, "a duration")),
        }
    }

    fn absent(&self) -> bool {
        self.0 == 0
    }
}

pointer!(Duration, Ulimit);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cast::duration_text(self.0))
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A file mode. Written in octal: `"0440"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl Field for Option<FileMode> {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        let bits = match &value.kind {
            Kind::Int(bits) => u32::try_from(*bits).ok(),
            Kind::Null => return Ok(None),
            Kind::String(text) => u32::from_str_radix(text, 8).ok(),
            _ => return Err(mismatch(value, "a file mode")),
        };
        bits.map(|bits| Some(FileMode(bits))).ok_or_else(|| value.origin.error("not a file mode in octal"))
    }

    fn absent(&self) -> bool {
        self.is_none()
    }
}

impl Serialize for FileMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("0{:o}", self.0))
    }
}

/// `KEY=value` pairs; a key without a value is taken from the host's environment, or is absent there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(pub IndexMap<String, Option<String>>);

impl Field for Environment {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        match &value.kind {
            Kind::Null => Ok(Self::default()),
            Kind::Map(map) => {
                Ok(Self(map.iter().map(|(key, value)| (key.clone(), value.scalar_text())).collect()))
            }
            _ => Err(mismatch(value, "a mapping")),
        }
    }

    fn absent(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::ops::Deref for Environment {
    type Target = IndexMap<String, Option<String>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Serialize for Environment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Sorted(&self.0).serialize(serializer)
    }
}

/// Text by key: labels, options, sysctls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping(pub IndexMap<String, String>);

impl Field for Mapping {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        IndexMap::read(value).map(Self)
    }

    fn absent(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::ops::Deref for Mapping {
    type Target = IndexMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Serialize for Mapping {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Sorted(&self.0).serialize(serializer)
    }
}

/// Addresses by host name. Written as a list of `host=address`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(pub IndexMap<String, Vec<String>>);

impl Field for Hosts {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        let mut hosts = IndexMap::<String, Vec<String>>::new();
        match &value.kind {
            Kind::Null => {}
            Kind::Map(map) => {
                for (host, addresses) in map {
                    let all = hosts.entry(host.clone()).or_default();
                    match addresses.as_list() {
                        Some(list) => all.extend(list.iter().filter_map(Value::scalar_text)),
                        None => all.extend(addresses.scalar_text()),
                    }
                }
            }
            Kind::List(items) => {
                for item in items {
                    let text = String::read(item)?;
                    let (host, address) = split_host(&text).ok_or_else(|| {
                        item.origin
                            .error(format!("`{text}` is not a host with its address"))
                            .hint("write `host=address`")
                    })?;
                    let addresses = address.split(',').map(str::to_owned);
                    hosts.entry(host.to_owned()).or_default().extend(addresses);
                }
            }
            _ => return Err(mismatch(value, "a list of `host=address`")),
        }
        for address in hosts.values_mut().flatten() {
            if let Some(bare) = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                *address = bare.to_owned();
            }
        }
        Ok(Self(hosts))
    }

    fn absent(&self) -> bool {
        self.0.is_empty()
    }
}

/// `host=address` or the older `host:address`, where the address may hold colons.
pub(crate) fn split_host(text: &str) -> Option<(&str, &str)> {
    text.split_once('=')
        .or_else(|| text.split_once(':'))
        .filter(|(host, _)| !host.is_empty() && !host.contains([':', '=']))
}

impl Serialize for Hosts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all: Vec<String> = self
            .0
            .iter()
            .flat_map(|(host, addresses)| addresses.iter().map(move |address| format!("{host}={address}")))
            .collect();
        all.sort();
        serializer.collect_seq(all)
    }
}

/// A limit of the kernel on processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ulimit {
    /// The limit in force.
    pub soft: i64,
    /// How far a process may raise it.
    pub hard: i64,
    /// Both were given as one number; it is written back so.
    pub single: bool,
}

impl Field for Ulimit {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        if value.as_map().is_none() {
            let limit = i64::read(value)?;
            return Ok(Self { soft: limit, hard: limit, single: true });
        }
        let part = |name: &str| value.get(name).map_or(Ok(0), i64::read);
        Ok(Self { soft: part("soft")?, hard: part("hard")?, single: false })
    }

    fn absent(&self) -> bool {
        false
    }
}

impl Serialize for Ulimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The reference's JSON has an empty mapping for zero, which its YAML reader would refuse.
        if self.single && (self.soft != 0 || for_yaml()) {
            return serializer.serialize_i64(self.soft);
        }
        serializer.collect_map(
            [("soft", self.soft), ("hard", self.hard)].iter().filter(|(_, limit)| *limit != 0).copied(),
        )
    }
}
