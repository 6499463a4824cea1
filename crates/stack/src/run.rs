//! Executes a plan: every step as soon as those before it are done.
//!
//! When a step fails, whatever depends on it is skipped, waits are abandoned, and independent engine calls go on, so
//! that no replacement stays half done. What runs is left running. When a person interrupts, no new step begins but
//! those that finish a replacement whose old container is stopped already.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use plimsoll_engine::{ContainerSpec, Engine, EngineError, ExecSpec, NetworkSpec, RunState, VolumeSpec};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};

use crate::{
    End, Failure, HookTime, Journal, Op, Plan, StackError, StackFiles, Step, conflicts,
    error::io_error,
    failure::Evidence,
    files,
    hooks::Hooked,
    hub::Hub,
    labels,
    observed::final_name,
    owner,
    proved::Proved,
    times,
    wait::{Said, Unready, Watcher, of_this_run},
};

/// Engine calls at the same time; waits are not counted.
const PARALLEL: usize = 8;

/// How long the engine may take to finish what a killed process asked of it.
const LATE: Duration = Duration::from_secs(10);
/// How long a hook may take if no limit is given.
const HOOK: Duration = Duration::from_mins(10);
/// Between two looks whether it has.
const AGAIN: Duration = Duration::from_millis(100);

/// How a plan is run.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Time limit of each wait; without one it follows from the health check.
    pub timeout: Option<Duration>,
    /// The project's state directory.
    pub state: PathBuf,
    /// What the run writes its steps down in. A step that it does not take does not begin, and the run ends.
    pub journal: Option<Arc<dyn Journal>>,
    /// Becomes true when a person interrupts.
    pub cancel: Option<watch::Receiver<bool>>,
}

