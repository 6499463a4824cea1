//! The store: names, two processes, sudden death, and room on disk.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{fs, process::Command};

use plimsoll_image::{Image, ImageConfig, PruneOptions, Reference, SealOptions, Store, StoreError};

fn name(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

fn layer(store: &Store, file: &str, bytes: &[u8]) -> plimsoll_image::LayerId {
    let draft = store.begin_layer().unwrap();
    fs::write(draft.fs.join(file), bytes).unwrap();
    draft.seal(&SealOptions { epoch: Some(0) }).unwrap().id
}

fn image(layers: Vec<plimsoll_image::LayerId>, env: &str) -> Image {
    let mut config = ImageConfig::default();
    config.config.set_env("NAME", env);
    Image { config, layers }
}

#[test]
fn images_are_found_by_name_and_id() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let base = layer(&store, "a", b"1");
    let one =
        store.put_image(&image(vec![base], "one"), &[name("app:1"), name("plimsoll.local/app:1")]).unwrap();
    let two =
        store.put_image(&image(vec![base, layer(&store, "b", b"22")], "two"), &[name("app:2")]).unwrap();
    assert_eq!(two.bytes, 3);
    assert_eq!(two.config.rootfs.diff_ids.len(), 2);
    assert_eq!(store.image(&name("docker.io/library/app:1")).unwrap().unwrap(), one);
    assert_eq!(store.image(&name("app:3")).unwrap(), None);
    assert_eq!(store.find_image(&two.id.hex()[..8]).unwrap().id, two.id);
    assert_eq!(store.find_image("app:2").unwrap().id, two.id);
    assert!(matches!(store.find_image("nothing"), Err(StoreError::NoImage(_))));
    // the same image again is the same record
    assert_eq!(store.put_image(&image(vec![base], "one"), &[]).unwrap(), one);
    // a name moves
    store.tag(&two.id, &name("app:1")).unwrap();
    assert_eq!(store.image(&name("app:1")).unwrap().unwrap().id, two.id);
    assert_eq!(store.untag(&name("app:2")).unwrap(), Some(two.id));
    assert_eq!(store.untag(&name("app:2")).unwrap(), None);
    store.remove_image(&two.id).unwrap();
    assert_eq!(store.images().unwrap().len(), 1);
    assert_eq!(store.image(&name("app:1")).unwrap(), None);
    // all of it is on disk
    let again = Store::open(dir.path()).unwrap();
    assert_eq!(again.images().unwrap(), store.images().unwrap());
}

#[test]
fn a_newer_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).unwrap();
    fs::write(dir.path().join("store.json"), r#"{"version":99}"#).unwrap();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Version { found: 99, .. })));
}

#[test]
fn configurations_from_outside_keep_their_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let layer = layer(&store, "a", b"1");
    let diff_id = store.diff_id(&layer).unwrap();
    let text = format!(
        "{{ \"os\":\"linux\",\"architecture\":\"amd64\",\n\"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[\"{diff_id}\"]}}}}"
    );
    let record = store.put_image_verbatim(text.as_bytes(), &[layer], &[], None).unwrap();
    assert_eq!(record.id, plimsoll_image::Digest::of(&text));
    assert!(
        store.put_image_verbatim(text.as_bytes(), &[], &[], None).is_err(),
        "layers that are not its own"
    );
}

fn du(dir: &std::path::Path) -> u64 {
    let output = Command::new("du").args(["-s", "--block-size=1"]).arg(dir).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split('\t').next().unwrap().parse().unwrap()
}

