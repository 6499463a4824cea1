//! The image of a program in Python: one virtual environment at /app/.venv, built with compilers, copied whole.

use plimsoll_facts::Version;
use plimsoll_survey::{Beside, Evidence, Gap, Install, Manager, Service};

use super::{
    Passes, below, checked, images, process,
    server::{self, Program},
    stores::Stores,
};
use crate::{
    escape, rules,
    stack::{BaseImage, Build, BuildKind, ManifestFile, ProbeText, PythonBuild, Setting, Sources},
};

pub(super) fn build(
    passes: &mut Passes<'_>,
    program: &mut Program<'_>,
    stores: &Stores,
) -> Option<(Build, Option<ProbeText>)> {
    let service = program.service;
    let Some(install) = passes.survey.install_of(service) else {
        passes.problems.push(super::problem(
            rules::NO_INSTALL,
            &service.name,
            "what installs its packages is not known",
            "add a requirements.txt or a pyproject.toml to its folder",
        ));
        return None;
    };
    let sources = sources(passes, service, install)?;
    let version = match (&install.runtime_version, &install.runtime) {
        (Some(version), _) => version.value.as_str(),
        (None, None) => DEFAULT,
        (None, Some(demanded)) => {
            passes.problems.push(Gap {
                rule: rules::PYTHON_VERSION,
                subject: service.name.clone(),
                message: format!(
                    "it demands Python {}, and stacks run on 3.11 or 3.13 so far",
                    demanded.value
                ),
                // pip asks no project; the others refuse a Python that it does not accept.
                hint: if install.manager == Manager::Pip {
                    format!(
                        "let the project run on one of these versions, or `--answer {}.python=3.13`",
                        if install.folder.is_empty() { "root" } else { &install.folder }
                    )
                } else {
                    "let the project run on one of these versions".to_owned()
                },
                evidence: demanded.evidence.clone(),
            });
            return None;
        }
    };
    let commands = commands(passes, service, install)?;
    let probe = probe(program, stores);
    let kind = BuildKind::Python(PythonBuild {
        what: what(install),
        notes: notes(install),
        compilers: compilers(install),
        tool: commands.tool,
        files: commands.files,
        cache: commands.cache.to_owned(),
        install: commands.install,
        install_project: commands.install_project,
        install_environment: commands.environment,
        unlocked: install.lock_file.is_none(),
        build_settings: server::settings_at_build(service),
        build: service.build_commands.iter().map(server::command_line).collect(),
        built: built(service),
        native: !install.native.is_empty(),
        system_packages: server::system_packages(service),
        writable: program.writable.clone(),
        links: program.links.clone(),
        environment: server::listens(program),
        static_settings: service.static_settings.as_ref().map(|settings| settings.value.clone()),
        launcher: needs_launcher(program),
        probe: probe.clone(),
        command: service.command.as_ref()?.value.clone(),
        sources,
    });
    if program.port.is_some()
        && program.environment.settings.iter().all(|known| known.name != "WEB_CONCURRENCY")
    {
        program.environment.settings.push(Setting {
            reason: Some(
                "Worker processes, fitted to the limits below: the host's processors say nothing here."
                    .into(),
            ),
            ..Setting::new("WEB_CONCURRENCY", escape::compose("2"))
        });
    }
    let images = vec![BaseImage { argument: "PYTHON_IMAGE", name: images::python(version) }];
    Some((server::frame(passes, program, images, kind), probe))
}

/// What the build writes outside of /app: absolute paths of plain letters.
fn built(service: &Service) -> Vec<String> {
    let paths = service.ships.iter().map(|ships| ships.from.trim_end_matches('/'));
    paths.filter(|path| path.strip_prefix('/').is_some_and(checked::is_path)).map(str::to_owned).collect()
}

/// Whether something is to be done before the program's first line: secrets, a heartbeat, and the way to the modules of its
/// folder, which the script of a package (`alembic`, `celery`) does not know.
fn needs_launcher(program: &Program<'_>) -> bool {
    let service = program.service;
    let knows_its_folder = |word: &String| {
        ["python", "python3", "gunicorn", "uvicorn", "flask"]
            .contains(&word.rsplit('/').next().unwrap_or(word))
    };
    program.environment.launcher
        || service.static_settings.is_some()
        || service.processes.iter().any(|process| process.role != plimsoll_survey::Role::OneShot)
        || service.commands().any(|command| command.value.first().is_some_and(|word| !knows_its_folder(word)))
}

