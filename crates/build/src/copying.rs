//! COPY, ADD and WORKDIR: their keys, and their layers.

use std::{
    collections::HashMap,
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use plimsoll_image::{Layer, SealOptions, Store};
use plimsoll_sandbox::lookup;

use crate::{
    graph::{CopyOp, Download, WorkdirOp},
    index::Index,
    key::{Key, KeyBuilder, Part},
    place::{Place, PlaceError, resolve, what},
    remote::{Checkout, HttpFile, RemoteError, Remotes, Transfer},
    select::{Picked, Rules, SelectError, digest_files, digest_items, select},
    snapshot::Snapshot,
    statcache::{StatCache, settled},
    tree::{Kind, Tree},
    unpack::{self, UnpackError},
};

/// Where the sources of a COPY are.
pub(crate) enum Sources<'a> {
    /// A directory of the host, and its name (empty for the build context).
    Context(&'a Tree, &'a str),
    /// The files of another step, and its title.
    Snapshot(&'a Snapshot, &'a str),
}

/// Why a COPY failed; the caller adds the place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error(transparent)]
    Select(#[from] SelectError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error("{0}")]
    User(#[from] plimsoll_sandbox::UserError),
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    Store(#[from] plimsoll_image::StoreError),
}

/// What is kept between builds.
#[derive(Clone, Copy)]
pub(crate) struct Caches<'a> {
    pub(crate) stat: &'a StatCache,
    pub(crate) index: &'a Index,
    pub(crate) remotes: &'a Remotes,
}

/// A COPY whose key is known.
pub(crate) struct Prepared {
    pub(crate) key: Key,
    pub(crate) parts: Vec<Part>,
    /// No file differs from the last time, so the key is that of then, without its parts.
    pub(crate) unchanged: bool,
    /// The files, unless a remembered digest made reading them needless.
    picked: Option<Vec<Picked>>,
    fetched: Vec<Fetched>,
    owner: Option<(u32, u32)>,
}

/// Something that was downloaded.
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
    fn part(&self, download: &Download, key: &mut KeyBuilder) {
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

/// What is remembered of a context's files: if their time stamps and all else are as then, so is the key.
pub(crate) struct Recall {
    /// What the step is called across builds.
    pub(crate) step: Key,
    /// The answer may be used; it is noted in any case.
    pub(crate) trust: bool,
}

/// Makes the key of a COPY or ADD.
pub(crate) fn prepare_copy(
    op: &CopyOp,
    fetched: Vec<Fetched>,
    sources: &Sources<'_>,
    parent: &Snapshot,
    caches: &Caches<'_>,
    recall: &Recall,
) -> Result<Prepared, CopyError> {
    let owner = op.chown.as_deref().map(|chown| owner(chown, parent)).transpose()?;
    let mut key = KeyBuilder::new("copy 2");
    key.part("the destination", &op.dest);
    key.part("--chown", format!("{owner:?}"));
    key.part("--chmod", format!("{:?}", op.chmod));
    key.part("the flags", format!("{} {} {}", op.link, op.parents, op.unpack));
    if op.unpack || op.downloads.iter().any(|one| matches!(one, Download::Http { unpack: true, .. })) {
        // another number whenever unpacking gives other files than before
        key.part("how archives are unpacked", "2");
    }
    for (name, content) in &op.files {
        key.part(format!("the heredoc {name}"), content);
    }
    for (one, download) in fetched.iter().zip(&op.downloads) {
        one.part(download, &mut key);
    }
    if !fetched.is_empty() {
        key.list("--exclude", op.excludes.iter().map(String::as_str));
    }
    let tree = match sources {
        Sources::Context(tree, _) => None.or(Some(*tree)),
        Sources::Snapshot(..) => None,
    };
    let snapshot_tree = match sources {
        Sources::Snapshot(snapshot, _) => Some(snapshot.tree()),
        Sources::Context(..) => None,
    };
    let Some(tree) = tree.or(snapshot_tree.as_ref()) else { return Err(SelectError::TooMany.into()) };
    let destination =
        if op.link { Destination { free: true, facts: Vec::new() } } else { Destination::look(op, parent)? };
    for (name, value) in &destination.facts {
        key.part(name.as_str(), value);
    }
    let memo = match sources {
        Sources::Snapshot(snapshot, _) => {
            let over = (!destination.free).then_some(parent);
            remembered(op, snapshot, over, caches.index)
        }
        Sources::Context(..) => Memo::default(),
    };
    let mut question = None;
    let picked = match memo.answer {
        Some(digest) => {
            key.part(source_part(op, sources), digest.as_bytes());
            None
        }
        None => {
            let started = SystemTime::now();
            let mut picked = pick(op, tree)?;
            if let Sources::Context(..) = sources {
                let state = (!destination.free).then_some(&parent.state);
                question = Some(stamps(&key, state, &picked));
                let known = question.filter(|_| recall.trust).and_then(|it| caches.index.memo(&it));
                if let Some(known) = known {
                    let picked = Some(picked.into_iter().map(|(_, picked)| picked).collect());
                    return Ok(Prepared {
                        key: known,
                        parts: Vec::new(),
                        unchanged: true,
                        picked,
                        fetched,
                        owner,
                    });
                }
                let all = picked.iter().flat_map(|(_, picked)| &picked.items);
                let mut files = all.filter(|item| matches!(item.node.kind, Kind::File | Kind::Symlink));
                question = question.filter(|_| files.all(|item| settled(&item.node.stamp, started)));
            }
            for (_, picked) in &mut picked {
                digest_files(std::slice::from_mut(picked), caches.stat)?;
            }
            let mut whole = blake3::Hasher::new();
            for (source, picked) in &picked {
                whole.update(&(picked.items.len() as u64).to_le_bytes());
                let digests = digest_items(&picked.items, tree.is_context())?;
                for (item, digest) in picked.items.iter().zip(digests) {
                    if let Sources::Context(_, context) = sources {
                        key.part(file_part(source, &item.path, context), digest.as_bytes());
                    } else {
                        whole.update(digest.as_bytes());
                    }
                }
                whole.update(picked.name.as_encoded_bytes());
            }
            let conflict = if destination.free { None } else { conflicts(op, &picked, parent)? };
            if let Sources::Snapshot(..) = sources {
                let digest = Key::from_bytes(*whole.finalize().as_bytes());
                key.part(source_part(op, sources), digest.as_bytes());
                if let Some(question) = memo.question.filter(|_| conflict.is_none()) {
                    caches.index.put_memo(question, digest);
                }
            }
            if let Some(conflict) = conflict {
                key.part("what is at the destination", conflict);
                question = None;
            }
            Some(picked.into_iter().map(|(_, picked)| picked).collect())
        }
    };
    let (key, parts) = key.finish();
    if let Some(question) = question {
        let owner = Key::of(&[recall.step.as_bytes().as_slice(), b"time stamps"].concat());
        caches.index.put_last_memo(owner, question, key);
    }
    Ok(Prepared { key, parts, unchanged: false, picked, fetched, owner })
}

/// A digest of all that decides a key, with time stamps and inodes in the place of bytes.
fn stamps(key: &KeyBuilder, below: Option<&Key>, picked: &[(String, Picked)]) -> Key {
    let mut bytes =
        Vec::with_capacity(128 * picked.iter().map(|(_, picked)| picked.items.len()).sum::<usize>());
    bytes.extend(key.so_far().as_bytes());
    bytes.extend(below.map_or(&[][..], |below| below.as_bytes()));
    let text = |bytes: &mut Vec<u8>, text: &[u8]| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text);
    };
    for (shown, picked) in picked {
        text(&mut bytes, shown.as_bytes());
        text(&mut bytes, picked.name.as_encoded_bytes());
        bytes.extend((picked.items.len() as u64).to_le_bytes());
        for item in &picked.items {
            text(&mut bytes, item.path.as_os_str().as_encoded_bytes());
            bytes.push(item.node.kind as u8);
            bytes.extend(item.node.mode.to_le_bytes());
            // a directory's times change with what is ignored in it
            if item.node.is_directory() {
                continue;
            }
            let stamp = &item.node.stamp;
            for number in [item.node.device, stamp.device, stamp.inode, stamp.size] {
                bytes.extend(number.to_le_bytes());
            }
            for (seconds, nanos) in [stamp.mtime, stamp.ctime] {
                bytes.extend(seconds.to_le_bytes());
                bytes.extend(nanos.to_le_bytes());
            }
        }
    }
    Key::of(&bytes)
}

