//! A stack on a real engine, brought up as `plimsoll up` does, to be changed and measured.

use std::{path::PathBuf, pin::Pin, time::Duration};

use plimsoll_compose::{LoadOptions, NoFiles, Project};
use plimsoll_engine::{Attachment, ContainerSpec, Engine, ExecSpec};
use plimsoll_source::Source;
use plimsoll_stack::{
    Context, Desired, DownOptions, ImageMap, PlanOptions, RunOptions, ServiceImage, StackFiles, Times,
    desired, image_name, images_for, labels, observe, plan, plan_down, run, stack_files,
};
use plimsoll_verify::{Certificate, Options, Status, Wanted};

use crate::busybox;

/// A stack that is right: a front that publishes a port, a backend that needs a store, a store with a volume, and a job
/// that the backend waits for. `IMAGE` is the busybox of the tests, `STORE` its name as a store.
pub(crate) const RIGHT: &str = r#"
x-right: &right
  image: IMAGE
  user: "1000:1000"
  read_only: true
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  init: true
  stop_grace_period: 3s
  logging: { driver: json-file, options: { max-size: 1m, max-file: "2" } }
  deploy: { resources: { limits: { cpus: "0.5", memory: 32M, pids: 32 } } }
services:
  front:
    <<: *right
    command: [sh, -c, "busybox mkdir -p /tmp/site && echo front > /tmp/site/index.html && exec busybox httpd -f -p 8080 -h /tmp/site"]
    tmpfs: ["/tmp:uid=1000,gid=1000,mode=0700,size=1m"]
    ports: ["127.0.0.1::8080"]
    networks: [edge, inner]
    depends_on: { backend: { condition: service_healthy } }
    healthcheck: { test: [CMD-SHELL, "busybox printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | busybox timeout 1 busybox nc 127.0.0.1 8080 | busybox grep -q '200 OK'"], interval: 2s, timeout: 3s, retries: 2 }
  backend:
    <<: *right
    command: [sh, -c, "exec busybox httpd -f -p 8080 -h /etc"]
    networks: [inner, data]
    depends_on: { store: { condition: service_healthy }, job: { condition: service_completed_successfully } }
    healthcheck: { test: [CMD-SHELL, "busybox printf 'GET /passwd HTTP/1.0\\r\\n\\r\\n' | busybox timeout 1 busybox nc 127.0.0.1 8080 | busybox grep -q '200 OK' && busybox printf 'GET /passwd HTTP/1.0\\r\\n\\r\\n' | busybox timeout 1 busybox nc store 6379 | busybox grep -q '200 OK'"], interval: 2s, timeout: 4s, retries: 2 }
  store:
    <<: *right
    image: STORE
    command: [sh, -c, "exec busybox httpd -f -p 6379 -h /etc"]
    networks: [data]
    volumes: ["data:/owned"]
    healthcheck: { test: [CMD-SHELL, "busybox printf 'GET /passwd HTTP/1.0\\r\\n\\r\\n' | busybox timeout 1 busybox nc 127.0.0.1 6379 | busybox grep -q '200 OK'"], interval: 2s, timeout: 3s, retries: 2 }
  job:
    <<: *right
    command: [sh, -c, "echo done"]
    restart: "no"
    networks: [data]
    depends_on: { store: { condition: service_healthy } }
networks:
  edge: {}
  inner: { internal: true }
  data: { internal: true }
volumes:
  data: {}
"#;

/// What a claim about a subject has to come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) id: &'static str,
    pub(crate) subject: &'static str,
    /// `None`: nothing may be claimed about it.
    pub(crate) status: Option<Status>,
}

pub(crate) const fn failed(id: &'static str, subject: &'static str) -> Expected {
    Expected { id, subject, status: Some(Status::Failed) }
}

pub(crate) const fn proved(id: &'static str, subject: &'static str) -> Expected {
    Expected { id, subject, status: Some(Status::Proved) }
}

pub(crate) const fn is(status: Status, id: &'static str, subject: &'static str) -> Expected {
    Expected { id, subject, status: Some(status) }
}

/// Nothing is claimed about it.
pub(crate) const fn absent(id: &'static str, subject: &'static str) -> Expected {
    Expected { id, subject, status: None }
}

pub(crate) type Doing<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// One row of the table.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// The stack's file instead of [`RIGHT`].
    pub(crate) file: &'static str,
    /// A file over it; empty is none.
    pub(crate) over: &'static str,
    /// A file over both that is measured but was not brought up.
    pub(crate) after: &'static str,
    /// Files beside the Compose file, written before the stack is brought up.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Programs of this machine that its containers run; without one the row is skipped.
    pub(crate) programs: &'static [&'static str],
    /// What is done before the stack is brought up: files that no text can be written for beforehand.
    pub(crate) before: fn(&Stand),
    /// What is done to the stack that is up, before it is measured.
    pub(crate) act: fn(&Stand) -> Doing<'_>,
    /// Changes how it is measured: budgets, smoke checks, disturbance.
    pub(crate) options: fn(&mut Options),
    /// What has to come out; these claims and no others are measured.
    pub(crate) claims: &'static [Expected],
}

