//! Layers: identity, tars, and what hostile archives cannot do.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
};

use plimsoll_image::{ImportLimits, SealOptions, Store, StoreError, make_opaque, make_whiteout};
use tar::{Builder, EntryType, Header};

/// Layers keep owners, devices and `trusted.*` attributes, so these tests need root.
fn store() -> Option<(tempfile::TempDir, Store)> {
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "these tests need root");
        eprintln!("skipped: layers with owners and devices need root");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store")).unwrap();
    Some((dir, store))
}

fn tar_of(store: &Store, id: &plimsoll_image::LayerId) -> Vec<u8> {
    let mut bytes = Vec::new();
    store.write_layer_tar(id, &mut bytes).unwrap();
    bytes
}

/// `type path -> link` of every member, for reading in a test.
fn listing(tar: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(tar);
    archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let link = entry.link_name_bytes().map(|link| format!(" -> {}", String::from_utf8_lossy(&link)));
            let kind = char::from(entry.header().entry_type().as_byte());
            format!("{kind} {}{}", String::from_utf8_lossy(&entry.path_bytes()), link.unwrap_or_default())
        })
        .collect()
}

fn fill(root: &Path) {
    fs::create_dir_all(root.join("b/deep")).unwrap();
    fs::write(root.join("b/file"), "content").unwrap();
    fs::hard_link(root.join("b/file"), root.join("a-link")).unwrap();
    fs::write(root.join("b/deep/tool"), vec![7; 300_000]).unwrap();
    fs::set_permissions(root.join("b/deep/tool"), fs::Permissions::from_mode(0o4755)).unwrap();
    symlink("../file", root.join("b/deep/link")).unwrap();
    make_whiteout(&root.join("b/removed")).unwrap();
    fs::create_dir(root.join("c")).unwrap();
    make_opaque(&root.join("c")).unwrap();
    fs::write(root.join(format!("c/{}", "long".repeat(40))), "x").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
}

#[test]
fn a_layer_is_its_content_not_its_times() {
    let Some((_dir, store)) = store() else { return };
    let options = SealOptions { epoch: Some(1_000_000_000) };
    let seal = || {
        let draft = store.begin_layer().unwrap();
        fill(&draft.fs);
        draft.seal(&options).unwrap()
    };
    let first = seal();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let second = seal();
    assert_eq!(first, second);
    assert_eq!(first.bytes, 7 + 300_000 + 1);
    assert_eq!(fs::read_dir(store.root().join("drafts")).unwrap().count(), 0, "a draft was left behind");

    let tar = tar_of(&store, &first.id);
    let long = format!("0 c/{}", "long".repeat(40));
    assert_eq!(
        listing(&tar),
        [
            "0 a-link",
            "5 b/",
            "5 b/deep/",
            "2 b/deep/link -> ../file",
            "0 b/deep/tool",
            "1 b/file -> a-link",
            "0 b/.wh.removed",
            "5 c/",
            "0 c/.wh..wh..opq",
            &long,
        ]
    );
    let mut archive = tar::Archive::new(tar.as_slice());
    for entry in archive.entries().unwrap() {
        assert!(entry.unwrap().header().mtime().unwrap() <= 1_000_000_000);
    }
    assert_eq!(store.diff_id(&first.id).unwrap(), plimsoll_image::Digest::of(&tar));
    assert_eq!(store.layer_by_diff_id(&plimsoll_image::Digest::of(&tar)).unwrap(), Some(first));
}

