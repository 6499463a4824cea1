//! What an auditor has of files with faults: everything but the entries that the faults stand in.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    io,
    path::{Path, PathBuf},
};

use plimsoll_compose::{Lenient, LoadOptions, NoFiles, ReadFiles, load, load_lenient};
use plimsoll_source::Source;

fn options(text: &str) -> LoadOptions {
    let mut options = LoadOptions::new(vec![Source::new("compose.yml", text)], "/srv/shop");
    options.default_name = Some("shop".to_owned());
    options
}

fn lenient(text: &str) -> Lenient {
    load_lenient(&options(text), &NoFiles)
}

/// The services with their attributes that are there, and the lines of findings.
fn of(text: &str) -> (Vec<String>, Vec<usize>) {
    let found = lenient(text);
    let lines = found.findings.iter().map(|finding| {
        let label = finding.labels.first().unwrap_or_else(|| panic!("{finding:#?}"));
        label.source.line_col(label.span.start).line
    });
    let mut lines: Vec<usize> = lines.collect();
    lines.dedup();
    let project = found.project.unwrap_or_else(|| panic!("{:#?}", found.findings));
    (project.services.keys().cloned().collect(), lines)
}

#[test]
fn a_fault_costs_the_entry_that_it_stands_in() {
    let base = "services:\n  db:\n    image: postgres\n    cpus: 1\n  api:\n    image: api\n    mem_limit: 64m\n    networks: [app]\nnetworks:\n  app: {}\n";
    let both = vec!["db".to_owned(), "api".to_owned()];
    assert_eq!(of(base), (both.clone(), vec![]));
    for (from, to, lines) in [
        // of the specification
        ("    cpus: 1\n", "    cpus: [1]\n", vec![4]),
        ("    cpus: 1\n", "    unknown: 1\n", vec![4]),
        ("    cpus: 1\n", "    ports: [80, nonsense]\n", vec![4]),
        ("    cpus: 1\n", "    command: ${A:?is needed}\n", vec![4]),
        ("    cpus: 1\n", "    command: ${A\n", vec![4]),
        ("    cpus: 1\n", "    extends: { file: none.yml, service: x }\n", vec![4]),
        ("    cpus: 1\n", "    env_file: none.env\n", vec![4]),
        ("    cpus: 1\n", "    depends_on: [nobody]\n", vec![4]),
        ("    cpus: 1\n", "    ulimits: { nofile: { soft: x } }\n", vec![4]),
        // of what is elsewhere
        ("networks: [app]", "networks: [app, none]", vec![8]),
        ("networks: [app]", "networks: [app]\n    secrets: [none]", vec![9]),
        // two at once, in one stage and in two
        ("    cpus: 1\n", "    cpus: [1]\n    unknown: 1\n", vec![4, 5]),
        ("    cpus: 1\n", "    cpus: [1]\n    depends_on: [nobody]\n", vec![4, 5]),
        // no YAML
        ("    cpus: 1\n", "    cpus: 1\n   bad\n", vec![5]),
    ] {
        let text = base.replace(from, to);
        assert_ne!(text, base);
        let (services, found) = of(&text);
        assert_eq!(services, both, "{text}");
        assert_eq!(found, lines, "{text}");
    }
}

#[test]
fn what_is_right_beside_a_fault_is_there() {
    let text = "services:\n  api:\n    image: api\n    cpus: [1]\n    mem_limit: 64m\n    environment: { A: b }\n    ports: ['80:80', {}]\n";
    let found = lenient(text);
    let api = &found.project.as_ref().unwrap().services["api"];
    assert_eq!(api.limits().memory, Some(64 << 20));
    assert_eq!((api.ports.len(), api.environment.len()), (1, 1), "{:#?}", found.findings);
    // places are those of the text that a person has, after a fault of YAML too
    let found = lenient("services:\n  api:\n    image: api\n   bad\n    mem_limit: 64m\n    cpus: [1]\n");
    let shown: Vec<String> = found.findings.iter().map(plimsoll_source::Diagnostic::one_line).collect();
    assert!(shown.iter().any(|line| line.starts_with("compose.yml:4: ")), "{shown:#?}");
    assert!(found.findings.iter().all(|finding| finding.labels[0].source.text().contains("bad")));
}

#[test]
fn a_service_that_is_nothing_without_its_fault_goes_alone() {
    let text = "services:\n  db:\n    image: postgres\n  api:\n    image: [api]\n  web: nonsense\n";
    let (services, lines) = of(text);
    assert_eq!(services, ["db"]);
    assert_eq!(lines, [6, 5]);
}

