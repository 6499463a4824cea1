//! `plimsoll ps`: the containers of a project.

pub(super) mod rows;

use std::{path::PathBuf, process::ExitCode};

use plimsoll_compose::ReadFiles as _;
use plimsoll_engine::{Health, PublishedPort, RunState};
use plimsoll_ops::{
    Failure, is_in_place,
    project::Disk,
    stack::{self, Target},
};
use plimsoll_stack::{Row, labels, ps_with_one_offs};

use crate::{
    globals,
    project::ProjectArgs,
    template::{self, Format},
};

/// Characters of a probe's output in the table; `--json` has all of it.
const PROBE: usize = 40;

/// States that `--status` knows.
const STATES: [&str; 7] = ["paused", "restarting", "removing", "running", "dead", "created", "exited"];

/// The table in place of docker compose.
const COLUMNS: &str =
    "table {{.Name}}\t{{.Image}}\t{{.Command}}\t{{.Service}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}";

/// Show the project's containers: state, health with the last probe, ports, uptime, restarts
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of docker compose")]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these services
    services: Vec<String>,
    /// Containers too that do not run, and those of `run`
    #[arg(short, long)]
    all: bool,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Only the services' names
    #[arg(long = "services")]
    names: bool,
    /// Only containers in this state; may be given several times
    #[arg(long, value_name = "STATE", value_parser = STATES)]
    status: Vec<String>,
    /// Only containers with this property: `status=STATE`
    #[arg(long, value_name = "KEY=VALUE", value_parser = status_filter)]
    filter: Option<String>,
    /// `table`, `json`, or a template like `table {{.Name}}\t{{.Status}}`
    #[arg(long, value_name = "FORM")]
    format: Option<String>,
    /// Containers of services that the file does not have are shown too, always; accepted for the habit
    #[arg(long, hide = true)]
    orphans: bool,
    /// Without containers of services that the file does not have
    #[arg(long)]
    no_orphans: bool,
    /// Ids and commands in full
    #[arg(long)]
    no_trunc: bool,
    /// All containers but those of `run`, as JSON with more than docker compose has
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

fn status_filter(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some(("status", state)) if STATES.contains(&state) => Ok(state.to_owned()),
        Some(("status", _)) => Err(format!("a state is one of {}", STATES.join(", "))),
        Some((key, _)) => Err(format!("there is no filter `{key}`; write status=STATE")),
        None => Err("write status=STATE".to_owned()),
    }
}

