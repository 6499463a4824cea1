//! The whole measurement.

use std::{
    collections::BTreeMap,
    io,
    panic::AssertUnwindSafe,
    sync::PoisonError,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use plimsoll_compose::Project;
use plimsoll_engine::{Engine, EngineError};
use plimsoll_source::Explain;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    certificate::{Certificate, Claim, Group, ImageFact, REQUIREMENTS, Status, VERSION, summarise},
    claims::{CLAIMS, ClaimSpec, Outcome},
    disturbance::Guard,
    promises::{self, PromiseFile},
    report,
    secrets::Secrets,
    smoke::SmokeFile,
    stack::Stack,
    wanted::Wanted,
};

/// The label of an image that only stands in for software that cannot be had here.
const STAND_IN: &str = "org.plimsoll.standin";
/// The label with the version of what an image holds (OCI image-spec, annotations).
const RELEASE: &str = "org.opencontainers.image.version";

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

impl Budgets {
    /// True if there is one that this claim holds the stack to.
    fn hold(&self, claim: &str) -> bool {
        match claim {
            "memory-idle" | "memory-load" => self.memory.is_some(),
            "start-time" => self.start.is_some(),
            "image-size" => !self.images.is_empty(),
            _ => false,
        }
    }
}

/// What `plimsoll.toml` says of the TLS of the fronts.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// The host name that visitors use.
    pub name: Option<String>,
    /// Certificates that visitors' machines trust instead of the public roots: the file's name and its text, PEM.
    pub roots: Option<(String, Vec<u8>)>,
}

/// How to measure.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether containers may be paused and restarted. Without it those claims are "not checked".
    pub disturb: bool,
    /// The marks.
    pub budgets: Budgets,
    /// The application's own checks.
    pub smoke: Option<SmokeFile>,
    /// What a document promises.
    pub promises: Option<PromiseFile>,
    /// The service, or `service:port in the container`, whose published port smoke checks and load are sent to. Without
    /// it the first whose `/` is a page.
    pub smoke_front: Option<String>,
    /// What is known of the TLS of the fronts.
    pub tls: TlsOptions,
    /// The commit that the project's folder is at.
    pub commit: Option<String>,
    /// How long the smoke load lasts.
    pub load: Duration,
    /// What the file wants, or why that cannot be said. `None`: it is not compared with what runs.
    pub wanted: Option<Result<Wanted, String>>,
    /// What takes back pauses and stops if this process dies; `None` takes them back in this process alone.
    pub guard: Option<Guard>,
    /// By container id: when the `up` that started it began, and when it was ready, RFC 3339. What `up` remembers,
    /// because engines forget.
    pub starts: BTreeMap<String, (String, String)>,
    /// When jobs have succeeded, by service, RFC 3339; what `up` remembers.
    pub completed: BTreeMap<String, Vec<String>>,
    /// Measure the claims with these ids and no others; empty is all. For tests: a certificate has all.
    pub only: Vec<String>,
}

/// The claims that are measured, in their order: id and title.
pub fn claims() -> impl Iterator<Item = (&'static str, &'static str)> {
    CLAIMS.iter().map(|spec| (spec.id, spec.title))
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
    /// Ctrl-C, SIGTERM, SIGHUP or SIGQUIT. Everything that was paused or stopped runs again.
    #[error("interrupted")]
    Interrupted,
    /// Something stayed paused or stopped.
    #[error("the stack could not be put back: {problems}")]
    NotPutBack {
        /// What the engine said.
        problems: String,
    },
    /// A secret's value is still in the certificate after everything was searched.
    #[error("the certificate would hold the value of {names}; it is not written")]
    SecretInCertificate {
        /// The secrets.
        names: String,
    },
    /// The process cannot listen for signals.
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),
}

