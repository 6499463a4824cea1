//! Steps that other machines did: a cache that was exported there and is asked here.

use std::fmt;

use plimsoll_image::{LayerId, Store};

use crate::key::Key;

/// A step that this build did or found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyedStep {
    /// What it does and reads.
    pub key: Key,
    /// What it gave; `None` when it changed nothing.
    pub layer: Option<LayerId>,
    /// When, in seconds since 1970.
    pub created: i64,
    /// Its files are in the image.
    pub in_image: bool,
}

/// A cache from elsewhere. It is asked for keys that are not known here.
pub trait StepSource: Send + Sync + fmt::Debug {
    /// The step with this key; its layer is brought into the store. A source that fails says so itself and gives
    /// `None`: a cache that cannot be read only means that the step runs.
    fn find(&self, key: &Key, store: &Store) -> Option<Restored>;
}

/// What a step of a cache gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Its layer, in the store; `None` when it changed nothing.
    pub layer: Option<LayerId>,
    /// When, in seconds since 1970.
    pub created: i64,
}
