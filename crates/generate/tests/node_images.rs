//! Images of Node.js programs that need more than their build's output: packages for development, files of SQLite.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod support;

use support::{file, planned};

const LISTEN: &str =
    "import express from 'express';\nconst app = express();\napp.listen(process.env.PORT ?? 3000);\n";

#[test]
fn a_runner_for_development_is_in_the_image_with_the_sources() {
    let manifest = r#"{ "name": "desk", "scripts": { "start": "tsx src/index.ts" }, "dependencies": { "express": "5" },
        "devDependencies": { "tsx": "4" } }"#;
    let planned =
        planned(&[("package.json", manifest), ("package-lock.json", "{}"), ("src/index.ts", LISTEN)]);
    let dockerfile = file(&planned, "Dockerfile");
    assert!(!dockerfile.contains("--omit=dev") && !dockerfile.contains("*.d.ts"), "{dockerfile}");
    assert!(dockerfile.contains("the program needs tsx when it runs"), "{dockerfile}");
    assert!(dockerfile.contains("CMD [\"--import\", \"tsx\", \"src/index.ts\"]"), "{dockerfile}");
    let compose = file(&planned, "compose.production.yml");
    assert!(
        compose.contains("TSX_DISABLE_CACHE: \"1\"") || compose.contains("TSX_DISABLE_CACHE: 1"),
        "{compose}"
    );
    assert!(file(&planned, "plimsoll.toml").contains("500MB"), "{}", file(&planned, "plimsoll.toml"));
    assert!(planned.notes.iter().any(|note| note.message.contains("tsx") && note.evidence[0].line == 2));
}

#[test]
fn a_file_of_sqlite_that_a_variable_names_has_a_volume_and_an_owner() {
    let manifest = r#"{ "name": "desk", "scripts": { "start": "node index.js" }, "dependencies": { "express": "5", "@prisma/client": "6" },
        "devDependencies": { "prisma": "6" } }"#;
    let schema = "datasource db {\n  provider = \"sqlite\"\n  url = env(\"DATABASE_URL\")\n}\n";
    let planned = planned(&[
        ("package.json", manifest),
        ("package-lock.json", "{}"),
        ("index.js", LISTEN),
        ("prisma/schema.prisma", schema),
        ("prisma/migrations/1/migration.sql", "create table a (b int);"),
    ]);
    let compose = file(&planned, "compose.production.yml");
    let (_, migrate) = compose.split_once("\n  migrate:").unwrap();
    let (server, _) = compose.split_once("\n  migrate:").unwrap();
    for unit in [server, migrate] {
        assert!(
            unit.contains("DATABASE_URL: file:/data/app.db") && unit.contains("desk_data:/data"),
            "{compose}"
        );
    }
    let dockerfile = file(&planned, "Dockerfile");
    assert!(
        dockerfile.contains("COPY --from=build --chown=10001:10001 /writable/data /data\n"),
        "{dockerfile}"
    );
    assert!(!dockerfile.contains("/writable/app"), "{dockerfile}");
}

#[test]
fn a_version_that_is_too_old_leaves_nothing_out() {
    let server = r#"{ "name": "desk", "engines": { "node": "10.x" }, "scripts": { "start": "node index.js" }, "dependencies": { "express": "4" } }"#;
    let site = r#"{ "name": "web", "scripts": { "build": "react-scripts build" }, "dependencies": { "react-scripts": "3" } }"#;
    let files = [
        ("package.json", server),
        ("index.js", LISTEN),
        ("web/package.json", site),
        ("web/public/index.html", "<html>"),
    ];
    let planned = planned(&files);
    assert!(planned.left_out.is_empty(), "{:?}", planned.left_out);
    assert!(file(&planned, "Dockerfile").contains("NODE_IMAGE=node:20"));
}

#[test]
fn a_folder_that_an_install_reads_stays_a_folder() {
    let manifest = r#"{ "name": "desk", "scripts": { "start": "node index.js" }, "dependencies": { "express": "5", "@prisma/client": "6" } }"#;
    let schema = "datasource db {\n  provider = \"postgresql\"\n  url = env(\"DATABASE_URL\")\n}\n";
    let files = [
        ("package.json", manifest),
        ("package-lock.json", "{}"),
        ("index.js", LISTEN),
        ("patches/express+5.patch", ""),
        ("prisma/schema.prisma", schema),
    ];
    let dockerfile = file(&planned(&files), "Dockerfile");
    for folder in ["patches", "prisma"] {
        assert!(dockerfile.contains(&format!("COPY {folder} {folder}\n")), "{dockerfile}");
        assert!(!dockerfile.contains(&format!("{folder} ./")), "{dockerfile}");
    }
}

