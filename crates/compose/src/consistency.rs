//! Checks that the parts of a project agree with one another.

use std::collections::{HashMap, HashSet};

use plimsoll_source::Diagnostic;

use crate::model::{MountKind, Project, Service};

/// After so many faults no one reads on.
const MAX_FAULTS: usize = 100;

/// Every fault; copies `scale` to `deploy.replicas` where both exist.
pub(crate) fn check(project: &mut Project) -> Result<(), Vec<Diagnostic>> {
    let mut faults = Vec::new();
    for (name, service) in &project.services {
        let at = At { project, name, faults: &mut faults };
        at.service(service);
    }
    for (key, secret) in &project.secrets {
        if !secret.external
            && secret.file.is_none()
            && secret.environment.is_none()
            && secret.driver.is_none()
        {
            faults.push(fault(
                project,
                &["secrets", key],
                format!("secret `{key}` must have a `file` or an `environment`"),
            ));
        }
    }
    if faults.is_empty() {
        faults.extend(cycle(project));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    for service in project.services.values_mut() {
        if let (Some(scale), Some(deploy)) = (service.scale, &mut service.deploy) {
            deploy.replicas = Some(scale);
        }
    }
    Ok(())
}

fn fault(project: &Project, path: &[&str], title: String) -> Diagnostic {
    match project.origin(path) {
        Some(origin) => origin.error(title),
        None => Diagnostic::error(title),
    }
}

struct At<'a> {
    project: &'a Project,
    name: &'a str,
    faults: &'a mut Vec<Diagnostic>,
}

