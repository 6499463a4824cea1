//! The variable that names SQLite's file: among a client's settings it stands under a few keys. Those of a host, a user or a
//! password are for another database that the same call can open.

use super::{Call, as_url};
use crate::{javascript::values::Program, model::Address};

/// Where the file stands, the surest first: `database` is a file only where no other key names one.
const PATHS: [&[&str]; 11] = [
    &["connection", "filename"],
    &["filename"],
    &["storage"],
    &["connection", "storage"],
    &["connection", "url"],
    &["url"],
    &["connection"],
    &["dbCredentials", "url"],
    &["connection", "database"],
    &["database"],
    &["dbName"],
];

/// The variable of the file; nothing where it stands in the program.
pub(super) fn address(program: &Program, call: &Call) -> Option<Address> {
    let direct = call.arguments.iter().find_map(|&argument| {
        let script = &program.modules.get(call.settings)?.script;
        if script.is(argument, "{") || call.arguments.len() > 2 {
            return None;
        }
        program.value(call.settings, argument).as_ref().and_then(as_url)
    });
    direct.or_else(|| {
        // What is a text of a variable has no members.
        let objects: Vec<usize> = call
            .arguments
            .iter()
            .copied()
            .filter(|&argument| {
                program.value(call.settings, argument).is_none_or(|value| value.variable.is_none())
            })
            .collect();
        let members = PATHS.iter().find_map(|path| {
            objects.iter().find_map(|&argument| program.path(call.settings, argument, path))
        });
        members.as_ref().and_then(as_url)
    })
}
