//! What a build gave, one image for each platform, and what is told about it in files.

use std::path::Path;

use plimsoll_build::BuildOutcome;
use plimsoll_image::{
    Digest, ImageRecord, Reference, Store,
    bundle::{Annotation, Bundle, Member},
    manifest::{Descriptor, Platform},
    output::Rootfs,
};
use plimsoll_source::Failure;
use serde_json::{Map, Value, json};

use crate::{attest, output::write_file};

/// The images of one build, with what goes out with them.
pub struct Product {
    /// One for each platform, in the order of `--platform`.
    pub members: Vec<Member>,
    /// The images' names.
    pub names: Vec<Reference>,
    /// `--annotation`
    pub annotations: Vec<Annotation>,
    /// It is given out as images for several platforms are: there are several, or `BUILDKIT_MULTI_PLATFORM` says so.
    pub several: bool,
    /// What is stated, and in which files.
    pub attest: attest::Attest,
}

impl Product {
    /// The image of the first platform.
    pub fn first(&self) -> &ImageRecord {
        &self.members[0].record
    }

    /// The files of each image; in a folder of its own, named `linux_arm64`, when they are split. The names of the files
    /// that hold statements begin with `prefix`.
    pub fn root_file_systems(
        &self,
        store: &Store,
        split: bool,
        prefix: &str,
    ) -> Result<Vec<Rootfs<'_>>, Failure> {
        let mut images = Vec::new();
        for member in &self.members {
            let name = platform(&member.record).to_string();
            let folder = name.replace('/', "_");
            let mut files = attest::files(store, member, &self.attest)?;
            if self.several && !split {
                // as BuildKit names them: `provenance.linux_amd64.json`
                for (name, _) in &mut files {
                    *name = match name.rsplit_once('.') {
                        Some((base, end)) => format!("{base}.{folder}.{end}"),
                        None => format!("{name}.{folder}"),
                    };
                }
            }
            for (file, _) in &mut files {
                file.insert_str(0, prefix);
            }
            images.push(Rootfs {
                layers: &member.record.layers,
                folder: if split { folder } else { String::new() },
                files,
                name,
            });
        }
        Ok(images)
    }
}

/// The platform that an image is for.
pub fn platform(record: &ImageRecord) -> Platform {
    let config = &record.config;
    Platform::new(&config.os, &config.architecture, config.variant.as_deref())
}

/// What an output wrote.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The manifest or index; what the registry calls the image.
    root: Option<Descriptor>,
    /// The configuration of a single image.
    config: Option<Digest>,
    names: Vec<Reference>,
}

impl Written {
    /// What an archive, a layout or a registry has.
    pub fn of(bundle: &Bundle, names: &[Reference]) -> Self {
        Self { root: Some(bundle.root().clone()), config: bundle.config(), names: names.to_vec() }
    }

    /// An image that is in the store or an engine only, which has no manifest there.
    pub fn image(id: &Digest, names: &[Reference]) -> Self {
        Self { root: None, config: Some(*id), names: names.to_vec() }
    }

    /// As buildx: the configuration of a single image, the index of several.
    fn id(&self) -> Option<Digest> {
        self.config.or(self.root.as_ref().map(|root| root.digest))
    }
}

/// What stands in `--iidfile`, and is printed.
pub fn image_id(product: &Product, written: &[Written]) -> Digest {
    written.iter().rev().find_map(Written::id).unwrap_or(product.first().id)
}

/// `--metadata-file`: the fields of buildx, and the steps.
pub fn write_metadata(file: &Path, outcomes: &[BuildOutcome], written: &[Written]) -> Result<(), Failure> {
    let mut metadata = Map::new();
    metadata.insert("buildx.build.ref".to_owned(), json!(format!("plimsoll/plimsoll/{}", reference()?)));
    for written in written {
        if let Some(config) = written.config {
            metadata.insert("containerimage.config.digest".to_owned(), json!(config));
        }
        // an engine's own store knows an image by its configuration alone
        if let Some(digest) = written.root.as_ref().map(|root| root.digest).or(written.config) {
            metadata.insert("containerimage.digest".to_owned(), json!(digest));
        }
        if let Some(root) = &written.root {
            metadata.insert("containerimage.descriptor".to_owned(), json!(root));
        }
        if !written.names.is_empty() {
            let names: Vec<String> = written.names.iter().map(Reference::canonical).collect();
            metadata.insert("image.name".to_owned(), json!(names.join(",")));
        }
    }
    let steps = outcomes.iter().flat_map(|outcome| &outcome.steps);
    let steps: Vec<Value> = steps
        .map(|step| {
            json!({
                "title": step.title,
                "line": step.line,
                "cached": step.ran.is_none(),
                "reason": step.ran.as_ref().map(ToString::to_string),
                "milliseconds": step.elapsed.as_millis() as u64,
            })
        })
        .collect();
    metadata.insert("plimsoll.steps".to_owned(), Value::Array(steps));
    let text = serde_json::to_vec_pretty(&metadata)?;
    write_file(file, &text)
}

/// 25 letters and digits, as buildx names a build.
fn reference() -> Result<String, Failure> {
    let mut bytes = [0; 25];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(b"abcdefghijklmnopqrstuvwxyz012345"[usize::from(byte % 32)]))
        .collect())
}