#[test]
fn prune_removes_what_nothing_needs_and_counts_as_du_does() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let base = layer(&store, "base", &vec![1; 100_000]);
    let kept = layer(&store, "cached", &vec![2; 50_000]);
    // a layer that shares its file with the base, as COPY --from makes it
    let draft = store.begin_layer().unwrap();
    fs::hard_link(store.layer(&base).unwrap().unwrap().path.join("base"), draft.fs.join("copy")).unwrap();
    fs::write(draft.fs.join("own"), vec![3; 70_000]).unwrap();
    let top = draft.seal(&SealOptions::default()).unwrap().id;
    store.put_image(&image(vec![base], "base"), &[name("base")]).unwrap();
    let gone = store.put_image(&image(vec![base, top], "gone"), &[]).unwrap();
    // what a killed process leaves
    fs::create_dir_all(store.root().join("drafts/d-dead/fs")).unwrap();
    fs::write(store.root().join("drafts/d-dead/fs/big"), vec![4; 40_000]).unwrap();
    fs::write(store.root().join("tmp/w-dead"), "x").unwrap();
    let orphan = store.put_blob(&[5; 9000]).unwrap();

    assert_eq!(store.disk_usage().unwrap().bytes, du(dir.path()));
    let options = PruneOptions {
        keep_layers: [kept].into(),
        nameless_images: true,
        dry_run: true,
        ..Default::default()
    };
    let before = du(dir.path());
    let planned = store.prune(&options).unwrap();
    assert_eq!(du(dir.path()), before, "a dry run changed something");
    let pruned = store.prune(&PruneOptions { dry_run: false, ..options.clone() }).unwrap();
    assert_eq!(pruned.bytes, before - du(dir.path()));
    assert_eq!(pruned, planned);
    assert_eq!(pruned.images, [gone.id]);
    assert_eq!(pruned.layers, [top]);
    assert!(pruned.blobs.contains(&orphan) && pruned.blobs.contains(&gone.id));
    assert_eq!(pruned.leftovers, 2);
    assert!(store.layer(&base).unwrap().is_some() && store.layer(&kept).unwrap().is_some());
    assert_eq!(store.prune(&options).unwrap(), plimsoll_image::Pruned::default());
    let all = store.prune(&PruneOptions { all_images: true, ..Default::default() }).unwrap();
    assert_eq!(all.layers.len(), 2);
    assert_eq!(store.images().unwrap(), []);
}

#[test]
fn nothing_is_removed_under_a_reader() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let draft = store.begin_layer().unwrap();
    assert!(matches!(store.prune(&PruneOptions::default()), Err(StoreError::InUse { .. })));
    drop(draft);
    store.prune(&PruneOptions::default()).unwrap();
}

/// The child of the tests below: adds images until it is killed. Runs only when asked to by its environment.
#[test]
fn child_adds_images() {
    let Some(root) = std::env::var_os("PLIMSOLL_TEST_STORE") else { return };
    let tag = std::env::var("PLIMSOLL_TEST_TAG").unwrap();
    let rounds: usize = std::env::var("PLIMSOLL_TEST_ROUNDS").unwrap().parse().unwrap();
    let store = Store::open(root).unwrap();
    let prunes = std::env::var_os("PLIMSOLL_TEST_PRUNES").is_some();
    for round in 0..rounds {
        if prunes && round > 1 {
            store.untag(&name(&format!("{tag}:{}", round - 2))).unwrap();
            store.prune(&PruneOptions { nameless_images: true, ..Default::default() }).unwrap();
        }
        let shared = layer(&store, "shared", format!("round {round}").as_bytes());
        let own = layer(&store, "own", format!("{tag} {round}").repeat(500).as_bytes());
        store.put_image(&image(vec![shared, own], &tag), &[name(&format!("{tag}:{round}"))]).unwrap();
    }
}

fn child(root: &std::path::Path, tag: &str, rounds: usize, prunes: bool) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    if prunes {
        command.env("PLIMSOLL_TEST_PRUNES", "1");
    }
    command
        .args(["--exact", "child_adds_images", "--nocapture"])
        .env("PLIMSOLL_TEST_STORE", root)
        .env("PLIMSOLL_TEST_TAG", tag)
        .env("PLIMSOLL_TEST_ROUNDS", rounds.to_string())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// Every image that is visible is whole.
fn check(store: &Store) -> usize {
    let images = store.images().unwrap();
    for image in &images {
        for (id, diff_id) in image.layers.iter().zip(&image.config.rootfs.diff_ids) {
            let mut tar = Vec::new();
            store.write_layer_tar(id, &mut tar).unwrap();
            assert_eq!(plimsoll_image::Digest::of(&tar), *diff_id);
        }
        assert!(!image.references.is_empty() || image.layers.len() == 2);
    }
    images.len()
}

#[test]
fn two_processes_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let children = [child(dir.path(), "left", 40, false), child(dir.path(), "right", 40, false)];
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(check(&store), 80);
    assert_eq!(store.images().unwrap().iter().map(|image| image.references.len()).sum::<usize>(), 80);
}

