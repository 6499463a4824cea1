//! Components in other languages that bring a Dockerfile of their own.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod support;

use std::collections::BTreeMap;

use plimsoll_survey::{
    Address, Ecosystem, OwnImage, Part, Question, Role, Service, StoreKind, Survey, Variable, answer, render,
};
use support::{gap, of, service};

const GO: &str = "FROM golang:1.23 AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /server .\n\
                  FROM alpine:3.20\nCOPY --from=build /server /server\nEXPOSE 8080\nUSER 65532:65532\n\
                  VOLUME /data\nENTRYPOINT [\"/server\"]\nCMD [\"--verbose\"]\n";
const COMPOSE: &str = "services:\n  api:\n    build: ./backend\n    ports: [\"9000:8080\"]\n    environment:\n      \
                       DATABASE_URL: postgres://shop:hunter2@db:5432/shop?sslmode=disable\n      JWT_SECRET: dev-secret-1\n      \
                       STRIPE_API_KEY: sk_test_12345\n      LOG_LEVEL: debug\n    depends_on: [db]\n  db:\n    \
                       image: postgres:17\n    environment: { POSTGRES_USER: shop, POSTGRES_PASSWORD: hunter2, POSTGRES_DB: shop }\n";

fn go(dockerfile: &str, compose: &str) -> Survey {
    of(&[
        ("backend/go.mod", "module example.com/shop\n"),
        ("backend/main.go", "package main\n"),
        ("backend/Dockerfile", dockerfile),
        ("docker-compose.yml", compose),
    ])
}

fn image(service: &Service) -> &OwnImage {
    service.own_image.as_deref().unwrap()
}

fn question<'a>(survey: &'a Survey, id: &str) -> Option<&'a Question> {
    survey.questions.iter().find(|question| question.id == id)
}

fn variable<'a>(service: &'a Service, name: &str) -> &'a Variable {
    service.environment.iter().find(|variable| variable.name == name).unwrap()
}

#[test]
fn a_server_in_go_is_what_its_dockerfile_and_the_compose_file_say() {
    let survey = go(GO, COMPOSE);
    let api = service(&survey, "api");
    let image = image(api);
    assert_eq!((api.ecosystem, api.role, api.path.as_str()), (Ecosystem::Image, Role::Server, "backend"));
    let port = api.port.as_ref().unwrap();
    assert_eq!(
        (port.value, port.evidence[0].file.as_str(), port.evidence[0].line),
        (8080, "backend/Dockerfile", 7)
    );
    let language = image.language.as_ref().unwrap();
    assert_eq!((language.value.as_str(), language.evidence[0].file.as_str()), ("Go", "backend/go.mod"));
    assert_eq!((image.context.value.as_str(), image.context.evidence[0].line), ("backend", 3));
    assert_eq!(image.dockerfile.value, "backend/Dockerfile");
    assert_eq!(image.user.as_ref().unwrap().evidence[0].line, 8);
    assert!(image.is_unprivileged() && image.shell.value && image.healthcheck.is_none());
    assert_eq!((image.shell.evidence[0].line, image.base.value.as_str()), (5, "alpine:3.20"));
    assert_eq!(image.runs().unwrap(), ["/server", "--verbose"]);
    assert_eq!((api.writes[0].path.value.as_str(), api.writes[0].keep), ("/data", true));
    let Some(Address::Url { variable, scheme, suffix, .. }) = &api.stores[0].address else { panic!() };
    assert_eq!((variable.value.as_str(), scheme.as_deref()), ("DATABASE_URL", Some("postgres")));
    assert_eq!(suffix.as_deref(), Some("/shop?sslmode=disable"));
    assert_eq!((survey.stores[0].name.as_str(), api.stores[0].store.as_str()), ("db", "db"));
    assert!(survey.questions.is_empty(), "{:#?}", survey.questions);
    assert!(!survey.gaps.iter().any(|gap| gap.message.contains("a project in Go")), "{:#?}", survey.gaps);
    // the shell reads them for it
    assert!(!survey.gaps.iter().any(|gap| gap.message.contains("a launcher")), "{:#?}", survey.gaps);
    let text = render(&survey);
    assert!(text.contains("Go server") && text.contains("backend/Dockerfile"), "{text}");
}

