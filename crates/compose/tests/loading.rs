//! The typed project of a production file, origins through merge and extends, and the words of messages.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use plimsoll_compose::{Condition, LoadOptions, MountKind, NoFiles, Project, ReadFiles, load};
use plimsoll_source::{Diagnostic, Source};

const PRODUCTION: &str = r#"
name: pivotal
services:
  frontend:
    build: { context: ., dockerfile: apps/frontend/Dockerfile }
    image: pivotal/frontend:${RELEASE:-local}
    user: "101:101"
    read_only: true
    init: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    pids_limit: 100
    restart: unless-stopped
    stop_grace_period: 1m30s
    ports: ["${HTTP_PORT:-8080}:8080"]
    networks: [public, app]
    tmpfs: ["/tmp:size=16m,mode=1777,uid=101,gid=101"]
    depends_on:
      backend: { condition: service_healthy }
      migrate: { condition: service_completed_successfully }
    logging: { driver: json-file, options: { max-size: 10m, max-file: 3 } }
    deploy:
      resources:
        limits: { cpus: "0.50", memory: 128M, pids: 100 }
        reservations: { cpus: 0.1, memory: 32m }
    healthcheck:
      test: wget -q -O /dev/null http://127.0.0.1:8080/health
      interval: 10s
      timeout: 2s
      retries: 5
      start_period: 1m
  backend:
    image: pivotal/backend
    entrypoint: [/nodejs/bin/node]
    command: dist/index.js --name "two words"
    environment: { HOST: 0.0.0.0, PORT: 3000, DATABASE_URL_FILE: /run/secrets/database_url }
    secrets: [database_url, { source: redis_conf, target: /etc/redis.conf, uid: "999", mode: 0400 }]
    networks: { app: { aliases: [api] }, data: }
    volumes: ["uploads:/var/uploads", "./conf:/etc/conf:ro", { type: tmpfs, target: /scratch, tmpfs: { size: 64mb, mode: 0o1777 } }]
  migrate:
    image: pivotal/backend
    restart: "no"
    networks: [data]
    profiles: []
  debug:
    image: debug
    profiles: [debug]
networks:
  public:
  app: { internal: true }
  data: { internal: true }
volumes:
  uploads:
secrets:
  database_url: { file: ./secrets/database_url }
  redis_conf: { environment: REDIS_CONF }
"#;

fn options(files: &[(&str, &str)]) -> LoadOptions {
    let files = files.iter().map(|(name, text)| Source::new(*name, *text)).collect();
    let mut options = LoadOptions::new(files, "/srv/shop");
    options.default_name = Some("shop".to_owned());
    options
}

fn project(text: &str) -> Project {
    load(&options(&[("compose.yml", text)]), &NoFiles).unwrap_or_else(|errors| panic!("{}", render(&errors)))
}

fn render(errors: &[Diagnostic]) -> String {
    let mut out = String::new();
    for error in errors {
        out.push_str(&format!("{}\n", error.one_line()));
        for label in &error.labels {
            let line = label.source.line_col(label.span.start).line;
            out.push_str(
                &format!("  {line}: {:?} {}\n", label.source.slice(label.span), label.message)
                    .replace(" \n", "\n"),
            );
        }
        error.notes.iter().for_each(|note| out.push_str(&format!("  note: {note}\n")));
        error.hint.iter().for_each(|hint| out.push_str(&format!("  hint: {hint}\n")));
    }
    out
}

