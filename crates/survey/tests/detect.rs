//! Each detector on a repository that shows nothing but its case.

use plimsoll_survey::{Manager, Repository, Role, Service, Survey, survey};

const SERVER: &str = r#"{ "name": "api", "packageManager": "npm@11.0.0", "dependencies": { "express": "5.1.0", "pg": "8" },
  "scripts": { "build": "tsc", "start": "node dist/main.js", "test": "node --test" } }"#;

fn of(files: &[(&str, &str)]) -> Survey {
    survey(&Repository::from_files("repo", files.iter().copied()))
}

fn server(source: &str) -> Service {
    of(&[("package.json", SERVER), ("src/main.ts", source)]).services.remove(0)
}

fn messages(survey: &Survey) -> Vec<&str> {
    survey.gaps.iter().map(|gap| gap.message.as_str()).collect()
}

#[test]
fn a_repository_without_workspaces_can_be_one_service() {
    let survey = of(&[("package.json", SERVER), ("package-lock.json", "{}"), ("src/main.ts", "")]);
    assert_eq!(survey.workspaces.len(), 0);
    // The package's name, never that of the folder that somebody cloned into.
    assert_eq!(survey.services[0].name, "api");
    assert_eq!(survey.services[0].role, Role::Server);
    assert_eq!(survey.services[0].command.as_ref().unwrap().value, ["node", "dist/main.js"]);
    assert_eq!(survey.installs[0].manager, Manager::Npm);
}

