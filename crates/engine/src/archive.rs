//! Files of a container that need not run: what `docker cp` does.

use std::io;

use bollard::{
    body_full, body_try_stream,
    query_parameters::{ContainerArchiveInfoOptions, DownloadFromContainerOptions, UploadToContainerOptions},
};
use futures_util::{Stream, StreamExt as _};

use crate::{Engine, EngineError, connect::CALL_SECONDS, connect::TRANSFER_SECONDS};

/// What a path of a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathStat {
    /// A directory.
    pub is_dir: bool,
    /// Where a symbolic link leads to, as it says; empty for anything else.
    pub link_target: String,
}

/// Go's bit for a directory in a file mode.
const GO_DIRECTORY: u32 = 1 << 31;

impl Engine {
    /// What a path of a container is; `None` if there is nothing. A symbolic link is not followed.
    pub async fn path_stat(&self, container: &str, path: &str) -> Result<Option<PathStat>, EngineError> {
        let options = ContainerArchiveInfoOptions { path: path.to_owned() };
        match self.docker.get_container_archive_info(container, Some(options)).await {
            Ok(found) => Ok(Some(PathStat {
                is_dir: found.file_mode & GO_DIRECTORY != 0,
                link_target: found.link_target,
            })),
            Err(error) => match EngineError::from_wire(error, CALL_SECONDS) {
                error if error.is_not_found() => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Unpacks a tar stream into a directory of a container. With `keep_owners` all belong to whom the archive says,
    /// else to the engine's choice (root). A directory is not replaced by a file, nor a file by a directory.
    pub async fn write_archive_stream<S>(
        &self,
        container: &str,
        directory: &str,
        keep_owners: bool,
        tar: S,
    ) -> Result<(), EngineError>
    where
        S: Stream<Item = io::Result<Vec<u8>>> + Send + 'static,
    {
        let options = UploadToContainerOptions {
            path: directory.to_owned(),
            no_overwrite_dir_non_dir: Some("true".to_owned()),
            copy_uidgid: keep_owners.then(|| "true".to_owned()),
        };
        let tar = body_try_stream(tar.map(|piece| piece.map(Into::into)));
        let done = self.patient(TRANSFER_SECONDS).upload_to_container(container, Some(options), tar).await;
        done.map_err(|error| EngineError::from_wire(error, TRANSFER_SECONDS))
    }

    /// All files of a container as one tar stream, without those of its volumes.
    pub fn export_container(
        &self,
        container: &str,
    ) -> impl Stream<Item = Result<Vec<u8>, EngineError>> + Send + Unpin + use<> {
        let docker = self.patient(TRANSFER_SECONDS);
        let pieces = docker.export_container(container).map(|piece| {
            piece.map(|bytes| bytes.to_vec()).map_err(|error| EngineError::from_wire(error, TRANSFER_SECONDS))
        });
        Box::pin(pieces)
    }

    /// A path of a container as a tar stream; its first entry is the path itself. Dropping the stream ends it.
    pub fn read_archive(
        &self,
        container: &str,
        path: &str,
    ) -> impl Stream<Item = Result<Vec<u8>, EngineError>> + Send + Unpin + use<> {
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        let pieces =
            self.patient(TRANSFER_SECONDS).download_from_container(container, Some(options)).map(|piece| {
                piece
                    .map(|bytes| bytes.to_vec())
                    .map_err(|error| EngineError::from_wire(error, TRANSFER_SECONDS))
            });
        Box::pin(pieces)
    }

    /// Unpacks a tar archive into a directory of a container. Refused for the root file system of a read-only one.
    pub async fn write_archive(
        &self,
        container: &str,
        directory: &str,
        tar: Vec<u8>,
    ) -> Result<(), EngineError> {
        // without `copyUIDGID` the engine keeps the owners of the archive; with it all belong to the container's user
        let options =
            UploadToContainerOptions { path: directory.to_owned(), ..UploadToContainerOptions::default() };
        let done = self.docker.upload_to_container(container, Some(options), body_full(tar.into())).await;
        done.map_err(|error| EngineError::from_wire(error, TRANSFER_SECONDS))
    }
}