fn source_part(op: &CopyOp, sources: &Sources<'_>) -> String {
    let title = match sources {
        Sources::Snapshot(_, title) => title,
        Sources::Context(_, name) => name,
    };
    format!("{} of {title}", op.paths.join(" "))
}

/// What the names of the parts that are files begin with.
const FILE: &str = "file ";

fn file_part(source: &str, path: &Path, context: &str) -> String {
    let base = source.trim_start_matches('/');
    let path = Path::new(base).join(path);
    let path = path.display().to_string();
    let path = if path.is_empty() { "." } else { path.trim_end_matches('/') };
    if context.is_empty() { format!("{FILE}{path}") } else { format!("{FILE}{path} of {context}") }
}

#[derive(Default)]
struct Memo {
    question: Option<Key>,
    answer: Option<Key>,
}

/// Layers never change, so what a path in them holds is found out once, and so is that nothing is in its way `over`
/// other layers.
fn remembered(op: &CopyOp, snapshot: &Snapshot, over: Option<&Snapshot>, index: &Index) -> Memo {
    if op.paths.iter().any(|path| plimsoll_dockerfile::glob::has_wildcard(path)) {
        return Memo::default();
    }
    let mut question = KeyBuilder::new("selection 1");
    question.part("state", snapshot.state.as_bytes());
    question.list("paths", op.paths.iter().map(String::as_str));
    question.list("excludes", op.excludes.iter().map(String::as_str));
    question.part("parents", [u8::from(op.parents)]);
    if let Some(over) = over {
        question.part("over", over.state.as_bytes());
        question.part("destination", &op.dest);
    }
    let question = question.finish().0;
    Memo { question: Some(question), answer: index.memo(&question) }
}

