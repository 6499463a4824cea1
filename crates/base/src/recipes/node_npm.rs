//! Node.js 22 and 24 on the debian base, as `node:24-trixie-slim` has them: Debian has Node.js 20 only, so the programs are those
//! of the npm registry. Paths, user, environment and entry point are those of the official image.

use super::{Entry, NpmPackage, Recipe, Setup, Start, User};

const NODE: &[(&str, &str)] = &[
    ("bin/node", "usr/local/bin/node"),
    ("include/node/", "usr/local/include/node/"),
    ("LICENSE", "usr/local/LICENSE"),
];
const NPM: &[(&str, &str)] = &[("", "usr/local/lib/node_modules/npm/")];
const COREPACK: &[(&str, &str)] = &[("", "usr/local/lib/node_modules/corepack/")];
const YARN: &[(&str, &str)] = &[("", "opt/yarn/")];

/// All that the two have in common; the packages are those of 24.
pub(super) const NODE_24: Recipe = Recipe {
    name: "node-24",
    summary: "Node.js 24 with npm, yarn and corepack on Debian 13",
    version_of: "node-linux-{architecture}",
    tag_numbers: &[1, 3],
    tags: &[],
    parent: Some("debian"),
    setup: Setup::Configured,
    // The program has OpenSSL and ICU inside; the certificates are for what else builds call, such as git and curl.
    packages: &["ca-certificates", "libgcc-s1", "libstdc++6"],
    npm: &[
        NpmPackage { name: "node-linux-{architecture}", major: 24, places: NODE, stripped: &[] },
        NpmPackage { name: "npm", major: 11, places: NPM, stripped: &[] },
        NpmPackage { name: "corepack", major: 0, places: COREPACK, stripped: &[] },
        NpmPackage { name: "yarn", major: 1, places: YARN, stripped: &[] },
    ],
    omitted: &[],
    dropped: &[
        // Headers for native modules, for the two machines that there are images for (3 MB each, 20 machines)
        "usr/local/include/node/openssl/archs/*",
        "!usr/local/include/node/openssl/archs/linux-aarch64/*",
        "!usr/local/include/node/openssl/archs/linux-x86_64/*",
        "usr/local/lib/node_modules/npm/docs/*",
        "usr/local/lib/node_modules/npm/man/*",
    ],
    finish: "",
    users: &[User { name: "node", id: 1000, home: "/home/node", shell: "/bin/bash" }],
    entries: &[
        Entry::Directory("home/node", 1000, 0o755),
        Entry::Link("usr/local/bin/nodejs", "node"),
        Entry::Link("usr/local/bin/npm", "../lib/node_modules/npm/bin/npm-cli.js"),
        Entry::Link("usr/local/bin/npx", "../lib/node_modules/npm/bin/npx-cli.js"),
        Entry::Link("usr/local/bin/corepack", "../lib/node_modules/corepack/dist/corepack.js"),
        Entry::Link("usr/local/bin/yarn", "/opt/yarn/bin/yarn.js"),
        Entry::Link("usr/local/bin/yarnpkg", "/opt/yarn/bin/yarn.js"),
        Entry::File("usr/local/bin/docker-entrypoint.sh", 0o755, include_str!("files/node-entrypoint.sh")),
    ],
    applets: &[],
    start: Start {
        env: &[
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("NODE_VERSION", "{version}"),
        ],
        entrypoint: &["docker-entrypoint.sh"],
        command: &["node"],
        ..Start::PLAIN
    },
};

/// The same with Node.js 22, which comes with npm 10.
pub(super) const NODE_22: Recipe = Recipe {
    name: "node-22",
    summary: "Node.js 22 with npm, yarn and corepack on Debian 13",
    npm: &[
        NpmPackage { name: "node-linux-{architecture}", major: 22, places: NODE, stripped: &[] },
        NpmPackage { name: "npm", major: 10, places: NPM, stripped: &[] },
        NpmPackage { name: "corepack", major: 0, places: COREPACK, stripped: &[] },
        NpmPackage { name: "yarn", major: 1, places: YARN, stripped: &[] },
    ],
    ..NODE_24
};
