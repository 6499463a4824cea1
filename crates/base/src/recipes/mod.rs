//! The bases that exist. This list is the product; a recipe is plain data and lives in a file of its own.

mod debian;
mod distroless;
mod distroless_node;
mod distroless_node_npm;
mod distroless_python;
mod mariadb;
mod nginx;
mod node;
mod node_npm;
mod postgres;
mod python;
mod rabbitmq;
mod redis;
mod vendor;

pub use vendor::{STAND_INS, stands_in_for};

/// Every base, each after the one that it stands on.
pub const ALL: [&Recipe; 15] = [
    &debian::RECIPE,
    &node::RECIPE,
    &node_npm::NODE_22,
    &node_npm::NODE_24,
    &python::RECIPE,
    &postgres::RECIPE,
    &mariadb::RECIPE,
    &rabbitmq::RECIPE,
    &distroless::RECIPE,
    &distroless_node::RECIPE,
    &distroless_node_npm::NODE_22,
    &distroless_node_npm::NODE_24,
    &distroless_python::RECIPE,
    &redis::RECIPE,
    &nginx::RECIPE,
];

/// The recipe of this name.
pub fn named(name: &str) -> Option<&'static Recipe> {
    ALL.into_iter().find(|recipe| recipe.name == name)
}

/// What a base is made of. Everything here goes into the cache key by its text.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// How it is called: `plimsoll.local/NAME`.
    pub name: &'static str,
    /// One sentence for people.
    pub summary: &'static str,
    /// The package whose upstream version is the base's version.
    pub version_of: &'static str,
    /// How many numbers of the version each tag has: `[1, 2]` gives `17` and `17.11`.
    pub tag_numbers: &'static [usize],
    /// Tags that do not depend on a version.
    pub tags: &'static [&'static str],
    /// The base whose layers lie below.
    pub parent: Option<&'static str>,
    /// How packages are brought in.
    pub setup: Setup,
    /// Names of packages; their dependencies come along.
    pub packages: &'static [&'static str],
    /// Packages of the npm registry, for what Debian has not.
    pub npm: &'static [NpmPackage],
    /// Packages that are left out although something depends on them.
    pub omitted: &'static [Omitted],
    /// Patterns of paths that are not unpacked; `!` keeps (dpkg's `path-exclude`, last match wins).
    pub dropped: &'static [&'static str],
    /// A shell script that runs in a configured base after its packages' own, without network; empty for none.
    pub finish: &'static str,
    /// Users, each with a group of its own.
    pub users: &'static [User],
    /// Directories, files and links of ours, made after the packages.
    pub entries: &'static [Entry],
    /// Commands of busybox that get a name of their own.
    pub applets: &'static [&'static str],
    /// How a container starts.
    pub start: Start,
}

impl Recipe {
    /// The full name of the package that gives the version.
    pub(crate) fn version_giver(&self) -> String {
        let of_npm = self.npm.iter().find(|package| package.name == self.version_of);
        of_npm.map_or_else(|| self.version_of.to_owned(), NpmPackage::full_name)
    }
}

/// How packages are brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// Essential and required packages too, and every package is configured by its own scripts: a Debian that `apt-get` works in.
    Configured,
    /// Files only; no script runs.
    Unpacked,
}

/// A package of the npm registry: the newest release of a major version.
#[derive(Debug, Clone, Copy)]
pub struct NpmPackage {
    /// Its name; `{architecture}` stands for npm's name of this machine's.
    pub name: &'static str,
    /// The major version.
    pub major: u64,
    /// Where its files go: a path in the package, and the path in the root. What ends in `/` is a folder with all in it, and the
    /// empty path is the whole package. The first that fits counts; a file that none fits is not unpacked.
    pub places: &'static [(&'static str, &'static str)],
    /// Programs, by their path in the root, that are put there without symbols and line numbers.
    pub stripped: &'static [&'static str],
}

impl NpmPackage {
    /// The name that the registry knows.
    pub fn full_name(&self) -> String {
        self.name.replace("{architecture}", npm_architecture())
    }

    /// Where a file of the package goes, relative to the root.
    pub(crate) fn place(&self, path: &str) -> Option<String> {
        self.places.iter().find_map(|(from, to)| {
            let rest = path.strip_prefix(from)?;
            let fits = rest.is_empty() || from.is_empty() || from.ends_with('/');
            fits.then(|| format!("{to}{rest}"))
        })
    }
}