impl Explain for VerifyError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Engine(error) => error.hint(),
            Self::NotRunning { .. } => Some("start it with `plimsoll up`".to_owned()),
            Self::NotPutBack { .. } => {
                Some("look at `docker ps -a`; `plimsoll up` starts what does not run".to_owned())
            }
            Self::SecretInCertificate { .. } => Some(
                "look for the value in names of services, images and files; this is also a fault of Plimsoll: please report it"
                    .to_owned(),
            ),
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
    let mut interruption = Interruption::listen().map_err(VerifyError::Signals)?;
    let measuring = AssertUnwindSafe(measure_all(&stack, &images, &mut progress)).catch_unwind();
    let claims = tokio::select! {
        claims = measuring => Ok(claims),
        () = interruption.heard() => Err(VerifyError::Interrupted),
    };
    let problems = stack.disturbances.undo_all().await;
    if !problems.is_empty() {
        return Err(VerifyError::NotPutBack { problems: problems.join("; ") });
    }
    // A panic goes on, but only now.
    let claims = claims.map(|claims| claims.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
    let claims = claims?;
    let secrets = stack.secrets.as_ref().ok().cloned();
    let workload = stack.workload.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut certificate = Certificate {
        version: VERSION,
        project: project.name.clone(),
        measured_at: measured_at.to_string(),
        seconds: begin.elapsed().as_secs_f64(),
        verdict: String::new(),
        release: release(&stack).await?,
        commit: options.commit.clone(),
        document: options.promises.as_ref().map(|file| file.document.clone()),
        plimsoll: env!("CARGO_PKG_VERSION").to_owned(),
        engine: stack.facts,
        images,
        workload,
        disturbed: options.disturb,
        summary: summarise(&claims),
        requirements_page: REQUIREMENTS.to_owned(),
        claims,
    };
    certificate.verdict = certificate.sentence();
    certificate.each_text(&mut |text| *text = clean(secrets.as_deref(), text));
    refuse_secrets(secrets.as_deref(), &mut certificate)?;
    Ok(certificate)
}

/// The version that the images of built services carry in their labels, if they agree.
async fn release(stack: &Stack<'_>) -> Result<Option<String>, EngineError> {
    let mut versions = std::collections::BTreeSet::new();
    for member in &stack.members {
        if stack.declared(member).is_some_and(|service| service.build.is_some()) {
            let image = stack.engine.inspect_image(&member.detail.image_id).await?;
            versions.extend(image.labels.get(RELEASE).filter(|version| !version.is_empty()).cloned());
        }
    }
    Ok((versions.len() == 1).then(|| versions.pop_first()).flatten())
}

/// A text without the values of secrets.
fn clean(secrets: Option<&Secrets>, text: &str) -> String {
    secrets.map_or_else(|| Secrets::default().redact(text), |secrets| secrets.redact(text))
}

/// The finished certificate is searched once more, as it will be written.
fn refuse_secrets(secrets: Option<&Secrets>, certificate: &mut Certificate) -> Result<(), VerifyError> {
    let Some(secrets) = secrets else { return Ok(()) };
    let mut left = std::collections::BTreeSet::new();
    certificate.each_text(&mut |text| left.extend(secrets.names_in(text.as_bytes())));
    left.extend(certificate.to_json().iter().flat_map(|json| secrets.names_in(json.as_bytes())));
    left.extend(report::html(certificate).iter().flat_map(|page| secrets.names_in(page.as_bytes())));
    if left.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = left.into_iter().collect();
    Err(VerifyError::SecretInCertificate { names: names.join(", ") })
}

/// Everything that asks a process to end: Ctrl-C, SIGTERM, a closed terminal (SIGHUP), SIGQUIT.
struct Interruption(Vec<Signal>);

impl Interruption {
    fn listen() -> io::Result<Self> {
        let kinds =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
        Ok(Self(kinds.into_iter().map(signal).collect::<io::Result<_>>()?))
    }

    async fn heard(&mut self) {
        let each = self.0.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures_util::future::select_all(each).await;
    }
}

