//! The releases of Debian that bases are made of.

use std::fmt;

use plimsoll_image::host_architecture;

/// A release of Debian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Suite {
    /// Debian 12.
    Bookworm,
    /// Debian 13.
    #[default]
    Trixie,
}

impl Suite {
    /// Every release, the newest last.
    pub const ALL: [Self; 2] = [Self::Bookworm, Self::Trixie];

    /// Its name in the archive.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }

    /// Debian's number of the release.
    pub fn number(self) -> u32 {
        match self {
            Self::Bookworm => 12,
            Self::Trixie => 13,
        }
    }

    /// The release of this name or number.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name() == text || suite.number().to_string() == text)
    }

    /// Until Debian 12 no package brings the links that make `/bin` a part of `/usr`; the installer makes them.
    pub(crate) fn installer_links(self) -> &'static [&'static str] {
        match self {
            Self::Bookworm if cfg!(target_arch = "x86_64") => &["bin", "lib", "lib64", "sbin"],
            Self::Bookworm => &["bin", "lib", "sbin"],
            Self::Trixie => &[],
        }
    }

    /// Packages that say what the installer did.
    pub(crate) fn installer_packages(self) -> &'static [&'static str] {
        match self {
            Self::Bookworm => &["usr-is-merged"],
            Self::Trixie => &[],
        }
    }

    /// A recipe's summary, which is written for Debian 13, for this release.
    pub(crate) fn summary(self, summary: &str) -> String {
        match self {
            Self::Trixie => summary.to_owned(),
            Self::Bookworm => [
                ("Debian 13", "Debian 12"),
                ("MariaDB 11.8", "MariaDB 10.11"),
                ("Node.js 20", "Node.js 18"),
                ("Python 3.13", "Python 3.11"),
                ("RabbitMQ 4.0", "RabbitMQ 3.10"),
            ]
            .into_iter()
            .fold(summary.to_owned(), |text, (newer, older)| text.replace(newer, older)),
        }
    }

    /// A tag of a recipe, which is written for Debian 13, for this release.
    pub(crate) fn tag(self, tag: &str) -> String {
        match self {
            Self::Trixie => tag.to_owned(),
            _ if tag.contains("trixie") => tag.replace("trixie", self.name()),
            Self::Bookworm => format!("{tag}-{}", self.name()),
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Debian's name of this machine's architecture.
pub(crate) fn architecture() -> &'static str {
    match host_architecture() {
        "386" => "i386",
        "ppc64le" => "ppc64el",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_tags() {
        assert_eq!(Suite::parse("bookworm"), Some(Suite::Bookworm));
        assert_eq!(Suite::parse("13"), Some(Suite::Trixie));
        assert_eq!(Suite::parse("sid"), None);
        assert_eq!(Suite::Bookworm.tag("trixie-slim"), "bookworm-slim");
        assert_eq!(Suite::Bookworm.tag("nonroot"), "nonroot-bookworm");
        assert_eq!(Suite::Trixie.tag("nonroot"), "nonroot");
    }
}
