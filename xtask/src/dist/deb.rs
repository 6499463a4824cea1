//! The Debian package: binary, completions, manual pages, licences.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{Content, File, VERSION, lay_out, of_repository};
use crate::shell;

/// Makes `plimsoll_VERSION_amd64.deb` in `folder`.
pub(super) fn make(content: &Content, folder: &Path, epoch: u64) -> Result<PathBuf> {
    let deb = folder.join(format!("plimsoll_{VERSION}_amd64.deb"));
    let libc = shell::read(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    let libc = String::from_utf8(libc)?;
    let libc = libc.trim().strip_prefix("glibc ").context("getconf names no version of glibc")?;
    pack(&files(content)?, libc, &folder.join("deb"), &deb, epoch)?;
    Ok(deb)
}

fn files(content: &Content) -> Result<Vec<File>> {
    let licence = of_repository("LICENSE-MIT")?;
    let mut files = vec![
        File { path: "usr/bin/plimsoll".into(), mode: 0o755, bytes: content.binary.clone() },
        File::plain("usr/share/doc/plimsoll/copyright", copyright(&licence)?),
        File::plain("usr/share/doc/plimsoll/changelog", of_repository("CHANGELOG.md")?),
        File::plain("usr/share/doc/plimsoll/notices", content.notices.as_str()),
    ];
    for (shell, script) in &content.completions {
        // Debian has no folder for the other two
        let path = match *shell {
            "bash" => "usr/share/bash-completion/completions/plimsoll",
            "fish" => "usr/share/fish/vendor_completions.d/plimsoll.fish",
            "zsh" => "usr/share/zsh/vendor-completions/_plimsoll",
            _ => continue,
        };
        files.push(File::plain(path, script.as_slice()));
    }
    let pages = content.pages.iter();
    files
        .extend(pages.map(|(name, page)| File::plain(format!("usr/share/man/man1/{name}"), page.as_slice())));
    Ok(files)
}

/// Lays the files out below `root`, presses what Debian's policy wants pressed, and packs them.
fn pack(files: &[File], libc: &str, root: &Path, deb: &Path, epoch: u64) -> Result<()> {
    lay_out(files, root)?;
    let pressed = files.iter().map(|file| &file.path).filter(|path| {
        path.starts_with("usr/share/man/") || path.ends_with("/changelog") || path.ends_with("/notices")
    });
    // without name and time of the file
    shell::quiet(Command::new("gzip").args(["-9", "--no-name"]).args(pressed).current_dir(root))?;
    let control = control(libc, size(root)?);
    lay_out(&[File::plain("DEBIAN/control", control)], root)?;
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "-Zxz", "--build"]).args([root, deb]);
    // more threads cut the file into other blocks
    shell::quiet(build.env("SOURCE_DATE_EPOCH", epoch.to_string()).env("DPKG_DEB_THREADS_MAX", "1"))
}

/// Of all files below, each rounded up, in KiB.
fn size(folder: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        total += if meta.is_dir() { 1 + size(&entry.path())? } else { meta.len().div_ceil(1024) };
    }
    Ok(total)
}

/// `libc` is the version that the binary was linked with: an older one may lack what it uses.
fn control(libc: &str, size: u64) -> String {
    format!(
        "Package: plimsoll\n\
         Version: {VERSION}\n\
         Architecture: amd64\n\
         Maintainer: The Plimsoll authors\n\
         Installed-Size: {size}\n\
         Depends: libc6 (>= {libc}), libgcc-s1\n\
         Recommends: ca-certificates\n\
         Suggests: docker.io, uidmap\n\
         Section: admin\n\
         Priority: optional\n\
         Description: production container stack for an application, and its proof\n \
         Plimsoll reads an application's repository, writes Dockerfiles, nginx\n \
         configuration and a compose file, builds the images without a daemon, runs\n \
         them on Docker Engine, and measures every claim on the running stack.\n"
    )
}

