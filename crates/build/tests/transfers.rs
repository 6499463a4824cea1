//! COPY and ADD without any RUN: what BuildKit does in corners, and what archives cannot do. Needs root.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use plimsoll_build::{
    BuildError, BuildOutcome, BuildRequest, Builder, Epoch, ImageResolver, ResolveError, ResolvedImage,
    Silent,
};
use plimsoll_image::{Reference, Store, manifest::Platform, output::write_rootfs_dir};
use plimsoll_source::Source;
use tar::{EntryType, Header};
use tempfile::TempDir;

struct Nothing;

impl ImageResolver for Nothing {
    fn resolve(&self, name: &Reference, _: &Platform) -> Result<ResolvedImage, ResolveError> {
        Err(ResolveError { message: format!("no image {}", name.familiar()), hint: None })
    }
}

struct Bench {
    dir: TempDir,
    store: Store,
}

impl Bench {
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none(), "these tests need root");
            eprintln!("skipped: owners and devices need root");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("store")).unwrap();
        fs::create_dir(dir.path().join("context")).unwrap();
        Some(Self { dir, store })
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join("context").join(path)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }

    /// Gives a file or folder of the context a time.
    fn touch(&self, path: &str, seconds: u64) {
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        fs::File::open(self.at(path)).unwrap().set_modified(time).unwrap();
    }

    fn run(&self, dockerfile: &str) -> Result<BuildOutcome, BuildError> {
        let builder = Builder::new(&self.store, self.dir.path().join("build")).unwrap();
        let source = Source::new("Dockerfile", dockerfile);
        let mut request = BuildRequest::new(self.dir.path().join("context"), source, None);
        request.epoch = Epoch::Off;
        builder.build(&request, &Nothing, &Silent)
    }

    /// The image and its files.
    fn build(&self, dockerfile: &str) -> (BuildOutcome, PathBuf) {
        let outcome = self.run(dockerfile).unwrap_or_else(|error| panic!("{dockerfile}: {error}"));
        let root = tempfile::tempdir_in(self.dir.path()).unwrap().keep().join("root");
        write_rootfs_dir(&self.store, &outcome.record.layers, &root).unwrap();
        (outcome, root)
    }

    #[track_caller]
    fn fails(&self, dockerfile: &str, why: &str) {
        let error = match self.run(dockerfile) {
            Ok(_) => panic!("{dockerfile}: it was built"),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(why), "{error}\n  expected {why}");
        let drafts = fs::read_dir(self.store.root().join("drafts")).unwrap().count();
        assert_eq!(drafts, 0, "a draft was left behind");
    }
}

fn history(outcome: &BuildOutcome) -> Vec<&str> {
    outcome.record.config.history.iter().filter_map(|entry| entry.created_by.as_deref()).collect()
}

#[test]
fn the_history_reads_as_buildkits() {
    let Some(bench) = Bench::new() else { return };
    bench.write("d/f", "x");
    bench.write("d/g", "y");
    let (outcome, _) = bench.build(
        "FROM scratch\nCOPY --link --exclude=g --chmod=640 --chown=1:2 --parents d /p/\nADD --unpack=false d/f /x\n\
         CMD [\"a\"]\nONBUILD RUN b\nHEALTHCHECK --retries=7 CMD c\n",
    );
    assert_eq!(
        history(&outcome),
        [
            "COPY --parents --chown=1:2 --chmod=640 d /p/ # buildkit",
            "ADD d/f /x # buildkit",
            "CMD [\"a\"]",
            "HEALTHCHECK &{[\"CMD-SHELL\" \"c\"] \"0s\" \"0s\" \"0s\" \"0s\" '\\a'}",
        ]
    );
    assert_eq!(outcome.record.config.config.args_escaped, Some(true));
    assert_eq!(outcome.record.config.config.on_build, ["RUN b"]);
}

#[test]
fn working_directories_are_written_as_buildkit_does() {
    let Some(bench) = Bench::new() else { return };
    bench.write("f", "x");
    let (outcome, root) = bench.build(
        "FROM scratch\nWORKDIR /a//b/../c/./\nWORKDIR d/\nWORKDIR .\nWORKDIR $UNSET\nCOPY f .\nSTOPSIGNAL 99\n",
    );
    assert_eq!(
        history(&outcome),
        [
            "WORKDIR /a//b/../c/./",
            "WORKDIR /a/c/d",
            "WORKDIR /a/c/d",
            "WORKDIR /a/c/d",
            "COPY f . # buildkit",
            "STOPSIGNAL 99",
        ]
    );
    assert_eq!(outcome.record.config.config.working_dir, "/a/c/d");
    assert!(root.join("a/c/d/f").is_file());
    let (outcome, root) = bench.build("FROM scratch\nWORKDIR /q/\nWORKDIR $UNSET\nCOPY f .\n");
    assert_eq!(outcome.record.config.config.working_dir, "/q/");
    assert!(root.join("q/f").is_file());
}

