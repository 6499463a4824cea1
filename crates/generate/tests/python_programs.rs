//! Files for programs in Python that were wrong without a word.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod support;

use plimsoll_compose::{LoadOptions, NoFiles};
use plimsoll_source::Source;
use support::{file, planned};

#[test]
fn a_package_below_src_is_installed_with_its_sources() {
    let program = "from quart import Quart\nfrom chat.broker import Broker\napp = Quart(__name__)\n";
    let with = |manifest: &str, lock: &str, path: &str| {
        let files = [
            ("pyproject.toml", manifest),
            (lock, ""),
            ("src/chat/__init__.py", program),
            ("src/chat/broker.py", ""),
        ];
        file(&planned(&files), path)
    };
    let poetry = "[tool.poetry]\nname = \"chat\"\nversion = \"1\"\n[tool.poetry.dependencies]\nquart = \"*\"\n[build-system]\nrequires = [\"poetry-core\"]\n";
    let text = with(poetry, "poetry.lock", "Dockerfile");
    let (before, behind) = text.split_once("COPY . ./").unwrap();
    assert!(before.contains("    poetry install --only main --no-root\n"), "{text}");
    assert!(behind.contains("    poetry install --only main\n"), "{text}");
    assert!(behind.contains("WORKDIR /app\n") && behind.contains("\"chat:app\""), "{text}");
    let pdm = "[project]\nname = \"chat\"\ndependencies = [\"quart\"]\n[build-system]\nrequires = [\"pdm-backend\"]\n";
    let text = with(pdm, "pdm.lock", "Dockerfile");
    let (_, behind) = text.split_once("COPY . ./").unwrap();
    assert!(behind.contains("    pdm sync --prod --no-editable\n"), "{text}");
    // A package that no build system finds is found where the program runs.
    let text = with(&pdm.replace("name = \"chat\"", "name = \"talk\""), "pdm.lock", "src/Dockerfile");
    assert!(!text.contains("--no-editable\n") && text.contains("WORKDIR /app/src\n"), "{text}");
}

/// Where each service of the generated file mounts something, as our own loader has it; a second mount at one place is
/// an error of the loader.
fn mounts(files: &[(&str, &str)]) -> Vec<String> {
    let text = file(&planned(files), "compose.production.yml");
    let source = Source::new("/project/compose.production.yml", text.clone());
    plimsoll_compose::load(&LoadOptions::new(vec![source], "/project"), &NoFiles).unwrap();
    let of_app = |line: &&str| line.trim_start().starts_with("volumes: [");
    text.lines().filter(of_app).map(|line| line.trim().to_owned()).collect()
}

#[test]
fn nothing_is_mounted_twice_and_no_two_folders_share_a_volume() {
    let with = |more: &str| {
        let app = format!("import os\nfrom flask import Flask\napp = Flask(__name__)\n{more}");
        mounts(&[("requirements.txt", "Flask==3.0.3\nFlask-SQLAlchemy==3.1.1\n"), ("app.py", &app)])
    };
    assert_eq!(with("app.config['SQLALCHEMY_DATABASE_URI'] = 'sqlite:////tmp/shop.db'\n").len(), 0);
    assert_eq!(with("app.config['UPLOAD_FOLDER'] = '/tmp'\n").len(), 0);
    let two = with("app.config['UPLOAD_FOLDER'] = 'shop/files'\nUPLOADS_DIR = 'mail/files'\n");
    assert_eq!(two, [r#"volumes: ["app_files:/app/shop/files", "app_mail-files:/app/mail/files"]"#]);
}

#[test]
fn a_websocket_at_the_root_is_passed_on_with_its_upgrade() {
    let text = file(
        &planned(&[
            ("requirements.txt", "aiohttp==3.11.0\n"),
            (
                "main.py",
                "from aiohttp import web\nasync def talk(request):\n    return web.WebSocketResponse()\napp = web.Application()\napp.router.add_get('/', talk)\nweb.run_app(app)\n",
            ),
        ]),
        "proxy/nginx.conf",
    );
    assert!(text.contains("proxy_set_header Upgrade $http_upgrade;"), "{text}");
    assert_eq!(text.matches("location / {").count(), 1, "{text}");
}

#[test]
fn static_files_that_are_collected_outside_are_in_the_image() {
    let with = |root: &str| {
        let settings = format!(
            "DEBUG = False\nSTATIC_URL = '/static/'\nSTATIC_ROOT = '{root}'\nMIDDLEWARE = ['whitenoise']\n"
        );
        file(
            &planned(&[
                ("requirements.txt", "Django==5.2\nwhitenoise==6.9.0\ngunicorn==23.0.0\n"),
                (
                    "manage.py",
                    "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n",
                ),
                ("site1/__init__.py", ""),
                ("site1/settings.py", &settings),
                ("site1/wsgi.py", "application = get_wsgi_application()\n"),
            ]),
            "Dockerfile",
        )
    };
    let copy = "COPY --from=build /app /app\nCOPY --from=build /collected /collected\n";
    assert!(with("/collected").contains(copy), "{}", with("/collected"));
    assert_eq!(with("collected").matches("COPY --from=build").count(), 1, "{}", with("collected"));
}

#[test]
fn packages_that_are_compiled_have_the_libraries_of_their_own() {
    let with = |package: &str| {
        file(
            &planned(&[
                ("requirements.txt", &format!("Flask==3.0.3\ngunicorn==23.0.0\n{package}\n")),
                ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
            ]),
            "Dockerfile",
        )
    };
    for (package, libraries) in [
        ("python-ldap==3.4.4", "gcc libc6-dev libldap2-dev libsasl2-dev"),
        ("pycups==2.0.4", "gcc libc6-dev libcups2-dev"),
        ("pygraphviz==1.14", "gcc libc6-dev libgraphviz-dev pkg-config"),
        ("pycurl==7.45.3", "gcc libc6-dev libcurl4-openssl-dev libssl-dev"),
    ] {
        let text = with(package);
        assert!(text.contains(&format!("--no-install-recommends {libraries} \\\n")), "{package}: {text}");
    }
}

#[test]
fn pipenv_installs_for_the_images_python() {
    let with = |version: &str| {
        let manifest = format!("[packages]\nflask = \"*\"\n[requires]\npython_version = \"{version}\"\n");
        file(
            &planned(&[
                ("Pipfile", &manifest),
                ("Pipfile.lock", "{ \"default\": {} }"),
                ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
            ]),
            "Dockerfile",
        )
    };
    assert!(with("3.6").contains("PIPENV_PYTHON=/usr/local/bin/python\n"), "{}", with("3.6"));
    assert!(!with("3.13").contains("PIPENV_PYTHON"), "{}", with("3.13"));
}
