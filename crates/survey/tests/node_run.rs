//! How a Node.js program starts and what it reads when it runs, each as a small repository.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use plimsoll_survey::{Repository, Service, Survey, survey};

fn of(files: &[(&str, &str)]) -> Survey {
    survey(&Repository::from_files("checkout", files.iter().copied()))
}

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
