//! `plimsoll image build` of what is not a directory here: git and http addresses, standard input. The servers are
//! started by the tests, on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    /// `None`, with the reason printed, without root: layers keep owners.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none(), "CI must not skip: builds need root");
            eprintln!("skipped: builds need root");
            return None;
        }
        Some(Self { dir: tempfile::tempdir().unwrap() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn build(&self, arguments: &[&str], stdin: &[u8]) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
            .args(["image", "build", "--progress=plain"])
            .args(arguments)
            .current_dir(self.dir.path())
            .env("PLIMSOLL_HOME", self.path("home"))
            .env("NO_COLOR", "1")
            .env("TOKEN", "s3cret")
            .env("no_proxy", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let _ = input.write_all(stdin);
        drop(input);
        child.wait_with_output().unwrap()
    }

    /// Builds into the folder `out`; gives the build's messages.
    fn ok(&self, arguments: &[&str], stdin: &[u8]) -> String {
        let _ = fs::remove_dir_all(self.path("out"));
        let mut all = vec!["-o", "out"];
        all.extend(arguments);
        let output = self.build(&all, stdin);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {told}");
        told
    }

    fn fails(&self, arguments: &[&str], stdin: &[u8]) -> String {
        let output = self.build(arguments, stdin);
        assert!(!output.status.success(), "{arguments:?} was built");
        String::from_utf8(output.stderr).unwrap()
    }

    fn out(&self, name: &str) -> String {
        fs::read_to_string(self.path("out").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

/// A repository `repo` below `root`, with two commits; the first has the tag v1.
fn repository(root: &Path) -> Vec<String> {
    let dir = root.join("repo");
    let git = |dir: &Path, arguments: &[&str]| {
        let output = Command::new("git")
            .current_dir(dir)
            .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"])
            .args(arguments)
            .env("GIT_COMMITTER_DATE", "1700000000 +0000")
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    fs::create_dir_all(dir.join("sub")).unwrap();
    git(&dir, &["init", "-q", "-b", "main"]);
    fs::write(dir.join("Dockerfile"), "FROM scratch\nCOPY . /\n").unwrap();
    fs::write(dir.join("sub/Dockerfile"), "FROM scratch\nCOPY only /\n").unwrap();
    fs::write(dir.join("sub/only"), "one").unwrap();
    git(&dir, &["add", "."]);
    git(&dir, &["commit", "-q", "-m", "one"]);
    git(&dir, &["tag", "-a", "v1", "-m", "v1"]);
    let one = git(&dir, &["rev-parse", "HEAD"]);
    fs::write(dir.join("sub/only"), "two").unwrap();
    git(&dir, &["commit", "-q", "-a", "-m", "two"]);
    let two = git(&dir, &["rev-parse", "HEAD"]);
    // Links out of a repository must lead nowhere.
    git(&dir, &["checkout", "-q", "-b", "evil"]);
    fs::remove_file(dir.join("Dockerfile")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.join("Dockerfile")).unwrap();
    std::os::unix::fs::symlink("/etc", dir.join("etc")).unwrap();
    git(&dir, &["add", "."]);
    git(&dir, &["commit", "-q", "-m", "evil"]);
    git(&dir, &["checkout", "-q", "main"]);
    vec![one, two]
}

struct GitDaemon {
    child: Child,
    port: u16,
}

impl GitDaemon {
    fn start(root: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // The daemon itself and not `git daemon`, which would leave it behind when it is ended.
        let programs = Command::new("git").arg("--exec-path").output().unwrap().stdout;
        let program = Path::new(String::from_utf8(programs).unwrap().trim()).join("git-daemon");
        let child = Command::new(program)
            .args(["--listen=127.0.0.1", &format!("--port={port}"), "--reuseaddr", "--export-all"])
            .arg(format!("--base-path={}", root.display()))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "git daemon does not answer");
            thread::sleep(Duration::from_millis(20));
        }
        Self { child, port }
    }
}

impl Drop for GitDaemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn git_contexts_by_branch_tag_commit_and_directory() {
    let Some(home) = Home::new() else { return };
    let commits = repository(home.dir.path());
    let daemon = GitDaemon::start(home.dir.path());
    let url = format!("git://127.0.0.1:{}/repo", daemon.port);
    let told = home.ok(&[&url], b"");
    assert_eq!(home.out("sub/only"), "two");
    assert!(!home.path("out/.git").exists(), "{told}");
    home.ok(&[&format!("{url}#v1")], b"");
    assert_eq!(home.out("sub/only"), "one");
    home.ok(&[&format!("{url}#main:sub")], b"");
    assert_eq!(home.out("only"), "two");
    home.ok(&[&format!("{url}?ref={}&subdir=sub", commits[0])], b"");
    assert_eq!(home.out("only"), "one");
    home.ok(&["--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1", &url], b"");
    assert!(home.path("out/.git/HEAD").exists());
    let told = home.fails(&[&format!("{url}#nothing")], b"");
    assert!(told.contains("it has no reference `nothing`"), "{told}");
    let told = home.fails(&[&format!("{url}?checksum={}", commits[0])], b"");
    assert!(told.contains("digest mismatch"), "{told}");
    let told = home.fails(&[&format!("{url}#evil")], b"");
    assert!(told.contains("leads out of the context") && !told.contains("root:"), "{told}");
    let told = home.fails(&[&format!("{url}#evil:etc")], b"");
    assert!(told.contains("no directory in it"), "{told}");

    // A commit that is here needs no server.
    let url = format!("{url}#{}:sub", commits[0]);
    drop(daemon);
    home.ok(&[&url], b"");
    assert_eq!(home.out("only"), "one");
}

#[test]
fn git_sources_of_add_and_named_contexts() {
    let Some(home) = Home::new() else { return };
    let commits = repository(home.dir.path());
    let daemon = GitDaemon::start(home.dir.path());
    let url = format!("git://127.0.0.1:{}/repo", daemon.port);
    let add = |flags: &str, reference: &str| {
        home.write("ctx/Dockerfile", &format!("FROM scratch\nADD {flags} {url}{reference} /x/\n"));
    };
    add("", "");
    home.ok(&["ctx"], b"");
    assert_eq!(home.out("x/sub/only"), "two");
    assert!(!home.path("out/x/.git").exists());
    let told = home.ok(&["ctx"], b"");
    assert!(told.contains("CACHED"), "{told}");
    add(&format!("--keep-git-dir=true --checksum={}", commits[0]), "#v1");
    home.ok(&["ctx"], b"");
    assert_eq!(home.out("x/sub/only"), "one");
    assert!(home.path("out/x/.git/HEAD").exists());
    add(&format!("--checksum={}", &commits[1][..12]), "#v1");
    let told = home.fails(&["ctx"], b"");
    assert!(told.contains("digest mismatch") && told.contains("Dockerfile"), "{told}");

    home.write("ctx/Dockerfile", "FROM scratch\nCOPY --from=src only /\n");
    home.ok(&["--build-context", &format!("src={url}#v1:sub"), "ctx"], b"");
    assert_eq!(home.out("only"), "one");

    // What a branch means is asked for at each build.
    let again = home.path("repo");
    fs::write(again.join("sub/only"), "three").unwrap();
    let commit = Command::new("git")
        .current_dir(&again)
        .args(["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-a", "-m", "three"])
        .status();
    assert!(commit.unwrap().success());
    home.ok(&["--build-context", &format!("src={url}#main:sub"), "ctx"], b"");
    assert_eq!(home.out("only"), "three");
}

/// Files by path; the log has a line for each answer: `200 /path` or `304 /path`.
struct Http {
    port: u16,
    files: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Http {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (files, log) = (Arc::default(), Arc::default());
        let server = Self { port, files, log };
        let (files, log) = (server.files.clone(), server.log.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &files, &log);
            }
        });
        server
    }

    fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) -> String {
        self.files.lock().unwrap().insert(path.to_owned(), bytes.into());
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

fn answer(stream: TcpStream, files: &Mutex<HashMap<String, Vec<u8>>>, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(&stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let body = files.lock().unwrap().get(&path).cloned();
    let etag = format!(
        "\"{:x}\"",
        body.as_ref()
            .map_or(0, |body| body.iter().fold(7_u64, |sum, byte| sum * 31 % 1_000_003 + u64::from(*byte)))
    );
    let has = |wanted: &str| lines.iter().any(|line| line.eq_ignore_ascii_case(wanted));
    let (status, body) = match body {
        None => ("404 Not Found", Vec::new()),
        Some(_) if path.starts_with("/private") && !has("Authorization: Bearer s3cret") => {
            ("401 Unauthorized", Vec::new())
        }
        Some(_) if has(&format!("If-None-Match: {etag}")) => ("304 Not Modified", Vec::new()),
        Some(body) => ("200 OK", body),
    };
    log.lock().unwrap().push(format!("{} {path}", &status[..3]));
    let head = format!(
        "HTTP/1.1 {status}\r\nETag: {etag}\r\nLast-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = &stream;
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

fn tar_of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(1_700_000_000);
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

/// Compressed by a program of the machine.
fn packed(program: &str, bytes: &[u8]) -> Vec<u8> {
    let mut child =
        Command::new(program).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let mut out = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    assert!(child.wait().unwrap().success());
    out
}

#[test]
fn standard_input_is_a_dockerfile_or_a_tar() {
    let Some(home) = Home::new() else { return };
    home.ok(&["-"], b"FROM scratch\nCOPY <<EOF /hello\nhi\nEOF\n");
    assert_eq!(home.out("hello"), "hi\n");
    let tar = tar_of(&[
        ("Dockerfile", "FROM scratch\nCOPY . /\n"),
        ("other/Dockerfile.b", "FROM scratch\nCOPY a /b\n"),
        ("a", "from the tar"),
        ("ignored", "no"),
        (".dockerignore", "ignored\n"),
    ]);
    home.ok(&["-"], &tar);
    assert_eq!(home.out("a"), "from the tar");
    assert!(!home.path("out/ignored").exists());
    for program in ["gzip", "zstd", "xz", "bzip2"] {
        home.ok(&["-f", "other/Dockerfile.b", "-"], &packed(program, &tar));
        assert_eq!(home.out("b"), "from the tar", "{program}");
    }
    let told = home.fails(&["-"], b"");
    assert!(told.contains("standard input is empty"), "{told}");
    let told = home.fails(&["-f", "-", "-"], b"FROM scratch");
    assert!(told.contains("cannot both be standard input"), "{told}");
    let told = home.fails(&["-"], &[0xff, 0xfe, 0x00, 0x81]);
    assert!(told.contains("neither text nor a tar"), "{told}");
    // Nothing of it stays.
    let left = fs::read_dir(home.path("home/store/tmp")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
}

#[test]
fn http_sources_are_fetched_once_and_checked() {
    let Some(home) = Home::new() else { return };
    let server = Http::start();
    let tar = tar_of(&[("Dockerfile", "FROM scratch\nCOPY a /\n"), ("a", "remote")]);
    let context = server.put("/ctx.tar.gz", packed("gzip", &tar));
    home.ok(&[&context], b"");
    assert_eq!(home.out("a"), "remote");
    let single = server.put("/Dockerfile", "FROM scratch\nCOPY <<EOF /b\nb\nEOF\n");
    home.ok(&[&single], b"");
    assert_eq!(home.out("b"), "b\n");
    home.write("ctx/Dockerfile", "FROM scratch\nCOPY --from=t a /c\nCOPY --from=f Dockerfile /\n");
    home.ok(
        &["--build-context", &format!("t={context}"), "--build-context", &format!("f={single}"), "ctx"],
        b"",
    );
    assert_eq!((home.out("c"), home.out("Dockerfile").len()), ("remote".to_owned(), 33));

    let file = server.put("/dir/file.tar", tar.clone());
    server.log();
    home.write("ctx/Dockerfile", &format!("FROM scratch\nADD {file} /\nADD --unpack=true {file} /u/\n"));
    home.ok(&["ctx"], b"");
    assert_eq!(fs::read(home.path("out/file.tar")).unwrap(), tar);
    assert_eq!(home.out("u/a"), "remote");
    let told = home.ok(&["ctx"], b"");
    assert_eq!(told.matches("CACHED").count(), 2, "{told}");
    assert_eq!(server.log()[2..], ["304 /dir/file.tar", "304 /dir/file.tar"]);
    server.put("/dir/file.tar", tar_of(&[("a", "changed")]));
    home.ok(&["ctx"], b"");
    assert_eq!(home.out("u/a"), "changed", "other bytes behind the same address are seen");

    let digest = plimsoll_image::Digest::of(b"text").to_string();
    let text = server.put("/text", "text");
    home.write("ctx/Dockerfile", &format!("FROM scratch\nADD --checksum={digest} {text} /\n"));
    home.ok(&["ctx"], b"");
    server.put("/text", "other");
    server.log();
    home.ok(&["--no-cache", "ctx"], b"");
    assert_eq!(home.out("text"), "text");
    assert!(server.log().is_empty(), "a file with this digest is here");
    let wrong = digest.replace(&digest[10..14], "0000");
    home.write("ctx/Dockerfile", &format!("FROM scratch\nADD --checksum={wrong} {text} /\n"));
    let told = home.fails(&["ctx"], b"");
    assert!(told.contains("digest mismatch"), "{told}");
}

#[test]
fn http_secrets_open_private_files_and_are_not_kept() {
    let Some(home) = Home::new() else { return };
    let server = Http::start();
    let url = server.put("/private/x", "private");
    home.write("ctx/Dockerfile", &format!("FROM scratch\nADD {url} /\n"));
    let told = home.fails(&["ctx"], b"");
    assert!(told.contains("401"), "{told}");
    home.ok(&["--secret", "id=HTTP_AUTH_TOKEN_127.0.0.1,env=TOKEN", "ctx"], b"");
    assert_eq!(home.out("x"), "private");
    let found = Command::new("grep").args(["-r", "s3cret"]).arg(home.path("home")).output().unwrap();
    assert_eq!(found.status.code(), Some(1), "{}", String::from_utf8_lossy(&found.stdout));
}

/// Runs git in a folder, as somebody.
fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(dir)
        .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.allow=always"])
        .args(arguments)
        .env("GIT_COMMITTER_DATE", "1700000000 +0000")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn git_repositories_with_sha256() {
    let Some(home) = Home::new() else { return };
    for format in ["sha1", "sha256"] {
        home.write(&format!("{format}/Dockerfile"), "FROM scratch\nCOPY file /\n");
        home.write(&format!("{format}/file"), format);
        let dir = home.path(format);
        git(&dir, &["init", "-q", "-b", "main", &format!("--object-format={format}")]);
        git(&dir, &["add", "."]);
        git(&dir, &["commit", "-q", "-m", "first"]);
        git(&dir, &["tag", "-a", "v1", "-m", "v1"]);
    }
    let daemon = GitDaemon::start(home.dir.path());
    for format in ["sha1", "sha256"] {
        let url = format!("git://127.0.0.1:{}/{format}", daemon.port);
        let commit = git(&home.path(format), &["rev-parse", "HEAD"]);
        for reference in ["", "#v1", "#main", &format!("#{commit}"), &format!("#{}", &commit[..12])] {
            home.ok(&[&format!("{url}{reference}")], b"");
            assert_eq!(home.out("file"), format, "{reference}");
        }
        home.ok(&[&format!("{url}?ref=v1&checksum={}", &commit[..50.min(commit.len())])], b"");
        home.write("ctx/Dockerfile", &format!("FROM scratch\nADD --checksum={commit} {url}#v1 /x/\n"));
        home.ok(&["ctx"], b"");
        assert_eq!(home.out("x/file"), format);
        home.write("ctx/Dockerfile", "FROM scratch\nCOPY --from=src file /\n");
        home.ok(&["--build-context", &format!("src={url}"), "ctx"], b"");
        assert_eq!(home.out("file"), format);
    }
}

/// Gives a web server every file of a repository, which is all that git's "dumb" protocol needs.
fn serve_files(server: &Http, root: &Path, folder: &str) {
    git(&root.join(folder), &["update-server-info"]);
    let mut todo = vec![root.join(folder)];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
                continue;
            }
            let name = format!("/{}", path.strip_prefix(root).unwrap().display());
            let bytes = fs::read(&path).unwrap();
            server.put(&format!("{name}?service=git-upload-pack"), bytes.clone());
            server.put(&name, bytes);
        }
    }
}

#[test]
fn submodules_over_plain_http() {
    let Some(home) = Home::new() else { return };
    let server = Http::start();
    let root = home.dir.path();
    let make = |name: &str, submodule: Option<&str>| {
        home.write(&format!("{name}/Dockerfile"), "FROM scratch\nCOPY . /\n");
        home.write(&format!("{name}/file"), name);
        let dir = home.path(name);
        git(&dir, &["init", "-q", "-b", "main"]);
        if let Some(inner) = submodule {
            let url = format!("http://127.0.0.1:{}/{inner}/.git", server.port);
            git(&dir, &["submodule", "--quiet", "add", &url, inner]);
        }
        git(&dir, &["add", "."]);
        git(&dir, &["commit", "-q", "-m", name]);
        serve_files(&server, root, &format!("{name}/.git"));
        format!("http://127.0.0.1:{}/{name}/.git", server.port)
    };
    make("deep", None);
    make("library", Some("deep"));
    let app = make("app", Some("library"));
    // the submodule goes on; what is wanted is not its newest commit
    home.write("library/file", "newer");
    git(&home.path("library"), &["commit", "-q", "-a", "-m", "newer"]);
    serve_files(&server, root, "library/.git");
    home.ok(&[&app], b"");
    assert_eq!(
        (home.out("file"), home.out("library/file"), home.out("library/deep/file")),
        ("app".to_owned(), "library".to_owned(), "deep".to_owned())
    );
}

#[test]
fn dockerfile_from_a_url() {
    let Some(home) = Home::new() else { return };
    let server = Http::start();
    let url = server.put("/some/Dockerfile.release", "FROM scratch\nCOPY hello.txt /\n");
    home.write("ctx/hello.txt", "hello");
    home.write("ctx/secret.txt", "no");
    home.ok(&["-f", &url, "ctx"], b"");
    assert_eq!(home.out("hello.txt"), "hello");
    // with contexts of elsewhere, too
    let tar = tar_of(&[("hello.txt", "in the tar")]);
    home.ok(&["-f", &url, "-"], &tar);
    assert_eq!(home.out("hello.txt"), "in the tar");
    let context = server.put("/ctx.tar", tar);
    home.ok(&["-f", &url, &context], b"");
    assert_eq!(home.out("hello.txt"), "in the tar");
    home.write("local.Dockerfile", "FROM scratch\nCOPY hello.txt /local\n");
    home.ok(&["-f", home.path("local.Dockerfile").to_str().unwrap(), &context], b"");
    assert_eq!(home.out("local"), "in the tar");
    let missing = format!("http://127.0.0.1:{}/none", server.port);
    let told = home.fails(&["-f", &missing, "ctx"], b"");
    assert!(told.contains(&missing) && told.contains("404"), "{told}");
    let told = home.fails(&["-f", "https://host.invalid/a.git", "ctx"], b"");
    assert!(told.contains("is a git repository"), "{told}");
}

/// When an image of `arguments` was made, from its configuration.
fn created(home: &Home, arguments: &[&str]) -> String {
    let _ = fs::remove_dir_all(home.path("oci"));
    let output = home.build(&[&["--no-cache", "-o", "type=oci,tar=false,dest=oci"], arguments].concat(), b"");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let read = |path: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(home.path("oci").join(path)).unwrap()).unwrap()
    };
    let blob =
        |digest: &serde_json::Value| read(&format!("blobs/{}", digest.as_str().unwrap().replace(':', "/")));
    let manifest = blob(&read("index.json")["manifests"][0]["digest"]);
    blob(&manifest["config"]["digest"])["created"].as_str().unwrap()[..4].to_owned()
}

