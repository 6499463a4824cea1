//! Compressed layers: the same bytes for any number of threads.
//!
//! gzip: blocks of 1 MiB are deflated independently, each ended by a sync flush, and joined to ONE gzip member, so
//! that every reader takes it. zstd: the library's own workers, whose output does not depend on their number.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::mpsc,
    thread,
};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use crate::{
    LayerId, Store, StoreError,
    manifest::{Descriptor, media_type},
    store::LayerBlob,
};

const BLOCK: usize = 1 << 20;

/// The form of layers in an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LayerCompression {
    /// Plain tars, which the receiver need not unpack.
    None,
    /// gzip with a level from 0 to 9. Every engine and registry takes it.
    Gzip(u32),
    /// zstd with a level from 1 to 19: faster and smaller, for engines from 23 on.
    Zstd(i32),
    /// As the layer came from a registry; gzip level 6 for layers made here.
    #[default]
    Keep,
}

impl LayerCompression {
    /// Reads `none`, `uncompressed`, `gzip`, `gzip:9`, `zstd`, `zstd:3`, `keep`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, level) = text.split_once(':').map_or((text, None), |(name, level)| (name, Some(level)));
        let level = |default, range: std::ops::RangeInclusive<i32>| match level {
            None => Some(default),
            Some(level) => level.parse().ok().filter(|level| range.contains(level)),
        };
        match name {
            "none" | "uncompressed" | "keep" if text != name => None,
            "none" | "uncompressed" => Some(Self::None),
            "keep" => Some(Self::Keep),
            "gzip" => level(6, 0..=9).map(|level| Self::Gzip(level.unsigned_abs())),
            "zstd" => level(3, 1..=19).map(Self::Zstd),
            _ => None,
        }
    }
}

impl Store {
    /// The layer in a compressed form: made once, then kept as a blob. `None` form: no blob, the diff id.
    pub(crate) fn compressed_layer(
        &self,
        id: &LayerId,
        compression: LayerCompression,
    ) -> Result<Descriptor, StoreError> {
        let blobs = self.layer_blobs(id)?;
        let (name, level) = match compression {
            LayerCompression::None => {
                let diff = self.diff(id)?;
                return Ok(Descriptor::new(media_type::OCI_LAYER, diff.diff_id, diff.bytes));
            }
            LayerCompression::Keep => match blobs.iter().find(|blob| blob.original) {
                Some(blob) => return Ok(descriptor(blob)),
                None => ("gzip", 6),
            },
            LayerCompression::Gzip(level) => ("gzip", level as i32),
            LayerCompression::Zstd(level) => ("zstd", level),
        };
        if let Some(blob) = blobs.iter().find(|blob| blob.compression == name && blob.level == Some(level)) {
            return Ok(descriptor(blob));
        }
        let out = self.begin_blob()?;
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let out = match name {
            "zstd" => self.write_zstd(id, out, level, threads)?,
            _ => {
                let mut gzip = GzipWriter::new(out, level.unsigned_abs(), threads).map_err(failed)?;
                self.write_layer_tar(id, &mut gzip)?;
                gzip.finish().map_err(failed)?
            }
        };
        let (digest, bytes) = out.finish()?;
        let blob =
            LayerBlob { compression: name.to_owned(), level: Some(level), digest, bytes, original: false };
        let descriptor = descriptor(&blob);
        self.add_layer_blob(id, blob)?;
        Ok(descriptor)
    }

    /// Did the layer come compressed from elsewhere?
    pub(crate) fn has_original(&self, id: &LayerId) -> Result<bool, StoreError> {
        Ok(self.layer_blobs(id)?.iter().any(|blob| blob.original))
    }

    fn write_zstd<W: Write>(
        &self,
        id: &LayerId,
        out: W,
        level: i32,
        threads: usize,
    ) -> Result<W, StoreError> {
        let mut encoder = zstd::Encoder::new(out, level).map_err(failed)?;
        // with no worker at all the output would be another one
        encoder.multithread(threads.max(1) as u32).map_err(failed)?;
        encoder.include_checksum(true).map_err(failed)?;
        self.write_layer_tar(id, &mut encoder)?;
        encoder.finish().map_err(failed)
    }
}

fn failed(source: io::Error) -> StoreError {
    StoreError::Stream { action: "compress a layer", source }
}

fn descriptor(blob: &LayerBlob) -> Descriptor {
    let kind = format!("{}+{}", media_type::OCI_LAYER, blob.compression);
    Descriptor { annotations: BTreeMap::new(), ..Descriptor::new(kind, blob.digest, blob.bytes) }
}

type Packed = io::Result<(Vec<u8>, Crc)>;

/// Writes one gzip member from blocks that several threads deflate.
pub(crate) struct GzipWriter<W> {
    out: W,
    level: Compression,
    block: Vec<u8>,
    crc: Crc,
    jobs: Option<mpsc::SyncSender<(Vec<u8>, mpsc::SyncSender<Packed>)>>,
    /// Results in the order of the blocks.
    waiting: std::collections::VecDeque<mpsc::Receiver<Packed>>,
    most_waiting: usize,
    workers: Vec<thread::JoinHandle<()>>,
}

