//! What the tests of the builder share: a state of their own, bases as OCI layouts, the real binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Mutex,
    time::{Duration, SystemTime},
};

use tempfile::TempDir;

/// Where nothing but a number may differ between two builds, they have this date.
pub(crate) const EPOCH: &str = "1700000000";

/// A state folder of its own with contexts beside it; `None`, with the reason, where we are not root.
pub(crate) struct Kitchen {
    dir: TempDir,
}

/// What a build left.
pub(crate) struct Built {
    pub(crate) id: String,
    pub(crate) log: String,
}

impl Kitchen {
    pub(crate) fn new() -> Option<Self> {
        let uid = fs::metadata("/proc/self").unwrap().uid();
        if uid != 0 {
            assert!(std::env::var_os("CI").is_none(), "CI must not skip: needs root");
            eprintln!("skipped: needs root for the builder's sandbox");
            return None;
        }
        Some(Self { dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap() })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, with its folders.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// `plimsoll image build` in the folder `context`, with the state in `home`.
    pub(crate) fn command(&self, home: &str, context: &str, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(["image", "build", "--progress=plain"])
            .args(args)
            .arg(".")
            .current_dir(self.path(context))
            .env("PLIMSOLL_HOME", self.path(home))
            .env("SOURCE_DATE_EPOCH", EPOCH)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// A build that must succeed.
    pub(crate) fn build(&self, home: &str, context: &str, args: &[&str]) -> Built {
        built(&mut self.command(home, context, args))
    }

    /// The content of one file of an image.
    pub(crate) fn file(&self, home: &str, context: &str, args: &[&str], path: &str) -> String {
        let tar = self.path("image.tar");
        let output = format!("type=tar,dest={}", tar.display());
        self.build(home, context, &[args, &["--output", &output]].concat());
        let mut archive = tar::Archive::new(fs::File::open(&tar).unwrap());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            if entry.path().unwrap() == Path::new(path) {
                let mut text = String::new();
                std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
                return text;
            }
        }
        panic!("the image has no {path}");
    }
}

/// Runs a build that must succeed.
pub(crate) fn built(command: &mut Command) -> Built {
    let output = command.output().unwrap();
    let log = log(&output);
    assert!(output.status.success(), "{log}");
    Built { id: String::from_utf8(output.stdout).unwrap().trim().to_owned(), log }
}

pub(crate) fn log(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn binary() -> PathBuf {
    std::env::var_os("PLIMSOLL_BIN").map_or_else(|| env!("CARGO_BIN_EXE_plimsoll").into(), PathBuf::from)
}

/// One base after the other; the layouts are kept between runs.
static BASES: Mutex<()> = Mutex::new(());

/// The value of `--build-context` that makes `name` the base `recipe`, made here from Debian's packages.
pub(crate) fn base(name: &str, recipe: &str, reference: &str) -> String {
    let _alone = BASES.lock().unwrap();
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let home = scratch.join("home");
    let layout = scratch.join("bases").join(recipe);
    let plimsoll = |args: &[&str]| {
        let output = Command::new(binary()).args(args).env("PLIMSOLL_HOME", &home).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", log(&output));
    };
    plimsoll(&["base", "make", recipe]);
    let made = fs::read_to_string(layout.join("of")).unwrap_or_default();
    let id = fs::read_to_string(home.join("store/references.json")).unwrap();
    let id = serde_json::from_str::<serde_json::Value>(&id).unwrap().to_string();
    let of = id.split(reference).nth(1).map_or(String::new(), |rest| rest.chars().take(90).collect());
    if made != of || made.is_empty() {
        if layout.exists() {
            fs::remove_dir_all(&layout).unwrap();
        }
        fs::create_dir_all(layout.parent().unwrap()).unwrap();
        let path = layout.display().to_string();
        plimsoll(&[
            "image",
            "save",
            reference,
            "--format",
            "oci-dir",
            "--compression",
            "none",
            "--output",
            &path,
        ]);
        fs::write(layout.join("of"), of).unwrap();
    }
    format!("{name}=oci-layout://{}", layout.display())
}

/// A shell and `cat` of this machine, and `more`, with what they are linked to: an image for RUN of two megabytes.
pub(crate) fn shell(folder: &Path, more: &[&str]) {
    for program in [&["/bin/sh", "/bin/cat"], more].concat() {
        let listed = Command::new("ldd").arg(program).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let libraries = listed.split_whitespace().filter(|word| word.starts_with('/'));
        for file in libraries.chain([program]) {
            let to = folder.join(&file[1..]);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(file, to).unwrap();
        }
    }
}

/// Processes whose command line holds `text`.
pub(crate) fn processes(text: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.contains(text)).collect()
}

/// Sets the time of last modification.
pub(crate) fn set_time(file: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
}
