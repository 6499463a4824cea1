//! A front that passes requests on to a service with two containers. The front is a shell script, so that it can leave
//! one out.

use std::time::Duration;

use plimsoll_source::Source;
use plimsoll_verify::{Options, Status, smoke::SmokeFile};

use crate::{
    rows,
    stand::{Row, failed, is, proved},
};

/// The front asks for the addresses at its start, as nginx does, and takes one after the other.
const BALANCED: &str = r#"
services:
  front:
    image: IMAGE
    user: "1000:1000"
    command: [sh, -c, "busybox nslookup backend | busybox grep -oE '[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+' | busybox grep -v '^127[.]' | busybox sort -u > /tmp/all; exec busybox nc -ll -p 8080 -e sh /pass.sh"]
    tmpfs: ["/tmp:uid=1000,gid=1000,mode=0700,size=1m"]
    ports: ["127.0.0.1::8080"]
    networks: [edge]
    depends_on: { backend: { condition: service_healthy } }
    configs: [{ source: pass, target: /pass.sh, mode: 0444 }]
    stop_grace_period: 1s
  backend:
    image: IMAGE
    user: "1000:1000"
    scale: 2
    command: [sh, -c, "exec busybox httpd -f -p 8080 -h /etc"]
    networks: [edge]
    stop_grace_period: 1s
    healthcheck: { test: [CMD, busybox, timeout, "2", busybox, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/passwd"], interval: 1s, timeout: 5s, retries: 5 }
networks:
  edge: {}
configs:
  pass:
    content: |
      all=$$(busybox wc -l < /tmp/all)
      next=$$(( ($$(busybox cat /tmp/next 2>/dev/null || echo 0) + 1) % all ))
      echo $$next > /tmp/next
      exec busybox nc "$$(busybox sed -n "$$((next + 1))p" /tmp/all)" 8080
"#;

/// The load: a file of the backend.
fn load(options: &mut Options) {
    let text =
        "[[check]]\nname = 'accounts'\nrequest = 'GET /passwd'\nexpect = { status = 200, body = 'root' }\n";
    options.smoke = Some(SmokeFile::parse(&Source::new("smoke.toml", text)).unwrap());
    options.load = Duration::from_secs(5);
}

const USUAL: Row = Row { file: BALANCED, options: load, ..Row::RIGHT };

/// The front knows the first container alone, as one that was started before there was a second one.
macro_rules! knows_one {
    () => {
        |stand| {
            Box::pin(async move {
                let first = stand.sh("backend", "busybox hostname -i").await;
                let first = first.split_whitespace().next().unwrap().to_owned();
                stand.sh("front", &format!("echo {first} > /tmp/all")).await;
            })
        }
    };
}

rows! {
    /// One after the other.
    both_replicas_are_reached: Row {
        claims: &[
            proved("memory-load", "smoke load"),
            proved("replicas-reached", "{project}-backend-1"),
            proved("replicas-reached", "{project}-backend-2"),
        ],
        ..USUAL
    };
    /// One of them gets nothing.
    a_replica_that_gets_nothing: Row {
        act: knows_one!(),
        claims: &[
            proved("memory-load", "smoke load"),
            proved("replicas-reached", "{project}-backend-1"),
            failed("replicas-reached", "{project}-backend-2"),
        ],
        ..USUAL
    };
    /// A visitor stays with one container by right, and the load is one visitor.
    a_visitor_stays_with_one_replica: Row {
        over: "services: { front: { environment: { UPSTREAM: 'ip_hash;' } } }",
        act: knows_one!(),
        claims: &[
            proved("memory-load", "smoke load"),
            proved("replicas-reached", "{project}-backend-1"),
            is(Status::NotChecked, "replicas-reached", "{project}-backend-2"),
        ],
        ..USUAL
    };
    /// The front answers by itself: nothing is known of what is behind it.
    no_request_leads_to_the_replicas: Row {
        over: r#"
services:
  front: { command: !override [sh, -c, "busybox mkdir -p /tmp/site && echo root > /tmp/site/passwd && exec busybox httpd -f -p 8080 -h /tmp/site"] }
"#,
        claims: &[
            proved("memory-load", "smoke load"),
            is(Status::NotChecked, "replicas-reached", "backend"),
        ],
        ..USUAL
    };
}
