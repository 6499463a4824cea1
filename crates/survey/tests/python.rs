//! Python projects, each on a repository that shows nothing but its case.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use plimsoll_survey::{Fact, Manager, Repository, Role, Service, Survey, render, survey};

fn of(files: &[(&str, &str)]) -> Survey {
    survey(&Repository::from_files("repo", files.iter().copied()))
}

/// A fact's value with the place of its first evidence.
fn at<T: Clone>(fact: Option<&Fact<T>>) -> (T, String, usize) {
    let fact = fact.unwrap();
    (fact.value.clone(), fact.evidence[0].file.clone(), fact.evidence[0].line)
}

fn words(service: &Service) -> String {
    service.command.as_ref().unwrap().value.join(" ")
}

fn routes(service: &Service) -> Vec<String> {
    service.routes.iter().map(|route| format!("{} {}", route.method, route.path)).collect()
}

/// Shared fault 029: a Flask application was answered with "no package.json was found".
const FLASK_IS_SILENCE: &[(&str, &str)] = &[
    ("Procfile", "web: gunicorn wsgi:app\nrelease: flask --app wsgi init-db\n"),
    ("requirements.txt", "Flask==3.1.2\ngunicorn==23.0.0\npsycopg[binary]==3.2.10\nredis==6.4.0\n"),
    (".python-version", "3.12\n"),
    (
        "gunicorn.conf.py",
        "import os\n\nbind = f\"0.0.0.0:{os.environ.get('PORT', '8000')}\"\nworkers = int(os.environ.get(\"WEB_CONCURRENCY\", \"2\"))\n",
    ),
    ("wsgi.py", "from shop import create_app\n\napp = create_app()\n"),
    (
        "shop/__init__.py",
        "import os\n\nimport psycopg\nimport redis\nfrom flask import Flask, jsonify, request\n\n\n\
         def create_app() -> Flask:\n    app = Flask(__name__)\n    app.config[\"SECRET_KEY\"] = os.environ[\"SECRET_KEY\"]\n    \
         dsn = os.environ[\"DATABASE_URL\"]\n    cache = redis.from_url(os.environ.get(\"REDIS_URL\", \"redis://localhost:6379/0\"))\n\n    \
         @app.get(\"/health\")\n    def health():\n        return {\"ok\": True}\n\n    \
         @app.get(\"/api/customers\")\n    def customers():\n        return jsonify([])\n\n    return app\n",
    ),
];

#[test]
fn flask_is_silence() {
    let survey = of(FLASK_IS_SILENCE);
    let service = &survey.services[0];
    assert_eq!((service.name.as_str(), service.role), ("app", Role::Server));
    assert_eq!(
        (service.frameworks[0].name.as_str(), service.frameworks[0].version.as_str()),
        ("flask", "==3.1.2")
    );
    assert_eq!(words(service), "gunicorn wsgi:app");
    assert_eq!(at(service.port.as_ref()), (8000, "gunicorn.conf.py".into(), 3));
    assert_eq!(service.port_variable.as_ref().unwrap().value, "PORT");
    assert_eq!(at(service.health.live.as_ref()), ("/health".into(), "shop/__init__.py".into(), 14));
    assert_eq!(routes(service), ["GET /api/customers", "GET /health"]);
    let variables: Vec<(&str, bool, bool)> = service
        .environment
        .iter()
        .map(|variable| (variable.name.as_str(), variable.required, variable.secret))
        .collect();
    let expected = [
        ("DATABASE_URL", true, false),
        ("PORT", false, false),
        ("REDIS_URL", false, false),
        ("SECRET_KEY", true, true),
        ("WEB_CONCURRENCY", false, false),
    ];
    assert_eq!(variables, expected);
    let install = &survey.installs[0];
    assert_eq!(
        (install.manager, install.lock_file.as_ref().unwrap().value.as_str()),
        (Manager::Pip, "requirements.txt")
    );
    assert_eq!(at(install.runtime.as_ref()), ("3.12".into(), ".python-version".into(), 1));
    assert!(
        survey
            .gaps
            .iter()
            .any(|gap| gap.message.contains("3.12") && gap.evidence[0].file == ".python-version")
    );
}

