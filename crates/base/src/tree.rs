//! A root file system that is being filled: an upper directory over the (immutable) directories of lower layers.
//!
//! Every path is walked component by component inside the root: links on the way are followed as the kernel would inside
//! a chroot, so `/var/run/x` lands in `/run/x` and nothing is ever written outside the upper directory. Nobody else
//! writes to the upper directory meanwhile, so looking and then writing is safe.

use std::collections::HashSet;
use std::fs::{self, Metadata, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

use crate::error::BaseError;
use crate::filter::Filter;

/// Links followed on one path, as the kernel counts them.
const MAX_LINKS: usize = 40;
/// Lists of packages are the largest files that are read whole.
const MAX_READ: u64 = 256 << 20;
/// Entries of one package.
const MAX_ENTRIES: usize = 1_000_000;

/// Owner, group and permission bits of a file or directory, and its time (seconds since 1970).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: i64,
}

impl Attributes {
    /// Root's, with a mode; `mtime` as the tree's other files have it.
    pub(crate) fn root(mode: u32, mtime: i64) -> Self {
        Self { mode, uid: 0, gid: 0, mtime }
    }

    fn of(metadata: &Metadata) -> Self {
        Self {
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
            mtime: metadata.mtime(),
        }
    }
}

/// The union of an upper and its lower directories.
#[derive(Debug)]
pub(crate) struct Tree {
    upper: PathBuf,
    lowers: Vec<PathBuf>,
    /// Directories made only because something lies in them; the first package that names one says how it shall be.
    implicit: HashSet<PathBuf>,
}

/// What a package's data held.
#[derive(Debug, Default)]
pub(crate) struct Unpacked {
    /// Every path, as dpkg's `.list` files have it (`/.`, `/usr`, ...), also those that the filter kept out.
    pub(crate) list: Vec<String>,
    /// The newest time stamp, in seconds since 1970.
    pub(crate) newest: i64,
}

impl Tree {
    /// `lowers` top first.
    pub(crate) fn new(upper: PathBuf, lowers: Vec<PathBuf>) -> Self {
        Self { upper, lowers, implicit: HashSet::new() }
    }

    /// The directory that everything is written to.
    pub(crate) fn upper(&self) -> &Path {
        &self.upper
    }

    /// Looks a path up without following a link at its end.
    pub(crate) fn metadata(&self, path: &str) -> Option<Metadata> {
        self.find(&self.resolve(path).ok()?).map(|(_, metadata)| metadata)
    }

