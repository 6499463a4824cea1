//! The calls against a real engine.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::{collections::BTreeMap, io, time::Duration};

use futures_util::StreamExt as _;
use plimsoll_engine::{
    Attachment, ContainerSpec, Engine, EngineError, EventFilter, ExecSpec, Health, HealthSpec, LoadError,
    LogOptions, MountKind, MountSpec, NetworkSpec, PortSpec, Resources, RunState, Stream, VolumeSpec,
};

fn spec(name: &str, script: &str) -> ContainerSpec {
    ContainerSpec {
        name: format!("plimsoll-test-engine-{name}"),
        image: support::IMAGE.into(),
        command: Some(vec!["sh".into(), "-c".into(), script.into()]),
        labels: labels(),
        network_mode: Some("none".into()),
        stop_grace: Some(1),
        ..ContainerSpec::default()
    }
}

fn labels() -> BTreeMap<String, String> {
    [("plimsoll-test".to_owned(), "1".to_owned())].into()
}

async fn fresh(engine: &Engine, spec: &ContainerSpec) -> String {
    let _ = engine.remove_container(&spec.name, true, true).await;
    engine.create_container(spec).await.unwrap()
}

#[tokio::test]
async fn facts_are_those_of_this_host() {
    let Some(engine) = support::engine().await else { return };
    let facts = engine.facts().await.unwrap();
    assert_eq!(facts.cpus as usize, std::thread::available_parallelism().unwrap().get());
    assert!(facts.memory > 1 << 28, "{facts:?}");
    assert!([1, 2].contains(&facts.cgroup_version));
    assert!(facts.security.iter().any(|option| option == "seccomp"), "{facts:?}");
    assert!(!facts.version.is_empty() && !facts.storage_driver.is_empty());
}

