//! Which files an instruction reads, and the digest of their content.
//!
//! A selection is a flat list in walking order, directories before what is in them. Its digest covers path, type,
//! permissions, owner, link target, capabilities and bytes; never a time.

mod prefetch;

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Read},
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::{Component, Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::SystemTime,
};

use plimsoll_dockerfile::{
    dockerignore::{Matcher, Verdict},
    glob,
    path::clean,
};

use crate::{
    key::{Key, field},
    statcache::StatCache,
    tree::{Kind, Listing, Node, Tree, stamp},
};

/// A selection bounds itself, so that a context in the wrong place fails soon.
const MAX_FILES: usize = 2_000_000;

/// What one source of COPY means.
#[derive(Debug)]
pub(crate) struct Picked {
    /// The last name of the source as it was written.
    pub(crate) name: OsString,
    /// The files; the first is the source itself (a directory's content follows it).
    pub(crate) items: Vec<Item>,
}

/// One file to be copied.
#[derive(Debug)]
pub(crate) struct Item {
    /// Relative to the source; empty for the source itself.
    pub(crate) path: PathBuf,
    pub(crate) node: Arc<Node>,
    /// Digest of a regular file's bytes and capabilities.
    pub(crate) digest: Option<Key>,
    /// The step's last layer has the same file at the same place.
    pub(crate) kept: bool,
}

impl Item {
    fn new(path: PathBuf, node: Arc<Node>) -> Self {
        Self { path, node, digest: None, kept: false }
    }
}

/// Why files cannot be selected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SelectError {
    #[error("\"{0}\": not found")]
    NotFound(String),
    /// The tree tells more: a link that leads nowhere, a file in the way, another spelling.
    #[error("\"{0}\": not found; {1}")]
    Explained(String, String),
    #[error("--parents needs a path below `{0}`")]
    NoPath(String),
    #[error("invalid pattern `{0}`")]
    Pattern(String),
    #[error("more than {MAX_FILES} files")]
    TooMany,
    #[error("`{}` changed while the build read it", .0.display())]
    Changed(PathBuf),
    #[error(
        "`{path}` is sparse: {1} bytes of which {2} are on disk, and a layer would hold all of them",
        path = .0.display()
    )]
    Sparse(PathBuf, u64, u64),
    #[error("cannot read `{path}`: {1}", path = .0.display())]
    Io(PathBuf, #[source] io::Error),
}

/// How sources are to be read.
pub(crate) struct Rules<'a> {
    pub(crate) excludes: &'a [String],
    pub(crate) parents: bool,
}

/// The files that `source` (absolute, possibly with wildcards) means in `tree`. A pattern may match nothing.
pub(crate) fn select(tree: &Tree, source: &str, rules: &Rules<'_>) -> Result<Vec<Picked>, SelectError> {
    let excludes = patterns(rules.excludes.iter().map(String::as_str))?;
    if rules.parents {
        return select_with_parents(tree, source, &excludes);
    }
    let mut picked = Vec::new();
    for path in resolve_wildcards(tree, source)? {
        let Some(node) = lookup(tree, &path)? else { return Err(missing(tree, &path)) };
        let mut items = Vec::new();
        let name = path.file_name().unwrap_or_default().to_owned();
        if !node.is_directory() && !excludes.is_empty() && excludes.matches(&name.to_string_lossy()) {
            continue;
        }
        if node.is_directory() && excludes.is_empty() {
            prefetch::prefetch(tree, &node);
        }
        walk(tree, node, Path::new(""), &excludes, &Verdict::default(), &mut items)?;
        picked.push(Picked { name, items });
    }
    Ok(picked)
}

/// Why a path is not there, as far as the tree tells. What cannot be read is as good as missing here.
fn missing(tree: &Tree, path: &Path) -> SelectError {
    let shown = display(path);
    let look = |at: &Path, follow| tree.lookup(at, follow).ok().flatten();
    let mut before = PathBuf::from("/");
    for part in path.components().filter(|part| matches!(part, Component::Normal(_))) {
        let at = before.join(part);
        if look(&at, true).is_some_and(|node| node.is_directory()) {
            before = at;
            continue;
        }
        let Some(node) = look(&at, false) else { break };
        if node.kind == Kind::Symlink && look(&at, true).is_none() {
            let target = fs::read_link(&node.host).unwrap_or_default();
            let resolved = clean(&display(&before.join(&target)));
            let link = display(&at);
            return SelectError::Explained(resolved, format!("\"{link}\" is a link to {}", target.display()));
        }
        if node.kind != Kind::Directory && at != Path::new("/").join(path.strip_prefix("/").unwrap_or(path)) {
            return SelectError::Explained(shown, format!("\"{}\" is no directory", display(&at)));
        }
        break;
    }
    let wanted = path.strip_prefix("/").unwrap_or(path);
    let depth = before.components().filter(|part| matches!(part, Component::Normal(_))).count();
    let part = wanted.components().nth(depth).map(|part| part.as_os_str().to_string_lossy().to_lowercase());
    let near = look(&before, true).and_then(|folder| tree.children(&folder).ok()).and_then(|inside| {
        let same = inside.iter().find(|child| Some(child.name().to_string_lossy().to_lowercase()) == part)?;
        Some(display(&same.path))
    });
    match near {
        Some(near) => SelectError::Explained(shown, format!("there is \"{near}\"")),
        None => SelectError::NotFound(shown),
    }
}

