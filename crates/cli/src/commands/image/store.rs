//! The store as the image verbs use it: opened, asked, and its errors in words with a next step.

use std::io::{self, Write as _};

use plimsoll_image::{
    ImageRecord, Reference, Store, StoreError,
    manifest::Platform,
    registry::{Progress, Registry, RegistryError},
};
use plimsoll_source::Diagnostic;

use crate::{
    builds::megabytes,
    error::CommandError,
    home::{home, open_store},
};

pub(super) fn open() -> Result<Store, CommandError> {
    open_store(&home()?).map_err(|error| store_error(&error))
}

pub(super) fn find(store: &Store, name: &str) -> Result<ImageRecord, CommandError> {
    store.find_image(name).map_err(|error| store_error(&error))
}

pub(super) fn reference(name: &str) -> Result<Reference, CommandError> {
    Reference::parse(name).map_err(|error| CommandError::from_error(&error))
}

/// `os/architecture[/variant]`, this machine's when nothing is given.
pub(super) fn platform(text: Option<&str>) -> Result<Platform, CommandError> {
    match text {
        None => Ok(Platform::host()),
        Some(text) => Platform::parse(text).ok_or_else(|| {
            CommandError::new(format!("`{text}` is no platform"), "write it like linux/arm64")
        }),
    }
}

pub(super) fn store_error(error: &StoreError) -> CommandError {
    with_hint(CommandError::from_error(error), error.hint())
}

pub(super) fn registry_error(error: &RegistryError) -> CommandError {
    with_hint(CommandError::from_error(error), error.hint())
}

fn with_hint(error: CommandError, hint: Option<&str>) -> CommandError {
    let Some(hint) = hint else { return error };
    let diagnostics: Vec<Diagnostic> = error.diagnostics.into_iter().map(|it| it.hint(hint)).collect();
    diagnostics.into()
}

/// A client with Docker's credentials; plain HTTP with this image's registry only when it was asked for.
pub(super) fn registry(name: &Reference, insecure: bool) -> Result<Registry, CommandError> {
    let root = crate::policy::Root::find()?;
    if let Some(note) = root.policy.mirrors_note() {
        crate::render::note(note);
    }
    let registry = crate::images::registry().map_err(|error| registry_error(&error))?;
    Ok(if insecure { registry.allow_http(name.domain()) } else { registry })
}

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
pub(super) fn print(text: &str) -> Result<(), CommandError> {
    write(&plimsoll_source::printable_output(text))
}

/// Whoever closes the pipe early has seen enough.
fn write(text: &str) -> Result<(), CommandError> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| CommandError::from_error(&error)),
    }
}

pub(super) fn print_json(value: &serde_json::Value) -> Result<(), CommandError> {
    write(&format!("{value:#}\n"))
}
