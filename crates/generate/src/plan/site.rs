//! Pages that nginx serves: built by Node.js, or as they are.

use std::collections::BTreeMap;

use plimsoll_survey::{CALLS_AS_ITS_OWN, Ecosystem, Gap, Role, RuntimeConfig, Service};

use super::{Made, Passes, below, checked, environment, images, install, names, relative, server};
use crate::{
    rules,
    stack::{
        BaseImage, Build, BuildKind, Nginx, PlainBuild, ProbeText, Setting, SiteBuild, SiteConfig,
        SiteSetting, Unit,
    },
};

/// nginx listens here: a port below 1024 would need a privilege on some engines.
pub(super) const PORT: u16 = 8080;

/// Where nginx says that it works.
pub(super) const HEALTH: &str = "/health";

/// The same where the application behind it has that path.
pub(super) const OTHER_HEALTH: &str = "/front-health";

/// The check of nginx at a path.
pub(super) fn probe(path: &str) -> ProbeText {
    let url = format!("http://127.0.0.1:{PORT}{path}");
    let command = ["wget", "-q", "-T", "5", "-O", "/dev/null", &url];
    ProbeText { command: command.map(str::to_owned).to_vec(), comment: String::new(), path: path.to_owned() }
}

pub(super) fn plan<'a>(passes: &mut Passes<'a>, service: &'a Service) -> Option<Made> {
    let name = names::slug(&service.name);
    let config = service
        .runtime_config
        .as_ref()
        .and_then(|config| site_config(&service.name, config, &mut passes.problems));
    if let Some(inline) = service.page_sources.iter().find(|source| source.value.contains("inline")) {
        passes.note(
            rules::INLINE_CODE,
            &service.name,
            format!("its pages have an {}: the Content-Security-Policy has to allow all such", inline.value),
            "move it into a file; then the policy allows none".to_owned(),
            &inline.evidence,
        );
    }
    for source in &service.page_sources {
        let Some(("connect-src", origin)) =
            source.value.split_once(' ').filter(|(_, to)| to.starts_with("http:"))
        else {
            continue;
        };
        passes.note(
            rules::PAGES_CALL_ELSEWHERE,
            &service.name,
            format!("its pages call {origin}: in production that is the visitor's own machine"),
            "call a path of the same origin (/api/…), or take the address from a variable of the build"
                .to_owned(),
            &source.evidence,
        );
    }
    let serves = passes.survey.services.iter().any(|service| service.role == Role::Server);
    for source in service.page_sources.iter().filter(|_| serves) {
        let own = source.evidence.iter().any(|place| place.reason == CALLS_AS_ITS_OWN);
        let origin = source.value.strip_prefix("connect-src https://").filter(|_| own);
        let Some(host) = origin else { continue };
        passes.note(rules::PAGES_CALL_ELSEWHERE,
            &service.name,
            format!("its pages call https://{host} as their own server: they do not reach the server of this stack"),
            "call a path of the same origin (`io()`, `/api`), or take the address from a variable of the build; nothing, if \
             that server is another one"
                .to_owned(),
            &source.evidence,
        );
    }
    if let Some(images) = service.page_sources.iter().find(|source| source.value == "img-src https:") {
        passes.note(rules::PICTURES_FROM_ANYWHERE,
            &service.name,
            "the addresses of its pictures are data: the Content-Security-Policy lets pictures come from every host"
                .to_owned(),
            "name the hosts in img-src of nginx.conf instead of https:, if they are known".to_owned(),
            &images.evidence,
        );
    }
    let nginx = nginx(service, config.clone());
    let nginx_image = BaseImage { argument: "NGINX_IMAGE", name: images::NGINX.to_owned() };
    let (kind, images) = if service.ecosystem == Ecosystem::Plain {
        let output = service.output.as_ref().map_or(".", |output| output.value.as_str());
        let pages = if output == "." || output.is_empty() {
            service.path.clone()
        } else {
            below(&service.path, output)
        };
        let pages = if pages.is_empty() { ".".to_owned() } else { pages };
        let pages = checked::path(&service.name, &pages, &mut passes.problems)?;
        (BuildKind::Plain(PlainBuild { pages, nginx }), vec![nginx_image])
    } else {
        let place = server::place(passes, service)?;
        let sources = install::sources(&place, &mut passes.problems)?;
        let libraries = install::libraries(&place, &mut passes.problems)?;
        let install = install::install(&place, &libraries, &mut passes.problems)?;
        let output = service.output.as_ref().map_or("dist", |output| output.value.as_str());
        let output = match outside(&service.path, output) {
            Some(full) => relative(&full, &place.install.folder).to_owned(),
            None => format!("{}{output}", sources.prefix),
        };
        let kind = BuildKind::Site(SiteBuild {
            checks: server::checks(passes, &place),
            checks_need_build: service.checks_need_build,
            build_settings: server::build_settings(&place),
            inlined: server::inlined(passes, service),
            build: server::build_commands(&place, &sources.prefix),
            cache: server::build_cache(service, &sources.prefix),
            output: checked::path(&service.name, &output, &mut passes.problems)?,
            install,
            libraries,
            config: config.clone(),
            nginx,
            sources,
        });
        let node = BaseImage { argument: "NODE_IMAGE", name: images::node(server::node_major(&place)) };
        (kind, vec![node, nginx_image])
    };
    let (dockerfile, own_ignore) = passes.dockerfile(&service.path);
    let build = Build {
        name: name.clone(),
        path: service.path.clone(),
        dockerfile,
        own_ignore,
        framework: if service.ecosystem == Ecosystem::Plain {
            "pages".to_owned()
        } else {
            server::framework(service)
        },
        uid: passes.policy.nginx_uid,
        port: Some(PORT),
        images,
        kind,
    };
    let mut unit = front(passes, &name);
    unit.dockerfile = Some(build.dockerfile.clone());
    unit.build_arguments = server::arguments(&build, service);
    unit.environment = config.iter().flat_map(|config| &config.settings).map(setting).collect();
    Some(Made { build: Some(build), units: vec![unit], one_shots: Vec::new() })
}

