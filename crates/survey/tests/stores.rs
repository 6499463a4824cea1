//! Stores: what the services use and what the development compose file says, put together.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use plimsoll_survey::{Address, Repository, StoreKind, StoreRole, Survey, survey};

const API: &str =
    r#"{ "name": "api", "packageManager": "npm@11.0.0", "dependencies": { "express": "5.1.0", "pg": "8" } }"#;
const MAIN: &str = "import express from 'express';\nconst app = express();\nconnect(process.env.DATABASE_URL);\napp.listen(3000);\n";

fn of(files: &[(&str, &str)]) -> Survey {
    survey(&Repository::from_files("repo", files.iter().copied()))
}

fn node(compose: &str) -> Survey {
    of(&[("package.json", API), ("src/main.ts", MAIN), ("docker-compose.yml", compose)])
}

fn names(survey: &Survey) -> Vec<(&str, StoreKind)> {
    survey.stores.iter().map(|store| (store.name.as_str(), store.kind)).collect()
}

fn gap<'a>(survey: &'a Survey, subject: &str) -> (&'a str, usize) {
    let gap = survey
        .gaps
        .iter()
        .find(|gap| {
            gap.subject == subject && gap.evidence.iter().any(|evidence| evidence.file.contains("compose"))
        })
        .unwrap();
    (gap.message.as_str(), gap.evidence[0].line)
}

#[test]
fn mysql_vanishes() {
    let survey = node(
        "services:\n  mysql:\n    image: mysql:8.4\n    environment:\n      MYSQL_USER: kiosk\n      MYSQL_DATABASE: kiosk\n",
    );
    let store = survey.stores.iter().find(|store| store.kind == StoreKind::Mysql).unwrap();
    assert_eq!((store.name.as_str(), store.version.as_ref().unwrap().value.as_str()), ("mysql", "8.4"));
    let database = store.database.as_ref().unwrap();
    assert_eq!((database.value.as_str(), database.evidence[0].line), ("kiosk", 6));
}

#[test]
fn database_with_extension_replaced() {
    let survey = node(
        "services:\n  postgres:\n    image: pgvector/pgvector:pg17\n    environment: { POSTGRES_USER: kiosk, POSTGRES_DB: kiosk }\n",
    );
    let store = &survey.stores[0];
    let image = store.image.as_ref().unwrap();
    assert_eq!((image.value.as_str(), image.evidence[0].line), ("pgvector/pgvector:pg17", 3));
    assert_eq!(store.version.as_ref().unwrap().value, "17");
    assert_eq!(store.user.as_ref().unwrap().value, "kiosk");
    let variable = node("services:\n  db:\n    image: postgres:${PG_VERSION:-17}-alpine\n");
    assert_eq!(variable.stores[0].version.as_ref().unwrap().value, "17");
    assert!(variable.stores[0].image.is_none());
}

#[test]
fn two_databases_one_kept() {
    let compose = "services:\n  postgres:\n    image: postgres:17\n    environment: { POSTGRES_USER: kiosk, POSTGRES_DB: kiosk }\n  analytics:\n    image: postgres:17\n    environment: { POSTGRES_PASSWORD: x, POSTGRES_DB: analytics }\n";
    let survey = node(compose);
    assert_eq!(names(&survey), [("postgres", StoreKind::Postgresql), ("analytics", StoreKind::Postgresql)]);
    let databases: Vec<&str> =
        survey.stores.iter().map(|store| store.database.as_ref().unwrap().value.as_str()).collect();
    assert_eq!(databases, ["kiosk", "analytics"]);
    let question = &survey.questions.iter().find(|question| question.id == "api.postgres").unwrap();
    assert_eq!((question.id.as_str(), question.default.as_ref()), ("api.postgres", None));
    assert_eq!(question.options, ["postgres", "analytics"]);
    // The variable's host in development says which one is meant.
    let named = format!(
        "{compose}  api:\n    build: .\n    environment:\n      DATABASE_URL: postgres://kiosk:kiosk@analytics:5432/analytics\n"
    );
    let survey = node(&named);
    assert!(!survey.questions.iter().any(|question| question.id == "api.postgres"));
    assert_eq!(survey.services[0].stores[0].store, "analytics");
    // A database for tests is none of production.
    let test = node("services:\n  db: { image: 'postgres:17' }\n  test-db: { image: 'postgres:17' }\n");
    assert_eq!(names(&test), [("db", StoreKind::Postgresql)]);
    assert!(gap(&test, "test-db").0.contains("for tests"));
}

