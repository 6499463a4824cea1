//! MySQL.

use crate::{
    Contents, DataFolder, Dump, Entrypoint, FileVariables, Image, Port, Release, Role, Setting, Software,
    Source, StoreKind, User, Variant, fact::known,
};

const SOURCE: Source = Source::new("docker-library/mysql: Dockerfile of 8.4", 2026, 6, 16);
const ENTRY: Source =
    Source::new("docker-library/mysql: docker-entrypoint.sh, docker_setup_env", 2026, 6, 16);
const MANUAL: Source = Source::new("MySQL 8.4 manual: innodb_buffer_pool_size, mysqldump", 2026, 12, 1);

/// Where MySQL and those that come from it keep their data.
pub(crate) const DATA: &str = "/var/lib/mysql";
/// Half of the limit: connections, temporary tables and the rest of the server need theirs.
pub const BUFFER_POOL: Setting = Setting::megabytes("innodb_buffer_pool_size", 1, 2, "M");

/// The official image that has a version: MySQL's numbers are 5, 8 and 9, MariaDB's have two digits.
pub fn image_of(version: &str) -> &'static str {
    if version.starts_with('1') { "mariadb" } else { "mysql" }
}

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    store: Some(StoreKind::Mysql),
    images: &[Image::official("mysql"), Image::official("mysql-server").whole()],
    processes: &["mysqld"],
    schemes: &["mysql"],
    ports: known(&[Port::store(3306), Port::store(33060)], SOURCE),
    user: known(User { name: "mysql", ids: Some((999, 999)), alpine: None, starts_as_root: true }, SOURCE),
    data: known(&[DataFolder::new(0, DATA)], SOURCE),
    settings: known(&[BUFFER_POOL], MANUAL),
    dump: known(
        Dump {
            take: &[
                "mysqldump",
                "--single-transaction",
                "--quick",
                "--routines",
                "--triggers",
                "--events",
                "--hex-blob",
                "--databases",
                "$MYSQL_DATABASE",
            ],
            restore: Some(&["mysql"]),
        },
        MANUAL,
    ),
    writable: known(&["/var/run/mysqld"], SOURCE),
    contents: known(
        &[Contents {
            variant: Variant::Every,
            shell: true,
            has: &["mysql", "mysqladmin", "mysqldump"],
            lacks: &[],
        }],
        SOURCE,
    ),
    file_variables: known(
        FileVariables::Named(&[
            "MYSQL_ROOT_HOST",
            "MYSQL_DATABASE",
            "MYSQL_USER",
            "MYSQL_PASSWORD",
            "MYSQL_ROOT_PASSWORD",
        ]),
        ENTRY,
    ),
    new_data_passwords: known(&["MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD"], ENTRY),
    entrypoint: known(Entrypoint::PassesOn, ENTRY),
    releases: known(
        &[
            Release::new("9.6", 2026, 4, 21),
            Release::new("9.5", 2026, 1, 20),
            Release::new("9.4", 2025, 10, 21),
            Release::new("9.3", 2025, 7, 22),
            Release::new("9.2", 2025, 4, 15),
            Release::new("9.1", 2025, 1, 21),
            Release::new("9.0", 2024, 10, 15),
            Release::new("8.4", 2032, 4, 30),
            Release::new("8.3", 2024, 4, 10),
            Release::new("8.2", 2023, 12, 14),
            Release::new("8.1", 2023, 10, 25),
            Release::new("8.0", 2026, 4, 30),
            Release::new("5.7", 2023, 10, 31),
            Release::new("5.6", 2021, 2, 28),
            Release::new("5.5", 2018, 12, 31),
        ],
        Source::new("endoflife.date: mysql, column of security support", 2026, 8, 22),
    ),
    ..Software::new("mysql", "MySQL", Role::Store, SOURCE)
};
