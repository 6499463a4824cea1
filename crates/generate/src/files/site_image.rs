//! The site's Dockerfile: checked, built, served by nginx.

use super::{Generator, Ownership};

pub(super) const GENERATOR: Generator = Generator {
    template: "site.Dockerfile",
    ownership: Ownership::Whole,
    path: |stack| Some(format!("{}/Dockerfile", stack.site.path)),
};
