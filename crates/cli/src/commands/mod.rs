//! One file per verb. This list is the product.

mod attach;
mod base;
mod build;
mod commit;
mod completions;
mod config;
mod cp;
mod down;
pub(crate) mod drop_in;
mod events;
mod exec;
mod export;
mod groups;
#[cfg(test)]
mod help_texts;
pub(crate) mod image;
mod images;
mod init;
mod kill;
mod leading;
mod logs;
mod ls;
mod man;
mod pages;
mod pause;
mod port;
mod ps;
mod pull;
mod push;
mod refused;
mod restart;
mod rm;
mod run;
mod scale;
mod start;
mod stats;
mod stop;
mod survey;
mod top;
mod up;
mod verify;
mod version;
mod volumes;
mod wait;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use plimsoll_ops::{Failure, interrupt};

use crate::{globals, render};

/// Lines of help are no longer on wide terminals.
const WIDTH: usize = 110;

/// Gives an application a production container stack, and proves it
#[derive(Parser)]
#[command(name = "plimsoll", version, arg_required_else_help = true, max_term_width = WIDTH, after_help = pages::LIST)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    #[command(hide = true)]
    Alpha(refused::Args),
    Attach(attach::Args),
    Base(base::Args),
    #[command(hide = true)]
    Bridge(refused::Args),
    Build(build::Args),
    Commit(commit::Args),
    Completions(completions::Args),
    #[command(alias = "convert")]
    Config(config::Args),
    Cp(cp::Args),
    /// Make what `up` makes, and start nothing
    Create(Box<up::Args>),
    Down(down::Args),
    Events(events::Args),
    Exec(exec::Args),
    Export(export::Args),
    Image(image::Args),
    Images(images::Args),
    Init(init::Args),
    Kill(kill::Args),
    Logs(logs::Args),
    Ls(ls::Args),
    #[command(hide = true)]
    Man(man::Args),
    /// Freeze the project's containers where they are
    Pause(pause::Args),
    Port(port::Args),
    Ps(ps::Args),
    #[command(hide = true)]
    Publish(refused::Args),
    Pull(pull::Args),
    Push(push::Args),
    Restart(restart::Args),
    Rm(rm::Args),
    Run(run::Args),
    Scale(scale::Args),
    Start(start::Args),
    Stats(stats::Args),
    Stop(stop::Args),
    Survey(survey::Args),
    Top(top::Args),
    /// Let frozen containers go on
    Unpause(pause::Args),
    Up(up::Args),
    Verify(verify::Args),
    Version(version::Args),
    Volumes(volumes::Args),
    Wait(wait::Args),
    #[command(hide = true)]
    Watch(refused::Args),
}

/// The command line. Where docker compose's verbs use `-f` and `-p` for something of their own, ours do too: a project's
/// own come before the verb there.
pub(crate) fn command() -> clap::Command {
    let gives_up = |verb: clap::Command, long: &'static str, to: &'static str, short: char| {
        verb.mut_arg(long, |argument| argument.short(None)).mut_arg(to, |argument| argument.short(short))
    };
    let command = Cli::command();
    let help = groups::template(&command, WIDTH);
    command
        .help_template(help)
        // as docker compose has it: the last of two values counts
        .args_override_self(true)
        .mut_subcommand("logs", |verb| gives_up(verb, "files", "follow", 'f'))
        .mut_subcommand("run", |verb| gives_up(verb, "project_name", "publish", 'p'))
        .mut_subcommand("rm", |verb| gives_up(verb, "files", "force", 'f'))
        .mut_subcommand("commit", |verb| gives_up(verb, "project_name", "pause", 'p'))
}

/// The command line without hidden verbs, as completions and manual pages show it: clap's writers of both show everything.
fn visible() -> clap::Command {
    let command = command();
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned();
    clap::Command::new("plimsoll")
        .version(env!("CARGO_PKG_VERSION"))
        .about(command.get_about().cloned().unwrap_or_default())
        .after_help(pages::LIST)
        .subcommands(verbs)
}

/// Exit codes: 0 fine, 1 findings or failed claims, 2 could not run, 130 interrupted.
pub(crate) fn run() -> ExitCode {
    let arguments = match drop_in::arguments(std::env::args_os()) {
        drop_in::Called::Verb(arguments) => arguments,
        drop_in::Called::Metadata => return drop_in::metadata(),
    };
    let leading::Leading { arguments, given } = leading::behind_the_verb(arguments.into_iter());
    if let Err(error) = globals::begin(&given, &|name| std::env::var(name).ok()) {
        render::error(&error);
        return ExitCode::from(2);
    }
    if let Some(code) = pages::asked(&arguments) {
        return code;
    }
    let command = command();
    let arguments = leading::without_truth_values(&command, arguments);
    let parsed = command.try_get_matches_from(arguments).and_then(|found| Cli::from_arg_matches(&found));
    let cli = parsed.unwrap_or_else(|error| error.exit());
    let done: Result<ExitCode, Failure> = match cli.verb {
        Verb::Alpha(args) => refused::run("alpha", &args),
        Verb::Attach(args) => attach::run(args),
        Verb::Base(args) => base::run(args),
        Verb::Bridge(args) => refused::run("bridge", &args),
        Verb::Build(args) => build::run(args),
        Verb::Commit(args) => commit::run(args),
        Verb::Completions(args) => completions::run(args),
        Verb::Config(args) => config::run(args),
        Verb::Cp(args) => cp::run(args),
        Verb::Create(args) => up::create(*args),
        Verb::Down(args) => down::run(args),
        Verb::Events(args) => events::run(args),
        Verb::Exec(args) => exec::run(args),
        Verb::Export(args) => export::run(args),
        Verb::Image(args) => image::run(args),
        Verb::Images(args) => images::run(args),
        Verb::Init(args) => init::run(args),
        Verb::Kill(args) => kill::run(args),
        Verb::Logs(args) => logs::run(args),
        Verb::Ls(args) => ls::run(args),
        Verb::Man(args) => man::run(args),
        Verb::Pause(args) => pause::run(args, true),
        Verb::Port(args) => port::run(args),
        Verb::Ps(args) => ps::run(args),
        Verb::Pull(args) => pull::run(args),
        Verb::Publish(args) => refused::run("publish", &args),
        Verb::Push(args) => push::run(args),
        Verb::Restart(args) => restart::run(args),
        Verb::Rm(args) => rm::run(args),
        Verb::Run(args) => run::run(args),
        Verb::Scale(args) => scale::run(args),
        Verb::Start(args) => start::run(args),
        Verb::Stats(args) => stats::run(args),
        Verb::Stop(args) => stop::run(args),
        Verb::Survey(args) => survey::run(args),
        Verb::Top(args) => top::run(args),
        Verb::Unpause(args) => pause::run(args, false),
        Verb::Up(args) => up::run(args),
        Verb::Verify(args) => verify::run(args),
        Verb::Version(args) => version::run(&args),
        Verb::Volumes(args) => volumes::run(args),
        Verb::Wait(args) => wait::run(args),
        Verb::Watch(args) => refused::run("watch", &args),
    };
    done.unwrap_or_else(|error| {
        render::error(&error);
        ExitCode::from(interrupt::code_or(drop_in::code(if error.of_stack { 1 } else { 2 })))
    })
}
