//! What cannot be planned is said with its reason, and nothing from a repository breaks out of a generated file.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::collections::BTreeMap;

use plimsoll_generate::{Policy, SecretError, Stack, generate, make_secrets, missing_secrets, plan};
use plimsoll_survey::{Bind, Fact, Repository, survey};

/// A small repository that can be planned; `change` replaces texts in it.
fn repository(change: &[(&str, &str)]) -> Repository {
    repository_with(change, &[])
}

/// The same with further files.
fn repository_with(change: &[(&str, &str)], more: &[(&str, &str)]) -> Repository {
    let files = [
        (
            "package.json",
            r#"{ "name": "shop", "packageManager": "pnpm@10.34.9+sha512.00", "engines": { "node": ">=22" } }"#,
        ),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
        ("pnpm-workspace.yaml", "packages: [apps/*]\n"),
        (
            "apps/api/package.json",
            r#"{ "name": "@shop/api", "dependencies": { "express": "5", "pg": "8" },
                "scripts": { "build": "tsc", "start": "node dist/main.js" } }"#,
        ),
        ("apps/api/tsconfig.json", r#"{ "compilerOptions": { "outDir": "dist" } }"#),
        (
            "apps/api/src/main.ts",
            "const url = process.env.DATABASE_URL ?? read(process.env.DATABASE_URL_FILE);\n\
             const mode = process.env.MODE ?? 'fast'; const key = process.env.LICENCE;\n\
             app.get('/health', f); app.get('/api/x', f); app.listen(process.env.PORT ?? 8000);",
        ),
        (
            "apps/web/package.json",
            r#"{ "name": "web", "devDependencies": { "vite": "8" }, "scripts": { "build": "vite build" } }"#,
        ),
        ("apps/web/index.html", "<html>"),
    ];
    Repository::from_files(
        "shop",
        files
            .map(|(path, text)| {
                let text = change.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
                (path, text)
            })
            .into_iter()
            .chain(more.iter().map(|(path, text)| (*path, (*text).to_owned()))),
    )
}

fn stack(change: &[(&str, &str)]) -> Stack {
    plan(&survey(&repository(change)), &Policy::default(), &|_| false).unwrap().stack
}

fn file(stack: &Stack, path: &str) -> String {
    generate(stack).unwrap().into_iter().find(|file| file.path == path).unwrap().text
}

#[test]
fn a_stack_without_redis_migrations_and_settings_is_written_without_them() {
    let stack = stack(&[]);
    let compose = file(&stack, "compose.production.yml");
    assert!(!compose.contains("redis") && !compose.contains("migrate:") && !compose.contains("API_BASE_URL"));
    // Without a handler of SIGTERM.
    assert!(compose.contains("    init: true\n"));
    // A variable that nothing demands is passed on where it is set.
    assert!(compose.contains("MODE: ${MODE:-fast}\n") && compose.contains("LICENCE:\n"), "{compose}");
    let nginx = file(&stack, "apps/web/nginx/nginx.conf");
    assert!(!nginx.contains("config.js") && nginx.contains("http://api:8000;"));
    assert!(generate(&stack).unwrap().iter().all(|file| !file.path.contains("config.js")));
}

#[test]
fn a_service_that_nobody_reaches_is_left_out_and_the_others_go_on() {
    let survey = |change: &[(&str, &str)]| {
        let mut survey = survey(&repository(change));
        for service in &mut survey.services {
            if let Some(port) = service.port.clone() {
                let address = Fact { value: "127.0.0.1".to_owned(), evidence: port.evidence };
                service.bind = Bind::Loopback { address };
            }
        }
        survey
    };
    let planned = plan(&survey(&[]), &Policy::default(), &|_| false).unwrap();
    assert_eq!(planned.left_out.len(), 1);
    assert!(planned.left_out[0].message.contains("listens on 127.0.0.1 alone"), "{:?}", planned.left_out);
    assert_eq!(planned.left_out[0].evidence[0].file, "apps/api/src/main.ts");
    let compose = file(&planned.stack, "compose.production.yml");
    assert!(compose.contains("  web:\n") && !compose.contains("  api:\n"));
}

