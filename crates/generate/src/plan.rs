//! Survey and policy to a [`Stack`]: pure passes, one module each. A service that cannot run in a container is left
//! out with its reason, and the others go on; a repository without any other is refused.

mod budget;
mod checked;
mod environment;
mod front;
mod images;
mod install;
mod names;
mod node;
mod own_image;
mod process;
mod python;
mod secrets;
mod server;
mod site;
mod smoke;
mod stores;
mod threads;
mod tls;

use std::collections::BTreeSet;

use plimsoll_source::RuleInfo;
use plimsoll_survey::{Bind, DOCUMENTS, Ecosystem, Fact, Gap, Question, Role, Service, Survey};

use self::{names::Names, secrets::Secrets};
use crate::{
    files::SMOKE_FILE,
    policy::Policy,
    rules,
    size::GIGABYTE,
    stack::{Budgets, Build, BuildKind, Dependency, ImageBudget, Launchers, Stack, Unit},
};

/// Why no stack can be written.
#[derive(Debug, thiserror::Error)]
#[error("no production stack can be written for this repository yet: {}", list(.problems))]
pub struct PlanError {
    /// Each reason, with what to do and where.
    pub problems: Vec<Gap>,
}

impl plimsoll_source::Explain for PlanError {}

fn list(problems: &[Gap]) -> String {
    let lines = problems.iter().map(|problem| format!("{}: {}", problem.subject, problem.message));
    lines.collect::<Vec<_>>().join("; ")
}

/// The name of the compose file.
const COMPOSE_FILE: &str = "compose.production.yml";

/// A stack, and what it leaves out.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The stack.
    pub stack: Stack,
    /// Services of the repository that the stack does not have, each with the reason.
    pub left_out: Vec<Gap>,
    /// What a person should know about the stack.
    pub notes: Vec<Gap>,
}

/// What the passes share.
struct Passes<'a> {
    survey: &'a Survey,
    policy: &'a Policy,
    /// Whether a file of a person is at a path.
    taken: &'a dyn Fn(&str) -> bool,
    project: String,
    names: Names,
    secrets: Secrets,
    problems: Vec<Gap>,
    notes: Vec<Gap>,
}

/// Plans the stack of a surveyed repository. `taken` says whether a file that Plimsoll did not write is at a path: it
/// is left as it is, and ours gets another name.
pub fn plan(survey: &Survey, policy: &Policy, taken: &dyn Fn(&str) -> bool) -> Result<Planned, PlanError> {
    let mut passes = Passes {
        survey,
        policy,
        taken,
        project: names::project(survey, policy),
        names: Names::new(survey),
        secrets: Secrets::default(),
        problems: Vec::new(),
        notes: Vec::new(),
    };
    match passes.run() {
        Some(stack) => Ok(Planned { stack, left_out: passes.problems, notes: passes.notes }),
        None => {
            if passes.problems.is_empty() {
                passes.problems = nothing(survey);
            }
            Err(PlanError { problems: passes.problems })
        }
    }
}

/// Why there is nothing to deploy: the survey's gaps say what was seen.
fn nothing(survey: &Survey) -> Vec<Gap> {
    let message = "nothing was found that can be deployed";
    let said = survey.gaps.iter().any(|gap| gap.message == message);
    let general = problem(
        rules::NOTHING_TO_DEPLOY,
        "the repository",
        message,
        "`plimsoll survey` shows what was found and why",
    );
    std::iter::once(general).filter(|_| !said).chain(survey.gaps.iter().cloned()).collect()
}

