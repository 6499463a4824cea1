//! Real builds into a store of their own. Needs root; the base image is made of a few programs of the host.
//!
//! The harness is our own, because steps execute this binary again as the sandbox helper.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant, SystemTime},
};

use plimsoll_build::{
    BuildError, BuildOutcome, BuildRequest, Builder, CaBundle, Epoch, Event, ImageResolver, NamedContext,
    Progress, Reason, ResolveError, ResolvedImage, Secret, SecretSource, Silent, SshAgent, SshKeys,
};
use plimsoll_image::{
    Image, ImageConfig, LayerId, Reference, SealOptions, Store, manifest::Platform, output::write_rootfs_dir,
};
use plimsoll_source::Source;
use tempfile::TempDir;

fn main() -> ExitCode {
    plimsoll_sandbox::init_if_requested();
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: builds need root");
        return ExitCode::from(u8::from(std::env::var_os("CI").is_some()));
    }
    let filters: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let mut failed = 0;
    for (name, test) in TESTS {
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter.as_str())) {
            continue;
        }
        let start = Instant::now();
        let passed = catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("test {name} ... {} ({:?})", if passed { "ok" } else { "FAILED" }, start.elapsed());
        failed += usize::from(!passed);
    }
    println!("{failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

const TESTS: &[(&str, fn())] = &[
    ("copies keep content, modes and links, and belong to root", copies),
    ("nothing changed means nothing runs", nothing_changed),
    ("a touched file changes nothing", touched),
    ("a changed file runs only what reads it, and is named", changed_file),
    ("a step that gives the same bytes again lets its followers hit", same_bytes_again),
    ("two projects with equal size and time get their own bytes", wrong_content),
    ("stages run at once, one step with one key once", parallel_stages),
    ("a download holds up nobody else, and ends with a failure", downloads_beside_steps),
    ("a failing step names its line, output and code, and stops the others", failing_step),
    ("a failing check fails the build that waits for its mark", failing_gate),
    ("mounts: bind, cache, secret, tmpfs", run_mounts),
    ("keys for ssh come from a pipe once, for all steps", keys_from_a_pipe),
    ("a secret is in no layer and in no cache file", secrets_stay_out),
    ("a locked cache mount has one user at a time", locked_cache),
    ("copy from a stage links files instead of copying them", copy_from_links),
    ("a changed file is copied, the others are linked from the last layer", kept_files),
    ("a context is recognised, and every change of it", recognised_context),
    ("what a power failure took is built again, and nothing else", power_failure),
    ("chown, chmod, users and workdirs", owners),
    ("configuration and history", configuration),
    ("ignored files are not there, also in mounts", ignored),
    ("the same tree gives the same image, wherever and whenever", reproducible),
    ("the host's certificates are seen and leave nothing", certificates),
    ("triggers of a base image fire", onbuild),
    ("errors name line and cause", errors),
    ("a layer that is gone is built again", pruned),
    ("archives are unpacked, whatever their compression, and never outside", archives),
    ("heredocs are scripts and files", heredocs),
    ("links on the way to a destination are followed inside the root", linked_destinations),
    ("parents, excludes and named contexts", parents_and_excludes),
    ("what a named context excludes is missing with a hint", named_context_excludes),
    ("two stages that add, remove and add the same file stack", same_layer_twice),
    ("a step that only sets times has a layer of its own", only_times),
    ("a file that changes while it is read fails the build or is read right", changing_file),
    ("a cancelled build stops and leaves no unfinished layer", cancelled),
    ("the graph is printable", printable),
    ("a context of many files is fast when nothing changed", many_files),
];

struct Bench {
    dir: TempDir,
    store: Store,
    builder: Builder,
    base: ResolvedImage,
}

struct Only(ResolvedImage);

impl ImageResolver for Only {
    fn resolve(&self, name: &Reference, _: &Platform) -> Result<ResolvedImage, ResolveError> {
        if name.familiar_name() == "base" {
            return Ok(self.0.clone());
        }
        Err(ResolveError { message: format!("no image {}", name.familiar()), hint: Some("use base".into()) })
    }
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("store")).unwrap();
        let builder = Builder::new(&store, dir.path().join("build")).unwrap();
        let base = base_image(&store);
        fs::create_dir(dir.path().join("context")).unwrap();
        Self { dir, store, builder, base }
    }

    fn context(&self) -> PathBuf {
        self.dir.path().join("context")
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.context().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn request(&self, dockerfile: &str) -> BuildRequest {
        let mut request = BuildRequest::new(self.context(), Source::new("Dockerfile", dockerfile), None);
        request.ca = CaBundle::Off;
        request.epoch = Epoch::At(1_600_000_000);
        request
    }

    fn run(&self, request: &BuildRequest) -> Result<BuildOutcome, BuildError> {
        // A new builder reads its caches from the disk, as a new process does.
        let builder = Builder::new(&self.store, self.dir.path().join("build")).unwrap();
        builder.build(request, &Only(self.base.clone()), &Silent)
    }

    fn build(&self, dockerfile: &str) -> BuildOutcome {
        self.build_with(dockerfile, |_| ())
    }

    fn build_with(&self, dockerfile: &str, change: impl FnOnce(&mut BuildRequest)) -> BuildOutcome {
        let mut request = self.request(dockerfile);
        change(&mut request);
        self.run(&request).unwrap_or_else(|error| panic!("{}", text(&error)))
    }

    fn error(&self, dockerfile: &str) -> String {
        text(&self.run(&self.request(dockerfile)).unwrap_err())
    }

    /// The image's files, written to a fresh folder.
    fn files(&self, outcome: &BuildOutcome) -> TempDir {
        let dir = tempfile::tempdir_in(self.dir.path()).unwrap();
        write_rootfs_dir(&self.store, &outcome.record.layers, &dir.path().join("root")).unwrap();
        dir
    }

    fn read(&self, outcome: &BuildOutcome, path: &str) -> String {
        let dir = self.files(outcome);
        fs::read_to_string(dir.path().join("root").join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// Everything that an error tells, with the lines that it points to.
fn text(error: &BuildError) -> String {
    let mut text = String::new();
    for diagnostic in error.diagnostics() {
        text.push_str(&diagnostic.title);
        for label in &diagnostic.labels {
            let line = label.source.line_col(label.span.start).line;
            text.push_str(&format!("\n{}:{line}: {}", label.source.name(), label.source.slice(label.span)));
        }
        for note in diagnostic.notes.iter().chain(&diagnostic.hint) {
            text.push_str(&format!("\n{note}"));
        }
    }
    text
}

fn ran(outcome: &BuildOutcome) -> Vec<String> {
    let steps = outcome.steps.iter().filter(|step| step.ran.is_some());
    steps.map(|step| step.title.split_once("] ").unwrap().1.to_owned()).collect()
}

/// An image with a shell and some programs of the host, with their libraries.
fn base_image(store: &Store) -> ResolvedImage {
    const PROGRAMS: [&str; 20] = [
        "sh", "cat", "ls", "id", "touch", "mkdir", "sleep", "env", "stat", "rm", "cp", "ln", "chmod",
        "chown", "date", "readlink", "true", "sort", "head", "cmp",
    ];
    let draft = store.begin_layer().unwrap();
    for folder in ["usr/bin", "etc", "root", "tmp"] {
        fs::create_dir_all(draft.fs.join(folder)).unwrap();
    }
    fs::set_permissions(draft.fs.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    for link in ["bin", "lib", "lib64"] {
        symlink(format!("usr/{link}"), draft.fs.join(link)).unwrap();
    }
    let mut files = BTreeSet::new();
    for program in PROGRAMS {
        let program = format!("/usr/bin/{program}");
        let output = Command::new("ldd").arg(&program).output().unwrap();
        let libraries = String::from_utf8(output.stdout).unwrap();
        files.extend(libraries.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned));
        files.insert(program);
    }
    for file in files {
        let inside = if file.starts_with("/usr") { file.clone() } else { format!("/usr{file}") };
        let target = draft.fs.join(inside.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
    fs::write(draft.fs.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n")
        .unwrap();
    fs::write(draft.fs.join("etc/group"), "root:x:0:\napp:x:1001:\n").unwrap();
    let layer = draft.seal(&SealOptions { epoch: Some(0) }).unwrap();
    let mut config = ImageConfig::default();
    config.config.env.push("PATH=/usr/bin".into());
    config.config.env.push("FROM_BASE=yes".into());
    ResolvedImage { image: Image { config, layers: vec![layer.id] }, shown: "base".into(), digest: None }
}

fn copies() {
    let bench = Bench::new();
    bench.write("dir/a", "a");
    bench.write("dir/sub/b", "b");
    bench.write("one", "1");
    // Not the other way round: chown clears set-user-id.
    std::os::unix::fs::chown(bench.context().join("one"), Some(77), Some(78)).unwrap();
    fs::set_permissions(bench.context().join("one"), fs::Permissions::from_mode(0o4751)).unwrap();
    symlink("../one", bench.context().join("dir/link")).unwrap();
    fs::hard_link(bench.context().join("dir/a"), bench.context().join("dir/again")).unwrap();
    let outcome = bench.build(
        "FROM scratch\nCOPY dir /to/\nCOPY one /to\nCOPY one /named\nCOPY dir/a one /many/\nCOPY d*/su? /glob/\nCOPY one dir /to/two/\n",
    );
    let dir = bench.files(&outcome);
    let at = |path: &str| dir.path().join("root").join(path);
    let read = |path: &str| fs::read_to_string(at(path)).unwrap();
    assert_eq!(
        (read("to/a"), read("to/sub/b"), read("to/one"), read("named")),
        ("a".into(), "b".into(), "1".into(), "1".into())
    );
    assert_eq!((read("many/a"), read("many/one"), read("glob/b")), ("a".into(), "1".into(), "b".into()));
    assert_eq!((read("to/two/one"), read("to/two/sub/b")), ("1".into(), "b".into()));
    assert_eq!(fs::read_link(at("to/link")).unwrap(), Path::new("../one"));
    let meta = fs::metadata(at("named")).unwrap();
    assert_eq!((meta.mode() & 0o7777, meta.uid(), meta.gid()), (0o4751, 0, 0));
    assert_eq!(fs::metadata(at("to/a")).unwrap().ino(), fs::metadata(at("to/again")).unwrap().ino());
    assert!(meta.mtime() <= 1_600_000_000, "clamped to the epoch");
}

const SMALL: &str = "FROM base AS work\nWORKDIR /src\nCOPY a ./\nRUN cat a > out\nCOPY b ./\nRUN cat b >> out\n\
                     FROM scratch\nCOPY --from=work /src/out /\n";

fn nothing_changed() {
    let bench = Bench::new();
    bench.write("a", "1");
    bench.write("b", "2");
    let first = bench.build(SMALL);
    assert_eq!(ran(&first).len(), 6, "{:?}", ran(&first));
    assert_eq!(bench.read(&first, "out"), "12");
    let second = bench.build(SMALL);
    assert_eq!(ran(&second), Vec::<String>::new());
    assert_eq!(second.record.id, first.record.id);
    let forced = bench.build_with(SMALL, |request| request.no_cache = true);
    assert_eq!(ran(&forced).len(), 6);
    assert_eq!(forced.record.id, first.record.id, "the same bytes are the same image");
}

fn touched() {
    let bench = Bench::new();
    bench.write("a", "1");
    bench.write("b", "2");
    bench.build(SMALL);
    bench.write("a", "1");
    fs::remove_file(bench.context().join("b")).unwrap();
    bench.write("b", "2");
    assert_eq!(ran(&bench.build(SMALL)), Vec::<String>::new());
}

fn changed_file() {
    let bench = Bench::new();
    bench.write("a", "1");
    bench.write("b", "2");
    bench.build(SMALL);
    bench.write("b", "3");
    let outcome = bench.build(SMALL);
    assert_eq!(ran(&outcome), ["COPY b ./", "RUN cat b >> out", "COPY --from=work /src/out /"]);
    assert_eq!(bench.read(&outcome, "out"), "13");
    let reasons: Vec<String> =
        outcome.steps.iter().filter_map(|step| step.ran.as_ref()).map(Reason::to_string).collect();
    assert_eq!(reasons[0], "file b changed");
    assert_eq!(reasons[1], "the files before it changed");
    let outcome = bench.build_with(&SMALL.replace("RUN cat a", "ARG X\nRUN cat a"), |request| {
        request.build_args.push(("X".into(), "y".into()));
    });
    let reason = outcome.steps.iter().find_map(|step| step.ran.as_ref()).unwrap().to_string();
    assert_eq!(reason, "the variable X is new");
}

fn same_bytes_again() {
    let bench = Bench::new();
    bench.write("a", "1");
    let file = "FROM base\nCOPY a /a\nRUN head -c 1 /a > /first\nRUN rm /a\nRUN cat /first > /second\n";
    bench.build(file);
    // What the first RUN writes is the same, but /a, which the next one reads, is not.
    let file = "FROM base AS one\nCOPY a /a\nRUN head -c 1 /a > /first\nFROM base\nCOPY --from=one /first /\nRUN cat /first > /second\n";
    bench.build(file);
    bench.write("a", "1 and more");
    let outcome = bench.build(file);
    assert_eq!(ran(&outcome), ["COPY a /a", "RUN head -c 1 /a > /first"]);
}

fn wrong_content() {
    let bench = Bench::new();
    let time = std::time::UNIX_EPOCH + Duration::from_hours(416_000);
    let mut images = Vec::new();
    for (project, content) in [("one", "AAAA"), ("two", "BBBB")] {
        bench.write(&format!("{project}/file"), content);
        let file = fs::File::options().write(true).open(bench.context().join(project).join("file")).unwrap();
        file.set_modified(time).unwrap();
        let outcome = bench.build_with("FROM scratch\nCOPY file /\n", |request| {
            request.context = bench.context().join(project);
        });
        assert_eq!(bench.read(&outcome, "file"), content);
        images.push(outcome.record.id);
    }
    assert_ne!(images[0], images[1]);
    // The same path, rewritten within one second, its old time set back.
    for content in ["CCCC", "DDDD", "EEEE"] {
        bench.write("one/file", content);
        let file = fs::File::options().write(true).open(bench.context().join("one/file")).unwrap();
        file.set_modified(time).unwrap();
        let outcome = bench.build_with("FROM scratch\nCOPY file /\n", |request| {
            request.context = bench.context().join("one");
        });
        assert_eq!(bench.read(&outcome, "file"), content);
    }
}

/// Lets a server answer when a step with this word in its title has ended.
struct Gate {
    word: &'static str,
    steps: Mutex<BTreeSet<usize>>,
    open: mpsc::Sender<()>,
}

impl Progress for Gate {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Started { step, title, .. } if title.text.contains(self.word) => {
                self.steps.lock().unwrap().insert(*step);
            }
            Event::Finished { step, .. } if self.steps.lock().unwrap().contains(step) => {
                // Whoever waited may have given up.
                let _ = self.open.send(());
            }
            _ => {}
        }
    }
}

/// Answers one request with `text` once the gate is open; tells whether it was in time.
fn gated_server(text: &'static str, gate: mpsc::Receiver<()>) -> (String, thread::JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap());
    let serving = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = client.read(&mut request).unwrap();
        let opened = gate.recv_timeout(Duration::from_secs(20)).is_ok();
        let answer =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len());
        // A client that was stopped hears no answer.
        let _ = client.write_all(answer.as_bytes());
        opened
    });
    (url, serving)
}

fn downloads_beside_steps() {
    if Command::new("curl").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "CI needs curl");
        eprintln!("skipped: no curl");
        return;
    }
    let bench = Bench::new();
    let (open, gate) = mpsc::channel();
    let (url, serving) = gated_server("from afar", gate);
    let file = format!(
        "FROM base AS slow\nADD {url} /far\nFROM base AS other\nRUN echo near > /near\n\
         FROM base\nCOPY --from=slow /far /\nCOPY --from=other /near /\n"
    );
    let progress = Gate { word: "RUN echo near", steps: Mutex::default(), open };
    let outcome = bench.builder.build(&bench.request(&file), &Only(bench.base.clone()), &progress);
    assert!(serving.join().unwrap(), "the other stage waited for the download");
    assert_eq!(bench.read(&outcome.unwrap(), "far"), "from afar");

    // the server never answers: the build ends with the step that fails, and so does the download
    let (_never, gate) = mpsc::channel();
    let (url, serving) = gated_server("late", gate);
    let file = format!(
        "FROM base AS slow\nADD {url} /far\nFROM base AS other\nRUN echo broken; exit 7\n\
         FROM base\nCOPY --from=slow /far /\nCOPY --from=other /near /\n"
    );
    let error = bench.error(&file);
    assert!(error.contains("exit code: 7"), "{error}");
    assert!(!serving.is_finished(), "the build waited for a download that nobody needs");
}

