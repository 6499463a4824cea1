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

#[test]
fn changes_a_value_and_nothing_else() {
    let text =
        "# shop\nname: shop\nservices:\n  web: # front\n    image: \"web:1\"  # pinned\n    labels: {a: b}\n";
    let folder = Folder::new(&[
        ("compose.yaml", text),
        ("compose.override.yaml", "services: {web: {ports: [\"80:80\"]}}\n"),
    ]);
    let (code, out, err) =
        folder.run(&["--set", "services.web.image=web:2", "--unset", "services.web.labels.a"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("-    image: \"web:1\"  # pinned\n") && out.contains("+    labels: {}\n"), "{out}");
    let read = |name: &str| fs::read_to_string(folder.0.path().join(name)).unwrap();
    assert_eq!(read("compose.yaml"), text, "only the difference was asked for");
    let (code, ..) =
        folder.run(&["--set", "services.web.image=web:2", "--set", "services.web.ports[0]=81:80", "-w"]);
    assert_eq!(code, 0);
    assert_eq!(read("compose.yaml"), text.replace("web:1", "web:2"));
    assert_eq!(read("compose.override.yaml"), "services: {web: {ports: [\"81:80\"]}}\n");
    let (code, _, err) = folder.run(&["--set", "services.web.imag=x", "-w"]);
    assert!(
        code == 2 && err.contains("did you mean `image`") && err.contains("nothing was written"),
        "{err}"
    );
    assert_eq!(read("compose.yaml"), text.replace("web:1", "web:2"));
    let (code, _, err) = folder.run(&["--write"]);
    assert!(code == 2 && err.contains("nothing to write"), "{err}");
    let names: Vec<_> =
        fs::read_dir(folder.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn lists_variables_networks_models_and_digests() {
    let text = "name: shop\nservices:\n  web:\n    image: ${IMAGE:-web}:${TAG?say which}\n    networks: [front]\n    models: [m]\n    \
                env_file: web.env\nnetworks: {front: , back: }\nmodels: {m: {model: ai/x}}\n";
    let folder = Folder::new(&[("compose.yaml", text), ("web.env", "A=1\n"), (".env", "TAG=3\n")]);
    assert_eq!(
        folder.run(&["--variables"]).1,
        "NAME   REQUIRED  DEFAULT VALUE  ALTERNATE VALUE\nIMAGE  false     web\nTAG    true\n"
    );
    let (_, json, _) = folder.run(&["--variables", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["IMAGE"]["DefaultValue"], "web");
    assert_eq!(folder.run(&["--networks"]).1, "front\n");
    assert_eq!(folder.run(&["--models"]).1, "ai/x\n");
    let kept = folder.run(&["--no-env-resolution"]).1;
    assert!(kept.contains("env_file:\n") && !kept.contains("environment:"), "{kept}");
    let (code, hashes, _) = folder.run(&["--hash", "*"]);
    let (name, digest) = hashes.trim().split_once(' ').unwrap();
    assert!(code == 0 && name == "web" && digest.len() == 64, "{hashes}");
    assert_eq!(folder.run(&["--hash", "web"]).1, hashes);
    // what the file of variables says counts, as it does on the container that `up` makes
    fs::write(folder.0.path().join("web.env"), "A=2\n").unwrap();
    assert_ne!(folder.run(&["--hash", "web"]).1, hashes);
    let (code, _, err) = folder.run(&["--hash", "nope"]);
    assert!(code == 2 && err.contains("has no service nope"), "{err}");
}

#[test]
fn hashes_are_those_of_docker_compose() {
    let Some(theirs) = std::env::var_os("PLIMSOLL_TEST_DOCKER_COMPOSE") else {
        assert!(std::env::var_os("CI").is_none(), "PLIMSOLL_TEST_DOCKER_COMPOSE is not set");
        eprintln!("skipped: PLIMSOLL_TEST_DOCKER_COMPOSE is not set");
        return;
    };
    let text = "name: shop\nservices:\n  web:\n    image: a\n    environment: {A: <&>, B: }\n    \
                ports: [\"80:80\"]\n    volumes: [data:/d, ./x:/x]\n    depends_on: [db]\n    deploy: {replicas: 2, resources: {limits: {memory: 64M}}}\n  \
                db: {image: b, ulimits: {core: 0}, healthcheck: {test: x, interval: 90s}}\nvolumes: {data: }\n";
    let folder = Folder::new(&[("compose.yaml", text), ("web.env", "A=1\n")]);
    let mut command = Command::new(theirs);
    command
        .args(["config", "--hash", "*"])
        .current_dir(folder.0.path())
        .env_clear()
        .env("HOME", "/home/user");
    let theirs = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert_eq!(folder.run(&["--hash", "*"]).1, theirs);
}

/// Ends with the test, however that ends.
struct Serving(std::process::Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Digests from a registry of our own on this machine.
#[test]
fn pins_images_to_what_their_registry_has() {
    let folder = Folder::new(&[("Dockerfile", "FROM scratch\nCOPY x /x\n"), ("x", "hi\n")]);
    let home = tempfile::tempdir().unwrap();
    let plimsoll = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command.current_dir(folder.0.path()).env("PLIMSOLL_HOME", home.path());
        command
    };
    let mut serve = plimsoll();
    serve.args(["image", "serve", "--port", "0"]).stdout(std::process::Stdio::piped());
    let mut registry = Serving(serve.spawn().unwrap());
    let mut line = String::new();
    let mut output = std::io::BufReader::new(registry.0.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    let at = line.find("127.0.0.1:").unwrap_or_else(|| panic!("no address: {line}"));
    let host: String =
        line[at..].chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect();
    let image = format!("{}/config-test:1", host.trim_end_matches([':', '.']));
    for args in [vec!["image", "build", "-q", "-t", &image, "."], vec!["image", "push", &image]] {
        let output = plimsoll().args(&args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = format!(
        "name: shop\nservices:\n  a: {{image: '{image}', command: x}}\n  b: {{build: ., image: b}}\n"
    );
    fs::write(folder.0.path().join("compose.yaml"), text).unwrap();
    let (code, lock, err) = folder.run(&["--lock-image-digests"]);
    let (_, model, _) = folder.run(&["--resolve-image-digests"]);
    drop(registry);
    assert_eq!(code, 0, "{err}");
    let front = format!("services:\n  a:\n    image: {image}@sha256:");
    assert!(lock.starts_with(&front) && lock.lines().count() == 3, "{lock}");
    assert!(model.contains(&format!("image: {image}@sha256:")) && model.contains("image: b\n"), "{model}");
    let (code, _, err) = folder.run(&["--lock-image-digests"]);
    assert!(code == 2 && err.contains("of service `a`"), "{err}");
}
