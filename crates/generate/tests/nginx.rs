//! The generated nginx.conf in a real nginx: that it is accepted, and what it answers.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use plimsoll_generate::{Policy, generate, plan};
use plimsoll_survey::{ReadLimits, Repository, survey};

const SECURITY: [&str; 5] = [
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "permissions-policy",
    "content-security-policy",
];

/// An nginx with the generated configuration, its paths and port moved into a folder of the test.
struct Nginx {
    child: Child,
    port: u16,
    tls_port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // A master that is killed leaves its workers behind, and they hold what the test has inherited.
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }
}

impl Nginx {
    /// `None`, with a message, where there is no nginx.
    fn start(upstream: u16) -> Option<Self> {
        Self::start_with(upstream, &Policy::default(), &[])
    }

    /// The front of this policy, with texts of its configuration changed.
    fn start_with(upstream: u16, policy: &Policy, changed: &[(&str, &str)]) -> Option<Self> {
        Self::start_config(upstream, config(policy), changed)
    }

    fn start_config(
        upstream: u16,
        (config, https_port): (String, Option<String>),
        changed: &[(&str, &str)],
    ) -> Option<Self> {
        let program = program()?;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["tmp", "www/assets"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::write(root.join("www/index.html"), "<html></html>").unwrap();
        fs::write(root.join("www/assets/app-1a2b.js"), "x".repeat(50_000)).unwrap();
        fs::write(root.join("www/assets/a999.css"), "a".repeat(999)).unwrap();
        fs::write(root.join("www/assets/a1000.css"), "a".repeat(1000)).unwrap();
        for name in ["main-QWZXKABC.js", "main.0123456789abcdef.css", "report-20241031.js", "a-CHANGES.js"] {
            fs::write(root.join("www").join(name), "a").unwrap();
        }
        fs::write(root.join("tmp/config.js"), "window.X = {};").unwrap();
        fs::write(root.join("mime.types"), MIME).unwrap();
        let (port, tls_port) = (closed_port(), closed_port());
        let path = root.display().to_string();
        if let Some(template) = https_port {
            // As the image's entrypoint fills it.
            let filled = template.replace("${NGINX_HTTPS_PORT}", &format!("127.0.0.1:{tls_port}"));
            fs::write(root.join("tmp/https_port.conf"), filled).unwrap();
            certificate(root);
        }
        let config = changed.iter().fold(config, |config, (from, to)| {
            assert!(config.contains(from), "{from}");
            config.replace(from, to)
        });
        let config = config
            .replace("/tmp/", &format!("{path}/tmp/"))
            .replace("/srv/www", &format!("{path}/www"))
            .replace("/etc/nginx/mime.types", &format!("{path}/mime.types"))
            .replace("listen 8080", &format!("listen 127.0.0.1:{port}"))
            .replace("listen 8443", &format!("listen 127.0.0.1:{tls_port}"))
            .replace("/run/secrets/", &format!("{path}/"))
            .replace("http://backend:3000", &format!("http://127.0.0.1:{upstream}"))
            .replace("/dev/stdout", &format!("{path}/access.log"))
            .replace("/dev/stderr", &format!("{path}/error.log"));
        fs::write(root.join("nginx.conf"), config).unwrap();
        let command = |extra: &[&str]| {
            let mut command = Command::new(&program);
            command
                .arg("-p")
                .arg(root)
                .arg("-c")
                .arg(root.join("nginx.conf"))
                .args(extra)
                .stdin(Stdio::null());
            command
        };
        // `nobody` cannot enter the test's folder. One process: a worker would outlive a master that is killed.
        let directives = ["-g", "daemon off; master_process off; user root;"];
        let checked = command(&[&directives[..], &["-t"]].concat()).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        let child = command(&directives).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let nginx = Self { child, port, tls_port, _folder: folder };
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "nginx does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        Some(nginx)
    }

    fn get(&self, path: &str, headers: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"))
    }

    fn send(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Answer::parse(&bytes)
    }

    /// The same over TLS, with more options of `openssl s_client`. `None` where the server refuses the handshake.
    fn send_over_tls(&self, request: &str, options: &[&str]) -> Option<Answer> {
        let mut client = Command::new("openssl")
            .args(["s_client", "-quiet", "-connect", &format!("127.0.0.1:{}", self.tls_port)])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // A client that was refused reads no request.
        let _ = client.stdin.take().unwrap().write_all(request.as_bytes());
        let output = client.wait_with_output().unwrap();
        (!output.stdout.is_empty()).then(|| Answer::parse(&output.stdout))
    }
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let split = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        Self { status, headers, body: bytes[split + 4..].to_vec() }
    }
}