fn patterns<'p>(texts: impl IntoIterator<Item = &'p str>) -> Result<Matcher, SelectError> {
    Matcher::from_patterns(texts).map_err(|error| SelectError::Pattern(error.pattern))
}

fn display(path: &Path) -> String {
    format!("/{}", path.to_string_lossy().trim_start_matches('/'))
}

fn lookup(tree: &Tree, path: &Path) -> Result<Option<Arc<Node>>, SelectError> {
    let found = tree.lookup(path, true).map_err(|error| SelectError::Io(path.to_owned(), error))?;
    Ok(found.map(Arc::new))
}

fn children(tree: &Tree, node: &Node) -> Result<Listing, SelectError> {
    tree.children(node).map_err(|error| SelectError::Io(node.host.clone(), error))
}

/// The paths that a source with wildcards means, in order; without one the source itself.
fn resolve_wildcards(tree: &Tree, source: &str) -> Result<Vec<PathBuf>, SelectError> {
    let components: Vec<&str> = source.split('/').collect();
    let at = components.iter().position(|component| glob::has_wildcard(component));
    let Some(at) = at else { return Ok(vec![PathBuf::from(source)]) };
    let (base, pattern) = (components[..at].join("/"), components[at..].join("/"));
    let Some(base) = lookup(tree, Path::new(&base))? else { return Ok(Vec::new()) };
    let depth = pattern.split('/').count();
    let mut found = Vec::new();
    match_below(tree, &base, Path::new(""), &pattern, depth, &mut found)?;
    Ok(found.into_iter().map(|relative| base.path.join(relative)).collect())
}

fn match_below(
    tree: &Tree,
    directory: &Node,
    relative: &Path,
    pattern: &str,
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), SelectError> {
    if !directory.is_directory() {
        return Ok(());
    }
    for child in children(tree, directory)?.iter() {
        let path = relative.join(child.name());
        let matched = glob::matches(pattern, &path.to_string_lossy())
            .map_err(|_| SelectError::Pattern(pattern.to_owned()))?;
        if matched {
            found.push(path);
        } else if child.is_directory() && depth > 1 {
            match_below(tree, child, &path, pattern, depth - 1, found)?;
        }
    }
    Ok(())
}

/// `node` and everything in it that is not excluded.
fn walk(
    tree: &Tree,
    node: Arc<Node>,
    path: &Path,
    excludes: &Matcher,
    verdict: &Verdict,
    items: &mut Vec<Item>,
) -> Result<(), SelectError> {
    if items.len() >= MAX_FILES {
        return Err(SelectError::TooMany);
    }
    if !node.is_directory() {
        items.push(Item::new(path.to_owned(), node));
        return Ok(());
    }
    let inside = children(tree, &node)?;
    let node_path = node.path.as_os_str().len();
    if !verdict.excluded {
        items.push(Item::new(path.to_owned(), node));
    }
    for child in inside.iter() {
        // what the child's path has after that of the directory
        let start = if node_path == 0 { 0 } else { node_path + 1 };
        let name = OsStr::from_bytes(&child.path.as_os_str().as_bytes()[start..]);
        let below = path.join(name);
        let verdict = if excludes.is_empty() {
            Verdict::default()
        } else {
            excludes.verdict(&below.to_string_lossy(), verdict)
        };
        if verdict.excluded && !(child.is_directory() && excludes.has_exceptions()) {
            continue;
        }
        walk(tree, Arc::clone(child), &below, excludes, &verdict, items)?;
    }
    Ok(())
}

