//! Faults that were found on projects in Python, each on a repository that shows nothing but its case.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use plimsoll_survey::{
    Address, Beside, Gap, Part, Question, Repository, Role, Service, StoreKind, Survey, survey,
};

fn of(files: &[(&str, &str)]) -> Survey {
    survey(&Repository::from_files("repo", files.iter().copied()))
}

fn gap<'a>(survey: &'a Survey, part: &str) -> &'a Gap {
    let found = survey.gaps.iter().find(|gap| gap.message.contains(part));
    found.unwrap_or_else(|| panic!("no gap says {part:?}: {:#?}", survey.gaps))
}

fn question<'a>(survey: &'a Survey, id: &str) -> &'a Question {
    let found = survey.questions.iter().find(|question| question.id == id);
    found.unwrap_or_else(|| panic!("no question {id}: {:#?}", survey.questions))
}

fn words(service: &Service) -> String {
    service.command.as_ref().unwrap().value.join(" ")
}

fn variables(service: &Service) -> Vec<&str> {
    service.environment.iter().map(|variable| variable.name.as_str()).collect()
}

/// Kind and variable of each use of a store: of parts the host's.
fn uses(service: &Service) -> Vec<(StoreKind, String)> {
    let name = |address: &Option<Address>| match address {
        Some(Address::Url { variable, .. }) => variable.value.clone(),
        Some(Address::Parts { variables, .. }) => {
            let mut names: Vec<(Part, &str)> =
                variables.iter().map(|(part, variable)| (*part, variable.value.as_str())).collect();
            names.sort_unstable();
            names.into_iter().map(|(_, name)| name).collect::<Vec<_>>().join(" ")
        }
        Some(Address::Fixed { host, .. }) => format!("fixed {}", host.value),
        None => "unknown".to_owned(),
    };
    service.stores.iter().map(|used| (used.kind, name(&used.address))).collect()
}

const FROZEN: &str = "amqp==5.2.0\nbilliard==4.2.0\ncelery==5.4.0\nFlask==3.0.3\ngunicorn==23.0.0\nkombu==5.3.7\nredis==5.0.4\nvine==5.1.0\n";

#[test]
fn a_frozen_list_asks_for_no_rabbitmq_and_celery_reads_its_broker_from_a_variable() {
    let survey = of(&[
        ("requirements.txt", FROZEN),
        (
            "app.py",
            "from celery import Celery\nfrom flask import Flask\napp = Flask(__name__)\napp.config['CELERY_BROKER_URL'] = 'redis://localhost:6379/0'\ncelery = Celery(app.name, broker=app.config['CELERY_BROKER_URL'], backend='redis://localhost:6379/1')\n",
        ),
    ]);
    let expected = [
        (StoreKind::Redis, "CELERY_BROKER_URL".to_owned()),
        (StoreKind::Redis, "CELERY_RESULT_BACKEND".to_owned()),
    ];
    assert_eq!(uses(&survey.services[0]), expected);
    assert_eq!(survey.services[0].stores[0].evidence[0].line, 4);
    assert!(survey.stores.iter().all(|store| store.kind == StoreKind::Redis), "{:#?}", survey.stores);
}

#[test]
fn a_brokers_address_in_djangos_settings_starts_rabbitmq() {
    let survey = of(&[
        ("requirements.txt", "Django==5.2\ncelery==5.5.0\n"),
        ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n"),
        ("site1/__init__.py", ""),
        ("site1/celery.py", "from celery import Celery\napp = Celery('site1')\n"),
        ("site1/settings.py", "DEBUG = False\nCELERY_BROKER_URL = 'amqp://guest:guest@localhost//'\n"),
        ("site1/wsgi.py", "application = get_wsgi_application()\n"),
    ]);
    assert_eq!(uses(&survey.services[0])[0], (StoreKind::Rabbitmq, "CELERY_BROKER_URL".to_owned()));
    let place = &survey.services[0].stores[0].evidence[0];
    assert_eq!((place.file.as_str(), place.line), ("site1/settings.py", 2));
    assert_eq!(survey.stores[0].name, "rabbitmq");
}

#[test]
fn celery_without_a_word_about_its_broker_is_a_question() {
    let files = [
        ("requirements.txt", "celery==5.5.0\n"),
        ("tasks.py", "from celery import Celery\napp = Celery('tasks')\n"),
    ];
    let survey = of(&files);
    let asked = question(&survey, "app.rabbitmq");
    assert_eq!((asked.default.as_deref(), asked.evidence[0].line), (Some("yes"), 2));
    assert_eq!(uses(&survey.services[0])[0], (StoreKind::Rabbitmq, "CELERY_BROKER_URL".to_owned()));
}

#[test]
fn a_client_of_rabbitmq_that_is_imported_is_a_use() {
    let with = |source: &str| {
        let survey = of(&[
            ("requirements.txt", "Flask==3.0.3\npika==1.3.2\n"),
            ("app.py", &format!("import os\nfrom flask import Flask\napp = Flask(__name__)\n{source}")),
        ]);
        survey.stores.len()
    };
    assert_eq!(with("import pika\n"), 1);
    assert_eq!(with("url = os.environ['AMQP_URL']\n"), 1);
    assert_eq!(with(""), 0);
}

const MANAGE: &str = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n";

fn django(settings: &str, more: &[(&str, &str)]) -> Survey {
    let base = [
        ("requirements.txt", "Django==5.2\ngunicorn==23.0.0\n"),
        ("manage.py", MANAGE),
        ("site1/__init__.py", ""),
        ("site1/settings.py", settings),
        ("site1/wsgi.py", "application = get_wsgi_application()\n"),
    ];
    of(&[&base[..], more].concat())
}

fn files(survey: &Survey) -> (Vec<&str>, Vec<&str>) {
    let service = &survey.services[0];
    (
        service.files.iter().map(|file| file.value.as_str()).collect(),
        service.writes.iter().map(|writes| writes.path.value.as_str()).collect(),
    )
}

#[test]
fn djangos_file_of_sqlite_outlives_its_container() {
    let with = |base: &str, name: &str| {
        django(
            &format!(
                "import os\nfrom pathlib import Path\nBASE_DIR = {base}\nDATABASES = {{\n    'default': {{\n        'ENGINE': 'django.db.backends.sqlite3',\n        'NAME': {name},\n    }}\n}}\n"
            ),
            &[],
        )
    };
    let beside = (vec!["db.sqlite3"], vec![]);
    let path = "Path(__file__).resolve().parent.parent";
    assert_eq!(files(&with(path, "BASE_DIR / 'db.sqlite3'")), beside);
    assert_eq!(files(&with("Path(__file__).parents[1]", "str(BASE_DIR / 'db.sqlite3')")), beside);
    let os = "os.path.dirname(os.path.dirname(os.path.abspath(__file__)))";
    assert_eq!(files(&with(os, "os.path.join(BASE_DIR, 'db.sqlite3')")), beside);
    assert_eq!(files(&with(path, "'db.sqlite3'")), beside);
    assert_eq!(files(&with(path, "os.environ.get('DB_FILE', BASE_DIR / 'db.sqlite3')")), beside);
    // A folder of its own is a volume, one of the program's is not.
    assert_eq!(files(&with(path, "BASE_DIR / 'data' / 'db.sqlite3'")), (vec![], vec!["data"]));
    assert_eq!(files(&with(path, "BASE_DIR / 'site1/db.sqlite3'")), (vec!["site1/db.sqlite3"], vec![]));
    assert_eq!(files(&with(path, "'/var/lib/site/db.sqlite3'")), (vec![], vec!["/var/lib/site"]));
    let survey = with(path, "BASE_DIR / 'db.sqlite3'");
    let place = &survey.services[0].files[0].evidence[0];
    assert_eq!((place.file.as_str(), place.line), ("site1/settings.py", 7));
    // What cannot be read is asked, and nothing is written before.
    let survey = with(path, "find_database()");
    let asked = question(&survey, "app.sqlite");
    assert_eq!((asked.default.as_deref(), asked.evidence[0].line), (None, 7));
}

#[test]
fn a_database_in_the_repository_is_not_productions() {
    let settings = "from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\nDATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': BASE_DIR / 'db.sqlite3'}}\n";
    let survey = django(settings, &[("db.sqlite3", "x")]);
    assert_eq!(gap(&survey, "stays a developer's").evidence[0].file, "db.sqlite3");
}

#[test]
fn addresses_of_sqlite_in_the_sources_name_a_file() {
    let with = |packages: &str, line: &str| {
        let source = format!(
            "import os\nfrom flask import Flask\nhere = os.path.abspath(os.path.dirname(__file__))\napp = Flask(__name__)\n{line}\n"
        );
        of(&[("requirements.txt", packages), ("shop/__init__.py", ""), ("shop/app.py", &source)])
    };
    let plain = "Flask==3.0.3\nSQLAlchemy==2.0.40\n";
    assert_eq!(files(&with(plain, "engine = create_engine('sqlite:///./shop.db')")).0, ["shop.db"]);
    assert_eq!(files(&with(plain, "url = 'sqlite:///' + os.path.join(here, 'shop.db')")).0, ["shop/shop.db"]);
    assert_eq!(files(&with(plain, "url = f'sqlite:///{here}/../shop.db'")).0, ["shop.db"]);
    assert_eq!(files(&with(plain, "url = os.getenv('DATABASE_URL', 'sqlite:///data/shop.db')")).1, ["data"]);
    assert_eq!(files(&with(plain, "url = 'sqlite://'")), (vec![], vec![]));
    // Flask-SQLAlchemy counts from the instance folder, and did not before its third version.
    let uri = "app.config['SQLALCHEMY_DATABASE_URI'] = 'sqlite:///shop.db'";
    assert_eq!(files(&with("Flask==3.0.3\nFlask-SQLAlchemy==3.1.1\n", uri)).1, ["instance"]);
    assert_eq!(files(&with("Flask==2.0.3\nFlask-SQLAlchemy==2.5.1\n", uri)).0, ["shop/shop.db"]);
    let survey = with(
        plain,
        "import sqlite3\nDATABASE = os.path.join(app.instance_path, 'shop.sqlite')\ndef db():\n    return sqlite3.connect(app.config['DATABASE'])",
    );
    assert_eq!(files(&survey), (vec![], vec!["instance"]));
    assert_eq!(uses(&survey.services[0])[0].0, StoreKind::Sqlite);
}

