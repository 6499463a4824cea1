//! What bases are, seen in the store.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use plimsoll_base::{BaseError, Bases, Custom, Made, Mirror, Origin, Suite};
use plimsoll_image::Store;
use plimsoll_source::Explain as _;

use crate::{Home, Test, home};

pub(crate) const TESTS: &[Test] = &[
    ("two stores, two times: the same image to the byte", reproducible),
    ("a base that is there takes no network and few milliseconds", cached),
    ("an image that was removed is made again", removed),
    ("two makers at once: one makes it, the other waits", at_once),
    ("without a mirror the error says what to do", no_mirror),
    ("distroless bases have no shell and no package manager", no_shell),
    ("sizes keep to the budgets", sizes),
    ("the layers below are shared", shared),
    ("nothing tells when or where a base was made", no_traces),
    ("the list of packages is spdx 2.3", sbom),
    ("debian 12 beside debian 13, by other names", bookworm),
    ("a base of one's own is remembered and updated", custom),
];

fn reproducible() {
    let first = home();
    let second = Home::new(Some(&first.cache()));
    for made in second.all() {
        let name = &made.record.name;
        assert_eq!(made.image.layers, first.base(name).image.layers, "{name}: content");
        assert_eq!(made.image.config, first.base(name).image.config, "{name}: configuration");
        assert_eq!(made.image.id, first.base(name).image.id, "{name}");
        println!("  {name:<16} {} {:>6.1} MB", made.image.id.short(), made.image.bytes as f64 / 1e6);
    }
}

fn cached() {
    let home = home();
    let bases = Bases::new(&home.store, home.cache(), None);
    for made in home.all() {
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            let again = bases.make(&made.record.name, &|_| ()).unwrap();
            best = best.min(start.elapsed());
            assert!(again.cached);
            assert_eq!(again.image.id, made.image.id);
        }
        assert!(best < Duration::from_millis(20), "{}: {best:?}", made.record.name);
    }
}

fn removed() {
    let home = Home::new(Some(&home().cache()));
    let base = home.base("distroless");
    home.store.remove_image(&base.image.id).unwrap();
    let mirror = plimsoll_base::Mirror::find(None).unwrap();
    let again = Bases::new(&home.store, home.cache(), Some(mirror)).make("distroless", &|_| ()).unwrap();
    assert!(!again.cached);
    assert_eq!(again.image.id, base.image.id);
}

fn at_once() {
    let first = home();
    let home = Home::new(Some(&first.cache()));
    let mirror = plimsoll_base::Mirror::find(None).unwrap();
    let make = || {
        // Each with a value of its own, as two processes have.
        let bases = Bases::new(&home.store, home.cache(), Some(mirror.clone()));
        bases.make("redis", &|_| ()).unwrap()
    };
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(make);
        (make(), other.join().unwrap())
    });
    assert!(one.cached != other.cached, "exactly one made it");
    for made in [one, other] {
        assert_eq!(made.image.id, first.base("redis").image.id);
    }
}

fn no_mirror() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store")).unwrap();
    let bases = Bases::new(&store, dir.path().join("base"), None);
    let error = bases.make("debian", &|_| ()).unwrap_err();
    assert!(matches!(error, BaseError::NoMirror), "{error}");
    assert!(error.hint().unwrap().contains("PLIMSOLL_DEBIAN_MIRROR"));
    assert!(matches!(bases.make("debain", &|_| ()), Err(BaseError::UnknownBase { .. })));
    assert!(matches!(bases.sbom("debian"), Err(BaseError::NotMade { .. })));
}

/// All paths of a base, relative to the root.
fn paths(made: &Made) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for id in &made.image.layers {
        let root = home().store.require_layer(id).unwrap().path;
        let mut open = vec![root.clone()];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    open.push(entry.path());
                }
                found.insert(entry.path().strip_prefix(&root).unwrap().to_path_buf());
            }
        }
    }
    found
}