#[test]
fn other_languages_are_named_and_get_no_advice_for_npm() {
    for (file, text, language) in [
        ("go.mod", "module example.com/shop\n", "Go"),
        ("Gemfile", "source 'x'\n", "Ruby"),
        ("Shop.csproj", "<Project />\n", ".NET"),
        ("mix.exs", "defmodule A do\nend\n", "Elixir"),
    ] {
        let survey = of(&[(file, text)]);
        assert_eq!(survey.gaps.len(), 1, "{:#?}", survey.gaps);
        assert!(survey.gaps[0].message.contains(language));
        assert_eq!((survey.gaps[0].evidence[0].file.as_str(), survey.gaps[0].evidence[0].line), (file, 1));
        assert!(!survey.gaps[0].hint.contains("package"));
    }
}

#[test]
fn a_folder_of_pages_is_a_site_and_parts_of_something_are_none() {
    let page = "<!doctype html><title>x</title><p>Hello</p>";
    let root = of(&[("index.html", page), ("style.css", "p {}")]);
    assert_eq!(root.services.len(), 1);
    assert_eq!((root.services[0].role, at(root.services[0].output.as_ref()).0), (Role::Site, ".".to_owned()));
    assert!(!root.services[0].single_page);
    let public = of(&[("README.md", ""), ("public/index.html", page)]);
    assert_eq!(
        (public.services[0].path.as_str(), at(public.services[0].output.as_ref()).0),
        ("", "public".to_owned())
    );
    let web = of(&[("web/index.html", page), ("go.mod", "module x\n")]);
    assert_eq!((web.services[0].name.as_str(), web.services[0].path.as_str()), ("web", "web"));
    for part in ["docs/index.html", "examples/a/index.html", "tests/index.html", "templates/index.html"] {
        assert!(of(&[(part, page)]).services.is_empty(), "{part}");
    }
    let built = of(&[("package.json", "{\"name\": \"x\"}"), ("index.html", page)]);
    assert!(built.services.iter().all(|service| service.output.is_none()));
}

const MANAGE: &str = "import os\nimport sys\n\ndef main():\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n";

fn django(settings: &str, more: &[(&str, &str)]) -> Survey {
    let base = [
        ("backend/manage.py", MANAGE),
        ("backend/requirements.txt", "Django==5.2.1\npsycopg[binary]==3.2.10\nwhitenoise==6.9.0\n"),
        ("backend/shop/__init__.py", ""),
        ("backend/shop/settings.py", settings),
        (
            "backend/shop/wsgi.py",
            "import os\nos.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"shop.settings\")\napplication = get_wsgi_application()\n",
        ),
        (
            "backend/shop/urls.py",
            "from django.urls import include, path\nurlpatterns = [\n    path('admin/', admin.site.urls),\n    path('api/', include('orders.urls')),\n    path('healthz', health),\n]\n",
        ),
        (
            "backend/orders/urls.py",
            "router = DefaultRouter()\nrouter.register(r'orders', OrderViewSet)\nurlpatterns = [path('', include(router.urls)), path('stats/<int:year>/', stats)]\n",
        ),
    ];
    of(&[&base[..], more].concat())
}

