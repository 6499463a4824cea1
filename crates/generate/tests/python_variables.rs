//! Faults of stacks for public projects in Python, each from a repository that shows nothing but its case.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod support;

use support::{file, planned};

const DJANGO: [(&str, &str); 4] = [
    ("requirements.txt", "Django==5.2\ngunicorn==23.0.0\ndjango-redis==5.4.0\n"),
    ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n"),
    ("site1/__init__.py", ""),
    ("site1/wsgi.py", "application = get_wsgi_application()\n"),
];

fn compose(settings: &str) -> String {
    let settings = ("site1/settings.py", settings);
    file(&planned(&[&DJANGO[..], &[settings]].concat()), "compose.production.yml")
}

#[test]
fn hosts_that_are_local_names_alone_are_said() {
    let with = |hosts: &str| {
        let settings = format!(
            "import os\nDATABASES = {{}}\nALLOWED_HOSTS = os.getenv('ALLOWED_HOSTS', '{hosts}').split(',')\n"
        );
        planned(&[&DJANGO[..], &[("site1/settings.py", settings.as_str())]].concat())
    };
    let said = |planned: &plimsoll_generate::Planned| {
        planned.notes.iter().any(|note| note.message.contains("ALLOWED_HOSTS allows local names alone"))
    };
    assert!(said(&with(".localhost,127.0.0.1,[::1]")));
    let own = with("shop.example,localhost");
    assert!(!said(&own), "{:?}", own.notes);
    // Nobody is healthy who refuses each request.
    let written = file(&own, "compose.production.yml");
    assert!(written.contains("r.status!=400"), "{written}");
}

#[test]
fn django_is_asked_by_a_name_that_its_settings_allow() {
    let asked = |hosts: &str| {
        let written = compose(&format!("DATABASES = {{}}\nALLOWED_HOSTS = {hosts}\n"));
        let (_, behind) = written.split_once("{'Host':'").unwrap();
        behind.split_once('\'').unwrap().0.to_owned()
    };
    assert_eq!(asked("['.shop.example', '127.0.0.1']"), "127.0.0.1");
    assert_eq!(asked("['.shop.example', 'www.shop.test']"), "shop.example");
    for usual in ["[]", "['*']", "['.shop.example', 'localhost']", "['x\\'y']", "[HOST]"] {
        assert_eq!(asked(usual), "localhost", "{usual}");
    }
    assert_eq!(asked("['shop.example']\nALLOWED_HOSTS += ['localhost']"), "localhost");
}

#[test]
fn the_host_of_redis_is_its_name_and_no_secret() {
    let written = compose(
        "import os\nDATABASES = {}\nREDIS_HOST = os.getenv('REDIS_HOST', None)\nREDIS_PORT = os.getenv('REDIS_PORT', 6379)\nREDIS_PASSWORD = os.getenv('REDIS_PASSWORD', '')\nCACHES = {'default': {'BACKEND': 'django_redis.cache.RedisCache', 'LOCATION': f'redis://:{REDIS_PASSWORD}@{REDIS_HOST}:{REDIS_PORT}'}}\n",
    );
    assert!(written.contains("REDIS_HOST: redis\n"), "{written}");
    assert!(written.contains("REDIS_PASSWORD_FILE: /run/secrets/"), "{written}");
    assert!(!written.contains("REDIS_HOST_FILE"), "{written}");
}

#[test]
fn a_half_default_is_not_written_and_the_mode_is_productions_for_migrations_too() {
    let program = "import os\nfrom flask import Flask\nfrom flask_migrate import Migrate\nfrom flask_sqlalchemy import SQLAlchemy\nhere = os.path.abspath(os.path.dirname(__file__))\nclass DevelopmentConfig:\n    DEBUG = True\nclass ProductionConfig:\n    SQLALCHEMY_DATABASE_URI = os.environ.get('DATABASE_URL') or 'sqlite:///' + os.path.join(here, 'db.sqlite')\nconfig = {'development': DevelopmentConfig, 'production': ProductionConfig, 'default': DevelopmentConfig}\napp = Flask(__name__)\napp.config.from_object(config[os.getenv('FLASK_CONFIG') or 'default'])\ndb = SQLAlchemy(app)\nmigrate = Migrate(app, db)\n";
    let written = file(
        &planned(&[
            (
                "requirements.txt",
                "Flask==3.0.3\ngunicorn==23.0.0\nFlask-SQLAlchemy==3.1.1\nFlask-Migrate==4.0.7\n",
            ),
            ("app.py", program),
            ("migrations/env.py", ""),
            ("migrations/alembic.ini", "[alembic]\n"),
        ]),
        "compose.production.yml",
    );
    assert!(!written.contains(":-sqlite:///}"), "{written}");
    // The server and its migrations.
    assert_eq!(written.matches("FLASK_CONFIG: ${FLASK_CONFIG:-production}").count(), 2, "{written}");
}

#[test]
fn what_a_committed_file_makes_public_is_made_anew() {
    let program = "from fastapi import FastAPI\nfrom pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n    FIRST_SUPERUSER_PASSWORD: str\n    SMTP_HOST: str | None = None\nsettings = Settings()\napp = FastAPI()\n";
    let planned = planned(&[
        ("requirements.txt", "fastapi==0.115.0\nuvicorn==0.34.0\npydantic-settings==2.7.0\n"),
        ("main.py", program),
        (".env", "# here\nFIRST_SUPERUSER_PASSWORD=changethis\nexport SMTP_HOST=\"localhost\"\n"),
    ]);
    let written = file(&planned, "compose.production.yml");
    assert!(written.contains("FIRST_SUPERUSER_PASSWORD_FILE: /run/secrets/"), "{written}");
    assert!(!written.contains("changethis"), "{written}");
}