#[test]
fn a_mode_an_owner_or_a_byte_makes_another_layer() {
    let Some((_dir, store)) = store() else { return };
    let seal = |change: &dyn Fn(&Path)| {
        let draft = store.begin_layer().unwrap();
        fs::write(draft.fs.join("f"), "1").unwrap();
        fs::write(draft.fs.join("g"), "1").unwrap();
        change(&draft.fs);
        draft.seal(&SealOptions::default()).unwrap().id
    };
    let mut ids = vec![
        seal(&|_| {}),
        seal(&|root| fs::write(root.join("f"), "2").unwrap()),
        seal(&|root| fs::set_permissions(root.join("f"), fs::Permissions::from_mode(0o600)).unwrap()),
        seal(&|root| std::os::unix::fs::chown(root.join("f"), Some(5), None).unwrap()),
        seal(&|root| {
            fs::remove_file(root.join("g")).unwrap();
            fs::hard_link(root.join("f"), root.join("g")).unwrap();
        }),
        seal(&|root| fs::rename(root.join("g"), root.join("h")).unwrap()),
    ];
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
    // a second name outside of the layer is not part of it
    let outside = store.root().join("outside");
    assert!(ids.contains(&seal(&|root| fs::hard_link(root.join("f"), &outside).unwrap())));
}

#[test]
fn file_capabilities_survive_a_round_trip() {
    let Some((_dir, store)) = store() else { return };
    // VFS_CAP_REVISION_2, cap_net_bind_service+ep
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let flags = rustix::fs::XattrFlags::empty();
    let draft = store.begin_layer().unwrap();
    let file = draft.fs.join("server");
    fs::write(&file, "x").unwrap();
    std::os::unix::fs::chown(&file, Some(10), Some(20)).unwrap();
    rustix::fs::setxattr(&file, "security.capability", &capability, flags).unwrap();
    rustix::fs::setxattr(&file, "user.note", b"not content", flags).unwrap();
    let layer = draft.seal(&SealOptions { epoch: Some(5) }).unwrap();
    let tar = tar_of(&store, &layer.id);
    assert!(!tar.windows(9).any(|window| window == b"user.note"));

    let other = Store::open(store.root().join("other")).unwrap();
    let imported = other.import_layer(tar.as_slice()).unwrap();
    let mut value = [0; 64];
    let size = rustix::fs::getxattr(imported.path.join("server"), "security.capability", &mut value).unwrap();
    assert_eq!(&value[..size], capability);
    let meta = fs::metadata(imported.path.join("server")).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.mtime()), (10, 20, 5));
    assert_eq!(tar_of(&other, &imported.id), tar);
}

