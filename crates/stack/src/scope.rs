//! What a verb that was given a Compose file may touch. Two files in one folder have one project name unless somebody
//! wrote `name:`, so the name alone says too little: the containers of the file's active services are meant, its
//! networks and its volumes. Whoever gives the name without a file means the whole project.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_compose::{MountKind, Project};

use crate::desired;

/// What a Compose file has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Services of active profiles.
    pub services: BTreeSet<String>,
    /// Services of other profiles: neither touched nor orphans.
    pub disabled: BTreeSet<String>,
    /// Names in the engine of the networks that active services use and that the project makes.
    pub networks: BTreeSet<String>,
    /// Name in the engine of each declared volume that the project makes, to the active services that use it.
    pub volumes: BTreeMap<String, BTreeSet<String>>,
    /// Names of images of active services, each with the service: the given one or docker compose's default, and
    /// those of `build.tags`. True for those that nobody gave a name of their own.
    pub images: Vec<(String, String, bool)>,
}

impl Scope {
    /// What `project` has.
    pub fn of(project: &Project) -> Self {
        let mut scope = Self {
            services: project.services.keys().cloned().collect(),
            disabled: project.disabled_services.keys().cloned().collect(),
            ..Self::default()
        };
        for (name, service) in &project.services {
            for key in service.networks.keys() {
                scope.add_network(project, key);
            }
            let sources = service.volumes.iter().filter(|mount| mount.kind == MountKind::Volume);
            for key in sources.filter_map(|mount| mount.source.as_ref()) {
                if project.volumes.get(key).is_some_and(|volume| !volume.external) {
                    let users = scope.volumes.entry(desired::volume_name(project, key)).or_default();
                    users.insert(name.clone());
                }
            }
            let own = service.image.is_none();
            scope.images.push((name.clone(), crate::image_name(project, name), own));
            let tags = service.build.iter().flat_map(|build| &build.tags);
            scope.images.extend(tags.map(|tag| (name.clone(), tag.clone(), own)));
        }
        if project.all_resources {
            project.networks.keys().for_each(|key| scope.add_network(project, key));
            let own = project.volumes.iter().filter(|(_, volume)| !volume.external);
            for (key, _) in own {
                scope.volumes.entry(desired::volume_name(project, key)).or_default();
            }
        }
        scope
    }

    fn add_network(&mut self, project: &Project, key: &str) {
        if project.networks.get(key).is_some_and(|network| !network.external) {
            self.networks.insert(desired::network_name(project, key));
        }
    }

    /// True for an active service of the file.
    pub fn has(&self, service: &str) -> bool {
        self.services.contains(service)
    }

    /// True for a service that the file does not have, whatever its profile.
    pub fn is_orphan(&self, service: &str) -> bool {
        !self.has(service) && !self.disabled.contains(service)
    }
}