/// The files of all sources, and what the paths of each begin with.
fn pick(op: &CopyOp, tree: &Tree) -> Result<Vec<(String, Picked)>, SelectError> {
    let rules = Rules { excludes: &op.excludes, parents: op.parents };
    let mut all = Vec::new();
    for path in &op.paths {
        all.extend(select(tree, path, &rules)?.into_iter().map(|picked| (shown(op, path, &picked), picked)));
    }
    Ok(all)
}

/// What the paths of a source's files begin with.
fn shown(op: &CopyOp, path: &str, picked: &Picked) -> String {
    if plimsoll_dockerfile::glob::has_wildcard(path) {
        let first = picked.items.first();
        first.map(|item| item.node.path.to_string_lossy().into_owned()).unwrap_or_default()
    } else if op.parents {
        path.split_once("/./").map_or("", |(base, _)| base).to_owned()
    } else {
        path.to_owned()
    }
}

/// What of the parent's files decides where a COPY writes and what it repeats in its layer.
struct Destination {
    facts: Vec<(String, String)>,
    /// Nothing is there, so nothing can be in the way.
    free: bool,
}

impl Destination {
    fn look(op: &CopyOp, parent: &Snapshot) -> Result<Self, CopyError> {
        let tree = parent.tree();
        let at = resolve(&tree, Path::new(&op.dest))?;
        let mut facts = vec![("the resolved destination".to_owned(), at.display().to_string())];
        let mut free = true;
        let look =
            |path: &Path| tree.lookup(path, false).map_err(|error| PlaceError::Io(path.to_owned(), error));
        if !parent.paths.is_empty() {
            let mut path = PathBuf::new();
            for name in &at {
                path.push(name);
                let Some(node) = look(&path)? else { break };
                let text = format!("{:?} {:o} {} {}", node.kind, node.mode, node.uid, node.gid);
                facts.push((format!("the directory /{} below", path.display()), text));
            }
            if let Some(node) = look(&at)? {
                free = node.is_directory()
                    && tree.children(&node).map_err(|error| PlaceError::Io(at.clone(), error))?.is_empty();
            }
        }
        Ok(Self { facts, free })
    }
}

/// The first thing of the parent that a COPY would have to replace and may not.
fn conflicts(
    op: &CopyOp,
    picked: &[(String, Picked)],
    parent: &Snapshot,
) -> Result<Option<String>, CopyError> {
    let tree = parent.tree();
    let at = resolve(&tree, Path::new(&op.dest))?;
    let at_is_directory = tree
        .lookup(&at, false)
        .map_err(|error| PlaceError::Io(at.clone(), error))?
        .is_some_and(|node| node.is_directory());
    for (_, picked) in picked {
        // Directories that the parent does not have hold nothing to collide with.
        let mut absent: Option<PathBuf> = None;
        for item in &picked.items {
            if absent.as_ref().is_some_and(|absent| item.path.starts_with(absent)) {
                continue;
            }
            let single = item.path.as_os_str().is_empty();
            if single && item.node.is_directory() {
                continue;
            }
            let target = match (single, at_is_directory) {
                (true, true) => at.join(&picked.name),
                (true, false) => at.clone(),
                (false, _) => at.join(&item.path),
            };
            let there = tree.lookup(&target, false).map_err(|error| PlaceError::Io(target.clone(), error))?;
            match there {
                None if item.node.is_directory() => absent = Some(item.path.clone()),
                None => {}
                Some(node) if node.is_directory() != item.node.is_directory() => {
                    return Ok(Some(format!("/{} is in the way", target.display())));
                }
                Some(_) => {}
            }
        }
    }
    Ok(None)
}

