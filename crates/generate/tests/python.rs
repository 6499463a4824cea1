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
fn static_files_that_nobody_serves_are_served_by_settings_around_the_sites_own() {
    let lists = ("requirements.txt", "Django==5.2\ngunicorn==23.0.0\n");
    let settings = ("site1/settings.py", "STATIC_URL = 'static/'\nSTATIC_ROOT = 'static'\nDATABASES = {}\n");
    let stack = stack(&[&[lists, settings], &DJANGO[1..]].concat());
    let dockerfile = file(&stack, "Dockerfile");
    for part in [
        "install whitenoise==6.12.0",
        "COPY --chmod=555 docker/with_static_files.py /launcher/with_static_files.py\n",
        "    PYTHONPATH=/launcher \\\n    STATIC_FILES_OF=site1.settings\n",
    ] {
        assert!(dockerfile.contains(part), "{part}: {dockerfile}");
    }
    assert!(file(&stack, "docker/with_static_files.py").contains("WhiteNoiseMiddleware"));
    assert!(
        !file(&self::stack(&[&DJANGO[..], &[settings]].concat()), "Dockerfile").contains("STATIC_FILES_OF")
    );
}

#[test]
fn programs_of_packages_find_the_modules_of_the_folder_that_they_are_started_in() {
    let program = ("main.py", "from fastapi import FastAPI\napp = FastAPI()\n");
    let settings = ("alembic.ini", "[alembic]\nscript_location = db\n");
    let with = |list: &'static str| {
        file(&stack(&[("requirements.txt", list), program, settings, ("db/env.py", "")]), "Dockerfile")
    };
    let list = "fastapi==0.115.0\nuvicorn==0.34.0\npsycopg==3.2\nsqlalchemy==2.0.40\nalembic==1.14.0\n";
    assert!(with(list).contains("PYTHONPATH=/launcher"), "{}", with(list));
    assert!(!with("fastapi==0.115.0\nuvicorn==0.34.0\n").contains("PYTHONPATH"));
}

#[test]
fn a_password_that_an_address_holds_is_in_no_environment() {
    let with = |read: &str| {
        let program = format!(
            "import os\nimport psycopg\nfrom flask import Flask\napp = Flask(__name__)\n{read}password = os.environ.get('POSTGRES_PASSWORD', 'password')\n"
        );
        file(
            &stack(&[("requirements.txt", "flask==3\npsycopg==3.2\n"), ("app.py", &program)]),
            "compose.production.yml",
        )
    };
    let whole =
        with("url = os.environ.get('DATABASE_URL', f'postgresql://{user}:{password}@{host}/{name}')\n");
    assert!(whole.contains("DATABASE_URL_FILE"), "{whole}");
    let program = whole.split("\n  postgres:").next().unwrap();
    assert!(!program.contains("POSTGRES_PASSWORD:"), "{whole}");
}

#[test]
fn a_client_without_a_host_reads_its_variable_or_is_said() {
    let with = |list: &str, program: &str| {
        let list = format!("fastapi==0.115.0\nuvicorn==0.30.0\n{list}\n");
        let program = format!("import os\nfrom fastapi import FastAPI\napp = FastAPI()\n{program}\n");
        let survey = survey(&Repository::from_files(
            "shop",
            [("requirements.txt", list.as_str()), ("main.py", &program)],
        ));
        let planned = plan(&survey, &Policy::default(), &|_| false).unwrap();
        let compose = file(&planned.stack, "compose.production.yml");
        (compose, planned.notes)
    };
    let login = "user=os.environ['DB_USER'], password=os.environ['DB_PASSWORD']";
    for program in [
        format!("import psycopg2\ndb = psycopg2.connect(dbname='tops', {login})"),
        "import psycopg2\ndb = psycopg2.connect('dbname=tops')".to_owned(),
    ] {
        let (compose, _) = with("psycopg2-binary==2.9.10", &program);
        for line in ["PGHOST: postgres\n", "POSTGRES_DB: tops\n"] {
            assert!(compose.contains(line), "{program}\n{compose}");
        }
        assert_eq!(compose.contains("PGUSER"), !program.contains("DB_USER"), "{compose}");
    }
    let (compose, notes) = with(
        "psycopg2-binary==2.9.10",
        "import psycopg2\ndb = psycopg2.connect('host=db dbname=tops user=shop password=s3cret')",
    );
    assert!(compose.contains("POSTGRES_USER: shop\n") && compose.contains("\n  db:\n"), "{compose}");
    assert!(
        notes
            .iter()
            .any(|note| note.message.contains("the password of db stands in the source at main.py:5"))
    );
    for (list, program) in [
        ("redis==5.0.4", "import redis\ncache = redis.Redis(decode_responses=True)".to_owned()),
        ("pymysql==1.1.1", format!("import pymysql\ndb = pymysql.connect(database='tops', {login})")),
    ] {
        let (_, notes) = with(list, &program);
        let note = notes.iter().find(|note| note.message.contains("is given no host and takes localhost"));
        assert_eq!(note.unwrap_or_else(|| panic!("{notes:#?}")).evidence[0].line, 5, "{program}");
    }
    for program in [
        format!("import psycopg2\ndb = psycopg2.connect(**settings, {login})"),
        format!("import psycopg2\ndb = psycopg2.connect(host=find(), {login})"),
    ] {
        let (compose, _) = with("psycopg2-binary==2.9.10", &program);
        assert!(!compose.contains("PGHOST"), "{compose}");
    }
}

