//! Faults of surveys of Node.js projects, each as a small repository that shows nothing but it. The tests are named
//! after the faults.

mod support;

use plimsoll_survey::{Address, Bind, Confidence, Fact, Part, Repository, Role, StoreKind, Survey, survey};

use support::{gap, of, service};

const ROOT: &str = r#"{ "name": "kiosk", "packageManager": "pnpm@10.34.9" }"#;
const WORKSPACE: &str = "packages:\n  - apps/*\n  - packages/*\n";
const TSCONFIG: &str = r#"{ "compilerOptions": { "rootDir": "src", "outDir": "dist" } }"#;

/// A workspace with one Express server whose program is `index`, and more files.
fn kiosk(index: &str, more: &[(&str, &str)]) -> Survey {
    kiosk_with("\"start\": \"node dist/index.js\"", "", index, more)
}

fn kiosk_with(scripts: &str, dependencies: &str, index: &str, more: &[(&str, &str)]) -> Survey {
    let manifest = format!(
        "{{ \"name\": \"@kiosk/api\",\n  \"scripts\": {{ \"build\": \"tsc\",\n    {scripts} }},\n  \"dependencies\": {{ \"express\": \
         \"^5.1.0\"{dependencies} }} }}"
    );
    let files = [
        ("package.json", ROOT),
        ("pnpm-workspace.yaml", WORKSPACE),
        ("pnpm-lock.yaml", ""),
        ("packages/none/package.json", r#"{ "name": "none", "exports": "./src/index.js" }"#),
        ("apps/api/package.json", &manifest),
        ("apps/api/tsconfig.json", TSCONFIG),
        ("apps/api/src/index.ts", index),
    ];
    of(&[&files[..], more].concat())
}

/// Value and line of a fact.
fn at<T: Clone>(fact: Option<&Fact<T>>) -> (T, usize) {
    let fact = fact.expect("the fact is there");
    (fact.value.clone(), fact.evidence[0].line)
}

fn words(fact: Option<&Fact<Vec<String>>>) -> String {
    fact.expect("there is a command").value.join(" ")
}

const LISTEN: &str = "const app = express();\napp.get(\"/health\", (q, r) => r.end());\napp.listen(process.env.PORT ?? 3000);\n";

const CONFIG: &str = "import { readFileSync } from \"node:fs\";\n\
    export function databaseUrl(): string {\n\
      const file = process.env.DATABASE_URL_FILE;\n\
      const value = file ? readFileSync(file, \"utf8\").trim() : process.env.DATABASE_URL;\n\
      if (!value) throw new Error(\"DATABASE_URL is not set\");\n\
      return value;\n}\n";

#[test]
fn plain_sql_migrations_dropped() {
    let program = "import pg from \"pg\";\nimport { databaseUrl } from \"./config.js\";\n\
                   const db = new pg.Pool({ connectionString: databaseUrl() });\nconst app = express();\napp.listen(3000);\n";
    let scripts = "\"start\": \"node dist/index.js\",\n    \"migrate\": \"node dist/migrate.js\"";
    let survey = kiosk_with(
        scripts,
        ", \"pg\": \"8\"",
        program,
        &[
            ("apps/api/src/config.ts", CONFIG),
            ("apps/api/src/migrate.ts", "import { databaseUrl } from './config.js';"),
            ("apps/api/migrations/001-products.sql", "create table products (id int);"),
        ],
    );
    let api = service(&survey, "api");
    let migration = api.migration.as_ref().unwrap();
    assert_eq!(migration.tool.name, "own program");
    assert_eq!(at(migration.script.as_ref()), ("migrate".to_owned(), 4));
    assert_eq!(words(migration.command.as_ref()), "node dist/migrate.js");
    assert_eq!(at(migration.folder.as_ref()).0, "migrations");
    let Some(Address::Url { variable, file_variant, .. }) = &api.stores[0].address else {
        panic!("{:?}", api.stores)
    };
    assert_eq!(
        (variable.value.as_str(), *file_variant, variable.evidence[0].line),
        ("DATABASE_URL", true, 4)
    );
    assert!(api.environment.iter().any(|variable| variable.name == "DATABASE_URL" && variable.required));
}

#[test]
fn sql_files_that_nothing_applies_are_a_gap() {
    let survey = kiosk(LISTEN, &[("apps/api/migrations/001.sql", "create table a (b int);")]);
    let gap = gap(&survey, "nothing applies them in production");
    assert_eq!((gap.subject.as_str(), gap.evidence[0].file.as_str()), ("api", "apps/api/migrations/001.sql"));
    let tool = kiosk_with(
        "\"start\": \"node dist/index.js\", \"migrate\": \"knex migrate:latest\"",
        ", \"knex\": \"3\", \"pg\": \"8\"",
        LISTEN,
        &[("apps/api/migrations/1.js", ""), ("apps/api/knexfile.js", "module.exports = { client: 'pg' };")],
    );
    let migration = service(&tool, "api").migration.as_ref().unwrap();
    assert_eq!(words(migration.command.as_ref()), "node node_modules/knex/bin/cli.js migrate:latest");
    assert_eq!((migration.tool.name.as_str(), migration.files[0].value.as_str()), ("knex", "knexfile.js"));
}

#[test]
fn store_in_shared_package() {
    let library = "{ \"name\": \"@kiosk/db\", \"exports\": \"./dist/index.js\",\n \"scripts\": { \"build\": \"tsc\", \"db:migrate\": \
                   \"node dist/migrate.js\" },\n \"dependencies\": { \"pg\": \"^8.16.0\" } }";
    let source = "import { readFileSync } from \"node:fs\";\nimport pg from \"pg\";\n\
                  export function url() {\n  const file = process.env.DATABASE_URL_FILE;\n\
                  return file ? readFileSync(file, \"utf8\").trim() : process.env.DATABASE_URL;\n}\n\
                  export const db = new pg.Pool({ connectionString: url() });\n";
    let program = "import { db } from \"@kiosk/db\";\nconst app = express();\napp.listen(3000);\n";
    let survey = kiosk_with(
        "\"start\": \"node dist/index.js\"",
        ", \"@kiosk/db\": \"workspace:*\"",
        program,
        &[
            ("packages/db/package.json", library),
            ("packages/db/tsconfig.json", TSCONFIG),
            ("packages/db/src/index.ts", source),
            ("packages/db/migrations/001.sql", "create table a (b int);"),
        ],
    );
    let api = service(&survey, "api");
    assert_eq!((api.libraries.as_slice(), survey.services.len()), (["@kiosk/db".to_owned()].as_slice(), 1));
    assert_eq!((api.stores[0].kind, survey.stores[0].kind), (StoreKind::Postgresql, StoreKind::Postgresql));
    let Some(Address::Url { variable, file_variant, .. }) = &api.stores[0].address else {
        panic!("{:?}", api.stores)
    };
    assert_eq!((variable.value.as_str(), *file_variant), ("DATABASE_URL", true));
    assert_eq!(
        (variable.evidence[0].file.as_str(), variable.evidence[0].line),
        ("packages/db/src/index.ts", 5)
    );
    let migration = api.migration.as_ref().unwrap();
    assert_eq!(words(migration.command.as_ref()), "node ../../packages/db/dist/migrate.js");
    assert_eq!(migration.folder.as_ref().unwrap().value, "../../packages/db/migrations");
}

#[test]
fn optional_variable_made_mandatory() {
    let survey = kiosk(
        "if (process.env.SENTRY_DSN) report();\nif (process.env.NODE_ENV !== \"production\") console.log(process.env.DEV_BANNER);\n\
         const key = process.env.LICENCE;\nif (!key) throw new Error(\"LICENCE is not set\");\n\
         for (const name of [\"FIRST\", \"SECOND\"]) if (!process.env[name]) { process.exit(1); }\n\
         const { REGION, ZONE = \"a\" } = process.env;\napp.listen(3000);\n",
        &[],
    );
    let api = service(&survey, "api");
    let required: Vec<(&str, usize)> = api
        .environment
        .iter()
        .filter(|variable| variable.required)
        .map(|variable| (variable.name.as_str(), variable.evidence[0].line))
        .collect();
    assert_eq!(required, [("FIRST", 5), ("LICENCE", 3), ("SECOND", 5)]);
    let names: Vec<&str> = api.environment.iter().map(|variable| variable.name.as_str()).collect();
    for name in ["SENTRY_DSN", "DEV_BANNER", "REGION", "ZONE"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
}

#[test]
fn secret_default_in_production() {
    let survey = kiosk(
        "const jwtSecret = process.env.JWT_SECRET ?? \"change-me\";\nconst id = process.env.AWS_ACCESS_KEY_ID;\n\
         const paid = process.env.STRIPE_SECRET_KEY;\nconst open = process.env.PUBLIC_KEY;\napp.listen(3000);\n",
        &[],
    );
    let api = service(&survey, "api");
    let secrets: Vec<&str> = api
        .environment
        .iter()
        .filter(|variable| variable.secret)
        .map(|variable| variable.name.as_str())
        .collect();
    assert_eq!(secrets, ["JWT_SECRET"]);
    let secret = api.environment.iter().find(|variable| variable.secret).unwrap();
    assert_eq!((secret.default.as_deref(), secret.evidence[0].line), (Some("change-me"), 1));
    assert_eq!(gap(&survey, "`JWT_SECRET` has a default in the source").evidence[0].line, 1);
}

#[test]
fn port_from_a_schema() {
    let survey = kiosk(
        "const { HOST: host, PORT: port } = z.object({\n  HOST: z.string().default(\"127.0.0.1\"),\n  \
         PORT: z.coerce.number().int().default(4000),\n  LOG_LEVEL: z.enum([\"info\"]).default(\"info\"),\n  \
         TOKEN_URL: z.string(),\n  NOTE: z.string().optional(),\n}).parse(process.env);\nconst app = express();\n\
         const server = app.listen(port, host);\n",
        &[],
    );
    let api = service(&survey, "api");
    assert_eq!(at(api.port.as_ref()), (4000, 3));
    assert_eq!(at(api.port_variable.as_ref()).0, "PORT");
    let Bind::Set { variable } = &api.bind else { panic!("{:?}", api.bind) };
    assert_eq!((variable.value.as_str(), variable.evidence[0].line), ("HOST", 2));
    let read: Vec<(&str, Option<&str>, bool)> = api
        .environment
        .iter()
        .map(|variable| (variable.name.as_str(), variable.default.as_deref(), variable.required))
        .collect();
    assert_eq!(
        read,
        [
            ("HOST", Some("127.0.0.1"), false),
            ("LOG_LEVEL", Some("info"), false),
            ("NOTE", None, false),
            ("PORT", Some("4000"), false),
            ("TOKEN_URL", None, true),
        ]
    );
}

#[test]
fn ports_from_other_schemas() {
    let port = |source: &str, more: &[(&str, &str)]| {
        let survey = kiosk(source, more);
        let api = service(&survey, "api");
        let variable = api.port_variable.as_ref().map(|fact| fact.value.clone());
        (api.port.as_ref().map(|fact| fact.value), variable)
    };
    let set = |port: u16, name: &str| (Some(port), Some(name.to_owned()));
    let envalid =
        "const env = cleanEnv(process.env, { PORT: num({ default: 5001 }) });\napp.listen(env.PORT);";
    assert_eq!(port(envalid, &[]), set(5001, "PORT"));
    let convict = "const config = convict({ port: { format: 'port', default: 5002, env: 'APP_PORT' } });\napp.listen(config.get('port'));";
    assert_eq!(port(convict, &[]), set(5002, "APP_PORT"));
    let variable = "const port = env.get('PORT').default('5003').asPortNumber();\napp.listen(port);";
    assert_eq!(port(variable, &[]), set(5003, "PORT"));
    let shared = "export const config = { server: { port: Number(process.env.HTTP_PORT) || 5004 } };";
    let imported = "import { config } from './config';\napp.listen(config.server.port, '0.0.0.0');";
    assert_eq!(port(imported, &[("apps/api/src/config.ts", shared)]), set(5004, "HTTP_PORT"));
    let schema = "export const env = schema.parse(process.env);\nconst schema = z.object({ PORT: z.string().default('5005') });";
    let other = "import { env } from '@/env';\napp.listen({ port: env.PORT, host: '0.0.0.0' });";
    assert_eq!(port(other, &[("apps/api/src/env.ts", schema)]), set(5005, "PORT"));
}

#[test]
fn port_from_a_constant() {
    let port = |source: &str| {
        let survey = kiosk(source, &[]);
        service(&survey, "api").port.as_ref().map(|fact| fact.value)
    };
    assert_eq!(
        port(
            "const DEFAULT_PORT = 4000;\nconst port = Number(process.env.PORT ?? DEFAULT_PORT);\napp.listen(port);"
        ),
        Some(4000)
    );
    assert_eq!(port("const PORT = 4001; app.listen(PORT);"), Some(4001));
    assert_eq!(port("const D = { port: 4002 }; app.listen(process.env.PORT || D.port);"), Some(4002));
    assert_eq!(port("const { PORT = \"4003\" } = process.env; app.listen(PORT);"), Some(4003));
    assert_eq!(port("app.listen(process.env.PORT ? Number(process.env.PORT) : 4004);"), Some(4004));
    assert_eq!(port("app.listen(int(process.env.PORT, 4005));"), Some(4005));
    assert_eq!(port("app.set('port', process.env.PORT || 4006); app.listen(app.get('port'));"), Some(4006));
    assert_eq!(
        port("function start(port: number) { app.listen(port); }\nstart(Number(process.env.PORT ?? 4007));"),
        Some(4007)
    );
    let unknown = kiosk("app.listen(port);", &[]);
    assert_eq!(unknown.questions[0].id, "api.port");
    assert_eq!(
        (unknown.questions[0].default.as_deref(), unknown.questions[0].confidence),
        (Some("3000"), Confidence::Open)
    );
}

#[test]
fn the_program_of_the_generator_of_express_has_no_extension() {
    let survey = of(&[
        (
            "package.json",
            r#"{ "name": "g", "scripts": { "start": "node ./bin/www" }, "dependencies": { "express": "4" } }"#,
        ),
        (
            "bin/www",
            "#!/usr/bin/env node\nvar port = normalizePort(process.env.PORT || '3000');\nvar server = http.createServer(app);\nserver.listen(port);\n",
        ),
    ]);
    let found = service(&survey, "g");
    assert_eq!(at(found.port.as_ref()), (3000, 2));
    assert_eq!((words(found.command.as_ref()).as_str(), &found.bind), ("node bin/www", &Bind::Any));
}

#[test]
fn port_under_another_name() {
    let survey = kiosk(
        "const host = process.env.BIND ?? \"127.0.0.1\";\nconst port = Number(process.env.API_PORT ?? \"4000\");\nconst app = express();\napp.listen(port, host);\n",
        &[],
    );
    let api = service(&survey, "api");
    assert_eq!(at(api.port.as_ref()), (4000, 2));
    assert_eq!(at(api.port_variable.as_ref()), ("API_PORT".to_owned(), 2));
    assert!(matches!(&api.bind, Bind::Set { variable } if variable.value == "BIND"));
}

#[test]
fn health_at_the_root_of_a_router() {
    let live = |source: &str, more: &[(&str, &str)]| {
        let survey = kiosk(&format!("{source}\napp.listen(3000);"), more);
        service(&survey, "api").health.live.as_ref().map(|fact| fact.value.clone())
    };
    let router = "import { Router } from \"express\";\nexport const health = Router();\nhealth.get(\"/\", (q, r) => r.end());\n";
    let mounted = "import { health } from \"./health.js\";\napp.use(\"/health\", health);";
    assert_eq!(live(mounted, &[("apps/api/src/health.ts", router)]).as_deref(), Some("/health"));
    let same =
        "const health = Router();\nhealth.get(\"/\", (q, r) => r.end());\napp.use(\"/health\", health);";
    assert_eq!(live(same, &[]).as_deref(), Some("/health"));
    assert_eq!(live("app.route('/healthz').get((q, r) => r.end());", &[]).as_deref(), Some("/healthz"));
    assert_eq!(live("app.get(['/ping', '/health'], (q, r) => r.end());", &[]).as_deref(), Some("/health"));
    assert_eq!(
        live("const HEALTH = '/livez';\napp.get(HEALTH, (q, r) => r.end());", &[]).as_deref(),
        Some("/livez")
    );
    let route = "fastify.route({ method: 'GET', url: '/status', handler: f });";
    assert_eq!(live(route, &[]).as_deref(), Some("/status"));
    assert_eq!(live("app.post('/health', (q, r) => r.end());", &[]), None);
}

#[test]
fn wrong_health_route_chosen() {
    let survey = kiosk(
        "app.get(\"/api/admin/health\", (q, r) => r.status(401).end());\napp.get(\"/api/v1/health\", f, g);\n\
         app.get(\"/healthz\", (q, r) => r.end());\napp.listen(3000);",
        &[],
    );
    let live = service(&survey, "api").health.live.clone().unwrap();
    assert_eq!((live.value.as_str(), live.evidence[0].line), ("/healthz", 3));
    assert!(live.evidence[1].reason.contains("/api/v1/health was not taken"));
}

#[test]
fn file_of_an_option_taken_for_the_program() {
    let run = |line: &str| {
        let survey = kiosk_with(&format!("\"start\": \"{line}\""), "", LISTEN, &[]);
        service(&survey, "api").command.as_ref().map(|fact| (fact.value.join(" "), fact.evidence[0].line))
    };
    let expect = |text: &str| Some((text.to_owned(), 3));
    assert_eq!(
        run("node --import ./dist/tracing.js dist/index.js"),
        expect("node --import ./dist/tracing.js dist/index.js")
    );
    assert_eq!(
        run("node -r dotenv/config ./dist/index.js --port 4000"),
        expect("node -r dotenv/config dist/index.js --port 4000")
    );
    assert_eq!(
        run("node --enable-source-maps dist/index.js"),
        expect("node --enable-source-maps dist/index.js")
    );
    assert_eq!(run("node --env-file=.env dist/index.js"), expect("node dist/index.js"));
    assert_eq!(run("node dist/index.js | tee log"), None);
}

#[test]
fn start_with_an_assignment_refused() {
    let run = |line: &str| {
        let survey = kiosk_with(&format!("\"start\": \"{line}\""), "", LISTEN, &[]);
        let api = service(&survey, "api");
        let settings: Vec<String> =
            api.settings.iter().map(|setting| format!("{}={}", setting.name, setting.value)).collect();
        (api.command.as_ref().map(|fact| fact.value.join(" ")), settings.join(" "))
    };
    let expect = |text: &str, settings: &str| (Some(text.to_owned()), settings.to_owned());
    assert_eq!(
        run("NODE_ENV=production node dist/index.js"),
        expect("node dist/index.js", "NODE_ENV=production")
    );
    assert_eq!(
        run("cross-env A=b PORT=4000 node dist/index.js"),
        expect("node dist/index.js", "A=b PORT=4000")
    );
    assert_eq!(run("dotenv -e .env -- node dist/index.js"), expect("node dist/index.js", ""));
    assert_eq!(run("npm run build && node dist/index.js"), expect("node dist/index.js", ""));
    assert_eq!(run("tsx src/index.ts"), expect("node dist/index.js", ""));
    assert_eq!(run("nodemon src/index.ts"), expect("node dist/index.js", ""));
    assert_eq!(run("pm2-runtime dist/index.js"), expect("node dist/index.js", ""));
    let refused = kiosk_with("\"start\": \"vite preview\"", "", LISTEN, &[]);
    let question = refused.questions.iter().find(|question| question.id == "api.command").unwrap();
    assert_eq!((question.default.as_deref(), question.evidence[0].line), (Some("node dist/index.js"), 3));
    let own = of(&[
        (
            "package.json",
            r#"{ "name": "a", "main": "app.js", "scripts": { "start": "node ." }, "dependencies": { "express": "5" } }"#,
        ),
        ("app.js", LISTEN),
    ]);
    assert_eq!(words(service(&own, "a").command.as_ref()), "node app.js");
    let both = kiosk_with(
        "\"start\": \"node dist/migrate.js && node dist/index.js\"",
        "",
        LISTEN,
        &[("apps/api/migrations/1.sql", "")],
    );
    let api = service(&both, "api");
    assert_eq!(words(api.command.as_ref()), "node dist/index.js");
    assert_eq!(words(api.migration.as_ref().unwrap().command.as_ref()), "node dist/migrate.js");
}

#[test]
fn main_taken_for_a_start_script() {
    let manifest = "{ \"name\": \"@kiosk/api\", \"scripts\": { \"build\": \"tsc\" },\n \"main\": \"index.js\",\n \"dependencies\": { \"express\": \"5\" } }";
    let survey = of(&[("package.json", manifest), ("tsconfig.json", TSCONFIG), ("src/index.ts", LISTEN)]);
    let api = service(&survey, "api");
    assert!(api.command.is_none() && api.start.is_none());
    let question = survey.questions.iter().find(|question| question.id == "api.command").unwrap();
    assert_eq!(question.default.as_deref(), Some("node dist/index.js"));
    assert_eq!((question.evidence[0].file.as_str(), question.evidence[0].line), ("src/index.ts", 3));
}

#[test]
fn npm_server_alone() {
    let survey = of(&[
        (
            "package.json",
            "{ \"name\": \"orders\", \"scripts\": { \"start\": \"node src/server.js\", \"migrate\": \"node src/migrate.js\" },\n \
             \"dependencies\": { \"express\": \"^4.21.0\", \"pg\": \"^8.16.0\" } }",
        ),
        ("package-lock.json", "{}"),
        ("migrations/001-orders.sql", "create table orders (id int);"),
        (
            "src/server.js",
            "const express = require(\"express\");\nconst { Pool } = require(\"pg\");\n\
             const db = new Pool({ connectionString: process.env.DATABASE_URL });\nconst app = express();\n\
             app.get(\"/healthz\", async (q, r) => r.send(\"ok\"));\nconst port = process.env.PORT || 3000;\n\
             const server = app.listen(port, () => console.log(port));\nprocess.on(\"SIGTERM\", () => server.close());\n",
        ),
    ]);
    let orders = service(&survey, "orders");
    assert_eq!(words(orders.command.as_ref()), "node src/server.js");
    assert_eq!(at(orders.port.as_ref()), (3000, 6));
    assert_eq!(orders.bind, Bind::Any);
    assert_eq!(at(orders.health.live.as_ref()), ("/healthz".to_owned(), 5));
    assert!(orders.build.is_none() && orders.output.is_none());
    assert_eq!(words(orders.migration.as_ref().unwrap().command.as_ref()), "node src/migrate.js");
    let Some(Address::Url { variable, file_variant, .. }) = &orders.stores[0].address else { panic!() };
    assert_eq!(
        (variable.value.as_str(), *file_variant, variable.evidence[0].line),
        ("DATABASE_URL", false, 3)
    );
    assert!(
        !survey
            .gaps
            .iter()
            .any(|gap| gap.message.contains("build script") || gap.message.contains("listen on"))
    );
}

#[test]
fn loopback_server_is_proved() {
    let bind = |source: &str| {
        let survey = kiosk(source, &[]);
        let found = service(&survey, "api").bind.clone();
        let gap =
            survey.gaps.iter().find(|gap| gap.message.contains("alone")).map(|gap| gap.evidence[0].line);
        (found, gap)
    };
    let (found, line) = bind("const host = \"127.0.0.1\";\nconst app = express();\napp.listen(3000, host);");
    let Bind::Loopback { address } = found else { panic!("{found:?}") };
    assert_eq!((address.value.as_str(), address.evidence[0].line, line), ("127.0.0.1", 1, Some(1)));
    assert_eq!(bind("app.listen(3000, '0.0.0.0');"), (Bind::Any, None));
    assert_eq!(bind("app.listen(3000, () => console.log('up'));"), (Bind::Any, None));
    let fastify =
        r#"{ "name": "f", "scripts": { "start": "node a.js" }, "dependencies": { "fastify": "5" } }"#;
    let alone =
        of(&[("package.json", fastify), ("a.js", "const app = fastify();\napp.listen({ port: 3000 });")]);
    assert!(
        matches!(&service(&alone, "f").bind, Bind::Loopback { address } if address.evidence[0].line == 2)
    );
    let open = of(&[("package.json", fastify), ("a.js", "app.listen({ port: 3000, host: '0.0.0.0' });")]);
    assert_eq!(service(&open, "f").bind, Bind::Any);
    let production = "app.listen(3000, process.env.NODE_ENV === 'production' ? '0.0.0.0' : '127.0.0.1');";
    assert_eq!(bind(production), (Bind::Any, None));
}

#[test]
fn websockets_do_not_pass() {
    let paths = |source: &str, dependency: &str| {
        let survey = kiosk_with(
            "\"start\": \"node dist/index.js\"",
            &format!(", \"{dependency}\": \"8\""),
            source,
            &[],
        );
        let found = &service(&survey, "api").websockets;
        found.iter().map(|fact| (fact.value.clone(), fact.evidence[0].line)).collect::<Vec<_>>()
    };
    let ws = "import { WebSocketServer } from \"ws\";\nconst server = app.listen(3000);\nnew WebSocketServer({ server, path: \"/ws\" });";
    assert_eq!(paths(ws, "ws"), [("/ws".to_owned(), 3)]);
    let io = "import { Server } from \"socket.io\";\nconst io = new Server(server, { cors: {} });\nserver.listen(3000);";
    assert_eq!(paths(io, "socket.io"), [("/socket.io/".to_owned(), 2)]);
    let limit = kiosk("app.use(express.json({ limit: \"20mb\" }));\napp.listen(3000);", &[]);
    assert_eq!(at(service(&limit, "api").body_limit.as_ref()), (20 << 20, 1));
}

#[test]
fn uploads_on_a_read_only_root() {
    let survey = kiosk_with(
        "\"start\": \"node dist/index.js\"",
        ", \"multer\": \"2\"",
        "import multer from \"multer\";\nconst upload = multer({ dest: \"uploads/\" });\napp.listen(3000);\n\
         fs.writeFileSync(\"/tmp/scratch/x\", y);\nfs.mkdirSync(path.join(__dirname, \"../data\"));",
        &[],
    );
    let writes: Vec<(&str, bool, usize)> = service(&survey, "api")
        .writes
        .iter()
        .map(|writes| (writes.path.value.as_str(), writes.keep, writes.path.evidence[0].line))
        .collect();
    assert_eq!(writes, [("uploads", true, 2), ("/tmp/scratch", false, 4), ("data", true, 5)]);
}

#[test]
fn calls_to_the_outside_cut_off() {
    let survey = kiosk_with(
        "\"start\": \"node dist/index.js\"",
        ", \"stripe\": \"18\"",
        "import Stripe from \"stripe\";\nawait fetch(\"https://payments.example/v1/charges\");\n\
         await fetch(`https://${host}/x`); await fetch(\"http://localhost:4000\"); await fetch(\"/own\");\napp.listen(3000);",
        &[],
    );
    let calls: Vec<(&str, usize)> = service(&survey, "api")
        .calls
        .iter()
        .map(|call| (call.value.as_str(), call.evidence[0].line))
        .collect();
    assert_eq!(calls, [("payments.example", 2), ("hosts that it is told", 3), ("api.stripe.com", 4)]);
}

const SITE: &str = r#"{ "name": "@kiosk/web", "scripts": { "build": "vite build" }, "devDependencies": { "vite": "^7.1.0" } }"#;

#[test]
fn policy_blocks_inline_script() {
    let survey = kiosk(
        LISTEN,
        &[
            ("apps/web/package.json", SITE),
            (
                "apps/web/index.html",
                "<html>\n<!-- <script>old()</script> -->\n<script>document.title = \"x\";</script>\n\
                 <link rel=\"stylesheet\" href=\"https://fonts.example/css2?family=A\">\n\
                 <link rel=\"canonical\" href=\"https://shop.example/\">\n<script type=\"module\" src=\"/src/main.js\"></script>\n",
            ),
            ("apps/web/src/main.js", "await fetch(\"https://api.example/x\");"),
            ("apps/web/src/old.js", "axios.defaults.baseURL = 'http://localhost:5000/';"),
            (
                "apps/web/src/main.css",
                "p { margin: 0 }\n@import url('https://fonts.googleapis.com/css2?family=B');\n",
            ),
        ],
    );
    let sources: Vec<(&str, usize)> = service(&survey, "web")
        .page_sources
        .iter()
        .map(|source| (source.value.as_str(), source.evidence[0].line))
        .collect();
    assert_eq!(
        sources,
        [
            ("inline script", 3),
            ("style-src https://fonts.example", 4),
            ("connect-src https://api.example", 1),
            ("connect-src http://localhost:5000", 1),
            ("style-src https://fonts.googleapis.com", 2)
        ]
    );
}

#[test]
fn worker_ignored() {
    let worker = "{ \"name\": \"@kiosk/worker\", \"scripts\": { \"build\": \"tsc\", \"start\": \"node dist/index.js\" },\n \
                  \"dependencies\": { \"bullmq\": \"^5.60.0\" } }";
    let program = "import { Worker } from \"bullmq\";\nconst worker = new Worker(\"orders\", async (job) => job.id, {\n  \
                   connection: { url: process.env.REDIS_URL ?? \"redis://127.0.0.1:6379\" },\n});\n";
    let api = "import { Queue } from \"bullmq\";\n\
               const orders = new Queue(\"orders\", { connection: { url: process.env.REDIS_URL ?? \"redis://127.0.0.1:6379\" } });\n\
               app.listen(3000);";
    let survey = kiosk_with(
        "\"start\": \"node dist/index.js\"",
        ", \"bullmq\": \"5\"",
        api,
        &[
            ("apps/worker/package.json", worker),
            ("apps/worker/tsconfig.json", TSCONFIG),
            ("apps/worker/src/index.ts", program),
        ],
    );
    let worker = service(&survey, "worker");
    assert_eq!((worker.role, worker.port.is_none()), (Role::Worker, true));
    assert_eq!(words(worker.command.as_ref()), "node dist/index.js");
    assert_eq!(worker.frameworks[0].evidence[1].line, 2);
    for name in ["api", "worker"] {
        let Some(Address::Url { variable, .. }) = &service(&survey, name).stores[0].address else {
            panic!("{name}")
        };
        assert_eq!(variable.value, "REDIS_URL");
    }
    assert_eq!((survey.stores.len(), survey.stores[0].kind), (1, StoreKind::Redis));
}

#[test]
fn a_second_script_is_a_process_of_the_same_build() {
    let survey = kiosk_with(
        "\"start\": \"node dist/index.js\",\n    \"worker\": \"node dist/worker.js\",\n    \"cron\": \"ts-node cron.ts\"",
        ", \"bullmq\": \"5\"",
        LISTEN,
        &[(
            "apps/api/src/worker.ts",
            "import { Worker } from \"bullmq\";\nnew Worker(\"q\", f, { connection: { host: process.env.REDIS_HOST, port: 6379 } });",
        )],
    );
    let api = service(&survey, "api");
    let processes: Vec<(&str, Role, String, usize)> = api
        .processes
        .iter()
        .map(|process| {
            (
                process.name.as_str(),
                process.role,
                process.command.value.join(" "),
                process.command.evidence[0].line,
            )
        })
        .collect();
    assert_eq!(processes[0], ("api-worker", Role::Worker, "node dist/worker.js".to_owned(), 4));
    let Some(Address::Parts { variables, .. }) = &api.stores[0].address else { panic!("{:?}", api.stores) };
    assert_eq!((variables[0].0, variables[0].1.value.as_str()), (Part::Host, "REDIS_HOST"));
}

#[test]
fn playground_counted_as_a_site() {
    let library = r#"{ "name": "@kiosk/ui", "exports": "./src/index.js", "scripts": { "dev": "vite" }, "devDependencies": { "vite": "7" } }"#;
    let survey = kiosk(
        LISTEN,
        &[
            ("packages/ui/package.json", library),
            ("packages/ui/index.html", "<html>"),
            ("packages/ui/src/index.js", ""),
        ],
    );
    let names: Vec<&str> = survey.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["api"]);
}

#[test]
fn unknown_framework_is_silence() {
    let nest = r#"{ "name": "n", "scripts": { "build": "nest build", "start": "nest start" },
        "dependencies": { "@nestjs/core": "11", "@nestjs/common": "11", "@nestjs/platform-express": "11" } }"#;
    let survey = of(&[
        ("package.json", nest),
        (
            "src/app.controller.ts",
            "@Controller(\"cats\")\nclass Cats {\n  @Get(\":id\")\n  one() {}\n}\n@Controller()\nclass App {\n  @Get(\"health\")\n  health() {}\n}",
        ),
        (
            "src/main.ts",
            "const app = await NestFactory.create(AppModule);\napp.setGlobalPrefix(\"api\", { exclude: [\"health\"] });\n\
             app.enableShutdownHooks();\nawait app.listen(process.env.PORT ?? 3000);",
        ),
    ]);
    let service = service(&survey, "n");
    assert_eq!((service.role, service.frameworks[0].name.as_str()), (Role::Server, "@nestjs/core"));
    assert_eq!(words(service.command.as_ref()), "node dist/main.js");
    assert_eq!(at(service.port.as_ref()), (3000, 4));
    let routes: Vec<&str> = service.routes.iter().map(|route| route.path.as_str()).collect();
    assert_eq!(routes, ["/api/cats/:id", "/health"]);
    assert_eq!(at(service.stops_gracefully.as_ref()), ("SIGTERM".to_owned(), 3));
    let unknown = of(&[(
        "package.json",
        "{ \"name\": \"s\",\n \"scripts\": { \"start\": \"strapi start\" },\n \"dependencies\": { \"@strapi/strapi\": \"5\" } }",
    )]);
    assert_eq!(gap(&unknown, "Strapi").evidence[0].line, 3);
    assert!(unknown.services.is_empty());
}