#[test]
fn an_imported_tar_keeps_its_digest_in_every_form() {
    let Some((_dir, store)) = store() else { return };
    // members in an order and with a header that we would not write
    let mut builder = Builder::new(Vec::new());
    for name in ["z", "a"] {
        let mut header = Header::new_gnu();
        header.set_size(3);
        header.set_mode(0o640);
        header.set_mtime(77);
        header.set_username("somebody").unwrap();
        header.set_cksum();
        builder.append_data(&mut header, name, &b"abc"[..]).unwrap();
    }
    let tar = builder.into_inner().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&tar).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(tar.as_slice(), 3).unwrap();
    let expected = plimsoll_image::Digest::of(&tar);
    let mut ids = Vec::new();
    for (index, form) in [&tar, &gzip, &zstd].into_iter().enumerate() {
        let store = Store::open(store.root().join(format!("form-{index}"))).unwrap();
        let layer = store.import_layer(form.as_slice()).unwrap();
        assert_eq!(store.diff_id(&layer.id).unwrap(), expected);
        assert_eq!(tar_of(&store, &layer.id), tar);
        assert_eq!(store.import_layer(tar.as_slice()).unwrap(), layer, "a second import is the same layer");
        ids.push(layer.id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

fn member(kind: EntryType, path: &[u8], link: &[u8], body: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1);
    header.set_size(body.len() as u64);
    header.as_old_mut().name[..path.len()].copy_from_slice(path);
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn nothing_leaves_the_layer() {
    let Some((dir, store)) = store() else { return };
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "untouched").unwrap();
    let outside_text = outside.to_str().unwrap().as_bytes().to_vec();
    let up = b"../../../../../../../../../../../../../".to_vec();
    let escape = [up.as_slice(), &outside_text[1..]].concat();
    let precious = [outside_text.as_slice(), b"/precious"].concat();

    use EntryType as T;
    let refused: Vec<Vec<Vec<u8>>> = vec![
        vec![member(T::Regular, b"../evil", b"", b"x")],
        vec![member(T::Regular, b"a/../../evil", b"", b"x")],
        // a hard link whose target is outside, by name and through a link
        vec![member(T::Link, b"mine", &precious, b"")],
        vec![member(T::Symlink, b"out", &outside_text, b""), member(T::Link, b"mine", b"out/precious", b"")],
        vec![member(T::Link, b"mine", b"../outside/precious", b"")],
        // a parent that is a file
        vec![member(T::Regular, b"f", b"", b"x"), member(T::Regular, b"f/g", b"", b"x")],
        // links that turn in a circle
        vec![member(T::Symlink, b"l", b"l", b""), member(T::Regular, b"l/g", b"", b"x")],
        vec![member(T::Char, b"null", b"", b"")],
        // an owner that chown takes for none
        vec![member(T::XHeader, b"pax", b"", b"18 uid=4294967295\n"), member(T::Regular, b"f", b"", b"x")],
        vec![
            member(T::XHeader, b"pax", b"", b"18 GNU.sparse.x=1\n"),
            member(T::Regular, b"sparse", b"", b"x"),
        ],
        vec![member(T::GNUSparse, b"sparse", b"", b"")],
        vec![member(T::Regular, b".wh...", b"", b""), member(T::Regular, b".wh.", b"", b"")],
        vec![member(T::Link, b"x", b"x", b"")],
        vec![b"this is no tar".repeat(100)],
    ];
    for (index, members) in refused.iter().enumerate() {
        let result = store.import_layer(members.concat().as_slice());
        assert!(matches!(result, Err(StoreError::Archive { .. })), "case {index}: {result:?}");
    }

    // absolute names and links are names inside the layer
    let contained: Vec<Vec<Vec<u8>>> = vec![
        vec![member(T::Regular, b"/etc/x", b"", b"x")],
        vec![
            member(T::Directory, b"in/", b"", b""),
            member(T::Symlink, b"out", b"/in", b""),
            member(T::Regular, b"out/file", b"", b"x"),
        ],
        vec![
            member(T::Directory, &outside_text[1..], b"", b""),
            member(T::Symlink, b"out", &escape, b""),
            member(T::Regular, b"out/precious", b"", b"overwritten"),
        ],
        // a file in place of a link to a precious file
        vec![member(T::Symlink, b"s", &precious, b""), member(T::Regular, b"s", b"", b"overwritten")],
        // a directory replaced by a link, then written through
        vec![
            member(T::Directory, b"d/", b"", b""),
            member(T::Regular, b"d/one", b"", b"1"),
            member(T::Symlink, b"d", b"/e", b""),
            member(T::Directory, b"e", b"", b""),
            member(T::Regular, b"d/precious", b"", b"overwritten"),
        ],
    ];
    for (index, members) in contained.iter().enumerate() {
        store
            .import_layer(members.concat().as_slice())
            .unwrap_or_else(|error| panic!("case {index}: {error}"));
    }
    assert_eq!(fs::read_to_string(outside.join("precious")).unwrap(), "untouched");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::metadata(outside.join("precious")).unwrap().nlink(), 1);
    assert_eq!(fs::read_dir(store.root().join("drafts")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(store.root().join("tmp")).unwrap().count(), 0);
}

#[test]
fn cut_and_bombed_archives_end_with_an_error() {
    let Some((_dir, store)) = store() else { return };
    let good = [member(EntryType::Regular, b"a", b"", &[1; 2000]), vec![0; 1024]].concat();
    store.import_layer(good.as_slice()).unwrap();
    for length in [1, 511, 513, 1000, 2000] {
        let result = store.import_layer(&good[..length]);
        assert!(matches!(result, Err(StoreError::Archive { .. })), "{length}: {result:?}");
    }
    // 1 GiB of zeros in a few kilobytes
    let bomb = [
        {
            let mut h = member(EntryType::Regular, b"bomb", b"", b"");
            h.truncate(512);
            let mut header = Header::from_byte_slice(&h).clone();
            header.set_size(1 << 30);
            header.set_cksum();
            header.as_bytes().to_vec()
        },
        vec![0; 1 << 20],
    ];
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(&bomb[0]).unwrap();
    for _ in 0..1024 {
        encoder.write_all(&bomb[1]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 200_000);
    let limits = ImportLimits { entries: 10, bytes: 10 << 20 };
    let error = store.import_layer_within(bomb.as_slice(), &limits).unwrap_err();
    assert!(format!("{error:?}").contains("larger than the limit"), "{error:?}");
    let many: Vec<u8> =
        (0..20).flat_map(|n| member(EntryType::Regular, format!("{n}").as_bytes(), b"", b"")).collect();
    let error = store.import_layer_within(many.as_slice(), &limits).unwrap_err();
    assert!(error.to_string().contains("more than 10 members"), "{error}");
    // a body that reaches the end of all numbers
    let mut header = Header::from_byte_slice(&member(EntryType::Regular, b"x", b"", b"")[..512]).clone();
    header.set_size(u64::MAX);
    header.set_cksum();
    let error = store.import_layer(&header.as_bytes()[..]).unwrap_err();
    assert!(error.to_string().contains("too many"), "{error}");
    // an extended header that wants a gigabyte of memory
    let mut header = Header::from_byte_slice(&member(EntryType::XHeader, b"x", b"", b"")[..512]).clone();
    header.set_size(1 << 30);
    header.set_cksum();
    let error = store.import_layer(&header.as_bytes()[..]).unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 128, ..Default::default() })]

    /// Damage of any kind ends with an error or a layer, never with a panic or a file elsewhere.
    #[test]
    fn damaged_archives_do_no_harm(
        damage in proptest::collection::vec((0_usize..6000, proptest::prelude::any::<u8>()), 1..12),
        cut in 0_usize..6000,
        repair in proptest::prelude::any::<bool>(),
    ) {
        let Some((dir, store)) = store() else { return Ok(()) };
        use EntryType as T;
        let records = b"19 path=long/name/x\n25 SCHILY.xattr.user.a=b\n";
        let mut tar = [
            member(T::Directory, b"d/", b"", b""),
            member(T::Symlink, b"d/up", b"../../..", b""),
            member(T::XHeader, b"pax", b"", records),
            member(T::Regular, b"short", b"", b"body"),
            member(T::Link, b"d/hard", b"long/name/x", b""),
            member(T::GNULongName, b"././@LongLink", b"", b"d/up/tmp/escaped\0"),
            member(T::Regular, b"y", b"", &[1; 600]),
            vec![0; 1024],
        ]
        .concat();
        for (at, byte) in damage {
            let length = tar.len();
            tar[at % length] = byte;
        }
        tar.truncate(tar.len() - cut % tar.len() / 4);
        if repair {
            // right checksums let the damage through to the next check
            for block in tar.chunks_exact_mut(512) {
                if block.iter().any(|byte| *byte != 0) {
                    let mut header = Header::from_byte_slice(block).clone();
                    header.set_cksum();
                    block.copy_from_slice(header.as_bytes());
                }
            }
        }
        let before = fs::read_dir(dir.path()).unwrap().count();
        if let Ok(layer) = store.import_layer_within(tar.as_slice(), &ImportLimits { entries: 100, bytes: 1 << 20 }) {
            let mut again = Vec::new();
            store.write_layer_tar(&layer.id, &mut again).unwrap();
            proptest::prop_assert_eq!(again, tar);
        }
        proptest::prop_assert_eq!(fs::read_dir(dir.path()).unwrap().count(), before);
        proptest::prop_assert!(!Path::new("/tmp/escaped").exists());
    }
}