#[test]
fn migrations_whose_settings_are_the_programs_get_its_variables() {
    let manifest = r#"{ "name": "desk", "type": "module", "scripts": { "build": "tsc", "start": "node dist/index.js" },
        "dependencies": { "express": "5", "drizzle-orm": "1", "pg": "8" }, "devDependencies": { "drizzle-kit": "1", "typescript": "5" } }"#;
    let env = "export const url = process.env.DATABASE_URL;\nexport const level = process.env.LOG_LEVEL ?? 'info';\n";
    let config = |first: &str| {
        format!(
            "{first}export default {{ dialect: 'postgresql', out: './drizzle', dbCredentials: {{ url: process.env.DATABASE_URL }} }};\n"
        )
    };
    let server = "import express from 'express';\nimport pg from 'pg';\nimport { url, level } from './env.js';\n\
        new pg.Pool({ connectionString: url });\nconst app = express();\napp.listen(3000);\n";
    let migrate = |config: &str| {
        let files = [
            ("package.json", manifest),
            ("package-lock.json", "{}"),
            ("tsconfig.json", r#"{ "compilerOptions": { "rootDir": "src", "outDir": "dist" } }"#),
            ("src/index.ts", server),
            ("src/env.ts", env),
            ("drizzle.config.ts", config),
            ("drizzle/0000.sql", "create table a (b int);"),
        ];
        let compose = file(&planned(&files), "compose.production.yml");
        let (_, migrate) = compose.split_once("\n  migrate:").unwrap_or_else(|| panic!("{compose}"));
        migrate.split("\n\n").next().unwrap().to_owned()
    };
    let with = migrate(&config("import { url } from './src/env';\n"));
    assert!(with.contains("LOG_LEVEL: ${LOG_LEVEL:-info}"), "{with}");
    let without = migrate(&config(""));
    assert!(!without.contains("LOG_LEVEL"), "{without}");
}

#[test]
fn the_user_of_redis_has_a_name() {
    let manifest = r#"{ "name": "desk", "scripts": { "start": "node index.js" }, "dependencies": { "express": "5", "ioredis": "5" } }"#;
    let redis = "import Redis from 'ioredis';\nnew Redis({ host: process.env.REDISHOST, port: process.env.REDISPORT, \
        username: process.env.REDISUSER, password: process.env.REDISPASSWORD });\n";
    let files =
        [("package.json", manifest), ("package-lock.json", "{}"), ("index.js", LISTEN), ("queue.js", redis)];
    let compose = file(&planned(&files), "compose.production.yml");
    assert!(compose.contains("REDISUSER: default"), "{compose}");
}

#[test]
fn a_document_that_the_program_reads_is_in_the_context() {
    let manifest =
        r#"{ "name": "desk", "scripts": { "start": "node index.js" }, "dependencies": { "express": "5" } }"#;
    let reads = format!("{LISTEN}require('fs').readFileSync(__dirname + '/CHANGELOG.md', 'utf8');\n");
    let files = [
        ("package.json", manifest),
        ("package-lock.json", "{}"),
        ("index.js", reads.as_str()),
        ("CHANGELOG.md", "# 1.0"),
        ("README.md", "# Desk"),
    ];
    let ignore = file(&planned(&files), ".dockerignore");
    assert!(ignore.contains("\n!CHANGELOG.md\n") && !ignore.contains("!README.md"), "{ignore}");
}

#[test]
fn uploads_pass_the_front() {
    let manifest = r#"{ "name": "desk", "scripts": { "start": "node index.js" }, "dependencies": { "express": "5", "multer": "2" } }"#;
    let limit = |options: &str| {
        let index = format!(
            "const multer = require('multer');\nconst upload = multer({{ dest: 'uploads/'{options} }});\n{LISTEN}"
        );
        let files = [("package.json", manifest), ("package-lock.json", "{}"), ("index.js", index.as_str())];
        let planned = planned(&files);
        let conf = file(&planned, "proxy/nginx.conf");
        let line = conf.lines().find(|line| line.contains("client_max_body_size")).unwrap().trim().to_owned();
        (line, planned.notes.iter().any(|note| note.message.contains("20 MB pass the front")))
    };
    assert_eq!(limit(""), ("client_max_body_size 20m;".to_owned(), true));
    assert_eq!(
        limit(", limits: { fileSize: 5 * 1024 * 1024 }"),
        ("client_max_body_size 5m;".to_owned(), false)
    );
}

