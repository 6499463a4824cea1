//! `plimsoll port`: where a container's port is published.

use std::process::ExitCode;

use plimsoll_ops::{
    Failure,
    pick::{self, Pick},
    stack,
};

use crate::project::ProjectArgs;

/// Print the address of the host that leads to a port of a service
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Service
    service: String,
    /// Port in the container, `PORT[/PROTOCOL]`
    #[arg(value_parser = port)]
    port: (u16, Option<String>),
    /// `tcp`, `udp` or `sctp`
    #[arg(long, default_value = "tcp", value_parser = ["tcp", "udp", "sctp"])]
    protocol: String,
    /// Number of the container, if the service has several
    #[arg(long, value_name = "N")]
    index: Option<u32>,
}

fn port(text: &str) -> Result<(u16, Option<String>), String> {
    let (number, protocol) = text.split_once('/').map_or((text, None), |(number, rest)| (number, Some(rest)));
    let number = number.parse().map_err(|_| format!("`{number}` is no port"))?;
    match protocol {
        None | Some("tcp" | "udp" | "sctp") => Ok((number, protocol.map(str::to_owned))),
        Some(other) => Err(format!("`{other}` is no protocol: there are tcp, udp and sctp")),
    }
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let target = stack::target(&args.project, std::slice::from_ref(&args.service))?;
    let (wanted, written) = args.port;
    let protocol = written.unwrap_or(args.protocol);
    let pick = Pick { service: &args.service, index: args.index, one_offs: false, running: false };
    let container = stack::with_engine(|engine| async move { pick::one(&engine, &target, pick).await })?;
    let published = container
        .ports
        .iter()
        .find(|port| port.container == wanted && port.protocol == protocol && port.host.is_some());
    match published.and_then(|port| Some((port, port.host?))) {
        Some((port, host)) => {
            let ip = if port.host_ip.is_empty() { "0.0.0.0" } else { &port.host_ip };
            let ip = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
            outln!("{ip}:{host}");
            Ok(ExitCode::SUCCESS)
        }
        None => Err(Failure::new(
            format!("port {wanted}/{protocol} of {} is not published", container.name),
            "publish it under `ports:`, and see that the container runs",
        )),
    }
}
