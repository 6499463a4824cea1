//! Faults that were found in use, each with the value that is right (names: the folders of their reports).

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

#[allow(dead_code, reason = "other test files use the rest")]
#[path = "support/builder.rs"]
mod support;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use support::{Kitchen, log, shell};

/// A kitchen with a folder `root` that RUN works in: `--build-context root=...`.
fn kitchen(programs: &[&str]) -> Option<(Kitchen, String)> {
    let kitchen = Kitchen::new()?;
    let root = kitchen.path("root");
    shell(&root, programs);
    let context = format!("root={}", root.display());
    Some((kitchen, context))
}

/// Every file of what a build gives, by path, with owner and content.
fn files(
    kitchen: &Kitchen,
    home: &str,
    context: &str,
    args: &[&str],
) -> BTreeMap<String, (u64, u64, String)> {
    let tar = kitchen.path("image.tar");
    let output = format!("type=tar,dest={}", tar.display());
    kitchen.build(home, context, &[args, &["--output", &output]].concat());
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(fs::File::open(&tar).unwrap()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let header = entry.header();
        let owner = (header.uid().unwrap(), header.gid().unwrap());
        let path = entry.path().unwrap().display().to_string();
        found.insert(path, (owner.0, owner.1, String::from_utf8_lossy(&bytes).into_owned()));
    }
    found
}

fn names(files: &BTreeMap<String, (u64, u64, String)>) -> Vec<&str> {
    files.keys().map(String::as_str).collect()
}

