//! Bytes that an image carries for nothing, by cause.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde::Serialize;

use super::packages::{npm_folder, text};
use crate::{Merged, Visible};

/// Files named in a finding.
const EXAMPLES: usize = 5;

/// Why bytes are in an image for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A later layer removes the file.
    Removed,
    /// A later layer holds the same bytes again: `chown`, `chmod` or a move copied them.
    CopiedForAttributes,
    /// A later layer holds other bytes.
    Replaced,
    /// What a package manager keeps for its next run.
    PackageCache,
    /// Packages that are needed to build and test only.
    DevDependencies,
    /// The repository's history.
    GitHistory,
    /// Source maps.
    SourceMaps,
    /// Compilers and headers.
    BuildTools,
    /// `/tmp` and `/var/tmp`.
    TemporaryFiles,
}

impl Cause {
    /// The cause in a few words, for a table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Removed => "removed by a later layer",
            Self::CopiedForAttributes => "copied again with the same bytes (chown, chmod)",
            Self::Replaced => "overwritten by a later layer",
            Self::PackageCache => "package manager's cache",
            Self::DevDependencies => "development dependencies",
            Self::GitHistory => ".git",
            Self::SourceMaps => "source maps",
            Self::BuildTools => "build tools",
            Self::TemporaryFiles => "temporary files",
        }
    }

    /// What to do about it.
    pub fn fix(self) -> &'static str {
        match self {
            Self::Removed => "remove the files in the RUN that makes them, or make them in an earlier stage",
            Self::CopiedForAttributes => {
                "give owner and mode where the files come in: COPY --chown=USER --chmod=MODE, or chown in the same RUN"
            }
            Self::Replaced => "write the file once: do both changes in one RUN, or in an earlier stage",
            Self::PackageCache => {
                "keep it out of the layer: RUN --mount=type=cache,target=FOLDER, or remove it in the same RUN"
            }
            Self::DevDependencies => {
                "copy a node_modules that was installed without them: npm ci --omit=dev, pnpm install --prod"
            }
            Self::GitHistory => "add .git to .dockerignore",
            Self::SourceMaps => "do not copy *.map into the last stage, unless stack traces need them",
            Self::BuildTools => "build in a stage of its own and copy the result into a stage without them",
            Self::TemporaryFiles => "RUN --mount=type=tmpfs,target=/tmp, or remove them in the same RUN",
        }
    }
}

/// What one layer has of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerShare {
    /// Index of the layer, from 0 for the lowest.
    pub layer: usize,
    /// The bytes of the files in it.
    pub bytes: u64,
}

/// Bytes of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Why they are wasted.
    pub cause: Cause,
    /// How many bytes are wasted.
    pub bytes: u64,
    /// How many files they are in.
    pub files: u64,
    /// The layers that carry them, largest first.
    pub layers: Vec<LayerShare>,
    /// Some of the largest files, or folders of them.
    pub examples: Vec<String>,
    /// What to do about it.
    pub fix: &'static str,
}

#[derive(Default)]
struct Sum {
    bytes: u64,
    files: u64,
    layers: BTreeMap<usize, u64>,
    folders: BTreeMap<String, u64>,
}

impl Sum {
    fn add(&mut self, layer: usize, bytes: u64, shown: &str) {
        self.bytes += bytes;
        self.files += 1;
        *self.layers.entry(layer).or_default() += bytes;
        *self.folders.entry(shown.to_owned()).or_default() += bytes;
    }
}

/// What the image carries for nothing, largest first. A file counts for one cause only.
pub fn waste(merged: &Merged) -> Vec<Finding> {
    let mut sums: BTreeMap<Cause, Sum> = BTreeMap::new();
    for hidden in merged.wasted() {
        let cause = if hidden.removed {
            Cause::Removed
        } else if merged.is_same_again(&hidden) {
            Cause::CopiedForAttributes
        } else {
            Cause::Replaced
        };
        sums.entry(cause).or_default().add(hidden.layer, hidden.bytes, &format!("/{}", hidden.path));
    }
    let files = merged.visible_files();
    let development = development(&files);
    let tools = tools(&files);
    for file in files.iter().filter(|file| file.bytes > 0) {
        let judged = judge(&file.path).or_else(|| {
            let folder = npm_folder(&file.path)?;
            development.contains(folder).then_some((Cause::DevDependencies, folder))
        });
        let judged = judged.or_else(|| {
            tools.contains(file.path.as_str()).then(|| {
                let end = file.path.rfind('/').unwrap_or(file.path.len());
                (Cause::BuildTools, &file.path[..end])
            })
        });
        if let Some((cause, shown)) = judged {
            sums.entry(cause).or_default().add(file.layer, file.bytes, &format!("/{shown}"));
        }
    }
    let mut findings: Vec<Finding> = sums.into_iter().map(|(cause, sum)| finding(cause, sum)).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.bytes));
    findings
}

