//! RUN: its key, and its step in the sandbox.

mod certificates;
mod error;
mod excerpt;
mod mounts;
mod surroundings;

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use plimsoll_image::{Layer, SealOptions};
use plimsoll_sandbox::{
    Exit, Mount, MountKind, Network, Process, Root, SandboxError, Security, Stream, User,
};

use self::{
    certificates::certificates,
    excerpt::Excerpt,
    mounts::{add_mount, cache_owner, fitting, pick_plain},
};
pub(crate) use self::{
    error::RunError,
    surroundings::{Surroundings, TreeSource},
};
use crate::{
    caches::Caches,
    emulation,
    failed_step::FailedStep,
    graph::{RunMount, RunOp},
    key::{Key, KeyBuilder, Part},
    layer_writer::{LayerError, copy_root_attributes},
    select::{digest_files, digest_item},
    snapshot::Snapshot,
    step_resources::StepResources,
    tree::Tree,
};

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

fn digest_path(tree: &Tree, path: &str, caches: &Caches<'_>) -> Result<Key, RunError> {
    let mut picked = pick_plain(tree, path)?;
    digest_files(&mut picked, caches.stat)?;
    let mut hash = blake3::Hasher::new();
    for item in picked.iter().flat_map(|picked| &picked.items) {
        hash.update(digest_item(item, tree.is_context())?.as_bytes());
    }
    Ok(Key::from_bytes(*hash.finalize().as_bytes()))
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
    let mut resources = StepResources::default();
    let root = Root { lowers: parent.paths.clone(), upper: draft.fs.clone(), work: draft.work.clone() };
    let mut step = Process::new(root, op.argv.clone());
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
        add_mount(&mut step, mount, (op, parent), surroundings, &mut resources)?;
    }
    // A mount inside another one has to come after it.
    step.mounts.sort_by_key(|mount| mount.target.components().count());
    fitting(&step.mounts, parent)?;

    let mut excerpt = Excerpt::default();
    let mut file = File::create(log).map_err(|error| RunError::Log(log.to_owned(), error))?;
    let exit = plimsoll_sandbox::run(&step, &mut |stream, bytes| {
        // A log that cannot be written does not stop the build; the excerpt is kept all the same.
        let _ = file.write_all(bytes);
        excerpt.push(bytes);
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
        let step = Box::new(FailedStep::new(step, draft, resources, surroundings.store));
        let (command, excerpt, log) = (op.argv.join(" "), excerpt.lines(), log.to_owned());
        return Err(RunError::Failed { command, ending, excerpt, log, step });
    }
    drop(resources);
    // A command that does not look at the errors of its writes may have left half of its files.
    if is_full(surroundings.store.root()) {
        return Err(RunError::DiskFull(surroundings.store.root().to_owned()));
    }
    if fs::read_dir(&draft.fs).is_ok_and(|mut entries| entries.next().is_none()) {
        return Ok(None);
    }
    Ok(Some(draft.seal(seal)?))
}

/// Whether not even a small file could be written there.
pub(crate) fn is_full(path: &Path) -> bool {
    const SMALL: u64 = 16 << 10;
    rustix::fs::statvfs(path).is_ok_and(|disk| disk.f_blocks > 0 && disk.f_bavail * disk.f_frsize < SMALL)
}

/// The root directory of an overlay is its upper directory, so that must look like the parent's.
fn match_root(upper: &Path, parent: &Snapshot) -> Result<(), RunError> {
    let Some(top) = parent.paths.iter().find(|path| path.exists()) else { return Ok(()) };
    copy_root_attributes(upper, top).map_err(|error| LayerError::Io(upper.to_owned(), error).into())
}
