//! Hono on Node.js: without its server for Node.js it runs on another platform.

use super::{Found, server};
use crate::detect::node::services::Candidate;

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    candidate.manifest.dependency("@hono/node-server")?;
    server(candidate, "hono", "a framework for HTTP servers")
}
