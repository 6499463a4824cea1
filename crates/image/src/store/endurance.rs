//! Layers after a power failure.
//!
//! Nothing is synced while a build waits: that would cost more than writing. Instead a layer notes the boot in which
//! it was made, and its first reader in a later boot holds its files against its identity. What the disk kept is
//! believed from then on; what it lost is taken out of sight and made again.

use std::{fs, io, path::Path, sync::OnceLock};

use super::{Store, layers::LayerFile};
use crate::{Digest, LayerId, StoreError, digest::HashWriter, layer};

impl Store {
    /// Whether the layer is whole. Reads its files only at the first use in a boot after the one it was made in.
    pub(super) fn endured(&self, id: &LayerId, file: &mut LayerFile) -> Result<bool, StoreError> {
        if file.boot.is_empty() || file.boot == this_boot() {
            return Ok(true);
        }
        let dir = self.layer_dir(id);
        // a layer whose identity is its tar's has another digest of its files beside it
        let expected = file.files.or(file.content.map(|_| *id));
        if let Some(expected) = expected {
            let files = holds(&dir.join("fs"), &expected, file.epoch);
            let tar = file.tar_blob.as_ref().is_none_or(|blob| self.blob_is_whole(blob));
            if !files || !tar {
                return Ok(false);
            }
        }
        file.boot.clear();
        self.write_json(&dir.join("layer.json"), &file)?;
        Ok(true)
    }

    fn blob_is_whole(&self, digest: &Digest) -> bool {
        let mut hash = HashWriter::new(io::sink());
        let read = self.open_blob(digest).is_ok_and(|mut blob| io::copy(&mut blob, &mut hash).is_ok());
        read && hash.finish().1 == *digest
    }
}

/// Whether a directory has this digest. One that cannot be read does not.
fn holds(dir: &Path, expected: &LayerId, epoch: Option<i64>) -> bool {
    let found = layer::scan(dir).and_then(|entries| layer::digest(dir, &entries, epoch, &|_| None));
    found.is_ok_and(|found| found.id == *expected)
}

/// This boot of the machine. Where the kernel does not say, it is one that no layer was made in.
pub(super) fn this_boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let read = fs::read_to_string("/proc/sys/kernel/random/boot_id");
        read.map_or_else(|_| format!("unknown {}", std::process::id()), |id| id.trim().to_owned())
    })
}