#[test]
fn a_production_file_is_typed() {
    let project = project(PRODUCTION);
    assert_eq!(project.name, "pivotal");
    assert_eq!(project.services.keys().collect::<Vec<_>>(), ["frontend", "backend", "migrate"]);
    assert_eq!(project.disabled_services.keys().collect::<Vec<_>>(), ["debug"]);
    let frontend = &project.services["frontend"];
    assert_eq!(frontend.image.as_deref(), Some("pivotal/frontend:local"));
    assert_eq!(frontend.build.as_ref().and_then(|build| build.context.as_deref()), Some("/srv/shop"));
    assert!(frontend.read_only && frontend.init == Some(true));
    assert_eq!(frontend.stop_grace_period.expect("set").to_std().as_secs(), 90);
    assert_eq!((frontend.ports[0].target, frontend.ports[0].published.as_deref()), (8080, Some("8080")));
    assert_eq!(frontend.depends_on["backend"].condition, Condition::Healthy);
    assert_eq!(frontend.depends_on["migrate"].condition, Condition::CompletedSuccessfully);
    let limits =
        frontend.deploy.as_ref().and_then(|deploy| deploy.resources.limits.as_ref()).expect("limits");
    assert_eq!((limits.cpus, limits.memory.expect("memory").0, limits.pids), (0.5, 128 << 20, 100));
    let check = frontend.healthcheck.as_ref().expect("a check");
    assert_eq!(check.test[0], "CMD-SHELL");
    assert_eq!(check.interval.expect("interval").0, 10_000_000_000);
    let backend = &project.services["backend"];
    assert_eq!(backend.command.as_deref().expect("a command"), ["dist/index.js", "--name", "two words"]);
    assert_eq!(backend.environment["PORT"].as_deref(), Some("3000"));
    assert_eq!(backend.secrets[0].target.as_deref(), Some("/run/secrets/database_url"));
    assert_eq!(backend.secrets[1].mode.expect("mode").0, 0o400);
    assert_eq!(backend.networks["app"].as_ref().expect("options").aliases, ["api"]);
    assert_eq!(backend.volumes[1].kind, MountKind::Bind);
    assert_eq!(backend.volumes[1].source.as_deref(), Some("/srv/shop/conf"));
    assert_eq!(backend.volumes[2].tmpfs.as_ref().expect("options").mode, 0o1777);
    assert_eq!(project.secrets["database_url"].file.as_deref(), Some("/srv/shop/secrets/database_url"));
    assert_eq!(project.volumes["uploads"].name.as_deref(), Some("pivotal_uploads"));
    assert!(project.networks["app"].internal);
    // Only the disabled service is on the default network.
    let mut project = project;
    project.remove_unused_resources();
    assert_eq!(project.networks.keys().collect::<Vec<_>>(), ["public", "app", "data"]);
}

#[test]
fn its_output_loads_to_the_same_project() {
    let first = project(PRODUCTION);
    let written = first.to_yaml();
    let second = project(&written);
    assert_eq!(second.to_yaml(), written);
    assert_eq!(second.services, first.services);
}

/// A value's dollar sign is written twice; a key's is not, since keys are not substituted.
#[test]
fn its_output_with_dollar_signs_loads_to_the_same_project() {
    let first = project(
        "name: p\nservices:\n  a:\n    image: x\n    environment: { K$A: a$$b, L: \"$${X}\" }\n    labels: { com$x: $$ }\n    command: [a$$b]\n",
    );
    let file = first.to_file();
    assert!(file.contains("K$A: a$$b") && file.contains("com$x: $$"), "{file}");
    let second = project(&file);
    assert_eq!(second.to_yaml(), first.to_yaml());
    assert_eq!(second.services["a"].environment["L"].as_deref(), Some("${X}"));
}

