//! Redis, by the client libraries that the services of Node.js depend on.

use super::services;
use crate::{
    context::Context,
    model::{StoreKind, Survey},
};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let kind = StoreKind::Redis;
    if !services::users(context, survey, kind, &["ioredis", "redis", "@redis/client"]).is_empty() {
        services::connect(survey, kind, &["REDIS_URL", "CACHE_URL"]);
    }
}
