//! Makes bytes in one thread while another one takes them: files are read while those before are hashed or sent.

use std::{
    io::{self, Write},
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread,
};

use crate::StoreError;

const CHUNK: usize = 256 << 10;
/// How many chunks the reader may be ahead.
const AHEAD: usize = 8;

/// Writes to `out` what `produce` writes, which runs in a thread of its own.
pub(crate) fn write_ahead<W: Write>(
    mut out: W,
    produce: impl FnOnce(&mut Chunks) -> Result<(), StoreError> + Send,
) -> Result<W, StoreError> {
    let (full, chunks) = sync_channel(AHEAD);
    let (empty, used) = channel();
    let mut writer = Chunks { full, used, chunk: Vec::with_capacity(CHUNK) };
    thread::scope(|scope| {
        let producer = scope.spawn(move || {
            produce(&mut writer)?;
            writer.flush().map_err(failed)
        });
        let taken = take(&mut out, chunks, &empty);
        let produced = producer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // when nobody takes the bytes, the producer's error is a consequence
        taken.map_err(failed)?;
        produced
    })?;
    Ok(out)
}

fn failed(source: io::Error) -> StoreError {
    StoreError::Stream { action: "write a layer's tar", source }
}

/// By value: when writing fails, the producer must not wait for room any more.
fn take(out: &mut impl Write, chunks: Receiver<Vec<u8>>, empty: &Sender<Vec<u8>>) -> io::Result<()> {
    for mut chunk in chunks {
        out.write_all(&chunk)?;
        chunk.clear();
        // the producer may have ended
        let _ = empty.send(chunk);
    }
    Ok(())
}

/// Where the producer writes.
pub(crate) struct Chunks {
    full: SyncSender<Vec<u8>>,
    used: Receiver<Vec<u8>>,
    chunk: Vec<u8>,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        if self.chunk.len() == CHUNK {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let next = self.used.try_recv().unwrap_or_else(|_| Vec::with_capacity(CHUNK));
        let chunk = std::mem::replace(&mut self.chunk, next);
        self.full.send(chunk).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_arrives_in_order() {
        let numbers: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
        let write = |chunks: &mut Chunks| {
            for part in numbers.chunks(7_777) {
                chunks.write_all(part).map_err(failed)?;
            }
            Ok(())
        };
        assert!(write_ahead(Vec::new(), write).unwrap() == numbers);
        assert_eq!(write_ahead(Vec::new(), |_| Ok(())).unwrap(), Vec::<u8>::new());
    }

    #[test]
    fn both_sides_may_fail() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::other("full"))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let endless = |chunks: &mut Chunks| -> Result<(), StoreError> {
            loop {
                chunks.write_all(&vec![0; CHUNK]).map_err(failed)?;
            }
        };
        let error = write_ahead(Full, endless).err().unwrap();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("full"), "{error}");
        let broken = |_: &mut Chunks| Err(failed(io::Error::other("no file")));
        let error = write_ahead(Vec::new(), broken).err().unwrap();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("no file"), "{error}");
    }
}
