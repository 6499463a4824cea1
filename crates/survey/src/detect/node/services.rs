//! Which packages are deployed, as what, and with which command.

use std::collections::HashSet;

use super::{build, build_steps, command, frameworks, packages, procfile, tasks};
use crate::{
    context::{Context, has_extension, host_name, join},
    javascript::values::Program,
    manifest::Manifest,
    model::{
        Confidence, Ecosystem, Evidence, Fact, Framework, Gap, Migration, Question, Role, Service, Setting,
        Survey, is_below,
    },
    rules,
};

/// A package that is looked at, with the program that it runs.
pub(super) struct Candidate<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) manifest: &'a Manifest,
    pub(super) program: &'a Program,
    /// Other packages of the repository depend on it.
    pub(super) used: bool,
}

impl Candidate<'_> {
    /// A file of the package.
    pub(super) fn has(&self, file: &str) -> bool {
        self.context.repository.contains(&join(&self.manifest.folder, file))
    }

    /// The first of these files that is there, as tokens.
    pub(super) fn config(&self, stem: &str) -> Option<std::rc::Rc<crate::javascript::Script>> {
        ["ts", "js", "mjs", "mts", "cjs", "cts"].iter().find_map(|extension| {
            self.context.script(&join(&self.manifest.folder, &format!("{stem}.{extension}")))
        })
    }

    /// Whether the own program, its libraries left out, calls `listen` or something like it.
    pub(super) fn listens(&self) -> bool {
        super::port::listens(self.program, &self.manifest.folder)
    }

    /// The script that builds runs this program.
    pub(super) fn builds_with(&self, program: &str) -> bool {
        self.build_commands().iter().any(|words| words.iter().any(|word| word == program))
    }

    /// What the script that builds runs in the end.
    pub(super) fn build_commands(&self) -> Vec<tasks::Command> {
        let scripts = ["build", "build:prod"].into_iter();
        let lines = scripts.filter_map(|name| Some((name, self.manifest.script(name)?.0)));
        lines.flat_map(|(name, line)| tasks::commands(self.manifest, name, line)).collect()
    }
}

pub(in crate::detect) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let used: HashSet<String> = survey
        .workspaces
        .iter()
        .flat_map(|workspace| &workspace.uses)
        .map(|used| used.value.clone())
        .collect();
    for workspace in &mut survey.workspaces {
        let Some(manifest) = context.manifest(&workspace.path) else { continue };
        workspace.output =
            if is_used_from_sources(manifest) { None } else { build::output(context, manifest) };
    }
    let members: HashSet<String> = survey.workspaces.iter().map(|workspace| workspace.path.clone()).collect();
    for manifest in &context.manifests {
        let folder = &manifest.folder;
        if !members.contains(folder) && packages::is_left_out(folder) {
            continue;
        }
        let program = context.closure(survey, folder);
        let name = manifest.name().map(|name| name.value);
        let candidate = Candidate {
            context,
            manifest,
            program: &program,
            used: name.is_some_and(|name| used.contains(&name)),
        };
        match frameworks::recognise(&candidate) {
            Some(found) => add(&candidate, survey, found),
            None => survey.gaps.extend(frameworks::unknown(&candidate, survey.workspaces.len())),
        }
    }
    documentation_beside_an_application(survey);
    starts_of_other_packages(context, survey);
}

/// A start script that leads into another package's folder starts that package: it is no second service.
fn starts_of_other_packages(context: &Context<'_>, survey: &mut Survey) {
    let mut services = std::mem::take(&mut survey.services);
    let mut at = 0;
    while at < services.len() {
        let Some((owner, command)) = leads_to(context, &services, &services[at]) else {
            at += 1;
            continue;
        };
        let outer = services.remove(at);
        let Some(inner) = services.iter_mut().find(|service| service.path == owner) else { continue };
        survey.gaps.push(Gap {
            rule: rules::LEFT_OUT,
            subject: outer.name.clone(),
            message: format!(
                "its start script leads into {owner}: that package is deployed, and no second service"
            ),
            hint: "nothing has to be done, unless the two differ".to_owned(),
            evidence: command.evidence.clone(),
        });
        if inner.command.is_none() {
            inner.start = outer.start;
            inner.command = Some(command);
            survey.questions.retain(|question| question.id != format!("{}.command", inner.name));
        }
        survey.questions.retain(|question| question.id != format!("{}.command", outer.name));
    }
    survey.services = services;
}

/// The folder of another service in which the program of this one lies, and the command as it runs there.
fn leads_to(
    context: &Context<'_>,
    services: &[Service],
    outer: &Service,
) -> Option<(String, Fact<Vec<String>>)> {
    let command = outer.command.as_ref()?;
    let word =
        command.value.iter().skip(1).position(|word| {
            !word.starts_with('-') && context.repository.contains(&join(&outer.path, word))
        })? + 1;
    let file = join(&outer.path, &command.value[word]);
    let inner = services
        .iter()
        .filter(|service| service.ecosystem == Ecosystem::Node && service.role != Role::Site)
        .filter(|service| service.path.len() > outer.path.len() && is_below(&file, &service.path))
        .max_by_key(|service| service.path.len())?;
    let mut own = command.clone();
    file.get(inner.path.len()..)?.trim_start_matches('/').clone_into(&mut own.value[word]);
    Some((inner.path.clone(), own))
}

