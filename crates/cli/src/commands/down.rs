//! `plimsoll down`: takes a stack away.

use std::process::ExitCode;

use plimsoll_source::printable;
use plimsoll_stack::{Op, Progress, RunOptions, StackFiles, observe, plan_down, plan_images};

use crate::{
    error::CommandError,
    project::ProjectArgs,
    stack::{self, failed},
};

/// Take the stack away: containers, networks, secrets on the host; named volumes stay
///
/// Works from the labels in the engine, so the compose file may be gone (give --project-name then).
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Remove the project's named volumes and all data in them too
    #[arg(short, long)]
    volumes: bool,
    /// Seconds that each container has to end, instead of its own grace period
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Remove images too: `local` those that are named after the project, `all` those of every service
    #[arg(long, value_name = "WHICH", value_parser = ["local", "all"])]
    rmi: Option<String>,
    /// Containers of services that are gone from the file go too, always; accepted for the habit
    #[arg(long, hide = true)]
    remove_orphans: bool,
    /// Print the plan and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the plan and the outcome as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let name = stack::project_name(&args.project)?;
    let lock = stack::lock(&name, "plimsoll down")?;
    let code = stack::with_engine(|engine| async move {
        let observed = observe(&engine, &name).await.map_err(failed)?;
        let mut plan = plan_down(&name, &observed, args.volumes, args.timeout);
        if let Some(which) = &args.rmi {
            plan_images(&mut plan, &observed, which == "local");
        }
        if args.dry_run {
            if args.json {
                print_json(&serde_json::json!({ "plan": plan }))?;
            } else {
                anstream::print!("{}", plan.render());
            }
            return Ok(ExitCode::SUCCESS);
        }
        let options = RunOptions {
            state: stack::states()?.join(&name),
            cancel: Some(stack::interruption()),
            ..RunOptions::default()
        };
        let mut show = |progress: Progress<'_>| {
            let quiet = matches!(&progress, Progress::Done(step, _) if step.op == Op::RemoveFiles);
            match progress {
                Progress::Done(step, took) if !quiet => {
                    anstream::eprintln!("{:7.2}s  {}", took.as_secs_f64(), step.op.describe());
                }
                Progress::Told(step, text) => {
                    anstream::eprintln!("   note  {}: {}", step.op.describe(), printable(text));
                }
                Progress::Failed(step, failure) => {
                    anstream::eprintln!("FAILED  {}: {}", step.op.describe(), printable(&failure.reason));
                }
                _ => {}
            }
        };
        let outcome = plimsoll_stack::run(&engine, &plan, &StackFiles::default(), &options, &mut show).await;
        if args.json {
            print_json(&serde_json::json!({ "plan": plan, "outcome": outcome }))?;
        } else if outcome.is_success() {
            let containers =
                plan.steps.iter().filter(|step| matches!(step.op, Op::RemoveContainer { .. })).count();
            anstream::println!(
                "down in {:.2} s: {containers} container{} removed",
                outcome.elapsed.as_secs_f64(),
                if containers == 1 { "" } else { "s" }
            );
        }
        Ok(match (outcome.interrupted, outcome.failures.is_empty()) {
            (true, _) => ExitCode::from(130),
            (false, true) => ExitCode::SUCCESS,
            (false, false) => ExitCode::from(1),
        })
    })?;
    if code == ExitCode::SUCCESS {
        lock.remove();
    }
    Ok(code)
}

fn print_json(value: &serde_json::Value) -> Result<(), CommandError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CommandError::from_error(&error))?;
    anstream::println!("{text}");
    Ok(())
}
