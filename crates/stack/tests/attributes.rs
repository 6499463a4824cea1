//! Every attribute of a Compose service, and what becomes of it: a field of the engine's own answer, a step of the plan,
//! a note, a refusal, or somebody else's business. The table names all of them, so that none is dropped in silence.
#![allow(clippy::unwrap_used, reason = "a test")]

mod bench;
#[path = "../../engine/tests/support/mod.rs"]
mod busybox;
mod support;

use std::collections::BTreeMap;

use bench::Bench;
use plimsoll_engine::EngineFacts;
use plimsoll_stack::{Context, StackFiles, desired, labels};
use serde_json::Value;

/// What an attribute leads to.
enum Becomes {
    /// These places in the engine's inspection have these values. Objects need only contain what is given.
    Engine(&'static [(&'static str, &'static str)]),
    /// The plan says this.
    Plan(&'static str),
    /// A note that contains this.
    Note(&'static str),
    /// A refusal that contains this.
    Refused(&'static str),
    /// It is for the loader, the builder or a person: the reason.
    Elsewhere(&'static str),
}

use Becomes::{Elsewhere, Engine, Note, Plan, Refused};

/// Attribute, a value in flow style, what it becomes.
const TABLE: &[(&str, &str, Becomes)] = &[
    ("annotations", "{ a: b }", Note("annotations need Docker Engine 24")),
    ("attach", "false", Elsewhere("`up --attach` shows logs")),
    (
        "blkio_config",
        "{ weight: 300, weight_device: [{ path: /dev/vda, weight: 200 }], device_read_bps: [{ path: /dev/vda, rate: 1m }], device_read_iops: [{ path: /dev/vda, rate: 100 }], device_write_bps: [{ path: /dev/vda, rate: 2m }], device_write_iops: [{ path: /dev/vda, rate: 50 }] }",
        Engine(&[
            ("/HostConfig/BlkioDeviceReadBps", r#"[{"Path":"/dev/vda","Rate":1048576}]"#),
            ("/HostConfig/BlkioDeviceReadIOps", r#"[{"Path":"/dev/vda","Rate":100}]"#),
            ("/HostConfig/BlkioDeviceWriteBps", r#"[{"Path":"/dev/vda","Rate":2097152}]"#),
            ("/HostConfig/BlkioDeviceWriteIOps", r#"[{"Path":"/dev/vda","Rate":50}]"#),
        ]),
    ),
    ("build", "{ context: . }", Elsewhere("plimsoll build")),
    ("cap_add", "[NET_ADMIN]", Engine(&[("/HostConfig/CapAdd", r#"["NET_ADMIN"]"#)])),
    ("cap_drop", "[ALL]", Engine(&[("/HostConfig/CapDrop", r#"["ALL"]"#)])),
    ("cgroup", "host", Engine(&[("/HostConfig/CgroupnsMode", r#""host""#)])),
    ("cgroup_parent", "/plimsoll-test", Engine(&[("/HostConfig/CgroupParent", r#""/plimsoll-test""#)])),
    ("command", "[sleep, '9']", Engine(&[("/Config/Cmd", r#"["sleep","9"]"#)])),
    ("configs", "[motd]", Engine(&[("/Mounts/0", r#"{"Destination":"/motd","RW":false,"Type":"bind"}"#)])),
    (
        "container_name",
        "plimsoll-test-attribute-name",
        Engine(&[("/Name", r#""/plimsoll-test-attribute-name""#)]),
    ),
    ("cpu_count", "2", Note("exist only on Windows")),
    ("cpu_percent", "50", Note("exist only on Windows")),
    ("cpu_period", "50000", Engine(&[("/HostConfig/CpuPeriod", "50000")])),
    ("cpu_quota", "20000", Engine(&[("/HostConfig/CpuQuota", "20000")])),
    (
        "cpu_rt_period",
        "'1000000us'",
        Elsewhere("tests/translate: kernels without real-time groups refuse it"),
    ),
    (
        "cpu_rt_runtime",
        "'950000us'",
        Elsewhere("tests/translate: kernels without real-time groups refuse it"),
    ),
    ("cpu_shares", "512", Engine(&[("/HostConfig/CpuShares", "512")])),
    ("cpus", "0.5", Engine(&[("/HostConfig/NanoCpus", "500000000")])),
    ("cpuset", "'0'", Engine(&[("/HostConfig/CpusetCpus", r#""0""#)])),
    ("credential_spec", "{ file: spec.json }", Refused("exists only on Windows")),
    ("depends_on", "[other]", Plan("start NAME-service-1 after")),
    (
        "deploy",
        "{ replicas: 1, resources: { limits: { cpus: '0.25', memory: 32m, pids: 20 }, reservations: { memory: 16m, devices: [{ driver: none, capabilities: [tpu], count: 1 }] } }, restart_policy: { condition: on-failure, max_attempts: 2 } }",
        Engine(&[
            ("/HostConfig/NanoCpus", "250000000"),
            ("/HostConfig/Memory", "33554432"),
            ("/HostConfig/PidsLimit", "20"),
            ("/HostConfig/MemoryReservation", "16777216"),
            ("/HostConfig/RestartPolicy", r#"{"Name":"on-failure","MaximumRetryCount":2}"#),
            ("/HostConfig/DeviceRequests/0", r#"{"Driver":"none","Count":1,"Capabilities":[["tpu"]]}"#),
        ]),
    ),
    ("develop", "{ watch: [{ path: ., action: rebuild }] }", Elsewhere("for development tools that watch")),
    ("device_cgroup_rules", "['c 1:3 mr']", Engine(&[("/HostConfig/DeviceCgroupRules", r#"["c 1:3 mr"]"#)])),
    (
        "devices",
        "['/dev/null:/dev/x:r']",
        Engine(&[(
            "/HostConfig/Devices/0",
            r#"{"PathOnHost":"/dev/null","PathInContainer":"/dev/x","CgroupPermissions":"r"}"#,
        )]),
    ),
    ("dns", "[10.0.0.53]", Engine(&[("/HostConfig/Dns", r#"["10.0.0.53"]"#)])),
    ("dns_opt", "['ndots:2']", Engine(&[("/HostConfig/DnsOptions", r#"["ndots:2"]"#)])),
    ("dns_search", "[example.test]", Engine(&[("/HostConfig/DnsSearch", r#"["example.test"]"#)])),
    ("domainname", "example.test", Engine(&[("/Config/Domainname", r#""example.test""#)])),
    ("entrypoint", "[sleep]", Engine(&[("/Config/Entrypoint", r#"["sleep"]"#)])),
    ("env_file", "[{ path: ./nowhere, required: false }]", Elsewhere("the loader reads it into environment")),
    ("environment", "{ A: b }", Engine(&[("/Config/Env/0", r#""A=b""#)])),
    ("expose", "['9000-9001/udp']", Engine(&[("/Config/ExposedPorts", r#"{"9000/udp":{},"9001/udp":{}}"#)])),
    ("extends", "{ service: other }", Elsewhere("the loader resolves it")),
    (
        "external_links",
        "['elsewhere:friend']",
        Engine(&[("/NetworkSettings/Networks/NAME_default/Links", r#"["elsewhere:friend"]"#)]),
    ),
    (
        "extra_hosts",
        "['gate=host-gateway', 'v6=::1']",
        Engine(&[("/HostConfig/ExtraHosts", r#"["gate:host-gateway","v6:::1"]"#)]),
    ),
    (
        "gpus",
        "[{ count: 2, driver: nvidia, options: { a: b } }]",
        Engine(&[(
            "/HostConfig/DeviceRequests/0",
            r#"{"Driver":"nvidia","Count":2,"Capabilities":[["gpu"]],"Options":{"a":"b"}}"#,
        )]),
    ),
    ("group_add", "['44', staff]", Engine(&[("/HostConfig/GroupAdd", r#"["44","staff"]"#)])),
    (
        "healthcheck",
        "{ test: [CMD, 'true'], interval: 7s, timeout: 3s, retries: 4, start_period: 5s }",
        Engine(&[(
            "/Config/Healthcheck",
            r#"{"Test":["CMD","true"],"Interval":7000000000,"Timeout":3000000000,"StartPeriod":5000000000,"Retries":4}"#,
        )]),
    ),
    ("hostname", "front", Engine(&[("/Config/Hostname", r#""front""#)])),
    ("image", "IMAGE", Engine(&[("/Config/Labels", r#"{"org.plimsoll.image":"IMAGE"}"#)])),
    ("init", "true", Engine(&[("/HostConfig/Init", "true")])),
    ("ipc", "shareable", Engine(&[("/HostConfig/IpcMode", r#""shareable""#)])),
    ("isolation", "hyperv", Refused("exist only on Windows")),
    ("label_file", "[]", Elsewhere("the loader reads it into labels")),
    ("labels", "{ a: b }", Engine(&[("/Config/Labels", r#"{"a":"b"}"#)])),
    (
        "links",
        "['other:friend']",
        Engine(&[(
            "/NetworkSettings/Networks/NAME_default/Links",
            r#"["NAME-other-1:friend","NAME-other-1:other-1"]"#,
        )]),
    ),
    (
        "logging",
        "{ driver: json-file, options: { max-size: 1m } }",
        Engine(&[("/HostConfig/LogConfig", r#"{"Type":"json-file","Config":{"max-size":"1m"}}"#)]),
    ),
    (
        "mac_address",
        "'02:42:ac:11:65:43'",
        Engine(&[("/NetworkSettings/Networks/NAME_default/MacAddress", r#""02:42:ac:11:65:43""#)]),
    ),
    ("mem_limit", "64m", Engine(&[("/HostConfig/Memory", "67108864")])),
    ("mem_reservation", "32m", Engine(&[("/HostConfig/MemoryReservation", "33554432")])),
    ("mem_swappiness", "10", Engine(&[("/HostConfig/MemorySwappiness", "10")])),
    ("memswap_limit", "128m", Refused("needs a memory limit")),
    ("models", "[m]", Note("models are not provided")),
    ("network_mode", "none", Engine(&[("/HostConfig/NetworkMode", r#""none""#)])),
    (
        "networks",
        "{ default: { aliases: [x], driver_opts: { a: b }, interface_name: eth7, link_local_ips: [169.254.9.9] } }",
        Engine(&[
            (
                "/NetworkSettings/Networks/NAME_default/DriverOpts",
                r#"{"a":"b","com.docker.network.endpoint.ifname":"eth7"}"#,
            ),
            ("/NetworkSettings/Networks/NAME_default/IPAMConfig/LinkLocalIPs", r#"["169.254.9.9"]"#),
        ]),
    ),
    ("oom_kill_disable", "true", Engine(&[("/HostConfig/OomKillDisable", "true")])),
    ("oom_score_adj", "100", Engine(&[("/HostConfig/OomScoreAdj", "100")])),
    ("pid", "host", Engine(&[("/HostConfig/PidMode", r#""host""#)])),
    ("pids_limit", "30", Engine(&[("/HostConfig/PidsLimit", "30")])),
    ("platform", "linux/amd64", Elsewhere("a parameter of the create call, shown nowhere")),
    (
        "ports",
        "['127.0.0.1::80', '9/udp']",
        Engine(&[(
            "/HostConfig/PortBindings",
            r#"{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":""}],"9/udp":[{"HostIp":"","HostPort":""}]}"#,
        )]),
    ),
    ("post_start", "[{ command: [warm] }]", Plan("run `warm` in NAME-service-1")),
    ("pre_start", "[{ command: [prepare] }]", Plan("run NAME-service-1-pre-start-1 to its end")),
    (
        "pre_stop",
        "[{ command: [drain] }]",
        Engine(&[(
            "/Config/Labels",
            r#"{"org.plimsoll.hooks":"{\"pre_stop\":[{\"command\":[\"drain\"],\"user\":null,\"working_dir\":null,\"env\":[],\"privileged\":false}]}"}"#,
        )]),
    ),
    ("privileged", "true", Engine(&[("/HostConfig/Privileged", "true")])),
    ("profiles", "[p]", Elsewhere("the loader enables services by them")),
    ("provider", "{ type: model }", Refused("services without a container are not run")),
    ("pull_policy", "never", Elsewhere("images are brought by the cli")),
    ("pull_refresh_after", "1h", Elsewhere("images are brought by the cli")),
    ("read_only", "true", Engine(&[("/HostConfig/ReadonlyRootfs", "true")])),
    ("restart", "unless-stopped", Engine(&[("/HostConfig/RestartPolicy/Name", r#""unless-stopped""#)])),
    ("runtime", "runc", Engine(&[("/HostConfig/Runtime", r#""runc""#)])),
    ("scale", "1", Elsewhere("converge::replicas_come_and_go")),
    (
        "secrets",
        "[{ source: key, target: /etc/key }]",
        Engine(&[("/Mounts/0", r#"{"Destination":"/etc/key","RW":false,"Type":"bind"}"#)]),
    ),
    (
        "security_opt",
        "['no-new-privileges:true', 'seccomp:./profile.json']",
        Engine(&[(
            "/HostConfig/SecurityOpt",
            r#"["no-new-privileges:true","seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}"]"#,
        )]),
    ),
    ("shm_size", "8m", Engine(&[("/HostConfig/ShmSize", "8388608")])),
    ("stdin_open", "true", Engine(&[("/Config/OpenStdin", "true")])),
    ("stop_grace_period", "1500ms", Engine(&[("/Config/StopTimeout", "2")])),
    ("stop_signal", "SIGINT", Engine(&[("/Config/StopSignal", r#""SIGINT""#)])),
    ("storage_opt", "{ size: 1G }", Elsewhere("only some storage drivers take it; this one refuses")),
    (
        "sysctls",
        "{ net.core.somaxconn: 256 }",
        Engine(&[("/HostConfig/Sysctls", r#"{"net.core.somaxconn":"256"}"#)]),
    ),
    (
        "tmpfs",
        "['/scratch:uid=1000,mode=0700,size=1m']",
        Engine(&[("/HostConfig/Tmpfs", r#"{"/scratch":"uid=1000,mode=0700,size=1m"}"#)]),
    ),
    ("tty", "true", Engine(&[("/Config/Tty", "true")])),
    (
        "ulimits",
        "{ nofile: { soft: 10, hard: 20 }, nproc: 5 }",
        Engine(&[(
            "/HostConfig/Ulimits",
            r#"[{"Name":"nofile","Hard":20,"Soft":10},{"Name":"nproc","Hard":5,"Soft":5}]"#,
        )]),
    ),
    ("use_api_socket", "true", Refused("mount the socket as a volume")),
    ("user", "'1000:1000'", Engine(&[("/Config/User", r#""1000:1000""#)])),
    ("userns_mode", "host", Engine(&[("/HostConfig/UsernsMode", r#""host""#)])),
    ("uts", "host", Engine(&[("/HostConfig/UTSMode", r#""host""#)])),
    (
        "volumes",
        "['./in:/in:ro,z', { type: volume, target: /anon, volume: { nocopy: true, labels: { a: b } } }, { type: tmpfs, target: /mem, tmpfs: { size: 1m, mode: 448 } }, { type: bind, source: ., target: /here, bind: { propagation: rslave, recursive: disabled } }]",
        Engine(&[
            ("/HostConfig/Binds/0", r#""DIR/in:/in:ro,z""#),
            (
                "/HostConfig/Mounts/0",
                r#"{"Type":"volume","Target":"/anon","VolumeOptions":{"NoCopy":true,"Labels":{"a":"b"}}}"#,
            ),
            (
                "/HostConfig/Mounts/1",
                r#"{"Type":"tmpfs","Target":"/mem","TmpfsOptions":{"SizeBytes":1048576,"Mode":448}}"#,
            ),
        ]),
    ),
    (
        "volumes_from",
        "['other:ro', 'container:HOLDER']",
        Engine(&[("/HostConfig/VolumesFrom", r#"["NAME-other-1:ro","HOLDER"]"#)]),
    ),
    ("working_dir", "/tmp", Engine(&[("/Config/WorkingDir", r#""/tmp""#)])),
];

/// What must be there for some of them.
const BESIDE: &str = "\nconfigs: { motd: { content: hello } }\nsecrets: { key: { file: ./key } }\nmodels: { m: { model: x } }\n";

fn contains(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| found.get(key).is_some_and(|found| contains(found, value)))
        }
        (found, wanted) => found == wanted,
    }
}

fn text_of(attribute: &str, value: &str) -> String {
    let more = if attribute == "image" { String::new() } else { format!(", {attribute}: {value}") };
    // one that ends by itself is not started here at all
    format!("services: {{ other: {{ image: IMAGE }}, service: {{ image: IMAGE{more} }} }}{BESIDE}")
}

#[test]
fn the_table_names_every_attribute_of_the_model() {
    let listed: Vec<&str> = TABLE.iter().map(|(name, ..)| *name).collect();
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(listed.len(), sorted.len(), "one is there twice");
    assert_eq!(listed.len(), 93, "the schema of the reference has 93");
    for (name, _, becomes) in TABLE {
        if let Elsewhere(reason) = becomes {
            assert!(!reason.is_empty(), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attribute_is_honoured_or_said() {
    let Some(bench) = Bench::new("attributes").await else { return };
    for (file, content) in [("key", "k"), ("profile.json", "{ \"defaultAction\": \"SCMP_ACT_ALLOW\" }")] {
        std::fs::write(bench.scratch.0.join(file), content).unwrap();
    }
    let holder = format!("{}-holder", bench.name);
    let spec = plimsoll_engine::ContainerSpec {
        name: holder.clone(),
        image: busybox::IMAGE.into(),
        // it goes with the project
        labels: [(labels::PROJECT.to_owned(), "plimsoll-test-attributes-holder".to_owned())].into(),
        ..plimsoll_engine::ContainerSpec::default()
    };
    let _ = bench.engine.remove_container(&holder, true, true).await;
    let made = bench.engine.create_container(&spec).await.unwrap();
    let fill = |text: &str| {
        text.replace("NAME", &bench.name)
            .replace("HOLDER", &holder)
            .replace("IMAGE", busybox::IMAGE)
            .replace("DIR", &bench.scratch.0.display().to_string())
    };
    let mut wrong = Vec::new();
    for (attribute, value, becomes) in TABLE {
        if matches!(becomes, Elsewhere(_)) {
            continue;
        }
        let planned = bench.plan(&fill(&text_of(attribute, value))).await;
        match (becomes, planned) {
            (Refused(why), Err(error)) if error.to_string().contains(why) => {}
            (Note(note), Ok((plan, ..))) if plan.notes.iter().any(|said| said.contains(note)) => {}
            (Plan(says), Ok((plan, ..))) if plan.render().contains(&fill(says)) => {}
            (Engine(places), Ok(_)) => {
                let options = plimsoll_stack::PlanOptions { no_start: true, ..Default::default() };
                let (_, outcome) = bench.up_as(&fill(&text_of(attribute, value)), &options).await.unwrap();
                if !outcome.is_success() {
                    wrong.push(format!("{attribute}: {:#?}", outcome.failures));
                    bench.down(true).await;
                    continue;
                }
                let name = if *attribute == "container_name" {
                    (*value).to_owned()
                } else {
                    format!("{}-service-1", bench.name)
                };
                let raw = bench.engine.inspect_container_raw(&name).await.unwrap();
                for (place, wanted) in *places {
                    let wanted: Value = serde_json::from_str(&fill(wanted)).unwrap();
                    let found = raw.pointer(&fill(place)).unwrap_or(&Value::Null);
                    if !contains(found, &wanted) {
                        wrong.push(format!("{attribute}: {place} is {found}, not {wanted}"));
                    }
                }
                bench.down(true).await;
            }
            (_, planned) => {
                wrong.push(format!(
                    "{attribute}: {:?}",
                    planned.map(|(plan, ..)| (plan.notes.clone(), plan.render()))
                ));
            }
        }
    }
    bench.engine.remove_container(&made, true, true).await.unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Facts of an engine that speaks this API.
fn engine_of(version: &str, api: &str) -> EngineFacts {
    EngineFacts { version: version.into(), api: api.into(), ..support::facts() }
}

#[test]
fn what_an_older_engine_cannot_do_is_said_or_refused() {
    let told = |facts: &EngineFacts, service: &str| {
        let text = format!(
            "services: {{ s: {{ image: i:1, {service} }} }}\nnetworks: {{ default: {{ enable_ipv4: false }} }}"
        );
        let project = support::project("shop", &text, std::path::Path::new("/srv"));
        let images = support::images(&project);
        desired(&project, Context { images: &images, facts, files: &StackFiles::default() })
            .map(|wanted| wanted.notes)
            .map_err(|error| error.to_string())
    };
    let (old, new) = (engine_of("20.10.24", "1.41"), engine_of("28.1.0", "1.49"));
    let cases = [
        ("annotations: { a: b }", "annotations need Docker Engine 24"),
        ("networks: { default: { interface_name: eth7 } }", "interface_name needs Docker Engine 28"),
        ("networks: { default: { gw_priority: 5 } }", "gw_priority needs Docker Engine 28"),
        (
            "volumes: [{ type: volume, source: '', target: /a, volume: { subpath: x } }]",
            "a subpath needs Docker Engine 26",
        ),
        (
            "volumes: [{ type: bind, source: ., target: /a, read_only: true, bind: { recursive: readonly, propagation: rprivate } }]",
            "needs Docker Engine 25",
        ),
        ("hostname: x", "network default: enable_ipv4 needs Docker Engine 28"),
    ];
    for (service, says) in cases {
        let said = match told(&old, service) {
            Ok(notes) => notes.join("\n"),
            Err(error) => error,
        };
        assert!(said.contains(says), "{service}: {said}");
        assert_eq!(told(&new, service), Ok(Vec::new()), "{service}");
    }
    // what belongs to a Swarm is said on every engine
    let swarm: BTreeMap<&str, &str> = [
        ("placement: { constraints: [node.role == manager] }", "deploy.placement has no meaning on one host"),
        ("endpoint_mode: dnsrr", "deploy.endpoint_mode and deploy.labels"),
        ("resources: { reservations: { cpus: '0.1' } }", "only choose a node in a Swarm"),
        ("restart_policy: { condition: any, delay: 5s }", "delay and window have no effect"),
        ("update_config: { failure_action: rollback }", "`up` does not roll back"),
    ]
    .into();
    for (deploy, says) in swarm {
        let notes = told(&new, &format!("deploy: {{ {deploy} }}")).unwrap();
        assert!(notes.iter().any(|note| note.contains(says)), "{deploy}: {notes:?}");
    }
}
