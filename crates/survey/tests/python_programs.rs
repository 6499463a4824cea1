//! Plans of programs in Python that were wrong without a word: each on a repository that shows nothing but its case.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod support;

use plimsoll_survey::{Beside, Role, Service, Survey};
use support::{gap, of};

fn words(service: &Service) -> String {
    service.command.as_ref().unwrap().value.join(" ")
}

fn processes(survey: &Survey) -> Vec<String> {
    survey.services[0].processes.iter().map(|process| process.command.value.join(" ")).collect()
}

fn workers(survey: &Survey) -> Option<&str> {
    let setting = survey.services[0].settings.iter().find(|setting| setting.name == "WEB_CONCURRENCY");
    setting.map(|setting| setting.value.as_str())
}

fn websockets(survey: &Survey) -> Vec<&str> {
    survey.services[0].websockets.iter().map(|path| path.value.as_str()).collect()
}

fn target(survey: &Survey) -> (String, String) {
    let service = &survey.services[0];
    let word = service.command.as_ref().unwrap().value.iter().find(|word| word.contains(':')).unwrap();
    (service.path.clone(), word.clone())
}

#[test]
fn a_package_below_src_is_installed_or_its_folder_is_where_the_program_runs() {
    let poetry = |name: &str, more: &str| {
        format!(
            "[tool.poetry]\nname = \"{name}\"\nversion = \"1\"\n{more}[tool.poetry.dependencies]\nquart = \"*\"\n[build-system]\nrequires = [\"poetry-core\"]\n"
        )
    };
    let pdm = |name: &str| {
        format!(
            "[project]\nname = \"{name}\"\ndependencies = [\"quart\"]\n[build-system]\nrequires = [\"pdm-backend\"]\n"
        )
    };
    let with = |manifest: &str, lock: &str, program: &str| {
        let survey = of(&[
            ("pyproject.toml", manifest),
            (lock, ""),
            ("src/chat/__init__.py", program),
            ("src/chat/broker.py", ""),
        ]);
        let installed = survey.installs[0].beside.iter().any(|beside| beside.value == Beside::Package);
        let (path, target) = target(&survey);
        (installed, path, target)
    };
    let imports = "from quart import Quart\nfrom chat.broker import Broker\napp = Quart(__name__)\n";
    let alone = "from quart import Quart\napp = Quart(__name__)\n";
    let installed = (true, String::new(), "chat:app".to_owned());
    let beside = (false, "src".to_owned(), "chat:app".to_owned());
    for program in [imports, alone] {
        assert_eq!(with(&poetry("chat", ""), "poetry.lock", program), installed);
        let named = poetry("talk", "packages = [{ include = \"chat\", from = \"src\" }]\n");
        assert_eq!(with(&named, "poetry.lock", program), installed);
        assert_eq!(with(&pdm("Chat"), "pdm.lock", program), installed);
        // No build system would find a package of another name.
        assert_eq!(with(&poetry("talk", ""), "poetry.lock", program), beside);
        assert_eq!(with(&pdm("talk"), "pdm.lock", program), beside);
    }
}

#[test]
fn a_list_of_pip_installs_no_package_below_src() {
    let manifest = "[project]\nname = \"chat\"\ndependencies = [\"quart\"]\n[build-system]\nrequires = [\"hatchling\"]\n";
    let program = "from quart import Quart\nfrom chat.broker import Broker\napp = Quart(__name__)\n";
    let with = |list: &[(&str, &str)]| {
        let files =
            [("pyproject.toml", manifest), ("src/chat/__init__.py", program), ("src/chat/broker.py", "")];
        target(&of(&[&files[..], list].concat()))
    };
    assert_eq!(with(&[("requirements.txt", "quart==0.20\n")]), ("src".to_owned(), "chat:app".to_owned()));
    assert_eq!(with(&[("requirements.txt", "quart==0.20\n-e .\n")]), (String::new(), "chat:app".to_owned()));
    assert_eq!(with(&[("uv.lock", "")]), (String::new(), "chat:app".to_owned()));
    assert_eq!(with(&[]), (String::new(), "chat:app".to_owned()));
}

