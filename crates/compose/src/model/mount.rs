use super::{
    Bytes, Mapping,
    field::{Field, mismatch, model},
    names::names,
};
use crate::value::Value;

names! {
    /// What is mounted.
    pub enum MountKind {
        /// A path of the host.
        Bind = "bind",
        /// A named or anonymous volume.
        #[default]
        Volume = "volume",
        /// A file system in memory.
        Tmpfs = "tmpfs",
        /// A cluster volume.
        Cluster = "cluster",
        /// A Windows named pipe.
        Npipe = "npipe",
        /// The files of an image.
        Image = "image",
    }
}

model! {
    /// A mount of a service.
    pub struct Mount {
        /// What is mounted.
        [always] "type" kind: MountKind,
        /// Path on the host, name of the volume, or image.
        source: Option<String>,
        /// Path in the container.
        target: Option<String>,
        /// Whether the container can't write to it.
        read_only: bool,
        /// Consistency, by platform.
        consistency: Option<String>,
        /// Options of a bind mount.
        bind: Option<BindOptions>,
        /// Options of a volume.
        volume: Option<VolumeOptions>,
        /// Options of a tmpfs.
        tmpfs: Option<TmpfsOptions>,
        /// Options of an image mount.
        image: Option<ImageOptions>,
    }

    /// Options of a bind mount.
    pub struct BindOptions {
        /// Relabelling: `z` shared, `Z` private.
        selinux: Option<String>,
        /// `rprivate`, `private`, `rshared`, `shared`, `rslave`, `slave`.
        propagation: Option<String>,
        /// Whether a missing path of the host is made; unset means yes.
        [yaml] create_host_path: OptOut,
        /// How mounts below it come along.
        recursive: Option<String>,
    }

    /// Options of a volume mount.
    pub struct VolumeOptions {
        /// Labels of an anonymous volume.
        labels: Mapping,
        /// Whether the image's files are left out of a new volume.
        nocopy: bool,
        /// Path in the volume.
        subpath: Option<String>,
    }

    /// Options of a tmpfs mount.
    pub struct TmpfsOptions {
        /// Size.
        size: Option<Bytes>,
        /// Mode bits.
        mode: i64,
    }

    /// Options of an image mount.
    pub struct ImageOptions {
        /// Path in the image.
        subpath: Option<String>,
    }
}

/// A switch that is on unless it says otherwise.
#[derive(Clone, Copy, Debug)]
pub struct OptOut(pub bool, Said);

/// Whether a file says it, or a default does: older versions of docker compose had none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said(bool);

impl OptOut {
    /// On, because a file says so: the short syntax of a bind mount does.
    pub fn is_said_on(self) -> bool {
        self.0 && self.1.0
    }
}

/// What it means counts, not who says it.
impl PartialEq for OptOut {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for OptOut {}

impl Default for OptOut {
    fn default() -> Self {
        Self(true, Said(false))
    }
}

impl Field for OptOut {
    fn read(value: &Value) -> Result<Self, plimsoll_source::Diagnostic> {
        if value.as_map().is_some() {
            return Err(mismatch(value, "a boolean"));
        }
        let said = value.origin.place().is_some();
        bool::read(value).map(|on| Self(on, Said(said)))
    }

    fn absent(&self) -> bool {
        self.0
    }
}

impl serde::Serialize for OptOut {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(self.0)
    }
}
