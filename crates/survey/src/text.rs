//! The survey for people: every fact with the place that it rests on.

use std::fmt::Write as _;

use crate::model::{Evidence, Fact, Service, ServiceKind, Store, Survey};

/// Column at which the evidence begins.
const EVIDENCE: usize = 58;

/// The whole survey as text. Every line ends with `file:line` of its first evidence.
pub fn render(survey: &Survey) -> String {
    let mut out = Out::default();
    let name = survey.name.as_ref();
    out.line(
        0,
        &format!("Project {}", name.map_or("without a name", |name| &name.value)),
        name.map(evidence),
    );
    if let Some(manager) = &survey.package_manager {
        let version = manager.version.as_deref().unwrap_or("of any version");
        out.line(1, &format!("package manager  {} {version}", manager.name), Some(&manager.evidence));
        out.fact("lock file", manager.lock_file.as_ref());
    }
    out.fact("Node.js", survey.node.as_ref());

    out.title(&format!("Workspaces ({})", survey.workspaces.len()));
    for workspace in &survey.workspaces {
        let uses: Vec<&str> = workspace.uses.iter().map(|used| used.value.as_str()).collect();
        let uses = if uses.is_empty() { String::new() } else { format!("  uses {}", uses.join(", ")) };
        out.line(1, &format!("{}{uses}", workspace.name), Some(&workspace.evidence));
    }

    out.title(&format!("Services ({})", survey.services.len()));
    for service in &survey.services {
        out.service(service);
    }

    out.title(&format!("Stores ({})", survey.stores.len()));
    for store in &survey.stores {
        out.store(store);
    }

    out.title(&format!("Gaps ({})", survey.gaps.len()));
    for gap in &survey.gaps {
        out.line(1, &format!("{}: {}", gap.subject, gap.message), Some(&gap.evidence));
        out.line(2, &gap.hint, None);
    }
    out.text
}

fn evidence<T>(fact: &Fact<T>) -> &Vec<Evidence> {
    &fact.evidence
}

#[derive(Default)]
struct Out {
    text: String,
}

impl Out {
    fn title(&mut self, title: &str) {
        self.text.push('\n');
        self.line(0, title, None);
    }

    fn line(&mut self, indent: usize, text: &str, evidence: Option<&Vec<Evidence>>) {
        let text = format!("{}{text}", "  ".repeat(indent));
        match evidence.and_then(|evidence| evidence.first()) {
            Some(first) if first.end > 0 => {
                let _ = writeln!(self.text, "{text:EVIDENCE$}  {}:{}", first.file, first.line);
            }
            Some(first) => {
                let _ = writeln!(self.text, "{text:EVIDENCE$}  {}", first.file);
            }
            None => {
                let _ = writeln!(self.text, "{text}");
            }
        }
    }

    fn fact<T: std::fmt::Display>(&mut self, name: &str, fact: Option<&Fact<T>>) {
        if let Some(fact) = fact {
            self.line(1, &format!("{name:16} {}", fact.value), Some(&fact.evidence));
        }
    }

    fn service(&mut self, service: &Service) {
        let kind = match service.kind {
            ServiceKind::NodeServer => "Node.js server",
            ServiceKind::StaticSite => "static site",
        };
        self.line(
            1,
            &format!("{}  {kind}", service.name),
            service.frameworks.first().map(|tool| &tool.evidence),
        );
        for tool in &service.frameworks {
            self.item("framework", &format!("{} {}", tool.name, tool.version), Some(&tool.evidence));
        }
        self.service_fact("build", service.build.as_ref());
        for check in &service.checks {
            self.service_fact("check", Some(check));
        }
        self.service_fact("output", service.output.as_ref());
        self.service_fact("start", service.start.as_ref());
        self.service_fact("port", service.port.as_ref());
        self.service_fact("live", service.health.live.as_ref());
        self.service_fact("ready", service.health.ready.as_ref());
        self.service_fact("metrics", service.health.metrics.as_ref());
        for route in service.routes.iter().filter(|route| route.stream) {
            self.item("event stream", &format!("{} {}", route.method, route.path), Some(&route.evidence));
        }
        self.service_fact("stops on", service.stops_gracefully.as_ref());
        if let Some(migration) = &service.migration {
            self.item("migrations", &migration.tool.name, Some(&migration.tool.evidence));
            self.service_fact("  script", migration.script.as_ref());
            self.service_fact("  run", migration.entry.as_ref());
            self.service_fact("  folder", migration.folder.as_ref());
        }
        for store in &service.stores {
            self.item("uses", store.value.label(), Some(&store.evidence));
        }
        for variable in &service.environment {
            let default = variable.default.as_ref().map(|value| format!(" = {value}")).unwrap_or_default();
            let file =
                if variable.file_variant { format!("  or {}_FILE", variable.name) } else { String::new() };
            self.item("variable", &format!("{}{default}{file}", variable.name), Some(&variable.evidence));
        }
        if let Some(config) = &service.runtime_config {
            self.item(
                "run-time config",
                &format!("{} sets {}", config.path, config.global),
                Some(&config.evidence),
            );
            for setting in &config.settings {
                self.item(
                    "  setting",
                    &format!("{} = {}", setting.key, setting.default),
                    Some(&setting.evidence),
                );
            }
        }
    }

    fn store(&mut self, store: &Store) {
        let version = store.version.as_ref().map_or("of unknown version", |version| &version.value);
        self.line(1, &format!("{} {version}", store.kind.label()), Some(&store.evidence));
        self.service_fact("version", store.version.as_ref());
        self.service_fact("database", store.database.as_ref());
        self.service_fact("user", store.user.as_ref());
        self.service_fact("address from", store.variable.as_ref());
    }

    fn service_fact<T: std::fmt::Display>(&mut self, name: &str, fact: Option<&Fact<T>>) {
        if let Some(fact) = fact {
            self.item(name, &fact.value.to_string(), Some(&fact.evidence));
        }
    }

    fn item(&mut self, name: &str, text: &str, evidence: Option<&Vec<Evidence>>) {
        self.line(2, &format!("{name:16} {text}"), evidence);
    }
}
