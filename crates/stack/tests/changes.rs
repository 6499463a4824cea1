//! What a change of each attribute does to a container that runs, and what a container that is not as its labels say
//! leads to.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use plimsoll_engine::{Endpoint, PublishedPort, Resources, RunState};
use plimsoll_stack::{
    Desired, DownOptions, Inside, Observed, ObservedContainer, Op, PlanOptions, Scope, plan, plan_down,
};
use support::{converged, files, id, project, wanted, wanted_of};

/// Attributes whose change makes a new container.
const REPLACE: &[&str] = &[
    "annotations: { a: b }",
    "blkio_config: { weight: 300 }",
    "cap_add: [NET_ADMIN]",
    "cap_drop: [ALL]",
    "cgroup: host",
    "cgroup_parent: /x",
    "command: [sleep, '9']",
    "container_name: fixed",
    "cpu_period: 50000",
    "cpu_quota: 20000",
    "cpu_rt_period: 1000",
    "cpu_rt_runtime: 900",
    "cpu_shares: 512",
    "cpus: 0.5",
    "cpuset: '0'",
    "deploy: { resources: { limits: { memory: 32m } } }",
    "deploy: { restart_policy: { condition: on-failure } }",
    "device_cgroup_rules: ['c 1:3 mr']",
    "devices: ['/dev/null:/dev/x:r']",
    "dns: [10.0.0.53]",
    "dns_opt: ['ndots:2']",
    "dns_search: [example.test]",
    "domainname: example.test",
    "entrypoint: [sleep]",
    "environment: { A: b }",
    "expose: ['9000/udp']",
    "external_links: ['elsewhere:friend']",
    "extra_hosts: ['v6=::1']",
    "gpus: [{ count: 2 }]",
    "group_add: ['44']",
    "healthcheck: { test: [CMD, 'true'] }",
    "hostname: front",
    "image: other:1",
    "init: true",
    "ipc: shareable",
    "labels: { l: m }",
    "links: [other]",
    "logging: { driver: none }",
    "mac_address: '02:42:ac:11:00:07'",
    "mem_limit: 64m",
    "mem_reservation: 32m",
    "mem_swappiness: 10",
    "mem_limit: 32m, memswap_limit: 128m",
    "network_mode: none",
    "networks: { default: { aliases: [also] } }",
    "networks: { default: { ipv4_address: 10.1.1.7 } }",
    "networks: { second: }",
    "oom_kill_disable: true",
    "oom_score_adj: 5",
    "pid: host",
    "pids_limit: 20",
    "platform: linux/amd64",
    "ports: ['127.0.0.1:8080:80']",
    "post_start: [{ command: ['true'] }]",
    "pre_stop: [{ command: ['true'] }]",
    "privileged: true",
    "read_only: true",
    "restart: always",
    "runtime: runc",
    "security_opt: ['no-new-privileges:true']",
    "shm_size: 12m",
    "stdin_open: true",
    "stop_grace_period: 7s",
    "stop_signal: SIGINT",
    "storage_opt: { size: 1G }",
    "sysctls: { net.ipv4.ip_forward: '1' }",
    "tmpfs: [/scratch]",
    "tty: true",
    "ulimits: { nproc: 5 }",
    "user: '5'",
    "userns_mode: host",
    "uts: host",
    "volumes: ['/nameless']",
    "volumes: ['./here:/there']",
    "volumes_from: [other]",
    "working_dir: /w",
];

/// Attributes whose change a container that runs does not notice.
const LEAVE: &[&str] = &[
    "attach: false",
    "build: .",
    "depends_on: [other]",
    "depends_on: { other: { condition: service_started, restart: true } }",
    "deploy: { labels: { a: b } }",
    "deploy: { update_config: { parallelism: 2 } }",
    "develop: { watch: [{ path: ., action: rebuild }] }",
    "pull_policy: always",
    "scale: 1",
];

