//! Our [`ContainerSpec`] in the engine's words.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, DeviceRequest, EndpointIpamConfig, EndpointSettings, HealthConfig,
    HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, Mount, MountBindOptions,
    MountBindOptionsPropagationEnum, MountTmpfsOptions, MountType, MountVolumeOptions, NetworkingConfig,
    PortBinding, ResourcesBlkioWeightDevice, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
    ThrottleDevice,
};

use crate::{
    connect::ApiVersion,
    spec::{Attachment, ContainerSpec, DeviceRate, HealthSpec, MountKind, MountSpec, PortSpec, RestartSpec},
};

/// The first API that knows `start_interval`, and a hardware address for each network.
const START_INTERVAL: ApiVersion = ApiVersion { major: 1, minor: 44 };
/// The first API that knows `CreateMountpoint`.
const CREATE_MOUNTPOINT: ApiVersion = ApiVersion { major: 1, minor: 43 };
/// The first API that knows annotations.
const ANNOTATIONS: ApiVersion = ApiVersion { major: 1, minor: 43 };

/// The body of a create call. Only the first network is in it: engines before API 1.44 accept no more, the others
/// are connected by [`crate::Engine::connect_container`].
pub(crate) fn create_body(spec: &ContainerSpec, api: ApiVersion) -> ContainerCreateBody {
    let mut exposed: Vec<String> = spec.exposed.clone();
    exposed.extend(spec.ports.iter().map(port_key));
    exposed.sort();
    exposed.dedup();
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        hostname: spec.hostname.clone(),
        domainname: spec.domainname.clone(),
        user: spec.user.clone(),
        tty: Some(spec.tty),
        open_stdin: Some(spec.stdin_open),
        stdin_once: Some(spec.stdin_once),
        env: filled(
            spec.env.iter().map(|(key, value)| value.as_ref().map_or(key.clone(), |v| format!("{key}={v}"))),
        ),
        cmd: spec.command.clone(),
        entrypoint: spec.entrypoint.clone(),
        working_dir: spec.working_dir.clone(),
        healthcheck: spec.health.as_ref().map(|health| health_config(health, api)),
        labels: Some(spec.labels.clone().into_iter().collect()),
        stop_signal: spec.stop_signal.clone(),
        stop_timeout: spec.stop_grace.map(i64::from),
        exposed_ports: filled(exposed),
        host_config: Some(host_config(spec, api)),
        networking_config: spec.networks.first().map(|network| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(network.network.clone(), endpoint(network))])),
        }),
        ..ContainerCreateBody::default()
    }
}

/// Engines before API 1.44 have one hardware address, that of the first network, in a field that newer ones do not
/// have any more.
pub(crate) fn only_mac(spec: &ContainerSpec, api: ApiVersion) -> Option<&str> {
    spec.networks.first().filter(|_| api < START_INTERVAL)?.mac.as_deref()
}

/// A container's place on a network.
pub(crate) fn endpoint(attachment: &Attachment) -> EndpointSettings {
    let fixed = attachment.ipv4.is_some() || attachment.ipv6.is_some() || !attachment.link_local.is_empty();
    EndpointSettings {
        aliases: filled(attachment.aliases.clone()),
        links: filled(attachment.links.clone()),
        mac_address: attachment.mac.clone(),
        driver_opts: map(&attachment.driver_opts),
        gw_priority: attachment.gateway_priority,
        ipam_config: fixed.then(|| EndpointIpamConfig {
            ipv4_address: attachment.ipv4.clone(),
            ipv6_address: attachment.ipv6.clone(),
            link_local_ips: filled(attachment.link_local.clone()),
        }),
        ..EndpointSettings::default()
    }
}

