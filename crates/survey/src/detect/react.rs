//! React, in a package that another detector found to be a service.

use super::services;
use crate::{context::Context, model::Survey};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    for service in &mut survey.services {
        let Some(manifest) = context.manifest(&service.path) else { continue };
        if let Some(dependency) = manifest.any_dependency("react") {
            service.frameworks.push(services::framework(manifest, &dependency, "a library for pages"));
        }
    }
}
