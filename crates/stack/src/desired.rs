//! What a project wants, as data: no engine is asked and nothing is read here.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_compose::{Condition, Project, Service};
use plimsoll_engine::{ContainerSpec, EngineFacts, HealthSpec, IpamPool, MountKind, NetworkSpec, VolumeSpec};
use serde::{Deserialize, Serialize};

use crate::{
    Generation, Hooks, ImageMap, InitHook, JobInputs, StackError, StackFiles, cause,
    compose_hash::compose_hashes, conditions, container, images::hook_image, labels, passwords,
};

/// What [`desired`] needs beside the project.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Image of every service.
    pub images: &'a ImageMap,
    /// What the engine's host has.
    pub facts: &'a EngineFacts,
    /// Secrets and configs.
    pub files: &'a StackFiles,
}

/// Everything that should exist.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    /// The project's name.
    pub project: String,
    /// The release that it is for, where several stand side by side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// Networks that services use.
    pub networks: Vec<DesiredNetwork>,
    /// Volumes that services use.
    pub volumes: Vec<DesiredVolume>,
    /// Services; each after those that it depends on.
    pub services: Vec<DesiredService>,
    /// Services of profiles that are not active: their containers are not orphans.
    pub disabled: BTreeSet<String>,
    /// Limits that were fitted to the host.
    pub fits: Vec<Fit>,
    /// What the engine cannot honour, said once.
    pub notes: Vec<String>,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredNetwork {
    /// Key in the Compose file.
    pub key: String,
    /// Exists outside the project.
    pub external: bool,
    /// What it is to be.
    pub spec: NetworkSpec,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredVolume {
    /// Key in the Compose file.
    pub key: String,
    /// Exists outside the project.
    pub external: bool,
    /// What it is to be.
    pub spec: VolumeSpec,
}

/// A dependency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The other service.
    pub service: String,
    /// `service_started`, `service_healthy`, `service_completed_successfully`.
    pub condition: String,
    /// Restart this one when the other is replaced.
    pub restart: bool,
    /// The other must exist.
    pub required: bool,
    /// This one lives in the other's namespace or has its volumes: it is replaced with it.
    pub namespace: bool,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DesiredService {
    /// Its name.
    pub name: String,
    /// The release that it belongs to; nothing where all share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// What each of its containers is; name and number are given by [`DesiredService::replica`].
    pub spec: ContainerSpec,
    /// Digest of everything that decides whether a container is up to date.
    pub hash: String,
    /// The same, by part.
    pub parts: BTreeMap<String, String>,
    /// docker compose's digests of it, by an older and by the newest version. The first is the label's.
    pub compose_hashes: [String; 2],
    /// Commands in its containers.
    pub hooks: Hooks,
    /// Containers that run to their end before it.
    pub init: Vec<InitHook>,
    /// How its replicas are replaced, if the Compose file says it.
    pub update: Option<Update>,
    /// Containers with their names.
    pub replicas: Vec<Replica>,
    /// What must be there first.
    pub needs: Vec<Need>,
    /// Runs to its end, and others wait for that.
    pub one_shot: bool,
    /// What it is given to read, if it is such a job.
    pub inputs: Option<JobInputs>,
    /// Health check in force: the Compose file's, else the image's.
    pub health: Option<HealthSpec>,
    /// User that it runs as, as configured; empty is root.
    pub user: String,
    /// Name of its image as the Compose file has it.
    pub image: String,
    /// The image stands in for another.
    pub standin: bool,
    /// Has secrets or configs to write.
    pub has_files: bool,
}

/// `deploy.update_config`: how replicas are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// So many at a time; 0 is all.
    pub parallelism: usize,
    /// The successor is ready before the old one is stopped.
    pub start_first: bool,
    /// Milliseconds between two groups.
    pub delay: u64,
    /// The first replica that fails does not keep the others from being replaced.
    pub go_on: bool,
}

/// One container of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// From 1.
    pub number: u32,
    /// The container's name.
    pub name: String,
}

/// A limit that the host cannot give.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The service.
    pub service: String,
    /// Which limit.
    pub what: String,
    /// What the Compose file asks for.
    pub asked: String,
    /// What the host has.
    pub given: String,
}

impl Desired {
    /// True for a service of the project, of whatever profile.
    pub fn knows(&self, service: &str) -> bool {
        self.disabled.contains(service) || self.services.iter().any(|found| found.name == service)
    }