/// A folder of the repository outside of the service's own: `../api/pages` below `web`.
fn outside(path: &str, output: &str) -> Option<String> {
    output.strip_prefix("../")?;
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    for part in output.split('/') {
        match part {
            ".." => drop(parts.pop()?),
            "" | "." => {}
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn setting(setting: &SiteSetting) -> Setting {
    let value = crate::escape::compose_default(&setting.variable, &setting.default);
    Setting::new(&setting.variable, value.unwrap_or_default())
}

/// nginx as a service of the compose file.
pub(super) fn front(passes: &Passes<'_>, name: &str) -> Unit {
    let uid = passes.policy.nginx_uid;
    Unit {
        name: name.to_owned(),
        kind: "front",
        image: format!("{}-{name}:${{RELEASE:-local}}", passes.project),
        dockerfile: None,
        build_arguments: Vec::new(),
        uid,
        depends_on: Vec::new(),
        networks: vec!["public"],
        published: None,
        environment: Vec::new(),
        secrets: Vec::new(),
        tmpfs: vec![format!("/tmp:uid={uid},gid={uid},mode=0700,size=16m")],
        volumes: Vec::new(),
        command: None,
        init: None,
        metrics: None,
        probe: Some(probe(HEALTH)),
        grace: 15,
        single: false,
        limits: passes.policy.site.clone(),
        store: None,
        of: String::new(),
        language: "",
        heap_megabytes: 0,
        node_options: String::new(),
        own_image: None,
    }
}

fn nginx(service: &Service, config: Option<SiteConfig>) -> Nginx {
    let assets = service.hashed_assets.as_ref().map(|assets| assets.value.clone());
    Nginx {
        folder: below(&service.path, "nginx"),
        port: PORT,
        tls: None,
        pages: true,
        single_page: service.single_page,
        hashed_names: assets.as_deref() == Some("/"),
        assets: assets.filter(|assets| checked::is_url_path(assets) && assets.len() > 1),
        config,
        upstreams: Vec::new(),
        websockets: false,
        health: HEALTH,
        body_limit: "1m".to_owned(),
        policy: Some(policy(service)),
        title: String::new(),
    }
}

/// Directives that exist in the policy only where something is loaded by them.
const ON_DEMAND: &[&str] = &["frame-src", "media-src", "manifest-src"];
/// A host whose style sheets load fonts, and the other host that they load them from.
const FONTS: (&str, &str) = ("https://fonts.googleapis.com", "https://fonts.gstatic.com");

/// Only what the pages are seen to load, and images inside of style sheets.
fn policy(service: &Service) -> String {
    let mut hosts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut scripts = String::new();
    let mut styles = String::new();
    for source in &service.page_sources {
        let value = source.value.trim_matches('\'');
        if let Some((directive, origin)) = value.split_once(' ').filter(|(_, origin)| is_origin(origin)) {
            add(&mut hosts, directive, origin);
            if directive == "style-src" {
                add(&mut hosts, "font-src", if origin == FONTS.0 { FONTS.1 } else { origin });
            }
        } else if value.starts_with("sha256-")
            && value.chars().all(|c| c.is_ascii_alphanumeric() || "-+/=".contains(c))
        {
            scripts = format!("{scripts} '{value}'");
        } else if value == "inline style" {
            " 'unsafe-inline'".clone_into(&mut styles);
        } else if value == "inline script" && !scripts.contains("unsafe") {
            scripts = format!(" 'unsafe-inline'{scripts}");
        }
    }
    let of = |directive: &str| {
        hosts.get(directive).map_or_else(String::new, |hosts| format!(" {}", hosts.join(" ")))
    };
    let mut directives = vec!["default-src 'self'".to_owned()];
    for (directive, own) in [("script-src", scripts), ("style-src", styles)] {
        let allowed = format!("{own}{}", of(directive));
        if !allowed.is_empty() {
            directives.push(format!("{directive} 'self'{allowed}"));
        }
    }
    directives.push(format!("img-src 'self' data:{}", of("img-src")));
    directives.push(format!("font-src 'self' data:{}", of("font-src")));
    directives.push(format!("connect-src 'self'{}", of("connect-src")));
    for directive in ON_DEMAND.iter().filter(|directive| hosts.contains_key(**directive)) {
        directives.push(format!("{directive} 'self'{}", of(directive)));
    }
    for fixed in ["object-src 'none'", "base-uri 'self'", "form-action 'self'", "frame-ancestors 'self'"] {
        directives.push(fixed.to_owned());
    }
    directives.join("; ")
}

fn add<'a>(hosts: &mut BTreeMap<&'a str, Vec<String>>, directive: &'a str, origin: &str) {
    let known = hosts.entry(directive).or_default();
    if !known.iter().any(|host| host == origin) {
        known.push(origin.to_owned());
    }
}

/// An origin that can stand in a policy, and in quotes in nginx's file.
fn is_origin(text: &str) -> bool {
    matches!(text, "https:" | "blob:")
        || ["https://", "wss://"].iter().any(|scheme| text.starts_with(scheme))
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-.:/*".contains(c))
}

/// The page's settings at run time; `None`, with a reason, where they cannot be written as a script.
fn site_config(subject: &str, config: &RuntimeConfig, problems: &mut Vec<Gap>) -> Option<SiteConfig> {
    let good = checked::is_url_path(&config.path)
        && checked::is_global(&config.global)
        && config.settings.iter().all(|setting| checked::is_global(&setting.key));
    if !good {
        problems.push(Gap {
            rule: rules::SETTINGS_NOT_A_TEMPLATE,
            subject: subject.to_owned(),
            message: format!("the settings in {} cannot be written as a template", config.path),
            hint: "give them plain names".to_owned(),
            evidence: config.evidence.clone(),
        });
        return None;
    }
    let settings = config
        .settings
        .iter()
        .map(|setting| SiteSetting {
            key: setting.key.clone(),
            variable: variable_name(&setting.key),
            default: setting.default.clone(),
        })
        .filter(|setting| environment::is_name(&setting.variable))
        .collect();
    Some(SiteConfig {
        file: config.path.rsplit('/').next().unwrap_or_default().to_owned(),
        path_pattern: config.path.replace('.', "\\."),
        path: config.path.clone(),
        global: config.global.clone(),
        settings,
    })
}

/// `apiBaseUrl` -> `API_BASE_URL`
fn variable_name(key: &str) -> String {
    let mut name = String::new();
    for c in key.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    }
    name
}
