//! Debugging that a variable turns on by its default: production must not show its source and its settings. Any program's
//! by the variable's name, and Django's `DEBUG` by what it is compared with.

use super::{
    conditions::{self, Condition},
    django::{Site, setting},
    environment::{Read, Shape},
    project::Project,
};
use crate::{
    model::{Gap, Service, Setting},
    rules,
};

/// What switches debugging on, and off in the same words.
const SWITCHES: [(&str, &str); 7] = [
    ("True", "False"),
    ("true", "false"),
    ("1", "0"),
    ("yes", "no"),
    ("on", "off"),
    ("Yes", "No"),
    ("On", "Off"),
];

/// Debugging that is on where nothing is set is off in production: errors show the source.
pub(super) fn by_name(reads: &[Read], service: &mut Service) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for variable in &mut service.environment {
        let default = variable.default.as_deref().unwrap_or_default();
        let off = SWITCHES.iter().find(|(on, _)| *on == default).map(|(_, off)| *off);
        let is_it = variable.name == "DEBUG" || variable.name.ends_with("_DEBUG");
        let Some(off) = off.filter(|_| is_it) else { continue };
        gaps.push(Gap {
            rule: rules::DEBUG_ON,
            subject: service.name.clone(),
            message: format!("{} is on where nothing is set: the stack has it off", variable.name),
            hint: "have it off by default in the program, too".to_owned(),
            evidence: variable.evidence.clone(),
        });
        // Every text is true, and "0" too.
        let truth = reads.iter().any(|read| read.name == variable.name && read.shape == Shape::Truth);
        variable.default = Some(if truth { "" } else { off }.to_owned());
    }
    gaps
}

/// Turns Django's off where it is on unless a variable says otherwise.
pub(super) fn of_django(project: &Project, site: &Site, reads: &[Read], service: &mut Service) {
    let Some((module, at)) = setting(site, "DEBUG") else { return };
    let range = (at, module.line_end(at));
    let Some(condition) = conditions::in_range(project, reads, module, range) else { return };
    let name = &condition.read.name;
    // A mode, `DEBUG = ENVIRONMENT == "local"`, is asked for by its own name.
    if !name.contains("DEBUG") || service.settings.iter().any(|known| known.name == *name) {
        return;
    }
    let called = module.kind(at) == Some(crate::python::Kind::Word) && !module.text(at).starts_with("os");
    let Some(value) = value(&condition, called) else { return };
    let place = &condition.read.evidence;
    // Commands of the build import the settings too, and some refuse to work with it on.
    for at_build in [true, false] {
        service.settings.push(Setting {
            name: name.clone(),
            value: value.clone(),
            reason: format!("Without it DEBUG is on ({}:{}).", place.file, place.line),
            at_build,
        });
    }
}

/// The text that turns it off; nothing where it is off by itself.
fn value(condition: &Condition<'_>, called: bool) -> Option<String> {
    let read = condition.read;
    let default = read.default.as_deref().unwrap_or_default();
    let holds = condition.texts.iter().any(|text| text.eq_ignore_ascii_case(default));
    if !condition.texts.is_empty() {
        return match (condition.negated, holds) {
            (true, false) => condition.texts.first().cloned(),
            (false, true) => Some("False".to_owned()),
            _ => None,
        };
    }
    let on = matches!(default.to_lowercase().as_str(), "1" | "true" | "yes" | "on");
    if !on || condition.negated {
        return None;
    }
    Some(
        match read.shape {
            Shape::Number => "0",
            // Every text is true, and "False" too.
            Shape::Text | Shape::Truth if !called => "",
            _ => "False",
        }
        .to_owned(),
    )
}
