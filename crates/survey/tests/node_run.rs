//! How a Node.js program starts and what it reads when it runs, each as a small repository.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod support;

use plimsoll_survey::{Service, Survey};

use support::of;

fn only(survey: &Survey) -> &Service {
    assert_eq!(survey.services.len(), 1, "{:#?}", survey.gaps);
    &survey.services[0]
}

fn command(service: &Service) -> String {
    service.command.as_ref().unwrap().value.join(" ")
}

fn output(service: &Service) -> Option<&str> {
    service.output.as_ref().map(|output| output.value.as_str())
}

fn pages(scripts: &str, packages: &str, more: &[(&str, &str)]) -> Survey {
    let manifest = format!("{{ \"name\": \"desk\",\n \"scripts\": {{ {scripts} }},\n {packages} }}");
    of(&[&[("package.json", manifest.as_str()), ("package-lock.json", "{}")], more].concat())
}

const ROUTER: &str =
    r#""dependencies": { "@react-router/serve": "^7" }, "devDependencies": { "@react-router/dev": "^7" }"#;
const REMIX: &str =
    r#""dependencies": { "@remix-run/serve": "1.1.3" }, "devDependencies": { "@remix-run/dev": "1.1.3" }"#;

#[test]
fn the_server_of_pages_is_started_as_the_script_says() {
    let survey = pages(
        r#""build": "react-router build", "start": "cross-env NODE_ENV=production react-router-serve ./out/server/index.js""#,
        ROUTER,
        &[("react-router.config.ts", "export default { buildDirectory: './out', ssr: true };")],
    );
    let found = only(&survey);
    assert_eq!(command(found), "node node_modules/.bin/react-router-serve ./out/server/index.js");
    assert_eq!(found.command.as_ref().unwrap().evidence[0].line, 2);
    assert_eq!((output(found), found.port.as_ref().unwrap().value), (Some("out"), 3000));
    assert_eq!(found.hashed_assets.as_ref().unwrap().value, "/assets/");
    // Nothing says it: the framework's own way.
    let survey = pages(r#""build": "react-router build""#, ROUTER, &[]);
    assert_eq!(command(only(&survey)), "node node_modules/.bin/react-router-serve ./build/server/index.js");
    // A work in front of it is a migration, and a server of its own keeps its own port.
    let survey = pages(
        r#""build": "react-router build", "start": "node server.js""#,
        r#""dependencies": { "@react-router/serve": "^7", "express": "5" }, "devDependencies": { "@react-router/dev": "^7" }"#,
        &[("server.js", "import express from 'express';\nconst app = express();\napp.listen(5000);\n")],
    );
    let found = only(&survey);
    assert_eq!((command(found).as_str(), found.port.as_ref().unwrap().value), ("node server.js", 5000));
    // Its file lies beside what the build writes: the image has all of the folder.
    assert_eq!(output(found), None);
}

#[test]
fn the_classic_compiler_has_its_own_layout() {
    let survey = pages(r#""build": "remix build", "start": "remix-serve build""#, REMIX, &[]);
    let found = only(&survey);
    assert_eq!(command(found), "node node_modules/.bin/remix-serve build");
    assert_eq!(
        (output(found), found.hashed_assets.as_ref().unwrap().value.as_str()),
        (Some("build"), "/build/")
    );
    assert_eq!(found.ships[0].from, "public");
    let survey = pages(
        r#""build": "remix build""#,
        REMIX,
        &[("remix.config.js", "module.exports = { serverBuildPath: './server/build/index.js' };")],
    );
    let found = only(&survey);
    assert_eq!(command(found), "node node_modules/.bin/remix-serve ./server/build/index.js");
    assert_eq!(output(found), Some("server/build"));
    let survey = pages(
        r#""build": "remix vite:build", "start": "remix-serve ./build/server/index.js""#,
        REMIX,
        &[("vite.config.ts", "")],
    );
    let found = only(&survey);
    assert_eq!(
        (output(found), found.hashed_assets.as_ref().unwrap().value.as_str()),
        (Some("build"), "/assets/")
    );
    assert!(found.ships.is_empty());
}

#[test]
fn a_preloaded_file_is_in_the_image_too() {
    let survey = pages(
        r#""build": "react-router build", "start": "NODE_OPTIONS='--import ./tracing.mjs' react-router-serve ./build/server/index.js""#,
        ROUTER,
        &[("tracing.mjs", "import 'node:fs';")],
    );
    assert_eq!(output(only(&survey)), None);
    let survey = pages(
        r#""build": "react-router build", "start": "node --import=./tracing.mjs ./build/server/index.js""#,
        ROUTER,
        &[("tracing.mjs", "import 'node:fs';")],
    );
    assert_eq!(output(only(&survey)), None);
}

const COMPILED: &str = r#"{ "name": "desk", "scripts": { "build": "tsc", "start": "node dist/server.js" },
    "dependencies": { "express": "5" } }"#;

/// What a compiled server reads, with the lines that say so.
fn reads(server: &str, more: &[(&str, &str)]) -> Vec<(String, usize)> {
    let files = [
        ("package.json", COMPILED),
        ("package-lock.json", "{}"),
        ("tsconfig.json", r#"{ "compilerOptions": { "rootDir": "src", "outDir": "dist" } }"#),
        ("src/server.ts", server),
        ("src/mail/welcome.html", "<p>"),
        ("public/index.html", "<html>"),
        ("public/uploads/.gitkeep", ""),
        ("views/home.ejs", ""),
        ("data/prices.csv", "1"),
        ("config/rules.json", "{}"),
        ("proto/desk.proto", ""),
        ("README.md", ""),
        (".env", ""),
        ("certs/server.key", ""),
    ];
    let survey = of(&[&files[..], more].concat());
    let found = only(&survey).reads.iter();
    found.map(|path| (path.value.clone(), path.evidence[0].line)).collect()
}

fn read(path: &str) -> Vec<(String, usize)> {
    vec![(path.to_owned(), 1)]
}

#[test]
fn what_a_compiled_program_reads_beside_its_output_is_a_fact() {
    assert_eq!(reads("readFile(join(__dirname, '..', 'public', 'index.html'), done);", &[]), read("public"));
    assert_eq!(reads("app.use(express.static('public'));", &[]), read("public"));
    assert_eq!(reads("app.use(express.static(path.join(process.cwd(), 'data')));", &[]), read("data"));
    assert_eq!(reads("app.set('views', './views');", &[]), read("views"));
    assert_eq!(
        reads("const file = new URL('../data/prices.csv', import.meta.url);", &[]),
        read("data/prices.csv")
    );
    assert_eq!(reads("const file = `${__dirname}/../data/${name}.csv`;", &[]), read("data"));
    assert_eq!(reads("const file = __dirname + '/../data/prices.csv';", &[]), read("data/prices.csv"));
    assert_eq!(
        reads(
            "const here = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../data', name);",
            &[]
        ),
        read("data")
    );
    assert_eq!(reads("const proto = loadSync('./proto/desk.proto');", &[]), read("proto/desk.proto"));
    assert_eq!(reads("const rules = require('../config/rules');", &[]), read("config/rules.json"));
    assert_eq!(reads("app.use(serveStatic({ root: './data' }));", &[]), read("data"));
    assert_eq!(
        reads("const text = readFileSync('src/mail/welcome.html');", &[]),
        read("src/mail/welcome.html")
    );
}

#[test]
fn what_an_image_must_not_hold_or_has_anyway_is_no_such_fact() {
    let nothing: Vec<(String, usize)> = Vec::new();
    // Beside the source it is the build's to copy; the rest is no part of a context, is written, or is the package.
    for server in [
        "readFile(join(__dirname, 'mail', 'welcome.html'));",
        "import mail from './mail/welcome';",
        "readFileSync('README.md'); existsSync('.env'); readFileSync('certs/server.key'); readFileSync('../data');",
        "express.static(path.join(__dirname)); express.static('dist'); join(process.cwd(), 'node_modules'); resolve('.');",
        "import pkg from '../package.json';",
    ] {
        assert_eq!(reads(server, &[]), nothing, "{server}");
    }
    let written = "multer({ dest: 'public/uploads' });\nimport multer from 'multer';\napp.use(express.static('public/uploads'));";
    assert_eq!(reads(written, &[]), [("public".to_owned(), 1)]);
}
