//! The variable that says where a program runs: `ENVIRONMENT`, `FLASK_CONFIG`. Its default is often development's, with
//! debugging on and a database of its own; a stack for production names production.

use plimsoll_dockerfile::{Instruction, parse_lenient};

use super::{environment::Read, project::Project};
use crate::{
    context::Context,
    model::{Confidence, Evidence, Gap, Question, is_below},
    python::{Kind, Module},
    rules,
};

/// Why such a variable is read, where an answer may name another value.
pub(crate) const REASON: &str = "says where the program runs";

const DEVELOPMENT: [&str; 9] =
    ["dev", "develop", "development", "local", "localhost", "debug", "test", "testing", "developer"];
const PRODUCTION: [&str; 3] = ["production", "prod", "live"];
/// Words of such variables' names.
const NAMES: [&str; 9] =
    ["ENV", "ENVIRONMENT", "MODE", "STAGE", "CONFIG", "CONFIGURATION", "SETTINGS", "PROFILE", "CONF"];
/// Files of a team's images that are read.
const MAX_DOCKERFILES: usize = 20;

/// Takes production's value as the default of each such variable, and asks or says what was taken.
pub(super) fn choose(
    context: &Context<'_>,
    project: &Project,
    reads: &mut [Read],
    service: &str,
    (questions, gaps): (&mut Vec<Question>, &mut Vec<Gap>),
) {
    let mut names: Vec<(String, String, Evidence)> = Vec::new();
    for read in reads.iter().filter(|read| is_mode(&read.name)) {
        let Some(default) = &read.default else { continue };
        if names.iter().all(|(name, ..)| *name != read.name) && is_for_development(project, default) {
            names.push((read.name.clone(), default.clone(), read.evidence.clone()));
        }
    }
    for (name, default, place) in names {
        let image = in_image(context, project, &name);
        let found = image.clone().or_else(|| in_program(project, &default));
        let Some((chosen, witness)) = found else {
            gaps.push(Gap { rule: rules::DEVELOPMENT_VALUES,
                subject: service.to_owned(),
                message: format!(
                    "{name} is `{default}` where nothing is set, as for development, and what it is in production is not known"
                ),
                hint: format!("set {name} for `plimsoll up`"),
                evidence: vec![place],
            });
            continue;
        };
        for read in reads.iter_mut().filter(|read| read.name == name) {
            read.default = Some(chosen.clone());
            read.required = false;
            REASON.clone_into(&mut read.evidence.reason);
        }
        let id = format!("{service}.mode");
        if image.is_none() && questions.iter().all(|question| question.id != id) {
            questions.push(Question {
                id,
                text: format!("{name} says where the program runs, and its default `{default}` is for development. What is it in production?"),
                options: vec![chosen.clone(), default],
                default: Some(chosen),
                confidence: Confidence::Likely,
                evidence: vec![place, witness],
            });
        }
    }
}

fn is_mode(name: &str) -> bool {
    let words: Vec<&str> = name.split('_').collect();
    let last = words.last().copied().unwrap_or_default();
    NAMES.contains(&last) || matches!(words[..], ["ENV", "TYPE"] | [.., "ENV", "TYPE" | "NAME"])
}

/// A word for development, or the key under which a table has development's: `"default": DevelopmentConfig`.
fn is_for_development(project: &Project, default: &str) -> bool {
    if DEVELOPMENT.contains(&default.to_lowercase().as_str()) {
        return true;
    }
    default == "default"
        && project.modules.iter().any(|module| {
            (0..module.tokens.len()).any(|at| {
                module.kind(at) == Some(Kind::String)
                    && module.is(at + 1, ":")
                    && module.string(at).as_deref() == Some("default")
                    && module.text(at + 2).to_lowercase().contains("dev")
            })
        })
}

/// The word for production in a module that has the default's word, too: a table, a comparison, an enumeration.
fn in_program(project: &Project, default: &str) -> Option<(String, Evidence)> {
    let texts = |module: &Module, text: &str| {
        (0..module.tokens.len())
            .find(|&at| module.kind(at) == Some(Kind::String) && module.string(at).as_deref() == Some(text))
    };
    let modules = project.modules.iter().filter(|module| texts(module, default).is_some());
    let mut spelled: Vec<String> = PRODUCTION.iter().map(|word| (*word).to_owned()).collect();
    // As the default is spelled.
    if default.starts_with(char::is_uppercase) {
        let title = |word: &str| format!("{}{}", word[..1].to_uppercase(), &word[1..]);
        let upper = default.chars().all(|c| c.is_uppercase());
        spelled =
            PRODUCTION.iter().map(|word| if upper { word.to_uppercase() } else { title(word) }).collect();
    }
    let modules: Vec<_> = modules.collect();
    spelled.into_iter().find_map(|word| {
        modules.iter().find_map(|module| {
            let at = texts(module, &word)?;
            let reason = "the word for production beside it";
            Some((word.clone(), Evidence::new(&module.source, module.span(at, at), reason)))
        })
    })
}

/// `ENV FLASK_CONFIG production` of the team's own image.
fn in_image(context: &Context<'_>, project: &Project, name: &str) -> Option<(String, Evidence)> {
    let files = context.repository.files().filter(|path| {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        file == "Dockerfile" && (is_below(folder, &project.folder) || is_below(&project.folder, folder))
    });
    let files: Vec<String> = files.take(MAX_DOCKERFILES).map(str::to_owned).collect();
    files.iter().find_map(|path| {
        let source = context.repository.source(path)?;
        let dockerfile = parse_lenient(&source).dockerfile;
        let statements = dockerfile.stages.last()?.instructions.iter();
        let pairs = statements.filter_map(|statement| match &statement.value {
            Instruction::Env(pairs) => Some((pairs, statement.span)),
            _ => None,
        });
        pairs
            .filter_map(|(pairs, span)| {
                let pair = pairs.iter().find(|pair| pair.key.text == name)?;
                let value = pair.value.text.trim_matches(['"', '\'']).to_owned();
                let plain =
                    !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
                let development = DEVELOPMENT.contains(&value.to_lowercase().as_str());
                let evidence = Evidence::new(&source, span, "the team's own image sets it");
                (plain && !development).then_some((value, evidence))
            })
            .next_back()
    })
}
