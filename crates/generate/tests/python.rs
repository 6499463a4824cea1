//! Stacks of programs in Python, each from a repository that shows nothing but its case.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use plimsoll_generate::{Policy, Stack, generate, plan};
use plimsoll_survey::{Repository, survey};

fn stack(files: &[(&str, &str)]) -> Stack {
    let survey = survey(&Repository::from_files("shop", files.iter().copied()));
    plan(&survey, &Policy::default(), &|_| false).unwrap().stack
}

fn file(stack: &Stack, path: &str) -> String {
    generate(stack).unwrap().into_iter().find(|file| file.path == path).unwrap().text
}

const DJANGO: [(&str, &str); 4] = [
    ("requirements.txt", "Django==5.2\ngunicorn==23.0.0\nwhitenoise==6.9.0\ncelery==5.5.0\n"),
    ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n"),
    ("site1/__init__.py", ""),
    ("site1/wsgi.py", "application = get_wsgi_application()\n"),
];

#[test]
fn a_file_of_sqlite_beside_the_program_leads_into_a_volume_that_all_its_processes_have() {
    let settings = (
        "site1/settings.py",
        "from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\nDATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': BASE_DIR / 'db.sqlite3'}}\nCELERY_BROKER_URL = 'amqp://guest:guest@localhost//'\n",
    );
    let celery = ("site1/celery.py", "from celery import Celery\napp = Celery('site1')\n");
    let stack = stack(&[&DJANGO[..], &[settings, celery]].concat());
    let dockerfile = file(&stack, "Dockerfile");
    assert!(dockerfile.contains("ln -sfn /app/.sqlite/db.sqlite3 /app/db.sqlite3"), "{dockerfile}");
    assert!(dockerfile.contains("mkdir -p /writable/app/.sqlite"), "{dockerfile}");
    assert!(dockerfile.contains("/writable/app /app"), "{dockerfile}");
    let compose = file(&stack, "compose.production.yml");
    // The server, the worker and the migrations.
    assert_eq!(compose.matches("app_sqlite:/app/.sqlite").count(), 3, "{compose}");
    // The broker's address is not the one in the settings: Celery asks its variable first.
    assert_eq!(compose.matches("CELERY_BROKER_URL_FILE: /run/secrets/").count(), 3, "{compose}");
    assert!(compose.contains("  rabbitmq:\n"), "{compose}");
}

#[test]
fn a_file_of_sqlite_elsewhere_has_a_volume_with_its_programs_owner() {
    let settings = (
        "site1/settings.py",
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': '/var/lib/site/db.sqlite3'}}\n",
    );
    let stack = stack(&[&DJANGO[..], &[settings]].concat());
    let dockerfile = file(&stack, "Dockerfile");
    assert!(dockerfile.contains(":10001 /writable/var/lib/site /var/lib/site\n"), "{dockerfile}");
    assert!(file(&stack, "compose.production.yml").contains(":/var/lib/site"));
}

#[test]
fn a_file_of_sqlite_at_a_place_that_is_not_known_is_no_stack() {
    let settings = (
        "site1/settings.py",
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': find_it()}}\n",
    );
    let files = [&DJANGO[..], &[settings]].concat();
    let survey = survey(&Repository::from_files("shop", files));
    let refused = plan(&survey, &Policy::default(), &|_| false).unwrap_err();
    assert!(format!("{refused:?}").contains("app.sqlite"), "{refused:?}");
}

#[test]
fn a_license_is_not_installed() {
    let stack = stack(&[
        (
            "pyproject.toml",
            "[project]\nname = \"shop\"\nlicense = {file = \"LICENSE.txt\"}\ndependencies = [\"flask\"]\n[build-system]\nrequires = [\"setuptools\"]\n",
        ),
        ("LICENSE.txt", "Copyright\n"),
        ("shop/__init__.py", "from flask import Flask\napp = Flask(__name__)\n"),
    ]);
    let dockerfile = file(&stack, "Dockerfile");
    assert!(!dockerfile.contains("install -r"), "{dockerfile}");
    assert!(dockerfile.contains("/app/.venv/bin/pip install .\n"), "{dockerfile}");
}

#[test]
fn socket_io_is_one_process_behind_a_front_that_passes_websockets_on() {
    let stack = stack(&[
        ("requirements.txt", "Flask==3.0.3\nflask-socketio==5.3.6\n"),
        (
            "app.py",
            "from flask import Flask\nfrom flask_socketio import SocketIO\napp = Flask(__name__)\nsocketio = SocketIO(app)\n",
        ),
    ]);
    let compose = file(&stack, "compose.production.yml");
    assert!(compose.contains("WEB_CONCURRENCY: \"1\""), "{compose}");
    let nginx = file(&stack, "proxy/nginx.conf");
    assert!(
        nginx.contains("location ^~ /socket.io/ {") && nginx.contains("Upgrade $http_upgrade"),
        "{nginx}"
    );
}

const FASTAPI: &str = "from fastapi import FastAPI\napp = FastAPI()\n";

