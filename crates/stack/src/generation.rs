//! Generations: containers of one project that stand side by side, each set made from another release.
//!
//! A service that belongs to a generation has its id in a label and in its containers' names. Whoever plans for one
//! generation sees the containers of the others as those of a stranger: their ports and volumes are taken, and nothing
//! of theirs is changed or removed. Services without a generation (stores) are shared by all.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Desired, DesiredService, Observed, ObservedContainer, StackError, labels};

/// Longest id of a generation: names of containers must stay readable.
const LONGEST: usize = 20;

/// The id of a release's containers: 1 to 20 of `a` to `z` and `0` to `9`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Generation(String);

/// A text that cannot be a generation's id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no id of a generation: 1 to {LONGEST} of a to z and 0 to 9 are")]
pub struct BadGeneration(pub String);

impl Generation {
    /// The id as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `shop-api-1` becomes `shop-api-1-r7`. A container without a generation has a name that ends in a number behind
    /// its join, and an id has no join inside, so that no service can be called into the name of another's container.
    fn container_name(&self, ordinary: &str) -> String {
        format!("{ordinary}-r{}", self.0)
    }
}

impl TryFrom<String> for Generation {
    type Error = BadGeneration;

    fn try_from(text: String) -> Result<Self, BadGeneration> {
        let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if plain && (1..=LONGEST).contains(&text.len()) { Ok(Self(text)) } else { Err(BadGeneration(text)) }
    }
}

impl From<Generation> for String {
    fn from(generation: Generation) -> Self {
        generation.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Desired {
    /// Puts the services that `belongs` names into a generation; the others stay shared. What decides whether a
    /// container is up to date stays the same.
    ///
    /// # Errors
    ///
    /// [`StackError::FixedName`] for a service with a `container_name`: two containers cannot have one name.
    pub fn in_generation(
        mut self,
        generation: &Generation,
        belongs: impl Fn(&DesiredService) -> bool,
    ) -> Result<Self, StackError> {
        for service in self.services.iter_mut().filter(|service| belongs(service)) {
            for replica in &mut service.replicas {
                let ends = |join: &str| {
                    replica.name.ends_with(&format!("{join}{}{join}{}", service.name, replica.number))
                };
                if !ends("-") && !ends("_") {
                    return Err(StackError::FixedName {
                        service: service.name.clone(),
                        name: replica.name.clone(),
                    });
                }
                replica.name = generation.container_name(&replica.name);
            }
            service.spec.labels.insert(labels::GENERATION.into(), generation.to_string());
            service.generation = Some(generation.clone());
        }
        self.generation = Some(generation.clone());
        Ok(self)
    }

    /// Whether a container is one of those that this is about.
    fn is_about(&self, container: &ObservedContainer) -> bool {
        let service = self.services.iter().find(|service| service.name == container.service);
        match service {
            Some(service) => container.generation == service.generation,
            // of a service that there is no more: ours to tell of, where it is not another release's
            None => container.generation.is_none() || container.generation == self.generation,
        }
    }
}

impl Observed {
    /// The engine as one generation sees it: containers of others are strangers, who hold what they hold.
    pub(crate) fn seen_from(&self, desired: &Desired) -> Cow<'_, Self> {
        if self.containers.iter().all(|container| desired.is_about(container)) {
            return Cow::Borrowed(self);
        }
        let mut seen = self.clone();
        let (own, others): (Vec<_>, Vec<_>) =
            seen.containers.drain(..).partition(|container| desired.is_about(container));
        seen.containers = own;
        for other in others {
            let owner = match &other.generation {
                Some(generation) => format!("container {} of release {generation}", other.name),
                None => format!("container {} of no release", other.name),
            };
            let published = other.ports.into_iter().filter(|port| port.host.is_some());
            seen.foreign_ports.extend(published.map(|port| (port, owner.clone())));
            seen.foreign_networks.extend(other.networks.into_keys().map(|name| (name, owner.clone())));
            seen.foreign_volumes.extend(other.volumes.into_values().map(|name| (name, owner.clone())));
        }
        Cow::Owned(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(text: &str) -> Result<Generation, BadGeneration> {
        Generation::try_from(text.to_owned())
    }

    #[test]
    fn an_id_is_short_and_has_no_join() {
        assert!(generation("7").is_ok() && generation("20261201a").is_ok());
        for bad in ["", "a-1", "A", "a_b", "a.b", "é", "123456789012345678901"] {
            assert_eq!(generation(bad), Err(BadGeneration(bad.to_owned())), "{bad}");
        }
        assert!(serde_json::from_str::<Generation>("\"a-1\"").is_err());
        assert_eq!(serde_json::to_string(&generation("7").ok()).ok().as_deref(), Some("\"7\""));
    }

    /// Project, service, number and generation of each name, read from its end: there is one way.
    #[test]
    fn no_service_has_the_name_of_another_ones_release() {
        let mut seen = std::collections::BTreeMap::new();
        let ids: Vec<Option<Generation>> =
            ["7", "r7", "1", "1r7"].iter().map(|id| generation(id).ok()).chain([None]).collect();
        for service in ["api", "api-1", "api-1-r7", "api-r7", "api-1-r7-1", "r7"] {
            for number in [1, 7, 17] {
                for id in &ids {
                    let ordinary = format!("shop-{service}-{number}");
                    let name = id.as_ref().map_or(ordinary.clone(), |id| id.container_name(&ordinary));
                    let what = (service, number, id.clone());
                    assert_eq!(seen.insert(name.clone(), what.clone()), None, "{name} {what:?}");
                }
            }
        }
    }
}
