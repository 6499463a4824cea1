//! Package URLs (purl specification): how attestations and lists of packages name things.

use crate::{Reference, manifest::Platform};

/// What a name, version or qualifier may hold as it is.
fn escape(text: &str, kept: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// An image: `pkg:docker/example/app@1?platform=linux%2Famd64`.
pub fn docker(name: &Reference, platform: Option<&Platform>) -> String {
    let mut url = format!("pkg:docker/{}", escape(&name.familiar_name(), "/"));
    if let Some(tag) = name.tag() {
        url.push_str(&format!("@{}", escape(tag, "")));
    }
    let mut qualifiers = Vec::new();
    qualifiers.extend(name.digest().map(|digest| format!("digest={digest}")));
    qualifiers.extend(platform.map(|platform| format!("platform={}", escape(&platform.to_string(), ""))));
    if !qualifiers.is_empty() {
        url.push_str(&format!("?{}", qualifiers.join("&")));
    }
    url
}

/// A package of some kind: `pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=debian-13`. `name` may hold a namespace
/// before a slash.
pub fn package(kind: &str, name: &str, version: &str, qualifiers: &[(&str, &str)]) -> String {
    let mut url = format!("pkg:{kind}/{}", escape(name, "/"));
    if !version.is_empty() {
        url.push_str(&format!("@{}", escape(version, "")));
    }
    let given: Vec<String> = qualifiers
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", escape(value, "")))
        .collect();
    if !given.is_empty() {
        url.push_str(&format!("?{}", given.join("&")));
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_packages_have_urls() {
        let linux = Platform::new("linux", "arm64", None);
        for (name, url) in [
            ("debian:13", "pkg:docker/debian@13?platform=linux%2Farm64"),
            ("example/app", "pkg:docker/example/app@latest?platform=linux%2Farm64"),
            ("127.0.0.1:5000/a:1", "pkg:docker/127.0.0.1%3A5000/a@1?platform=linux%2Farm64"),
        ] {
            assert_eq!(docker(&Reference::parse(name).unwrap(), Some(&linux)), url);
        }
        assert_eq!(package("npm", "@types/node", "20.1.0", &[]), "pkg:npm/%40types/node@20.1.0");
        assert_eq!(
            package("deb", "debian/g++", "4:14.2.0-1", &[("arch", "amd64"), ("distro", "")]),
            "pkg:deb/debian/g%2B%2B@4%3A14.2.0-1?arch=amd64"
        );
    }
}
