//! NestJS: a server, or a microservice or application context that takes work and listens nowhere.

use super::Found;
use crate::{
    detect::node::services::{self, Candidate},
    model::Role,
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    candidate.manifest.dependency("@nestjs/core")?;
    let calls = |name: &str| {
        candidate.program.scripts().any(|script| {
            (1..script.tokens.len())
                .any(|at| script.is(at, name) && script.is(at - 1, ".") && script.text(at + 1) != ".")
        })
    };
    let http = candidate.listens();
    let worker = calls("createMicroservice") || calls("createApplicationContext");
    if !http && !worker && (candidate.used || candidate.manifest.script("start").is_none()) {
        return None;
    }
    let role = if worker && !http { Role::Worker } else { Role::Server };
    let tool = services::framework(candidate.manifest, "@nestjs/core", "a framework for HTTP servers")?;
    let mut found = Found::new(role, tool);
    found.also(
        candidate,
        &[
            ("@nestjs/platform-fastify", "the HTTP server below"),
            ("@nestjs/platform-express", "the HTTP server below"),
        ],
    );
    Some(found)
}