#[test]
fn django_is_found_with_its_settings_routes_and_static_files() {
    let survey = django(
        "import environ\nenv = environ.Env(DEBUG=(bool, False))\nSECRET_KEY = env('SECRET_KEY')\nDEBUG = env('DEBUG')\n\
         ALLOWED_HOSTS = env.list('ALLOWED_HOSTS', default=['*'])\nROOT_URLCONF = 'shop.urls'\nWSGI_APPLICATION = 'shop.wsgi.application'\n\
         DATABASES = {'default': env.db()}\nSTATIC_ROOT = BASE_DIR / 'static'\nMEDIA_ROOT = BASE_DIR / 'media'\n",
        &[],
    );
    let service = &survey.services[0];
    assert_eq!((service.path.as_str(), service.frameworks[0].name.as_str()), ("backend", "django"));
    assert!(words(service).starts_with("gunicorn --bind 0.0.0.0:8000"), "{}", words(service));
    assert!(words(service).ends_with(" shop.wsgi:application"));
    assert_eq!(service.adds[0].value, "gunicorn==27.0.1");
    assert_eq!(
        routes(service),
        ["ALL /admin/", "ALL /api/orders/", "ALL /api/stats/<int:year>/", "ALL /healthz"]
    );
    assert_eq!(at(service.health.live.as_ref()), ("/healthz".into(), "backend/shop/urls.py".into(), 5));
    assert_eq!(service.build_commands[0].value, ["python", "manage.py", "collectstatic", "--noinput"]);
    let build: Vec<(&str, &str)> = service
        .settings
        .iter()
        .filter(|setting| setting.at_build)
        .map(|setting| (setting.name.as_str(), setting.value.as_str()))
        .collect();
    assert_eq!(
        build,
        [("SECRET_KEY", "only-while-the-image-is-built"), ("DATABASE_URL", "sqlite:////tmp/build.sqlite3")]
    );
    assert_eq!((service.writes[0].path.value.as_str(), service.writes[0].keep), ("media", true));
    let required: Vec<&str> = service
        .environment
        .iter()
        .filter(|variable| variable.required)
        .map(|variable| variable.name.as_str())
        .collect();
    assert_eq!(required, ["DATABASE_URL", "SECRET_KEY"]);
}

#[test]
fn static_files_that_nobody_serves_are_served_by_white_noise_as_the_pinned_django_takes_it() {
    let with = |list: &str, settings: &str| {
        let survey = django(settings, &[("backend/requirements.txt", list)]);
        let added = survey.services[0].adds.iter().map(|fact| fact.value.clone()).collect::<Vec<_>>();
        let around = survey.services[0].static_settings.as_ref().map(|fact| fact.value.clone());
        let said = survey.gaps.iter().filter(|gap| gap.message.contains("served by nobody")).count();
        (added, around, said)
    };
    let gunicorn = "gunicorn==23.0.0\n";
    let root = "STATIC_ROOT = BASE_DIR / 'static'\n";
    let by = |package: &str| (vec![package.to_owned()], Some("shop.settings".to_owned()), 1);
    assert_eq!(with(&format!("Django==5.2.1\n{gunicorn}"), root), by("whitenoise==6.12.0"));
    assert_eq!(with(&format!("Django\n{gunicorn}"), root), by("whitenoise==6.12.0"));
    assert_eq!(with(&format!("Django==3.2.1\n{gunicorn}"), root), by("whitenoise==6.2.0"));
    let elsewhere = format!("{root}STATICFILES_STORAGE = 'storages.backends.s3boto3.S3StaticStorage'\n");
    for (list, settings) in [("whitenoise\n", root), ("", elsewhere.as_str()), ("", "DEBUG = False\n")] {
        let list = format!("Django==5.2.1\n{gunicorn}{list}");
        assert_eq!(with(&list, settings), (Vec::new(), None, 0), "{settings}");
    }
    let offline = django(&format!("{root}COMPRESS_OFFLINE = True\n"), &[]);
    let commands: Vec<&str> =
        offline.services[0].build_commands.iter().map(|command| command.value[2].as_str()).collect();
    assert_eq!(commands, ["collectstatic", "compress"]);
    let survey = django(
        "STATIC_URL = 'static/'\n",
        &[("backend/requirements.txt", "Django==5.2.1\ngunicorn==23.0.0\n")],
    );
    assert!(
        survey.gaps.iter().any(|gap| gap.message.contains("STATIC_ROOT is not set")),
        "{:?}",
        survey.gaps
    );
}

#[test]
fn a_python_that_no_base_has_is_taken_where_the_project_accepts_no_other() {
    let with = |demand: &str| {
        let manifest = format!(
            "[project]\nname = \"shop\"\ndependencies = [\"flask\"]\nrequires-python = \"{demand}\"\n"
        );
        let survey = of(&[
            ("pyproject.toml", manifest.as_str()),
            ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
        ]);
        let said = survey.gaps.iter().any(|gap| gap.message.contains("comes from a registry"));
        (survey.installs[0].runtime_version.as_ref().map(|fact| fact.value.clone()), said)
    };
    assert_eq!(with(">=3.14"), (Some("3.14".to_owned()), true));
    assert_eq!(with("==3.12.*"), (Some("3.12".to_owned()), true));
    assert_eq!(with(">=3.12"), (Some("3.13".to_owned()), false));
    assert_eq!(with("<3.10"), (None, false));
}