/// npm's name of this machine's architecture.
fn npm_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// A package left out, and why nothing misses it.
#[derive(Debug, Clone, Copy)]
pub struct Omitted {
    /// The name of the package that is left out.
    pub package: &'static str,
    /// Why nothing in the base misses it.
    pub reason: &'static str,
}

/// A user and the group of the same name and number.
#[derive(Debug, Clone, Copy)]
pub struct User {
    /// The name of the user and of the group.
    pub name: &'static str,
    /// The number of the user and of the group.
    pub id: u32,
    /// Home directory; not made.
    pub home: &'static str,
    /// Login shell.
    pub shell: &'static str,
}

/// Something that we put into a base. Paths are relative to the root; `{minor}` in a path stands for the first two numbers of the
/// base's version.
#[derive(Debug, Clone, Copy)]
pub enum Entry {
    /// A directory with owner (user and group) and mode.
    Directory(&'static str, u32, u32),
    /// A file of root's with mode and text.
    File(&'static str, u32, &'static str),
    /// A symbolic link.
    Link(&'static str, &'static str),
}

/// How a container starts. `{version}` in a value stands for the base's version.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// Variables of the image's environment.
    pub env: &'static [(&'static str, &'static str)],
    /// Entry point; empty for none.
    pub entrypoint: &'static [&'static str],
    /// Command or arguments; empty for none.
    pub command: &'static [&'static str],
    /// `uid:gid`; empty for root.
    pub user: &'static str,
    /// Working directory; empty for `/`.
    pub directory: &'static str,
    /// Ports such as `8080/tcp`.
    pub ports: &'static [&'static str],
    /// Mount points of data.
    pub volumes: &'static [&'static str],
    /// Signal that asks for a graceful end; empty for `SIGTERM`.
    pub stop_signal: &'static str,
}

impl Start {
    /// Root, a plain `PATH`, no command.
    pub const PLAIN: Self = Self {
        env: &[("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")],
        entrypoint: &[],
        command: &[],
        user: "",
        directory: "",
        ports: &[],
        volumes: &[],
        stop_signal: "",
    };
}

/// Left out of every base that is only unpacked: what scripts would need.
pub(crate) const NO_TOOLS: &[Omitted] = &[
    Omitted { package: "debconf", reason: "no script runs" },
    Omitted { package: "openssl", reason: "the certificates' bundle is made by the recipe" },
    Omitted { package: "awk", reason: "no script runs" },
    Omitted {
        package: "libc-bin",
        reason: "tools of libc; the loader needs no cache for the standard directories",
    },
];

/// What a shell, a health check and somebody who looks for a fault need of busybox.
pub(crate) const APPLETS: &[&str] = &[
    "awk", "basename", "cat", "chmod", "cp", "cut", "date", "dirname", "du", "echo", "env", "expr", "false",
    "find", "grep", "head", "hostname", "id", "kill", "ln", "ls", "mkdir", "mktemp", "mv", "nc", "printf",
    "ps", "pwd", "readlink", "realpath", "rm", "sed", "sh", "sleep", "sort", "stat", "tail", "tee", "test",
    "timeout", "top", "touch", "tr", "true", "uname", "wc", "wget", "which", "whoami", "xargs",
];

/// The certificates' bundle is made by us, so the package's tools and single files are not wanted.
pub(crate) const CERTIFICATES_ONLY: &str = "usr/sbin/update-ca-certificates";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_parents_come_first() {
        for (at, recipe) in ALL.iter().enumerate() {
            assert!(ALL[..at].iter().all(|other| other.name != recipe.name), "{} twice", recipe.name);
            if let Some(parent) = recipe.parent {
                assert!(
                    ALL[..at].iter().any(|other| other.name == parent),
                    "{} before its parent",
                    recipe.name
                );
            }
            assert!(!recipe.tag_numbers.is_empty() || !recipe.tags.is_empty(), "{} has no tag", recipe.name);
        }
    }

    #[test]
    fn paths_are_relative_and_modes_are_modes() {
        for recipe in ALL {
            for entry in recipe.entries {
                let (Entry::Directory(path, _, mode) | Entry::File(path, mode, _)) = entry else { continue };
                assert!(!path.starts_with('/') && !path.contains(".."), "{path}");
                assert!(*mode <= 0o7777, "{path}");
            }
        }
    }
}
