//! Carries what a step sends: TCP connections are ended here and made again by the host, UDP is passed on.
//!
//! Everything that a step can make is bounded: connections, their buffers, conversations of UDP. What does not fit is
//! refused, and what is no TCP or UDP is dropped.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::PollFlags,
    net::{AddressFamily, Shutdown, SocketFlags, SocketType, connect, shutdown, socket_with, sockopt},
};
use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    phy::ChecksumCapabilities,
    socket::tcp,
    wire::{
        HardwareAddress, IpAddress, IpCidr, IpListenEndpoint, IpProtocol, IpRepr, Ipv4Packet, Ipv6Packet,
        TcpPacket, UdpPacket, UdpRepr,
    },
};

use super::{
    HOST_GATEWAY, Pass,
    device::Tun,
    policy,
    setup::{GATE_SIX, PREFIX, PREFIX_SIX},
};

/// Connections of one step at a time; more are refused.
const CONNECTIONS: usize = 400;
/// Conversations of UDP at a time; the one that was silent longest makes room.
const CONVERSATIONS: usize = 200;
/// For each direction of a connection.
const BUFFER: usize = 256 << 10;
/// How long a conversation may be silent.
const SILENCE: Duration = Duration::from_mins(1);
/// Packets that are read in a row before what they cause is done.
const BURST: usize = 64;

/// Where a packet comes from and goes to.
type Pair = (SocketAddr, SocketAddr);

/// Everything that one step has under way.
pub(super) struct Flows {
    pub(super) tun: Tun,
    interface: Interface,
    sockets: SocketSet<'static>,
    connections: HashMap<Pair, Connection>,
    conversations: HashMap<Pair, Conversation>,
    pass: Pass,
    servers: Vec<SocketAddr>,
}

struct Connection {
    handle: SocketHandle,
    host: OwnedFd,
    state: State,
    /// The step will send no more, and the host knows.
    step_done: bool,
    /// The host's side will send no more, and the step's side was told.
    host_done: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Open,
    /// Its last packet is to go out, then it is forgotten.
    Ended,
}

struct Conversation {
    host: UdpSocket,
    heard: Instant,
}

/// Who waits for what.
#[derive(Clone, Copy, Debug)]
pub(super) enum Waiting {
    Connection(Pair),
    Conversation(Pair),
}

fn now() -> smoltcp::time::Instant {
    smoltcp::time::Instant::now()
}

