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
