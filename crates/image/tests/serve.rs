//! The registry of our own: our client, broken connections, other people's clients, and a Docker engine.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use plimsoll_image::{
    Digest, Image, ImageConfig, ImageRecord, LayerCompression, Reference, SealOptions, Store,
    bundle::{Bundle, Form, Member, Statement},
    manifest::Platform,
    registry::{Credentials, Progress, Registry, RegistryError},
    serve::Server,
};
use serde_json::{Value, json};

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn example(store: &Store, architecture: &str, sizes: &[usize]) -> ImageRecord {
    let mut layers = Vec::new();
    for (index, size) in sizes.iter().enumerate() {
        let draft = store.begin_layer().unwrap();
        fs::write(draft.fs.join(format!("file-{index}")), noise(*size, index as u64)).unwrap();
        layers.push(draft.seal(&SealOptions { epoch: Some(1) }).unwrap().id);
    }
    let mut config = ImageConfig { architecture: architecture.to_owned(), ..ImageConfig::default() };
    config.config.cmd = Some(vec!["/none".to_owned()]);
    store.put_image(&Image { config, layers }, &[]).unwrap()
}

fn open(dir: &Path, name: &str) -> Store {
    Store::open(dir.join(name)).unwrap()
}

fn name(address: impl ToString, rest: &str) -> Reference {
    Reference::parse(&format!("{}/{rest}", address.to_string())).unwrap()
}

fn client() -> Registry {
    Registry::new(Credentials::anonymous())
}

fn quiet(_: Progress) {}

/// Sends one request as it stands and gives the status, the head and the body of the answer.
fn ask(address: SocketAddr, request: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(request.replace('\n', "\r\n").as_bytes()).unwrap();
    socket.write_all(body).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (head[9..12].parse().unwrap(), head, answer[end + 4..].to_vec())
}

fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    let (status, _, body) =
        ask(address, &format!("GET {path} HTTP/1.1\nHost: localhost\nConnection: close\n\n"), b"");
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[test]
fn registry_for_every_site() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("registry"), 0).unwrap();
    let at = server.address();
    let post = |headers: &str| {
        let request = format!(
            "POST /v2/alpine/blobs/uploads/ HTTP/1.1\n{headers}Content-Length: 0\nConnection: close\n\n"
        );
        ask(at, &request, b"").0
    };
    assert_eq!(post("Host: rebind.evil.example:22056\nOrigin: http://evil.example\n"), 403);
    assert_eq!(post("Host: rebind.evil.example\n"), 403);
    assert_eq!(post(&format!("Host: {at}\nOrigin: http://evil.example\n")), 403);
    assert_eq!(post(&format!("Host: {at}\nSec-Fetch-Site: cross-site\n")), 403);
    // reading is for this machine's own names, too
    let (status, _, _) = ask(at, "GET /v2/_catalog HTTP/1.1\nHost: evil.example\nConnection: close\n\n", b"");
    assert_eq!(status, 403);
    assert_eq!(post(&format!("Host: {at}\n")), 202);
    assert_eq!(post(&format!("Host: localhost:{}\n", at.port())), 202);
}

#[test]
fn images_go_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("registry"), 0).unwrap();
    let at = server.address();
    assert!(at.ip().is_loopback());
    let from = open(dir.path(), "from");
    let (amd, arm) = (example(&from, "amd64", &[300_000, 20]), example(&from, "arm64", &[300_000, 30]));
    let statement =
        Statement { predicate_type: "https://spdx.dev/Document".to_owned(), predicate: json!({ "a": 1 }) };
    let members = [Member { record: amd.clone(), statements: vec![statement] }, Member::plain(arm.clone())];
    let app = name(at, "team/app:1");
    let bundle = Bundle::new(&from, &members, std::slice::from_ref(&app), &Form::default()).unwrap();
    let pushed = client().push_bundle(&from, &bundle, &app, &quiet).unwrap();
    assert_eq!((pushed.digest, pushed.known), (bundle.root().digest, 0));
    let again = client().push_bundle(&from, &bundle, &app, &quiet).unwrap();
    assert_eq!((again.sent, again.bytes), (0, 0), "nothing travels twice");
    assert_eq!(client().resolve(&app).unwrap(), bundle.root().digest);

    let to = open(dir.path(), "to");
    for (platform, record) in [("linux/amd64", &amd), ("linux/arm64", &arm)] {
        let platform = Platform::parse(platform).unwrap();
        let pulled = client().pull(&to, &app, &platform, &quiet).unwrap();
        assert_eq!((pulled.record.id, pulled.digest), (record.id, bundle.root().digest));
    }
    let arm64 = Platform::parse("linux/arm64").unwrap();
    assert_eq!(to.images_of(&app).unwrap().len(), 2, "one name, two platforms");
    assert_eq!(to.image_for(&app, &arm64).unwrap().unwrap().id, arm.id);

    // another repository takes the blobs without their travelling
    from.tag(&amd.id, &app).unwrap();
    let copy = name(at, "copy");
    let mounted = client().push(&from, &amd, &copy, LayerCompression::Keep, &quiet).unwrap();
    assert_eq!((mounted.mounted, mounted.sent), (2, 1), "only the configuration travels");

    // what is kept outlives the server
    drop(server);
    let server = Server::start(&dir.path().join("registry"), 0).unwrap();
    let at = server.address();
    assert_eq!(client().resolve(&name(at, "team/app:1")).unwrap(), bundle.root().digest);
    assert_eq!(get(at, "/v2/_catalog").1, json!({ "repositories": ["copy", "team/app"] }));
    assert_eq!(get(at, "/v2/team/app/tags/list").1, json!({ "name": "team/app", "tags": ["1"] }));
    let missing = client().pull(&to, &name(at, "team/app:2"), &arm64, &quiet);
    assert!(matches!(missing, Err(RegistryError::NotFound { .. })), "{missing:?}");
}

