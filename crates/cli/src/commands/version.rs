//! `plimsoll version`: which one this is.

use std::process::ExitCode;

use plimsoll_ops::Failure;

/// Print the version
#[derive(clap::Args)]
pub(crate) struct Args {
    /// `pretty` or `json`
    #[arg(short, long, value_name = "FORM", value_parser = ["pretty", "json", ""], hide_possible_values = true)]
    format: Option<String>,
    /// Only the number
    #[arg(long)]
    short: bool,
    /// Nothing is changed; accepted for the habit
    #[arg(long, hide = true)]
    dry_run: bool,
}

/// Needs no file and no engine.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if args.short {
        outln!("{version}");
    } else if args.format.as_deref() == Some("json") {
        outln!("{}", serde_json::json!({ "version": version, "name": "plimsoll" }));
    } else {
        outln!("Plimsoll version {version}");
    }
    Ok(ExitCode::SUCCESS)
}
