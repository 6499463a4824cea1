//! `plimsoll ps`: the containers of a project.

use std::process::ExitCode;

use plimsoll_engine::{Health, PublishedPort, RunState};
use plimsoll_stack::{Row, ps};

use crate::{
    error::CommandError,
    project::ProjectArgs,
    stack::{self, failed},
};

/// Characters of a probe's output in the table; `--json` has all of it.
const PROBE: usize = 40;

/// Show the project's containers: state, health with the last probe, ports, uptime, restarts
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let name = stack::project_name(&args.project)?;
    let state = stack::states()?.join(&name);
    let rows = stack::with_engine(|engine| async move { ps(&engine, &name, &state).await.map_err(failed) })?;
    if args.json {
        let text = serde_json::to_string_pretty(&rows).map_err(|error| CommandError::from_error(&error))?;
        outln!("{text}");
    } else {
        out!("{}", table(&rows));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[Row]) -> String {
    let mut lines =
        vec![["SERVICE", "STATE", "HEALTH", "IMAGE", "PORTS", "UPTIME", "RESTARTS"].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        [
            row.service.clone(),
            state(row),
            health(row),
            if row.standin { format!("{} (stand-in)", row.image) } else { row.image.clone() },
            ports(&row.ports),
            row.uptime.map_or_else(|| "-".to_owned(), uptime),
            row.restarts.to_string(),
        ]
    }));
    let mut widths = [0; 7];
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

fn state(row: &Row) -> String {
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
        return "healthy (by the probe of up)".to_owned();
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
    let shown: Vec<String> = ports
        .iter()
        .filter_map(|port| {
            let ip = if port.host_ip.is_empty() { "0.0.0.0" } else { &port.host_ip };
            Some(format!("{ip}:{}->{}/{}", port.host?, port.container, port.protocol))
        })
        .collect();
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
SERVICE  STATE                        HEALTH                                   IMAGE              PORTS                 UPTIME     RESTARTS
web      running                      unhealthy (connect: connection refused)  shop:1             0.0.0.0:8080->80/tcp  1 h 2 min  2
job      exited (137, out of memory)  -                                        shop:1 (stand-in)  -                     -          0
";
        assert_eq!(table(&[row, ended]), expected);
    }
}
