//! Lets the packages' own scripts configure them, inside the sandbox: no network, no services, no clock or chance that shows in the result.

use std::collections::VecDeque;
use std::time::Duration;

use plimsoll_sandbox::{Exit, Network, Root, Stream};

use crate::dpkg::Entry;
use crate::error::BaseError;
use crate::tree::{Attributes, Tree};

/// Time for all scripts of one base. They take 10 seconds on an idle machine.
const TIMEOUT: Duration = Duration::from_mins(10);
/// Lines of output that an error shows.
const TAIL: usize = 20;
/// Bytes of one line that an error shows.
const MAX_LINE: usize = 400;

/// What scripts leave behind that tells when, where or how often they ran. Directories stay, their files go.
const TRACES: [&str; 17] = [
    "etc/.pwd.lock",
    "etc/group-",
    "etc/gshadow-",
    "etc/machine-id",
    "etc/passwd-",
    "etc/shadow-",
    "etc/subgid-",
    "etc/subuid-",
    "var/cache/ldconfig/aux-cache",
    "var/lib/dpkg/available-old",
    "var/lib/dpkg/diversions-old",
    "var/lib/dpkg/lock",
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/statoverride-old",
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/triggers/Lock",
    "var/lib/systemd/deb-systemd-helper-enabled",
];
/// Directories whose files go, wherever they lie in them.
const EMPTIED: [&str; 6] = ["run", "tmp", "var/log", "var/tmp", "var/cache/apt", "var/cache/debconf"];

/// Runs the scripts of `entries`, and then `finish`, in the tree that `root` mounts.
pub(crate) fn run(
    base: &str,
    tree: &mut Tree,
    root: Root,
    entries: &[Entry],
    (finish, epoch): (&str, i64),
) -> Result<(), BaseError> {
    let script = script(entries)? + finish;
    let argv = ["/bin/sh", "-euc", &script].map(str::to_owned).to_vec();
    let mut step = plimsoll_sandbox::Process::new(root, argv);
    step.network = Network::None;
    "debian".clone_into(&mut step.hostname);
    step.timeout = Some(TIMEOUT);
    step.env = [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/root"),
        ("LC_ALL", "C"),
        ("TZ", "UTC"),
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("DEBCONF_NONINTERACTIVE_SEEN", "true"),
        ("DPKG_MAINTSCRIPT_ARCH", ""),
        // Perl orders its hashes by chance, and debconf writes them out
        ("PERL_HASH_SEED", "0"),
        ("PERL_PERTURB_KEYS", "0"),
        ("PYTHONHASHSEED", "0"),
        ("SOURCE_DATE_EPOCH", &epoch.to_string()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let mut tail = Tail::default();
    let exit = plimsoll_sandbox::run(&step, &mut |_: Stream, bytes: &[u8]| tail.take(bytes));
    let failed = |cause: String| BaseError::Step {
        base: base.to_owned(),
        step: "configuring packages".to_owned(),
        cause,
    };
    match exit {
        Ok(exit) if exit.success() => {}
        Ok(Exit::Code(code)) => return Err(failed(format!("exit code {code}\n{}", tail.text()))),
        Ok(Exit::Signal(signal)) => return Err(failed(format!("signal {signal}\n{}", tail.text()))),
        Err(error) => return Err(failed(format!("{error}\n{}", tail.text()))),
    }
    remove_traces(tree, epoch)
}

/// `preinst` scripts run now, after unpacking: in a fresh base nothing older is there that they would have to
/// save from being overwritten. `base-passwd` comes first, since every other script may name a user.
fn script(entries: &[Entry]) -> Result<String, BaseError> {
    let mut script = String::new();
    let mut names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    names.sort_by_key(|name| *name != "base-passwd");
    for name in &names {
        let Some(entry) = entries.iter().find(|entry| entry.name == *name) else { continue };
        if entry.control.files.contains_key("preinst") {
            let info = entry.info_name()?;
            script.push_str(&format!(
                "DPKG_MAINTSCRIPT_PACKAGE={name} DPKG_MAINTSCRIPT_NAME=preinst \
                 /var/lib/dpkg/info/{info}.preinst install </dev/null\n"
            ));
        }
    }
    if names.first() == Some(&"base-passwd") {
        script.push_str("dpkg --force-depends --configure base-passwd </dev/null\n");
    }
    script.push_str("dpkg --configure -a </dev/null\nldconfig\n");
    Ok(script)
}

fn remove_traces(tree: &mut Tree, epoch: i64) -> Result<(), BaseError> {
    for path in TRACES {
        tree.remove(path)?;
    }
    for directory in EMPTIED {
        for path in files_below(tree, directory)? {
            tree.remove(&path)?;
        }
    }
    // Files that a log or a debconf database would be made in again, with the modes that login programs want.
    for (path, mode) in [("var/log/btmp", 0o660), ("var/log/lastlog", 0o664), ("var/log/wtmp", 0o664)] {
        if tree.upper().join("var/lib/dpkg/info/base-files.list").exists() {
            let attributes = Attributes { gid: 43, ..Attributes::root(mode, epoch) };
            tree.file(path, attributes, &mut &b""[..])?;
        }
    }
    Ok(())
}

fn files_below(tree: &Tree, directory: &str) -> Result<Vec<String>, BaseError> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        let real = tree.upper().join(&directory);
        let Ok(entries) = std::fs::read_dir(&real) else { continue };
        for entry in entries {
            let entry = entry.map_err(BaseError::io(&real))?;
            let path = format!("{directory}/{}", entry.file_name().to_string_lossy());
            match entry.file_type().map_err(BaseError::io(entry.path()))? {
                kind if kind.is_dir() => open.push(path),
                _ => found.push(path),
            }
        }
    }
    Ok(found)
}

/// The last lines of an output of any length.
#[derive(Default)]
struct Tail {
    lines: VecDeque<String>,
    open: Vec<u8>,
}

impl Tail {
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                self.end_line();
            } else if self.open.len() < MAX_LINE {
                self.open.push(*byte);
            }
        }
    }

    fn end_line(&mut self) {
        if self.lines.len() == TAIL {
            self.lines.pop_front();
        }
        self.lines.push_back(String::from_utf8_lossy(&self.open).into_owned());
        self.open.clear();
    }

    fn text(&mut self) -> String {
        if !self.open.is_empty() {
            self.end_line();
        }
        self.lines.make_contiguous().join("\n")
    }
}