#[test]
fn settings_of_laptops_and_faults_of_djangos_settings_are_said() {
    let survey = django(
        "DEBUG = True\nSECRET_KEY = 'django-insecure-x'\nALLOWED_HOSTS = []\nSTATIC_ROOT = 'static'\n",
        &[("backend/requirements.txt", "Django==5.2.1\ngunicorn==23.0.0\n")],
    );
    let lines: Vec<(usize, &str)> = survey
        .gaps
        .iter()
        .filter(|gap| gap.evidence.iter().any(|evidence| evidence.file.ends_with("settings.py")))
        .map(|gap| (gap.evidence[0].line, gap.message.as_str()))
        .collect();
    for (line, part) in
        [(1, "DEBUG is on"), (2, "signing key"), (3, "no host is allowed"), (4, "served by nobody")]
    {
        assert!(lines.iter().any(|(at, message)| *at == line && message.contains(part)), "{part}: {lines:?}");
    }
}

#[test]
fn the_word_django_alone_makes_no_site() {
    let survey = of(&[
        ("requirements.txt", "Flask==3.1.0\n# Django==5\ndjango-htmx==1.0\n"),
        ("manage.py", MANAGE),
        ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
    ]);
    assert_eq!(survey.services.len(), 1);
    assert_eq!(survey.services[0].frameworks[0].name, "flask");
}

#[test]
fn fastapi_routers_get_their_prefixes_from_every_level() {
    let survey = of(&[
        (
            "pyproject.toml",
            "[project]\nname = \"parcel-api\"\nrequires-python = \">=3.10,<3.13\"\ndependencies = [\n  \"fastapi[standard]>=0.115\",\n  \"pydantic-settings\",\n]\n",
        ),
        ("uv.lock", "version = 1\n"),
        ("app/__init__.py", ""),
        (
            "app/main.py",
            "from fastapi import FastAPI\nfrom app.api import api_router\nfrom app.core import settings\napp = FastAPI()\napp.include_router(api_router, prefix=settings.API_V1_STR)\n@app.get('/api/admin/health')\ndef a(): ...\n@app.get('/healthz')\ndef b(): ...\n",
        ),
        (
            "app/api.py",
            "from fastapi import APIRouter\nfrom app.routes import parcels\nfrom app.routes.live import router as live\napi_router = APIRouter()\napi_router.include_router(parcels.router)\napi_router.include_router(live, prefix='/live')\n",
        ),
        ("app/routes/__init__.py", ""),
        (
            "app/routes/parcels.py",
            "from fastapi import APIRouter\nrouter = APIRouter(prefix='/parcels')\n@router.get('/')\ndef all(): ...\n@router.post('/{id}')\nasync def one(id: int): ...\n",
        ),
        (
            "app/routes/live.py",
            "from fastapi import APIRouter, WebSocket\nrouter = APIRouter()\n@router.websocket('/ws')\nasync def ws(s: WebSocket): ...\n@router.get('/events')\nasync def events():\n    return EventSourceResponse(x())\n",
        ),
        (
            "app/core.py",
            "from pydantic_settings import BaseSettings, SettingsConfigDict\nclass Settings(BaseSettings):\n    model_config = SettingsConfigDict(env_prefix='APP_')\n    API_V1_STR: str = '/api/v1'\n    database_url: str\n    jwt_secret: str = Field('change-me')\n    smtp_host: str | None = None\n    token: str = Field(alias='API_TOKEN')\nsettings = Settings()\n",
        ),
    ]);
    let service = &survey.services[0];
    assert_eq!(service.name, "parcel-api");
    assert_eq!(
        words(service),
        "uvicorn app.main:app --host 0.0.0.0 --port 8000 --proxy-headers --timeout-graceful-shutdown 20"
    );
    assert!(service.adds.is_empty());
    let expected = [
        "GET /api/admin/health",
        "GET /api/v1/live/events",
        "GET /api/v1/parcels/",
        "POST /api/v1/parcels/{id}",
        "GET /healthz",
    ];
    assert_eq!(routes(service), expected);
    assert!(service.routes[1].stream);
    assert_eq!(service.websockets[0].value, "/api/v1/live/ws");
    assert_eq!(at(service.health.live.as_ref()), ("/healthz".into(), "app/main.py".into(), 8));
    let variables: Vec<(&str, Option<&str>, bool, bool)> = service
        .environment
        .iter()
        .map(|variable| {
            (variable.name.as_str(), variable.default.as_deref(), variable.required, variable.secret)
        })
        .collect();
    let expected = [
        ("API_TOKEN", None, true, false),
        ("APP_API_V1_STR", Some("/api/v1"), false, false),
        ("APP_DATABASE_URL", None, true, false),
        ("APP_JWT_SECRET", Some("change-me"), false, true),
        ("APP_SMTP_HOST", None, false, false),
    ];
    assert_eq!(variables, expected);
    let install = &survey.installs[0];
    assert_eq!(
        (install.manager, install.runtime_version.as_ref().unwrap().value.as_str()),
        (Manager::Uv, "3.11")
    );
}

