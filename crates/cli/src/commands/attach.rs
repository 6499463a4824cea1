//! `plimsoll attach`: at a container's own process.

use std::process::ExitCode;

use plimsoll_ops::{
    Failure,
    pick::{self, Pick},
    stack,
};

use crate::{
    commands::exec::exit_code,
    project::ProjectArgs,
    terminal::{self, Raw},
};

/// Attach to the process of a service's container: its output, and its input unless --no-stdin; ends with its exit code
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Service
    service: String,
    /// Keys that leave the container and end this, like `ctrl-p,ctrl-q`
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<String>,
    /// Number of the container, if the service has several
    #[arg(long, value_name = "N")]
    index: Option<u32>,
    /// Only output
    #[arg(long)]
    no_stdin: bool,
    /// Signals are passed on to the process; the default
    #[arg(long, hide = true)]
    sig_proxy: bool,
    /// Signals end this, not the process
    #[arg(long)]
    no_sig_proxy: bool,
    /// Print what would be attached to and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let target = stack::target(&args.project, std::slice::from_ref(&args.service))?;
    stack::with_engine(|engine| async move {
        let pick = Pick { service: &args.service, index: args.index, one_offs: true, running: true };
        let container = pick::one(&engine, &target, pick).await?;
        if args.dry_run {
            outln!("would attach to {}", container.name);
            return Ok(ExitCode::SUCCESS);
        }
        let name = container.name.as_str();
        let tty = engine.inspect_container(name).await?.tty;
        let stdin = !args.no_stdin;
        let session = engine.attach_container_until(name, stdin, args.detach_keys.as_deref()).await?;
        let raw = if tty && stdin && terminal::is_interactive() { Raw::enter() } else { None };
        let resized = |rows, columns| {
            let engine = &engine;
            async move {
                if tty {
                    // the process may be gone already: then its terminal needs no size
                    let _ = engine.resize_container(name, rows, columns).await;
                }
            }
        };
        if let Some((rows, columns)) = terminal::size() {
            resized(rows, columns).await;
        }
        let pass_on = async {
            loop {
                let signal = stack::next_signal().await;
                if args.no_sig_proxy {
                    return;
                }
                let _ = engine.kill_container(name, signal).await;
            }
        };
        let talked = tokio::select! {
            talked = terminal::converse(session, stdin, resized) => talked,
            () = pass_on => return Ok(ExitCode::from(130)),
        };
        drop(raw);
        talked?;
        match engine.inspect_container(name).await {
            // left with the keys
            Ok(now) if now.pid != 0 => Ok(ExitCode::SUCCESS),
            Ok(now) => Ok(exit_code(now.exit_code)),
            Err(error) if error.is_not_found() => Ok(ExitCode::SUCCESS),
            Err(error) => Err(error.into()),
        }
    })
}
