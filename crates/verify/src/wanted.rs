//! What the file wants of the engine, as whoever brings it up would ask for it. This crate measures; it does not know how
//! a file becomes containers: the caller hands it in.

use std::collections::BTreeMap;

use plimsoll_engine::ContainerSpec;

/// What should run, and what bringing it up would change now.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// By service: what each of its containers is asked to be. Images are ids.
    pub services: BTreeMap<String, ContainerSpec>,
    /// What bringing the project up would do, but for starting what has ended: service (empty: the project) and cause.
    pub changes: Vec<(String, String)>,
}
