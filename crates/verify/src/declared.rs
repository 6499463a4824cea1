//! What the compose project says that a service has to be.

use std::{collections::BTreeSet, path::PathBuf};

use plimsoll_compose::{Project, Service};

/// A limit that the kernel is to enforce: below zero there is none.
pub(crate) fn positive(limit: Option<i64>) -> Option<u64> {
    limit.and_then(|limit| u64::try_from(limit).ok()).filter(|limit| *limit > 0)
}

/// The numeric user, if the service names one.
pub(crate) fn uid(service: &Service) -> Option<u32> {
    service.user.as_deref()?.split(':').next()?.parse().ok()
}

/// How many containers a service wants. One for each node (`global`) is one here.
pub(crate) fn replicas(service: &Service) -> usize {
    let global = service.deploy.as_ref().is_some_and(|deploy| deploy.mode.as_deref() == Some("global"));
    if global && service.scale.is_none() { 1 } else { usize::try_from(service.replicas()).unwrap_or(0) }
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
