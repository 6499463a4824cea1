//! Django: `manage.py` and its settings; the WSGI or ASGI module, static files, databases, uploads, and what only a
//! developer's machine may have.

use std::rc::Rc;

use super::{
    allowed,
    apps::{self, App, Interface},
    environment::{self, Read, Shape},
    media,
    project::{Project, below},
    sqlite, static_files,
};
use crate::{
    context::{Context, join},
    model::{Evidence, Fact, Gap, Service, Setting, is_below},
    python::{Kind, Module},
    rules,
};

/// A site of Django.
#[derive(Debug)]
pub(super) struct Site {
    /// Folder of manage.py.
    pub(super) folder: String,
    /// Evidence of manage.py.
    pub(super) evidence: Evidence,
    /// The settings module for production.
    pub(super) settings: Fact<String>,
    /// Other modules that the program chooses where its environment says so.
    pub(super) alternatives: Vec<(String, Evidence)>,
    /// The settings module that manage.py takes by itself, whatever its environment is.
    pub(super) manage_settings: Option<String>,
    /// Modules of the settings: the one for production and those that it reads.
    pub(super) modules: Vec<Rc<Module>>,
}

/// Every site of a project: a manage.py that a project with Django has.
pub(super) fn sites(project: &Project) -> Vec<Site> {
    if project.needs(&["django"]).is_none() {
        return Vec::new();
    }
    managers(project).filter_map(|module| site(project, module)).take(10).collect()
}

fn managers(project: &Project) -> impl Iterator<Item = &Rc<Module>> {
    project.modules.iter().filter(|module| module.source.name().rsplit('/').next() == Some("manage.py"))
}

/// What is said of a manage.py whose settings cannot be found.
pub(super) fn without_settings(project: &Project, subject: &str) -> Option<Gap> {
    project.needs(&["django"])?;
    let manage = managers(project).next()?;
    let at = (0..manage.tokens.len()).find(|&at| names_settings(manage, at)).unwrap_or(0);
    Some(Gap {
        rule: rules::SERVER_NOT_FOUND,
        subject: subject.to_owned(),
        message: "a site of Django whose module of settings was not found: it is not in the stack".to_owned(),
        hint: "name it in manage.py: os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"site.settings\")"
            .to_owned(),
        evidence: vec![Evidence::new(&manage.source, manage.span(at, at), "the settings are named here")],
    })
}

/// A module of settings, with where it is named.
type Named = (String, Evidence);

fn site(project: &Project, manage: &Rc<Module>) -> Option<Site> {
    let folder = manage.source.name().rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let own = settings_of(project, &folder, manage);
    let server = ["wsgi.py", "asgi.py"].iter().find_map(|file| {
        let mut modules = project.modules.iter().filter(|module| {
            is_below(module.source.name(), &folder) && is_module(module.source.name(), file)
        });
        modules.find_map(|module| {
            Some(settings_of(project, &folder, module)).filter(|settings| !settings.is_empty())
        })
    });
    let mut choices = server.unwrap_or_else(|| own.clone());
    if choices.is_empty() {
        choices = by_file(project, &folder);
    }
    let manage_settings = (own.len() == 1).then(|| own.first().map(|(name, _)| name.clone())).flatten();
    let (name, place) = for_production(project, &folder, &choices)?;
    let mut modules = Vec::new();
    gather(project, &folder, &name, &mut modules);
    let evidence = own
        .first()
        .map_or_else(|| Evidence::file(manage.source.name(), "runs Django"), |(_, own)| own.clone());
    // One that something names is no choice, whatever stands better in its place.
    let several = choices.len() > 1;
    choices.retain(|(other, _)| several && *other != name);
    Some(Site {
        folder,
        evidence,
        settings: Fact::new(name, place),
        alternatives: choices,
        manage_settings,
        modules,
    })
}

/// What a name says of where settings are for.
fn is_for_production(name: &str) -> bool {
    name.split('.').any(|part| matches!(part, "production" | "prod"))
}

