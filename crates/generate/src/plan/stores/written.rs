//! What is said of the parts of an address that stand in a program.

use plimsoll_survey::{Address, Evidence, Part, Service, StoreKind, is_by_itself, is_this_machine};

use super::{Opened, Passes};
use crate::rules;

/// Notes what of the parts in the program does not lead to the store, and a password that the store was given.
pub(super) fn notes(
    passes: &mut Passes<'_>,
    service: &Service,
    kind: StoreKind,
    opened: &Opened,
    address: &Address,
) {
    let label = kind.label();
    let mut note = |message: String, hint: String, evidence: &[Evidence]| {
        passes.note(rules::ADDRESS_IN_PROGRAM, &service.name, message, hint, evidence);
    };
    let host = address.written(Part::Host);
    if let Some(host) = host.filter(|host| host.value != opened.name) {
        if is_by_itself(host) {
            let message = format!(
                "the client of {label} is given no host and takes {}: its own container, where no {label} runs",
                host.value
            );
            let hint = format!(
                "add `host` to the call, from a variable as DB_HOST: in the stack it is {}",
                opened.name
            );
            note(message, hint, &host.evidence);
        } else {
            let message = format!("the address of {label} stands in the program: {}", host.value);
            let hint = format!("read it from a variable; in the stack its host is {}", opened.name);
            note(message, hint, &host.evidence);
        }
        if is_this_machine(&host.value) {
            return;
        }
    }
    if let Some(port) =
        address.written(Part::Port).filter(|port| port.value != opened.kind.port().to_string())
    {
        let message = format!("the port of {label} stands in the program: {}", port.value);
        note(
            message,
            format!("read it from a variable; in the stack it is {}", opened.kind.port()),
            &port.evidence,
        );
    }
    match address.written(Part::Password) {
        Some(password) if opened.written.as_ref() == Some(&password.value) => {
            let place = password.evidence.first().map(|place| format!("{}:{}", place.file, place.line));
            let message = format!(
                "the password of {} stands in the source at {}: {} is given this one, as no other lets the program in, \
                 and whoever has the source has it",
                opened.name,
                place.unwrap_or_default(),
                opened.name
            );
            let hint = format!(
                "read the address from one variable, as DATABASE_URL; then `--answer {}.password=own`",
                opened.name
            );
            note(message, hint, &password.evidence);
        }
        Some(password) if opened.password.is_some() => note(
            format!(
                "the address of {label} stands in the program: the stack gives the store another password, and the program \
                 does not know it"
            ),
            "read the address from one variable, as DATABASE_URL".to_owned(),
            &password.evidence,
        ),
        Some(_) => {}
        None if matches!(address, Address::Fixed { .. }) && opened.password.is_some() => note(
            format!(
                "the address of {label} stands in the program: the stack gives the store a password of its own, and the \
                 program does not know it"
            ),
            "read the address from one variable, as DATABASE_URL".to_owned(),
            host.map_or(&[][..], |host| &host.evidence),
        ),
        None => {}
    }
}