fn finding(cause: Cause, sum: Sum) -> Finding {
    let mut layers: Vec<LayerShare> =
        sum.layers.into_iter().map(|(layer, bytes)| LayerShare { layer, bytes }).collect();
    layers.sort_by_key(|share| std::cmp::Reverse(share.bytes));
    let mut folders: Vec<(String, u64)> = sum.folders.into_iter().collect();
    folders.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    let examples = folders.into_iter().take(EXAMPLES).map(|(path, _)| path).collect();
    Finding { cause, bytes: sum.bytes, files: sum.files, layers, examples, fix: cause.fix() }
}

/// Folders of caches, relative to the root.
const CACHES: [&str; 7] = [
    "var/lib/apt/lists",
    "var/cache/apt",
    "var/cache/apk",
    "var/cache/dnf",
    "var/cache/yum",
    "usr/local/cargo/registry",
    "go/pkg/mod/cache",
];

/// Folders of caches in a home directory.
const HOME_CACHES: [&str; 9] = [
    ".npm/_cacache",
    ".cache",
    ".local/share/pnpm/store",
    ".yarn/cache",
    ".cargo/registry",
    ".gradle/caches",
    ".m2/repository",
    ".composer/cache",
    ".bundle/cache",
];

/// Build tools that are unpacked without a package.
const TOOL_FOLDERS: [&str; 3] =
    ["usr/local/rustup/toolchains", "usr/local/go/pkg/tool", "root/.rustup/toolchains"];

/// The cause that a file's path alone tells, and the folder to name.
fn judge(path: &str) -> Option<(Cause, &str)> {
    let below = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    if let Some(folder) = CACHES.iter().find(|folder| below(folder)) {
        return Some((Cause::PackageCache, &path[..folder.len()]));
    }
    let home = path.strip_prefix("root/").map(|_| "root/".len()).or_else(|| {
        let rest = path.strip_prefix("home/")?;
        Some("home/".len() + rest.find('/')? + 1)
    });
    if let Some(home) = home {
        let inside = &path[home..];
        let cache = HOME_CACHES
            .iter()
            .find(|cache| inside.strip_prefix(**cache).is_some_and(|rest| rest.starts_with('/')));
        if let Some(cache) = cache {
            return Some((Cause::PackageCache, &path[..home + cache.len()]));
        }
    }
    if let Some(folder) = ["tmp", "var/tmp"].into_iter().find(|folder| below(folder)) {
        return Some((Cause::TemporaryFiles, &path[..folder.len()]));
    }
    if let Some(at) = path.find("/.git/").map(|at| at + 1).or_else(|| path.starts_with(".git/").then_some(0))
    {
        return Some((Cause::GitHistory, &path[..at + ".git".len()]));
    }
    if [".js.map", ".mjs.map", ".cjs.map", ".css.map", ".d.ts.map"].iter().any(|end| path.ends_with(end)) {
        return Some((Cause::SourceMaps, path));
    }
    let folder = TOOL_FOLDERS.iter().find(|folder| below(folder))?;
    Some((Cause::BuildTools, &path[..folder.len()]))
}

/// Packages that nobody installs to run something.
const DEVELOPMENT: [&str; 22] = [
    "typescript",
    "eslint",
    "prettier",
    "jest",
    "vitest",
    "mocha",
    "vite",
    "webpack",
    "rollup",
    "esbuild",
    "ts-node",
    "tsx",
    "nodemon",
    "supertest",
    "playwright",
    "cypress",
    "sass",
    "turbo",
    "husky",
    "lint-staged",
    "drizzle-kit",
    "tsup",
];

