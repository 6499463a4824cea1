//! The `plimsoll` command: a table of contents. Each verb is one file in `commands/`.

// first, because its macros take the place of the standard ones in what follows
#[macro_use]
mod say;

mod commands;
mod globals;
mod project;
mod render;
mod reporter;
mod screen;
mod table;
mod template;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    plimsoll_sandbox::init_if_requested();
    say::end_on_panic();
    plimsoll_ops::install(&reporter::Lines);
    commands::run()
}