#[test]
fn a_database_in_the_folder_for_a_moment_is_said_to_be_lost() {
    let with = |place: &str| {
        of(&[
            ("requirements.txt", "Flask==3.0.3\nFlask-SQLAlchemy==3.1.1\n"),
            (
                "app.py",
                &format!(
                    "from flask import Flask\napp = Flask(__name__)\napp.config['SQLALCHEMY_DATABASE_URI'] = 'sqlite:///{place}'\n"
                ),
            ),
        ])
    };
    let survey = with("/tmp/shop.db");
    assert!(gap(&survey, "its database is /tmp/shop.db").hint.contains("folder of its own"));
    assert_eq!(survey.services[0].writes.len(), 0);
    let survey = with("/data/shop.db");
    assert_eq!(survey.services[0].writes[0].path.value, "/data");
    assert!(survey.gaps.iter().all(|gap| !gap.message.contains("its database is")), "{:?}", survey.gaps);
}

#[test]
fn an_application_of_a_class_of_the_project_is_one() {
    let with = |package: &str, wsgi: &str| {
        let survey = of(&[
            ("requirements.txt", "Flask==3.0.3\ngunicorn==23.0.0\n"),
            ("shop/__init__.py", package),
            (
                "shop/kinds.py",
                "from flask import Flask\nclass Base(Flask):\n    pass\nclass Shop(Base):\n    pass\n",
            ),
            (
                "shop/app.py",
                "from shop.kinds import Shop\ndef create_app():\n    app = Shop('shop')\n    return app\n",
            ),
            ("wsgi.py", wsgi),
        ]);
        words(&survey.services[0]).rsplit(' ').next().unwrap().to_owned()
    };
    let made = "from shop import create_app\napp = create_app()\n";
    assert_eq!(with("from .app import create_app\n", made), "wsgi:app");
    assert_eq!(with("", "from shop.kinds import Shop\napp = Shop('shop')\n"), "wsgi:app");
    // Of another class of this name nothing is known.
    let other = of(&[
        ("requirements.txt", "Flask==3.0.3\n"),
        ("kinds.py", "from flask import Flask\nclass Shop(Flask):\n    pass\n"),
        ("other.py", "class Shop(dict):\n    pass\napp = Shop()\n"),
    ]);
    assert_eq!(other.services.len(), 0);
}

#[test]
fn packages_that_setup_py_has_under_a_name_are_the_projects() {
    let survey = of(&[
        (
            "setup.py",
            "from setuptools import setup\nneeds = ['aiohttp']\nsetup(name='polls', install_requires=needs)\n",
        ),
        ("polls/__init__.py", ""),
        ("polls/__main__.py", "from polls.main import main\nmain()\n"),
        (
            "polls/main.py",
            "from aiohttp import web\ndef main():\n    web.run_app(web.Application(), port=8080)\n",
        ),
    ]);
    assert_eq!(words(&survey.services[0]), "python -m polls");
}

#[test]
fn streamlits_program_has_any_name() {
    let with = |files: &[(&str, &str)]| {
        let survey = of(&[&[("requirements.txt", "streamlit==1.40.0\n")], files].concat());
        survey.services.first().map(|service| service.command.as_ref().unwrap().value[2].clone())
    };
    let page = "import streamlit as st\nst.title('x')\n";
    assert_eq!(with(&[("Chat.py", page), ("pages/1_File.py", page)]).as_deref(), Some("Chat.py"));
    assert_eq!(with(&[("Chat.py", page), ("helpers.py", page)]).as_deref(), Some("Chat.py"));
    assert_eq!(with(&[("bot.py", page), ("helpers.py", "import os\n")]).as_deref(), Some("bot.py"));
    assert_eq!(with(&[("one.py", page), ("two.py", page)]), None);
}

