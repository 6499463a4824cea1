//! Faults of plans for public projects in Python, each on a repository that shows nothing but its case.

use plimsoll_survey::{Address, Part, Service, StoreKind, Variable};

mod support;

use support::of;

const FLASK: (&str, &str) = ("requirements.txt", "Flask==3.0.3\ngunicorn==23.0.0\n");

fn variable<'a>(service: &'a Service, name: &str) -> &'a Variable {
    let found = service.environment.iter().find(|variable| variable.name == name);
    found.unwrap_or_else(|| panic!("no variable {name}: {:#?}", service.environment))
}

/// The default of `AN_X` in a program of Flask with this line.
fn default_of(line: &str) -> Option<String> {
    let source = format!(
        "import os\nfrom flask import Flask\nhere = os.path.dirname(__file__)\napp = Flask(__name__)\n{line}\n"
    );
    let survey = of(&[FLASK, ("app.py", &source)]);
    variable(&survey.services[0], "AN_X").default.clone()
}

#[test]
fn a_default_that_is_an_expression_is_never_cut_to_its_first_text() {
    for line in [
        "x = os.environ.get('AN_X') or \\\n    'sqlite:///' + os.path.join(here, 'db.sqlite')",
        "x = os.environ.get('AN_X') or 'sqlite:///%s' % here",
        "x = os.environ.get('AN_X') or 'sqlite:///{}'.format(here)",
        "x = os.environ.get('AN_X') or 'sqlite:///' f'{here}/db'",
        "x = os.environ.get('AN_X') or ('sqlite:///' + here)",
        "x = os.environ.get('AN_X', 'sqlite:///' + here)",
        "x = f(os.environ.get('AN_X') or 5 * 60, 1)",
    ] {
        assert_eq!(default_of(line), None, "{line}");
    }
    for line in [
        "x = os.environ.get('AN_X') or 'sqlite://'",
        "x = f(os.environ.get('AN_X') or 'sqlite:' '//', 1)",
        "x = [os.environ.get('AN_X') or 'sqlite://']",
        "x = os.environ.get('AN_X') or 'sqlite://' if here else None",
        "x = os.environ.get('AN_X', 'sqlite://')",
    ] {
        assert_eq!(default_of(line).as_deref(), Some("sqlite://"), "{line}");
    }
}

#[test]
fn a_field_of_settings_has_no_half_default_and_the_one_without_a_default_demands() {
    let survey = of(&[
        ("requirements.txt", "fastapi==0.115.0\nuvicorn==0.34.0\npydantic-settings==2.7.0\n"),
        (
            "main.py",
            "import os\nfrom fastapi import FastAPI\nfrom pydantic import Field\nfrom pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n    url: str = Field('http://' + os.sep)\n    name: str = Field('shop')\n    jwt_algorithm: str = os.getenv('JWT_ALGORITHM')\n    JWT_ALGORITHM: str\napp = FastAPI()\n",
        ),
    ]);
    let service = &survey.services[0];
    assert_eq!(variable(service, "URL").default, None);
    assert_eq!(variable(service, "NAME").default.as_deref(), Some("shop"));
    assert!(variable(service, "JWT_ALGORITHM").required);
}

#[test]
fn a_host_never_gets_a_whole_address() {
    let survey = of(&[
        ("requirements.txt", "Django==5.2\ngunicorn==23.0.0\ndjango-redis==5.4.0\n"),
        ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n"),
        ("site1/__init__.py", ""),
        ("site1/wsgi.py", "application = get_wsgi_application()\n"),
        (
            "site1/settings.py",
            "import os\nREDIS_HOST = os.getenv('REDIS_HOST', None)\nREDIS_PORT = os.getenv('REDIS_PORT', 6379)\nREDIS_PASSWORD = os.getenv('REDIS_PASSWORD', '')\nif REDIS_HOST:\n    CACHES = {'default': {'BACKEND': 'django_redis.cache.RedisCache', 'LOCATION': f'redis://:{REDIS_PASSWORD}@{REDIS_HOST}:{REDIS_PORT}'}}\n",
        ),
    ]);
    let used = survey.services[0].stores.iter().find(|used| used.kind == StoreKind::Redis).unwrap();
    let address = used.address.as_ref().unwrap();
    assert!(matches!(address, Address::Parts { .. }), "{address:?}");
    let named = |part| address.variable(part).map(|variable| variable.value.as_str());
    assert_eq!(named(Part::Host), Some("REDIS_HOST"));
    assert_eq!(named(Part::Port), Some("REDIS_PORT"));
    assert_eq!(named(Part::Password), Some("REDIS_PASSWORD"));
}