impl Row {
    /// The right stack as it is, without anything expected.
    pub(crate) const RIGHT: Self = Self {
        file: RIGHT,
        over: "",
        after: "",
        files: &[],
        programs: &[],
        before: |_| {},
        act: |_| Box::pin(async {}),
        options: |_| {},
        claims: &[],
    };

    /// True if its stack is not simply [`RIGHT`].
    pub(crate) fn differs(&self) -> bool {
        self.file != RIGHT || !self.over.is_empty()
    }
}

/// A project on the engine.
pub(crate) struct Stand {
    pub(crate) engine: Engine,
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
}

impl Stand {
    async fn new(name: &str) -> Option<Self> {
        let engine = busybox::engine().await?;
        let image = engine.inspect_image(busybox::IMAGE).await.unwrap();
        engine.tag_image(&image.id, STORE).await.unwrap();
        let name = format!("plimsoll-test-mutant-{}", name.replace('_', "-"));
        let directory = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let stand = Self { engine, name, directory };
        stand.remove().await;
        Some(stand)
    }

    /// The project of these files, one merged over the other.
    pub(crate) fn project(&self, files: &[&str]) -> Project {
        let sources = files.iter().enumerate().filter(|(_, text)| !text.is_empty()).map(|(at, text)| {
            let text = text.replace("IMAGE", busybox::IMAGE).replace("STORE", STORE);
            Source::new(self.directory.join(format!("{at}.yml")).display().to_string(), text)
        });
        let mut options = LoadOptions::new(sources.collect(), &self.directory);
        options.project_name = Some(self.name.clone());
        plimsoll_compose::load(&options, &NoFiles).unwrap_or_else(|errors| panic!("{errors:#?}"))
    }

    fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    async fn wanted(&self, project: &Project) -> (Desired, StackFiles) {
        let files = stack_files(project, &self.state(), &|_| None).unwrap();
        let images = images_for(&self.engine, project).await.unwrap();
        let facts = self.engine.facts().await.unwrap();
        let wanted = desired(project, Context { images: &images, facts: &facts, files: &files }).unwrap();
        (wanted, files)
    }

    /// Brings the project up; also when a service does not become healthy.
    pub(crate) async fn up(&self, project: &Project) {
        let (wanted, files) = self.wanted(project).await;
        let observed = observe(&self.engine, &self.name).await.unwrap();
        let plan = plan(&wanted, &observed, &PlanOptions::default()).unwrap();
        let options = RunOptions {
            state: self.state(),
            timeout: Some(Duration::from_mins(1)),
            ..RunOptions::default()
        };
        let outcome = run(&self.engine, &plan, &files, &options, &mut |_| {}).await;
        for failure in &outcome.failures {
            println!("up: {}", failure.render());
        }
    }

    /// What the file wants now, as `plimsoll verify` hands it in.
    async fn wanted_now(&self, project: &Project) -> Result<Wanted, String> {
        let files = stack_files(project, &self.state(), &|_| None).map_err(|error| error.to_string())?;
        let mut images = ImageMap::new();
        for service in project.services.keys() {
            let image = self.engine.inspect_image(&image_name(project, service)).await;
            // An image that is not there has no id: nothing runs it.
            images.insert(
                service.clone(),
                image.map_or_else(
                    |_| ServiceImage::default(),
                    |found| ServiceImage::from_engine("", false, found),
                ),
            );
        }
        let facts = self.engine.facts().await.unwrap();
        let wanted = desired(project, Context { images: &images, facts: &facts, files: &files })
            .map_err(|error| error.to_string())?;
        let observed = observe(&self.engine, &self.name).await.unwrap();
        let plan = plan(&wanted, &observed, &PlanOptions::default()).map_err(|error| error.to_string())?;
        let mut changes: Vec<(String, String)> = plan.changes();
        changes.extend(files.stale());
        let services = wanted.services.into_iter().map(|service| (service.name, service.spec)).collect();
        Ok(Wanted { services, changes })
    }

