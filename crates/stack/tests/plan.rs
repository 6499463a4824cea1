//! The situations that a planner meets, as rendered plans.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use insta::assert_snapshot;
use plimsoll_engine::{Health, PublishedPort, RunState};
use plimsoll_stack::{
    Desired, DownOptions, Listener, Observed, ObservedContainer, PlanOptions, StackError, labels, plan,
    plan_down, port_conflicts,
};
use support::{Scratch, converged, files, id, project, wanted, wanted_of};

const SHOP: &str = r#"
services:
  db:
    image: postgres:17
    user: "999:999"
    healthcheck: { test: [CMD, pg_isready], interval: 5s }
    volumes: [data:/var/lib/postgresql/data]
    networks: [inside]
  migrate:
    image: shop:1
    command: [migrate]
    restart: "no"
    depends_on: { db: { condition: service_healthy } }
    networks: [inside]
  web:
    image: shop:1
    depends_on: { migrate: { condition: service_completed_successfully }, db: { condition: service_healthy } }
    healthcheck: { test: [CMD, probe] }
    ports: ["8080:80"]
    networks: [outside, inside]
networks:
  inside: { internal: true }
  outside: {}
volumes:
  data: {}
"#;

fn shown(desired: &Desired, observed: &Observed) -> String {
    plan(desired, observed, &PlanOptions::default()).unwrap().render()
}

fn container<'a>(observed: &'a mut Observed, name: &str) -> &'a mut ObservedContainer {
    observed.containers.iter_mut().find(|container| container.name == name).unwrap()
}

#[test]
fn a_new_project_is_made_in_the_order_of_its_dependencies() {
    assert_snapshot!(shown(&wanted(SHOP), &Observed::default()));
}

