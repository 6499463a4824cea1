//! PostgreSQL, by the client libraries that the services depend on.

use super::services;
use crate::{
    context::Context,
    model::{Store, StoreKind, StoreRole, Survey},
};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let kind = StoreKind::Postgresql;
    let evidence = services::users(context, survey, kind, &["pg", "postgres"]);
    if evidence.is_empty() {
        return;
    }
    let name = "postgres".to_owned();
    services::connect(survey, kind, &name, &["DATABASE_URL", "POSTGRES_URL", "PG_URL"]);
    survey.stores.push(Store {
        kind,
        name,
        role: StoreRole::Data,
        image: None,
        version: None,
        database: None,
        user: None,
        evidence,
    });
}