#[test]
fn values_of_secrets_are_in_no_survey() {
    let survey = go(GO, COMPOSE);
    let api = service(&survey, "api");
    let all = format!("{}{}", serde_json::to_string(&survey).unwrap(), render(&survey));
    for secret in ["hunter2", "dev-secret-1", "sk_test_12345"] {
        assert!(!all.contains(secret), "{secret}");
    }
    // The program's own key can be made; that of another maker has to be given.
    assert!(variable(api, "JWT_SECRET").secret);
    let key = variable(api, "STRIPE_API_KEY");
    assert!(!key.secret && key.required && key.default.is_none());
    assert_eq!(variable(api, "LOG_LEVEL").default.as_deref(), Some("debug"));
    let baked = go(&GO.replace("EXPOSE", "ENV API_TOKEN=abc123 MODE=fast\nEXPOSE"), COMPOSE);
    assert!(!serde_json::to_string(&baked).unwrap().contains("abc123"));
    let known = &image(service(&baked, "api")).variables;
    assert!(known.iter().any(|known| known.name == "MODE" && known.default.as_deref() == Some("fast")));
}

#[test]
fn a_project_with_a_dockerfile_needs_no_compose_file() {
    let survey = of(&[
        ("Cargo.toml", "[package]\nname = \"tide\"\n"),
        ("Containerfile", "FROM debian:12\nEXPOSE 3000\n"),
    ]);
    let tide = service(&survey, "tide");
    assert_eq!((tide.port.as_ref().unwrap().value, tide.path.as_str()), (3000, ""));
    assert_eq!(image(tide).dockerfile.value, "Containerfile");
    let module =
        of(&[("go.mod", "// x\nmodule example.com/tide/v2\n"), ("Dockerfile", "FROM debian:12\nEXPOSE 1\n")]);
    assert_eq!(module.services[0].name, "tide");
    // Without one it is named as before.
    let none = of(&[("Cargo.toml", "[package]\nname = \"tide\"\n")]);
    assert!(none.services.is_empty() && gap(&none, "a project in Rust").evidence[0].file == "Cargo.toml");
}

#[test]
fn what_nothing_says_is_asked() {
    // No port: a question, and an answer that there is none.
    let mut survey = go("FROM debian:12\nCMD [\"/server\"]\n", "services:\n  api:\n    build: backend\n");
    let asked = question(&survey, "api.port").unwrap();
    assert!(asked.default.is_none() && asked.evidence[0].file == "backend/Dockerfile");
    assert!(service(&survey, "api").port.is_none());
    answer(&mut survey, &BTreeMap::from([("api.deploy".to_owned(), "worker".to_owned())])).unwrap();
    assert!(question(&survey, "api.port").is_none() && service(&survey, "api").role == Role::Worker);
    // A name alone makes no worker of what names a port.
    let queue = of(&[
        ("queue/go.mod", "module example.com/queue\n"),
        ("queue/Dockerfile", "FROM debian:12\nEXPOSE 1\n"),
    ]);
    assert_eq!(service(&queue, "queue").role, Role::Server);
    let silent =
        of(&[("queue/go.mod", "module example.com/queue\n"), ("queue/Dockerfile", "FROM debian:12\n")]);
    assert_eq!(service(&silent, "queue").role, Role::Worker);
    // The container's side of `ports`, and a number in PORT.
    let ports = go(
        "FROM debian:12\n",
        "services:\n  api:\n    build: backend\n    ports: ['127.0.0.1:8000:5000/tcp']\n",
    );
    let port = service(&ports, "api").port.clone().unwrap();
    assert_eq!((port.value, port.evidence[0].line), (5000, 4));
    let variable = go("FROM debian:12\nENV PORT=7000\n", "services: {}\n");
    assert_eq!(variable.services[0].port.as_ref().unwrap().value, 7000);
    // Several: the one that development publishes, else a question with the first of them.
    let several = "FROM debian:12\nEXPOSE 9090 8080\n";
    let published = go(several, "services:\n  api:\n    build: backend\n    ports: ['1:8080']\n");
    assert_eq!(service(&published, "api").port.as_ref().unwrap().value, 8080);
    let open = go(several, "services:\n  api:\n    build: backend\n");
    let asked = question(&open, "api.port").unwrap();
    assert_eq!((asked.default.as_deref(), asked.options.join(",").as_str()), (Some("9090"), "9090,8080"));
}

