//! Secrets and configs as files of our own.
//!
//! An engine mounts a `file:` secret with the host's owner and mode, which a non-root service cannot read, and copies
//! others into the container's root file system, which fails where that is read-only. So each service gets its own
//! copy, `0400` and owned by the service's user, in a directory that only root may enter, mounted read-only.
//! The content is never in an environment variable, an argument or a label: a label carries only a digest that is
//! keyed with a random key of this project.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use plimsoll_compose::{FileObject, FileReference, Project};
use plimsoll_disk::{Draft, PRIVATE};
use plimsoll_engine::{MountKind, MountSpec};
use plimsoll_source::Diagnostic;
use serde::{Deserialize, Serialize};

use crate::{JobInputs, StackError, error::io_error, inputs};

/// A secret or config may not be larger.
const SIZE_LIMIT: u64 = 1024 * 1024;

/// Secret or config: they differ in their defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// Default target `/run/secrets/NAME`, mode 0400.
    Secret,
    /// Default target `/NAME`, mode 0444.
    Config,
}

impl FileKind {
    fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Config => "config",
        }
    }

    /// Where a file of this name is without a path of its own.
    fn usual_target(self, name: &str) -> String {
        match self {
            Self::Secret => format!("/run/secrets/{name}"),
            Self::Config => format!("/{name}"),
        }
    }

    fn section(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::Config => "configs",
        }
    }
}

/// Who owns the copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileOwner {
    /// The user that the service runs as.
    Service,
    /// Named in the Compose file.
    Explicit {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
    },
}

/// A file that a service sees.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackFile {
    /// Secret or config.
    pub kind: FileKind,
    /// Its key in the Compose file.
    pub key: String,
    /// Path in the container.
    pub target: String,
    /// The copy on the host.
    pub path: PathBuf,
    /// Owner of the copy.
    pub owner: FileOwner,
    /// Mode bits of the copy.
    pub mode: u32,
    /// Keyed digest of the content.
    pub digest: String,
    /// The content. Never serialised.
    #[serde(skip)]
    content: Vec<u8>,
}

impl std::fmt::Debug for StackFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StackFile")
            .field("key", &self.key)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl StackFile {
    /// What is in it.
    pub(crate) fn content(&self) -> &[u8] {
        &self.content
    }

    /// The copy's file name. A copy belongs to a mount: the same secret elsewhere may have another owner or mode.
    fn name(&self) -> String {
        copy_name(self.kind, &self.key, &self.target)
    }

    fn owner_for(&self, user: (u32, u32)) -> (u32, u32) {
        match self.owner {
            FileOwner::Service => user,
            FileOwner::Explicit { uid, gid } => (uid, gid),
        }
    }

    /// The mount that shows the copy to the container.
    pub fn mount(&self) -> MountSpec {
        MountSpec {
            target: self.target.clone(),
            read_only: true,
            kind: MountKind::Bind {
                source: self.path.display().to_string(),
                propagation: None,
                create: false,
                selinux: None,
                recursive: None,
            },
        }
    }
}

/// The files of each service.
#[derive(Debug, Clone, Default)]
pub struct StackFiles {
    /// Service name to its files.
    pub by_service: BTreeMap<String, Vec<StackFile>>,
    directory: PathBuf,
    /// The copies are on the engine's machine, in this volume, whose content is at `directory` there.
    volume: Option<String>,
    /// Seccomp profiles: path as the Compose file has it to content.
    profiles: BTreeMap<String, String>,
    /// One-shot jobs to what they are given to read.
    pub(crate) inputs: BTreeMap<String, JobInputs>,
}

impl StackFiles {
    /// A security option as the engine takes it: a seccomp profile by its content instead of its path.
    pub(crate) fn security_option(&self, option: &str) -> String {
        match seccomp_path(option).and_then(|path| self.profiles.get(path)) {
            Some(profile) => format!("seccomp={profile}"),
            None => option.to_owned(),
        }
    }

    /// For an engine on another machine: the copies go into a volume of their own there, of which each file is mounted
    /// by its path on that machine. `root` is the engine's directory.
    pub fn keep_in_volume(&mut self, project: &str, root: &str) {
        let name = format!("{project}_plimsoll-files");
        self.directory = Path::new(root).join("volumes").join(&name).join("_data");
        for (service, files) in &mut self.by_service {
            for file in files {
                file.path = self.directory.join(service).join(file.name());
            }
        }
        self.volume = Some(name);
        for inputs in self.inputs.values_mut() {
            inputs.forget("what it reads is on the engine's machine");
        }
    }

