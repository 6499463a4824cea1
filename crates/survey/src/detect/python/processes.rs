//! Processes beside the web server: workers and schedulers of Celery, RQ, Dramatiq, Huey and arq, and every further line
//! of a Procfile.

use std::rc::Rc;

use super::{apps, host_name, project::Project};
use crate::{
    context::Context,
    detect::platform::Launch,
    model::{Address, Evidence, Fact, Gap, Probe, Process, Role, Service, StoreKind, StoreUse},
    python::Module,
    rules,
};

/// Seconds that a worker gets to finish what it has begun.
const GRACE: u32 = 60;

/// Celery's schedule, which it writes again every few minutes. What the file is called depends on the Python.
const SCHEDULE: &str = "/tmp/celerybeat-schedule";

/// Asks the worker of this container by its name, and ends with its answer: a ping of all workers waits until its time is
/// over, and is content with the answer of any. The engine forgets a check that takes too long and does not end it: each
/// is a whole application in memory, so it ends itself before the next one begins.
const PING: &str = "import os, signal; signal.alarm(9); os.execvp('celery', ['celery', '-A', 'APP', 'inspect', 'ping', \
    '--timeout', '8', '-d', 'celery@' + os.uname().nodename])";

/// The same for a worker with a name of its own. It waits for further answers until its time is over, whatever came.
const PING_ALL: &str = "import os, signal; signal.alarm(9); os.execvp('celery', ['celery', '-A', 'APP', 'inspect', 'ping', \
    '--timeout', '3'])";

/// Ends with 0 while the newest of the schedule's files is younger than ten minutes: Celery writes them every three
/// minutes, and wakes up after five at the latest.
const SCHEDULE_IS_FRESH: &str = "import glob, os, sys, time; \
    sys.exit(time.time() - max(map(os.path.getmtime, glob.glob('/tmp/celerybeat-schedule*')), default=0) > 600)";

/// Adds the processes of a project to its service; gives the gaps that are left.
pub(super) fn add(
    context: &Context<'_>,
    launches: &[&Launch],
    project: &Project,
    service: &mut Service,
) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for launch in launches {
        written(launch, service, &mut gaps);
    }
    celery(context, project, service);
    queues(context, project, service, &mut gaps);
    gaps
}

/// Whether a command is that of a worker or a schedule.
pub(super) fn is_known(words: &[String]) -> bool {
    kind(words).is_some() || watches(words).is_some()
}

/// What a process does, by its command.
fn kind(words: &[String]) -> Option<&'static str> {
    let has = |word: &str| words.iter().any(|known| known == word);
    let program = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    let module = if program.starts_with("python") && words.get(1).is_some_and(|word| word == "-m") {
        words.get(2).map_or("", String::as_str)
    } else {
        program
    };
    match module {
        "celery" if has("beat") && !has("worker") => Some("celery beat"),
        "celery" if has("worker") => Some("celery worker"),
        "celery" if has("flower") => Some("flower"),
        "flower" | "rq-dashboard" | "rq_dashboard" => Some("flower"),
        "rq" | "rqworker" => Some("rq"),
        "rqscheduler" => Some("rqscheduler"),
        "dramatiq" => Some("dramatiq"),
        // django_dramatiq's own command, which sets Django up before it imports the actors.
        _ if has("rundramatiq") => Some("dramatiq"),
        "arq" => Some("arq"),
        _ if module.starts_with("huey_consumer") => Some("huey"),
        _ => None,
    }
}

