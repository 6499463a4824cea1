//! The image of a program for Node.js.

use plimsoll_survey::{Role, Service, Shape};

use super::{
    Passes, below, checked, images, install,
    process::{in_image, node_arguments},
    server::{self, Program},
    stores::{Socket, Stores},
};
use crate::{
    rules,
    stack::{BaseImage, Build, BuildKind, CopiedFolder, NodeBuild, ProbeText, Setting},
};

pub(super) fn build<'a>(
    passes: &mut Passes<'a>,
    program: &mut Program<'a>,
    stores: &Stores,
) -> Option<(Build, Option<ProbeText>)> {
    let service = program.service;
    let place = server::place(passes, service)?;
    let sources = install::sources(&place, &mut passes.problems)?;
    let libraries = install::libraries(&place, &mut passes.problems)?;
    let install = install::install(&place, &libraries, &mut passes.problems)?;
    let pnpm = install.pnpm;
    let major = server::node_major(&place);
    let command = service.command.as_ref()?;
    let to_modules = place.to_modules();
    let arguments = node_arguments(&command.value, &to_modules);
    let system_packages = server::system_packages(service);
    // A program of another name than Node.js, or a library of the system, needs more than the image without a shell.
    let mismatched = major < 22 && !place.install.native.is_empty();
    let spawns = service.spawns.as_ref().filter(|program| program.value != "node");
    if let Some(program) = spawns {
        passes.note(
            rules::IMAGE_WITH_SHELL,
            &service.name,
            format!(
                "it starts {}: its image has a shell and Debian's usual programs, and an init",
                program.value
            ),
            "what else it starts must come with its packages".to_owned(),
            &program.evidence,
        );
    }
    if let Some(package) = &service.development_packages {
        passes.note(rules::DEVELOPMENT_PACKAGES,
            &service.name,
            format!(
                "its commands need {} when they run, which is a package for development: its image has all of those",
                package.value
            ),
            format!("build it to JavaScript, or move {} to `dependencies`: the image becomes smaller", package.value),
            &package.evidence,
        );
    }
    let distroless = arguments.is_some()
        && system_packages.is_empty()
        && !mismatched
        && spawns.is_none()
        && !migrates_by_a_shell(service);
    let with_shell = images::node_with_shell(major)
        .filter(|_| !distroless && !plimsoll_survey::may_start_manager(service));
    let probe = probe(program, stores, distroless);
    let output = match &service.output {
        Some(output) if service.shape == Shape::Package && output.value != "." => {
            Some(checked::path(&service.name, &output.value, &mut passes.problems)?)
        }
        _ => None,
    };
    let folder = service.migration.as_ref().and_then(|migration| migration.folder.as_ref());
    let migrations_folder =
        folder.map(|folder| folder.value.clone()).filter(|folder| checked::is_path(folder));
    let extras = extras(service, output.as_deref());
    let prefix = &sources.prefix;
    let mut readable: Vec<String> = output.iter().map(|output| format!("{prefix}{output}")).collect();
    readable.extend(migrations_folder.iter().map(|folder| format!("{prefix}{folder}")));
    readable.extend(extras.iter().map(|extra| format!("{prefix}{extra}")));
    readable.extend(libraries.iter().map(|library| match &library.output {
        Some(output) => format!("{}/{output}", library.path),
        None => library.path.clone(),
    }));
    let bundle = if service.shape == Shape::Bundle { bundle(service, prefix) } else { Vec::new() };
    let kind = BuildKind::Node(NodeBuild {
        checks: server::checks(passes, &place),
        checks_need_build: service.checks_need_build,
        build_settings: server::build_settings(&place),
        inlined: server::inlined(passes, service),
        build: server::build_commands(&place, &sources.prefix),
        cache: server::build_cache(service, &sources.prefix),
        install,
        libraries,
        output,
        bundle,
        extras,
        // pnpm keeps it in its own store, where the packages of production have another copy.
        generated: if pnpm { Vec::new() } else { generated(service) },
        readable,
        migrations_folder,
        writable: program.writable.clone(),
        environment: [Setting::new("NODE_ENV", "production")]
            .into_iter()
            .chain(server::listens(program))
            .collect(),
        distroless,
        brings_node: with_shell.is_some(),
        system_packages,
        launcher: program.environment.launcher,
        heartbeat: program.port.is_none()
            || service.processes.iter().any(|process| process.role != Role::OneShot),
        probe: probe.clone(),
        command: arguments.filter(|_| distroless).unwrap_or_else(|| in_image(&command.value, &to_modules)),
        to_modules,
        sources,
    });
    let runtime = if distroless { Some(images::node_runtime(major)) } else { with_shell };
    let images = vec![
        BaseImage { argument: "NODE_IMAGE", name: images::node(major) },
        BaseImage { argument: "RUNTIME_IMAGE", name: runtime.unwrap_or_else(|| images::node(major)) },
    ];
    Some((server::frame(passes, program, images, kind), probe))
}