#[test]
fn plain_pages_are_sources_and_load_what_they_name() {
    let page = "<html><head><link rel=stylesheet href=\"https://cdn.example.com/site.css\"><script src=\"https://cdn.example.com/site.js\"></script>\
                </head><body><script src=app.js></script></body></html>";
    for folder in ["public", "www", "html"] {
        let index = format!("{folder}/index.html");
        let code = format!("{folder}/app.js");
        let files = [
            (index.as_str(), page),
            (code.as_str(), "const API_URL = 'https://api.example.com/v1';\nfetch(API_URL);\n"),
        ];
        let planned = planned(&files);
        let ignore = file(&planned, ".dockerignore");
        assert!(!ignore.contains(&format!("**/{folder}\n")), "{ignore}");
        let conf = file(&planned, "nginx/nginx.conf");
        for directive in [
            "script-src 'self' https://cdn.example.com",
            "style-src 'self' https://cdn.example.com",
            "connect-src 'self' https://api.example.com",
        ] {
            assert!(conf.contains(directive), "{conf}");
        }
    }
}

#[test]
fn a_tool_that_npm_keeps_as_an_optional_peer_is_not_in_the_image_of_the_program() {
    let manifest = |start: &str| {
        format!(
            r#"{{ "name": "desk", "scripts": {{ "build": "prisma generate", "start": "node index.js", "migrate": "{start}" }},
            "dependencies": {{ "express": "5", "@prisma/client": "7" }}, "devDependencies": {{ "prisma": "7" }} }}"#
        )
    };
    let with = |manifest: &str, lock: &str, generator: &str| {
        let schema = format!(
            "generator client {{\n  {generator}\n}}\ndatasource db {{\n  provider = \"postgresql\"\n  url = env(\"DATABASE_URL\")\n}}\n"
        );
        let planned = planned(&[
            ("package.json", manifest),
            ("package-lock.json", lock),
            ("index.js", "require('express')().listen(3000);\n"),
            ("migrate.js", "require('./apply');\n"),
            ("prisma/schema.prisma", &schema),
            ("prisma/migrations/1_a/migration.sql", "create table a (b int);"),
        ]);
        file(&planned, "Dockerfile")
    };
    let kept = r#"{ "packages": { "node_modules/prisma": { "version": "7.1.0", "devOptional": true } } }"#;
    let own = manifest("node migrate.js");
    let classic = "provider = \"prisma-client-js\"";
    let dockerfile = with(&own, kept, classic);
    for line in ["COPY docker/lean.cjs /lean.cjs\n", "    && node /lean.cjs prisma \\\n"] {
        assert!(dockerfile.contains(line), "{dockerfile}");
    }
    assert!(dockerfile.contains("/runtime/*.wasm-base64.*' -delete"), "{dockerfile}");
    // A client in the project's own folder loads the one of its database from the package.
    let new = "provider = \"prisma-client\"\n  output = \"../generated\"";
    assert!(with(&own, kept, new).contains("/runtime/*.wasm-base64.*' ! -name '*.postgresql.*' -delete"));
    // What applies the migrations needs it, or npm leaves it out by itself.
    let cli = manifest("prisma migrate deploy");
    for dockerfile in [with(&cli, kept, classic), with(&own, "{}", classic)] {
        assert!(!dockerfile.contains("lean.cjs"), "{dockerfile}");
    }
}

#[test]
fn a_job_has_a_place_for_what_its_command_line_remembers() {
    let manifest = r#"{ "name": "desk", "scripts": { "start": "node index.js", "db:migrate": "drizzle-kit migrate" },
        "dependencies": { "express": "5", "pg": "8", "drizzle-orm": "1", "drizzle-kit": "1" } }"#;
    let program = "const { Pool } = require('pg');\nnew Pool({ connectionString: process.env.DATABASE_URL });\n\
                   new Pool({ connectionString: process.env.SECOND_DATABASE_URL });\nrequire('express')().listen(3000);\n";
    let planned = planned(&[
        ("package.json", manifest),
        ("package-lock.json", "{}"),
        ("index.js", program),
        ("drizzle.config.js", "module.exports = { dialect: 'postgresql', out: './drizzle' };"),
        ("drizzle/0000_a.sql", "create table a (b int);"),
        ("drizzle/meta/_journal.json", "{}"),
    ]);
    let compose = file(&planned, "compose.production.yml");
    let (_, job) = compose.split_once("\n  migrate:\n").unwrap_or_else(|| panic!("{compose}"));
    let (job, _) = job.split_once("\n  postgres:\n").unwrap_or((job, ""));
    assert!(job.contains("XDG_DATA_HOME: /tmp\n") && job.contains("\"/tmp:uid=10001"), "{job}");
    // Two addresses lead to one store, which it waits for once.
    assert_eq!(job.matches("postgres: { condition: service_healthy }").count(), 1, "{job}");
}
