//! InfluxDB.

use crate::{DataFolder, FileVariables, Image, Port, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("influxdata/influxdata-docker: Dockerfiles of 2.7", 2026, 8, 6);
const ENTRY: Source = Source::new("influxdata/influxdata-docker: entrypoint.sh of 2.7", 2026, 8, 6);
const OLD: Source = Source::new("influxdata/influxdata-docker: init-influxdb.sh of 1.8", 2026, 8, 6);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("influxdb")],
    processes: &["influxd"],
    ports: known(&[Port::http_store(8086)], SOURCE),
    data: known(
        &[
            DataFolder::new(0, "/var/lib/influxdb"),
            DataFolder::new(2, "/var/lib/influxdb2"),
            // Its image names two folders.
            DataFolder::unknown(3),
        ],
        SOURCE,
    ),
    file_variables: known(
        FileVariables::Named(&[
            "DOCKER_INFLUXDB_INIT_PASSWORD",
            "DOCKER_INFLUXDB_INIT_USERNAME",
            "DOCKER_INFLUXDB_INIT_ADMIN_TOKEN",
        ]),
        ENTRY,
    ),
    new_data_passwords: known(&["INFLUXDB_ADMIN_PASSWORD"], OLD),
    ..Software::new("influxdb", "InfluxDB", Role::Store, SOURCE)
};
