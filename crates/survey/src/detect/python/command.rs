//! The command that serves an application in production, and the port that it listens on.

use super::{
    apps::{App, Interface},
    gunicorn,
    install::Locked,
    project::Project,
    requirement::Requirement,
    runtime::numbers,
    socketio::{Mode, SocketIo},
};
use crate::{
    context::{Context, has_extension},
    detect::platform::{Launch, PORT, Platform},
    model::{Evidence, Fact},
};

/// Servers that are added where a project names none.
const GUNICORN: &str = "gunicorn==27.0.1";
const UVICORN: &str = "uvicorn==0.54.0";

/// Later ones have no worker of eventlet.
const GUNICORN_WITH_EVENTLET: &str = "gunicorn==23.0.0";

const DEFAULT_PORT: u16 = 8000;

/// What an application takes of connections that stay open.
pub(super) struct Sockets<'a> {
    /// It takes websockets of any kind.
    pub(super) any: bool,
    pub(super) socket_io: Option<&'a SocketIo>,
}

impl Sockets<'_> {
    /// gunicorn's options for connections that stay open: each holds a thread, unless the worker is made for many.
    fn worker(&self) -> Option<[&'static str; 2]> {
        Some(match self.socket_io.map(|it| it.mode) {
            Some(Mode::Gevent) => ["--worker-class", "gevent"],
            Some(Mode::Eventlet) => ["--worker-class", "eventlet"],
            Some(Mode::Threads | Mode::Asynchronous) => ["--threads", "100"],
            None if self.any => ["--threads", "100"],
            None => return None,
        })
    }
}

/// How an application is served.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) command: Fact<Vec<String>>,
    pub(super) port: Fact<u16>,
    pub(super) port_variable: Option<Fact<String>>,
    /// As the project wrote it.
    pub(super) start: Option<Fact<String>>,
    /// Variables in front of the project's own command.
    pub(super) variables: Vec<(String, String)>,
    pub(super) adds: Option<Fact<String>>,
}

/// A server by its program's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Gunicorn,
    Uvicorn,
    Hypercorn,
    Daphne,
    Waitress,
    Granian,
    FastApi,
}

/// The server that a command runs in production, and the index of its first argument.
pub(super) fn server(words: &[String]) -> Option<(Server, usize)> {
    // A development server is none for production.
    any_server(words)
        .filter(|(server, _)| !(*server == Server::Uvicorn && words.iter().any(|word| word == "--reload")))
}

/// The server that a command runs on any machine.
fn any_server(words: &[String]) -> Option<(Server, usize)> {
    let program = |at: usize| words.get(at).map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    let mut at = match program(0) {
        "opentelemetry-instrument" | "ddtrace-run" => 1,
        "newrelic-admin" if program(1) == "run-program" => 2,
        _ => 0,
    };
    if program(at).starts_with("python") && program(at + 1) == "-m" {
        at += 2;
    }
    let server = match program(at) {
        "gunicorn" => Server::Gunicorn,
        "uvicorn" => Server::Uvicorn,
        "hypercorn" => Server::Hypercorn,
        "daphne" => Server::Daphne,
        "waitress-serve" | "waitress" => Server::Waitress,
        "granian" => Server::Granian,
        "fastapi" if program(at + 1) == "run" => return Some((Server::FastApi, at + 2)),
        _ => return None,
    };
    Some((server, at + 1))
}

/// How a command's server talks to its application.
pub(super) fn interface(words: &[String]) -> Option<Interface> {
    let asynchronous = |word: &String| word.contains("uvicorn") || word.contains("UvicornWorker");
    Some(match any_server(words)?.0 {
        Server::Gunicorn if words.iter().any(asynchronous) => Interface::Asgi,
        Server::Gunicorn | Server::Waitress => Interface::Wsgi,
        Server::Granian if words.iter().any(|word| word == "wsgi") => Interface::Wsgi,
        _ => Interface::Asgi,
    })
}

/// `module:object` or `module` among the arguments of a server, of a developer's too: both serve the same application.
pub(super) fn target(words: &[String]) -> Option<&str> {
    let (_, first) = any_server(words)?;
    let rest = words.get(first..)?;
    let is_target = |word: &&String| {
        let (module, object) = word.split_once(':').unwrap_or((word, ""));
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
        !module.is_empty()
            && module.chars().all(fits)
            && module.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && !object.starts_with(|c: char| c.is_ascii_digit())
    };
    let with_object = rest.iter().filter(|word| word.contains(':') && !word.starts_with('-')).find(is_target);
    with_object
        .or_else(|| {
            rest.last().filter(|word| is_target(word) && word.contains('.') && !has_extension(word, "py"))
        })
        .map(String::as_str)
}

