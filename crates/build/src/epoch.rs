//! `SOURCE_DATE_EPOCH` by default: when the last commit was made.

mod given;

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use flate2::read::ZlibDecoder;

pub(crate) use given::{Given, NAME, given};

/// The time of the last commit of the repository that `directory` is in, in seconds since 1970.
///
/// Reads the commit itself, because starting git costs more than a build in which nothing changed; a commit that is
/// in a pack is left to git.
pub(crate) fn last_commit(directory: &Path) -> Option<i64> {
    let git = git_directory(directory)?;
    let commit = head(&git)?;
    loose_commit(&git, &commit).or_else(|| ask_git(directory))
}

fn git_directory(directory: &Path) -> Option<PathBuf> {
    directory.ancestors().map(|at| at.join(".git")).find(|git| git.exists()).and_then(|git| {
        if git.is_dir() {
            return Some(git);
        }
        // A worktree or submodule: a file that says where.
        let text = fs::read_to_string(&git).ok()?;
        let to = text.strip_prefix("gitdir:")?.trim();
        Some(git.parent()?.join(to))
    })
}

/// The hexadecimal id of the checked out commit.
fn head(git: &Path) -> Option<String> {
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    let Some(reference) = head.trim().strip_prefix("ref: ") else { return valid(head.trim()) };
    let common =
        fs::read_to_string(git.join("commondir")).map_or_else(|_| git.to_owned(), |to| git.join(to.trim()));
    if let Ok(id) = fs::read_to_string(common.join(reference)) {
        return valid(id.trim());
    }
    let packed = fs::read_to_string(common.join("packed-refs")).ok()?;
    packed.lines().find_map(|line| line.strip_suffix(reference)?.strip_suffix(' ')).and_then(valid)
}

fn valid(id: &str) -> Option<String> {
    (matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}

fn loose_commit(git: &Path, id: &str) -> Option<i64> {
    let common =
        fs::read_to_string(git.join("commondir")).map_or_else(|_| git.to_owned(), |to| git.join(to.trim()));
    let file = fs::File::open(common.join("objects").join(&id[..2]).join(&id[2..])).ok()?;
    let mut text = Vec::new();
    // The header lines come first; a commit's message may be of any length.
    ZlibDecoder::new(file).take(64 << 10).read_to_end(&mut text).ok()?;
    committer_time(&String::from_utf8_lossy(&text))
}

/// `committer Name <mail> 1763596800 +0000` of a commit object.
fn committer_time(commit: &str) -> Option<i64> {
    let headers = commit.strip_prefix("commit ")?;
    let line = headers.lines().find_map(|line| line.strip_prefix("committer "))?;
    let (_, times) = line.rsplit_once('>')?;
    times.split_whitespace().next()?.parse().ok()
}

fn ask_git(directory: &Path) -> Option<i64> {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(["log", "-1", "--format=%ct"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committer_decides_not_the_author() {
        let commit = "commit 200\0tree abc\nauthor A <a@b> 5 +0000\ncommitter B > <b@c> 1763596800 +0100\n\ncommitter x 9\n";
        assert_eq!(committer_time(commit), Some(1_763_596_800));
        assert_eq!(committer_time("tree 1\0"), None);
    }

    #[test]
    fn a_repository_without_packs_is_read_without_git() {
        let dir = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            Command::new("git")
                .arg("-C")
                .arg(dir.path())
                .args(["-c", "user.name=a", "-c", "user.email=a@b"])
                .args(arguments)
                .env("GIT_COMMITTER_DATE", "1700000000 +0000")
                .stdout(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        };
        if !git(&["init", "-q"]) {
            eprintln!("skipped: no git on this machine");
            return;
        }
        assert!(git(&["commit", "-q", "--allow-empty", "-m", "x"]));
        fs::create_dir(dir.path().join("sub")).unwrap();
        assert_eq!(last_commit(&dir.path().join("sub")), Some(1_700_000_000));
        assert!(git(&["gc", "-q"]));
        assert_eq!(last_commit(dir.path()), Some(1_700_000_000), "from a pack");
    }
}
