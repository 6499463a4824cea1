//! Projects from text, and an engine's picture of a stack that is as it should be.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::format_collect,
    reason = "test support; each test binary uses its own part"
)]

use std::path::{Path, PathBuf};

use plimsoll_compose::{LoadOptions, NoFiles, Project};
use plimsoll_engine::{Endpoint, EngineFacts, Health, NetworkDetail, RunState, VolumeDetail};
use plimsoll_source::Source;
use plimsoll_stack::{
    Context, Desired, ImageMap, Observed, ObservedContainer, ServiceImage, StackFiles, desired, labels,
    stack_files,
};

/// A project from the text of one Compose file.
pub(crate) fn project(name: &str, text: &str, directory: &Path) -> Project {
    let source = Source::new(directory.join("compose.yml").display().to_string(), text.to_owned());
    let mut options = LoadOptions::new(vec![source], directory);
    options.project_name = Some(name.to_owned());
    plimsoll_compose::load(&options, &NoFiles).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// Facts of a machine with two CPUs.
pub(crate) fn facts() -> EngineFacts {
    EngineFacts {
        version: "20.10.24".into(),
        api: "1.41".into(),
        os: "Debian".into(),
        kernel: "6.1".into(),
        architecture: "x86_64".into(),
        cpus: 2,
        memory: 8 << 30,
        cgroup_version: 2,
        cgroup_driver: "systemd".into(),
        security: vec!["seccomp".into()],
        storage_driver: "overlay2".into(),
        log_driver: "json-file".into(),
        root_dir: "/var/lib/docker".into(),
        swap_limit: true,
        pids_limit: true,
        warnings: Vec::new(),
    }
}

/// Each service's image: an id that follows from the image's name.
pub(crate) fn images(project: &Project) -> ImageMap {
    let image = |name: &str| {
        let digits: String =
            name.bytes().map(|byte| format!("{byte:02x}")).collect::<String>() + &"0".repeat(64);
        ServiceImage {
            id: format!("sha256:{}", &digits[..64]),
            shown: name.to_owned(),
            ..ServiceImage::default()
        }
    };
    project
        .services
        .iter()
        .map(|(name, service)| (name.clone(), image(service.image.as_deref().unwrap_or(name))))
        .collect()
}

/// What the text wants, without secrets.
pub(crate) fn wanted(text: &str) -> Desired {
    let project = project("shop", text, Path::new("/srv/shop"));
    wanted_of(&project, &StackFiles::default())
}

pub(crate) fn wanted_of(project: &Project, files: &StackFiles) -> Desired {
    desired(project, Context { images: &images(project), facts: &facts(), files }).unwrap()
}

/// The secrets of a project in `directory`, with the state beside.
pub(crate) fn files(project: &Project, state: &Path) -> StackFiles {
    stack_files(project, state, &|_| None).unwrap()
}

/// What an engine shows when everything is as `desired` says.
pub(crate) fn converged(desired: &Desired) -> Observed {
    let mut observed = Observed::default();
    for service in &desired.services {
        for replica in &service.replicas {
            let spec = service.replica(replica);
            let done = service.one_shot;
            let health = match (&service.health, done) {
                (Some(_), false) => Health::Healthy,
                _ => Health::None,
            };
            observed.containers.push(ObservedContainer {
                id: id(&replica.name),
                name: replica.name.clone(),
                service: service.name.clone(),
                number: replica.number,
                generation: service.generation.clone(),
                oneoff: false,
                helper: false,
                state: if done { RunState::Exited } else { RunState::Running },
                health,
                exit_code: done.then_some(0),
                created: Some(1_000),
                hash: service.hash.clone(),
                compose_hash: service.compose_hashes[0].clone(),
                image_label: spec.image.clone(),
                hooks: service.hooks.clone(),
                parts: spec.labels.get(labels::PARTS).cloned(),
                image_id: spec.image.clone(),
                image: service.image.clone(),
                depends_on: service
                    .needs
                    .iter()
                    .map(|need| (need.service.clone(), need.condition.clone()))
                    .collect(),
                ports: Vec::new(),
                inputs: spec.labels.get(labels::INPUTS).cloned(),
                networks: spec
                    .networks
                    .iter()
                    .map(|on| {
                        (on.network.clone(), Endpoint { network: id(&on.network), ..Endpoint::default() })
                    })
                    .collect(),
                volumes: service.writable_volumes(),
                inside: None,
                status: String::new(),
            });
        }
    }
    for network in &desired.networks {
        let mut spec = network.spec.clone();
        if spec.driver.is_empty() {
            spec.driver = "bridge".into();
        }
        observed.networks.push(NetworkDetail { id: id(&spec.name), spec, containers: Vec::new() });
    }
    for volume in &desired.volumes {
        let mut spec = volume.spec.clone();
        if spec.driver.is_empty() {
            spec.driver = "local".into();
        }
        observed.volumes.push(VolumeDetail { spec, mountpoint: String::new() });
    }
    observed
}

/// A container id that follows from its name.
pub(crate) fn id(name: &str) -> String {
    let sum = name.bytes().fold(0xcafe_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("{sum:064x}").chars().rev().collect()
}

/// A directory of its own, removed at the end.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("plimsoll-test-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An error as `file:line: title`, with the directory's path taken out.
pub(crate) fn told(error: &plimsoll_stack::StackError, directory: &Path) -> String {
    let plimsoll_stack::StackError::File(diagnostic) = error else { return error.to_string() };
    let label = &diagnostic.labels[0];
    let line = label.source.line_col(label.span.start).line;
    format!("{}:{line}: {}", label.source.name(), diagnostic.title)
        .replace(&directory.display().to_string(), "DIR")
}
