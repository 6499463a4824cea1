//! Valkey.

use super::redis;
use crate::{
    Contents, DataFolder, Dump, Entrypoint, Image, Port, Release, Role, Software, Source, StoreKind, User,
    Variant, fact::known,
};

const SOURCE: Source = Source::new("valkey-io/valkey-container: Dockerfiles of 8.0", 2025, 1, 8);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    store: Some(StoreKind::Redis),
    images: &[Image::made_by(&["valkey"], "valkey")],
    processes: &["valkey-server"],
    schemes: &["valkey"],
    ports: known(&[Port::store(6379)], SOURCE),
    user: known(
        User { name: "valkey", ids: Some((999, 999)), alpine: Some((999, 1000)), starts_as_root: true },
        SOURCE,
    ),
    data: known(&[DataFolder::new(0, redis::DATA)], SOURCE),
    settings: known(&[redis::MAXMEMORY], SOURCE),
    dump: known(Dump { take: &["valkey-cli", "--rdb", "-"], restore: None }, SOURCE),
    contents: known(
        &[
            Contents {
                variant: Variant::Alpine,
                shell: true,
                has: &["valkey-cli", "wget"],
                lacks: &["curl"],
            },
            Contents { variant: Variant::Every, shell: true, has: &["valkey-cli"], lacks: &["curl", "wget"] },
        ],
        SOURCE,
    ),
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    releases: known(
        &[
            Release::new("9.0", 2028, 10, 21),
            Release::new("8.1", 2030, 3, 31),
            Release::new("8.0", 2027, 9, 15),
            Release::new("7.2", 2029, 4, 16),
        ],
        Source::new("endoflife.date: valkey, column of security support", 2026, 8, 22),
    ),
    ..Software::new("valkey", "Valkey", Role::Store, SOURCE)
};
