//! What the tables say, image by image, and what must hold for every one of them.

use jiff::civil::date;
use plimsoll_facts::{
    Contents, Entrypoint, FileVariables, ImageName, NewDataPassword, Role, Software, StoreKind, Tag, Variant,
    Version, images, named, new_data_passwords, of_image, speaks_no_http, store_of_image, store_of_port,
    store_of_process, store_of_scheme,
};
use proptest::prelude::*;

fn software(image: &str) -> &'static Software {
    of_image(image).unwrap_or_else(|| panic!("{image}")).software
}

fn version(text: &str) -> Option<Version> {
    let version = Version::parse(text);
    assert!(version.is_some(), "{text}");
    version
}

#[test]
fn an_image_tells_its_software_and_whether_it_is_the_one_that_is_described() {
    for (image, id, own, role) in [
        ("postgres:17-alpine", "postgres", true, Role::Store),
        ("docker.io/library/postgres", "postgres", true, Role::Store),
        ("bitnami/postgresql:16", "postgres", false, Role::Store),
        ("pgvector/pgvector:pg17", "postgres", false, Role::Store),
        ("apache/age:PG16_latest", "postgres", false, Role::Store),
        ("mysql:8.4", "mysql", true, Role::Store),
        ("mariadb:11.8", "mariadb", true, Role::Store),
        ("redis:8.0-bookworm", "redis", true, Role::Store),
        ("valkey/valkey:8", "valkey", true, Role::Store),
        ("rabbitmq:4.0-management", "rabbitmq", true, Role::Store),
        ("mongo:8.0", "mongo", true, Role::Store),
        ("docker.elastic.co/elasticsearch/elasticsearch:9.2.0", "elasticsearch", true, Role::Store),
        ("nginx:1.28", "nginx", true, Role::Proxy),
        ("nginxinc/nginx-unprivileged:1.27-alpine-slim", "nginx-unprivileged", true, Role::Proxy),
        ("httpd:2.4", "httpd", true, Role::Web),
        ("node:24-bookworm-slim", "node", true, Role::Language),
        ("python:3.13-slim", "python", true, Role::Language),
        ("mcr.microsoft.com/dotnet/aspnet:8.0", "dotnet", true, Role::Language),
        ("alpine:3.23", "alpine", true, Role::Base),
        ("gcr.io/distroless/nodejs24-debian13:nonroot", "distroless", true, Role::Base),
        ("prom/prometheus:v3.9.1", "prometheus", true, Role::Monitor),
        ("quay.io/prometheus/alertmanager", "alertmanager", true, Role::Monitor),
        ("hashicorp/vault:1.20", "vault", true, Role::Identity),
        ("axllent/mailpit", "mailpit", false, Role::Development),
    ] {
        let found = of_image(image).unwrap_or_else(|| panic!("{image}"));
        assert_eq!((found.software.id, found.own, found.software.role), (id, own, role), "{image}");
    }
    for image in ["", "scratch", "team/backend:v2", "my-postgres-exporter:1", "team/age:1", "team/runtime"] {
        assert!(of_image(image).is_none(), "{image}");
    }
}

#[test]
fn data_are_where_the_version_has_them() {
    for (image, of, folder) in [
        ("postgres", version("9.6"), Some("/var/lib/postgresql/data")),
        ("postgres", version("17.2"), Some("/var/lib/postgresql/data")),
        ("postgres", version("18"), Some("/var/lib/postgresql")),
        ("postgres", None, Some("/var/lib/postgresql")),
        ("mysql", version("5.7"), Some("/var/lib/mysql")),
        ("mariadb", version("11.8"), Some("/var/lib/mysql")),
        ("redis", version("8"), Some("/data")),
        ("valkey/valkey", None, Some("/data")),
        ("rabbitmq", version("4.0"), Some("/var/lib/rabbitmq")),
        ("mongo", version("8.0"), Some("/data/db")),
        ("influxdb", version("1.8"), Some("/var/lib/influxdb")),
        ("influxdb", version("2.7"), Some("/var/lib/influxdb2")),
        ("influxdb", version("3.10"), None),
        ("prom/prometheus", None, Some("/prometheus")),
        ("nginx", None, None),
    ] {
        assert_eq!(software(image).data_folder(of), folder, "{image} {of:?}");
    }
}

