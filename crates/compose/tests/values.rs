//! Single values as the reference loader takes them: each line was held against its recorded behaviour or its binary.

use plimsoll_compose::{LoadOptions, NoFiles, Project, load, merge_files};
use plimsoll_source::{Diagnostic, Source};
use serde_json::{Value, json};

fn service(attributes: &str) -> Result<Project, Vec<Diagnostic>> {
    files(&[&format!("services: {{web: {{image: a, {attributes}}}, other: {{image: b}}}}")])
}

fn files(texts: &[&str]) -> Result<Project, Vec<Diagnostic>> {
    let sources =
        texts.iter().enumerate().map(|(at, text)| Source::new(format!("{at}.yml"), *text)).collect();
    let mut options = LoadOptions::new(sources, "/project");
    options.project_name = Some("p".to_owned());
    load(&options, &NoFiles)
}

/// The attribute of the service as JSON; null where it says nothing.
fn read(attribute: &str, text: &str) -> Value {
    let project = service(&format!("{attribute}: {text}"))
        .unwrap_or_else(|faults| panic!("{attribute}: {text}: {}", faults[0].one_line()));
    serde_json::to_value(&project).expect("plain data")["services"]["web"][attribute].clone()
}

#[test]
fn these_are_read() {
    for (attribute, text, expected) in [
        // addresses of a host by commas, without one, of both families
        ("extra_hosts", "['h=1.1.1.1,2.2.2.2']", json!(["h=1.1.1.1", "h=2.2.2.2"])),
        ("extra_hosts", "{h: ''}", json!(["h="])),
        ("extra_hosts", "{h: [1.1.1.1, '[::1]']}", json!(["h=1.1.1.1", "h=::1"])),
        ("privileged", "'yes'", json!(true)),
        ("tty", "'Off'", Value::Null),
        ("mem_limit", "1.5 gb", json!("1610612736")),
        ("mem_limit", "'1e3'", json!("1000")),
        ("memswap_limit", "-1", json!("-1")),
        ("memswap_limit", "'-1'", json!("-1")),
        ("cpu_percent", "'50'", json!(50.0)),
        ("scale", "'2'", json!(2)),
        ("ulimits", "{core: 0}", json!({"core": {}})),
        ("ulimits", "{nproc: '5'}", json!({"nproc": 5})),
        (
            "build",
            "{platforms: [a, a]}",
            json!({"context": "/project", "dockerfile": "Dockerfile", "platforms": ["a", "a"]}),
        ),
        (
            "build",
            "{no_cache_filter: deps}",
            json!({"context": "/project", "dockerfile": "Dockerfile", "no_cache_filter": ["deps"]}),
        ),
        (
            "build",
            "{ssh: [default, k=key]}",
            json!({"context": "/project", "dockerfile": "Dockerfile", "ssh": ["default", "k=/project/key"]}),
        ),
        ("gpus", "[{driver: d, someday: 1}]", json!([{"driver": "d", "count": -1}])),
        (
            "provider",
            "{type: t, options: {a: 1, x-b: [2, c]}}",
            json!({"type": "t", "options": {"a": ["1"], "x-b": ["2", "c"]}}),
        ),
        (
            "deploy",
            "{restart_policy: {max_attempts: 0}}",
            json!({"resources": {}, "restart_policy": {"max_attempts": 0}, "placement": {}}),
        ),
    ] {
        assert_eq!(read(attribute, text), expected, "{attribute}: {text}");
    }
}

#[test]
fn these_are_refused() {
    for (attributes, words) in [
        ("privileged: '1'", "boolean"),
        ("init: t", "boolean"),
        ("scale: '0x10'", "whole number"),
        ("cpu_shares: '0o17'", "whole number"),
        ("mem_limit: '-1'", "not a size"),
        ("mem_limit: 512Mi", "not a size"),
        ("shm_size: ' 1'", "not a size"),
        ("healthcheck: {retries: -1}", "negative"),
        ("deploy: {update_config: {parallelism: -1}}", "negative"),
        ("deploy: {restart_policy: {max_attempts: -3}}", "negative"),
        ("ports: [{target: -80}]", "negative"),
        // as decimal it would be another mode
        ("volumes: [{type: tmpfs, target: /t, tmpfs: {mode: '1777'}}]", "must be a number"),
        ("ports: [0]", "no port of the container"),
        ("ports: [{target: 80, host_ip: ''}]", "IP address"),
        ("security_opt: [a, a]", "same item twice"),
        ("expose: [1.5]", ""),
        ("group_add: [1.5]", ""),
        ("environment: ['A ']", "trailing space"),
        ("build: {args: ['A =1']}", "trailing space"),
        ("build: {additional_contexts: [base]}", "name=path"),
        ("build: {additional_contexts: {base: 1}}", "path or an address"),
        ("build: {ssh: [agent]}", "id=path"),
        ("devices: [{source: /dev/a}]", "target"),
        ("extra_hosts: ['=1.1.1.1']", "host"),
        ("extra_hosts: [h]", "host"),
        ("extends: {service: other, file: [a]}", "must be a path"),
        ("extends: {service: other, file: 'https://example.com/a.git'}", "not on this machine"),
        ("extends: {service: other, file: 'oci://example.com/a'}", "not on this machine"),
        ("profiles: ['']", "no service"),
    ] {
        let faults = match service(attributes) {
            Err(faults) => faults,
            // A service that no profile enables is none.
            Ok(project) if !project.services.contains_key("web") => continue,
            Ok(_) => panic!("{attributes} was accepted"),
        };
        let said = faults
            .iter()
            .flat_map(|fault| [fault.title.as_str(), fault.hint.as_deref().unwrap_or_default()])
            .any(|text| text.contains(words));
        assert!(said, "{attributes}: {}", faults[0].one_line());
        assert!(faults.iter().all(|fault| !fault.labels.is_empty()), "{attributes} has no place");
    }
    let include = files(&["include: ['git@example.com:a/b.git']\nservices: {}\n"]).expect_err("refused");
    assert!(include[0].title.contains("not on this machine") && !include[0].labels.is_empty());
}