/// A process as a file of the project writes it.
fn written(launch: &Launch, service: &mut Service, gaps: &mut Vec<Gap>) {
    if matches!(launch.process.as_str(), "web" | "release" | "postdeploy")
        && launch.line.as_ref().is_none_or(|line| kind(&line.words).is_none())
    {
        return;
    }
    let Some(mut words) =
        launch.line.as_ref().map(|line| line.words.clone()).or_else(|| rq_without_address(&launch.text))
    else {
        if !launch.weak {
            gaps.push(Gap {
                rule: rules::PROCESS_NOT_RUN,
                subject: service.name.clone(),
                message: format!("the process `{}` needs a shell: {}", launch.process, launch.text),
                hint: "write it as one program with its arguments".to_owned(),
                evidence: vec![launch.evidence.clone()],
            });
        }
        return;
    };
    if let Some(tool) = watches(&words) {
        gaps.extend((!launch.weak).then(|| Gap {
            rule: rules::LEFT_OUT,
            subject: service.name.clone(),
            message: format!(
                "the process `{}` (`{}`) watches files for a developer ({tool}): it is left out",
                launch.process, launch.text
            ),
            hint:
                "what it makes must be there when the image is built; nothing else has to be done".to_owned(),
            evidence: vec![launch.evidence.clone()],
        }));
        return;
    }
    let kind = kind(&words);
    // What a development file starts counts only where it is known to be a worker, or is called one.
    if kind == Some("flower") && launch.weak {
        // What the development file starts is said with its other services.
        return;
    }
    if kind == Some("flower") {
        gaps.push(Gap {
            rule: rules::LEFT_OUT,
            subject: service.name.clone(),
            message: format!(
                "the process `{}` (`{}`) shows the tasks: it is left out",
                launch.process, launch.text
            ),
            hint: "it asks nobody for a password by itself; write its service by hand, with one".to_owned(),
            evidence: vec![launch.evidence.clone()],
        });
        return;
    }
    if launch.weak && kind.is_none() && !is_called_worker(launch, &words) {
        gaps.extend(prepares(launch, service));
        return;
    }
    words.retain(|word| {
        !(kind == Some("celery worker") && matches!(word.as_str(), "--beat" | "-B" | "--autoreload"))
    });
    if kind.is_some_and(|kind| kind.starts_with("celery")) {
        without_log_file(&mut words);
    }
    // Celery counts the host's processors, whatever its container may use.
    let pool = ["-c", "--concurrency", "--autoscale", "-P", "--pool"];
    let chosen = words
        .iter()
        .any(|word| pool.iter().any(|name| word == name || word.starts_with(&format!("{name}="))));
    if launch.weak && kind == Some("celery worker") && !chosen {
        words.extend(["--concurrency", "2"].map(str::to_owned));
    }
    let name = launch.process.to_lowercase();
    let scheduler = matches!(kind, Some("celery beat" | "rqscheduler"))
        || ["beat", "clock", "scheduler", "cron"].iter().any(|word| name.contains(word));
    let role = if scheduler { Role::Scheduler } else { Role::Worker };
    if kind == Some("celery beat") {
        at_schedule(&mut words);
    }
    let known = service.processes.iter().any(|process| {
        process.command.value == words
            || (kind.is_some() && self::kind(&process.command.value) == kind && launch.weak)
    });
    if known {
        return;
    }
    let app = words
        .iter()
        .position(|word| matches!(word.as_str(), "-A" | "--app"))
        .and_then(|at| words.get(at + 1))
        .cloned();
    let probe = probe(kind, app.as_deref(), &words);
    if matches!(kind, Some("rq" | "rqscheduler")) {
        rq_address(&words, service);
    }
    service.processes.push(Process {
        name: host_name(&launch.process),
        role,
        command: Fact::new(words, launch.evidence.clone()),
        probe,
        grace: (role == Role::Worker).then_some(GRACE),
    });
}

/// What in a command says that it builds or restarts on each change of a file, which none of an image has.
fn watches(words: &[String]) -> Option<&str> {
    let program = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    let tools = ["watchmedo", "watchfiles", "livereload", "browser-sync", "nodemon"];
    // A worker may watch its own queue by this word.
    let compilers =
        ["tailwindcss", "tailwind", "sass", "postcss", "webpack", "esbuild", "vite", "tsc", "rollup"];
    let compiles = words.iter().any(|word| compilers.contains(&word.rsplit('/').next().unwrap_or(word)));
    words.iter().map(String::as_str).find(|word| {
        let name = word.rsplit('/').next().unwrap_or(word);
        let target = name.split(['-', ':', '_']).any(|part| part == "watch");
        // `make watch-scss`, `npm run watch`.
        let task = target && matches!(program, "make" | "npm" | "yarn" | "pnpm" | "npx" | "just" | "task");
        tools.contains(&name)
            || matches!(*word, "runserver" | "runserver_plus")
            || (compiles && matches!(*word, "-w" | "--watch"))
            || task
    })
}

/// A service of a development file that prepares the data once: only its migrations are in the stack.
fn prepares(launch: &Launch, service: &Service) -> Option<Gap> {
    let name = launch.process.to_lowercase();
    let called =
        ["prestart", "init", "seed", "setup", "bootstrap", "fixtures", "loaddata", "createsuperuser"];
    let once = name.split(['-', '_']).any(|word| called.contains(&word));
    once.then(|| Gap {
        rule: rules::STEP_NOT_RUN,
        subject: service.name.clone(),
        message: format!(
            "the service `{}` runs `{}` once, and nothing does it here",
            launch.process, launch.text
        ),
        hint: "run it once by hand with the stack's settings, or write it as a line `release:` of a Procfile"
            .to_owned(),
        evidence: vec![launch.evidence.clone()],
    })
}

