//! Pull and push against Debian's `docker-registry`: anonymous, with a password, with tokens, over TLS, and over
//! connections that break.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use plimsoll_image::{
    Image, ImageConfig, ImageRecord, LayerCompression, Reference, SealOptions, Store,
    manifest::Platform,
    registry::{Credential, Credentials, Progress, Registry, RegistryError},
};

/// bcrypt of `hush`.
const HTPASSWD: &str = "tester:$2y$05$abcdefghijklmnopqrstuulzd.YqjLDl8lvpSmVj3De/fioSBHnUa\n";

fn registry_is_here() -> bool {
    let here = ["docker-registry", "openssl"].iter().all(|program| {
        Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    });
    if !here {
        assert!(std::env::var_os("CI").is_none(), "this test needs `docker-registry` and `openssl`");
        eprintln!("skipped: install `docker-registry` and `openssl` to test against a registry");
    }
    here
}

/// A running registry; ends with the value.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(dir: &Path, extra_http: &str, extra: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\n\
             http:\n  addr: {address}\n{extra_http}{extra}",
            dir.join("registry").display()
        );
        let file = dir.join("registry.yml");
        fs::write(&file, config).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.join("registry.log")).unwrap())
            .spawn()
            .unwrap();
        let running = Self { child, address };
        let start = Instant::now();
        while TcpStream::connect(&running.address).is_err() {
            let log = fs::read_to_string(dir.join("registry.log")).unwrap();
            assert!(start.elapsed() < Duration::from_secs(20), "the registry does not start: {log}");
            thread::sleep(Duration::from_millis(20));
        }
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn example(store: &Store, sizes: &[usize]) -> ImageRecord {
    let mut layers = Vec::new();
    for (index, size) in sizes.iter().enumerate() {
        let draft = store.begin_layer().unwrap();
        fs::write(draft.fs.join(format!("file-{index}")), noise(*size, index as u64)).unwrap();
        layers.push(draft.seal(&SealOptions { epoch: Some(1) }).unwrap().id);
    }
    let mut config = ImageConfig::default();
    config.config.set_env("SIZES", &format!("{sizes:?}"));
    store.put_image(&Image { config, layers }, &[]).unwrap()
}

fn name(address: &str, rest: &str) -> Reference {
    Reference::parse(&format!("{address}/{rest}")).unwrap()
}

fn open(dir: &Path, name: &str) -> Store {
    Store::open(dir.join(name)).unwrap()
}

fn quiet(_: Progress) {}

fn same_files(left: (&Store, &ImageRecord), right: (&Store, &ImageRecord)) {
    assert_eq!(left.1.id, right.1.id);
    for (one, other) in left.1.layers.iter().zip(&right.1.layers) {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        left.0.write_layer_tar(one, &mut a).unwrap();
        right.0.write_layer_tar(other, &mut b).unwrap();
        assert!(a == b, "a layer's tar differs");
    }
}

