//! What installs the packages of a Node.js service, as commands of a Dockerfile.

use plimsoll_survey::{Fact, Gap, Install, Manager, Service, Survey, Workspace};

use super::{below, checked, relative};
use crate::{
    escape,
    stack::{CopiedFolder, Library, ManifestFile, NodeInstall, Sources},
};

/// A service in its install.
pub(super) struct InstalledService<'a> {
    pub(super) install: &'a Install,
    pub(super) service: &'a Service,
    /// The service's folder below the install's; empty where it is the same.
    pub(super) folder: &'a str,
    /// Packages of the install.
    pub(super) packages: Vec<&'a Workspace>,
}

impl<'a> InstalledService<'a> {
    pub(super) fn new(survey: &'a Survey, service: &'a Service) -> Option<Self> {
        let install = survey.install_of(service)?;
        let folder = relative(&service.path, &install.folder);
        let inside = |package: &&Workspace| {
            package.path != install.folder
                && (install.folder.is_empty() || package.path.starts_with(&format!("{}/", install.folder)))
        };
        let packages = survey.workspaces.iter().filter(inside).collect();
        Some(Self { install, service, folder, packages })
    }

    /// Whether the service is one package of several.
    fn is_member(&self) -> bool {
        !self.folder.is_empty() && self.service.package.is_some()
    }

    /// Packages go into one folder at the top, and those of the members are links there.
    fn hoists(&self) -> bool {
        self.install.manager != Manager::Pnpm
    }

    /// The way from the service's folder to the one with `node_modules`.
    pub(super) fn to_modules(&self) -> String {
        let above = self.hoists() && !self.folder.is_empty();
        if above { "../".repeat(self.folder.split('/').count()) } else { String::new() }
    }

    /// The command that runs a script of the service.
    pub(super) fn run(&self, script: &str) -> String {
        run_script(
            self.install.manager,
            self.is_member().then_some(self.service.package.as_deref()).flatten(),
            self.folder,
            script,
        )
    }
}

/// The command that runs a script of a package.
fn run_script(manager: Manager, package: Option<&str>, folder: &str, script: &str) -> String {
    let script = escape::shell(script);
    let Some(package) = package.map(quoted) else {
        let run = match manager {
            Manager::Pnpm => format!("pnpm run {script}"),
            Manager::YarnClassic | Manager::YarnBerry => format!("yarn run {script}"),
            Manager::Bun => format!("bun run {script}"),
            _ => format!("npm run {script}"),
        };
        return if folder.is_empty() { run } else { format!("cd {} && {run}", escape::shell(folder)) };
    };
    match manager {
        Manager::Pnpm => format!("pnpm --filter {package} run {script}"),
        Manager::YarnClassic | Manager::YarnBerry => format!("yarn workspace {package} run {script}"),
        Manager::Bun => format!("bun run --filter {package} {script}"),
        _ => format!("npm run {script} --workspace {package}"),
    }
}

/// A package's name as a word of a shell.
fn quoted(package: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@".contains(c);
    if package.chars().all(plain) { format!("\"{package}\"") } else { escape::shell(package) }
}

/// Where the sources of a service are and go.
pub(super) fn sources(place: &InstalledService<'_>, problems: &mut Vec<Gap>) -> Option<Sources> {
    let name = place.service.name.as_str();
    let whole = place.folder.is_empty();
    let from = if place.service.path.is_empty() { "." } else { place.service.path.as_str() };
    let from = checked::path(name, from, problems)?;
    let folder = if whole { String::new() } else { checked::path(name, place.folder, problems)? };
    let config_files = if whole { Vec::new() } else { paths(place.install, &place.install.shared_files) };
    Some(Sources {
        from: if from == "." { ".".to_owned() } else { from },
        to: if whole { "./".to_owned() } else { folder.clone() },
        workdir: if whole { "/app".to_owned() } else { format!("/app/{folder}") },
        prefix: if whole { String::new() } else { format!("{folder}/") },
        config_files,
        config_folders: if whole { Vec::new() } else { deeper(place.install) },
    })
}

/// Shared files that lie in folders of their own.
fn deeper(install: &Install) -> Vec<ManifestFile> {
    let good = install.shared_files.iter().filter(|file| checked::is_path(&file.value));
    let deep = good.filter_map(|file| Some((file, file.value.rsplit_once('/')?.0)));
    deep.map(|(file, folder)| ManifestFile {
        file: below(&install.folder, &file.value),
        folder: folder.to_owned(),
    })
    .collect()
}

