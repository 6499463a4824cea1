//! Services whose image a Dockerfile of the team builds, as it is.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::collections::BTreeMap;

use plimsoll_compose::{LoadOptions, NoFiles, Project};
use plimsoll_generate::{GeneratedFile, Ownership, Planned, Policy, Stack, generate, make_secrets, plan};
use plimsoll_source::Source;
use plimsoll_survey::{Repository, answer, survey, take_defaults};

const GO: &str = "FROM golang:1.23 AS build\nRUN go build -o /server .\nFROM alpine:3.20\n\
                  COPY --from=build /server /server\nEXPOSE 8080\nENTRYPOINT [\"/server\"]\nCMD [\"--verbose\"]\n";
const COMPOSE: &str = "services:\n  api:\n    build: ./backend\n    ports: [\"8080:8080\"]\n    environment:\n      \
                       DATABASE_URL: postgres://shop:hunter2@db:5432/shop?sslmode=disable\n      LOG_LEVEL: debug\n    \
                       depends_on: [db]\n  db:\n    image: postgres:17\n    \
                       environment: { POSTGRES_USER: shop, POSTGRES_PASSWORD: hunter2, POSTGRES_DB: shop }\n";

/// What is planned for these files with these answers; with `taken` as files of people.
fn planned(files: &[(&str, &str)], answers: &[(&str, &str)], taken: &[&str]) -> Planned {
    let mut survey = survey(&Repository::from_files("shop", files.iter().copied()));
    let answers: BTreeMap<String, String> =
        answers.iter().map(|(id, value)| ((*id).to_owned(), (*value).to_owned())).collect();
    answer(&mut survey, &answers).unwrap();
    take_defaults(&mut survey);
    let policy = Policy { folder: Some("shop".to_owned()), ..Policy::default() };
    plan(&survey, &policy, &|path| taken.contains(&path)).unwrap()
}

fn go(dockerfile: &str, compose: &str, answers: &[(&str, &str)]) -> Planned {
    planned(
        &[
            ("backend/go.mod", "module example.com/shop\n"),
            ("backend/Dockerfile", dockerfile),
            ("docker-compose.yml", compose),
        ],
        answers,
        &["backend/Dockerfile", "docker-compose.yml"],
    )
}

fn files(stack: &Stack) -> Vec<GeneratedFile> {
    generate(stack).unwrap()
}

fn text(stack: &Stack, path: &str) -> String {
    files(stack).into_iter().find(|file| file.path == path).unwrap().text
}

