//! A Compose service as a container: every attribute that a single engine can honour.

use std::collections::BTreeMap;

use plimsoll_compose::{Healthcheck, Mount, MountKind as Kind, Project, Service};
use plimsoll_engine::{
    Attachment, ContainerSpec, Device, EngineFacts, HealthSpec, MountKind, MountSpec, PortSpec, Resources,
    RestartSpec, Ulimit,
};

use crate::{Fit, ServiceImage, StackError, desired};

/// A container's specification and what had to be said about it.
pub(crate) struct Built {
    pub(crate) spec: ContainerSpec,
    pub(crate) fits: Vec<Fit>,
    pub(crate) notes: Vec<String>,
}

const NANO: i64 = 1_000_000_000;

pub(crate) fn spec(
    project: &Project,
    name: &str,
    image: &ServiceImage,
    facts: &EngineFacts,
) -> Result<Built, StackError> {
    let service = &project.services[name];
    refuse_unsupported(name, service)?;
    let mut fits = Vec::new();
    let (mounts, tmpfs) = mounts(project, service);
    let spec = ContainerSpec {
        name: String::new(),
        image: image.id.clone(),
        platform: service.platform.clone(),
        command: service.command.clone(),
        entrypoint: service.entrypoint.clone(),
        env: service.environment.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        working_dir: service.working_dir.clone(),
        user: service.user.clone(),
        group_add: service.group_add.clone(),
        hostname: service.hostname.clone(),
        domainname: service.domainname.clone(),
        labels: desired::sorted(&service.labels),
        annotations: desired::sorted(&service.annotations),
        tty: service.tty,
        stdin_open: service.stdin_open,
        stop_signal: service.stop_signal.clone(),
        stop_grace: service.stop_grace_period.map(|period| seconds(period.0)),
        health: service.healthcheck.as_ref().map(health),
        exposed: exposed(service),
        ports: ports(service),
        mounts,
        tmpfs,
        volumes_from: service.volumes_from.iter().map(|source| volumes_from(project, source)).collect(),
        network_mode: namespace(project, service.network_mode.as_deref()),
        networks: attachments(project, name, service),
        extra_hosts: extra_hosts(service),
        dns: service.dns.clone(),
        dns_options: service.dns_opt.clone(),
        dns_search: service.dns_search.clone(),
        resources: resources(name, service, facts, &mut fits),
        read_only: service.read_only,
        privileged: service.privileged,
        init: service.init,
        cap_add: service.cap_add.clone(),
        cap_drop: service.cap_drop.clone(),
        security_opt: service.security_opt.clone(),
        sysctls: desired::sorted(&service.sysctls),
        ulimits: service
            .ulimits
            .iter()
            .map(|(name, limit)| Ulimit { name: name.clone(), soft: limit.soft, hard: limit.hard })
            .collect(),
        devices: devices(service),
        device_cgroup_rules: service.device_cgroup_rules.clone(),
        restart: restart(service),
        log_driver: service.logging.as_ref().and_then(|logging| logging.driver.clone()),
        log_options: service
            .logging
            .as_ref()
            .map(|logging| desired::sorted(&logging.options))
            .unwrap_or_default(),
        ipc: namespace(project, service.ipc.as_deref()),
        pid: namespace(project, service.pid.as_deref()),
        uts: service.uts.clone(),
        userns: service.userns_mode.clone(),
        cgroupns: service.cgroup.clone(),
        cgroup_parent: service.cgroup_parent.clone(),
        runtime: service.runtime.clone(),
        storage_opt: desired::sorted(&service.storage_opt),
    };
    Ok(Built { spec, fits, notes: notes(name, service) })
}

