//! A file of SQLite: where it lies, and what makes it outlive its container. A file beside the program is a link into a
//! volume, since SQLite follows links and keeps its journal beside the file that a link leads to.

use std::rc::Rc;

use super::{
    apps::App,
    django::Site,
    environment::{Read, is_for_development},
    paths::{self, Base, Path},
    project::{Project, below},
    uses::scheme,
};
use crate::{
    context::{Context, join},
    model::{
        Address, Confidence, Evidence, Fact, Gap, Question, Service, StoreKind, StoreUse, Writes, is_below,
    },
    python::{Kind, Module},
    rules,
};

/// What a service is, as far as its file is concerned.
pub(super) struct Of<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) project: &'a Project,
    pub(super) site: Option<&'a Site>,
    pub(super) app: Option<&'a App>,
}

/// Where the sources have the file.
struct Found {
    /// Nothing where it is not known.
    path: Option<Path>,
    evidence: Evidence,
}

/// Adds a file of SQLite, where nothing else is the database.
pub(super) fn add(
    of: &Of<'_>,
    engines: &[(StoreKind, Evidence)],
    reads: &[Read],
    service: &mut Service,
    gaps: &mut Vec<Gap>,
    questions: &mut Vec<Question>,
) {
    let server =
        service.stores.iter().any(|used| matches!(used.kind, StoreKind::Postgresql | StoreKind::Mysql));
    if server {
        return;
    }
    let engine = engines.iter().find(|(kind, _)| *kind == StoreKind::Sqlite).map(|(_, evidence)| evidence);
    let by_default = default(service);
    let found = match engine {
        Some(evidence) => of
            .site
            .and_then(|site| django(of, site))
            .or_else(|| by_default.as_ref().and_then(|(url, evidence)| from_url(of, url, evidence)))
            .unwrap_or_else(|| Found { path: None, evidence: evidence.clone() }),
        None => {
            let found = by_default.as_ref().and_then(|(url, evidence)| from_url(of, url, evidence));
            let Some(found) = found.or_else(|| written(of)).or_else(|| opened(of)) else { return };
            found
        }
    };
    let mut evidence = found.evidence.clone();
    "a file of SQLite".clone_into(&mut evidence.reason);
    service.stores.push(StoreUse {
        kind: StoreKind::Sqlite,
        store: String::new(),
        address: by_default.is_some().then(|| address(service, reads)).flatten(),
        evidence: vec![evidence.clone()],
    });
    let placed = found.path.as_ref().and_then(|path| in_image(of, service, path));
    match placed {
        // The container's own folder for files of a moment: a volume there would be every process's.
        Some(path) if is_for_a_moment(&path) => gaps.push(Gap { rule: rules::DATA_NOT_KEPT,
            subject: service.name.clone(),
            message: format!("its database is {path}: what is in that folder goes with its container"),
            hint: "let a variable say where it lies, as DATABASE_URL, or write it into a folder of its own: /data"
                .to_owned(),
            evidence: vec![evidence],
        }),
        Some(path) => keep(of, service, &path, &evidence, gaps),
        None if engine.is_some() => questions.push(Question {
            id: format!("{}.sqlite", service.name),
            text: "Its database is a file of SQLite, and where that lies is not known; a container can write nowhere but \
                   to what it was given. Which file is it, below its own folder or absolute?"
                .to_owned(),
            options: Vec::new(),
            default: None,
            confidence: Confidence::Open,
            evidence: vec![evidence],
        }),
        None => gaps.push(Gap { rule: rules::DATA_NOT_KEPT,
            subject: service.name.clone(),
            message: "its database is a file whose place is not known: a container cannot write beside its program"
                .to_owned(),
            hint: format!("`--answer {}.sqlite=FILE` says it, below its own folder or absolute", service.name),
            evidence: vec![evidence],
        }),
    }
}

/// Whether a file lies directly in a folder that every container has in memory.
fn is_for_a_moment(path: &str) -> bool {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    matches!(folder, "/tmp" | "/var/tmp" | "/run" | "/var/run" | "/dev/shm")
}

