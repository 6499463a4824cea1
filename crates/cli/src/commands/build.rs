//! `plimsoll build`: every image of the stack, held to its budget.

use std::{process::ExitCode, time::Instant};

use plimsoll_image::Store;
use serde_json::json;

use crate::{
    builds::{self, Built, Shown, Verdict, megabytes},
    error::CommandError,
    home::home,
    images::Images,
    policy::Root,
    project::ProjectArgs,
    storage::Budget,
};

/// Build every image of the stack, in parallel and without a daemon, and hold them to their size budgets
///
/// Exits with 1 when an image is larger than plimsoll.toml allows, with 2 when one cannot be built.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only the images of these services
    services: Vec<String>,
    /// Take nothing from the cache; cache mounts keep their content
    #[arg(long)]
    no_cache: bool,
    /// Print what was built as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    crate::rootless::enter(true);
    let begin = Instant::now();
    let root = Root::find()?;
    let project = args.project.load_for(&root, &args.services)?;
    let home = home()?;
    let store = Store::open(home.join("store")).map_err(|error| CommandError::from_error(&error))?;
    let shown = Shown::new();
    let tell = |line: &str| shown.tell(line);
    let images = Images::new(&store, &home, &root.policy, &tell);
    let asked = builds::Asked {
        services: args.services.clone(),
        no_cache: args.no_cache,
        ..builds::Asked::default()
    };
    let wanted = builds::wanted(&store, &home, &project, &asked, &tell)?;
    let built = builds::build(&store, &home, &images, &wanted, &shown, Budget::find(&root.policy)?)?;
    let verdicts = builds::hold_to_budgets(&built, &root.policy.budgets.images);
    if args.json {
        outln!("{}", as_json(&built, &verdicts));
    } else {
        table(&built, &verdicts);
        outln!("{} in {:.2} s", count(built.len()), begin.elapsed().as_secs_f64());
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
        outln!(
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
