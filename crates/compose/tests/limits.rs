//! Whatever the text, the loader answers: no panic, no unbounded time.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use plimsoll_compose::{LoadOptions, NoFiles, Project, ReadFiles, load};
use plimsoll_source::{Diagnostic, Source};
use proptest::prelude::*;

fn load_text(text: &str) -> Result<Project, Vec<Diagnostic>> {
    let mut options = LoadOptions::new(vec![Source::new("compose.yml", text)], "/project");
    options.default_name = Some("project".to_owned());
    load(&options, &NoFiles)
}

/// Processor time of this thread. It is printed; `cargo xtask bench stack` holds figures against docker-compose's.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default())
}

/// The first error's title.
fn refused(text: &str) -> String {
    let start = processor_time();
    let errors = load_text(text).expect_err("refused");
    let took = processor_time().saturating_sub(start);
    println!("refused in {took:?}: {}", errors[0].title);
    errors[0].title.clone()
}

#[test]
fn bombs_are_refused_and_say_why() {
    let mut bomb = String::from("x-a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for level in 1..30 {
        bomb.push_str(&format!("x-a{level}: &a{level} [{}]\n", format!("*a{},", level - 1).repeat(9)));
    }
    assert!(refused(&bomb).contains("once its aliases are replaced"), "{}", refused(&bomb));
    let mut merges = String::from("x-m0: &m0 {k: v}\n");
    for level in 1..60 {
        let before = level - 1;
        merges.push_str(&format!(
            "x-m{level}: &m{level} {{<<: [*m{before}, *m{before}], k{level}: *m{before}}}\n"
        ));
    }
    assert!(refused(&merges).contains("once its aliases are replaced"), "{}", refused(&merges));
    assert!(refused(&format!("x: {}", "a".repeat(10 << 20))).contains("too large"));
    let deep: Vec<String> = (0..1000).map(|level| format!("{}k:", " ".repeat(level))).collect();
    let deep = deep.join("\n");
    assert!(refused(&deep).contains("nest") || refused(&deep).contains("deep"), "{}", refused(&deep));
    assert!(load_text(&"[".repeat(1000)).is_err());
    let many: Vec<String> =
        (0..200).map(|at| format!("  s{at}:\n    image: a\n    ports: ['1-65535:1-65535']")).collect();
    assert!(refused(&format!("services:\n{}\n", many.join("\n"))).contains("ports"));
}

#[test]
fn long_chains_do_not_exhaust_the_stack() {
    let count = 5_000;
    let mut chain = String::from("services:\n");
    for at in 0..count {
        chain.push_str(&format!("  s{at}: {{image: a, depends_on: [s{}]}}\n", at + 1));
    }
    chain.push_str(&format!("  s{count}: {{image: a}}\n"));
    load_text(&chain).expect("a chain is no circle");
    let circle = chain
        .replace(&format!("s{count}: {{image: a}}"), &format!("s{count}: {{image: a, depends_on: [s0]}}"));
    assert!(refused(&circle).contains("circle"));
    let extends = chain.replace("depends_on: [", "extends: ").replace("]}", "}");
    assert!(refused(&extends).contains("in a row"));
}

struct Files(HashMap<PathBuf, String>);

impl ReadFiles for Files {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn is_dir(&self, _: &Path) -> bool {
        false
    }
}

#[test]
fn files_that_include_one_another_end() {
    let mut files = Files(HashMap::new());
    for at in 0..40 {
        let text = format!("include: [f{0}.yml, f{0}.yml]\nservices: {{s{at}: {{image: a}}}}\n", at + 1);
        files.0.insert(PathBuf::from(format!("/project/f{at}.yml")), text);
    }
    files.0.insert(PathBuf::from("/project/f40.yml"), "services: {last: {image: a}}\n".to_owned());
    let options =
        LoadOptions::new(vec![Source::new("compose.yml", "name: a\ninclude: [f0.yml]\n")], "/project");
    let errors = load(&options, &files).expect_err("refused");
    assert!(errors[0].title.contains("files are included"), "{}", errors[0].title);
    files.0.insert(PathBuf::from("/project/f3.yml"), "include: [f1.yml]\n".to_owned());
    let errors = load(&options, &files).expect_err("refused");
    assert!(errors[0].title.contains("includes itself"), "{}", errors[0].title);
}

