//! What a bench needs of the machine. It is asked for before anything is prepared: an hour of measuring must not end
//! because a program is missing.

use std::{env, fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use anyhow::{Result, bail};

/// A program, and Debian's package that holds it.
pub(crate) type Need = (&'static str, &'static str);

pub(crate) const ENGINE: &[Need] =
    &[("dockerd", "docker.io"), ("docker", "docker.io"), ("iptables", "iptables"), ("ip", "iproute2")];
pub(crate) const REGISTRY: Need = ("docker-registry", "docker-registry");
pub(crate) const NPM: Need = ("npm", "npm");

/// Fails, with every missing program and the packages to install, unless all are there.
pub(crate) fn ensure(needs: impl IntoIterator<Item = Need>) -> Result<()> {
    let missing: Vec<Need> = needs.into_iter().filter(|(program, _)| !is_installed(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let programs: Vec<&str> = missing.iter().map(|(program, _)| *program).collect();
    let mut packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    packages.sort_unstable();
    packages.dedup();
    bail!("not installed: {}; apt-get install {}", programs.join(", "), packages.join(" "))
}

/// Whether a program of this name can be started. Daemons lie in `sbin`, which not every PATH has.
fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).any(|file| {
        fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_program_is_named_at_once() {
        let there = ("sh", "dash");
        assert!(ensure([there]).is_ok());
        let error = ensure([("no-such-program-1", "one"), there, ("no-such-program-2", "two")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "not installed: no-such-program-1, no-such-program-2; apt-get install one two"
        );
    }
}
