//! What a container is to be: every setting that Plimsoll can ask of an engine, in plain serialisable structs.
//!
//! The structs are compared, hashed and printed (plans, certificates), so every map is sorted and an absent setting is
//! absent, not a default.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A container to create.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerSpec {
    /// The container's name. May be empty: the engine makes one up.
    pub name: String,
    /// The image: an id or a name that the engine has.
    pub image: String,
    /// The platform, `linux/amd64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The command; `None` takes the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// The entry point; `None` takes the image's, an empty list clears it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Environment variables; `None` removes one that the image sets.
    pub env: BTreeMap<String, Option<String>>,
    /// Working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// `uid[:gid]` or names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Additional groups, ids or names.
    pub group_add: Vec<String>,
    /// Host name in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Domain name in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domainname: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// OCI annotations (engines from API 1.43).
    pub annotations: BTreeMap<String, String>,
    /// Allocate a terminal.
    pub tty: bool,
    /// Keep standard input open.
    pub stdin_open: bool,
    /// Standard input ends with its first reader's. Without this an engine cuts off the output of whoever attached as
    /// soon as their input ends.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stdin_once: bool,
    /// The engine removes it, with its anonymous volumes, as soon as it has ended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub auto_remove: bool,
    /// The signal that asks the process to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// Seconds between that signal and SIGKILL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_grace: Option<u32>,
    /// The health check; `None` takes the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthSpec>,
    /// Ports that the container listens on, `80/tcp`.
    pub exposed: Vec<String>,
    /// Ports of the host that lead into the container.
    pub ports: Vec<PortSpec>,
    /// Mounts.
    pub mounts: Vec<MountSpec>,
    /// Short-syntax tmpfs: target to options (`uid=999,gid=999,mode=0700,size=16m`).
    pub tmpfs: BTreeMap<String, String>,
    /// Containers whose volumes are mounted too, `name[:ro]`.
    pub volumes_from: Vec<String>,
    /// `CONTAINER:ALIAS` on the engine's own bridge, which resolves no other names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// `none`, `host`, `container:NAME`; `None` when [`Self::networks`] says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_mode: Option<String>,
    /// Networks by engine name. The first is the one whose gateway is used.
    pub networks: Vec<Attachment>,
    /// Lines for /etc/hosts, `name:address`.
    pub extra_hosts: Vec<String>,
    /// Name servers.
    pub dns: Vec<String>,
    /// Options of resolv.conf.
    pub dns_options: Vec<String>,
    /// Search domains.
    pub dns_search: Vec<String>,
    /// Limits.
    pub resources: Resources,
    /// Root file system read-only.
    pub read_only: bool,
    /// Everything allowed.
    pub privileged: bool,
    /// A small init as process 1 that passes signals on and reaps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<bool>,
    /// Capabilities to add.
    pub cap_add: Vec<String>,
    /// Capabilities to drop.
    pub cap_drop: Vec<String>,
    /// `no-new-privileges:true`, `seccomp=...`, `apparmor=...`.
    pub security_opt: Vec<String>,
    /// Kernel parameters of the container's namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Process limits.
    pub ulimits: Vec<Ulimit>,
    /// Devices of the host.
    pub devices: Vec<Device>,
    /// Device cgroup rules.
    pub device_cgroup_rules: Vec<String>,
    /// Devices that a driver of the engine provides: GPUs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_requests: Vec<DeviceRequest>,
    /// When the engine starts the container again by itself.
    pub restart: RestartSpec,
    /// Log driver; `None` takes the engine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_driver: Option<String>,
    /// Its options.
    pub log_options: BTreeMap<String, String>,
    /// `host`, `private`, `container:NAME`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipc: Option<String>,
    /// `host`, `container:NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<String>,
    /// `host`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uts: Option<String>,
    /// `host`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userns: Option<String>,
    /// `host` or `private`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroupns: Option<String>,
    /// The parent cgroup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_parent: Option<String>,
    /// The OCI runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Options of the storage driver.
    pub storage_opt: BTreeMap<String, String>,
}