fn text(attribute: &str) -> String {
    let image = if attribute.starts_with("image") { "" } else { "image: web:1, " };
    let attribute = if attribute.is_empty() { "attach: true" } else { attribute };
    format!(
        "services: {{ other: {{ image: other:1 }}, web: {{ {image}{attribute} }} }}\nnetworks: {{ second: }}\n"
    )
}

/// Steps about the service's container.
fn steps(desired: &Desired, observed: &Observed) -> Vec<String> {
    let plan = plan(desired, observed, &PlanOptions::default()).unwrap();
    let of = plan.steps.iter().filter(|step| step.service.as_deref() == Some("web"));
    of.map(|step| step.op.describe()).collect()
}

/// Also `container-name-changes-nothing`.
#[test]
fn a_change_of_each_attribute_reaches_the_container_or_leaves_it() {
    let observed = converged(&wanted(&text("")));
    let mut wrong = Vec::new();
    for attribute in REPLACE {
        if !steps(&wanted(&text(attribute)), &observed).iter().any(|step| step.starts_with("create ")) {
            wrong.push(*attribute);
        }
    }
    for attribute in LEAVE {
        if !steps(&wanted(&text(attribute)), &observed).is_empty() {
            wrong.push(*attribute);
        }
    }
    assert_eq!(wrong, Vec::<&str>::new());
}

fn web(observed: &mut Observed) -> &mut ObservedContainer {
    observed.containers.iter_mut().find(|found| found.service == "web").unwrap()
}

#[test]
fn a_container_off_its_network() {
    let desired = wanted(&text("networks: { default: { aliases: [also] }, second: }"));
    let mut observed = converged(&desired);
    web(&mut observed).networks.remove("shop_default");
    assert_eq!(steps(&desired, &observed), ["connect shop-web-1 to shop_default"]);
    // it is on another network of that name
    let stale = Endpoint { network: id("gone"), ..Endpoint::default() };
    web(&mut observed).networks.insert("shop_default".into(), stale);
    let text_of = plan(&desired, &observed, &PlanOptions::default()).unwrap().render();
    assert!(text_of.contains("# web: network shop_default was made anew"), "{text_of}");
    // which is nobody's business when replacing is not wanted
    let never = PlanOptions { no_recreate: true, ..PlanOptions::default() };
    assert!(plan(&desired, &observed, &never).unwrap().changes_nothing());
    // one that was never started has no place yet
    let created = web(&mut observed);
    created.state = RunState::Created;
    created.networks.insert("shop_default".into(), Endpoint::default());
    assert_eq!(steps(&desired, &observed), ["start shop-web-1", "see that shop-web-1 stays up"]);
}

#[test]
fn a_fixed_address_is_compared_with_the_one_that_it_has() {
    let desired =
        wanted(&text("networks: { default: { ipv4_address: 10.1.1.7, ipv6_address: 'fd00:0::7' } }"));
    let mut observed = converged(&desired);
    let has = |observed: &mut Observed, addresses: &[&str]| {
        let place = web(observed).networks.get_mut("shop_default").unwrap();
        place.addresses = addresses.iter().map(ToString::to_string).collect();
    };
    has(&mut observed, &["10.1.1.7", "fd00::7"]);
    assert_eq!(steps(&desired, &observed), Vec::<String>::new());
    has(&mut observed, &["10.1.1.8", "fd00::7"]);
    assert!(steps(&desired, &observed).iter().any(|step| step.starts_with("create ")));
}

