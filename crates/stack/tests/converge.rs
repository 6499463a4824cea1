//! The planner's situations (`situations.rs` has the list) where the engine's own behaviour matters.
#![allow(clippy::unwrap_used, reason = "a test")]

mod bench;
#[path = "../../engine/tests/support/mod.rs"]
mod busybox;
mod support;

use bench::Bench;
use plimsoll_engine::{ContainerSpec, NetworkSpec, RunState, VolumeSpec};
use plimsoll_stack::{Op, PlanOptions, labels};

/// A service that sleeps, with more settings.
fn sleeper(more: &str) -> String {
    format!("{{ image: IMAGE, init: true, stop_grace_period: 1s, command: [sleep, '1000']{more} }}")
}

fn ids(containers: &std::collections::BTreeMap<String, (String, RunState)>) -> Vec<(String, String)> {
    containers.iter().map(|(name, (id, _))| (name.clone(), id.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_change_under_running_services() {
    let Some(bench) = Bench::new("c-net").await else { return };
    let text = format!(
        "services: {{ api: {}, web: {}, off: {} }}\nnetworks: {{ n: {{}}, other: {{}} }}",
        sleeper(", networks: [n]"),
        sleeper(", networks: [n, other]"),
        sleeper(", networks: [other]")
    );
    bench.up_well(&text).await;
    let before = bench.containers().await;
    let (plan, _) = bench.up_well(&text.replace("n: {}", "n: { internal: true, labels: { a: b } }")).await;
    assert!(plan.render().contains("# network n: internal false -> true"), "{}", plan.render());
    let network = bench.engine.inspect_network(&format!("{}_n", bench.name)).await.unwrap();
    assert!(network.spec.internal && network.containers.len() == 2, "{network:?}");
    let after = bench.containers().await;
    let off = format!("{}-off-1", bench.name);
    assert_eq!(before[&off], after[&off], "who is not on it stays");
    assert_ne!(before[&format!("{}-web-1", bench.name)].0, after[&format!("{}-web-1", bench.name)].0);
    let other = bench.engine.inspect_network(&format!("{}_other", bench.name)).await.unwrap();
    assert_eq!(other.containers.len(), 2, "the replaced one is back on its second network");

    // another name is another network; the old one is let be until `down`
    let renamed =
        text.replace("n: {}", "n: { name: NAME-edge, internal: true }").replace("NAME", &bench.name);
    bench.up_well(&renamed).await;
    let edge = bench.engine.inspect_network(&format!("{}-edge", bench.name)).await.unwrap();
    assert_eq!(edge.containers.len(), 2);
    assert!(bench.engine.inspect_network(&format!("{}_n", bench.name)).await.unwrap().containers.is_empty());
    assert!(bench.down(true).await.is_success());
    assert_eq!(bench.left().await, (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_kept_until_its_loss_is_agreed_to() {
    let Some(bench) = Bench::new("c-vol").await else { return };
    let text = format!(
        "services: {{ db: {}, reader: {}, apart: {} }}\nvolumes: {{ data: {{}} }}",
        sleeper(", volumes: ['data:/data']"),
        sleeper(", volumes_from: ['db:ro']"),
        sleeper("")
    );
    bench.up_well(&text).await;
    bench.sh("db", "echo precious > /data/file").await;
    assert_eq!(
        bench.sh("reader", "cat /data/file; touch /data/x 2>/dev/null || echo read-only").await.1,
        "precious\nread-only"
    );
    let before = bench.containers().await;

    let changed =
        text.replace("data: {}", "data: { driver_opts: { type: tmpfs, device: tmpfs, o: size=1m } }");
    let (plan, _) = bench.up_well(&changed).await;
    assert!(
        plan.notes[0].starts_with("volume data: its driver options changed; it is kept"),
        "{:?}",
        plan.notes
    );
    assert_eq!(ids(&bench.containers().await), ids(&before));

    // somebody else has it: nothing is touched
    let options = PlanOptions { recreate_volumes: ["data".to_owned()].into(), ..PlanOptions::default() };
    let volume = format!("{}_data", bench.name);
    let foreign = ContainerSpec {
        name: format!("{}-backup", bench.name),
        image: busybox::IMAGE.into(),
        labels: bench.stranger(),
        mounts: vec![plimsoll_engine::MountSpec {
            target: "/in".into(),
            read_only: true,
            kind: plimsoll_engine::MountKind::Volume {
                name: Some(volume.clone()),
                no_copy: true,
                subpath: None,
                labels: std::collections::BTreeMap::new(),
            },
        }],
        ..ContainerSpec::default()
    };
    // a run of this test before the label was there may have left it
    let _ = bench.engine.remove_container(&foreign.name, true, false).await;
    let foreign = bench.engine.create_container(&foreign).await.unwrap();
    let error = bench.up_as(&changed, &options).await.unwrap_err();
    assert_eq!(error.to_string(), format!("volume `{volume}` is in use by container {}-backup", bench.name));
    assert_eq!(ids(&bench.containers().await), ids(&before));
    // and `down --volumes` leaves what somebody else has
    let outcome = bench.down(true).await;
    assert!(outcome.is_success(), "{outcome:#?}");
    assert_eq!(bench.left().await, (0, 0, 1));
    bench.engine.remove_container(&foreign, true, false).await.unwrap();
    bench.up_well(&text).await;
    assert_eq!(bench.sh("db", "cat /data/file").await.1, "precious");
    let before = bench.containers().await;

    let plan = bench.up_well_as(&changed, &options).await;
    assert!(plan.steps.iter().any(|step| matches!(step.op, Op::RemoveVolume { .. })), "{}", plan.render());
    assert_eq!(bench.sh("db", "ls /data").await, (0, String::new()));
    assert_eq!(bench.engine.inspect_volume(&volume).await.unwrap().spec.options["type"], "tmpfs");
    let after = bench.containers().await;
    let changed_names: Vec<&String> =
        after.iter().filter(|(name, now)| before[*name].0 != now.0).map(|(n, _)| n).collect();
    assert_eq!(changed_names, [&format!("{}-db-1", bench.name), &format!("{}-reader-1", bench.name)]);
    assert!(bench.plan_as(&changed, &options).await.unwrap().0.is_empty());
    bench.down(true).await;
    assert_eq!(bench.left().await, (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_made_is_used_as_it_is() {
    let Some(bench) = Bench::new("c-others").await else { return };
    let (network, volume) = (format!("{}_n", bench.name), format!("{}_data", bench.name));
    let made = NetworkSpec { name: network.clone(), internal: true, ..NetworkSpec::default() };
    let made = bench.engine.create_network(&made).await.unwrap();
    bench.engine.create_volume(&VolumeSpec { name: volume.clone(), ..VolumeSpec::default() }).await.unwrap();
    let text = format!(
        "services: {{ web: {} }}\nnetworks: {{ n: {{}} }}\nvolumes: {{ data: {{}} }}",
        sleeper(", networks: [n], volumes: ['data:/data']")
    );
    let (plan, _) = bench.up_well(&text).await;
    assert_eq!(
        plan.notes,
        [
            format!("network {network} was not made by this project; it is used as it is"),
            format!("volume {volume} was not made by this project; it is used as it is")
        ]
    );
    assert_eq!(bench.engine.inspect_network(&network).await.unwrap().id, made);
    // `external: true` says the same without a note, and neither goes with `down`
    let external = text
        .replace("n: {}", "n: { external: true, name: NET }")
        .replace("data: {}", "data: { external: true, name: VOL }");
    let external = external.replace("NET", &network).replace("VOL", &volume);
    let (plan, _) = bench.up_well(&external).await;
    assert!(plan.notes.is_empty() && plan.is_empty(), "{}", plan.render());
    assert!(bench.down(true).await.is_success());
    bench.engine.remove_network(&network).await.unwrap();
    bench.engine.remove_volume(&volume).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_come_and_go() {
    let Some(bench) = Bench::new("c-scale").await else { return };
    let text = |scale: u32, version: u32| {
        format!(
            "services: {{ w: {} }}",
            sleeper(&format!(", scale: {scale}, environment: {{ V: '{version}' }}"))
        )
    };
    let names = |number: &[u32]| number.iter().map(|n| format!("{}-w-{n}", bench.name)).collect::<Vec<_>>();
    bench.up_well(&text(2, 1)).await;
    let two = bench.containers().await;
    bench.up_well(&text(3, 1)).await;
    let three = bench.containers().await;
    assert_eq!(three.keys().cloned().collect::<Vec<_>>(), names(&[1, 2, 3]));
    assert!(two.iter().all(|(name, found)| three[name] == *found), "the old ones are not touched");
    bench.up_well(&text(1, 1)).await;
    let one = bench.containers().await;
    assert_eq!(ids(&one), [(names(&[1])[0].clone(), two[&names(&[1])[0]].0.clone())], "the highest go");
    // the one that is out of date goes, although its number is lower
    bench.up_well(&text(1, 1)).await;
    let options = PlanOptions { no_recreate: true, ..PlanOptions::default() };
    bench.up_well_as(&text(2, 2), &options).await;
    let mixed = bench.containers().await;
    bench.up_well(&text(1, 2)).await;
    let left = bench.containers().await;
    assert_eq!(ids(&left), [(names(&[2])[0].clone(), mixed[&names(&[2])[0]].0.clone())]);
    assert!(bench.plan(&text(1, 2)).await.unwrap().0.is_empty());
    bench.up_well(&text(0, 2)).await;
    assert!(bench.containers().await.is_empty());
    bench.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn force_and_never() {
    let Some(bench) = Bench::new("c-force").await else { return };
    let text = format!("services: {{ db: {}, web: {} }}", sleeper(""), sleeper(", depends_on: [db]"));
    bench.up_well(&text).await;
    let first = bench.containers().await;
    let web = || PlanOptions { services: vec!["web".into()], ..PlanOptions::default() };
    bench.up_well_as(&text, &PlanOptions { force_recreate: true, ..web() }).await;
    let second = bench.containers().await;
    let name = |service: &str| format!("{}-{service}-1", bench.name);
    assert_eq!(first[&name("db")], second[&name("db")]);
    assert_ne!(first[&name("web")].0, second[&name("web")].0);
    let never = PlanOptions { no_recreate: true, ..PlanOptions::default() };
    bench.up_well_as(&text.replace("init: true", "init: false"), &never).await;
    assert_eq!(ids(&bench.containers().await), ids(&second));
    // one that has ended is started again, the same container
    bench.engine.stop_container(&name("web"), Some(1)).await.unwrap();
    bench.up_well_as(&text, &never).await;
    assert_eq!(bench.containers().await, second);
    bench.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_follow_their_parent() {
    let Some(bench) = Bench::new("c-ns").await else { return };
    let text = format!(
        "services: {{ vpn: {}, client: {}, plain: {} }}",
        sleeper(""),
        sleeper(", network_mode: 'service:vpn', pid: 'service:vpn', ipc: 'service:vpn'"),
        sleeper(", depends_on: [vpn]")
    )
    .replacen("init: true", "init: true, ipc: shareable", 1);
    bench.up_well(&text).await;
    let before = bench.containers().await;
    assert!(bench.plan(&text).await.unwrap().0.is_empty(), "a reference is no change");
    let (plan, _) = bench.up_well(&text.replacen("command", "environment: { A: b }, command", 1)).await;
    assert!(plan.render().contains("# client shares namespaces or volumes with vpn"), "{}", plan.render());
    let after = bench.containers().await;
    let name = |service: &str| format!("{}-{service}-1", bench.name);
    assert_ne!(before[&name("client")].0, after[&name("client")].0);
    assert_eq!(before[&name("plain")], after[&name("plain")], "an ordinary dependency does not cascade");
    let raw = bench.engine.inspect_container_raw(&name("client")).await.unwrap();
    let parent = format!("container:{}", after[&name("vpn")].0);
    let mode = raw["HostConfig"]["NetworkMode"].as_str().unwrap();
    assert!(mode == parent || mode == format!("container:{}", name("vpn")), "{mode}");
    assert_eq!(raw["State"]["Running"], true);
    bench.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_go_when_asked() {
    let Some(bench) = Bench::new("c-orphan").await else { return };
    let text = format!("services: {{ web: {}, old: {} }}", sleeper(""), sleeper(""));
    bench.up_well(&text).await;
    let text = format!("services: {{ web: {} }}", sleeper(""));
    let (plan, _) = bench.up_well(&text).await;
    assert_eq!(
        plan.notes,
        [format!("{}-old-1 belongs to no service of the project; `--remove-orphans` removes it", bench.name)]
    );
    assert_eq!(bench.containers().await.len(), 2);
    bench.up_well_as(&text, &PlanOptions { remove_orphans: true, ..PlanOptions::default() }).await;
    assert_eq!(bench.containers().await.len(), 1);
    bench.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn successors_start_first_and_one_after_the_other() {
    let Some(bench) = Bench::new("c-update").await else { return };
    let text = format!(
        "services: {{ w: {} }}",
        sleeper(
            ", environment: { V: '1' }, healthcheck: { test: [CMD, 'true'], interval: 30s }, deploy: { replicas: 2, update_config: { order: start-first, parallelism: 1 } }"
        )
    );
    bench.up_well(&text).await;
    // a successor that never gets healthy: the old ones go on serving, the second is not even tried
    let before = bench.containers().await;
    let bad = text.replace("'true'], interval: 30s", "'false'], interval: 1s, retries: 1");
    let (_, outcome) = bench.up(&bad).await.unwrap();
    assert_eq!(outcome.failures.len(), 1, "{outcome:#?}");
    let after = bench.containers().await;
    assert!(before.iter().all(|(name, found)| after[name] == *found), "{before:?}\n{after:?}");
    bench.up_well(&text.replace("V: '1'", "V: '2'")).await;
    let after = bench.containers().await;
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "no successor is left");
    assert!(after.iter().all(|(name, (id, state))| before[name].0 != *id && *state == RunState::Running));
    assert_eq!(bench.sh("w", "echo $V").await.1, "2");
    let (plan, _, _) = bench.plan(&text.replace("V: '1'", "V: '2'")).await.unwrap();
    assert!(plan.changes_nothing(), "{}", plan.render());
    bench.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_run_at_their_time_and_once() {
    let Some(bench) = Bench::new("c-hooks").await else { return };
    let text = r#"
services:
  web:
    image: IMAGE
    init: true
    stop_grace_period: 1s
    user: "1000"
    command: [sh, -c, "cat /shared/made; sleep 1000"]
    volumes: [shared:/shared]
    networks: [inside]
    pre_start:
      - { command: [sh, -c, "echo first >> /shared/made"], user: root }
      - { command: [sh, -c, "echo $$WHO >> /shared/made; ls -d /sys/class/net/eth0"], user: root, environment: { WHO: second } }
    post_start:
      - { command: [sh, -c, "id -u > /tmp/who; echo $$GREETING >> /tmp/started"], environment: { GREETING: hello } }
      - { command: [sh, -c, "id -u >> /shared/posted"], user: root, working_dir: /tmp }
    pre_stop:
      - { command: [sh, -c, "echo bye >> /shared/stopped"], user: root }
networks: { inside: { internal: true } }
volumes: { shared: {} }
"#;
    bench.up_well(text).await;
    assert_eq!(
        bench.sh("web", "cat /shared/made /tmp/who /tmp/started /shared/posted").await.1,
        "first\nsecond\n1000\nhello\n0"
    );
    assert_eq!(bench.left().await.0, 1, "pre_start containers are gone");
    let (plan, _, _) = bench.plan(text).await.unwrap();
    assert!(plan.is_empty(), "{}", plan.render());
    // a restart runs what belongs to a start again, what belongs to a new container not
    let members = plimsoll_stack::members(&bench.engine, &bench.name).await.unwrap();
    let restart = plimsoll_stack::plan_restart(&bench.name, &members, &plimsoll_stack::Lifecycle::default());
    let options =
        plimsoll_stack::RunOptions { state: bench.state(), ..plimsoll_stack::RunOptions::default() };
    let done = plimsoll_stack::run(
        &bench.engine,
        &restart,
        &plimsoll_stack::StackFiles::default(),
        &options,
        &mut |_| {},
    )
    .await;
    assert!(done.is_success(), "{}\n{:#?}", restart.render(), done.failures);
    assert_eq!(
        bench.sh("web", "cat /shared/stopped /tmp/started; echo; cat /shared/made").await.1,
        "bye\nhello\nhello\n\nfirst\nsecond"
    );

    // a hook that fails is told, and what was to come after it is not started
    let bad = text.replace("echo first", "echo no way; exit 7; echo first");
    let (_, outcome) = bench.up(&bad).await.unwrap();
    let failure = &outcome.failures[0];
    assert_eq!(failure.exit.as_ref().unwrap().code, 7, "{failure:#?}");
    assert!(bench.sh("web", "true").await.0 == 0, "the old one goes on");
    bench.up_well(text).await;
    assert_eq!(bench.left().await.0, 1);
    let bad = text.replace("id -u > /tmp/who", "echo cannot; exit 9");
    let (_, outcome) = bench.up(&bad).await.unwrap();
    assert!(outcome.failures[0].reason.contains("exited with status 9: `"), "{outcome:#?}");
    // the next run makes up for a hook that nobody has seen run
    let (plan, _) = bench.up(&bad).await.unwrap();
    assert!(plan.render().contains("its post_start hooks have not been seen to run"), "{}", plan.render());
    bench.down(true).await;
    assert_eq!(bench.left().await, (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_names_for_one_container_alone() {
    let Some(bench) = Bench::new("c-links").await else { return };
    let text = format!(
        "services: {{ db: {}, web: {}, other: {} }}\nnetworks: {{ n: {{}} }}",
        sleeper(", networks: [n]"),
        sleeper(", networks: [n], links: ['db:database'], external_links: ['NAME-other-1:friend']"),
        sleeper(", networks: [n]")
    )
    .replace("NAME", &bench.name);
    bench.up_well(&text).await;
    // a refused connection means that the name was found
    let find = |name: &str| format!("nc -w 1 {name} 1 < /dev/null 2>&1");
    for (from, name, known) in [
        ("web", "database", true),
        ("web", "friend", true),
        ("web", "db-1", true),
        ("other", "database", false),
    ] {
        let said = bench.sh(from, &find(name)).await.1;
        assert_eq!(said.contains("refused"), known, "{from} {name}: {said}");
    }
    // a replaced container is found by its link
    bench.up_well(&text.replacen("command", "environment: { A: b }, command", 1)).await;
    let said = bench.sh("web", &find("database")).await.1;
    assert!(said.contains("refused"), "{said}");
    bench.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_say_what_docker_compose_wants_to_know() {
    let Some(bench) = Bench::new("c-labels").await else { return };
    let text = format!("services: {{ web: {} }}", sleeper(""));
    bench.up_well(&text).await;
    let label = format!("{}={}", labels::PROJECT, bench.name);
    let found = bench.engine.containers_labelled(&[label]).await.unwrap();
    for key in [
        labels::SERVICE,
        labels::NUMBER,
        labels::ONEOFF,
        labels::CONFIG_HASH,
        labels::IMAGE,
        labels::VERSION,
        labels::WORKING_DIR,
        labels::CONFIG_FILES,
        labels::DEPENDS_ON,
    ] {
        assert!(found[0].label(key).is_some(), "{key}");
    }
    bench.down(true).await;
}
