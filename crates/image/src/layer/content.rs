//! A layer's identity: blake3 over its content, and over its times as its tar has them.
//!
//! Times belong to the identity because a layer with other times is another tar, and because a step may do nothing
//! but set them. Keys use the content alone, so that a step that made the same bytes later changes no key.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use super::{Entry, Kind, LayerId};
use crate::{StoreError, error::At as _};

/// Fewer bytes than this are hashed faster than threads are started.
const ALONE_BELOW: u64 = 1 << 20;
const MAX_THREADS: usize = 8;

/// The two digests of what `entries` describe.
pub(crate) struct Digests {
    /// Path, type, mode, owner, capabilities, link target, bytes and times.
    pub(crate) id: LayerId,
    /// The digest of the same files without their times: the layer's identity.
    pub(crate) content: LayerId,
}

/// Digests a layer whose times are clamped to `epoch` (seconds since 1970). Files whose bytes' digest is `known` are
/// not read.
pub(crate) fn digest(
    root: &Path,
    entries: &[Entry],
    epoch: Option<i64>,
    known: &dyn Fn(&Entry) -> Option<blake3::Hash>,
) -> Result<Digests, StoreError> {
    let files = hash_files(root, entries, known)?;
    let mut files = files.into_iter();
    let mut hash = blake3::Hasher::new_derive_key("plimsoll layer content v1");
    for entry in entries {
        field(&mut hash, &entry.path);
        for number in [entry.mode, entry.uid, entry.gid] {
            hash.update(&number.to_le_bytes());
        }
        field(&mut hash, entry.capability.as_deref().unwrap_or_default());
        match &entry.kind {
            Kind::Directory { opaque } => hash.update(&[b'd', u8::from(*opaque)]),
            Kind::File { size } => {
                hash.update(b"f");
                hash.update(&size.to_le_bytes());
                // one hash was made for each file, in the same order
                let bytes = files.next().unwrap_or_else(|| blake3::hash(b""));
                hash.update(bytes.as_bytes())
            }
            Kind::HardLink { first } => {
                hash.update(b"h");
                field(&mut hash, &entries[*first].path);
                &mut hash
            }
            Kind::Symlink { target } => {
                hash.update(b"l");
                field(&mut hash, target);
                &mut hash
            }
            Kind::Character { major, minor } => device(&mut hash, *b"c", *major, *minor),
            Kind::Block { major, minor } => device(&mut hash, *b"b", *major, *minor),
            Kind::Fifo => hash.update(b"p"),
            Kind::Whiteout => hash.update(b"w"),
        };
    }
    let content = LayerId::new(hash.finalize());
    let mut hash = blake3::Hasher::new_derive_key("plimsoll layer v2");
    hash.update(content.as_bytes());
    for entry in entries {
        let time = match entry.kind {
            Kind::Whiteout => 0,
            _ => epoch.map_or(entry.mtime, |epoch| entry.mtime.min(epoch)),
        };
        hash.update(&time.to_le_bytes());
    }
    Ok(Digests { id: LayerId::new(hash.finalize()), content })
}

fn field(hash: &mut blake3::Hasher, bytes: &[u8]) {
    hash.update(&(bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

fn device(hash: &mut blake3::Hasher, kind: [u8; 1], major: u32, minor: u32) -> &mut blake3::Hasher {
    hash.update(&kind);
    hash.update(&major.to_le_bytes());
    hash.update(&minor.to_le_bytes())
}

/// The digest of each regular file in order.
fn hash_files(
    root: &Path,
    entries: &[Entry],
    known: &dyn Fn(&Entry) -> Option<blake3::Hash>,
) -> Result<Vec<blake3::Hash>, StoreError> {
    let mut hashes = Vec::new();
    // the place of its hash, the file, its size
    let mut unknown: Vec<(usize, &Entry, u64)> = Vec::new();
    for entry in entries {
        let Kind::File { size } = entry.kind else { continue };
        let hash = known(entry);
        if hash.is_none() {
            unknown.push((hashes.len(), entry, size));
        }
        hashes.push(hash.unwrap_or_else(|| blake3::hash(b"")));
    }
    let total: u64 = unknown.iter().map(|(_, _, size)| size).sum();
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS).min(unknown.len());
    if threads < 2 || total < ALONE_BELOW {
        let mut buffer = Vec::new();
        for (place, entry, size) in unknown {
            hashes[place] = hash_file(root, entry, size, &mut buffer)?;
        }
        return Ok(hashes);
    }
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, blake3::Hash)>, StoreError> {
        let mut done = Vec::new();
        let mut buffer = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((place, entry, size)) = unknown.get(index) else { return Ok(done) };
            done.push((*place, hash_file(root, entry, *size, &mut buffer)?));
        }
    };
    let results = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect::<Result<Vec<_>, _>>()
    })?;
    for (place, hash) in results.into_iter().flatten() {
        hashes[place] = hash;
    }
    Ok(hashes)
}

fn hash_file(
    root: &Path,
    entry: &Entry,
    size: u64,
    buffer: &mut Vec<u8>,
) -> Result<blake3::Hash, StoreError> {
    let path = entry.file_path(root);
    if size == 0 {
        return Ok(blake3::hash(b""));
    }
    let mut file = File::open(&path).at("open", &path)?;
    buffer.resize(256 << 10, 0);
    let mut hash = blake3::Hasher::new();
    let mut seen = 0;
    loop {
        match file.read(buffer) {
            Ok(0) => break,
            Ok(read) => {
                hash.update(&buffer[..read]);
                seen += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(StoreError::io("read", path, error)),
        }
    }
    if seen != size {
        return Err(StoreError::NotALayer { path, reason: "its size changed while it was read" });
    }
    Ok(hash.finalize())
}
