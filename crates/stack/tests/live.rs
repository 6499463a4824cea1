//! Stacks on a real engine.
#![allow(clippy::unwrap_used, reason = "a test")]

mod bench;
#[path = "../../engine/tests/support/mod.rs"]
mod busybox;
mod support;

use std::{
    collections::BTreeMap,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::PathBuf,
    time::{Duration, Instant},
};

use bench::Bench;
use plimsoll_engine::{Engine, RunState};
use plimsoll_stack::{LogQuery, Op, Progress, RunOptions, logs, ps, run};
use support::Scratch;

const CHAIN: &str = r#"
x-base: &base
  image: IMAGE
  init: true
  stop_grace_period: 1s
  healthcheck: { test: [CMD, test, -e, /tmp/ready], interval: 30s, retries: 3 }
  command: [sh, -c, "sleep 0.3; touch /tmp/ready; sleep 1000"]
services:
  db:
    <<: *base
    user: "1234:1234"
    volumes: [data:/var/lib/nowhere]
    networks: [inside]
  migrate:
    image: IMAGE
    restart: "no"
    command: [sh, -c, "echo migrating; date >> /shared/runs 2>/dev/null || echo run >> /shared/runs"]
    volumes: [shared:/shared]
    depends_on: { db: { condition: service_healthy } }
    networks: [inside]
  api:
    <<: *base
    depends_on: { migrate: { condition: service_completed_successfully } }
    networks: [inside, outside]
  web:
    <<: *base
    volumes: ["shared:/shared:ro"]
    depends_on: { api: { condition: service_healthy } }
    networks: [outside]
