//! The port and the address that a server listens on: the arguments of `listen` are followed to where they come from.

use std::rc::Rc;

use crate::{
    javascript::{
        Script,
        values::{Program, Value},
    },
    model::{Bind, Evidence, Fact, Service, is_below},
};

/// A call that opens a port.
struct Listen {
    module: usize,
    /// The first token of the call's name.
    at: usize,
    /// The token of the port, or of the settings that hold it.
    first: usize,
    /// The token of the address, where it is an argument of its own.
    second: Option<usize>,
    /// `{ port, host }`.
    settings: bool,
}

/// Calls of one program that are followed.
const MAX_CALLS: usize = 20;

fn calls(program: &Program, folder: &str) -> Vec<Listen> {
    let mut calls = Vec::new();
    for (module, other) in program.modules.iter().enumerate() {
        let script = &other.script;
        if !is_below(script.source.name(), folder) {
            continue;
        }
        for at in 0..script.tokens.len() {
            if calls.len() == MAX_CALLS {
                return calls;
            }
            calls.extend(call(script, module, at));
        }
    }
    calls
}

fn call(script: &Script, module: usize, at: usize) -> Option<Listen> {
    if !matches!(script.text(at), "listen" | "WebSocketServer" | "Server" | "new" | "serve") {
        return None;
    }
    let method = at > 0 && script.is(at - 1, ".") && script.is(at, "listen");
    let constructed =
        at > 0 && script.is(at - 1, "new") && matches!(script.text(at), "WebSocketServer" | "Server");
    let socket = script.is(at, "new") && script.is(at + 1, "WebSocket") && script.is(at + 3, "Server");
    let served = script.is(at, "serve") && !(at > 0 && matches!(script.text(at - 1), "." | "function"));
    let open = if socket { at + 4 } else { at + 1 };
    if !(method || constructed || socket || served) || !script.is(open, "(") {
        return None;
    }
    let arguments = script.arguments(open);
    let first = *arguments.first()?;
    let settings = script.is(first, "{");
    // Any free port is one for the program itself: nobody else knows it.
    let port = if settings {
        let key =
            script.arguments(first).into_iter().find(|&at| script.is(at, "port") && script.is(at + 1, ":"));
        key.map_or(first, |key| key + 2)
    } else {
        first
    };
    if script.text(port) == "0" && matches!(script.text(port + 1), "," | ")" | "}") {
        return None;
    }
    if is_function(script, first) {
        return None;
    }
    if settings {
        // `new WebSocketServer({ server })` opens no port of its own; `serve({ fetch })` of Hono does.
        let has = |key: &str| script.arguments(first).into_iter().any(|at| script.is(at, key));
        if !(method || has("port") || served && has("fetch")) {
            return None;
        }
    } else if !method {
        let number = script.kind(first) == Some(crate::javascript::Kind::Number);
        if !constructed || !number {
            return None;
        }
    }
    let second = arguments.get(1).copied().filter(|&at| !is_function(script, at) && !script.is(at, "{"));
    Some(Listen { module, at, first, second, settings })
}

fn is_function(script: &Script, at: usize) -> bool {
    let arrow = script.is(at + 1, "=>") || script.close(at).is_some_and(|close| script.is(close + 1, "=>"));
    arrow || matches!(script.text(at), "async" | "function")
}

/// Whether the program in this folder opens a port.
pub(super) fn listens(program: &Program, folder: &str) -> bool {
    !calls(program, folder).is_empty()
}

/// The file that opens a port, where it is the only one.
pub(super) fn listening_file(program: &Program, folder: &str) -> Option<(String, Evidence)> {
    let calls = calls(program, folder);
    let first = calls.first()?;
    let script = &program.modules.get(first.module)?.script;
    if calls.iter().any(|call| call.module != first.module) {
        return None;
    }
    let evidence = Evidence::new(&script.source, script.span(first.at, first.first), "opens a port");
    Some((script.source.name().to_owned(), evidence))
}