#[test]
fn images_go_and_come_back() {
    if !registry_is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(dir.path(), "", "");
    let registry = Registry::new(Credentials::anonymous());
    let from = open(dir.path(), "from");
    let record = example(&from, &[300_000, 20]);
    for (tag, compression) in [
        ("keep", LayerCompression::Keep),
        ("zstd", LayerCompression::Zstd(3)),
        ("plain", LayerCompression::None),
    ] {
        let name = name(&server.address, &format!("team/app:{tag}"));
        let pushed = registry.push(&from, &record, &name, compression, &quiet).unwrap();
        assert_eq!(pushed.sent, if tag == "keep" { 3 } else { 2 }, "{tag}: the configuration travels once");
        let again = registry.push(&from, &record, &name, compression, &quiet).unwrap();
        assert_eq!((again.sent, again.bytes, again.digest), (0, 0, pushed.digest));
        assert_eq!(registry.resolve(&name).unwrap(), pushed.digest);
        let to = open(dir.path(), tag);
        let pulled = registry.pull(&to, &name, &Platform::host(), &quiet).unwrap();
        assert_eq!((pulled.digest, pulled.manifest), (pushed.digest, pushed.digest));
        same_files((&from, &record), (&to, &pulled.record));
        assert_eq!(to.image(&name).unwrap().unwrap().id, record.id);
        // by digest, and nothing travels twice
        let exact = name.with_digest(Some(pushed.digest));
        let travelled = AtomicUsize::new(0);
        let count = |event| {
            if matches!(event, Progress::Started { .. }) {
                travelled.fetch_add(1, Ordering::Relaxed);
            }
        };
        registry.pull(&to, &exact, &Platform::host(), &count).unwrap();
        assert_eq!(travelled.into_inner(), 0);
        // a pulled image is pushed on in the form in which it came
        if compression != LayerCompression::None {
            let on = registry.push(
                &to,
                &pulled.record,
                &self::name(&server.address, "other/app"),
                LayerCompression::Keep,
                &quiet,
            );
            assert_eq!(on.unwrap().digest, pushed.digest);
        }
    }
    // an engine of its own reads it too
    let missing = registry.pull(&from, &name(&server.address, "team/app:none"), &Platform::host(), &quiet);
    assert!(matches!(missing, Err(RegistryError::NotFound { .. })), "{missing:?}");
    let foreign = Platform::parse("linux/s390x").unwrap();
    let foreign = registry.pull(&from, &name(&server.address, "team/app:keep"), &foreign, &quiet);
    assert!(matches!(foreign, Err(RegistryError::NoPlatform { .. })), "{foreign:?}");

    // bytes that changed at rest
    let damaged = dir.path().join("registry/docker/registry/v2/blobs/sha256");
    let blob = fs::read_dir(damaged).unwrap().flat_map(|entry| fs::read_dir(entry.unwrap().path()).unwrap());
    let largest = blob
        .map(|entry| entry.unwrap().path().join("data"))
        .max_by_key(|path| fs::metadata(path).unwrap().len());
    let largest = largest.unwrap();
    let mut bytes = fs::read(&largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&largest, bytes).unwrap();
    let to = open(dir.path(), "damaged");
    let result = registry.pull(&to, &name(&server.address, "team/app:plain"), &Platform::host(), &quiet);
    assert!(result.is_err(), "damaged bytes were taken");
    assert_eq!(to.images().unwrap(), []);
    drop(server);
    let gone = registry.pull(&to, &Reference::parse("127.0.0.1:1/x").unwrap(), &Platform::host(), &quiet);
    assert!(matches!(gone, Err(RegistryError::Unreachable { .. })), "{gone:?}");
}

#[test]
fn an_index_is_followed_by_platform() {
    if !registry_is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(dir.path(), "", "");
    let registry = Registry::new(Credentials::anonymous());
    let from = open(dir.path(), "from");
    let record = example(&from, &[1000]);
    let pushed = registry
        .push(&from, &record, &name(&server.address, "multi:one"), LayerCompression::Keep, &quiet)
        .unwrap();
    let size = {
        let layout = plimsoll_image::output::OciLayout::new(
            &from,
            &[(record.clone(), vec![])],
            LayerCompression::Keep,
        );
        layout.unwrap().manifests()[0].size
    };
    let arch = plimsoll_image::host_architecture();
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[
        {{"mediaType":"{kind}","digest":"{0}","size":{size},"platform":{{"os":"unknown","architecture":"unknown"}}}},
        {{"mediaType":"{kind}","digest":"{0}","size":{size},"platform":{{"os":"linux","architecture":"{arch}"}}}}]}}"#,
        pushed.digest
    );
    let mut socket = TcpStream::connect(&server.address).unwrap();
    write!(
        socket,
        "PUT /v2/multi/manifests/all HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Content-Type: application/vnd.oci.image.index.v1+json\r\nContent-Length: {}\r\n\r\n{index}",
        server.address,
        index.len()
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let to = open(dir.path(), "to");
    let all = name(&server.address, "multi:all");
    let pulled = registry.pull(&to, &all, &Platform::host(), &quiet).unwrap();
    assert_eq!(pulled.manifest, pushed.digest);
    assert_ne!(pulled.digest, pushed.digest);
    same_files((&from, &record), (&to, &pulled.record));
    let error = registry.pull(&to, &all, &Platform::parse("linux/s390x").unwrap(), &quiet).unwrap_err();
    assert_eq!(error.to_string(), format!("`{all}` has no image for linux/s390x; it has linux/{arch}"));
}

