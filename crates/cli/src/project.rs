//! The compose project that a verb works on: which files, which variables, which name.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use plimsoll_compose::{LoadOptions, Project, ReadFiles, dotenv};
use plimsoll_source::Source;

use crate::{error::CommandError, policy::Root};

/// Compose's own names for its file, the first that exists wins, and of the file that overrides it.
const NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
const OVERRIDES: [&str; 4] =
    ["compose.override.yaml", "compose.override.yml", "docker-compose.override.yaml", "docker-compose.override.yml"];
/// The variables for `${...}` beside the project.
const DOTENV: &str = ".env";

/// Loads the project from `files`, else from the file that the policy names, else by compose's own search.
pub(crate) fn load(root: &Root, files: &[PathBuf]) -> Result<Project, CommandError> {
    let files = if files.is_empty() { find(root)? } else { files.to_vec() };
    let files = files
        .iter()
        .map(|file| std::path::absolute(file).map_err(|error| unreadable(file, &error)))
        .collect::<Result<Vec<_>, _>>()?;
    let sources = files.iter().map(|file| source(file)).collect::<Result<Vec<_>, _>>()?;
    let working_dir =
        files.first().and_then(|file| file.parent()).map_or_else(|| root.dir.clone(), Path::to_path_buf);
    let mut options = LoadOptions::new(sources, &working_dir);
    options.env = variables(&working_dir)?;
    let given = options.env.get("COMPOSE_PROJECT_NAME").filter(|name| !name.is_empty());
    options.project_name = given.cloned().or_else(|| root.policy.project.name.clone());
    options.default_name = working_dir.file_name().and_then(|name| project_name(&name.to_string_lossy()));
    options.profiles = options
        .env
        .get("COMPOSE_PROFILES")
        .map(|profiles| profiles.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned))
        .map(Iterator::collect)
        .unwrap_or_default();
    plimsoll_compose::load(&options, &Disk).map_err(CommandError::from)
}

fn find(root: &Root) -> Result<Vec<PathBuf>, CommandError> {
    if let Some(file) = &root.policy.project.compose {
        return Ok(vec![root.dir.join(file)]);
    }
    let first = |names: [&str; 4]| names.into_iter().map(|name| root.dir.join(name)).find(|path| path.is_file());
    let file = first(NAMES).ok_or_else(|| {
        CommandError::new(
            format!("no compose file in {}", root.dir.display()),
            "run `plimsoll init`, or name the file with `--file` or in plimsoll.toml",
        )
    })?;
    Ok(std::iter::once(file).chain(first(OVERRIDES)).collect())
}

fn source(file: &Path) -> Result<Source, CommandError> {
    let text = fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    Ok(Source::new(file.display().to_string(), text))
}

/// The process's variables, which win, and those of `.env`.
fn variables(dir: &Path) -> Result<dotenv::Variables, CommandError> {
    let own: dotenv::Variables = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let mut all = dotenv::Variables::new();
    let file = dir.join(DOTENV);
    match fs::read_to_string(&file) {
        Ok(text) => dotenv::parse(&text, &mut all, &|key| own.get(key).map(String::as_str))
            .map_err(|error| CommandError::new(format!("{}: {error}", file.display()), "write `KEY=value` lines"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unreadable(&file, &error)),
    }
    all.extend(own);
    Ok(all)
}

/// A folder's name as compose makes a project's name of it.
fn project_name(folder: &str) -> Option<String> {
    let lower = folder.to_lowercase();
    let kept = lower.chars().filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'));
    let name: String = kept.collect();
    let name = name.trim_start_matches(['-', '_']);
    (!name.is_empty()).then(|| name.to_owned())
}

fn unreadable(file: &Path, error: &io::Error) -> CommandError {
    CommandError::new(
        format!("cannot read {}: {error}", file.display()),
        "see to it that the file is there and is UTF-8 text",
    )
}

/// Files as they are on the disk.
struct Disk;

impl ReadFiles for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        fs::read_to_string(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_become_names() {
        assert_eq!(project_name("My App.v2").as_deref(), Some("myappv2"));
        assert_eq!(project_name("_x-1").as_deref(), Some("x-1"));
        assert_eq!(project_name("..."), None);
    }

    #[test]
    fn no_compose_file_names_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root { dir: dir.path().to_path_buf(), policy: crate::policy::Policy::default() };
        let error = load(&root, &[]).unwrap_err();
        assert!(error.diagnostics[0].title.contains("no compose file"), "{error:?}");
    }

    #[test]
    fn the_policy_names_the_file_and_dotenv_fills_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("stack.yml"), "services:\n  web:\n    image: web:${PLIMSOLL_TEST_RELEASE}\n").unwrap();
        fs::write(dir.path().join(".env"), "PLIMSOLL_TEST_RELEASE=7\n").unwrap();
        let mut policy = crate::policy::Policy::default();
        policy.project.compose = Some("stack.yml".into());
        policy.project.name = Some("named".into());
        let project = load(&Root { dir: dir.path().to_path_buf(), policy }, &[]).unwrap();
        assert_eq!(project.name, "named");
        assert_eq!(project.services["web"].image.as_deref(), Some("web:7"));
    }
}
