//! Hand-over to a real engine: full, only what it lacks, and refused.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::Path,
    process::Command,
};

use plimsoll_image::{
    Digest, Image, ImageConfig, ImageRecord, LayerCompression, LayerId, Reference, SealOptions, Store,
    handover::{EngineLayers, Handover},
    manifest::Platform,
    registry::{Credentials, Registry},
};

const SOCKET: &str = "/var/run/docker.sock";

fn engine_answers() -> bool {
    let root = rustix::process::geteuid().is_root();
    let answers = root && docker(&["version"]).is_ok();
    if !answers {
        assert!(std::env::var_os("CI").is_none(), "this test needs root and a Docker Engine");
        eprintln!("skipped: needs root and a Docker Engine at {SOCKET}");
    }
    answers
}

fn docker(args: &[&str]) -> Result<String, String> {
    let output = Command::new("docker").args(args).output().map_err(|error| error.to_string())?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Sends a tar to `POST /images/load`; gives the answer's body and the bytes sent.
fn load(handover: &Handover) -> (String, u64) {
    let mut socket = UnixStream::connect(SOCKET).unwrap();
    let head = format!(
        "POST /v1.41/images/load?quiet=1 HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\
         Content-Type: application/x-tar\r\nContent-Length: {}\r\n\r\n",
        handover.size()
    );
    socket.write_all(head.as_bytes()).unwrap();
    let mut tar = Vec::new();
    handover.write(&mut tar).unwrap();
    assert_eq!(tar.len() as u64, handover.size(), "the announced size is not the written one");
    socket.write_all(&tar).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    (answer, handover.size())
}

/// A layer with `/bin/cat` and the libraries it needs from this machine.
fn base(store: &Store) -> LayerId {
    let draft = store.begin_layer().unwrap();
    let listed = Command::new("ldd").arg("/bin/cat").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let libraries = listed.split_whitespace().filter(|word| word.starts_with('/'));
    for file in libraries.chain(["/bin/cat"]) {
        let target = draft.fs.join(&file[1..]);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, &target).unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o755)).unwrap();
    }
    draft.seal(&SealOptions { epoch: Some(1_600_000_000) }).unwrap().id
}

fn image(store: &Store, base: LayerId, message: &str) -> ImageRecord {
    let draft = store.begin_layer().unwrap();
    fs::write(draft.fs.join("message"), message).unwrap();
    fs::create_dir(draft.fs.join("lib-of-app")).unwrap();
    fs::hard_link(draft.fs.join("message"), draft.fs.join("lib-of-app/same")).unwrap();
    let top = draft.seal(&SealOptions { epoch: Some(1_600_000_000) }).unwrap().id;
    let mut config = ImageConfig::default();
    config.config.cmd = Some(vec!["/bin/cat".into(), "/message".into(), "/lib-of-app/same".into()]);
    config.config.user = "1000:1000".into();
    config.config.labels.insert("org.plimsoll.test".into(), "image-handover".into());
    config.config.healthcheck = Some(plimsoll_image::Healthcheck {
        test: vec!["CMD".into(), "/bin/cat".into()],
        ..Default::default()
    });
    config.created = Some("2020-09-13T12:26:40Z".into());
    store.put_image(&Image { config, layers: vec![base, top] }, &[]).unwrap()
}

/// Removes the images that this test gave the engine, also when it fails.
struct Cleanup(Vec<String>);

impl Drop for Cleanup {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = docker(&["image", "rm", "--force", name]);
        }
    }
}

