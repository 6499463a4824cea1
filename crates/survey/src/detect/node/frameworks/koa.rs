//! Koa, hapi, Restify and Polka: frameworks that are run as Express is.

use super::{Found, server};
use crate::detect::node::services::Candidate;

const PACKAGES: [&str; 6] = ["koa", "@hapi/hapi", "restify", "polka", "@apollo/server", "@feathersjs/koa"];

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    PACKAGES
        .iter()
        .filter(|package| candidate.listens() || **package != "@apollo/server")
        .find_map(|package| server(candidate, package, "a framework for HTTP servers"))
}