/// What happens while a plan runs.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A step begins.
    Started(&'a Step),
    /// A wait has news.
    News(&'a Step, &'a str),
    /// A step goes on, and a person should know this.
    Told(&'a Step, &'a str),
    /// What a hook wrote, when it has ended.
    Said(&'a Step, &'a str),
    /// A step is done, after so much time.
    Done(&'a Step, Duration),
    /// A step has failed.
    Failed(&'a Step, &'a Failure),
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// All of it; in JSON seconds.
    #[serde(with = "seconds")]
    pub elapsed: Duration,
    /// Steps that were done.
    pub done: usize,
    /// Steps that were not, because one before them failed or the run was interrupted.
    pub skipped: usize,
    /// What failed.
    pub failures: Vec<Failure>,
    /// Container to the time after which it was ready; in JSON seconds.
    #[serde(with = "seconds::by_name")]
    pub ready: BTreeMap<String, Duration>,
    /// Hooks before a stop that failed. The stop went on.
    #[serde(default)]
    pub failed_hooks: usize,
    /// A person interrupted.
    pub interrupted: bool,
}

/// Durations as seconds with a fraction.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(time.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }

    pub(super) mod by_name {
        use std::{collections::BTreeMap, time::Duration};

        use serde::{Deserialize as _, Deserializer, Serializer};

        pub(in super::super) fn serialize<S: Serializer>(
            times: &BTreeMap<String, Duration>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            serializer.collect_map(times.iter().map(|(name, time)| (name, time.as_secs_f64())))
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<BTreeMap<String, Duration>, D::Error> {
            let times = BTreeMap::<String, f64>::deserialize(deserializer)?;
            times
                .into_iter()
                .map(|(name, time)| {
                    Ok((name, Duration::try_from_secs_f64(time).map_err(serde::de::Error::custom)?))
                })
                .collect()
        }
    }
}

impl Outcome {
    /// True if everything was done.
    pub fn is_success(&self) -> bool {
        self.failures.is_empty() && !self.interrupted
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Done,
    Skipped,
}

struct Shared {
    engine: Engine,
    project: String,
    files: StackFiles,
    hub: Hub,
    proved: Proved,
    hooked: Hooked,
    options: RunOptions,
    abandon: watch::Sender<bool>,
    calls: Semaphore,
    news: mpsc::UnboundedSender<(usize, News)>,
}

/// What a step has to say while it runs.
enum News {
    /// How far it is.
    Goes(String),
    /// Something that a person should know.
    Told(String),
    /// What a hook wrote.
    Said(String),
}

/// Runs `plan`. `report` is called from one place only, in order.
pub async fn run(
    engine: &Engine,
    plan: &Plan,
    files: &StackFiles,
    options: &RunOptions,
    report: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Outcome {
    let began = Instant::now();
    let (news, mut heard) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared {
        engine: engine.clone(),
        project: plan.project.clone(),
        files: files.clone(),
        hub: Hub::listen(engine, &plan.project),
        proved: Proved::load(&options.state),
        hooked: Hooked::load(&options.state),
        options: options.clone(),
        abandon: watch::Sender::new(false),
        calls: Semaphore::new(PARALLEL),
        news,
    });
    let mut cancel = options.cancel.clone();
    let mut states = vec![State::Waiting; plan.steps.len()];
    let mut tasks: JoinSet<(usize, Duration, Ended)> = JoinSet::new();
    let mut outcome = Outcome::default();
    let mut completed = Vec::new();
    let mut unwritten = false;
    loop {
        for step in ready(plan, &states, outcome.interrupted).into_iter().filter(|_| !unwritten) {
            states[step.id] = State::Running;
            report(Progress::Started(step));
            let (shared, step) = (Arc::clone(&shared), step.clone());
            tasks.spawn(async move {
                let began = Instant::now();
                let ended = journalled(&shared, &step).await;
                (step.id, began.elapsed(), ended)
            });
        }
        if tasks.is_empty() {
            break;
        }
        tokio::select! {
            biased;
            () = cancelled(&mut cancel) => {
                outcome.interrupted = true;
                shared.abandon.send_replace(true);
            }
            Some((id, news)) = heard.recv() => {
                let step = &plan.steps[id];
                report(match &news {
                    News::Goes(text) => Progress::News(step, text),
                    News::Told(text) => Progress::Told(step, text),
                    News::Said(text) => Progress::Said(step, text),
                });
                // all else that such a hook has to tell is that it failed
                let hook = matches!(step.op, Op::RunHook { when: HookTime::PreStop, .. });
                outcome.failed_hooks += usize::from(hook && !matches!(news, News::Said(_)));
            }
            Some(finished) = tasks.join_next() => {
                // a panic of a task is a bug: its step counts as never done
                let Ok((id, elapsed, ended)) = finished else { continue };
                let step = &plan.steps[id];
                let result = match ended {
                    Ended::Ran(result) => result,
                    Ended::Unwritten(evidence) => {
                        unwritten = true;
                        Err(Unready::Failed(evidence))
                    }
                };
                match result {
                    Ok(()) => {
                        states[id] = State::Done;
                        outcome.done += 1;
                        if let (Op::WaitCompleted { .. }, Some(service)) = (&step.op, &step.service) {
                            completed.push((service.clone(), jiff::Timestamp::now()));
                        }
                        if let (true, Some(container)) = (step.op.is_wait(), step.op.container()) {
                            outcome.ready.insert(final_name(container).to_owned(), began.elapsed());
                        }
                        report(Progress::Done(step, elapsed));
                    }
                    Err(Unready::Abandoned) => states[id] = State::Skipped,
                    Err(Unready::Failed(evidence)) => {
                        states[id] = State::Skipped;
                        shared.abandon.send_replace(true);
                        let failure = Failure::collect(engine, &shared.hub, &plan.project, step, evidence).await;
                        report(Progress::Failed(step, &failure));
                        outcome.failures.push(failure);
                    }
                }
            }
        }
    }
    if outcome.is_success() {
        for (step, evidence) in fallen(&shared, plan).await {
            let failure = Failure::collect(engine, &shared.hub, &plan.project, step, evidence).await;
            report(Progress::Failed(step, &failure));
            outcome.failures.push(failure);
            outcome.done -= 1;
        }
    }
    if !plan.steps.iter().any(|step| step.op == Op::RemoveFiles) {
        shared.proved.save();
    }
    outcome.skipped = plan.steps.len() - outcome.done - outcome.failures.len();
    outcome.elapsed = began.elapsed();
    if !plan.steps.iter().any(|step| step.op == Op::RemoveFiles) {
        times::note(engine, &options.state, plan, &outcome, completed).await;
    }
    outcome
}

/// How a step's turn ended.
enum Ended {
    Ran(Result<(), Unready>),
    /// The journal did not take it: it did not begin.
    Unwritten(Evidence),
}

/// Writes a step down, executes it, and writes down how it ended.
async fn journalled(shared: &Shared, step: &Step) -> Ended {
    let Some(journal) = &shared.options.journal else { return Ended::Ran(execute(shared, step).await) };
    let (to, what) = (Arc::clone(journal), step.clone());
    // it waits for the disk
    let written = tokio::task::spawn_blocking(move || to.before(&what)).await;
    if let Err(error) = written.unwrap_or_else(|error| Err(error.into())) {
        let reason = format!("the journal of this run cannot be written, so the step has not begun: {error}");
        let hint = plimsoll_source::is_disk_full(&error).then(|| plimsoll_source::FREE_SPACE.to_owned());
        return Ended::Unwritten(Evidence { reason, hint, ..Evidence::default() });
    }
    let result = execute(shared, step).await;
    let end = match &result {
        Ok(()) => End::Done,
        Err(Unready::Failed(evidence)) => End::Failed(evidence.reason.clone()),
        Err(Unready::Abandoned) => End::Abandoned,
    };
    let (to, what) = (Arc::clone(journal), step.clone());
    let _ = tokio::task::spawn_blocking(move || to.after(&what, &end)).await;
    Ended::Ran(result)
}

/// The waits whose container has ended with an error since: its check passed, and then its program failed.
async fn fallen<'a>(shared: &Shared, plan: &'a Plan) -> Vec<(&'a Step, Evidence)> {
    let fallen = shared.hub.fallen();
    let mut found = Vec::new();
    for step in plan.steps.iter().filter(|step| !fallen.is_empty() && step.op.is_wait()) {
        let Some(container) = step.op.container() else { continue };
        let Ok(detail) = shared.engine.inspect_container(container).await else { continue };
        let Some(death) = fallen.get(&detail.id) else { continue };
        if !of_this_run(*death, &detail.started, detail.restarts) {
            continue;
        }
        let code = death.code;
        let reason = format!("it ended with exit code {code} after its health check had passed");
        found.push((step, Evidence { reason, exit: Some(code), ..Evidence::default() }));
    }
    found
}

async fn cancelled(cancel: &mut Option<watch::Receiver<bool>>) {
    let heard = match cancel {
        Some(cancel) => cancel.wait_for(|cancel| *cancel).await.is_ok(),
        None => false,
    };
    // told once: the loop must not spin on it
    *cancel = None;
    if !heard {
        std::future::pending::<()>().await;
    }
}

/// Steps that can begin now.
fn ready<'a>(plan: &'a Plan, states: &[State], interrupted: bool) -> Vec<&'a Step> {
    plan.steps
        .iter()
        .filter(|step| states[step.id] == State::Waiting)
        .filter(|step| step.after.iter().all(|before| states[*before] == State::Done))
        .filter(|step| !interrupted || step.finish)
        .collect()
}

