//! `RUN --mount`: read in two steps, because its values may hold variables.
use std::collections::BTreeSet;

use plimsoll_source::Span;

use crate::{
    Word, csv,
    expand::{Env, expand},
    quote::quote,
    suggest,
    syntax::Flag,
};

/// One `--mount=` of a RUN as it was written. Values may hold variables, so it is typed in a second step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountSpec {
    /// The comma-separated fields, CSV quotes removed.
    pub fields: Vec<MountField>,
    /// The whole flag.
    pub span: Span,
}

/// `key=value` or `key` of a `--mount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountField {
    /// The key, lower-cased.
    pub key: String,
    /// The value, unexpanded; `None` when there is no `=`.
    pub value: Option<String>,
    /// The field as it was written, for messages.
    pub field: Word,
}

/// A `--mount` with expanded values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// `type`, default bind.
    pub kind: MountKind,
    /// `from`: a stage name, image or named context (never a stage number). Empty means the build context for a
    /// bind and an empty directory for a cache.
    pub from: Option<String>,
    /// `source`/`src`: the path inside `from`; for a secret the id.
    pub source: Option<String>,
    /// `target`/`dst`/`destination`. Required but for secrets and ssh, whose defaults are `/run/secrets/ID` and
    /// `/run/buildkit/ssh_agent.N`.
    pub target: Option<String>,
    /// Whether writing is refused; defaults to true but for cache and tmpfs. Writes into a writable bind are dropped.
    pub read_only: bool,
    /// `id` of a cache (default: the cleaned target), secret (default: base name of the target) or ssh (`default`).
    pub id: Option<String>,
    /// `sharing` of a cache; default shared.
    pub sharing: Option<Sharing>,
    /// `required` of a secret or ssh.
    pub required: bool,
    /// `size` of a tmpfs in bytes.
    pub size: Option<u64>,
    /// `mode`; default 0755 for a cache, 0400 for a secret, 0600 for ssh.
    pub mode: Option<u32>,
    /// `uid`, default 0.
    pub uid: Option<u32>,
    /// `gid`, default 0.
    pub gid: Option<u32>,
    /// `env` of a secret: the variable that gets it. Without a target it is then not mounted as a file.
    pub env: Option<String>,
    /// The variables in the values that were not set.
    pub unmatched: BTreeSet<String>,
}

/// `type=` of a mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MountKind {
    /// A directory or file of the context, a stage or an image.
    #[default]
    Bind,
    /// A directory that outlives the build.
    Cache,
    /// An empty file system in memory.
    Tmpfs,
    /// A secret of the build.
    Secret,
    /// A socket of an ssh agent.
    Ssh,
}

/// `sharing=` of a cache mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// Any number of writers at once.
    #[default]
    Shared,
    /// Each concurrent writer gets a directory of its own.
    Private,
    /// One writer at a time.
    Locked,
}

impl MountSpec {
    /// The value of `from`, which is never expanded, so that stage dependencies are known before anything runs.
    pub fn from(&self) -> Option<&str> {
        self.fields
            .iter()
            .rev()
            .find(|field| field.key == "from")?
            .value
            .as_deref()
            .filter(|from| !from.is_empty())
    }

    /// The value of `target`, as it was written.
    pub(crate) fn target(&self) -> Option<&str> {
        let is_target = |field: &&MountField| matches!(field.key.as_str(), "target" | "dst" | "destination");
        self.fields.iter().rev().find(is_target)?.value.as_deref()
    }

