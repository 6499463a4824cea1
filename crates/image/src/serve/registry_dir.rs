//! What a registry keeps, on disk. Everything becomes visible by one rename.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{Digest, Reference, StoreError, error::At as _};

/// The folders of a registry.
#[derive(Debug)]
pub(super) struct RegistryDir {
    root: PathBuf,
    next: AtomicU64,
}

impl RegistryDir {
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        for folder in ["blobs/sha256", "uploads", "repositories"] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder).at("create", &folder)?;
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(Self { root: root.to_owned(), next: AtomicU64::new(now.as_nanos() as u64) })
    }

    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// A repository's folder; `None` for what is no name of one.
    pub(super) fn repository(&self, name: &str) -> Option<Repository> {
        let reference = Reference::parse(&format!("127.0.0.1:1/{name}")).ok()?;
        let known = reference.repository() == name && !name.starts_with('_');
        known.then(|| Repository { folder: self.root.join("repositories").join(name) })
    }

    /// All repositories, sorted.
    pub(super) fn repositories(&self) -> Vec<String> {
        let root = self.root.join("repositories");
        let mut found = Vec::new();
        let mut todo = vec![root.clone()];
        while let Some(folder) = todo.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                if entry.file_name() == "_tags" {
                    found.extend(folder.strip_prefix(&root).ok().map(|name| name.display().to_string()));
                } else if !entry.file_name().to_string_lossy().starts_with('_') {
                    todo.push(entry.path());
                }
            }
        }
        found.sort();
        found
    }

    /// Begins an upload; gives its name.
    pub(super) fn begin(&self) -> io::Result<String> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = Digest::of(format!("{} {number}", std::process::id())).hex()[..32].to_owned();
        File::create_new(self.root.join("uploads").join(&name))?;
        Ok(name)
    }

    /// An upload that was begun and has not ended.
    pub(super) fn upload(&self, name: &str) -> Option<PathBuf> {
        let fits = name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let path = self.root.join("uploads").join(name);
        (fits && path.is_file()).then_some(path)
    }

    /// Adds to an upload. What arrived before the connection broke stays.
    pub(super) fn append(upload: &Path, body: &mut dyn Read) -> io::Result<u64> {
        let mut file = File::options().append(true).open(upload)?;
        io::copy(body, &mut file)?;
        Ok(file.metadata()?.len())
    }

    /// Ends an upload: `false` when its bytes have another digest.
    pub(super) fn finish(&self, upload: &Path, digest: &Digest) -> io::Result<bool> {
        if Digest::of_reader(File::open(upload)?)? != *digest {
            fs::remove_file(upload)?;
            return Ok(false);
        }
        fs::rename(upload, self.blob(digest))?;
        Ok(true)
    }

    /// Keeps a small document.
    pub(super) fn put(&self, bytes: &[u8]) -> io::Result<Digest> {
        let digest = Digest::of(bytes);
        write_whole(&self.blob(&digest), bytes)?;
        Ok(digest)
    }
}

/// One repository: its manifests and tags.
#[derive(Debug)]
pub(super) struct Repository {
    folder: PathBuf,
}

impl Repository {
    pub(super) fn has_blob(&self, digest: &Digest) -> bool {
        self.folder.join("_blobs").join(digest.hex()).exists()
    }

    pub(super) fn add_blob(&self, digest: &Digest) -> io::Result<()> {
        write_whole(&self.folder.join("_blobs").join(digest.hex()), b"")
    }

    pub(super) fn remove_blob(&self, digest: &Digest) -> io::Result<()> {
        fs::remove_file(self.folder.join("_blobs").join(digest.hex()))
    }

    /// The media type of a manifest.
    pub(super) fn manifest(&self, digest: &Digest) -> Option<String> {
        fs::read_to_string(self.folder.join("_manifests").join(digest.hex())).ok()
    }

    pub(super) fn add_manifest(&self, digest: &Digest, kind: &str) -> io::Result<()> {
        write_whole(&self.folder.join("_manifests").join(digest.hex()), kind.as_bytes())?;
        fs::create_dir_all(self.folder.join("_tags"))
    }

    pub(super) fn remove_manifest(&self, digest: &Digest) -> io::Result<()> {
        for tag in self.tags() {
            if self.tag(&tag).as_ref() == Some(digest) {
                self.untag(&tag)?;
            }
        }
        fs::remove_file(self.folder.join("_manifests").join(digest.hex()))
    }

    /// The digests of all manifests.
    pub(super) fn manifests(&self) -> Vec<Digest> {
        names(&self.folder.join("_manifests"))
            .iter()
            .filter_map(|hex| Digest::parse(&format!("sha256:{hex}")).ok())
            .collect()
    }

    pub(super) fn tag(&self, tag: &str) -> Option<Digest> {
        Digest::parse(&fs::read_to_string(self.tag_file(tag)?).ok()?).ok()
    }

    pub(super) fn set_tag(&self, tag: &str, digest: &Digest) -> io::Result<bool> {
        match self.tag_file(tag) {
            Some(file) => write_whole(&file, digest.to_string().as_bytes()).map(|()| true),
            None => Ok(false),
        }
    }

    pub(super) fn untag(&self, tag: &str) -> io::Result<()> {
        self.tag_file(tag).map_or(Ok(()), fs::remove_file)
    }

    /// All tags, sorted.
    pub(super) fn tags(&self) -> Vec<String> {
        names(&self.folder.join("_tags"))
    }

    pub(super) fn exists(&self) -> bool {
        self.folder.join("_tags").is_dir()
    }

    /// A tag is a file's name only when it is a valid tag.
    fn tag_file(&self, tag: &str) -> Option<PathBuf> {
        let valid = Reference::parse(&format!("x:{tag}")).is_ok_and(|name| name.tag() == Some(tag));
        valid.then(|| self.folder.join("_tags").join(tag))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    plimsoll_disk::replace(path, bytes, plimsoll_disk::PRIVATE)
}