#[test]
fn an_address_of_redis_is_taken_under_any_name() {
    let settings = |value: &str| {
        format!(
            "import os\nDATABASES = {{'default': {{'ENGINE': 'django.db.backends.sqlite3', 'NAME': '/data/db.sqlite3'}}}}\n{value}\n"
        )
    };
    let cache = "CACHES = {'default': {'BACKEND': 'django_redis.cache.RedisCache', 'LOCATION': os.environ['STATE_CONNECTIONSTRING'], 'OPTIONS': {'A': 'b'}}}";
    let layers = "CHANNEL_LAYERS = {'default': {'BACKEND': 'channels_redis.core.RedisChannelLayer', 'CONFIG': {'hosts': [os.environ['STATE_CONNECTIONSTRING']]}}}";
    for value in [cache, layers] {
        let text = settings(value);
        let list = ("requirements.txt", "Django==5.2\ngunicorn==23.0.0\ndjango-redis==5.4.0\n");
        let files = [&[list], &DJANGO[1..], &[("site1/settings.py", text.as_str())]].concat();
        let compose = file(&stack(&files), "compose.production.yml");
        assert!(compose.contains("STATE_CONNECTIONSTRING_FILE: /run/secrets/"), "{compose}");
    }
    // Another backend's place is none.
    let memory = settings(
        "CACHES = {'default': {'BACKEND': 'django.core.cache.backends.filebased.FileBasedCache', 'LOCATION': os.environ['STATE_CONNECTIONSTRING']}}",
    );
    let compose = file(
        &stack(&[&DJANGO[..], &[("site1/settings.py", memory.as_str())]].concat()),
        "compose.production.yml",
    );
    assert!(!compose.contains("STATE_CONNECTIONSTRING_FILE"), "{compose}");
    let with = |program: &str| {
        let program = format!("import os\nimport redis\n{FASTAPI}{program}\n");
        let list = ("requirements.txt", "fastapi\nuvicorn\nredis\n");
        file(&stack(&[list, ("main.py", &program)]), "compose.production.yml")
    };
    for program in [
        "store = redis.Redis.from_url(os.environ['STATE'])",
        "place = os.environ['STATE']\nstore = redis.from_url(place)",
    ] {
        assert!(with(program).contains("STATE_FILE: /run/secrets/"), "{program}");
    }
    // A host and a port in one variable.
    let parts = with(
        "place = os.environ.get('REDIS_ENDPOINT_URL', '127.0.0.1:6379')\nHOST, PORT = tuple(place.split(':'))\n\
         store = redis.Redis(host=HOST, port=PORT, password=os.environ.get('REDIS_PASSWORD'))",
    );
    assert!(parts.contains("REDIS_ENDPOINT_URL: ${REDIS_ENDPOINT_URL:-redis:6379}"), "{parts}");
    assert!(parts.contains("REDIS_PASSWORD_FILE"), "{parts}");
}

