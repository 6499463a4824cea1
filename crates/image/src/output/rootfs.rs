//! The merged files of an image, as one tar or in a folder.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    fs,
    io::{self, Write},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown},
    path::Path,
};

use crate::{
    ImportLimits, LayerId, Store, StoreError,
    error::At as _,
    layer::{self, Kind, Member, TarWriter, write_entry},
    merged::{Merged, MergedFiles},
};

/// The files of one image in an output.
#[derive(Debug, Clone, Default)]
pub struct Rootfs<'a> {
    /// The layers to be merged, lowest first.
    pub layers: &'a [LayerId],
    /// The folder that they are in; empty for none.
    pub folder: String,
    /// Further files: name and bytes.
    pub files: Vec<(String, Vec<u8>)>,
    /// How the image is called in messages: its platform.
    pub name: String,
}

/// Writes what a container sees as one plain tar, always the same bytes.
pub fn write_rootfs_tar(store: &Store, layers: &[LayerId], out: impl Write) -> Result<(), StoreError> {
    write_rootfs_tars(store, &[Rootfs { layers, ..Rootfs::default() }], out)
}

/// As [`write_rootfs_tar`] with the files of several images, each in its folder.
pub fn write_rootfs_tars(store: &Store, images: &[Rootfs<'_>], out: impl Write) -> Result<(), StoreError> {
    let _pin = store.pin()?;
    let failed = |source| StoreError::Stream { action: "write a root file system", source };
    let merged: Vec<MergedFiles> = images
        .iter()
        .map(|image| Ok(Merged::read(store, image.layers)?.files()))
        .collect::<Result<_, StoreError>>()?;
    each_place_once(images, &merged)?;
    let mut tar = TarWriter::new(io::BufWriter::with_capacity(128 << 10, out));
    let mut directories = HashSet::new();
    for (image, files) in images.iter().zip(&merged) {
        let prefix = image.prefix();
        if !prefix.is_empty() {
            tar.header(&Member::directory(prefix.as_bytes(), 0)).map_err(failed)?;
        }
        for (entry, (root, epoch)) in files.entries.iter().zip(&files.places) {
            let is_directory = matches!(entry.kind, Kind::Directory { .. });
            if is_directory && images.len() > 1 && !directories.insert((prefix.clone(), &entry.path)) {
                continue;
            }
            write_entry(&mut tar, prefix.as_bytes(), root, &files.entries, entry, *epoch)?;
        }
        for (name, bytes) in &image.files {
            let path = format!("{prefix}{name}");
            tar.header(&Member::file(path.as_bytes(), bytes.len() as u64, 0)).map_err(failed)?;
            tar.body(bytes.as_slice(), bytes.len() as u64).map_err(failed)?;
        }
    }
    tar.finish().map_err(failed)?.flush().map_err(failed)
}

impl Rootfs<'_> {
    fn prefix(&self) -> String {
        if self.folder.is_empty() { String::new() } else { format!("{}/", self.folder) }
    }
}