/// The command: the project's own where it has one that a container can run, else one for its application.
pub(super) fn serve(
    context: &Context<'_>,
    platform: &Platform,
    project: &Project,
    locked: &Locked,
    app: &App,
    sockets: &Sockets<'_>,
) -> Served {
    let folder = &app.root;
    let own = platform
        .of(folder)
        .chain(platform.of(&project.folder).filter(|_| *folder != project.folder))
        .filter(|launch| launch.process == "web")
        .find_map(|launch| {
            let line = launch.line.as_ref()?;
            let (server, first) = server(&line.words)?;
            (launch.folder == *folder || !launch.weak || project.folder == *folder)
                .then_some((launch, line, server, first))
        });
    let conf = gunicorn::read(context, folder);
    let expected = platform
        .ports
        .iter()
        .find(|expected| expected.folder == *folder || expected.folder == project.folder);
    let Some((launch, line, server, first)) = own else {
        return for_app(project, locked, app, conf, expected.map(|expected| &expected.port), sockets);
    };
    let mut words = line.words.clone();
    let (port, variable) = listen(
        &mut words,
        server,
        first,
        line.port,
        conf.as_ref(),
        expected.map(|expected| &expected.port),
        launch,
    );
    let command = Fact::new(words, launch.evidence.clone());
    let adds = missing(project, locked, server, &launch.evidence);
    Served {
        command,
        port,
        port_variable: variable,
        start: Some(Fact::new(launch.text.clone(), launch.evidence.clone())),
        variables: line.variables.clone(),
        adds,
    }
}

/// Makes a command of the project's own listen on every address, and says on which port.
fn listen(
    words: &mut Vec<String>,
    server: Server,
    first: usize,
    written: Option<u16>,
    conf: Option<&gunicorn::Conf>,
    expected: Option<&Fact<u16>>,
    launch: &Launch,
) -> (Fact<u16>, Option<Fact<String>>) {
    let fallback = written
        .map(|port| Fact::new(port, launch.evidence.clone()))
        .or_else(|| expected.cloned())
        .unwrap_or_else(|| {
            Fact::new(
                DEFAULT_PORT,
                Evidence {
                    reason: "$PORT is given by the platform; the server's own default is taken".to_owned(),
                    ..launch.evidence.clone()
                },
            )
        });
    let (bind, host, port): (&[&str], &[&str], &[&str]) = match server {
        Server::Gunicorn | Server::Hypercorn => (&["--bind", "-b"], &[], &[]),
        Server::Daphne => (&[], &["-b", "--bind"], &["-p", "--port"]),
        Server::Waitress => (&["--listen"], &["--host"], &["--port"]),
        Server::Uvicorn | Server::Granian | Server::FastApi => (&[], &["--host"], &["--port"]),
    };
    let given = option(words, first, bind).or_else(|| option(words, first, port));
    if given.is_none()
        && server == Server::Gunicorn
        && let Some(bound) = conf.and_then(|conf| conf.bind.clone()).filter(|bound| bound.open)
    {
        return (bound.port.unwrap_or(fallback), bound.variable);
    }
    let number = given
        .as_deref()
        .and_then(|value| value.rsplit(':').next()?.parse::<u16>().ok())
        .map(|number| Fact::new(number, launch.evidence.clone()));
    let mut chosen = number.unwrap_or(fallback);
    if chosen.value < 1024 {
        let reason = format!("{} is for processes with rights: {DEFAULT_PORT} is taken", chosen.value);
        chosen = Fact::new(DEFAULT_PORT, Evidence { reason, ..launch.evidence.clone() });
    }
    let text = chosen.value.to_string();
    for names in
        [bind, host, port, &["--uds", "--unix-socket", "-u"][..usize::from(server != Server::Gunicorn) * 3]]
    {
        remove(words, first, names);
    }
    let added: Vec<String> = match server {
        Server::Gunicorn | Server::Hypercorn => vec!["--bind".to_owned(), format!("0.0.0.0:{text}")],
        Server::Daphne => vec!["-b".to_owned(), "0.0.0.0".to_owned(), "-p".to_owned(), text],
        _ => vec!["--host".to_owned(), "0.0.0.0".to_owned(), "--port".to_owned(), text],
    };
    words.splice(first..first, added);
    for word in words.iter_mut().filter(|word| word.contains(PORT)) {
        *word = word.replace(PORT, &chosen.value.to_string());
    }
    (chosen, None)
}

/// The value of an option.
fn option(words: &[String], first: usize, names: &[&str]) -> Option<String> {
    for at in first..words.len() {
        for name in names {
            if words[at] == *name {
                return words.get(at + 1).cloned();
            }
            let rest = words[at].strip_prefix(name);
            if let Some(value) = rest
                .and_then(|rest| rest.strip_prefix('='))
                .or(rest.filter(|rest| name.len() == 2 && !rest.is_empty()))
            {
                return Some(value.to_owned());
            }
        }
    }
    None
}

