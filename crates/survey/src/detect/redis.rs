//! Redis, by the client libraries that the services depend on.

use super::services;
use crate::{
    context::Context,
    model::{Store, StoreKind, StoreRole, Survey},
};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let kind = StoreKind::Redis;
    let evidence = services::users(context, survey, kind, &["ioredis", "redis", "@redis/client"]);
    if evidence.is_empty() {
        return;
    }
    let name = "redis".to_owned();
    services::connect(survey, kind, &name, &["REDIS_URL", "CACHE_URL"]);
    survey.stores.push(Store {
        kind,
        name,
        role: StoreRole::Broker,
        image: None,
        version: None,
        database: None,
        user: None,
        evidence,
    });
}
