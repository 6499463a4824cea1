//! Removal: what nobody needs, then by age.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs, io,
    path::Path,
    time::SystemTime,
};

use plimsoll_image::{Digest, LayerId, Part, PruneOptions, Store, StoreError};

use super::{Row, Survey, Unit, survey};

/// What is to go, beside images without a name and what nothing needs.
#[derive(Debug, Default)]
pub struct Wish {
    /// Every image, named or not.
    pub images: bool,
    /// The layers of the build cache, fetched sources and packages.
    pub cache: bool,
    /// Cache mounts.
    pub cache_mounts: bool,
    /// Whatever it takes to bring the whole home to this number of bytes, the least recently used first.
    pub keep: Option<u64>,
    /// Nothing that was used after this.
    pub before: Option<SystemTime>,
    /// Only say what would go.
    pub dry_run: bool,
    /// Layers of the build cache, which stay unless `cache` or `keep` ask for them.
    pub cached: HashSet<LayerId>,
    /// Images that stay whatever else is wished.
    pub spared: HashSet<Digest>,
}

/// What went, or would go.
#[derive(Debug, Default)]
pub struct Freed {
    /// How many and how much, by row.
    pub rows: BTreeMap<Row, (usize, u64)>,
    /// Image records.
    pub images: Vec<Digest>,
    /// Layers.
    pub layers: Vec<LayerId>,
    /// Blobs.
    pub blobs: Vec<Digest>,
    /// Bytes, as `du` counts them.
    pub bytes: u64,
    /// What the home takes after it.
    pub total: u64,
}

/// Does as is wished. Fails with [`StoreError::InUse`] while a build runs.
pub fn evict(home: &Path, store: &Store, wish: &Wish) -> Result<Freed, StoreError> {
    let alone = store.alone()?;
    let (mut going, mut staying) = (HashSet::new(), HashSet::new());
    for image in store.image_uses()? {
        let goes = (wish.images || !image.named)
            && wish.before.is_none_or(|before| image.used < before)
            && !wish.spared.contains(&image.id);
        if goes {
            going.insert(image.id)
        } else {
            staying.insert(image.id)
        };
    }
    let before = survey(home, store, &going)?;
    let doomed = choose(&before, wish);
    let mut freed = Freed::default();
    for unit in &doomed {
        let row = freed.rows.entry(unit.row).or_default();
        *row = (row.0 + 1, row.1 + unit.bytes);
        freed.bytes += unit.bytes;
        match unit.part {
            Some(Part::Layer(id)) => freed.layers.push(id),
            Some(Part::Image(id)) => freed.images.push(id),
            Some(Part::Blob(digest)) => freed.blobs.push(digest),
            Some(Part::Unfinished) | None => {}
        }
    }
    freed.total = before.total.saturating_sub(freed.bytes);
    if wish.dry_run {
        return Ok(freed);
    }
    let gone: HashSet<LayerId> = freed.layers.iter().copied().collect();
    let layers = before.units.iter().filter_map(|unit| match unit.part {
        Some(Part::Layer(id)) if !gone.contains(&id) => Some(id),
        _ => None,
    });
    let options = PruneOptions {
        keep_layers: layers.collect(),
        nameless_images: true,
        all_images: true,
        keep_images: staying,
        dry_run: false,
    };
    store.prune_alone(&alone, &options)?;
    for unit in doomed.iter().filter(|unit| unit.part.is_none()) {
        remove(&unit.path).map_err(|source| StoreError::Io {
            action: "remove",
            path: unit.path.clone(),
            source,
        })?;
    }
    let after = survey(home, store, &HashSet::new())?;
    freed.bytes = before.total.saturating_sub(after.total);
    freed.total = after.total;
    Ok(freed)
}

fn choose<'s>(survey: &'s Survey, wish: &Wish) -> Vec<&'s Unit> {
    // blobs go with the layer or the image that they belong to
    let mut blobs: HashMap<LayerId, Vec<&Unit>> = HashMap::new();
    let (mut doomed, mut others): (Vec<&Unit>, Vec<&Unit>) = (Vec::new(), Vec::new());
    for unit in survey.units.iter().filter(|unit| !unit.needed) {
        let old = wish.before.is_none_or(|before| unit.used < before);
        match (unit.part, unit.owner) {
            (Some(Part::Blob(_)), Some(owner)) => blobs.entry(owner).or_default().push(unit),
            // the store removes these two whenever it removes anything
            (Some(Part::Blob(_) | Part::Unfinished | Part::Image(_)), _) => doomed.push(unit),
            _ if !old => {}
            (Some(Part::Layer(id)), _) if wish.cache || !wish.cached.contains(&id) => doomed.push(unit),
            (None, _) if wish.cache_mounts && unit.row == Row::CacheMounts => doomed.push(unit),
            (None, _) if wish.cache && matches!(unit.row, Row::Sources | Row::Packages) => doomed.push(unit),
            _ => others.push(unit),
        }
    }
    let mut with_blobs = |unit: &'s Unit| match unit.part {
        Some(Part::Layer(id)) => blobs.remove(&id).unwrap_or_default(),
        _ => Vec::new(),
    };
    let of_layers: Vec<&Unit> = doomed.iter().flat_map(|unit| with_blobs(unit)).collect();
    doomed.extend(of_layers);
    let Some(keep) = wish.keep else { return doomed };
    let mut total = survey.total.saturating_sub(doomed.iter().map(|unit| unit.bytes).sum());
    // the oldest is the last
    while total > keep
        && let Some(unit) = others.pop()
    {
        for unit in std::iter::once(unit).chain(with_blobs(unit)) {
            total = total.saturating_sub(unit.bytes);
            doomed.push(unit);
        }
    }
    doomed
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