fn parallel_stages() {
    let bench = Bench::new();
    // Each stage ends only when the other one runs too.
    let meet = |own: &str, other: &str| {
        format!(
            "RUN --mount=type=cache,target=/meet touch /meet/{own} /{own}; \\\n    \
             i=0; while [ ! -e /meet/{other} ]; do i=$((i+1)); [ $i -lt 300 ] || exit 9; sleep 0.1; done\n"
        )
    };
    let file = format!(
        "FROM base AS one\nRUN sleep 0.6; date +%N > /same\n{}\
         FROM base AS two\nRUN sleep 0.6; date +%N > /same\n{}\
         FROM base\nCOPY --from=one /same /s1\nCOPY --from=two /same /s2\nCOPY --from=one /one /\nCOPY --from=two /two /\n",
        meet("one", "two"),
        meet("two", "one")
    );
    let mut request = bench.request(&file);
    request.parallelism = Some(4);
    let outcome = bench.builder.build(&request, &Only(bench.base.clone()), &Silent).unwrap();
    assert_eq!(bench.read(&outcome, "s1"), bench.read(&outcome, "s2"), "one key, one run");
    let runs = |outcome| ran(outcome).iter().filter(|title| title.contains("%N")).count();
    assert_eq!(runs(&outcome), 1);
    request.no_cache = true;
    let again = bench.builder.build(&request, &Only(bench.base.clone()), &Silent).unwrap();
    assert_eq!(runs(&again), 1);
    assert_ne!(bench.read(&again, "s1"), bench.read(&outcome, "s1"));
}

