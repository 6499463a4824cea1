//! What cannot work when the engine is on another machine, said before anything is started.

use plimsoll_compose::{MountKind, Project};
use plimsoll_engine::Engine;
use plimsoll_source::Diagnostic;
use plimsoll_stack::StackFiles;

use crate::error::CommandError;

/// Refuses secrets and configs for a remote engine; notes binds, whose source is there and not here.
pub(crate) fn check(engine: &Engine, project: &Project, files: &StackFiles) -> Result<(), CommandError> {
    if engine.is_local() {
        return Ok(());
    }
    let users: Vec<&str> = project
        .services
        .keys()
        .filter(|name| files.by_service.get(*name).is_some_and(|files| !files.is_empty()))
        .map(String::as_str)
        .collect();
    if !users.is_empty() {
        let title = format!(
            "secrets and configs are files of the engine's machine, and {} is another one",
            engine.host()
        );
        return Err(Diagnostic::error(title)
            .note(format!("used by {}", users.join(", ")))
            .hint("run plimsoll on that machine, or give these services what they need in another way")
            .into());
    }
    for (name, service) in &project.services {
        for mount in service.volumes.iter().filter(|mount| mount.kind == MountKind::Bind) {
            anstream::eprintln!(
                "note  {name}: {} is a folder of {}, not of this machine",
                mount.source.as_deref().unwrap_or_default(),
                engine.host()
            );
        }
    }
    Ok(())
}
