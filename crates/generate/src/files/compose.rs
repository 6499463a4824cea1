//! The production stack.

use super::{Generator, Ownership};

pub(super) const GENERATOR: Generator = Generator {
    template: "compose.production.yml",
    ownership: Ownership::Whole,
    path: |stack| Some(stack.compose_file.to_owned()),
};
