//! Git repositories: one commit of them as a directory.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

use super::{RemoteError, Remotes, file_name, output_of};
use crate::git_url::{GitUrl, is_hex};

/// A commit of a repository, checked out.
#[derive(Clone, Debug)]
pub struct Checkout {
    /// The directory that was asked for, in the cache; not to be written to.
    pub root: PathBuf,
    /// The id of the commit that the reference led to.
    pub commit: String,
    /// When it was made, in seconds since 1970; every file has this time.
    pub time: i64,
}

impl Remotes {
    /// The commit that an address means now, as a directory. Only a commit that is not here is fetched, and of it
    /// nothing but its files (a shallow fetch), with its submodules.
    ///
    /// # Errors
    /// When git cannot fetch it, or it is not the commit that the checksum says.
    pub fn git(&self, url: &GitUrl) -> Result<Checkout, RemoteError> {
        let dir = self.dir.join("git");
        fs::create_dir_all(&dir).map_err(|error| RemoteError::io("make", &dir, error))?;
        let git = Git { url, header: self.git_authorization(url)? };
        let reference = url.reference.as_deref().unwrap_or("HEAD");
        let (known, format) = if is_commit(reference) {
            let commit = reference.to_ascii_lowercase();
            let format = ObjectFormat::of(&commit);
            (Some(commit), format)
        } else {
            git.ask(reference)?
        };
        let keep = url.keep_git_dir.unwrap_or(false);
        if let Some(commit) = &known
            && let Some(checkout) = open(&dir, url, commit, keep)
        {
            return finish(checkout, url);
        }
        let scratch = dir.join(format!("tmp-{}-{}", std::process::id(), file_name(&url.remote)));
        let lock = dir.join(format!("{}.lock", file_name(&url.remote)));
        let _lock = self.lock(&lock, &url.remote).map_err(|error| RemoteError::io("lock", &dir, error))?;
        let _ = fs::remove_dir_all(&scratch);
        let made = git.check_out(&scratch, reference, (known.as_deref(), format), keep);
        let made = made.and_then(|(commit, time)| {
            let target = dir.join(entry_name(url, &commit, keep));
            let meta = format!("{time}\n");
            fs::write(scratch.join("time"), meta)
                .map_err(|error| RemoteError::io("write", &scratch, error))?;
            if !target.exists() {
                fs::rename(&scratch, &target).map_err(|error| RemoteError::io("rename", &scratch, error))?;
            }
            Ok(commit)
        });
        let _ = fs::remove_dir_all(&scratch);
        let commit = made?;
        match open(&dir, url, &commit, keep) {
            Some(checkout) => finish(checkout, url),
            None => Err(git.failed("its checkout is gone".to_owned())),
        }
    }

    /// The header for git behind http, from secrets.
    fn git_authorization(&self, url: &GitUrl) -> Result<Option<String>, RemoteError> {
        let Some(host) = url.host().filter(|_| url.remote.starts_with("http")) else { return Ok(None) };
        let names = [
            format!("GIT_AUTH_HEADER.{host}"),
            format!("GIT_AUTH_TOKEN.{host}"),
            "GIT_AUTH_HEADER".to_owned(),
            "GIT_AUTH_TOKEN".to_owned(),
        ];
        Ok(self.secret(&names)?.map(|(at, value)| {
            if at % 2 == 0 {
                format!("Authorization: {value}")
            } else {
                format!("Authorization: Basic {}", STANDARD.encode(format!("x-access-token:{value}")))
            }
        }))
    }
}

/// How a repository names its objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ObjectFormat {
    #[default]
    Sha1,
    Sha256,
}

impl ObjectFormat {
    /// 40 digits or 64.
    fn of(id: &str) -> Self {
        if id.len() == 64 { Self::Sha256 } else { Self::Sha1 }
    }
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && is_hex(text)
}

fn entry_name(url: &GitUrl, commit: &str, keep: bool) -> String {
    format!("{commit}-{}", &file_name(&format!("{}\0{keep}\0{}", url.remote, url.submodules))[..16])
}

fn open(dir: &Path, url: &GitUrl, commit: &str, keep: bool) -> Option<Checkout> {
    let entry = dir.join(entry_name(url, commit, keep));
    let time = fs::read_to_string(entry.join("time")).ok()?.trim().parse().ok()?;
    Some(Checkout { root: entry.join("tree"), commit: commit.to_owned(), time })
}

