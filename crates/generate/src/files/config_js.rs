//! The page's settings, filled in when nginx starts; only for pages that read such a file.

use super::{Generator, Ownership};

pub(super) const GENERATOR: Generator = Generator {
    template: "config.js.template",
    ownership: Ownership::Whole,
    path: |stack| {
        stack.site.config.as_ref().map(|config| format!("{}/nginx/{}.template", stack.site.path, config.file))
    },
};
