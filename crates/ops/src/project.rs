//! Which Compose project a verb is about: files, variables, name and profiles, from options, `COMPOSE_*`, `.env` and
//! plimsoll.toml.

use std::{
    collections::BTreeSet,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Once,
};

use plimsoll_compose::{LoadOptions, Project, ReadFiles, dotenv};
use plimsoll_source::{Diagnostic, Source};

use crate::{Event, Failure, is_in_place, policy::Root, reporter, variables};

/// What names a project; the same for every verb that works on one.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Compose file, `-` for standard input; may be given several times [default: compose.yaml here or above]
    pub files: Vec<String>,
    /// Project name.
    pub project_name: Option<String>,
    /// Directory that relative paths start from [default: the first file's]
    pub project_directory: Option<PathBuf>,
    /// Profile to activate; may be given several times.
    pub profiles: Vec<String>,
    /// File of variables instead of .env; may be given several times.
    pub env_files: Vec<PathBuf>,
    /// Networks, volumes, secrets and configs that no service uses count too.
    pub all_resources: bool,
    /// Names like those of docker-compose 1: shop_web_1.
    pub compatibility: bool,
}

/// The variables of a project: the environment, and what the files of variables add to it.
struct Variables {
    here: PathBuf,
    env: indexmap::IndexMap<String, String>,
    /// Files that have been read.
    read: Vec<PathBuf>,
}

/// The largest file of variables or Compose file that is read.
const MAX_BYTES: u64 = 16 << 20;

/// Reads from the disk.
pub struct Disk;

impl ReadFiles for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        let bytes = plimsoll_disk::read_named(path, MAX_BYTES)?;
        String::from_utf8(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8"))
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }
}

impl Selection {
    /// Loads the project; what is odd about it goes to stderr.
    pub fn load(&self, root: &Root) -> Result<Project, Failure> {
        self.load_for(root, &[])
    }

    /// Whether a person gave the project's name for this call.
    pub fn names_the_project(&self) -> bool {
        let variable = std::env::var_os("COMPOSE_PROJECT_NAME");
        self.project_name.is_some() || variable.is_some_and(|name| !name.is_empty())
    }

    /// The same with the profiles of services that were named.
    pub fn load_for(&self, root: &Root, services: &[String]) -> Result<Project, Failure> {
        let mut options = self.options(root)?;
        activate(&mut options, services)?;
        self.load_with(options).map(|(project, _)| project)
    }

    /// The project of options that were changed since; gives its variables too.
    pub fn load_with(
        &self,
        options: LoadOptions,
    ) -> Result<(Project, indexmap::IndexMap<String, String>), Failure> {
        let mut project = plimsoll_compose::load(&options, &Disk)?;
        // What only disabled services use is not made.
        if !self.all_resources {
            project.remove_unused_resources();
        }
        warn(&project.warnings);
        note_unknown_profiles(&project);
        Ok((project, options.env))
    }

    /// The project as far as verbs about containers that exist need it: nothing is read that only a new container
    /// needs, and what does not fit together is no matter.
    pub fn load_existing(&self, root: &Root, services: &[String]) -> Result<Project, Failure> {
        let mut options = self.options(root)?;
        options.resolve_environment = false;
        options.check_consistency = false;
        activate(&mut options, services)?;
        self.load_with(options).map(|(project, _)| project)
    }

    /// The environment and `.env`, also where no Compose file is.
    pub fn environment(&self) -> Result<indexmap::IndexMap<String, String>, Failure> {
        self.variables().map(|variables| variables.env)
    }

    fn variables(&self) -> Result<Variables, Failure> {
        let here = std::env::current_dir()?;
        let mut env: indexmap::IndexMap<String, String> = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let mut read = Vec::new();
        let first_guess = self.directory_of(self.files.iter(), &here);
        self.read_variables(&first_guess, &here, &mut env, &mut read)?;
        Ok(Variables { here, env, read })
    }

    /// Everything that [`plimsoll_compose::load`] needs to know.
    pub fn options(&self, root: &Root) -> Result<LoadOptions, Failure> {
        let Variables { here, mut env, mut read } = self.variables()?;
        let paths = self.paths(root, &env)?;
        let directory = self.directory_of(paths.iter(), &here);
        self.read_variables(&directory, &here, &mut env, &mut read)?;
        let files = paths.iter().map(|path| source(path, &here)).collect::<Result<Vec<_>, _>>()?;
        let mut options = LoadOptions::new(files, &directory);
        options.all_resources = self.all_resources;
        let variable = "COMPOSE_COMPATIBILITY";
        options.compatibility =
            self.compatibility || variables::is_on(variable, env.get(variable).map(String::as_str));
        let listed = |key: &str| -> Vec<String> {
            let list = env.get(key).map(String::as_str).unwrap_or_default();
            list.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
        };
        options.profiles =
            if self.profiles.is_empty() { listed("COMPOSE_PROFILES") } else { self.profiles.clone() };
        options.project_name = self
            .project_name
            .clone()
            .or_else(|| env.get("COMPOSE_PROJECT_NAME").filter(|name| !name.is_empty()).cloned());
        // A file's own `name:` counts for docker compose too, so it goes before the policy's.
        let folder = directory.file_name().map(|name| name.to_string_lossy().into_owned());
        options.default_name = root.policy.project.name.clone().or(folder);
        options.env = env;
        Ok(options)
    }