    /// Splits the value of a `--mount`. Only what does not depend on variables is checked.
    pub(crate) fn parse(flag: &Flag) -> Result<Self, (String, Word)> {
        let value = flag.value().unwrap_or_else(|| flag.word.clone());
        let fields = csv::fields(&value.text)
            .map_err(|reason| (format!("failed to parse csv mounts: {reason}"), value.clone()))?
            .into_iter()
            .map(|(field, range)| {
                let word = Word::new(field.as_str(), flag.value_span(range));
                match field.split_once('=') {
                    None => MountField { key: field.to_ascii_lowercase(), value: None, field: word },
                    Some((key, value)) => MountField {
                        key: key.to_ascii_lowercase(),
                        value: Some(value.to_owned()),
                        field: word,
                    },
                }
            })
            .collect();
        let spec = Self { fields, span: flag.word.span };
        let expands = |value: &str| value.find('$').is_some_and(|at| at + 1 < value.len());
        for field in spec.fields.iter().filter(|field| field.key == "from") {
            if field.value.as_deref().is_some_and(expands) {
                let title = "'from' doesn't support variable expansion, define alias stage instead";
                return Err((title.to_owned(), field.field.clone()));
            }
        }
        Ok(spec)
    }

    /// Expands the values (all but `from`) with the stage's environment and types them.
    pub fn resolve(&self, env: &Env<'_>, escape: char) -> Result<Mount, MountError> {
        let mut resolver = Resolver { mount: Mount::default(), read_only: None, unmatched: BTreeSet::new() };
        for field in &self.fields {
            let result = resolver.field(field, env, escape);
            result.map_err(|title| MountError { title, span: field.field.span })?;
        }
        resolver.finish().map_err(|title| MountError { title, span: self.span })
    }
}

/// A `--mount` that cannot be used; the title has BuildKit's wording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{title}")]
pub struct MountError {
    /// What is wrong with the flag, for a message.
    pub title: String,
    /// The part of the flag that is wrong.
    pub span: Span,
}

const KINDS: [(&str, MountKind); 5] = [
    ("bind", MountKind::Bind),
    ("cache", MountKind::Cache),
    ("tmpfs", MountKind::Tmpfs),
    ("secret", MountKind::Secret),
    ("ssh", MountKind::Ssh),
];

const SHARING: [(&str, Sharing); 3] =
    [("shared", Sharing::Shared), ("private", Sharing::Private), ("locked", Sharing::Locked)];

const KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "env",
    "src",
    "dst",
    "destination",
    "ro",
    "rw",
    "readwrite",
];

impl MountKind {
    /// The name as it is written behind `type=`.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("bind", |(name, _)| name)
    }
}

/// A mount that takes shape field by field.
struct Resolver {
    mount: Mount,
    /// What was said about it; the default depends on the type, which may come last.
    read_only: Option<bool>,
    unmatched: BTreeSet<String>,
}

