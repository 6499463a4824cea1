//! The build graph: what is to be done, with everything expanded, and nothing done yet.
//!
//! Pure data. [`crate::lower`] makes it from a Dockerfile, [`crate::solve`] does it, and [`Graph`]'s `Display`
//! prints it. A node is named by its index; a node's inputs always come before it.

use std::fmt;

use plimsoll_dockerfile::Platform;
use plimsoll_image::{Digest, ImageConfig, LayerId};
use plimsoll_source::{Source, Span};

use crate::{chmod::Chmod, git_url::GitUrl};

/// Everything that one target needs.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The steps; each comes after all that it waits for.
    pub nodes: Vec<Node>,
    /// The node whose files the image has; `None` for an empty file system.
    pub result: Option<usize>,
    /// The image's configuration, without `rootfs`, `created` and `history`.
    pub config: ImageConfig,
    /// What made it, in order.
    pub history: Vec<HistoryItem>,
    /// What a person should know about it, one sentence each.
    pub notes: Vec<String>,
}

/// One line of the image's history.
#[derive(Clone, Debug)]
pub enum HistoryItem {
    /// From the base image, verbatim.
    Inherited(plimsoll_image::History),
    /// An instruction of the Dockerfile, or a trigger of the base image.
    Instruction {
        /// The instruction, expanded, as BuildKit writes it.
        created_by: String,
        /// The node that makes its layer; `None` when it only changes the configuration.
        node: Option<usize>,
    },
}

/// One step: an image that is used, or an instruction that makes a layer.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it does to the files of its parent.
    pub op: Op,
    /// The node whose files it starts from; `None` for an empty file system, and for images.
    pub parent: Option<usize>,
    /// What it is called.
    pub title: Title,
    /// The instruction that it comes from; `None` where no instruction of a file asks for it.
    pub location: Option<Location>,
}

/// What a step is called. `Display` writes it as BuildKit does: `[build 3/7] RUN pnpm build`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// The platform, where builds for several are shown together.
    pub platform: Option<String>,
    /// The step's place among the steps of its stage; `None` for files that only `--from` names, which no stage has.
    pub step: Option<StageStep>,
    /// The first line of the instruction, expanded.
    pub text: String,
}

/// A step's stage and its number there. It stays the same when the instruction's text changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageStep {
    /// The stage's name, or its number as text; `None` for the only stage of a file when it has no name.
    pub stage: Option<String>,
    /// The number of the step in its stage, from 1.
    pub index: usize,
    /// How many steps the stage has; for display, no part of what the step is.
    pub total: usize,
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        if let Some(platform) = &self.platform {
            write!(f, "{platform} ")?;
        }
        match &self.step {
            None => f.write_str("internal")?,
            Some(StageStep { stage, index, total }) => {
                if let Some(stage) = stage {
                    write!(f, "{stage} ")?;
                }
                let width = total.to_string().len();
                write!(f, "{index:>width$}/{total}")?;
            }
        }
        write!(f, "] {}", self.text)
    }
}

/// An instruction's location in a Dockerfile, or in the triggers of an image.
#[derive(Clone, Debug)]
pub struct Location {
    /// The file's name and text.
    pub source: Source,
    /// The bytes of the instruction.
    pub span: Span,
}

impl Location {
    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.source.line_col(self.span.start).line
    }
}

/// What a step does, with all variables expanded.
#[derive(Clone, Debug)]
pub enum Op {
    /// The files of an image.
    Image {
        /// Its name as it was written.
        name: String,
        /// Its layers in the store, lowest first.
        layers: Vec<LayerId>,
        /// Where it was found, and as what.
        origin: ImageOrigin,
    },
    /// A command in the sandbox (`RUN`).
    Run(RunOp),
    /// Files written into a layer (`COPY`, `ADD`).
    Copy(CopyOp),
    /// A directory that is made when it is missing (`WORKDIR`).
    Workdir(WorkdirOp),
}

/// Which image a name led to.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageOrigin {
    /// What it was resolved to, to be shown.
    pub shown: String,
    /// The digest that it has where it came from, of its manifest or index; that of its configuration without one.
    pub digest: Option<Digest>,
    /// What it was asked for.
    pub platform: Platform,
}

/// Where the files that a COPY or a mount reads come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeRef {
    /// A directory of the host: the build context (empty name) or a named one.
    Context(String),
    /// The files of a step.
    Node(usize),
    /// No files: `FROM scratch`, or a stage that made none.
    Empty,
}

/// `RUN` with all that its step needs, expanded.
#[derive(Clone, Debug)]
pub struct RunOp {
    /// The command with the shell in front of it.
    pub argv: Vec<String>,
    /// The environment, arguments included.
    pub env: Vec<(String, String)>,
    /// Proxy settings: in the environment, but neither in the key nor in the image.
    pub proxies: Vec<(String, String)>,
    /// The working directory, absolute; it is made when it is missing.
    pub cwd: String,
    /// `user[:group]`; empty for root.
    pub user: String,
    /// The network that its command sees.
    pub network: plimsoll_sandbox::Network,
    /// `--security=insecure`: without the limits on devices, privileges and system calls.
    pub insecure: bool,
    /// What `--mount` shows, in the order in which it was written.
    pub mounts: Vec<RunMount>,
    /// A heredoc script to be executed as a file: its path and its text.
    pub script: Option<(String, String)>,
    /// What its programs are for.
    pub platform: Platform,
    /// The name of the machine inside; the sandbox's own without it.
    pub hostname: Option<String>,
}

