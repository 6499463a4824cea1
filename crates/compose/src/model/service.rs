use indexmap::IndexMap;
use plimsoll_source::Diagnostic;
use serde::ser::SerializeMap as _;

use super::{
    Build, Bytes, Deploy, DeviceRequest, Duration, Environment, Hosts, Mapping, Mount, OptOut, Ulimit,
    field::{Field, for_yaml, model},
    names::names,
    scalar::FileMode,
};
use crate::value::Value;

model! {
    /// One service in its canonical form: every short syntax is written out.
    pub struct Service {
        /// Profiles that enable it; without any it is always enabled.
        profiles: Vec<String>,
        /// Annotations of the container.
        annotations: Mapping,
        /// Whether `up` shows its logs; unset means yes.
        attach: Option<bool>,
        /// How its image is built.
        build: Option<Build>,
        /// What development tools watch.
        develop: Option<Develop>,
        /// Block IO limits.
        blkio_config: Option<BlockIo>,
        /// Capabilities that it gets.
        cap_add: Vec<String>,
        /// Capabilities that it loses.
        cap_drop: Vec<String>,
        /// Parent of its cgroup.
        cgroup_parent: Option<String>,
        /// cgroup namespace: `host` or `private`.
        cgroup: Option<String>,
        /// Number of CPUs (Windows).
        cpu_count: i64,
        /// Share of the CPUs in percent (Windows).
        cpu_percent: f64,
        /// CFS period in microseconds.
        cpu_period: i64,
        /// CFS quota in microseconds.
        cpu_quota: i64,
        /// Real-time period in microseconds.
        cpu_rt_period: i64,
        /// Real-time runtime in microseconds.
        cpu_rt_runtime: i64,
        /// Limit in CPUs.
        cpus: f64,
        /// CPUs that it may run on: `0-3`, `0,1`.
        cpuset: Option<String>,
        /// Relative weight.
        cpu_shares: i64,
        /// The command. Unset leaves the image's; an empty list clears it.
        [json] command: Option<Vec<String>>,
        /// Configs that it sees as files.
        configs: Vec<FileReference>,
        /// Fixed name of its container.
        container_name: Option<String>,
        /// Credential spec (Windows).
        credential_spec: Option<CredentialSpec>,
        /// Services that must be there before it.
        depends_on: IndexMap<String, Dependency>,
        /// Replicas, resources, updates.
        deploy: Option<Deploy>,
        /// Rules of the device cgroup.
        device_cgroup_rules: Vec<String>,
        /// Devices of the host.
        devices: Vec<Device>,
        /// Name servers.
        dns: Vec<String>,
        /// Resolver options.
        dns_opt: Vec<String>,
        /// Search domains.
        dns_search: Vec<String>,
        /// Domain name.
        domainname: Option<String>,
        /// The entry point. Unset leaves the image's; an empty list clears it.
        [json] entrypoint: Option<Vec<String>>,
        /// A program that provides the service instead of a container.
        provider: Option<Provider>,
        /// Environment variables, those of `env_file` included once they are resolved.
        environment: Environment,
        /// Files of environment variables.
        env_file: Vec<EnvFile>,
        /// Ports for other services; documentation only.
        expose: Vec<String>,
        /// The service that it extends; empty once resolved.
        extends: Option<Extends>,
        /// Links to containers outside the project.
        external_links: Vec<String>,
        /// Entries of its hosts file.
        extra_hosts: Hosts,
        /// Further groups of its user.
        group_add: Vec<String>,
        /// GPUs.
        gpus: Vec<DeviceRequest>,
        /// Host name.
        hostname: Option<String>,
        /// How its health is probed.
        healthcheck: Option<Healthcheck>,
        /// The image.
        image: Option<String>,
        /// Whether an init process reaps zombies.
        init: Option<bool>,
        /// IPC namespace: `host`, `shareable`, `service:NAME`.
        ipc: Option<String>,
        /// Isolation technology (Windows).
        isolation: Option<String>,
        /// Labels of the container.
        labels: Mapping,
        /// Files of labels.
        label_file: Vec<String>,
        /// Links to services: `name` or `name:alias`.
        links: Vec<String>,
        /// Where its output goes.
        logging: Option<Logging>,
        /// Memory limit.
        mem_limit: Option<Bytes>,
        /// Memory reservation.
        mem_reservation: Option<Bytes>,
        /// Memory and swap together; -1 is unlimited.
        memswap_limit: Option<Bytes>,
        /// Swappiness in percent.
        mem_swappiness: Option<Bytes>,
        /// MAC address.
        mac_address: Option<String>,
        /// Language models that it uses.
        models: IndexMap<String, Option<ServiceModel>>,
        /// Network namespace: `host`, `none`, `service:NAME`, `container:NAME`.
        network_mode: Option<String>,
        /// Networks that it joins.
        networks: IndexMap<String, Option<ServiceNetwork>>,
        /// Whether the OOM killer spares it.
        oom_kill_disable: bool,
        /// Preference of the OOM killer, -1000 to 1000.
        oom_score_adj: i64,
        /// PID namespace: `host`, `service:NAME`.
        pid: Option<String>,
        /// Limit of processes; -1 is unlimited, 0 unset.
        pids_limit: i64,
        /// Platform: `linux/amd64`.
        platform: Option<String>,
        /// Published ports.
        ports: Vec<Port>,
        /// All privileges of the host.
        privileged: bool,
        /// When the image is pulled.
        pull_policy: Option<String>,
        /// Whether its root file system is read-only.
        read_only: bool,
        /// Restart policy: `no`, `always`, `on-failure[:n]`, `unless-stopped`.
        restart: Option<String>,
        /// OCI runtime.
        runtime: Option<String>,
        /// Number of containers; `deploy.replicas` is the newer form.
        scale: Option<i64>,
        /// Secrets that it sees as files.
        secrets: Vec<FileReference>,
        /// Security options: `no-new-privileges:true`.
        security_opt: Vec<String>,
        /// Size of /dev/shm.
        shm_size: Option<Bytes>,
        /// Whether stdin stays open.
        stdin_open: bool,
        /// Time between the stop signal and the kill.
        stop_grace_period: Option<Duration>,
        /// Signal that stops it.
        stop_signal: Option<String>,
        /// Options of the storage driver.
        storage_opt: Mapping,
        /// Kernel parameters.
        sysctls: Mapping,
        /// Memory file systems: `/path[:options]`.
        tmpfs: Vec<String>,
        /// Whether it has a terminal.
        tty: bool,
        /// Limits of its processes.
        ulimits: IndexMap<String, Ulimit>,
        /// Whether it gets the engine's socket.
        use_api_socket: bool,
        /// User: `name`, `uid`, `uid:gid`.
        user: Option<String>,
        /// User namespace.
        userns_mode: Option<String>,
        /// UTS namespace.
        uts: Option<String>,
        /// Mounts.
        volumes: Vec<Mount>,
        /// Services or `container:NAME` whose volumes it shares, with optional `:ro`.
        volumes_from: Vec<String>,
        /// Working directory.
        working_dir: Option<String>,
        /// Containers that run before it starts.
        pre_start: Vec<Hook>,
        /// Commands in it after it started.
        post_start: Vec<Hook>,
        /// Commands in it before it stops.
        pre_stop: Vec<Hook>,
    }

    /// A dependency on another service.
    pub struct Dependency {
        /// What is waited for.
        condition: Condition,
        /// Whether a restart of the dependency by Compose restarts this service.
        restart: bool,
        /// Whether the dependency must exist and start.
        [always] required: bool,
    }

    /// A config or secret as a service sees it.
    pub struct FileReference {
        /// Name of the top-level config or secret.
        source: Option<String>,
        /// Path in the container; a secret's default is `/run/secrets/SOURCE`, a config's `/SOURCE`.
        target: Option<String>,
        /// Owner.
        uid: Option<String>,
        /// Group.
        gid: Option<String>,
        /// Mode.
        mode: Option<FileMode>,
    }

    /// A published port.
    pub struct Port {
        /// A name for people.
        name: Option<String>,
        /// `ingress` or `host`.
        mode: Option<String>,
        /// Address of the host.
        host_ip: Option<String>,
        /// Port in the container.
        target: i64,
        /// Port or range of ports of the host; unset lets the engine choose.
        published: Option<String>,
        /// `tcp` or `udp`.
        protocol: Option<String>,
        /// What is spoken: `http`.
        app_protocol: Option<String>,
    }

    /// How health is probed.
    pub struct Healthcheck {
        /// `CMD` with arguments, `CMD-SHELL` with a command, or `NONE`.
        test: Vec<String>,
        /// Longest time of one probe.
        timeout: Option<Duration>,
        /// Time between probes.
        interval: Option<Duration>,
        /// Failures in a row until unhealthy.
        retries: Option<i64>,
        /// Time after the start in which failures don't count.
        start_period: Option<Duration>,
        /// Time between probes in the start period (engine 25 and newer).
        start_interval: Option<Duration>,
        /// No health check, not even the image's.
        disable: bool,
    }

    /// Where output goes.
    pub struct Logging {
        /// Driver.
        driver: Option<String>,
        /// Options of the driver.
        options: Mapping,
    }

    /// How a service joins a network.
    pub struct ServiceNetwork {
        /// Order of joining; the highest first.
        priority: i64,
        /// Further names there.
        aliases: Vec<String>,
        /// Options of the driver.
        driver_opts: Mapping,
        /// Which network gives the default gateway; the highest wins.
        gw_priority: i64,
        /// Name of the interface in the container.
        interface_name: Option<String>,
        /// Fixed IPv4 address.
        ipv4_address: Option<String>,
        /// Fixed IPv6 address.
        ipv6_address: Option<String>,
        /// Link-local addresses.
        link_local_ips: Vec<String>,
        /// MAC address.
        mac_address: Option<String>,
    }

    /// How a service uses a language model.
    pub struct ServiceModel {
        /// Variable that gets the endpoint.
        endpoint_var: Option<String>,
        /// Variable that gets the name.
        model_var: Option<String>,
    }

    /// A file of environment variables.
    pub struct EnvFile {
        /// Its path.
        path: Option<String>,
        /// Whether it must exist; unset means yes.
        required: OptOut,
        /// `raw` for neither quotes nor interpolation.
        format: Option<String>,
    }

    /// A reference to another service.
    pub struct Extends {
        /// Its file; unset for this one.
        file: Option<String>,
        /// Its name.
        service: Option<String>,
    }

    /// A device of the host.
    pub struct Device {
        /// Path on the host.
        source: Option<String>,
        /// Path in the container.
        target: Option<String>,
        /// `r`, `w`, `m`.
        permissions: Option<String>,
    }

    /// Credential spec (Windows).
    pub struct CredentialSpec {
        /// A config.
        config: Option<String>,
        /// A file.
        file: Option<String>,
        /// A key of the registry.
        registry: Option<String>,
    }

    /// A program that provides a service.
    pub struct Provider {
        /// Its name.
        "type" kind: Option<String>,
        /// Its options, one or several values each.
        options: IndexMap<String, Vec<String>>,
    }

    /// A command at a point of a container's life.
    pub struct Hook {
        /// The command.
        [json] command: Option<Vec<String>>,
        /// Image, for `pre_start`.
        image: Option<String>,
        /// Run once a replica, for `pre_start`.
        per_replica: bool,
        /// User.
        user: Option<String>,
        /// All privileges.
        privileged: bool,
        /// Working directory.
        working_dir: Option<String>,
        /// Environment.
        environment: Environment,
    }

    /// What development tools watch.
    pub struct Develop {
        /// Paths and actions.
        watch: Vec<Watch>,
    }

    /// A watched path.
    pub struct Watch {
        /// The path.
        path: Option<String>,
        /// `sync`, `rebuild`, `restart`, `sync+restart`, `sync+exec`.
        action: Option<String>,
        /// Where files go in the container.
        target: Option<String>,
        /// What runs after a sync.
        [json] exec: Hook,
        /// Patterns that count.
        include: Vec<String>,
        /// Patterns that don't.
        ignore: Vec<String>,
        /// Whether all files are sent at the start.
        initial_sync: bool,
    }

    /// Block IO limits.
    pub struct BlockIo {
        /// Relative weight, 10 to 1000.
        weight: i64,
        /// Weights by device.
        weight_device: Vec<WeightDevice>,
        /// Bytes a second.
        device_read_bps: Vec<ThrottleDevice>,
        /// Operations a second.
        device_read_iops: Vec<ThrottleDevice>,
        /// Bytes a second.
        device_write_bps: Vec<ThrottleDevice>,
        /// Operations a second.
        device_write_iops: Vec<ThrottleDevice>,
    }
}

