//! dpkg's database, as dpkg would have written it (dpkg-query(1), deb-triggers(5)).
//!
//! A base that keeps dpkg gets the whole database, so that `apt-get install` works in it. A base without dpkg gets one file for each package
//! in `var/lib/dpkg/status.d`, which is where scanners look for the packages of distroless images.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};

use crate::control::Paragraph;
use crate::deb::Control;
use crate::error::BaseError;
use crate::fetch::hex;
use crate::tree::{Attributes, Tree};

const ADMIN: &str = "var/lib/dpkg";

/// Control files that dpkg keeps, beside `list` which it makes itself.
const KEPT: [&str; 11] = [
    "md5sums",
    "preinst",
    "postinst",
    "prerm",
    "postrm",
    "config",
    "conffiles",
    "triggers",
    "shlibs",
    "symbols",
    "templates",
];

/// Files whose presence means that the package has to be configured by dpkg.
const SCRIPTS: [&str; 3] = ["preinst", "postinst", "config"];

/// A package as it was unpacked.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) control: Control,
    /// Every path of the package, `/.` first.
    pub(crate) list: Vec<String>,
    /// Short names of its licences, sorted.
    pub(crate) licences: Vec<String>,
}

impl Entry {
    /// Whether dpkg has scripts to run for it.
    pub(crate) fn has_scripts(&self) -> bool {
        SCRIPTS.iter().any(|script| self.control.files.contains_key(*script))
    }

    /// The name of its files in `info`: with the architecture when several may be installed side by side.
    pub(crate) fn info_name(&self) -> Result<String, BaseError> {
        let paragraph = self.paragraph()?;
        let architecture = paragraph.get("Architecture").unwrap_or_default();
        Ok(match paragraph.get("Multi-Arch") {
            Some("same") => format!("{}:{architecture}", self.name),
            _ => self.name.clone(),
        })
    }

    fn paragraph(&self) -> Result<Paragraph<'_>, BaseError> {
        self.control.paragraph().map_err(|cause| BaseError::Malformed { file: self.name.clone(), cause })
    }

    fn conffiles(&self) -> impl Iterator<Item = &str> {
        // Lines with a flag (`remove-on-upgrade /path`) name files that the package no longer has.
        self.control.text("conffiles").lines().map(str::trim_ascii).filter(|line| line.starts_with('/'))
    }
}

/// Writes the database of a base that keeps dpkg: the packages of the layers below stay as they are recorded.
///
/// With `configured`, everything counts as installed; else packages with scripts wait for `dpkg --configure`.
pub(crate) fn write_database(
    tree: &mut Tree,
    entries: &[Entry],
    omitted: &[&str],
    configured: bool,
    mtime: i64,
) -> Result<(), BaseError> {
    let file = Attributes::root(0o644, mtime);
    for directory in ["alternatives", "info", "parts", "triggers", "updates"] {
        tree.directory(&format!("{ADMIN}/{directory}"), Attributes::root(0o755, mtime))?;
    }
    for name in ["available", "diversions", "statoverride"] {
        let path = format!("{ADMIN}/{name}");
        if tree.metadata(&path).is_none() {
            tree.file(&path, file, &mut &b""[..])?;
        }
    }
    tree.file(&format!("{ADMIN}/info/format"), file, &mut &b"1\n"[..])?;
    let mut paragraphs = read_status(tree);
    for entry in entries {
        write_info(tree, entry, mtime)?;
        let state = if configured || !entry.has_scripts() { "installed" } else { "unpacked" };
        paragraphs.push((entry.name.clone(), status_paragraph(tree, entry, omitted, state)?));
    }
    paragraphs.sort();
    let status: String = paragraphs.into_iter().map(|(_, paragraph)| paragraph + "\n").collect();
    tree.file(&format!("{ADMIN}/status"), file, &mut status.as_bytes())?;
    write_triggers(tree, entries, mtime)
}

/// Writes `status.d` for a base without dpkg.
pub(crate) fn write_status_d(tree: &mut Tree, entries: &[Entry], mtime: i64) -> Result<(), BaseError> {
    for entry in entries {
        let control = format!("{}\n", entry.control.text("control").trim_end());
        let path = format!("{ADMIN}/status.d/{}", entry.name);
        tree.file(&path, Attributes::root(0o644, mtime), &mut control.as_bytes())?;
        let sums = entry.control.text("md5sums");
        if !sums.is_empty() {
            tree.file(&format!("{path}.md5sums"), Attributes::root(0o644, mtime), &mut sums.as_bytes())?;
        }
    }
    Ok(())
}

