//! The recorded behaviour of the reference loader (`../shared/conformance/compose`, or `PLIMSOLL_CONFORMANCE`).
//! Every figure is asserted as the lowest that may be reached, so none can regress.

use std::{
    fs,
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use plimsoll_compose::{LoadOptions, Project, ReadFiles, dotenv, interpolate, mounts, ports};
use plimsoll_source::{
    Source,
    yaml::{self, Expanded, ExpandedKind},
};
use serde_json::Value;

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("PLIMSOLL_CONFORMANCE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/compose"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no conformance data at {}", folder.display());
    None
}

fn cases(file: &str) -> Option<Vec<Value>> {
    let text = fs::read_to_string(folder()?.join(file)).expect("readable data");
    Some(text.lines().map(|line| serde_json::from_str(line).expect("a JSON object per line")).collect())
}

/// A case whose recorded value is a fault of the reference that we do not share: counted for neither side.
const APART: &str = "apart: ";

/// Runs all cases, prints the figure and the failures, and holds the figure to `at_least`.
fn run(file: &str, at_least: usize, check: impl Fn(&Value) -> Result<(), String>) {
    let Some(cases) = cases(file) else { return };
    let wanted = std::env::var("CASE").ok().and_then(|case| case.parse::<usize>().ok());
    let mut passed = 0;
    let mut apart = 0;
    for (number, case) in cases.iter().enumerate() {
        match check(case) {
            Ok(()) => passed += 1,
            Err(problem) if problem.starts_with(APART) => {
                apart += 1;
                println!("{APART}{file} case {number} {}: {}", case["test"], &problem[APART.len()..]);
            }
            Err(problem) if wanted.is_none_or(|wanted| wanted == number) => {
                println!("{file} case {number} {}: {problem}", case["test"]);
            }
            Err(_) => {}
        }
    }
    let counted = cases.len() - apart;
    println!("{file}: {passed}/{counted}");
    // Other cases of the same kind: all must pass, and of whole projects 97 in 100.
    let floor = match std::env::var_os("PLIMSOLL_CONFORMANCE") {
        None => at_least,
        Some(_) if file == "loader.jsonl" => (counted * 97).div_ceil(100),
        Some(_) => counted,
    };
    assert!(passed >= floor, "{file}: {passed} of {} passed, {floor} must", cases.len());
}

fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

fn accept<T, E: std::fmt::Display>(got: Result<T, E>, case: &Value) -> Result<Option<T>, String> {
    match (got, case["error"].is_null()) {
        (Ok(got), true) => Ok(Some(got)),
        (Err(_), false) => Ok(None),
        (Ok(_), false) => Err(format!("accepted, but: {}", case["error"])),
        (Err(error), true) => Err(format!("rejected: {error}")),
    }
}

fn same(got: &Value, expected: &Value) -> Result<(), String> {
    if equal(got, expected) {
        return Ok(());
    }
    let mut differences = Vec::new();
    differ("", got, expected, &mut differences);
    Err(differences.join("; "))
}

fn equal(a: &Value, b: &Value) -> bool {
    let mut differences = Vec::new();
    differ("", a, b, &mut differences);
    differences.is_empty()
}

fn differ(path: &str, got: &Value, expected: &Value, out: &mut Vec<String>) {
    match (got, expected) {
        (Value::Object(got), Value::Object(expected)) => {
            for (key, expected) in expected {
                match got.get(key) {
                    Some(got) => differ(&format!("{path}.{key}"), got, expected, out),
                    None => out.push(format!("{path}.{key} is missing, expected {expected}")),
                }
            }
            for (key, got) in got.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                out.push(format!("{path}.{key} = {got} is not expected"));
            }
        }
        (Value::Array(got), Value::Array(expected)) if got.len() == expected.len() => {
            for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
                differ(&format!("{path}[{at}]"), got, expected, out);
            }
        }
        (Value::Number(a), Value::Number(b)) => {
            // The reference holds fractions in 32 bits in places.
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            if (a - b).abs() > 1e-6 * b.abs().max(1.0) {
                out.push(format!("{path}: {a}, expected {b}"));
            }
        }
        (got, expected) if got == expected => {}
        (got, expected) => out.push(format!("{path}: {got}, expected {expected}")),
    }
}