/// Debian's form of a licence's text, from the file LICENSE-MIT.
fn copyright(licence: &str) -> Result<String> {
    let (head, rest) = licence.split_once("\n\nPermission").context("LICENSE-MIT has another form")?;
    let holder = head.lines().find_map(|line| line.strip_prefix("Copyright (c) "));
    let holder = holder.context("LICENSE-MIT names nobody")?;
    let text = format!("Permission{rest}");
    let lines =
        text.trim_end().lines().map(|line| if line.is_empty() { " .".into() } else { format!(" {line}") });
    Ok(format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: plimsoll\n\
         Comment: licences of the packages that are linked stand in notices.gz\n\
         \n\
         Files: *\n\
         Copyright: {holder}\n\
         License: MIT or Apache-2.0\n\
         \n\
         License: MIT\n{}\n\
         \n\
         License: Apache-2.0\n \
         The text is in /usr/share/common-licenses/Apache-2.0.\n",
        lines.collect::<Vec<_>>().join("\n")
    ))
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    /// Packs two small files; false, with the reason printed, where dpkg-deb is missing.
    fn small(folder: &Path) -> Option<PathBuf> {
        if !shell::succeeds(Command::new("dpkg-deb").arg("--version")) {
            assert!(std::env::var_os("CI").is_none(), "CI must not skip: no dpkg-deb");
            eprintln!("skipped: no dpkg-deb");
            return None;
        }
        let files = [
            File { path: "usr/bin/plimsoll".into(), mode: 0o755, bytes: b"#!/bin/sh\necho hello\n".to_vec() },
            File::plain("usr/share/man/man1/plimsoll.1", ".TH plimsoll 1\n"),
        ];
        let deb = folder.join("small.deb");
        pack(&files, "2.36", &folder.join("deb"), &deb, 1_000_000_000).expect("it is packed");
        Some(deb)
    }

    #[test]
    fn a_package_is_the_same_to_the_byte_at_another_time_and_in_another_folder() {
        let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let Some(first) = small(one.path()) else { return };
        // files have times in seconds
        thread::sleep(Duration::from_millis(1100));
        let second = small(two.path()).expect("dpkg-deb is still there");
        assert!(fs::read(first).expect("read") == fs::read(second).expect("read"));
    }

    #[test]
    fn a_package_belongs_to_root_and_has_fields_that_dpkg_reads() {
        let folder = tempfile::tempdir().expect("a folder");
        let Some(deb) = small(folder.path()) else { return };
        let ask = |arguments: &[&str]| {
            let output =
                shell::read(Command::new("dpkg-deb").arg(arguments[0]).arg(&deb).args(&arguments[1..]));
            String::from_utf8(output.expect("dpkg-deb reads it")).expect("text")
        };
        assert_eq!(ask(&["--field", "Version"]).trim(), VERSION);
        assert_eq!(ask(&["--field", "Depends"]).trim(), "libc6 (>= 2.36), libgcc-s1");
        let description = ask(&["--field", "Description"]);
        assert_eq!(description.lines().count(), 4, "{description}");
        let list = ask(&["--contents"]);
        let has = |mode: &str, path: &str| {
            list.lines().any(|line| line.starts_with(&format!("{mode} root/root")) && line.ends_with(path))
        };
        assert!(has("-rwxr-xr-x", " ./usr/bin/plimsoll"), "{list}");
        assert!(has("-rw-r--r--", " ./usr/share/man/man1/plimsoll.1.gz"), "{list}");
        assert!(has("drwxr-xr-x", " ./usr/bin/"), "{list}");
        assert!(!list.contains("DEBIAN"), "{list}");
    }

    #[test]
    fn the_licence_has_debian_s_form() {
        let text = copyright(&of_repository("LICENSE-MIT").expect("the licence")).expect("its form");
        assert!(
            text.contains("\nCopyright: 2026 The Plimsoll authors\nLicense: MIT or Apache-2.0\n"),
            "{text}"
        );
        assert!(text.contains("\nLicense: MIT\n Permission is hereby granted"), "{text}");
        // an empty line would end the paragraph
        let (_, mit) = text.split_once("\nLicense: MIT\n").expect("the paragraph");
        let (mit, rest) = mit.split_once("\n\n").expect("its end");
        assert!(mit.lines().all(|line| line.starts_with(' ')) && mit.contains("\n .\n"), "{mit}");
        assert!(rest.starts_with("License: Apache-2.0\n The text is in "), "{rest}");
        assert!(copyright("All rights reserved.").is_err());
    }
}