/// Settings that widen or narrow what a container may do are refused rather than dropped.
fn refuse_unsupported(name: &str, service: &Service) -> Result<(), StackError> {
    let refuse = |attribute, why: &str| {
        Err(StackError::Unsupported { service: name.to_owned(), attribute, why: why.to_owned() })
    };
    let profile = service.security_opt.iter().find_map(|option| {
        let value = option.strip_prefix("seccomp=").or_else(|| option.strip_prefix("seccomp:"))?;
        (!matches!(value, "unconfined" | "builtin")).then_some(value)
    });
    if profile.is_some() {
        return refuse(
            "security_opt",
            "a seccomp profile in a file is not read; `seccomp=builtin` and `unconfined` are",
        );
    }
    if service.provider.is_some() {
        return refuse("provider", "services without a container are not run");
    }
    if service.use_api_socket {
        return refuse("use_api_socket", "mount the socket as a volume if the service must have it");
    }
    if service.credential_spec.is_some() || service.isolation.is_some() {
        return refuse("credential_spec", "it exists only on Windows");
    }
    if !service.gpus.is_empty() {
        return refuse("gpus", "device requests are not made yet");
    }
    if service.volumes.iter().any(|mount| matches!(mount.kind, Kind::Cluster | Kind::Npipe | Kind::Image)) {
        return refuse("volumes", "only bind, volume and tmpfs mounts exist on a single Linux engine");
    }
    Ok(())
}

/// What is said, once, and has no effect.
fn notes(name: &str, service: &Service) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |present: bool, what: &str| {
        if present {
            notes.push(format!("{name}: {what}"));
        }
    };
    let deploy = service.deploy.as_ref();
    note(
        deploy.is_some_and(|deploy| deploy.placement.constraints.iter().len() > 0),
        "deploy.placement has no meaning on one host",
    );
    note(
        !service.pre_start.is_empty() || !service.post_start.is_empty() || !service.pre_stop.is_empty(),
        "hooks (pre_start, post_start, pre_stop) are not run",
    );
    note(
        !service.external_links.is_empty(),
        "external_links have no effect; join the other project's network",
    );
    note(!service.models.is_empty(), "models are not provided");
    notes
}

fn seconds(nanoseconds: i64) -> u32 {
    u32::try_from((nanoseconds.max(0) + NANO - 1) / NANO).unwrap_or(u32::MAX)
}

fn health(check: &Healthcheck) -> HealthSpec {
    if check.disable {
        return HealthSpec { test: vec!["NONE".into()], ..HealthSpec::default() };
    }
    HealthSpec {
        test: check.test.clone(),
        interval: check.interval.map(|duration| duration.0),
        timeout: check.timeout.map(|duration| duration.0),
        retries: check.retries,
        start_period: check.start_period.map(|duration| duration.0),
        start_interval: check.start_interval.map(|duration| duration.0),
    }
}

