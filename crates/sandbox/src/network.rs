//! A network of a step's own, with a way out.
//!
//! ```text
//!   step ── tun device ──┐                          ┌── sockets of the host ── the world
//!   (its own namespace)  └── gate (its own process) ┘
//! ```
//!
//! The *gate* is the running binary executed again. It makes a network namespace that has a loopback interface and a
//! tun device, gives all its privileges up, and carries what arrives on the device: it ends each TCP connection in a TCP
//! stack of its own (smoltcp) and makes the same connection by a socket of the host, and does the same for UDP. Root and
//! ordinary users get the same network, and nothing of the host is changed for it: no bridge, no firewall rule, no
//! forwarding, no address that could collide. [`policy`] says which addresses are out of reach.
//!
//! A namespace takes tens of milliseconds to be taken away, so a gate serves one step after the other, and several are
//! there when several steps run at once. Nobody waits for the end of one: it ends when the caller does.

mod device;
mod doors;
mod flows;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gate;
mod names;
mod policy;
mod setup;

use std::{
    net::SocketAddr,
    os::{fd::OwnedFd, unix::net::UnixStream, unix::process::CommandExt as _},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    process::{ExtraHost, Process},
    wire,
};

pub(crate) use doors::{doors, seen_from_inside};
pub(crate) use gate::serve;
pub(crate) use names::resolv_conf;

/// The name by which a gate knows itself.
pub(crate) const ARG0: &str = "plimsoll-sandbox-gate";

/// The address that stands for the host where a step may reach it: names, doors, `host-gateway`.
///
/// From 192.0.0.0/29, which the registry of special addresses gives to nobody's network (RFC 7335).
pub(crate) const HOST_GATEWAY: std::net::Ipv4Addr = std::net::Ipv4Addr::new(192, 0, 0, 1);

/// What one step may reach beside the world.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pass {
    /// Services on the host's loopback addresses, each seen as its port of [`HOST_GATEWAY`].
    pub(crate) doors: Vec<SocketAddr>,
    /// Whether the other ports of [`HOST_GATEWAY`] are those of the host's own address.
    pub(crate) host: bool,
}

impl Pass {
    pub(crate) fn of(step: &Process) -> Self {
        let host = step.hosts.iter().any(|host| host.address == ExtraHost::GATEWAY);
        Self { doors: doors(&step.proxies), host }
    }
}

/// What the caller tells a gate.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// A step begins.
    Begin(Pass),
    /// It has ended: nothing of it may last.
    End,
}

/// A gate's first words.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Greeting {
    /// The namespace follows.
    Ready,
    /// There is no network to be had.
    Refused(String),
}

/// What the helper of a step hears about its network.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Way {
    /// The namespace follows.
    Given,
    /// Why there is none.
    Refused(String),
}

/// Gates that serve no step at the moment.
static IDLE: Mutex<Vec<Gate>> = Mutex::new(Vec::new());

/// A gate that serves one step; back among the idle ones when it is dropped.
pub(crate) struct Lease(Option<Gate>);

struct Gate {
    socket: UnixStream,
    namespace: OwnedFd,
    child: Child,
}

impl Lease {
    /// A network for one step. The error is a sentence for people.
    pub(crate) fn take(pass: Pass) -> Result<Self, String> {
        loop {
            let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let fresh = idle.is_none();
            let gate = match idle {
                Some(gate) => gate,
                None => Gate::start()?,
            };
            match wire::send(&gate.socket, &Order::Begin(pass.clone())) {
                Ok(()) => return Ok(Self(Some(gate))),
                // Somebody has ended it.
                Err(_) if !fresh => gate.end(),
                Err(error) => {
                    gate.end();
                    return Err(format!("its process does not listen: {error}"));
                }
            }
        }
    }

    /// Gives the namespace to the helper at the other end of `socket`.
    pub(crate) fn hand_over(&self, socket: &UnixStream) -> std::io::Result<()> {
        use std::os::fd::AsFd as _;
        let Some(gate) = &self.0 else { return Ok(()) };
        wire::send_file(socket, gate.namespace.as_fd())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(gate) = self.0.take() else { return };
        match wire::send(&gate.socket, &Order::End) {
            Ok(()) => IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(gate),
            Err(_) => gate.end(),
        }
    }
}

impl Gate {
    fn start() -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot start its process: {error}");
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let mut child = Command::new("/proc/self/exe")
            .arg0(ARG0)
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let silent = || "its process ended without a word".to_owned();
        let namespace = match wire::receive(&ours).ok().flatten() {
            Some(Greeting::Ready) => wire::receive_file(&ours).map_err(|_| silent()),
            Some(Greeting::Refused(reason)) => Err(reason),
            None => Err(silent()),
        };
        match namespace {
            Ok(namespace) => Ok(Self { socket: ours, namespace, child }),
            Err(reason) => {
                // It ends when nobody listens to it.
                drop(ours);
                let _ = child.wait();
                Err(reason)
            }
        }
    }

    fn end(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
