//! nginx: pages, assets, and the way to the server.

use super::{Generator, Ownership};

pub(super) const GENERATOR: Generator = Generator {
    template: "nginx.conf",
    ownership: Ownership::Whole,
    path: |stack| Some(format!("{}/nginx/nginx.conf", stack.site.path)),
};