#[test]
fn a_database_of_django_without_a_host_is_reached_by_the_variable_of_libpq() {
    let with = |host: &str, engine: &str| {
        let settings = format!(
            "import os\nDATABASES = {{'default': {{'ENGINE': 'django.db.backends.{engine}', 'NAME': 'tops', 'USER': 'shop', 'PASSWORD': 's3cret'{host}}}}}\n"
        );
        let list = (
            "requirements.txt",
            "Django==5.2\ngunicorn==23.0.0\npsycopg2-binary==2.9.10\nmysqlclient==2.2.4\n",
        );
        let files = [&[list], &DJANGO[1..], &[("site1/settings.py", settings.as_str())]].concat();
        let survey = survey(&Repository::from_files("shop", files));
        plan(&survey, &Policy::default(), &|_| false).unwrap()
    };
    for host in ["", ", 'HOST': ''"] {
        let planned = with(host, "postgresql");
        let compose = file(&planned.stack, "compose.production.yml");
        for line in ["PGHOST: postgres\n", "POSTGRES_USER: shop\n", "POSTGRES_DB: tops\n"] {
            assert!(compose.contains(line), "{compose}");
        }
        let said = "the password of postgres stands in the source at site1/settings.py:2";
        assert!(planned.notes.iter().any(|note| note.message.contains(said)), "{:#?}", planned.notes);
    }
    let compose = file(&with(", 'HOST': 'db'", "postgresql").stack, "compose.production.yml");
    assert!(compose.contains("\n  db:\n") && compose.contains("POSTGRES_USER: shop\n"), "{compose}");
    let mysql = with("", "mysql");
    assert!(mysql.notes.iter().any(|note| note.message.contains("is given no host")), "{:#?}", mysql.notes);
}

#[test]
fn the_programs_user_has_a_name_in_its_image() {
    let stack = stack(&[("requirements.txt", "fastapi\nuvicorn\n"), ("main.py", FASTAPI)]);
    let dockerfile = file(&stack, "Dockerfile");
    let (_, runtime) = dockerfile.split_once("FROM ${PYTHON_IMAGE} AS runtime").unwrap();
    assert!(runtime.contains("app:x:10001:10001::/tmp:/usr/sbin/nologin >> /etc/passwd"), "{dockerfile}");
}

