use super::{Bytes, Duration, Mapping, field::model};

model! {
    /// Replicas, resources and updates.
    pub struct Deploy {
        /// `replicated` or `global`.
        mode: Option<String>,
        /// Number of containers.
        replicas: Option<i64>,
        /// Labels of the service (not of its containers).
        labels: Mapping,
        /// How it is updated.
        update_config: Option<UpdateConfig>,
        /// How an update is rolled back.
        rollback_config: Option<UpdateConfig>,
        /// Limits and reservations.
        [json] resources: Resources,
        /// When containers start again.
        restart_policy: Option<RestartPolicy>,
        /// Where containers run.
        [json] placement: Placement,
        /// `vip` or `dnsrr`.
        endpoint_mode: Option<String>,
    }

    /// How containers are replaced.
    pub struct UpdateConfig {
        /// How many at a time; 0 is all.
        parallelism: Option<i64>,
        /// Time between groups.
        delay: Duration,
        /// What a failure leads to: `continue`, `pause`, `rollback`.
        failure_action: Option<String>,
        /// How long each one is watched.
        monitor: Duration,
        /// Share of failures that is tolerated.
        max_failure_ratio: f64,
        /// `start-first` or `stop-first`.
        order: Option<String>,
    }

    /// Limits and reservations.
    pub struct Resources {
        /// Limits.
        limits: Option<ResourceLimit>,
        /// Reservations.
        reservations: Option<ResourceLimit>,
    }

    /// Amounts of resources.
    pub struct ResourceLimit {
        /// CPUs.
        cpus: f64,
        /// Memory.
        memory: Option<Bytes>,
        /// Processes.
        pids: i64,
        /// Devices.
        devices: Vec<DeviceRequest>,
        /// Resources that the users of a cluster define.
        generic_resources: Vec<GenericResource>,
    }

    /// A wish for devices.
    pub struct DeviceRequest {
        /// What they must be able to do.
        capabilities: Vec<String>,
        /// Driver.
        driver: Option<String>,
        /// How many; -1 is all.
        count: i64,
        /// Which ones.
        device_ids: Vec<String>,
        /// Options of the driver.
        options: Mapping,
    }

    /// A resource that the users of a cluster define.
    pub struct GenericResource {
        /// A countable one.
        discrete_resource_spec: Option<DiscreteResource>,
    }

    /// A countable resource.
    pub struct DiscreteResource {
        /// Its kind.
        [always] kind: String,
        /// How many.
        [always] value: i64,
    }

    /// When containers start again.
    pub struct RestartPolicy {
        /// `none`, `on-failure`, `any`.
        condition: Option<String>,
        /// Time before.
        delay: Option<Duration>,
        /// How often.
        max_attempts: Option<i64>,
        /// Time after which a start counts as a success.
        window: Option<Duration>,
    }

    /// Where containers run.
    pub struct Placement {
        /// Conditions on nodes.
        constraints: Vec<String>,
        /// Preferences.
        preferences: Vec<PlacementPreference>,
        /// How many on one node at most.
        max_replicas_per_node: i64,
    }

    /// A preference for nodes.
    pub struct PlacementPreference {
        /// Label over whose values containers are spread.
        spread: Option<String>,
    }
}