fn sources(passes: &mut Passes<'_>, service: &Service, install: &Install) -> Option<Sources> {
    let from = if install.folder.is_empty() { "." } else { install.folder.as_str() };
    let from = checked::path(&service.name, from, &mut passes.problems)?;
    let folder = super::relative(&service.path, &install.folder);
    let folder = match folder {
        "" => String::new(),
        folder => checked::path(&service.name, folder, &mut passes.problems)?,
    };
    Some(Sources {
        from,
        to: "./".to_owned(),
        workdir: if folder.is_empty() { "/app".to_owned() } else { format!("/app/{folder}") },
        prefix: if folder.is_empty() { String::new() } else { format!("{folder}/") },
        config_files: Vec::new(),
        config_folders: Vec::new(),
    })
}

fn what(install: &Install) -> String {
    let root = if install.folder.is_empty() { "the repository's root" } else { install.folder.as_str() };
    format!("installed by {} from {root}", install.manager.label())
}

/// Why packages are installed in another way than the usual one, a line each.
fn notes(install: &Install) -> Vec<String> {
    let reason = |evidence: &[Evidence]| {
        evidence.first().map(|first| format!("{} ({}:{})", first.reason, first.file, first.line))
    };
    let mut notes: Vec<String> = Vec::new();
    for constraint in &install.constraints {
        let reason = reason(&constraint.evidence).unwrap_or_default();
        notes.push(format!("{}: {reason}.", constraint.value));
    }
    if let Some(frozen) = &install.frozen {
        let reason = reason(&frozen.evidence).unwrap_or_default();
        notes.push(format!(
            "--frozen installs what the lock file names. --locked would refuse its option {}: {reason}.",
            frozen.value
        ));
    }
    notes.iter().map(|note| escape::comment(note)).collect()
}

/// What compiles the packages that have no wheel.
fn compilers(install: &Install) -> Vec<String> {
    if install.native.is_empty() {
        return Vec::new();
    }
    let mut packages = vec!["gcc", "libc6-dev"];
    for native in &install.native {
        packages.extend_from_slice(match native.value.as_str() {
            "psycopg2" | "psycopg2-binary" | "psycopg" | "psycopg-c" => &["libpq-dev"],
            "mysqlclient" => &["default-libmysqlclient-dev", "pkg-config"],
            "pycairo" => &["libcairo2-dev", "pkg-config"],
            "lxml" | "xmlsec" | "python3-saml" => {
                &["libxml2-dev", "libxslt1-dev", "libxmlsec1-dev", "pkg-config"]
            }
            "cffi" | "cryptography" => &["libffi-dev", "libssl-dev"],
            "pillow" => &["libjpeg-dev", "zlib1g-dev"],
            "uwsgi" => &["libpcre2-dev"],
            "python-ldap" => &["libldap2-dev", "libsasl2-dev"],
            "pygraphviz" => &["libgraphviz-dev", "pkg-config"],
            "pycups" => &["libcups2-dev"],
            "pyaudio" => &["portaudio19-dev"],
            "pycurl" => &["libcurl4-openssl-dev", "libssl-dev"],
            "gdal" => &["libgdal-dev", "g++"],
            "dlib" => &["g++", "make", "cmake"],
            _ => &["g++", "make"],
        });
    }
    let mut unique: Vec<String> = Vec::new();
    for package in packages {
        if unique.iter().all(|known| known != package) {
            unique.push(package.to_owned());
        }
    }
    unique
}

struct Commands {
    tool: Option<String>,
    files: Vec<ManifestFile>,
    cache: &'static str,
    install: Vec<String>,
    install_project: Vec<String>,
    environment: Vec<Setting>,
}

/// Versions of the managers where a project pins none.
const UV: &str = "0.13.8";
const POETRY: &str = "2.5.1";
const PDM: &str = "2.29.4";
const PIPENV: &str = "2026.1.0";

