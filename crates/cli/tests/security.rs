//! Attacks on the machine that builds: what a context, a Dockerfile and another user of the machine can do.
#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// `plimsoll`, ended after half a minute: what waits without end is a finding.
fn plimsoll(home: &Path, arguments: &[&str]) -> Output {
    Command::new("timeout")
        .args(["30", env!("CARGO_BIN_EXE_plimsoll")])
        .args(arguments)
        .env("PLIMSOLL_HOME", home)
        .env_remove("SOURCE_DATE_EPOCH")
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn context(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

const COPY: (&str, &str) = ("Dockerfile", "FROM scratch\nCOPY h /\n");

#[test]
fn store_open_to_local_users() {
    let project = context(&[COPY, ("h", "h"), ("sub/plimsoll.toml", "")]);
    let path = project.path().to_str().unwrap();
    let verbs: [&[&str]; 6] = [
        &["image", "build", "-q", path],
        &["image", "ls"],
        &["image", "df"],
        &["image", "prune", "--force"],
        &["base", "ls"],
        &["image", "rm", "nothing-here"],
    ];
    for verb in verbs {
        for before in [None, Some(0o755), Some(0o777)] {
            let dir = tempfile::tempdir().unwrap();
            let home = dir.path().join("deep/home");
            if let Some(mode) = before {
                fs::create_dir_all(&home).unwrap();
                fs::set_permissions(&home, fs::Permissions::from_mode(mode)).unwrap();
            }
            // The widest umask.
            let output = Command::new("/bin/sh")
                .args(["-c", "umask 000; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_plimsoll")])
                .args(verb)
                .current_dir(project.path().join("sub"))
                .env("PLIMSOLL_HOME", &home)
                .output()
                .unwrap();
            match fs::metadata(&home) {
                Ok(meta) => assert_eq!(meta.mode() & 0o7777, 0o700, "{verb:?} {before:?}: {}", said(&output)),
                Err(error) => assert!(before.is_none() && !output.status.success(), "{verb:?}: {error}"),
            }
        }
    }
}

#[test]
fn run_has_the_hosts_network_by_permission() {
    let dir = tempfile::tempdir().unwrap();
    let own = context(&[("Dockerfile", "FROM scratch\nCOPY Dockerfile /\nRUN --network=host [\"/none\"]\n")]);
    let plain = context(&[("Dockerfile", "FROM scratch\nCOPY Dockerfile /\nRUN [\"/none\"]\n")]);
    for (project, options) in [(&own, &[][..]), (&plain, &["--network=host"][..])] {
        let build = |more: &[&str]| {
            let mut arguments = vec!["image", "build", "--progress=plain"];
            arguments.extend(options);
            arguments.extend(more);
            arguments.push(project.path().to_str().unwrap());
            plimsoll(dir.path(), &arguments)
        };
        let refused = build(&[]);
        assert!(!refused.status.success());
        let text = said(&refused);
        assert!(
            text.contains("network.host is not allowed") && text.contains("--allow network.host"),
            "{text}"
        );
        let text = said(&build(&["--allow", "network.host"]));
        assert!(!text.contains("network.host is not allowed"), "{text}");
    }
}

fn git(dir: &Path, arguments: &[&str]) -> bool {
    Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(["-c", "user.name=a", "-c", "user.email=a@b"])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[test]
fn git_of_the_context_runs_programs() {
    let project = context(&[COPY, ("h", "h")]);
    if !git(project.path(), &["init", "-q"]) {
        assert!(std::env::var_os("CI").is_none(), "CI must not skip: no git");
        eprintln!("skipped: no git on this machine");
        return;
    }
    assert!(git(project.path(), &["add", "."]) && git(project.path(), &["commit", "-q", "-m", "x"]));
    assert!(git(project.path(), &["gc", "-q"]));
    let (home, proof) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (program, ran) = (proof.path().join("program"), proof.path().join("ran"));
    fs::write(&program, format!("#!/bin/sh\ntouch {}\n", ran.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let program = program.to_str().unwrap();
    for (key, value) in [
        ("log.showSignature", "true"),
        ("gpg.program", program),
        ("core.fsmonitor", program),
        ("core.pager", program),
        ("core.sshCommand", program),
        ("diff.external", program),
        ("core.alternateRefsCommand", program),
        ("uploadpack.packObjectsHook", program),
    ] {
        assert!(git(project.path(), &["config", key, value]));
    }
    let _ = fs::remove_file(&ran);
    for more in [&["--provenance=mode=max"][..], &[]] {
        let mut arguments = vec!["image", "build", "-q"];
        arguments.extend(more);
        arguments.push(project.path().to_str().unwrap());
        let output = plimsoll(home.path(), &arguments);
        assert!(output.status.success() || more.len() == 1, "{}", said(&output));
        assert!(!ran.exists(), "{more:?}");
    }
}

#[test]
fn texts_of_others_on_standard_output_drive_no_terminal() {
    let dockerfile =
        "# app gone\u{1b}[2J\u{1b}]0;title\u{7}\nFROM scratch AS app\nARG A=\u{1b}[1A\nCOPY h /\n";
    let project = context(&[("Dockerfile", dockerfile), ("h", "h")]);
    let home = tempfile::tempdir().unwrap();
    for call in ["targets", "outline", "check"] {
        let told =
            plimsoll(home.path(), &["image", "build", "--call", call, project.path().to_str().unwrap()]);
        assert!(!told.stdout.is_empty(), "{call}: {}", said(&told));
        assert!(!said(&told).contains(['\u{1b}', '\u{7}']), "{call}: {:?}", said(&told));
    }
}

#[test]
fn special_files_read_without_end() {
    let home = tempfile::tempdir().unwrap();
    let build = |project: &Path, more: &[&str]| {
        let mut arguments = vec!["image", "build", "-q"];
        arguments.extend(more);
        arguments.push(project.to_str().unwrap());
        plimsoll(home.path(), &arguments)
    };
    // Asked for by nobody: the build goes on without it.
    for head in ["ref: /dev/zero\n", "ref: refs/../../../../../../dev/zero\n"] {
        let project = context(&[COPY, ("h", "h"), (".git/HEAD", head)]);
        let output = build(project.path(), &[]);
        assert!(output.status.success(), "{}", said(&output));
    }
    for name in ["HEAD", "commondir", "packed-refs"] {
        let project = context(&[COPY, ("h", "h"), (".git/HEAD", "ref: refs/heads/x\n")]);
        let path = project.path().join(".git").join(name);
        let _ = fs::remove_file(&path);
        symlink("/dev/zero", &path).unwrap();
        assert!(build(project.path(), &[]).status.success(), "{name}");
    }
    // What the build needs: refused, and said.
    for (kind, name) in [("pipe", "Dockerfile"), ("zero", "Dockerfile"), ("pipe", "other"), ("zero", "other")]
    {
        let project = context(&[("h", "h")]);
        let path = project.path().join(name);
        if kind == "pipe" {
            assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        } else {
            symlink("/dev/zero", &path).unwrap();
        }
        let path = path.to_str().unwrap();
        let output = build(project.path(), &["-f", path]);
        assert!(said(&output).contains("not a regular file"), "{kind} {name}: {}", said(&output));
        assert_eq!(output.status.code(), Some(2), "{kind} {name}");
    }
    for (verb, file) in [("config", "compose.yaml"), ("config", "plimsoll.toml")] {
        let project = context(&[("compose.yaml", "services: {a: {image: b}}\n")]);
        let path = project.path().join(file);
        let _ = fs::remove_file(&path);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let output = Command::new("timeout")
            .args(["30", env!("CARGO_BIN_EXE_plimsoll"), verb])
            .current_dir(project.path())
            .env("PLIMSOLL_HOME", home.path())
            .output()
            .unwrap();
        assert_ne!(output.status.code(), Some(124), "{verb} {file} waits for somebody");
    }
    // A pipe of the caller's own is what it reads.
    let project = context(&[("h", "h")]);
    let script = format!(
        "exec {} image build -q -f <(printf 'FROM scratch\\nCOPY h /\\n') {}",
        env!("CARGO_BIN_EXE_plimsoll"),
        project.path().display()
    );
    if Path::new("/bin/bash").exists() {
        let output = Command::new("/bin/bash")
            .args(["-c", &script])
            .env("PLIMSOLL_HOME", home.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
}