fn failing_step() {
    let bench = Bench::new();
    let file = "FROM base AS slow\nRUN sleep 30\nFROM base AS bad\nRUN sleep 0.3; echo first; echo last words >&2; exit 7\n\
                FROM base\nCOPY --from=slow /etc/passwd /\nCOPY --from=bad /etc/passwd /\n";
    let start = Instant::now();
    let error = bench.error(file);
    assert!(start.elapsed() < Duration::from_secs(10), "the other stage was stopped");
    let expected = "process \"/bin/sh -c sleep 0.3; echo first; echo last words >&2; exit 7\" did not complete successfully: exit code: 7\n\
                    Dockerfile:4: RUN sleep 0.3";
    assert!(error.starts_with(expected), "{error}");
    assert!(error.contains("first\nlast words"), "{error}");
    let log = error.rsplit("the whole output is in ").next().unwrap();
    assert_eq!(fs::read_to_string(log).unwrap(), "first\nlast words\n");
    let error = bench.error("FROM base\nRUN [\"no-such-program\"]\n");
    assert!(error.contains("exec: \"no-such-program\": executable file not found in $PATH"), "{error}");
}

fn failing_gate() {
    let bench = Bench::new();
    let file = "FROM base AS check\nRUN exit 3\nRUN touch /mark\nFROM base AS build\nRUN touch /out\nCOPY --from=check /mark /mark\n\
                FROM scratch\nCOPY --from=build /out /\n";
    assert!(bench.error(file).contains("exit code: 3"));
    let good = bench.build(&file.replace("exit 3", "true"));
    let dir = bench.files(&good);
    assert!(!dir.path().join("root/mark").exists());
}