/// Files in which Celery keeps its results or its messages: `db+sqlite:///results.sqlite`.
pub(super) fn of_celery(of: &Of<'_>, service: &mut Service, gaps: &mut Vec<Gap>) {
    let sites = of.site.map_or(&[][..], |site| &site.modules);
    let all = sites.iter().chain(modules(of));
    let mut files: Vec<(String, Evidence)> = Vec::new();
    for module in all {
        for at in 0..module.tokens.len() {
            let Some(text) = module.string(at).filter(|_| module.kind(at) == Some(Kind::String)) else {
                continue;
            };
            let Some(url) = text.strip_prefix("db+").or_else(|| text.strip_prefix("sqla+")) else { continue };
            let evidence = Evidence::new(&module.source, module.span(at, at), "a file of SQLite");
            let place = from_url_of(url).and_then(|path| in_image(of, service, &path));
            if let Some(file) = place.filter(|file| files.iter().all(|(known, _)| known != file)) {
                files.push((file, evidence));
            }
        }
    }
    for (file, evidence) in files.into_iter().take(MAX_FILES) {
        let known = service.files.iter().any(|known| known.value == file);
        if !known {
            keep(of, service, &file, &evidence, gaps);
        }
    }
}

/// Files of Celery that are looked at.
const MAX_FILES: usize = 10;

/// The path in an address of SQLite, as its program writes it.
fn from_url_of(url: &str) -> Option<Path> {
    let rest = url.strip_prefix("sqlite:")?.split('?').next()?;
    let path = rest.strip_prefix("///").or_else(|| rest.strip_prefix("//")).unwrap_or(rest);
    Path::written(path).filter(|path| !path.path.is_empty() && !path.path.contains(":memory:"))
}

/// The file's place, below the service's folder or absolute, where it is known.
pub(super) fn place(of: &Of<'_>, service: &Service) -> Option<String> {
    let by_default = default(service).and_then(|(url, evidence)| from_url(of, &url, &evidence));
    let found = by_default.or_else(|| written(of)).or_else(|| opened(of))?;
    in_image(of, service, &found.path?)
}

/// The default of a variable that is the address of a file.
fn default(service: &Service) -> Option<(String, Evidence)> {
    service.environment.iter().find_map(|variable| {
        let default = variable.default.as_deref()?;
        (scheme(default)?.0 == StoreKind::Sqlite)
            .then(|| Some((default.to_owned(), variable.evidence.first()?.clone())))?
    })
}

fn address(service: &Service, reads: &[Read]) -> Option<Address> {
    let variable = service.environment.iter().find(|variable| {
        variable.default.as_deref().and_then(scheme).is_some_and(|(kind, _)| kind == StoreKind::Sqlite)
    })?;
    let file_variant = reads.iter().any(|read| read.name == variable.name && read.file_variant);
    let fact = Fact { value: variable.name.clone(), evidence: variable.evidence.clone() };
    Some(Address::Url { variable: fact, scheme: None, suffix: None, file_variant })
}

/// `"NAME": BASE_DIR / "db.sqlite3"` beside the engine in Django's `DATABASES`.
fn django(of: &Of<'_>, site: &Site) -> Option<Found> {
    site.modules.iter().find_map(|module| {
        let engine = (0..module.tokens.len()).find(|&at| {
            module.string(at).is_some_and(|text| {
                text.ends_with("db.backends.sqlite3") || text.ends_with("db.backends.spatialite")
            })
        })?;
        // The nearest name before or behind the engine, in the same dictionary.
        let (open, close) = (0..engine)
            .rev()
            .filter(|&at| module.is(at, "{") || module.is(at, "("))
            .find_map(|at| Some((at, module.close(at).filter(|close| *close > engine)?)))?;
        let name = (open..close).find(|&at| {
            (module.string(at).as_deref() == Some("NAME") && module.is(at + 1, ":"))
                || (module.is(at, "NAME") && module.is(at + 1, "="))
        })?;
        let (from, mut end) = (name + 2, paths::value_end(module, name + 2));
        let mut path = paths::value(of.project, &site.modules, module, (from, end));
        // `env("SQLITE_PATH", default=BASE_DIR / "db.sqlite3")`: the path is where no variable says another one.
        if path.is_none()
            && let Some(open) = (from..end).find(|&at| module.is(at, "("))
        {
            let arguments = module.arguments(open);
            let default = arguments
                .iter()
                .find(|argument| argument.name == Some("default"))
                .or_else(|| arguments.get(1));
            path = default.and_then(|default| {
                end = default.end;
                paths::value(of.project, &site.modules, module, (default.at, default.end))
            });
        }
        let evidence = Evidence::new(&module.source, module.span(name, end.saturating_sub(1)), "");
        Some(Found { path: path.filter(|path| !path.path.is_empty()), evidence })
    })
}

