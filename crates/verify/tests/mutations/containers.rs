//! Which containers are looked at: jobs that have ended, one-off runs, orphans, strangers, each replica.

use plimsoll_engine::{ContainerSpec, MountKind, MountSpec, PortSpec};

use crate::{
    rows,
    stand::{Row, failed, proved},
};

/// A bind mount of the host's root.
fn host_root() -> MountSpec {
    MountSpec {
        target: "/hostfs".into(),
        read_only: true,
        kind: MountKind::Bind {
            source: "/".into(),
            propagation: None,
            create: false,
            selinux: None,
            recursive: None,
        },
    }
}

rows! {
    /// A migration that ran as root with the host's directory and the engine's socket: only the engine's description of
    /// it is left.
    one_shot_with_all_rights: Row {
        over: r#"
services:
  job:
    user: "0:0"
    read_only: false
    cap_add: [SYS_ADMIN]
    pid: host
    security_opt: !override ["seccomp=unconfined"]
    volumes: ["/:/hostfs:ro", "/var/run/docker.sock:/var/run/docker.sock"]
    deploy: !reset {}
"#,
        claims: &[
            failed("process-user", "job"),
            failed("seccomp", "job"),
            failed("no-new-privileges", "job"),
            failed("read-only-root", "job"),
            failed("host-isolation", "job"),
            failed("memory-limit", "job"),
            failed("cpu-limit", "job"),
            failed("pids-limit", "job"),
            proved("process-user", "store"),
        ],
        ..Row::RIGHT
    };
    /// The same for a capability that the file does not declare of the one that ran: it was privileged.
    one_shot_that_was_privileged: Row {
        over: "services: { job: { privileged: true } }",
        claims: &[failed("capabilities", "job"), failed("seccomp", "job"), failed("host-isolation", "job")],
        ..Row::RIGHT
    };
    /// A right job of another look: a named user, a capability that is declared, the old spelling of limits.
    one_shot_with_a_named_user: Row {
        over: r"
services:
  job: { user: app, cap_add: [CHOWN], deploy: !reset {}, mem_limit: 16m, memswap_limit: 16m, cpus: 0.25, pids_limit: 16 }
",
        claims: &[
            proved("process-user", "job"),
            proved("capabilities", "job"),
            proved("seccomp", "job"),
            proved("no-new-privileges", "job"),
            proved("read-only-root", "job"),
            proved("host-isolation", "job"),
            proved("memory-limit", "job"),
            proved("cpu-limit", "job"),
            proved("pids-limit", "job"),
            proved("capabilities", "backend"),
        ],
        ..Row::RIGHT
    };
    /// A container in a loop of crashes runs in between: its rights count at every moment.
    a_crash_loop_as_root: Row {
        over: r#"
services:
  looping: { image: IMAGE, user: "0", command: [sh, -c, "sleep 0.2; exit 3"], restart: always, networks: [data], depends_on: { front: { condition: service_healthy } } }
"#,
        claims: &[failed("process-user", "looping"), failed("capabilities", "looping"), failed("services-running", "looping")],
        ..Row::RIGHT
    };
    /// `run -d` with the host's root, as root, with a port: a one-off container is part of what runs.
    one_off_containers: Row {
        act: |stand| Box::pin(async move {
            let spec = ContainerSpec {
                user: Some("0".into()),
                mounts: vec![host_root()],
                ports: vec![PortSpec { container: 8080, protocol: "tcp".into(), host_ip: "127.0.0.1".into(), host: String::new() }],
                labels: stand.one_off("front"),
                ..ContainerSpec::default()
            };
            stand.beside("front-run-1", &["edge"], spec).await;
        }),
        claims: &[
            failed("process-user", "{project}-front-run-1"),
            failed("host-isolation", "{project}-front-run-1"),
            failed("published-ports", "{project}-front-run-1"),
            proved("process-user", "front"),
        ],
        ..Row::RIGHT
    };
    /// What an older file left running.
    an_orphan_as_root: Row {
        act: |stand| Box::pin(async move {
            let mut labels = stand.one_off("gone");
            labels.insert("com.docker.compose.oneoff".into(), "False".into());
            stand.beside("gone-1", &["data"], ContainerSpec { labels, ..ContainerSpec::default() }).await;
        }),
        claims: &[failed("process-user", "{project}-gone-1")],
        ..Row::RIGHT
    };
    /// Somebody else's container on the network of the stores.
    stranger_on_the_data_network: Row {
        act: |stand| Box::pin(async move {
            stand.beside("stranger", &["data"], ContainerSpec::default()).await;
        }),
        claims: &[failed("network-members", "network {project}_data"), proved("network-members", "network {project}_inner")],
        ..Row::RIGHT
    };
    /// Somebody else in the network namespace of the store, without an endpoint of their own.
    stranger_in_a_namespace: Row {
        act: |stand| Box::pin(async move {
            let network_mode = Some(format!("container:{}", stand.container("store")));
            stand.beside("stranger", &[], ContainerSpec { network_mode, ..ContainerSpec::default() }).await;
        }),
        claims: &[failed("network-members", "stack")],
        ..Row::RIGHT
    };
    /// Somebody else with the store's data.
    stranger_on_a_volume: Row {
        act: |stand| Box::pin(async move {
            let mounts = vec![MountSpec {
                target: "/data".into(),
                read_only: true,
                kind: MountKind::Volume {
                    name: Some(format!("{}_data", stand.name)),
                    no_copy: true,
                    subpath: None,
                    labels: Default::default(),
                },
            }];
            stand.beside("stranger", &[], ContainerSpec { mounts, ..ContainerSpec::default() }).await;
        }),
        claims: &[failed("network-members", "stack")],
        ..Row::RIGHT
    };
    /// Two replicas and a network by another name are no strangers.
    replicas_are_no_strangers: Row {
        over: r#"
services:
  backend: { scale: 2 }
networks:
  data: { name: "plimsoll-test-mutant-own-name", internal: true }
"#,
        claims: &[
            proved("network-members", "network plimsoll-test-mutant-own-name"),
            proved("network-members", "stack"),
            proved("process-user", "{project}-backend-2"),
        ],
        ..Row::RIGHT
    };
    /// Commands start in the store all the time: each of them is the runtime's process first, with all of its rights.
    a_probe_that_is_just_starting: Row {
        over: "services: { store: { stop_grace_period: 2s } }",
        act: |stand| Box::pin(async move {
            let (engine, store) = (stand.engine.clone(), stand.container("store"));
            tokio::spawn(async move {
                let command = vec!["true".to_owned()];
                let spec = plimsoll_engine::ExecSpec { command, ..Default::default() };
                while engine.exec(&store, &spec, std::time::Duration::from_secs(5)).await.is_ok() {}
            });
        }),
        claims: &[
            proved("process-user", "store"),
            proved("capabilities", "store"),
            proved("no-new-privileges", "store"),
            proved("seccomp", "store"),
        ],
        ..Row::RIGHT
    };
    /// A root process that stays is found in every look.
    a_forgotten_session: Row {
        act: |stand| Box::pin(async move {
            let (engine, store) = (stand.engine.clone(), stand.container("store"));
            tokio::spawn(async move {
                let command = ["sleep", "600"].map(str::to_owned).to_vec();
                let spec = plimsoll_engine::ExecSpec { command, user: Some("0".into()), ..Default::default() };
                let _ = engine.exec(&store, &spec, std::time::Duration::from_mins(10)).await;
            });
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }),
        claims: &[failed("process-user", "store")],
        ..Row::RIGHT
    };
    /// One of two replicas serves something else: half of the users get it.
    one_replica_is_broken: Row {
        over: r#"
services:
  backend:
    scale: 2
    command: !override [sh, -c, "busybox mkdir -p /tmp/site && echo whole > /tmp/site/page && exec busybox httpd -f -p 8080 -h /tmp/site"]
    tmpfs: ["/tmp:uid=1000,gid=1000,mode=0700,size=1m"]
    healthcheck: { test: !override [CMD-SHELL, "busybox printf 'GET /page HTTP/1.0\\r\\n\\r\\n' | busybox timeout 1 busybox nc 127.0.0.1 8080 | busybox grep -q '200 OK'"] }
"#,
        act: |stand| Box::pin(async move {
            let command = ["sh", "-c", "echo broken > /tmp/site/page"].map(str::to_owned).to_vec();
            let spec = plimsoll_engine::ExecSpec { command, ..Default::default() };
            let second = format!("{}-backend-2", stand.name);
            stand.engine.exec(&second, &spec, std::time::Duration::from_secs(5)).await.unwrap();
        }),
        options: |options| {
            let text = "[[check]]\nname = 'page'\nrequest = 'GET /page'\nat = 'backend:8080'\nexpect = { status = 200, body = 'whole' }\n";
            let source = plimsoll_source::Source::new("smoke.toml", text);
            options.smoke = Some(plimsoll_verify::smoke::SmokeFile::parse(&source).unwrap());
        },
        claims: &[failed("smoke/page", "{project}-backend-2"), proved("smoke/page", "{project}-backend-1")],
        ..Row::RIGHT
    };
}
