//! OCI types, content store, layers, hand-over to an engine, registry client.
//!
//! [`Store`] keeps immutable layers (each a directory in overlay's upper format) and the images made of them. A
//! layer's tar is made only when somebody needs its bytes: an engine ([`handover`]), a file ([`output`]) or a
//! registry ([`registry`]). What comes from outside is bounded and never leaves the layer's own directory.

pub mod artifact;
pub mod bundle;
mod compress;
mod config;
mod digest;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod handover;
mod layer;
mod layout;
pub mod manifest;
mod merged;
pub mod output;
pub mod purl;
mod reference;
pub mod registry;
pub mod report;
pub mod serve;
mod store;
mod trees;

pub use compress::LayerCompression;
pub use config::{Empty, Healthcheck, History, ImageConfig, RootFs, RuntimeConfig, host_architecture};
pub use digest::{Digest, DigestError};
pub use error::StoreError;
pub use layer::{
    ArchiveMember, ArchiveReader, Body, Bounded, ImportLimits, Layer, LayerDraft, LayerId, LayerIdError,
    MemberKind, SealOptions, Sparse, is_mostly_hole, make_opaque, make_whiteout, owner_of, set_owner,
};
pub use merged::{Merged, Visible, Wasted};
pub use reference::{Reference, ReferenceError};

pub use store::{
    Alone, DiskMeter, DiskUsage, Image, ImageRecord, ImageUse, Origin, Part, Pin, PruneOptions, Pruned,
    Store, Stored,
};
pub use trees::{TreeWriter, unpack_trees};
