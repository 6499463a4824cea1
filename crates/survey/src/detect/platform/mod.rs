//! Files of other platforms, read as evidence: they say how a team starts its processes.

use crate::{
    context::{Context, has_extension, join},
    detect::compose_file,
    model::{Evidence, Fact, Survey},
};

mod app_json;
mod dockerfile;
mod fly;
mod procfile;
mod railway;
mod render;
mod scripts;
mod supervisor;
mod uwsgi;
pub(super) mod words;

pub(super) use words::{Line, PORT};

/// How a file of a platform starts a process.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The process as the file calls it; `web` and `release` have a meaning.
    pub(super) process: String,
    /// Folder that it is started in.
    pub(super) folder: String,
    /// The command; nothing where only a shell could run it.
    pub(super) line: Option<Line>,
    /// As written.
    pub(super) text: String,
    /// Where it stands.
    pub(super) evidence: Evidence,
    /// A Dockerfile or a development compose file: weaker than a file that was written for production.
    pub(super) weak: bool,
}

/// The port that a file of a platform expects the web process at.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(super) folder: String,
    pub(super) port: Fact<u16>,
}

/// Everything that these files say.
#[derive(Debug, Default)]
pub(crate) struct Platform {
    /// Starts of processes, the most trusted first.
    pub(super) launches: Vec<Launch>,
    /// Paths that the platforms ask for health.
    pub(super) health: Vec<(String, Fact<String>)>,
    pub(super) ports: Vec<Expected>,
    /// Python versions of base images: folder and tag's version.
    pub(super) python: Vec<(String, Fact<String>)>,
    /// What the team's start scripts (`start`) and the build of its image (`image`) do, one command each.
    pub(super) steps: Vec<Launch>,
    /// Files that were read.
    pub(super) files: Vec<Fact<String>>,
}

/// Everything that they say, read once.
pub(super) fn of<'a>(context: &'a Context<'_>) -> &'a Platform {
    context.platform.get_or_init(|| read(context))
}

/// Reads them all.
pub(super) fn read(context: &Context<'_>) -> Platform {
    let mut platform = Platform::default();
    let files: Vec<String> = context.repository.files().map(str::to_owned).collect();
    for (file, read, reason) in READERS {
        for path in files.iter().filter(|path| matches(path, file)).take(50) {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            if is_apart(folder) {
                continue;
            }
            let Some(source) = context.repository.source(path) else { continue };
            read(&source, folder, &mut platform);
            platform.files.push(Fact::new(path.clone(), Evidence::file(path, *reason)));
        }
    }
    for path in files.iter().filter(|path| scripts::is_script(path)).take(20) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if let Some(source) = context.repository.source(path).filter(|_| !is_apart(folder)) {
            scripts::read(&source, folder, &mut platform);
        }
    }
    if let Ok(Some(file)) = compose_file::read(context) {
        for service in file.services.iter().filter(|service| !service.is_for_tests()) {
            let (Some(folder), Some((command, span))) = (&service.build, &service.command) else { continue };
            let evidence = Evidence::new(&file.source, *span, "the development compose file starts it so");
            add(&mut platform, &service.name, folder, command, evidence, true);
        }
    }
    platform
}

/// Adds the files to the survey.
pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let mut files = of(context).files.clone();
    files.sort_by(|a, b| a.value.cmp(&b.value));
    survey.platform_files.extend(files);
}

type Reader = fn(&plimsoll_source::Source, &str, &mut Platform);

/// In order of trust.
const READERS: &[(&str, Reader, &str)] = &[
    ("Procfile", procfile::read, "the processes of a Procfile platform"),
    ("fly.toml", fly::read, "settings of Fly.io"),
    ("render.yaml", render::read, "settings of Render"),
    ("railway.json", railway::read_json, "settings of Railway"),
    ("railway.toml", railway::read_toml, "settings of Railway"),
    ("app.json", app_json::read, "settings of Heroku"),
    ("Dockerfile", dockerfile::read, "an image that the team builds itself"),
    ("uwsgi.ini", uwsgi::read, "settings of uWSGI"),
    ("supervisord.conf", supervisor::read, "the programs of one container"),
];

/// The folder of the program whose settings lie in a folder for nothing but them.
fn around(folder: &str) -> String {
    let (above, last) = folder.rsplit_once('/').unwrap_or(("", folder));
    let apart = [
        "docker",
        "deploy",
        "deployment",
        "config",
        "conf",
        "etc",
        "uwsgi",
        "supervisor",
        "build",
        "ops",
        "scripts",
        "bin",
    ];
    if apart.contains(&last) { around(above) } else { folder.to_owned() }
}

fn matches(path: &str, file: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let of_supervisor = file == "supervisord.conf"
        && (matches!(name, "supervisor.conf" | "supervisord.ini")
            || has_extension(name, "conf") && path.contains("supervisor"));
    let variant = |prefix: &str| {
        file == "Dockerfile" && name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'))
    };
    name == file
        || of_supervisor
        || (variant("Dockerfile")
            && !name.ends_with(".dockerignore")
            && !["dev", "local", "test"].iter().any(|word| name.contains(word)))
}

/// Folders that hold no part of the application itself.
pub(super) fn is_apart(folder: &str) -> bool {
    folder.split('/').any(|part| {
        matches!(
            part,
            "test"
                | "tests"
                | "testing"
                | "doc"
                | "docs"
                | "example"
                | "examples"
                | "samples"
                | "templates"
                | "fixtures"
                | "e2e"
                | ".github"
                | ".devcontainer"
                | "node_modules"
                | ".venv"
                | "venv"
                | "env"
                | "site-packages"
                | "__pycache__"
                | "vendor"
                | "benchmarks"
                | "cookiecutters"
        ) || part.contains("{{")
    })
}

impl Platform {
    /// The starts of a folder's processes: of files in it, and those of files above that change into it.
    pub(super) fn of<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a Launch> {
        self.launches.iter().filter(move |launch| launch.folder == folder)
    }
}

/// Adds a start, with `cd FOLDER &&` in front of it followed.
fn add(platform: &mut Platform, process: &str, folder: &str, text: &str, evidence: Evidence, weak: bool) {
    let mut line = words::line(text);
    let mut folder = folder.to_owned();
    if let Some(line) = &mut line
        && let Some([program, target]) = line.before.first().map(Vec::as_slice)
        && program == "cd"
        && !target.starts_with(['/', '.'])
    {
        folder = join(&folder, target.trim_end_matches('/'));
        line.before.remove(0);
    }
    platform.launches.push(Launch {
        process: process.to_owned(),
        folder,
        line,
        text: text.to_owned(),
        evidence,
        weak,
    });
}