fn run_mounts() {
    let bench = Bench::new();
    bench.write("in/file", "from the context");
    fs::write(bench.dir.path().join("token"), "hunter2").unwrap();
    let file = "FROM base AS other\nRUN mkdir /o && echo other > /o/f\n\
        FROM base\nWORKDIR /w\n\
        RUN --mount=type=bind,source=in,target=in \\\n    --mount=type=bind,from=other,source=/o,target=/o,rw \\\n    --mount=type=cache,target=/c,uid=1000,mode=0700 \\\n\
            --mount=type=tmpfs,target=/t \\\n    --mount=type=secret,id=tok --mount=type=secret,id=tok,target=/s,mode=0444 --mount=type=secret,id=tok,env=TOKEN \\\n\
            cat in/file /o/f /run/secrets/tok /s > out && echo \" $TOKEN\" >> out && touch /o/x /t/x && ! touch in/x 2>/dev/null \\\n\
            && stat -c '%a %u' /c >> out && ls /c >> out && touch /c/kept\n";
    let with_secret = |request: &mut BuildRequest| {
        request.secrets.push(Secret::new("tok", SecretSource::File(bench.dir.path().join("token"))));
    };
    let outcome = bench.build_with(file, with_secret);
    assert_eq!(bench.read(&outcome, "w/out"), "from the contextother\nhunter2hunter2 hunter2\n700 1000\n");
    let dir = bench.files(&outcome);
    for path in ["o", "c", "t", "s", "run", "w/in"] {
        assert!(!dir.path().join("root").join(path).exists(), "the mount point {path} is gone");
    }
    let again = bench.build_with(&file.replace("cat in/file", "cat  in/file"), with_secret);
    assert!(bench.read(&again, "w/out").ends_with("kept\n"), "the cache mount outlives the build");
    bench.write("in/file", "changed");
    let outcome = bench.build_with(file, with_secret);
    assert_eq!(ran(&outcome).len(), 1);
    let reason = outcome.steps.iter().find_map(|step| step.ran.as_ref()).unwrap().to_string();
    assert!(reason.contains("the files mounted on /w/in changed"), "{reason}");
    assert!(
        bench
            .error("FROM base\nRUN --mount=type=secret,id=no,required true\n")
            .contains("secret no: not found")
    );
    assert!(
        bench
            .error("FROM base\nRUN --mount=type=ssh,required true\n")
            .contains("ssh agent default: not found")
    );
    bench.build("FROM base\nRUN --mount=type=ssh test -z \"$SSH_AUTH_SOCK\"\n");
}

fn keys_from_a_pipe() {
    let bench = Bench::new();
    let (key, pipe) = (bench.dir.path().join("key"), bench.dir.path().join("pipe"));
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    if !made.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "CI must not skip: needs ssh-keygen");
        eprintln!("skipped: needs ssh-keygen");
        return;
    }
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let to = pipe.clone();
    let writer = thread::spawn(move || {
        let mut pipe = fs::OpenOptions::new().write(true).open(to).unwrap();
        pipe.write_all(&fs::read(key).unwrap()).unwrap();
    });
    let step = "RUN --mount=type=ssh,required test -S \"$SSH_AUTH_SOCK\"";
    bench.build_with(&format!("FROM base\n{step} && touch /one\n{step} && touch /two\n"), |request| {
        request.ssh.push(SshAgent { id: "default".into(), keys: SshKeys::Files(vec![pipe.clone()]) });
    });
    writer.join().unwrap();
}