#[test]
fn source_date_epoch_words_of_sources() {
    let Some(home) = Home::new() else { return };
    let server = Http::start();
    let tar = tar_of(&[("Dockerfile", "FROM scratch\nCOPY file /\n"), ("file", "x")]);
    let context = server.put("/context.tar", tar);
    let word = ["--build-arg", "SOURCE_DATE_EPOCH=context"];
    assert_eq!(created(&home, &[word[0], word[1], &context]), "2015", "Last-Modified");
    home.write("ctx/file", "x");
    let stage = format!(
        "ARG SOURCE_DATE_EPOCH=release\nFROM scratch AS release\nADD {context} /\nFROM scratch\n\
         ARG SOURCE_DATE_EPOCH\nLABEL epoch=$SOURCE_DATE_EPOCH\nCOPY file /\n"
    );
    home.write("ctx/Dockerfile", &stage);
    assert_eq!(created(&home, &["ctx"]), "2015");
    assert_eq!(created(&home, &["--build-arg", "SOURCE_DATE_EPOCH=0", "ctx"]), "1970", "a number wins");
    let manifest = fs::read_dir(home.path("oci/blobs/sha256")).unwrap();
    let all: String = manifest
        .map(|entry| String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()).into_owned())
        .collect();
    assert!(all.contains("\"epoch\":\"0\""), "stages see the number");
    let told = home.fails(&["--build-arg", "SOURCE_DATE_EPOCH=yesterday", "ctx"], b"");
    assert!(told.contains("invalid SOURCE_DATE_EPOCH: yesterday"), "{told}");
    let named = format!("t={context}");
    let by_name = ["--build-arg", "SOURCE_DATE_EPOCH=t", "--build-context", &named, "ctx"];
    assert_eq!(created(&home, &by_name), "2015", "a named context");
}

