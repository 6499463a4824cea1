//! What the fuzz targets send packets to (fuzz/fuzz_targets/sandbox_gate.rs): the gate without its process and device.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd as _, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
};

use super::{Pass, doors, flows::Flows, names};

/// A gate whose device is one end of a pair of sockets.
pub struct Gate {
    flows: Flows,
    step: OwnedFd,
}

impl Gate {
    /// A gate with doors to these addresses of this machine.
    pub fn new() -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (step, device) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok(Self { flows: Flows::new(device), step })
    }

    /// A step begins; `door` is the service on the host that it may reach.
    pub fn begin(&mut self, door: SocketAddr) {
        self.flows.begin(Pass { doors: vec![door], host: false }, Vec::new());
    }

    /// The step sends a packet.
    pub fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        // An empty one would be the end.
        if !packet.is_empty() && rustix::io::write(&self.step, packet).is_ok() {
            self.flows.read()?;
            self.flows.go_on();
        }
        Ok(())
    }

    /// Does what can be done without waiting.
    pub fn go_on(&mut self) -> io::Result<()> {
        let ready: Vec<_> = {
            let waiting: Vec<_> = self.flows.waiting().collect();
            let mut polled: Vec<PollFd<'_>> =
                waiting.iter().map(|(fd, flags, _)| PollFd::from_borrowed_fd(fd.as_fd(), *flags)).collect();
            poll(&mut polled, Some(&Timespec::default()))?;
            waiting.iter().zip(&polled).map(|((_, _, who), polled)| (*who, polled.revents())).collect()
        };
        for (who, events) in ready.into_iter().filter(|(_, events)| *events != PollFlags::empty()) {
            self.flows.serve(who, events);
        }
        self.flows.go_on();
        Ok(())
    }

    /// The packets that the step was sent.
    pub fn answers(&mut self) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut buffer = vec![0; usize::from(u16::MAX)];
        while let Ok(length @ 1..) = rustix::io::read(&self.step, &mut buffer[..]) {
            found.push(buffer[..length].to_vec());
        }
        found
    }
}

/// A `resolv.conf` of the host and settings of proxies, as a step sees them.
pub fn texts(text: &str) {
    let inside = names::resolv_conf(text);
    assert!(names::servers(&inside).len() <= 3);
    for line in text.lines() {
        let (name, value) = line.split_once('=').unwrap_or(("http_proxy", line));
        let seen = doors::seen_from_inside(name, value);
        let found = doors::doors(&[(name.to_owned(), value.to_owned())]);
        assert!(found.iter().all(|door| door.ip().is_loopback()));
        assert!(found.is_empty() == (seen == value) || value.contains("192.0.0.1"));
    }
}
