//! Conditions of `depends_on` that cannot come true or say nothing. Whether a service has a health check is known only
//! with its image.

use plimsoll_compose::Project;
use plimsoll_engine::RestartSpec;
use plimsoll_source::Diagnostic;

use crate::{Desired, DesiredService, ImageMap, Need, StackError};

/// Refuses a gate that can never open, and notes one that holds nothing back.
pub(crate) fn check(project: &Project, images: &ImageMap, desired: &mut Desired) -> Result<(), StackError> {
    let mut notes = Vec::new();
    for service in desired.services.iter().filter(|service| !service.replicas.is_empty()) {
        for need in &service.needs {
            let Some(other) = desired.services.iter().find(|other| other.name == need.service) else {
                continue;
            };
            if other.replicas.is_empty() {
                notes.push(format!(
                    "{} depends on {}, of which no container is wanted: it does not wait",
                    service.name, other.name
                ));
                continue;
            }
            // the images of services that are not brought up are not known
            let known = images.contains_key(&service.name) && images.contains_key(&other.name);
            // the image that is to be built or pulled may bring the health check
            let foreseen = images.get(&other.name).is_some_and(|image| image.foreseen);
            let open = foreseen && need.condition == "service_healthy";
            let Some((why, hint)) = closed(need, other).filter(|_| known && !open) else { continue };
            let title = format!("service {}: {why}", service.name);
            if need.required {
                return Err(refused(project, &service.name, &other.name, title, hint));
            }
            notes.push(format!("{title}; it is not required, so only its start is waited for"));
        }
    }
    desired.notes.extend(notes);
    Ok(())
}

/// Why the gate never opens, and what to do.
fn closed(need: &Need, other: &DesiredService) -> Option<(String, &'static str)> {
    let name = &other.name;
    match need.condition.as_str() {
        "service_healthy" if other.health.is_none() => Some((
            format!("it waits until {name} is healthy, and {name} has no health check"),
            "give it a `healthcheck`, or depend on `service_started`",
        )),
        "service_completed_successfully"
            if matches!(other.spec.restart, RestartSpec::Always | RestartSpec::UnlessStopped) =>
        {
            Some((
                format!("it waits until {name} has completed, and its restart policy never lets it end"),
                "give it `restart: \"no\"` or `on-failure`, or depend on another condition",
            ))
        }
        _ => None,
    }
}

fn refused(project: &Project, service: &str, other: &str, title: String, hint: &str) -> StackError {
    let diagnostic = match project.origin(&["services", service, "depends_on", other]) {
        Some(origin) => origin.error(title),
        None => Diagnostic::error(title),
    };
    StackError::File(Box::new(diagnostic.hint(hint)))
}
