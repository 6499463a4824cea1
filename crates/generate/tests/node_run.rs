//! How a Node.js program starts in its image, and what the image holds beside what the build writes.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod support;

use plimsoll_generate::{Policy, make_secrets, plan};
use plimsoll_survey::{Repository, survey};

use support::{file, planned};

const ROUTER: &str = r#"{ "name": "desk", "scripts": { "build": "react-router build", "start": "react-router-serve ./build/server/index.js" },
    "dependencies": { "@react-router/serve": "^7" }, "devDependencies": { "@react-router/dev": "^7" } }"#;

#[test]
fn a_program_of_a_package_is_found_by_its_link() {
    let by_npm = file(&planned(&[("package.json", ROUTER), ("package-lock.json", "{}")]), "Dockerfile");
    let command = r#"CMD ["node_modules/.bin/react-router-serve", "./build/server/index.js"]"#;
    assert!(by_npm.contains(command) && by_npm.contains("/app/build ./build"), "{by_npm}");
    // pnpm makes scripts of the shell instead of links, unless it is told.
    let by_pnpm = file(&planned(&[("package.json", ROUTER), ("pnpm-lock.yaml", "")]), "Dockerfile");
    let installs = by_pnpm.lines().filter(|line| line.contains("pnpm install --prod"));
    let linked = installs.filter(|line| line.contains("--config.prefer-symlinked-executables"));
    assert!(by_pnpm.contains(command) && linked.count() == 1, "{by_pnpm}");
}

#[test]
fn the_file_that_the_command_names_is_in_the_image() {
    let manifest = r#"{ "name": "desk", "type": "module", "scripts": { "build": "react-router build", "start": "node server.js" },
        "dependencies": { "express": "5" }, "devDependencies": { "@react-router/dev": "^7" } }"#;
    let server = "import express from 'express';\nimport { log } from './server/log.js';\nconst app = express();\napp.listen(5000);\n";
    let files = [
        ("package.json", manifest),
        ("package-lock.json", "{}"),
        ("server.js", server),
        ("server/log.js", "export const log = console;"),
    ];
    let dockerfile = file(&planned(&files), "Dockerfile");
    assert!(
        dockerfile.contains("COPY --from=build /app /app") && dockerfile.contains("CMD [\"server.js\"]"),
        "{dockerfile}"
    );
}