/// Compares the commit with what was asked for, and enters the directory.
fn finish(mut checkout: Checkout, url: &GitUrl) -> Result<Checkout, RemoteError> {
    if let Some(expected) = &url.checksum
        && !checkout.commit.starts_with(&expected.to_ascii_lowercase())
    {
        return Err(RemoteError::Checksum { found: checkout.commit, expected: expected.clone() });
    }
    if !url.subdir.is_empty() {
        let failed = |reason: String| RemoteError::Fetch { url: url.shown(), reason };
        let inside = checkout.root.join(&url.subdir).canonicalize();
        let inside = inside.map_err(|error| failed(format!("its directory {}: {error}", url.subdir)))?;
        let root = checkout.root.canonicalize().map_err(|error| failed(error.to_string()))?;
        if !inside.starts_with(&root) || !inside.is_dir() {
            return Err(failed(format!("{} is no directory in it", url.subdir)));
        }
        checkout.root = inside;
    }
    Ok(checkout)
}

/// Takes git's variables away that would lead it elsewhere (`GIT_DIR`, `GIT_INDEX_FILE`, `GIT_CONFIG_PARAMETERS`,
/// `GIT_EXEC_PATH`, …). What stays is how a person reaches servers, and where their own configuration is.
fn without_settings(command: &mut Command) {
    const KEPT: [&str; 5] = ["GIT_SSH", "GIT_SSH_", "GIT_SSL_", "GIT_HTTP_", "GIT_TRACE"];
    const CONFIGURATION: [&str; 3] = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"];
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str().filter(|name| name.starts_with("GIT_")) else { continue };
        let kept = CONFIGURATION.contains(&text)
            || KEPT
                .iter()
                .any(|kept| text == *kept || (kept.ends_with(['_', 'E']) && text.starts_with(kept)));
        if !kept {
            command.env_remove(&name);
        }
    }
}

struct Git<'a> {
    url: &'a GitUrl,
    header: Option<String>,
}

