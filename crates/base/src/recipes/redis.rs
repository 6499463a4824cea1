//! Redis 8.0 without a distribution around it; busybox gives health checks a shell.

use super::{APPLETS, Entry, NO_TOOLS, Omitted, Recipe, Setup, Start, User};

pub(super) const RECIPE: Recipe = Recipe {
    name: "redis",
    summary: "Redis as uid 999, data in /data",
    version_of: "redis-server",
    tag_numbers: &[1, 2, 3],
    tags: &[],
    parent: Some("distroless"),
    setup: Setup::Unpacked,
    packages: &["busybox", "redis-server", "redis-tools"],
    npm: &[],
    omitted: &[
        NO_TOOLS[0],
        NO_TOOLS[1],
        NO_TOOLS[2],
        NO_TOOLS[3],
        Omitted { package: "adduser", reason: "its scripts make the user; the recipe has it" },
        Omitted { package: "init-system-helpers", reason: "there is no init system" },
    ],
    dropped: &[
        "etc/default/*",
        "etc/init.d/*",
        "etc/logrotate.d/*",
        "etc/network/*",
        "etc/redis/*",
        "usr/lib/systemd/*",
        "usr/share/bash-completion/*",
        "usr/bin/redis-benchmark",
        "var/lib/redis",
        "var/log/redis",
    ],
    finish: "",
    users: &[User { name: "redis", id: 999, home: "/data", shell: "/bin/sh" }],
    entries: &[
        Entry::Directory("data", 999, 0o755),
        Entry::File("docker-entrypoint.sh", 0o755, include_str!("files/redis-entrypoint.sh")),
    ],
    applets: APPLETS,
    start: Start {
        env: &[
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("REDIS_VERSION", "{version}"),
        ],
        entrypoint: &["/docker-entrypoint.sh"],
        command: &["redis-server"],
        user: "999:999",
        directory: "/data",
        ports: &["6379/tcp"],
        volumes: &["/data"],
        ..Start::PLAIN
    },
};
