//! What a person answered: it counts more than what the files say.

use std::collections::BTreeMap;

use crate::{
    detect::{
        node::build_steps,
        python::{config_class, mode},
        stores,
    },
    model::{
        Bind, Confidence, Ecosystem, Edge, Evidence, Fact, Manager, Question, Role, Service, Setting,
        StoreKind, StoreUse, Survey, Variable,
    },
};

/// The file that answers are kept in.
const FILE: &str = "plimsoll.toml";

/// An answer that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AnswerError {
    /// Nothing in the survey has this name.
    #[error("{id}: no service is called `{subject}`")]
    Subject {
        /// The answer's id.
        id: String,
        /// What was looked for.
        subject: String,
        /// Services that there are.
        known: Vec<String>,
    },
    /// A service has no such field.
    #[error("{id}: `{field}` is nothing that can be answered")]
    Field {
        /// The answer's id.
        id: String,
        /// What was looked for.
        field: String,
    },
    /// The value has not the shape of the field.
    #[error("{id}: `{value}` is no {expected}")]
    Value {
        /// The answer's id.
        id: String,
        /// What was given.
        value: String,
        /// What it has to be.
        expected: &'static str,
    },
}

impl plimsoll_source::Explain for AnswerError {}

/// Id of the question who ends TLS; it is about the stack and no service.
pub const TLS: &str = "tls";
/// Answer to [`TLS`]: the fronts, with a certificate in files.
pub const TLS_FILES: &str = "files";
/// Answer to [`TLS`]: something in front of the stack.
const TLS_PROXY: &str = "proxy";

/// What can be answered about a service: field, what it takes.
pub const FIELDS: &[(&str, &str)] = &[
    ("deploy", "yes or no: whether the stack has this service; worker or job: that it is one"),
    ("command", "the program and its arguments, as they run in production"),
    ("port", "the port that it listens on"),
    ("health", "the path at which it says that it works"),
    ("prefix", "the path prefix of the requests that belong to it; `-` at the end takes it away: /api/-"),
    ("app", "the module and the name of a Python application: shop.wsgi:app"),
    ("settings", "the module of Django's settings: shop.settings.production"),
    ("configuration", "the class of Flask's configuration: shop.config.ProductionConfig"),
    ("mode", "the value of the variable that says where the program runs: production"),
    ("sqlite", "the file of its database, below its folder or absolute: data/shop.db"),
    ("manager", "what installs its packages; of `root`, or of a folder"),
    ("node", "the version of Node.js; of `root`, or of a folder"),
    ("python", "the version of Python; of `root`, or of a folder"),
    ("password", "of a store, whose password stands in the source: source or own"),
    ("user", "of a service with a Dockerfile of its own: image (its own user stays) or stack"),
    ("secrets", "of such a service: environment, where nothing in its image can read a file"),
    ("egress", "of such a service: yes or no, whether it calls hosts outside of the stack"),
    ("build", "the script of its package.json that builds it"),
    ("checks", "scripts that must pass before its image is made, with commas; `none`"),
    (TLS, "of the whole stack, without a service before it: proxy or files"),
];