/// The settings of Django that a stack sets when the program runs.
fn chosen_settings(survey: &Survey) -> Option<&str> {
    let settings = survey.services[0].settings.iter();
    let mut chosen = settings.filter(|set| set.name == "DJANGO_SETTINGS_MODULE" && !set.at_build);
    chosen.next().map(|set| set.value.as_str())
}

const PACKAGES: (&str, &str) = ("requirements.txt", "Django==5.2\ngunicorn==23.0.0\n");
const WSGI: (&str, &str) = ("site1/wsgi.py", "application = get_wsgi_application()\n");

#[test]
fn settings_that_the_environment_decides_are_asked_and_productions_are_taken() {
    let survey = of(&[
        PACKAGES,
        WSGI,
        (
            "manage.py",
            "import os\ndef main():\n    name = 'site1.production' if 'HOSTED' in os.environ else 'site1.settings'\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', name)\n",
        ),
        ("site1/__init__.py", ""),
        ("site1/settings.py", "import os\nA = os.environ.get('OF_LAPTOPS')\n"),
        ("site1/production.py", "from .settings import *\nimport os\nB = os.environ['OF_PRODUCTION']\n"),
    ]);
    let asked = question(&survey, "app.settings");
    assert_eq!(asked.options, ["site1.production", "site1.settings"]);
    assert_eq!((asked.default.as_deref(), asked.evidence[0].line), (Some("site1.production"), 3));
    assert_eq!(chosen_settings(&survey), Some("site1.production"));
    assert_eq!(variables(&survey.services[0]), ["OF_LAPTOPS", "OF_PRODUCTION"]);
    let mut answered = survey.clone();
    let answers = [("app.settings".to_owned(), "site1.settings".to_owned())].into();
    plimsoll_survey::answer(&mut answered, &answers).unwrap();
    assert_eq!(chosen_settings(&answered), Some("site1.settings"));
}

#[test]
fn settings_that_no_text_names_are_found_by_their_file_or_missed_aloud() {
    let named = |more: &[(&str, &str)]| {
        let base = [
            PACKAGES,
            WSGI,
            ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', find_settings())\n"),
            ("site1/__init__.py", ""),
        ];
        of(&[&base[..], more].concat())
    };
    let found = named(&[("site1/settings.py", "INSTALLED_APPS = []\n")]);
    assert_eq!(chosen_settings(&found), Some("site1.settings"));
    let missed = named(&[]);
    assert_eq!(gap(&missed, "settings was not found").evidence[0].line, 2);
    let by_stage = of(&[
        PACKAGES,
        WSGI,
        (
            "manage.py",
            "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', f'site1.settings.{stage()}')\n",
        ),
        ("site1/settings/__init__.py", ""),
        ("site1/settings/base.py", ""),
        ("site1/settings/local.py", ""),
        ("site1/settings/production.py", ""),
    ]);
    assert_eq!(
        question(&by_stage, "app.settings").options,
        ["site1.settings.production", "site1.settings.local"]
    );
}

#[test]
fn a_package_of_settings_is_read_for_variables_and_its_laptops_do_not_count() {
    let survey = of(&[
        PACKAGES,
        WSGI,
        ("manage.py", MANAGE),
        ("site1/__init__.py", ""),
        (
            "site1/settings/__init__.py",
            "try:\n    from .dev import *\nexcept ImportError:\n    from .prod import *\n",
        ),
        (
            "site1/settings/base.py",
            "import os\nSITE_NAME = os.environ['SITE_NAME']\nMAIL = os.getenv('MAIL_HOST', 'mail')\n",
        ),
        ("site1/settings/dev.py", "from .base import *\nDEBUG = True\nX = os.environ.get('ONLY_HERE')\n"),
        ("site1/settings/prod.py", "from .base import *\nDEBUG = False\nHOSTS = os.environ['HOSTS']\n"),
    ]);
    assert_eq!(variables(&survey.services[0]), ["HOSTS", "MAIL_HOST", "SITE_NAME"]);
    assert_eq!(chosen_settings(&survey), Some("site1.settings.prod"));
    assert!(survey.gaps.iter().all(|gap| !gap.message.contains("DEBUG")), "{:#?}", survey.gaps);
}

#[test]
fn an_application_that_a_factory_elsewhere_makes_is_served() {
    let survey = of(&[
        ("requirements.txt", "fastapi==0.115.0\nuvicorn==0.30.0\narq==0.26\nredis==5.0\n"),
        ("app/__init__.py", ""),
        (
            "app/main.py",
            "from .core.setup import create_application\nfrom .settings import settings\napp = create_application(settings)\n",
        ),
        ("app/settings.py", "settings = object()\n"),
        ("app/core/__init__.py", ""),
        (
            "app/core/setup.py",
            "from fastapi import FastAPI\ndef create_application(settings) -> FastAPI:\n    application = FastAPI()\n    return application\n",
        ),
        ("app/core/worker.py", "class WorkerSettings:\n    functions = []\n"),
    ]);
    let service = &survey.services[0];
    assert_eq!(service.role, Role::Server);
    assert!(words(service).starts_with("uvicorn app.main:app "), "{}", words(service));
    assert_eq!(service.processes[0].role, Role::Worker);
}

#[test]
fn what_a_command_of_development_serves_is_the_application() {
    let files = |command: &str| {
        of(&[
            ("requirements.txt", "fastapi==0.115.0\nuvicorn==0.30.0\narq==0.26\nredis==5.0\n"),
            ("compose.yaml", &format!("services:\n  web:\n    build: .\n    command: {command}\n")),
            ("app/__init__.py", ""),
            ("app/main.py", "import fastapi\nfrom app.made import build\napp = build()\n"),
            ("app/made.py", "import fastapi\ndef build():\n    return getattr(fastapi, 'FastAPI')()\n"),
            ("app/worker.py", "class WorkerSettings:\n    functions = []\n"),
        ])
    };
    let survey = files("uvicorn app.main:app --host 0.0.0.0 --port 8000 --reload");
    let service = &survey.services[0];
    assert_eq!((service.role, service.frameworks[0].name.as_str()), (Role::Server, "fastapi"));
    assert!(words(service).starts_with("uvicorn app.main:app --host 0.0.0.0 --port 8000 --proxy-headers"));
    // Without a word about it the server is missed aloud.
    let survey = files("sleep 1");
    assert_eq!(survey.services[0].role, Role::Worker);
    let missed = gap(&survey, "its web server is not in the stack");
    assert_eq!((missed.evidence[0].file.as_str(), missed.evidence[0].line), ("app/made.py", 1));
}

#[test]
fn a_program_without_a_list_of_packages_is_missed_aloud() {
    let survey = of(&[
        (
            "frontend/package.json",
            r#"{ "name": "web", "devDependencies": { "vite": "8" }, "scripts": { "build": "vite build" } }"#,
        ),
        ("frontend/index.html", "<html>"),
        ("backend/main.py", "import uvicorn\nuvicorn.run('app.api:app', port=8000)\n"),
        ("backend/app/api.py", "from fastapi import FastAPI\napp = FastAPI()\n"),
        ("notes/tidy.py", "import sys\n"),
    ]);
    let missed = gap(&survey, "without a list of the packages");
    assert_eq!(missed.subject, "backend");
    assert_eq!((missed.evidence[0].file.as_str(), missed.evidence[0].line), ("backend/app/api.py", 1));
    assert_eq!(survey.gaps.iter().filter(|gap| gap.message.contains("list of the packages")).count(), 1);
}

const CHAT: &str = "from flask import Flask\nfrom flask_socketio import SocketIO\napp = Flask(__name__)\nsocketio = SocketIO(app)\nif __name__ == '__main__':\n    socketio.run(app)\n";

