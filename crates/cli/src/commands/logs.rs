//! `plimsoll logs`: all logs of a project as one.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use plimsoll_engine::{LogLine, Stream};
use plimsoll_ops::{Failure, stack, times::since};
use plimsoll_stack::{LogQuery, StackLine, Step, labels, logs};

use crate::{globals, project::ProjectArgs};

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
    /// Only from then on: a time like 2013-01-02T13:23:37Z, or a span before now like `10m`
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<i64>,
    /// Only until then: a time like 2013-01-02T13:23:37Z, or a span before now like `10m`
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
    /// Without the containers' names
    #[arg(long)]
    no_log_prefix: bool,
    /// Show when each line was written
    #[arg(short, long)]
    timestamps: bool,
    /// One JSON object per line: service, container, line {time, stream, text}
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let target = stack::target(&args.project, &args.services)?;
    let name = target.name.clone();
    // of the services that the file has, unless some are named
    let services = match &target.scope {
        Some(scope) if args.services.is_empty() => scope.services.iter().cloned().collect(),
        _ => args.services.clone(),
    };
    let query = LogQuery {
        services,
        follow: args.follow,
        since: args.since.unwrap_or(0),
        until: args.until.unwrap_or(0),
        index: args.index,
        tail: args.tail.and_then(|tail| tail.0),
    };
    let mut printer = Printer::new(&name, args.timestamps, args.no_log_prefix, args.no_color);
    printer.json = args.json;
    stack::with_engine(|engine| async move {
        let filter = [format!("{}={name}", labels::PROJECT)];
        let containers = engine.containers_labelled(&filter).await?;
        // one that the file does not have may have a container all the same
        let has = |service: &String| {
            containers.iter().any(|found| found.label(labels::SERVICE) == Some(service.as_str()))
        };
        let unknown = |service: &&String| target.project.is_some() && !target.knows(service) && !has(service);
        if let Some(service) = args.services.iter().find(unknown) {
            return Err(target.no_service(service));
        }
        let shown = containers.iter().filter(|container| {
            let service = container.label(labels::SERVICE).unwrap_or_default();
            query.services.is_empty() || query.services.iter().any(|asked| asked == service)
        });
        printer.width = shown.map(|container| printer.short(&container.name).len()).max().unwrap_or(0);
        let mut sink = |line: StackLine| printer.print(&line).is_ok();
        let all = logs(&engine, &name, &query, &mut sink);
        tokio::select! {
            done = all => done.map_err(Failure::from),
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
    /// Before each line the container that it is of.
    prefix: bool,
    colour: bool,
    /// What containers write to standard error goes to ours.
    pub(crate) apart: bool,
    /// How names of the project's containers begin.
    project: String,
    /// Of the longest name.
    width: usize,
    /// In the order of their first line, which gives the colour.
    services: Vec<String>,
}

impl Printer {
    pub(crate) fn new(project: &str, timestamps: bool, no_prefix: bool, no_colour: bool) -> Self {
        Self {
            json: false,
            timestamps,
            prefix: !no_prefix,
            colour: !no_colour && globals::colours_on_stdout(),
            apart: false,
            project: format!("{project}-"),
            width: 0,
            services: Vec::new(),
        }
    }

    /// A container without the project's name, `web-1`.
    pub(crate) fn short<'n>(&self, container: &'n str) -> &'n str {
        container.strip_prefix(&self.project).filter(|rest| !rest.is_empty()).unwrap_or(container)
    }

    /// Leaves room for this name.
    pub(crate) fn expect(&mut self, container: &str) {
        self.width = self.width.max(self.short(container).len());
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
        let name = self.short(&line.container).to_owned();
        self.width = self.width.max(name.len());
        // docker compose leaves one more column free
        let width = self.width + 1;
        let time = if self.timestamps { format!("{} ", line.line.time) } else { String::new() };
        let text = printable(&line.line.text);
        let said = if !self.prefix {
            format!("{time}{text}\n")
        } else if self.colour {
            let colour = COLOURS[at % COLOURS.len()];
            format!("\x1b[{colour}m{name:width$} |\x1b[0m {time}{text}\n")
        } else {
            format!("{name:width$} | {time}{text}\n")
        };
        if self.apart && line.line.stream == Stream::Stderr {
            io::stderr().lock().write_all(said.as_bytes())
        } else {
            out.write_all(said.as_bytes())
        }
    }
}

/// What a hook wrote in its container, as lines of that.
pub(crate) fn hook_lines(step: &Step, text: &str) -> Vec<StackLine> {
    let time = jiff::Timestamp::now().to_string();
    let line = |text: &str| StackLine {
        service: step.service.clone().unwrap_or_default(),
        container: step.op.container().unwrap_or_default().to_owned(),
        line: LogLine { time: time.clone(), stream: Stream::Stdout, text: text.to_owned() },
    };
    text.lines().map(line).collect()
}

/// A log must not be able to move the cursor or rename the terminal; colours may stay.
pub(crate) fn printable(text: &str) -> String {
    plimsoll_source::printable_output(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_cannot_drive_the_terminal() {
        let text = "a\x1b[31mred\x1b[0m\x1b[2J\x1b]0;title\x07b\tc";
        assert_eq!(printable(text), "a\x1b[31mred\x1b[0m\\x1b[2J\\x1b]0;title\\x07b\tc");
    }
}
