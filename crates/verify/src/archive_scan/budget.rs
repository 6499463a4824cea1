//! What the search of compressed files and archives may cost. What is beyond it is told, never passed.

use std::{
    cell::Cell,
    io::{self, Read},
    time::{Duration, Instant},
};

use crate::quantity;

/// The bounds of one image.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScanLimits {
    /// Archives and compressed files within one another.
    pub(super) depth: u8,
    /// A file may unpack to so many bytes whatever its size; beyond that to so many times its size.
    pub(super) free: u64,
    pub(super) ratio: u64,
    /// Bytes that one file may unpack to at most, and all files of the image.
    pub(super) file: u64,
    pub(super) image: u64,
    /// Time for all of them.
    pub(super) time: Duration,
}

/// Text packs 1 to 20 at most; what packs 1 to 100 is zeros, or made to cost.
pub(super) const LIMITS: ScanLimits = ScanLimits {
    depth: 4,
    free: 64 << 20,
    ratio: 100,
    file: 2 << 30,
    image: 16 << 30,
    time: Duration::from_mins(5),
};

/// What is left of the bounds. Every level of a file counts: its archive, the archive in it, and so on.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) limits: ScanLimits,
    of_file: Cell<u64>,
    /// What the present file may unpack to.
    allowed: Cell<u64>,
    of_image: Cell<u64>,
    time: Cell<Duration>,
    began: Cell<Option<Instant>>,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(LIMITS)
    }
}

impl Budget {
    pub(super) fn new(limits: ScanLimits) -> Self {
        Self {
            limits,
            of_file: Cell::new(0),
            allowed: Cell::new(0),
            of_image: Cell::new(limits.image),
            time: Cell::new(limits.time),
            began: Cell::new(None),
        }
    }

    /// A file of so many bytes begins.
    pub(super) fn begin(&self, size: u64) {
        let ScanLimits { free, ratio, file, .. } = self.limits;
        let allowed = size.saturating_mul(ratio).max(free).min(file);
        self.allowed.set(allowed);
        self.of_file.set(allowed);
    }

    /// What the file holds is unpacked from now on; waiting for the file itself costs nothing.
    pub(super) fn start_clock(&self) {
        self.began.set(Some(Instant::now()));
    }

    pub(super) fn stop_clock(&self) {
        if let Some(began) = self.began.take() {
            self.time.set(self.time.get().saturating_sub(began.elapsed()));
        }
    }

    fn spend(&self, bytes: u64) -> io::Result<()> {
        if self.began.get().is_some_and(|began| began.elapsed() > self.time.get()) {
            return Err(io::Error::other(format!(
                "what an image holds compressed is searched for {} and no longer",
                quantity::seconds(self.limits.time)
            )));
        }
        let Some(left) = self.of_file.get().checked_sub(bytes) else {
            return Err(io::Error::other(format!(
                "it unpacks to more than {}",
                quantity::bytes(self.allowed.get())
            )));
        };
        self.of_file.set(left);
        let Some(left) = self.of_image.get().checked_sub(bytes) else {
            return Err(io::Error::other(format!(
                "what the image holds compressed unpacks to more than {}",
                quantity::bytes(self.limits.image)
            )));
        };
        self.of_image.set(left);
        Ok(())
    }
}

/// A reader whose bytes count.
pub(super) struct Allowed<'b, R> {
    pub(super) inner: R,
    pub(super) budget: &'b Budget,
}

impl<R: Read> Read for Allowed<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.budget.spend(0)?;
        let length = self.inner.read(into)?;
        self.budget.spend(length as u64)?;
        Ok(length)
    }
}
