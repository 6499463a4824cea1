//! `plimsoll down`: takes a stack away.

use std::process::ExitCode;

use plimsoll_ops::{Failure, stack, variables::Orphans};
use plimsoll_stack::{DownOptions, Op, Progress, RunOptions, StackFiles, observe, plan_down, plan_images};

use crate::{globals, project::ProjectArgs};

/// Take the stack away: containers, networks, secrets on the host; volumes stay
///
/// What the compose file has is taken away, of its active services. With --project-name and no file it is everything
/// of the project, by the labels in the engine.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Remove the volumes that the compose file declares and the nameless ones, with all data in them
    #[arg(short, long)]
    volumes: bool,
    /// Seconds that each container has to end, instead of its own grace period
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Remove images too: `local` those that are named after the project, `all` those of every service
    #[arg(long, value_name = "WHICH", value_parser = ["local", "all"])]
    rmi: Option<String>,
    /// Containers of services that the compose file does not have go too; their volumes stay
    #[arg(long)]
    remove_orphans: bool,
    /// Only these services; networks and volumes that others use stay
    services: Vec<String>,
    /// Print the plan and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the plan and the outcome as JSON
    #[arg(long)]
    json: bool,
}

/// Takes the whole project away, as `down` without options does.
pub(super) fn whole(project: &ProjectArgs) -> Result<ExitCode, Failure> {
    run(Args {
        project: project.clone(),
        volumes: false,
        timeout: None,
        rmi: None,
        remove_orphans: false,
        services: Vec::new(),
        dry_run: false,
        json: false,
    })
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let target = stack::target(&args.project, &args.services)?;
    let name = target.name.clone();
    let options = DownOptions {
        volumes: args.volumes,
        grace: args.timeout,
        remove_orphans: Orphans::of(args.remove_orphans, &target.env.0)?.remove,
        services: args.services.clone(),
        generation: None,
    };
    if let Some(service) = args.services.iter().find(|name| target.project.is_some() && !target.knows(name)) {
        return Err(target.no_service(service));
    }
    let lock = stack::lock(&name, "plimsoll down")?;
    let code = stack::with_engine(|engine| async move {
        let observed = observe(&engine, &name).await?;
        let scope = target.scope.as_ref();
        let mut plan = plan_down(&name, &observed, scope, &options);
        if let Some(which) = &args.rmi {
            plan_images(&mut plan, &observed, scope, &options, which == "local");
        }
        if args.dry_run {
            if args.json {
                print_json(&serde_json::json!({ "plan": plan }))?;
            } else {
                out!("{}", plan.render());
            }
            return Ok(ExitCode::SUCCESS);
        }
        for note in &plan.notes {
            globals::tell(&name, &format!("note  {note}"));
        }
        let options = RunOptions {
            state: stack::states()?.join(&name),
            cancel: Some(stack::interruption()),
            ..RunOptions::default()
        };
        let mut show = |progress: Progress<'_>| {
            let files = |op: &Op| matches!(op, Op::RemoveFiles | Op::RemoveServiceFiles { .. });
            let quiet = matches!(&progress, Progress::Done(step, _) if files(&step.op));
            if !quiet {
                globals::tell_step(&progress);
            }
        };
        let outcome = plimsoll_stack::run(&engine, &plan, &StackFiles::default(), &options, &mut show).await;
        if args.json {
            print_json(&serde_json::json!({ "plan": plan, "outcome": outcome }))?;
        } else if outcome.is_success() {
            let containers =
                plan.steps.iter().filter(|step| matches!(step.op, Op::RemoveContainer { .. })).count();
            let said = format!(
                "down in {:.2} s: {containers} container{} removed",
                outcome.elapsed.as_secs_f64(),
                if containers == 1 { "" } else { "s" }
            );
            globals::tell(&name, &said);
        }
        let good = outcome.failures.is_empty() && outcome.failed_hooks == 0;
        Ok(match (outcome.interrupted, good) {
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

fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)?;
    println!("{text}");
    Ok(())
}
