//! RabbitMQ.

use crate::{
    DataFolder, Dump, Entrypoint, Image, Port, Release, Role, Setting, Software, Source, StoreKind, User,
    fact::known,
};

const SOURCE: Source = Source::new("docker-library/rabbitmq: Dockerfiles of 4.0 and 4.2", 2026, 6, 15);
const MANUAL: Source = Source::new(
    "RabbitMQ documentation: Monitoring, Memory Threshold and Limit, Schema Definition Export and Import",
    2026,
    12,
    1,
);

/// Six tenths of the limit: it stops taking messages there, and collecting garbage needs room above.
pub const MEMORY_WATERMARK: Setting = Setting::megabytes("vm_memory_high_watermark.absolute", 6, 10, "MB");

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    store: Some(StoreKind::Rabbitmq),
    images: &[Image::official("rabbitmq")],
    processes: &["beam.smp"],
    schemes: &["amqp", "amqps", "pyamqp"],
    ports: known(
        &[
            Port::store(5672),
            Port::other(5671),
            Port::other(4369),
            Port::other(25672),
            Port::http(15672),
            Port::http(15671),
            Port::http(15692),
            Port::http(15691),
        ],
        SOURCE,
    ),
    user: known(
        User { name: "rabbitmq", ids: Some((999, 999)), alpine: Some((100, 101)), starts_as_root: true },
        SOURCE,
    ),
    data: known(&[DataFolder::new(0, "/var/lib/rabbitmq")], SOURCE),
    health: known(&["rabbitmq-diagnostics", "-q", "check_running"], MANUAL),
    settings: known(&[MEMORY_WATERMARK], MANUAL),
    // Users, virtual hosts, queues and bindings. Messages are not among them.
    dump: known(
        Dump {
            take: &["rabbitmqctl", "-q", "export_definitions", "-"],
            restore: Some(&["rabbitmqctl", "import_definitions"]),
        },
        MANUAL,
    ),
    writable: known(&["/var/log/rabbitmq"], SOURCE),
    new_data_passwords: known(&["RABBITMQ_DEFAULT_PASS"], MANUAL),
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    releases: known(
        &[
            Release::new("4.2", 2026, 7, 31),
            Release::new("4.1", 2026, 1, 30),
            Release::new("4.0", 2025, 4, 15),
            Release::new("3.13", 2024, 9, 17),
            Release::new("3.12", 2024, 2, 21),
            Release::new("3.11", 2023, 6, 1),
            Release::new("3.10", 2022, 9, 28),
            Release::new("3.9", 2023, 1, 31),
            Release::new("3.8", 2022, 7, 31),
        ],
        Source::new("endoflife.date: rabbitmq, column of security support", 2026, 8, 22),
    ),
    ..Software::new("rabbitmq", "RabbitMQ", Role::Store, SOURCE)
};
