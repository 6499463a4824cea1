//! The text of every `--help`, as a person reads it: a change of a sentence is seen in a review.

use std::fmt::Write as _;

/// Columns of the terminal that reads: clap's own width depends on the one that runs the tests.
const COLUMNS: usize = 100;

#[test]
fn help_is_as_it_was_read_last() {
    let mut root = super::visible().term_width(COLUMNS).disable_help_subcommand(true);
    // gives verbs of verbs their full names
    root.build();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../tests/snapshots/help");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| {
        for verb in root.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let mut text = String::new();
            write_help(verb, &mut text);
            insta::assert_snapshot!(verb.get_name(), text);
        }
    });
}

/// The long help of a verb, and of the verbs below it.
fn write_help(verb: &clap::Command, text: &mut String) {
    let name = verb.get_bin_name().unwrap_or(verb.get_name());
    let help = verb.clone().term_width(COLUMNS).render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(text, "$ {name} --help\n{}\n\n", help.join("\n").trim_end());
    for below in verb.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        write_help(below, text);
    }
}
