//! The short syntax of volumes: `[source:]target[:options]`.

use thiserror::Error;

use crate::model::{BindOptions, Mount, MountKind, VolumeOptions};

/// Why a volume could not be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MountError {
    /// Nothing there.
    #[error("an empty volume")]
    Empty,
    /// `a::b`.
    #[error("`{0}` has an empty section between colons")]
    EmptySection(String),
    /// More than three sections.
    #[error("`{0}` has too many colons")]
    TooManyColons(String),
}

/// Reads a short form without knowing the platform: a one-letter source is a Windows drive.
pub fn parse(spec: &str) -> Result<Mount, MountError> {
    if spec.is_empty() {
        return Err(MountError::Empty);
    }
    if spec.len() <= 2 {
        return Ok(Mount { kind: MountKind::Volume, target: Some(spec.to_owned()), ..Mount::default() });
    }
    let sections = sections(spec);
    if sections.iter().any(|section| section.is_empty()) {
        return Err(MountError::EmptySection(spec.to_owned()));
    }
    let mut mount = Mount::default();
    let mut options = None;
    match sections.as_slice() {
        [target] => mount.target = Some((*target).to_owned()),
        [source, target] => {
            mount.source = Some((*source).to_owned());
            mount.target = Some((*target).to_owned());
        }
        [source, target, last] => {
            mount.source = Some((*source).to_owned());
            mount.target = Some((*target).to_owned());
            options = Some(*last);
        }
        _ => return Err(MountError::TooManyColons(spec.to_owned())),
    }
    for option in options.into_iter().flat_map(|options| options.split(',')) {
        match option {
            "ro" => mount.read_only = true,
            "rw" => mount.read_only = false,
            "nocopy" => mount.volume = Some(VolumeOptions { nocopy: true, ..VolumeOptions::default() }),
            "z" | "Z" => mount.bind.get_or_insert_default().selinux = Some(option.to_owned()),
            "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" => {
                mount.bind.get_or_insert_default().propagation = Some(option.to_owned());
            }
            // The reference ignores what it doesn't know.
            _ => {}
        }
    }
    if mount.source.as_deref().is_some_and(is_path) {
        mount.kind = MountKind::Bind;
        mount.bind.get_or_insert_with(BindOptions::default);
    } else {
        mount.kind = MountKind::Volume;
        mount.volume.get_or_insert_with(VolumeOptions::default);
    }
    Ok(mount)
}

/// Splits at colons, but not at a drive's and not inside `${…}`.
fn sections(spec: &str) -> Vec<&str> {
    let mut sections = Vec::new();
    let mut start = 0;
    let mut substitutions = 0usize;
    let bytes = spec.as_bytes();
    let mut letters = 0usize;
    for (at, next) in spec.char_indices() {
        match next {
            '$' if bytes.get(at + 1) == Some(&b'{') => substitutions += 1,
            '}' if substitutions > 0 => substitutions -= 1,
            ':' if letters == 1 && spec[start..at].starts_with(char::is_alphabetic) => {}
            ':' if substitutions == 0 => {
                sections.push(&spec[start..at]);
                start = at + 1;
                letters = 0;
                continue;
            }
            _ => {}
        }
        letters += 1;
    }
    sections.push(&spec[start..]);
    sections
}

/// Whether a source is a path of the host rather than the name of a volume.
pub(crate) fn is_path(source: &str) -> bool {
    let mut chars = source.chars();
    match chars.next() {
        Some('.' | '/' | '~') => true,
        Some(first) => source.starts_with(r"\\") || (first.is_alphabetic() && chars.next() == Some(':')),
        None => false,
    }
}
