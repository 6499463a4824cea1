//! What the verbs about a running stack share: the project's name, the engine, the state directory, interruption.

use std::{future::Future, path::PathBuf, time::Duration};

use plimsoll_compose::{HostEnvironment, Project};
use plimsoll_engine::Engine;
use plimsoll_source::Diagnostic;
use plimsoll_stack::{Lock, Scope, StackError};
use tokio::sync::watch;

use crate::{
    error::CommandError,
    home::home,
    interrupt,
    policy::Root,
    project::{ProjectArgs, no_service},
};

/// What a verb about containers that exist is about.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The project.
    pub(crate) name: String,
    /// What the Compose file has. Without one the whole project is meant.
    pub(crate) scope: Option<Scope>,
    /// The file, if there is one and it can be read.
    pub(crate) project: Option<Project>,
    /// The environment and the files of variables.
    pub(crate) env: HostEnvironment,
}

impl Target {
    /// True for a service that the verb may touch.
    pub(crate) fn has(&self, service: &str) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.has(service))
    }

    /// Whether the file has the service, whatever its profile; without a file nobody knows.
    pub(crate) fn knows(&self, service: &str) -> bool {
        self.project.as_ref().is_some_and(|project| {
            project.services.contains_key(service) || project.disabled_services.contains_key(service)
        })
    }

    /// Why there is no such service.
    pub(crate) fn no_service(&self, service: &str) -> CommandError {
        match &self.project {
            Some(project) => no_service(project, service),
            None => CommandError::new(
                format!("project {} has no container of service {service}", self.name),
                "`plimsoll ps --all` lists those that exist; `plimsoll up` makes them",
            ),
        }
    }
}

/// The project, with the services that are named. A name that is given without a file needs none: labels in the engine
/// say the rest. So does `COMPOSE_PROJECT_NAME` where the file cannot be read.
pub(crate) fn target(args: &ProjectArgs, services: &[String]) -> Result<Target, CommandError> {
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
pub(crate) fn project_name(args: &ProjectArgs) -> Result<String, CommandError> {
    Ok(target(args, &[])?.name)
}

/// The directory with every project's state.
pub(crate) fn states() -> Result<PathBuf, CommandError> {
    Ok(home()?.join("state"))
}

/// A project's state. A dry run leaves nothing behind: where there is none yet it works with one that goes with the
/// second value.
pub(crate) fn state_for(
    project: &str,
    dry_run: bool,
) -> Result<(PathBuf, Option<tempfile::TempDir>), CommandError> {
    let state = states()?.join(project);
    if !dry_run || state.exists() {
        return Ok((state, None));
    }
    let temporary = tempfile::tempdir().map_err(|error| CommandError::from_error(&error))?;
    Ok((temporary.path().join(project), Some(temporary)))
}

/// Where a measurement writes down what it has paused or stopped, in the project's state directory.
pub(crate) const NOTE: &str = "disturbed.json";

/// Seconds that another run of the project is waited for; without it as long as it takes.
const LOCK_TIMEOUT: &str = "PLIMSOLL_LOCK_TIMEOUT";

fn lock_timeout() -> Result<Option<Duration>, CommandError> {
    let Some(text) = std::env::var_os(LOCK_TIMEOUT).filter(|text| !text.is_empty()) else { return Ok(None) };
    match text.to_str().and_then(|text| text.parse().ok()) {
        Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
        None => Err(CommandError::new(
            format!("{LOCK_TIMEOUT} is no number of seconds: {}", text.to_string_lossy()),
            format!("set {LOCK_TIMEOUT}=60, or unset it to wait as long as it takes"),
        )),
    }
}

/// One run at a time for a project; says for whom it waits. What a measurement that was killed has left paused or
/// stopped is taken back first.
pub(crate) fn lock(project: &str, purpose: &str) -> Result<Lock, CommandError> {
    let lock = Lock::take(&states()?, project, purpose, lock_timeout()?, |holder| {
        errln!("waiting: project {project} is in the hands of {holder}");
    })
    .map_err(failed)?;
    let note = states()?.join(project).join(NOTE);
    if note.exists() {
        let taken =
            with_engine(|engine| async move { Ok(plimsoll_verify::take_back(&engine, &note).await) })?;
        match taken {
            Ok(done) => done.iter().for_each(|line| errln!("note  left by a measurement: {line}")),
            Err(problem) => errln!("note  left by a measurement, and not taken back: {problem}"),
        }
    }
    Ok(lock)
}

/// Runs `work` with a connection to the engine.
pub(crate) fn with_engine<T, F>(work: impl FnOnce(Engine) -> F) -> Result<T, CommandError>
where
    F: Future<Output = Result<T, CommandError>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::from_error(&error))?;
    runtime.block_on(async {
        let engine = Engine::connect().await.map_err(|error| failed(error.into()))?;
        work(engine).await
    })
}

/// Becomes true at the first Ctrl-C or SIGTERM; the second ends the process at once.
pub(crate) fn interruption() -> watch::Receiver<bool> {
    interrupt::leave();
    let (tell, heard) = watch::channel(false);
    tokio::spawn(async move {
        signalled().await;
        errln!("interrupted: finishing what has been begun (again to stop at once)");
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
pub(crate) async fn next_signal() -> &'static str {
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

/// A stack's error for the terminal.
pub(crate) fn failed(error: StackError) -> CommandError {
    let hint = error.hint();
    let code = if matches!(error, StackError::DonorMissing { .. }) { 1 } else { 2 };
    let command = match (error, hint) {
        (StackError::File(diagnostic), _) => CommandError::from(*diagnostic),
        (error, Some(hint)) => CommandError::new(error.to_string(), hint),
        (error, None) => CommandError::from(Diagnostic::error(error.to_string())),
    };
    CommandError { code, ..command }
}
