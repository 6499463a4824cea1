//! `plimsoll logs`: all logs of a project as one.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use plimsoll_engine::Stream;
use plimsoll_stack::{LogQuery, StackLine, labels, logs};

use crate::{
    error::CommandError,
    project::ProjectArgs,
    stack::{self, failed},
};

/// Colours of services, in turn.
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 96];

/// Show the logs of all containers in the order of time
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these services
    services: Vec<String>,
    /// Wait for more, also from containers that are started later
    #[arg(long)]
    follow: bool,
    /// Only from then on: `10m`, `2h`, `1d`, or seconds since the epoch
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<i64>,
    /// Only until then: `10m`, `2h`, `1d`, or seconds since the epoch
    #[arg(long, value_name = "TIME", value_parser = since)]
    until: Option<i64>,
    /// Only so many lines of each container from the end, or `all`
    #[arg(short = 'n', long, value_name = "LINES", value_parser = lines)]
    tail: Option<Tail>,
    /// Only of the container with this number
    #[arg(long, value_name = "N")]
    index: Option<u32>,
    /// Without colours
    #[arg(long)]
    no_color: bool,
    /// Without the services' names
    #[arg(long)]
    no_log_prefix: bool,
    /// Show when each line was written
    #[arg(short, long)]
    timestamps: bool,
    /// One JSON object per line: service, container, line {time, stream, text}
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let name = stack::project_name(&args.project)?;
    let query = LogQuery {
        services: args.services.clone(),
        follow: args.follow,
        since: args.since.unwrap_or(0),
        until: args.until.unwrap_or(0),
        index: args.index,
        tail: args.tail.and_then(|tail| tail.0),
    };
    let mut printer = Printer::new(0, args.timestamps, args.no_log_prefix, args.no_color);
    printer.json = args.json;
    stack::with_engine(|engine| async move {
        let filter = [format!("{}={name}", labels::PROJECT)];
        let containers = engine.containers_labelled(&filter).await.map_err(|error| failed(error.into()))?;
        let services = containers.iter().filter_map(|container| container.label(labels::SERVICE));
        let shown = services
            .filter(|service| query.services.is_empty() || query.services.iter().any(|s| s == service));
        printer.width = shown.map(str::len).max().unwrap_or(0);
        let mut sink = |line: StackLine| printer.print(&line).is_ok();
        let all = logs(&engine, &name, &query, &mut sink);
        tokio::select! {
            done = all => done.map_err(failed),
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A number of lines; none is all.
#[derive(Debug, Clone, Copy)]
struct Tail(Option<u64>);

fn lines(text: &str) -> Result<Tail, String> {
    match text {
        "all" | "-1" => Ok(Tail(None)),
        text => {
            text.parse().map(|count| Tail(Some(count))).map_err(|_| format!("`{text}` is no number of lines"))
        }
    }
}

/// Writes lines as they come.
pub(crate) struct Printer {
    json: bool,
    timestamps: bool,
    /// Before each line the service that it is of.
    prefix: bool,
    colour: bool,
    /// Of the longest service name.
    width: usize,
    /// In the order of their first line, which gives the colour.
    services: Vec<String>,
}

impl Printer {
    /// `width` is that of the longest service name.
    pub(crate) fn new(width: usize, timestamps: bool, no_prefix: bool, no_colour: bool) -> Self {
        let colour = !no_colour && io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { json: false, timestamps, prefix: !no_prefix, colour, width, services: Vec::new() }
    }

    /// An error means that nobody reads any more.
    pub(crate) fn print(&mut self, line: &StackLine) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, line)?;
            return out.write_all(b"\n");
        }
        let at = match self.services.iter().position(|service| *service == line.service) {
            Some(at) => at,
            None => {
                self.services.push(line.service.clone());
                self.services.len() - 1
            }
        };
        let width = self.width;
        let bar = if line.line.stream == Stream::Stderr { '!' } else { '|' };
        let time = if self.timestamps { format!("{} ", line.line.time) } else { String::new() };
        let text = printable(&line.line.text);
        if !self.prefix {
            writeln!(out, "{time}{text}")
        } else if self.colour {
            let colour = COLOURS[at % COLOURS.len()];
            writeln!(out, "\x1b[{colour}m{:width$} {bar}\x1b[0m {time}{text}", line.service)
        } else {
            writeln!(out, "{:width$} {bar} {time}{text}", line.service)
        }
    }
}

/// A log must not be able to move the cursor or rename the terminal; colours may stay.
pub(crate) fn printable(text: &str) -> String {
    plimsoll_source::printable_output(text).into_owned()
}

/// `10m` before now, or seconds since the epoch.
pub(crate) fn since(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no time: write `90s`, `10m`, `2h`, `1d` or seconds since the epoch");
    if let Ok(epoch) = text.parse() {
        return Ok(epoch);
    }
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (count, unit) = text.split_at(split);
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let span = count.parse::<i64>().ok().and_then(|count| count.checked_mul(factor)).ok_or_else(wrong)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs() as i64);
    Ok((now - span).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_relative_or_absolute() {
        let now = since("0s").unwrap();
        assert!((now - since("10m").unwrap() - 600).abs() <= 1);
        assert_eq!(since("1700000000"), Ok(1_700_000_000));
        assert!(since("10x").is_err() && since("m").is_err() && since("").is_err());
    }

    #[test]
    fn a_log_cannot_drive_the_terminal() {
        let text = "a\x1b[31mred\x1b[0m\x1b[2J\x1b]0;title\x07b\tc";
        assert_eq!(printable(text), "a\x1b[31mred\x1b[0m\\x1b[2J\\x1b]0;title\\x07b\tc");
    }
}
