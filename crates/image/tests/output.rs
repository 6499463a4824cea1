//! Images as files, and back.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{fs, path::Path};

use plimsoll_image::{
    Digest, Image, ImageConfig, ImageRecord, LayerCompression, Reference, SealOptions, Store, StoreError,
    manifest::Platform,
    output::{OciLayout, load},
};

fn store(dir: &Path, name: &str) -> Store {
    Store::open(dir.join(name)).unwrap()
}

fn example(store: &Store, text: &str) -> ImageRecord {
    let mut layers = Vec::new();
    for part in ["base", text] {
        let draft = store.begin_layer().unwrap();
        fs::create_dir(draft.fs.join(part)).unwrap();
        fs::write(draft.fs.join(part).join("file"), part.repeat(500_000)).unwrap();
        fs::hard_link(draft.fs.join(part).join("file"), draft.fs.join("link")).unwrap();
        layers.push(draft.seal(&SealOptions { epoch: Some(100) }).unwrap().id);
    }
    let mut config = ImageConfig::default();
    config.config.set_env("TEXT", text);
    store.put_image(&Image { config, layers }, &[]).unwrap()
}

fn names(list: &[&str]) -> Vec<Reference> {
    list.iter().map(|name| Reference::parse(name).unwrap()).collect()
}

#[test]
fn every_form_comes_back_as_the_same_image() {
    let dir = tempfile::tempdir().unwrap();
    let from = store(dir.path(), "from");
    let images = vec![
        (example(&from, "one"), names(&["one:1", "x.y/one:2"])),
        (example(&from, "two"), names(&["two"])),
    ];
    let check = |path: &Path, form: &str| {
        let to = store(dir.path(), &format!("to-{form}"));
        let loaded = load(&to, path, &Platform::host()).unwrap();
        assert_eq!(
            loaded.iter().map(|image| image.id).collect::<Vec<_>>(),
            [images[0].0.id, images[1].0.id],
            "{form}"
        );
        assert_eq!(to.image(&names(&["x.y/one:2"])[0]).unwrap().unwrap().id, images[0].0.id, "{form}");
        assert_eq!(to.image(&names(&["two:latest"])[0]).unwrap().unwrap().id, images[1].0.id, "{form}");
        for (record, _) in &images {
            for (layer, diff_id) in
                to.image_by_id(&record.id).unwrap().unwrap().layers.iter().zip(&record.config.rootfs.diff_ids)
            {
                let mut tar = Vec::new();
                to.write_layer_tar(layer, &mut tar).unwrap();
                assert_eq!(Digest::of(&tar), *diff_id, "{form}");
            }
        }
    };
    for (form, compression) in [
        ("none", LayerCompression::None),
        ("gzip", LayerCompression::Gzip(6)),
        ("zstd", LayerCompression::Zstd(3)),
        ("keep", LayerCompression::Keep),
    ] {
        let layout = OciLayout::new(&from, &images, compression).unwrap();
        let mut tar = Vec::new();
        layout.write_tar(&mut tar).unwrap();
        let again = OciLayout::new(&from, &images, compression).unwrap();
        assert_eq!(layout.manifests(), again.manifests());
        let file = dir.path().join(format!("{form}.tar"));
        fs::write(&file, &tar).unwrap();
        check(&file, form);
        let folder = dir.path().join(format!("{form}-layout"));
        layout.write_dir(&folder).unwrap();
        layout.write_dir(&folder).unwrap();
        check(&folder, &format!("{form}-dir"));
        fs::write(&file, zstd::encode_all(tar.as_slice(), 1).unwrap()).unwrap();
        check(&file, &format!("{form}-packed"));
    }
    let mut tar = Vec::new();
    OciLayout::docker(&from, &images).unwrap().write_tar(&mut tar).unwrap();
    let file = dir.path().join("docker.tar");
    fs::write(&file, &tar).unwrap();
    check(&file, "docker");

    // the same archive for a reader that knows only Docker's form
    let folder = dir.path().join("docker");
    tar::Archive::new(tar.as_slice()).unpack(&folder).unwrap();
    fs::remove_file(folder.join("index.json")).unwrap();
    check(&folder, "docker-only");
}

#[test]
fn two_machines_make_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let tar = |name: &str| {
        let store = store(dir.path(), name);
        let image = vec![(example(&store, "same"), names(&["same"]))];
        let mut tar = Vec::new();
        OciLayout::new(&store, &image, LayerCompression::Gzip(6)).unwrap().write_tar(&mut tar).unwrap();
        Digest::of(tar)
    };
    assert_eq!(tar("left"), tar("right"));
}

