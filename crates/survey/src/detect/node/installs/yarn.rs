//! Yarn 1.

use super::{Kind, no_version};
use crate::model::Manager;

pub(super) const KIND: Kind = Kind {
    manager: Manager::YarnClassic,
    name: "yarn",
    locks: &["yarn.lock"],
    inputs: &[".yarnrc"],
    version: no_version,
};