async fn execute(shared: &Shared, step: &Step) -> Result<(), Unready> {
    let watcher = Watcher {
        engine: &shared.engine,
        hub: &shared.hub,
        proved: &shared.proved,
        abandon: shared.abandon.subscribe(),
        timeout: shared.options.timeout,
    };
    let waits = |said| {
        let news = match said {
            Said::Goes(text) => News::Goes(text),
            Said::Waits(text) => News::Told(text),
        };
        let _ = shared.news.send((step.id, news));
    };
    match &step.op {
        Op::WaitHealthy { container, health, unhealthy } => {
            watcher.healthy(container, health, *unhealthy, waits).await
        }
        Op::WaitCompleted { container } => watcher.completed(container, waits).await,
        Op::WaitRunning { container } => watcher.running(container).await,
        Op::RunHook { container, hook, when } => {
            let tell = |news| {
                let _ = shared.news.send((step.id, news));
            };
            let service = step.service.as_deref().unwrap_or(container);
            run_hook(shared, (container, service), hook, *when, tell).await
        }
        Op::RunInit { spec } => run_init(shared, &watcher, spec, waits).await,
        Op::Delay { milliseconds } => {
            let mut abandon = watcher.abandon.clone();
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(*milliseconds)) => Ok(()),
                _ = abandon.wait_for(|abandon| *abandon) => Err(Unready::Abandoned),
            }
        }
        _ => match call(shared, step).await {
            // a request of a killed predecessor was carried out in the meantime
            Err(StackError::Engine(EngineError::AmbiguousNetwork { name })) => {
                shared.engine.remove_duplicate_networks(&name).await?;
                call(shared, step).await.map_err(|error| Unready::Failed(error.into()))
            }
            done => done.map_err(|error| Unready::Failed(error.into())),
        },
    }
}