    /// Reads a file of the union, following links inside the root; `None` when there is none.
    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let resolved = self.resolve(&path).ok()?;
            let (real, metadata) = self.find(&resolved)?;
            if !metadata.is_symlink() {
                return plimsoll_disk::read_regular(&real, MAX_READ, plimsoll_disk::Links::Refuse).ok();
            }
            path = join_link(&resolved, &fs::read_link(real).ok()?);
        }
        None
    }

    /// Makes a directory with its attributes, or sets them on one that is there.
    pub(crate) fn directory(&mut self, path: &str, attributes: Attributes) -> Result<(), BaseError> {
        let relative = self.with_parents(path)?;
        self.make_directory(&relative, attributes, true)
    }

    /// Writes a file, in place of what was there.
    pub(crate) fn file(
        &mut self,
        path: &str,
        attributes: Attributes,
        content: &mut dyn Read,
    ) -> Result<(), BaseError> {
        let relative = self.with_parents(path)?;
        let target = self.cleared(&relative)?;
        let fail = BaseError::io(&target);
        let mut write = || {
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target)?;
            io::copy(content, &mut file)?;
            Ok(())
        };
        write().map_err(fail)?;
        set_attributes(&target, attributes, false).map_err(BaseError::io(&target))
    }

    /// Takes from a program in the upper directory what no process loads.
    pub(crate) fn strip(&mut self, path: &str) -> Result<(), BaseError> {
        let target = self.upper.join(self.resolve(path)?);
        let strip = || {
            let mut file = fs::OpenOptions::new().read(true).write(true).open(&target)?;
            let attributes = Attributes::of(&file.metadata()?);
            crate::elf::strip(&mut file)?;
            // its time is that of the package again
            set_attributes(&target, attributes, false)
        };
        strip().map_err(BaseError::io(&target))
    }

    /// Makes a symbolic link, in place of a file or link that was there.
    pub(crate) fn link(&mut self, path: &str, to: &Path, mtime: i64) -> Result<(), BaseError> {
        let relative = self.with_parents(path)?;
        let target = self.cleared(&relative)?;
        std::os::unix::fs::symlink(to, &target).map_err(BaseError::io(&target))?;
        set_attributes(&target, Attributes::root(0o777, mtime), true).map_err(BaseError::io(&target))
    }

    /// Removes what the upper directory has at a path, with everything below it. Lower layers stay as they are.
    pub(crate) fn remove(&mut self, path: &str) -> Result<(), BaseError> {
        let Ok(relative) = self.resolve(path) else { return Ok(()) };
        let target = self.upper.join(&relative);
        let result = match fs::symlink_metadata(&target) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&target),
            Ok(_) => fs::remove_file(&target),
            Err(_) => Ok(()),
        };
        result.map_err(BaseError::io(&target))
    }

    /// Unpacks the data member of a package through a filter. `name` is for messages.
    pub(crate) fn unpack(
        &mut self,
        name: &str,
        data: &mut dyn Read,
        filter: &Filter,
    ) -> Result<Unpacked, BaseError> {
        let malformed = |cause: String| BaseError::Malformed { file: name.to_owned(), cause };
        let mut unpacked = Unpacked::default();
        let mut archive = tar::Archive::new(data);
        for entry in archive.entries().map_err(|error| malformed(error.to_string()))? {
            let mut entry = entry.map_err(|error| malformed(error.to_string()))?;
            if unpacked.list.len() == MAX_ENTRIES {
                return Err(malformed("too many files".to_owned()));
            }
            let raw = String::from_utf8(entry.path_bytes().into_owned())
                .map_err(|error| malformed(format!("a path that is not UTF-8: {error}")))?;
            let path =
                clean(&raw).ok_or_else(|| malformed(format!("a path that leaves the root: `{raw}`")))?;
            unpacked.list.push(if path.is_empty() { "/.".to_owned() } else { format!("/{path}") });
            let header = entry.header();
            let number =
                |value: io::Result<u64>| value.map_err(|error| malformed(format!("{path}: {error}")));
            let attributes = Attributes {
                mode: number(header.mode().map(u64::from))? as u32 & 0o7777,
                uid: number(header.uid())? as u32,
                gid: number(header.gid())? as u32,
                mtime: i64::try_from(number(header.mtime())?).unwrap_or(0),
            };
            unpacked.newest = unpacked.newest.max(attributes.mtime);
            let kind = header.entry_type();
            if path.is_empty() {
                continue;
            }
            if kind.is_dir() {
                if filter.keeps(&path) {
                    let relative = self.with_parents(&path)?;
                    self.make_directory(&relative, attributes, false)?;
                }
            } else if kind.is_file() {
                if filter.keeps(&path) {
                    self.file(&path, attributes, &mut entry)?;
                }
            } else if kind.is_symlink() {
                let to =
                    entry.link_name_bytes().ok_or_else(|| malformed(format!("{path}: a link to nothing")))?;
                let to = PathBuf::from(std::ffi::OsString::from(String::from_utf8_lossy(&to).into_owned()));
                let over_directory = self.metadata(&path).is_some_and(|metadata| metadata.is_dir());
                if filter.keeps_link(&path) && !over_directory {
                    self.link(&path, &to, attributes.mtime)?;
                }
            } else if kind.is_hard_link() {
                let to = entry.link_name_bytes().map(|to| String::from_utf8_lossy(&to).into_owned());
                let to = to
                    .as_deref()
                    .and_then(clean)
                    .ok_or_else(|| malformed(format!("{path}: a link outside")))?;
                if filter.keeps(&path) {
                    self.hard_link(&path, &to)?;
                }
            } else {
                return Err(malformed(format!("{path}: neither file, directory nor link")));
            }
        }
        Ok(unpacked)
    }

    fn hard_link(&mut self, path: &str, to: &str) -> Result<(), BaseError> {
        let from = self.upper.join(self.resolve(to)?);
        let relative = self.with_parents(path)?;
        let target = self.cleared(&relative)?;
        fs::hard_link(&from, &target).map_err(BaseError::io(&from))
    }

    /// The path with all links in its parents followed, relative to the root.
    fn resolve(&self, path: &str) -> Result<PathBuf, BaseError> {
        let out_of_bounds =
            || BaseError::Malformed { file: path.to_owned(), cause: "too many links".to_owned() };
        let mut done = PathBuf::new();
        let mut rest: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    done.pop();
                    continue;
                }
                _ => done.push(&part),
            }
            if rest.iter().all(|part| part.is_empty() || part == ".") {
                break;
            }
            if let Some((real, metadata)) = self.find(&done)
                && metadata.is_symlink()
            {
                links += 1;
                if links > MAX_LINKS {
                    return Err(out_of_bounds());
                }
                let to = fs::read_link(&real).map_err(BaseError::io(&real))?;
                done.pop();
                let to = join_link(&done.join("x"), &to);
                done = PathBuf::new();
                rest.extend(to.split('/').rev().map(str::to_owned));
            }
        }
        Ok(done)
    }

    fn find(&self, relative: &Path) -> Option<(PathBuf, Metadata)> {
        std::iter::once(&self.upper).chain(&self.lowers).find_map(|root| {
            let path = root.join(relative);
            fs::symlink_metadata(&path).ok().map(|metadata| (path, metadata))
        })
    }

    /// Resolves a path and makes the directories above it in the upper directory.
    fn with_parents(&mut self, path: &str) -> Result<PathBuf, BaseError> {
        let relative = self.resolve(path)?;
        let mut parents: Vec<_> =
            relative.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()).collect();
        parents.reverse();
        for parent in parents {
            let target = self.upper.join(parent);
            match fs::symlink_metadata(&target) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return Err(BaseError::io(&target)(io::Error::from(io::ErrorKind::NotADirectory))),
                Err(_) => {
                    let below = self.find(parent).map(|(_, metadata)| Attributes::of(&metadata));
                    fs::create_dir(&target).map_err(BaseError::io(&target))?;
                    let attributes = below.unwrap_or_else(|| {
                        self.implicit.insert(parent.to_path_buf());
                        Attributes::root(0o755, 0)
                    });
                    set_attributes(&target, attributes, false).map_err(BaseError::io(&target))?;
                }
            }
        }
        Ok(relative)
    }

    fn make_directory(
        &mut self,
        relative: &Path,
        attributes: Attributes,
        set: bool,
    ) -> Result<(), BaseError> {
        let target = self.upper.join(relative);
        if let Some((real, found)) = self.find(relative) {
            if found.is_symlink() && self.links_to_directory(relative, &real) {
                return Ok(());
            }
            if found.is_dir() {
                if real != target {
                    if !set {
                        return Ok(());
                    }
                    fs::create_dir(&target).map_err(BaseError::io(&target))?;
                }
                if !set && !self.implicit.remove(relative) {
                    return Ok(());
                }
                return set_attributes(&target, attributes, false).map_err(BaseError::io(&target));
            }
            if real == target {
                fs::remove_file(&target).map_err(BaseError::io(&target))?;
            }
        }
        fs::create_dir(&target).map_err(BaseError::io(&target))?;
        set_attributes(&target, attributes, false).map_err(BaseError::io(&target))
    }

    /// A link to a directory counts as that directory (dpkg does the same), judged inside the root.
    fn links_to_directory(&self, relative: &Path, real: &Path) -> bool {
        let Ok(to) = fs::read_link(real) else { return false };
        let path = join_link(relative, &to);
        self.resolve(&path)
            .ok()
            .and_then(|path| self.find(&path))
            .is_some_and(|(_, metadata)| metadata.is_dir())
    }

    /// The place for a new file, with a file or link that was there removed.
    fn cleared(&self, relative: &Path) -> Result<PathBuf, BaseError> {
        let target = self.upper.join(relative);
        match fs::symlink_metadata(&target) {
            Ok(metadata) if metadata.is_dir() => {
                Err(BaseError::io(&target)(io::Error::from(io::ErrorKind::IsADirectory)))
            }
            Ok(_) => {
                fs::remove_file(&target).map_err(BaseError::io(&target))?;
                Ok(target)
            }
            Err(_) => Ok(target),
        }
    }
}

