//! What a one-shot job is given to read by the host: the names, sizes, times and modes below its bind mounts. A job
//! that has succeeded is left alone until its inputs change, and migrations nearly always come this way.
//!
//! A job that writes into such a folder changes its own inputs and runs at each `up`, as with docker compose: running
//! once too often is the smaller mistake.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use plimsoll_compose::{Condition, MountKind, Project};
use serde::{Deserialize, Serialize};

/// More entries than this are not looked at: the job runs.
const MOST: usize = 20_000;

/// What a job was or is to be given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobInputs {
    /// Digest of everything below the paths; empty if it is not known.
    pub digest: String,
    /// The paths, for people.
    pub paths: String,
    /// Why the digest is not known.
    pub unknown: Option<String>,
}

impl JobInputs {
    /// The job reads what nobody here can look at.
    pub(crate) fn forget(&mut self, why: &str) {
        self.digest.clear();
        self.unknown = Some(why.to_owned());
    }
}

/// The inputs of each service whose end others wait for and that has bind mounts.
pub(crate) fn of_jobs(project: &Project) -> BTreeMap<String, JobInputs> {
    let awaited = project.services.values().flat_map(|service| &service.depends_on);
    let jobs = awaited
        .filter(|(_, need)| need.condition == Condition::CompletedSuccessfully)
        .filter_map(|(name, _)| Some((name, project.services.get(name)?)));
    let mut all = BTreeMap::new();
    for (name, service) in jobs {
        let binds = service.volumes.iter().filter(|mount| mount.kind == MountKind::Bind);
        let mut paths: Vec<&str> = binds.filter_map(|mount| mount.source.as_deref()).collect();
        paths.sort_unstable();
        paths.dedup();
        if !paths.is_empty() && !all.contains_key(name) {
            all.insert(name.clone(), look(&paths));
        }
    }
    all
}

fn look(paths: &[&str]) -> JobInputs {
    let mut inputs = JobInputs { paths: paths.join(", "), ..JobInputs::default() };
    let mut hasher = blake3::Hasher::new();
    let mut left = MOST;
    for path in paths {
        hasher.update(path.as_bytes());
        if let Err(why) = add(&mut hasher, Path::new(path), &mut left) {
            inputs.unknown = Some(why);
            return inputs;
        }
    }
    hasher.finalize().to_hex()[..32].clone_into(&mut inputs.digest);
    inputs
}

/// One bind mount: the file, or everything below the folder in the order of names. Links below it are not followed.
fn add(hasher: &mut blake3::Hasher, root: &Path, left: &mut usize) -> Result<(), String> {
    let mut todo: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(path) = todo.pop() {
        if *left == 0 {
            return Err(format!("{} has more entries than are looked at ({MOST})", root.display()));
        }
        *left -= 1;
        let found = if path == root { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
        let found = match found {
            Ok(found) => found,
            // the engine makes the folder
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
        };
        let below = path.strip_prefix(root).unwrap_or(&path).as_os_str().as_bytes();
        hasher.update(&(below.len() as u64).to_le_bytes());
        hasher.update(below);
        hasher.update(&found.mode().to_le_bytes());
        if found.is_dir() {
            let entries = fs::read_dir(&path).and_then(|entries| {
                entries
                    .take(*left + 1)
                    .map(|entry| entry.map(|entry| entry.path()))
                    .collect::<Result<Vec<_>, _>>()
            });
            let mut entries =
                entries.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
            entries.sort_unstable_by(|a, b| b.cmp(a));
            todo.extend(entries);
        } else if found.is_file() || found.is_symlink() {
            hasher.update(&found.len().to_le_bytes());
            hasher.update(&found.mtime().to_le_bytes());
            hasher.update(&found.mtime_nsec().to_le_bytes());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sizes_and_times_count_and_a_look_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().display().to_string();
        let digest = || look(&[&path]).digest;
        fs::write(dir.path().join("001"), "one").unwrap();
        let first = digest();
        assert_eq!(first, digest());
        fs::write(dir.path().join("002"), "two").unwrap();
        let second = digest();
        assert_ne!(first, second);
        fs::create_dir(dir.path().join("below")).unwrap();
        fs::write(dir.path().join("below/003"), "three").unwrap();
        let third = digest();
        assert_ne!(second, third);
        fs::rename(dir.path().join("002"), dir.path().join("004")).unwrap();
        assert_ne!(third, digest());
    }

    #[test]
    fn what_is_too_large_is_not_known() {
        let dir = tempfile::tempdir().unwrap();
        for name in 0..4 {
            fs::write(dir.path().join(name.to_string()), "").unwrap();
        }
        let mut left = 3;
        assert!(add(&mut blake3::Hasher::new(), dir.path(), &mut left).is_err());
    }
}
