//! The merged files of an image, as one tar or in a folder.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use crate::{
    ImportLimits, LayerId, Store, StoreError,
    error::At as _,
    layer::{self, TarWriter, write_entry},
    merged::Merged,
};

/// Writes what a container sees as one plain tar, always the same bytes.
pub fn write_rootfs_tar(store: &Store, layers: &[LayerId], out: impl Write) -> Result<(), StoreError> {
    let _pin = store.pin()?;
    let files = Merged::read(store, layers)?.files();
    let failed = |source| StoreError::Stream { action: "write a root file system", source };
    let mut tar = TarWriter::new(io::BufWriter::with_capacity(128 << 10, out));
    for (entry, (root, epoch)) in files.entries.iter().zip(&files.places) {
        write_entry(&mut tar, root, &files.entries, entry, *epoch)?;
    }
    tar.finish().map_err(failed)?.flush().map_err(failed)
}

/// Writes what a container sees into an empty or missing folder.
pub fn write_rootfs_dir(store: &Store, layers: &[LayerId], dir: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(dir).at("create", dir)?;
    if fs::read_dir(dir).at("read", dir)?.next().is_some() {
        let source = io::Error::from(io::ErrorKind::DirectoryNotEmpty);
        return Err(StoreError::io("write a root file system into", dir, source));
    }
    let (reader, writer) =
        io::pipe().map_err(|source| StoreError::Stream { action: "make a pipe", source })?;
    std::thread::scope(|scope| {
        let written = scope.spawn(|| write_rootfs_tar(store, layers, writer));
        let unpacked = layer::unpack(reader, dir, &ImportLimits { entries: u64::MAX, bytes: u64::MAX });
        let written = written.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // when unpacking fails the writer sees a broken pipe: the first cause counts
        unpacked.and(written)
    })
}