impl Flows {
    pub(super) fn new(device: OwnedFd) -> Self {
        let mut tun = Tun::new(device);
        let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut tun, now());
        interface.update_ip_addrs(|addresses| {
            // Two fit.
            let _ = addresses.push(IpCidr::new(HOST_GATEWAY.into(), PREFIX));
            let _ = addresses.push(IpCidr::new(GATE_SIX.into(), PREFIX_SIX));
        });
        interface.set_any_ip(true);
        Self {
            tun,
            interface,
            sockets: SocketSet::new(Vec::new()),
            connections: HashMap::new(),
            conversations: HashMap::new(),
            pass: Pass::default(),
            servers: Vec::new(),
        }
    }

    /// A step begins; nothing is left of the one before.
    pub(super) fn begin(&mut self, pass: Pass, servers: Vec<SocketAddr>) {
        self.end();
        (self.pass, self.servers) = (pass, servers);
    }

    /// Drops everything that is under way.
    pub(super) fn end(&mut self) {
        self.connections.clear();
        self.conversations.clear();
        self.sockets = SocketSet::new(Vec::new());
        self.tun.queue.clear();
        self.pass = Pass::default();
        self.servers.clear();
    }

    /// Reads what the step has sent.
    ///
    /// # Errors
    /// When the device is gone.
    pub(super) fn read(&mut self) -> io::Result<()> {
        for _ in 0..BURST {
            let Some(packet) = self.tun.next()? else { break };
            let Some((protocol, from, to, head)) = addresses(packet) else { continue };
            match protocol {
                IpProtocol::Tcp => {
                    let Ok(segment) = TcpPacket::new_checked(&packet[head..]) else { continue };
                    let pair =
                        (SocketAddr::new(from, segment.src_port()), SocketAddr::new(to, segment.dst_port()));
                    let first = segment.syn() && !segment.ack();
                    let packet = packet.to_vec();
                    if first && self.connections.get(&pair).is_some_and(|it| it.state == State::Connecting) {
                        // Asked again, while the host's own connection is on its way.
                        continue;
                    }
                    if first {
                        self.open(pair);
                    }
                    self.tun.queue.push_back(packet);
                }
                IpProtocol::Udp => {
                    let Ok(datagram) = UdpPacket::new_checked(&packet[head..]) else { continue };
                    let pair = (
                        SocketAddr::new(from, datagram.src_port()),
                        SocketAddr::new(to, datagram.dst_port()),
                    );
                    let payload = datagram.payload().to_vec();
                    self.pass_on(pair, &payload);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Starts the host's side of a connection. Without one, the TCP stack refuses the step's.
    fn open(&mut self, pair: Pair) {
        if let Some(old) = self.connections.remove(&pair) {
            self.sockets.remove(old.handle);
        }
        if self.connections.len() >= CONNECTIONS || pair.1.port() == 0 {
            return;
        }
        let Some(target) = policy::target(pair.1, &self.pass, &self.servers) else { return };
        let Ok(host) = dial(target) else { return };
        let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        // The step is answered once the host was.
        socket.pause_synack(true);
        let local = IpListenEndpoint { addr: Some(IpAddress::from(pair.1.ip())), port: pair.1.port() };
        if socket.listen(local).is_err() {
            return;
        }
        let handle = self.sockets.add(socket);
        let connection =
            Connection { handle, host, state: State::Connecting, step_done: false, host_done: false };
        self.connections.insert(pair, connection);
    }

    fn pass_on(&mut self, pair: Pair, payload: &[u8]) {
        if !self.conversations.contains_key(&pair) {
            let Some(target) = policy::target(pair.1, &self.pass, &self.servers) else { return };
            let Ok(host) = converse(target) else { return };
            if self.conversations.len() >= CONVERSATIONS
                && let Some(oldest) =
                    self.conversations.iter().min_by_key(|(_, it)| it.heard).map(|(pair, _)| *pair)
            {
                self.conversations.remove(&oldest);
            }
            self.conversations.insert(pair, Conversation { host, heard: Instant::now() });
        }
        if let Some(conversation) = self.conversations.get_mut(&pair) {
            conversation.heard = Instant::now();
            // A datagram that cannot be sent is lost, as datagrams are.
            let _ = conversation.host.send(payload);
        }
    }

    /// Something can be done for `who`.
    pub(super) fn serve(&mut self, who: Waiting, ready: PollFlags) {
        match who {
            Waiting::Connection(pair) => {
                let Some(connection) = self.connections.get_mut(&pair) else { return };
                if connection.state == State::Connecting && !ready.is_empty() {
                    let socket = self.sockets.get_mut::<tcp::Socket<'_>>(connection.handle);
                    match sockopt::socket_error(&connection.host) {
                        Ok(Ok(())) => {
                            socket.pause_synack(false);
                            connection.state = State::Open;
                        }
                        _ => {
                            socket.abort();
                            connection.state = State::Ended;
                        }
                    }
                }
            }
            Waiting::Conversation(pair) => {
                let mut buffer = vec![0; usize::from(u16::MAX)];
                for _ in 0..BURST {
                    let Some(conversation) = self.conversations.get_mut(&pair) else { return };
                    let Ok(length) = conversation.host.recv(&mut buffer) else { return };
                    conversation.heard = Instant::now();
                    if let Some(packet) = datagram(pair, &buffer[..length]) {
                        self.tun.write(&packet);
                    }
                }
            }
        }
    }

    /// Moves bytes in both directions until nothing moves any more; says how long nothing has to be done.
    pub(super) fn go_on(&mut self) -> Option<Duration> {
        loop {
            self.interface.poll(now(), &mut self.tun, &mut self.sockets);
            let mut moved = false;
            for connection in self.connections.values_mut() {
                let socket = self.sockets.get_mut::<tcp::Socket<'_>>(connection.handle);
                moved |= connection.move_bytes(socket);
            }
            if !moved {
                break;
            }
        }
        // What was ended has sent its last packet by now.
        let (connections, sockets) = (&mut self.connections, &mut self.sockets);
        connections.retain(|_, connection| {
            let state = sockets.get::<tcp::Socket<'_>>(connection.handle).state();
            let over = connection.state == State::Ended
                || (connection.state == State::Open
                    && matches!(state, tcp::State::Closed | tcp::State::TimeWait));
            if over {
                sockets.remove(connection.handle);
            }
            !over
        });
        self.conversations.retain(|_, conversation| conversation.heard.elapsed() < SILENCE);
        let delay = self.interface.poll_delay(now(), &self.sockets);
        let delay = delay.map(|delay| Duration::from_micros(delay.total_micros()));
        if self.conversations.is_empty() { delay } else { Some(delay.unwrap_or(SILENCE).min(SILENCE)) }
    }

    /// What to wait for.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags, Waiting)> {
        let connections = self.connections.iter().filter_map(|(pair, connection)| {
            let socket = self.sockets.get::<tcp::Socket<'_>>(connection.handle);
            let flags = connection.wants(socket);
            (!flags.is_empty()).then(|| (connection.host.as_fd(), flags, Waiting::Connection(*pair)))
        });
        let conversations = self.conversations.iter().map(|(pair, conversation)| {
            (conversation.host.as_fd(), PollFlags::IN, Waiting::Conversation(*pair))
        });
        connections.chain(conversations)
    }
}

impl Connection {
    fn wants(&self, socket: &tcp::Socket<'_>) -> PollFlags {
        match self.state {
            State::Connecting => PollFlags::OUT,
            State::Ended => PollFlags::empty(),
            State::Open => {
                let mut flags = PollFlags::empty();
                if socket.can_recv() {
                    flags |= PollFlags::OUT;
                }
                if !self.host_done && socket.can_send() {
                    flags |= PollFlags::IN;
                }
                flags
            }
        }
    }

    /// As much as goes without waiting; whether anything went.
    fn move_bytes(&mut self, socket: &mut tcp::Socket<'_>) -> bool {
        if self.state != State::Open {
            return false;
        }
        let mut moved = false;
        let mut broken = false;
        while socket.can_recv() {
            let sent = socket.recv(|bytes| match rustix::io::write(&self.host, bytes) {
                Ok(length) => (length, Ok(length)),
                Err(error) => (0, Err(error)),
            });
            match sent {
                Ok(Ok(1..)) => moved = true,
                Ok(Ok(0) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR)) => break,
                _ => {
                    broken = true;
                    break;
                }
            }
        }
        let finished = !socket.may_recv()
            && !socket.can_recv()
            && !matches!(socket.state(), tcp::State::Listen | tcp::State::SynReceived);
        if finished && !self.step_done {
            self.step_done = true;
            let _ = shutdown(&self.host, Shutdown::Write);
        }
        while !broken && !self.host_done && socket.can_send() {
            let read = socket.send(|space| match rustix::io::read(&self.host, space) {
                Ok(length) => (length, Ok(length)),
                Err(error) => (0, Err(error)),
            });
            match read {
                Ok(Ok(0)) => {
                    self.host_done = true;
                    socket.close();
                    moved = true;
                }
                Ok(Ok(_)) => moved = true,
                Ok(Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR)) => break,
                _ => broken = true,
            }
        }
        if broken {
            socket.abort();
            self.state = State::Ended;
            return true;
        }
        moved
    }
}