fn secrets_stay_out() {
    let bench = Bench::new();
    let secret = "correct-horse-battery-staple";
    fs::write(bench.dir.path().join("token"), secret).unwrap();
    bench.build_with("FROM base\nRUN --mount=type=secret,id=t,env=T cat /run/secrets/t > /dev/null; test -n \"$T\" && touch /done\n", |request| {
        request.secrets.push(Secret::new("t", SecretSource::File(bench.dir.path().join("token"))));
    });
    fs::remove_file(bench.dir.path().join("token")).unwrap();
    let found = Command::new("grep").args(["-rl", secret]).arg(bench.dir.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}

fn locked_cache() {
    let bench = Bench::new();
    let step = |name: &str| {
        format!(
            "FROM base AS {name}\nRUN --mount=type=cache,id=l,target=/l,sharing=locked test ! -e /l/busy && touch /l/busy && sleep 0.3 && rm /l/busy && touch /{name}\n"
        )
    };
    let file = format!(
        "{}{}{}FROM scratch\nCOPY --from=a /a /\nCOPY --from=b /b /\nCOPY --from=c /c /\n",
        step("a"),
        step("b"),
        step("c")
    );
    bench.build_with(&file, |request| request.parallelism = Some(3));
}

fn copy_from_links() {
    let bench = Bench::new();
    let file = "FROM base AS one\nRUN mkdir /m && echo content > /m/f && chmod 640 /m/f && chown 5:6 /m/f\n\
                FROM scratch\nCOPY --from=one /m /m\nCOPY --from=one --chown=9:9 /m /n\nCOPY --from=one /m/f /twice/a\nCOPY --from=one /m/f /m/f /twice/\n";
    let outcome = bench.build(file);
    let files: Vec<PathBuf> =
        outcome.record.layers.iter().map(|id| bench.store.require_layer(id).unwrap().path).collect();
    assert!(fs::metadata(files[0].join("m/f")).unwrap().nlink() > 1, "the file is shared with its stage");
    let dir = bench.files(&outcome);
    let meta = |path: &str| fs::metadata(dir.path().join("root").join(path)).unwrap();
    assert_eq!((meta("m/f").uid(), meta("m/f").gid(), meta("m/f").mode() & 0o777), (5, 6, 0o640));
    assert_eq!((meta("n/f").uid(), meta("n/f").gid()), (9, 9));
    assert_eq!(meta("m/f").nlink(), 1, "no hard links in the image that were none in the stage");
}

/// What did not change is in the step's last layer already, and nothing tells a layer of links from one of copies.
fn kept_files() {
    let bench = Bench::new();
    for file in ["same", "sub/same", "changed", "chmod", "touched", "gone"] {
        bench.write(&format!("dir/{file}"), file);
    }
    bench.write("dir/one", "twins");
    fs::hard_link(bench.context().join("dir/one"), bench.context().join("dir/two")).unwrap();
    let file = "FROM scratch\nCOPY dir /to/\n";
    let top = |outcome: &BuildOutcome| bench.store.require_layer(&outcome.record.layers[0]).unwrap().path;
    let first = top(&bench.build(file));
    let context = |path: &str| bench.context().join("dir").join(path);
    bench.write("dir/changed", "CHANGED");
    bench.write("dir/new", "new");
    fs::set_permissions(context("chmod"), fs::Permissions::from_mode(0o600)).unwrap();
    let set_time = |path: &str, time: SystemTime| {
        fs::File::options().write(true).open(context(path)).unwrap().set_modified(time).unwrap();
    };
    set_time("touched", SystemTime::UNIX_EPOCH + Duration::from_secs(5));
    // after the epoch both before and now: no tar tells
    set_time("same", SystemTime::now());
    fs::remove_file(context("gone")).unwrap();
    // no longer two names of one file
    let modified = fs::metadata(context("two")).unwrap().modified().unwrap();
    fs::remove_file(context("two")).unwrap();
    bench.write("dir/two", "twins");
    fs::File::options().write(true).open(context("two")).unwrap().set_modified(modified).unwrap();
    let changed = bench.build(file);
    let second = top(&changed);
    let inode = |layer: &Path, path: &str| fs::metadata(layer.join("to").join(path)).unwrap().ino();
    for kept in ["same", "sub/same"] {
        assert_eq!(inode(&first, kept), inode(&second, kept), "{kept}");
    }
    for other in ["changed", "chmod", "touched"] {
        assert_ne!(inode(&first, other), inode(&second, other), "{other}");
    }
    assert_ne!(inode(&second, "one"), inode(&second, "two"), "two files are not one");
    assert!(!second.join("to/gone").exists());
    assert_eq!(fs::read_to_string(second.join("to/changed")).unwrap(), "CHANGED");
    assert_eq!(fs::read_to_string(first.join("to/changed")).unwrap(), "changed", "layers never change");
    let again = bench.build_with(file, |request| request.no_cache = true);
    assert_eq!(again.record.id, changed.record.id, "copied anew");

    // another owner: nothing fits
    let owned = bench.build("FROM scratch\nCOPY --chown=5 dir /to/\n");
    assert_ne!(inode(&top(&owned), "same"), inode(&second, "same"));
    assert_eq!(fs::metadata(top(&owned).join("to/same")).unwrap().uid(), 5);
}

/// A context is recognised by its files' time stamps; no change of anything that a copy keeps may hide from that.
fn recognised_context() {
    let bench = Bench::new();
    let at = |path: &str| bench.context().join("dir").join(path);
    bench.write("dir/file", "one");
    bench.write("dir/sub/other", "other");
    symlink("file", at("link")).unwrap();
    // by then the time stamps tell every later change
    let settle = || std::thread::sleep(Duration::from_millis(40));
    settle();
    let file = "FROM base\nCOPY dir /to/\n";
    let first = bench.build(file).record.id;
    assert_eq!(bench.build(file).record.id, first);
    let modified = fs::metadata(at("file")).unwrap().modified().unwrap();
    let rewrite = |text: &str| {
        fs::write(at("file"), text).unwrap();
        fs::File::options().write(true).open(at("file")).unwrap().set_modified(modified).unwrap();
    };
    let changes: [(&str, &dyn Fn()); 6] = [
        ("bytes, with the old size and time", &|| rewrite("two")),
        ("mode", &|| fs::set_permissions(at("file"), fs::Permissions::from_mode(0o600)).unwrap()),
        ("mode of a folder", &|| fs::set_permissions(at("sub"), fs::Permissions::from_mode(0o700)).unwrap()),
        ("target of a link", &|| {
            fs::remove_file(at("link")).unwrap();
            symlink("sub", at("link")).unwrap();
        }),
        ("name", &|| fs::rename(at("sub/other"), at("sub/another")).unwrap()),
        ("a file more", &|| fs::write(at("new"), "").unwrap()),
    ];
    let mut seen = BTreeSet::from([first.to_string()]);
    for (what, change) in changes {
        change();
        settle();
        let changed = bench.build(file);
        assert_eq!(ran(&changed), ["COPY dir /to/"], "{what}");
        assert!(seen.insert(changed.record.id.to_string()), "{what}");
        let fresh = bench.build_with(file, |request| request.no_cache = true);
        assert_eq!(fresh.record.id, changed.record.id, "{what}");
        assert_eq!(ran(&bench.build(file)), Vec::<String>::new(), "{what}");
    }
    // back to what there was, by other files
    fs::remove_dir_all(at("")).unwrap();
    bench.write("dir/file", "one");
    bench.write("dir/sub/other", "other");
    symlink("file", at("link")).unwrap();
    for _ in 0..2 {
        let back = bench.build(file);
        assert_eq!((back.record.id, ran(&back)), (first, Vec::new()));
    }
}

/// As a power failure leaves it: layers of another boot, one of them torn.
fn power_failure() {
    let bench = Bench::new();
    bench.write("a", "1");
    bench.write("b", "2");
    let first = bench.build(SMALL);
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let layers = bench.store.layers().unwrap();
    for id in &layers {
        let file = bench.store.require_layer(id).unwrap().path.with_file_name("layer.json");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(boot.trim()));
        fs::write(&file, text.replace(boot.trim(), "another")).unwrap();
    }
    let torn = layers.iter().find_map(|id| {
        let file = bench.dir.path().join(format!("store/layers/{id}/fs/src/out"));
        (fs::read(&file).ok()? == b"1").then_some(file)
    });
    fs::write(torn.unwrap(), "").unwrap();
    let second = bench.build(SMALL);
    assert_eq!(ran(&second), ["RUN cat a > out"], "what was whole is used");
    assert_eq!((second.record.id, bench.read(&second, "out")), (first.record.id, "12".into()));
    assert_eq!(ran(&bench.build(SMALL)), Vec::<String>::new());
}

fn owners() {
    let bench = Bench::new();
    bench.write("f", "x");
    let file = "FROM base\nCOPY --chown=app:app --chmod=0640 f /made/f\nCOPY --chown=1000 f /n\nCOPY --chmod=u+x,go= f /sym\nUSER app\nWORKDIR /home/app/work\n\
                RUN touch mine && id -u > who && id -g >> who && echo $HOME >> who\nCOPY f ./\n";
    let outcome = bench.build(file);
    let dir = bench.files(&outcome);
    let who = |path: &str| {
        let meta = fs::metadata(dir.path().join("root").join(path)).unwrap();
        format!("{}:{} {:o}", meta.uid(), meta.gid(), meta.mode() & 0o7777)
    };
    assert_eq!(who("made/f"), "1000:1001 640");
    assert_eq!(who("made"), "1000:1001 640");
    assert_eq!(who("n"), "1000:1000 644");
    assert_eq!(who("sym"), "0:0 700");
    assert_eq!(who("home/app/work"), "1000:1001 755");
    assert_eq!(who("home/app/work/mine"), "1000:1001 644");
    assert_eq!(who("home/app/work/f"), "0:0 644");
    assert_eq!(bench.read(&outcome, "home/app/work/who"), "1000\n1001\n/home/app\n");
    assert!(bench.error("FROM base\nCOPY --chown=nobody f /\n").contains("unable to find user nobody"));
}