    /// Gives variables to every container that does not have them, hooks included. They are the machine's, not the
    /// project's: no container is out of date because of them.
    pub fn lend_environment(&mut self, variables: &[(String, String)]) {
        for service in &mut self.services {
            let hooks = service.init.iter_mut().map(|hook| &mut hook.env);
            for env in std::iter::once(&mut service.spec.env).chain(hooks) {
                for (name, value) in variables {
                    env.entry(name.clone()).or_insert_with(|| Some(value.clone()));
                }
            }
        }
    }
}

impl DesiredService {
    /// The named volumes that it can write to: path in the container to volume name.
    pub fn writable_volumes(&self) -> BTreeMap<String, String> {
        self.spec
            .mounts
            .iter()
            .filter(|mount| !mount.read_only)
            .filter_map(|mount| match &mount.kind {
                MountKind::Volume { name: Some(name), .. } => Some((mount.target.clone(), name.clone())),
                _ => None,
            })
            .collect()
    }

    /// The specification of one container.
    pub fn replica(&self, replica: &Replica) -> ContainerSpec {
        let mut spec = self.spec.clone();
        spec.name.clone_from(&replica.name);
        spec.labels.insert(labels::NUMBER.into(), replica.number.to_string());
        spec
    }
}

/// Computes what `project` wants on an engine with these facts.
pub fn desired(project: &Project, context: Context<'_>) -> Result<Desired, StackError> {
    let mut notes = Vec::new();
    for (key, network) in &project.networks {
        if network.enable_ipv4.is_some() && !container::speaks(context.facts, 47) {
            notes.push(format!("network {key}: enable_ipv4 needs Docker Engine 28; it has IPv4"));
        }
    }
    let mut desired = Desired {
        project: project.name.clone(),
        notes,
        networks: networks(project),
        volumes: volumes(project),
        disabled: project.disabled_services.keys().cloned().collect(),
        ..Desired::default()
    };
    for name in in_order(project) {
        let service = service(project, name, context, &mut desired)?;
        desired.services.push(service);
    }
    conditions::check(project, context.images, &mut desired)?;
    passwords::note(&mut desired, context.files);
    Ok(desired)
}

fn service(
    project: &Project,
    name: &str,
    context: Context<'_>,
    desired: &mut Desired,
) -> Result<DesiredService, StackError> {
    let wanted = &project.services[name];
    let image = context.images.get(name).cloned().unwrap_or_default();
    let files = context.files.by_service.get(name).map_or(&[][..], Vec::as_slice);
    let built = container::spec(project, name, &image, context.facts, context.files)?;
    let mut spec = built.spec;
    spec.mounts.extend(files.iter().map(crate::StackFile::mount));
    let needs = needs(project, name);

    let hooks = Hooks::new(&wanted.post_start, &wanted.pre_stop);
    let init = init_hooks(wanted, name, context.images, &image.id);
    let said = if hooks.is_empty() && init.is_empty() {
        String::new()
    } else {
        // plain data: it always serialises
        serde_json::to_string(&(&hooks, &init)).unwrap_or_default()
    };
    let parts = cause::parts(&spec, files, &said);
    let hash = cause::hash(&spec, files, &said);
    let compose_hashes = compose_hashes(wanted);
    let update = update(wanted, name, &spec, &mut desired.notes);
    let mut own = project_labels(project);
    own.insert(labels::SERVICE.into(), name.into());
    own.insert(labels::ONEOFF.into(), "False".into());
    own.insert(labels::CONFIG_HASH.into(), compose_hashes[0].clone());
    own.insert(labels::HASH.into(), hash.clone());
    if !hooks.is_empty() {
        own.insert(labels::HOOKS.into(), hooks.label());
    }
    own.insert(labels::DEPENDS_ON.into(), depends_on_label(&needs));
    own.insert(labels::IMAGE.into(), image.id.clone());
    own.insert(labels::IMAGE_NAME.into(), image.shown.clone());
    own.insert(labels::PARTS.into(), cause::parts_label(&parts));
    if image.standin {
        own.insert(labels::STANDIN.into(), "true".into());
    }
    let one_shot = project.is_one_shot(name);
    let inputs = context.files.inputs.get(name).filter(|_| one_shot).cloned();
    if let Some(inputs) = inputs.as_ref().filter(|inputs| inputs.unknown.is_none()) {
        own.insert(labels::INPUTS.into(), inputs.digest.clone());
    }
    if !built.fits.is_empty() {
        let text: Vec<String> =
            built.fits.iter().map(|fit| format!("{} {} -> {}", fit.what, fit.asked, fit.given)).collect();
        own.insert(labels::FITTED.into(), text.join(", "));
    }
    spec.labels.extend(own);
    desired.fits.extend(built.fits);
    desired.notes.extend(built.notes);

    let health = match &spec.health {
        Some(health) if health.test.first().is_some_and(|first| first == "NONE") => None,
        Some(health) if !health.test.is_empty() => Some(health.clone()),
        // settings of the Compose file over the image's test
        Some(health) => {
            image.health.clone().map(|from_image| HealthSpec { test: from_image.test, ..health.clone() })
        }
        None => {
            image.health.clone().filter(|health| health.test.first().is_some_and(|first| first != "NONE"))
        }
    };
    let count = u32::try_from(wanted.replicas()).unwrap_or(0);
    let join = project.separator();
    let replicas = (1..=count)
        .map(|number| Replica {
            number,
            name: wanted
                .container_name
                .clone()
                .unwrap_or_else(|| format!("{}{join}{name}{join}{number}", project.name)),
        })
        .collect();
    Ok(DesiredService {
        name: name.to_owned(),
        generation: None,
        user: spec.user.clone().unwrap_or(image.user),
        spec,
        hash,
        parts,
        compose_hashes,
        hooks,
        init,
        update,
        replicas,
        needs,
        one_shot,
        inputs,
        health,
        image: image.shown,
        standin: image.standin,
        has_files: !files.is_empty(),
    })
}

