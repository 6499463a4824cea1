//! What the builder promises, with the real binary: right content, one digest, failures that leave nothing behind,
//! a cache that survives a kill at any moment.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

#[allow(dead_code, reason = "other test files use the rest")]
#[path = "support/builder.rs"]
mod support;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use support::{Built, Kitchen, base, built, processes, set_time};

fn debian() -> String {
    base("debian", "debian", "plimsoll.local/debian:13")
}

/// BuildKit takes a file of equal path, size and time for the same file (docs/builder-vs-buildkit.md).
#[test]
fn equal_size_and_time_are_not_equal_content() {
    let Some(kitchen) = Kitchen::new() else { return };
    for (project, tenant) in [("a", "alice"), ("b", "bobby")] {
        kitchen.write(&format!("{project}/Dockerfile"), "FROM scratch\nCOPY config.json /\n");
        let file = kitchen.write(&format!("{project}/config.json"), &format!("{{\"tenant\": {tenant:?}}}\n"));
        set_time(&file, 1_767_225_600);
    }
    for round in ["first", "from the cache"] {
        for (project, tenant) in [("a", "alice"), ("b", "bobby")] {
            let text = kitchen.file("home", project, &[], "config.json");
            assert_eq!(text, format!("{{\"tenant\": {tenant:?}}}\n"), "{project}, {round}");
        }
    }
    // the same in one folder: another content behind the same name, size and time
    let file = kitchen.write("a/config.json", "{\"tenant\": \"carol\"}\n");
    set_time(&file, 1_767_225_600);
    assert_eq!(kitchen.file("home", "a", &[], "config.json"), "{\"tenant\": \"carol\"}\n");
}

const REPRODUCIBLE: &str = "FROM debian AS one\nCOPY src /src\nRUN find /src -type f | sort | xargs cat > /all && date > /tmp/when && rm /tmp/when\n\
    FROM debian AS two\nRUN mkdir /data && echo two > /data/two && ln -s two /data/link && ln /data/two /data/hard\n\
    FROM debian\nCOPY --from=one /all /all\nCOPY --from=two /data /data\nRUN useradd --uid 1234 --no-log-init someone && chown someone /all\nUSER someone\n";

fn manifest_digests(kitchen: &Kitchen, home: &str, context: &str, args: &[&str]) -> Vec<String> {
    let mut digests = Vec::new();
    for compression in ["gzip", "zstd"] {
        let out = kitchen.path("oci");
        let output = format!("type=oci,tar=false,compression={compression},dest={}", out.display());
        let id = kitchen.build(home, context, &[args, &["--output", &output]].concat()).id;
        let index = fs::read_to_string(out.join("index.json")).unwrap();
        let index: serde_json::Value = serde_json::from_str(&index).unwrap();
        digests.extend([id, index["manifests"][0]["digest"].as_str().unwrap().to_owned()]);
        fs::remove_dir_all(out).unwrap();
    }
    digests
}

#[test]
fn one_tree_is_one_digest() {
    let Some(kitchen) = Kitchen::new() else { return };
    let debian = debian();
    let args = ["--build-context", &debian];
    for context in ["here", "elsewhere/deep"] {
        kitchen.write(&format!("{context}/Dockerfile"), REPRODUCIBLE);
        for number in 0..20 {
            kitchen.write(&format!("{context}/src/{}/{number}", number % 3), &format!("file {number}\n"));
        }
        // another second
        thread::sleep(Duration::from_millis(1100));
    }
    let first = manifest_digests(&kitchen, "home", "here", &args);
    assert_ne!(first[1], first[3], "gzip and zstd are two manifests");
    assert_eq!(first[0], first[2], "of one image");
    assert_eq!(manifest_digests(&kitchen, "home", "here", &args), first, "from the cache");
    assert_eq!(manifest_digests(&kitchen, "other", "elsewhere/deep", &args), first, "elsewhere and later");

    let no_cache = [&args[..], &["--no-cache"]].concat();
    let alone = kitchen.command("home", "elsewhere/deep", &no_cache);
    let mut one_processor = std::process::Command::new("taskset");
    one_processor.args(["--cpu-list", "0"]).arg(alone.get_program()).args(alone.get_args());
    one_processor.current_dir(alone.get_current_dir().unwrap());
    one_processor.envs(alone.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let alone = built(&mut one_processor);
    assert!(!alone.log.contains("RUN useradd") || !alone.log.contains("4 from the cache"), "{}", alone.log);
    assert_eq!(alone.id, first[0], "by one processor, cold");
}

#[test]
fn a_failed_step_stops_the_others_at_once() {
    let Some(kitchen) = Kitchen::new() else { return };
    let debian = debian();
    kitchen.write(
        "c/Dockerfile",
        "FROM debian AS slow\nRUN sleep 86461\nFROM debian AS failing\nRUN sleep 1; echo now it fails; sleep 0.2; exit 7\n\
         FROM debian\nCOPY --from=slow /etc/hostname /\nCOPY --from=failing /etc/hostname /\n",
    );
    let mut child = kitchen
        .command("home", "c", &["--build-context", &debian])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut failing = None;
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.starts_with('#') && line.ends_with("now it fails") {
            assert!(!processes("86461").is_empty(), "the other step runs meanwhile");
            failing = Some(Instant::now());
        }
        text.push_str(&line);
        text.push('\n');
    }
    let status = child.wait().unwrap();
    let took = failing.unwrap_or_else(|| panic!("{text}")).elapsed();
    assert_eq!(status.code(), Some(2), "{text}");
    assert!(text.contains("exit code: 7") && text.contains("Dockerfile:4"), "{text}");
    assert!(took < Duration::from_millis(1200), "{took:?}\n{text}");
    assert_eq!(processes("sleep\u{0}86461"), Vec::<String>::new());
}