    /// The files as given, else of `COMPOSE_FILE`, else the policy's, else those that lie here or above.
    fn paths(&self, root: &Root, env: &indexmap::IndexMap<String, String>) -> Result<Vec<String>, Failure> {
        if !self.files.is_empty() {
            return Ok(self.files.clone());
        }
        if let Some(list) = env.get("COMPOSE_FILE").filter(|list| !list.is_empty()) {
            let separator =
                env.get("COMPOSE_PATH_SEPARATOR").filter(|text| !text.is_empty()).map_or(":", String::as_str);
            return Ok(list.split(separator).filter(|path| !path.is_empty()).map(str::to_owned).collect());
        }
        if let Some(file) = root.policy.project.compose.as_ref().filter(|_| self.project_directory.is_none())
        {
            return Ok(vec![root.dir.join(file).to_string_lossy().into_owned()]);
        }
        let start = self.project_directory.as_deref().unwrap_or(&root.dir);
        let start = std::path::absolute(start)?;
        match plimsoll_compose::discover(&start, &Disk) {
            Some(paths) => Ok(paths.into_iter().map(|path| path.to_string_lossy().into_owned()).collect()),
            None => Err(Failure::new(
                format!("no compose file in {} or above it", start.display()),
                "name one with -f, write one with `plimsoll init`, or name a project that runs with -p or \
                 COMPOSE_PROJECT_NAME",
            )),
        }
    }

    fn directory_of<'f>(&self, mut files: impl Iterator<Item = &'f String>, here: &Path) -> PathBuf {
        if let Some(directory) = &self.project_directory {
            return here.join(directory);
        }
        match files.find(|file| *file != "-") {
            Some(file) => here.join(file).parent().map_or_else(|| here.to_path_buf(), Path::to_path_buf),
            None => here.to_path_buf(),
        }
    }

    /// Adds variables that the environment lacks, from the given files or from `.env` in `directory`.
    fn read_variables(
        &self,
        directory: &Path,
        here: &Path,
        env: &mut indexmap::IndexMap<String, String>,
        read: &mut Vec<PathBuf>,
    ) -> Result<(), Failure> {
        let listed: Vec<PathBuf> = match env.get("COMPOSE_ENV_FILES") {
            Some(list) if self.env_files.is_empty() => {
                list.split(',').filter(|file| !file.is_empty()).map(PathBuf::from).collect()
            }
            _ => self.env_files.clone(),
        };
        let (files, required) = if listed.is_empty() {
            const DISABLE: &str = "COMPOSE_DISABLE_ENV_FILE";
            if variables::is_on(DISABLE, env.get(DISABLE).map(String::as_str)) {
                return Ok(());
            }
            (vec![directory.join(".env")], false)
        } else {
            (listed.into_iter().map(|file| here.join(file)).collect(), true)
        };
        let mut found = dotenv::Variables::new();
        for file in files {
            if read.contains(&file) || (!required && !file.is_file()) {
                continue;
            }
            let text = Disk.read(&file).map_err(|error| {
                Failure::new(
                    format!("cannot read {}: {error}", file.display()),
                    "check the path given with --env-file",
                )
            })?;
            dotenv::parse(&text, &mut found, &|name| env.get(name).map(String::as_str))
                .map_err(|error| Failure::new(format!("{}: {error}", file.display()), "correct the line"))?;
            read.push(file);
        }
        for (key, value) in found {
            env.entry(key).or_insert(value);
        }
        Ok(())
    }
}

/// Makes the profiles of services active that a verb names: who names a service wants it.
pub fn activate(options: &mut LoadOptions, services: &[String]) -> Result<(), Failure> {
    if services.is_empty() {
        return Ok(());
    }
    let shape = LoadOptions {
        resolve_environment: false,
        check_consistency: false,
        services: Vec::new(),
        ..options.clone()
    };
    let shape = plimsoll_compose::load(&shape, &Disk)?;
    for name in services {
        let hidden = shape.disabled_services.get(name);
        options.profiles.extend(hidden.into_iter().flat_map(|service| service.profiles.iter().cloned()));
    }
    Ok(())
}

/// The project lacks a service that was named.
pub fn no_service(project: &Project, name: &str) -> Failure {
    let mut known: Vec<String> = project.services.keys().cloned().collect();
    let hidden = project.disabled_services.iter();
    known.extend(hidden.map(|(name, service)| format!("{name} (profile {})", service.profiles.join(", "))));
    let title = if is_in_place() {
        format!("no such service: {name}")
    } else {
        format!("project {} has no service {name}", project.name)
    };
    Failure::new(
        title,
        if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) },
    )
}

