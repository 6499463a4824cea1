//! The variables that libpq, and every client after its manner, reads by itself where it is given less (PostgreSQL's manual,
//! "Environment Variables" of libpq).

use crate::model::{Evidence, Fact, Part, Variable};

const NAMES: [(Part, &str); 5] = [
    (Part::Host, "PGHOST"),
    (Part::Port, "PGPORT"),
    (Part::User, "PGUSER"),
    (Part::Password, "PGPASSWORD"),
    (Part::Database, "PGDATABASE"),
];

/// Those for the parts that are not known. `place` opens the store.
pub(in crate::detect) fn missing(
    known: &[Part],
    place: &Evidence,
    environment: &[Variable],
) -> Vec<(Part, Fact<String>)> {
    let missing = NAMES.iter().filter(|(part, _)| !known.contains(part));
    missing
        .map(|(part, name)| {
            let read = environment.iter().find(|variable| variable.name == *name);
            let reason = "its client reads it by itself".to_owned();
            let by_itself = || vec![Evidence { reason, ..place.clone() }];
            let evidence = read.map_or_else(by_itself, |read| read.evidence.clone());
            (*part, Fact { value: (*name).to_owned(), evidence })
        })
        .collect()
}
