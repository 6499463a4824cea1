//! `plimsoll ls`: the projects of the engine.

use std::{collections::BTreeMap, process::ExitCode};

use plimsoll_engine::{ContainerSummary, RunState};
use plimsoll_ops::{Failure, stack};
use plimsoll_stack::labels;
use serde::Serialize;
use serde_json::json;

use crate::{table::table, template::Format};

/// List the projects that have containers in the engine, whoever made them
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Projects too of which nothing runs
    #[arg(short, long)]
    all: bool,
    /// Only names
    #[arg(short, long)]
    quiet: bool,
    /// Only projects whose name contains this: `name=TEXT`
    #[arg(long, value_name = "name=TEXT")]
    filter: Vec<String>,
    /// `table` or `json`
    #[arg(long, value_name = "FORM")]
    format: Option<String>,
    /// As JSON with more than docker compose has
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Debug, Default, Serialize)]
struct Listed {
    name: String,
    /// State to number of containers.
    states: BTreeMap<&'static str, usize>,
    config_files: Vec<String>,
}

impl Listed {
    /// `running(2), exited(1)`
    fn status(&self) -> String {
        let states: Vec<String> =
            self.states.iter().map(|(state, count)| format!("{state}({count})")).collect();
        states.join(", ")
    }
}

/// The texts of `--filter name=TEXT`; a bare text is one too.
fn names(filters: &[String]) -> Result<Vec<&str>, Failure> {
    let one = |filter: &String| match filter.split_once('=') {
        None | Some(("name", _)) => Ok(()),
        Some((key, _)) => {
            Err(Failure::new(format!("there is no filter `{key}`"), "write --filter name=TEXT"))
        }
    };
    filters.iter().try_for_each(one)?;
    Ok(filters.iter().map(|filter| filter.strip_prefix("name=").unwrap_or(filter)).collect())
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let format = Format::parse(args.format.as_deref().unwrap_or_default(), false)?;
    let wanted = names(&args.filter)?;
    let containers = stack::with_engine(|engine| async move {
        engine.containers_labelled(&[labels::PROJECT.to_owned()]).await.map_err(Failure::from)
    })?;
    let mut projects = projects(&containers);
    let up = [RunState::Running, RunState::Paused, RunState::Restarting].map(RunState::as_str);
    projects.retain(|project| {
        (args.all || up.iter().any(|state| project.states.contains_key(state)))
            && (wanted.is_empty() || wanted.iter().any(|text| project.name.contains(text)))
    });
    if !args.all && !args.json {
        // as docker compose has it: a script may look for `running(1)`
        for project in &mut projects {
            project.states.retain(|state, _| up.contains(state));
        }
    }
    if args.json {
        let text = serde_json::to_string_pretty(&projects)?;
        println!("{text}");
    } else if args.quiet {
        for project in &projects {
            outln!("{}", project.name);
        }
    } else if format == Format::Json {
        let rows: Vec<serde_json::Value> = projects
            .iter()
            .map(|project| {
                json!({
                    "Name": project.name,
                    "Status": project.status(),
                    "ConfigFiles": project.config_files.join(","),
                })
            })
            .collect();
        println!("{}", serde_json::Value::from(rows));
    } else {
        let rows: Vec<[String; 3]> = projects
            .into_iter()
            .map(|project| {
                let status = project.status();
                [project.name, status, project.config_files.join(", ")]
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
