//! Debian 13's Docker Engine with its containerd and buildx, unpacked beside the installed one.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::shell;

const PACKAGES: [&str; 4] = ["docker.io", "containerd", "docker-cli", "docker-buildx"];
const PROGRAMS: [&str; 7] = [
    "sbin/dockerd",
    "bin/docker",
    "bin/containerd",
    "bin/containerd-shim",
    "bin/containerd-shim-runc-v1",
    "bin/containerd-shim-runc-v2",
    "bin/docker-init",
];

/// The folder with `bin/` and the client's `config/`; fetched once, from the mirror that this machine uses.
pub(crate) fn engine(folder: &Path) -> Result<PathBuf> {
    let done = folder.join("config/config.json");
    if done.exists() {
        return Ok(folder.to_owned());
    }
    for part in ["lists/partial", "apt/archives/partial", "bin", "config"] {
        fs::create_dir_all(folder.join(part))?;
    }
    let mirrors = Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)"]).output()?.stdout;
    let mirrors = String::from_utf8(mirrors)?;
    let mirror = mirrors.lines().next().context("apt knows no mirror")?;
    let list = folder.join("trixie.list");
    fs::write(&list, format!("deb {mirror} trixie main\n"))?;
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.current_dir(folder).arg("-qq").args(["-o", "Dir::Etc::SourceParts=/dev/null"]);
        for (name, path) in [
            ("Etc::SourceList", &list),
            ("State::Lists", &folder.join("lists")),
            ("Cache", &folder.join("apt")),
        ] {
            apt.arg("-o").arg(format!("Dir::{name}={}", path.display()));
        }
        // the folder is root's alone
        apt.args(["-o", "APT::Sandbox::User=root"]);
        apt
    };
    shell::run(apt().arg("update"))?;
    shell::run(apt().arg("download").args(PACKAGES))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            shell::run(Command::new("dpkg").arg("--extract").arg(&path).arg(folder.join("root")))?;
            fs::remove_file(&path)?;
        }
    }
    // runc stays the installed one: Debian 13's needs another C library
    for program in PROGRAMS {
        let name = Path::new(program).file_name().context("a program has a name")?;
        let link = folder.join("bin").join(name);
        let _ = fs::remove_file(&link);
        symlink(folder.join("root/usr").join(program), link)?;
    }
    let plugins = folder.join("root/usr/libexec/docker/cli-plugins");
    // last, because it says that all is there
    fs::write(done, serde_json::json!({ "cliPluginsExtraDirs": [plugins] }).to_string())?;
    Ok(folder.to_owned())
}
