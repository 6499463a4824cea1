//! Every claim that looks at a container must be proved for a container that is right and fail for one that is wrong.
//! The compose file says the same of both: only what runs differs.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use plimsoll_engine::{ContainerSpec, PortSpec, Resources};
use plimsoll_source::Source;
use plimsoll_verify::{Status, smoke::SmokeFile};
use support::{Bench, hardened, health, obedient, shell, status};

const SECRET: &str = "kX9vQ2mT7rB4nL8wZ3pD6sF1hJ5gC0aE";

const COMPOSE: &str = r#"
x-service: &service
  image: busybox
  user: "1000:1000"
  read_only: true
  stop_grace_period: 5s
  secrets: [key]
  deploy: { resources: { limits: { cpus: "0.5", memory: 32M, pids: 32 } } }
services:
  right: { <<: *service, networks: [inner], depends_on: { store: { condition: service_healthy } } }
  wrong: { <<: *service, networks: [inner], depends_on: { store: { condition: service_healthy } } }
  store: { <<: *service, networks: [data, inner] }
  vault: { <<: *service, networks: [data] }
  outsider: { <<: *service, networks: [front] }
networks:
  inner: { internal: true }
  data: { internal: true }
  front: {}
secrets:
  key: { file: ./key }
"#;

const SERVE: &str = "busybox httpd -f -p 8080 -h /etc";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_right_is_proved_and_what_is_wrong_fails() {
    let Some(bench) = Bench::new("claims", COMPOSE).await else { return };
    if !is_root() {
        bench.remove().await;
        return;
    }
    bench.write("key", &format!("{SECRET}\n"));
    bench.network("inner", true).await;
    bench.network("data", true).await;
    bench.network("front", false).await;
    let serving = || hardened(obedient(SERVE), health(&["true"]));
    // What a store is told by, where neither image nor process has a known name.
    let exposing = ContainerSpec { exposed: vec!["6379/tcp".into()], ..serving() };
    let store = bench.start("store", &["data", "inner"], exposing).await;
    bench.start("vault", &["data"], serving()).await;
    let ask_store = bench.ask(&store, "inner", 2).await;
    bench
        .start("right", &["inner"], hardened(obedient("sleep 3600"), health(&["sh", "-c", &ask_store])))
        .await;
    // It should be on `front` alone, but somebody connected it to `data`.
    bench.start("outsider", &["front", "data"], serving()).await;
    let wrong = ContainerSpec {
        // A child is killed for lack of memory, the shell goes on; and it does not hear SIGTERM.
        command: shell(&format!(
            "trap '' TERM; echo 'open /app/x: Permission denied'; \
             busybox tail /dev/zero; while :; do sleep 1; done; echo {SECRET}"
        )),
        health: health(&["true"]),
        resources: Resources { memory: Some(16 << 20), ..Resources::default() },
        ports: vec![PortSpec {
            container: 9,
            protocol: "tcp".into(),
            host_ip: "127.0.0.1".into(),
            host: String::new(),
        }],
        security_opt: vec!["seccomp=unconfined".into()],
        pid: Some("host".into()),
        stop_grace: Some(1),
        ..ContainerSpec::default()
    };
    bench.start("wrong", &["front"], wrong).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;

    let certificate = bench.verify(&Bench::options()).await;
    bench.remove().await;
    let said = plimsoll_verify::report::terminal(&certificate);
    let both = [
        "process-user",
        "capabilities",
        "no-new-privileges",
        "seccomp",
        "read-only-root",
        "host-isolation",
        "memory-limit",
        "cpu-limit",
        "pids-limit",
        "log-rotation",
        "published-ports",
        "secrets-runtime",
        "no-oom",
        "no-write-errors",
        "graceful-stop",
    ];
    for id in both {
        assert_eq!(status(&certificate, id, "right"), Status::Proved, "{id} of right\n{said}");
        assert_eq!(status(&certificate, id, "wrong"), Status::Failed, "{id} of wrong\n{said}");
    }
    assert_eq!(status(&certificate, "health", "right"), Status::Proved, "{said}");
    assert_eq!(status(&certificate, "health-fails", "right without store"), Status::Proved, "{said}");
    // Its health check always passes.
    assert_eq!(status(&certificate, "health-fails", "wrong without store"), Status::Failed, "{said}");
    // `outsider` can reach what is on `data`.
    assert_eq!(status(&certificate, "store-isolation", "vault"), Status::Failed, "{said}");
    // Nothing that the file declares may be missing in the containers.
    assert_eq!(status(&certificate, "secret-files", "right"), Status::Failed, "{said}");
    assert_eq!(status(&certificate, "no-egress", "right"), Status::Proved, "{said}");
    // On a host whose name server does not answer there is nothing to compare with.
    assert_ne!(status(&certificate, "no-egress", "wrong"), Status::Proved, "{said}");
    assert_eq!(status(&certificate, "apparmor", "stack"), Status::NotApplicable, "{said}");
    let json = certificate.to_json().unwrap();
    assert!(!json.contains(SECRET), "a secret value is in the certificate");
}

