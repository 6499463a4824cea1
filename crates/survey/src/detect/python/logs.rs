//! Files and folders that a program makes for itself when it starts: logs, mostly. The rest of its folder is read-only.

use super::{
    environment::is_for_development,
    paths::{self, Path},
    sqlite::{self, Of},
};
use crate::{
    model::{Evidence, Fact, Service, Writes},
    python::{Kind, Module},
};

/// Functions that make a folder, and classes that open a log.
const MAKE: [&str; 2] = ["os.mkdir", "os.makedirs"];
const OPEN: [&str; 4] = [
    "logging.FileHandler",
    "logging.handlers.RotatingFileHandler",
    "logging.handlers.TimedRotatingFileHandler",
    "logging.handlers.WatchedFileHandler",
];

const MAX_FOUND: usize = 20;

/// Gives them a place that can be written.
pub(super) fn add(of: &Of<'_>, service: &mut Service) {
    let others = of.site.map_or(&[][..], |site| &site.modules);
    let mut found: Vec<(Path, bool, Evidence)> = Vec::new();
    for module in of.project.modules.iter().filter(|module| !is_for_development(module.source.name())) {
        for at in 0..module.tokens.len() {
            let Some((value, end, file)) = place(module, at).filter(|_| found.len() < MAX_FOUND) else {
                continue;
            };
            let Some(path) = paths::value(of.project, others, module, (value, end)) else { continue };
            let evidence =
                Evidence::new(&module.source, module.span(at, end.saturating_sub(1)), "writes there");
            found.push((path, file, evidence));
        }
    }
    for (path, file, evidence) in found {
        let Some(path) = sqlite::in_image(of, service, &path).filter(|path| !path.is_empty()) else {
            continue;
        };
        let folder =
            if file { path.rsplit_once('/').map_or("", |(folder, _)| folder) } else { path.as_str() };
        // The container has its own /tmp, and no say outside of the program's folder.
        if folder.starts_with("/tmp") || folder.starts_with("/proc") || folder == "/app" {
            continue;
        }
        if folder.is_empty() {
            if service.files.iter().all(|known| known.value != path) {
                service.files.push(Fact::new(path, evidence));
            }
        } else if service.writes.iter().all(|known| known.path.value != folder) {
            let name = folder.rsplit('/').next().unwrap_or(folder).to_lowercase();
            let keep = ["upload", "media", "data", "storage", "files"].iter().any(|word| name.contains(word));
            service.writes.push(Writes { path: Fact::new(folder.to_owned(), evidence), keep });
        }
    }
}

/// The value with a path that is made or opened: its first token, the one behind it, and whether it is a file.
fn place(module: &Module, at: usize) -> Option<(usize, usize, bool)> {
    // `"filename": BASE_DIR / "logs" / "site.log"` in the settings of logging.
    if module.kind(at) == Some(Kind::String) {
        let named = module.is(at + 1, ":") && module.string(at).as_deref() == Some("filename");
        // Other dictionaries name files, too; a handler of logging names its class beside it.
        let named = named && is_handler(module, at);
        return named.then(|| (at + 2, paths::value_end(module, at + 2), true));
    }
    let (name, open) = module.resolved(at).filter(|(_, open)| module.is(*open, "("))?;
    let file = OPEN.contains(&name.as_str());
    if !file && !MAKE.contains(&name.as_str()) {
        return None;
    }
    let argument = module.keyword(open, "filename").or_else(|| module.arguments(open).first().copied())?;
    Some((argument.at, argument.end, file))
}

/// Whether the dictionary around a token is a handler of logging: `{"class": "logging.FileHandler", "filename": …}`.
fn is_handler(module: &Module, at: usize) -> bool {
    let Some(open) = module.dictionary_around(at, 200) else { return false };
    let close = module.close(open).unwrap_or(open);
    let class =
        |at: usize| matches!(module.string(at).as_deref(), Some("class" | "()")) && module.is(at + 1, ":");
    (open..close).any(class)
}
