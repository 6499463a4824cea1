//! PostgreSQL, and the images that bring extensions.

use crate::{
    Contents, DataFolder, Dump, Entrypoint, FileVariables, Image, Port, Release, Role, Setting, Software,
    Source, StoreKind, User, Variant, fact::known,
};

const SOURCE: Source = Source::new("docker-library/postgres: Dockerfiles of 17 and 18", 2026, 2, 26);
const ENTRY: Source =
    Source::new("docker-library/postgres: docker-entrypoint.sh, docker_setup_env", 2026, 2, 26);
const MANUAL: Source = Source::new(
    "PostgreSQL 18 manual: 19.4 Resource Consumption, pg_isready, pg_dump, pg_dumpall",
    2026,
    12,
    1,
);

/// A quarter of the memory, as the manual starts with for a server of its own.
pub const SHARED_BUFFERS: Setting = Setting::megabytes("shared_buffers", 1, 4, "MB");
/// What the planner may believe of the caches: the server's and the kernel's together.
pub const EFFECTIVE_CACHE_SIZE: Setting = Setting::megabytes("effective_cache_size", 5, 8, "MB");
/// For vacuum and building of indexes.
pub const MAINTENANCE_WORK_MEM: Setting = Setting::megabytes("maintenance_work_mem", 1, 16, "MB");

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    store: Some(StoreKind::Postgresql),
    images: &[
        Image::official("postgres"),
        Image::official("postgresql"),
        Image::other("pgvector"),
        Image::other("postgis"),
        Image::other("timescaledb"),
        Image::other("timescaledb-ha").whole(),
        Image::other("pgvecto-rs").whole(),
        Image::other("vectorchord-postgres").whole(),
        Image::other("paradedb").whole(),
        Image::other("citus").whole(),
        Image::owned("apache", "age"),
    ],
    processes: &["postgres"],
    schemes: &["postgresql", "postgres", "postgis"],
    // The second one is what a second server of a machine takes.
    ports: known(&[Port::store(5432), Port::store(5433)], SOURCE),
    user: known(
        User { name: "postgres", ids: Some((999, 999)), alpine: Some((70, 70)), starts_as_root: true },
        SOURCE,
    ),
    // 18 moved it: docker-library/postgres, pull request 1259.
    data: known(
        &[DataFolder::new(0, "/var/lib/postgresql/data"), DataFolder::new(18, "/var/lib/postgresql")],
        SOURCE,
    ),
    health: known(&["pg_isready", "-U", "$POSTGRES_USER", "-d", "$POSTGRES_DB"], MANUAL),
    settings: known(&[SHARED_BUFFERS, EFFECTIVE_CACHE_SIZE, MAINTENANCE_WORK_MEM], MANUAL),
    // Uncompressed: a repository that deduplicates compresses itself.
    dump: known(
        Dump {
            take: &["pg_dump", "-Fc", "-Z0", "-U", "$POSTGRES_USER", "$POSTGRES_DB"],
            restore: Some(&[
                "pg_restore",
                "--exit-on-error",
                "--single-transaction",
                "-U",
                "$POSTGRES_USER",
                "-d",
                "$POSTGRES_DB",
            ]),
        },
        MANUAL,
    ),
    writable: known(&["/var/run/postgresql"], SOURCE),
    contents: known(
        &[
            Contents {
                variant: Variant::Alpine,
                shell: true,
                has: &["psql", "pg_isready", "pg_dump", "pg_restore", "wget"],
                lacks: &["curl"],
            },
            Contents {
                variant: Variant::Every,
                shell: true,
                has: &["psql", "pg_isready", "pg_dump", "pg_restore"],
                lacks: &["curl", "wget"],
            },
        ],
        SOURCE,
    ),
    file_variables: known(
        FileVariables::Named(&["POSTGRES_PASSWORD", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_INITDB_ARGS"]),
        ENTRY,
    ),
    new_data_passwords: known(&["POSTGRES_PASSWORD"], ENTRY),
    entrypoint: known(Entrypoint::PassesOn, ENTRY),
    stop_signal: known("SIGINT", SOURCE),
    releases: known(
        &[
            Release::new("18", 2030, 11, 14),
            Release::new("17", 2029, 11, 8),
            Release::new("16", 2028, 11, 9),
            Release::new("15", 2027, 11, 11),
            Release::new("14", 2026, 11, 12),
            Release::new("13", 2025, 11, 13),
            Release::new("12", 2024, 11, 21),
            Release::new("11", 2023, 11, 9),
            Release::new("10", 2022, 11, 10),
            Release::new("9.6", 2021, 11, 11),
        ],
        Source::new("endoflife.date: postgresql, column of security support", 2026, 8, 22),
    ),
    ..Software::new("postgres", "PostgreSQL", Role::Store, SOURCE)
};
