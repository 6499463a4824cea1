//! What installs the dependencies of a folder, and the packages in it.

use serde::Serialize;

use super::{Evidence, Fact};

/// What a service is written in, and what installs its dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ecosystem {
    /// JavaScript and TypeScript, run by Node.js.
    Node,
    /// Python.
    Python,
    /// Files that are served as they are.
    Plain,
    /// Another language: the team's own Dockerfile says how it is built and run.
    Image,
}

/// What installs dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    /// npm.
    Npm,
    /// pnpm.
    Pnpm,
    /// Yarn 1.
    YarnClassic,
    /// Yarn 2 and later.
    YarnBerry,
    /// Bun, as an installer.
    Bun,
    /// pip with requirements files, or with a pyproject.toml that no other manager locks.
    Pip,
    /// uv.
    Uv,
    /// Poetry.
    Poetry,
    /// PDM.
    Pdm,
    /// Pipenv.
    Pipenv,
}

impl Manager {
    /// Its name as people write it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::YarnClassic => "Yarn 1",
            Self::YarnBerry => "Yarn",
            Self::Bun => "Bun",
            Self::Pip => "pip",
            Self::Uv => "uv",
            Self::Poetry => "Poetry",
            Self::Pdm => "PDM",
            Self::Pipenv => "Pipenv",
        }
    }
}

/// What pip installs besides its list of packages, or where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Beside {
    /// The project as a package, with what it declares: `pip install .`.
    Package,
    /// What the table `project` of pyproject.toml names: nothing builds a package from that project.
    Table,
    /// The list itself names folders of the repository (`-e .`): the sources must be there before it is installed.
    Folders,
}

/// A folder in which dependencies are installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Install {
    /// The folder; empty for the root.
    pub folder: String,
    /// Whose packages it installs.
    pub ecosystem: Ecosystem,
    /// What installs.
    pub manager: Manager,
    /// The manager's exact version, where the project pins one.
    pub version: Option<Fact<String>>,
    /// The lock file, below the folder.
    pub lock_file: Option<Fact<String>>,
    /// Files besides manifests and lock that decide what an install gives, below the folder: `.npmrc`, patches,
    /// `requirements/base.txt`.
    pub inputs: Vec<Fact<String>>,
    /// Of pip: what is installed besides the list, so that all that the manifests declare is there. Of Poetry and PDM: the
    /// project itself, where its modules lie below `src`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Fact<Beside>>,
    /// What must be installed besides, since an old package does not run with the newest of another (`werkzeug<3`); the
    /// reason of the evidence says which.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Fact<String>>,
    /// A setting in the lock file that the project does not have: the file is installed without asking whether it is
    /// still right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Fact<String>>,
    /// Configuration in the folder that tools of its packages read (tsconfig.base.json, turbo.json, ...), below it.
    pub shared_files: Vec<Fact<String>>,
    /// The versions of Node.js or Python that the project says it runs on, as written; each source is evidence.
    pub runtime: Option<Fact<String>>,
    /// The version to run on: `24`, `3.13`. The newest supported one that all sources accept.
    pub runtime_version: Option<Fact<String>>,
    /// A script of the project's own that an install would run (`postinstall`, `prepare`): it may need sources.
    pub own_script: Option<Fact<String>>,
    /// Another folder than `node_modules` into which the project's settings put packages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules_folder: Option<Fact<String>>,
    /// Packages that must be compiled at install, with what that takes (`node-gyp`, `psycopg2`).
    pub native: Vec<Fact<String>>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// One package of the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Workspace {
    /// The package's name.
    pub name: String,
    /// Its folder.
    pub path: String,
    /// Its scripts, in the order of the file.
    pub scripts: Vec<Fact<String>>,
    /// Names of other workspaces that it depends on, directly.
    pub uses: Vec<Fact<String>>,
    /// Where its build writes, below its folder; nothing where it is used from its sources.
    pub output: Option<Fact<String>>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}