#[test]
fn interpolation() {
    run("interpolation.jsonl", 185, |case| {
        let env = &case["env"];
        let got = interpolate::substitute(
            text(&case["template"]).unwrap_or_default(),
            &|name| env.get(name).and_then(Value::as_str),
            &mut |_| {},
        );
        match accept(got, case)? {
            Some(got) => same(&got.into(), &case["result"]),
            None => Ok(()),
        }
    });
}

#[test]
fn dotenv_files() {
    run("dotenv.jsonl", 110, |case| {
        let mut out: IndexMap<String, String> = IndexMap::new();
        for (key, value) in case["pre"].as_object().into_iter().flatten() {
            out.insert(key.clone(), value.as_str().unwrap_or_default().to_owned());
        }
        let lookup = &case["lookup"];
        let got = dotenv::parse(text(&case["src"]).unwrap_or_default(), &mut out, &|name| {
            lookup.get(name).and_then(Value::as_str)
        });
        match accept(got, case)? {
            Some(()) => same(&serde_json::to_value(&out).expect("text"), &case["vars"]),
            None => Ok(()),
        }
    });
}

#[test]
fn port_short_syntax() {
    run("port.jsonl", 36, |case| {
        match accept(ports::parse(text(&case["spec"]).unwrap_or_default()), case)? {
            Some(got) => same(&serde_json::to_value(&got).expect("plain data"), &case["result"]),
            None => Ok(()),
        }
    });
}

#[test]
fn volume_short_syntax() {
    run("volume.jsonl", 95, |case| {
        match accept(mounts::parse(text(&case["spec"]).unwrap_or_default()), case)? {
            Some(got) => same(&serde_json::to_value(&got).expect("plain data"), &case["result"]),
            None => Ok(()),
        }
    });
}

#[test]
fn merge() {
    run("merge.jsonl", 64, |case| {
        let source = |key: &str| text(&case[key]).map(|yaml| Source::new(format!("{key}.yml"), yaml));
        let base = source("base").ok_or("no base")?;
        let expected = source("expected").ok_or("nothing expected")?;
        let got =
            plimsoll_compose::merge_files(&base, source("override").as_ref()).map_err(|error| error.title)?;
        let expected = documents_as_json(&expected)?;
        same(&got.to_json(), &expected)
    });
}

fn documents_as_json(source: &Source) -> Result<Value, String> {
    let limits = yaml::Limits::default();
    let document = yaml::parse(source, &limits).map_err(|error| error.title)?.remove(0);
    Ok(json(&document.expand(&limits).map_err(|error| error.title)?))
}

fn json(node: &Expanded) -> Value {
    match &node.kind {
        ExpandedKind::Scalar(scalar) => match scalar.resolve(node.tag.as_ref()) {
            yaml::Value::Null => Value::Null,
            yaml::Value::Bool(value) => value.into(),
            yaml::Value::Int(value) => value.into(),
            yaml::Value::Float(value) => value.into(),
            yaml::Value::String(text) => text.into(),
        },
        ExpandedKind::Sequence(items) => items.iter().map(json).collect(),
        ExpandedKind::Mapping(entries) => {
            Value::Object(entries.iter().map(|(key, _, value)| (key.text.clone(), json(value))).collect())
        }
    }
}

type Files = std::collections::HashMap<PathBuf, String>;

/// The folder of one case, held in memory at `/wd`. Some records lack the files that they name; those are taken from the
/// records of other cases of the same test suite.
struct Tree<'a> {
    own: Files,
    others: &'a Files,
}

impl ReadFiles for Tree<'_> {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        let recorded = self.own.get(path).or_else(|| {
            let path = path.strip_prefix("/wd").unwrap_or(path);
            let found =
                self.others.iter().filter(|_| self.own.is_empty()).find(|(other, _)| other.ends_with(path));
            found.map(|(_, text)| text)
        });
        recorded.cloned().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.own.keys().any(|file| file != path && file.starts_with(path))
    }
}

const PLACES: [(&str, &str); 4] =
    [("${WD}", "/wd"), ("${CWD}", "/cwd"), ("${REPO}", "/repo"), ("${TMP}", "/tmp/case")];

fn place(text: &str) -> String {
    PLACES.iter().fold(text.to_owned(), |text, (name, path)| text.replace(name, path))
}