fn no_shell() {
    for name in [
        "distroless",
        "distroless-node",
        "distroless-node-22",
        "distroless-node-24",
        "distroless-python",
        "distroless-python@bookworm",
    ] {
        let paths = paths(home().base(name));
        for program in
            ["sh", "bash", "dash", "busybox", "apt", "apt-get", "dpkg", "perl", "su", "openssl", "npm"]
        {
            for directory in ["usr/bin", "usr/sbin", "bin", "sbin"] {
                assert!(
                    !paths.contains(&PathBuf::from(directory).join(program)),
                    "{name} has {directory}/{program}"
                );
            }
        }
        assert!(
            paths.contains(&PathBuf::from("etc/ssl/certs/ca-certificates.crt")),
            "{name} has certificates"
        );
        assert!(
            paths.contains(&PathBuf::from("var/lib/dpkg/status.d/libc6")),
            "scanners see {name}'s packages"
        );
    }
}

fn sizes() {
    for (name, megabytes) in [
        ("distroless-node", 125),
        ("nginx", 16),
        ("redis", 30),
        ("debian", 80),
        ("postgres", 150),
        ("mariadb", 180),
        ("rabbitmq", 140),
        ("python", 120),
        ("distroless-python", 50),
        ("distroless-node-22", 125),
        ("distroless-node-24", 125),
        ("node-22", 240),
        ("node-24", 240),
    ] {
        let bytes = home().base(name).image.bytes;
        assert!(bytes <= megabytes * 1_000_000, "{name} has {bytes} bytes");
    }
}

fn shared() {
    let layers = |name: &str| home().base(name).image.layers.clone();
    for (above, below) in [
        ("node", "debian"),
        ("node-24", "debian"),
        ("postgres", "debian"),
        ("mariadb", "debian"),
        ("rabbitmq", "debian"),
        ("python", "debian"),
        ("distroless-node", "distroless"),
        ("distroless-node-22", "distroless"),
        ("redis", "distroless"),
    ] {
        assert_eq!(layers(above)[..1], layers(below)[..], "{above} on {below}");
        assert_eq!(layers(above).len(), 2);
    }
}

fn no_traces() {
    for name in ["debian", "node", "node-24", "postgres"] {
        let paths = paths(home().base(name));
        for path in
            ["etc/machine-id", "var/cache/ldconfig/aux-cache", "var/lib/dpkg/status-old", "etc/passwd-"]
        {
            assert!(!paths.contains(&PathBuf::from(path)), "{name} has {path}");
        }
        assert!(
            !paths
                .iter()
                .any(|path| path.starts_with("var/lib/apt/lists")
                    && path.to_string_lossy().contains("Packages"))
        );
        assert!(!paths.iter().any(|path| path.starts_with("usr/share/man/man1")), "{name} has manual pages");
        assert!(paths.contains(&PathBuf::from("usr/share/doc/bash/copyright")));
    }
    for made in home().all() {
        for id in &made.image.layers {
            let root = home().store.require_layer(id).unwrap();
            assert!(root.epoch.is_some_and(|epoch| epoch <= made.record.epoch));
            let shadow = root.path.join("etc/shadow");
            if let Ok(metadata) = std::fs::metadata(&shadow) {
                assert_eq!(metadata.mode() & 0o7777, 0o640, "{}", shadow.display());
                assert_eq!(metadata.gid(), 42, "the group `shadow` reads it");
            }
        }
    }
}

