//! `build:` of a Compose file through `build` and `up`, with the real binary. Each test is named after what went wrong
//! in use.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "../../engine/tests/support/mod.rs"]
mod busybox;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

struct Kitchen {
    name: String,
    directory: PathBuf,
}

impl Kitchen {
    /// `None`, with the reason printed, where no engine answers or we are not root.
    fn new(name: &str, compose: &str) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(busybox::engine())?;
        if !rustix::process::geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none(), "CI must not skip: needs root");
            eprintln!("skipped: needs root for the builder's sandbox");
            return None;
        }
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("service-builds-{name}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let kitchen = Self { name: format!("plimsoll-test-sb-{name}"), directory };
        kitchen.forget();
        kitchen.write("compose.yml", compose);
        Some(kitchen)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env("PLIMSOLL_HOME", self.directory.join("home"))
            .env("COMPOSE_PROJECT_NAME", &self.name)
            .env("NO_COLOR", "1")
            .env_remove("COMPOSE_FILE")
            .env_remove("DOCKER_DEFAULT_PLATFORM")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        self.ok_with(arguments, &[])
    }

    fn ok_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let output = self.command(arguments).envs(variables.iter().copied()).output().unwrap();
        let said = both(&output);
        assert!(output.status.success(), "{arguments:?}: {}\n{said}", output.status);
        said
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = both(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}\n{said}");
        said
    }

    /// What the containers wrote, by service.
    fn logs(&self, service: &str) -> String {
        self.ok(&["logs", "--no-color", "--no-log-prefix", service])
    }

    fn architecture(&self, image: &str) -> String {
        let text = self.ok(&["image", "inspect", image]);
        let line = text.lines().find(|line| line.contains("\"architecture\"")).unwrap_or_default();
        line.trim().trim_end_matches(',').to_owned()
    }

    fn forget(&self) {
        self.run(&["-p", &self.name, "down", "--volumes", "--rmi", "local"]);
    }
}

impl Drop for Kitchen {
    fn drop(&mut self) {
        self.forget();
    }
}