#[test]
fn socket_io_has_one_process_and_a_way_for_its_websockets() {
    let with = |packages: &str, source: &str| {
        let survey = of(&[("requirements.txt", packages), ("app.py", source)]);
        let service = &survey.services[0];
        let concurrency = service.settings.iter().find(|set| set.name == "WEB_CONCURRENCY");
        assert_eq!(concurrency.map(|set| set.value.as_str()), Some("1"));
        assert_eq!(service.websockets[0].value, "/socket.io/");
        (words(service), service.adds.iter().map(|add| add.value.clone()).collect::<Vec<_>>())
    };
    let (threads, adds) = with("Flask==3.0.3\nflask-socketio==5.3.6\n", CHAT);
    assert!(threads.ends_with("--threads 100 app:app"), "{threads}");
    assert_eq!(adds, ["gunicorn==27.0.1"]);
    let (eventlet, adds) = with("Flask==3.0.3\nflask-socketio==5.3.6\neventlet==0.36\n", CHAT);
    assert!(eventlet.ends_with("--worker-class eventlet app:app"), "{eventlet}");
    assert_eq!(adds, ["gunicorn==23.0.0"]);
    let gevent = with("Flask==3.0.3\nflask-socketio==5.3.6\ngevent==24.2\ngunicorn==23.0.0\n", CHAT).0;
    assert!(gevent.ends_with("--worker-class gevent app:app"), "{gevent}");
    let asgi = "import socketio\nfrom fastapi import FastAPI\napi = FastAPI()\nsio = socketio.AsyncServer(async_mode='asgi')\napp = socketio.ASGIApp(sio, api)\n";
    let served = with("fastapi==0.115\nuvicorn[standard]==0.30\npython-socketio==5.11\n", asgi).0;
    assert!(served.starts_with("uvicorn app:app "), "{served}");
    let mounted = of(&[
        ("requirements.txt", "fastapi==0.115\nuvicorn[standard]==0.30\npython-socketio==5.11\n"),
        (
            "app.py",
            "import socketio\nfrom fastapi import FastAPI\napp = FastAPI()\nsio = socketio.AsyncServer()\nway = socketio.ASGIApp(sio)\napp.mount('/live', way)\n",
        ),
    ]);
    assert!(words(&mounted.services[0]).starts_with("uvicorn app:app "));
    assert_eq!(mounted.services[0].websockets[0].value, "/live/socket.io/");
    let several = of(&[
        ("requirements.txt", "Flask==3.0.3\nflask-socketio==5.3.6\ngunicorn==23.0.0\n"),
        ("Procfile", "web: gunicorn --threads 50 -w 4 app:app\n"),
        ("app.py", CHAT),
    ]);
    assert_eq!(gap(&several, "starts 4 processes").evidence[0].line, 4);
}

