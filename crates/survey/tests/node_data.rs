//! Where a program of Node.js keeps its data and its secrets: SQLite's files, migrations, variables that a library reads
//! by itself; and packages that are said, because nothing can be generated for them.

mod support;

use plimsoll_survey::{Shape, StoreKind, Survey};

use support::{gap, of, service};

/// A server in the root with these dependencies and a program `index.js`.
fn desk(dependencies: &str, program: &str, more: &[(&str, &str)]) -> Survey {
    let manifest = format!(
        "{{ \"name\": \"desk\", \"scripts\": {{ \"start\": \"node index.js\" }},\n \"dependencies\": {{ \"express\": \"5\", \
         {dependencies} }} }}"
    );
    let program = format!("{program}\napp.listen(process.env.PORT ?? 3000);\n");
    of(&[&[("package.json", manifest.as_str()), ("index.js", &program)], more].concat())
}

/// Folders that are kept, and variables that the stack sets.
fn kept(survey: &Survey) -> (Vec<&str>, Vec<(&str, &str)>) {
    let service = service(survey, "desk");
    let folders = service.writes.iter().filter(|writes| writes.keep).map(|writes| writes.path.value.as_str());
    let set = service.settings.iter().map(|setting| (setting.name.as_str(), setting.value.as_str()));
    (folders.collect(), set.collect())
}

const SEQUELIZE: &str = "\"sequelize\": \"6\", \"sqlite3\": \"5\"";

fn sequelize(settings: &str) -> String {
    format!(
        "const {{ Sequelize }} = require('sequelize');\nnew Sequelize({{ dialect: 'sqlite', {settings} }});"
    )
}

#[test]
fn the_folder_of_a_database_file_is_kept() {
    let survey = desk(SEQUELIZE, &sequelize("storage: 'store/desk.sqlite'"), &[]);
    assert_eq!(service(&survey, "desk").stores[0].kind, StoreKind::Sqlite);
    assert_eq!(kept(&survey), (vec!["store"], vec![]));
    let survey = desk(SEQUELIZE, &sequelize("storage: process.env.DESK_FILE ?? './store/desk.sqlite'"), &[]);
    assert_eq!(kept(&survey), (vec!["store"], vec![]));
    let joined = sequelize("storage: path.join(__dirname, 'store', 'desk.sqlite')");
    assert_eq!(kept(&desk(SEQUELIZE, &joined, &[])).0, ["store"]);
    let knex = "const knex = require('knex')({ client: 'sqlite3', connection: { filename: './store/desk.sqlite' } });";
    assert_eq!(kept(&desk("\"knex\": \"3\", \"sqlite3\": \"5\"", knex, &[])).0, ["store"]);
    assert!(kept(&desk(SEQUELIZE, &sequelize("storage: ':memory:'"), &[])).0.is_empty());
}

#[test]
fn a_database_file_beside_the_program_is_said() {
    for (file, more) in [("desk.sqlite", None), ("./src/desk.sqlite", Some(("src/routes.js", "")))] {
        let survey = desk(SEQUELIZE, &sequelize(&format!("storage: '{file}'")), more.as_slice());
        let gap = gap(&survey, "lies beside the program");
        assert_eq!(
            (gap.subject.as_str(), gap.evidence[0].file.as_str(), gap.evidence[0].line),
            ("desk", "index.js", 2)
        );
        assert!(kept(&survey).0.is_empty());
    }
}