/// The variables of a program of Flask with these lines, and those of them that are demanded.
fn demanded(lines: &str) -> (Vec<String>, Vec<String>) {
    let source = format!("import os\nfrom flask import Flask\napp = Flask(__name__)\n{lines}");
    let survey = of(&[FLASK, ("app.py", &source)]);
    let all = survey.services[0].environment.iter();
    let names = |required: bool| {
        let chosen = all.clone().filter(|variable| !required || variable.required);
        chosen.map(|variable| variable.name.clone()).collect()
    };
    (names(false), names(true))
}

#[test]
fn what_only_a_branch_reads_that_is_not_taken_is_not_demanded() {
    for header in [
        "if 'USE_TLS' in os.environ:",
        "if os.environ.get('USE_TLS'):",
        "if os.environ.get('USE_TLS', 'no') == 'yes':",
        "USE_TLS = os.environ.get('USE_TLS') == 'TRUE'\nif USE_TLS:",
        "USE_TLS = os.environ.get('USE_TLS', 'False')\nif USE_TLS == 'True':",
        "if app.debug:",
    ] {
        let (all, required) = demanded(&format!("{header}\n    file = os.environ['TLS_FILE']\n"));
        assert!(all.contains(&"TLS_FILE".to_owned()), "{header}: {all:?}");
        assert!(required.is_empty(), "{header}: {required:?}");
    }
    for header in [
        "if not app.debug:",
        "if os.environ.get('MODE') == 'production':",
        "USE_TLS = os.environ.get('USE_TLS', 'yes') == 'yes'\nif USE_TLS:",
        "if os.environ.get('USE_TLS', 'yes') == 'yes':",
        "USE_TLS = True\nif USE_TLS:",
        "if __name__ == '__main__':",
        "def make():",
        "for _ in range(2):",
    ] {
        let (_, required) = demanded(&format!("{header}\n    file = os.environ['TLS_FILE']\n"));
        assert_eq!(required, ["TLS_FILE"], "{header}");
    }
}

#[test]
fn a_name_that_is_put_together_is_no_variable() {
    let (all, _) = demanded(
        "kind = 'mail'\na = os.environ['SHOP_' + kind]\nb = os.environ.get('SHOP_' + kind, 'x')\nc = os.environ['SHOP_ONE']\n",
    );
    assert_eq!(all, ["SHOP_ONE"]);
}

const DJANGO: [(&str, &str); 4] = [
    ("requirements.txt", "Django==5.2\ngunicorn==23.0.0\ndjango-environ==0.12.0\n"),
    ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n"),
    ("site1/__init__.py", ""),
    ("site1/wsgi.py", "application = get_wsgi_application()\n"),
];

#[test]
fn defaults_of_an_environment_count_where_it_was_imported() {
    let base = "import environ\nenv = environ.Env(SHOP_NAME=(str, 'desk'), SHOP_LIST=(list, []), SHOP_TOP=(int, 3))\nTOP = env('SHOP_TOP')\n";
    let settings = "from .base_settings import env\nNAME = env('SHOP_NAME')\nLIST = env('SHOP_LIST')\nOWN = env('SHOP_OWN')\ntry:\n    A = env('SHOP_TRIED')\nexcept Exception:\n    A = None\ntry:\n    B = env('SHOP_NEEDED')\nexcept Exception as error:\n    raise SystemExit(1)\n";
    let command =
        "import os\nclass Command:\n    def handle(self):\n        return os.environ['SHOP_ADMIN']\n";
    let more = [
        ("site1/base_settings.py", base),
        ("site1/settings.py", settings),
        ("site1/management/commands/fill.py", command),
    ];
    let survey = of(&[&DJANGO[..], &more].concat());
    let service = &survey.services[0];
    assert_eq!(variable(service, "SHOP_NAME").default.as_deref(), Some("desk"));
    let required: Vec<&str> = service
        .environment
        .iter()
        .filter(|variable| variable.required)
        .map(|variable| variable.name.as_str())
        .collect();
    assert_eq!(required, ["SHOP_NEEDED", "SHOP_OWN"]);
    assert!(!variable(service, "SHOP_ADMIN").required && !variable(service, "SHOP_LIST").required);
}

