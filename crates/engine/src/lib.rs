//! The Docker Engine API (1.41 and up), the few calls Plimsoll uses, with typed errors.
//!
//! In: our own plain structs ([`ContainerSpec`], [`NetworkSpec`], ...). Out: our own plain structs and [`EngineError`].
//! The HTTP client underneath is an implementation detail: none of its types are visible here, so that everything
//! that knows about its peculiarities (see [`connect`]) stays in this crate.
//!
//! Limits: every call has a time limit; output that is collected (exec, logs) is bounded in size; nothing is retried.

mod address;
pub mod archive;
pub mod commit;
pub mod connect;
pub mod containers;
pub mod disk;
mod error;
pub mod events;
pub mod exec;
pub mod facts;
pub mod images;
pub mod logs;
pub mod networks;
mod relay;
pub mod session;
pub mod spec;
mod translate;
pub mod volumes;

pub use archive::PathStat;
pub use commit::CommitSpec;
pub use connect::Engine;
pub use containers::{
    ContainerDetail, ContainerSummary, ContainerUsage, Endpoint, Health, Probe, PublishedPort, RunState,
};
pub use disk::DiskUsage;
pub use error::EngineError;
pub use events::{Event, EventFilter};
pub use exec::{ExecOutput, ExecSpec};
pub use facts::EngineFacts;
pub use images::{ImageDetail, ImageSummary, LoadError, Pulled};
pub use logs::{LogLine, LogOptions, Stream};
pub use networks::{IpamPool, NetworkDetail, NetworkSpec};
pub use session::Session;
pub use spec::{
    Attachment, ContainerSpec, Device, DeviceRate, DeviceRequest, HealthSpec, MountKind, MountSpec, PortSpec,
    Resources, RestartSpec, Ulimit,
};
pub use volumes::{VolumeDetail, VolumeSpec};