impl At<'_> {
    fn report(&mut self, path: &[&str], title: String, hint: Option<&str>) {
        let mut full = vec!["services", self.name];
        full.extend(path);
        let error = fault(self.project, &full, title);
        self.faults.push(match hint {
            Some(hint) => error.hint(hint),
            None => error,
        });
    }

    fn service(mut self, service: &Service) {
        let name = self.name;
        if service.build.is_none() && service.image.is_none() && service.provider.is_none() {
            self.report(
                &[],
                format!("service `{name}` has neither an image nor a build"),
                Some("add `image:` or `build:`"),
            );
        }
        self.build(service);
        self.references(service);
        self.dependencies(service);
        self.amounts(service);
        self.targets(service);
        if let Some(check) = &service.healthcheck
            && let Some(first) = check.test.first()
            && !matches!(first.as_str(), "CMD" | "CMD-SHELL" | "NONE")
        {
            let title =
                format!("the health check of `{name}` must start with CMD, CMD-SHELL or NONE, not `{first}`");
            self.report(
                &["healthcheck", "test"],
                title,
                Some("write `[\"CMD\", …]`, or a string for a shell command"),
            );
        }
        for watch in service.develop.iter().flat_map(|develop| &develop.watch) {
            let needs_target = !matches!(watch.action.as_deref(), Some("rebuild" | "restart"));
            if needs_target && watch.target.is_none() {
                self.report(&["develop", "watch"], format!("a watch of `{name}` lacks its `target`"), None);
            }
        }
    }

    fn build(&mut self, service: &Service) {
        let Some(build) = &service.build else { return };
        let name = self.name;
        if build.dockerfile.is_some() && build.dockerfile_inline.is_some() {
            let title = format!("service `{name}` has both `dockerfile` and `dockerfile_inline`");
            self.report(&["build"], title, Some("keep one of them"));
        }
        for (key, context) in build.additional_contexts.iter() {
            let Some(target) = context.strip_prefix("service:") else { continue };
            let path = ["build", "additional_contexts", key];
            match self.project.services.get(target).or_else(|| self.project.disabled_services.get(target)) {
                None => self.report(
                    &path,
                    format!("context `{key}` of `{name}` names the unknown service `{target}`"),
                    None,
                ),
                Some(other) if other.build.is_none() => {
                    self.report(
                        &path,
                        format!("context `{key}` of `{name}` names `{target}`, which is not built"),
                        None,
                    );
                }
                Some(_) => {}
            }
        }
        if let Some(platform) = &service.platform
            && !build.platforms.is_empty()
            && !build.platforms.contains(platform)
        {
            self.report(
                &["build", "platforms"],
                format!("`build.platforms` of `{name}` must include its platform `{platform}`"),
                None,
            );
        }
        for secret in build.secrets.iter().filter_map(|secret| secret.source.as_deref()) {
            self.defined("secret", "secrets", secret, &["build", "secrets"]);
        }
    }

    fn references(&mut self, service: &Service) {
        let name = self.name;
        if service.network_mode.is_some() && !service.networks.is_empty() {
            let title = format!("service `{name}` has both `network_mode` and `networks`");
            self.report(&["network_mode"], title, Some("keep one of them"));
        }
        for network in service.networks.keys() {
            self.defined("network", "networks", network, &["networks", network]);
        }
        for (at, mount) in service.volumes.iter().enumerate() {
            if mount.kind == MountKind::Volume
                && let Some(source) = &mount.source
            {
                self.defined("volume", "volumes", source, &["volumes", &at.to_string()]);
            }
        }
        for (at, config) in service.configs.iter().enumerate() {
            let source = config.source.as_deref().unwrap_or_default();
            self.defined("config", "configs", source, &["configs", &at.to_string()]);
        }
        for (at, secret) in service.secrets.iter().enumerate() {
            let source = secret.source.as_deref().unwrap_or_default();
            self.defined("secret", "secrets", source, &["secrets", &at.to_string()]);
        }
        for model in service.models.keys() {
            self.defined("model", "models", model, &["models", model]);
        }
    }

    fn defined(&mut self, what: &str, section: &str, key: &str, path: &[&str]) {
        let project = self.project;
        let known = match section {
            "networks" => project.networks.contains_key(key),
            "volumes" => project.volumes.contains_key(key),
            "configs" => project.configs.contains_key(key),
            "secrets" => project.secrets.contains_key(key),
            _ => project.models.contains_key(key),
        };
        if known || self.faults.len() >= MAX_FAULTS {
            return;
        }
        let declared = project.tree().get(section).and_then(|section| section.as_map());
        let known = declared.into_iter().flat_map(|map| map.keys());
        let similar = crate::schema::similar(key, known.map(String::as_str).take(1000));
        let hint = match similar {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => format!("declare it under the top-level `{section}:`"),
        };
        self.report(
            path,
            format!("service `{}` refers to the undefined {what} `{key}`", self.name),
            Some(&hint),
        );
    }

    fn dependencies(&mut self, service: &Service) {
        let name = self.name;
        for (dependency, details) in &service.depends_on {
            if self.project.services.contains_key(dependency) {
                continue;
            }
            let disabled = self.project.disabled_services.contains_key(dependency);
            if disabled && !details.required {
                continue;
            }
            let (title, hint) = if disabled {
                (
                    format!("service `{name}` depends on `{dependency}`, which no active profile enables"),
                    "activate its profile, or add `required: false`",
                )
            } else {
                (
                    format!("service `{name}` depends on the undefined service `{dependency}`"),
                    "check the name",
                )
            };
            self.report(&["depends_on", dependency], title, Some(hint));
        }
        if let Some(target) = service.network_mode.as_deref().and_then(|mode| mode.strip_prefix("service:"))
            && !self.project.services.contains_key(target)
        {
            self.report(
                &["network_mode"],
                format!("service `{name}` uses the network of the unknown service `{target}`"),
                None,
            );
        }
    }

    fn amounts(&mut self, service: &Service) {
        let name = self.name;
        let deploy = service.deploy.as_ref();
        let limits = deploy.and_then(|deploy| deploy.resources.limits.as_ref());
        let reservations = deploy.and_then(|deploy| deploy.resources.reservations.as_ref());
        let replicas = deploy.and_then(|deploy| deploy.replicas);
        let mut differ = |attribute: &str, other: &str, differs: bool| {
            if differs {
                let title = format!("`{attribute}` and `{other}` of `{name}` differ");
                self.report(&[attribute], title, Some("keep one of them"));
            }
        };
        differ("scale", "deploy.replicas", matches!((service.scale, replicas), (Some(a), Some(b)) if a != b));
        if let Some(limits) = limits {
            differ(
                "cpus",
                "deploy.resources.limits.cpus",
                service.cpus != 0.0 && (limits.cpus - service.cpus).abs() > 1e-6,
            );
            differ(
                "mem_limit",
                "deploy.resources.limits.memory",
                service.mem_limit.is_some() && limits.memory != service.mem_limit,
            );
            differ(
                "pids_limit",
                "deploy.resources.limits.pids",
                service.pids_limit != 0 && limits.pids != service.pids_limit,
            );
        }
        if let Some(reservations) = reservations {
            let differs = service.mem_reservation.is_some() && reservations.memory != service.mem_reservation;
            differ("mem_reservation", "deploy.resources.reservations.memory", differs);
        }
        if service.scale.is_some_and(|scale| scale < 0) {
            self.report(&["scale"], format!("`scale` of `{name}` cannot be negative"), None);
        }
        if replicas.is_some_and(|replicas| replicas < 0) {
            self.report(
                &["deploy", "replicas"],
                format!("`deploy.replicas` of `{name}` cannot be negative"),
                None,
            );
        }
        if service.replicas() > 1 && service.container_name.is_some() {
            let title = format!("service `{name}` has a `container_name`, so it can have only one container");
            self.report(&["container_name"], title, Some("remove `container_name`, or the replicas"));
        }
    }

    /// Two things at the same place in the container.
    fn targets(&mut self, service: &Service) {
        let mut taken: HashMap<String, String> = HashMap::new();
        let mut places: Vec<(String, [String; 2])> = Vec::new();
        for (at, tmpfs) in service.tmpfs.iter().enumerate() {
            let target = tmpfs.split_once(':').map_or(tmpfs.as_str(), |(target, _)| target);
            places.push((target.to_owned(), ["tmpfs".to_owned(), at.to_string()]));
        }
        for (at, mount) in service.volumes.iter().enumerate() {
            places.push((mount.target.clone().unwrap_or_default(), ["volumes".to_owned(), at.to_string()]));
        }
        for (target, place) in places {
            let [section, at] = &place;
            match taken.get(&target) {
                Some(before) => {
                    let title = format!("service `{}` mounts two things at {target}", self.name);
                    let hint = format!("the other one is `{before}`");
                    self.report(&[section, at], title, Some(&hint));
                }
                None => {
                    taken.insert(target, format!("{section}[{at}]"));
                }
            }
        }
    }
}