#[test]
fn site_alone_refused() {
    let survey = of(&[
        ("package.json", SITE),
        ("package-lock.json", "{}"),
        ("index.html", "<html>"),
        ("src/main.js", ""),
    ]);
    let web = service(&survey, "web");
    assert_eq!((web.role, web.single_page, web.command.is_none()), (Role::Site, true, true));
    assert_eq!(at(web.output.as_ref()).0, "dist");
    assert_eq!(web.hashed_assets.as_ref().unwrap().value, "/assets/");
}

#[test]
fn routes_not_under_api_refused() {
    let survey = kiosk(
        "const app = express();\napp.get(\"/v1/products\", (q, r) => r.end());\napp.listen(4100);",
        &[
            ("apps/web/package.json", SITE),
            ("apps/web/index.html", "<html>"),
            (
                "apps/web/vite.config.ts",
                "export default defineConfig({\n  server: { proxy: {\n    \"/v1\": \"http://localhost:4100\",\n    \
                 \"/api\": { target: \"http://localhost:4100\", rewrite: (p) => p.replace(/^\\/api/, \"\") },\n  } },\n});",
            ),
        ],
    );
    let edges: Vec<(&str, &str, bool, usize)> = survey
        .edges
        .iter()
        .map(|edge| (edge.prefix.as_str(), edge.to.as_str(), edge.strip, edge.evidence[0].line))
        .collect();
    assert_eq!(edges, [("/v1", "api", false, 3), ("/api", "api", true, 4)]);
    assert!(survey.edges.iter().all(|edge| edge.from.as_deref() == Some("web")));
}

