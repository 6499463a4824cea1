//! EXPOSE documents the container's port; addresses and host ports belong to running it.
use super::{Location, Rule, Sink};
use crate::{Word, port::is_mapping};

pub(super) const RULE: Rule = Rule::new(
    "ExposeInvalidFormat",
    "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future \
     release",
    "https://docs.docker.com/go/dockerfile/rule/expose-invalid-format/",
);

pub(super) fn check(port: &Word, place: Location<'_>, sink: &mut Sink) {
    if is_mapping(&port.text) {
        let detail = format!(
            "EXPOSE instruction should not define an IP address or host-port mapping, found '{}'",
            port.text
        );
        sink.report(&RULE, place.at(port.span), detail);
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn mappings_are_found_and_ranges_are_not() {
        assert_eq!(
            findings("FROM scratch\nEXPOSE 80 8000-8010/udp 127.0.0.1::53\n"),
            [
                "2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1::53'"
            ]
        );
    }
}
