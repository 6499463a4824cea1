//! `plimsoll config`: the model that all other verbs work on, parts of it, and changes to the files that it comes from.

mod change;
mod list;

use std::{path::PathBuf, process::ExitCode};

use plimsoll_ops::{
    Failure, digests,
    policy::Root,
    project::{Disk, warn},
};

use crate::project::ProjectArgs;

/// Print the compose model, merged, interpolated and normalised; or change a value in its file
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of docker compose")]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Form of the output [default: yaml; a table for --variables]
    #[arg(long, value_enum)]
    format: Option<Format>,
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
    /// Leave env_file and label_file as they are; don't read them
    #[arg(long)]
    no_env_resolution: bool,
    /// Ask the registries for the digests of images and print images with them
    #[arg(long)]
    resolve_image_digests: bool,
    /// Print an override file that pins each image to its digest
    #[arg(long, group = "what")]
    lock_image_digests: bool,
    /// Print the names of the services
    #[arg(long, group = "what")]
    services: bool,
    /// Print the images, one a service
    #[arg(long, group = "what")]
    images: bool,
    /// Print the keys of the named volumes
    #[arg(long, group = "what")]
    volumes: bool,
    /// Print the keys of the networks
    #[arg(long, group = "what")]
    networks: bool,
    /// Print the language models
    #[arg(long, group = "what")]
    models: bool,
    /// Print the profiles that services name
    #[arg(id = "list_profiles", long = "profiles", group = "what")]
    profiles: bool,
    /// Print the variables that files are interpolated with
    #[arg(long, group = "what")]
    environment: bool,
    /// Print the variables that the files use, with what stands for them
    #[arg(long, group = "what")]
    variables: bool,
    /// Print docker compose's digest of services: `*`, or names with commas between them
    #[arg(long, group = "what", value_name = "SERVICES")]
    hash: Option<String>,
    /// Print where each value was written
    #[arg(long, group = "what")]
    origins: bool,
    /// Set a value in its file: services.web.image=nginx:1.27; may be given several times
    #[arg(long, value_name = "PATH=VALUE", group = "what")]
    set: Vec<String>,
    /// Remove a value from its file; may be given several times, behind all --set
    #[arg(long, value_name = "PATH")]
    unset: Vec<String>,
    /// Write what --set and --unset change; else the difference is only printed
    #[arg(short, long)]
    write: bool,
    /// Nothing is ever started by this verb; accepted for the habit
    #[arg(long, hide = true)]
    dry_run: bool,
    /// Only these services and what they depend on
    #[arg(value_name = "SERVICE")]
    only: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Yaml,
    Json,
}

/// Prints the model, or the part of it that was asked for; or changes its files.
pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let root = Root::find()?;
    let mut options = args.project.options(&root)?;
    if !args.set.is_empty() || !args.unset.is_empty() {
        return change::run(&args, &options);
    }
    if args.write {
        return Err(Failure::new(
            "--write has nothing to write",
            "give a change with --set or --unset; --output FILE writes the model",
        ));
    }
    options.services.clone_from(&args.only);
    options.interpolate = !args.no_interpolate;
    options.normalize = !args.no_normalize;
    options.resolve_paths = !args.no_path_resolution;
    options.check_consistency = !args.no_consistency;
    // A list of names needs no file of variables.
    let names = args.services || args.volumes || args.networks || args.models || args.profiles;
    let read_others = !args.no_env_resolution && !names;
    options.resolve_environment = read_others;
    options.discard_env_files = read_others;
    if args.profiles {
        options.profiles = vec!["*".to_owned()];
    }
    let whole = [
        (args.environment, "--environment"),
        (args.variables, "--variables"),
        (args.no_interpolate, "--no-interpolate"),
    ];
    if let (false, Some((_, option))) = (args.only.is_empty(), whole.iter().find(|(asked, _)| *asked)) {
        let services = args.only.join(", ");
        errln!("note  service filtering is not applied when {option} is set: {services} has no effect");
    }
    if args.environment {
        return put(&args, &list::environment(&options));
    }
    if args.variables {
        return put(&args, &list::variables(&options, args.format)?);
    }
    if args.no_interpolate {
        let tree = plimsoll_compose::load_tree(&options, &Disk)?;
        return put(
            &args,
            &match args.format.unwrap_or(Format::Yaml) {
                Format::Yaml => plimsoll_compose::to_yaml(&tree),
                Format::Json => json(&tree.to_json())?,
            },
        );
    }
    let mut project = plimsoll_compose::load(&options, &Disk)?;
    if !args.quiet {
        warn(&project.warnings);
    }
    if !options.all_resources {
        project.remove_unused_resources();
    }
    if args.resolve_image_digests || args.lock_image_digests {
        digests::pin(&mut project, &root)?;
    }
    let text = if args.services {
        lines(list::in_order(&project))
    } else if args.images {
        lines(project.services.iter().map(|(name, service)| {
            let own = || format!("{}{}{name}", project.name, project.separator());
            service.image.clone().unwrap_or_else(own)
        }))
    } else if args.volumes {
        lines(project.volumes.keys().cloned())
    } else if args.networks {
        lines(project.networks.keys().cloned())
    } else if args.models {
        lines(project.models.values().filter_map(|model| model.model.clone()))
    } else if args.profiles {
        list::profiles(&project)
    } else if let Some(wanted) = &args.hash {
        list::hashes(&project, wanted)?
    } else if args.origins {
        list::origins(&project)
    } else if args.lock_image_digests {
        digests::lock(&project, args.format == Some(Format::Json))?
    } else {
        // What is printed can be read again.
        match args.format.unwrap_or(Format::Yaml) {
            Format::Yaml => project.to_file(),
            Format::Json => {
                let mut data = serde_json::to_value(&project)?;
                plimsoll_compose::double_dollars(&mut data);
                json(&data)?
            }
        }
    };
    put(&args, &text)
}

fn lines(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().map(|item| item + "\n").collect()
}

fn json(data: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(data).map(|text| text + "\n").map_err(Failure::from)
}

fn put(args: &Args, text: &str) -> Result<ExitCode, Failure> {
    match &args.output {
        _ if args.quiet => {}
        None => print(text)?,
        Some(path) => std::fs::write(path, text).map_err(|error| {
            Failure::new(
                format!("cannot write {}: {error}", path.display()),
                "check the path given with --output",
            )
        })?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    match std::io::stdout().write_all(text.as_bytes()) {
        // The reader has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(Failure::from),
    }
}