fn engine_layers(name: &str) -> Vec<Digest> {
    let text = docker(&["image", "inspect", "--format", "{{json .RootFS.Layers}}", name]).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn run(name: &str) -> String {
    docker(&["run", "--rm", "--network", "none", name]).unwrap()
}

#[test]
fn an_engine_gets_only_what_it_lacks() {
    if !engine_answers() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store")).unwrap();
    let marker = format!("imagetest.local/handover-{}", std::process::id());
    let names: Vec<Reference> = ["first", "second", "third"]
        .iter()
        .map(|tag| Reference::parse(&format!("{marker}:{tag}")).unwrap())
        .collect();
    let _cleanup = Cleanup(names.iter().map(Reference::familiar).collect());
    // unique content, so that an earlier run cannot have given it to the engine
    let message = |text: &str| format!("{text} {} {:?}\n", std::process::id(), std::time::SystemTime::now());
    let base = base(&store);
    let (first_message, second_message) = (message("first"), message("second"));
    let first = image(&store, base, &first_message);
    let second = image(&store, base, &second_message);

    // nothing there: everything goes
    let (answer, full_size) =
        load(&Handover::delta(&store, &first, &names[..1], &EngineLayers::new()).unwrap());
    assert!(!answer.contains("errorDetail"), "{answer}");
    let name = names[0].familiar();
    let id = docker(&["image", "inspect", "--format", "{{.Id}}", &name]).unwrap();
    assert_eq!(id.trim(), first.id.to_string());
    assert_eq!(engine_layers(&name), first.config.rootfs.diff_ids);
    assert_eq!(run(&name), first_message.repeat(2));
    let user =
        docker(&["image", "inspect", "--format", "{{.Config.User}} {{.Config.Healthcheck.Test}}", &name]);
    assert_eq!(user.unwrap().trim(), "1000:1000 [CMD /bin/cat]");

    // the base is there: only the new layer goes
    let mut engine = EngineLayers::new();
    engine.add_image(&engine_layers(&name));
    let delta = Handover::delta(&store, &second, &names[1..2], &engine).unwrap();
    assert_eq!((delta.layers_sent(), delta.layers_total()), (1, 2));
    let start = std::time::Instant::now();
    let (answer, delta_size) = load(&delta);
    eprintln!("full {full_size} bytes; delta {delta_size} bytes in {:?}", start.elapsed());
    assert!(!answer.contains("errorDetail"), "{answer}");
    assert!(delta_size < 20_000 && full_size > 1_000_000, "{delta_size} of {full_size}");
    assert_eq!(run(&names[1].familiar()), second_message.repeat(2));

    // a new name alone
    engine.add_image(&second.config.rootfs.diff_ids);
    let (answer, _) = load(&Handover::delta(&store, &second, &names[2..], &engine).unwrap());
    assert!(!answer.contains("errorDetail"), "{answer}");
    let id = docker(&["image", "inspect", "--format", "{{.Id}}", &names[2].familiar()]).unwrap();
    assert_eq!(id.trim(), second.id.to_string());

    // the engine has lost its layers meanwhile: it refuses the delta and takes the full tar
    for name in &names {
        docker(&["image", "rm", "--force", &name.familiar()]).unwrap();
    }
    let (answer, _) = load(&Handover::delta(&store, &second, &names[1..2], &engine).unwrap());
    assert!(answer.contains("errorDetail"), "{answer}");
    let (answer, _) = load(&Handover::full(&store, &second, &names[1..2]).unwrap());
    assert!(!answer.contains("errorDetail"), "{answer}");
    assert_eq!(run(&names[1].familiar()), second_message.repeat(2));
}

/// A registry for one test; ends with the value.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_registry(dir: &Path) -> Option<(Running, String)> {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let config = dir.join("registry.yml");
    let text = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\nhttp:\n  addr: {address}\n",
        dir.join("registry").display()
    );
    fs::write(&config, text).unwrap();
    let null = std::process::Stdio::null;
    let started =
        Command::new("docker-registry").arg("serve").arg(&config).stdout(null()).stderr(null()).spawn();
    let Ok(child) = started else {
        assert!(std::env::var_os("CI").is_none(), "this test needs `docker-registry`");
        eprintln!("skipped: install `docker-registry` to test against a registry");
        return None;
    };
    let running = Running(child);
    let start = std::time::Instant::now();
    while std::net::TcpStream::connect(&address).is_err() {
        assert!(start.elapsed().as_secs() < 20, "the registry does not start");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Some((running, address))
}

