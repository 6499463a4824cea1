//! What is open, to whom, and what leads out: `published-ports`, `store-isolation`, `no-egress`.

use plimsoll_engine::{ContainerSpec, PortSpec};

use crate::{
    rows,
    stand::{Row, failed, proved},
};

/// A port of the host that the engine chooses.
fn published(container: u16) -> PortSpec {
    PortSpec { container, protocol: "tcp".into(), host_ip: "127.0.0.1".into(), host: String::new() }
}

rows! {
    /// Open to the world, declared for loopback.
    ports_by_number_only: Row {
        over: "services: { front: { ports: !override ['0.0.0.0::8080'] } }",
        after: "services: { front: { ports: !override ['127.0.0.1::8080'] } }",
        claims: &[failed("published-ports", "front"), proved("published-ports", "backend")],
        ..Row::RIGHT
    };
    /// A second binding of the same port, which the file does not have.
    a_second_binding: Row {
        over: "services: { front: { ports: !override ['127.0.0.1::8080', '0.0.0.0::8080'] } }",
        after: "services: { front: { ports: !override ['127.0.0.1::8080'] } }",
        claims: &[failed("published-ports", "front")],
        ..Row::RIGHT
    };
    /// Another port of the host than the file says, and another protocol.
    another_port: Row {
        over: "services: { front: { ports: !override ['127.0.0.1:45870:8080', '127.0.0.1::8081/udp'] } }",
        after: "services: { front: { ports: !override ['127.0.0.1:45869:8080', '127.0.0.1::8081/tcp'] } }",
        claims: &[failed("published-ports", "front")],
        ..Row::RIGHT
    };
    /// The engine's proxy answers, and behind it the server listens on its own loopback.
    a_published_port_without_a_server: Row {
        over: r#"
services:
  front: { command: !override [sh, -c, "mkdir -p /tmp/site && echo x > /tmp/site/index.html && exec busybox httpd -f -p 127.0.0.1:8080 -h /tmp/site"] }
"#,
        claims: &[failed("published-ports", "front")],
        ..Row::RIGHT
    };
    /// Ranges, ports that the engine chooses, several services.
    ports_in_other_words: Row {
        over: r#"
services:
  front: { ports: !override ["127.0.0.1:45900-45920:8080"] }
  backend: { networks: [edge], ports: [{ target: 8080, host_ip: 127.0.0.1, protocol: tcp, mode: host }] }
"#,
        claims: &[
            proved("published-ports", "front"),
            proved("published-ports", "backend"),
            proved("published-ports", "stack"),
        ],
        ..Row::RIGHT
    };
    /// A store with a port of the host, on loopback at that.
    published_store: Row {
        over: "services: { store: { networks: [edge], ports: ['127.0.0.1::6379'] } }",
        claims: &[
            failed("published-ports", "store"),
            failed("store-isolation", "store"),
            failed("no-egress", "store"),
            proved("published-ports", "front"),
        ],
        ..Row::RIGHT
    };
    /// The published service is put beside the store.
    front_on_the_stores_network: Row {
        over: "services: { front: { networks: [data] } }",
        claims: &[failed("store-isolation", "store"), proved("store-isolation", "backend")],
        ..Row::RIGHT
    };
    /// All on one network that leads out.
    a_flat_network: Row {
        over: r"
services:
  front: { networks: !reset {} }
  backend: { networks: !reset {} }
  store: { networks: !reset {} }
  job: { networks: !reset {} }
",
        claims: &[failed("store-isolation", "store"), failed("no-egress", "store")],
        ..Row::RIGHT
    };
    /// The front in the network namespace of the store's client.
    a_front_in_the_clients_namespace: Row {
        over: r#"
services:
  front: { network_mode: "service:backend", networks: !reset {}, ports: !reset [], command: !override [sleep, "600"], healthcheck: { test: !override [CMD, "true"] } }
  backend: { networks: [edge], ports: ["127.0.0.1::8080"] }
"#,
        claims: &[failed("store-isolation", "store")],
        ..Row::RIGHT
    };
    /// Without `internal` the store reaches the outside.
    no_egress_goes_away: Row {
        over: "networks: { inner: !override {}, data: !override {} }",
        claims: &[failed("no-egress", "store")],
        ..Row::RIGHT
    };
    /// One network that leads out beside the inner one.
    one_way_out: Row {
        over: "services: { store: { networks: [edge] } }",
        claims: &[failed("no-egress", "store")],
        ..Row::RIGHT
    };
    /// The host's network: what listens is open, whatever is declared.
    host_network_publishes_nothing: Row {
        over: r#"
services:
  hostnet:
    image: IMAGE
    user: "1000:1000"
    network_mode: host
    command: [sh, -c, "exec busybox httpd -f -p 127.0.0.1:45871 -h /etc"]
"#,
        claims: &[failed("published-ports", "hostnet"), failed("host-isolation", "hostnet"), proved("published-ports", "front")],
        ..Row::RIGHT
    };
    /// Somebody else's forwarder on the store's network.
    a_strangers_forwarder: Row {
        act: |stand| Box::pin(async move {
            let spec = ContainerSpec { ports: vec![published(6379)], ..ContainerSpec::default() };
            stand.beside("forwarder", &["edge", "data"], spec).await;
        }),
        claims: &[failed("published-ports", "stack"), failed("store-isolation", "store")],
        ..Row::RIGHT
    };
    /// A small stack: an application that is published and is the store's client; the store inside.
    a_client_that_is_published: Row {
        over: r#"
services:
  front: { networks: !override [edge] , depends_on: !override {} }
  backend: { networks: !override [edge, data], ports: ["127.0.0.1::8080"] }
"#,
        claims: &[
            proved("store-isolation", "store"),
            proved("no-egress", "store"),
            proved("published-ports", "backend"),
            proved("published-ports", "stack"),
        ],
        ..Row::RIGHT
    };
}

/// The front reaches the store over IPv6 on engines that put no IPv6 rules into the firewall (before 27).
#[tokio::test(flavor = "multi_thread")]
async fn isolation_over_ipv6() {
    const BOTH: Row = Row {
        over: r#"
networks:
  edge: { enable_ipv6: true, ipam: { config: [{ subnet: "fd00:7a1:31::/64" }] } }
  data: !override { enable_ipv6: true, ipam: { config: [{ subnet: "fd00:7a1:32::/64" }] } }
"#,
        ..Row::RIGHT
    };
    const OPEN: Row = Row { claims: &[failed("store-isolation", "store")], ..BOTH };
    const CLOSED: Row = Row { claims: &[proved("store-isolation", "store")], ..BOTH };
    let Some(engine) = crate::busybox::engine().await else { return };
    if !std::path::Path::new("/proc/net/if_inet6").exists() {
        eprintln!("skipped: this kernel has no IPv6");
        return;
    }
    let version = engine.facts().await.unwrap().version;
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    crate::stand::measure("isolation_over_ipv6", if major < 27 { &OPEN } else { &CLOSED }).await;
}
