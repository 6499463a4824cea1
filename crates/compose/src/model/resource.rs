use super::{Mapping, field::model};

model! {
    /// A network.
    pub struct Network {
        /// Its name in the engine: `PROJECT_KEY` unless given.
        name: Option<String>,
        /// Driver.
        driver: Option<String>,
        /// Options of the driver.
        driver_opts: Mapping,
        /// Addresses.
        [json] ipam: Ipam,
        /// Whether it exists outside the project.
        external: bool,
        /// Whether it has no way out.
        internal: bool,
        /// Whether other containers may join it.
        attachable: bool,
        /// Labels.
        labels: Mapping,
        /// IPv4.
        enable_ipv4: Option<bool>,
        /// IPv6.
        enable_ipv6: Option<bool>,
    }

    /// Address management of a network.
    pub struct Ipam {
        /// Driver.
        driver: Option<String>,
        /// Pools.
        config: Vec<IpamPool>,
        /// Options of the driver.
        options: Mapping,
    }

    /// A pool of addresses.
    pub struct IpamPool {
        /// Subnet.
        subnet: Option<String>,
        /// Gateway.
        gateway: Option<String>,
        /// Range that addresses are given from.
        ip_range: Option<String>,
        /// Addresses that are kept for others, by host.
        aux_addresses: Mapping,
    }

    /// A named volume.
    pub struct Volume {
        /// Its name in the engine: `PROJECT_KEY` unless given.
        name: Option<String>,
        /// Driver.
        driver: Option<String>,
        /// Options of the driver.
        driver_opts: Mapping,
        /// Whether it exists outside the project.
        external: bool,
        /// Labels.
        labels: Mapping,
    }

    /// A config or a secret.
    pub struct FileObject {
        /// Its name in the engine: `PROJECT_KEY` unless given.
        name: Option<String>,
        /// The file that holds it.
        file: Option<String>,
        /// The environment variable that holds it.
        environment: Option<String>,
        /// The text itself (configs).
        content: Option<String>,
        /// Whether it exists outside the project.
        external: bool,
        /// Labels.
        labels: Mapping,
        /// Driver (secrets).
        driver: Option<String>,
        /// Options of the driver (secrets).
        driver_opts: Mapping,
        /// Driver of templates.
        template_driver: Option<String>,
    }

    /// A language model.
    pub struct Model {
        /// Its name: the key unless given.
        name: Option<String>,
        /// What is run.
        model: Option<String>,
        /// Size of the context in tokens.
        context_size: i64,
        /// Flags of the runtime.
        runtime_flags: Vec<String>,
    }
}
