//! Django's static files: collected while the image is built, and served by the site or by WhiteNoise around it.

use super::{
    django::{Site, dummy, is_module, names_settings, setting},
    environment::Read,
    paths::{self, Base},
    project::{Project, below},
    requirement::Requirement,
};
use crate::{
    model::{Evidence, Fact, Gap, Service, Setting, Ships, is_below},
    python::Module,
    rules,
};

pub(super) fn add(
    project: &Project,
    site: &Site,
    reads: &[Read],
    service: &mut Service,
    gaps: &mut Vec<Gap>,
) {
    let Some((module, at)) = setting(site, "STATIC_ROOT") else {
        gaps.extend(collected_nowhere(site, service).filter(|_| !is_served(project, site)));
        return;
    };
    let evidence = Evidence::new(&module.source, module.span(at - 2, at), "static files are collected here");
    let command = ["python", "manage.py", "collectstatic", "--noinput"].map(str::to_owned).to_vec();
    service.build_commands.push(Fact::new(command, evidence.clone()));
    outside(project, site, (module, at), service, gaps);
    // django-compressor fails for what was not compressed before the program runs.
    if let Some((module, at)) =
        setting(site, "COMPRESS_OFFLINE").filter(|(module, at)| module.is(*at, "True"))
    {
        let command = ["python", "manage.py", "compress"].map(str::to_owned).to_vec();
        let evidence = Evidence::new(
            &module.source,
            module.span(at - 2, at),
            "styles and scripts are compressed before",
        );
        service.build_commands.push(Fact::new(command, evidence));
    }
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
    if is_served(project, site) {
        return;
    }
    let white_noise = white_noise(project);
    let by_us = takes_settings_of_environment(project, site);
    let (message, hint) = if by_us {
        service.static_settings = Some(site.settings.clone());
        service.adds.push(Fact::new(white_noise.to_owned(), evidence.clone()));
        (
            format!(
                "static files are collected and served by nobody: {white_noise} is added to the image and serves them"
            ),
            "add whitenoise to the packages and to MIDDLEWARE to choose its version and its settings",
        )
    } else {
        (
            "static files are collected and served by nobody".to_owned(),
            "add whitenoise to the packages and to MIDDLEWARE, or let the front serve the folder",
        )
    };
    gaps.push(Gap {
        rule: rules::FILES_NOT_SERVED,
        subject: service.name.clone(),
        message,
        hint: hint.to_owned(),
        evidence: vec![evidence],
    });
}

/// Files that are collected outside of the program's folder are copied into the image from there.
fn outside(
    project: &Project,
    site: &Site,
    (module, at): (&Module, usize),
    service: &mut Service,
    gaps: &mut Vec<Gap>,
) {
    let mut end = paths::value_end(module, at);
    let mut path = paths::value(project, &site.modules, module, (at, end));
    // `env("STATIC_ROOT", default="/srv/static")`
    if path.is_none()
        && let Some(open) = (at..end).find(|&at| module.is(at, "("))
    {
        let arguments = module.arguments(open);
        let default = arguments.iter().find(|it| it.name == Some("default")).or_else(|| arguments.get(1));
        if let Some(default) = default {
            end = default.end;
            path = paths::value(project, &site.modules, module, (default.at, default.end));
        }
    }
    let evidence =
        Evidence::new(&module.source, module.span(at - 2, end.saturating_sub(1)), "collected there");
    let Some(path) = path else { return };
    let absolute = match path.base {
        Base::Root => format!("/{}", path.path),
        // Beside the folder that is /app in the image.
        Base::Repository if below(&path.path, &project.install).is_none() && path.path != project.install => {
            let around = project.install.rsplit_once('/').map_or("", |(around, _)| around);
            match below(&path.path, around) {
                Some(inside) => format!("/{inside}"),
                None => return,
            }
        }
        _ => return,
    };
    let ours = ["/app", "/usr", "/etc", "/bin", "/lib", "/proc", "/sys", "/dev", "/tmp", "/run"];
    let top = absolute.split('/').nth(1).map_or(String::new(), |top| format!("/{top}"));
    if top == "/app" {
        return;
    }
    if ours.contains(&top.as_str()) {
        gaps.push(Gap { rule: rules::FILES_NOT_SERVED,
            subject: service.name.clone(),
            message: format!("static files are collected in {absolute}, which is no folder of the program's: they are not in the image"),
            hint: "set STATIC_ROOT = BASE_DIR / \"staticfiles\"".to_owned(),
            evidence: vec![evidence],
        });
        return;
    }
    service.ships.push(Ships { from: absolute.clone(), to: absolute });
}

/// Whether something of the site hands its static files out: a package, or storage elsewhere.
fn is_served(project: &Project, site: &Site) -> bool {
    project.needs(&["whitenoise", "dj-static", "servestatic"]).is_some()
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
        })
}

/// WhiteNoise as the pinned Django takes it: the newest one needs functions that came with Django 4.2.
fn white_noise(project: &Project) -> &'static str {
    let pinned = project.needs(&["django"]).and_then(Requirement::pinned);
    let mut numbers =
        pinned.iter().flat_map(|version| version.split('.')).map_while(|number| number.parse::<u32>().ok());
    match numbers.next() {
        Some(major) if (major, numbers.next().unwrap_or(0)) < (4, 2) => "whitenoise==6.2.0",
        _ => "whitenoise==6.12.0",
    }
}

/// Whether the server's module keeps settings that its environment names.
fn takes_settings_of_environment(project: &Project, site: &Site) -> bool {
    let modules = project.modules.iter().filter(|module| {
        is_below(module.source.name(), &site.folder)
            && ["wsgi.py", "asgi.py"].iter().any(|file| is_module(module.source.name(), file))
    });
    let mut servers = modules.peekable();
    servers.peek().is_some()
        && servers.all(|module| {
            (0..module.tokens.len())
                .filter(|&at| names_settings(module, at))
                .all(|at| at > 1 && module.is(at - 1, "(") && module.is(at - 2, "setdefault"))
        })
}

/// Pages of a site that has static files and no folder for them come without styles.
fn collected_nowhere(site: &Site, service: &Service) -> Option<Gap> {
    let (module, at) = setting(site, "STATIC_URL")?;
    Some(Gap {
        rule: rules::FILES_NOT_SERVED,
        subject: service.name.clone(),
        message: "nobody serves its static files in production: STATIC_ROOT is not set".to_owned(),
        hint: "set STATIC_ROOT = BASE_DIR / \"staticfiles\"".to_owned(),
        evidence: vec![Evidence::new(&module.source, module.span(at - 2, at), "static files are found here")],
    })
}
