//! Images: look at, list, load, tag, remove, export, pull.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
};

use bollard::{
    body_try_stream,
    models::ImageInspect,
    query_parameters::{
        CreateImageOptions, ImportImageOptions, ListImagesOptions, RemoveImageOptions, TagImageOptions,
    },
};
use futures_util::{Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{
    Engine, EngineError, HealthSpec,
    connect::{CALL_SECONDS, TRANSFER_SECONDS},
};

/// Size of one piece of a stream that is made by a writer.
const CHUNK: usize = 256 * 1024;

/// An image as inspection shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageDetail {
    /// Id, `sha256:<hex>`: the digest of its configuration.
    pub id: String,
    /// Names.
    pub tags: Vec<String>,
    /// Names by digest.
    pub digests: Vec<String>,
    /// Diff ids of the layers, the lowest first.
    pub diff_ids: Vec<String>,
    /// Unpacked size in bytes.
    pub size: u64,
    /// Architecture as images name it, `amd64`.
    pub architecture: String,
    /// User of the configuration; empty is root.
    pub user: String,
    /// Environment of the configuration.
    pub env: Vec<String>,
    /// Entry point.
    pub entrypoint: Vec<String>,
    /// Command.
    pub command: Vec<String>,
    /// Health check of the configuration.
    pub health: Option<HealthSpec>,
    /// Volumes of the configuration.
    pub volumes: Vec<String>,
    /// Exposed ports, `80/tcp`.
    pub exposed: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Stop signal.
    pub stop_signal: Option<String>,
}

/// An image as the list call shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSummary {
    /// Id.
    pub id: String,
    /// Names.
    pub tags: Vec<String>,
    /// Unpacked size in bytes.
    pub size: u64,
    /// Creation, seconds since the epoch.
    pub created: i64,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

impl Engine {
    /// An image by name or id.
    pub async fn inspect_image(&self, image: &str) -> Result<ImageDetail, EngineError> {
        let found = match self.docker.inspect_image(image).await.map_err(wire) {
            Err(EngineError::Unreadable { .. }) => without_layers(self.inspect_image_raw(image).await?)?,
            found => found?,
        };
        let config = found.config.unwrap_or_default();
        Ok(ImageDetail {
            id: found.id.unwrap_or_default(),
            tags: found.repo_tags.unwrap_or_default(),
            digests: found.repo_digests.unwrap_or_default(),
            diff_ids: found.root_fs.and_then(|root| root.layers).unwrap_or_default(),
            size: found.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            architecture: found.architecture.unwrap_or_default(),
            user: config.user.unwrap_or_default(),
            env: config.env.unwrap_or_default(),
            entrypoint: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
            health: config.healthcheck.map(|health| HealthSpec {
                test: health.test.unwrap_or_default(),
                interval: health.interval,
                timeout: health.timeout,
                retries: health.retries,
                start_period: health.start_period,
                start_interval: health.start_interval,
            }),
            volumes: config.volumes.unwrap_or_default(),
            exposed: config.exposed_ports.unwrap_or_default(),
            labels: config.labels.unwrap_or_default().into_iter().collect(),
            stop_signal: config.stop_signal,
        })
    }

    /// Everything the engine says about an image, as it says it.
    pub async fn inspect_image_raw(&self, image: &str) -> Result<serde_json::Value, EngineError> {
        self.raw_get(&format!("/images/{image}/json")).await
    }

    /// Images; with `labels` only those that carry all of them (`key` or `key=value`).
    pub async fn images(&self, labels: &[String]) -> Result<Vec<ImageSummary>, EngineError> {
        let filters = (!labels.is_empty()).then(|| HashMap::from([("label".to_owned(), labels.to_vec())]));
        let options = ListImagesOptions { filters, ..ListImagesOptions::default() };
        let list = self.docker.list_images(Some(options)).await.map_err(wire)?;
        Ok(list
            .into_iter()
            .map(|image| ImageSummary {
                id: image.id,
                tags: image.repo_tags,
                size: u64::try_from(image.size).unwrap_or(0),
                created: image.created,
                labels: image.labels.into_iter().collect(),
            })
            .collect())
    }

    /// Gives an image another name, `repository:tag`.
    pub async fn tag_image(&self, image: &str, name: &str) -> Result<(), EngineError> {
        let (repo, tag) = split_tag(name);
        let options = TagImageOptions { repo: Some(repo.to_owned()), tag: Some(tag.to_owned()) };
        self.docker.tag_image(image, Some(options)).await.map_err(wire)
    }

    /// Removes a name, or with an id the image. With `force` also if a stopped container uses it.
    pub async fn remove_image(&self, image: &str, force: bool) -> Result<(), EngineError> {
        let options = RemoveImageOptions { force, ..RemoveImageOptions::default() };
        self.docker.remove_image(image, Some(options), None).await.map_err(wire)?;
        Ok(())
    }

