//! Whose project it is: a name is all that an engine knows of a project, and two checkouts have the same one.

use std::path::{Path, PathBuf};

use plimsoll_compose::Project;
use plimsoll_engine::Engine;
use plimsoll_stack::labels;

use crate::{Failure, images::project_folder};

/// Refuses to change a project whose containers come from another folder, which is still there.
///
/// `named` says that a person gave the project's name (`--project-name`, `COMPOSE_PROJECT_NAME`): then it is meant.
///
/// # Errors
/// Names both folders and the two ways on.
pub async fn check(engine: &Engine, project: &Project, named: bool) -> Result<(), Failure> {
    let filter = [format!("{}={}", labels::PROJECT, project.name)];
    let found = engine.containers_labelled(&filter).await?;
    let own = found.iter().filter(|container| container.label(labels::ONEOFF) != Some("True"));
    let folders = own.filter_map(|container| container.label(labels::WORKING_DIR));
    let here = project_folder(Path::new(&project.working_dir));
    let Some(other) = folders.map(PathBuf::from).find(|folder| project_folder(folder) != here) else {
        return Ok(());
    };
    // where an engine is on another machine, a folder that is not here may be there
    let gone = engine.is_local() && !other.exists();
    if gone || named {
        let why =
            if gone { "which is not there any more" } else { "and takes the project's name as you gave it" };
        note!(
            "note  project {} was started from {}, {why}; it goes on from {}",
            project.name,
            shown(&other),
            shown(&here)
        );
        return Ok(());
    }
    Err(Failure::new(
        format!("project {} runs from {}, and this is {}", project.name, shown(&other), shown(&here)),
        format!(
            "give this checkout another name: plimsoll up --project-name NAME; to take the containers and volumes of \
             {} over: plimsoll up --take-over",
            project.name
        ),
    ))
}

/// A path is anybody's text.
fn shown(path: &Path) -> String {
    path.display().to_string().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
