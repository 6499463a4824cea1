//! In place of docker compose: under the name `docker-compose`, alone or as a plug-in of the `docker` command, this
//! program behaves as that one also where `plimsoll` does otherwise: `up` stays in front.

use std::{ffi::OsString, path::Path, process::ExitCode};

use plimsoll_ops::{is_in_place, stand_in};

/// The name under which docker's command looks for the plug-in.
const NAME: &str = "docker-compose";

/// What the program was called for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// A verb, as ever.
    Verb(Vec<OsString>),
    /// docker's command asks what this plug-in is.
    Metadata,
}

/// The exit code of a verb that could not run: docker compose knows only 1.
pub(super) fn code(own: u8) -> u8 {
    if is_in_place() { 1 } else { own }
}

/// The arguments without what docker's command puts before them.
pub(super) fn arguments(arguments: impl Iterator<Item = OsString>) -> Called {
    let (in_place, called) = read(arguments.collect());
    stand_in(in_place);
    called
}

fn read(mut arguments: Vec<OsString>) -> (bool, Called) {
    let name = arguments.first().and_then(|program| Path::new(program).file_name());
    let in_place = name.is_some_and(|name| name == NAME);
    let first = arguments.get(1).and_then(|word| word.to_str());
    match first {
        Some("docker-cli-plugin-metadata") if in_place => return (in_place, Called::Metadata),
        // `docker compose up` calls `docker-compose compose up`
        Some("compose") if in_place => {
            arguments.remove(1);
        }
        _ => {}
    }
    (in_place, Called::Verb(arguments))
}

/// What docker's command wants to know of a plug-in.
pub(super) fn metadata() -> ExitCode {
    let about = serde_json::json!({
        "SchemaVersion": "0.1.0",
        "Vendor": "Plimsoll",
        "Version": env!("CARGO_PKG_VERSION"),
        "ShortDescription": "Plimsoll, in place of Docker Compose",
    });
    outln!("{about}");
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides() {
        let of = |line: &str| read(line.split(' ').map(OsString::from).collect());
        let verb = |line: &str| Called::Verb(line.split(' ').map(OsString::from).collect());
        assert_eq!(of("/bin/plimsoll up"), (false, verb("/bin/plimsoll up")));
        assert_eq!(of("/p/docker-compose compose up"), (true, verb("/p/docker-compose up")));
        assert_eq!(of("docker-compose up"), (true, verb("docker-compose up")));
        assert_eq!(of("docker-compose docker-cli-plugin-metadata"), (true, Called::Metadata));
    }
}
