//! The disk is full: at whatever write that comes, the build says what it was and what to do, and leaves a store that the
//! next build can rely on. Each round has a file system of its own, a little larger than that of the round before.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

#[allow(dead_code, reason = "other test files use the rest")]
#[path = "support/builder.rs"]
mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use sha2::{Digest as _, Sha256};
use support::{Kitchen, binary, log, shell};

/// A file system in memory, gone with this.
struct Disk(PathBuf);

impl Disk {
    fn mount(path: PathBuf, bytes: u64) -> Self {
        fs::create_dir_all(&path).unwrap();
        let options = format!("size={bytes},nr_inodes=20000");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "plimsoll-test"]).arg(&path).status();
        assert!(mounted.unwrap().success());
        Self(path)
    }

    fn resize(&self, bytes: u64) {
        let options = format!("remount,size={bytes}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }

    fn used(&self) -> u64 {
        let output =
            Command::new("df").args(["--output=used", "--block-size=1"]).arg(&self.0).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().nth(1).unwrap().trim().parse().unwrap()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Bytes that no compression makes smaller.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn digest(path: &Path) -> Vec<u8> {
    Sha256::digest(fs::read(path).unwrap()).to_vec()
}

fn run(kitchen: &Kitchen, disk: &Disk, args: &[&str]) -> Output {
    let out = format!("type=oci,dest={}", disk.0.join("image.tar").display());
    let mut command = kitchen.command("unused", "c", &[&["--tag", "full", "--output", &out], args].concat());
    command.env("PLIMSOLL_HOME", disk.0.join("home")).output().unwrap()
}

fn plimsoll(disk: &Disk, args: &[&str]) -> String {
    let mut command = Command::new(binary());
    let output = command.args(args).env("PLIMSOLL_HOME", disk.0.join("home")).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", log(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn id(output: &Output) -> String {
    assert!(output.status.success(), "{}", log(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_full_disk_at_every_write() {
    let Some(kitchen) = Kitchen::new() else { return };
    let context = kitchen.path("c");
    shell(&context.join("shell"), &[]);
    fs::write(context.join("data"), noise(1, 1 << 20)).unwrap();
    for number in 0..200 {
        let path = context.join(format!("small/{}/{number}", number % 7));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, noise(number, 700)).unwrap();
    }
    kitchen.write(
        "c/Dockerfile",
        "FROM scratch AS made\nCOPY shell /\nCOPY data /data\nRUN cat /data > /made\nRUN cat /data > /careless 2> /errors || true\n\
         FROM scratch\nCOPY --from=made /made /careless /\nCOPY small /small\n",
    );

    let disk = Disk::mount(kitchen.path("clean"), 256 << 20);
    let clean_id = id(&run(&kitchen, &disk, &[]));
    let clean = digest(&disk.0.join("image.tar"));
    let needed = disk.used();
    drop(disk);
    eprintln!("the build takes {needed} bytes");

    // coarse over everything, fine where the last and smallest files are written
    let coarse = (1..28).map(|step| needed * step / 28);
    let fine = (1..10).map(|step| needed - (96 << 10) + step * (12 << 10));
    let (mut failed, mut causes) = (0, Vec::new());
    for (round, size) in coarse.chain(fine).enumerate() {
        let disk = Disk::mount(kitchen.path(&format!("disk-{round}")), size.next_multiple_of(4096));
        let output = run(&kitchen, &disk, &[]);
        let said = log(&output);
        if output.status.success() {
            assert_eq!((id(&output), digest(&disk.0.join("image.tar"))), (clean_id.clone(), clean.clone()));
            continue;
        }
        failed += 1;
        let error =
            said.split("error: ").nth(1).unwrap_or_default().lines().next().unwrap_or_default().to_owned();
        assert_eq!(output.status.code(), Some(2), "{size}: {said}");
        assert!(said.contains("No space left on device") || said.contains("is full"), "{size}: {said}");
        assert!(said.contains("plimsoll image prune"), "{size}: {said}");
        assert!(said.contains(&*disk.0.to_string_lossy()), "no path in {size}: {said}");
        assert!(output.stdout.is_empty(), "{size}");
        causes.push(error);

        // with room again, and nothing else done, everything is as it would have been
        disk.resize(256 << 20);
        let again = run(&kitchen, &disk, &[]);
        assert_eq!(id(&again), clean_id, "{size}: after {said}");
        assert_eq!(digest(&disk.0.join("image.tar")), clean, "{size}: after {said}");
        // the cache that a full disk left is that of a clean build
        assert_eq!(id(&run(&kitchen, &disk, &["--no-cache"])), clean_id, "{size}");
        plimsoll(&disk, &["image", "prune"]);
        let unfinished = ["store/drafts", "store/tmp"]
            .map(|folder| fs::read_dir(disk.0.join("home").join(folder)).unwrap().count());
        assert_eq!(unfinished, [0, 0], "{size}");
        plimsoll(&disk, &["image", "inspect", "full"]);
    }
    causes.sort();
    causes.dedup();
    eprintln!("{failed} builds met a full disk:\n{}", causes.join("\n"));
    assert!(failed >= 24, "only {failed} builds met a full disk");
}

/// A build so small that each of its files takes one page, on disks of one page, two pages, …: every write fails once.
#[test]
fn every_single_write_may_be_the_last() {
    let Some(kitchen) = Kitchen::new() else { return };
    const PAGE: u64 = 4096;
    kitchen.write("c/Dockerfile", "FROM scratch\nCOPY data /data\nWORKDIR /made\n");
    kitchen.write("c/data", "small\n");
    let disk = Disk::mount(kitchen.path("clean"), 64 << 20);
    let clean = id(&small(&kitchen, &disk));
    let pages = disk.used() / PAGE;
    drop(disk);
    let (mut failed, mut objects) = (0, Vec::new());
    for size in 1..=pages {
        let disk = Disk::mount(kitchen.path(&format!("disk-{size}")), size * PAGE);
        let output = small(&kitchen, &disk);
        let said = log(&output);
        if output.status.success() {
            assert_eq!(id(&output), clean, "{size}");
            continue;
        }
        failed += 1;
        assert_eq!(output.status.code(), Some(2), "{size}: {said}");
        for text in ["No space left on device", "plimsoll image prune", &disk.0.to_string_lossy()] {
            assert!(said.contains(text), "no {text} on {size} pages: {said}");
        }
        let error = said.split("error: ").nth(1).unwrap_or_default().lines().next().unwrap_or_default();
        objects.push(error.replace(&*disk.0.to_string_lossy(), ""));
        disk.resize(64 << 20);
        let again = small(&kitchen, &disk);
        assert_eq!(id(&again), clean, "{size} pages: after {said}");
        let cached = small(&kitchen, &disk);
        assert!(log(&cached).contains("CACHED"), "{size} pages: {}", log(&cached));
        assert_eq!(id(&cached), clean, "{size} pages");
        plimsoll(&disk, &["image", "prune"]);
        plimsoll(&disk, &["image", "inspect", "small"]);
        let extra: Vec<String> = fs::read_dir(disk.0.join("home/build"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with('.'))
            .collect();
        assert_eq!(extra, Vec::<String>::new(), "{size} pages");
    }
    eprintln!("{failed} of {pages} disks were full:\n{}", objects.join("\n"));
    assert!(failed >= 8, "only {failed} of {pages} disks were full");
}

fn small(kitchen: &Kitchen, disk: &Disk) -> Output {
    let iid = disk.0.join("iid").display().to_string();
    let metadata = disk.0.join("metadata").display().to_string();
    let args = ["--tag", "small", "--iidfile", &iid, "--metadata-file", &metadata];
    kitchen.command("unused", "c", &args).env("PLIMSOLL_HOME", disk.0.join("home")).output().unwrap()
}

/// What others made, and what goes elsewhere: loading an image, and writing cache mounts to a disk of their own.
#[test]
fn loading_and_exporting_meet_a_full_disk() {
    let Some(kitchen) = Kitchen::new() else { return };
    shell(&kitchen.path("c/shell"), &[]);
    kitchen.write(
        "c/Dockerfile",
        "FROM scratch\nCOPY shell /\nCOPY data /data\nRUN --mount=type=cache,id=kept,target=/kept cat /data > /kept/data\n",
    );
    fs::write(kitchen.path("c/data"), noise(3, 700_000)).unwrap();
    let archive = kitchen.path("image.tar").display().to_string();
    let out = format!("type=oci,dest={archive}");
    let clean = kitchen.build("home", "c", &["--tag", "full", "--output", &out]).id;
    let mut objects = Vec::new();
    for step in 1..16_u64 {
        let disk = Disk::mount(kitchen.path(&format!("load-{step}")), step * (256 << 10));
        let mut load = Command::new(binary());
        load.args(["image", "load", &archive]).env("PLIMSOLL_HOME", disk.0.join("home"));
        let output = load.output().unwrap();
        let said = log(&output);
        if !output.status.success() {
            assert_eq!(output.status.code(), Some(2), "{step}: {said}");
            for text in ["No space left on device", "plimsoll image prune", &disk.0.to_string_lossy()] {
                assert!(said.contains(text), "no {text} in {step}: {said}");
            }
            objects.push(said.lines().next().unwrap_or_default().replace(&*disk.0.to_string_lossy(), ""));
            disk.resize(64 << 20);
            assert!(load.output().unwrap().status.success(), "{step}");
        }
        let found: serde_json::Value =
            serde_json::from_str(&plimsoll(&disk, &["image", "inspect", "full"])).unwrap();
        assert!(found.to_string().contains(clean.trim()), "{step}: {found}");
        plimsoll(&disk, &["image", "prune"]);
        assert_eq!(fs::read_dir(disk.0.join("home/store/drafts")).unwrap().count(), 0, "{step}");
    }
    eprintln!("{} loads met a full disk:\n{}", objects.len(), objects.join("\n"));
    assert!(objects.len() >= 8, "{objects:?}");

    let disk = Disk::mount(kitchen.path("mounts"), 128 << 10);
    let to = disk.0.join("mounts.tar.zst").display().to_string();
    let output = kitchen.command("home", "c", &["--cache-mounts-to", &to]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", log(&output));
    assert!(
        log(&output).contains(&to) && log(&output).contains("No space left on device"),
        "{}",
        log(&output)
    );
    assert_eq!(fs::read_dir(&disk.0).unwrap().count(), 0, "half an archive is left");
    disk.resize(8 << 20);
    kitchen.build("home", "c", &["--cache-mounts-to", &to]);
    let from = kitchen.build("other", "c", &["--cache-mounts-from", &to]);
    assert!(from.log.contains("cache mount kept: taken"), "{}", from.log);
}