#[test]
fn signal_handler_in_a_loop() {
    let line = |source: &str| {
        let survey = kiosk(source, &[]);
        service(&survey, "api").stops_gracefully.as_ref().map(|fact| fact.evidence[0].line)
    };
    assert_eq!(
        line(
            "app.listen(3000);\nfor (const signal of [\"SIGTERM\", \"SIGINT\"] as const) process.once(signal, () => stop());"
        ),
        Some(2)
    );
    assert_eq!(
        line(
            "const signals = ['SIGINT', 'SIGTERM'];\nsignals.forEach((s) => process.on(s, stop));\napp.listen(3000);"
        ),
        Some(2)
    );
    assert_eq!(line("['SIGINT', 'SIGHUP'].forEach((s) => process.on(s, stop));\napp.listen(3000);"), None);
    assert_eq!(line("closeWithGrace({ delay: 500 }, stop);\napp.listen(3000);"), Some(1));
}

#[test]
fn checks_run_without_the_build() {
    let of = |test: &str| {
        let scripts = format!("\"start\": \"node dist/index.js\", \"test:ci\": \"{test}\"");
        let survey = kiosk_with(&scripts, "", LISTEN, &[]);
        service(&survey, "api").checks_need_build
    };
    assert!(of("node --test dist/") && of("node --test ./dist/sum.test.js"));
    assert!(!of("vitest run") && !of("node --test distant/"));
}

