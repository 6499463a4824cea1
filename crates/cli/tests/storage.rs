//! What Plimsoll takes on disk, and how it is brought below a limit, with the real binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

#[allow(dead_code, reason = "other test files use the rest")]
#[path = "support/builder.rs"]
mod support;

use std::{
    fs,
    process::{Command, Output},
    time::{Duration, SystemTime},
};

use support::{Kitchen, binary, log};

fn plimsoll(kitchen: &Kitchen, args: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command
        .args(args)
        .env("PLIMSOLL_HOME", kitchen.path("home"))
        .env("NO_COLOR", "1")
        .current_dir(kitchen.path(""));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", log(&output));
    output
}

fn json(kitchen: &Kitchen, args: &[&str]) -> serde_json::Value {
    let all = [&["image"], args, &["--json"]].concat();
    serde_json::from_slice(&plimsoll(kitchen, &all).stdout).unwrap()
}

fn du(kitchen: &Kitchen) -> u64 {
    let output =
        Command::new("du").args(["-s", "--block-size=1"]).arg(kitchen.path("home")).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

/// A context with one file of `megabytes`, whose bytes no other has.
fn context(kitchen: &Kitchen, name: &str, megabytes: usize) {
    kitchen.write(&format!("{name}/Dockerfile"), "FROM scratch\nCOPY data /\n");
    let line = format!("{name} {}\n", "x".repeat(60));
    kitchen.write(&format!("{name}/data"), &line.repeat((megabytes << 20) / line.len()));
}

fn is_cached(kitchen: &Kitchen, name: &str) -> bool {
    kitchen.build("home", name, &[]).log.contains("CACHED")
}

fn fill(kitchen: &Kitchen, path: &str, megabytes: usize) {
    kitchen.write(&format!("home/{path}"), &"y".repeat(megabytes << 20));
}

#[test]
fn the_total_is_what_du_counts() {
    let Some(kitchen) = Kitchen::new() else { return };
    context(&kitchen, "a", 2);
    context(&kitchen, "b", 3);
    kitchen.write(
        "linked/Dockerfile",
        "FROM scratch AS a\nCOPY data /\nFROM scratch\nCOPY --from=a /data /again\n",
    );
    fs::copy(kitchen.path("b/data"), kitchen.path("linked/data")).unwrap();
    kitchen.build("home", "a", &["--tag", "kept"]);
    kitchen.build("home", "b", &[]);
    kitchen.build("home", "linked", &["--tag", "linked"]);
    plimsoll(&kitchen, &["image", "save", "kept", "--format", "oci", "--output", "kept.tar"]);
    fill(&kitchen, "build/mounts/some-0011223344556677/0/file", 1);
    fill(&kitchen, "base/deb/0123", 1);
    fill(&kitchen, "build/remote/http/site/body", 1);
    fill(&kitchen, "state/stack/secret", 1);
    kitchen.write("home/store/drafts/d-left/fs/part", &"z".repeat(1 << 20));
    let found = json(&kitchen, &["df"]);
    assert_eq!(found["bytes"].as_u64().unwrap(), du(&kitchen), "{found:#}");
    let rows = found["rows"].as_array().unwrap();
    let sum = |key: &str| rows.iter().map(|row| row[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("bytes"), sum("reclaimable")), (du(&kitchen), found["reclaimable"].as_u64().unwrap()));
    let row = |name: &str| {
        rows.iter().find(|row| row["what"] == name).unwrap_or_else(|| panic!("{name}: {found:#}"))
    };
    let megabytes = |name: &str, key: &str| row(name)[key].as_u64().unwrap() >> 20;
    // three layers, of which one file is shared by two: 2 and 3 megabytes, all needed by names
    assert_eq!((row("layers")["count"].as_u64(), megabytes("layers", "bytes")), (Some(3), 5), "{found:#}");
    assert!(row("compressed layers")["count"].as_u64().unwrap() >= 4, "{found:#}");
    for name in ["cache mounts", "base packages", "fetched sources", "unfinished work"] {
        assert_eq!((megabytes(name, "bytes"), megabytes(name, "reclaimable")), (1, 1), "{name}: {found:#}");
    }
    assert_eq!((megabytes("stacks' state", "bytes"), megabytes("stacks' state", "reclaimable")), (1, 0));
    let text = String::from_utf8(plimsoll(&kitchen, &["image", "df"]).stdout).unwrap();
    assert!(text.lines().last().unwrap().starts_with("total "), "{text}");

    // what would go is what goes, to the byte that du counts
    let before = du(&kitchen);
    let would = json(&kitchen, &["prune", "--cache", "--cache-mounts", "--dry-run"]);
    assert_eq!(du(&kitchen), before);
    let done = json(&kitchen, &["prune", "--cache", "--cache-mounts"]);
    assert_eq!(done["bytes"].as_u64().unwrap(), before - du(&kitchen));
    assert_eq!((&would["layers"], &would["rows"]), (&done["layers"], &done["rows"]));
    // folders shrink with what is in them, or not: du counts their blocks too
    assert!(
        would["bytes"].as_u64().unwrap().abs_diff(done["bytes"].as_u64().unwrap()) < 64 << 10,
        "{would:#} {done:#}"
    );
    assert!(is_cached(&kitchen, "a") && is_cached(&kitchen, "linked"), "what names need stays");
    assert!(!kitchen.path("home/build/mounts/some-0011223344556677").exists());
}

#[test]
fn the_least_recently_used_goes_first() {
    let Some(kitchen) = Kitchen::new() else { return };
    for name in ["a", "b", "c", "named"] {
        context(&kitchen, name, 4);
    }
    for name in ["a", "b", "c"] {
        kitchen.build("home", name, &[]);
    }
    kitchen.build("home", "named", &["--tag", "named"]);
    fill(&kitchen, "build/mounts/old-0011223344556677/0/file", 4);
    let long_ago = SystemTime::now() - Duration::from_hours(72);
    fs::File::open(kitchen.path("home/build/mounts/old-0011223344556677"))
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    assert!(is_cached(&kitchen, "a"), "and so used last");
    // the cache mount is the oldest, then b
    let keep = du(&kitchen) - (6 << 20);
    let freed = json(&kitchen, &["prune", "--keep-storage", &keep.to_string()]);
    assert!(du(&kitchen) <= keep, "{freed:#}");
    assert_eq!(freed["total"].as_u64().unwrap(), du(&kitchen));
    assert!(!kitchen.path("home/build/mounts/old-0011223344556677").exists());
    assert!(is_cached(&kitchen, "a") && is_cached(&kitchen, "c"));
    assert!(!is_cached(&kitchen, "b"), "{freed:#}");

    // by age: b is made to be old
    let ids = json(&kitchen, &["prune", "--cache", "--filter", "until=1h", "--dry-run"]);
    assert_eq!(ids["layers"].as_array().unwrap().len(), 0, "{ids:#}");
    // an image that is young needs its layers, named or not
    for entry in fs::read_dir(kitchen.path("home/store/images")).unwrap() {
        fs::File::options().write(true).open(entry.unwrap().path()).unwrap().set_modified(long_ago).unwrap();
    }
    for entry in fs::read_dir(kitchen.path("home/store/layers")).unwrap() {
        let data = entry.unwrap().path();
        if fs::read(data.join("fs/data")).unwrap().starts_with(b"b ") {
            fs::File::options()
                .write(true)
                .open(data.join("layer.json"))
                .unwrap()
                .set_modified(long_ago)
                .unwrap();
        }
    }
    let gone = json(&kitchen, &["prune", "--cache", "--filter", "until=2d"]);
    assert_eq!(gone["layers"].as_array().unwrap().len(), 1, "{gone:#}");
    assert!(!is_cached(&kitchen, "b") && is_cached(&kitchen, "c"));

    // more than there can be: names are kept, and it is said
    let output = plimsoll(&kitchen, &["image", "prune", "--keep-storage", "1MB"]);
    assert!(log(&output).contains("the rest is needed by images"), "{}", log(&output));
    assert!(is_cached(&kitchen, "named"));
    assert!(!is_cached(&kitchen, "a"));
}

#[test]
fn a_standing_limit_is_kept_after_each_build() {
    let Some(kitchen) = Kitchen::new() else { return };
    let limit: u64 = 14 << 20;
    let build = |name: &str, args: &[&str]| {
        let mut command = kitchen.command("home", name, args);
        support::built(command.env("PLIMSOLL_KEEP_STORAGE", format!("{}kB", limit / 1000)))
    };
    for name in ["a", "b", "c", "d", "e", "f"] {
        context(&kitchen, name, 4);
        let args: &[&str] = if name == "a" { &["--tag", "a"] } else { &[] };
        let built = build(name, args);
        assert!(du(&kitchen) <= limit, "{name}: {} {}", du(&kitchen), built.log);
        // the image just built is there, and so is the one with a name
        plimsoll(&kitchen, &["image", "inspect", &built.id]);
        plimsoll(&kitchen, &["image", "inspect", "a"]);
        assert!(build(name, args).log.contains("CACHED"));
    }
    // the same from plimsoll.toml, and the variable says what is wrong with it
    kitchen.write("g/plimsoll.toml", "[build]\nkeep_storage = \"9MB\"\n");
    context(&kitchen, "g", 4);
    let built = kitchen.build("home", "g", &[]);
    assert!(built.log.contains("freed ") && built.log.contains(" to stay below 9.0 MB"), "{}", built.log);
    let refused = kitchen.command("home", "g", &[]).env("PLIMSOLL_KEEP_STORAGE", "lots").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(log(&refused).contains("PLIMSOLL_KEEP_STORAGE: `lots` is no size"), "{}", log(&refused));
    // an image larger than the limit is built and kept
    context(&kitchen, "huge", 20);
    let built = build("huge", &[]);
    assert!(built.log.contains("more than the limit of"), "{}", built.log);
    plimsoll(&kitchen, &["image", "inspect", &built.id]);
}
