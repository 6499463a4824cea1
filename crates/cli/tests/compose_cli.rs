//! docker compose's command line with the real binary and the real engine: each fault that was found in use.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "support/compose_stack.rs"]
mod compose_stack;

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use compose_stack::{ONE, Stack, busybox, docker, said, text};
use serde_json::Value;

#[test]
fn scripts_for_docker_compose_stop() {
    let file = "name: PROJECT\nservices:\n  a:\n    image: IMAGE\n    init: true\n    command: [sleep, '1000']\n    ports: ['127.0.0.1::80']\n";
    let Some(stack) = Stack::new("032", file) else { return };
    stack.ok(&["up", "-y", "--quiet-build", "-d"]);
    let id = docker(&["inspect", "--format", "{{.Id}}", &format!("{}-a-1", stack.name)]);
    assert_eq!(stack.ok(&["ps", "-q"]).trim(), id);
    assert_eq!(stack.ok(&["ps", "-q", "a"]).trim(), id);
    assert_eq!(stack.ok(&["ps", "--services", "--status", "running"]), "a\n");
    assert_eq!(stack.ok(&["ps", "--services", "--filter", "status=exited"]), "");
    let json: Value = serde_json::from_str(&stack.ok(&["ps", "--format", "json"])).unwrap();
    assert_eq!((&json["Service"], &json["State"]), (&"a".into(), &"running".into()));
    assert!(stack.ok(&["ps", "-a"]).contains(&format!("{}-a-1", stack.name)));
    assert_eq!(stack.ok(&["exec", "-it", "a", "echo", "in"]), "in\n");
    assert_eq!(stack.ok(&["port", "a", "80/tcp"]), stack.ok(&["port", "a", "80"]));
    let images: Value = serde_json::from_str(&stack.ok(&["images", "--format", "json"])).unwrap();
    assert_eq!(images[0]["Repository"], "plimsoll-test/busybox");
    let listed = stack.ok(&["ls", "--format", "json", "--filter", &format!("name={}", stack.name)]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        (&listed[0]["Name"], &listed[0]["Status"]),
        (&stack.name.clone().into(), &"running(1)".into())
    );
    stack.ok(&["stop", "a"]);
    stack.ok(&["start", "--wait"]);
    assert_eq!(stack.ok(&["run", "--quiet", "--rm", "a", "echo", "ran"]), "ran\n");
    stack.ok(&["cp", "a:/etc/passwd", "."]);
    assert!(fs::read_to_string(stack.directory.join("passwd")).unwrap().contains("root"));
    stack.ok(&["scale", "--no-deps", "a=1"]);
    stack.ok(&["kill", "--remove-orphans"]);
    assert_eq!(stack.states(), ["a-1 exited"]);
    assert!(stack.ok(&["version", "--short"]).contains('.'));
    assert!(stack.fails(&["up", "--watch"], 2).contains("`watch` of docker compose is not supported"));
    assert!(stack.fails(&["watch"], 2).contains("hint"));
    stack.ok(&["down"]);
    assert_eq!(stack.states(), [""; 0]);
}

#[test]
fn orphans_by_option_and_variable() {
    let Some(stack) = Stack::new("040", ONE) else { return };
    stack.write("old.yaml", &ONE.replace(" a:", " old:"));
    stack.ok(&["-f", "old.yaml", "up"]);
    let output = stack.command(&["up"]).env("COMPOSE_IGNORE_ORPHANS", "1").output().unwrap();
    assert!(output.status.success() && !said(&output).contains("belongs to no service"), "{}", said(&output));
    assert_eq!(stack.states(), ["a-1 running", "old-1 running"]);
    stack.ok(&["run", "--rm", "--remove-orphans", "a", "true"]);
    assert_eq!(stack.states(), ["a-1 running"]);
    stack.ok(&["-f", "old.yaml", "up"]);
    let output = stack.command(&["up"]).env("COMPOSE_REMOVE_ORPHANS", "1").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(stack.states(), ["a-1 running"]);
    stack.write(".env", "V=file\n");
    stack.write(
        "compose.yaml",
        &format!("{ONE}    environment: {{ V: '${{V:-unset}}' }}\n").replace(", command", ", command"),
    );
    stack.write(
        "compose.yaml",
        "name: PROJECT\nservices: { a: { image: IMAGE, environment: { V: '${V:-unset}' } } }\n",
    );
    for (value, shown) in [("TRUE", "unset"), ("t", "unset"), ("0", "file"), ("", "file")] {
        let output = stack.command(&["config"]).env("COMPOSE_DISABLE_ENV_FILE", value).output().unwrap();
        assert!(text(&output.stdout).contains(&format!("V: {shown}")), "{value}: {}", said(&output));
    }
}