fn host_config(spec: &ContainerSpec, api: ApiVersion) -> HostConfig {
    let resources = &spec.resources;
    let (binds, mounts) = mounts(&spec.mounts, api);
    HostConfig {
        memory: resources.memory,
        memory_swap: resources.memory_swap,
        memory_reservation: resources.memory_reservation,
        memory_swappiness: resources.memory_swappiness,
        nano_cpus: resources.nano_cpus,
        cpu_shares: resources.cpu_shares,
        cpu_quota: resources.cpu_quota,
        cpu_period: resources.cpu_period,
        cpu_realtime_period: resources.cpu_rt_period,
        cpu_realtime_runtime: resources.cpu_rt_runtime,
        cpuset_cpus: resources.cpuset.clone(),
        pids_limit: resources.pids,
        shm_size: resources.shm_size,
        oom_kill_disable: resources.oom_kill_disable,
        oom_score_adj: resources.oom_score_adj,
        blkio_weight: resources.blkio_weight,
        blkio_weight_device: filled(resources.blkio_weights.iter().map(|device| {
            ResourcesBlkioWeightDevice {
                path: Some(device.path.clone()),
                weight: usize::try_from(device.rate).ok(),
            }
        })),
        blkio_device_read_bps: throttles(&resources.read_bps),
        blkio_device_read_iops: throttles(&resources.read_iops),
        blkio_device_write_bps: throttles(&resources.write_bps),
        blkio_device_write_iops: throttles(&resources.write_iops),
        binds: filled(binds),
        mounts: filled(mounts),
        tmpfs: map(&spec.tmpfs),
        volumes_from: filled(spec.volumes_from.clone()),
        links: filled(spec.links.clone()),
        port_bindings: port_bindings(&spec.ports),
        network_mode: spec
            .network_mode
            .clone()
            .or_else(|| spec.networks.first().map(|first| first.network.clone())),
        restart_policy: Some(restart(spec.restart)),
        log_config: (spec.log_driver.is_some() || !spec.log_options.is_empty())
            .then(|| HostConfigLogConfig { typ: spec.log_driver.clone(), config: map(&spec.log_options) }),
        readonly_rootfs: Some(spec.read_only),
        privileged: Some(spec.privileged),
        init: spec.init,
        cap_add: filled(spec.cap_add.clone()),
        cap_drop: filled(spec.cap_drop.clone()),
        security_opt: filled(spec.security_opt.clone()),
        sysctls: map(&spec.sysctls),
        ulimits: filled(spec.ulimits.iter().map(|limit| ResourcesUlimits {
            name: Some(limit.name.clone()),
            soft: Some(limit.soft),
            hard: Some(limit.hard),
        })),
        devices: filled(spec.devices.iter().map(|device| DeviceMapping {
            path_on_host: Some(device.source.clone()),
            path_in_container: Some(device.target.clone()),
            cgroup_permissions: Some(device.permissions.clone()),
        })),
        device_cgroup_rules: filled(spec.device_cgroup_rules.clone()),
        device_requests: filled(spec.device_requests.iter().map(|request| DeviceRequest {
            driver: Some(request.driver.clone()),
            count: Some(request.count),
            device_ids: filled(request.ids.clone()),
            capabilities: Some(vec![request.capabilities.clone()]),
            options: map(&request.options),
        })),
        extra_hosts: filled(spec.extra_hosts.clone()),
        dns: filled(spec.dns.clone()),
        dns_options: filled(spec.dns_options.clone()),
        dns_search: filled(spec.dns_search.clone()),
        group_add: filled(spec.group_add.clone()),
        ipc_mode: spec.ipc.clone(),
        pid_mode: spec.pid.clone(),
        uts_mode: spec.uts.clone(),
        userns_mode: spec.userns.clone(),
        cgroupns_mode: spec
            .cgroupns
            .as_deref()
            .and_then(|mode| mode.parse::<HostConfigCgroupnsModeEnum>().ok()),
        cgroup_parent: spec.cgroup_parent.clone(),
        runtime: spec.runtime.clone(),
        storage_opt: map(&spec.storage_opt),
        annotations: if api >= ANNOTATIONS { map(&spec.annotations) } else { None },
        auto_remove: spec.auto_remove.then_some(true),
        ..HostConfig::default()
    }
}

/// Binds that may have to make the host's directory, or that carry an SELinux label, exist only in the old string
/// form on old engines; everything else is a typed mount.
fn mounts(specs: &[MountSpec], api: ApiVersion) -> (Vec<String>, Vec<Mount>) {
    let mut binds = Vec::new();
    let mut mounts = Vec::new();
    for spec in specs {
        match &spec.kind {
            MountKind::Bind { source, propagation, create, selinux, .. }
                if selinux.is_some() || (*create && api < CREATE_MOUNTPOINT && !source.contains(':')) =>
            {
                let mode = if spec.read_only { "ro" } else { "rw" };
                let options: Vec<&str> =
                    [Some(mode), selinux.as_deref(), propagation.as_deref()].into_iter().flatten().collect();
                binds.push(format!("{source}:{}:{}", spec.target, options.join(",")));
            }
            kind => mounts.push(typed_mount(spec, kind, api)),
        }
    }
    (binds, mounts)
}