fn commands(passes: &mut Passes<'_>, service: &Service, install: &Install) -> Option<Commands> {
    let pinned = match &install.version {
        Some(version) => Some(checked::version(&service.name, &version.value, &mut passes.problems)?),
        None => None,
    };
    let tool = |name: &str, usual: &str| Some(format!("{name}=={}", pinned.as_deref().unwrap_or(usual)));
    let mut names: Vec<String> = Vec::new();
    let lock = install.lock_file.iter().chain(&install.inputs).map(|file| file.value.clone());
    let table = install.beside.iter().any(|beside| beside.value == Beside::Table);
    let manifest = match install.manager {
        Manager::Pip if !table => None,
        Manager::Pipenv => Some("Pipfile".to_owned()),
        _ => Some("pyproject.toml".to_owned()),
    };
    for name in manifest.into_iter().chain(lock).filter(|name| checked::is_path(name)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let files = files(install, &names);
    let locked = match (&install.lock_file, &install.frozen) {
        (Some(_), Some(_)) => " --frozen",
        (Some(_), None) => " --locked",
        _ => "",
    };
    let set = |name: &str, value: &str| Setting::new(name, value);
    let uv = of_workspace(service, install);
    let member = uv.1.as_ref().map(|package| format!(" --package {package}")).unwrap_or_default();
    let own = install.beside.iter().any(|beside| beside.value == Beside::Package);
    let with_own = |command: &str| if own { vec![command.to_owned()] } else { Vec::new() };
    let mut commands = match install.manager {
        Manager::Uv => Commands {
            tool: tool("uv", UV),
            cache: "id=uv,target=/root/.cache/uv",
            install: vec![format!("uv sync{locked} --no-dev {} --no-editable{member}", uv.0)],
            install_project: vec![format!("uv sync{locked} --no-dev --no-editable{member}")],
            environment: vec![
                set("UV_LINK_MODE", "copy"),
                set("UV_PYTHON_DOWNLOADS", "never"),
                // The image's own, whatever a `.python-version` of developers says.
                set("UV_PYTHON", "/usr/local/bin/python"),
                set("UV_PROJECT_ENVIRONMENT", "/app/.venv"),
            ],
            files,
        },
        Manager::Poetry => Commands {
            tool: tool("poetry", POETRY),
            cache: "id=poetry,target=/root/.cache/pypoetry",
            install: vec!["poetry install --only main --no-root".to_owned()],
            // A project that is no package has nothing of its own to install.
            install_project: with_own("poetry install --only main"),
            environment: vec![set("POETRY_VIRTUALENVS_IN_PROJECT", "1"), set("POETRY_NO_INTERACTION", "1")],
            files,
        },
        Manager::Pdm => Commands {
            tool: tool("pdm", PDM),
            cache: "id=pdm,target=/root/.cache/pdm",
            install: vec!["pdm sync --prod --no-editable --no-self".to_owned()],
            install_project: with_own("pdm sync --prod --no-editable"),
            environment: vec![set("PDM_CHECK_UPDATE", "false"), set("PDM_VENV_IN_PROJECT", "1")],
            files,
        },
        Manager::Pipenv => Commands {
            tool: tool("pipenv", PIPENV),
            cache: "id=pipenv,target=/root/.cache/pip",
            // Without a lock file it makes one first.
            install: vec![if locked.is_empty() { "pipenv install" } else { "pipenv sync" }.to_owned()],
            install_project: Vec::new(),
            environment: pipenv(install),
            files,
        },
        _ => pip(install, &names, files),
    };
    // pip has them in the command of its list.
    let constraints = install.constraints.iter().filter(|_| install.manager != Manager::Pip);
    let adds: Vec<String> = constraints.chain(&service.adds).map(|add| escape::shell(&add.value)).collect();
    if !adds.is_empty() {
        // Behind the project: a manager removes what its lock does not name.
        let add = format!("pip --python /app/.venv/bin/python install {}", adds.join(" "));
        commands.install_project.push(add);
    }
    Some(commands)
}

/// Settings of Pipenv: the image's own Python, where the project's file names another one, which it would look for.
fn pipenv(install: &Install) -> Vec<Setting> {
    let mut settings = vec![Setting::new("PIPENV_VENV_IN_PROJECT", "1")];
    let other = install.runtime.as_ref().zip(install.runtime_version.as_ref());
    if other.is_some_and(|(written, chosen)| written.value != chosen.value) {
        settings.push(Setting::new("PIPENV_PYTHON", "/usr/local/bin/python"));
    }
    settings
}

/// Of uv: what leaves the project's own packages out, and the member of a workspace that the service is.
fn of_workspace(service: &Service, install: &Install) -> (&'static str, Option<String>) {
    if install.inputs.iter().all(|input| !input.value.ends_with("/pyproject.toml")) {
        return ("--no-install-project", None);
    }
    let plain = |name: &&String| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let package = service.package.as_ref().filter(|_| service.path != install.folder).filter(plain);
    ("--no-install-workspace", package.cloned())
}

/// Writes what the table `project` names as a list.
const TABLE_AS_LIST: &str = "/app/.venv/bin/python -c \"import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))\
    ['project']['dependencies'], sep=chr(10))\" > /tmp/declared.txt";

fn pip(install: &Install, names: &[String], files: Vec<ManifestFile>) -> Commands {
    // Other texts that an install reads (a license, what the list includes) are no lists of their own.
    let listed = install.lock_file.as_ref().map(|lock| lock.value.as_str());
    let list = listed.and_then(|listed| names.iter().find(|name| name.as_str() == listed));
    let has = |kind: Beside| install.beside.iter().any(|beside| beside.value == kind);
    let constraints = install
        .constraints
        .iter()
        .fold(String::new(), |line, constraint| line + " " + &escape::shell(&constraint.value));
    // The image's own pip installs into the environment: 13 MB less in the image, and no installer at run time.
    // Before Python 3.12 the environment's setuptools comes with pip, and packages import it without naming it.
    let bare = has_no_setuptools(install.runtime_version.as_ref().map_or(DEFAULT, |version| &version.value));
    let (environment, pip) = if bare {
        ("python -m venv --without-pip /app/.venv", "pip --python /app/.venv/bin/python install")
    } else {
        ("python -m venv /app/.venv", "/app/.venv/bin/pip install")
    };
    let mut commands = vec![environment.to_owned()];
    let mut with_sources = Vec::new();
    if let Some(list) = list {
        let command = format!("{pip} -r {}{constraints}", escape::shell(list));
        if has(Beside::Folders) { with_sources.push(command) } else { commands.push(command) }
    }
    if has(Beside::Table) {
        commands.push(format!("{TABLE_AS_LIST} \\\n    && {pip} -r /tmp/declared.txt{constraints}"));
    } else if list.is_none() || has(Beside::Package) {
        // The project itself names what it needs.
        with_sources.push(format!("{pip} .{constraints}"));
    }
    Commands {
        tool: None,
        files,
        cache: "id=pip,target=/root/.cache/pip",
        install: commands,
        install_project: with_sources,
        environment: Vec::new(),
    }
}

/// The version of Python where nothing demands another one.
const DEFAULT: &str = "3.13";

/// Whether an environment of this version holds no setuptools anyway: since 3.12.
fn has_no_setuptools(version: &str) -> bool {
    Version::parse(version) >= Version::parse("3.12")
}

/// Each file with the folder in the image that it goes to.
fn files(install: &Install, names: &[String]) -> Vec<ManifestFile> {
    names
        .iter()
        .map(|name| {
            let folder = name.rsplit_once('/').map_or("./".to_owned(), |(folder, _)| format!("{folder}/"));
            ManifestFile { file: below(&install.folder, name), folder }
        })
        .collect()
}

/// Python that asks the program.
fn probe(program: &Program<'_>, stores: &Stores) -> Option<ProbeText> {
    let Some(port) = program.port else {
        return Some(process::connects(&stores.sockets(program.service), false));
    };
    let health = &program.service.health;
    let found = health.ready.as_ref().or(health.live.as_ref());
    let found = found.map(|found| found.value.as_str()).filter(|path| checked::is_url_path(path));
    // Django answers 400 to every name that it does not allow: nobody would see a page.
    let django = program.service.frameworks.iter().any(|framework| framework.name == "django");
    let (path, good, comment) = match found {
        Some(path) => (path, "r.status<400", "Python itself asks."),
        None if django => (
            "/",
            "r.status<500 and r.status!=400",
            "No health route was found: any answer to GET / counts but an error of the server and the 400 to a host that \
             is not allowed.",
        ),
        None => (
            "/",
            "r.status<500",
            "No health route was found: any answer to GET / but an error of the server counts.",
        ),
    };
    // Without a route that asks the stores the check does it.
    let asks = if health.ready.is_some() {
        String::new()
    } else {
        process::ask_stores(&stores.sockets(program.service))
    };
    // As a proxy that ends TLS asks for a name that an application allows.
    let host = program.service.allowed_host.as_ref().map_or("localhost", |host| host.value.as_str());
    let begin = format!(
        "c=http.client.HTTPConnection('127.0.0.1',{port},timeout=8); \
         c.request('GET','{path}',headers={{'Host':'{host}','X-Forwarded-Proto':'https'}}); r=c.getresponse()"
    );
    let said = "f'{r.status} {r.read(300)!r}'";
    let script = if asks.is_empty() {
        format!("import http.client,sys; {begin}; sys.exit(0 if {good} else {said})")
    } else {
        format!("import http.client,socket,sys; {begin}; {good} or sys.exit({said}); {asks}")
    };
    let also = if asks.is_empty() { "" } else { " Its stores must answer, too." };
    Some(ProbeText {
        command: vec!["python".to_owned(), "-c".to_owned(), script],
        comment: format!("{comment}{also}"),
        path: path.to_owned(),
    })
}