#[test]
fn a_database_file_that_a_variable_names_lies_on_a_volume() {
    let survey = desk(SEQUELIZE, &sequelize("storage: process.env.DESK_FILE"), &[]);
    assert_eq!(kept(&survey), (vec!["/data"], vec![("DESK_FILE", "/data/app.db")]));
    let survey = desk(SEQUELIZE, &sequelize("storage: process.env.DESK_FILE || 'desk.sqlite'"), &[]);
    assert_eq!(kept(&survey), (vec!["/data"], vec![("DESK_FILE", "/data/desk.sqlite")]));
    let schema = "datasource db {\n  provider = \"sqlite\"\n  url = env(\"DATABASE_URL\")\n}\n";
    let example = (".env.example", "DATABASE_URL=\"file:./desk.db?connection_limit=1\"\n");
    let prisma = desk("\"@prisma/client\": \"6\"", "", &[("prisma/schema.prisma", schema), example]);
    assert_eq!(kept(&prisma), (vec!["/data"], vec![("DATABASE_URL", "file:/data/desk.db")]));
    let libsql =
        "import { createClient } from '@libsql/client';\ncreateClient({ url: process.env.DATABASE_URL });";
    let client = "\"@libsql/client\": \"0.15\"";
    let example = (".env.example", "DATABASE_URL=file:desk.db\n");
    assert_eq!(kept(&desk(client, libsql, &[example])).1, [("DATABASE_URL", "file:/data/desk.db")]);
    // One at somebody else's place has no file.
    let hosted = (".env.example", "DATABASE_URL=libsql://desk.example\n");
    assert_eq!(kept(&desk(client, libsql, &[hosted])), (vec![], vec![]));
}

const DRIZZLE: &str =
    "\"drizzle-orm\": \"0.45\", \"postgres\": \"3\" }, \"devDependencies\": { \"drizzle-kit\": \"0.31\"";
const SETTINGS: (&str, &str) = ("drizzle.config.ts", "export default defineConfig({ out: './drizzle' });");

#[test]
fn migrations_of_drizzle_kit_are_run_or_said() {
    let survey = desk(DRIZZLE, "", &[SETTINGS, ("drizzle/0000.sql", "create table a (b int);")]);
    let desk_service = service(&survey, "desk");
    let command = desk_service.migration.as_ref().unwrap().command.as_ref().unwrap();
    assert_eq!(
        command.value.join(" "),
        "node node_modules/drizzle-kit/bin.cjs migrate --config drizzle.config.ts"
    );
    assert_eq!(desk_service.development_packages.as_ref().unwrap().value, "drizzle-kit");
    // Tables that only `drizzle-kit push` makes.
    let survey = desk(DRIZZLE, "", &[SETTINGS]);
    assert_eq!(gap(&survey, "the stack begins with an empty database").evidence[0].file, "drizzle.config.ts");
    assert!(service(&survey, "desk").migration.as_ref().unwrap().command.is_none());
    // A bundle holds no command line: that is said, and no job is planned that cannot run.
    let manifest = r#"{ "name": "desk", "scripts": { "build": "next build" }, "dependencies": { "next": "16", "drizzle-orm": "0.45" },
        "devDependencies": { "drizzle-kit": "0.31" } }"#;
    let survey = of(&[("package.json", manifest), SETTINGS, ("drizzle/0000.sql", "create table a (b int);")]);
    assert_eq!(service(&survey, "desk").shape, Shape::Bundle);
    assert!(service(&survey, "desk").migration.as_ref().unwrap().command.is_none());
    assert!(
        gap(&survey, "the stack begins with an empty database")
            .message
            .contains("drizzle-kit/bin.cjs migrate")
    );
}

#[test]
fn a_tool_for_migrations_among_the_packages_for_development_is_in_the_image() {
    let schema = "datasource db {\n  provider = \"postgresql\"\n  url = env(\"DATABASE_URL\")\n}\n";
    let dependencies = "\"@prisma/client\": \"6\" }, \"devDependencies\": { \"prisma\": \"6\"";
    let files = [("prisma/schema.prisma", schema), ("prisma/migrations/1/migration.sql", "select 1;")];
    let survey = desk(dependencies, "", &files);
    assert_eq!(service(&survey, "desk").development_packages.as_ref().unwrap().value, "prisma");
    assert!(!survey.gaps.iter().any(|gap| gap.message.contains("production does not have it")));
}

