//! Python and pip on the debian base, as `python:3.13-slim-trixie` has them.
//!
//! The official image has its own build in `/usr/local`; here that is an environment on Debian's Python. So everything is where a Dockerfile
//! for the official image looks for it (`/usr/local/bin/python`, `/usr/local/lib/python3.13/site-packages`), `pip install` as root is not
//! refused, `pip install --upgrade pip` and `--prefix` do what they do there, and Debian's own Python packages stay untouched.

use super::{Entry, Omitted, Recipe, Setup, Start};

pub(super) const RECIPE: Recipe = Recipe {
    name: "python",
    summary: "Python 3.13 with pip on Debian 13",
    version_of: "python3",
    tag_numbers: &[2, 3],
    tags: &[],
    parent: Some("debian"),
    setup: Setup::Configured,
    packages: &["ca-certificates", "libpython3-dev", "netbase", "python3", "python3-venv", "tzdata"],
    npm: &[],
    // Of libpython3-dev the headers count, with which pip builds what has no wheel.
    omitted: &[
        Omitted { package: "libexpat1-dev", reason: "only programs that Python is embedded in use it" },
        Omitted { package: "zlib1g-dev", reason: "only programs that Python is embedded in use it" },
        Omitted { package: "libpython3.11", reason: "only programs that Python is embedded in use it" },
        Omitted { package: "libpython3.13", reason: "only programs that Python is embedded in use it" },
    ],
    dropped: &[
        // It tells pip to install nothing beside Debian's packages, which in an image of one application is the point.
        "usr/lib/python3*/EXTERNALLY-MANAGED",
        // For programs that Python is embedded in; 20 MB
        "usr/lib/*/libpython3*",
        "usr/lib/python3*/config-*/*.a",
        "usr/lib/python3*/config-*/*.so",
        "usr/share/applications/*",
        "usr/share/pixmaps/*",
    ],
    finish: include_str!("files/python-finish.sh"),
    users: &[],
    entries: &[
        // Who finds /usr/bin/python3 first, such as `uv pip install --system`, installs into the same folder.
        Entry::Link("usr/local/lib/python{minor}/dist-packages", "site-packages"),
    ],
    applets: &[],
    start: Start {
        env: &[
            ("PATH", "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("LANG", "C.UTF-8"),
            ("PYTHON_VERSION", "{version}"),
        ],
        command: &["python3"],
        ..Start::PLAIN
    },
};