    /// The copies of one service for a container of another user: they lie in a directory of their own, because the
    /// service's own container reads the others.
    pub fn apart_for(&mut self, service: &str, user: &str) {
        let folder =
            self.directory.join(format!("{service}@{}", &blake3::hash(user.as_bytes()).to_hex()[..16]));
        for file in self.by_service.get_mut(service).into_iter().flatten() {
            file.path = folder.join(file.name());
        }
    }

    /// The volume that the copies are in, with the place of its content on the engine's machine.
    pub(crate) fn volume(&self) -> Option<(&str, &Path)> {
        self.volume.as_deref().map(|name| (name, self.directory.as_path()))
    }

    /// The copies of one service as an archive for that volume.
    pub(crate) fn archive(&self, service: &str, user: (u32, u32)) -> io::Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        let entry = |kind, mode, (uid, gid): (u32, u32), size| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_uid(uid.into());
            header.set_gid(gid.into());
            header.set_size(size);
            header
        };
        let files = self.by_service.get(service).map_or(&[][..], Vec::as_slice);
        let folder =
            files.first().and_then(|file| file.path.parent()?.file_name()?.to_str()).unwrap_or(service);
        let mut directory = entry(tar::EntryType::Directory, 0o700, (0, 0), 0);
        tar.append_data(&mut directory, format!("{folder}/"), io::empty())?;
        for file in files {
            let owner = file.owner_for(user);
            let size = file.content.len() as u64;
            let mut header = entry(tar::EntryType::Regular, file.mode, owner, size);
            tar.append_data(&mut header, format!("{folder}/{}", file.name()), file.content.as_slice())?;
        }
        tar.into_inner()
    }

    /// Copies on this machine that are not what the project's secrets and configs are now: service and what is wrong.
    /// One that is missing belongs to containers of another tool, or of another machine.
    pub fn stale(&self) -> Vec<(String, String)> {
        let mut stale = Vec::new();
        for (service, file) in
            self.by_service.iter().flat_map(|(name, files)| files.iter().map(move |file| (name, file)))
        {
            let same = |copy: Vec<u8>| copy == file.content;
            if self.volume.is_none() && fs::read(&file.path).is_ok_and(|copy| !same(copy)) {
                stale.push((
                    service.clone(),
                    format!("its copy of {} {} is not the file's", file.kind.word(), file.key),
                ));
            }
        }
        stale
    }

    /// Writes the copies of one service. Files that are right already are left alone, so that a running container
    /// keeps what it has mounted.
    pub fn write(&self, service: &str, user: (u32, u32)) -> Result<(), StackError> {
        let Some(files) = self.by_service.get(service) else { return Ok(()) };
        private_directory(&self.directory)?;
        for file in files {
            if let Some(folder) = file.path.parent() {
                private_directory(folder)?;
            }
            write_copy(file, file.owner_for(user))?;
        }
        Ok(())
    }
}

/// Reads every secret and config that an enabled service uses. `state` is the project's directory, `env` the variables
/// for `environment:`.
pub fn stack_files(
    project: &Project,
    state: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<StackFiles, StackError> {
    let directory = state.join("files");
    let mut files = StackFiles {
        by_service: BTreeMap::new(),
        directory,
        volume: None,
        profiles: profiles(project)?,
        inputs: inputs::of_jobs(project),
    };
    let used =
        project.services.values().any(|service| !service.secrets.is_empty() || !service.configs.is_empty());
    if !used {
        return Ok(files);
    }
    let key = project_key(state)?;
    let mut contents: BTreeMap<(&str, String), Vec<u8>> = BTreeMap::new();
    for (name, service) in &project.services {
        let references = (service.secrets.iter().map(|reference| (FileKind::Secret, reference)))
            .chain(service.configs.iter().map(|reference| (FileKind::Config, reference)));
        for (kind, reference) in references {
            let source = reference.source.clone().unwrap_or_default();
            let objects = if kind == FileKind::Secret { &project.secrets } else { &project.configs };
            let Some(object) = objects.get(&source) else {
                return Err(refused(project, kind, &source, "is not defined", None));
            };
            let content = match contents.get(&(kind.word(), source.clone())) {
                Some(content) => content.clone(),
                None => {
                    let content = content_of(project, kind, &source, object, env)?;
                    contents.insert((kind.word(), source.clone()), content.clone());
                    content
                }
            };
            let file = stack_file(&files.directory, name, kind, &source, reference, content, &key);
            files.by_service.entry(name.clone()).or_default().push(file);
        }
    }
    Ok(files)
}

/// `seccomp=PATH` or, in the old form, `seccomp:PATH`.
fn seccomp_path(option: &str) -> Option<&str> {
    let value = option.strip_prefix("seccomp=").or_else(|| option.strip_prefix("seccomp:"))?;
    // a profile itself begins with a brace
    (!matches!(value, "unconfined" | "builtin") && !value.trim_start().starts_with('{')).then_some(value)
}

/// The seccomp profiles that services name, made small as the docker command does.
fn profiles(project: &Project) -> Result<BTreeMap<String, String>, StackError> {
    let mut profiles = BTreeMap::new();
    for (service, path) in project.services.iter().flat_map(|(name, service)| {
        service.security_opt.iter().filter_map(move |option| Some((name, seccomp_path(option)?)))
    }) {
        let full = project.working_dir.join(path);
        let refused = |why: String| {
            let origin = project.origin(&["services", service, "security_opt"]);
            let title = format!("service {service}: seccomp profile {}: {why}", full.display());
            let diagnostic = match origin {
                Some(origin) => origin.error(&title),
                None => Diagnostic::error(title),
            };
            StackError::File(Box::new(diagnostic))
        };
        let text = read_bounded(&full).map_err(|error| refused(reason(&error)))?;
        let profile: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| refused(format!("is no JSON: {error}")))?;
        profiles.insert(path.to_owned(), profile.to_string());
    }
    Ok(profiles)
}

