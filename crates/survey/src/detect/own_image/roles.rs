//! What a component is for, and at which port it answers: never one that no file names.

use super::{Component, Team, dev_command, stage::Stage, variables};
use crate::{
    detect::compose_file::DevService,
    model::{Confidence, Evidence, Fact, Question, Role, Service, Survey},
};

/// Words of a service's name or command that say that it listens nowhere.
const WORKERS: [&str; 12] = [
    "worker",
    "workers",
    "consumer",
    "consumers",
    "queue",
    "sidekiq",
    "horizon",
    "resque",
    "jobs",
    "daemon",
    "subscriber",
    "listener",
];
const SCHEDULERS: [&str; 5] = ["scheduler", "cron", "crond", "beat", "clockwork"];
const MIGRATIONS: [&str; 7] =
    ["migrate", "migration", "migrations", "migrator", "goose", "flyway", "liquibase"];
/// Data of development does not belong into production without a person's word.
const SEEDS: [&str; 4] = ["seed", "seeds", "seeder", "fixtures"];

pub(super) fn decide(
    team: &Team<'_>,
    component: &Component<'_>,
    stage: &Stage,
    shared: bool,
    service: &mut Service,
    survey: &mut Survey,
) {
    let words = words(component, service);
    let says = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let published = component.dev.is_some_and(|dev| !dev.ports.is_empty());
    let end = ends(team, component);
    let rests = component.dev.is_some_and(is_not_started_again);
    let named = says(&MIGRATIONS) || says(&SEEDS);
    if !published && (end.is_some() || named || (rests && stage.ports.is_empty())) {
        let clear = (end.is_some() || rests) && says(&MIGRATIONS) && !says(&SEEDS);
        let optional = component.dev.is_some_and(|dev| !dev.profiles.is_empty());
        service.role = Role::OneShot;
        if !clear || optional {
            survey.questions.push(job(service, end));
        }
        return;
    }
    // Of an image that several processes share the port may be that of another one.
    let listens = published || !(stage.ports.is_empty() || shared);
    if !listens && (says(&WORKERS) || says(&SCHEDULERS)) {
        service.role = if says(&SCHEDULERS) { Role::Scheduler } else { Role::Worker };
        return;
    }
    port(team, component, stage, service, survey);
}

/// The words of its name and of its command.
fn words(component: &Component<'_>, service: &Service) -> Vec<String> {
    let command = component.dev.and_then(dev_command).map(|(words, _)| words).unwrap_or_default();
    let shown = component.dev.and_then(|dev| dev.command.as_ref()).map(|(text, _)| text.clone());
    let entrypoint = component.dev.and_then(|dev| dev.entrypoint_words.clone()).map(|(words, _)| words);
    let texts = [vec![service.name.clone()], command, entrypoint.unwrap_or_default()].concat();
    texts
        .iter()
        .chain(&shown)
        .flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()))
        .filter(|word| !word.is_empty())
        .take(200)
        .map(str::to_ascii_lowercase)
        .collect()
}

/// Where another service waits for its end.
fn ends(team: &Team<'_>, component: &Component<'_>) -> Option<Evidence> {
    let (file, dev) = (team.file?, component.dev?);
    let (_, _, span) =
        file.services.iter().flat_map(|other| &other.waits_for).find(|(name, condition, _)| {
            *name == dev.name && condition.as_deref() == Some("service_completed_successfully")
        })?;
    Some(Evidence::new(&file.source, *span, "another service waits for its end"))
}

fn is_not_started_again(dev: &DevService) -> bool {
    dev.restart.as_deref().is_some_and(|restart| matches!(restart, "no" | "false"))
}

fn job(service: &Service, end: Option<Evidence>) -> Question {
    let name = &service.name;
    let file = || service.own_image.as_ref().map(|image| image.dockerfile.evidence.clone());
    let evidence = end.map(|end| vec![end]).or_else(file).unwrap_or_default();
    Question {
        id: format!("{name}.deploy"),
        text: format!(
            "Is {name} a job that runs once for each release, before the others start (`job`), or a process that stays \
             (`worker`)? `no`: the stack does without it."
        ),
        options: ["job", "worker", "no"].map(str::to_owned).to_vec(),
        default: None,
        confidence: Confidence::Open,
        evidence,
    }
}

/// EXPOSE, the container's side of `ports`, a number in PORT; else a question.
fn port(
    team: &Team<'_>,
    component: &Component<'_>,
    stage: &Stage,
    service: &mut Service,
    survey: &mut Survey,
) {
    let published: Vec<Fact<u16>> = match (team.file, component.dev) {
        (Some(file), Some(dev)) => dev
            .ports
            .iter()
            .map(|(port, span)| {
                Fact::new(*port, Evidence::new(&file.source, *span, "the container's port in development"))
            })
            .collect(),
        _ => Vec::new(),
    };
    let both = stage.ports.iter().find(|port| published.iter().any(|other| other.value == port.value));
    let variable = variables::port(service);
    let named = stage.ports.iter().find(|port| variable.as_ref().is_some_and(|it| it.value == port.value));
    let sure = both.or(named).cloned();
    let mut known: Vec<Fact<u16>> = Vec::new();
    for port in stage.ports.iter().chain(&published) {
        if known.iter().all(|other| other.value != port.value) {
            known.push(port.clone());
        }
    }
    if known.is_empty() {
        known.extend(variable);
    }
    match (sure, &known[..]) {
        (Some(port), _) => service.port = Some(port),
        (None, [port]) => service.port = Some(port.clone()),
        (None, [first, ..]) => {
            service.port = Some(first.clone());
            survey.questions.push(which(service, &known));
        }
        (None, []) => survey.questions.push(unknown(service)),
    }
}

fn which(service: &Service, known: &[Fact<u16>]) -> Question {
    Question {
        id: format!("{}.port", service.name),
        text: format!("Several ports are named for {}. At which one does it answer HTTP?", service.name),
        options: known.iter().map(|port| port.value.to_string()).collect(),
        default: known.first().map(|port| port.value.to_string()),
        confidence: Confidence::Open,
        evidence: known.iter().flat_map(|port| port.evidence.clone()).collect(),
    }
}

fn unknown(service: &Service) -> Question {
    let name = &service.name;
    let evidence = service.own_image.as_ref().map(|image| image.dockerfile.evidence.clone());
    Question {
        id: format!("{name}.port"),
        text: format!(
            "At which port does {name} answer HTTP? Neither EXPOSE, nor `ports` of the compose file, nor a variable PORT says \
             it. Where it takes no requests: `--answer {name}.deploy=worker`."
        ),
        options: Vec::new(),
        default: None,
        confidence: Confidence::Open,
        evidence: evidence.unwrap_or_default(),
    }
}
