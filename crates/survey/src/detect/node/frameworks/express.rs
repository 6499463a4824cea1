//! Express.

use super::{Found, server};
use crate::detect::node::services::Candidate;

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    server(candidate, "express", "a framework for HTTP servers")
}
