//! The bases of Node.js in an engine.

use crate::engine::{AUTHORITIES, image, network, once, write};
use crate::{Test, home};

pub(crate) const TESTS: &[Test] = &[
    ("node: builds run in it", node),
    ("node-22, node-24: builds run in them", node_npm),
    ("node-24: arguments as the official image takes them", node_arguments),
    ("node-24: npm installs where the registry is reachable", node_installs),
    ("distroless-node: runs a script, has no shell", distroless_node),
    ("distroless-node-22, distroless-node-24: run a script, have no shell", distroless_node_npm),
];

fn node() {
    let script = "node -p 'process.version' && npm --version && id -u node && printenv NODE_VERSION";
    let (done, text) = once("node", &[], &["sh", "-euc", script]);
    assert!(done && text.starts_with("v20."), "{text}");
    let version = home().base("node").record.version.clone();
    assert!(text.ends_with(&format!("1000\n{version}\n")), "{text}");
}

fn node_npm() {
    for (base, major, npm) in [("node-22", "22", "10"), ("node-24", "24", "11")] {
        let script = "for tool in npm npx yarn corepack; do $tool --version; done; id -u node; command -v node; printenv NODE_VERSION; \
            test -f /usr/local/include/node/node_api.h";
        let (done, text) = once(base, &["--tmpfs", "/tmp", "-e", "HOME=/tmp"], &["sh", "-euc", script]);
        let lines: Vec<_> = text.lines().collect();
        assert!(done && lines.len() == 7, "{text}");
        for line in &lines[..2] {
            assert!(line.starts_with(&format!("{npm}.")), "{text}");
        }
        assert!(lines[2].starts_with("1.22.") && lines[3].starts_with("0."), "{text}");
        let version = &home().base(base).record.version;
        assert!(version.starts_with(&format!("{major}.")), "{version}");
        assert_eq!(lines[4..], ["1000", "/usr/local/bin/node", version], "{text}");
        assert_eq!(once(base, &[], &["--version"]), (true, format!("v{version}\n")));
    }
}

fn node_arguments() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("app.js"), "console.log('app', process.argv.slice(2).join())", 0o644);
    let mount = format!("{}:/app:ro", dir.path().display());
    let run = |command: &[&str]| once("node-24", &["-v", &mount, "-w", "/app", "--user", "node"], command);
    assert_eq!(run(&["app.js", "x"]), (true, "app x\n".to_owned()), "a script is node's");
    assert_eq!(run(&["-p", "1 + 1"]), (true, "2\n".to_owned()), "options are node's");
    assert_eq!(run(&["node", "app.js"]), (true, "app \n".to_owned()));
    assert_eq!(run(&["sh", "-c", "echo $0 a"]), (true, "sh a\n".to_owned()), "a program is the command");
    let (done, text) = run(&["missing.js"]);
    assert!(!done && text.contains("Cannot find module '/app/missing.js'"), "{text}");
}

fn node_installs() {
    let mount = format!("{AUTHORITIES}:/ca.pem:ro");
    let image = image("node-24");
    let script = "cd /tmp && npm install --no-audit --no-fund --loglevel=error is-number@7.0.0 && node -p 'require(\"is-number\")(5)'";
    let run = network(
        &["-v", &mount, "-e", "NODE_EXTRA_CA_CERTS=/ca.pem", "-e", "npm_config_update_notifier=false"],
        &image,
        &["sh", "-euc", script],
    );
    let Some((done, text)) = run else { return };
    assert!(done && text.ends_with("true\n"), "{text}");
}

fn distroless_node_npm() {
    for base in ["distroless-node-22", "distroless-node-24"] {
        let script = "console.log(process.getuid(), process.execPath, new Intl.NumberFormat('de').format(1234.5));\
            require('node:fs').readFileSync(process.env.SSL_CERT_FILE);\
            console.log(require('node:child_process').spawnSync('/bin/sh').error.code);\
            require('node:dns').lookup('localhost', (error, address) => console.log(error ?? address))";
        let (done, text) = once(base, &[], &["-e", script]);
        assert!(done, "{text}");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines, ["65532 /nodejs/bin/node 1.234,5", "ENOENT", "127.0.0.1"], "{text}");
        let version = &home().base(base).record.version;
        assert_eq!(once(base, &[], &["--version"]), (true, format!("v{version}\n")));
        let (done, text) = once(base, &["--entrypoint", "/bin/sh"], &["-c", "true"]);
        assert!(!done && text.contains("no such file"), "{text}");
    }
}

fn distroless_node() {
    let script = "console.log(process.getuid(), new Intl.NumberFormat('de').format(1234.5), process.versions.openssl.split('.')[0]);\
        require('node:dns').lookup('localhost', (error, address) => console.log(error ?? address));\
        require('node:fs').readFileSync(process.env.SSL_CERT_FILE);\
        console.log(require('node:child_process').spawnSync('/bin/sh').error.code);\
        try { require('node:fs').writeFileSync('/x', '') } catch (error) { console.log(error.code) }";
    let (done, text) = once("distroless-node", &[], &["-e", script]);
    assert!(done, "{text}");
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        ["65532 1.234,5 3", "ENOENT", "EROFS", "127.0.0.1"].as_slice(),
        "{text}"
    );
    let (done, text) = once("distroless-node", &["--entrypoint", "/bin/sh"], &["-c", "true"]);
    assert!(!done && text.contains("no such file"), "{text}");
    let (done, _) = once("distroless-node", &["--entrypoint", "/usr/bin/node"], &["--version"]);
    assert!(done);
}
