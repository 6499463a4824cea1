//! What stays out of the build context; in the root, which is the context of every image.

use super::{Generator, Ownership};

pub(super) const GENERATOR: Generator = Generator {
    template: "dockerignore",
    ownership: Ownership::Whole,
    path: |_| Some(".dockerignore".to_owned()),
};
