//! `plimsoll base`, as far as it needs neither root nor a mirror.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::process::{Command, Output};

fn base(home: &std::path::Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .arg("base")
        .args(arguments)
        .current_dir(home)
        .env("PLIMSOLL_HOME", home)
        .env("PLIMSOLL_DEBIAN_MIRROR", "http://127.0.0.1:9/debian")
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn lists_what_could_be_made() {
    let home = tempfile::tempdir().unwrap();
    let output = base(home.path(), &["ls"]);
    assert!(output.status.success());
    let names: Vec<_> =
        text(&output.stdout).lines().filter_map(|line| line.split_whitespace().next()).collect();
    let known = [
        "debian",
        "node",
        "node-22",
        "node-24",
        "python",
        "postgres",
        "mariadb",
        "rabbitmq",
        "distroless",
        "distroless-node",
        "distroless-node-22",
        "distroless-node-24",
        "distroless-python",
        "redis",
        "nginx",
    ];
    assert_eq!(names, known);
    assert_eq!(text(&output.stdout).matches("not made").count(), known.len());
    let json: serde_json::Value =
        serde_json::from_slice(&base(home.path(), &["ls", "--json"]).stdout).unwrap();
    assert_eq!(json[0]["name"], "debian");
    assert!(json[0]["image"].is_null());
}

#[test]
fn an_unknown_name_is_an_error_with_a_hint() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [["make", "postgers"], ["sbom", "postgers"]] {
        let output = base(home.path(), &arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let message = text(&output.stderr);
        assert!(
            message.contains("there is no base named `postgers`") && message.contains("plimsoll base ls"),
            "{message}"
        );
    }
}

#[test]
fn the_mirror_of_the_policy_comes_first() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("plimsoll.toml"), "[base]\nmirror = \"ftp://mirror.example\"\n").unwrap();
    let output = base(home.path(), &["make", "distroless"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("`ftp://mirror.example` is no mirror address"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_base_that_was_not_made_has_no_list_of_packages() {
    let home = tempfile::tempdir().unwrap();
    let output = base(home.path(), &["sbom", "redis"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("base `redis` has not been made"), "{}", text(&output.stderr));
}