#[test]
fn the_same_folder_included_with_other_variables_extends_with_those() {
    let files = Files(HashMap::from([
        (
            "/project/sub/a.yml".into(),
            "services: {a: {extends: {file: base.yml, service: base}}}\n".to_owned(),
        ),
        (
            "/project/sub/b.yml".into(),
            "services: {b: {extends: {file: base.yml, service: base}}}\n".to_owned(),
        ),
        ("/project/sub/base.yml".into(), "services: {base: {image: \"x:${TAG}\"}}\n".to_owned()),
        ("/project/1.env".into(), "TAG=1\n".to_owned()),
        ("/project/2.env".into(), "TAG=2\n".to_owned()),
    ]));
    let text =
        "name: p\ninclude:\n  - {path: sub/a.yml, env_file: 1.env}\n  - {path: sub/b.yml, env_file: 2.env}\n";
    let options = LoadOptions::new(vec![Source::new("compose.yml", text)], "/project");
    let project = load(&options, &files).expect("loads");
    assert_eq!(project.services["a"].image.as_deref(), Some("x:1"));
    assert_eq!(project.services["b"].image.as_deref(), Some("x:2"));
}

#[test]
fn hundreds_of_services_are_read() {
    let service = "    image: registry.example/app:${TAG:-1}\n    environment: {A: 1, B: two, C: '${C:-}'}\n    ports: ['8080']\n    \
                   volumes: ['data:/data', './a:/b:ro']\n    healthcheck: {test: curl -f localhost, interval: 10s}\n    \
                   deploy: {resources: {limits: {memory: 128M, cpus: '0.5'}}}\n    networks: [front, back]\n";
    let mut text = String::from("networks: {front: , back: }\nvolumes: {data: }\nservices:\n");
    for at in 0..300 {
        text.push_str(&format!("  s{at}:\n{service}"));
    }
    let start = processor_time();
    let project = load_text(&text).expect("loads");
    let took = processor_time().saturating_sub(start);
    println!("300 services: {took:?}");
    assert_eq!(project.services.len(), 300);
}

/// Attributes with values of any kind, mostly wrong ones.
fn odd_file() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "services",
        "networks",
        "volumes",
        "secrets",
        "configs",
        "include",
        "name",
        "version",
        "models",
        "x-a",
        "image",
        "build",
        "ports",
        "environment",
        "env_file",
        "depends_on",
        "extends",
        "deploy",
        "healthcheck",
        "command",
        "entrypoint",
        "labels",
        "tmpfs",
        "ulimits",
        "logging",
        "resources",
        "limits",
        "memory",
        "cpus",
        "test",
        "interval",
        "external",
        "ipam",
        "config",
        "target",
        "source",
        "type",
        "published",
        "file",
        "service",
        "dns",
        "gpus",
        "devices",
        "develop",
        "watch",
        "models",
        "extra_hosts",
        "sysctls",
        "provider",
        "options",
        "volumes_from",
        "links",
        "profiles",
        "<<",
        "scale",
        "replicas",
        "mode",
        "context",
        "args",
        "ssh",
        "additional_contexts",
        "pre_start",
        "blkio_config",
        "subnet",
        "driver_opts",
        "path",
    ]);
    let scalar = prop::sample::select(vec![
        "a",
        "1",
        "-1",
        "1.5",
        "true",
        "null",
        "''",
        "\"a:b:c:d\"",
        "8080:80",
        "'${A}'",
        "'${A:?x}'",
        "'$'",
        "a=b",
        "[]",
        "{}",
        "!reset",
        "!override a",
        "!reset []",
        "1m30s",
        "512m",
        "99999999999999999999",
        "'~/x'",
        "service:a",
        "container:a",
        "0o777",
        "*a",
        "1-65536:1",
        "[::1]:80:80",
        "d:\\\\a",
        "'a b \"c'",
        "all",
    ]);
    let leaf = scalar.prop_map(str::to_owned);
    let value = leaf.prop_recursive(5, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec((key.clone(), inner.clone()), 0..5).prop_map(|entries| {
                let entries: Vec<String> =
                    entries.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{{}}}", entries.join(", "))
            }),
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
        ]
    });
    (value.clone(), value).prop_map(|(service, rest)| {
        format!("x-a: &a {{image: b}}\nservices:\n  a: {service}\n  b: {{extends: a, image: c}}\nnetworks: {rest}\nvolumes: {rest}\n")
    })
}

/// Each line names the one before ten times.
fn multiplying() -> String {
    let mut text = "A=1234567890\n".to_owned();
    for (name, before) in ('B'..='J').zip('A'..) {
        text.push_str(&format!("{name}={}\n", format!("${before}").repeat(10)));
    }
    text
}

