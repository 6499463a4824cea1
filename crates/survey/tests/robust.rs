//! Whatever a repository holds: no panic, and an end in time.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use plimsoll_survey::{ReadLimits, Repository, render, survey};
use proptest::{collection::vec, prelude::*, sample::select};

const NAMES: [&str; 8] = [
    "package.json",
    "pnpm-workspace.yaml",
    "docker-compose.yml",
    "apps/backend/package.json",
    "apps/backend/src/config.ts",
    "apps/backend/src/app.ts",
    "apps/backend/tsconfig.build.json",
    "apps/frontend/public/config.js",
];

/// The example's own files.
fn example() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pivotal");
    let Ok(repository) = Repository::open(&root, ReadLimits::default()) else { return Vec::new() };
    repository
        .files()
        .filter_map(|path| Some((path.to_owned(), fs::read_to_string(root.join(path)).ok()?)))
        .collect()
}

/// Cuts a piece out of a text and puts another one there.
fn damage(text: &str, from: usize, length: usize, insert: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let from = from % (chars.len() + 1);
    let to = (from + length).min(chars.len());
    chars[..from].iter().copied().chain(insert.chars()).chain(chars[to..].iter().copied()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_never_panic(
        damages in vec((select(&NAMES[..]), 0..5000_usize, 0..60_usize, "[\\PC\"'`{}()\\[\\]$<>/\n,:*&!|-]{0,6}"), 1..6),
    ) {
        let mut files = example();
        prop_assert!(files.len() > 20);
        for (name, from, length, insert) in damages {
            if let Some((_, text)) = files.iter_mut().find(|(path, _)| path == name) {
                *text = damage(text, from, length, &insert);
            }
        }
        let survey = survey(&Repository::from_files("x", files));
        prop_assert!(!render(&survey).is_empty());
    }
}

/// A repository of Python in which everything that is read has its place.
const PYTHON: [(&str, &str); 12] = [
    (
        "requirements.txt",
        "Django==5.2\ncelery[redis]==5.5\nfastapi\nflask==3\npsycopg==3.2\npydantic-settings\nalembic\n-r requirements/base.txt\n",
    ),
    ("requirements/base.txt", "python-magic==0.4 ; python_version < '3.14'\n-c ../c.txt\n"),
    (
        "pyproject.toml",
        "[project]\nname = \"x\"\nrequires-python = \">=3.10,<4\"\ndependencies = [\"flask[async]>=3\"]\n[tool.poetry.dependencies]\npython = \"^3.11\"\n",
    ),
    ("poetry.lock", "# by Poetry 2.1.1\n[[package]]\nname = \"flask\"\nversion = \"3.0.0\"\n"),
    (
        "Procfile",
        "web: A=1 gunicorn 'wsgi:app' --bind ${HOST:-x}:$PORT\nworker: celery -A shop worker; true\nrelease: cd a && python manage.py migrate && sh -c \"x y\"\n",
    ),
    ("gunicorn.conf.py", "import os\nport = os.environ.get('PORT', 1)\nbind = f\"0.0.0.0:{port}\"\n"),
    ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"),
    (
        "shop/settings.py",
        "import environ\nenv = environ.Env(A=(bool, False))\nfrom .base import *\nDATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'HOST': 'db'}}\nSTATIC_ROOT = 'x'\nROOT_URLCONF = 'shop.urls'\nA = env('B', default=f\"{env.int('C')}\")\n",
    ),
    (
        "shop/urls.py",
        "urlpatterns = [path('a/', include('shop.urls')), re_path(r'^b/(?P<c>[^/]+)/$', v), path('', include(router.urls))]\nrouter.register(r'x', X)\n",
    ),
    (
        "shop/app.py",
        "from fastapi import APIRouter, FastAPI\napp = FastAPI()\nr = APIRouter(prefix='/a')\nr.include_router(r, prefix='/b')\napp.include_router(r, prefix=f'/{X}')\n@r.get('/c')\ndef c():\n  return os.environ[\"D\"]\n",
    ),
    ("nginx.conf", "upstream a { server b:1; }\nserver { location /a/ { proxy_pass http://a/; } }\n"),
    (
        "compose.yaml",
        "services:\n  b: { build: ., command: [celery, -A, shop, worker] }\n  db: { image: 'postgres:${V:-17}', environment: [POSTGRES_DB=x] }\n",
    ),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_of_python_never_panic(
        damages in vec((0..PYTHON.len(), 0..400_usize, 0..40_usize, "[\\PC\"'`{}()\\[\\]$<>/\n\t,:*&!|@=#.f-]{0,6}"), 1..8),
    ) {
        let mut files = PYTHON.map(|(path, text)| (path.to_owned(), text.to_owned()));
        for (file, from, length, insert) in damages {
            files[file].1 = damage(&files[file].1, from, length, &insert);
        }
        let survey = survey(&Repository::from_files("x", files));
        prop_assert!(!render(&survey).is_empty());
        for service in &survey.services {
            prop_assert!(!service.name.is_empty() && service.command.as_ref().is_none_or(|command| !command.value.is_empty()));
        }
    }
}

#[test]
fn texts_of_python_made_to_be_slow_end_in_time() {
    let slow = [
        "@app.get('/x')\ndef f(): ...\n".repeat(10_000),
        "app.include_router(r, prefix='/x')\nr = APIRouter()\n".repeat(8_000),
        "f'{".repeat(100_000),
        "f\"{x['".repeat(60_000),
        "a.b(".repeat(80_000),
        "x = os.environ.get('AB')\n".repeat(12_000),
        "def f(a):\n  return os.environ[a]\n".repeat(9_000),
        "from a import b\n".repeat(20_000),
        "class A(BaseSettings):\n  a: int\n".repeat(9_000),
        "path('a', include('main')),\n".repeat(10_000),
        "a = ".to_owned() + &"x.".repeat(150_000),
        "\"\"\"\n".repeat(70_000),
        "os.environ['A'];".repeat(18_000),
        "x = f'postgresql://{a}:{b}@{c}/{d}'\n".repeat(7_000),
        "a = b\nb = a\nf(host=a, user=b)\n".repeat(9_000),
        "c.connect(a / b / c)\n".repeat(12_000),
        "if 'A' in os.environ:\n  c.from_object('main')\n".repeat(5_000),
    ];
    for text in slow {
        let start = Instant::now();
        let name: String = text.chars().take(20).collect();
        let head = "import os\nfrom fastapi import FastAPI, APIRouter\nfrom pydantic_settings import BaseSettings\napp = FastAPI()\n";
        let files = [
            ("requirements.txt", "fastapi\npydantic-settings\ncelery\nflask\nflask-socketio\npsycopg2\n"),
            ("main.py", &format!("{head}{text}")),
            ("nginx.conf", &text),
            ("Procfile", &text),
        ];
        survey(&Repository::from_files("x", files));
        // A debug build on a busy machine: a quadratic search would take minutes.
        assert!(start.elapsed() < Duration::from_secs(90), "{name}: {:?}", start.elapsed());
    }
}

#[test]
fn urls_that_include_themselves_end() {
    let urls = "path('a', include('shop.urls')),\n".repeat(5_000);
    let files = [
        ("requirements.txt", "django==5\n"),
        ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"),
        ("shop/settings.py", "ROOT_URLCONF = 'shop.urls'\n"),
        ("shop/urls.py", &urls),
    ];
    let start = Instant::now();
    survey(&Repository::from_files("x", files));
    assert!(start.elapsed() < Duration::from_secs(90), "{:?}", start.elapsed());
}

/// Texts that make simple searches quadratic.
#[test]
fn texts_made_to_be_slow_end_in_time() {
    let slow = [
        "a.use('/x',b);".repeat(20_000),
        "a.get('/x',".repeat(20_000),
        "a.register(p,{prefix:'/x'});".repeat(10_000),
        "function f(a,b,c){env[a];".repeat(10_000),
        "import{x}from'./x';a.use('/x',x);".repeat(8_000),
        "`${".repeat(100_000),
        "a<".repeat(130_000),
        "process.env.AB??".repeat(20_000),
        "(".repeat(300_000),
        "app.listen(config.port);".repeat(20_000),
        "const a=b;const b=a;app.listen(a);".repeat(8_000),
        "function f(x){return f(x)}f(f(f(process.env.A)));".repeat(6_000),
        "import pg from 'pg';new Pool({host:config.a.b,port:c.d});".repeat(10_000),
        "function f(x){app.listen(x)}f(y);".repeat(10_000),
        "app.listen(".to_owned() + &"{port:".repeat(5_000),
        "app.listen(".to_owned() + &"a?b:".repeat(30_000),
        "const v=process.env.AB;if(!v)throw 1;".repeat(10_000),
        "for(const s of ['A'])process.on(s,f);process.env[s];".repeat(8_000),
        "const r=Router();r.get('/',f,g);app.use('/x',r);".repeat(6_000),
    ];
    let package = r#"{ "name": "x", "dependencies": { "express": "5", "pg": "8" } }"#;
    for text in slow {
        let start = Instant::now();
        let name: String = text.chars().take(20).collect();
        survey(&Repository::from_files("x", [("package.json", package), ("src/a.ts", &text)]));
        // A debug build on a busy machine: a quadratic search would take minutes.
        assert!(start.elapsed() < Duration::from_secs(90), "{name}: {:?}", start.elapsed());
    }
}
