//! `plimsoll.toml`: policy only. What the application is stands in its Dockerfiles and its compose file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use plimsoll_source::{Diagnostic, Source, Span};
use serde::Deserialize;

use crate::Failure;

/// The file's name, in the project's root.
pub const FILE: &str = "plimsoll.toml";

/// Everything that `plimsoll.toml` may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Its name and its compose file.
    pub project: Project,
    /// Which bases stand for which images.
    pub images: Images,
    /// Where bases come from.
    pub base: Base,
    /// `[mirrors]`, which is not used: see [`Policy::mirrors_note`].
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// Upper limits.
    pub budgets: Budgets,
    /// What builds leave on disk.
    pub build: Build,
    /// Requests that the running stack must answer.
    pub smoke: Smoke,
    /// What certificates are held to.
    pub tls: Tls,
    /// `[answers]`: what `init` was told, by the question's id.
    pub answers: BTreeMap<String, String>,
}

impl Policy {
    /// What to say of `[mirrors]` in a repository's file. A repository does not decide where everybody's names come
    /// from: what it pulled from elsewhere would be `alpine:3.20` for all others of the machine.
    pub fn mirrors_note(&self) -> Option<&'static str> {
        (!self.mirrors.is_empty()).then_some(
            "note: [mirrors] in plimsoll.toml is not used: mirrors are the machine's; write them into \
             ~/.config/plimsoll/config.toml or /etc/plimsoll/config.toml",
        )
    }
}

/// `[build]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Build {
    /// What Plimsoll's folder may take on disk after a build.
    pub keep_storage: Option<Size>,
}

/// `[project]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Project {
    /// The compose project's name; the folder's name without it.
    pub name: Option<String>,
    /// The compose file that `build`, `up` and `verify` work on.
    pub compose: Option<String>,
}

/// `[images]`: `use` and, beside it, real name = `base:<recipe>`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Images {
    /// When the map is used.
    #[serde(rename = "use")]
    pub when: UseMap,
    /// Real name to `base:RECIPE`.
    #[serde(flatten)]
    pub map: BTreeMap<String, String>,
}

/// When the image map is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UseMap {
    /// Where the registry of the real name cannot be reached.
    #[default]
    Auto,
    /// Even where it could be.
    Always,
    /// Never.
    Never,
}

/// `[base]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Base {
    /// Address of a Debian mirror; the machine's own apt sources without it.
    pub mirror: Option<String>,
}

/// `[budgets]`: marks that `build` and `verify` hold the stack to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budgets {
    /// All containers together, idle and under the smoke load.
    pub memory: Option<Size>,
    /// From the start of `up` to the last healthy service.
    pub start: Option<Seconds>,
    /// Unpacked size by service.
    pub images: BTreeMap<String, Size>,
}

/// `[smoke]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Smoke {
    /// The file of HTTP checks; `smoke.toml` where there is one.
    pub file: Option<String>,
    /// `service` or `service:port`: where they are sent to, if several services publish a port.
    pub front: Option<String>,
}

/// `[tls]`: what `verify` holds the certificate of a front to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// The host name that visitors use.
    pub name: Option<String>,
    /// A file of certificates that visitors' machines trust instead of the public roots.
    pub roots: Option<String>,
}

/// Bytes, written as `150MB`, `2GB` (decimal, as `docker images` prints) or `64MiB` (binary).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub u64);

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim();
        let unit =
            text[text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len()..].to_ascii_lowercase();
        let factor: u64 = match unit.as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1_000,
            "m" | "mb" => 1_000_000,
            "g" | "gb" => 1_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            _ => return Err(format!("`{text}` is no size: write it like 150MB or 2GiB")),
        };
        let count: u64 =
            digits.parse().map_err(|_| format!("`{text}` is no size: write it like 150MB or 2GiB"))?;
        count.checked_mul(factor).map(Self).ok_or_else(|| format!("`{text}` is too large"))
    }
}

