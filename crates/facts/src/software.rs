//! What is known of one software, and of the image that its maker or Docker gives.

use jiff::civil::Date;

use crate::{Fact, Setting, Source, StoreKind, Tag, Version};

/// A software. What is not known is `None` or empty; each value that is there is certain.
///
/// Ports, user, folders and so on are those of the image that [`Match::own`](crate::Match) marks. An image of another
/// maker has the software and may have another contract.
#[derive(Debug)]
pub struct Software {
    /// Its file in `images`, and mostly its image.
    pub id: &'static str,
    /// Its name as people write it.
    pub label: &'static str,
    /// What it is for.
    pub role: Role,
    /// Where role, names and processes come from.
    pub source: Source,
    /// The contract that it keeps to, where it is one that stacks know.
    pub store: Option<StoreKind>,
    /// Images that run it.
    pub images: &'static [Image],
    /// Its processes, as the kernel names them: 15 characters at most.
    pub processes: &'static [&'static str],
    /// Schemes of its addresses, without a driver behind `+`; the usual one first.
    pub schemes: &'static [&'static str],
    /// Where it listens; the port for its clients first.
    pub ports: Option<Fact<&'static [Port]>>,
    /// As whom it runs.
    pub user: Option<Fact<User>>,
    /// Where its data are, oldest version first.
    pub data: Option<Fact<&'static [DataFolder]>>,
    /// A command inside of the container that succeeds when it serves. `$NAME` is a variable of the image.
    pub health: Option<Fact<&'static [&'static str]>>,
    /// Settings that follow from a memory limit.
    pub settings: Option<Fact<&'static [Setting]>>,
    /// How its data are written out and read in.
    pub dump: Option<Fact<Dump>>,
    /// Folders that it writes beside its data.
    pub writable: Option<Fact<&'static [&'static str]>>,
    /// What is in the image.
    pub contents: Option<Fact<&'static [Contents]>>,
    /// Variables that are read from a file too.
    pub file_variables: Option<Fact<FileVariables>>,
    /// Variables with passwords that count for an empty data folder alone.
    pub new_data_passwords: Option<Fact<&'static [&'static str]>>,
    /// How the image starts.
    pub entrypoint: Option<Fact<Entrypoint>>,
    /// The signal of the image that asks for a graceful end, where it is not `SIGTERM`.
    pub stop_signal: Option<Fact<&'static str>>,
    /// Versions and the days of their ends of life, where they are announced; newest first.
    pub releases: Option<Fact<&'static [Release]>>,
}

/// What a software is for, as a stack sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It keeps data or messages for others.
    Store,
    /// It passes requests on.
    Proxy,
    /// It serves pages or runs applications of others.
    Web,
    /// It runs programs of a language.
    Language,
    /// A distribution to build on.
    Base,
    /// It measures others, or shows and keeps what was measured.
    Monitor,
    /// It keeps secrets, names or accounts.
    Identity,
    /// Only development needs it.
    Development,
}

/// An image that runs a software.
#[derive(Clone, Copy, Debug)]
pub struct Image {
    /// The last part of its path.
    pub name: &'static str,
    /// The owner that it must have; nothing where the name alone tells.
    pub owner: Option<&'static str>,
    /// Owners whose image keeps to the contract that is described; the empty one is Docker's official image.
    pub makers: &'static [&'static str],
    /// The name tells the software also as a word of a longer name: `shop-redis`.
    pub word: bool,
}

impl Image {
    /// Docker's official image.
    pub(crate) const fn official(name: &'static str) -> Self {
        Self { name, owner: None, makers: &[""], word: true }
    }

    /// An image of these makers.
    pub(crate) const fn made_by(makers: &'static [&'static str], name: &'static str) -> Self {
        Self { name, owner: None, makers, word: true }
    }

    /// An image with a contract of its own.
    pub(crate) const fn other(name: &'static str) -> Self {
        Self { name, owner: None, makers: &[], word: true }
    }

    /// An image with a contract of its own and a name that means other things too.
    pub(crate) const fn owned(owner: &'static str, name: &'static str) -> Self {
        Self { name, owner: Some(owner), makers: &[], word: false }
    }

    /// The same, whose name tells only as a whole.
    pub(crate) const fn whole(self) -> Self {
        Self { word: false, ..self }
    }
}

/// A TCP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// HTTP is spoken there.
    pub http: bool,
    /// Nothing but a store listens there.
    pub tells_store: bool,
}

impl Port {
    /// A protocol of its own, which nobody else speaks there: the port tells a store.
    pub(crate) const fn store(number: u16) -> Self {
        Self { number, http: false, tells_store: true }
    }

    /// HTTP, and the port tells a store.
    pub(crate) const fn http_store(number: u16) -> Self {
        Self { number, http: true, tells_store: true }
    }

    /// HTTP, for which others take the port too.
    pub(crate) const fn http(number: u16) -> Self {
        Self { number, http: true, tells_store: false }
    }

    /// Another protocol, on a port that tells nothing.
    pub(crate) const fn other(number: u16) -> Self {
        Self { number, http: false, tells_store: false }
    }
}

/// As whom a software runs in its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's name; empty where it has none.
    pub name: &'static str,
    /// User and group; nothing where the number is not fixed.
    pub ids: Option<(u32, u32)>,
    /// User and group in variants on Alpine Linux, where they are others.
    pub alpine: Option<(u32, u32)>,
    /// A container that names no user starts as root.
    pub starts_as_root: bool,
}