/// Changes a survey by answers. Questions that were answered go; what an answer set has the answer as its evidence.
/// Returns the scripts that were chosen as checks, by service.
pub fn answer(
    survey: &mut Survey,
    answers: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Vec<String>>, AnswerError> {
    let mut checks = BTreeMap::new();
    for (id, value) in answers {
        let (subject, field) = id.rsplit_once('.').unwrap_or((id.as_str(), ""));
        if id == TLS {
            // A decision about the stack: the survey of the sources stays as it is.
            if value != TLS_PROXY && value != TLS_FILES {
                let (id, value) = (id.clone(), value.clone());
                return Err(AnswerError::Value { id, value, expected: "`proxy` or `files`" });
            }
        } else if matches!(field, "manager" | "python" | "node") {
            install(survey, id, subject, field, value)?;
        } else if field == "prefix" {
            prefix(survey, id, subject, value)?;
        } else if field == "deploy" {
            deploy(survey, id, subject, value)?;
        } else if field == "password" {
            password(survey, id, subject, value)?;
        } else {
            let service = service(survey, id, subject)?;
            one(service, id, field, value, &mut checks)?;
            stores::complete(survey);
            if field == "secrets" {
                // What it runs was asked because of its secrets.
                survey.questions.retain(|question| question.id != format!("{subject}.command"));
            }
        }
        survey.questions.retain(|question| question.id != *id);
    }
    Ok(checks)
}

/// Adds the questions about the stack that no source can answer.
pub fn ask_about_stack(survey: &mut Survey) {
    let is_published = |service: &Service| matches!(service.role, Role::Server | Role::Site);
    if !survey.services.iter().any(is_published) {
        return;
    }
    survey.questions.push(Question {
        id: TLS.to_owned(),
        text: "who ends TLS: a proxy in front of the stack, or the stack's own front with a certificate in files"
            .to_owned(),
        options: vec![TLS_PROXY.to_owned(), TLS_FILES.to_owned()],
        default: Some(TLS_PROXY.to_owned()),
        confidence: Confidence::Open,
        evidence: Vec::new(),
    });
}

/// Takes the default of each question about a command or a port that the files leave open. The questions stay, so that
/// whoever reads the survey sees what was taken.
pub fn take_defaults(survey: &mut Survey) {
    let open: Vec<(String, String)> = survey
        .questions
        .iter()
        .filter_map(|question| Some((question.id.clone(), question.default.clone()?)))
        .collect();
    for (id, value) in open {
        let Some((subject, field)) = id.rsplit_once('.') else { continue };
        let Some(service) = survey.services.iter_mut().find(|service| service.name == subject) else {
            continue;
        };
        let missing = match field {
            "command" => service.command.is_none(),
            "port" => service.port.is_none(),
            _ => false,
        };
        if missing {
            // A default of another shape than an answer's would be a defect of a detector; the service stays as it is.
            let _ = one(service, &id, field, &value, &mut BTreeMap::new());
        }
    }
}

fn service<'a>(survey: &'a mut Survey, id: &str, subject: &str) -> Result<&'a mut Service, AnswerError> {
    let known: Vec<String> = survey.services.iter().map(|service| service.name.clone()).collect();
    survey.services.iter_mut().find(|service| service.name == subject).ok_or_else(|| AnswerError::Subject {
        id: id.to_owned(),
        subject: subject.to_owned(),
        known,
    })
}

fn evidence(id: &str) -> Evidence {
    Evidence::file(FILE, format!("answered as {id}"))
}

fn one(
    service: &mut Service,
    id: &str,
    field: &str,
    value: &str,
    checks: &mut BTreeMap<String, Vec<String>>,
) -> Result<(), AnswerError> {
    let wrong = |expected| AnswerError::Value { id: id.to_owned(), value: value.to_owned(), expected };
    match field {
        "port" => {
            let port = value.parse().ok().filter(|port| *port > 0).ok_or_else(|| wrong("port"))?;
            service.port = Some(Fact::new(port, evidence(id)));
        }
        "health" => {
            if !value.starts_with('/') {
                return Err(wrong("path of a URL"));
            }
            service.health.ready = Some(Fact::new(value.to_owned(), evidence(id)));
        }
        "command" => {
            let words: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
            if words.is_empty() || value.contains(['&', '|', ';', '`', '<', '>']) {
                return Err(wrong("program with its arguments; a shell's line is none"));
            }
            service.command = Some(Fact::new(words, evidence(id)));
        }
        "app" => {
            let command = service.command.as_mut();
            let target =
                command.and_then(|command| command.value.iter_mut().rev().find(|word| word.contains(':')));
            match target {
                Some(target) if value.contains(':') => value.clone_into(target),
                _ => return Err(wrong("MODULE:APPLICATION")),
            }
        }
        // A file, or whether there is one.
        "sqlite" if value.contains(['/', '.']) => {
            let fits =
                |part: &str| part != ".." && part.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
            if value.ends_with('/') || !value.trim_start_matches('/').split('/').all(fits) || value.len() < 2
            {
                return Err(wrong("path of a file"));
            }
            service.files.push(Fact::new(value.to_owned(), evidence(id)));
        }
        field if store(field).is_some() => {
            if let Some(kind) = store(field) {
                use_store(service, id, kind, value);
            }
        }
        "settings" => {
            if !value.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.')) || value.is_empty() {
                return Err(wrong("module of settings"));
            }
            const NAME: &str = "DJANGO_SETTINGS_MODULE";
            for at_build in [true, false] {
                service.settings.retain(|known| known.name != NAME || known.at_build != at_build);
                let reason = format!("answered as {id}");
                service.settings.push(Setting {
                    name: NAME.to_owned(),
                    value: value.to_owned(),
                    reason,
                    at_build,
                });
            }
        }
        "configuration" => {
            let named = |variable: &&mut Variable| {
                variable.evidence.iter().any(|place| place.reason == config_class::REASON)
            };
            match service.environment.iter_mut().find(named) {
                Some(variable) if value.contains('.') => variable.default = Some(value.to_owned()),
                _ => return Err(wrong("class of a configuration that a variable names")),
            }
        }
        "mode" => {
            let named =
                |variable: &&mut Variable| variable.evidence.iter().any(|place| place.reason == mode::REASON);
            match service.environment.iter_mut().find(named) {
                Some(variable) if !value.is_empty() => variable.default = Some(value.to_owned()),
                _ => return Err(wrong("value of a variable that says where the program runs")),
            }
        }
        "bind" if value == "any" => service.bind = Bind::Any,
        "user" | "secrets" | "egress" if service.own_image.is_some() => own_image(service, id, field, value)?,
        "build" => {
            if !build_steps::is_script_name(value) {
                return Err(wrong("name of a script"));
            }
            service.build = Some(Fact::new(value.to_owned(), evidence(id)));
            service.build_steps.clear();
        }
        "checks" => {
            let names = value.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "none");
            checks.insert(service.name.clone(), names.map(str::to_owned).collect());
        }
        _ => return Err(AnswerError::Field { id: id.to_owned(), field: field.to_owned() }),
    }
    Ok(())
}

