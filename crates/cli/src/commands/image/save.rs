//! `plimsoll image save`: writes images to a file.

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use plimsoll_disk::Draft;
use plimsoll_image::{LayerCompression, Reference, output::OciLayout};
use plimsoll_ops::Failure;

use super::store;

/// Write images to a tar that `docker load` and `plimsoll image load` read
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Names or ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// The file, or `-` for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// `docker` (also an OCI layout), `oci`, or `oci-dir`, which writes a folder
    #[arg(long, value_enum, default_value_t = Format::Docker)]
    format: Format,
    /// Layers of an OCI layout: keep, none, gzip[:LEVEL], zstd[:LEVEL]
    #[arg(long, value_name = "FORM", default_value = "keep", value_parser = compression)]
    compression: LayerCompression,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Docker,
    Oci,
    OciDir,
}

pub(super) fn compression(text: &str) -> Result<LayerCompression, String> {
    LayerCompression::parse(text)
        .ok_or_else(|| format!("`{text}` is none of keep, none, gzip[:0-9], zstd[:1-19]"))
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let store = store::open()?;
    let to_stdout = args.output == Path::new("-");
    if to_stdout && args.format == Format::OciDir {
        return Err(Failure::new("a folder cannot go to standard output", "give --output FOLDER"));
    }
    if to_stdout && io::stdout().is_terminal() {
        return Err(Failure::new("an image is not for a terminal", "give --output FILE, or a pipe"));
    }
    let mut images = Vec::new();
    for name in &args.images {
        let image = store::find(&store, name)?;
        // saved by a name, it keeps that name; saved by its id, all of them
        let named = Reference::parse(name).ok().filter(|name| image.references.contains(name));
        let names = named.map_or_else(|| image.references.clone(), |name| vec![name]);
        images.push((image, names));
    }
    let layout = match args.format {
        Format::Docker => OciLayout::docker(&store, &images),
        Format::Oci | Format::OciDir => OciLayout::new(&store, &images, args.compression),
    }?;
    if args.format == Format::OciDir {
        layout.write_dir(&args.output)?;
    } else if to_stdout {
        layout.write_tar(BufWriter::new(io::stdout().lock()))?;
    } else {
        write_file(&layout, &args.output)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The file appears when it is whole. What is no file, such as a device or a pipe, is written as it is and stays.
fn write_file(layout: &OciLayout, path: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::cannot_write(path, &error);
    if path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let there = File::options().write(true).open(path).map_err(failed)?;
        return Ok(layout.write_tar(BufWriter::with_capacity(1 << 20, there))?);
    }
    let mut draft = Draft::of(path, plimsoll_disk::USUAL).map_err(failed)?;
    layout.write_tar(BufWriter::with_capacity(1 << 20, &mut draft))?;
    draft.commit().map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_link_that_lies_where_a_draft_once_was_is_not_followed_and_a_failure_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = plimsoll_image::Store::open(dir.path().join("store")).unwrap();
        let layout = OciLayout::new(&store, &[], LayerCompression::Keep).unwrap();
        let out = dir.path().join("out");
        fs::create_dir_all(out.join("folder/full")).unwrap();
        write_file(&layout, &out.join("folder")).unwrap_err();
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);

        let (tar, other) = (out.join("image.tar"), dir.path().join("other"));
        fs::write(&other, "mine").unwrap();
        std::os::unix::fs::symlink(&other, out.join(format!("image.tar.{}", std::process::id()))).unwrap();
        write_file(&layout, &tar).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        assert!(fs::metadata(&tar).unwrap().len() > 0);
    }
}