/// A team that has settings for production does not deploy those of its laptops.
fn for_production(project: &Project, folder: &str, choices: &[Named]) -> Option<Named> {
    let laptop = |name: &str| {
        matches!(
            name.rsplit('.').next().unwrap_or_default(),
            "local" | "dev" | "develop" | "development" | "test" | "testing" | "ci"
        )
    };
    let first = choices
        .iter()
        .find(|(name, _)| is_for_production(name))
        .or_else(|| choices.iter().find(|(name, _)| !laptop(name)))
        .or(choices.first())?;
    let (name, _) = first;
    // A package that takes a developer's settings where these are there, as they are in an image.
    let module = find(project, folder, name);
    let takes_laptops = module.is_some_and(|module| {
        module.source.name().ends_with("/__init__.py")
            && module.imports.values().any(|import| import.level == 1 && laptop(&import.module))
    });
    let base = match name.rsplit_once('.') {
        Some((base, _)) if laptop(name) => base,
        _ if takes_laptops => name,
        _ => return Some(first.clone()),
    };
    let better = ["production", "prod"].iter().find_map(|last| {
        let module = find(project, folder, &format!("{base}.{last}"))?;
        Some((format!("{base}.{last}"), Evidence::file(module.source.name(), "the settings for production")))
    });
    better.or_else(|| Some(first.clone()))
}

pub(super) fn names_settings(module: &Module, at: usize) -> bool {
    module.string(at).as_deref() == Some("DJANGO_SETTINGS_MODULE")
}

/// `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")`: one module, or several between which something
/// decides when it runs.
fn settings_of(project: &Project, folder: &str, module: &Module) -> Vec<Named> {
    let Some(at) = (0..module.tokens.len()).find(|&at| names_settings(module, at)) else { return Vec::new() };
    // A literal is believed; of an expression the modules that are there.
    if let Some(value) =
        (at + 1..at + 4).find(|&next| module.kind(next) == Some(Kind::String)).filter(|&value| {
            let behind = module.text(value + 1);
            matches!(behind, ")" | "," | "") || module.tokens.get(value + 1).is_some_and(|token| token.first)
        })
        && let Some(named) = named_at(module, value)
    {
        return vec![named];
    }
    let end = module.line_end(at).min(at + 60);
    let names: Vec<&str> = (at + 1..end).filter(|&at| module.is_word(at)).map(|at| module.text(at)).collect();
    let values = module
        .lines()
        .filter(|&line| names.contains(&module.text(line)))
        .filter_map(|line| module.assigned(line))
        .map(|value| (value, module.line_end(value)));
    let mut found: Vec<Named> = Vec::new();
    for (from, to) in std::iter::once((at + 1, end)).chain(values).take(20) {
        for at in from..to.min(from + 200) {
            let known = named_at(module, at).filter(|(name, _)| find(project, folder, name).is_some());
            let all = known.into_iter().chain(below_format(project, folder, module, at));
            for named in all {
                if found.len() < 20 && found.iter().all(|(name, _)| *name != named.0) {
                    found.push(named);
                }
            }
        }
    }
    found
}

fn named_at(module: &Module, at: usize) -> Option<Named> {
    let name = module.string(at)?;
    let fits =
        name.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'));
    fits.then(|| (name, Evidence::new(&module.source, module.span(at, at), "names the settings")))
}

/// `f"shop.settings.{stage}"`: every module of that package.
fn below_format(project: &Project, folder: &str, module: &Module, at: usize) -> Vec<Named> {
    let Some((package, rest)) = module.format(at).and_then(|text| text.split_once(".{")) else {
        return Vec::new();
    };
    let path = join(folder, &package.replace('.', "/"));
    let whole = rest.split_once('}').is_some_and(|(_, behind)| behind.is_empty());
    let evidence = Evidence::new(&module.source, module.span(at, at), "names the settings");
    let inside = project.modules.iter().filter(|_| whole).filter_map(|other| {
        let stem = below(other.source.name(), &path)?.strip_suffix(".py")?;
        let fits = !stem.contains('/') && !matches!(stem, "__init__" | "base" | "common" | "defaults");
        fits.then(|| (format!("{package}.{stem}"), evidence.clone()))
    });
    inside.take(20).collect()
}

/// Settings by their file, where nothing names them.
fn by_file(project: &Project, folder: &str) -> Vec<Named> {
    let inside = project.modules.iter().filter(|module| is_below(module.source.name(), folder));
    let found = inside.filter_map(|module| {
        let file = module.source.name();
        let fits = file.ends_with("/settings.py") || file.ends_with("/settings/__init__.py");
        let named = fits && (0..module.tokens.len()).any(|at| module.is(at, "INSTALLED_APPS"));
        Some((named.then(|| apps::dotted(file, folder))??, Evidence::file(file, "settings of Django")))
    });
    found.take(20).collect()
}

