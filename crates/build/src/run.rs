//! RUN: its key, and its step in the sandbox.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use plimsoll_disk::{Links, read_regular, read_text};
use plimsoll_image::{Layer, LayerDraft, SealOptions, Store};
use plimsoll_sandbox::{
    Cancel, Exit, ExtraHost, Limits, Mount, MountKind, Network, Root, SandboxError, Security, Step, Stream,
    User, lookup,
};

use crate::{
    cachemount::{CacheId, CacheMount},
    copying::Caches,
    emulation,
    graph::{RunMount, RunOp, TreeRef},
    key::{Key, KeyBuilder, Part},
    place::{Place, PlaceError},
    request::{CaBundle, CacheOwner, KeyFiles, Secret, SshAgent},
    select::{Picked, Rules, SelectError, digest_files, digest_item, digest_one, select},
    snapshot::Snapshot,
    ssh::Forward,
    tree::Tree,
    wreck::Wreck,
};

/// Where the certificates of `--ca` are seen by a step.
const CA_TARGET: &str = "/run/plimsoll/ca-certificates.crt";
/// Variables that tell programs about certificates.
const CA_VARIABLES: [&str; 6] = [
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
];
/// Where hosts and images keep their certificates.
const CA_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Where programs look for the agent's socket.
const SSH_VARIABLE: &str = "SSH_AUTH_SOCK";
/// How much of a failed step's output is shown.
const TAIL_LINES: usize = 40;

/// Everything of the build that a RUN needs.
pub(crate) struct Surroundings<'a> {
    pub(crate) store: &'a Store,
    pub(crate) caches: Caches<'a>,
    pub(crate) cache_mounts: &'a Path,
    pub(crate) cache_owner: CacheOwner,
    pub(crate) secrets: &'a [Secret],
    pub(crate) ssh: &'a [SshAgent],
    pub(crate) key_files: &'a KeyFiles,
    pub(crate) ca: &'a CaBundle,
    pub(crate) hosts: &'a [ExtraHost],
    pub(crate) limits: &'a Limits,
    pub(crate) cancel: &'a Cancel,
    /// Hears for what the step waits.
    pub(crate) waiting: &'a dyn Fn(&str),
    /// Finds the files that a mount names.
    pub(crate) trees: &'a (dyn Fn(&TreeRef) -> TreeSource<'a> + Sync),
}

/// The files that a mount names.
#[derive(Clone)]
pub(crate) enum TreeSource<'a> {
    Context(&'a Tree),
    Snapshot(std::sync::Arc<Snapshot>),
    Empty,
}

