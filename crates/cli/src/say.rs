//! Where messages go, also when nobody takes them any more.
//!
//! The standard library's macros panic when a pipe's reader is gone or a disk is full: in a thread that shows progress
//! that means a back trace at best and a build that waits for ever at worst. The macros here have their names and take
//! their place in the whole crate. What cannot be written ends the program as a signal would
//! ([`plimsoll_ops::interrupt::output_lost`]). `outln!`, `out!`, `errln!` and `err!` are the same for text with colours.
//!
//! Standard error is for people, and messages hold texts of others: names, output of steps, answers of engines and
//! registries. All of it passes through [`printable_output`]: colours pass, nothing else drives the terminal. So does what
//! `outln!` and `out!` write; `println!` and `print!` are for documents (JSON, YAML, output of containers), whose bytes stay.

use std::{
    fmt,
    io::{self, ErrorKind, Write as _},
};

use plimsoll_ops::interrupt::{self, Stream};
use plimsoll_source::printable_output;

/// Writes a document to standard output, as it is.
pub(crate) fn out(text: fmt::Arguments<'_>) {
    let result = io::stdout().lock().write_fmt(text);
    written(Stream::Out, result);
}

/// Writes to standard error.
pub(crate) fn err(text: fmt::Arguments<'_>) {
    let result = io::stderr().lock().write_all(printable_output(&text.to_string()).as_bytes());
    written(Stream::Err, result);
}

/// Writes text for people to standard output; colours are taken out where they are not wanted.
pub(crate) fn styled_out(text: fmt::Arguments<'_>) {
    let result = anstream::stdout().lock().write_all(printable_output(&text.to_string()).as_bytes());
    written(Stream::Out, result);
}

/// As [`err`]; colours are taken out where they are not wanted.
pub(crate) fn styled_err(text: fmt::Arguments<'_>) {
    let result = anstream::stderr().lock().write_all(printable_output(&text.to_string()).as_bytes());
    written(Stream::Err, result);
}

/// Writes to standard error as it is: a line of our own that moves the cursor, or a document, whose writer escapes what
/// is of others.
pub(crate) fn verbatim(text: fmt::Arguments<'_>) {
    let result = anstream::stderr().lock().write_fmt(text);
    written(Stream::Err, result);
}

/// Judges an attempt to write to one of the standard streams.
fn written(stream: Stream, result: io::Result<()>) {
    if let Err(error) = result {
        interrupt::output_lost(stream, &error);
    }
}

/// A panic in any thread ends the process: other threads may wait for what it will never say. What a library prints
/// with the standard macros and cannot is no panic but lost output.
pub(crate) fn end_on_panic() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or_default();
        if let Some(rest) = text.strip_prefix("failed printing to ") {
            let kind = if rest.contains("Broken pipe") { ErrorKind::BrokenPipe } else { ErrorKind::Other };
            let stream = if rest.starts_with("stdout") { Stream::Out } else { Stream::Err };
            interrupt::output_lost(stream, &kind.into());
            std::process::exit(interrupt::code().into());
        }
        told(panic);
        std::process::exit(2);
    }));
}

macro_rules! println {
    () => { $crate::say::out(format_args!("\n")) };
    ($($text:tt)*) => { $crate::say::out(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! print {
    ($($text:tt)*) => { $crate::say::out(format_args!($($text)*)) };
}

macro_rules! eprintln {
    () => { $crate::say::err(format_args!("\n")) };
    ($($text:tt)*) => { $crate::say::err(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! eprint {
    ($($text:tt)*) => { $crate::say::err(format_args!($($text)*)) };
}

macro_rules! outln {
    ($($text:tt)*) => { $crate::say::styled_out(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! out {
    ($($text:tt)*) => { $crate::say::styled_out(format_args!($($text)*)) };
}

macro_rules! errln {
    ($($text:tt)*) => { $crate::say::styled_err(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! err {
    ($($text:tt)*) => { $crate::say::styled_err(format_args!($($text)*)) };
}