#[test]
fn a_server_alone_is_behind_a_proxy_and_a_site_alone_is_its_own_front() {
    let alone =
        plan(&survey(&repository(&[("\"vite\"", "\"other\"")])), &Policy::default(), &|_| false).unwrap();
    let nginx = file(&alone.stack, "proxy/nginx.conf");
    assert!(nginx.contains("location / {") && nginx.contains("http://api:8000;"), "{nginx}");
    assert!(
        !nginx.contains("root /srv/www")
            && nginx.contains("Content-Security-Policy $content_security_policy")
    );
    let compose = file(&alone.stack, "compose.production.yml");
    assert_eq!(compose.matches("ports:").count(), 1);
    assert!(
        compose.contains("    dockerfile: proxy/Dockerfile")
            || compose.contains("dockerfile: proxy/Dockerfile }")
    );

    let mut survey = survey(&repository(&[]));
    survey.services.retain(|service| service.name == "web");
    let site = plan(&survey, &Policy::default(), &|_| false).unwrap().stack;
    let compose = file(&site, "compose.production.yml");
    assert!(
        !compose.contains("data:") && !compose.contains("secrets:") && !compose.contains("app: {"),
        "{compose}"
    );
    assert!(!file(&site, "apps/web/nginx/nginx.conf").contains("proxy_pass"));
}

#[test]
fn a_program_that_reads_no_file_gets_its_secrets_through_the_launcher() {
    let stack = stack(&[("?? read(process.env.DATABASE_URL_FILE)", "")]);
    let compose = file(&stack, "compose.production.yml");
    assert!(compose.contains("DATABASE_URL_FILE: /run/secrets/database_url"));
    assert!(compose.contains("--max-old-space-size=384 --require /launcher/secrets.cjs"), "{compose}");
    assert!(file(&stack, "apps/api/Dockerfile").contains("COPY --chmod=555 docker/secrets.cjs /launcher/"));
    assert!(file(&stack, "docker/secrets.cjs").contains("process.env"));
}

#[test]
fn files_of_people_are_left_and_ours_get_other_names() {
    let taken = |path: &str| matches!(path, "apps/api/Dockerfile" | ".dockerignore");
    let stack = plan(&survey(&repository(&[])), &Policy::default(), &taken).unwrap().stack;
    let files = generate(&stack).unwrap();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert!(paths.contains(&"apps/api/Dockerfile.production"), "{paths:?}");
    assert!(paths.contains(&"apps/api/Dockerfile.production.dockerignore"));
    assert!(!paths.contains(&"apps/api/Dockerfile") && !paths.contains(&".dockerignore"));
    assert!(file(&stack, "compose.production.yml").contains("dockerfile: apps/api/Dockerfile.production }"));
}

/// Texts of a repository are written in the syntax of their file, or the service is left out with the reason.
#[test]
fn hostile_texts_never_break_out() {
    for (from, to) in [
        ("\"shop\"", "\"shop\\nservices:\""),
        ("@shop/api", "a\\\" && touch /x && \\\""),
        ("dist/main.js", "dist/$(reboot).js"),
        ("'fast'", "'fast}\\nFROM evil'"),
        ("'fast'", "'a: b # c'"),
        ("'fast'", "'http://a.example,http://b.example'"),
        ("10.34.9", "10.34.9 && evil"),
    ] {
        let Ok(planned) = plan(&survey(&repository(&[(from, to)])), &Policy::default(), &|_| false) else {
            continue;
        };
        for file in generate(&planned.stack).unwrap() {
            for line in file.text.lines() {
                let instruction = line.trim_start();
                assert!(!instruction.starts_with("FROM evil"), "{to}: {}: {line}", file.path);
                let compose = file.path.starts_with("compose.");
                assert!(!line.starts_with("services:") || compose, "{to}: {line}");
            }
            if file.path.ends_with("Dockerfile") {
                let source = plimsoll_source::Source::new(&file.path, file.text.clone());
                assert!(plimsoll_dockerfile::parse(&source).is_ok(), "{to}: {}", file.path);
            }
        }
        let compose = file(&planned.stack, "compose.production.yml");
        assert_eq!(compose.lines().filter(|line| *line == "services:").count(), 1, "{to}");
        assert!(
            !compose.contains("touch /x") && !file(&planned.stack, "plimsoll.toml").contains("evil"),
            "{to}"
        );
    }
}

#[test]
fn default_with_comma_refused() {
    let stack = stack(&[("'fast'", "'http://a.example,http://b.example'")]);
    let compose = file(&stack, "compose.production.yml");
    assert!(compose.contains("MODE: \"${MODE:-http://a.example,http://b.example}\""), "{compose}");
    // What cannot stand inside of the braces is left to the program, which has it itself.
    for default in ["'a}b'", "'a$b'", "'{}'"] {
        let stack = self::stack(&[("'fast'", default)]);
        assert!(file(&stack, "compose.production.yml").contains("      MODE:\n"), "{default}");
    }
}

