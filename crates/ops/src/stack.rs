//! What the verbs about a running stack share: the project's name, the engine, the state directory, interruption.

use std::{future::Future, path::PathBuf, time::Duration};

use plimsoll_compose::{HostEnvironment, Project};
use plimsoll_engine::Engine;
use plimsoll_stack::{Lock, Scope};
use tokio::sync::watch;

use crate::{
    Failure,
    home::home,
    interrupt,
    policy::Root,
    project::{Selection, no_service},
};

/// What a verb about containers that exist is about.
#[derive(Debug, Clone)]
pub struct Target {
    /// The project.
    pub name: String,
    /// What the Compose file has. Without one the whole project is meant.
    pub scope: Option<Scope>,
    /// The file, if there is one and it can be read.
    pub project: Option<Project>,
    /// The environment and the files of variables.
    pub env: HostEnvironment,
}

impl Target {
    /// True for a service that the verb may touch.
    pub fn has(&self, service: &str) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.has(service))
    }

    /// Whether the file has the service, whatever its profile; without a file nobody knows.
    pub fn knows(&self, service: &str) -> bool {
        self.project.as_ref().is_some_and(|project| {
            project.services.contains_key(service) || project.disabled_services.contains_key(service)
        })
    }

    /// Why there is no such service.
    pub fn no_service(&self, service: &str) -> Failure {
        match &self.project {
            Some(project) => no_service(project, service),
            None => Failure::new(
                format!("project {} has no container of service {service}", self.name),
                "`plimsoll ps --all` lists those that exist; `plimsoll up` makes them",
            ),
        }
    }
}

/// The project, with the services that are named. A name that is given without a file needs none: labels in the engine
/// say the rest. So does `COMPOSE_PROJECT_NAME` where the file cannot be read.
pub fn target(args: &Selection, services: &[String]) -> Result<Target, Failure> {
    if let (Some(name), true) = (&args.project_name, args.files.is_empty()) {
        let env = HostEnvironment(args.environment()?);
        return Ok(Target { name: name.clone(), scope: None, project: None, env });
    }
    match args.load_existing(&Root::find()?, services) {
        Ok(project) => Ok(Target {
            name: project.name.clone(),
            scope: Some(Scope::of(&project)),
            env: project.environment.clone(),
            project: Some(project),
        }),
        Err(mut error) => {
            let env = HostEnvironment(args.environment()?);
            let named = args.project_name.as_ref().or_else(|| env.0.get("COMPOSE_PROJECT_NAME"));
            match named.filter(|name| !name.is_empty()).cloned() {
                Some(name) => Ok(Target { name, scope: None, project: None, env }),
                None => {
                    if let Some(last) = error.diagnostics.pop() {
                        let way =
                            "the containers can be reached without the file: give the project's name with -p";
                        error.diagnostics.push(last.note(way));
                    }
                    Err(error)
                }
            }
        }
    }
}

/// The project's name.
pub fn project_name(args: &Selection) -> Result<String, Failure> {
    Ok(target(args, &[])?.name)
}

/// The directory with every project's state.
pub fn states() -> Result<PathBuf, Failure> {
    Ok(home()?.join("state"))
}

/// A project's state. A dry run leaves nothing behind: where there is none yet it works with one that goes with the
/// second value.
pub fn state_for(project: &str, dry_run: bool) -> Result<(PathBuf, Option<tempfile::TempDir>), Failure> {
    let state = states()?.join(project);
    if !dry_run || state.exists() {
        return Ok((state, None));
    }
    let temporary = tempfile::tempdir()?;
    Ok((temporary.path().join(project), Some(temporary)))
}

/// Where a measurement writes down what it has paused or stopped, in the project's state directory.
pub const NOTE: &str = "disturbed.json";

/// Seconds that another run of the project is waited for; without it as long as it takes.
const LOCK_TIMEOUT: &str = "PLIMSOLL_LOCK_TIMEOUT";

fn lock_timeout() -> Result<Option<Duration>, Failure> {
    let Some(text) = std::env::var_os(LOCK_TIMEOUT).filter(|text| !text.is_empty()) else { return Ok(None) };
    match text.to_str().and_then(|text| text.parse().ok()) {
        Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
        None => Err(Failure::new(
            format!("{LOCK_TIMEOUT} is no number of seconds: {}", text.to_string_lossy()),
            format!("set {LOCK_TIMEOUT}=60, or unset it to wait as long as it takes"),
        )),
    }
}

/// One run at a time for a project; says for whom it waits. What a measurement that was killed has left paused or
/// stopped is taken back first.
pub fn lock(project: &str, purpose: &str) -> Result<Lock, Failure> {
    let lock = Lock::take(&states()?, project, purpose, lock_timeout()?, |holder| {
        note!("waiting: project {project} is in the hands of {holder}");
    })?;
    let note = states()?.join(project).join(NOTE);
    if note.exists() {
        let taken =
            with_engine(|engine| async move { Ok(plimsoll_verify::take_back(&engine, &note).await) })?;
        match taken {
            Ok(done) => done.iter().for_each(|line| note!("note  left by a measurement: {line}")),
            Err(problem) => note!("note  left by a measurement, and not taken back: {problem}"),
        }
    }
    Ok(lock)
}

/// Runs `work` with a connection to the engine.
pub fn with_engine<T, F>(work: impl FnOnce(Engine) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let engine = Engine::connect().await?;
        work(engine).await
    })
}

/// Becomes true at the first Ctrl-C or SIGTERM; the second ends the process at once.
pub fn interruption() -> watch::Receiver<bool> {
    interrupt::leave();
    let (tell, heard) = watch::channel(false);
    tokio::spawn(async move {
        signalled().await;
        note!("interrupted: finishing what has been begun (again to stop at once)");
        tell.send_replace(true);
        signalled().await;
        std::process::exit(130);
    });
    heard
}

async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// The next Ctrl-C, SIGTERM or SIGHUP, by its name.
pub async fn next_signal() -> &'static str {
    interrupt::leave();
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [
        ("SIGINT", SignalKind::interrupt()),
        ("SIGTERM", SignalKind::terminate()),
        ("SIGHUP", SignalKind::hangup()),
    ];
    let heard = kinds.into_iter().filter_map(|(name, kind)| Some((name, signal(kind).ok()?))).map(
        |(name, mut signal)| {
            Box::pin(async move {
                signal.recv().await;
                name
            })
        },
    );
    let heard: Vec<_> = heard.collect();
    if heard.is_empty() {
        return std::future::pending().await;
    }
    futures_util::future::select_all(heard).await.0
}
