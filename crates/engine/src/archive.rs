//! Files of a container that need not run: what `docker cp` does.

use bollard::{
    body_full,
    query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions},
};
use futures_util::{Stream, StreamExt as _};

use crate::{Engine, EngineError, connect::TRANSFER_SECONDS};

impl Engine {
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