    /// Loads images from a `docker save` or OCI layout archive. Gives the engine's lines (`Loaded image: ...`).
    /// The engine answers 200 and tells a failure in the stream: that is [`EngineError::Refused`].
    pub async fn load_stream<S>(&self, archive: S) -> Result<Vec<String>, EngineError>
    where
        S: Stream<Item = io::Result<Vec<u8>>> + Send + 'static,
    {
        let docker = self.patient(TRANSFER_SECONDS);
        let archive = archive.map(|chunk| chunk.map(Into::into));
        let options = ImportImageOptions { quiet: true, ..ImportImageOptions::default() };
        let mut answers = docker.import_image(options, body_try_stream(archive), None);
        let mut lines = Vec::new();
        while let Some(answer) = answers.next().await {
            let answer = answer.map_err(|error| EngineError::from_wire(error, TRANSFER_SECONDS))?;
            if let Some(line) = answer.stream {
                lines.push(line.trim_end().to_owned());
            }
        }
        Ok(lines)
    }

    /// [`Self::load_stream`] of what `produce` writes, in a thread of its own. Its error is reported before the
    /// engine's: a broken archive is a consequence.
    pub async fn load_with<F>(&self, produce: F) -> Result<Vec<String>, LoadError>
    where
        F: FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel::<io::Result<Vec<u8>>>(8);
        let producer = tokio::task::spawn_blocking(move || {
            let mut pipe = Pipe { sender, buffer: Vec::with_capacity(CHUNK) };
            let produced = produce(&mut pipe).and_then(|()| pipe.flush());
            if let Err(error) = &produced {
                // makes the request break off instead of ending as if the archive were complete
                let _ = pipe.sender.blocking_send(Err(io::Error::new(error.kind(), error.to_string())));
            }
            produced
        });
        let chunks = futures_util::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        let loaded = self.load_stream(chunks).await;
        match (producer.await, loaded) {
            // the engine stopped reading: its reason is the cause
            (Ok(Err(error)), Err(reason)) if error.kind() == io::ErrorKind::BrokenPipe => Err(reason.into()),
            (Ok(Err(error)), _) => Err(LoadError::Produce(error)),
            (Err(panic), _) => Err(LoadError::Produce(io::Error::other(panic))),
            (Ok(Ok(())), loaded) => Ok(loaded?),
        }
    }

    /// Pulls an image by name through the engine.
    pub async fn pull_image(&self, image: &str) -> Result<(), EngineError> {
        self.pull_image_for(image, None).await
    }

    /// The same for a platform, `linux/arm64`; the engine's own without one.
    pub async fn pull_image_for(&self, image: &str, platform: Option<&str>) -> Result<(), EngineError> {
        self.pull_image_telling(image, platform, &mut |_| ()).await
    }

    /// The same; `moved` hears how much of the layers that travel is here.
    pub async fn pull_image_telling(
        &self,
        image: &str,
        platform: Option<&str>,
        moved: &mut (dyn FnMut(Pulled) + Send),
    ) -> Result<(), EngineError> {
        let options = CreateImageOptions {
            from_image: Some(image.to_owned()),
            platform: platform.unwrap_or_default().to_owned(),
            ..CreateImageOptions::default()
        };
        let docker = self.patient(TRANSFER_SECONDS);
        let mut answers = std::pin::pin!(docker.create_image(Some(options), None, None));
        let mut layers = Layers::default();
        while let Some(answer) = answers.next().await {
            let answer = answer.map_err(|error| EngineError::from_wire(error, TRANSFER_SECONDS))?;
            let detail = answer.progress_detail.unwrap_or_default();
            let sizes = (detail.current.unwrap_or(0), detail.total.unwrap_or(0));
            if let Some(pulled) = layers.note(answer.id, answer.status.as_deref(), sizes) {
                moved(pulled);
            }
        }
        Ok(())
    }

    /// An image as the bytes of a `docker save` archive.
    pub fn export_image(
        &self,
        image: &str,
    ) -> impl Stream<Item = Result<Vec<u8>, EngineError>> + Send + use<> {
        self.patient(TRANSFER_SECONDS).export_image(image).map(|chunk| {
            chunk.map(|bytes| bytes.to_vec()).map_err(|error| EngineError::from_wire(error, TRANSFER_SECONDS))
        })
    }
}

/// How much of the layers that travel is here, in bytes as they travel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pulled {
    /// What has come.
    pub done: u64,
    /// The sizes of all layers whose size the engine has told so far.
    pub total: u64,
}

/// No image has more layers; what an engine says of more is not kept.
const MAX_LAYERS: usize = 1024;

