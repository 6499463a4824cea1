//! What Plimsoll's folder takes on disk, and how it is brought below a limit.
//!
//! Everything that can go by itself is a [`Unit`]: a layer, a blob, a cache mount, a fetched source, a package, the log of a
//! build. Units are measured as `du` does, what named images need first and then from the one used last to the oldest,
//! each file once; so removing the oldest units frees exactly what they are said to take, hard links or not.

mod budget;
mod evict;

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use plimsoll_image::{Digest, DiskMeter, LayerId, Part, Store, StoreError};

pub use budget::{Budget, hold};
pub use evict::{Wish, evict};

/// What a row of `image df` is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    /// Layers, unpacked.
    Layers,
    /// Layers, packed.
    Blobs,
    /// What was begun and not ended.
    Unfinished,
    /// Images and their names.
    Records,
    /// What `RUN --mount=type=cache` keeps.
    CacheMounts,
    /// Git and http sources of builds.
    Sources,
    /// Packages and indexes of bases.
    Packages,
    /// Logs of builds.
    Logs,
    /// Which step gave which layer.
    BuildCache,
    /// State of projects.
    Stacks,
    /// Everything else.
    Other,
}

impl Row {
    /// The row's heading.
    pub fn name(self) -> &'static str {
        match self {
            Self::Layers => "layers",
            Self::Blobs => "compressed layers",
            Self::Unfinished => "unfinished work",
            Self::Records => "names and records",
            Self::CacheMounts => "cache mounts",
            Self::Sources => "fetched sources",
            Self::Packages => "base packages",
            Self::Logs => "build logs",
            Self::BuildCache => "build cache's index",
            Self::Stacks => "stacks' state",
            Self::Other => "other",
        }
    }

    /// Where files belong that are no unit, by their place below the home.
    fn of_rest(place: &Path) -> Self {
        let mut parts = place.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
        let first = parts.next().unwrap_or_default();
        let second = parts.next().unwrap_or_default();
        match (first.as_str(), second.as_str()) {
            ("store", "layers") => Self::Layers,
            ("store", "blobs") => Self::Blobs,
            ("store", "drafts" | "tmp") => Self::Unfinished,
            ("store", _) => Self::Records,
            ("build", "mounts") => Self::CacheMounts,
            ("build", "remote") => Self::Sources,
            ("build", "logs") => Self::Logs,
            ("build", _) => Self::BuildCache,
            ("base", _) => Self::Packages,
            ("state", _) => Self::Stacks,
            _ => Self::Other,
        }
    }
}

/// What can be removed by itself.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Where it counts.
    pub row: Row,
    /// The file or folder.
    pub path: PathBuf,
    /// Of the store, what it is there.
    pub part: Option<Part>,
    /// The layer that it goes with.
    pub owner: Option<LayerId>,
    /// An image that stays needs it.
    pub needed: bool,
    /// When it was used last.
    pub used: SystemTime,
    /// What it takes beside all that is needed or was used later.
    pub bytes: u64,
}

/// A home as it is.
pub struct Survey {
    /// What is needed first, then from the one used last to the oldest.
    pub units: Vec<Unit>,
    /// Bytes of what is no unit.
    pub rest: BTreeMap<Row, u64>,
    /// As `du -s` counts the home.
    pub total: u64,
}

/// Looks at everything below `home`, as if the images `going` were of no use to anybody.
#[expect(clippy::implicit_hasher, reason = "the store takes this one")]
pub fn survey(home: &Path, store: &Store, going: &HashSet<Digest>) -> Result<Survey, StoreError> {
    let mut units: Vec<Unit> = store
        .parts(going)?
        .into_iter()
        .map(|stored| Unit {
            row: match stored.part {
                Part::Image(_) => Row::Records,
                Part::Layer(_) => Row::Layers,
                Part::Blob(_) => Row::Blobs,
                Part::Unfinished => Row::Unfinished,
            },
            needed: stored.needed,
            path: stored.path,
            part: Some(stored.part),
            owner: stored.owner,
            used: stored.used,
            bytes: 0,
        })
        .collect();
    units.extend(of_builder(home));
    // the oldest last; one time for a layer and its blobs, the layer first
    units.sort_by(|left, right| {
        (right.needed, right.used, left.row).cmp(&(left.needed, left.used, right.row))
    });
    let mut meter = DiskMeter::default();
    let mut total = 0;
    for unit in &mut units {
        unit.bytes = meter.measure(&unit.path)?.bytes;
        total += unit.bytes;
    }
    meter.except = units.iter().map(|unit| unit.path.clone()).collect();
    let mut rest = BTreeMap::new();
    let mut measure = |place: &Path, meter: &mut DiskMeter| -> Result<(), StoreError> {
        let bytes = meter.measure(&home.join(place))?.bytes;
        *rest.entry(Row::of_rest(place)).or_default() += bytes;
        total += bytes;
        meter.except.insert(home.join(place));
        Ok(())
    };
    for first in children(home) {
        let first = first.file_name().map(PathBuf::from).unwrap_or_default();
        if matches!(first.to_str(), Some("store" | "build")) {
            for second in children(&home.join(&first)) {
                measure(&first.join(second.file_name().unwrap_or_default()), &mut meter)?;
            }
        }
        measure(&first, &mut meter)?;
    }
    measure(Path::new(""), &mut meter)?;
    Ok(Survey { units, rest, total })
}

/// Units beside the store.
fn of_builder(home: &Path) -> Vec<Unit> {
    let unit =
        |row, path: PathBuf, used| Unit { row, path, part: None, owner: None, needed: false, used, bytes: 0 };
    let mut units = Vec::new();
    for path in children(&home.join("build/mounts")) {
        let used = newest(&[&path.join("mount.json"), &path.join("0.lock"), &path]);
        units.push(unit(Row::CacheMounts, path, used));
    }
    for path in children(&home.join("build/remote/http")) {
        let used = newest(&[&path, &path.join("lock"), &path.join("meta.json")]);
        units.push(unit(Row::Sources, path, used));
    }
    for path in children(&home.join("build/remote/git")) {
        if path.is_dir() {
            let used = newest(&[&path, &path.join("time")]);
            units.push(unit(Row::Sources, path, used));
        }
    }
    for folder in ["deb", "index"] {
        for path in children(&home.join("base").join(folder)) {
            // reading a package is its use
            let read = fs::metadata(&path).and_then(|meta| meta.accessed()).unwrap_or(SystemTime::UNIX_EPOCH);
            let used = newest(&[&path]).max(read);
            units.push(unit(Row::Packages, path, used));
        }
    }
    for path in children(&home.join("build/logs")) {
        let used = newest(&[&path]);
        units.push(unit(Row::Logs, path, used));
    }
    units
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}

fn newest(paths: &[&Path]) -> SystemTime {
    let times =
        paths.iter().filter_map(|path| fs::symlink_metadata(path).and_then(|meta| meta.modified()).ok());
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}