/// Name, role and command of every further process.
fn processes(service: &Service) -> Vec<(String, Role, String)> {
    service
        .processes
        .iter()
        .map(|process| (process.name.clone(), process.role, process.command.value.join(" ")))
        .collect()
}

#[test]
fn flask_is_silence_release_and_stores() {
    let survey = of(FLASK_IS_SILENCE);
    let service = &survey.services[0];
    assert_eq!(
        processes(service),
        [("app-release".to_owned(), Role::OneShot, "flask --app wsgi init-db".to_owned())]
    );
    assert_eq!(service.processes[0].command.evidence[0].line, 2);
    let stores: Vec<&str> = survey.stores.iter().map(|store| store.name.as_str()).collect();
    assert_eq!(stores, ["postgres", "redis"]);
}

#[test]
fn celerys_worker_and_beat_are_processes_of_their_own() {
    let survey = django(
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': '/data/db'}}\nCELERY_BROKER_URL = os.environ['CELERY_BROKER_URL']\nCELERY_BEAT_SCHEDULE = {'a': {'task': 'x', 'schedule': 60}}\n",
        &[
            ("backend/requirements.txt", "Django==5.2.1\ncelery[redis]==5.5.0\ngunicorn==23.0.0\n"),
            ("backend/shop/celery.py", "from celery import Celery\napp = Celery('shop')\n"),
        ],
    );
    let service = &survey.services[0];
    let expected = [
        ("backend-worker", Role::Worker, "celery -A shop worker --loglevel info --concurrency 2"),
        (
            "backend-beat",
            Role::Scheduler,
            "celery -A shop beat --loglevel info --pidfile= -s /tmp/celerybeat-schedule",
        ),
    ];
    let found = processes(service);
    let found: Vec<(&str, Role, &str)> =
        found.iter().map(|(name, role, command)| (name.as_str(), *role, command.as_str())).collect();
    assert_eq!(found, expected);
    let migration = service.migration.as_ref().unwrap();
    assert_eq!(migration.command.as_ref().unwrap().value, ["python", "manage.py", "migrate", "--noinput"]);
}