/// Name of the copy for one target in a service's directory.
fn copy_name(kind: FileKind, key: &str, target: &str) -> String {
    let name = format!("{}-{key}", kind.word());
    if target == kind.usual_target(key) {
        return name;
    }
    format!("{name}-{}", &blake3::hash(target.as_bytes()).to_hex()[..16])
}

fn stack_file(
    directory: &Path,
    service: &str,
    kind: FileKind,
    source: &str,
    reference: &FileReference,
    content: Vec<u8>,
    key: &[u8; 32],
) -> StackFile {
    let target = match &reference.target {
        Some(target) if target.starts_with('/') => target.clone(),
        target => kind.usual_target(target.as_deref().unwrap_or(source)),
    };
    let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<u32>().ok());
    let owner = match (number(&reference.uid), number(&reference.gid)) {
        (None, None) => FileOwner::Service,
        (uid, gid) => FileOwner::Explicit { uid: uid.unwrap_or(0), gid: gid.unwrap_or(0) },
    };
    let mode =
        reference.mode.map_or(if kind == FileKind::Secret { 0o400 } else { 0o444 }, |mode| mode.0 & 0o777);
    StackFile {
        kind,
        key: source.to_owned(),
        path: directory.join(service).join(copy_name(kind, source, &target)),
        target,
        owner,
        mode,
        digest: blake3::keyed_hash(key, &content).to_hex()[..32].to_owned(),
        content,
    }
}

fn content_of(
    project: &Project,
    kind: FileKind,
    key: &str,
    object: &FileObject,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<u8>, StackError> {
    if object.external {
        return Err(refused(project, kind, key, "is external, which only a Swarm has", None));
    }
    if let Some(file) = &object.file {
        let path = project.working_dir.join(file);
        return read_bounded(&path).map_err(|error| {
            let what = format!("file {} {}", path.display(), reason(&error));
            let hint = match error.kind() {
                io::ErrorKind::NotFound => Some(
                    "`plimsoll init` makes passwords; a certificate, its key or any other file is yours to put there. A \
                     comment above this line may have a command that makes one for a try",
                ),
                _ => None,
            };
            refused(project, kind, key, &what, hint)
        });
    }
    if let Some(variable) = &object.environment {
        let included = project.included.0.get(&format!("{}.{key}", kind.section())).cloned();
        return included.or_else(|| env(variable)).map(String::into_bytes).ok_or_else(|| {
            refused(project, kind, key, &format!("environment variable {variable} is not set"), None)
        });
    }
    match &object.content {
        Some(content) => Ok(content.clone().into_bytes()),
        None => Err(refused(project, kind, key, "has neither file nor environment", None)),
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
    }
    plimsoll_disk::read_named(path, SIZE_LIMIT)
}

/// An error that names the secret and shows its line in the Compose file.
fn refused(project: &Project, kind: FileKind, key: &str, what: &str, hint: Option<&str>) -> StackError {
    let title = format!("{} `{key}`: {what}", kind.word());
    let used_by: Vec<&str> = project
        .services
        .iter()
        .filter(|(_, service)| {
            let references = if kind == FileKind::Secret { &service.secrets } else { &service.configs };
            references.iter().any(|reference| reference.source.as_deref() == Some(key))
        })
        .map(|(name, _)| name.as_str())
        .collect();
    let mut diagnostic = match project.origin(&[kind.section(), key, "file"]) {
        Some(origin) => origin.error(&title),
        None => Diagnostic::error(title),
    };
    diagnostic = diagnostic.note(format!("used by {}", used_by.join(", ")));
    if let Some(hint) = hint {
        diagnostic = diagnostic.hint(hint);
    }
    StackError::File(Box::new(diagnostic))
}

/// A directory that only this user may enter.
pub(crate) fn private_directory(path: &Path) -> Result<(), StackError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_error("make", path))?;
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .map_err(io_error("protect", path))
}