#[test]
fn users_differ_between_debian_and_alpine() {
    for (image, ids) in [
        ("postgres:17", Some((999, 999))),
        ("postgres:17-alpine", Some((70, 70))),
        ("mysql:8.4", Some((999, 999))),
        ("mariadb:11.8", None),
        ("redis:8.0", Some((999, 999))),
        ("redis:8.0-alpine", Some((999, 1000))),
        ("valkey/valkey:8-alpine", Some((999, 1000))),
        ("rabbitmq:4.2", Some((999, 999))),
        ("rabbitmq:4.2-alpine", Some((100, 101))),
        ("mongo:8.0", Some((999, 999))),
        ("memcached:1", Some((11211, 11211))),
        ("nginx:1.28-alpine", Some((101, 101))),
        ("nginxinc/nginx-unprivileged", Some((101, 101))),
        ("haproxy:3.2", Some((99, 99))),
        ("httpd:2.4-alpine", Some((82, 82))),
        ("php:8.4-fpm", Some((33, 33))),
        ("node:24", Some((1000, 1000))),
        ("python:3.13", None),
        ("grafana/grafana", Some((472, 0))),
        ("prom/prometheus", Some((65534, 65534))),
    ] {
        assert_eq!(software(image).ids(&ImageName::read(image).tag()), ids, "{image}");
    }
}

#[test]
fn contents_say_which_tools_a_health_check_can_call() {
    let contents = |image: &str| software(image).contents(&ImageName::read(image).tag());
    for (image, has, lacks) in [
        ("node:24", "curl", None),
        ("node:24-alpine", "wget", Some("curl")),
        ("node:24-slim", "", Some("curl")),
        ("python:3.13-slim-trixie", "", Some("wget")),
        ("postgres:17", "pg_isready", Some("curl")),
        ("redis:8.0-alpine", "wget", Some("curl")),
        ("nginx:1.28", "curl", Some("wget")),
        ("nginx:1.28-alpine-slim", "wget", None),
        ("debian:trixie-slim", "apt-get", Some("curl")),
        ("alpine:3.23", "wget", Some("bash")),
    ] {
        let found: &Contents = contents(image).unwrap_or_else(|| panic!("{image}"));
        assert!(found.shell && (has.is_empty() || found.has.contains(&has)), "{image}");
        assert!(lacks.is_none_or(|lacks| found.lacks.contains(&lacks)), "{image}");
    }
    assert!(!contents("oliver006/redis_exporter:v1").unwrap().shell);
    assert_eq!(contents("mongo:8.0"), None, "not known is not no");
    assert!(images::distroless::has_shell("debug-nonroot") && !images::distroless::has_shell("nonroot"));
}

#[test]
fn settings_follow_from_the_limit() {
    use images::{mongo, mysql, postgres, rabbitmq, redis};
    for (setting, limit, value) in [
        (postgres::SHARED_BUFFERS, 1024, "256MB"),
        (postgres::EFFECTIVE_CACHE_SIZE, 1024, "640MB"),
        (postgres::MAINTENANCE_WORK_MEM, 1024, "64MB"),
        (mysql::BUFFER_POOL, 768, "384M"),
        (redis::MAXMEMORY, 256, "192mb"),
        (rabbitmq::MEMORY_WATERMARK, 512, "307MB"),
        (mongo::CACHE, 1024, "0.40"),
        (mongo::CACHE, 256, "0.25"),
    ] {
        assert_eq!(setting.of(limit), value, "{}", setting.name);
    }
    assert_eq!(images::mysql::image_of("8.4"), "mysql");
    assert_eq!(images::mysql::image_of("11.8"), "mariadb");
}

