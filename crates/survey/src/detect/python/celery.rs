//! Celery's broker and where it keeps its results: by the variables that the program reads, by what its settings say, and
//! by nothing at all.

use super::{
    django::Site,
    environment::Read,
    project::Project,
    uses::{add_uses, scheme, suffix, uses},
};
use crate::{
    model::{Address, Confidence, Evidence, Fact, Question, Service, StoreKind, StoreUse},
    python::{Kind, Module},
};

/// Variables that Celery itself reads, before its settings count: what names each place in the sources.
const PLACES: [(&str, &[&str]); 2] = [
    ("CELERY_BROKER_URL", &["broker", "broker_url", "BROKER_URL", "CELERY_BROKER_URL", "broker_read_url"]),
    (
        "CELERY_RESULT_BACKEND",
        &[
            "backend",
            "result_backend",
            "RESULT_BACKEND",
            "CELERY_RESULT_BACKEND",
            "CELERY_RESULT_BACKEND_URL",
        ],
    ),
];

/// Adds the stores that Celery works from.
pub(super) fn add(
    project: &Project,
    site: Option<&Site>,
    reads: &[Read],
    service: &mut Service,
    questions: &mut Vec<Question>,
) {
    let Some(celery) = project.needs(&["celery"]) else { return };
    let bundled = [("redis", StoreKind::Redis), ("librabbitmq", StoreKind::Rabbitmq)];
    for (extra, kind) in bundled {
        if celery.extras.iter().any(|known| known == extra)
            && !service.stores.iter().any(|used| used.kind == kind)
        {
            add_uses(project, kind, vec![celery.evidence.clone()], reads, service);
        }
    }
    let broker = service.environment.iter().find(|variable| variable.name.ends_with("BROKER_URL"));
    let amqp = broker
        .and_then(|variable| variable.default.as_deref())
        .and_then(scheme)
        .is_some_and(|(kind, _)| kind == StoreKind::Rabbitmq);
    let has_broker = broker.is_some();
    if amqp && !service.stores.iter().any(|used| used.kind == StoreKind::Rabbitmq) {
        add_uses(project, StoreKind::Rabbitmq, vec![celery.evidence.clone()], reads, service);
    }
    let written = written(project, site, service);
    if !has_broker && written.is_empty() && named_nowhere(project, service) {
        usual(project, service, questions);
        return;
    }
    for (variable, url, evidence) in written {
        // A variable of another name leads to the broker already.
        if has_broker && variable == "CELERY_BROKER_URL" {
            continue;
        }
        let_it_be_set(variable, &url, evidence, service);
    }
}

/// The addresses that stand in the sources as text, by the variable that Celery prefers to each.
fn written(
    project: &Project,
    site: Option<&Site>,
    service: &Service,
) -> Vec<(&'static str, String, Evidence)> {
    let modules = site.map_or(&[][..], |site| &site.modules);
    // Settings of Django for production first; of several texts the first one counts.
    let modules = modules.iter().chain(&project.modules);
    let mut found: Vec<(&'static str, String, Evidence)> = Vec::new();
    for module in modules.filter(|module| !super::environment::is_for_development(module.source.name())) {
        for at in 0..module.tokens.len() {
            let Some((variable, url)) = place(module, at) else { continue };
            let read = service.environment.iter().any(|known| known.name == variable);
            if !read && found.iter().all(|(known, ..)| *known != variable) {
                let evidence =
                    Evidence::new(&module.source, module.span(at, at), "the address stands in the program");
                found.push((variable, url, evidence));
            }
        }
    }
    found
}

/// `broker_url = "…"`, `broker="…"`, `"broker_url": "…"` and `config["CELERY_BROKER_URL"] = "…"` at a token.
fn place(module: &Module, at: usize) -> Option<(&'static str, String)> {
    let quoted = module.kind(at) == Some(Kind::String);
    if !quoted && !module.is_word(at) {
        return None;
    }
    let name = if quoted { module.string(at)? } else { module.text(at).to_owned() };
    let (variable, _) = PLACES.iter().find(|(_, names)| names.contains(&name.as_str()))?;
    let value = match () {
        () if quoted && module.is(at + 1, ":") => at + 2,
        () if quoted && module.is(at + 1, "]") && module.is(at + 2, "=") => at + 3,
        () if !quoted && module.is(at + 1, "=") => at + 2,
        () => return None,
    };
    let url = module.string(value)?;
    let kind = scheme(&url)?.0;
    matches!(kind, StoreKind::Redis | StoreKind::Rabbitmq).then_some((*variable, url))
}

/// Celery reads the variable itself, and it counts more than the settings: a text in the source has no say where the
/// stack sets it.
fn let_it_be_set(variable: &str, url: &str, evidence: Evidence, service: &mut Service) {
    let Some((kind, wanted)) = scheme(url) else { return };
    // What was found by the client library alone learns its address so.
    service
        .stores
        .retain(|used| used.kind != kind || !matches!(&used.address, None | Some(Address::Fixed { .. })));
    if service.stores.iter().any(|used| uses(used, variable)) {
        return;
    }
    let reason = "Celery reads this variable itself, before the address that stands here".to_owned();
    let fact = Fact::new(variable.to_owned(), Evidence { reason, ..evidence.clone() });
    let suffix = suffix(url).filter(|_| kind == StoreKind::Redis);
    service.stores.push(StoreUse {
        kind,
        store: String::new(),
        address: Some(Address::Url { variable: fact, scheme: wanted, suffix, file_variant: false }),
        evidence: vec![evidence],
    });
}

/// Whether neither a store that can be a broker nor any word of one is in the project.
fn named_nowhere(project: &Project, service: &Service) -> bool {
    let broker =
        |used: &StoreUse| matches!(used.kind, StoreKind::Redis | StoreKind::Rabbitmq | StoreKind::Mongodb);
    let names = ["broker", "broker_url", "BROKER_URL", "CELERY_BROKER_URL"];
    let named = |module: &Module| {
        (0..module.tokens.len()).any(|at| {
            if module.kind(at) == Some(Kind::String) {
                module.string(at).is_some_and(|text| names.contains(&text.as_str()))
            } else {
                names.contains(&module.text(at))
            }
        })
    };
    !service.stores.iter().any(broker) && !project.modules.iter().any(|module| named(module))
}

/// Celery without a word about its broker asks RabbitMQ on its own machine.
fn usual(project: &Project, service: &mut Service, questions: &mut Vec<Question>) {
    let module = project.modules.iter().find_map(|module| {
        let at = (0..module.tokens.len()).find(|&at| {
            module.resolved(at).is_some_and(|(name, next)| {
                matches!(name.as_str(), "celery.Celery" | "celery.app.Celery") && module.is(next, "(")
            })
        })?;
        Some(Evidence::new(&module.source, module.span(at, at), "Celery's application, without a broker"))
    });
    let Some(evidence) = module else { return };
    let_it_be_set("CELERY_BROKER_URL", "amqp://localhost", evidence.clone(), service);
    questions.push(Question {
        id: format!("{}.rabbitmq", service.name),
        text:
            "Celery is used and nothing names its broker; by itself it takes RabbitMQ. Does it need RabbitMQ?"
                .to_owned(),
        options: vec!["yes".to_owned(), "no".to_owned()],
        default: Some("yes".to_owned()),
        confidence: Confidence::Open,
        evidence: vec![evidence],
    });
}
