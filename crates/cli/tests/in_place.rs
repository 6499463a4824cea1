//! Under the name `docker-compose`: what scripts written for docker compose go by, with the real engine.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "support/compose_stack.rs"]
mod compose_stack;

use compose_stack::{ONE, Stack, docker, said, text};

/// Standard error of a call in place of docker compose that ends with this code.
fn told(stack: &Stack, arguments: &[&str], code: i32) -> String {
    let output = stack.in_place(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{}", said(&output));
    text(&output.stderr)
}

#[test]
fn up_takes_the_image_that_build_has_made() {
    let file = "name: PROJECT\nservices:\n  a: { build: ., init: true, command: [sleep, '1000'] }\n";
    let Some(stack) = Stack::new("taken", file) else { return };
    stack.write("Dockerfile", "FROM IMAGE\nARG V=none\nLABEL v=$V\n");
    let image = format!("{}-a", stack.name);
    let label = |what: &str| docker(&["inspect", "--format", "{{.Config.Labels.v}}", what]).trim().to_owned();
    let said = told(&stack, &["build", "--build-arg", "V=one"], 0);
    assert!(said.contains(&format!(" Image {image} Built\n")), "{said}");
    told(&stack, &["up", "-d", "--scale", "a=2"], 0);
    assert_eq!(label(&format!("{image}-1")), "one");
    // more of it are made of what the name means now; what runs stays
    told(&stack, &["build", "--build-arg", "V=two"], 0);
    told(&stack, &["up", "-d", "--no-recreate", "--scale", "a=4"], 0);
    let labels = || (1..=4).map(|number| label(&format!("{image}-{number}"))).collect::<Vec<_>>();
    assert_eq!(labels(), ["one", "one", "two", "two"]);
    // and of too many those go that are out of date
    told(&stack, &["up", "-d", "--scale", "a=2"], 0);
    assert_eq!(stack.states(), ["a-3 running", "a-4 running"]);
    told(&stack, &["up", "-d", "--build"], 0);
    assert_eq!(label(&image), "none", "--build builds what the file says");
    told(&stack, &["down", "--rmi", "local"], 0);
}

#[test]
fn containers_of_run_are_orphans_when_they_have_ended() {
    let Some(stack) = Stack::new("oneoffs", ONE) else { return };
    assert!(!told(&stack, &["run", "a", "true"], 0).contains("orphan"));
    assert!(told(&stack, &["run", "--rm", "a", "true"], 0).contains("is an orphan"));
    told(&stack, &["run", "-d", "a", "sleep", "1000"], 0);
    let said = told(&stack, &["up", "-d", "--remove-orphans"], 0);
    assert_eq!(stack.states().len(), 2, "the one that runs stays: {:?} {said}", stack.states());
    // without the option it outlives the project, with it nothing does
    assert!(told(&stack, &["down"], 0).contains("stays"));
    assert_eq!(stack.states().len(), 1);
    told(&stack, &["down", "--remove-orphans"], 0);
    assert_eq!(stack.states(), Vec::<String>::new());
    // one that has ended keeps no network
    told(&stack, &["run", "a", "true"], 0);
    told(&stack, &["down"], 0);
    let filter = format!("label=com.docker.compose.project={}", stack.name);
    assert_eq!(docker(&["network", "ls", "-q", "--filter", &filter]), "");
}

#[test]
fn a_hook_before_the_stop_that_fails_is_told_by_the_code() {
    let file = "name: PROJECT\nservices:\n  a:\n    image: IMAGE\n    init: true\n    command: [sleep, '1000']\n    \
                pre_stop: [{ command: [sh, -c, 'exit 7'] }]\n";
    let Some(stack) = Stack::new("hook", file) else { return };
    stack.ok(&["up"]);
    for verb in ["stop", "down"] {
        stack.ok(&["up"]);
        let said = told(&stack, &[verb, "-t", "0"], 1);
        assert!(said.contains("a hook exited with status 7"), "{said}");
    }
    assert_eq!(stack.states(), Vec::<String>::new());
}

#[test]
fn a_second_pause_fails() {
    let Some(stack) = Stack::new("pause", ONE) else { return };
    stack.ok(&["up"]);
    told(&stack, &["pause", "a"], 0);
    assert!(told(&stack, &["pause", "a"], 1).contains("already paused"));
    told(&stack, &["unpause", "a"], 0);
    assert!(told(&stack, &["unpause", "a"], 1).contains("not paused"));
    assert!(told(&stack, &["pause", "nobody"], 1).contains("no such service: nobody"));
}

#[test]
fn an_image_by_its_id() {
    let Some(stack) = Stack::new("id", ONE) else { return };
    stack.ok(&["up"]);
    let id = docker(&["inspect", "--format", "{{.Image}}", &format!("{}-a-1", stack.name)]);
    for id in [id.trim(), id.trim().trim_start_matches("sha256:")] {
        stack.write(
            "compose.yaml",
            &format!(
                "name: PROJECT\nservices: {{ a: {{ image: '{id}', init: true, command: [sleep, '9'] }} }}\n"
            ),
        );
        told(&stack, &["up", "-d"], 0);
        assert_eq!(stack.states(), ["a-1 running"]);
        stack.ok(&["up", "--dry-run"]);
        stack.ok(&["verify", "--help"]);
    }
    stack.write(
        "compose.yaml",
        &format!("name: PROJECT\nservices: {{ a: {{ image: '{}' }} }}\n", "0".repeat(64)),
    );
    assert!(stack.fails(&["up"], 2).contains("has no image with the id"));
}

#[test]
fn names_of_the_first_version_and_all_resources() {
    let file = "name: PROJECT\nservices:\n  a: { image: IMAGE, init: true, command: [sleep, '1000'] }\nvolumes: { spare: }\n\
                networks: { spare: }\n";
    let Some(stack) = Stack::new("v1", file) else { return };
    told(&stack, &["--compatibility", "up", "-d"], 0);
    let name = &stack.name;
    assert_eq!(
        docker(&["inspect", "--format", "{{.Name}}", &format!("{name}_a_1")]).trim(),
        format!("/{name}_a_1")
    );
    let said = told(&stack, &["--compatibility", "--all-resources", "up", "-d"], 0);
    for made in ["Volume", "Network"] {
        assert!(said.contains(&format!("{made} {name}_spare Created")), "{said}");
    }
    let version = "{{index .Labels \"com.docker.compose.version\"}}";
    for kind in ["network", "volume"] {
        let found = docker(&[kind, "inspect", "--format", version, &format!("{name}_spare")]);
        assert!(found.starts_with("plimsoll "), "{kind}: {found}");
    }
    told(&stack, &["--compatibility", "--all-resources", "down", "-v"], 0);
    let filter = format!("label=com.docker.compose.project={name}");
    for kind in ["network", "volume"] {
        assert_eq!(docker(&[kind, "ls", "-q", "--filter", &filter]), "", "{kind}");
    }
}

#[test]
fn a_push_leaves_out_what_has_no_name_of_its_own() {
    let file = "name: PROJECT\nservices: { a: { build: . } }\n";
    let Some(stack) = Stack::new("push", file) else { return };
    stack.write("Dockerfile", "FROM IMAGE\nENV V=1\n");
    let said = told(&stack, &["build", "--push"], 0);
    assert!(said.contains("is not pushed"), "{said}");
    told(&stack, &["down", "--rmi", "local"], 0);
}

#[test]
fn a_container_and_config_have_one_digest() {
    let file = "name: PROJECT\nservices:\n  a: { image: IMAGE, init: true, command: [sleep, '1000'], env_file: a.env }\n";
    let Some(stack) = Stack::new("hash", file) else { return };
    stack.write("a.env", "A=1\n");
    stack.ok(&["up"]);
    let label = "{{index .Config.Labels \"com.docker.compose.config-hash\"}}";
    let label = docker(&["inspect", "--format", label, &format!("{}-a-1", stack.name)]);
    assert_eq!(stack.ok(&["config", "--hash", "a"]), format!("a {}\n", label.trim()));
}

#[test]
fn links_on_the_engines_own_bridge() {
    let file = "name: PROJECT\nservices:\n  a: { image: IMAGE, init: true, command: [sleep, '1000'], network_mode: bridge }\n  \
                b: { image: IMAGE, init: true, command: [sleep, '1000'], network_mode: bridge, links: ['a:other'] }\n";
    let Some(stack) = Stack::new("links", file) else { return };
    stack.ok(&["up"]);
    assert!(stack.ok(&["exec", "-T", "b", "cat", "/etc/hosts"]).contains("other"));
    assert!(stack.ok(&["up"]).is_empty(), "and nothing is to be done the second time");
    assert!(said(&stack.run(&["up"])).contains("nothing to do"));
}

#[test]
fn an_attached_up_stays_with_what_is_started_again() {
    let file = "name: PROJECT\nservices:\n  a:\n    image: IMAGE\n    restart: 'on-failure:2'\n    \
                command: [sh, -c, 'sleep 0.1; echo world; exit 3']\n";
    let Some(stack) = Stack::new("again", file) else { return };
    let output = stack.in_place(&["up"]);
    let shown = text(&output.stdout);
    assert_eq!(shown.matches("exited with code 3").count(), 3, "{}", said(&output));
    assert_eq!(shown.matches("| world").count(), 3, "{shown}");
}

#[test]
fn the_first_end_aborts_and_those_before_it_are_told() {
    let file = "name: PROJECT\nservices:\n  ok: { image: IMAGE, command: ['true'] }\n  stays: { image: IMAGE, init: true, command: [sleep, '1000'] }\n  \
                bad: { image: IMAGE, command: [sh, -c, 'exit 11'], depends_on: { ok: { condition: service_completed_successfully } } }\n";
    let Some(stack) = Stack::new("first", file) else { return };
    let output = stack.in_place(&["up", "--abort-on-container-failure"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(11), "{}", said(&output));
    assert!(
        shown.contains("ok-1 exited with code 0") && shown.contains("bad-1 exited with code 11"),
        "{shown}"
    );
    stack.ok(&["down"]);
    let output = stack.in_place(&["up", "--abort-on-container-exit"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn who_asks_for_a_terminal_where_there_is_none_is_told() {
    let file = "name: PROJECT\nservices: { a: { image: IMAGE, command: ['true'] } }\n";
    let Some(stack) = Stack::new("tty", file) else { return };
    for arguments in [&["run", "--rm", "--tty", "a"][..], &["run", "--rm", "--no-TTY=false", "a"]] {
        assert!(told(&stack, arguments, 1).contains("stdin is not a terminal"), "{arguments:?}");
    }
    assert_eq!(stack.states(), [""; 0]);
    told(&stack, &["run", "--rm", "a"], 0);
    told(&stack, &["run", "--rm", "-T", "-i", "a"], 0);
}

#[test]
fn a_pull_does_what_the_services_policy_says() {
    let file = "name: PROJECT\nservices:\n  never: { image: '127.0.0.1:9/nowhere:1', pull_policy: never }\n  \
                there: { image: IMAGE, pull_policy: missing }\n  \
                built: { image: '127.0.0.1:9/built:1', build: . }\n  nameless: { build: . }\n";
    let Some(stack) = Stack::new("policy", file) else { return };
    let said = told(&stack, &["pull", "--ignore-buildable"], 0);
    assert!(said.contains("already present locally"), "{said}");
    assert!(said.contains("nameless Skipped No image to be pulled"), "{said}");
    // what could be built is pulled all the same: who deploys need not build
    let said = told(&stack, &["pull"], 1);
    assert!(said.contains("127.0.0.1:9/built:1 of built cannot be pulled"), "{said}");
    assert!(said.contains("docker compose build built"), "{said}");
    // under its own name the program builds what it can build
    stack.ok(&["pull"]);
}

#[test]
fn what_hooks_write_is_shown_in_front() {
    let file = "name: PROJECT\nservices:\n  a: { image: IMAGE, command: [sleep, '2'] }\n  \
                b:\n    image: IMAGE\n    init: true\n    command: [sleep, '1000']\n    \
                post_start: [{ command: [echo, it begins] }]\n    pre_stop: [{ command: [echo, it ends] }]\n";
    let Some(stack) = Stack::new("hooks", file) else { return };
    let output = stack.in_place(&["up", "--abort-on-container-exit"]);
    let shown = text(&output.stdout);
    assert!(shown.contains("b-1  | it begins") && shown.contains("b-1  | it ends"), "{}", said(&output));
}

#[test]
fn an_up_of_a_service_ends_with_it_whatever_else_is_shown() {
    let file = "name: PROJECT\nservices:\n  a: { image: IMAGE, command: [echo, hello], depends_on: [b] }\n  \
                b: { image: IMAGE, init: true, command: [sleep, '1000'] }\n";
    let Some(stack) = Stack::new("ends", file) else { return };
    let output = stack.in_front(&["up", "--attach-dependencies", "a"], 30);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(stack.states().contains(&"b-1 running".to_owned()), "{:?}", stack.states());
    // the second time nothing is to be done, and that is told
    let said = told(&stack, &["up", "-d", "b"], 0);
    assert!(said.contains(&format!(" Container {}-b-1 Running", stack.name)), "{said}");
}

#[test]
fn the_table_of_containers_is_docker_composes() {
    let file = "name: PROJECT\nservices:\n  a: { image: IMAGE, init: true, command: [sleep, '1000'] }\n";
    let Some(stack) = Stack::new("table", file) else { return };
    stack.ok(&["up"]);
    for arguments in [&["ps"][..], &["ps", "--format", "table"]] {
        let table = text(&stack.in_place(arguments).stdout);
        let (heading, row) = table.split_once('\n').unwrap();
        let heading: Vec<&str> = heading.split_whitespace().collect();
        assert_eq!(heading, ["NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS"]);
        assert!(
            row.contains(&format!(" {} ", compose_stack::busybox::IMAGE)) && row.contains(" Up "),
            "{row}"
        );
    }
    let image = stack.ok(&["ps", "--format", "{{.Image}}"]);
    assert_eq!(image.trim(), compose_stack::busybox::IMAGE);
}

#[test]
fn what_scripts_read_of_services_that_ran_and_are_not_there() {
    let file = "name: PROJECT\nservices:\n  a: { image: IMAGE, init: true, command: [sleep, '1000'] }\n  \
                job: { image: IMAGE, command: ['true'] }\n";
    let Some(stack) = Stack::new("read", file) else { return };
    stack.ok(&["up"]);
    let filter = format!("name={}", stack.name);
    let listed = |more: &[&str]| {
        text(&stack.in_place(&[&["ls", "--format", "json", "--filter", &filter], more].concat()).stdout)
    };
    assert!(listed(&[]).contains(r#""Status":"running(1)""#), "{}", listed(&[]));
    assert!(listed(&["-a"]).contains(r#""Status":"exited(1), running(1)""#), "{}", listed(&["-a"]));
    assert!(told(&stack, &["logs", "nobody"], 1).contains("nobody"));
    told(&stack, &["logs", "job"], 0);
    let id = text(&stack.in_place(&["run", "-d", "a", "sleep", "1"]).stdout);
    assert_eq!(docker(&["inspect", "--format", "{{.Id}}", id.trim()]).trim(), id.trim());
}

#[test]
fn up_with_wait_ends_when_the_engine_says_healthy() {
    let file = "name: PROJECT\nservices:\n  a:\n    image: IMAGE\n    init: true\n    command: [sleep, '1000']\n    \
                healthcheck: { test: ['CMD', 'true'], interval: 2s }\n";
    let Some(stack) = Stack::new("verdict", file) else { return };
    told(&stack, &["up", "-d", "--wait"], 0);
    let health = docker(&["inspect", "--format", "{{.State.Health.Status}}", &format!("{}-a-1", stack.name)]);
    assert_eq!(health.trim(), "healthy");
}