#[test]
fn damaged_and_foreign_layouts_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let from = store(dir.path(), "from");
    let image = vec![(example(&from, "one"), names(&["one"]))];
    let layout = OciLayout::new(&from, &image, LayerCompression::Gzip(1)).unwrap();
    let folder = dir.path().join("layout");
    layout.write_dir(&folder).unwrap();
    let to = store(dir.path(), "to");
    let other = Platform::parse("linux/s390x").unwrap();
    assert!(matches!(load(&to, &folder, &other), Err(StoreError::Format { .. })));
    // a layer that is another one than the configuration says
    let manifest: plimsoll_image::manifest::Manifest = serde_json::from_slice(
        &fs::read(folder.join("blobs/sha256").join(layout.manifests()[0].digest.hex())).unwrap(),
    )
    .unwrap();
    let blob = |index: usize| folder.join("blobs/sha256").join(manifest.layers[index].digest.hex());
    fs::copy(blob(0), blob(1)).unwrap();
    assert!(matches!(load(&to, &folder, &Platform::host()), Err(StoreError::DigestMismatch { .. })));
    fs::write(folder.join("blobs/sha256").join(image[0].0.id.hex()), "{}").unwrap();
    assert!(matches!(load(&to, &folder, &Platform::host()), Err(StoreError::DigestMismatch { .. })));
    assert_eq!(to.images().unwrap(), []);
    // a document that leads out of the folder
    let hostile = dir.path().join("hostile");
    fs::create_dir(&hostile).unwrap();
    fs::write(hostile.join("manifest.json"), r#"[{"Config":"../secret.json","RepoTags":null,"Layers":[]}]"#)
        .unwrap();
    fs::write(dir.path().join("secret.json"), "{}").unwrap();
    assert!(matches!(load(&to, &hostile, &Platform::host()), Err(StoreError::Format { .. })));
    fs::write(dir.path().join("nothing.tar"), "nothing at all").unwrap();
    assert!(load(&to, &dir.path().join("nothing.tar"), &Platform::host()).is_err());
}

/// An index that points at some bytes as another index, for our platform.
fn index_of(bytes: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{}","size":{}}}]}}"#,
        Digest::of(bytes),
        bytes.len()
    )
}

#[test]
fn hostile_layouts_end_with_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let to = store(dir.path(), "to");
    let refused = |path: &Path, why: &str| {
        let error = load(&to, path, &Platform::host()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}\n  expected {why}");
        assert_eq!(to.images().unwrap(), []);
        assert_eq!(fs::read_dir(to.root().join("drafts")).unwrap().count(), 0);
    };
    // indexes inside one another, deeper than anybody needs
    let nested = dir.path().join("nested");
    fs::create_dir_all(nested.join("blobs/sha256")).unwrap();
    let mut index = index_of("{}");
    for _ in 0..10 {
        fs::write(nested.join("blobs/sha256").join(Digest::of(&index).hex()), &index).unwrap();
        index = index_of(&index);
    }
    fs::write(nested.join("index.json"), &index).unwrap();
    refused(&nested, "too many indexes");
    // a document of a gigabyte
    let large = dir.path().join("large");
    fs::create_dir(&large).unwrap();
    fs::File::create(large.join("index.json")).unwrap().set_len(1 << 30).unwrap();
    refused(&large, "too large for a JSON document");
    // a blob that is not there, and one whose name leads out
    let missing = dir.path().join("missing");
    fs::create_dir(&missing).unwrap();
    fs::write(missing.join("index.json"), index_of("nothing")).unwrap();
    assert!(load(&to, &missing, &Platform::host()).is_err());
    fs::write(missing.join("index.json"), index_of("x").replace("sha256:", "sha256:../../")).unwrap();
    assert!(load(&to, &missing, &Platform::host()).is_err());

    // archives: names that lead out, links in a circle, a name twice, a body that is not there
    let member = |kind: tar::EntryType, name: &str, link: &str, body: &[u8], size: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(size);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    };
    use tar::EntryType as T;
    let docker = br#"[{"Config":"config.json","RepoTags":null,"Layers":[]}]"#;
    let manifest = || member(T::Regular, "manifest.json", "", docker, docker.len() as u64);
    let archives = [
        [manifest(), member(T::Symlink, "config.json", "../../../../etc/passwd", b"", 0)].concat(),
        [
            manifest(),
            member(T::Symlink, "config.json", "other", b"", 0),
            member(T::Symlink, "other", "config.json", b"", 0),
        ]
        .concat(),
        [manifest(), member(T::Link, "config.json", "config.json", b"", 0)].concat(),
        [manifest(), member(T::Regular, "config.json", "", b"{}", 1 << 40)].concat(),
        [manifest(), member(T::Regular, "config.json", "", b"{}", u64::MAX)].concat(),
        [
            manifest(),
            member(T::Regular, "config.json", "", b"{}", 2),
            member(T::Char, "config.json", "", b"", 0),
        ]
        .concat(),
        [manifest(), member(T::GNUSparse, "config.json", "", b"{}", 2)].concat(),
    ];
    for (index, archive) in archives.iter().enumerate() {
        let path = dir.path().join("hostile.tar");
        fs::write(&path, archive).unwrap();
        let loaded = load(&to, &path, &Platform::host());
        // `{}` is a configuration of no layers, so the case whose second member is no file may be an image
        assert!(loaded.is_err() || index == 5, "case {index}: {loaded:?}");
    }
}
