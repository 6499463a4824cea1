//! Layers in the store: sealed, imported, and as tars.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use serde::{Deserialize, Serialize};

use super::{Store, derived, endurance::this_boot, read_json_if_there};
use crate::{
    Digest, ImportLimits, Layer, LayerDraft, LayerId, StoreError,
    digest::{HashReader, HashWriter},
    error::At as _,
    layer::{self, Compression, Entry, Kind},
};

/// The files of a layer with more bytes are read in a thread of their own.
const LARGE: u64 = 1 << 20;

/// `layer.json`, written before the layer becomes visible.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LayerFile {
    /// Digest of its content without times, which keys are made of. Stores of older versions lack it in layers from
    /// outside; their identity, that of their tar, then stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<LayerId>,
    pub(super) epoch: Option<i64>,
    bytes: u64,
    entries: u64,
    /// The boot of the machine in which it was sealed; empty once its files were read back in a later one.
    #[serde(default)]
    pub(super) boot: String,
    /// Digest of a layer's files, where its identity is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) files: Option<LayerId>,
    /// The blob that holds the layer's exact tar, when it cannot be made again from the directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tar_blob: Option<Digest>,
}

/// `diff.json`: what the layer's tar looks like.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct DiffFile {
    pub(crate) diff_id: Digest,
    /// Size of the uncompressed tar.
    pub(crate) bytes: u64,
}

/// A form of a layer's tar as it travels: `blobs.json` holds a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerBlob {
    /// `gzip`, `zstd`; with `original` the form in which the layer came.
    pub(crate) compression: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) level: Option<i32>,
    pub(crate) digest: Digest,
    pub(crate) bytes: u64,
    /// The layer came in this form, and whoever has the base image knows it by this digest.
    #[serde(default)]
    pub(crate) original: bool,
}

/// What is known of a layer's tar before the layer becomes visible.
pub(crate) struct Imported {
    diff: DiffFile,
    /// Digest of the files.
    files: LayerId,
    tar_blob: Option<Digest>,
    blob: Option<LayerBlob>,
}

impl Store {
    pub(super) fn layer_dir(&self, id: &LayerId) -> PathBuf {
        self.root().join("layers").join(id.to_string())
    }

    fn diff_id_file(&self, diff_id: &Digest) -> PathBuf {
        self.root().join("diff-ids").join(diff_id.hex())
    }

    /// Starts an empty layer.
    pub fn begin_layer(&self) -> Result<LayerDraft, StoreError> {
        LayerDraft::begin(self)
    }

    /// The layer, or `None` when the store does not have it, or lost a part of it in a power failure.
    pub fn layer(&self, id: &LayerId) -> Result<Option<Layer>, StoreError> {
        let dir = self.layer_dir(id);
        let file: Option<LayerFile> = read_json_if_there(&dir.join("layer.json"))?;
        let Some(mut file) = file else { return Ok(None) };
        if !self.endured(id, &mut file)? {
            self.set_aside(id)?;
            return Ok(None);
        }
        Ok(Some(Layer {
            id: *id,
            content: file.content.unwrap_or(*id),
            path: dir.join("fs"),
            bytes: file.bytes,
            entries: file.entries,
            epoch: file.epoch,
        }))
    }

    /// As [`Store::layer`], with an error when it is not there.
    pub fn require_layer(&self, id: &LayerId) -> Result<Layer, StoreError> {
        self.layer(id)?.ok_or(StoreError::NoLayer(*id))
    }

    /// The directories of some layers (given lowest first) for an overlay mount: top first. A layer that occurs twice
    /// is named once, at its upper place: overlay refuses the same directory twice, and the upper one says all that
    /// the lower one said.
    pub fn lowers(&self, layers: &[LayerId]) -> Result<Vec<PathBuf>, StoreError> {
        let mut seen = std::collections::HashSet::new();
        let order = layers.iter().rev().filter(|id| seen.insert(**id));
        order.map(|id| Ok(self.require_layer(id)?.path)).collect()
    }

