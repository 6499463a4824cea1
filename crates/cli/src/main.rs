//! The `plimsoll` command: a table of contents. Each verb is one file in `commands/`.

// first, because its macros take the place of the standard ones in what follows
#[macro_use]
mod say;

mod builds;
mod commands;
mod error;
mod globals;
mod handover;
mod home;
mod images;
mod interrupt;
mod lifecycle;
mod machine;
mod pick;
mod policy;
mod project;
mod pulls;
mod remote;
mod render;
mod rootless;
mod stack;
mod stack_images;
mod storage;
mod table;
mod template;
mod terminal;
mod times;
mod wanted;

use std::process::ExitCode;

fn main() -> ExitCode {
    plimsoll_sandbox::init_if_requested();
    say::end_on_panic();
    commands::run()
}
