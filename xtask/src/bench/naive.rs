//! The image that a tutorial makes: one stage, the whole folder, every package, and the base that the build needs. The
//! Dockerfiles are in `naive/`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{
    ours::Ours,
    systems::{self, Kind, Service},
};

/// A copy of a system with the Dockerfile of one service.
pub(crate) struct Naive {
    /// The whole copy.
    pub(crate) copy: PathBuf,
    /// What is built.
    pub(crate) context: PathBuf,
}

impl Naive {
    /// Makes the copy in `folder`; its image starts from `base`.
    pub(crate) fn lay_out(service: &Service, base: &str, folder: &Path) -> Result<Self> {
        let copy = folder.join(service.id());
        systems::lay_out(service.system, &copy)?;
        let context = service.context(&copy);
        let manager = if service.kind == Kind::Workspace { manager(&context)? } else { String::new() };
        let file = context.join("Dockerfile");
        fs::write(&file, dockerfile(service, base, &manager))
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(Self { copy, context })
    }

    /// Our build of it.
    pub(crate) fn build(&self, ours: &Ours, tag: &str) -> Command {
        let mut build = ours.plimsoll(&["image", "build", "--progress=plain", "--tag", tag, "."]);
        build.current_dir(&self.context);
        build
    }
}

/// The tag of a service's naive image.
pub(crate) fn tag(service: &Service) -> String {
    format!("plimsoll-bench/naive-{}:1", service.id())
}

/// The package manager with its version, as the workspace's manifest names it.
pub(crate) fn manager(workspace: &Path) -> Result<String> {
    let file = workspace.join("package.json");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let manifest: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    let manager = manifest["packageManager"].as_str();
    Ok(manager.with_context(|| format!("{} has no packageManager", file.display()))?.to_owned())
}

/// The text of `naive/` for this service. A line whose value is empty is left out.
fn dockerfile(service: &Service, base: &str, manager: &str) -> String {
    let text = match service.kind {
        Kind::Node => include_str!("naive/node.Dockerfile"),
        Kind::Python => include_str!("naive/python.Dockerfile"),
        Kind::Site => include_str!("naive/site.Dockerfile"),
        Kind::Workspace => include_str!("naive/workspace.Dockerfile"),
    };
    let port = service.port.to_string();
    let values = [
        ("{{base}}", base),
        ("{{manager}}", manager),
        ("{{build}}", service.build),
        ("{{port}}", port.as_str()),
        ("{{start}}", service.start),
    ];
    let mut filled = String::new();
    for line in text.lines() {
        if values.iter().any(|(place, value)| value.is_empty() && line.contains(place)) {
            continue;
        }
        let line = values.iter().fold(line.to_owned(), |line, (place, value)| line.replace(place, value));
        filled += &line;
        filled.push('\n');
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bench::systems::SERVICES, shell};

    fn of(name: &str) -> String {
        let service = SERVICES.iter().find(|service| service.id() == name).unwrap();
        dockerfile(service, "base:1", "pnpm@10.0.0")
    }

    #[test]
    fn every_place_is_filled() {
        for service in &SERVICES {
            let text = of(&service.id());
            assert!(text.starts_with("FROM base:1\n"), "{text}");
            assert!(!text.contains("{{") && text.contains("\nCOPY . .\n"), "{text}");
            let last = text.lines().last().unwrap();
            let start = last.strip_prefix("CMD ").unwrap();
            serde_json::from_str::<Vec<String>>(start).unwrap();
        }
    }

    #[test]
    fn a_service_without_a_build_has_no_such_line() {
        assert_eq!(
            of("atlantiplex-atlantiplex-stage"),
            "FROM base:1\nWORKDIR /app\nCOPY . .\nRUN npm install\nEXPOSE 9001\nCMD [\"npm\", \"start\"]\n"
        );
        assert!(of("maestroverse-maestroverse-server").contains("RUN npm install\nRUN npm run build\n"));
        assert!(of("pivotal-backend").contains("RUN npm install --global pnpm@10.0.0\n"));
    }

    #[test]
    fn the_manager_is_the_workspaces() {
        let manager = manager(&shell::root().join("examples/pivotal")).unwrap();
        assert!(manager.starts_with("pnpm@"), "{manager}");
    }
}
