use indexmap::IndexMap;

use super::{Bytes, Environment, FileReference, Hosts, Mapping, Ulimit, field::model};

model! {
    /// How a service's image is built.
    pub struct Build {
        /// Path or address of the context.
        context: Option<String>,
        /// Path of the Dockerfile, from the context.
        dockerfile: Option<String>,
        /// Text of the Dockerfile.
        dockerfile_inline: Option<String>,
        /// Privileges that the build may use.
        entitlements: Vec<String>,
        /// Values of `ARG`.
        args: Environment,
        /// Provenance attestation.
        provenance: Option<String>,
        /// SBOM attestation.
        sbom: Option<String>,
        /// SSH agents and keys: `id` or `id=path`.
        ssh: Vec<String>,
        /// Labels of the image.
        labels: Mapping,
        /// Where cache comes from.
        cache_from: Vec<String>,
        /// Where cache goes to.
        cache_to: Vec<String>,
        /// Whether no cache is used.
        no_cache: bool,
        /// Stages that use no cache.
        no_cache_filter: Vec<String>,
        /// Named contexts.
        additional_contexts: Mapping,
        /// Whether base images are always pulled.
        pull: bool,
        /// Entries of the hosts file of build steps.
        extra_hosts: Hosts,
        /// Isolation technology (Windows).
        isolation: Option<String>,
        /// Network of build steps.
        network: Option<String>,
        /// The stage to build.
        target: Option<String>,
        /// Secrets of build steps.
        secrets: Vec<FileReference>,
        /// Size of /dev/shm of build steps.
        shm_size: Option<Bytes>,
        /// Further names of the image.
        tags: Vec<String>,
        /// Limits of build steps.
        ulimits: IndexMap<String, Ulimit>,
        /// Platforms to build for.
        platforms: Vec<String>,
        /// All privileges for build steps.
        privileged: bool,
    }
}