/// A path of an archive relative to the root; `None` when it holds `..`. The root itself is the empty path.
fn clean(path: &str) -> Option<String> {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    (!parts.contains(&"..") && path.len() <= 4096).then(|| parts.join("/"))
}

/// Where a link at `from` leads, as a path from the root; `..` above the root stays at the root when resolved.
fn join_link(from: &Path, to: &Path) -> String {
    let to = to.to_string_lossy();
    match (to.strip_prefix('/'), from.parent()) {
        (Some(absolute), _) => absolute.to_owned(),
        (None, Some(parent)) => format!("{}/{to}", parent.display()),
        (None, None) => to.into_owned(),
    }
}

/// Owner first: changing it clears set-uid bits.
fn set_attributes(path: &Path, attributes: Attributes, is_link: bool) -> io::Result<()> {
    plimsoll_image::set_owner(path, attributes.uid, attributes.gid)?;
    if !is_link {
        fs::set_permissions(path, Permissions::from_mode(attributes.mode))?;
    }
    let time = Timespec { tv_sec: attributes.mtime, tv_nsec: 0 };
    utimensat(
        CWD,
        path,
        &Timestamps { last_access: time, last_modification: time },
        AtFlags::SYMLINK_NOFOLLOW,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Item<'a> {
        Directory(&'a str, u32),
        File(&'a str, &'a str),
        Link(&'a str, &'a str),
        Hard(&'a str, &'a str),
        Device(&'a str),
    }
    use Item::{Device, Directory, File, Hard, Link};

    fn tar(items: &[Item<'_>]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for item in items {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            let (path, kind, to, text) = match item {
                Directory(path, mode) => {
                    header.set_mode(*mode);
                    (*path, tar::EntryType::Directory, "", "")
                }
                File(path, text) => {
                    header.set_mode(0o4755);
                    (*path, tar::EntryType::Regular, "", *text)
                }
                Link(path, to) => (*path, tar::EntryType::Symlink, *to, ""),
                Hard(path, to) => (*path, tar::EntryType::Link, *to, ""),
                Device(path) => (*path, tar::EntryType::Block, "", ""),
            };
            header.set_entry_type(kind);
            header.set_size(text.len() as u64);
            header.set_mtime(1000);
            // Written byte for byte: the crate's own setters refuse what a hostile archive would hold.
            let name = &mut header.as_old_mut().name;
            name[..path.len()].copy_from_slice(path.as_bytes());
            let link = &mut header.as_old_mut().linkname;
            link[..to.len()].copy_from_slice(to.as_bytes());
            header.set_uid(u64::from(rustix::process::geteuid().as_raw()));
            header.set_gid(u64::from(rustix::process::getegid().as_raw()));
            header.set_cksum();
            builder.append(&header, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    /// Files get their owners, so these tests need root. CI has it.
    fn is_root() -> bool {
        let root = rustix::process::geteuid().is_root();
        assert!(root || std::env::var_os("CI").is_none(), "CI must run these tests as root");
        if !root {
            eprintln!("skipped: needs root to set owners");
        }
        root
    }

    fn unpack(tree: &mut Tree, items: &[Item<'_>]) -> Result<Unpacked, String> {
        let bytes = tar(items);
        tree.unpack("test", &mut bytes.as_slice(), &Filter::new(&[])).map_err(|error| error.to_string())
    }

    #[test]
    fn unpacks_attributes_links_and_list() {
        if !is_root() {
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let mut tree = Tree::new(root.path().to_path_buf(), Vec::new());
        let items = [
            Directory("./", 0o755),
            Directory("./usr/", 0o755),
            File("./usr/bin/su", "su"),
            Hard("./usr/bin/same", "./usr/bin/su"),
            Link("./usr/bin/sh", "su"),
            Directory("./tmp", 0o1777),
            File("./usr/share/doc/x/README", "not wanted"),
        ];
        let unpacked = unpack(&mut tree, &items).unwrap();
        assert_eq!(unpacked.newest, 1000);
        assert_eq!(unpacked.list[..3], ["/.", "/usr", "/usr/bin/su"]);
        assert_eq!(unpacked.list.len(), 7, "what is filtered out is in the list all the same");
        let su = fs::metadata(root.path().join("usr/bin/su")).unwrap();
        assert_eq!((su.mode() & 0o7777, su.mtime(), su.nlink()), (0o4755, 1000, 2));
        assert_eq!(fs::metadata(root.path().join("tmp")).unwrap().mode() & 0o7777, 0o1777);
        assert_eq!(fs::read_link(root.path().join("usr/bin/sh")).unwrap(), Path::new("su"));
        assert!(!root.path().join("usr/share").exists());
    }

    #[test]
    fn links_are_followed_inside_the_root_only() {
        if !is_root() {
            return;
        }
        let outside = tempfile::tempdir().unwrap();
        let root = tempfile::tempdir().unwrap();
        let mut tree = Tree::new(root.path().to_path_buf(), Vec::new());
        let absolute = outside.path().to_str().unwrap();
        let up = format!("../../../../../../../..{absolute}");
        let items = [
            Link("lib", "usr/lib"),
            Directory("usr/lib", 0o755),
            File("lib/a", "merged"),
            Link("abs", absolute),
            File("abs/evil", "x"),
            Link("up", &up),
            File("up/evil", "x"),
        ];
        unpack(&mut tree, &items).unwrap();
        assert_eq!(fs::read_to_string(root.path().join("usr/lib/a")).unwrap(), "merged");
        assert!(fs::read_dir(outside.path()).unwrap().next().is_none(), "nothing was written outside");
        assert!(root.path().join(absolute.trim_start_matches('/')).join("evil").exists());
        assert_eq!(tree.read("lib/a").unwrap(), b"merged");
    }

    #[test]
    fn hostile_entries_are_refused() {
        if !is_root() {
            return;
        }
        let outside = tempfile::NamedTempFile::new().unwrap();
        let secret = outside.path().to_str().unwrap();
        for (items, cause) in [
            (vec![File("../evil", "x")], "a path that leaves the root: `../evil`"),
            (vec![File("a/../../evil", "x")], "a path that leaves the root: `a/../../evil`"),
            (vec![Hard("a", "../../etc/passwd")], "a: a link outside"),
            (vec![Device("dev/sda")], "dev/sda: neither file, directory nor link"),
            (vec![Link("a", "b"), Link("b", "a"), File("a/x", "x")], "too many links"),
        ] {
            let root = tempfile::tempdir().unwrap();
            let mut tree = Tree::new(root.path().to_path_buf(), Vec::new());
            let error = unpack(&mut tree, &items).unwrap_err();
            assert!(error.ends_with(cause), "{error}");
        }
        let root = tempfile::tempdir().unwrap();
        let mut tree = Tree::new(root.path().to_path_buf(), Vec::new());
        assert!(
            unpack(&mut tree, &[Hard("a", secret)]).is_err(),
            "an absolute target is one inside the root"
        );
        assert!(!root.path().join("a").exists());
    }

    #[test]
    fn a_link_that_becomes_a_file_does_not_write_through() {
        if !is_root() {
            return;
        }
        let outside = tempfile::NamedTempFile::new().unwrap();
        let root = tempfile::tempdir().unwrap();
        let mut tree = Tree::new(root.path().to_path_buf(), Vec::new());
        let items = [Link("a", outside.path().to_str().unwrap()), File("a", "x")];
        unpack(&mut tree, &items).unwrap();
        assert_eq!(fs::read(outside.path()).unwrap(), b"");
        assert!(fs::symlink_metadata(root.path().join("a")).unwrap().is_file());
    }

    #[test]
    fn lower_layers_are_seen_and_never_written() {
        if !is_root() {
            return;
        }
        let (lower, upper) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut below = Tree::new(lower.path().to_path_buf(), Vec::new());
        unpack(&mut below, &[Link("lib", "usr/lib"), Directory("usr/lib", 0o711), File("usr/lib/a", "old")])
            .unwrap();
        let mut tree = Tree::new(upper.path().to_path_buf(), vec![lower.path().to_path_buf()]);
        unpack(&mut tree, &[Directory("lib", 0o755), File("lib/a", "new"), File("lib/b", "b")]).unwrap();
        assert_eq!(fs::read_to_string(upper.path().join("usr/lib/a")).unwrap(), "new");
        assert_eq!(fs::read_to_string(lower.path().join("usr/lib/a")).unwrap(), "old");
        assert_eq!(fs::metadata(upper.path().join("usr/lib")).unwrap().mode() & 0o7777, 0o711);
        assert!(!upper.path().join("lib").exists(), "the link of the layer below stays what it is");
        assert_eq!(tree.read("lib/a").unwrap(), b"new");
        tree.remove("usr/lib/a").unwrap();
        assert_eq!(tree.read("usr/lib/a").unwrap(), b"old");
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(64))]

        /// Archives of any small names, links and contents: whatever they do, it stays inside.
        #[test]
        fn nothing_leaves_the_root(items in proptest::collection::vec(
            (0..4_usize, "(\\.\\./|/|a/|b/|c){1,4}", "(\\.\\./|/|a/|b/|c){0,4}"), 1..12)
        ) {
            proptest::prop_assume!(rustix::process::geteuid().is_root());
            let dir = tempfile::tempdir().unwrap();
            let root = dir.path().join("deep/er/root");
            fs::create_dir_all(&root).unwrap();
            let items: Vec<_> = items
                .iter()
                .map(|(kind, path, to)| match kind {
                    0 => Directory(path, 0o755),
                    1 => File(path, "x"),
                    2 => Link(path, to),
                    _ => Hard(path, to),
                })
                .collect();
            let mut tree = Tree::new(root, Vec::new());
            let _ = unpack(&mut tree, &items);
            for (level, only) in [("", "deep"), ("deep", "er"), ("deep/er", "root")] {
                let names: Vec<_> = fs::read_dir(dir.path().join(level)).unwrap().map(|e| e.unwrap().file_name()).collect();
                proptest::prop_assert_eq!(names, [only]);
            }
        }
    }
}