#[test]
fn unused_context_stops_the_build() {
    let Some(home) = Home::new() else { return };
    home.write("ctx/file", "x");
    home.write(
        "ctx/Dockerfile",
        "FROM scratch AS other\nCOPY --from=somewhere a /\nFROM scratch\nCOPY file /\n",
    );
    let dead = ["somewhere=http://127.0.0.1:9/other.git", "elsewhere=http://127.0.0.1:9/x.tar"];
    let contexts = ["--build-context", dead[0], "--build-context", dead[1]];
    home.ok(&[&contexts[..], &["ctx"]].concat(), b"");
    assert_eq!(home.out("file"), "x");
    // what needs it names the line
    let told = home.fails(&[&contexts[..], &["--target", "other", "ctx"]].concat(), b"");
    assert!(told.contains("127.0.0.1:9/other.git") && told.contains("Dockerfile:2:"), "{told}");
    // an address that is one, and of which every platform's build needs the files, is fetched once
    let server = Http::start();
    let tar = server.put("/t.tar", tar_of(&[("a", "from the tar")]));
    let named = format!("somewhere={tar}");
    let both =
        ["--platform", "linux/amd64,linux/arm64", "--build-context", &named, "--target", "other", "ctx"];
    home.ok(&both, b"");
    assert_eq!(home.out("linux_arm64/a"), "from the tar");
    assert_eq!(server.log().len(), 1);
}
