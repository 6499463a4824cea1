//! Fastify.

use super::services;
use crate::{context::Context, model::Survey};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    services::add_servers(context, survey, "fastify");
}
