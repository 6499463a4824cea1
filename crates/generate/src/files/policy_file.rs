//! plimsoll.toml: budgets and the image map.

use super::{Generator, Ownership};

pub(super) const GENERATOR: Generator = Generator {
    template: "plimsoll.toml",
    ownership: Ownership::Whole,
    path: |_| Some("plimsoll.toml".to_owned()),
};