/// `--parents`: everything below the pivot that matches, with the directories that lead to it. What leads to the pivot
/// may have wildcards too, and then there may be several, or none.
fn select_with_parents(tree: &Tree, source: &str, excludes: &Matcher) -> Result<Vec<Picked>, SelectError> {
    let (base, pattern) = source.split_once("/./").unwrap_or(("/", source));
    let pattern = pattern.trim_start_matches('/');
    let base = if base.is_empty() { "/" } else { base };
    let mut picked = Vec::new();
    for path in resolve_wildcards(tree, base)? {
        let Some(root) = lookup(tree, &path)? else { return Err(missing(tree, &path)) };
        // As BuildKit: there is nothing whose parents could be kept.
        if pattern.is_empty() || pattern == "." {
            return Err(SelectError::NoPath(base.to_owned()));
        }
        let include = patterns([pattern])?;
        let mut items = vec![Item::new(PathBuf::new(), root.clone())];
        let mut search = Search { tree, include: &include, excludes, items: &mut items };
        search.below(&root, Path::new(""), &Verdict::default(), &Verdict::default(), &mut Vec::new())?;
        if items.len() == 1 && !glob::has_wildcard(pattern) && !glob::has_wildcard(base) {
            return Err(SelectError::NotFound(format!("/{pattern}")));
        }
        picked.push(Picked { name: OsString::new(), items });
    }
    Ok(picked)
}

struct Search<'a> {
    tree: &'a Tree,
    include: &'a Matcher,
    excludes: &'a Matcher,
    items: &'a mut Vec<Item>,
}

impl Search<'_> {
    /// `pending` are the directories above that are only taken along when something in them is taken.
    fn below(
        &mut self,
        directory: &Node,
        path: &Path,
        included: &Verdict,
        excluded: &Verdict,
        pending: &mut Vec<Item>,
    ) -> Result<(), SelectError> {
        for child in children(self.tree, directory)?.iter() {
            let path = path.join(child.name());
            let text = path.to_string_lossy();
            let included = self.include.verdict(&text, included);
            let excluded = self.excludes.verdict(&text, excluded);
            let taken = included.excluded && !excluded.excluded;
            let item = Item::new(path.clone(), child.clone());
            if taken {
                if self.items.len() >= MAX_FILES {
                    return Err(SelectError::TooMany);
                }
                self.items.append(pending);
                self.items.push(item);
                if child.is_directory() {
                    self.below(child, &path, &included, &excluded, &mut Vec::new())?;
                }
            } else if child.is_directory() {
                let depth = pending.len();
                pending.push(item);
                self.below(child, &path, &included, &excluded, pending)?;
                // Still there when nothing below was taken.
                pending.truncate(depth);
            }
        }
        Ok(())
    }
}

/// Fills in the digests of all regular files; what the stat cache does not know is read, on all processors.
pub(crate) fn digest_files(picked: &mut [Picked], cache: &StatCache) -> Result<(), SelectError> {
    let mut unknown: Vec<&mut Item> = Vec::new();
    for item in picked.iter_mut().flat_map(|picked| &mut picked.items) {
        if item.node.kind == Kind::File {
            item.digest = cache.get(&item.node.stamp);
            if item.digest.is_none() {
                unknown.push(item);
            }
        }
    }
    let bytes: u64 = unknown.iter().map(|item| item.node.stamp.size).sum();
    let threads = thread::available_parallelism().map_or(1, usize::from).min(8);
    if threads < 2 || (unknown.len() < 64 && bytes < 1 << 20) {
        let mut buffer = vec![0; 256 << 10];
        for item in unknown {
            item.digest = Some(digest_file(&item.node, cache, &mut buffer)?);
        }
        return Ok(());
    }
    let next = AtomicUsize::new(0);
    let nodes: Vec<&Node> = unknown.iter().map(|item| item.node.as_ref()).collect();
    let work = || {
        let mut buffer = vec![0; 256 << 10];
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(node) = nodes.get(index) else { return Ok(done) };
            done.push((index, digest_file(node, cache, &mut buffer)?));
        }
    };
    let results: Result<Vec<Vec<(usize, Key)>>, SelectError> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    for (index, digest) in results?.into_iter().flatten() {
        unknown[index].digest = Some(digest);
    }
    Ok(())
}

/// The digest of one file's bytes and capabilities, from the cache or by reading it.
pub(crate) fn digest_one(node: &Node, cache: &StatCache) -> Result<Key, SelectError> {
    match cache.get(&node.stamp) {
        Some(known) => Ok(known),
        None => digest_file(node, cache, &mut vec![0; 64 << 10]),
    }
}

fn digest_file(node: &Node, cache: &StatCache, buffer: &mut [u8]) -> Result<Key, SelectError> {
    let error = |error| SelectError::Io(node.host.clone(), error);
    let read_at = SystemTime::now();
    let mut file = open_plain(&node.host).map_err(|failure| {
        if is_other_now(&failure) { SelectError::Changed(node.host.clone()) } else { error(failure) }
    })?;
    let meta = file.metadata().map_err(error)?;
    if !meta.is_file() {
        return Err(SelectError::Changed(node.host.clone()));
    }
    if plimsoll_image::is_mostly_hole(&meta) {
        return Err(SelectError::Sparse(
            node.host.clone(),
            meta.len(),
            std::os::unix::fs::MetadataExt::blocks(&meta) * 512,
        ));
    }
    let before = stamp(&meta);
    let mut hash = blake3::Hasher::new();
    loop {
        match file.read(buffer) {
            Ok(0) => break,
            Ok(read) => {
                hash.update(&buffer[..read]);
            }
            Err(failure) if failure.kind() == io::ErrorKind::Interrupted => {}
            Err(failure) => return Err(error(failure)),
        }
    }
    if let Some(capability) = capability(&file) {
        field(&mut hash, b"security.capability");
        field(&mut hash, &capability);
    }
    let after = stamp(&file.metadata().map_err(error)?);
    if before != after || before != node.stamp {
        return Err(SelectError::Changed(node.host.clone()));
    }
    let digest = Key::from_bytes(*hash.finalize().as_bytes());
    cache.put(after, digest, read_at);
    Ok(digest)
}