#[test]
fn an_image_without_a_shell_asks_how_its_secrets_come_in() {
    let bare = GO.replace("alpine:3.20", "scratch");
    let mut survey = go(&bare, COMPOSE);
    let asked = question(&survey, "api.secrets").unwrap();
    assert!(
        asked.default.is_none() && asked.text.contains("`DATABASE_URL: ${DATABASE_URL:?}`"),
        "{}",
        asked.text
    );
    assert_eq!((asked.evidence[0].file.as_str(), asked.evidence[0].line), ("backend/Dockerfile", 5));
    assert!(answer(&mut survey, &BTreeMap::from([("api.secrets".to_owned(), "file".to_owned())])).is_err());
    answer(&mut survey, &BTreeMap::from([("api.secrets".to_owned(), "environment".to_owned())])).unwrap();
    assert!(survey.questions.is_empty() && image(service(&survey, "api")).secrets_in_environment);
    // Without any secret there is nothing to ask.
    let open = go(&bare, "services:\n  api:\n    build: backend\n");
    assert!(open.questions.is_empty(), "{:#?}", open.questions);
    // A base that may have an entrypoint of its own.
    let base = GO.replace("alpine:3.20", "registry.example/base:1").replace("ENTRYPOINT [\"/server\"]\n", "");
    let survey = go(&base, COMPOSE);
    assert!(question(&survey, "api.command").unwrap().text.contains("registry.example/base:1"));
    let known = go(&GO.replace("ENTRYPOINT [\"/server\"]\n", ""), COMPOSE);
    assert_eq!(image(service(&known, "api")).runs().unwrap(), ["--verbose"]);
    assert!(question(&known, "api.command").is_none());
}

#[test]
fn php_fpm_is_no_server_for_the_front() {
    let survey = of(&[("composer.json", "{}"), ("Dockerfile", "FROM php:8.3-fpm\nEXPOSE 9000\n")]);
    assert!(survey.services.is_empty());
    assert_eq!(gap(&survey, "FastCGI").evidence[0].line, 1);
    // Apache in the image speaks HTTP, and its base names no port.
    let apache = of(&[("composer.json", "{}"), ("Dockerfile", "FROM php:8.3-apache\n")]);
    assert!(question(&apache, "app.port").is_some());
}