#[test]
fn the_project_named_by_a_variable() {
    let Some(stack) = Stack::new("100", ONE) else { return };
    stack.ok(&["up"]);
    let broken = stack.directory.join("broken");
    fs::create_dir_all(&broken).unwrap();
    fs::write(broken.join("compose.yaml"), "services: [").unwrap();
    let name = stack.name.clone();
    let elsewhere = |folder: &Path, arguments: &[&str]| {
        let output =
            stack.command(arguments).current_dir(folder).env("COMPOSE_PROJECT_NAME", &name).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        text(&output.stdout)
    };
    for folder in [Path::new("/"), &broken] {
        assert_eq!(elsewhere(folder, &["ps", "--services"]), "a\n");
        elsewhere(folder, &["logs"]);
        assert_eq!(elsewhere(folder, &["exec", "-T", "a", "echo", "in"]), "in\n");
        elsewhere(folder, &["restart"]);
    }
    // the option wins
    let output = stack
        .command(&["-p", &stack.name, "ps", "--services"])
        .current_dir("/")
        .env("COMPOSE_PROJECT_NAME", "plimsoll-test-cc-nothing")
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), "a\n");
    elsewhere(Path::new("/"), &["stop"]);
    assert_eq!(stack.states(), ["a-1 exited"]);
    elsewhere(Path::new("/"), &["down"]);
    assert_eq!(stack.states(), [""; 0]);
    let output = stack.command(&["ps"]).current_dir("/").output().unwrap();
    assert!(text(&output.stderr).contains("-p"), "{}", said(&output));
}

#[test]
fn the_attached_up_never_ends() {
    let file = "name: PROJECT\nservices:\n  a: { image: IMAGE, command: [echo, one] }\n  b: { image: IMAGE, command: [sh, -c, 'echo two; sleep 2; exit 4'] }\n  left: { image: IMAGE, init: true, command: [sleep, '1000'] }\n";
    let Some(stack) = Stack::new("101", file) else { return };
    let output = stack.in_front(&["up", "--no-color", "--attach", "a", "--attach", "b"], 60);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for line in ["a-1  | one", "b-1  | two", "a-1 exited with code 0", "b-1 exited with code 4"] {
        assert!(out.contains(line), "{line}: {out}");
    }
    assert!(!out.contains("up in"), "only the logs are on standard output: {out}");
    assert!(stack.states().contains(&"left-1 running".to_owned()), "{:?}", stack.states());
    let failing = "name: PROJECT\nservices:\n  job: { image: IMAGE, command: [sh, -c, 'exit 3'] }\n  dep:\n    image: IMAGE\n    command: [sleep, '1000']\n    depends_on: { job: { condition: service_completed_successfully } }\n";
    stack.write("failing.yaml", failing);
    let output = stack.in_front(&["-f", "failing.yaml", "up", "--attach", "job", "--attach", "dep"], 60);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(text(&output.stderr).contains("exit code 3"), "{}", said(&output));
}