/// A program of the project that a development file starts as a worker: by the name of its service, with a command that
/// is no server of any kind.
fn is_called_worker(launch: &Launch, words: &[String]) -> bool {
    let name = launch.process.to_lowercase();
    let called = name.split(['-', '_']).any(|word| {
        ["worker", "workers", "consumer", "queue", "scheduler", "beat", "cron", "clock"].contains(&word)
    });
    let program = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    let server = ["runserver", "run", "--reload", "watchmedo", "watchfiles"];
    called
        && (program.starts_with("python") || matches!(program, "flask" | "django-admin"))
        && !words.iter().any(|word| server.contains(&word.as_str()))
}

/// `rq worker --url $REDIS_URL high`: the shell is there for the address alone, and RQ reads that from its environment
/// too ([`rq_address`]).
fn rq_without_address(text: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    kind(&words).filter(|kind| matches!(*kind, "rq" | "rqscheduler"))?;
    let variable = |word: &str| word.trim_matches('"').starts_with('$');
    let joined =
        |word: &str| word.split_once('=').is_some_and(|(name, value)| name == "--url" && variable(value));
    if let Some(at) = words.iter().position(|word| joined(word)) {
        words.remove(at);
    } else {
        let at = words.iter().position(|word| matches!(word.as_str(), "-u" | "--url"))?;
        words.get(at + 1).filter(|word| variable(word))?;
        words.drain(at..at + 2);
    }
    // whatever else a shell would read in it
    let plain = |word: &String| word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,@".contains(c));
    words.iter().all(plain).then_some(words)
}

/// RQ's worker reads its address from RQ_REDIS_URL, and takes this machine's Redis without it.
fn rq_address(words: &[String], service: &mut Service) {
    const VARIABLE: &str = "RQ_REDIS_URL";
    let told = ["-u", "--url", "-c", "--config"];
    if words.iter().any(|word| told.iter().any(|name| word == name || word.starts_with(&format!("{name}="))))
    {
        return;
    }
    let redis = |used: &&StoreUse| used.kind == StoreKind::Redis;
    let Some(known) = service.stores.iter().find(redis) else { return };
    let evidence = known.evidence.clone();
    let is_there = service.stores.iter().any(
        |used| matches!(&used.address, Some(Address::Url { variable, .. }) if variable.value == VARIABLE),
    );
    if !is_there {
        let suffix = match &known.address {
            Some(Address::Url { suffix, .. }) => suffix.clone(),
            _ => None,
        };
        let variable = Fact { value: VARIABLE.to_owned(), evidence: evidence.clone() };
        let address = Address::Url { variable, scheme: None, suffix, file_variant: false };
        service.stores.push(StoreUse {
            kind: StoreKind::Redis,
            store: String::new(),
            address: Some(address),
            evidence,
        });
    }
}

/// Logs go where the engine collects them.
fn without_log_file(words: &mut Vec<String>) {
    words.retain(|word| !word.starts_with("--logfile="));
    if let Some(at) = words.iter().position(|word| matches!(word.as_str(), "--logfile" | "-f")) {
        words.drain(at..(at + 2).min(words.len()));
    }
}

/// The scheduler's file goes where a container may write.
fn at_schedule(words: &mut Vec<String>) {
    let written = |words: &[String], names: [&str; 2]| {
        words
            .iter()
            .any(|word| names.iter().any(|name| word == name || word.starts_with(&format!("{name}="))))
    };
    if !written(words, ["--pidfile", "--pidfile"]) {
        words.push("--pidfile=".to_owned());
    }
    let database = words.iter().any(|word| word.contains("DatabaseScheduler"));
    if !database && !written(words, ["-s", "--schedule"]) {
        words.extend(["-s".to_owned(), SCHEDULE.to_owned()]);
    }
}

fn probe(kind: Option<&str>, app: Option<&str>, words: &[String]) -> Probe {
    let command =
        |words: &[&str]| Probe::Command { command: words.iter().map(|word| (*word).to_owned()).collect() };
    match (kind, app) {
        (Some("celery worker"), Some(app))
            if app.chars().all(|c| c.is_ascii_alphanumeric() || "._:".contains(c)) =>
        {
            let named = ["-n", "--hostname"];
            let has_name = words
                .iter()
                .any(|word| named.iter().any(|name| word == name || word.starts_with(&format!("{name}="))));
            let ping = if has_name { PING_ALL } else { PING };
            command(&["python", "-c", &ping.replace("APP", app)])
        }
        (Some("celery beat"), _) if words.iter().any(|word| word == SCHEDULE) => {
            command(&["python", "-c", SCHEDULE_IS_FRESH])
        }
        (Some("arq"), _) => match words.iter().find(|word| word.contains('.')) {
            Some(settings) => command(&["arq", "--check", settings]),
            None => Probe::Process,
        },
        _ => Probe::Process,
    }
}

