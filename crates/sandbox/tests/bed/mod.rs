//! What the tests that run steps share: a root file system, and a harness (the binary must be able to become the sandbox
//! helper, so its `main` is our own).
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    fs,
    os::unix::fs::symlink,
    panic::catch_unwind,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use plimsoll_sandbox::{Exit, Mount, MountKind, Process, Root, SandboxError, run};
use tempfile::TempDir;

/// Runs the tests whose names hold one of the words in `arguments`.
pub(crate) fn run_all(tests: &[(&str, fn())], arguments: &[String]) -> ExitCode {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: running steps needs root");
        return ExitCode::from(u8::from(std::env::var_os("CI").is_some()));
    }
    let mut failed = 0;
    for (name, test) in tests {
        if arguments.iter().any(|filter| !filter.starts_with('-') && !name.contains(filter.as_str())) {
            continue;
        }
        let start = Instant::now();
        let passed = catch_unwind(test).is_ok();
        println!("test {name} ... {} ({:?})", if passed { "ok" } else { "FAILED" }, start.elapsed());
        failed += usize::from(!passed);
    }
    println!("{failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

/// A root file system over the host's programs, with a fresh upper directory.
pub(crate) struct Bed {
    pub(crate) dir: TempDir,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("base");
        for name in ["upper", "work", "base/etc", "base/root", "base/home/app", "base/usr"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        for name in ["bin", "sbin", "lib", "lib64"] {
            symlink(format!("usr/{name}"), base.join(name)).unwrap();
        }
        fs::write(base.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\napp:x:1234:1235::/home/app:/bin/sh\n")
            .unwrap();
        fs::write(base.join("etc/nsswitch.conf"), "hosts: files dns\n").unwrap();
        fs::write(base.join("etc/group"), "root:x:0:\napp:x:1235:\nextra:x:77:app\n").unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn step(&self, argv: &[&str]) -> Process {
        let root =
            Root { lowers: vec![self.path("base")], upper: self.path("upper"), work: self.path("work") };
        let mut step = Process::new(root, argv.iter().map(|word| (*word).to_owned()).collect());
        step.env = vec![("PATH".into(), "/usr/sbin:/usr/bin:/sbin:/bin".into())];
        step.mounts = vec![Mount {
            target: "/usr".into(),
            kind: MountKind::Bind { source: "/usr".into(), read_only: true },
        }];
        step
    }

    pub(crate) fn run(
        &self,
        argv: &[&str],
        change: impl FnOnce(&mut Process),
    ) -> Result<(Exit, String), SandboxError> {
        let mut step = self.step(argv);
        change(&mut step);
        let mut text = Vec::new();
        let exit = run(&step, &mut |_, bytes| text.extend_from_slice(bytes));
        // A volatile overlay refuses to be mounted on the work directory of an earlier one.
        fs::remove_dir_all(self.path("work")).unwrap();
        fs::create_dir(self.path("work")).unwrap();
        Ok((exit?, String::from_utf8_lossy(&text).into_owned()))
    }

    pub(crate) fn sh(&self, script: &str, change: impl FnOnce(&mut Process)) -> String {
        let (exit, text) = self.run(&["/bin/sh", "-c", script], change).unwrap();
        assert!(exit.success(), "{exit:?}: {text}");
        text
    }

    /// Every path in the upper directory, sorted.
    pub(crate) fn upper(&self) -> Vec<String> {
        fn walk(at: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                found.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
                if path.symlink_metadata().unwrap().is_dir() {
                    walk(&path, root, found);
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.path("upper"), &self.path("upper"), &mut found);
        found.sort();
        found
    }
}