fn configuration() {
    let bench = Bench::new();
    bench.write("f", "x");
    let file = "ARG WORD=global\nFROM base AS first\nARG WORD\nARG OTHER=two\nENV A=$WORD B=\"$OTHER $FROM_BASE\"\nLABEL l.a=\"x y\"\nEXPOSE 80 53/udp\nVOLUME /data\nUSER app\n\
        STOPSIGNAL SIGQUIT\nSHELL [\"/bin/sh\", \"-ec\"]\nHEALTHCHECK --interval=30s --retries=3 CMD [\"probe\", \"x\"]\nRUN echo \"$A $WORD\" > /tmp/env\nCOPY f /f\n\
        CMD [\"base\"]\nFROM first\nENTRYPOINT [\"run\"]\nONBUILD RUN echo hi\n";
    let outcome = bench.build_with(file, |request| {
        request.labels.push(("given".into(), "yes".into()));
        request.tags.push(Reference::parse("made:1").unwrap());
    });
    let config = &outcome.record.config;
    assert_eq!(config.config.env, ["PATH=/usr/bin", "FROM_BASE=yes", "A=global", "B=two yes"]);
    assert_eq!(config.config.cmd, None, "ENTRYPOINT resets the CMD of the base");
    assert_eq!(config.config.user, "app");
    assert_eq!(config.config.exposed_ports.keys().collect::<Vec<_>>(), ["53/udp", "80/tcp"]);
    assert_eq!(
        config.config.labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(),
        ["given=yes", "l.a=x y"]
    );
    assert_eq!(config.config.on_build, ["RUN echo hi"]);
    assert_eq!(config.config.healthcheck.as_ref().unwrap().test, ["CMD", "probe", "x"]);
    assert_eq!(config.created.as_deref(), Some("2020-09-13T12:26:40Z"));
    let history: Vec<String> = config
        .history
        .iter()
        .map(|entry| {
            format!("{}{}", if entry.empty_layer { "- " } else { "+ " }, entry.created_by.as_deref().unwrap())
        })
        .collect();
    assert_eq!(
        history,
        [
            "- ARG WORD=global",
            "- ARG OTHER=two",
            "- ENV A=global B=two yes",
            "- LABEL l.a=x y",
            "- EXPOSE [53/udp 80/tcp]",
            "- VOLUME [/data]",
            "- USER app",
            "- STOPSIGNAL SIGQUIT",
            "- SHELL [/bin/sh -ec]",
            "- HEALTHCHECK &{[\"CMD\" \"probe\" \"x\"] \"30s\" \"0s\" \"0s\" \"0s\" '\\x03'}",
            "+ RUN |2 WORD=global OTHER=two /bin/sh -ec echo \"$A $WORD\" > /tmp/env # buildkit",
            "+ COPY f /f # buildkit",
            "- CMD [\"base\"]",
            "- ENTRYPOINT [\"run\"]",
        ]
    );
    assert_eq!(bench.read(&outcome, "tmp/env"), "global global\n");
    let by_name = bench.store.image(&Reference::parse("made:1").unwrap()).unwrap().unwrap();
    assert_eq!(by_name.id, outcome.record.id);
}

fn ignored() {
    let bench = Bench::new();
    for path in ["keep", "secret.env", "deep/secret.env", "deep/keep", "deep/really/secret.env"] {
        bench.write(path, path);
    }
    let ignore = |request: &mut BuildRequest| {
        request.ignore = Some(Source::new(".dockerignore", "**/*.env\n!deep/really\n"));
    };
    let file = "FROM base\nCOPY . /c/\nRUN --mount=type=bind,target=/m ls /m /m/deep > /seen\n";
    let outcome = bench.build_with(file, ignore);
    let dir = bench.files(&outcome);
    let at = |path: &str| dir.path().join("root/c").join(path).exists();
    assert!(at("keep") && at("deep/keep") && !at("secret.env") && !at("deep/secret.env"));
    assert!(at("deep/really/secret.env"));
    assert!(!bench.read(&outcome, "seen").contains("secret.env"));
    let mut request = bench.request("FROM scratch\nCOPY secret.env /\n");
    ignore(&mut request);
    let error = text(&bench.run(&request).unwrap_err());
    assert!(
        error.contains("\"/secret.env\": not found") && error.contains(".dockerignore may exclude it"),
        "{error}"
    );
    // A change of an ignored file changes no key.
    bench.write("secret.env", "other");
    assert_eq!(ran(&bench.build_with(file, ignore)), Vec::<String>::new());
}

fn reproducible() {
    let file = "FROM base AS work\nWORKDIR /src\nCOPY . .\nRUN cat a b > out && mkdir d && ln -s out l\nFROM scratch\nCOPY --from=work /src /\nWORKDIR /w\n";
    let mut images = BTreeSet::new();
    for threads in [1, 2] {
        let bench = Bench::new();
        bench.write("b", "2");
        bench.write("a", "1");
        bench.write("s/c", "3");
        std::thread::sleep(Duration::from_millis(1100 * (threads as u64 - 1)));
        let outcome = bench.build_with(file, |request| request.parallelism = Some(threads));
        images.insert(outcome.record.id.to_string());
        images.insert(bench.build(file).record.id.to_string());
        images.insert(bench.build_with(file, |request| request.no_cache = true).record.id.to_string());
    }
    assert_eq!(images.len(), 1, "{images:?}");
}

fn certificates() {
    let bench = Bench::new();
    let bundle = bench.dir.path().join("ca.pem");
    fs::write(&bundle, "-----BEGIN CERTIFICATE-----\n").unwrap();
    let file = "FROM base\nRUN cat $SSL_CERT_FILE > /seen && echo $NODE_EXTRA_CA_CERTS >> /seen\n";
    let outcome = bench.build_with(file, |request| request.ca = CaBundle::File(bundle.clone()));
    assert_eq!(
        bench.read(&outcome, "seen"),
        "-----BEGIN CERTIFICATE-----\n/run/plimsoll/ca-certificates.crt\n"
    );
    assert!(!bench.files(&outcome).path().join("root/run").exists());
    assert!(!outcome.record.config.config.env.iter().any(|pair| pair.contains("CERT")));
    assert_eq!(ran(&bench.build(file)), Vec::<String>::new(), "not part of the key");
}

fn onbuild() {
    let bench = Bench::new();
    bench.write("app", "app");
    let mut base = bench.base.clone();
    base.image.config.config.on_build = vec!["COPY app /app".into(), "RUN cat /app > /ran".into()];
    let outcome = bench.build_with("FROM trigger\nRUN cat /ran > /after\n", |request| {
        request.contexts.push(("trigger".into(), NamedContext::Image(Box::new(base))));
    });
    assert_eq!(bench.read(&outcome, "after"), "app");
    assert!(outcome.record.config.config.on_build.is_empty());
}