fn init_hooks(service: &Service, name: &str, images: &ImageMap, own: &str) -> Vec<InitHook> {
    let one = |(at, hook): (usize, &plimsoll_compose::Hook)| {
        let image = images.get(&hook_image(name, at)).map_or(own, |image| image.id.as_str());
        InitHook::new(hook, image.to_owned())
    };
    service.pre_start.iter().enumerate().map(one).collect()
}

/// What of `update_config` can be done: two containers cannot have the same host port or address at once.
fn update(service: &Service, name: &str, spec: &ContainerSpec, notes: &mut Vec<String>) -> Option<Update> {
    let config = service.deploy.as_ref()?.update_config.as_ref()?;
    let wanted = config.order.as_deref() == Some("start-first");
    let count = usize::try_from(service.replicas()).unwrap_or(0).max(1);
    let port = spec.ports.iter().find_map(|port| {
        let (first, last) = crate::ports::range(&port.host)?;
        // as many as its containers, or fewer: none is left for a successor
        (usize::from(last - first) < count).then_some((port, first == last))
    });
    let address = spec.networks.iter().find_map(|network| network.ipv4.as_ref().or(network.ipv6.as_ref()));
    let why = match (port, address, &spec.network_mode) {
        (Some((port, true)), _, _) => Some(format!("port {} of the host can be published once", port.host)),
        (Some((port, false)), _, _) => {
            Some(format!("the ports {} of the host are no more than its containers", port.host))
        }
        (_, Some(address), _) => Some(format!("the address {address} can be given once")),
        (_, _, Some(mode)) if mode == "host" => Some("it is on the host's network".to_owned()),
        _ => None,
    };
    if let (true, Some(why)) = (wanted, &why) {
        notes.push(format!("{name}: `order: start-first` is not possible, {why}; the old one stops first"));
    }
    Some(Update {
        parallelism: usize::try_from(config.parallelism.unwrap_or(1)).unwrap_or(1),
        start_first: wanted && why.is_none(),
        delay: u64::try_from(config.delay.0 / 1_000_000).unwrap_or(0),
        go_on: config.failure_action.as_deref() == Some("continue"),
    })
}

/// Services, each after what it depends on; otherwise in the order of the file.
fn in_order(project: &Project) -> Vec<&str> {
    fn visit<'a>(
        project: &'a Project,
        name: &'a str,
        seen: &mut BTreeSet<&'a str>,
        order: &mut Vec<&'a str>,
    ) {
        if !project.services.contains_key(name) || !seen.insert(name) {
            return;
        }
        for need in project.services[name].depends_on.keys() {
            visit(project, need, seen, order);
        }
        order.push(name);
    }
    let mut seen = BTreeSet::new();
    let mut order = Vec::new();
    for name in project.services.keys() {
        visit(project, name, &mut seen, &mut order);
    }
    order
}