#[test]
fn every_line_of_a_procfile_is_a_process() {
    let survey = of(&[
        (
            "Procfile",
            "web: gunicorn shop:app --bind 127.0.0.1:$PORT --workers 2\nworker: rq worker high default\nclock: python clock.py\nrelease: alembic upgrade head && python seed.py\nodd: a | b\n",
        ),
        ("requirements.txt", "flask==3\ngunicorn==23.0.0\nrq==2\nalembic==1.16\n"),
        ("shop.py", "from flask import Flask\napp = Flask(__name__)\n"),
        ("alembic.ini", "[alembic]\nscript_location = migrations\n"),
    ]);
    let service = &survey.services[0];
    assert_eq!(words(service), "gunicorn --bind 0.0.0.0:8000 shop:app --workers 2");
    let found = processes(service);
    let found: Vec<(&str, Role, &str)> =
        found.iter().map(|(name, role, command)| (name.as_str(), *role, command.as_str())).collect();
    let expected = [
        ("app-release-2", Role::OneShot, "python seed.py"),
        ("worker", Role::Worker, "rq worker high default"),
        ("clock", Role::Scheduler, "python clock.py"),
    ];
    assert_eq!(found, expected);
    let migration = service.migration.as_ref().unwrap();
    assert_eq!(at(migration.folder.as_ref()), ("migrations".into(), "alembic.ini".into(), 2));
    assert!(
        survey
            .gaps
            .iter()
            .any(|gap| gap.message.contains("`odd` needs a shell") && gap.evidence[0].line == 5)
    );
}

#[test]
fn fronts_of_nginx_say_which_paths_belong_to_whom() {
    let survey = of(&[
        ("backend/requirements.txt", "flask==3\ngunicorn==23\n"),
        ("backend/app.py", "from flask import Flask\napp = Flask(__name__)\n"),
        (
            "nginx/default.conf",
            "upstream api { server backend:8000; }\nserver {\n  location / { root /www; }\n  location /api/ {\n    proxy_pass http://api/;\n  }\n  location ~ x { proxy_pass http://backend:8000; }\n}\n",
        ),
    ]);
    let edge = &survey.edges[0];
    assert_eq!(
        (edge.to.as_str(), edge.prefix.as_str(), edge.strip, edge.evidence[0].line),
        ("backend", "/api", true, 5)
    );
    assert_eq!(survey.edges.len(), 1);
}

#[test]
fn two_managers_are_a_question_and_what_was_exported_is_none() {
    let app = ("app.py", "from flask import Flask\napp = Flask(__name__)\n");
    let project = ("pyproject.toml", "[project]\nname = \"x\"\ndependencies = [\"flask\"]\n");
    let two = of(&[app, project, ("uv.lock", "version = 1\n"), ("requirements.txt", "flask==3.1.0\n")]);
    assert_eq!(at(two.name.as_ref()), ("x".into(), "pyproject.toml".into(), 2));
    assert!(render(&two).contains("Questions (1)\n  root.manager: "), "{}", render(&two));
    let question = two.questions.iter().find(|question| question.id == "root.manager").unwrap();
    assert_eq!(
        (question.options.as_slice(), question.default.as_deref()),
        (&["uv".to_owned(), "pip".to_owned()][..], Some("uv"))
    );
    let exported = of(&[
        app,
        project,
        ("uv.lock", "version = 1\n"),
        (
            "requirements.txt",
            "# This file was autogenerated by uv via the following command:\n#    uv export\nflask==3.1.0\n",
        ),
    ]);
    assert!(exported.questions.iter().all(|question| question.id != "root.manager"));
}

#[test]
fn packages_of_the_system_and_compiled_ones_are_known() {
    let survey = of(&[
        ("requirements.txt", "-r requirements/base.txt\nflask==3\npsycopg2==2.9.9\n"),
        ("requirements/base.txt", "psycopg==3.2\npython-magic==0.4\n"),
        (
            "app.py",
            "import subprocess\nfrom flask import Flask\napp = Flask(__name__)\nsubprocess.run(['pg_dump', 'x'])\n",
        ),
    ]);
    let packages: Vec<&str> =
        survey.services[0].system_packages.iter().map(|package| package.value.as_str()).collect();
    assert_eq!(packages, ["libpq5", "libmagic1", "postgresql-client"]);
    assert_eq!(survey.services[0].system_packages[2].evidence[0].line, 4);
    let install = &survey.installs[0];
    assert_eq!(install.native[0].value, "psycopg2");
    assert_eq!(at(install.inputs.first()), ("requirements/base.txt".into(), "requirements.txt".into(), 1));
}