/// Celery by its application in the source, where no file starts it.
fn celery(context: &Context<'_>, project: &Project, service: &mut Service) {
    if project.needs(&["celery"]).is_none() {
        return;
    }
    let Some((app, evidence)) = celery_app(context, project, service) else { return };
    let has = |service: &Service, wanted: &str| {
        service.processes.iter().any(|process| kind(&process.command.value) == Some(wanted))
    };
    if !has(service, "celery worker") {
        let words = ["celery", "-A", &app, "worker", "--loglevel", "info", "--concurrency", "2"]
            .map(str::to_owned)
            .to_vec();
        let probe = probe(Some("celery worker"), Some(&app), &words);
        let name = format!("{}-worker", service.name);
        service.processes.push(Process {
            name,
            role: Role::Worker,
            command: Fact::new(words, evidence.clone()),
            probe,
            grace: Some(GRACE),
        });
    }
    if has(service, "celery beat") {
        return;
    }
    let database = project.needs(&["django-celery-beat"]);
    let Some(sign) =
        beat(project, service).or_else(|| database.map(|requirement| requirement.evidence.clone()))
    else {
        return;
    };
    let mut words = ["celery", "-A", &app, "beat", "--loglevel", "info"].map(str::to_owned).to_vec();
    if database.is_some() {
        words.extend(["--scheduler", "django_celery_beat.schedulers:DatabaseScheduler"].map(str::to_owned));
    }
    at_schedule(&mut words);
    let probe = probe(Some("celery beat"), Some(&app), &words);
    let name = format!("{}-beat", service.name);
    service.processes.push(Process {
        name,
        role: Role::Scheduler,
        command: Fact::new(words, sign),
        probe,
        grace: None,
    });
}

/// `app = Celery("shop")`: what `-A` takes.
fn celery_app(context: &Context<'_>, project: &Project, service: &Service) -> Option<(String, Evidence)> {
    let mut found: Option<(usize, String, Evidence)> = None;
    for module in
        project.modules.iter().filter(|module| crate::model::is_below(module.source.name(), &service.path))
    {
        for (name, value) in module.assignments() {
            let Some(rank) = makes_celery(module, value) else { continue };
            let Some(dotted) = from_here(context, project, service, module) else { continue };
            let object = module.text(name);
            // Celery looks for `celery` in a package, and for these names in a module.
            let target = match dotted.strip_suffix(".celery") {
                Some(package) if rank == 0 => package.to_owned(),
                _ if matches!(object, "app" | "celery") => dotted.clone(),
                _ => format!("{dotted}:{object}"),
            };
            let evidence = Evidence::new(&module.source, module.span(name, value), "Celery's application");
            if found.as_ref().is_none_or(|(known, ..)| rank < *known) {
                found = Some((rank, target, evidence));
            }
        }
    }
    found.map(|(_, target, evidence)| (target, evidence))
}

/// A module's name as the service's own folder has it, in which its processes start; that of its project's where it
/// lies elsewhere.
fn from_here(context: &Context<'_>, project: &Project, service: &Service, module: &Module) -> Option<String> {
    let file = module.source.name();
    let (root, dotted) = apps::place(context, project, file)?;
    if root == service.path {
        return Some(dotted);
    }
    // Installed as a package it has one name everywhere.
    let src = crate::context::join(&project.folder, "src");
    let installed =
        root == project.folder && crate::model::is_below(file, &src) && !dotted.starts_with("src.");
    if installed {
        return Some(dotted);
    }
    apps::dotted(file, &service.path).or(Some(dotted))
}

/// How surely the value is an application of Celery: 0 is `Celery(…)` itself.
fn makes_celery(module: &Rc<Module>, value: usize) -> Option<usize> {
    let (name, next) = module.resolved(value)?;
    let last = name.rsplit('.').next().unwrap_or_default();
    if matches!(name.as_str(), "celery.Celery" | "celery.app.Celery") && module.is(next, "(") {
        return Some(0);
    }
    if matches!(
        last,
        "make_celery" | "create_celery" | "celery_init_app" | "create_celery_app" | "init_celery"
    ) && module.is(next, "(")
    {
        return Some(1);
    }
    // Flask's own pattern: `celery_app = flask_app.extensions["celery"]`.
    (last == "extensions" && module.is(next, "[") && module.string(next + 1).as_deref() == Some("celery"))
        .then_some(2)
}

