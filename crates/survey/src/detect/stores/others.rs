//! Services of the development file that are no stores that can be generated: each is named, none is dropped silently.

use plimsoll_facts::Role;

use crate::{
    detect::compose_file::{DevService, File},
    model::{Evidence, Gap, Survey, is_below},
    rules,
};

/// Whether an image passes requests on: the generated front takes its place.
pub(in crate::detect) fn is_gateway(image: &str) -> bool {
    role(image) == Some(Role::Proxy)
}

fn role(image: &str) -> Option<Role> {
    plimsoll_facts::of_image(image).map(|found| found.software.role)
}

/// A gap for every service that is neither a store nor built from a folder that was recognised.
pub(super) fn gaps(file: &File, stores: &[&str], survey: &mut Survey) {
    for service in &file.services {
        let place = service.image.as_ref().map_or(service.place, |(_, span)| *span);
        let evidence = vec![Evidence::new(&file.source, place, "the development compose file starts it")];
        if stores.contains(&service.name.as_str()) {
            continue;
        }
        let Some((message, hint)) = said(service, survey) else { continue };
        survey.gaps.push(Gap {
            rule: rules::DEVELOPMENT_SERVICE,
            subject: service.name.clone(),
            message: format!("{} {message}", described(service)),
            hint: hint.to_owned(),
            evidence,
        });
    }
}

fn described(service: &DevService) -> String {
    match &service.image {
        Some((image, _)) => format!("service `{}` ({image})", service.name),
        None => format!("service `{}`", service.name),
    }
}

/// It shows a queue to whoever opens it.
pub(in crate::detect) fn is_dashboard(service: &DevService) -> bool {
    let shows = |word: &str| matches!(word, "flower" | "rq-dashboard" | "rqmonitor");
    service.command.as_ref().is_some_and(|(command, _)| command.split_whitespace().take(8).any(shows))
}

fn said(service: &DevService, survey: &Survey) -> Option<(String, &'static str)> {
    if service.is_for_tests() {
        return Some(("is for tests: it is left out".to_owned(), "nothing has to be done"));
    }
    if is_dashboard(service) {
        return Some((
            "shows a queue to whoever opens it, without a password: it is left out".to_owned(),
            "write its service by hand, behind a password; it is kept",
        ));
    }
    if let Some(folder) = &service.build {
        let known = survey.services.iter().any(|known| {
            known.path == *folder || is_below(&known.path, folder) || is_below(folder, &known.path)
        });
        let from = if folder.is_empty() { "the root" } else { folder };
        return (!known).then(|| {
            (
                format!("is built from {from}, and nothing that can be deployed was recognised there"),
                "write its service by hand; it is kept",
            )
        });
    }
    let (image, _) = service.image.as_ref()?;
    let selenium = image.split('@').next().is_some_and(|path| path.contains("selenium"));
    match role(image) {
        found if found == Some(Role::Development) || selenium => Some((
            "is for development: it is left out".to_owned(),
            "production sends mail, and looks at data, by other means",
        )),
        Some(Role::Proxy) => Some((
            "passes requests on: the generated front takes its place".to_owned(),
            "compare its rules with those of the generated front",
        )),
        // A run-time image with the repository mounted is a part of the application itself.
        Some(Role::Language | Role::Base) => None,
        _ => Some((
            "is not known: nothing is generated for it".to_owned(),
            "write its service by hand; it is kept",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_roles() {
        for image in
            ["nginx:1.27", "docker.io/library/haproxy:3.2", "bitnami/apache", "envoyproxy/envoy:v1.36"]
        {
            assert!(is_gateway(image), "{image}");
        }
        assert!(!is_gateway("httpd:2.4") && !is_gateway("team/backend"));
        for (image, expected) in [
            ("node:24-alpine", Some(Role::Language)),
            // Java's run time is a part of the application as Node.js' is.
            ("eclipse-temurin:21-jre", Some(Role::Language)),
            ("ubuntu:24.04", Some(Role::Base)),
            ("axllent/mailpit", Some(Role::Development)),
            ("dpage/pgadmin4:9", Some(Role::Development)),
            ("team/worker:1", None),
        ] {
            assert_eq!(role(image), expected, "{image}");
        }
    }
}
