//! Makes the namespace of a gate: a loopback interface, a tun device with addresses, and the routes to it.

use std::{
    fs::{File, OpenOptions},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::{libc, net::if_::if_nametoindex};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use super::HOST_GATEWAY;

/// How the device is called inside, as the interface of a container is.
const INTERFACE: &str = "eth0";
/// Packets only cross memory, so they may be large.
pub(super) const MTU: u16 = 65_520;
/// The step's own address.
const STEP: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 2);
/// The network of the step and the gate.
pub(super) const PREFIX: u8 = 29;
/// The same for version 6; a local network of nobody else's.
const STEP_SIX: Ipv6Addr = Ipv6Addr::new(0xfd70, 0x6c69, 0x6d73, 0, 0, 0, 0, 2);
/// The gate in it.
pub(super) const GATE_SIX: Ipv6Addr = Ipv6Addr::new(0xfd70, 0x6c69, 0x6d73, 0, 0, 0, 0, 1);
pub(super) const PREFIX_SIX: u8 = 64;

/// What a gate and its steps need of the namespace.
pub(super) struct Made {
    pub(super) device: OwnedFd,
    pub(super) namespace: OwnedFd,
}

/// Makes everything; this process is in the new namespace then. The error is a sentence for people.
pub(super) fn make(version_six: bool) -> Result<Made, String> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
        .map_err(|error| format!("cannot make a network namespace: {}", io::Error::from(error)))?;
    let device = tun().map_err(|error| format!("cannot use /dev/net/tun: {error}{}", what_helps(&error)))?;
    configure(version_six).map_err(|error| format!("cannot set up the network interface: {error}"))?;
    let namespace =
        File::open("/proc/self/ns/net").map_err(|error| format!("cannot open /proc/self/ns/net: {error}"))?;
    Ok(Made { device, namespace: namespace.into() })
}

/// What whoever runs the machine can do about a device that cannot be used.
fn what_helps(error: &io::Error) -> &'static str {
    match error.kind() {
        // systemd's 50-udev-default.rules
        io::ErrorKind::PermissionDenied => {
            "; it is there for every user where udev runs: chmod 0666 /dev/net/tun, as root"
        }
        io::ErrorKind::NotFound => "; the kernel's module makes it: modprobe tun, as root",
        _ => "",
    }
}

fn tun() -> io::Result<OwnedFd> {
    const IFF_TUN: libc::c_short = 1;
    const IFF_NO_PI: libc::c_short = 0x1000;
    let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: `ifreq` is plain data, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(INTERFACE.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = IFF_TUN | IFF_NO_PI;
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which outlives the call.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    rustix::io::ioctl_fionbio(&file, true)?;
    Ok(file.into())
}

fn configure(version_six: bool) -> io::Result<()> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)
        .map_err(io::Error::from)?;
    let index = if_nametoindex(INTERFACE)?;
    up(&socket, 1, None)?;
    up(&socket, index, Some(u32::from(MTU)))?;
    address(&socket, index, STEP.into(), PREFIX)?;
    route(&socket, index, HOST_GATEWAY.into())?;
    if version_six {
        address(&socket, index, STEP_SIX.into(), PREFIX_SIX)?;
        route(&socket, index, GATE_SIX.into())?;
    }
    Ok(())
}

const ACKNOWLEDGE: u16 = 1 | 4;
const CREATE: u16 = 0x400 | 0x200;

/// `RTM_NEWLINK`: brings an interface up.
fn up(socket: &OwnedFd, index: u32, mtu: Option<u32>) -> io::Result<()> {
    const UP: u32 = 1;
    const IFLA_MTU: u16 = 4;
    let mut body = vec![0; 4];
    body.extend(index.to_ne_bytes());
    body.extend(UP.to_ne_bytes());
    body.extend(UP.to_ne_bytes());
    if let Some(mtu) = mtu {
        attribute(&mut body, IFLA_MTU, &mtu.to_ne_bytes());
    }
    ask(socket, 16, ACKNOWLEDGE, &body)
}

/// `RTM_NEWADDR`
fn address(socket: &OwnedFd, index: u32, address: IpAddr, prefix: u8) -> io::Result<()> {
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    /// Nobody else is on this link who could have the address.
    const NO_DETECTION: u8 = 2;
    let (family, bytes) = parts(address);
    let flags = if address.is_ipv6() { NO_DETECTION } else { 0 };
    let mut body = vec![family, prefix, flags, 0];
    body.extend(index.to_ne_bytes());
    attribute(&mut body, IFA_LOCAL, &bytes);
    attribute(&mut body, IFA_ADDRESS, &bytes);
    ask(socket, 20, ACKNOWLEDGE | CREATE, &body)
}

/// `RTM_NEWROUTE`: everything goes to the gate.
fn route(socket: &OwnedFd, index: u32, gate: IpAddr) -> io::Result<()> {
    const MAIN: u8 = 254;
    const STATIC: u8 = 4;
    const UNICAST: u8 = 1;
    const RTA_OIF: u16 = 4;
    const RTA_GATEWAY: u16 = 5;
    let (family, bytes) = parts(gate);
    let mut body = vec![family, 0, 0, 0, MAIN, STATIC, 0, UNICAST, 0, 0, 0, 0];
    attribute(&mut body, RTA_GATEWAY, &bytes);
    attribute(&mut body, RTA_OIF, &index.to_ne_bytes());
    ask(socket, 24, ACKNOWLEDGE | CREATE, &body)
}

fn parts(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(v4) => (libc::AF_INET as u8, v4.octets().to_vec()),
        IpAddr::V6(v6) => (libc::AF_INET6 as u8, v6.octets().to_vec()),
    }
}

fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = 4 + value.len();
    body.extend((length as u16).to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Sends one message of rtnetlink and waits for the kernel's answer.
fn ask(socket: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
    let mut message = Vec::with_capacity(16 + body.len());
    message.extend(((16 + body.len()) as u32).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    message.extend(body);
    send(socket, &message, SendFlags::empty())?;
    let mut answer = [0; 1024];
    let (length, _) = recv(socket, &mut answer[..], RecvFlags::empty())?;
    // header (16 bytes), then the negated error number
    match answer.get(16..20).filter(|_| length >= 20) {
        Some(&[a, b, c, d]) => match i32::from_ne_bytes([a, b, c, d]) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(-error)),
        },
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
