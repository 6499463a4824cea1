//! The typed project: every attribute of the specification, in its canonical long form.
//!
//! Field names are the attribute names of Compose files; serde writes them in the reference's names and order.
//! "Unset" is `None`, an empty collection, `false` or 0, as the reference loader has it; where the difference between
//! unset and zero matters, the field is an `Option`.

mod answers;
mod build;
mod deploy;
pub(crate) mod field;
mod mount;
mod names;
mod project;
mod resource;
pub(crate) mod scalar;
mod service;

pub use answers::{RestartRule, ServiceLimits};
pub use build::Build;
pub use deploy::{
    Deploy, DeviceRequest, DiscreteResource, GenericResource, Placement, PlacementPreference, ResourceLimit,
    Resources, RestartPolicy, UpdateConfig,
};
pub use field::Extensions;
pub use mount::{BindOptions, ImageOptions, Mount, MountKind, OptOut, TmpfsOptions, VolumeOptions};
pub use project::{HostEnvironment, Project};
pub use resource::{FileObject, Ipam, IpamPool, Model, Network, Volume};
pub use scalar::{Bytes, Duration, Environment, FileMode, Hosts, Mapping, Ulimit};
pub use service::{
    BlockIo, Condition, CredentialSpec, Dependency, Develop, Device, EnvFile, Extends, FileReference,
    Healthcheck, Hook, Logging, Port, Provider, Service, ServiceModel, ServiceNetwork, ThrottleDevice, Watch,
    WeightDevice,
};
