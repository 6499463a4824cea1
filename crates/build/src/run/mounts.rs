//! What `RUN --mount` shows in a step.

use std::path::{Path, PathBuf};

use plimsoll_disk::{Links, read_regular};
use plimsoll_dockerfile::Sharing;
use plimsoll_sandbox::{Mount, MountKind, Process, lookup};

use super::{
    error::RunError,
    surroundings::{Surroundings, TreeSource},
};
use crate::{
    cachemount::{CacheId, CacheMount},
    graph::{RunMount, RunOp, TreeRef},
    layer_writer::LayerWriter,
    secret::Secret,
    select::{Picked, Rules, SelectError, select},
    settings::CacheOwner,
    snapshot::Snapshot,
    ssh::{Forward, SshAgent},
    step_resources::StepResources,
    tree::Tree,
};

/// Where programs look for the agent's socket.
const SSH_VARIABLE: &str = "SSH_AUTH_SOCK";

/// Adds what a `--mount` shows; nothing for a secret or an agent that is optional and missing.
pub(super) fn add_mount(
    step: &mut Process,
    mount: &RunMount,
    (op, parent): (&RunOp, &Snapshot),
    surroundings: &Surroundings<'_>,
    resources: &mut StepResources,
) -> Result<(), RunError> {
    let (target, kind) = match mount {
        RunMount::Bind { from, source, target, read_only } => {
            (target, bind((from, source), *read_only, surroundings, resources)?)
        }
        RunMount::Cache { id, target, sharing, mode, uid, gid, read_only, seed } => {
            let (uid, gid) = cache_owner((*uid, *gid), op, parent, surroundings)?;
            let identity = CacheId { id, mode: *mode, uid, gid };
            let cache = cache(&identity, *sharing, seed.as_ref(), surroundings)?;
            let kind = MountKind::Bind { source: cache.path.clone(), read_only: *read_only };
            resources.caches.push(cache);
            (target, kind)
        }
        RunMount::Tmpfs { target, size } => (target, MountKind::Tmpfs { size: *size, mode: 0o1777 }),
        RunMount::Ssh { id, target, required, mode, uid, gid } => {
            let Some(agent) = surroundings.ssh.iter().find(|agent| agent.id == *id) else {
                return if *required { Err(RunError::SshMissing(id.clone())) } else { Ok(()) };
            };
            let kind = ssh_agent(agent, (*uid, *gid), *mode, surroundings, resources)?;
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

/// What `--mount=type=bind` shows; what is written to it is dropped with the step.
fn bind(
    (from, source): (&TreeRef, &str),
    read_only: bool,
    surroundings: &Surroundings<'_>,
    resources: &mut StepResources,
) -> Result<MountKind, RunError> {
    let scratch = if read_only {
        None
    } else {
        let draft = surroundings.store.begin_layer()?;
        let paths = (draft.fs.clone(), draft.work.clone());
        resources.drafts.push(draft);
        Some(paths)
    };
    Ok(match (surroundings.trees)(from) {
        TreeSource::Snapshot(snapshot) => {
            MountKind::Layers { lowers: snapshot.paths.clone(), subpath: source.into(), scratch }
        }
        TreeSource::Context(tree) => bind_context(tree, source, scratch, surroundings, resources)?,
        TreeSource::Empty => MountKind::Tmpfs { size: None, mode: 0o755 },
    })
}

/// Takes a cache mount, and fills a new one.
fn cache(
    identity: &CacheId<'_>,
    sharing: Sharing,
    seed: Option<&(TreeRef, String)>,
    surroundings: &Surroundings<'_>,
) -> Result<CacheMount, RunError> {
    let (mounts, cancel) = (surroundings.cache_mounts, surroundings.cancel);
    let cache = CacheMount::take(mounts, identity, sharing, cancel, surroundings.waiting)
        .map_err(|source| RunError::CacheMount { id: identity.id.to_owned(), source })?;
    if cache.fresh
        && let Some((from, source)) = seed
    {
        fill(&cache.path, (surroundings.trees)(from), source)?;
    }
    Ok(cache)
}

/// Opens a socket that leads to an agent.
fn ssh_agent(
    agent: &SshAgent,
    owner: (u32, u32),
    mode: u32,
    surroundings: &Surroundings<'_>,
    resources: &mut StepResources,
) -> Result<MountKind, RunError> {
    let draft = surroundings.store.begin_layer()?;
    let forward = Forward::open(agent, surroundings.key_files, &draft.work, owner, mode)
        .map_err(|source| RunError::Ssh { id: agent.id.clone(), source })?;
    let kind = MountKind::Bind { source: forward.socket.clone(), read_only: false };
    resources.forwards.push(forward);
    resources.drafts.push(draft);
    Ok(kind)
}

/// A part of the context, without what is ignored: in place where nothing is, else as a tree of its own.
fn bind_context(
    tree: &Tree,
    path: &str,
    scratch: Option<(PathBuf, PathBuf)>,
    surroundings: &Surroundings<'_>,
    resources: &mut StepResources,
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
        let mut layer = LayerWriter::new(&draft.fs, &[]);
        for picked in pick_plain(tree, path)? {
            layer.copy(tree, &picked, "/")?;
        }
        let path = draft.fs.clone();
        resources.drafts.push(draft);
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
    let mut layer = LayerWriter::copying_only(directory);
    for picked in pick_plain(tree, source)? {
        layer.copy(tree, &picked, "/")?;
    }
    Ok(())
}

fn secret(id: &str, secrets: &[Secret]) -> Result<Option<Vec<u8>>, RunError> {
    let Some(secret) = secrets.iter().find(|secret| secret.id == id) else { return Ok(None) };
    let value = secret.value().map_err(|reason| RunError::Secret { id: id.to_owned(), reason })?;
    Ok(Some(value.to_vec()))
}

/// Whom a new cache mount belongs to: as its options say, then as the build does.
pub(super) fn cache_owner(
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

pub(super) fn pick_plain(tree: &Tree, path: &str) -> Result<Vec<Picked>, SelectError> {
    select(tree, path, &Rules { excludes: &[], parents: false })
}

/// A file is mounted on a file and a directory on a directory; the kernel would say no more than "invalid argument".
pub(super) fn fitting(mounts: &[Mount], parent: &Snapshot) -> Result<(), RunError> {
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
            let is = crate::layer_writer::what(&node.host);
            return Err(RunError::MountOnOther { target: mount.target.clone(), what, is });
        }
    }
    Ok(())
}