fn find<'a>(project: &'a Project, folder: &str, dotted: &str) -> Option<&'a Rc<Module>> {
    let path = join(folder, &dotted.replace('.', "/"));
    project.module(&format!("{path}.py")).or_else(|| project.module(&format!("{path}/__init__.py")))
}

/// The settings and what they import with `*` or by name from beside them.
fn gather(project: &Project, folder: &str, dotted: &str, modules: &mut Vec<Rc<Module>>) {
    let Some(module) = find(project, folder, dotted).filter(|_| modules.len() < 20).cloned() else { return };
    if modules.iter().any(|known| known.source.name() == module.source.name()) {
        return;
    }
    modules.push(Rc::clone(&module));
    let mut imported: Vec<(usize, String)> =
        module.imports.values().map(|import| (import.level, import.module.clone())).collect();
    imported.sort();
    imported.dedup();
    for (level, path) in imported {
        let target = project.find(&module, &format!("{}{path}", ".".repeat(level)));
        let Some(target) = target.filter(|_| level > 0 || path.contains("settings")) else { continue };
        // Those of laptops are there for laptops, whatever imports them where they are found.
        if environment::is_for_development(target.source.name()) {
            continue;
        }
        if let Some(name) = apps::dotted(target.source.name(), folder) {
            gather(project, folder, &name, modules);
        }
    }
}

/// The object that a server serves.
pub(super) fn app(project: &Project, site: &Site) -> Option<App> {
    let asgi = project.needs(&["channels", "daphne"]).is_some();
    let named = setting(site, "WSGI_APPLICATION").filter(|_| !asgi).and_then(|(module, at)| {
        let (module_name, object) =
            module.string(at)?.rsplit_once('.').map(|(path, object)| (path.to_owned(), object.to_owned()))?;
        find(project, &site.folder, &module_name)?;
        Some((
            module_name,
            object,
            Interface::Wsgi,
            Evidence::new(&module.source, module.span(at, at), "the application"),
        ))
    });
    let routed = setting(site, "ASGI_APPLICATION").filter(|_| asgi).and_then(|(module, at)| {
        let text = module.string(at)?;
        let (path, object) = text.rsplit_once('.')?;
        find(project, &site.folder, path)?;
        let evidence = Evidence::new(&module.source, module.span(at, at), "the application");
        Some((path.to_owned(), object.to_owned(), Interface::Asgi, evidence))
    });
    let named = named.or(routed).or_else(|| {
        let order: [(&str, Interface); 2] = if asgi {
            [("asgi.py", Interface::Asgi), ("wsgi.py", Interface::Wsgi)]
        } else {
            [("wsgi.py", Interface::Wsgi), ("asgi.py", Interface::Asgi)]
        };
        order.iter().find_map(|(file, interface)| {
            let module = project.modules.iter().find(|module| {
                is_below(module.source.name(), &site.folder) && is_module(module.source.name(), file)
            })?;
            let name = apps::dotted(module.source.name(), &site.folder)?;
            Some((
                name,
                "application".to_owned(),
                *interface,
                Evidence::file(module.source.name(), "the application"),
            ))
        })
    });
    let (module, object, interface, evidence) = named?;
    let file = find(project, &site.folder, &module).map(|module| module.source.name().to_owned())?;
    Some(App {
        file,
        root: site.folder.clone(),
        module,
        object,
        factory: false,
        interface,
        package: "django",
        evidence,
    })
}

/// `wsgi.py`, or the package `wsgi`.
pub(super) fn is_module(path: &str, file: &str) -> bool {
    let stem = file.strip_suffix(".py").unwrap_or(file);
    path.rsplit('/').next() == Some(file) || path.ends_with(&format!("/{stem}/__init__.py"))
}

/// The value of a setting: its module and first token. The settings for production count before those that they read.
pub(super) fn setting<'a>(site: &'a Site, name: &str) -> Option<(&'a Rc<Module>, usize)> {
    site.modules.iter().find_map(|module| {
        let found =
            module.lines().filter(|&at| module.is(at, name)).filter_map(|at| module.assigned(at)).last()?;
        Some((module, found))
    })
}

/// What fills in settings that do not stand in a module.
const FILLS: [&str; 8] =
    ["django_heroku", "heroku", "dynaconf", "exec", "execfile", "globals", "locals", "setattr"];

