//! ClickHouse.

use crate::{DataFolder, Image, Port, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("docker-library/docs: clickhouse, content", 2026, 8, 21);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("clickhouse"), Image::made_by(&["clickhouse"], "clickhouse-server").whole()],
    processes: &["clickhouse", "clickhouse-serv"],
    // 8123 is taken by others too, as by home automation.
    ports: known(&[Port::other(9000), Port::http(8123)], SOURCE),
    data: known(&[DataFolder::new(0, "/var/lib/clickhouse")], SOURCE),
    writable: known(&["/var/log/clickhouse-server"], SOURCE),
    ..Software::new("clickhouse", "ClickHouse", Role::Store, SOURCE)
};