/// A duration, written as `120s` or `2m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Seconds(pub u64);

impl TryFrom<String> for Seconds {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no duration: write it like 120s or 2m");
        let (digits, factor) = match text.strip_suffix('s') {
            Some(digits) => (digits, 1),
            None => (text.strip_suffix('m').ok_or_else(wrong)?, 60),
        };
        digits
            .trim()
            .parse::<u64>()
            .ok()
            .and_then(|count| count.checked_mul(factor))
            .map(Self)
            .ok_or_else(wrong)
    }
}

/// A project's folder with its policy.
#[derive(Debug)]
pub struct Root {
    /// The folder.
    pub dir: PathBuf,
    /// What its `plimsoll.toml` says.
    pub policy: Policy,
}

impl Root {
    /// The nearest folder upwards from here that holds `plimsoll.toml`, else this folder with the default policy.
    pub fn find() -> Result<Self, Failure> {
        let here = std::env::current_dir()?;
        for dir in here.ancestors() {
            if dir.join(FILE).is_file() {
                return Ok(Self { policy: read(&dir.join(FILE))?, dir: dir.to_path_buf() });
            }
        }
        Ok(Self { dir: here, policy: Policy::default() })
    }
}

/// The policy of a folder whose compose file does not matter yet.
pub fn of_folder(dir: &Path) -> Result<Policy, Failure> {
    read(&dir.join(FILE))
}

fn read(path: &Path) -> Result<Policy, Failure> {
    let name = path.display().to_string();
    let text = plimsoll_disk::read_text(path, 1 << 20, plimsoll_disk::Links::Follow).map_err(|error| {
        Failure::new(format!("cannot read {name}: {error}"), "see to it that the file is readable UTF-8 text")
    })?;
    let source = Source::new(name, text);
    parse(&source).map_err(Failure::from)
}

fn parse(source: &Source) -> Result<Policy, Diagnostic> {
    toml::from_str(source.text()).map_err(|error| {
        let span = error.span().map_or_else(Span::default, |range| Span::new(range.start, range.end));
        Diagnostic::error("the policy cannot be read")
            .label(source, span, error.message().trim())
            .hint("`plimsoll help policy` lists every key")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_key() {
        let policy = parse(&Source::new(
            FILE,
            r#"
            [project]
            name = "pivotal"
            compose = "compose.production.yml"
            [images]
            use = "always"
            "postgres:17-trixie" = "base:postgres"
            [base]
            mirror = "http://127.0.0.1:9/debian"
            [budgets]
            memory = "2GB"
            start = "2m"
            images = { backend = "150MB", frontend = "64MiB" }
            [build]
            keep_storage = "20GB"
            [smoke]
            file = "smoke.toml"
            [tls]
            name = "shop.example"
            roots = "ca.pem"
            "#,
        ))
        .unwrap();
        assert_eq!(policy.images.when, UseMap::Always);
        assert_eq!(policy.images.map["postgres:17-trixie"], "base:postgres");
        assert_eq!(policy.budgets.memory, Some(Size(2_000_000_000)));
        assert_eq!(policy.budgets.start, Some(Seconds(120)));
        assert_eq!(policy.budgets.images["frontend"], Size(64 << 20));
        assert_eq!(policy.tls.name.as_deref(), Some("shop.example"));
        assert_eq!(policy.tls.roots.as_deref(), Some("ca.pem"));
        assert_eq!(policy.build.keep_storage, Some(Size(20_000_000_000)));
    }

    #[test]
    fn a_mistake_is_shown_where_it_is() {
        let source = Source::new(FILE, "[budgets]\nmemory = \"lots\"\n");
        let error = parse(&source).unwrap_err();
        assert_eq!(source.line_col(error.labels[0].span.start).line, 2);
        assert!(error.labels[0].message.contains("`lots` is no size"), "{}", error.labels[0].message);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(parse(&Source::new(FILE, "[budget]\nmemory = \"1GB\"\n")).is_err());
    }
}