/// Runs a hook. One before a stop must not keep the container from being stopped: its failure is told.
async fn run_hook(
    shared: &Shared,
    (container, service): (&str, &str),
    hook: &ExecSpec,
    when: HookTime,
    tell: impl Fn(News),
) -> Result<(), Unready> {
    let limit = shared.options.timeout.unwrap_or(HOOK);
    let ran = shared.engine.exec(container, hook, limit).await;
    if let Some(text) = ran.as_ref().ok().map(|output| output.text()).filter(|text| !text.is_empty()) {
        tell(News::Said(text.clone()));
    }
    let failed = match ran {
        Ok(output) if output.exit_code == 0 => None,
        Ok(output) => {
            let text = output.text();
            let last = text.trim_end().lines().last().unwrap_or("no output").to_owned();
            let (code, command) = (output.exit_code, hook.command.join(" "));
            Some(format!("{service} hook exited with status {code}: `{command}`: {last}"))
        }
        // It has ended meanwhile, by the stop of somebody who was killed: nothing is left to prepare.
        Err(_) if when == HookTime::PreStop && has_ended(shared, container).await => None,
        Err(error) => Some(format!("{service} hook `{}`: {error}", hook.command.join(" "))),
    };
    match (failed, when) {
        (Some(why), HookTime::PreStop) => tell(News::Told(why)),
        (Some(reason), _) => return Err(Unready::Failed(Evidence { reason, ..Evidence::default() })),
        (None, HookTime::PostStartLast) => {
            let id = shared.engine.inspect_container(container).await?.id;
            shared.hooked.set(&id, true).map_err(|error| Unready::Failed(error.into()))?;
        }
        (None, _) => {}
    }
    Ok(())
}

async fn has_ended(shared: &Shared, container: &str) -> bool {
    match shared.engine.inspect_container(container).await {
        Ok(found) => !matches!(found.state, RunState::Running | RunState::Paused),
        Err(error) => error.is_not_found(),
    }
}

/// The attribute of the Compose file that a container of a `pre_start` hook was made for.
fn hook_of(container: &str) -> String {
    let number = container.rsplit('-').next().and_then(|number| number.parse::<usize>().ok());
    number.map_or_else(|| "pre_start".to_owned(), |number| format!("pre_start[{}]", number.saturating_sub(1)))
}

/// Makes a container, runs it to its end and removes it. One that fails is kept: its log tells why, and the next run
/// removes it.
async fn run_init(
    shared: &Shared,
    watcher: &Watcher<'_>,
    spec: &ContainerSpec,
    tell: impl FnMut(Said),
) -> Result<(), Unready> {
    let engine = &shared.engine;
    create(engine, spec).await?;
    for attachment in spec.networks.iter().skip(1) {
        engine.connect_container(&spec.name, attachment).await?;
    }
    engine.start_container(&spec.name).await?;
    watcher.completed(&spec.name, tell).await.map_err(|unready| match unready {
        Unready::Failed(evidence) => {
            let reason = format!("{}: {}", hook_of(&spec.name), evidence.reason);
            Unready::Failed(Evidence { reason, ..evidence })
        }
        Unready::Abandoned => Unready::Abandoned,
    })?;
    Ok(remove(engine, &spec.name, true).await?)
}