fn errors() {
    let bench = Bench::new();
    bench.write("f", "x");
    for (file, expected) in [
        (
            "FROM --platform=linux/mips64 base\nRUN true\n",
            "cannot run programs for linux/mips64 on this machine\nDockerfile:2: RUN true\ncross-compile in a stage",
        ),
        ("FROM nowhere\n", "no image nowhere:latest\nDockerfile:1: nowhere\nuse base"),
        ("FROM base\nCOPY missing /\n", "\"/missing\": not found\nDockerfile:2: COPY missing /"),
        (
            "FROM base\nRUN true\nCOPY f /etc\nCOPY f /etc/f/x\n",
            "cannot copy to non-directory: /etc/f, which is a file\nDockerfile:4: COPY f /etc/f/x",
        ),
        (
            "FROM base\nWORKDIR /etc/passwd\n",
            "cannot make the working directory /etc/passwd: it is a file\nDockerfile:2",
        ),
        ("FROM base\nSTOPSIGNAL NOPE\n", "invalid signal: NOPE\nDockerfile:2: NOPE"),
        ("FROM base\nCOPY --chmod=9 f /\n", "invalid chmod parameter: '9'"),
        ("FROM base\nRUN --security=insecure true\n", "RUN --security=insecure is not allowed"),
        ("FROM base\nUSER nobody\nRUN true\n", "cannot run as `nobody`: unable to find user nobody"),
    ] {
        let error = bench.error(file);
        assert!(error.starts_with(expected), "{error}\n  expected {expected}");
    }
    let mut request = bench.request("FROM base AS one\nFROM base AS two\n");
    request.target = Some("tow".into());
    assert!(text(&bench.run(&request).unwrap_err()).contains("could not be found"));
}

fn pruned() {
    let bench = Bench::new();
    let file = "FROM base\nRUN echo x > /x\nRUN echo y > /y\n";
    let first = bench.build(file);
    let gone: LayerId = first.record.layers[1];
    let path = bench.store.require_layer(&gone).unwrap().path;
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    let second = bench.build(file);
    assert_eq!(ran(&second), ["RUN echo x > /x"]);
    assert_eq!(second.record.id, first.record.id);
}

fn many_files() {
    let bench = Bench::new();
    for folder in 0..100 {
        for file in 0..50 {
            bench.write(&format!("d{folder}/f{file}"), &format!("{folder} {file}"));
        }
    }
    let file = "FROM scratch\nCOPY . /app\n";
    let cold = bench.build(file).elapsed;
    // The racy-clean rule: what was written just before is read once more.
    std::thread::sleep(Duration::from_millis(50));
    bench.build(file);
    let outcome = bench.build(file);
    assert_eq!(ran(&outcome), Vec::<String>::new());
    println!("  5,000 files: cold {cold:?}, nothing changed {:?}", outcome.elapsed);
}

fn archives() {
    let bench = Bench::new();
    let source = bench.dir.path().join("source");
    fs::create_dir_all(source.join("d/e")).unwrap();
    fs::write(source.join("d/e/f"), "content").unwrap();
    fs::set_permissions(source.join("d/e/f"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(source.join("d/e/f"), source.join("d/g")).unwrap();
    symlink("e/f", source.join("d/link")).unwrap();
    let tar = |name: &str, flags: &[&str]| {
        let status = Command::new("tar")
            .arg("-C")
            .arg(&source)
            .args(["--owner=7", "--group=8", "-c", "-f"])
            .arg(bench.context().join(name))
            .args(flags)
            .arg("d")
            .status();
        status.unwrap().success()
    };
    let mut file = "FROM base\nRUN touch /d && mkdir -p /gz/d/link\n".to_owned();
    for (name, flags) in [
        ("plain", &[][..]),
        ("gz", &["-z"][..]),
        ("bz2", &["-j"][..]),
        ("xz", &["-J"][..]),
        ("zst", &["--zstd"][..]),
    ] {
        assert!(tar(name, flags), "tar makes {name}");
        file.push_str(&format!(
            "ADD {name} /{name}/\nCOPY {name} /copied/\nADD --unpack=false {name} /added/\n"
        ));
    }
    file.push_str("ADD --chown=app plain /owned\nADD plain /\n");
    let outcome = bench.build(&file);
    let dir = bench.files(&outcome);
    let at = |path: &str| dir.path().join("root").join(path);
    for name in ["plain", "gz", "bz2", "xz", "zst"] {
        assert_eq!(fs::read_to_string(at(name).join("d/g")).unwrap(), "content", "{name}");
        assert_eq!(fs::read_link(at(name).join("d/link")).unwrap(), Path::new("e/f"), "{name}");
        let meta = fs::metadata(at(name).join("d/e/f")).unwrap();
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o777, meta.nlink()), (7, 8, 0o640, 2), "{name}");
        assert_eq!(fs::read(at("copied").join(name)).unwrap(), fs::read(bench.context().join(name)).unwrap());
        assert_eq!(fs::read(at("added").join(name)).unwrap(), fs::read(bench.context().join(name)).unwrap());
    }
    let owner = |path: &str| fs::metadata(at(path)).unwrap().uid();
    assert_eq!(
        (owner("owned"), owner("owned/d/e")),
        (1000, 1000),
        "--chown is for what the archive holds too"
    );
    assert!(at("d/e").is_dir(), "a file in the way of a directory is replaced");

    let hostile = |name: &str, link: Option<&str>| {
        let mut archive = tar::Builder::new(Vec::new());
        if let Some(to) = link {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            archive.append_link(&mut header, "out", to).unwrap();
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(4);
        header.set_mode(0o644);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        archive.append(&header, &b"evil"[..]).unwrap();
        fs::write(bench.context().join("evil"), archive.into_inner().unwrap()).unwrap();
    };
    hostile("../../escaped", None);
    assert!(bench.error("FROM base\nADD evil /in/\n").contains("its path leads out of the destination"));
    let outside = bench.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    hostile("out/file", Some(outside.to_str().unwrap()));
    let outcome = bench.build("FROM base\nADD evil /in/\n");
    assert!(fs::read_dir(&outside).unwrap().next().is_none());
    // the archive's own links start at the destination
    let inside = format!("in{}/file", outside.display());
    assert_eq!(bench.read(&outcome, &inside), "evil");
}

fn heredocs() {
    let bench = Bench::new();
    let file = "FROM base\nENV WHO=world\nRUN <<EOF\necho one > /out\necho two >> /out\nEOF\nRUN <<EOF\n#!/bin/cat\nnot run by a shell\nEOF\n\
                COPY <<plain.txt <<\"raw.txt\" /files/\nhello $WHO\nplain.txt\nhello $WHO\nraw.txt\nCOPY --chmod=0700 <<EOF /named\nx\nEOF\n";
    let outcome = bench.build(file);
    assert_eq!(bench.read(&outcome, "out"), "one\ntwo\n");
    assert_eq!(bench.read(&outcome, "files/plain.txt"), "hello world\n");
    assert_eq!(bench.read(&outcome, "files/raw.txt"), "hello $WHO\n");
    let dir = bench.files(&outcome);
    assert_eq!(fs::metadata(dir.path().join("root/named")).unwrap().mode() & 0o777, 0o700);
    assert!(!dir.path().join("root/dev").exists());
}

fn linked_destinations() {
    let bench = Bench::new();
    bench.write("f", "x");
    let file = "FROM base\nRUN mkdir /real && ln -s /real /abs && ln -s ../../../../real /up && ln -s real/target /to-file\n\
                COPY f /abs/one\nCOPY f /up/\nCOPY f /to-file\nRUN ls -l / > /listing\n";
    let outcome = bench.build(file);
    let dir = bench.files(&outcome);
    let at = |path: &str| dir.path().join("root").join(path);
    for path in ["real/one", "real/f", "real/target"] {
        assert_eq!(fs::read_to_string(at(path)).unwrap(), "x", "{path}");
    }
    for link in ["abs", "up", "to-file"] {
        assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
    }
    // With --link the layer does not know what is below.
    let outcome = bench.build("FROM base\nRUN mkdir /real && ln -s /real /abs\nCOPY --link f /abs/one\n");
    let dir = bench.files(&outcome);
    assert!(fs::symlink_metadata(dir.path().join("root/abs")).unwrap().is_dir());
}

fn parents_and_excludes() {
    let bench = Bench::new();
    for path in
        ["apps/a/package.json", "apps/a/src/x", "apps/b/package.json", "packages/c/package.json", "top"]
    {
        bench.write(path, path);
    }
    let other = bench.dir.path().join("other");
    fs::create_dir_all(other.join("in")).unwrap();
    fs::write(other.join("in/named"), "named").unwrap();
    let file = "FROM scratch\nCOPY --parents **/package.json /m/\nCOPY --parents apps/./a/src /p/\n\
                COPY --exclude=**/src --exclude=top . /e/\nCOPY --from=extra in/named /\n";
    let outcome = bench.build_with(file, |request| {
        request.contexts.push(("extra".into(), NamedContext::Directory(other.clone())));
    });
    let dir = bench.files(&outcome);
    let at = |path: &str| dir.path().join("root").join(path).exists();
    assert!(
        at("m/apps/a/package.json") && at("m/packages/c/package.json") && !at("m/apps/a/src") && !at("m/top")
    );
    assert!(at("p/a/src/x") && !at("p/apps"));
    assert!(at("e/apps/b/package.json") && !at("e/apps/a/src") && !at("e/top"));
    assert!(at("named"));
}

fn named_context_excludes() {
    let bench = Bench::new();
    let other = bench.dir.path().join("other");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("key"), "x").unwrap();
    let error = |step: &str| {
        let mut request = bench.request(&format!("FROM base\n{step}\n"));
        request.contexts.push(("extra".into(), NamedContext::Directory(other.clone())));
        text(&bench.run(&request).unwrap_err())
    };
    let missing = error("COPY --from=extra none /");
    assert!(missing.contains("\"/none\": not found"), "{missing}");
    assert!(missing.contains("paths are relative to the context extra, "), "{missing}");
    assert!(!missing.contains("exclude"), "{missing}");
    fs::write(other.join(".dockerignore"), "key\n").unwrap();
    for step in ["COPY --from=extra key /", "RUN --mount=type=bind,from=extra,source=key,target=/k true"] {
        let excluded = error(step);
        assert!(excluded.contains("\"/key\": not found"), "{excluded}");
        assert!(excluded.contains("its .dockerignore may exclude it"), "{excluded}");
    }
}