#[test]
fn processes_of_one_image_have_their_commands_and_a_job_is_one_where_that_is_clear() {
    let compose = "services:\n  web:\n    build: .\n    ports: ['80:4000']\n  worker:\n    build: .\n    command: [\"bundle\", \"exec\", \"sidekiq\"]\n    environment: { REDIS_URL: redis://redis:6379/1 }\n  migrate:\n    build: .\n    command: bin/rails db:migrate\n    restart: \"no\"\n  seed:\n    build: .\n    command: bin/rails db:seed\n    restart: \"no\"\n  redis:\n    image: redis:8\n";
    let survey = of(&[
        ("Gemfile", "gem 'rails'\n"),
        ("Dockerfile", "FROM ruby:3.3\nEXPOSE 4000\nCMD [\"bin/server\"]\n"),
        ("compose.yaml", compose),
    ]);
    let role = |name: &str| service(&survey, name).role;
    assert_eq!((role("web"), role("worker"), role("migrate")), (Role::Server, Role::Worker, Role::OneShot));
    let worker = image(service(&survey, "worker"));
    assert_eq!(worker.runs().unwrap(), ["bundle", "exec", "sidekiq"]);
    assert_eq!(worker.given.as_ref().unwrap().evidence[0].line, 7);
    assert_eq!(image(service(&survey, "web")).runs().unwrap(), ["bin/server"]);
    assert!(question(&survey, "migrate.deploy").is_none());
    // Data of development waits for a person.
    let seed = question(&survey, "seed.deploy").unwrap();
    assert_eq!((seed.default.as_deref(), seed.options.join(",").as_str()), (None, "job,worker,no"));
    // One process alone: its command may be that of development.
    let alone = of(&[
        ("Gemfile", "x"),
        ("Dockerfile", "FROM ruby:3.3\nEXPOSE 4000\nCMD [\"bin/server\"]\n"),
        ("compose.yaml", "services:\n  web:\n    build: .\n    command: bin/dev\n"),
    ]);
    assert!(image(service(&alone, "web")).given.is_none());
    assert!(gap(&alone, "`bin/dev`").hint.contains("web.command"));
}

#[test]
fn target_arguments_and_a_context_elsewhere_are_those_of_the_compose_file() {
    let survey = of(&[
        ("services/api/pom.xml", "<project/>"),
        (
            "docker/api.Dockerfile",
            "ARG BASE\nFROM ${BASE} AS dev\nEXPOSE 1\nFROM dev AS prod\nEXPOSE 2\nFROM prod AS last\nEXPOSE 3\n",
        ),
        (
            "docker/compose.yaml",
            "services:\n  api:\n    build:\n      context: ../services/api\n      dockerfile: ../../docker/api.Dockerfile\n      target: prod\n      args: { BASE: 'eclipse-temurin:21', NPM_TOKEN: abc }\n    ports: ['2']\n",
        ),
    ]);
    let api = service(&survey, "api");
    let image = image(api);
    assert_eq!((image.context.value.as_str(), api.path.as_str()), ("services/api", "services/api"));
    assert_eq!(image.base.value, "eclipse-temurin:21");
    assert_eq!(
        (image.target.as_ref().unwrap().value.as_str(), api.port.as_ref().unwrap().value),
        ("prod", 2)
    );
    assert_eq!(image.language.as_ref().unwrap().value, "Java");
    let token = image.arguments.iter().find(|(name, _)| name == "NPM_TOKEN").unwrap();
    assert!(token.1.is_none() && !serde_json::to_string(&survey).unwrap().contains("\"abc\""));
}

#[test]
fn addresses_in_parts_and_stores_that_it_waits_for() {
    let compose = "services:\n  api:\n    build: backend\n    environment:\n      - SPRING_DATASOURCE_URL=jdbc:postgresql://db:5432/shop\n      - SPRING_DATASOURCE_USERNAME=shop\n      - SPRING_DATASOURCE_PASSWORD=hunter2\n      - CACHE_ADDR=cache:6379\n      - CACHE_PASSWORD=${CACHE_PASSWORD}\n      - HOME_PAGE\n    depends_on:\n      db: { condition: service_healthy }\n      queue: { condition: service_started }\n  db:\n    image: postgres:17\n  cache:\n    image: redis:8\n  queue:\n    image: rabbitmq:4.0\n";
    let survey = go(GO, compose);
    let api = service(&survey, "api");
    let kinds: Vec<(StoreKind, &str)> =
        api.stores.iter().map(|used| (used.kind, used.store.as_str())).collect();
    assert_eq!(
        kinds,
        [(StoreKind::Postgresql, "db"), (StoreKind::Redis, "cache"), (StoreKind::Rabbitmq, "queue")]
    );
    let part = |at: usize, part: Part| {
        let address = api.stores[at].address.as_ref().unwrap();
        address.variable(part).map(|variable| variable.value.clone())
    };
    assert_eq!(part(0, Part::Authority).as_deref(), Some("SPRING_DATASOURCE_URL"));
    assert_eq!(part(0, Part::Password).as_deref(), Some("SPRING_DATASOURCE_PASSWORD"));
    assert_eq!(part(1, Part::Password).as_deref(), Some("CACHE_PASSWORD"));
    assert!(api.stores[2].address.is_none());
    assert_eq!(api.stores[2].evidence[0].line, 13);
    // A name alone is the host's, whatever it is there.
    let passed = variable(api, "HOME_PAGE");
    assert!(passed.default.is_none() && !passed.required);
    assert!(!serde_json::to_string(&survey).unwrap().contains("hunter2"));
}