#[tokio::test]
async fn the_whole_life_of_a_container() {
    let Some(engine) = support::engine().await else { return };
    let mut spec =
        spec("life", "echo out; echo err >&2; trap 'exit 3' TERM; while true; do sleep 0.05; done");
    spec.read_only = true;
    spec.user = Some("1000:1000".into());
    spec.cap_drop = vec!["ALL".into()];
    spec.security_opt = vec!["no-new-privileges:true".into()];
    spec.tmpfs = [("/scratch".to_owned(), "uid=1000,gid=1000,mode=0700,size=1m".to_owned())].into();
    spec.resources = Resources {
        memory: Some(32 << 20),
        nano_cpus: Some(500_000_000),
        pids: Some(16),
        ..Resources::default()
    };
    spec.health = Some(HealthSpec {
        test: vec!["CMD".into(), "true".into()],
        interval: Some(1_000_000_000),
        start_interval: Some(100_000_000),
        ..HealthSpec::default()
    });
    let id = fresh(&engine, &spec).await;
    let mut events =
        engine.events(&EventFilter { labels: vec![support::LABEL.into()], since: None, until: None });
    assert_eq!(engine.inspect_container(&id).await.unwrap().state, RunState::Created);
    engine.start_container(&id).await.unwrap();

    let run = |command: &str| ExecSpec {
        command: vec!["sh".into(), "-c".into(), command.into()],
        ..ExecSpec::default()
    };
    let second = Duration::from_secs(10);
    let done = engine.exec(&id, &run("id -u; echo e >&2; exit 7"), second).await.unwrap();
    assert_eq!(
        (done.exit_code, done.stdout.as_slice(), done.stderr.as_slice()),
        (7, &b"1000\n"[..], &b"e\n"[..])
    );
    assert_ne!(engine.exec(&id, &run("touch /x"), second).await.unwrap().exit_code, 0);
    assert_eq!(engine.exec(&id, &run("touch /scratch/x"), second).await.unwrap().exit_code, 0);
    let status = engine.exec(&id, &run("cat /proc/1/status"), second).await.unwrap().text();
    assert!(status.contains("CapEff:\t0000000000000000") && status.contains("NoNewPrivs:\t1"), "{status}");
    let slow = engine.exec(&id, &run("sleep 5"), Duration::from_millis(300)).await;
    assert!(matches!(slow, Err(EngineError::Timeout { .. })));

    let usage = engine.usage(&id).await.unwrap();
    assert_eq!(usage.memory_limit, 32 << 20);
    let (titles, rows) = engine.top(&id, "pid,uid,args").await.unwrap();
    assert_eq!(titles.len(), 3);
    assert!(rows.iter().any(|row| row[1] == "1000"), "{rows:?}");

    engine.pause_container(&id).await.unwrap();
    let listed = engine.containers_labelled(&[support::LABEL.into()]).await.unwrap();
    assert_eq!(listed.iter().find(|found| found.id == id).unwrap().state, RunState::Paused);
    engine.unpause_container(&id).await.unwrap();
    let healthy = async {
        loop {
            let event = events.next().await.unwrap().unwrap();
            if event.id == id && event.action == "health_status: healthy" {
                break;
            }
            assert!(!event.action.starts_with("exec_"), "{event:?}");
        }
    };
    tokio::time::timeout(second, healthy).await.expect("healthy within the limit");
    let listed = engine.containers_labelled(&[support::LABEL.into()]).await.unwrap();
    assert_eq!(listed.iter().find(|found| found.id == id).unwrap().health, Health::Healthy);

    engine.rename_container(&id, "plimsoll-test-engine-life2").await.unwrap();
    engine.stop_container(&id, None).await.unwrap();
    let end = engine.inspect_container("plimsoll-test-engine-life2").await.unwrap();
    assert_eq!((end.state, end.exit_code), (RunState::Exited, 3));
    let lines = engine.last_lines(&id, 20).await.unwrap();
    let text = |stream| {
        lines.iter().filter(|line| line.stream == stream).map(|line| line.text.as_str()).collect::<Vec<_>>()
    };
    assert_eq!((text(Stream::Stdout), text(Stream::Stderr)), (vec!["out"], vec!["err"]));
    engine.remove_container(&id, false, true).await.unwrap();
    assert!(engine.inspect_container(&id).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn wait_gives_any_exit_code_and_follow_ends_with_the_container() {
    let Some(engine) = support::engine().await else { return };
    let id = fresh(&engine, &spec("wait", "echo a; sleep 0.3; echo b; exit 42")).await;
    engine.start_container(&id).await.unwrap();
    let followed = engine.logs(&id, &LogOptions { follow: true, ..LogOptions::default() });
    let lines: Vec<String> = followed.map(|line| line.unwrap().text).collect().await;
    assert_eq!(lines, ["a", "b"]);
    assert_eq!(engine.wait_container(&id).await.unwrap(), 42);
    engine.remove_container(&id, true, true).await.unwrap();
}

#[tokio::test]
async fn what_the_engine_removes_is_waited_for_and_remembered() {
    let Some(engine) = support::engine().await else { return };
    let spec = ContainerSpec { auto_remove: true, ..spec("fleeting", "sleep 0.3; exit 42") };
    let id = fresh(&engine, &spec).await;
    let listed = engine.containers_labelled(&[support::LABEL.into()]).await.unwrap();
    let created = listed.iter().find(|found| found.id == id).unwrap().created;
    engine.start_container(&id).await.unwrap();
    assert_eq!(engine.wait_removed(&id).await.unwrap(), 42);
    assert!(engine.wait_container(&id).await.unwrap_err().is_not_found());
    // its end is among the events since it was made
    let mut events = engine.events(&EventFilter { since: Some(created), ..EventFilter::default() });
    let end = async {
        loop {
            let event = events.next().await.unwrap().unwrap();
            if event.id == id && event.action == "die" {
                break event.exit_code();
            }
        }
    };
    let code = tokio::time::timeout(Duration::from_secs(5), end).await;
    assert_eq!(code.expect("its end within the limit"), Some(42));
}

#[tokio::test]
async fn networks_volumes_and_archives() {
    let Some(engine) = support::engine().await else { return };
    let network = NetworkSpec {
        name: "plimsoll-test-engine-net".into(),
        internal: true,
        labels: labels(),
        ..NetworkSpec::default()
    };
    let volume =
        VolumeSpec { name: "plimsoll-test-engine-vol".into(), labels: labels(), ..VolumeSpec::default() };
    let mut spec = spec("net", "sleep 30");
    let _ = engine.remove_container(&spec.name, true, true).await;
    let _ = engine.remove_network(&network.name).await;
    let _ = engine.remove_volume(&volume.name).await;

    engine.create_network(&network).await.unwrap();
    assert!(matches!(engine.create_network(&network).await, Err(EngineError::Conflict { .. })));
    engine.create_volume(&volume).await.unwrap();
    assert!(
        engine
            .networks(&[support::LABEL.into()])
            .await
            .unwrap()
            .iter()
            .any(|found| found.spec.internal && found.spec.name == network.name)
    );

    spec.network_mode = None;
    spec.networks = vec![Attachment {
        network: network.name.clone(),
        aliases: vec!["db".into()],
        ..Attachment::default()
    }];
    spec.mounts = vec![MountSpec {
        target: "/missing/here".into(),
        read_only: false,
        kind: MountKind::Volume {
            name: Some(volume.name.clone()),
            no_copy: false,
            subpath: None,
            labels: std::collections::BTreeMap::new(),
        },
    }];
    let id = engine.create_container(&spec).await.unwrap();
    let first = engine.read_archive(&id, "/missing/here").next().await.unwrap().unwrap();
    let header = tar::Archive::new(io::Cursor::new(first));
    let mut header = header;
    let entry = header.entries().unwrap().next().unwrap().unwrap();
    assert_eq!((entry.header().uid().unwrap(), entry.header().entry_type().is_dir()), (0, true));

    engine.start_container(&id).await.unwrap();
    let listed = engine.containers_labelled(&[support::LABEL.into()]).await.unwrap();
    let listed = listed.iter().find(|found| found.id == id).unwrap();
    assert_eq!(listed.volumes["/missing/here"], volume.name);
    assert!(listed.networks.contains_key(&network.name));
    assert!(matches!(engine.remove_volume(&volume.name).await, Err(EngineError::Conflict { .. })));
    engine.remove_container(&id, true, true).await.unwrap();
    engine.remove_network(&network.name).await.unwrap();
    engine.remove_volume(&volume.name).await.unwrap();
}

#[tokio::test]
async fn a_taken_port_and_a_taken_name_are_errors_of_their_own() {
    let Some(engine) = support::engine().await else { return };
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let network =
        NetworkSpec { name: "plimsoll-test-engine-port".into(), labels: labels(), ..NetworkSpec::default() };
    let mut spec = spec("port", "sleep 30");
    let _ = engine.remove_container(&spec.name, true, true).await;
    let _ = engine.remove_network(&network.name).await;
    engine.create_network(&network).await.unwrap();
    spec.network_mode = None;
    spec.networks = vec![Attachment { network: network.name.clone(), ..Attachment::default() }];
    spec.ports = vec![PortSpec {
        container: 80,
        protocol: "tcp".into(),
        host_ip: String::new(),
        host: port.to_string(),
    }];
    let id = engine.create_container(&spec).await.unwrap();
    match engine.start_container(&id).await {
        Err(EngineError::PortTaken { port: found, .. }) => assert_eq!(found, port),
        other => panic!("{other:?}"),
    }
    match engine.create_container(&spec).await {
        Err(EngineError::NameTaken { name, .. }) => assert_eq!(name, spec.name),
        other => panic!("{other:?}"),
    }
    engine.remove_container(&id, true, true).await.unwrap();
    engine.remove_network(&network.name).await.unwrap();
}

#[tokio::test]
async fn a_load_that_the_engine_or_the_producer_refuses_is_an_error() {
    let Some(engine) = support::engine().await else { return };
    let garbage = engine.load_with(|out| out.write_all(&[b'x'; 4096])).await;
    assert!(matches!(garbage, Err(LoadError::Engine(_))), "{garbage:?}");
    let broken = engine.load_with(|_| Err(io::Error::other("the disk broke"))).await;
    assert_eq!(broken.unwrap_err().to_string(), "cannot write the image's archive: the disk broke");

    let image = engine.inspect_image(support::IMAGE).await.unwrap();
    assert_eq!((image.diff_ids.len(), image.labels["plimsoll-test"].as_str()), (1, "1"));
    engine.tag_image(&image.id, "plimsoll-test/renamed:2").await.unwrap();
    let exported: Vec<_> = engine.export_image("plimsoll-test/renamed:2").collect().await;
    assert!(exported.iter().map(|piece| piece.as_ref().unwrap().len()).sum::<usize>() > 1 << 20);
    engine.remove_image("plimsoll-test/renamed:2", false).await.unwrap();
    assert!(engine.inspect_image("plimsoll-test/renamed:2").await.unwrap_err().is_not_found());
    assert!(
        engine.images(&["plimsoll-test=1".into()]).await.unwrap().iter().any(|found| found.id == image.id)
    );
    assert!(engine.disk_usage().await.unwrap().images > 1 << 20);
    let raw = engine.inspect_image_raw(support::IMAGE).await.unwrap();
    assert_eq!(raw["Id"], image.id.as_str());
}

/// Passes a TCP connection on to the engine's socket, and remembers the first line of each request.
async fn proxy(seen: std::sync::Arc<std::sync::Mutex<Vec<String>>>) -> u16 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let seen = std::sync::Arc::clone(&seen);
            tokio::spawn(async move {
                let mut head = vec![0; 16 * 1024];
                let length = client.read(&mut head).await.unwrap();
                let line =
                    String::from_utf8_lossy(&head[..length]).lines().next().unwrap_or_default().to_owned();
                seen.lock().unwrap().push(line);
                let mut engine = tokio::net::UnixStream::connect("/var/run/docker.sock").await.unwrap();
                engine.write_all(&head[..length]).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut engine).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_carries_the_version_also_over_tcp_and_in_upgrades() {
    let Some(local) = support::engine().await else { return };
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let port = proxy(seen.clone()).await;
    let engine = Engine::connect_to(&format!("tcp://127.0.0.1:{port}")).await.unwrap();
    assert!(local.is_local() && !engine.is_local());
    let id = fresh(&engine, &spec("tcp", "sleep 30")).await;
    engine.start_container(&id).await.unwrap();
    let echo = ExecSpec { command: vec!["echo".into(), "hello".into()], ..ExecSpec::default() };
    assert_eq!(engine.exec(&id, &echo, Duration::from_secs(10)).await.unwrap().stdout, b"hello\n");
    engine.inspect_container_raw(&id).await.unwrap();
    engine.remove_container(&id, true, true).await.unwrap();

    let seen = seen.lock().unwrap().clone();
    let (first, rest) = seen.split_first().unwrap();
    assert_eq!(first, "GET /version HTTP/1.1");
    let prefix = format!(" /v{}/", engine.api());
    assert!(rest.len() >= 7 && rest.iter().all(|line| line.contains(&prefix)), "{seen:#?}");
}