#[test]
fn removals_and_replacements_become_overlay_marks() {
    let Some((_dir, store)) = store() else { return };
    use EntryType as T;
    let members = [
        member(T::Regular, b"dir/.wh.gone", b"", b""),
        member(T::Regular, b"opaque/.wh..wh..opq", b"", b""),
        // removed and made anew in one layer: in both orders the new directory hides the old one
        member(T::Regular, b".wh.first", b"", b""),
        member(T::Directory, b"first/", b"", b""),
        member(T::Directory, b"second/", b"", b""),
        member(T::Regular, b".wh.second", b"", b""),
        member(T::Regular, b".wh.third", b"", b""),
        member(T::Regular, b"third/file", b"", b"x"),
        member(T::Regular, b".wh..wh.plnk", b"", b""),
    ];
    let layer = store.import_layer(members.concat().as_slice()).unwrap();
    let mut tar = Vec::new();
    store.write_layer_tar(&layer.id, &mut tar).unwrap();
    assert_eq!(tar, members.concat(), "the tar that came is the tar that goes");
    let gone = fs::symlink_metadata(layer.path.join("dir/gone")).unwrap();
    assert_eq!(gone.rdev(), 0);
    for name in ["opaque", "first", "second", "third"] {
        let mut value = [0; 8];
        let size = rustix::fs::getxattr(layer.path.join(name), "trusted.overlay.opaque", &mut value);
        assert_eq!(size, Ok(1), "{name} is not opaque");
    }
    assert!(!layer.path.join(".wh..wh.plnk").exists());
}

