//! Every attribute of `build:`: honoured, noted or refused with its line.

use plimsoll_compose::{LoadOptions, NoFiles};
use plimsoll_source::Source;

use super::*;

/// What becomes of an attribute.
enum Fate {
    /// These words are among the options.
    Said(&'static [&'static str]),
    /// It is refused, with these words.
    Refused(&'static str),
    /// It is noted, with these words.
    Noted(&'static str),
    /// The Dockerfile's text.
    Inline,
    /// A context that is the image of a service.
    Service,
    /// The names of the image: the caller's.
    Names,
}

use Fate::{Inline, Names, Noted, Refused, Said, Service as OfService};

/// Attribute, value, and what becomes of it.
const ATTRIBUTES: &[(&str, &str, Fate)] = &[
    ("context", "./here", Said(&["--", "/p/here"])),
    (
        "context",
        "https://git.example/shop/api.git#main:server",
        Said(&["--", "https://git.example/shop/api.git#main:server"]),
    ),
    ("context", "git@git.example:shop/web.git", Said(&["--", "git@git.example:shop/web.git"])),
    ("dockerfile", "D", Said(&["--file=/p/D"])),
    ("dockerfile", "/d/D", Said(&["--file=/d/D"])),
    ("dockerfile_inline", "FROM scratch", Inline),
    ("entitlements", "[network.host]", Said(&["--allow=network.host"])),
    ("entitlements", "[security.insecure]", Refused("security.insecure is not allowed")),
    ("entitlements", "[device]", Refused("no privilege `device`")),
    ("args", "{A: '1', B: }", Said(&["--build-arg=A=1"])),
    ("provenance", "'mode=max'", Said(&["--provenance=mode=max"])),
    ("provenance", "true", Noted("provenance goes out with an image that is pushed")),
    ("sbom", "true", Said(&["--sbom=true"])),
    ("sbom", "true", Noted("sbom goes out")),
    ("ssh", "[default, 'k=./key']", Said(&["--ssh=default", "--ssh=k=/p/key"])),
    ("labels", "{l: v}", Said(&["--label=l=v"])),
    (
        "cache_from",
        "['type=local,src=./c', 'r.example/c']",
        Said(&["--cache-from=type=local,src=/p/c", "--cache-from=r.example/c"]),
    ),
    ("cache_to", "['type=local,dest=c,mode=max']", Said(&["--cache-to=type=local,dest=/p/c,mode=max"])),
    ("cache_to", "['type=inline']", Noted("inline cache")),
    ("no_cache", "true", Said(&["--no-cache=true"])),
    ("no_cache_filter", "[one, two]", Said(&["--no-cache-filter=one", "--no-cache-filter=two"])),
    ("additional_contexts", "{a: ./a}", Said(&["--build-context=a=/p/a"])),
    ("additional_contexts", "['a=docker-image://x:1']", Said(&["--build-context=a=docker-image://x:1"])),
    ("additional_contexts", "{a: 'oci-layout://./l'}", Said(&["--build-context=a=oci-layout:///p/l"])),
    (
        "additional_contexts",
        "{a: 'https://git.example/a.git'}",
        Said(&["--build-context=a=https://git.example/a.git"]),
    ),
    ("additional_contexts", "{base: 'service:other'}", OfService),
    ("pull", "true", Said(&["--pull=true"])),
    (
        "extra_hosts",
        "['a=1.2.3.4', 'h=host-gateway']",
        Said(&["--add-host=a=1.2.3.4", "--add-host=h=host-gateway"]),
    ),
    ("isolation", "default", Said(&[])),
    ("isolation", "hyperv", Refused("isolation `hyperv`")),
    ("network", "none", Said(&["--network=none"])),
    ("network", "host", Said(&["--network=host", "--allow=network.host"])),
    ("network", "default", Said(&[])),
    ("network", "no-such-network", Refused("cannot join network `no-such-network`")),
    ("target", "t", Said(&["--target=t"])),
    ("secrets", "[s]", Said(&["--secret=id=s,src=/p/s"])),
    ("secrets", "[{source: s, target: other}]", Said(&["--secret=id=other,src=/p/s"])),
    ("secrets", "[{source: s, uid: '1'}]", Noted("uid, gid and mode")),
    ("secrets", "[unset]", Refused("variable PLIMSOLL_TEST_UNSET is not set")),
    ("shm_size", "12mb", Said(&["--shm-size=12582912"])),
    ("tags", "['x:2']", Names),
    (
        "ulimits",
        "{nofile: {soft: 100, hard: 200}, nproc: 5}",
        Said(&["--ulimit=nofile=100:200", "--ulimit=nproc=5:5"]),
    ),
    (
        "platforms",
        "[linux/arm64, linux/riscv64]",
        Said(&["--platform=linux/arm64", "--platform=linux/riscv64"]),
    ),
    ("privileged", "true", Refused("security.insecure is not allowed")),
];

fn project(attribute: &str, value: &str) -> Project {
    let text = format!(
        "name: p\nservices:\n  a:\n    build:\n      {attribute}: {value}\n  other: {{build: .}}\n\
         secrets: {{s: {{file: ./s}}, unset: {{environment: PLIMSOLL_TEST_UNSET}}}}\n"
    );
    let options = LoadOptions::new(vec![Source::new("/p/compose.yaml", text)], "/p");
    plimsoll_compose::load(&options, &NoFiles).unwrap_or_else(|errors| panic!("{attribute}: {errors:#?}"))
}

#[test]
fn every_attribute_is_honoured_noted_or_refused() {
    for (attribute, value, fate) in ATTRIBUTES {
        let project = project(attribute, value);
        let subject = Subject { project: &project, name: "a", service: &project.services["a"] };
        let read = options(subject, false);
        let shown = match &read {
            Ok(read) => format!("{:?} {:?}", read.words, read.notes),
            Err(faults) => format!("{faults:?}"),
        };
        let right = match (fate, read) {
            (Said(words), Ok(read)) => words.iter().all(|word| read.words.iter().any(|said| said == word)),
            (Inline, Ok(read)) => read.inline.as_deref() == Some("FROM scratch"),
            (OfService, Ok(read)) => read.services == [("base".to_owned(), "other".to_owned())],
            (Names, Ok(_)) => true,
            (Noted(words), Ok(read)) => {
                read.notes.iter().any(|note| note.contains(words) && note.contains("/p/compose.yaml:5"))
            }
            (Refused(words), Err(faults)) => {
                faults.iter().any(|fault| fault.title.contains(words) && !fault.labels.is_empty())
            }
            _ => false,
        };
        assert!(right, "{attribute}: {value}: {shown}");
    }
}

/// The table names every attribute of the model; an attribute of the specification that the model lacks cannot be read.
#[test]
fn the_table_is_complete() {
    let mut build = Build { privileged: true, no_cache: true, pull: true, ..Build::default() };
    let text = || Some("x".to_owned());
    (build.context, build.dockerfile, build.dockerfile_inline, build.target) =
        (text(), text(), text(), text());
    (build.provenance, build.sbom, build.isolation, build.network) = (text(), text(), text(), text());
    let list = || vec!["x".to_owned()];
    (build.entitlements, build.ssh, build.cache_from, build.cache_to) = (list(), list(), list(), list());
    (build.no_cache_filter, build.tags, build.platforms) = (list(), list(), list());
    build.args.0.insert("x".to_owned(), None);
    build.labels.0.insert("x".to_owned(), "x".to_owned());
    build.additional_contexts.0.insert("x".to_owned(), "x".to_owned());
    build.extra_hosts.0.insert("x".to_owned(), list());
    build.secrets.push(FileReference::default());
    build.shm_size = Some(plimsoll_compose::Bytes(1));
    build.ulimits.insert("x".to_owned(), plimsoll_compose::Ulimit { soft: 1, hard: 1, single: true });
    let json = serde_json::to_value(&build).unwrap();
    for attribute in json.as_object().unwrap().keys() {
        assert!(ATTRIBUTES.iter().any(|(named, ..)| named == attribute), "{attribute} is not in the table");
    }
    assert_eq!(json.as_object().unwrap().len(), 25, "an attribute has no value here");
}

/// `build.platforms`, the service's platform and the variable, for `build` and for `up`.
#[test]
fn build_platforms_are_dropped() {
    let of = |service: &str, default: Option<&str>, one: bool| {
        let text = format!("name: p\nservices:\n  a: {{{service}}}\n");
        let mut load = LoadOptions::new(vec![Source::new("/p/compose.yaml", text)], "/p");
        load.env.extend(default.map(|value| ("DOCKER_DEFAULT_PLATFORM".to_owned(), value.to_owned())));
        let project = plimsoll_compose::load(&load, &NoFiles).unwrap();
        let subject = Subject { project: &project, name: "a", service: &project.services["a"] };
        platforms(subject, one).map(|platforms| platforms.join(",")).map_err(|fault| fault.title)
    };
    let many = "build: {context: ., platforms: [linux/arm64, linux/riscv64]}";
    assert_eq!(of(many, None, false).unwrap(), "linux/arm64,linux/riscv64");
    assert_eq!(of(many, None, true).unwrap(), "local");
    assert_eq!(of(many, Some("linux/arm64"), false).unwrap(), "linux/arm64,linux/riscv64");
    assert_eq!(of(many, Some("linux/arm64"), true).unwrap(), "linux/arm64");
    assert!(
        of(many, Some("linux/s390x"), false).unwrap_err().contains("DOCKER_DEFAULT_PLATFORM, linux/s390x")
    );
    let own = "platform: linux/arm64, build: .";
    assert_eq!(of(own, None, false).unwrap(), "linux/arm64");
    assert_eq!(of(own, Some("linux/riscv64"), true).unwrap(), "linux/arm64");
    assert_eq!(of("build: .", None, true).unwrap(), "local");
    assert_eq!(of("build: .", Some("linux/riscv64"), false).unwrap(), "linux/riscv64");
    assert_eq!(of("build: {context: ., platforms: [linux/arm64]}", None, true).unwrap(), "linux/arm64");
}