/// `--chown` to numbers. A user without a group has, as in BuildKit, its own group, or the group of its number.
fn owner(chown: &str, parent: &Snapshot) -> Result<(u32, u32), CopyError> {
    let (user, group) = chown.split_once(':').unwrap_or((chown, ""));
    if let Ok(uid) = user.parse::<u32>() {
        if group.is_empty() {
            return Ok((uid, uid));
        }
        if let Ok(gid) = group.parse::<u32>() {
            return Ok((uid, gid));
        }
    }
    let identity = lookup(chown, &parent.text("/etc/passwd"), &parent.text("/etc/group"))?;
    Ok((identity.uid, identity.gid))
}

/// What a COPY made the last time.
pub(crate) struct Previous {
    pub(crate) layer: Layer,
    /// The parts of the key that it had.
    pub(crate) parts: Vec<Part>,
}

impl Previous {
    /// Notes which of the files are in the layer already: those of which the part of the key is the same, if nothing
    /// but files differs. Several sources may write to one place, so there must be only one.
    fn mark(&self, op: &CopyOp, prepared: &mut Prepared, sources: &Sources<'_>) -> bool {
        let ([source], Sources::Context(_, context)) = (op.paths.as_slice(), sources) else { return false };
        let Some([picked]) = prepared.picked.as_deref_mut() else { return false };
        if op.unpack || plimsoll_dockerfile::glob::has_wildcard(source) {
            return false;
        }
        let others = |parts: &[Part]| -> Vec<Part> {
            parts.iter().filter(|part| !part.name.starts_with(FILE)).cloned().collect()
        };
        if others(&self.parts) != others(&prepared.parts) {
            return false;
        }
        let before: HashMap<&str, &Key> =
            self.parts.iter().map(|part| (part.name.as_str(), &part.value)).collect();
        let now: HashMap<&str, &Key> =
            prepared.parts.iter().map(|part| (part.name.as_str(), &part.value)).collect();
        let shown = shown(op, source, picked);
        for item in &mut picked.items {
            let name = file_part(&shown, &item.path, context);
            let same = before.get(name.as_str());
            item.kept = same.is_some() && same == now.get(name.as_str());
        }
        true
    }
}

/// Writes the layer of a COPY or ADD; `None` when nothing was copied.
#[expect(clippy::too_many_arguments, reason = "all of a build that a copy depends on")]
pub(crate) fn copy(
    op: &CopyOp,
    mut prepared: Prepared,
    sources: &Sources<'_>,
    parent: &Snapshot,
    previous: Option<&Previous>,
    caches: &Caches<'_>,
    store: &Store,
    seal: &SealOptions,
) -> Result<Option<Layer>, CopyError> {
    let own_tree;
    let tree = match sources {
        Sources::Context(tree, _) => *tree,
        Sources::Snapshot(snapshot, _) => {
            own_tree = snapshot.tree();
            &own_tree
        }
    };
    let previous = previous.filter(|previous| previous.mark(op, &mut prepared, sources));
    let picked = match prepared.picked {
        Some(picked) => picked,
        None => pick(op, tree)?.into_iter().map(|(_, picked)| picked).collect(),
    };
    let draft = store.begin_layer()?;
    let below = if op.link { &[][..] } else { parent.paths.as_slice() };
    let mut place = Place::new(&draft.fs, below);
    place.owner = prepared.owner;
    place.chmod = op.chmod.as_ref();
    place.epoch = seal.epoch;
    place.previous = previous.map(|previous| previous.layer.path.as_path());
    let mut wrote = false;
    for picked in &picked {
        wrote = true;
        if op.unpack
            && let [only] = picked.items.as_slice()
            && only.node.kind == Kind::File
            && let Some(archive) = unpack::open(&only.node.host)
                .map_err(|error| SelectError::Io(only.node.host.clone(), error))?
        {
            unpack::unpack(&mut place, archive, &op.dest)?;
            continue;
        }
        place.copy(tree, picked, &op.dest)?;
    }
    for (name, content) in &op.files {
        wrote = true;
        let at = place.destination(&op.dest, &name.into(), false)?;
        place.write_content(&at, content.as_bytes(), 0o644, None)?;
    }
    for fetched in &prepared.fetched {
        wrote = true;
        place_fetched(&mut place, fetched, op, caches.stat)?;
    }
    if !wrote {
        return Ok(None);
    }
    place.keep_times()?;
    // An archive may have replaced what was copied before.
    let known = if op.unpack { HashMap::new() } else { place.into_known() };
    let digest = |path: &[u8]| known.get(Path::new(OsStr::from_bytes(path))).map(|key| *key.as_bytes());
    Ok(Some(draft.seal_knowing(seal, &digest)?))
}