fn needs(project: &Project, name: &str) -> Vec<Need> {
    let service = &project.services[name];
    let modes = [&service.network_mode, &service.ipc, &service.pid];
    let modes = modes.into_iter().filter_map(|mode| mode.as_deref()?.strip_prefix("service:"));
    // whose volumes it has belongs to what it was made from as well
    let volumes = service.volumes_from.iter().filter(|from| !from.starts_with("container:"));
    let volumes = volumes.map(|from| from.split_once(':').map_or(from.as_str(), |(name, _)| name));
    let namespaces: BTreeSet<&str> = modes.chain(volumes).collect();
    let mut needs: Vec<Need> = service
        .depends_on
        .iter()
        // one that is left alone this time is needed all the same
        .filter(|(other, need)| {
            let left_alone = need.required && project.disabled_services.contains_key(*other);
            project.services.contains_key(*other) || left_alone
        })
        .map(|(other, need)| Need {
            service: other.clone(),
            condition: need.condition.as_str().to_owned(),
            restart: need.restart,
            required: need.required,
            namespace: namespaces.contains(other.as_str()),
        })
        .collect();
    for other in namespaces {
        let known = project.services.contains_key(other) || project.disabled_services.contains_key(other);
        if known && !needs.iter().any(|need| need.service == other) {
            needs.push(Need {
                service: other.to_owned(),
                condition: Condition::Started.as_str().to_owned(),
                restart: false,
                required: true,
                namespace: true,
            });
        }
    }
    needs
}

fn depends_on_label(needs: &[Need]) -> String {
    let parts: Vec<String> =
        needs.iter().map(|need| format!("{}:{}:{}", need.service, need.condition, need.restart)).collect();
    parts.join(",")
}

fn project_labels(project: &Project) -> BTreeMap<String, String> {
    [
        (labels::PROJECT.to_owned(), project.name.clone()),
        (labels::WORKING_DIR.to_owned(), project.working_dir.display().to_string()),
        (labels::CONFIG_FILES.to_owned(), project.files.join(",")),
        (labels::VERSION.to_owned(), labels::MADE_BY.to_owned()),
    ]
    .into()
}

fn networks(project: &Project) -> Vec<DesiredNetwork> {
    let used: BTreeSet<&String> =
        project.services.values().flat_map(|service| service.networks.keys()).collect();
    let mut networks = Vec::new();
    for (key, network) in
        project.networks.iter().filter(|(key, _)| project.all_resources || used.contains(key))
    {
        let mut labels = sorted(&network.labels);
        labels.insert(labels::PROJECT.into(), project.name.clone());
        labels.insert(labels::NETWORK.into(), key.clone());
        labels.insert(labels::VERSION.into(), labels::MADE_BY.into());
        let pools = network.ipam.config.iter().map(|pool| IpamPool {
            subnet: pool.subnet.clone(),
            ip_range: pool.ip_range.clone(),
            gateway: pool.gateway.clone(),
            aux_addresses: sorted(&pool.aux_addresses),
        });
        networks.push(DesiredNetwork {
            key: key.clone(),
            external: network.external,
            spec: NetworkSpec {
                name: network_name(project, key),
                driver: network.driver.clone().unwrap_or_default(),
                internal: network.internal,
                attachable: network.attachable,
                ipv4: network.enable_ipv4,
                ipv6: network.enable_ipv6.unwrap_or(false),
                options: sorted(&network.driver_opts),
                labels,
                ipam_driver: network.ipam.driver.clone().unwrap_or_default(),
                ipam_options: sorted(&network.ipam.options),
                pools: pools.collect(),
            },
        });
    }
    networks
}

fn volumes(project: &Project) -> Vec<DesiredVolume> {
    let used: BTreeSet<&String> = project
        .services
        .values()
        .flat_map(|service| &service.volumes)
        .filter(|mount| mount.kind == plimsoll_compose::MountKind::Volume)
        .filter_map(|mount| mount.source.as_ref())
        .collect();
    let mut volumes = Vec::new();
    for (key, volume) in project.volumes.iter().filter(|(key, _)| project.all_resources || used.contains(key))
    {
        let mut labels = sorted(&volume.labels);
        labels.insert(labels::PROJECT.into(), project.name.clone());
        labels.insert(labels::VOLUME.into(), key.clone());
        labels.insert(labels::VERSION.into(), labels::MADE_BY.into());
        volumes.push(DesiredVolume {
            key: key.clone(),
            external: volume.external,
            spec: VolumeSpec {
                name: volume_name(project, key),
                driver: volume.driver.clone().unwrap_or_default(),
                options: sorted(&volume.driver_opts),
                labels,
            },
        });
    }
    volumes
}

/// A network's name in the engine.
pub(crate) fn network_name(project: &Project, key: &str) -> String {
    let given = project.networks.get(key).and_then(|network| network.name.clone());
    given.unwrap_or_else(|| format!("{}_{key}", project.name))
}

/// A volume's name in the engine.
pub(crate) fn volume_name(project: &Project, key: &str) -> String {
    let given = project.volumes.get(key).and_then(|volume| volume.name.clone());
    given.unwrap_or_else(|| format!("{}_{key}", project.name))
}

pub(crate) fn sorted(mapping: &plimsoll_compose::Mapping) -> BTreeMap<String, String> {
    mapping.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}
