//! `plimsoll events`: what happens to a project's containers, as it happens.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use futures_util::StreamExt as _;
use plimsoll_engine::{Event, EventFilter};
use plimsoll_ops::{Failure, stack, times::since};
use plimsoll_stack::labels;
use serde_json::json;

use crate::project::ProjectArgs;

/// Show events of the project's containers: starts, ends with exit codes, health, kills for lack of memory
///
/// Those of health probes themselves are left out.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only of these services
    services: Vec<String>,
    /// From then on, also past ones that the engine remembers: a time, or a span before now like `10m`
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<i64>,
    /// Up to then: `0s` ends with what the engine remembers
    #[arg(long, value_name = "TIME", value_parser = since)]
    until: Option<i64>,
    /// One JSON object per line: time, action, service, container, id, attributes
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let target = stack::target(&args.project, &args.services)?;
    if let Some(service) = args.services.iter().find(|name| target.project.is_some() && !target.knows(name)) {
        return Err(target.no_service(service));
    }
    let project = target.name;
    stack::with_engine(|engine| async move {
        let filter = EventFilter {
            labels: vec![format!("{}={project}", labels::PROJECT)],
            since: args.since,
            // that second itself included
            until: args.until.map(|second| second + 1),
        };
        let mut events = engine.events(&filter);
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                _ = tokio::signal::ctrl_c() => None,
            };
            let Some(event) = event else { return Ok(ExitCode::SUCCESS) };
            let event = event?;
            let service = event.attributes.get(labels::SERVICE).cloned().unwrap_or_default();
            if !args.services.is_empty() && !args.services.contains(&service) {
                continue;
            }
            let line = if args.json { as_json(&event, &service) } else { as_text(&event, &service) };
            if writeln!(io::stdout().lock(), "{line}").is_err() {
                // nobody reads any more
                return Ok(ExitCode::SUCCESS);
            }
        }
    })
}

fn time(event: &Event) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(event.time))
        .map_or_else(|_| "-".into(), |time| time.to_string())
}

fn as_json(event: &Event, service: &str) -> String {
    json!({
        "time": time(event),
        "type": "container",
        "action": event.action,
        "service": service,
        "container": event.name(),
        "id": event.id,
        "attributes": event.attributes,
    })
    .to_string()
}

fn as_text(event: &Event, service: &str) -> String {
    let mut line = format!("{} {} {} {service}", time(event), event.action, event.name());
    if let Some(code) = event.exit_code() {
        line.push_str(&format!(" (exit code {code})"));
    }
    plimsoll_source::printable_line(&line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_shown_with_its_exit_code() {
        let event = Event {
            action: "die".into(),
            id: "abc".into(),
            attributes: [
                ("name".to_owned(), "shop-web-1".to_owned()),
                ("exitCode".to_owned(), "137".to_owned()),
            ]
            .into(),
            time: 1_700_000_000_500_000_000,
        };
        assert_eq!(as_text(&event, "web"), "2023-11-14T22:13:20.5Z die shop-web-1 web (exit code 137)");
        let parsed: serde_json::Value = serde_json::from_str(&as_json(&event, "web")).unwrap();
        assert_eq!(parsed["attributes"]["exitCode"], "137");
    }
}