fn remove(words: &mut Vec<String>, first: usize, names: &[&str]) {
    let mut at = first;
    while at < words.len() {
        let word = &words[at];
        if names.contains(&word.as_str()) {
            words.drain(at..(at + 2).min(words.len()));
        } else if names.iter().any(|name| {
            word.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('=') || (name.len() == 2 && !rest.is_empty()))
        }) {
            words.remove(at);
        } else {
            at += 1;
        }
    }
}

/// The command for an application whose project has none.
fn for_app(
    project: &Project,
    locked: &Locked,
    app: &App,
    conf: Option<gunicorn::Conf>,
    expected: Option<&Fact<u16>>,
    sockets: &Sockets<'_>,
) -> Served {
    let default = || {
        Fact::new(
            DEFAULT_PORT,
            Evidence {
                reason: "nothing names a port: the server's own default is taken".to_owned(),
                ..app.evidence.clone()
            },
        )
    };
    let mut port = expected.filter(|port| port.value >= 1024).cloned().unwrap_or_else(default);
    let mut variable = None;
    let target = app.target();
    let text = port.value.to_string();
    let (server, words) = match app.interface {
        // It is in the project's packages for this.
        Interface::Asgi if project.needs(&["daphne"]).is_some() && !brings_uvicorn(project, locked) => {
            let words = ["daphne", "-b", "0.0.0.0", "-p", &text, "--proxy-headers", &target];
            (Server::Daphne, words.map(str::to_owned).to_vec())
        }
        Interface::Asgi => {
            let mut words = vec!["uvicorn", &target, "--host", "0.0.0.0", "--port", &text, "--proxy-headers"];
            if bounds_its_end(project, locked) {
                words.extend(["--timeout-graceful-shutdown", "20"]);
            }
            if app.factory {
                words.push("--factory");
            }
            (Server::Uvicorn, words.into_iter().map(str::to_owned).collect::<Vec<_>>())
        }
        Interface::Wsgi => {
            let mut words = vec!["gunicorn".to_owned()];
            match conf.and_then(|conf| conf.bind).filter(|bound| bound.open && bound.port.is_some()) {
                Some(bound) => {
                    port = bound.port.unwrap_or(port);
                    variable = bound.variable;
                }
                None => words.extend(["--bind".to_owned(), format!("0.0.0.0:{text}")]),
            }
            words.extend(["--worker-tmp-dir", "/dev/shm", "--access-logfile", "-"].map(str::to_owned));
            // The project's own settings decide how many threads there are.
            if let Some(worker) = sockets.worker() {
                words.extend(worker.map(str::to_owned));
            } else if variable.is_none() && words.contains(&"--bind".to_owned()) {
                words.extend(["--threads", "4"].map(str::to_owned));
            }
            words.push(target.clone());
            (Server::Gunicorn, words)
        }
    };
    let mut adds = missing(project, locked, server, &app.evidence);
    if let Some(adds) = adds.as_mut() {
        if sockets.any && server == Server::Uvicorn {
            adds.value = adds.value.replace("uvicorn", "uvicorn[standard]");
        }
        if sockets.socket_io.is_some_and(|it| it.mode == Mode::Eventlet) && server == Server::Gunicorn {
            GUNICORN_WITH_EVENTLET.clone_into(&mut adds.value);
        }
    }
    Served {
        command: Fact::new(words, app.evidence.clone()),
        port,
        port_variable: variable,
        start: None,
        variables: Vec::new(),
        adds,
    }
}

/// Whether uvicorn is among the project's own packages.
/// Whether this uvicorn has a bound for the time that open requests may take at its end: 0.22 is the first that has.
fn bounds_its_end(project: &Project, locked: &Locked) -> bool {
    let locked = locked.get("uvicorn").map(|(version, _)| version.as_str());
    let version = locked.or_else(|| project.needs(&["uvicorn"]).and_then(Requirement::pinned));
    version.is_none_or(|version| numbers(version) >= vec![0, 22])
}

fn brings_uvicorn(project: &Project, locked: &Locked) -> bool {
    project.needs(&["uvicorn"]).is_some() || locked.contains_key("uvicorn")
}

/// The server's package with an exact version, where the project does not need it itself.
fn missing(project: &Project, locked: &Locked, server: Server, evidence: &Evidence) -> Option<Fact<String>> {
    let (name, exact) = match server {
        Server::Gunicorn => ("gunicorn", GUNICORN),
        Server::Uvicorn => ("uvicorn", UVICORN),
        // Only a project's own command runs the others: it names their packages.
        _ => return None,
    };
    let brings = |requirement: &super::requirement::Requirement| {
        requirement.name == name
            || (name == "uvicorn"
                && requirement.name == "fastapi"
                && requirement.extras.iter().any(|extra| extra == "standard" || extra == "all"))
    };
    let there = project.requirements.iter().any(brings) || locked.contains_key(name);
    let reason = format!("no package of the project brings {name}");
    (!there).then(|| Fact::new(exact.to_owned(), Evidence { reason, ..evidence.clone() }))
}
