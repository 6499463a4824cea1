//! What docker-compose 2.26.1 (Debian trixie) printed for `config`, one attribute or one situation a case, against our
//! YAML, byte for byte. `DIFFERENT` names every case where we differ and why; a difference that goes away must leave it.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use plimsoll_compose::{LoadOptions, ReadFiles, dotenv, load};
use plimsoll_source::{Diagnostic, Source};
use serde_json::Value;

const NEWER: &str = "the specification has it since, and so does the reference loader";
const STRICTER: &str = "the reference loader refuses it by now";

const DIFFERENT: &[(&str, &str)] = &[
    ("cname", STRICTER),
    ("cname2", STRICTER),
    ("env3", STRICTER),
    ("p15", STRICTER),
    ("scn", STRICTER),
    ("dl15", STRICTER),
    ("tm3", STRICTER),
    ("v5", STRICTER),
    ("mem4", "a variable can bring -1, unlimited swap, as text; and it is printed so"),
    ("p13", NEWER),
    ("pp4", NEWER),
    ("build13", NEWER),
    ("prov", NEWER),
    ("uas", NEWER),
    ("net4", NEWER),
    ("mod", NEWER),
    ("tree-include-conflict", NEWER),
    ("build2", "2.26.1 writes SSH agents in a form that it cannot read"),
    ("build9", "2.26.1 writes SSH agents in a form that it cannot read"),
    ("sec1", "a mode is octal text, as the reference loader writes it by now"),
    ("v3", "2.26.1 loses `create_host_path: false`"),
    ("oct", "2.26.1 makes a time stamp of a date"),
    ("null-on11", "2.26.1 crashes"),
    ("tree-env-file", "a later env_file sees its own variables first, as in the reference loader by now"),
];

struct Tree(HashMap<PathBuf, String>);

impl ReadFiles for Tree {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.0.keys().any(|file| file != path && file.starts_with(path))
    }
}

fn config(case: &Value) -> Result<String, Vec<Diagnostic>> {
    let texts = |key: &str| -> Vec<&str> {
        case[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let tree = case["tree"].as_object().expect("a tree");
    let text = |path: &str| tree[path].as_str().unwrap_or_default();
    let files = texts("files").iter().map(|path| Source::new(*path, text(path))).collect();
    let mut options = LoadOptions::new(files, "/wd/p");
    options.env = [("HOME", "/home/user"), ("PATH", "/usr/bin:/bin")]
        .map(|(key, value)| (key.into(), value.into()))
        .into();
    if tree.contains_key(".env") {
        dotenv::parse(text(".env"), &mut options.env, &|_| None).expect("variables");
    }
    options.default_name = Some("p".to_owned());
    options.profiles = texts("profiles").iter().map(|profile| (*profile).to_owned()).collect();
    options.discard_env_files = true;
    let paths = tree.keys().map(|path| (Path::new("/wd/p").join(path), text(path).to_owned())).collect();
    let mut project = load(&options, &Tree(paths))?;
    project.remove_unused_resources();
    Ok(project.to_yaml().replace('$', "$$"))
}

#[test]
fn output_is_that_of_docker_compose() {
    let data = include_str!("recorded/docker-compose-2.26.1.jsonl");
    let mut same = 0;
    let mut wrong = Vec::new();
    for line in data.lines() {
        let case: Value = serde_json::from_str(line).expect("JSON");
        let name = case["name"].as_str().expect("a name");
        let difference = match (config(&case), case["output"].as_str()) {
            (Ok(got), Some(expected)) if got == expected => None,
            (Ok(got), Some(expected)) => Some(first_difference(&got, expected)),
            (Err(_), None) => None,
            (Ok(_), None) => Some(format!("accepted, but: {}", case["error"])),
            (Err(errors), Some(_)) => Some(format!("rejected: {}", errors[0].one_line())),
        };
        match (difference, DIFFERENT.iter().find(|(different, _)| *different == name)) {
            (None, None) => same += 1,
            (Some(_), Some(_)) => {}
            (Some(difference), None) => wrong.push(format!("{name}: {difference}")),
            (None, Some(_)) => wrong.push(format!("{name}: no longer different; remove it from the list")),
        }
    }
    println!(
        "docker-compose 2.26.1: {same} of {} the same, {} known to differ",
        data.lines().count(),
        DIFFERENT.len()
    );
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn first_difference(got: &str, expected: &str) -> String {
    let at = got.lines().zip(expected.lines()).position(|(got, expected)| got != expected);
    match at {
        Some(at) => {
            let line = |text: &str| text.lines().nth(at).unwrap_or_default().to_owned();
            format!("line {}: `{}`, expected `{}`", at + 1, line(got), line(expected))
        }
        None => format!("{} lines, expected {}", got.lines().count(), expected.lines().count()),
    }
}