#[test]
fn tables_in_a_file_of_sqlite_are_made_once_before_the_server() {
    let program = "import os\nimport sqlite3\nimport click\nfrom flask import Flask\napp = Flask(__name__)\n\
                   db = sqlite3.connect(os.path.join(app.instance_path, 'shop.sqlite'))\n\
                   @click.command('init-db')\ndef init_db():\n    db.executescript('create table a (b)')\n";
    let list = ("requirements.txt", "Flask==3.0.3\ngunicorn==23.0.0\n");
    let compose = file(&stack(&[list, ("shop/__init__.py", program)]), "compose.production.yml");
    let (_, job) = compose.split_once("\n  init-db:\n").unwrap_or_else(|| panic!("{compose}"));
    for text in
        ["os.path.exists('instance/shop.sqlite')", "['flask', '--app', 'shop', 'init-db']", "restart: \"no\""]
    {
        assert!(job.contains(text), "{text}\n{compose}");
    }
    // It has the server's volume, and the server waits for it.
    assert_eq!(compose.matches(":/app/instance\"]").count(), 2, "{compose}");
    assert!(compose.contains("init-db: { condition: service_completed_successfully }"), "{compose}");
    // Of another store nobody knows whether the command empties it.
    let other = program.replace(
        "sqlite3.connect(os.path.join(app.instance_path, 'shop.sqlite'))",
        "os.environ['DATABASE_URL']",
    );
    let list = ("requirements.txt", "Flask==3.0.3\ngunicorn==23.0.0\npsycopg2-binary==2.9.10\n");
    let compose = file(&stack(&[list, ("shop/__init__.py", &other)]), "compose.production.yml");
    assert!(!compose.contains("init-db"), "{compose}");
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
    assert!(dockerfile.contains("pip --python /app/.venv/bin/python install .\n"), "{dockerfile}");
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
    let lists =
        |text: &str| text.contains("    pip --python /app/.venv/bin/python install -r requirements.txt\n");
    let built = format!("{declares}[build-system]\nrequires = [\"setuptools\"]\n");
    let both = with(&built, "gunicorn==23.0.0\n");
    assert!(lists(&both) && both.contains("    pip --python /app/.venv/bin/python install .\n"), "{both}");
    // No package is built from it: its table is read, before the sources are there.
    let table = with(declares, "gunicorn==23.0.0\n");
    assert!(lists(&table) && !table.contains("pip install ."), "{table}");
    assert!(table.contains("\nCOPY pyproject.toml ./\n"), "{table}");
    assert!(
        table.contains("&& pip --python /app/.venv/bin/python install -r /tmp/declared.txt\n"),
        "{table}"
    );
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
    assert!(at("python install -r requirements.txt\n") > at("FROM deps AS build\n"), "{dockerfile}");
    assert!(!dockerfile.contains("python install .\n"), "{dockerfile}");
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
    assert!(dockerfile.contains("python install -r requirements.txt 'werkzeug<3'\n"), "{dockerfile}");
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

#[test]
fn the_variable_that_chooses_the_database_is_set_to_the_one_that_is_wired() {
    let login = "'HOST': os.environ.get('SQL_HOST', 'localhost'), 'USER': os.environ.get('SQL_USER'), 'PASSWORD': os.environ.get('SQL_PASSWORD')";
    let by_value = format!(
        "'ENGINE': os.environ.get('SQL_ENGINE', 'django.db.backends.sqlite3'), 'NAME': os.environ.get('SQL_NAME'), {login}"
    );
    let with = |settings: &str| {
        let settings = format!("import os\n{settings}\n");
        let list = ("requirements.txt", "Django==5.2\ngunicorn==23.0.0\npsycopg==3.2.2\n");
        let files = [&[list], &DJANGO[1..], &[("site1/settings.py", settings.as_str())]].concat();
        file(&stack(&files), "compose.production.yml")
    };
    let compose = with(&format!("DATABASES = {{'default': {{{by_value}}}}}"));
    // The server and the migrations.
    assert_eq!(compose.matches("SQL_ENGINE: django.db.backends.postgresql\n").count(), 2, "{compose}");
    let file = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'a.sqlite'}}";
    let by_condition = format!(
        "{file}\nif os.getenv('DB') == 'postgres':\n    DATABASES = {{'default': {{'ENGINE': 'django.db.backends.postgresql', {login}}}}}\nDEBUG = False"
    );
    let compose = with(&by_condition);
    assert!(compose.contains("DB: postgres\n") && compose.contains("SQL_HOST: postgres\n"), "{compose}");
}

#[test]
fn a_member_of_uvs_workspace_is_installed_with_the_manifests_of_all() {
    let stack = stack(&[
        (
            "pyproject.toml",
            "[dependency-groups]\ndev = []\n[tool.uv.workspace]\nmembers = [\"backend\", \"libs/*\"]\nexclude = [\"libs/old\"]\n",
        ),
        ("uv.lock", "version = 1\n"),
        (
            "backend/pyproject.toml",
            "[project]\nname = \"shop-api\"\ndependencies = [\"fastapi\", \"uvicorn\"]\n",
        ),
        ("backend/main.py", FASTAPI),
        ("libs/money/pyproject.toml", "[project]\nname = \"money\"\n"),
        ("libs/old/pyproject.toml", "[project]\nname = \"old\"\n"),
    ]);
    let dockerfile = file(&stack, "backend/Dockerfile");
    for line in [
        "COPY backend/pyproject.toml backend/\n",
        "COPY libs/money/pyproject.toml libs/money/\n",
        "uv sync --locked --no-dev --no-install-workspace --no-editable --package shop-api\n",
        "uv sync --locked --no-dev --no-editable --package shop-api\n",
    ] {
        assert!(dockerfile.contains(line), "{line}\n{dockerfile}");
    }
    assert!(!dockerfile.contains("libs/old"), "{dockerfile}");
}

#[test]
fn a_demanded_list_says_what_separates_its_values() {
    let with = |read: &str| {
        let program = format!("import os\nfrom flask import Flask\napp = Flask(__name__)\nhosts = {read}\n");
        file(&stack(&[("requirements.txt", "flask==3\n"), ("app.py", &program)]), "compose.production.yml")
    };
    let compose = with("os.environ.get('HOSTS').split(' ')");
    assert!(compose.contains("${HOSTS:?set HOSTS, separated by blanks}"), "{compose}");
    let compose = with("os.environ['HOSTS'].split(',')");
    assert!(compose.contains("${HOSTS:?set HOSTS, separated by commas}"), "{compose}");
}
