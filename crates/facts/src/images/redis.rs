//! Redis.

use crate::{
    Contents, DataFolder, Dump, Entrypoint, FileVariables, Image, Port, Release, Role, Setting, Software,
    Source, StoreKind, User, Variant, fact::known,
};

const SOURCE: Source = Source::new("docker-library/redis: Dockerfiles of 7.2", 2024, 6, 28);
const MANUAL: Source = Source::new("Redis documentation: redis-cli, key eviction, redis.conf", 2026, 12, 1);

/// Where Redis and those that come from it keep their data.
pub(crate) const DATA: &str = "/data";
/// Three quarters of the limit: buffers of clients, and the copy while data are written, need theirs.
pub const MAXMEMORY: Setting = Setting::megabytes("maxmemory", 3, 4, "mb");

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    store: Some(StoreKind::Redis),
    images: &[
        Image::official("redis"),
        Image::other("redis-stack").whole(),
        Image::other("redis-stack-server").whole(),
    ],
    processes: &["redis-server"],
    schemes: &["redis", "rediss"],
    // Beside the usual one: TLS by convention, and the sentinel.
    ports: known(&[Port::store(6379), Port::store(6380), Port::store(26379)], MANUAL),
    user: known(
        User { name: "redis", ids: Some((999, 999)), alpine: Some((999, 1000)), starts_as_root: true },
        SOURCE,
    ),
    data: known(&[DataFolder::new(0, DATA)], SOURCE),
    settings: known(&[MAXMEMORY], MANUAL),
    // Read in by a start with the file and without the append-only files.
    dump: known(Dump { take: &["redis-cli", "--rdb", "-"], restore: None }, MANUAL),
    contents: known(
        &[
            Contents { variant: Variant::Alpine, shell: true, has: &["redis-cli", "wget"], lacks: &["curl"] },
            Contents { variant: Variant::Every, shell: true, has: &["redis-cli"], lacks: &["curl", "wget"] },
        ],
        SOURCE,
    ),
    file_variables: known(FileVariables::None, SOURCE),
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    releases: known(
        &[
            Release::new("8.2", 2030, 9, 1),
            Release::new("8.0", 2026, 12, 1),
            Release::new("7.4", 2029, 12, 1),
            Release::new("7.2", 2029, 12, 1),
            Release::new("7.0", 2024, 7, 29),
            Release::new("6.2", 2027, 4, 1),
            Release::new("6.0", 2022, 5, 31),
            Release::new("5.0", 2022, 4, 27),
        ],
        Source::new("endoflife.date: redis, column of security support", 2026, 8, 22),
    ),
    ..Software::new("redis", "Redis", Role::Store, SOURCE)
};
