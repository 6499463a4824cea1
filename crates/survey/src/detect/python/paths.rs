//! Paths that a program puts together: `BASE_DIR / "db.sqlite3"`, `os.path.join(app.instance_path, "shop.sqlite")`.

use std::rc::Rc;

use super::project::Project;
use crate::python::{Kind, Module};

/// What a path is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// The repository's root.
    Repository,
    /// The folder that the program is started in.
    Started,
    /// The file system's root.
    Root,
    /// Flask's folder for what is no part of the program.
    Instance,
}

/// A path, without `.` and `..` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) base: Base,
    pub(super) path: String,
}

/// Names lead to other names no deeper than this.
const MAX_DEPTH: usize = 8;

impl Path {
    /// A path as it is written in a text.
    pub(super) fn written(text: &str) -> Option<Self> {
        let base = if text.starts_with('/') { Base::Root } else { Base::Started };
        Self { base, path: String::new() }.joined(text)
    }

    /// This one with a text behind it; nothing where that leads out of the base.
    pub(super) fn joined(&self, text: &str) -> Option<Self> {
        if text.contains(['\\', '\0', '\n', '{', '}', '~']) {
            return None;
        }
        let mut parts: Vec<&str> = self.path.split('/').filter(|part| !part.is_empty()).collect();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()?),
                part => parts.push(part),
            }
        }
        Some(Self { base: self.base, path: parts.join("/") })
    }

    fn and(&self, other: &Self) -> Option<Self> {
        match other.base {
            Base::Started => self.joined(&other.path),
            _ => Some(other.clone()),
        }
    }

    fn parent(&self) -> Option<Self> {
        // Of the folder that the program is started in nothing above is known.
        (!self.path.is_empty()).then(|| {
            let above = self.path.rsplit_once('/').map_or("", |(above, _)| above);
            Self { base: self.base, path: above.to_owned() }
        })
    }
}

/// Where the value that begins at `at` ends: at a comma, a closing bracket, a condition, or the end of its line.
pub(super) fn value_end(module: &Module, at: usize) -> usize {
    let end = module.line_end(at).min(at + 200);
    let mut next = at;
    while next < end {
        if [",", ")", "]", "}", "or", "if", "else", "for"].iter().any(|stop| module.is(next, stop)) {
            return next;
        }
        next = module.close(next).unwrap_or(next) + 1;
    }
    end
}

/// The path that the tokens from `at` to `end` make.
pub(super) fn value(
    project: &Project,
    others: &[Rc<Module>],
    module: &Module,
    (at, end): (usize, usize),
) -> Option<Path> {
    Reader { project, others }.value(module, at, end, 0)
}

struct Reader<'a> {
    project: &'a Project,
    /// Modules whose names count too: settings that were imported with `*`.
    others: &'a [Rc<Module>],
}