fn typed_mount(spec: &MountSpec, kind: &MountKind, api: ApiVersion) -> Mount {
    let mut mount =
        Mount { target: Some(spec.target.clone()), read_only: Some(spec.read_only), ..Mount::default() };
    match kind {
        MountKind::Bind { source, propagation, create, recursive, .. } => {
            mount.typ = Some(MountType::BIND);
            mount.source = Some(source.clone());
            let create = *create && api >= CREATE_MOUNTPOINT;
            let recursive = recursive.as_deref();
            if propagation.is_some() || create || recursive.is_some() {
                mount.bind_options = Some(MountBindOptions {
                    propagation: propagation
                        .as_deref()
                        .and_then(|mode| mode.parse::<MountBindOptionsPropagationEnum>().ok()),
                    create_mountpoint: create.then_some(true),
                    non_recursive: (recursive == Some("disabled")).then_some(true),
                    read_only_non_recursive: (recursive == Some("writable")).then_some(true),
                    read_only_force_recursive: (recursive == Some("readonly")).then_some(true),
                });
            }
        }
        MountKind::Volume { name, no_copy, subpath, labels } => {
            mount.typ = Some(MountType::VOLUME);
            mount.source.clone_from(name);
            if *no_copy || subpath.is_some() || !labels.is_empty() {
                mount.volume_options = Some(MountVolumeOptions {
                    no_copy: no_copy.then_some(true),
                    subpath: subpath.clone(),
                    labels: map(labels),
                    ..MountVolumeOptions::default()
                });
            }
        }
        MountKind::Tmpfs { size, mode } => {
            mount.typ = Some(MountType::TMPFS);
            if size.is_some() || mode.is_some() {
                mount.tmpfs_options = Some(MountTmpfsOptions {
                    size_bytes: *size,
                    mode: mode.map(i64::from),
                    ..MountTmpfsOptions::default()
                });
            }
        }
    }
    mount
}

fn throttles(devices: &[DeviceRate]) -> Option<Vec<ThrottleDevice>> {
    filled(devices.iter().map(|device| ThrottleDevice {
        path: Some(device.path.clone()),
        rate: i64::try_from(device.rate).ok(),
    }))
}

fn health_config(health: &HealthSpec, api: ApiVersion) -> HealthConfig {
    HealthConfig {
        test: filled(health.test.clone()),
        interval: health.interval,
        timeout: health.timeout,
        retries: health.retries,
        start_period: health.start_period,
        start_interval: health.start_interval.filter(|_| api >= START_INTERVAL),
    }
}

fn port_key(port: &PortSpec) -> String {
    format!("{}/{}", port.container, port.protocol)
}

fn port_bindings(ports: &[PortSpec]) -> Option<HashMap<String, Option<Vec<PortBinding>>>> {
    if ports.is_empty() {
        return None;
    }
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for port in ports {
        let binding = PortBinding { host_ip: Some(port.host_ip.clone()), host_port: Some(port.host.clone()) };
        bindings.entry(port_key(port)).or_default().get_or_insert_default().push(binding);
    }
    Some(bindings)
}

fn restart(spec: RestartSpec) -> RestartPolicy {
    let (name, attempts) = match spec {
        RestartSpec::No => (RestartPolicyNameEnum::NO, 0),
        RestartSpec::Always => (RestartPolicyNameEnum::ALWAYS, 0),
        RestartSpec::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, 0),
        RestartSpec::OnFailure { attempts } => (RestartPolicyNameEnum::ON_FAILURE, i64::from(attempts)),
    };
    RestartPolicy { name: Some(name), maximum_retry_count: Some(attempts) }
}

/// `None` for nothing, so that the engine's default stays.
fn filled<T>(items: impl IntoIterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<T> = items.into_iter().collect();
    (!items.is_empty()).then_some(items)
}