impl Resolver {
    fn field(&mut self, field: &MountField, env: &Env<'_>, escape: char) -> Result<(), String> {
        let (key, mount) = (field.key.as_str(), &mut self.mount);
        let keyed = mount.kind == MountKind::Secret || mount.kind == MountKind::Ssh;
        let unexpected =
            |mount: &Mount| Err(format!("unexpected key '{key}' for mount type '{}'", mount.kind.name()));
        let Some(value) = &field.value else {
            match key {
                "readonly" | "ro" => self.read_only = Some(true),
                "readwrite" | "rw" => self.read_only = Some(false),
                "required" if keyed => mount.required = true,
                "required" => return unexpected(mount),
                _ => return Err(format!("invalid field '{}' must be a key=value pair", field.field.text)),
            }
            return Ok(());
        };
        let value = if key == "from" {
            value.clone()
        } else {
            let expanded = expand(value, env, escape).map_err(|error| error.to_string())?;
            self.unmatched.extend(expanded.unmatched);
            expanded.text
        };
        let bool_value = || parse_bool(&value).ok_or_else(|| format!("invalid value for {key}: {value}"));
        let number = |radix| {
            u32::from_str_radix(&value, radix).map_err(|_| format!("invalid value {value} for {key}"))
        };
        match key {
            "type" => mount.kind = choose(&value, &KINDS, "mount type")?,
            "from" => mount.from = Some(value).filter(|from| !from.is_empty()),
            "source" | "src" => mount.source = Some(value).filter(|source| !source.is_empty()),
            "target" | "dst" | "destination" => {
                mount.target = Some(value).filter(|target| !target.is_empty());
            }
            "readonly" | "ro" => self.read_only = Some(bool_value()?),
            "readwrite" | "rw" => self.read_only = Some(!bool_value()?),
            "required" if keyed => mount.required = bool_value()?,
            "size" if mount.kind == MountKind::Tmpfs => {
                mount.size =
                    Some(parse_size(&value).ok_or_else(|| format!("invalid value for {key}: {value}"))?);
            }
            "required" | "size" => return unexpected(mount),
            "id" => mount.id = Some(value).filter(|id| !id.is_empty()),
            "sharing" => mount.sharing = Some(choose(&value, &SHARING, "sharing value")?),
            "mode" => mount.mode = Some(number(8)?),
            "uid" => mount.uid = Some(number(10)?),
            "gid" => mount.gid = Some(number(10)?),
            "env" => mount.env = Some(value).filter(|env| !env.is_empty()),
            _ => {
                let title = format!("unexpected key '{key}' in '{}'", field.field.text);
                return Err(suggest::with_suggestion(title, key, KEYS, false));
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Mount, String> {
        let mut mount = self.mount;
        let kind = mount.kind.name();
        if matches!(mount.kind, MountKind::Bind | MountKind::Tmpfs) {
            for (name, given) in [("mode", mount.mode), ("uid", mount.uid), ("gid", mount.gid)] {
                if given.is_some() {
                    return Err(format!("{name} not allowed for {} type mounts", quote(kind)));
                }
            }
        }
        let default = !matches!(mount.kind, MountKind::Cache | MountKind::Tmpfs);
        mount.read_only = self.read_only.unwrap_or(default);
        let secret = mount.kind == MountKind::Secret;
        if secret && mount.from.is_some() {
            return Err("secret mount should not have a from".to_owned());
        }
        if secret && mount.sharing.is_some() {
            return Err("secret mount should not define sharing".to_owned());
        }
        if secret && mount.source.is_none() && mount.target.is_none() && mount.id.is_none() {
            return Err("invalid secret mount. one of source, target required".to_owned());
        }
        if secret && mount.source.is_some() && mount.id.is_some() {
            return Err("both source and id can't be set".to_owned());
        }
        if mount.sharing.is_some() && mount.kind != MountKind::Cache {
            return Err(format!("invalid cache sharing set for {kind} mount"));
        }
        if mount.env.is_some() && !secret {
            return Err(format!("unexpected key 'env' for mount type '{kind}'"));
        }
        mount.unmatched = self.unmatched;
        Ok(mount)
    }
}

fn choose<T: Copy>(value: &str, options: &[(&'static str, T)], what: &str) -> Result<T, String> {
    let lower = value.to_ascii_lowercase();
    options.iter().find(|(name, _)| *name == lower).map(|(_, option)| *option).ok_or_else(|| {
        let names = options.iter().map(|(name, _)| *name);
        suggest::with_suggestion(format!("unsupported {what} {}", quote(value)), value, names, false)
    })
}

/// Go's `strconv.ParseBool`.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A size in bytes: `64`, `64k`, `1.5GiB`; units are powers of 1024.
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|ch: char| !ch.is_ascii_digit() && ch != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let factor = match unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(&unit) {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1_u64 << 40,
        "p" => 1 << 50,
        _ => return None,
    };
    if let Ok(number) = number.parse::<u64>() {
        return number.checked_mul(factor);
    }
    let bytes = number.parse::<f64>().ok()? * factor as f64;
    (bytes < u64::MAX as f64).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("64"), Some(64));
        assert_eq!(parse_size("1.5GiB"), Some(3 << 29));
        assert_eq!(parse_size("10 MB"), Some(10 << 20));
        assert_eq!(parse_size("128k"), Some(128 << 10));
        for text in ["", "k", "1x", "-1", "1.2.3m"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
