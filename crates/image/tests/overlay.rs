//! Random work on real overlay mounts: the layers, their tars, and the tars laid over one another by a second,
//! simple program give the same files.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::Read as _,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use plimsoll_image::{
    LayerId, Merged, SealOptions, Store,
    output::{write_rootfs_dir, write_rootfs_tar},
};
use proptest::prelude::*;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

#[derive(Debug, Clone)]
enum Op {
    Write(String, u8),
    Directory(String),
    Remove(String),
    Rename(String, String),
    Symlink(String, String),
    HardLink(String, String),
    Mode(String, u32),
    Owner(String, u32),
    Fifo(String),
}

fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec(prop::sample::select(vec!["a", "b", "a.c"]), 1..4)
        .prop_map(|parts| parts.join("/"))
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (path(), any::<u8>()).prop_map(|(path, byte)| Op::Write(path, byte)),
        4 => path().prop_map(Op::Directory),
        4 => path().prop_map(Op::Remove),
        2 => (path(), path()).prop_map(|(from, to)| Op::Rename(from, to)),
        1 => (path(), path()).prop_map(|(to, at)| Op::Symlink(to, at)),
        2 => (path(), path()).prop_map(|(to, at)| Op::HardLink(to, at)),
        1 => (path(), prop::sample::select(vec![0o644, 0o755, 0o4711, 0o600])).prop_map(|(path, mode)| Op::Mode(path, mode)),
        1 => (path(), 0_u32..3_000_000).prop_map(|(path, owner)| Op::Owner(path, owner)),
        1 => path().prop_map(Op::Fifo),
    ]
}

/// Does what is possible; a name that is taken or missing is no matter.
fn apply(root: &Path, op: &Op) {
    let at = |path: &String| root.join(path);
    let kind = |path: &PathBuf| fs::symlink_metadata(path).ok().map(|meta| meta.file_type());
    match op {
        Op::Write(path, byte) => {
            if kind(&at(path)).is_none_or(|kind| kind.is_file()) {
                let _ = fs::write(at(path), vec![*byte; usize::from(*byte) * 7]);
            }
        }
        Op::Directory(path) => drop(fs::create_dir_all(at(path))),
        Op::Remove(path) => match kind(&at(path)) {
            Some(kind) if kind.is_dir() => fs::remove_dir_all(at(path)).unwrap(),
            Some(_) => fs::remove_file(at(path)).unwrap(),
            None => {}
        },
        Op::Rename(from, to) => drop(fs::rename(at(from), at(to))),
        Op::Symlink(to, path) => drop(symlink(to, at(path))),
        Op::HardLink(to, path) => drop(fs::hard_link(at(to), at(path))),
        Op::Mode(path, mode) => {
            if kind(&at(path)).is_some_and(|kind| kind.is_file()) {
                fs::set_permissions(at(path), fs::Permissions::from_mode(*mode)).unwrap();
            }
        }
        Op::Owner(path, owner) => drop(std::os::unix::fs::lchown(at(path), Some(*owner), Some(owner / 2))),
        Op::Fifo(path) => {
            let mode = rustix::fs::Mode::from_raw_mode(0o640);
            let _ = rustix::fs::mknodat(rustix::fs::CWD, at(path), rustix::fs::FileType::Fifo, mode, 0);
        }
    }
}

/// A mount that ends with the value.
struct Mounted(PathBuf);

impl Mounted {
    /// `lowers` top first.
    fn overlay(lowers: &[PathBuf], upper: Option<(&Path, &Path)>, target: PathBuf) -> Self {
        fs::create_dir_all(&target).unwrap();
        // the kernel wants two lowers when there is no upper
        let empty = [target.with_extension("empty1"), target.with_extension("empty2")];
        for dir in &empty {
            fs::create_dir(dir).unwrap();
        }
        let lowers: Vec<_> = lowers.iter().chain(&empty).map(|path| path.display().to_string()).collect();
        let mut options = format!("lowerdir={},redirect_dir=off,metacopy=off,index=off", lowers.join(":"));
        if let Some((upper, work)) = upper {
            options += &format!(",upperdir={},workdir={}", upper.display(), work.display());
        }
        let options = std::ffi::CString::new(options).unwrap();
        mount("overlay", &target, "overlay", MountFlags::empty(), options.as_c_str()).unwrap();
        Self(target)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// Everything that a program can see in a tree, but times and inode numbers.
fn view(root: &Path) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    let mut stack = vec![root.to_owned()];
    while let Some(dir) = stack.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let kind = meta.file_type();
            let content = if kind.is_file() {
                format!("file {:?}", blake3::hash(&fs::read(&path).unwrap()))
            } else if kind.is_symlink() {
                format!("link {}", fs::read_link(&path).unwrap().display())
            } else if kind.is_dir() {
                stack.push(path.clone());
                "directory".to_owned()
            } else {
                assert!(kind.is_fifo());
                "fifo".to_owned()
            };
            let text = format!("{content} {:o} {}:{}", meta.mode(), meta.uid(), meta.gid());
            seen.insert(path.strip_prefix(root).unwrap().display().to_string(), text);
        }
    }
    seen
}

/// Forgets everything below a directory.
fn hide(seen: &mut BTreeMap<String, String>, dir: &str) {
    let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
    seen.retain(|path, _| !path.starts_with(&prefix));
}