/// 32 random bytes that belong to this project on this machine.
fn project_key(state: &Path) -> Result<[u8; 32], StackError> {
    let path = state.join("key");
    if let Ok(bytes) = fs::read(&path)
        && let Ok(key) = bytes.try_into()
    {
        return Ok(key);
    }
    private_directory(state)?;
    let mut key = [0; 32];
    let random = Path::new("/dev/urandom");
    fs::File::open(random)
        .and_then(|mut file| file.read_exact(&mut key))
        .map_err(io_error("read", random))?;
    write_whole(&path, &key, 0o600, None)?;
    Ok(key)
}

fn write_copy(file: &StackFile, owner: (u32, u32)) -> Result<(), StackError> {
    let right = fs::symlink_metadata(&file.path).is_ok_and(|found| {
        found.is_file() && found.mode() & 0o777 == file.mode && (found.uid(), found.gid()) == owner
    });
    if right && fs::read(&file.path).is_ok_and(|found| found == file.content) {
        return Ok(());
    }
    write_whole(&file.path, &file.content, file.mode, Some(owner))
}

/// Given its owner, then put in its place: nobody ever sees half a file or a wrong owner.
pub(crate) fn write_whole(
    path: &Path,
    content: &[u8],
    mode: u32,
    owner: Option<(u32, u32)>,
) -> Result<(), StackError> {
    let mut draft = Draft::of(path, PRIVATE).map_err(io_error("write", path))?;
    draft.write_all(content).map_err(io_error("write", path))?;
    let mut mode = mode;
    if owner.is_some() && ids_are_ours_alone() {
        // its directory stays closed to other users of the host
        mode |= 0o444;
    } else if let Some((uid, gid)) = owner {
        match std::os::unix::fs::fchown(draft.file(), Some(uid), Some(gid)) {
            Ok(()) => {}
            // without root the copy cannot be given away; its directory stays closed to other users of the host
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => mode |= 0o444,
            Err(error) => return Err(io_error("give to the service", path)(error)),
        }
    }
    draft.set_mode(mode).map_err(io_error("protect", path))?;
    draft.commit().map_err(io_error("write", path))
}

/// Removes the copies of one service, also those for other users.
pub(crate) fn remove_of_service(state: &Path, service: &str) -> Result<(), StackError> {
    let directory = state.join("files");
    let Ok(entries) = fs::read_dir(&directory) else { return Ok(()) };
    for entry in entries {
        let entry = entry.map_err(io_error("read", &directory))?;
        let name = entry.file_name();
        let of = name.to_string_lossy();
        if of.split_once('@').map_or(&*of, |(of, _)| of) == service {
            remove_state(&entry.path())?;
        }
    }
    Ok(())
}

/// Whether this process is in a user namespace, where an id means another one than it does to the engine.
fn ids_are_ours_alone() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let ids: Vec<&str> = map.split_whitespace().take(2).collect();
    // no map can be read where there is no /proc: then there is no namespace of ours either
    !ids.is_empty() && ids != ["0", "0"]
}

/// Removes everything of a project from the state directory.
pub(crate) fn remove_state(state: &Path) -> Result<(), StackError> {
    match fs::remove_dir_all(state) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", state)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_could_not_be_written_leaves_no_draft() {
        let dir = tempfile::tempdir().unwrap();
        // nothing can be put in the place of a folder that has something in it
        fs::create_dir_all(dir.path().join("secret-a/full")).unwrap();
        write_whole(&dir.path().join("secret-a"), b"s3cret", 0o400, None).unwrap_err();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        write_whole(&dir.path().join("secret-b"), b"s3cret", 0o400, None).unwrap();
        let written = fs::metadata(dir.path().join("secret-b")).unwrap();
        assert_eq!((written.len(), written.mode() & 0o777), (6, 0o400));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
