//! Whose word it is that an image has a name: what a repository's files say counts in that repository alone.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]
#![allow(dead_code, reason = "the kitchen serves several test programs")]

#[path = "support/builder.rs"]
mod support;

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use plimsoll_image::serve::Server;
use support::{Kitchen, binary, log};

/// `plimsoll` in a folder, with the state in `home` and a configuration folder of its own.
fn plimsoll(kitchen: &Kitchen, home: &str, folder: &str, arguments: &[&str]) -> Output {
    Command::new(binary())
        .args(arguments)
        .current_dir(kitchen.path(folder))
        .env("PLIMSOLL_HOME", kitchen.path(home))
        .env("XDG_CONFIG_HOME", kitchen.path("configuration"))
        .env("NO_COLOR", "1")
        .env_remove("COMPOSE_FILE")
        .env_remove("SOURCE_DATE_EPOCH")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn ok(kitchen: &Kitchen, home: &str, folder: &str, arguments: &[&str]) -> String {
    let output = plimsoll(kitchen, home, folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", log(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(kitchen: &Kitchen, folder: &str, says: &[&str]) {
    let output = plimsoll(kitchen, "machine", folder, &["image", "build", "--progress=plain", "."]);
    let said = log(&output);
    assert_eq!(output.status.code(), Some(2), "{folder}: {said}");
    for text in says {
        assert!(said.contains(text), "{folder}: no `{text}` in {said}");
    }
}

/// The file `evil` of what a folder builds.
fn evil(kitchen: &Kitchen, folder: &str) -> String {
    ok(kitchen, "machine", folder, &["image", "build", "-q", "-o", "out", "."]);
    fs::read_to_string(kitchen.path(folder).join("out/evil")).unwrap()
}

#[test]
fn mirrors_of_one_project_poison_the_others() {
    let Some(kitchen) = Kitchen::new() else { return };
    let server = Server::start(&kitchen.path("registry"), 0).unwrap();
    let at = server.address();
    kitchen.write("attacker/Dockerfile", "FROM scratch\nCOPY evil /evil\n");
    kitchen.write("attacker/evil", "I am the attacker's alpine\n");
    let name = format!("{at}/alpine:3.20");
    ok(&kitchen, "attacker-home", "attacker", &["image", "build", "-q", "-t", &name, "--push", "."]);

    // no such registry exists anywhere, so nothing but a mirror can answer
    let mirrors = format!("[mirrors]\n\"registry.invalid\" = [\"http://{at}\"]\n");
    kitchen.write("hostile/plimsoll.toml", &mirrors);
    kitchen.write("hostile/Dockerfile", "FROM registry.invalid/alpine:3.20\n");
    kitchen.write("innocent/Dockerfile", "FROM registry.invalid/alpine:3.20\n");
    refused(&kitchen, "hostile", &["cannot reach", "[mirrors] in plimsoll.toml is not used", "config.toml"]);
    refused(&kitchen, "innocent", &["cannot reach"]);

    // the machine's owner may say it
    kitchen.write("configuration/plimsoll/config.toml", &mirrors);
    assert_eq!(evil(&kitchen, "innocent"), "I am the attacker's alpine\n");
    let listed = ok(&kitchen, "machine", ".", &["image", "ls"]);
    assert!(listed.contains(&format!("mirror {at}")), "{listed}");

    // and takes the word back: what came from there does not stay
    fs::remove_file(kitchen.path("configuration/plimsoll/config.toml")).unwrap();
    refused(&kitchen, "innocent", &["is no mirror of registry.invalid on this machine"]);
    kitchen.write("configuration/plimsoll/config.toml", "[mirrors]\n\"registry.invalid\" = 5\n");
    refused(&kitchen, "innocent", &["config.toml", "line 2"]);
}

#[test]
fn a_compose_file_names_images_for_its_own_repository() {
    let Some(kitchen) = Kitchen::new() else { return };
    kitchen.write(
        "hostile/compose.yml",
        "services:\n  a:\n    image: registry.invalid/node:20\n    build: .\n  \
         b:\n    image: registry.invalid/inner:1\n    build: {context: ., dockerfile: inner.Dockerfile}\n",
    );
    kitchen.write("hostile/Dockerfile", "FROM scratch\nCOPY evil /evil\n");
    kitchen.write("hostile/inner.Dockerfile", "FROM scratch\nCOPY evil /evil\n");
    kitchen.write("hostile/evil", "I am no node\n");
    // two repositories: the tests themselves lie in one
    kitchen.write("hostile/.git/HEAD", "");
    kitchen.write("innocent/.git/HEAD", "");
    kitchen.write("innocent/Dockerfile", "FROM registry.invalid/node:20\n");
    ok(&kitchen, "machine", "hostile", &["build"]);
    refused(&kitchen, "innocent", &["whose names count there alone", "--tag registry.invalid/node:20"]);
    // the project itself goes on as before
    kitchen.write("hostile/sub/Dockerfile", "FROM registry.invalid/node:20\n");
    assert_eq!(evil(&kitchen, "hostile/sub"), "I am no node\n");
    let listed = ok(&kitchen, "machine", ".", &["image", "ls", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let origin = &listed[0]["origins"]["registry.invalid/node:20"];
    assert_eq!(origin["from"], "project", "{listed}");

    // a person's word counts everywhere
    ok(&kitchen, "machine", "hostile", &["image", "build", "-q", "-t", "registry.invalid/node:20", "."]);
    assert_eq!(evil(&kitchen, "innocent"), "I am no node\n");
    // and a digest is what a registry says
    let pinned = format!("a@sha256:{}", "0".repeat(64));
    let output = plimsoll(&kitchen, "machine", "hostile", &["image", "build", "-t", &pinned, "."]);
    assert_eq!(output.status.code(), Some(2), "{}", log(&output));
}

#[test]
fn an_archive_that_names_itself_is_seen() {
    let Some(kitchen) = Kitchen::new() else { return };
    kitchen.write("made/Dockerfile", "FROM scratch\nCOPY evil /evil\n");
    kitchen.write("made/evil", "from an archive\n");
    let archive = kitchen.path("redis.tar");
    let output = format!("type=oci,dest={}", archive.display());
    ok(
        &kitchen,
        "other",
        "made",
        &["image", "build", "-q", "-t", "registry.invalid/redis:8", "-o", &output, "."],
    );
    kitchen.write("mine/Dockerfile", "FROM scratch\nLABEL mine=1\n");
    ok(&kitchen, "machine", "mine", &["image", "build", "-q", "-t", "registry.invalid/redis:8", "."]);
    let loaded = plimsoll(&kitchen, "machine", ".", &["image", "load", archive.to_str().unwrap()]);
    assert!(log(&loaded).contains("note: registry.invalid/redis:8 was "), "{}", log(&loaded));
    let listed = ok(&kitchen, "machine", ".", &["image", "ls"]);
    assert!(listed.contains(&format!("archive {}", archive.display())), "{listed}");
    kitchen.write("user/Dockerfile", "FROM registry.invalid/redis:8\n");
    assert_eq!(evil(&kitchen, "user"), "from an archive\n", "a person loaded it");
}

#[test]
fn variables_that_multiply_in_env() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = "A=1234567890\n".to_owned();
    for (name, before) in ('B'..='J').zip('A'..) {
        text.push_str(&format!("{name}={}\n", format!("${before}").repeat(10)));
    }
    fs::write(dir.path().join(".env"), text).unwrap();
    fs::write(dir.path().join("compose.yml"), "services:\n  a: {image: x}\n").unwrap();
    for verb in [&["config", "-q"][..], &["ps"]] {
        let output = Command::new(binary())
            .args(verb)
            .current_dir(dir.path())
            .env("PLIMSOLL_HOME", dir.path().join("home"))
            .env_remove("COMPOSE_FILE")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{verb:?}: {}", log(&output));
        assert!(log(&output).contains("line 7"), "{verb:?}: {}", log(&output));
    }
}