#[test]
fn what_is_a_store_has_one_answer() {
    for (image, id) in [
        ("shop-redis", "redis"),
        ("plimsoll.local/redis:8.0", "redis"),
        ("bitnami/mongodb:7", "mongo"),
        ("timescale/timescaledb-ha:pg17", "postgres"),
        ("team/postgres-with-extensions", "postgres"),
        ("paradedb/paradedb", "postgres"),
        ("cockroachdb/cockroach", "cockroach"),
        ("mcr.microsoft.com/mssql/server:2022-latest", "mssql"),
    ] {
        assert_eq!(store_of_image(image).map(|software| software.id), Some(id), "{image}");
    }
    for image in [
        "node:22",
        "prom/redis-exporter",
        "redis/redisinsight",
        "mongo-express",
        "dpage/pgadmin4",
        "postgres-backup",
        "age-check",
        "nginx",
    ] {
        assert!(store_of_image(image).is_none(), "{image}");
    }
    for (process, id) in
        [("postgres", "postgres"), ("valkey-server", "valkey"), ("mariadbd", "mariadb"), ("mongod", "mongo")]
    {
        assert_eq!(store_of_process(process).map(|software| software.id), Some(id), "{process}");
    }
    assert!(store_of_process("node").is_none() && store_of_process("nginx").is_none());
}

#[test]
fn ports_tell_a_store_where_nobody_else_takes_them() {
    for port in [
        1433, 1521, 1883, 2181, 2379, 3306, 4222, 5432, 5433, 5672, 5984, 6333, 6379, 6380, 6432, 7687, 7700,
        8086, 9042, 9092, 9200, 9300, 11211, 11300, 26257, 26379, 27017, 28015, 33060, 61616,
    ] {
        assert!(store_of_port(port).is_some(), "{port}");
    }
    for port in [80, 443, 3000, 8080, 8123, 9000, 15672] {
        assert!(store_of_port(port).is_none(), "{port}");
    }
    for port in [22, 25, 53, 1433, 3306, 4222, 5432, 5672, 6379, 9042, 9092, 11211, 27017] {
        assert!(speaks_no_http(port), "{port}");
    }
    for port in [80, 8080, 3000, 9200, 7700, 8086, 15672, 9000] {
        assert!(!speaks_no_http(port), "{port}");
    }
}

#[test]
fn schemes_name_a_store_with_a_driver_or_without() {
    for (scheme, kind) in [
        ("postgres", Some(StoreKind::Postgresql)),
        ("postgresql+psycopg", Some(StoreKind::Postgresql)),
        ("mysql+pymysql", Some(StoreKind::Mysql)),
        ("mariadb", Some(StoreKind::Mysql)),
        ("rediss", Some(StoreKind::Redis)),
        ("valkey", Some(StoreKind::Redis)),
        ("pyamqp", Some(StoreKind::Rabbitmq)),
        ("mongodb+srv", Some(StoreKind::Mongodb)),
        ("nats", None),
        ("memcached", None),
        ("kafka", None),
    ] {
        assert_eq!(store_of_scheme(scheme).unwrap_or_else(|| panic!("{scheme}")).store, kind, "{scheme}");
    }
    for scheme in ["http", "https", "file", "", "+"] {
        assert!(store_of_scheme(scheme).is_none(), "{scheme}");
    }
}

/// A digest is made over them in this order, and kept with a volume: another order would look like another password.
#[test]
fn passwords_of_new_data_keep_their_order() {
    let found: Vec<(&str, &str)> =
        new_data_passwords().iter().map(|NewDataPassword { variable, data }| (*variable, *data)).collect();
    assert_eq!(
        found,
        [
            ("POSTGRES_PASSWORD", "/var/lib/postgresql"),
            ("MYSQL_ROOT_PASSWORD", "/var/lib/mysql"),
            ("MYSQL_PASSWORD", "/var/lib/mysql"),
            ("MARIADB_ROOT_PASSWORD", "/var/lib/mysql"),
            ("MARIADB_PASSWORD", "/var/lib/mysql"),
            ("RABBITMQ_DEFAULT_PASS", "/var/lib/rabbitmq"),
            ("MONGO_INITDB_ROOT_PASSWORD", "/data/db"),
            ("INFLUXDB_ADMIN_PASSWORD", "/var/lib/influxdb"),
        ]
    );
}