fn password(user: &str, password: &str) -> Credential {
    Credential::Password { user: user.into(), password: password.into() }
}

#[test]
fn a_password_opens_a_registry() {
    if !registry_is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("htpasswd");
    fs::write(&file, HTPASSWD).unwrap();
    let auth = format!("auth:\n  htpasswd: {{realm: test, path: {}}}\n", file.display());
    let server = Running::start(dir.path(), "", &auth);
    let store = open(dir.path(), "store");
    let record = example(&store, &[1000]);
    let app = name(&server.address, "app");
    let push =
        |credentials| Registry::new(credentials).push(&store, &record, &app, LayerCompression::Keep, &quiet);
    let mut right = Credentials::anonymous();
    right.insert(&server.address, password("tester", "hush"));
    let mut wrong = Credentials::anonymous();
    wrong.insert(&server.address, password("tester", "secret-guess"));
    assert!(matches!(push(Credentials::anonymous()), Err(RegistryError::Refused { .. })));
    let refused = push(wrong).unwrap_err();
    assert!(matches!(refused, RegistryError::Refused { .. }), "{refused:?}");
    assert!(!format!("{refused:?} {refused}").contains("secret-guess"));
    push(right).unwrap();
    // as `docker login` leaves it
    let docker = dir.path().join("config.json");
    let auth = STANDARD.encode("tester:hush");
    fs::write(&docker, format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, server.address)).unwrap();
    let registry = Registry::new(Credentials::from_file(&docker).unwrap());
    registry.pull(&open(dir.path(), "to"), &app, &Platform::host(), &quiet).unwrap();
}

