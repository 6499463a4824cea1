//! Software of which little more than the name is known. What gets facts of its own gets a file of its own.

use crate::{Entrypoint, Image, Port, Role, Software, Source, StoreKind, fact::known};

const NAMES: Source =
    Source::new("its documentation: installation with containers, name of the image", 2026, 12, 1);
const PORTS: Source = Source::new("its documentation: default ports", 2026, 12, 1);
const START: Source = Source::new("docker-library/docs: content of the image, how to use it", 2026, 8, 21);

/// Each of them.
pub(super) static SOFTWARE: [Software; 70] = [
    Software {
        store: Some(StoreKind::Mysql),
        images: &[Image::other("percona")],
        ports: known(&[Port::store(3306)], PORTS),
        ..Software::new("percona", "Percona Server", Role::Store, NAMES)
    },
    Software {
        store: Some(StoreKind::Redis),
        images: &[Image::other("keydb")],
        ports: known(&[Port::store(6379)], PORTS),
        ..Software::new("keydb", "KeyDB", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("aerospike")],
        ..Software::new("aerospike", "Aerospike", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("cratedb")],
        ..Software::new("cratedb", "CrateDB", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("dragonfly")],
        ..Software::new("dragonfly", "Dragonfly", Role::Store, NAMES)
    },
    Software { images: &[Image::other("emqx")], ..Software::new("emqx", "EMQX", Role::Store, NAMES) },
    Software {
        images: &[Image::other("foundationdb")],
        ..Software::new("foundationdb", "FoundationDB", Role::Store, NAMES)
    },
    Software { images: &[Image::other("garnet")], ..Software::new("garnet", "Garnet", Role::Store, NAMES) },
    Software { images: &[Image::other("pulsar")], ..Software::new("pulsar", "Pulsar", Role::Store, NAMES) },
    Software {
        images: &[Image::other("questdb")],
        ..Software::new("questdb", "QuestDB", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("redpanda")],
        ..Software::new("redpanda", "Redpanda", Role::Store, NAMES)
    },
    Software { images: &[Image::other("solr")], ..Software::new("solr", "Solr", Role::Store, NAMES) },
    Software {
        images: &[Image::other("surrealdb")],
        ..Software::new("surrealdb", "SurrealDB", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("typesense")],
        ..Software::new("typesense", "Typesense", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("weaviate")],
        ..Software::new("weaviate", "Weaviate", Role::Store, NAMES)
    },
    Software { images: &[Image::other("consul")], ..Software::new("consul", "Consul", Role::Store, NAMES) },
    Software {
        images: &[Image::other("couchbase")],
        ..Software::new("couchbase", "Couchbase", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("proxysql")],
        ..Software::new("proxysql", "ProxySQL", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("arangodb")],
        processes: &["arangod"],
        ..Software::new("arangodb", "ArangoDB", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("beanstalkd")],
        ports: known(&[Port::store(11300)], PORTS),
        ..Software::new("beanstalkd", "beanstalkd", Role::Store, NAMES)
    },
    Software {
        images: &[Image::official("cassandra")],
        ports: known(&[Port::store(9042)], PORTS),
        ..Software::new("cassandra", "Cassandra", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("scylla")],
        ports: known(&[Port::store(9042)], PORTS),
        ..Software::new("scylla", "ScyllaDB", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("cockroach")],
        ports: known(&[Port::store(26257)], PORTS),
        ..Software::new("cockroach", "CockroachDB", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("etcd")],
        ports: known(&[Port::http_store(2379)], PORTS),
        ..Software::new("etcd", "etcd", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("kafka")],
        schemes: &["kafka"],
        ports: known(&[Port::store(9092)], PORTS),
        ..Software::new("kafka", "Kafka", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("mssql"), Image::owned("mssql", "server")],
        ports: known(&[Port::store(1433)], PORTS),
        ..Software::new("mssql", "SQL Server", Role::Store, NAMES)
    },
    Software {
        images: &[Image::owned("gvenzl", "oracle-free")],
        ports: known(&[Port::store(1521)], PORTS),
        ..Software::new("oracle", "Oracle Database", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("activemq-classic").whole(), Image::other("activemq-artemis").whole()],
        ports: known(&[Port::store(61616)], PORTS),
        ..Software::new("activemq", "ActiveMQ", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("pgbouncer")],
        ports: known(&[Port::store(6432)], PORTS),
        ..Software::new("pgbouncer", "PgBouncer", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("qdrant")],
        ports: known(&[Port::http_store(6333)], PORTS),
        ..Software::new("qdrant", "Qdrant", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("rethinkdb")],
        ports: known(&[Port::store(28015)], PORTS),
        ..Software::new("rethinkdb", "RethinkDB", Role::Store, NAMES)
    },
    Software {
        images: &[Image::other("envoy").whole()],
        ..Software::new("envoy", "Envoy", Role::Proxy, NAMES)
    },
    Software {
        images: &[Image::other("apache").whole()],
        ..Software::new("apache", "Apache HTTP Server", Role::Proxy, NAMES)
    },
    Software {
        images: &[Image::other("mailpit").whole()],
        ..Software::new("mailpit", "Mailpit", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("mailhog").whole()],
        ..Software::new("mailhog", "MailHog", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("maildev").whole()],
        ..Software::new("maildev", "MailDev", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("mailcatcher").whole()],
        ..Software::new("mailcatcher", "MailCatcher", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("adminer").whole()],
        ..Software::new("adminer", "Adminer", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("phpmyadmin").whole()],
        ..Software::new("phpmyadmin", "phpMyAdmin", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("localstack").whole()],
        ..Software::new("localstack", "LocalStack", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("flower").whole()],
        ..Software::new("flower", "Flower", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("dozzle").whole()],
        ..Software::new("dozzle", "Dozzle", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("portainer").whole()],
        ..Software::new("portainer", "Portainer", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("pgweb").whole()],
        ..Software::new("pgweb", "pgweb", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("smtp4dev").whole()],
        ..Software::new("smtp4dev", "smtp4dev", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("greenmail").whole()],
        ..Software::new("greenmail", "GreenMail", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("pgadmin").whole(), Image::other("pgadmin4").whole()],
        ..Software::new("pgadmin", "pgAdmin", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("redis-commander").whole()],
        ..Software::new("redis-commander", "Redis Commander", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("redisinsight").whole(), Image::other("redis-insight").whole()],
        ..Software::new("redisinsight", "Redis Insight", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("selenium").whole(), Image::other("standalone-chrome").whole()],
        ..Software::new("selenium", "Selenium", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("mongo-express").whole()],
        ..Software::new("mongo-express", "mongo-express", Role::Development, NAMES)
    },
    Software {
        images: &[Image::other("kafka-ui").whole()],
        ..Software::new("kafka-ui", "Kafka UI", Role::Development, NAMES)
    },
    passes_on("amazoncorretto", "Amazon Corretto", Role::Language, &[Image::official("amazoncorretto")]),
    passes_on("dart", "Dart", Role::Language, &[Image::official("dart")]),
    passes_on("elixir", "Elixir", Role::Language, &[Image::official("elixir")]),
    passes_on("erlang", "Erlang", Role::Language, &[Image::official("erlang")]),
    passes_on("gcc", "GCC", Role::Language, &[Image::official("gcc")]),
    passes_on("gradle", "Gradle", Role::Language, &[Image::official("gradle")]),
    passes_on("haskell", "Haskell", Role::Language, &[Image::official("haskell")]),
    passes_on("ibmjava", "IBM Java", Role::Language, &[Image::official("ibmjava")]),
    passes_on("julia", "Julia", Role::Language, &[Image::official("julia")]),
    passes_on("maven", "Maven", Role::Language, &[Image::official("maven")]),
    passes_on("mono", "Mono", Role::Language, &[Image::official("mono")]),
    passes_on("openjdk", "OpenJDK", Role::Language, &[Image::official("openjdk")]),
    passes_on("perl", "Perl", Role::Language, &[Image::official("perl")]),
    passes_on("swift", "Swift", Role::Language, &[Image::official("swift")]),
    passes_on("archlinux", "Arch Linux", Role::Base, &[Image::official("archlinux")]),
    passes_on("buildpack-deps", "buildpack-deps", Role::Base, &[Image::official("buildpack-deps")]),
    passes_on(
        "dotnet",
        ".NET",
        Role::Language,
        &[
            Image::made_by(&["dotnet"], "aspnet"),
            Image::made_by(&["dotnet"], "runtime-deps"),
            Image::owned("dotnet", "runtime"),
            Image::owned("dotnet", "sdk"),
        ],
    ),
    Software {
        images: &[Image::made_by(&["oven"], "bun")],
        ..Software::new("bun", "Bun", Role::Language, NAMES)
    },
];

/// A language or a distribution whose image starts what it is given.
const fn passes_on(id: &'static str, label: &'static str, role: Role, images: &'static [Image]) -> Software {
    let entrypoint = known(Entrypoint::PassesOn, START);
    Software { images, entrypoint, ..Software::new(id, label, role, NAMES) }
}
