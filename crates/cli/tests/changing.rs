//! Contexts that change while they are built, and certificates that steps trust: what a step gave counts only for what it
//! read.

#[allow(dead_code, reason = "other test files use the rest")]
#[path = "support/builder.rs"]
mod support;

use std::{
    fs,
    os::unix::fs::symlink,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use support::{Kitchen, log, processes, set_time, shell};

const STAMP: u64 = 1_767_225_600;

/// One writer changes everything that can change, as fast as it can, while builds run. Then each state is built in peace:
/// whatever a build kept meanwhile, the image has the bytes of the state.
#[test]
fn nothing_wrong_is_kept_of_a_changing_context() {
    let Some(kitchen) = Kitchen::new() else { return };
    kitchen.write("c/Dockerfile", "FROM scratch\nCOPY tree /tree\nCOPY tree/large /large\n");
    let tree = kitchen.path("c/tree");
    let state = |round: usize| {
        let letter = char::from(b'a' + u8::try_from(round % 20).unwrap());
        fs::create_dir_all(&tree).unwrap();
        // the same size and time, written in place
        for (name, size) in [("large", 2 << 20), ("small", 10)] {
            fs::write(tree.join(name), letter.to_string().repeat(size)).unwrap();
            set_time(&tree.join(name), STAMP);
        }
        // replaced by rename
        fs::write(tree.join("next"), letter.to_string().repeat(1000)).unwrap();
        fs::rename(tree.join("next"), tree.join("renamed")).unwrap();
        // a link that points elsewhere
        let _ = fs::remove_file(tree.join("link"));
        symlink(format!("to-{letter}"), tree.join("link")).unwrap();
        // a file, a directory, a link, nothing
        let odd = tree.join("odd");
        let _ = fs::remove_file(&odd);
        let _ = fs::remove_dir_all(&odd);
        match round % 4 {
            0 => fs::write(&odd, letter.to_string()).unwrap(),
            1 => fs::create_dir(&odd).unwrap(),
            2 => symlink("small", &odd).unwrap(),
            _ => {}
        }
        letter
    };
    state(0);
    let stop = AtomicBool::new(false);
    let (mut built, mut refused) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                state(round);
            }
        });
        for _ in 0..25 {
            let output = kitchen.command("home", "c", &[]).output().unwrap();
            let said = log(&output);
            match output.status.code() {
                Some(0) => built += 1,
                Some(2) => {
                    refused += 1;
                    let known =
                        ["changed while the build read it", "not found", "No such file", "Not a directory"];
                    assert!(known.iter().any(|text| said.contains(text)), "{said}");
                }
                other => panic!("{other:?}: {said}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    eprintln!("{built} builds of a changing context, {refused} refused");
    assert!(refused > 0, "no build met a change");
    for round in 0..8 {
        let letter = state(round);
        for path in ["large", "tree/large", "tree/small", "tree/renamed"] {
            let text = kitchen.file("home", "c", &[], path);
            assert!(text.chars().all(|found| found == letter), "{path}, {letter}: {:?}", text.chars().next());
        }
        let kept = kitchen.build("home", "c", &[]);
        assert_eq!(kept.id, kitchen.build("home", "c", &["--no-cache"]).id, "round {round}");
    }
}

#[test]
fn a_step_that_read_a_changing_context_is_not_kept() {
    let Some(kitchen) = Kitchen::new() else { return };
    shell(&kitchen.path("c/shell"), &["/bin/sleep"]);
    kitchen.write(
        "c/Dockerfile",
        "FROM scratch\nCOPY shell /\nRUN --mount=type=bind,source=in,target=/in sleep 1.8646; cat /in/file > /out\n",
    );
    kitchen.write("c/in/file", "first\n");
    let build =
        kitchen.command("home", "c", &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while processes("sleep\u{0}1.8646").is_empty() {
        assert!(start.elapsed() < Duration::from_mins(1), "the step does not run");
        thread::sleep(Duration::from_millis(10));
    }
    kitchen.write("c/in/file", "other\n");
    let output = build.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", log(&output));
    assert!(log(&output).contains("files mounted on /in changed while the step ran"), "{}", log(&output));
    // neither content has the other's result
    kitchen.write("c/in/file", "first\n");
    assert_eq!(kitchen.file("home", "c", &[], "out"), "first\n");
    kitchen.write("c/in/file", "other\n");
    assert_eq!(kitchen.file("home", "c", &[], "out"), "other\n");
    assert!(kitchen.build("home", "c", &[]).log.contains("#2 CACHED"));
}

const MARK: &str = "-----BEGIN CERTIFICATE-----\n";

#[test]
fn certificates_reach_steps_and_nothing_else() {
    let Some(kitchen) = Kitchen::new() else { return };
    shell(&kitchen.path("c/shell"), &[]);
    let of_image = format!("{MARK}image\n-----END CERTIFICATE-----\n");
    kitchen.write("c/shell/etc/ssl/certs/ca-certificates.crt", &of_image);
    kitchen.write(
        "c/Dockerfile",
        "FROM scratch\nCOPY shell /\nRUN cat $SSL_CERT_FILE > /seen 2>/dev/null; \
         for name in \"$SSL_CERT_FILE\" \"$NODE_EXTRA_CA_CERTS\" \"$PIP_CERT\" \"$REQUESTS_CA_BUNDLE\" \"$CURL_CA_BUNDLE\" \"$GIT_SSL_CAINFO\"; do \
         echo \"$name\" >> /names; done\nENV SSL_CERT_FILE=/own\nRUN echo \"$SSL_CERT_FILE $PIP_CERT\" > /kept\n",
    );
    let company = kitchen.write("company.pem", &format!("{MARK}company\n-----END CERTIFICATE-----"));
    let ca = company.display().to_string();
    let file = |args: &[&str], path: &str| kitchen.file("home", "c", args, path);
    let with = ["--ca", ca.as_str()];
    let bundle = "/run/plimsoll/ca-certificates.crt";
    assert_eq!(file(&with, "seen"), format!("{of_image}{}\n", fs::read_to_string(&company).unwrap()));
    assert_eq!(file(&with, "names"), format!("{bundle}\n").repeat(6));
    assert_eq!(file(&with, "kept"), format!("/own {bundle}\n"), "what the image says wins");
    // neither the key nor the image knows of it
    let one = kitchen.build("home", "c", &with);
    let other = kitchen.build("home", "c", &["--ca", "off"]);
    assert_eq!(one.id, other.id);
    assert_eq!(other.log.matches("CACHED").count(), 3, "{}", other.log);
    let tar = kitchen.path("image.tar");
    let mut archive = tar::Archive::new(fs::File::open(tar).unwrap());
    let names = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
    assert!(!names.into_iter().any(|name| name.starts_with("run")), "a mount point is left");
    // without
    assert_eq!(file(&["--ca", "off", "--no-cache"], "names"), "\n".repeat(6));
    // what holds no certificate is refused before anything is built
    for (name, text) in [("empty.pem", ""), ("der.pem", "0\u{82}")] {
        let path = kitchen.write(name, text).display().to_string();
        let refused = kitchen.command("home", "c", &["--ca", &path]).output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
        assert!(log(&refused).contains("there is no certificate in it"), "{}", log(&refused));
    }
    let refused = kitchen.command("home", "c", &["--ca", "missing.pem"]).output().unwrap();
    assert!(log(&refused).contains("missing.pem"), "{}", log(&refused));
}
