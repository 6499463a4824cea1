//! A comment directly above ARG or FROM is its description for `--call=outline`, if it starts with the name.
use super::{Location, Rule, Sink};
use crate::syntax::Node;

pub(super) const RULE: Rule = Rule {
    name: "InvalidDefinitionDescription",
    description: "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. \
                  If this is not intended to be a description comment, add an empty line or comment between the \
                  instruction and the comment.",
    url: "https://docs.docker.com/go/dockerfile/rule/invalid-definition-description/",
    experimental: true,
};

pub(super) fn check(node: &Node, sink: &mut Sink) {
    let keyword = node.name();
    let names: Vec<String> = match (keyword.as_str(), node.args.as_slice()) {
        ("FROM", [_, _, name]) => vec![name.text.to_lowercase()],
        ("ARG", args) => {
            args.iter().map(|arg| arg.text.split('=').next().unwrap_or_default().to_owned()).collect()
        }
        _ => return,
    };
    let (Some(comment), Some(first)) = (node.comments.last(), names.first()) else { return };
    let described = comment.text.split(' ').next().unwrap_or_default();
    if !names.iter().any(|name| name == described) {
        let example = if names.len() > 1 { "<arg_key>" } else { first };
        let detail = format!("Comment for {keyword} should follow the format: `# {example} <description>`");
        sink.report(&RULE, Location::from(node).at(comment.span), detail);
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn comments_that_stand_apart_are_no_descriptions() {
        let text = "# check=experimental=all\n# the base\nFROM scratch AS base\n# far\n\nARG A\n# near\n#\nARG B\n# b\nARG C D\n";
        assert_eq!(
            findings(text),
            [
                "3 InvalidDefinitionDescription: Comment for FROM should follow the format: `# base <description>`",
                "11 InvalidDefinitionDescription: Comment for ARG should follow the format: `# <arg_key> <description>`",
            ]
        );
        assert!(findings("# the base\nFROM scratch AS base\n").is_empty());
    }
}
