//! `SOURCE_DATE_EPOCH` by default: when the last commit was made.
//!
//! A repository that comes as files brings a configuration that names programs; git would run them. So nothing here
//! starts git: references and objects are read, within bounds, and a number is all that comes of it.

mod given;

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::{Component, Path, PathBuf},
};

use plimsoll_disk::{Links, open_regular, read_text};

pub(crate) mod objects;

/// `HEAD`, `commondir` and a reference hold one line.
const LINE: u64 = 4 << 10;
/// A repository with a million references stays below it.
const PACKED: u64 = 128 << 20;

pub(crate) use given::{Given, NAME, given};

/// The time of the last commit of the repository that `directory` is in, in seconds since 1970.
pub(crate) fn last_commit(directory: &Path) -> Option<i64> {
    let git = git_directory(directory)?;
    let common = match read_line(&git.join("commondir")) {
        Some(to) => git.join(to),
        None => git.clone(),
    };
    let commit = head(&git, &common)?;
    committer_time(&objects::commit(&common.join("objects"), &commit)?)
}

/// One line of a file of the repository.
fn read_line(path: &Path) -> Option<String> {
    let text = read_text(path, LINE, Links::Refuse).ok()?;
    Some(text.trim().to_owned())
}

fn git_directory(directory: &Path) -> Option<PathBuf> {
    let git = directory.ancestors().map(|at| at.join(".git")).find(|git| git.exists())?;
    if git.is_dir() {
        return Some(git);
    }
    // A worktree or submodule: a file that says where.
    let text = read_line(&git)?;
    Some(git.parent()?.join(text.strip_prefix("gitdir:")?.trim()))
}

/// The hexadecimal id of the checked out commit.
fn head(git: &Path, common: &Path) -> Option<String> {
    let mut text = read_line(&git.join("HEAD"))?;
    // A reference may name another one.
    for _ in 0..5 {
        let Some(reference) = text.strip_prefix("ref: ") else { return valid(&text) };
        let reference = reference.trim().to_owned();
        if !is_reference(&reference) {
            return None;
        }
        // A worktree has references of its own beside those that all of them share.
        match read_line(&git.join(&reference)).or_else(|| read_line(&common.join(&reference))) {
            Some(found) => text = found,
            None => return packed(common, &reference),
        }
    }
    None
}

/// Whether it is a path inside of the repository, as git has references.
fn is_reference(text: &str) -> bool {
    text.starts_with("refs/") && Path::new(text).components().all(|part| matches!(part, Component::Normal(_)))
}

fn packed(common: &Path, reference: &str) -> Option<String> {
    let file = open_regular(&common.join("packed-refs"), Links::Refuse).ok()?;
    let mut reader = BufReader::new(file.take(PACKED));
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.by_ref().take(LINE).read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        let text = std::str::from_utf8(&line).unwrap_or_default().trim_end();
        if let Some(id) = text.strip_suffix(reference).and_then(|rest| rest.strip_suffix(' ')) {
            return valid(id);
        }
    }
}

fn valid(id: &str) -> Option<String> {
    (matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| id.to_ascii_lowercase())
}

