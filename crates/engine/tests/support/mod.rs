//! A tiny image for tests against the real engine: a static busybox from the Debian archive, made into a
//! `docker save` archive here and loaded through the code under test.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::format_collect,
    reason = "test support; each test binary uses its own part"
)]

use std::{io, path::PathBuf, process::Command, sync::OnceLock};

use plimsoll_engine::Engine;
use sha2::{Digest as _, Sha256};

/// The name of the test image.
pub(crate) const IMAGE: &str = "plimsoll-test/busybox:1";
/// The label of everything that tests make.
pub(crate) const LABEL: &str = "plimsoll-test=1";

/// The engine, or `None` with the reason printed. With CI set a missing engine is a failure.
pub(crate) async fn engine() -> Option<Engine> {
    match Engine::connect().await {
        Ok(engine) => {
            ensure_image(&engine).await;
            Some(engine)
        }
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("CI is set, so this test must run: {error}"),
    }
}

async fn ensure_image(engine: &Engine) {
    static ONCE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    ONCE.get_or_init(|| async {
        if engine.inspect_image(IMAGE).await.is_ok() {
            return;
        }
        engine.load_with(|out| out.write_all(&archive(busybox()))).await.expect("the test image loads");
    })
    .await;
}

/// The bytes of a static busybox, downloaded once and kept in the target directory.
pub(crate) fn busybox() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("busybox");
        let binary = directory.join("root/bin/busybox");
        let usrmerge = directory.join("root/usr/bin/busybox");
        if !binary.exists() && !usrmerge.exists() {
            std::fs::create_dir_all(&directory).unwrap();
            let run = |command: &mut Command| {
                let status = command.current_dir(&directory).status().unwrap();
                assert!(status.success(), "{command:?}: {status}");
            };
            run(Command::new("apt-get").args([
                "-o",
                "APT::Sandbox::User=root",
                "download",
                "busybox-static",
            ]));
            let package = std::fs::read_dir(&directory)
                .unwrap()
                .filter_map(|entry| Some(entry.ok()?.path()))
                .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
                .unwrap();
            run(Command::new("dpkg").arg("-x").arg(&package).arg("root"));
        }
        std::fs::read(if binary.exists() { binary } else { usrmerge }).unwrap()
    })
}

/// A `docker save` archive with one layer: busybox and links to it, /tmp, /etc/passwd, and /owned of user 1000.
fn archive(busybox: &[u8]) -> Vec<u8> {
    let layer = layer(busybox);
    let diff_id = hex(&layer);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{"Env":["PATH=/bin"],"Cmd":["/bin/sh"],"Labels":{{"plimsoll-test":"1"}}}},"rootfs":{{"type":"layers","diff_ids":["sha256:{diff_id}"]}}}}"#
    );
    let config_name = format!("{}.json", hex(config.as_bytes()));
    let manifest = format!(r#"[{{"Config":"{config_name}","RepoTags":["{IMAGE}"],"Layers":["layer.tar"]}}]"#);
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in [
        (config_name.as_str(), config.as_bytes()),
        ("layer.tar", &layer),
        ("manifest.json", manifest.as_bytes()),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

fn layer(busybox: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let directory = |tar: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32, uid: u64| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        header.set_mode(mode);
        header.set_uid(uid);
        header.set_gid(uid);
        tar.append_data(&mut header, path, io::empty()).unwrap();
    };
    for (path, mode, uid) in
        [("bin/", 0o755, 0), ("etc/", 0o755, 0), ("tmp/", 0o1777, 0), ("owned/", 0o700, 1000)]
    {
        directory(&mut tar, path, mode, uid);
    }
    let file = |tar: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        tar.append_data(&mut header, path, bytes).unwrap();
    };
    file(&mut tar, "bin/busybox", 0o755, busybox);
    file(&mut tar, "etc/passwd", 0o644, b"root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n");
    for applet in [
        "sh", "cat", "echo", "false", "id", "ls", "mv", "nc", "sleep", "stat", "test", "touch", "true",
        "wget",
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, format!("bin/{applet}"), "busybox").unwrap();
    }
    tar.into_inner().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
