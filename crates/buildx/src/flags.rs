//! The command line of `plimsoll image build`: that of `docker buildx build`, and what only Plimsoll has.

use std::path::PathBuf;

use crate::{alias::Foreign, values::boolean};

/// Build an image from a Dockerfile
// as docker's, the last of two values counts
#[derive(clap::Args)]
#[command(args_override_self = true)]
pub struct Args {
    /// The build context: a directory, a git address (URL#REF:DIRECTORY), the address of a tar or Dockerfile, or `-`
    /// for a tar or Dockerfile on standard input
    #[arg(default_value = ".")]
    pub context: String,
    /// Dockerfile, `-` for standard input [default: CONTEXT/Dockerfile]
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<String>,
    /// Name of the image
    #[arg(short, long = "tag", value_name = "NAME[:TAG]", allow_hyphen_values = true)]
    pub tags: Vec<String>,
    /// Stage to build [default: the last one]
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// Platforms of the image, like `linux/amd64,linux/arm64` [default: this machine's]
    #[arg(long = "platform", value_name = "PLATFORM", value_delimiter = ',')]
    pub platforms: Vec<String>,
    /// Build argument; without a value it is taken from the environment
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]", allow_hyphen_values = true)]
    pub build_args: Vec<String>,
    /// Further context: a directory, a git or http address, `docker-image://NAME`, or `oci-layout://DIR[@DIGEST]`
    #[arg(long = "build-context", value_name = "NAME=WHAT")]
    pub build_contexts: Vec<String>,
    /// Secret for RUN --mount=type=secret: `id=ID,src=FILE` or `id=ID,env=VARIABLE`
    #[arg(long = "secret", value_name = "SPEC")]
    pub secrets: Vec<String>,
    /// Keys for RUN --mount=type=ssh: `default` (the agent of SSH_AUTH_SOCK) or `ID=SOCKET` or `ID=KEY[,KEY]`
    #[arg(long, value_name = "ID[=PATH]")]
    pub ssh: Vec<String>,
    /// Label of the image
    #[arg(long = "label", value_name = "NAME=VALUE", allow_hyphen_values = true)]
    pub labels: Vec<String>,
    /// Annotation of the image's manifest, or of what `index:`, `manifest-descriptor:`, `index-descriptor:` name
    #[arg(long = "annotation", value_name = "[TYPE[PLATFORM]:]NAME=VALUE")]
    pub annotations: Vec<String>,
    /// Line for /etc/hosts of RUN
    #[arg(long = "add-host", value_name = "NAME:ADDRESS", value_delimiter = ',')]
    pub add_hosts: Vec<String>,
    /// Network of RUN
    #[arg(long, value_name = "MODE", default_value = "default", value_parser = ["default", "host", "none", "bridge", ""], hide_possible_values = true)]
    pub network: String,
    /// Size of /dev/shm
    #[arg(long, value_name = "BYTES")]
    pub shm_size: Option<String>,
    /// Resource limit of RUN
    #[arg(long = "ulimit", value_name = "NAME=SOFT[:HARD]")]
    pub ulimits: Vec<String>,
    /// Grant of a privilege: `security.insecure`, `network.host`
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// Take nothing from the cache; cache mounts keep their content
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = boolean, hide_default_value = true)]
    pub no_cache: bool,
    /// Stages of which nothing is taken from the cache
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    pub no_cache_filter: Vec<String>,
    /// Ask the registry for the images of FROM also when the store has them
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = boolean, hide_default_value = true)]
    pub pull: bool,
    /// Certificates that RUN trusts: `auto` (the host's), `off`, or a file
    #[arg(long, value_name = "FILE", default_value = "auto")]
    pub ca: String,
    /// How progress is shown
    #[arg(long, value_enum, env = "BUILDKIT_PROGRESS", hide_env = true, default_value_t = ProgressMode::Auto)]
    pub progress: ProgressMode,
    /// Show nothing but the image's id
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = boolean, hide_default_value = true)]
    pub quiet: bool,
    /// Say of each step why it ran
    #[arg(long)]
    pub explain: bool,
    /// Where the result goes beside the store: `type=oci|docker|tar|local|image|registry,dest=PATH`, a folder, or `-`
    #[arg(short, long = "output", value_name = "SPEC", allow_hyphen_values = true)]
    pub outputs: Vec<String>,
    /// Hand the image to the engine
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = boolean, hide_default_value = true)]
    pub load: bool,
    /// Send the image to the registry of each of its names
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = boolean, hide_default_value = true)]
    pub push: bool,
    /// Write the image's id into a file
    #[arg(long, value_name = "FILE")]
    pub iidfile: Option<PathBuf>,
    /// Write what was built into a JSON file
    #[arg(long, value_name = "FILE")]
    pub metadata_file: Option<PathBuf>,
    /// State how the image was built: `true`, `mode=min`, `mode=max`
    #[arg(long, value_name = "VALUE", num_args = 0..=1, default_missing_value = "true")]
    pub provenance: Option<String>,
    /// State which packages the image holds
    #[arg(long, value_name = "VALUE", num_args = 0..=1, default_missing_value = "true")]
    pub sbom: Option<String>,
    /// Statement about the image: `type=provenance,mode=max`, `type=sbom`
    #[arg(long, value_name = "SPEC")]
    pub attest: Vec<String>,
    /// Where the cache is written: `type=local,dest=FOLDER`, `type=registry,ref=NAME`, `type=inline`; `mode=max` for
    /// the steps of all stages
    #[arg(long, value_name = "SPEC")]
    pub cache_to: Vec<String>,
    /// A cache from elsewhere: `type=local,src=FOLDER`, `type=registry,ref=NAME`
    #[arg(long, value_name = "SPEC")]
    pub cache_from: Vec<String>,
    /// What to do: `build`, `check`, `outline` or `targets`; with `,format=json` for programs
    #[arg(long, alias = "print", value_name = "METHOD", default_value = "build")]
    pub call: String,
    /// Shorthand for --call=check
    #[arg(long)]
    pub check: bool,
    /// Where the cache mounts of the build are written: a directory, or a file (.tar, .tar.zst); `,id=NAME` for some,
    /// `,all` for all there are
    #[arg(long, value_name = "PATH[,id=NAME]")]
    pub cache_mounts_to: Vec<String>,
    /// Cache mounts from elsewhere, as --cache-mounts-to wrote them; what is here stays, unless `,replace`
    #[arg(long, value_name = "PATH[,id=NAME]")]
    pub cache_mounts_from: Vec<String>,
    /// Whom a new cache mount belongs to that has neither uid nor gid: root, or the USER of its step
    #[arg(long, value_name = "WHO", default_value = "root", value_parser = ["root", "user"])]
    pub cache_mount_owner: String,
    /// When a RUN fails: `shell` enters it, with its files, mounts, variables and secrets, on this terminal or with the
    /// commands of standard input; `shell=PROGRAM` with another shell than its own
    #[arg(long, value_name = "shell[=PROGRAM]")]
    pub on_failure: Option<String>,
    /// Text of the Dockerfile instead of a file, where a Compose file has it
    #[arg(skip)]
    pub inline: Option<String>,
    /// Options that mean nothing here, or are refused.
    #[command(flatten)]
    pub foreign: Foreign,
}

/// `--progress`
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ProgressMode {
    /// Live on a terminal, else plain
    Auto,
    /// Live
    Tty,
    /// Every line of output, one after the other
    Plain,
    /// BuildKit's status as JSON lines
    #[value(name = "rawjson")]
    RawJson,
    /// Nothing
    #[value(alias = "none")]
    Quiet,
}