#[test]
fn a_killed_process_leaves_a_valid_store() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..24 {
        let mut child = child(dir.path(), &format!("round{round}"), 100_000, round % 2 == 1);
        std::thread::sleep(std::time::Duration::from_millis(15 + 9 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Store::open(dir.path()).unwrap();
        check(&store);
        store.prune(&PruneOptions { nameless_images: true, ..Default::default() }).unwrap();
        check(&store);
        assert_eq!(fs::read_dir(dir.path().join("drafts")).unwrap().count(), 0);
    }
    let store = Store::open(dir.path()).unwrap();
    assert!(check(&store) > 0, "no child came far enough to prove anything");
}

/// As a power failure leaves it: the layer was made in another boot, and a file of it is empty.
fn damage(store: &Store, id: &plimsoll_image::LayerId) {
    let layer = store.require_layer(id).unwrap();
    let description = layer.path.with_file_name("layer.json");
    let text = fs::read_to_string(&description).unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert!(text.contains(boot.trim()));
    fs::write(&description, text.replace(boot.trim(), "another")).unwrap();
    fs::write(layer.path.join("a"), b"").unwrap();
}

#[test]
fn a_damaged_layer_makes_room_for_a_sound_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = layer(&store, "a", b"whole");
    damage(&store, &id);
    assert_eq!(layer(&store, "a", b"whole"), id);
    let repaired = store.require_layer(&id).unwrap();
    assert_eq!(fs::read(repaired.path.join("a")).unwrap(), b"whole");

    // an undamaged one of another boot stays where it is
    damage(&store, &id);
    fs::write(repaired.path.join("a"), b"whole").unwrap();
    filetime_zero(&repaired.path.join("a"));
    let inode = |path: &std::path::Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    let before = inode(&repaired.path);
    assert_eq!(layer(&store, "a", b"whole"), id);
    assert_eq!(inode(&repaired.path), before);

    // what cannot be read at all is not used, and nobody trips over it
    fs::write(repaired.path.with_file_name("layer.json"), "{").unwrap();
    assert!(store.usable_layer(&id).unwrap().is_none());
    assert_eq!(layer(&store, "a", b"whole"), id);
    assert!(store.usable_layer(&id).unwrap().is_some());
    fs::remove_dir_all(&repaired.path).unwrap();
    assert!(store.usable_layer(&id).unwrap().is_none());
}

#[test]
fn what_a_power_failure_took_is_noticed_at_the_next_use() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = layer(&store, "a", b"whole");
    let description = store.require_layer(&id).unwrap().path.with_file_name("layer.json");

    // whole: its first use in another boot reads it, and the next one believes that
    damage(&store, &id);
    let file = description.with_file_name("fs/a");
    fs::write(&file, b"whole").unwrap();
    filetime_zero(&file);
    assert!(store.layer(&id).unwrap().is_some());
    assert!(fs::read_to_string(&description).unwrap().contains("\"boot\": \"\""));

    // torn, with the right size and time
    let id = layer(&store, "a", b"other");
    damage(&store, &id);
    let layer_of_id = description.parent().unwrap().with_file_name(id.to_string());
    fs::write(layer_of_id.join("fs/a"), b"\0\0\0\0\0").unwrap();
    filetime_zero(&layer_of_id.join("fs/a"));
    assert!(store.layer(&id).unwrap().is_none());
    assert!(!layer_of_id.exists(), "it would be in the way of a new one");

    // from outside, packed: both its files and its tar are held against their digests
    let tar = {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(5);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, "a", b"whole".as_slice()).unwrap();
        let plain = tar.into_inner().unwrap();
        zstd::encode_all(plain.as_slice(), 1).unwrap()
    };
    let import = || store.import_layer(tar.as_slice()).unwrap();
    let imported = import();
    damage(&store, &imported.id);
    assert_eq!(import().id, imported.id);
    assert_eq!(fs::read(imported.path.join("a")).unwrap(), b"whole");
    let blob = fs::read_dir(dir.path().join("blobs/sha256")).unwrap().last().unwrap().unwrap().path();
    damage(&store, &imported.id);
    fs::write(imported.path.join("a"), b"whole").unwrap();
    fs::write(&blob, b"").unwrap();
    assert!(store.layer(&imported.id).unwrap().is_none());
    let again = import();
    let mut written = Vec::new();
    store.write_layer_tar(&again.id, &mut written).unwrap();
    assert_eq!(written, zstd::decode_all(tar.as_slice()).unwrap());
}

fn filetime_zero(path: &std::path::Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
}

#[test]
fn a_file_of_holes_is_refused_without_reading_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let draft = store.begin_layer().unwrap();
    fs::File::create(draft.fs.join("lastlog")).unwrap().set_len(1 << 40).unwrap();
    let error = draft.seal(&SealOptions::default()).unwrap_err();
    assert!(error.to_string().contains("lastlog` cannot be part of a layer: it is sparse"), "{error}");

    // a few holes are nothing unusual
    let draft = store.begin_layer().unwrap();
    fs::File::create(draft.fs.join("lastlog")).unwrap().set_len(1 << 20).unwrap();
    assert_eq!(draft.seal(&SealOptions::default()).unwrap().bytes, 1 << 20);
}
