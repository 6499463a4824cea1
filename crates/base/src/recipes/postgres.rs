//! PostgreSQL 17 on the debian base (so that extensions can be added with apt), without the compiler for expressions.

use super::{Entry, Omitted, Recipe, Setup, Start, User};

pub(super) const RECIPE: Recipe = Recipe {
    name: "postgres",
    summary: "PostgreSQL 17 as uid 999, data in /var/lib/postgresql/data",
    version_of: "postgresql-17",
    tag_numbers: &[1, 2],
    tags: &[],
    parent: Some("debian"),
    setup: Setup::Unpacked,
    packages: &["postgresql-17", "postgresql-client-17"],
    npm: &[],
    omitted: &[
        Omitted {
            package: "libllvm19",
            reason: "130 MB for just-in-time compilation, which PostgreSQL does without",
        },
        Omitted { package: "locales", reason: "C.UTF-8 is in libc, other collations are in ICU" },
        Omitted {
            package: "postgresql-client-common",
            reason: "its wrappers choose among versions; there is one",
        },
        Omitted { package: "postgresql-common", reason: "its scripts manage clusters; the entry point does" },
        Omitted { package: "ssl-cert", reason: "would make a private key and put it into the image" },
    ],
    dropped: &[
        "usr/lib/postgresql/17/lib/bitcode/*",
        "usr/lib/postgresql/17/lib/llvmjit*",
        "usr/share/postgresql/17/man/*",
        "usr/lib/systemd/*",
        "etc/init.d/*",
    ],
    finish: "",
    users: &[User { name: "postgres", id: 999, home: "/var/lib/postgresql", shell: "/bin/bash" }],
    entries: &[
        Entry::Directory("docker-entrypoint-initdb.d", 0, 0o755),
        Entry::Directory("var/lib/postgresql", 999, 0o755),
        Entry::Directory("var/lib/postgresql/data", 999, 0o700),
        // Sticky and open, so that a tmpfs that copies these attributes works for any uid
        Entry::Directory("run/postgresql", 999, 0o3777),
        Entry::File(
            "usr/local/bin/docker-entrypoint.sh",
            0o755,
            include_str!("files/postgres-entrypoint.sh"),
        ),
    ],
    applets: &[],
    start: Start {
        env: &[
            (
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ),
            ("LANG", "C.UTF-8"),
            ("PG_MAJOR", "17"),
            ("PG_VERSION", "{version}"),
            ("PGDATA", "/var/lib/postgresql/data"),
        ],
        entrypoint: &["docker-entrypoint.sh"],
        command: &["postgres"],
        user: "999:999",
        ports: &["5432/tcp"],
        volumes: &["/var/lib/postgresql/data"],
        stop_signal: "SIGINT",
        ..Start::PLAIN
    },
};
