//! What an install for production holds and nothing runs: tools that npm keeps as optional peers, and what Prisma has for
//! other databases.

use super::{clients::prisma, facts};
use plimsoll_source::json;

use crate::{
    context::{Context, join},
    manifest::Manifest,
    model::{Evidence, Fact, Manager, Service, Survey},
};

/// Command lines that are large, and that a program does not load.
const TOOLS: [&str; 1] = ["prisma"];

/// Adds what a service's image can do without. Its commands must be known.
pub(super) fn detect(context: &Context<'_>, survey: &Survey, service: &mut Service) {
    let manifests = facts::manifests(context, survey, service);
    let place = survey.install_of(service);
    let npm = place.filter(|install| install.manager == Manager::Npm && install.folder == service.path);
    let lock = npm.and_then(|install| Some(join(&install.folder, &install.lock_file.as_ref()?.value)));
    // What a shell or another program runs is not seen.
    let sees_all = service.spawns.as_ref().is_none_or(|program| program.value == "node");
    if let Some(lock) = lock.filter(|_| sees_all && service.development_packages.is_none()) {
        let tools = TOOLS.iter().filter(|tool| !runs(service, tool));
        service.idle_tools = tools
            .filter_map(|tool| {
                let development = manifests.iter().find_map(|manifest| development(manifest, tool))?;
                is_kept(context, &lock, tool).then_some(development)
            })
            .collect();
    }
    service.query_compilers = manifests.iter().find_map(|manifest| prisma::compilers(context, manifest));
}

fn runs(service: &Service, tool: &str) -> bool {
    let named = |word: &String| word.split('/').any(|part| part == tool);
    service.commands().any(|command| command.value.iter().any(named))
}

fn development(manifest: &Manifest, tool: &str) -> Option<Fact<String>> {
    let dependency = manifest.all("devDependencies").find(|dependency| dependency.name == tool)?;
    let evidence =
        Evidence::new(&manifest.source, dependency.span, "a tool for development that nothing runs");
    manifest.dependency(tool).is_none().then(|| Fact::new(tool.to_owned(), evidence))
}

/// Whether the lock file of npm says that an install without packages for development has it all the same.
fn is_kept(context: &Context<'_>, lock: &str, tool: &str) -> bool {
    let Some(source) = context.repository.source(lock) else { return false };
    let Ok(root) = json::parse(&source) else { return false };
    let package =
        root.get("packages").and_then(|packages| packages.value.get(&format!("node_modules/{tool}")));
    package.and_then(|package| package.value.get("devOptional")).is_some()
}