impl<'a> Passes<'a> {
    fn run(&mut self) -> Option<Stack> {
        let survey = self.survey;
        let services: Vec<&'a Service> =
            survey.services.iter().filter(|service| self.can_run(service)).collect();
        let stores = stores::plan(self, &services);
        let mut builds = Vec::new();
        let mut units = Vec::new();
        let mut late = Vec::new();
        let mut running = Vec::new();
        for service in services {
            let Some(made) = self.service(service, &stores) else { continue };
            running.push(service);
            builds.extend(made.build);
            units.extend(made.units);
            late.extend(made.one_shots);
        }
        let fronts = front::plan(self, &running, &mut builds, &mut units);
        if units.is_empty() {
            return None;
        }
        let smoke = if (self.taken)(SMOKE_FILE) {
            Vec::new()
        } else {
            smoke::plan(&running, &builds, &units, &fronts)
        };
        wait_for_migrations(&mut units, &late);
        // Processes and migrations behind the servers, stores at the end.
        units.extend(late);
        units.extend(stores.units);
        let app_network = units.iter().any(|unit| unit.networks.contains(&"app"));
        let data_network = units.iter().any(|unit| unit.networks.contains(&"data"));
        let egress_network = units.iter().any(|unit| unit.networks.contains(&"egress"));
        let secrets = std::mem::take(&mut self.secrets).into_list();
        let launchers = Launchers {
            node: builds.iter().any(|build| matches!(&build.kind, BuildKind::Node(node) if node.launcher)),
            heartbeat: builds
                .iter()
                .any(|build| matches!(&build.kind, BuildKind::Node(node) if node.heartbeat)),
            python: builds.iter().any(|build| matches!(&build.kind, BuildKind::Python(it) if it.launcher)),
            static_files: builds
                .iter()
                .any(|build| matches!(&build.kind, BuildKind::Python(it) if it.static_settings.is_some())),
            lean: builds
                .iter()
                .any(|build| matches!(&build.kind, BuildKind::Node(node) if node.install.lean_script)),
        };
        let python = builds.iter().any(|build| matches!(build.kind, BuildKind::Python(_)));
        let total: u32 =
            units.iter().filter(|unit| unit.kind != "migrate").map(|unit| unit.limits.megabytes).sum();
        let image_map = images::map(self.policy.stand_ins, &builds, &units);
        for image in &image_map {
            if let Some(other) = image.other {
                self.note(rules::OTHER_VERSION,
                    &image.name,
                    format!("where its registry is out of reach, {other} from Debian's packages takes its place: another version"),
                    "take it out of [images] in plimsoll.toml where that must not be",
                    &[],
                );
            }
        }
        Some(Stack {
            project: self.project.clone(),
            compose_file: COMPOSE_FILE,
            image_map,
            outputs: outputs(self.survey),
            documents: &DOCUMENTS,
            kept: kept(&self.survey.documents, &builds),
            root_is_shared: own_image::has_root_context(self.survey),
            memory_limits: format!("{total} MiB"),
            budgets: Budgets {
                memory: memory_budget(self.policy, total),
                start: self.policy.start_budget,
                images: builds.iter().map(|build| self.image_budget(build)).collect(),
            },
            secret_owners: secrets::owners(&secrets, self.policy),
            secrets,
            volumes: stores::volumes(&units),
            app_network,
            data_network,
            egress_network,
            fronts,
            builds,
            units,
            answers: self.policy.answers.clone().into_iter().collect(),
            launchers,
            python,
            smoke,
        })
    }

    fn service(&mut self, service: &'a Service, stores: &stores::Stores) -> Option<Made> {
        match (service.role, service.ecosystem) {
            (Role::Site, _) => site::plan(self, service),
            (_, Ecosystem::Plain) => None,
            (_, Ecosystem::Image) => own_image::plan(self, service, stores),
            _ => server::plan(self, service, stores),
        }
    }

    /// Whether a service can run in a container; if not, the reason is noted.
    fn can_run(&mut self, service: &Service) -> bool {
        if let Bind::Loopback { address } = &service.bind {
            self.problems.push(Gap {
                rule: rules::LOOPBACK_ONLY,
                subject: service.name.clone(),
                message: format!(
                    "it listens on {} alone: nobody outside of its own container would reach it",
                    address.value
                ),
                hint: "listen on 0.0.0.0, or on the address in HOST".to_owned(),
                evidence: address.evidence.clone(),
            });
            return false;
        }
        let prefix = format!("{}.", service.name);
        let open = |question: &&Question| question.default.is_none() && question.id.starts_with(&prefix);
        if let Some(question) = self.survey.questions.iter().find(open) {
            self.problems.push(Gap {
                rule: rules::UNANSWERED_QUESTION,
                subject: service.name.clone(),
                message: question.text.clone(),
                hint: format!("`--answer {}={}`", question.id, answers(question, service)),
                evidence: question.evidence.clone(),
            });
            return false;
        }
        if service.role != Role::Site && service.command.is_none() && service.own_image.is_none() {
            let start = service.start.as_ref();
            let message = match start {
                Some(start) => format!("`{}` is no command for production", start.value),
                None => "no start command was found".to_owned(),
            };
            let tool = service.frameworks.first().map(|tool| tool.evidence.clone()).unwrap_or_default();
            self.problems.push(Gap {
                rule: rules::NO_START_COMMAND,
                subject: service.name.clone(),
                message,
                hint: format!("answer `--answer {}.command=\"node dist/index.js\"`", service.name),
                evidence: start.map_or(tool, |start| start.evidence.clone()),
            });
            return false;
        }
        true
    }

    fn image_budget(&self, build: &Build) -> ImageBudget {
        let service = self.survey.services.iter().find(|service| names::slug(&service.name) == build.name);
        let size = match build.kind {
            // The packages for development alone are larger than most programs.
            BuildKind::Node(ref node) if node.install.development.is_some() => self.policy.slim_image_budget,
            BuildKind::Node(ref node) if node.distroless && !node.bundle.is_empty() => {
                self.policy.bundle_image_budget
            }
            BuildKind::Node(ref node) if node.distroless && service.is_some_and(front::makes_pages) => {
                self.policy.pages_image_budget
            }
            BuildKind::Node(ref node) if node.distroless => self.policy.server_image_budget,
            BuildKind::Node(_) => self.policy.slim_image_budget,
            BuildKind::Python(_) => self.policy.python_image_budget,
            BuildKind::Plain(_) => self.policy.plain_image_budget,
            BuildKind::Site(_) | BuildKind::Proxy(_) => self.policy.site_image_budget,
        };
        // A runtime with a shell has room enough.
        let counted = matches!(&build.kind, BuildKind::Node(node) if node.distroless && node.install.development.is_none());
        let size = match service.filter(|_| counted) {
            Some(service) => budget::with_packages(size, service),
            None => size,
        };
        ImageBudget { name: build.name.clone(), size }
    }