/// The path in an address; nothing for one in memory.
fn from_url(of: &Of<'_>, url: &str, evidence: &Evidence) -> Option<Found> {
    let (_, rest) = url.split_once(':')?;
    let rest = rest.split('?').next()?;
    let path = rest.strip_prefix("///").or_else(|| rest.strip_prefix("//")).unwrap_or(rest);
    if path.is_empty() || path.contains(":memory:") {
        return None;
    }
    let path = Path::written(path).map(|path| of_flask_sqlalchemy(of, path));
    Some(Found { path, evidence: evidence.clone() })
}

/// Flask-SQLAlchemy counts a relative path from the instance folder; before its third version from the application's own.
fn of_flask_sqlalchemy(of: &Of<'_>, path: Path) -> Path {
    let (Some(requirement), Some(app)) = (of.project.needs(&["flask-sqlalchemy"]), of.app) else {
        return path;
    };
    if path.base != Base::Started {
        return path;
    }
    let old =
        requirement.pinned().is_some_and(|version| version.starts_with("2.") || version.starts_with("1."));
    if !old {
        return Path { base: Base::Instance, path: path.path };
    }
    let folder = app.file.rsplit_once('/').map_or("", |(folder, _)| folder);
    Path { base: Base::Repository, path: join(folder, &path.path) }
}

fn modules<'a>(of: &'a Of<'_>) -> impl Iterator<Item = &'a Rc<Module>> {
    of.project.modules.iter().filter(|module| !is_for_development(module.source.name()))
}

/// An address that stands in the sources: `"sqlite:///shop.db"`, `"sqlite:///" + os.path.join(here, "shop.db")`.
fn written(of: &Of<'_>) -> Option<Found> {
    modules(of).find_map(|module| (0..module.tokens.len()).find_map(|at| url_at(of, module, at)))
}

fn url_at(of: &Of<'_>, module: &Module, at: usize) -> Option<Found> {
    let text = match module.kind(at)? {
        Kind::String => module.string(at)?,
        Kind::Format => module.format(at)?.to_owned(),
        _ => return None,
    };
    let is_url = text.starts_with("sqlite:") || (text.starts_with("sqlite+") && text.contains("://"));
    if !is_url {
        return None;
    }
    let evidence = Evidence::new(&module.source, module.span(at, at), "opens a file of SQLite");
    let unknown = || Some(Found { path: None, evidence: evidence.clone() });
    let empty = text.trim_end_matches('/').ends_with(':');
    if module.kind(at) == Some(Kind::Format) {
        let end = (at + 1..module.tokens.len())
            .find(|&next| module.tokens[next].span.start >= module.tokens[at].span.end)
            .unwrap_or(module.tokens.len());
        let (_, field) = text.split_once("://")?;
        let Some((_, rest)) =
            field.trim_start_matches('/').strip_prefix('{').and_then(|it| it.split_once('}'))
        else {
            return unknown();
        };
        let path = paths::value(of.project, &[], module, (at + 1, end));
        let path = path.and_then(|path| path.joined(rest)).filter(|path| !path.path.is_empty());
        return Some(Found { path, evidence });
    }
    if empty && module.is(at + 1, "+") {
        let path = paths::value(of.project, &[], module, (at + 2, paths::value_end(module, at + 2)));
        return Some(Found { path: path.filter(|path| !path.path.is_empty()), evidence });
    }
    from_url(of, &text, &evidence)
}

/// `sqlite3.connect("shop.db")`, and a connection to what Flask's configuration has in the instance folder.
fn opened(of: &Of<'_>) -> Option<Found> {
    let (module, open) = modules(of).find_map(|module| {
        (0..module.tokens.len()).find_map(|at| {
            let (name, open) = module.resolved(at)?;
            let opens = ["sqlite3.connect", "sqlite3.dbapi2.connect", "aiosqlite.connect"];
            (opens.contains(&name.as_str()) && module.is(open, "(")).then_some((module, open))
        })
    })?;
    let argument = *module.arguments(open).first()?;
    if module.string(argument.at).is_some_and(|text| text.is_empty() || text.contains(":memory:")) {
        return None;
    }
    let direct = paths::value(of.project, &[], module, (argument.at, argument.end));
    let evidence =
        Evidence::new(&module.source, module.span(open, argument.end - 1), "opens a file of SQLite");
    match direct.filter(|path| !path.path.is_empty()) {
        Some(path) => Some(Found { path: Some(path), evidence }),
        None => {
            let configured = || configured(of, module, (argument.at, argument.end));
            Some(in_instance_folder(of).or_else(configured).unwrap_or(Found { path: None, evidence }))
        }
    }
}

