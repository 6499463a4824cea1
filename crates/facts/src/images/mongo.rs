//! MongoDB.

use crate::{
    Amount, DataFolder, Dump, Entrypoint, FileVariables, Image, Port, Release, Role, Setting, Software,
    Source, StoreKind, User, fact::known,
};

const SOURCE: Source = Source::new("docker-library/mongo: Dockerfile of 8.0", 2026, 6, 11);
const ENTRY: Source = Source::new("docker-library/mongo: docker-entrypoint.sh", 2026, 6, 11);
const MANUAL: Source = Source::new(
    "MongoDB manual: storage.wiredTiger.engineConfig.cacheSizeGB, mongodump, mongorestore",
    2026,
    12,
    1,
);

/// Two fifths of the limit, and the least that `WiredTiger` takes: connections, sorting and the file system's cache need
/// theirs.
pub const CACHE: Setting =
    Setting { name: "wiredTigerCacheSizeGB", amount: Amount::Gigabytes { share: 0.4, least: 0.25 } };

/// The shell of the image: `mongosh` came with 5.0, and 6.0 has no other.
pub fn shell(version: &str) -> &'static str {
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(8);
    if major < 5 { "mongo" } else { "mongosh" }
}

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    store: Some(StoreKind::Mongodb),
    images: &[
        Image::official("mongo"),
        Image::other("mongodb"),
        Image::other("mongodb-community-server").whole(),
    ],
    processes: &["mongod"],
    schemes: &["mongodb"],
    ports: known(&[Port::store(27017)], SOURCE),
    user: known(User { name: "mongodb", ids: Some((999, 999)), alpine: None, starts_as_root: true }, SOURCE),
    data: known(&[DataFolder::new(0, "/data/db")], SOURCE),
    settings: known(&[CACHE], MANUAL),
    dump: known(
        Dump { take: &["mongodump", "--archive"], restore: Some(&["mongorestore", "--archive"]) },
        MANUAL,
    ),
    writable: known(&["/data/configdb", "/tmp"], SOURCE),
    file_variables: known(
        FileVariables::Named(&["MONGO_INITDB_ROOT_USERNAME", "MONGO_INITDB_ROOT_PASSWORD"]),
        ENTRY,
    ),
    new_data_passwords: known(&["MONGO_INITDB_ROOT_PASSWORD"], ENTRY),
    entrypoint: known(Entrypoint::PassesOn, ENTRY),
    releases: known(
        &[
            Release::new("8.3", 2029, 10, 31),
            Release::new("8.2", 2026, 7, 31),
            Release::new("8.1", 2025, 9, 30),
            Release::new("8.0", 2029, 10, 31),
            Release::new("7.3", 2024, 10, 2),
            Release::new("7.2", 2024, 3, 27),
            Release::new("7.1", 2024, 1, 23),
            Release::new("7.0", 2027, 8, 31),
            Release::new("6.3", 2023, 8, 31),
            Release::new("6.2", 2023, 4, 24),
            Release::new("6.1", 2023, 2, 9),
            Release::new("6.0", 2025, 7, 31),
            Release::new("5.3", 2022, 7, 19),
            Release::new("5.2", 2022, 3, 23),
            Release::new("5.1", 2022, 1, 19),
            Release::new("5.0", 2024, 10, 31),
            Release::new("4.4", 2024, 2, 29),
            Release::new("4.2", 2023, 4, 30),
            Release::new("4.0", 2022, 4, 30),
        ],
        Source::new("endoflife.date: mongodb, column of security support", 2026, 8, 22),
    ),
    ..Software::new("mongo", "MongoDB", Role::Store, SOURCE)
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers_have_the_old_shell() {
        assert_eq!(
            [shell("4.4"), shell("5.0"), shell("8.0"), shell("7")],
            ["mongo", "mongosh", "mongosh", "mongosh"]
        );
    }
}