/// A key and its certificate for `127.0.0.1`.
fn certificate(dir: &Path) -> (PathBuf, PathBuf) {
    let (key, certificate) = (dir.join("key.pem"), dir.join("certificate.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    (key, certificate)
}

/// A certificate for the same key that the first one signs: TLS wants no authority as a server.
fn signed(dir: &Path, key: &Path, authority: &Path) -> PathBuf {
    let (request, extensions, leaf) = (dir.join("leaf.csr"), dir.join("leaf.ext"), dir.join("leaf.pem"));
    fs::write(&extensions, "basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1\n").unwrap();
    let openssl = |args: &[&str]| {
        assert!(Command::new("openssl").args(args).stderr(Stdio::null()).status().unwrap().success());
    };
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    openssl(&["req", "-new", "-key", &text(key), "-subj", "/CN=leaf", "-out", &text(&request)]);
    openssl(&[
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        &text(&request),
        "-CA",
        &text(authority),
        "-CAkey",
        &text(key),
        "-CAcreateserial",
        "-extfile",
        &text(&extensions),
        "-out",
        &text(&leaf),
    ]);
    leaf
}

/// A token service as registries use it: signs what was asked for, after it saw the password.
fn token_service(key: PathBuf, certificate: &Path) -> (String, Arc<AtomicUsize>) {
    let pem = fs::read_to_string(certificate).unwrap();
    let der: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let realm = format!("http://{}/token", listener.local_addr().unwrap());
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                let read = socket.read(&mut buffer).unwrap();
                if read == 0 {
                    break;
                }
                request.extend(&buffer[..read]);
            }
            let request = String::from_utf8(request).unwrap();
            let expected = format!("Basic {}", STANDARD.encode("robot:token-secret"));
            let known = request.lines().any(|line| {
                line.split_once(": ").is_some_and(|(name, value)| {
                    name.eq_ignore_ascii_case("authorization") && value == expected
                })
            });
            let target = request
                .split(' ')
                .nth(1)
                .unwrap()
                .replace("%3A", ":")
                .replace("%2C", ",")
                .replace("%2F", "/");
            let scope =
                target.split("scope=").nth(1).map(|rest| rest.split('&').next().unwrap()).unwrap_or_default();
            let mut parts = scope.rsplitn(2, ':');
            let actions = parts.next().unwrap_or_default();
            let repository = parts.next().unwrap_or_default().trim_start_matches("repository:");
            let actions: Vec<_> = actions
                .split(',')
                .filter(|action| known || *action == "pull")
                .map(|action| format!("\"{action}\""))
                .collect();
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            let header = format!(r#"{{"typ":"JWT","alg":"RS256","x5c":["{der}"]}}"#);
            let claims = format!(
                r#"{{"iss":"test","sub":"robot","aud":"registry","exp":{},"nbf":{},"iat":{now},"jti":"1",
                "access":[{{"type":"repository","name":"{repository}","actions":[{}]}}]}}"#,
                now + 300,
                now - 10,
                actions.join(",")
            );
            let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            let mut signer = Command::new("openssl")
                .args(["dgst", "-sha256", "-sign"])
                .arg(&key)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            signer.stdin.take().unwrap().write_all(signed.as_bytes()).unwrap();
            let signature = signer.wait_with_output().unwrap().stdout;
            let body = format!(r#"{{"token":"{signed}.{}"}}"#, URL_SAFE_NO_PAD.encode(signature));
            count.fetch_add(1, Ordering::Relaxed);
            let _ = write!(
                socket,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (realm, served)
}

#[test]
fn a_token_opens_a_registry() {
    if !registry_is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (key, certificate) = certificate(dir.path());
    let (realm, served) = token_service(key, &certificate);
    let auth = format!(
        "auth:\n  token: {{realm: \"{realm}\", service: registry, issuer: test, rootcertbundle: {}}}\n",
        certificate.display()
    );
    let server = Running::start(dir.path(), "", &auth);
    let store = open(dir.path(), "store");
    let record = example(&store, &[1000, 2000]);
    let app = name(&server.address, "deep/er/app:1");
    let anonymous = Registry::new(Credentials::anonymous());
    let refused = anonymous.push(&store, &record, &app, LayerCompression::Keep, &quiet).unwrap_err();
    assert!(matches!(refused, RegistryError::Refused { .. }), "{refused:?}");
    let mut credentials = Credentials::anonymous();
    credentials.insert(&server.address, password("robot", "token-secret"));
    let registry = Registry::new(credentials);
    served.store(0, Ordering::Relaxed);
    let pushed = registry.push(&store, &record, &app, LayerCompression::Keep, &quiet).unwrap();
    assert!(served.load(Ordering::Relaxed) <= 2, "a token is asked for once, not for every blob");
    // everybody may pull
    let pulled = anonymous.pull(&open(dir.path(), "to"), &app, &Platform::host(), &quiet).unwrap();
    assert_eq!(pulled.digest, pushed.digest);
}

/// Does the work of the tests below in a process with its own environment. Runs only when asked to.
#[test]
fn child_pulls() {
    let Ok(image) = std::env::var("PLIMSOLL_TEST_PULL") else { return };
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::new(Credentials::from_docker_config().unwrap());
    let pulled =
        registry.pull(&open(dir.path(), "to"), &Reference::parse(&image).unwrap(), &Platform::host(), &quiet);
    let text = match pulled {
        Ok(pulled) => format!("pulled {}", pulled.digest),
        Err(error) => format!("failed {error}"),
    };
    fs::write(std::env::var("PLIMSOLL_TEST_ANSWER").unwrap(), text).unwrap();
}

#[test]
fn a_credential_helper_is_asked() {
    if !registry_is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("htpasswd");
    fs::write(&file, HTPASSWD).unwrap();
    let auth = format!("auth:\n  htpasswd: {{realm: test, path: {}}}\n", file.display());
    let server = Running::start(dir.path(), "", &auth);
    let store = open(dir.path(), "store");
    let mut right = Credentials::anonymous();
    right.insert(&server.address, password("tester", "hush"));
    let app = name(&server.address, "app");
    let record = example(&store, &[1000]);
    Registry::new(right).push(&store, &record, &app, LayerCompression::Keep, &quiet).unwrap();
    // a helper as `pass` or `secretservice` are: the server on standard input, JSON on standard output
    let helper = dir.path().join("docker-credential-test");
    let script = format!(
        "#!/bin/sh\nread server\n[ \"$1 $server\" = \"get {}\" ] || {{ echo credentials not found in native keychain; exit 1; }}\n\
         echo '{{\"ServerURL\":\"x\",\"Username\":\"tester\",\"Secret\":\"hush\"}}'\n",
        server.address
    );
    fs::write(&helper, script).unwrap();
    fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let answer = dir.path().join("answer");
    let pull = |config: &str| {
        fs::write(dir.path().join("config.json"), config).unwrap();
        let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_pulls"])
            .env("PLIMSOLL_TEST_PULL", app.canonical())
            .env("PLIMSOLL_TEST_ANSWER", &answer)
            .env("DOCKER_CONFIG", dir.path())
            .env("PATH", path)
            .stdout(Stdio::null())
            .status();
        assert!(child.unwrap().success());
        fs::read_to_string(&answer).unwrap()
    };
    assert!(pull("{}").contains("refuses access"), "{}", pull("{}"));
    let for_host = format!(r#"{{"credHelpers":{{"{}":"test"}}}}"#, server.address);
    assert!(pull(&for_host).starts_with("pulled sha256:"), "{}", pull(&for_host));
    assert!(pull(r#"{"credsStore":"test"}"#).starts_with("pulled sha256:"));
}

#[test]
fn tls_is_checked_against_the_machines_certificates() {
    if !registry_is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (key, authority) = certificate(dir.path());
    let leaf = signed(dir.path(), &key, &authority);
    let tls = format!("  tls: {{certificate: {}, key: {}}}\n", leaf.display(), key.display());
    let server = Running::start(dir.path(), &tls, "");
    let answer = dir.path().join("answer");
    let pull = |trusted: Option<&Path>| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "child_pulls"])
            .env("PLIMSOLL_TEST_PULL", format!("{}/nothing", server.address));
        child.env("PLIMSOLL_TEST_ANSWER", &answer).env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        if let Some(trusted) = trusted {
            child.env("SSL_CERT_FILE", trusted);
        }
        assert!(child.stdout(Stdio::null()).status().unwrap().success());
        fs::read_to_string(&answer).unwrap()
    };
    let object = "does not have `nothing:latest`";
    let trusted = pull(Some(&authority));
    assert!(trusted.contains(object), "{trusted}");
    let unknown = pull(None);
    assert!(unknown.contains("cannot reach registry") && unknown.contains("certificate"), "{unknown}");
}

/// Passes bytes on to the registry, and cuts the first connections after some bytes.
fn breaking(upstream: String, cuts: usize, down: usize, up: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let cut = Arc::new(AtomicUsize::new(0));
    let counter = cut.clone();
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = TcpStream::connect(&upstream).unwrap();
            let pass = |mut from: TcpStream, mut to: TcpStream, most: usize, counter: Arc<AtomicUsize>| {
                thread::spawn(move || {
                    let mut passed = 0;
                    let mut buffer = [0; 16 << 10];
                    while let Ok(read) = from.read(&mut buffer) {
                        if read == 0 || to.write_all(&buffer[..read]).is_err() {
                            break;
                        }
                        passed += read;
                        if passed > most && counter.fetch_add(1, Ordering::Relaxed) < cuts {
                            let _ = from.shutdown(Shutdown::Both);
                            break;
                        }
                    }
                    let _ = to.shutdown(Shutdown::Both);
                });
            };
            pass(client.try_clone().unwrap(), server.try_clone().unwrap(), up, counter.clone());
            pass(server, client, down, counter.clone());
        }
    });
    (address, cut)
}

