//! What a program finds in its environment: fixed where the stack decides, a file where it is secret, else taken from
//! the environment of `up`.

use std::collections::BTreeSet;

use plimsoll_survey::{Address, Bind, Ecosystem, HOST_IN, Role, Service, Variable, names_store};

use super::{Passes, names, own_image, secrets, stores::Stores};
use crate::{
    escape, rules,
    stack::{Dependency, SecretContent, Setting},
};

/// The environment of a program, and what comes with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    pub(super) settings: Vec<Setting>,
    /// Settings that a migration needs too.
    pub(super) for_migrations: Vec<Setting>,
    pub(super) secrets: Vec<String>,
    pub(super) secrets_for_migrations: Vec<String>,
    pub(super) depends_on: Vec<Dependency>,
    /// Some secret is read from its file by the launcher, since the program does not.
    pub(super) launcher: bool,
    /// The program sets its port from a variable.
    pub(super) reads_port: bool,
    /// The variable from which it reads where to listen.
    pub(super) bind: Option<String>,
}

/// Variables that the language reads, not the program.
fn is_of_language(ecosystem: Ecosystem, name: &str) -> bool {
    match ecosystem {
        Ecosystem::Node => matches!(name, "NODE_ENV" | "NODE_OPTIONS"),
        Ecosystem::Python => name.starts_with("PYTHON") || matches!(name, "VIRTUAL_ENV" | "PATH"),
        Ecosystem::Plain | Ecosystem::Image => false,
    }
}

pub(super) fn plan(passes: &mut Passes<'_>, service: &Service, stores: &Stores) -> Environment {
    let mut environment = Environment {
        bind: match &service.bind {
            Bind::Set { variable } => Some(variable.value.clone()),
            // By its usual name, where nothing says what it is for.
            Bind::Any | Bind::Loopback { .. } => {
                let host = service.environment.iter().find(|variable| variable.name == "HOST");
                host.map(|variable| variable.name.clone())
            }
        },
        ..Environment::default()
    };
    for variable in &service.environment {
        one(passes, service, stores, variable, &mut environment);
    }
    for setting in service.settings.iter().filter(|setting| !setting.at_build) {
        if is_of_language(service.ecosystem, &setting.name) || !is_name(&setting.name) {
            continue;
        }
        // A store's own address comes with its secret.
        if stores.sets(service, &setting.name) {
            continue;
        }
        let own = Setting {
            name: setting.name.clone(),
            value: escape::compose(&setting.value),
            reason: Some(setting.reason.clone()).filter(|reason| !reason.is_empty()),
        };
        let named = |known: &Setting| known.name == setting.name;
        if environment.for_migrations.iter().any(named) || service.migrations_read.contains(&setting.name) {
            environment.for_migrations.retain(|known| !named(known));
            environment.for_migrations.push(own.clone());
        }
        environment.settings.retain(|known| !named(known));
        environment.settings.push(own);
    }
    stores.connect(passes, service, &mut environment);
    // Two addresses may share a part: `DB_HOST` of two URLs.
    once(&mut environment.settings);
    once(&mut environment.for_migrations);
    environment
}

/// A variable is set once: a file of the compose language with a key twice is none.
fn once(settings: &mut Vec<Setting>) {
    let mut names = BTreeSet::new();
    settings.retain(|setting| names.insert(setting.name.clone()));
    // With its file it has no value of its own: whoever reads the file finds the variable set.
    let of_file = |setting: &Setting| {
        let name = setting.name.strip_suffix("_FILE").filter(|_| setting.value.starts_with("/run/secrets/"));
        name.map(str::to_owned)
    };
    let by_file: BTreeSet<String> = settings.iter().filter_map(of_file).collect();
    settings.retain(|setting| !by_file.contains(&setting.name));
}