#[test]
fn the_protocol_is_kept_to() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), 0).unwrap();
    let at = server.address();
    let bytes = b"0123456789";
    let digest = Digest::of(bytes);
    let put = |digest: &str, body: &[u8]| {
        let request = format!(
            "POST /v2/a/b/blobs/uploads/?digest={digest} HTTP/1.1\nHost: localhost\nConnection: close\nContent-Length: {}\n\n",
            body.len()
        );
        ask(at, &request, body).0
    };
    assert_eq!(put(&digest.to_string(), b"other"), 400, "the digest is checked");
    assert_eq!(get(at, &format!("/v2/a/b/blobs/{digest}")).0, 404);
    assert_eq!(put(&digest.to_string(), bytes), 201);
    let part = |range: &str| {
        let request = format!(
            "GET /v2/a/b/blobs/{digest} HTTP/1.1\nHost: localhost\nRange: {range}\nConnection: close\n\n"
        );
        let (status, _, body) = ask(at, &request, b"");
        (status, body)
    };
    assert_eq!(part("bytes=4-"), (206, b"456789".to_vec()));
    assert_eq!(part("bytes=2-3"), (206, b"23".to_vec()));
    assert_eq!(part("bytes=10-").0, 416);
    let head = format!("HEAD /v2/a/b/blobs/{digest} HTTP/1.1\nHost: localhost\nConnection: close\n\n");
    let (status, head, body) = ask(at, &head, b"");
    assert!(status == 200 && head.contains("Content-Length: 10") && body.is_empty(), "{head}");

    // another repository does not hold it, and nobody climbs out of the folder
    assert_eq!(get(at, &format!("/v2/other/blobs/{digest}")).0, 404);
    for path in ["/v2/../x/blobs/y", "/v2/..%2f..%2fetc/tags/list", "/v2/A/tags/list", "/v2/_x/tags/list"] {
        assert!([400, 404].contains(&get(at, path).0), "{path}");
    }

    // pieces: one that does not begin where the last ended is refused with where that is
    let begin =
        "POST /v2/a/b/blobs/uploads/ HTTP/1.1\nHost: localhost\nConnection: close\nContent-Length: 0\n\n";
    let (status, head, _) = ask(at, begin, b"");
    assert_eq!(status, 202);
    let location = head.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap().to_owned();
    let patch = |range: &str, body: &[u8]| {
        let request = format!(
            "PATCH {location} HTTP/1.1\nHost: localhost\nConnection: close\nContent-Range: {range}\nContent-Length: {}\n\n",
            body.len()
        );
        let (status, head, _) = ask(at, &request, body);
        let range = head.lines().find_map(|line| line.strip_prefix("Range: ")).unwrap_or_default().to_owned();
        (status, range)
    };
    assert_eq!(patch("0-3", b"0123"), (202, "0-3".to_owned()));
    assert_eq!(patch("6-7", b"67"), (416, "0-3".to_owned()));
    // chunked, as Docker's engine sends: no length, no range
    let chunked = format!(
        "PATCH {location} HTTP/1.1\nHost: localhost\nConnection: close\nTransfer-Encoding: chunked\n\n"
    );
    assert_eq!(ask(at, &chunked, b"6\r\n456789\r\n0\r\n\r\n").0, 202);
    let end = format!(
        "PUT {location}?digest={digest} HTTP/1.1\nHost: localhost\nConnection: close\nContent-Length: 0\n\n"
    );
    assert_eq!(ask(at, &end, b"").0, 201);
    assert_eq!(ask(at, &end, b"").0, 404, "an upload ends once");

    // a manifest names only what is there
    let manifest = |layer: &Digest| {
        let text = json!({
            "schemaVersion": 2,
            "config": { "mediaType": "x", "digest": digest, "size": 10 },
            "layers": [{ "mediaType": "x", "digest": layer, "size": 10 }],
            "subject": { "mediaType": "x", "digest": digest, "size": 10 },
        });
        let text = text.to_string();
        let request = format!(
            "PUT /v2/a/b/manifests/tag HTTP/1.1\nHost: localhost\nConnection: close\nContent-Length: {}\n\n",
            text.len()
        );
        (ask(at, &request, text.as_bytes()).0, Digest::of(text))
    };
    assert_eq!(manifest(&Digest::of("nothing")).0, 404);
    let (status, stored) = manifest(&digest);
    assert_eq!(status, 201);
    let (_, referrers) = get(at, &format!("/v2/a/b/referrers/{digest}"));
    assert_eq!(referrers["manifests"][0]["digest"], stored.to_string());
    let delete =
        format!("DELETE /v2/a/b/manifests/{stored} HTTP/1.1\nHost: localhost\nConnection: close\n\n");
    assert_eq!(ask(at, &delete, b"").0, 202);
    assert_eq!(get(at, "/v2/a/b/manifests/tag").0, 404);

    // a TLS hello is answered so that engines know to speak plain HTTP
    let mut socket = TcpStream::connect(at).unwrap();
    socket.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 400 "), "{answer:?}");
}

