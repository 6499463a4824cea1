//! Bun, as an installer.

use super::{Kind, no_version};
use crate::model::Manager;

pub(super) const KIND: Kind = Kind {
    manager: Manager::Bun,
    name: "bun",
    locks: &["bun.lock", "bun.lockb"],
    inputs: &["bunfig.toml"],
    version: no_version,
};
