//! Which module of the program a specifier names.

use super::Program;

impl Program {
    /// The module that a specifier names, as seen from another one.
    pub(crate) fn module_of(&self, from: usize, specifier: &str) -> Option<usize> {
        let find = |path: &str| {
            let bare = path.strip_suffix(".js").or_else(|| path.strip_suffix(".ts")).unwrap_or(path);
            let index = format!("{path}/index");
            [path, bare, stem(path), index.as_str()].iter().find_map(|path| self.stems.get(*path)).copied()
        };
        let file = self.modules.get(from)?.script.source.name();
        if specifier.starts_with('.') {
            return find(&relative(file, specifier));
        }
        for (name, folder) in &self.packages {
            let Some(rest) = specifier.strip_prefix(name.as_str()) else { continue };
            let base = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            if rest.is_empty() {
                return ["src/index", "index", "src/main", "lib/index"]
                    .iter()
                    .find_map(|entry| find(&format!("{base}{entry}")));
            }
            if let Some(inner) = rest.strip_prefix('/') {
                return find(&format!("{base}src/{inner}")).or_else(|| find(&format!("{base}{inner}")));
            }
        }
        // `@/config`, `~/config`, `src/config`: aliases of the package's own folders.
        let inner =
            specifier.strip_prefix("@/").or_else(|| specifier.strip_prefix("~/")).unwrap_or(specifier);
        let mut folder = file;
        while let Some((above, _)) = folder.rsplit_once('/') {
            let found = find(&format!("{above}/{inner}")).or_else(|| find(&format!("{above}/src/{inner}")));
            if found.is_some() && (inner.len() < specifier.len() || specifier.starts_with("src/")) {
                return found;
            }
            folder = above;
        }
        (inner.len() < specifier.len() || specifier.starts_with("src/")).then(|| find(inner)).flatten()
    }
}

/// A path without its extension: `./a.js` is written where `a.ts` is meant.
pub(crate) fn stem(path: &str) -> &str {
    match path.rsplit_once('.') {
        Some((stem, extension)) if !extension.contains('/') && extension.len() <= 4 => stem,
        _ => path,
    }
}

/// A specifier as a path below the repository's root.
pub(crate) fn relative(file: &str, specifier: &str) -> String {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in specifier.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