#[test]
fn twenty_thousand_small_files_are_sealed_quickly() {
    let Some((_dir, store)) = store() else { return };
    let draft = store.begin_layer().unwrap();
    for dir in 0..200 {
        let dir = draft.fs.join(format!("d{dir}"));
        fs::create_dir(&dir).unwrap();
        for file in 0..100 {
            fs::write(dir.join(format!("f{file}")), [dir.as_os_str().as_encoded_bytes(), &[file]].concat())
                .unwrap();
        }
    }
    let start = std::time::Instant::now();
    let layer = draft.seal(&SealOptions { epoch: Some(0) }).unwrap();
    let sealed = start.elapsed();
    let start = std::time::Instant::now();
    store.diff_id(&layer.id).unwrap();
    eprintln!("20000 files: sealed in {sealed:?}, diff id after {:?} more", start.elapsed());
    assert!(sealed.as_secs() < 10, "{sealed:?}");
}

#[test]
fn a_layer_in_xz_is_read_and_keeps_its_tar() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o640);
    builder.append_data(&mut header, "x/file", &b"data"[..]).unwrap();
    let plain = builder.into_inner().unwrap();
    let mut packed = Vec::new();
    std::io::Read::read_to_end(&mut liblzma::read::XzEncoder::new(plain.as_slice(), 6), &mut packed).unwrap();
    let layer = store.import_layer(packed.as_slice()).unwrap();
    assert_eq!(fs::read(layer.path.join("x/file")).unwrap(), b"data");
    let mut tar = Vec::new();
    store.write_layer_tar(&layer.id, &mut tar).unwrap();
    assert_eq!(tar, plain);
    assert_eq!(store.import_layer(plain.as_slice()).unwrap().id, layer.id);
}

#[test]
fn a_digest_that_nobody_waits_for_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let draft = store.begin_layer().unwrap();
    fs::write(draft.fs.join("large"), vec![7; 8 << 20]).unwrap();
    let layer = draft.seal(&SealOptions::default()).unwrap();
    let asked = std::cell::Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > 3
    };
    assert!(store.prepare_diff_id(&layer.id, &stop).is_err());
    assert_eq!(asked.get(), 4, "it went on");
    let file = layer.path.with_file_name("diff.json");
    assert!(!file.exists());
    store.prepare_diff_id(&layer.id, &|| false).unwrap();
    assert!(file.exists());
}