/// Whether no module names a database, or those that do name none: `DATABASES = {}`. Where something else could, it is
/// said to have one.
pub(super) fn without_database(project: &Project, site: &Site) -> bool {
    let elsewhere = |module: &Rc<Module>| {
        (0..module.tokens.len()).any(|at| {
            let fills = module.is_word(at) && FILLS.contains(&module.text(at));
            fills || imports_all_of_another(project, module, at)
        })
    };
    let names = |module: &Rc<Module>| {
        (0..module.tokens.len()).any(|at| module.is(at, "DATABASES") && !is_empty_database(module, at))
    };
    !site.modules.is_empty() && !site.modules.iter().any(elsewhere) && !project.modules.iter().any(names)
}

/// `from local_settings import *` of a module that is not there.
fn imports_all_of_another(project: &Project, module: &Module, at: usize) -> bool {
    if !(module.is(at, "*") && at > 1 && module.is(at - 1, "import")) {
        return false;
    }
    let from = (at.saturating_sub(30)..at).rev().find(|&before| module.is(before, "from"));
    let path: String =
        from.map_or(String::new(), |from| (from + 1..at - 1).map(|at| module.text(at)).collect());
    project.find(module, &path).is_none()
}

/// `DATABASES = {}` and `DATABASES = {"default": {}}`.
fn is_empty_database(module: &Module, at: usize) -> bool {
    let Some(open) = module.assigned(at).filter(|&open| module.is(open, "{")) else { return false };
    let inner = module.string(open + 1).is_some() && module.is(open + 2, ":");
    let inner = inner.then_some(open + 3).filter(|&inner| module.is(inner, "{") && module.is(inner + 1, "}"));
    module.is(open + 1, "}")
        || inner.is_some_and(|inner| {
            module.is(inner + 2, "}") || (module.is(inner + 2, ",") && module.is(inner + 3, "}"))
        })
}

/// What the settings say of static files, uploads, and what must not reach production.
pub(super) fn describe(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    reads: &[Read],
    service: &mut Service,
    gaps: &mut Vec<Gap>,
) {
    production_switch(site, service);
    static_files::add(project, site, reads, service, gaps);
    media::add(&sqlite::Of { context, project, site: Some(site), app: None }, site, reads, service, gaps);
    if let Some(body) = setting(site, "DATA_UPLOAD_MAX_MEMORY_SIZE").and_then(|(module, at)| size(module, at))
    {
        service.body_limit = Some(body);
    }
    let different = site.manage_settings.as_ref() != Some(&site.settings.value);
    if different {
        service.settings.push(Setting {
            name: "DJANGO_SETTINGS_MODULE".to_owned(),
            value: site.settings.value.clone(),
            reason: match &site.manage_settings {
                Some(own) => format!("manage.py takes {own} by itself"),
                None => "which settings manage.py takes depends on its environment".to_owned(),
            },
            at_build: false,
        });
    }
    service.allowed_host = allowed::asked_name(site);
    faults(site, service, gaps);
}

/// `DEBUG = "RENDER" not in os.environ`: production is where the variable is set, when the program is built and when it
/// runs.
fn production_switch(site: &Site, service: &mut Service) {
    let Some((module, at)) = setting(site, "DEBUG") else { return };
    let absent = module.is(at + 1, "not")
        && module.is(at + 2, "in")
        && module.is(at + 3, "os")
        && module.is(at + 5, "environ");
    let Some(name) = module.string(at).filter(|_| absent) else { return };
    for at_build in [true, false] {
        service.settings.push(Setting {
            name: name.clone(),
            value: "1".to_owned(),
            reason: "DEBUG is off only where this variable is set".to_owned(),
            at_build,
        });
    }
}

/// A number of bytes: `5 * 1024 * 1024` or `5242880`.
pub(super) fn size(module: &Module, at: usize) -> Option<Fact<u64>> {
    let mut value: u64 = module.text(at).replace('_', "").parse().ok()?;
    let mut next = at + 1;
    while matches!(module.text(next), "*" | "**") {
        let other: u64 = module.text(next + 1).replace('_', "").parse().ok()?;
        value = if module.is(next, "*") {
            value.checked_mul(other)?
        } else {
            value.checked_pow(u32::try_from(other).ok()?)?
        };
        next += 2;
    }
    Some(Fact::new(
        value,
        Evidence::new(&module.source, module.span(at, next - 1), "the largest body that it takes"),
    ))
}