#[test]
fn broken_transfers_are_taken_up_again() {
    if !registry_is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(dir.path(), "", "");
    let store = open(dir.path(), "from");
    let record = example(&store, &[40 << 20, 5 << 20]);
    let registry = Registry::new(Credentials::anonymous());
    let never = usize::MAX;
    let begin = Instant::now();

    let (address, cut) = breaking(server.address.clone(), 3, never, 6 << 20);
    let pushed =
        registry.push(&store, &record, &name(&address, "app"), LayerCompression::Gzip(0), &quiet).unwrap();
    assert!(cut.load(Ordering::Relaxed) >= 3, "nothing was cut");
    eprintln!("pushed after {:?}", begin.elapsed());

    let (address, cut) = breaking(server.address.clone(), 4, 3 << 20, never);
    let to = open(dir.path(), "to");
    let pulled = registry.pull(&to, &name(&address, "app"), &Platform::host(), &quiet).unwrap();
    assert!(cut.load(Ordering::Relaxed) >= 4, "nothing was cut");
    eprintln!("pulled after {:?}", begin.elapsed());
    assert_eq!(pulled.digest, pushed.digest);
    same_files((&store, &record), (&to, &pulled.record));

    // one that always breaks ends with an error, not never
    let (address, _) = breaking(server.address.clone(), never, 64 << 10, never);
    let start = Instant::now();
    let result =
        registry.pull(&open(dir.path(), "hopeless"), &name(&address, "app"), &Platform::host(), &quiet);
    assert!(matches!(result, Err(RegistryError::Unreachable { .. })), "{result:?}");
    assert!(start.elapsed() < Duration::from_mins(1), "{:?}", start.elapsed());
}