/// The service and what it needs, directly or not.
pub fn needed<'a>(project: &'a Project, service: &'a str, alone: bool) -> Vec<&'a str> {
    let mut needed = vec![service];
    let mut at = 0;
    while !alone && at < needed.len() {
        if let Some(found) = project.services.get(needed[at]) {
            let namespaces = [&found.network_mode, &found.ipc, &found.pid]
                .into_iter()
                .filter_map(|mode| mode.as_deref()?.strip_prefix("service:"));
            let more: Vec<&str> = found
                .depends_on
                .keys()
                .map(String::as_str)
                .chain(namespaces)
                .filter(|name| !needed.contains(name))
                .collect();
            needed.extend(more);
        }
        at += 1;
    }
    needed
}

/// Refuses names that no service of the project has.
pub fn check_names<'a>(
    project: &Project,
    mut names: impl Iterator<Item = &'a String>,
) -> Result<(), Failure> {
    match names.find(|name| !project.services.contains_key(name.as_str())) {
        Some(unknown) => Err(no_service(project, unknown)),
        None => Ok(()),
    }
}

/// File names as labels have them: other tools look for them from other directories.
pub fn absolute_files(project: &mut Project) {
    for file in &mut project.files {
        if file != "<stdin>"
            && let Ok(path) = std::path::absolute(&*file)
        {
            *file = path.to_string_lossy().into_owned();
        }
    }
}

/// A file under the name that the user would call it.
fn source(path: &str, here: &Path) -> Result<Source, Failure> {
    if path == "-" {
        // Far more than the reader of YAML takes, so that it says what is wrong.
        let text = io::read_to_string(io::stdin().take(MAX_BYTES))?;
        return Ok(Source::new("<stdin>", text));
    }
    let full = here.join(path);
    let text = Disk.read(&full).map_err(|error| {
        Failure::new(format!("cannot read {path}: {error}"), "check the path given with -f")
    })?;
    let name =
        full.strip_prefix(here).map_or_else(|_| path.to_owned(), |path| path.to_string_lossy().into_owned());
    Ok(Source::new(name, text))
}

/// Prints what is odd, each kind of it once.
pub fn warn(warnings: &[Diagnostic]) {
    let mut said: Vec<&str> = Vec::new();
    for warning in warnings {
        if !said.contains(&warning.title.as_str()) {
            said.push(&warning.title);
            reporter().report(Event::Warning(warning));
        }
    }
}

/// Says of active profiles that no service has, once: a name that is mistyped starts less than was meant.
fn note_unknown_profiles(project: &Project) {
    static SAID: Once = Once::new();
    let unknown = unknown_profiles(project);
    if unknown.is_empty() {
        return;
    }
    SAID.call_once(|| {
        let known: Vec<&str> = known_profiles(project).into_iter().collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        for profile in unknown {
            note!("note: no service has the profile `{profile}`; the project has {known}");
        }
    });
}

fn known_profiles(project: &Project) -> BTreeSet<&str> {
    let services = project.services.values().chain(project.disabled_services.values());
    services.flat_map(|service| &service.profiles).map(String::as_str).collect()
}

fn unknown_profiles(project: &Project) -> BTreeSet<&str> {
    let known = known_profiles(project);
    let asked = project.profiles.iter().map(String::as_str);
    asked.filter(|profile| *profile != "*" && !known.contains(profile)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn no_compose_file_names_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root { dir: dir.path().to_path_buf(), policy: crate::policy::Policy::default() };
        let error = Selection::default().load(&root).unwrap_err();
        assert!(error.diagnostics[0].title.contains("no compose file"), "{error:?}");
    }

    #[test]
    fn profiles_that_no_service_has_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let text = "services:\n  web: { image: web:1 }\n  tool: { image: tool:1, profiles: [tools] }\n";
        fs::write(dir.path().join("compose.yaml"), text).unwrap();
        let root = Root { dir: dir.path().to_path_buf(), policy: crate::policy::Policy::default() };
        let unknown = |profiles: &[&str]| -> Vec<String> {
            let profiles = profiles.iter().map(ToString::to_string).collect();
            let project = Selection { profiles, ..Selection::default() }.load(&root).unwrap();
            unknown_profiles(&project).into_iter().map(str::to_owned).collect()
        };
        assert_eq!(unknown(&["tools"]), [""; 0]);
        assert_eq!(unknown(&["*"]), [""; 0]);
        assert_eq!(unknown(&["tolos", "tools", "tolos"]), ["tolos"]);
    }

    #[test]
    fn the_policy_names_the_file_and_dotenv_fills_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(
            dir.path().join("stack.yml"),
            "services:\n  web:\n    image: web:${PLIMSOLL_TEST_RELEASE}\n",
        )
        .unwrap();
        fs::write(dir.path().join(".env"), "PLIMSOLL_TEST_RELEASE=7\n").unwrap();
        let mut policy = crate::policy::Policy::default();
        policy.project.compose = Some("stack.yml".into());
        policy.project.name = Some("named".into());
        let root = Root { dir: dir.path().to_path_buf(), policy };
        let project = Selection::default().load(&root).unwrap();
        assert_eq!(project.name, "named");
        assert_eq!(project.services["web"].image.as_deref(), Some("web:7"));
    }
}