#[test]
fn ends_of_life_belong_to_the_version() {
    for (image, version, ends) in [
        ("postgres", "17.2", Some(date(2029, 11, 8))),
        ("postgres", "9.6.24", Some(date(2021, 11, 11))),
        ("postgres", "99", None),
        ("mysql", "8.0.36", Some(date(2026, 4, 30))),
        ("node", "20", Some(date(2026, 4, 30))),
        ("node", "2", None),
        ("python", "3.13.1", Some(date(2029, 10, 31))),
        ("python", "3.1", None),
        ("debian", "12", Some(date(2026, 7, 11))),
        ("alpine", "3.20.3", Some(date(2026, 4, 1))),
    ] {
        assert_eq!(software(image).release(version).map(|release| release.ends), ends, "{image}:{version}");
    }
    let files = |id: &str| named(id).unwrap().file_variables.unwrap().value;
    assert_eq!(files("redis"), FileVariables::None);
    assert!(matches!(files("postgres"), FileVariables::Named(names) if names.contains(&"POSTGRES_PASSWORD")));
    assert_eq!(named("node").unwrap().entrypoint.unwrap().value, Entrypoint::PassesOn);
}

#[test]
fn every_fact_has_a_source_and_every_table_is_sound() {
    let today = date(2026, 12, 1);
    let mut ids = Vec::new();
    let mut names = Vec::new();
    let mut facts = 0;
    for software in images::all() {
        assert!(!ids.contains(&software.id), "{} twice", software.id);
        ids.push(software.id);
        for source in software.sources() {
            facts += 1;
            assert!(
                source.text.len() > 12 && !source.text.contains("://"),
                "{}: {}",
                software.id,
                source.text
            );
            assert!(source.day <= today, "{}: {}", software.id, source.day);
        }
        for image in software.images {
            assert!(!names.contains(&(image.owner, image.name)), "{} twice", image.name);
            names.push((image.owner, image.name));
        }
        for process in software.processes {
            assert!(process.len() <= 15, "{process}: the kernel cuts names");
        }
        for release in software.releases.map(|fact| fact.value).unwrap_or_default() {
            assert!(Version::parse(release.version).is_some(), "{} {}", software.id, release.version);
            assert!(release.ends > date(1998, 1, 1) && release.ends < date(2040, 1, 1), "{}", software.id);
        }
        for folder in software.data.map(|fact| fact.value).unwrap_or_default() {
            assert!(folder.path.is_none_or(|path| path.starts_with('/')), "{}", software.id);
        }
        for contents in software.contents.map(|fact| fact.value).unwrap_or_default() {
            assert!(contents.has.iter().all(|tool| !contents.lacks.contains(tool)), "{}", software.id);
        }
        assert!(software.store.is_none() || software.is_store(), "{}", software.id);
    }
    assert!(ids.len() >= 60 && facts > 200, "{} and {facts}", ids.len());
}

proptest! {
    #[test]
    fn no_text_breaks_a_reader(text in "\\PC{0,300}", tag in "[a-z0-9.:@/_-]{0,200}") {
        for text in [text.as_str(), tag.as_str()] {
            let name = ImageName::read(text);
            let parts = [name.registry, Some(name.owner), Some(name.name), name.tag, name.digest];
            prop_assert!(parts.into_iter().flatten().map(str::len).sum::<usize>() <= text.len());
            let tag = name.tag();
            prop_assert!(Variant::Every.has(&tag));
            let _ = (Tag::read(text), tag.version_behind("pg"), tag.numbers(), Version::parse(text));
            let _ = (of_image(text), store_of_image(text), store_of_scheme(text), store_of_process(text));
        }
    }

    #[test]
    fn a_name_put_together_is_read_as_its_parts(
        registry in proptest::option::of("[a-z]{1,8}\\.[a-z]{2,3}(:[0-9]{2,5})?"),
        owner in "([a-z]{1,8}/)?[a-km-z][a-z]{0,7}",
        name in "[a-z][a-z0-9-]{0,20}",
        tag in proptest::option::of("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,40}"),
    ) {
        prop_assume!(owner.split('/').next() != Some("localhost"));
        let host = registry.as_ref().map(|registry| format!("{registry}/")).unwrap_or_default();
        let end = tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let text = format!("{host}{owner}/{name}{end}");
        let read = ImageName::read(&text);
        prop_assert_eq!(read.registry, registry.as_deref());
        prop_assert_eq!((read.owner, read.name, read.tag), (owner.as_str(), name.as_str(), tag.as_deref()));
    }
}