#[test]
fn server_without_secrets_leaves_certificates_to_git() {
    let stack = stack(&[("\"pg\": \"8\"", "\"x\": \"8\"")]);
    assert!(missing_secrets(&stack, &|_| false).is_empty());
    let ignored = file(&stack, ".gitignore");
    assert!(ignored.contains("/.plimsoll/*") && !ignored.contains("/secrets/"), "{ignored}");
}

fn fill(bytes: &mut [u8]) -> std::io::Result<()> {
    bytes.fill(0xa5);
    Ok(())
}

#[test]
fn secrets_are_made_once_and_derived_from_what_is_there() {
    let stack = stack(&[]);
    assert_eq!(missing_secrets(&stack, &|_| false).len(), 2);
    let made = make_secrets(&stack, &|_| None, &mut fill).unwrap();
    let password = made[0].text.expose();
    assert_eq!(password.len(), 64);
    assert_eq!(made[1].text.expose(), format!("postgresql://shop:{password}@postgres:5432/shop"));

    let own = BTreeMap::from([("secrets/postgres_password", "p@ss/word\n")]);
    let read = |path: &str| own.get(path).map(|text| (*text).to_owned());
    let derived = make_secrets(&stack, &read, &mut fill).unwrap();
    assert_eq!(derived.len(), 1);
    assert_eq!(derived[0].text.expose(), "postgresql://shop:p%40ss%2Fword@postgres:5432/shop");

    let all = make_secrets(&stack, &|_| Some("x".to_owned()), &mut fill).unwrap();
    assert!(all.is_empty());
    let empty =
        make_secrets(&stack, &|path| (path == "secrets/postgres_password").then(String::new), &mut fill);
    assert!(matches!(empty, Err(SecretError::NoPassword { .. })));
    let deaf = make_secrets(&stack, &|_| None, &mut |_| Err(std::io::ErrorKind::Other.into()));
    assert!(matches!(deaf, Err(SecretError::Random(_))));
}

#[test]
fn an_address_of_another_server_on_the_laptop_is_that_server() {
    let server = |name: &str, port: u16, more: &str| {
        [
            (
                format!("{name}/package.json"),
                format!(
                    r#"{{ "name": "{name}", "scripts": {{ "start": "node s.js" }}, "dependencies": {{ "express": "5" }} }}"#
                ),
            ),
            (
                format!("{name}/s.js"),
                format!(
                    "const app = require('express')(); {more} app.get('/{name}', f); app.listen(process.env.PORT || {port}, '0.0.0.0');"
                ),
            ),
        ]
    };
    let of = |asks: &str| {
        let files: Vec<(String, String)> =
            server("shop-api", 4001, "").into_iter().chain(server("shop-web", 4000, asks)).collect();
        let repository = Repository::from_files("x", files);
        let planned = plan(&survey(&repository), &Policy::default(), &|_| false).unwrap();
        (file(&planned.stack, "compose.production.yml"), planned.notes)
    };
    let (compose, notes) = of(
        "const api = process.env.API_URL ?? 'http://localhost:4001/v1'; const other = process.env.OTHER_URL || 'http://localhost:9999';",
    );
    assert!(compose.contains("API_URL: ${API_URL:-http://shop-api:4001/v1}\n"), "{compose}");
    // nobody of the stack listens there
    assert!(notes.iter().any(|note| note.message.contains("OTHER_URL")), "{notes:?}");
    assert!(compose.contains("\nname: shop\n"), "{compose}");

    let (compose, notes) = of(
        "const api = process.env.API_URL; if (!api) throw new Error('API_URL'); const mail = process.env.MAIL_URL;",
    );
    assert!(compose.contains("API_URL: ${API_URL:-http://shop-api:4001}\n"), "{compose}");
    assert!(notes.iter().any(|note| note.message.contains("taken for the address of shop-api")));
    assert!(compose.contains("MAIL_URL:\n"), "{compose}");

    // Who calls a server of the stack needs no way out; who is told another host does.
    let (compose, _) = of("const api = process.env.API_URL; fetch(`${process.env.API_URL}/x`);");
    assert!(!compose.contains("egress"), "{compose}");
    let (compose, _) = of("const mail = process.env.MAIL_URL; fetch(`${process.env.MAIL_URL}/x`);");
    assert!(compose.contains("networks: [app, egress]"), "{compose}");
}