#[test]
fn websockets_of_aiohttp_are_seen_at_the_path_of_their_handler() {
    let with = |path: &str, handler: &str| {
        let survey = of(&[
            ("requirements.txt", "aiohttp==3.11.0\n"),
            (
                "main.py",
                &format!(
                    "from aiohttp import web\nasync def page(request):\n    return web.Response()\nasync def talk(request):\n    answer = web.WebSocketResponse()\n    return answer\napp = web.Application()\napp.router.add_get('/page', page)\napp.router.add_get('{path}', {handler})\nweb.run_app(app)\n"
                ),
            ),
        ]);
        websockets(&survey).join(" ")
    };
    assert_eq!(with("/", "talk"), "/");
    assert_eq!(with("/chat", "talk"), "/chat");
    assert_eq!(with("/ws", "talk"), "/ws");
}

fn channels(routing: &str, settings: &str, packages: &str) -> Survey {
    of(&[
        ("requirements.txt", packages),
        ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n"),
        ("site1/__init__.py", ""),
        ("site1/settings.py", settings),
        ("site1/routing.py", routing),
        ("site1/wsgi.py", "application = get_wsgi_application()\n"),
    ])
}

#[test]
fn the_asgi_application_of_the_settings_is_served_where_channels_answers() {
    let routing = "from django.urls import path\napplication = ProtocolTypeRouter({'websocket': URLRouter([path('chat/stream/', ChatConsumer)])})\n";
    let settings = "DEBUG = False\nWSGI_APPLICATION = 'site1.wsgi.application'\nASGI_APPLICATION = 'site1.routing.application'\n";
    let survey = channels(routing, settings, "Django==5.2\nchannels==4.2.0\nuvicorn==0.34.0\n");
    assert!(words(&survey.services[0]).starts_with("uvicorn site1.routing:application "));
    assert_eq!(websockets(&survey), ["/chat/stream/"]);
    // Its layer without Redis is one process's.
    assert_eq!(workers(&survey), Some("1"));
    let survey =
        channels(routing, settings, "Django==5.2\nchannels==4.2.0\nuvicorn==0.34.0\nchannels-redis==4.2.0\n");
    assert_eq!(workers(&survey), None);
    let survey = channels(routing, settings, "Django==5.2\nchannels==4.2.0\ndaphne==4.1.2\n");
    assert_eq!(
        words(&survey.services[0]),
        "daphne -b 0.0.0.0 -p 8000 --proxy-headers site1.routing:application"
    );
    assert_eq!(survey.services[0].adds.len(), 0);
}

#[test]
fn clients_that_a_process_remembers_are_one_processes() {
    let with = |more: &str, packages: &str| {
        let survey = of(&[
            ("requirements.txt", packages),
            (
                "app.py",
                &format!(
                    "from quart import Quart, websocket\n{more}\napp = Quart(__name__)\n@app.websocket('/ws')\nasync def ws():\n    await websocket.send('x')\n"
                ),
            ),
        ]);
        workers(&survey).map(str::to_owned)
    };
    let quart = "quart==0.20.0\nuvicorn==0.34.0\n";
    let broker = "class Broker:\n    def __init__(self):\n        self.connections = set()\n";
    assert_eq!(with(broker, quart).as_deref(), Some("1"));
    assert_eq!(with("clients = []", quart).as_deref(), Some("1"));
    assert_eq!(with("", quart), None);
    assert_eq!(with("import redis\nclients = []", &format!("{quart}redis==5.0.4\n")), None);
}

#[test]
fn celerys_application_has_the_name_that_its_own_folder_knows() {
    let survey = of(&[
        (
            "pyproject.toml",
            "[project]\nname = \"shop\"\ndependencies = [\"django\", \"celery\", \"redis\"]\n",
        ),
        (
            "backend/manage.py",
            "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'proj.settings')\n",
        ),
        ("backend/proj/__init__.py", ""),
        ("backend/proj/settings.py", "DEBUG = False\n"),
        ("backend/proj/wsgi.py", "application = get_wsgi_application()\n"),
        ("backend/proj/celery.py", "from celery import Celery\napp = Celery('proj')\n"),
    ]);
    assert_eq!(survey.services[0].path, "backend");
    assert!(processes(&survey)[0].starts_with("celery -A proj worker "), "{:?}", processes(&survey));
}