    /// Writes a file beside the Compose file.
    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.directory.join(file), text).unwrap();
    }

    /// Copies of a secret that `up` made, below the project's state.
    pub(crate) fn files_holding(&self, text: &str) -> Vec<PathBuf> {
        let (mut found, mut left) = (Vec::new(), vec![self.state()]);
        while let Some(directory) = left.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path);
                } else if String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(text) {
                    found.push(path);
                }
            }
        }
        found
    }

    /// The name of a container.
    pub(crate) fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.name)
    }

    /// Runs a shell command in a service's container.
    pub(crate) async fn sh(&self, service: &str, script: &str) -> String {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        let spec = ExecSpec { command, ..ExecSpec::default() };
        self.engine.exec(&self.container(service), &spec, Duration::from_secs(10)).await.unwrap().text()
    }

    /// Starts a container beside the project's. It carries the tests' label, and the project's if `labels` says so.
    pub(crate) async fn beside(&self, name: &str, networks: &[&str], spec: ContainerSpec) -> String {
        let networks: Vec<_> = networks
            .iter()
            .map(|key| Attachment { network: format!("{}_{key}", self.name), ..Attachment::default() })
            .collect();
        let mut marks = spec.labels.clone();
        marks.insert("plimsoll-test".into(), "1".into());
        marks.insert("plimsoll-test-beside".into(), self.name.clone());
        let spec = ContainerSpec {
            name: format!("{}-{name}", self.name),
            image: busybox::IMAGE.into(),
            command: spec.command.clone().or_else(|| Some(["sleep", "600"].map(str::to_owned).to_vec())),
            stop_grace: Some(0),
            labels: marks,
            networks: networks.clone(),
            ..spec
        };
        let id = self.engine.create_container(&spec).await.unwrap();
        for attachment in networks.iter().skip(1) {
            self.engine.connect_container(&id, attachment).await.unwrap();
        }
        self.engine.start_container(&id).await.unwrap();
        id
    }

    /// The labels of a one-off container of a service.
    pub(crate) fn one_off(&self, service: &str) -> std::collections::BTreeMap<String, String> {
        [(labels::PROJECT, self.name.as_str()), (labels::SERVICE, service), (labels::ONEOFF, "True")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }

    async fn remove(&self) {
        for label in
            [format!("{}={}", labels::PROJECT, self.name), format!("plimsoll-test-beside={}", self.name)]
        {
            for container in self.engine.containers_labelled(&[label]).await.unwrap() {
                let _ = self.engine.unpause_container(&container.id).await;
                let _ = self.engine.remove_container(&container.id, true, true).await;
            }
        }
        let observed = observe(&self.engine, &self.name).await.unwrap();
        let plan = plan_down(
            &self.name,
            &observed,
            None,
            &DownOptions { volumes: true, grace: Some(0), ..DownOptions::default() },
        );
        let options = RunOptions { state: self.state(), ..RunOptions::default() };
        let outcome = run(&self.engine, &plan, &StackFiles::default(), &options, &mut |_| {}).await;
        assert!(outcome.failures.is_empty(), "{:#?}", outcome.failures);
    }
}

/// The store's image: the same, by a name that an image of Redis could have.
const STORE: &str = "plimsoll-test/redis:1";

/// Brings the row's stack up, measures it and compares.
pub(crate) async fn measure(name: &str, row: &Row) {
    if !is_root() {
        return;
    }
    if let Some(missing) = row.programs.iter().find(|program| !std::path::Path::new(program).exists()) {
        assert!(std::env::var_os("CI").is_none(), "CI is set, so this test needs {missing}");
        eprintln!("skipped: no {missing} on this machine");
        return;
    }
    let Some(stand) = Stand::new(name).await else { return };
    // A few at a time: the machines that this runs on have few CPUs, health checks have time limits, and the engine has
    // address pools for some thirty networks, of which a row takes three.
    static SLOTS: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(6);
    let slot = SLOTS.acquire().await.unwrap();
    for (file, text) in row.files {
        stand.write(file, text);
    }
    (row.before)(&stand);
    stand.up(&stand.project(&[row.file, row.over])).await;
    (row.act)(&stand).await;
    let project = stand.project(&[row.file, row.over, row.after]);
    let mut options = Options { load: Duration::from_secs(1), ..Options::default() };
    options.only = row.claims.iter().map(|claim| claim.id.split('/').next().unwrap().to_owned()).collect();
    options.wanted = Some(stand.wanted_now(&project).await);
    let times = Times::load(&stand.state());
    options.completed = times.completed;
    options.starts = times.starts.into_iter().map(|(id, start)| (id, (start.began, start.ready))).collect();
    (row.options)(&mut options);
    let certificate = plimsoll_verify::verify(&stand.engine, &project, &options, |_| {}).await;
    stand.remove().await;
    drop(slot);
    let _ = std::fs::remove_dir_all(&stand.directory);
    compare(&stand, row, &certificate.unwrap());
}

fn compare(stand: &Stand, row: &Row, certificate: &Certificate) {
    let said = plimsoll_verify::report::terminal(certificate);
    for expected in row.claims {
        let subject = expected.subject.replace("{project}", &stand.name);
        let found =
            certificate.claims.iter().find(|claim| claim.id == expected.id && claim.subject == subject);
        let status = found.map(|claim| claim.status);
        let observed = found.map_or("", |claim| claim.observed.as_str());
        let evidence = found.map_or(&[][..], |claim| &claim.evidence);
        assert_eq!(
            status, expected.status,
            "{} of {subject}: {observed}\n{evidence:#?}\n{said}",
            expected.id
        );
    }
}

/// Without root the kernel's files cannot be read: with CI set that is a failure.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    assert!(root || std::env::var_os("CI").is_none(), "CI is set, so this test must run as root");
    if !root {
        eprintln!("skipped: not root");
    }
    root
}
