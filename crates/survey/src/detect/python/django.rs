//! Django: `manage.py` and its settings; the WSGI or ASGI module, static files, databases, uploads, and what only a
//! developer's machine may have.

use std::rc::Rc;

use super::{
    apps::{self, App, Interface},
    environment::{self, Read, Shape},
    project::Project,
};
use crate::{
    context::join,
    model::{Evidence, Fact, Gap, Service, Setting, Writes, is_below},
    python::{Kind, Module},
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
    /// The settings module that manage.py takes by itself.
    pub(super) manage_settings: Option<String>,
    /// Modules of the settings: the one for production and those that it reads.
    pub(super) modules: Vec<Rc<Module>>,
}

/// Every site of a project: a manage.py that a project with Django has.
pub(super) fn sites(project: &Project) -> Vec<Site> {
    if project.needs(&["django"]).is_none() {
        return Vec::new();
    }
    let managers =
        project.modules.iter().filter(|module| module.source.name().rsplit('/').next() == Some("manage.py"));
    managers.filter_map(|module| site(project, module)).take(10).collect()
}

fn site(project: &Project, manage: &Rc<Module>) -> Option<Site> {
    let folder = manage.source.name().rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let (own, evidence) = settings_of(manage)?;
    let server = ["wsgi.py", "asgi.py"].iter().find_map(|file| {
        let mut modules = project.modules.iter().filter(|module| {
            is_below(module.source.name(), &folder) && is_module(module.source.name(), file)
        });
        modules.find_map(|module| settings_of(module))
    });
    let (mut name, mut place) = server.unwrap_or_else(|| (own.clone(), evidence.clone()));
    // A team that has settings for production does not deploy those of its laptops.
    let last = name.rsplit('.').next().unwrap_or_default();
    if matches!(last, "local" | "dev" | "development" | "test") {
        let base = name.strip_suffix(last).unwrap_or_default().to_owned();
        let better = ["production", "prod"].iter().find_map(|last| {
            let module = find(project, &folder, &format!("{base}{last}"))?;
            Some((
                format!("{base}{last}"),
                Evidence::file(module.source.name(), "the settings for production"),
            ))
        });
        (name, place) = better.unwrap_or((name, place));
    }
    let mut modules = Vec::new();
    gather(project, &folder, &name, &mut modules);
    Some(Site {
        folder,
        evidence: evidence.clone(),
        settings: Fact::new(name, place),
        manage_settings: Some(own),
        modules,
    })
}