#[test]
fn variables_are_read_through_functions_around_functions() {
    let helper = "import os\nfrom typing import overload\n@overload\ndef value(key: str, default: str) -> str: ...\ndef read_value(key: str, default: str | None) -> str | None:\n    text = os.getenv(key)\n    return default if text is None else text\ndef get_env(key: str, default: str | None = None):\n    return lambda: read_value(key=key, default=default)\n";
    let settings = "import os\nfrom dataclasses import dataclass, field\nfrom functools import partial\nfrom shop.env import get_env\n@dataclass\nclass Settings:\n    url: str = field(default_factory=get_env('DATABASE_URL', 'postgresql+psycopg://app:app@localhost:15432/app'))\n    name: str = field(default_factory=get_env('SHOP_NAME', default='desk'))\n    top: str = field(default_factory=partial(os.getenv, 'SHOP_TOP', 'ten'))\n    low: str = field(default_factory=lambda: os.getenv('SHOP_LOW', 'one'))\n    key: str = field(default_factory=get_env('SECRET_KEY', os.urandom(32).hex()))\n";
    let survey = of(&[
        ("requirements.txt", "Flask==3.0.3\ngunicorn==23.0.0\nSQLAlchemy==2.0.40\npsycopg==3.2\n"),
        ("shop/__init__.py", ""),
        ("shop/env.py", helper),
        ("shop/settings.py", settings),
        (
            "shop/app.py",
            "from flask import Flask\nfrom shop.settings import Settings\napp = Flask(__name__)\n",
        ),
    ]);
    let service = &survey.services[0];
    for (name, default) in [("SHOP_NAME", "desk"), ("SHOP_TOP", "ten"), ("SHOP_LOW", "one")] {
        assert_eq!(variable(service, name).default.as_deref(), Some(default), "{name}");
    }
    assert!(variable(service, "SECRET_KEY").secret);
    let used = service.stores.iter().find(|used| used.kind == StoreKind::Postgresql).unwrap();
    let Some(Address::Url { variable, scheme, .. }) = &used.address else { panic!("{:?}", used.address) };
    assert_eq!(variable.value, "DATABASE_URL");
    assert_eq!(scheme.as_deref(), Some("postgresql+psycopg"));
}

#[test]
fn a_check_behind_a_read_demands_the_variable_where_it_holds_in_production() {
    for lines in [
        "KEY = os.environ.get('SHOP_KEY')\nif KEY is None:\n    raise RuntimeError('no key')\n",
        "key = os.environ.get('SHOP_KEY', '')\nif not app.debug and not key:\n    raise RuntimeError('no key')\n",
        "key = os.environ.get('SHOP_KEY', '')\nif not app.debug:\n    if not key:\n        raise SystemExit(1)\n",
        "key = os.environ.get('SHOP_KEY', '')\nif not key:\n    if not app.debug:\n        raise ImproperlyConfigured('x')\n",
        "key = os.environ.get('SHOP_KEY', '')\ndef create_app():\n    if os.environ.get('STAGE') == 'production' and not key:\n        raise RuntimeError('no key')\n",
        "SHOP_KEY = os.environ.get('SHOP_KEY')\ndef check(settings):\n    if not settings.SHOP_KEY:\n        raise ImproperlyConfigured('no key')\n",
    ] {
        assert_eq!(demanded(lines).1, ["SHOP_KEY"], "{lines}");
    }
    for lines in [
        "key = os.environ.get('SHOP_KEY', '')\nif app.debug and not key:\n    raise RuntimeError('no key')\n",
        "key = os.environ.get('SHOP_KEY', '')\nother = os.environ.get('SHOP_OTHER', '')\nif not key and not other:\n    raise RuntimeError('neither')\n",
        "key = os.environ.get('SHOP_KEY', '')\n@app.get('/pay')\ndef pay():\n    if not key:\n        raise RuntimeError('no key')\n",
        "key = os.environ.get('SHOP_KEY', 'desk')\nif not key:\n    raise RuntimeError('no key')\n",
        "key = os.environ.get('SHOP_KEY', '')\nif not key:\n    print('no key')\n",
    ] {
        assert!(demanded(lines).1.is_empty(), "{lines}");
    }
}

