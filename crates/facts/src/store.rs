//! The kinds of stores that a stack can have.

use serde::Serialize;

use crate::{Software, images};

/// A kind of data store: what one client library can talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// PostgreSQL.
    Postgresql,
    /// MySQL or MariaDB.
    Mysql,
    /// Redis or Valkey.
    Redis,
    /// `RabbitMQ`.
    Rabbitmq,
    /// A file of `SQLite` on a volume of the service that opens it.
    Sqlite,
    /// MongoDB.
    Mongodb,
}

impl StoreKind {
    /// Its name as people write it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            kind => kind.software().map_or("", |software| software.label),
        }
    }

    /// The software whose official image serves this kind; `SQLite` is a library.
    pub fn software(self) -> Option<&'static Software> {
        match self {
            Self::Postgresql => Some(&images::postgres::SOFTWARE),
            Self::Mysql => Some(&images::mysql::SOFTWARE),
            Self::Redis => Some(&images::redis::SOFTWARE),
            Self::Rabbitmq => Some(&images::rabbitmq::SOFTWARE),
            Self::Mongodb => Some(&images::mongo::SOFTWARE),
            Self::Sqlite => None,
        }
    }

    /// The port for its clients; 0 for a file.
    pub fn port(self) -> u16 {
        let ports = self.software().and_then(|software| software.ports);
        ports.and_then(|ports| ports.value.first()).map_or(0, |port| port.number)
    }

    /// The scheme of its addresses, without a driver.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            kind => {
                kind.software().and_then(|software| software.schemes.first()).copied().unwrap_or_default()
            }
        }
    }

    /// What a service that runs it is usually called.
    pub fn service(self) -> &'static str {
        match self {
            Self::Postgresql => "postgres",
            Self::Mysql => "mysql",
            Self::Redis => "redis",
            Self::Rabbitmq => "rabbitmq",
            Self::Sqlite => "sqlite",
            Self::Mongodb => "mongodb",
        }
    }

    /// Whether it has tables, and so a schema that migrations change.
    pub fn is_relational(self) -> bool {
        matches!(self, Self::Postgresql | Self::Mysql)
    }

    /// Whether a scheme of an address names the kind alone; another one names a driver or a variant.
    pub fn is_usual_scheme(self, scheme: &str) -> bool {
        match self {
            Self::Postgresql => matches!(scheme, "postgres" | "postgresql"),
            Self::Mysql => scheme == "mysql",
            Self::Rabbitmq => scheme == "amqp",
            Self::Redis | Self::Mongodb | Self::Sqlite => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_port_scheme_and_label() {
        for (kind, label, port, scheme) in [
            (StoreKind::Postgresql, "PostgreSQL", 5432, "postgresql"),
            (StoreKind::Mysql, "MySQL", 3306, "mysql"),
            (StoreKind::Redis, "Redis", 6379, "redis"),
            (StoreKind::Rabbitmq, "RabbitMQ", 5672, "amqp"),
            (StoreKind::Sqlite, "SQLite", 0, "sqlite"),
            (StoreKind::Mongodb, "MongoDB", 27017, "mongodb"),
        ] {
            assert_eq!((kind.label(), kind.port(), kind.scheme()), (label, port, scheme));
        }
    }
}
