//! The processes that a Procfile, fly.toml or render.yaml starts from a Node.js package, and those of a development compose
//! file that are built from its folder. None of them is dropped: what cannot run in production is a gap.

use super::command;
use crate::{
    context::Context,
    detect::platform::{self, Launch},
    manifest::Manifest,
    model::{Ecosystem, Fact, Framework, Gap, Migration, Probe, Process, Role, Service, Survey},
    rules,
};

/// The command of the web process, where the package's own scripts do not say it.
pub(super) fn web(context: &Context<'_>, manifest: &Manifest) -> Option<Fact<Vec<String>>> {
    let platform = platform::of(context);
    let mut launches = platform.of(&manifest.folder).filter(|launch| !launch.weak && launch.process == "web");
    launches.find_map(|launch| program(context, manifest, launch).ok())
}

/// Adds what further processes there are to the services.
pub(super) fn detect(context: &Context<'_>, survey: &mut Survey, services: &mut [Service]) {
    let platform = platform::of(context);
    let names: Vec<String> = services.iter().map(|service| service.name.clone()).collect();
    for launch in &platform.launches {
        let Some(manifest) = context.manifest(&launch.folder) else { continue };
        let here = |service: &&mut Service| service.path == launch.folder && service.role != Role::Site;
        if let Some(service) =
            services.iter_mut().find(here).filter(|service| service.ecosystem == Ecosystem::Node)
        {
            survey.gaps.extend(add(context, manifest, service, launch, &names));
        }
    }
}

fn add(
    context: &Context<'_>,
    manifest: &Manifest,
    service: &mut Service,
    launch: &Launch,
    names: &[String],
) -> Option<Gap> {
    let role = role(launch)?;
    let command = match program(context, manifest, launch) {
        Ok(command) => command,
        // A development server is no process of production, whatever its name.
        Err(_) if launch.weak && service.processes.iter().any(|process| process.role == role) => return None,
        Err(reason) => {
            return Some(Gap {
                rule: rules::PROCESS_NOT_RUN,
                subject: service.name.clone(),
                message: format!(
                    "the process `{}` (`{}`) is not in the stack: {reason}",
                    launch.process, launch.text
                ),
                hint: "add a script of the form `node <file>` with its name".to_owned(),
                evidence: vec![launch.evidence.clone()],
            });
        }
    };
    if role == Role::OneShot {
        let tool = Framework {
            name: "own program".to_owned(),
            version: String::new(),
            evidence: command.evidence.clone(),
        };
        let empty = Migration { tool, script: None, command: None, folder: None, files: Vec::new() };
        let migration = service.migration.get_or_insert(empty);
        migration.command.get_or_insert(command);
        return None;
    }
    let main = service.command.as_ref().is_some_and(|main| main.value == command.value);
    let known = service.processes.iter().any(|process| process.command.value == command.value);
    if main || known {
        return None;
    }
    let mut name = format!("{}-{}", service.name, launch.process.to_lowercase().replace('_', "-"));
    if names.contains(&name) || service.processes.iter().any(|process| process.name == name) {
        name.push_str("-process");
    }
    service.processes.push(Process { name, role, command, probe: Probe::Process, grace: None });
    None
}

/// What a process is for, by its name; nothing for the web process, and for what only development starts.
fn role(launch: &Launch) -> Option<Role> {
    let name = launch.process.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let scheduler = any(&["clock", "schedul", "cron", "beat"]);
    if launch.weak {
        let worker = any(&["worker", "queue", "consumer", "job", "processor"]);
        return (worker || scheduler).then_some(if scheduler { Role::Scheduler } else { Role::Worker });
    }
    match name.as_str() {
        "web" | "postdeploy" => None,
        "release" => Some(Role::OneShot),
        _ if scheduler => Some(Role::Scheduler),
        _ => Some(Role::Worker),
    }
}

/// The command of production, or why there is none.
fn program(context: &Context<'_>, manifest: &Manifest, launch: &Launch) -> Result<Fact<Vec<String>>, String> {
    let mut line = command::line(context, manifest, &launch.text);
    if let Some(reason) = line.refused {
        return Err(reason);
    }
    let command = line.programs.pop().ok_or("it starts no program")?;
    Ok(Fact::new(command, launch.evidence.clone()))
}

/// Processes of a folder in which nothing is deployed, in whatever language.
pub(in crate::detect) fn nobodys(context: &Context<'_>, survey: &Survey) -> Vec<Gap> {
    let platform = platform::of(context);
    let deployed = |launch: &Launch| {
        survey.services.iter().any(|service| service.path == launch.folder && service.role != Role::Site)
    };
    let said = |launch: &Launch| survey.gaps.iter().any(|gap| gap.evidence.contains(&launch.evidence));
    let further = |launch: &&Launch| {
        let web = matches!(launch.process.as_str(), "web" | "postdeploy");
        !launch.weak && !web && context.manifest(&launch.folder).is_some()
    };
    let launches = platform.launches.iter().filter(further);
    launches
        .filter(|launch| !deployed(launch) && !said(launch))
        .map(|launch| Gap {
            rule: rules::PROCESS_NOT_RUN,
            subject: if launch.folder.is_empty() {
                "the repository".to_owned()
            } else {
                launch.folder.clone()
            },
            message: format!(
                "the process `{}` (`{}`) belongs to no service that is known",
                launch.process, launch.text
            ),
            hint: "write its service by hand; it is kept".to_owned(),
            evidence: vec![launch.evidence.clone()],
        })
        .collect()
}
