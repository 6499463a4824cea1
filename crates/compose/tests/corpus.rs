//! Real-life files, one a group of attributes: their canonical form, and that it is read again as itself.
//!
//! docker-compose 2.40.3 prints the same for each, but for `no_cache_filter` (it is older), `create_host_path: false` (it
//! loses it), a limit of 0 and the place of a network's `priority`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use plimsoll_compose::{LoadOptions, Project, ReadFiles, load};
use plimsoll_source::{Diagnostic, Source};

struct Disk;

impl ReadFiles for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        fs::read_to_string(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn project(name: &str, text: String) -> Project {
    let mut options = LoadOptions::new(vec![Source::new(name, text)], folder());
    options.env = [("HOME", "/home/user"), ("RELEASE", "7"), ("TOKEN", "t"), ("NETRC", "n")]
        .map(|(key, value)| (key.into(), value.into()))
        .into();
    options.project_name = Some("shop".to_owned());
    options.discard_env_files = true;
    let mut project = load(&options, &Disk).unwrap_or_else(|faults| {
        let faults: Vec<String> = faults.iter().map(Diagnostic::one_line).collect();
        panic!("{name}: {}", faults.join("; "))
    });
    project.remove_unused_resources();
    project
}

#[test]
fn canonical_forms_are_known_and_read_again_as_themselves() {
    let mut names: Vec<String> = fs::read_dir(folder())
        .expect("the corpus")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "yml"))
        .collect();
    names.sort();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let text = fs::read_to_string(folder().join(&name)).expect("readable");
        let canonical = project(&name, text).to_yaml().replace('$', "$$");
        let again = project(&name, canonical.clone()).to_yaml().replace('$', "$$");
        assert_eq!(again, canonical, "{name}");
        let place = folder().to_string_lossy().into_owned();
        let shown = canonical
            .replace(&place, "/project")
            .replace(&folder().parent().expect("a parent").to_string_lossy().into_owned(), "/above");
        insta::assert_snapshot!(name.trim_end_matches(".yml"), shown);
    }
}
