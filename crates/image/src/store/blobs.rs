//! Blobs: bytes by their digest.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::PathBuf,
};

use super::{Store, read_bounded};
use crate::{Digest, StoreError, digest::HashWriter, error::At as _};

impl Store {
    /// Where a blob lies, whether it is there or not. Never write there.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root().join("blobs/sha256").join(digest.hex())
    }

    /// Is the blob there?
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blob_path(digest).exists()
    }

    /// Opens a blob for reading.
    pub fn open_blob(&self, digest: &Digest) -> Result<File, StoreError> {
        let path = self.blob_path(digest);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::NoBlob(*digest)),
            opened => opened.at("open", path),
        }
    }

    /// Reads a JSON document of at most 16 MiB and checks its digest.
    pub fn read_blob(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let path = self.blob_path(digest);
        if !path.exists() {
            return Err(StoreError::NoBlob(*digest));
        }
        let bytes = read_bounded(&path)?;
        let found = Digest::of(&bytes);
        if found != *digest {
            return Err(StoreError::corrupt(path, format!("its bytes have digest {found}")));
        }
        Ok(bytes)
    }

    /// Keeps some bytes.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        let path = self.blob_path(&digest);
        // one that a power failure emptied is written again
        if !fs::metadata(&path).is_ok_and(|meta| meta.len() == bytes.len() as u64) {
            let _pin = self.pin()?;
            self.write_atomically(&path, bytes)?;
        }
        Ok(digest)
    }

    /// Starts a blob whose bytes come as a stream.
    pub(crate) fn begin_blob(&self) -> Result<BlobWriter, StoreError> {
        let pin = self.pin()?;
        let file = self.temporary_file()?;
        Ok(BlobWriter { store: self.clone(), writer: HashWriter::new(file), _pin: pin })
    }

    /// Keeps everything that `reader` gives; returns its digest and length in bytes.
    pub fn put_blob_from(&self, mut reader: impl Read) -> Result<(Digest, u64), StoreError> {
        let mut blob = self.begin_blob()?;
        io::copy(&mut reader, &mut blob)
            .map_err(|source| StoreError::Stream { action: "copy a blob", source })?;
        blob.finish()
    }

    pub(crate) fn remove_blob(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.blob_path(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.at("remove", path),
        }
    }
}

/// A blob in the making; nothing is left of it when it is dropped unfinished.
pub(crate) struct BlobWriter {
    store: Store,
    writer: HashWriter<tempfile::NamedTempFile>,
    _pin: super::Pin,
}

impl Write for BlobWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        // a stream's error says what was done, but not where
        self.writer.write(buffer).map_err(|error| {
            let place = self.store.root().join("tmp");
            io::Error::new(error.kind(), format!("cannot write in {}: {error}", place.display()))
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter {
    /// The digest of what was written until now.
    pub(crate) fn digest(&self) -> Digest {
        self.writer.digest()
    }

    /// Makes the blob visible.
    pub(crate) fn finish(self) -> Result<(Digest, u64), StoreError> {
        let (file, digest, bytes) = self.writer.finish();
        let path = self.store.blob_path(&digest);
        if !fs::metadata(&path).is_ok_and(|meta| meta.len() == bytes) {
            file.persist(&path).map_err(|error| StoreError::io("write", &path, error.error))?;
        }
        Ok((digest, bytes))
    }
}
