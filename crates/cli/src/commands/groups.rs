//! The verbs as `plimsoll --help` lists them: in groups, the first steps first. clap has no groups of subcommands, so it
//! writes one list for each group here, and the lists go into the template of the help.

use std::fmt::Write as _;

use clap::{Command, builder::StyledStr};

/// Every visible verb, in one group.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Start here", &["survey", "init", "up", "verify"]),
    (
        "Daily",
        &[
            "ps", "logs", "top", "stats", "events", "port", "exec", "run", "attach", "cp", "export",
            "create", "start", "stop", "restart", "pause", "unpause", "kill", "scale", "wait", "rm", "down",
        ],
    ),
    ("Images", &["build", "image", "base", "images", "pull", "push", "commit"]),
    ("Project", &["config", "ls", "volumes", "version", "completions", "help"]),
];

/// The template of the whole help. `width` is what lines are wrapped at on wider terminals.
pub(super) fn template(command: &Command, width: usize) -> StyledStr {
    let header = command.get_styles().get_header();
    let column = GROUPS.iter().flat_map(|(_, verbs)| *verbs).map(|verb| verb.len()).max().unwrap_or_default();
    let mut text = "{about-with-newline}\n{usage-heading} {usage}\n\n".to_owned();
    for (name, verbs) in GROUPS {
        let list = list(command, verbs, column, width);
        // writing to a String cannot fail
        let _ = write!(text, "{header}{name}:{header:#}\n{}\n\n", list.ansi().to_string().trim_end());
    }
    let _ = write!(text, "{header}Options:{header:#}\n{{options}}{{after-help}}");
    text.into()
}

/// One line or more for each of `verbs`; what they do stands in the same column in every group.
fn list(command: &Command, verbs: &[&str], column: usize, width: usize) -> StyledStr {
    let lines = verbs.iter().enumerate().map(|(order, verb)| {
        let about = command.find_subcommand(verb).and_then(Command::get_about).cloned();
        // clap adds `help` itself, and later
        let about = about.unwrap_or_else(|| "Print this message, the help of a verb, or a page".into());
        Command::new(format!("{verb:column$}")).about(about).display_order(order)
    });
    Command::new("verbs")
        .disable_help_subcommand(true)
        .max_term_width(width)
        .help_template("{subcommands}")
        .subcommands(lines)
        .render_help()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_visible_verb_is_in_one_group() {
        let mut command = super::super::command();
        command.build();
        let visible = command.get_subcommands().filter(|verb| !verb.is_hide_set());
        let mut visible: Vec<&str> = visible.map(Command::get_name).collect();
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, verbs)| verbs.iter().copied()).collect();
        visible.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(visible, grouped, "commands/groups.rs has each verb of commands/mod.rs once");
    }

    #[test]
    fn help_lists_the_groups_and_says_what_each_verb_does() {
        let help = super::super::command().render_help().to_string();
        let mut rest = help.as_str();
        for (group, verbs) in GROUPS {
            let (_, behind) =
                rest.split_once(&format!("\n\n{group}:\n")).unwrap_or_else(|| panic!("{group}: {help}"));
            let (list, _) = behind.split_once("\n\n").expect("a group ends with an empty line");
            // lines of a verb that go on stand further in
            let found: Vec<&str> = list
                .lines()
                .filter(|line| !line.starts_with("   "))
                .filter_map(|line| line.split_whitespace().next())
                .collect();
            assert_eq!(found, verbs, "{help}");
            rest = behind;
        }
        assert!(help.contains("\n  up           Bring the stack up: "), "{help}");
        assert!(help.contains(
            "\n\nOptions:\n  -h, --help     Print help\n  -V, --version  Print version\n\nPages: "
        ));
        assert!(!help.contains("alpha") && !help.contains('{'), "{help}");
    }
}