#[test]
fn what_was_changed_while_it_ran_is_put_right() {
    let desired =
        wanted(&text("mem_limit: 64m, restart: always, networks: { default: { aliases: [also] } }"));
    let mut observed = converged(&desired);
    let right = Inside {
        limits: Resources { memory: Some(64 << 20), ..Resources::default() },
        restart: "always".into(),
        aliases: [("shop_default".to_owned(), vec!["web".to_owned(), "also".to_owned()])].into(),
        ..Inside::default()
    };
    let mut said = |inside: &Inside| {
        web(&mut observed).inside = Some(inside.clone());
        let plan = plan(&desired, &observed, &PlanOptions::default()).unwrap();
        plan.steps.first().map(|step| step.cause.clone()).unwrap_or_default()
    };
    assert_eq!(said(&right), "");
    let mut other = right.clone();
    other.limits.memory = Some(32 << 20);
    assert_eq!(said(&other), "web: its memory limit was changed while it ran");
    // dropped by an engine whose kernel cannot do it
    other.limits.memory = None;
    assert_eq!(said(&other), "");
    other.limits.nano_cpus = Some(500_000_000);
    assert_eq!(said(&other), "web: its CPU limit was changed while it ran");
    let other = Inside { restart: "no".into(), ..right.clone() };
    assert_eq!(said(&other), "web: its restart policy is no, not always");
    let other = Inside { aliases: [("shop_default".to_owned(), vec!["web".to_owned()])].into(), ..right };
    assert_eq!(said(&other), "web: also is not its name on shop_default");
}

#[test]
fn addresses_change_hands() {
    let text = |a: u8, b: u8, c: u8| {
        format!(
            "services:\n  a: {{ image: i:1, networks: {{ n: {{ ipv4_address: 10.1.1.{a} }} }}, depends_on: [b] }}\n  \
             b: {{ image: i:1, networks: {{ n: {{ ipv4_address: 10.1.1.{b} }} }} }}\n  \
             c: {{ image: i:1, networks: {{ n: {{ ipv4_address: 10.1.1.{c} }} }} }}\n\
             networks: {{ n: {{ ipam: {{ config: [{{ subnet: 10.1.1.0/24 }}] }} }} }}\n"
        )
    };
    let before = wanted(&text(1, 2, 3));
    let mut observed = converged(&before);
    for (service, address) in [("a", 1), ("b", 2), ("c", 3)] {
        let found = observed.containers.iter_mut().find(|found| found.service == service).unwrap();
        found.networks.get_mut("shop_n").unwrap().addresses = vec![format!("10.1.1.{address}")];
    }
    let plan = plan(&wanted(&text(2, 3, 1)), &observed, &PlanOptions::default()).unwrap();
    let step = |wanted: &str| plan.steps.iter().find(|step| step.op.describe() == wanted).unwrap();
    // transitively: does `later` wait for `earlier`?
    let waits = |later: usize, earlier: usize| {
        let mut todo = vec![later];
        while let Some(at) = todo.pop() {
            if at == earlier {
                return true;
            }
            todo.extend(&plan.steps[at].after);
        }
        false
    };
    for (taker, holder) in [("a", "b"), ("b", "c"), ("c", "a")] {
        let start = step(&format!("start shop-{taker}-1")).id;
        let removal = step(&format!("remove shop-{holder}-1")).id;
        assert!(waits(start, removal), "{taker} {holder}\n{}", plan.render());
    }
    // a graph without circles: every step comes after those that it waits for
    assert!(plan.steps.iter().all(|step| step.after.iter().all(|before| *before < step.id)));
}

/// Causes of the removals for another container's sake, on the way from one text to the other.
fn removed_first(before: &str, after: &str, has: impl Fn(&mut ObservedContainer)) -> Vec<String> {
    let mut observed = converged(&wanted(before));
    observed.containers.iter_mut().for_each(has);
    let plan = plan(&wanted(after), &observed, &PlanOptions::default()).unwrap();
    let handed = plan.steps.iter().filter(|step| step.cause.contains(" goes to "));
    let removals = handed.filter(|step| step.op.describe().starts_with("remove "));
    removals.map(|step| step.cause.clone()).collect()
}

fn published(host: u16) -> PublishedPort {
    PublishedPort { container: 80, protocol: "tcp".into(), host_ip: "0.0.0.0".into(), host: Some(host) }
}

