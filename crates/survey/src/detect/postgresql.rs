//! PostgreSQL, by the client libraries that the services depend on.

use super::services;
use crate::{
    context::Context,
    model::{Store, StoreKind, Survey},
};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let kind = StoreKind::Postgresql;
    let evidence = services::users(context, survey, kind, &["pg", "postgres"]);
    if evidence.is_empty() {
        return;
    }
    let variable = services::address_variable(survey, kind, &["DATABASE_URL", "POSTGRES_URL", "PG_URL"]);
    let name = "postgres".to_owned();
    survey.stores.push(Store { kind, name, version: None, database: None, user: None, variable, evidence });
}
