//! What has to go: what killed runs left behind, containers on networks and volumes that are made anew, orphans.

use std::collections::BTreeSet;

use super::{Op, build::Builder};
use crate::{ObservedContainer, StackError};

impl Builder<'_> {
    /// Successors that never took their place, because a run was killed.
    pub(super) fn strays(&mut self) {
        for stray in self.observed.containers.iter().filter(|found| found.is_stray()) {
            let step = self.plan.push(
                Op::RemoveContainer { container: stray.name.clone(), volumes: false },
                Some(&stray.service),
                format!("{} was left behind by an interrupted run", stray.service),
                &[],
            );
            self.removed.insert(stray.name.clone(), step);
        }
    }

    /// A network cannot be changed, and not be removed while a container is on it.
    pub(super) fn recreate_networks(&mut self) -> Result<(), StackError> {
        let mut removed = Vec::new();
        let mut wanted = Vec::new();
        for (name, diverged) in std::mem::take(&mut self.resources.diverged) {
            let Some(network) = self.desired.networks.iter().find(|network| network.spec.name == name) else {
                continue;
            };
            free("network", &name, &self.observed.foreign_networks)?;
            let cause = format!("network {}: {}", network.key, diverged.difference);
            let mut removals = self.clear(&cause, |container| container.networks.contains_key(&name));
            removals.extend(self.resources.made.get(&name));
            let remove = Op::RemoveNetwork { name, network: diverged.id };
            removed.push(self.plan.push(remove, None, &cause, &removals));
            wanted.push((network, cause));
        }
        // two of them may exchange their subnets
        for (network, cause) in wanted {
            let made = Op::CreateNetwork { spec: network.spec.clone() };
            let made = self.plan.push(made, None, &cause, &removed);
            self.resources.made.insert(network.spec.name.clone(), made);
        }
        Ok(())
    }

    /// A volume that differs is made anew only where its loss was agreed to. Whoever has it goes first, also those
    /// that have it from another container.
    pub(super) fn recreate_volumes(&mut self) -> Result<(), StackError> {
        for (name, difference) in std::mem::take(&mut self.resources.lost_volumes) {
            let Some(volume) = self.desired.volumes.iter().find(|volume| volume.spec.name == name) else {
                continue;
            };
            free("volume", &name, &self.observed.foreign_volumes)?;
            let cause = format!("volume {}: {difference}; its loss was agreed to", volume.key);
            let removals =
                self.clear(&cause, |container| container.volumes.values().any(|volume| *volume == name));
            let removed = self.plan.push(Op::RemoveVolume { name: name.clone() }, None, &cause, &removals);
            let made =
                self.plan.push(Op::CreateVolume { spec: volume.spec.clone() }, None, &cause, &[removed]);
            self.resources.made.insert(name.clone(), made);
            self.resources.new_volumes.insert(name);
        }
        Ok(())
    }

    /// Removes the containers that `has` is true of; gives the steps after which no container has it any more.
    fn clear(&mut self, cause: &str, has: impl Fn(&ObservedContainer) -> bool) -> Vec<usize> {
        let observed = self.observed;
        let mut removals = Vec::new();
        for container in observed.containers.iter().filter(|found| !found.is_stray() && has(found)) {
            let removal = match self.removed.get(&container.name) {
                Some(step) => *step,
                None => self.remove(container, cause, &[]),
            };
            removals.push(removal);
            self.gone.insert(container.id.clone(), cause.to_owned());
        }
        removals.extend(self.removed.values());
        removals
    }

    /// Stops and removes a container.
    pub(super) fn remove(&mut self, container: &ObservedContainer, cause: &str, after: &[usize]) -> usize {
        let service = Some(container.service.as_str());
        let mut after = after.to_vec();
        if container.is_up() {
            after = vec![self.plan.stop(container, self.options.grace, cause, &after)];
        }
        let remove = Op::RemoveContainer { container: container.name.clone(), volumes: false };
        let step = self.plan.push(remove, service, cause, &after);
        self.removed.insert(container.name.clone(), step);
        step
    }

    /// Containers of services that the project does not have any more, and those of `run` that have ended.
    pub(super) fn orphans(&mut self) {
        let desired = self.desired;
        let orphans =
            self.observed.containers.iter().filter(|found| found.is_orphan(|name| desired.knows(name)));
        let orphans: Vec<&ObservedContainer> =
            orphans.filter(|found| !self.removed.contains_key(&found.name)).collect();
        if self.options.remove_orphans {
            for container in orphans {
                self.remove(container, &orphan_cause(container), &[]);
            }
        } else if !self.options.ignore_orphans {
            self.plan.notes.extend(orphan_notes(orphans));
        }
    }
}

/// Why an orphan goes.
pub(crate) fn orphan_cause(container: &ObservedContainer) -> String {
    if container.oneoff {
        "its command has ended, and the orphans' removal was asked for".to_owned()
    } else {
        format!("the project has no service {} any more", container.service)
    }
}

/// What a person should know of orphans that stay: those of `run` in one line, however often somebody ran it.
pub(crate) fn orphan_notes<'a>(orphans: impl IntoIterator<Item = &'a ObservedContainer>) -> Vec<String> {
    let (ended, others): (Vec<_>, Vec<_>) = orphans.into_iter().partition(|container| container.oneoff);
    let mut notes: Vec<String> = others
        .iter()
        .map(|container| {
            format!("{} belongs to no service of the project; `--remove-orphans` removes it", container.name)
        })
        .collect();
    let names: Vec<&str> = ended.iter().map(|container| container.name.as_str()).collect();
    match names.as_slice() {
        [] => {}
        [name] => notes.push(format!(
            "{name} is an orphan: its `run` has ended; `--remove-orphans` removes it, `run --rm` leaves none"
        )),
        [first, ..] => notes.push(format!(
            "{first} and {} more are orphans: their `run` has ended; `--remove-orphans` removes them, `run --rm` \
             leaves none",
            names.len() - 1
        )),
    }
    notes
}

/// Others must not be torn off, and nothing of ours may be removed before that is known.
fn free(kind: &'static str, name: &str, others: &[(String, String)]) -> Result<(), StackError> {
    let users: BTreeSet<&str> =
        others.iter().filter(|(held, _)| held == name).map(|(_, who)| who.as_str()).collect();
    if users.is_empty() {
        return Ok(());
    }
    let users = users.into_iter().map(str::to_owned).collect();
    Err(StackError::InUse { kind, name: name.to_owned(), users })
}
