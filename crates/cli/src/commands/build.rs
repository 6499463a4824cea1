//! `plimsoll build`: every image of the stack, held to its budget.

mod bake;

use std::{process::ExitCode, time::Instant};

use plimsoll_ops::{
    Failure,
    builds::{self, Built, Verdict},
    handover,
    home::{home, open_store},
    images::{Images, project_folder},
    is_in_place,
    policy::Root,
    project::{self, needed},
    sizes::megabytes,
    stack,
    storage::Budget,
};
use serde_json::json;

use crate::{
    globals::{self, ProgressForm},
    project::ProjectArgs,
    screen::Shown,
};

/// Build every image of the stack, in parallel and without a daemon, and hold them to their size budgets
///
/// Exits with 1 when an image is larger than plimsoll.toml allows, with 2 when one cannot be built.
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of docker compose")]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only the images of these services
    services: Vec<String>,
    /// Build argument that beats the file's; without a value it is taken from the environment
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]", allow_hyphen_values = true)]
    build_args: Vec<String>,
    /// Take nothing from the cache; cache mounts keep their content
    #[arg(long)]
    no_cache: bool,
    /// Ask the registry for the images of FROM also when the store has them
    #[arg(long)]
    pull: bool,
    /// Hand the images to the engine; under the name docker-compose they always are
    #[arg(long)]
    load: bool,
    /// Send each image to the registry of each of its names
    #[arg(long)]
    push: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    quiet: bool,
    /// Keys for RUN --mount=type=ssh: `default` or `ID=SOCKET` or `ID=KEY`
    #[arg(long, value_name = "ID[=PATH]")]
    ssh: Vec<String>,
    /// The images of what the named services depend on too
    #[arg(long)]
    with_dependencies: bool,
    /// Check the Dockerfiles and build nothing
    #[arg(long)]
    check: bool,
    /// Print the builds as a file for `docker buildx bake` and build nothing
    #[arg(long)]
    print: bool,
    /// How progress is shown: auto, tty, plain, json or quiet
    #[arg(long, value_name = "FORM", hide = true)]
    progress: Option<String>,
    /// State how the images were built: `true`, `mode=min`, `mode=max`
    #[arg(long, value_name = "VALUE")]
    provenance: Option<String>,
    /// State which packages the images hold
    #[arg(long, value_name = "VALUE")]
    sbom: Option<String>,
    /// Which builder; there is one
    #[arg(long, hide = true, value_name = "NAME")]
    builder: Option<String>,
    /// Memory of RUN
    #[arg(short, long, hide = true, value_name = "BYTES")]
    memory: Option<String>,
    /// The context does not travel; accepted for the habit
    #[arg(long, hide = true)]
    compress: bool,
    /// There are no intermediate containers; accepted for the habit
    #[arg(long, hide = true)]
    force_rm: bool,
    /// There are no intermediate containers; accepted for the habit
    #[arg(long, hide = true)]
    no_rm: bool,
    /// Images are built at once; accepted for the habit
    #[arg(long, hide = true)]
    parallel: bool,
    /// Print what would be built and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print what was built as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    /// What the command line says, in the words of `image build`.
    fn words(&self) -> Vec<String> {
        let mut words: Vec<String> =
            self.build_args.iter().map(|argument| format!("--build-arg={argument}")).collect();
        words.extend(self.ssh.iter().map(|key| format!("--ssh={key}")));
        if self.pull {
            words.push("--pull=true".to_owned());
        }
        for (option, value) in [("provenance", &self.provenance), ("sbom", &self.sbom)] {
            words.extend(value.iter().map(|value| format!("--{option}={value}")));
        }
        words
    }

    /// What has no effect here.
    fn notes(&self) -> Vec<&'static str> {
        let mut notes = Vec::new();
        if self.builder.is_some() {
            notes.push("--builder has no effect: there is one builder, and it is part of this program");
        }
        if self.memory.is_some() {
            notes.push("--memory has no effect: a step is not limited in memory");
        }
        notes
    }
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    plimsoll_ops::rootless::enter(true);
    let begin = Instant::now();
    let root = Root::find()?;
    let project = args.project.load_for(&root, &args.services)?;
    project::check_names(&project, args.services.iter())?;
    let mut services = args.services.clone();
    if args.with_dependencies {
        let more = args.services.iter().flat_map(|service| needed(&project, service, false));
        services.extend(more.map(str::to_owned));
    }
    if args.print {
        return bake::print(&project, &services);
    }
    let form = match &args.progress {
        _ if args.quiet => ProgressForm::Quiet,
        None => globals::progress(),
        Some(text) => ProgressForm::parse(text).ok_or_else(|| {
            Failure::new(
                format!("--progress cannot be `{text}`"),
                "it can be auto, tty, plain, json or quiet",
            )
        })?,
    };
    let home = home()?;
    if args.dry_run {
        for (name, service) in &project.services {
            if service.build.is_some() && (services.is_empty() || services.contains(name)) {
                let image = builds::image_name(&project, name, service)?;
                outln!("image {} would be built, for {name}", image.familiar());
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let store = open_store(&home)?;
    let shown = Shown::of(form).listing();
    let tell = |line: &str| shown.tell(line);
    for note in args.notes() {
        tell(&format!("note  {note}"));
    }
    let mut images = Images::new(&store, &home, &root.policy, &shown);
    images.folder = project_folder(project.working_dir.as_ref());
    let asked =
        builds::Asked { services, no_cache: args.no_cache, words: args.words(), ..builds::Asked::default() };
    let wanted = builds::wanted(&store, &home, &project, &asked, &shown)?;
    if args.check {
        let mut code = ExitCode::SUCCESS;
        for one in &wanted {
            let found = super::image::show(&one.check(&store)?)?;
            if found != ExitCode::SUCCESS {
                code = found;
            }
        }
        return Ok(code);
    }
    let built = builds::build(&store, &home, &images, &wanted, &shown, Budget::find(&root.policy)?)?;
    let verdicts = builds::hold_to_budgets(&built, &root.policy.budgets.images);
    if args.json {
        println!("{}", as_json(&built, &verdicts));
    } else if form != ProgressForm::Quiet {
        builds::tell_built(&built, &shown);
        table(&built, &verdicts);
        errln!("{} in {:.2} s", count(built.len()), begin.elapsed().as_secs_f64());
    }
    if args.load || is_in_place() {
        let (store, built) = (&store, &built);
        stack::with_engine(|engine| async move {
            for one in built {
                handover::ensure(&engine, store, &one.record, &one.names).await?;
            }
            Ok(())
        })?;
    }
    if args.push {
        // a name that nobody gave is for this machine: it says no registry
        let named = |service: &String| {
            let all = project.services.get(service).or_else(|| project.disabled_services.get(service));
            all.is_some_and(|service| service.image.is_some())
        };
        let (pushed, kept): (Vec<_>, Vec<_>) = built.iter().partition(|one| one.services.iter().any(named));
        for one in kept {
            tell(&format!("note  {} is not pushed: its service has no `image:`", one.name.familiar()));
        }
        for name in pushed.into_iter().flat_map(|one| &one.names) {
            if let Some(address) = super::image::send(&store, name)? {
                tell(&format!("pushed {address}"));
            }
        }
    }
    Ok(if verdicts.iter().any(Verdict::exceeded) { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn count(images: usize) -> String {
    format!("{images} image{}", if images == 1 { "" } else { "s" })
}

fn table(built: &[Built], verdicts: &[Verdict]) {
    let width = built.iter().map(|image| image.name.familiar().len()).max().unwrap_or(0);
    for (image, verdict) in built.iter().zip(verdicts) {
        let budget = match verdict.budget {
            Some(budget) if verdict.exceeded() => format!("  over its budget of {}", megabytes(budget)),
            Some(budget) => format!("  of {}", megabytes(budget)),
            None => String::new(),
        };
        errln!(
            "{:width$}  {}  {:>9}{budget}  {} steps ran, {} cached, {:.2} s",
            image.name.familiar(),
            image.record.id.short(),
            megabytes(verdict.size),
            image.ran,
            image.cached,
            image.elapsed.as_secs_f64()
        );
    }
}

fn as_json(built: &[Built], verdicts: &[Verdict]) -> serde_json::Value {
    let images = built.iter().zip(verdicts).map(|(image, verdict)| {
        json!({
            "image": image.name.familiar(),
            "id": image.record.id.to_string(),
            "services": image.services,
            "bytes": verdict.size,
            "budget": verdict.budget,
            "within_budget": !verdict.exceeded(),
            "steps_ran": image.ran,
            "steps_cached": image.cached,
            "seconds": image.elapsed.as_secs_f64(),
        })
    });
    json!({ "version": 1, "images": images.collect::<Vec<_>>() })
}
