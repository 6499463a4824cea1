//! Ordinary users: the verbs that keep owners of files run as root of a user namespace.

use plimsoll_sandbox::Mapping;

/// Enters the namespace. What an ordinary user cannot have is said once, by the verbs that write layers.
///
/// Must come before the first thread.
pub fn enter(writes: bool) {
    let text = match plimsoll_sandbox::become_root() {
        Mapping::Root | Mapping::Range { .. } => return,
        Mapping::Single { reason } => format!(
            "rootless with one id, because {reason}: owners are noted beside files, and steps cannot change to other users"
        ),
        Mapping::Refused { reason } => {
            format!("without privileges: {reason}; files are copied and noted, and RUN is not possible")
        }
    };
    if writes {
        note!("note: {text}");
    }
}