/// Where data are from a version on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataFolder {
    /// First number of the first version; 0 for every one.
    pub since: u32,
    /// The folder that a volume is mounted at; nothing where it is not known from this version on.
    pub path: Option<&'static str>,
}

impl DataFolder {
    pub(crate) const fn new(since: u32, path: &'static str) -> Self {
        Self { since, path: Some(path) }
    }

    pub(crate) const fn unknown(since: u32) -> Self {
        Self { since, path: None }
    }
}

/// How data are written to standard output and read from standard input, inside of the container. The login is its
/// caller's: no command has a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dump {
    /// Writes everything; `$NAME` is a variable of the image.
    pub take: &'static [&'static str],
    /// Reads it into an empty store; nothing where more than one command is needed.
    pub restore: Option<&'static [&'static str]>,
}

/// A variant of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Every variant.
    Every,
    /// On Alpine Linux.
    Alpine,
    /// Without the tools of the full image.
    Slim,
    /// On Debian or Ubuntu, not slim.
    Full,
}

impl Variant {
    /// Whether a tag names this variant.
    pub fn has(self, tag: &Tag<'_>) -> bool {
        match self {
            Self::Every => true,
            Self::Alpine => tag.is_alpine(),
            Self::Slim => tag.slim && !tag.is_alpine(),
            Self::Full => !tag.slim && !tag.is_alpine(),
        }
    }
}

/// What is in a variant of an image. A tool in neither list is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The variant.
    pub variant: Variant,
    /// There is a shell, `/bin/sh`.
    pub shell: bool,
    /// Programs on the path.
    pub has: &'static [&'static str],
    /// Programs that people expect and that are not there.
    pub lacks: &'static [&'static str],
}

/// Whether variables may name a file with the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileVariables {
    /// No variable may.
    None,
    /// These, with `_FILE` behind the name.
    Named(&'static [&'static str]),
    /// Every variable with a prefix, with this behind the name: `GF_` and `__FILE`.
    Every {
        /// The prefix.
        prefix: &'static str,
        /// What stands behind the name.
        suffix: &'static str,
    },
}

/// How an image starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrypoint {
    /// It has none, or one that ends by starting what it is given.
    PassesOn,
    /// The program itself: what it is given are arguments.
    Program,
}

/// A version and the end of its support.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// The first numbers of the versions that belong to it.
    pub version: &'static str,
    /// The last day with corrections from its makers.
    pub ends: Date,
}

impl Release {
    pub(crate) const fn new(version: &'static str, year: i16, month: i8, day: i8) -> Self {
        Self { version, ends: jiff::civil::date(year, month, day) }
    }
}

impl Software {
    /// A software of which no more is known yet.
    pub(crate) const fn new(id: &'static str, label: &'static str, role: Role, source: Source) -> Self {
        Self {
            id,
            label,
            role,
            source,
            store: None,
            images: &[],
            processes: &[],
            schemes: &[],
            ports: None,
            user: None,
            data: None,
            health: None,
            settings: None,
            dump: None,
            writable: None,
            contents: None,
            file_variables: None,
            new_data_passwords: None,
            entrypoint: None,
            stop_signal: None,
            releases: None,
        }
    }

    /// Whether it keeps data or messages for others.
    pub fn is_store(&self) -> bool {
        self.role == Role::Store
    }

    /// The folder that a volume for its data is mounted at, in a version; without one that of the newest.
    pub fn data_folder(&self, version: Option<Version>) -> Option<&'static str> {
        let folders = self.data?.value;
        let fits = |folder: &&DataFolder| version.is_none_or(|version| folder.since <= version.major());
        folders.iter().rev().find(fits)?.path
    }

    /// The folder that the data of every version are in or below.
    pub fn data_root(&self) -> Option<&'static str> {
        self.data?.value.iter().filter_map(|folder| folder.path).min_by_key(|path| path.len())
    }

    /// User and group in the image with this tag.
    pub fn ids(&self, tag: &Tag<'_>) -> Option<(u32, u32)> {
        let user = self.user?.value;
        if tag.is_alpine() { user.alpine.or(user.ids) } else { user.ids }
    }

    /// What is in the image with this tag.
    pub fn contents(&self, tag: &Tag<'_>) -> Option<&'static Contents> {
        self.contents?.value.iter().find(|contents| contents.variant.has(tag))
    }

    /// The release that a version belongs to: the longest one that it begins with, by whole numbers.
    pub fn release(&self, version: &str) -> Option<&'static Release> {
        let belongs = |release: &&Release| {
            version.strip_prefix(release.version).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.releases?.value.iter().filter(belongs).max_by_key(|release| release.version.len())
    }

    /// Everything that the facts rest on.
    pub fn sources(&self) -> Vec<Source> {
        let facts = [
            self.ports.map(|fact| fact.source),
            self.user.map(|fact| fact.source),
            self.data.map(|fact| fact.source),
            self.health.map(|fact| fact.source),
            self.settings.map(|fact| fact.source),
            self.dump.map(|fact| fact.source),
            self.writable.map(|fact| fact.source),
            self.contents.map(|fact| fact.source),
            self.file_variables.map(|fact| fact.source),
            self.new_data_passwords.map(|fact| fact.source),
            self.entrypoint.map(|fact| fact.source),
            self.stop_signal.map(|fact| fact.source),
            self.releases.map(|fact| fact.source),
        ];
        std::iter::once(self.source).chain(facts.into_iter().flatten()).collect()
    }
}
