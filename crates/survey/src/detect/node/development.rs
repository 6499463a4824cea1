//! What the commands of a service need besides its build's output: packages that are for development alone, and its sources.

use super::{facts, idle, runners};
use crate::{
    context::{Context, join},
    model::{Ecosystem, Evidence, Fact, Gap, Role, Service, Setting, Shape, Survey},
    rules,
};

pub(in crate::detect) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let mut services = std::mem::take(&mut survey.services);
    for service in services.iter_mut().filter(|service| service.ecosystem == Ecosystem::Node) {
        if service.role == Role::Site {
            continue;
        }
        bundle(survey, service);
        if service.shape == Shape::Package {
            packages(context, survey, service);
            idle::detect(context, survey, service);
            sources(context, service);
        }
    }
    survey.services = services;
}

fn packages(context: &Context<'_>, survey: &Survey, service: &mut Service) {
    let manifests = facts::manifests(context, survey, service);
    let needed = service.commands().find_map(|command| {
        manifests.iter().find_map(|manifest| {
            let package = runners::development(manifest, &command.value)?;
            let place = Evidence::new(&manifest.source, package.span, "a package for development alone");
            let evidence = std::iter::once(place).chain(command.evidence.clone()).collect();
            Some(Fact { value: package.name.to_owned(), evidence })
        })
    });
    let runs = |package: &str| service.commands().any(|command| runners::preloads(&command.value, package));
    let babel = |command: &Fact<Vec<String>>| command.value.iter().any(|word| word.contains("@babel/node/"));
    let settings = [
        (runs("tsx"), "TSX_DISABLE_CACHE"),
        (service.commands().any(babel) || runs("@babel/register"), "BABEL_DISABLE_CACHE"),
    ];
    for (_, name) in settings.into_iter().filter(|(needed, _)| *needed) {
        let reason = "What is compiled while it runs has no place in a read-only image.".to_owned();
        service.migrations_read.push(name.to_owned());
        service.settings.push(Setting {
            name: name.to_owned(),
            value: "1".to_owned(),
            reason,
            at_build: false,
        });
    }
    service.development_packages = needed;
}

/// A bundle holds what its server needs, and nothing else: no command line of a package runs there.
fn bundle(survey: &mut Survey, service: &mut Service) {
    if service.shape != Shape::Bundle {
        return;
    }
    let Some(migration) = &mut service.migration else { return };
    let shipped = |word: &str| service.ships.iter().any(|ships| word.starts_with(ships.from.as_str()));
    let outside = |word: &String| {
        let path = !word.starts_with('-') && (word.contains('/') || word.ends_with("js"));
        path && !shipped(word.trim_start_matches("./"))
    };
    let Some(command) = migration.command.take_if(|command| command.value.iter().any(outside)) else {
        return;
    };
    survey.gaps.push(Gap { rule: rules::MIGRATIONS_NOT_APPLIED,
        subject: service.name.clone(),
        message: format!(
            "its migrations ({}) are not run, and the stack begins with an empty database: its image holds the built \
             server alone, without `{}`",
            migration.tool.name,
            command.value.join(" ")
        ),
        hint: "run them against the stack's database from a checkout before the first release and before each one \
               that brings new ones, or apply them when the server starts"
            .to_owned(),
        evidence: command.evidence,
    });
}

/// A program that runs from its sources, beside what the build writes, needs all of its folder.
fn sources(context: &Context<'_>, service: &mut Service) {
    let Some(output) = service.output.as_ref().map(|output| output.value.trim_matches('/').to_owned()) else {
        return;
    };
    let source = |word: &str| {
        let path = word.trim_start_matches("./");
        let built = path.strip_prefix(output.as_str()).is_some_and(|rest| rest.starts_with('/'));
        !built && !path.starts_with("..") && context.repository.contains(&join(&service.path, path))
    };
    let preloads = service.settings.iter().filter(|setting| setting.name == "NODE_OPTIONS");
    let preloads = preloads.flat_map(|setting| setting.value.split_whitespace());
    let words =
        service.commands().flat_map(|command| command.value.iter().map(String::as_str)).chain(preloads);
    // `--import=./tracing.mjs`
    let mut files = words.map(|word| word.split_once('=').map_or(word, |(_, value)| value));
    let needed = files.any(source);
    drop(files);
    if needed {
        service.output = None;
    }
}
