//! What is different when the engine is on another machine.

use plimsoll_compose::{MountKind, Project};
use plimsoll_engine::{Engine, EngineFacts};
use plimsoll_stack::StackFiles;

/// Secrets and configs go to the engine's machine. Gives the notes about binds, whose source is there and not here.
pub fn prepare(
    engine: &Engine,
    project: &Project,
    files: &mut StackFiles,
    facts: &EngineFacts,
) -> Vec<String> {
    let mut notes = Vec::new();
    if engine.is_local() {
        return notes;
    }
    files.keep_in_volume(&project.name, &facts.root_dir);
    for (name, service) in &project.services {
        for mount in service.volumes.iter().filter(|mount| mount.kind == MountKind::Bind) {
            notes.push(format!(
                "{name}: {} is a folder of {}, not of this machine",
                mount.source.as_deref().unwrap_or_default(),
                engine.host()
            ));
        }
    }
    notes
}
