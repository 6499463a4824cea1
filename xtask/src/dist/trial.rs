//! `--check`: what was made is unpacked into empty folders, and Plimsoll runs from there.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use super::{VERSION, tarball};
use crate::shell;

/// Fails with what does not work.
pub(super) fn run(deb: &Path, packed: &Path, folder: &Path) -> Result<()> {
    let root = folder.join("root");
    fs::create_dir_all(&root)?;
    shell::quiet(Command::new("dpkg-deb").arg("--extract").args([deb, &root]))?;
    try_out(&root.join("usr/bin/plimsoll"), folder)?;
    shell::quiet(
        Command::new("bash").arg("-n").arg(root.join("usr/share/bash-completion/completions/plimsoll")),
    )?;
    pages(&root.join("usr/share/man/man1"))?;

    let unpacked = folder.join("tarball");
    fs::create_dir_all(&unpacked)?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--use-compress-program", "zstd", "--file"]).arg(packed);
    shell::quiet(tar.arg("--directory").arg(&unpacked))?;
    try_out(&unpacked.join(tarball::name()).join("plimsoll"), folder)
}

/// Runs the binary with nothing of this shell's environment.
fn try_out(binary: &Path, home: &Path) -> Result<()> {
    let run = |arguments: &[&str]| -> Result<String> {
        let mut command = Command::new(binary);
        command.args(arguments).env_clear().current_dir(home);
        command.env("HOME", home).env("PLIMSOLL_HOME", home.join("state"));
        Ok(String::from_utf8(shell::read(&mut command)?)?)
    };
    let version = run(&["--version"])?;
    if version.trim() != format!("plimsoll {VERSION}") {
        bail!("{} is of another version: {version}", binary.display());
    }
    let example = shell::root().join("examples/quickstart/vite-site");
    let survey = run(&["survey", example.to_str().context("the repository's path is no text")?])?;
    // its name in package.json, and what it is
    for fact in ["vite-site-palette", "static site"] {
        if !survey.contains(fact) {
            bail!("{} survey does not find `{fact}` in {}:\n{survey}", binary.display(), example.display());
        }
    }
    Ok(())
}

/// The pages of the first verbs are there, and each page can be read.
fn pages(folder: &Path) -> Result<()> {
    for verb in ["survey", "init", "up", "verify"] {
        let page = shell::read(
            Command::new("gzip")
                .args(["--decompress", "--stdout"])
                .arg(folder.join(format!("plimsoll-{verb}.1.gz"))),
        )?;
        if !String::from_utf8_lossy(&page).contains(".SH SYNOPSIS") {
            bail!("the manual page of {verb} has no synopsis");
        }
    }
    let all = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    shell::quiet(Command::new("gzip").arg("--test").args(all))
}