async fn call(shared: &Shared, step: &Step) -> Result<(), StackError> {
    // the semaphore is never closed
    let _permit = shared.calls.acquire().await;
    let engine = &shared.engine;
    let service = step.service.as_deref().unwrap_or_default();
    let whom = |image| owner::For { project: &shared.project, service, image };
    match &step.op {
        Op::CreateNetwork { spec } => {
            create_network(engine, spec).await?;
        }
        Op::RemoveNetwork { name, network } => remove_network(engine, name, network).await?,
        Op::RemoveDuplicates { name } => engine.remove_duplicate_networks(name).await?,
        Op::CreateVolume { spec } => {
            let mut spec = spec.clone();
            spec.labels.insert(labels::CREATED.into(), now());
            engine.create_volume(&spec).await?;
        }
        Op::RemoveVolume { name } => remove_volume(engine, name).await?,
        Op::RemoveImage { image } => match gone(engine.remove_image(image, false).await) {
            // somebody else uses it: it is not only ours
            Err(EngineError::Conflict { .. }) => {}
            done => done?,
        },
        Op::WriteFiles { image, user } => {
            let owner = owner::resolve(engine, whom(image), user).await?;
            match shared.files.volume() {
                Some(volume) => write_far(shared, volume, whom(image), owner).await?,
                None => shared.files.write(service, owner)?,
            }
        }
        Op::RemoveFiles => files::remove_state(&shared.options.state)?,
        Op::RemoveServiceFiles { service } => files::remove_of_service(&shared.options.state, service)?,
        Op::CreateContainer { spec } => {
            let mut spec = spec.clone();
            spec.labels.insert(labels::CREATED.into(), now());
            for warning in create(engine, &spec).await? {
                let _ = shared.news.send((step.id, News::Told(format!("the engine says: {warning}"))));
            }
        }
        Op::ConnectNetwork { container, attachment } => {
            engine.connect_container(container, attachment).await?;
        }
        Op::PrepareVolumes { container, volumes, image, user } => {
            let owner = owner::resolve(engine, whom(image), user).await?;
            for (target, volume) in volumes {
                owner::own_volume(engine, container, (target, volume), whom(image), owner).await?;
            }
        }
        Op::StartContainer { container } => {
            // the hooks of an earlier start do not count for this one
            if !shared.hooked.is_empty() {
                shared.hooked.set(&engine.inspect_container(container).await?.id, false)?;
            }
            match engine.start_container(container).await {
                Err(error @ EngineError::AddressTaken { .. }) => {
                    return Err(conflicts::of_address(engine, container, error).await);
                }
                done => done?,
            }
        }
        Op::UnpauseContainer { container } => engine.unpause_container(container).await?,
        Op::StopContainer { container, grace } => gone(engine.stop_container(container, *grace).await)?,
        Op::RemoveContainer { container, volumes } => remove(engine, container, *volumes).await?,
        Op::RenameContainer { container, name } => engine.rename_container(container, name).await?,
        // these are no single calls: `execute` has them
        Op::RunHook { .. }
        | Op::RunInit { .. }
        | Op::Delay { .. }
        | Op::WaitHealthy { .. }
        | Op::WaitCompleted { .. }
        | Op::WaitRunning { .. } => {}
    }
    Ok(())
}

