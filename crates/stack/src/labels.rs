//! Labels on what we make. The `com.docker.compose.*` ones are docker compose's own, so that its `ps`, `logs` and
//! `down` work on our stacks and ours on its; the `org.plimsoll.*` ones carry what those cannot.

/// The project's name.
pub const PROJECT: &str = "com.docker.compose.project";
/// The service's name.
pub const SERVICE: &str = "com.docker.compose.service";
/// Number of the replica, from 1.
pub const NUMBER: &str = "com.docker.compose.container-number";
/// Digest of everything that a container was made from.
pub const CONFIG_HASH: &str = "com.docker.compose.config-hash";
/// `True` for containers of `run`.
pub const ONEOFF: &str = "com.docker.compose.oneoff";
/// `db:service_healthy:false,...`: service, condition, restart.
pub const DEPENDS_ON: &str = "com.docker.compose.depends_on";
/// The directory of the Compose files.
pub const WORKING_DIR: &str = "com.docker.compose.project.working_dir";
/// The Compose files, separated by commas.
pub const CONFIG_FILES: &str = "com.docker.compose.project.config_files";
/// The image's id.
pub const IMAGE: &str = "com.docker.compose.image";
/// Which tool made it.
pub const VERSION: &str = "com.docker.compose.version";
/// The value of [`VERSION`].
pub const MADE_BY: &str = concat!("plimsoll ", env!("CARGO_PKG_VERSION"));
/// The container that this one takes the place of.
pub const REPLACE: &str = "com.docker.compose.replace";
/// Key of a network in the Compose file.
pub const NETWORK: &str = "com.docker.compose.network";
/// Key of a volume in the Compose file.
pub const VOLUME: &str = "com.docker.compose.volume";

/// Digests of the parts of a container's configuration, so that a change can be named.
pub const PARTS: &str = "org.plimsoll.parts";
/// The release whose containers these are, where several stand side by side.
pub const GENERATION: &str = "org.plimsoll.generation";
/// Digest of the names, sizes and times of what a one-shot was given through bind mounts when it was made.
pub const INPUTS: &str = "org.plimsoll.inputs";
/// The image as the Compose file names it.
pub const IMAGE_NAME: &str = "org.plimsoll.image";
/// `true` where the image stands in for software that cannot be had on this machine.
pub const STANDIN: &str = "org.plimsoll.standin";
/// When a volume or container was made: milliseconds since the epoch by our clock. Engines tell a volume's age by its
/// directory, which changes.
pub const CREATED: &str = "org.plimsoll.created";
/// `true` on containers that are made to look into an image or a volume, never started, and removed at once.
pub const HELPER: &str = "org.plimsoll.helper";
/// What was asked for and fitted to the host: `cpus 4 -> 2`.
pub const FITTED: &str = "org.plimsoll.fitted";
/// Digest of everything that a container was made from, in our form; the `config-hash` beside it is docker compose's.
pub const HASH: &str = "org.plimsoll.hash";
/// Commands after the start and before the stop, as JSON: who stops a container need not have the Compose file.
pub const HOOKS: &str = "org.plimsoll.hooks";
/// `true` on the volume with the secrets and configs of an engine on another machine.
pub const FILES: &str = "org.plimsoll.files";
/// On the volume of a store: digest of the password that its data were made with.
pub const PASSWORD: &str = "org.plimsoll.password";