/// The folders of npm packages that are for development: those that npm noted as such, and where it noted nothing those
/// whose name says so.
fn development(files: &[Visible]) -> HashSet<String> {
    let mut found = HashSet::new();
    let mut noted: Vec<String> = Vec::new();
    for file in files {
        let Some(modules) = file.path.strip_suffix("/.package-lock.json") else { continue };
        let Some(lock) =
            text(&file.host).and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        else {
            continue;
        };
        let project = modules.strip_suffix("node_modules").unwrap_or(modules);
        noted.push(modules.to_owned());
        let packages = lock.get("packages").and_then(|packages| packages.as_object());
        for (path, package) in packages.into_iter().flatten() {
            if package.get("dev") == Some(&serde_json::Value::Bool(true)) {
                found.insert(format!("{project}{path}"));
            }
        }
    }
    for file in files {
        let Some(folder) = file.path.strip_suffix("/package.json") else { continue };
        if npm_folder(&file.path) != Some(folder)
            || noted.iter().any(|modules| folder.starts_with(modules.as_str()))
        {
            continue;
        }
        // npm itself, in the base image, is nobody's dependency
        if folder.starts_with("usr/") {
            continue;
        }
        let name = folder.rsplit("node_modules/").next().unwrap_or_default();
        if DEVELOPMENT.contains(&name)
            || name.starts_with("@types/")
            || name.starts_with("@typescript-eslint/")
        {
            found.insert(folder.to_owned());
        }
    }
    found
}

/// The files of Debian's packages of compilers and headers.
fn tools(files: &[Visible]) -> HashSet<String> {
    let mut found = HashSet::new();
    for file in files {
        let Some(name) =
            file.path.strip_prefix("var/lib/dpkg/info/").and_then(|name| name.strip_suffix(".list"))
        else {
            continue;
        };
        let name = name.split(':').next().unwrap_or_default();
        if is_tool(name) {
            let list = text(&file.host).unwrap_or_default();
            for line in list.lines() {
                let path = line.trim_start_matches('/');
                found.insert(path.to_owned());
                found.insert(format!("usr/{path}"));
            }
        }
    }
    found
}

fn is_tool(package: &str) -> bool {
    const NAMES: [&str; 14] = [
        "binutils",
        "build-essential",
        "cargo",
        "clang",
        "cmake",
        "cpp",
        "g++",
        "gcc",
        "golang",
        "llvm",
        "make",
        "pkg-config",
        "rustc",
        "autoconf",
    ];
    // `gcc-14`, `cpp-14-x86-64-linux-gnu`; but `gcc-14-base` is in every image
    let is_one = |tool: &str| {
        package.strip_prefix(tool).is_some_and(|rest| {
            rest.is_empty()
                || rest
                    .strip_prefix('-')
                    .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == 'x'))
        })
    };
    !package.ends_with("-base") && (package.ends_with("-dev") || NAMES.into_iter().any(is_one))
}

/// Whether two files have the same bytes; one that cannot be read has not.
pub(crate) fn same_bytes(left: &Path, right: &Path) -> bool {
    let compare = || -> io::Result<bool> {
        let (mut left, mut right) = (File::open(left)?, File::open(right)?);
        if left.metadata()?.len() != right.metadata()?.len() {
            return Ok(false);
        }
        let (mut one, mut other) = (vec![0; 128 << 10], vec![0; 128 << 10]);
        loop {
            let read = left.read(&mut one)?;
            if read == 0 {
                return Ok(true);
            }
            right.read_exact(&mut other[..read])?;
            if one[..read] != other[..read] {
                return Ok(false);
            }
        }
    };
    compare().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_their_cause() {
        for (path, judged) in [
            ("var/lib/apt/lists/x", Some((Cause::PackageCache, "var/lib/apt/lists"))),
            ("var/lib/apt/listsx", None),
            ("root/.npm/_cacache/a/b", Some((Cause::PackageCache, "root/.npm/_cacache"))),
            ("home/node/.cache/x", Some((Cause::PackageCache, "home/node/.cache"))),
            ("app/.git/objects/x", Some((Cause::GitHistory, "app/.git"))),
            (".git/HEAD", Some((Cause::GitHistory, ".git"))),
            ("app/.gitignore", None),
            ("app/dist/a.js.map", Some((Cause::SourceMaps, "app/dist/a.js.map"))),
            ("app/world.map", None),
            ("tmp/x", Some((Cause::TemporaryFiles, "tmp"))),
        ] {
            assert_eq!(judge(path), judged, "{path}");
        }
    }

    #[test]
    fn compilers_are_tools_and_their_run_time_is_not() {
        for name in ["gcc", "gcc-14", "gcc-14-x86-64-linux-gnu", "g++", "libc6-dev", "make", "cpp-14"] {
            assert!(is_tool(name), "{name}");
        }
        for name in ["gcc-14-base", "libgcc-s1", "libstdc++6", "bash", "makedev"] {
            assert!(!is_tool(name), "{name}");
        }
    }
}