fn one(
    passes: &mut Passes<'_>,
    service: &Service,
    stores: &Stores,
    variable: &Variable,
    to: &mut Environment,
) {
    let name = &variable.name;
    if is_of_language(service.ecosystem, name) || stores.sets(service, name) || !is_name(name) {
        return;
    }
    if let Some(address) = address_with_password(service, stores, variable) {
        let hint = format!("set {name} in the Compose file where the program needs it besides");
        passes.note(
            rules::VARIABLE_NOT_SET,
            &service.name,
            format!("{name} is not set: {address} holds the password"),
            hint,
            &variable.evidence,
        );
        return;
    }
    let port_variable = service.port_variable.as_ref().map(|variable| variable.value.as_str());
    if let Some(port) = service.port.as_ref().filter(|_| port_variable.unwrap_or("PORT") == name) {
        to.reads_port = true;
        to.settings.push(Setting::new(name, escape::compose(&port.value.to_string())));
    } else if to.bind.as_ref() == Some(name) {
        to.settings.push(Setting::new(name, "0.0.0.0"));
    } else if variable.secret {
        let wanted = secrets::name_of(name);
        let secret =
            passes.secrets.add(&[&wanted], &own_image::reader(passes, service), &SecretContent::Random);
        secret_file(to, name, &secret, variable.file_variant, variable.required);
    } else {
        let setting = from_outside(passes, service, stores, variable);
        if variable.required || service.migrations_read.contains(name) {
            to.for_migrations.push(setting.clone());
        }
        to.settings.push(setting);
    }
}

/// The variable with the whole address of the store that a password with a default is a part of: the program takes the parts
/// where the address is missing, and a development's password would stand in the environment.
fn address_with_password<'a>(service: &'a Service, stores: &Stores, password: &Variable) -> Option<&'a str> {
    let (store, rest) = password.name.split_once('_')?;
    let is_password = matches!(rest.rsplit('_').next(), Some("PASSWORD" | "PASS" | "PASSWD"));
    if !is_password || password.required || password.default.is_none() {
        return None;
    }
    service.stores.iter().filter(|used| names_store(used.kind, store)).find_map(|used| match &used.address {
        Some(Address::Url { variable, .. }) if stores.sets(service, &variable.value) => {
            Some(variable.value.as_str())
        }
        _ => None,
    })
}

/// Hands a secret over as a file: to the program, or to the launcher where the program reads no file.
pub(super) fn secret_file(
    to: &mut Environment,
    variable: &str,
    secret: &str,
    native: bool,
    migrations: bool,
) {
    let mut setting = Setting::new(format!("{variable}_FILE"), format!("/run/secrets/{secret}"));
    if !native {
        if !to.launcher {
            setting.reason = Some(format!(
                "The program reads {variable} itself and no file: its launcher sets it from here."
            ));
        }
        to.launcher = true;
    }
    let secret = secret.to_owned();
    if migrations {
        to.for_migrations.push(setting.clone());
        if !to.secrets_for_migrations.contains(&secret) {
            to.secrets_for_migrations.push(secret.clone());
        }
    }
    to.settings.push(setting);
    if !to.secrets.contains(&secret) {
        to.secrets.push(secret);
    }
}

fn from_outside(passes: &mut Passes<'_>, service: &Service, stores: &Stores, variable: &Variable) -> Setting {
    let name = &variable.name;
    if variable.default.is_none()
        && let Some((address, server)) = named_after(passes, service, name)
    {
        let reason = format!("By its name the address of {server}.");
        passes.note(
            rules::ADDRESS_ASSUMED,
            &service.name,
            format!("{name} is taken for the address of {server}: {address}"),
            format!("set {name} for `plimsoll up` where it is another one"),
            &variable.evidence,
        );
        return linked(name, &address, reason);
    }
    let Some(default) = &variable.default else {
        // Started without it, the service would fail later and less clearly.
        let form =
            variable.separator.as_deref().map(|words| format!(", separated by {words}")).unwrap_or_default();
        let value = if variable.required { format!("${{{name}:?set {name}{form}}}") } else { String::new() };
        return Setting::new(name, value);
    };
    if names_hosts(name) && is_local_names(default) {
        passes.note(rules::LOCAL_NAMES_ONLY,
            &service.name,
            format!("{name} allows local names alone ({default}): each request with another name is answered with 400"),
            format!("set {name} for `plimsoll up`, with localhost for the health check"),
            &variable.evidence,
        );
    }
    if let Some(address) = of_the_stack(passes, service, default) {
        let reason = format!("Without it the program asks {default}, as on a developer's machine.");
        return linked(name, &address, reason);
    }
    if let Some(address) = stores.behind(service, default) {
        let reason = format!("Without it the program asks {default}, as on a developer's machine.");
        return linked(name, &address, reason);
    }
    if is_local(default) {
        passes.note(
            rules::LOCAL_DEFAULT,
            &service.name,
            format!("{name} has the default {default}, which is the visitor's own machine in production"),
            format!("set {name} for `plimsoll up`"),
            &variable.evidence,
        );
        return Setting::new(name, String::new());
    }
    // A default that cannot stand in `${…}` is left to the program, which has it anyway.
    Setting::new(name, escape::compose_default(name, default).unwrap_or_default())
}

