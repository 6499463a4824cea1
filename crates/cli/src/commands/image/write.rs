//! Writes a built image to where it goes: an archive, a folder, an engine, a registry.

use std::{
    fs::File,
    io::{BufWriter, Write},
};

use plimsoll_buildx::{
    output::{Kind, Output},
    product::{Product, Written},
};
use plimsoll_image::{
    ImageRecord, LayerCompression, Reference, Store,
    bundle::{Bundle, Form},
    output::{OciLayout, write_rootfs_dirs, write_rootfs_tars},
};
use plimsoll_ops::{
    Failure,
    handover::{self, Sent},
};

use super::{
    store::registry,
    task::{Counted, TARBALL, Task},
};

/// Writes the image to an output.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a>(pub(crate) &'a Output);

impl std::ops::Deref for Writer<'_> {
    type Target = Output;

    fn deref(&self) -> &Output {
        self.0
    }
}

impl Writer<'_> {
    /// Writes the image; `task` hears what moves.
    pub(crate) fn write(
        self,
        store: &Store,
        product: &Product,
        task: Option<&Task>,
    ) -> Result<Written, Failure> {
        let names = if self.names.is_empty() { &product.names } else { &self.names };
        let bundle = || {
            let mut form = self.form.clone();
            form.annotations.extend(product.annotations.iter().cloned());
            form.index = product.several;
            Bundle::new(store, &product.members, names, &form).map_err(Failure::from)
        };
        match self.kind {
            Kind::Store if self.push => {
                let bundle = bundle()?;
                self.send(store, &bundle, names, task)?;
                Ok(Written::of(&bundle, names))
            }
            Kind::Store if product.several => Ok(Written::of(&bundle()?, names)),
            Kind::Store => Ok(Written::image(&product.first().id, names)),
            Kind::Engine => {
                hand_over(store, product.first(), names, task)?;
                Ok(Written::image(&product.first().id, names))
            }
            Kind::CacheOnly => Ok(Written::default()),
            Kind::Oci => {
                let bundle = bundle()?;
                self.layout(store, &bundle, (names, false), task)?;
                Ok(Written::of(&bundle, names))
            }
            Kind::Docker => {
                let form = Form {
                    // what every engine reads, unless something else was asked for
                    compression: match self.form.compression {
                        LayerCompression::Keep => LayerCompression::None,
                        other => other,
                    },
                    force: true,
                    ..Form::default()
                };
                let plain: Vec<_> = product.members.iter().map(|member| member.record.clone()).collect();
                let members: Vec<_> = plain.into_iter().map(plimsoll_image::bundle::Member::plain).collect();
                let bundle = Bundle::new(store, &members, names, &form)?;
                self.layout(store, &bundle, (names, true), task)?;
                Ok(Written::of(&bundle, names))
            }
            Kind::Tar | Kind::Local => {
                let split = self.split.unwrap_or(product.several);
                let images = product.root_file_systems(store, split, &self.attestation_prefix)?;
                match &self.dest {
                    Some(dir) if self.kind == Kind::Local => {
                        write_rootfs_dirs(store, &images, dir, self.delete)?;
                    }
                    _ => self
                        .to_file(task, |out| write_rootfs_tars(store, &images, out).map_err(Failure::from))?,
                }
                Ok(Written::default())
            }
        }
    }

    fn layout(
        self,
        store: &Store,
        bundle: &Bundle,
        (names, docker): (&[Reference], bool),
        task: Option<&Task>,
    ) -> Result<(), Failure> {
        let bundles = [(bundle.clone(), names.to_vec())];
        let layout = OciLayout::of_bundles(store, &bundles, docker)?;
        match &self.dest {
            Some(dir) if self.folder => layout.write_dir(dir).map_err(Failure::from),
            _ => self.to_file(task, |out| layout.write_tar(out).map_err(Failure::from)),
        }
    }

    /// Sends the image to the registry of each of its names.
    fn send(
        self,
        store: &Store,
        bundle: &Bundle,
        names: &[Reference],
        task: Option<&Task>,
    ) -> Result<(), Failure> {
        for name in names {
            let digest = bundle.root().digest;
            let by_digest = name.by_digest(digest);
            let target = if self.by_digest { &by_digest } else { name };
            let registry = registry(name, self.insecure)?;
            let pushed = registry.push_bundle(store, bundle, target, &|progress| {
                if let Some(task) = task {
                    task.transfer(&progress);
                }
            })?;
            crate::render::note(&format!("pushed {}@{}", name.familiar_name(), pushed.digest));
        }
        Ok(())
    }

    fn to_file(
        self,
        task: Option<&Task>,
        write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some(path) = &self.dest else {
            let mut out = Counted::new(std::io::stdout().lock(), task);
            return write(&mut out).map(|()| out.end());
        };
        let failed = |error: std::io::Error| Failure::cannot_write(path, &error);
        let file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(failed)?);
        let mut file = Counted::new(file, task);
        let written = write(&mut file).and_then(|()| file.flush().map_err(failed)).map(|()| file.end());
        written.map_err(|error| {
            // half an archive is no archive; a pipe or a device is not ours
            if std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file()) {
                let _ = std::fs::remove_file(path);
            }
            let place = format!("while writing {}", path.display());
            error
                .diagnostics
                .into_iter()
                .map(|problem| problem.note(place.clone()))
                .collect::<Vec<_>>()
                .into()
        })
    }
}

/// Gives the image to the engine, with only the layers that it lacks.
fn hand_over(
    store: &Store,
    record: &ImageRecord,
    names: &[Reference],
    task: Option<&Task>,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let engine = plimsoll_engine::Engine::connect().await?;
        if let Some(task) = task {
            task.moves(TARBALL, None);
        }
        let (_, sent) = handover::ensure(&engine, store, record, names).await?;
        if let Some(task) = task {
            let bytes = match sent {
                Sent::Nothing => 0,
                Sent::Layers { bytes, .. } => bytes,
            };
            task.arrived(TARBALL, Some(bytes));
        }
        Ok(())
    })
}
