//! Node.js 20 without a shell: the image that production runs in. Path and entry point are those of
//! `gcr.io/distroless/nodejs20-debian12`.

use super::{Entry, NO_TOOLS, Omitted, Recipe, Setup, Start};

pub(super) const RECIPE: Recipe = Recipe {
    name: "distroless-node",
    summary: "Node.js 20; no shell, no package manager",
    version_of: "nodejs",
    tag_numbers: &[1, 3],
    tags: &[],
    parent: Some("distroless"),
    setup: Setup::Unpacked,
    packages: &["nodejs"],
    npm: &[],
    omitted: &[
        NO_TOOLS[0],
        NO_TOOLS[1],
        NO_TOOLS[2],
        NO_TOOLS[3],
        Omitted {
            package: "node-corepack",
            reason: "installs package managers, which a run-time image has no use for",
        },
    ],
    dropped: &[
        "usr/include/*",
        "usr/share/nodejs/@types/*",
        "usr/share/nodejs/*.d.ts",
        "usr/share/nodejs/*.map",
    ],
    finish: "",
    users: &[],
    entries: &[Entry::Directory("nodejs/bin", 0, 0o755), Entry::Link("nodejs/bin/node", "/usr/bin/node")],
    applets: &[],
    start: Start {
        env: &[
            ("PATH", "/nodejs/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"),
            ("NODE_VERSION", "{version}"),
        ],
        entrypoint: &["/nodejs/bin/node"],
        user: "65532:65532",
        directory: "/home/nonroot",
        ..Start::PLAIN
    },
};