fn load_case(case: &Value, others: &Files) -> Result<Project, Vec<plimsoll_source::Diagnostic>> {
    let working_dir = place(text(&case["working_dir"]).unwrap_or_default());
    let mut tree = Tree { own: Files::new(), others };
    for (path, content) in case["tree"].as_object().into_iter().flatten() {
        let path = place(path);
        let path =
            if path.starts_with('/') { PathBuf::from(path) } else { PathBuf::from(&working_dir).join(path) };
        tree.own.insert(path, place(content.as_str().unwrap_or_default()));
    }
    let mut files = Vec::new();
    for file in case["files"].as_array().into_iter().flatten() {
        let name = place(text(&file["filename"]).unwrap_or_default());
        let content = match text(&file["content"]) {
            Some(content) => place(content),
            None => {
                let wanted = Path::new(&name);
                let found = tree.own.iter().find(|(path, _)| {
                    path.ends_with(wanted)
                        || wanted.ends_with(path.strip_prefix(&working_dir).unwrap_or(path))
                });
                found.map(|(_, content)| content.clone()).unwrap_or_default()
            }
        };
        files.push(Source::new(name, content));
    }
    let on = |option: &str| case["options"][option].as_bool().unwrap_or_default();
    let texts = |option: &str| -> Vec<String> {
        let list = case["options"][option].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut options = LoadOptions::new(files, working_dir);
    for (key, value) in case["env"].as_object().into_iter().flatten() {
        options.env.insert(key.clone(), place(value.as_str().unwrap_or_default()));
    }
    options.project_name =
        text(&case["options"]["project_name"]).filter(|name| !name.is_empty()).map(str::to_owned);
    options.profiles = texts("profiles");
    options.services = texts("selected");
    options.interpolate = !on("skip_interpolation");
    options.validate = !on("skip_validation");
    options.normalize = !on("skip_normalization");
    options.check_consistency = !on("skip_consistency");
    options.resolve_paths = on("resolve_paths");
    options.resolve_environment = !on("skip_resolve_env");
    options.discard_env_files = on("discard_env_files");
    options.set_defaults = !on("skip_defaults");
    let mut project = plimsoll_compose::load(&options, &tree)?;
    if on("prune") {
        project.remove_unused_resources();
    }
    Ok(project)
}

/// `#extensions` is the name under which the reference keeps attributes of the user's own while it reads. Where users
/// choose the names themselves (a service's networks), it takes names in `x-` for such attributes, loses them, and its
/// own name comes out. Removes both sides of that; returns how often it was found.
fn forget_leaks(got: &mut Value, expected: &mut Value) -> usize {
    match (got, expected) {
        (Value::Object(got), Value::Object(expected)) => {
            let leaked = usize::from(expected.remove("#extensions").is_some());
            if leaked > 0 {
                got.retain(|key, _| !key.starts_with("x-"));
            }
            let inside = got
                .iter_mut()
                .map(|(key, got)| expected.get_mut(key).map_or(0, |expected| forget_leaks(got, expected)));
            leaked + inside.sum::<usize>()
        }
        (Value::Array(got), Value::Array(expected)) => {
            got.iter_mut().zip(expected).map(|(got, expected)| forget_leaks(got, expected)).sum()
        }
        _ => 0,
    }
}

#[test]
fn loader() {
    let mut others = Files::new();
    for case in cases("loader.jsonl").unwrap_or_default() {
        for (path, content) in case["tree"].as_object().into_iter().flatten() {
            if path.ends_with("/.env") || path == ".env" {
                // Looked for everywhere, so its absence from a record means something.
                continue;
            }
            others.insert(path.into(), place(content.as_str().unwrap_or_default()));
        }
    }
    run("loader.jsonl", 245, |case| {
        let got = load_case(case, &others).map_err(|errors| {
            errors.iter().map(plimsoll_source::Diagnostic::one_line).collect::<Vec<_>>().join("; ")
        });
        match accept(got, case)? {
            Some(project) => {
                let got = serde_json::to_string(&project).expect("plain data");
                let expected: Value =
                    serde_json::from_str(&place(&case["project"].to_string())).expect("JSON");
                let (mut got, mut expected) = (serde_json::from_str(&got).expect("JSON"), expected);
                match forget_leaks(&mut got, &mut expected) {
                    0 => same(&got, &expected),
                    _ => same(&got, &expected).and(Err(format!(
                        "{APART}the reference loses what users name `x-…` here and writes its own `#extensions`; we keep it"
                    ))),
                }
            }
            None => Ok(()),
        }
    });
}
