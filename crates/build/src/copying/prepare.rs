//! The key of a COPY or ADD, from what it says and from the content of the files that it names.

use std::time::SystemTime;

use super::{
    destination::{Destination, conflicts, owner},
    download::Fetched,
    error::CopyError,
    selection::{Sources, file_part, pick, source_part},
};
use crate::{
    caches::Caches,
    graph::{CopyOp, Download},
    index::Index,
    key::{Key, KeyBuilder, Part},
    select::{Picked, digest_files, digest_items},
    snapshot::Snapshot,
    statcache::settled,
    tree::{Kind, Tree},
};

/// A COPY whose key is known.
pub(crate) struct Prepared {
    pub(crate) key: Key,
    pub(crate) parts: Vec<Part>,
    /// No file differs from the last time, so the key is that of then, without its parts.
    pub(crate) unchanged: bool,
    /// The files, unless a remembered digest made reading them needless.
    pub(super) picked: Option<Vec<Picked>>,
    pub(super) fetched: Vec<Fetched>,
    pub(super) owner: Option<(u32, u32)>,
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
    let mut key = key_of_options(op, owner, &fetched);
    let destination =
        if op.link { Destination { free: true, facts: Vec::new() } } else { Destination::look(op, parent)? };
    for (name, value) in &destination.facts {
        key.part(name.as_str(), value);
    }
    let copy = Reading { op, parent, free: destination.free, caches };
    let (picked, question) = match sources {
        Sources::Snapshot(snapshot, _) => (copy.snapshot(snapshot, sources, &mut key)?, None),
        Sources::Context(tree, context) => match copy.context(tree, context, recall, &mut key)? {
            ContextFiles::Unchanged { key, picked } => {
                let picked = Some(picked);
                return Ok(Prepared { key, parts: Vec::new(), unchanged: true, picked, fetched, owner });
            }
            ContextFiles::Read { picked, question } => (Some(picked), question),
        },
    };
    let (key, parts) = key.finish();
    if let Some(question) = question {
        let owner = Key::of(&[recall.step.as_bytes().as_slice(), b"time stamps"].concat());
        caches.index.put_last_memo(owner, question, key);
    }
    Ok(Prepared { key, parts, unchanged: false, picked, fetched, owner })
}

/// A key with all that does not depend on the files to be copied.
fn key_of_options(op: &CopyOp, owner: Option<(u32, u32)>, fetched: &[Fetched]) -> KeyBuilder {
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
    key
}

/// Reads the files of a COPY for its key.
struct Reading<'a> {
    op: &'a CopyOp,
    parent: &'a Snapshot,
    /// Nothing is at the destination.
    free: bool,
    caches: &'a Caches<'a>,
}

/// The files of a context that a COPY names.
enum ContextFiles {
    /// All is as the last time, so the key is that of then.
    Unchanged { key: Key, picked: Vec<Picked> },
    /// The key has their digests now, and may be remembered as the answer to `question`.
    Read { picked: Vec<Picked>, question: Option<Key> },
}

impl Reading<'_> {
    /// The files of a context, each as a part of the key.
    fn context(
        &self,
        tree: &Tree,
        context: &str,
        recall: &Recall,
        key: &mut KeyBuilder,
    ) -> Result<ContextFiles, CopyError> {
        let started = SystemTime::now();
        let mut picked = pick(self.op, tree)?;
        let state = (!self.free).then_some(&self.parent.state);
        let question = stamps(key, state, &picked);
        if let Some(key) = recall.trust.then(|| self.caches.index.memo(&question)).flatten() {
            return Ok(ContextFiles::Unchanged { key, picked: without_names(picked) });
        }
        let all = picked.iter().flat_map(|(_, picked)| &picked.items);
        let mut files = all.filter(|item| matches!(item.node.kind, Kind::File | Kind::Symlink));
        let mut question = Some(question).filter(|_| files.all(|item| settled(&item.node.stamp, started)));
        for (_, picked) in &mut picked {
            digest_files(std::slice::from_mut(picked), self.caches.stat)?;
        }
        for (source, picked) in &picked {
            let digests = digest_items(&picked.items, tree.is_context())?;
            for (item, digest) in picked.items.iter().zip(digests) {
                key.part(file_part(source, &item.path, context), digest.as_bytes());
            }
        }
        if self.conflict(&picked, key)? {
            question = None;
        }
        Ok(ContextFiles::Read { picked: without_names(picked), question })
    }

    /// The files of a step or an image, all together one part of the key; `None` where their digest is remembered.
    fn snapshot(
        &self,
        snapshot: &Snapshot,
        sources: &Sources<'_>,
        key: &mut KeyBuilder,
    ) -> Result<Option<Vec<Picked>>, CopyError> {
        let over = (!self.free).then_some(self.parent);
        let memo = remembered(self.op, snapshot, over, self.caches.index);
        if let Some(digest) = memo.answer {
            key.part(source_part(self.op, sources), digest.as_bytes());
            return Ok(None);
        }
        let tree = snapshot.tree();
        let mut picked = pick(self.op, &tree)?;
        for (_, picked) in &mut picked {
            digest_files(std::slice::from_mut(picked), self.caches.stat)?;
        }
        let mut whole = blake3::Hasher::new();
        for (_, picked) in &picked {
            whole.update(&(picked.items.len() as u64).to_le_bytes());
            for digest in digest_items(&picked.items, tree.is_context())? {
                whole.update(digest.as_bytes());
            }
            whole.update(picked.name.as_encoded_bytes());
        }
        let digest = Key::from_bytes(*whole.finalize().as_bytes());
        key.part(source_part(self.op, sources), digest.as_bytes());
        if !self.conflict(&picked, key)?
            && let Some(question) = memo.question
        {
            self.caches.index.put_memo(question, digest);
        }
        Ok(Some(without_names(picked)))
    }

    /// Whether something is at the destination that the files may not replace; it is a part of the key then.
    fn conflict(&self, picked: &[(String, Picked)], key: &mut KeyBuilder) -> Result<bool, CopyError> {
        let conflict = if self.free { None } else { conflicts(self.op, picked, self.parent)? };
        let Some(conflict) = conflict else { return Ok(false) };
        key.part("what is at the destination", conflict);
        Ok(true)
    }
}

fn without_names(picked: Vec<(String, Picked)>) -> Vec<Picked> {
    picked.into_iter().map(|(_, picked)| picked).collect()
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
