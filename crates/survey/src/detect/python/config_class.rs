//! The class of a configuration that a variable names: `app.config.from_object(os.getenv("APP_SETTINGS"))`. Without the
//! variable there is no configuration, and what a developer's machine sets is not for production.

use std::rc::Rc;

use super::{environment::Read, project::Project};
use crate::{
    context::Context,
    detect::compose_file,
    model::{Confidence, Evidence, Question},
    python::Module,
};

/// Why a variable is read, where an answer may name another class.
pub(crate) const REASON: &str = "names the class of the configuration";

/// Takes the class for production as the variable's default, and asks; without any the variable is required.
pub(super) fn choose(
    context: &Context<'_>,
    project: &Project,
    reads: &mut [Read],
    service: &str,
    questions: &mut Vec<Question>,
) {
    let Some((module, variable, place)) = project.modules.iter().find_map(named) else { return };
    let default = reads.iter().find(|read| read.name == variable).and_then(|read| read.default.clone());
    let in_development = in_development(context, &variable);
    let given = default.clone().map(|value| (value, place.clone())).or(in_development);
    let chosen = given.as_ref().and_then(|(value, _)| for_production(project, module, value));
    let mut all = reads.iter_mut().filter(|read| read.name == variable);
    let (Some((value, witness)), Some(chosen)) = (given, chosen) else {
        all.for_each(|read| read.required = default.is_none());
        return;
    };
    if let Some(read) = all.next() {
        read.evidence = place.clone();
        read.default = Some(chosen.clone());
        read.required = false;
    }
    all.for_each(|read| {
        read.default = Some(chosen.clone());
        read.required = false;
    });
    if chosen != value {
        questions.push(Question {
            id: format!("{service}.configuration"),
            text: format!(
                "{variable} names the class of the configuration, and {value} is for development. Which is production's?"
            ),
            options: vec![chosen.clone(), value],
            default: Some(chosen),
            confidence: Confidence::Likely,
            evidence: vec![place, witness],
        });
    }
}

/// Calls of one module that are looked at.
const MAX_CALLS: usize = 20;

/// The variable whose value a module takes for the name of its configuration.
fn named(module: &Rc<Module>) -> Option<(&Rc<Module>, String, Evidence)> {
    let takes =
        |at: &usize| matches!(module.text(*at), "from_object" | "import_string") && module.is(at + 1, "(");
    (0..module.tokens.len()).filter(takes).take(MAX_CALLS).find_map(|at| {
        let first = module.arguments(at + 1).first()?.at;
        let read = read(module, first).or_else(|| {
            let name = module.is_word(first).then(|| module.text(first))?;
            let lines = module.lines().filter(|&line| module.is(line, name));
            lines.filter_map(|line| module.assigned(line)).find_map(|value| read(module, value))
        });
        let evidence = Evidence::new(&module.source, module.span(at, first), REASON);
        Some((module, read?, evidence))
    })
}

/// `os.getenv("NAME")`, `os.environ["NAME"]`.
fn read(module: &Module, at: usize) -> Option<String> {
    let (name, next) = module.resolved(at)?;
    let reads = matches!(name.as_str(), "os.getenv" | "os.environ.get") && module.is(next, "(")
        || name == "os.environ" && module.is(next, "[");
    module.string(next + 1).filter(|_| reads)
}

/// The value that the development compose file gives the variable.
fn in_development(context: &Context<'_>, variable: &str) -> Option<(String, Evidence)> {
    let file = compose_file::read(context).ok()??;
    let services = file.services.iter().filter(|service| !service.is_for_tests());
    let mut values =
        services.filter_map(|service| service.variable(&file.source, variable, "its value in development"));
    let value = values.next()?;
    let evidence = value.evidence.into_iter().next()?;
    Some((value.value, evidence))
}

/// The class beside the one that is named which is production's; the named one where it is not for development.
fn for_production(project: &Project, module: &Rc<Module>, value: &str) -> Option<String> {
    let (path, class) = value.rsplit_once('.')?;
    let target = project.find(module, path)?;
    let classes: Vec<&str> =
        target.lines().filter(|&line| target.is(line, "class")).map(|line| target.text(line + 1)).collect();
    if !classes.contains(&class) {
        return None;
    }
    let has = |name: &str, words: &[&str]| words.iter().any(|word| name.to_lowercase().contains(word));
    if !has(class, &["dev", "test", "local", "debug"]) {
        return Some(value.to_owned());
    }
    let production = classes.iter().find(|name| has(name, &["prod", "live"]));
    let base =
        classes.iter().find(|name| matches!(**name, "BaseConfig" | "Config" | "Base" | "DefaultConfig"));
    production.or(base).map(|name| format!("{path}.{name}"))
}