fn map(items: &std::collections::BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!items.is_empty()).then(|| items.clone().into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: ApiVersion = ApiVersion { major: 1, minor: 41 };
    const NEW: ApiVersion = ApiVersion { major: 1, minor: 44 };

    #[test]
    fn start_interval_is_sent_only_where_it_is_known() {
        let health = HealthSpec { start_interval: Some(5), ..HealthSpec::default() };
        assert_eq!(health_config(&health, OLD).start_interval, None);
        assert_eq!(health_config(&health, NEW).start_interval, Some(5));
    }

    #[test]
    fn only_the_first_network_is_in_the_create_call() {
        let attach = |name: &str| Attachment { network: name.into(), ..Attachment::default() };
        let spec = ContainerSpec { networks: vec![attach("a"), attach("b")], ..ContainerSpec::default() };
        let body = create_body(&spec, OLD);
        let endpoints = body.networking_config.unwrap().endpoints_config.unwrap();
        assert_eq!(endpoints.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(body.host_config.unwrap().network_mode.as_deref(), Some("a"));
    }

    #[test]
    fn a_hardware_address_stands_where_the_engine_looks_for_it() {
        let mac = Some("02:42:ac:15:00:77".to_owned());
        let first = Attachment { network: "a".into(), mac, ..Attachment::default() };
        let spec = ContainerSpec { networks: vec![first], ..ContainerSpec::default() };
        assert_eq!(only_mac(&spec, OLD), Some("02:42:ac:15:00:77"));
        assert_eq!(only_mac(&spec, NEW), None);
        let endpoints = create_body(&spec, NEW).networking_config.unwrap().endpoints_config.unwrap();
        assert_eq!(endpoints["a"].mac_address.as_deref(), Some("02:42:ac:15:00:77"));
    }

    /// What kernels and drivers of test machines do not have.
    #[test]
    fn rare_limits_are_passed_on() {
        let mut spec = ContainerSpec::default();
        spec.resources.blkio_weight = Some(300);
        spec.resources.blkio_weights = vec![DeviceRate { path: "/dev/x".into(), rate: 200 }];
        spec.resources.cpu_rt_period = Some(1_000_000);
        spec.resources.cpu_rt_runtime = Some(950_000);
        spec.storage_opt = [("size".to_owned(), "1G".to_owned())].into();
        let host = create_body(&spec, OLD).host_config.unwrap();
        assert_eq!(host.blkio_weight, Some(300));
        let device = &host.blkio_weight_device.unwrap()[0];
        assert_eq!((device.path.as_deref(), device.weight), (Some("/dev/x"), Some(200)));
        assert_eq!((host.cpu_realtime_period, host.cpu_realtime_runtime), (Some(1_000_000), Some(950_000)));
        assert_eq!(host.storage_opt.unwrap()["size"], "1G");
    }

    #[test]
    fn a_bind_that_may_create_its_source_is_a_string_on_old_engines() {
        let spec = MountSpec {
            target: "/t".into(),
            read_only: true,
            kind: MountKind::Bind {
                source: "/s".into(),
                propagation: None,
                create: true,
                selinux: None,
                recursive: None,
            },
        };
        let (binds, typed) = mounts(std::slice::from_ref(&spec), OLD);
        assert_eq!((binds, typed.len()), (vec!["/s:/t:ro".to_owned()], 0));
        let (binds, typed) = mounts(&[spec], NEW);
        assert!(binds.is_empty());
        assert_eq!(typed[0].bind_options.as_ref().unwrap().create_mountpoint, Some(true));
    }

    #[test]
    fn a_variable_without_value_removes_the_image_s() {
        let spec = ContainerSpec {
            env: [("A".to_owned(), Some("1=2".to_owned())), ("B".to_owned(), None)].into(),
            ..ContainerSpec::default()
        };
        assert_eq!(create_body(&spec, OLD).env.unwrap(), ["A=1=2", "B"]);
    }

    #[test]
    fn two_host_ports_for_one_container_port_are_both_bound() {
        let port = |host: &str| PortSpec {
            container: 80,
            protocol: "tcp".into(),
            host_ip: String::new(),
            host: host.into(),
        };
        let bindings = port_bindings(&[port("1"), port("2")]).unwrap();
        assert_eq!(bindings["80/tcp"].as_ref().unwrap().len(), 2);
    }
}
