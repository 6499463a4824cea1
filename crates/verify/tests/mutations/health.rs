//! Health checks: a command with a time limit, an interval, retries and a start period, which can fail.

use plimsoll_verify::Status;

use crate::{
    rows,
    stand::{Row, absent, failed, is, proved},
};

rows! {
    /// Its check failed until just before the measurement: the engine's word is an interval old.
    a_check_that_was_mended: Row {
        over: "services: { front: { healthcheck: { interval: 8s, retries: 5 } } }",
        act: |stand| {
            Box::pin(async {
                stand.sh("front", "busybox mv /tmp/site/index.html /tmp/site/away").await;
                tokio::time::sleep(std::time::Duration::from_secs(9)).await;
                stand.sh("front", "busybox mv /tmp/site/away /tmp/site/index.html").await;
            })
        },
        claims: &[proved("health", "front")],
        ..Row::RIGHT
    };
    /// The command passes when it has long enough; the engine gives it a second.
    unhealthy_but_proved: Row {
        over: r#"
services:
  front:
    healthcheck:
      test: !override [CMD-SHELL, "sleep 2; busybox printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | busybox timeout 1 busybox nc 127.0.0.1 8080 | busybox grep -q '200 OK'"]
      timeout: 1s
      interval: 1s
      retries: 1
"#,
        claims: &[failed("health", "front"), proved("health", "store")],
        ..Row::RIGHT
    };
    /// Every other run passes.
    a_check_that_passes_every_other_time: Row {
        over: r#"
services:
  front:
    healthcheck: { test: !override [CMD-SHELL, "if [ -e /tmp/odd ]; then busybox rm /tmp/odd; exit 1; fi; touch /tmp/odd"] }
"#,
        claims: &[failed("health", "front")],
        ..Row::RIGHT
    };
    /// The engine looks once a day, or never calls it unhealthy.
    a_check_that_notices_nothing: Row {
        over: r"
services:
  front: { healthcheck: { interval: 24h } }
  backend: { healthcheck: { retries: 100000 } }
  store: { healthcheck: { start_period: 10h } }
",
        claims: &[failed("health", "front"), failed("health", "backend"), failed("health", "store")],
        ..Row::RIGHT
    };
    /// No check at all.
    no_check: Row {
        over: "services: { front: { healthcheck: !override { disable: true } } }",
        options: |options| options.disturb = true,
        claims: &[failed("health", "front"), failed("health-fails", "front itself")],
        ..Row::RIGHT
    };
    /// Checks that look at nothing, or at something else, pass while every process of the service is stopped.
    health_check_that_cannot_fail: Row {
        over: r#"
services:
  front: { healthcheck: { test: !override [CMD-SHELL, "busybox printf 'GET /nothing HTTP/1.0\\r\\n\\r\\n' | busybox timeout 1 busybox nc 127.0.0.1 8080 | busybox grep -q '200 OK' || true"] } }
  backend: { healthcheck: { test: !override [CMD-SHELL, "busybox ps | busybox grep -q '[h]ttpd'"] } }
  store: { healthcheck: { test: !override [CMD, "true"] } }
"#,
        options: |options| options.disturb = true,
        claims: &[
            failed("health-fails", "front itself"),
            failed("health-fails", "backend itself"),
            failed("health-fails", "store itself"),
            failed("health-fails", "backend without store"),
        ],
        ..Row::RIGHT
    };
    /// A check that ignores the store, with a condition that asks for nothing.
    health_fails_goes_away: Row {
        over: r#"
services:
  backend:
    depends_on: { store: { condition: service_started } }
    healthcheck: { test: !override [CMD-SHELL, "busybox printf 'GET /passwd HTTP/1.0\\r\\n\\r\\n' | busybox timeout 1 busybox nc 127.0.0.1 8080 | busybox grep -q '200 OK'"] }
"#,
        options: |options| options.disturb = true,
        claims: &[failed("health-fails", "backend without store"), proved("health-fails", "backend itself")],
        ..Row::RIGHT
    };
    /// The same without any `depends_on`, and with a store that is built here: who is connected needs it.
    a_connection_is_a_need: Row {
        over: r#"
services:
  store: { build: . }
  backend:
    depends_on: !override {}
    command: !override [sh, -c, "(until busybox nc store 6379 < /dev/null; do busybox sleep 1; done; busybox sleep 500 | busybox nc store 6379) & exec busybox httpd -f -p 8080 -h /etc"]
    healthcheck: { test: !override [CMD-SHELL, "busybox printf 'GET /passwd HTTP/1.0\\r\\n\\r\\n' | busybox timeout 1 busybox nc 127.0.0.1 8080 | busybox grep -q '200 OK'"] }
"#,
        options: |options| options.disturb = true,
        claims: &[failed("health-fails", "backend without store")],
        ..Row::RIGHT
    };
    /// A name in a variable is no use yet, and no silence either.
    a_name_is_said: Row {
        over: r#"
services:
  backend:
    depends_on: !override {}
    environment: { STORE_URL: "http://store:6379/" }
    healthcheck: { test: !override [CMD-SHELL, "busybox printf 'GET /passwd HTTP/1.0\\r\\n\\r\\n' | busybox timeout 1 busybox nc 127.0.0.1 8080 | busybox grep -q '200 OK'"] }
"#,
        options: |options| options.disturb = true,
        claims: &[is(Status::NotChecked, "health-fails", "backend without store")],
        ..Row::RIGHT
    };
    /// An application from a ready-made image is no store: a front that stays up without it is right.
    a_ready_made_application: Row {
        over: "services: { backend: { volumes: ['data:/owned'] } }",
        options: |options| options.disturb = true,
        claims: &[
            proved("health-fails", "front itself"),
            proved("health-fails", "backend itself"),
            proved("health-fails", "store itself"),
            proved("health-fails", "backend without store"),
            absent("health-fails", "front without backend"),
            proved("health", "front"),
            proved("health", "backend"),
            proved("health", "store"),
        ],
        ..Row::RIGHT
    };
    /// The server ignores what asks it to end, and is killed when the grace period is over.
    a_server_that_ignores_the_signal: Row {
        over: r#"
services:
  front: { stop_grace_period: 1s, command: !override [sh, -c, "trap '' TERM; busybox mkdir -p /tmp/site && echo front > /tmp/site/index.html && exec busybox httpd -f -p 8080 -h /tmp/site"] }
"#,
        options: |options| options.disturb = true,
        claims: &[failed("graceful-stop", "front"), proved("graceful-stop", "backend")],
        ..Row::RIGHT
    };
}
