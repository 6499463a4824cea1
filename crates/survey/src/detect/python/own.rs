//! A program of the project's own that its image starts: it may prepare what the application needs before it serves it.

use super::{apps::App, command::Served, project::Project};
use crate::{
    context::{has_extension, join},
    detect::platform::{Launch, Platform},
    model::{Confidence, Evidence, Fact, Question, Service, Survey, Writes},
    python::Module,
};

/// Takes the command of the team's own image where that is a program and no server; asks, since the application that was
/// found could be served without it.
pub(super) fn program(
    platform: &Platform,
    project: &Project,
    app: &App,
    served: &mut Served,
    service: &mut Service,
    survey: &mut Survey,
) -> bool {
    let near = |launch: &&Launch| launch.folder == app.root || launch.folder == project.folder;
    let web = platform.launches.iter().filter(|launch| launch.process == "web").filter(near);
    let found = web.filter_map(|launch| {
        let words = &launch.line.as_ref()?.words;
        let module = started(project, &launch.folder, words)?;
        (module.source.name() != app.file && !serves_for_a_developer(module)).then_some((launch, words))
    });
    let Some((launch, words)) = found.take(1).next() else { return false };
    let own = words.join(" ");
    let other = served.command.value.join(" ");
    let evidence = vec![launch.evidence.clone(), app.evidence.clone()];
    survey.questions.push(Question {
        id: format!("{}.command", service.name),
        text: format!(
            "The team's image starts a program of its own, and {} could be served without it. Which command counts?",
            app.target()
        ),
        options: vec![own.clone(), other],
        default: Some(own.clone()),
        confidence: Confidence::Likely,
        evidence: evidence.clone(),
    });
    if platform.ports.iter().all(|port| port.folder != launch.folder) {
        survey.questions.push(Question {
            id: format!("{}.port", service.name),
            text: "Its own program chooses its port. On which one does it listen?".to_owned(),
            options: Vec::new(),
            default: Some(served.port.value.to_string()),
            confidence: Confidence::Open,
            evidence,
        });
    }
    service.writes.extend(folders(words, &launch.evidence));
    served.command = Fact::new(words.clone(), launch.evidence.clone());
    served.start = Some(Fact::new(own, launch.evidence.clone()));
    served.adds = None;
    true
}

/// The module that `python FILE` or `python -m MODULE` starts.
fn started<'a>(project: &'a Project, folder: &str, words: &[String]) -> Option<&'a Module> {
    let program = words.first()?.rsplit('/').next()?;
    if !program.starts_with("python") {
        return None;
    }
    // Options of Python itself take no values but for `-m`.
    let at = (1..words.len()).find(|&at| !words[at].starts_with('-') || words[at] == "-m")?;
    let path = if words[at] == "-m" {
        let path = join(folder, &words.get(at + 1)?.replace('.', "/"));
        return Some(
            project
                .module(&format!("{path}/__main__.py"))
                .or_else(|| project.module(&format!("{path}.py")))?,
        );
    } else {
        words[at].trim_start_matches("./")
    };
    has_extension(path, "py").then(|| project.module(&join(folder, path)))?.map(|module| &**module)
}

/// Whether a program runs its framework's server for developers, or a server of its packages by its name: what a server for
/// production does as well.
fn serves_for_a_developer(module: &Module) -> bool {
    (1..module.tokens.len()).any(|at| {
        let called = module.is(at + 1, "(");
        (called && module.is(at - 1, ".") && module.is(at, "run"))
            || (called && matches!(module.text(at), "run_simple" | "run_app" | "execute_from_command_line"))
    })
}

/// Absolute folders among the arguments of a program: `-d /datastore`.
fn folders(words: &[String], evidence: &Evidence) -> Vec<Writes> {
    let ours = ["/app", "/usr", "/etc", "/bin", "/lib", "/proc", "/sys", "/dev", "/tmp", "/run", "/opt"];
    let folder = |word: &&String| {
        let top = word.split('/').nth(1).map_or(String::new(), |top| format!("/{top}"));
        let last = word.rsplit('/').next().unwrap_or_default();
        word.starts_with('/') && !ours.contains(&top.as_str()) && !last.is_empty() && !last.contains('.')
    };
    let fact = |word: &String| {
        let evidence =
            Evidence { reason: "its own command names this folder".to_owned(), ..evidence.clone() };
        Writes { path: Fact::new(word.clone(), evidence), keep: true }
    };
    words.iter().skip(1).filter(folder).map(fact).collect()
}
