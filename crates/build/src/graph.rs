//! The build graph: what is to be done, with everything expanded, and nothing done yet.
//!
//! Pure data. [`crate::lower`] makes it from a Dockerfile, [`crate::solve`] does it, and [`Graph`]'s `Display`
//! prints it. A node is named by its index; a node's inputs always come before it.

use std::fmt;

use plimsoll_dockerfile::Platform;
use plimsoll_image::{Digest, ImageConfig, LayerId};
use plimsoll_source::{Source, Span};

use crate::chmod::Chmod;

/// Everything that one target needs.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The nodes, inputs first.
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
    /// An instruction.
    Instruction {
        /// As BuildKit writes it.
        created_by: String,
        /// The node that makes its layer; `None` when it only changes the configuration.
        node: Option<usize>,
    },
}

/// One step.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it does.
    pub op: Op,
    /// The node whose files it starts from; `None` for an empty file system, and for images.
    pub parent: Option<usize>,
    /// `[build 3/7] RUN pnpm build`
    pub title: String,
    /// Where it stands.
    pub place: Option<Place>,
}

/// A place in a Dockerfile.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file.
    pub source: Source,
    /// The instruction.
    pub span: Span,
}

impl Place {
    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.source.line_col(self.span.start).line
    }
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Op {
    /// The files of an image.
    Image {
        /// Its name as it was written.
        name: String,
        /// Its layers, lowest first.
        layers: Vec<LayerId>,
        /// Where it was found, and as what.
        origin: ImageOrigin,
    },
    /// `RUN`
    Run(RunOp),
    /// `COPY` and `ADD`
    Copy(CopyOp),
    /// `WORKDIR`
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

/// Where files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeRef {
    /// A directory of the host: the build context (empty name) or a named one.
    Context(String),
    /// The files of a step.
    Node(usize),
    /// Nothing.
    Empty,
}

/// `RUN`, expanded.
#[derive(Clone, Debug)]
pub struct RunOp {
    /// The command with the shell in front of it.
    pub argv: Vec<String>,
    /// The environment, arguments included.
    pub env: Vec<(String, String)>,
    /// Proxy settings: in the environment, but neither in the key nor in the image.
    pub proxies: Vec<(String, String)>,
    /// Working directory.
    pub cwd: String,
    /// `user[:group]`; empty for root.
    pub user: String,
    /// Which network it sees.
    pub network: plimsoll_sandbox::Network,
    /// Without confinement.
    pub insecure: bool,
    /// `--mount`, in order.
    pub mounts: Vec<RunMount>,
    /// A heredoc script to be executed as a file: its path and its text.
    pub script: Option<(String, String)>,
    /// What its programs are for.
    pub platform: Platform,
    /// The name of the machine inside; the sandbox's own without it.
    pub hostname: Option<String>,
}

/// One `--mount`.
#[derive(Clone, Debug)]
pub enum RunMount {
    /// Files of a context or a step; writes are dropped.
    Bind {
        /// From where.
        from: TreeRef,
        /// Path in it.
        source: String,
        /// Absolute target.
        target: String,
        /// Writes are refused.
        read_only: bool,
    },
    /// A directory that outlives the build.
    Cache {
        /// Its name.
        id: String,
        /// Absolute target.
        target: String,
        /// How concurrent steps share it.
        sharing: plimsoll_dockerfile::Sharing,
        /// Permission bits of a new one.
        mode: u32,
        /// Owner of a new one, where the instruction says so.
        uid: Option<u32>,
        /// Group of a new one, where the instruction says so.
        gid: Option<u32>,
        /// Writes are refused.
        read_only: bool,
        /// What a new one starts with.
        seed: Option<(TreeRef, String)>,
    },
    /// A file system in memory.
    Tmpfs {
        /// Absolute target.
        target: String,
        /// Bytes.
        size: Option<u64>,
    },
    /// A secret, as a file, a variable or both.
    Secret {
        /// Its name.
        id: String,
        /// Absolute target of the file.
        target: Option<String>,
        /// The variable.
        env: Option<String>,
        /// The step fails without it.
        required: bool,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// The socket of an ssh agent.
    Ssh {
        /// Its name.
        id: String,
        /// Absolute target of the socket.
        target: String,
        /// The step fails without it.
        required: bool,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

/// `COPY` and `ADD`, expanded.
#[derive(Clone, Debug)]
pub struct CopyOp {
    /// Where `paths` are.
    pub from: TreeRef,
    /// Paths in `from`, possibly with wildcards, absolute.
    pub paths: Vec<String>,
    /// Heredocs: name and text.
    pub files: Vec<(String, String)>,
    /// What is fetched.
    pub downloads: Vec<Download>,
    /// Absolute; a slash at its end means a directory.
    pub dest: String,
    /// `--chown`
    pub chown: Option<String>,
    /// `--chmod`
    pub chmod: Option<Chmod>,
    /// `--link`: the destination's links are not followed.
    pub link: bool,
    /// `--parents`
    pub parents: bool,
    /// `--exclude`
    pub excludes: Vec<String>,
    /// Local archives are unpacked.
    pub unpack: bool,
}

/// What ADD fetches.
#[derive(Clone, Debug)]
pub enum Download {
    /// A file.
    Http {
        /// http or https.
        url: String,
        /// `sha256:…`
        checksum: Option<String>,
        /// An archive is unpacked: `--unpack`.
        unpack: bool,
    },
    /// A part of a git repository.
    Git(crate::remote::GitUrl),
}

/// `WORKDIR`, expanded: the directory is made when it is missing.
#[derive(Clone, Debug)]
pub struct WorkdirOp {
    /// Absolute, clean.
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