fn sbom() {
    let home = home();
    let bases = Bases::new(&home.store, home.cache(), None);
    for made in home.all() {
        let sbom = bases.sbom(&made.record.name).unwrap();
        assert_eq!(sbom["spdxVersion"], "SPDX-2.3");
        let packages = sbom["packages"].as_array().unwrap();
        assert_eq!(packages.len(), made.record.packages.len() + 1);
        let libc = packages.iter().find(|package| package["name"] == "libc6").unwrap();
        let purl = libc["externalRefs"][0]["referenceLocator"].as_str().unwrap();
        assert!(purl.starts_with("pkg:deb/debian/libc6@2.41-12"), "{purl}");
        assert_eq!(libc["checksums"][0]["checksumValue"].as_str().unwrap().len(), 64);
        for npm in made.record.packages.iter().filter(|package| package.origin == Origin::Npm) {
            let listed =
                packages.iter().find(|package| package["downloadLocation"] == npm.path.as_str()).unwrap();
            assert_eq!(
                listed["externalRefs"][0]["referenceLocator"],
                format!("pkg:npm/{}@{}", npm.name, npm.version)
            );
            assert_eq!(listed["checksums"][1]["checksumValue"].as_str().map(str::len), Some(128));
            assert_ne!(listed["licenseDeclared"], "NOASSERTION");
        }
        let ids: BTreeSet<_> = packages.iter().map(|package| package["SPDXID"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), packages.len(), "ids are unique");
        for id in ids {
            let rest = id.strip_prefix("SPDXRef-").unwrap();
            assert!(rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-'), "{id}");
        }
    }
}

fn bookworm() {
    let home = home();
    let bases =
        Bases::new(&home.store, home.cache(), Some(Mirror::find(None).unwrap())).suite(Suite::Bookworm);
    for (name, reference) in
        [("debian", "plimsoll.local/debian:bookworm-slim"), ("distroless", "plimsoll.local/distroless:12")]
    {
        let made = bases.make(name, &|_| ()).unwrap();
        assert!(
            made.record.references.iter().any(|other| other == reference),
            "{:?}",
            made.record.references
        );
        assert_eq!(made.record.suite, "bookworm");
        assert!(
            made.record.packages.iter().all(|package| !package.version.to_string().contains("deb13")),
            "{name}"
        );
        assert_ne!(made.image.id, home.base(name).image.id);
        // the other release's is still what it was
        let other = Bases::new(&home.store, home.cache(), None).make(name, &|_| ()).unwrap();
        assert_eq!((other.cached, other.image.id), (true, home.base(name).image.id));
        assert!(bases.make(name, &|_| ()).unwrap().cached);
    }
    let debian = bases.make("debian", &|_| ()).unwrap();
    let root = home.store.layer(&debian.image.layers[0]).unwrap().unwrap().path;
    assert_eq!(std::fs::read_link(root.join("bin")).unwrap(), PathBuf::from("usr/bin"));
    let release = std::fs::read_to_string(root.join("usr/lib/os-release")).unwrap();
    assert!(release.contains("VERSION_CODENAME=bookworm"), "{release}");
    let wrong = bases.make("postgres", &|_| ()).unwrap_err();
    assert!(wrong.to_string().contains("postgresql-17"), "{wrong}");
}

fn custom() {
    let home = home();
    let mirror = || Some(Mirror::find(None).unwrap());
    let bases = Bases::new(&home.store, home.cache(), mirror());
    let custom = Custom { name: "tools".into(), from: "distroless".into(), packages: vec!["jq".into()] };
    let made = bases.make_custom(&custom, &|_| ()).unwrap();
    assert!(!made.cached && made.record.packages.iter().any(|package| package.name == "libjq1"));
    assert_eq!(
        made.image.layers[0],
        home.base("distroless").image.layers[0],
        "it stands on the other's layer"
    );
    assert!(bases.make_custom(&custom, &|_| ()).unwrap().cached);
    // by its name alone, by another value
    let later = Bases::new(&home.store, home.cache(), mirror());
    assert_eq!(later.make("tools", &|_| ()).unwrap().image.id, made.image.id);
    assert!(later.list().unwrap().iter().any(|row| row.recipe.name == "tools" && row.made.is_some()));
    let sbom = later.sbom("tools").unwrap().to_string();
    assert!(sbom.contains("pkg:deb/debian/jq@"), "{sbom}");
    let again = later.refresh("tools", &|_| ()).unwrap();
    assert_eq!(again.image.id, made.image.id);
    assert_eq!(again.record.changes_since(&made.record), []);
    // made of something else, it is another base of the same name, and the difference is told
    let more = Custom { packages: vec!["jq".into(), "tree".into()], ..custom };
    let other = later.make_custom(&more, &|_| ()).unwrap();
    let changes: Vec<String> =
        other.record.changes_since(&made.record).iter().map(|change| change.package.clone()).collect();
    assert_eq!(changes, ["tree"]);
    assert!(matches!(bases.make("nothing", &|_| ()), Err(BaseError::UnknownBase { .. })));
}