fn paths(install: &Install, files: &[Fact<String>]) -> Vec<String> {
    let top = files.iter().filter(|file| !file.value.contains('/') && checked::is_path(&file.value));
    top.filter(|file| !is_folder(install, file)).map(|file| below(&install.folder, &file.value)).collect()
}

/// `patches`, `prisma`: COPY would spread what is in a folder, so each is copied to its own place.
fn is_folder(install: &Install, input: &Fact<String>) -> bool {
    let inside = format!("{}/", below(&install.folder, &input.value));
    input.evidence.iter().any(|evidence| evidence.file.starts_with(&inside))
}

/// The packages of the repository that the service needs.
pub(super) fn libraries(place: &InstalledService<'_>, problems: &mut Vec<Gap>) -> Option<Vec<Library>> {
    let mut libraries = Vec::new();
    for name in &place.service.libraries {
        let Some(package) = place.packages.iter().find(|package| package.name == *name) else { continue };
        let source = checked::path(name, &package.path, problems)?;
        let builds = package.scripts.iter().any(|script| script.value == "build");
        let folder = relative(&package.path, &place.install.folder);
        let output = match &package.output {
            Some(output) => Some(checked::path(name, &output.value, problems)?),
            None => None,
        };
        libraries.push(Library {
            path: folder.to_owned(),
            build: (builds && output.is_some())
                .then(|| run_script(place.install.manager, Some(name), folder, "build")),
            output,
            source,
        });
    }
    Some(libraries)
}

/// What installs.
pub(super) fn install(
    place: &InstalledService<'_>,
    libraries: &[Library],
    problems: &mut Vec<Gap>,
) -> Option<NodeInstall> {
    let install = place.install;
    let name = place.service.name.as_str();
    if !install.folder.is_empty() {
        checked::path(name, &install.folder, problems)?;
    }
    let version = match &install.version {
        Some(version) => Some(checked::version(name, &version.value, problems)?),
        None => None,
    };
    let mut files = vec![below(&install.folder, "package.json")];
    files.extend(install.lock_file.as_ref().map(|lock| below(&install.folder, &lock.value)));
    if install.manager == Manager::Pnpm && !place.packages.is_empty() {
        files.push(below(&install.folder, "pnpm-workspace.yaml"));
    }
    files.extend(paths(install, &install.inputs));
    let mut unique: Vec<String> = Vec::new();
    for file in files {
        if !unique.contains(&file) {
            unique.push(file);
        }
    }
    let manifests = manifests(place, libraries);
    let commands = commands(place, version.as_deref());
    let production = production(place, &commands);
    Some(NodeInstall {
        folder: install.folder.clone(),
        what: what(place),
        tool: commands.tool,
        tool_reason: if install.version.is_some() {
            "The version of `packageManager` in package.json. Not by Corepack: newer releases of Node.js come without it."
        } else {
            "The project pins no version: the newest one that reads its lock file."
        },
        compilers: compilers(install),
        files: unique,
        manifests,
        folders: input_folders(install),
        cache: commands.cache.to_owned(),
        pnpm: install.manager == Manager::Pnpm,
        cache_reason: commands.cache_reason,
        prunes: commands.prunes,
        asks_manager: !commands.prunes || place.install.manager != Manager::Npm && !keeps_all(place.service),
        production,
        development: place
            .service
            .development_packages
            .as_ref()
            .map(|package| escape::comment(&package.value)),
        all: commands.all,
        lean_script: !place.service.idle_tools.is_empty(),
        unlocked: install.lock_file.is_none(),
        own_script: install.own_script.as_ref().and_then(|script| own_script(place, &script.value)),
    })
}

/// Whether it needs the packages for development when it runs.
fn keeps_all(service: &Service) -> bool {
    service.development_packages.is_some()
}

/// The commands that leave what production needs, readable for every user and without what changes from build to build.
fn production(place: &InstalledService<'_>, commands: &Commands) -> Vec<String> {
    let all = keeps_all(place.service);
    let first = match (all, commands.prunes) {
        (true, true) => None,
        (true, false) => Some(commands.all.clone()),
        (false, _) => Some(commands.production.clone()),
    };
    let maps = r#"find . -type f \( -name "*.map" -o -name "*.d.ts" -o -name "*.d.cts" -o -name "*.d.mts" \) -delete"#;
    let leftovers = format!("rm -f {}", commands.leftovers.join(" \\\n        "));
    let mut list: Vec<String> = first.into_iter().chain(lean(place.service)).collect();
    list.extend((!all).then(|| maps.to_owned()));
    list.push(leftovers);
    // A copy of all packages has these modes already: setting them again would make a copy of each file.
    list.extend((!commands.prunes).then(|| READABLE.to_owned()));
    list
}

