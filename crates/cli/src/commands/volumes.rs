//! `plimsoll volumes`: the volumes of a project.

use std::{collections::BTreeSet, process::ExitCode};

use plimsoll_ops::{Failure, stack};
use plimsoll_stack::labels;
use serde_json::{Map, Value, json};

use crate::{
    project::ProjectArgs,
    table::table,
    template::{self, Format},
};

/// List the project's volumes
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only volumes that these services mount
    services: Vec<String>,
    /// Only names
    #[arg(short, long)]
    quiet: bool,
    /// `table`, `json`, or a template like `table {{.Name}}\t{{.Driver}}`
    #[arg(long, value_name = "FORM")]
    format: Option<String>,
}

const HEADINGS: [(&str, &str); 5] = [
    ("Name", "VOLUME NAME"),
    ("Driver", "DRIVER"),
    ("Labels", "LABELS"),
    ("Mountpoint", "MOUNTPOINT"),
    ("Scope", "SCOPE"),
];

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let format = Format::parse(args.format.as_deref().unwrap_or_default(), true)?;
    let target = stack::target(&args.project, &args.services)?;
    if let Some(service) = args.services.iter().find(|name| target.project.is_some() && !target.knows(name)) {
        return Err(target.no_service(service));
    }
    let filter = [format!("{}={}", labels::PROJECT, target.name)];
    let (mut volumes, containers) = stack::with_engine(|engine| async move {
        let found = tokio::try_join!(engine.volumes(&filter), engine.containers_labelled(&filter));
        found.map_err(Failure::from)
    })?;
    // the one with the secrets of an engine elsewhere is ours, not the project's
    volumes.retain(|volume| !volume.spec.labels.contains_key(labels::FILES));
    if !args.services.is_empty() {
        let used: BTreeSet<&String> = containers
            .iter()
            .filter(|container| {
                let service = container.label(labels::SERVICE).unwrap_or_default();
                args.services.iter().any(|asked| asked == service)
            })
            .flat_map(|container| container.volumes.values())
            .collect();
        volumes.retain(|volume| used.contains(&volume.spec.name));
    }
    volumes.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
    if args.quiet {
        for volume in &volumes {
            outln!("{}", volume.spec.name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let fields: Vec<Map<String, Value>> = volumes
        .iter()
        .filter_map(|volume| {
            let labels: Vec<String> =
                volume.spec.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let fields = json!({
                "Name": volume.spec.name,
                "Driver": volume.spec.driver,
                "Labels": labels.join(","),
                "Mountpoint": volume.mountpoint,
                "Scope": "local",
            });
            fields.as_object().cloned()
        })
        .collect();
    match (template::render(&format, &HEADINGS, &fields)?, format) {
        (Some(text), _) => out!("{text}"),
        (None, Format::Json) => {
            for row in fields {
                println!("{}", Value::Object(row));
            }
        }
        (None, _) => {
            let rows: Vec<[String; 2]> =
                volumes.into_iter().map(|volume| [volume.spec.driver, volume.spec.name]).collect();
            out!("{}", table(["DRIVER", "VOLUME NAME"], &rows));
        }
    }
    Ok(ExitCode::SUCCESS)
}