#[test]
fn what_the_manifest_declares_is_installed_beside_a_list_that_lacks_it() {
    let declares = "[project]\nname = \"shop\"\ndependencies = [\"fastapi\", \"uvicorn[standard]\"]\n";
    let with = |manifest: &str, list: &str| {
        let files =
            [("pyproject.toml", manifest), ("requirements.txt", list), ("main.py", FASTAPI), ("a/b.py", "")];
        file(&stack(&files), "Dockerfile")
    };
    let lists = |text: &str| text.contains("    /app/.venv/bin/pip install -r requirements.txt\n");
    let built = format!("{declares}[build-system]\nrequires = [\"setuptools\"]\n");
    let both = with(&built, "gunicorn==23.0.0\n");
    assert!(lists(&both) && both.contains("    /app/.venv/bin/pip install .\n"), "{both}");
    // No package is built from it: its table is read, before the sources are there.
    let table = with(declares, "gunicorn==23.0.0\n");
    assert!(lists(&table) && !table.contains("pip install ."), "{table}");
    assert!(table.contains("\nCOPY pyproject.toml ./\n"), "{table}");
    assert!(table.contains("&& /app/.venv/bin/pip install -r /tmp/declared.txt\n"), "{table}");
    // A list that has all of it is enough.
    let whole = with(declares, "fastapi==0.115.0\nuvicorn==0.34.0\n");
    assert!(lists(&whole) && !whole.contains("declared.txt") && !whole.contains("pip install ."), "{whole}");
}

#[test]
fn a_list_that_installs_the_project_itself_comes_behind_the_sources() {
    let stack = stack(&[
        ("pyproject.toml", "[project]\nname = \"shop\"\ndependencies = [\"fastapi\", \"uvicorn\"]\n"),
        ("requirements.txt", "gunicorn==23.0.0\n-e .\n"),
        ("main.py", FASTAPI),
    ]);
    let dockerfile = file(&stack, "Dockerfile");
    let at = |text: &str| dockerfile.find(text).unwrap_or_else(|| panic!("{text}: {dockerfile}"));
    assert!(at("pip install -r requirements.txt\n") > at("FROM deps AS build\n"), "{dockerfile}");
    assert!(!dockerfile.contains("pip install .\n"), "{dockerfile}");
}

#[test]
fn a_binary_package_without_a_wheel_is_compiled_with_the_library_that_it_needs() {
    let stack = stack(&[
        ("requirements.txt", "Flask==3.0.3\npsycopg2-binary==2.9.3\n"),
        ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
    ]);
    let dockerfile = file(&stack, "Dockerfile");
    assert!(dockerfile.contains("python:3.11-slim"), "{dockerfile}");
    assert!(dockerfile.contains("gcc libc6-dev libpq-dev"), "{dockerfile}");
    assert!(dockerfile.contains("/runtime-packages"), "{dockerfile}");
}

#[test]
fn what_an_old_package_runs_with_stands_beside_the_list_with_its_reason() {
    let stack = stack(&[
        ("requirements.txt", "flask==2.0.2\n"),
        ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
    ]);
    let dockerfile = file(&stack, "Dockerfile");
    let reason = "# werkzeug<3: flask 2.0.2 does not run with werkzeug 3 (requirements.txt:1).\n";
    assert!(dockerfile.contains(reason), "{dockerfile}");
    assert!(dockerfile.contains("pip install -r requirements.txt 'werkzeug<3'\n"), "{dockerfile}");
}

#[test]
fn uv_installs_a_lock_file_that_it_would_make_anew_as_it_is() {
    let lock = "version = 1\n[options]\nexclude-newer-span = \"P2D\"\n[[package]]\nname = \"flask\"\nversion = \"3.1.3\"\n";
    let stack = stack(&[
        ("pyproject.toml", "[project]\nname = \"shop\"\ndependencies = [\"flask\"]\n"),
        ("uv.lock", lock),
        ("uv.toml", "index-url = \"https://packages.example/simple\"\n"),
        ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
    ]);
    let dockerfile = file(&stack, "Dockerfile");
    assert!(dockerfile.contains("    uv sync --frozen --no-dev --no-install-project"), "{dockerfile}");
    assert!(!dockerfile.contains("uv sync --locked"), "{dockerfile}");
    assert!(dockerfile.contains("its option exclude-newer-span: "), "{dockerfile}");
    assert!(dockerfile.contains("\nCOPY uv.toml ./\n"), "{dockerfile}");
}

#[test]
fn two_addresses_of_one_store_are_one_dependency_and_their_parts_are_set_once() {
    let compose = "services:\n  app_db:\n    image: postgres:16.3\n    environment: { POSTGRES_USER: app, POSTGRES_PASSWORD: app, POSTGRES_DB: app }\n";
    let packages = "fastapi==0.115.0\nuvicorn==0.34.0\nsqlalchemy==2.0.36\nalembic==1.14.0\nasyncpg==0.30.0\npsycopg2-binary==2.9.10\npydantic-settings==2.6.0\n";
    let env = "from alembic import context\nfrom src.config import settings\n";
    let with = |config: &str| {
        let stack = stack(&[
            ("requirements.txt", packages),
            ("docker-compose.yml", compose),
            ("alembic.ini", "[alembic]\nscript_location = alembic\n"),
            ("alembic/env.py", env),
            ("alembic/versions/.gitkeep", ""),
            ("src/__init__.py", ""),
            ("src/config.py", config),
            ("src/main.py", FASTAPI),
        ]);
        file(&stack, "compose.production.yml")
    };
    let urls = "from pydantic import PostgresDsn\nfrom pydantic_settings import BaseSettings\nclass Config(BaseSettings):\n    DATABASE_URL: PostgresDsn\n    DATABASE_ASYNC_URL: PostgresDsn\nsettings = Config()\n";
    let text = with(urls);
    let healthy = "app_db: { condition: service_healthy }\n";
    // The migrations and the server.
    assert_eq!(text.matches(healthy).count(), 2, "{text}");
    assert!(!text.contains(&format!("{healthy}      {healthy}")), "{text}");
    assert_eq!(text.matches("      DATABASE_ASYNC_URL_FILE: ").count(), 2, "{text}");
}