/// `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")`.
fn settings_of(module: &Module) -> Option<(String, Evidence)> {
    let at = (0..module.tokens.len())
        .find(|&at| module.string(at).as_deref() == Some("DJANGO_SETTINGS_MODULE"))?;
    let value =
        (at + 1..module.tokens.len().min(at + 8)).find(|&at| module.kind(at) == Some(Kind::String))?;
    let name = module.string(value)?;
    let fits =
        name.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'));
    fits.then(|| (name, Evidence::new(&module.source, module.span(at, value), "names the settings")))
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
    let named = named.or_else(|| {
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
fn is_module(path: &str, file: &str) -> bool {
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

/// What the settings say of static files, uploads, and what must not reach production.
pub(super) fn describe(
    project: &Project,
    site: &Site,
    reads: &[Read],
    service: &mut Service,
    gaps: &mut Vec<Gap>,
) {
    production_switch(site, service);
    static_files(project, site, reads, service, gaps);
    uploads(site, service);
    if let Some(body) = setting(site, "DATA_UPLOAD_MAX_MEMORY_SIZE").and_then(|(module, at)| size(module, at))
    {
        service.body_limit = Some(body);
    }
    let different = site.manage_settings.as_ref() != Some(&site.settings.value);
    if different {
        service.settings.push(Setting {
            name: "DJANGO_SETTINGS_MODULE".to_owned(),
            value: site.settings.value.clone(),
            reason: format!(
                "manage.py takes {} by itself",
                site.manage_settings.as_deref().unwrap_or("other settings")
            ),
            at_build: false,
        });
    }
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

fn static_files(project: &Project, site: &Site, reads: &[Read], service: &mut Service, gaps: &mut Vec<Gap>) {
    let Some((module, at)) = setting(site, "STATIC_ROOT") else { return };
    let evidence = Evidence::new(&module.source, module.span(at - 2, at), "static files are collected here");
    let command = ["python", "manage.py", "collectstatic", "--noinput"].map(str::to_owned).to_vec();
    service.build_commands.push(Fact::new(command, evidence.clone()));
    for read in reads.iter().filter(|read| {
        read.required && site.modules.iter().any(|module| module.source.name() == read.evidence.file)
    }) {
        if service.settings.iter().any(|setting| setting.at_build && setting.name == read.name) {
            continue;
        }
        service.settings.push(Setting {
            name: read.name.clone(),
            value: dummy(read).to_owned(),
            reason: "the settings are read while static files are collected; this value reaches no image"
                .to_owned(),
            at_build: true,
        });
    }
    if service.settings.iter().any(|setting| !setting.at_build && setting.name == "DJANGO_SETTINGS_MODULE")
        || site.manage_settings.as_ref() != Some(&site.settings.value)
    {
        service.settings.push(Setting {
            name: "DJANGO_SETTINGS_MODULE".to_owned(),
            value: site.settings.value.clone(),
            reason: "static files are collected with the settings for production".to_owned(),
            at_build: true,
        });
    }
    let served = project.needs(&["whitenoise", "dj-static", "servestatic"]).is_some()
        || ["STORAGES", "STATICFILES_STORAGE"].iter().any(|name| {
            setting(site, name).is_some_and(|(module, at)| {
                (at..module.line_end(at).min(at + 200)).any(|at| {
                    module.string(at).is_some_and(|text| {
                        ["storages.", "s3", "S3", "cloudinary", "gcloud"]
                            .iter()
                            .any(|part| text.contains(part))
                    })
                })
            })
        });
    if !served {
        gaps.push(Gap {
            subject: service.name.clone(),
            message: "static files are collected and served by nobody".to_owned(),
            hint: "add whitenoise to the packages and to MIDDLEWARE, or let the front serve the folder"
                .to_owned(),
            evidence: vec![evidence],
        });
    }
}

/// A value that a read accepts while the image is built.
fn dummy(read: &Read) -> &'static str {
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
        Shape::Text => "only-while-the-image-is-built",
    }
}

fn is_url_of(name: &str, of: &[&str]) -> bool {
    let words: Vec<&str> = name.split('_').collect();
    matches!(words.last(), Some(&("URL" | "URI" | "DSN"))) && words.iter().any(|word| of.contains(word))
}

fn uploads(site: &Site, service: &mut Service) {
    let Some((module, at)) = setting(site, "MEDIA_ROOT") else { return };
    let end = module.line_end(at).min(at + 30);
    let Some(text) = (at..end).rev().find_map(|at| module.string(at)).filter(|text| !text.is_empty()) else {
        return;
    };
    let evidence = Evidence::new(&module.source, module.span(at - 2, end - 1), "uploads are kept here");
    let path = text.trim_end_matches('/').to_owned();
    let fits = !path.is_empty()
        && !path.contains("..")
        && path.chars().all(|c| c.is_alphanumeric() || "-_./".contains(c));
    // A bucket's folder is none of the container's.
    let variable = (at..end).any(|at| matches!(module.text(at), "getenv" | "environ" | "env" | "config"));
    if fits && !variable {
        service.writes.push(Writes { path: Fact::new(path, evidence), keep: true });
    }
}

/// What makes every request fail in production, or must not be there.
fn faults<'a>(site: &'a Site, service: &Service, gaps: &mut Vec<Gap>) {
    // What is assigned twice depends on something.
    let setting = |site: &'a Site, name: &str| {
        setting(site, name)
            .filter(|(module, _)| module.lines().filter(|&at| module.is(at, name)).count() == 1)
    };
    let mut add = |(module, at): (&Rc<Module>, usize), message: &str, hint: &str| {
        let evidence = Evidence::new(&module.source, module.span(at - 2, at), message);
        gaps.push(Gap {
            subject: service.name.clone(),
            message: message.to_owned(),
            hint: hint.to_owned(),
            evidence: vec![evidence],
        });
    };
    if let Some((module, at)) = setting(site, "DEBUG").filter(|(module, at)| module.is(*at, "True")) {
        add(
            (module, at),
            "DEBUG is on whatever the environment says: errors show the source and the settings",
            "read it from the environment, off by default",
        );
    }
    if let Some((module, at)) = setting(site, "SECRET_KEY")
        .filter(|(module, at)| module.string(*at).is_some_and(|text| !text.is_empty()))
    {
        add((module, at), "the signing key stands in the source", "read SECRET_KEY from the environment");
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
            add((module, at), message, "read ALLOWED_HOSTS from the environment");
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
    reads
        .into_iter()
        .filter(|read| {
            let known = site.modules.iter().any(|module| module.source.name() == read.evidence.file);
            let beside = settings_folder
                .as_ref()
                .is_some_and(|folder| folder.ends_with("settings") && is_below(&read.evidence.file, folder));
            known || (!beside && !environment::is_for_development(&read.evidence.file))
        })
        .collect()
}
