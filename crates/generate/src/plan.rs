//! Survey and policy to a [`Stack`], or every reason why none can be written.

mod checked;
mod service;
mod stores;

use plimsoll_survey::{Gap, Manager, Role, Service, Survey};

use crate::{
    policy::{Limits, Policy},
    stack::{AllLimits, Budgets, Images, LimitTexts, MappedImage, Migrate, Secret, SecretOwner, Stack},
};

/// Why no stack can be written.
#[derive(Debug, thiserror::Error)]
#[error("no production stack can be written for this repository yet: {}", list(.problems))]
pub struct PlanError {
    /// Each reason, with what to do and where.
    pub problems: Vec<Gap>,
}

fn list(problems: &[Gap]) -> String {
    let lines = problems.iter().map(|problem| format!("{}: {}", problem.subject, problem.message));
    lines.collect::<Vec<_>>().join("; ")
}

/// Node.js of the base images; another major version where the project demands a newer one.
const NODE: u32 = 20;

/// Plans the stack of a surveyed repository.
pub fn plan(survey: &Survey, policy: &Policy) -> Result<Stack, PlanError> {
    let mut problems = Vec::new();
    match assemble(survey, policy, &mut problems) {
        Some(stack) if problems.is_empty() => Ok(stack),
        _ => Err(PlanError { problems }),
    }
}

fn assemble(survey: &Survey, policy: &Policy, problems: &mut Vec<Gap>) -> Option<Stack> {
    let project = project_name(survey, problems);
    let pnpm = pnpm(survey, problems);
    let server = only(survey, Role::Server, "one Node.js server", problems);
    let site = only(survey, Role::Site, "one static site", problems);
    let (server_facts, site_facts) = (server?, site?);

    let stores = stores::plan(survey, policy, problems);
    let mut server = service::server(survey, server_facts, policy, problems)?;
    let site = service::site(survey, site_facts, policy, problems)?;
    let migrate = stores.postgres.as_ref().and_then(|_| migrate(server_facts, problems));
    stores.connect(&mut server, migrate.is_some());

    let node = node_major(survey);
    let images = Images {
        node: format!("node:{node}-trixie-slim"),
        node_runtime: format!("gcr.io/distroless/nodejs{node}-debian12:nonroot"),
        nginx: "nginxinc/nginx-unprivileged:1.27-alpine-slim".to_owned(),
    };
    let mut running = vec![&policy.server, &policy.site];
    running.extend(stores.postgres.as_ref().map(|_| &policy.postgres));
    running.extend(stores.redis.as_ref().map(|_| &policy.redis));
    let total: u32 = running.iter().map(|limits| limits.megabytes).sum();

    Some(Stack {
        project: project?,
        compose_file: "compose.production.yml",
        pnpm: pnpm?,
        image_map: image_map(&images, &stores),
        images,
        install_files: install_files(survey, problems),
        config_files: config_files(survey, problems),
        outputs: outputs(survey),
        server,
        site,
        migrate,
        limits: AllLimits {
            server: texts(&policy.server),
            site: texts(&policy.site),
            migrate: texts(&policy.migrate),
            postgres: texts(&policy.postgres),
            redis: texts(&policy.redis),
        },
        memory_limits: format!("{total} MiB"),
        budgets: Budgets {
            memory: policy.memory_budget,
            start: policy.start_budget,
            server_image: policy.server_image_budget,
            site_image: policy.site_image_budget,
        },
        secret_owners: owners(&stores.secrets, policy),
        secrets: stores.secrets,
        postgres: stores.postgres,
        redis: stores.redis,
    })
}

fn problem(subject: &str, message: impl Into<String>, hint: impl Into<String>) -> Gap {
    Gap { subject: subject.to_owned(), message: message.into(), hint: hint.into(), evidence: Vec::new() }
}

fn project_name(survey: &Survey, problems: &mut Vec<Gap>) -> Option<String> {
    let name = survey.name.as_ref().map_or("app", |name| &name.value);
    // `@scope/name` is no project name for Compose.
    let name = name.rsplit('/').next().unwrap_or(name).to_lowercase();
    checked::name("the repository", &name, problems)
}

fn pnpm(survey: &Survey, problems: &mut Vec<Gap>) -> Option<String> {
    let manager = survey.installs.first();
    let pnpm = manager.filter(|manager| manager.manager == Manager::Pnpm);
    let version = pnpm.and_then(|pnpm| pnpm.version.as_ref());
    if pnpm.is_none_or(|pnpm| pnpm.lock_file.is_none()) || version.is_none() {
        let mut gap = problem(
            "the repository",
            "only pnpm workspaces with a lock file and a pinned version can be built so far",
            "add \"packageManager\": \"pnpm@<version>\" to package.json and commit pnpm-lock.yaml",
        );
        gap.evidence = manager.map(|manager| manager.evidence.clone()).unwrap_or_default();
        problems.push(gap);
    }
    checked::version("the repository", &version?.value, problems)
}

