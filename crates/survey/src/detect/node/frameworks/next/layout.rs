//! Whether a version of Next.js puts a server together that runs alone, and where it lies in what it puts together.

use crate::{
    detect::node::{
        installs, locked,
        services::Candidate,
        versions::{Range, Version},
    },
    javascript::Script,
    model::{Evidence, Fact},
};

/// What becomes the image.
pub(super) enum Layout {
    /// All packages and what was built: `next start`.
    Whole {
        /// Its webpack hashes with what newer releases of Node.js refuse.
        webpack_4: bool,
    },
    /// `.next/standalone`.
    Alone {
        /// The server's folder in it.
        folder: String,
        /// Whether the settings ask for it; else a variable does.
        written: bool,
    },
    /// `.next/standalone`, from a root that cannot be read.
    Unknown { place: Evidence },
}

/// Reads the variable that asks for the server alone, and begins to trace where the nearest lock file is. Seen in the
/// packages 13.3.4, 13.4.0 and 13.4.4.
const MODERN: Version = (13, 4, 4);
/// `output: "standalone"`; before it was `experimental.outputStandalone` (packages 12.1.6 and 12.2.0).
const OUTPUT: Version = (12, 2, 0);
/// The first one with webpack 5 alone.
const WEBPACK_5: Version = (12, 0, 0);

pub(super) fn of(
    candidate: &Candidate<'_>,
    config: Option<&Script>,
    output: Option<&Fact<String>>,
) -> Layout {
    let asks = output.is_some_and(|output| output.value == "standalone") && !is_before(candidate, OUTPUT)
        || config.is_some_and(asks_by_the_old_name);
    let modern = !is_before(candidate, MODERN);
    let webpack_4 = is_before(candidate, WEBPACK_5);
    if webpack_4 || !modern && !asks {
        return Layout::Whole { webpack_4 };
    }
    let folder = below_lock(candidate);
    // Traced from elsewhere it would lose the packages that a workspace keeps above, or hold the image's root.
    let traces_whole_install = |up: usize| up == folder.split('/').filter(|part| !part.is_empty()).count();
    match config.and_then(root) {
        Some(Err(place)) => Layout::Unknown { place },
        Some(Ok(up)) if !traces_whole_install(up) => Layout::Whole { webpack_4 },
        // Without the setting an old one traces from its own folder.
        None if !modern && !folder.is_empty() => Layout::Whole { webpack_4 },
        Some(Ok(_)) | None => Layout::Alone { folder, written: asks },
    }
}

/// Whether the installed version is older. Where neither the range nor a lock file decides, the newest is installed.
fn is_before(candidate: &Candidate<'_>, version: Version) -> bool {
    let range = candidate.manifest.any_dependency("next").and_then(|next| Range::parse(next.range));
    let Some(range) = range else { return false };
    if !range.accepts_from(version) {
        return true;
    }
    let locked = || locked::version(candidate.context, &candidate.manifest.folder, "next");
    range.accepts_before(version) && locked().is_some_and(|locked| locked < version)
}

/// `experimental: { outputStandalone: true }`.
fn asks_by_the_old_name(script: &Script) -> bool {
    (0..script.tokens.len())
        .any(|at| script.is(at, "outputStandalone") && script.is(at + 1, ":") && script.is(at + 2, "true"))
}

/// How many folders above its own `outputFileTracingRoot` is, where the settings have it; `Err` where it cannot be read.
fn root(script: &Script) -> Option<Result<usize, Evidence>> {
    let at = (0..script.tokens.len())
        .find(|&at| script.is(at, "outputFileTracingRoot") && script.is(at + 1, ":"))?;
    let unknown = || Evidence::new(&script.source, script.span(at, at + 2), "from where Next.js traces");
    Some(up(script, at + 2).ok_or_else(unknown))
}

/// `__dirname`, `path.join(__dirname, "..", "..")`, `resolve(import.meta.dirname, "../../")`.
fn up(script: &Script, at: usize) -> Option<usize> {
    if is_own_folder(script, at) {
        return Some(0);
    }
    let call = if script.is(at + 1, ".") { at + 2 } else { at };
    if !matches!(script.text(call), "join" | "resolve") || !script.is(call + 1, "(") {
        return None;
    }
    let arguments = script.arguments(call + 1);
    let (first, rest) = arguments.split_first()?;
    if !is_own_folder(script, *first) {
        return None;
    }
    let mut up = 0;
    for &argument in rest {
        for part in script.string(argument)?.split('/').filter(|part| !matches!(*part, "" | ".")) {
            up = if part == ".." { up + 1 } else { return None };
        }
    }
    Some(up)
}

fn is_own_folder(script: &Script, at: usize) -> bool {
    script.is(at, "__dirname")
        || script.is(at, "import") && script.is(at + 2, "meta") && script.is(at + 4, "dirname")
        || script.is(at, "process") && script.is(at + 2, "cwd")
}

/// The package's folder below that of the nearest lock file.
pub(super) fn below_lock(candidate: &Candidate<'_>) -> String {
    let own = candidate.manifest.folder.as_str();
    let mut folder = own;
    loop {
        if installs::has_lock(candidate.context, folder) {
            return own.strip_prefix(folder).unwrap_or(own).trim_start_matches('/').to_owned();
        }
        match folder.rsplit_once('/') {
            Some((above, _)) => folder = above,
            None if folder.is_empty() => return String::new(),
            None => folder = "",
        }
    }
}
