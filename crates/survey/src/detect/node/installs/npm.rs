//! npm.

use super::{Kind, no_version};
use crate::model::Manager;

pub(super) const KIND: Kind = Kind {
    manager: Manager::Npm,
    name: "npm",
    locks: &["npm-shrinkwrap.json", "package-lock.json"],
    inputs: &[],
    // It comes with Node.js.
    version: no_version,
};