#[test]
fn nothing_found_and_no_gap() {
    let astro = of(&[
        (
            "package.json",
            r#"{ "name": "catalogue", "scripts": { "build": "astro build" }, "dependencies": { "astro": "^5.13.0" } }"#,
        ),
        ("src/pages/index.astro", "---\n---\n<h1>x</h1>"),
    ]);
    let site = service(&astro, "catalogue");
    assert_eq!(
        (site.role, site.single_page, at(site.output.as_ref()).0.as_str()),
        (Role::Site, false, "dist")
    );
    let unknown = of(&[("package.json", "{ \"name\": \"x\",\n \"scripts\": { \"build\": \"webpack\" } }")]);
    let found = gap(&unknown, "nothing known serves or runs it");
    assert_eq!((found.evidence[0].line, found.message.contains("webpack")), (2, true));
}

#[test]
fn package_without_a_build_refused() {
    let ui = r#"{ "name": "@kiosk/ui", "exports": "./src/index.js", "scripts": { "build": "tsc" } }"#;
    let built = r#"{ "name": "@kiosk/core", "exports": { ".": { "types": "./dist/index.d.ts", "default": "./dist/index.js" } }, "scripts": { "build": "tsc" } }"#;
    let survey = kiosk(
        LISTEN,
        &[
            ("packages/ui/package.json", ui),
            ("packages/ui/tsconfig.json", TSCONFIG),
            ("packages/core/package.json", built),
            ("packages/core/tsconfig.json", TSCONFIG),
        ],
    );
    let output = |name: &str| {
        let workspace = survey.workspaces.iter().find(|workspace| workspace.name == name).unwrap();
        workspace.output.as_ref().map(|output| output.value.clone())
    };
    assert_eq!((output("@kiosk/ui"), output("@kiosk/core").as_deref()), (None, Some("dist")));
}