/// The compose file as it is read.
fn project(stack: &Stack, environment: &[(&str, &str)]) -> Project {
    let source = Source::new("/project/compose.production.yml", text(stack, "compose.production.yml"));
    let mut options = LoadOptions::new(vec![source], "/project");
    options.env = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    plimsoll_compose::load(&options, &NoFiles).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

fn notes(planned: &Planned, of: &str) -> Vec<String> {
    planned.notes.iter().filter(|note| note.subject == of).map(|note| note.message.clone()).collect()
}

fn is_said(planned: &Planned, of: &str, part: &str) -> bool {
    notes(planned, of).iter().any(|note| note.contains(part))
}

#[test]
fn a_server_in_go_is_hardened_and_reads_its_address_from_a_file() {
    let planned = go(GO, COMPOSE, &[]);
    assert!(planned.left_out.is_empty(), "{:#?}", planned.left_out);
    let stack = &planned.stack;
    let compose = text(stack, "compose.production.yml");
    let project = project(stack, &[]);
    let api = &project.services["api"];
    let build = api.build.as_ref().unwrap();
    assert_eq!(build.context.as_deref(), Some("/project/backend"));
    assert_eq!(build.dockerfile.as_deref(), Some("Dockerfile"));
    let entrypoint = api.entrypoint.clone().unwrap();
    let script = "DATABASE_URL=\"$(cat /run/secrets/database_url)\"; export DATABASE_URL; exec \"$@\"";
    assert_eq!(entrypoint, ["/bin/sh", "-ec", script, "sh", "/server", "--verbose"]);
    assert!(api.command.is_none());
    assert_eq!(api.user.as_deref(), Some("10001:10001"));
    assert!(compose.contains("    <<: *hardened\n    image: shop-api:${RELEASE:-local}\n"), "{compose}");
    assert!(compose.contains("tmpfs: [\"/tmp:uid=10001,gid=10001,mode=0700,size=64m\"]"), "{compose}");
    assert!(compose.contains("    networks: [app, data]\n"), "{compose}");
    assert!(compose.contains("      db: { condition: service_healthy }\n"), "{compose}");
    assert!(compose.contains("    init: true\n"), "{compose}");
    assert_eq!(api.environment.get("LOG_LEVEL"), Some(&Some("debug".to_owned())));
    assert!(!api.environment.contains_key("DATABASE_URL") && !compose.contains("hunter2"));
    // Nobody can wait for the health of an image without a check.
    assert!(compose.contains("      api: { condition: service_started }\n"), "{compose}");
    assert!(api.healthcheck.is_none() && is_said(&planned, "api", "no HEALTHCHECK"));
    for part in ["runs as 10001", "read-only", "/bin/sh", "no way out"] {
        assert!(is_said(&planned, "api", part), "{part}: {:#?}", planned.notes);
    }
    // Their Dockerfile stays, and ours is the front's.
    let paths: Vec<String> = files(stack).into_iter().map(|file| file.path).collect();
    assert!(!paths.iter().any(|path| path.starts_with("backend/")), "{paths:?}");
    assert!(text(stack, "proxy/nginx.conf").contains("http://api:8080"));
    let dockerfile = text(stack, "proxy/Dockerfile");
    assert!(dockerfile.contains("COPY") && paths.contains(&".dockerignore".to_owned()));
}

#[test]
fn the_address_keeps_its_scheme_and_query_and_has_the_new_password() {
    let stack = go(GO, COMPOSE, &[]).stack;
    let made = make_secrets(&stack, &|_| None, &mut |bytes| {
        bytes.fill(7);
        Ok(())
    })
    .unwrap();
    let of = |path: &str| made.iter().find(|secret| secret.path == path).unwrap().text.expose().to_owned();
    let password = of("secrets/db_password");
    assert_eq!(
        of("secrets/database_url"),
        format!("postgres://shop:{password}@db:5432/shop?sslmode=disable")
    );
}

#[test]
fn a_site_beside_it_passes_its_paths_on() {
    let planned = planned(
        &[
            ("backend/go.mod", "module example.com/shop\n"),
            ("backend/Dockerfile", &format!("{GO}HEALTHCHECK CMD /server check\n")),
            ("docker-compose.yml", COMPOSE),
            (
                "web/package.json",
                r#"{ "name": "web", "devDependencies": { "vite": "7" }, "scripts": { "build": "vite build" } }"#,
            ),
            ("web/package-lock.json", "{}"),
            ("web/index.html", "<html>"),
            (
                "web/vite.config.ts",
                "export default { server: { proxy: { '/v1': 'http://localhost:8080' } } }",
            ),
        ],
        &[],
        &["backend/Dockerfile"],
    );
    let nginx = text(&planned.stack, "web/nginx/nginx.conf");
    assert!(nginx.contains("location ^~ /v1/") && nginx.contains("http://api:8080"), "{nginx}");
    let compose = text(&planned.stack, "compose.production.yml");
    // The check of their Dockerfile counts.
    assert!(compose.contains("      api: { condition: service_healthy }\n"), "{compose}");
    assert!(!is_said(&planned, "api", "no HEALTHCHECK"));
}

#[test]
fn an_image_without_a_shell_is_left_out_until_somebody_says_that_its_secrets_may_be_seen() {
    let bare = GO.replace("alpine:3.20", "scratch").replace("EXPOSE", "USER 65532\nEXPOSE");
    let web = [
        ("web/index.html", "<html>"),
        ("backend/go.mod", "module example.com/shop\n"),
        ("backend/Dockerfile", bare.as_str()),
        ("docker-compose.yml", COMPOSE),
    ];
    let without = planned(&web, &[], &[]);
    let said = &without.left_out[0];
    assert!(said.message.contains("`DATABASE_URL: ${DATABASE_URL:?}`"), "{}", said.message);
    assert!(said.hint.contains("--answer api.secrets=environment"), "{}", said.hint);
    assert_eq!((said.evidence[0].file.as_str(), said.evidence[0].line), ("backend/Dockerfile", 3));
    assert!(!text(&without.stack, "compose.production.yml").contains("  api:"));

    let with = planned(&web, &[("api.secrets", "environment")], &[]);
    let compose = text(&with.stack, "compose.production.yml");
    assert!(!compose.contains("entrypoint:") && !compose.contains("hunter2"), "{compose}");
    let project = project(&with.stack, &[("DATABASE_URL", "postgres://x")]);
    let api = &project.services["api"];
    assert_eq!(api.environment.get("DATABASE_URL"), Some(&Some("postgres://x".to_owned())));
    // The image's own user stays.
    assert!(api.user.is_none() && api.secrets.is_empty());
    assert!(compose.contains("/tmp:uid=65532,gid=65532,mode=0700"), "{compose}");
}

#[test]
fn users_of_an_image_own_the_secrets_that_they_read() {
    let head = |dockerfile: &str, answers: &[(&str, &str)]| {
        let compose = text(&go(dockerfile, COMPOSE, answers).stack, "compose.production.yml");
        let (head, rest) = compose.split_once("name: shop").unwrap();
        (head.to_owned(), rest.to_owned())
    };
    let (numeric, _) = head(&GO.replace("EXPOSE", "USER 1234:1234\nEXPOSE"), &[]);
    assert!(
        numeric.contains("#   chown 999 secrets/db_password\n#   chown 1234 secrets/database_url\n"),
        "{numeric}"
    );
    let (named, rest) = head(&GO.replace("EXPOSE", "USER app\nEXPOSE"), &[]);
    let chown = "chown \"$(docker run --rm --entrypoint id shop-api:local -u)\" secrets/database_url";
    assert!(named.contains(chown), "{named}");
    assert!(rest.contains("tmpfs: [\"/tmp:mode=1777,size=64m\"]"), "{rest}");
    let (_, kept) = head(GO, &[("api.user", "image")]);
    assert!(!kept.contains("user: \"10001:10001\""), "{kept}");
    let (root, _) = head(&GO.replace("EXPOSE", "USER root\nEXPOSE"), &[]);
    assert!(root.contains("chown 10001 secrets/database_url"), "{root}");
}

#[test]
fn volumes_targets_and_commands_are_those_of_the_team() {
    let planned = planned(
        &[
            ("Gemfile", "gem 'rails'\n"),
            (
                "docker/web.Dockerfile",
                "FROM ruby:3.3 AS web\nVOLUME /app/storage\nEXPOSE 80\nCMD [\"bin/server\"]\n",
            ),
            (
                "compose.yaml",
                "services:\n  web:\n    build: { context: ., dockerfile: docker/web.Dockerfile, target: web, args: { RAILS_ENV: production } }\n    ports: ['80:80']\n    environment: { REDIS_URL: 'redis://redis:6379/1' }\n  worker:\n    build: { context: ., dockerfile: docker/web.Dockerfile, target: web }\n    command: [bundle, exec, sidekiq]\n  redis:\n    image: redis:8\n",
            ),
        ],
        &[],
        &["docker/web.Dockerfile", ".dockerignore"],
    );
    let compose = text(&planned.stack, "compose.production.yml");
    let project = project(&planned.stack, &[]);
    let web = &project.services["web"];
    let build = web.build.as_ref().unwrap();
    assert_eq!(
        (build.dockerfile.as_deref(), build.target.as_deref()),
        (Some("docker/web.Dockerfile"), Some("web"))
    );
    assert_eq!(build.args.get("RAILS_ENV"), Some(&Some("production".to_owned())));
    assert!(compose.contains("volumes: [\"web_storage:/app/storage\"]"), "{compose}");
    assert!(is_said(&planned, "web", "/app/storage is root's"));
    // The base of the image starts what it is given: its own entrypoint stays.
    let command = web.command.clone().unwrap();
    assert!(
        web.entrypoint.is_none() && command[0] == "/bin/sh" && command[4..] == ["bin/server"],
        "{command:?}"
    );
    let worker = &project.services["worker"];
    assert_eq!(worker.command.clone().unwrap(), ["bundle", "exec", "sidekiq"]);
    assert!(worker.entrypoint.is_none());
    // The root is the context of their builds: secrets stay out, and their file is only added to.
    let ignored = files(&planned.stack).into_iter().find(|file| file.path == ".dockerignore").unwrap();
    assert_eq!(ignored.ownership, Ownership::Lines);
    assert!(ignored.text.lines().any(|line| line == "secrets"));
    assert!(files(&planned.stack).iter().any(|file| file.path == "proxy/Dockerfile.dockerignore"));
}

#[test]
fn folders_of_one_name_are_volumes_of_their_own() {
    let planned = go(&GO.replace("EXPOSE", "VOLUME [\"/data\", \"/var/data\"]\nEXPOSE"), COMPOSE, &[]);
    let compose = text(&planned.stack, "compose.production.yml");
    assert!(compose.contains("volumes: [\"api_data:/data\", \"api_var-data:/var/data\"]"), "{compose}");
    assert!(compose.contains("\n  api_data: {}\n  api_var-data: {}\n"), "{compose}");
}

#[test]
fn a_job_runs_before_what_uses_its_store() {
    let compose = format!(
        "{COMPOSE}  migrate:\n    build: backend\n    command: [\"/server\", \"migrate\"]\n    restart: \"no\"\n    environment:\n      DATABASE_URL: postgres://shop:hunter2@db:5432/shop?sslmode=disable\n"
    );
    let planned = go(&GO.replace("ENTRYPOINT [\"/server\"]\n", ""), &compose, &[]);
    let compose = text(&planned.stack, "compose.production.yml");
    assert!(compose.contains("      migrate: { condition: service_completed_successfully }\n"), "{compose}");
    let project = project(&planned.stack, &[]);
    let migrate = &project.services["migrate"];
    assert_eq!(migrate.restart.as_deref(), Some("no"));
    assert_eq!(migrate.command.clone().unwrap()[4..], ["/server", "migrate"]);
}

#[test]
fn parts_of_an_address_lead_to_the_store() {
    let compose = "services:\n  api:\n    build: backend\n    environment:\n      SPRING_DATASOURCE_URL: jdbc:postgresql://db:5432/shop?ssl=false\n      SPRING_DATASOURCE_USERNAME: shop\n      SPRING_DATASOURCE_PASSWORD: hunter2\n      CACHE_ADDR: cache:6379\n      CACHE_PASSWORD: hunter3\n  db:\n    image: postgres:17\n    environment: { POSTGRES_USER: shop, POSTGRES_DB: shop }\n  cache:\n    image: redis:8\n";
    let planned = go(GO, compose, &[]);
    let text = text(&planned.stack, "compose.production.yml");
    let api = &project(&planned.stack, &[]).services["api"];
    let value = |name: &str| api.environment.get(name).cloned().flatten();
    assert_eq!(value("SPRING_DATASOURCE_URL").as_deref(), Some("jdbc:postgresql://db:5432/shop?ssl=false"));
    assert_eq!(value("SPRING_DATASOURCE_USERNAME").as_deref(), Some("shop"));
    assert_eq!(value("CACHE_ADDR").as_deref(), Some("cache:6379"));
    let script = &api.entrypoint.as_ref().unwrap()[2];
    for variable in ["SPRING_DATASOURCE_PASSWORD", "CACHE_PASSWORD"] {
        assert!(script.contains(&format!("{variable}=\"$(cat /run/secrets/")), "{script}");
        assert!(value(variable).is_none());
    }
    assert!(!text.contains("hunter"), "{text}");
}

#[test]
fn hostile_texts_stay_texts() {
    let dockerfile = "FROM alpine:3.20\nEXPOSE 8080\nUSER \"app'$(reboot)\"\n\
                      ENTRYPOINT [\"/server\", \"a'b\", \"c\\\"d\", \"$(reboot)\", \"e\\nservices:\\n  evil: {}\", \"${HOME}\"]\n";
    let compose = "services:\n  api:\n    build:\n      context: backend\n      args: { EVIL: \"x\\\"\\n      y: ${z} '\" }\n    environment:\n      DATABASE_URL: postgres://shop:hunter2@db/shop\n      QUOTES: \"a\\\"b'c\\n    privileged: true\"\n      'BAD NAME\"': x\n      BRACES: \"a}b{c\"\n  db:\n    image: postgres:17\n";
    let planned = go(dockerfile, compose, &[]);
    let written = text(&planned.stack, "compose.production.yml");
    let project = project(&planned.stack, &[]);
    let api = &project.services["api"];
    let entrypoint = api.entrypoint.clone().unwrap();
    assert_eq!(
        entrypoint[4..],
        ["/server", "a'b", "c\"d", "$(reboot)", "e\nservices:\n  evil: {}", "${HOME}"]
    );
    assert!(!project.services.contains_key("evil") && !api.privileged);
    assert!(!written.contains("BAD NAME") && !written.contains("app'$(reboot)"), "{written}");
    // Where a value cannot stand inside of `${…}`, it stands nowhere.
    assert!(api.environment.get("BRACES").is_none_or(|value| value.as_deref() != Some("a}b{c")));
    for file in files(&planned.stack) {
        let name = file.path.rsplit('/').next().unwrap().to_owned();
        assert!(!file.text.lines().any(|line| line.trim() == "privileged: true"), "{name}:\n{}", file.text);
    }
}

#[test]
fn a_port_that_nothing_names_leaves_the_service_out() {
    let files = [
        ("web/index.html", "<html>"),
        ("api/composer.json", "{}"),
        ("api/Dockerfile", "FROM php:8.3-apache\n"),
    ];
    let without = planned(&files, &[], &[]);
    assert!(without.left_out[0].hint.contains("api.port"), "{:#?}", without.left_out);
    assert!(!text(&without.stack, "compose.production.yml").contains("  api:"));
    let with = planned(&files, &[("api.port", "80"), ("api.egress", "yes")], &[]);
    assert!(text(&with.stack, "web/nginx/nginx.conf").contains("http://api:80;"));
    assert!(text(&with.stack, "compose.production.yml").contains("networks: [app, egress]"));
    // Nothing to hand over: the image starts as it is.
    let api = &project(&with.stack, &[]).services["api"];
    assert!(api.entrypoint.is_none() && api.command.is_none());
}
