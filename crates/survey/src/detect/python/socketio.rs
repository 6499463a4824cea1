//! Socket.IO: a client's requests belong to one process, and its websocket has a path of its own.

use super::project::Project;
use crate::{
    model::{Evidence, Fact},
    python::Module,
};

/// What holds the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Threads,
    Gevent,
    Eventlet,
    /// A server of ASGI.
    Asynchronous,
}

/// A server of Socket.IO.
#[derive(Clone, Debug)]
pub(super) struct SocketIo {
    /// `/socket.io/`.
    pub(super) path: Fact<String>,
    pub(super) mode: Mode,
}

/// The server that a module of the project makes.
pub(super) fn find(project: &Project) -> Option<SocketIo> {
    project.needs(&["flask-socketio", "python-socketio"])?;
    project.modules.iter().find_map(|module| {
        (0..module.tokens.len()).find_map(|at| {
            let (name, open) = module.resolved(at).filter(|(_, next)| module.is(*next, "("))?;
            let asynchronous = match name.as_str() {
                "flask_socketio.SocketIO" | "socketio.Server" => false,
                "socketio.AsyncServer" => true,
                _ => return None,
            };
            let text =
                |name: &str| module.keyword(open, name).and_then(|argument| module.string(argument.at));
            let path =
                text("path").or_else(|| wrapped_path(project)).unwrap_or_else(|| "socket.io".to_owned());
            let mode = match text("async_mode").as_deref() {
                _ if asynchronous => Mode::Asynchronous,
                Some("threading") => Mode::Threads,
                Some(mode) if mode.starts_with("gevent") => Mode::Gevent,
                Some("eventlet") => Mode::Eventlet,
                _ if project.needs(&["eventlet"]).is_some() => Mode::Eventlet,
                _ if project.needs(&["gevent", "gevent-websocket"]).is_some() => Mode::Gevent,
                _ => Mode::Threads,
            };
            let evidence = Evidence::new(&module.source, module.span(at, open), "a server of Socket.IO");
            Some(SocketIo { path: Fact::new(format!("/{}/", path.trim_matches('/')), evidence), mode })
        })
    })
}

/// `socketio.ASGIApp(sio, socketio_path="ws")`, below the path that it is mounted at.
fn wrapped_path(project: &Project) -> Option<String> {
    project.modules.iter().find_map(|module| {
        (0..module.tokens.len()).find_map(|at| {
            let (name, open) = module.resolved(at).filter(|(_, next)| module.is(*next, "("))?;
            if !matches!(name.as_str(), "socketio.ASGIApp" | "socketio.WSGIApp") {
                return None;
            }
            let own = module.keyword(open, "socketio_path").and_then(|path| module.string(path.at));
            let mount = mounted_at(module, at);
            (own.is_some() || mount.is_some()).then(|| {
                let own = own.unwrap_or_else(|| "socket.io".to_owned());
                format!("{}/{}", mount.unwrap_or_default().trim_end_matches('/'), own.trim_matches('/'))
            })
        })
    })
}

/// `app.mount("/ws", socketio.ASGIApp(…))`, also by a name.
fn mounted_at(module: &Module, made: usize) -> Option<String> {
    let line = (0..=made).rev().find(|&at| module.tokens[at].first)?;
    let name = module.assigned(line).filter(|value| *value == made).map(|_| module.text(line));
    (0..module.tokens.len()).find_map(|at| {
        let open = at + 1;
        if !module.is(at, "mount") || !module.is(open, "(") {
            return None;
        }
        let arguments = module.arguments(open);
        let app = arguments.get(1)?;
        let same = app.at == made || (name.is_some() && Some(module.text(app.at)) == name);
        same.then(|| module.string(arguments.first()?.at))?
    })
}
