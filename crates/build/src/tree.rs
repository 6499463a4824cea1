//! File trees as instructions read them: the build context, or a stack of layers, without mounting anything.
//!
//! A path is resolved inside its tree, as a process in a chroot would: links never lead out of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex},
};

use plimsoll_dockerfile::dockerignore::Matcher;

use crate::statcache::Stamp;

/// As the kernel: more links than this in one path are a loop.
const MAX_LINKS: usize = 40;

/// A tree of files.
pub(crate) struct Tree {
    /// Directories on the host, top first.
    layers: Vec<PathBuf>,
    /// The layers are in overlay's format: 0:0 devices and opaque directories hide what is below.
    overlay: bool,
    ignore: Option<Arc<Matcher>>,
    listings: Mutex<HashMap<PathBuf, Listing>>,
}

/// The entries of a directory, sorted by name.
pub(crate) type Listing = Arc<[Arc<Node>]>;

/// One name in a tree.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Relative to the tree's root; empty for the root.
    pub(crate) path: PathBuf,
    /// Where it lies on the host.
    pub(crate) host: PathBuf,
    pub(crate) kind: Kind,
    /// The twelve permission bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) device: u64,
    /// Number of names of a file.
    pub(crate) links: u64,
    pub(crate) stamp: Stamp,
    /// For a directory: the directories on the host that make it up, top first.
    pub(crate) parts: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Symlink,
    Fifo,
    Character,
    Block,
    Socket,
}

impl Node {
    pub(crate) fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }

    /// The last name of the path.
    pub(crate) fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    fn new(path: PathBuf, host: PathBuf, meta: &fs::Metadata) -> Self {
        let kind = match meta.mode() & 0o170_000 {
            0o040_000 => Kind::Directory,
            0o120_000 => Kind::Symlink,
            0o010_000 => Kind::Fifo,
            0o020_000 => Kind::Character,
            0o060_000 => Kind::Block,
            0o140_000 => Kind::Socket,
            _ => Kind::File,
        };
        let (uid, gid) = plimsoll_image::owner_of(&host, meta);
        Self {
            path,
            host,
            kind,
            mode: meta.mode() & 0o7777,
            uid,
            gid,
            device: meta.rdev(),
            links: meta.nlink(),
            stamp: stamp(meta),
            parts: Vec::new(),
        }
    }
}

/// The identity of a file's bytes.
pub(crate) fn stamp(meta: &fs::Metadata) -> Stamp {
    let nanos = |nanos: i64| u32::try_from(nanos).unwrap_or(0);
    Stamp {
        device: meta.dev(),
        inode: meta.ino(),
        size: meta.len(),
        mtime: (meta.mtime(), nanos(meta.mtime_nsec())),
        ctime: (meta.ctime(), nanos(meta.ctime_nsec())),
    }
}

impl Tree {
    /// A plain directory of the host.
    pub(crate) fn directory(root: PathBuf, ignore: Option<Arc<Matcher>>) -> Self {
        Self { layers: vec![root], overlay: false, ignore, listings: Mutex::default() }
    }

    /// The same directories as they are now.
    pub(crate) fn again(&self) -> Self {
        let (layers, ignore) = (self.layers.clone(), self.ignore.clone());
        Self { layers, overlay: self.overlay, ignore, listings: Mutex::default() }
    }

    /// A stack of layers, top first.
    pub(crate) fn layers(layers: Vec<PathBuf>) -> Self {
        Self { layers, overlay: true, ignore: None, listings: Mutex::default() }
    }

    /// Whether this is a directory of the host, whose owners do not count.
    pub(crate) fn is_context(&self) -> bool {
        !self.overlay
    }

    /// Whether every file of the directory is part of it.
    pub(crate) fn ignores_nothing(&self) -> bool {
        self.ignore.as_ref().is_none_or(|ignore| ignore.is_empty())
    }