#[test]
fn resources_of_any_name_and_empty_files() {
    let project = files(&["services: {a: {image: a}}\nnetworks: {'é': {}}\nconfigs: {c: {file: ''}}\n\
                           secrets: {s: {external: {name: n, more: 1}}}\n"])
    .expect("read");
    assert!(project.networks.contains_key("é"));
    assert_eq!(project.configs["c"].file.as_deref(), Some("/project"));
    assert_eq!(project.secrets["s"].name.as_deref(), Some("n"));
    assert!(files(&["services: {a: {image: a}}\nvolumes: {'é': {}}\n"]).is_err());
    let bind = "services: {a: {image: a}}\nvolumes: {v: {driver_opts: {o: bind, device: ./d}}}\n";
    assert_eq!(files(&[bind]).expect("read").volumes["v"].driver_opts["device"], "./d");
    let local = bind.replace("{driver_opts", "{driver: local, driver_opts");
    assert_eq!(files(&[&local]).expect("read").volumes["v"].driver_opts["device"], "/project/d");
}

#[test]
fn later_files_join() {
    let merged = |base: &str, over: &str| {
        let (base, over) = (Source::new("0.yml", base), Source::new("1.yml", over));
        merge_files(&base, Some(&over)).expect("merges").to_json()
    };
    let pool = |pool: &str| format!("networks: {{n: {{ipam: {{config: [{pool}]}}}}}}");
    assert_eq!(
        merged(&pool("{gateway: a}"), &pool("{gateway: b}"))["networks"]["n"]["ipam"]["config"],
        json!([{"gateway": "b"}])
    );
    assert_eq!(
        merged(&pool("{subnet: a}"), &pool("{subnet: b}"))["networks"]["n"]["ipam"]["config"],
        json!([{"subnet": "b"}])
    );
    let both = files(&[
        "services: {a: {image: a, extra_hosts: {h: 1.1.1.1}, build: {no_cache_filter: x}}}",
        "services: {a: {extra_hosts: {h: !override 2.2.2.2}, build: {no_cache_filter: [y]}}}",
    ])
    .expect("read");
    assert_eq!(both.services["a"].extra_hosts.0["h"], ["2.2.2.2"]);
    assert_eq!(both.services["a"].build.as_ref().expect("a build").no_cache_filter, ["y"]);
}

#[test]
fn an_override_cannot_change_a_subnet() {
    let pools = |base: &str, over: &str| {
        let file = |name: &str, pools: &str| {
            Source::new(name, format!("networks: {{n: {{ipam: {{config: [{pools}]}}}}}}"))
        };
        let merged = merge_files(&file("0.yml", base), Some(&file("1.yml", over))).expect("merges").to_json();
        merged["networks"]["n"]["ipam"]["config"].clone()
    };
    let (four, six) = ("{subnet: 10.1.0.0/24, gateway: 10.1.0.1}", "{subnet: 'fd00:1::/64'}");
    let (other, newer) = ("{subnet: 10.2.0.0/24}", "{subnet: 'fd00:2::/64'}");
    assert_eq!(pools(four, other), json!([{"subnet": "10.2.0.0/24"}]));
    assert_eq!(pools(six, newer), json!([{"subnet": "fd00:2::/64"}]));
    assert_eq!(
        pools(&format!("{four}, {six}"), other),
        json!([{"subnet": "fd00:1::/64"}, {"subnet": "10.2.0.0/24"}])
    );
    assert_eq!(
        pools(four, "{subnet: 10.1.0.0/24, ip_range: 10.1.0.128/25}"),
        json!([{"subnet": "10.1.0.0/24", "gateway": "10.1.0.1", "ip_range": "10.1.0.128/25"}])
    );
    assert_eq!(pools(four, "{gateway: 10.1.0.9}"), json!([{"subnet": "10.1.0.0/24", "gateway": "10.1.0.9"}]));
    assert_eq!(pools(four, ""), json!([]));
}