impl<W: Write> GzipWriter<W> {
    pub(crate) fn new(mut out: W, level: u32, threads: usize) -> io::Result<Self> {
        // no name, no time, unknown system: nothing that differs between two runs (RFC 1952)
        out.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])?;
        let level = Compression::new(level.min(9));
        let threads = threads.max(1);
        let (jobs, queue) = mpsc::sync_channel::<(Vec<u8>, mpsc::SyncSender<Packed>)>(threads);
        let queue = std::sync::Arc::new(std::sync::Mutex::new(queue));
        let workers = (0..threads)
            .map(|_| {
                let queue = queue.clone();
                thread::spawn(move || {
                    loop {
                        let job = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv();
                        let Ok((block, answer)) = job else { return };
                        // nobody waits any more when the writer was dropped
                        let _ = answer.send(deflate_block(&block, level));
                    }
                })
            })
            .collect();
        Ok(Self {
            out,
            level,
            block: Vec::with_capacity(BLOCK),
            crc: Crc::new(),
            jobs: Some(jobs),
            waiting: std::collections::VecDeque::new(),
            most_waiting: threads * 2,
            workers,
        })
    }

    fn send(&mut self) -> io::Result<()> {
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
        let (answer, result) = mpsc::sync_channel(1);
        if let Some(jobs) = &self.jobs {
            jobs.send((block, answer)).map_err(|_| io::Error::other("the compressing threads have ended"))?;
        }
        self.waiting.push_back(result);
        while self.waiting.len() > self.most_waiting {
            self.receive()?;
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<()> {
        let Some(result) = self.waiting.pop_front() else { return Ok(()) };
        let (bytes, crc) =
            result.recv().map_err(|_| io::Error::other("the compressing threads have ended"))??;
        self.crc.combine(&crc);
        self.out.write_all(&bytes)
    }

    /// Writes what is still held, then the end of the gzip member.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() {
            self.send()?;
        }
        while !self.waiting.is_empty() {
            self.receive()?;
        }
        self.jobs = None;
        for worker in self.workers.drain(..) {
            worker.join().map_err(|_| io::Error::other("a compressing thread has failed"))?;
        }
        let mut last = Vec::with_capacity(16);
        Compress::new(self.level, false).compress_vec(&[], &mut last, FlushCompress::Finish)?;
        self.out.write_all(&last)?;
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        self.out.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.out)
    }
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let taken = buffer.len().min(BLOCK - self.block.len());
        self.block.extend(&buffer[..taken]);
        if self.block.len() == BLOCK {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Deflates a block to a whole number of bytes, so that blocks can be joined.
fn deflate_block(block: &[u8], level: Compression) -> Packed {
    let mut crc = Crc::new();
    crc.update(block);
    let mut packer = Compress::new(level, false);
    let mut out = Vec::with_capacity(block.len() / 2 + 1024);
    loop {
        let taken = packer.total_in() as usize;
        let before = packer.total_out();
        let status = packer.compress_vec(&block[taken..], &mut out, FlushCompress::Sync)?;
        let done = packer.total_in() as usize == block.len() && out.len() < out.capacity();
        if done || status == Status::StreamEnd {
            return Ok((out, crc));
        }
        if packer.total_out() == before && out.len() < out.capacity() {
            return Err(io::Error::other("deflate makes no progress"));
        }
        out.reserve(block.len() / 2 + 1024);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn sample(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        (0..length)
            .map(|index| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                if index % 5 == 0 { (state >> 33) as u8 } else { b"plimsoll"[index % 8] }
            })
            .collect()
    }

    fn gzip(bytes: &[u8], level: u32, threads: usize) -> Vec<u8> {
        let mut writer = GzipWriter::new(Vec::new(), level, threads).unwrap();
        for chunk in bytes.chunks(77_777) {
            writer.write_all(chunk).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn one_member_with_the_same_bytes_for_any_number_of_threads() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 12345] {
            let bytes = sample(length);
            for level in [0, 1, 6, 9] {
                let one = gzip(&bytes, level, 1);
                for threads in [2, 5] {
                    assert_eq!(gzip(&bytes, level, threads), one, "{length} bytes, level {level}");
                }
                // GzDecoder reads one member only, so this proves that there is only one
                let mut back = Vec::new();
                flate2::bufread::GzDecoder::new(one.as_slice()).read_to_end(&mut back).unwrap();
                assert!(back == bytes, "{length} bytes, level {level}");
                assert!(level == 0 || length < 1000 || one.len() < length * 2 / 3);
            }
        }
    }

    #[test]
    fn noise_that_cannot_be_packed_survives() {
        let mut state = 7_u64;
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as u8
        })
        .take(3 * BLOCK + 5)
        .collect();
        let packed = gzip(&bytes, 6, 2);
        let mut back = Vec::new();
        flate2::bufread::GzDecoder::new(packed.as_slice()).read_to_end(&mut back).unwrap();
        assert!(back == bytes);
    }

    #[test]
    fn forms_are_read() {
        use LayerCompression as L;
        for (text, expected) in [
            ("none", Some(L::None)),
            ("uncompressed", Some(L::None)),
            ("gzip", Some(L::Gzip(6))),
            ("gzip:1", Some(L::Gzip(1))),
            ("zstd", Some(L::Zstd(3))),
            ("zstd:19", Some(L::Zstd(19))),
            ("keep", Some(L::Keep)),
            ("gzip:10", None),
            ("gzip:x", None),
            ("none:1", None),
            ("xz", None),
        ] {
            assert_eq!(L::parse(text), expected, "{text}");
        }
    }
}
