//! `cargo xtask dist`: what is given away, a Debian package and a tarball. Both are the same to the byte for the same
//! binary and the same commit.

mod deb;
mod notices;
mod tarball;
mod trial;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::shell;

/// The version of the whole workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Makes a Debian package and a tarball of the release binary
#[derive(Args)]
pub(crate) struct Dist {
    /// Unpack both into empty folders afterwards, and run Plimsoll from there
    #[arg(long)]
    check: bool,
}

impl Dist {
    pub(crate) fn run(self) -> Result<()> {
        let processor = std::env::consts::ARCH;
        if processor != "x86_64" {
            bail!("packages are made for x86-64 alone, and this machine is {processor}");
        }
        let epoch = epoch()?;
        shell::run(shell::cargo().args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--package",
            "plimsoll",
        ]))?;
        let target = shell::root().join(shell::target());
        let folder = target.join("dist");
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        let content = Content::of(&target.join("release/plimsoll"), &folder.join("man"))?;
        let deb = deb::make(&content, &folder, epoch)?;
        let tarball = tarball::make(&content, &folder, epoch)?;
        if self.check {
            trial::run(&deb, &tarball, &folder.join("check"))?;
        }
        for path in [deb, tarball] {
            let bytes = fs::metadata(&path)?.len();
            println!("{}  {:.1} MB", path.display(), bytes as f64 / 1e6);
        }
        Ok(())
    }
}

/// The time that everything in a package has, in seconds since 1970: `SOURCE_DATE_EPOCH`, else the last commit's.
fn epoch() -> Result<u64> {
    if let Some(epoch) = std::env::var_os("SOURCE_DATE_EPOCH") {
        let epoch = epoch.to_str().and_then(|epoch| epoch.parse().ok());
        return epoch.context("SOURCE_DATE_EPOCH is no number of seconds");
    }
    let commit =
        shell::read(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(shell::root()))
            .context("the last commit's time is not known; set SOURCE_DATE_EPOCH")?;
    String::from_utf8(commit)?.trim().parse().context("git named no time; set SOURCE_DATE_EPOCH")
}

/// A file of a package.
struct File {
    /// Below the package's root.
    path: String,
    mode: u32,
    bytes: Vec<u8>,
}

impl File {
    /// A file that everybody may read.
    fn plain(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), mode: 0o644, bytes: bytes.into() }
    }
}

/// What both forms are made of.
struct Content {
    binary: Vec<u8>,
    /// Names of shells, with their scripts.
    completions: Vec<(&'static str, Vec<u8>)>,
    /// `plimsoll-up.1` and the others.
    pages: Vec<(String, Vec<u8>)>,
    /// Licences of the packages that are linked.
    notices: String,
}

impl Content {
    /// Asks the binary itself for completions and manual pages; `man` is a folder for the pages.
    fn of(binary: &Path, man: &Path) -> Result<Self> {
        let shells = ["bash", "elvish", "fish", "powershell", "zsh"];
        let completions = shells
            .into_iter()
            .map(|name| Ok((name, shell::read(Command::new(binary).args(["completions", name]))?)))
            .collect::<Result<_>>()?;
        shell::quiet(Command::new(binary).arg("man").arg(man))?;
        let mut pages = Vec::new();
        for entry in fs::read_dir(man)? {
            let entry = entry?;
            pages.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?));
        }
        pages.sort();
        Ok(Self { binary: fs::read(binary)?, completions, pages, notices: notices::text()? })
    }
}

/// A file of the repository.
fn of_repository(name: &str) -> Result<String> {
    let path = shell::root().join(name);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes the files below `root`; folders are open to everybody whatever the umask.
fn lay_out(files: &[File], root: &Path) -> Result<()> {
    for file in files {
        let path = root.join(&file.path);
        let folders: Vec<PathBuf> = path
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(root))
            .map(Path::to_path_buf)
            .collect();
        fs::create_dir_all(&folders[0]).with_context(|| format!("cannot make {}", folders[0].display()))?;
        for folder in folders {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        }
        fs::write(&path, &file.bytes).with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))?;
    }
    Ok(())
}