#[test]
fn nothing_changed_is_nothing_to_do() {
    let desired = wanted(SHOP);
    assert_snapshot!(shown(&desired, &converged(&desired)), @r"
    as they should be: shop-db-1, shop-migrate-1, shop-web-1
    nothing to do
    ");
}

#[test]
fn a_changed_image_replaces_the_service_and_runs_the_one_shot_again() {
    let observed = converged(&wanted(SHOP));
    assert_snapshot!(shown(&wanted(&SHOP.replace("shop:1", "shop:2")), &observed));
}

#[test]
fn a_changed_dependency_does_not_cascade() {
    let observed = converged(&wanted(SHOP));
    let text = shown(&wanted(&SHOP.replace("postgres:17", "postgres:18")), &observed);
    assert!(text.contains("as they should be: shop-migrate-1, shop-web-1"), "{text}");
    assert!(text.contains("# db: image changed"), "{text}");
}

#[test]
fn a_dependency_with_restart_restarts_its_dependents() {
    let text = SHOP.replace(
        "db: { condition: service_healthy } }\n    healthcheck",
        "db: { condition: service_healthy, restart: true } }\n    healthcheck",
    );
    assert_ne!(text, SHOP);
    let observed = converged(&wanted(&text));
    assert_snapshot!(shown(&wanted(&text.replace("postgres:17", "postgres:18")), &observed));
}

#[test]
fn every_changed_part_is_named() {
    let observed = converged(&wanted(SHOP));
    let text = SHOP.replace(
        "command: [migrate]",
        "command: [migrate, --all]\n    environment: { A: b }\n    mem_limit: 64m",
    );
    let plan = shown(&wanted(&text), &observed);
    assert!(plan.contains("# migrate: command, environment and resources changed"), "{plan}");
}

#[test]
fn a_stack_of_docker_compose_is_taken_over_by_replacing_what_it_made() {
    let desired = wanted(SHOP);
    let mut observed = converged(&desired);
    let web = container(&mut observed, "shop-web-1");
    web.parts = None;
    web.compose_hash = "f00d".into();
    assert!(shown(&desired, &observed).contains("# web: it was made by another tool"));
}

const WORKERS: &str = "services: { worker: { image: worker:1, scale: 2 } }";

#[test]
fn scaling_up_makes_only_the_new_ones() {
    let observed = converged(&wanted(WORKERS));
    assert_snapshot!(shown(&wanted(&WORKERS.replace("scale: 2", "scale: 3")), &observed));
}

#[test]
fn scaling_down_removes_the_highest_number() {
    let observed = converged(&wanted(&WORKERS.replace("scale: 2", "scale: 3")));
    assert_snapshot!(shown(&wanted(WORKERS), &observed));
}

#[test]
fn scaling_down_removes_an_outdated_one_before_a_current_one() {
    let mut observed = converged(&wanted(WORKERS));
    container(&mut observed, "shop-worker-1").hash = "old".into();
    let text = shown(&wanted(&WORKERS.replace("scale: 2", "scale: 1")), &observed);
    assert!(text.contains("remove shop-worker-1"), "{text}");
    assert!(text.contains("as they should be: shop-worker-2"), "{text}");
}

#[test]
fn scaling_to_zero_removes_all() {
    let text = shown(&wanted(&WORKERS.replace("scale: 2", "scale: 0")), &converged(&wanted(WORKERS)));
    assert!(text.contains("remove shop-worker-1") && text.contains("remove shop-worker-2"), "{text}");
}

#[test]
fn force_recreate_replaces_what_is_up_to_date() {
    let desired = wanted(WORKERS);
    let options = PlanOptions { force_recreate: true, ..PlanOptions::default() };
    let text = plan(&desired, &converged(&desired), &options).unwrap().render();
    assert!(text.contains("# worker: asked for") && !text.contains("as they should be"), "{text}");
}

#[test]
fn no_recreate_leaves_what_is_out_of_date() {
    let observed = converged(&wanted(WORKERS));
    let options = PlanOptions { no_recreate: true, ..PlanOptions::default() };
    assert!(plan(&wanted(&WORKERS.replace("worker:1", "worker:2")), &observed, &options).unwrap().is_empty());
}

#[test]
fn only_asked_for_services_and_what_they_need() {
    let options = PlanOptions { services: vec!["migrate".into()], ..PlanOptions::default() };
    let plan = plan(&wanted(SHOP), &Observed::default(), &options).unwrap();
    let services: std::collections::BTreeSet<_> =
        plan.steps.iter().filter_map(|step| step.service.as_deref()).collect();
    assert_eq!(services.into_iter().collect::<Vec<_>>(), ["db", "migrate"]);
}

#[test]
fn a_container_that_has_ended_is_started_again() {
    let desired = wanted(SHOP);
    let mut observed = converged(&desired);
    let web = container(&mut observed, "shop-web-1");
    (web.state, web.exit_code, web.health) = (RunState::Exited, Some(137), Health::None);
    assert_snapshot!(shown(&desired, &observed), @r"
       1  start shop-web-1  # web has ended with exit code 137
       2  wait until shop-web-1 is healthy after 1  # web has a health check
    as they should be: shop-db-1, shop-migrate-1
    ");
}

#[test]
fn a_one_shot_that_failed_runs_again() {
    let desired = wanted(SHOP);
    let mut observed = converged(&desired);
    container(&mut observed, "shop-migrate-1").exit_code = Some(1);
    assert_snapshot!(shown(&desired, &observed), @r"
       1  start shop-migrate-1  # migrate failed the last time (exit code 1)
       2  wait until shop-migrate-1 has completed after 1  # others wait for the end of migrate
    as they should be: shop-db-1, shop-web-1
    ");
}

#[test]
fn a_one_shot_runs_again_when_the_data_is_new() {
    let desired = wanted(SHOP);
    let mut observed = converged(&desired);
    let again = "# migrate runs again: volume shop_data is newer than its success";
    // also when the run that made the volume was killed before the one-shot's turn
    for (made, expected) in [("999", false), ("1000", false), ("1001", true)] {
        observed.volumes[0].spec.labels.insert(labels::CREATED.into(), made.into());
        assert_eq!(shown(&desired, &observed).contains(again), expected, "{made}");
    }
    observed.volumes.clear();
    assert_snapshot!(shown(&desired, &observed));
}

#[test]
fn a_one_shot_that_still_runs_is_waited_for() {
    let desired = wanted(SHOP);
    let mut observed = converged(&desired);
    let migrate = container(&mut observed, "shop-migrate-1");
    (migrate.state, migrate.exit_code) = (RunState::Running, None);
    assert!(
        shown(&desired, &observed)
            .contains("wait until shop-migrate-1 has completed  # migrate is still running")
    );
}

#[test]
fn containers_in_odd_states_are_brought_back() {
    let desired = wanted(SHOP);
    for (state, health, expected) in [
        (RunState::Paused, Health::None, "unpause shop-web-1  # web is paused"),
        (RunState::Created, Health::None, "start shop-web-1  # web was made and never started"),
        (RunState::Dead, Health::None, "remove shop-web-1  # web is half removed"),
        (RunState::Running, Health::Starting, "wait until shop-web-1 is healthy  # web is still starting"),
        (RunState::Running, Health::Unhealthy, "wait until shop-web-1 is healthy  # web is unhealthy"),
        // between two lives the engine's list has no health
        (RunState::Restarting, Health::None, "wait until shop-web-1 is healthy  # web is restarting"),
    ] {
        let mut observed = converged(&desired);
        let web = container(&mut observed, "shop-web-1");
        (web.state, web.health) = (state, health);
        let text = shown(&desired, &observed);
        assert!(text.contains(expected), "{state:?}: {text}");
    }
}

#[test]
fn what_a_killed_run_left_half_made_is_finished_before_its_start() {
    let desired = wanted(SHOP);
    let mut observed = converged(&desired);
    for name in ["shop-web-1", "shop-db-1"] {
        let found = container(&mut observed, name);
        (found.state, found.health) = (RunState::Created, Health::None);
        found.networks.retain(|name, _| name == "shop_inside");
    }
    let other = "shop_outside";
    let text = shown(&desired, &observed);
    assert!(text.contains(&format!("connect shop-web-1 to {other}")), "{text}");
    assert!(text.contains("check that user 999:999 of shop-db-1 owns shop_data"), "{text}");
}

#[test]
fn a_successor_left_by_a_killed_run_is_removed_before_the_replacement_begins_again() {
    let desired = wanted(&WORKERS.replace("scale: 2", "scale: 1"));
    let mut observed = converged(&desired);
    let mut stray = observed.containers[0].clone();
    observed.containers[0].hash = "old".into();
    stray.name = format!("{}_shop-worker-1", &id("shop-worker-1")[..12]);
    stray.state = RunState::Created;
    observed.containers.push(stray);
    assert_snapshot!(shown(&desired, &observed));
}

#[test]
fn orphans_are_named_and_removed_when_asked() {
    let mut observed = converged(&wanted(SHOP));
    container(&mut observed, "shop-web-1").service = "old".into();
    let desired = wanted(&SHOP.replace("  web:", "  web:\n    container_name: front"));
    assert!(shown(&desired, &observed).contains("note  shop-web-1 belongs to no service"));
    let options = PlanOptions { remove_orphans: true, ..PlanOptions::default() };
    let text = plan(&desired, &observed, &options).unwrap().render();
    assert!(
        text.contains("remove shop-web-1") && text.contains("the project has no service old any more"),
        "{text}"
    );
}

#[test]
fn a_service_of_an_inactive_profile_is_no_orphan() {
    let observed = converged(&wanted(WORKERS));
    let desired = wanted("services: { worker: { image: worker:1, profiles: [p] }, web: { image: web:1 } }");
    assert!(!shown(&desired, &observed).contains("note"), "{}", shown(&desired, &observed));
}

#[test]
fn a_network_that_differs_is_made_anew_with_everything_on_it() {
    let observed = converged(&wanted(SHOP));
    assert_snapshot!(shown(&wanted(&SHOP.replace("outside: {}", "outside: { internal: true }")), &observed));
}

#[test]
fn duplicates_of_a_network_are_removed_before_it_is_used() {
    let desired = wanted(SHOP);
    let mut observed = converged(&desired);
    let mut double = observed.networks[0].clone();
    double.id = "other".into();
    observed.networks.push(double);
    observed.containers.retain(|container| container.service != "web");
    let text = shown(&desired, &observed);
    assert!(
        text.contains("1  remove duplicates of network shop_inside  # network inside exists several times"),
        "{text}"
    );
    assert!(text.contains("create shop-web-1 from 73686f703a31 after 1"), "{text}");
}

#[test]
fn networks_and_volumes_of_others() {
    let external =
        "services: { web: { image: web:1, networks: [n] } }\nnetworks: { n: { external: true, name: edge } }";
    let desired = wanted(external);
    let missing = plan(&desired, &Observed::default(), &PlanOptions::default()).unwrap_err();
    assert_eq!(missing.to_string(), "network `edge` is external and does not exist");
    let mut observed = converged(&desired);
    assert!(plan(&desired, &observed, &PlanOptions::default()).unwrap().is_empty());

    let desired = wanted(&external.replace("external: true, ", ""));
    observed.networks[0].spec.labels = [(labels::PROJECT.to_owned(), "other".to_owned())].into();
    let foreign = plan(&desired, &observed, &PlanOptions::default()).unwrap_err();
    assert_eq!(foreign.to_string(), "network `edge` exists and belongs to project other");
    observed.networks[0].spec.labels.clear();
    assert!(
        shown(&desired, &observed)
            .contains("note  network edge was not made by this project; it is used as it is")
    );

    let text = SHOP.replace("data: {}", "data: { external: true }");
    let missing = plan(&wanted(&text), &Observed::default(), &PlanOptions::default()).unwrap_err();
    assert!(matches!(missing, StackError::ExternalMissing { kind: "volume", .. }), "{missing}");
}

#[test]
fn a_volume_that_differs_is_kept_and_told() {
    let observed = converged(&wanted(SHOP));
    let desired = wanted(&SHOP.replace("data: {}", "data: { driver_opts: { type: nfs } }"));
    let text = shown(&desired, &observed);
    assert!(
        text.contains("note  volume data: its driver options changed; it is kept with its data (`up --recreate-volume data`"),
        "{text}"
    );
    assert!(text.contains("nothing to do"), "{text}");
}

#[test]
fn what_lives_in_another_s_namespace_is_replaced_with_it() {
    let text =
        "services: { vpn: { image: vpn:1 }, client: { image: client:1, network_mode: 'service:vpn' } }";
    let observed = converged(&wanted(text));
    assert_snapshot!(shown(&wanted(&text.replace("vpn:1", "vpn:2")), &observed));
}

#[test]
fn anonymous_volumes_go_to_the_successor() {
    let observed = {
        let mut observed = converged(&wanted(WORKERS));
        let volume = "ab".repeat(32);
        container(&mut observed, "shop-worker-1").volumes = [("/data".to_owned(), volume)].into();
        observed
    };
    let plan =
        plan(&wanted(&WORKERS.replace("worker:1", "worker:2")), &observed, &PlanOptions::default()).unwrap();
    let json = serde_json::to_string(&plan).unwrap();
    assert!(json.contains(&format!(r#""name":"{}""#, "ab".repeat(32))), "{json}");
}

#[test]
fn limits_are_fitted_to_the_host_and_said() {
    let desired = wanted("services: { web: { image: web:1, cpus: 4 }, db: { image: db:1, cpus: 1.5 } }");
    let text = shown(&desired, &Observed::default());
    assert!(text.contains("fit   web: cpus 4 -> 2 (the host has no more)"), "{text}");
    assert_eq!(desired.fits.len(), 1);
    let limit =
        |name: &str| desired.services.iter().find(|s| s.name == name).unwrap().spec.resources.nano_cpus;
    assert_eq!((limit("web"), limit("db")), (Some(2_000_000_000), Some(1_500_000_000)));
}

#[test]
fn a_changed_secret_replaces_its_readers_and_is_nowhere_in_the_plan() {
    let scratch = Scratch::new("plan-secret");
    let text = "services: { web: { image: web:1, user: '1000', secrets: [key] } }\nsecrets: { key: { file: ./key } }";
    let project = project("shop", text, &scratch.0);
    std::fs::write(scratch.0.join("key"), "hunter2-the-first").unwrap();
    let before = wanted_of(&project, &files(&project, &scratch.0.join("state")));
    let observed = converged(&before);
    assert!(plan(&before, &observed, &PlanOptions::default()).unwrap().is_empty());
    std::fs::write(scratch.0.join("key"), "hunter2-the-second").unwrap();
    let after = wanted_of(&project, &files(&project, &scratch.0.join("state")));
    let plan = plan(&after, &observed, &PlanOptions::default()).unwrap();
    let json = serde_json::to_string(&plan).unwrap();
    assert!(plan.render().contains("# web: secrets or configs changed"), "{}", plan.render());
    assert!(!json.contains("hunter2") && !format!("{plan:?}").contains("hunter2"));
    assert!(json.contains("/run/secrets/key"));
}

#[test]
fn a_missing_secret_names_itself_its_file_and_the_line() {
    let scratch = Scratch::new("plan-missing");
    let text =
        "services:\n  web:\n    image: web:1\n    secrets: [key]\nsecrets:\n  key:\n    file: ./nowhere\n";
    let project = project("shop", text, &scratch.0);
    let error = plimsoll_stack::stack_files(&project, &scratch.0.join("state"), &|_| None).unwrap_err();
    assert_eq!(
        support::told(&error, &scratch.0),
        "DIR/compose.yml:7: secret `key`: file DIR/nowhere does not exist"
    );
}

#[test]
fn taken_ports_are_found_before_anything_is_touched() {
    let desired = wanted(SHOP);
    let new = plan(&desired, &Observed::default(), &PlanOptions::default()).unwrap();
    let port =
        PublishedPort { container: 80, protocol: "tcp".into(), host_ip: "0.0.0.0".into(), host: Some(8080) };
    let foreign = Observed {
        foreign_ports: vec![(port, "container other-web-1 of project other".into())],
        ..Observed::default()
    };
    let error = StackError::PortsTaken(port_conflicts(&new, &desired, &foreign, &[]));
    assert_eq!(
        error.to_string(),
        "service web: port 8080/tcp of the host is taken by container other-web-1 of project other"
    );

    let listener = |address: &str, port| Listener {
        address: address.parse().unwrap(),
        port,
        protocol: "tcp".into(),
        inode: 0,
    };
    let free = Observed::default();
    assert_eq!(port_conflicts(&new, &desired, &free, &[listener("127.0.0.1", 8080)]).len(), 1);
    assert_eq!(port_conflicts(&new, &desired, &free, &[listener("127.0.0.1", 8081)]).len(), 0);
}

#[test]
fn a_port_that_was_taken_while_its_container_was_stopped_is_found() {
    let desired = wanted(SHOP);
    let mut observed = converged(&desired);
    let web = container(&mut observed, "shop-web-1");
    web.state = RunState::Exited;
    web.ports.clear();
    let listener =
        Listener { address: "0.0.0.0".parse().unwrap(), port: 8080, protocol: "tcp".into(), inode: 0 };
    let start = plan(&desired, &observed, &PlanOptions::default()).unwrap();
    assert!(start.render().contains("start shop-web-1"), "{}", start.render());
    let found = port_conflicts(&start, &desired, &observed, std::slice::from_ref(&listener));
    assert_eq!(found.iter().map(|one| (one.service.as_str(), one.port)).collect::<Vec<_>>(), [("web", 8080)]);
    // one that runs and stays has its port itself
    let stays = plan(&desired, &converged(&desired), &PlanOptions::default()).unwrap();
    assert_eq!(port_conflicts(&stays, &desired, &converged(&desired), &[listener]), []);
}

#[test]
fn an_image_that_is_yet_to_be_built_may_bring_the_health_check_that_others_wait_for() {
    let text = "
services:
  db: { build: ./db }
  web: { image: web:1, depends_on: { db: { condition: service_healthy } } }
";
    let project = project("shop", text, std::path::Path::new("/srv/shop"));
    let mut images = support::images(&project);
    let facts = support::facts();
    let files = plimsoll_stack::StackFiles::default();
    let context = plimsoll_stack::Context { images: &images, facts: &facts, files: &files };
    let error = plimsoll_stack::desired(&project, context).unwrap_err();
    assert!(error.to_string().contains("db has no health check"), "{error}");
    images.insert("db".into(), plimsoll_stack::ServiceImage::missing("shop-db"));
    let context = plimsoll_stack::Context { images: &images, facts: &facts, files: &files };
    assert_eq!(plimsoll_stack::desired(&project, context).unwrap().services.len(), 2);
}

#[test]
fn a_port_of_the_container_that_is_replaced_is_no_conflict() {
    let mut observed = converged(&wanted(SHOP));
    container(&mut observed, "shop-web-1").ports = vec![PublishedPort {
        container: 80,
        protocol: "tcp".into(),
        host_ip: "0.0.0.0".into(),
        host: Some(8080),
    }];
    let desired = wanted(&SHOP.replace("shop:1", "shop:2"));
    let plan = plan(&desired, &observed, &PlanOptions::default()).unwrap();
    let listener =
        Listener { address: "0.0.0.0".parse().unwrap(), port: 8080, protocol: "tcp".into(), inode: 0 };
    assert_eq!(port_conflicts(&plan, &desired, &observed, &[listener]), []);
}

#[test]
fn down_stops_dependents_first_and_keeps_volumes_unless_asked() {
    let observed = converged(&wanted(SHOP));
    assert_snapshot!(
        plan_down("shop", &observed, None, &DownOptions { volumes: true, ..DownOptions::default() }).render()
    );
    assert!(!plan_down("shop", &observed, None, &DownOptions::default()).render().contains("volume"));
}

#[test]
fn a_run_that_has_ended_is_an_orphan() {
    let desired = wanted(SHOP);
    let mut observed = converged(&desired);
    let mut run = container(&mut observed, "shop-web-1").clone();
    (run.name, run.id, run.oneoff) = ("shop-web-run-1".into(), id("run"), true);
    observed.containers.push(run);
    let remove = PlanOptions { remove_orphans: true, ..PlanOptions::default() };
    let told = |observed: &Observed| plan(&desired, observed, &PlanOptions::default()).unwrap().notes;
    assert_eq!(told(&observed), Vec::<String>::new(), "it runs");
    assert!(plan(&desired, &observed, &remove).unwrap().is_empty());
    container(&mut observed, "shop-web-run-1").state = RunState::Exited;
    assert!(told(&observed)[0].starts_with("shop-web-run-1 is an orphan"), "{:?}", told(&observed));
    assert!(plan(&desired, &observed, &remove).unwrap().render().contains("remove shop-web-run-1"));
    // somebody who runs often is told once
    for number in 2..5 {
        let mut more = container(&mut observed, "shop-web-run-1").clone();
        (more.name, more.id) = (format!("shop-web-run-{number}"), id(&format!("run {number}")));
        observed.containers.push(more);
    }
    assert_eq!(told(&observed).len(), 1);
    assert!(told(&observed)[0].contains("and 3 more are orphans"), "{:?}", told(&observed));
}

#[test]
fn two_services_with_one_container_name_are_refused_together() {
    let text = "
services:
  a: { image: shop:1, container_name: fixed }
  b: { image: shop:1, container_name: fixed }
";
    let desired = wanted(text);
    let error = plan(&desired, &Observed::default(), &PlanOptions::default()).unwrap_err();
    assert!(matches!(&error, StackError::NameTwice { name, .. } if name == "fixed"), "{error}");
    let alone = PlanOptions { services: vec!["b".into()], ..PlanOptions::default() };
    assert!(plan(&desired, &Observed::default(), &alone).is_ok());
}
