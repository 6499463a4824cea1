//! Faults of plans for public projects in Python, each on a repository that shows nothing but its case.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

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