impl Args {
    fn wants(&self, target: &Target, service: &str, state: RunState, one_off: bool) -> bool {
        let up = matches!(state, RunState::Running | RunState::Paused | RunState::Restarting);
        let mut states = self.status.iter().chain(&self.filter).peekable();
        let by_state = match states.peek() {
            None => self.all || self.json || up,
            Some(_) => states.any(|wanted| wanted == state.as_str()),
        };
        // one of `run` is shown while it runs, or when all are asked for
        let kind = !one_off || (!self.json && (self.all || up));
        let known = !self.no_orphans || target.project.is_none() || target.knows(service);
        let asked = self.services.is_empty() || self.services.iter().any(|name| name == service);
        by_state && kind && known && asked
    }
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let configured = if is_in_place() && !args.json { configured_format() } else { None };
    let format = args.format.clone().or(configured).unwrap_or_default();
    let format = match format.as_str() {
        // scripts look for words in docker compose's columns
        "" | "table" if is_in_place() && !args.json => COLUMNS,
        format => format,
    };
    let format = Format::parse(format, true)?;
    let target = stack::target(&args.project, &args.services)?;
    if let Some(service) = args.services.iter().find(|name| target.project.is_some() && !target.knows(name)) {
        return Err(target.no_service(service));
    }
    if args.quiet || args.names || format != Format::Table {
        return listed(&args, &target, &format);
    }
    let state = stack::states()?.join(&target.name);
    let name = target.name.clone();
    let rows = stack::with_engine(|engine| async move {
        ps_with_one_offs(&engine, &name, &state).await.map_err(Failure::from)
    })?;
    let (shown, hidden): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|(row, one_off)| args.wants(&target, &row.service, row.state, *one_off));
    let shown: Vec<Row> = shown.into_iter().map(|(row, _)| row).collect();
    if args.json {
        let text = serde_json::to_string_pretty(&shown)?;
        println!("{text}");
        return Ok(ExitCode::SUCCESS);
    }
    out!("{}", table(&shown));
    if args.status.is_empty() && args.filter.is_none() && args.services.is_empty() && !hidden.is_empty() {
        let named: Vec<String> =
            hidden.iter().map(|(row, _)| format!("{} is {}", row.container, state_of(row))).collect();
        globals::tell(&target.name, &format!("note  not shown without --all: {}", named.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}

/// `psFormat` of docker's configuration, which docker compose goes by where no form is given.
fn configured_format() -> Option<String> {
    let folder = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")))?;
    let text = Disk.read(&folder.join("config.json")).ok()?;
    let config: serde_json::Value = serde_json::from_str(&text).ok()?;
    config["psFormat"].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The forms that docker compose has too.
fn listed(args: &Args, target: &Target, format: &Format) -> Result<ExitCode, Failure> {
    let size = matches!(format, Format::Rows(form) | Format::Columns(form) if form.names("Size"));
    let filter = [format!("{}={}", labels::PROJECT, target.name)];
    let found = stack::with_engine(|engine| async move {
        engine.containers_raw(&filter, size).await.map_err(Failure::from)
    })?;
    let mut found: Vec<rows::Listed> = found.iter().filter_map(rows::Listed::read).collect();
    found.retain(|row| args.wants(target, &row.service, row.state, row.one_off));
    found.sort_by(|a, b| a.name.cmp(&b.name));
    if args.quiet {
        for row in &found {
            outln!("{}", row.id);
        }
    } else if args.names {
        let mut names: Vec<&str> = Vec::new();
        for row in &found {
            if !names.contains(&row.service.as_str()) {
                names.push(&row.service);
            }
        }
        for name in names {
            outln!("{name}");
        }
    } else {
        let fields: Vec<_> = found.iter().map(|row| row.fields(!args.no_trunc)).collect();
        match template::render(format, &rows::HEADINGS, &fields)? {
            Some(text) => out!("{text}"),
            None => {
                for row in fields {
                    println!("{}", serde_json::Value::Object(row));
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[Row]) -> String {
    let mut lines = vec![
        ["NAME", "SERVICE", "STATE", "HEALTH", "IMAGE", "PORTS", "UPTIME", "RESTARTS"].map(str::to_owned),
    ];
    lines.extend(rows.iter().map(|row| {
        [
            row.container.clone(),
            row.service.clone(),
            state_of(row),
            health(row),
            if row.standin { format!("{} (stand-in)", row.image) } else { row.image.clone() },
            ports(&row.ports),
            row.uptime.map_or_else(|| "-".to_owned(), uptime),
            row.restarts.to_string(),
        ]
    }));
    let mut widths = [0; 8];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn state_of(row: &Row) -> String {
    let memory = if row.out_of_memory { ", out of memory" } else { "" };
    match (&row.exit, row.state) {
        (Some(exit), RunState::Exited | RunState::Dead | RunState::Restarting) => {
            format!("{} ({}{memory})", row.state.as_str(), exit.code)
        }
        _ => row.state.as_str().to_owned(),
    }
}

fn health(row: &Row) -> String {
    if row.health == Health::None || row.uptime.is_none() {
        return "-".to_owned();
    }
    if row.proved {
        return "healthy (checked when it started)".to_owned();
    }
    let probe = row.probe.as_deref().and_then(|output| output.lines().next()).unwrap_or_default().trim();
    match probe {
        "" => row.health.as_str().to_owned(),
        probe => {
            let mut shown: String = probe.chars().filter(|c| !c.is_control()).take(PROBE).collect();
            if probe.chars().count() > PROBE {
                shown.push('…');
            }
            format!("{} ({shown})", row.health.as_str())
        }
    }
}

pub(crate) fn ports(ports: &[PublishedPort]) -> String {
    let one = |port: &PublishedPort| {
        let ip = if port.host_ip.is_empty() { "0.0.0.0" } else { &port.host_ip };
        let inside = format!("{}/{}", port.container, port.protocol);
        // without a port of the host it is there for the other containers
        port.host.map_or_else(|| inside.clone(), |host| format!("{ip}:{host}->{inside}"))
    };
    let shown: Vec<String> = ports.iter().map(one).collect();
    if shown.is_empty() { "-".to_owned() } else { shown.join(", ") }
}

pub(crate) fn uptime(seconds: u64) -> String {
    match seconds {
        0..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} min", seconds / 60),
        3600..=86_399 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_stack::ExitMeaning;

    use super::*;

    #[test]
    fn the_table_tells_what_is_wrong() {
        let row = Row {
            service: "web".into(),
            container: "shop-web-1".into(),
            state: RunState::Running,
            exit: None,
            out_of_memory: false,
            health: Health::Unhealthy,
            proved: false,
            probe: Some("connect: connection refused\nmore".into()),
            image: "shop:1".into(),
            standin: false,
            ports: vec![PublishedPort {
                container: 80,
                protocol: "tcp".into(),
                host_ip: "0.0.0.0".into(),
                host: Some(8080),
            }],
            started: String::new(),
            uptime: Some(3_725),
            restarts: 2,
        };
        let ended = Row {
            service: "job".into(),
            container: "shop-job-1".into(),
            state: RunState::Exited,
            exit: Some(ExitMeaning::of(137)),
            out_of_memory: true,
            health: Health::None,
            standin: true,
            ports: Vec::new(),
            uptime: None,
            restarts: 0,
            ..row.clone()
        };
        let expected = "\
NAME        SERVICE  STATE                        HEALTH                                   IMAGE              PORTS                 UPTIME     RESTARTS
shop-web-1  web      running                      unhealthy (connect: connection refused)  shop:1             0.0.0.0:8080->80/tcp  1 h 2 min  2
shop-job-1  job      exited (137, out of memory)  -                                        shop:1 (stand-in)  -                     -          0
";
        assert_eq!(table(&[row, ended]), expected);
    }
}
