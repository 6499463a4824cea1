//! `plimsoll port`: where a container's port is published.

use std::process::ExitCode;

use plimsoll_stack::labels;

use crate::{
    error::CommandError,
    project::ProjectArgs,
    stack::{self, failed},
};

/// Print the address of the host that leads to a port of a service
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Service
    service: String,
    /// Port in the container
    port: u16,
    /// `tcp`, `udp` or `sctp`
    #[arg(long, default_value = "tcp")]
    protocol: String,
    /// Number of the container, if the service has several
    #[arg(long, value_name = "N", default_value_t = 1)]
    index: u32,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let name = stack::project_name(&args.project)?;
    let filter = [
        format!("{}={name}", labels::PROJECT),
        format!("{}={}", labels::SERVICE, args.service),
        format!("{}={}", labels::NUMBER, args.index),
        format!("{}=False", labels::ONEOFF),
    ];
    let found = stack::with_engine(|engine| async move {
        engine.containers_labelled(&filter).await.map_err(|error| failed(error.into()))
    })?;
    let Some(container) = found.first() else {
        return Err(CommandError::new(
            format!("project {name} has no container {} of service {}", args.index, args.service),
            "`plimsoll ps` lists those that exist",
        ));
    };
    let published = container
        .ports
        .iter()
        .find(|port| port.container == args.port && port.protocol == args.protocol && port.host.is_some());
    match published.and_then(|port| Some((port, port.host?))) {
        Some((port, host)) => {
            let ip = if port.host_ip.is_empty() { "0.0.0.0" } else { &port.host_ip };
            let ip = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
            outln!("{ip}:{host}");
            Ok(ExitCode::SUCCESS)
        }
        None => Err(CommandError::new(
            format!("port {}/{} of {} is not published", args.port, args.protocol, container.name),
            "publish it under `ports:`, and see that the container runs",
        )),
    }
}
