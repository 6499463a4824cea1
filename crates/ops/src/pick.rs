//! Which container of a service a verb means, where it can mean only one.

use plimsoll_engine::{ContainerSummary, Engine, RunState};
use plimsoll_stack::labels;

use crate::{Failure, is_in_place, stack::Target};

/// What the verb asks for.
#[derive(Debug, Clone, Copy)]
pub struct Pick<'a> {
    /// The service.
    pub service: &'a str,
    /// The number that was given; absent and 0 take the first.
    pub index: Option<u32>,
    /// Where the service has no container of its own, one of `run` will do. A number never means one of these.
    pub one_offs: bool,
    /// Only a running one will do.
    pub running: bool,
}

/// Whether `run` made it.
pub fn is_one_off(container: &ContainerSummary) -> bool {
    container.label(labels::ONEOFF).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn number(container: &ContainerSummary) -> u32 {
    container.label(labels::NUMBER).and_then(|text| text.parse().ok()).unwrap_or(u32::MAX)
}

/// All containers of a service, the lowest number first, then those of `run`, the newest first.
pub async fn all_of(engine: &Engine, project: &str, service: &str) -> Result<Vec<ContainerSummary>, Failure> {
    let filter = [format!("{}={project}", labels::PROJECT), format!("{}={service}", labels::SERVICE)];
    let mut found = engine.containers_labelled(&filter).await?;
    found.retain(|container| container.label(labels::HELPER).is_none());
    found.sort_by_key(|container| {
        let one_off = is_one_off(container);
        let age = if one_off { std::cmp::Reverse(container.created) } else { std::cmp::Reverse(0) };
        (one_off, number(container), age)
    });
    Ok(found)
}

/// The container that is meant.
pub async fn one(engine: &Engine, target: &Target, pick: Pick<'_>) -> Result<ContainerSummary, Failure> {
    let service = pick.service;
    let index = pick.index.filter(|index| *index > 0);
    let all = all_of(engine, &target.name, service).await?;
    let own: Vec<&ContainerSummary> = all.iter().filter(|container| !is_one_off(container)).collect();
    let fits = |container: &ContainerSummary| !pick.running || container.state == RunState::Running;
    let wanted = |container: &&&ContainerSummary| index.is_none_or(|index| number(container) == index);
    if let Some(found) = own.iter().filter(wanted).find(|container| fits(container)) {
        return Ok((*found).clone());
    }
    if pick.one_offs && index.is_none() && own.is_empty() {
        // an ended one is of no use: whoever wants it can name it to the engine
        if let Some(found) = all.iter().find(|found| is_one_off(found) && found.state == RunState::Running) {
            return Ok(found.clone());
        }
    }
    if pick.running && is_in_place() && (target.project.is_none() || target.knows(service)) {
        let number = index.map_or_else(String::new, |index| format!(" container #{index}"));
        return Err(Failure::new(
            format!("service \"{service}\" is not running{number}"),
            "`ps --all` lists the containers that exist; `up` makes them",
        ));
    }
    if let Some(found) = own.iter().find(wanted) {
        return Err(Failure::new(
            format!("container {} of service {service} is {}", found.name, found.state.as_str()),
            format!("`plimsoll start {service}` starts it; `plimsoll run {service}` makes another one"),
        ));
    }
    match index {
        Some(index) if !own.is_empty() => {
            let numbers: Vec<String> = own.iter().map(|container| number(container).to_string()).collect();
            Err(Failure::new(
                format!("service {service} of project {} has no container number {index}", target.name),
                format!("it has {}", numbers.join(", ")),
            ))
        }
        _ if target.project.is_some() && !target.knows(service) => Err(target.no_service(service)),
        _ => Err(Failure::new(
            format!("project {} has no container of service {service}", target.name),
            "`plimsoll ps --all` lists those that exist; `plimsoll up` makes them",
        )),
    }
}