/// Its entry is a source file: the package that imports it compiles it too, or runs it as it is.
fn is_used_from_sources(manifest: &Manifest) -> bool {
    let entry = ["exports", "main", "module"].iter().find_map(|key| manifest.string(&[key], ""));
    let entry = entry.or_else(|| manifest.string(&["exports", "."], ""));
    let entry = entry.or_else(|| {
        ["default", "import", "require"].iter().find_map(|key| manifest.string(&["exports", ".", key], ""))
    });
    entry.is_some_and(|entry| {
        let path = entry.value.trim_start_matches("./");
        path.starts_with("src/") || has_extension(path, "ts") && !path.ends_with(".d.ts")
    })
}

fn add(candidate: &Candidate<'_>, survey: &mut Survey, found: frameworks::Found) {
    let manifest = candidate.manifest;
    let folder = manifest.folder.rsplit('/').next().filter(|name| !name.is_empty());
    let name = manifest.short_name().or_else(|| folder.map(str::to_owned));
    // Questions and gaps of it are asked and said by this name.
    let name = unique_name(survey, host_name(&name.unwrap_or_else(|| "app".to_owned())), &manifest.folder);
    let mut service = Service::new(name, manifest.folder.clone(), Ecosystem::Node, found.role);
    service.package = manifest.name().map(|name| name.value);
    service.libraries = service.package.as_deref().map(|name| libraries(survey, name)).unwrap_or_default();
    service.frameworks = found.frameworks;
    service.build = found.build.or_else(|| build::build(manifest));
    service.checks = build::checks(manifest);
    service.output = found.output.or_else(|| build::output(candidate.context, manifest));
    service.shape = found.shape;
    service.ships = found.ships;
    service.build_cache = found.build_cache;
    service.single_page = found.single_page;
    service.hashed_assets = found.hashed_assets;
    service.stops_gracefully = found.stops;
    service.settings = found.settings;
    service.command = found.command;
    service.port = found.port;
    service.port_variable = found.port_variable;
    service.bind = found.bind;
    survey.gaps.extend(found.gaps.into_iter().map(|gap| Gap { subject: service.name.clone(), ..gap }));
    if let Some(output) = &service.output {
        service.checks_need_build = build::read_output(manifest, &service.checks, &output.value);
    }
    build_steps::detect(candidate, survey, &mut service);
    if matches!(service.role, Role::Site) {
        survey.services.push(service);
        return;
    }
    if service.command.is_none() {
        start(candidate, survey, &mut service);
    }
    survey.services.push(service);
}

/// Scripts that start what a package serves, the one for production first.
pub(super) const STARTS: [&str; 7] =
    ["start:prod", "start:production", "serve:prod", "prod", "production", "start", "serve"];

/// The command of a server or worker, from its scripts.
fn start(candidate: &Candidate<'_>, survey: &mut Survey, service: &mut Service) {
    let (context, manifest) = (candidate.context, candidate.manifest);
    let started = command::started(context, manifest, &STARTS);
    let mut refused = None;
    if let Some(started) = started {
        let evidence = started.start.evidence.clone();
        service.start = Some(started.start);
        for (name, value) in started.line.settings {
            let reason = "the start script sets it".to_owned();
            service.settings.push(Setting { name, value, reason, at_build: false });
        }
        let mut programs = started.line.programs;
        refused = started.line.refused;
        if refused.is_none() {
            // What runs in front of the server once: a migration.
            if let (2.., Some(first)) = (programs.len(), programs.first())
                && first.iter().any(|word| word.contains("migrat"))
            {
                let tool = own_program(&evidence);
                let command = Some(Fact { value: first.clone(), evidence: evidence.clone() });
                service.migration =
                    Some(Migration { tool, script: None, command, folder: None, files: Vec::new() });
            }
            // `tsc && node dist/index.js`: what the start script builds is built with the image.
            if service.build.is_none() && started_alone(candidate) {
                let npx = |words: Vec<String>| std::iter::once("npx".to_owned()).chain(words).collect();
                let builds = started.line.builds.into_iter().map(npx);
                service.build_commands =
                    builds.map(|value| Fact { value, evidence: evidence.clone() }).collect();
            }
            service.command = programs.pop().map(|value| Fact { value, evidence });
        }
    }
    // `nf start` starts what the Procfile says.
    if service.command.is_none()
        && let Some(command) = procfile::web(context, manifest)
    {
        service.command = Some(command);
    }
    // What `npm init` writes counts only where the file is there.
    if service.command.is_none()
        && service.start.is_none()
        && let Some(main) = manifest
            .string(&["main"], "the package's entry")
            .filter(|main| candidate.has(main.value.trim_start_matches("./")))
    {
        let file = main.value.trim_start_matches("./").to_owned();
        if [".js", ".mjs", ".cjs"].iter().any(|end| file.ends_with(end)) {
            service.start = Some(Fact { value: format!("node {file}"), evidence: main.evidence.clone() });
            service.command = Some(Fact { value: vec!["node".to_owned(), file], evidence: main.evidence });
        }
    }
    if service.command.is_none() {
        ask(candidate, survey, service, refused.as_deref());
    }
}

