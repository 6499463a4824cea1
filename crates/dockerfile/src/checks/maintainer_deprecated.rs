//! MAINTAINER is a label that only Docker knows; `org.opencontainers.image.authors` is the one that tools read.
use super::{Rule, Sink};
use crate::syntax::Node;

pub(super) const RULE: Rule = Rule::new(
    "MaintainerDeprecated",
    "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
    "https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/",
);

pub(super) fn check(node: &Node, sink: &mut Sink) {
    if node.name() == "MAINTAINER" {
        sink.report(&RULE, node.into(), "Maintainer instruction is deprecated in favor of using label");
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn maintainer_is_found_in_any_case() {
        assert_eq!(
            findings("from scratch\nmaintainer me\n"),
            ["2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label"]
        );
    }
}