/// Whether opening what was a file failed because there is something else by now: nothing, or a link.
pub(crate) fn is_other_now(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// Opens a regular file without following a link and without waiting for anything.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    const O_NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    const O_NOFOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    File::options().read(true).custom_flags(O_NONBLOCK | O_NOFOLLOW).open(path)
}

/// The bytes of a file's `security.capability`.
pub(crate) fn capability(file: &File) -> Option<Vec<u8>> {
    let mut value = [0; 64];
    let length = rustix::fs::fgetxattr(file, "security.capability", &mut value).ok()?;
    Some(value[..length].to_vec())
}

/// The digests of items, in their order; of many of them on all processors.
pub(crate) fn digest_items(items: &[Item], context: bool) -> Result<Vec<Key>, SelectError> {
    let digest = |items: &[Item]| -> Result<Vec<Key>, SelectError> {
        items.iter().map(|item| digest_item(item, context)).collect()
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(8);
    if threads < 2 || items.len() < 4096 {
        return digest(items);
    }
    let parts: Result<Vec<Vec<Key>>, SelectError> = thread::scope(|scope| {
        let parts = items.chunks(items.len().div_ceil(threads));
        let workers: Vec<_> = parts.map(|part| scope.spawn(move || digest(part))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    Ok(parts?.concat())
}

/// The digest of one item: everything that a copy of it keeps. Files of a context belong to root.
pub(crate) fn digest_item(item: &Item, context: bool) -> Result<Key, SelectError> {
    let node = &item.node;
    let mut hash = blake3::Hasher::new();
    field(&mut hash, item.path.as_os_str().as_bytes());
    let (uid, gid) = if context { (0, 0) } else { (node.uid, node.gid) };
    for number in [node.mode, uid, gid] {
        hash.update(&number.to_le_bytes());
    }
    match node.kind {
        Kind::File => {
            hash.update(b"f");
            hash.update(item.digest.map_or([0; 32], |digest| *digest.as_bytes()).as_slice());
        }
        Kind::Directory => {
            hash.update(b"d");
        }
        Kind::Symlink => {
            let target =
                fs::read_link(&node.host).map_err(|error| SelectError::Io(node.host.clone(), error))?;
            hash.update(b"l");
            field(&mut hash, target.as_os_str().as_bytes());
        }
        Kind::Fifo => {
            hash.update(b"p");
        }
        Kind::Character | Kind::Block => {
            hash.update(if node.kind == Kind::Block { b"b" } else { b"c" });
            hash.update(&node.device.to_le_bytes());
        }
        Kind::Socket => {
            hash.update(b"s");
        }
    }
    Ok(Key::from_bytes(*hash.finalize().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_name_the_wrong_thing() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("Sources/inner")).unwrap();
        fs::write(dir.path().join("file.txt"), "x").unwrap();
        std::os::unix::fs::symlink("missing/target", dir.path().join("dangling")).unwrap();
        std::os::unix::fs::symlink("../../nowhere", dir.path().join("Sources/up")).unwrap();
        std::os::unix::fs::symlink("Sources", dir.path().join("link")).unwrap();
        let tree = Tree::directory(dir.path().to_owned(), None);
        let rules = Rules { excludes: &[], parents: false };
        let told = |source: &str| select(&tree, source, &rules).map(drop).unwrap_err().to_string();
        for source in ["/dangling", "/dang*", "/dangling/x"] {
            assert_eq!(
                told(source),
                r#""/missing/target": not found; "/dangling" is a link to missing/target"#
            );
        }
        assert_eq!(told("/link/up"), r#""/nowhere": not found; "/link/up" is a link to ../../nowhere"#);
        assert_eq!(told("/file.txt/x"), r#""/file.txt/x": not found; "/file.txt" is no directory"#);
        assert_eq!(told("/sources/inner"), r#""/sources/inner": not found; there is "/Sources""#);
        assert_eq!(told("/Sources/INNER"), r#""/Sources/INNER": not found; there is "/Sources/inner""#);
        assert_eq!(told("/nothing"), r#""/nothing": not found"#);
    }
}