networks: { inside: { internal: true }, outside: {} }
volumes: { data: {}, shared: {} }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_comes_up_in_order_stays_untouched_changes_alone_and_goes() {
    let Some(bench) = Bench::new("chain").await else { return };
    let (_, outcome) = bench.up_well(CHAIN).await;
    // three health checks with an interval of 30 s, one after the other, unless we probe ourselves
    assert!(outcome.elapsed < Duration::from_mins(1), "{:?}", outcome.elapsed);
    eprintln!("cold up of 3 chained health-gated services, a one-shot, 2 networks: {:?}", outcome.elapsed);
    let ready = |name: &str| outcome.ready[&format!("{}-{name}-1", bench.name)];
    assert!(ready("db") < ready("migrate") && ready("migrate") < ready("api") && ready("api") < ready("web"));
    // the volume's mount point is missing in the image, and the service is not root
    assert_eq!(
        bench.sh("db", "touch /var/lib/nowhere/x && stat -c %u /var/lib/nowhere").await,
        (0, "1234".into())
    );

    let before = bench.containers().await;
    // the probe fails now: the engine does not know yet, and what has proved itself is not probed again
    bench.sh("web", "mv /tmp/ready /tmp/was").await;
    let began = Instant::now();
    let (plan, _) = bench.up_well(CHAIN).await;
    let took = began.elapsed();
    eprintln!("up with nothing changed while the engine still waits for its first probe: {took:?}");
    assert!(plan.changes_nothing() && took < Duration::from_secs(2), "{took:?} {}", plan.render());
    bench.sh("web", "mv /tmp/was /tmp/ready").await;
    assert_eq!(bench.containers().await, before);
    assert_eq!(bench.sh("web", "cat /shared/runs").await.1.lines().count(), 1, "the one-shot ran once");

    let changed = CHAIN.replace(
        "volumes: [\"shared:/shared:ro\"]",
        "volumes: [\"shared:/shared:ro\"]\n    environment: { A: b }",
    );
    let (plan, _) = bench.up_well(&changed).await;
    assert!(plan.render().contains("# web: environment changed"), "{}", plan.render());
    let after = bench.containers().await;
    let same: Vec<&String> =
        before.iter().filter(|(name, value)| after.get(*name) == Some(value)).map(|(n, _)| n).collect();
    assert_eq!(same.len(), 3, "{same:?}");
    assert_eq!(bench.sh("web", "echo $A").await.1, "b");
    assert_eq!(after.len(), 4, "no temporary name is left: {after:?}");

    let rows = ps(&bench.engine, &bench.name, &bench.state()).await.unwrap();
    let states: Vec<(&str, RunState)> = rows.iter().map(|row| (row.service.as_str(), row.state)).collect();
    assert_eq!(
        states,
        [
            ("api", RunState::Running),
            ("db", RunState::Running),
            ("migrate", RunState::Exited),
            ("web", RunState::Running)
        ]
    );
    // the engine waits half a minute for its first probe; ours have passed
    let db = rows.iter().find(|row| row.service == "db").unwrap();
    assert!(db.health == plimsoll_engine::Health::Starting && db.proved, "{db:?}");
    let mut lines = Vec::new();
    let query = LogQuery { services: vec!["migrate".into()], ..LogQuery::default() };
    logs(&bench.engine, &bench.name, &query, &mut |line| {
        lines.push(line.line.text);
        true
    })
    .await
    .unwrap();
    assert_eq!(lines, ["migrating"]);

    assert!(bench.down(false).await.is_success());
    assert_eq!(bench.left().await, (0, 0, 2));
    assert!(bench.down(true).await.is_success());
    assert_eq!(bench.left().await, (0, 0, 0));
    assert!(!bench.state().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_belong_to_the_service_and_go_with_it() {
    let Some(bench) = Bench::new("secrets").await else { return };
    std::fs::write(bench.scratch.0.join("password"), "hunter2").unwrap();
    let text = r#"
services:
  web:
    image: IMAGE
    init: true
    stop_grace_period: 1s
    user: app
    read_only: true
    command: [sleep, "1000"]
    secrets: [password, { source: password, target: /etc/other }]
    configs: [{ source: motd, target: /etc/motd }]
secrets: { password: { file: ./password } }
configs: { motd: { content: "hello" } }
"#;
    bench.up_well(text).await;
    assert_eq!(
        bench.sh("web", "cat /run/secrets/password /etc/other /etc/motd").await,
        (0, "hunter2hunter2hello".into())
    );
    assert_eq!(bench.sh("web", "stat -c '%u %a' /run/secrets/password").await.1, "1000 400");
    let raw = bench.engine.inspect_container_raw(&format!("{}-web-1", bench.name)).await.unwrap().to_string();
    assert!(!raw.contains("hunter2"));
    let directory = bench.state().join("files/web");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory), mode(directory.parent().unwrap())), (0o700, 0o700));
    let copy = std::fs::metadata(directory.join("secret-password")).unwrap();
    assert_eq!((copy.uid(), copy.permissions().mode() & 0o777), (1000, 0o400));

    let (plan, _, _) = bench.plan(text).await.unwrap();
    assert!(plan.is_empty(), "{}", plan.render());
    std::fs::write(bench.scratch.0.join("password"), "changed").unwrap();
    let (plan, _) = bench.up_well(text).await;
    assert!(plan.render().contains("secrets or configs changed"), "{}", plan.render());
    assert_eq!(bench.sh("web", "cat /run/secrets/password").await.1, "changed");

    std::fs::remove_file(bench.scratch.0.join("password")).unwrap();
    let error = support::told(&bench.up(text).await.unwrap_err(), &bench.scratch.0);
    assert_eq!(error, "DIR/compose.yml:12: secret `password`: file DIR/password does not exist");
    bench.down(true).await;
    assert!(!bench.state().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_health_check_that_never_passes_is_told_with_its_output() {
    let Some(bench) = Bench::new("unhealthy").await else { return };
    let text = r#"
services:
  db:
    image: IMAGE
    init: true
    command: [sh, -c, "echo cannot reach the disk; sleep 1000"]
    healthcheck: { test: [CMD-SHELL, "echo still waiting; exit 1"], interval: 1s, retries: 2 }
  web:
    image: IMAGE
    command: [sleep, "1000"]
    init: true
    depends_on: { db: { condition: service_healthy } }
  other:
    image: IMAGE
    init: true
    command: [sleep, "1000"]
"#;
    let (_, outcome) = bench.up(text).await.unwrap();
    assert_eq!(outcome.failures.len(), 1, "{outcome:#?}");
    let failure = &outcome.failures[0];
    assert_eq!(failure.service.as_deref(), Some("db"));
    assert_eq!(failure.reason, "its health check fails: the engine calls it unhealthy");
    assert_eq!(failure.probe, Some((1, "still waiting".into())));
    assert_eq!(failure.logs, ["cannot reach the disk"]);
    assert!(failure.exit.is_none() && !failure.out_of_memory);
    let containers = bench.containers().await;
    assert_eq!(containers[&format!("{}-db-1", bench.name)].1, RunState::Running, "what runs is left running");
    assert_eq!(containers[&format!("{}-other-1", bench.name)].1, RunState::Running);
    assert_eq!(containers[&format!("{}-web-1", bench.name)].1, RunState::Created);

    // mended: only what is needed happens
    let (plan, _) = bench.up_well(&text.replace("exit 1", "exit 0")).await;
    assert!(plan.unchanged.contains(&format!("{}-other-1", bench.name)));
    bench.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_shot_that_fails_stops_those_that_wait_for_it() {
    let Some(bench) = Bench::new("oneshot").await else { return };
    let text = r#"
services:
  migrate: { image: IMAGE, command: [sh, -c, "echo relation exists already; exit 3"] }
  web:
    image: IMAGE
    init: true
    command: [sleep, "1000"]
    depends_on: { migrate: { condition: service_completed_successfully } }
"#;
    let (_, outcome) = bench.up(text).await.unwrap();
    let failure = &outcome.failures[0];
    assert_eq!(failure.reason, "it failed with exit code 3, and others wait for its success");
    assert_eq!(
        (failure.exit.as_ref().unwrap().code, failure.logs.as_slice()),
        (3, &["relation exists already".to_owned()][..])
    );
    assert_eq!(bench.containers().await[&format!("{}-web-1", bench.name)].1, RunState::Created);
    bench.up_well(&text.replace("exit 3", "exit 0")).await;
    bench.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_are_explained() {
    let Some(bench) = Bench::new("ends").await else { return };
    let service = |rest: &str| format!("services: {{ web: {{ image: IMAGE, {rest} }} }}");
    let hog = "command: [sh, -c, 'a=x; while true; do a=$$a$$a; done'], mem_limit: 8m, memswap_limit: 8m";
    for (rest, exit, memory, hint) in [
        (hog, 137, true, "raise the memory limit"),
        (
            "command: [sh, -c, 'touch /x'], read_only: true",
            1,
            false,
            "writes to a read-only root file system",
        ),
        ("command: [/nowhere]", 127, false, "does not exist in the image"),
    ] {
        let (_, outcome) = bench.up(&service(rest)).await.unwrap();
        assert_eq!(outcome.failures.len(), 1, "{rest}: {outcome:#?}");
        let failure = &outcome.failures[0];
        assert_eq!(failure.exit.as_ref().map(|exit| exit.code), Some(exit), "{rest}: {failure:#?}");
        assert_eq!(failure.out_of_memory, memory, "{rest}: {failure:#?}");
        assert!(failure.hint.as_ref().is_some_and(|text| text.contains(hint)), "{rest}: {failure:#?}");
    }
    let looping = service(
        "command: [sh, -c, 'echo again; exit 9'], restart: always, healthcheck: { test: [CMD, 'true'], interval: 60s, start_period: 60s }",
    );
    let (_, outcome) = bench.up(&looping.replace("'true'", "'false'")).await.unwrap();
    assert!(outcome.failures[0].reason.contains("ends again and again"), "{outcome:#?}");
    bench.down(true).await;
}

/// Its check passes in each of its short lives: `up` must not call it ready, neither at once nor while others start.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_ends_after_its_check_has_passed() {
    let Some(bench) = Bench::new("falls").await else { return };
    let text = "services:
  worker: { image: IMAGE, command: [sh, -c, 'sleep 1; echo \"KeyError: REDIS\"; exit 9'], restart: always, healthcheck: { test: [CMD, 'true'] } }
  web: { image: IMAGE, init: true, command: [sh, -c, 'sleep 2; touch /ready; sleep 1000'], healthcheck: { test: [CMD, ls, /ready] }, depends_on: { worker: { condition: service_healthy } } }";
    let (_, outcome) = bench.up(text).await.unwrap();
    assert_eq!(outcome.failures.len(), 1, "{outcome:#?}");
    let failure = &outcome.failures[0];
    assert_eq!(failure.service.as_deref(), Some("worker"));
    assert_eq!(failure.reason, "it ended with exit code 9 after its health check had passed");
    assert!(failure.hint.as_ref().is_some_and(|hint| hint.contains("KeyError: REDIS")), "{failure:#?}");
    // It is still the same program, and still ends.
    let (plan, outcome) = bench.up(text).await.unwrap();
    assert!(!outcome.is_success(), "{}\n{outcome:#?}", plan.render());
    bench.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_names_its_holder_before_anything_is_made() {
    let Some(bench) = Bench::new("port").await else { return };
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let text = format!(
        "services: {{ web: {{ image: IMAGE, init: true, command: [sleep, '1000'], ports: ['{port}:80'] }} }}"
    );
    let error = bench.up(&text).await.unwrap_err().to_string();
    let me = std::process::id();
    assert!(
        error.starts_with(&format!("service web: port {port}/tcp of the host is taken by process ")),
        "{error}"
    );
    assert!(error.ends_with(&format!("(pid {me})")), "{error}");
    assert_eq!(bench.left().await, (0, 0, 0));
    drop(listener);
    bench.up_well(&text).await;
    // replaced on the same port
    bench.up_well(&text.replace("'1000'", "'1001'")).await;

    let Some(second) = Bench::new("port2").await else { return };
    let error = second.up(&text).await.unwrap_err().to_string();
    assert!(
        error.contains("taken by container plimsoll-test-port-web-1 of project plimsoll-test-port"),
        "{error}"
    );
    bench.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_changes_is_made_anew() {
    let Some(bench) = Bench::new("network").await else { return };
    let text = "services: { web: { image: IMAGE, init: true, command: [sleep, '1000'], networks: [n] } }\nnetworks: { n: {} }";
    bench.up_well(text).await;
    let (plan, _) = bench.up_well(&text.replace("{ n: {} }", "{ n: { internal: true } }")).await;
    assert!(plan.steps.iter().any(|step| matches!(step.op, Op::RemoveNetwork { .. })));
    let network = bench.engine.inspect_network(&format!("{}_n", bench.name)).await.unwrap();
    assert!(network.spec.internal && network.containers.len() == 1, "{network:?}");
    bench.down(true).await;
}

/// The child of the next test: an `up` that is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by its parent"]
async fn child_up() {
    let Ok(text) = std::env::var("PLIMSOLL_TEST_UP") else { return };
    let engine = Engine::connect().await.unwrap();
    let scratch = Scratch(PathBuf::from(std::env::var("PLIMSOLL_TEST_DIR").unwrap()));
    let bench = Bench { engine, name: "plimsoll-test-kill".into(), scratch };
    let _ = bench.up(&text).await;
    std::mem::forget(bench);
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_an_up_is_killed_the_next_one_converges() {
    let Some(bench) = Bench::new("kill").await else { return };
    for (version, delay) in [40_u64, 120, 250, 400, 600, 900, 1300, 1800].into_iter().enumerate() {
        // every round changes every service, so that replacements are under way too
        let text =
            CHAIN.replace("init: true", &format!("init: true\n  environment: {{ VERSION: '{version}' }}"));
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["child_up", "--exact", "--ignored", "--nocapture"])
            .env("PLIMSOLL_TEST_UP", &text)
            .env("PLIMSOLL_TEST_DIR", &bench.scratch.0)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(delay)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let (plan, _) = bench.up_well(&text).await;
        eprintln!("killed after {delay} ms: {} steps were left", plan.steps.len());
        let containers = bench.containers().await;
        let names: Vec<&str> =
            containers.keys().map(|name| name.trim_start_matches("plimsoll-test-kill-")).collect();
        assert_eq!(names, ["api-1", "db-1", "migrate-1", "web-1"]);
        assert_eq!(bench.sh("web", "echo $VERSION").await.1, version.to_string());
        let (plan, _, _) = bench.plan(&text).await.unwrap();
        assert!(plan.changes_nothing(), "{}", plan.render());
    }
    bench.down(true).await;
    assert_eq!(bench.left().await, (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_changed_is_quick_and_touches_nothing() {
    let Some(bench) = Bench::new("noop").await else { return };
    let text = CHAIN.replace("interval: 30s", "interval: 1s");
    bench.up_well(&text).await;
    let all_healthy = async {
        while !bench.plan(&text).await.unwrap().0.is_empty() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all_healthy)
        .await
        .expect("the engine's own check passes too");
    let before = bench.containers().await;
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        let (plan, outcome) = bench.up_well(&text).await;
        best = best.min(began.elapsed());
        assert!(plan.is_empty() && outcome.done == 0, "{}", plan.render());
    }
    eprintln!("up with nothing changed, best of 5: {best:?}");
    assert_eq!(bench.containers().await, before);
    bench.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_missing_is_named() {
    let Some(bench) = Bench::new("image").await else { return };
    let error = bench.up("services: { web: { image: 'plimsoll-test/nowhere:1' } }").await.unwrap_err();
    assert_eq!(error.to_string(), "service web: the engine has no image `plimsoll-test/nowhere:1`");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_setting_reaches_the_engine() {
    let Some(bench) = Bench::new("settings").await else { return };
    std::fs::create_dir(bench.scratch.0.join("bound")).unwrap();
    let text = r#"
services:
  web:
    image: IMAGE
    command: [sleep, "1000"]
    entrypoint: []
    init: true
    user: "1000:1000"
    group_add: ["44"]
    hostname: front
    domainname: example.test
    working_dir: /tmp
    environment: { A: "1", GONE: }
    labels: { team: web }
    read_only: true
    cap_drop: [ALL]
    cap_add: [NET_BIND_SERVICE]
    security_opt: ["no-new-privileges:true"]
    tmpfs: ["/scratch:uid=1000,gid=1000,mode=0700,size=1m"]
    volumes:
      - ./bound:/bound:ro
      - ./made:/made
      - { type: tmpfs, target: /typed, tmpfs: { size: 2m, mode: 0o770 } }
      - { type: volume, source: data, target: /data, volume: { nocopy: true } }
    mem_swappiness: 10
    memswap_limit: 64m
    deploy:
      resources:
        limits: { cpus: "0.5", memory: 64m, pids: 32 }
        reservations: { memory: 16m }
    cpu_shares: 512
    cpuset: "0"
    shm_size: 8m
    oom_score_adj: 100
    ulimits: { nofile: { soft: 1000, hard: 2000 }, nproc: 100 }
    sysctls: { net.ipv4.tcp_keepalive_time: "600" }
    extra_hosts: ["other=10.0.0.9"]
    dns: [10.0.0.53]
    dns_search: [example.test]
    dns_opt: [ndots:2]
    logging: { driver: json-file, options: { max-size: 1m, max-file: "2" } }
    stop_signal: SIGINT
    stop_grace_period: 1s
    restart: on-failure:3
    healthcheck: { test: [CMD, "true"], interval: 7s, timeout: 3s, retries: 4, start_period: 5s, start_interval: 1s }
    expose: ["9000", "9100-9101/udp"]
    networks:
      one: { aliases: [front-end], priority: 10 }
      two: { ipv4_address: 10.213.77.9 }
networks:
  one: { internal: true, driver_opts: { com.docker.network.bridge.name: plimtest0 } }
  two: { ipam: { config: [{ subnet: 10.213.77.0/24, gateway: 10.213.77.1 }] } }
volumes:
  data: { labels: { keep: "yes" } }
"#;
    bench.up_well(text).await;
    let raw = bench.engine.inspect_container_raw(&format!("{}-web-1", bench.name)).await.unwrap();
    let expected = serde_json::json!({
        "/Config/Hostname": "front", "/Config/Domainname": "example.test", "/Config/User": "1000:1000",
        "/Config/WorkingDir": "/tmp", "/Config/Env": ["A=1", "GONE", "PATH=/bin"], "/Config/Labels/team": "web",
        "/Config/StopSignal": "SIGINT", "/Config/StopTimeout": 1,
        "/Config/Healthcheck": { "Test": ["CMD", "true"], "Interval": 7_000_000_000_i64, "Timeout": 3_000_000_000_i64,
            "StartPeriod": 5_000_000_000_i64, "Retries": 4 },
        "/Config/ExposedPorts": { "9000/tcp": {}, "9100/udp": {}, "9101/udp": {} },
        "/HostConfig/Init": true, "/HostConfig/GroupAdd": ["44"], "/HostConfig/ReadonlyRootfs": true,
        "/HostConfig/CapDrop": ["ALL"], "/HostConfig/CapAdd": ["NET_BIND_SERVICE"],
        "/HostConfig/SecurityOpt": ["no-new-privileges:true"],
        "/HostConfig/Tmpfs": { "/scratch": "uid=1000,gid=1000,mode=0700,size=1m" },
        "/HostConfig/Memory": 64 << 20, "/HostConfig/MemorySwap": 64 << 20, "/HostConfig/MemoryReservation": 16 << 20,
        "/HostConfig/MemorySwappiness": 10, "/HostConfig/NanoCpus": 500_000_000, "/HostConfig/CpuShares": 512,
        "/HostConfig/CpusetCpus": "0", "/HostConfig/PidsLimit": 32, "/HostConfig/ShmSize": 8 << 20,
        "/HostConfig/OomScoreAdj": 100, "/HostConfig/Sysctls": { "net.ipv4.tcp_keepalive_time": "600" },
        "/HostConfig/Ulimits": [{ "Name": "nofile", "Hard": 2000, "Soft": 1000 }, { "Name": "nproc", "Hard": 100, "Soft": 100 }],
        "/HostConfig/ExtraHosts": ["other:10.0.0.9"], "/HostConfig/Dns": ["10.0.0.53"],
        "/HostConfig/DnsSearch": ["example.test"], "/HostConfig/DnsOptions": ["ndots:2"],
        "/HostConfig/LogConfig": { "Type": "json-file", "Config": { "max-file": "2", "max-size": "1m" } },
        "/HostConfig/RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 3 },
    });
    for (pointer, value) in expected.as_object().unwrap() {
        assert_eq!(raw.pointer(pointer), Some(value), "{pointer}");
    }
    let network = |key: &str| &raw["NetworkSettings"]["Networks"][format!("{}_{key}", bench.name)];
    let aliases = network("one")["Aliases"].as_array().unwrap();
    assert!(["web", "front-end"].iter().all(|alias| aliases.contains(&(*alias).into())), "{aliases:?}");
    assert_eq!(network("two")["IPAddress"], "10.213.77.9");
    let mounts: BTreeMap<&str, (&str, bool)> = raw["Mounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| {
            (mount["Destination"].as_str().unwrap(), (mount["Type"].as_str().unwrap(), mount["RW"] == true))
        })
        .collect();
    let wanted = [
        ("/bound", ("bind", false)),
        ("/data", ("volume", true)),
        ("/made", ("bind", true)),
        ("/typed", ("tmpfs", true)),
    ];
    assert_eq!(mounts, wanted.into());
    assert!(bench.scratch.0.join("made").is_dir(), "the host's directory is made");
    let volume = bench.engine.inspect_volume(&format!("{}_data", bench.name)).await.unwrap();
    assert_eq!(volume.spec.labels["keep"], "yes");
    assert_eq!(bench.sh("web", "id -u; touch /data/x /scratch/x && echo writable").await.1, "1000\nwritable");

    let (plan, _, _) = bench.plan(text).await.unwrap();
    assert!(plan.changes_nothing(), "{}", plan.render());
    bench.down(true).await;
}

/// Passes connections on to the engine's socket until the task is aborted; then all of them break.
async fn proxy() -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let mut open = tokio::task::JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            open.spawn(async move {
                let mut engine = tokio::net::UnixStream::connect("/var/run/docker.sock").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut engine).await;
            });
        }
    });
    (address, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_goes_away_ends_the_run_with_its_name_and_the_next_converges() {
    let Some(bench) = Bench::new("gone").await else { return };
    for delay in [150, 500, 1000] {
        let (address, task) = proxy().await;
        let scratch = Scratch(bench.scratch.0.clone());
        let engine = Engine::connect_to(&address).await.unwrap();
        let remote = Bench { engine, name: bench.name.clone(), scratch };
        let running = remote.up(CHAIN);
        let cut = async {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            task.abort();
        };
        let both = tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(running, cut).0 });
        let outcome = both.await.expect("the run ends although the engine does not answer");
        std::mem::forget(remote);
        match outcome {
            Ok((_, outcome)) => {
                assert!(!outcome.is_success());
                let reason = &outcome.failures[0].reason;
                assert!(reason.contains("connection to the engine broke"), "{delay} ms: {reason}");
            }
            Err(error) => {
                assert!(error.to_string().contains("connection to the engine broke"), "{delay} ms: {error}");
            }
        }
        bench.up_well(CHAIN).await;
        let gone = bench.down(true).await;
        assert!(gone.is_success(), "{delay} ms: {:#?}", gone.failures);
        assert_eq!(bench.left().await, (0, 0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_is_made_anew_is_prepared_anew_once() {
    let Some(bench) = Bench::new("data").await else { return };
    let text = r#"
services:
  db:
    image: IMAGE
    init: true
    stop_grace_period: 1s
    command: [sleep, "1000"]
    volumes: [data:/data]
  migrate:
    image: IMAGE
    command: [sh, -c, "echo run"]
    depends_on: [db]
  web:
    image: IMAGE
    init: true
    stop_grace_period: 1s
    command: [sleep, "1000"]
    depends_on: { migrate: { condition: service_completed_successfully } }
volumes: { data: {} }
"#;
    bench.up_well(text).await;
    assert!(bench.plan(text).await.unwrap().0.is_empty());
    bench.engine.remove_container(&format!("{}-db-1", bench.name), true, true).await.unwrap();
    bench.engine.remove_volume(&format!("{}_data", bench.name)).await.unwrap();
    let (plan, _) = bench.up_well(text).await;
    assert!(plan.render().contains("_data is newer than its success"), "{}", plan.render());
    let (plan, _, _) = bench.plan(text).await.unwrap();
    assert!(plan.is_empty(), "{}", plan.render());
    bench.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_takes_long_is_told_of() {
    let Some(bench) = Bench::new("long").await else { return };
    let text = "services:\n  job: { image: IMAGE, command: [sh, -c, 'echo 3 of 7; sleep 11'] }\n  \
                app: { image: IMAGE, init: true, stop_grace_period: 1s, command: [sleep, '1000'], \
                depends_on: { job: { condition: service_completed_successfully } } }\n";
    let (plan, _, files) = bench.plan(text).await.unwrap();
    let options = RunOptions { state: bench.state(), ..RunOptions::default() };
    let mut told = Vec::new();
    let mut hear = |progress: Progress<'_>| {
        if let Progress::Told(_, text) = progress {
            told.push(text.to_owned());
        }
    };
    let outcome = run(&bench.engine, &plan, &files, &options, &mut hear).await;
    assert!(outcome.is_success(), "{:#?}", outcome.failures);
    let one = told.iter().filter(|text| text.contains("after 10 s it still runs")).count();
    assert!(one == 1 && told.iter().any(|text| text.ends_with("3 of 7")), "{told:?}");
    bench.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_asked_for_and_came_late_is_no_obstacle() {
    let Some(bench) = Bench::new("late").await else { return };
    let text = "services: { web: { image: IMAGE, init: true, stop_grace_period: 1s, command: [sleep, '1000'], networks: [n] } }\nnetworks: { n: {} }";
    // after the picture was taken, the engine carries out what was asked before
    let (plan, _, files) = bench.plan(text).await.unwrap();
    for step in &plan.steps {
        match &step.op {
            Op::CreateNetwork { spec } => drop(bench.engine.create_network(spec).await.unwrap()),
            Op::CreateContainer { spec } => drop(bench.engine.create_container(spec).await.unwrap()),
            _ => {}
        }
    }
    let options = RunOptions { state: bench.state(), ..RunOptions::default() };
    let outcome = run(&bench.engine, &plan, &files, &options, &mut |_| {}).await;
    assert!(outcome.is_success(), "{:#?}", outcome.failures);
    assert!(bench.plan(text).await.unwrap().0.is_empty());
    assert!(bench.down(true).await.is_success());
    assert_eq!(bench.left().await, (0, 0, 0));
}