#[test]
fn old_pins_that_need_pkg_resources_get_a_setuptools_that_has_it() {
    let adds = |packages: &str, source: &str| {
        let survey = of(&[
            ("requirements.txt", packages),
            ("app.py", &format!("{source}from flask import Flask\napp = Flask(__name__)\n")),
        ]);
        survey.services[0].adds.iter().map(|add| add.value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(adds("Flask==2.1.1\ngunicorn==20.1.0\n", ""), ["setuptools==80.9.0"]);
    assert_eq!(adds("Flask==3.0.3\ngunicorn==23.0.0\n", "import pkg_resources\n"), ["setuptools==80.9.0"]);
    assert!(adds("Flask==3.0.3\ngunicorn==23.0.0\n", "").is_empty());
    assert!(adds("Flask==2.1.1\ngunicorn==20.1.0\nsetuptools==65.5.0\n", "").is_empty());
}

#[test]
fn a_license_is_no_list_of_packages_and_a_dynamic_list_is_one() {
    let source = ("shop/__init__.py", "from flask import Flask\napp = Flask(__name__)\n");
    let survey = of(&[
        (
            "pyproject.toml",
            "[project]\nname = \"shop\"\nlicense = {file = \"LICENSE.txt\"}\ndynamic = [\"dependencies\"]\n[build-system]\nrequires = [\"setuptools\"]\n[tool.setuptools.dynamic]\ndependencies = {file = [\"packages/core.txt\"]}\n",
        ),
        ("LICENSE.txt", "Copyright\n"),
        ("packages/core.txt", "Flask==3.0.3\n"),
        source,
    ]);
    assert_eq!(survey.services[0].frameworks[0].name, "flask");
    let install = &survey.installs[0];
    assert!(install.lock_file.is_none());
    let inputs: Vec<&str> = install.inputs.iter().map(|input| input.value.as_str()).collect();
    assert_eq!(inputs, ["LICENSE.txt", "packages/core.txt"]);
}

#[test]
fn a_worker_from_the_image_of_another_service_is_a_process() {
    let survey = of(&[
        ("requirements.txt", "Flask==3.0.3\ngunicorn==23.0.0\nredis==5.0.4\nrq==1.16\n"),
        (
            "docker-compose.yml",
            "services:\n  web:\n    build: .\n    image: web\n    command: python manage.py run -h 0.0.0.0\n  worker:\n    image: web\n    command: python manage.py run_worker\n  redis:\n    image: redis:7\n",
        ),
        ("manage.py", "from server import app\nfrom rq import Worker\n"),
        ("server.py", "from flask import Flask\napp = Flask(__name__)\n"),
    ]);
    let worker = &survey.services[0].processes[0];
    assert_eq!((worker.name.as_str(), worker.role), ("worker", Role::Worker));
    assert_eq!(worker.command.value.join(" "), "python manage.py run_worker");
    let place = &worker.command.evidence[0];
    assert_eq!((place.file.as_str(), place.line), ("docker-compose.yml", 8));
    assert!(survey.gaps.iter().all(|gap| !gap.message.contains("is not known")), "{:#?}", survey.gaps);
}

#[test]
fn parts_of_an_address_are_followed_into_the_text_that_puts_it_together() {
    let with = |source: &str| {
        let survey = of(&[
            ("requirements.txt", "Flask==3.0.3\npsycopg2-binary==2.9.10\n"),
            ("app.py", &format!("import os\nfrom flask import Flask\napp = Flask(__name__)\n{source}\n")),
        ]);
        uses(&survey.services[0])
    };
    let all = vec![(StoreKind::Postgresql, "DBHOST DBPORT DBUSER DBPASS DBNAME".to_owned())];
    assert_eq!(
        with(
            "def url():\n    user = os.getenv('DBUSER')\n    word = quote(os.environ.get('DBPASS'))\n    host = os.environ['DBHOST']\n    port = os.environ.get('DBPORT', 5432)\n    name = os.environ['DBNAME']\n    return f'postgresql://{user}:{word}@{host}:{port}/{name}'"
        ),
        all
    );
    assert_eq!(
        with(
            "url = (f\"postgresql+psycopg2://{os.environ['DBUSER']}:{os.environ['DBPASS']}\"\n    f\"@{os.environ['DBHOST']}:{os.environ['DBPORT']}/{os.environ['DBNAME']}\")"
        ),
        all
    );
    assert_eq!(
        with(
            "url = 'postgresql://{u}:{p}@{h}/{n}'.format(u=os.environ['DBUSER'], p=os.environ['DBPASS'], h=os.environ['DBHOST'], n=os.environ['DBNAME'])"
        ),
        [(StoreKind::Postgresql, "DBHOST DBUSER DBPASS DBNAME".to_owned())]
    );
    assert_eq!(
        with(
            "db = psycopg2.connect(host=os.environ['DBHOST'], user=os.environ['DBUSER'], password=os.environ['DBPASS'])"
        ),
        [(StoreKind::Postgresql, "DBHOST DBUSER DBPASS".to_owned())]
    );
    // A server of mail is none of a database.
    assert_eq!(with("mail(host=os.environ['MAILHOST'], user=os.environ['MAILUSER'])")[0].1, "unknown");
}

#[test]
fn a_variable_with_the_right_name_that_nothing_looks_at_is_not_the_address() {
    let survey = of(&[
        ("requirements.txt", "fastapi==0.115\nuvicorn==0.30\nasyncpg==0.30.0\npydantic-settings==2.4\n"),
        ("app/__init__.py", ""),
        ("app/main.py", "from fastapi import FastAPI\napp = FastAPI()\n"),
        (
            "app/config.py",
            "from pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n    PG_USER: str = 'pg'\n    PG_PASSWORD: str = 'pg'\n    PG_SERVER: str = 'localhost'\n    PG_NAME: str = 'pg'\n    POSTGRES_URL: str | None = None\n    @property\n    def address(self):\n        return f'{self.PG_USER}:{self.PG_PASSWORD}@{self.PG_SERVER}/{self.PG_NAME}'\n",
        ),
    ]);
    let expected = [(StoreKind::Postgresql, "PG_SERVER PG_USER PG_PASSWORD PG_NAME".to_owned())];
    assert_eq!(uses(&survey.services[0]), expected);
}

#[test]
fn a_queue_and_a_cache_have_their_own_parts() {
    let survey = of(&[
        ("requirements.txt", "Flask==3.0.3\nredis==5.0.4\n"),
        (
            "app.py",
            "import os, redis\nfrom flask import Flask\napp = Flask(__name__)\ncache = redis.Redis(host=os.getenv('REDIS_CACHE_HOST', 'localhost'), port=os.getenv('REDIS_CACHE_PORT', 6379))\nqueue = redis.Redis(host=os.getenv('REDIS_QUEUE_HOST', 'localhost'), port=os.getenv('REDIS_QUEUE_PORT', 6379))\n",
        ),
    ]);
    let expected = [
        (StoreKind::Redis, "REDIS_CACHE_HOST REDIS_CACHE_PORT".to_owned()),
        (StoreKind::Redis, "REDIS_QUEUE_HOST REDIS_QUEUE_PORT".to_owned()),
    ];
    assert_eq!(uses(&survey.services[0]), expected);
}

#[test]
fn of_two_configurations_of_flask_productions_counts() {
    let with = |condition: &str, first: &str, second: &str, more: &str| {
        of(&[
            ("requirements.txt", "Flask==3.0.3\ngunicorn==23.0.0\npsycopg2-binary==2.9.10\n"),
            (
                "app.py",
                &format!(
                    "import os\nfrom flask import Flask\napp = Flask(__name__)\nif {condition}:\n    app.config.from_object('shop.{first}')\nelse:\n    app.config.from_object('shop.{second}')\n"
                ),
            ),
            ("shop/__init__.py", ""),
            ("shop/development.py", "import os\nURL = os.environ['DBHOST']\n"),
            ("shop/production.py", &format!("import os\nURL = os.environ['HOSTED_DB_HOST']\n{more}")),
        ])
    };
    let set = |survey: &Survey| {
        let mut found = survey.services[0].settings.iter().filter(|set| !set.name.starts_with("FORWARDED"));
        found.next().map(|set| (set.name.clone(), set.value.clone()))
    };
    let survey = with("'HOSTED' not in os.environ", "development", "production", "");
    assert_eq!(variables(&survey.services[0]), ["HOSTED_DB_HOST"]);
    assert_eq!(set(&survey), Some(("HOSTED".to_owned(), "1".to_owned())));
    assert_eq!(gap(&survey, "decides between two").evidence[0].line, 4);
    let survey = with("os.getenv('STAGE') == 'live'", "production", "development", "");
    assert_eq!(set(&survey), Some(("STAGE".to_owned(), "live".to_owned())));
    let survey = with("'LAPTOP' in os.environ", "development", "production", "");
    assert_eq!((variables(&survey.services[0]), set(&survey)), (vec!["HOSTED_DB_HOST"], None));
    // A variable whose value is read is asked for, and no text of ours takes its place.
    let survey = with(
        "'HOSTED' in os.environ",
        "production",
        "development",
        "if 'HOSTED' in os.environ: NAME = os.environ['HOSTED']\n",
    );
    let hosted = survey.services[0].environment.iter().find(|variable| variable.name == "HOSTED").unwrap();
    assert!(hosted.required && set(&survey).is_none());
}

#[test]
fn flasks_key_debug_and_tables_are_said() {
    let factory = "import os\nfrom flask import Flask\ndef create_app(debug=False):\n    app = Flask(__name__)\n    app.config.from_mapping(SECRET_KEY='dev', DATABASE=os.path.join(app.instance_path, 'shop.sqlite'))\n    return app\n";
    let database = "import sqlite3\nimport click\nfrom flask import current_app\ndef get():\n    return sqlite3.connect(current_app.config['DATABASE'])\n@click.command('init-db')\ndef init():\n    pass\n";
    let survey = of(&[
        ("requirements.txt", "Flask==3.0.3\n"),
        (
            "chat.py",
            "from shop import create_app\napp = create_app(debug=True)\nif __name__ == '__main__':\n    app.run(debug=True)\n",
        ),
        ("shop/__init__.py", factory),
        ("shop/db.py", database),
    ]);
    let place =
        |part: &str| (gap(&survey, part).evidence[0].file.as_str(), gap(&survey, part).evidence[0].line);
    assert_eq!(place("signing key"), ("shop/__init__.py", 5));
    assert_eq!(place("debug is on"), ("chat.py", 2));
    assert_eq!(place("`flask --app chat init-db` makes its tables"), ("shop/db.py", 6));
    assert_eq!(files(&survey).1, ["instance"]);
    // What runs by hand alone is no fault.
    let quiet = of(&[
        ("requirements.txt", "Flask==3.0.3\n"),
        (
            "app.py",
            "import os\nfrom flask import Flask\napp = Flask(__name__)\napp.secret_key = os.environ['SECRET_KEY']\nif __name__ == '__main__':\n    app.run(debug=True)\n",
        ),
    ]);
    assert!(quiet.gaps.iter().all(|gap| !gap.message.contains("debug") && !gap.message.contains("signing")));
}

#[test]
fn a_configuration_that_is_read_from_prefixed_variables_is_set_from_outside() {
    let survey = of(&[
        ("requirements.txt", "Flask==3.0.3\nFlask-SQLAlchemy==3.1.1\npsycopg2-binary==2.9.10\n"),
        (
            "app.py",
            "from flask import Flask\napp = Flask(__name__)\napp.config.from_mapping(SECRET_KEY='dev', SQLALCHEMY_DATABASE_URI='postgresql://localhost/shop')\napp.config.from_prefixed_env()\n",
        ),
    ]);
    let service = &survey.services[0];
    assert_eq!(variables(service), ["FLASK_SECRET_KEY", "FLASK_SQLALCHEMY_DATABASE_URI"]);
    assert!(service.environment[0].secret);
    assert_eq!(uses(service), [(StoreKind::Postgresql, "FLASK_SQLALCHEMY_DATABASE_URI".to_owned())]);
    assert!(survey.gaps.iter().all(|gap| !gap.message.contains("signing key")), "{:#?}", survey.gaps);
}

#[test]
fn an_application_is_imported_as_the_projects_own_command_imports_it() {
    let survey = of(&[
        (
            "pyproject.toml",
            "[tool.poetry]\nname = \"shop\"\n[tool.poetry.dependencies]\nfastapi = \"^0.115\"\nuvicorn = \"^0.30\"\nredis = \"^5\"\n",
        ),
        (
            "Dockerfile",
            "FROM python:3.11\nCOPY ./src/app /code/app\nCMD [\"uvicorn\", \"app.main:app\", \"--reload\"]\n",
        ),
        ("src/app/__init__.py", ""),
        ("src/app/main.py", "from fastapi import FastAPI\nfrom .config import settings\napp = FastAPI()\n"),
        (
            "src/app/config.py",
            "import os\nA = os.getenv('REDIS_CACHE_URL')\nB = os.getenv('REDIS_CACHE_HOST')\nC = os.getenv('REDIS_QUEUE_HOST')\nD = os.getenv('REDIS_QUEUE_PORT')\n",
        ),
    ]);
    let service = &survey.services[0];
    assert_eq!((service.name.as_str(), service.path.as_str()), ("shop", "src"));
    assert!(words(service).starts_with("uvicorn app.main:app "), "{}", words(service));
    let expected = [
        (StoreKind::Redis, "REDIS_CACHE_URL".to_owned()),
        (StoreKind::Redis, "REDIS_QUEUE_HOST REDIS_QUEUE_PORT".to_owned()),
    ];
    assert_eq!(uses(service), expected);
}

#[test]
fn a_list_that_lacks_what_the_manifest_declares_is_said_or_asked() {
    let with = |manifest: (&str, &str)| {
        of(&[
            manifest,
            ("requirements.txt", "gunicorn==23.0.0\n"),
            ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
        ])
    };
    let standard =
        with(("pyproject.toml", "[project]\nname = \"shop\"\ndependencies = [\n  \"flask\",\n]\n"));
    let said = gap(&standard, "requirements.txt does not have all that pyproject.toml declares");
    assert_eq!((said.evidence[0].file.as_str(), said.evidence[0].line), ("pyproject.toml", 4));
    assert_eq!(standard.installs[0].beside[0].value, Beside::Table);
    let poetry = with((
        "pyproject.toml",
        "[tool.poetry]\nname = \"shop\"\n[tool.poetry.dependencies]\nflask = \"^3\"\n",
    ));
    let asked = question(&poetry, "root.manager");
    assert_eq!((asked.default.as_deref(), asked.evidence[0].line), (Some("poetry"), 4));
    let pipenv = with(("Pipfile", "[packages]\nflask = \"*\"\n"));
    assert_eq!(question(&pipenv, "root.manager").default.as_deref(), Some("pipenv"));
}

#[test]
fn old_pins_choose_the_older_python_and_what_has_no_wheel_for_it_is_compiled() {
    let with = |list: &str| {
        of(&[("requirements.txt", list), ("app.py", "from flask import Flask\napp = Flask(__name__)\n")])
    };
    let python = |survey: &Survey| survey.installs[0].runtime_version.as_ref().unwrap().value.clone();
    let native = |survey: &Survey| -> Vec<String> {
        survey.installs[0].native.iter().map(|fact| fact.value.clone()).collect()
    };
    let old = with("Flask==3.0.3\npsycopg2-binary==2.9.3\n");
    assert_eq!((python(&old).as_str(), native(&old)), ("3.11", vec!["psycopg2-binary".to_owned()]));
    let asked = question(&old, "root.python");
    assert_eq!((asked.default.as_deref(), asked.evidence[0].line), (Some("3.11"), 2));
    assert!(asked.text.contains("psycopg2-binary 2.9.3 is not made for Python 3.13"), "{}", asked.text);
    // Its metadata of plug-ins is read in a way that Python 3.12 has no more.
    for list in ["Flask==2.2.2\ncelery[redis]==5.2.7\nkombu==5.2.4\n", "Flask==3.0.3\ncelery<5.3\n"] {
        let survey = with(list);
        assert_eq!(python(&survey), "3.11", "{list}");
        assert_eq!(question(&survey, "root.python").evidence[0].line, 2, "{list}");
    }
    assert_eq!(python(&with("Flask==3.0.3\ncelery==5.3.6\nkombu==5.3.7\n")), "3.13");
    // It has a wheel for the older one.
    let newer = with("Flask==3.0.3\npsycopg2-binary==2.9.6\n");
    assert_eq!((python(&newer).as_str(), native(&newer)), ("3.11", vec![]));
    // A range that ends below the first release for the newest is no better than a pin.
    let range = with("Flask==3.0.3\nnumpy>=1.20,<2\n");
    assert_eq!(python(&range), "3.11");
    for list in ["Flask==3.0.3\nnumpy>=1.20\n", "Flask==3.0.3\nnumpy==2.1.0\n", "Flask==3.0.3\nlxml==5.3\n"] {
        let survey = with(list);
        assert_eq!(python(&survey), "3.13", "{list}");
        assert!(survey.questions.iter().all(|question| question.id != "root.python"), "{list}");
    }
    let none = with("Flask==3.0.3\nDjango==2.2.28\n");
    assert_eq!(gap(&none, "django 2.2.28 is not made for Python 3.11").evidence[0].line, 2);
}

#[test]
fn an_old_package_gets_what_it_runs_with_where_the_list_does_not_say() {
    let with = |list: &str| {
        let survey =
            of(&[("requirements.txt", list), ("app.py", "from flask import Flask\napp = Flask(__name__)\n")]);
        let all: Vec<String> =
            survey.installs[0].constraints.iter().map(|constraint| constraint.value.clone()).collect();
        (all, survey)
    };
    let (found, survey) = with("flask==2.0.2\nredis==4.0.2\n");
    assert_eq!(found, ["werkzeug<3"]);
    let said = gap(&survey, "flask 2.0.2 does not run with werkzeug 3: werkzeug<3 is installed");
    assert_eq!(said.evidence[0].line, 1);
    assert_eq!(
        with("Flask==1.1.2\n").0,
        ["werkzeug<2.1", "jinja2<3.1", "itsdangerous<2.1", "markupsafe<2.1"]
    );
    assert_eq!(with("Flask~=2.2.2\nFlask-SQLAlchemy==2.5.1\n").0, ["sqlalchemy<2"]);
    assert_eq!(with("Flask\nFlask-SQLAlchemy==2.5.1\nSQLAlchemy>=1.3\n").0, ["sqlalchemy<2", "flask<3"]);
    // The project has said it, or its package runs with all.
    assert_eq!(with("Flask==2.0.2\nWerkzeug==2.0.2\n").0, [""; 0]);
    assert_eq!(with("Flask==2.0.2\nWerkzeug<2.1\n").0, [""; 0]);
    assert_eq!(with("Flask==3.0.3\nFlask-SQLAlchemy==3.1.1\n").0, [""; 0]);
    assert_eq!(with("Flask\nFlask-SQLAlchemy\n").0, [""; 0]);
    assert_eq!(with("Flask\npasslib[bcrypt]==1.7.4\n").0, ["bcrypt<5"]);
    assert_eq!(with("Flask\npasslib==1.7.4\n").0, [""; 0]);
    assert_eq!(with("Flask\ncelery==5.2.7\nredis==4.4.0\n").0, ["kombu<5.3"]);
    assert_eq!(with("Flask\ncelery==5.2.7\nkombu==5.2.4\n").0, [""; 0]);
    // Of several limits the lowest counts.
    let old = ["sqlalchemy<1.4", "flask<3", "werkzeug<2", "markupsafe<2.1"];
    assert_eq!(with("Flask\nFlask-SQLAlchemy==2.4.4\n").0, old);
}

#[test]
fn a_driver_that_the_newest_sqlalchemy_does_not_take_keeps_the_one_before() {
    let with = |list: &str, url: &str| {
        let program = format!("from fastapi import FastAPI\napp = FastAPI()\nurl = '{url}'\n");
        let list = format!("fastapi\nuvicorn\n{list}");
        let survey = of(&[("requirements.txt", &list), ("main.py", &program)]);
        survey.installs[0].constraints.iter().map(|fact| fact.value.clone()).collect::<Vec<_>>()
    };
    let url = "postgresql://a:b@db/c";
    assert_eq!(with("psycopg2\nsqlmodel\n", url), ["sqlalchemy<2.1"]);
    for list in [
        "psycopg2\nsqlalchemy==2.0.30\n",
        "psycopg2\npsycopg\nsqlalchemy\n",
        "psycopg2\nsqlalchemy>=2.1\n",
        "psycopg2\n",
    ] {
        assert_eq!(with(list, url), [""; 0], "{list}");
    }
    assert_eq!(with("psycopg2\nsqlmodel\n", "postgresql+psycopg2://a:b@db/c"), [""; 0]);
}

#[test]
fn a_file_of_celerys_results_outlives_its_container() {
    let survey = of(&[
        ("requirements.txt", "Django==5.2\ncelery==5.5.0\ngunicorn==23.0.0\n"),
        ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n"),
        (
            "site1/settings.py",
            "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'db.sqlite3'}}\nCELERY_BROKER_URL = 'amqp://localhost//'\nCELERY_RESULT_BACKEND = 'db+sqlite:///results.sqlite'\n",
        ),
        ("site1/wsgi.py", "application = get_wsgi_application()\n"),
        ("site1/celery.py", "from celery import Celery\napp = Celery('site1')\n"),
    ]);
    let files: Vec<(&str, usize)> =
        survey.services[0].files.iter().map(|file| (file.value.as_str(), file.evidence[0].line)).collect();
    assert_eq!(files, [("db.sqlite3", 1), ("results.sqlite", 3)]);
}

#[test]
fn pins_that_no_interpreter_of_a_stack_compiles_are_said() {
    let survey = of(&[
        ("requirements.txt", "Flask==3.0.3\ngreenlet==1.0.0\ncffi==1.14.5\n"),
        ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
    ]);
    assert_eq!(
        gap(&survey, "greenlet 1.0.0 is not made for Python 3.11: 1.1.3 is the first that is").evidence[0]
            .line,
        2
    );
    assert_eq!(gap(&survey, "cffi 1.14.5 is not made for Python 3.11").evidence[0].line, 3);
}

#[test]
fn a_lock_file_of_uv_with_settings_of_its_makers_machine_is_installed_as_it_is() {
    let with = |options: &str, own: &str| {
        let manifest = format!("[project]\nname = \"shop\"\ndependencies = [\"flask\"]\n{own}");
        let lock = format!("version = 1\n{options}[[package]]\nname = \"flask\"\nversion = \"3.1.3\"\n");
        let survey = of(&[
            ("pyproject.toml", &manifest),
            ("uv.lock", &lock),
            ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
        ]);
        survey.installs[0].frozen.as_ref().map(|frozen| (frozen.value.clone(), frozen.evidence[0].line))
    };
    let span = "[options]\nexclude-newer = \"0001-01-01T00:00:00Z\"\nexclude-newer-span = \"P2D\"\n";
    assert_eq!(with(span, ""), Some(("exclude-newer-span".to_owned(), 4)));
    let day = "[options]\nexclude-newer = \"2025-01-01T00:00:00Z\"\n";
    assert_eq!(with(day, ""), Some(("exclude-newer".to_owned(), 3)));
    assert_eq!(with(day, "[tool.uv]\nexclude-newer = \"2025-01-01T00:00:00Z\"\n"), None);
    assert_eq!(with("", ""), None);
}

#[test]
fn a_variable_whose_text_is_used_at_once_is_required() {
    let required = |source: &str| {
        let app = format!(
            "import os\nfrom pathlib import Path\nfrom flask import Flask\napp = Flask(__name__)\n{source}\n"
        );
        let survey = of(&[("requirements.txt", "Flask==3.0.3\n"), ("app.py", &app)]);
        survey.services[0].environment.iter().any(|variable| variable.name == "SHOPS" && variable.required)
    };
    for source in [
        "hosts = os.environ.get('SHOPS').split(' ')",
        "count = int(os.environ.get('SHOPS'))",
        "first = os.getenv('SHOPS')[0]",
        "url = os.getenv('SHOPS') + '/v1'",
        "url = 'https://' + os.getenv('SHOPS')",
        "folder = Path(os.getenv('SHOPS'))",
        "path = os.path.join(os.getenv('SHOPS'), 'a')",
        "on = 'a' in os.environ.get('SHOPS')",
    ] {
        assert!(required(source), "{source}");
    }
    for source in [
        "hosts = os.environ.get('SHOPS', 'a b').split(' ')",
        "hosts = (os.environ.get('SHOPS') or 'a').split(' ')",
        "host = os.environ.get('SHOPS')\n[print(host)]",
        "count = int(os.environ.get('SHOPS', 3))",
        "count = int(os.environ.get('SHOPS')) if os.environ.get('SHOPS') else 3",
        "if 'SHOPS' in os.environ:\n    hosts = os.environ.get('SHOPS').split(' ')",
        "try:\n    count = int(os.getenv('SHOPS'))\nexcept TypeError:\n    count = 3",
        "print(os.getenv('SHOPS'))",
    ] {
        assert!(!required(source), "{source}");
    }
}

#[test]
fn what_the_settings_demand_is_there_while_static_files_are_collected() {
    let survey = django(
        "import os\nSTATIC_ROOT = 'static'\nALLOWED_HOSTS = os.environ.get('SHOP_HOSTS').split(' ')\n",
        &[],
    );
    let service = &survey.services[0];
    let given: Vec<&str> =
        service.settings.iter().filter(|set| set.at_build).map(|set| set.name.as_str()).collect();
    assert_eq!(given, ["SHOP_HOSTS"]);
    assert!(service.environment.iter().any(|variable| variable.name == "SHOP_HOSTS" && variable.required));
}

#[test]
fn a_site_without_a_database_has_no_migrations() {
    let migrates = |settings: &str, more: &[(&str, &str)]| {
        django(settings, more).services[0].migration.as_ref().map(|migration| migration.tool.name.clone())
    };
    for settings in ["DEBUG = False\n", "DATABASES = {}\n", "DATABASES = {'default': {}}\n"] {
        assert_eq!(migrates(settings, &[]), None, "{settings}");
    }
    let sqlite = "{'ENGINE': 'django.db.backends.sqlite3', 'NAME': '/data/db.sqlite3'}";
    for settings in [
        format!("DATABASES = {{'default': {sqlite}}}\n"),
        format!("DATABASES = {{}}\nDATABASES['default'] = {sqlite}\n"),
        "from local_settings import *\n".to_owned(),
        "import django_heroku\ndjango_heroku.settings(locals())\n".to_owned(),
    ] {
        assert_eq!(migrates(&settings, &[]).as_deref(), Some("django"), "{settings}");
    }
    let base = ("site1/base.py", "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql'}}\n");
    assert_eq!(migrates("from .base import *\n", &[base]).as_deref(), Some("django"));
}

/// A program that reads `DATABASE_URL`, and Alembic's settings with an address of their own.
fn alembic(url: &str, env: &str, program: &str) -> Survey {
    of(&[
        (
            "requirements.txt",
            "fastapi==0.115.0\nuvicorn==0.34.0\nsqlalchemy==2.0.36\nasyncpg==0.30.0\nalembic==1.14.0\n",
        ),
        ("alembic.ini", &format!("[alembic]\nscript_location = migrations\nsqlalchemy.url = {url}\n")),
        ("migrations/env.py", env),
        (
            "main.py",
            &format!(
                "import os\nfrom fastapi import FastAPI\nfrom sqlalchemy.ext.asyncio import create_async_engine\n{program}\napp = FastAPI()\n"
            ),
        ),
    ])
}

#[test]
fn pages_whose_name_comes_before_the_request_need_an_old_starlette() {
    let with = |requirements: &str, call: &str| {
        let main = format!(
            "from fastapi import FastAPI\nfrom fastapi.templating import Jinja2Templates\napp = FastAPI()\n\
             templates = Jinja2Templates('templates')\n@app.get('/')\nasync def index(request):\n    return {call}\n"
        );
        let survey = of(&[("requirements.txt", requirements), ("main.py", &main)]);
        let install = survey.install_of(&survey.services[0]).unwrap();
        install.constraints.iter().map(|fact| fact.value.clone()).collect::<Vec<_>>()
    };
    let (old, new) = (
        "templates.TemplateResponse('index.html', {'request': request})",
        "templates.TemplateResponse(request, 'index.html')",
    );
    let free = "fastapi\nuvicorn\njinja2\n";
    assert_eq!(with(free, old), ["starlette<1"]);
    assert_eq!(with("fastapi>=0.100\nuvicorn\njinja2\n", old), ["starlette<1"]);
    for old in [
        "templates.TemplateResponse(page, {'request': request})",
        "templates.TemplateResponse(f'{page}.html', context)",
        "templates.TemplateResponse(page, dict(request=request))",
        "templates.TemplateResponse(name='index.html', context={'request': request})",
        "templates.TemplateResponse('index.html', request=request)",
    ] {
        assert_eq!(with(free, old), ["starlette<1"], "{old}");
    }
    // Names that are given their values before the call.
    let named = "(lambda: None)()\n@app.get('/b')\nasync def b(request):\n    template = 'index.html'\n    \
                 context = {'request': request}\n    return templates.TemplateResponse(template, context)";
    assert_eq!(with(free, named), ["starlette<1"]);
    for new in [
        new,
        "templates.TemplateResponse(request, page, {'a': 1})",
        "templates.TemplateResponse(request=request, name='index.html')",
        "templates.TemplateResponse(request, template)",
        "templates.TemplateResponse(*given)",
    ] {
        assert_eq!(with(free, new), [""; 0], "{new}");
    }
    for decided in
        ["fastapi==0.115.0", "fastapi>=0.140", "fastapi\nstarlette==0.40.0", "fastapi\nstarlette<1"]
    {
        assert_eq!(with(&format!("{decided}\nuvicorn\n"), old), [""; 0], "{decided}");
    }
}

#[test]
fn an_old_uvicorn_is_given_no_option_that_it_does_not_know() {
    let bounded = |version: &str| {
        let requirements = format!("fastapi==0.95.0\nuvicorn{version}\n");
        let survey = of(&[
            ("requirements.txt", &requirements),
            ("main.py", "from fastapi import FastAPI\napp = FastAPI()\n"),
        ]);
        words(&survey.services[0]).contains("--timeout-graceful-shutdown 20")
    };
    assert!(!bounded("==0.21.1") && bounded("==0.22.0") && bounded("==0.34.0") && bounded(">=0.17"));
}

#[test]
fn aerich_applies_the_migrations_of_its_folder() {
    let settings = "[tool.aerich]\ntortoise_orm = \"src.config.TORTOISE_ORM\"\nlocation = \"./migrations\"\n";
    let with = |migration: &str| {
        of(&[
            (
                "requirements.txt",
                "aerich==0.7.1\nasyncpg==0.27.0\nfastapi==0.88.0\ntortoise-orm==0.19.2\nuvicorn==0.20.0\n",
            ),
            ("pyproject.toml", settings),
            (migration, "async def upgrade(db):\n    return ''\n"),
            (
                "src/config.py",
                "import os\nTORTOISE_ORM = {'connections': {'default': os.environ.get('DATABASE_URL')}}\n",
            ),
            ("src/main.py", "from fastapi import FastAPI\napp = FastAPI()\n"),
        ])
    };
    let survey = with("migrations/models/0_init.py");
    let migration = survey.services[0].migration.as_ref().unwrap();
    assert_eq!(migration.command.as_ref().unwrap().value, ["aerich", "upgrade"]);
    assert_eq!(migration.folder.as_ref().unwrap().value, "migrations");
    assert!(with("src/other.py").services[0].migration.is_none());
}

const TAKES: &str = "from alembic import context\nfrom sqlalchemy.ext.asyncio import async_engine_from_config\nconfig = context.config\nconnectable = async_engine_from_config(config.get_section(config.config_ini_section), prefix='sqlalchemy.')\n";
const READS: &str = "engine = create_async_engine(os.environ['DATABASE_URL'])";

#[test]
fn migrations_of_alembic_ask_the_stacks_database_and_not_the_one_in_its_settings() {
    let command = |survey: &Survey| {
        let migration = survey.services[0].migration.as_ref()?;
        Some(migration.command.as_ref()?.value.join(" "))
    };
    let literal = "postgresql+asyncpg://shop:shop@db:5432/shop";
    let given = command(&alembic(literal, TAKES, READS)).unwrap();
    assert!(given.starts_with("python -c import os; from alembic import command;"), "{given}");
    assert!(given.contains("'postgresql+asyncpg://'+url.split('://',1)[1]"), "{given}");
    assert!(given.contains("open(os.environ['DATABASE_URL_FILE'])"), "{given}");
    // It sets an address itself, or has none of its own.
    let plain = Some("alembic upgrade head".to_owned());
    for more in [
        "import os\nconfig.set_main_option('sqlalchemy.url', os.environ['DATABASE_URL'])\n",
        "section = config.get_section('alembic')\nsection['sqlalchemy.url'] = address()\n",
    ] {
        assert_eq!(command(&alembic(literal, &format!("{TAKES}{more}"), READS)), plain, "{more}");
    }
    assert_eq!(command(&alembic("driver://user:pass@localhost/dbname", TAKES, READS)), plain);
    // Nothing says where the database is, or the settings mean another one: no job that fails, and a word of it.
    for (url, program) in [
        (literal, "engine = create_async_engine('postgresql+asyncpg://a:b@db/c')"),
        ("sqlite:///./a.db", READS),
    ] {
        let survey = alembic(url, TAKES, program);
        assert_eq!(command(&survey), None, "{url}");
        let said = gap(&survey, "would ask the database of a developer's machine");
        assert_eq!((said.evidence[0].file.as_str(), said.evidence[0].line), ("alembic.ini", 3));
    }
}

fn set<'a>(survey: &'a Survey, name: &str) -> Option<&'a str> {
    let settings = &survey.services[0].settings;
    settings
        .iter()
        .find(|setting| setting.name == name && !setting.at_build)
        .map(|setting| setting.value.as_str())
}