#[test]
fn packages_that_cannot_be_generated_are_said() {
    let root = r#"{ "name": "desk", "workspaces": ["apps/*"] }"#;
    let api = "{ \"name\": \"@desk/api\", \"exports\": \"./index.ts\",\n \"scripts\": { \"deploy\": \"wrangler deploy --env live\" },\n \
               \"devDependencies\": { \"hono\": \"4\" } }";
    let app = r#"{ "name": "@desk/app", "scripts": { "build": "vite build" }, "devDependencies": { "vite": "7", "@desk/api": "*" } }"#;
    let survey = of(&[
        ("package.json", root),
        ("apps/api/package.json", api),
        ("apps/api/index.ts", "export type Api = 1;"),
        ("apps/app/package.json", app),
        ("apps/app/index.html", "<html>"),
    ]);
    let said = gap(&survey, "deployed by `wrangler deploy --env live`");
    assert_eq!((said.subject.as_str(), said.evidence[0].line), ("apps/api", 2));
    let edge = "{ \"name\": \"edge\",\n \"scripts\": { \"build\": \"react-router build\", \"deploy\": \"npm run build && wrangler deploy\" },\n \
                \"devDependencies\": { \"@react-router/dev\": \"7\" } }";
    let survey = of(&[("package.json", edge), ("app/root.tsx", "")]);
    assert!(survey.services.is_empty() && survey.questions.is_empty(), "{:?}", survey.questions);
    assert_eq!(gap(&survey, "deployed by `npm run build && wrangler deploy`").evidence[0].line, 2);
    let assets = "{ \"name\": \"assets\",\n \"dependencies\": { \"esbuild\": \"0.28\" } }";
    let survey = desk("\"ejs\": \"3\"", "", &[("assets/package.json", assets), ("assets/app.js", "")]);
    let said = gap(&survey, "its packages make files for pages (esbuild)");
    assert_eq!((said.subject.as_str(), said.evidence[0].line), ("assets", 2));
}

#[test]
fn a_foreign_adapter_of_sveltekit_is_named() {
    let kit = |adapter: &str| {
        let manifest = format!(
            "{{ \"name\": \"desk\", \"scripts\": {{ \"build\": \"vite build\" }},\n \"devDependencies\": {{ \"@sveltejs/kit\": \
             \"2\",\n \"{adapter}\": \"5\" }} }}"
        );
        of(&[("package.json", manifest.as_str())])
    };
    for adapter in ["@sveltejs/adapter-vercel", "@sveltejs/adapter-auto", "svelte-adapter-elsewhere"] {
        let survey = kit(adapter);
        assert!(survey.services.is_empty() && survey.questions.is_empty());
        let said = gap(&survey, &format!("the adapter {adapter} "));
        assert!(said.message.ends_with("(use @sveltejs/adapter-node)") && said.evidence[0].line == 3);
    }
    let survey = kit("@sveltejs/adapter-node");
    assert_eq!(service(&survey, "desk").command.as_ref().unwrap().value, ["node", "build"]);
}

#[test]
fn nitro_is_a_server() {
    let manifest = r#"{ "name": "desk", "scripts": { "build": "nitropack build" }, "devDependencies": { "nitropack": "2" } }"#;
    let settings = ("nitro.config.ts", "export default defineNitroConfig({\n preset: 'vercel' });");
    let survey = of(&[("package.json", manifest), ("routes/index.ts", "export default () => 1;"), settings]);
    let desk = service(&survey, "desk");
    assert_eq!(desk.command.as_ref().unwrap().value, ["node", ".output/server/index.mjs"]);
    assert_eq!((desk.shape, desk.port.as_ref().unwrap().value), (Shape::Bundle, 3000));
    assert_eq!(gap(&survey, "its settings build for vercel").evidence[0].line, 2);
}