impl Git<'_> {
    fn failed(&self, reason: String) -> RemoteError {
        RemoteError::Fetch { url: self.url.shown(), reason }
    }

    /// git without prompts, hooks, and protocols that run programs; files get the same modes for every umask.
    fn command(&self, dir: &Path) -> Command {
        let mut command = Command::new("/bin/sh");
        without_settings(&mut command);
        command
            .args(["-c", "umask 022; exec git \"$@\"", "git"])
            .args([
                "-c",
                "core.hooksPath=/dev/null",
                "-c",
                "core.fsmonitor=false",
                "-c",
                "core.autocrlf=false",
            ])
            .args(["-c", "init.defaultBranch=main", "-c", "advice.detachedHead=false", "-c", "gc.auto=0"])
            .args(["-c", "submodule.recurse=false", "-c", "maintenance.auto=false"])
            .current_dir(dir)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "/bin/false")
            .env("SSH_ASKPASS", "/bin/false")
            .env("GIT_ALLOW_PROTOCOL", "http:https:ssh:git")
            .env("GIT_TEMPLATE_DIR", "/nonexistent")
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        if std::env::var_os("GIT_SSH_COMMAND").is_none() {
            command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
        }
        if let Some(header) = &self.header {
            let scope = self.url.remote.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
            command
                .env("GIT_CONFIG_COUNT", "1")
                .env("GIT_CONFIG_KEY_0", format!("http.{scope}/.extraheader"))
                .env("GIT_CONFIG_VALUE_0", header);
        }
        command
    }

    fn run(&self, dir: &Path, arguments: &[&str]) -> Result<String, RemoteError> {
        let output = output_of(self.command(dir).args(arguments)).map_err(|reason| self.failed(reason))?;
        Ok(String::from_utf8_lossy(&output).trim().to_owned())
    }

    /// The commit that a name means on the other side; branches come before tags, as in `git checkout`. `None` for
    /// what may be the beginning of a commit's id. The length of the ids tells the repository's format.
    fn ask(&self, reference: &str) -> Result<(Option<String>, ObjectFormat), RemoteError> {
        let peeled = format!("{reference}^{{}}");
        let remote = self.url.remote.as_str();
        let answer = self.run(Path::new("/"), &["ls-remote", "--", remote, reference, &peeled, "HEAD"])?;
        let ids = answer.lines().filter_map(|line| line.split_once('\t').map(|(id, _)| id));
        let format = ids.map(ObjectFormat::of).next().unwrap_or_default();
        let find = |name: &str| {
            answer.lines().find_map(|line| {
                let (id, found) = line.split_once('\t')?;
                (found == name && is_commit(id)).then(|| id.to_owned())
            })
        };
        let names = [
            format!("refs/heads/{reference}"),
            format!("refs/tags/{reference}^{{}}"),
            format!("refs/tags/{reference}"),
            peeled.clone(),
            reference.to_owned(),
        ];
        match names.iter().find_map(|name| find(name)) {
            Some(commit) => Ok((Some(commit), format)),
            None if (7..64).contains(&reference.len()) && is_hex(reference) => Ok((None, format)),
            None => Err(self.failed(format!("it has no reference `{reference}`"))),
        }
    }

    /// Makes `scratch/tree`; gives the commit's id and time.
    fn check_out(
        &self,
        scratch: &Path,
        reference: &str,
        (commit, format): (Option<&str>, ObjectFormat),
        keep: bool,
    ) -> Result<(String, i64), RemoteError> {
        let tree = scratch.join("tree");
        fs::create_dir_all(&tree).map_err(|error| RemoteError::io("make", &tree, error))?;
        match format {
            ObjectFormat::Sha1 => self.run(&tree, &["init", "--quiet"])?,
            ObjectFormat::Sha256 => self.run(&tree, &["init", "--quiet", "--object-format=sha256"])?,
        };
        self.run(&tree, &["remote", "add", "origin", "--", &self.url.remote])?;
        let wanted = commit.unwrap_or(reference);
        let shallow = ["fetch", "--quiet", "--no-tags", "--depth=1", "origin", wanted];
        let everything = ["fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"];
        // Servers may refuse to give a commit by its id, and the beginning of one they do not know.
        if commit.is_none() || self.run(&tree, &shallow).is_err() {
            self.run(&tree, &everything)?;
        }
        let spec = format!("{wanted}^{{commit}}");
        let commit = self.run(&tree, &["rev-parse", "--verify", "--quiet", "--end-of-options", &spec]);
        let commit = commit.map_err(|_| self.failed(format!("it has no commit `{wanted}`")))?;
        self.run(&tree, &["checkout", "--quiet", "--force", "--detach", &commit])?;
        if self.url.submodules && tree.join(".gitmodules").exists() {
            self.submodules(&tree)?;
        }
        let time = self.run(&tree, &["show", "--no-patch", "--format=%ct", &commit])?;
        let time = time.parse().map_err(|_| self.failed(format!("commit {commit} has no time")))?;
        Self::tidy(&tree, keep, time).map_err(|error| RemoteError::io("tidy", &tree, error))?;
        Ok((commit, time))
    }

    /// Fetches the submodules, however deep, in the same way as the repository: nothing but the commits, and all of
    /// them from servers that cannot or will not do that (plain files, old servers).
    fn submodules(&self, tree: &Path) -> Result<(), RemoteError> {
        let update = ["submodule", "--quiet", "update", "--init", "--recursive"];
        if self.run(tree, &[&update[..], &["--depth=1"]].concat()).is_ok() {
            return Ok(());
        }
        // a shallow copy that lacks the commit would stay what it is
        let _ = self.run(tree, &["submodule", "--quiet", "deinit", "--all", "--force"]);
        let modules = tree.join(".git/modules");
        match fs::remove_dir_all(&modules) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(RemoteError::io("remove", &modules, error));
            }
            _ => {}
        }
        self.run(tree, &update).map(drop)
    }

    /// Removes what differs between two checkouts of one commit, and git's own files unless they are wanted.
    fn tidy(tree: &Path, keep: bool, time: i64) -> std::io::Result<()> {
        if keep {
            for name in ["FETCH_HEAD", "ORIG_HEAD"] {
                let _ = fs::remove_file(tree.join(".git").join(name));
            }
            let _ = fs::remove_dir_all(tree.join(".git/logs"));
        }
        let at = Timespec { tv_sec: time, tv_nsec: 0 };
        let times = Timestamps { last_access: at, last_modification: at };
        let mut todo = vec![tree.to_owned()];
        let mut directories = Vec::new();
        while let Some(dir) = todo.pop() {
            for entry in fs::read_dir(&dir)? {
                let entry = entry?;
                let path = entry.path();
                let kind = entry.file_type()?;
                if entry.file_name() == ".git" && !keep {
                    if kind.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
                } else if kind.is_dir() {
                    todo.push(path);
                } else if fs::symlink_metadata(&path)?.nlink() > 0 {
                    utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW)?;
                }
            }
            directories.push(dir);
        }
        for dir in directories {
            utimensat(CWD, &dir, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }
}