/// Two containers of `a` have both ports of the range that `b` is to choose from.
#[test]
fn a_range_of_ports_changes_hands() {
    let text = |a: &str, b: &str| {
        format!("services: {{ a: {{ image: i:1, scale: 2{a} }}, b: {{ image: i:1{b} }} }}\n")
    };
    let has = |found: &mut ObservedContainer| {
        if found.service == "a" {
            found.ports = vec![published(8000 + u16::try_from(found.number).unwrap())];
        }
    };
    let range = ", ports: ['8001-8002:80']";
    let before = text(range, "");
    let causes = ["a: port 8001/tcp goes to b", "a: port 8002/tcp goes to b"];
    assert_eq!(removed_first(&before, &text("", range), has), causes);
    // a third port is free
    assert!(removed_first(&before, &text("", ", ports: ['8001-8003:80']"), has).is_empty());
    // each replica takes over what its predecessor has
    let newer = text(range, "").replace("a: { image: i:1", "a: { image: i:2");
    assert!(removed_first(&before, &newer, has).is_empty());
}

#[test]
fn link_local_addresses_and_devices_change_hands() {
    let text = |a: &str, b: &str| {
        format!("services: {{ a: {{ image: i:1{a} }}, b: {{ image: i:1{b} }} }}\nnetworks: {{ n: }}\n")
    };
    let address = ", networks: { n: { link_local_ips: [169.254.8.8] } }";
    let has = |found: &mut ObservedContainer| {
        if found.service == "a" {
            let link_local = [("shop_n".to_owned(), vec!["169.254.8.8".to_owned()])].into();
            let devices = vec!["/dev/ttyUSB0".to_owned()];
            found.inside = Some(Inside { link_local, devices, ..Inside::default() });
        }
    };
    let (without, free) = (", networks: [n]", text(address, ", networks: [n]"));
    let passed = removed_first(&free, &text(without, address), has);
    assert_eq!(passed, ["a: 169.254.8.8 on shop_n goes to b"]);
    let device = ", devices: [/dev/ttyUSB0]";
    let passed = removed_first(&text(device, ""), &text("", device), has);
    assert_eq!(passed, ["a: the device /dev/ttyUSB0 goes to b"]);
    // both are given it: nothing is handed over
    let both = text(device, device).replace("a: { image: i:1", "a: { image: i:2");
    assert!(removed_first(&text(device, ""), &both, has).is_empty());
}

#[test]
fn nothing_changes_hands_where_somebody_stays() {
    let text = "services: { a: { image: i:1, scale: 3, volumes: ['data:/data'] }, b: { image: i:1, volumes: ['data:/data'] } }\nvolumes: { data: }\n";
    let observed = converged(&wanted(text));
    let fewer = wanted(&text.replace("scale: 3", "scale: 2"));
    let rendered = plan(&fewer, &observed, &PlanOptions::default()).unwrap().render();
    assert!(rendered.contains("remove shop-a-3 after 1  # a: 2 containers wanted"), "{rendered}");
    let gone = wanted(&text.replace(", b: { image: i:1, volumes: ['data:/data'] }", ""));
    let options = PlanOptions { remove_orphans: true, ..PlanOptions::default() };
    let rendered = plan(&gone, &observed, &options).unwrap().render();
    assert!(rendered.contains("# the project has no service b any more"), "{rendered}");
}

#[test]
fn a_job_whose_files_changed() {
    let dir = tempfile::tempdir().unwrap();
    let text = "services:\n  job: { image: i:1, volumes: ['./sql:/sql:ro'] }\n  \
                app: { image: i:1, depends_on: { job: { condition: service_completed_successfully } } }\n";
    std::fs::create_dir(dir.path().join("sql")).unwrap();
    std::fs::write(dir.path().join("sql/1"), "one").unwrap();
    let project = project("shop", text, dir.path());
    let want = || wanted_of(&project, &files(&project, &dir.path().join("state")));
    let mut observed = converged(&want());
    let said = |observed: &Observed| plan(&want(), observed, &PlanOptions::default()).unwrap().render();
    assert!(said(&observed).contains("nothing to do"));
    std::fs::write(dir.path().join("sql/2"), "two").unwrap();
    assert!(said(&observed).contains("# job runs again: what it reads in"), "{}", said(&observed));
    // one of docker compose, of which nobody knows what it read
    observed.containers.iter_mut().find(|found| found.service == "job").unwrap().inputs = None;
    assert!(said(&observed).contains("it is not known what it read the last time"));
}