/// Fills port, variable and address of a server.
pub(super) fn detect(program: &Program, service: &mut Service) {
    let calls = calls(program, &service.path);
    let mut found: Vec<(u32, &Listen, Value)> =
        calls.iter().filter_map(|call| Some((0, call, port_value(program, call)?))).collect();
    for (rank, _, value) in &mut found {
        *rank = rank_of(value);
    }
    found.sort_by_key(|(rank, ..)| *rank);
    if let Some((_, call, value)) = found.into_iter().next() {
        if let Some(port) = value.literal.as_ref().and_then(|text| text.parse().ok()).filter(|port| *port > 0)
        {
            service.port = Some(Fact { value: port, evidence: value.evidence.clone() });
        }
        if let Some(variable) = value.variable {
            service.port_variable = Some(Fact { value: variable, evidence: value.evidence });
        }
        service.bind = bind(program, call, service);
    } else if let Some(call) = calls.first() {
        service.bind = bind(program, call, service);
    }
    if service.port.is_none() && service.port_variable.is_none() {
        by_name(service);
    }
}

/// `PORT` with a number as its default, where the call itself cannot be followed.
fn by_name(service: &mut Service) {
    let Some(variable) = service.environment.iter().find(|variable| variable.name == "PORT") else { return };
    let evidence = variable.evidence.clone();
    service.port_variable = Some(Fact { value: variable.name.clone(), evidence: evidence.clone() });
    let port = variable.default.as_ref().and_then(|default| default.parse().ok()).filter(|port| *port > 0);
    service.port = port.map(|value| Fact { value, evidence });
}

fn rank_of(value: &Value) -> u32 {
    match value.variable.as_deref() {
        Some("PORT") => 0,
        Some(name)
            if ["METRICS", "ADMIN", "DEBUG", "GRPC", "HEALTH"].iter().any(|part| name.contains(part)) =>
        {
            3
        }
        Some(name) if name.contains("PORT") => 1,
        _ => 2,
    }
}

fn port_value(program: &Program, call: &Listen) -> Option<Value> {
    let value = if call.settings {
        program.member(call.module, call.first, "port").or_else(|| handed_around(program, call, "port"))?
    } else {
        program.value(call.module, call.first).or_else(|| handed_around(program, call, "port"))?
    };
    let number = value.literal.as_ref().is_none_or(|text| text.parse::<u16>().is_ok());
    (number && (value.variable.is_some() || value.literal.is_some())).then_some(value)
}

/// `listen(config.port)` where nothing shows what `config` is: the one setting of this name that reads a variable.
fn handed_around(program: &Program, call: &Listen, key: &str) -> Option<Value> {
    let script = &program.modules.get(call.module)?.script;
    let end = script.tokens.len().min(call.first + 12);
    let read = (call.first..end)
        .take_while(|&at| !script.is(at, ";"))
        .any(|at| script.is(at, ".") && script.text(at + 1).to_lowercase().ends_with(key));
    read.then(|| program.setting(key)).flatten()
}

fn bind(program: &Program, call: &Listen, service: &Service) -> Bind {
    let script: &Rc<Script> = &program.modules[call.module].script;
    let value = if call.settings {
        ["host", "hostname"].iter().find_map(|key| program.member(call.module, call.first, key))
    } else {
        call.second.and_then(|at| program.value(call.module, at))
    };
    let given = call.second.is_some()
        || call.settings
            && script
                .arguments(call.first)
                .into_iter()
                .any(|at| matches!(script.text(at), "host" | "hostname" | "..."));
    match value {
        Some(Value { variable: Some(variable), evidence, .. }) => {
            Bind::Set { variable: Fact { value: variable, evidence } }
        }
        Some(Value { literal: Some(address), evidence, .. }) if is_loopback(&address) => {
            Bind::Loopback { address: Fact { value: address, evidence } }
        }
        None if !given && loopback_by_default(service) => {
            let evidence = Evidence::new(
                &script.source,
                script.span(call.at, call.first),
                "Fastify listens on localhost without a host",
            );
            Bind::Loopback { address: Fact::new("localhost".to_owned(), evidence) }
        }
        _ => Bind::Any,
    }
}

fn is_loopback(address: &str) -> bool {
    matches!(address, "localhost" | "::1" | "[::1]") || address.starts_with("127.")
}

fn loopback_by_default(service: &Service) -> bool {
    let named = |name: &str| service.frameworks.iter().any(|tool| tool.name == name);
    named("fastify") || named("@nestjs/platform-fastify")
}