fn place_fetched(
    place: &mut Place<'_>,
    fetched: &Fetched,
    op: &CopyOp,
    cache: &StatCache,
) -> Result<(), CopyError> {
    let failed = |path: &Path, error| CopyError::from(SelectError::Io(path.to_owned(), error));
    match fetched {
        Fetched::Tree(checkout) => {
            let tree = Tree::directory(checkout.root.clone(), None);
            let rules = Rules { excludes: &op.excludes, parents: false };
            for mut picked in select(&tree, "/", &rules)? {
                digest_files(std::slice::from_mut(&mut picked), cache)?;
                place.copy(&tree, &picked, &op.dest)?;
            }
        }
        Fetched::File { file, unpack } => {
            if *unpack && let Some(archive) = unpack::open(&file.path).map_err(|e| failed(&file.path, e))? {
                unpack::unpack(place, archive, &op.dest)?;
                return Ok(());
            }
            let at = place.destination(&op.dest, &file.name.clone().into(), false)?;
            let content = std::fs::read(&file.path).map_err(|error| failed(&file.path, error))?;
            place.write_content(&at, &content, 0o600, Some(file.modified))?;
        }
    }
    Ok(())
}

/// What WORKDIR has to do.
pub(crate) enum Workdir {
    /// The directory is there.
    Exists,
    /// It must be made, with this key.
    Make { key: Key, parts: Vec<Part>, owner: (u32, u32) },
}

/// Finds out what a WORKDIR has to do.
pub(crate) fn prepare_workdir(op: &WorkdirOp, parent: &Snapshot) -> Result<Workdir, CopyError> {
    let tree = parent.tree();
    let at = resolve(&tree, Path::new(&op.path))?;
    let found = if parent.paths.is_empty() {
        None
    } else {
        tree.lookup(&at, false).map_err(|error| PlaceError::Io(at.clone(), error))?
    };
    match found {
        Some(node) if node.is_directory() => return Ok(Workdir::Exists),
        Some(node) => return Err(PlaceError::WorkdirInTheWay { is: what(&node.host), path: at }.into()),
        None => {}
    }
    let owner = if op.user.is_empty() { (0, 0) } else { owner(&op.user, parent)? };
    let mut key = KeyBuilder::new("workdir 1");
    key.part("the path", at.as_os_str().as_encoded_bytes());
    key.part("the owner", format!("{owner:?}"));
    let mut above = PathBuf::new();
    for name in &at {
        above.push(name);
        let node = if parent.paths.is_empty() {
            None
        } else {
            tree.lookup(&above, false).map_err(|error| PlaceError::Io(above.clone(), error))?
        };
        let Some(node) = node else { break };
        let text = format!("{:o} {} {}", node.mode, node.uid, node.gid);
        key.part(format!("the directory /{} below", above.display()), text);
    }
    let (key, parts) = key.finish();
    Ok(Workdir::Make { key, parts, owner })
}

/// Makes the directory of a WORKDIR.
pub(crate) fn workdir(
    op: &WorkdirOp,
    owner: (u32, u32),
    parent: &Snapshot,
    store: &Store,
    seal: &SealOptions,
) -> Result<Layer, CopyError> {
    let draft = store.begin_layer()?;
    let mut place = Place::new(&draft.fs, &parent.paths);
    place.owner = Some(owner);
    place.make_directories(&place.resolve(&op.path)?)?;
    place.keep_times()?;
    Ok(draft.seal(seal)?)
}