#[test]
fn other_services_of_compose_ignored() {
    let survey = node(
        "services:\n  postgres:\n    image: postgres:17\n  mail:\n    image: axllent/mailpit:v1.20\n  search:\n    image: getmeili/meilisearch:v1.11\n  queue:\n    image: rabbitmq:4\n",
    );
    assert_eq!(
        gap(&survey, "mail"),
        ("service `mail` (axllent/mailpit:v1.20) is for development: it is left out", 5)
    );
    assert_eq!(
        gap(&survey, "search"),
        ("service `search` (getmeili/meilisearch:v1.11) is not known: nothing is generated for it", 7)
    );
    assert_eq!(
        gap(&survey, "queue"),
        ("the development file starts RabbitMQ, and no service is known to use it", 9)
    );
    assert_eq!(names(&survey), [("postgres", StoreKind::Postgresql), ("queue", StoreKind::Rabbitmq)]);
}

#[test]
fn service_named_like_a_store() {
    let survey = of(&[
        ("package.json", r#"{ "name": "x", "workspaces": ["apps/*"] }"#),
        ("apps/postgres/package.json", &API.replace("\"api\"", "\"@kiosk/postgres\"")),
        ("apps/postgres/src/main.ts", MAIN),
        ("docker-compose.yml", "services:\n  postgres:\n    image: postgres:17\n"),
    ]);
    assert_eq!(survey.services[0].name, "postgres");
    assert_eq!(survey.stores[0].name, "db");
    assert_eq!(survey.services[0].stores[0].store, "db");
}

const CELERY: &str = "import os\nfrom celery import Celery\nfrom fastapi import FastAPI\napp = FastAPI()\n\
    celery = Celery('shop', broker=os.environ['CELERY_BROKER_URL'])\ncelery.conf.beat_schedule = {'x': {'task': 'a', 'schedule': 60.0}}\n\
    cache = redis.from_url(os.environ.get('CACHE_URL', 'redis://redis:6379/1'))\n";

#[test]
fn redis_as_broker_and_cache_is_two_stores() {
    let survey = of(&[
        ("requirements.txt", "fastapi==0.115\ncelery[redis]==5.4\nredis==5\n"),
        ("main.py", CELERY),
        ("compose.yaml", "services:\n  redis:\n    image: redis:8-alpine\n"),
    ]);
    let stores: Vec<(&str, StoreRole)> =
        survey.stores.iter().map(|store| (store.name.as_str(), store.role)).collect();
    assert_eq!(stores, [("redis-broker", StoreRole::Broker), ("redis-cache", StoreRole::Cache)]);
    let uses: Vec<(&str, &str)> = survey.services[0]
        .stores
        .iter()
        .map(|used| match used.address.as_ref().unwrap() {
            Address::Url { variable, .. } => (used.store.as_str(), variable.value.as_str()),
            _ => ("", ""),
        })
        .collect();
    assert_eq!(uses, [("redis-broker", "CELERY_BROKER_URL"), ("redis-cache", "CACHE_URL")]);
    assert!(survey.stores.iter().all(|store| store.version.as_ref().unwrap().value == "8"));
}

#[test]
fn addresses_in_parts_and_schemes_are_read() {
    let survey = of(&[
        ("requirements.txt", "flask==3\npsycopg2-binary==2.9.10\npika==1.3\n"),
        (
            "app.py",
            "import os\nfrom flask import Flask\napp = Flask(__name__)\nhost = os.environ['DB_HOST']\nuser = os.getenv('DB_USER', 'shop')\n\
             password = os.environ['DB_PASSWORD']\nname = os.environ.get('DB_NAME', 'shop')\nq = os.environ.get('QUEUE', 'amqp://guest:guest@mq:5672/')\n",
        ),
    ]);
    let service = &survey.services[0];
    let Some(Address::Parts { variables, .. }) = &service.stores[0].address else {
        panic!("{:?}", service.stores)
    };
    let parts: Vec<(String, &str)> =
        variables.iter().map(|(part, fact)| (format!("{part:?}"), fact.value.as_str())).collect();
    let expected =
        [("Host", "DB_HOST"), ("User", "DB_USER"), ("Password", "DB_PASSWORD"), ("Database", "DB_NAME")];
    assert_eq!(parts.iter().map(|(part, name)| (part.as_str(), *name)).collect::<Vec<_>>(), expected);
    assert_eq!(service.stores[1].kind, StoreKind::Rabbitmq);
    assert!(
        matches!(&service.stores[1].address, Some(Address::Url { variable, .. }) if variable.value == "QUEUE")
    );
}

#[test]
fn the_driver_that_sqlalchemy_needs_stands_in_the_scheme() {
    let scheme = |requirements: &str, source: &str| {
        let main = format!(
            "import os\nfrom flask import Flask\napp = Flask(__name__)\nurl = os.environ['DATABASE_URL']\n{source}"
        );
        let survey = of(&[("requirements.txt", requirements), ("app.py", &main)]);
        match survey.services[0].stores[0].address.clone() {
            Some(Address::Url { scheme, .. }) => scheme,
            other => panic!("{other:?}"),
        }
    };
    let flask = "flask==3\nsqlalchemy==2.0.40\n";
    assert_eq!(scheme(&format!("{flask}psycopg[binary]==3.2\n"), "").as_deref(), Some("postgresql+psycopg"));
    assert_eq!(scheme(&format!("{flask}asyncpg==0.30\n"), "").as_deref(), Some("postgresql+asyncpg"));
    assert_eq!(scheme(&format!("{flask}psycopg2-binary==2.9.10\n"), ""), None);
    let rewrites = "url = url.replace('postgres://', 'postgresql+psycopg://')\n";
    assert_eq!(scheme(&format!("{flask}psycopg[binary]==3.2\n"), rewrites), None);
    assert_eq!(scheme("flask==3\npsycopg[binary]==3.2\n", ""), None);
    let list = format!("{flask}psycopg[binary]==3.2\nasyncpg==0.30\n");
    let both = "import sqlalchemy\nother = os.environ['ASYNC_DATABASE_URL']\n";
    assert_eq!(scheme(&list, both).as_deref(), Some("postgresql+psycopg"));
}

#[test]
fn the_default_of_an_address_names_the_driver_also_where_it_is_put_together() {
    let scheme = |list: &str, read: &str| {
        let main = format!("import os\nfrom flask import Flask\napp = Flask(__name__)\n{read}");
        let survey = of(&[
            ("requirements.txt", &format!("flask==3\nflask-sqlalchemy==3.1\n{list}")),
            ("app.py", &main),
        ]);
        match survey.services[0].stores.first().and_then(|used| used.address.clone()) {
            Some(Address::Url { scheme, .. }) => scheme,
            other => panic!("{other:?}"),
        }
    };
    let inline = "url = os.getenv('DATABASE_URL', f'postgresql+psycopg://{user}:{password}@{host}/{name}')\n";
    assert_eq!(scheme("psycopg==3.2\n", inline).as_deref(), Some("postgresql+psycopg"));
    let by_name =
        "db = f'postgresql+psycopg://{user}:{password}@{host}/{name}'\nurl = os.getenv('DATABASE_URL', db)\n";
    assert_eq!(scheme("psycopg==3.2\npsycopg2==2.9\n", by_name).as_deref(), Some("postgresql+psycopg"));
    let mysql = "url = os.environ['DATABASE_URL']\n";
    assert_eq!(scheme("pymysql==1.1\n", mysql).as_deref(), Some("mysql+pymysql"));
    assert_eq!(scheme("mysqlclient==2.2\n", mysql), None);
}

#[test]
fn djangos_engine_decides_over_a_driver_that_nothing_uses() {
    let files = |settings: &'static str| {
        of(&[
            ("requirements.txt", "django==5.2\npsycopg[binary]==3.2\n"),
            ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"),
            ("shop/settings.py", settings),
            ("shop/wsgi.py", ""),
        ])
    };
    let sqlite = files(
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': BASE_DIR / 'db.sqlite3'}}\n",
    );
    assert_eq!(
        sqlite.services[0].stores.iter().map(|used| used.kind).collect::<Vec<_>>(),
        [StoreKind::Sqlite]
    );
    let fixed = files("DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'HOST': 'db'}}\n");
    let Some(Address::Fixed { host, .. }) = &fixed.services[0].stores[0].address else {
        panic!("{:?}", fixed.services[0].stores)
    };
    assert_eq!((host.value.as_str(), host.evidence[0].line), ("db", 1));
}