/// Readable for every user and writable for none but root.
const READABLE: &str = "chmod -R u=rwX,go=rX .";

/// What takes out of an install for production what nothing runs.
fn lean(service: &Service) -> Vec<String> {
    let tools: Vec<&str> = service.idle_tools.iter().map(|tool| tool.value.as_str()).collect();
    let script = (!tools.is_empty()).then(|| format!("node /lean.cjs {}", tools.join(" ")));
    let compilers = service.query_compilers.as_ref().map(|own| {
        let all = "find . -path '*/@prisma/client/runtime/*.wasm-base64.*'";
        if own.value.is_empty() {
            format!("{all} -delete")
        } else {
            format!("{all} ! -name '*.{}.*' -delete", own.value)
        }
    });
    script.into_iter().chain(compilers).collect()
}

fn what(place: &InstalledService<'_>) -> String {
    let manager = place.install.manager.label();
    let root = if place.install.folder.is_empty() {
        "the repository's root".to_owned()
    } else {
        place.install.folder.clone()
    };
    if place.packages.is_empty() {
        format!("the {manager} package in {root}")
    } else {
        format!("the {manager} workspace in {root}")
    }
}

/// Git hooks are not for images; what generates code runs when the sources are there.
fn own_script(place: &InstalledService<'_>, script: &str) -> Option<String> {
    let hook = ["prepare", "prepublish", "husky", "lefthook"].contains(&script);
    (!hook).then(|| run_script(place.install.manager, None, "", script))
}

fn manifests(place: &InstalledService<'_>, libraries: &[Library]) -> Vec<ManifestFile> {
    let manifest = |source: &str, folder: &str| ManifestFile {
        file: below(source, "package.json"),
        folder: folder.to_owned(),
    };
    let mut manifests: Vec<ManifestFile> = Vec::new();
    if place.hoists() {
        // The lock file covers all of them, and the manager compares.
        for package in place.packages.iter().filter(|package| checked::is_path(&package.path)) {
            manifests.push(manifest(&package.path, relative(&package.path, &place.install.folder)));
        }
    } else {
        manifests.extend(libraries.iter().map(|library| manifest(&library.source, &library.path)));
    }
    if !place.folder.is_empty() && manifests.iter().all(|known| known.folder != place.folder) {
        manifests.push(manifest(&place.service.path, place.folder));
    }
    manifests
}

/// Folders of inputs that are not files at the top: `patches`, `.yarn/releases`, `prisma`.
fn input_folders(install: &Install) -> Vec<CopiedFolder> {
    let mut folders: Vec<CopiedFolder> = Vec::new();
    for input in install.inputs.iter().filter(|input| checked::is_path(&input.value)) {
        let folder = match input.value.rsplit_once('/') {
            _ if is_folder(install, input) => input.value.as_str(),
            Some((folder, _)) => folder,
            None => continue,
        };
        if folders.iter().all(|known| known.to != folder) {
            folders.push(CopiedFolder { from: below(&install.folder, folder), to: folder.to_owned() });
        }
    }
    folders
}

fn compilers(install: &Install) -> Vec<String> {
    if install.native.is_empty() {
        return Vec::new();
    }
    // node-gyp before 10 imports distutils, which Python 3.12 took away (PEP 632); setuptools brings it.
    ["python3", "python3-setuptools", "make", "g++"].map(str::to_owned).to_vec()
}

struct Commands {
    tool: Option<String>,
    cache: &'static str,
    cache_reason: &'static str,
    all: String,
    /// Whether `production` takes packages out of an install of all; else it installs anew.
    prunes: bool,
    production: String,
    leftovers: Vec<String>,
}

const STORE: &str = "The store is a cache on the building machine: a new lock file downloads only what is new, and no layer holds it.";
const DOWNLOADS: &str = "Downloads are a cache on the building machine: a new lock file fetches only what is new, and no layer holds it.";

