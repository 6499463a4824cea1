//! The version of a package that a lock file holds, whichever manager wrote it.

use super::versions::{self, Version};
use crate::context::{Context, join};

const LOCKS: [&str; 5] =
    ["package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock"];

/// The version of a package in the lock file that is nearest to a folder; `None` where none holds it, or two of them.
pub(super) fn version(context: &Context<'_>, folder: &str, name: &str) -> Option<Version> {
    let mut folder = folder;
    loop {
        let lock = LOCKS.iter().find_map(|lock| context.repository.source(&join(folder, lock)));
        if let Some(lock) = lock {
            return in_text(lock.text(), name);
        }
        folder = match folder.rsplit_once('/') {
            Some((above, _)) => above,
            None if folder.is_empty() => return None,
            None => "",
        };
    }
}

/// The one version that the text gives the package.
fn in_text(text: &str, name: &str) -> Option<Version> {
    let mut found: Option<Version> = None;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        // npm and yarn: the version stands in the next line.
        let below = lines.peek().filter(|_| heads(line.trim(), name)).and_then(|next| after_key(next.trim()));
        let version = below.or_else(|| joined(line, name));
        match (version, found) {
            (Some(version), Some(known)) if version != known => return None,
            (Some(version), _) => found = Some(version),
            (None, _) => {}
        }
    }
    found
}

/// `"node_modules/next": {`, `next@^12.0.0:`, `"next@npm:^12.0.0":`, `"next@^12", "next@^12.1":`.
fn heads(line: &str, name: &str) -> bool {
    let npm = line.strip_prefix("\"node_modules/").and_then(|rest| rest.strip_prefix(name));
    let yarn = line.trim_start_matches('"').strip_prefix(name).filter(|_| line.ends_with(':'));
    npm.is_some_and(|rest| rest.starts_with("\":")) || yarn.is_some_and(|rest| rest.starts_with('@'))
}

/// `"version": "12.1.6",`, `version "12.1.6"`, `version: 12.1.6`.
fn after_key(line: &str) -> Option<Version> {
    let rest = line.trim_start_matches('"').strip_prefix("version")?;
    versions::exact(rest.trim_matches(|c: char| "\": ,".contains(c)))
}

/// pnpm and bun: `/next@12.1.6(react@18):`, `/next/12.1.6:`, `  next@12.1.6:`, `"next": ["next@12.1.6", …`.
fn joined(line: &str, name: &str) -> Option<Version> {
    let at = line.find(&format!("{name}@")).or_else(|| line.find(&format!("/{name}/")).map(|at| at + 1))?;
    // `@scope/next@…` is another package.
    let before = line[..at].strip_suffix('/').unwrap_or(&line[..at]);
    let begins = before.is_empty() || before.ends_with([' ', '"', '\'']);
    let rest = &line[at + name.len() + 1..];
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c))).unwrap_or(rest.len());
    versions::exact(&rest[..end]).filter(|_| begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_manager_writes_it_its_own_way() {
        for text in [
            "{\n \"packages\": {\n  \"node_modules/next\": {\n   \"version\": \"12.1.6\",\n",
            "next@^12.0.0:\n  version \"12.1.6\"\n",
            "\"next@npm:^12.0.0\":\n  version: 12.1.6\n",
            "packages:\n  /next/12.1.6_react@18.0.0:\n",
            "packages:\n\n  next@12.1.6:\n    resolution: {}\n",
            "  /next@12.1.6(react@18.2.0):\n",
            "    \"next\": [\"next@12.1.6\", \"\", {}],\n",
        ] {
            assert_eq!(in_text(text, "next"), Some((12, 1, 6)), "{text}");
        }
    }

    #[test]
    fn another_package_or_two_versions_say_nothing() {
        for text in [
            "eslint-config-next@12.1.6:\n  version \"12.1.6\"\n",
            "  @acme/next@12.1.6:\n",
            "  next@12.1.6:\n  next@13.0.0:\n",
            "",
        ] {
            assert_eq!(in_text(text, "next"), None, "{text}");
        }
    }
}