/// A certificate and its key, as the Compose file tells people to make them for a try.
fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", "tls_certificate"])
        .args(["-keyout", "tls_key"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn program() -> Option<PathBuf> {
    let named = env::var_os("PLIMSOLL_TEST_NGINX").map(PathBuf::from);
    let found = named.or_else(|| {
        let path = env::var_os("PATH")?;
        env::split_paths(&path)
            .chain(["/usr/sbin".into()])
            .map(|folder| folder.join("nginx"))
            .find(|file| file.is_file())
    });
    if found.is_none() {
        eprintln!("skipped: no nginx on this machine; PLIMSOLL_TEST_NGINX can name one");
    }
    found
}

/// The nginx.conf of the example's front, and the template of what it includes.
fn config(policy: &Policy) -> (String, Option<String>) {
    config_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pivotal"), policy)
}

fn config_of(repository: &Path, policy: &Policy) -> (String, Option<String>) {
    let survey = survey(&Repository::open(repository, ReadLimits::default()).unwrap());
    let files = generate(&plan(&survey, policy, &|_| false).unwrap().stack).unwrap();
    let text = |name: &str| files.iter().find(|file| file.path.ends_with(name)).map(|file| file.text.clone());
    (text("/nginx.conf").unwrap(), text("/https_port.conf.template"))
}

const MIME: &str = "types { text/html html; text/css css; application/javascript js; image/svg+xml svg; }";

/// A port where nothing listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn every_answer_has_each_security_header_once() {
    let Some(nginx) = Nginx::start(closed_port()) else { return };
    let cases = [
        ("/", 200),
        ("/stories/12", 200),
        ("/assets/app-1a2b.js", 200),
        ("/assets/none.js", 404),
        ("/none.png", 404),
        ("/health", 200),
        ("/config.js", 200),
        ("/api/v1/stories", 502),
    ];
    for (path, status) in cases {
        let answer = nginx.get(path, "");
        assert_eq!(answer.status, status, "{path}");
        for name in SECURITY {
            assert_eq!(answer.all(name).len(), 1, "{name} on {path}");
        }
        assert_eq!(answer.all("content-type").len(), 1, "{path}");
        assert!(answer.all("cache-control").len() <= 1, "{path}");
        assert_eq!(answer.all("server"), ["nginx"], "no version");
        assert!(answer.all("strict-transport-security").is_empty(), "{path} over plain HTTP");
    }
    let broken = nginx.send("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n");
    assert_eq!((broken.status, broken.all("x-frame-options").len()), (400, 1));
    let tls = nginx.get("/", "X-Forwarded-Proto: https\r\n");
    assert_eq!(tls.all("strict-transport-security"), ["max-age=31536000"]);
}

#[test]
fn files_with_a_hash_in_their_name_may_lie_beside_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        (
            "package.json",
            r#"{ "name": "shop", "scripts": { "build": "ng build" }, "dependencies": { "@angular/core": "19.0.0" } }"#,
        ),
        ("package-lock.json", "{}"),
        (
            "angular.json",
            r#"{ "projects": { "shop": { "architect": { "build": { "builder": "@angular-devkit/build-angular:application" } } } } }"#,
        ),
    ];
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let config = config_of(folder.path(), &Policy::default());
    let Some(nginx) = Nginx::start_config(closed_port(), config, &[]) else { return };
    let year = "public, max-age=31536000, immutable";
    let cases = [
        ("/", 200, "no-cache"),
        ("/main-QWZXKABC.js", 200, year),
        ("/main.0123456789abcdef.css", 200, year),
        ("/report-20241031.js", 200, "no-cache"),
        ("/a-CHANGES.js", 200, "no-cache"),
        ("/main-ABCDEFGH.js", 404, "no-cache"),
        ("/places/main-ABCDEFGH", 200, "no-cache"),
    ];
    for (path, status, expected) in cases {
        let answer = nginx.get(path, "");
        assert_eq!((answer.status, answer.all("cache-control")), (status, vec![expected]), "{path}");
    }
}