#[test]
fn a_validator_of_settings_demands_the_field() {
    let program = "from enum import Enum\nfrom fastapi import FastAPI\nfrom pydantic import model_validator\nfrom pydantic_settings import BaseSettings\nclass Shared(BaseModel):\n    data_folder: str = './data'\nclass Settings(Shared, BaseSettings):\n    SENTRY_DSN: str | None = None\n    MAIL_HOST: str | None = None\n    @model_validator(mode='after')\n    def check(self):\n        if self.ENVIRONMENT.is_deployed and not self.SENTRY_DSN:\n            raise ValueError('no address')\n        return self\n    def mail(self):\n        if not self.MAIL_HOST:\n            raise ValueError('no mail')\napp = FastAPI()\n";
    let survey = of(&[
        ("requirements.txt", "fastapi==0.115.0\nuvicorn==0.34.0\npydantic-settings==2.7.0\n"),
        ("main.py", program),
    ]);
    let service = &survey.services[0];
    assert!(variable(service, "SENTRY_DSN").required);
    assert!(!variable(service, "MAIL_HOST").required);
    // A field of a class that it is made of.
    assert_eq!(variable(service, "DATA_FOLDER").default.as_deref(), Some("./data"));
}

const TABLE: &str = "import os\nfrom flask import Flask\nclass DevelopmentConfig: DEBUG = True\nclass ProductionConfig: DEBUG = False\nconfig = {'development': DevelopmentConfig, 'production': ProductionConfig, 'default': DevelopmentConfig}\napp = Flask(__name__)\napp.config.from_object(config[os.getenv('FLASK_CONFIG') or 'default'])\n";

#[test]
fn the_variable_that_says_where_a_program_runs_names_production() {
    let survey = of(&[FLASK, ("app.py", TABLE)]);
    let asked = survey.questions.iter().find(|question| question.id == "app.mode").unwrap();
    assert_eq!(asked.options, ["production", "default"]);
    assert_eq!(asked.default.as_deref(), Some("production"));
    assert_eq!(variable(&survey.services[0], "FLASK_CONFIG").default.as_deref(), Some("production"));
    let mut answered = survey.clone();
    let answers = [("app.mode".to_owned(), "default".to_owned())].into();
    plimsoll_survey::answer(&mut answered, &answers).unwrap();
    assert_eq!(variable(&answered.services[0], "FLASK_CONFIG").default.as_deref(), Some("default"));
    // The team's own image says it.
    let image =
        ("Dockerfile", "FROM python:3.12\nENV FLASK_CONFIG heroku\nCMD [\"gunicorn\", \"app:app\"]\n");
    let survey = of(&[FLASK, ("app.py", TABLE), image]);
    assert_eq!(variable(&survey.services[0], "FLASK_CONFIG").default.as_deref(), Some("heroku"));
    assert!(survey.questions.iter().all(|question| question.id != "app.mode"));
    // Another spelling, and a table without a word for development.
    let compared = "import os\nfrom flask import Flask\napp = Flask(__name__)\nMODE = os.environ.get('ENV_TYPE', 'dev')\nif MODE == 'dev':\n    app.debug = True\nelif MODE == 'prod':\n    app.debug = False\n";
    let survey = of(&[FLASK, ("app.py", compared)]);
    assert_eq!(variable(&survey.services[0], "ENV_TYPE").default.as_deref(), Some("prod"));
    let unknown = "import os\nfrom flask import Flask\napp = Flask(__name__)\nMODE = os.environ.get('ENVIRONMENT', 'local')\n";
    let survey = of(&[FLASK, ("app.py", unknown)]);
    assert_eq!(support::gap(&survey, "ENVIRONMENT is `local`").evidence[0].line, 4);
    let other = "import os\nfrom flask import Flask\napp = Flask(__name__)\nMODE = os.environ.get('TEXT_MODE', 'dark')\n";
    let survey = of(&[FLASK, ("app.py", other)]);
    assert_eq!(variable(&survey.services[0], "TEXT_MODE").default.as_deref(), Some("dark"));
}