#[test]
fn services_of_one_image_have_the_store_of_their_own_values() {
    let compose = "services:\n  api:\n    build: backend\n    environment: { DATABASE_URL: 'postgres://a:${PW}@first/x' }\n  worker:\n    build: backend\n    environment: { DATABASE_URL: 'postgres://a:b@second/x' }\n  second:\n    image: postgres:17\n  first:\n    image: postgres:17\n";
    let survey = go(GO, compose);
    let store = |name: &str| service(&survey, name).stores[0].store.clone();
    assert_eq!((store("api").as_str(), store("worker").as_str()), ("first", "second"));
    assert!(survey.questions.is_empty(), "{:#?}", survey.questions);
}

#[test]
fn an_address_in_another_form_is_said() {
    let survey = go(
        GO,
        "services:\n  api:\n    build: backend\n    environment:\n      DSN: host=db user=a password=hunter2\n  db:\n    image: postgres:17\n",
    );
    assert_eq!(gap(&survey, "DSN holds the address of PostgreSQL").evidence[0].line, 5);
    let api = service(&survey, "api");
    assert!(variable(api, "DSN").required && api.stores[0].store == "db");
    assert!(!serde_json::to_string(&survey).unwrap().contains("hunter2"));
}

#[test]
fn a_dockerfile_of_a_program_that_is_recognised_stays_evidence() {
    let survey = of(&[
        (
            "package.json",
            r#"{ "name": "api", "scripts": { "start": "node s.js" }, "dependencies": { "express": "5" } }"#,
        ),
        ("s.js", "require('express')().listen(3000)"),
        ("Dockerfile", "FROM node:24\nEXPOSE 3000\nCMD [\"node\", \"s.js\"]\n"),
        ("compose.yaml", "services:\n  api:\n    build: .\n    ports: ['3000:3000']\n"),
    ]);
    assert_eq!(survey.services.len(), 1);
    assert!(survey.services[0].ecosystem == Ecosystem::Node && survey.services[0].own_image.is_none());
    assert!(survey.platform_files.iter().any(|file| file.value == "Dockerfile"));
}

#[test]
fn gateways_and_stores_of_the_team_are_no_servers() {
    let survey = of(&[
        ("api/go.mod", "module example.com/api\n"),
        ("api/Dockerfile", GO),
        ("proxy/Dockerfile", "FROM nginx:1.27\nEXPOSE 80\nCOPY nginx.conf /etc/nginx/\n"),
        ("pg/Dockerfile", "FROM postgres:17\nEXPOSE 5432\n"),
        (
            "compose.yaml",
            "services:\n  api:\n    build: api\n  proxy:\n    build: proxy\n  pg:\n    build: pg\n    environment: { POSTGRES_PASSWORD: x, POSTGRES_DB: y }\n",
        ),
    ]);
    let names: Vec<&str> = survey.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["api"]);
    assert_eq!(gap(&survey, "is built from proxy").evidence[0].line, 4);
}

#[test]
fn a_dockerfile_that_cannot_be_read_is_said_at_its_line() {
    let survey = go("FROM debian:12\nEXPOSE 8080\nFOO bar\n", COMPOSE);
    assert!(survey.services.is_empty());
    let said = survey.gaps.iter().find(|gap| gap.subject == "backend/Dockerfile").unwrap();
    assert_eq!(said.evidence[0].line, 3);
    assert!(gap(&survey, "a project in Go").evidence[0].file == "backend/go.mod");
}
