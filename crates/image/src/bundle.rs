//! What one build puts out: a manifest for each platform, statements about them, and an index where there is more
//! than one manifest. Written into an OCI layout ([`crate::output::OciLayout`]) or sent to a registry
//! ([`crate::registry::Registry::push_bundle`]): the same bytes, and so the same digests, in both.
//!
//! The forms are BuildKit's: `docs/attestations/attestation-storage.md` for statements, docker buildx's
//! `--annotation` for annotations.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Digest, ImageRecord, LayerCompression, LayerId, Reference, Store, StoreError,
    layout::json as bytes_of,
    manifest::{Descriptor, Index, Manifest, Platform, media_type, platform_of},
    purl,
};

/// An image for one platform, with what is stated about it.
#[derive(Debug, Clone)]
pub struct Member {
    /// The image that this member of the index is.
    pub record: ImageRecord,
    /// Attestations; each becomes an in-toto statement about the image's manifest.
    pub statements: Vec<Statement>,
}

impl Member {
    /// An image about which nothing is stated.
    pub fn plain(record: ImageRecord) -> Self {
        Self { record, statements: Vec::new() }
    }
}

/// The part of an in-toto statement that is not about which image is meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// `https://slsa.dev/provenance/v0.2`
    pub predicate_type: String,
    /// The statement's content, as its type has it.
    pub predicate: Value,
}

impl Statement {
    /// The whole statement about some subjects: names with sha256 digests.
    pub fn about<'a>(&self, subjects: impl IntoIterator<Item = (String, &'a str)>) -> Value {
        let subjects: Vec<Value> = subjects
            .into_iter()
            .map(|(name, digest)| json!({ "name": name, "digest": { "sha256": digest } }))
            .collect();
        json!({
            "_type": "https://in-toto.io/Statement/v1",
            "predicateType": self.predicate_type,
            "subject": subjects,
            "predicate": self.predicate,
        })
    }
}

/// The document that an annotation is written into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Annotated {
    /// Into the manifest of each image.
    Manifest,
    /// Into the entry of the index (of the layout, without one) that names the manifest.
    ManifestDescriptor,
    /// Into the index, beside its list of manifests.
    Index,
    /// Into the entry of a layout's `index.json` that names the index.
    IndexDescriptor,
}

/// A name and value for tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// The document that it is written into.
    pub on: Annotated,
    /// Only for this platform's image.
    pub platform: Option<Platform>,
    /// The annotation's name, such as `org.opencontainers.image.source`.
    pub name: String,
    /// The annotation's value, any text.
    pub value: String,
}

/// How manifests and layers are written.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// The compression that layers get on their way out.
    pub compression: LayerCompression,
    /// Layers that came compressed from elsewhere are compressed anew too.
    pub force: bool,
    /// Docker's media types instead of OCI's.
    pub docker_types: bool,
    /// Annotations of the manifests and of the index.
    pub annotations: Vec<Annotation>,
    /// A single image has an index too.
    pub index: bool,
}

impl Form {
    /// OCI types, every layer in this form.
    pub fn all(compression: LayerCompression) -> Self {
        Self { compression, force: true, ..Self::default() }
    }

    fn annotations(&self, on: Annotated, platform: Option<&Platform>) -> BTreeMap<String, String> {
        let fits = |annotation: &&Annotation| {
            annotation.on == on
                && match (&annotation.platform, platform) {
                    (Some(wanted), Some(platform)) => wanted.accepts(platform),
                    (Some(_), None) => false,
                    (None, _) => true,
                }
        };
        let pairs = self.annotations.iter().filter(fits);
        pairs.map(|annotation| (annotation.name.clone(), annotation.value.clone())).collect()
    }
}

/// A blob that a manifest of a bundle names.
#[derive(Debug, Clone)]
pub(crate) struct BundleBlob {
    pub(crate) descriptor: Descriptor,
    pub(crate) from: BlobSource,
}

