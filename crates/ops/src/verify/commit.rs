//! The commit that a folder is at, read from git's files: no program of the folder's owner runs for it.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// References name references; git follows five.
const DEPTH: u8 = 5;
/// The largest file of references that is read.
const LIMIT: u64 = 16 << 20;

/// `None` outside of a repository, and before its first commit.
pub fn of(folder: &Path) -> Option<String> {
    let git = folder.ancestors().map(|folder| folder.join(".git")).find(|git| git.exists())?;
    let own = directory(&git)?;
    // A worktree has a HEAD of its own; its branches are those of the repository.
    let shared = read(&own.join("commondir")).map_or_else(|| own.clone(), |path| own.join(path.trim()));
    let mut text = read(&own.join("HEAD"))?;
    for _ in 0..DEPTH {
        let Some(name) = text.trim().strip_prefix("ref: ").map(str::to_owned) else { break };
        // The name is a path below the folder.
        if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return None;
        }
        text = read(&own.join(&name))
            .or_else(|| read(&shared.join(&name)))
            .or_else(|| packed(&shared, &name))?;
    }
    let commit = text.trim();
    let is_id = matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| commit.to_owned())
}

/// `.git`, or where a file of this name leads.
fn directory(git: &Path) -> Option<PathBuf> {
    if git.is_dir() {
        return Some(git.to_path_buf());
    }
    let text = read(git)?;
    Some(git.parent()?.join(text.trim().strip_prefix("gitdir: ")?))
}

fn packed(git: &Path, name: &str) -> Option<String> {
    let text = read(&git.join("packed-refs"))?;
    let found = text.lines().find_map(|line| line.split_once(' ').filter(|(_, named)| *named == name));
    found.map(|(commit, _)| commit.to_owned())
}

fn read(path: &Path) -> Option<String> {
    let meta = fs::metadata(path).ok()?;
    (meta.is_file() && meta.len() <= LIMIT).then(|| fs::read_to_string(path).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn branches_packed_branches_and_commits() {
        let folder = tempfile::tempdir().unwrap();
        let git = folder.path().join(".git");
        fs::create_dir_all(git.join("refs/heads")).unwrap();
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        assert_eq!(of(folder.path()), None, "no commit yet");
        fs::write(git.join("packed-refs"), format!("# pack-refs\n{COMMIT} refs/heads/main\n")).unwrap();
        assert_eq!(of(&folder.path().join("sub")).as_deref(), Some(COMMIT));
        fs::write(git.join("refs/heads/main"), format!("{}\n", COMMIT.replace('0', "f"))).unwrap();
        assert_eq!(of(folder.path()), Some(COMMIT.replace('0', "f")));
        fs::write(git.join("HEAD"), COMMIT).unwrap();
        assert_eq!(of(folder.path()).as_deref(), Some(COMMIT));
        fs::write(git.join("HEAD"), "ref: ../../etc/passwd").unwrap();
        assert_eq!(of(folder.path()), None);
    }
}