#[test]
fn a_blob_is_taken_from_another_repository() {
    if !registry_is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(dir.path(), "", "");
    let registry = Registry::new(Credentials::anonymous());
    let store = open(dir.path(), "from");
    let record = example(&store, &[300_000, 20]);
    let first = name(&server.address, "team/base:1");
    let pushed = registry.push(&store, &record, &first, LayerCompression::Keep, &quiet).unwrap();
    assert_eq!((pushed.sent, pushed.mounted), (3, 0));
    // without a name of the other repository nothing is known of it
    store.tag(&record.id, &first).unwrap();
    let second = name(&server.address, "team/app:1");
    let pushed = registry.push(&store, &record, &second, LayerCompression::Keep, &quiet).unwrap();
    assert_eq!((pushed.sent, pushed.mounted), (1, 2), "only the configuration travels");
    let to = open(dir.path(), "to");
    let pulled = registry.pull(&to, &second, &Platform::host(), &quiet).unwrap();
    same_files((&store, &record), (&to, &pulled.record));
    // a repository that does not have it any more costs one question
    store.tag(&record.id, &name(&server.address, "team/gone:1")).unwrap();
    store.untag(&first).unwrap();
    let third = name(&server.address, "team/third:1");
    let pushed = registry.push(&store, &record, &third, LayerCompression::Keep, &quiet).unwrap();
    assert_eq!((pushed.sent, pushed.mounted), (3, 0));
}

#[test]
fn a_mirror_is_asked_first_and_passed_over_when_it_fails() {
    if !registry_is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(dir.path(), "", "");
    let store = open(dir.path(), "from");
    let record = example(&store, &[300_000]);
    let plain = || Registry::new(Credentials::anonymous());
    let there = name(&server.address, "library/app:1");
    plain().push(&store, &record, &there, LayerCompression::Keep, &quiet).unwrap();
    // the name is another registry's, which does not exist
    let wanted = Reference::parse("registry.invalid/library/app:1").unwrap();
    assert!(matches!(plain().resolve(&wanted), Err(RegistryError::Unreachable { .. })));

    let to = open(dir.path(), "to");
    let dead = "http://127.0.0.1:1";
    let mirrored = plain()
        .mirror("registry.invalid", dead)
        .mirror("registry.invalid", &format!("http://{}/", server.address));
    let pulled = mirrored.pull(&to, &wanted, &Platform::host(), &quiet).unwrap();
    same_files((&store, &record), (&to, &pulled.record));
    assert_eq!(to.image(&wanted).unwrap().unwrap().id, record.id, "it has the name that was asked for");
    let lacking = Reference::parse("registry.invalid/library/other:1").unwrap();
    let error = mirrored.resolve(&lacking).unwrap_err();
    assert!(
        matches!(error, RegistryError::Unreachable { .. }),
        "the registry itself has the last word: {error}"
    );
}