const PARTS: &str = "'HOST': os.environ.get('DB_HOST', ''), 'USER': os.environ.get('DB_USER', ''), 'PASSWORD': os.environ.get('DB_PASSWORD', ''), 'NAME': os.environ.get('DB_NAME', 'x')";

#[test]
fn the_variable_that_chooses_the_engine_is_set_to_the_database_that_is_wired() {
    let with = |settings: &str| {
        let settings = settings.replace("PARTS", PARTS);
        django(
            &format!("import os\n{settings}\n"),
            &[("requirements.txt", "Django==5.2\ngunicorn==23.0.0\npsycopg2-binary==2.9.10\n")],
        )
    };
    let engine = "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', PARTS}}";
    let file = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'x'}}";
    let compared = with(&format!("{file}\nif os.getenv('DB') == 'postgres':\n    {engine}\n"));
    assert_eq!(set(&compared, "DB"), Some("postgres"));
    let reason = &compared.services[0].settings.iter().find(|setting| setting.name == "DB").unwrap().reason;
    assert!(reason.contains("site1/settings.py:3"), "{reason}");
    let listed = with(&format!(
        "{file}\nKIND = os.getenv('DB_KIND', 'sqlite').lower()\nif KIND in ('postgresql', 'pg'):\n    {engine}\n"
    ));
    assert_eq!(set(&listed, "DB_KIND"), Some("postgresql"));
    let otherwise =
        with(&format!("if os.getenv('DB', 'sqlite') == 'sqlite':\n    {file}\nelse:\n    {engine}\n"));
    assert_eq!(set(&otherwise, "DB"), Some("postgresql"));
    let matched = with(&format!(
        "match os.getenv('DB'):\n    case 'mysql':\n        pass\n    case 'postgres':\n        {engine}\n    case _:\n        {file}\n"
    ));
    assert_eq!(set(&matched, "DB"), Some("postgres"));
    let flag = with(&format!(
        "USE_POSTGRES = os.getenv('USE_POSTGRES', 'no') == 'yes'\nif USE_POSTGRES:\n    {engine}\nelse:\n    {file}\n"
    ));
    assert_eq!(set(&flag, "USE_POSTGRES"), Some("yes"));
    let mode =
        with(&format!("if os.getenv('MODE', 'dev') == 'production':\n    {engine}\nelse:\n    {file}\n"));
    assert_eq!(set(&mode, "MODE"), Some("production"));
    // What is read whatever the environment says needs nothing, and neither does a right default.
    let always = with(&format!("if os.getenv('MODE') == 'live':\n    X = 1\n{engine}\n"));
    assert_eq!(set(&always, "MODE"), None);
    let right =
        with(&format!("if os.getenv('DB', 'postgres') == 'postgres':\n    {engine}\nelse:\n    {file}\n"));
    assert_eq!(set(&right, "DB"), None);
}

