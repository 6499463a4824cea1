//! What ADD downloads.

use super::error::CopyError;
use crate::{
    graph::{CopyOp, Download},
    key::KeyBuilder,
    remote::{Checkout, HttpFile, RemoteError, Remotes, Transfer},
};

/// A download that is on this machine.
#[derive(Clone)]
pub(crate) enum Fetched {
    File { file: HttpFile, unpack: bool },
    Tree(Checkout),
}

impl Fetched {
    fn get(download: &Download, remotes: &Remotes) -> Result<Self, RemoteError> {
        Ok(match download {
            Download::Http { url, checksum, unpack } => {
                Self::File { file: remotes.http(url, checksum.as_deref())?, unpack: *unpack }
            }
            Download::Git(url) => Self::Tree(remotes.git(url)?),
        })
    }

    /// How it came, if it is a file that was not here.
    pub(crate) fn transfer(&self) -> Option<&Transfer> {
        match self {
            Self::File { file, .. } => file.transfer.as_ref(),
            Self::Tree(_) => None,
        }
    }

    /// Its part of the key: what it holds, not where it is.
    pub(super) fn part(&self, download: &Download, key: &mut KeyBuilder) {
        match (self, download) {
            (Self::File { file, unpack }, Download::Http { url, .. }) => {
                let text = format!("{} {} {} {unpack}", file.digest, file.name, file.modified);
                key.part(format!("the file behind {url}"), text);
            }
            (Self::Tree(checkout), Download::Git(url)) => {
                let text = format!("{} {} {:?}", checkout.commit, url.subdir, url.keep_git_dir);
                key.part(format!("the commit of {}", url.shown()), text);
            }
            // Both come from the same download.
            _ => {}
        }
    }
}

/// Fetches everything that a step downloads.
pub(crate) fn fetch(op: &CopyOp, remotes: &Remotes) -> Result<Vec<Fetched>, CopyError> {
    Ok(op.downloads.iter().map(|download| Fetched::get(download, remotes)).collect::<Result<_, _>>()?)
}
