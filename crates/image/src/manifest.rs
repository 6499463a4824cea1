//! Manifests, indexes and descriptors: OCI image-spec 1.1, and Docker's schema 2 which has the same fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Digest, ImageConfig};

/// Names of the kinds of documents and blobs.
pub mod media_type {
    /// An OCI manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI index: manifests by platform.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An OCI image configuration.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// An uncompressed OCI layer; `+gzip` and `+zstd` follow it when it is compressed.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// A Docker manifest (schema 2).
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker manifest list.
    pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// A Docker image configuration.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// An uncompressed Docker layer; `.gzip` and `.zstd` follow it when it is compressed.
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
    /// An in-toto statement.
    pub const IN_TOTO: &str = "application/vnd.in-toto+json";
}

/// Points at a blob by its digest, with what a reader needs to know before fetching it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is, see [`media_type`].
    pub media_type: String,
    /// The digest of the blob's bytes.
    pub digest: Digest,
    /// The size of the blob in bytes.
    pub size: u64,
    /// For which platform, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Names and values for tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What this version does not know, verbatim.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Descriptor {
    /// A descriptor without platform and annotations.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            platform: None,
            annotations: BTreeMap::new(),
            other: BTreeMap::new(),
        }
    }
}

/// Operating system and processor, in Go's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`.
    pub architecture: String,
    /// `v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What this version does not know, verbatim.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Platform {
    /// The platform of this machine.
    pub fn host() -> Self {
        Self::new("linux", crate::host_architecture(), None)
    }

    /// A platform by its parts.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.map(ToOwned::to_owned),
            other: BTreeMap::new(),
        }
    }

    /// Reads `os/architecture` or `os/architecture/variant`.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<_> = text.split('/').collect();
        match parts.as_slice() {
            [os, architecture] if !os.is_empty() && !architecture.is_empty() => {
                Some(Self::new(os, architecture, None))
            }
            [os, architecture, variant]
                if [os, architecture, variant].iter().all(|part| !part.is_empty()) =>
            {
                Some(Self::new(os, architecture, Some(variant)))
            }
            _ => None,
        }
    }

    /// Can an image for `other` run where this is asked for? A variant counts only when both name one; `v8` is what
    /// every arm64 is.
    pub fn accepts(&self, other: &Self) -> bool {
        let variant = |platform: &Self| {
            platform.variant.clone().filter(|variant| !(platform.architecture == "arm64" && variant == "v8"))
        };
        let variants = (variant(self), variant(other));
        self.os == other.os
            && self.architecture == other.architecture
            && match variants {
                (Some(left), Some(right)) => left == right,
                _ => true,
            }
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

/// One image for one platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// The media type of this very document; older writers leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Points at the image's configuration.
    pub config: Descriptor,
    /// Points at the layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// Names and values for tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What this version does not know, verbatim.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Manifest {
    /// An OCI manifest.
    pub fn oci(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::OCI_MANIFEST.to_owned()),
            config,
            layers,
            annotations: BTreeMap::new(),
            other: BTreeMap::new(),
        }
    }
}

/// Several manifests: an image for several platforms, or the contents of an OCI layout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// The media type of this very document; older writers leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Points at one manifest for each platform, and at what is said of them.
    pub manifests: Vec<Descriptor>,
    /// Names and values for tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What this version does not know, verbatim.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Index {
    /// An OCI index.
    pub fn oci(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::OCI_INDEX.to_owned()),
            manifests,
            annotations: BTreeMap::new(),
            other: BTreeMap::new(),
        }
    }
}

/// The platform that a configuration is for.
pub(crate) fn platform_of(config: &ImageConfig) -> Platform {
    Platform::new(&config.os, &config.architecture, config.variant.as_deref())
}

/// The chain id of each layer: it stands for the layer and everything below it (OCI image-spec `config.md`, "Layer
/// ChainID").
pub fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        let next = match chain.last() {
            None => *diff_id,
            Some(below) => Digest::of(format!("{below} {diff_id}")),
        };
        chain.push(next);
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_matched() {
        let parse = |text| Platform::parse(text).unwrap();
        assert!(parse("linux/arm64").accepts(&parse("linux/arm64/v8")));
        assert!(parse("linux/arm/v7").accepts(&parse("linux/arm/v7")));
        assert!(!parse("linux/arm/v7").accepts(&parse("linux/arm/v6")));
        assert!(!parse("linux/amd64").accepts(&parse("linux/arm64")));
        assert!(!parse("linux/amd64").accepts(&parse("unknown/unknown")));
        assert_eq!(Platform::parse("linux"), None);
        assert_eq!(Platform::parse("linux/"), None);
    }

    #[test]
    fn a_chain_stands_for_everything_below() {
        let (a, b) = (Digest::of("a"), Digest::of("b"));
        let chain = chain_ids(&[a, b]);
        assert_eq!(chain, [a, Digest::of(format!("{a} {b}"))]);
        assert_ne!(chain_ids(&[b, a])[1], chain[1]);
    }
}