#[test]
fn each_kind_of_file_is_kept_as_long_as_it_may_be() {
    let Some(nginx) = Nginx::start(closed_port()) else { return };
    let year = "public, max-age=31536000, immutable";
    let cases = [
        ("/", "no-cache"),
        ("/deep/link", "no-cache"),
        ("/index.html", "no-cache"),
        ("/assets/app-1a2b.js", year),
        ("/assets/none.js", "no-cache"),
        ("/config.js", "no-store"),
    ];
    for (path, expected) in cases {
        assert_eq!(nginx.get(path, "").all("cache-control"), [expected], "{path}");
    }
    let tag = nginx.get("/assets/app-1a2b.js", "").all("etag")[0].to_owned();
    let unchanged = nginx.get("/assets/app-1a2b.js", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((unchanged.status, unchanged.all("cache-control")), (304, vec![year]));
}

#[test]
fn answers_are_compressed_from_1000_bytes() {
    let Some(nginx) = Nginx::start(closed_port()) else { return };
    let encoding = |path: &str| {
        let answer = nginx.get(path, "Accept-Encoding: gzip\r\n");
        (answer.all("content-encoding").concat(), answer.body.len())
    };
    assert_eq!(encoding("/assets/a999.css"), (String::new(), 999));
    assert_eq!(encoding("/assets/a1000.css").0, "gzip");
    assert!(encoding("/assets/app-1a2b.js").1 < 1000);
}

#[test]
fn health_is_exact_and_its_own_kind_of_text() {
    let Some(nginx) = Nginx::start(closed_port()) else { return };
    let health = nginx.get("/health", "");
    assert_eq!(
        (health.status, health.body.as_slice(), health.all("content-type")),
        (200, &b"healthy\n"[..], vec!["text/plain"])
    );
    assert_ne!(nginx.get("/healthXYZ", "").body, b"healthy\n");
}

/// Nothing but /api/ reaches the application; it learns who asked and sets its own headers only once.
#[test]
fn the_application_gets_what_is_under_api() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let Some(nginx) = Nginx::start(port) else { return };
    let application = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            request.push(byte[0]);
        }
        let answer = "HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nX-Frame-Options: DENY\r\n\
                      Cache-Control: private\r\nX-Powered-By: it\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(request).unwrap().to_lowercase()
    });
    let page = nginx.get("/metrics", "");
    assert_eq!(page.body, b"<html></html>");
    let answer = nginx.get("/api/v1/a%20b?c=d", "X-Forwarded-For: 9.9.9.9\r\n");
    assert_eq!((answer.status, answer.body.as_slice()), (500, &b"{}"[..]));
    assert_eq!(answer.all("x-frame-options"), ["DENY"]);
    assert_eq!(answer.all("cache-control"), ["private"]);
    assert!(answer.all("x-powered-by").is_empty());
    let request = application.join().unwrap();
    assert!(request.starts_with("get /api/v1/a%20b?c=d http/1.1"), "{request}");
    assert!(
        request.contains("x-forwarded-for: 9.9.9.9, 127.0.0.1")
            && request.contains("x-forwarded-proto: http\r\n")
    );
}

fn with_tls() -> Policy {
    Policy { answers: [("tls".to_owned(), "files".to_owned())].into(), ..Policy::default() }
}

#[test]
fn without_tls_there_is_only_the_way_to_tls() {
    let Some(nginx) = Nginx::start_with(closed_port(), &with_tls(), &[]) else { return };
    for (request, path) in [("GET", "/"), ("POST", "/api/v1/stories?a=b"), ("GET", "/config.js")] {
        let answer = nginx.send(&format!(
            "{request} {path} HTTP/1.1\r\nHost: shop.example:8080\r\nConnection: close\r\n\r\n"
        ));
        assert_eq!(answer.status, 308, "{request} {path}");
        // The host that was asked for, and the port that users see.
        let target = format!("https://shop.example:{}{path}", nginx.tls_port);
        assert_eq!(answer.all("location"), [target.as_str()]);
    }
    // The health check asks inside of the container.
    assert_eq!(nginx.get("/health", "").body, b"healthy\n");
    let nameless = nginx.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(nameless.status, 400, "without a host there is no address to name");
}

#[test]
fn the_usual_port_is_not_named_and_visitors_see_no_health() {
    let changed = [
        ("include /tmp/https_port.conf;", "map \"443\" $https_port { default \"\"; \"~^(.*:)?443$\" \"\"; }"),
        ("$remote_addr != 127.0.0.1", "$remote_addr != 127.0.0.9"),
    ];
    let Some(nginx) = Nginx::start_with(closed_port(), &with_tls(), &changed) else { return };
    let answer = nginx.get("/health", "");
    assert_eq!((answer.status, answer.all("location")), (308, vec!["https://x/health"]));
}

#[test]
fn over_tls_every_answer_says_so_for_a_year() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let Some(nginx) = Nginx::start_with(port, &with_tls(), &[]) else { return };
    let request = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n"
        )
    };
    for (path, status) in [("/", 200), ("/assets/none.js", 404), ("/health", 200)] {
        let answer = nginx.send_over_tls(&request(path), &[]).unwrap();
        assert_eq!(
            (answer.status, answer.all("strict-transport-security")),
            (status, vec!["max-age=31536000"])
        );
        for name in SECURITY {
            assert_eq!(answer.all(name).len(), 1, "{name} on {path}");
        }
    }
    let application = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut request, mut byte) = (Vec::new(), [0]);
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            request.push(byte[0]);
        }
        let answer = "HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(request).unwrap().to_lowercase()
    });
    let answer = nginx.send_over_tls(&request("/api/v1/x"), &[]).unwrap();
    assert_eq!((answer.status, answer.all("strict-transport-security")), (200, vec!["max-age=31536000"]));
    // What a visitor says of himself is not passed on.
    let request = application.join().unwrap();
    assert!(request.contains("x-forwarded-proto: https\r\n"), "{request}");
    assert!(request.contains("x-forwarded-for: 127.0.0.1\r\n"), "{request}");
}

#[test]
fn old_versions_of_tls_are_refused() {
    let Some(nginx) = Nginx::start_with(closed_port(), &with_tls(), &[]) else { return };
    let request = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for (version, spoken) in [("-tls1", false), ("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)] {
        let answer = nginx.send_over_tls(request, &[version, "-cipher", "ALL:@SECLEVEL=0"]);
        assert_eq!(answer.is_some(), spoken, "{version}");
    }
}
