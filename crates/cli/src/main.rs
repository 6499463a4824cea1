//! The `plimsoll` command: a table of contents. Each verb is one file in `commands/`.

// first, because its macros take the place of the standard ones in what follows
#[macro_use]
mod say;

mod builds;
mod commands;
mod globals;
mod images;
mod project;
mod render;
mod reporter;
mod stack_images;
mod table;
mod template;
mod terminal;
mod wanted;

use std::process::ExitCode;

fn main() -> ExitCode {
    plimsoll_sandbox::init_if_requested();
    say::end_on_panic();
    plimsoll_ops::install(&reporter::Lines);
    commands::run()
}