/// Name and whether it is a secret that is made.
fn variables(survey: &Survey) -> Vec<(&str, bool)> {
    let service = service(survey, "desk");
    service.environment.iter().map(|variable| (variable.name.as_str(), variable.secret)).collect()
}

#[test]
fn variables_that_a_library_reads_by_itself() {
    let manifest = "{ \"name\": \"desk\", \"scripts\": { \"build\": \"nuxt build\" },\n \"dependencies\": { \"nuxt\": \"4\", \
                    \"nuxt-auth-utils\": \"0.5\" } }";
    let settings = "export default defineNuxtConfig({\n  runtimeConfig: {\n    mailKey: '',\n    cookieSecret: '',\n    \
                    public: { apiBase: '/api' },\n  },\n});";
    let login = "export default defineOAuthGitHubEventHandler({});";
    let survey = of(&[
        ("package.json", manifest),
        ("nuxt.config.ts", settings),
        ("server/routes/auth/github.get.ts", login),
    ]);
    assert_eq!(
        variables(&survey),
        [
            ("NUXT_COOKIE_SECRET", true),
            ("NUXT_MAIL_KEY", false),
            ("NUXT_OAUTH_GITHUB_CLIENT_ID", false),
            ("NUXT_OAUTH_GITHUB_CLIENT_SECRET", false),
            ("NUXT_PUBLIC_API_BASE", false),
            ("NUXT_SESSION_PASSWORD", true),
        ]
    );
    let next = |version: &str| {
        let manifest = format!(
            "{{ \"name\": \"desk\", \"scripts\": {{ \"build\": \"next build\" }}, \"dependencies\": {{ \"next\": \"16\", \
             \"next-auth\": \"{version}\" }} }}"
        );
        let files = [("package.json", manifest.as_str()), ("auth.ts", "import NextAuth from 'next-auth';")];
        let survey = of(&files);
        let set = service(&survey, "desk").settings.iter().any(|setting| setting.name == "AUTH_TRUST_HOST");
        let names: Vec<String> = variables(&survey)
            .into_iter()
            .filter(|(_, secret)| *secret)
            .map(|(name, _)| name.to_owned())
            .collect();
        (names, set)
    };
    assert_eq!(next("5.0.0-beta.30"), (vec!["AUTH_SECRET".to_owned()], true));
    assert_eq!(next("^4.24.0"), (vec!["NEXTAUTH_SECRET".to_owned()], false));
}