#[test]
fn an_engine_and_we_read_each_others_registry_images() {
    if !engine_answers() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let Some((_registry, address)) = start_registry(dir.path()) else { return };
    let store = Store::open(dir.path().join("store")).unwrap();
    let message = format!("registry {} {:?}\n", std::process::id(), std::time::SystemTime::now());
    let record = image(&store, base(&store), &message);
    let names: Vec<String> = ["ours", "theirs"].iter().map(|path| format!("{address}/{path}:1")).collect();
    let _cleanup = Cleanup(names.clone());
    let [ours, theirs] = [0, 1].map(|index: usize| Reference::parse(&names[index]).unwrap());
    let registry = Registry::new(Credentials::anonymous());

    // what we compress and push, the engine pulls and runs
    registry.push(&store, &record, &ours, LayerCompression::Gzip(6), &|_| {}).unwrap();
    docker(&["pull", "--quiet", &names[0]]).unwrap();
    let id = docker(&["image", "inspect", "--format", "{{.Id}}", &names[0]]).unwrap();
    assert_eq!(id.trim(), record.id.to_string());
    assert_eq!(run(&names[0]), message.repeat(2));

    // what the engine compresses and pushes, in Docker's own manifest, we pull
    docker(&["tag", &names[0], &names[1]]).unwrap();
    docker(&["push", "--quiet", &names[1]]).unwrap();
    let to = Store::open(dir.path().join("to")).unwrap();
    let pulled = registry.pull(&to, &theirs, &Platform::host(), &|_| {}).unwrap();
    assert_eq!(pulled.record.id, record.id);
    assert_eq!(pulled.record.config.config.healthcheck, record.config.config.healthcheck);

    // and hand over again, in the compressed form in which it came
    for name in &names {
        docker(&["image", "rm", "--force", name]).unwrap();
    }
    let (answer, size) = load(&Handover::full(&to, &pulled.record, &[theirs]).unwrap());
    assert!(!answer.contains("errorDetail"), "{answer}");
    assert!(
        size < Handover::full(&store, &record, &[]).unwrap().size(),
        "the compressed layers were not used"
    );
    assert_eq!(run(&names[1]), message.repeat(2));
}

#[test]
fn the_hybrid_tar_is_a_valid_layout_for_both_readers() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store")).unwrap();
    let draft = store.begin_layer().unwrap();
    fs::write(draft.fs.join("f"), "x").unwrap();
    let layer = draft.seal(&SealOptions { epoch: Some(0) }).unwrap().id;
    let record =
        store.put_image(&Image { config: ImageConfig::default(), layers: vec![layer, layer] }, &[]).unwrap();
    let name = Reference::parse("nginx:1").unwrap();
    let handover = Handover::full(&store, &record, &[name]).unwrap();
    let mut tar = Vec::new();
    handover.write(&mut tar).unwrap();
    assert_eq!(tar.len() as u64, handover.size());
    let target = dir.path().join("unpacked");
    tar::Archive::new(tar.as_slice()).unpack(&target).unwrap();
    let read = |path: &Path| serde_json::from_slice::<serde_json::Value>(&fs::read(path).unwrap()).unwrap();
    let docker = read(&target.join("manifest.json"));
    assert_eq!(docker[0]["RepoTags"][0], "nginx:1");
    assert_eq!(docker[0]["Layers"].as_array().unwrap().len(), 2);
    let index = read(&target.join("index.json"));
    assert_eq!(index["manifests"][0]["annotations"]["io.containerd.image.name"], "docker.io/library/nginx:1");
    for blob in fs::read_dir(target.join("blobs/sha256")).unwrap() {
        let blob = blob.unwrap();
        let digest = Digest::of(fs::read(blob.path()).unwrap());
        assert_eq!(blob.file_name().to_str().unwrap(), digest.hex());
    }
}
