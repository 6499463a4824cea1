//! The protocol of a port is written in lower case.
use super::{Location, Rule, Sink};
use crate::Word;

pub(super) const RULE: Rule = Rule::new(
    "ExposeProtoCasing",
    "Protocol in EXPOSE instruction should be lowercase",
    "https://docs.docker.com/go/dockerfile/rule/expose-proto-casing/",
);

pub(super) fn check(port: &Word, place: Location<'_>, sink: &mut Sink) {
    if let Some((_, protocol)) = port.text.split_once('/')
        && protocol.to_lowercase() != protocol
    {
        let detail = format!("Defined protocol '{}' in EXPOSE instruction should be lowercase", port.text);
        sink.report(&RULE, place.at(port.span), detail);
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn upper_case_protocols_are_found() {
        assert_eq!(
            findings("FROM scratch\nEXPOSE 80/TcP 81/tcp\n"),
            ["2 ExposeProtoCasing: Defined protocol '80/TcP' in EXPOSE instruction should be lowercase"]
        );
    }
}