/// Passes bytes on, counts those that go up, and cuts the first connections after some of them.
fn breaking(
    upstream: SocketAddr,
    cuts: usize,
    most: usize,
) -> (SocketAddr, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (cut, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (cutting, counting) = (cut.clone(), sent.clone());
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(upstream).unwrap());
            let (mut down_from, mut down_to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut down_from, &mut down_to);
                let _ = down_to.shutdown(Shutdown::Both);
            });
            let (mut from, mut to, cut, sent) = (client, server, cutting.clone(), counting.clone());
            thread::spawn(move || {
                let (mut passed, mut buffer) = (0, [0; 16 << 10]);
                while let Ok(read) = from.read(&mut buffer) {
                    if read == 0 || to.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                    passed += read;
                    sent.fetch_add(read, Ordering::Relaxed);
                    if passed > most && cut.fetch_add(1, Ordering::Relaxed) < cuts {
                        let _ = from.shutdown(Shutdown::Both);
                        break;
                    }
                }
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    });
    (address, cut, sent)
}

#[test]
fn a_broken_push_goes_on_where_it_broke() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("registry"), 0).unwrap();
    let from = open(dir.path(), "from");
    let size = 50 << 20;
    let record = example(&from, "amd64", &[size]);
    let (address, cut, sent) = breaking(server.address(), 3, 9 << 20);
    let pushed =
        client().push(&from, &record, &name(address, "app"), LayerCompression::Gzip(0), &quiet).unwrap();
    assert!(cut.load(Ordering::Relaxed) >= 3, "nothing was cut");
    let sent = sent.load(Ordering::Relaxed);
    // what was on its way when a connection broke is lost, which the sockets' buffers bound; from the beginning again
    // it would be 27 MiB more
    assert!(sent < size + (18 << 20), "{sent} bytes for {size}");
    let pulled = client()
        .pull(
            &open(dir.path(), "to"),
            &name(server.address(), "app"),
            &Platform::parse("linux/amd64").unwrap(),
            &quiet,
        )
        .unwrap();
    assert_eq!((pulled.digest, pulled.record.id), (pushed.digest, record.id));
}

#[test]
fn an_engine_pulls_and_pushes() {
    let docker = |args: &[&str]| Command::new("/usr/bin/docker").args(args).output();
    let engine = docker(&["version", "--format", "{{.Server.Version}}"]);
    if !engine.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "this test needs a Docker engine");
        eprintln!("skipped: no Docker engine");
        return;
    }
    let run = |args: &[&str]| {
        let output = docker(args).unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("registry"), 0).unwrap();
    let from = open(dir.path(), "from");
    let record = example(&from, plimsoll_image::host_architecture(), &[100_000, 5]);
    let image = name(server.address(), "registry-serve/app:1");
    client().push(&from, &record, &image, LayerCompression::Keep, &quiet).unwrap();
    let text = image.to_string();
    run(&["pull", "-q", &text]);
    assert_eq!(run(&["image", "inspect", "--format", "{{.Id}}", &text]).trim(), record.id.to_string());
    let other = name(server.address(), "registry-serve/other:2");
    run(&["tag", &text, &other.to_string()]);
    run(&["push", "-q", &other.to_string()]);
    run(&["rmi", &text, &other.to_string()]);
    let platform = Platform::host();
    let pulled = client().pull(&open(dir.path(), "to"), &other, &platform, &quiet).unwrap();
    assert_eq!(pulled.record.config.rootfs, record.config.rootfs);
}
