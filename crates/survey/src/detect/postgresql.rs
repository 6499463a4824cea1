//! PostgreSQL, by the client libraries that the services of Node.js depend on.

use super::services;
use crate::{
    context::Context,
    model::{StoreKind, Survey},
};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let kind = StoreKind::Postgresql;
    if !services::users(context, survey, kind, &["pg", "postgres"]).is_empty() {
        services::connect(survey, kind, &["DATABASE_URL", "POSTGRES_URL", "PG_URL"]);
    }
}