#[test]
fn a_socket_becomes_an_empty_file() {
    let Some(bench) = Bench::new() else { return };
    let _socket = std::os::unix::net::UnixListener::bind(bench.at("socket")).unwrap();
    fs::set_permissions(bench.at("socket"), fs::Permissions::from_mode(0o640)).unwrap();
    let (_, root) = bench.build("FROM scratch\nCOPY . /d/\nCOPY socket /s\n");
    for path in ["d/socket", "s"] {
        let meta = fs::symlink_metadata(root.join(path)).unwrap();
        assert_eq!((meta.is_file(), meta.len(), meta.mode() & 0o777), (true, 0, 0o640), "{path}");
    }
}

#[test]
fn an_empty_destination_is_the_working_directory() {
    let Some(bench) = Bench::new() else { return };
    bench.write("f", "x");
    for flag in ["", "--link "] {
        let (_, root) = bench
            .build(&format!("FROM scratch\nWORKDIR /w/v\nENV empty=\nCOPY {flag}f $empty\nCOPY {flag}f .\n"));
        assert!(root.join("w/v/f").is_file(), "{flag}");
    }
}

#[test]
fn parents_are_kept_below_every_pivot() {
    let Some(bench) = Bench::new() else { return };
    for file in ["b/c/d/foo", "b/c/d/e/bay", "b2/c/d/e/bar", "b/c2/d/e/baz", "b/c2/d/e2/baz"] {
        bench.write(&format!("a/{file}"), file);
    }
    let files = |sources: &str| {
        let (_, root) = bench.build(&format!("FROM scratch\nCOPY --parents {sources} /out/\n"));
        let mut found = Vec::new();
        let mut open = vec![root.join("out")];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    found.push(path.strip_prefix(root.join("out")).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found.join(" ")
    };
    assert_eq!(files("/a/b/./c/d"), "c/d/e/bay c/d/foo");
    assert_eq!(files("a/b/c/d/."), "a/b/c/d/e/bay a/b/c/d/foo");
    assert_eq!(files("/a/./b/./c"), "b/c/d/e/bay b/c/d/foo");
    assert_eq!(files("/a/./*/c"), "b/c/d/e/bay b/c/d/foo b2/c/d/e/bar");
    assert_eq!(files("/a/b*/./c/**/e"), "c/d/e/bar c/d/e/bay");
    assert_eq!(files("/a/b/c*/./d/**/baz /a/b*/./c/**/bar"), "c/d/e/bar d/e/baz d/e2/baz");
    assert_eq!(files("/a/z*/./c /a/b/./c/d/foo"), "c/d/foo", "a wildcard may mean nothing");
    bench.fails("FROM scratch\nCOPY --parents /a/z/./c /out/\n", "not found");
    bench.fails("FROM scratch\nCOPY --parents /a/b/./z /out/\n", "not found");
}

#[test]
fn errors_are_buildkits() {
    let Some(bench) = Bench::new() else { return };
    bench.write("f", "x");
    for target in ["/", "", "../.."] {
        for kind in ["bind", "cache", "tmpfs"] {
            let file = format!("FROM scratch\nRUN --mount=type={kind},target={target} true\n");
            bench.fails(&file, "invalid mount target \"/\"");
        }
    }
    bench.fails(
        "FROM scratch\nCOPY --chmod=10000 f /\n",
        "invalid chmod parameter: '10000'. it should be octal string and between 0 and 07777",
    );
    bench.fails("FROM scratch\nADD --checksum=sha256:0 f /\n", "checksum requires HTTP(S) or Git sources");
}

#[test]
fn several_sources_need_no_slash() {
    let Some(bench) = Bench::new() else { return };
    bench.write("a", "1");
    bench.write("b", "2");
    let (_, root) = bench
        .build("FROM scratch\nWORKDIR /app\nCOPY a b /app\nCOPY a b /one\nCOPY <<x <<y /two\n1\nx\n2\ny\n");
    assert_eq!(fs::read_to_string(root.join("app/a")).unwrap(), "1");
    assert_eq!(fs::read_to_string(root.join("app/b")).unwrap(), "2");
    assert_eq!(fs::read_to_string(root.join("one")).unwrap(), "2", "as in BuildKit, the last one stays");
    assert_eq!(fs::read_to_string(root.join("two")).unwrap(), "2\n");
}

#[test]
fn directories_keep_the_times_that_they_have_in_buildkit() {
    let Some(bench) = Bench::new() else { return };
    bench.write("d/e/f", "x");
    bench.write("g", "y");
    for (path, time) in
        [("d/e/f", 1_100_000_000), ("d/e", 1_200_000_000), ("d", 1_300_000_000), ("g", 1_400_000_000)]
    {
        bench.touch(path, time);
    }
    let (outcome, root) = bench.build(
        "FROM scratch\nCOPY d /x\nCOPY d /y/z\nCOPY g /x/e/g\nCOPY d /here\nCOPY g /here/\nWORKDIR /x/w/v\n",
    );
    let time = |path: &str| fs::metadata(root.join(path)).unwrap().mtime();
    assert_eq!(time("x/e/f"), 1_100_000_000);
    assert_eq!(time("y/z"), 1_300_000_000, "a directory that takes a directory's content takes its time");
    assert!(time("x/e") > 1_500_000_000, "something was written into it");
    assert!(time("here") > 1_500_000_000, "so it was here");
    // what a later layer repeats only to hold something deeper is as it was
    let layer = bench.store.require_layer(&outcome.record.layers[2]).unwrap();
    assert_eq!(fs::metadata(layer.path.join("x")).unwrap().mtime(), 1_300_000_000);
    let (_, root) = bench.build("FROM scratch\nCOPY d /x\nCOPY g /x/e/g\n");
    assert_eq!(fs::metadata(root.join("x")).unwrap().mtime(), 1_300_000_000);
}

fn header(kind: EntryType, name: &str, link: &str, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o640);
    header.set_uid(3);
    header.set_gid(4);
    header.set_mtime(1_000_000_000);
    header.set_size(size);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    header
}