fn only<'a>(survey: &'a Survey, kind: Role, what: &str, problems: &mut Vec<Gap>) -> Option<&'a Service> {
    let services: Vec<&Service> = survey.services.iter().filter(|service| service.role == kind).collect();
    let [service] = services[..] else {
        let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
        let found = if names.is_empty() {
            "none was found".to_owned()
        } else {
            format!("found {}", names.join(", "))
        };
        problems.push(problem(
            "the repository",
            format!("a stack has exactly {what} so far; {found}"),
            "`plimsoll survey` shows what was found and why",
        ));
        return None;
    };
    Some(service)
}

fn migrate(service: &Service, problems: &mut Vec<Gap>) -> Option<Migrate> {
    let migration = service.migration.as_ref()?;
    let Some([_, entry]) = migration.command.as_ref().map(|command| &command.value[..]) else {
        problems.push(Gap {
            subject: service.name.clone(),
            message: "its migrations cannot be run in production: there is no file that applies them".to_owned(),
            hint: "add a program with the run-time migrator, and a script `db:migrate:ci`: \"node dist/migrate.js\""
                .to_owned(),
            evidence: migration.tool.evidence.clone(),
        });
        return None;
    };
    Some(Migrate { entry: checked::path(&service.name, entry, problems)? })
}

/// The lowest major version that the project accepts, but not an older one than ours.
fn node_major(survey: &Survey) -> u32 {
    let range =
        survey.installs.first().and_then(|install| install.runtime.as_ref()).map_or("", |node| &node.value);
    let digits: String =
        range.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).take(3).collect();
    digits.parse().unwrap_or(NODE).max(NODE)
}

/// Images that `plimsoll base` can make.
fn image_map(images: &Images, stores: &stores::Stores) -> Vec<MappedImage> {
    let known: [(&str, &'static str); 5] = [
        ("node:20-trixie-slim", "node"),
        ("gcr.io/distroless/nodejs20-debian12:nonroot", "distroless-node"),
        ("nginxinc/nginx-unprivileged:1.27-alpine-slim", "nginx"),
        ("postgres:17-trixie", "postgres"),
        ("redis:8.0-bookworm", "redis"),
    ];
    let mut used = vec![&images.node, &images.node_runtime, &images.nginx];
    used.extend(stores.postgres.as_ref().map(|postgres| &postgres.image));
    used.extend(stores.redis.as_ref().map(|redis| &redis.image));
    known
        .into_iter()
        .filter(|(name, _)| used.iter().any(|used| used == name))
        .map(|(name, recipe)| MappedImage { name: name.to_owned(), recipe })
        .collect()
}

fn install_files(survey: &Survey, problems: &mut Vec<Gap>) -> Vec<String> {
    let mut files: Vec<String> =
        ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"].map(str::to_owned).to_vec();
    let shared = survey.installs.iter().flat_map(|install| &install.inputs);
    files.extend(shared.filter_map(|file| checked::path("the repository", &file.value, problems)));
    files
}

fn config_files(survey: &Survey, problems: &mut Vec<Gap>) -> Vec<String> {
    let shared = survey.installs.iter().flat_map(|install| &install.shared_files);
    shared.filter_map(|file| checked::path("the repository", &file.value, problems)).collect()
}

fn outputs(survey: &Survey) -> Vec<String> {
    let services = survey.services.iter().filter_map(|service| service.output.as_ref());
    let workspaces = survey.workspaces.iter().filter_map(|workspace| workspace.output.as_ref());
    let mut outputs: Vec<String> = services.chain(workspaces).map(|output| output.value.clone()).collect();
    outputs.sort();
    outputs.dedup();
    outputs
}

fn texts(limits: &Limits) -> LimitTexts {
    LimitTexts {
        cpus: limits.cpus,
        memory: format!("{}M", limits.megabytes),
        pids: limits.pids,
        reserved_memory: format!("{}M", limits.reserved_megabytes),
    }
}

fn owners(secrets: &[Secret], policy: &Policy) -> Vec<SecretOwner> {
    let files = |of_store: bool| -> Vec<String> {
        let owned = secrets.iter().filter(|secret| stores::read_by_store(secret) == of_store);
        owned.map(|secret| secret.path.clone()).collect()
    };
    [(policy.store_uid, files(true)), (policy.app_uid, files(false))]
        .into_iter()
        .filter(|(_, files)| !files.is_empty())
        .map(|(uid, files)| SecretOwner { uid, files })
        .collect()
}