/// A schedule in the source.
fn beat(project: &Project, service: &Service) -> Option<Evidence> {
    project
        .modules
        .iter()
        .filter(|module| crate::model::is_below(module.source.name(), &service.path))
        .find_map(|module| {
            let at = (0..module.tokens.len()).find(|&at| {
                let name = module.text(at);
                let named = matches!(name, "beat_schedule" | "CELERY_BEAT_SCHEDULE" | "CELERYBEAT_SCHEDULE");
                let set = module.is(at + 1, "=") || (module.is(at + 1, ":") && module.tokens[at].first);
                (named && set && !(module.is(at + 2, "{") && module.is(at + 3, "}")))
                    || (name == "add_periodic_task" && module.is(at + 1, "("))
            })?;
            Some(Evidence::new(&module.source, module.span(at, at), "work that starts at times"))
        })
}

/// Workers of the smaller queues.
fn queues(context: &Context<'_>, project: &Project, service: &mut Service, gaps: &mut Vec<Gap>) {
    let has = |service: &Service, wanted: &str| {
        service.processes.iter().any(|process| kind(&process.command.value) == Some(wanted))
    };
    let push = |service: &mut Service, words: &[&str], evidence: Evidence, probe: Probe| {
        let name = format!("{}-worker", service.name);
        let command = Fact::new(words.iter().map(|word| (*word).to_owned()).collect(), evidence);
        service.processes.push(Process { name, role: Role::Worker, command, probe, grace: Some(GRACE) });
    };
    let folder = service.clone();
    let dotted = |module: &Module| from_here(context, project, &folder, module);
    if project.needs(&["dramatiq"]).is_some() && !has(service, "dramatiq") {
        let actors = project.modules.iter().find_map(|module| {
            let at = module.lines().find(|&at| {
                module.is(at, "@")
                    && module.resolved(at + 1).is_some_and(|(name, _)| name == "dramatiq.actor")
            })?;
            Some((
                dotted(module)?,
                Evidence::new(&module.source, module.span(at, at + 1), "an actor of Dramatiq"),
            ))
        });
        // Actors of a site need Django set up first, which its own command does.
        let of_site = project.needs(&["django-dramatiq"]).is_some();
        if let Some((module, evidence)) = actors {
            let words = if of_site {
                vec!["python", "manage.py", "rundramatiq", "--processes", "1", "--threads", "4"]
            } else {
                vec!["dramatiq", &module, "--processes", "1", "--threads", "4"]
            };
            push(service, &words, evidence, Probe::Process);
        }
    }
    if project.needs(&["arq"]).is_some() && !has(service, "arq") {
        let settings = project.modules.iter().find_map(|module| {
            let at =
                module.lines().find(|&at| module.is(at, "class") && module.is(at + 1, "WorkerSettings"))?;
            Some((
                format!("{}.WorkerSettings", dotted(module)?),
                Evidence::new(&module.source, module.span(at, at + 1), "the settings of arq's worker"),
            ))
        });
        if let Some((settings, evidence)) = settings {
            let words = vec!["arq".to_owned(), settings.clone()];
            let probe = probe(Some("arq"), None, &words);
            push(service, &["arq", &settings], evidence, probe);
        }
    }
    // RQ's and Huey's workers must be told queues or objects that only a command of the project says for sure.
    for (package, kind, example) in [
        ("rq", "rq", "worker: rq worker default --url $REDIS_URL"),
        ("huey", "huey", "worker: huey_consumer.py app.huey"),
    ] {
        if let Some(requirement) =
            project.needs(&[package]).filter(|_| !has(service, kind) && !has(service, "celery worker"))
        {
            let used = project.modules.iter().any(|module| {
                module.imports.values().any(|import| {
                    import.module == package || import.module.starts_with(&format!("{package}."))
                })
            });
            if used && service.processes.is_empty() {
                gaps.push(Gap {
                    rule: rules::PROCESS_NOT_RUN,
                    subject: service.name.clone(),
                    message: format!("{package} is used, and no file says how its worker starts"),
                    hint: format!("write a Procfile with a line as `{example}`"),
                    evidence: vec![requirement.evidence.clone()],
                });
            }
        }
    }
}
