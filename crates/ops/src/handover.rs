//! Gives an image of the store to the engine: nothing when it is there, else only the layers that it lacks.

use std::io;

use futures_util::future::join_all;
use plimsoll_engine::{Engine, EngineError, ImageDetail, LoadError};
use plimsoll_image::{
    Digest, ImageRecord, Reference, Store,
    handover::{EngineLayers, Handover},
};

use crate::Failure;

/// What it took to bring an image into the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The engine had it.
    Nothing,
    /// A tar of this many bytes with some of the image's layers.
    Layers {
        /// Layers in the tar.
        sent: usize,
        /// Layers of the image.
        of: usize,
        /// The tar's size.
        bytes: u64,
    },
}

/// Sees to it that the engine has the image under each of these names.
pub async fn ensure(
    engine: &Engine,
    store: &Store,
    record: &ImageRecord,
    names: &[Reference],
) -> Result<(ImageDetail, Sent), Failure> {
    if let Some(detail) = inspect(engine, &record.id.to_string()).await? {
        for name in names {
            let name = name.familiar();
            if !detail.tags.contains(&name) {
                engine.tag_image(&detail.id, &name).await?;
            }
        }
        return Ok((detail, Sent::Nothing));
    }
    let known = layers(engine, store, record, names).await?;
    let delta = Handover::delta(store, record, names, &known)?;
    let mut sent = Sent::Layers { sent: delta.layers_sent(), of: delta.layers_total(), bytes: delta.size() };
    let partial = delta.layers_sent() < delta.layers_total();
    match load(engine, delta).await {
        // an engine may know a chain and yet have lost its bytes: then it takes the whole image
        Err(LoadError::Engine(EngineError::Refused { .. })) if partial => {
            let full = Handover::full(store, record, names)?;
            sent = Sent::Layers { sent: full.layers_sent(), of: full.layers_total(), bytes: full.size() };
            load(engine, full).await?;
        }
        loaded => loaded?,
    }
    // the containerd image store has ids of its own: there the name finds it
    let mut detail = inspect(engine, &record.id.to_string()).await?;
    if let (None, Some(name)) = (&detail, names.first()) {
        detail = inspect(engine, &name.familiar()).await?;
    }
    let detail = detail.ok_or_else(|| {
        Failure::new(
            format!("the engine took image {} and does not have it now", record.id),
            "look into the engine's log, and whether another program removes images",
        )
    })?;
    Ok((detail, sent))
}

async fn load(engine: &Engine, handover: Handover) -> Result<(), LoadError> {
    engine.load_with(move |out| handover.write(out).map_err(io::Error::other)).await.map(|_| ())
}

async fn inspect(engine: &Engine, image: &str) -> Result<Option<ImageDetail>, Failure> {
    match engine.inspect_image(image).await {
        Ok(detail) => Ok(Some(detail)),
        Err(EngineError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Fewer bytes than this are sent sooner than many images are asked for their layers.
const LITTLE: u64 = 4 << 20;

/// The layer chains that the engine has. Mostly the version before, under the same name, has all that matters.
async fn layers(
    engine: &Engine,
    store: &Store,
    record: &ImageRecord,
    names: &[Reference],
) -> Result<EngineLayers, Failure> {
    let mut known = EngineLayers::new();
    let named = names.iter().map(|name| name.familiar());
    for detail in join_all(named.map(|name| async move { engine.inspect_image(&name).await })).await {
        add(&mut known, detail.ok());
    }
    if missing(&known, store, record) <= LITTLE {
        return Ok(known);
    }
    let images = engine.images(&[]).await?;
    // an image that goes away meanwhile is no loss
    for detail in join_all(images.iter().map(|image| engine.inspect_image(&image.id))).await {
        add(&mut known, detail.ok());
    }
    Ok(known)
}

fn add(known: &mut EngineLayers, detail: Option<ImageDetail>) {
    let ids: Option<Vec<Digest>> =
        detail.and_then(|detail| detail.diff_ids.iter().map(|id| Digest::parse(id).ok()).collect());
    if let Some(ids) = ids {
        known.add_image(&ids);
    }
}

/// Bytes of the layers that are not known.
fn missing(known: &EngineLayers, store: &Store, record: &ImageRecord) -> u64 {
    let have = known.known_prefix(&record.config.rootfs.diff_ids);
    let sizes = record.layers.iter().skip(have).map(|id| match store.layer(id) {
        Ok(Some(layer)) => layer.bytes,
        _ => u64::MAX,
    });
    sizes.fold(0, u64::saturating_add)
}
