//! The base of RabbitMQ in an engine.

use crate::Test;
use crate::engine::{Container, Volume, docker, once, write};

pub(crate) const TESTS: &[Test] = &[
    ("rabbitmq: takes messages, keeps them over a restart", rabbitmq),
    ("rabbitmq: files configure it, secrets too", rabbitmq_files),
    ("rabbitmq: what is not supported is refused, with what to do", rabbitmq_refuses),
];

/// A name that the node finds itself by, and what a read-only root needs. Erlang alone starts some 100 threads.
const PLACE: [&str; 8] =
    ["--hostname", "mq", "--add-host", "mq:127.0.0.1", "--tmpfs", "/tmp", "--pids-limit", "1024"];
const RUNNING: [&str; 3] = ["rabbitmq-diagnostics", "-q", "check_running"];

/// A request to a port of the container with the shell that is in it; the whole answer.
fn http(container: &Container, port: u16, user: &str, request: &str, body: &str) -> String {
    let script = "exec 3<>/dev/tcp/127.0.0.1/$0; printf '%s HTTP/1.0\\r\\nAuthorization: Basic %s\\r\\nContent-Type: application/json\\r\\n\
        Content-Length: %s\\r\\n\\r\\n%s' \"$2\" \"$(printf %s \"$1\" | base64 -w0)\" \"${#3}\" \"$3\" >&3; cat <&3";
    container.exec(&["bash", "-euc", script, &port.to_string(), user, request, body]).1
}

fn rabbitmq() {
    let volume = Volume::new();
    let data = format!("{}:/var/lib/rabbitmq", volume.0);
    let options = [
        &PLACE[..],
        &[
            "--user",
            "999:999",
            "-v",
            &data,
            "-e",
            "RABBITMQ_DEFAULT_USER=app",
            "-e",
            "RABBITMQ_DEFAULT_PASS=s3 cr'et",
        ],
        &["-e", "RABBITMQ_DEFAULT_VHOST=codecave"],
    ]
    .concat();
    let container = Container::start("rabbitmq", &options, &[]);
    container.until(&RUNNING);
    container.assert_posture("999");
    let ctl = |words: &[&str]| container.exec(&[&["rabbitmqctl", "-q"], words].concat());
    assert!(ctl(&["authenticate_user", "app", "s3 cr'et"]).0);
    assert!(!ctl(&["authenticate_user", "app", "wrong"]).0);
    let users = ctl(&["list_users"]).1;
    assert!(users.contains("app\t[administrator]") && !users.contains("guest"), "{users}");
    assert!(container.exec(&["rabbitmq-diagnostics", "-q", "check_port_connectivity"]).0);
    assert_eq!(container.exec(&["stat", "-c", "%a %u", "/var/lib/rabbitmq/.erlang.cookie"]).1, "400 999\n");
    let user = "app:s3 cr'et";
    let made = http(&container, 15672, user, "PUT /api/queues/codecave/jobs", r#"{"durable":true}"#);
    assert!(made.starts_with("HTTP/1.1 201"), "{made}");
    let message = r#"{"properties":{"delivery_mode":2},"routing_key":"jobs","payload":"plimsoll","payload_encoding":"string"}"#;
    let sent = http(&container, 15672, user, "POST /api/exchanges/codecave/amq.default/publish", message);
    assert!(sent.contains(r#"{"routed":true}"#), "{sent}");
    assert!(http(&container, 15672, "app:wrong", "GET /api/overview", "").starts_with("HTTP/1.1 401"));
    let metrics = http(&container, 15692, "", "GET /metrics", "");
    assert!(metrics.contains("rabbitmq_build_info{"), "{metrics}");
    assert_eq!(container.stop(), "0");
    docker(&["start", &container.0]);
    container.until(&RUNNING);
    let get = r#"{"count":1,"ackmode":"ack_requeue_false","encoding":"auto"}"#;
    container.until(&["rabbitmq-diagnostics", "-q", "check_port_connectivity"]);
    let got = http(&container, 15672, user, "POST /api/queues/codecave/jobs/get", get);
    assert!(got.contains(r#""payload":"plimsoll""#), "{got}");
}

fn rabbitmq_files() {
    let dir = tempfile::tempdir().unwrap();
    write(
        &dir.path().join("90-own.conf"),
        "default_user = filed\ndefault_pass = from-a-file\nlisteners.tcp.default = 5679\n",
        0o444,
    );
    let mount = format!("{}:/etc/rabbitmq/conf.d/90-own.conf:ro", dir.path().join("90-own.conf").display());
    let options = [
        &PLACE[..],
        &[
            "--tmpfs",
            "/var/lib/rabbitmq:uid=999,gid=999,mode=0750",
            "-v",
            &mount,
            "-e",
            "RABBITMQ_ERLANG_COOKIE=common",
        ],
    ]
    .concat();
    let container = Container::start("rabbitmq", &options, &[]);
    container.until(&RUNNING);
    assert!(container.exec(&["rabbitmqctl", "-q", "authenticate_user", "filed", "from-a-file"]).0);
    let listeners = container.exec(&["rabbitmq-diagnostics", "-q", "listeners"]).1;
    assert!(listeners.contains("port: 5679, protocol: amqp"), "{listeners}");
    assert_eq!(container.exec(&["cat", "/var/lib/rabbitmq/.erlang.cookie"]).1, "common");
}

fn rabbitmq_refuses() {
    let options = [&PLACE[..], &["-e", "RABBITMQ_DEFAULT_PASS_FILE=/run/secrets/x"]].concat();
    let (done, text) = once("rabbitmq", &options, &[]);
    assert!(!done && text.contains("RABBITMQ_DEFAULT_PASS_FILE is not supported"), "{text}");
    assert!(text.contains("hint: ") && text.contains("/etc/rabbitmq/conf.d"), "{text}");
}
