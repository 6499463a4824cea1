//! RabbitMQ with its management and metrics on the debian base, with the environment contract of the official image.

use super::{Entry, Omitted, Recipe, Setup, Start, User};

pub(super) const RECIPE: Recipe = Recipe {
    name: "rabbitmq",
    summary: "RabbitMQ 4.0 with management and metrics as uid 999, data in /var/lib/rabbitmq",
    version_of: "rabbitmq-server",
    tag_numbers: &[2, 3],
    tags: &["management"],
    parent: Some("debian"),
    setup: Setup::Unpacked,
    packages: &["rabbitmq-server"],
    npm: &[],
    omitted: &[
        Omitted { package: "adduser", reason: "its scripts make the user; the recipe has it" },
        Omitted { package: "openssl", reason: "the entry point makes the cookie without it" },
        Omitted {
            package: "python3",
            reason: "only rabbitmqadmin uses it, which speaks to the management over HTTP",
        },
        Omitted { package: "socat", reason: "only the package's service files call it" },
    ],
    dropped: &[
        "etc/default/*",
        "etc/init.d/*",
        "etc/logrotate.d/*",
        "usr/bin/rabbitmqadmin",
        "usr/lib/erlang/lib/*/examples/*",
        "usr/lib/erlang/lib/*/include/*",
        "usr/lib/erlang/lib/*/src/*",
        "usr/lib/ocf/*",
        "usr/lib/systemd/*",
        "usr/sbin/rabbitmq*",
        "usr/share/rabbitmq/*",
    ],
    finish: "",
    users: &[User { name: "rabbitmq", id: 999, home: "/var/lib/rabbitmq", shell: "/bin/bash" }],
    entries: &[
        Entry::Directory("etc/rabbitmq", 999, 0o755),
        Entry::Directory("etc/rabbitmq/conf.d", 999, 0o755),
        Entry::File("etc/rabbitmq/conf.d/10-defaults.conf", 0o644, include_str!("files/rabbitmq.conf")),
        Entry::File("etc/rabbitmq/enabled_plugins", 0o644, "[rabbitmq_management,rabbitmq_prometheus].\n"),
        Entry::Directory("var/lib/rabbitmq", 999, 0o750),
        Entry::Directory("var/lib/rabbitmq/mnesia", 999, 0o750),
        Entry::Directory("var/log/rabbitmq", 999, 0o755),
        Entry::File(
            "usr/local/bin/docker-entrypoint.sh",
            0o755,
            include_str!("files/rabbitmq-entrypoint.sh"),
        ),
    ],
    applets: &[],
    start: Start {
        env: &[
            // The programs themselves, without the wrappers that want to be root
            ("PATH", "/usr/lib/rabbitmq/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOME", "/var/lib/rabbitmq"),
            ("LANG", "C.UTF-8"),
            ("RABBITMQ_DATA_DIR", "/var/lib/rabbitmq"),
            ("RABBITMQ_LOGS", "-"),
            ("RABBITMQ_VERSION", "{version}"),
        ],
        entrypoint: &["docker-entrypoint.sh"],
        command: &["rabbitmq-server"],
        user: "999:999",
        ports: &["4369/tcp", "5671/tcp", "5672/tcp", "15672/tcp", "15692/tcp", "25672/tcp"],
        volumes: &["/var/lib/rabbitmq"],
        ..Start::PLAIN
    },
};
