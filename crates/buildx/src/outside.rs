//! What a build needs of the machine around it.

use plimsoll_image::{Reference, registry::Registry};
use plimsoll_source::Failure;

/// Registries as the machine's owner has configured them, and somebody who hears notes.
pub trait Outside: Send + Sync {
    /// A client for the registry of this name, with the machine's credentials and mirrors; plain HTTP only where it was
    /// asked for.
    fn registry(&self, name: &Reference, insecure: bool) -> Result<Registry, Failure>;

    /// A line that a person should know.
    fn note(&self, line: &str);
}
