//! Why files cannot be placed, and what is in their way.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Why files cannot be placed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayerError {
    #[error("cannot copy to non-directory: /{}, which is {is}", path.display())]
    NotADirectory { path: PathBuf, is: String },
    #[error("cannot make the working directory /{}: it is {is}", path.display())]
    WorkdirInTheWay { path: PathBuf, is: String },
    #[error("cannot replace to directory {} with file", .0.display())]
    IsADirectory(PathBuf),
    #[error("`{}` changed while the build read it", .0.display())]
    Changed(PathBuf),
    #[error("/{} is a device 0:0 and cannot be in an image: it would delete what lower layers have there", .0.display())]
    Whiteout(PathBuf),
    #[error("too many links in {}", .0.display())]
    TooManyLinks(PathBuf),
    #[error("cannot write `{path}`: {1}", path = .0.display())]
    Io(PathBuf, #[source] io::Error),
}

/// What lies at a path of the host, for messages.
pub(crate) fn what(host: &Path) -> String {
    use std::os::unix::fs::FileTypeExt as _;
    match fs::symlink_metadata(host) {
        Ok(meta) if meta.is_symlink() => fs::read_link(host)
            .map_or_else(|_| "a link".to_owned(), |to| format!("a link to {}", to.display())),
        Ok(meta) if meta.is_file() => "a file".to_owned(),
        Ok(meta) if meta.is_dir() => "a directory".to_owned(),
        Ok(meta) if meta.file_type().is_socket() => "a socket".to_owned(),
        Ok(meta) if meta.file_type().is_fifo() => "a pipe".to_owned(),
        _ => "a device".to_owned(),
    }
}
