//! `as-declared`: what runs is what the file says.

use plimsoll_engine::Attachment;

use crate::{
    rows,
    stand::{Row, failed, proved},
};

rows! {
    /// The file says another image, command, variables and volume than what runs.
    not_what_the_file_says: Row {
        after: r#"
services:
  front: { command: !override [sleep, "600"] }
  backend: { environment: { LOG_LEVEL: debug } }
  store: { volumes: !override ["elsewhere:/owned"] }
  job: { image: "registry.invalid/team/job:v2" }
volumes: { elsewhere: {} }
"#,
        claims: &[
            failed("as-declared", "front"),
            failed("as-declared", "backend"),
            failed("as-declared", "store"),
            failed("as-declared", "job"),
        ],
        ..Row::RIGHT
    };
    /// `docker network connect` after `up`.
    on_another_network: Row {
        act: |stand| Box::pin(async move {
            let network = format!("{}_data", stand.name);
            let attachment = Attachment { network, ..Attachment::default() };
            stand.engine.connect_container(&stand.container("front"), &attachment).await.unwrap();
        }),
        claims: &[failed("as-declared", "front"), proved("as-declared", "backend")],
        ..Row::RIGHT
    };
    /// A secret's file changed on disk, the containers hold the old copy.
    an_older_secret: Row {
        over: "{ services: { backend: { secrets: [key] }, store: { secrets: [other] } }, secrets: { key: { file: ./key }, other: { file: ./other } } }",
        files: &[("key", "the first one"), ("other", "another one")],
        act: |stand| Box::pin(async move { stand.write("key", "the second one") }),
        claims: &[failed("as-declared", "backend"), proved("as-declared", "store")],
        ..Row::RIGHT
    };
    /// The same file, written otherwise.
    the_same_in_other_words: Row {
        over: r#"
services:
  backend: { environment: [LOG_LEVEL=debug], labels: [a=b], volumes: ["/etc/hostname:/host:ro"], tmpfs: [/tmp] }
  front: { entrypoint: [busybox, env], command: !override [sh, -c, "busybox mkdir -p /tmp/site && echo x > /tmp/site/index.html && exec busybox httpd -f -p 8080 -h /tmp/site"] }
"#,
        after: r"
services:
  backend: { environment: { LOG_LEVEL: debug }, labels: { a: b }, tmpfs: /tmp }
",
        claims: &[
            proved("as-declared", "front"),
            proved("as-declared", "backend"),
            proved("as-declared", "store"),
            proved("as-declared", "job"),
            proved("as-declared", "stack"),
        ],
        ..Row::RIGHT
    };
}
