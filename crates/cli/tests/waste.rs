//! `plimsoll image size` and `image diff` of images that were built: every cause with its instruction, every difference.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

#[path = "support/builder.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod support;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use support::{Kitchen, base};

const WASTEFUL: &str = "FROM debian
COPY app /app
RUN mkdir -p /var/lib/apt/lists /root/.cache/pip /tmp/x \\
 && head -c 300000 /dev/zero > /removed && head -c 200000 /dev/zero > /over \\
 && head -c 150000 /dev/zero > /root/.cache/pip/wheel && head -c 140000 /dev/zero > /tmp/x/object
RUN rm /removed && echo new > /over
RUN chown -R 1000:1000 /app/owned
";

fn image(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .arg("image")
        .args(arguments)
        .env("PLIMSOLL_HOME", home)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn json(home: &Path, arguments: &[&str]) -> Value {
    let output = image(home, arguments);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn build(kitchen: &Kitchen, context: &str, tag: &str) {
    let debian = base("debian", "debian", "plimsoll.local/debian:13");
    kitchen.build("home", context, &["--build-context", &debian, "-t", tag]);
}

fn application(kitchen: &Kitchen) {
    kitchen.write("wasteful/Dockerfile", WASTEFUL);
    kitchen.write("wasteful/app/owned/data", &"d".repeat(130_000));
    kitchen.write("wasteful/app/.git/objects/pack", &"g".repeat(120_000));
    kitchen.write("wasteful/app/dist/main.js.map", &"m".repeat(110_000));
    let packages = r#"{"packages": {"node_modules/linter": {"dev": true}, "node_modules/kept": {}}}"#;
    kitchen.write("wasteful/app/node_modules/.package-lock.json", packages);
    for (name, size) in [("linter", 100_000), ("kept", 90_000)] {
        let folder = format!("wasteful/app/node_modules/{name}");
        let manifest = format!("{{\"name\": \"{name}\", \"version\": \"1.2.3\"}}");
        kitchen.write(&format!("{folder}/package.json"), &manifest);
        kitchen.write(&format!("{folder}/index.js"), &"x".repeat(size));
    }
}

#[test]
fn every_cause_is_found_with_its_instruction() {
    let Some(kitchen) = Kitchen::new() else { return };
    application(&kitchen);
    build(&kitchen, "wasteful", "wasteful:1");
    let home = kitchen.path("home");
    let size = json(&home, &["size", "wasteful:1", "--json"]);
    let cause = |name: &str| -> (u64, String) {
        let waste = size["waste"].as_array().unwrap();
        let finding = waste
            .iter()
            .find(|finding| finding["cause"] == name)
            .unwrap_or_else(|| panic!("{name}: {waste:?}"));
        let made_by = finding["layers"][0]["created_by"].as_str().unwrap().to_owned();
        assert!(!finding["fix"].as_str().unwrap().is_empty());
        (finding["bytes"].as_u64().unwrap(), made_by)
    };
    for (name, bytes, made_by) in [
        ("removed", 300_000, "RUN /bin/sh -c mkdir"),
        ("replaced", 200_000, "RUN /bin/sh -c mkdir"),
        ("package-cache", 150_000, "RUN /bin/sh -c mkdir"),
        ("temporary-files", 140_000, "RUN /bin/sh -c mkdir"),
        ("copied-for-attributes", 130_000, "COPY app /app"),
        ("git-history", 120_000, "COPY app /app"),
        ("source-maps", 110_000, "COPY app /app"),
        ("dev-dependencies", 100_038, "COPY app /app"),
    ] {
        let (found, by) = cause(name);
        assert!((bytes..bytes + 1000).contains(&found), "{name}: {found}");
        assert!(by.starts_with(made_by), "{name}: {by}");
    }
    let packages = size["packages"].as_array().unwrap();
    let package = |name: &str| packages.iter().find(|package| package["name"] == name).unwrap();
    assert!(package("bash")["bytes"].as_u64().unwrap() > 1_000_000);
    assert_eq!((&package("kept")["kind"], &package("kept")["version"]), (&"npm".into(), &"1.2.3".into()));

    let over = image(&home, &["size", "wasteful:1", "--budget", "1MB"]);
    assert_eq!(over.status.code(), Some(1));
    let text = String::from_utf8(over.stdout).unwrap();
    assert!(text.contains("fix: add .git to .dockerignore") && text.contains("budget: over by"), "{text}");
}

#[test]
fn a_difference_names_files_packages_and_settings() {
    let Some(kitchen) = Kitchen::new() else { return };
    application(&kitchen);
    build(&kitchen, "wasteful", "app:1");
    let careful =
        WASTEFUL.replace("RUN chown", "ENV MODE=new\nRUN chmod 600 /etc/motd && rm /etc/issue\nRUN chown");
    kitchen.write("wasteful/Dockerfile", &careful);
    fs::remove_dir_all(kitchen.path("wasteful/app/node_modules/linter")).unwrap();
    let manifest = r#"{"name": "kept", "version": "2.0.0"}"#;
    kitchen.write("wasteful/app/node_modules/kept/package.json", manifest);
    kitchen.write("wasteful/app/added", "12345");
    build(&kitchen, "wasteful", "app:2");

    let diff = json(&kitchen.path("home"), &["diff", "app:1", "app:2", "--json"]);
    let files = diff["files"].as_array().unwrap();
    let file = |path: &str| {
        let found =
            files.iter().find(|file| file["path"] == path).unwrap_or_else(|| panic!("{path}: {files:?}"));
        (found["change"].as_str().unwrap(), found["what"].clone(), found["after"].as_u64().unwrap())
    };
    assert_eq!(file("/app/added"), ("added", serde_json::json!([]), 5));
    assert_eq!(file("/etc/issue").0, "removed");
    assert_eq!((file("/etc/motd").0, file("/etc/motd").1), ("changed", serde_json::json!(["mode"])));
    assert_eq!(file("/app/node_modules/kept/package.json").1, serde_json::json!(["content"]));
    assert!(!files.iter().any(|file| file["path"] == "/usr/bin/bash"));
    let packages = diff["packages"].as_array().unwrap();
    let names: Vec<_> = packages.iter().map(|package| (&package["name"], &package["change"])).collect();
    assert_eq!(names, [(&"kept".into(), &"changed".into()), (&"linter".into(), &"removed".into())]);
    assert_eq!(diff["config"], serde_json::json!([{"key": "Env.MODE", "before": null, "after": "new"}]));
    let same = json(&kitchen.path("home"), &["diff", "app:2", "app:2", "--json"]);
    assert_eq!(
        (&same["files"], &same["packages"], &same["config"]),
        (&Value::Array(vec![]), &Value::Array(vec![]), &Value::Array(vec![]))
    );
}