/// `committer Name <mail> 1763596800 +0000` of a commit.
fn committer_time(commit: &[u8]) -> Option<i64> {
    let text = String::from_utf8_lossy(commit);
    // The headers end at the first empty line.
    let line =
        text.lines().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix("committer "))?;
    let (_, times) = line.rsplit_once('>')?;
    times.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        process::{Command, Stdio},
    };

    use super::*;

    #[test]
    fn the_committer_decides_not_the_author() {
        let commit =
            b"tree abc\nauthor A <a@b> 5 +0000\ncommitter B > <b@c> 1763596800 +0100\n\ncommitter x> 9\n";
        assert_eq!(committer_time(commit), Some(1_763_596_800));
        assert_eq!(committer_time(b"tree 1\n\ncommitter x> 9\n"), None);
    }

    #[test]
    fn references_stay_in_the_repository() {
        assert!(is_reference("refs/heads/a/b"));
        for bad in ["/dev/zero", "refs/../../../dev/zero", "HEAD", "refs/heads/../x", ""] {
            assert!(!is_reference(bad), "{bad}");
        }
    }

    fn git(dir: &Path, time: i64, arguments: &[&str]) -> bool {
        Command::new("git")
            .arg("-C")
            .arg(dir)
            .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"])
            .args(arguments)
            .env("GIT_COMMITTER_DATE", format!("@{time} +0000"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    #[test]
    fn a_repository_is_read_without_git() {
        let dir = tempfile::tempdir().unwrap();
        let one = dir.path().join("one");
        fs::create_dir_all(one.join("sub")).unwrap();
        if !git(&one, 0, &["init", "-q"]) {
            eprintln!("skipped: no git on this machine");
            return;
        }
        // Messages that are nearly the same become differences in a pack.
        let message = "the same long message, line after line\n".repeat(60);
        for at in 0..12 {
            let text = format!("{at} {message}");
            assert!(git(&one, 1_700_000_000 + at, &["commit", "-q", "--allow-empty", "-m", &text]));
            assert_eq!(last_commit(&one.join("sub")), Some(1_700_000_000 + at), "loose");
        }
        assert!(git(&one, 0, &["gc", "-q", "--aggressive"]));
        assert_eq!(last_commit(&one), Some(1_700_000_011), "from a pack");
        // Each commit, whether it is stored whole or as a difference.
        for back in 1..12 {
            assert!(git(&one, 0, &["checkout", "-q", "--detach", "HEAD~1"]));
            assert_eq!(last_commit(&one), Some(1_700_000_011 - back));
        }
        // A clone that borrows the objects, and a worktree.
        assert!(git(dir.path(), 0, &["clone", "-q", "--shared", "one", "two"]));
        assert_eq!(last_commit(&dir.path().join("two")), Some(1_700_000_000));
        assert!(git(&one, 0, &["worktree", "add", "-q", "--detach", "../three", "HEAD"]));
        assert_eq!(last_commit(&dir.path().join("three")), Some(1_700_000_000));
    }

    #[test]
    fn git_of_the_context_runs_programs() {
        let dir = tempfile::tempdir().unwrap();
        if !git(dir.path(), 0, &["init", "-q"]) {
            eprintln!("skipped: no git on this machine");
            return;
        }
        assert!(git(dir.path(), 1_700_000_000, &["commit", "-q", "--allow-empty", "-m", "x"]));
        assert!(git(dir.path(), 0, &["gc", "-q"]));
        let proof = dir.path().join("ran");
        let program = dir.path().join("program");
        fs::write(&program, format!("#!/bin/sh\ntouch {}\n", proof.display())).unwrap();
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        for (key, value) in [("log.showSignature", "true"), ("gpg.program", ""), ("core.fsmonitor", "")] {
            let value = if value.is_empty() { program.to_str().unwrap() } else { value };
            assert!(git(dir.path(), 0, &["config", key, value]));
        }
        let _ = fs::remove_file(&proof);
        assert_eq!(last_commit(dir.path()), Some(1_700_000_000));
        assert!(!proof.exists());
    }

    #[test]
    fn special_files_read_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let git = dir.path().join(".git");
        fs::create_dir(&git).unwrap();
        fs::write(git.join("HEAD"), "ref: /dev/zero\n").unwrap();
        assert_eq!(last_commit(dir.path()), None);
        fs::write(git.join("HEAD"), "ref: refs/x\n").unwrap();
        fs::create_dir(git.join("refs")).unwrap();
        symlink("/dev/zero", git.join("refs/x")).unwrap();
        symlink("/dev/zero", git.join("packed-refs")).unwrap();
        symlink("/dev/zero", git.join("commondir")).unwrap();
        assert_eq!(last_commit(dir.path()), None);
        fs::remove_file(git.join("HEAD")).unwrap();
        symlink("/dev/zero", git.join("HEAD")).unwrap();
        assert_eq!(last_commit(dir.path()), None);
        fs::remove_dir_all(&git).unwrap();
        symlink("/dev/zero", &git).unwrap();
        assert_eq!(last_commit(dir.path()), None);
    }
}