/// What a build writes among the packages.
fn generated(service: &plimsoll_survey::Service) -> Vec<String> {
    let paths = service.generated.iter().map(|folder| folder.value.clone());
    paths.filter(|path| checked::is_path(path)).collect()
}

/// Folders and files beside the output that are read at run time.
fn extras(service: &plimsoll_survey::Service, output: Option<&str>) -> Vec<String> {
    if output.is_none() {
        return Vec::new();
    }
    let migration =
        service.migration.iter().flat_map(|migration| &migration.files).map(|file| file.value.as_str());
    let ships =
        service.ships.iter().filter(|_| service.shape == Shape::Package).map(|ships| ships.from.as_str());
    let migrations = service.migration.iter().filter_map(|migration| migration.folder.as_ref());
    let migrations: Vec<&str> = migrations.map(|folder| folder.value.as_str()).collect();
    let reads =
        service.reads.iter().map(|path| path.value.as_str()).filter(|path| !migrations.contains(path));
    let mut extras: Vec<String> = Vec::new();
    let all = migration.chain(ships).chain(reads).chain(programs(service));
    for path in all.map(|path| path.trim_end_matches('/')).filter(|path| checked::is_path(path)) {
        let there =
            |known: &str| path == known || path.strip_prefix(known).is_some_and(|rest| rest.starts_with('/'));
        if !output.is_some_and(there) && !extras.iter().any(|known| there(known)) {
            extras.push(path.to_owned());
        }
    }
    extras
}

/// Scripts that its commands name, those of packages left out: an answer may name one that no build writes.
fn programs(service: &plimsoll_survey::Service) -> impl Iterator<Item = &str> {
    let words = service.commands().flat_map(|command| &command.value);
    let script = |path: &&str| [".js", ".mjs", ".cjs"].iter().any(|end| path.ends_with(end));
    words
        .map(|word| word.trim_start_matches("./"))
        .filter(script)
        .filter(|path| !path.starts_with("node_modules/"))
}

fn bundle(service: &plimsoll_survey::Service, prefix: &str) -> Vec<CopiedFolder> {
    let good = |path: &str| path.is_empty() || checked::is_path(path);
    let copies = service.ships.iter().filter(|ships| checked::is_path(&ships.from) && good(&ships.to));
    copies
        .map(|ships| CopiedFolder {
            from: format!("/app/{prefix}{}", ships.from),
            to: if ships.to.is_empty() { "/app".to_owned() } else { below("/app", &ships.to) },
        })
        .collect()
}

/// drizzle-kit starts a program by /bin/sh before it applies anything.
fn migrates_by_a_shell(service: &Service) -> bool {
    let command = service.migration.as_ref().and_then(|migration| migration.command.as_ref());
    command.is_some_and(|command| command.value.iter().any(|word| word.contains("node_modules/drizzle-kit/")))
}