/// Limits and reservations. Bytes and billionths of a CPU, as the engine counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Memory limit in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<i64>,
    /// Memory and swap together, in bytes; -1 is unlimited swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swap: Option<i64>,
    /// Soft limit in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_reservation: Option<i64>,
    /// 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swappiness: Option<i64>,
    /// CPU limit in billionths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nano_cpus: Option<i64>,
    /// Relative weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_shares: Option<i64>,
    /// CFS quota in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_quota: Option<i64>,
    /// CFS period in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_period: Option<i64>,
    /// Real-time period in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_rt_period: Option<i64>,
    /// Real-time run time in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_rt_runtime: Option<i64>,
    /// CPUs that may be used, `0-2,4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuset: Option<String>,
    /// Number of processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<i64>,
    /// Size of /dev/shm in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm_size: Option<i64>,
    /// Never kill for lack of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_kill_disable: Option<bool>,
    /// -1000 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i64>,
    /// Relative weight of block I/O, 10 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blkio_weight: Option<u16>,
    /// Relative weights by device.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blkio_weights: Vec<DeviceRate>,
    /// Bytes read a second, by device.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read_bps: Vec<DeviceRate>,
    /// Reads a second, by device.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read_iops: Vec<DeviceRate>,
    /// Bytes written a second, by device.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write_bps: Vec<DeviceRate>,
    /// Writes a second, by device.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write_iops: Vec<DeviceRate>,
}

/// A limit or weight of one device of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRate {
    /// Path of the device.
    pub path: String,
    /// Bytes, operations or weight.
    pub rate: u64,
}

/// Devices that a driver provides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceRequest {
    /// The driver, `nvidia`; empty lets the engine choose by capability.
    pub driver: String,
    /// How many; -1 is all.
    pub count: i64,
    /// Which ones, instead of a number.
    pub ids: Vec<String>,
    /// All of these are needed: `gpu`.
    pub capabilities: Vec<String>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
}

/// A health check. Durations in nanoseconds, as the engine takes them; absent ones are the engine's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthSpec {
    /// `["CMD", ...]`, `["CMD-SHELL", "..."]` or `["NONE"]`; empty inherits the image's test.
    pub test: Vec<String>,
    /// Between two probes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<i64>,
    /// For one probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
    /// Failures in a row before the container is unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<i64>,
    /// Failures in this time do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_period: Option<i64>,
    /// Between two probes during the start period; sent only to engines that know it (API 1.44).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_interval: Option<i64>,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortSpec {
    /// Port in the container.
    pub container: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// Address of the host; empty is all.
    pub host_ip: String,
    /// A port or a range `8000-8010` of the host; empty lets the engine choose.
    pub host: String,
}

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountSpec {
    /// Path in the container.
    pub target: String,
    /// Not writable.
    pub read_only: bool,
    /// What is mounted.
    pub kind: MountKind,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum MountKind {
    /// A path of the host.
    Bind {
        /// The host's path, absolute.
        source: String,
        /// `rprivate`, `shared`, ...
        #[serde(skip_serializing_if = "Option::is_none")]
        propagation: Option<String>,
        /// Make the host's directory if it is missing.
        create: bool,
        /// `z` or `Z`.
        #[serde(skip_serializing_if = "Option::is_none")]
        selinux: Option<String>,
        /// What happens to mounts below it: `disabled` leaves them out; `writable` and `readonly` say whether a
        /// read-only bind covers them (API 1.44).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recursive: Option<String>,
    },
    /// A volume of the engine; without a name an anonymous one.
    Volume {
        /// The volume's name.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Do not fill a new volume from the image.
        no_copy: bool,
        /// Only this directory of the volume (API 1.45).
        #[serde(skip_serializing_if = "Option::is_none")]
        subpath: Option<String>,
        /// Labels of an anonymous volume.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, String>,
    },
    /// Memory. No uid or gid here: use [`ContainerSpec::tmpfs`] for those.
    Tmpfs {
        /// Size in bytes.
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<i64>,
        /// Mode bits.
        #[serde(skip_serializing_if = "Option::is_none")]
        mode: Option<u32>,
    },
}

/// A container on a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attachment {
    /// The network's name in the engine.
    pub network: String,
    /// Names that resolve to the container on this network.
    pub aliases: Vec<String>,
    /// Names that only this container has for others on this network, `container:alias`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// Fixed address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<String>,
    /// Fixed address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<String>,
    /// Link-local addresses.
    pub link_local: Vec<String>,
    /// Fixed hardware address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Options of the network driver.
    pub driver_opts: BTreeMap<String, String>,
    /// Which network is the default gateway: the highest (API 1.48).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_priority: Option<i64>,
}

/// When the engine starts a container again by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "policy")]
pub enum RestartSpec {
    /// Never.
    #[default]
    No,
    /// Whenever it ends.
    Always,
    /// Whenever it ends, unless a person stopped it.
    UnlessStopped,
    /// When it ends with a failure.
    OnFailure {
        /// At most so often; 0 is without limit.
        attempts: u32,
    },
}

/// A process limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// `nofile`, `nproc`, ...
    pub name: String,
    /// Soft limit.
    pub soft: i64,
    /// Hard limit.
    pub hard: i64,
}

/// A device of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Path on the host.
    pub source: String,
    /// Path in the container.
    pub target: String,
    /// Of `rwm`.
    pub permissions: String,
}