fn docker(arguments: &[&str]) -> Output {
    Command::new("docker").args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Also `a-base-that-the-engine-has`: the base of these builds is nowhere else.
#[test]
fn additional_contexts_are_dropped() {
    let text = r#"
services:
  a:
    image: plimsoll-test/sb-contexts:1
    command: cat /copied/file
    build:
      dockerfile_inline: "FROM plimsoll-test/busybox:1\nCOPY --from=assets / /copied/\n"
      additional_contexts: { assets: ./assets }
"#;
    let Some(kitchen) = Kitchen::new("contexts", text) else { return };
    kitchen.write("assets/file", "mine\n");
    let said = kitchen.ok(&["up"]);
    assert!(!said.contains("looking for it"), "{said}");
    assert_eq!(kitchen.logs("a"), "mine\n");
    kitchen.ok(&["down"]);
    docker(&["rmi", "plimsoll-test/sb-contexts:1"]);

    // a service's image, in the same run, also when only the dependent is asked for, also of an inactive profile
    kitchen.write(
        "service.yml",
        r#"
services:
  base: { image: "plimsoll-test/sb-base:1", profiles: [never], build: { dockerfile_inline: "FROM plimsoll-test/busybox:1\nARG REV\nRUN echo $$REV > /rev\n", args: { REV: "${REV:-1}" } } }
  app: { command: cat /rev2, build: { dockerfile_inline: "FROM base\nRUN cp /rev /rev2\n", additional_contexts: { base: "service:base" } } }
  named: { command: cat /rev, build: { dockerfile_inline: "FROM plimsoll-test/sb-sibling:1\n" } }
  sibling: { image: "plimsoll-test/sb-sibling:1", command: "true", build: { dockerfile_inline: "FROM plimsoll-test/busybox:1\nARG REV\nRUN echo $$REV > /rev\n", args: { REV: "${REV:-1}" } } }
"#,
    );
    kitchen.ok(&["build", "-f", "service.yml", "app"]);
    for revision in ["1", "2"] {
        kitchen.ok_with(&["up", "-f", "service.yml", "--force-recreate"], &[("REV", revision)]);
        for service in ["app", "named"] {
            let said =
                kitchen.ok(&["logs", "--file", "service.yml", "--no-color", "--no-log-prefix", service]);
            assert_eq!(said, format!("{revision}\n"), "{service}");
        }
    }
    kitchen.ok(&["down", "-f", "service.yml", "--rmi", "all"]);
    kitchen.write(
        "circle.yml",
        "services:\n  a: {build: {dockerfile_inline: 'FROM b', additional_contexts: {b: 'service:b'}}}\n  b: {build: {dockerfile_inline: 'FROM a', additional_contexts: {a: 'service:a'}}}\n",
    );
    kitchen.refused(&["build", "-f", "circle.yml"]);
}

#[test]
fn build_limits_are_dropped() {
    let text = r"
services:
  a:
    command: cat /said
    build:
      shm_size: 12mb
      ulimits: { nofile: { soft: 100, hard: 200 } }
      dockerfile_inline: |
        FROM plimsoll-test/busybox:1
        RUN (grep -w /dev/shm /proc/mounts; echo nofile $$(ulimit -n)) > /said
";
    let Some(kitchen) = Kitchen::new("limits", text) else { return };
    kitchen.ok(&["up"]);
    let said = kitchen.logs("a");
    assert!(said.contains("size=12288k") && said.contains("nofile 100\n"), "{said}");
    for (attribute, words) in [
        ("privileged: true", "security.insecure"),
        ("entitlements: [security.insecure]", "security.insecure"),
        ("network: no-such-network", "no-such-network"),
        ("isolation: hyperv", "hyperv"),
        ("ulimits: { nothing: 5 }", "nothing"),
        ("cache_to: [type=gha]", "gha"),
    ] {
        kitchen.write(
            "compose.yml",
            &format!(
                "services:\n  a:\n    build:\n      {attribute}\n      dockerfile_inline: FROM scratch\n"
            ),
        );
        let said = kitchen.refused(&["build"]);
        assert!(
            said.contains(words) && said.contains("compose.yml:4") && said.contains("service a"),
            "{said}"
        );
    }
}

#[test]
fn build_platforms_are_dropped() {
    let text = r#"
services:
  a: { image: "plimsoll-test/sb-a:1", build: { dockerfile_inline: "FROM scratch\nCOPY file /\n", platforms: [linux/arm64, linux/riscv64] } }
  b: { image: "plimsoll-test/sb-b:1", platform: linux/arm64, build: { dockerfile_inline: "FROM scratch\nCOPY file /\n" } }
  c: { image: "plimsoll-test/sb-c:1", build: { dockerfile_inline: "FROM scratch\nCOPY file /\n" } }
"#;
    let Some(kitchen) = Kitchen::new("platforms", text) else { return };
    kitchen.write("file", "x");
    kitchen.ok_with(&["build"], &[("DOCKER_DEFAULT_PLATFORM", "linux/arm64")]);
    for image in ["a", "b", "c"] {
        let architecture = kitchen.architecture(&format!("plimsoll-test/sb-{image}:1"));
        assert_eq!(architecture, "\"architecture\": \"arm64\"", "{image}");
    }
    let said = both(
        &kitchen.command(&["build", "c"]).env("DOCKER_DEFAULT_PLATFORM", "linux/riscv64").output().unwrap(),
    );
    assert_eq!(kitchen.architecture("plimsoll-test/sb-c:1"), "\"architecture\": \"riscv64\"", "{said}");
    let output =
        kitchen.command(&["build", "a"]).env("DOCKER_DEFAULT_PLATFORM", "linux/s390x").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", both(&output));
}

#[test]
fn build_cache_and_pull_are_dropped() {
    let text = r#"
services:
  a:
    image: plimsoll-test/sb-cache:1
    build:
      dockerfile_inline: "FROM plimsoll-test/busybox:1 AS one\nRUN echo 1 > /one\nFROM one AS two\nRUN echo 2 > /two\n"
      cache_to: ["type=local,dest=./cache"]
      cache_from: ["type=local,src=./nothing-here"]
      no_cache_filter: [two]
"#;
    let Some(kitchen) = Kitchen::new("cache", text) else { return };
    kitchen.ok(&["build"]);
    assert!(kitchen.directory.join("cache/index.json").exists());
    let said = kitchen.ok(&["build"]);
    assert!(said.contains("1 steps ran"), "{said}");
}

#[test]
fn build_context_from_elsewhere() {
    let text = "
services:
  api: {build: ./api}
  web: {build: {context: ., dockerfile: web.Dockerfile}}
";
    let Some(kitchen) = Kitchen::new("elsewhere", text) else { return };
    let said = kitchen.refused(&["build"]);
    for words in ["service api", "compose.yml:3", "service web", "compose.yml:4", "web.Dockerfile"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // an address is asked for, and not joined to the project's folder
    kitchen.write("compose.yml", "services:\n  api: {build: 'http://127.0.0.1:9/api.git#main:server'}\n");
    let said = kitchen.refused(&["build"]);
    assert!(
        said.contains("service api") && !said.contains(&format!("{}/http", kitchen.directory.display())),
        "{said}"
    );
}

#[test]
fn extra_tags_do_not_reach_the_engine() {
    let text = r#"
services:
  a: { init: true, stop_grace_period: 0s, command: sleep 1000, build: { dockerfile_inline: "FROM plimsoll-test/busybox:1\nRUN true > /x\n", tags: ["plimsoll-test/sb-tags:2.4", "plimsoll-test/sb-tags:latest"] } }
"#;
    let Some(kitchen) = Kitchen::new("tags", text) else { return };
    let tags = || {
        let found = docker(&["images", "--format", "{{.Repository}}:{{.Tag}}", "plimsoll-test/sb-tags"]);
        let mut tags: Vec<String> =
            String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect();
        tags.sort();
        tags
    };
    let all = ["plimsoll-test/sb-tags:2.4", "plimsoll-test/sb-tags:latest"];
    kitchen.ok(&["up"]);
    assert_eq!(tags(), all);
    // one that somebody took away comes back although nothing is built or sent
    docker(&["rmi", all[0]]);
    kitchen.ok(&["up"]);
    assert_eq!(tags(), all);
    kitchen.ok(&["down", "--rmi", "local"]);
    assert_eq!(tags(), Vec::<String>::new());
}

/// The variables reach the steps of a build as build arguments.
#[test]
fn proxies_of_the_docker_configuration() {
    let text = r#"
services:
  b: { command: cat /said, build: { dockerfile_inline: "FROM plimsoll-test/busybox:1\nRUN env | grep -ic _proxy > /said || true\n" } }
"#;
    let Some(kitchen) = Kitchen::new("proxies", text) else { return };
    let config =
        r#"{"proxies": {"default": {"httpProxy": "http://proxy.example:3128", "noProxy": "localhost"}}}"#;
    kitchen.write("docker/config.json", config);
    let folder = kitchen.directory.join("docker");
    kitchen.ok_with(&["up"], &[("DOCKER_CONFIG", folder.to_str().unwrap())]);
    assert_eq!(kitchen.logs("b"), "4\n");
}

/// A name of the store is not what the engine's name means.
#[test]
fn stored_image_beats_the_engines() {
    let text =
        "services: {app: {image: 'plimsoll-test/sb-stored:1', command: cat /version, pull_policy: never}}\n";
    let Some(kitchen) = Kitchen::new("stored", text) else { return };
    let image = "plimsoll-test/sb-stored:1";
    docker(&["rmi", "-f", image]);
    let build = |version: &str| {
        kitchen
            .write("Dockerfile", &format!("FROM plimsoll-test/busybox:1\nRUN echo {version} > /version\n"));
        kitchen.ok(&["image", "build", "-t", image, "."]);
    };
    build("one");
    // only the store has it: the engine gets it
    kitchen.ok(&["up"]);
    assert_eq!(kitchen.logs("app"), "one\n");
    // the engine has something newer under the name
    build("two");
    kitchen.ok(&["image", "build", "-t", image, "--load", "."]);
    build("one");
    kitchen.ok(&["up", "--force-recreate"]);
    assert_eq!(kitchen.logs("app"), "two\n");
    let run = docker(&["run", "--rm", image, "cat", "/version"]);
    assert_eq!(String::from_utf8_lossy(&run.stdout), "two\n");
    kitchen.ok(&["down"]);
    docker(&["rmi", "-f", image]);
}

#[test]
fn a_name_of_the_image_map_that_nothing_needs() {
    let text = "services:\n  a: { image: plimsoll-test/busybox:1, init: true, command: [sleep, '1000'] }\n";
    let Some(kitchen) = Kitchen::new("unmapped", text) else { return };
    let policy = "[images]\nuse = \"never\"\n\"example/postgers:17\" = \"base:postgres\"\n\
                  \"plimsoll-test/busybox:1\" = \"base:debian\"\n";
    kitchen.write("plimsoll.toml", policy);
    let said = kitchen.ok(&["up"]);
    assert!(said.contains("maps example/postgers:17, and nothing here needs that image"), "{said}");
    assert!(!said.contains("maps plimsoll-test"), "{said}");
    // what is left out this time may need it
    assert!(!kitchen.ok(&["up", "a"]).contains("nothing here needs"));
}
