//! Redis, by the client libraries that the services depend on.

use super::services;
use crate::{
    context::Context,
    model::{Store, StoreKind, Survey},
};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let kind = StoreKind::Redis;
    let evidence = services::users(context, survey, kind, &["ioredis", "redis", "@redis/client"]);
    if evidence.is_empty() {
        return;
    }
    let variable = services::address_variable(survey, kind, &["REDIS_URL", "CACHE_URL"]);
    let name = "redis".to_owned();
    survey.stores.push(Store { kind, name, version: None, database: None, user: None, variable, evidence });
}
