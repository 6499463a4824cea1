//! Any Compose files are loaded or refused: no panic, every place is inside of its text, and the canonical form of what
//! was loaded is read again as the same.
//!
//! Sections are separated by zero bytes: switches (one letter each), `compose.yaml`, an override, `NAME=VALUE` lines of
//! the environment, then the files `other.yaml`, `sub/compose.yaml`, `.env`, `web.env`, `labels`.
#![no_main]
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use libfuzzer_sys::fuzz_target;
use plimsoll_compose::{LoadOptions, ReadFiles, discover, load, load_tree, merge_files, to_yaml};
use plimsoll_fuzz::text::{Quick, check_places, expand, own_yaml, pairs, sections};
use plimsoll_source::Source;

const FILES: [&str; 5] = ["other.yaml", "sub/compose.yaml", ".env", "web.env", "labels"];

struct Files(HashMap<PathBuf, String>);

impl ReadFiles for Files {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.0.keys().any(|file| file != path && file.starts_with(path))
    }
}

fuzz_target!(|text: &str| {
    let (_quick, text) = (Quick::new(), &*expand(text));
    let mut next = sections(text);
    let (switches, base, over, env) = (next(), next(), next(), next());
    let files: HashMap<PathBuf, String> =
        FILES.iter().map(|name| (Path::new("/p").join(name), next().to_owned())).collect();
    let files = Files(files);
    let _ = discover(Path::new("/p/sub"), &files);

    let base = Source::new("compose.yaml", base);
    let over = (!over.is_empty()).then(|| Source::new("compose.override.yaml", over));
    if let Err(error) = merge_files(&base, over.as_ref()) {
        check_places(&error);
    }
    let mut options = LoadOptions::new(std::iter::once(base).chain(over).collect(), "/p");
    options.default_name = Some("p".to_owned());
    options.env = pairs(env).into_iter().collect();
    for switch in switches.bytes() {
        match switch {
            b'i' => options.interpolate = false,
            b'v' => options.validate = false,
            b'n' => options.normalize = false,
            b'c' => options.check_consistency = false,
            b'p' => options.resolve_paths = false,
            b'e' => options.resolve_environment = false,
            b'd' => options.set_defaults = false,
            b'D' => options.discard_env_files = true,
            b'C' => options.compatibility = true,
            b'*' => options.profiles = vec!["*".to_owned()],
            b'w' => options.services.push("web".to_owned()),
            b'N' => options.no_deps = true,
            b'a' => options.all_resources = true,
            _ => {}
        }
    }
    match load_tree(&options, &files) {
        Ok(tree) => {
            own_yaml("the tree", &to_yaml(&tree));
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            errors.iter().for_each(check_places);
        }
    }
    match load(&options, &files) {
        Ok(mut project) => {
            project.warnings.iter().for_each(check_places);
            let (written, file) = (project.to_yaml(), project.to_file());
            own_yaml("the project", &written);
            project.remove_unused_resources();
            let whole = options.validate
                && options.normalize
                && options.check_consistency
                && options.resolve_paths
                && options.set_defaults
                && options.resolve_environment
                && options.interpolate
                && options.services.is_empty();
            if whole {
                let source = Source::new("canonical.yaml", file);
                let mut again = LoadOptions::new(vec![source], "/p");
                again.profiles = options.profiles.clone();
                again.all_resources = options.all_resources;
                again.compatibility = options.compatibility;
                again.env = options.env.clone();
                match load(&again, &files) {
                    Ok(again) => assert_eq!(again.to_yaml(), written),
                    Err(errors) => panic!("{}\n{written}", errors[0].one_line()),
                }
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            errors.iter().for_each(check_places);
        }
    }
});