impl Reader<'_> {
    fn value(&self, module: &Module, at: usize, end: usize, depth: usize) -> Option<Path> {
        if depth > MAX_DEPTH || at >= end {
            return None;
        }
        let mut next = at;
        while next < end {
            if module.is(next, "/") {
                let left = self.value(module, at, last_slash(module, next, end), depth + 1)?;
                let right = self.value(module, last_slash(module, next, end) + 1, end, depth + 1)?;
                return left.and(&right);
            }
            next = module.close(next).unwrap_or(next) + 1;
        }
        if module.is(at, "(") && module.close(at) == Some(end - 1) {
            return self.value(module, at + 1, end - 1, depth + 1);
        }
        if module.kind(at) == Some(Kind::String) {
            let text = module.string(at)?;
            return (at + 1..end)
                .all(|at| module.kind(at) == Some(Kind::String))
                .then(|| Path::written(&text))?;
        }
        if module.kind(at) == Some(Kind::Format) {
            return self.format(module, at, end, depth);
        }
        let (first, next) = self.atom(module, at, depth)?;
        self.attributes(module, first, (next, end), depth)
    }

    /// `f"{BASE_DIR}/data/shop.db"`, with one field at its beginning.
    fn format(&self, module: &Module, at: usize, end: usize, depth: usize) -> Option<Path> {
        let (_, rest) = module.format(at)?.strip_prefix('{')?.split_once('}')?;
        self.value(module, at + 1, end, depth + 1)?.joined(rest)
    }

    /// A name or a call, and the token behind it.
    fn atom(&self, module: &Module, at: usize, depth: usize) -> Option<(Path, usize)> {
        if module.is(at, "__file__") {
            return Some((Path { base: Base::Repository, path: module.source.name().to_owned() }, at + 1));
        }
        let (written, next) = module.dotted(at)?;
        if module.is(next, "(") {
            let close = module.close(next)?;
            let arguments = module.arguments(next);
            let argument = |number: usize| {
                let argument = arguments.get(number)?;
                self.value(module, argument.at, argument.end, depth + 1)
            };
            let full = module.full_name(&written);
            let made = match full.rsplit('.').next()? {
                "cwd" | "getcwd" => Path { base: Base::Started, path: String::new() },
                "Path" | "PurePath" if arguments.is_empty() => {
                    Path { base: Base::Started, path: String::new() }
                }
                "str" | "Path" | "PurePath" | "abspath" | "realpath" | "normpath" | "fspath" => argument(0)?,
                "dirname" => argument(0)?.parent()?,
                "join" => {
                    let mut made = argument(0)?;
                    for number in 1..arguments.len() {
                        made = made.and(&argument(number)?)?;
                    }
                    made
                }
                // A method of a name: the name, and the method behind it.
                "resolve" | "absolute" | "joinpath" => {
                    let name = self.named(module, module.text(at), depth)?;
                    return Some((name, at + 1));
                }
                _ => return None,
            };
            return Some((made, close + 1));
        }
        if written.ends_with(".instance_path") {
            return Some((Path { base: Base::Instance, path: String::new() }, next));
        }
        // The folder of the module that makes Flask's application.
        if written.ends_with(".root_path") {
            let own = module.source.name();
            let folder = own.rsplit_once('/').map_or("", |(folder, _)| folder);
            return Some((Path { base: Base::Repository, path: folder.to_owned() }, next));
        }
        Some((self.named(module, module.text(at), depth)?, at + 1))
    }

    /// `.parent`, `.parents[1]`, `.resolve()`, `.joinpath("a")`.
    fn attributes(
        &self,
        module: &Module,
        mut path: Path,
        (mut next, end): (usize, usize),
        depth: usize,
    ) -> Option<Path> {
        while next < end {
            if !module.is(next, ".") {
                return None;
            }
            let open = next + 2;
            match module.text(next + 1) {
                "parent" => {
                    path = path.parent()?;
                    next += 2;
                    continue;
                }
                "parents" if module.is(open, "[") => {
                    let above: usize = module.text(open + 1).parse().ok().filter(|above| *above < 10)?;
                    for _ in 0..=above {
                        path = path.parent()?;
                    }
                }
                "resolve" | "absolute" | "as_posix" if module.is(open, "(") => {}
                "joinpath" if module.is(open, "(") => {
                    for argument in module.arguments(open) {
                        path = path.and(&self.value(module, argument.at, argument.end, depth + 1)?)?;
                    }
                }
                _ => return None,
            }
            next = module.close(open)? + 1;
        }
        Some(path)
    }

    /// What a name stands for: in its module, where it was imported from, or among the others.
    fn named(&self, module: &Module, name: &str, depth: usize) -> Option<Path> {
        if depth > MAX_DEPTH {
            return None;
        }
        let in_module = |module: &Module| {
            let (_, value) = module.assignments().find(|(at, _)| module.is(*at, name))?;
            self.value(module, value, value_end(module, value), depth + 1)
        };
        if let Some(path) = in_module(module) {
            return Some(path);
        }
        if let Some(import) = module.imports.get(name) {
            let dotted = format!("{}{}", ".".repeat(import.level), import.module);
            return in_module(self.project.find(module, &dotted)?);
        }
        self.others.iter().find_map(|other| in_module(other))
    }
}

/// The last `/` between tokens that stands outside of brackets.
fn last_slash(module: &Module, first: usize, end: usize) -> usize {
    let (mut last, mut next) = (first, first);
    while next < end {
        if module.is(next, "/") {
            last = next;
        }
        next = module.close(next).unwrap_or(next) + 1;
    }
    last
}