fn exposed(service: &Service) -> Vec<String> {
    let mut ports = Vec::new();
    for entry in &service.expose {
        let (range, protocol) = entry.split_once('/').unwrap_or((entry, "tcp"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
            ports.extend((first..=last).map(|port| format!("{port}/{protocol}")));
        }
    }
    ports
}

fn ports(service: &Service) -> Vec<PortSpec> {
    let mut ports: Vec<PortSpec> = service
        .ports
        .iter()
        .filter_map(|port| {
            Some(PortSpec {
                container: u16::try_from(port.target).ok()?,
                protocol: port.protocol.clone().unwrap_or_else(|| "tcp".into()),
                host_ip: port.host_ip.clone().unwrap_or_default(),
                host: port.published.clone().unwrap_or_default(),
            })
        })
        .collect();
    ports.sort();
    ports
}

fn mounts(project: &Project, service: &Service) -> (Vec<MountSpec>, BTreeMap<String, String>) {
    let mounts = service.volumes.iter().map(|mount| MountSpec {
        target: mount.target.clone().unwrap_or_default(),
        read_only: mount.read_only,
        kind: mount_kind(project, mount),
    });
    let tmpfs = service.tmpfs.iter().map(|entry| {
        let (path, options) = entry.split_once(':').unwrap_or((entry, ""));
        (path.to_owned(), options.to_owned())
    });
    (mounts.collect(), tmpfs.collect())
}

fn mount_kind(project: &Project, mount: &Mount) -> MountKind {
    match mount.kind {
        Kind::Bind => MountKind::Bind {
            source: mount.source.clone().unwrap_or_default(),
            propagation: mount.bind.as_ref().and_then(|bind| bind.propagation.clone()),
            create: mount.bind.as_ref().is_none_or(|bind| bind.create_host_path.0),
            selinux: mount.bind.as_ref().and_then(|bind| bind.selinux.clone()),
        },
        Kind::Tmpfs => MountKind::Tmpfs {
            size: mount.tmpfs.as_ref().and_then(|tmpfs| tmpfs.size).map(|size| size.0),
            mode: mount
                .tmpfs
                .as_ref()
                .and_then(|tmpfs| u32::try_from(tmpfs.mode).ok())
                .filter(|mode| *mode != 0),
        },
        _ => MountKind::Volume {
            name: mount.source.as_deref().map(|key| desired::volume_name(project, key)),
            no_copy: mount.volume.as_ref().is_some_and(|volume| volume.nocopy),
            subpath: mount.volume.as_ref().and_then(|volume| volume.subpath.clone()),
        },
    }
}

/// `service` or `container:NAME`, with an optional `:ro`.
fn volumes_from(project: &Project, source: &str) -> String {
    if let Some(container) = source.strip_prefix("container:") {
        return container.to_owned();
    }
    let (service, mode) =
        source.split_once(':').map_or((source, None), |(service, mode)| (service, Some(mode)));
    let container = container_name(project, service);
    mode.map_or(container.clone(), |mode| format!("{container}:{mode}"))
}

/// `service:NAME` means the first container of that service.
fn namespace(project: &Project, mode: Option<&str>) -> Option<String> {
    let mode = mode?;
    Some(match mode.strip_prefix("service:") {
        Some(service) => format!("container:{}", container_name(project, service)),
        None => mode.to_owned(),
    })
}

fn container_name(project: &Project, service: &str) -> String {
    let fixed = project.services.get(service).and_then(|service| service.container_name.clone());
    fixed.unwrap_or_else(|| format!("{}-{service}-1", project.name))
}

fn attachments(project: &Project, name: &str, service: &Service) -> Vec<Attachment> {
    if service.network_mode.is_some() {
        return Vec::new();
    }
    let mut joined: Vec<_> = service.networks.iter().collect();
    let priority =
        |network: &Option<plimsoll_compose::ServiceNetwork>| network.as_ref().map_or(0, |n| n.priority);
    joined.sort_by_key(|(_, network)| std::cmp::Reverse(priority(network)));
    let mut attachments: Vec<Attachment> = joined
        .into_iter()
        .map(|(key, network)| {
            let network = network.clone().unwrap_or_default();
            let mut aliases = vec![name.to_owned()];
            aliases.extend(network.aliases.iter().filter(|alias| *alias != name).cloned());
            Attachment {
                network: desired::network_name(project, key),
                aliases,
                ipv4: network.ipv4_address,
                ipv6: network.ipv6_address,
                link_local: network.link_local_ips,
                mac: network.mac_address,
                driver_opts: desired::sorted(&network.driver_opts),
                gateway_priority: Some(network.gw_priority).filter(|priority| *priority != 0),
            }
        })
        .collect();
    if let (Some(first), Some(mac)) = (attachments.first_mut(), &service.mac_address) {
        first.mac.get_or_insert_with(|| mac.clone());
    }
    attachments
}

fn extra_hosts(service: &Service) -> Vec<String> {
    let mut lines: Vec<String> = service
        .extra_hosts
        .0
        .iter()
        .flat_map(|(host, addresses)| addresses.iter().map(move |address| format!("{host}:{address}")))
        .collect();
    lines.sort();
    lines
}

fn devices(service: &Service) -> Vec<Device> {
    let devices = service.devices.iter().map(|device| {
        let source = device.source.clone().unwrap_or_default();
        Device {
            target: device.target.clone().unwrap_or_else(|| source.clone()),
            permissions: device.permissions.clone().unwrap_or_else(|| "rwm".into()),
            source,
        }
    });
    devices.collect()
}

/// `deploy.restart_policy` wins over `restart`, as docker compose has it.
fn restart(service: &Service) -> RestartSpec {
    if let Some(policy) = service.deploy.as_ref().and_then(|deploy| deploy.restart_policy.as_ref()) {
        return match policy.condition.as_deref() {
            Some("none") => RestartSpec::No,
            Some("on-failure") => RestartSpec::OnFailure {
                attempts: policy.max_attempts.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            },
            _ => RestartSpec::Always,
        };
    }
    match service.restart.as_deref() {
        Some("always") => RestartSpec::Always,
        Some("unless-stopped") => RestartSpec::UnlessStopped,
        Some(other) if other.starts_with("on-failure") => {
            let attempts = other.split_once(':').and_then(|(_, count)| count.parse().ok()).unwrap_or(0);
            RestartSpec::OnFailure { attempts }
        }
        _ => RestartSpec::No,
    }
}

fn resources(name: &str, service: &Service, facts: &EngineFacts, fits: &mut Vec<Fit>) -> Resources {
    let deploy = service.deploy.as_ref().map(|deploy| &deploy.resources);
    let limits = deploy.and_then(|resources| resources.limits.as_ref());
    let reservations = deploy.and_then(|resources| resources.reservations.as_ref());
    let positive = |number: i64| Some(number).filter(|number| *number != 0);
    let cpus = limits.map(|limits| limits.cpus).filter(|cpus| *cpus > 0.0).unwrap_or(service.cpus);
    let pids = limits.map(|limits| limits.pids).filter(|pids| *pids != 0).unwrap_or(service.pids_limit);
    Resources {
        memory: limits.and_then(|limits| limits.memory).or(service.mem_limit).map(|bytes| bytes.0),
        memory_swap: service.memswap_limit.map(|bytes| bytes.0),
        memory_reservation: reservations
            .and_then(|reserved| reserved.memory)
            .or(service.mem_reservation)
            .map(|bytes| bytes.0),
        memory_swappiness: service.mem_swappiness.map(|percent| percent.0),
        nano_cpus: (cpus > 0.0).then(|| fitted_cpus(name, cpus, facts.cpus, fits)),
        cpu_shares: positive(service.cpu_shares),
        cpu_quota: positive(service.cpu_quota),
        cpu_period: positive(service.cpu_period),
        cpu_rt_period: positive(service.cpu_rt_period),
        cpu_rt_runtime: positive(service.cpu_rt_runtime),
        cpuset: service.cpuset.clone(),
        pids: positive(pids),
        shm_size: service.shm_size.map(|bytes| bytes.0),
        oom_kill_disable: service.oom_kill_disable.then_some(true),
        oom_score_adj: positive(service.oom_score_adj),
        blkio_weight: service
            .blkio_config
            .as_ref()
            .and_then(|io| u16::try_from(io.weight).ok())
            .filter(|w| *w != 0),
    }
}

/// An engine refuses a container that may use more CPUs than the host has.
fn fitted_cpus(service: &str, asked: f64, host: u32, fits: &mut Vec<Fit>) -> i64 {
    let available = f64::from(host);
    if host > 0 && asked > available {
        fits.push(Fit {
            service: service.to_owned(),
            what: "cpus".into(),
            asked: asked.to_string(),
            given: host.to_string(),
        });
        return i64::from(host) * NANO;
    }
    (asked * NANO as f64).round() as i64
}