/// What can be said of an image that a Dockerfile of the team builds.
fn own_image(service: &mut Service, id: &str, field: &str, value: &str) -> Result<(), AnswerError> {
    let wrong = |expected| AnswerError::Value { id: id.to_owned(), value: value.to_owned(), expected };
    let Some(image) = &mut service.own_image else { return Ok(()) };
    match (field, value) {
        ("user", "image") => image.keeps_user = true,
        ("user", "stack") => image.keeps_user = false,
        ("user", _) => return Err(wrong("`image` or `stack`")),
        ("secrets", "environment") => image.secrets_in_environment = true,
        ("secrets", _) => return Err(wrong("`environment`")),
        ("egress", "yes" | "true") => {
            service.calls.push(Fact::new("hosts outside".to_owned(), evidence(id)));
        }
        ("egress", "no" | "false") => service.calls.clear(),
        _ => return Err(wrong("`yes` or `no`")),
    }
    Ok(())
}

/// A kind of store by the name that questions have.
fn store(field: &str) -> Option<StoreKind> {
    Some(match field {
        "postgresql" | "postgres" => StoreKind::Postgresql,
        "mysql" | "mariadb" => StoreKind::Mysql,
        "redis" => StoreKind::Redis,
        "rabbitmq" => StoreKind::Rabbitmq,
        "mongodb" => StoreKind::Mongodb,
        "sqlite" => StoreKind::Sqlite,
        _ => return None,
    })
}

/// `no`: the service does without this kind of store; else the name of the one that it uses.
fn use_store(service: &mut Service, id: &str, kind: StoreKind, value: &str) {
    if value == "no" {
        service.stores.retain(|used| used.kind != kind);
        return;
    }
    if service.stores.iter().all(|used| used.kind != kind) {
        let evidence = vec![evidence(id)];
        service.stores.push(StoreUse { kind, store: String::new(), address: None, evidence });
    }
    if value != "yes" {
        for used in service.stores.iter_mut().filter(|used| used.kind == kind) {
            value.clone_into(&mut used.store);
        }
    }
}

/// What installs in a folder (`root` for the repository's), and on which version it runs.
fn install(
    survey: &mut Survey,
    id: &str,
    subject: &str,
    field: &str,
    value: &str,
) -> Result<(), AnswerError> {
    let folder = if subject == "root" { "" } else { subject };
    let known: Vec<String> = survey.installs.iter().map(|install| install.folder.clone()).collect();
    let ecosystem = match field {
        "python" => Some(Ecosystem::Python),
        "node" => Some(Ecosystem::Node),
        _ => None,
    };
    let wrong = |expected| AnswerError::Value { id: id.to_owned(), value: value.to_owned(), expected };
    let manager = manager(value);
    if ecosystem.is_none() && manager.is_none() {
        return Err(wrong("package manager"));
    }
    let of_manager = manager.map(|(_, ecosystem)| ecosystem);
    let found = survey
        .installs
        .iter_mut()
        .find(|install| install.folder == folder && Some(install.ecosystem) == ecosystem.or(of_manager));
    let Some(install) = found else {
        return Err(AnswerError::Subject { id: id.to_owned(), subject: subject.to_owned(), known });
    };
    if ecosystem.is_some() {
        if value.is_empty() || !value.chars().all(|c| c.is_ascii_digit() || c == '.') {
            return Err(wrong("version"));
        }
        install.runtime_version = Some(Fact::new(value.to_owned(), evidence(id)));
    } else if let Some((manager, _)) = manager.filter(|(manager, _)| *manager != install.manager) {
        install.manager = manager;
        install.version = None;
        let lock = lock_of(manager);
        install.lock_file = lock.map(|lock| Fact::new(lock.to_owned(), evidence(id)));
    }
    Ok(())
}