#[test]
fn workspaces_of_npm_and_of_pnpm_are_found_and_ordered_by_use() {
    let package = |name: &str, uses: &str| {
        let uses: Vec<String> = uses.split_whitespace().map(|name| format!(", \"{name}\": \"*\"")).collect();
        format!("{{ \"name\": \"{name}\", \"dependencies\": {{ \"fastify\": \"5\"{} }} }}", uses.concat())
    };
    let (api, a, b) = (package("api", "b a"), package("a", ""), package("b", "a"));
    let members =
        [("apps/api/package.json", api.as_str()), ("libs/a/package.json", &a), ("libs/b/package.json", &b)];
    let npm = [("package.json", r#"{ "name": "x", "workspaces": ["apps/*", "libs/*", "!libs/none"] }"#)];
    let pnpm = [("package.json", "{}"), ("pnpm-workspace.yaml", "packages: ['apps/*', 'libs/**']\n")];
    for root in [&npm[..], &pnpm[..]] {
        let survey = of(&[root, &members[..]].concat());
        assert_eq!(survey.workspaces.len(), 3);
        assert_eq!(survey.services[0].libraries, ["a", "b"]);
    }
    let excluded = [("package.json", "{}"), ("pnpm-workspace.yaml", "packages:\n  - '**'\n  - '!libs/*'\n")];
    assert_eq!(of(&[&excluded[..], &members[..]].concat()).workspaces.len(), 1);
}

#[test]
fn packages_that_use_one_another_in_a_circle_end() {
    let survey = of(&[
        ("package.json", r#"{ "workspaces": ["*"] }"#),
        (
            "a/package.json",
            r#"{ "name": "a", "scripts": { "start": "node a.js" }, "dependencies": { "b": "*", "express": "5" } }"#,
        ),
        ("b/package.json", r#"{ "name": "b", "dependencies": { "a": "*" } }"#),
    ]);
    assert_eq!(survey.services[0].libraries, ["b"]);
}

#[test]
fn routes_are_found_with_the_prefix_that_they_are_mounted_under() {
    let survey = of(&[
        ("package.json", SERVER),
        (
            "src/main.ts",
            "import { stories } from './routes/stories.js';\n\
             const app = express();\n\
             app.get('/health', (q, r) => r.end());\n\
             app.use('/api/v1', stories);\n\
             // app.get('/commented', f);\n\
             const known = cache.get('/not-a-route');\n\
             await axios.post('/other-server', {});\n",
        ),
        ("src/routes/stories.ts", "export const stories = Router();\nstories.get('/stories', list);\n"),
        ("test/main.test.ts", "app.get('/in-a-test', f);"),
    ]);
    let paths: Vec<&str> = survey.services[0].routes.iter().map(|route| route.path.as_str()).collect();
    assert_eq!(paths, ["/api/v1/stories", "/health"]);
}

#[test]
fn plugins_get_their_prefix_inline_and_by_name() {
    let service = server(
        "async function stream(app) { app.get<{ Querystring: { a: string } }>('/stream', (q, r) => {\n\
           r.raw.writeHead(200, { 'content-type': 'text/event-stream' }); }); }\n\
         app.register(stream, { prefix: '/api' });\n\
         app.register(async (app) => { app.delete('/x/:id', f); }, { prefix: '/v2/' });\n",
    );
    let routes: Vec<(&str, &str, bool)> = service
        .routes
        .iter()
        .map(|route| (route.method.as_str(), route.path.as_str(), route.stream))
        .collect();
    assert_eq!(routes, [("GET", "/api/stream", true), ("DELETE", "/v2/x/:id", false)]);
}

#[test]
fn variables_are_found_directly_and_through_functions() {
    let service = server(
        "const port = Number(process.env.PORT ?? 4_000);\n\
         const level = process.env['LOG_LEVEL'] || 'info';\n\
         function secret(env: Env, name: string) {\n\
           const file = env[`${name}_FILE`];\n\
           return file ? readFileSync(file) : env[name];\n\
         }\n\
         function url(env: Env, name: string) { return new URL(secret(env, name)); }\n\
         connect(url(process.env, 'DATABASE_URL'));\n\
         const token = process.env.TOKEN, file = process.env.TOKEN_FILE;\n\
         const no = config.env.lower, comment = 1; // process.env.COMMENT\n",
    );
    let variables: Vec<(&str, Option<&str>, bool)> = service
        .environment
        .iter()
        .map(|variable| (variable.name.as_str(), variable.default.as_deref(), variable.file_variant))
        .collect();
    assert_eq!(
        variables,
        [
            ("DATABASE_URL", None, true),
            ("LOG_LEVEL", Some("info"), false),
            ("PORT", Some("4000"), false),
            ("TOKEN", None, true),
        ]
    );
    assert_eq!(service.port.unwrap().value, 4000);
}

#[test]
fn a_port_can_stand_at_listen() {
    assert_eq!(server("app.listen({ host: '0.0.0.0', port: 8081 });").port.unwrap().value, 8081);
    assert_eq!(server("server.listen(9000, () => {});").port.unwrap().value, 9000);
    assert!(server("server.listen(port);").port.is_none());
}

#[test]
fn what_is_missing_is_a_gap_and_never_a_guess() {
    let survey = of(&[
        ("package.json", r#"{ "name": "x", "dependencies": { "express": "5", "pg": "8" } }"#),
        ("src/a.js", "console.log(process.env.DATABASE_URL)"),
    ]);
    let messages = messages(&survey);
    for expected in [
        "no tests",
        "no start command",
        "the port is not known",
        "no health route",
        "no readiness route",
        "SIGTERM is not handled",
        "DATABASE_URL is not read from a file",
        "version is not known",
    ] {
        assert!(messages.iter().any(|message| message.contains(expected)), "{expected}: {messages:#?}");
    }
    assert!(survey.services[0].port.is_none() && survey.services[0].start.is_none());
}

#[test]
fn one_broken_file_is_a_gap_and_the_rest_goes_on() {
    let survey = of(&[
        ("package.json", r#"{ "workspaces": ["a", "b"] }"#),
        ("a/package.json", "{ \"name\": \"a\",\n  oops }"),
        ("b/package.json", r#"{ "name": "b", "dependencies": { "express": "5" } }"#),
        ("compose.yaml", "services: [unclosed"),
    ]);
    assert_eq!(survey.services.len(), 1);
    let broken: Vec<(&str, usize)> = survey
        .gaps
        .iter()
        .filter(|gap| gap.message.contains("not valid"))
        .map(|gap| (gap.subject.as_str(), gap.evidence[0].line))
        .collect();
    assert_eq!(broken, [("compose.yaml", 1), ("a/package.json", 2)]);
}

#[test]
fn an_empty_repository_has_one_gap() {
    let survey = of(&[("README.md", "x")]);
    assert_eq!(messages(&survey), ["nothing was found that can be deployed"]);
    let above = of(&[("a/package.json", "{}")]);
    assert_eq!(
        (messages(&above), above.gaps[0].hint.as_str()),
        (vec!["no package.json in its root"], "survey one project: a")
    );
}

#[test]
fn stores_have_the_version_and_names_of_the_development_file() {
    let survey = of(&[
        ("package.json", SERVER),
        ("src/main.ts", "connect(process.env.DATABASE_URL)"),
        (
            "docker-compose.yml",
            "x-a: &a { POSTGRES_DB: shop }\nservices:\n  db:\n    image: postgres:16.3-alpine\n    \
             environment: { <<: *a, POSTGRES_USER: me }\n  other: { image: nginx }\n",
        ),
    ]);
    let store = &survey.stores[0];
    assert_eq!((store.name.as_str(), store.version.as_ref().unwrap().value.as_str()), ("db", "16.3"));
    assert_eq!(store.database.as_ref().unwrap().value, "shop");
    assert_eq!(store.user.as_ref().unwrap().evidence[0].line, 5);
    let list = of(&[
        ("package.json", SERVER),
        ("src/main.ts", "connect(process.env.DATABASE_URL)"),
        (
            "compose.yaml",
            "services: {db: {image: postgres, environment: [POSTGRES_USER=me, 'POSTGRES_DB=${X}']}}",
        ),
    ]);
    assert_eq!(list.stores[0].user.as_ref().unwrap().value, "me");
    assert_eq!(list.stores[0].database.as_ref().unwrap().value, "me");
    assert!(list.stores[0].version.is_none());
}

#[test]
fn a_page_with_settings_at_run_time_is_found() {
    let survey = of(&[
        (
            "package.json",
            r#"{ "name": "web", "devDependencies": { "vite": "8", "react": "19" }, "scripts": { "build": "vite build" } }"#,
        ),
        ("index.html", "<html>\n<script src=\"/env.js\"></script>"),
        ("public/env.js", "window.ENV = { 'apiUrl': '/api', name: \"x\" };"),
        ("vite.config.ts", "export default { build: { outDir: './build' } }"),
    ]);
    let service = &survey.services[0];
    assert_eq!(service.role, Role::Site);
    assert_eq!(service.output.as_ref().unwrap().value, "build");
    let config = service.runtime_config.as_ref().unwrap();
    assert_eq!((config.path.as_str(), config.global.as_str()), ("/env.js", "window.ENV"));
    assert_eq!(
        config.settings.iter().map(|setting| setting.key.as_str()).collect::<Vec<_>>(),
        ["apiUrl", "name"]
    );
}

#[test]
fn the_list_of_what_is_known_has_no_doubles() {
    let mut names: Vec<&str> = plimsoll_survey::known().collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// Without these SvelteKit's server takes each request for HTTPS and refuses its own forms over HTTP.
#[test]
fn a_server_of_sveltekit_believes_its_front() {
    let manifest = r#"{ "name": "kit", "scripts": { "build": "vite build" },
        "devDependencies": { "@sveltejs/kit": "2", "@sveltejs/adapter-node": "5", "vite": "7" } }"#;
    let survey =
        of(&[("package.json", manifest), ("package-lock.json", "{}"), ("src/routes/+page.svelte", "")]);
    let set: Vec<(&str, &str)> = survey.services[0]
        .settings
        .iter()
        .map(|setting| (setting.name.as_str(), setting.value.as_str()))
        .collect();
    for expected in [
        ("PROTOCOL_HEADER", "x-forwarded-proto"),
        ("HOST_HEADER", "host"),
        ("ADDRESS_HEADER", "x-forwarded-for"),
    ] {
        assert!(set.contains(&expected), "{set:?}");
    }
}