#[test]
fn variables_that_multiply() {
    use plimsoll_compose::dotenv;
    // .env, --env-file and env_file are read by the same function
    let mut found = dotenv::Variables::new();
    let error = dotenv::parse(&multiplying(), &mut found, &|_| None).unwrap_err();
    assert_eq!(error.line, 7, "{error}");
    assert!(error.to_string().contains("longer than 1048576 bytes"), "{error}");

    // in quotes, in defaults, and many variables that are each below the bound
    let mut found = dotenv::Variables::new();
    let half = format!("A={}\n", "x".repeat(600_000));
    for text in ["B=\"$A$A\"", "B=${X:-$A$A}", "B=${A:+$A$A}"] {
        assert!(dotenv::parse(&format!("{half}{text}\n"), &mut found, &|_| None).is_err(), "{text}");
    }
    let many = (0..40).map(|number| format!("B{number}=$A\n")).collect::<Vec<_>>().concat();
    let error =
        dotenv::parse(&format!("{half}{many}"), &mut dotenv::Variables::new(), &|_| None).unwrap_err();
    assert!(error.to_string().contains("in all"), "{error}");

    // what the compose file makes of one long variable
    let long = "x".repeat(1 << 20);
    let of_many = |text: String| {
        let mut options = LoadOptions::new(vec![Source::new("compose.yml", text)], "/project");
        options.env = [("A".to_owned(), long.clone())].into_iter().collect();
        options.default_name = Some("project".to_owned());
        load(&options, &NoFiles).map(drop).map_err(|errors| format!("{errors:?}"))
    };
    let labels = (0..40).map(|number| format!("      l{number}: $A\n")).collect::<Vec<_>>().concat();
    let error = of_many(format!("services:\n  a:\n    image: x\n    labels:\n{labels}")).unwrap_err();
    assert!(error.contains("longer than 16777216 bytes"), "{error}");
    let services = (0..80)
        .map(|number| format!("  s{number}: {{image: x, environment: [A]}}\n"))
        .collect::<Vec<_>>()
        .concat();
    let error = of_many(format!("services:\n{services}")).unwrap_err();
    assert!(error.contains("longer than 67108864 bytes"), "{error}");
    assert!(of_many("services: {a: {image: x, labels: {l: $A}}}".to_owned()).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = load_text(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_text_of_yaml_signs_is_answered(text in "[-a1:{}\\[\\]&*!|>'\"#%@` \n\t,?<$.]{0,120}") {
        let _ = load_text(&text);
    }

    #[test]
    fn odd_values_are_answered(text in odd_file(), validate in any::<bool>(), normalize in any::<bool>()) {
        let mut options = LoadOptions::new(vec![Source::new("compose.yml", text.clone()), Source::new("over.yml", text)], "/project");
        options.default_name = Some("project".to_owned());
        options.validate = validate;
        options.normalize = normalize;
        for check in [true, false] {
            options.check_consistency = check;
            if let Ok(project) = load(&options, &NoFiles) {
                let _ = project.to_yaml();
                let _ = serde_json::to_string(&project);
            }
        }
    }
}

/// A secret of an included project is made of a variable that only that project's file has.
#[test]
fn a_variable_of_an_include_makes_its_secret() {
    let mut files = Files(HashMap::new());
    files.0.insert(
        PathBuf::from("/project/sub/a.yml"),
        "services: {s: {image: a, secrets: [k, g]}}\nsecrets: {k: {environment: OWN}, g: {environment: GIVEN}}\n"
            .to_owned(),
    );
    files.0.insert(PathBuf::from("/project/sub.env"), "OWN=inner\nGIVEN=inner\n".to_owned());
    let text = "name: p\ninclude: [{path: sub/a.yml, env_file: sub.env}]\nservices: {o: {image: a}}\n";
    let mut options = LoadOptions::new(vec![Source::new("compose.yml", text)], "/project");
    options.env.insert("GIVEN".to_owned(), "outer".to_owned());
    let project = load(&options, &files).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(project.value_of("secrets", "k", "OWN"), Some("inner"));
    assert_eq!(
        project.value_of("secrets", "g", "GIVEN"),
        Some("outer"),
        "the outer file's environment goes first"
    );
    assert_eq!(project.value_of("secrets", "x", "OWN"), None, "nobody else has it");
    assert!(!format!("{:?}", project.included).contains("inner"), "never printed");
}