/// Its packages are installed in its own folder: commands run there.
fn started_alone(candidate: &Candidate<'_>) -> bool {
    candidate.manifest.folder.is_empty()
        || super::installs::has_lock(candidate.context, &candidate.manifest.folder)
}

fn own_program(evidence: &[Evidence]) -> Framework {
    Framework { name: "own program".to_owned(), version: String::new(), evidence: evidence.to_vec() }
}

/// Nobody says what production runs: the file that listens is proposed.
fn ask(candidate: &Candidate<'_>, survey: &mut Survey, service: &Service, refused: Option<&str>) {
    let proposal = proposal(candidate);
    let evidence = service
        .start
        .as_ref()
        .map(|start| start.evidence.clone())
        .or_else(|| proposal.as_ref().map(|(_, evidence)| vec![evidence.clone()]))
        .unwrap_or_else(|| vec![Evidence::file(candidate.manifest.source.name(), "no script starts it")]);
    let text = match (&service.start, refused) {
        (Some(start), Some(reason)) => {
            format!(
                "Which program starts {} in production? `{}` does not say: {reason}.",
                service.name, start.value
            )
        }
        _ => format!("Which program starts {} in production? No script says it.", service.name),
    };
    let default = proposal.map(|(command, _)| command);
    survey.questions.push(Question {
        id: format!("{}.command", service.name),
        text,
        options: default.iter().cloned().collect(),
        confidence: if default.is_some() { Confidence::Likely } else { Confidence::Open },
        default,
        evidence,
    });
}

/// `node FILE` for the one file that listens.
fn proposal(candidate: &Candidate<'_>) -> Option<(String, Evidence)> {
    let (file, evidence) = super::port::listening_file(candidate.program, &candidate.manifest.folder)?;
    let below = file.get(candidate.manifest.folder.len()..)?.trim_start_matches('/');
    let script = [".js", ".mjs", ".cjs"].iter().any(|end| below.ends_with(end));
    let entry =
        if script { below.to_owned() } else { build::built(candidate.context, candidate.manifest, below)? };
    Some((format!("node {entry}"), evidence))
}

/// Documentation beside an application is not deployed; alone it is what there is.
fn documentation_beside_an_application(survey: &mut Survey) {
    let is_documentation = |service: &Service| {
        let tool = service.frameworks.first().map_or("", |tool| tool.name.as_str());
        matches!(tool, "@docusaurus/core" | "vitepress" | "vuepress" | "nextra" | "storybook")
            || service.path.split('/').any(|part| matches!(part, "docs" | "documentation" | "storybook"))
    };
    if survey.services.iter().all(is_documentation) {
        return;
    }
    let (left_out, kept): (Vec<Service>, Vec<Service>) =
        std::mem::take(&mut survey.services).into_iter().partition(is_documentation);
    survey.services = kept;
    survey.gaps.extend(left_out.into_iter().map(|service| Gap {
        rule: rules::LEFT_OUT,
        message: "documentation beside an application: it is left out".to_owned(),
        hint: "survey its folder alone to deploy it".to_owned(),
        evidence: service.frameworks.first().map(|tool| tool.evidence.clone()).unwrap_or_default(),
        subject: service.name,
    }));
}

/// Two packages of one name are told apart by their folders, else by a number.
fn unique_name(survey: &Survey, name: String, path: &str) -> String {
    let taken = |name: &str| survey.services.iter().any(|service| service.name == name);
    if !taken(&name) {
        return name;
    }
    let folder = host_name(&path.replace('/', "-"));
    let base = if taken(&folder) { name } else { folder };
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    std::iter::once(base.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(base)
}

/// The workspaces that must be built before `package`, each behind those that it uses itself.
pub(crate) fn libraries(survey: &Survey, package: &str) -> Vec<String> {
    fn visit(survey: &Survey, package: &str, seen: &mut Vec<String>, order: &mut Vec<String>) {
        let Some(workspace) = survey.workspaces.iter().find(|workspace| workspace.name == package) else {
            return;
        };
        for used in &workspace.uses {
            if !seen.contains(&used.value) {
                seen.push(used.value.clone());
                visit(survey, &used.value, seen, order);
                order.push(used.value.clone());
            }
        }
    }
    let (mut seen, mut order) = (vec![package.to_owned()], Vec::new());
    visit(survey, package, &mut seen, &mut order);
    order
}

/// The dependency as a framework.
pub(super) fn framework(manifest: &Manifest, name: &str, reason: &str) -> Option<Framework> {
    let dependency = manifest.any_dependency(name)?;
    Some(Framework {
        name: dependency.name.to_owned(),
        version: dependency.range.to_owned(),
        evidence: vec![Evidence::new(&manifest.source, dependency.span, reason)],
    })
}
