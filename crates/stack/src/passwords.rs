//! Passwords that a store reads for an empty volume alone.
//!
//! PostgreSQL, MySQL, MariaDB, MongoDB and RabbitMQ take the password of their environment when they make their data;
//! afterwards the data have it. A secret that was made anew looks like a rotation and is a lock-out. So a volume
//! carries a digest of the password that it was made with, and `up` compares it before it touches a container.

use std::collections::BTreeMap;

use plimsoll_facts::new_data_passwords;

use crate::{Desired, DesiredService, Observed, StackFiles, labels};

/// A volume whose data have another password than the project has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedPassword {
    /// Key of the volume in the Compose file.
    pub volume: String,
    /// Its name in the engine.
    pub name: String,
    /// The service that has its data there.
    pub service: String,
    /// Where the project's password is: the variables.
    pub variables: Vec<String>,
    /// Digest of the project's password, as [`labels::PASSWORD`] has it.
    pub digest: String,
}

/// Writes on each volume of a store the digest of the password that it would be made with.
pub(crate) fn note(desired: &mut Desired, files: &StackFiles) {
    let found: BTreeMap<String, (String, Vec<String>, String)> = passwords(desired, files);
    for volume in desired.volumes.iter_mut().filter(|volume| !volume.external) {
        if let Some((_, _, digest)) = found.get(&volume.spec.name) {
            volume.spec.labels.insert(labels::PASSWORD.to_owned(), digest.clone());
        }
    }
}

/// The volumes that were made with another password.
pub fn changed_passwords(desired: &Desired, observed: &Observed, files: &StackFiles) -> Vec<ChangedPassword> {
    let found = passwords(desired, files);
    let changed = desired.volumes.iter().filter_map(|volume| {
        let (service, variables, digest) = found.get(&volume.spec.name)?;
        let there = observed.volumes.iter().find(|there| there.spec.name == volume.spec.name)?;
        let made_with = there.spec.labels.get(labels::PASSWORD)?;
        (made_with != digest).then(|| ChangedPassword {
            volume: volume.key.clone(),
            name: volume.spec.name.clone(),
            service: service.clone(),
            variables: variables.clone(),
            digest: digest.clone(),
        })
    });
    changed.collect()
}

/// Volume name to service, variables and digest of all its passwords.
fn passwords(desired: &Desired, files: &StackFiles) -> BTreeMap<String, (String, Vec<String>, String)> {
    let mut found = BTreeMap::new();
    let known = new_data_passwords();
    for service in &desired.services {
        for (target, volume) in service.writable_volumes() {
            let is_here = |data: &str| target == data || target.starts_with(&format!("{data}/"));
            let given: Vec<(&str, Vec<u8>)> = known
                .iter()
                .filter(|known| is_here(known.data))
                .filter_map(|known| Some((known.variable, password(service, known.variable, files)?)))
                .collect();
            if given.is_empty() {
                continue;
            }
            let digest = digest(&volume, &given);
            let variables = given.iter().map(|(variable, _)| (*variable).to_owned()).collect();
            found.insert(volume, (service.name.clone(), variables, digest));
        }
    }
    found
}

/// The password itself: of the variable, or of the file that `<variable>_FILE` names, if it is one of ours.
fn password(service: &DesiredService, variable: &str, files: &StackFiles) -> Option<Vec<u8>> {
    let value = |name: &str| service.spec.env.get(name).cloned().flatten().filter(|value| !value.is_empty());
    if let Some(value) = value(variable) {
        return Some(value.into_bytes());
    }
    let path = value(&format!("{variable}_FILE"))?;
    let file = files.by_service.get(&service.name)?.iter().find(|file| file.target == path)?;
    let content = file.content();
    // the images' entry points read it with a shell, which drops the line break
    let end = content.iter().rposition(|byte| *byte != b'\n').map_or(0, |at| at + 1);
    Some(content[..end].to_vec())
}

/// Half of a BLAKE3 digest, salted with the volume's name: equal passwords of two volumes do not look equal.
fn digest(volume: &str, given: &[(&str, Vec<u8>)]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("plimsoll: the password that a volume was made with");
    for part in std::iter::once(volume.as_bytes())
        .chain(given.iter().flat_map(|(variable, value)| [variable.as_bytes(), value.as_slice()]))
    {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    hasher.finalize().to_hex()[..32].to_owned()
}
