//! Debian 13, slim: the required packages and apt, configured.

use super::{Entry, Recipe, Setup, Start};

pub(super) const RECIPE: Recipe = Recipe {
    name: "debian",
    summary: "Debian 13 with apt, without documentation and translations",
    version_of: "base-files",
    tag_numbers: &[1],
    tags: &["trixie-slim"],
    parent: None,
    setup: Setup::Configured,
    packages: &["apt", "netbase"],
    npm: &[],
    omitted: &[],
    dropped: &[],
    finish: "",
    users: &[],
    entries: &[
        // apt would keep every .deb and two binary caches of its index, about 95 MB in each layer that installs something
        Entry::File("etc/apt/apt.conf.d/docker-clean", 0o644, include_str!("files/docker-clean")),
        Entry::File("etc/apt/apt.conf.d/docker-no-languages", 0o644, "Acquire::Languages \"none\";\n"),
        Entry::File("etc/apt/apt.conf.d/docker-gzip-indexes", 0o644, "Acquire::GzipIndexes \"true\";\n"),
        // A layer is thrown away when its step fails, so dpkg need not wait for the disk
        Entry::File("etc/dpkg/dpkg.cfg.d/docker-apt-speedup", 0o644, "force-unsafe-io\n"),
        // No service starts while packages are configured
        Entry::File("usr/sbin/policy-rc.d", 0o755, "#!/bin/sh\nexit 101\n"),
    ],
    applets: &[],
    start: Start { command: &["bash"], ..Start::PLAIN },
};