    /// Where a Dockerfile is written: `Dockerfile` in the service's folder, unless a person has one there.
    fn dockerfile(&self, folder: &str) -> (String, bool) {
        let path = below(folder, "Dockerfile");
        let path = if (self.taken)(&path) { below(folder, "Dockerfile.production") } else { path };
        (path, (self.taken)(".dockerignore") || own_image::has_root_context(self.survey))
    }

    fn note(
        &mut self,
        rule: RuleInfo,
        subject: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
        fact: &[plimsoll_survey::Evidence],
    ) {
        let mut gap = problem(rule, subject, message, hint);
        gap.evidence = fact.to_vec();
        self.notes.push(gap);
    }
}

/// What can be answered, or what an answer looks like.
fn answers(question: &Question, service: &Service) -> String {
    match question.id.rsplit('.').next() {
        _ if !question.options.is_empty() => question.options.join("|"),
        Some("command") if service.own_image.is_some() => "\"/app/server --flag\"".to_owned(),
        Some("command") => "\"node dist/main.js\"".to_owned(),
        Some("port") => "3000".to_owned(),
        Some("sqlite") => "data/app.db".to_owned(),
        _ => "VALUE".to_owned(),
    }
}

/// Whoever uses a store whose schema is migrated waits until that is done.
fn wait_for_migrations(units: &mut [Unit], one_shots: &[Unit]) {
    for unit in units.iter_mut().filter(|unit| unit.store.is_none() && unit.kind != "front") {
        for one_shot in one_shots {
            let shares = |dependency: &Dependency| {
                one_shot.depends_on.iter().any(|other| other.name == dependency.name)
            };
            let own = one_shot.of == unit.of;
            if own || unit.depends_on.iter().any(shares) {
                let name = one_shot.name.clone();
                unit.depends_on.push(Dependency { name, condition: "service_completed_successfully" });
            }
        }
    }
}

/// What one service of the survey becomes.
struct Made {
    /// Nothing where a Dockerfile of the team builds it.
    build: Option<Build>,
    /// It and its processes.
    units: Vec<Unit>,
    /// What runs once for each release.
    one_shots: Vec<Unit>,
}

fn problem(rule: RuleInfo, subject: &str, message: impl Into<String>, hint: impl Into<String>) -> Gap {
    Gap {
        rule,
        subject: subject.to_owned(),
        message: message.into(),
        hint: hint.into(),
        evidence: Vec::new(),
    }
}

/// A path below a folder; the empty folder is the root.
fn below(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

/// A path below another; the whole path where it does not lie below.
fn relative<'a>(path: &'a str, folder: &str) -> &'a str {
    if folder.is_empty() {
        return path;
    }
    path.strip_prefix(folder).map_or(path, |rest| rest.trim_start_matches('/'))
}

fn outputs(survey: &Survey) -> Vec<String> {
    // Pages that nothing builds are sources.
    let built = survey.services.iter().filter(|service| service.ecosystem != Ecosystem::Plain);
    let services = built.filter_map(|service| service.output.as_ref());
    let workspaces = survey.workspaces.iter().filter_map(|workspace| workspace.output.as_ref());
    let output = |output: &Fact<String>| checked::is_path(&output.value).then(|| output.value.clone());
    let mut outputs: Vec<String> =
        services.chain(workspaces).filter_map(output).filter(|output| output != ".").collect();
    outputs.sort();
    outputs.dedup();
    outputs
}

/// Documents that a Dockerfile copies by name, or that a program names.
fn kept(named: &[Fact<String>], builds: &[Build]) -> Vec<String> {
    let files = builds.iter().filter_map(|build| match &build.kind {
        BuildKind::Python(python) => Some(&python.files),
        _ => None,
    });
    let is_document = |file: &&String| DOCUMENTS.contains(&file.rsplit('/').next().unwrap_or(file));
    let named = named.iter().map(|document| &document.value).filter(|path| checked::is_path(path));
    let kept: BTreeSet<String> =
        files.flatten().map(|file| &file.file).chain(named).filter(is_document).cloned().collect();
    kept.into_iter().collect()
}

/// The policy's bound, or what all limits of `total` mebibytes add up to where that is more.
fn memory_budget(policy: &Policy, total: u32) -> u64 {
    if total <= 2048 { policy.memory_budget } else { u64::from(total.div_ceil(1024)) * GIGABYTE }
}