const KILLED: &str = "FROM debian AS a\nCOPY src /src\nRUN cat /src/* | sha256sum > /sum; for i in 1 2 3 4 5 6 7 8; do head -c 300000 /dev/zero > /big.$i; done\n\
    FROM debian AS b\nCOPY src/1 /one\nRUN --mount=type=cache,target=/cache date > /cache/now; sleep 0.05; cp /one /two\n\
    FROM debian\nCOPY --from=a /sum /big.1 /big.8 /\nCOPY --from=b /two /two\nRUN : sleep-marker-86462; cat /sum /two > /all\n";

#[test]
fn a_kill_at_any_moment_leaves_a_valid_cache() {
    let Some(kitchen) = Kitchen::new() else { return };
    let debian = debian();
    let args = ["--build-context", &debian];
    kitchen.write("c/Dockerfile", KILLED);
    for number in 0..200 {
        kitchen.write(&format!("c/src/{number}"), &format!("file {number}\n"));
    }
    let begin = Instant::now();
    kitchen.build("cold", "c", &args);
    kitchen.write("c/src/1", "once more\n");
    let begin_again = Instant::now();
    kitchen.build("cold", "c", &args);
    let whole = begin_again.elapsed();
    eprintln!("a cold build takes {:?}, a changed one {whole:?}", begin_again - begin);

    let mut seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos() | 1;
    eprintln!("seed {seed}");
    let mut killed = 0;
    for round in 0..20 {
        kitchen.write("c/src/1", &format!("round {round}\n"));
        kitchen.write("c/src/7", &format!("round {}\n", round % 3));
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        let moment = whole.mul_f64(f64::from(seed % 1000) / 1000.0);
        let mut child =
            kitchen.command("home", "c", &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(moment);
        child.kill().unwrap();
        killed += i32::from(child.wait().unwrap().code().is_none());
        let after = kitchen.build("home", "c", &args);
        let cold = kitchen.build("cold", "c", &[&args[..], &["--no-cache"]].concat());
        assert_eq!(after.id, cold.id, "round {round}, killed after {moment:?}\n{}", after.log);
    }
    eprintln!("{killed} of 20 builds were killed before their end");
    assert!(killed >= 5, "only {killed} builds were caught");
    thread::sleep(Duration::from_millis(200));
    assert_eq!(processes("sleep-marker-86462"), Vec::<String>::new());
}

#[test]
fn two_builds_at_once_in_one_store() {
    let Some(kitchen) = Kitchen::new() else { return };
    let debian = debian();
    for project in ["a", "b"] {
        kitchen.write(
            &format!("{project}/Dockerfile"),
            "FROM debian\nRUN --mount=type=cache,target=/cache echo ran >> /cache/log; sleep 0.3; echo shared > /shared\n\
             COPY own /own\nRUN cat /shared /own > /both\n",
        );
        kitchen.write(&format!("{project}/own"), &format!("{project}\n"));
    }
    let args = ["--build-context", debian.as_str()];
    for round in 0..3 {
        let start = |project: &str| {
            let mut command = kitchen.command("home", project, &[&args[..], &["--tag", project]].concat());
            thread::spawn(move || built(&mut command))
        };
        let builds: [Built; 4] = ["a", "b", "a", "b"].map(start).map(|build| build.join().unwrap());
        assert_eq!(builds[0].id, builds[2].id, "round {round}");
        assert_eq!(builds[1].id, builds[3].id, "round {round}");
        assert_ne!(builds[0].id, builds[1].id, "round {round}");
    }
    for project in ["a", "b"] {
        assert_eq!(kitchen.file("home", project, &args, "both"), format!("shared\n{project}\n"));
    }
}
