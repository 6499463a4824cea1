//! Services of the development file that are no stores that can be generated: each is named, none is dropped silently.

use crate::{
    detect::compose_file::{DevService, File},
    model::{Evidence, Gap, Survey, is_below},
};

/// Images that only development needs.
const DEVELOPMENT: [&str; 22] = [
    "mailpit",
    "mailhog",
    "maildev",
    "mailcatcher",
    "adminer",
    "pgadmin4",
    "pgadmin",
    "phpmyadmin",
    "redis-commander",
    "redisinsight",
    "redis-insight",
    "localstack",
    "selenium",
    "standalone-chrome",
    "flower",
    "mongo-express",
    "dozzle",
    "portainer",
    "pgweb",
    "smtp4dev",
    "kafka-ui",
    "greenmail",
];

/// Images that pass requests on: the generated front takes their place.
pub(in crate::detect) const GATEWAYS: [&str; 8] =
    ["nginx", "caddy", "traefik", "haproxy", "kong", "envoy", "nginx-unprivileged", "apache"];

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
    let path = image.split('@').next().unwrap_or(image);
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.split(':').next().unwrap_or(name);
    if DEVELOPMENT.contains(&name) || path.contains("selenium") {
        return Some((
            "is for development: it is left out".to_owned(),
            "production sends mail, and looks at data, by other means",
        ));
    }
    if GATEWAYS.contains(&name) {
        return Some((
            "passes requests on: the generated front takes its place".to_owned(),
            "compare its rules with those of the generated front",
        ));
    }
    // A run-time image with the repository mounted is a part of the application itself.
    if matches!(
        name,
        "node"
            | "python"
            | "php"
            | "ruby"
            | "golang"
            | "rust"
            | "openjdk"
            | "bun"
            | "deno"
            | "alpine"
            | "busybox"
            | "debian"
            | "ubuntu"
    ) {
        return None;
    }
    Some(("is not known: nothing is generated for it".to_owned(), "write its service by hand; it is kept"))
}
