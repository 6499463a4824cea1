//! Dockerfile text to typed instructions and stages; word expansion; .dockerignore. No IO.
//!
//! [`parse`] gives a [`Dockerfile`]: nothing in it is expanded, everything has its place in the text.
//! [`Instruction`] tells which words are expanded when.
mod args;
pub mod checks;
mod csv;
mod dockerfile;
pub mod dockerignore;
mod evaluate;
mod expand;
mod frontend;
pub mod glob;
mod graph;
mod heredoc;
mod instruction;
mod mount;
mod parse;
pub mod path;
mod platform;
mod port;
mod quote;
mod suggest;
pub mod syntax;
mod typed;
mod word;

pub use args::{BuildInputs, GlobalArgs, MAX_ENV, NON_ENV_ARGS, PREDEFINED_ARGS};
pub use dockerfile::{Directives, Dockerfile, Lines, Stage, Statement};
pub use dockerignore::{IgnoreError, Matcher, Verdict};
pub use evaluate::{EvaluateError, Evaluated};
pub use expand::{
    Env, ExpandError, ExpandReason, Expanded, MAX_DEPTH, MAX_LENGTH, expand, expand_for_display,
    expand_heredoc,
};
pub use frontend::{IMPLEMENTED, check_frontend};
pub use graph::{Base, Dependency, StageGraph, StageNode, StageSource};
pub use heredoc::Heredoc;
pub use instruction::{
    Add, Arg, ArgDefinition, CommandLine, Copy, Device, Healthcheck, InlineFile, Instruction, KeyValue,
    Network, Onbuild, Run, RunForm, Security, Transfer,
};
pub use mount::{Mount, MountError, MountField, MountKind, MountSpec, Sharing};
pub use parse::{Parsed, parse, parse_lenient, parse_trigger};
pub use platform::{Platform, PlatformError};
pub use port::{PortError, parse_port};
pub use word::Word;
