//! The tun device as smoltcp wants it: packets come from a queue that [`super::flows`] fills, and go straight out.

use std::{
    collections::VecDeque,
    os::fd::{AsFd as _, OwnedFd},
};

use smoltcp::{
    phy::{Checksum, Device, DeviceCapabilities, Medium, RxToken, TxToken},
    time::Instant,
};

use super::setup::MTU;

pub(super) struct Tun {
    device: OwnedFd,
    /// Packets for the TCP stack.
    pub(super) queue: VecDeque<Vec<u8>>,
    buffer: Vec<u8>,
}

impl Tun {
    pub(super) fn new(device: OwnedFd) -> Self {
        Self { device, queue: VecDeque::new(), buffer: vec![0; usize::from(u16::MAX)] }
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.device
    }

    /// The next packet of the step; `None` when there is none now.
    pub(super) fn next(&mut self) -> rustix::io::Result<Option<&[u8]>> {
        match rustix::io::read(&self.device, &mut self.buffer[..]) {
            Ok(length) => Ok(Some(&self.buffer[..length])),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives a packet to the step; one that the kernel does not take is lost, as packets are.
    pub(super) fn write(&self, packet: &[u8]) {
        let _ = rustix::io::write(self.device.as_fd(), packet);
    }
}

pub(super) struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, then: F) -> R {
        then(&self.0)
    }
}

pub(super) struct Sending<'a>(&'a OwnedFd);

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut packet = vec![0; length];
        let result = fill(&mut packet);
        let _ = rustix::io::write(self.0, &packet);
        result
    }
}

impl Device for Tun {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Sending<'_>)> {
        let packet = self.queue.pop_front()?;
        Some((Received(packet), Sending(&self.device)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending<'_>> {
        Some(Sending(&self.device))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = usize::from(MTU);
        // What comes from the kernel next door has not been on a wire.
        capabilities.checksum.ipv4 = Checksum::Tx;
        capabilities.checksum.tcp = Checksum::Tx;
        capabilities
    }
}
