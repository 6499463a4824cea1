//! What the scripts of a package say: how it is built, checked and started, and where its build writes.

use plimsoll_source::Span;

use crate::{
    context::{Context, join},
    json,
    manifest::Manifest,
    model::{Evidence, Fact, Role, Survey},
};

/// Names under which projects keep each check; the first one that exists is taken.
const CHECKS: [(&[&str], &str); 3] = [
    (&["type-check", "typecheck", "check-types"], "checks the types"),
    (&["lint:ci", "lint"], "looks for mistakes"),
    (&["test:ci", "test:unit", "test"], "runs the tests"),
];

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    for workspace in &mut survey.workspaces {
        workspace.output = context.manifest(&workspace.path).and_then(|manifest| output(context, manifest));
    }
    for service in &mut survey.services {
        let Some(manifest) = context.manifest(&service.path) else { continue };
        service.build = script(manifest, &["build"], "builds the service");
        service.checks =
            CHECKS.iter().filter_map(|(names, reason)| script(manifest, names, reason)).collect();
        if service.output.is_none() {
            service.output = output(context, manifest);
        }
        if service.role == Role::Server {
            service.start = start(manifest);
            service.command = service.start.as_ref().and_then(command);
        }
    }
}

fn script(manifest: &Manifest, names: &[&str], reason: &str) -> Option<Fact<String>> {
    names.iter().find_map(|name| {
        let (command, span) = manifest.script(name)?;
        // What `npm init` writes.
        let placeholder = command.contains("no test specified");
        let evidence = Evidence::new(&manifest.source, span, format!("{reason}: {command}"));
        (!placeholder).then(|| Fact::new((*name).to_owned(), evidence))
    })
}

fn start(manifest: &Manifest) -> Option<Fact<String>> {
    ["start:prod", "start"]
        .iter()
        .find_map(|name| {
            let (command, span) = manifest.script(name)?;
            Some(Fact::new(command.to_owned(), Evidence::new(&manifest.source, span, "starts the service")))
        })
        .or_else(|| {
            let main = manifest.string(&["main"], "the package's entry")?;
            Some(Fact { value: format!("node {}", main.value), evidence: main.evidence })
        })
}

/// `node [options] file`; anything else (a shell line, a runner) is no command.
fn command(start: &Fact<String>) -> Option<Fact<Vec<String>>> {
    let file = node_file(&start.value)?;
    Some(Fact { value: vec!["node".to_owned(), file.to_owned()], evidence: start.evidence.clone() })
}

/// The file that `node [options] file` runs.
pub(super) fn node_file(command: &str) -> Option<&str> {
    let mut words = command.split_whitespace();
    if words.next() != Some("node") || command.contains(['&', '|', ';', '$', '`', '"', '\'']) {
        return None;
    }
    let file = words.find(|word| !word.starts_with('-'))?;
    Some(file.trim_start_matches("./"))
}

/// `outDir` of the tsconfig that the build uses, through `extends` within the package.
fn output(context: &Context<'_>, manifest: &Manifest) -> Option<Fact<String>> {
    let (build, _) = manifest.script("build")?;
    let words: Vec<&str> = build.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "tsc")?;
    let project =
        words[at..].windows(2).find(|pair| matches!(pair[0], "-p" | "--project" | "-b" | "--build"));
    let mut file =
        join(&manifest.folder, project.map_or("tsconfig.json", |pair| pair[1].trim_start_matches("./")));
    for _ in 0..4 {
        let source = context.repository.source(&file)?;
        let root = json::parse(&source).ok()?;
        let found = root.get("compilerOptions").and_then(|options| options.value.get("outDir"));
        if let Some(member) = found {
            let value = member.value.str()?.trim_start_matches("./").trim_end_matches('/').to_owned();
            let span: Span = member.span();
            return Some(Fact::new(value, Evidence::new(&source, span, "where the compiler writes")));
        }
        let parent = root.get("extends")?.value.str()?.strip_prefix("./")?.to_owned();
        file = join(&manifest.folder, &parent);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::node_file;

    #[test]
    fn only_a_plain_node_command_has_a_file() {
        assert_eq!(node_file("node dist/index.js"), Some("dist/index.js"));
        assert_eq!(node_file("node --enable-source-maps ./dist/index.js"), Some("dist/index.js"));
        assert_eq!(node_file("node a.js && node b.js"), None);
        assert_eq!(node_file("tsx src/index.ts"), None);
    }
}
