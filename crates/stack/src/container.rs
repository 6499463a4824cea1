//! A Compose service as a container: every attribute that a single engine can honour.

mod joins;
mod limits;
mod own_memory;
mod unhonoured;

use std::collections::BTreeMap;

use plimsoll_compose::{Healthcheck, Mount, MountKind as Kind, Project, RestartRule, Service};
use plimsoll_engine::{ContainerSpec, EngineFacts, HealthSpec, MountKind, MountSpec, PortSpec, RestartSpec};

use self::{
    joins::{attachments, links, namespace, volumes_from},
    limits::{NANO, checked, device_requests, devices, pids_note, resources, ulimits},
};
use crate::{Fit, ServiceImage, StackError, StackFiles, desired};

pub(crate) use unhonoured::speaks;

/// A container's specification and what had to be said about it.
pub(crate) struct Built {
    pub(crate) spec: ContainerSpec,
    pub(crate) fits: Vec<Fit>,
    pub(crate) notes: Vec<String>,
}

pub(crate) fn spec(
    project: &Project,
    name: &str,
    image: &ServiceImage,
    facts: &EngineFacts,
    files: &StackFiles,
) -> Result<Built, StackError> {
    let service = &project.services[name];
    unhonoured::refuse(project, name, service, facts)?;
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
        stdin_once: false,
        auto_remove: false,
        stop_signal: service.stop_signal.clone(),
        stop_grace: service.stop_grace_period.map(|period| seconds(period.0)),
        health: service.healthcheck.as_ref().map(health),
        exposed: exposed(service),
        ports: ports(service),
        mounts,
        tmpfs,
        volumes_from: service.volumes_from.iter().map(|source| volumes_from(project, source)).collect(),
        links: match service.network_mode.as_deref() {
            Some("bridge" | "default") => links(project, service),
            // elsewhere they belong to the place on a network
            _ => Vec::new(),
        },
        network_mode: namespace(project, service.network_mode.as_deref()),
        networks: attachments(project, name, service),
        extra_hosts: extra_hosts(service),
        dns: service.dns.clone(),
        dns_options: service.dns_opt.clone(),
        dns_search: service.dns_search.clone(),
        resources: checked(project, name, resources(name, service, facts, &mut fits))?,
        read_only: service.read_only,
        privileged: service.privileged,
        init: service.init,
        cap_add: service.cap_add.clone(),
        cap_drop: service.cap_drop.clone(),
        security_opt: service.security_opt.iter().map(|option| files.security_option(option)).collect(),
        sysctls: desired::sorted(&service.sysctls),
        ulimits: ulimits(project, name, service)?,
        devices: devices(service),
        device_cgroup_rules: service.device_cgroup_rules.clone(),
        device_requests: device_requests(service),
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
    let mut notes = unhonoured::notes(name, service, facts);
    notes.extend(unhonoured::start_interval(project, name, facts)?);
    notes.extend(pids_note(name, &spec.resources, &spec.ulimits));
    notes.extend(own_memory::notes(name, &spec));
    Ok(Built { spec, fits, notes })
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
            recursive: mount
                .bind
                .as_ref()
                .and_then(|bind| bind.recursive.clone())
                .filter(|mode| mode != "enabled"),
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
            labels: mount.volume.as_ref().map(|volume| desired::sorted(&volume.labels)).unwrap_or_default(),
        },
    }
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

fn restart(service: &Service) -> RestartSpec {
    match service.restart_rule() {
        RestartRule::No => RestartSpec::No,
        RestartRule::Always => RestartSpec::Always,
        RestartRule::UnlessStopped => RestartSpec::UnlessStopped,
        RestartRule::OnFailure { attempts } => RestartSpec::OnFailure { attempts },
    }
}