#[test]
fn the_folder_of_a_variable_is_kept_where_files_are_written() {
    let of = |program: &str| {
        let survey = survey(&Repository::from_files(
            "checkout",
            [
                (
                    "package.json",
                    r#"{ "name": "api", "scripts": { "start": "node index.js" }, "dependencies": { "express": "5" } }"#,
                ),
                ("index.js", program),
            ],
        ));
        survey.services[0]
            .writes
            .iter()
            .map(|writes| (writes.path.value.clone(), writes.keep))
            .collect::<Vec<_>>()
    };
    let settings = "const path = require('path');\nconst dir = path.resolve(process.env.UPLOADS_DIR ?? './private-uploads');\nrequire('express')().listen(process.env.PORT || 3000, '0.0.0.0');\n";
    let writes = "const fs = require('fs/promises');\nconst keep = (to) => fs.mkdir(path.dirname(to), { recursive: true });\n";
    assert_eq!(of(&format!("{settings}{writes}")), [("private-uploads".to_owned(), true)]);
    // A folder that is only read needs no volume.
    assert_eq!(of(settings), []);
}

#[test]
fn programs_that_a_server_starts_and_clients_that_its_build_generates() {
    let of = |program: &str, schema: &str| {
        let survey = survey(&Repository::from_files(
            "checkout",
            [
                (
                    "package.json",
                    r#"{ "name": "api", "scripts": { "start": "node index.js", "build": "prisma generate" },
                        "dependencies": { "express": "5", "@prisma/client": "7" }, "devDependencies": { "prisma": "7" } }"#,
                ),
                ("package-lock.json", r#"{ "lockfileVersion": 3 }"#),
                ("prisma/schema.prisma", schema),
                ("index.js", program),
            ],
        ));
        let service = survey.services[0].clone();
        let generated = service.generated.iter().map(|folder| folder.value.clone()).collect::<Vec<_>>();
        (service.spawns.map(|program| program.value), generated)
    };
    let listens = "require('express')().listen(process.env.PORT || 3000, '0.0.0.0');\n";
    let schema = "generator client {\n  provider = \"prisma-client-js\"\n}\ndatasource db {\n  provider = \"postgresql\"\n}\n";
    let own = "generator client {\n  provider = \"prisma-client-js\"\n  output = \"../src/generated\"\n}\n";
    let with = |line: &str| format!("{line}\n{listens}");
    let spawned = |line: &str| of(&with(line), schema).0;
    assert_eq!(
        spawned("const { spawn } = require('node:child_process'); spawn('sh', ['-c', 'sleep 1 &']);")
            .as_deref(),
        Some("sh")
    );
    assert_eq!(spawned("const cp = require('child_process'); cp.exec('ls');").as_deref(), Some("sh"));
    assert_eq!(
        spawned("const { fork } = require('child_process'); fork('./w.js');").as_deref(),
        Some("node")
    );
    assert_eq!(
        spawned("import { execFile } from 'node:child_process'; execFile('pg_dump', ['-V']);").as_deref(),
        Some("pg_dump")
    );
    assert_eq!(spawned("const found = /x/.exec('xyz'); spawn('sh');"), None);
    // What package managers are there for, and what nobody knows, needs the whole image of Node.js.
    let cp = "const cp = require('child_process');";
    for (line, program) in [
        ("cp.exec('cd /app && npm run report');", "npm"),
        ("cp.spawn('sh', ['-c', `yarn ${task}`]);", "yarn"),
        ("cp.exec(line);", "a program"),
        ("cp.spawn(name, ['npm']);", "npm"),
        ("cp.exec('ls'); cp.spawn(name);", "a program"),
        ("cp.spawn('pg_dump', ['--format=npm-like']);", "pg_dump"),
    ] {
        assert_eq!(spawned(&format!("{cp} {line}")).as_deref(), Some(program), "{line}");
    }
    assert_eq!(of(listens, schema).1, ["node_modules/.prisma"]);
    assert_eq!(of(listens, own).1, Vec::<String>::new());
}

