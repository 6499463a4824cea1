//! Licences of a package, from its machine-readable copyright file (Debian's "Copyright format 1.0").

use std::collections::BTreeSet;

use crate::tree::Tree;

/// Licences noted for one package.
const MAX_LICENCES: usize = 64;

/// The short names in `usr/share/doc/PACKAGE/copyright`, sorted; none when the file is prose.
pub(crate) fn licences(tree: &Tree, package: &str) -> Vec<String> {
    let bytes = tree.read(&format!("usr/share/doc/{package}/copyright")).unwrap_or_default();
    short_names(&String::from_utf8_lossy(&bytes))
}

fn short_names(text: &str) -> Vec<String> {
    if !text
        .lines()
        .next()
        .is_some_and(|line| line.starts_with("Format:") && line.contains("copyright-format"))
    {
        return Vec::new();
    }
    let names = text.lines().filter_map(|line| line.strip_prefix("License:")).map(str::trim_ascii);
    let names: BTreeSet<_> =
        names.filter(|name| !name.is_empty() && name.len() <= 200).take(MAX_LICENCES).collect();
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_machine_readable_file() {
        let text = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\n\
            License: GPL-2+\n\nFiles: a\nLicense: Expat\n\nLicense: GPL-2+\n text of it\n";
        assert_eq!(short_names(text), ["Expat", "GPL-2+"]);
    }

    #[test]
    fn prose_has_none() {
        assert!(short_names("This is the Debian package of x.\nLicense: whatever\n").is_empty());
        assert!(short_names("").is_empty());
    }
}
