//! Every rule of `survey` and `generate` is on the page of rules, with the same words, and a rule on the page is raised by
//! one of these repositories, but for a list that may only shrink.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_generate::{Policy, plan, rules as of_stack};
use plimsoll_source::RuleInfo;
use plimsoll_survey::{
    Repository, Survey, answer, ask_about_stack, rules as of_files, survey, take_defaults,
};

type Files = &'static [(&'static str, &'static str)];

const FLASK: (&str, &str) = ("requirements.txt", "flask==3.1.0\ngunicorn==23.0.0\n");
const FLASK_APP: (&str, &str) = ("app.py", "from flask import Flask\napp = Flask(__name__)\n");
const DJANGO: (&str, &str) = ("requirements.txt", "Django==5.2.1\ngunicorn==23.0.0\n");
const MANAGE: (&str, &str) = (
    "manage.py",
    "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site.settings')\nfrom django.core.management import execute_from_command_line\n",
);
const WSGI: (&str, &str) = (
    "site/wsgi.py",
    "import os\nfrom django.core.wsgi import get_wsgi_application\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site.settings')\napplication = get_wsgi_application()\n",
);
const SHOP: (&str, &str) = (
    "package.json",
    r#"{ "name": "shop", "scripts": { "start": "node server.js" }, "dependencies": { "express": "5" } }"#,
);
const LISTENS: (&str, &str) = (
    "server.js",
    "const app = require('express')();\napp.get('/health', (q, r) => r.end());\napp.listen(process.env.PORT ?? 3000);\n",
);
const NEXT: &str = r#"{ "name": "booth", "scripts": { "build": "next build" }, "dependencies": { "next": "15.1.0", "react": "19.0.0" } }"#;

