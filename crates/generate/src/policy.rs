//! What the repository cannot say: how much a service may use, which images it is built on.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::size::{self, GIGABYTE, MEGABYTE};

/// How much one service may use, and how much is kept for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceLimits {
    /// CPUs at most.
    pub cpus: &'static str,
    /// Mebibytes at most, swap included.
    #[serde(rename = "memory", serialize_with = "size::in_mebibytes")]
    pub megabytes: u32,
    /// Processes and threads at most.
    pub pids: u32,
    /// Mebibytes kept. CPUs are not: a reservation of them only chooses a node in a Swarm.
    #[serde(rename = "reserved_memory", serialize_with = "size::in_mebibytes")]
    pub reserved_megabytes: u32,
}

/// Decisions that hold for every generated stack.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The project's name, where a person has chosen it.
    pub project: Option<String>,
    /// The name of the repository's folder, for a project that has no name of its own.
    pub folder: Option<String>,
    /// A program in Python: gunicorn's or uvicorn's main process and its workers.
    pub python: ServiceLimits,
    /// A Node.js server. A health check starts a second Node.js beside it: some 12 threads more.
    pub server: ServiceLimits,
    /// nginx with static files.
    pub site: ServiceLimits,
    /// The one-shot migration.
    pub migrate: ServiceLimits,
    /// PostgreSQL.
    pub postgres: ServiceLimits,
    /// Redis.
    pub redis: ServiceLimits,
    /// MySQL or MariaDB.
    pub mysql: ServiceLimits,
    /// MongoDB: its cache cannot be smaller than 256 MiB.
    pub mongodb: ServiceLimits,
    /// `RabbitMQ`: the Erlang machine alone takes 100 MiB.
    pub rabbitmq: ServiceLimits,
    /// User and group of our own programs; above the range that distributions give to people.
    pub app_uid: u32,
    /// nginx's user in its unprivileged image.
    pub nginx_uid: u32,
    /// The stores' user in their official Debian images.
    pub store_uid: u32,
    /// Bound on the memory of all containers together, in bytes.
    pub memory_budget: u64,
    /// Seconds until all services are healthy, at most.
    pub start_budget: u32,
    /// Bound on the unpacked size of a server's image, in bytes, as those of the other images.
    pub server_image_budget: u64,
    /// Bound on the unpacked size of a server's image that needs a shell or libraries of the system.
    pub slim_image_budget: u64,
    /// Bound on the unpacked size of a server that renders pages and is shipped with what it needs alone.
    pub bundle_image_budget: u64,
    /// Bound on the unpacked size of a server that renders pages with packages that are shipped whole.
    pub pages_image_budget: u64,
    /// Bound on the unpacked size of a Python program's image.
    pub python_image_budget: u64,
    /// Bound on the unpacked size of a built site's image.
    pub site_image_budget: u64,
    /// Bound on the unpacked size of the image of a site that is its files: pictures count.
    pub plain_image_budget: u64,
    /// Scripts that must pass before a service's image is made, by the service's name, where a person said so.
    pub checks: BTreeMap<String, Vec<String>>,
    /// Images that can be made where their registry is out of reach: the vendor's name and the recipe.
    pub stand_ins: &'static [(&'static str, &'static str)],
    /// What a person answered, by the question's id; it is kept in the policy file.
    pub answers: BTreeMap<String, String>,
}

impl Policy {
    /// The fronts end TLS themselves, with a certificate that the team puts into files.
    pub(crate) fn fronts_end_tls(&self) -> bool {
        self.answers.get(plimsoll_survey::TLS).is_some_and(|answer| answer == plimsoll_survey::TLS_FILES)
    }
}

impl Default for Policy {
    fn default() -> Self {
        let limits = |cpus, megabytes, pids| ServiceLimits {
            cpus,
            megabytes,
            pids,
            reserved_megabytes: megabytes / 2,
        };
        Self {
            project: None,
            folder: None,
            server: limits("1.0", 512, 128),
            python: limits("1.0", 512, 128),
            mysql: limits("1.0", 1024, 256),
            mongodb: limits("1.0", 1024, 256),
            rabbitmq: limits("1.0", 512, 256),
            site: limits("0.5", 128, 64),
            migrate: limits("0.5", 256, 64),
            postgres: limits("1.0", 1024, 256),
            redis: limits("0.5", 256, 64),
            app_uid: 10_001,
            nginx_uid: 101,
            store_uid: 999,
            memory_budget: 2 * GIGABYTE,
            start_budget: 120,
            server_image_budget: 150 * MEGABYTE,
            slim_image_budget: 500 * MEGABYTE,
            bundle_image_budget: 180 * MEGABYTE,
            pages_image_budget: 250 * MEGABYTE,
            python_image_budget: 600 * MEGABYTE,
            site_image_budget: 20 * MEGABYTE,
            plain_image_budget: 100 * MEGABYTE,
            checks: BTreeMap::new(),
            stand_ins: &[],
            answers: BTreeMap::new(),
        }
    }
}