/// A policy names a host only in the directive that it was seen for.
#[test]
fn fonts_come_from_another_host_than_their_style_sheet() {
    let index = "<html><link rel=\"stylesheet\" href=\"https://fonts.googleapis.com/css2?family=A\">";
    let nginx = file(&stack(&[("<html>", index)]), "apps/web/nginx/nginx.conf");
    assert!(nginx.contains("style-src 'self' https://fonts.googleapis.com;"), "{nginx}");
    assert!(nginx.contains("font-src 'self' data: https://fonts.gstatic.com;"), "{nginx}");
    assert!(nginx.contains("connect-src 'self';") && !nginx.contains("script-src"), "{nginx}");
}

/// The page would call the visitor's machine: said with its line.
#[test]
fn a_page_that_calls_localhost_is_said() {
    let repository =
        repository_with(&[], &[("apps/web/src/main.js", "fetch('http://localhost:8000/api/x');")]);
    let plan = plan(&survey(&repository), &Policy::default(), &|_| false).unwrap();
    let note = plan.notes.iter().find(|note| note.message.contains("http://localhost:8000")).unwrap();
    assert_eq!((note.evidence[0].file.as_str(), note.evidence[0].line), ("apps/web/src/main.js", 1));
}

/// nginx redirects the path of a prefix location without its slash, and a browser repeats a POST as a GET.
#[test]
fn a_route_that_is_a_whole_prefix_has_a_location_of_its_own() {
    let vite = "export default { server: { proxy: { '/api': 'http://localhost:8000', '/login': 'http://localhost:8000' } } }";
    let repository = repository_with(
        &[("app.get('/api/x', f);", "app.get('/api/x', f); app.post('/login', f);")],
        &[("apps/web/vite.config.js", vite)],
    );
    let stack = plan(&survey(&repository), &Policy::default(), &|_| false).unwrap().stack;
    let nginx = file(&stack, "apps/web/nginx/nginx.conf");
    assert!(nginx.contains("location = /login {") && nginx.contains("location ^~ /login/ {"), "{nginx}");
    assert!(nginx.contains("location ^~ /api/ {") && !nginx.contains("location = /api {"), "{nginx}");
}

/// nginx refuses a path that it is told twice.
#[test]
fn a_path_of_two_servers_stands_once_in_nginx() {
    let server = |name: &str, port: u16| {
        let manifest = format!(
            r#"{{ "name": "@shop/{name}", "dependencies": {{ "express": "5", "socket.io": "4" }}, "scripts": {{ "start": "node main.js" }} }}"#
        );
        let program = format!(
            "import {{ Server }} from 'socket.io';\nconst io = new Server(server);\napp.get('/', f);\n\
             app.listen(process.env.PORT ?? {port});"
        );
        [(format!("apps/{name}/package.json"), manifest), (format!("apps/{name}/main.js"), program)]
    };
    let files: Vec<(String, String)> = [server("chat", 8001), server("board", 8002)].concat();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let repository = repository_with(&[("\"vite\"", "\"other\"")], &files);
    let plan = plan(&survey(&repository), &Policy::default(), &|_| false).unwrap();
    let nginx = file(&plan.stack, "proxy/nginx.conf");
    assert_eq!(nginx.matches("location ^~ /socket.io/ {").count(), 1, "{nginx}");
    assert_eq!(nginx.matches("location / {").count(), 1, "{nginx}");
    let said = |path: &str| {
        let message = format!("{path} belongs to another service already");
        plan.notes.iter().filter(|note| note.message == message).count()
    };
    assert_eq!((said("/"), said("/socket.io/")), (1, 1), "{:?}", plan.notes);
}

/// What a Dockerfile copies by name is in its context.
#[test]
fn a_readme_that_the_build_of_a_package_reads_is_in_its_context() {
    let files = [
        (
            "pyproject.toml",
            "[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n[project]\nname = \"shop\"\n\
             version = \"1\"\nreadme = \"README.md\"\nrequires-python = \">=3.11\"\ndependencies = [\"flask\", \"gunicorn\"]\n",
        ),
        ("README.md", "shop"),
        ("shop/__init__.py", "from flask import Flask\napp = Flask(__name__)\n"),
    ];
    let stack =
        plan(&survey(&Repository::from_files("shop", files)), &Policy::default(), &|_| false).unwrap().stack;
    let dockerfile =
        generate(&stack).unwrap().into_iter().find(|file| file.path.ends_with("Dockerfile")).unwrap();
    assert!(dockerfile.text.contains("README.md"), "{}", dockerfile.text);
    let ignored = file(&stack, ".dockerignore");
    assert!(ignored.contains("**/README.md\n") && ignored.contains("\n!README.md\n"), "{ignored}");
}

