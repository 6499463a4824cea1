//! The tarball, for machines without dpkg.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use super::{Content, File, VERSION, lay_out, of_repository};
use crate::shell;

/// The folder that everything is in, and the tarball's name without its ending.
pub(super) fn name() -> String {
    format!("plimsoll-{VERSION}-x86_64-linux")
}

/// Makes the tarball in `folder`.
pub(super) fn make(content: &Content, folder: &Path, epoch: u64) -> Result<PathBuf> {
    let tarball = folder.join(format!("{}.tar.zst", name()));
    pack(&files(content)?, &folder.join("tarball"), &tarball, epoch)?;
    Ok(tarball)
}

fn files(content: &Content) -> Result<Vec<File>> {
    let top = name();
    let mut files = vec![
        File { path: format!("{top}/plimsoll"), mode: 0o755, bytes: content.binary.clone() },
        File::plain(format!("{top}/NOTICES"), content.notices.as_str()),
    ];
    for text in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        files.push(File::plain(format!("{top}/{text}"), of_repository(text)?));
    }
    for (shell, script) in &content.completions {
        let file = match *shell {
            "bash" => "plimsoll",
            "elvish" => "plimsoll.elv",
            "fish" => "plimsoll.fish",
            "powershell" => "plimsoll.ps1",
            _ => "_plimsoll",
        };
        files.push(File::plain(format!("{top}/completions/{shell}/{file}"), script.as_slice()));
    }
    let pages = content.pages.iter();
    files.extend(pages.map(|(name, page)| File::plain(format!("{top}/man/man1/{name}"), page.as_slice())));
    Ok(files)
}

/// Lays the files out below `root` and packs what is there.
fn pack(files: &[File], root: &Path, tarball: &Path, epoch: u64) -> Result<()> {
    lay_out(files, root)?;
    let mut tar = Command::new("tar");
    tar.args(["--create", "--format=gnu", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.arg(format!("--mtime=@{epoch}"));
    tar.args(["--use-compress-program", "zstd -19 --single-thread --quiet", "--file"]).arg(tarball);
    shell::quiet(tar.arg("--directory").arg(root).arg(name()))
}

#[cfg(test)]
mod tests {
    use std::{fs, thread, time::Duration};

    use super::*;

    #[test]
    fn a_tarball_is_the_same_to_the_byte_and_belongs_to_root() {
        if !shell::succeeds(Command::new("zstd").arg("--version")) {
            assert!(std::env::var_os("CI").is_none(), "CI must not skip: no zstd");
            eprintln!("skipped: no zstd");
            return;
        }
        let make = |folder: &Path| {
            let top = name();
            let files = [
                File { path: format!("{top}/plimsoll"), mode: 0o755, bytes: b"#!/bin/sh\n".to_vec() },
                File::plain(format!("{top}/man/man1/plimsoll.1"), ".TH plimsoll 1\n"),
            ];
            let tarball = folder.join("small.tar.zst");
            pack(&files, &folder.join("tree"), &tarball, 1_000_000_000).expect("it is packed");
            tarball
        };
        let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let first = make(one.path());
        // files have times in seconds
        thread::sleep(Duration::from_millis(1100));
        let second = make(two.path());
        assert!(fs::read(&first).expect("read") == fs::read(second).expect("read"));
        let list = shell::read(Command::new("tar").args(["--list", "--verbose", "--file"]).arg(&first));
        let list = String::from_utf8(list.expect("tar reads it")).expect("text");
        let binary = list.lines().find(|line| line.ends_with("/plimsoll")).expect("the binary");
        assert!(binary.starts_with("-rwxr-xr-x 0/0 "), "{list}");
    }
}
