//! Dockerfile text to typed instructions and stages; word expansion; .dockerignore. No IO.
mod dockerfile;
mod expand;
mod heredoc;
mod instruction;
mod mount;
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
pub use mount::{Mount, MountField, MountKind, MountSpec, Sharing};
pub use word::Word;