#[test]
fn an_attached_up_keeps_everybody_out() {
    let file = "name: PROJECT\nservices:\n  web: { image: IMAGE, init: true, command: [sleep, '1000'] }\n  db: { image: IMAGE, init: true, command: [sleep, '1000'] }\n";
    let Some(stack) = Stack::new("102", file) else { return };
    let mut up: Child = stack
        .command(&["up", "--attach", "web"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    stack.until(&["db-1 running", "web-1 running"]);
    // the lock is free as soon as the plan is carried out
    stack.ok(&["run", "--rm", "--no-deps", "web", "true"]);
    stack.ok(&["restart", "-t", "1", "web"]);
    stack.ok(&["up", "db"]);
    stack.ok(&["stop", "db"]);
    assert!(up.try_wait().unwrap().is_none(), "it goes on while `web` runs");
    stack.ok(&["down", "-t", "1"]);
    assert_eq!(up.wait().unwrap().code(), Some(0), "it ends when all is gone");
}

#[test]
fn what_up_of_one_service_asks_for() {
    let a = "name: PROJECT\nservices:\n  a: { image: IMAGE, init: true, command: [sleep, '1000'] }\n";
    let Some(stack) = Stack::new("104", a) else { return };
    for (name, b) in [
        (
            "network",
            "  b: { image: IMAGE, networks: [far] }\nnetworks: { far: { external: true, name: PROJECT-far } }\n",
        ),
        ("env", "  b: { image: IMAGE, env_file: b.env }\n"),
        (
            "secret",
            "  b: { image: IMAGE, secrets: [t] }\nsecrets: { t: { environment: PLIMSOLL_TEST_NOWHERE } }\n",
        ),
    ] {
        let file = format!("{name}.yaml");
        stack.write(&file, &format!("{a}{b}"));
        for arguments in [&["up", "a"][..], &["create", "a"], &["run", "--rm", "a", "true"]] {
            stack.ok(&[&["-f", &file], arguments].concat());
        }
        stack.fails(&["-f", &file, "up"], 2);
        assert_eq!(stack.states(), ["a-1 running"], "{name}");
        // also what a dependency would need, when it is left alone
        stack.write(&file, &format!("{a}{b}").replace("'1000'] }", "'1000'], depends_on: [b] }"));
        stack.ok(&["-f", &file, "up", "--no-deps", "a"]);
        stack.fails(&["-f", &file, "up", "a"], 2);
        stack.clean();
    }
}

#[test]
fn run_of_a_profile_without_its_env_file() {
    let file = "name: PROJECT\nservices:\n  migrate: { image: IMAGE, profiles: [tools], env_file: m.env, label_file: m.label, command: [sh, -c, 'echo $$URL'] }\n";
    let Some(stack) = Stack::new("105", file) else { return };
    stack.write("m.env", "URL=postgres://db/shop\n");
    stack.write("m.label", "team=shop\n");
    assert_eq!(stack.ok(&["run", "--rm", "migrate"]), "postgres://db/shop\n");
    // the same container as with the profile, in all that the file says
    let made = |arguments: &[&str]| {
        let name = format!("{}-one", stack.name);
        stack.ok(&[arguments, &["run", "--name", &name, "migrate"]].concat());
        let shown = docker(&[
            "inspect",
            &name,
            "--format",
            "{{json .Config.Env}} {{.Config.Labels.team}} {{json .HostConfig.Binds}}",
        ]);
        docker(&["rm", &name]);
        shown
    };
    let plain = made(&[]);
    assert!(plain.contains(" shop "), "{plain}");
    assert_eq!(plain, made(&["--profile", "tools"]));
}

#[test]
fn a_variable_to_pass_on_from_dotenv() {
    let Some(stack) = Stack::new("106", ONE) else { return };
    stack.write(".env", "TOKEN=from-dotenv\nEMPTY=\n");
    stack.write("ci.env", "TOKEN=from-ci\n");
    let run = ["run", "--rm", "-e", "TOKEN", "a", "sh", "-c", "echo $TOKEN"];
    assert_eq!(stack.ok(&run), "from-dotenv\n");
    assert_eq!(stack.ok(&[&["--env-file", "ci.env"], &run[..]].concat()), "from-ci\n");
    let with = |variable: &str, value: &str| {
        let output = stack.command(&run).env(variable, value).output().unwrap();
        text(&output.stdout)
    };
    assert_eq!(with("COMPOSE_ENV_FILES", "ci.env"), "from-ci\n");
    assert_eq!(with("TOKEN", "from-shell"), "from-shell\n");
    assert_eq!(stack.ok(&["run", "--rm", "-e", "EMPTY", "a", "sh", "-c", "echo ${EMPTY-unset}"]), "\n");
    let nowhere = [
        "run",
        "--rm",
        "-e",
        "PLIMSOLL_TEST_NOWHERE",
        "a",
        "sh",
        "-c",
        "echo ${PLIMSOLL_TEST_NOWHERE-unset}",
    ];
    assert_eq!(stack.ok(&nowhere), "unset\n");
    stack.ok(&["up"]);
    assert_eq!(stack.ok(&["exec", "-T", "-e", "TOKEN", "a", "sh", "-c", "echo $TOKEN"]), "from-dotenv\n");
}

#[test]
fn no_deps_and_the_donor_is_gone() {
    let file = "name: PROJECT\nservices:\n  vpn: { image: IMAGE, init: true, command: [sleep, '1000'] }\n  client: { image: IMAGE, init: true, command: [sleep, '1000'], network_mode: 'service:vpn' }\n  data: { image: IMAGE, init: true, command: [sleep, '1000'], volumes: [/data] }\n  reader: { image: IMAGE, init: true, command: [sleep, '1000'], volumes_from: [data] }\n";
    let Some(stack) = Stack::new("108", file) else { return };
    stack.ok(&["up"]);
    let named = |service: &str| format!("{}-{service}-1", stack.name);
    docker(&["rm", "-fv", &named("vpn"), &named("data")]);
    for (service, donor) in [("client", "vpn"), ("reader", "data")] {
        let err = stack.fails(&["up", "--no-deps", service], 1);
        assert!(err.contains(service) && err.contains(donor), "{err}");
    }
    stack.ok(&["up"]);
    assert_eq!(stack.states().len(), 4);
    stack.ok(&["up", "--no-deps", "client"]);
}

#[test]
fn verbs_with_nothing_to_do() {
    let Some(stack) = Stack::new("109", ONE) else { return };
    let all: [&[&str]; 11] = [
        &["stop"],
        &["stop", "a"],
        &["restart"],
        &["restart", "a"],
        &["pause"],
        &["pause", "a"],
        &["kill", "a"],
        &["rm", "-f"],
        &["rm", "-f", "a"],
        &["rm", "-sf", "a"],
        &["down"],
    ];
    for arguments in all {
        assert_eq!(stack.ok(arguments), "", "{arguments:?}");
    }
    stack.ok(&["up"]);
    for arguments in [&["stop", "a"][..], &["stop", "a"], &["rm", "-f", "a"], &["rm", "-f", "a"]] {
        assert_eq!(stack.ok(arguments), "", "{arguments:?}");
    }
    for verb in ["stop", "restart", "pause", "kill", "rm"] {
        assert!(stack.fails(&[verb, "nobody"], 2).contains("no service nobody"), "{verb}");
    }
    for arguments in
        [&["start"][..], &["start", "a"], &["port", "a", "80"], &["exec", "-T", "a", "true"], &["wait", "a"]]
    {
        stack.fails(arguments, 2);
    }
}

#[test]
fn exec_into_a_one_off() {
    let Some(stack) = Stack::new("111", ONE) else { return };
    let one = stack.ok(&["run", "-d", "a", "sleep", "1000"]);
    assert_eq!(stack.ok(&["exec", "-T", "a", "echo", "reached"]), "reached\n");
    assert!(stack.fails(&["exec", "-T", "--index", "1", "a", "true"], 2).contains("no container"));
    assert!(stack.ok(&["ps", "-a"]).contains(one.trim()));
    // the others leave it alone
    for verb in ["stop", "restart", "kill"] {
        stack.ok(&[verb]);
    }
    assert_eq!(stack.states().len(), 1);
    assert!(stack.states()[0].ends_with("running"), "{:?}", stack.states());
    // one of its own is meant first
    stack.ok(&["up"]);
    let own = stack.ok(&["exec", "-T", "a", "cat", "/etc/hostname"]);
    let id = docker(&["inspect", "--format", "{{.Id}}", &format!("{}-a-1", stack.name)]);
    assert!(id.starts_with(own.trim()), "{own}");
}

#[test]
fn a_line_twice_from_a_quick_restart() {
    let file = "name: PROJECT\nservices:\n  a:\n    image: IMAGE\n    restart: 'on-failure:2'\n    command: [sh, -c, 'echo begun at $$(date +%s%N); sleep 0.1; exit 1']\n";
    let Some(stack) = Stack::new("113", file) else { return };
    // it fails on purpose
    stack.run(&["up"]);
    let follow = stack.in_front(&["logs", "--no-color", "-f"], 6);
    let engine = docker(&["logs", &format!("{}-a-1", stack.name)]);
    let lines: Vec<String> =
        text(&follow.stdout).lines().filter_map(|line| Some(line.split_once("| ")?.1.to_owned())).collect();
    let wanted: Vec<&str> = engine.lines().collect();
    assert_eq!(wanted.len(), 3, "{engine}");
    assert_eq!(lines, wanted, "each line once and in order");
    stack.clean();
    let attached = stack.in_front(&["up", "--attach", "a", "--no-color"], 20);
    let shown = text(&attached.stdout).lines().filter(|line| line.contains("begun")).count();
    assert!(shown <= 3, "{}", text(&attached.stdout));
}

#[test]
fn variables_in_another_form() {
    let file = "name: PROJECT\nservices: { a: { image: 'x:${MUST:?say}', command: ['${PORT:-8080}', '${ON:+there}'] } }\n";
    let Some(stack) = Stack::new("116", file) else { return };
    let json: Value =
        serde_json::from_str(&stack.ok(&["config", "--variables", "--format", "json"])).unwrap();
    let port =
        serde_json::json!({ "Name": "PORT", "DefaultValue": "8080", "PresenceValue": "", "Required": false });
    assert_eq!(json["PORT"], port);
    assert_eq!((&json["MUST"]["Required"], &json["ON"]["PresenceValue"]), (&true.into(), &"there".into()));
    let yaml = stack.ok(&["config", "--variables", "--format", "yaml"]);
    assert!(yaml.contains("PORT:\n    name: PORT\n    defaultvalue: \"8080\"\n    presencevalue: \"\"\n    required: false\n"), "{yaml}");
    assert!(stack.ok(&["config", "--variables"]).starts_with("NAME"));
    for option in ["--variables", "--no-interpolate"] {
        let output = stack.run(&["config", option, "a"]);
        assert!(text(&output.stderr).contains("service filtering is not applied"), "{}", said(&output));
    }
    for verb in [&["images"][..], &["ls"], &["ps"], &["volumes"]] {
        stack.fails(&[verb, &["--format", "toml"]].concat(), 2);
    }
}

#[test]
fn a_dry_run_that_pulls_and_builds() {
    let file = "name: PROJECT\nservices:\n  built: { build: { context: . } }\n  far: { image: '127.0.0.1:9/nowhere:1' }\n";
    let Some(stack) = Stack::new("119", file) else { return };
    stack.write("Dockerfile", "FROM IMAGE\nRUN date > /built\n");
    // others use the engine too: what these services would bring is meant
    let own = format!("reference={}-*", stack.name);
    let images = || docker(&["images", "-q", "--filter", &own, "--filter", "reference=127.0.0.1:9/*"]);
    assert_eq!(images(), "");
    for arguments in [
        &["--dry-run", "up"][..],
        &["up", "--dry-run", "--pull", "always"],
        &["create", "--dry-run"],
        &["up", "--dry-run", "--build", "--force-recreate"],
        &["run", "--dry-run", "--rm", "built", "true"],
        &["build", "--dry-run"],
        &["pull", "--dry-run"],
    ] {
        let output = stack.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains("would be"), "{arguments:?}: {}", said(&output));
    }
    assert_eq!(images(), "");
    assert_eq!(stack.states(), [""; 0]);
    assert!(!stack.directory.join("home/store/images").join(&stack.name).exists());
    let network = format!("label=com.docker.compose.project={}", stack.name);
    assert_eq!(docker(&["network", "ls", "-q", "--filter", &network]), "");
}

#[test]
fn a_detached_run_is_not_removed() {
    let file =
        "name: PROJECT\nservices:\n  a: { image: IMAGE, volumes: [/data], command: [sleep, '1000'] }\n";
    let Some(stack) = Stack::new("120", file) else { return };
    let name = stack.ok(&["run", "--rm", "-d", "a", "sleep", "2"]);
    let inspected = docker(&[
        "inspect",
        name.trim(),
        "--format",
        "{{.HostConfig.AutoRemove}} {{range .Mounts}}{{.Name}}{{end}}",
    ]);
    let (remove, volume) = inspected.split_once(' ').unwrap();
    assert_eq!(remove, "true");
    stack.until(&[]);
    let left = docker(&["volume", "ls", "-q"]);
    assert!(!left.lines().any(|found| found == volume), "its anonymous volume is gone too");
    // without --rm it stays
    let name = stack.ok(&["run", "-d", "a", "true"]);
    stack.until(&[&format!("{} exited", name.trim().strip_prefix(&format!("{}-", stack.name)).unwrap())]);
}

#[test]
fn an_attached_run_leaves_nothing_whatever_becomes_of_it() {
    let file =
        "name: PROJECT\nservices:\n  a: { image: IMAGE, volumes: [/data], command: [sleep, '1000'] }\n";
    let Some(stack) = Stack::new("120b", file) else { return };
    // gone before anybody can ask how it ended
    for code in [0, 7, 0, 9] {
        let output = stack.run(&["run", "--rm", "a", "sh", "-c", &format!("echo out; exit {code}")]);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert_eq!(text(&output.stdout), "out\n");
        assert_eq!(stack.states(), [""; 0], "its name is free at once");
    }
    assert!(!stack.run(&["run", "--rm", "a", "no-such-program"]).status.success());
    assert_eq!(stack.states(), [""; 0]);
    let name = format!("{}-front", stack.name);
    let mut run = stack
        .command(&["run", "--rm", "--name", &name, "a", "sleep", "3"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    stack.until(&["front running"]);
    let volume = docker(&["inspect", &name, "--format", "{{range .Mounts}}{{.Name}}{{end}}"]);
    // SIGKILL
    run.kill().unwrap();
    run.wait().unwrap();
    stack.until(&[]);
    let left = docker(&["volume", "ls", "-q"]);
    assert!(!left.lines().any(|found| found == volume), "its anonymous volume is gone too");
}

#[test]
fn build_has_one_option() {
    let file = "name: PROJECT\nservices:\n  a:\n    image: PROJECT-a\n    build:\n      dockerfile_inline: |\n        FROM IMAGE\n        ARG V=1\n        ENV V=$$V\n      args: { V: '3' }\n    depends_on: [b]\n  b:\n    build:\n      dockerfile_inline: |\n        FROM IMAGE\n";
    let Some(stack) = Stack::new("033", file) else { return };
    let archive = stack.directory.join("base.tar");
    let saved = docker(&["save", "-o", archive.to_str().unwrap(), busybox::IMAGE]);
    assert_eq!(saved, "");
    stack.ok(&["image", "load", archive.to_str().unwrap()]);
    let names = |output: &str| output.matches("\"image\"").count();
    assert_eq!(names(&stack.ok(&["build", "--json", "a"])), 1);
    assert_eq!(names(&stack.ok(&["build", "--json", "--with-dependencies", "a"])), 2);
    // nothing is said when quiet, and the command line's argument beats the file's
    let output = stack.run(&["build", "--quiet", "--build-arg", "V=2", "a"]);
    assert_eq!((output.status.code(), said(&output).trim()), (Some(0), ""));
    let inspected = stack.ok(&["image", "inspect", &format!("{}-a", stack.name)]);
    assert!(inspected.contains("V=2") && !inspected.contains("V=3"), "{inspected}");
    let bake: Value = serde_json::from_str(&stack.ok(&["build", "--print", "a"])).unwrap();
    assert_eq!(bake["target"]["a"]["args"]["V"], "3");
    assert_eq!(bake["group"]["default"]["targets"], serde_json::json!(["a"]));
    assert!(stack.run(&["build", "--check", "a"]).status.code().is_some_and(|code| code < 2));
    for (option, word) in [("--builder=default", "one builder"), ("--memory=1g", "not limited")] {
        let output = stack.run(&["build", option, "a"]);
        assert!(output.status.success() && said(&output).contains(word), "{option}: {}", said(&output));
    }
    for option in ["--force-rm", "--no-rm", "--compress", "--parallel=true", "--progress=plain"] {
        stack.ok(&["build", option, "a"]);
    }
    stack.fails(&["build", "--progress", "loud"], 2);
    // an address that nobody answers: the images are built, not sent
    stack.write("far.yaml", "name: PROJECT\nservices: { a: { image: '127.0.0.1:9/x:1', build: { dockerfile_inline: 'FROM IMAGE' } } }\n");
    stack.fails(&["-f", "far.yaml", "build", "--push"], 2);
}

#[test]
fn replicas_look_the_same() {
    let file = "name: PROJECT\nservices:\n  a: { image: IMAGE, init: true, scale: 2, command: [sh, -c, 'echo one-of-two; sleep 1000'] }\n";
    let Some(stack) = Stack::new("035", file) else { return };
    stack.ok(&["up", "-d"]);
    let logs = stack.ok(&["logs", "--no-color"]);
    let shown = stack.ok(&["ps"]);
    for number in [1, 2] {
        assert!(logs.contains(&format!("a-{number}  | one-of-two")), "{logs}");
        assert!(shown.contains(&format!("{}-a-{number}", stack.name)), "{shown}");
    }
    let refused = stack.fails(&["exec", "-T", "--index", "7", "a", "true"], 2);
    assert!(refused.contains('7') && refused.contains("1, 2"), "its numbers are told: {refused}");
}

#[test]
fn the_end_is_not_told() {
    let file = "name: PROJECT\nservices:\n  bad: { image: IMAGE, init: true, command: [sh, -c, 'sleep 1; exit 9'] }\n  ok: { image: IMAGE, command: [sh, -c, \"trap 'echo saved; exit 0' TERM; echo up; while :; do sleep 0.1; done\"] }\n";
    let Some(stack) = Stack::new("037", file) else { return };
    let output = stack.in_front(&["up", "--abort-on-container-exit", "--no-color"], 60);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(9), "{}", said(&output));
    assert!(out.contains("bad-1 exited with code 9"), "{out}");
    assert!(out.contains("| saved"), "what it wrote while it was stopped: {out}");
    assert!(out.contains("ok-1 exited with code 0"), "its own end too: {out}");
    assert_eq!(out.matches("exited with code").count(), 2, "each end once: {out}");
}

/// The ends that a signal leads to, of one with a terminal and one without.
#[test]
fn the_end_by_a_signal_is_told() {
    let program = "trap 'exit 4' TERM; echo up; while :; do sleep 0.1; done";
    let file = format!(
        "name: PROJECT\nservices:\n  plain: {{ image: IMAGE, command: [sh, -c, \"{program}\"] }}\n  \
         term: {{ image: IMAGE, tty: true, command: [sh, -c, \"{program}\"] }}\n"
    );
    let Some(stack) = Stack::new("037b", &file) else { return };
    for signal in ["-INT", "-TERM", "-HUP"] {
        let child = stack
            .command(&["up", "--attach", "plain", "--attach", "term", "--no-color"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        stack.until(&["plain-1 running", "term-1 running"]);
        // until it shows the logs
        std::thread::sleep(std::time::Duration::from_secs(2));
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let out = text(&output.stdout);
        assert_eq!(output.status.code(), Some(130), "{signal}: {}", said(&output));
        for name in ["plain-1", "term-1"] {
            assert!(out.contains(&format!("{name} exited with code 4")), "{signal}: {out}");
        }
        assert_eq!(stack.states(), ["plain-1 exited", "term-1 exited"]);
    }
}

#[test]
fn dry_run_builds_and_hands_over() {
    let file = "name: PROJECT\nservices:\n  a: { build: ., init: true, command: [sleep, '1000'] }\n";
    let Some(stack) = Stack::new("dry", file) else { return };
    stack.write("Dockerfile", "FROM IMAGE\nENV V=1\n");
    stack.ok(&["up", "-d"]);
    let image = format!("{}-a:latest", stack.name);
    let held = || (docker(&["image", "inspect", "--format", "{{.Id}}", &image]), stack.states());
    let before = held();
    stack.write("Dockerfile", "FROM IMAGE\nENV V=2\n");
    stack.ok(&["up", "--dry-run"]);
    assert_eq!(held(), before, "the name still means the image that runs");
    stack.ok(&["up", "-d"]);
    assert_ne!(held().0, before.0);
    stack.ok(&["down", "--rmi", "local"]);
}

#[test]
fn a_taken_port_is_told_before_anything_is_built() {
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let file = format!(
        "name: PROJECT\nservices:\n  a: {{ build: ., init: true, command: [sleep, '1000'], ports: ['{port}:80'] }}\n"
    );
    let Some(stack) = Stack::new("ports-first", &file) else { return };
    stack.write("Dockerfile", "FROM IMAGE\nENV V=1\n");
    let images = || docker(&["images", "-q", &format!("{}-a", stack.name)]);
    // a run of this test that failed may have left one
    stack.ok(&["down", "--rmi", "local"]);
    assert_eq!(images(), "");
    let holder = format!("(pid {})", std::process::id());
    for arguments in [&["up", "-d"][..], &["up", "-d", "--build"], &["create"], &["up", "--no-start"]] {
        let output = stack.run(arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert_eq!(said.matches(&format!("port {port}/tcp of the host is taken by")).count(), 1, "{said}");
        assert!(said.contains(&holder), "{said}");
        assert_eq!(images(), "", "{arguments:?}: {said}");
    }
    drop(listener);
    stack.ok(&["up", "-d"]);
    assert_ne!(images(), "");
    // now its own container has the port
    stack.write("Dockerfile", "FROM IMAGE\nENV V=2\n");
    stack.ok(&["up", "-d", "--build"]);
    // a stopped one has none, and somebody else comes first
    stack.ok(&["stop"]);
    let listener = std::net::TcpListener::bind(("0.0.0.0", port)).unwrap();
    let said = stack.fails(&["up", "-d"], 2);
    assert!(said.contains(&holder), "{said}");
    drop(listener);
    stack.ok(&["down", "--rmi", "local"]);
}

#[test]
fn a_note_is_told_once_until_it_changes() {
    let file = "name: PROJECT\nservices:\n  a: { image: IMAGE, init: true, command: [sleep, '1000'], deploy: { resources: { reservations: { cpus: '0.1' } } } }\n";
    let Some(stack) = Stack::new("notes", file) else { return };
    let note = "note  a: reservations of CPUs";
    let up = |arguments: &[&str]| {
        let output = stack.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
        said(&output)
    };
    let first = up(&["up"]);
    assert_eq!(first.matches(note).count(), 1, "{first}");
    let second = up(&["up"]);
    assert!(!second.contains(note) && second.contains("as before"), "{second}");
    assert!(up(&["up", "--dry-run"]).contains(note), "asked for, all are there");
    // in place of docker compose nothing is remembered
    let output = stack.in_place(&["up", "-d"]);
    assert!(said(&output).contains(note), "{}", said(&output));
    // another one is news, and alone
    let other = file.replace("  a:", "  b: { image: IMAGE, init: true, command: [sleep, '1000'], deploy: { resources: { reservations: { cpus: '0.1' } } } }\n  a:");
    stack.write("compose.yaml", &other);
    let third = up(&["up"]);
    assert!(third.contains("note  b: reservations of CPUs") && !third.contains(note), "{third}");
    // `down` leaves nothing behind, so all is news
    stack.ok(&["down"]);
    assert!(!stack.directory.join("home/state").join(&stack.name).exists());
    assert!(up(&["up"]).contains(note));
    stack.ok(&["down"]);
}

#[test]
fn a_health_check_of_an_image_that_is_not_built_yet() {
    let file = "name: PROJECT
services:
  a: { build: ., init: true, command: [sleep, '1000'] }
  b: { image: IMAGE, init: true, command: [sleep, '1000'], depends_on: { a: { condition: service_healthy } } }
";
    let Some(stack) = Stack::new("health-later", file) else { return };
    stack.write("Dockerfile", "FROM IMAGE\nHEALTHCHECK CMD true\n");
    assert!(stack.ok(&["up", "--dry-run"]).contains("create "));
    stack.ok(&["up", "-d"]);
    assert_eq!(stack.states(), ["a-1 running", "b-1 running"]);
    // the image that the engine has knows no check; the one that is built has it
    stack.write("Dockerfile", "FROM IMAGE\nENV V=2\n");
    assert!(stack.fails(&["up", "-d", "--build"], 2).contains("a has no health check"));
    stack.write("Dockerfile", "FROM IMAGE\nHEALTHCHECK CMD true\nENV V=3\n");
    stack.ok(&["up", "-d", "--build"]);
    stack.ok(&["down", "--rmi", "local"]);
}