/// A circle of dependencies, named service by service.
fn cycle(project: &Project) -> Option<Diagnostic> {
    let mut done: HashSet<&str> = HashSet::new();
    for start in project.services.keys() {
        // The way from `start` to here, each service with its dependencies that are still to be looked at.
        let mut way: Vec<(&str, Vec<&str>)> = vec![(start, dependencies(project, start))];
        let mut on_way: HashSet<&str> = HashSet::from([start.as_str()]);
        while let Some((name, left)) = way.last_mut() {
            let Some(next) = left.pop() else {
                done.insert(*name);
                on_way.remove(*name);
                way.pop();
                continue;
            };
            if on_way.contains(next) {
                let first = way.iter().position(|(name, _)| *name == next)?;
                let mut circle: Vec<&str> = way[first..].iter().map(|(name, _)| *name).take(20).collect();
                circle.push(next);
                let title = format!("services depend on one another in a circle: {}", circle.join(" -> "));
                let error = fault(project, &["services", next, "depends_on"], title);
                return Some(error.hint("remove one of the dependencies"));
            }
            if !done.contains(next) && project.services.contains_key(next) {
                on_way.insert(next);
                way.push((next, dependencies(project, next)));
            }
        }
    }
    None
}

fn dependencies<'p>(project: &'p Project, name: &str) -> Vec<&'p str> {
    let service = project.services.get(name);
    service.into_iter().flat_map(|service| service.depends_on.keys()).map(String::as_str).rev().collect()
}