/// A bundler may write into the folder of another package.
#[test]
fn pages_that_are_built_into_another_folder_are_taken_from_there() {
    let repository = repository_with(
        &[],
        &[(
            "apps/web/vite.config.ts",
            "export default defineConfig({ build: { outDir: '../api/public/app' } })",
        )],
    );
    let planned = plan(&survey(&repository), &Policy::default(), &|_| false).unwrap();
    let dockerfile = file(&planned.stack, "apps/web/Dockerfile");
    assert!(dockerfile.contains("chmod -R a=rX apps/api/public/app\n"), "{dockerfile}");
    assert!(dockerfile.contains("COPY --from=build /app/apps/api/public/app /srv/www\n"), "{dockerfile}");
}

#[test]
fn routes_that_fail_on_purpose_or_need_an_account_elsewhere_are_no_smoke_checks() {
    let routes = "app.get('/api/x', f); app.get('/api/crash', f); app.get('/api/auth/github', f);\n\
        app.get('/api/login/google/callback', f); app.get('/api/login', f);";
    let smoke = file(&stack(&[("app.get('/api/x', f);", routes)]), "smoke.toml");
    for (path, asked) in [
        ("/api/x", true),
        ("/api/login", true),
        ("/api/crash", false),
        ("/api/auth/github", false),
        ("/callback", false),
    ] {
        assert_eq!(smoke.contains(&format!("{path}\"")), asked, "{path}: {smoke}");
    }
}

/// A server and a worker of one package, and what their development file says of MongoDB.
fn with_mongodb(connect: &str, image: &str) -> Stack {
    let files = [
        (
            "package.json",
            r#"{ "name": "todo", "scripts": { "start": "node server.js" }, "dependencies": { "express": "5", "mongoose": "8" } }"#
                .to_owned(),
        ),
        (
            "server.js",
            format!(
                "const mongoose = require('mongoose');\nmongoose.connect({connect});\nconst app = require('express')();\n\
                 app.get('/api/todos', f);\napp.listen(process.env.PORT || 3000);\n"
            ),
        ),
        (
            "docker-compose.yml",
            format!("services:\n  mongo:\n    image: {image}\n    environment:\n      MONGO_INITDB_ROOT_USERNAME: todo\n"),
        ),
    ];
    let repository = Repository::from_files("todo", files.iter().map(|(path, text)| (*path, text.clone())));
    plan(&survey(&repository), &Policy::default(), &|_| false).unwrap().stack
}

#[test]
fn mongodb_has_a_user_whom_its_clients_find() {
    let stack = with_mongodb(
        "process.env.MONGODB_URI || 'mongodb://localhost:27017/todos?retryWrites=true'",
        "mongo:7",
    );
    let compose = file(&stack, "compose.production.yml");
    for wanted in [
        "image: mongo:7\n",
        "MONGO_INITDB_ROOT_USERNAME: todo\n",
        "MONGO_INITDB_ROOT_PASSWORD_FILE: /run/secrets/mongo_password\n",
        "--wiredTigerCacheSizeGB\n      - \"0.40\"\n",
        "mongo_data:/data/db",
        "exec mongosh --quiet",
    ] {
        assert!(compose.contains(wanted), "{wanted} is not in\n{compose}");
    }
    let made = make_secrets(&stack, &|_| None, &mut fill).unwrap();
    let url = made.iter().map(|secret| secret.text.expose()).find(|text| text.contains("://")).unwrap();
    assert!(url.starts_with("mongodb://todo:"), "{url}");
    assert!(url.ends_with("@mongo:27017/todos?retryWrites=true&authSource=admin"), "{url}");
    let old = file(&with_mongodb("process.env.MONGO_URL", "mongo:4.4"), "compose.production.yml");
    assert!(old.contains("exec mongo --quiet"), "{old}");
}

#[test]
fn mongodb_asks_nobody_where_a_program_gives_no_password() {
    let compose = file(&with_mongodb("'mongodb://mongo:27017/todos'", "mongo"), "compose.production.yml");
    assert!(!compose.contains("MONGO_INITDB") && !compose.contains("secrets/mongo"), "{compose}");
    assert!(compose.contains("image: mongo:8.0\n"), "{compose}");
}
