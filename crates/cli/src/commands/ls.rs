//! `plimsoll ls`: the projects of the engine.

use std::{collections::BTreeMap, process::ExitCode};

use plimsoll_engine::{ContainerSummary, RunState};
use plimsoll_stack::labels;
use serde::Serialize;

use crate::{
    error::CommandError,
    stack::{self, failed},
    table::table,
};

/// List the projects that have containers in the engine, whoever made them
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Projects too of which nothing runs
    #[arg(short, long)]
    all: bool,
    /// Only names
    #[arg(short, long)]
    quiet: bool,
    /// Only projects whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Default, Serialize)]
struct Listed {
    name: String,
    /// State to number of containers.
    states: BTreeMap<&'static str, usize>,
    config_files: Vec<String>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let containers = stack::with_engine(|engine| async move {
        engine.containers_labelled(&[labels::PROJECT.to_owned()]).await.map_err(|error| failed(error.into()))
    })?;
    let mut projects = projects(&containers);
    projects.retain(|project| {
        let up = [RunState::Running, RunState::Paused, RunState::Restarting].map(RunState::as_str);
        (args.all || up.iter().any(|state| project.states.contains_key(state)))
            && args.filter.as_ref().is_none_or(|text| project.name.contains(text.trim_start_matches("name=")))
    });
    if args.json {
        let text =
            serde_json::to_string_pretty(&projects).map_err(|error| CommandError::from_error(&error))?;
        outln!("{text}");
    } else if args.quiet {
        for project in &projects {
            outln!("{}", project.name);
        }
    } else {
        let rows: Vec<[String; 3]> = projects
            .into_iter()
            .map(|project| {
                let states: Vec<String> =
                    project.states.iter().map(|(state, count)| format!("{state}({count})")).collect();
                [project.name, states.join(", "), project.config_files.join(", ")]
            })
            .collect();
        out!("{}", table(["NAME", "STATUS", "CONFIG FILES"], &rows));
    }
    Ok(ExitCode::SUCCESS)
}

fn projects(containers: &[ContainerSummary]) -> Vec<Listed> {
    let mut found: BTreeMap<&str, Listed> = BTreeMap::new();
    for container in containers {
        if container.label(labels::HELPER).is_some()
            || container.label(labels::ONEOFF).is_some_and(|value| value.eq_ignore_ascii_case("true"))
        {
            continue;
        }
        let Some(name) = container.label(labels::PROJECT) else { continue };
        let project = found.entry(name).or_default();
        name.clone_into(&mut project.name);
        *project.states.entry(container.state.as_str()).or_insert(0) += 1;
        for file in container.label(labels::CONFIG_FILES).unwrap_or_default().split(',') {
            if !file.is_empty() && !project.config_files.iter().any(|known| known == file) {
                project.config_files.push(file.to_owned());
            }
        }
    }
    found.into_values().collect()
}
