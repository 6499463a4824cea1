//! Streamlit, Gradio, Dash and aiohttp: programs whose framework serves them.

use super::{
    aiohttp, apps,
    project::{Project, below},
};
use crate::{
    model::{Bind, Evidence, Setting},
    python::Module,
};

/// How a program of pages is served.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) package: &'static str,
    pub(super) command: Vec<String>,
    pub(super) port: u16,
    /// The port is that of the framework, and the program may say another one.
    pub(super) open_port: bool,
    pub(super) live: &'static str,
    pub(super) websocket: Option<String>,
    pub(super) settings: Vec<Setting>,
    /// Where it listens, where that is not everywhere.
    pub(super) bind: Option<Bind>,
    pub(super) evidence: Evidence,
}

/// Names of the file that is started, the most usual first.
const FILES: [&str; 6] = ["streamlit_app.py", "app.py", "main.py", "Home.py", "home.py", "demo.py"];

/// The program of a project, if it is one of these.
pub(super) fn find(project: &Project) -> Option<Page> {
    let framework = streamlit(project).or_else(|| gradio(project)).or_else(|| dash(project));
    framework.or_else(|| aiohttp::find(project))
}

/// A module in the project's own folder that imports the package.
fn entry<'a>(project: &'a Project, package: &str) -> Option<(&'a Module, String)> {
    let imports = |module: &Module| {
        module.imports.values().any(|import| import.module.split('.').next() == Some(package))
    };
    FILES.iter().find_map(|file| {
        let module = project
            .modules
            .iter()
            .find(|module| below(module.source.name(), &project.folder) == Some(file))?;
        imports(module).then(|| (&**module, (*file).to_owned()))
    })
}

/// The one module in the project's own folder that imports Streamlit, whatever its name is; of several the one whose name
/// begins as a title, as Streamlit shows it beside those of `pages/`.
fn only_entry(project: &Project) -> Option<(&Module, String)> {
    let top = project.modules.iter().filter_map(|module| {
        let name = below(module.source.name(), &project.folder)?;
        let imports = module.imports.values().any(|import| import.module == "streamlit");
        (imports && !name.contains('/')).then(|| (&**module, name.to_owned()))
    });
    let all: Vec<(&Module, String)> = top.collect();
    let titled =
        |(_, name): &&(&Module, String)| name.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
    let mut titles = all.iter().filter(titled);
    match (all.as_slice(), titles.next(), titles.next()) {
        ([only], ..) | (_, Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn streamlit(project: &Project) -> Option<Page> {
    project.needs(&["streamlit"])?;
    let (module, file) = entry(project, "streamlit").or_else(|| only_entry(project))?;
    Some(Page {
        package: "streamlit",
        command: words(&[
            "streamlit",
            "run",
            &file,
            "--server.port",
            "8501",
            "--server.address",
            "0.0.0.0",
            "--server.headless",
            "true",
        ]),
        port: 8501,
        open_port: false,
        live: "/_stcore/health",
        websocket: Some("/_stcore/stream".to_owned()),
        settings: Vec::new(),
        bind: None,
        evidence: Evidence::file(module.source.name(), "the program that Streamlit runs"),
    })
}

fn gradio(project: &Project) -> Option<Page> {
    project.needs(&["gradio"])?;
    let (module, file) = entry(project, "gradio")?;
    let launch = (0..module.tokens.len()).find(|&at| module.is(at, "launch") && module.is(at + 1, "("))?;
    let setting = |name: &str, value: &str, reason: &str| Setting {
        name: name.to_owned(),
        value: value.to_owned(),
        reason: reason.to_owned(),
        at_build: false,
    };
    Some(Page {
        package: "gradio",
        command: words(&["python", &file]),
        port: 7860,
        open_port: false,
        live: "/",
        websocket: None,
        settings: vec![
            setting("GRADIO_SERVER_NAME", "0.0.0.0", "Gradio listens on the loopback address by itself"),
            setting("GRADIO_SERVER_PORT", "7860", "the port that the front asks"),
            setting("GRADIO_ANALYTICS_ENABLED", "False", "nothing is sent to Gradio's maker"),
        ],
        bind: None,
        evidence: Evidence::new(&module.source, module.span(launch, launch + 1), "starts the pages"),
    })
}

/// Dash is served through the application of Flask in it: `server = app.server`.
fn dash(project: &Project) -> Option<Page> {
    project.needs(&["dash"])?;
    project.needs(&["gunicorn"])?;
    let (module, at) = project.modules.iter().find_map(|module| {
        let (name, _) = module.assignments().find(|(_, value)| {
            module.dotted(*value).is_some_and(|(name, _)| name.rsplit('.').next() == Some("server"))
        })?;
        Some((module, name))
    })?;
    let dotted = apps::dotted(module.source.name(), &project.folder)?;
    let target = format!("{dotted}:{}", module.text(at));
    Some(Page {
        package: "dash",
        command: words(&[
            "gunicorn",
            "--bind",
            "0.0.0.0:8050",
            "--worker-tmp-dir",
            "/dev/shm",
            "--access-logfile",
            "-",
            "--threads",
            "4",
            &target,
        ]),
        port: 8050,
        open_port: false,
        live: "/",
        websocket: None,
        settings: Vec::new(),
        bind: None,
        evidence: Evidence::new(&module.source, module.span(at, at + 2), "the application in Dash"),
    })
}
