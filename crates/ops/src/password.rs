//! Passwords of stores whose data were made with others: said before a container is touched.

use std::{collections::BTreeMap, fs, path::Path};

use plimsoll_stack::ChangedPassword;

use crate::Failure;

/// What a person said of volumes: name -> digest of the password that the store has by now.
const ACCEPTED: &str = "passwords.json";

/// What a person says of volumes with a password.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    /// The store in these has the new password.
    pub(crate) changed: &'a [String],
    /// The data in these may be lost.
    pub(crate) lost: &'a [String],
    /// Nothing is remembered.
    pub(crate) dry_run: bool,
}

/// Refuses passwords that the data in their volumes do not know. `--password-changed VOLUME` says that the store has
/// the new one, and is remembered in `state`, the project's folder.
///
/// # Errors
/// Names the volumes and the three ways on.
pub(crate) fn check(changed: &[ChangedPassword], said: Said<'_>, state: &Path) -> Result<(), Failure> {
    if changed.is_empty() {
        return Ok(());
    }
    let file = state.join(ACCEPTED);
    // what cannot be read is not accepted: the question is asked once more
    let mut accepted: BTreeMap<String, String> =
        fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let before = accepted.clone();
    for one in changed.iter().filter(|one| said.changed.contains(&one.volume)) {
        accepted.insert(one.name.clone(), one.digest.clone());
    }
    if accepted != before && !said.dry_run {
        let text = serde_json::to_vec_pretty(&accepted)?;
        fs::create_dir_all(state)
            .and_then(|()| fs::write(&file, text))
            .map_err(|error| Failure::cannot_write(&file, &error))?;
    }
    let open = changed
        .iter()
        .filter(|one| accepted.get(&one.name) != Some(&one.digest) && !said.lost.contains(&one.volume));
    let errors: Vec<_> = open.map(refusal).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.into()) }
}

fn refusal(one: &ChangedPassword) -> plimsoll_source::Diagnostic {
    let ChangedPassword { volume, name, service, variables, .. } = one;
    plimsoll_source::Diagnostic::error(format!(
        "{service}: the data in {name} were made with another {} than it has now",
        variables.join(" or ")
    ))
    .note("the store read its password when the volume was empty, and does not read it again: nobody could log in")
    .hint(format!(
        "put the old password back; or change it in the store, then: plimsoll up --password-changed {volume}; or lose \
         the data: plimsoll up --recreate-volume {volume}"
    ))
}