#[test]
fn dramatiq_of_a_site_starts_by_its_own_command_and_once() {
    let with = |files: &[(&str, &str)]| {
        let base = [
            ("requirements.txt", "Django==5.2\ndramatiq==1.17.0\ndjango-dramatiq==0.12.0\n"),
            ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n"),
            ("site1/__init__.py", ""),
            ("site1/settings.py", "DEBUG = False\n"),
            ("site1/wsgi.py", "application = get_wsgi_application()\n"),
            ("shop/tasks.py", "import dramatiq\n@dramatiq.actor\ndef work():\n    pass\n"),
        ];
        processes(&of(&[&base[..], files].concat()))
    };
    let procfile = "web: gunicorn site1.wsgi\nworker: python manage.py rundramatiq -p4 -t4\n";
    assert_eq!(with(&[("Procfile", procfile)]), ["python manage.py rundramatiq -p4 -t4"]);
    assert_eq!(with(&[]), ["python manage.py rundramatiq --processes 1 --threads 4"]);
}

#[test]
fn what_watches_files_for_a_developer_is_no_process() {
    let with = |command: &str| {
        of(&[
            ("requirements.txt", "Flask==3.0.3\ngunicorn==23.0.0\n"),
            ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
            ("Procfile", &format!("web: gunicorn app:app\nscss: {command}\n")),
        ])
    };
    for command in
        ["make watch-scss", "npm run watch", "tailwindcss -i a.css -o b.css -w", "watchmedo shell-command"]
    {
        let survey = with(command);
        assert_eq!(processes(&survey).len(), 0, "{command}");
        assert_eq!(gap(&survey, "watches files for a developer").evidence[0].line, 2);
    }
    let survey = with("python mailer.py");
    assert_eq!(survey.services[0].processes[0].role, Role::Worker);
}