fn member(kind: EntryType, name: &str, link: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = header(kind, name, link, body.len() as u64).as_bytes().to_vec();
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn records(pairs: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (key, value) in pairs {
        let rest = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
        let length = (rest.len() + 1..rest.len() + 9)
            .find(|length| length.to_string().len() + rest.len() == *length)
            .unwrap();
        body.extend([length.to_string().as_bytes(), &rest].concat());
    }
    member(EntryType::XHeader, "pax", "", &body)
}

#[test]
fn archives_keep_what_they_say() {
    let Some(bench) = Bench::new() else { return };
    // VFS_CAP_REVISION_2, cap_net_bind_service+ep
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let long = "n".repeat(150);
    let archive = [
        member(EntryType::XGlobalHeader, "global", "", b"19 comment=ignored\n"),
        records(&[
            ("SCHILY.xattr.security.capability", &capability),
            ("mtime", b"1000000007.5"),
            ("uid", b"2097152"),
        ]),
        member(EntryType::Regular, "server", "", b"abc"),
        records(&[("path", long.as_bytes())]),
        member(EntryType::Regular, "short", "", b"x"),
        member(EntryType::Regular, "twice", "", b"first"),
        member(EntryType::Regular, "twice", "", b"second"),
        member(EntryType::Directory, "gone/", "", b""),
        member(EntryType::Regular, "gone/f", "", b"x"),
        member(EntryType::Regular, "gone", "", b"a file now"),
        member(EntryType::Symlink, "link", "twice", b""),
        member(EntryType::Link, "name", "link", b""),
        vec![0; 1024],
    ]
    .concat();
    bench.write("a.tar", archive);
    let (_, root) = bench.build("FROM scratch\nADD a.tar /d/\n");
    let mut value = [0; 64];
    let size = rustix::fs::lgetxattr(root.join("d/server"), "security.capability", &mut value).unwrap();
    assert_eq!(&value[..size], capability);
    let meta = fs::metadata(root.join("d/server")).unwrap();
    assert_eq!(
        (meta.uid(), meta.gid(), meta.mtime(), meta.mode() & 0o7777),
        (2_097_152, 4, 1_000_000_007, 0o640)
    );
    assert!(root.join("d").join(&long).is_file());
    assert_eq!(fs::read_to_string(root.join("d/twice")).unwrap(), "second");
    assert_eq!(fs::read_to_string(root.join("d/gone")).unwrap(), "a file now");
    assert!(
        fs::symlink_metadata(root.join("d/name")).unwrap().is_symlink(),
        "a second name of the link itself"
    );
    assert!(!root.join("d/global").exists());
}

#[test]
fn files_with_holes_are_unpacked_in_every_form() {
    let Some(bench) = Bench::new() else { return };
    let source = bench.dir.path().join("source");
    fs::create_dir(&source).unwrap();
    let file = fs::File::create(source.join("holes")).unwrap();
    for (at, byte) in
        [(0_u64, b'a'), (100_000, b'b'), (200_000, b'c'), (300_000, b'd'), (400_000, b'e'), (500_000, b'f')]
    {
        std::os::unix::fs::FileExt::write_all_at(&file, &[byte; 4096], at / 4096 * 4096).unwrap();
    }
    file.set_len(700_001).unwrap();
    let mut dockerfile = "FROM scratch\n".to_owned();
    for format in ["gnu", "0.1", "1.0"] {
        let how = if format == "gnu" {
            vec!["--format=gnu".to_owned()]
        } else {
            vec!["--format=pax".to_owned(), format!("--sparse-version={format}")]
        };
        let status = Command::new("tar")
            .arg("-C")
            .arg(&source)
            .args(["-c", "-S", "-f"])
            .arg(bench.at(format))
            .args(how)
            .arg("holes")
            .status();
        assert!(status.unwrap().success());
        assert!(fs::metadata(bench.at(format)).unwrap().len() < 100_000, "tar found the holes");
        dockerfile.push_str(&format!("ADD {format} /{format}/\n"));
    }
    let (_, root) = bench.build(&dockerfile);
    let expected = fs::read(source.join("holes")).unwrap();
    for format in ["gnu", "0.1", "1.0"] {
        assert!(fs::read(root.join(format).join("holes")).unwrap() == expected, "{format}");
    }
    let status = Command::new("tar")
        .arg("-C")
        .arg(&source)
        .args(["-c", "-S", "--format=pax", "--sparse-version=0.0", "-f"])
        .arg(bench.at("old"))
        .arg("holes")
        .status();
    assert!(status.unwrap().success());
    bench.fails("FROM scratch\nADD old /d/\n", "pax format 0.0");
}

#[test]
fn hostile_archives_are_refused_or_stay_inside() {
    let Some(bench) = Bench::new() else { return };
    use EntryType as T;
    let outside = bench.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "untouched").unwrap();
    let outside_text = outside.to_str().unwrap();
    let up = format!("{}{}", "../".repeat(20), &outside_text[1..]);
    let precious = format!("{outside_text}/precious");
    let lying = |size: u64| {
        let mut header = header(T::Regular, "f", "", 0);
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let holes = |size: &[u8], map: &[u8]| {
        [records(&[("GNU.sparse.size", size), ("GNU.sparse.map", map)]), member(T::Regular, "h", "", b"x")]
            .concat()
    };
    let refused: Vec<(&str, Vec<u8>)> = vec![
        ("leads out", member(T::Regular, "../evil", "", b"x")),
        ("leads out", member(T::Regular, "a/../../evil", "", b"x")),
        ("leads out", member(T::Link, "mine", "../../outside/precious", b"")),
        ("target is not a file", member(T::Link, "mine", &precious, b"")),
        (
            "target is not a file",
            [member(T::Symlink, "out", outside_text, b""), member(T::Link, "mine", "out/precious", b"")]
                .concat(),
        ),
        ("target is not a file", member(T::Link, "x", "x", b"")),
        (
            "target is not a file",
            [member(T::Directory, "d/", "", b""), member(T::Link, "x", "d", b"")].concat(),
        ),
        ("device 0:0", member(T::Char, "null", "", b"")),
        ("too large", {
            let mut header = header(T::Regular, "f", "", 0);
            header.set_uid(u64::from(u32::MAX));
            header.set_cksum();
            header.as_bytes().to_vec()
        }),
        ("too large", [records(&[("gid", b"4294967295")]), member(T::Regular, "f", "", b"x")].concat()),
        ("inside a member", lying(5000)),
        ("larger than", lying(1 << 40)),
        ("larger than", holes(b"1099511627776", b"0,1")),
        ("broken map", holes(b"10", b"0,1,0,1")),
        ("broken map", holes(b"10", b"9,2")),
        ("broken map", holes(b"10", b"0,5")),
        ("broken map", holes(b"10", b"0")),
        ("too large", {
            let mut header = header(T::XHeader, "x", "", 0);
            header.set_size(1 << 30);
            header.set_cksum();
            header.as_bytes().to_vec()
        }),
        (
            "broken extended header",
            [member(T::XHeader, "x", "", b"99 path=x\n"), member(T::Regular, "f", "", b"")].concat(),
        ),
        ("unknown type", member(T::new(b'Q'), "f", "", b"")),
    ];
    for (index, (why, archive)) in refused.iter().enumerate() {
        bench.write("evil", archive);
        eprintln!("case {index}");
        bench.fails("FROM scratch\nADD evil /in/\n", why);
    }
    let contained: Vec<Vec<u8>> = vec![
        member(T::Regular, "/etc/x", "", b"x"),
        [
            member(T::Symlink, "out", outside_text, b""),
            member(T::Regular, "out/precious", "", b"overwritten"),
        ]
        .concat(),
        [member(T::Symlink, "out", &up, b""), member(T::Regular, "out/precious", "", b"overwritten")]
            .concat(),
        [member(T::Symlink, "s", &precious, b""), member(T::Regular, "s", "", b"overwritten")].concat(),
        [
            member(T::Directory, "d/", "", b""),
            member(T::Symlink, "d", outside_text, b""),
            member(T::Regular, "d/precious", "", b"overwritten"),
        ]
        .concat(),
        [member(T::Symlink, "d", outside_text, b""), member(T::Directory, "d/", "", b"")].concat(),
    ];
    for archive in &contained {
        bench.write("evil", archive);
        bench.build("FROM scratch\nADD evil /in/\nADD evil /in/\n");
    }
    assert_eq!(fs::read_to_string(outside.join("precious")).unwrap(), "untouched");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    let meta = fs::metadata(outside.join("precious")).unwrap();
    assert_eq!((meta.nlink(), meta.uid()), (1, 0));
    assert_eq!(fs::metadata(&outside).unwrap().permissions().mode() & 0o777, 0o755);
    assert!(!Path::new("/evil").exists());
}

#[test]
fn bombs_are_refused() {
    let Some(bench) = Bench::new() else { return };
    // xz with a dictionary of 1.5 GiB: a stream header, then a block that asks for it
    let mut tar = member(EntryType::Regular, "f", "", &[7; 4096]);
    tar.resize(tar.len() + 1024, 0);
    fs::write(bench.at("plain"), &tar).unwrap();
    let status = Command::new("xz")
        .args(["-k", "--lzma2=preset=0,dict=1536MiB", "-S", ".bomb"])
        .arg(bench.at("plain"))
        .status();
    assert!(status.unwrap().success());
    // it is no archive that may be read, so it is a file
    let (_, root) = bench.build("FROM scratch\nADD plain.bomb /d/\n");
    assert!(root.join("d/plain.bomb").is_file());
    // a file of 65 GiB in a few bytes of gzip is refused by what its header says
    let mut header = header(EntryType::Regular, "f", "", 0);
    header.set_size(65 << 30);
    header.set_cksum();
    fs::write(bench.at("bomb"), header.as_bytes()).unwrap();
    assert!(Command::new("gzip").arg(bench.at("bomb")).status().unwrap().success());
    bench.fails("FROM scratch\nADD bomb.gz /d/\n", "larger than allowed");
}

#[test]
fn directories_on_the_way_get_an_octal_mode() {
    let Some(bench) = Bench::new() else { return };
    bench.write("f", "text");
    bench.write("d/g", "text");
    let (_, root) = bench.build(
        "FROM scratch\nCOPY --chmod=777 f /p/f\nCOPY --chmod=2770 f /p/sub/deep/f\nCOPY --chmod=u=rwx,go= f /s/f\n\
         COPY --chmod=750 d /dir\nCOPY --link --chmod=711 f /linked/f\nCOPY --chmod=700 <<text /here/text\nx\ntext\n\
         COPY --chmod=600 f /p/g\n",
    );
    for (path, mode) in [
        ("p", 0o777),
        ("p/f", 0o777),
        ("p/sub", 0o770),
        ("p/sub/deep", 0o770),
        ("p/sub/deep/f", 0o2770),
        ("s", 0o755),
        ("s/f", 0o700),
        ("dir", 0o750),
        ("dir/g", 0o750),
        ("linked", 0o711),
        ("here", 0o700),
        ("p/g", 0o600),
    ] {
        let found = fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(found, mode, "{path}: {found:o}");
    }
}
