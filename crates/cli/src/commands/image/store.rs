//! The store as the image verbs use it: opened, asked, and its errors in words with a next step.

use std::io::{self, Write as _};

use plimsoll_image::{ImageRecord, Reference, Store, manifest::Platform, registry::Progress};
use plimsoll_ops::{
    Failure,
    home::{home, open_store},
    sizes::megabytes,
};

pub(super) fn open() -> Result<Store, Failure> {
    open_store(&home()?).map_err(Failure::from)
}

pub(super) fn find(store: &Store, name: &str) -> Result<ImageRecord, Failure> {
    store.find_image(name).map_err(Failure::from)
}

pub(super) fn reference(name: &str) -> Result<Reference, Failure> {
    Reference::parse(name).map_err(Failure::from)
}

/// `os/architecture[/variant]`, this machine's when nothing is given.
pub(super) fn platform(text: Option<&str>) -> Result<Platform, Failure> {
    match text {
        None => Ok(Platform::host()),
        Some(text) => Platform::parse(text)
            .ok_or_else(|| Failure::new(format!("`{text}` is no platform"), "write it like linux/arm64")),
    }
}

pub(crate) use plimsoll_ops::images::registry_of as registry;

/// A line on standard error for each layer that travels.
pub(super) fn tell(progress: Progress) {
    match progress {
        Progress::Known { digest } => eprintln!("{}  there already", digest.short()),
        Progress::Started { digest, bytes } => eprintln!("{}  {}", digest.short(), megabytes(bytes)),
        Progress::Moved { .. } => {}
        Progress::Finished { digest } => eprintln!("{}  done", digest.short()),
    }
}

/// The result on standard output. Names, paths and messages in it are others'.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    write(&plimsoll_source::printable_output(text))
}

/// Whoever closes the pipe early has seen enough.
fn write(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Failure::from),
    }
}

pub(super) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    write(&format!("{value:#}\n"))
}