/// Whether a call goes to another server of the stack: to the host in a variable that has its address.
pub(super) fn stays_inside(passes: &Passes<'_>, service: &Service, call: &str) -> bool {
    let name = call.strip_prefix(HOST_IN);
    let variable = service.environment.iter().find(|variable| Some(variable.name.as_str()) == name);
    variable.is_some_and(|variable| match &variable.default {
        Some(default) => of_the_stack(passes, service, default).is_some(),
        None => named_after(passes, service, &variable.name).is_some(),
    })
}

/// The address of another server, unless the environment of `up` has one.
fn linked(name: &str, address: &str, reason: String) -> Setting {
    let value = escape::compose_default(name, address).unwrap_or_default();
    Setting { reason: Some(reason), ..Setting::new(name, value) }
}

/// Where another server of the stack answers, for an address on the developer's machine with that server's port:
/// `http://localhost:3001/v1` is `http://api:3001/v1`.
fn of_the_stack(passes: &Passes<'_>, service: &Service, default: &str) -> Option<String> {
    let (scheme, rest) = default.split_once("://").filter(|_| is_local(default))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let port: u16 = host.split_once(':')?.1.parse().ok()?;
    // Its own address, as visitors have it.
    if service.port.as_ref().is_some_and(|own| own.value == port) {
        return None;
    }
    let mut servers = passes.survey.services.iter().filter(|other| {
        other.role == Role::Server
            && other.name != service.name
            && other.port.as_ref().is_some_and(|theirs| theirs.value == port)
    });
    let server = servers.next().filter(|_| servers.next().is_none())?;
    Some(format!("{scheme}://{}:{port}{path}", names::slug(&server.name)))
}

/// `API_URL`, `API_INTERNAL_URL` and `BACKEND_BASE_URL` beside a server with that name: its address and its name.
fn named_after(passes: &Passes<'_>, service: &Service, variable: &str) -> Option<(String, String)> {
    let words: Vec<&str> = variable.split('_').collect();
    let (last, words) = words.split_last()?;
    if !matches!(*last, "URL" | "ORIGIN" | "ENDPOINT") {
        return None;
    }
    let usual = ["INTERNAL", "BASE", "PRIVATE", "SERVER", "SERVICE"];
    let mut telling: Vec<&str> = words.iter().filter(|word| !usual.contains(word)).copied().collect();
    if telling.is_empty() {
        telling = words.to_vec();
    }
    let wanted = telling.join("-").to_ascii_lowercase();
    let mut servers = passes.survey.services.iter().filter(|other| {
        let name = names::slug(&other.name);
        let end = name.rsplit('-').next().unwrap_or_default();
        other.role == Role::Server && other.name != service.name && (name == wanted || end == wanted)
    });
    let server = servers.next().filter(|_| servers.next().is_none() && !wanted.is_empty())?;
    let port = server.port.as_ref()?.value;
    let name = names::slug(&server.name);
    Some((format!("http://{name}:{port}"), name))
}

/// A variable with the names under which a program lets itself be asked: `ALLOWED_HOSTS`, `DJANGO_ALLOWED_HOSTS`.
fn names_hosts(name: &str) -> bool {
    name.contains("ALLOWED_HOST") || name.contains("TRUSTED_HOST")
}

/// Nothing but names of the machine itself: `localhost,127.0.0.1,[::1]`.
fn is_local_names(default: &str) -> bool {
    let mut names = default.split([',', ' ', ';']).map(str::trim).filter(|name| !name.is_empty()).peekable();
    names.peek().is_some()
        && names.all(|name| {
            let name = name.trim_start_matches('.');
            name == "localhost"
                || name.ends_with(".localhost")
                || name.starts_with("127.")
                || matches!(name, "[::1]" | "::1" | "[::]" | "0.0.0.0")
        })
}

/// An address of the machine that the program runs on.
pub(super) fn is_local(default: &str) -> bool {
    default.contains("://localhost") || default.contains("://127.0.0.1") || default.starts_with("localhost:")
}

/// Names of variables that every shell and the compose language can hold.
pub(super) fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.len() <= 100
        && name.chars().all(inner)
}