/// JavaScript that asks the program.
fn probe(program: &Program<'_>, stores: &Stores, distroless: bool) -> Option<ProbeText> {
    let node = if distroless { "/nodejs/bin/node" } else { "node" };
    let asks = if distroless { "The image has neither wget nor a shell." } else { "Node.js itself asks." };
    let Some(port) = program.port else {
        return Some(heartbeat(node, &stores.sockets(program.service)));
    };
    let health = &program.service.health;
    let found = health.ready.as_ref().or(health.live.as_ref());
    let found = found.map(|found| found.value.as_str()).filter(|path| checked::is_url_path(path));
    let (path, good, comment) = match found {
        Some(path) if program.service.stores.is_empty() => (path, "r.ok", asks.to_owned()),
        Some(path) => (path, "r.ok", format!("{asks} Fails while a store does not answer.")),
        // Behind GET / is a file that the image does not have: its error may well be one of the server.
        None if program.service.foreign_page.is_some() => (
            "/",
            "r.status<500",
            format!(
                "{asks} No health route was found, and GET / sends pages of another image: any answer to OPTIONS / but an \
                 error of the server counts."
            ),
        ),
        // Not a word about its stores, but that it answers at all.
        None => (
            "/",
            "r.status<500",
            format!(
                "{asks} No health route was found: any answer to GET / but an error of the server counts."
            ),
        ),
    };
    let method =
        if found.is_none() && program.service.foreign_page.is_some() { "method:'OPTIONS'," } else { "" };
    let comment = if found.is_some() && health.ready.is_none() { asks.to_owned() } else { comment };
    let bad = if good == "r.ok" { "!r.ok".to_owned() } else { format!("!({good})") };
    // Without a route that asks the stores the check does it.
    let sockets = if health.ready.is_some() { Vec::new() } else { stores.sockets(program.service) };
    let script = if sockets.is_empty() {
        format!(
            "fetch('http://127.0.0.1:{port}{path}',{{{method}signal:AbortSignal.timeout(8000)}})\
             .then(async r=>{{if({bad})console.log(r.status,(await r.text()).slice(0,300));\
             process.exit({good}?0:1)}},e=>{{console.log(String(e.cause||e));process.exit(1)}})"
        )
    } else {
        format!(
            "fetch('http://127.0.0.1:{port}{path}',{{{method}signal:AbortSignal.timeout(8000)}})\
             .then(async r=>{{if({bad})throw r.status+' '+(await r.text()).slice(0,300);\
             const n=require('net');await {}}})\
             .then(()=>process.exit(0),e=>{{console.log(String(e.cause||e));process.exit(1)}});\
             setTimeout(()=>{{console.log('a store does not answer');process.exit(1)}},8500)",
            ask_stores(&sockets)
        )
    };
    let comment =
        if sockets.is_empty() { comment } else { format!("{comment} Its stores must answer, too.") };
    Some(ProbeText {
        command: vec![node.to_owned(), "-e".to_owned(), script],
        comment,
        path: path.to_owned(),
    })
}

/// A promise that holds when every store has answered a byte. Needs the module `net` as `n`.
fn ask_stores(sockets: &[Socket]) -> String {
    let list: Vec<String> =
        sockets.iter().map(|to| format!("['{}',{},'{}']", to.host, to.port, to.hello)).collect();
    format!(
        "Promise.all([{}].map(([h,p,q])=>new Promise((y,r)=>n.connect(p,h,function(){{this.write(q,'latin1')}})\
         .on('data',y).on('error',r))))",
        list.join(",")
    )
}

/// Of a process without a port: its event loop turns, and the stores that it needs answer.
pub(super) fn heartbeat(node: &str, sockets: &[Socket]) -> ProbeText {
    let script = format!(
        "const f=require('fs'),n=require('net');let a;try{{a=Date.now()-f.statSync('/tmp/heartbeat').mtimeMs}}\
         catch(e){{a=1/0}}if(a>35000){{console.log('no heartbeat for '+a+' ms');process.exit(1)}}\
         {}\
         .then(()=>process.exit(0),e=>{{console.log(String(e));process.exit(1)}});\
         setTimeout(()=>{{console.log('a store does not answer');process.exit(1)}},8000)",
        ask_stores(sockets)
    );
    ProbeText {
        command: vec![node.to_owned(), "-e".to_owned(), script],
        comment:
            "It answers nobody. Its event loop writes a heartbeat, and what it works from must be there."
                .to_owned(),
        path: String::new(),
    }
}
