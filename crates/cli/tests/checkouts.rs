//! Two checkouts of one repository on one machine: the project's name is the same, the stack is not.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "../../engine/tests/support/mod.rs"]
mod busybox;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const NAME: &str = "plimsoll-test-checkouts";
const COMPOSE: &str = "name: plimsoll-test-checkouts
services:
  db: { image: plimsoll-test/busybox:1, init: true, stop_grace_period: 1s, command: [sleep, '1000'] }
";

struct Checkouts(PathBuf);

impl Checkouts {
    fn new() -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(busybox::engine())?;
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("checkouts");
        let _ = fs::remove_dir_all(&directory);
        for checkout in ["a", "b"] {
            fs::create_dir_all(directory.join(checkout)).unwrap();
            fs::write(directory.join(checkout).join("compose.yml"), COMPOSE).unwrap();
        }
        let checkouts = Self(directory);
        checkouts.run("a", &["down"]);
        Some(checkouts)
    }

    fn run(&self, checkout: &str, arguments: &[&str]) -> Output {
        let binary =
            std::env::var_os("PLIMSOLL_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_plimsoll").into());
        Command::new(binary)
            .args(arguments)
            .current_dir(self.0.join(checkout))
            .env("PLIMSOLL_HOME", self.0.join("home"))
            .env("NO_COLOR", "1")
            .env_remove("COMPOSE_FILE")
            .env_remove("COMPOSE_PROJECT_NAME")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The exit code, and what was said on standard error.
    fn said(&self, checkout: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run(checkout, arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

impl Drop for Checkouts {
    fn drop(&mut self) {
        self.run("a", &["down"]);
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn second_checkout_takes_over() {
    let Some(checkouts) = Checkouts::new() else { return };
    assert_eq!(checkouts.said("a", &["up"]).0, Some(0));
    assert_eq!(checkouts.said("a", &["up"]).0, Some(0), "the same folder goes on");
    for verb in [&["up"][..], &["up", "--dry-run"], &["create"], &["up", "--force-recreate"]] {
        let (code, said) = checkouts.said("b", verb);
        assert_eq!(code, Some(2), "{verb:?}: {said}");
        let places = [checkouts.0.join("a"), checkouts.0.join("b")];
        for text in [NAME, "--take-over", "--project-name"] {
            assert!(said.contains(text), "{verb:?}: no {text} in {said}");
        }
        for place in places {
            assert!(said.contains(&place.canonicalize().unwrap().display().to_string()), "{verb:?}: {said}");
        }
    }
    // a name that was given is meant, and is told
    let (code, said) = checkouts.said("b", &["-p", NAME, "up"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("was started from"), "{said}");
    assert_eq!(checkouts.said("b", &["up", "--take-over", "--force-recreate"]).0, Some(0));
    let (code, said) = checkouts.said("a", &["up"]);
    assert_eq!(code, Some(2), "now it is b's: {said}");
    assert_eq!(checkouts.said("a", &["up", "--take-over", "--force-recreate"]).0, Some(0));

    // a checkout that moved goes on
    fs::rename(checkouts.0.join("a"), checkouts.0.join("moved")).unwrap();
    let (code, said) = checkouts.said("moved", &["up"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("is not there any more"), "{said}");
    fs::rename(checkouts.0.join("moved"), checkouts.0.join("a")).unwrap();
}