struct Files(HashMap<PathBuf, &'static str>);

impl ReadFiles for Files {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.0.get(path).map(|text| (*text).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn is_dir(&self, _: &Path) -> bool {
        false
    }
}

#[test]
fn every_value_knows_the_file_and_line_that_it_came_from() {
    let base = "services:\n  web:\n    extends: { file: common.yml, service: base }\n    ports:\n      - \"80:80\"\n    environment: [A=1]\n";
    let over = "services:\n  web:\n    environment:\n      A: 2\n    ports: [\"81:81\"]\n";
    let common = "services:\n  base:\n    image: common\n    restart: always\n";
    let files = Files(HashMap::from([
        (PathBuf::from("/srv/shop/common.yml"), common),
        (PathBuf::from("/srv/shop/web.env"), "B=3\n"),
    ]));
    let project = load(&options(&[("base.yml", base), ("over.yml", over)]), &files).expect("loads");
    let place = |path: &[&str]| {
        let place = project.origin(path).and_then(|origin| origin.place()).expect("written by a person");
        format!("{}:{}", place.source.name(), place.source.line_col(place.span.start).line)
    };
    assert_eq!(place(&["services", "web", "image"]), "common.yml:3");
    assert_eq!(place(&["services", "web", "restart"]), "common.yml:4");
    assert_eq!(place(&["services", "web", "environment", "A"]), "over.yml:4");
    assert_eq!(place(&["services", "web", "ports", "0", "target"]), "base.yml:5");
    assert_eq!(place(&["services", "web", "ports", "1", "published"]), "over.yml:5");
    assert_eq!(project.files, ["base.yml", "common.yml", "over.yml"]);
}

#[test]
fn messages_name_the_place_the_cause_and_the_next_step() {
    let cases = [
        "services:\n  web:\n    imgae: nginx\n",
        "services:\n  web:\n    image: nginx\n    tty: maybe\n",
        "services:\n  web:\n    image: nginx\n    ports: [\"80:8o\"]\n",
        "services:\n  web:\n    image: nginx\n    depends_on: [db]\n    networks: [frnot]\nnetworks:\n  front:\n",
        "services:\n  web:\n    image: nginx\n    environment:\n      KEY: ${KEY:?give a key}\n",
        "services:\n  web:\n    image: nginx\n    environment: [\"A=${\"]\n",
        "services:\n  web:\n    image: nginx\n    image: apache\n",
        "services:\n  web:\n    image: nginx\n    depends_on: { db: { condition: service_healty } }\n",
        "services:\n  web:\n    image: nginx\n    mem_limit: 12 apples\n",
        "services:\n  web:\n    image: nginx\n    stop_grace_period: 10\n",
        "services:\n  web:\n    image: nginx\n    env_file: web.env\n",
        "services:\n  web:\n    extends: base\n",
        "services:\n  a: { image: a, depends_on: [b] }\n  b: { image: b, depends_on: [a] }\n",
        "services:\n  web:\n    command: run\n",
        "services:\n  web:\n    image: nginx\n    secrets: [key]\nsecrets:\n  key: {}\n",
        "services:\n  web:\n    image: nginx\n    volumes:\n      - { type: bind, target: /data }\n",
        "services:\n\tweb:\n",
        "services: [web]\n",
        "",
        "services:\n  web:\n    image: nginx\n    command: \"sh -c 'echo\"\n",
        "services:\n  web:\n    image: nginx\n    deploy: { replicas: ${N:-many} }\n",
        "services:\n  web:\n    image: nginx\n    scale: 2\n    container_name: web\n",
        "services:\n  web:\n    <<: *defaults\n    image: nginx\n",
    ];
    let mut all = String::new();
    for case in cases {
        let errors = load(&options(&[("compose.yml", case)]), &NoFiles).map(|_| ()).expect_err(case);
        all.push_str(&render(&errors));
        all.push('\n');
    }
    insta::assert_snapshot!(all);
}

#[test]
fn all_variables_that_miss_a_value_are_named_at_once() {
    let text = "services:\n  web:\n    image: ${A:?}\n    environment:\n      B: \"${B:?why}${A:?}\"\n      C: ${C:?}\n";
    let errors =
        load(&options(&[("compose.yml", text)]), &NoFiles).map(|_| ()).expect_err("three are missing");
    let shown = render(&errors);
    assert!(shown.contains("required variable `A` is missing a value"), "{shown}");
    assert!(shown.contains("hint: set A, B, C in the environment or in the .env file"), "{shown}");
}

#[test]
fn a_value_that_cannot_be_overridden_shows_both_places() {
    let errors = load(
        &options(&[
            ("base.yml", "services:\n  web:\n    image: a\n    deploy: { replicas: 2 }\n"),
            ("over.yml", "services:\n  web:\n    deploy: none\n"),
        ]),
        &NoFiles,
    )
    .expect_err("refused");
    insta::assert_snapshot!(render(&errors));
}

#[test]
fn warnings_name_unset_variables_and_the_version() {
    let project = project("version: \"3.8\"\nservices:\n  web:\n    image: web:${TAG}\n");
    insta::assert_snapshot!(render(&project.warnings));
}