#[test]
fn developers_env_file_fills_production() {
    let survey = of(&[
        (".env", "SECRET_KEY=a-developers-own\nPUBLIC_URL=http://localhost:5173\n"),
        ("requirements.txt", "flask==3\ngunicorn==23\n"),
        (
            "app.py",
            "import os\nfrom flask import Flask\napp = Flask(__name__)\napp.secret_key = os.environ['SECRET_KEY']\n",
        ),
    ]);
    let json = serde_json::to_string(&survey).unwrap();
    assert!(!json.contains("a-developers-own") && !json.contains("5173"));
    assert!(survey.services[0].environment[0].default.is_none());
}

#[test]
fn nothing_found_and_no_gap() {
    let library = of(&[
        ("pyproject.toml", "[project]\nname = \"lib\"\ndependencies = [\"attrs\"]\n"),
        ("lib/__init__.py", ""),
    ]);
    assert_eq!(library.gaps[0].evidence[0].file, "pyproject.toml");
    assert!(library.gaps.iter().all(|gap| !gap.message.contains("package.json")), "{:#?}", library.gaps);
    let unlisted = of(&[("app.py", "from flask import Flask\napp = Flask(__name__)\n")]);
    assert!(unlisted.gaps[0].message.contains("without a list of the packages"));
    let shell = of(&[
        ("Procfile", "web: flask compile; gunicorn app:app\n"),
        ("requirements.txt", "flask==3\ngunicorn==23\n"),
        ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
    ]);
    assert_eq!(words(&shell.services[0]), "gunicorn --bind 0.0.0.0:8000 app:app");
    assert!(shell.gaps.iter().any(|gap| gap.message.contains("`flask compile` runs before")));
}

#[test]
fn a_member_of_a_uv_workspace_has_the_install_of_its_root() {
    let survey = of(&[
        ("pyproject.toml", "[tool.uv.workspace]\nmembers = [\"backend\"]\n"),
        ("uv.lock", "version = 1\n"),
        (
            "backend/pyproject.toml",
            "[project]\nname = \"app\"\nrequires-python = \">=3.11\"\ndependencies = [\"fastapi[standard]\"]\n",
        ),
        ("backend/app/main.py", "from fastapi import FastAPI\napp = FastAPI()\n"),
    ]);
    let install = &survey.installs[0];
    assert_eq!((install.folder.as_str(), install.manager), ("", Manager::Uv));
    assert_eq!((survey.services[0].name.as_str(), survey.services[0].path.as_str()), ("backend", "backend"));
}

#[test]
fn pages_of_streamlit_are_served_by_it() {
    let survey = of(&[
        ("requirements.txt", "streamlit==1.40\n"),
        ("app.py", "import streamlit as st\nst.title('x')\n"),
    ]);
    assert!(words(&survey.services[0]).starts_with("streamlit run app.py --server.port 8501"));
    assert_eq!(survey.services[0].health.live.as_ref().unwrap().value, "/_stcore/health");
}

#[test]
fn a_worker_of_the_development_file_is_a_process_and_dummies_fit_what_reads_them() {
    let survey = django(
        "import os\nSECRET_KEY = os.environ['SECRET_KEY']\nDATABASES = {'default': dj_database_url.parse(os.environ['DATABASE_URL'])}\nSTATIC_ROOT = 'x'\n",
        &[
            ("backend/requirements.txt", "Django==5.2.1\ncelery==5.5.0\ngunicorn==23.0.0\n"),
            (
                "compose.yaml",
                "services:\n  tasks:\n    build: ./backend\n    command: celery -A shop worker -l info --logfile=a.log\n  web:\n    build: ./backend\n    command: python manage.py runserver\n",
            ),
        ],
    );
    let service = &survey.services[0];
    let (name, role, command) = processes(service).remove(0);
    assert_eq!(
        (name.as_str(), role, command.as_str()),
        ("tasks", Role::Worker, "celery -A shop worker -l info --concurrency 2")
    );
    assert_eq!(service.processes[0].command.evidence[0].line, 4);
    let dummies: Vec<(&str, &str)> = service
        .settings
        .iter()
        .filter(|setting| setting.at_build)
        .map(|setting| (setting.name.as_str(), setting.value.as_str()))
        .collect();
    assert_eq!(
        dummies,
        [("SECRET_KEY", "only-while-the-image-is-built"), ("DATABASE_URL", "sqlite:////tmp/build.sqlite3")]
    );
}