/// Lays OCI layer tars over one another as plainly as the specification says it; a model, not our code.
fn model(tars: &[Vec<u8>]) -> BTreeMap<String, String> {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for tar in tars {
        let mut added: HashMap<String, String> = HashMap::new();
        let mut order = Vec::new();
        let mut archive = tar::Archive::new(tar.as_slice());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            let path = path.trim_end_matches('/').to_owned();
            let (dir, name) = path.rsplit_once('/').unwrap_or(("", &path));
            if name == ".wh..wh..opq" {
                hide(&mut seen, dir);
                continue;
            }
            if let Some(hidden) = name.strip_prefix(".wh.") {
                let hidden = if dir.is_empty() { hidden.to_owned() } else { format!("{dir}/{hidden}") };
                hide(&mut seen, &hidden);
                seen.remove(&hidden);
                continue;
            }
            let header = entry.header().clone();
            // the crate gives no owners from extended headers
            let (mut uid, mut gid) = (header.uid().unwrap(), header.gid().unwrap());
            for extension in entry.pax_extensions().unwrap().into_iter().flatten() {
                let extension = extension.unwrap();
                match extension.key().unwrap() {
                    "uid" => uid = extension.value().unwrap().parse().unwrap(),
                    "gid" => gid = extension.value().unwrap().parse().unwrap(),
                    _ => {}
                }
            }
            let mode = header.mode().unwrap();
            let link = entry.link_name_bytes().map(|link| String::from_utf8(link.into_owned()).unwrap());
            let text = match header.entry_type() {
                tar::EntryType::Regular => {
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes).unwrap();
                    format!("file {:?} {:o} {uid}:{gid}", blake3::hash(&bytes), 0o100_000 | mode)
                }
                tar::EntryType::Directory => format!("directory {:o} {uid}:{gid}", 0o040_000 | mode),
                tar::EntryType::Symlink => {
                    format!("link {} {:o} {uid}:{gid}", link.unwrap(), 0o120_000 | mode)
                }
                tar::EntryType::Fifo => format!("fifo {:o} {uid}:{gid}", 0o010_000 | mode),
                tar::EntryType::Link => added[&link.unwrap()].clone(),
                other => panic!("unexpected {other:?}"),
            };
            added.insert(path.clone(), text);
            order.push(path);
        }
        for path in order {
            let text = added[&path].clone();
            if !text.starts_with("directory") {
                hide(&mut seen, &path);
            }
            seen.insert(path, text);
        }
    }
    seen
}

fn check(steps: &[Vec<Op>]) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store")).unwrap();
    let mut layers: Vec<LayerId> = Vec::new();
    let mut expected = BTreeMap::new();
    for (index, ops) in steps.iter().enumerate() {
        let draft = store.begin_layer().unwrap();
        let mounted = Mounted::overlay(
            &store.lowers(&layers).unwrap(),
            Some((&draft.fs, &draft.work)),
            dir.path().join(format!("m{index}")),
        );
        for op in ops {
            apply(&mounted.0, op);
        }
        expected = view(&mounted.0);
        drop(mounted);
        let layer = draft.seal(&SealOptions { epoch: Some(9) }).unwrap();
        layers.push(layer.id);
    }
    let lowers = store.lowers(&layers).unwrap();
    assert_eq!(
        view(&Mounted::overlay(&lowers, None, dir.path().join("sealed")).0),
        expected,
        "sealed layers"
    );

    let tars: Vec<Vec<u8>> = layers
        .iter()
        .map(|id| {
            let mut tar = Vec::new();
            store.write_layer_tar(id, &mut tar).unwrap();
            tar
        })
        .collect();
    assert_eq!(model(&tars), expected, "tars laid over one another by the model");

    let other = Store::open(dir.path().join("other")).unwrap();
    let mut imported = Vec::new();
    for (tar, id) in tars.iter().zip(&layers) {
        let layer = other.import_layer(tar.as_slice()).unwrap();
        assert_eq!(other.diff_id(&layer.id).unwrap(), store.diff_id(id).unwrap());
        imported.push(layer.id);
    }
    let lowers = other.lowers(&imported).unwrap();
    assert_eq!(
        view(&Mounted::overlay(&lowers, None, dir.path().join("imported")).0),
        expected,
        "imported layers"
    );

    let rootfs = dir.path().join("rootfs");
    write_rootfs_dir(&store, &layers, &rootfs).unwrap();
    assert_eq!(view(&rootfs), expected, "merged root file system");
    let mut tar = Vec::new();
    write_rootfs_tar(&store, &layers, &mut tar).unwrap();
    assert_eq!(model(&[tar]), expected, "merged tar");
    let merged = Merged::read(&store, &layers).unwrap();
    let wasted: u64 = merged.wasted().iter().map(|wasted| wasted.bytes).sum();
    let total: u64 = layers.iter().map(|id| store.layer(id).unwrap().unwrap().bytes).sum();
    assert!(merged.bytes() + wasted >= total, "bytes are lost");
}

fn can_mount() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        assert!(std::env::var_os("CI").is_none(), "this test needs root");
        eprintln!("skipped: overlay mounts need root");
    }
    root
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn layers_tars_and_merged_views_are_one(steps in proptest::collection::vec(proptest::collection::vec(op(), 1..14), 1..5)) {
        if can_mount() {
            check(&steps);
        }
    }
}

/// Cases that went wrong in other tools (umoci#572, buildkit#2614).
#[test]
fn a_directory_made_again_hides_the_old_one() {
    if !can_mount() {
        return;
    }
    let text = |text: &str| text.to_owned();
    let directory = |path| Op::Directory(text(path));
    let write = |path| Op::Write(text(path), 3);
    let remove = |path| Op::Remove(text(path));
    check(&[
        vec![directory("a/b"), write("a/b/a"), write("a/b/b"), write("a.c")],
        vec![remove("a"), directory("a/b"), write("a/b/a.c")],
        vec![remove("a/b"), write("a/b"), remove("a.c"), directory("a.c")],
        vec![remove("a/b"), directory("a/b"), remove("a.c"), Op::HardLink(text("a/b"), text("b"))],
    ]);
}