fn same_layer_twice() {
    let bench = Bench::new();
    bench.write("f", "x");
    let file = "FROM base\nCOPY f /f\nRUN rm /f && echo y > /y\nCOPY f /f\nRUN cat /f /y > /z\nRUN rm /f\nCOPY f /f\nRUN cat /f >> /z\n";
    let outcome = bench.build(file);
    assert_eq!(bench.read(&outcome, "z"), "xy\nx");
    assert_eq!(bench.read(&outcome, "f"), "x");
}

fn only_times() {
    let bench = Bench::new();
    bench.write("f", "x");
    let outcome = bench.build("FROM base\nCOPY f /f\nRUN touch -d @1000 /f\nRUN stat -c %Y /f > /time\n");
    assert_eq!(bench.read(&outcome, "time"), "1000\n");
    let dir = bench.files(&outcome);
    assert_eq!(fs::metadata(dir.path().join("root/f")).unwrap().mtime(), 1000);
}

fn changing_file() {
    let bench = Bench::new();
    let path = bench.context().join("f");
    fs::write(&path, vec![b'a'; 1 << 20]).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Bounded, so that a failed assertion below ends the test.
            for round in 0..2000_u32 {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                let byte = b'a' + u8::try_from(round % 26).unwrap();
                fs::write(&path, vec![byte; 1 << 20]).unwrap();
            }
        });
        for _ in 0..10 {
            match bench.run(&bench.request("FROM scratch\nCOPY f /f\n")) {
                Ok(outcome) => {
                    let dir = bench.files(&outcome);
                    let bytes = fs::read(dir.path().join("root/f")).unwrap();
                    // Of any length, because the writer starts anew each time, but of one version.
                    assert!(bytes.iter().all(|byte| *byte == bytes[0]), "no mixture of two versions");
                }
                Err(error) => assert!(text(&error).contains("changed while"), "{}", text(&error)),
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

fn cancelled() {
    let bench = Bench::new();
    let cancel = plimsoll_sandbox::Cancel::new().unwrap();
    let mut request = bench.request("FROM base\nRUN touch /x; sleep 60\n");
    request.cancel = Some(cancel.clone());
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(500));
            cancel.cancel();
        });
        let error = text(&bench.run(&request).unwrap_err());
        assert!(error.contains("the build was cancelled"), "{error}");
    });
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(fs::read_dir(bench.store.root().join("drafts")).unwrap().count(), 0);
}

fn printable() {
    let bench = Bench::new();
    let graph = bench.builder.plan(&bench.request(SMALL), &Only(bench.base.clone())).unwrap();
    let expected = "  0  [work 1/6] FROM base
  1 <- 0  [work 2/6] WORKDIR /src
  2 <- 1  [work 3/6] COPY a ./
  3 <- 2  [work 4/6] RUN cat a > out
  4 <- 3  [work 5/6] COPY b ./
  5 <- 4  [work 6/6] RUN cat b >> out
  6 + 5  [stage-1 1/1] COPY --from=work /src/out /
    = 6
";
    assert_eq!(graph.to_string(), expected);
}