fn read_status(tree: &Tree) -> Vec<(String, String)> {
    let bytes = tree.read(&format!("{ADMIN}/status")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let name = |paragraph: &str| {
        let line = paragraph.lines().find_map(|line| line.strip_prefix("Package: "));
        line.unwrap_or_default().to_owned()
    };
    crate::control::split(&text)
        .map(|(_, paragraph)| (name(paragraph), format!("{}\n", paragraph.trim_end())))
        .collect()
}

fn write_info(tree: &mut Tree, entry: &Entry, mtime: i64) -> Result<(), BaseError> {
    let name = entry.info_name()?;
    let list: String = entry.list.iter().flat_map(|path| [path.as_str(), "\n"]).collect();
    tree.file(&format!("{ADMIN}/info/{name}.list"), Attributes::root(0o644, mtime), &mut list.as_bytes())?;
    for kept in KEPT {
        if let Some(bytes) = entry.control.files.get(kept) {
            let script = matches!(kept, "preinst" | "postinst" | "prerm" | "postrm" | "config");
            let mode = if script { 0o755 } else { 0o644 };
            let path = format!("{ADMIN}/info/{name}.{kept}");
            tree.file(&path, Attributes::root(mode, mtime), &mut bytes.as_slice())?;
        }
    }
    Ok(())
}

fn status_paragraph(tree: &Tree, entry: &Entry, omitted: &[&str], state: &str) -> Result<String, BaseError> {
    let paragraph = entry.paragraph()?;
    let mut text = format!("Package: {}\nStatus: install ok {state}\n", entry.name);
    for (name, value) in paragraph.fields() {
        // Writing to a String cannot fail.
        let _ = match *name {
            "Package" | "Status" => Ok(()),
            "Depends" | "Pre-Depends" => {
                let left = without_omitted(value, omitted);
                if left.is_empty() { Ok(()) } else { writeln!(text, "{name}: {left}") }
            }
            name => writeln!(text, "{name}: {value}"),
        };
    }
    let mut conffiles = String::new();
    for path in entry.conffiles() {
        if let Some(content) = tree.read(path.trim_start_matches('/')) {
            let _ = writeln!(conffiles, " {path} {}", hex(&Md5::digest(&content)));
        }
    }
    if !conffiles.is_empty() {
        let _ = write!(text, "Conffiles:\n{conffiles}");
    }
    Ok(text)
}

/// A dependency field without the clauses that the recipe leaves out, so that apt does not want to repair the base.
fn without_omitted(value: &str, omitted: &[&str]) -> String {
    let is_omitted = |clause: &str| {
        clause.split('|').any(|atom| {
            let atom = atom.trim_ascii();
            omitted.contains(&&atom[..atom.find([' ', '(', ':']).unwrap_or(atom.len())])
        })
    };
    let left: Vec<_> = value.split(',').map(str::trim_ascii).filter(|clause| !is_omitted(clause)).collect();
    left.join(", ")
}

/// Who wants to hear of which path or event; `triggers/File` for paths, a file of its own for every named trigger.
fn write_triggers(tree: &mut Tree, entries: &[Entry], mtime: i64) -> Result<(), BaseError> {
    let directory = format!("{ADMIN}/triggers");
    let mut files: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    for entry in entries {
        let name = entry.info_name()?;
        for line in entry.control.text("triggers").lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
            let (Some(directive), Some(trigger)) = (words.next(), words.next()) else { continue };
            let suffix = match directive {
                "interest" | "interest-await" => "",
                "interest-noawait" => "/noawait",
                _ => continue,
            };
            let (file, line) = if trigger.starts_with('/') {
                ("File", format!("{trigger} {name}{suffix}\n"))
            } else {
                (trigger, format!("{name}{suffix}\n"))
            };
            if file.contains('/') || file.starts_with('.') {
                let cause = format!("a trigger named `{file}`");
                return Err(BaseError::Malformed { file: entry.name.clone(), cause });
            }
            let path = format!("{directory}/{file}");
            let text = files.entry(path.clone()).or_insert_with(|| {
                String::from_utf8_lossy(&tree.read(&path).unwrap_or_default()).into_owned()
            });
            text.push_str(&line);
        }
    }
    for name in ["File", "Unincorp"] {
        let path = format!("{directory}/{name}");
        if tree.metadata(&path).is_none() {
            files.entry(path).or_default();
        }
    }
    for (path, text) in files {
        tree.file(&path, Attributes::root(0o644, mtime), &mut text.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn omitted_clauses_go() {
        let depends = "libc6 (>= 2.38), libllvm19 (>= 1:19), locales | locales-all, ssl-cert, perl:any";
        let left = without_omitted(depends, &["libllvm19", "locales", "ssl-cert", "perl"]);
        assert_eq!(left, "libc6 (>= 2.38)");
        assert_eq!(without_omitted("a1 | b1", &[]), "a1 | b1");
    }

    #[test]
    fn names_in_info_follow_multi_arch() {
        let entry = |control: &str| {
            let mut files = std::collections::BTreeMap::new();
            files.insert("control".to_owned(), control.as_bytes().to_vec());
            Entry {
                name: "libc6".to_owned(),
                control: Control { files },
                list: Vec::new(),
                licences: Vec::new(),
            }
        };
        let same = entry("Package: libc6\nArchitecture: amd64\nMulti-Arch: same\n");
        assert_eq!(same.info_name().unwrap(), "libc6:amd64");
        let foreign = entry("Package: libc6\nArchitecture: amd64\nMulti-Arch: foreign\n");
        assert_eq!(foreign.info_name().unwrap(), "libc6");
    }
}
