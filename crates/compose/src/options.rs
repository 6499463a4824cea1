use std::{
    io,
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use plimsoll_source::Source;

/// What is to be loaded, and how far.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The Compose files in order; later ones override. A source's name is its path, which relative `extends` and
    /// `include` inside it start from.
    pub files: Vec<Source>,
    /// The absolute directory that relative paths start from.
    pub working_dir: PathBuf,
    /// The variables for interpolation and for variables without a value.
    pub env: IndexMap<String, String>,
    /// The project's name, if the user gave one; it must be valid. Else `name:` of the files decides.
    pub project_name: Option<String>,
    /// The name when neither the user nor the files give one: usually the directory's.
    pub default_name: Option<String>,
    /// Active profiles; `*` enables all.
    pub profiles: Vec<String>,
    /// Only these services and what they depend on; empty for all.
    pub services: Vec<String>,
    /// Of the named services alone: what they depend on must fit, but is disabled, and its files are not read.
    pub no_deps: bool,
    /// Replace `${…}`.
    pub interpolate: bool,
    /// Check every value against the specification.
    pub validate: bool,
    /// Fill in names, the default network, implicit dependencies and build defaults.
    pub normalize: bool,
    /// Check that the parts agree: references, conflicting attributes, cycles.
    pub check_consistency: bool,
    /// Make relative paths absolute.
    pub resolve_paths: bool,
    /// Read `env_file` and `label_file` and fill variables without a value from `env`.
    pub resolve_environment: bool,
    /// Forget `env_file` and `label_file` once they are read.
    pub discard_env_files: bool,
    /// Add the values that the specification gives to absent attributes.
    pub set_defaults: bool,
    /// Join the parts of names by `_`, as docker-compose 1 did.
    pub compatibility: bool,
    /// Networks and volumes that no service uses count too.
    pub all_resources: bool,
}

impl LoadOptions {
    /// Everything on, as `docker compose up` loads files.
    pub fn new(files: Vec<Source>, working_dir: impl Into<PathBuf>) -> Self {
        Self {
            files,
            working_dir: working_dir.into(),
            env: IndexMap::new(),
            project_name: None,
            default_name: None,
            profiles: Vec::new(),
            services: Vec::new(),
            no_deps: false,
            interpolate: true,
            validate: true,
            normalize: true,
            check_consistency: true,
            resolve_paths: true,
            resolve_environment: true,
            discard_env_files: false,
            set_defaults: true,
            compatibility: false,
            all_resources: false,
        }
    }
}

/// How the loader reads the other files that Compose files name.
pub trait ReadFiles {
    /// The text at an absolute path; an error of kind `NotFound` when there is none.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// Whether there is a directory.
    fn is_dir(&self, path: &Path) -> bool;

    /// Whether there is a file.
    fn is_file(&self, path: &Path) -> bool {
        self.read(path).is_ok()
    }
}

/// Has no files: for single texts.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl ReadFiles for NoFiles {
    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn is_dir(&self, _: &Path) -> bool {
        false
    }
}