#[test]
fn pages_in_one_file_with_their_scripts_are_read() {
    let manifest = r#"{ "name": "shelf", "scripts": { "build": "vite build" }, "dependencies": { "vue": "3" }, "devDependencies": { "vite": "6" } }"#;
    let books = "<template><p>{{ books }}</p></template>\n<script>\nconst path = 'http://localhost:5001/books';\n\
                 export default { mounted() { axios.get(path); }, data: () => ({ key: import.meta.env.VITE_MAP_KEY }) };\n</script>\n";
    let other = "<script setup>\nconst base = import.meta.env.DEV ? 'http://localhost:5002' : '';\nnew URL('/x', 'http://localhost');\n</script>";
    let survey = of(&[
        ("package.json", manifest),
        ("package-lock.json", "{}"),
        ("index.html", "<div id=app></div><script type=module src=/src/main.js></script>"),
        ("src/main.js", "import Books from './Books.vue';\n"),
        ("src/Books.vue", books),
        ("src/Other.vue", other),
    ]);
    let site = service(&survey, "shelf");
    let called: Vec<_> =
        site.page_sources.iter().filter(|source| source.value.starts_with("connect-src")).collect();
    assert_eq!(called.len(), 1, "{called:?}");
    assert_eq!(called[0].value, "connect-src http://localhost:5001");
    assert_eq!((called[0].evidence[0].file.as_str(), called[0].evidence[0].line), ("src/Books.vue", 3));
    assert!(site.inlined.iter().any(|variable| variable.name == "VITE_MAP_KEY"), "{:?}", site.inlined);
}