#[test]
fn djangos_engine_from_a_variable_is_that_of_the_database_that_is_wired() {
    let with = |engine: &str, package: &str| {
        django(
            &format!("import os\nDATABASES = {{'default': {{'ENGINE': {engine}, {PARTS}}}}}\n"),
            &[("requirements.txt", &format!("Django==5.2\ngunicorn==23.0.0\n{package}\n"))],
        )
    };
    let postgres = "psycopg2-binary==2.9.10";
    let default = "os.environ.get('SQL_ENGINE', 'django.db.backends.sqlite3')";
    let engine = |survey: &Survey| set(survey, "SQL_ENGINE").map(str::to_owned);
    assert_eq!(engine(&with(default, postgres)).as_deref(), Some("django.db.backends.postgresql"));
    assert_eq!(engine(&with(default, "mysqlclient==2.2.7")).as_deref(), Some("django.db.backends.mysql"));
    let maps = "os.environ.get('SQL_ENGINE', 'django.contrib.gis.db.backends.spatialite')";
    assert_eq!(engine(&with(maps, postgres)).as_deref(), Some("django.contrib.gis.db.backends.postgis"));
    let demanded = "os.environ['SQL_ENGINE']";
    assert_eq!(engine(&with(demanded, postgres)).as_deref(), Some("django.db.backends.postgresql"));
    let short = "'django.db.backends.' + os.environ.get('SQL_ENGINE', 'sqlite3')";
    assert_eq!(engine(&with(short, postgres)).as_deref(), Some("postgresql"));
    let right = "os.environ.get('SQL_ENGINE', 'django.db.backends.postgresql')";
    assert_eq!(engine(&with(right, postgres)), None);
}

