//! The survey for people: every fact with the place that it rests on.

use std::fmt::Write as _;

use crate::model::{Address, Ecosystem, Evidence, Fact, Install, OwnImage, Role, Service, Store, Survey};

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
    for install in &survey.installs {
        out.install(install);
    }

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
    if !survey.questions.is_empty() {
        out.title(&format!("Questions ({})", survey.questions.len()));
    }
    for question in &survey.questions {
        out.line(1, &format!("{}: {}", question.id, question.text), Some(&question.evidence));
        let default =
            question.default.as_deref().map_or("nothing is taken without an answer".to_owned(), |default| {
                format!("{default} is taken without an answer")
            });
        let options = if question.options.is_empty() {
            String::new()
        } else {
            format!("{}; ", question.options.join(" or "))
        };
        out.line(2, &format!("{options}{default}"), None);
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

    fn install(&mut self, install: &Install) {
        let name = install.manager.label();
        let folder =
            if install.folder.is_empty() { String::new() } else { format!(" in {}", install.folder) };
        let version = install.version.as_ref().map_or("of any version", |version| &version.value);
        self.line(1, &format!("package manager  {name} {version}{folder}"), Some(&install.evidence));
        self.fact("lock file", install.lock_file.as_ref());
        let runtime = match install.ecosystem {
            Ecosystem::Python => "Python",
            Ecosystem::Node | Ecosystem::Plain | Ecosystem::Image => "Node.js",
        };
        self.fact(runtime, install.runtime.as_ref());
    }

    fn service(&mut self, service: &Service) {
        let kind = crate::text::kind(service);
        self.line(
            1,
            &format!("{}  {kind}", service.name),
            service.frameworks.first().map(|tool| &tool.evidence),
        );
        for tool in &service.frameworks {
            self.item("framework", &format!("{} {}", tool.name, tool.version), Some(&tool.evidence));
        }
        if let Some(image) = &service.own_image {
            self.own_image(image);
        }
        self.service_fact("build", service.build.as_ref());
        for step in &service.build_steps {
            self.item("build step", &step.value.join(" "), None);
        }
        for check in &service.checks {
            self.service_fact("check", Some(check));
        }
        self.service_fact("output", service.output.as_ref());
        for path in &service.reads {
            self.service_fact("reads", Some(path));
        }
        self.service_fact("start", service.start.as_ref());
        if let Some(command) = &service.command {
            self.item("runs", &command.value.join(" "), Some(&command.evidence));
        }
        self.service_fact("port", service.port.as_ref());
        self.service_fact("live", service.health.live.as_ref());
        self.service_fact("ready", service.health.ready.as_ref());
        self.service_fact("metrics", service.health.metrics.as_ref());
        for route in service.routes.iter().filter(|route| route.stream) {
            self.item("event stream", &format!("{} {}", route.method, route.path), Some(&route.evidence));
        }
        for process in &service.processes {
            let text = format!("{}: {}", process.name, process.command.value.join(" "));
            self.item(process.role.label(), &text, Some(&process.command.evidence));
        }
        self.service_fact("stops on", service.stops_gracefully.as_ref());
        if let Some(migration) = &service.migration {
            self.item("migrations", &migration.tool.name, Some(&migration.tool.evidence));
            self.service_fact("  script", migration.script.as_ref());
            if let Some(command) = &migration.command {
                self.item("  run", &command.value.join(" "), Some(&command.evidence));
            }
            self.service_fact("  folder", migration.folder.as_ref());
        }
        for store in &service.stores {
            let from = store.address.as_ref().map(|address| format!(" from {}", variables(address)));
            let text = format!("{}{}", store.kind.label(), from.unwrap_or_default());
            self.item("uses", &text, Some(&store.evidence));
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

    fn own_image(&mut self, image: &OwnImage) {
        self.service_fact("Dockerfile", Some(&image.dockerfile));
        let root = if image.context.value.is_empty() { "." } else { &image.context.value };
        self.item("context", root, Some(&image.context.evidence));
        self.service_fact("target", image.target.as_ref());
        self.service_fact("base", Some(&image.base));
        let shell = if image.shell.value { "assumed" } else { "none" };
        self.item("shell", shell, Some(&image.shell.evidence));
        for (name, words) in
            [("entrypoint", &image.entrypoint), ("command", &image.command), ("started as", &image.given)]
        {
            if let Some(words) = words {
                self.item(name, &words.value.join(" "), Some(&words.evidence));
            }
        }
        self.service_fact("user", image.user.as_ref());
        self.service_fact("health check", image.healthcheck.as_ref());
    }

    fn store(&mut self, store: &Store) {
        let version = store.version.as_ref().map_or("of unknown version", |version| &version.value);
        self.line(1, &format!("{} {version}", store.kind.label()), Some(&store.evidence));
        self.service_fact("version", store.version.as_ref());
        self.service_fact("image", store.image.as_ref());
        self.service_fact("database", store.database.as_ref());
        self.service_fact("user", store.user.as_ref());
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

/// What a service is, in two words.
pub fn kind(service: &Service) -> String {
    let language = match service.ecosystem {
        Ecosystem::Node => "Node.js ",
        Ecosystem::Python => "Python ",
        Ecosystem::Plain | Ecosystem::Image => "",
    };
    let own = service.own_image.as_ref().and_then(|image| image.language.as_ref());
    match (service.role, own) {
        (Role::Site, _) => "static site".to_owned(),
        (role, Some(own)) => format!("{} {}", own.value, role.label()),
        (role, None) => format!("{language}{}", role.label()),
    }
}

/// The variables of an address, as a list.
fn variables(address: &Address) -> String {
    match address {
        Address::Url { variable, .. } => variable.value.clone(),
        Address::Parts { variables, .. } => {
            variables.iter().map(|(_, variable)| variable.value.as_str()).collect::<Vec<_>>().join(", ")
        }
        Address::Fixed { host, .. } => format!("the program: {}", host.value),
    }
}