/// A value that a read accepts while the image is built.
pub(super) fn dummy(read: &Read) -> &'static str {
    match read.shape {
        Shape::Number => "1",
        Shape::Flag => "False",
        Shape::Json => "{}",
        Shape::DatabaseUrl => "sqlite:////tmp/build.sqlite3",
        Shape::OtherUrl => "locmemcache://",
        Shape::Text if is_url_of(&read.name, &["DATABASE", "DB", "SQLALCHEMY"]) => {
            "sqlite:////tmp/build.sqlite3"
        }
        Shape::Text if is_url_of(&read.name, &["REDIS", "BROKER", "CACHE", "CELERY"]) => {
            "redis://build.invalid:6379/0"
        }
        Shape::Text if read.name.ends_with("_URL") => "http://build.invalid",
        Shape::Truth => "",
        Shape::Text => "only-while-the-image-is-built",
    }
}

fn is_url_of(name: &str, of: &[&str]) -> bool {
    let words: Vec<&str> = name.split('_').collect();
    matches!(words.last(), Some(&("URL" | "URI" | "DSN"))) && words.iter().any(|word| of.contains(word))
}

/// What makes every request fail in production, or must not be there.
fn faults<'a>(site: &'a Site, service: &Service, gaps: &mut Vec<Gap>) {
    // What is assigned twice depends on something.
    let setting = |site: &'a Site, name: &str| {
        setting(site, name)
            .filter(|(module, _)| module.lines().filter(|&at| module.is(at, name)).count() == 1)
    };
    let mut add = |rule, (module, at): (&Rc<Module>, usize), message: &str, hint: &str| {
        let evidence = Evidence::new(&module.source, module.span(at - 2, at), message);
        gaps.push(Gap {
            rule,
            subject: service.name.clone(),
            message: message.to_owned(),
            hint: hint.to_owned(),
            evidence: vec![evidence],
        });
    };
    if let Some((module, at)) = setting(site, "DEBUG").filter(|(module, at)| module.is(*at, "True")) {
        add(
            rules::DEBUG_ON,
            (module, at),
            "DEBUG is on whatever the environment says: errors show the source and the settings",
            "read it from the environment, off by default",
        );
    }
    if let Some((module, at)) = setting(site, "SECRET_KEY")
        .filter(|(module, at)| module.string(*at).is_some_and(|text| !text.is_empty()))
    {
        add(
            rules::SECRET_IN_SOURCE,
            (module, at),
            "the signing key stands in the source",
            "read SECRET_KEY from the environment",
        );
    }
    if let Some((module, at)) = setting(site, "ALLOWED_HOSTS").filter(|(module, at)| module.is(*at, "[")) {
        let close = module.close(at).unwrap_or(at);
        let hosts: Vec<String> = (at..close).filter_map(|at| module.string(at)).collect();
        let computed = (at + 1..close).any(|at| module.is_word(at));
        if !computed && !hosts.iter().any(|host| host == "*") {
            let message = if hosts.is_empty() {
                "no host is allowed: every request is answered with 400"
            } else {
                "the allowed hosts stand in the source: requests with another name are answered with 400"
            };
            add(rules::ALLOWED_HOSTS, (module, at), message, "read ALLOWED_HOSTS from the environment");
        }
    }
}

/// Reads of the settings that count: those for production and what they import, and everything outside of settings.
pub(super) fn reads(site: &Site, reads: Vec<Read>) -> Vec<Read> {
    let settings_folder = site
        .modules
        .first()
        .and_then(|module| module.source.name().rsplit_once('/'))
        .map(|(folder, _)| folder.to_owned());
    let gathers = site.modules.iter().any(|module| {
        module.imports.values().any(|import| {
            import.module.starts_with("split_settings") || import.name.as_deref() == Some("import_module")
        })
    });
    reads
        .into_iter()
        .filter(|read| {
            let known = site.modules.iter().any(|module| module.source.name() == read.evidence.file);
            let beside = settings_folder
                .as_ref()
                .is_some_and(|folder| folder.ends_with("settings") && is_below(&read.evidence.file, folder));
            // Parts that the settings gather by a pattern are no alternatives of theirs.
            let part = gathers && !is_alternative(&read.evidence.file);
            known || ((!beside || part) && !environment::is_for_development(&read.evidence.file))
        })
        .collect()
}

/// Settings of one of several places where a site runs.
fn is_alternative(file: &str) -> bool {
    let stem = file.rsplit('/').next().and_then(|name| name.strip_suffix(".py")).unwrap_or_default();
    matches!(stem, "production" | "prod" | "staging" | "stage" | "qa" | "heroku" | "docker" | "ci")
}