fn plimsoll(kitchen: &Kitchen, home: &str, args: &[&str]) -> Command {
    let mut command = Command::new(support::binary());
    command.args(args).env("PLIMSOLL_HOME", kitchen.path(home)).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn ok(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", log(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// `plimsoll image serve`, ended with the value.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(kitchen: &Kitchen) -> Self {
        let mut child = plimsoll(kitchen, "registry-home", &["image", "serve", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().to_owned() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(kitchen: &Kitchen, home: &str, name: &str) -> serde_json::Value {
    let text = ok(&mut plimsoll(kitchen, home, &["image", "inspect", name]));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn arg_after_env_is_ignored() {
    let Some((kitchen, root)) = kitchen(&[]) else { return };
    let see = "RUN echo \"$V\" >> /seen\n";
    kitchen.write(
        "c/Dockerfile",
        &format!(
            "ARG G=global\nFROM root AS one\nENV V=1 G=env\n{see}ARG V=2\n{see}LABEL v=$V\nWORKDIR /w-$V\n{see}\
             ENV V=${{V}}x\n{see}ARG V\n{see}ARG G\nRUN echo $G >> /seen\nARG V=4\n{see}\
             FROM one\n{see}ARG V=9\n{see}"
        ),
    );
    let seen =
        |args: &[&str]| kitchen.file("home", "c", &[&["--build-context", &root], args].concat(), "seen");
    // the stage that continues another begins with the image's own ENV
    assert_eq!(seen(&["-t", "faults/one"]), "1\n2\n2\n2x\n2x\nglobal\n4\n2x\n9\n");
    let image = config(&kitchen, "home", "faults/one").to_string();
    assert!(image.contains("\"V=2x\"") && image.contains("\"G=env\""), "an ARG is not in the image: {image}");
    assert!(image.contains("/w-2\"") && image.contains("\"v\":\"2\""), "{image}");
    assert_eq!(seen(&["--build-arg", "V=3"]), "1\n3\n3\n3x\n3\nglobal\n3\n3x\n3\n");

    // ENV from an image
    kitchen.write("d/Dockerfile", "FROM faults/one\nARG V=from-cli\nRUN echo $V > /own\n");
    assert_eq!(kitchen.file("home", "d", &[], "own"), "from-cli\n");
    assert_eq!(kitchen.file("home", "d", &["--build-arg", "V=5"], "own"), "5\n");
}

#[test]
fn image_as_context_is_not_pulled() {
    let Some((kitchen, _)) = kitchen(&[]) else { return };
    kitchen.write("c/Dockerfile", "FROM scratch\nCOPY Dockerfile /hello\nENV FROM=registry\n");
    let served = Served::start(&kitchen);
    let name = format!("{}/tools:1", served.address);
    let metadata = kitchen.path("metadata.json");
    kitchen.build("home", "c", &["-t", &name, "--push", "--metadata-file", metadata.to_str().unwrap()]);
    let told: serde_json::Value = serde_json::from_slice(&fs::read(&metadata).unwrap()).unwrap();
    let digest = told["containerimage.digest"].as_str().unwrap();
    kitchen.write("copy/Dockerfile", "FROM scratch\nCOPY --from=tools /hello /got\n");
    kitchen.write("from/Dockerfile", "FROM tools\nCOPY Dockerfile /got-$FROM\n");
    kitchen.write(
        "stage/Dockerfile",
        "FROM nowhere.invalid/x AS tools\nFROM tools\nCOPY Dockerfile /got-$FROM\n",
    );
    for (round, what) in
        [name.clone(), format!("{}/tools@{digest}", served.address), format!("{name}@{digest}")]
            .iter()
            .enumerate()
    {
        for context in ["copy", "from", "stage"] {
            // nothing is in the store
            let home = format!("{context}-{round}");
            let tools = format!("tools=docker-image://{what}");
            let found = files(&kitchen, &home, context, &["--build-context", &tools]);
            let expected = if context == "copy" { "got" } else { "got-registry" };
            assert!(found.contains_key(expected), "{context} {what}: {found:?}");
        }
    }
    // what nothing uses is not fetched
    let unused = ["--build-context", "other=docker-image://127.0.0.1:9/docs:1"];
    let built = kitchen.build("unused", "c", &unused);
    assert!(built.log.contains("nothing uses the named context `other`"), "{}", built.log);
}

#[test]
fn named_context_does_not_replace_a_stage() {
    let Some((kitchen, _)) = kitchen(&[]) else { return };
    kitchen.write("tree/source.txt", "local\n");
    kitchen.write(
        "c/image.Dockerfile",
        "FROM scratch\nCOPY Dockerfile /from-the-image\nENV WHO=image\nUSER 12\n",
    );
    kitchen.write(
        "c/Dockerfile",
        "FROM nowhere.invalid/base AS Src\nADD http://127.0.0.1:9/never/reached /source.txt\nFROM scratch\nCOPY --from=src / /\n",
    );
    kitchen.write(
        "c/from.Dockerfile",
        "FROM scratch AS rootfs\nCOPY Dockerfile /made-by-the-stage\nENV WHO=stage\nFROM rootfs\nCOPY Dockerfile /added-$WHO\n",
    );
    kitchen.write("c/direct.Dockerfile", "FROM rootfs\nCOPY Dockerfile /added\n");
    kitchen.write("c/mount.Dockerfile", "FROM scratch AS src\nFROM src\n");
    let tree = kitchen.path("tree").display().to_string();
    let of = |name: &str| format!("{name}={tree}");
    for name in ["src", "SRC", "docker.io/library/src:latest"] {
        let found = files(&kitchen, "home", "c", &["--build-context", &of(name)]);
        assert_eq!(names(&found), ["source.txt"], "{name}");
    }
    let built = kitchen.build("home", "c", &["--build-context", &of("src")]);
    assert!(built.log.contains("the named context `src` takes the place of this stage"), "{}", built.log);
    let args = ["-f", "from.Dockerfile", "--build-context", &of("rootfs")];
    assert_eq!(names(&files(&kitchen, "home", "c", &args)), ["added-", "source.txt"]);
    kitchen.build("home", "c", &["-f", "image.Dockerfile", "-t", "faults/image"]);
    let args =
        ["-f", "from.Dockerfile", "--build-context", "rootfs=docker-image://faults/image", "-t", "faults/2"];
    assert_eq!(names(&files(&kitchen, "home", "c", &args)), ["added-image", "from-the-image"]);
    assert!(config(&kitchen, "home", "faults/2").to_string().contains("\"12\""), "its user stays");
    let args = ["-f", "direct.Dockerfile", "--build-context", &of("rootfs")];
    assert_eq!(names(&files(&kitchen, "home", "c", &args)), ["added", "source.txt"]);
    // the stage as the target
    let args = ["-f", "from.Dockerfile", "--target", "rootfs", "--build-context", &of("rootfs")];
    assert_eq!(names(&files(&kitchen, "home", "c", &args)), ["source.txt"]);
    let output =
        kitchen.command("home", "c", &["--call=outline", "--build-context", &of("src")]).output().unwrap();
    assert!(log(&output).contains("takes the place of the stage"), "{}", log(&output));
}

#[test]
fn onbuild_copy_from_a_stage() {
    let Some((kitchen, root)) = kitchen(&[]) else { return };
    kitchen.write("c/base.Dockerfile", "FROM scratch\nONBUILD COPY --from=build /app /app\n");
    kitchen.write(
        "c/mount.Dockerfile",
        "FROM root\nONBUILD RUN --mount=from=Build,source=/app,target=/mnt cat /mnt/main > /main\n",
    );
    kitchen.write(
        "c/Dockerfile",
        "FROM scratch AS other\nCOPY Dockerfile /o\nFROM other AS build\nCOPY Dockerfile /app/main\nFROM faults/base\n",
    );
    kitchen.write("c/circle.Dockerfile", "FROM faults/base AS build\n");
    kitchen.write("c/later.Dockerfile", "FROM faults/base AS one\nFROM scratch AS build\nFROM one\n");
    kitchen.build("home", "c", &["-f", "base.Dockerfile", "-t", "faults/base"]);
    assert!(files(&kitchen, "home", "c", &[]).contains_key("app/main"));
    let error = |file: &str| log(&kitchen.command("home", "c", &["-f", file]).output().unwrap());
    assert!(error("circle.Dockerfile").contains("circular dependency"), "{}", error("circle.Dockerfile"));
    let later = error("later.Dockerfile");
    assert!(later.contains("needs to be defined before current stage \"one\""), "{later}");
    kitchen.build("home", "c", &["-f", "mount.Dockerfile", "-t", "faults/base", "--build-context", &root]);
    assert!(files(&kitchen, "home", "c", &[]).contains_key("main"));
    // a context in the place of the stage
    kitchen.write("tree/app/main", "context\n");
    let tree = format!("build={}", kitchen.path("tree").display());
    assert_eq!(files(&kitchen, "home", "c", &["--build-context", &tree])["main"].2, "context\n");
}

/// Numbers of `N steps ran, M from the cache`.
fn steps(log: &str) -> (u32, u32) {
    let line = log.lines().find(|line| line.contains(" steps ran, ")).unwrap_or_else(|| panic!("{log}"));
    let numbers: Vec<u32> = line.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    (numbers[0], numbers[1])
}

#[test]
fn killed_build_forgets_finished_steps() {
    let Some((kitchen, root)) = kitchen(&["/bin/sleep"]) else { return };
    kitchen.write("c/read", "x");
    let file = |seconds: u32| {
        format!(
            "FROM root\nCOPY read /read\nRUN echo 1 > /one\nRUN echo 2 > /two\nRUN sleep {seconds}.41; echo 3 > /three\n"
        )
    };
    kitchen.write("c/Dockerfile", &file(600));
    let mut child = kitchen
        .command("home", "c", &["--build-context", &root])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let told = BufReader::new(child.stderr.take().unwrap()).lines();
    for line in told {
        if line.unwrap().contains("RUN sleep 600") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    kitchen.write("c/Dockerfile", &file(0));
    let again = kitchen.build("home", "c", &["--build-context", &root]);
    assert_eq!(steps(&again.log), (1, 4), "{}", again.log);
}

/// The base built or loaded, the application built here or there: one image is one key.
#[test]
fn imported_cache_misses_by_time_stamps() {
    let Some((kitchen, root)) = kitchen(&["/bin/ln", "/bin/mkdir"]) else { return };
    kitchen.write(
        "c/base.Dockerfile",
        "FROM root\nRUN echo shared > /release && ln /release /second && mkdir /d && echo > /d/e\n",
    );
    kitchen.write(
        "c/Dockerfile",
        "FROM faults/base\nRUN echo slow > /slow\nCOPY Dockerfile /release/../copied\n",
    );
    let files_own_times = |home: &str, args: &[&str]| {
        // no time of a commit: the files have the moment that they were made at
        let mut command = kitchen.command(home, "c", args);
        command.env_remove("SOURCE_DATE_EPOCH");
        support::built(&mut command)
    };
    let tar = kitchen.path("base.tar").display().to_string();
    let cache = kitchen.path("cache").display().to_string();
    files_own_times("one", &["-f", "base.Dockerfile", "-t", "faults/base", "--build-context", &root]);
    ok(&mut plimsoll(&kitchen, "one", &["image", "save", "faults/base", "-o", &tar]));
    files_own_times("one", &["--cache-to", &format!("type=local,dest={cache},mode=max")]);

    let from = format!("type=local,src={cache}");
    ok(&mut plimsoll(&kitchen, "two", &["image", "load", &tar]));
    let there = files_own_times("two", &["--cache-from", &from]);
    assert_eq!(steps(&there.log).0, 0, "loaded there, built here: {}", there.log);
    // and back: built on the loaded base, imported where it was made
    let back = kitchen.path("back").display().to_string();
    ok(&mut plimsoll(&kitchen, "three", &["image", "load", &tar]));
    files_own_times("three", &["--cache-to", &format!("type=local,dest={back},mode=max")]);
    fs::remove_dir_all(kitchen.path("one/build")).unwrap();
    let here = files_own_times("one", &["--cache-from", &format!("type=local,src={back}")]);
    assert_eq!(steps(&here.log).0, 0, "built here, loaded there: {}", here.log);
}

#[test]
fn add_chown_of_an_archive() {
    let Some((kitchen, _)) = kitchen(&[]) else { return };
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, mode: u32, link: Option<&str>| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(7);
        header.set_gid(8);
        header.set_size(0);
        header.set_mtime(1_600_000_000);
        match link {
            Some(link) => archive.append_link(&mut header, path, link).unwrap(),
            None => archive.append_data(&mut header, path, std::io::empty()).unwrap(),
        }
    };
    add("conf/", tar::EntryType::Directory, 0o700, None);
    add("conf/settings", tar::EntryType::Regular, 0o640, None);
    add("implied/run", tar::EntryType::Regular, 0o4755, None);
    add("link", tar::EntryType::Symlink, 0o777, Some("conf"));
    add("hard", tar::EntryType::Link, 0o640, Some("conf/settings"));
    let bytes = archive.into_inner().unwrap();
    kitchen.write("c/Dockerfile", "");
    fs::write(kitchen.path("c/app.tar"), bytes).unwrap();
    for (flags, owner) in [
        ("--chown=1000:2000", (1000, 2000)),
        ("--chown=1000:2000 --chmod=0600", (1000, 2000)),
        ("--link --chown=1000:2000", (1000, 2000)),
        ("--chown=12", (12, 12)),
        ("", (7, 8)),
    ] {
        kitchen.write("c/Dockerfile", &format!("FROM scratch\nARG X=1\nADD {flags} app.tar /app/\n"));
        let found = files(&kitchen, "home", "c", &[]);
        for path in ["app/conf/", "app/conf/settings", "app/implied/run", "app/link", "app/hard"] {
            let (uid, gid, _) = &found[path];
            assert_eq!((*uid, *gid), owner, "{flags} {path}");
        }
        let made = if flags.is_empty() { (0, 0) } else { owner };
        for path in ["app/", "app/implied/"] {
            let (uid, gid, _) = &found[path];
            assert_eq!((*uid, *gid), made, "{flags} {path}");
        }
    }
    let tar = kitchen.path("image.tar");
    let mut modes = tar::Archive::new(fs::File::open(tar).unwrap());
    let run = modes.entries().unwrap().map(Result::unwrap).find(|it| it.path().unwrap().ends_with("run"));
    assert_eq!(run.unwrap().header().mode().unwrap() & 0o7777, 0o4755, "a change of owner keeps the mode");
}

#[test]
fn add_archive_through_a_link() {
    let Some((kitchen, _)) = kitchen(&[]) else { return };
    let mut archive = tar::Builder::new(Vec::new());
    let header = |kind: tar::EntryType| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(0);
        header
    };
    for (name, to) in
        [("current", "../.."), ("root", "/"), ("chain", "current/root/sub"), ("up", "/../../..")]
    {
        archive.append_link(&mut header(tar::EntryType::Symlink), name, to).unwrap();
    }
    for name in ["current/etc/relative", "root/etc/absolute", "chain/deep", "up/etc/up", "base/through"] {
        archive.append_data(&mut header(tar::EntryType::Regular), name, std::io::empty()).unwrap();
    }
    archive.append_link(&mut header(tar::EntryType::Link), "current/hard", "root/etc/absolute").unwrap();
    kitchen.write("c/Dockerfile", "FROM tree\nADD release.tar /opt/app\n");
    fs::write(kitchen.path("c/release.tar"), archive.into_inner().unwrap()).unwrap();
    kitchen.write("tree/etc/passwd", "kept\n");
    fs::create_dir_all(kitchen.path("tree/opt/app")).unwrap();
    std::os::unix::fs::symlink("/etc", kitchen.path("tree/opt/app/base")).unwrap();
    let tree = format!("tree={}", kitchen.path("tree").display());
    let found = files(&kitchen, "home", "c", &["--build-context", &tree]);
    let outside: Vec<&str> = names(&found).into_iter().filter(|name| !name.starts_with("opt/")).collect();
    assert_eq!(outside, ["etc/", "etc/passwd"]);
    for path in ["etc/relative", "etc/absolute", "sub/deep", "etc/up", "etc/through", "hard"] {
        assert!(found.contains_key(&format!("opt/app/{path}")), "{path}: {found:?}");
    }
}

#[test]
fn files_named_like_whiteouts() {
    let Some((kitchen, root)) = kitchen(&[]) else { return };
    kitchen.write("c/app.conf", "listen = 8080\n");
    kitchen.write("c/.wh.app.conf", "");
    kitchen.write("c/d/.wh..wh..opq", "");
    for (file, path) in [
        ("FROM scratch\nCOPY app.conf /etc/app.conf\nCOPY .wh.app.conf /etc/\n", "/etc/.wh.app.conf"),
        ("FROM scratch\nCOPY d /etc/d\n", "/etc/d/.wh..wh..opq"),
        ("FROM scratch\nCOPY <<.wh.x /\nx\n.wh.x\n", "/.wh.x"),
        ("FROM root\nRUN echo > /.wh.bin\n", "/.wh.bin"),
        ("FROM scratch\nWORKDIR /a/.wh.b/c\n", "/a/.wh.b"),
    ] {
        kitchen.write("c/Dockerfile", file);
        let output = kitchen.command("home", "c", &["--build-context", &root]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{file}");
        let expected = format!("{path} cannot be in an image: names that begin with .wh. delete files");
        assert!(log(&output).contains(&expected), "{file}: {}", log(&output));
        let line = format!(
            "./Dockerfile:{}:",
            file.lines().position(|line| line.contains(".wh.") || line.contains("d /etc")).unwrap() + 1
        );
        assert!(log(&output).contains(&line), "{line}: {}", log(&output));
    }
}

#[test]
fn dockerfile_in_small_letters() {
    let Some((kitchen, _)) = kitchen(&[]) else { return };
    kitchen.write("app/dockerfile", "FROM scratch AS small\nCOPY file /file\n");
    kitchen.write("app/dockerfile.dockerignore", "other\n");
    kitchen.write("app/file", "x");
    let app = kitchen.path("app").display().to_string();
    ok(&mut plimsoll(&kitchen, "home", &["image", "build", "-q", &app]));
    ok(&mut plimsoll(&kitchen, "home", &["image", "build", "-q", "-f", &format!("{app}/Dockerfile"), &app]));
    let targets = ok(&mut plimsoll(&kitchen, "home", &["image", "build", "--call=targets", &app]));
    assert!(targets.contains("small"), "{targets}");
    // of both the usual one
    kitchen.write("app/Dockerfile", "FROM scratch AS usual\nCOPY file /file\n");
    let targets = ok(&mut plimsoll(&kitchen, "home", &["image", "build", "--call=targets", &app]));
    assert!(targets.contains("usual"), "{targets}");
    // neither
    for name in ["Containerfile", "Dockerfile.dev", "docker/Dockerfile"] {
        kitchen.write(&format!("none/{name}"), "");
    }
    let none = kitchen.path("none").display().to_string();
    let output = plimsoll(&kitchen, "home", &["image", "build", &none]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let expected = "there is Containerfile, Dockerfile.dev, docker/Dockerfile: name it with -f";
    assert!(log(&output).contains(expected), "{}", log(&output));
    // in a tar on standard input
    fs::remove_file(kitchen.path("app/Dockerfile")).unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_dir_all(".", kitchen.path("app")).unwrap();
    fs::write(kitchen.path("context.tar"), archive.into_inner().unwrap()).unwrap();
    let mut command = plimsoll(&kitchen, "home", &["image", "build", "-q", "-"]);
    ok(command.stdin(fs::File::open(kitchen.path("context.tar")).unwrap()));
}

const BOTH: [&str; 2] = ["--platform", "linux/amd64,linux/arm64"];

#[test]
fn final_stage_of_the_build_platform() {
    let Some((kitchen, _)) = kitchen(&[]) else { return };
    kitchen.write(
        "c/Dockerfile",
        "FROM --platform=$BUILDPLATFORM scratch\nARG TARGETARCH\nCOPY <<EOF /program\nfor $TARGETARCH\nEOF\n",
    );
    let out = kitchen.path("out");
    let archive = kitchen.path("out.tar");
    let metadata = kitchen.path("metadata.json");
    let oci = format!("type=oci,dest={}", archive.display());
    let args = ["-t", "faults/both", "-o", out.to_str().unwrap(), "-o", &oci];
    let more = ["--metadata-file", metadata.to_str().unwrap(), "--provenance=mode=max"];
    kitchen.build("home", "c", &[&BOTH[..], &args, &more].concat());
    for arch in ["amd64", "arm64"] {
        let folder = out.join(format!("linux_{arch}"));
        assert_eq!(fs::read_to_string(folder.join("program")).unwrap(), format!("for {arch}\n"));
        assert!(folder.join("provenance.json").exists());
        let image = ok(plimsoll(&kitchen, "home", &["image", "build", "-q", "--platform", arch, "-"])
            .stdin(fs::File::open(kitchen.write("from", "FROM faults/both\n")).unwrap()));
        assert!(config(&kitchen, "home", image.trim()).to_string().contains(&format!("\"{arch}\"")));
    }
    assert!(metadata.exists() && archive.exists());
    let variants = ["--platform", "linux/amd64,linux/amd64/v2", "-o", &oci];
    kitchen.build("home", "c", &variants);
}

#[test]
fn one_statement_for_two_platforms() {
    let Some((kitchen, _)) = kitchen(&[]) else { return };
    kitchen.write("c/Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /tool-$TARGETARCH\n");
    let out = kitchen.path("out");
    let tar = kitchen.path("out.tar");
    let folder = format!("type=local,dest={},platform-split=false", out.display());
    let archive = format!("type=tar,dest={},platform-split=false,attestation-prefix=about.", tar.display());
    let stated = ["--provenance=mode=max", "--sbom=true"];
    kitchen.build("home", "c", &[&BOTH[..], &stated, &["-o", &folder, "-o", &archive]].concat());
    let mut expected = Vec::new();
    for arch in ["amd64", "arm64"] {
        for (name, end) in [("provenance", "json"), ("sbom.spdx", "json")] {
            let name = format!("{name}.linux_{arch}.{end}");
            let text = fs::read_to_string(out.join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let subjects = text.matches("tool-amd64").count() > 0;
            assert_eq!(subjects, arch == "amd64", "{name} is about the files of its platform");
            expected.push(format!("about.{name}"));
        }
        expected.push(format!("tool-{arch}"));
    }
    let mut listed: Vec<String> = tar::Archive::new(fs::File::open(&tar).unwrap())
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
    // one place for two files
    kitchen.write("c/Dockerfile", "FROM scratch\nCOPY Dockerfile /tool\n");
    let output = kitchen.command("home", "c", &[&BOTH[..], &["-o", &folder]].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(log(&output).contains("linux/amd64") && log(&output).contains("linux/arm64"), "{}", log(&output));
}

/// As `built_in_build_arguments_are_ignored` beside the code, with what they do.
#[test]
fn built_in_build_arguments_are_ignored() {
    let Some((kitchen, root)) = kitchen(&["/bin/hostname"]) else { return };
    kitchen.write(
        "c/Dockerfile",
        "FROM root\nRUN hostname > /name && echo $HOSTNAME >> /name && cat /etc/hosts > /hosts\n",
    );
    let args = ["--build-context", &root, "--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=builder-7"];
    let found = files(&kitchen, "home", "c", &args);
    assert_eq!(found["name"].2, "builder-7\nbuilder-7\n");
    assert!(found["hosts"].2.contains("builder-7"), "{found:?}");

    kitchen.write("d/Dockerfile", "FROM scratch\nCOPY Dockerfile /file\n");
    let out = kitchen.path("out");
    let platform = ["--platform", "linux/amd64", "-o", out.to_str().unwrap()];
    kitchen.build("home", "d", &[&platform[..], &["--build-arg", "BUILDKIT_MULTI_PLATFORM=1"]].concat());
    assert!(out.join("linux_amd64/file").exists());

    let served = Served::start(&kitchen);
    let name = format!("{}/app:1", served.address);
    kitchen.build("home", "d", &["--build-arg", "BUILDKIT_INLINE_CACHE=1", "-t", &name, "--push"]);
    let there = kitchen.build("there", "d", &["--cache-from", &name]);
    assert_eq!(steps(&there.log).0, 0, "{}", there.log);
}

/// Whether a process ends by itself, and how.
fn ends(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code().unwrap_or(-1));
        }
        if start.elapsed() > Duration::from_mins(1) {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn build_hangs_when_its_reader_goes() {
    let Some((kitchen, _)) = kitchen(&[]) else { return };
    kitchen.write(
        "c/Dockerfile",
        "FROM scratch\nCOPY Dockerfile /one\nCOPY Dockerfile /two\nCOPY Dockerfile /three\n",
    );
    for mode in ["plain", "rawjson", "quiet", "tty"] {
        let mode = format!("--progress={mode}");
        // the reader goes after each line in turn
        for lines in 0..9 {
            let mut child = kitchen
                .command("home", "c", &["--no-cache", &mode])
                .stderr(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let reader = BufReader::with_capacity(1, child.stderr.take().unwrap());
            for line in reader.lines().take(lines) {
                line.unwrap();
            }
            let code = ends(&mut child);
            assert!(matches!(code, Some(0 | 141)), "{mode}, {lines} lines: {code:?}");
        }
    }
    for args in
        [&["image", "build", "-q", "."][..], &["image", "ls"], &["image", "build", "--call=targets", "."]]
    {
        let mut command = plimsoll(&kitchen, "home", args);
        let mut child = command
            .current_dir(kitchen.path("c"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(ends(&mut child), Some(0), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    // a full disk behind standard output
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = plimsoll(&kitchen, "home", &["image", "build", "--call=targets", "."])
        .current_dir(kitchen.path("c"))
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(log(&output).contains("cannot write to standard output"), "{}", log(&output));
    // nobody holds the store
    ok(&mut plimsoll(&kitchen, "home", &["image", "prune"]));
}

#[test]
fn crlf_heredoc_is_named_where_it_fails() {
    let Some((kitchen, root)) = kitchen(&[]) else { return };
    kitchen.write("c/entry.sh", "#!/bin/sh\r\necho started\r\n");
    let build = |file: &str| {
        kitchen.write("c/Dockerfile", file);
        let output = kitchen.command("home", "c", &["--build-context", &root]).output().unwrap();
        (output.status.code(), log(&output))
    };
    let (code, told) =
        build("FROM root\r\nRUN <<EOF\r\nset -e\r\nif true; then\r\n  echo fine\r\nfi\r\nEOF\r\n");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("the file has Windows line ends"), "{told}");
    let (code, told) = build("FROM root\nCOPY --chmod=755 entry.sh /\nRUN /entry.sh\n");
    assert_ne!(code, Some(0), "{told}");
    assert!(told.contains("an interpreter that is called `/bin/sh\\r`"), "{told}");
    let (_, told) = build("FROM root\nRUN <<EOF\nset -e\r\nfalse\r\nEOF\n");
    assert!(told.contains("lines of the command end in \\r\\n"), "{told}");
}
