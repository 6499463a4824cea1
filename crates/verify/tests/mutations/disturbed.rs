//! Smoke checks that end services, and what a document promises of them.

use plimsoll_source::Source;
use plimsoll_verify::{Options, Status, promises::PromiseFile, smoke::SmokeFile};

use crate::{
    rows,
    stand::{Row, failed, is, proved},
};

/// The page of the usual stack's front, before and after a disturbance.
const DISTURBED: &str = r#"
[[check]]
name = "page"
request = "GET /new.html"
expect = { status = 200 }
[[check]]
name = "page after a kill"
request = "GET /index.html"
kill = "front"
within = 20
expect = { status = 200, body = "front" }
[[check]]
name = "what was added is still there"
request = "GET /new.html"
restart = "front"
within = 1
expect = { status = 200 }
[[check]]
name = "inside the service that was restarted"
request = "GET /index.html"
at = "front:8080"
expect = { status = 200 }
"#;

/// What a document could say of the usual stack.
const PROMISES: &str = r#"
document = "a production guide"
[[promise]]
says = "ports"
claims = ["published-ports"]
services = ["front"]
[[promise]]
says = "page"
smoke = ["page"]
[[promise]]
says = "kept"
smoke = ["what was added is still there"]
[[promise]]
says = "user"
run = { service = "backend", command = ["busybox", "id", "-u"], prints = "1000" }
[[promise]]
says = "root"
run = { service = "backend", command = ["busybox", "id", "-un"], prints = "root" }
[[promise]]
says = "exit"
run = { service = "backend", command = ["sh", "-c", "echo done; exit 3"], prints = "done" }
[[promise]]
says = "small"
images = { services = ["front"], at_most_mb = 30 }
[[promise]]
says = "smaller"
images = { services = ["front", "backend"], at_most_mb = 2 }
[[promise]]
says = "setting"
setting = { service = "store", name = "max_connections", is = "200" }
[[promise]]
says = "signed"
not_measured = "nobody signs images here"
"#;

fn disturbed(options: &mut Options) {
    options.smoke = Some(SmokeFile::parse(&Source::new("smoke.toml", DISTURBED)).unwrap());
    options.promises = Some(PromiseFile::parse(&Source::new("promises.toml", PROMISES)).unwrap());
    options.disturb = true;
}

rows! {
    /// Smoke checks that end a service, and a document's promises about it.
    what_a_kill_takes_and_what_was_promised: Row {
        over: "services: { front: { ports: !override ['127.0.0.1:45872:8080'] } }",
        act: |stand| Box::pin(async move {
            stand.sh("front", "echo new > /tmp/site/new.html").await;
        }),
        options: disturbed,
        claims: &[
            proved("smoke/page", "front"),
            proved("smoke/page-after-a-kill", "front"),
            failed("smoke/what-was-added-is-still-there", "front"),
            proved("smoke/inside-the-service-that-was-restarted", "front"),
            proved("published-ports", "front"),
            proved("promise/ports", "front"),
            proved("promise/page", "stack"),
            failed("promise/kept", "stack"),
            proved("promise/user", "backend"),
            failed("promise/root", "backend"),
            failed("promise/exit", "backend"),
            proved("promise/small", "front"),
            failed("promise/smaller", "stack"),
            is(Status::NotChecked, "promise/setting", "store"),
            is(Status::NotChecked, "promise/signed", "stack"),
        ],
        ..Row::RIGHT
    };
    /// After a start the front would be at another port.
    a_port_that_changes_with_each_start: Row {
        options: disturbed,
        claims: &[
            is(Status::NotChecked, "smoke/page-after-a-kill", "front"),
            proved("smoke/inside-the-service-that-was-restarted", "front"),
        ],
        ..Row::RIGHT
    };
    /// Without leave to disturb the checks that need it are not checked, and neither is what is promised of them.
    no_leave_to_disturb: Row {
        options: |options| {
            disturbed(options);
            options.disturb = false;
        },
        claims: &[
            is(Status::NotChecked, "smoke/page-after-a-kill", "front"),
            is(Status::NotChecked, "promise/kept", "stack"),
        ],
        ..Row::RIGHT
    };
}
