//! A server without a framework: `node:http`, or the websocket server of `ws` or Socket.IO.

use super::Found;
use crate::{
    detect::node::{
        port,
        services::{self, Candidate},
    },
    model::{Framework, Role},
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    if candidate.used {
        return None;
    }
    let (file, evidence) = port::listening_file(candidate.program, &candidate.manifest.folder)?;
    let script = candidate.program.scripts().find(|script| script.source.name() == file)?;
    let imports = |names: &[&str]| {
        (0..script.tokens.len()).any(|at| {
            let before = at > 0
                && (script.is(at - 1, "from") || script.is(at - 1, "(") || script.is(at - 1, "import"));
            before && script.string(at).is_some_and(|text| names.contains(&text.as_str()))
        })
    };
    let tool = if imports(&["ws"]) {
        services::framework(candidate.manifest, "ws", "a server for websockets")?
    } else if imports(&["socket.io"]) {
        services::framework(candidate.manifest, "socket.io", "a server for websockets")?
    } else if imports(&["http", "node:http", "node:http2", "http2"]) {
        Framework { name: "node:http".to_owned(), version: String::new(), evidence: vec![evidence] }
    } else {
        return None;
    };
    Some(Found::new(Role::Server, tool))
}
