//! Node.js 22 and 24 without a shell: the program of the npm registry on the distroless base. Path and entry point are those of
//! `gcr.io/distroless/nodejs24-debian13`.

use super::{NpmPackage, Recipe, Setup, Start};

const PLACES: &[(&str, &str)] = &[("bin/node", "nodejs/bin/node"), ("LICENSE", "nodejs/LICENSE")];

const STRIPPED: &[&str] = &["nodejs/bin/node"];

/// All that the two have in common.
pub(super) const NODE_24: Recipe = Recipe {
    name: "distroless-node-24",
    summary: "Node.js 24; no shell, no package manager",
    version_of: "node-linux-{architecture}",
    tag_numbers: &[1, 3],
    tags: &[],
    parent: Some("distroless"),
    setup: Setup::Unpacked,
    packages: &[],
    npm: &[NpmPackage { name: "node-linux-{architecture}", major: 24, places: PLACES, stripped: STRIPPED }],
    omitted: &[],
    dropped: &[],
    finish: "",
    users: &[],
    entries: &[],
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

/// The same with Node.js 22.
pub(super) const NODE_22: Recipe = Recipe {
    name: "distroless-node-22",
    summary: "Node.js 22; no shell, no package manager",
    npm: &[NpmPackage { name: "node-linux-{architecture}", major: 22, places: PLACES, stripped: STRIPPED }],
    ..NODE_24
};
