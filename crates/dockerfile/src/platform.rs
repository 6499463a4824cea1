//! Platforms: `linux/arm64`, `linux/arm/v7`, normalised as containerd does.
use std::fmt;

use crate::quote::quote;

/// An operating system and a processor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Platform {
    /// `linux`
    pub os: String,
    /// `amd64`, `arm64`, ...
    pub architecture: String,
    /// `v7`; empty when there is none.
    pub variant: String,
    /// A Windows version; empty otherwise.
    pub os_version: String,
}

/// A text that is no platform; the wording is containerd's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: invalid argument")]
pub struct PlatformError(String);

const SYSTEMS: [&str; 17] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
    "zos",
];

const ARCHITECTURES: [&str; 25] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "armbe",
    "arm64",
    "arm64be",
    "loong64",
    "mips",
    "mipsle",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
    "wasm32",
];

impl Platform {
    /// Linux on this machine's processor.
    pub fn host() -> Self {
        let (architecture, variant) = normalise(std::env::consts::ARCH, "");
        Self { os: "linux".to_owned(), architecture, variant, os_version: String::new() }
    }

    /// Reads `OS`, `ARCH`, `OS/ARCH` or `OS/ARCH/VARIANT`; what is missing is taken from [`Platform::host`].
    pub fn parse(text: &str) -> Result<Self, PlatformError> {
        if text.contains('*') {
            return Err(PlatformError(format!("{}: wildcards not yet implemented", quote(text))));
        }
        let (os_part, rest) = text.split_once('/').map_or((text, None), |(os, rest)| (os, Some(rest)));
        let (os, os_version) = match os_part.split_once('(') {
            Some((os, version)) => (os, version.strip_suffix(')').unwrap_or(version)),
            None => (os_part, ""),
        };
        let mut parts = vec![os];
        parts.extend(rest.into_iter().flat_map(|rest| rest.split('/')));
        for part in &parts {
            if part.is_empty() || !part.chars().all(|ch| ch.is_ascii_alphanumeric() || "_.-".contains(ch)) {
                let must = "platform specifier component must match \"^[A-Za-z0-9_.-]+$\"";
                return Err(PlatformError(format!(
                    "{} is an invalid component of {}: {must}",
                    quote(part),
                    quote(text)
                )));
            }
        }
        let mut platform = Self::host();
        os_version.clone_into(&mut platform.os_version);
        match parts.as_slice() {
            [one] => {
                let os = normalise_os(one);
                let (architecture, variant) = normalise(one, "");
                if SYSTEMS.contains(&os.as_str()) {
                    platform.os = os;
                } else if ARCHITECTURES.contains(&architecture.as_str()) {
                    platform.architecture = architecture;
                    platform.variant = without_default(&platform.architecture, variant);
                } else {
                    return Err(PlatformError(format!(
                        "{}: unknown operating system or architecture",
                        quote(one)
                    )));
                }
            }
            [os, architecture] => {
                platform.os = normalise_os(os);
                let (architecture, variant) = normalise(architecture, "");
                platform.variant = without_default(&architecture, variant);
                platform.architecture = architecture;
            }
            [os, architecture, variant] => {
                platform.os = normalise_os(os);
                (platform.architecture, platform.variant) = normalise(architecture, variant);
                if platform.architecture == "arm64" && platform.variant.is_empty() {
                    "v8".clone_into(&mut platform.variant);
                }
            }
            _ => return Err(PlatformError(format!("{}: cannot parse platform specifier", quote(text)))),
        }
        Ok(platform)
    }

    /// With the variant that its architecture implies made explicit or dropped, to compare platforms.
    pub fn normalised(&self) -> Self {
        let (architecture, variant) = normalise(&self.architecture, &self.variant);
        Self { os: normalise_os(&self.os), architecture, variant, os_version: self.os_version.clone() }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.os)?;
        if !self.os_version.is_empty() {
            write!(f, "({})", self.os_version)?;
        }
        for part in [&self.architecture, &self.variant].into_iter().filter(|part| !part.is_empty()) {
            write!(f, "/{part}")?;
        }
        Ok(())
    }
}

/// `linux/arm` means v7 and does not say so.
fn without_default(architecture: &str, variant: String) -> String {
    if architecture == "arm" && variant == "v7" { String::new() } else { variant }
}

fn normalise_os(os: &str) -> String {
    match os.to_ascii_lowercase().as_str() {
        "macos" => "darwin".to_owned(),
        os => os.to_owned(),
    }
}

fn normalise(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = (architecture.to_ascii_lowercase(), variant.to_ascii_lowercase());
    let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
        ("i386" | "x86", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64" | "amd64", variant) => ("amd64", variant),
        ("aarch64" | "arm64", "8" | "v8") => ("arm64", ""),
        ("aarch64" | "arm64", variant) => ("arm64", variant),
        ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
        ("armel", _) | ("arm", "6") => ("arm", "v6"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "8") => ("arm", "v8"),
        ("powerpc64", variant) => ("ppc64", variant),
        ("loongarch64", variant) => ("loong64", variant),
        other => other,
    };
    (architecture.to_owned(), variant.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_normalised() {
        let show = |text| {
            Platform::parse(text).map(|platform| platform.to_string()).map_err(|error| error.to_string())
        };
        assert_eq!(show("linux/x86_64"), Ok("linux/amd64".to_owned()));
        assert_eq!(show("linux/aarch64"), Ok("linux/arm64".to_owned()));
        assert_eq!(show("linux/arm64/v8"), Ok("linux/arm64/v8".to_owned()));
        assert_eq!(show("linux/arm"), Ok("linux/arm".to_owned()));
        assert_eq!(show("Linux/arm/6"), Ok("linux/arm/v6".to_owned()));
        assert_eq!(show("s390x"), Ok("linux/s390x".to_owned()));
        assert_eq!(show("windows(10.0.17763)/amd64"), Ok("windows(10.0.17763)/amd64".to_owned()));
        insta::assert_snapshot!(show("linux/").unwrap_err(), @r#""" is an invalid component of "linux/": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument"#);
        insta::assert_snapshot!(show("pdp11").unwrap_err(), @r#""pdp11": unknown operating system or architecture: invalid argument"#);
    }
}
