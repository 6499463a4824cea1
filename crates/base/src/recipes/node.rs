//! Node.js 20 and npm from Debian on the debian base: the image that builds run in.

use super::{Entry, Omitted, Recipe, Setup, Start, User};

pub(super) const RECIPE: Recipe = Recipe {
    name: "node",
    summary: "Node.js 20 with npm on Debian 13",
    version_of: "nodejs",
    tag_numbers: &[1, 3],
    tags: &[],
    parent: Some("debian"),
    setup: Setup::Configured,
    packages: &["nodejs", "npm", "ca-certificates"],
    npm: &[],
    omitted: &[
        Omitted {
            package: "gyp",
            reason: "compiling native modules needs a compiler too; install both then",
        },
        Omitted { package: "libnode-dev", reason: "headers for native modules" },
        Omitted { package: "libjs-util", reason: "a copy for browsers, which brings test frameworks" },
        Omitted {
            package: "webpack",
            reason: "a loader in one of npm's packages is made for it; npm does not load that",
        },
        Omitted { package: "node-fetch", reason: "8 MB that only node-gyp uses, to download headers" },
        Omitted { package: "python3", reason: "only node-gyp uses it" },
    ],
    dropped: &["usr/include/*", "usr/share/nodejs/@types/*"],
    finish: "",
    users: &[User { name: "node", id: 1000, home: "/home/node", shell: "/bin/bash" }],
    entries: &[Entry::Directory("home/node", 1000, 0o755)],
    applets: &[],
    start: Start {
        env: &[
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("NODE_VERSION", "{version}"),
        ],
        command: &["node"],
        ..Start::PLAIN
    },
};
