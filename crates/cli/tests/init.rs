//! `plimsoll survey` and `plimsoll init` on a copy of examples/pivotal.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use plimsoll_survey::{ReadLimits, Repository};

struct Copy {
    folder: tempfile::TempDir,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Copy {
    /// The example as Git has it, without what is built or installed.
    fn new() -> Self {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pivotal");
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::open(&example, ReadLimits::default()).unwrap();
        let generated = ["Dockerfile", "compose.production.yml", "plimsoll.toml", ".dockerignore"];
        for path in repository.files() {
            let name = path.rsplit('/').next().unwrap();
            if generated.contains(&name) || path.contains("/nginx/") {
                continue;
            }
            let target = folder.path().join(path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(example.join(path), target).unwrap();
        }
        Self { folder }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Replaces a text that must be there.
    fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path} has no {from}");
        fs::write(self.path(path), text.replace(from, to)).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Everything in the folder: text by path.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn visit(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    visit(&path, files);
                } else {
                    files.insert(path.clone(), fs::read(path).unwrap());
                }
            }
        }
        let mut files = BTreeMap::new();
        visit(self.folder.path(), &mut files);
        files
    }

    fn secrets(&self) -> Vec<String> {
        ["postgres_password", "database_url", "redis_conf", "redis_url"]
            .map(|name| self.read(&format!("secrets/{name}")))
            .to_vec()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_diff_comes_first_and_writes_nothing() {
    let copy = Copy::new();
    let before = copy.files();
    let shown = copy.run(&["init"]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(
        shown.out.contains("+++ b/compose.production.yml") && shown.out.contains("plimsoll init --apply")
    );
    assert_eq!(copy.files(), before);
    // Drift, said by the exit code; secrets of a machine are none.
    assert_eq!(copy.run(&["init", "--check"]).code, 1);
    assert_eq!(copy.files(), before);
}

#[test]
fn applied_once_the_second_time_says_no_changes() {
    let copy = Copy::new();
    let applied = copy.run(&["init", "--apply"]);
    assert_eq!(applied.code, 0, "{}", applied.err);
    assert_eq!(mode(&copy.path("secrets")), 0o700);
    for name in ["postgres_password", "database_url", "redis_conf", "redis_url"] {
        assert_eq!(mode(&copy.path(&format!("secrets/{name}"))), 0o600);
    }
    let ignored = copy.read(".gitignore");
    assert!(ignored.starts_with("node_modules/\n") && ignored.ends_with("\n/secrets/\n"), "{ignored}");

    let before = copy.files();
    for arguments in [&["init"][..], &["init", "--yes"], &["init", "--check"]] {
        let again = copy.run(arguments);
        assert_eq!((again.code, again.out.lines().last()), (0, Some("no changes")), "{arguments:?}");
    }
    assert_eq!(copy.files(), before);

    // What reads the files finds them right: the policy, and the compose file through it.
    let config = copy.run(&["config"]);
    assert_eq!(config.code, 0, "{}", config.err);
}

#[test]
fn secrets_are_never_shown_and_never_made_again() {
    let copy = Copy::new();
    let mut shown = copy.run(&["init"]).out + &copy.run(&["init", "--apply"]).out;
    let secrets = copy.secrets();
    let password = secrets[0].clone();
    assert!(password.len() == 64 && secrets[1].contains(&password) && !secrets[2].contains(&password));

    fs::remove_file(copy.path("secrets/redis_url")).unwrap();
    fs::write(copy.path("secrets/database_url"), "postgresql://mine").unwrap();
    shown += &copy.run(&["init"]).out;
    shown += &copy.run(&["init", "--apply", "--json"]).out;
    let after = copy.secrets();
    assert_eq!(
        (&after[0], after[1].as_str(), &after[2], &after[3]),
        (&secrets[0], "postgresql://mine", &secrets[2], &secrets[3])
    );
    let redis = secrets[2].trim().strip_prefix("requirepass ").unwrap();
    assert!(!shown.contains(&password) && !shown.contains(redis) && !shown.contains("postgresql://"));
    let lock = copy.read(".plimsoll/lock.json");
    assert!(!lock.contains(&password) && !lock.contains(redis));

    let other = Copy::new();
    other.run(&["init", "--apply"]);
    assert_ne!(other.secrets()[0], password);
}

#[test]
fn edits_are_merged_with_what_is_new() {
    let copy = Copy::new();
    copy.run(&["init", "--apply"]);
    copy.edit("apps/backend/Dockerfile", "EXPOSE 3000\n", "EXPOSE 3000\n# Ours.\nENV EXTRA=1\n");
    assert_eq!(copy.run(&["init", "--check"]).code, 0, "an edit is no drift");
    copy.edit("package.json", "pnpm@10.34.9", "pnpm@10.34.10");

    let shown = copy.run(&["init"]);
    assert!(
        shown.out.contains("-    npm install --global pnpm@10.34.9\n+    npm install --global pnpm@10.34.10")
    );
    assert!(!shown.out.contains("-ENV EXTRA"), "{}", shown.out);
    assert_eq!(copy.run(&["init", "--check"]).code, 1);
    assert_eq!(copy.run(&["init", "--apply"]).code, 0);
    let dockerfile = copy.read("apps/backend/Dockerfile");
    assert!(dockerfile.contains("pnpm@10.34.10") && dockerfile.contains("# Ours.\nENV EXTRA=1\n"));
    assert!(copy.run(&["init"]).out.ends_with("no changes\n"));
}

#[test]
fn what_both_changed_stays_as_it_is_until_somebody_decides() {
    let copy = Copy::new();
    copy.run(&["init", "--apply"]);
    copy.edit(
        "apps/backend/Dockerfile",
        "npm install --global pnpm@10.34.9",
        "npm install --global ./our-pnpm.tgz",
    );
    copy.edit("package.json", "pnpm@10.34.9", "pnpm@10.34.10");
    let mine = copy.read("apps/backend/Dockerfile");

    let conflict = copy.run(&["init", "--apply"]);
    assert_eq!(conflict.code, 1);
    for side in [
        "npm install --global ./our-pnpm.tgz",
        "npm install --global pnpm@10.34.10",
        "--keep apps/backend/Dockerfile",
    ] {
        assert!(conflict.out.contains(side), "{}", conflict.out);
    }
    assert_eq!(copy.read("apps/backend/Dockerfile"), mine);
    // One change of the source is one change of all files: none is written while a part of it waits.
    assert!(copy.read("apps/frontend/Dockerfile").contains("pnpm@10.34.9"));
    assert!(!conflict.out.contains("next: plimsoll up"), "{}", conflict.out);
    let json: serde_json::Value = serde_json::from_str(&copy.run(&["init", "--json"]).out).unwrap();
    let change = &json["changes"][0];
    assert_eq!(
        (change["outcome"].as_str(), change["conflict"].as_str()),
        (Some("conflict"), Some("overlap"))
    );
    assert!(change["hunks"][0]["ours"].as_str().unwrap().contains("our-pnpm.tgz"));

    assert_eq!(copy.run(&["init", "--apply", "--keep", "./apps/backend/Dockerfile"]).code, 0);
    assert_eq!(copy.read("apps/backend/Dockerfile"), mine);
    assert!(copy.read("apps/frontend/Dockerfile").contains("pnpm@10.34.10"));
    assert_eq!(copy.run(&["init"]).code, 0);
    assert_eq!(copy.run(&["init", "--apply", "--take", "apps/backend/Dockerfile"]).code, 0);
    assert!(copy.read("apps/backend/Dockerfile").contains("pnpm@10.34.10"));
    assert_eq!(copy.run(&["init", "--take", "README.md"]).code, 2);
}

#[test]
fn files_of_other_people_are_not_touched() {
    let copy = Copy::new();
    fs::write(copy.path(".dockerignore"), "everything\n").unwrap();
    fs::write(copy.path("apps/backend/Dockerfile"), "FROM mine\n").unwrap();
    let applied = copy.run(&["init", "--apply"]);
    assert_eq!(applied.code, 0, "{}{}", applied.out, applied.err);
    assert_eq!(copy.read(".dockerignore"), "everything\n");
    assert_eq!(copy.read("apps/backend/Dockerfile"), "FROM mine\n");
    // Ours stand beside them, and the stack is built with ours.
    assert!(copy.path("apps/backend/Dockerfile.production.dockerignore").exists());
    assert!(copy.read("compose.production.yml").contains("dockerfile: apps/backend/Dockerfile.production"));
    assert!(copy.run(&["init"]).out.contains("no changes"));

    let copy = Copy::new();
    fs::write(copy.path("compose.production.yml"), "services: {}\n").unwrap();
    let applied = copy.run(&["init", "--apply"]);
    assert_eq!(applied.code, 1);
    assert!(applied.out.contains("compose.production.yml"), "{}", applied.out);
    assert!(applied.out.contains("is there already"), "{}", applied.out);
    assert_eq!(copy.read("compose.production.yml"), "services: {}\n");
}

#[test]
fn deleted_files_stay_deleted() {
    let copy = Copy::new();
    copy.run(&["init", "--apply"]);
    fs::remove_file(copy.path("plimsoll.toml")).unwrap();
    let again = copy.run(&["init", "--apply"]);
    assert!(again.code == 0 && again.out.contains("plimsoll.toml: deleted by you"), "{}", again.out);
    assert!(!copy.path("plimsoll.toml").exists());
    copy.run(&["init", "--apply", "--take", "plimsoll.toml"]);
    assert!(copy.path("plimsoll.toml").exists());
}

#[test]
fn nothing_is_written_through_links() {
    let outside = tempfile::tempdir().unwrap();
    let copy = Copy::new();
    symlink(outside.path(), copy.path("apps/frontend/nginx")).unwrap();
    let refused = copy.run(&["init", "--apply"]);
    assert!(refused.code == 2 && refused.err.contains("leads out of the repository"), "{}", refused.err);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);

    let copy = Copy::new();
    fs::write(outside.path().join("mine"), "mine").unwrap();
    symlink(outside.path().join("mine"), copy.path("compose.production.yml")).unwrap();
    let refused = copy.run(&["init", "--apply"]);
    assert!(refused.code == 2 && refused.err.contains("not a regular file"), "{}", refused.err);
    assert_eq!(fs::read_to_string(outside.path().join("mine")).unwrap(), "mine");
}

#[test]
fn what_cannot_be_written_is_said_with_its_place() {
    let copy = Copy::new();
    copy.edit("apps/backend/package.json", "\"start\": \"node dist/index.js\"", "\"start\": \"./start.sh\"");
    let without = copy.run(&["init"]);
    // What nothing says is asked, with its place and what was taken.
    assert!(without.out.contains("Which program starts backend in production?"), "{}", without.out);
    assert!(without.out.contains("taken: node dist/index.js; otherwise --answer backend.command=VALUE"));
    assert!(without.out.contains("apps/backend/package.json:"), "{}", without.out);

    for folder in ["", "apps/backend/", "apps/frontend/", "packages/shared/"] {
        fs::remove_file(copy.path(&format!("{folder}package.json"))).unwrap();
    }
    let refused = copy.run(&["init", "--apply"]);
    assert!(
        refused.code == 2 && refused.err.contains("nothing was found that can be deployed"),
        "{}",
        refused.err
    );
    assert!(!copy.path("compose.production.yml").exists());
}

#[test]
fn json_is_for_programs() {
    let copy = Copy::new();
    let survey: serde_json::Value = serde_json::from_str(&copy.run(&["survey", "--json"]).out).unwrap();
    assert_eq!(survey["services"][0]["port"]["value"], 3000);
    assert_eq!(survey["services"][0]["port"]["evidence"][0]["file"], "apps/backend/src/config.ts");
    let init: serde_json::Value = serde_json::from_str(&copy.run(&["init", "--json"]).out).unwrap();
    assert_eq!(
        (init["applied"].as_bool(), init["changes"][0]["outcome"].as_str()),
        (Some(false), Some("created"))
    );
    assert_eq!(init["secrets"].as_array().unwrap().len(), 4);
}

#[test]
fn answers_are_kept_and_wrong_ones_are_refused() {
    let copy = Copy::new();
    assert_eq!(copy.run(&["init", "--apply", "--answer", "backend.port=4000"]).code, 0);
    assert!(copy.read("plimsoll.toml").contains("\"backend.port\" = \"4000\""));
    assert!(copy.read("compose.production.yml").contains("PORT: \"4000\""));
    let again = copy.run(&["init"]);
    assert!(again.code == 0 && again.out.contains("no changes"), "{}{}", again.out, again.err);
    for (answer, why) in [
        ("backend.port=x", "is no port"),
        ("nobody.port=1", "no service is called `nobody`"),
        ("backend.colour=red", "nothing that can be answered"),
        ("backend", "SERVICE.FIELD=VALUE"),
        ("tls=yes", "is no `proxy` or `files`"),
    ] {
        let refused = copy.run(&["init", "--answer", answer]);
        assert!(refused.code == 2 && refused.err.contains(why), "{answer}: {}", refused.err);
    }
}

#[test]
fn a_front_with_tls_waits_for_the_certificate_of_the_team() {
    let copy = Copy::new();
    let asked = copy.run(&["init"]);
    assert!(asked.out.contains("--answer tls=VALUE"), "{}", asked.out);
    let applied = copy.run(&["init", "--apply", "--answer", "tls=files"]);
    assert_eq!(applied.code, 0, "{}{}", applied.out, applied.err);
    assert!(applied.out.contains("secrets/tls_certificate"), "{}", applied.out);
    assert!(!copy.path("secrets/tls_certificate").exists() && !copy.path("secrets/tls_key").exists());
    assert!(copy.read("compose.production.yml").contains("${HTTPS_PORT:-8443}:8443"));
    let again = copy.run(&["init"]);
    assert!(again.code == 0 && again.out.contains("no changes"), "{}{}", again.out, again.err);
    assert!(!again.out.contains("--answer tls=VALUE"), "it was answered: {}", again.out);
}

#[test]
fn a_project_without_a_name_is_called_after_its_folder_and_keeps_what_is_chosen() {
    let copy = Copy::new();
    copy.edit("package.json", "\"name\": \"pivotal\",", "");
    let folder = copy.path("Tea Shop");
    fs::create_dir(&folder).unwrap();
    for entry in fs::read_dir(copy.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path != folder {
            fs::rename(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
    let init = || {
        let ran = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
            .args(["init", "--apply", "--no-input"])
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        fs::read_to_string(folder.join("compose.production.yml")).unwrap()
    };
    assert!(init().contains("\nname: tea-shop\n"));
    // What a person writes there counts from then on.
    let policy = folder.join("plimsoll.toml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, text.replace("name = \"tea-shop\"", "name = \"kettle\"")).unwrap();
    assert!(init().contains("\nname: kettle\n"));
}