/// `app.config["DATABASE"]`: what the configuration has under this name.
fn configured(of: &Of<'_>, module: &Module, (from, to): (usize, usize)) -> Option<Found> {
    let key =
        (from..to).filter(|&at| at > from && module.is(at - 1, "[")).find_map(|at| module.string(at))?;
    modules(of).find_map(|module| {
        (0..module.tokens.len()).find_map(|at| {
            let named =
                module.string(at).as_deref() == Some(key.as_str()) && module.kind(at) == Some(Kind::String);
            let value = match () {
                () if named && module.is(at + 1, ":") => at + 2,
                () if named && module.is(at + 1, "]") && module.is(at + 2, "=") => at + 3,
                () if module.is(at, &key) && module.is(at + 1, "=") => at + 2,
                () => return None,
            };
            let end = paths::value_end(module, value);
            let path =
                paths::value(of.project, &[], module, (value, end)).filter(|path| !path.path.is_empty())?;
            let evidence = Evidence::new(&module.source, module.span(at, end - 1), "opens a file of SQLite");
            Some(Found { path: Some(path), evidence })
        })
    })
}

/// `os.path.join(app.instance_path, "shop.sqlite")`.
fn in_instance_folder(of: &Of<'_>) -> Option<Found> {
    modules(of).find_map(|module| {
        (0..module.tokens.len()).find_map(|at| {
            let (name, open) = module.resolved(at)?;
            if !name.ends_with("join") || !module.is(open, "(") {
                return None;
            }
            let close = module.close(open)?;
            let path = paths::value(of.project, &[], module, (at, close + 1))?;
            let evidence = Evidence::new(&module.source, module.span(at, close), "opens a file of SQLite");
            (path.base == Base::Instance && !path.path.is_empty())
                .then_some(Found { path: Some(path), evidence })
        })
    })
}

/// The file as the image has it: below the service's folder, or absolute.
pub(super) fn in_image(of: &Of<'_>, service: &Service, path: &Path) -> Option<String> {
    let inside = match path.base {
        Base::Started => return Some(path.path.clone()),
        Base::Root => return Some(format!("/{}", path.path)),
        Base::Repository => path.path.clone(),
        Base::Instance => {
            let app = of.app?;
            // What is installed as a package has another folder.
            let installed = !is_below(&app.file, &join(&app.root, app.module.split('.').next()?))
                && app.file.starts_with(&join(&app.root, "src/"));
            if installed {
                return None;
            }
            join(&join(&app.root, "instance"), &path.path)
        }
    };
    if let Some(inside) = below(&inside, &service.path) {
        return Some(inside.to_owned());
    }
    Some(format!("/app/{}", below(&inside, &of.project.install)?))
}

/// A folder of its own becomes a volume; a file among the program's is a link into one.
fn keep(of: &Of<'_>, service: &mut Service, path: &str, evidence: &Evidence, gaps: &mut Vec<Gap>) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let in_repository = match path.strip_prefix("/app/") {
        Some(inside) => join(&of.project.install, inside),
        None => join(&service.path, path),
    };
    if of.context.repository.contains(&in_repository) {
        gaps.push(Gap {
            rule: rules::DATABASE_IN_REPOSITORY,
            subject: service.name.clone(),
            message: format!(
                "{name} of the repository stays a developer's: production begins with an empty one"
            ),
            hint: "take it out of the repository; copy it into the volume where its data is wanted"
                .to_owned(),
            evidence: vec![Evidence::file(&in_repository, "a database in the repository")],
        });
    }
    let around = in_repository.rsplit_once('/').map_or("", |(folder, _)| folder);
    let is_alone = !folder.is_empty()
        && folder != "/app"
        && of.context.repository.under(around).all(|file| {
            let name = file.rsplit('/').next().unwrap_or(file);
            file == in_repository || name.starts_with(".git") || name == ".keep"
        });
    let fact = |value: &str| Fact::new(value.to_owned(), evidence.clone());
    if is_alone || (path.starts_with('/') && !path.starts_with("/app/")) {
        if service.writes.iter().all(|known| known.path.value != folder) {
            service.writes.push(Writes { path: fact(folder), keep: true });
        }
    } else {
        service.files.push(fact(path));
    }
}
