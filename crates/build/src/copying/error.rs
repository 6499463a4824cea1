use crate::{layer_writer::LayerError, remote::RemoteError, select::SelectError, unpack::UnpackError};

/// Why a COPY failed; the caller adds the place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error(transparent)]
    Select(#[from] SelectError),
    #[error(transparent)]
    Layer(#[from] LayerError),
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error("{0}")]
    User(#[from] plimsoll_sandbox::UserError),
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    Store(#[from] plimsoll_image::StoreError),
}
