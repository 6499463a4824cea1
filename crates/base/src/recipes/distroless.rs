//! What a dynamically linked program needs, and nothing to log in with: no shell, no package manager.

use super::{CERTIFICATES_ONLY, Entry, Recipe, Setup, Start, User};

pub(super) const PLAIN_USERS: &[User] =
    &[User { name: "nonroot", id: 65532, home: "/home/nonroot", shell: "/sbin/nologin" }];

pub(super) const RECIPE: Recipe = Recipe {
    name: "distroless",
    summary: "libc, libstdc++, certificates and time zones; no shell, no package manager",
    version_of: "base-files",
    tag_numbers: &[1],
    tags: &["nonroot"],
    parent: None,
    setup: Setup::Unpacked,
    packages: &["base-files", "ca-certificates", "libc6", "libgcc-s1", "libstdc++6", "netbase", "tzdata"],
    npm: &[],
    omitted: super::NO_TOOLS,
    dropped: &[
        CERTIFICATES_ONLY,
        "etc/init.d/*",
        "usr/share/base-files/*",
        "usr/share/gcc/*",
        "usr/share/gdb/*",
    ],
    finish: "",
    users: PLAIN_USERS,
    entries: &[Entry::Directory("home/nonroot", 65532, 0o700)],
    applets: &[],
    start: Start {
        env: &[
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"),
        ],
        user: "65532:65532",
        directory: "/home/nonroot",
        ..Start::PLAIN
    },
};