    /// The top directory.
    pub(crate) fn root(&self) -> io::Result<Node> {
        let Some(top) = self.layers.first() else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the tree is empty"));
        };
        let mut node = Node::new(PathBuf::new(), top.clone(), &fs::symlink_metadata(top)?);
        node.parts.clone_from(&self.layers);
        Ok(node)
    }

    /// What `path` means, links resolved; the last one only when `follow`. `None` when there is nothing.
    pub(crate) fn lookup(&self, path: &Path, follow: bool) -> io::Result<Option<Node>> {
        if self.layers.is_empty() {
            return Ok(None);
        }
        let mut stack = vec![self.root()?];
        let mut todo: VecDeque<OsString> = names(path);
        let mut links = 0;
        while let Some(name) = todo.pop_front() {
            if name == ".." {
                if stack.len() > 1 {
                    stack.pop();
                }
                continue;
            }
            // `stack` holds the root at least
            let Some(at) = stack.last() else { break };
            let Some(node) = self.child(at, &name)? else { return Ok(None) };
            match node.kind {
                Kind::Symlink if follow || !todo.is_empty() => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(io::Error::other(format!("too many links in {}", path.display())));
                    }
                    if self.is_ignored(&node)? {
                        return Ok(None);
                    }
                    let target = fs::read_link(&node.host)?;
                    if target.is_absolute() {
                        stack.truncate(1);
                    }
                    for name in names(&target).into_iter().rev() {
                        todo.push_front(name);
                    }
                }
                Kind::Directory => stack.push(node),
                _ if todo.is_empty() => {
                    return if self.is_ignored(&node)? { Ok(None) } else { Ok(Some(node)) };
                }
                _ => return Ok(None),
            }
        }
        let Some(found) = stack.pop() else { return Ok(None) };
        if self.is_ignored(&found)? { Ok(None) } else { Ok(Some(found)) }
    }

    /// The entries of a directory, sorted by name, without what is ignored.
    pub(crate) fn children(&self, directory: &Node) -> io::Result<Listing> {
        if self.overlay {
            return Ok(self.list(directory)?.into());
        }
        let known = self
            .listings
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .get(&directory.path)
            .cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let mut kept = Vec::new();
        for node in self.list(directory)? {
            if !self.is_ignored(&node)? {
                kept.push(node);
            }
        }
        let kept: Listing = kept.into();
        let mut listings = self.listings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        listings.insert(directory.path.clone(), Arc::clone(&kept));
        Ok(kept)
    }

    /// A directory that is ignored exists all the same when something in it is taken in again.
    fn is_ignored(&self, node: &Node) -> io::Result<bool> {
        let Some(ignore) = &self.ignore else { return Ok(false) };
        let path = node.path.to_string_lossy();
        if path.is_empty() || !ignore.matches(&path) {
            return Ok(false);
        }
        Ok(!node.is_directory() || ignore.can_skip_dir(&path) || self.children(node)?.is_empty())
    }

    /// One name in a directory, ignored or not.
    pub(crate) fn child(&self, directory: &Node, name: &OsStr) -> io::Result<Option<Node>> {
        let mut found: Option<Node> = None;
        for part in &directory.parts {
            let host = part.join(name);
            let meta = match fs::symlink_metadata(&host) {
                Ok(meta) => meta,
                Err(error) if absent(&error) => continue,
                Err(error) => return Err(error),
            };
            if self.overlay && is_whiteout(&meta) {
                break;
            }
            match &mut found {
                None => {
                    let mut node = Node::new(directory.path.join(name), host.clone(), &meta);
                    if !node.is_directory() {
                        return Ok(Some(node));
                    }
                    node.parts.push(host.clone());
                    found = Some(node);
                }
                Some(node) if meta.is_dir() => node.parts.push(host.clone()),
                Some(_) => break,
            }
            if !self.overlay || is_opaque(&host) {
                break;
            }
        }
        Ok(found)
    }

    fn list(&self, directory: &Node) -> io::Result<Vec<Arc<Node>>> {
        if let ([part], false) = (directory.parts.as_slice(), self.overlay) {
            return list_plain(directory, part);
        }
        // name -> the node, or `None` for a name that is removed
        let mut found: BTreeMap<OsString, Option<Node>> = BTreeMap::new();
        // directories that a layer above closed to what lies below
        let mut closed: BTreeSet<OsString> = BTreeSet::new();
        for part in &directory.parts {
            for entry in fs::read_dir(part)? {
                let entry = entry?;
                let name = entry.file_name();
                if closed.contains(&name) {
                    continue;
                }
                let host = entry.path();
                match found.get_mut(&name) {
                    None => {
                        let meta = entry.metadata()?;
                        if self.overlay && is_whiteout(&meta) {
                            found.insert(name, None);
                            continue;
                        }
                        let mut node = Node::new(directory.path.join(&name), host.clone(), &meta);
                        if node.is_directory() {
                            node.parts.push(host.clone());
                            if self.overlay && directory.parts.len() > 1 && is_opaque(&host) {
                                closed.insert(name.clone());
                            }
                        }
                        found.insert(name, Some(node));
                    }
                    Some(Some(node)) if node.is_directory() => {
                        if entry.file_type()?.is_dir() {
                            node.parts.push(host.clone());
                            if is_opaque(&host) {
                                closed.insert(name);
                            }
                        } else {
                            closed.insert(name);
                        }
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(found.into_values().flatten().map(Arc::new).collect())
    }
}

/// The entries of a directory of the host.
fn list_plain(directory: &Node, part: &Path) -> io::Result<Vec<Arc<Node>>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(part)? {
        let entry = entry?;
        let host = entry.path();
        let meta = match entry.metadata() {
            // gone since its directory was read, as if it had gone before
            Err(error) if absent(&error) => continue,
            meta => meta?,
        };
        let mut node = Node::new(directory.path.join(entry.file_name()), host, &meta);
        if node.is_directory() {
            node.parts.push(node.host.clone());
        }
        found.push(Arc::new(node));
    }
    // of one directory, so that only the names differ
    found.sort_unstable_by(|one, other| one.path.as_os_str().cmp(other.path.as_os_str()));
    Ok(found)
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn is_whiteout(meta: &fs::Metadata) -> bool {
    meta.mode() & 0o170_000 == 0o020_000 && meta.rdev() == 0
}

/// Whether a layer's directory hides what lower layers have in it.
pub(crate) fn is_opaque(directory: &Path) -> bool {
    let mut value = [0; 4];
    ["trusted.overlay.opaque", "user.overlay.opaque"]
        .iter()
        .any(|name| matches!(rustix::fs::lgetxattr(directory, *name, &mut value), Ok(1)) && value[0] == b'y')
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn listing(tree: &Tree, path: &str) -> Vec<String> {
        let node = tree.lookup(Path::new(path), true).unwrap().unwrap();
        tree.children(&node).unwrap().iter().map(|node| node.name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn layers_merge_and_links_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        let (top, low) = (dir.path().join("top"), dir.path().join("low"));
        for path in ["top/a", "low/a/deep", "low/b"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        fs::write(top.join("a/one"), "top").unwrap();
        fs::write(low.join("a/one"), "low").unwrap();
        fs::write(low.join("a/two"), "low").unwrap();
        symlink("/../../b/../a", low.join("b/link")).unwrap();
        symlink("loop", low.join("loop")).unwrap();
        let tree = Tree::layers(vec![top.clone(), low]);
        assert_eq!(listing(&tree, "/"), ["a", "b", "loop"]);
        assert_eq!(listing(&tree, "b/link"), ["deep", "one", "two"]);
        let one = tree.lookup(Path::new("/b/link/one"), true).unwrap().unwrap();
        assert_eq!((one.path.as_path(), one.host), (Path::new("a/one"), top.join("a/one")));
        assert!(tree.lookup(Path::new("loop"), true).is_err());
        assert_eq!(tree.lookup(Path::new("loop"), false).unwrap().unwrap().kind, Kind::Symlink);
        assert!(tree.lookup(Path::new("a/one/x"), true).unwrap().is_none());
    }

    #[test]
    fn an_ignored_directory_exists_for_its_exceptions() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["out/sub", "out/empty", "gone"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        for path in ["out/x", "out/sub/keep", "gone/x", "here"] {
            fs::write(dir.path().join(path), "").unwrap();
        }
        let tree = |text| {
            let ignore = Matcher::parse(text).unwrap();
            Tree::directory(dir.path().to_owned(), Some(Arc::new(ignore)))
        };
        let kept = tree("out\ngone\n!out/sub/keep\n");
        assert_eq!(listing(&kept, "/"), ["here", "out"]);
        assert_eq!(listing(&kept, "out"), ["sub"]);
        assert_eq!(listing(&tree("out\ngone\n"), "/"), ["here"]);
        assert!(kept.lookup(Path::new("out/x"), true).unwrap().is_none());
        assert!(kept.lookup(Path::new("out/sub/keep"), true).unwrap().is_some());
    }
}