/// No file takes the place of another, whether of another image in the same folder or of a further file.
fn each_place_once(images: &[Rootfs<'_>], merged: &[MergedFiles]) -> Result<(), StoreError> {
    if images.len() < 2 && images.iter().all(|image| image.files.is_empty()) {
        return Ok(());
    }
    let mut taken: HashMap<Vec<u8>, String> = HashMap::new();
    for (image, files) in images.iter().zip(merged) {
        let prefix = image.prefix();
        let kept = files.entries.iter().filter(|entry| !matches!(entry.kind, Kind::Directory { .. }));
        let kept = kept.map(|entry| (entry.path.as_slice(), format!("the image for {}", image.name)));
        let further = image.files.iter();
        let further =
            further.map(|(name, _)| (name.as_bytes(), format!("the statements for {}", image.name)));
        for (path, owner) in kept.chain(further) {
            let path = [prefix.as_bytes(), path].concat();
            if let Some(first) = taken.get(&path) {
                let path = String::from_utf8_lossy(&path).into_owned();
                return Err(StoreError::Twice { path, first: first.clone(), second: owner });
            }
            taken.insert(path, owner);
        }
    }
    Ok(())
}

/// Writes what a container sees into an empty or missing folder, with the owners that the image gives.
pub fn write_rootfs_dir(store: &Store, layers: &[LayerId], dir: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(dir).at("create", dir)?;
    if fs::read_dir(dir).at("read", dir)?.next().is_some() {
        let source = io::Error::from(io::ErrorKind::DirectoryNotEmpty);
        return Err(StoreError::io("write a root file system into", dir, source));
    }
    unpack(store, &[Rootfs { layers, ..Rootfs::default() }], dir)
}

/// Writes what containers see into a folder, which may hold other files: those of the same names are replaced, the
/// others stay, or go with `delete`. Everything belongs to the caller.
pub fn write_rootfs_dirs(
    store: &Store,
    images: &[Rootfs<'_>],
    dir: &Path,
    delete: bool,
) -> Result<(), StoreError> {
    fs::create_dir_all(dir).at("create", dir)?;
    // beside the result, so that each file comes by one rename
    let draft =
        tempfile::Builder::new().prefix(".plimsoll-").tempdir_in(dir).at("create a folder in", dir)?;
    unpack(store, images, draft.path())?;
    let owner = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    if delete {
        remove_others(draft.path(), dir, draft.path().file_name())?;
    }
    merge(draft.path(), dir, owner)
}

/// Removes from `to` what `from` has not, or has as a folder where `to` has none. No link in `to` is followed.
/// `except` is a name in `to` that stays.
fn remove_others(from: &Path, to: &Path, except: Option<&OsStr>) -> Result<(), StoreError> {
    for entry in fs::read_dir(to).at("read", to)? {
        let target = entry.at("read", to)?.path();
        if except.is_some() && target.file_name() == except {
            continue;
        }
        let is_dir = fs::symlink_metadata(&target).at("read", &target)?.is_dir();
        let source = target.file_name().map(|name| from.join(name));
        let kept = source.and_then(|source| Some((fs::symlink_metadata(&source).ok()?, source)));
        match kept {
            Some((meta, source)) if meta.is_dir() && is_dir => remove_others(&source, &target, None)?,
            Some(_) => {}
            None if is_dir => fs::remove_dir_all(&target).at("remove", &target)?,
            None => fs::remove_file(&target).at("remove", &target)?,
        }
    }
    Ok(())
}

fn unpack(store: &Store, images: &[Rootfs<'_>], dir: &Path) -> Result<(), StoreError> {
    let (reader, writer) =
        io::pipe().map_err(|source| StoreError::Stream { action: "make a pipe", source })?;
    std::thread::scope(|scope| {
        let written = scope.spawn(|| write_rootfs_tars(store, images, writer));
        let unpacked = layer::unpack(reader, dir, &ImportLimits { entries: u64::MAX, bytes: u64::MAX });
        let written = written.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // when unpacking fails the writer sees a broken pipe: the first cause counts
        unpacked.and(written)
    })
}

/// Moves everything in `from` to `to`. No link in `to` is followed: one in the way is replaced.
fn merge(from: &Path, to: &Path, owner: (u32, u32)) -> Result<(), StoreError> {
    for entry in fs::read_dir(from).at("read", from)? {
        let source = entry.at("read", from)?.path();
        let Some(name) = source.file_name() else { continue };
        let target = to.join(name);
        let meta = fs::symlink_metadata(&source).at("read", &source)?;
        own(&source, &meta, owner)?;
        let there = fs::symlink_metadata(&target).ok();
        if meta.is_dir() && there.as_ref().is_some_and(fs::Metadata::is_dir) {
            merge(&source, &target, owner)?;
            fs::set_permissions(&target, meta.permissions()).at("change the mode of", &target)?;
            continue;
        }
        if let Some(there) = there {
            let removed = if there.is_dir() { fs::remove_dir_all(&target) } else { fs::remove_file(&target) };
            removed.at("replace", &target)?;
        }
        if meta.is_dir() {
            own_all(&source, owner)?;
        }
        fs::rename(&source, &target).at("write", &target)?;
    }
    Ok(())
}

fn own_all(dir: &Path, owner: (u32, u32)) -> Result<(), StoreError> {
    for entry in fs::read_dir(dir).at("read", dir)? {
        let path = entry.at("read", dir)?.path();
        let meta = fs::symlink_metadata(&path).at("read", &path)?;
        own(&path, &meta, owner)?;
        if meta.is_dir() {
            own_all(&path, owner)?;
        }
    }
    Ok(())
}

fn own(path: &Path, meta: &fs::Metadata, owner: (u32, u32)) -> Result<(), StoreError> {
    if (meta.uid(), meta.gid()) == owner {
        return Ok(());
    }
    lchown(path, Some(owner.0), Some(owner.1)).at("change the owner of", path)?;
    // the kernel takes setuid and setgid bits away with the owner
    if !meta.is_symlink() && meta.mode() & 0o6000 != 0 {
        let mode = fs::Permissions::from_mode(meta.mode() & 0o7777);
        fs::set_permissions(path, mode).at("change the mode of", path)?;
    }
    Ok(())
}
