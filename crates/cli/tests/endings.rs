//! Builds that end before their time, with the real binary: interrupted by a signal, or in a shell inside the step that
//! failed.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

#[allow(dead_code, reason = "other test files use the rest")]
#[path = "support/builder.rs"]
mod support;

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use support::{Kitchen, base, log, processes, shell};

fn debian() -> String {
    base("debian", "debian", "plimsoll.local/debian:13")
}

/// Waits until a process with `text` in its command line runs.
fn wait_for(text: &str, child: &mut Child) {
    let start = Instant::now();
    while !processes(text).iter().any(|line| !line.contains("Dockerfile")) {
        if let Some(status) = child.try_wait().unwrap() {
            let mut said = String::new();
            let _ = std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut said);
            panic!("the build ended with {status} before its step ran: {said}");
        }
        assert!(start.elapsed() < Duration::from_mins(2), "the step does not run");
        thread::sleep(Duration::from_millis(20));
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn leftovers(home: &Path) -> Vec<String> {
    ["store/drafts", "store/tmp"]
        .iter()
        .flat_map(|folder| fs::read_dir(home.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect()
}

#[test]
fn a_signal_stops_the_steps_and_leaves_nothing() {
    let Some(kitchen) = Kitchen::new() else { return };
    let debian = debian();
    let args = ["--build-context", debian.as_str()];
    for (round, name) in ["INT", "TERM", "HUP"].into_iter().enumerate() {
        let marker = format!("8646{round}.5");
        // two stages at once, a layer begun in each
        kitchen.write(
            "c/Dockerfile",
            &format!(
                "FROM debian AS one\nRUN echo one > /one; [ -e /go ] || sleep {marker}\n\
                 FROM debian\nRUN head -c 3000000 /dev/zero > /two; [ -e /go ] || sleep {marker}\nCOPY --from=one /one /\n"
            ),
        );
        let mut command = kitchen.command("home", "c", &args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for(&marker, &mut child);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let said = log(&output);
        assert_eq!(output.status.code(), Some(130), "SIG{name}: {said}");
        assert!(said.contains("interrupted"), "{said}");
        assert!(output.stdout.is_empty());
        assert_eq!(processes(&marker), Vec::<String>::new(), "SIG{name}");
        assert_eq!(leftovers(&kitchen.path("home")), Vec::<String>::new(), "SIG{name}");
    }
    // what was interrupted is built as if nothing had been
    kitchen.write(
        "c/Dockerfile",
        "FROM debian AS one\nRUN echo one > /one\nFROM debian\nCOPY --from=one /one /\n",
    );
    let after = kitchen.build("home", "c", &args);
    assert_eq!(after.id, kitchen.build("cold", "c", &[&args[..], &["--no-cache"]].concat()).id);
}

#[test]
fn the_builds_of_a_stack_stop_too() {
    let Some(kitchen) = Kitchen::new() else { return };
    let layout = debian();
    let layout = layout.strip_prefix("debian=oci-layout://").unwrap();
    let marker = "86465.5";
    for name in ["a", "b"] {
        kitchen.write(
            &format!("stack/{name}/Dockerfile"),
            &format!("FROM plimsoll.local/debian:13\nRUN sleep {marker} # {name}\n"),
        );
    }
    kitchen.write("stack/compose.yml", "name: endings\nservices:\n  a: {build: a}\n  b: {build: b}\n");
    let plimsoll = |args: &[&str]| {
        let mut command = Command::new(support::binary());
        command.args(args).current_dir(kitchen.path("stack")).env("PLIMSOLL_HOME", kitchen.path("home"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let loaded = plimsoll(&["image", "load", layout]).output().unwrap();
    assert!(loaded.status.success(), "{}", log(&loaded));
    for verb in ["build", "up"] {
        if verb == "up" && !Path::new("/var/run/docker.sock").exists() {
            assert!(std::env::var_os("CI").is_none(), "CI must not skip: needs an engine");
            eprintln!("skipped: up needs an engine");
            continue;
        }
        let mut child = plimsoll(&[verb]).spawn().unwrap();
        wait_for(marker, &mut child);
        signal(&child, "INT");
        let output = child.wait_with_output().unwrap();
        let said = log(&output);
        assert_eq!(output.status.code(), Some(130), "{verb}: {said}");
        assert_eq!(said.matches("interrupted").count(), 1, "{verb}: {said}");
        assert_eq!(processes(marker), Vec::<String>::new(), "{verb}");
        assert_eq!(leftovers(&kitchen.path("home")), Vec::<String>::new(), "{verb}");
    }
}

const FAILING: &str = "FROM debian AS other\nRUN sleep 0.2; echo other > /other\n\
    FROM debian\nARG WHO=nobody\nENV GREETING=hello\nRUN useradd --uid 1234 app && mkdir -p /work && chown app /work\n\
    COPY --from=other /other /other\nCOPY config /tree/\nUSER app\nWORKDIR /work\n\
    RUN --mount=type=secret,id=token,uid=1234 --mount=type=cache,target=/cache,uid=1234 \
    --mount=type=bind,from=other,source=/tmp,target=/scratch,rw --mount=type=bind,target=/context \
    echo half > done; echo scratched > /scratch/note; echo noted >> /cache/log; echo loud; test -e /cache/fixed && echo fixed > fixed || exit 7\n";

fn feed(mut command: Command, commands: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_failed_step_is_entered_by_a_pipe() {
    let Some(kitchen) = Kitchen::new() else { return };
    let debian = debian();
    kitchen.write("c/Dockerfile", FAILING);
    kitchen.write("c/config", "of the context\n");
    let token = kitchen.write("token", "s3cret");
    let secret = format!("id=token,src={}", token.display());
    let args = ["--build-context", debian.as_str(), "--secret", &secret, "--build-arg", "WHO=me"];
    let shell = [&args[..], &["--on-failure=shell"]].concat();
    let commands = "pwd; id -u; echo $GREETING $WHO\ncat done /other /context/config /run/secrets/token\necho\n\
        cat /cache/log; cat /scratch/note; echo changed > /scratch/note && cat /scratch/note\n\
        echo from the shell > done; touch /cache/by-hand; echo $0\n";
    let output = feed(kitchen.command("home", "c", &shell), commands);
    let (out, said) = (String::from_utf8_lossy(&output.stdout).into_owned(), log(&output));
    assert_eq!(output.status.code(), Some(2), "{said}");
    for text in
        ["/work\n1234\nhello me\n", "half\nother\nof the context\ns3cret", "noted\n", "\nchanged\n/bin/sh\n"]
    {
        assert!(out.contains(text), "no {text:?} in {out}\n{said}");
    }
    assert!(said.contains("exit code: 7"), "{said}");
    assert!(said.contains("loud"), "{said}");
    assert_eq!(leftovers(&kitchen.path("home")), Vec::<String>::new());

    // what was done in the shell is in no layer and no key: the step fails again, with its files as they were
    let output = feed(kitchen.command("home", "c", &shell), "cat done; ls /cache; touch /cache/fixed\n");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(out.starts_with("half\nby-hand\nlog\n"), "{out}\n{}", log(&output));
    // and a cache mount keeps what a step writes, so this build succeeds
    let built = kitchen.build("home", "c", &args);
    let cold = kitchen.build("home", "c", &[&args[..], &["--no-cache"]].concat());
    assert_eq!(built.id, cold.id);
    assert_eq!(kitchen.file("home", "c", &args, "work/done"), "half\n");
}

#[test]
fn a_failed_step_is_entered_on_a_terminal() {
    let Some(kitchen) = Kitchen::new() else { return };
    let debian = debian();
    kitchen.write("c/Dockerfile", "FROM debian\nENV A=1\nRUN echo left > /left; exit 9\n");
    let command = kitchen.command("home", "c", &["--build-context", &debian, "--on-failure=shell=/bin/bash"]);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let typescript = kitchen.path("typescript");
    let mut terminal = Command::new("script");
    // its standard input is what the person types, the terminal is between it and the build
    terminal
        .args(["--quiet", "--return", "--flush", "--command", &line.join(" ")])
        .arg(&typescript)
        .current_dir(command.get_current_dir().unwrap())
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = terminal.spawn().unwrap();
    let mut keys = child.stdin.take().unwrap();
    let seen = |text: &str, child: &mut Child| {
        let start = Instant::now();
        loop {
            let shown = fs::read(&typescript).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let shown = shown.unwrap_or_default();
            if shown.contains(text) {
                return shown;
            }
            assert!(child.try_wait().unwrap().is_none(), "ended without {text:?}: {shown}");
            assert!(start.elapsed() < Duration::from_mins(2), "no {text:?}: {shown}");
            thread::sleep(Duration::from_millis(50));
        }
    };
    seen("this is the failed step", &mut child);
    keys.write_all(b"stty rows 44 cols 99; stty size; tty; cat /left; echo sum-$((40+2))\n").unwrap();
    let shown = seen("sum-42", &mut child);
    assert!(shown.contains("44 99") && shown.contains("/dev/pts/0") && shown.contains("left"), "{shown}");
    // Ctrl-C is for the shell's command, not for the build
    keys.write_all(b"sleep 86467.5; echo woken-$((1+1))\n").unwrap();
    wait_for("86467.5", &mut child);
    keys.write_all(&[3]).unwrap();
    keys.write_all(b"echo still-$((2+2))\n").unwrap();
    seen("still-4", &mut child);
    keys.write_all(b"exit 0\n").unwrap();
    drop(keys);
    let status = child.wait().unwrap();
    let shown = fs::read_to_string(&typescript).unwrap();
    assert_eq!(status.code(), Some(2), "{shown}");
    assert!(shown.contains("exit code: 9"), "{shown}");
    assert!(!shown.contains("woken-2"), "{shown}");
    assert_eq!(processes("86467.5"), Vec::<String>::new());
}

#[test]
fn what_cannot_be_entered_is_said() {
    let Some(kitchen) = Kitchen::new() else { return };
    kitchen.write("c/Dockerfile", "FROM scratch\nCOPY Dockerfile /\nRUN [\"/missing\"]\n");
    // nothing to read commands from: said before anything is built
    let refused = kitchen.command("home", "c", &["--on-failure=shell"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(log(&refused).contains("cannot read commands from standard input"), "{}", log(&refused));
    assert!(!log(&refused).contains("#1"), "{}", log(&refused));
    let refused = kitchen.command("home", "c", &["--on-failure=pray"]).output().unwrap();
    assert!(log(&refused).contains("--on-failure=shell=/bin/bash"), "{}", log(&refused));
    // an image without a shell
    let output = feed(kitchen.command("home", "c", &["--on-failure=shell"]), "echo never\n");
    let said = log(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the image has no shell: none of /bin/sh, /bin/bash"), "{said}");
    assert!(output.stdout.is_empty());
    let output = feed(kitchen.command("home", "c", &["--on-failure=shell=/bin/zsh"]), "echo never\n");
    assert!(
        log(&output).contains("cannot execute `/bin/zsh`: no such file or directory"),
        "{}",
        log(&output)
    );
}

/// In a container without privileges there are no namespaces: the shell gets a copy of the files too.
#[test]
fn a_failed_step_is_entered_by_chroot() {
    let Some(kitchen) = Kitchen::new() else { return };
    shell(&kitchen.path("c/shell"), &["/bin/ls"]);
    kitchen.write(
        "c/Dockerfile",
        "FROM scratch\nCOPY shell /\nRUN --mount=type=cache,target=/cache echo left > /left; exit 3\n",
    );
    let plain = kitchen.command("home", "c", &["--on-failure=shell"]);
    let mut command = Command::new("setpriv");
    command
        .args(["--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin", "--"])
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(plain.get_current_dir().unwrap())
        .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = feed(command, "cat /left; echo more > /cache/kept; ls /cache; echo x > /left\n");
    assert_eq!(output.status.code(), Some(2), "{}", log(&output));
    assert!(log(&output).contains("no namespaces can be made here"), "{}", log(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "left\nkept\n", "{}", log(&output));
    assert_eq!(leftovers(&kitchen.path("home")), Vec::<String>::new());
}
