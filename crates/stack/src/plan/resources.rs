//! Networks and volumes: made if they are missing, made anew if a network differs, never touched if a volume does.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_engine::{NetworkDetail, NetworkSpec, VolumeSpec};

use super::{Op, Plan, PlanOptions};
use crate::{Desired, DesiredNetwork, Observed, StackError, labels};

/// A network that must be made anew.
#[derive(Debug)]
pub(super) struct Diverged {
    /// Its id.
    pub(super) id: String,
    /// What differs.
    pub(super) difference: String,
}

/// What became of networks and volumes, for the containers that use them.
#[derive(Debug, Default)]
pub(super) struct Resources {
    /// Engine name to the step that makes it.
    pub(super) made: BTreeMap<String, usize>,
    /// Networks that must be made anew: engine name to what differs. Their removal comes later, when every container
    /// has left.
    pub(super) diverged: BTreeMap<String, Diverged>,
    /// Volumes that differ and may be lost: engine name to what differs.
    pub(super) lost_volumes: BTreeMap<String, String>,
    /// Volumes that are new.
    pub(super) new_volumes: BTreeSet<String>,
}

pub(super) fn plan(
    desired: &Desired,
    observed: &Observed,
    options: &PlanOptions,
    plan: &mut Plan,
) -> Result<Resources, StackError> {
    let mut resources = Resources::default();
    for network in &desired.networks {
        let name = &network.spec.name;
        let found = observed.networks.iter().find(|found| found.spec.name == *name);
        match found {
            None if network.external => {
                return Err(StackError::ExternalMissing { kind: "network", name: name.clone() });
            }
            None => {
                let cause = format!("network {} does not exist", network.key);
                let step = plan.push(Op::CreateNetwork { spec: network.spec.clone() }, None, cause, &[]);
                resources.made.insert(name.clone(), step);
            }
            Some(_) if network.external => {}
            Some(found) => {
                existing_network(desired, network, found, plan, &mut resources)?;
                if observed.networks.iter().filter(|other| other.spec.name == *name).count() > 1 {
                    let cause = format!("network {} exists several times", network.key);
                    let step = plan.push(Op::RemoveDuplicates { name: name.clone() }, None, cause, &[]);
                    resources.made.insert(name.clone(), step);
                }
            }
        }
    }
    for volume in &desired.volumes {
        let name = &volume.spec.name;
        match observed.volumes.iter().find(|found| found.spec.name == *name) {
            None if volume.external => {
                return Err(StackError::ExternalMissing { kind: "volume", name: name.clone() });
            }
            None => {
                let cause = format!("volume {} does not exist", volume.key);
                let step = plan.push(Op::CreateVolume { spec: volume.spec.clone() }, None, cause, &[]);
                resources.made.insert(name.clone(), step);
                resources.new_volumes.insert(name.clone());
            }
            Some(_) if volume.external => {}
            Some(found) => {
                match existing_volume(&desired.project, &volume.spec, &found.spec) {
                    Existing::Same => {}
                    Existing::Foreign(note) => plan.notes.push(note),
                    Existing::Differs(what) if options.recreate_volumes.contains(&volume.key) => {
                        resources.lost_volumes.insert(name.clone(), what);
                    }
                    Existing::Differs(what) => plan.notes.push(format!(
                        "volume {key}: {what}; it is kept with its data (`up --recreate-volume {key}` makes it anew)",
                        key = volume.key
                    )),
                }
            }
        }
    }
    Ok(resources)
}

fn existing_network(
    desired: &Desired,
    network: &DesiredNetwork,
    existing: &NetworkDetail,
    plan: &mut Plan,
    resources: &mut Resources,
) -> Result<(), StackError> {
    let found = &existing.spec;
    match found.labels.get(labels::PROJECT) {
        Some(owner) if *owner != desired.project => {
            return Err(StackError::NotOurs {
                kind: "network",
                name: found.name.clone(),
                owner: owner.clone(),
            });
        }
        None => {
            plan.notes
                .push(format!("network {} was not made by this project; it is used as it is", found.name));
            return Ok(());
        }
        Some(_) => {}
    }
    if let Some(difference) = network_difference(&network.spec, found) {
        resources.diverged.insert(found.name.clone(), Diverged { id: existing.id.clone(), difference });
    }
    Ok(())
}

/// What differs, in words. What the Compose file does not say is the engine's choice and no difference.
fn network_difference(wanted: &NetworkSpec, found: &NetworkSpec) -> Option<String> {
    let driver = if wanted.driver.is_empty() { "bridge" } else { &wanted.driver };
    if driver != found.driver {
        return Some(format!("driver {} -> {driver}", found.driver));
    }
    if wanted.internal != found.internal {
        return Some(format!("internal {} -> {}", found.internal, wanted.internal));
    }
    if wanted.attachable != found.attachable {
        return Some(format!("attachable {} -> {}", found.attachable, wanted.attachable));
    }
    if wanted.ipv6 != found.ipv6 {
        return Some(format!("enable_ipv6 {} -> {}", found.ipv6, wanted.ipv6));
    }
    let pools = wanted.pools.iter().all(|pool| {
        found.pools.iter().any(|other| {
            (pool.subnet.is_none() || pool.subnet == other.subnet)
                && (pool.gateway.is_none() || pool.gateway == other.gateway)
                && (pool.ip_range.is_none() || pool.ip_range == other.ip_range)
        })
    });
    if !pools {
        return Some("its subnet changed".to_owned());
    }
    if wanted.options.iter().any(|(key, value)| found.options.get(key) != Some(value)) {
        return Some("its driver options changed".to_owned());
    }
    let labels = wanted.labels.iter().filter(|(key, _)| !key.starts_with("com.docker.compose."));
    if labels.clone().any(|(key, value)| found.labels.get(key) != Some(value)) {
        return Some("its labels changed".to_owned());
    }
    None
}

enum Existing {
    Same,
    /// Used as it is.
    Foreign(String),
    /// What differs, in words.
    Differs(String),
}

/// A volume is data: whatever differs, it is kept, unless its loss was agreed to.
fn existing_volume(project: &str, wanted: &VolumeSpec, found: &VolumeSpec) -> Existing {
    let name = &found.name;
    let driver = if wanted.driver.is_empty() { "local" } else { &wanted.driver };
    match found.labels.get(labels::PROJECT) {
        Some(owner) if owner != project => {
            return Existing::Foreign(format!(
                "volume {name} was made by project {owner}; it is used as it is"
            ));
        }
        None => {
            return Existing::Foreign(format!(
                "volume {name} was not made by this project; it is used as it is"
            ));
        }
        Some(_) => {}
    }
    if driver != found.driver {
        return Existing::Differs(format!("its driver changed {} -> {driver}", found.driver));
    }
    if wanted.options != found.options {
        return Existing::Differs("its driver options changed".to_owned());
    }
    let labels = wanted
        .labels
        .iter()
        .filter(|(key, _)| !key.starts_with("com.docker.compose.") && *key != labels::PASSWORD);
    if labels.clone().any(|(key, value)| found.labels.get(key) != Some(value)) {
        return Existing::Differs("its labels changed".to_owned());
    }
    Existing::Same
}
