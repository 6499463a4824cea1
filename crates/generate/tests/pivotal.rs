//! What is written for examples/pivotal, and that everything that reads such files accepts it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use plimsoll_compose::{LoadOptions, NoFiles};
use plimsoll_dockerfile::{Matcher, checks};
use plimsoll_generate::{GeneratedFile, Lock, Outcome, Policy, Resolution, Stack, compare, generate, plan};
use plimsoll_source::Source;
use plimsoll_survey::{ReadLimits, Repository, survey};

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pivotal")
}

/// The images of this stack that `plimsoll base` can make.
fn policy() -> Policy {
    let stand_ins = &[
        ("node:24-trixie-slim", "node-24"),
        ("gcr.io/distroless/nodejs24-debian13:nonroot", "distroless-node-24"),
        ("nginxinc/nginx-unprivileged:1.27-alpine-slim", "nginx"),
        ("postgres:17-trixie", "postgres"),
        ("redis:8.0-bookworm", "redis"),
    ];
    Policy { stand_ins, ..Policy::default() }
}

fn stack() -> Stack {
    let repository = Repository::open(&example(), ReadLimits::default()).unwrap();
    plan(&survey(&repository), &policy(), &|_| false).unwrap().stack
}

fn generated() -> Vec<GeneratedFile> {
    generate(&stack()).unwrap()
}

fn text(path: &str) -> String {
    generated().into_iter().find(|file| file.path == path).unwrap().text
}

#[test]
fn every_file_is_as_reviewed() {
    for file in generated() {
        let name = file.path.trim_start_matches('.').replace('/', "-");
        insta::assert_snapshot!(name, file.text);
    }
}

#[test]
fn the_second_time_nothing_changes() {
    let generated = generated();
    let mut disk = BTreeMap::from([(".gitignore".to_owned(), "node_modules/\n".to_owned())]);
    let first =
        compare(&generated, &|path| disk.get(path).cloned(), &Lock::default(), &Resolution::default());
    assert!(first.pending());
    disk.extend(first.changes.iter().filter_map(|change| Some((change.path.clone(), change.write.clone()?))));

    let lock = Lock::parse(&first.lock.to_text()).unwrap();
    let second = compare(&generated, &|path| disk.get(path).cloned(), &lock, &Resolution::default());
    assert!(second.changes.iter().all(|change| change.outcome == Outcome::Unchanged), "{:?}", second.changes);
    assert_eq!(second.lock, lock);
}

/// The lines that a .dockerignore hides from a COPY, misspelt stages, secrets in ENV, and all else that BuildKit finds.
#[test]
fn build_checks_find_nothing_in_the_dockerfiles() {
    let ignore = Matcher::parse(&text(".dockerignore")).unwrap();
    for path in ["apps/backend/Dockerfile", "apps/frontend/Dockerfile"] {
        let source = Source::new(path, text(path));
        assert!(plimsoll_dockerfile::parse(&source).is_ok(), "{path}");
        let options = checks::CheckOptions { dockerignore: Some(&ignore), ..checks::CheckOptions::default() };
        let report = checks::check(&source, &options);
        assert!(report.findings.is_empty() && report.error.is_none(), "{path}: {report:#?}");
    }
}

#[test]
fn secrets_and_installed_packages_never_reach_the_build() {
    let ignore = Matcher::parse(&text(".dockerignore")).unwrap();
    for path in [
        "secrets/database_url",
        ".env",
        "apps/backend/.env.production",
        "node_modules/x/y.js",
        "a/b/server.key",
        "apps/backend/node_modules/x.js",
        "apps/frontend/dist/index.html",
        ".git/config",
        ".plimsoll/lock.json",
    ] {
        assert!(ignore.matches(path), "{path}");
    }
    for path in [
        "package.json",
        "apps/backend/src/index.ts",
        "apps/backend/drizzle/0000_stories.sql",
        "apps/frontend/nginx/nginx.conf",
        "apps/frontend/nginx/config.js.template",
        "biome.json",
        ".env.example",
    ] {
        assert!(!ignore.matches(path), "{path}");
    }
}

#[test]
fn our_own_loader_accepts_the_compose_file() {
    let file = "/project/compose.production.yml";
    let options = LoadOptions::new(vec![Source::new(file, text("compose.production.yml"))], "/project");
    let project = plimsoll_compose::load(&options, &NoFiles).unwrap();
    let names: Vec<&str> = project.services.keys().map(String::as_str).collect();
    assert_eq!(names.len(), 5, "{names:?}");
}

/// The reference: `docker-compose` of Debian trixie (2.26.1).
#[test]
fn docker_compose_accepts_the_compose_file() {
    let Some(compose) = tool("PLIMSOLL_TEST_DOCKER_COMPOSE", "docker-compose") else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("compose.production.yml"), text("compose.production.yml")).unwrap();
    let output = Command::new(compose)
        .args(["-f", "compose.production.yml", "config", "--format", "json"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    let config: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for (name, service) in config["services"].as_object().unwrap() {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(service["memswap_limit"], service["deploy"]["resources"]["limits"]["memory"], "{name}");
        assert!(service["deploy"]["resources"]["limits"]["pids"].as_u64().unwrap() > 0, "{name}");
        assert_eq!(service["ports"].is_array(), name == "frontend", "{name}");
        // No password in what `docker inspect` shows.
        let environment = service["environment"].as_object().unwrap_or(&serde_json::Map::new()).clone();
        assert!(environment.keys().all(|key| !key.ends_with("_URL") || key == "API_BASE_URL"), "{name}");
    }
    for network in ["app", "data"] {
        assert_eq!(config["networks"][network]["internal"], true);
    }
}

/// A program that not every machine has: from a variable, else from the path.
fn tool(variable: &str, name: &str) -> Option<PathBuf> {
    let found = env::var_os(variable).map(PathBuf::from).or_else(|| {
        let path = env::var_os("PATH")?;
        env::split_paths(&path)
            .chain(["/usr/sbin".into()])
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    });
    if found.is_none() {
        eprintln!("skipped: no {name} on this machine; {variable} can name one");
    }
    found
}

/// `up` notes attributes that an engine cannot honour: none of them is in what we write.
#[test]
fn notes_about_its_own_files() {
    let file = "/project/compose.production.yml";
    let options = LoadOptions::new(vec![Source::new(file, text("compose.production.yml"))], "/project");
    let project = plimsoll_compose::load(&options, &NoFiles).unwrap();
    for (name, service) in &project.services {
        let deploy = service.deploy.as_ref().unwrap();
        let reserved = deploy.resources.reservations.as_ref().unwrap();
        assert!(reserved.memory.is_some(), "{name}");
        assert!(
            reserved.cpus == 0.0 && reserved.generic_resources.is_empty(),
            "{name}: only a Swarm reads it"
        );
    }
}