#[test]
fn a_tool_beside_the_program_gives_no_value() {
    let survey = of(&[
        FLASK,
        (
            "app.py",
            "import os\nfrom flask import Flask\napp = Flask(__name__)\npath = os.environ.get('SHOP_SETTINGS_PATH')\n",
        ),
        (
            "utils/check.py",
            "import os\npath = os.environ.get('SHOP_SETTINGS_PATH', '/etc/shop/settings.yml')\n",
        ),
    ]);
    assert_eq!(variable(&survey.services[0], "SHOP_SETTINGS_PATH").default, None);
}

#[test]
fn an_extra_with_a_store_and_its_driver_is_a_client() {
    let survey = of(&[
        (
            "requirements.txt",
            "fastapi==0.115.0\nuvicorn==0.34.0\npydantic-settings==2.7.0\nsqlalchemy[postgresql-asyncpg]==2.0.38\n",
        ),
        (
            "main.py",
            "from fastapi import FastAPI\nfrom pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n    DB_URI: str\napp = FastAPI()\n",
        ),
        ("compose.yaml", "services:\n  db:\n    image: postgres:18.3\n"),
    ]);
    let used = &survey.services[0].stores[0];
    assert_eq!((used.kind, used.store.as_str()), (StoreKind::Postgresql, "db"));
    assert!(matches!(&used.address, Some(Address::Url { variable, .. }) if variable.value == "DB_URI"));
}

#[test]
fn a_committed_env_file_is_no_answer_for_production() {
    let program = "import os\nfrom flask import Flask\napp = Flask(__name__)\nmail = os.environ['SMTP_HOST']\nword = os.environ['ADMIN_PASSWORD']\n";
    let file = (".env", "ADMIN_PASSWORD=changethis\nSMTP_HOST=localhost\nUNREAD=1\n");
    let survey = of(&[FLASK, ("app.py", program), file]);
    let said = support::gap(&survey, "gives development's values to SMTP_HOST");
    assert_eq!((said.evidence[0].file.as_str(), said.evidence[0].line), (".env", 2));
    assert!(!said.message.contains("ADMIN_PASSWORD") && !said.message.contains("UNREAD"), "{}", said.message);
    assert!(variable(&survey.services[0], "ADMIN_PASSWORD").secret);
    let without = of(&[FLASK, ("app.py", program)]);
    assert!(!variable(&without.services[0], "ADMIN_PASSWORD").secret);
}

fn django(settings: &str, more: &[(&str, &str)]) -> plimsoll_survey::Survey {
    of(&[&DJANGO[..], &[("site1/settings.py", settings)], more].concat())
}

#[test]
fn the_folder_of_uploads_is_the_one_that_the_path_leads_to() {
    let with = |lines: &str| {
        let survey = django(
            &format!(
                "import os\nfrom pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\nDATABASES = {{}}\nMEDIA_URL = '/media/'\n{lines}\n"
            ),
            &[],
        );
        let service = &survey.services[0];
        assert!(
            service.writes.is_empty() || support::gap(&survey, "nobody hands them out").evidence[0].line > 5
        );
        let said = survey.gaps.iter().any(|gap| gap.message.contains("where uploads are kept is not known"));
        (service.writes.iter().map(|writes| writes.path.value.clone()).collect::<Vec<_>>(), said)
    };
    let kept = |path: &str| (vec![path.to_owned()], false);
    assert_eq!(with("MEDIA_ROOT = BASE_DIR / 'media'"), kept("media"));
    let own = "HERE = os.path.dirname(os.path.abspath(__file__))\nMEDIA_ROOT = os.path.join(HERE, 'media')";
    assert_eq!(with(own), kept("site1/media"));
    assert_eq!(with("MEDIA_ROOT = os.getenv('MEDIA_ROOT', os.path.join(BASE_DIR, 'files'))"), kept("files"));
    assert_eq!(with("MEDIA_ROOT = '/home/shop/media'"), kept("/home/shop/media"));
    assert_eq!(with("MEDIA_ROOT = find_it()"), (vec![], true));
}

