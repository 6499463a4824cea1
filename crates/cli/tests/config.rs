//! `plimsoll config` as people run it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::{fs, process::Command};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    /// Exit code, output, messages.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command.arg("config").args(args).current_dir(self.0.path()).env_clear().env("HOME", "/home/user");
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

const FILE: &str = "name: shop\nservices:\n  web:\n    image: web:${TAG:-1}\n    depends_on: [db]\n    command: echo $$HOME\n  db: {image: db, profiles: [store]}\n";

#[test]
fn finds_the_file_its_override_and_its_variables() {
    let folder = Folder::new(&[
        ("compose.yaml", FILE),
        ("compose.override.yaml", "services: {web: {ports: [\"80:80\"]}}\n"),
        (".env", "TAG=7\nCOMPOSE_PROFILES=store\n"),
        ("deep/er/README", ""),
    ]);
    let (code, out, err) = folder.run(&[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("image: web:7\n") && out.contains("published: \"80\"\n"), "{out}");
    assert!(out.contains("- $$HOME\n"), "the output can be read again: {out}");
    assert_eq!(folder.run(&["--services"]).1, "db\nweb\n");
    assert_eq!(folder.run(&["--images"]).1, "web:7\ndb\n");
    assert_eq!(folder.run(&["-q"]), (0, String::new(), String::new()));
    let (_, json, _) = folder.run(&["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["services"]["web"]["ports"][0]["target"], 80);
    let (_, raw, _) = folder.run(&["--no-interpolate"]);
    assert!(raw.contains("image: web:${TAG:-1}\n"), "{raw}");
    let (_, origins, _) = folder.run(&["--origins"]);
    assert!(origins.contains("services.web.ports.0.target  compose.override.yaml:1:"), "{origins}");
    assert!(origins.contains("services.web.image  compose.yaml:4:12\n"), "{origins}");
}

#[test]
fn says_what_is_wrong_and_where() {
    let folder = Folder::new(&[("compose.yaml", FILE)]);
    let (code, out, err) = folder.run(&[]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("service `web` depends on `db`, which no active profile enables"), "{err}");
    assert!(err.contains("compose.yaml:5"), "{err}");
    assert_eq!(folder.run(&["--profile", "store", "-q"]).0, 0);
    let (code, _, err) = folder.run(&["-f", "nope.yml"]);
    assert!(code == 2 && err.contains("cannot read nope.yml"), "{err}");
}