/// A switch that production sets by being there.
#[test]
fn debug_that_is_off_where_a_variable_is_set() {
    let survey = of(&[
        ("requirements.txt", "django==5.2\ngunicorn==23.0.0\nwhitenoise==6.9.0\n"),
        ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n"),
        ("site1/__init__.py", ""),
        (
            "site1/settings.py",
            "import os\nDEBUG = 'RENDER' not in os.environ\nif not DEBUG:\n    STATIC_ROOT = '/app/static'\n",
        ),
        (
            "site1/wsgi.py",
            "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
        ),
    ]);
    let set: Vec<(&str, &str, bool)> = survey.services[0]
        .settings
        .iter()
        .map(|setting| (setting.name.as_str(), setting.value.as_str(), setting.at_build))
        .filter(|(name, ..)| *name == "RENDER")
        .collect();
    assert_eq!(set, [("RENDER", "1", true), ("RENDER", "1", false)]);
}

#[test]
fn os_environ_by_another_name_is_read_all_the_same() {
    let survey = of(&[
        ("requirements.txt", "Flask==3.1.2\ngunicorn==23.0.0\npsycopg2-binary==2.9.11\n"),
        (
            "app/settings.py",
            "import os\nfrom typing import Mapping\n\nclass Settings:\n    @classmethod\n    def from_env(cls, env: Mapping[str, str] = os.environ):\n        return cls(env.get(\"DATABASE_URL\"), env[\"PAGE_TITLE\"])\n\n\ndef more(values=os.environ):\n    return values.get(\"PAGE_SIZE\", \"20\")\n\n\nenvironment = os.environ\nREGION = environment.get(\"REGION\", \"eu\")\n",
        ),
        ("app/wsgi.py", "from flask import Flask\n\napp = Flask(__name__)\n"),
        ("app/__init__.py", ""),
    ]);
    let service = &survey.services[0];
    let names: Vec<&str> = service.environment.iter().map(|variable| variable.name.as_str()).collect();
    for name in ["PAGE_TITLE", "PAGE_SIZE", "REGION"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert_eq!(service.stores.len(), 1);
    assert!(survey.gaps.iter().all(|gap| !gap.message.contains("no variable")), "{:?}", survey.gaps);
}

#[test]
fn rqs_worker_gets_its_address_without_a_shell() {
    let of_line = |line: &str| {
        let survey = of(&[
            ("requirements.txt", "Flask==3.1.2\ngunicorn==23.0.0\nrq==2.6.0\nredis==6.4.0\n"),
            ("Procfile", &format!("web: gunicorn app:app\nworker: {line}\n")),
            (
                "app.py",
                "import os\nimport redis\nfrom rq import Queue\nfrom flask import Flask\napp = Flask(__name__)\nqueue = Queue(connection=redis.from_url(os.environ['REDIS_URL']))\n",
            ),
        ]);
        let service = &survey.services[0];
        let command = service.processes.first().map(|process| process.command.value.join(" "));
        let mut variables: Vec<String> = service
            .stores
            .iter()
            .filter_map(|used| match &used.address {
                Some(plimsoll_survey::Address::Url { variable, .. }) => Some(variable.value.clone()),
                _ => None,
            })
            .collect();
        variables.sort();
        (command, variables)
    };
    let right =
        |words: &str| (Some(words.to_owned()), vec!["REDIS_URL".to_owned(), "RQ_REDIS_URL".to_owned()]);
    assert_eq!(of_line("rq worker --url $REDIS_URL"), right("rq worker"));
    assert_eq!(of_line("rq worker -u \"$REDIS_URL\" high low"), right("rq worker high low"));
    assert_eq!(of_line("rq worker --url=${REDIS_URL} --with-scheduler"), right("rq worker --with-scheduler"));
    assert_eq!(of_line("rq worker default"), right("rq worker default"));
    // What else needs a shell is no worker of ours.
    assert_eq!(of_line("rq worker --url $REDIS_URL --name $(hostname)").0, None);
}
