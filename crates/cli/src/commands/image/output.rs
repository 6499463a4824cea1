//! `--output`: where a built image goes beside the store.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use plimsoll_image::{
    ImageRecord, LayerCompression, Reference, Store,
    output::{OciLayout, write_rootfs_dir, write_rootfs_tar},
};

use crate::{error::CommandError, handover};

/// One `--output`.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    kind: Kind,
    /// `None` is standard output.
    dest: Option<PathBuf>,
    compression: LayerCompression,
    /// Write a folder instead of a tar.
    folder: bool,
    /// Further names of the image: `name=`.
    pub(crate) names: Vec<Reference>,
    /// The image is sent to the registries of its names.
    pub(crate) push: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Oci,
    Docker,
    Tar,
    Local,
    Engine,
    Store,
}

impl Output {
    /// Reads `type=oci,dest=FILE`, a plain path (a folder), or `-` (a tar on standard output).
    pub(crate) fn parse(spec: &str) -> Result<Self, CommandError> {
        let wrong = |why: String| {
            CommandError::new(
                format!("cannot write to `{spec}`: {why}"),
                "write --output type=oci|docker|tar|local,dest=PATH",
            )
        };
        let plain = |kind, dest| Self {
            kind,
            dest,
            compression: LayerCompression::Keep,
            folder: false,
            names: Vec::new(),
            push: false,
        };
        if spec == "-" {
            return Ok(plain(Kind::Tar, None));
        }
        if !spec.contains('=') {
            return Ok(plain(Kind::Local, Some(PathBuf::from(spec))));
        }
        let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
        for field in spec.split(',') {
            let (name, value) = field.split_once('=').unwrap_or((field, "true"));
            fields.insert(name, value);
        }
        let dest = fields.remove("dest").filter(|dest| *dest != "-").map(PathBuf::from);
        let kind = fields.remove("type");
        let push = kind == Some("registry");
        let kind = match kind {
            Some("oci") => Kind::Oci,
            Some("docker") if dest.is_none() => Kind::Engine,
            Some("docker") => Kind::Docker,
            Some("tar") => Kind::Tar,
            Some("local") => Kind::Local,
            Some("image" | "registry") => Kind::Store,
            other => {
                return Err(wrong(format!("the type {} is not known", other.unwrap_or("is missing, or"))));
            }
        };
        if kind == Kind::Local && dest.is_none() {
            return Err(wrong("a folder needs dest=".to_owned()));
        }
        let compression = match (fields.remove("compression"), fields.remove("compression-level")) {
            (None, _) => LayerCompression::Keep,
            (Some(name), level) => {
                let text = level.map_or_else(|| name.to_owned(), |level| format!("{name}:{level}"));
                LayerCompression::parse(&text)
                    .ok_or_else(|| wrong(format!("no compression is called {text}")))?
            }
        };
        let folder = fields.remove("tar") == Some("false");
        let push = match fields.remove("push") {
            None => push,
            Some("true" | "1") if kind == Kind::Store => true,
            Some("false" | "0") => false,
            Some(_) => return Err(wrong("push=true belongs to type=image".to_owned())),
        };
        let name = |name: &str| Reference::parse(name).map_err(|error| wrong(error.to_string()));
        let names = fields.remove("name").into_iter().map(name).collect::<Result<Vec<_>, _>>()?;
        fields
            .retain(|name, _| !matches!(*name, "oci-mediatypes" | "force-compression" | "rewrite-timestamp"));
        if let Some(name) = fields.keys().next() {
            return Err(wrong(format!("the field {name} is not known")));
        }
        Ok(Self { kind, dest, compression, folder, names, push })
    }

    /// The image is to be handed to the engine.
    pub(crate) fn is_engine(&self) -> bool {
        self.kind == Kind::Engine
    }

    /// Bytes go to standard output, so nothing else may.
    pub(crate) fn is_stdout(&self) -> bool {
        self.dest.is_none() && matches!(self.kind, Kind::Oci | Kind::Tar)
    }

    /// Writes the image.
    pub(crate) fn write(
        &self,
        store: &Store,
        record: &ImageRecord,
        names: &[Reference],
        annotations: &BTreeMap<String, String>,
    ) -> Result<(), CommandError> {
        let image = [(record.clone(), names.to_vec())];
        let failed = |error: plimsoll_image::StoreError| CommandError::from_error(&error);
        match self.kind {
            Kind::Store if self.push => push(store, record, names, self.compression, annotations),
            Kind::Store | Kind::Engine => Ok(()),
            Kind::Oci => {
                let layout =
                    OciLayout::annotated(store, &image, self.compression, annotations).map_err(failed)?;
                match &self.dest {
                    Some(dir) if self.folder => layout.write_dir(dir).map_err(failed),
                    _ => self.to_file(|out| layout.write_tar(out).map_err(failed)),
                }
            }
            Kind::Docker => {
                let layout = OciLayout::docker(store, &image).map_err(failed)?;
                self.to_file(|out| layout.write_tar(out).map_err(failed))
            }
            Kind::Tar => self.to_file(|out| write_rootfs_tar(store, &record.layers, out).map_err(failed)),
            Kind::Local => match &self.dest {
                Some(dir) => write_rootfs_dir(store, &record.layers, dir).map_err(failed),
                None => Ok(()),
            },
        }
    }

    fn to_file(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let Some(path) = &self.dest else { return write(&mut std::io::stdout().lock()) };
        let failed = |error: std::io::Error| {
            CommandError::new(
                format!("cannot write {}: {error}", path.display()),
                "check the path and the free space",
            )
        };
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(failed)?);
        write(&mut file)?;
        file.flush().map_err(failed)
    }
}

/// Sends the image to the registry of each of its names.
pub(crate) fn push(
    store: &Store,
    record: &ImageRecord,
    names: &[Reference],
    compression: LayerCompression,
    annotations: &BTreeMap<String, String>,
) -> Result<(), CommandError> {
    if names.is_empty() {
        return Err(CommandError::new("the image has no name to be pushed to", "give it one with --tag"));
    }
    for name in names {
        let registry = super::store::registry(name, false)?;
        let pushed = registry
            .push_annotated(store, record, name, compression, annotations, &|_| {})
            .map_err(|error| super::store::registry_error(&error))?;
        eprintln!("pushed {}@{}", name.familiar_name(), pushed.digest);
    }
    Ok(())
}

/// Gives the image to the engine, with only the layers that it lacks.
pub(crate) fn hand_over(
    store: &Store,
    record: &ImageRecord,
    names: &[Reference],
) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::from_error(&error))?;
    runtime.block_on(async {
        let engine =
            plimsoll_engine::Engine::connect().await.map_err(|error| CommandError::from_error(&error))?;
        handover::ensure(&engine, store, record, names).await.map(|_| ())
    })
}

pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    std::fs::write(path, bytes).map_err(|error| {
        CommandError::new(
            format!("cannot write {}: {error}", path.display()),
            "check the path and the free space",
        )
    })
}