/// A quote that is not closed takes what follows along, and a tab makes a line part of the one before.
#[test]
fn what_is_no_yaml_costs_its_neighbours_too() {
    let (services, lines) = of("services:\n  db:\n    image: db\n\tcpus: 1\n  api: { image: api }\n");
    assert!(services.contains(&"api".to_owned()) && !lines.is_empty(), "{services:?} {lines:?}");
    let (services, lines) =
        of("services:\n  db: { image: postgres }\n  api:\n    image: 'api\n  web: { image: web }\n");
    assert!(services.contains(&"db".to_owned()) && !lines.is_empty(), "{services:?} {lines:?}");
}

#[test]
fn an_anchor_is_cut_wherever_it_is_used() {
    let text = "x-base: &base\n  image: a\n  cpus: [1]\nservices:\n  one: { <<: *base }\n  two: { <<: *base, mem_limit: 64m }\n";
    let found = lenient(text);
    let project = found.project.unwrap();
    assert!(project.services.contains_key("two"), "{:#?}", found.findings);
    assert_eq!(project.services["two"].limits().memory, Some(64 << 20));
    assert_eq!(project.services.len(), 2);
    assert_eq!(
        found.findings.iter().filter_map(|finding| finding.labels.first()).count(),
        found.findings.len()
    );
}

struct Files(Vec<(PathBuf, String)>);

impl ReadFiles for Files {
    fn read(&self, path: &Path) -> io::Result<String> {
        let found = self.0.iter().find(|(name, _)| name == path);
        found.map(|(_, text)| text.clone()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn is_dir(&self, _: &Path) -> bool {
        false
    }
}

#[test]
fn faults_of_other_files_cost_what_is_theirs() {
    let other =
        |name: &str, text: &str| Files(vec![(PathBuf::from(format!("/srv/shop/{name}")), text.to_owned())]);
    let included = other("more.yml", "services:\n  more:\n    image: more\n    cpus: [1]\n");
    let text = "include: [more.yml, none.yml]\nservices:\n  api:\n    image: api\n";
    let found = load_lenient(&options(text), &included);
    let services: Vec<String> = found.project.unwrap().services.keys().cloned().collect();
    assert_eq!((services, found.findings.len()), (vec!["api".to_owned(), "more".to_owned()], 2));
    // variables of a file have no place in the tree: what the file has is not read
    let env = other("a.env", "A=1\nB='open\n");
    let found = load_lenient(&options("services:\n  api:\n    image: api\n    env_file: a.env\n"), &env);
    assert_eq!((found.project.unwrap().services.len(), found.findings.len()), (1, 1));
}

#[test]
fn nothing_at_all_is_a_finding_and_no_project() {
    for text in ["", "[]", "a", "services: []", "\u{0}", "{{{{"] {
        let found = lenient(text);
        assert!(!found.findings.is_empty(), "{text:?}");
    }
}

#[test]
fn files_without_a_fault_are_what_the_strict_loader_makes_of_them() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut seen = 0;
    for entry in walk(&corpus) {
        let Ok(text) = std::fs::read_to_string(&entry) else { continue };
        let options = options(&text);
        let (strict, lenient) = (load(&options, &NoFiles), load_lenient(&options, &NoFiles));
        match strict {
            Ok(project) => {
                assert_eq!(lenient.project.unwrap().to_yaml(), project.to_yaml(), "{}", entry.display());
                assert!(lenient.findings.is_empty());
                seen += 1;
            }
            Err(faults) => assert_eq!(lenient.findings[..faults.len()], faults[..], "{}", entry.display()),
        }
    }
    assert!(seen > 8, "{seen}");
}

/// Every way to damage a file by one byte ends, and never in a panic.
#[test]
fn damage_ends_in_findings() {
    let text = "name: shop\nservices:\n  api: &a\n    image: ${I:-api}\n    ports: ['80:80']\n    <<: {cpus: 1}\n  web: *a\nnetworks: {app: }\n";
    for at in 0..text.len() {
        for byte in [b'\n', b' ', b':', b'[', b'\'', b'-', b'&', b'$', b'{', b'!'] {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = byte;
            let damaged = String::from_utf8(bytes).unwrap();
            let found = lenient(&damaged);
            let strict = load(&options(&damaged), &NoFiles);
            assert_eq!(strict.is_ok(), found.findings.is_empty(), "{damaged}");
        }
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else if path.extension().is_some_and(|end| end == "yml" || end == "yaml") {
            files.push(path);
        }
    }
    files
}