/// Why a RUN failed; the caller adds the place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The command ran and failed, or could not be executed.
    #[error("process \"{command}\" did not complete successfully: {ending}")]
    Failed { command: String, ending: String, tail: Vec<String>, log: PathBuf, wreck: Box<Wreck> },
    /// Its programs are for another processor.
    #[error("cannot run programs for {0} on this machine")]
    Foreign(plimsoll_dockerfile::Platform),
    #[error("cannot mount {what} on {}, which is {is} in the image", target.display())]
    MountOnOther { target: PathBuf, what: &'static str, is: String },
    #[error("secret {0}: not found")]
    SecretMissing(String),
    #[error("cannot read the secret {id}: {reason}")]
    Secret { id: String, reason: String },
    #[error("ssh agent {0}: not found")]
    SshMissing(String),
    #[error("cannot use the ssh agent {id}: {source}")]
    Ssh { id: String, source: std::io::Error },
    #[error("cannot use the cache mount {id}: {source}")]
    CacheMount { id: String, source: std::io::Error },
    #[error("the disk of {} is full: what the command wrote may be incomplete", .0.display())]
    DiskFull(PathBuf),
    #[error("cannot use the certificates in {}: {source}", path.display())]
    Ca { path: PathBuf, source: std::io::Error },
    #[error("cannot find the owner of the cache mount: {0}")]
    User(#[from] plimsoll_sandbox::UserError),
    #[error(transparent)]
    Select(#[from] SelectError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    Store(#[from] plimsoll_image::StoreError),
    #[error("cannot write the log {path}: {1}", path = .0.display())]
    Log(PathBuf, #[source] std::io::Error),
}

/// Makes the key of a RUN. Values of secrets, and what is in cache mounts, are not part of it.
pub(crate) fn key(
    op: &RunOp,
    parent: &Snapshot,
    surroundings: &Surroundings<'_>,
) -> Result<(Key, Vec<Part>), RunError> {
    let mut key = KeyBuilder::new("run 1");
    key.list("the command", op.argv.iter().map(String::as_str));
    if let Some((path, text)) = &op.script {
        key.list("the script", [path.as_str(), text.as_str()]);
    }
    key.part("the files before it", parent.state.as_bytes());
    for (name, value) in &op.env {
        key.part(format!("the variable {name}"), value);
    }
    key.part("the working directory", &op.cwd);
    key.part("the user", &op.user);
    // What a step reaches is no part of its key: another network is another way to the same files, and none is none.
    key.part("the network", [u8::from(op.network == Network::None)]);
    key.part("the confinement", [u8::from(op.insecure)]);
    if let Some(hostname) = &op.hostname {
        key.part("the host name", hostname);
    }
    for host in surroundings.hosts {
        key.part(format!("the host {}", host.name), &host.address);
    }
    for mount in &op.mounts {
        match mount {
            RunMount::Bind { from, source, target, read_only } => {
                let digest = content((surroundings.trees)(from), source, &surroundings.caches)?;
                key.part(format!("the files mounted on {target}"), digest.as_bytes());
                key.part(format!("the mount {target}"), [u8::from(*read_only)]);
            }
            RunMount::Cache { id, target, sharing, mode, uid, gid, read_only, seed } => {
                let seed = seed.as_ref().map(|(_, source)| source);
                let (uid, gid) = cache_owner((*uid, *gid), op, parent, surroundings)?;
                let text = format!("{id} {sharing:?} {mode:o} {uid} {gid} {read_only} {seed:?}");
                key.part(format!("the cache mount {target}"), text);
            }
            RunMount::Tmpfs { target, size } => key.part(format!("the tmpfs {target}"), format!("{size:?}")),
            RunMount::Ssh { id, target, mode, uid, gid, .. } => {
                key.part(format!("the ssh agent {id}"), format!("{target} {mode:o} {uid} {gid}"));
            }
            RunMount::Secret { id, target, env, mode, uid, gid, .. } => {
                key.part(format!("the secret {id}"), format!("{target:?} {env:?} {mode:o} {uid} {gid}"));
            }
        }
    }
    Ok(key.finish())
}

/// The digest of everything that a bind mount shows.
fn content(source: TreeSource<'_>, path: &str, caches: &Caches<'_>) -> Result<Key, RunError> {
    match source {
        TreeSource::Empty => Ok(Key::of(b"")),
        TreeSource::Context(tree) => digest_path(tree, path, caches),
        TreeSource::Snapshot(snapshot) => {
            let mut question = KeyBuilder::new("mounted 1");
            question.part("state", snapshot.state.as_bytes());
            question.part("path", path);
            let question = question.finish().0;
            if let Some(answer) = caches.index.memo(&question) {
                return Ok(answer);
            }
            let answer = digest_path(&snapshot.tree(), path, caches)?;
            caches.index.put_memo(question, answer);
            Ok(answer)
        }
    }
}

fn pick_plain(tree: &Tree, path: &str) -> Result<Vec<Picked>, SelectError> {
    select(tree, path, &Rules { excludes: &[], parents: false })
}

fn digest_path(tree: &Tree, path: &str, caches: &Caches<'_>) -> Result<Key, RunError> {
    let mut picked = pick_plain(tree, path)?;
    digest_files(&mut picked, caches.stat)?;
    let mut hash = blake3::Hasher::new();
    for item in picked.iter().flat_map(|picked| &picked.items) {
        hash.update(digest_item(item, tree.is_context())?.as_bytes());
    }
    Ok(Key::from_bytes(*hash.finalize().as_bytes()))
}

/// What has to stay until the step has ended.
#[derive(Default)]
pub(crate) struct Held {
    caches: Vec<CacheMount>,
    forwards: Vec<Forward>,
    pub(crate) drafts: Vec<LayerDraft>,
}

/// Runs the step and seals what it wrote; `None` when it wrote nothing.
pub(crate) fn run(
    op: &RunOp,
    parent: &Snapshot,
    surroundings: &Surroundings<'_>,
    seal: &SealOptions,
    log: &Path,
    output: &mut dyn FnMut(Stream, &[u8]),
) -> Result<Option<Layer>, RunError> {
    if !emulation::can_run(&op.platform) {
        return Err(RunError::Foreign(op.platform.clone()));
    }
    let draft = surroundings.store.begin_layer()?;
    match_root(&draft.fs, parent)?;
    let mut held = Held::default();
    let root = Root { lowers: parent.paths.clone(), upper: draft.fs.clone(), work: draft.work.clone() };
    let mut step = Step::new(root, op.argv.clone());
    step.env.clone_from(&op.env);
    step.cwd = PathBuf::from(&op.cwd);
    step.user = User::Spec(op.user.clone());
    step.network = op.network;
    step.proxies.clone_from(&op.proxies);
    step.security = if op.insecure { Security::Insecure } else { Security::Sandbox };
    step.hosts = surroundings.hosts.to_vec();
    if let Some(hostname) = &op.hostname {
        step.hostname.clone_from(hostname);
        if step.env.iter().all(|(name, _)| name != "HOSTNAME") {
            step.env.push(("HOSTNAME".to_owned(), hostname.clone()));
        }
    }
    step.limits = surroundings.limits.clone();
    step.cancel = Some(surroundings.cancel.clone());
    if let Some((path, text)) = &op.script {
        let kind = MountKind::File { content: text.clone().into_bytes(), mode: 0o755, uid: 0, gid: 0 };
        step.mounts.push(Mount { target: path.into(), kind });
    }
    certificates(&mut step, parent, surroundings)?;
    for mount in &op.mounts {
        add_mount(&mut step, mount, (op, parent), surroundings, &mut held)?;
    }
    // A mount inside another one has to come after it.
    step.mounts.sort_by_key(|mount| mount.target.components().count());
    fitting(&step.mounts, parent)?;

    let mut tail = Tail::default();
    let mut file = File::create(log).map_err(|error| RunError::Log(log.to_owned(), error))?;
    let exit = plimsoll_sandbox::run(&step, &mut |stream, bytes| {
        // A log that cannot be written does not stop the build; the tail is kept all the same.
        let _ = file.write_all(bytes);
        tail.push(bytes);
        output(stream, bytes);
    });
    let ending = match exit {
        Ok(exit) if exit.success() => None,
        Ok(Exit::Code(code)) => Some(format!("exit code: {code}")),
        Ok(Exit::Signal(9)) => Some("killed by signal 9 (out of memory?)".to_owned()),
        Ok(Exit::Signal(signal)) => Some(format!("killed by signal {signal}")),
        Err(SandboxError::Exec { command, cause }) => Some(format!("exec: \"{command}\": {cause}")),
        Err(error) => return Err(error.into()),
    };
    if let Some(ending) = ending {
        let wreck = Box::new(Wreck::new(step, draft, held, surroundings.store));
        let (command, tail, log) = (op.argv.join(" "), tail.lines(), log.to_owned());
        return Err(RunError::Failed { command, ending, tail, log, wreck });
    }
    drop(held);
    // A command that does not look at the errors of its writes may have left half of its files.
    if is_full(surroundings.store.root()) {
        return Err(RunError::DiskFull(surroundings.store.root().to_owned()));
    }
    if fs::read_dir(&draft.fs).is_ok_and(|mut entries| entries.next().is_none()) {
        return Ok(None);
    }
    Ok(Some(draft.seal(seal)?))
}

/// A file is mounted on a file and a directory on a directory; the kernel would say no more than "invalid argument".
fn fitting(mounts: &[Mount], parent: &Snapshot) -> Result<(), RunError> {
    if parent.paths.is_empty() {
        return Ok(());
    }
    let tree = parent.tree();
    for (at, mount) in mounts.iter().enumerate() {
        let directory = match &mount.kind {
            MountKind::Bind { source, .. } => source.is_dir(),
            MountKind::File { .. } => false,
            _ => continue,
        };
        // what another mount shows there is not the image's
        if mounts[..at].iter().any(|above| mount.target.starts_with(&above.target)) {
            continue;
        }
        let Ok(Some(node)) = tree.lookup(&mount.target, true) else { continue };
        if node.is_directory() != directory {
            let what = if directory { "a directory" } else { "a file" };
            let is = crate::place::what(&node.host);
            return Err(RunError::MountOnOther { target: mount.target.clone(), what, is });
        }
    }
    Ok(())
}

/// Whom a new cache mount belongs to: as its options say, then as the build does.
fn cache_owner(
    (uid, gid): (Option<u32>, Option<u32>),
    op: &RunOp,
    parent: &Snapshot,
    surroundings: &Surroundings<'_>,
) -> Result<(u32, u32), RunError> {
    let (user, group) = match surroundings.cache_owner {
        CacheOwner::User if uid.is_none() || gid.is_none() => {
            let user = lookup(&op.user, &parent.text("/etc/passwd"), &parent.text("/etc/group"))?;
            (user.uid, user.gid)
        }
        _ => (0, 0),
    };
    Ok((uid.unwrap_or(user), gid.unwrap_or(group)))
}

/// Whether not even a small file could be written there.
pub(crate) fn is_full(path: &Path) -> bool {
    const SMALL: u64 = 16 << 10;
    rustix::fs::statvfs(path).is_ok_and(|disk| disk.f_blocks > 0 && disk.f_bavail * disk.f_frsize < SMALL)
}

/// The root directory of an overlay is its upper directory, so that must look like the parent's.
fn match_root(upper: &Path, parent: &Snapshot) -> Result<(), RunError> {
    let Some(top) = parent.paths.iter().find(|path| path.exists()) else { return Ok(()) };
    copy_root_attributes(upper, top).map_err(|error| PlaceError::Io(upper.to_owned(), error).into())
}

pub(crate) fn copy_root_attributes(upper: &Path, from: &Path) -> std::io::Result<()> {
    let meta = fs::symlink_metadata(from)?;
    plimsoll_image::set_owner(upper, meta.uid(), meta.gid())?;
    fs::set_permissions(upper, fs::Permissions::from_mode(meta.mode() & 0o7777))
}

fn add_mount(
    step: &mut Step,
    mount: &RunMount,
    (op, parent): (&RunOp, &Snapshot),
    surroundings: &Surroundings<'_>,
    held: &mut Held,
) -> Result<(), RunError> {
    let (target, kind) = match mount {
        RunMount::Bind { from, source, target, read_only } => {
            let scratch = if *read_only {
                None
            } else {
                let draft = surroundings.store.begin_layer()?;
                let paths = (draft.fs.clone(), draft.work.clone());
                held.drafts.push(draft);
                Some(paths)
            };
            let kind = match (surroundings.trees)(from) {
                TreeSource::Snapshot(snapshot) => {
                    MountKind::Layers { lowers: snapshot.paths.clone(), subpath: source.into(), scratch }
                }
                TreeSource::Context(tree) => bind_context(tree, source, scratch, surroundings, held)?,
                TreeSource::Empty => MountKind::Tmpfs { size: None, mode: 0o755 },
            };
            (target, kind)
        }
        RunMount::Cache { id, target, sharing, mode, uid, gid, read_only, seed } => {
            let (uid, gid) = cache_owner((*uid, *gid), op, parent, surroundings)?;
            let identity = CacheId { id, mode: *mode, uid, gid };
            let error = |source| RunError::CacheMount { id: id.clone(), source };
            let (mounts, cancel) = (surroundings.cache_mounts, surroundings.cancel);
            let cache =
                CacheMount::take(mounts, &identity, *sharing, cancel, surroundings.waiting).map_err(error)?;
            if cache.fresh
                && let Some((from, source)) = seed
            {
                fill(&cache.path, (surroundings.trees)(from), source)?;
            }
            let kind = MountKind::Bind { source: cache.path.clone(), read_only: *read_only };
            held.caches.push(cache);
            (target, kind)
        }
        RunMount::Tmpfs { target, size } => (target, MountKind::Tmpfs { size: *size, mode: 0o1777 }),
        RunMount::Ssh { id, target, required, mode, uid, gid } => {
            let Some(agent) = surroundings.ssh.iter().find(|agent| agent.id == *id) else {
                return if *required { Err(RunError::SshMissing(id.clone())) } else { Ok(()) };
            };
            let draft = surroundings.store.begin_layer()?;
            let forward = Forward::open(agent, surroundings.key_files, &draft.work, (*uid, *gid), *mode)
                .map_err(|source| RunError::Ssh { id: id.clone(), source })?;
            let kind = MountKind::Bind { source: forward.socket.clone(), read_only: false };
            held.forwards.push(forward);
            held.drafts.push(draft);
            if !step.env.iter().any(|(name, _)| name == SSH_VARIABLE) {
                step.env.push((SSH_VARIABLE.to_owned(), target.clone()));
            }
            (target, kind)
        }
        RunMount::Secret { id, target, env, required, mode, uid, gid } => {
            let Some(value) = secret(id, surroundings.secrets)? else {
                return if *required { Err(RunError::SecretMissing(id.clone())) } else { Ok(()) };
            };
            if let Some(name) = env {
                let text = String::from_utf8(value.clone()).map_err(|_| RunError::Secret {
                    id: id.clone(),
                    reason: "it is not UTF-8, so it cannot be a variable".to_owned(),
                })?;
                step.env.push((name.clone(), text));
            }
            let Some(target) = target else { return Ok(()) };
            (target, MountKind::File { content: value, mode: *mode, uid: *uid, gid: *gid })
        }
    };
    step.mounts.push(Mount { target: target.into(), kind });
    Ok(())
}

/// A part of the context, without what is ignored: in place where nothing is, else as a tree of its own.
fn bind_context(
    tree: &Tree,
    path: &str,
    scratch: Option<(PathBuf, PathBuf)>,
    surroundings: &Surroundings<'_>,
    held: &mut Held,
) -> Result<MountKind, RunError> {
    let node = tree
        .lookup(Path::new(path), true)
        .map_err(|error| SelectError::Io(path.into(), error))?
        .ok_or_else(|| SelectError::NotFound(path.to_owned()))?;
    if !node.is_directory() {
        return Ok(match scratch {
            None => MountKind::Bind { source: node.host, read_only: true },
            Some(_) => {
                const LIMIT: u64 = 32 << 20;
                let content = read_regular(&node.host, LIMIT, Links::Refuse)
                    .map_err(|error| SelectError::Io(node.host.clone(), error))?;
                MountKind::File { content, mode: node.mode, uid: 0, gid: 0 }
            }
        });
    }
    let lower = if tree.ignores_nothing() {
        node.host
    } else {
        let draft = surroundings.store.begin_layer()?;
        let mut place = Place::new(&draft.fs, &[]);
        for picked in pick_plain(tree, path)? {
            place.copy(tree, &picked, "/")?;
        }
        let path = draft.fs.clone();
        held.drafts.push(draft);
        path
    };
    Ok(match scratch {
        None => MountKind::Bind { source: lower, read_only: true },
        Some(scratch) => {
            MountKind::Layers { lowers: vec![lower], subpath: "/".into(), scratch: Some(scratch) }
        }
    })
}

/// Gives a new cache mount what it starts with.
fn fill(directory: &Path, from: TreeSource<'_>, source: &str) -> Result<(), RunError> {
    let own_tree;
    let tree = match &from {
        TreeSource::Empty => return Ok(()),
        TreeSource::Context(tree) => *tree,
        TreeSource::Snapshot(snapshot) => {
            own_tree = snapshot.tree();
            &own_tree
        }
    };
    let mut place = Place::copying_only(directory);
    for picked in pick_plain(tree, source)? {
        place.copy(tree, &picked, "/")?;
    }
    Ok(())
}

fn secret(id: &str, secrets: &[Secret]) -> Result<Option<Vec<u8>>, RunError> {
    let Some(secret) = secrets.iter().find(|secret| secret.id == id) else { return Ok(None) };
    let value = secret.value().map_err(|reason| RunError::Secret { id: id.to_owned(), reason })?;
    Ok(Some(value.to_vec()))
}

/// Shows the certificates of `--ca` to the step; they enter neither a layer nor a key.
fn certificates(step: &mut Step, parent: &Snapshot, surroundings: &Surroundings<'_>) -> Result<(), RunError> {
    let bundle = match surroundings.ca {
        CaBundle::Off => return Ok(()),
        CaBundle::File(path) => with_those_of_image(path, parent, surroundings)?,
        CaBundle::Auto => {
            let Some(host) = CA_BUNDLES.iter().map(Path::new).find(|path| path.is_file()) else {
                return Ok(());
            };
            if same_bundle(host, parent, surroundings) {
                return Ok(());
            }
            host.to_owned()
        }
    };
    step.mounts
        .push(Mount { target: CA_TARGET.into(), kind: MountKind::Bind { source: bundle, read_only: true } });
    for name in CA_VARIABLES {
        if !step.env.iter().any(|(known, _)| known == name) {
            step.env.push((name.to_owned(), CA_TARGET.to_owned()));
        }
    }
    Ok(())
}

/// Most of the variables name the only bundle that a program reads, and the certificates of one company are not all that
/// a step needs: those of the image come first. The file is made once for each two that it consists of.
fn with_those_of_image(
    file: &Path,
    parent: &Snapshot,
    surroundings: &Surroundings<'_>,
) -> Result<PathBuf, RunError> {
    let failed = |source| RunError::Ca { path: file.to_owned(), source };
    let own = read_text(file, 16 << 20, Links::Follow).map_err(failed)?;
    let of_image =
        CA_BUNDLES.iter().map(|path| parent.text(path)).find(|text| !text.is_empty()).unwrap_or_default();
    let both = [of_image.trim_end(), own.trim_end()].into_iter().filter(|text| !text.is_empty());
    let text: String = both.flat_map(|text| [text, "\n"]).collect();
    let folder = surroundings.cache_mounts.with_file_name("ca");
    let path = folder.join(format!("{}.crt", blake3::hash(text.as_bytes()).to_hex()));
    if !path.exists() {
        fs::create_dir_all(&folder).map_err(failed)?;
        crate::statcache::write_by_rename(&path, text.as_bytes()).map_err(failed)?;
    }
    Ok(path)
}

fn same_bundle(host: &Path, parent: &Snapshot, surroundings: &Surroundings<'_>) -> bool {
    let cache = surroundings.caches.stat;
    let digest = |tree: &Tree, path: &Path| {
        let node = tree.lookup(path, true).ok()??;
        digest_one(&node, cache).ok()
    };
    let ours = digest(&Tree::directory(PathBuf::from("/"), None), host);
    let tree = parent.tree();
    let theirs = CA_BUNDLES.iter().find_map(|path| digest(&tree, Path::new(path)));
    ours.is_some() && ours == theirs
}

/// The last lines of a step's output.
#[derive(Default)]
struct Tail {
    bytes: VecDeque<u8>,
}

impl Tail {
    const LIMIT: usize = 16 << 10;

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(&bytes[bytes.len().saturating_sub(Self::LIMIT)..]);
        let over = self.bytes.len().saturating_sub(Self::LIMIT);
        self.bytes.drain(..over);
    }

    fn lines(self) -> Vec<String> {
        let bytes: Vec<u8> = self.bytes.into();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].iter().map(|line| (*line).to_owned()).collect()
    }
}