#[test]
fn the_variable_that_chooses_the_database_is_set_to_the_one_that_is_wired() {
    let with = |program: &str| {
        let opens = "const { Pool } = require('pg')\nconst open = () => new Pool({ connectionString: process.env.DATABASE_URL })\n";
        let survey =
            desk(r#""pg": "^8.0.0", "better-sqlite3": "^12.0.0""#, &format!("{opens}{program}"), &[]);
        let settings = &survey.services[0].settings;
        settings.iter().find(|setting| setting.name == "DB_TYPE").map(|setting| setting.value.clone())
    };
    assert_eq!(with("if (process.env.DB_TYPE === 'postgres') { open() }").as_deref(), Some("postgres"));
    assert_eq!(with("const kind = process.env.DB_TYPE || 'sqlite'\nswitch (kind) { case 'sqlite': break; case 'pg': open() }").as_deref(), Some("pg"));
    assert_eq!(
        with("const a = 'postgresql' == process.env.DB_TYPE ? open() : 1").as_deref(),
        Some("postgresql")
    );
    assert_eq!(
        with("const kind = process.env.DB_TYPE || 'postgres'\nif (kind === 'postgres') { open() }"),
        None
    );
    assert_eq!(with("open()"), None);
}

#[test]
fn packages_that_wrap_the_client_of_a_store_use_it() {
    let address = |packages: &str, program: &str| {
        let survey = desk(packages, program, &[]);
        let found = survey.services[0].stores.first().map(|used| (used.kind, used.address.clone()));
        let (kind, address) = found?;
        let name = match address {
            Some(plimsoll_survey::Address::Url { variable, .. }) => variable.value,
            Some(_) => "other".to_owned(),
            None => String::new(),
        };
        Some((kind, name))
    };
    let redis = |name: &str| Some((StoreKind::Redis, name.to_owned()));
    let connection = r#""redis-connection": "^5.0.0""#;
    assert_eq!(address(connection, "const r = require('redis-connection')()"), redis("REDISCLOUD_URL"));
    assert_eq!(address(connection, ""), None);
    let adapter = r#""@socket.io/redis-adapter": "^8.0.0""#;
    assert_eq!(
        address(
            adapter,
            "const { createAdapter } = require('@socket.io/redis-adapter')\nuse(process.env.REDIS_URL)"
        ),
        redis("REDIS_URL")
    );
    let keyv = r#""@keyv/redis": "^5.0.0""#;
    assert_eq!(
        address(keyv, "const KeyvRedis = require('@keyv/redis')\nnew KeyvRedis(process.env.CACHE_ADDRESS)"),
        redis("CACHE_ADDRESS")
    );
    let fastify = r#""@fastify/redis": "^7.0.0""#;
    assert_eq!(
        address(
            fastify,
            "const plugin = require('@fastify/redis')\nserver.register(plugin, { url: process.env.CACHE_ADDRESS })"
        ),
        redis("CACHE_ADDRESS")
    );
}

#[test]
fn a_variable_inside_of_a_template_is_read() {
    let survey = desk(
        r#""pg": "^8.0.0""#,
        "const { Pool } = require('pg')\nnew Pool({ connectionString: `${process.env.SHOP_DB}` })\nlog(`at ${process.env.PLACE ?? 'home'}: ${n}`)",
        &[],
    );
    let service = &survey.services[0];
    let Some(plimsoll_survey::Address::Url { variable, .. }) = &service.stores[0].address else {
        panic!("{:?}", service.stores)
    };
    assert_eq!(variable.value, "SHOP_DB");
    let place = service.environment.iter().find(|variable| variable.name == "PLACE").unwrap();
    assert_eq!(place.default.as_deref(), Some("home"));
}

#[test]
fn clients_of_several_stores_without_any_address_are_asked_for() {
    let program = "const Redis = require('ioredis')\nconst mysql = require('mysql2')\nconst watch = (m) => { new Redis(m.text); mysql.createConnection(m.other) }\n";
    let survey = desk(r#""ioredis": "^5.0.0", "mysql2": "^3.0.0""#, program, &[]);
    assert!(survey.stores.is_empty(), "{:#?}", survey.stores);
    for id in ["desk.redis", "desk.mysql"] {
        let asked = survey.questions.iter().find(|question| question.id == id);
        assert_eq!(
            asked.and_then(|asked| asked.default.as_deref()),
            Some("no"),
            "{id}: {:#?}",
            survey.questions
        );
    }
}

#[test]
fn a_file_of_sqlite_in_a_folder_of_the_system_gets_one_of_its_own() {
    let program = "const sqlite3 = require('sqlite3')\nconst fs = require('fs')\nconst place = process.env.SHOP_DB || '/tmp/shop.db'\nfs.mkdirSync('/tmp', { recursive: true })\nnew sqlite3.Database(place)\n";
    let survey = desk(r#""sqlite3": "^5.0.0""#, program, &[]);
    let (folders, set) = kept(&survey);
    assert_eq!((folders, set), (vec!["/data"], vec![("SHOP_DB", "/data/shop.db")]));
    let survey = desk(
        r#""sqlite3": "^5.0.0""#,
        "const sqlite3 = require('sqlite3')\nnew sqlite3.Database('/tmp/shop.db')\n",
        &[],
    );
    gap(&survey, "/tmp/shop.db, lies in a folder of the system");
    assert!(kept(&survey).0.is_empty());
}