const TWO: &str = "
services:
  web: { image: web:1, volumes: ['data:/data'], networks: [front] }
  tool: { image: tool:1, profiles: [tools], networks: [front] }
networks: { front: }
volumes: { data: }
";

fn down(scope: Option<&Scope>, observed: &Observed, options: &DownOptions) -> Vec<String> {
    plan_down("shop", observed, scope, options).steps.iter().map(|step| step.op.describe()).collect()
}

#[test]
fn down_takes_what_is_not_in_the_file() {
    let file = project("shop", TWO, std::path::Path::new("/srv/shop"));
    let scope = Scope::of(&file);
    assert!(scope.has("web") && !scope.has("tool") && !scope.is_orphan("tool") && scope.is_orphan("db"));
    let more = TWO.replace("profiles: [tools], ", "").replace(
        "services:",
        "services:\n  db: { image: db:1, volumes: ['dbdata:/data'], networks: [back] }",
    );
    let more = more.replace("front: }", "front: , back: }").replace("data: }", "data: , dbdata: }");
    let mut observed = converged(&wanted(&more));
    let options = DownOptions { volumes: true, ..DownOptions::default() };
    let plan = plan_down("shop", &observed, Some(&scope), &options);
    let steps: Vec<String> = plan.steps.iter().map(|step| step.op.describe()).collect();
    assert_eq!(
        steps,
        [
            "stop shop-web-1",
            "remove shop-web-1",
            "remove volume shop_data",
            "remove secrets and configs of web"
        ]
    );
    assert_eq!(
        plan.notes,
        [
            "shop-db-1 belongs to no service of the compose file and stays; `--remove-orphans` removes it",
            "network shop_front stays: container shop-tool-1 is on it",
        ]
    );
    // the orphan goes when that is said, without its volumes
    let orphans = DownOptions { remove_orphans: true, ..options.clone() };
    let plan = plan_down("shop", &observed, Some(&scope), &orphans);
    let volumes = plan.steps.iter().find_map(|step| match &step.op {
        Op::RemoveContainer { container, volumes } if container == "shop-db-1" => Some(*volumes),
        _ => None,
    });
    assert_eq!(volumes, Some(false));
    assert!(!plan.render().contains("remove volume shop_dbdata"));
    // a `run` stays, and its network with it while it runs; with the orphans it goes, ended or not
    let mut run = web(&mut observed).clone();
    (run.name, run.oneoff, run.id) = ("shop-web-run-1".into(), true, id("run"));
    observed.containers.push(run);
    assert!(!down(Some(&scope), &observed, &options).contains(&"remove shop-web-run-1".to_owned()));
    assert!(down(Some(&scope), &observed, &orphans).contains(&"remove shop-web-run-1".to_owned()));
    observed.containers.last_mut().unwrap().state = RunState::Exited;
    assert!(!down(Some(&scope), &observed, &options).contains(&"remove shop-web-run-1".to_owned()));
    assert!(down(Some(&scope), &observed, &orphans).contains(&"remove shop-web-run-1".to_owned()));
    // a name without a file is the whole project
    let all = down(None, &observed, &options);
    for name in [
        "shop-db-1",
        "shop-tool-1",
        "shop-web-1",
        "shop-web-run-1",
        "volume shop_dbdata",
        "network shop_back",
    ] {
        assert!(all.contains(&format!("remove {name}")), "{name}: {all:?}");
    }
    // services that are named alone
    let named = DownOptions { services: vec!["nobody".into()], ..options };
    assert_eq!(down(Some(&scope), &observed, &named), Vec::<String>::new());
}
