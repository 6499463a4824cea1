//! Repositories that hold no web service, or say too little: a reason or a question with its place, never a plan with
//! an invented port.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use plimsoll_generate::{Policy, generate, plan};
use plimsoll_survey::{Gap, Repository, Survey, survey};

/// What has to come out.
enum Wanted {
    /// No plan; some reason has these words and names this file.
    Refused(&'static str, &'static str),
    /// A plan without the services that the name stands for; some reason or question has these words and this file.
    Said(&'static str, &'static str),
    /// A question with this id.
    Asked(&'static str),
}
use Wanted::{Asked, Refused, Said};

type Case = (&'static str, &'static [(&'static str, &'static str)], Wanted);

const CASES: &[Case] = &[
    (
        "a library",
        &[
            ("package.json", r#"{ "name": "left", "version": "1.0.0", "main": "index.js" }"#),
            ("index.js", "module.exports = 1"),
        ],
        Refused("", "package.json"),
    ),
    (
        "a library with types and tests",
        &[
            (
                "package.json",
                "{ \"name\": \"dates\",\n \"types\": \"dist/index.d.ts\", \"exports\": \"./dist/index.js\",\n \"scripts\": { \"build\": \"tsc\", \"test\": \"vitest\" },\n \"devDependencies\": { \"typescript\": \"5\", \"vitest\": \"3\" } }",
            ),
            ("src/index.ts", "export const today = () => new Date();"),
        ],
        Refused("", "package.json"),
    ),
    (
        "a command-line tool",
        &[
            (
                "package.json",
                r#"{ "name": "lint-it", "bin": { "lint-it": "cli.js" }, "dependencies": { "commander": "12" } }"#,
            ),
            ("cli.js", "require('commander').parse()"),
        ],
        Refused("", "package.json"),
    ),
    (
        "a tool that tests itself with a server",
        &[
            (
                "package.json",
                r#"{ "name": "probe", "bin": "cli.js", "devDependencies": { "express": "5" }, "scripts": { "test": "node test/server.js" } }"#,
            ),
            ("cli.js", "console.log(1)"),
            ("test/server.js", "const app = require('express')(); app.listen(4000);"),
        ],
        Refused("", "package.json"),
    ),
    (
        "a broken manifest",
        &[
            ("package.json", "{ \"name\": \"x\",\n  \"scripts\": { \"start\": \"node a.js\", }\n}"),
            ("a.js", "require('http').createServer().listen(3000)"),
        ],
        Refused("package.json", "package.json"),
    ),
    (
        "a broken pyproject",
        &[
            ("pyproject.toml", "[project]\nname = \"x\"\ndependencies = [\n"),
            ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
        ],
        Refused("pyproject.toml", "pyproject.toml"),
    ),
    (
        "Rust",
        &[("Cargo.toml", "[package]\nname = \"x\"\n"), ("src/main.rs", "fn main() {}")],
        Refused("Rust", "Cargo.toml"),
    ),
    (
        "Go",
        &[
            ("go.mod", "module example.org/x\n"),
            ("main.go", "package main\nfunc main() { http.ListenAndServe(\":8080\", nil) }"),
        ],
        Refused("Go", "go.mod"),
    ),
    (
        "Ruby",
        &[("Gemfile", "gem 'rails'\n"), ("config.ru", "run Rails.application\n")],
        Refused("Ruby", "Gemfile"),
    ),
    (
        "Java",
        &[("pom.xml", "<project/>"), ("src/main/java/A.java", "class A {}")],
        Refused("Java", "pom.xml"),
    ),
    ("nothing", &[], Refused("nothing", "")),
    ("words", &[("README.md", "# Notes\n"), ("docs/a.md", "a\n")], Refused("nothing", "")),
    (
        "infrastructure",
        &[("main.tf", "resource \"x\" \"y\" {}\n"), ("README.md", "x")],
        Refused("nothing", ""),
    ),
    (
        "a Python library",
        &[
            (
                "pyproject.toml",
                "[project]\nname = \"calc\"\nversion = \"1\"\ndependencies = [\"numpy\"]\n[build-system]\nrequires = [\"hatchling\"]\n",
            ),
            ("src/calc/__init__.py", "def add(a, b): return a + b\n"),
        ],
        Refused("", "pyproject.toml"),
    ),
    (
        "a Python script",
        &[
            ("requirements.txt", "requests==2.32.0\n"),
            ("report.py", "import requests\nprint(requests.get('https://example.org').text)\n"),
        ],
        Refused("", "requirements.txt"),
    ),
    (
        "a Flask extension",
        &[
            (
                "pyproject.toml",
                "[project]\nname = \"flask-thing\"\nversion = \"1\"\ndependencies = [\"flask\"]\n",
            ),
            ("flask_thing/__init__.py", "class Thing:\n    def init_app(self, app):\n        pass\n"),
        ],
        Refused("", "pyproject.toml"),
    ),
    (
        "an Electron application",
        &[
            (
                "package.json",
                r#"{ "name": "desk", "main": "main.js", "scripts": { "start": "electron ." }, "devDependencies": { "electron": "30" } }"#,
            ),
            ("main.js", "const { app } = require('electron')"),
        ],
        Refused("lectron", "package.json"),
    ),
    (
        "a mobile application",
        &[
            (
                "package.json",
                r#"{ "name": "pocket", "scripts": { "start": "expo start" }, "dependencies": { "expo": "51", "react-native": "0.74" } }"#,
            ),
            ("App.js", "export default () => null"),
        ],
        Refused("", "package.json"),
    ),
    (
        "a store that runs as one server, without a replica set",
        &[
            (
                "package.json",
                "{ \"name\": \"m\", \"scripts\": { \"start\": \"node s.js\" },\n  \"dependencies\": { \"express\": \"5\",\n  \"mongoose\": \"8\" } }",
            ),
            (
                "s.js",
                "const mongoose = require('mongoose');\nmongoose.connect(process.env.MONGO_URL);\nrequire('express')().listen(process.env.PORT || 3000);",
            ),
        ],
        Said("Mongo", "package.json"),
    ),
    (
        "a search engine that we have no image for",
        &[
            ("requirements.txt", "flask==3.1.0\ngunicorn==23.0.0\nelasticsearch==8.13.0\n"),
            (
                "app.py",
                "import os\nfrom elasticsearch import Elasticsearch\nfrom flask import Flask\napp = Flask(__name__)\nes = Elasticsearch(os.environ['ELASTICSEARCH_URL'])\n@app.get('/health')\ndef h(): return 'ok'\n",
            ),
        ],
        Said("lasticsearch", "requirements.txt"),
    ),
    (
        "two web frameworks in one program",
        &[
            (
                "package.json",
                r#"{ "name": "two", "scripts": { "start": "node main.js" }, "dependencies": { "express": "5", "fastify": "5" } }"#,
            ),
            (
                "main.js",
                "const app = require('express')(); app.listen(3000);\nconst f = require('fastify')(); f.listen({ port: 4000, host: '0.0.0.0' });",
            ),
        ],
        Said("", "main.js"),
    ),
    (
        "a server whose port nobody says",
        &[
            (
                "package.json",
                r#"{ "name": "p", "scripts": { "start": "node s.js" }, "dependencies": { "express": "5" } }"#,
            ),
            ("s.js", "const config = require('./config.json');\nrequire('express')().listen(config.port);"),
            ("config.json", "{ \"port\": null }"),
        ],
        Asked("p.port"),
    ),
    (
        "a server on loopback alone",
        &[
            (
                "package.json",
                r#"{ "name": "l", "scripts": { "start": "node s.js" }, "dependencies": { "express": "5" } }"#,
            ),
            ("s.js", "require('express')().listen(3000, '127.0.0.1');"),
        ],
        Refused("127.0.0.1", "s.js"),
    ),
];

fn said(survey: &Survey, more: &[Gap]) -> Vec<(String, Vec<String>)> {
    let files = |gap: &Gap| gap.evidence.iter().map(|evidence| format!("{evidence:?}")).collect::<Vec<_>>();
    let gaps =
        survey.gaps.iter().chain(more).map(|gap| (format!("{}: {}", gap.subject, gap.message), files(gap)));
    let questions = survey.questions.iter().map(|question| {
        let files = question.evidence.iter().map(|evidence| format!("{evidence:?}")).collect();
        (format!("{}: {}", question.id, question.text), files)
    });
    gaps.chain(questions).collect()
}

/// What is wrong with a case; nothing where it came out as it should.
fn wrong((name, files, wanted): &Case) -> Option<String> {
    let survey = survey(&Repository::from_files("repo", files.iter().copied()));
    let planned = plan(&survey, &Policy::default(), &|_| false);
    let (stack, more) = match planned {
        Ok(planned) => (Some(planned.stack), [planned.left_out, planned.notes].concat()),
        Err(error) => (None, error.problems),
    };
    let said = said(&survey, &more);
    let told = |words: &str, file: &str| {
        said.iter().any(|(text, files)| {
            (text.contains(words) || files.iter().any(|file| file.contains(words)))
                && (file.is_empty() || text.contains(file) || files.iter().any(|at| at.contains(file)))
        })
    };
    let fine = match wanted {
        Refused(words, file) => stack.is_none() && told(words, file),
        Said(words, file) => told(words, file),
        Asked(id) => survey.questions.iter().any(|question| question.id == *id),
    };
    if let Some(stack) = &stack {
        // whatever is planned can be written
        generate(stack).unwrap();
    }
    let plan = stack.map_or("refused", |_| "planned");
    (!fine).then(|| format!("{name}: {plan}; {said:#?}"))
}

#[test]
fn what_is_no_web_service_gets_a_reason_and_no_port() {
    let wrong: Vec<String> = CASES.iter().filter_map(wrong).collect();
    // `cargo xtask conformance init` reads the figure
    println!("negative: {}/{}", CASES.len() - wrong.len(), CASES.len());
    assert!(CASES.len() >= 20);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}