/// Layers that travel: id -> what has come of it, and its size.
#[derive(Debug, Default)]
struct Layers(BTreeMap<String, (u64, u64)>);

impl Layers {
    /// Notes a line of the engine's; the sums, if it says something about what travels.
    fn note(&mut self, id: Option<String>, status: Option<&str>, sizes: (i64, i64)) -> Option<Pulled> {
        let id = id?;
        match status? {
            "Downloading" => {
                let total = u64::try_from(sizes.1).ok().filter(|total| *total > 0)?;
                if self.0.len() >= MAX_LAYERS && !self.0.contains_key(&id) {
                    return None;
                }
                self.0.insert(id, (u64::try_from(sizes.0).ok()?.min(total), total));
            }
            "Verifying Checksum" | "Download complete" | "Pull complete" => {
                let layer = self.0.get_mut(&id)?;
                layer.0 = layer.1;
            }
            _ => return None,
        }
        let sum = |of: fn(&(u64, u64)) -> u64| self.0.values().map(of).fold(0, u64::saturating_add);
        Some(Pulled { done: sum(|layer| layer.0), total: sum(|layer| layer.1) })
    }
}

/// Why an image that is written by a closure did not get into the engine.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The archive could not be made.
    #[error("cannot write the image's archive: {0}")]
    Produce(#[source] io::Error),
    /// The engine did not take it.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl plimsoll_source::Explain for LoadError {}

/// The writing end: collects pieces of [`CHUNK`] bytes.
struct Pipe {
    sender: mpsc::Sender<io::Result<Vec<u8>>>,
    buffer: Vec<u8>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        self.sender.blocking_send(Ok(chunk)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

/// `host:5000/name:tag` is (`host:5000/name`, `tag`).
pub(crate) fn split_tag(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        Some((repo, tag)) if !tag.contains('/') => (repo, tag),
        _ => (name, "latest"),
    }
}

fn wire(error: bollard::errors::Error) -> EngineError {
    EngineError::from_wire(error, CALL_SECONDS)
}

/// What an engine with containerd's store says of an image whose platform it does not know: it has no layers then, and
/// not even their kind. Its containers run all the same.
fn without_layers(mut raw: serde_json::Value) -> Result<ImageInspect, EngineError> {
    if let Some(root) = raw.get_mut("RootFS").and_then(serde_json::Value::as_object_mut) {
        root.entry("Type").or_insert_with(|| "layers".into());
    }
    serde_json::from_value(raw).map_err(|error| EngineError::Unreadable { message: error.to_string() })
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_image_of_an_unknown_platform() {
        let raw = r#"{"Id":"sha256:b1","RepoTags":["alpine:3.22"],"Architecture":"","Os":"","Size":4568193,
            "GraphDriver":{"Data":null,"Name":"overlayfs"},"RootFS":{},"Config":{"Cmd":null,"Env":null,"User":""}}"#;
        assert!(serde_json::from_str::<super::ImageInspect>(raw).is_err(), "else nothing is to be mended");
        let found = super::without_layers(serde_json::from_str(raw).unwrap()).unwrap();
        assert_eq!((found.id.as_deref(), found.size), (Some("sha256:b1"), Some(4_568_193)));
    }

    #[test]
    fn what_travels_is_summed_over_the_layers() {
        use super::{Layers, Pulled};
        let mut layers = Layers::default();
        let mut note = |id: Option<&str>, status, sizes| {
            layers
                .note(id.map(str::to_owned), Some(status), sizes)
                .map(|Pulled { done, total }| (done, total))
        };
        assert_eq!(note(Some("latest"), "Pulling from library/alpine", (0, 0)), None);
        assert_eq!(note(Some("a"), "Already exists", (0, 0)), None);
        assert_eq!(note(Some("b"), "Downloading", (10, 100)), Some((10, 100)));
        assert_eq!(note(Some("c"), "Downloading", (5, 50)), Some((15, 150)));
        assert_eq!(note(Some("c"), "Downloading", (5, 0)), None, "a size that nobody knows is no size");
        assert_eq!(note(Some("b"), "Download complete", (0, 0)), Some((105, 150)));
        // what is unpacked has come, whatever its counter says now
        assert_eq!(note(Some("b"), "Extracting", (1, 100)), None);
        assert_eq!(note(Some("c"), "Downloading", (70, 50)), Some((150, 150)));
        assert_eq!(note(None, "Status: Downloaded newer image", (0, 0)), None);
    }

    #[test]
    fn a_port_of_a_registry_is_not_a_tag() {
        assert_eq!(super::split_tag("host:5000/a/b:1"), ("host:5000/a/b", "1"));
        assert_eq!(super::split_tag("host:5000/a/b"), ("host:5000/a/b", "latest"));
        assert_eq!(super::split_tag("nginx"), ("nginx", "latest"));
    }
}