#[test]
fn uploads_that_a_view_hands_out_are_not_said_to_be_nobodys() {
    let urls = (
        "site1/urls.py",
        "from django.conf import settings\nfrom django.urls import re_path\nfrom django.views.static import serve\nurlpatterns = [re_path(r'^media/(?P<path>.*)$', serve, {'document_root': settings.MEDIA_ROOT}), settings.MEDIA_URL]\n",
    );
    let survey = django("DATABASES = {}\nMEDIA_URL = '/media/'\nMEDIA_ROOT = 'media'\n", &[urls]);
    assert_eq!(survey.services[0].writes[0].path.value, "media");
    assert!(survey.gaps.iter().all(|gap| !gap.message.contains("nobody hands them out")));
    // A view that sends the file itself, whatever its address is.
    let view = (
        "site1/views.py",
        "from django.http import FileResponse\ndef report(request, pk):\n    return FileResponse(Report.objects.get(pk=pk).file.open('rb'))\n",
    );
    let survey = django("DATABASES = {}\nMEDIA_URL = '/media/'\nMEDIA_ROOT = 'media'\n", &[view]);
    assert!(survey.gaps.iter().all(|gap| !gap.message.contains("nobody hands them out")));
}

#[test]
fn hosts_that_only_a_branch_or_a_line_behind_adds_are_said() {
    let said = |settings: &str, part: &str| {
        let survey = django(settings, &[]);
        survey.gaps.iter().any(|gap| gap.message.contains(part))
    };
    let appended = "import os\nDATABASES = {}\nALLOWED_HOSTS = []\nname = os.environ.get('SHOP_HOSTNAME')\nif name:\n    ALLOWED_HOSTS.append(name)\n";
    assert!(said(appended, "has only local names unless"));
    let branches = "import os\nDATABASES = {}\nif 'HOSTED' in os.environ:\n    ALLOWED_HOSTS = ['*']\nelse:\n    ALLOWED_HOSTS = ['.localhost', '127.0.0.1']\n";
    assert!(said(branches, "in one of the branches"));
    let open =
        "import os\nDATABASES = {}\nALLOWED_HOSTS = ['shop.example']\nALLOWED_HOSTS += ['localhost']\n";
    assert!(!said(open, "local names"));
    let guarded = "from fastapi import FastAPI\nfrom starlette.middleware.trustedhost import TrustedHostMiddleware\napp = FastAPI()\napp.add_middleware(TrustedHostMiddleware, allowed_hosts=['localhost'])\n";
    let survey = of(&[("requirements.txt", "fastapi==0.115.0\nuvicorn==0.34.0\n"), ("main.py", guarded)]);
    assert_eq!(support::gap(&survey, "only local names are among the allowed hosts").evidence[0].line, 4);
}

#[test]
fn a_key_that_each_process_draws_for_itself_is_said() {
    let said = |lines: &str| {
        let source =
            format!("import os\nimport secrets\nfrom flask import Flask\napp = Flask(__name__)\n{lines}");
        let survey = of(&[FLASK, ("app.py", &source)]);
        survey.gaps.iter().any(|gap| gap.message.contains("another one in each process"))
    };
    assert!(said("app.secret_key = os.urandom(24)\n"));
    assert!(said("app.config['SECRET_KEY'] = secrets.token_hex()\n"));
    assert!(said(
        "try:\n    SECRET_KEY = open('key').read()\nexcept OSError:\n    SECRET_KEY = secrets.token_hex(32)\n"
    ));
    assert!(!said("app.secret_key = os.environ.get('SECRET_KEY') or secrets.token_hex()\n"));
    assert!(!said("app.secret_key = 'x'\nnonce = secrets.token_hex()\n"));
}