/// A package manager by its name.
fn manager(name: &str) -> Option<(Manager, Ecosystem)> {
    Some(match name.to_ascii_lowercase().as_str() {
        "npm" => (Manager::Npm, Ecosystem::Node),
        "pnpm" => (Manager::Pnpm, Ecosystem::Node),
        "yarn" | "yarn 1" => (Manager::YarnClassic, Ecosystem::Node),
        "yarn-berry" => (Manager::YarnBerry, Ecosystem::Node),
        "bun" => (Manager::Bun, Ecosystem::Node),
        "pip" => (Manager::Pip, Ecosystem::Python),
        "uv" => (Manager::Uv, Ecosystem::Python),
        "poetry" => (Manager::Poetry, Ecosystem::Python),
        "pdm" => (Manager::Pdm, Ecosystem::Python),
        "pipenv" => (Manager::Pipenv, Ecosystem::Python),
        _ => return None,
    })
}

fn lock_of(manager: Manager) -> Option<&'static str> {
    Some(match manager {
        Manager::Npm => "package-lock.json",
        Manager::Pnpm => "pnpm-lock.yaml",
        Manager::YarnClassic | Manager::YarnBerry => "yarn.lock",
        Manager::Bun => "bun.lock",
        Manager::Pip => "requirements.txt",
        Manager::Uv => "uv.lock",
        Manager::Poetry => "poetry.lock",
        Manager::Pdm => "pdm.lock",
        Manager::Pipenv => "Pipfile.lock",
    })
}

fn prefix(survey: &mut Survey, id: &str, subject: &str, value: &str) -> Result<(), AnswerError> {
    let name = service(survey, id, subject)?.name.clone();
    let (prefix, strip) = value.strip_suffix('-').map_or((value, false), |prefix| (prefix, true));
    if !prefix.starts_with('/') {
        let value = value.to_owned();
        return Err(AnswerError::Value { id: id.to_owned(), value, expected: "path of a URL" });
    }
    survey.edges.retain(|edge| edge.to != name);
    survey.edges.push(Edge {
        from: None,
        to: name,
        prefix: prefix.to_owned(),
        strip,
        evidence: vec![evidence(id)],
    });
    Ok(())
}

/// Whether a store has the password that stands in the source of a program.
fn password(survey: &mut Survey, id: &str, subject: &str, value: &str) -> Result<(), AnswerError> {
    let known: Vec<String> = survey.stores.iter().map(|store| store.name.clone()).collect();
    let Some(store) = survey.stores.iter_mut().find(|store| store.name == subject) else {
        return Err(AnswerError::Subject { id: id.to_owned(), subject: subject.to_owned(), known });
    };
    match value {
        "source" => {}
        "own" => store.password = None,
        _ => {
            let value = value.to_owned();
            return Err(AnswerError::Value { id: id.to_owned(), value, expected: "`source` or `own`" });
        }
    }
    Ok(())
}

fn deploy(survey: &mut Survey, id: &str, subject: &str, value: &str) -> Result<(), AnswerError> {
    let name = service(survey, id, subject)?.name.clone();
    match value {
        "yes" | "true" => {}
        "no" | "false" => {
            survey.services.retain(|service| service.name != name);
            survey.edges.retain(|edge| edge.to != name);
        }
        "worker" | "job" => {
            let role = if value == "job" { Role::OneShot } else { Role::Worker };
            service(survey, id, subject)?.role = role;
            // What listens nowhere needs no port.
            survey.questions.retain(|question| question.id != format!("{subject}.port"));
        }
        _ => {
            let value = value.to_owned();
            return Err(AnswerError::Value { id: id.to_owned(), value, expected: "`yes` or `no`" });
        }
    }
    Ok(())
}
