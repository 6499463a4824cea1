//! The four systems of examples/ as the benches of images see them: which services have an image, and what one changed
//! line is in each.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

use super::ours::Ours;
use crate::{demo, shell};

/// What a service is, as a tutorial would sort it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A program of Node.js with a package of its own.
    Node,
    /// A package in a pnpm workspace.
    Workspace,
    /// A program of Python with a list of requirements.
    Python,
    /// A site that Vite builds.
    Site,
}

/// A service with an image of its own.
pub(crate) struct Service {
    pub(crate) system: &'static str,
    /// Its name in the compose file that `init` writes.
    pub(crate) name: &'static str,
    /// Its folder, with the manifest and the Dockerfile that `init` writes.
    pub(crate) folder: &'static str,
    pub(crate) kind: Kind,
    /// What a tutorial's Dockerfile runs after the packages are there; empty where nothing is built.
    pub(crate) build: &'static str,
    pub(crate) port: u16,
    /// How a tutorial's Dockerfile starts it, in the exec form.
    pub(crate) start: &'static str,
    /// The file whose change reaches the image, below `folder`.
    source: &'static str,
    /// The line that is added to it; `ROUND` is a number. Where a bundler reads the file, a comment would be lost.
    line: &'static str,
    /// By how many percent the system's document says that a rebuild is faster, where it says so.
    pub(crate) claimed: Option<i32>,
}

impl Service {
    const BLANK: Self = Self {
        system: "",
        name: "",
        folder: "",
        kind: Kind::Node,
        build: "",
        port: 0,
        start: r#"["npm", "start"]"#,
        source: "",
        line: "",
        claimed: None,
    };
}

/// A line that a bundler keeps and no check objects to.
const OF_A_PAGE: &str = r#"document.documentElement.dataset.round = "ROUND";"#;
const GUNICORN: &str = r#"["gunicorn", "--bind", "0.0.0.0:5000", "--workers", "2", "app.wsgi:app"]"#;
const OF_DJANGO: &str = r#"["gunicorn", "--bind", "0.0.0.0:8000", "config.wsgi:application"]"#;
const OF_PIVOTAL: &str = r#"["pnpm", "--filter", "@pivotal/backend", "start"]"#;
const PREVIEW: &str = r#"["pnpm", "--filter", "@pivotal/frontend", "preview", "--host", "0.0.0.0"]"#;

/// Every service of the four that has an image of its own.
pub(crate) static SERVICES: [Service; 9] = [
    Service {
        system: "maestroverse",
        name: "maestroverse-server",
        folder: "server",
        build: "npm run build",
        port: 3001,
        source: "src/index.js",
        line: "// round ROUND",
        ..Service::BLANK
    },
    Service {
        system: "maestroverse",
        name: "maestroverse-web",
        folder: "apps/web",
        build: "npm run build",
        port: 3000,
        source: "app/now-playing.js",
        line: "globalThis.round = 'ROUND';",
        ..Service::BLANK
    },
    Service {
        system: "atlantiplex",
        name: "atlantiplex-stage",
        folder: "matrix-studio/web/stage",
        port: 9001,
        source: "server.js",
        line: "// round ROUND",
        claimed: Some(-73),
        ..Service::BLANK
    },
    Service {
        system: "atlantiplex",
        name: "matrix-studio",
        folder: "matrix-studio",
        kind: Kind::Python,
        port: 5000,
        start: GUNICORN,
        source: "app/wsgi.py",
        line: "# round ROUND",
        claimed: Some(-71),
        ..Service::BLANK
    },
    Service {
        system: "atlantiplex",
        name: "atlantiplex-frontend",
        folder: "matrix-studio/web/frontend",
        kind: Kind::Site,
        source: "src/main.jsx",
        line: OF_A_PAGE,
        claimed: Some(-73),
        ..Service::BLANK
    },
    Service {
        system: "edenconz",
        name: "backend",
        folder: "backend",
        kind: Kind::Python,
        port: 8000,
        start: OF_DJANGO,
        source: "config/wsgi.py",
        line: "# round ROUND",
        ..Service::BLANK
    },
    Service {
        system: "edenconz",
        name: "edenconz-frontend",
        folder: "frontend",
        kind: Kind::Site,
        source: "src/main.jsx",
        line: OF_A_PAGE,
        ..Service::BLANK
    },
    Service {
        system: "pivotal",
        name: "backend",
        folder: "apps/backend",
        kind: Kind::Workspace,
        build: "pnpm run build",
        port: 3000,
        start: OF_PIVOTAL,
        source: "src/index.ts",
        line: "// round ROUND",
        ..Service::BLANK
    },
    Service {
        system: "pivotal",
        name: "frontend",
        folder: "apps/frontend",
        kind: Kind::Workspace,
        build: "pnpm run build",
        port: 4173,
        start: PREVIEW,
        source: "src/main.tsx",
        line: OF_A_PAGE,
        ..Service::BLANK
    },
];

