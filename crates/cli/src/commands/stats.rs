//! `plimsoll stats`: what containers use, against their limits.

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use plimsoll_ops::{Failure, stack};
use plimsoll_stack::{Meter, Usage};
use serde_json::{Map, Value, json};

use crate::{
    project::ProjectArgs,
    table::{bytes, table},
    template::{self, Format},
};

/// Between two samples.
const PERIOD: Duration = Duration::from_secs(1);

/// Show what containers use: CPU and memory against their limits, processes, kills for lack of memory
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these services
    services: Vec<String>,
    /// Once, instead of every second until Ctrl-C; also when the output is no terminal
    #[arg(long)]
    no_stream: bool,
    /// Ended containers too
    #[arg(short, long)]
    all: bool,
    /// `table`, `json`, or a template like `table {{.Name}}\t{{.CPUPerc}}`
    #[arg(long, value_name = "FORM")]
    format: Option<String>,
    /// Names are never cut short; accepted for the habit
    #[arg(long, hide = true)]
    no_trunc: bool,
    /// As JSON: an array for each sample
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

const HEADINGS: [(&str, &str); 7] = [
    ("Container", "CONTAINER"),
    ("CPUPerc", "CPU %"),
    ("MemPerc", "MEM %"),
    ("MemUsage", "MEM USAGE / LIMIT"),
    ("Name", "NAME"),
    ("PIDs", "PIDS"),
    ("Service", "SERVICE"),
];

/// A container with the fields of docker's statistics that are measured here.
fn fields(row: &Usage) -> Map<String, Value> {
    let share = |used: f64, limit: f64| {
        if limit > 0.0 { format!("{:.2}%", 100.0 * used / limit) } else { "0.00%".to_owned() }
    };
    let fields = json!({
        "Container": row.container,
        // of one CPU, as docker counts
        "CPUPerc": share(row.cpus.unwrap_or(0.0), 1.0),
        "MemPerc": share(row.memory as f64, row.memory_limit as f64),
        "MemUsage": format!("{} / {}", bytes(row.memory), bytes(row.memory_limit)),
        "Name": row.container,
        "PIDs": row.pids.to_string(),
        "Service": row.service,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let project = stack::project_name(&args.project)?;
    let terminal = std::io::stdout().is_terminal();
    let format = Format::parse(args.format.as_deref().unwrap_or_default(), true)?;
    let once = args.no_stream || (!terminal && !args.json && format == Format::Table);
    stack::with_engine(|engine| async move {
        let mut meter = Meter::default();
        // CPU use is a difference of two samples
        meter.sample(&engine, &project, &args.services, args.all).await?;
        loop {
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
            }
            let rows = meter.sample(&engine, &project, &args.services, args.all).await?;
            if args.json {
                let text = serde_json::to_string(&rows)?;
                println!("{text}");
            } else if format != Format::Table {
                let rows: Vec<_> = rows.iter().map(fields).collect();
                match template::render(&format, &HEADINGS, &rows)? {
                    Some(text) => out!("{text}"),
                    None => {
                        for row in rows {
                            println!("{}", Value::Object(row));
                        }
                    }
                }
            } else {
                if !once {
                    // from the top of a cleared screen; not colour, so NO_COLOR does not take it away
                    let _ = std::io::stdout().write_all(b"\x1b[H\x1b[2J");
                }
                out!("{}", render(&rows));
            }
            if once {
                return Ok(ExitCode::SUCCESS);
            }
        }
    })
}

fn render(rows: &[Usage]) -> String {
    let cells: Vec<[String; 7]> = rows
        .iter()
        .map(|row| {
            let share = |used: f64, limit: f64| {
                if limit > 0.0 { format!("{:.1} %", 100.0 * used / limit) } else { "-".to_owned() }
            };
            [
                row.service.clone(),
                row.container.clone(),
                row.cpus.map_or_else(
                    || "-".to_owned(),
                    |cpus| format!("{cpus:.2} of {} ({})", row.cpu_limit, share(cpus, row.cpu_limit)),
                ),
                format!(
                    "{} of {}{}",
                    bytes(row.memory),
                    bytes(row.memory_limit),
                    if row.memory_limited { "" } else { " (host)" }
                ),
                share(row.memory as f64, row.memory_limit as f64),
                match row.pids_limit {
                    Some(limit) => format!("{} of {limit}", row.pids),
                    None => row.pids.to_string(),
                },
                row.oom_kills.to_string(),
            ]
        })
        .collect();
    table(["SERVICE", "CONTAINER", "CPU", "MEMORY", "MEM %", "PIDS", "OOM KILLS"], &cells)
}

#[cfg(test)]
mod tests {
    use plimsoll_engine::RunState;

    use super::*;

    #[test]
    fn use_is_shown_against_the_limits() {
        let row = Usage {
            service: "web".into(),
            container: "shop-web-1".into(),
            state: RunState::Running,
            cpus: Some(0.25),
            cpu_limit: 0.5,
            memory: 32 << 20,
            memory_limit: 64 << 20,
            memory_limited: true,
            memory_peak: None,
            pids: 3,
            pids_limit: Some(100),
            oom_kills: 2,
        };
        let free = Usage {
            service: "db".into(),
            cpus: None,
            memory_limited: false,
            memory_limit: 8 << 30,
            pids_limit: None,
            oom_kills: 0,
            ..row.clone()
        };
        let text = render(&[row, free]);
        insta::assert_snapshot!(text, @r"
        SERVICE  CONTAINER   CPU                   MEMORY                      MEM %   PIDS      OOM KILLS
        web      shop-web-1  0.25 of 0.5 (50.0 %)  32.0 MiB of 64.0 MiB        50.0 %  3 of 100  2
        db       shop-web-1  -                     32.0 MiB of 8.0 GiB (host)  0.4 %   3         0
        ");
    }
}
