//! Fastify, with its own command line or without.

use super::{Found, server};
use crate::detect::node::services::Candidate;

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    let mut found = server(candidate, "fastify", "a framework for HTTP servers")?;
    let line = ["start:prod", "start"].iter().find_map(|name| candidate.manifest.script(name));
    if line.is_some_and(|(line, _)| line.split_whitespace().any(|word| word == "fastify")) {
        found.listens(3000, "FASTIFY_PORT");
        found.binds("FASTIFY_ADDRESS");
    }
    Some(found)
}
