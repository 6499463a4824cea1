//! Commands: RUN, CMD, ENTRYPOINT and HEALTHCHECK.
use super::{
    Wrong, at_least_one, device, duration,
    flags::{Flags, Kind},
    wrong,
};
use crate::{
    CommandLine, Healthcheck, MountSpec, Network, Run, RunForm, Security, Word,
    quote::quote,
    syntax::{Node, parse_marker},
};

/// The shell form or the exec form of `args`.
pub(super) fn command_line(node: &Node, args: &[Word]) -> CommandLine {
    if node.json {
        return CommandLine::Exec(args.to_vec());
    }
    CommandLine::Shell(args.first().cloned().unwrap_or_else(|| Word::new("", node.args_span)))
}

pub(super) fn run(node: &Node) -> Result<Run, Wrong> {
    let known =
        [("mount", Kind::Texts), ("network", Kind::Text), ("security", Kind::Text), ("device", Kind::Texts)];
    let flags = Flags::parse(node, &known)?;
    let network = match flags.all("network").next().and_then(crate::syntax::Flag::value) {
        None => Network::Default,
        Some(value) => match value.text.as_str() {
            "default" => Network::Default,
            "none" => Network::None,
            "host" => Network::Host,
            other => return Err((format!("network {} is not valid", quote(other)), value)),
        },
    };
    let security = match flags.all("security").next().and_then(crate::syntax::Flag::value) {
        None => Security::Sandbox,
        Some(value) => match value.text.as_str() {
            "sandbox" => Security::Sandbox,
            "insecure" => Security::Insecure,
            other => return Err((format!("security {} is not valid", quote(other)), value)),
        },
    };
    Ok(Run {
        mounts: flags.all("mount").map(MountSpec::parse).collect::<Result<_, _>>()?,
        network,
        security,
        devices: flags.all("device").map(device::parse).collect::<Result<_, _>>()?,
        form: form(node),
    })
}

fn form(node: &Node) -> RunForm {
    let command = match command_line(node, &node.args) {
        CommandLine::Exec(words) => return RunForm::Exec(words),
        CommandLine::Shell(command) => command,
    };
    match node.heredocs.as_slice() {
        [] => RunForm::Shell(command),
        [heredoc, ..] if parse_marker(&command).is_some() => {
            RunForm::Script(crate::Heredoc { content: heredoc.chomped(), ..heredoc.clone() })
        }
        heredocs => RunForm::ShellWithHeredocs { command, heredocs: heredocs.to_vec() },
    }
}

pub(super) fn healthcheck(node: &Node) -> Result<Healthcheck, Wrong> {
    let Some((kind, args)) = node.args.split_first() else { return at_least_one(node) };
    let upper = kind.text.to_uppercase();
    if upper == "NONE" {
        if !args.is_empty() {
            return wrong(node, "HEALTHCHECK NONE takes no arguments");
        }
        return Ok(Healthcheck::None);
    }
    let known =
        ["interval", "timeout", "start-period", "start-interval", "retries"].map(|name| (name, Kind::Text));
    let flags = Flags::parse(node, &known)?;
    if upper != "CMD" {
        return Err((format!("Unknown type {} in HEALTHCHECK (try CMD)", quote(&upper)), kind.clone()));
    }
    if args.is_empty() {
        return Err(("Missing command after HEALTHCHECK CMD".to_owned(), kind.clone()));
    }
    let interval = |name: &str| {
        let Some(value) = flags.text(name) else { return Ok(None) };
        match duration::parse(&value.text) {
            Ok(duration) => match duration::at_least_a_millisecond(duration) {
                Some(duration) => Ok(Some(duration)),
                None => Err((format!("Interval {} cannot be less than 1ms", quote(name)), value)),
            },
            Err(title) => Err((title, value)),
        }
    };
    let retries = match flags.text("retries") {
        None => None,
        Some(value) => match value.text.parse::<i32>() {
            Ok(retries) => match u32::try_from(retries) {
                Ok(retries) => Some(retries),
                Err(_) => return Err((format!("--retries cannot be negative ({retries})"), value)),
            },
            Err(_) => {
                return Err((format!("--retries needs a whole number, not {}", quote(&value.text)), value));
            }
        },
    };
    Ok(Healthcheck::Check {
        interval: interval("interval")?,
        timeout: interval("timeout")?,
        start_period: interval("start-period")?,
        start_interval: interval("start-interval")?,
        retries,
        command: command_line(node, args),
    })
}
