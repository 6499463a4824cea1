//! Processes that run from a service's image beside its main process: workers, schedulers, one-shots.

use plimsoll_survey::{Ecosystem, Probe, Process, Role, Service};

use super::{
    Passes, names, node,
    server::{self, Program},
    stores::{Socket, Stores},
    threads,
};
use crate::stack::{Build, BuildKind, ProbeText, Unit};

pub(super) fn plan(
    passes: &mut Passes<'_>,
    program: &Program<'_>,
    process: &Process,
    stores: &Stores,
    build: &Build,
) -> Unit {
    let service = program.service;
    let name = names::slug(&process.name);
    let kind = if process.role == Role::OneShot { "migrate" } else { "process" };
    let mut unit = server::unit(passes, program, &name, kind, Some(build));
    unit.command = Some(arguments(&process.command.value, build));
    let python = service.ecosystem == Ecosystem::Python;
    let limits = if python { &passes.policy.python } else { &passes.policy.server };
    unit.limits = threads::limits(limits, &process.command.value);
    unit.single = process.role == Role::Scheduler;
    unit.metrics = None;
    unit.init = (process.role != Role::OneShot).then_some(
        "Process 1 ignores SIGTERM until it has a handler, and what waits for its broker has none yet; an init passes it on.",
    );
    unit.grace = process.grace.unwrap_or(if process.role == Role::Worker { 60 } else { 20 });
    unit.probe = match process.role {
        Role::OneShot => None,
        _ => Some(probe(service, &process.probe, stores, build)),
    };
    if service.ecosystem == Ecosystem::Python && unit.probe.is_some() {
        let mut beat = crate::stack::Setting::new("HEARTBEAT", HEARTBEAT_FILE);
        beat.reason = Some("It answers nobody: its launcher writes this file while it runs.".to_owned());
        unit.environment.push(beat);
    }
    unit.networks.retain(|network| *network != "app");
    if unit.networks.is_empty() {
        unit.networks.push("app");
    }
    let uid = passes.policy.app_uid;
    if unit.tmpfs.iter().all(|tmpfs| !tmpfs.starts_with("/tmp:")) {
        unit.tmpfs.push(format!("/tmp:uid={uid},gid={uid},mode=0700,size=64m"));
    }
    unit
}

/// Option of Node.js that makes a process write its heartbeat.
pub(super) const HEARTBEAT: &str = " --require /launcher/heartbeat.cjs";

fn probe(service: &Service, probe: &Probe, stores: &Stores, build: &Build) -> ProbeText {
    let sockets = stores.sockets(service);
    match (probe, service.ecosystem) {
        (Probe::Command { command }, Ecosystem::Python) if is_python(command) => ProbeText {
            command: words(&["python", "-c", &format!("{}; {}", alive(&sockets, true), command[2])]),
            comment: "It answers nobody: it runs, its stores answer, and its own tool asks it.".to_owned(),
            path: String::new(),
        },
        (Probe::Command { command }, _) => ProbeText {
            command: command.clone(),
            comment: "It answers nobody: its own tool asks it.".to_owned(),
            path: String::new(),
        },
        (Probe::FileAge { path, seconds }, Ecosystem::Python) => file_age(path, *seconds),
        (_, Ecosystem::Python) => connects(&sockets, true),
        (_, _) => {
            let distroless = matches!(&build.kind, BuildKind::Node(node) if node.distroless);
            node::heartbeat(if distroless { "/nodejs/bin/node" } else { "node" }, &sockets)
        }
    }
}

/// A file that the process writes again and again is not older than it may be.
fn file_age(path: &str, seconds: u32) -> ProbeText {
    let path = path.replace(['\'', '\\', '\n'], "");
    ProbeText {
        command: vec![
            "python".to_owned(),
            "-c".to_owned(),
            format!(
                "import os,sys,time; age=time.time()-os.stat('{path}').st_mtime; \
                 sys.exit(0 if age<{seconds} else f'{path} is {{age:.0f}} s old')"
            ),
        ],
        comment: format!("It answers nobody: it writes {path} while it works."),
        path: String::new(),
    }
}

/// The process runs, and the stores that it works from answer; more cannot be asked from outside of it.
pub(super) fn connects(sockets: &[Socket], beats: bool) -> ProbeText {
    ProbeText {
        command: words(&["python", "-c", &alive(sockets, beats)]),
        comment: "It answers nobody and has no tool that asks it: it runs, and what it works from answers."
            .to_owned(),
        path: String::new(),
    }
}

/// Where a process in Python says that it runs.
const HEARTBEAT_FILE: &str = "/tmp/heartbeat";

/// Python that ends with an error unless the heartbeat is fresh and every store has answered a byte.
fn alive(sockets: &[Socket], beats: bool) -> String {
    let fresh = if beats {
        format!("time.time()-os.stat('{HEARTBEAT_FILE}').st_mtime<35 or sys.exit('no heartbeat'); ")
    } else {
        "os.kill(1,0); ".to_owned()
    };
    let script = format!("import os,socket,sys,time; {fresh}{}", ask_stores(sockets));
    script.trim_end_matches("; ").to_owned()
}

/// Python that ends with an error unless every store has answered a byte; nothing without stores. Needs the modules
/// `socket` and `sys`.
pub(super) fn ask_stores(sockets: &[Socket]) -> String {
    if sockets.is_empty() {
        return String::new();
    }
    let list: Vec<String> =
        sockets.iter().map(|to| format!("('{}',{},b'{}')", to.host, to.port, to.hello)).collect();
    let comma = if list.len() == 1 { "," } else { "" };
    format!(
        "ask=lambda s,q: s.sendall(q) or s.recv(1) or sys.exit('a store does not answer'); \
         [ask(socket.create_connection((h,p),5),q) for h,p,q in ({}{comma})]",
        list.join(",")
    )
}

fn is_python(command: &[String]) -> bool {
    matches!(command, [program, option, _] if program == "python" && option == "-c")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The arguments that run a command in a service's image.
pub(super) fn arguments(command: &[String], build: &Build) -> Vec<String> {
    match &build.kind {
        // Its entrypoint is Node.js, so that another program has no way in.
        BuildKind::Node(node) if node.distroless => {
            node_arguments(command, &node.to_modules).unwrap_or_else(|| command.to_vec())
        }
        BuildKind::Node(node) => in_image(command, &node.to_modules),
        _ => command.to_vec(),
    }
}

/// A command as it runs in a service's folder, with `node` where that is its program.
pub(super) fn in_image(command: &[String], to_modules: &str) -> Vec<String> {
    match node_arguments(command, to_modules) {
        Some(arguments) => command.iter().take(1).cloned().chain(arguments).collect(),
        None => command.to_vec(),
    }
}

/// The arguments of the image without a shell, whose entrypoint is Node.js; `None` for another program.
/// A module of a workspace whose packages are in its root's folder is named from there.
pub(super) fn node_arguments(command: &[String], to_modules: &str) -> Option<Vec<String>> {
    let (program, arguments) = command.split_first()?;
    let from_here = |word: &String| {
        if word.starts_with("node_modules/") { format!("{to_modules}{word}") } else { word.clone() }
    };
    (program == "node").then(|| arguments.iter().map(from_here).collect())
}
