//! MariaDB.

use super::mysql;
use crate::{
    Contents, DataFolder, Dump, Entrypoint, FileVariables, Image, Port, Release, Role, Software, Source,
    StoreKind, User, Variant, fact::known,
};

const SOURCE: Source = Source::new("MariaDB/mariadb-docker: Dockerfile of 11.8", 2026, 5, 29);
const ENTRY: Source =
    Source::new("MariaDB/mariadb-docker: docker-entrypoint.sh, docker_setup_env", 2026, 5, 29);
const HEALTH: Source = Source::new("MariaDB/mariadb-docker: healthcheck.sh", 2026, 5, 29);
const MANUAL: Source =
    Source::new("MariaDB knowledge base: mariadb-dump, InnoDB system variables", 2026, 12, 1);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    store: Some(StoreKind::Mysql),
    images: &[Image::official("mariadb")],
    processes: &["mariadbd"],
    schemes: &["mariadb"],
    ports: known(&[Port::store(3306)], SOURCE),
    // The number is what the base image had free: it is not fixed.
    user: known(User { name: "mysql", ids: None, alpine: None, starts_as_root: true }, SOURCE),
    data: known(&[DataFolder::new(0, mysql::DATA)], SOURCE),
    health: known(&["healthcheck.sh", "--connect", "--innodb_initialized"], HEALTH),
    settings: known(&[mysql::BUFFER_POOL], MANUAL),
    dump: known(
        Dump {
            take: &[
                "mariadb-dump",
                "--single-transaction",
                "--quick",
                "--routines",
                "--triggers",
                "--events",
                "--hex-blob",
                "--databases",
                "$MARIADB_DATABASE",
            ],
            restore: Some(&["mariadb"]),
        },
        MANUAL,
    ),
    contents: known(
        &[Contents {
            variant: Variant::Every,
            shell: true,
            has: &["mariadb", "mariadb-dump", "healthcheck.sh"],
            lacks: &[],
        }],
        SOURCE,
    ),
    // Each with the prefix MYSQL_ too.
    file_variables: known(
        FileVariables::Named(&[
            "MARIADB_ROOT_HOST",
            "MARIADB_DATABASE",
            "MARIADB_USER",
            "MARIADB_PASSWORD",
            "MARIADB_ROOT_PASSWORD",
            "MYSQL_ROOT_HOST",
            "MYSQL_DATABASE",
            "MYSQL_USER",
            "MYSQL_PASSWORD",
            "MYSQL_ROOT_PASSWORD",
        ]),
        ENTRY,
    ),
    new_data_passwords: known(
        &["MARIADB_ROOT_PASSWORD", "MARIADB_PASSWORD", "MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD"],
        ENTRY,
    ),
    entrypoint: known(Entrypoint::PassesOn, ENTRY),
    releases: known(
        &[
            Release::new("12.3", 2029, 6, 12),
            Release::new("12.2", 2026, 5, 28),
            Release::new("12.1", 2026, 2, 13),
            Release::new("12.0", 2025, 11, 18),
            Release::new("11.8", 2028, 6, 4),
            Release::new("11.7", 2025, 5, 12),
            Release::new("11.6", 2025, 2, 13),
            Release::new("11.5", 2024, 11, 21),
            Release::new("11.4", 2029, 5, 29),
            Release::new("11.3", 2024, 5, 29),
            Release::new("11.2", 2024, 11, 21),
            Release::new("11.1", 2024, 8, 21),
            Release::new("11.0", 2024, 6, 6),
            Release::new("10.11", 2028, 2, 16),
            Release::new("10.10", 2023, 11, 17),
            Release::new("10.9", 2023, 8, 22),
            Release::new("10.8", 2023, 5, 20),
            Release::new("10.7", 2023, 2, 9),
            Release::new("10.6", 2026, 7, 6),
            Release::new("10.5", 2025, 6, 24),
            Release::new("10.4", 2024, 6, 18),
        ],
        Source::new("endoflife.date: mariadb, column of security support", 2026, 8, 22),
    ),
    ..Software::new("mariadb", "MariaDB", Role::Store, SOURCE)
};