impl Service {
    /// How many containers the service wants: `scale`, else `deploy.replicas`, else one.
    pub fn replicas(&self) -> i64 {
        self.scale.or_else(|| self.deploy.as_ref().and_then(|deploy| deploy.replicas)).unwrap_or(1)
    }
}

/// A device with a weight.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WeightDevice {
    /// Path of the device.
    pub path: String,
    /// Weight.
    pub weight: i64,
}

/// A device with a limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThrottleDevice {
    /// Path of the device.
    pub path: String,
    /// Bytes or operations a second.
    pub rate: Bytes,
}

names! {
    /// What a dependency must have reached.
    pub enum Condition {
        /// Its container runs.
        #[default]
        Started = "service_started",
        /// Its health check passes.
        Healthy = "service_healthy",
        /// It has ended with exit code 0.
        CompletedSuccessfully = "service_completed_successfully",
    }
}

impl Field for WeightDevice {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        Ok(Self { path: part(value, "path", "Path")?, weight: part(value, "weight", "Weight")? })
    }

    fn absent(&self) -> bool {
        false
    }
}

impl Field for ThrottleDevice {
    fn read(value: &Value) -> Result<Self, Diagnostic> {
        Ok(Self { path: part(value, "path", "Path")?, rate: part(value, "rate", "Rate")? })
    }

    fn absent(&self) -> bool {
        false
    }
}

/// A field by its name in files, or by the capitalised one that the reference writes.
fn part<T: Field>(value: &Value, name: &str, written: &str) -> Result<T, Diagnostic> {
    value.get(name).or_else(|| value.get(written)).map_or(Ok(T::default()), T::read)
}

impl serde::Serialize for WeightDevice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(if for_yaml() { "path" } else { "Path" }, &self.path)?;
        map.serialize_entry(if for_yaml() { "weight" } else { "Weight" }, &self.weight)?;
        map.end()
    }
}

impl serde::Serialize for ThrottleDevice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(if for_yaml() { "path" } else { "Path" }, &self.path)?;
        map.serialize_entry(if for_yaml() { "rate" } else { "Rate" }, &self.rate)?;
        map.end()
    }
}
