//! Lines that .gitignore must have: secrets stay out of the source.

use super::{Generator, Ownership};

pub(super) const GENERATOR: Generator = Generator {
    template: "gitignore",
    ownership: Ownership::Lines,
    path: |stack| (!stack.secrets.is_empty()).then(|| ".gitignore".to_owned()),
};