#[test]
fn debug_that_is_on_by_default_is_turned_off_in_the_words_that_the_settings_compare_with() {
    let with = |value: &str| {
        let helper =
            "def envbool(s, default):\n    v = os.getenv(s, default=default)\n    return v == 'True'\n";
        let survey = django(&format!("import os\n{helper}DEBUG = {value}\n"), &[]);
        set(&survey, "DEBUG").map(str::to_owned)
    };
    assert_eq!(with("envbool('DEBUG', 'True')").as_deref(), Some("False"));
    assert_eq!(with("os.getenv('DEBUG', 'True') == 'True'").as_deref(), Some("False"));
    assert_eq!(with("os.getenv('DEBUG', '') != 'off'").as_deref(), Some("off"));
    assert_eq!(with("int(os.getenv('DEBUG', 1))").as_deref(), Some("0"));
    assert_eq!(with("os.getenv('DEBUG', True)").as_deref(), Some(""));
    assert_eq!(with("os.getenv('DEBUG', 'true').lower() in ('true', '1')").as_deref(), Some("False"));
    assert_eq!(with("envbool('DEBUG', 'False')"), None);
    assert_eq!(with("os.getenv('DEBUG') == 'True'"), None);
}

#[test]
fn programs_that_uwsgi_and_supervisord_start_are_processes() {
    let settings = ("site1/settings.py", "DEBUG = False\n");
    let list = ("requirements.txt", "Django==5.2\nuwsgi==2.0.28\n");
    let uwsgi = "[uwsgi]\nmodule = site1.wsgi\nattach-daemon = ./manage.py sendalerts --loop\nif-env = MAIL_PORT\nattach-daemon = ./manage.py mail --port %(_)\nendif =\nmule = jobs/mule.py\n";
    let survey = django(settings.1, &[list, ("docker/uwsgi.ini", uwsgi)]);
    let commands = |survey: &Survey| -> Vec<String> {
        survey.services[0].processes.iter().map(|process| process.command.value.join(" ")).collect()
    };
    assert_eq!(commands(&survey), ["python manage.py sendalerts --loop", "python jobs/mule.py"]);
    let said = gap(&survey, "the process `mail` needs a shell");
    assert_eq!((said.evidence[0].file.as_str(), said.evidence[0].line), ("docker/uwsgi.ini", 5));
    let supervisor = "[supervisord]\nnodaemon=true\n[program:site]\ncommand=gunicorn site1.wsgi\n[program:nginx]\ncommand=/usr/sbin/nginx -g 'daemon off;'\n[program:mailer]\ncommand=python manage.py send_mail --watch\n";
    let survey = django(settings.1, &[list, ("conf/supervisord.conf", supervisor)]);
    assert_eq!(commands(&survey), ["python manage.py send_mail --watch"]);
}

#[test]
fn what_shows_tasks_and_what_prepares_data_is_said_when_it_is_left_out() {
    let compose = "services:\n  web:\n    build: .\n    command: python manage.py runserver\n  prestart:\n    build: .\n    command: bash scripts/prestart.sh\n";
    let survey = django(
        "DEBUG = False\nCELERY_BROKER_URL = 'redis://redis:6379/0'\n",
        &[
            ("requirements.txt", "Django==5.2\ncelery[redis]==5.5.0\nflower==2.0.1\n"),
            ("Procfile", "web: gunicorn site1.wsgi\ndashboard: celery -A site1 flower --port=5555\n"),
            ("docker-compose.yml", compose),
        ],
    );
    let said = gap(&survey, "shows the tasks: it is left out");
    assert_eq!((said.evidence[0].file.as_str(), said.evidence[0].line), ("Procfile", 2));
    let once = gap(&survey, "runs `bash scripts/prestart.sh` once, and nothing does it here");
    assert_eq!((once.evidence[0].file.as_str(), once.evidence[0].line), ("docker-compose.yml", 7));
}

#[test]
fn packages_that_bring_a_client_use_its_store() {
    let with = |list: &str| {
        let app = "from flask import Flask\napp = Flask(__name__)\nimport os\nos.getenv('REDIS_URL')\n";
        uses(&of(&[("requirements.txt", list), ("app.py", app)]).services[0])
    };
    let redis = [(StoreKind::Redis, "REDIS_URL".to_owned())];
    assert_eq!(with("Flask==3.0.3\ndramatiq[redis]==1.17.0\n"), redis);
    assert_eq!(with("Flask==3.0.3\nfastapi-limiter==0.1.6\n"), redis);
    assert!(with("Flask==3.0.3\n").is_empty());
}

#[test]
fn an_empty_list_installs_nothing_and_is_a_list() {
    let survey = of(&[
        ("requirements.txt", "\n"),
        ("Procfile", "web: python src/main.py\nworker: python src/work.py\n"),
        ("src/main.py", "import http.server\n"),
        ("src/work.py", "print('work')\n"),
    ]);
    assert_eq!(survey.installs.len(), 1, "{survey:#?}");
}

#[test]
fn a_program_of_aiohttp_is_its_own_server() {
    let with = |main: &str, more: &[(&str, &str)]| {
        let program = format!(
            "from aiohttp import web\nasync def hello(request):\n    return web.Response()\n{main}\n"
        );
        of(&[
            &[
                ("requirements.txt", "aiohttp==3.11.0\n"),
                ("polls/__init__.py", ""),
                ("polls/main.py", &program),
            ][..],
            more,
        ]
        .concat())
    };
    let survey = with(
        "def main(argv):\n    web.run_app(init(argv), host='0.0.0.0', port=9000)",
        &[("polls/__main__.py", "from polls.main import main\nmain([])\n")],
    );
    assert_eq!(
        (words(&survey.services[0]).as_str(), survey.services[0].port.as_ref().unwrap().value),
        ("python -m polls", 9000)
    );
    let survey = with("def main(config):\n    web.run_app(init(config), port=config['port'])", &[]);
    assert_eq!(words(&survey.services[0]), "python polls/main.py");
    assert_eq!(
        question(&survey, &format!("{}.port", survey.services[0].name)).default.as_deref(),
        Some("8080")
    );
    let survey = with("web.run_app(app, host='127.0.0.1')", &[]);
    assert!(matches!(survey.services[0].bind, plimsoll_survey::Bind::Loopback { .. }));
}

#[test]
fn folders_and_logs_that_a_program_makes_when_it_starts_can_be_written() {
    let program = "import os\nfrom logging.handlers import RotatingFileHandler\nfrom flask import Flask\napp = Flask(__name__)\nos.mkdir('logs')\nRotatingFileHandler('logs/shop.log', maxBytes=10240)\nos.makedirs('/tmp/work')\n";
    let survey = of(&[("requirements.txt", "Flask==3.0.3\n"), ("app.py", program)]);
    let writes = |survey: &Survey| -> Vec<(String, bool)> {
        let writes = survey.services[0].writes.iter();
        writes.map(|writes| (writes.path.value.clone(), writes.keep)).collect()
    };
    assert_eq!(writes(&survey), [("logs".to_owned(), false)]);
    let settings = "import os\nfrom pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\nLOGGING = {'handlers': {'file': {'class': 'logging.FileHandler', 'filename': BASE_DIR / 'log' / 'site.log'}, 'own': {'class': 'logging.FileHandler', 'filename': os.path.join(BASE_DIR, 'debug.log')}}}\n";
    let survey = django(settings, &[]);
    assert_eq!(writes(&survey), [("log".to_owned(), false)]);
    assert_eq!(survey.services[0].files[0].value, "debug.log");
}

