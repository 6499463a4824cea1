//! `plimsoll image ls|inspect|size|rm|save|load|push|pull|prune` with the real binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use plimsoll_image::{History, Image, ImageConfig, ImageRecord, Reference, SealOptions, Store};

fn image(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .arg("image")
        .args(arguments)
        .current_dir(home)
        .env("PLIMSOLL_HOME", home)
        .env("DOCKER_CONFIG", home)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Standard output of a verb that must end with 0.
fn ok(home: &Path, arguments: &[&str]) -> String {
    let output = image(home, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Exit code and message of a verb that fails.
fn fails(home: &Path, arguments: &[&str]) -> (i32, String) {
    let output = image(home, arguments);
    (output.status.code().unwrap(), text(&output.stderr))
}

/// An image of two layers; the upper one replaces a file of 3 MB.
fn example(home: &Path, names: &[&str]) -> ImageRecord {
    let store = Store::open(home.join("store")).unwrap();
    let mut layers = Vec::new();
    let mut config = ImageConfig { created: Some("2020-01-01T00:00:00Z".into()), ..Default::default() };
    for (size, by) in [(3_000_000, "COPY big /big # buildkit"), (1_000_000, "RUN   make\tsmaller")] {
        let draft = store.begin_layer().unwrap();
        fs::write(draft.fs.join("big"), vec![7; size]).unwrap();
        layers.push(draft.seal(&SealOptions { epoch: Some(0) }).unwrap().id);
        config.history.push(History { created_by: Some(by.into()), ..Default::default() });
        config.history.push(History {
            created_by: Some("ENV a=b".into()),
            empty_layer: true,
            ..Default::default()
        });
    }
    let names: Vec<Reference> = names.iter().map(|name| Reference::parse(name).unwrap()).collect();
    store.put_image(&Image { config, layers }, &names).unwrap()
}

#[test]
fn images_are_listed_and_inspected() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(ok(home.path(), &["ls"]), "NAME  ID                  SIZE  CREATED  FROM\n");
    let record = example(home.path(), &["app:1", "x.y/app:2"]);
    let id = record.id.short();
    assert_eq!(
        ok(home.path(), &["ls"]),
        format!(
            "NAME       ID                  SIZE  CREATED               FROM\n\
             app:1      {id}      4.0 MB  2020-01-01T00:00:00Z  -\n\
             x.y/app:2  {id}      4.0 MB  2020-01-01T00:00:00Z  -\n"
        )
    );
    assert_eq!(ok(home.path(), &["ls", "--quiet"]), format!("{}\n", record.id));
    let listed: serde_json::Value = serde_json::from_str(&ok(home.path(), &["ls", "--json"])).unwrap();
    assert_eq!(listed[0]["names"], serde_json::json!(["app:1", "x.y/app:2"]));
    let inspected: serde_json::Value = serde_json::from_str(&ok(home.path(), &["inspect", &id])).unwrap();
    assert_eq!(inspected[0]["layers"][1]["bytes"], 1_000_000);
    assert_eq!(inspected[0]["config"]["os"], "linux");
    let (code, message) = fails(home.path(), &["inspect", "ap:1"]);
    assert_eq!(code, 2);
    assert!(
        message.contains("no image `ap:1` in the store") && message.contains("plimsoll image ls"),
        "{message}"
    );
}

#[test]
fn a_size_is_explained_and_held_to_its_budget() {
    let home = tempfile::tempdir().unwrap();
    example(home.path(), &["app"]);
    assert_eq!(
        ok(home.path(), &["size", "app", "--budget", "4MB"]),
        "    3.0 MB   1  COPY big /big # buildkit
    1.0 MB   2  RUN make smaller
    4.0 MB  in all, of which a container sees 1.0 MB

wasted: 3.0 MB
    3.0 MB  overwritten by a later layer, 1 file
    3.0 MB    in layer 1: COPY big /big # buildkit
              like /big
              fix: write the file once: do both changes in one RUN, or in an earlier stage
    4.0 MB  budget: fits
"
    );
    let output = image(home.path(), &["size", "app", "--budget", "3500kB", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((json["fits"].as_bool(), json["visible"].as_u64()), (Some(false), Some(1_000_000)));
    assert_eq!(
        (&json["waste"][0]["cause"], &json["waste"][0]["bytes"]),
        (&"replaced".into(), &3_000_000.into())
    );
    assert_eq!(fails(home.path(), &["size", "app", "--budget", "much"]).0, 2);
}

#[test]
fn images_travel_by_file_and_go_away() {
    let home = tempfile::tempdir().unwrap();
    let record = example(home.path(), &["app:1", "app:2"]);
    for (format, file) in [("docker", "a.tar"), ("oci", "b.tar"), ("oci-dir", "c")] {
        ok(home.path(), &["save", "app:1", "--format", format, "--output", file]);
        let there = tempfile::tempdir().unwrap();
        let file = home.path().join(file);
        let loaded = ok(there.path(), &["load", file.to_str().unwrap()]);
        assert_eq!(loaded, format!("loaded app:1  {}\n", record.id));
        assert_eq!(ok(there.path(), &["ls", "-q"]), format!("{}\n", record.id));
    }
    // by pipe in both directions
    let there = tempfile::tempdir().unwrap();
    let saved = image(home.path(), &["save", &record.id.to_string(), "--format=oci", "--compression=zstd"]);
    fs::write(there.path().join("pipe.tar"), &saved.stdout).unwrap();
    let loaded = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["image", "load"])
        .env("PLIMSOLL_HOME", there.path())
        .stdin(fs::File::open(there.path().join("pipe.tar")).unwrap())
        .output()
        .unwrap();
    assert_eq!(text(&loaded.stdout), format!("loaded app:1  {0}\nloaded app:2  {0}\n", record.id));
    let (code, message) = fails(there.path(), &["load", "nothing.tar"]);
    assert!(code == 2 && message.contains("nothing.tar"), "{message}");

    let (code, message) = fails(home.path(), &["rm", &record.id.short()]);
    assert!(code == 2 && message.contains("app:1, app:2") && message.contains("--force"), "{message}");
    assert_eq!(ok(home.path(), &["rm", "app:1"]), "name removed: app:1\n");
    let gone = format!("name removed: app:2\nimage removed: {}\n", record.id);
    assert_eq!(ok(home.path(), &["rm", "app:2"]), gone);
    // the configuration, and each layer as gzip and zstd
    let planned = ok(home.path(), &["prune", "--dry-run"]);
    assert!(planned.starts_with("would free 4.1 MB: images 0, layers 2, blobs 5"), "{planned}");
    let pruned: serde_json::Value = serde_json::from_str(&ok(home.path(), &["prune", "--json"])).unwrap();
    assert_eq!(pruned["layers"].as_array().unwrap().len(), 2);
    assert!(ok(home.path(), &["prune"]).starts_with("freed 0.0 MB: images 0, layers 0"));
}

#[test]
fn images_travel_by_registry() {
    let home = tempfile::tempdir().unwrap();
    let (code, message) = fails(home.path(), &["pull", "127.0.0.1:1/app"]);
    assert!(code == 2 && message.contains("cannot reach registry `127.0.0.1:1`"), "{message}");
    if Command::new("docker-registry").arg("--version").stdout(Stdio::null()).status().is_err() {
        assert!(std::env::var_os("CI").is_none(), "this test needs `docker-registry`");
        eprintln!("skipped: install `docker-registry` to test against a registry");
        return;
    }
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let config = home.path().join("registry.yml");
    let data = home.path().join("registry");
    let text = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\nhttp:\n  addr: {address}\n",
        data.display()
    );
    fs::write(&config, text).unwrap();
    let mut server = Command::new("docker-registry")
        .arg("serve")
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while TcpStream::connect(&address).is_err() && start.elapsed() < Duration::from_secs(20) {
        thread::sleep(Duration::from_millis(20));
    }
    let record = example(home.path(), &["app:1"]);
    let remote = format!("{address}/team/app:7");
    let there = tempfile::tempdir().unwrap();
    let results = [
        image(home.path(), &["push", "app:1", &remote]),
        image(home.path(), &["push", "app:1", &remote]),
        image(there.path(), &["pull", &remote]),
        image(there.path(), &["pull", &format!("{address}/team/app:8")]),
    ];
    server.kill().unwrap();
    server.wait().unwrap();
    let out: Vec<String> = results.iter().map(|output| self::text(&output.stdout)).collect();
    let err: Vec<String> = results.iter().map(|output| self::text(&output.stderr)).collect();
    assert!(out[0].starts_with(&format!("{address}/team/app@sha256:")), "{out:?} {err:?}");
    assert_eq!(out[0], out[1]);
    assert!(
        err[0].contains("3 sent, 0 there already") && err[1].contains("0 sent, 3 there already"),
        "{err:?}"
    );
    assert_eq!(out[2], format!("{}  {}\n", out[0].trim(), record.id));
    assert!(err[3].contains("does not have `team/app:8`") && err[3].contains("hint"), "{err:?}");
}