#[derive(Debug, Clone)]
pub(crate) enum BlobSource {
    /// A layer: a blob of the store, or made anew when it is not compressed.
    Layer(LayerId, LayerForm),
    /// Bytes that are in memory.
    Known(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayerForm {
    Blob,
    Tar,
}

/// Manifests, statements, an index: everything but the layers' own bytes.
#[derive(Debug, Clone)]
pub struct Bundle {
    root: Descriptor,
    records: Vec<ImageRecord>,
    /// What goes into Docker's `manifest.json`: configuration and layers of each image.
    pub(crate) images: Vec<(Descriptor, Vec<Descriptor>)>,
    pub(crate) blobs: Vec<BundleBlob>,
    /// Manifests and the index, in the order in which a registry takes them.
    pub(crate) documents: Vec<(Descriptor, Vec<u8>)>,
}

impl Bundle {
    /// Plans the documents for images of different platforms. Layers are compressed here, if nobody needed them
    /// before. `names` are the subjects of statements.
    ///
    /// # Errors
    /// When there is no image, two are for one platform, an index is annotated that there is not, or the store
    /// fails.
    pub fn new(
        store: &Store,
        members: &[Member],
        names: &[Reference],
        form: &Form,
    ) -> Result<Self, StoreError> {
        let _pin = store.pin()?;
        let stated = members.iter().any(|member| !member.statements.is_empty());
        let indexed = members.len() > 1 || stated || form.index;
        check(members, form, indexed)?;
        // Docker's types have no place for statements.
        let docker_types = form.docker_types && !stated;
        let mut bundle = Self {
            root: Descriptor::new("", Digest::of(b""), 0),
            records: members.iter().map(|member| member.record.clone()).collect(),
            images: Vec::new(),
            blobs: Vec::new(),
            documents: Vec::new(),
        };
        let mut entries = Vec::new();
        for member in members {
            entries.push(bundle.image(store, &member.record, form, docker_types)?);
        }
        let mut statements = Vec::new();
        for (member, entry) in members.iter().zip(&entries) {
            if !member.statements.is_empty() {
                statements.push(bundle.statements(member, entry, names)?);
            }
        }
        entries.extend(statements);
        bundle.root = match entries.pop() {
            Some(only) if !indexed => only,
            last => {
                entries.extend(last);
                bundle.index(entries, form, docker_types)?
            }
        };
        Ok(bundle)
    }

    /// What names everything else: the index, or the one manifest.
    pub fn root(&self) -> &Descriptor {
        &self.root
    }

    /// The images in it.
    pub fn records(&self) -> &[ImageRecord] {
        &self.records
    }

    /// The configuration's digest of the one image; `None` for an index.
    pub fn config(&self) -> Option<Digest> {
        match self.records.as_slice() {
            [only] if self.documents.len() == 1 => Some(only.id),
            _ => None,
        }
    }

    fn image(
        &mut self,
        store: &Store,
        record: &ImageRecord,
        form: &Form,
        docker_types: bool,
    ) -> Result<Descriptor, StoreError> {
        let platform = platform_of(&record.config);
        let config = store.read_blob(&record.id)?;
        let kind = if docker_types { media_type::DOCKER_CONFIG } else { media_type::OCI_CONFIG };
        let config_descriptor = Descriptor::new(kind, record.id, config.len() as u64);
        let mut layers = Vec::new();
        for id in &record.layers {
            let plain =
                form.compression == LayerCompression::None && (form.force || !store.has_original(id)?);
            let compression = match form.compression {
                LayerCompression::None if !plain => LayerCompression::Keep,
                other if !form.force && store.has_original(id)? && other != LayerCompression::None => {
                    LayerCompression::Keep
                }
                other => other,
            };
            let mut descriptor = store.compressed_layer(id, compression)?;
            if docker_types {
                descriptor.media_type = docker_layer_type(&descriptor.media_type);
            }
            let shape = if plain { LayerForm::Tar } else { LayerForm::Blob };
            self.add(descriptor.clone(), BlobSource::Layer(*id, shape));
            layers.push(descriptor);
        }
        self.add(config_descriptor.clone(), BlobSource::Known(config));
        let mut manifest = Manifest::oci(config_descriptor.clone(), layers.clone());
        manifest.annotations = form.annotations(Annotated::Manifest, Some(&platform));
        let kind = if docker_types { media_type::DOCKER_MANIFEST } else { media_type::OCI_MANIFEST };
        manifest.media_type = Some(kind.to_owned());
        let mut descriptor = self.document(kind, bytes_of(&manifest)?);
        descriptor.annotations = form.annotations(Annotated::ManifestDescriptor, Some(&platform));
        descriptor.platform = Some(platform);
        self.images.push((config_descriptor, layers));
        Ok(descriptor)
    }

    /// The manifest whose layers are an image's statements.
    fn statements(
        &mut self,
        member: &Member,
        entry: &Descriptor,
        names: &[Reference],
    ) -> Result<Descriptor, StoreError> {
        let platform = platform_of(&member.record.config);
        let mut layers = Vec::new();
        for statement in &member.statements {
            let hex = entry.digest.hex();
            let subjects: Vec<String> =
                names.iter().map(|name| purl::docker(name, Some(&platform))).collect();
            // an image without a name still is what the statement is about
            let subjects = if subjects.is_empty() { vec!["_".to_owned()] } else { subjects };
            let whole = statement.about(subjects.into_iter().map(|name| (name, hex.as_str())));
            let text = bytes_of(&whole)?;
            let mut layer = Descriptor::new(media_type::IN_TOTO, Digest::of(&text), text.len() as u64);
            layer.annotations =
                BTreeMap::from([("in-toto.io/predicate-type".to_owned(), statement.predicate_type.clone())]);
            self.add(layer.clone(), BlobSource::Known(text));
            layers.push(layer);
        }
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| layer.digest).collect();
        let config = bytes_of(&NoImage {
            architecture: "unknown",
            os: "unknown",
            config: json!({}),
            rootfs: json!({ "type": "layers", "diff_ids": diff_ids }),
        })?;
        let config_descriptor =
            Descriptor::new(media_type::OCI_CONFIG, Digest::of(&config), config.len() as u64);
        self.add(config_descriptor.clone(), BlobSource::Known(config));
        let manifest = bytes_of(&Manifest::oci(config_descriptor, layers))?;
        let mut descriptor = self.document(media_type::OCI_MANIFEST, manifest);
        descriptor.platform = Some(Platform::new("unknown", "unknown", None));
        descriptor.annotations = BTreeMap::from([
            ("vnd.docker.reference.digest".to_owned(), entry.digest.to_string()),
            ("vnd.docker.reference.type".to_owned(), "attestation-manifest".to_owned()),
        ]);
        Ok(descriptor)
    }

    fn index(
        &mut self,
        entries: Vec<Descriptor>,
        form: &Form,
        docker_types: bool,
    ) -> Result<Descriptor, StoreError> {
        let kind = if docker_types { media_type::DOCKER_INDEX } else { media_type::OCI_INDEX };
        let mut index = Index::oci(entries);
        index.media_type = Some(kind.to_owned());
        index.annotations = form.annotations(Annotated::Index, None);
        let mut descriptor = self.document(kind, bytes_of(&index)?);
        descriptor.annotations = form.annotations(Annotated::IndexDescriptor, None);
        Ok(descriptor)
    }

    fn add(&mut self, descriptor: Descriptor, from: BlobSource) {
        if self.blobs.iter().all(|blob| blob.descriptor.digest != descriptor.digest) {
            self.blobs.push(BundleBlob { descriptor, from });
        }
    }

    fn document(&mut self, kind: &str, bytes: Vec<u8>) -> Descriptor {
        let descriptor = Descriptor::new(kind, Digest::of(&bytes), bytes.len() as u64);
        if self.documents.iter().all(|(known, _)| known.digest != descriptor.digest) {
            self.documents.push((descriptor.clone(), bytes));
        }
        descriptor
    }
}

/// The configuration of an attestation manifest, with its fields in BuildKit's order.
#[derive(Serialize)]
struct NoImage {
    architecture: &'static str,
    os: &'static str,
    config: Value,
    rootfs: Value,
}

fn check(members: &[Member], form: &Form, indexed: bool) -> Result<(), StoreError> {
    let refuse = |reason: &str| Err(StoreError::format("image index", reason));
    if members.is_empty() {
        return refuse("it has no image");
    }
    for (at, member) in members.iter().enumerate() {
        let platform = platform_of(&member.record.config);
        if members[..at].iter().any(|other| platform_of(&other.record.config) == platform) {
            let reason = format!("two images are for {platform}");
            return refuse(&reason);
        }
    }
    let on_index =
        |annotation: &Annotation| matches!(annotation.on, Annotated::Index | Annotated::IndexDescriptor);
    if !indexed && form.annotations.iter().any(on_index) {
        return refuse("an image for one platform without attestations has no index that could be annotated");
    }
    Ok(())
}

/// `application/vnd.oci.image.layer.v1.tar+gzip` in Docker's words.
fn docker_layer_type(oci: &str) -> String {
    let compression = oci.strip_prefix(media_type::OCI_LAYER).unwrap_or_default().replace('+', ".");
    format!("{}{compression}", media_type::DOCKER_LAYER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Image, ImageConfig, SealOptions};

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("store")).unwrap();
        (dir, store)
    }

    fn record(store: &Store, architecture: &str) -> ImageRecord {
        let draft = store.begin_layer().unwrap();
        std::fs::write(draft.fs.join("file"), architecture).unwrap();
        let layer = draft.seal(&SealOptions { epoch: Some(1) }).unwrap().id;
        let config = ImageConfig { architecture: architecture.to_owned(), ..ImageConfig::default() };
        store.put_image(&Image { config, layers: vec![layer] }, &[]).unwrap()
    }

    fn documents(bundle: &Bundle) -> Vec<Value> {
        bundle.documents.iter().map(|(_, bytes)| serde_json::from_slice(bytes).unwrap()).collect()
    }

    fn annotation(on: Annotated, platform: Option<&str>, name: &str) -> Annotation {
        let platform = platform.map(|text| Platform::parse(text).unwrap());
        Annotation { on, platform, name: name.to_owned(), value: "v".to_owned() }
    }

    #[test]
    fn one_image_is_one_manifest_and_several_are_an_index() {
        let (_dir, store) = store();
        let (amd, arm) = (record(&store, "amd64"), record(&store, "arm64"));
        let form = Form::default();
        let one = Bundle::new(&store, &[Member::plain(amd.clone())], &[], &form).unwrap();
        assert_eq!(one.root().media_type, media_type::OCI_MANIFEST);
        assert_eq!((one.config(), one.documents.len()), (Some(amd.id), 1));
        let both = [Member::plain(amd.clone()), Member::plain(arm)];
        let two = Bundle::new(&store, &both, &[], &form).unwrap();
        assert_eq!((two.root().media_type.as_str(), two.config()), (media_type::OCI_INDEX, None));
        let index = documents(&two).pop().unwrap();
        assert_eq!(index["manifests"][0]["platform"]["architecture"], "amd64");
        assert_eq!(index["manifests"][1]["platform"]["architecture"], "arm64");
        assert_eq!(index["manifests"][0]["digest"], one.root().digest.to_string(), "the same manifest");
        let twice = [Member::plain(amd.clone()), Member::plain(amd)];
        assert!(Bundle::new(&store, &twice, &[], &form).unwrap_err().to_string().contains("linux/amd64"));
    }

    #[test]
    fn annotations_go_where_they_belong() {
        let (_dir, store) = store();
        let (amd, arm) = (record(&store, "amd64"), record(&store, "arm64"));
        let form = Form {
            annotations: vec![
                annotation(Annotated::Manifest, None, "a"),
                annotation(Annotated::Manifest, Some("linux/arm64"), "b"),
                annotation(Annotated::ManifestDescriptor, None, "c"),
                annotation(Annotated::Index, None, "d"),
                annotation(Annotated::IndexDescriptor, None, "e"),
            ],
            ..Form::default()
        };
        let both = [Member::plain(amd.clone()), Member::plain(arm)];
        let bundle = Bundle::new(&store, &both, &[], &form).unwrap();
        let documents = documents(&bundle);
        assert_eq!(documents[0]["annotations"], json!({ "a": "v" }));
        assert_eq!(documents[1]["annotations"], json!({ "a": "v", "b": "v" }));
        assert_eq!(documents[2]["annotations"], json!({ "d": "v" }));
        assert_eq!(documents[2]["manifests"][0]["annotations"], json!({ "c": "v" }));
        assert_eq!(bundle.root().annotations, BTreeMap::from([("e".to_owned(), "v".to_owned())]));
        let refused = Bundle::new(&store, &[Member::plain(amd)], &[], &form).unwrap_err();
        assert!(refused.to_string().contains("has no index"), "{refused}");
    }

    #[test]
    fn statements_are_stored_as_buildkit_stores_them() {
        let (_dir, store) = store();
        let record = record(&store, "amd64");
        let statement = Statement {
            predicate_type: "https://slsa.dev/provenance/v0.2".to_owned(),
            predicate: json!({ "buildType": "x" }),
        };
        let names = [Reference::parse("example/app:1").unwrap()];
        let member = Member { record, statements: vec![statement] };
        let bundle = Bundle::new(&store, &[member], &names, &Form::default()).unwrap();
        let documents = documents(&bundle);
        assert_eq!(documents.len(), 3);
        let (image, attestation, index) = (&documents[0], &documents[1], &documents[2]);
        let entry = &index["manifests"][1];
        assert_eq!(entry["platform"], json!({ "os": "unknown", "architecture": "unknown" }));
        assert_eq!(entry["annotations"]["vnd.docker.reference.type"], "attestation-manifest");
        assert_eq!(entry["annotations"]["vnd.docker.reference.digest"], index["manifests"][0]["digest"]);
        let layer = &attestation["layers"][0];
        assert_eq!(layer["mediaType"], "application/vnd.in-toto+json");
        assert_eq!(layer["annotations"]["in-toto.io/predicate-type"], "https://slsa.dev/provenance/v0.2");
        let digest: Digest = serde_json::from_value(layer["digest"].clone()).unwrap();
        let blob = bundle.blobs.iter().find(|blob| blob.descriptor.digest == digest).unwrap();
        let BlobSource::Known(bytes) = &blob.from else { panic!("a statement is no layer") };
        let statement: Value = serde_json::from_slice(bytes).unwrap();
        assert_eq!(statement["subject"][0]["name"], "pkg:docker/example/app@1?platform=linux%2Famd64");
        let manifest = index["manifests"][0]["digest"].as_str().unwrap();
        let hex = manifest.strip_prefix("sha256:").unwrap();
        assert_eq!(statement["subject"][0]["digest"]["sha256"], hex);
        assert_eq!(image["mediaType"], media_type::OCI_MANIFEST);
        let config = &attestation["config"]["digest"];
        let config = bundle.blobs.iter().find(|blob| *config == blob.descriptor.digest.to_string()).unwrap();
        let BlobSource::Known(config) = &config.from else { panic!() };
        let expected = format!(
            r#"{{"architecture":"unknown","os":"unknown","config":{{}},"rootfs":{{"type":"layers","diff_ids":["{digest}"]}}}}"#
        );
        assert_eq!(String::from_utf8_lossy(config), expected);
    }

    #[test]
    fn dockers_types_are_used_when_asked_for() {
        let (_dir, store) = store();
        let record = record(&store, "amd64");
        let form = Form { docker_types: true, compression: LayerCompression::Zstd(3), ..Form::default() };
        let bundle = Bundle::new(&store, &[Member::plain(record)], &[], &form).unwrap();
        let manifest = documents(&bundle).remove(0);
        assert_eq!(manifest["mediaType"], media_type::DOCKER_MANIFEST);
        assert_eq!(manifest["config"]["mediaType"], media_type::DOCKER_CONFIG);
        let kind = "application/vnd.docker.image.rootfs.diff.tar.zstd";
        assert_eq!(manifest["layers"][0]["mediaType"], kind);
    }
}
