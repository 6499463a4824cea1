//! What the compose project says that a service has to be.

use std::{collections::BTreeSet, path::PathBuf};

use plimsoll_compose::{Condition, Project, Service};

/// The memory limit in bytes.
pub(crate) fn memory_limit(service: &Service) -> Option<u64> {
    let limits = service.deploy.as_ref().and_then(|deploy| deploy.resources.limits.as_ref());
    let bytes = limits.and_then(|limits| limits.memory).or(service.mem_limit)?;
    u64::try_from(bytes.0).ok().filter(|bytes| *bytes > 0)
}

/// The limit in CPUs.
pub(crate) fn cpus(service: &Service) -> Option<f64> {
    let limits = service.deploy.as_ref().and_then(|deploy| deploy.resources.limits.as_ref());
    [limits.map_or(0.0, |limits| limits.cpus), service.cpus].into_iter().find(|cpus| *cpus > 0.0)
}

/// The limit of processes and threads.
pub(crate) fn pids(service: &Service) -> Option<u64> {
    let limits = service.deploy.as_ref().and_then(|deploy| deploy.resources.limits.as_ref());
    let both = [limits.map_or(0, |limits| limits.pids), service.pids_limit];
    both.into_iter().find(|pids| *pids > 0).and_then(|pids| u64::try_from(pids).ok())
}

/// The numeric user, if the service names one.
pub(crate) fn uid(service: &Service) -> Option<u32> {
    service.user.as_deref()?.split(':').next()?.parse().ok()
}

/// True for a service that does its work once and ends: somebody waits for its success.
pub(crate) fn runs_once(project: &Project, name: &str) -> bool {
    project.services.values().any(|other| {
        let needed = other.depends_on.get(name);
        needed.is_some_and(|needed| needed.condition == Condition::CompletedSuccessfully)
    })
}

/// The stores that a service cannot work without: services from ready-made images that must be healthy before it.
pub(crate) fn stores<'a>(project: &'a Project, service: &'a Service) -> impl Iterator<Item = &'a str> {
    service.depends_on.iter().filter_map(|(name, needed)| {
        let is_store = project.services.get(name).is_some_and(|other| other.build.is_none());
        (is_store && needed.condition == Condition::Healthy).then_some(name.as_str())
    })
}

/// The networks of a service by key; `default` without any.
pub(crate) fn networks(service: &Service) -> BTreeSet<String> {
    if service.networks.is_empty() && service.network_mode.is_none() {
        return BTreeSet::from(["default".to_owned()]);
    }
    service.networks.keys().cloned().collect()
}

/// True if no network of the service leads out of the host.
pub(crate) fn is_internal(project: &Project, service: &Service) -> bool {
    service.network_mode.is_none()
        && networks(service)
            .iter()
            .all(|key| project.networks.get(key).is_some_and(|network| network.internal))
}

/// The project's secrets that are files, by key.
pub(crate) fn secret_files(project: &Project) -> Vec<(String, PathBuf)> {
    let files = project.secrets.iter().filter_map(|(key, secret)| Some((key.clone(), secret.file.as_ref()?)));
    files.map(|(key, file)| (key, project.working_dir.join(file))).collect()
}