async fn measure_all(stack: &Stack<'_>, images: &[ImageFact], progress: &mut impl FnMut(&str)) -> Vec<Claim> {
    let mut claims = Vec::new();
    let only = &stack.options.only;
    for spec in CLAIMS.iter().filter(|spec| only.is_empty() || only.iter().any(|id| id == spec.id)) {
        progress(spec.title);
        let outcomes = if spec.disturbs && !stack.options.disturb {
            vec![Outcome::not_checked("stack", spec.title, "--no-disturb: no container is paused or stopped")]
        } else {
            look(stack, spec).await
        };
        claims.extend(outcomes.into_iter().map(|outcome| claim(spec, outcome)));
    }
    if let Some(file) = &stack.options.promises {
        progress(Group::Promises.heading());
        let judged = promises::judge(stack, file, images, &claims).await;
        claims.extend(judged);
    }
    claims
}

/// Measures a claim, and where it fails by a reading of one moment once more: a process between fork and exec has the
/// runtime's rights still, and is gone or has dropped them a moment later. What stays so has failed.
async fn look(stack: &Stack<'_>, spec: &ClaimSpec) -> Vec<Outcome> {
    let mut outcomes = measured(stack, spec).await;
    for pause in again(spec.id) {
        if outcomes.iter().all(|outcome| outcome.status != Status::Failed) {
            break;
        }
        tokio::time::sleep(*pause).await;
        let second = measured(stack, spec).await;
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.status == Status::Failed) {
            let same = |other: &&Outcome| other.subject == outcome.subject && other.member == outcome.member;
            let Some(better) = second.iter().find(same).filter(|other| other.status == Status::Proved) else {
                continue;
            };
            let first = format!("{} (a moment before)", outcome.observed);
            *outcome = better.clone().evidence(format!("{}: an earlier look", spec.id), first);
        }
    }
    outcomes
}

async fn measured(stack: &Stack<'_>, spec: &ClaimSpec) -> Vec<Outcome> {
    let measured = (spec.measure)(stack).await;
    measured.unwrap_or_else(|error| vec![unmeasured(spec, &stack.options.budgets, &error.to_string())])
}

/// A claim that could not be measured. Whoever set a budget must not take it for kept.
fn unmeasured(spec: &ClaimSpec, budgets: &Budgets, why: &str) -> Outcome {
    if budgets.hold(spec.id) {
        Outcome::new("stack", spec.title).judge(false, format!("not known: {why}"))
    } else {
        Outcome::not_checked("stack", spec.title, why)
    }
}

/// The pauses before further looks at a claim that failed. Pauses of different lengths, so that nothing that runs again
/// and again in an even rhythm is missed by all. Claims about answers and behaviour have no further look: what is wrong
/// now and then is wrong.
fn again(claim: &str) -> &'static [Duration] {
    const PROCESSES: [Duration; 4] = [
        Duration::from_millis(50),
        Duration::from_millis(90),
        Duration::from_millis(130),
        Duration::from_millis(170),
    ];
    const ONCE: [Duration; 1] = [Duration::from_millis(500)];
    match claim {
        "process-user" | "capabilities" | "no-new-privileges" | "seccomp" | "apparmor" => &PROCESSES,
        "host-isolation" | "memory-idle" | "store-isolation" | "no-egress" => &ONCE,
        _ => &[],
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_that_cannot_be_measured_is_not_kept() {
        let status = |id: &str, budgets: &Budgets| {
            let spec = CLAIMS.iter().find(|spec| spec.id == id).unwrap();
            unmeasured(spec, budgets, "no reading").status
        };
        let (memory, start) = (Some(1), Some(Duration::from_secs(1)));
        let all = Budgets { memory, start, images: BTreeMap::from([("web".to_owned(), 1)]) };
        for id in ["memory-idle", "memory-load", "start-time", "image-size"] {
            assert_eq!(status(id, &all), Status::Failed, "{id}");
            assert_eq!(status(id, &Budgets::default()), Status::NotChecked, "{id}");
        }
        assert_eq!(status("no-oom", &all), Status::NotChecked);
    }
}
