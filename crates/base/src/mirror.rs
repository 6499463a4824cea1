//! Which mirror the archive is read from.
//!
//! In this order: what the caller configured, `PLIMSOLL_DEBIAN_MIRROR`, the machine's own package sources. The signatures
//! make any transport good, so `http` is as safe as `https` here.

use std::path::Path;

use crate::error::BaseError;

/// The environment variable that names a mirror.
pub const MIRROR_VARIABLE: &str = "PLIMSOLL_DEBIAN_MIRROR";

/// Directories of addresses: each holds `dists` and `pool`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The main archive, without a slash at the end.
    pub archive: String,
    /// The security archive.
    pub security: String,
    /// Whether the security archive was derived from the main one's address rather than configured; it may not exist then.
    pub security_is_guess: bool,
}

impl Mirror {
    /// From one address of the main archive; the security archive is its sibling `debian-security`, as on Debian's own servers.
    pub fn from_address(address: &str) -> Result<Self, BaseError> {
        let trimmed = address.trim().trim_end_matches('/');
        let rest = trimmed.strip_prefix("http://").or_else(|| trimmed.strip_prefix("https://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.contains(['?', '#', ' ', '@'])) {
            return Err(BaseError::MirrorAddress { address: address.to_owned() });
        }
        let security = match trimmed.strip_suffix("/debian") {
            Some(parent) => format!("{parent}/debian-security"),
            None => format!("{trimmed}-security"),
        };
        Ok(Self { archive: trimmed.to_owned(), security, security_is_guess: true })
    }

    /// The mirror of this machine. `configured` is `[base] mirror` of plimsoll.toml.
    pub fn find(configured: Option<&str>) -> Result<Self, BaseError> {
        if let Some(address) = configured {
            return Self::from_address(address);
        }
        if let Ok(address) = std::env::var(MIRROR_VARIABLE)
            && !address.trim().is_empty()
        {
            return Self::from_address(&address);
        }
        Self::from_sources(&read_sources(Path::new("/etc/apt"))).ok_or(BaseError::NoMirror)
    }

    /// From the texts of source files, each with its file name (`.sources` is deb822, anything else one line per source).
    fn from_sources(files: &[(String, String)]) -> Option<Self> {
        let mut sources = Vec::new();
        for (name, text) in files {
            if name.ends_with(".sources") {
                sources.extend(deb822_sources(text));
            } else {
                sources.extend(text.lines().filter_map(one_line_source));
            }
        }
        let debian = |source: &&Source| source.main && is_debian_suite(&source.suite);
        let mirrors: Vec<_> = sources.iter().filter(debian).collect();
        let archive = mirrors.iter().find(|source| !source.suite.contains("-security"))?;
        let mut mirror = Self::from_address(&archive.address).ok()?;
        if let Some(security) = mirrors.iter().find(|source| source.suite.ends_with("-security")) {
            security.address.trim_end_matches('/').clone_into(&mut mirror.security);
            mirror.security_is_guess = false;
        }
        Some(mirror)
    }
}

#[derive(Debug)]
struct Source {
    address: String,
    suite: String,
    main: bool,
}

/// Debian's own names, so that another distribution's or a vendor's source is not taken for a Debian mirror.
fn is_debian_suite(suite: &str) -> bool {
    let base = suite.split(['-', '/']).next().unwrap_or_default();
    matches!(
        base,
        "bullseye"
            | "bookworm"
            | "trixie"
            | "forky"
            | "duke"
            | "sid"
            | "stable"
            | "oldstable"
            | "testing"
            | "unstable"
    )
}

fn deb822_sources(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let without_comments: String =
        text.lines().filter(|line| !line.starts_with('#')).flat_map(|line| [line, "\n"]).collect();
    for (_, paragraph) in crate::control::split(&without_comments) {
        let Ok(paragraph) = crate::control::Paragraph::parse(paragraph) else { continue };
        let words = |name: &str| paragraph.get(name).unwrap_or_default().split_ascii_whitespace();
        if paragraph.get("Enabled").is_some_and(|enabled| enabled.eq_ignore_ascii_case("no"))
            || !words("Types").any(|kind| kind == "deb")
        {
            continue;
        }
        let main = words("Components").any(|component| component == "main");
        for address in words("URIs") {
            for suite in words("Suites") {
                sources.push(Source { address: address.to_owned(), suite: suite.to_owned(), main });
            }
        }
    }
    sources
}

fn one_line_source(line: &str) -> Option<Source> {
    let rest = line.split('#').next()?.trim().strip_prefix("deb ")?.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']')?.1,
        None => rest,
    };
    let mut words = rest.split_ascii_whitespace();
    let (address, suite) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Source { address, suite, main: words.any(|component| component == "main") })
}

fn read_sources(directory: &Path) -> Vec<(String, String)> {
    let mut paths = vec![directory.join("sources.list")];
    if let Ok(entries) = std::fs::read_dir(directory.join("sources.list.d")) {
        paths.extend(entries.flatten().map(|entry| entry.path()));
    }
    paths[1..].sort();
    let read = |path: std::path::PathBuf| {
        let name = path.file_name()?.to_str()?.to_owned();
        let wanted = Path::new(&name).extension().is_some_and(|kind| kind == "list" || kind == "sources");
        let small = std::fs::metadata(&path).ok()?.len() <= 1 << 20;
        (wanted && small).then(|| Some((name, std::fs::read_to_string(&path).ok()?)))?
    };
    paths.into_iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(files: &[(&str, &str)]) -> Option<Mirror> {
        let files: Vec<_> =
            files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Mirror::from_sources(&files)
    }

    #[test]
    fn deb822_and_the_vendor_beside_it() {
        let vendor = "Types: deb\nURIs: https://vendor.example/deb\nSuites: nodistro\nComponents: main\n";
        let debian = "Types: deb\n# a comment\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n\
            Components: main\n\nTypes: deb\nURIs: http://mirror.example/sec/\nSuites: bookworm-security\nComponents: main\n";
        let mirror = from(&[("a.sources", vendor), ("debian.sources", debian)]).unwrap();
        assert_eq!(mirror.archive, "http://mirror.example/debian");
        assert_eq!(mirror.security, "http://mirror.example/sec");
        assert!(!mirror.security_is_guess);
    }

    #[test]
    fn one_line_form_with_options() {
        let text = "# deb http://no.example/debian sid main\ndeb-src http://no.example/debian sid main\n\
            deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian/ trixie main contrib # local\n";
        let mirror = from(&[("sources.list", text)]).unwrap();
        assert_eq!(mirror.archive, "http://mirror.example/debian");
        assert_eq!(mirror.security, "http://mirror.example/debian-security");
        assert!(mirror.security_is_guess);
    }

    #[test]
    fn another_distribution_is_no_mirror() {
        assert_eq!(from(&[("sources.list", "deb http://mirror.example/ubuntu noble main\n")]), None);
        assert_eq!(from(&[]), None);
    }

    #[test]
    fn addresses() {
        assert_eq!(
            Mirror::from_address("https://m.example/debian/").unwrap().archive,
            "https://m.example/debian"
        );
        assert_eq!(
            Mirror::from_address("http://m.example/d").unwrap().security,
            "http://m.example/d-security"
        );
        for wrong in
            ["", "ftp://m.example/debian", "http://", "m.example", "http://user:pass@m.example/debian"]
        {
            assert!(Mirror::from_address(wrong).is_err(), "{wrong}");
        }
    }
}