#[test]
fn what_the_program_reads_is_in_its_image() {
    let manifest = r#"{ "name": "desk", "scripts": { "build": "tsc", "start": "node dist/server.js" }, "dependencies": { "express": "5" } }"#;
    let files = [
        ("package.json", manifest),
        ("package-lock.json", "{}"),
        ("tsconfig.json", r#"{ "compilerOptions": { "rootDir": "src", "outDir": "dist" } }"#),
        (
            "src/server.ts",
            "const app = express();\napp.get('/', (q, r) => r.sendFile(join(__dirname, '..', 'public', 'index.html')));\napp.listen(3000);\n",
        ),
        ("public/index.html", "<html>"),
        ("bin/serve.js", ""),
    ];
    let dockerfile = file(&planned(&files), "Dockerfile");
    for line in ["COPY --from=build /app/public ./public", "chmod -R u=rwX,go=rX 'dist' 'public'"] {
        assert!(dockerfile.replace("dist public", "'dist' 'public'").contains(line), "{dockerfile}");
    }
    // A command that somebody answered names a file that no build writes.
    let mut survey = survey(&Repository::from_files("desk", files));
    let answers = [("desk.command".to_owned(), "node bin/serve.js".to_owned())].into();
    plimsoll_survey::answer(&mut survey, &answers).unwrap();
    let planned = plan(&survey, &Policy::default(), &|_| false).unwrap();
    let dockerfile = file(&planned, "Dockerfile");
    assert!(dockerfile.contains("COPY --from=build /app/bin/serve.js ./bin/serve.js"), "{dockerfile}");
}

const MEMBER: &str = r#"{ "name": "@desk/api", "scripts": { "build": "tsc", "start": "node dist/server.js" }, "dependencies": { "express": "5" } }"#;

#[test]
fn settings_of_other_packages_are_copied() {
    let own = r#"{ "extends": "../../packages/settings/node.json", "references": [{ "path": "../../packages/shapes" }],
        "compilerOptions": { "rootDir": "src", "outDir": "dist" } }"#;
    let files = [
        ("package.json", r#"{ "name": "desk", "packageManager": "pnpm@10.34.9" }"#),
        ("pnpm-workspace.yaml", "packages:\n  - apps/*\n  - packages/*\n"),
        ("pnpm-lock.yaml", ""),
        ("apps/api/package.json", MEMBER),
        ("apps/api/tsconfig.json", own),
        ("apps/api/src/server.ts", "const app = express();\napp.listen(3000);\n"),
        ("packages/settings/package.json", r#"{ "name": "@desk/settings" }"#),
        (
            "packages/settings/node.json",
            r#"{ "extends": ["../../tools/base.json", "@desk/strict/strict.json"] }"#,
        ),
        ("packages/strict/package.json", r#"{ "name": "@desk/strict" }"#),
        ("packages/strict/strict.json", "{}"),
        ("packages/shapes/package.json", r#"{ "name": "@desk/shapes" }"#),
        ("packages/shapes/tsconfig.json", "{}"),
        ("packages/none/package.json", r#"{ "name": "@desk/none" }"#),
        ("tools/base.json", "{}"),
    ];
    let survey = survey(&Repository::from_files("desk", files));
    let api = survey.workspaces.iter().find(|package| package.path == "apps/api").unwrap();
    let uses: Vec<(&str, &str)> =
        api.uses.iter().map(|used| (used.value.as_str(), used.evidence[0].file.as_str())).collect();
    assert_eq!(
        uses,
        [
            ("@desk/settings", "apps/api/tsconfig.json"),
            ("@desk/shapes", "apps/api/tsconfig.json"),
            ("@desk/strict", "packages/settings/node.json")
        ]
    );
    let planned = plan(&survey, &Policy::default(), &|_| false).unwrap();
    let dockerfile = file(&planned, "apps/api/Dockerfile");
    for line in [
        "COPY packages/settings packages/settings",
        "COPY packages/strict packages/strict",
        "COPY tools/base.json tools/",
    ] {
        assert!(dockerfile.contains(line), "{line}\n{dockerfile}");
    }
    assert!(!dockerfile.contains("packages/none"), "{dockerfile}");
}

#[test]
fn packages_are_installed_below_the_program_whatever_yarns_settings_say() {
    let manifest =
        r#"{ "name": "desk", "scripts": { "start": "node index.js" }, "dependencies": { "express": "5" } }"#;
    let files = |yarnrc| {
        let listen = "const express = require('express');\nconst app = express();\napp.listen(3000);\n";
        [
            ("package.json", manifest),
            ("yarn.lock", "# yarn lockfile v1\n"),
            ("index.js", listen),
            (".yarnrc", yarnrc),
        ]
    };
    for yarnrc in ["# ours\n--modules-folder /node_modules\n", "--install.modules-folder \"/node_modules\"\n"]
    {
        let dockerfile = file(&planned(&files(yarnrc)), "Dockerfile");
        let installs = dockerfile.matches("sed -i '/modules-folder/d' .yarnrc && yarn install").count();
        assert_eq!(installs, 2, "{dockerfile}");
    }
    let usual = file(&planned(&files("network-timeout 600000\n")), "Dockerfile");
    assert!(!usual.contains("modules-folder"), "{usual}");
}

#[test]
fn an_address_with_a_password_in_the_program_is_said_and_no_variable_invented() {
    let manifest = r#"{ "name": "desk", "scripts": { "start": "node index.js" }, "dependencies": { "express": "5", "pg": "8" } }"#;
    let with = |settings: &str| {
        let program = format!(
            "const {{ Pool }} = require('pg');\nconst express = require('express');\nconst pool = new Pool({{\n  {settings}\n}});\n\
             const app = express();\napp.listen(3000);\n"
        );
        planned(&[("package.json", manifest), ("package-lock.json", "{}"), ("index.js", &program)])
    };
    for (settings, store, by_itself) in [
        ("connectionString: 'postgres://desk:d3sk@postgres/tops'", "postgres", false),
        ("connectionString: 'postgres://desk:d3sk@db/tops'", "db", false),
        ("host: 'db', user: 'desk', password: 'd3sk', database: 'tops'", "db", false),
        ("user: 'desk', password: 'd3sk', database: 'tops'", "postgres", true),
        (
            "user: process.env.DB_USER, password: 'd3sk', database: 'tops', host: process.env.DB_HOST",
            "postgres",
            false,
        ),
    ] {
        let planned = with(settings);
        let said = format!("the password of {store} stands in the source at index.js:4");
        let note = planned.notes.iter().find(|note| note.message.contains(&said));
        assert!(note.is_some(), "{settings}: {:#?}", planned.notes);
        let compose = file(&planned, "compose.production.yml");
        // The client reads the variable where nothing else says the host, and no other.
        assert_eq!(compose.contains(&format!("PGHOST: {store}")), by_itself, "{settings}\n{compose}");
        assert!(!compose.contains("PGPASSWORD") && !compose.contains("PGUSER"), "{settings}\n{compose}");
        assert!(
            compose.contains("POSTGRES_DB: tops") && compose.contains(&format!("\n  {store}:\n")),
            "{compose}"
        );
        let secrets = make_secrets(&planned.stack, &|_| None, &mut |_| Ok(())).unwrap();
        let password = secrets.iter().find(|secret| secret.path == format!("secrets/{store}_password"));
        assert_eq!(password.unwrap().text.expose(), "d3sk", "{settings}");
    }
    // With a password of its own the program is not let in, and that is said.
    let question = "postgres.password";
    let program = "const { Pool } = require('pg');\nconst pool = new Pool({ connectionString: 'postgres://desk:d3sk@postgres/desk' });\n\
                   require('express')().listen(3000);\n";
    let files = [("package.json", manifest), ("package-lock.json", "{}"), ("index.js", program)];
    let mut survey = survey(&Repository::from_files("desk", files));
    assert!(survey.questions.iter().any(|asked| asked.id == question), "{:#?}", survey.questions);
    plimsoll_survey::answer(&mut survey, &[(question.to_owned(), "own".to_owned())].into()).unwrap();
    let planned = plan(&survey, &Policy::default(), &|_| false).unwrap();
    assert!(
        planned.notes.iter().any(|note| note.message.contains("another password")),
        "{:#?}",
        planned.notes
    );
    // Without a word about it the client reads its own variables.
    assert!(file(&with("max: 5"), "compose.production.yml").contains("PGHOST"));
}

#[test]
fn a_client_without_a_host_reads_its_variable_or_is_said() {
    let with = |packages: &str, program: &str| {
        let manifest = format!(
            r#"{{ "name": "desk", "scripts": {{ "start": "node index.js" }}, "dependencies": {{ "express": "5", {packages} }} }}"#
        );
        let program = format!("{program}\nrequire('express')().listen(3000);\n");
        planned(&[("package.json", &manifest), ("package-lock.json", "{}"), ("index.js", &program)])
    };
    let login = "user: process.env.DB_USER, password: process.env.DB_PASSWORD, database: process.env.DB_NAME";
    let pg = r#""pg": "8""#;
    for (packages, program) in [
        (pg.to_owned(), format!("const {{ Pool }} = require('pg');\nconst pool = new Pool({{ {login} }});")),
        (
            r#""postgres": "3""#.to_owned(),
            format!("const postgres = require('postgres');\nconst sql = postgres({{ {login} }});"),
        ),
        (
            format!(r#""knex": "3", {pg}"#),
            format!("const knex = require('knex')({{ client: 'pg', connection: {{ {login} }} }});"),
        ),
    ] {
        let planned = with(&packages, &program);
        let compose = file(&planned, "compose.production.yml");
        for line in ["PGHOST: postgres\n", "DB_USER: desk\n", "DB_PASSWORD_FILE: /run/secrets/db_password\n"]
        {
            assert!(compose.contains(line), "{program}\n{compose}");
        }
        assert!(!compose.contains("PGUSER") && !compose.contains("PGPASSWORD"), "{program}\n{compose}");
    }
    let sequelize = "const { Sequelize } = require('sequelize');\n";
    for (packages, program, line) in [
        (
            format!(r#""sequelize": "6", {pg}"#),
            format!(
                "{sequelize}const db = new Sequelize(process.env.DB, process.env.DB_USER, process.env.DB_PASSWORD, {{ dialect: 'postgres' }});"
            ),
            2,
        ),
        (
            r#""mysql2": "3""#.to_owned(),
            format!("const mysql = require('mysql2');\nconst db = mysql.createPool({{ {login} }});"),
            2,
        ),
        (
            r#""ioredis": "5""#.to_owned(),
            "const Redis = require('ioredis');\nconst redis = new Redis();".to_owned(),
            2,
        ),
        (
            r#""redis": "5""#.to_owned(),
            "const { createClient } = require('redis');\nconst redis = createClient();".to_owned(),
            2,
        ),
    ] {
        let planned = with(&packages, &program);
        let note =
            planned.notes.iter().find(|note| note.message.contains("is given no host and takes localhost"));
        let note = note.unwrap_or_else(|| panic!("{program}: {:#?}", planned.notes));
        assert_eq!((note.evidence[0].file.as_str(), note.evidence[0].line), ("index.js", line), "{program}");
    }
    // A host that is given, or that may be, is not said to be missing.
    for program in [
        format!(
            "const {{ Pool }} = require('pg');\nconst pool = new Pool({{ host: process.env.DB_HOST, {login} }});"
        ),
        format!("const {{ Pool }} = require('pg');\nconst pool = new Pool({{ ...settings, {login} }});"),
        format!("const {{ Pool }} = require('pg');\nconst pool = new Pool({{ host: find(), {login} }});"),
    ] {
        let planned = with(pg, &program);
        assert!(!file(&planned, "compose.production.yml").contains("PGHOST"), "{program}");
        assert!(planned.notes.iter().all(|note| !note.message.contains("no host")), "{:#?}", planned.notes);
    }
}

#[test]
fn the_programs_user_has_a_name_in_its_image() {
    let manifest =
        r#"{ "name": "desk", "scripts": { "start": "node index.js" }, "dependencies": { "express": "5" } }"#;
    let with = |program: &str| {
        let files = [("package.json", manifest), ("package-lock.json", "{}"), ("index.js", program)];
        file(&planned(&files), "Dockerfile")
    };
    let listen = "const app = require('express')();\napp.listen(3000);\n";
    // Without a shell the list of users comes from a stage that has one.
    let plain = with(listen);
    let (build, runtime) = plain.split_once("FROM ${RUNTIME_IMAGE} AS runtime").unwrap();
    assert!(build.contains("app:x:10001:10001::/tmp:/sbin/nologin > /accounts/passwd"), "{plain}");
    assert!(runtime.contains("\nCOPY --from=build /accounts /etc\n") && !runtime.contains("RUN"), "{plain}");
    let shell = with(&format!("const {{ exec }} = require('child_process');\n{listen}exec('ls');\n"));
    let (_, runtime) = shell.split_once("FROM ${RUNTIME_IMAGE} AS runtime").unwrap();
    assert!(runtime.contains("app:x:10001:10001::/tmp:/usr/sbin/nologin >> /etc/passwd"), "{shell}");
    assert!(!shell.contains("/accounts"), "{shell}");
}

#[test]
fn folders_that_nitro_writes_are_volumes() {
    let manifest = r#"{ "name": "desk", "scripts": { "build": "nuxt build" }, "dependencies": { "nuxt": "4", "@nuxthub/core": "0.10" } }"#;
    let files =
        |config| [("package.json", manifest), ("package-lock.json", "{}"), ("nuxt.config.ts", config)];
    let hub = planned(&files(
        "export default defineNuxtConfig({\n  hub: { db: 'sqlite', kv: false, blob: true },\n});",
    ));
    let compose = file(&hub, "compose.production.yml");
    assert!(compose.contains(":/app/.data/db") && compose.contains(":/app/.data/blob"), "{compose}");
    assert!(!compose.contains(".data/kv"), "{compose}");
    let dockerfile = file(&hub, "Dockerfile");
    assert!(dockerfile.contains("/writable/app/.data/db"), "{dockerfile}");
    let elsewhere =
        planned(&files("export default defineNuxtConfig({ hub: { db: { dialect: 'postgresql' } } });"));
    assert!(!file(&elsewhere, "compose.production.yml").contains(".data"));
    let nitro = r#"{ "name": "desk", "scripts": { "build": "nitropack build" }, "dependencies": { "nitropack": "2" } }"#;
    let route = "export default defineEventHandler(async () => {\n  const db = useDatabase();\n  await useStorage('data').setItem('a', 1);\n});";
    let own = planned(&[("package.json", nitro), ("package-lock.json", "{}"), ("routes/index.ts", route)]);
    let compose = file(&own, "compose.production.yml");
    assert!(compose.contains(":/app/.data\"") && !compose.contains(".data/kv"), "{compose}");
}

#[test]
fn a_second_server_with_pages_is_published_at_a_port_of_its_own() {
    let node = r#"{ "name": "result", "scripts": { "start": "node server.js" }, "dependencies": { "express": "5" } }"#;
    let page = "const app = require('express')();\napp.get('/', (q, r) => r.sendFile(require('path').resolve(__dirname, 'views/index.html')));\napp.listen(4000);\n";
    let vote = "from flask import Flask, render_template\napp = Flask(__name__)\n@app.route('/', methods=['POST', 'GET'])\n\
                def hello():\n    return render_template('index.html')\n";
    let files = |server| {
        [
            ("result/package.json", node),
            ("result/package-lock.json", "{}"),
            ("result/server.js", server),
            ("vote/requirements.txt", "Flask==3.0.3\ngunicorn==23.0.0\n"),
            ("vote/app.py", vote),
        ]
    };
    let both = planned(&files(page));
    let compose = file(&both, "compose.production.yml");
    for text in
        ["${HTTP_PORT:-8080}:8080", "${VOTE_PROXY_PORT:-8081}:8080", "\n  vote-proxy:\n", "\n  proxy:\n"]
    {
        assert!(compose.contains(text), "{text}\n{compose}");
    }
    assert!(file(&both, "vote-proxy/nginx.conf").contains("http://vote:8000"), "{compose}");
    let nginx = file(&both, "proxy/nginx.conf");
    assert!(nginx.contains("http://result:4000") && !nginx.contains("http://vote:"), "{nginx}");
    let note =
        both.notes.iter().find(|note| note.subject == "vote" && note.message.contains("a port of its own"));
    assert_eq!(note.unwrap().evidence[0].file, "vote/app.py");
    // A person may put it below a path instead.
    let mut survey = survey(&Repository::from_files("desk", files(page)));
    plimsoll_survey::answer(&mut survey, &[("vote.prefix".to_owned(), "/vote/-".to_owned())].into()).unwrap();
    let one = plan(&survey, &Policy::default(), &|_| false).unwrap();
    assert!(!file(&one, "compose.production.yml").contains("VOTE_PROXY_PORT"));
    // A server without pages is an interface of the other one.
    let api = planned(&files(
        "const app = require('express')();\napp.get('/', (q, r) => r.json({ ok: true }));\napp.get('/api/a', f);\napp.listen(4000);\n",
    ));
    let compose = file(&api, "compose.production.yml");
    assert!(!compose.contains("_PROXY_PORT"), "{compose}");
    assert!(file(&api, "proxy/nginx.conf").contains("location ^~ /api/"), "{compose}");
}
