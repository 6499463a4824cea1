//! Programs that compile sources while they run: tsx, ts-node, babel-node. The built file takes their place where a build
//! writes one; else they run in production too, as the project says, whatever table of package.json they stand in.

use super::{
    build,
    command::{self, plain},
};
use crate::{
    context::{Context, has_extension},
    manifest::{Dependency, Manifest},
};

/// Their names.
pub(super) const RUNNERS: [&str; 7] =
    ["tsx", "ts-node", "ts-node-dev", "tsnd", "ts-node-esm", "babel-node", "bun"];

/// Their options with a value.
const WITH_VALUE: [&str; 14] = [
    "-P",
    "--project",
    "--tsconfig",
    "-O",
    "--compiler-options",
    "-C",
    "--compiler",
    "--env-file",
    "--cwd",
    "--dir",
    "--presets",
    "--plugins",
    "--config-file",
    "-x",
];

/// Files that they run.
const ENDS: [&str; 7] = ["ts", "tsx", "mts", "cts", "js", "mjs", "cjs"];

/// The command of production for `tsx src/index.ts` and the like.
pub(super) fn run(
    context: &Context<'_>,
    manifest: &Manifest,
    program: &str,
    rest: &[String],
) -> Result<Vec<String>, String> {
    let mut preloads = Vec::new();
    let mut transpile = false;
    let mut words = rest.iter();
    let target = loop {
        let Some(word) = words.next() else { break None };
        match word.as_str() {
            "watch" => return Err(format!("`{program} watch` is a development server")),
            // `bun run src/index.ts`
            "run" => {}
            "-r" | "--require" | "--import" => preloads.extend(words.next().cloned()),
            "-T" | "--transpile-only" | "--transpileOnly" => transpile = true,
            option if WITH_VALUE.contains(&option) => drop(words.next()),
            option if option.starts_with('-') => {}
            _ => break Some(word),
        }
    };
    let Some(target) = target.map(|target| plain(target)) else {
        return Err(format!("`{program}` does not say which file it runs"));
    };
    if !ENDS.iter().any(|end| has_extension(target, end)) {
        return Err(format!("`{program}` does not say which file it runs"));
    }
    let arguments: Vec<String> = words.cloned().collect();
    let script = target.ends_with("js");
    if script && !matches!(program, "babel-node" | "bun") {
        return file(context, manifest, target, &arguments);
    }
    if let Some(built) = build::built(context, manifest, target) {
        return file(context, manifest, &built, &arguments);
    }
    let mut command = vec!["node".to_owned()];
    command.extend(runner(manifest, program, target, transpile)?);
    for preload in preloads.into_iter().filter(|preload| !preload.starts_with("dotenv")) {
        command.extend(["--require".to_owned(), preload]);
    }
    command.push(target.to_owned());
    command.extend(arguments);
    Ok(command)
}

/// Options of Node.js that compile the sources of a file.
fn runner(manifest: &Manifest, program: &str, target: &str, transpile: bool) -> Result<Vec<String>, String> {
    let has = |name: &str| manifest.any_dependency(name).is_some();
    let words = |words: &[&str]| Ok(words.iter().map(|word| (*word).to_owned()).collect());
    let modules = manifest.string(&["type"], "").is_some_and(|kind| kind.value == "module");
    match program {
        "babel-node" if has("@babel/node") => return words(&["node_modules/@babel/node/bin/babel-node.js"]),
        "babel-node" => {}
        "ts-node" | "ts-node-dev" | "tsnd" | "ts-node-esm"
            if (has("ts-node") || has("ts-node-dev")) && !modules =>
        {
            let register = if transpile { "ts-node/register/transpile-only" } else { "ts-node/register" };
            return words(&["--require", register]);
        }
        _ if has("tsx") => return words(&["--import", "tsx"]),
        _ => {}
    }
    Err(format!(
        "`{program}` runs {target} from its sources, nothing builds it, and no package of production can"
    ))
}

/// `node FILE` with arguments, those that name TypeScript by what the build makes of it.
pub(super) fn file(
    context: &Context<'_>,
    manifest: &Manifest,
    file: &str,
    arguments: &[String],
) -> Result<Vec<String>, String> {
    let mut command = vec!["node".to_owned(), file.to_owned()];
    let mut sources = None;
    for argument in arguments {
        let (option, value) = match argument.split_once('=') {
            Some((option, value)) => (format!("{option}="), value),
            None => (String::new(), argument.as_str()),
        };
        let typed = has_extension(value, "ts") && !value.starts_with('-');
        match build::built(context, manifest, plain(value)).filter(|_| typed) {
            Some(built) => command.push(format!("{option}{built}")),
            None => {
                sources = sources.or_else(|| typed.then_some(value));
                command.push(argument.clone());
            }
        }
    }
    if let Some(source) = sources {
        let options = runner(manifest, "ts-node", source, false)?;
        command.splice(1..1, options);
    }
    Ok(command)
}

/// The package for development alone that a command needs: what it preloads, or a program among the packages.
pub(super) fn development<'a>(manifest: &'a Manifest, command: &[String]) -> Option<Dependency<'a>> {
    let mut preload = false;
    command.iter().find_map(|word| {
        let inline = word.split_once('=').filter(|(option, _)| is_preload(option)).map(|(_, value)| value);
        let named = inline.or(std::mem::replace(&mut preload, is_preload(word)).then_some(word.as_str()));
        let linked = command::linked_package(word).map(|(_, package)| package);
        let path = named.or(linked).or_else(|| word.strip_prefix("node_modules/"))?;
        let package = package(path)?;
        let alone =
            |name: &str| manifest.any_dependency(name).filter(|_| manifest.dependency(name).is_none());
        alone(package).or_else(|| alone("ts-node-dev").filter(|_| package == "ts-node"))
    })
}

/// Whether a command preloads a package.
pub(super) fn preloads(command: &[String], package: &str) -> bool {
    command.windows(2).any(|pair| is_preload(&pair[0]) && self::package(&pair[1]) == Some(package))
}

fn is_preload(option: &str) -> bool {
    matches!(option, "--import" | "--require" | "-r" | "--loader" | "--experimental-loader")
}

/// `@babel/node` of `@babel/node/bin/babel-node.js`.
fn package(path: &str) -> Option<&str> {
    if path.starts_with(['.', '/']) || path.is_empty() {
        return None;
    }
    let parts = if path.starts_with('@') { 2 } else { 1 };
    let end = path.match_indices('/').nth(parts - 1).map_or(path.len(), |(at, _)| at);
    path.get(..end)
}
