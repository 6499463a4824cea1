//! What containers share with the host, and what logs tell: `host-isolation`, `secret-files`, `no-write-errors`,
//! `store-logins`.

use plimsoll_engine::ContainerSpec;

use crate::{
    rows,
    stand::{Row, absent, failed, proved},
};

rows! {
    /// A directory above the engine's socket, directories above the engine's data, and root's home.
    engine_socket_by_its_folder: Row {
        over: r#"
services:
  front: { volumes: ["/run:/hostrun:ro"] }
  backend: { volumes: ["/var/lib:/host/varlib:ro", "/root:/host/root:ro"] }
  job: { volumes: ["/run:/hostrun:ro"] }
"#,
        claims: &[
            failed("host-isolation", "front"),
            failed("host-isolation", "backend"),
            failed("host-isolation", "job"),
            proved("host-isolation", "store"),
        ],
        ..Row::RIGHT
    };
    /// The socket by another name, a volume that is a directory of the host, the host's processes as files.
    the_host_by_other_names: Row {
        over: r#"
services:
  front: { volumes: ["/var/run/docker.sock:/tmp2/app.s:ro"] }
  backend: { volumes: ["etc:/data:ro"] }
  store: { volumes: ["/proc:/outside:ro"] }
  job: { volumes: ["etc:/data:ro"] }
volumes:
  etc: { driver_opts: { type: none, o: bind, device: /etc } }
"#,
        claims: &[
            failed("host-isolation", "front"),
            failed("host-isolation", "backend"),
            failed("host-isolation", "store"),
            failed("host-isolation", "job"),
        ],
        ..Row::RIGHT
    };
    /// Inside a system directory, also of another service's data by path.
    parts_of_system_directories: Row {
        over: r#"
services:
  front: { volumes: ["/etc/shadow:/x:ro"] }
  backend: { volumes: ["/usr/bin:/x:ro"] }
  store: { volumes: ["/sys/kernel:/x:ro"] }
  job: { volumes: ["/etc/localtime:/etc/localtime"] }
"#,
        claims: &[
            failed("host-isolation", "front"),
            failed("host-isolation", "backend"),
            failed("host-isolation", "store"),
            failed("host-isolation", "job"),
        ],
        ..Row::RIGHT
    };
    /// The kernel's log as a device, by a rule, by a bind, and of a job that has ended.
    host_devices: Row {
        over: r#"
services:
  front: { devices: ["/dev/kmsg:/dev/kmsg:r"] }
  backend: { device_cgroup_rules: ["b 7:* rw"] }
  store: { volumes: ["/dev/kmsg:/log:ro"] }
  job: { devices: ["/dev/kmsg:/dev/innocent:r"] }
"#,
        claims: &[
            failed("host-isolation", "front"),
            failed("host-isolation", "backend"),
            failed("host-isolation", "store"),
            failed("host-isolation", "job"),
        ],
        ..Row::RIGHT
    };
    /// Namespaces of the host.
    namespaces_of_the_host: Row {
        over: "services: { front: { ipc: host }, backend: { pid: host }, store: { uts: host } }",
        claims: &[
            failed("host-isolation", "front"),
            failed("host-isolation", "backend"),
            failed("host-isolation", "store"),
        ],
        ..Row::RIGHT
    };
    /// Somebody else's container among the processes of the store.
    stranger_in_a_pid_namespace: Row {
        act: |stand| Box::pin(async move {
            let pid = Some(format!("container:{}", stand.container("store")));
            stand.beside("stranger", &[], ContainerSpec { pid, ..ContainerSpec::default() }).await;
        }),
        claims: &[failed("host-isolation", "store"), proved("host-isolation", "front")],
        ..Row::RIGHT
    };
    /// Files of the project, the host's time zone, its own shared memory, a harmless device, namespaces of each other.
    what_may_be_lent: Row {
        files: &[("site.conf", "x")],
        over: r#"
services:
  front: { volumes: ["./site.conf:/etc/site.conf:ro", "/etc/localtime:/etc/localtime:ro", "/cache"], devices: ["/dev/null:/dev/nothing"], ipc: "service:backend" }
  backend: { ipc: shareable, tmpfs: ["/scratch:size=1m"], init: true }
"#,
        claims: &[
            proved("host-isolation", "front"),
            proved("host-isolation", "backend"),
            proved("host-isolation", "store"),
            proved("host-isolation", "job"),
        ],
        ..Row::RIGHT
    };
    /// The refused write is the newest of very many lines, and still on its way into the log when the service is healthy:
    /// the engine holds back 1 MB, here some 10,000 lines.
    errors_behind_many_lines: Row {
        over: r#"
services:
  front:
    logging: { options: { max-size: 40m } }
    healthcheck: { start_period: 120s }
    command: !override [sh, -c, "mkdir -p /tmp/site && echo x > /tmp/site/index.html; busybox yes a-line-of-usual-length-a-line-of-usual-length-a-line-of-usual-length-a-line-of-usual-length- | busybox head -n 100000; touch /cannot 2>&1; exec busybox httpd -f -p 8080 -h /tmp/site"]
  backend:
    command: !override [sh, -c, "echo '{\"level\":50,\"err\":{\"code\":\"EACCES\",\"syscall\":\"open\"}}'; exec busybox httpd -f -p 8080 -h /etc"]
"#,
        claims: &[
            failed("no-write-errors", "front"),
            failed("no-write-errors", "backend"),
            proved("no-write-errors", "store"),
        ],
        ..Row::RIGHT
    };
    /// The same words in what somebody sent, and of another permission.
    a_visitor_fails_the_certificate: Row {
        over: r#"
services:
  front:
    command: !override [sh, -c, "mkdir -p /tmp/site && echo x > /tmp/site/index.html; echo '10.0.0.1 - - \"GET /wp-admin/EACCES HTTP/1.1\" 200 5 \"-\" \"open /x: permission denied\"'; exec busybox httpd -f -p 8080 -h /tmp/site"]
  backend:
    command: !override [sh, -c, "echo '{\"req\":{\"url\":\"/EROFS: read-only file system\"}}'; echo 'ERROR:  permission denied for table users'; exec busybox httpd -f -p 8080 -h /etc"]
"#,
        claims: &[proved("no-write-errors", "front"), proved("no-write-errors", "backend")],
        ..Row::RIGHT
    };
    /// A client whose password is wrong asks a store again and again, and every health check passes.
    a_store_that_refuses_its_client: Row {
        over: r#"
services:
  store:
    command: !override [sh, -c, "echo '2026-11-30 14:02:11.120 UTC [71] FATAL:  password authentication failed for user \"postgres\"'; exec busybox httpd -f -p 6379 -h /etc"]
"#,
        claims: &[failed("store-logins", "store"), absent("store-logins", "backend")],
        ..Row::RIGHT
    };
    /// A store that starts, a health check without a user, and a statement with the words.
    a_store_with_words_about_logins: Row {
        over: r#"
services:
  store:
    command: !override [sh, -c, "echo 'FATAL:  the database system is starting up'; echo 'FATAL:  role \"root\" does not exist'; echo 'STATEMENT:  select 1 -- password authentication failed for user'; exec busybox httpd -f -p 6379 -h /etc"]
"#,
        claims: &[proved("store-logins", "store")],
        ..Row::RIGHT
    };
}
