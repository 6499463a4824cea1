//! Software by image: this list is what is known. Data, a file of its own for each.

use crate::Software;

mod alertmanager;
mod almalinux;
mod alpine;
mod amazonlinux;
mod blackbox_exporter;
mod busybox;
mod caddy;
mod cadvisor;
mod clickhouse;
mod couchdb;
mod debian;
mod deno;
pub mod distroless;
mod eclipse_temurin;
mod elasticsearch;
mod fedora;
mod golang;
mod grafana;
mod haproxy;
mod httpd;
mod influxdb;
mod kong;
mod loki;
mod mariadb;
mod meilisearch;
mod memcached;
mod minio;
pub mod mongo;
mod mosquitto;
pub mod mysql;
mod mysqld_exporter;
mod nats;
mod neo4j;
mod nginx;
mod nginx_exporter;
mod nginx_unprivileged;
mod node;
mod node_exporter;
mod opensearch;
mod oraclelinux;
mod others;
mod php;
pub mod postgres;
mod postgres_exporter;
mod prometheus;
mod python;
pub mod rabbitmq;
pub mod redis;
mod redis_exporter;
mod rockylinux;
mod ruby;
mod rust;
mod traefik;
mod ubuntu;
mod valkey;
mod vault;
mod zookeeper;

/// Software with facts of its own. Stores come first; their order decides the order of
/// [`new_data_passwords`](crate::new_data_passwords).
const ALL: [&Software; 56] = [
    &postgres::SOFTWARE,
    &mysql::SOFTWARE,
    &mariadb::SOFTWARE,
    &redis::SOFTWARE,
    &valkey::SOFTWARE,
    &rabbitmq::SOFTWARE,
    &mongo::SOFTWARE,
    &memcached::SOFTWARE,
    &nats::SOFTWARE,
    &influxdb::SOFTWARE,
    &elasticsearch::SOFTWARE,
    &opensearch::SOFTWARE,
    &meilisearch::SOFTWARE,
    &minio::SOFTWARE,
    &mosquitto::SOFTWARE,
    &clickhouse::SOFTWARE,
    &couchdb::SOFTWARE,
    &neo4j::SOFTWARE,
    &zookeeper::SOFTWARE,
    &nginx::SOFTWARE,
    &nginx_unprivileged::SOFTWARE,
    &haproxy::SOFTWARE,
    &traefik::SOFTWARE,
    &caddy::SOFTWARE,
    &kong::SOFTWARE,
    &httpd::SOFTWARE,
    &node::SOFTWARE,
    &python::SOFTWARE,
    &ruby::SOFTWARE,
    &php::SOFTWARE,
    &golang::SOFTWARE,
    &rust::SOFTWARE,
    &eclipse_temurin::SOFTWARE,
    &deno::SOFTWARE,
    &debian::SOFTWARE,
    &ubuntu::SOFTWARE,
    &alpine::SOFTWARE,
    &busybox::SOFTWARE,
    &rockylinux::SOFTWARE,
    &almalinux::SOFTWARE,
    &amazonlinux::SOFTWARE,
    &oraclelinux::SOFTWARE,
    &fedora::SOFTWARE,
    &prometheus::SOFTWARE,
    &alertmanager::SOFTWARE,
    &node_exporter::SOFTWARE,
    &blackbox_exporter::SOFTWARE,
    &postgres_exporter::SOFTWARE,
    &mysqld_exporter::SOFTWARE,
    &redis_exporter::SOFTWARE,
    &nginx_exporter::SOFTWARE,
    &grafana::SOFTWARE,
    &loki::SOFTWARE,
    &cadvisor::SOFTWARE,
    &vault::SOFTWARE,
    &distroless::SOFTWARE,
];

/// Every software, those that are known by name alone last.
pub fn all() -> impl Iterator<Item = &'static Software> {
    ALL.into_iter().chain(&others::SOFTWARE)
}