#[test]
fn a_class_of_configuration_that_a_variable_names_is_productions() {
    let with = |classes: &str, program: &str, compose: &str| {
        let app = format!(
            "import os\nfrom flask import Flask\nfrom werkzeug.utils import import_string\napp = Flask(__name__)\n{program}\n"
        );
        of(&[
            ("requirements.txt", "Flask==3.0.3\ngunicorn==23.0.0\n"),
            ("shop/__init__.py", &app),
            ("shop/config.py", classes),
            ("docker-compose.yml", compose),
        ])
    };
    let variable = |survey: &Survey| {
        let variable =
            survey.services[0].environment.iter().find(|variable| variable.name == "SHOP_SETTINGS").unwrap();
        (variable.default.clone().unwrap_or_default(), variable.required)
    };
    let all = "class BaseConfig:\n    A = 1\nclass DevelopmentConfig(BaseConfig):\n    pass\nclass ProductionConfig(BaseConfig):\n    pass\n";
    let base = "class BaseConfig:\n    A = 1\nclass DevelopmentConfig(BaseConfig):\n    pass\n";
    let given = "services:\n  web:\n    build: .\n    environment:\n      - SHOP_SETTINGS=shop.config.DevelopmentConfig\n";
    let named = "name = os.getenv('SHOP_SETTINGS')\napp.config.from_object(name)";
    let survey = with(all, named, given);
    assert_eq!(variable(&survey), ("shop.config.ProductionConfig".to_owned(), false));
    let asked = question(&survey, "app.configuration");
    assert_eq!(
        (asked.evidence[0].line, asked.evidence[1].file.as_str(), asked.evidence[1].line),
        (6, "docker-compose.yml", 5)
    );
    let at_once = "app.config.from_object(os.environ['SHOP_SETTINGS'])";
    assert_eq!(variable(&with(base, at_once, given)).0, "shop.config.BaseConfig");
    let default = "app.config.from_object(import_string(os.environ.get('SHOP_SETTINGS', 'shop.config.DevelopmentConfig')))";
    assert_eq!(variable(&with(all, default, "")).0, "shop.config.ProductionConfig");
    // Nothing says which one.
    assert_eq!(variable(&with(all, named, "")), (String::new(), true));
    let other = "class DevelopmentConfig:\n    pass\n";
    assert_eq!(variable(&with(other, named, given)), (String::new(), true));
    // An answer counts more.
    let mut survey = survey;
    let answers = [("app.configuration".to_owned(), "shop.config.BaseConfig".to_owned())].into();
    plimsoll_survey::answer(&mut survey, &answers).unwrap();
    assert_eq!(variable(&survey).0, "shop.config.BaseConfig");
}

#[test]
fn debugging_that_is_on_by_default_is_off_in_the_stack() {
    let with = |read: &str| {
        let settings = format!(
            "import os\ndef envbool(s, default):\n    v = os.getenv(s, default)\n    return v == 'True'\nDEBUG = {read}\n"
        );
        let survey = of(&[
            ("requirements.txt", "Django==5.2\ngunicorn==23.0.0\n"),
            ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n"),
            ("site1/settings.py", &settings),
            ("site1/wsgi.py", "application = get_wsgi_application()\n"),
        ]);
        let variable =
            survey.services[0].environment.iter().find(|variable| variable.name == "DEBUG").unwrap();
        (variable.default.clone().unwrap_or_default(), survey)
    };
    let (default, survey) = with("envbool('DEBUG', 'True')");
    assert_eq!(default, "False");
    assert_eq!(gap(&survey, "DEBUG is on where nothing is set: the stack has it off").evidence[0].line, 5);
    assert_eq!(with("int(os.environ.get('DEBUG', default=1))").0, "0");
    assert_eq!(with("os.environ.get('DEBUG', '')").0, "");
}

#[test]
fn all_heads_of_alembics_migrations_are_applied_and_said() {
    let with = |second: &str| {
        let revision = |name: &str, down: &str| {
            format!("revision: str = '{name}'\ndown_revision = {down}\ndef upgrade():\n    pass\n")
        };
        let (first, second) = (revision("a1", "None"), revision("b2", second));
        of(&[
            ("requirements.txt", "fastapi\nuvicorn\nalembic\npsycopg2-binary==2.9.10\n"),
            (
                "main.py",
                "import os\nfrom fastapi import FastAPI\napp = FastAPI()\nurl = os.environ['DATABASE_URL']\n",
            ),
            ("alembic.ini", "[alembic]\nscript_location = migrations\n"),
            (
                "migrations/env.py",
                "import os\nconfig.set_main_option('sqlalchemy.url', os.environ['DATABASE_URL'])\n",
            ),
            ("migrations/versions/a1_.py", &first),
            ("migrations/versions/b2_.py", &second),
        ])
    };
    let command = |survey: &Survey| {
        survey.services[0].migration.as_ref().unwrap().command.as_ref().unwrap().value.join(" ")
    };
    let two = with("None");
    assert_eq!(command(&two), "alembic upgrade heads");
    assert_eq!(gap(&two, "its migrations have 2 heads (a1, b2)").evidence.len(), 2);
    assert_eq!(command(&with("'a1'")), "alembic upgrade head");
}

#[test]
fn a_file_of_sqlite_that_the_configuration_names_is_found_in_every_form() {
    let with = |value: &str| {
        let program = format!(
            "from pathlib import Path\nfrom sqlite3 import dbapi2 as sqlite3\nfrom quart import Quart\napp = Quart(__name__)\n\
             app.config.update({{\n    'DATABASE': {value},\n}})\ndb = sqlite3.connect(app.config['DATABASE'])\n"
        );
        let survey = of(&[("requirements.txt", "quart\nhypercorn\n"), ("blog/__init__.py", &program)]);
        let file = survey.services[0].files.first().cloned();
        file.map(|file| (file.value, file.evidence[0].line))
    };
    assert_eq!(with("Path(app.root_path) / 'blog.db'"), Some(("blog/blog.db".to_owned(), 6)));
    assert_eq!(with("'blog.db'"), Some(("blog.db".to_owned(), 6)));
}

#[test]
fn a_text_that_is_true_whatever_it_says_turns_nothing_on() {
    let default = |read: &str| {
        let survey = of(&[
            ("requirements.txt", "flask==3\ngunicorn==23.0.0\n"),
            (
                "app.py",
                &format!("import os\nfrom flask import Flask\napp = Flask(__name__)\nvalue = {read}\n"),
            ),
        ]);
        let known = survey.services[0].environment.iter().find(|variable| variable.name == "DEBUG");
        known.unwrap().default.clone()
    };
    assert_eq!(default("bool(os.environ.get('DEBUG', default=0))"), None);
    assert_eq!(default("bool(os.environ.get('DEBUG', False))"), None);
    // On where nothing is set: only the empty text turns it off.
    assert_eq!(default("bool(os.environ.get('DEBUG', 1))").as_deref(), Some(""));
    assert_eq!(default("int(os.environ.get('DEBUG', 0))").as_deref(), Some("0"));
}

#[test]
fn commands_of_the_build_have_the_debug_of_production() {
    let survey = of(&[
        ("requirements.txt", "Django==5.2\ngunicorn==23.0.0\nwhitenoise==6.9.0\n"),
        ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n"),
        (
            "site1/settings.py",
            "import os\nDEBUG = os.environ.get('DEBUG', 'True') == 'True'\nSTATIC_ROOT = 'static'\n",
        ),
        ("site1/wsgi.py", "application = get_wsgi_application()\n"),
    ]);
    let debug: Vec<(&str, bool)> = survey.services[0]
        .settings
        .iter()
        .filter(|setting| setting.name == "DEBUG")
        .map(|setting| (setting.value.as_str(), setting.at_build))
        .collect();
    assert_eq!(debug, [("False", true), ("False", false)]);
}

#[test]
fn a_package_in_src_that_a_program_beside_it_imports_is_installed() {
    let with = |program: &str| {
        let survey = of(&[
            ("requirements.txt", "flask==3\n"),
            (
                "pyproject.toml",
                "[project]\nname = \"shop\"\ndependencies = [\"flask\"]\n[build-system]\nrequires = [\"flit_core\"]\n",
            ),
            (
                "src/shop/__init__.py",
                "from flask import Flask\ndef create_app():\n    return Flask(__name__)\n",
            ),
            ("main.py", program),
        ]);
        let said = survey.gaps.iter().any(|gap| gap.message.contains("both are installed"));
        (survey.installs[0].beside.iter().map(|fact| fact.value).collect::<Vec<_>>(), said)
    };
    let imports = "from shop import create_app\napp = create_app()\n";
    assert_eq!(with(imports), (vec![Beside::Package], false));
    assert_eq!(with("from flask import Flask\napp = Flask(__name__)\n"), (Vec::new(), false));
}

#[test]
fn programs_of_a_supervisor_on_another_machine_are_those_of_the_procfile() {
    let survey = of(&[
        ("requirements.txt", "flask==3\nrq==2\ngunicorn==23.0.0\n"),
        ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
        ("Procfile", "web: gunicorn app:app\nworker: rq worker tasks\n"),
        (
            "deployment/supervisor/tasks.conf",
            "[program:tasks]\ncommand=/home/me/site/venv/bin/rq worker tasks\n[program:site]\ncommand=/bin/bash -c 'gunicorn app:app'\n",
        ),
    ]);
    let processes: Vec<&str> =
        survey.services[0].processes.iter().map(|process| process.name.as_str()).collect();
    assert_eq!(processes, ["worker"]);
}

#[test]
fn a_process_that_is_written_is_not_said_to_be_nobodys() {
    let survey = of(&[
        ("package.json", r#"{ "name": "assets", "devDependencies": { "esbuild": "0.25" } }"#),
        ("requirements.txt", "flask==3\nrq==2\ngunicorn==23.0.0\n"),
        ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
        ("supervisord.conf", "[program:jobs]\ncommand=rq worker tasks\n"),
    ]);
    let service = survey.services.iter().find(|service| service.role == Role::Server).unwrap();
    assert_eq!(service.processes.len(), 1);
    assert!(
        survey.gaps.iter().all(|gap| !gap.message.contains("belongs to no service")),
        "{:?}",
        survey.gaps
    );
}