/// Protocol, source, target and where the payload begins; `None` for what is not carried.
fn addresses(packet: &[u8]) -> Option<(IpProtocol, IpAddr, IpAddr, usize)> {
    match packet.first()? >> 4 {
        4 => {
            let header = Ipv4Packet::new_checked(packet).ok()?;
            if header.more_frags() || header.frag_offset() != 0 {
                return None;
            }
            let head = usize::from(header.header_len());
            Some((header.next_header(), header.src_addr().into(), header.dst_addr().into(), head))
        }
        6 => {
            let header = Ipv6Packet::new_checked(packet).ok()?;
            Some((
                header.next_header(),
                header.src_addr().into(),
                header.dst_addr().into(),
                header.header_len(),
            ))
        }
        _ => None,
    }
}

/// A packet with an answer to the step.
fn datagram((step, world): Pair, payload: &[u8]) -> Option<Vec<u8>> {
    let header = UdpRepr { src_port: world.port(), dst_port: step.port() };
    let length = header.header_len() + payload.len();
    let (from, to) = (IpAddress::from(world.ip()), IpAddress::from(step.ip()));
    let ip = IpRepr::new(from, to, IpProtocol::Udp, length, 64);
    let total = ip.header_len() + length;
    if total > usize::from(u16::MAX) {
        return None;
    }
    let mut packet = vec![0; total];
    let checksums = ChecksumCapabilities::default();
    ip.emit(&mut packet[..], &checksums);
    let mut udp = UdpPacket::new_unchecked(&mut packet[ip.header_len()..]);
    header.emit(&mut udp, &from, &to, payload.len(), |space| space.copy_from_slice(payload), &checksums);
    Some(packet)
}

fn dial(target: SocketAddr) -> io::Result<OwnedFd> {
    let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    let _ = sockopt::set_tcp_nodelay(&socket, true);
    match connect(&socket, &target) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

fn converse(target: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if target.is_ipv4() {
        (std::net::Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(target)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_can_be_read_by_the_step() {
        for (step, world) in [("192.0.0.2:1000", "9.9.9.9:53"), ("[fd70::2]:1000", "[2001:db8::1]:53")] {
            let pair = (step.parse().unwrap(), world.parse().unwrap());
            let packet = datagram(pair, b"answer").unwrap();
            let (protocol, from, to, head) = addresses(&packet).unwrap();
            assert_eq!((protocol, from, to), (IpProtocol::Udp, pair.1.ip(), pair.0.ip()));
            let udp = UdpPacket::new_checked(&packet[head..]).unwrap();
            assert_eq!((udp.src_port(), udp.dst_port(), udp.payload()), (53, 1000, &b"answer"[..]));
            assert!(udp.verify_checksum(&from.into(), &to.into()));
        }
        let pair = ("192.0.0.2:1".parse().unwrap(), "9.9.9.9:2".parse().unwrap());
        assert!(datagram(pair, &vec![0; 65_535]).is_none());
    }

    proptest! {
        #[test]
        fn any_packet_is_read_or_dropped(mut packet in prop::collection::vec(any::<u8>(), 0..200), version in 0u8..16) {
            if let Some(first) = packet.first_mut() {
                *first = *first & 15 | version << 4;
            }
            if let Some((_, _, _, head)) = addresses(&packet) {
                prop_assert!(head <= packet.len());
                let _ = TcpPacket::new_checked(&packet[head..]);
            }
        }
    }
}