#[test]
fn a_build_that_runs_several_scripts_is_followed_in_the_words_of_its_runner() {
    for build in [
        r#"run-p type-check \"build-only {@}\" --"#,
        r#"concurrently \"npm:type-check\" \"npm:build-only\""#,
        "npm-run-all type-check build-*",
        "node --max-old-space-size=4096 node_modules/vite/bin/vite.js build",
    ] {
        let manifest = format!(
            r#"{{ "name": "desk", "scripts": {{ "build": "{build}", "build-only": "vite build", "type-check": "vue-tsc --build" }},
            "dependencies": {{ "vue": "3" }}, "devDependencies": {{ "vite": "8" }} }}"#
        );
        let survey =
            of(&[("package.json", &manifest), ("package-lock.json", "{}"), ("index.html", "<html>")]);
        let site = survey.services.first().unwrap_or_else(|| panic!("{build}: {:#?}", survey.gaps));
        assert_eq!(site.role, Role::Site, "{build}");
    }
}

#[test]
fn tools_in_hidden_folders_are_no_part_of_the_program() {
    let survey = of(&[
        (
            "package.json",
            r#"{ "name": "desk", "scripts": { "build": "tsc", "start": "node dist/main.js" }, "dependencies": { "express": "5" } }"#,
        ),
        ("package-lock.json", "{}"),
        ("tsconfig.json", r#"{ "compilerOptions": { "rootDir": "src", "outDir": "dist" } }"#),
        ("src/main.ts", "const app = express();\napp.listen(3000);\nreadFileSync('docker-compose.yml');\n"),
        (
            ".tools/make.js",
            "const { exec } = require('child_process');\nexec('ls');\nreadFileSync('src/users/model.ts');\n",
        ),
        ("src/users/model.ts", "export const a = 1;"),
        ("docker-compose.yml", "services: {}\n"),
    ]);
    let service = &survey.services[0];
    assert!(service.spawns.is_none() && service.reads.is_empty(), "{:#?}", (&service.spawns, &service.reads));
}

#[test]
fn the_end_of_a_chain_is_the_default_of_none_of_its_variables() {
    let survey = of(&[
        (
            "package.json",
            r#"{ "name": "shop", "dependencies": { "express": "5" }, "scripts": { "start": "node index.js" } }"#,
        ),
        (
            "index.js",
            "const origins = process.env.ORIGINS || process.env.FRONTEND || '*';\nconst mode = process.env.MODE || 'fast';\n\
             require('express')().listen(process.env.PORT || process.env.APP_PORT || 3000);\n",
        ),
    ]);
    let service = &survey.services[0];
    let defaults: Vec<(&str, Option<&str>)> =
        service.environment.iter().map(|known| (known.name.as_str(), known.default.as_deref())).collect();
    let expected = [
        ("APP_PORT", Some("3000")),
        ("FRONTEND", None),
        ("MODE", Some("fast")),
        ("ORIGINS", None),
        ("PORT", Some("3000")),
    ];
    assert_eq!(defaults, expected);
    assert_eq!(service.port.as_ref().unwrap().value, 3000);
}

#[test]
fn what_a_schema_refuses_to_miss_in_production_is_required() {
    let with = |condition: &str| {
        let schema = format!(
            "import {{ z }} from 'zod';\nconst schema = z.object({{ NODE_ENV: z.string(), TOKEN: z.string().optional(), OTHER: z.string().optional() }})\n\
             .superRefine((input, ctx) => {{ if (input.NODE_ENV {condition} && !input.TOKEN) {{ ctx.addIssue({{ path: ['TOKEN'] }}); }} }});\n\
             export default schema.parse(process.env);\n"
        );
        let survey = of(&[
            (
                "package.json",
                r#"{ "name": "shop", "type": "module", "dependencies": { "express": "5", "zod": "3" }, "scripts": { "start": "node index.js" } }"#,
            ),
            (
                "index.js",
                "import express from 'express';\nimport env from './env.js';\nexpress().listen(3000);\n",
            ),
            ("env.js", &schema),
        ]);
        let required = |name: &str| {
            survey.services[0].environment.iter().any(|known| known.name == name && known.required)
        };
        (required("TOKEN"), required("OTHER"))
    };
    assert_eq!(with("=== 'production'"), (true, false));
    assert_eq!(with("=== 'test'"), (false, false));
    assert_eq!(with("!== 'production'"), (false, false));
}

#[test]
fn what_a_program_splits_is_known_by_its_separator() {
    let survey = of(&[
        (
            "package.json",
            r#"{ "name": "shop", "dependencies": { "express": "5" }, "scripts": { "start": "node index.js" } }"#,
        ),
        (
            "index.js",
            "const a = process.env.ORIGINS.split(',');\nconst b = process.env.HOSTS?.split(' ');\nconst c = process.env.MODE;\nrequire('express')().listen(3000);\n",
        ),
    ]);
    let known: Vec<(&str, Option<&str>)> = survey.services[0]
        .environment
        .iter()
        .map(|known| (known.name.as_str(), known.separator.as_deref()))
        .collect();
    assert_eq!(known, [("HOSTS", Some("blanks")), ("MODE", None), ("ORIGINS", Some("commas"))]);
}