#[test]
fn two_servers_of_one_kind_are_told_apart_by_port_and_by_name() {
    let of = |cache: &str, broker: &str| {
        let settings = format!(
            "import os\nfrom celery import Celery\nimport redis\ncache = redis.from_url(os.environ.get('REDIS_CACHE_URL', '{cache}'))\napp = Celery('x', broker=os.environ.get('CELERY_BROKER_URL', '{broker}'))\n"
        );
        let survey = survey(&Repository::from_files(
            "repo",
            [
                ("requirements.txt", "flask==3.1.2\ngunicorn==23.0.0\nredis==6.4.0\ncelery==5.5.0\n"),
                ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
                ("work.py", settings.as_str()),
                (
                    "docker-compose.yml",
                    "services:\n  redis:\n    image: redis:8\n    ports: ['127.0.0.1:6379:6379']\n  redis-cache:\n    image: redis:8\n    ports: [{ target: 6379, published: 6380 }]\n",
                ),
            ],
        ));
        assert!(
            survey.questions.iter().all(|question| !question.id.contains(".redis")),
            "{:?}",
            survey.questions
        );
        let mut uses: Vec<(String, String)> = survey.services[0]
            .stores
            .iter()
            .map(|used| {
                let Some(plimsoll_survey::Address::Url { variable, .. }) = &used.address else {
                    panic!("{used:?}")
                };
                (variable.value.clone(), used.store.clone())
            })
            .collect();
        uses.sort();
        uses
    };
    let right = [
        ("CELERY_BROKER_URL".to_owned(), "redis".to_owned()),
        ("REDIS_CACHE_URL".to_owned(), "redis-cache".to_owned()),
    ];
    assert_eq!(of("redis://127.0.0.1:6380/0", "redis://127.0.0.1:6379/0"), right);
    // one port for both: the names say it
    assert_eq!(of("redis://somewhere", "redis://elsewhere"), right);
}

#[test]
fn a_dashboard_of_the_development_file_is_said_to_be_left_out() {
    let survey = of(&[
        ("requirements.txt", "fastapi\nuvicorn\ncelery==5.5.0\n"),
        ("main.py", "from fastapi import FastAPI\napp = FastAPI()\n"),
        ("tasks.py", "from celery import Celery\napp = Celery('tasks', broker='redis://redis:6379/0')\n"),
        (
            "docker-compose.yml",
            "services:\n  web:\n    build: .\n  dashboard:\n    build: .\n    command: celery -A tasks flower --port=5555\n",
        ),
    ]);
    let said = survey
        .gaps
        .iter()
        .find(|gap| gap.message.contains("service `dashboard` shows a queue to whoever opens it"));
    let said = said.unwrap_or_else(|| panic!("{:#?}", survey.gaps));
    assert_eq!((said.evidence[0].file.as_str(), said.evidence[0].line), ("docker-compose.yml", 4));
}
