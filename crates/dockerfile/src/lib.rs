//! Dockerfile text to typed instructions and stages; word expansion; .dockerignore. No IO.
//!
//! [`parse`] gives a [`Dockerfile`]: nothing in it is expanded, everything has its place in the text.
//! [`Instruction`] tells which words are expanded when.
mod csv;
mod dockerfile;
mod expand;
mod heredoc;
mod instruction;
mod mount;
mod parse;
mod quote;
mod suggest;
pub mod syntax;
mod typed;
mod word;

pub use dockerfile::{Directives, Dockerfile, Lines, Stage, Statement};
pub use expand::{
    Env, ExpandError, ExpandReason, Expanded, MAX_DEPTH, MAX_LENGTH, expand, expand_for_display,
    expand_heredoc,
};
pub use heredoc::Heredoc;
pub use instruction::{
    Add, Arg, ArgDefinition, CommandLine, Copy, Device, Healthcheck, InlineFile, Instruction, KeyValue,
    Network, Onbuild, Run, RunForm, Security, Transfer,
};
pub use mount::{Mount, MountError, MountField, MountKind, MountSpec, Sharing};
pub use parse::{Parsed, parse, parse_lenient, parse_trigger};
pub use word::Word;