fn commands(place: &InstalledService<'_>, version: Option<&str>) -> Commands {
    let locked = place.install.lock_file.is_some();
    let member = place.is_member().then_some(place.service.package.as_deref()).flatten().map(quoted);
    let scripts = if place.install.own_script.is_some() { " --ignore-scripts" } else { "" };
    let tool = |name: &str, usual: &str| Some(format!("{name}@{}", version.unwrap_or(usual)));
    match place.install.manager {
        Manager::Pnpm => {
            let filter = member.map(|package| format!(" --filter {}", dots(&package))).unwrap_or_default();
            let frozen = if locked { " --frozen-lockfile" } else { " --no-frozen-lockfile" };
            let offline = if locked { " --offline" } else { " --prefer-offline" };
            // Its programs in node_modules/.bin are shell scripts by default, which Node.js cannot run.
            let links =
                if runs_a_link(place.service) { " --config.prefer-symlinked-executables" } else { "" };
            let modules = "node_modules/.modules.yaml node_modules/.pnpm-workspace-state*.json \
                           node_modules/.pnpm/lock.yaml";
            Commands {
                tool: tool("pnpm", "10"),
                cache: "id=pnpm,target=/pnpm/store",
                cache_reason: STORE,
                all: format!("pnpm install{frozen} --store-dir /pnpm/store{filter}{scripts}{links}"),
                prunes: true,
                // Without the option it keeps what it takes out for another week, in case it is wanted again.
                production: format!(
                    "pnpm install --prod{frozen}{offline} --config.modules-cache-max-age=0 --store-dir /pnpm/store{filter}{scripts}{links}"
                ),
                leftovers: [modules, "pnpm-lock.yaml pnpm-workspace.yaml .npmrc"].map(str::to_owned).to_vec(),
            }
        }
        Manager::YarnClassic => {
            let frozen = if locked { " --frozen-lockfile" } else { "" };
            // The stages copy /app, and nothing beside it. With the option instead, scripts of packages would not find
            // the programs of others.
            let elsewhere = place.install.modules_folder.is_some();
            let here = if elsewhere { "sed -i '/modules-folder/d' .yarnrc && " } else { "" };
            let install =
                format!("{here}yarn install{frozen} --non-interactive --cache-folder /yarn/cache{scripts}");
            Commands {
                // The image has a `yarn` of its own, which is replaced.
                tool: tool("--force yarn", "1.22.22"),
                cache: "id=yarn,target=/yarn/cache,sharing=locked",
                cache_reason: DOWNLOADS,
                prunes: true,
                production: format!("{install} --production --prefer-offline"),
                all: install,
                leftovers: vec!["node_modules/.yarn-integrity yarn.lock .npmrc".to_owned()],
            }
        }
        Manager::YarnBerry => {
            let install = if locked { "yarn install --immutable" } else { "yarn install" };
            let skip = if scripts.is_empty() { "" } else { " --mode=skip-build" };
            let focus = member.unwrap_or_else(|| "--all".to_owned());
            Commands {
                tool: tool("--force @yarnpkg/cli-dist", "4"),
                cache: "id=yarn-berry,target=/yarn/global",
                cache_reason: DOWNLOADS,
                all: format!("{install}{skip}"),
                prunes: true,
                production: format!("yarn workspaces focus --production {focus}"),
                leftovers: vec!["node_modules/.yarn-state.yml yarn.lock .yarnrc.yml .npmrc".to_owned()],
            }
        }
        Manager::Bun => {
            let frozen = if locked { " --frozen-lockfile" } else { "" };
            let install = format!("bun install{frozen}{scripts}");
            Commands {
                tool: tool("bun", "1"),
                cache: "id=bun,target=/root/.bun/install/cache",
                cache_reason: DOWNLOADS,
                // It keeps what is there already.
                prunes: false,
                production: format!("{install} --production"),
                all: install,
                leftovers: vec!["bun.lock bun.lockb .npmrc".to_owned()],
            }
        }
        _ => {
            let install = if locked { "npm ci" } else { "npm install" };
            let install = format!("{install} --no-audit --no-fund{scripts}");
            // One member of a workspace without the packages of the others is an install of its own.
            let (prunes, production) = match member {
                Some(package) => (false, format!("{install} --omit=dev --workspace {package}")),
                None => (true, "npm prune --omit=dev --no-audit --no-fund".to_owned()),
            };
            Commands {
                tool: version.map(|version| format!("npm@{version}")),
                cache: "id=npm,target=/root/.npm",
                cache_reason: DOWNLOADS,
                prunes,
                production,
                all: install,
                leftovers: vec!["node_modules/.package-lock.json package-lock.json .npmrc".to_owned()],
            }
        }
    }
}

/// Whether it runs a program of a package by its link.
fn runs_a_link(service: &Service) -> bool {
    let mut words = service.commands().flat_map(|command| &command.value);
    words.any(|word| word.starts_with("node_modules/.bin/"))
}

/// `"@shop/api"` -> `"@shop/api..."`: with what it depends on.
fn dots(package: &str) -> String {
    let quote = package.chars().last().unwrap_or('"');
    format!("{}...{quote}", package.trim_end_matches(quote))
}
