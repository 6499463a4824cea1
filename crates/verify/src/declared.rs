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

/// True if somebody waits for the success of a service: it does its work once and ends.
pub(crate) fn is_awaited(project: &Project, name: &str) -> bool {
    project.services.values().any(|other| {
        let needed = other.depends_on.get(name);
        needed.is_some_and(|needed| needed.condition == Condition::CompletedSuccessfully)
    })
}

/// True if the engine starts the service again also after a success: `always`, `unless-stopped`, or the same in
/// `deploy.restart_policy`, which wins as docker compose has it.
pub(crate) fn is_kept_up(service: &Service) -> bool {
    match service.deploy.as_ref().and_then(|deploy| deploy.restart_policy.as_ref()) {
        Some(policy) => !matches!(policy.condition.as_deref(), Some("none" | "on-failure")),
        None => matches!(service.restart.as_deref(), Some("always" | "unless-stopped")),
    }
}

/// How many containers a service wants. One for each node (`global`) is one here.
pub(crate) fn replicas(service: &Service) -> usize {
    let global = service.deploy.as_ref().is_some_and(|deploy| deploy.mode.as_deref() == Some("global"));
    if global && service.scale.is_none() { 1 } else { usize::try_from(service.replicas()).unwrap_or(0) }
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

/// The project's secrets that stand in a variable of this process or in the file itself, by key.
pub(crate) fn secret_texts(project: &Project) -> Vec<(String, String)> {
    let texts = project.secrets.iter().filter_map(|(key, secret)| {
        let variable = secret.environment.as_ref().and_then(|name| std::env::var(name).ok());
        Some((key.clone(), variable.or_else(|| secret.content.clone())?))
    });
    texts.collect()
}

/// The words that the project uses in the open: a value that is one of them cannot be searched for.
pub(crate) fn ordinary_words(project: &Project) -> BTreeSet<String> {
    let mut words = BTreeSet::from([project.name.clone()]);
    words.extend(project.services.keys().cloned());
    words.extend(project.networks.keys().cloned());
    words.extend(project.volumes.keys().cloned());
    words.extend(project.secrets.keys().cloned());
    words.extend(project.services.values().filter_map(|service| service.image.clone()));
    words
}
