use std::{collections::BTreeSet, path::PathBuf, process::ExitCode};

use plimsoll_compose::{Project, Value, ValueKind};

use crate::{
    error::CommandError,
    policy::Root,
    project::{Disk, ProjectArgs, warn},
};

/// Print the compose model, merged, interpolated and normalised
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Format::Yaml)]
    format: Format,
    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only check, print nothing
    #[arg(short, long)]
    quiet: bool,
    /// Leave `${…}` as it is
    #[arg(long)]
    no_interpolate: bool,
    /// Leave names, the default network and implicit dependencies out
    #[arg(long)]
    no_normalize: bool,
    /// Leave relative paths as they are
    #[arg(long)]
    no_path_resolution: bool,
    /// Don't check that the parts agree with one another
    #[arg(long)]
    no_consistency: bool,
    /// Print the names of the services
    #[arg(long, group = "what")]
    services: bool,
    /// Print the images, one a service
    #[arg(long, group = "what")]
    images: bool,
    /// Print the keys of the named volumes
    #[arg(long, group = "what")]
    volumes: bool,
    /// Print the profiles that services name
    #[arg(id = "list_profiles", long = "profiles", group = "what")]
    profiles: bool,
    /// Print the variables that files are interpolated with
    #[arg(long, group = "what")]
    environment: bool,
    /// Print where each value was written
    #[arg(long, group = "what")]
    origins: bool,
    /// Only these services and what they depend on
    #[arg(value_name = "SERVICE")]
    only: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Yaml,
    Json,
}

/// Prints the model, or the part of it that was asked for.
pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let mut options = args.project.options(&Root::find()?)?;
    options.services.clone_from(&args.only);
    options.interpolate = !args.no_interpolate;
    options.normalize = !args.no_normalize;
    options.resolve_paths = !args.no_path_resolution;
    options.check_consistency = !args.no_consistency;
    options.discard_env_files = true;
    if args.profiles {
        options.profiles = vec!["*".to_owned()];
    }
    if args.environment {
        let pairs: BTreeSet<String> =
            options.env.iter().map(|(key, value)| format!("{key}={value}")).collect();
        return put(&args, &lines(pairs));
    }
    if args.no_interpolate {
        let tree = plimsoll_compose::load_tree(&options, &Disk)?;
        return put(
            &args,
            &match args.format {
                Format::Yaml => plimsoll_compose::to_yaml(&tree),
                Format::Json => json(&tree.to_json())?,
            },
        );
    }
    let mut project = plimsoll_compose::load(&options, &Disk)?;
    if !args.quiet {
        warn(&project.warnings);
    }
    project.remove_unused_resources();
    let text = if args.services {
        lines(in_order(&project))
    } else if args.images {
        lines(project.services.iter().map(|(name, service)| {
            service.image.clone().unwrap_or_else(|| format!("{}-{name}", project.name))
        }))
    } else if args.volumes {
        lines(project.volumes.keys().cloned())
    } else if args.profiles {
        let all: BTreeSet<&String> =
            project.services.values().flat_map(|service| &service.profiles).collect();
        lines(all.into_iter().cloned())
    } else if args.origins {
        let mut out = String::new();
        origins(project.tree(), &mut Vec::new(), &mut out);
        out
    } else {
        // What is printed can be read again: a dollar sign is one, not the start of a variable.
        let text = match args.format {
            Format::Yaml => project.to_yaml(),
            Format::Json => json(&project)?,
        };
        text.replace('$', "$$")
    };
    put(&args, &text)
}

/// Services by name, each behind what it depends on.
fn in_order(project: &Project) -> Vec<String> {
    let mut names: Vec<&String> = project.services.keys().collect();
    names.sort();
    let mut order: Vec<String> = Vec::new();
    while order.len() < project.services.len() {
        let before = order.len();
        for name in &names {
            let ready = project.services[*name]
                .depends_on
                .keys()
                .all(|dependency| order.contains(dependency) || !project.services.contains_key(dependency));
            if ready && !order.contains(name) {
                order.push((*name).clone());
            }
        }
        if order.len() == before {
            // A circle, which only an unchecked project has.
            order.extend(
                names
                    .iter()
                    .filter(|name| !order.contains(name))
                    .map(|name| (*name).clone())
                    .collect::<Vec<_>>(),
            );
        }
    }
    order
}

fn lines(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().map(|item| item + "\n").collect()
}

fn json(data: &impl serde::Serialize) -> Result<String, CommandError> {
    serde_json::to_string_pretty(data)
        .map(|text| text + "\n")
        .map_err(|error| CommandError::from_error(&error))
}

fn put(args: &Args, text: &str) -> Result<ExitCode, CommandError> {
    match &args.output {
        _ if args.quiet => {}
        None => {
            use std::io::Write as _;
            match std::io::stdout().write_all(text.as_bytes()) {
                // The reader has seen enough.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
                done => done.map_err(|error| CommandError::from_error(&error))?,
            }
        }
        Some(path) => std::fs::write(path, text).map_err(|error| {
            CommandError::new(
                format!("cannot write {}: {error}", path.display()),
                "check the path given with --output",
            )
        })?,
    }
    Ok(ExitCode::SUCCESS)
}

/// One line a value: path, file, line, column.
fn origins(value: &Value, path: &mut Vec<String>, out: &mut String) {
    match &value.kind {
        ValueKind::Map(map) => {
            for (key, value) in map {
                path.push(key.clone());
                origins(value, path, out);
                path.pop();
            }
        }
        ValueKind::List(items) => {
            for (at, value) in items.iter().enumerate() {
                path.push(at.to_string());
                origins(value, path, out);
                path.pop();
            }
        }
        _ => {
            let place = match value.origin.place() {
                Some(place) => {
                    let at = place.source.line_col(place.span.start);
                    format!("{}:{}:{}", place.source.name(), at.line, at.column)
                }
                None => "made by default".to_owned(),
            };
            out.push_str(&format!("{}  {place}\n", path.join(".")));
        }
    }
}
