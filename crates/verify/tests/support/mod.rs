//! Containers with the labels of a compose project, made straight through the engine: what they are and what the
//! compose file says of them can differ, which is what a measurement is for.
#![allow(dead_code, clippy::unwrap_used, reason = "test support; each test binary uses its own part")]

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use plimsoll_compose::{LoadOptions, NoFiles, Project};
use plimsoll_engine::{Attachment, ContainerSpec, Engine, HealthSpec, NetworkSpec, Resources};
use plimsoll_source::Source;
use plimsoll_verify::{Certificate, Options, Status};

#[path = "../../../engine/tests/support/mod.rs"]
pub(crate) mod busybox;

/// A project on the engine, taken away at the end.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    pub(crate) project: Project,
}

impl Bench {
    /// The project that `text` declares; nothing of it exists yet.
    pub(crate) async fn new(name: &str, text: &str) -> Option<Self> {
        let engine = busybox::engine().await?;
        let name = format!("plimsoll-test-verify-{name}");
        let directory = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&directory).unwrap();
        let source = Source::new(directory.join("compose.yml").display().to_string(), text);
        let mut options = LoadOptions::new(vec![source], &directory);
        options.project_name = Some(name.clone());
        let project =
            plimsoll_compose::load(&options, &NoFiles).unwrap_or_else(|errors| panic!("{errors:#?}"));
        let bench = Self { engine, name, directory, project };
        bench.remove().await;
        Some(bench)
    }

    fn labels(&self, service: &str) -> BTreeMap<String, String> {
        [
            ("plimsoll-test", "1"),
            ("com.docker.compose.project", &self.name),
            ("com.docker.compose.service", service),
            ("com.docker.compose.oneoff", "False"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }

    pub(crate) async fn network(&self, key: &str, internal: bool) {
        let name = format!("{}_{key}", self.name);
        let spec = NetworkSpec { name, internal, labels: self.labels(""), ..NetworkSpec::default() };
        self.engine.create_network(&spec).await.unwrap();
    }

    /// Makes and starts a container on these networks.
    pub(crate) async fn start(&self, service: &str, networks: &[&str], spec: ContainerSpec) -> String {
        let attach = |key: &&str| Attachment {
            network: format!("{}_{key}", self.name),
            aliases: vec![service.to_owned()],
            ..Attachment::default()
        };
        let attachments: Vec<_> = networks.iter().map(attach).collect();
        let spec = ContainerSpec {
            name: format!("{}-{service}-1", self.name),
            image: busybox::IMAGE.into(),
            labels: self.labels(service),
            networks: attachments.clone(),
            ..spec
        };
        let id = self.engine.create_container(&spec).await.unwrap();
        for attachment in attachments.iter().skip(1) {
            self.engine.connect_container(&id, attachment).await.unwrap();
        }
        self.engine.start_container(&id).await.unwrap();
        id
    }

    /// A command that fetches a page from what `container` serves on port 8080, in at most `seconds`. By address, and
    /// not with wget: both need name resolution, which a static busybox has not.
    pub(crate) async fn ask(&self, container: &str, network: &str, seconds: u32) -> String {
        let raw = self.engine.inspect_container_raw(container).await.unwrap();
        let address = &raw["NetworkSettings"]["Networks"][format!("{}_{network}", self.name)]["IPAddress"];
        let address = address.as_str().unwrap();
        format!(
            "busybox printf 'GET /passwd HTTP/1.0\\r\\n\\r\\n' | busybox timeout {seconds} nc {address} 8080 | busybox grep -q root"
        )
    }

    pub(crate) fn options() -> Options {
        Options { disturb: true, load: Duration::from_secs(1), ..Options::default() }
    }

    pub(crate) async fn verify(&self, options: &Options) -> Certificate {
        plimsoll_verify::verify(&self.engine, &self.project, options, |_| {}).await.unwrap()
    }

    /// Takes everything away.
    pub(crate) async fn remove(&self) {
        let label = format!("com.docker.compose.project={}", self.name);
        for container in self.engine.containers_labelled(std::slice::from_ref(&label)).await.unwrap() {
            let _ = self.engine.unpause_container(&container.id).await;
            self.engine.remove_container(&container.id, true, true).await.unwrap();
        }
        for network in self.engine.networks(std::slice::from_ref(&label)).await.unwrap() {
            self.engine.remove_network(&network.id).await.unwrap();
        }
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.directory.join(file), text).unwrap();
    }
}

/// A shell command that ends at once on SIGTERM.
pub(crate) fn obedient(work: &str) -> Option<Vec<String>> {
    shell(&format!("trap 'exit 0' TERM; {work} & while :; do wait $!; sleep 3600 & done"))
}

pub(crate) fn shell(script: &str) -> Option<Vec<String>> {
    Some(["sh", "-c", script].map(str::to_owned).to_vec())
}

/// A health check.
pub(crate) fn health(test: &[&str]) -> Option<HealthSpec> {
    let test = std::iter::once("CMD").chain(test.iter().copied()).map(str::to_owned).collect();
    Some(HealthSpec { test, interval: Some(60_000_000_000), ..HealthSpec::default() })
}

/// A container with everything that the claims want.
pub(crate) fn hardened(command: Option<Vec<String>>, health: Option<HealthSpec>) -> ContainerSpec {
    ContainerSpec {
        command,
        health,
        user: Some("1000:1000".into()),
        read_only: true,
        cap_drop: vec!["ALL".into()],
        security_opt: vec!["no-new-privileges:true".into()],
        resources: Resources {
            memory: Some(32 << 20),
            memory_swap: Some(32 << 20),
            nano_cpus: Some(500_000_000),
            pids: Some(32),
            ..Resources::default()
        },
        log_driver: Some("json-file".into()),
        log_options: [("max-size".to_owned(), "1m".to_owned()), ("max-file".to_owned(), "2".to_owned())]
            .into(),
        stop_grace: Some(5),
        ..ContainerSpec::default()
    }
}

/// The status of a claim about a subject.
#[track_caller]
pub(crate) fn status(certificate: &Certificate, id: &str, subject: &str) -> Status {
    let claim = certificate.claims.iter().find(|claim| claim.id == id && claim.subject == subject);
    claim.unwrap_or_else(|| panic!("no claim {id} about {subject}")).status
}