    /// The layer whose tar has this digest, if the store has it and the tar was made already.
    pub fn layer_by_diff_id(&self, diff_id: &Digest) -> Result<Option<Layer>, StoreError> {
        let path = self.diff_id_file(diff_id);
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            text => {
                // what a power failure emptied is written again with the layer
                let Ok(id) = LayerId::parse(text.at("read", &path)?.trim()) else { return Ok(None) };
                self.usable_layer(&id)
            }
        }
    }

    /// The digest of the layer's uncompressed tar: made at the first call, then kept beside the layer.
    pub fn diff_id(&self, id: &LayerId) -> Result<Digest, StoreError> {
        Ok(self.diff(id)?.diff_id)
    }

    /// As [`Store::diff_id`], for somebody who makes it before it is needed: gives up when `stop` says so.
    pub fn prepare_diff_id(&self, id: &LayerId, stop: &dyn Fn() -> bool) -> Result<(), StoreError> {
        self.diff_into(id, Stoppable { stop }).map(drop)
    }

    pub(crate) fn diff(&self, id: &LayerId) -> Result<DiffFile, StoreError> {
        self.diff_into(id, io::sink())
    }

    fn diff_into(&self, id: &LayerId, sink: impl Write) -> Result<DiffFile, StoreError> {
        let file = self.layer_dir(id).join("diff.json");
        if let Some(diff) = derived(read_json_if_there(&file))? {
            return Ok(diff);
        }
        let _pin = self.pin()?;
        let (_, diff_id, bytes) = self.write_tar(id, HashWriter::new(sink))?.finish();
        let diff = DiffFile { diff_id, bytes };
        self.write_json(&file, &diff)?;
        self.write_atomically(&self.diff_id_file(&diff_id), id.to_string().as_bytes())?;
        Ok(diff)
    }

    /// The diff ids of some layers; those that nobody needed before are made by several threads.
    pub fn diff_ids(&self, ids: &[LayerId]) -> Result<Vec<Digest>, StoreError> {
        let missing: BTreeSet<&LayerId> =
            ids.iter().filter(|id| !self.layer_dir(id).join("diff.json").exists()).collect();
        let missing: Vec<&LayerId> = missing.into_iter().collect();
        let threads = thread::available_parallelism().map_or(1, usize::from).min(missing.len());
        if threads > 1 {
            let next = AtomicUsize::new(0);
            let work = || {
                while let Some(id) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                    self.diff(id)?;
                }
                Ok(())
            };
            thread::scope(|scope| {
                let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
                let join = |worker: thread::ScopedJoinHandle<'_, Result<(), StoreError>>| {
                    worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                };
                workers.into_iter().try_for_each(join)
            })?;
        }
        ids.iter().map(|id| self.diff_id(id)).collect()
    }

    /// Writes the layer's uncompressed tar, always the same bytes.
    pub fn write_layer_tar(&self, id: &LayerId, out: impl Write) -> Result<(), StoreError> {
        self.write_tar(id, out).map(drop)
    }

    fn write_tar<W: Write>(&self, id: &LayerId, mut out: W) -> Result<W, StoreError> {
        // it may have lost files since it was last used
        self.require_layer(id)?;
        let dir = self.layer_dir(id);
        let file: LayerFile = read_json_if_there(&dir.join("layer.json"))?.ok_or(StoreError::NoLayer(*id))?;
        if let Some(blob) = file.tar_blob {
            let (_, mut tar) = layer::decompress(self.open_blob(&blob)?)?;
            io::copy(&mut tar, &mut out)
                .map_err(|source| StoreError::Stream { action: "write a layer's tar", source })?;
            return Ok(out);
        }
        let root = dir.join("fs");
        if file.bytes > LARGE {
            return layer::write_ahead(out, |chunks| {
                layer::write_layer(&root, &layer::scan(&root)?, file.epoch, chunks).map(drop)
            });
        }
        // small headers and bodies are joined, because every write below may be a hash, a pipe or a socket
        let buffered = io::BufWriter::with_capacity(128 << 10, out);
        layer::write_layer(&root, &layer::scan(&root)?, file.epoch, buffered)?
            .into_inner()
            .map_err(|error| StoreError::Stream { action: "write a layer's tar", source: error.into_error() })
    }

    /// The forms in which this layer's tar was compressed already.
    pub(crate) fn layer_blobs(&self, id: &LayerId) -> Result<Vec<LayerBlob>, StoreError> {
        let blobs: Option<Vec<LayerBlob>> =
            derived(read_json_if_there(&self.layer_dir(id).join("blobs.json")))?;
        let whole = |blob: &LayerBlob| {
            fs::metadata(self.blob_path(&blob.digest)).is_ok_and(|meta| meta.len() == blob.bytes)
        };
        Ok(blobs.unwrap_or_default().into_iter().filter(whole).collect())
    }

    /// Notes one more compressed form.
    pub(crate) fn add_layer_blob(&self, id: &LayerId, blob: LayerBlob) -> Result<(), StoreError> {
        let _lock = self.write_lock()?;
        let mut blobs = self.layer_blobs(id)?;
        if blobs.contains(&blob) {
            return Ok(());
        }
        blobs.push(blob);
        self.write_json(&self.layer_dir(id).join("blobs.json"), &blobs)
    }

    /// Unpacks a layer's tar (plain, gzip or zstd) that comes from outside.
    ///
    /// No entry can leave the layer's directory; entries and bytes are bounded by [`ImportLimits::default`]. The
    /// tar's digest stays the layer's diff id.
    pub fn import_layer(&self, reader: impl Read) -> Result<Layer, StoreError> {
        self.import_layer_within(reader, &ImportLimits::default())
    }

    /// As [`Store::import_layer`], with other limits.
    pub fn import_layer_within(&self, reader: impl Read, limits: &ImportLimits) -> Result<Layer, StoreError> {
        self.import(reader, limits, None, None)
    }

    /// As [`Store::import_layer`]; the layer becomes visible only when the bytes have the digest `blob` (if given) and
    /// the uncompressed tar has the digest `diff_id`.
    pub fn import_layer_expecting(
        &self,
        reader: impl Read,
        blob: Option<&Digest>,
        diff_id: &Digest,
    ) -> Result<Layer, StoreError> {
        self.import(reader, &ImportLimits::default(), blob, Some(diff_id))
    }

    fn import(
        &self,
        reader: impl Read,
        limits: &ImportLimits,
        expected_blob: Option<&Digest>,
        expected_diff_id: Option<&Digest>,
    ) -> Result<Layer, StoreError> {
        let draft = self.begin_layer()?;
        let mut blob = self.begin_blob()?;
        // packed bytes can be many even when nothing comes out of them
        let reader = layer::Bounded::new(reader, limits.bytes);
        let (compression, tar) = layer::decompress(Tee { reader, copy: &mut blob })?;
        let mut tar = HashReader::new(tar);
        layer::unpack(&mut tar, &draft.fs, limits)?;
        let (mut tar, diff_id, tar_bytes) = tar.finish();
        // bytes after a compressed stream's end belong to the blob's digest
        io::copy(&mut tar, &mut io::sink())
            .map_err(|source| StoreError::Stream { action: "read an archive", source })?;
        drop(tar);
        expect("a layer's tar", expected_diff_id, diff_id)?;
        let diff = DiffFile { diff_id, bytes: tar_bytes };
        let entries = layer::scan(&draft.fs)?;
        let name = match compression {
            // no image format knows a layer in xz: only its tar counts
            Compression::None | Compression::Xz => None,
            Compression::Gzip => Some("gzip"),
            Compression::Zstd => Some("zstd"),
        };
        let (tar_blob, layer_blob) = match name {
            Some(name) => {
                expect("a layer's blob", expected_blob, blob.digest())?;
                let (digest, bytes) = blob.finish()?;
                let blob =
                    LayerBlob { compression: name.to_owned(), level: None, digest, bytes, original: true };
                (Some(digest), Some(blob))
            }
            None => {
                expect("a layer's blob", expected_blob, blob.digest())?;
                let again = layer::write_layer(&draft.fs, &entries, None, HashWriter::new(io::sink()))?;
                // a tar that can be made again from the directory is not kept twice
                let keep = again.finish().1 != diff_id;
                (if keep { Some(blob.finish()?.0) } else { None }, None)
            }
        };
        if let Some(layer) = self.layer_by_diff_id(&diff_id)? {
            if let Some(blob) = layer_blob {
                self.add_layer_blob(&layer.id, blob)?;
            }
            return Ok(layer);
        }
        let digests = layer::digest(&draft.fs, &entries, None, &|_| None)?;
        let mut hash = blake3::Hasher::new_derive_key("plimsoll imported layer v1");
        hash.update(diff_id.to_string().as_bytes());
        let id = LayerId::new(hash.finalize());
        self.add_layer(
            draft,
            id,
            digests.content,
            &entries,
            None,
            Some(Imported { diff, files: digests.id, tar_blob, blob: layer_blob }),
        )
    }

    /// Makes a filled draft visible as `id`; an existing layer wins.
    pub(crate) fn add_layer(
        &self,
        draft: LayerDraft,
        id: LayerId,
        content: LayerId,
        entries: &[Entry],
        epoch: Option<i64>,
        imported: Option<Imported>,
    ) -> Result<Layer, StoreError> {
        if let Some(imported) = &imported {
            // also for a layer that is there: its entry may be gone with another layer of the same tar
            self.write_atomically(&self.diff_id_file(&imported.diff.diff_id), id.to_string().as_bytes())?;
        }
        if let Some(layer) = self.usable_layer(&id)? {
            return Ok(layer);
        }
        let bytes =
            entries.iter().map(|entry| if let Kind::File { size } = entry.kind { size } else { 0 }).sum();
        let mut file = LayerFile {
            content: (content != id).then_some(content),
            epoch,
            bytes,
            entries: entries.len() as u64,
            files: None,
            tar_blob: None,
            boot: this_boot().to_owned(),
        };
        layer::remove_tree(&draft.work).at("remove", &draft.work)?;
        if let Some(imported) = imported {
            file.files = Some(imported.files);
            file.tar_blob = imported.tar_blob;
            self.write_json(&draft.dir().join("diff.json"), &imported.diff)?;
            if let Some(blob) = imported.blob {
                self.write_json(&draft.dir().join("blobs.json"), &[blob])?;
            }
        }
        self.write_json(&draft.dir().join("layer.json"), &file)?;
        let target = self.layer_dir(&id);
        match fs::rename(draft.dir(), &target) {
            // another process sealed the same content at the same time
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
                ) => {}
            done => done.at("rename", &target)?,
        }
        self.require_layer(&id)
    }

    /// Takes a damaged layer out of sight; prune removes it. A step that reads it goes on reading it.
    pub fn set_aside(&self, id: &LayerId) -> Result<(), StoreError> {
        let dir = self.layer_dir(id);
        let aside = tempfile::Builder::new()
            .prefix("damaged-")
            .tempdir_in(self.root().join("drafts"))
            .at("create a folder in", self.root())?
            .keep();
        match fs::rename(&dir, aside.join("layer")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.at("rename", &dir),
        }
    }

    /// As [`Store::layer`], with `None` for one whose description or directory is damaged: it has to be made again.
    pub fn usable_layer(&self, id: &LayerId) -> Result<Option<Layer>, StoreError> {
        match self.layer(id) {
            Ok(Some(layer)) if layer.path.is_dir() => Ok(Some(layer)),
            Ok(None) => Ok(None),
            Ok(Some(_)) | Err(StoreError::Corrupt { .. }) => {
                self.set_aside(id)?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Every layer in the store.
    pub fn layers(&self) -> Result<Vec<LayerId>, StoreError> {
        let dir = self.root().join("layers");
        let mut ids = Vec::new();
        for entry in fs::read_dir(&dir).at("read", &dir)? {
            let name = entry.at("read", &dir)?.file_name();
            ids.extend(name.to_str().and_then(|name| LayerId::parse(name).ok()));
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// The blobs that a layer needs or has.
    pub(super) fn blobs_of_layer(&self, id: &LayerId) -> Result<Vec<Digest>, StoreError> {
        let dir = self.layer_dir(id);
        let mut blobs: Vec<Digest> = self.layer_blobs(id)?.iter().map(|blob| blob.digest).collect();
        blobs.extend(
            derived(read_json_if_there::<LayerFile>(&dir.join("layer.json")))?.and_then(|file| file.tar_blob),
        );
        Ok(blobs)
    }

    pub(super) fn known_diff_id(&self, id: &LayerId) -> Result<Option<Digest>, StoreError> {
        let diff: Option<DiffFile> = derived(read_json_if_there(&self.layer_dir(id).join("diff.json")))?;
        Ok(diff.map(|diff| diff.diff_id))
    }

    /// Forgets which layer has a diff id, unless it is another one than `id`.
    pub(super) fn forget_diff_id(&self, diff_id: &Digest, id: &LayerId) -> Result<(), StoreError> {
        match self.layer_by_diff_id(diff_id)? {
            Some(layer) if layer.id != *id => Ok(()),
            _ => remove_file(&self.diff_id_file(diff_id)),
        }
    }
}

fn expect(object: &str, expected: Option<&Digest>, found: Digest) -> Result<(), StoreError> {
    match expected {
        Some(expected) if *expected != found => {
            Err(StoreError::DigestMismatch { object: object.to_owned(), expected: *expected, found })
        }
        _ => Ok(()),
    }
}

pub(super) fn remove_file(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.at("remove", path),
    }
}

/// Takes everything until it is stopped.
struct Stoppable<'a> {
    stop: &'a dyn Fn() -> bool,
}

impl Write for Stoppable<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if (self.stop)() { Err(io::Error::other("stopped")) } else { Ok(buffer.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Copies everything that is read into a blob.
struct Tee<'a, R, W> {
    reader: R,
    copy: &'a mut W,
}

impl<R: Read, W: Write> Read for Tee<'_, R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.copy.write_all(&buffer[..read])?;
        Ok(read)
    }
}
