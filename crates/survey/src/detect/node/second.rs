//! Further processes of a package: scripts called `worker` and the like, and one-shots in front of the server.

use super::{command, processes, procfile};
use crate::{
    context::Context,
    model::{Ecosystem, Evidence, Fact, Gap, Probe, Process, Role, Service, Survey},
    rules,
};

/// Names of scripts, and what they start.
const SCRIPTS: [(&str, Role); 13] = [
    ("start:worker:prod", Role::Worker),
    ("worker:prod", Role::Worker),
    ("start:worker", Role::Worker),
    ("worker", Role::Worker),
    ("start:workers", Role::Worker),
    ("workers", Role::Worker),
    ("start:queue", Role::Worker),
    ("queue", Role::Worker),
    ("start:consumer", Role::Worker),
    ("consumer", Role::Worker),
    ("start:scheduler", Role::Scheduler),
    ("scheduler", Role::Scheduler),
    ("cron", Role::Scheduler),
];

pub(in crate::detect) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let mut services = std::mem::take(&mut survey.services);
    let names: Vec<String> = services.iter().map(|service| service.name.clone()).collect();
    for service in services.iter_mut().filter(|service| service.ecosystem == Ecosystem::Node) {
        if service.role != Role::Site {
            of_service(context, survey, service, &names);
        }
    }
    procfile::detect(context, survey, &mut services);
    for service in services.iter().filter(|service| service.ecosystem == Ecosystem::Node) {
        inside(context, survey, service);
    }
    survey.services = services;
}

fn of_service(context: &Context<'_>, survey: &mut Survey, service: &mut Service, names: &[String]) {
    let Some(manifest) = context.manifest(&service.path) else { return };
    for (name, role) in SCRIPTS {
        let Some((text, span)) = manifest.script(name) else { continue };
        let evidence = Evidence::new(&manifest.source, span, format!("starts a process: {text}"));
        let mut line = command::line(context, manifest, text);
        let Some(program) = line.programs.pop().filter(|_| line.refused.is_none()) else {
            let reason = line.refused.unwrap_or_else(|| "it starts no program".to_owned());
            // Another script may say the same for production.
            if !service.processes.iter().any(|process| process.role == role) {
                survey.gaps.push(Gap {
                    rule: rules::PROCESS_NOT_RUN,
                    subject: service.name.clone(),
                    message: format!("the script `{name}` is no process of production: {reason}"),
                    hint: "add a script of the form `node <file>`".to_owned(),
                    evidence: vec![evidence],
                });
            }
            continue;
        };
        let main = service.command.as_ref().is_some_and(|command| command.value == program);
        let known = service.processes.iter().any(|process| process.command.value == program);
        if main || known {
            continue;
        }
        let plain = name.trim_start_matches("start:").trim_end_matches(":prod").replace(':', "-");
        let mut process = format!("{}-{plain}", service.name);
        if names.contains(&process) {
            process.push_str("-process");
        }
        service.processes.push(Process {
            name: process,
            role,
            command: Fact::new(program, evidence),
            probe: Probe::Process,
            grace: None,
        });
    }
}

/// Work that is taken by the server itself, where no process of its own does.
fn inside(context: &Context<'_>, survey: &mut Survey, service: &Service) {
    if service.role == Role::Server && service.processes.is_empty() {
        let program = context.closure(survey, &service.path);
        if let Some(sign) = processes::sign(&program, &service.path).filter(|sign| sign.scheduler) {
            survey.gaps.push(Gap {
                rule: rules::SCHEDULE_IN_SERVER,
                subject: service.name.clone(),
                message: format!(
                    "{} starts work at times inside the server: each replica would start it",
                    sign.package
                ),
                hint: "move it to a program of its own, with a script `scheduler`".to_owned(),
                evidence: vec![sign.evidence],
            });
        }
    }
}
