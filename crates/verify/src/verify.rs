//! The whole measurement.

use std::{
    collections::BTreeMap,
    io,
    sync::PoisonError,
    time::{Duration, Instant},
};

use plimsoll_compose::Project;
use plimsoll_engine::{Engine, EngineError};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    certificate::{Certificate, Claim, ImageFact, VERSION, summarise},
    claims::{CLAIMS, ClaimSpec, Outcome},
    smoke::SmokeFile,
    stack::Stack,
};

/// The label of an image that only stands in for software that cannot be had here.
const STAND_IN: &str = "org.plimsoll.standin";

/// Marks that the stack has to keep to.
#[derive(Clone, Debug, Default)]
pub struct Budgets {
    /// All containers together, in bytes.
    pub memory: Option<u64>,
    /// From the start of the first container to the last healthy service.
    pub start: Option<Duration>,
    /// Unpacked image size in bytes, by service.
    pub images: BTreeMap<String, u64>,
}

/// How to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether containers may be paused and restarted. Without it those claims are "not checked".
    pub disturb: bool,
    /// The marks.
    pub budgets: Budgets,
    /// The application's own checks.
    pub smoke: Option<SmokeFile>,
    /// How long the smoke load lasts.
    pub load: Duration,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The engine did not do what it was asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// There is nothing to measure.
    #[error("no container of project {project} runs")]
    NotRunning {
        /// The compose project.
        project: String,
    },
    /// Ctrl-C or SIGTERM. Everything that was paused or stopped runs again.
    #[error("interrupted")]
    Interrupted,
    /// Something stayed paused or stopped.
    #[error("the stack could not be put back: {problems}")]
    NotPutBack {
        /// What the engine said.
        problems: String,
    },
    /// The process cannot listen for signals.
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),
}

impl VerifyError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Engine(error) => error.hint(),
            Self::NotRunning { .. } => Some("start it with `plimsoll up`".to_owned()),
            Self::NotPutBack { .. } => {
                Some("look at `docker ps -a`; `plimsoll up` starts what does not run".to_owned())
            }
            Self::Interrupted | Self::Signals(_) => None,
        }
    }
}

/// Measures every claim. `progress` is told the title of each claim when its turn comes.
///
/// Whatever happens in between, containers that were paused or stopped run again when this returns. Needs tokio's
/// runtime with several threads: some readings wait for the kernel.
pub async fn verify(
    engine: &Engine,
    project: &Project,
    options: &Options,
    mut progress: impl FnMut(&str),
) -> Result<Certificate, VerifyError> {
    let begin = Instant::now();
    let now = jiff::Timestamp::now();
    // Whole seconds: nobody repeats a measurement of nanoseconds.
    let measured_at = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
    let stack = Stack::observe(engine, project, options).await?;
    if stack.running().next().is_none() {
        return Err(VerifyError::NotRunning { project: project.name.clone() });
    }
    let images = image_facts(&stack).await?;
    let mut terminate = signal(SignalKind::terminate()).map_err(VerifyError::Signals)?;
    let claims = tokio::select! {
        claims = measure_all(&stack, &mut progress) => Ok(claims),
        _ = tokio::signal::ctrl_c() => Err(VerifyError::Interrupted),
        _ = terminate.recv() => Err(VerifyError::Interrupted),
    };
    let problems = stack.disturbances.undo_all().await;
    if !problems.is_empty() {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        return Err(VerifyError::NotPutBack { problems: problems.join("; ") });
    }
    let claims = claims?;
    let workload = stack.workload.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Certificate {
        version: VERSION,
        project: project.name.clone(),
        measured_at: measured_at.to_string(),
        seconds: begin.elapsed().as_secs_f64(),
        plimsoll: env!("CARGO_PKG_VERSION").to_owned(),
        engine: stack.facts,
        images,
        workload,
        disturbed: options.disturb,
        summary: summarise(&claims),
        claims,
    })
}

async fn measure_all(stack: &Stack<'_>, progress: &mut impl FnMut(&str)) -> Vec<Claim> {
    let mut claims = Vec::new();
    for spec in CLAIMS {
        progress(spec.title);
        let outcomes = if spec.disturbs && !stack.options.disturb {
            vec![Outcome::not_checked("stack", spec.title, "--no-disturb: no container is paused or stopped")]
        } else {
            let measured = (spec.measure)(stack).await;
            measured
                .unwrap_or_else(|error| vec![Outcome::not_checked("stack", spec.title, error.to_string())])
        };
        claims.extend(outcomes.into_iter().map(|outcome| claim(spec, outcome)));
    }
    claims
}

fn claim(spec: &ClaimSpec, outcome: Outcome) -> Claim {
    let (id, title) = match outcome.member {
        Some((suffix, title)) => (format!("{}/{suffix}", spec.id), title),
        None => (spec.id.to_owned(), spec.title.to_owned()),
    };
    Claim {
        id,
        status: outcome.status,
        subject: outcome.subject,
        requirements: spec.requirements.iter().map(ToString::to_string).collect(),
        expected: outcome.expected,
        observed: outcome.observed,
        evidence: outcome.evidence,
        title,
        group: spec.group,
    }
}

async fn image_facts(stack: &Stack<'_>) -> Result<Vec<ImageFact>, EngineError> {
    let mut facts = Vec::new();
    for member in &stack.members {
        let image = stack.engine.inspect_image(&member.detail.image_id).await?;
        let declared = stack.declared(member).and_then(|service| service.image.clone());
        facts.push(ImageFact {
            service: member.service.clone(),
            declared: declared.unwrap_or_else(|| member.text("/Config/Image").to_owned()),
            id: image.id,
            names: image.tags,
            bytes: image.size,
            stand_in: image.labels.get(STAND_IN).is_some_and(|value| value == "true"),
        });
    }
    Ok(facts)
}
