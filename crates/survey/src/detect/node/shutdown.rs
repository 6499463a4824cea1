//! Whether a program handles SIGTERM: process 1 of a container ignores signals that it does not handle.

use super::evidence;
use crate::{
    javascript::values::Program,
    model::{Evidence, Fact},
};

/// Calls that handle the signal by themselves.
const CALLS: [&str; 7] = [
    "closeWithGrace",
    "createTerminus",
    "createHttpTerminator",
    "gracefulShutdown",
    "GracefulShutdown",
    "enableShutdownHooks",
    "setupGracefulShutdown",
];

pub(super) fn detect(program: &Program) -> Option<Fact<String>> {
    program.modules.iter().enumerate().find_map(|(module, other)| {
        let script = &other.script;
        let (at, last) = (0..script.tokens.len()).find_map(|at| {
            if CALLS.iter().any(|call| script.is(at, call)) && script.is(at + 1, "(") {
                let declared = at > 0 && script.is(at - 1, "function");
                return (!declared).then_some((at, at));
            }
            let listens = script.is(at, "process")
                && (script.is(at + 2, "on") || script.is(at + 2, "once") || script.is(at + 2, "addListener"))
                && script.is(at + 3, "(");
            if !listens {
                return None;
            }
            let named = script.string(at + 4).as_deref() == Some("SIGTERM");
            let looped = || {
                script.is_word(at + 4)
                    && evidence::loop_values(program, module, script, script.text(at + 4), at)
                        .iter()
                        .any(|(signal, _)| signal == "SIGTERM")
            };
            (named || looped()).then_some((at, at + 4))
        })?;
        let evidence = Evidence::new(&script.source, script.span(at, last), "handles the stop signal");
        Some(Fact::new("SIGTERM".to_owned(), evidence))
    })
}