/// What one `--mount` shows in the step.
#[derive(Clone, Debug)]
pub enum RunMount {
    /// Files of a context or a step; writes are dropped.
    Bind {
        /// The context, step or image whose files are shown.
        from: TreeRef,
        /// The file or directory of `from` that is shown.
        source: String,
        /// Where it is seen in the step, absolute.
        target: String,
        /// The step may read it only.
        read_only: bool,
    },
    /// A directory that outlives the build.
    Cache {
        /// The `id=` by which the build knows it.
        id: String,
        /// Where it is seen in the step, absolute.
        target: String,
        /// How concurrent steps share it.
        sharing: plimsoll_dockerfile::Sharing,
        /// Permission bits of a new one.
        mode: u32,
        /// Owner of a new one, where the instruction says so.
        uid: Option<u32>,
        /// Group of a new one, where the instruction says so.
        gid: Option<u32>,
        /// The step may read it only.
        read_only: bool,
        /// What a new one starts with.
        seed: Option<(TreeRef, String)>,
    },
    /// A file system in memory.
    Tmpfs {
        /// Where it is seen in the step, absolute.
        target: String,
        /// The most bytes that it may hold; without it the kernel's own limit.
        size: Option<u64>,
    },
    /// A secret, as a file, a variable or both.
    Secret {
        /// The `id=` by which the build knows it.
        id: String,
        /// Absolute target of the file.
        target: Option<String>,
        /// The variable of the environment that holds it.
        env: Option<String>,
        /// The step fails without it.
        required: bool,
        /// The permission bits of the file in the step.
        mode: u32,
        /// The number of the user who owns it in the step.
        uid: u32,
        /// The number of the group that owns it in the step.
        gid: u32,
    },
    /// The socket of an ssh agent.
    Ssh {
        /// The `id=` by which the build knows it.
        id: String,
        /// Absolute target of the socket.
        target: String,
        /// The step fails without it.
        required: bool,
        /// The permission bits of the file in the step.
        mode: u32,
        /// The number of the user who owns it in the step.
        uid: u32,
        /// The number of the group that owns it in the step.
        gid: u32,
    },
}

/// `COPY` or `ADD` with all variables expanded.
#[derive(Clone, Debug)]
pub struct CopyOp {
    /// The context, step or image that holds `paths`.
    pub from: TreeRef,
    /// Paths in `from`, possibly with wildcards, absolute.
    pub paths: Vec<String>,
    /// Heredocs, which become files: their names and texts.
    pub files: Vec<(String, String)>,
    /// What ADD fetches from the network.
    pub downloads: Vec<Download>,
    /// Absolute; a slash at its end means a directory.
    pub dest: String,
    /// `--chown` as written: names or numbers of a user and a group.
    pub chown: Option<String>,
    /// `--chmod`: the permission bits of what is copied.
    pub chmod: Option<Chmod>,
    /// `--link`: the destination's links are not followed.
    pub link: bool,
    /// `--parents`: the sources keep the directories of their paths.
    pub parents: bool,
    /// `--exclude`: patterns of files that are left out.
    pub excludes: Vec<String>,
    /// Archives of the context are unpacked, as ADD does.
    pub unpack: bool,
}

/// A source of ADD that is on another machine.
#[derive(Clone, Debug)]
pub enum Download {
    /// A file behind http or https.
    Http {
        /// Its address, with the scheme http or https.
        url: String,
        /// The digest that it must have, `sha256:…`.
        checksum: Option<String>,
        /// An archive is unpacked: `--unpack`.
        unpack: bool,
    },
    /// A part of a git repository.
    Git(GitUrl),
}

/// `WORKDIR`, expanded: the directory is made when it is missing.
#[derive(Clone, Debug)]
pub struct WorkdirOp {
    /// The directory, absolute and without `.`, `..` or double slashes.
    pub path: String,
    /// Who owns what is made; empty for root.
    pub user: String,
}

impl Node {
    /// The nodes it reads beside its parent.
    pub fn inputs(&self) -> Vec<usize> {
        let mut inputs = Vec::new();
        let mut add = |tree: &TreeRef| {
            if let TreeRef::Node(node) = tree {
                inputs.push(*node);
            }
        };
        match &self.op {
            Op::Image { .. } | Op::Workdir(_) => {}
            Op::Copy(copy) => add(&copy.from),
            Op::Run(run) => {
                for mount in &run.mounts {
                    match mount {
                        RunMount::Bind { from, .. } | RunMount::Cache { seed: Some((from, _)), .. } => {
                            add(from);
                        }
                        _ => {}
                    }
                }
            }
        }
        inputs
    }

    /// The nodes that it waits for: its parent, and what it reads beside it; each once, in order.
    pub fn waits_for(&self) -> Vec<usize> {
        let all: std::collections::BTreeSet<usize> = self.inputs().into_iter().chain(self.parent).collect();
        all.into_iter().collect()
    }
}

impl Graph {
    /// The steps whose layers make up the image, the last one first.
    pub(crate) fn chain(&self) -> Vec<usize> {
        std::iter::successors(self.result, |node| self.nodes.get(*node)?.parent).collect()
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.nodes.iter().enumerate() {
            write!(f, "{index:>3}")?;
            if let Some(parent) = node.parent {
                write!(f, " <- {parent}")?;
            }
            for input in node.inputs() {
                write!(f, " + {input}")?;
            }
            writeln!(f, "  {}", node.title)?;
        }
        match self.result {
            Some(result) => writeln!(f, "    = {result}"),
            None => writeln!(f, "    = empty"),
        }
    }
}