/// Repositories, each with the rules that it is there for.
const CASES: &[(Files, &[RuleInfo])] = &[
    (
        &[
            ("package.json", "{ \"name\": 5, \"dependencies\": [],\n \"name\": \"a\" }"),
            ("a/package.json", "{"),
        ],
        &[of_files::ODD_MANIFEST, of_files::UNREAD_FILE],
    ),
    (&[("README.md", "# Notes\n")], &[of_files::NOTHING_TO_DEPLOY]),
    (
        &[("package.json", r#"{ "name": "x", "scripts": { "start": "cobol run" } }"#)],
        &[of_files::NOT_RECOGNISED],
    ),
    (&[("Gemfile", "gem 'rails'\n"), ("config.ru", "run Rails.application\n")], &[of_files::NOT_GENERATED]),
    (&[("run.py", "from flask import Flask\napp = Flask(__name__)\n")], &[of_files::SERVER_NOT_FOUND]),
    (
        &[
            ("package.json", r#"{ "name": "all", "workspaces": ["docs", "shop", "none/*"] }"#),
            (
                "docs/package.json",
                r#"{ "name": "docs", "scripts": { "build": "docusaurus build" }, "dependencies": { "@docusaurus/core": "3" } }"#,
            ),
            ("shop/package.json", SHOP.1),
            ("shop/server.js", LISTENS.1),
        ],
        &[of_files::LEFT_OUT, of_files::EMPTY_WORKSPACE],
    ),
    (
        &[
            SHOP,
            (
                "server.js",
                "const pg = require('pg');\nconst app = require('express')();\napp.listen(3000);\n",
            ),
            (
                "compose.yaml",
                "services:\n  mail:\n    image: axllent/mailpit:v1.20\n  queue:\n    image: rabbitmq:4\n",
            ),
        ],
        &[
            of_files::DEVELOPMENT_SERVICE,
            of_files::UNUSED_STORE,
            of_files::NO_LOCK_FILE,
            of_files::NO_TESTS,
            of_files::NO_HEALTH_ROUTE,
            of_files::SIGTERM_NOT_HANDLED,
        ],
    ),
    (
        &[
            ("go.mod", "module example.org/x\n"),
            ("Dockerfile", "FROM alpine:3.20\nCOPY server /server\nEXPOSE 8080\nENTRYPOINT [\"/server\"]\n"),
            (
                "compose.yaml",
                "services:\n  api:\n    build: .\n    command: [\"--verbose\"]\n    environment:\n      API_SECRET_KEY: changeme\n      DATABASE_DSN: \"host=db user=a\"\n  db:\n    image: postgres:17\n",
            ),
        ],
        &[
            of_stack::USER_ASSUMED,
            of_stack::WRITES_UNKNOWN,
            of_stack::SHELL_ASSUMED,
            of_stack::NO_HEALTHCHECK,
            of_stack::NO_EGRESS,
            of_stack::OWN_DOCKERIGNORE,
        ],
    ),
    (
        &[
            ("index.html", "<script>go()</script><script>fetch('http://localhost:9000/a')</script>"),
            ("_redirects", "/old /new 301\n"),
        ],
        &[of_files::HOSTING_SETTINGS, of_stack::INLINE_CODE],
    ),
    (
        &[(
            "package.json",
            r#"{ "name": "edge", "scripts": { "deploy": "wrangler deploy" }, "devDependencies": { "wrangler": "3" } }"#,
        )],
        &[of_files::OTHER_PLATFORM],
    ),
    (
        &[
            (
                "package.json",
                r#"{ "name": "shop", "packageManager": 5, "engines": { "node": "the newest" }, "scripts": { "start": "node server.js" }, "dependencies": { "express": "5" } }"#,
            ),
            ("yarn.lock", ""),
            LISTENS,
        ],
        &[of_files::RUNTIME_VERSION, of_files::UNPINNED_MANAGER],
    ),
    (
        &[("requirements.txt", "flask==2.0.2\nredis\n-e ./lib\n"), FLASK_APP],
        &[
            of_files::UNPINNED_PACKAGES,
            of_files::ADDED_CONSTRAINT,
            of_files::LOCAL_REQUIREMENT,
            of_files::PRODUCTION_SERVER,
        ],
    ),
    (
        &[
            ("pyproject.toml", "[project]\nname = \"shop\"\ndependencies = [\n  \"flask\",\n]\n"),
            ("requirements.txt", "gunicorn==23.0.0\n"),
            FLASK_APP,
        ],
        &[of_files::TWO_PACKAGE_LISTS],
    ),
    (
        &[
            (
                "package.json",
                r#"{ "name": "shop", "scripts": { "build": "react-scripts build" }, "dependencies": { "react": "17.0.1", "react-scripts": "5.0.1", "node-sass": "7.0.0" } }"#,
            ),
            ("yarn.lock", ""),
            ("public/index.html", "<html>"),
        ],
        &[of_files::OUTDATED_PACKAGE],
    ),
    (
        &[
            ("package.json", r#"{ "name": "pages", "devDependencies": { "webpack": "5" } }"#),
            ("index.html", "<html>"),
        ],
        &[],
    ),
    (
        &[
            (
                "package.json",
                r#"{ "name": "pages", "scripts": { "build": "node make.js" }, "devDependencies": { "vite": "6" } }"#,
            ),
            ("vite.config.js", "export default { build: { outDir: '../../elsewhere' } }\n"),
            ("index.html", "<html>"),
        ],
        &[of_files::BUILD_UNCLEAR, of_files::BUILD_OUTPUT],
    ),
    (
        &[(
            "package.json",
            r#"{ "name": "booth", "scripts": { "build": "prisma generate && prisma db push && next build" }, "dependencies": { "next": "15.1.0", "react": "19.0.0" }, "devDependencies": { "prisma": "6.0.0" } }"#,
        )],
        &[of_files::BUILD_NEEDS_DATABASE],
    ),
    (
        &[
            ("package.json", NEXT),
            ("src/shop.ts", "export const shop = new Shop(process.env.SHOP_URL!);\n"),
            (".env.production", "SHOP_URL=https://shop.example\n"),
        ],
        &[of_files::BUILD_PLACEHOLDERS, of_files::ENV_FILE_LEFT_OUT],
    ),
    (
        &[
            (
                "package.json",
                r#"{ "name": "booth", "scripts": { "build": "next build", "start": "node server.js" }, "dependencies": { "next": "15.1.0", "react": "19.0.0" } }"#,
            ),
            ("server.js", "const next = require('next');\nrequire('http').createServer().listen(3000);\n"),
        ],
        &[of_files::CUSTOM_SERVER],
    ),
    (
        &[
            ("requirements.txt", "flask==3.1.0\nflask-socketio==5.5.0\ngunicorn==23.0.0\n"),
            (
                "app.py",
                "from flask import Flask\nfrom flask_socketio import SocketIO\napp = Flask(__name__)\nsocketio = SocketIO(app)\n",
            ),
            ("Procfile", "web: gunicorn --workers 4 app:app\n"),
        ],
        &[of_files::ONE_PROCESS],
    ),
    (
        &[
            ("package.json", r#"{ "name": "shop", "dependencies": { "express": "5" } }"#),
            ("src/server.ts", "const app = express();\napp.listen(port());\n"),
        ],
        &[of_files::NO_START_COMMAND, of_files::NO_PORT],
    ),
    (
        &[
            (
                "package.json",
                r#"{ "name": "shop", "scripts": { "start": "node server.js", "test": "node --test", "work": "node a.js && node b.js" }, "dependencies": { "express": "5", "pg": "8", "node-cron": "3" } }"#,
            ),
            (
                "server.js",
                "const express = require('express');\nconst cron = require('node-cron');\ncron.schedule('* * * * *', go);\nconst { Pool } = require('pg');\nconst db = new Pool({ host: 'db.example', user: 'a', password: process.env.DB_PASSWORD });\nconst key = process.env.SESSION_SECRET || 'keyboard cat';\nconst app = express();\napp.get('/health', (q, r) => r.end());\napp.listen(3000, '127.0.0.1');\n",
            ),
        ],
        &[
            of_files::NO_READY_ROUTE,
            of_files::LOOPBACK_ONLY,
            of_files::SECRET_IN_SOURCE,
            of_files::SCHEDULE_IN_SERVER,
            of_stack::LOOPBACK_ONLY,
        ],
    ),
    (
        &[
            (
                "package.json",
                r#"{ "name": "shop", "scripts": { "start": "node server.js", "test": "node --test" }, "dependencies": { "express": "5", "pg": "8" } }"#,
            ),
            ("package-lock.json", "{}"),
            (
                "server.js",
                "const { Pool } = require('pg');\nconst db = new Pool({ host: 'db.example', user: 'a', password: 'b', database: 'c' });\nconst api = process.env.API_URL || 'http://localhost:9';\nconst app = require('express')();\napp.listen(3000);\n",
            ),
        ],
        &[
            of_files::STORE_ADDRESS_FIXED,
            of_stack::ADDRESS_IN_PROGRAM,
            of_stack::CHECKS_NOT_RUN,
            of_stack::LOCAL_DEFAULT,
        ],
    ),
    (
        &[
            (
                "package.json",
                r#"{ "name": "shop", "scripts": { "start": "node server.js" }, "dependencies": { "express": "5", "pg": "8" } }"#,
            ),
            (
                "server.js",
                "const { Pool } = require('pg');\nconst db = new Pool({ connectionString: process.env.DATABASE_URL });\nconst app = require('express')();\napp.listen(3000);\n",
            ),
        ],
        &[of_files::SECRET_NOT_FROM_FILE, of_files::STORE_VERSION_UNKNOWN],
    ),
    (
        &[
            (
                "package.json",
                r#"{ "name": "shop", "scripts": { "start": "node server.js" }, "dependencies": { "express": "5", "pg": "8" } }"#,
            ),
            (
                "server.js",
                "const { Pool } = require('pg');\nconst db = new Pool(settings());\nconst app = require('express')();\napp.listen(3000);\n",
            ),
            ("migrations/1.sql", "create table a (b int);\n"),
        ],
        &[of_files::MIGRATIONS_NOT_APPLIED, of_stack::MIGRATIONS_NOT_APPLIED],
    ),
    (
        &[
            DJANGO,
            MANAGE,
            WSGI,
            (
                "site/settings.py",
                "DEBUG = True\nSECRET_KEY = 'django-insecure-x'\nALLOWED_HOSTS = []\nSTATIC_URL = 'static/'\nROOT_URLCONF = 'site.urls'\nDATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': BASE_DIR / 'db.sqlite3'}}\n",
            ),
            (
                "site/urls.py",
                "from django.urls import re_path\nurlpatterns = [re_path(r'^a/(x|y)$', view)]\n",
            ),
            ("db.sqlite3", "x"),
        ],
        &[
            of_files::DEBUG_ON,
            of_files::ALLOWED_HOSTS,
            of_files::FILES_NOT_SERVED,
            of_files::ROUTES_INCOMPLETE,
        ],
    ),
    (
        &[
            FLASK,
            (
                "app.py",
                "import os\nimport secrets\nfrom flask import Flask\napp = Flask(__name__)\napp.secret_key = secrets.token_hex()\nmail = os.environ['SMTP_HOST']\n",
            ),
            (".env", "SMTP_HOST=localhost\n"),
            ("Procfile", "web: cd src && gunicorn app:app | tee log\nrelease: a && b | c\nworker: a | b\n"),
        ],
        &[
            of_files::RANDOM_KEY,
            of_files::DEVELOPMENT_VALUES,
            of_files::PROCESS_NOT_RUN,
            of_files::STEP_NOT_RUN,
        ],
    ),
    (
        &[
            (
                "requirements.txt",
                "fastapi==0.115.0\nuvicorn==0.34.0\nalembic==1.14.0\npsycopg2-binary==2.9.10\n",
            ),
            (
                "main.py",
                "import os\nfrom fastapi import FastAPI\napp = FastAPI()\nurl = os.environ['DATABASE_URL']\n",
            ),
            ("alembic.ini", "[alembic]\nscript_location = migrations\n"),
            (
                "migrations/env.py",
                "import os\nconfig.set_main_option('sqlalchemy.url', os.environ['DATABASE_URL'])\n",
            ),
            ("migrations/versions/a1_.py", "revision = 'a1'\ndown_revision = None\n"),
            ("migrations/versions/b2_.py", "revision = 'b2'\ndown_revision = None\n"),
        ],
        &[of_files::MIGRATION_HEADS],
    ),
];

/// What the stack needs besides a repository: an answer, a file in the way, or a survey that says less.
#[derive(Default)]
struct Around {
    answers: BTreeMap<String, String>,
    taken: &'static [&'static str],
    alter: Option<fn(&mut Survey)>,
}

fn raised(files: Files, around: &Around) -> BTreeSet<&'static str> {
    let mut survey = survey(&Repository::from_files("repo", files.iter().copied()));
    ask_about_stack(&mut survey);
    let checks = answer(&mut survey, &around.answers).expect("answers fit");
    let policy = Policy { checks, stand_ins: &[], answers: around.answers.clone(), ..Policy::default() };
    take_defaults(&mut survey);
    if let Some(alter) = around.alter {
        alter(&mut survey);
    }
    let gaps = match plan(&survey, &policy, &|path| around.taken.contains(&path)) {
        Ok(planned) => [planned.left_out, planned.notes].concat(),
        Err(error) => error.problems,
    };
    survey.gaps.iter().chain(&gaps).map(|gap| gap.rule.id).collect()
}

/// Rules that none of these repositories raises yet. One that a repository comes to raise leaves this list.
const NOT_RAISED: &[RuleInfo] = &[
    of_files::NO_BUILD_SCRIPT,
    of_files::TABLES_AT_START,
    of_files::DATA_NOT_KEPT,
    of_files::DATABASE_IN_REPOSITORY,
    of_stack::NO_START_COMMAND,
    of_stack::NO_INSTALL,
    of_stack::PYTHON_VERSION,
    of_stack::NO_SECRET_READER,
    of_stack::UNUSABLE_NAME,
    of_stack::SETTINGS_NOT_A_TEMPLATE,
    of_stack::OTHER_VERSION,
    of_stack::IMAGE_REPLACED,
    of_stack::NO_REPLICA_SET,
    of_stack::ADDRESS_ASSUMED,
    of_stack::VARIABLE_NOT_SET,
    of_stack::LOCAL_NAMES_ONLY,
    of_stack::BUILD_VARIABLE,
    of_stack::PAGES_CALL_ELSEWHERE,
    of_stack::PICTURES_FROM_ANYWHERE,
    of_stack::IMAGE_WITH_SHELL,
    of_stack::DEVELOPMENT_PACKAGES,
    of_stack::WRITES_NOT_KEPT,
    of_stack::UPLOAD_LIMIT,
    of_stack::PATHS_UNKNOWN,
    of_stack::PATH_TAKEN,
    of_stack::WEBSOCKETS_UNREACHED,
    of_stack::PORT_OF_ITS_OWN,
    of_stack::CERTIFICATE_NEEDED,
];

#[test]
fn every_rule_is_raised() {
    let mut all = BTreeSet::new();
    let mut wrong = Vec::new();
    let around = Around { taken: &["Dockerfile.dockerignore"], ..Around::default() };
    for (files, expected) in CASES {
        let raised = raised(files, &around);
        for rule in *expected {
            if !raised.contains(rule.id) {
                wrong.push(format!("{} by {:?}: {raised:?}", rule.id, files[0]));
            }
        }
        all.extend(raised);
    }
    for rule in of_files::ALL.iter().chain(of_stack::ALL) {
        let listed = NOT_RAISED.iter().any(|other| other.id == rule.id);
        if all.contains(rule.id) == listed {
            wrong.push(format!("{} by {}", rule.id, if listed { "one of these now" } else { "nothing" }));
        }
    }
    assert!(wrong.is_empty(), "not raised:\n{}", wrong.join("\n"));
}

#[test]
fn the_page_has_every_rule_once_and_no_other() {
    let page = include_str!("../../../docs/rules.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let rules: Vec<String> = of_files::ALL
        .iter()
        .chain(of_stack::ALL)
        .map(|rule| format!("| `{}` | {} |", rule.id, rule.summary))
        .collect();
    assert_eq!(rows, rules);
    assert_eq!(rules.iter().collect::<BTreeSet<_>>().len(), rules.len());
}
