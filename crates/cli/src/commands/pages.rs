//! `plimsoll help PAGE`: the pages that messages and generated files name, for whoever has the binary alone.

use std::{ffi::OsString, process::ExitCode};

/// Names that no verb has, with their pages.
const PAGES: [(&str, &str); 11] = [
    ("certificate", include_str!("../../../../docs/certificate.md")),
    ("glossary", include_str!("../../../../docs/glossary.md")),
    ("operate", include_str!("../../../../docs/operate.md")),
    ("policy", include_str!("../../../../docs/policy.md")),
    ("promises", include_str!("../../../../docs/promises.md")),
    ("requirements", include_str!("../../../../docs/requirements.md")),
    ("rules", include_str!("../../../../docs/rules.md")),
    ("security", include_str!("../../../../docs/security.md")),
    ("smoke", include_str!("../../../../docs/smoke.md")),
    ("stack", include_str!("../../../../docs/stack.md")),
    ("tutorial", include_str!("../../../../docs/tutorial.md")),
];

/// What `plimsoll --help` says of them.
pub(super) const LIST: &str = "Pages: plimsoll help certificate | glossary | operate | policy | promises | requirements | \
    rules | security | smoke | stack | tutorial";

/// Prints the page that was asked for; nothing where none was.
pub(super) fn asked(arguments: &[OsString]) -> Option<ExitCode> {
    let [_, help, name] = arguments else { return None };
    let (_, text) = PAGES.iter().find(|(page, _)| help == "help" && name == page)?;
    print!("{text}");
    Some(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_listed_and_no_verb_has_its_name() {
        let command = super::super::command();
        for (name, text) in PAGES {
            assert!(LIST.contains(name) && text.starts_with("# "), "{name}");
            assert!(command.get_subcommands().all(|verb| verb.get_name() != name), "{name}");
        }
        assert!(asked(&["plimsoll", "help", "up"].map(OsString::from)).is_none());
    }
}
