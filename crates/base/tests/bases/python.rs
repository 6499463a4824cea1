//! The bases of Python in an engine.

use crate::engine::{AUTHORITIES, Volume, image, network, once};
use crate::{Test, home};

pub(crate) const TESTS: &[Test] = &[
    ("python: programs and packages are where the official image has them", python),
    ("python: the headers that extensions are compiled against are there", python_headers),
    ("python: pip installs for root, with a prefix and into environments", python_installs),
    ("distroless-python: runs what the python base installed, has no shell", distroless_python),
];

const PYTHONS: [(&str, &str); 2] = [("@bookworm", "3.11"), ("", "3.13")];

fn python() {
    for (suite, minor) in PYTHONS {
        let base = format!("python{suite}");
        let script = "import sys, sysconfig, ssl, sqlite3, ctypes, lzma, bz2, readline, zoneinfo, decimal; \
            print(sys.executable, sys.prefix, sysconfig.get_path('purelib'), sysconfig.get_path('scripts')); \
            print(len(ssl.create_default_context().get_ca_certs()) > 100, zoneinfo.ZoneInfo('Europe/Oslo'))";
        let (done, text) = once(&base, &[], &["python", "-c", script]);
        let expected = format!(
            "/usr/local/bin/python /usr/local /usr/local/lib/python{minor}/site-packages /usr/local/bin\nTrue Europe/Oslo\n"
        );
        assert_eq!((done, text), (true, expected));
        let version = &home().base(&base).record.version;
        assert!(version.starts_with(&format!("{minor}.")), "{version}");
        let script = "for name in python python3 python$0; do $name --version; done; pip --version; pip3 --version; \
            test \"Python $PYTHON_VERSION\" = \"$(python --version)\"; ! command -v gcc; command -v pip; command -v python3";
        let (done, text) = once(&base, &[], &["sh", "-euc", script, minor]);
        assert!(done && text.matches(&format!("Python {version}")).count() == 3, "{text}");
        assert_eq!(
            text.matches(&format!("from /usr/local/lib/python{minor}/site-packages/pip (python {minor})"))
                .count(),
            2,
            "{text}"
        );
        assert!(text.ends_with("/usr/local/bin/pip\n/usr/local/bin/python3\n"), "{text}");
    }
}

/// A package without a wheel is compiled against the headers, also from an environment.
fn python_headers() {
    for (suite, minor) in PYTHONS {
        let script = "import os, sysconfig; paths = sysconfig.get_paths(); \
            print([os.path.exists(os.path.join(paths[key], name)) for key, name in \
            (('include', 'Python.h'), ('platinclude', 'pyconfig.h'))], sysconfig.get_config_var('EXT_SUFFIX'))";
        let (done, text) = once(&format!("python{suite}"), &[], &["python", "-c", script]);
        let suffix = format!("cpython-{}-", minor.replace('.', ""));
        assert!(done && text.starts_with("[True, True]") && text.contains(&suffix), "{text}");
    }
}

/// What teams' Dockerfiles do with the official image; the last line puts two environments where another image finds them.
const INSTALLS: &str = "
    pip install -q --no-cache-dir itsdangerous==2.2.0
    test -d /usr/local/lib/python$0/site-packages/itsdangerous
    python -c 'import itsdangerous'
    /usr/bin/python3 -c 'import itsdangerous'
    pip install -q --prefix=/install click==8.1.8
    test -d /install/lib/python$0/site-packages/click
    pip install -q --target=/target click==8.1.8 && test -d /target/click
    pip install -q --upgrade pip
    pip --version
    python -m venv /tmp/venv && /tmp/venv/bin/pip install -q gunicorn==23.0.0 && /tmp/venv/bin/gunicorn --version
    python -m venv /app/.venv && /app/.venv/bin/pip install -q itsdangerous==2.2.0
    cp -a /usr/local/lib/python$0/site-packages/itsdangerous /app/";

fn python_installs() {
    let mount = format!("{AUTHORITIES}:/ca.pem:ro");
    for (suite, minor) in PYTHONS {
        let volume = Volume::new();
        let app = format!("{}:/app", volume.0);
        let options =
            ["-v", &mount, "-v", &app, "-e", "PIP_CERT=/ca.pem", "-e", "PIP_DISABLE_PIP_VERSION_CHECK=1"];
        let built = image(&format!("python{suite}"));
        let Some((done, text)) = network(&options, &built, &["sh", "-euc", INSTALLS, minor]) else { return };
        assert!(done && text.contains("gunicorn (version 23.0.0)"), "{text}");
        // An environment and a package run in the image without pip.
        let base = format!("distroless-python{suite}");
        let script = "import itsdangerous, sys; print(itsdangerous.__file__, sys.prefix)";
        let run = |options: &[&str]| once(&base, &[&["-v", &app], options].concat(), &["-c", script]);
        let site =
            format!("/app/.venv/lib/python{minor}/site-packages/itsdangerous/__init__.py /app/.venv\n");
        assert_eq!(run(&["--entrypoint", "/app/.venv/bin/python"]), (true, site));
        let local = format!("{}:/usr/local/lib/python{minor}/site-packages:ro", volume.0);
        let found = format!("/usr/local/lib/python{minor}/dist-packages/itsdangerous/__init__.py /usr\n");
        assert_eq!(once(&base, &["-v", &local], &["-c", script]), (true, found));
    }
}

fn distroless_python() {
    for (suite, minor) in PYTHONS {
        let base = format!("distroless-python{suite}");
        let script = "import os, ssl, sqlite3, ctypes, lzma, zoneinfo, socket, subprocess, sys, urllib.request; \
            print(os.getuid(), sys.executable, zoneinfo.ZoneInfo('Europe/Oslo'), socket.gethostbyname('localhost')); \
            print(len(ssl.create_default_context().get_ca_certs()) > 100, sys.getfilesystemencoding()); \
            print(os.path.exists('/bin/sh'), os.path.exists('/usr/local/bin/python' + sys.argv[1]))";
        let (done, text) = once(&base, &[], &["-c", script, minor]);
        let expected = "65532 /usr/bin/python3 Europe/Oslo 127.0.0.1\nTrue utf-8\nFalse True\n";
        assert_eq!((done, text.as_str()), (true, expected));
        assert!(!once(&base, &[], &["-m", "pip", "--version"]).0, "it has no pip");
        let (done, text) = once(&base, &["--entrypoint", "/bin/sh"], &["-c", "true"]);
        assert!(!done && text.contains("no such file"), "{text}");
    }
}