/// Secrets and configs on the engine's machine: a volume that only root may enter, gone with the stack.
async fn write_far(
    shared: &Shared,
    (volume, place): (&str, &Path),
    whom: owner::For<'_>,
    owner: (u32, u32),
) -> Result<(), StackError> {
    let engine = &shared.engine;
    let labels =
        [(labels::PROJECT.to_owned(), shared.project.clone()), (labels::FILES.to_owned(), "true".to_owned())];
    let spec = VolumeSpec { name: volume.to_owned(), labels: labels.into(), ..VolumeSpec::default() };
    engine.create_volume(&spec).await?;
    let found = engine.inspect_volume(volume).await?.mountpoint;
    if Path::new(&found) != place {
        return Err(StackError::VolumePlace { expected: place.display().to_string(), found });
    }
    let archive = shared.files.archive(whom.service, owner).map_err(io_error("pack secrets for", volume))?;
    owner::fill_volume(engine, volume, whom, archive).await
}

/// Creates a network; one that is ours already was asked for by a killed process.
async fn create_network(engine: &Engine, spec: &NetworkSpec) -> Result<(), StackError> {
    match engine.create_network(spec).await {
        Err(error @ EngineError::SubnetTaken { .. }) => Err(conflicts::of_subnet(engine, spec, error).await),
        Err(error @ EngineError::Conflict { .. }) => {
            let found = engine.inspect_network(&spec.name).await?;
            if found.spec.labels == spec.labels && found.spec.internal == spec.internal {
                Ok(())
            } else {
                Err(error.into())
            }
        }
        done => Ok(done.map(|_| ())?),
    }
}

/// Creates a container. An engine carries a request out although its sender was killed: then the name is taken by a
/// container that nobody has started, maybe not yet visible.
async fn create(engine: &Engine, spec: &ContainerSpec) -> Result<Vec<String>, EngineError> {
    let until = Instant::now() + LATE;
    loop {
        let taken = match engine.create_container_warned(spec).await {
            Err(error @ EngineError::NameTaken { .. }) if Instant::now() < until => error,
            done => return done.map(|(_, warnings)| warnings),
        };
        match engine.inspect_container(&spec.name).await {
            Ok(found) => {
                let ours = found.labels.get(labels::PROJECT) == spec.labels.get(labels::PROJECT);
                if !ours || found.state != RunState::Created {
                    return Err(taken);
                }
                remove(engine, &found.id, true).await?;
            }
            Err(error) if error.is_not_found() => tokio::time::sleep(AGAIN).await,
            Err(error) => return Err(error),
        }
    }
}

/// Removes a container; one that somebody else is removing is waited for.
async fn remove(engine: &Engine, container: &str, volumes: bool) -> Result<(), EngineError> {
    let until = Instant::now() + LATE;
    loop {
        match engine.remove_container(container, true, volumes).await {
            Err(EngineError::Conflict { message })
                if message.contains("already in progress") && Instant::now() < until =>
            {
                tokio::time::sleep(AGAIN).await;
            }
            done => return gone(done),
        }
    }
}

/// Removes a volume; says who has it if somebody does.
async fn remove_volume(engine: &Engine, name: &str) -> Result<(), StackError> {
    match gone(engine.remove_volume(name).await) {
        Err(EngineError::Conflict { message }) if message.contains("in use") => {
            let containers = engine.containers().await?;
            let has = |found: &&plimsoll_engine::ContainerSummary| {
                found.volumes.values().any(|volume| volume == name)
            };
            let users =
                containers.iter().filter(has).map(|found| format!("container {}", found.name)).collect();
            Err(StackError::InUse { kind: "volume", name: name.to_owned(), users })
        }
        done => Ok(done?),
    }
}

/// Removes a network; says who is on it if somebody is.
async fn remove_network(engine: &Engine, name: &str, id: &str) -> Result<(), StackError> {
    match gone(engine.remove_network(id).await) {
        Err(EngineError::NetworkInUse { .. }) => {
            let users = engine.inspect_network(id).await?.containers;
            let users = users.into_iter().map(|user| format!("container {user}")).collect();
            Err(StackError::InUse { kind: "network", name: name.to_owned(), users })
        }
        done => Ok(done?),
    }
}

/// Milliseconds since the epoch.
fn now() -> String {
    jiff::Timestamp::now().as_millisecond().to_string()
}

/// What was to be removed and does not exist is removed.
fn gone(result: Result<(), EngineError>) -> Result<(), EngineError> {
    match result {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}
