//! Python without a shell and without pip: the image that production runs in. Path and entry point are those of
//! `gcr.io/distroless/python3-debian12`.

use super::{Entry, NO_TOOLS, Omitted, Recipe, Setup, Start};

pub(super) const RECIPE: Recipe = Recipe {
    name: "distroless-python",
    summary: "Python 3.13; no shell, no package manager",
    version_of: "python3",
    tag_numbers: &[2, 3],
    tags: &[],
    parent: Some("distroless"),
    setup: Setup::Unpacked,
    packages: &["python3"],
    npm: &[],
    omitted: &[
        NO_TOOLS[0],
        NO_TOOLS[1],
        NO_TOOLS[2],
        NO_TOOLS[3],
        Omitted { package: "dpkg", reason: "only the scripts of python3-minimal call it" },
        Omitted { package: "readline-common", reason: "settings of an interactive terminal" },
    ],
    dropped: &[
        "etc/python3*/*",
        "usr/bin/pdb*",
        "usr/bin/py3*",
        "usr/bin/pydoc*",
        "usr/bin/pygettext*",
        "usr/lib/python3*/EXTERNALLY-MANAGED",
        "usr/lib/python3*/ensurepip/*",
        "usr/lib/python3*/idlelib/*",
        "usr/lib/python3*/lib2to3/*",
        "usr/lib/python3*/pydoc_data/*",
        "usr/lib/python3*/turtle*",
        "usr/lib/valgrind/*",
        "usr/share/applications/*",
        "usr/share/binfmts/*",
        "usr/share/pixmaps/*",
        "usr/share/python3/*",
    ],
    finish: "",
    users: &[],
    entries: &[
        // Environments and packages that were installed in the python base work where they are copied to.
        Entry::Link("usr/local/bin/python", "/usr/bin/python3"),
        Entry::Link("usr/local/bin/python3", "/usr/bin/python3"),
        Entry::Link("usr/local/bin/python{minor}", "/usr/bin/python{minor}"),
        Entry::Link("usr/bin/python", "python3"),
        Entry::Directory("usr/local/lib/python{minor}/site-packages", 0, 0o755),
        Entry::Link("usr/local/lib/python{minor}/dist-packages", "site-packages"),
    ],
    applets: &[],
    start: Start {
        env: &[
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("LANG", "C.UTF-8"),
            ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"),
            ("PYTHON_VERSION", "{version}"),
        ],
        entrypoint: &["/usr/bin/python3"],
        user: "65532:65532",
        directory: "/home/nonroot",
        ..Start::PLAIN
    },
};
