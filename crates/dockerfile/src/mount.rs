use plimsoll_source::Span;

use crate::Word;

/// One `--mount=` of a RUN as it was written. Values may hold variables, so it is typed in a second step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountSpec {
    /// The comma-separated fields, CSV quotes removed.
    pub fields: Vec<MountField>,
    /// The whole flag.
    pub span: Span,
}

/// `key=value` or `key` of a `--mount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountField {
    /// The key, lower-cased.
    pub key: String,
    /// The value, unexpanded; `None` when there is no `=`.
    pub value: Option<String>,
    /// The field as it was written, for messages.
    pub field: Word,
}

/// A `--mount` with expanded values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// `type`, default bind.
    pub kind: MountKind,
    /// `from`: a stage name, image or named context (never a stage number). Empty means the build context for a
    /// bind and an empty directory for a cache.
    pub from: Option<String>,
    /// `source`/`src`: the path inside `from`; for a secret the id.
    pub source: Option<String>,
    /// `target`/`dst`/`destination`. Required but for secrets and ssh, whose defaults are `/run/secrets/ID` and
    /// `/run/buildkit/ssh_agent.N`.
    pub target: Option<String>,
    /// Whether writing is refused; defaults to true but for cache and tmpfs. Writes into a writable bind are dropped.
    pub read_only: bool,
    /// `id` of a cache (default: the cleaned target), secret (default: base name of the target) or ssh (`default`).
    pub id: Option<String>,
    /// `sharing` of a cache; default shared.
    pub sharing: Option<Sharing>,
    /// `required` of a secret or ssh.
    pub required: bool,
    /// `size` of a tmpfs in bytes.
    pub size: Option<u64>,
    /// `mode`; default 0755 for a cache, 0400 for a secret, 0600 for ssh.
    pub mode: Option<u32>,
    /// `uid`, default 0.
    pub uid: Option<u32>,
    /// `gid`, default 0.
    pub gid: Option<u32>,
    /// `env` of a secret: the variable that gets it. Without a target it is then not mounted as a file.
    pub env: Option<String>,
}

/// `type=` of a mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MountKind {
    /// A directory or file of the context, a stage or an image.
    #[default]
    Bind,
    /// A directory that outlives the build.
    Cache,
    /// An empty file system in memory.
    Tmpfs,
    /// A secret of the build.
    Secret,
    /// A socket of an ssh agent.
    Ssh,
}

/// `sharing=` of a cache mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// Any number of writers at once.
    #[default]
    Shared,
    /// Each concurrent writer gets a directory of its own.
    Private,
    /// One writer at a time.
    Locked,
}

impl MountSpec {
    /// The value of `from`, which is never expanded, so that stage dependencies are known before anything runs.
    pub fn from(&self) -> Option<&str> {
        self.fields
            .iter()
            .rev()
            .find(|field| field.key == "from")?
            .value
            .as_deref()
            .filter(|from| !from.is_empty())
    }
}