/// The systems in their order: all of them, or the one that is asked for.
pub(crate) fn systems(only: Option<&str>) -> Result<Vec<&'static str>> {
    let mut all: Vec<&str> = SERVICES.iter().map(|service| service.system).collect();
    all.dedup();
    let Some(only) = only else { return Ok(all) };
    match all.iter().find(|system| **system == only) {
        Some(system) => Ok(vec![*system]),
        None => bail!("there is no system {only}; there are {}", all.join(", ")),
    }
}

/// The services of a system.
pub(crate) fn services_of(system: &str) -> impl Iterator<Item = &'static Service> {
    SERVICES.iter().filter(move |service| service.system == system)
}

impl Service {
    /// A name that no other service has, for folders and tags.
    pub(crate) fn id(&self) -> String {
        format!("{}-{}", self.system, self.name)
    }

    /// What a tutorial takes for the build context: the service's folder, or the root of its workspace.
    pub(crate) fn context(&self, copy: &Path) -> PathBuf {
        if self.kind == Kind::Workspace { copy.to_owned() } else { copy.join(self.folder) }
    }

    /// The file that one line is added to, in a copy of the system.
    pub(crate) fn source(&self, copy: &Path) -> PathBuf {
        copy.join(self.folder).join(self.source)
    }

    /// The added line.
    pub(crate) fn line(&self, round: usize) -> String {
        self.line.replace("ROUND", &round.to_string())
    }

    /// What its build starts from, ours and a tutorial's.
    pub(crate) fn base(&self) -> Base {
        match self.kind {
            Kind::Python => PYTHON,
            _ => NODE,
        }
    }
}

/// What both Dockerfiles of a service start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    /// What `plimsoll base make` takes.
    pub(crate) recipe: &'static str,
    /// Its name in the store.
    pub(crate) image: &'static str,
    /// The line in the Dockerfile of `init` that it stands in for.
    argument: &'static str,
}

const NODE: Base = Base {
    recipe: "node-24",
    image: "plimsoll.local/node-24:24",
    argument: "ARG NODE_IMAGE=node:24-trixie-slim",
};
const PYTHON: Base = Base {
    recipe: "python",
    image: "plimsoll.local/python:3.13",
    argument: "ARG PYTHON_IMAGE=python:3.13-slim-trixie",
};

/// Makes the bases that the images of the systems stand on.
pub(crate) fn make_bases(ours: &Ours) -> Result<()> {
    let runtimes = ["distroless-node-24", "nginx"];
    shell::run(ours.plimsoll(&["base", "make", NODE.recipe, PYTHON.recipe]).args(runtimes))
}

/// A fresh copy of an example in `folder`.
pub(crate) fn lay_out(system: &str, folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    demo::copy_tree(&shell::root().join("examples").join(system), folder)
}

/// A fresh copy with the files that `init` writes, in `folder`.
pub(crate) fn initialised(ours: &Ours, system: &str, folder: &Path) -> Result<()> {
    lay_out(system, folder)?;
    shell::quiet(ours.plimsoll(&["init", "--apply", "--no-input"]).current_dir(folder))?;
    for service in services_of(system) {
        let file = folder.join(service.folder).join("Dockerfile");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let argument = service.base().argument;
        ensure!(
            text.lines().any(|line| line == argument),
            "{} has no line `{argument}`: its base is another one than that of the naive image; \
             change the base in xtask/src/bench/systems.rs",
            file.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_is_where_the_table_says() {
        for service in &SERVICES {
            let copy = shell::root().join("examples").join(service.system);
            let source = service.source(&copy);
            assert!(source.is_file(), "{}", source.display());
            let manifest = if service.kind == Kind::Python { "requirements.txt" } else { "package.json" };
            let manifest = copy.join(service.folder).join(manifest);
            assert!(manifest.is_file(), "{}", manifest.display());
            assert_ne!(service.line(1), service.line(2));
        }
    }

    #[test]
    fn systems_are_known_by_name() {
        assert_eq!(systems(None).unwrap(), ["maestroverse", "atlantiplex", "edenconz", "pivotal"]);
        assert_eq!(systems(Some("edenconz")).unwrap(), ["edenconz"]);
        let error = systems(Some("eden")).unwrap_err().to_string();
        assert!(error.starts_with("there is no system eden; there are maestroverse,"), "{error}");
    }
}