const FRONT: &str = r#"
services:
  front:
    image: busybox
    build: .
    ports: ["127.0.0.1::8080"]
    networks: [front]
networks:
  front: {}
"#;

const SMOKE: &str = r#"
[[check]]
name = "front page"
request = "GET /"
expect = { status = 200, header = { content-type = "text/html" }, body = "app-1a2b3c4d.js" }

[[check]]
name = "what is not there"
request = "GET /items"
expect = { status = 200, json = { "/0/id" = 1 } }
capture = { item = "/0/id" }

[[check]]
name = "what needs it"
request = "GET /items/{item}"
expect = { status = 200 }

[[check]]
name = "from inside"
request = "GET /"
at = "front:8080"
expect = { status = 200, not_body = "nothing" }
"#;

/// A web server that knows of no headers, no compression and no caching, and has no page for a deep link.
#[tokio::test(flavor = "multi_thread")]
async fn a_front_without_care_fails() {
    let Some(bench) = Bench::new("front", FRONT).await else { return };
    if !is_root() {
        return;
    }
    bench.network("front", false).await;
    let site = "mkdir -p /tmp/site/assets && cd /tmp/site && \
                echo '<!doctype html><script src=\"/assets/app-1a2b3c4d.js\"></script>' > index.html && \
                { echo 'history.pushState()'; busybox head -c 5000 /dev/zero; } > assets/app-1a2b3c4d.js; ";
    let site = site.replace("mkdir", "busybox mkdir");
    let command =
        shell(&format!("{site} trap 'exit 0' TERM; busybox httpd -f -p 8080 -h /tmp/site & wait $!"));
    let port = PortSpec {
        container: 8080,
        protocol: "tcp".into(),
        host_ip: "127.0.0.1".into(),
        host: String::new(),
    };
    let spec = ContainerSpec {
        command,
        ports: vec![port],
        health: health(&["true", "http://127.0.0.1:8080/health"]),
        ..ContainerSpec::default()
    };
    bench.start("front", &["front"], spec).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;

    let mut options = Bench::options();
    options.disturb = false;
    options.smoke = Some(SmokeFile::parse(&Source::new("smoke.toml", SMOKE)).unwrap());
    options.budgets.memory = Some(1000);
    options.budgets.start = Some(std::time::Duration::from_mins(2));
    options.budgets.images = [("front".to_owned(), 1000)].into();
    let certificate = bench.verify(&options).await;
    bench.remove().await;

    let said = plimsoll_verify::report::terminal(&certificate);
    for (id, subject) in [
        ("security-headers", "front /"),
        ("compression", "front /assets/app-1a2b3c4d.js"),
        ("caching", "front /"),
        ("caching", "front /assets/app-1a2b3c4d.js"),
        ("spa-routing", "front /plimsoll/deep/link"),
        ("health-endpoint", "front /health"),
        ("image-size", "front"),
        ("memory-idle", "stack"),
        ("memory-load", "stack"),
        ("memory-load", "smoke load"),
        ("smoke/what-is-not-there", "front"),
    ] {
        assert_eq!(status(&certificate, id, subject), Status::Failed, "{id} of {subject}\n{said}");
    }
    for (id, subject) in [
        ("compression", "front /"),
        ("spa-routing", "front /assets/plimsoll-missing-0a1b2c3d.js"),
        ("published-ports", "front"),
        ("start-time", "stack"),
        ("smoke/front-page", "front"),
        ("smoke/from-inside", "front"),
    ] {
        assert_eq!(status(&certificate, id, subject), Status::Proved, "{id} of {subject}\n{said}");
    }
    for id in ["smoke/what-needs-it", "graceful-stop", "health-fails"] {
        let subject = if id.starts_with("smoke") { "front" } else { "stack" };
        assert_eq!(status(&certificate, id, subject), Status::NotChecked, "{id}\n{said}");
    }
}

/// Without root the kernel's files cannot be read: with CI set that is a failure.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    assert!(root || std::env::var_os("CI").is_none(), "CI is set, so this test must run as root");
    if !root {
        eprintln!("skipped: not root");
    }
    root
}