#[test]
fn a_filename_is_a_log_where_a_class_of_logging_stands_beside_it() {
    let with = |source: &str| {
        let survey = of(&[
            ("requirements.txt", "Flask==3.0.3\n"),
            ("app.py", &format!("from flask import Flask\napp = Flask(__name__)\n{source}\n")),
        ]);
        survey.services[0].files.iter().map(|file| file.value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(with("ICON = {'filename': 'icon.png', 'title': 'x'}"), [""; 0]);
    let handler =
        "LOGGING = {'handlers': {'file': {'class': 'logging.FileHandler', 'filename': 'site.log'}}}";
    assert_eq!(with(handler), ["site.log"]);
}

const FLASK: &str = "from flask import Flask\ndef create_app():\n    return Flask(__name__)\n";

#[test]
fn the_servers_line_of_a_start_script_names_the_application() {
    let script = "#!/bin/sh\nWORKERS=${WORKERS:-1}\nset -e\nexec gunicorn 'shop:create_app()' \\\n    --bind '0.0.0.0:8000' \\\n    --workers $WORKERS \\\n    --timeout $TIMEOUT\n";
    let survey = of(&[
        ("requirements.txt", "Flask==3.0.3\ngunicorn==23.0.0\n"),
        ("shop/__init__.py", FLASK),
        ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
        ("docker-entrypoint.sh", script),
    ]);
    assert!(words(&survey.services[0]).ends_with(" shop:create_app()"), "{}", words(&survey.services[0]));
    // Its other options are those of one machine.
    assert!(!words(&survey.services[0]).contains("--workers"));
}

#[test]
fn commands_of_a_start_script_that_nothing_runs_are_said() {
    let with = |script: &str| {
        let survey = of(&[
            ("requirements.txt", "Flask==3.0.3\ngunicorn==23.0.0\nFlask-Migrate==4.0.7\n"),
            ("shop.py", "from flask import Flask\napp = Flask(__name__)\n"),
            ("migrations/env.py", ""),
            ("scripts/boot.sh", script),
        ]);
        let said = survey.gaps.iter().filter(|gap| gap.message.contains("when the program starts"));
        said.map(|gap| gap.message.split('`').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    let script = "#!/bin/bash\n# flask ghost\nwhile true; do\n    flask deploy\n    sleep 5\ndone\npython initial_data.py && flask db upgrade\npython wait_for_db.py\nexec gunicorn -b :5000 shop:app\n";
    assert_eq!(with(script), ["flask deploy", "python initial_data.py"]);
    assert_eq!(with("flask db upgrade\ngunicorn shop:app\n"), [""; 0]);
}

#[test]
fn steps_of_the_teams_image_that_make_files_are_said() {
    let with = |steps: &str, more: &[(&str, &str)]| {
        let dockerfile = format!(
            "FROM python:3.13\nRUN apt-get update && apt-get install -y gcc && pip install -r requirements.txt\n{steps}\nCMD [\"gunicorn\", \"shop:app\"]\n"
        );
        let base = [
            ("requirements.txt", "Flask==3.0.3\ngunicorn==23.0.0\n"),
            ("shop.py", "from flask import Flask\napp = Flask(__name__)\n"),
            ("docker/config.py", "A = 1\n"),
            ("Dockerfile", &dockerfile),
        ];
        let survey = of(&[&base[..], more].concat());
        let said = survey.gaps.iter().filter(|gap| gap.message.contains("own image is built"));
        said.map(|gap| gap.message.split('`').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(with("", &[]), [""; 0]);
    assert_eq!(
        with("RUN pybabel compile -d shop/translations", &[]),
        ["pybabel compile -d shop/translations"]
    );
    assert_eq!(with("RUN cd /srv && npm ci && npm run build:css", &[]), ["npm run build:css"]);
    assert_eq!(
        with("RUN cp docker/config.py settings/config.py", &[]),
        ["cp docker/config.py settings/config.py"]
    );
    assert_eq!(with("RUN cp missing.py settings/config.py", &[]), [""; 0]);
}

#[test]
fn a_program_that_the_readme_starts_and_nothing_here_is_said() {
    let with = |readme: &str, program: &str| {
        let survey = of(&[
            ("requirements.txt", "Flask==3.0.3\ngunicorn==23.0.0\n"),
            ("server.py", "from flask import Flask\napp = Flask(__name__)\n"),
            ("mail_handler.py", program),
            ("README.md", readme),
        ]);
        survey.gaps.into_iter().find(|gap| gap.message.contains("by its documents"))
    };
    let program = "import time\ndef main():\n    while True:\n        time.sleep(1)\nif __name__ == '__main__':\n    main()\n";
    let said = with("# Shop\n\n    python mail_handler.py\n", program).unwrap();
    assert_eq!((said.evidence[0].file.as_str(), said.evidence[0].line), ("README.md", 3));
    assert_eq!(said.hint, "write a line as `mail-handler: python mail_handler.py` in a Procfile");
    assert_eq!(with("# Shop\n", program), None);
    assert_eq!(with("python mail_handler.py\n", "if __name__ == '__main__':\n    print(1)\n"), None);
}

#[test]
fn uwsgi_is_a_server_and_what_its_settings_hand_out_is_named() {
    let survey = of(&[
        ("requirements.txt", "Flask==3.0.3\nuwsgi==2.0.28\n"),
        ("shop.py", "from flask import Flask\napp = Flask(__name__)\n"),
        ("etc/uwsgi.ini", "[uwsgi]\nmodule = shop:app\nstatic-map = /media/=/app/media/\n"),
    ]);
    let said = gap(&survey, "its server is uWSGI");
    assert!(said.message.contains("static-map"));
    assert_eq!((said.evidence[1].file.as_str(), said.evidence[1].line), ("etc/uwsgi.ini", 3));
    assert!(
        survey.gaps.iter().all(|gap| !gap.message.contains("no server for production")),
        "{:?}",
        survey.gaps
    );
}

#[test]
fn static_files_outside_of_the_program_are_shipped_from_there() {
    let with = |root: &str| {
        let settings = format!(
            "from pathlib import Path\nimport os\nBASE_DIR = Path(__file__).resolve().parent.parent\nDEBUG = False\nSTATIC_URL = '/static/'\nSTATIC_ROOT = {root}\n"
        );
        of(&[
            ("backend/requirements.txt", "Django==5.2\nwhitenoise==6.9.0\n"),
            (
                "backend/manage.py",
                "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n",
            ),
            ("backend/site1/__init__.py", ""),
            ("backend/site1/settings.py", &settings),
            ("backend/site1/wsgi.py", "application = get_wsgi_application()\n"),
        ])
    };
    let ships = |root: &str| {
        let survey = with(root);
        survey.services[0]
            .ships
            .iter()
            .map(|ships| (ships.from.clone(), ships.to.clone()))
            .collect::<Vec<_>>()
    };
    let both = |path: &str| vec![(path.to_owned(), path.to_owned())];
    assert_eq!(ships("'/public_collected'"), both("/public_collected"));
    assert_eq!(ships("os.getenv('STATIC_ROOT', '/srv/static')"), both("/srv/static"));
    assert_eq!(ships("BASE_DIR.parent / 'static'"), both("/static"));
    assert_eq!(ships("BASE_DIR / 'static'"), []);
    assert_eq!(ships("'static'"), []);
    assert!(gap(&with("'/tmp/static'"), "no folder of the program's").message.contains("/tmp/static"));
}

#[test]
fn a_program_that_the_teams_image_starts_counts_before_a_guess() {
    let with = |program: &str, cmd: &str| {
        of(&[
            ("requirements.txt", "Flask==3.0.3\n"),
            ("shop/__init__.py", ""),
            ("shop/web.py", "from flask import Flask\napp = Flask(__name__)\n"),
            ("shop.py", program),
            ("Dockerfile", &format!("FROM python:3.13\nEXPOSE 5000\n{cmd}\n")),
        ])
    };
    let cmd = "CMD [\"python\", \"./shop.py\", \"-d\", \"/datastore\"]";
    let survey = with("import shop.start\nshop.start.main()\n", cmd);
    let service = &survey.services[0];
    assert_eq!(words(service), "python ./shop.py -d /datastore");
    assert_eq!((service.writes[0].path.value.as_str(), service.writes[0].keep), ("/datastore", true));
    assert_eq!((service.port.as_ref().unwrap().value, service.adds.len()), (5000, 0));
    let asked = survey.questions.iter().find(|question| question.id == "app.command").unwrap();
    assert!(asked.options[1].ends_with(" shop.web:app"), "{:?}", asked.options);
    assert_eq!(asked.default.as_deref(), Some("python ./shop.py -d /datastore"));
    // A developer's server of the same application, or the application's own file.
    let survey = with("from shop.web import app\napp.run()\n", cmd);
    assert!(words(&survey.services[0]).ends_with(" shop.web:app"));
    assert!(survey.questions.iter().all(|question| question.id != "app.command"));
    let survey = with("print(1)\n", "CMD [\"python\", \"-m\", \"shop.web\"]");
    assert!(words(&survey.services[0]).ends_with(" shop.web:app"));
}

#[test]
fn the_python_of_a_pipfile_is_asked_for_as_other_pins_are() {
    let with = |version: &str| {
        of(&[
            ("Pipfile", &format!("[packages]\nflask = \"*\"\n[requires]\npython_version = \"{version}\"\n")),
            ("Pipfile.lock", "{ \"default\": {} }"),
            ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
        ])
    };
    let survey = with("3.6");
    assert_eq!(survey.installs[0].runtime_version.as_ref().unwrap().value, "3.11");
    assert!(survey.questions.iter().any(|question| question.id == "root.python"));
    let survey = with("3.13");
    assert_eq!(survey.installs[0].runtime_version.as_ref().unwrap().value, "3.13");
    assert_eq!(survey.questions.len(), 0);
}
